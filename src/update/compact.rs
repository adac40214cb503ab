//! The canonical, collected form of a state.
//!
//! Owns [`compact`]: deleted items lose their content, what lies in a deleted type becomes GC, structs are
//! split at the borders of deletions, and neighbours that Yjs would merge are merged. Must not know where the
//! bytes are kept. Key invariant: the result loads in Yjs as the same document with the same state vector,
//! and goes on merging with every update that could have joined before. It does not depend on how the updates
//! were cut. Tests: `room::board`, `tests/algebra`. Source: Yjs `Item.gc`, `Item.mergeWith`,
//! `ContentType.gc`, `tryGcDeleteSet`.
#![deny(clippy::arithmetic_side_effects, clippy::cast_possible_truncation)]

use super::Refused;
use super::chunks::Place;
use super::known::{ClientKnown, Known, Slot};
use super::ranges::{Range, Ranges, put_ranges};
use super::structs::{Id, Kind, Struct, Values, as_content, as_entry, put_content, read_struct};
use crate::lib0::{Reader, put_number};
use crate::limits;
use crate::meter::Meter;

/// By how many bytes splitting may make a state larger than twice its size before it is given up.
const GROWTH_BYTES_MAX: usize = 64 * 1024;

/// Writes the canonical, collected form of a state as one update.
///
/// `bytes_of` gives the structs of the client at a place, in pieces that follow one another; none cuts a
/// struct.
///
/// Where splitting at deletions would blow the state up (a long text with every second letter deleted),
/// partly deleted structs keep their content; the delete set still says what is deleted.
///
/// Spends a step for each struct, each piece that it is split in, and for the bytes.
///
/// # Errors
/// What a struct breaks, never for bytes that were scanned; [`Refused::TooCostly`].
pub fn compact<'a, I: Iterator<Item = &'a [u8]>>(
    known: &Known,
    bytes_of: impl Fn(u32) -> I,
    meter: &mut Meter,
) -> Result<Vec<u8>, Refused> {
    let before = known.encoded_bytes();
    let bytes_max = before.saturating_mul(2).saturating_add(GROWTH_BYTES_MAX);
    if let Some(out) = compact_within(known, &bytes_of, (Split::AtDeletions, bytes_max), meter)? {
        return Ok(out);
    }
    let out = compact_within(known, &bytes_of, (Split::Never, usize::MAX), meter)?;
    Ok(out.unwrap_or_default())
}

