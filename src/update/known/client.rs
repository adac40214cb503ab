//! What is known of one client: how far, which clocks are deleted, where each belongs, and where it lies in
//! the bytes.
//!
//! Owns [`ClientKnown`] and its index. Must not know other clients; [`super::Known`] alone changes it. Key
//! invariant: the runs cover all clocks from 0 to the end. Tests: `admit` and `room::board`.
#![deny(clippy::arithmetic_side_effects, clippy::cast_possible_truncation)]

use crate::lib0::number_bytes;
use crate::update::chunks::{Chunks, Place};
use crate::update::ranges::Ranges;

/// Encoded bytes between two places of a client's index: a reader walks at most this far and one struct.
pub(super) const CHECKPOINT_BYTES: u32 = 1_024;

/// Which shared type a clock belongs to, and whether as a map entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slot(u32);

impl Slot {
    /// No type: collected, or in a type that is collected.
    pub const GONE: Self = Self(u32::MAX);

    /// Where the type with this index has what stands under `key`; without one, its list content.
    #[must_use]
    pub fn new(type_index: u32, key: Option<&[u8]>) -> Self {
        Self(type_index << 1 | u32::from(key.is_some()))
    }

    /// The index of the type; `None` when it is gone.
    #[must_use]
    pub fn type_index(self) -> Option<u32> {
        (self != Self::GONE).then_some(self.0 >> 1)
    }

    /// Whether what is here stands under a map key.
    #[must_use]
    pub fn is_entry(self) -> bool {
        self != Self::GONE && self.0 & 1 == 1
    }
}

/// From `start` on, up to the next run, all clocks are in one slot.
#[derive(Clone, Copy, Debug)]
pub struct Run {
    /// The first clock.
    pub start: u32,
    /// Where it belongs.
    pub slot: Slot,
}

/// A struct's start among the bytes of its client.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Checkpoint {
    /// The clock of the struct.
    pub clock: u32,
    /// The byte offset of the struct from the client's first struct.
    pub offset: u32,
    /// Structs before it.
    pub structs: u32,
}

/// What is known of one client.
#[derive(Clone, Debug)]
pub struct ClientKnown {
    /// The client.
    pub id: u64,
    /// The clock after the last one.
    pub end: u32,
    /// Structs in the bytes.
    pub structs: u32,
    /// Bytes of the structs.
    pub bytes: u32,
    /// Deleted clocks.
    pub deleted: Ranges,
    /// Clocks that an item of somebody's was put behind, other than the next of a run that its author wrote
    /// on, and entries that were deleted when they got another behind them.
    pub origins: Ranges,
    pub(super) index: Chunks<Checkpoint>,
    pub(super) runs: Chunks<Run>,
    pub(super) types: Chunks<(u32, u32)>,
}

impl ClientKnown {
    pub(super) fn new(id: u64) -> Self {
        Self {
            id,
            end: 0,
            structs: 0,
            bytes: 0,
            deleted: Ranges::default(),
            origins: Ranges::default(),
            index: Chunks::default(),
            runs: Chunks::default(),
            types: Chunks::default(),
        }
    }

    /// Where `clock` belongs; `GONE` for a clock that is not known.
    #[must_use]
    pub fn slot(&self, clock: u32) -> Slot {
        if let Some(last) = self.runs.last()
            && last.start <= clock
        {
            return last.slot;
        }
        let run = self.runs.last_where(|run| run.start <= clock);
        run.map_or(Slot::GONE, |run| run.slot)
    }

    /// The runs in ascending order.
    #[must_use]
    pub fn runs(&self) -> &Chunks<Run> {
        &self.runs
    }

    /// The index of the type that the item at `clock` holds.
    #[must_use]
    pub fn type_at(&self, clock: u32) -> Option<u32> {
        let place: Place = self.types.partition_point(|t| t.0 < clock);
        self.types.at(place).filter(|t| t.0 == clock).map(|t| t.1)
    }

    /// The last place of the index at or before `clock`.
    #[must_use]
    pub fn checkpoint(&self, clock: u32) -> Checkpoint {
        let at = self.index.last_where(|c| c.clock <= clock);
        at.copied().unwrap_or_default()
    }

    /// The last place of the index at or before the byte `offset`.
    #[must_use]
    pub fn checkpoint_at_byte(&self, offset: u32) -> Checkpoint {
        let at = self.index.last_where(|c| c.offset <= offset);
        at.copied().unwrap_or_default()
    }

    /// Bytes of the client's section: header and structs; 0 without structs.
    pub(super) fn section_bytes(&self) -> usize {
        if self.structs == 0 {
            return 0;
        }
        let header = number_bytes(u64::from(self.structs)).saturating_add(number_bytes(self.id));
        // The clock of the first struct is 0: one byte.
        header
            .saturating_add(1)
            .saturating_add(usize::try_from(self.bytes).unwrap_or(usize::MAX))
    }

    /// Bytes of the client's part of the delete set; 0 without deletions.
    pub(super) fn delete_bytes(&self) -> usize {
        if self.deleted.is_empty() {
            return 0;
        }
        let count = u64::try_from(self.deleted.len()).unwrap_or(u64::MAX);
        number_bytes(self.id)
            .saturating_add(number_bytes(count))
            .saturating_add(self.deleted.encoded_bytes())
    }

    pub(super) fn heap_bytes(&self) -> usize {
        [
            self.index.heap_bytes(),
            self.runs.heap_bytes(),
            self.types.heap_bytes(),
            self.deleted.heap_bytes(),
            self.origins.heap_bytes(),
        ]
        .into_iter()
        .fold(size_of::<Self>().saturating_add(16), usize::saturating_add)
    }

    pub(super) fn shrink(&mut self) {
        self.index.shrink();
        self.runs.shrink();
        self.types.shrink();
        self.deleted.shrink();
        self.origins.shrink();
    }
}
