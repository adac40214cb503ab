//! JSON bodies: from bytes to checked values, or to a refusal that names the member.
//!
//! Owns the difference between what cannot be parsed (400 `invalid_json`) and what says something wrong (422
//! `invalid_value`). Must not know what a member means. Key invariant: a body means the same to everybody who
//! reads it: a member that stands twice is refused, however deep.
//!
//! A resource declares a struct of `Option<Value>` members, with
//! `#[serde(default, deserialize_with = "body::present")]` where `null` and nothing mean different things,
//! and takes each through one of the functions below. Members that it does not name are ignored, so that
//! clients may be newer than the server.

use std::cell::Cell;
use std::fmt;
use std::ops::RangeInclusive;

use serde::Deserialize;
use serde::de::{DeserializeOwned, DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

use crate::http::response::{Problem, Response};
use crate::ids::Level;
use crate::limits;

/// Parses a body that must be one JSON object.
///
/// # Errors
/// 400 `invalid_json`, 413 `body_too_large` for more than `limits::JSON_VALUES_MAX` values, 422
/// `invalid_value`.
pub(crate) fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Response> {
    let value = parse_value(bytes)?;
    if !value.is_object() {
        return Err(unprocessable("the body must be a JSON object".to_owned(), None));
    }
    T::deserialize(value)
        .map_err(|_| unprocessable("the body has a member of the wrong kind".to_owned(), None))
}

/// What the parser is told of a member that stands twice.
const TWICE: &str = "a member stands twice";

/// The text of a body, without the mark that some tools put before UTF-8.
///
/// # Errors
/// 400 `invalid_json`, saying what it is instead.
///
/// # Source
/// RFC 8259, 8.1.
fn text_of(bytes: &[u8]) -> Result<&str, Response> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    if bytes.trim_ascii().is_empty() {
        return Err(not_json(
            "the body is empty; a JSON object is expected".to_owned(),
        ));
    }
    // No JSON has a zero byte, and all of it in UTF-16 or UTF-32 begins with one, or has one behind its
    // first.
    if let [0xff, 0xfe, ..] | [0xfe, 0xff, ..] | [0, ..] | [_, 0, ..] = bytes {
        return Err(not_json(
            "the body is UTF-16 or UTF-32; send it as UTF-8".to_owned(),
        ));
    }
    str::from_utf8(bytes).map_err(|error| {
        let place = error.valid_up_to();
        not_json(format!(
            "the body is not UTF-8 behind byte {place}, as Latin-1 is not; send it as UTF-8"
        ))
    })
}

/// A refusal of what cannot be parsed: 400 `invalid_json`.
fn not_json(detail: String) -> Response {
    Response::problem(&Problem {
        status: 400,
        code: "invalid_json",
        title: "The body is not JSON",
        detail: detail.into(),
        field: None,
    })
}

/// What the parser found, in words of ours: its own could repeat what was sent.
fn found(error: &serde_json::Error) -> &'static str {
    let told = error.to_string();
    if told.starts_with(TWICE) {
        TWICE
    } else if told.contains("surrogate") || told.starts_with("unexpected end of hex escape") {
        "half of a surrogate pair (\\ud800 to \\udfff), which is no character,"
    } else {
        "malformed"
    }
}

/// Parses one JSON value.
fn parse_value(bytes: &[u8]) -> Result<Value, Response> {
    let values = Cell::new(0);
    let mut reader = serde_json::Deserializer::from_str(text_of(bytes)?);
    let value = Strict { values: &values }.deserialize(&mut reader);
    match value.and_then(|value| reader.end().map(|()| value)) {
        Ok(value) => Ok(value),
        Err(_) if values.get() > limits::JSON_VALUES_MAX => Err(Response::problem(&Problem {
            status: 413,
            code: "body_too_large",
            title: "Request body too large",
            detail: format!("the body has more than {} JSON values", limits::JSON_VALUES_MAX).into(),
            field: None,
        })),
        Err(error) => Err(not_json(format!(
            "{} at line {} column {}",
            found(&error),
            error.line(),
            error.column()
        ))),
    }
}

