//! Webhooks of boards that are in memory: who is told that there are some, and their places among those who
//! follow.
//!
//! Owns [`Hooks`] and [`Tap`]. Must not know how anything is delivered. Key invariants: whoever has a place
//! holds no room in memory by it; nothing waits for webhooks, and where they cannot be read a board is served
//! without them. Tests: tests/it/webhooks.rs.

use std::future::poll_fn;
use std::sync::{Arc, Weak};
use std::task::{Context, Poll, Waker};

use crate::boards::acts::Event;
use crate::boards::loader::Creation;
use crate::boards::rights::Granted;
use crate::boards::slots::RoomCell;
use crate::boards::{Boards, fenced};
use crate::fault::{Fault, causes};
use crate::ids::{BoardId, MemberId};
use crate::room::feed::gather::{Begins, Gathered};
use crate::room::feed::{Filter, Told};
use crate::store::{Act, Applied, StoredWebhook, WebhookId};
use crate::time::UnixMillis;

/// How the last try to deliver went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Delivery {
    /// When.
    pub(crate) last_at: UnixMillis,
    /// The status that was answered, or why there was no answer.
    pub(crate) outcome: Result<u16, String>,
    /// Since when no try has succeeded.
    pub(crate) failing_since: Option<UnixMillis>,
}

/// Who delivers. None of its methods waits.
pub(crate) trait Hooks: Send + Sync {
    /// A board with webhooks has come into memory, and is at this update.
    fn loaded(&self, board: &BoardId, at: u64, taps: Vec<(StoredWebhook, Tap)>);

    /// A webhook is new; of a board that cannot be followed now there is no tap.
    fn added(&self, board: &BoardId, webhook: StoredWebhook, tap: Option<Tap>);

    /// A webhook was deleted.
    fn removed(&self, board: &BoardId, webhook: &WebhookId);

    /// A board was deleted, with all that it had.
    fn deleted(&self, board: &BoardId);

    /// What is known here of how the last delivery went.
    fn delivery(&self, board: &BoardId, webhook: &WebhookId) -> Option<Delivery>;

    /// The one form of an address to deliver to.
    ///
    /// # Errors
    /// What it must be, in words.
    fn address(&self, text: &str) -> Result<String, String>;
}

/// A webhook's place among those who follow a board; given back when it is dropped.
pub(crate) struct Tap {
    boards: Weak<Boards>,
    cell: Weak<RoomCell>,
    id: MemberId,
}

impl Tap {
    /// Waits until there is something to tell, and adds it.
    ///
    /// # Errors
    /// Nothing more comes, for this fault where there was one.
    ///
    /// # Cancellation
    /// Nothing is lost.
    pub(crate) async fn next(&self, into: &mut Gathered) -> Result<(), Option<Fault>> {
        poll_fn(|cx| self.poll(cx, into)).await
    }

    /// Adds what there is to tell now.
    ///
    /// # Errors
    /// As [`Self::next`].
    pub(crate) fn take(&self, into: &mut Gathered) -> Result<(), Option<Fault>> {
        match self.poll(&Context::from_waker(Waker::noop()), into) {
            Poll::Ready(taken) => taken,
            Poll::Pending => Ok(()),
        }
    }

    fn poll(&self, cx: &Context<'_>, into: &mut Gathered) -> Poll<Result<(), Option<Fault>>> {
        let Some(cell) = self.cell.upgrade() else {
            return Poll::Ready(Err(None));
        };
        let told = cell.lock().poll_gathered(self.id, cx.waker(), into);
        match told {
            Told::Nothing => Poll::Pending,
            Told::Events => Poll::Ready(Ok(())),
            Told::End(fault) => Poll::Ready(Err(fault)),
        }
    }
}

impl Drop for Tap {
    fn drop(&mut self) {
        if let (Some(boards), Some(cell)) = (self.boards.upgrade(), self.cell.upgrade()) {
            let now = boards.now().tick;
            cell.lock().unfollow(self.id, now);
        }
    }
}

