//! Until when a certificate is valid: the one thing of it that nobody else here tells.
//!
//! Owns [`ends_at`]. Must not know files or clocks. Key invariant: it is strict and total; a certificate that
//! it cannot read has no end, and is judged by those who verify it. Tests are below.
//!
//! # Source
//! RFC 5280, 4.1; X.690, 8.1 and 11.8.
#![deny(clippy::arithmetic_side_effects, clippy::cast_possible_truncation)]

use std::time::Duration;

const INTEGER: u8 = 0x02;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;
const SEQUENCE: u8 = 0x30;
const VERSION: u8 = 0xa0;

/// When a certificate's validity ends, since 1970; `None` where that cannot be read.
pub(super) fn ends_at(certificate: &[u8]) -> Option<Duration> {
    let (certificate, _) = part(certificate, SEQUENCE)?;
    let (signed, _) = part(certificate, SEQUENCE)?;
    let signed = part(signed, VERSION).map_or(signed, |(_, rest)| rest);
    let (_, signed) = part(signed, INTEGER)?;
    let (_algorithm, signed) = part(signed, SEQUENCE)?;
    let (_issuer, signed) = part(signed, SEQUENCE)?;
    let (validity, _) = part(signed, SEQUENCE)?;
    let (_, end) = time(validity)?;
    time(end).map(|(time, _)| time)
}

/// What stands in the first part, of this tag, and what stands behind it.
fn part(bytes: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (&[found, length], rest) = bytes.split_first_chunk()?;
    if found != tag {
        return None;
    }
    if length < 0x80 {
        return rest.split_at_checked(length.into());
    }
    let (length, rest) = rest.split_at_checked((length & 0x7f).into())?;
    if length.is_empty() || length.len() > 3 {
        return None;
    }
    let length = length.iter().try_fold(0_usize, |sum, byte| {
        sum.checked_mul(256)?.checked_add((*byte).into())
    })?;
    rest.split_at_checked(length)
}

/// The first part as a time, and what stands behind it.
fn time(bytes: &[u8]) -> Option<(Duration, &[u8])> {
    let (year_digits, (text, rest)) = match bytes.first()? {
        &UTC_TIME => (2, part(bytes, UTC_TIME)?),
        _ => (4, part(bytes, GENERALIZED_TIME)?),
    };
    let text = str::from_utf8(text).ok()?.strip_suffix('Z')?;
    let digits = text.bytes().all(|b| b.is_ascii_digit());
    let (year, others) = text.split_at_checked(year_digits).filter(|_| digits)?;
    let year: u64 = year.parse().ok()?;
    let year = match (year_digits, year) {
        (2, 50..) => year.checked_add(1900)?,
        (2, _) => year.checked_add(2000)?,
        _ => year,
    };
    let two = |at: usize| -> Option<u64> { others.get(at..at.checked_add(2)?)?.parse().ok() };
    let (month, day) = (two(0)?, two(2)?);
    let (hour, minute, second) = (two(4)?, two(6)?, two(8)?);
    let fits =
        (1..=12).contains(&month) && (1..=31).contains(&day) && hour < 24 && minute < 60 && second < 61;
    if others.len() != 10 || !fits || year < 1970 {
        return None;
    }
    let seconds = days_before(year, month, day)?
        .checked_mul(24)?
        .checked_add(hour)?
        .checked_mul(60)?
        .checked_add(minute)?
        .checked_mul(60)?
        .checked_add(second)?;
    Some((Duration::from_secs(seconds), rest))
}

/// Days from 1970 to a day of the calendar.
fn days_before(year: u64, month: u64, day: u64) -> Option<u64> {
    // Years begin in March, so that the leap day is the last of one.
    let (year, month) = match month {
        1 | 2 => (year.checked_sub(1)?, month.checked_add(9)?),
        _ => (year, month.checked_sub(3)?),
    };
    let leap_days = (year / 4).checked_sub(year / 100)?.checked_add(year / 400)?;
    let in_year = month.checked_mul(153)?.checked_add(2)? / 5;
    let days = year
        .checked_mul(365)?
        .checked_add(leap_days)?
        .checked_add(in_year)?
        .checked_add(day)?;
    // Those to the first of March of the year 0, so counted, and to 1970.
    days.checked_sub(719_469)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn der(tag: u8, content: &[u8]) -> Vec<u8> {
        let mut out = vec![tag];
        match content.len() {
            length @ 0..=127 => out.push(u8::try_from(length).unwrap()),
            length => {
                out.push(0x82);
                out.extend_from_slice(&u16::try_from(length).unwrap().to_be_bytes());
            }
        }
        out.extend_from_slice(content);
        out
    }

    fn certificate(version: &[u8], end: &[u8]) -> Vec<u8> {
        let validity = [der(UTC_TIME, b"240101000000Z"), end.to_vec()].concat();
        let signed = [
            version.to_vec(),
            der(INTEGER, &[1]),
            der(SEQUENCE, &[]),
            der(SEQUENCE, &[0; 200]),
            der(SEQUENCE, &validity),
        ]
        .concat();
        der(SEQUENCE, &[der(SEQUENCE, &signed), vec![0; 9]].concat())
    }

    #[test]
    fn the_end_is_read_of_either_form_of_a_time() {
        for (end, seconds) in [
            (der(UTC_TIME, b"700101000000Z"), 0),
            (der(UTC_TIME, b"261129181735Z"), 1_795_976_255),
            (der(UTC_TIME, b"240229120000Z"), 1_709_208_000),
            (der(UTC_TIME, b"491231235959Z"), 2_524_607_999),
            (der(GENERALIZED_TIME, b"20500101000000Z"), 2_524_608_000),
            (der(GENERALIZED_TIME, b"99991231235959Z"), 253_402_300_799),
        ] {
            for version in [der(VERSION, &der(INTEGER, &[2])), Vec::new()] {
                let found = ends_at(&certificate(&version, &end));
                assert_eq!(found, Some(Duration::from_secs(seconds)));
            }
        }
    }

    #[test]
    fn what_is_no_certificate_has_no_end_and_harms_nobody() {
        let whole = certificate(&[], &der(UTC_TIME, b"261129181735Z"));
        let end = whole.len() - 9;
        for cut in 0..end {
            assert_eq!(ends_at(&whole[..cut]), None, "{cut}");
        }
        for end in [
            der(UTC_TIME, b"261329181735Z"),
            der(UTC_TIME, b"2611291817Z"),
            der(UTC_TIME, b"26112918173-Z"),
            der(UTC_TIME, b"261129181735+"),
            der(GENERALIZED_TIME, b"19691231235959Z"),
            der(INTEGER, b"261129181735Z"),
        ] {
            assert_eq!(ends_at(&certificate(&[], &end)), None);
        }
        crate::mutation::drive(&[&whole], 20_000, |bytes| {
            ends_at(bytes);
        });
    }
}
