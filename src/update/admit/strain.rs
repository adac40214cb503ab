//! At most how much work new items are to integrate.
//!
//! Owns [`Strain`]: what the walk notes of each item's place. Must not know how a place is found. An upper
//! bound that costs little; `integrate` counts exactly where it says that there may be much.
#![deny(clippy::arithmetic_side_effects, clippy::cast_possible_truncation)]

use super::deletions::{Deletion, deletion_at};
use crate::update::known::{ClientKnown, Known, Slot};
use crate::update::structs::{Id, Kind, Struct};

/// A clock of the client at a place that a new item was put behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Origin {
    at: u32,
    clock: u32,
    of_entry: bool,
}

/// What a new item stands behind.
#[derive(Clone, Copy)]
pub(super) enum Neighbours {
    /// Nothing: it goes to the beginning of its list, or of its entry, whose place has this hash.
    Beginning(u32),
    /// Something that is not to the left of it, or nothing that matters.
    None,
    /// The clock before it, of its own client, which ended there.
    Own,
    /// A clock of the client at a place, that nothing was put behind as far as its own client's next clock
    /// tells.
    Free(u32, u32),
    /// The same, and something stands behind it.
    Taken(u32, u32),
}

/// What the new items of an update ask of those who integrate them.
#[derive(Debug, Default)]
pub(super) struct Strain {
    /// The first clock that a new item was put behind, but for the own ones that were written on; mostly the
    /// only one.
    origin: Option<Origin>,
    /// The further ones.
    origins: Vec<Origin>,
    /// Hashes of the places where new items begin lists and entries; [`Self::total`] sorts them, and leaves
    /// each once.
    pub(super) beginnings: Vec<u32>,
    /// New items that may have to pass others to find their place: something may stand where they go.
    siblings: u64,
    /// New format marks.
    pub(super) formats: u64,
    /// New list content that may be formatted.
    contents: u64,
}

impl Strain {
    /// Notes an item that was placed.
    #[inline]
    pub(super) fn note(&mut self, it: &Struct<'_>, slot: Slot, neighbours: Neighbours) {
        if slot == Slot::GONE {
            return;
        }
        match neighbours {
            Neighbours::Own => {}
            Neighbours::Beginning(hash) => self.beginnings.push(hash),
            // It stands before something, and others may too.
            Neighbours::None => self.siblings = self.siblings.saturating_add(1),
            Neighbours::Free(at, clock) => self.note_origin(at, clock, slot),
            Neighbours::Taken(at, clock) => {
                self.siblings = self.siblings.saturating_add(1);
                self.note_origin(at, clock, slot);
            }
        }
        self.formats = self.formats.saturating_add(u64::from(it.kind == Kind::Format));
        let is_content = matches!(it.kind, Kind::String | Kind::Embed | Kind::Type) && !slot.is_entry();
        self.contents = self.contents.saturating_add(u64::from(is_content));
    }

    /// At most how much work the new items are to integrate, beyond a constant for each: those that share an
    /// origin may have to pass all the others, and Yjs copies the marks that are open at each content.
    pub(super) fn total(&mut self, known: &Known) -> u64 {
        let is_one = self.origins.is_empty() && self.beginnings.is_empty();
        if is_one && self.siblings == 0 && self.formats == 0 {
            // One value in place of another, or a letter behind another: what everybody does all the time.
            let is_used = self.origin.is_some_and(|o| is_used(known, &o));
            let formats = self.contents.saturating_mul(known.formats());
            return formats.saturating_add(if is_used { known.items_at_most() } else { 0 });
        }
        self.origins.extend(self.origin.take());
        self.origins.sort_unstable();
        let all = self.origins.len();
        self.origins.dedup();
        let twice = all.saturating_sub(self.origins.len());
        self.beginnings.sort_unstable();
        let all = self.beginnings.len();
        self.beginnings.dedup();
        let begun = self.beginnings.iter().filter(|hash| known.has_beginning(**hash));
        let begun = begun
            .count()
            .saturating_add(all.saturating_sub(self.beginnings.len()));
        let twice = twice.saturating_add(begun);
        let taken = twice.saturating_add(self.origins.iter().filter(|o| is_used(known, o)).count());
        let siblings = self
            .siblings
            .saturating_add(u64::try_from(taken).unwrap_or(u64::MAX));
        let items = known.items_at_most();
        let formats = known.formats().saturating_add(self.formats);
        siblings
            .saturating_add(self.formats)
            .saturating_mul(items)
            .saturating_add(self.contents.saturating_mul(formats))
    }

    fn note_origin(&mut self, at: u32, clock: u32, slot: Slot) {
        let origin = Origin {
            at,
            clock,
            of_entry: slot.is_entry(),
        };
        match self.origin {
            None => self.origin = Some(origin),
            Some(_) => self.origins.push(origin),
        }
    }

    /// The origins that are to be remembered: not those of entries that are deleted now, as a value is that
    /// gets another in its place, since of these it is known by that. Sorted, if there are several.
    pub(super) fn lasting_origins(&self, deletes: &[Deletion]) -> Vec<Deletion> {
        let all = self.origin.iter().chain(&self.origins);
        let lasting = all.filter(|o| !o.of_entry || deletion_at(deletes, o.at, o.clock).is_none());
        lasting
            .map(|o| (o.at, (o.clock, o.clock.saturating_add(1))))
            .collect()
    }
}

/// A hash of the place of an entry of a type, or of its list (FNV-1a). Two places of one hash cost a count of
/// the work too many.
pub(super) fn hash_of(type_index: u32, key: Option<&[u8]>) -> u32 {
    let mut hash = 0x811c_9dc5u32;
    let key = key.unwrap_or_default().iter().copied();
    for byte in type_index.to_le_bytes().into_iter().chain(key) {
        hash = (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193);
    }
    hash
}

/// Whether something was put behind a clock before.
fn is_used(known: &Known, origin: &Origin) -> bool {
    let Some(client) = known.client(origin.at) else {
        return false;
    };
    // An entry goes when another is put behind it.
    client.origins.contains(origin.clock) || origin.of_entry && client.deleted.contains(origin.clock)
}

/// What an item stands behind whose origin is `id`, a clock of the client at a place that lies in a slot.
///
/// `own` is the item's first new clock. What nothing was put behind yet is either the last clock of its
/// client, or the client went on elsewhere, or the item's right neighbour is the next clock, so that nothing
/// can be in between.
pub(super) fn behind(
    client: &ClientKnown,
    (place, id, slot): (u32, Id, Slot),
    own: Id,
    right: Option<Id>,
) -> Neighbours {
    let next = Id {
        clock: id.clock.saturating_add(1),
        ..id
    };
    if slot.is_entry() {
        // Entries follow one another by their origins alone.
        return Neighbours::Free(place, id.clock);
    }
    if next == own {
        return Neighbours::Own;
    }
    if next.clock >= client.end || right == Some(next) || client.slot(next.clock) != slot {
        Neighbours::Free(place, id.clock)
    } else {
        Neighbours::Taken(place, id.clock)
    }
}
