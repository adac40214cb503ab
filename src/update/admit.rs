//! Whether an update can join a document, and what of it is new.
//!
//! Owns [`admit`]: the walk over a scanned update in the order of its references, as Yjs's `integrateStructs`
//! makes it, but over slots instead of items. Must not know where the bytes are kept. Key invariant:
//! [`Known`] holds the new structs after `Ok`, and is unchanged after `Err`; deletions join at
//! [`Admission::commit`]. Tests: `room::board` and `tests/algebra`. Source: Yjs `utils/encoding.js`,
//! `structs/Item.js` (`getMissing`).
#![deny(clippy::arithmetic_side_effects, clippy::cast_possible_truncation)]

use super::known::{Added, Known, Mark, Slot};
use super::scan::{Outline, Section, read_range};
use super::structs::{Id, Kind, Parent, Struct, read_struct};
use super::{Budget, Budgets, Reason, Refused, Rules};
use crate::lib0::Reader;
use crate::meter::Meter;

mod admission;
mod deletions;
mod strain;

pub use admission::{Admission, Part};
use deletions::{Deletion, deletion_at, is_dead, is_deleted, normalise};
use strain::{Neighbours, Strain, behind, hash_of};

/// Gaps between deletions that one range may close and be told of one by one, whatever the update's bytes;
/// and as many more as the update has bytes. Beyond them it is told of as one range, since to name a range is
/// cheap, and its gaps are many.
const GAPS_TOLD_MIN: usize = 64;

/// Why an update cannot join.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// It builds on something that is not known.
    Hole,
    /// It is refused for good.
    Refused(Refused),
}

impl<T: Into<Refused>> From<T> for Stop {
    fn from(refused: T) -> Self {
        Self::Refused(refused.into())
    }
}

/// Admits a scanned update to what is known.
///
/// Spends a step for each struct each time it is looked at, for each range, and for each gap that is told of.
///
/// # Errors
/// [`Stop`]; `known` is then unchanged.
pub fn admit(
    known: &mut Known,
    bytes: &[u8],
    outline: &Outline,
    (budgets, meter): (&Budgets, &mut Meter),
) -> Result<Admission, Stop> {
    let mark = known.mark();
    let mut walk = Walk {
        known,
        bytes,
        budgets,
        meter,
        mark,
        sections: Vec::with_capacity(outline.sections.len()),
        by_client: Vec::new(),
        implied: Vec::new(),
        strain: Strain::default(),
        doubtful: Vec::new(),
        half_gone: Vec::new(),
        long_entries: Vec::new(),
        is_whole: outline.is_tidy,
    };
    match walk.run(outline) {
        Ok(deletes) => {
            let strain = walk.strain.total(walk.known);
            let origins = walk.strain.lasting_origins(&deletes);
            let parts = walk.sections.into_iter().map(|s| s.part);
            Ok(Admission {
                parts: parts.filter(|part| part.count > 0).collect(),
                is_whole: walk.is_whole,
                deletes,
                origins,
                beginnings: walk.strain.beginnings,
                formats: walk.strain.formats,
                strain,
                mark: walk.mark,
            })
        }
        Err(stop) => {
            walk.known.revert(&walk.mark);
            Err(stop)
        }
    }
}

/// How far the walk is in one section.
struct Progress {
    /// Byte offset of the next struct.
    position: usize,
    /// Clock of the next struct.
    clock: u32,
    /// Structs not walked yet.
    left: u32,
    /// Whether another section waits for this one.
    is_awaited: bool,
    part: Part,
}

struct Walk<'a, 'k> {
    known: &'k mut Known,
    bytes: &'a [u8],
    budgets: &'a Budgets,
    meter: &'a mut Meter,
    mark: Mark,
    sections: Vec<Progress>,
    /// Client to index in `sections`, sorted; built when first needed.
    by_client: Vec<(u64, usize)>,
    implied: Vec<Deletion>,
    strain: Strain,
    /// Parents that are known and not a shared type; right only where they are deleted.
    doubtful: Vec<Id>,
    /// Types of neighbours of which the other one is gone; right only where the type is deleted.
    half_gone: Vec<u32>,
    /// Map entries of several values; right only where they are deleted, as clients that collect nothing
    /// merge them.
    long_entries: Vec<Deletion>,
    is_whole: bool,
}