/// The same for a document that is opened: nothing of it is left to be split, since yrs copies what is left
/// of a text at each place where it splits it.
///
/// # Errors
/// [`Refused::TooCostly`] where it has more than [`limits::DOCUMENT_PARTS_MAX`] structs then; else as
/// [`compact`].
pub fn compact_split<'a, I: Iterator<Item = &'a [u8]>>(
    known: &Known,
    bytes_of: impl Fn(u32) -> I,
    meter: &mut Meter,
) -> Result<Vec<u8>, Refused> {
    let ranges = known.clients().iter().map(|client| client.deleted.len());
    if ranges.fold(0, usize::saturating_add) > limits::DOCUMENT_PARTS_MAX {
        return Err(Refused::TooCostly);
    }
    let out = compact_within(known, &bytes_of, (Split::Everywhere, usize::MAX), meter)?;
    Ok(out.unwrap_or_default())
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Split {
    /// At the borders of deletions, and where something refers into a struct.
    Everywhere,
    AtDeletions,
    Never,
}

/// For each client, at its place, the clocks before which something else was inserted, ascending.
fn cuts<'a, I: Iterator<Item = &'a [u8]>>(
    known: &Known,
    bytes_of: &impl Fn(u32) -> I,
    meter: &mut Meter,
) -> Result<Vec<Vec<u32>>, Refused> {
    let mut cuts = vec![Vec::new(); known.clients().len()];
    let mut cut = |client: u64, clock: u32| {
        let place = known.place(client).and_then(|at| usize::try_from(at).ok());
        if let Some(cuts) = place.and_then(|at| cuts.get_mut(at)) {
            cuts.push(clock);
        }
    };
    for (at, client) in known.descending() {
        let mut clock = 0u32;
        for bytes in bytes_of(at) {
            let mut reader = Reader::new(bytes);
            while !reader.rest().is_empty() {
                let it = read_struct::<false>(&mut reader)?;
                meter.spend_bytes(it.raw.len())?;
                if let Some(origin) = it.origin {
                    let behind = origin.clock.saturating_add(1);
                    // What was typed on is merged.
                    if origin.client != client.id || behind != clock {
                        cut(origin.client, behind);
                    }
                }
                if let Some(right) = it.right {
                    cut(right.client, right.clock);
                }
                clock = clock.saturating_add(it.len);
            }
        }
    }
    for clocks in &mut cuts {
        clocks.sort_unstable();
        clocks.dedup();
    }
    Ok(cuts)
}

fn compact_within<'a, I: Iterator<Item = &'a [u8]>>(
    known: &Known,
    bytes_of: &impl Fn(u32) -> I,
    (split, bytes_max): (Split, usize),
    meter: &mut Meter,
) -> Result<Option<Vec<u8>>, Refused> {
    let dead = dead_types(known);
    let cuts = match split {
        Split::Everywhere => cuts(known, bytes_of, meter)?,
        _ => Vec::new(),
    };
    let mut structs_left = match split {
        Split::Everywhere => u32::try_from(limits::DOCUMENT_PARTS_MAX).unwrap_or(u32::MAX),
        _ => u32::MAX,
    };
    let mut out = Vec::with_capacity(known.encoded_bytes());
    let mut deletes: Vec<(u64, Ranges)> = Vec::new();
    put_number(&mut out, u64::try_from(known.clients().len()).unwrap_or(u64::MAX));
    let mut body = Vec::new();
    for (at, client) in known.descending() {
        body.clear();
        let mut writer = Writer::new(client, &mut body);
        writer.count_max = structs_left;
        let cuts = usize::try_from(at).ok().and_then(|at| cuts.get(at));
        writer.cuts = cuts.map_or(&[], Vec::as_slice);
        for bytes in bytes_of(at) {
            rewrite(&mut writer, (client, &dead), split, (bytes, &mut *meter))?;
        }
        writer.flush();
        let (count, collected) = (writer.count, writer.collected);
        structs_left = structs_left.saturating_sub(count);
        put_number(&mut out, u64::from(count));
        put_number(&mut out, client.id);
        put_number(&mut out, 0);
        out.extend_from_slice(&body);
        if out.len() > bytes_max {
            return Ok(None);
        }
        let mut deleted = client.deleted.clone();
        deleted.insert_sorted(&collected);
        if !deleted.is_empty() {
            deletes.push((client.id, deleted));
        }
    }
    put_number(&mut out, u64::try_from(deletes.len()).unwrap_or(u64::MAX));
    for (client, deleted) in deletes {
        put_number(&mut out, client);
        put_ranges(&mut out, deleted.len(), deleted.iter());
    }
    out.shrink_to_fit();
    Ok(Some(out))
}

/// For each shared type, whether it or one that holds it is deleted.
fn dead_types(known: &Known) -> Vec<bool> {
    let mut dead: Vec<bool> = Vec::with_capacity(known.types().len());
    for it in known.types().iter() {
        let is_dead = it.item.is_some_and(|id| {
            // A type comes after the one that holds it.
            let client = known.place(id.client).and_then(|at| known.client(at));
            is_dead_slot(&dead, it.slot) || client.is_some_and(|c| c.deleted.contains(id.clock))
        });
        dead.push(is_dead);
    }
    dead
}

fn is_dead_slot(dead: &[bool], slot: Slot) -> bool {
    let index = slot.type_index().and_then(|index| usize::try_from(index).ok());
    index.is_none_or(|index| dead.get(index).copied().unwrap_or(true))
}

/// Feeds the structs of one client to the writer, in pieces that are wholly deleted or wholly alive.
fn rewrite<'a>(
    writer: &mut Writer<'a, '_, '_>,
    (client, dead): (&ClientKnown, &[bool]),
    split: Split,
    (bytes, meter): (&'a [u8], &mut Meter),
) -> Result<(), Refused> {
    let mut reader = Reader::new(bytes);
    while !reader.rest().is_empty() {
        let it = read_struct::<false>(&mut reader)?;
        meter.spend_bytes(it.raw.len())?;
        let clock = writer.clock;
        let end = clock.saturating_add(it.len);
        writer.clock = end;
        let slot = writer.slot(clock, client);
        let piece = |from: u32, to: u32, kind: Kind| Piece {
            it,
            clock,
            from: from.saturating_sub(clock),
            to: to.saturating_sub(clock),
            kind,
            values: None,
            starts_anew: false,
            is_entry: slot.is_entry(),
            can_merge: kind == Kind::Deleted || !slot.is_entry(),
        };
        if is_dead_slot(dead, slot) {
            writer.put(piece(clock, end, Kind::Gc));
            continue;
        }
        let mut values = Values::of(&it);
        let mut at = clock;
        while at < end {
            meter.spend(1)?;
            let (is_deleted, until) = writer.deleted_from(at, client);
            let (starts_anew, cut) = writer.cut_from(at);
            let until = until.min(cut).min(end);
            if split == Split::Never && until < end {
                let mut mixed = piece(at, end, it.kind);
                mixed.can_merge = false;
                writer.put(mixed);
                break;
            }
            let kind = if is_deleted { Kind::Deleted } else { it.kind };
            let mut next = piece(at, until, kind);
            next.starts_anew = starts_anew;
            if it.len > next.len() && it.can_grow() {
                next.take_values(&mut values);
            }
            writer.put(next);
            at = until;
            if writer.count > writer.count_max {
                return Err(Refused::TooCostly);
            }
        }
    }
    Ok(())
}

/// The clocks `from..to` of a struct, to be written as `kind`.
struct Piece<'a> {
    it: Struct<'a>,
    /// Where the struct starts; `from` and `to` count from here.
    clock: u32,
    from: u32,
    to: u32,
    kind: Kind,
    /// The values of a part of the struct; `None` for the whole.
    values: Option<Vec<u8>>,
    /// Whether it stays apart from what is before it.
    starts_anew: bool,
    is_entry: bool,
    can_merge: bool,
}

