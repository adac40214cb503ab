//! Whose turn it is to work on content.
//!
//! Owns [`Turns`]. Must not know what the work is. Key invariants: one piece of work at a time for each
//! owner, and `limits::CONTENT_MAX` in all; work beyond `limits::CONTENT_TIME_MAX` keeps up to
//! `limits::CONTENT_OVER_TIME_MAX` others no longer, but its own owner; a turn ends when its [`Permit`] is
//! dropped, also one that nobody took. Tests at the end of the file.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use smol::channel::{Receiver, Sender, bounded};
use smol::future::FutureExt as _;

use crate::boards::host::Host;
use crate::ids::{BoardId, UserId};
use crate::limits;
use crate::time::Tick;

/// Who has at most one turn at a time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Whose {
    /// The owner of the board.
    Owner(UserId),
    /// The board itself, where nobody owns it.
    Board(BoardId),
}

/// It is not the board's turn, nor will it be soon.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Busy;

/// How often somebody who waits looks whether to go on.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// The turns.
pub(crate) struct Turns {
    state: Mutex<State>,
    host: Arc<dyn Host>,
}

#[derive(Default)]
struct State {
    working: Vec<Working>,
    waiting: VecDeque<Waiting>,
    next: u64,
}

struct Working {
    number: u64,
    whose: Whose,
    board: BoardId,
    since: Tick,
    /// Whether others were given turns because it is over time.
    is_late: bool,
}

struct Waiting {
    whose: Whose,
    board: BoardId,
    turn: Sender<Permit>,
}

/// A turn.
pub(crate) struct Permit {
    turns: Arc<Turns>,
    number: u64,
}

impl Working {
    fn is_over_time(&self, now: Tick) -> bool {
        now.since(self.since) >= limits::CONTENT_TIME_MAX
    }
}

impl State {
    fn may_work(&self, whose: &Whose, now: Tick) -> bool {
        let over_time = self.working.iter().filter(|work| work.is_over_time(now)).count();
        let apart = over_time.min(limits::CONTENT_OVER_TIME_MAX);
        self.working.len() < limits::CONTENT_MAX.saturating_add(apart)
            && self.working.iter().all(|work| work.whose != *whose)
    }

    /// Those whose turn it is now, with its number.
    fn choose(&mut self, now: Tick) -> Vec<(Sender<Permit>, u64)> {
        let mut chosen = Vec::new();
        for Waiting { whose, board, turn } in std::mem::take(&mut self.waiting) {
            if turn.is_closed() {
                continue;
            }
            if !self.may_work(&whose, now) {
                self.waiting.push_back(Waiting { whose, board, turn });
                continue;
            }
            let number = self.next;
            self.next = number.wrapping_add(1);
            self.working.push(Working {
                number,
                whose,
                board,
                since: now,
                is_late: false,
            });
            chosen.push((turn, number));
        }
        chosen
    }

    /// Whether some work has come to be over time since this was asked last.
    fn note_late(&mut self, now: Tick) -> bool {
        let mut late = self.working.iter_mut();
        late.any(|work| work.is_over_time(now) && !std::mem::replace(&mut work.is_late, true))
    }

    fn is_over_time(&self, board: &BoardId, now: Tick) -> bool {
        let mut works = self.working.iter();
        works.any(|work| work.board == *board && work.is_over_time(now))
    }
}

impl Turns {
    /// Nobody's turn yet.
    pub(crate) fn new(host: Arc<dyn Host>) -> Arc<Self> {
        Arc::new(Self {
            state: Mutex::default(),
            host,
        })
    }

    fn now(&self) -> Tick {
        self.host.now().tick
    }

