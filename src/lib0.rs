//! lib0's encoding: numbers, bytes and strings, read from a slice or appended to a vector.
//!
//! Owns [`Reader`] and the `put_*` functions, for messages, awareness and updates alike. Must not know what
//! is read. Key invariants: reading is total and strict; every number has one encoding (the shortest), so
//! what is read and written again is byte for byte the same. Tests at the end of the file.
//!
//! # Source
//! lib0 0.2, encoding.js and decoding.js: `writeVarUint`, `writeVarUint8Array`, `writeVarString`.
#![deny(clippy::arithmetic_side_effects, clippy::cast_possible_truncation)]

use crate::limits;

/// Why bytes are not what was to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Malformed {
    /// The bytes end inside a value, or a count exceeds the bytes that are left.
    Truncated,
    /// A number is encoded in more bytes than it needs; other decoders would read another value.
    OverLongNumber,
    /// A number is beyond JavaScript's safe integers, or a clock beyond `limits::CLOCK_MAX`.
    NumberTooLarge,
    /// A string is not UTF-8.
    InvalidUtf8,
}

/// A position in a slice of update bytes.
#[derive(Clone, Copy, Debug)]
pub struct Reader<'a> {
    rest: &'a [u8],
    total: usize,
}

impl<'a> Reader<'a> {
    /// Starts at the first byte.
    #[must_use]
    pub fn new(bytes: &'a [u8]) -> Self {
        Self {
            rest: bytes,
            total: bytes.len(),
        }
    }

    /// Starts at the byte `offset`; past the end it is at the end.
    #[must_use]
    pub fn at(bytes: &'a [u8], offset: usize) -> Self {
        Self {
            rest: bytes.get(offset..).unwrap_or_default(),
            total: bytes.len(),
        }
    }

    /// Bytes before this position.
    #[must_use]
    pub fn position(&self) -> usize {
        self.total.wrapping_sub(self.rest.len())
    }

    /// Whether everything was read.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// The bytes not read yet.
    #[must_use]
    pub fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// What was read since `earlier`, a position of the same reader.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> &'a [u8] {
        let read = earlier.rest.len().saturating_sub(self.rest.len());
        earlier.rest.get(..read).unwrap_or_default()
    }

    /// One byte.
    ///
    /// # Errors
    /// [`Malformed::Truncated`].
    #[inline]
    pub fn byte(&mut self) -> Result<u8, Malformed> {
        let (&first, rest) = self.rest.split_first().ok_or(Malformed::Truncated)?;
        self.rest = rest;
        Ok(first)
    }

    /// An unsigned number of at most 53 bits in its shortest encoding.
    ///
    /// # Errors
    /// [`Malformed::Truncated`], [`Malformed::OverLongNumber`], [`Malformed::NumberTooLarge`].
    #[inline]
    pub fn number(&mut self) -> Result<u64, Malformed> {
        match self.rest.split_first() {
            Some((&first, rest)) if first < 0x80 => {
                self.rest = rest;
                Ok(u64::from(first))
            }
            _ => self.long_number(),
        }
    }

    fn long_number(&mut self) -> Result<u64, Malformed> {
        let mut value = 0u64;
        let mut shift = 0u32;
        let mut rest = self.rest;
        while let Some((&byte, after)) = rest.split_first() {
            rest = after;
            // Eight groups of seven bits hold every safe integer.
            if shift > 49 {
                return Err(Malformed::NumberTooLarge);
            }
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                if byte == 0 {
                    return Err(Malformed::OverLongNumber);
                }
                if value > limits::CLIENT_ID_MAX {
                    return Err(Malformed::NumberTooLarge);
                }
                self.rest = rest;
                return Ok(value);
            }
            shift = shift.wrapping_add(7);
        }
        Err(Malformed::Truncated)
    }

    /// A clock or a length: a number of at most `limits::CLOCK_MAX`.
    ///
    /// # Errors
    /// As [`Reader::number`].
    #[inline]
    pub fn clock(&mut self) -> Result<u32, Malformed> {
        match u32::try_from(self.number()?) {
            Ok(clock) if u64::from(clock) <= limits::CLOCK_MAX => Ok(clock),
            _ => Err(Malformed::NumberTooLarge),
        }
    }

    /// A count of things that take at least one byte each, so never more than the bytes that are left.
    ///
    /// # Errors
    /// As [`Reader::number`]; [`Malformed::Truncated`] when the count cannot be met.
    #[inline]
    pub fn count(&mut self) -> Result<u32, Malformed> {
        match u32::try_from(self.number()?) {
            Ok(count) if usize::try_from(count).is_ok_and(|n| n <= self.rest.len()) => Ok(count),
            _ => Err(Malformed::Truncated),
        }
    }

    /// Steps over `bytes` bytes and returns them.
    ///
    /// # Errors
    /// [`Malformed::Truncated`].
    #[inline]
    pub fn take(&mut self, bytes: usize) -> Result<&'a [u8], Malformed> {
        let (taken, rest) = self.rest.split_at_checked(bytes).ok_or(Malformed::Truncated)?;
        self.rest = rest;
        Ok(taken)
    }

    /// Bytes with their length before them.
    ///
    /// # Errors
    /// As [`Reader::number`] and [`Reader::take`].
    #[inline]
    pub fn blob(&mut self) -> Result<&'a [u8], Malformed> {
        let bytes = self.number()?;
        self.take(usize::try_from(bytes).unwrap_or(usize::MAX))
    }

    /// A string with its length in bytes before it; its UTF-8 is checked when `CHECK`.
    ///
    /// # Errors
    /// As [`Reader::blob`]; [`Malformed::InvalidUtf8`].
    #[inline]
    pub fn text<const CHECK: bool>(&mut self) -> Result<&'a [u8], Malformed> {
        let text = self.blob()?;
        if CHECK && !is_short_ascii(text) && std::str::from_utf8(text).is_err() {
            return Err(Malformed::InvalidUtf8);
        }
        Ok(text)
    }

    /// A string with its length in bytes before it.
    ///
    /// # Errors
    /// As [`Reader::blob`]; [`Malformed::InvalidUtf8`].
    pub fn string(&mut self) -> Result<&'a str, Malformed> {
        std::str::from_utf8(self.blob()?).map_err(|_| Malformed::InvalidUtf8)
    }
}