impl Piece<'_> {
    fn start(&self) -> u32 {
        self.clock.saturating_add(self.from)
    }

    fn len(&self) -> u32 {
        self.to.saturating_sub(self.from)
    }

    /// Takes the values of a part from those of its struct; a part that is deleted has none.
    fn take_values(&mut self, of_struct: &mut Values<'_>) {
        let mut values = Vec::new();
        if self.kind == Kind::Deleted {
            of_struct.skip_to(self.to);
        } else {
            of_struct.put_to(self.to, &mut values);
        }
        self.values = Some(values);
    }

    /// Appends the values to those it is merged with.
    fn put_values(&self, out: &mut Vec<u8>) {
        match &self.values {
            Some(values) => out.extend_from_slice(values),
            None => out.extend_from_slice(Values::of(&self.it).rest()),
        }
    }
}

/// Merges pieces of one client as they come.
struct Writer<'a, 'o, 'k> {
    client: u64,
    out: &'o mut Vec<u8>,
    /// Where the next struct starts.
    clock: u32,
    /// Structs written.
    count: u32,
    /// Clocks that became GC.
    collected: Vec<Range>,
    /// The piece not written yet, and where what was merged with it ends.
    pending: Option<(Piece<'a>, u32)>,
    /// The merged values of the pending piece; used once something was merged.
    values: Vec<u8>,
    has_merged: bool,
    run: Place,
    range: Place,
    /// Where pieces start anew, ascending.
    cuts: &'k [u32],
    cut: usize,
    /// More structs than these are too many.
    count_max: u32,
}

