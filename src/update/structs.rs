//! One struct of an update: header, content, length, and the encoding of a part of it.
//!
//! Owns [`Struct`] and [`read_struct`]. Must not know clients' histories or delete sets. Key invariant: the
//! slices of a struct lie one after the other in [`Struct::raw`], so a struct that is kept whole is copied as
//! it came. Source: Yjs `structs/Item.js` (`write`), `utils/encoding.js` (`readClientsStructRefs`). Tests:
//! `scan` and `tests/algebra`.
#![deny(clippy::arithmetic_side_effects, clippy::cast_possible_truncation)]

use super::any;
use super::{Reason, Refused};
use crate::lib0::{Reader, number_bytes, put_blob, put_number, utf16_len, utf16_offset};

const INFO_ORIGIN: u8 = 0x80;
const INFO_RIGHT: u8 = 0x40;
const INFO_KEY: u8 = 0x20;
const INFO_REF: u8 = 0x1f;

/// U+FFFD, which Yjs puts on both sides of a cut surrogate pair.
const REPLACEMENT: &[u8] = "\u{fffd}".as_bytes();

/// Names one clock of one client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Id {
    /// The client.
    pub client: u64,
    /// The clock.
    pub clock: u32,
}

/// What a struct is; the values are those of the format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
    /// Collected together with its parent; nothing but a length is left.
    Gc = 0,
    /// A deleted item whose place is still known.
    Deleted = 1,
    /// JSON texts, one a clock.
    Json = 2,
    /// Bytes.
    Binary = 3,
    /// Text, one UTF-16 code unit a clock.
    String = 4,
    /// An object in a text, as JSON.
    Embed = 5,
    /// A formatting mark.
    Format = 6,
    /// A shared type.
    Type = 7,
    /// Any values, one a clock.
    Any = 8,
    /// A subdocument.
    Doc = 9,
    /// A gap in an update.
    Skip = 10,
}

impl Kind {
    fn of_info(info: u8) -> Option<Self> {
        Some(match info & INFO_REF {
            0 => Self::Gc,
            1 => Self::Deleted,
            2 => Self::Json,
            3 => Self::Binary,
            4 => Self::String,
            5 => Self::Embed,
            6 => Self::Format,
            7 => Self::Type,
            8 => Self::Any,
            9 => Self::Doc,
            10 => Self::Skip,
            _ => return None,
        })
    }

    /// Whether it has an origin or a parent, as all but GC and Skip do.
    #[must_use]
    pub fn is_item(self) -> bool {
        !matches!(self, Self::Gc | Self::Skip)
    }
}

/// The shared type references of Yjs: array, map, text, XML element, fragment, hook, text.
pub mod type_ref {
    /// `Y.Array`.
    pub const ARRAY: u8 = 0;
    /// `Y.Map`.
    pub const MAP: u8 = 1;
    /// `Y.Text`.
    pub const TEXT: u8 = 2;
    /// `Y.XmlElement`; a name follows.
    pub const XML_ELEMENT: u8 = 3;
    /// `Y.XmlFragment`.
    pub const XML_FRAGMENT: u8 = 4;
    /// `Y.XmlHook`; a name follows.
    pub const XML_HOOK: u8 = 5;
    /// `Y.XmlText`.
    pub const XML_TEXT: u8 = 6;
}

/// Where an item says it belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Parent<'a> {
    /// Where its origin, or else its right origin, belongs.
    Inherited,
    /// The top-level type of this name.
    Root(&'a [u8]),
    /// The shared type that this item holds.
    Item(Id),
}

/// One struct as it stands in an update.
#[derive(Clone, Copy, Debug)]
pub struct Struct<'a> {
    /// What it is.
    pub kind: Kind,
    info: u8,
    /// Clocks it covers, at least 1.
    pub len: u32,
    /// Whether a value in it has a member `__proto__`.
    pub names_proto: bool,
    /// The clock it was inserted after.
    pub origin: Option<Id>,
    /// The clock it was inserted before.
    pub right: Option<Id>,
    /// Where it belongs; `Inherited` for GC and Skip.
    pub parent: Parent<'a>,
    /// The map key, where the parent is explicit and a map entry is set.
    pub key: Option<&'a [u8]>,
    /// All of its bytes.
    pub raw: &'a [u8],
    /// The content, which ends `raw`.
    pub content: &'a [u8],
}

