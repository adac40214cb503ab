//! Whether a canonical state may be opened as a yrs document.
//!
//! Owns [`document_gate`]. Must not know yrs itself, nor who asks. Key invariant: what passes is within what
//! honest Yjs clients write and yrs 0.28 reads: no subdocuments, no XML hooks, no legacy JSON, bounded depth,
//! text only in text types, under a map key only values or a type; and opening and reading it takes time and
//! memory in proportion to its parts. What is refused still syncs. Tests: `gate/tests.rs` and
//! `tests/algebra`, where all that passes goes through yrs.
#![deny(clippy::arithmetic_side_effects, clippy::cast_possible_truncation)]

use std::collections::HashSet;

use super::admit::{Stop, admit};
use super::any::{count_json, skip_any};
use super::known::{ClientKnown, Known, Slot};
use super::scan::{Outline, scan};
use super::structs::{Kind, Struct, read_struct, type_ref};
use super::{Budgets, Refused};
use crate::lib0::Reader;
use crate::limits;
use crate::meter::{Exhausted, Meter};

#[cfg(test)]
mod tests;

/// Why a state may not be opened as a document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unsupported {
    /// It is not a complete state.
    Incomplete,
    /// It holds a subdocument.
    Subdocument,
    /// It holds an XML hook.
    XmlHook,
    /// It holds content of the legacy JSON kind, of which yrs 0.28.1 reads one text too many.
    LegacyJson,
    /// Its types nest deeper than `limits::TYPE_DEPTH_MAX`.
    TypeDepth,
    /// Something stands under a map key that no client puts there.
    MapEntry,
    /// List content stands in a type that does not take it, text in an array above all.
    Misplaced,
    /// A top-level type holds both text and array elements.
    MixedRoot,
    /// It has more than `limits::DOCUMENT_PARTS_MAX` parts, or what yrs would copy or move goes beyond
    /// another bound on documents.
    TooManyParts,
    /// An embed or a format is JSON to browsers and not to yrs.
    UnreadableJson,
    /// Looking through it takes more steps than its bytes are worth.
    TooCostly,
}

impl From<Exhausted> for Unsupported {
    fn from(_: Exhausted) -> Self {
        Self::TooCostly
    }
}

/// How the list content of a top-level type is to be read; its name does not say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RootContent {
    /// There is none: a map, or nothing.
    #[default]
    None,
    /// As text.
    Text,
    /// As an array.
    Array,
    /// As an XML fragment: it holds XML types and nothing else.
    Xml,
}

/// A top-level type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Root {
    /// Its name.
    pub name: String,
    /// How its list content is to be read.
    pub content: RootContent,
    /// Whether something ever stood under a map key of it.
    pub has_entries: bool,
}

/// What let a state through.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Passed {
    /// Its top-level types, in the order of their names.
    pub roots: Vec<Root>,
    /// Structs, values in them, ranges of deletions, and one for each `limits::BUFFER_PART_BYTES` of buffers.
    pub parts: usize,
    /// Deleted clocks.
    pub deleted: u64,
}

/// Whether a state, canonical as [`super::compact`] writes it, may be given to a yrs Doc.
///
/// Spends a step for each struct each of the four times that it is looked at, for each range, and for the
/// bytes.
///
/// # Errors
/// [`Unsupported`].
pub fn document_gate(state: &[u8]) -> Result<Passed, Unsupported> {
    let mut meter = limits::UPDATE_STEPS.meter(state.len());
    let outline = scan(state, &Budgets::UNBOUNDED, &mut meter).map_err(incomplete)?;
    let mut known = Known::default();
    let admitted = admit(&mut known, state, &outline, (&Budgets::UNBOUNDED, &mut meter));
    let admission = admitted.map_err(|stop| match stop {
        Stop::Refused(refused) => incomplete(refused),
        Stop::Hole => Unsupported::Incomplete,
    })?;
    admission.commit(&mut known);
    if known
        .types()
        .iter()
        .any(|t| usize::from(t.depth) > limits::TYPE_DEPTH_MAX)
    {
        return Err(Unsupported::TypeDepth);
    }
    let mut gate = Gate {
        known: &known,
        seen: vec![Seen::default(); known.types().len()],
        marks: HashSet::new(),
        undeleted: 0,
        parts: delete_ranges(&known),
        meter,
    };
    gate.each(state, &outline, Gate::learn)?;
    gate.each(state, &outline, Gate::check)?;
    gate.check_copies()?;
    Ok(Passed {
        roots: gate.roots()?,
        parts: gate.parts,
        deleted: known.clients().iter().map(|client| deleted_clocks(client)).sum(),
    })
}

fn incomplete(refused: Refused) -> Unsupported {
    match refused {
        Refused::TooCostly => Unsupported::TooCostly,
        _ => Unsupported::Incomplete,
    }
}

