//! Work on a board that takes long, off the room's lock: capture, work apart, catch up, install.
//!
//! Owns [`Capture`], [`Apart`] and the journal of what was accepted in between. Must not know threads. Key
//! invariant: what is installed has every update on it that was accepted since the capture; else the board
//! stays as it was. Tests: `board/tests.rs`.

use bytes::Bytes;

use super::join::{Bound, Joining};
use super::{Accepted, Board};
use crate::limits;
use crate::meter::Meter;
use crate::update::Refused;
use crate::update::scan::{Outline, scan};

/// A board's state at one moment, to be worked on anywhere.
#[derive(Debug)]
pub struct Capture {
    pub(super) number: u64,
    pub(super) board: Board,
}

/// A board that was worked on apart, not yet installed.
#[derive(Debug)]
pub struct Apart {
    number: u64,
    board: Board,
    work: u64,
    /// Updates of the journal that have joined it.
    followed: usize,
    replays: Replays,
}

/// What must become of the updates that were accepted since the capture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Replays {
    /// All of each is new here too: else it would matter which came first.
    Whole,
    /// Some of it may be known: what the capture only implied is written out here.
    Covered,
}

/// What was accepted since a capture.
#[derive(Debug)]
pub(super) struct Journal {
    number: u64,
    /// Of each update that which was new.
    updates: Vec<Bytes>,
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

/// Why work apart came to nothing. The board is unchanged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ApartError {
    /// The captured bytes do not read: a bug of ours.
    NotAState,
    /// The result does not know what the capture knew: a bug of ours.
    Lossy,
    /// An update accepted since does not join the result as it joined the board.
    Diverged,
    /// The capture was abandoned, or another was made since.
    Stale,
}

impl std::fmt::Display for ApartError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::NotAState => "captured state does not read",
            Self::Lossy => "what was made of the captured state lost something",
            Self::Diverged => "accepted update does not join what was made apart",
            Self::Stale => "capture is no longer awaited",
        })
    }
}

impl std::error::Error for ApartError {}

/// What came of an update that was to join apart.
#[derive(Debug)]
pub enum Attempt {
    /// All of it was known before, or it builds on something that is not known; there is nothing to install.
    Unchanged(Accepted),
    /// It joined; what is new of it is to be passed on once this is installed.
    Joined(Box<Apart>, Accepted),
}

impl Capture {
    /// Lets a scanned update of a stranger join, apart.
    ///
    /// # Errors
    /// [`Refused`].
    pub fn join(mut self, update: &Bytes, outline: &Outline, meter: &mut Meter) -> Result<Attempt, Refused> {
        let budgets = self.board.budgets;
        let bound = (Bound::Counting(&budgets), meter);
        let before = self.board.ends();
        let accepted = self.board.join(Joining::shared(update), outline, bound)?;
        if matches!(accepted, Accepted::Nothing | Accepted::Hole) {
            return Ok(Attempt::Unchanged(accepted));
        }
        let work = self.board.count_work(&before)?;
        let apart = Apart {
            number: self.number,
            work,
            board: self.board,
            followed: 0,
            replays: Replays::Whole,
        };
        Ok(Attempt::Joined(Box::new(apart), accepted))
    }
}

impl Apart {
    pub(super) fn new(capture: &Capture, board: Board, replays: Replays) -> Self {
        Self {
            number: capture.number,
            board,
            work: 0,
            followed: 0,
            replays,
        }
    }

    /// Steps that counting the work of integrating it has taken.
    #[must_use]
    pub fn work(&self) -> u64 {
        self.work
    }

    /// See [`Board::live_count`].
    #[must_use]
    pub fn live_count(&self) -> u64 {
        self.board.live_count()
    }

    /// The whole state, folded: of a compaction one canonical update, to be stored in place of the captured
    /// state and its log.
    #[must_use]
    pub fn bytes(&self) -> Bytes {
        self.board.base.clone()
    }

