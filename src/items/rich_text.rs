//! Rich text: plain text to tldraw's TipTap JSON, and any TipTap JSON to plain text.
//!
//! Owns the two ways, and how a document's title stands before its text. Must not know records. Key
//! invariant: what people and hostile clients wrote costs time by its size and stack by a bound. Tests are
//! below.

use serde_json::{Value, json};

/// Levels of nodes that are looked into; a text is at level 3, one in a list at level 5 and deeper.
const DEPTH_MAX: usize = 64;

/// How a line is set.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Weight {
    Normal,
    Bold,
}

/// The whole of a rich text.
pub(super) fn whole(mut blocks: Vec<Value>) -> Value {
    if blocks.is_empty() {
        blocks.push(paragraph("", Weight::Normal));
    }
    json!({"type": "doc", "content": blocks})
}

/// A paragraph a line.
pub(super) fn paragraphs(text: &str) -> Vec<Value> {
    text.split('\n')
        .map(|line| paragraph(line, Weight::Normal))
        .collect()
}

fn paragraph(line: &str, weight: Weight) -> Value {
    match (line, weight) {
        ("", _) => json!({"type": "paragraph"}),
        (_, Weight::Normal) => json!({"type": "paragraph", "content": [{"type": "text", "text": line}]}),
        (_, Weight::Bold) => json!({
            "type": "paragraph",
            "content": [{"type": "text", "text": line, "marks": [{"type": "bold"}]}],
        }),
    }
}

/// The text of a rich text, a line for each paragraph, heading or item of a list.
pub(super) fn plain(rich_text: &Value) -> String {
    lines_of(blocks(rich_text))
}

/// The nodes right below the top.
pub(super) fn blocks(rich_text: &Value) -> &[Value] {
    rich_text
        .get("content")
        .and_then(Value::as_array)
        .map_or(&[], Vec::as_slice)
}

fn lines_of(blocks: &[Value]) -> String {
    let mut lines = Lines::default();
    blocks.iter().for_each(|block| lines.add(block, 1));
    lines.text
}

#[derive(Default)]
struct Lines {
    text: String,
    has_line: bool,
}

impl Lines {
    fn add(&mut self, node: &Value, depth: usize) {
        if depth > DEPTH_MAX {
            return;
        }
        match node.get("type").and_then(Value::as_str) {
            Some("text") => self
                .text
                .push_str(node.get("text").and_then(Value::as_str).unwrap_or_default()),
            Some("hardBreak") => self.text.push('\n'),
            Some("paragraph" | "heading" | "codeBlock") => {
                if self.has_line {
                    self.text.push('\n');
                }
                self.has_line = true;
            }
            _ => {}
        }
        for child in blocks(node) {
            self.add(child, depth.saturating_add(1));
        }
    }
}

/// A document's rich text as title and text: the first paragraph is the title where all of it is bold, or
/// where it is empty and another follows.
pub(super) struct Titled<'a> {
    title: Option<&'a Value>,
    rest: &'a [Value],
}

impl<'a> Titled<'a> {
    pub(super) fn of(rich_text: &'a Value) -> Self {
        match blocks(rich_text) {
            [first, rest @ ..] if reads_as_title(first, rest) => Self {
                title: Some(first),
                rest,
            },
            rest => Self { title: None, rest },
        }
    }

    /// The title; empty where there is none.
    pub(super) fn title(&self) -> String {
        self.title
            .map_or_else(String::new, |block| lines_of(std::slice::from_ref(block)))
    }

    /// The text below it.
    pub(super) fn text(&self) -> String {
        lines_of(self.rest)
    }

    /// The blocks with another title, or another text, or both; what stays keeps its formatting.
    pub(super) fn with(&self, title: Option<&str>, text: Option<&str>) -> Vec<Value> {
        let mut rest = match text {
            Some("") => Vec::new(),
            Some(text) => paragraphs(text),
            None if self.text().is_empty() && self.rest.len() <= 1 => Vec::new(),
            None => self.rest.to_vec(),
        };
        let title = match title {
            Some("") => None,
            Some(title) => Some(paragraph(title, Weight::Bold)),
            None => self.title.filter(|block| !is_empty(block)).cloned(),
        };
        let needs_place = rest
            .split_first()
            .is_some_and(|(first, others)| reads_as_title(first, others));
        let first = title.or_else(|| needs_place.then(|| paragraph("", Weight::Normal)));
        if let Some(first) = first {
            rest.insert(0, first);
        }
        rest
    }
}

