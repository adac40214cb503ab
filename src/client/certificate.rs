//! Until when a certificate is good.
//!
//! Owns the few steps into X.509 that this takes. Must not decide whether to trust: TLS has done so before.
//! Key invariant: total and without recursion, whatever the bytes are; each length is held against what is
//! there. Tests are below.
//!
//! # Source
//! RFC 5280, 4.1; X.690, 8.1.
#![deny(clippy::arithmetic_side_effects, clippy::cast_possible_truncation)]

use crate::time::UnixMillis;

const INTEGER: u8 = 0x02;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;
const SEQUENCE: u8 = 0x30;
/// The version, which older certificates lack.
const VERSION: u8 = 0xA0;

/// When the certificate in these bytes (DER) ends.
pub(super) fn ends_at(der: &[u8]) -> Option<UnixMillis> {
    let (certificate, _) = expect(der, SEQUENCE)?;
    let (signed, _) = expect(certificate, SEQUENCE)?;
    let signed = match expect(signed, VERSION) {
        Some((_, rest)) => rest,
        None => signed,
    };
    let (_, signed) = expect(signed, INTEGER)?; // serial number
    let (_, signed) = expect(signed, SEQUENCE)?; // algorithm
    let (_, signed) = expect(signed, SEQUENCE)?; // issuer
    let (validity, _) = expect(signed, SEQUENCE)?;
    let (_, _, after) = element(validity)?;
    let (kind, text, _) = element(after)?;
    instant(kind, std::str::from_utf8(text).ok()?)
}

/// The content of the element of this kind at the front, and what follows it.
fn expect(bytes: &[u8], kind: u8) -> Option<(&[u8], &[u8])> {
    let (found, content, rest) = element(bytes)?;
    (found == kind).then_some((content, rest))
}

/// Kind and content of the element at the front, and what follows it.
fn element(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (kind, bytes) = bytes.split_first()?;
    let (first, bytes) = bytes.split_first()?;
    let (length, bytes) = match first {
        0..=0x7F => (usize::from(*first), bytes),
        // A certificate has less than 64 KiB, or is none of ours.
        0x81 | 0x82 => {
            let (digits, rest) = bytes.split_at_checked(usize::from(first & 0x7F))?;
            let length = digits
                .iter()
                .fold(0_usize, |sum, digit| sum << 8 | usize::from(*digit));
            (length, rest)
        }
        _ => return None,
    };
    let (content, rest) = bytes.split_at_checked(length)?;
    Some((*kind, content, rest))
}

/// `YYMMDDHHMMSSZ`, or the same with four digits of the year.
fn instant(kind: u8, text: &str) -> Option<UnixMillis> {
    let whole = match (kind, text.len()) {
        (UTC_TIME, 13) => {
            let century = if text < "50" { "20" } else { "19" };
            format!("{century}{text}")
        }
        (GENERALIZED_TIME, 15) => text.to_owned(),
        _ => return None,
    };
    let part = |from: usize, to: usize| whole.get(from..to);
    let written = format!(
        "{}-{}-{}T{}:{}:{}Z",
        part(0, 4)?,
        part(4, 6)?,
        part(6, 8)?,
        part(8, 10)?,
        part(10, 12)?,
        part(12, 14)?
    );
    let seconds = written.parse::<jiff::Timestamp>().ok()?.as_second();
    let millis = u64::try_from(seconds).ok()?.checked_mul(1_000)?;
    Some(UnixMillis(millis)).filter(|_| whole.ends_with('Z'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wrapped(kind: u8, content: &[u8]) -> Vec<u8> {
        let length = u16::try_from(content.len()).unwrap();
        let [high, low] = length.to_be_bytes();
        let mut bytes = vec![kind];
        match length {
            0..=0x7F => bytes.push(low),
            0x80..=0xFF => bytes.extend([0x81, low]),
            _ => bytes.extend([0x82, high, low]),
        }
        bytes.extend(content);
        bytes
    }

    fn certificate(version: &[u8], end: (u8, &str), issuer_bytes: usize) -> Vec<u8> {
        let validity = [
            wrapped(UTC_TIME, b"250101000000Z"),
            wrapped(end.0, end.1.as_bytes()),
        ];
        let signed = [
            version.to_vec(),
            wrapped(INTEGER, &[1]),
            wrapped(SEQUENCE, &[]),
            wrapped(SEQUENCE, &vec![0; issuer_bytes]),
            wrapped(SEQUENCE, &validity.concat()),
            wrapped(SEQUENCE, b"what follows"),
        ];
        wrapped(SEQUENCE, &wrapped(SEQUENCE, &signed.concat()))
    }

    #[test]
    fn the_end_is_read_in_both_ways_of_writing_it() {
        let version = wrapped(VERSION, &wrapped(INTEGER, &[2]));
        for (version, end, issuer, expected) in [
            (
                &version[..],
                (UTC_TIME, "261129031500Z"),
                10,
                "2026-11-29T03:15:00.000Z",
            ),
            (&[], (UTC_TIME, "491231235959Z"), 200, "2049-12-31T23:59:59.000Z"),
            (
                &version,
                (GENERALIZED_TIME, "20501231235959Z"),
                3_000,
                "2050-12-31T23:59:59.000Z",
            ),
        ] {
            let found = ends_at(&certificate(version, end, issuer));
            assert_eq!(found.map(|at| at.to_string()).as_deref(), Some(expected));
        }
        for end in [
            (UTC_TIME, "261129031500"),
            (UTC_TIME, "2611290315000"),
            (UTC_TIME, "261329031500Z"),
            (UTC_TIME, "500101000000Z"), // 1950
            (GENERALIZED_TIME, "261129031500Z"),
            (INTEGER, "261129031500Z"),
        ] {
            assert_eq!(ends_at(&certificate(&version, end, 1)), None, "{end:?}");
        }
    }

    #[test]
    fn whatever_the_bytes_are_it_ends() {
        let whole = certificate(&[], (UTC_TIME, "261129031500Z"), 300);
        for cut in 0..whole.len() {
            // What stands behind the end of the validity may be missing only if no length says that it is
            // there.
            assert_eq!(ends_at(&whole[..cut]), None, "{cut}");
        }
        for at in 0..whole.len() {
            for byte in [0x00, 0x30, 0x7F, 0x80, 0x81, 0x82, 0x84, 0xFF] {
                let mut bytes = whole.clone();
                bytes[at] = byte;
                ends_at(&bytes);
            }
        }
    }
}