/// Builds a value; a member that stands twice, or too many values, are errors.
#[derive(Clone, Copy)]
struct Strict<'c> {
    values: &'c Cell<usize>,
}

impl<'de> DeserializeSeed<'de> for Strict<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        self.values.set(self.values.get() + 1);
        if self.values.get() > limits::JSON_VALUES_MAX {
            return Err(D::Error::custom("too many values"));
        }
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        let number = Number::from_f64(value);
        number.map(Value::Number).ok_or_else(|| E::custom("not finite"))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let mut values = Vec::new();
        while let Some(value) = access.next_element_seed(self)? {
            values.push(value);
        }
        Ok(Value::Array(values))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let mut members = Map::new();
        while let Some(name) = access.next_key::<String>()? {
            let value = access.next_value_seed(self)?;
            if members.insert(name, value).is_some() {
                return Err(A::Error::custom(TWICE));
            }
        }
        Ok(Value::Object(members))
    }
}

/// Reads a member such that `null` is `Some(Null)`, and only a missing one `None`.
pub(crate) fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(deserializer).map(Some)
}

/// A refusal of a member's value: 422 `invalid_value`. `detail` goes on from its name: "must be ...".
pub(crate) fn invalid(field: &'static str, detail: &str) -> Response {
    invalid_at(field, detail)
}

/// The same for a member whose place depends on what was sent.
pub(crate) fn invalid_at(field: &str, detail: &str) -> Response {
    unprocessable(format!("{field} {detail}"), Some(field))
}

fn unprocessable(detail: String, field: Option<&str>) -> Response {
    let problem = Problem {
        status: 422,
        code: "invalid_value",
        title: "A value is wrong",
        detail: detail.into(),
        field: None,
    };
    let field = field.map(|field| ("field", field));
    Response::problem_with(&problem, field.as_slice())
}

/// A member that may be left out, or be null: `None` then.
///
/// # Errors
/// As `check` has them for a value that is there.
pub(crate) fn optional<T>(
    value: Option<Value>,
    check: impl FnOnce(Value) -> Result<T, Response>,
) -> Result<Option<T>, Response> {
    match value {
        None | Some(Value::Null) => Ok(None),
        Some(value) => check(value).map(Some),
    }
}

/// A member that must be there, and not null.
///
/// # Errors
/// 422 for one that is not, and as `check` has them.
pub(crate) fn required<T>(
    field: &'static str,
    value: Option<Value>,
    check: impl FnOnce(Value) -> Result<T, Response>,
) -> Result<T, Response> {
    match value {
        None | Some(Value::Null) => Err(invalid(field, "is missing")),
        Some(value) => check(value),
    }
}

/// A string whose length in bytes lies in `bytes`.
///
/// # Errors
/// 422 `invalid_value`.
pub(crate) fn text(
    field: &'static str,
    value: Value,
    bytes: RangeInclusive<usize>,
) -> Result<String, Response> {
    let Value::String(text) = value else {
        return Err(invalid(field, "must be a string"));
    };
    if bytes.contains(&text.len()) {
        return Ok(text);
    }
    let detail = format!("must have {} to {} bytes of UTF-8", bytes.start(), bytes.end());
    Err(invalid(field, &detail))
}

/// A level.
///
/// # Errors
/// 422 `invalid_value`.
pub(crate) fn level(field: &'static str, value: &Value) -> Result<Level, Response> {
    let level = value.as_str().and_then(Level::parse);
    level.ok_or_else(|| invalid(field, "must be \"view\", \"comment\" or \"edit\""))
}

/// One of the two.
pub(crate) fn flag(field: &'static str, value: &Value) -> Result<bool, Response> {
    let flag = value.as_bool();
    flag.ok_or_else(|| invalid(field, "must be true or false"))
}