    /// Lets updates of the journal join, as [`Board::behind`] gave them.
    ///
    /// # Errors
    /// [`ApartError::Diverged`].
    pub fn follow(&mut self, updates: &[Bytes]) -> Result<(), ApartError> {
        for update in updates {
            let mut meter = Meter::unbounded();
            let outline = scan(update, &crate::update::Budgets::UNBOUNDED, &mut meter);
            let outline = outline.map_err(|_| ApartError::Diverged)?;
            // Within the budgets when it was accepted; this board may differ by some bytes.
            let bound = (Bound::Own, &mut meter);
            match self.board.join(Joining::shared(update), &outline, bound) {
                Ok(Accepted::Whole) => {}
                Ok(Accepted::Trimmed(_) | Accepted::Nothing) if self.replays == Replays::Covered => {}
                _ => return Err(ApartError::Diverged),
            }
        }
        self.followed = self.followed.saturating_add(updates.len());
        Ok(())
    }
}

impl Board {
    /// Captures the state to work on it apart, and keeps a journal of what is accepted from now on.
    ///
    /// An earlier capture becomes stale.
    pub fn capture(&mut self) -> Capture {
        self.captures = self.captures.wrapping_add(1);
        let board = self.copy();
        self.journal = Some(Journal {
            number: self.captures,
            updates: Vec::new(),
        });
        Capture {
            number: self.captures,
            board,
        }
    }

    /// A copy that shares what is large.
    pub(super) fn copy(&mut self) -> Self {
        for section in &mut self.sections {
            section.seal();
        }
        Self {
            base: self.base.clone(),
            is_folded: self.is_folded,
            sections: self.sections.clone(),
            known: self.known.clone(),
            budgets: self.budgets,
            log_bytes: self.log_bytes,
            journal: None,
            captures: self.captures,
            bases: self.bases,
            version: self.version,
        }
    }

    /// Gives up the capture, if there is one.
    pub fn abandon_capture(&mut self) {
        self.journal = None;
    }

    /// What was accepted since the capture and has not joined what was made of it; nothing where that is so
    /// little that [`Self::install`] is the next thing to do.
    #[must_use]
    pub fn behind(&self, apart: &Apart) -> Vec<Bytes> {
        let journal = self.journal.as_ref();
        let updates = journal.filter(|journal| journal.number == apart.number);
        let rest = updates.and_then(|journal| journal.updates.get(apart.followed..));
        let rest = rest.unwrap_or_default();
        let bytes = rest.iter().map(Bytes::len).fold(0, usize::saturating_add);
        if bytes <= limits::APART_FROM_BYTES {
            return Vec::new();
        }
        rest.to_vec()
    }

    /// Puts what was made apart in place of the captured state, and what was accepted since on top.
    ///
    /// # Errors
    /// [`ApartError::Stale`], [`ApartError::Diverged`]; the board is then unchanged and the capture given up.
    pub fn install(&mut self, mut apart: Apart) -> Result<(), ApartError> {
        let journal = self.journal.take().ok_or(ApartError::Stale)?;
        if journal.number != apart.number {
            self.journal = Some(journal);
            return Err(ApartError::Stale);
        }
        apart.follow(journal.updates.get(apart.followed..).unwrap_or_default())?;
        let mut board = apart.board;
        board.captures = self.captures;
        board.bases = self.bases.wrapping_add(1);
        board.version = self.version.wrapping_add(1);
        *self = board;
        Ok(())
    }

    /// Adds what was new of an accepted update to the journal of a capture.
    pub(super) fn note(&mut self, update: Joining<'_>, accepted: &Accepted) {
        let Some(journal) = &mut self.journal else { return };
        journal.updates.push(match (accepted, update.shared) {
            (Accepted::Trimmed(new), _) => new.clone(),
            (_, Some(shared)) => shared.clone(),
            (_, None) => Bytes::copy_from_slice(update.bytes),
        });
    }
}
