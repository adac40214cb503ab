//! Props: how the parts of a record are reached, and what the shapes of several types have alike in them.
//!
//! Owns the text of a shape and the face that it is set in. Must not know what an item makes of them. Key
//! invariant: a record that somebody else has written reads as if it lacked what is not as tldraw writes it.
//! Tests: src/items/tests.rs.

use serde_json::Value;

use crate::items::text_size::Face;
use crate::items::{Record, rich_text};

/// The member `name` of a record that is an object itself; empty where it is none.
pub(super) fn part<'r>(record: &'r Record, name: &str) -> Option<&'r Record> {
    record.get(name).and_then(Value::as_object)
}

/// The same, to change it; made where it is none.
pub(super) fn part_mut<'r>(record: &'r mut Record, name: &str) -> Option<&'r mut Record> {
    if part(record, name).is_none() {
        record.insert(name.to_owned(), Value::Object(Record::new()));
    }
    record.get_mut(name).and_then(Value::as_object_mut)
}

/// How the text of a shape is set.
pub(super) fn face(props: &Record) -> Face<'_> {
    let word = |name| props.get(name).and_then(Value::as_str).unwrap_or_default();
    Face {
        font: word("font"),
        size: word("size"),
    }
}

/// The text of a shape. Before tldraw 3.8 it was a string.
pub(super) fn text(props: &Record) -> String {
    match props.get("richText") {
        Some(rich_text) => rich_text::plain(rich_text),
        None => string(props, "text"),
    }
}

/// A member that is a string; empty where it is none.
pub(super) fn string(props: &Record, name: &str) -> String {
    props
        .get(name)
        .and_then(Value::as_str)
        .unwrap_or_default()
        .to_owned()
}
