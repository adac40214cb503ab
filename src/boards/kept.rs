//! What is kept beside a room for those who read and write its content: the open document, and what need not
//! be tried again.
//!
//! Owns [`Kept`], [`Verdicts`], [`Watch`] and [`JsonBytes`]. Must not know why a board cannot be opened. Key
//! invariants: what is kept goes with its room; a verdict holds for a board as it was; the JSON of all boards
//! together never exceeds its bound. Tests: `content/tests.rs`.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use smol::lock::Mutex as Turn;

use crate::boards::news::Seen;
use crate::limits;
use crate::room::document::{Document, Unopened};
use crate::time::{Tick, UnixMillis};

/// What is kept beside a room.
#[derive(Debug, Default)]
pub(crate) struct Kept {
    /// The board's document, for one after the other.
    pub(super) document: Arc<Turn<Option<Open>>>,
    pub(super) verdicts: Verdicts,
    /// What those know of it who follow it.
    pub(super) seen: Turn<Seen>,
    /// When versions of it were made.
    pub(super) versions: Watch,
}

/// What is remembered of a board's versions.
#[derive(Debug, Default)]
pub(crate) struct Watch {
    /// Of one board one version is made at a time.
    pub(super) turn: Turn<()>,
    told: Mutex<Told>,
}

#[derive(Debug, Default)]
pub(super) struct Told {
    /// How far the board was at the last version that made itself, or when it was loaded.
    pub(super) sequence: u64,
    /// What was on it at the last compaction, or when it was loaded.
    pub(super) live: u64,
    /// When the last version made itself; `None` before that is known.
    pub(super) automatic_at: Option<UnixMillis>,
    /// When one was made before a deletion.
    pub(super) deletion_at: Option<UnixMillis>,
}

impl Watch {
    pub(super) fn told(&self) -> MutexGuard<'_, Told> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A document that is open, and how far it is.
pub(super) struct Open {
    pub(super) document: Document,
    pub(super) writer: u64,
    /// What [`crate::room::Room::sequence`] was when it had all of the board.
    pub(super) sequence: u64,
    pub(super) used_at: Tick,
}

impl std::fmt::Debug for Open {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Open")
            .field("sequence", &self.sequence)
            .finish_non_exhaustive()
    }
}

/// What a board was to be opened for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// Its records.
    Records,
    /// All of it as JSON.
    Json,
    /// The records of a version of it.
    Version,
}

#[derive(Debug)]
struct Verdict {
    purpose: Purpose,
    /// How far the board was.
    sequence: u64,
    /// Until when it holds; `None` while the board is as it was.
    until: Option<Tick>,
    why: Unopened,
}

/// How attempts to open the board ended, the last of each purpose.
#[derive(Debug, Default)]
pub(super) struct Verdicts(Mutex<Vec<Verdict>>);

impl Verdicts {
    /// Whether the board, which is at `sequence`, may be tried.
    ///
    /// # Errors
    /// What it ended with, if it is as it was then.
    pub(super) fn check(&self, purpose: Purpose, sequence: u64, now: Tick) -> Result<(), Unopened> {
        let verdicts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let holds = |v: &&Verdict| {
            v.purpose == purpose && v.sequence == sequence && v.until.is_none_or(|until| now < until)
        };
        let verdict = verdicts.iter().find(holds);
        verdict.map_or(Ok(()), |verdict| Err(verdict.why))
    }

    /// Notes that the board cannot be opened as it is.
    pub(super) fn note(&self, purpose: Purpose, sequence: u64, why: Unopened) {
        if why == Unopened::Unsupported {
            self.put(purpose, sequence, None, why);
        }
    }

    /// Notes that work on the board took too long.
    pub(super) fn note_long(&self, purpose: Purpose, sequence: u64, now: Tick) {
        let until = Some(now.after(limits::CONTENT_WAIT_MAX));
        self.put(purpose, sequence, until, Unopened::Busy);
    }

    fn put(&self, purpose: Purpose, sequence: u64, until: Option<Tick>, why: Unopened) {
        let mut verdicts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        verdicts.retain(|verdict| verdict.purpose != purpose);
        verdicts.push(Verdict {
            purpose,
            sequence,
            until,
            why,
        });
    }
}

/// Memory that JSON takes until it was sent.
#[derive(Debug)]
pub(crate) struct JsonBytes {
    all: Arc<AtomicUsize>,
    bytes: usize,
}

impl JsonBytes {
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

impl Drop for JsonBytes {
    fn drop(&mut self) {
        self.all.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}