/// A whole number in `range`; `5.0` is none.
///
/// # Errors
/// 422 `invalid_value`.
pub(crate) fn whole(field: &'static str, value: &Value, range: RangeInclusive<u64>) -> Result<u64, Response> {
    let number = value.as_u64().filter(|number| range.contains(number));
    number.ok_or_else(|| {
        let detail = format!("must be a whole number from {} to {}", range.start(), range.end());
        invalid(field, &detail)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Default, serde::Deserialize, PartialEq)]
    struct Board {
        #[serde(default, deserialize_with = "present")]
        title: Option<Value>,
        id: Option<Value>,
    }

    #[track_caller]
    fn refused<T: fmt::Debug>(result: Result<T, Response>, status: u16, code: &str, field: Option<&str>) {
        let refusal = result.unwrap_err();
        let problem: Value = serde_json::from_slice(refusal.body()).unwrap();
        assert_eq!(
            (refusal.status, problem["code"].as_str()),
            (status, Some(code)),
            "{problem}"
        );
        assert_eq!(problem["field"].as_str(), field, "{problem}");
    }

    #[test]
    fn an_object_is_read_and_what_it_does_not_name_is_ignored() {
        let board: Board = parse(br#" {"title":"a","other":[{"deep":[1.5,-2,true]}]} "#).unwrap();
        assert_eq!(board.title, Some("a".into()));
        assert_eq!(parse::<Board>(b"{}").unwrap(), Board::default());
        let nothing = parse::<Board>(br#"{"title":null,"id":null}"#).unwrap();
        assert_eq!(
            (nothing.title, nothing.id),
            (Some(Value::Null), None),
            "null and absent"
        );
    }

    #[test]
    fn what_cannot_be_parsed_is_400_invalid_json() {
        let deep = "[".repeat(200);
        for text in [
            "",
            " ",
            "{",
            "{}x",
            "{} {}",
            "{'a':1}",
            "{\"a\":01}",
            "{\"a\":1e999}",
            "{\"a\":NaN}",
            "{\"a\":1,}",
            "{\"a\":\"\\ud800\"}",
            "{\"a\":1,\"a\":1}",
            "{\"title\":1,\"title\":null}",
            "{\"a\":{\"b\":[{\"c\":1,\"\\u0063\":2}]}}",
            "\u{feff}",
            "\u{feff}\u{feff}{}",
            &deep,
        ] {
            refused(parse::<Board>(text.as_bytes()), 400, "invalid_json", None);
        }
        refused(parse::<Board>(b"{\"a\":\"\xff\"}"), 400, "invalid_json", None);
        let refusal = parse::<Board>(b"{\"token\":secret}").unwrap_err();
        assert!(!String::from_utf8_lossy(refusal.body()).contains("secret"));
    }

    #[test]
    fn what_a_body_is_instead_is_said() {
        let wide = |text: &str, bytes: fn(u16) -> [u8; 2]| -> Vec<u8> {
            text.encode_utf16().flat_map(bytes).collect()
        };
        let object = "{\"title\":\"a\"}";
        let utf_32: Vec<u8> = object.chars().flat_map(|c| u32::from(c).to_be_bytes()).collect();
        for (body, word) in [
            (Vec::new(), "empty"),
            (b" \r\n".to_vec(), "empty"),
            (b"\xef\xbb\xbf".to_vec(), "empty"),
            (wide(object, u16::to_le_bytes), "UTF-16"),
            (wide(object, u16::to_be_bytes), "UTF-16"),
            (wide(&format!("\u{feff}{object}"), u16::to_le_bytes), "UTF-16"),
            (wide(&format!("\u{feff}{object}"), u16::to_be_bytes), "UTF-16"),
            (utf_32, "UTF-32"),
            (b"{\"title\":\"caf\xe9\"}".to_vec(), "not UTF-8 behind byte 13"),
            (b"{\"title\":\"\\ud83d\"}".to_vec(), "surrogate pair"),
            (b"{\"title\":\"\\ud83dx\"}".to_vec(), "surrogate pair"),
            (b"{\"title\":\"\\ude00\"}".to_vec(), "surrogate pair"),
            (b"{\"title\":\"\\ud83d\\ud83d\"}".to_vec(), "surrogate pair"),
            (
                b"{\"title\":1,\"title\":1}".to_vec(),
                "stands twice at line 1 column 21",
            ),
            (b"{\"title\":}".to_vec(), "malformed at line 1 column 10"),
            (b"{\"title\":\"a surrogate\"".to_vec(), "malformed"),
        ] {
            let refusal = parse::<Board>(&body).unwrap_err();
            let problem: Value = serde_json::from_slice(refusal.body()).unwrap();
            assert_eq!((refusal.status, &problem["code"]), (400, &"invalid_json".into()));
            let detail = problem["detail"].as_str().unwrap();
            assert!(detail.contains(word), "{detail}: {word}");
        }
        let marked: Board = parse("\u{feff}{\"title\":\"\\ud83d\\ude00\\u0000\"}".as_bytes()).unwrap();
        assert_eq!(
            marked.title,
            Some("\u{1f600}\0".into()),
            "a mark is no part of it"
        );
    }

    #[test]
    fn what_is_no_object_is_422() {
        for text in ["null", "[]", "1", "\"a\"", "true"] {
            refused(parse::<Board>(text.as_bytes()), 422, "invalid_value", None);
        }
    }

    #[test]
    fn values_are_counted() {
        for (values, fits) in [
            (limits::JSON_VALUES_MAX - 1, true),
            (limits::JSON_VALUES_MAX, true),
            (limits::JSON_VALUES_MAX + 1, false),
        ] {
            // The object and the array are values too.
            let text = format!("{{\"a\":[{}0]}}", "0,".repeat(values - 3));
            let result = parse::<Board>(text.as_bytes());
            match fits {
                true => assert!(result.is_ok(), "{values}"),
                false => refused(result, 413, "body_too_large", None),
            }
        }
    }

    #[test]
    fn strings_are_bounded_in_bytes() {
        for (bytes, fits) in [(0, false), (1, true), (3, true), (4, true), (5, false)] {
            let value = Value::String("x".repeat(bytes));
            let result = text("title", value, 1..=4);
            match fits {
                true => assert_eq!(result.unwrap().len(), bytes),
                false => refused(result, 422, "invalid_value", Some("title")),
            }
        }
        refused(
            text("title", Value::Bool(true), 0..=4),
            422,
            "invalid_value",
            Some("title"),
        );
        assert!(text("title", "\u{e4}\u{e4}".into(), 4..=4).is_ok());
    }

    #[test]
    fn levels_are_the_three_words() {
        for word in ["view", "comment", "edit"] {
            assert_eq!(level("level", &word.into()).unwrap().as_str(), word);
        }
        for value in ["Edit".into(), "owner".into(), Value::Null, 1.into()] {
            refused(level("level", &value), 422, "invalid_value", Some("level"));
        }
    }

    #[test]
    fn numbers_are_whole_and_in_range() {
        for (value, expected) in [
            (serde_json::json!(0), None),
            (serde_json::json!(1), Some(1)),
            (serde_json::json!(9), Some(9)),
            (serde_json::json!(10), Some(10)),
            (serde_json::json!(11), None),
            (serde_json::json!(-1), None),
            (serde_json::json!(5.0), None),
            (serde_json::json!("5"), None),
        ] {
            let result = whole("expires_in", &value, 1..=10);
            match expected {
                Some(number) => assert_eq!(result.unwrap(), number),
                None => refused(result, 422, "invalid_value", Some("expires_in")),
            }
        }
    }

    #[test]
    fn a_member_may_have_to_be_there() {
        let check = |value: Value| level("level", &value);
        for missing in [None, Some(Value::Null)] {
            refused(
                required("level", missing.clone(), check),
                422,
                "invalid_value",
                Some("level"),
            );
            assert_eq!(optional(missing, check).unwrap(), None);
        }
        assert_eq!(optional(Some("view".into()), check).unwrap(), Some(Level::View));
        assert_eq!(
            required("level", Some("view".into()), check).unwrap(),
            Level::View
        );
        refused(
            optional(Some(1.into()), check),
            422,
            "invalid_value",
            Some("level"),
        );
    }
}
