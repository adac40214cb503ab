//! lib0 Any values and JSON texts: checked, or stepped over where they were checked before.
//!
//! Owns the two grammars and the bound on their depth. Must not know structs. Key invariant: a value that
//! passes is read by lib0's `readAny` or JavaScript's `JSON.parse` without an error, and nests at most
//! `limits::ANY_DEPTH_MAX` levels. Tests at the end of the file.
#![deny(clippy::arithmetic_side_effects, clippy::cast_possible_truncation)]

use serde::de::{Deserialize, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::{Budget, Reason, Refused};
use crate::lib0::Reader;
use crate::limits;

/// The member of an object that sets its prototype.
pub(super) const PROTO: &[u8] = b"__proto__";

/// What was stepped over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Skipped {
    /// Values, with those in them; a buffer counts for one more each `limits::BUFFER_PART_BYTES`.
    pub values: u32,
    /// Whether an object has a member that JavaScript takes for its prototype: Yjs throws when it writes it
    /// again.
    pub names_proto: bool,
}

/// Steps over one Any value; strings and numbers are checked when `CHECK`.
///
/// # Errors
/// What the value breaks; [`Budget::AnyDepth`] when it nests too deep.
pub fn skip_any<const CHECK: bool>(reader: &mut Reader<'_>) -> Result<Skipped, Refused> {
    let mut skipped = Skipped::default();
    skip_value::<CHECK>(reader, 0, &mut skipped)?;
    Ok(skipped)
}

/// Steps over a value that lies so many levels deep. Only what holds others calls itself: most values do not.
#[inline]
fn skip_value<const CHECK: bool>(
    reader: &mut Reader<'_>,
    depth: usize,
    skipped: &mut Skipped,
) -> Result<(), Refused> {
    skipped.values = skipped.values.saturating_add(1);
    match reader.byte()? {
        126 | 127 | 120 | 121 => {}
        125 => skip_integer::<CHECK>(reader)?,
        124 => drop(reader.take(4)?),
        122 | 123 => drop(reader.take(8)?),
        119 => drop(reader.text::<CHECK>()?),
        116 => {
            let parts = reader.blob()?.len() / limits::BUFFER_PART_BYTES;
            let parts = u32::try_from(parts).unwrap_or(u32::MAX);
            skipped.values = skipped.values.saturating_add(parts);
        }
        118 => skip_object::<CHECK>(reader, depth, skipped)?,
        117 => skip_array::<CHECK>(reader, depth, skipped)?,
        _ => return Err(Reason::UnknownAny.into()),
    }
    Ok(())
}

fn skip_object<const CHECK: bool>(
    reader: &mut Reader<'_>,
    depth: usize,
    skipped: &mut Skipped,
) -> Result<(), Refused> {
    let depth = deeper(depth)?;
    for _ in 0..reader.count()? {
        skipped.names_proto |= reader.text::<CHECK>()? == PROTO;
        skip_value::<CHECK>(reader, depth, skipped)?;
    }
    Ok(())
}

fn skip_array<const CHECK: bool>(
    reader: &mut Reader<'_>,
    depth: usize,
    skipped: &mut Skipped,
) -> Result<(), Refused> {
    let depth = deeper(depth)?;
    for _ in 0..reader.count()? {
        skip_value::<CHECK>(reader, depth, skipped)?;
    }
    Ok(())
}

fn deeper(depth: usize) -> Result<usize, Budget> {
    if depth >= limits::ANY_DEPTH_MAX {
        return Err(Budget::AnyDepth);
    }
    Ok(depth.saturating_add(1))
}

/// A signed number: sign and six bits in the first byte, then seven a byte (lib0 `readVarInt`).
fn skip_integer<const CHECK: bool>(reader: &mut Reader<'_>) -> Result<(), Reason> {
    let first = reader.byte()?;
    if first < 0x80 {
        return Ok(());
    }
    let mut value = u64::from(first & 0x3f);
    let mut shift = 6u32;
    loop {
        let byte = reader.byte()?;
        if shift > 48 {
            return Err(Reason::NumberTooLarge);
        }
        value |= u64::from(byte & 0x7f) << shift;
        shift = shift.wrapping_add(7);
        if byte < 0x80 {
            return match byte {
                0 if CHECK => Err(Reason::OverLongNumber),
                _ if CHECK && value > limits::CLIENT_ID_MAX => Err(Reason::NumberTooLarge),
                _ => Ok(()),
            };
        }
    }
}