/// Reads one struct; UTF-8, JSON and Any values are checked when `CHECK`, and stepped over otherwise.
///
/// # Errors
/// What the struct breaks.
pub fn read_struct<'a, const CHECK: bool>(reader: &mut Reader<'a>) -> Result<Struct<'a>, Refused> {
    let start = *reader;
    let info = reader.byte()?;
    let kind = Kind::of_info(info).ok_or(Reason::UnknownContent)?;
    let mut it = Struct {
        kind,
        info,
        len: 0,
        names_proto: false,
        origin: None,
        right: None,
        parent: Parent::Inherited,
        key: None,
        raw: &[],
        content: &[],
    };
    if kind.is_item() {
        read_header::<CHECK>(reader, &mut it)?;
    } else if info & !INFO_REF != 0 {
        return Err(Reason::UnknownContent.into());
    }
    let content = *reader;
    read_content::<CHECK>(reader, &mut it)?;
    if it.len == 0 {
        return Err(Reason::ZeroLength.into());
    }
    it.raw = reader.since(&start);
    it.content = reader.since(&content);
    Ok(it)
}

fn read_id(reader: &mut Reader<'_>) -> Result<Id, Reason> {
    Ok(Id {
        client: reader.number()?,
        clock: reader.clock()?,
    })
}

fn read_header<'a, const CHECK: bool>(reader: &mut Reader<'a>, it: &mut Struct<'a>) -> Result<(), Reason> {
    if it.info & INFO_ORIGIN != 0 {
        it.origin = Some(read_id(reader)?);
    }
    if it.info & INFO_RIGHT != 0 {
        it.right = Some(read_id(reader)?);
    }
    // The key bit is also set, but no key follows, where the parent is inherited.
    if it.info & (INFO_ORIGIN | INFO_RIGHT) == 0 {
        it.parent = match reader.number()? {
            1 => Parent::Root(reader.text::<CHECK>()?),
            0 => Parent::Item(read_id(reader)?),
            _ => return Err(Reason::UnknownParent),
        };
        if it.info & INFO_KEY != 0 {
            it.key = Some(reader.text::<CHECK>()?);
        }
    }
    Ok(())
}

/// Steps over the content, and notes the clocks it covers.
fn read_content<const CHECK: bool>(reader: &mut Reader<'_>, it: &mut Struct<'_>) -> Result<(), Refused> {
    it.len = 1;
    match it.kind {
        Kind::Gc | Kind::Deleted | Kind::Skip => it.len = reader.clock()?,
        Kind::String => {
            let units = utf16_len(reader.text::<CHECK>()?);
            it.len = u32::try_from(units).map_err(|_| Reason::NumberTooLarge)?;
        }
        Kind::Any => {
            it.len = reader.count()?;
            for _ in 0..it.len {
                it.names_proto |= any::skip_any::<CHECK>(reader)?.names_proto;
            }
        }
        Kind::Json => {
            it.len = reader.count()?;
            for _ in 0..it.len {
                let text = reader.blob()?;
                if CHECK && text != b"undefined" {
                    any::check_json(text)?;
                }
            }
        }
        Kind::Binary => drop(reader.blob()?),
        Kind::Embed => read_json::<CHECK>(reader)?,
        Kind::Format => {
            reader.text::<CHECK>()?;
            read_json::<CHECK>(reader)?;
        }
        Kind::Type => drop(read_type::<CHECK>(reader)?),
        Kind::Doc => {
            reader.text::<CHECK>()?;
            it.names_proto |= any::skip_subdocument_options::<CHECK>(reader)?.names_proto;
        }
    }
    Ok(())
}

fn read_json<const CHECK: bool>(reader: &mut Reader<'_>) -> Result<(), Refused> {
    let text = reader.blob()?;
    if CHECK {
        any::check_json(text)?;
    }
    Ok(())
}

