//! Whether an update can join a document, and what of it is new.
//!
//! Owns [`admit`]: the walk over a scanned update in the order of its references, as Yjs's `integrateStructs` makes
//! it, but over slots instead of items. Must not know where the bytes are kept. Key invariant: [`Known`] holds the
//! new structs after `Ok`, and is unchanged after `Err`; deletions join at [`Admission::commit`]. Tests:
//! `room::board` and `tests/algebra`. Source: Yjs `utils/encoding.js`, `structs/Item.js` (`getMissing`).
#![deny(clippy::arithmetic_side_effects, clippy::cast_possible_truncation)]

use super::known::{Added, Known, Mark, Slot};
use super::ranges::{Range, put_ranges};
use super::scan::{Outline, Section, read_range};
use super::structs::{Id, Kind, Parent, Struct, range_bytes, read_struct};
use super::{Budget, Budgets, Reason, Refused};
use crate::lib0::{Reader, number_bytes, put_number};

/// Deletions that are kept apart before they are sorted and joined.
const DELETES_UNSORTED_MAX: usize = 65_536;

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

/// One new deletion: a client's place and a range.
type Deletion = (u32, Range);

/// What is new in an update.
#[derive(Debug)]
pub struct Admission {
    /// New structs by client, in the order of the update.
    pub parts: Vec<Part>,
    /// Whether everything in the update is new, so that its bytes can be passed on as they came.
    pub is_whole: bool,
    /// New deletions, sorted and disjoint; those that structs imply are among them.
    deletes: Vec<Deletion>,
    mark: Mark,
}

/// Admits a scanned update to what is known.
///
/// # Errors
/// [`Stop`]; `known` is then unchanged.
pub fn admit(
    known: &mut Known,
    bytes: &[u8],
    outline: &Outline,
    budgets: &Budgets,
) -> Result<Admission, Stop> {
    let mark = known.mark();
    let mut walk = Walk {
        known,
        bytes,
        budgets,
        mark,
        sections: Vec::with_capacity(outline.sections.len()),
        by_client: Vec::new(),
        implied: Vec::new(),
        doubtful: Vec::new(),
        half_gone: Vec::new(),
        long_entries: Vec::new(),
        is_whole: outline.is_tidy,
    };
    match walk.run(outline) {
        Ok(deletes) => {
            let parts = walk.sections.into_iter().map(|s| s.part);
            Ok(Admission {
                parts: parts.filter(|part| part.count > 0).collect(),
                is_whole: walk.is_whole,
                deletes,
                mark: walk.mark,
            })
        }
        Err(stop) => {
            walk.known.revert(&walk.mark);
            Err(stop)
        }
    }
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

    /// At most how many bytes the new deletions add to the delete set.
    #[must_use]
    pub fn delete_bytes(&self, known: &Known) -> usize {
        let each = self.deletes.chunk_by(|a, b| a.0 == b.0).map(|group| {
            let client = group.first().and_then(|d| known.client(d.0));
            let header = client.map_or(0, |c| {
                let is_new = c.deleted.as_slice().is_empty();
                usize::from(is_new).saturating_mul(number_bytes(c.id).saturating_add(1))
            });
            let ranges = group.iter().map(|d| range_bytes(d.1.0, d.1.1));
            ranges.fold(header, usize::saturating_add)
        });
        each.fold(0, usize::saturating_add)
    }

    /// Bytes of the whole state with the new deletions, exact but for the counts of ranges.
    ///
    /// Copies the deletions of each client that it touches: for boards at the edge of their budget only.
    #[must_use]
    pub fn encoded_bytes_after(&self, known: &Known) -> usize {
        let mut bytes = known.encoded_bytes();
        for group in self.deletes.chunk_by(|a, b| a.0 == b.0) {
            let Some(client) = group.first().and_then(|d| known.client(d.0)) else {
                continue;
            };
            let mut deleted = client.deleted.clone();
            deleted.insert_sorted(&group.iter().map(|d| d.1).collect::<Vec<_>>());
            if client.deleted.as_slice().is_empty() {
                bytes = bytes.saturating_add(number_bytes(client.id)).saturating_add(1);
            }
            bytes = bytes.saturating_sub(client.deleted.encoded_bytes());
            bytes = bytes.saturating_add(deleted.encoded_bytes());
        }
        bytes
    }

    /// Lets the deletions join.
    pub fn commit(&self, known: &mut Known) {
        let mut ranges = Vec::new();
        for group in self.deletes.chunk_by(|a, b| a.0 == b.0) {
            if let [(at, range)] = group {
                known.delete(*at, std::slice::from_ref(range));
                continue;
            }
            ranges.clear();
            ranges.extend(group.iter().map(|d| d.1));
            if let Some(first) = group.first() {
                known.delete(first.0, &ranges);
            }
        }
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
            let ranges: Vec<Range> = group.iter().map(|d| d.1).collect();
            put_ranges(&mut out, &ranges);
        }
        out
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
    mark: Mark,
    sections: Vec<Progress>,
    /// Client to index in `sections`, sorted; built when first needed.
    by_client: Vec<(u64, usize)>,
    implied: Vec<Deletion>,
    /// Parents that are known and not a shared type; right only where they are deleted.
    doubtful: Vec<Id>,
    /// Types of neighbours of which the other one is gone; right only where the type is deleted.
    half_gone: Vec<u32>,
    /// Map entries of several values; right only where they are deleted, as clients that collect nothing merge them.
    long_entries: Vec<Deletion>,
    is_whole: bool,
}

