//! The board state: one document as encoded bytes, with an index over them.
//!
//! Owns [`Board`]. Must not know members, connections or the disk. Key invariants: the bytes of a client (its section
//! in `base`, then its tail) hold its structs from clock 0 on without gap; an update joins whole or not at all; what
//! [`Board::diff`] answers does not depend on how the updates were cut; a copy of a board shares its bytes, so what takes
//! long is done on one (`apart`, `snapshot`). Tests: `board/tests.rs`, and
//! `tests/algebra` with Yjs and yrs as oracles.

use bytes::Bytes;

use crate::lib0::{Reader, put_number};
use crate::limits;
use crate::meter::Meter;
use crate::update::admit::{Admission, Stop, admit};
use crate::update::integrate;
use crate::update::known::Known;
use crate::update::scan::{Outline, scan};
use crate::update::vector::put_state_vector;
use crate::update::{Budget, Budgets, Refused, Rules};

mod apart;
mod compaction;
mod diff;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;
mod preview;
mod snapshot;
#[cfg(test)]
mod tests;

use apart::Journal;
pub use apart::{Apart, ApartError, Attempt, Capture};
pub use compaction::{compact, compact_metered, split};
pub use snapshot::Snapshot;

/// Encoded bytes of a board, inclusive, whatever its budget: offsets are kept in 32 bits.
const ENCODED_BYTES_MAX: usize = 1 << 31;

/// New structs of at least this size stay where they came, instead of being copied behind those before them.
const KEPT_BYTES_MIN: usize = 16 * 1024;

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
    /// So much may have to be integrated since the work was last counted that it has to be counted first, apart; nothing was kept.
    Uncounted,
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