impl<'a, 'o> Writer<'a, 'o, '_> {
    fn new(client: &ClientKnown, out: &'o mut Vec<u8>) -> Self {
        Self {
            client: client.id,
            out,
            clock: 0,
            count: 0,
            collected: Vec::new(),
            pending: None,
            values: Vec::new(),
            has_merged: false,
            run: Place::default(),
            range: Place::default(),
            cuts: &[],
            cut: 0,
            count_max: u32::MAX,
        }
    }

    /// Where a clock belongs; clocks must not go back.
    fn slot(&mut self, clock: u32, client: &ClientKnown) -> Slot {
        let runs = client.runs();
        loop {
            let next = runs.next(self.run);
            if runs.at(next).is_none_or(|next| next.start > clock) {
                return runs.at(self.run).map_or(Slot::GONE, |run| run.slot);
            }
            self.run = next;
        }
    }

    /// Whether a clock is deleted, and until where that holds; clocks must not go back.
    fn deleted_from(&mut self, clock: u32, client: &ClientKnown) -> (bool, u32) {
        let ranges = client.deleted.list();
        while ranges.at(self.range).is_some_and(|r| r.1 <= clock) {
            self.range = ranges.next(self.range);
        }
        match ranges.at(self.range) {
            None => (false, u32::MAX),
            Some(&(start, _)) if clock < start => (false, start),
            Some(&(_, end)) => (true, end),
        }
    }

    /// Whether a clock starts anew, and which one does so next; clocks must not go back.
    fn cut_from(&mut self, clock: u32) -> (bool, u32) {
        while self.cuts.get(self.cut).is_some_and(|cut| *cut < clock) {
            self.cut = self.cut.saturating_add(1);
        }
        let mut cuts = self.cuts.get(self.cut..).unwrap_or_default().iter().copied();
        match cuts.next() {
            Some(cut) if cut == clock => (true, cuts.next().unwrap_or(u32::MAX)),
            next => (false, next.unwrap_or(u32::MAX)),
        }
    }

    fn put(&mut self, piece: Piece<'a>) {
        let end = piece.clock.saturating_add(piece.to);
        if piece.kind == Kind::Gc {
            match self.collected.last_mut() {
                Some(last) if last.1 == piece.start() => last.1 = end,
                _ => self.collected.push((piece.start(), end)),
            }
        }
        if let Some((first, first_end)) = &mut self.pending
            && merges(self.client, first, *first_end, &piece)
        {
            // GC and deleted content have no values.
            if matches!(piece.kind, Kind::String | Kind::Any | Kind::Json) {
                if !self.has_merged {
                    self.values.clear();
                    first.put_values(&mut self.values);
                }
                piece.put_values(&mut self.values);
            }
            self.has_merged = true;
            *first_end = end;
            return;
        }
        self.flush();
        self.pending = Some((piece, end));
    }

    fn flush(&mut self) {
        let Some((piece, end)) = self.pending.take() else {
            return;
        };
        self.count = self.count.saturating_add(1);
        let id = Id {
            client: self.client,
            clock: piece.clock,
        };
        let len = end.saturating_sub(piece.start());
        let start = self.out.len();
        let is_as_it_was = piece.kind == piece.it.kind && !self.has_merged;
        if is_as_it_was && piece.len() == piece.it.len {
            self.out.extend_from_slice(piece.it.raw);
        } else if piece.kind == Kind::Gc {
            self.out.push(Kind::Gc as u8);
            put_number(self.out, u64::from(len));
        } else {
            piece.it.put_header(self.out, piece.kind, id, piece.from);
            let values = piece.values.as_deref().unwrap_or_default();
            let values = if self.has_merged { &self.values } else { values };
            put_content(self.out, piece.kind, len, values);
        }
        // Yjs sets the key bit of every map entry it has integrated, and forgets it where it merges updates.
        if let Some(info) = self.out.get_mut(start).filter(|_| piece.kind.is_item()) {
            *info = if piece.is_entry {
                as_entry(*info)
            } else {
                as_content(*info)
            };
        }
        self.has_merged = false;
    }
}

/// Yjs `Item.mergeWith`, without what only its linked list knows: a struct that another was inserted into is
/// split again by that other's origin when it is loaded.
fn merges(client: u64, first: &Piece<'_>, first_end: u32, next: &Piece<'_>) -> bool {
    if first.kind != next.kind {
        return false;
    }
    match first.kind {
        Kind::Gc => true,
        Kind::Deleted | Kind::String | Kind::Any | Kind::Json => {
            let last = Id {
                client,
                clock: first_end.saturating_sub(1),
            };
            let follows = next.from > 0 || next.it.origin == Some(last);
            follows
                && !next.starts_anew
                && first.it.right == next.it.right
                && first.can_merge
                && next.can_merge
        }
        _ => false,
    }
}