/// Steps over the options of a subdocument: an object that Yjs's `new Doc` takes without harm.
///
/// Stock clients write `gc`, `autoLoad` and `meta`. A `gcFilter` that is not a function throws at the first
/// deletion, and an id or collection that is not a string throws when it is written.
///
/// # Errors
/// [`Reason::SubdocumentOptions`], or what the value breaks.
pub fn skip_subdocument_options<const CHECK: bool>(reader: &mut Reader<'_>) -> Result<Skipped, Refused> {
    if !CHECK {
        return skip_any::<CHECK>(reader);
    }
    let mut skipped = Skipped::default();
    if reader.byte()? != 118 {
        return Err(Reason::SubdocumentOptions.into());
    }
    for _ in 0..reader.count()? {
        let key = reader.text::<CHECK>()?;
        let tag = reader.rest().first().copied();
        let allowed = match key {
            b"gcFilter" | PROTO => false,
            b"guid" | b"collectionid" => tag == Some(119),
            _ => true,
        };
        if !allowed {
            return Err(Reason::SubdocumentOptions.into());
        }
        skip_value::<CHECK>(reader, 1, &mut skipped)?;
    }
    Ok(skipped)
}

/// Checks one JSON text.
///
/// # Errors
/// [`Reason::InvalidUtf8`], [`Reason::InvalidJson`], [`Budget::AnyDepth`].
pub fn check_json(text: &[u8]) -> Result<(), Refused> {
    // Depth first: it bounds what the parser keeps.
    if json_depth(text) > limits::ANY_DEPTH_MAX {
        return Err(Budget::AnyDepth.into());
    }
    let text = std::str::from_utf8(text).map_err(|_| Reason::InvalidUtf8)?;
    match serde_json::from_str::<IgnoredAny>(text) {
        Ok(_) => Ok(()),
        Err(_) => Err(Reason::InvalidJson.into()),
    }
}

/// How many values a JSON text is, with those in it, as a decoder in Rust reads it: yrs keeps embeds and
/// formats so.
///
/// `None` where it reads nothing: JavaScript takes lone surrogates, and numbers beyond a double and beyond 64
/// bits.
#[must_use]
pub fn count_json(text: &[u8]) -> Option<usize> {
    serde_json::from_slice::<Decoded>(text)
        .ok()
        .map(|decoded| decoded.0)
}

/// Values of a JSON text that were decoded, not only stepped over.
struct Decoded(usize);

impl<'de> Deserialize<'de> for Decoded {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Decode).map(Self)
    }
}

struct Decode;

impl<'de> Visitor<'de> for Decode {
    type Value = usize;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<usize, E> {
        Ok(1)
    }

    fn visit_bool<E>(self, _: bool) -> Result<usize, E> {
        Ok(1)
    }

