//! The board state: one document as encoded bytes, with an index over them.
//!
//! Owns [`Board`]. Must not know members, connections or the disk. Key invariants: the bytes of a client (its section
//! in `base`, then its tail) hold its structs from clock 0 on without gap; an update joins whole or not at all; what
//! [`Board::diff`] answers does not depend on how the updates were cut. Tests: `board/tests.rs`, and
//! `tests/algebra` with Yjs and yrs as oracles.

use bytes::Bytes;

use crate::lib0::{Reader, put_number};
use crate::update::admit::{Admission, Stop, admit};
use crate::update::known::{Checkpoint, ClientKnown, Known};
use crate::update::scan::scan;
use crate::update::structs::{Id, read_struct};
use crate::update::vector::{StateVector, put_state_vector};
use crate::update::{Budget, Budgets, Refused};

mod compaction;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;
mod preview;
#[cfg(test)]
mod tests;

use compaction::Journal;
pub use compaction::{Capture, CompactError, Compacted, compact};

/// Encoded bytes of a board, inclusive, whatever its budget: offsets are kept in 32 bits.
const ENCODED_BYTES_MAX: usize = 1 << 31;

/// What [`Board::accept`] made of an update.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Accepted {
    /// All of it was known before.
    Nothing,
    /// All of it is new: pass the bytes on as they came.
    Whole,
    /// This part of it is new: pass it on.
    Trimmed(Bytes),
    /// It builds on something that is not known; nothing of it was kept.
    Hole,
}

/// Why a stored state cannot be loaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unreadable {
    /// It is not a well-formed update.
    Malformed(Refused),
    /// It builds on something that is not in it.
    Incomplete,
}

impl std::fmt::Display for Unreadable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Malformed(refused) => write!(f, "stored state: {refused}"),
            Self::Incomplete => f.write_str("stored state builds on something that is not in it"),
        }
    }
}

impl std::error::Error for Unreadable {}

