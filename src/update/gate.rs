//! Whether a canonical state may be opened as a yrs document.
//!
//! Owns [`document_gate`]. Must not know yrs itself, nor who asks. Key invariant: what passes is within what honest
//! Yjs clients write and yrs 0.28 reads: no subdocuments, no XML hooks, no legacy JSON, bounded depth, text only in text types, under
//! a map key only values or a type. What is refused still syncs. Tests: below and `tests/algebra`, where all that
//! passes goes through yrs.
#![deny(clippy::arithmetic_side_effects, clippy::cast_possible_truncation)]

use super::Budgets;
use super::admit::admit;
use super::any::skip_any;
use super::known::{Known, Slot};
use super::scan::{Outline, scan};
use super::structs::{Kind, Struct, read_struct, type_ref};
use crate::lib0::Reader;
use crate::limits;
use crate::meter::Meter;

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
    /// It has more than `limits::DOCUMENT_PARTS_MAX` structs and values.
    TooManyParts,
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
    /// Structs, and values in them.
    pub parts: usize,
}

/// Whether a state, canonical as [`super::compact`] writes it, may be given to a yrs Doc.
///
/// # Errors
/// [`Unsupported`].
pub fn document_gate(state: &[u8]) -> Result<Passed, Unsupported> {
    let mut meter = Meter::unbounded();
    let outline = scan(state, &Budgets::UNBOUNDED, &mut meter).map_err(|_| Unsupported::Incomplete)?;
    let mut known = Known::default();
    let admitted = admit(&mut known, state, &outline, (&Budgets::UNBOUNDED, &mut meter));
    let admission = admitted.map_err(|_| Unsupported::Incomplete)?;
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
        parts: 0,
    };
    gate.each(state, &outline, Gate::learn)?;
    gate.each(state, &outline, Gate::check)?;
    Ok(Passed {
        roots: gate.roots()?,
        parts: gate.parts,
    })
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
}

struct Gate<'k> {
    known: &'k Known,
    seen: Vec<Seen>,
    /// Structs, and values in them: each takes a piece of memory of its own in a Doc, however few bytes it is here.
    parts: usize,
}

/// One struct with its place.
struct Placed<'a> {
    it: Struct<'a>,
    slot: Slot,
    /// The index of the type that it holds.
    holds: Option<u32>,
}

impl Gate<'_> {
    fn each(
        &mut self,
        state: &[u8],
        outline: &Outline,
        mut visit: impl FnMut(&mut Self, &Placed<'_>) -> Result<(), Unsupported>,
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
    fn learn(&mut self, placed: &Placed<'_>) -> Result<(), Unsupported> {
        self.parts = self.parts.saturating_add(parts(&placed.it));
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

    fn check(&mut self, placed: &Placed<'_>) -> Result<(), Unsupported> {
        let it = &placed.it;
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
        if fits { Ok(()) } else { Err(Unsupported::Misplaced) }
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

/// The struct, and the values in it; of values that are JSON texts an upper bound.
fn parts(it: &Struct<'_>) -> usize {
    let values = match it.kind {
        Kind::Any => {
            let mut reader = Reader::new(it.content);
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
            let begins = |b: &&u8| matches!(b, b',' | b'[' | b'{');
            it.content.iter().filter(begins).count()
        }
        _ => 0,
    };
    values.saturating_add(1)
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

#[cfg(test)]
#[allow(clippy::arithmetic_side_effects, reason = "tests panic on their own mistakes")]
mod tests {
    use super::*;

    fn root(name: &str, content: RootContent, has_entries: bool) -> Root {
        Root {
            name: name.to_owned(),
            content,
            has_entries,
        }
    }

    #[test]
    fn top_level_types_are_told_by_what_they_hold() {
        let state: &[u8] = &[
            1, 6, 9, 0, 8, 1, 1, b'a', 1, 126, 4, 1, 1, b't', 1, b'x', 7, 1, 1, b'x', 3, 1, b'p', 0x28, 1, 1,
            b'm', 1, b'k', 1, 126, 1, 1, 1, b'e', 1, 4, 0, 9, 2, 1, b'y', 0,
        ];
        assert_eq!(document_gate(state), Err(Unsupported::Misplaced));
        let mut state = state.to_vec();
        state[1] = 5;
        let end = state.len() - 7;
        state.truncate(end);
        state.push(0);
        let roots = [
            root("a", RootContent::Array, false),
            root("e", RootContent::None, false),
            root("m", RootContent::None, true),
            root("t", RootContent::Text, false),
            root("x", RootContent::Xml, false),
        ];
        assert_eq!(document_gate(&state).unwrap().roots, roots);
    }

    #[test]
    fn a_document_of_too_many_parts_is_refused() {
        // One value of an array: an array of as many empty objects as fit, and one more.
        let state = |objects: usize| {
            let mut state = vec![1, 1, 9, 0, 8, 1, 1, b'a', 1, 117];
            crate::lib0::put_number(&mut state, objects as u64);
            state.resize(state.len() + 2 * objects, 0);
            let from = state.len() - 2 * objects;
            state[from..].chunks_mut(2).for_each(|object| object[0] = 118);
            state.push(0);
            state
        };
        // The struct, and the array.
        let most = limits::DOCUMENT_PARTS_MAX - 2;
        assert!(document_gate(&state(most)).is_ok());
        assert_eq!(document_gate(&state(most + 1)), Err(Unsupported::TooManyParts));
    }

    #[test]
    fn what_yrs_must_not_be_given_is_refused() {
        let table: [(&[u8], Unsupported); 10] = [
            (
                &[1, 1, 9, 0, 2, 1, 1, b'a', 1, 1, b'1', 0],
                Unsupported::LegacyJson,
            ),
            (
                &[1, 1, 9, 0, 9, 1, 1, b'm', 1, b'g', 118, 0, 0],
                Unsupported::Subdocument,
            ),
            (&[1, 1, 9, 0, 7, 1, 1, b'x', 5, 1, b'h', 0], Unsupported::XmlHook),
            (
                &[1, 1, 9, 0, 0x24, 1, 1, b'm', 1, b'k', 1, b's', 0],
                Unsupported::MapEntry,
            ),
            (
                &[1, 1, 9, 0, 0x28, 1, 1, b'm', 1, b'k', 2, 126, 126, 1, 9, 1, 0, 2],
                Unsupported::MapEntry,
            ),
            (
                &[1, 2, 9, 0, 7, 1, 1, b'a', 0, 4, 0, 9, 0, 1, b's', 0],
                Unsupported::Misplaced,
            ),
            (
                &[1, 2, 9, 0, 7, 1, 1, b'a', 1, 8, 0, 9, 0, 1, 126, 0],
                Unsupported::Misplaced,
            ),
            (
                &[1, 2, 9, 0, 7, 1, 1, b'a', 3, 1, b'p', 7, 0, 9, 0, 1, 0],
                Unsupported::Misplaced,
            ),
            (
                &[1, 2, 9, 0, 4, 1, 1, b'a', 1, b's', 0x88, 9, 0, 1, 126, 0],
                Unsupported::MixedRoot,
            ),
            (&[1, 1, 9, 1, 0x84, 9, 0, 1, b's', 0], Unsupported::Incomplete),
        ];
        for (state, reason) in table {
            assert_eq!(document_gate(state), Err(reason), "{state:?}");
        }
    }
}
