//! A board as text: one line an item, short enough for a model to read a whole board.
//!
//! Owns the form of a line. Must not know records. Key invariant: whatever an item says, it takes one line,
//! its words stand in quotes as JSON has them, and so does a name that could be taken for something else.
//! Tests: src/mcp/tests.rs.
//!
//! # Shape
//! `type id (x,y widthxheight) "text" style... in frame`, and of a connector
//! `connector id from -> to "text" style...`.

use std::fmt::Write as _;

use serde_json::Value;

use crate::limits;

/// Adds the line of an item.
pub fn tell(item: &Value, out: &mut String) {
    let text = |path: &str| item.pointer(path).and_then(Value::as_str);
    name(text("/type").unwrap_or_default(), out);
    out.push(' ');
    name(text("/id").unwrap_or_default(), out);
    match (item.get("from"), item.get("to")) {
        (Some(from), Some(to)) => {
            end(from, out);
            out.push_str(" ->");
            end(to, out);
        }
        _ => place(item, out),
    }
    for member in ["title", "text", "alt", "url"] {
        let words = item.get("content").and_then(|content| content.get(member));
        if let Some(words) = words.and_then(Value::as_str).filter(|words| !words.is_empty()) {
            out.push(' ');
            quote(words, out);
        }
    }
    for style in ["geo", "color"] {
        let word = item.get("style").and_then(|all| all.get(style));
        // A rectangle in black is what everything is.
        let word = word
            .and_then(Value::as_str)
            .filter(|word| !matches!(*word, "rectangle" | "black"));
        if let Some(word) = word {
            out.push(' ');
            name(word, out);
        }
    }
    if let Some(points) = item.get("points").and_then(Value::as_array) {
        push(out, format_args!(" {} points", points.len()));
    }
    if let Some(turned) = item.get("rotation").and_then(Value::as_f64) {
        push(out, format_args!(" rotation {turned:.2}"));
    }
    if item.get("locked").and_then(Value::as_bool) == Some(true) {
        out.push_str(" locked");
    }
    if let Some(parent) = text("/parent") {
        out.push_str(" in ");
        name(parent, out);
    }
    out.push('\n');
}

fn push(out: &mut String, words: std::fmt::Arguments<'_>) {
    // Writing to a string does not fail.
    out.write_fmt(words).unwrap_or_default();
}

fn number(value: &Value, name: &str) -> f64 {
    // No negative zero, which reads as if it meant something.
    value
        .get(name)
        .and_then(Value::as_f64)
        .unwrap_or_default()
        .round()
        + 0.0
}

fn place(item: &Value, out: &mut String) {
    let [x, y, width, height] = ["x", "y", "width", "height"].map(|name| number(item, name));
    push(out, format_args!(" ({x},{y} {width}x{height})"));
}

fn end(end: &Value, out: &mut String) {
    match end.get("item").and_then(Value::as_str) {
        Some(item) => {
            out.push(' ');
            name(item, out);
        }
        None => push(out, format_args!(" ({},{})", number(end, "x"), number(end, "y"))),
    }
}

/// A name as it stands; in quotes where it has anything but what names are made of, since a writer of the
/// document chose it, and a space or a line break in it would forge the rest of the line or the next one.
fn name(word: &str, out: &mut String) {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_:.".contains(&byte);
    match word.len() <= limits::MCP_LINE_TEXT_BYTES_MAX && word.bytes().all(is_plain) {
        true => out.push_str(word),
        false => quote(word, out),
    }
}

/// Words in quotes, cut where they are long.
fn quote(words: &str, out: &mut String) {
    // The bytes of a picture say nothing here.
    let words = match words.split_once(',') {
        Some((head, _)) if head.starts_with("data:") => head,
        _ => words,
    };
    let cut = words.floor_char_boundary(limits::MCP_LINE_TEXT_BYTES_MAX);
    let short = words.get(..cut).unwrap_or_default();
    out.push_str(&Value::from(short).to_string());
    if short.len() < words.len() {
        out.push_str("...");
    }
}
