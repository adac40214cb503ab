//! Whether an update can join a document, and what of it is new.
//!
//! Owns [`admit`]: the walk over a scanned update in the order of its references, as Yjs's `integrateStructs` makes
//! it, but over slots instead of items. Must not know where the bytes are kept. Key invariant: [`Known`] holds the
//! new structs after `Ok`, and is unchanged after `Err`; deletions join at [`Admission::commit`]. Tests:
//! `room::board` and `tests/algebra`. Source: Yjs `utils/encoding.js`, `structs/Item.js` (`getMissing`).
#![deny(clippy::arithmetic_side_effects, clippy::cast_possible_truncation)]

use super::known::{Added, ClientKnown, Known, Mark, Slot};
use super::ranges::{Range, put_ranges};
use super::scan::{Outline, Section, read_range};
use super::structs::{Id, Kind, Parent, Struct, range_bytes, read_struct};
use super::{Budget, Budgets, Reason, Refused, Rules};
use crate::lib0::{Reader, number_bytes, put_number};
use crate::meter::Meter;

/// Gaps between deletions that one range may close and be told of one by one, whatever the update's bytes; and as many more
/// as the update has bytes. Beyond them it is told of as one range, since to name a range is cheap, and its gaps are many.
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
    /// Clocks that new items were put behind, sorted, each once.
    origins: Vec<Deletion>,
    /// Hashes of the places where new items begin lists and entries, sorted, each once.
    beginnings: Vec<u32>,
    /// New format marks, and at most how much work the new items are to integrate: see [`Known::strain`].
    formats: u64,
    strain: u64,
    mark: Mark,
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
        origin: None,
        origins: Vec::new(),
        beginnings: Vec::new(),
        siblings: 0,
        formats: 0,
        contents: 0,
        doubtful: Vec::new(),
        half_gone: Vec::new(),
        long_entries: Vec::new(),
        is_whole: outline.is_tidy,
    };
    match walk.run(outline) {
        Ok(deletes) => {
            let strain = walk.strain();
            let origins = walk.lasting_origins(&deletes);
            let parts = walk.sections.into_iter().map(|s| s.part);
            Ok(Admission {
                parts: parts.filter(|part| part.count > 0).collect(),
                is_whole: walk.is_whole,
                deletes,
                origins,
                beginnings: walk.beginnings,
                formats: walk.formats,
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
    /// The first clock that a new item was put behind, but for the own ones that were written on; mostly the only one.
    origin: Option<Origin>,
    /// The further ones.
    origins: Vec<Origin>,
    /// Hashes of the places where new items begin lists and entries.
    beginnings: Vec<u32>,
    /// New items that may have to pass others to find their place: something may stand where they go.
    siblings: u64,
    /// New format marks, and new list content that may be formatted.
    formats: u64,
    contents: u64,
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
    In(Slot, Neighbours),
    After(Id),
}

/// A clock of the client at a place that a new item was put behind.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Origin {
    at: u32,
    clock: u32,
    of_entry: bool,
}

/// What a new item stands behind.
#[derive(Clone, Copy)]
enum Neighbours {
    /// Nothing: it goes to the beginning of its list, or of its entry, whose place has this hash.
    Beginning(u32),
    /// Something that is not to the left of it, or nothing that matters.
    None,
    /// The clock before it, of its own client, which ended there.
    Own,
    /// A clock of the client at a place, that nothing was put behind as far as its own client's next clock tells.
    Free(u32, u32),
    /// The same, and something stands behind it.
    Taken(u32, u32),
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
                    self.set_awaited(index, false);
                    let Some(waiting) = stack.pop() else { return Ok(()) };
                    (index, until) = waiting;
                }
                Some(id) => {
                    self.set_awaited(index, true);
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
                        self.strain_of(&it, slot, neighbours)?;
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

    /// Notes what placing an item asks of those who integrate it.
    fn strain_of(&mut self, it: &Struct<'_>, slot: Slot, neighbours: Neighbours) -> Result<(), Reason> {
        if slot == Slot::GONE {
            return Ok(());
        }
        if slot.is_entry() && it.right.is_some() && self.budgets.rules == Rules::Strangers {
            return Err(Reason::EntryBefore);
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
        Ok(())
    }

    /// At most how much work the new items are to integrate, beyond a constant for each: those that share an origin may have
    /// to pass all the others, and Yjs copies the marks that are open at each content.
    fn strain(&mut self) -> u64 {
        let is_one = self.origins.is_empty() && self.beginnings.is_empty();
        if is_one && self.siblings == 0 && self.formats == 0 {
            // One value in place of another, or a letter behind another: what everybody does all the time.
            let is_used = self.origin.is_some_and(|o| is_used(self.known, &o));
            let formats = self.contents.saturating_mul(self.known.formats());
            return formats.saturating_add(if is_used { self.known.items_at_most() } else { 0 });
        }
        self.origins.extend(self.origin.take());
        self.origins.sort_unstable();
        let all = self.origins.len();
        self.origins.dedup();
        let twice = all.saturating_sub(self.origins.len());
        self.beginnings.sort_unstable();
        let all = self.beginnings.len();
        self.beginnings.dedup();
        let begun = self
            .beginnings
            .iter()
            .filter(|hash| self.known.has_beginning(**hash));
        let begun = begun
            .count()
            .saturating_add(all.saturating_sub(self.beginnings.len()));
        let twice = twice.saturating_add(begun);
        let taken = twice.saturating_add(self.origins.iter().filter(|o| is_used(self.known, o)).count());
        let siblings = self
            .siblings
            .saturating_add(u64::try_from(taken).unwrap_or(u64::MAX));
        let items = self.known.items_at_most();
        let formats = self.known.formats().saturating_add(self.formats);
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

    /// The origins that are to be remembered: not those of entries that are deleted now, as a value is that gets another in
    /// its place, since of these it is known by that. Sorted, if there are several.
    fn lasting_origins(&self, deletes: &[Deletion]) -> Vec<Deletion> {
        let all = self.origin.iter().chain(&self.origins);
        let lasting = all.filter(|o| !o.of_entry || deletion_at(deletes, o.at, o.clock).is_none());
        lasting
            .map(|o| (o.at, (o.clock, o.clock.saturating_add(1))))
            .collect()
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
                let place = Neighbours::Beginning(hash_of(index, it.key));
                Ok(Placed::In(Slot::new(index, is_entry), place))
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
                    return Ok(Placed::In(Slot::new(index, is_entry), place));
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

/// A hash of the place of an entry of a type, or of its list (FNV-1a). Two places of one hash cost a count of the work too many.
fn hash_of(type_index: u32, key: Option<&[u8]>) -> u32 {
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
/// `own` is the item's first new clock. What nothing was put behind yet is either the last clock of its client, or the client
/// went on elsewhere, or the item's right neighbour is the next clock, so that nothing can be in between.
fn behind(
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