/// Where a struct belongs, or what must come before it.
enum Placed {
    In(Slot, Neighbours),
    After(Id),
}

impl Walk<'_, '_> {
    fn run(&mut self, outline: &Outline) -> Result<Vec<Deletion>, Stop> {
        for section in &outline.sections {
            self.begin(section)?;
        }
        if self.known.clients().len() > self.budgets.clients {
            return Err(Budget::Clients.into());
        }
        for index in 0..self.sections.len() {
            self.walk_from(index)?;
        }
        let deletes = self.read_deletes(outline)?;
        for id in &self.doubtful {
            if !is_deleted(self.known, &deletes, *id) {
                return Err(Stop::Hole);
            }
        }
        self.half_gone.sort_unstable();
        self.half_gone.dedup();
        for index in &self.half_gone {
            // At most as deep as types nest, once for each type.
            self.meter.spend(1)?;
            if !is_dead(self.known, &deletes, *index) {
                return Err(Stop::Hole);
            }
        }
        // Their clocks are new, so their deletions are too, and one range covers each.
        for &(at, (start, end)) in &self.long_entries {
            if deletion_at(&deletes, at, start).is_none_or(|range| range.1 < end) {
                return Err(Reason::LongEntry.into());
            }
        }
        Ok(deletes)
    }

    fn begin(&mut self, section: &Section) -> Result<(), Stop> {
        let at = self.known.touch(section.client, &mut self.mark);
        let end = self.known.client(at).map_or(0, |c| c.end);
        if section.clock > end {
            return Err(Stop::Hole);
        }
        let is_known = section.end_clock <= end;
        self.is_whole &= !is_known;
        self.sections.push(Progress {
            position: section.start,
            clock: section.clock,
            left: if is_known { 0 } else { section.count },
            is_awaited: false,
            part: Part {
                at,
                client: section.client,
                clock: end,
                count: 0,
                head: Vec::new(),
                from: 0,
                to: 0,
            },
        });
        Ok(())
    }

    /// Walks a section to its end, and others as far as it needs them first.
    fn walk_from(&mut self, first: usize) -> Result<(), Stop> {
        let mut stack = Vec::new();
        let (mut index, mut until) = (first, u32::MAX);
        loop {
            match self.advance(index, until)? {
                None => {
                    if let Some(is_awaited) = self.awaited(index) {
                        *is_awaited = false;
                    }
                    let Some(waiting) = stack.pop() else { return Ok(()) };
                    (index, until) = waiting;
                }
                Some(id) => {
                    if let Some(is_awaited) = self.awaited(index) {
                        *is_awaited = true;
                    }
                    let needed = self.section_of(id.client).ok_or(Stop::Hole)?;
                    let progress = self.sections.get(needed).ok_or(Stop::Hole)?;
                    // Awaited already: the references go round in a circle.
                    if progress.left == 0 || progress.is_awaited {
                        return Err(Stop::Hole);
                    }
                    stack.push((index, until));
                    (index, until) = (needed, id.clock.saturating_add(1));
                }
            }
        }
    }

    /// Whether what another section refers to is being looked for in this one.
    fn awaited(&mut self, index: usize) -> Option<&mut bool> {
        self.sections
            .get_mut(index)
            .map(|section| &mut section.is_awaited)
    }

    fn section_of(&mut self, client: u64) -> Option<usize> {
        if self.by_client.is_empty() {
            let pairs = self.sections.iter().enumerate();
            self.by_client = pairs.map(|(index, s)| (s.part.client, index)).collect();
            self.by_client.sort_unstable();
        }
        let at = self.by_client.binary_search_by_key(&client, |p| p.0).ok()?;
        self.by_client.get(at).map(|p| p.1)
    }