/// Where a struct belongs, or what must come before it.
enum Placed {
    In(Slot),
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
        for index in &self.half_gone {
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
        let mut stack = vec![(first, u32::MAX)];
        while let Some(&(index, until)) = stack.last() {
            match self.advance(index, until)? {
                None => {
                    stack.pop();
                    self.set_awaited(index, false);
                }
                Some(id) => {
                    self.set_awaited(index, true);
                    let needed = self.section_of(id.client).ok_or(Stop::Hole)?;
                    let progress = self.sections.get(needed).ok_or(Stop::Hole)?;
                    // Awaited already: the references go round in a circle.
                    if progress.left == 0 || progress.is_awaited {
                        return Err(Stop::Hole);
                    }
                    stack.push((needed, id.clock.saturating_add(1)));
                }
            }
        }
        Ok(())
    }

    fn set_awaited(&mut self, index: usize, is_awaited: bool) {
        if let Some(progress) = self.sections.get_mut(index) {
            progress.is_awaited = is_awaited;
        }
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
                    Placed::In(slot) => {
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
            return Ok(Placed::In(Slot::GONE));
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
        for id in [origin, it.right].into_iter().flatten() {
            let place = if id.client == own.client {
                Some(at)
            } else {
                self.known.place(id.client)
            };
            let slot = match place.and_then(|place| self.known.client(place)) {
                Some(client) if id.clock < client.end => client.slot(id.clock),
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
        Ok(Placed::In(placed.unwrap_or(Slot::GONE)))
    }

    fn place_explicit(&mut self, it: &Struct<'_>) -> Result<Placed, Stop> {
        let is_entry = it.key.is_some();
        match it.parent {
            Parent::Root(name) => {
                let index = match self.known.root(name) {
                    Some(index) => index,
                    None => {
                        self.check_types()?;
                        self.known.add_root(name)
                    }
                };
                Ok(Placed::In(Slot::new(index, is_entry)))
            }
            Parent::Item(id) => {
                let place = self.known.place(id.client);
                let client = match place.and_then(|place| self.known.client(place)) {
                    Some(client) if id.clock < client.end => client,
                    _ => return Ok(Placed::After(id)),
                };
                if client.slot(id.clock) == Slot::GONE {
                    return Ok(Placed::In(Slot::GONE));
                }
                if let Some(index) = client.type_at(id.clock) {
                    return Ok(Placed::In(Slot::new(index, is_entry)));
                }
                // A deleted type whose content is gone; Yjs collects what joins it.
                if !client.deleted.contains(id.clock) {
                    self.doubtful.push(id);
                }
                Ok(Placed::In(Slot::GONE))
            }
            Parent::Inherited => Ok(Placed::In(Slot::GONE)),
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
        let mut room = DELETES_UNSORTED_MAX.max(deletes.len());
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
                it.deleted.uncovered(start, end, |range| {
                    is_new = range == (start, end);
                    deletes.push((at, range));
                });
                self.is_whole &= is_new;
                if deletes.len() > room {
                    normalise(&mut deletes);
                    room = DELETES_UNSORTED_MAX.max(deletes.len().saturating_mul(2));
                }
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

fn normalise(deletes: &mut Vec<Deletion>) {
    if deletes.len() < 2 {
        return;
    }
    deletes.sort_unstable();
    deletes.dedup_by(|next, last| {
        let joins = next.0 == last.0 && next.1.0 <= last.1.1;
        if joins {
            last.1.1 = last.1.1.max(next.1.1);
        }
        joins
    });
}

/// Whether a known clock is deleted, new deletions included.
fn is_deleted(known: &Known, deletes: &[Deletion], id: Id) -> bool {
    let Some(at) = known.place(id.client) else {
        return false;
    };
    deletion_at(deletes, at, id.clock).is_some()
        || known.client(at).is_some_and(|c| c.deleted.contains(id.clock))
}

/// The new deletion that a clock of the client at a place lies in.
fn deletion_at(deletes: &[Deletion], at: u32, clock: u32) -> Option<Range> {
    let after = deletes.partition_point(|d| (d.0, d.1.0) <= (at, clock));
    let last = after.checked_sub(1).and_then(|i| deletes.get(i))?;
    (last.0 == at && clock < last.1.1).then_some(last.1)
}

/// Whether a type, or one that holds it, is deleted, new deletions included.
fn is_dead(known: &Known, deletes: &[Deletion], index: u32) -> bool {
    let mut index = Some(index);
    while let Some(it) = index.and_then(|index| known.shared_type(index)) {
        if it.item.is_some_and(|id| is_deleted(known, deletes, id)) {
            return true;
        }
        // What holds a type has a lower index, so this ends.
        index = it.slot.type_index();
    }
    false
}