fn read_type<const CHECK: bool>(reader: &mut Reader<'_>) -> Result<u8, Reason> {
    let reference = match u8::try_from(reader.number()?) {
        Ok(reference) if reference <= type_ref::XML_TEXT => reference,
        _ => return Err(Reason::UnknownType),
    };
    if matches!(reference, type_ref::XML_ELEMENT | type_ref::XML_HOOK) {
        reader.text::<CHECK>()?;
    }
    Ok(reference)
}

impl<'a> Struct<'a> {
    /// The reference of the shared type that this struct holds, if it holds one.
    #[must_use]
    pub fn type_ref(&self) -> Option<u8> {
        match self.kind {
            Kind::Type => self.content.first().copied(),
            _ => None,
        }
    }

    /// Whether pieces of this kind can be joined into one struct.
    #[must_use]
    pub fn can_grow(&self) -> bool {
        matches!(
            self.kind,
            Kind::Gc | Kind::Deleted | Kind::Json | Kind::String | Kind::Any
        )
    }

    /// Appends the header of the part that starts `from` clocks into the struct, as an item of `kind`.
    ///
    /// `id` is where the struct starts. A part that does not start at the struct's own start has the clock
    /// before it as its origin, as Yjs writes it.
    pub fn put_header(&self, out: &mut Vec<u8>, kind: Kind, id: Id, from: u32) {
        let right = self.info & INFO_RIGHT;
        if from == 0 {
            let head_bytes = self.raw.len().saturating_sub(self.content.len());
            out.push(kind as u8 | self.info & !INFO_REF);
            out.extend_from_slice(self.raw.get(1..head_bytes).unwrap_or_default());
            return;
        }
        out.push(kind as u8 | INFO_ORIGIN | right | self.info & INFO_KEY);
        put_number(out, id.client);
        put_number(out, u64::from(id.clock.wrapping_add(from).wrapping_sub(1)));
        if let Some(right) = self.right {
            put_number(out, right.client);
            put_number(out, u64::from(right.clock));
        }
    }

    /// Where to cut the struct, counted in clocks from its start, so that what comes behind takes at most
    /// `bytes_max` as a struct of its own. `None` where it cannot be cut, or not even its last value takes so
    /// little. No character is cut.
    #[must_use]
    pub fn cut_for(&self, id: Id, bytes_max: usize) -> Option<u32> {
        let mut head = Vec::new();
        // None is longer: that of a part names a clock of the struct.
        self.put_header(&mut head, self.kind, id, self.len);
        let mut values = Values::of(self);
        let length = number_bytes(u64::try_from(self.content.len()).unwrap_or(u64::MAX));
        values.skip_for(bytes_max.checked_sub(head.len().saturating_add(length))?);
        (!values.rest().is_empty()).then_some(values.at)
    }

    /// Appends the part of the struct that covers its clocks `from..to`.
    ///
    /// `id` is where the whole struct starts.
    pub fn put_part(&self, out: &mut Vec<u8>, id: Id, from: u32, to: u32) {
        if from == 0 && to == self.len {
            out.extend_from_slice(self.raw);
            return;
        }
        let len = to.saturating_sub(from);
        match self.kind {
            Kind::Gc | Kind::Skip => {
                out.push(self.info);
                put_number(out, u64::from(len));
            }
            Kind::Deleted => {
                self.put_header(out, self.kind, id, from);
                put_number(out, u64::from(len));
            }
            _ => {
                let mut values = Vec::new();
                let mut cursor = Values::of(self);
                cursor.skip_to(from);
                cursor.put_to(to, &mut values);
                self.put_header(out, self.kind, id, from);
                put_content(out, self.kind, len, &values);
            }
        }
    }
}

/// Appends the content of a kind that can grow: its length in the unit of the kind, then its values.
pub fn put_content(out: &mut Vec<u8>, kind: Kind, len: u32, values: &[u8]) {
    match kind {
        Kind::String => put_blob(out, values),
        Kind::Any | Kind::Json => {
            put_number(out, u64::from(len));
            out.extend_from_slice(values);
        }
        _ => put_number(out, u64::from(len)),
    }
}

/// The first byte of an item with its key bit as it is for a map entry.
#[must_use]
pub fn as_entry(info: u8) -> u8 {
    info | INFO_KEY
}

