//! The board state: one document as encoded bytes, with an index over them.
//!
//! Owns [`Board`]; `join` is how an update gets into it. Must not know members, connections or the disk. Key
//! invariants: the bytes of a client (its section in `base`, then its tail) hold its structs from clock 0 on
//! without gap; an update joins whole or not at all; what [`Board::diff`] answers does not depend on how the
//! updates were cut; a copy of a board shares its bytes, so what takes long is done on one (`apart`,
//! `snapshot`). Tests: `board/tests.rs`, and `tests/algebra` with Yjs and yrs as oracles.

use bytes::Bytes;

use crate::lib0::{Reader, put_number};
use crate::meter::Meter;
use crate::update::admit::{Stop, admit};
use crate::update::known::Known;
use crate::update::scan::scan;
use crate::update::vector::put_state_vector;
use crate::update::{Budgets, Refused};

mod apart;
mod compaction;
mod diff;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;
mod join;
mod preview;
mod snapshot;
#[cfg(test)]
mod tests;

use apart::Journal;
pub use apart::{Apart, ApartError, Attempt, Capture};
pub use compaction::{compact, compact_metered, split};
pub use join::Accepted;
pub use snapshot::Snapshot;

/// Why a stored state cannot be loaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotAState {
    /// It is not a well-formed update.
    Malformed(Refused),
    /// It builds on something that is not in it.
    Incomplete,
}

impl std::fmt::Display for NotAState {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Malformed(refused) => write!(f, "stored state: {refused}"),
            Self::Incomplete => f.write_str("stored state builds on something that is not in it"),
        }
    }
}

impl std::error::Error for NotAState {}

/// The bytes of one client: a section of the base, and what came since.
#[derive(Clone, Debug, Default)]
struct Section {
    start: usize,
    len: usize,
    /// What came since and is not changed any more; no struct is cut.
    tail: Vec<Bytes>,
    /// What came after that.
    open: Vec<u8>,
}

impl Section {
    /// Heap bytes of what came since.
    fn heap_bytes(&self) -> usize {
        let tail = self.tail.iter().map(Bytes::len);
        let fixed = [
            self.open.capacity(),
            self.tail.capacity().saturating_mul(size_of::<Bytes>()),
        ];
        tail.chain(fixed).fold(0, usize::saturating_add)
    }

    /// Makes what came since something that a copy shares.
    fn seal(&mut self) {
        if !self.open.is_empty() {
            self.tail.push(std::mem::take(&mut self.open).into());
        }
    }
}

/// One document as encoded bytes, with an index over them.
#[derive(Debug)]
pub struct Board {
    /// A complete update; the whole state while `is_folded`.
    base: Bytes,
    is_folded: bool,
    /// One for each client of `known`, at the same place.
    sections: Vec<Section>,
    known: Known,
    budgets: Budgets,
    log_bytes: usize,
    /// What was accepted since the capture that is being compacted.
    journal: Option<Journal>,
    captures: u64,
    /// Counts the bases that the board had, so that a snapshot knows whether it is of this one.
    bases: u64,
    /// Counts what was accepted.
    version: u64,
}

impl Board {
    /// A board without content.
    #[must_use]
    pub fn new(budgets: Budgets) -> Self {
        Self {
            base: Bytes::from_static(&[0, 0]),
            is_folded: true,
            sections: Vec::new(),
            known: Known::default(),
            budgets,
            log_bytes: 0,
            journal: None,
            captures: 0,
            bases: 0,
            version: 0,
        }
    }

    /// Loads a stored state. The budgets bind later updates only: a lowered setting makes no board
    /// unreadable.
    ///
    /// # Errors
    /// [`NotAState`]; the caller refuses the board and never replaces it.
    pub fn load(state: Bytes, budgets: Budgets) -> Result<Self, NotAState> {
        let mut meter = Meter::unbounded();
        let bounds = Budgets::UNBOUNDED;
        let outline = scan(&state, &bounds, &mut meter).map_err(NotAState::Malformed)?;
        let mut known = Known::default();
        let admission = match admit(&mut known, &state, &outline, (&bounds, &mut meter)) {
            Ok(admission) => admission,
            Err(Stop::Hole) => return Err(NotAState::Incomplete),
            Err(Stop::Refused(refused)) => return Err(NotAState::Malformed(refused)),
        };
        admission.commit(&mut known);
        // It was counted when it was accepted.
        known.set_strain(0);
        known.shrink();
        let mut sections = vec![Section::default(); known.clients().len()];
        for part in &admission.parts {
            if let Some(section) = usize::try_from(part.at).ok().and_then(|at| sections.get_mut(at)) {
                section.start = part.from;
                section.len = part.to.saturating_sub(part.from);
            }
        }
        let descends = outline.sections.is_sorted_by(|a, b| a.client > b.client);
        let mut deletes = Vec::new();
        known.put_deletes(&mut deletes);
        let is_folded =
            outline.is_tidy && descends && state.get(outline.deletes..) == Some(deletes.as_slice());
        Ok(Self {
            base: state,
            is_folded,
            sections,
            known,
            budgets,
            log_bytes: 0,
            journal: None,
            captures: 0,
            bases: 0,
            version: 0,
        })
    }

