//! The documents of boards: of each its last full state, and the log of the updates accepted since.
//!
//! Owns [`BoardLog`]. Must not know who may do what. Key invariant: a board that cannot be read is an error,
//! never an empty board ([`Stored::Absent`] is said only when no trace of the id exists). Tests:
//! `contract/log.rs`.

use bytes::Bytes;

use super::{BoardRecord, StoreError, Stored};
use crate::ids::BoardId;

/// A board as it was stored: its last full state and what was accepted since.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredBoard {
    /// Its facts.
    pub record: BoardRecord,
    /// The full state (update v1) and the sequence it covers, inclusive.
    pub snapshot: Option<(u64, Bytes)>,
    /// Later updates with their sequences: in order, without a gap, the first one after `snapshot` or 1.
    pub updates: Vec<(u64, Bytes)>,
}

impl StoredBoard {
    /// The sequence of the last stored update; 0 before the first. The next append must carry one more.
    #[must_use]
    pub fn last_sequence(&self) -> u64 {
        let covered = self.snapshot.as_ref().map_or(0, |(covers, _)| *covers);
        self.updates.last().map_or(covered, |(sequence, _)| *sequence)
    }
}

/// What is stored of documents; [`super::Store::commit`] adds to it by `Append` and `Snapshot`.
pub trait BoardLog: Send + Sync {
    /// Reads a board whole.
    ///
    /// # Errors
    /// [`StoreError::Unreadable`] when any row of it is missing, damaged or of an unknown format; others when
    /// the disk or the engine fails. Never an empty board in place of an error.
    fn load(&self, board: &BoardId) -> Result<Stored<StoredBoard>, StoreError>;

    /// As `load`, also of a board in the trash: for whoever moves boards.
    ///
    /// # Errors
    /// As `load`.
    fn load_kept(&self, board: &BoardId) -> Result<Stored<StoredBoard>, StoreError>;
}
