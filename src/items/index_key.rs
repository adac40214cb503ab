//! Index keys: where a shape stands among its siblings.
//!
//! Owns which keys tldraw takes, and the next one above. A key is an integer part, whose first letter says
//! how long it is (`a` to `y`: 2 to 26 characters, `Z` down to `B`: 2 to 26 as well), and a fraction; keys
//! compare as text. Keys of the outermost letters are longer still; they are taken for odd ones here, so that
//! nobody can make every later key long. Source: fractional-indexing-jittered 1.1.0, as `validateIndexKey` of
//! @tldraw/utils 3.15.6 uses it. Tests are below, and in tests/node/items-schema.test.mjs.

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