/// Whether a text is so short that calling the checker of UTF-8 would take longer than looking, and needs
/// none: most keys and many values are.
#[inline]
fn is_short_ascii(text: &[u8]) -> bool {
    text.len() <= 16 && text.iter().fold(0, |all, byte| all | byte) < 0x80
}

/// Appends a number in its shortest encoding.
#[inline]
pub fn put_number(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    out.push((value & 0x7f) as u8);
}

/// Appends bytes with their length before them.
pub fn put_blob(out: &mut Vec<u8>, bytes: &[u8]) {
    put_number(out, u64::try_from(bytes.len()).unwrap_or(u64::MAX));
    out.extend_from_slice(bytes);
}

/// Bytes that [`put_number`] appends.
#[inline]
#[must_use]
pub fn number_bytes(value: u64) -> usize {
    let bits = 64u32.wrapping_sub((value | 1).leading_zeros());
    usize::try_from(bits.div_ceil(7)).unwrap_or(10)
}

/// UTF-16 code units of valid UTF-8.
#[inline]
#[must_use]
pub fn utf16_len(text: &[u8]) -> usize {
    if text.is_ascii() {
        return text.len();
    }
    text.chunks(128)
        .map(utf16_len_short)
        .fold(0, usize::saturating_add)
}

/// As [`utf16_len`] for at most 128 bytes: sums fit a byte, so the loop vectorises.
#[inline]
fn utf16_len_short(chunk: &[u8]) -> usize {
    let starts = chunk
        .iter()
        .fold(0u8, |n, &b| n.wrapping_add(u8::from(b & 0xc0 != 0x80)));
    let wide = chunk
        .iter()
        .fold(0u8, |n, &b| n.wrapping_add(u8::from(b >= 0xf0)));
    usize::from(starts).saturating_add(usize::from(wide))
}

/// Where `units` UTF-16 code units of valid UTF-8 end.
///
/// Returns the byte offset of the character boundary at or before the place, and whether the place is in the
/// middle of a surrogate pair (the character at the offset is then cut in two).
#[must_use]
pub fn utf16_offset(text: &[u8], units: usize) -> (usize, bool) {
    let ascii = text.get(..units).is_some_and(<[u8]>::is_ascii);
    if ascii {
        return (units, false);
    }
    let mut left = units;
    for (at, &byte) in text.iter().enumerate() {
        let wide = byte >= 0xf0;
        if byte & 0xc0 == 0x80 {
            continue;
        }
        match (left, wide) {
            (0, _) => return (at, false),
            (1, true) => return (at, true),
            (n, true) => left = n.saturating_sub(2),
            (n, false) => left = n.saturating_sub(1),
        }
    }
    (text.len(), false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_round_trip_at_each_length() {
        for shift in 0..53 {
            for value in [(1u64 << shift) - 1, 1 << shift, (1 << shift) + 1] {
                let mut out = Vec::new();
                put_number(&mut out, value);
                assert_eq!(out.len(), number_bytes(value));
                let mut reader = Reader::new(&out);
                assert_eq!(reader.number(), Ok(value), "{value}");
                assert!(reader.rest().is_empty());
            }
        }
    }

    #[test]
    fn numbers_that_others_read_differently_are_refused() {
        let table: [(&[u8], Malformed); 6] = [
            (&[], Malformed::Truncated),
            (&[0x80], Malformed::Truncated),
            (&[0x80, 0x00], Malformed::OverLongNumber),
            (&[0xff, 0x80, 0x00], Malformed::OverLongNumber),
            (
                &[0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x10],
                Malformed::NumberTooLarge,
            ),
            (&[0x80; 11], Malformed::NumberTooLarge),
        ];
        for (bytes, reason) in table {
            assert_eq!(Reader::new(bytes).number(), Err(reason), "{bytes:?}");
        }
    }

    #[test]
    fn clocks_end_at_the_limit() {
        for (value, fits) in [(-1i64, true), (0, true), (1, false)] {
            let value = limits::CLOCK_MAX.saturating_add_signed(value);
            let mut out = Vec::new();
            put_number(&mut out, value);
            assert_eq!(Reader::new(&out).clock().is_ok(), fits, "{value}");
        }
    }

    #[test]
    fn utf16_units_are_counted_as_javascript_does() {
        for text in [
            "",
            "abc",
            "a\u{e9}b",
            "\u{1f600}",
            "a\u{1f600}b\u{4e2d}",
            &"\u{1f600}x".repeat(99),
        ] {
            let units: Vec<u16> = text.encode_utf16().collect();
            assert_eq!(utf16_len(text.as_bytes()), units.len());
            for cut in 0..=units.len() {
                let (at, inside) = utf16_offset(text.as_bytes(), cut);
                let before: Vec<u16> = text[..at].encode_utf16().collect();
                assert_eq!(before.len() + usize::from(inside), cut, "{text} at {cut}");
            }
        }
    }
}
