//! Those who follow a board over HTTP: how one comes to do so, and who looks at the board for all of them.
//!
//! Owns [`Follower`], a place among them, and the one task that looks. Must not know sockets or how events
//! read. Key invariants: nobody looks at a board that nobody follows; a look is off the room's lock and off
//! the executor threads, and takes a bounded part of a processor. Tests: tests/it/events.rs.

use std::convert::Infallible;
use std::future::poll_fn;
use std::sync::Arc;
use std::time::Duration;

use smol::future::FutureExt as _;

use crate::boards::content::Failed;
use crate::boards::loader::Creation;
use crate::boards::news::{self, Seen};
use crate::boards::rights::Granted;
use crate::boards::slots::RoomCell;
use crate::boards::{Boards, fenced};
use crate::fault::Fault;
use crate::ids::MemberId;
use crate::limits;
use crate::room::feed::{Filter, Following, Told};

/// How long to wait where it is not the board's turn to be looked at.
const BUSY_PAUSE: Duration = Duration::from_secs(1);

/// A place among those who follow a board; given back when it is dropped.
pub(crate) struct Follower {
    boards: Arc<Boards>,
    cell: Arc<RoomCell>,
    id: MemberId,
}

impl Follower {
    /// Waits for the next events, as bytes.
    ///
    /// # Errors
    /// Nothing more comes, for this fault where there was one.
    ///
    /// # Cancellation
    /// Nothing is lost.
    pub(crate) async fn next(&self) -> Result<Vec<u8>, Option<Fault>> {
        let mut bytes = Vec::new();
        let end = poll_fn(|cx| {
            let told = self.cell.lock().poll_told(self.id, cx.waker(), &mut bytes);
            match told {
                Told::Nothing => std::task::Poll::Pending,
                Told::Events => std::task::Poll::Ready(None),
                Told::End(fault) => std::task::Poll::Ready(Some(fault)),
            }
        });
        match end.await {
            None => Ok(bytes),
            Some(fault) => Err(fault),
        }
    }

    /// Waits until this must end while its peer takes nothing; why.
    pub(crate) async fn cut_off(&self) -> Option<Fault> {
        poll_fn(|cx| self.cell.lock().poll_cut_off(self.id, cx.waker())).await
    }

    /// What is sent where nothing else was for long.
    pub(crate) fn sign_of_life(&self) -> Vec<u8> {
        self.cell.lock().sign_of_life(self.id)
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        let now = self.boards.now().tick;
        self.cell.lock().unfollow(self.id, now);
    }
}

impl Boards {
    /// Takes somebody in who follows a board, by rights that hold at that moment. Whatever changes from then
    /// on it is told; or also what has changed since the event `last_seen`. Events are gathered for `kept`
    /// after it has left.
    ///
    /// # Errors
    /// [`Failed`], without `Work`.
    pub(crate) async fn follow(
        self: &Arc<Self>,
        mut granted: Granted,
        filter: Filter,
        last_seen: Option<String>,
        kept: Duration,
    ) -> Result<Follower, Failed<Infallible>> {
        loop {
            let cell = self.room(&granted.board, Creation::Denied).await?;
            let following = Following {
                filter: filter.clone(),
                last_seen: last_seen.clone(),
                ends_at: granted.grant.ends_at,
                credentials: granted.credentials(),
                kept,
            };
            let (run, now) = (self.host.random(), self.now());
            let followed = self.step(&cell, |room, _| {
                // Since the decision the room may have been unloaded, or the rights been taken away.
                granted.holds_in(self, &cell, room).then(|| {
                    let is_first = !room.has_feed();
                    room.follow(following, run, now).map(|id| (id, is_first))
                })
            });
            let Some(followed) = followed else {
                granted = self.reconsider(granted).await?;
                continue;
            };
            let (id, is_first) = followed?;
            let follower = Follower {
                boards: Arc::clone(self),
                cell: Arc::clone(&cell),
                id,
            };
            if is_first {
                self.spawn(Arc::clone(self).keep_feed(Arc::clone(&cell)));
            }
            // Before this is answered: what changes later is told.
            if self.look(&cell).await?.again.is_some() {
                self.step(&cell, |room, effects| room.note_presence(effects));
            }
            return Ok(follower);
        }
    }