    /// Walks a section until its clock reaches `until`; returns what it needs first, if it stops before.
    fn advance(&mut self, index: usize, until: u32) -> Result<Option<Id>, Stop> {
        let bytes = self.bytes;
        let Some(progress) = self.sections.get(index) else {
            return Ok(None);
        };
        let (at, client) = (progress.part.at, progress.part.client);
        let (mut clock, mut left) = (progress.clock, progress.left);
        let mut reader = Reader::at(bytes, progress.position);
        let mut needed = None;
        while left > 0 && clock < until {
            let before = reader;
            let it = read_struct::<false>(&mut reader)?;
            self.meter.spend_bytes(it.raw.len())?;
            let end = self.known.client(at).map_or(0, |c| c.end);
            let end_clock = clock.saturating_add(it.len);
            if end_clock <= end {
                self.is_whole = false;
            } else if it.kind == Kind::Skip {
                return Err(Stop::Hole);
            } else {
                let own = Id { client, clock: end };
                let cut = end.saturating_sub(clock);
                match self.place(&it, at, own, cut)? {
                    Placed::After(id) => {
                        reader = before;
                        needed = Some(id);
                        break;
                    }
                    Placed::In(slot, neighbours) => {
                        let is_before = slot.is_entry() && it.right.is_some();
                        if is_before && self.budgets.rules == Rules::Strangers {
                            return Err(Reason::EntryBefore.into());
                        }
                        self.strain.note(&it, slot, neighbours);
                        let head = self.cut_head(&it, Id { client, clock }, cut);
                        let len = it.len.saturating_sub(cut);
                        self.add(
                            index,
                            &it,
                            slot,
                            Cut {
                                before,
                                reader,
                                head,
                                len,
                            },
                        )?;
                    }
                }
            }
            clock = end_clock;
            left = left.saturating_sub(1);
        }
        if let Some(progress) = self.sections.get_mut(index) {
            progress.position = reader.position();
            (progress.clock, progress.left) = (clock, left);
        }
        Ok(needed)
    }

    /// The struct without its first `cut` clocks; empty when nothing is cut.
    fn cut_head(&mut self, it: &Struct<'_>, id: Id, cut: u32) -> Vec<u8> {
        let mut head = Vec::new();
        if cut > 0 {
            self.is_whole = false;
            it.put_part(&mut head, id, cut, it.len);
        }
        head
    }

    /// Where a struct belongs; `own` is its first new clock and `cut` the clocks before that.
    fn place(&mut self, it: &Struct<'_>, at: u32, own: Id, cut: u32) -> Result<Placed, Stop> {
        if !it.kind.is_item() {
            return Ok(Placed::In(Slot::GONE, Neighbours::None));
        }
        let before = Id {
            client: own.client,
            clock: own.clock.saturating_sub(1),
        };
        let origin = if cut > 0 { Some(before) } else { it.origin };
        if origin.is_none() && it.right.is_none() {
            return self.place_explicit(it);
        }
        let mut placed: Option<Slot> = None;
        let mut neighbours = Neighbours::None;
        for id in [origin, it.right].into_iter().flatten() {
            let place = if id.client == own.client {
                Some(at)
            } else {
                self.known.place(id.client)
            };
            let known = place.and_then(|place| Some((place, self.known.client(place)?)));
            let slot = match known {
                Some((place, client)) if id.clock < client.end => {
                    let slot = client.slot(id.clock);
                    if origin == Some(id) && placed.is_none() {
                        neighbours = behind(client, (place, id, slot), own, it.right);
                    }
                    slot
                }
                _ => return Ok(Placed::After(id)),
            };
            placed = match placed {
                None => Some(slot),
                Some(left) if left == slot => placed,
                Some(left) if left == Slot::GONE || slot == Slot::GONE => {
                    // Both belong to one type, so it must be known that this type is deleted.
                    self.half_gone
                        .extend(left.type_index().or_else(|| slot.type_index()));
                    Some(Slot::GONE)
                }
                Some(_) => return Err(Reason::MixedParents.into()),
            };
        }
        Ok(Placed::In(placed.unwrap_or(Slot::GONE), neighbours))
    }

    fn place_explicit(&mut self, it: &Struct<'_>) -> Result<Placed, Stop> {
        match it.parent {
            Parent::Root(name) => {
                let index = match self.known.root(name) {
                    Some(index) => index,
                    None => {
                        self.check_types()?;
                        self.known.add_root(name)
                    }
                };
                let place = Neighbours::Beginning(hash_of(index, it.key));
                Ok(Placed::In(Slot::new(index, it.key), place))
            }
            Parent::Item(id) => {
                let place = self.known.place(id.client);
                let client = match place.and_then(|place| self.known.client(place)) {
                    Some(client) if id.clock < client.end => client,
                    _ => return Ok(Placed::After(id)),
                };
                if client.slot(id.clock) == Slot::GONE {
                    return Ok(Placed::In(Slot::GONE, Neighbours::None));
                }
                if let Some(index) = client.type_at(id.clock) {
                    let place = Neighbours::Beginning(hash_of(index, it.key));
                    return Ok(Placed::In(Slot::new(index, it.key), place));
                }
                // A deleted type whose content is gone; Yjs collects what joins it.
                if !client.deleted.contains(id.clock) {
                    self.doubtful.push(id);
                }
                Ok(Placed::In(Slot::GONE, Neighbours::None))
            }
            Parent::Inherited => Ok(Placed::In(Slot::GONE, Neighbours::None)),
        }
    }

