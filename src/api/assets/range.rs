//! `Range`: which part of an asset is wanted, as players of films ask for it.
//!
//! Owns the one form that is understood, a single range of bytes. Must not know assets. Key invariant: what
//! is given lies within the length, and is never empty; what is not understood is not there, and the whole is
//! sent.
//!
//! # Source
//! RFC 9110, 14.1.2 and 14.2.

use crate::http::head::Head;

/// No byte of the range is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct NotThere;

/// The range that a request wants of so many bytes, the end exclusive; `None` for all of them. `tag` is the
/// entity's own, for `If-Range`.
pub(super) fn of(head: &Head<'_>, bytes: u64, tag: &str) -> Result<Option<(u64, u64)>, NotThere> {
    let mut conditions = head.values("if-range");
    if conditions.any(|condition| condition != tag.as_bytes()) {
        return Ok(None);
    }
    let mut ranges = head.values("range");
    match (ranges.next(), ranges.next()) {
        (Some(range), None) => parse(range, bytes),
        _ => Ok(None),
    }
}

fn parse(range: &[u8], bytes: u64) -> Result<Option<(u64, u64)>, NotThere> {
    let range = std::str::from_utf8(range).ok();
    let Some((first, last)) = range
        .and_then(|range| range.strip_prefix("bytes="))
        .and_then(|range| range.split_once('-'))
    else {
        return Ok(None);
    };
    let number = |text: &str| {
        let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        is_number.then(|| text.parse::<u64>().unwrap_or(u64::MAX))
    };
    let (from, end) = match (number(first), number(last)) {
        (Some(first), Some(last)) if first <= last => (first, last.saturating_add(1)),
        (Some(first), None) if last.is_empty() => (first, u64::MAX),
        (None, Some(last)) if first.is_empty() => (bytes.saturating_sub(last), bytes),
        _ => return Ok(None),
    };
    let end = end.min(bytes);
    match from < end {
        true => Ok(Some((from, end))),
        false => Err(NotThere),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_lies_within_the_length_or_is_not_there() {
        for (range, expected) in [
            ("bytes=0-0", Ok(Some((0, 1)))),
            ("bytes=0-9", Ok(Some((0, 10)))),
            ("bytes=0-10", Ok(Some((0, 10)))),
            ("bytes=9-99999999999999999999999", Ok(Some((9, 10)))),
            ("bytes=3-", Ok(Some((3, 10)))),
            ("bytes=-3", Ok(Some((7, 10)))),
            ("bytes=-30", Ok(Some((0, 10)))),
            ("bytes=10-", Err(NotThere)),
            ("bytes=10-20", Err(NotThere)),
            ("bytes=-0", Err(NotThere)),
            ("bytes=5-4", Ok(None)),
            ("bytes=-", Ok(None)),
            ("bytes=0-1,3-4", Ok(None)),
            ("bytes=+1-2", Ok(None)),
            ("bytes= 1-2", Ok(None)),
            ("items=0-1", Ok(None)),
            ("", Ok(None)),
        ] {
            assert_eq!(parse(range.as_bytes(), 10), expected, "{range}");
        }
    }
}
