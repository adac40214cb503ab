//! Index keys: where a shape stands among its siblings.
//!
//! Owns which keys tldraw takes, and those above, below and between others. A key is an integer part, whose
//! first letter says how long it is (`a` to `y`: 2 to 26 characters, `Z` down to `B`: 2 to 26 as well), and a
//! fraction; keys compare as text. Keys of the outermost letters are longer still; they are taken for odd
//! ones here, so that nobody can make every later key long. Source: fractional-indexing-jittered 1.1.0, as
//! `validateIndexKey` of @tldraw/utils 3.15.6 uses it. Tests are below, and in
//! tests/node/items-schema.test.mjs.

/// The key of the first shape, and of the first page.
pub(super) const FIRST: &str = "a1";

const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// Characters of a key that are looked at, inclusive; jittered keys have about ten.
const KEY_CHARS_MAX: usize = 256;

/// The integer part of a key; `None` where tldraw would not take the key, or it is an odd one.
fn integer(key: &str) -> Option<&str> {
    let head = *key.as_bytes().first()?;
    let length = match head {
        b'a'..=b'y' => usize::from(head.checked_sub(b'a')?).checked_add(2)?,
        b'B'..=b'Z' => usize::from(b'Z'.checked_sub(head)?).checked_add(2)?,
        _ => return None,
    };
    let is_plain = key.len() <= KEY_CHARS_MAX && key.bytes().all(|byte| byte.is_ascii_alphanumeric());
    key.get(..length).filter(|_| is_plain)
}

/// Whether a key counts among its siblings.
pub(super) fn counts(key: &str) -> bool {
    integer(key).is_some()
}

/// A key above `below`, and above every key with the same integer part; the first key where there is none, or
/// only an odd one.
pub(super) fn above(below: Option<&str>) -> String {
    let next = below.and_then(integer).and_then(increment);
    next.unwrap_or_else(|| FIRST.to_owned())
}

/// A key above `low`, or above none, and below `high`, or below none; `None` where there is no room, or only
/// for a key that would be an odd one. Both count, and `low` is the lower.
pub(super) fn between(low: Option<&str>, high: Option<&str>) -> Option<String> {
    let key = match (low, high) {
        (low, None) => above(low),
        (None, Some(high)) => {
            let integer = integer(high)?;
            if integer.len() < high.len() {
                integer.to_owned()
            } else {
                decrement(integer)?
            }
        }
        (Some(low), Some(high)) => inside(low, high)?,
    };
    let fits = low.is_none_or(|low| low < key.as_str()) && high.is_none_or(|high| key.as_str() < high);
    Some(key).filter(|key| fits && counts(key))
}

fn inside(low: &str, high: &str) -> Option<String> {
    let integer = integer(low)?;
    let fraction = low.get(integer.len()..)?;
    match high.strip_prefix(integer) {
        Some(end) => Some(integer.to_owned() + &halfway(fraction, Some(end))?),
        None => increment(integer)
            .filter(|next| next.as_str() < high)
            .or_else(|| Some(integer.to_owned() + &halfway(fraction, None)?)),
    }
}

/// A fraction between two others, the second of which may be missing: about in the middle of the first digits
/// that leave room.
fn halfway(low: &str, high: Option<&str>) -> Option<String> {
    let digit = |byte: &u8| DIGITS.iter().position(|digit| digit == byte);
    let (low, mut high) = (low.as_bytes(), high.map(str::as_bytes));
    let mut fraction = String::new();
    for at in 0..=KEY_CHARS_MAX {
        let from = low.get(at).map_or(Some(0), digit)?;
        let to = high.map_or(Some(DIGITS.len()), |high| high.get(at).and_then(digit))?;
        let middle = from.saturating_add(to).div_ceil(2);
        let next = |digit: usize| DIGITS.get(digit).map(|byte| char::from(*byte));
        match to.checked_sub(from)? {
            0 => fraction.push(next(from)?),
            // A fraction that ends where the higher one goes on is lower than that.
            1 if high.is_some_and(|high| high.len() > at.saturating_add(1)) => {
                fraction.push(next(to)?);
                return Some(fraction);
            }
            1 => {
                fraction.push(next(from)?);
                high = None;
            }
            _ => {
                fraction.push(next(middle)?);
                return Some(fraction);
            }
        }
    }
    None
}

/// The integer part before; `None` at the very beginning.
fn decrement(integer: &str) -> Option<String> {
    let mut bytes = integer.as_bytes().to_vec();
    for byte in bytes.iter_mut().skip(1).rev() {
        if *byte == b'0' {
            *byte = b'z';
        } else {
            *byte = preceding(*byte)?;
            return String::from_utf8(bytes).ok();
        }
    }
    // The head before, which has one digit less, or one more below zero.
    let head = preceding(*bytes.first()?).filter(|head| *head != b'A')?;
    let digits = match head {
        b'a'..=b'y' => usize::from(head.checked_sub(b'a')?).checked_add(1)?,
        _ => usize::from(b'Z'.checked_sub(head)?).checked_add(1)?,
    };
    Some(char::from(head).to_string() + &"z".repeat(digits))
}

