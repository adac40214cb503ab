//! The notation of durations, sizes and counts in settings.
//!
//! Owns the parsers and nothing else. Key invariant: no notation is guessed; a number without unit is no
//! duration.
#![deny(clippy::arithmetic_side_effects, clippy::cast_possible_truncation)]

use std::time::Duration;

/// Reads a duration: a whole number and `ms`, `s`, `m`, `h` or `d`.
#[must_use]
pub fn duration(text: &str) -> Option<Duration> {
    let (number, unit) = split(text)?;
    let millis_per_unit: u64 = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return None,
    };
    number.checked_mul(millis_per_unit).map(Duration::from_millis)
}

/// Reads a size in bytes: a whole number, and `KiB`, `MiB` or `GiB` where it is not bytes.
#[must_use]
pub fn size(text: &str) -> Option<usize> {
    let (number, unit) = split(text)?;
    let bytes_per_unit: u64 = match unit {
        "" => 1,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        _ => return None,
    };
    usize::try_from(number.checked_mul(bytes_per_unit)?).ok()
}

/// Reads a whole number without sign.
#[must_use]
pub fn count(text: &str) -> Option<usize> {
    let (number, unit) = split(text)?;
    usize::try_from(number).ok().filter(|_| unit.is_empty())
}

/// The digits at the front, as a number, and what follows.
fn split(text: &str) -> Option<(u64, &str)> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at_checked(digits)?;
    Some((number.parse().ok()?, unit))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_a_number_and_a_unit() {
        for (text, millis) in [
            ("0ms", Some(0)),
            ("250ms", Some(250)),
            ("5s", Some(5_000)),
            ("30m", Some(1_800_000)),
            ("12h", Some(43_200_000)),
            ("90d", Some(7_776_000_000)),
            ("007s", Some(7_000)),
            ("18446744073709551615ms", Some(u64::MAX)),
            ("18446744073709551615s", None),
            ("18446744073709551616ms", None),
            ("", None),
            ("5", None),
            ("s", None),
            ("-5s", None),
            ("+5s", None),
            ("1.5s", None),
            ("5 s", None),
            ("5S", None),
            ("5min", None),
            ("1h30m", None),
        ] {
            assert_eq!(duration(text), millis.map(Duration::from_millis), "{text:?}");
        }
    }

    #[test]
    fn sizes_are_bytes_or_binary_units() {
        for (text, bytes) in [
            ("0", Some(0)),
            ("65536", Some(65_536)),
            ("64KiB", Some(65_536)),
            ("16MiB", Some(16_777_216)),
            ("1GiB", Some(1_073_741_824)),
            ("18446744073709551615KiB", None),
            ("", None),
            ("KiB", None),
            ("64kb", None),
            ("64KB", None),
            ("64 KiB", None),
            ("1.5MiB", None),
            ("-1", None),
        ] {
            assert_eq!(size(text), bytes, "{text:?}");
        }
    }

    #[test]
    fn counts_are_whole_numbers() {
        for (text, number) in [
            ("0", Some(0)),
            ("10000", Some(10_000)),
            ("1k", None),
            ("", None),
            ("+1", None),
        ] {
            assert_eq!(count(text), number, "{text:?}");
        }
    }
}