/// Which events a webhook wants: all, where nothing is said.
fn filter(webhook: &StoredWebhook) -> Filter {
    let wants = |topic: &str| webhook.types.is_empty() || webhook.types.iter().any(|one| one == topic);
    Filter {
        items: wants("item"),
        presence: wants("presence"),
        kinds: webhook.kinds.clone(),
    }
}

impl Boards {
    /// The webhooks of a board that is being loaded, where somebody delivers; it blocks.
    pub(super) fn webhooks_of(&self, board: &BoardId) -> Vec<StoredWebhook> {
        if self.hooks.is_none() {
            return Vec::new();
        }
        self.store.webhooks(board).unwrap_or_else(|error| {
            tracing::error!(%board, error = causes(&error), "webhooks unreadable; none is told");
            Vec::new()
        })
    }

    /// Has webhooks told of a board that has come into memory, whose feed has begun before.
    pub(super) fn tell_hooks(self: &Arc<Self>, cell: &Arc<RoomCell>, webhooks: Vec<StoredWebhook>) {
        let Some(hooks) = self.hooks.as_ref().filter(|_| !webhooks.is_empty()) else {
            return;
        };
        let at = cell.lock().feed_begun_at().unwrap_or_default();
        let taps = webhooks.into_iter().map(|webhook| {
            let tap = self.tap(cell, &webhook, Begins::WithTheFeed).0;
            (webhook, tap)
        });
        hooks.loaded(cell.id(), at, taps.collect());
        let (boards, cell) = (Arc::clone(self), Arc::clone(cell));
        self.spawn(async move {
            // At once: what changes before it is told as a whole. Whatever fails is tried again.
            boards.first_look(&cell).await;
            boards.keep_feed(cell).await;
        });
    }

    /// Looks at a board whose feed has just begun; whether that could be done.
    async fn first_look(self: &Arc<Self>, cell: &Arc<RoomCell>) -> bool {
        let Ok(Ok(looked)) = fenced(self.look(cell)).await else {
            return false;
        };
        if looked.again.is_some() {
            self.step(cell, |room, effects| room.note_presence(effects));
        }
        true
    }

    fn tap(self: &Arc<Self>, cell: &Arc<RoomCell>, webhook: &StoredWebhook, begins: Begins) -> (Tap, bool) {
        let (run, now) = (self.host.random(), self.now());
        let (id, is_first) = cell.lock().follow_for_board((filter(webhook), begins), run, now);
        let tap = Tap {
            boards: Arc::downgrade(self),
            cell: Arc::downgrade(cell),
            id,
        };
        (tap, is_first)
    }

    /// Adds a webhook for somebody who manages the board, and has it told of what happens from then on.
    ///
    /// # Errors
    /// As [`Self::act`].
    pub(crate) async fn add_webhook(
        self: &Arc<Self>,
        granted: &Granted,
        webhook: StoredWebhook,
        event: Event,
    ) -> Result<Applied, Fault> {
        let board = &granted.board;
        // It is in memory before there is a webhook, so that nothing could be missed by the new one. Where it
        // cannot be loaded the act says so, or it is told of what happens once the board can be loaded.
        let cell = self.room(board, Creation::Denied).await.ok();
        let act = Act::AddWebhook(Box::new(webhook.clone()));
        let applied = self.act(granted, act, event).await?;
        if applied == Applied::Done
            && let Some(hooks) = &self.hooks
        {
            let tap = match &cell {
                Some(cell) => self.new_tap(cell, &webhook).await,
                None => None,
            };
            hooks.added(board, webhook, tap);
        }
        Ok(applied)
    }

    /// A place from now on, where the board can be looked at.
    async fn new_tap(self: &Arc<Self>, cell: &Arc<RoomCell>, webhook: &StoredWebhook) -> Option<Tap> {
        let (tap, is_first) = self.tap(cell, webhook, Begins::Now);
        if is_first {
            self.spawn(Arc::clone(self).keep_feed(Arc::clone(cell)));
        }
        // Before this is answered: what changes later is told.
        self.first_look(cell).await.then_some(tap)
    }
}