/// What stands in a type.
#[derive(Clone, Copy, Debug, Default)]
struct Seen {
    /// The type's own reference; `None` for a top-level type.
    reference: Option<u8>,
    text: bool,
    elements: bool,
    xml: bool,
    types: bool,
    entries: bool,
    /// Structs of list content that is not a format.
    content: usize,
    /// Names of formats that are set somewhere.
    marks: usize,
}

struct Gate<'k, 's> {
    known: &'k Known,
    seen: Vec<Seen>,
    /// The names of formats by the index of their type.
    marks: HashSet<(u32, &'s [u8])>,
    /// Entries that stand after one that nobody deleted.
    undeleted: usize,
    /// [`Passed::parts`]: each takes a piece of memory of its own in a Doc, however few bytes it is here.
    parts: usize,
    meter: Meter,
}

/// One struct with its place.
struct Placed<'a> {
    it: Struct<'a>,
    slot: Slot,
    /// The index of the type that it holds.
    holds: Option<u32>,
}

impl<'s> Gate<'_, 's> {
    fn each(
        &mut self,
        state: &'s [u8],
        outline: &Outline,
        mut visit: impl FnMut(&mut Self, &Placed<'s>) -> Result<(), Unsupported>,
    ) -> Result<(), Unsupported> {
        for section in &outline.sections {
            let known = self.known;
            let client = known.place(section.client).and_then(|at| known.client(at));
            let client = client.ok_or(Unsupported::Incomplete)?;
            let bytes = state.get(section.start..section.end).unwrap_or_default();
            let mut reader = Reader::new(bytes);
            let mut clock = section.clock;
            while !reader.rest().is_empty() {
                let it = read_struct::<false>(&mut reader).map_err(|_| Unsupported::Incomplete)?;
                self.meter.spend_bytes(it.raw.len())?;
                let slot = client.slot(clock);
                let holds = if it.kind == Kind::Type {
                    client.type_at(clock)
                } else {
                    None
                };
                visit(self, &Placed { it, slot, holds })?;
                clock = clock.saturating_add(it.len);
            }
        }
        Ok(())
    }

    fn seen_mut(&mut self, index: Option<u32>) -> Option<&mut Seen> {
        let index = index.and_then(|index| usize::try_from(index).ok())?;
        self.seen.get_mut(index)
    }

    /// Notes the references of the types.
    fn learn(&mut self, placed: &Placed<'s>) -> Result<(), Unsupported> {
        self.parts = self.parts.saturating_add(parts(&placed.it)?);
        if self.parts > limits::DOCUMENT_PARTS_MAX {
            return Err(Unsupported::TooManyParts);
        }
        let reference = placed.it.type_ref();
        if reference == Some(type_ref::XML_HOOK) {
            return Err(Unsupported::XmlHook);
        }
        if let Some(seen) = self.seen_mut(placed.holds) {
            seen.reference = reference;
        }
        Ok(())
    }

    fn check(&mut self, placed: &Placed<'s>) -> Result<(), Unsupported> {
        let it = &placed.it;
        self.check_origin(placed)?;
        match it.kind {
            Kind::Gc | Kind::Deleted => return Ok(()),
            Kind::Doc => return Err(Unsupported::Subdocument),
            Kind::Json => return Err(Unsupported::LegacyJson),
            Kind::Skip => return Err(Unsupported::Incomplete),
            _ => {}
        }
        // Collected when the state was made canonical, if its type is gone.
        let seen = self
            .seen_mut(placed.slot.type_index())
            .ok_or(Unsupported::Misplaced)?;
        if placed.slot.is_entry() {
            seen.entries = true;
            return check_entry(it);
        }
        let (of_text, of_array, of_xml) = match seen.reference {
            None => (true, true, true),
            Some(type_ref::TEXT | type_ref::XML_TEXT) => (true, false, false),
            Some(type_ref::ARRAY) => (false, true, false),
            Some(type_ref::XML_ELEMENT | type_ref::XML_FRAGMENT) => (false, false, true),
            Some(_) => (false, false, false),
        };
        let is_xml = matches!(
            it.type_ref(),
            Some(type_ref::XML_ELEMENT | type_ref::XML_FRAGMENT | type_ref::XML_TEXT)
        );
        seen.content = seen.content.saturating_add(usize::from(it.kind != Kind::Format));
        let fits = match it.kind {
            Kind::String | Kind::Format | Kind::Embed => {
                seen.text = true;
                of_text
            }
            Kind::Any | Kind::Binary => {
                seen.elements = true;
                of_array
            }
            _ if is_xml => {
                seen.xml = true;
                of_xml || of_text || of_array
            }
            _ => {
                seen.types = true;
                of_text || of_array
            }
        };
        if let (Some(mark), Some(index)) = (mark(it), placed.slot.type_index())
            && self.marks.insert((index, mark))
            && let Some(seen) = self.seen_mut(Some(index))
        {
            seen.marks = seen.marks.saturating_add(1);
        }
        if fits { Ok(()) } else { Err(Unsupported::Misplaced) }
    }

    /// An entry after one that is not deleted makes yrs delete that one, each time among all deletions so
    /// far.
    fn check_origin(&mut self, placed: &Placed<'s>) -> Result<(), Unsupported> {
        let Some(origin) = placed.it.origin.filter(|_| placed.slot.is_entry()) else {
            return Ok(());
        };
        let client = self
            .known
            .place(origin.client)
            .and_then(|at| self.known.client(at));
        if !client.is_some_and(|client| client.deleted.contains(origin.clock)) {
            self.undeleted = self.undeleted.saturating_add(1);
        }
        if self.undeleted > limits::DOCUMENT_UNDELETED_MAX {
            return Err(Unsupported::TooManyParts);
        }
        Ok(())
    }

    /// yrs gives each piece of a text a copy of all formats that hold there, when it is opened and when it is
    /// read.
    fn check_copies(&self) -> Result<(), Unsupported> {
        let copies = self
            .seen
            .iter()
            .map(|seen| seen.content.saturating_mul(seen.marks));
        if copies.fold(0, usize::saturating_add) > limits::DOCUMENT_MARKS_MAX {
            return Err(Unsupported::TooManyParts);
        }
        Ok(())
    }

    fn roots(&self) -> Result<Vec<Root>, Unsupported> {
        let mut roots = Vec::new();
        for (name, index) in self.known.roots() {
            let index = usize::try_from(index).unwrap_or(usize::MAX);
            let seen = self.seen.get(index).copied().unwrap_or_default();
            let content = match seen {
                Seen {
                    text: true,
                    elements: true,
                    ..
                } => return Err(Unsupported::MixedRoot),
                Seen { text: true, .. } => RootContent::Text,
                Seen { elements: true, .. } | Seen { types: true, .. } => RootContent::Array,
                Seen { xml: true, .. } => RootContent::Xml,
                _ => RootContent::None,
            };
            let name = std::str::from_utf8(name).map_err(|_| Unsupported::Incomplete)?;
            roots.push(Root {
                name: name.to_owned(),
                content,
                has_entries: seen.entries,
            });
        }
        roots.sort_unstable_by(|a, b| a.name.cmp(&b.name));
        Ok(roots)
    }
}