/// The same as it is for list content.
#[must_use]
pub fn as_content(info: u8) -> u8 {
    info & !INFO_KEY
}

/// Bytes of one delete range.
#[must_use]
pub fn range_bytes(start: u32, end: u32) -> usize {
    let len = u64::from(end.saturating_sub(start));
    number_bytes(u64::from(start)).saturating_add(number_bytes(len))
}

/// The values of a struct of a kind that can grow, taken from the first on.
///
/// Each byte is looked at once, however many pieces a struct is cut into.
#[derive(Clone, Copy, Debug)]
pub struct Values<'a> {
    kind: Kind,
    rest: &'a [u8],
    /// Clocks that were passed.
    at: u32,
    /// Whether the first half of a surrogate pair was passed, but not its second.
    in_pair: bool,
}

impl<'a> Values<'a> {
    /// Starts at the first value.
    #[must_use]
    pub fn of(it: &Struct<'a>) -> Self {
        let mut reader = Reader::new(it.content);
        let rest = match it.kind {
            Kind::String => reader.blob().unwrap_or_default(),
            Kind::Any | Kind::Json => reader.number().map_or(&[][..], |_count| reader.rest()),
            _ => &[],
        };
        Self {
            kind: it.kind,
            rest,
            at: 0,
            in_pair: false,
        }
    }

    /// All values that are left, as bytes; no half surrogate pair may be left.
    #[must_use]
    pub fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// Passes the values up to the clock `to`.
    pub fn skip_to(&mut self, to: u32) {
        self.advance(to, None);
    }

    /// Passes the first value, and on until what is left takes at most `bytes_max`.
    fn skip_for(&mut self, bytes_max: usize) {
        if self.kind == Kind::String {
            let mut from = self.rest.len().saturating_sub(bytes_max).max(1);
            // Bytes that go on with a character.
            while self.rest.get(from).is_some_and(|byte| byte & 0xc0 == 0x80) {
                from = from.saturating_add(1);
            }
            let (passed, rest) = self.rest.split_at_checked(from).unwrap_or((self.rest, &[]));
            self.at = u32::try_from(utf16_len(passed)).unwrap_or(u32::MAX);
            self.rest = rest;
            return;
        }
        loop {
            let before = self.rest.len();
            self.skip_to(self.at.saturating_add(1));
            if self.rest.len() <= bytes_max || self.rest.len() == before {
                return;
            }
        }
    }

    /// Appends the values up to the clock `to`; half a surrogate pair becomes U+FFFD, as Yjs has it.
    pub fn put_to(&mut self, to: u32, out: &mut Vec<u8>) {
        self.advance(to, Some(out));
    }

    fn advance(&mut self, to: u32, out: Option<&mut Vec<u8>>) {
        let mut clocks = to.saturating_sub(self.at);
        if clocks == 0 {
            return;
        }
        self.at = to;
        let was_in_pair = std::mem::take(&mut self.in_pair);
        clocks = clocks.saturating_sub(u32::from(was_in_pair));
        let passed = if self.kind == Kind::String {
            let units = usize::try_from(clocks).unwrap_or(usize::MAX);
            let (offset, in_pair) = utf16_offset(self.rest, units);
            self.in_pair = in_pair;
            let (passed, rest) = self.rest.split_at_checked(offset).unwrap_or((self.rest, &[]));
            // A character outside the basic plane takes four bytes.
            self.rest = rest.get(if in_pair { 4 } else { 0 }..).unwrap_or_default();
            passed
        } else {
            let mut reader = Reader::new(self.rest);
            let start = reader;
            for _ in 0..clocks {
                // Each value was read before.
                let read = match self.kind {
                    Kind::Json => reader.blob().is_ok(),
                    _ => any::skip_any::<false>(&mut reader).is_ok(),
                };
                if !read {
                    break;
                }
            }
            self.rest = reader.rest();
            reader.since(&start)
        };
        if let Some(out) = out {
            if was_in_pair {
                out.extend_from_slice(REPLACEMENT);
            }
            out.extend_from_slice(passed);
            if self.in_pair {
                out.extend_from_slice(REPLACEMENT);
            }
        }
    }
}