/// The following integer part; `None` at the very end.
fn increment(integer: &str) -> Option<String> {
    let mut bytes = integer.as_bytes().to_vec();
    for byte in bytes.iter_mut().skip(1).rev() {
        if *byte == b'z' {
            *byte = b'0';
        } else {
            *byte = following(*byte)?;
            return String::from_utf8(bytes).ok();
        }
    }
    // All digits have turned over: the next head, which has one digit more, or one less below zero.
    let head = *bytes.first()?;
    let head = following(head).filter(|head| *head != b'z')?;
    let digits = match head {
        b'a'..=b'y' => usize::from(head.checked_sub(b'a')?).checked_add(1)?,
        _ => usize::from(b'Z'.checked_sub(head)?).checked_add(1)?,
    };
    Some(char::from(head).to_string() + &"0".repeat(digits))
}

fn following(byte: u8) -> Option<u8> {
    let at = DIGITS.iter().position(|digit| *digit == byte)?;
    DIGITS.get(at.checked_add(1)?).copied()
}

fn preceding(byte: u8) -> Option<u8> {
    let at = DIGITS.iter().position(|digit| *digit == byte)?;
    DIGITS.get(at.checked_sub(1)?).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_key_follows_the_integer_part() {
        for (below, next) in [
            (None, "a1"),
            (Some("a1"), "a2"),
            (Some("a9"), "aA"),
            (Some("aZ"), "aa"),
            (Some("az"), "b00"),
            (Some("bzz"), "c000"),
            (Some("a1V4k"), "a2"),
            (Some("Zz"), "a0"),
            (Some("Yzz"), "Z0"),
            (Some("Y00"), "Y01"),
        ] {
            assert_eq!(above(below), next, "{below:?}");
        }
    }

    #[test]
    fn a_key_between_two_is_between_them() {
        for (low, high, between_them) in [
            (None, None, Some("a1")),
            (Some("a1"), None, Some("a2")),
            (None, Some("a1"), Some("a0")),
            (None, Some("a0"), Some("Zz")),
            (None, Some("Z0"), Some("Yzz")),
            (None, Some("b00"), Some("az")),
            (None, Some("a1V"), Some("a1")),
            (Some("a1"), Some("a2"), Some("a1V")),
            (Some("a1"), Some("a3"), Some("a2")),
            (Some("a1V"), Some("a2"), Some("a1l")),
            (Some("a1"), Some("a1V"), Some("a1G")),
            (Some("a1"), Some("a11"), Some("a10V")),
            (Some("a11"), Some("a12V"), Some("a12")),
            (Some("a1z"), Some("a2"), Some("a1zV")),
            (Some("Zz"), Some("a1"), Some("a0")),
            // Others may write keys that leave no room.
            (Some("a1"), Some("a10"), None),
            (Some("a1"), Some("a100"), None),
            (None, Some(&format!("B{}", "0".repeat(25))), None),
            (Some(&format!("y{}", "z".repeat(25))), None, None),
        ] {
            assert_eq!(between(low, high).as_deref(), between_them, "{low:?} {high:?}");
        }
    }

    #[test]
    fn there_is_room_between_for_long_and_then_none() {
        for is_low in [true, false] {
            let (mut low, mut high) = ("a1".to_owned(), "a2".to_owned());
            let mut count = 0;
            while let Some(key) = between(Some(&low), Some(&high)) {
                assert!(
                    low < key && key < high && counts(&key) && !key.ends_with('0'),
                    "{key}"
                );
                *(if is_low { &mut low } else { &mut high }) = key;
                count += 1;
            }
            assert!(count > 1_000, "{count}");
        }
        let mut lowest = FIRST.to_owned();
        for _ in 0..10_000 {
            let key = between(None, Some(&lowest)).unwrap();
            assert!(key < lowest && key.len() <= 4 && counts(&key), "{key}");
            lowest = key;
        }
    }

    #[test]
    fn odd_keys_do_not_count() {
        let last = format!("y{}", "z".repeat(25));
        for odd in [
            "",
            "a",
            "b0",
            "0a",
            "~",
            "a\u{e4}",
            "zzzz",
            "A0",
            "a!",
            &"a".repeat(257),
        ] {
            assert!(!counts(odd), "{odd}");
            assert_eq!(above(Some(odd)), FIRST);
        }
        assert!(counts(&last));
        assert_eq!(above(Some(&last)), FIRST);
    }

    #[test]
    fn ten_thousand_keys_rise_and_stay_short() {
        let mut last = above(None);
        for _ in 0..10_000 {
            let next = above(Some(&last));
            assert!(next > last && next.len() <= 4 && counts(&next), "{last} {next}");
            last = next;
        }
    }
}