fn deleted_clocks(client: &ClientKnown) -> u64 {
    let ranges = client.deleted.iter();
    ranges
        .map(|(start, end)| u64::from(end.saturating_sub(start)))
        .sum()
}

/// Ranges of deletions.
fn delete_ranges(known: &Known) -> usize {
    let ranges = known.clients().iter().map(|client| client.deleted.len());
    ranges.fold(0, usize::saturating_add)
}

/// The name of a format that sets something; those that end one are not among what holds.
fn mark<'s>(it: &Struct<'s>) -> Option<&'s [u8]> {
    if it.kind != Kind::Format {
        return None;
    }
    let mut reader = Reader::new(it.content);
    let name = reader.blob().ok()?;
    (reader.blob() != Ok(b"null")).then_some(name)
}

/// The struct, and the values in it.
fn parts(it: &Struct<'_>) -> Result<usize, Unsupported> {
    let mut reader = Reader::new(it.content);
    let values = match it.kind {
        Kind::Any => {
            let count = reader.count().unwrap_or_default();
            let mut values = 0usize;
            for _ in 0..count {
                // Checked before.
                let skipped = skip_any::<false>(&mut reader).unwrap_or_default().values;
                values = values.saturating_add(usize::try_from(skipped).unwrap_or(usize::MAX));
            }
            values
        }
        Kind::Embed | Kind::Format => {
            if it.kind == Kind::Format {
                reader.blob().map_err(|_| Unsupported::Incomplete)?;
            }
            let json = reader.blob().map_err(|_| Unsupported::Incomplete)?;
            count_json(json).ok_or(Unsupported::UnreadableJson)?
        }
        Kind::Binary => it.content.len() / limits::BUFFER_PART_BYTES,
        _ => 0,
    };
    Ok(values.saturating_add(1))
}

/// Clients set a map entry to one value or type, after the entry before it and before nothing.
fn check_entry(it: &Struct<'_>) -> Result<(), Unsupported> {
    let is_value = matches!(it.kind, Kind::Any | Kind::Binary | Kind::Embed | Kind::Type);
    if is_value && it.len == 1 && it.right.is_none() {
        Ok(())
    } else {
        Err(Unsupported::MapEntry)
    }
}