/// The bytes of one client: a section of the base, and what came since.
#[derive(Clone, Debug, Default)]
struct Section {
    start: usize,
    len: usize,
    tail: Vec<u8>,
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
        }
    }

    /// Loads a stored state. The budgets bind later updates only: a lowered setting makes no board unreadable.
    ///
    /// # Errors
    /// [`Unreadable`]; the caller refuses the board and never replaces it.
    pub fn load(state: Bytes, budgets: Budgets) -> Result<Self, Unreadable> {
        let outline = scan(&state, &Budgets::UNBOUNDED).map_err(Unreadable::Malformed)?;
        let mut known = Known::default();
        let admission = match admit(&mut known, &state, &outline, &Budgets::UNBOUNDED) {
            Ok(admission) => admission,
            Err(Stop::Hole) => return Err(Unreadable::Incomplete),
            Err(Stop::Refused(refused)) => return Err(Unreadable::Malformed(refused)),
        };
        admission.commit(&mut known);
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
        })
    }

    /// Lets an update join, if it can.
    ///
    /// # Errors
    /// [`Refused`]; the board is then unchanged, as it is after [`Accepted::Hole`].
    pub fn accept(&mut self, update: &[u8]) -> Result<Accepted, Refused> {
        let budgets = self.budgets;
        self.accept_within(update, &budgets)
    }

    /// Lets a stored update join, whatever the budgets are now: a lowered setting makes no board unreadable.
    ///
    /// # Errors
    /// [`Refused::Malformed`]; the board is then unchanged.
    pub fn replay(&mut self, update: &[u8]) -> Result<Accepted, Refused> {
        self.accept_within(update, &Budgets::UNBOUNDED)
    }

    /// Says what updates may add from now on; see [`Budgets::growth`].
    pub fn allow_growth(&mut self, bytes: usize) {
        self.budgets.growth = bytes;
    }

    fn accept_within(&mut self, update: &[u8], budgets: &Budgets) -> Result<Accepted, Refused> {
        let outline = scan(update, budgets)?;
        // What is admitted is in `known` until it is reverted.
        let before = self.known.encoded_bytes();
        let admission = match admit(&mut self.known, update, &outline, budgets) {
            Ok(admission) => admission,
            Err(Stop::Hole) => return Ok(Accepted::Hole),
            Err(Stop::Refused(refused)) => return Err(refused),
        };
        if admission.is_nothing() {
            admission.revert(&mut self.known);
            return Ok(Accepted::Nothing);
        }
        let bytes_max = bytes_max(&admission, budgets);
        let at_most = admission.delete_bytes(&self.known);
        if self.known.encoded_bytes().saturating_add(at_most) > bytes_max
            && admission.encoded_bytes_after(&self.known) > bytes_max
        {
            admission.revert(&mut self.known);
            return Err(Budget::Bytes.into());
        }
        // Of what an update takes, some bytes may be known: only near the bound is that looked at.
        if admission.has_structs()
            && update.len() > budgets.growth
            && admission.encoded_bytes_after(&self.known).saturating_sub(before) > budgets.growth
        {
            admission.revert(&mut self.known);
            return Err(Budget::Growth.into());
        }
        admission.commit(&mut self.known);
        self.keep(&admission, update);
        self.log_bytes = self.log_bytes.saturating_add(update.len());
        self.is_folded = false;
        self.note(update);
        if admission.is_whole {
            return Ok(Accepted::Whole);
        }
        Ok(Accepted::Trimmed(admission.encode(&self.known, update).into()))
    }

    fn keep(&mut self, admission: &Admission, update: &[u8]) {
        self.sections
            .resize_with(self.known.clients().len(), Section::default);
        for part in &admission.parts {
            let section = usize::try_from(part.at)
                .ok()
                .and_then(|at| self.sections.get_mut(at));
            if let Some(section) = section {
                section.tail.extend_from_slice(&part.head);
                let rest = update.get(part.from..part.to).unwrap_or_default();
                section.tail.extend_from_slice(rest);
            }
        }
    }

    /// The whole state as one update, clients in descending order; the same bytes for all until the next accept.
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
            let (base, tail) = self.bytes_of(at);
            out.extend_from_slice(base);
            out.extend_from_slice(tail);
        }
        self.known.put_deletes(&mut out);
        for (section, start) in self.sections.iter_mut().zip(starts) {
            section.len = section.len.saturating_add(section.tail.len());
            section.start = start;
            section.tail = Vec::new();
        }
        self.base = out.into();
        self.is_folded = true;
    }

    /// The bytes of the client at a place: its section of the base, and its tail.
    fn bytes_of(&self, at: u32) -> (&[u8], &[u8]) {
        let section = usize::try_from(at).ok().and_then(|at| self.sections.get(at));
        section.map_or((&[], &[]), |s| {
            let end = s.start.saturating_add(s.len);
            (self.base.get(s.start..end).unwrap_or_default(), s.tail.as_slice())
        })
    }

    /// One complete step 2: exactly the structs that the vector lacks, and the whole delete set.
    pub fn diff(&mut self, vector: &StateVector<'_>) -> Bytes {
        let mut clocks = vec![0u32; self.sections.len()];
        for (client, clock) in vector.iter() {
            let at = self.known.place(client).and_then(|at| usize::try_from(at).ok());
            if let Some(slot) = at.and_then(|at| clocks.get_mut(at)) {
                *slot = clock;
            }
        }
        if clocks.iter().all(|&clock| clock == 0) {
            return self.full();
        }
        let clock_of = |at: u32| usize::try_from(at).ok().and_then(|at| clocks.get(at)).copied();
        let lacking = |(at, c): (u32, &ClientKnown)| {
            let clock = clock_of(at).unwrap_or(0);
            (clock < c.end).then_some((at, clock))
        };
        let lacking: Vec<(u32, u32)> = self.known.descending().filter_map(lacking).collect();
        let mut out = Vec::new();
        put_count(&mut out, lacking.len());
        for (at, clock) in lacking {
            self.put_section(&mut out, at, clock);
        }
        self.known.put_deletes(&mut out);
        out.into()
    }

    /// Appends the section of the client at a place from a clock on.
    fn put_section(&self, out: &mut Vec<u8>, at: u32, clock: u32) {
        let Some(client) = self.known.client(at) else {
            return;
        };
        let (before, head) = self.seek(at, client, clock);
        put_number(out, u64::from(client.structs.saturating_sub(before.structs)));
        put_number(out, client.id);
        put_number(out, u64::from(clock));
        out.extend_from_slice(&head);
        let (base, tail) = self.bytes_of(at);
        let offset = usize::try_from(before.offset).unwrap_or(usize::MAX);
        out.extend_from_slice(base.get(offset..).unwrap_or_default());
        let offset = offset.saturating_sub(base.len());
        out.extend_from_slice(tail.get(offset..).unwrap_or_default());
    }

    /// Finds the struct that `clock` starts or lies in. In the second case the part from `clock` on is returned too,
    /// and the offset is that of the following struct; `structs` counts the structs before in both.
    fn seek(&self, at: u32, client: &ClientKnown, clock: u32) -> (Checkpoint, Vec<u8>) {
        let mut place = client.checkpoint(clock);
        let mut head = Vec::new();
        let (base, tail) = self.bytes_of(at);
        while place.clock < clock {
            let offset = usize::try_from(place.offset).unwrap_or(usize::MAX);
            let mut reader = if offset < base.len() {
                Reader::at(base, offset)
            } else {
                Reader::at(tail, offset.saturating_sub(base.len()))
            };
            let Ok(it) = read_struct::<false>(&mut reader) else {
                break;
            };
            let end = place.clock.saturating_add(it.len);
            let bytes = u32::try_from(it.raw.len()).unwrap_or(u32::MAX);
            if end > clock {
                let id = Id {
                    client: client.id,
                    clock: place.clock,
                };
                it.put_part(&mut head, id, clock.saturating_sub(place.clock), it.len);
            } else {
                place.structs = place.structs.saturating_add(1);
            }
            place.offset = place.offset.saturating_add(bytes);
            place.clock = end;
        }
        (place, head)
    }

    /// The last structs of one client, whole ones that take at most `bytes_max`, as an update without deletions.
    ///
    /// Echoed to its author after a reconnect. `None` when the client is unknown or not one struct fits.
    #[must_use]
    pub fn tail_of(&self, client: u64, bytes_max: usize) -> Option<Bytes> {
        let at = self.known.place(client)?;
        let client = self.known.client(at)?;
        let least = client
            .bytes
            .saturating_sub(u32::try_from(bytes_max).unwrap_or(u32::MAX));
        let (base, tail) = self.bytes_of(at);
        let mut place = client.checkpoint_at_byte(least);
        while place.offset < least {
            let offset = usize::try_from(place.offset).ok()?;
            let mut reader = if offset < base.len() {
                Reader::at(base, offset)
            } else {
                Reader::at(tail, offset.saturating_sub(base.len()))
            };
            let it = read_struct::<false>(&mut reader).ok()?;
            place.clock = place.clock.saturating_add(it.len);
            place.offset = place.offset.saturating_add(u32::try_from(it.raw.len()).ok()?);
            place.structs = place.structs.saturating_add(1);
        }
        if place.structs >= client.structs {
            return None;
        }
        let mut out = vec![1];
        self.put_section(&mut out, at, place.clock);
        out.push(0);
        Some(out.into())
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
        let tails = self.sections.iter().map(Section::tail_bytes);
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

/// The bytes a board may have after an update.
///
/// What only deletes may go an eighth beyond the budget: on a full board deleting must stay possible, since that is
/// how it becomes smaller.
fn bytes_max(admission: &Admission, budgets: &Budgets) -> usize {
    let beyond = if admission.has_structs() {
        0
    } else {
        budgets.bytes / 8
    };
    budgets.bytes.saturating_add(beyond).min(ENCODED_BYTES_MAX)
}

fn put_count(out: &mut Vec<u8>, count: usize) {
    put_number(out, u64::try_from(count).unwrap_or(u64::MAX));
}
