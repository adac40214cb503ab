//! Compaction off the room's lock: capture, compact elsewhere, install.
//!
//! Owns [`Capture`], [`Compacted`] and the journal of what was accepted in between. Must not know threads. Key
//! invariant: what is installed was walked as strictly as a stranger's update, knows every clock and deletion that
//! the capture knew, and has every update accepted since replayed on it; else the board stays as it was. Tests:
//! `board/tests.rs`.

use bytes::Bytes;

use super::{Accepted, Board, Section};
use crate::update::compact::{compact as compact_update, compact_split};
use crate::update::known::Known;
use crate::update::{Budgets, Refused};

/// A board's state at one moment, to be compacted anywhere.
#[derive(Debug)]
pub struct Capture {
    number: u64,
    base: Bytes,
    sections: Vec<(usize, usize)>,
    known: Known,
    budgets: Budgets,
}

/// A compacted state, not yet installed.
#[derive(Debug)]
pub struct Compacted {
    number: u64,
    board: Board,
}

/// What was accepted since a capture.
#[derive(Debug)]
pub(super) struct Journal {
    number: u64,
    updates: Vec<Bytes>,
}

/// Why a compaction came to nothing. The board is unchanged; each is a bug of ours, but the last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CompactError {
    /// The captured bytes do not read.
    Unreadable,
    /// The result does not know what the capture knew.
    Lossy,
    /// An update accepted since does not join the result.
    Diverged,
    /// The capture was abandoned, or another was made since.
    Stale,
}

impl std::fmt::Display for CompactError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Unreadable => "captured state does not read",
            Self::Lossy => "compacted state lost something",
            Self::Diverged => "accepted update does not join the compacted state",
            Self::Stale => "capture is no longer awaited",
        })
    }
}

impl std::error::Error for CompactError {}

/// Compacts a captured state: canonical, deleted content dropped. Pure; for a background thread.
///
/// # Errors
/// [`CompactError::Unreadable`], [`CompactError::Lossy`].
pub fn compact(capture: &Capture) -> Result<Compacted, CompactError> {
    let bytes_of = |at: u32| capture.bytes_of(at);
    let state = compact_update(&capture.known, bytes_of).map_err(|_| CompactError::Unreadable)?;
    let board = Board::load(state.into(), capture.budgets).map_err(|_| CompactError::Lossy)?;
    if !board.is_folded || !knows_all(&board.known, &capture.known) {
        return Err(CompactError::Lossy);
    }
    Ok(Compacted {
        number: capture.number,
        board,
    })
}

/// The compacted state as a document is opened on it: with nothing left to be split. Not to be stored.
///
/// # Errors
/// As [`compact_split`].
pub fn split(capture: &Capture) -> Result<Bytes, Refused> {
    compact_split(&capture.known, |at| capture.bytes_of(at)).map(Bytes::from)
}

impl Capture {
    /// The structs of the client at a place.
    fn bytes_of(&self, at: u32) -> (&[u8], &[u8]) {
        let section = usize::try_from(at).ok().and_then(|at| self.sections.get(at));
        let bytes = section.and_then(|&(start, len)| self.base.get(start..start.saturating_add(len)));
        (bytes.unwrap_or_default(), &[])
    }
}

/// Whether `new` knows each client as far as `old`, and each of its deletions.
fn knows_all(new: &Known, old: &Known) -> bool {
    new.clients().len() == old.clients().len()
        && old.clients().iter().all(|was| {
            let is = new.place(was.id).and_then(|at| new.client(at));
            is.is_some_and(|is| {
                let covers = |&(start, end): &(u32, u32)| {
                    let range = is.deleted.from(start).first();
                    range.is_some_and(|r| r.0 <= start && end <= r.1)
                };
                is.end == was.end && was.deleted.as_slice().iter().all(covers)
            })
        })
}

impl Compacted {
    /// The compacted state: one canonical update, to be stored in place of the captured one and its log.
    #[must_use]
    pub fn bytes(&self) -> Bytes {
        self.board.base.clone()
    }
}

impl Board {
    /// Captures the state for [`compact`], and keeps a journal of what is accepted from now on.
    ///
    /// An earlier capture becomes stale.
    pub fn capture(&mut self) -> Capture {
        let base = self.full();
        self.captures = self.captures.wrapping_add(1);
        self.journal = Some(Journal {
            number: self.captures,
            updates: Vec::new(),
        });
        Capture {
            number: self.captures,
            base,
            sections: self.sections.iter().map(|s| (s.start, s.len)).collect(),
            known: self.known.clone(),
            budgets: self.budgets,
        }
    }

    /// Gives up the capture, if there is one.
    pub fn abandon_capture(&mut self) {
        self.journal = None;
    }

    /// Puts a compacted state in place of the captured one, and what was accepted since on top.
    ///
    /// # Errors
    /// [`CompactError::Stale`], [`CompactError::Diverged`]; the board is then unchanged and the capture given up.
    pub fn install(&mut self, compacted: Compacted) -> Result<(), CompactError> {
        let journal = self.journal.take().ok_or(CompactError::Stale)?;
        if journal.number != compacted.number {
            self.journal = Some(journal);
            return Err(CompactError::Stale);
        }
        let mut board = compacted.board;
        for update in &journal.updates {
            // Within the budgets when it was accepted; the compacted state may differ by some bytes.
            match board.accept_within(update, &Budgets::UNBOUNDED) {
                Ok(Accepted::Whole | Accepted::Trimmed(_) | Accepted::Nothing) => {}
                Ok(Accepted::Hole) | Err(_) => return Err(CompactError::Diverged),
            }
        }
        board.captures = self.captures;
        *self = board;
        Ok(())
    }

    /// Adds an accepted update to the journal of a capture.
    pub(super) fn note(&mut self, update: &[u8]) {
        if let Some(journal) = &mut self.journal {
            journal.updates.push(Bytes::copy_from_slice(update));
        }
    }
}

impl Section {
    /// Heap bytes of the tail.
    pub(super) fn tail_bytes(&self) -> usize {
        self.tail.capacity()
    }
}

impl Journal {
    /// Heap bytes.
    pub(super) fn bytes(&self) -> usize {
        self.updates
            .iter()
            .map(|u| u.len().saturating_add(size_of::<Bytes>()))
            .sum()
    }
}