fn reads_as_title(first: &Value, rest: &[Value]) -> bool {
    let is_line = matches!(
        first.get("type").and_then(Value::as_str),
        Some("paragraph" | "heading")
    );
    let is_bold = |node: &Value| {
        let marks = node
            .get("marks")
            .and_then(Value::as_array)
            .map_or(&[][..], Vec::as_slice);
        let has_text = node.get("text").and_then(Value::as_str).is_some();
        has_text
            && marks
                .iter()
                .any(|mark| mark.get("type").and_then(Value::as_str) == Some("bold"))
    };
    match blocks(first) {
        [] => is_line && !rest.is_empty(),
        nodes => is_line && nodes.iter().all(is_bold),
    }
}

fn is_empty(block: &Value) -> bool {
    blocks(block).is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_become_paragraphs_and_come_back() {
        for text in [
            "",
            "a",
            "a\nb",
            "\n",
            "\n\na\n\n",
            "  two  spaces ",
            "\u{1f600}\t",
        ] {
            assert_eq!(plain(&whole(paragraphs(text))), text);
        }
        // What tldraw's own toRichText makes.
        assert_eq!(
            whole(paragraphs("a\n")),
            json!({"type": "doc", "content": [
                {"type": "paragraph", "content": [{"type": "text", "text": "a"}]},
                {"type": "paragraph"},
            ]})
        );
    }

    #[test]
    fn what_people_write_reads_as_lines() {
        let text = |text: &str| json!({"type": "text", "text": text, "marks": [{"type": "italic"}]});
        let line = |kind: &str, nodes: Value| json!({"type": kind, "content": nodes});
        let item = |words: &str| line("listItem", json!([line("paragraph", json!([text(words)]))]));
        let doc = json!({"type": "doc", "content": [
            line("heading", json!([text("Plan")])),
            line("bulletList", json!([item("one"), item("two")])),
            line("paragraph", json!([text("a"), {"type": "hardBreak"}, text("b"), {"type": "mention"}])),
        ]});
        assert_eq!(plain(&doc), "Plan\none\ntwo\na\nb");
        for odd in [
            json!(null),
            json!({}),
            json!({"content": 1}),
            json!({"content": [1, {"type": "text"}]}),
        ] {
            assert_eq!(plain(&odd), "");
        }
    }

    #[test]
    fn depth_is_bounded() {
        let mut deep = json!({"type": "text", "text": "a"});
        for _ in 0..DEPTH_MAX * 20 {
            deep = json!({"content": [deep]});
        }
        assert_eq!(plain(&deep), "");
    }

    #[test]
    fn a_title_and_a_text_are_told_apart() {
        for (title, text) in [
            ("", ""),
            ("T", ""),
            ("", "x"),
            ("T", "x\ny"),
            ("", "\nx"),
            ("", "\n"),
            ("T", "\n"),
            ("T", "\nx"),
        ] {
            let empty = whole(Vec::new());
            let made = whole(Titled::of(&empty).with(Some(title), Some(text)));
            let read = Titled::of(&made);
            assert_eq!(
                (read.title().as_str(), read.text().as_str()),
                (title, text),
                "{made}"
            );
            let same = whole(read.with(None, None));
            assert_eq!(same, made);
            // One of the two changes, the other stays.
            for (next_title, next_text) in [
                (Some("U"), None),
                (Some(""), None),
                (None, Some("z")),
                (None, Some("")),
            ] {
                let next = whole(read.with(next_title, next_text));
                let next = Titled::of(&next);
                assert_eq!(
                    next.title(),
                    next_title.unwrap_or(title),
                    "{title:?} {text:?} {next_title:?} {next_text:?}"
                );
                assert_eq!(
                    next.text(),
                    next_text.unwrap_or(text),
                    "{title:?} {text:?} {next_title:?} {next_text:?}"
                );
            }
        }
    }

    #[test]
    fn a_new_title_leaves_the_formatting_of_the_text() {
        let bold = json!({"type": "paragraph", "content": [{"type": "text", "text": "b", "marks": [{"type": "bold"}]}]});
        let doc = whole(vec![paragraph("T", Weight::Bold), bold.clone()]);
        let titled = Titled::of(&doc);
        assert_eq!(titled.with(Some("U"), None).last(), Some(&bold));
        let untitled = whole(titled.with(Some(""), None));
        assert_eq!(Titled::of(&untitled).text(), "b");
    }
}