/// What an update must keep to.
#[derive(Clone, Copy)]
enum Bound<'a> {
    /// Budgets, and the work of integrating it.
    Stranger(&'a Budgets),
    /// Budgets; the work is counted afterwards.
    Counting(&'a Budgets),
    /// Nothing: it was accepted before, or the server made it.
    Own,
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

    /// Loads a stored state. The budgets bind later updates only: a lowered setting makes no board unreadable.
    ///
    /// # Errors
    /// [`Unreadable`]; the caller refuses the board and never replaces it.
    pub fn load(state: Bytes, budgets: Budgets) -> Result<Self, Unreadable> {
        let mut meter = Meter::unbounded();
        let bounds = Budgets::UNBOUNDED;
        let outline = scan(&state, &bounds, &mut meter).map_err(Unreadable::Malformed)?;
        let mut known = Known::default();
        let admission = match admit(&mut known, &state, &outline, (&bounds, &mut meter)) {
            Ok(admission) => admission,
            Err(Stop::Hole) => return Err(Unreadable::Incomplete),
            Err(Stop::Refused(refused)) => return Err(Unreadable::Malformed(refused)),
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

    /// Lets an update join, if it can.
    ///
    /// # Errors
    /// [`Refused`]; the board is then unchanged, as it is after [`Accepted::Hole`] and [`Accepted::Uncounted`].
    pub fn accept(&mut self, update: &[u8]) -> Result<Accepted, Refused> {
        self.accept_metered(update, &mut limits::UPDATE_STEPS.meter(update.len()))
    }

    /// As [`Self::accept`]; `meter` tells what it cost.
    ///
    /// # Errors
    /// As for [`Self::accept`].
    pub fn accept_metered(&mut self, update: &[u8], meter: &mut Meter) -> Result<Accepted, Refused> {
        let budgets = self.budgets;
        let outline = scan(update, &budgets, meter)?;
        self.join(
            Joining::copied(update),
            &outline,
            (Bound::Stranger(&budgets), meter),
        )
    }

    /// Lets an update join that the server made, or that was stored, whatever the budgets are now: a lowered setting
    /// makes no board unreadable.
    ///
    /// # Errors
    /// [`Refused::Malformed`]; the board is then unchanged.
    pub fn replay(&mut self, update: &[u8]) -> Result<Accepted, Refused> {
        let mut meter = Meter::unbounded();
        let outline = scan(update, &Budgets::UNBOUNDED, &mut meter)?;
        self.join(Joining::copied(update), &outline, (Bound::Own, &mut meter))
    }

    /// Says what updates may add from now on; see [`Budgets::growth`].
    pub fn allow_growth(&mut self, bytes: usize) {
        self.budgets.growth = bytes;
    }

    /// Lets an update of the server's own join, within the board's budgets.
    ///
    /// # Errors
    /// As for [`Self::accept`].
    pub fn accept_own(&mut self, update: &[u8]) -> Result<Accepted, Refused> {
        let mut meter = Meter::unbounded();
        let budgets = Budgets {
            rules: Rules::Stored,
            ..self.budgets
        };
        let outline = scan(update, &budgets, &mut meter)?;
        self.join(
            Joining::copied(update),
            &outline,
            (Bound::Counting(&budgets), &mut meter),
        )
    }

    fn join(
        &mut self,
        update: Joining<'_>,
        outline: &Outline,
        (bound, meter): (Bound<'_>, &mut Meter),
    ) -> Result<Accepted, Refused> {
        let bytes = update.bytes;
        let budgets = match bound {
            Bound::Stranger(budgets) | Bound::Counting(budgets) => budgets,
            Bound::Own => &Budgets::UNBOUNDED,
        };
        // What is admitted is in `known` until it is reverted.
        let before = self.known.encoded_bytes();
        let admission = match admit(&mut self.known, bytes, outline, (budgets, meter)) {
            Ok(admission) => admission,
            Err(Stop::Hole) => return Ok(Accepted::Hole),
            Err(Stop::Refused(refused)) => return Err(refused),
        };
        if admission.is_nothing() {
            admission.revert(&mut self.known);
            return Ok(Accepted::Nothing);
        }
        if matches!(bound, Bound::Stranger(_)) && self.is_uncounted(admission.strain()) {
            admission.revert(&mut self.known);
            return Ok(Accepted::Uncounted);
        }
        let bytes_max = bytes_max(&admission, budgets);
        let at_most = admission.delete_bytes(&self.known);
        let may_grow = !admission.has_structs() || bytes.len() <= budgets.growth;
        if self.known.encoded_bytes().saturating_add(at_most) > bytes_max || !may_grow {
            // At the edge: only joined it is known what it takes. A copy costs little.
            let mut joined = self.known.clone();
            admission.commit(&mut joined);
            let after = joined.encoded_bytes();
            let over = if after > bytes_max {
                Some(Budget::Bytes)
            } else {
                (!may_grow && after.saturating_sub(before) > budgets.growth).then_some(Budget::Growth)
            };
            if let Some(budget) = over {
                admission.revert(&mut self.known);
                return Err(budget.into());
            }
            self.known = joined;
        } else {
            admission.commit(&mut self.known);
        }
        self.keep(&admission, update);
        self.log_bytes = self.log_bytes.saturating_add(bytes.len());
        self.is_folded = false;
        self.version = self.version.wrapping_add(1);
        let accepted = if admission.is_whole {
            Accepted::Whole
        } else {
            Accepted::Trimmed(admission.encode(&self.known, bytes).into())
        };
        self.note(update, &accepted);
        Ok(accepted)
    }

    /// Whether integrating the board may take more work than was counted for it, with what is about to join.
    fn is_uncounted(&self, more: u64) -> bool {
        let strain = self.known.strain().saturating_add(more);
        let items = self.known.items_at_most();
        let free = items
            .saturating_mul(limits::STRAIN_PER_ITEM)
            .min(limits::INTEGRATION_STEPS_MAX);
        strain > free.max(limits::STRAIN_BASE)
    }

    /// Counts the work of integrating the board, if there may be more than was counted: for those who know it up to
    /// `before` and are sent the rest, and for those who load all of it. Returns the steps that it took.
    ///
    /// # Errors
    /// [`Refused::TooCostly`].
    fn count_work(&mut self, before: &[(u64, u32)]) -> Result<u64, Refused> {
        if !self.is_uncounted(0) {
            return Ok(0);
        }
        let state = self.full();
        let outline = scan(&state, &Budgets::UNBOUNDED, &mut Meter::unbounded())?;
        let mut steps = 0u64;
        for before in [before, &[]] {
            let mut meter = integrate::meter(state.len());
            integrate::integration_work(&state, &outline, before, &mut meter)?;
            steps = steps.saturating_add(meter.spent());
        }
        self.known.set_strain(0);
        Ok(steps)
    }

    /// How far each client is known, ascending.
    fn ends(&self) -> Vec<(u64, u32)> {
        let mut ends: Vec<(u64, u32)> = self.known.descending().map(|(_, c)| (c.id, c.end)).collect();
        ends.reverse();
        ends
    }

    fn keep(&mut self, admission: &Admission, update: Joining<'_>) {
        self.sections
            .resize_with(self.known.clients().len(), Section::default);
        for part in &admission.parts {
            let section = usize::try_from(part.at)
                .ok()
                .and_then(|at| self.sections.get_mut(at));
            let Some(section) = section else { continue };
            section.open.extend_from_slice(&part.head);
            let len = part.to.saturating_sub(part.from);
            match update.shared {
                // Not where a small part would keep a large update in memory.
                Some(shared) if len >= KEPT_BYTES_MIN && len >= shared.len() / 2 => {
                    section.seal();
                    section.tail.push(shared.slice(part.from..part.to));
                }
                _ => {
                    let rest = update.bytes.get(part.from..part.to).unwrap_or_default();
                    section.open.extend_from_slice(rest);
                }
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

/// An update that is about to join.
#[derive(Clone, Copy)]
struct Joining<'a> {
    bytes: &'a [u8],
    /// The same bytes, where they can be kept without copying them.
    shared: Option<&'a Bytes>,
}

impl<'a> Joining<'a> {
    fn copied(bytes: &'a [u8]) -> Self {
        Self { bytes, shared: None }
    }

    fn shared(bytes: &'a Bytes) -> Self {
        Self {
            bytes,
            shared: Some(bytes),
        }
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