    /// Looks at a board each time that something happens there, until nobody follows it.
    pub(super) async fn keep_feed(self: Arc<Self>, cell: Arc<RoomCell>) {
        let (mut rest, mut seen, mut again) = (limits::EVENTS_EVERY, None, None);
        loop {
            let news = poll_fn(|cx| cell.lock().poll_news(seen, cx.waker()));
            let wait = again.map_or(limits::EVENTS_KEPT, |again: Duration| {
                again.min(limits::EVENTS_KEPT)
            });
            news.or(self.host.sleep(wait)).await;
            if again.take().is_some() {
                self.step(&cell, |room, effects| room.note_presence(effects));
            }
            {
                let mut known = cell.kept.seen.lock().await;
                let now = self.now().tick;
                if self.step(&cell, |room, effects| room.end_idle_feed(now, effects)) {
                    *known = Seen::default();
                    return;
                }
            }
            self.host.sleep(rest).await;
            match fenced(self.look(&cell)).await {
                Ok(Ok(looked)) => {
                    rest = limits::EVENTS_EVERY.max(looked.took * limits::EVENTS_REST_TIMES);
                    (seen, again) = (looked.sequence, looked.again);
                }
                Ok(Err(Failed::Busy)) => rest = BUSY_PAUSE,
                // They come back, and are told why not.
                Ok(Err(_)) | Err(_) => self.step(&cell, |room, effects| room.end_feed(effects)),
            }
        }
    }

    /// Looks at a board once, and tells those who follow it what has happened since the last time.
    pub(super) async fn look(self: &Arc<Self>, cell: &Arc<RoomCell>) -> Result<Look, Failed<Infallible>> {
        let mut seen = cell.kept.seen.lock().await;
        let here = cell.lock().take_presence(|place| seen.knows(place));
        let is_first = seen.sequence.is_none();
        // Where everything is told that has happened since the board was loaded.
        let begun_at = cell.lock().feed_begun_at().filter(|_| is_first);
        let mut look = Look::default();
        if let Some(here) = here {
            let (news, again) = seen.look_at_people(here, self.now().unix);
            look.again = again;
            if !is_first || begun_at.is_some() {
                self.step(cell, |room, effects| room.publish(Some(news), effects));
            }
        }
        if seen.sequence != Some(cell.lock().sequence()) {
            let (before, boards, room) = (Arc::clone(&seen.items), Arc::clone(self), Arc::clone(cell));
            let read = self.read_room(cell, move |records, sequence| {
                let start = boards.now().tick;
                let authors = room.lock().take_authors(sequence);
                let looked = news::look_at_items(records, &before, &authors);
                (looked, sequence, boards.now().tick.since(start))
            });
            let ((items, news), sequence, took) = read.await?;
            look.took = took;
            seen.items = Arc::new(items);
            seen.sequence = Some(sequence);
            if !is_first {
                self.step(cell, |room, effects| room.publish(news, effects));
            } else if begun_at.is_some_and(|begun| begun != sequence) {
                // Somebody was faster than this look.
                self.step(cell, |room, effects| room.publish(None, effects));
            }
            self.step(cell, |room, effects| room.note_looked(sequence, effects));
        }
        look.sequence = seen.sequence;
        Ok(look)
    }
}

/// What came of a look.
#[derive(Debug, Default)]
pub(super) struct Look {
    /// The last update that was seen.
    sequence: Option<u64>,
    /// When to look at presence again, where somebody's name is awaited.
    pub(super) again: Option<Duration>,
    /// How long the items took.
    took: Duration,
}
