//! A board as it is at one moment, to be read anywhere: answers to step 1 and exports of large boards are
//! made off the room's lock.
//!
//! Owns [`Snapshot`]. Must not know who asks. Key invariant: what a snapshot answers is what the board would
//! have answered at that moment. Tests: `board/tests.rs`.

use bytes::Bytes;

use super::compaction::compacted;
use super::{Board, Section};
use crate::limits;
use crate::meter::Meter;
use crate::update::vector::StateVector;

/// A board as it was at one moment. It shares the board's bytes.
#[derive(Debug)]
pub struct Snapshot(Board);

impl Snapshot {
    /// The whole state as one update, as [`Board::full`] gives it.
    pub fn full(&mut self) -> Bytes {
        self.0.full()
    }

    /// The whole state for somebody who has nothing of it: compacted, where the log is long.
    pub fn whole(&mut self) -> Bytes {
        match self
            .0
            .has_long_log()
            .then(|| compacted(&self.0, &mut Meter::unbounded()))
        {
            Some(Ok(mut compacted)) => compacted.full(),
            // It is compacted again later, and what is wrong with it is said then.
            Some(Err(_)) | None => self.0.full(),
        }
    }

    /// The whole state, compacted.
    pub fn compacted(&mut self) -> Bytes {
        match compacted(&self.0, &mut Meter::unbounded()) {
            Ok(mut compacted) => compacted.full(),
            // As above.
            Err(_) => self.0.full(),
        }
    }

    /// As [`Self::whole`], where that is at hand.
    pub fn at_hand(&mut self) -> Option<Bytes> {
        let is_at_hand = self.0.is_folded && !self.0.has_long_log();
        is_at_hand.then(|| self.0.full())
    }

    /// What the vector lacks, as [`Board::diff`] gives it.
    pub fn diff(&mut self, vector: &StateVector<'_>) -> Bytes {
        self.0.diff(vector)
    }
}

impl Board {
    /// The board as it is now.
    pub fn snapshot(&mut self) -> Snapshot {
        Snapshot(self.copy())
    }

    /// Whether so much was accepted since the last compaction that another one pays for a single reader: as
    /// much again as was there, and not little.
    #[must_use]
    pub fn has_long_log(&self) -> bool {
        let before = self.encoded_bytes().saturating_sub(self.log_bytes);
        self.log_bytes >= limits::ANSWER_APART_BYTES && self.log_bytes > before
    }

    /// How much is on the board that was not deleted: each value of a map and each letter of a text is one.
    #[must_use]
    pub fn live_count(&self) -> u64 {
        let clients = self.known.clients().iter();
        clients.fold(0, |sum, client| {
            let deleted = client.deleted.iter().map(|(_, length)| u64::from(length));
            let deleted = deleted.fold(0, u64::saturating_add);
            sum + u64::from(client.end).saturating_sub(deleted)
        })
    }

    /// Which state the board is in: changes with each update that is accepted.
    #[must_use]
    pub fn version(&self) -> u64 {
        self.version
    }

    /// Whether the whole state is at hand as one update.
    #[must_use]
    pub fn is_folded(&self) -> bool {
        self.is_folded
    }

    /// Takes over the whole state that a snapshot of this board has written, so that the next who ask share
    /// its bytes. What was accepted since stays on top. Does nothing where the board has another base by now.
    pub fn adopt(&mut self, snapshot: &Snapshot) {
        let folded = &snapshot.0;
        if !folded.is_folded || self.is_folded || self.bases.wrapping_add(1) != folded.bases {
            return;
        }
        for (section, whole) in self.sections.iter_mut().zip(&folded.sections) {
            // What the snapshot had of it, it had sealed.
            let mut covered = whole.len.saturating_sub(section.len);
            let is_covered = |piece: &Bytes| {
                let is_covered = covered >= piece.len();
                covered = covered.saturating_sub(piece.len());
                is_covered
            };
            let mut is_covered = is_covered;
            let pieces = section.tail.iter().take_while(|piece| is_covered(piece)).count();
            let Section { tail, open, .. } = std::mem::take(section);
            *section = Section {
                start: whole.start,
                len: whole.len,
                tail: tail.get(pieces..).unwrap_or_default().to_vec(),
                open,
            };
        }
        self.base = folded.base.clone();
        self.bases = folded.bases;
        self.is_folded = self.version == folded.version;
    }
}
