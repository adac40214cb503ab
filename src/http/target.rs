//! The request target: percent-decoded path segments and query parameters.
//!
//! Owns [`Target`]. Must not know routes. Key invariant: segments are split before they are decoded, so an
//! encoded `/` stays within its segment, and nothing is normalised: `.` and `..` are segments like others.
//! Tests are below; the fuzz body is `http::fuzzing::target`.
#![deny(clippy::arithmetic_side_effects, clippy::cast_possible_truncation)]

use std::borrow::Cow;
use std::fmt;

use crate::limits;

/// Why a target is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TargetError {
    /// A `%` is not followed by two hexadecimal digits.
    Escape,
    /// What is encoded is not UTF-8.
    Utf8,
    /// A parameter that must be single was sent twice.
    Duplicate,
    /// More than `limits::QUERY_PARAMETERS_MAX` parameters.
    TooManyParameters,
    /// More than `limits::PATH_SEGMENTS_MAX` segments: no resource lies so deep.
    TooDeep,
}

impl TargetError {
    /// The HTTP status of the refusal: 404 for a path that cannot exist, 400 for all else.
    #[must_use]
    pub fn status(self) -> u16 {
        match self {
            Self::TooDeep => 404,
            Self::Escape | Self::Utf8 | Self::Duplicate | Self::TooManyParameters => 400,
        }
    }
}

impl fmt::Display for TargetError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Escape => "malformed percent escape in the request target",
            Self::Utf8 => "the request target is not UTF-8",
            Self::Duplicate => "a query parameter that must be single is repeated",
            Self::TooManyParameters => "too many query parameters",
            Self::TooDeep => "no such path",
        })
    }
}

impl std::error::Error for TargetError {}

/// A request target, decoded.
#[derive(Clone, PartialEq, Eq)]
pub struct Target<'a> {
    /// The path's segments; empty for `/`. `/a/` has the segments `a` and an empty one.
    pub segments: Vec<Cow<'a, str>>,
    parameters: Vec<(Cow<'a, str>, Cow<'a, str>)>,
}

/// Leaves the parameters out: they may hold credentials.
impl fmt::Debug for Target<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Target")
            .field("segments", &self.segments)
            .finish_non_exhaustive()
    }
}

impl<'a> Target<'a> {
    /// Splits and decodes an origin-form target, as `Head::target` holds it.
    ///
    /// # Shape
    /// `/segment/segment?name=value&name=value`. A `+` stays a plus: parameters are encoded as JavaScript's
    /// `encodeURIComponent` does, not as a form.
    ///
    /// # Errors
    /// [`TargetError`]: the peer's fault; answer with its status.
    ///
    /// # Source
    /// RFC 3986, 2.1 and 3.3.
    pub fn parse(target: &'a str) -> Result<Self, TargetError> {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let path = path.strip_prefix('/').unwrap_or(path);
        let mut segments = Vec::new();
        if !path.is_empty() {
            for segment in path.split('/') {
                if segments.len() >= limits::PATH_SEGMENTS_MAX {
                    return Err(TargetError::TooDeep);
                }
                segments.push(percent_decode(segment)?);
            }
        }
        let mut parameters = Vec::new();
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            if parameters.len() >= limits::QUERY_PARAMETERS_MAX {
                return Err(TargetError::TooManyParameters);
            }
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            parameters.push((percent_decode(name)?, percent_decode(value)?));
        }
        Ok(Self { segments, parameters })
    }

    /// The segments as plain text, to match routes on.
    #[must_use]
    pub fn path(&self) -> Vec<&str> {
        self.segments.iter().map(|segment| &**segment).collect()
    }

    /// The same target without the base path `base`, where it begins with that: `/wb/board/b` is `/board/b`
    /// under `/wb`.
    ///
    /// `base` is empty, or has a leading slash and none at its end, and needs no escapes.
    #[must_use]
    pub fn below(mut self, base: &str) -> Self {
        let base: Vec<&str> = base.split('/').skip(1).collect();
        if self.path().starts_with(&base) {
            self.segments.drain(..base.len());
            // `/wb/` is `/`, which has no segment.
            if matches!(&*self.segments, [only] if only.is_empty() && !base.is_empty()) {
                self.segments.clear();
            }
        }
        self
    }

    /// The names of the parameters, as often as they were sent, with a value or without.
    pub fn parameter_names(&self) -> impl Iterator<Item = &str> {
        self.parameters.iter().map(|(name, _)| &**name)
    }

    /// The value of the parameter `name`, if it was sent and is not empty.
    ///
    /// # Errors
    /// [`TargetError::Duplicate`] when it was sent twice with a value: which of two credentials counts must
    /// not depend on who reads them.
    pub fn parameter(&self, name: &str) -> Result<Option<&str>, TargetError> {
        let mut values = self.parameters.iter().filter(|(n, v)| n == name && !v.is_empty());
        let value = values.next().map(|(_, value)| &**value);
        if values.next().is_some() {
            Err(TargetError::Duplicate)
        } else {
            Ok(value)
        }
    }
}

