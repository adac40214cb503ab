//! Boards whose content need not be tried again, and what their JSON takes.
//!
//! Owns [`Remembered`] and [`Hold`]. Must not know why a board cannot be opened. Key invariants: what is remembered holds for
//! a board as it was, in the room that it was in; holds together never exceed the bound. Tests: `content/tests.rs`.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use crate::boards::slots::RoomCell;
use crate::ids::BoardId;
use crate::limits;
use crate::room::document::Unopened;
use crate::time::Tick;

/// What a board was to be opened for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Purpose {
    /// Its records.
    Records,
    /// All of it as JSON.
    Json,
}

/// A board as it was.
#[derive(Clone)]
pub(crate) struct Was {
    /// Its room.
    pub(crate) room: Weak<RoomCell>,
    /// Its id.
    pub(crate) board: BoardId,
    /// How far it was.
    pub(crate) sequence: u64,
}

impl Was {
    /// The board of a room, as it is.
    pub(crate) fn now(cell: &Arc<RoomCell>) -> Self {
        let room = cell.lock();
        Self {
            room: Arc::downgrade(cell),
            board: room.id().clone(),
            sequence: room.sequence(),
        }
    }
}

struct Verdict {
    room: Weak<RoomCell>,
    sequence: u64,
    /// Until when it holds; `None` while the board is as it was.
    until: Option<Tick>,
    why: Unopened,
}

/// Boards that could not be opened.
#[derive(Default)]
pub(crate) struct Remembered {
    verdicts: Mutex<HashMap<(BoardId, Purpose), Verdict>>,
}

impl Remembered {
    /// Whether the board may be tried.
    ///
    /// # Errors
    /// What it ended with, if it is as it was then.
    pub(crate) fn check(&self, was: &Was, purpose: Purpose, now: Tick) -> Result<(), Unopened> {
        let verdicts = self.verdicts.lock().unwrap_or_else(PoisonError::into_inner);
        let verdict = verdicts.get(&(was.board.clone(), purpose));
        let holds = |v: &&Verdict| {
            v.sequence == was.sequence && v.room.ptr_eq(&was.room) && v.until.is_none_or(|until| now < until)
        };
        verdict.filter(holds).map_or(Ok(()), |verdict| Err(verdict.why))
    }

    /// Notes that the board cannot be opened as it is.
    pub(crate) fn note(&self, was: &Was, purpose: Purpose, why: Unopened) {
        if why == Unopened::Unsupported {
            self.put(was, purpose, None, why);
        }
    }

    /// Notes that work on the board took too long.
    pub(crate) fn note_long(&self, was: &Was, purpose: Purpose, now: Tick) {
        let until = Some(now.after(limits::CONTENT_WAIT_MAX));
        self.put(was, purpose, until, Unopened::Busy);
    }

    fn put(&self, was: &Was, purpose: Purpose, until: Option<Tick>, why: Unopened) {
        let mut verdicts = self.verdicts.lock().unwrap_or_else(PoisonError::into_inner);
        if verdicts.len() >= limits::CONTENT_REMEMBERED_MAX {
            verdicts.retain(|_, verdict| verdict.room.strong_count() > 0);
        }
        if verdicts.len() >= limits::CONTENT_REMEMBERED_MAX {
            verdicts.clear();
        }
        let verdict = Verdict {
            room: Weak::clone(&was.room),
            sequence: was.sequence,
            until,
            why,
        };
        verdicts.insert((was.board.clone(), purpose), verdict);
    }

    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.verdicts.lock().unwrap().len()
    }
}

/// Memory that JSON takes until it was sent.
#[derive(Debug)]
pub(crate) struct Hold {
    all: Arc<AtomicUsize>,
    bytes: usize,
}

impl Hold {
    /// Of nothing yet, among what `all` have.
    pub(crate) fn among(all: &Arc<AtomicUsize>) -> Self {
        Self {
            all: Arc::clone(all),
            bytes: 0,
        }
    }

    /// Takes more, if all together stay within [`limits::JSON_ALL_BYTES_MAX`].
    pub(crate) fn grow(&mut self, bytes: usize) -> bool {
        let add = |all: usize| {
            all.checked_add(bytes)
                .filter(|all| *all <= limits::JSON_ALL_BYTES_MAX)
        };
        let has_grown = self
            .all
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, add)
            .is_ok();
        if has_grown {
            self.bytes = self.bytes.saturating_add(bytes);
        }
        has_grown
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        self.all.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}