    /// What updates must keep to.
    #[must_use]
    pub fn budgets(&self) -> &Budgets {
        &self.budgets
    }

    /// The whole state as one update, clients in descending order; the same bytes for all until the next
    /// accept.
    pub fn full(&mut self) -> Bytes {
        if !self.is_folded {
            self.fold();
        }
        self.base.clone()
    }

    /// Writes base and tails into a new base.
    fn fold(&mut self) {
        let mut out = Vec::with_capacity(self.known.encoded_bytes());
        let mut starts = vec![0; self.sections.len()];
        put_count(&mut out, self.known.clients().len());
        for (at, client) in self.known.descending() {
            put_number(&mut out, u64::from(client.structs));
            put_number(&mut out, client.id);
            put_number(&mut out, 0);
            if let Some(start) = usize::try_from(at).ok().and_then(|at| starts.get_mut(at)) {
                *start = out.len();
            }
            for bytes in self.bytes_of(at) {
                out.extend_from_slice(bytes);
            }
        }
        self.known.put_deletes(&mut out);
        for (section, start) in self.sections.iter_mut().zip(starts) {
            let tail: usize = section.tail.iter().map(Bytes::len).sum();
            let since = tail.saturating_add(section.open.len());
            *section = Section {
                start,
                len: section.len.saturating_add(since),
                ..Section::default()
            };
        }
        self.base = out.into();
        self.bases = self.bases.wrapping_add(1);
        self.is_folded = true;
    }

    /// The bytes of the client at a place: its section of the base, and what came since. No struct is cut.
    fn bytes_of(&self, at: u32) -> impl Iterator<Item = &[u8]> {
        let section = usize::try_from(at).ok().and_then(|at| self.sections.get(at));
        let pieces = section.map(|s| {
            let end = s.start.saturating_add(s.len);
            let base = self.base.get(s.start..end).unwrap_or_default();
            let tail = s.tail.iter().map(|piece| &**piece);
            std::iter::once(base).chain(tail).chain([s.open.as_slice()])
        });
        pieces.into_iter().flatten()
    }

    /// Reads the structs of the client at a place from a byte on, up to the end of the piece that it lies in.
    fn reader_at(&self, at: u32, offset: u32) -> Reader<'_> {
        let mut offset = usize::try_from(offset).unwrap_or(usize::MAX);
        for piece in self.bytes_of(at) {
            if offset < piece.len() {
                return Reader::at(piece, offset);
            }
            offset = offset.saturating_sub(piece.len());
        }
        Reader::new(&[])
    }

    /// The state vector, encoded.
    #[must_use]
    pub fn state_vector(&self) -> Vec<u8> {
        let pairs: Vec<(u64, u32)> = self.known.descending().map(|(_, c)| (c.id, c.end)).collect();
        let mut out = Vec::with_capacity(pairs.len().saturating_mul(10));
        put_state_vector(&mut out, pairs.into_iter());
        out
    }

    /// The clock that comes after the last struct of `client`.
    #[must_use]
    pub fn clock_of(&self, client: u64) -> u32 {
        let place = self.known.place(client);
        place
            .and_then(|at| self.known.client(at))
            .map_or(0, |client| client.end)
    }

    /// Whether there is neither a struct nor a deletion.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.known.clients().is_empty()
    }

    /// Bytes of the whole state as one update.
    #[must_use]
    pub fn encoded_bytes(&self) -> usize {
        self.known.encoded_bytes()
    }

    /// Bytes accepted since the last compaction.
    #[must_use]
    pub fn log_bytes(&self) -> usize {
        self.log_bytes
    }

    /// Client ids.
    #[must_use]
    pub fn client_count(&self) -> usize {
        self.known.clients().len()
    }

    /// Memory held, estimated.
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        let tails = self.sections.iter().map(Section::heap_bytes);
        let journal = self.journal.as_ref().map_or(0, Journal::bytes);
        let sections = self.sections.capacity().saturating_mul(size_of::<Section>());
        let fixed = [
            size_of::<Self>(),
            self.base.len(),
            self.known.heap_bytes(),
            sections,
            journal,
        ];
        tails.chain(fixed).fold(0, usize::saturating_add)
    }
}

fn put_count(out: &mut Vec<u8>, count: usize) {
    put_number(out, u64::try_from(count).unwrap_or(u64::MAX));
}