/// Decodes percent escapes, strictly; borrows where there are none.
///
/// # Errors
/// [`TargetError::Escape`] and [`TargetError::Utf8`].
pub fn percent_decode(text: &str) -> Result<Cow<'_, str>, TargetError> {
    if !text.contains('%') {
        return Ok(Cow::Borrowed(text));
    }
    let mut bytes = text.bytes();
    let mut decoded = Vec::with_capacity(text.len());
    while let Some(byte) = bytes.next() {
        if byte != b'%' {
            decoded.push(byte);
            continue;
        }
        let (Some(high), Some(low)) = (
            bytes.next().and_then(hexadecimal),
            bytes.next().and_then(hexadecimal),
        ) else {
            return Err(TargetError::Escape);
        };
        decoded.push((high << 4) | low);
    }
    String::from_utf8(decoded)
        .map(Cow::Owned)
        .map_err(|_| TargetError::Utf8)
}

/// The value of a hexadecimal digit, 0 to 15.
pub(crate) fn hexadecimal(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit.wrapping_sub(b'0')),
        b'a'..=b'f' => Some(digit.wrapping_sub(b'a').wrapping_add(10)),
        b'A'..=b'F' => Some(digit.wrapping_sub(b'A').wrapping_add(10)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_base_path_is_left_out_where_the_target_begins_with_it() {
        for (target, base, expected) in [
            ("/wb/board/b", "/wb", &["board", "b"][..]),
            ("/wb/board/b?token=x", "/wb", &["board", "b"]),
            ("/a/b/board/b", "/a/b", &["board", "b"]),
            ("/wb", "/wb", &[]),
            ("/wb/", "/wb", &[]),
            ("/wb//", "/wb", &["", ""]),
            ("/board/b", "/wb", &["board", "b"]),
            ("/wbx/board/b", "/wb", &["wbx", "board", "b"]),
            ("/board/b", "", &["board", "b"]),
            ("/", "", &[]),
            ("//", "", &["", ""]),
        ] {
            let target = Target::parse(target).unwrap().below(base);
            assert_eq!(target.path(), expected);
        }
    }

    #[track_caller]
    fn segments(target: &str, expected: &[&str]) {
        assert_eq!(Target::parse(target).unwrap().path(), expected, "{target}");
    }

    #[test]
    fn paths_are_split_before_they_are_decoded() {
        segments("/", &[]);
        segments("/?a=b", &[]);
        segments("/ws/canvas/x", &["ws", "canvas", "x"]);
        segments("/ws/canvas/a%2Fb", &["ws", "canvas", "a/b"]);
        segments("/ws/canvas/%c3%A4", &["ws", "canvas", "\u{e4}"]);
        segments("/a/", &["a", ""]);
        segments("//a", &["", "a"]);
        segments("/a/../%2e%2E", &["a", "..", ".."]);
        segments("/a+b", &["a+b"]);
    }

    #[test]
    fn parameters_are_decoded_and_a_plus_is_a_plus() {
        let target = Target::parse("/x?token=a%2Bb+c%3D&&flag&name=a=b&n%61me2=%E2%82%AC").unwrap();
        for (name, value) in [
            ("token", Some("a+b+c=")),
            ("flag", None),
            ("name", Some("a=b")),
            ("name2", Some("\u{20ac}")),
            ("absent", None),
        ] {
            assert_eq!(target.parameter(name), Ok(value), "{name}");
        }
    }

    #[test]
    fn a_repeated_parameter_is_refused_and_an_empty_one_was_not_sent() {
        let parameter = |target| {
            Target::parse(target)
                .unwrap()
                .parameter("token")
                .map(|v| v.map(String::from))
        };
        assert_eq!(parameter("/?token=a&token=a"), Err(TargetError::Duplicate));
        assert_eq!(parameter("/?token=a&tok%65n=b"), Err(TargetError::Duplicate));
        assert_eq!(parameter("/?token=&token=a"), Ok(Some("a".to_owned())));
        assert_eq!(parameter("/?token="), Ok(None));
        assert_eq!(parameter("/?token"), Ok(None));
    }

    #[test]
    fn malformed_escapes_and_text_are_refused() {
        for (target, error) in [
            ("/%", TargetError::Escape),
            ("/%4", TargetError::Escape),
            ("/%4g", TargetError::Escape),
            ("/%%41", TargetError::Escape),
            ("/?a=%zz", TargetError::Escape),
            ("/?%=a", TargetError::Escape),
            ("/%ff", TargetError::Utf8),
            ("/%c3/%a4", TargetError::Utf8),
            ("/?a=%ed%a0%80", TargetError::Utf8),
        ] {
            assert_eq!(Target::parse(target), Err(error), "{target}");
        }
    }

    #[test]
    fn segments_and_parameters_are_counted() {
        let path = |n: usize| "/a".repeat(n);
        assert!(Target::parse(&path(limits::PATH_SEGMENTS_MAX)).is_ok());
        assert_eq!(
            Target::parse(&path(limits::PATH_SEGMENTS_MAX + 1)),
            Err(TargetError::TooDeep)
        );
        let query = |n: usize| format!("/?{}", "a&".repeat(n));
        assert!(Target::parse(&query(limits::QUERY_PARAMETERS_MAX)).is_ok());
        assert_eq!(
            Target::parse(&query(limits::QUERY_PARAMETERS_MAX + 1)),
            Err(TargetError::TooManyParameters)
        );
        assert_eq!(TargetError::TooDeep.status(), 404);
        assert_eq!(TargetError::Escape.status(), 400);
    }

    #[test]
    fn debug_output_shows_no_parameter() {
        let shown = format!("{:?}", Target::parse("/a?token=hidden").unwrap());
        assert!(shown.contains('a') && !shown.contains("hidden"), "{shown}");
    }
}