    fn visit_i64<E>(self, _: i64) -> Result<usize, E> {
        Ok(1)
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<usize, E> {
        // yrs keeps whole numbers in 64 bits with a sign.
        i64::try_from(value).map(|_| 1).map_err(E::custom)
    }

    fn visit_f64<E>(self, _: f64) -> Result<usize, E> {
        Ok(1)
    }

    fn visit_str<E>(self, _: &str) -> Result<usize, E> {
        Ok(1)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<usize, A::Error> {
        let mut values = 1usize;
        while let Some(Decoded(inner)) = seq.next_element()? {
            values = values.saturating_add(inner);
        }
        Ok(values)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<usize, A::Error> {
        let mut values = 1usize;
        while let Some((Decoded(_), Decoded(inner))) = map.next_entry()? {
            values = values.saturating_add(inner);
        }
        Ok(values)
    }
}

/// The deepest nesting of brackets outside strings; exact for valid JSON, some number for anything else.
fn json_depth(text: &[u8]) -> usize {
    let mut depth = 0usize;
    let mut deepest = 0usize;
    let mut in_string = false;
    let mut escaped = false;
    for &byte in text {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            b'[' | b'{' if !in_string => {
                depth = depth.saturating_add(1);
                deepest = deepest.max(depth);
            }
            b']' | b'}' if !in_string => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

#[cfg(test)]
mod tests {
    use super::*;

    fn any(bytes: &[u8]) -> Result<(), Refused> {
        let mut reader = Reader::new(bytes);
        skip_any::<true>(&mut reader)?;
        assert!(reader.rest().is_empty(), "{bytes:?}");
        let mut trusted = Reader::new(bytes);
        skip_any::<false>(&mut trusted).unwrap();
        assert!(trusted.rest().is_empty());
        Ok(())
    }

    #[test]
    fn each_any_tag_is_stepped_over_exactly() {
        let table: [&[u8]; 14] = [
            &[127],
            &[126],
            &[125, 0x3f],
            &[125, 0x40],
            &[125, 0xbf, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x1f],
            &[124, 0, 0, 0, 0],
            &[123, 0, 0, 0, 0, 0, 0, 0, 0],
            &[122, 0, 0, 0, 0, 0, 0, 0, 0],
            &[121],
            &[120],
            &[119, 2, 0xc3, 0xa9],
            &[118, 2, 1, b'a', 126, 1, b'b', 117, 0],
            &[117, 2, 126, 117, 1, 120],
            &[116, 3, 0xff, 0, 1],
        ];
        for bytes in table {
            assert_eq!(any(bytes), Ok(()), "{bytes:?}");
        }
    }

    #[test]
    fn any_values_that_lib0_would_not_read_are_refused() {
        let table: [(&[u8], Reason); 8] = [
            (&[115], Reason::UnknownAny),
            (&[128], Reason::UnknownAny),
            (&[124, 0, 0, 0], Reason::Truncated),
            (&[119, 1, 0xff], Reason::InvalidUtf8),
            (&[117, 2, 126], Reason::Truncated),
            (&[118, 1, 1, 0xff, 126], Reason::InvalidUtf8),
            (&[125, 0x80, 0x00], Reason::OverLongNumber),
            (
                &[125, 0xbf, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x3f],
                Reason::NumberTooLarge,
            ),
        ];
        for (bytes, reason) in table {
            assert_eq!(any(bytes), Err(Refused::Malformed(reason)), "{bytes:?}");
        }
    }

    #[test]
    fn depth_ends_at_the_limit_for_any_and_json() {
        for (levels, fits) in [
            (limits::ANY_DEPTH_MAX - 1, true),
            (limits::ANY_DEPTH_MAX, true),
            (limits::ANY_DEPTH_MAX + 1, false),
        ] {
            let mut bytes = [117u8, 1].repeat(levels);
            bytes.push(126);
            assert_eq!(any(&bytes).is_ok(), fits, "any of {levels} levels");
            let json = format!("{}{}", "[".repeat(levels), "]".repeat(levels));
            assert_eq!(
                check_json(json.as_bytes()).is_ok(),
                fits,
                "json of {levels} levels"
            );
        }
    }

    #[test]
    fn json_is_what_javascript_parses() {
        for good in ["1", "null", " {\"a\":[1e999,-0.5,\"\\ud800\"]} ", "\"[[[\\\"\""] {
            assert_eq!(check_json(good.as_bytes()), Ok(()), "{good}");
        }
        for bad in [
            "",
            "undefined",
            "01",
            "'a'",
            "{a:1}",
            "[1,]",
            "\u{feff}1",
            "NaN",
            "\"\n\"",
            "1 2",
        ] {
            assert_eq!(
                check_json(bad.as_bytes()),
                Err(Refused::Malformed(Reason::InvalidJson)),
                "{bad}"
            );
        }
    }

    #[test]
    fn json_that_only_javascript_reads_has_no_count() {
        let table = [
            ("1", Some(1)),
            ("9223372036854775807", Some(1)),
            ("[{\"a\":[1,null,true]},\"x\"]", Some(7)),
            ("{\"\\ud83d\\ude00\":-0.5}", Some(2)),
            ("1e999", None),
            ("[-1e999]", None),
            ("9223372036854775808", None),
            ("\"\\ud800\"", None),
            ("{\"\\udc00\":1}", None),
        ];
        for (text, values) in table {
            assert_eq!(check_json(text.as_bytes()), Ok(()), "{text}");
            assert_eq!(count_json(text.as_bytes()), values, "{text}");
        }
    }

    #[test]
    fn subdocument_options_are_an_object_without_traps() {
        let good: [&[u8]; 2] = [&[118, 0], &[118, 1, 2, b'g', b'c', 121]];
        for bytes in good {
            assert!(skip_subdocument_options::<true>(&mut Reader::new(bytes)).is_ok());
        }
        let mut filter = vec![118, 1, 8];
        filter.extend_from_slice(b"gcFilter\x7e");
        let bad: [&[u8]; 3] = [&[126], &[118, 1, 4, b'g', b'u', b'i', b'd', 126], &filter];
        for bytes in bad {
            assert_eq!(
                skip_subdocument_options::<true>(&mut Reader::new(bytes)),
                Err(Refused::Malformed(Reason::SubdocumentOptions))
            );
        }
    }
}