#[cfg(test)]
#[allow(
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    reason = "tests panic on their own mistakes"
)]
mod tests {
    use super::*;

    fn part(text: &str, from: u32, to: u32) -> String {
        let mut bytes = vec![4, 1, 0];
        put_blob(&mut bytes, text.as_bytes());
        let it = read_struct::<true>(&mut Reader::new(&bytes)).unwrap();
        let mut values = Values::of(&it);
        let mut out = Vec::new();
        values.skip_to(from);
        values.put_to(to, &mut out);
        let mut rest = Vec::new();
        values.put_to(it.len, &mut rest);
        let units = text.encode_utf16().skip(to as usize).collect::<Vec<_>>();
        assert_eq!(String::from_utf8(rest).unwrap(), String::from_utf16_lossy(&units));
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_cut_surrogate_pair_becomes_a_replacement_on_both_sides() {
        let text = "a\u{1f600}b\u{1f601}\u{1f602}";
        let units: Vec<u16> = text.encode_utf16().collect();
        for from in 0..units.len() {
            for to in from + 1..=units.len() {
                let expected = String::from_utf16_lossy(&units[from..to]);
                assert_eq!(part(text, from as u32, to as u32), expected, "{from}..{to}");
            }
        }
    }

    #[test]
    fn a_part_of_a_struct_reads_as_a_struct_with_the_clock_before_as_origin() {
        let any: &[u8] = &[8, 1, 1, b'r', 3, 125, 1, 119, 1, b'x', 126];
        let text: &[u8] = &[0x44, 9, 7, 5, b'h', b'e', b'l', b'l', b'o'];
        let json: &[u8] = &[2, 1, 1, b'r', 2, 1, b'1', 4, b'n', b'u', b'l', b'l'];
        let deleted: &[u8] = &[0x81, 9, 7, 5];
        let gc: &[u8] = &[0, 9];
        let id = Id {
            client: 300,
            clock: 40,
        };
        for bytes in [any, text, json, deleted, gc] {
            let mut reader = Reader::new(bytes);
            let whole = read_struct::<true>(&mut reader).unwrap();
            assert!(reader.rest().is_empty());
            for from in 0..whole.len {
                for to in from + 1..=whole.len {
                    let mut out = Vec::new();
                    whole.put_part(&mut out, id, from, to);
                    let mut reader = Reader::new(&out);
                    let part = read_struct::<true>(&mut reader).unwrap();
                    assert!(reader.rest().is_empty());
                    assert_eq!(
                        (part.kind, part.len, part.right),
                        (whole.kind, to - from, whole.right)
                    );
                    if from > 0 && whole.kind.is_item() {
                        let before = Id {
                            client: 300,
                            clock: 40 + from - 1,
                        };
                        assert_eq!(part.origin, Some(before));
                    } else {
                        assert_eq!((part.origin, part.parent), (whole.origin, whole.parent));
                    }
                }
            }
        }
    }

    #[test]
    fn structs_that_stock_yjs_would_throw_on_are_refused() {
        let table: [(&[u8], Reason); 12] = [
            (&[], Reason::Truncated),
            (&[11, 1, 1, b'r', 1], Reason::UnknownContent),
            (&[0x80, 1], Reason::UnknownContent),
            (&[0x2a, 1], Reason::UnknownContent),
            (&[0, 0], Reason::ZeroLength),
            (&[4, 1, 1, b'r', 0], Reason::ZeroLength),
            (&[8, 1, 1, b'r', 0], Reason::ZeroLength),
            (&[4, 2, 1, b'r', 1, b'x'], Reason::UnknownParent),
            (&[4, 1, 1, 0xff, 1, b'x'], Reason::InvalidUtf8),
            (&[7, 1, 1, b'r', 7], Reason::UnknownType),
            (&[5, 1, 1, b'r', 1, b'x'], Reason::InvalidJson),
            (&[8, 1, 1, b'r', 3, 126, 126], Reason::Truncated),
        ];
        for (bytes, reason) in table {
            let read = read_struct::<true>(&mut Reader::new(bytes));
            assert_eq!(read.unwrap_err(), Refused::Malformed(reason), "{bytes:?}");
        }
    }
}