    fn check_types(&self) -> Result<(), Budget> {
        if self.known.types().len() >= self.budgets.types {
            return Err(Budget::Types);
        }
        Ok(())
    }

    /// Adds a placed struct to what is known and to its section's part.
    fn add(&mut self, index: usize, it: &Struct<'_>, slot: Slot, cut: Cut<'_>) -> Result<(), Stop> {
        let Some(progress) = self.sections.get_mut(index) else {
            return Ok(());
        };
        let part = &mut progress.part;
        let (at, len) = (part.at, cut.len);
        let end = self.known.client(at).map_or(0, |c| c.end);
        let is_cut = !cut.head.is_empty();
        let raw_bytes = if is_cut { cut.head.len() } else { it.raw.len() };
        if part.count == 0 {
            part.from = if is_cut {
                cut.reader.position()
            } else {
                cut.before.position()
            };
            part.head = cut.head;
        }
        part.count = part.count.saturating_add(1);
        part.to = cut.reader.position();
        if it.kind == Kind::Type && slot != Slot::GONE {
            self.check_types()?;
            let holder = slot.type_index().and_then(|index| self.known.shared_type(index));
            let depth = holder.map_or(0, |t| t.depth).saturating_add(1);
            if depth > self.budgets.type_depth {
                return Err(Budget::TypeDepth.into());
            }
            self.known.add_nested(at, slot, depth);
        }
        if slot == Slot::GONE || it.kind == Kind::Deleted {
            let range = (end, end.saturating_add(len));
            match self.implied.last_mut() {
                Some(last) if last.0 == at && last.1.1 == range.0 => last.1.1 = range.1,
                _ => self.implied.push((at, range)),
            }
        }
        if slot.is_entry() && len > 1 && it.kind != Kind::Deleted {
            self.long_entries.push((at, (end, end.saturating_add(len))));
        }
        let bytes = u32::try_from(raw_bytes).unwrap_or(u32::MAX);
        self.known.push(at, Added { len, bytes, slot });
        Ok(())
    }

    /// Reads the delete set; returns what of it is new, and what the new structs imply.
    fn read_deletes(&mut self, outline: &Outline) -> Result<Vec<Deletion>, Stop> {
        let mut deletes = std::mem::take(&mut self.implied);
        // What is stored is not told of again.
        let mut told = match self.budgets.rules {
            Rules::Strangers => self.bytes.len().saturating_add(GAPS_TOLD_MIN),
            Rules::Stored => usize::MAX,
        };
        let mut reader = Reader::at(self.bytes, outline.deletes);
        for _ in 0..reader.count()? {
            let client = reader.number()?;
            let count = reader.count()?;
            let Some(at) = self.known.place(client) else {
                if count > 0 {
                    return Err(Stop::Hole);
                }
                continue;
            };
            let Some(it) = self.known.client(at) else { continue };
            for _ in 0..count {
                let (start, end) = read_range(&mut reader)?;
                if end > it.end {
                    return Err(Stop::Hole);
                }
                let mut is_new = false;
                let before = deletes.len();
                it.deleted.uncovered((start, end), told, |range| {
                    is_new = range == (start, end);
                    deletes.push((at, range));
                });
                let gaps = deletes.len().saturating_sub(before);
                told = told.saturating_sub(gaps);
                self.meter
                    .spend(u64::try_from(gaps).unwrap_or(u64::MAX).saturating_add(1))?;
                self.is_whole &= is_new;
            }
        }
        normalise(&mut deletes);
        Ok(deletes)
    }
}

/// A struct's place in the update's bytes, and what is left of it when a known part is cut off.
struct Cut<'a> {
    before: Reader<'a>,
    reader: Reader<'a>,
    head: Vec<u8>,
    /// Clocks that are left.
    len: u32,
}
