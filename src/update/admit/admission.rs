//! What is new in an update.
//!
//! Owns [`Admission`]: what is left to do once the walk found that an update can join. Must not know how it
//! was found.
#![deny(clippy::arithmetic_side_effects, clippy::cast_possible_truncation)]

use super::deletions::Deletion;
use crate::lib0::{number_bytes, put_number};
use crate::update::known::{Known, Mark};
use crate::update::ranges::{Range, put_ranges};
use crate::update::structs::range_bytes;

/// What is new of one client.
#[derive(Clone, Debug)]
pub struct Part {
    /// The client's place in [`Known`].
    pub at: u32,
    /// The client.
    pub client: u64,
    /// The first new clock.
    pub clock: u32,
    /// New structs.
    pub count: u32,
    /// The first new struct, where a known part was cut off it; empty otherwise.
    pub head: Vec<u8>,
    /// Byte offset of the other new structs in the update.
    pub from: usize,
    /// Byte offset after the last one.
    pub to: usize,
}

/// What is new in an update.
#[derive(Debug)]
pub struct Admission {
    /// New structs by client, in the order of the update.
    pub parts: Vec<Part>,
    /// Whether everything in the update is new, so that its bytes can be passed on as they came.
    pub is_whole: bool,
    /// New deletions, sorted and disjoint; those that structs imply are among them.
    pub(super) deletes: Vec<Deletion>,
    /// Clocks that new items were put behind, sorted, each once.
    pub(super) origins: Vec<Deletion>,
    /// Hashes of the places where new items begin lists and entries, sorted, each once.
    pub(super) beginnings: Vec<u32>,
    /// New format marks, and at most how much work the new items are to integrate: see [`Known::strain`].
    pub(super) formats: u64,
    pub(super) strain: u64,
    pub(super) mark: Mark,
}

impl Admission {
    /// Whether nothing is new.
    #[must_use]
    pub fn is_nothing(&self) -> bool {
        self.parts.is_empty() && self.deletes.is_empty()
    }

    /// Whether it brings structs.
    #[must_use]
    pub fn has_structs(&self) -> bool {
        !self.parts.is_empty()
    }

    /// At most how much work the new items are to integrate, as [`Known::strain`] has it.
    #[must_use]
    pub fn strain(&self) -> u64 {
        self.strain
    }

    /// At most how many bytes the new deletions add to the delete set.
    #[must_use]
    pub fn delete_bytes(&self, known: &Known) -> usize {
        let each = self.deletes.chunk_by(|a, b| a.0 == b.0).map(|group| {
            let client = group.first().and_then(|d| known.client(d.0));
            let header = client.map_or(0, |c| {
                let is_new = c.deleted.is_empty();
                usize::from(is_new).saturating_mul(number_bytes(c.id).saturating_add(1))
            });
            let ranges = group.iter().map(|d| range_bytes(d.1.0, d.1.1));
            ranges.fold(header, usize::saturating_add)
        });
        each.fold(0, usize::saturating_add)
    }

    /// Lets the deletions join, and what is known of the new items beside their places.
    pub fn commit(&self, known: &mut Known) {
        each_client(&self.deletes, |at, ranges| known.delete(at, ranges));
        each_client(&self.origins, |at, clocks| known.use_origins(at, clocks));
        for hash in &self.beginnings {
            known.add_beginning(*hash);
        }
        known.add_strain(self.formats, self.strain);
    }

    /// Takes the structs back out; only before [`Admission::commit`].
    pub fn revert(&self, known: &mut Known) {
        known.revert(&self.mark);
    }

    /// The new part of the update `bytes` as an update of its own.
    #[must_use]
    pub fn encode(&self, known: &Known, bytes: &[u8]) -> Vec<u8> {
        let mut out = Vec::with_capacity(bytes.len());
        put_number(&mut out, u64::try_from(self.parts.len()).unwrap_or(u64::MAX));
        for part in &self.parts {
            put_number(&mut out, u64::from(part.count));
            put_number(&mut out, part.client);
            put_number(&mut out, u64::from(part.clock));
            out.extend_from_slice(&part.head);
            out.extend_from_slice(bytes.get(part.from..part.to).unwrap_or_default());
        }
        let groups = || self.deletes.chunk_by(|a, b| a.0 == b.0);
        put_number(&mut out, u64::try_from(groups().count()).unwrap_or(u64::MAX));
        for group in groups() {
            let client = group.first().and_then(|d| known.client(d.0));
            put_number(&mut out, client.map_or(0, |c| c.id));
            put_ranges(&mut out, group.len(), group.iter().map(|d| d.1));
        }
        out
    }
}

/// Calls `each` with the ranges of each client.
fn each_client(list: &[Deletion], mut each: impl FnMut(u32, &[Range])) {
    let mut ranges = Vec::new();
    for group in list.chunk_by(|a, b| a.0 == b.0) {
        match group {
            [] => {}
            [(at, range)] => each(*at, std::slice::from_ref(range)),
            [(at, _), ..] => {
                ranges.clear();
                ranges.extend(group.iter().map(|d| d.1));
                each(*at, &ranges);
            }
        }
    }
}