    /// Waits for a turn.
    ///
    /// # Errors
    /// [`Busy`] where the board's work is over time, or after [`limits::CONTENT_WAIT_MAX`].
    ///
    /// # Cancellation
    /// Nothing is waited for any more.
    pub(crate) async fn next(self: &Arc<Self>, whose: Whose, board: &BoardId) -> Result<Permit, Busy> {
        let (turn, mine) = bounded(1);
        let start = self.now();
        self.lock().waiting.push_back(Waiting {
            whose,
            board: board.clone(),
            turn,
        });
        self.give();
        loop {
            let now = self.now();
            if self.lock().is_over_time(board, now) || now.since(start) >= limits::CONTENT_WAIT_MAX {
                return Err(Busy);
            }
            if self.lock().note_late(now) {
                self.give();
            }
            let again = async {
                self.host.sleep(self.look_again(self.now())).await;
                None
            };
            if let Some(permit) = taken(&mine).or(again).await {
                return Ok(permit);
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Until some work may be over time.
    fn look_again(&self, now: Tick) -> Duration {
        let state = self.lock();
        let ages = state.working.iter().map(|work| now.since(work.since));
        let left = ages.filter_map(|age| limits::CONTENT_TIME_MAX.checked_sub(age));
        let left = left.filter(|left| !left.is_zero());
        left.min().unwrap_or(LOOK_AGAIN).min(LOOK_AGAIN)
    }

    /// Gives turns to those who may have them, in the order in which they came.
    fn give(self: &Arc<Self>) {
        let now = self.now();
        // Not under the lock: dropping a permit takes it.
        let chosen = self.lock().choose(now);
        for (turn, number) in chosen {
            let permit = Permit {
                turns: Arc::clone(self),
                number,
            };
            // Of who has gone the permit is dropped, and that looks again.
            drop(turn.try_send(permit));
        }
    }
}

async fn taken(mine: &Receiver<Permit>) -> Option<Permit> {
    mine.recv().await.ok()
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.turns
            .lock()
            .working
            .retain(|work| work.number != self.number);
        self.turns.give();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::boards::harness::TestHost;

    fn id(text: &str) -> BoardId {
        BoardId::parse(text).unwrap()
    }

    fn owner(text: &str) -> Whose {
        Whose::Owner(UserId::parse(text).unwrap())
    }

    /// Turns whose time stands still until it is moved.
    fn turns() -> (Arc<Turns>, Arc<TestHost>) {
        let host = TestHost::frozen();
        (Turns::new(Arc::clone(&host) as Arc<dyn Host>), host)
    }

    /// The turn, if it comes at once.
    fn try_next(turns: &Arc<Turns>, who: &str, board: &str) -> Option<Result<Permit, Busy>> {
        let board = id(board);
        let next = async { Some(turns.next(owner(who), &board).await) };
        smol::block_on(next.or(async {
            smol::future::yield_now().await;
            None
        }))
    }

    fn has(turn: Option<Result<Permit, Busy>>) -> Permit {
        turn.and_then(Result::ok).unwrap()
    }

    #[test]
    fn an_owner_has_one_turn_at_a_time_and_somebody_else_gets_in() {
        let (turns, _) = turns();
        let mallory = has(try_next(&turns, "mallory", "a"));
        assert!(try_next(&turns, "mallory", "b").is_none());
        let eve = has(try_next(&turns, "eve", "c"));
        let alice = has(try_next(&turns, "alice", "d"));
        assert!(try_next(&turns, "bob", "e").is_none(), "as many as may be");
        drop(eve);
        let bob = has(try_next(&turns, "bob", "e"));
        drop((mallory, alice, bob));
        assert!(turns.lock().working.is_empty());
        has(try_next(&turns, "mallory", "b"));
    }

    #[test]
    fn who_goes_away_while_waiting_takes_no_turn() {
        let (turns, _) = turns();
        let first = has(try_next(&turns, "alice", "a"));
        assert!(try_next(&turns, "alice", "b").is_none());
        drop(first);
        assert!(turns.lock().working.is_empty());
        // Nor does one who went away when it was given and not taken.
        let (turn, mine) = bounded(1);
        let board = id("a");
        turns.lock().waiting.push_back(Waiting {
            whose: owner("alice"),
            board,
            turn,
        });
        turns.give();
        assert_eq!(turns.lock().working.len(), 1);
        drop(mine);
        assert!(turns.lock().working.is_empty());
    }

    #[test]
    fn who_waits_gets_the_turn_when_it_ends() {
        let (turns, _) = turns();
        let first = has(try_next(&turns, "alice", "a"));
        let (board, waits) = (id("a"), Arc::clone(&turns));
        let waiting = std::thread::spawn(move || smol::block_on(waits.next(owner("alice"), &board)));
        while turns.lock().waiting.is_empty() {
            std::thread::yield_now();
        }
        drop(first);
        assert!(waiting.join().unwrap().is_ok());
    }

    #[test]
    fn work_over_time_keeps_only_its_own_waiting() {
        let (turns, host) = turns();
        let hostile: Vec<Permit> = ["eve", "mallory", "trudy"]
            .map(|who| has(try_next(&turns, who, who)))
            .into();
        let last = Duration::from_micros(1);
        let steps = [
            (limits::CONTENT_TIME_MAX - last, 0),
            (last, limits::CONTENT_OVER_TIME_MAX),
        ];
        for (time, gets_in) in steps {
            host.pass(time);
            let others: Vec<_> = (0..5)
                .map(|n| try_next(&turns, &format!("{n}"), &format!("{n}")))
                .collect();
            assert_eq!(others.iter().flatten().count(), gets_in, "after {time:?}");
        }
        assert!(try_next(&turns, "eve", "another").is_none());
        let refused = try_next(&turns, "alice", "eve").unwrap();
        assert!(matches!(refused, Err(Busy)), "the board is left alone");
        drop(hostile);
        has(try_next(&turns, "alice", "eve"));
    }

    #[test]
    fn nobody_waits_for_ever() {
        let (turns, host) = turns();
        let _first = has(try_next(&turns, "alice", "a"));
        let (board, waits) = (id("b"), Arc::clone(&turns));
        let waiting = std::thread::spawn(move || smol::block_on(waits.next(owner("alice"), &board)));
        while turns.lock().waiting.is_empty() {
            std::thread::yield_now();
        }
        host.pass(limits::CONTENT_WAIT_MAX);
        assert!(waiting.join().unwrap().is_err());
    }
}
