//! A document of rich text, as paragraphs of runs.
//!
//! Owns what of tldraw's `richText` is shown. Must not know widths. Key invariants: any JSON is read; no
//! deeper than [`DEPTH_MAX`]. Tests are below.

use serde_json::Value;

use crate::Record;
use crate::fonts::{Face, Family, Slant, Weight};
use crate::value;

/// How deep paragraphs lie in lists, inclusive.
const DEPTH_MAX: usize = 16;

/// Letters of a text that are shown, inclusive, and its paragraphs: more is a file.
const LETTERS_MAX: usize = 50_000;
const PARAGRAPHS_MAX: usize = 5_000;

/// How letters look.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Look {
    pub(crate) face: Face,
    pub(crate) is_link: bool,
    pub(crate) is_struck: bool,
    pub(crate) is_marked: bool,
}

/// Letters of one look. A line break is `\n`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Run {
    pub(crate) text: String,
    pub(crate) look: Look,
}

/// Lines that belong together.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Paragraph {
    pub(crate) runs: Vec<Run>,
    pub(crate) size: f64,
    /// How many lists it is in.
    pub(crate) depth: u8,
    /// What stands before it in its list.
    pub(crate) marker: String,
    /// Room before and after.
    pub(crate) margins: (f64, f64),
}

impl Paragraph {
    pub(crate) fn face(&self) -> Face {
        let first = self.runs.first();
        first.map_or_else(|| plain_face(Family::Sans), |run| run.look.face)
    }
}

fn plain_face(family: Family) -> Face {
    Face {
        family,
        weight: Weight::Normal,
        slant: Slant::Upright,
    }
}

fn look(family: Family) -> Look {
    Look {
        face: plain_face(family),
        is_link: false,
        is_struck: false,
        is_marked: false,
    }
}

/// Plain text, a paragraph for each line.
pub(crate) fn plain(text: &str, family: Family, size: f64) -> Vec<Paragraph> {
    let paragraph = |line: &str| Paragraph {
        runs: vec![Run {
            text: line.to_owned(),
            look: look(family),
        }],
        size,
        depth: 0,
        marker: String::new(),
        margins: (0.0, 0.0),
    };
    let letters = text
        .char_indices()
        .nth(LETTERS_MAX)
        .map_or(text.len(), |(end, _)| end);
    let text = text.get(..letters).unwrap_or_default();
    text.lines().take(PARAGRAPHS_MAX).map(paragraph).collect()
}

/// The paragraphs of a document; none where no letter is in it.
pub(crate) fn read(document: &Value, family: Family, size: f64) -> Vec<Paragraph> {
    let mut reader = Reader {
        family,
        size,
        paragraphs: Vec::new(),
        letters: 0,
    };
    if let Some(document) = document.as_object() {
        reader.blocks(document, 0, &mut String::new());
    }
    if reader.letters > 0 {
        reader.paragraphs
    } else {
        Vec::new()
    }
}

struct Reader {
    family: Family,
    size: f64,
    paragraphs: Vec<Paragraph>,
    letters: usize,
}

impl Reader {
    fn blocks(&mut self, block: &Record, depth: usize, marker: &mut String) {
        if depth > DEPTH_MAX {
            return;
        }
        let mut number = value::number_or(value::part(block, "attrs"), "start", 1.0);
        let is_numbered = value::text(block, "type") == "orderedList";
        for child in value::list(block, "content") {
            let Some(child) = child.as_object() else { continue };
            match value::text(child, "type") {
                "bulletList" | "orderedList" => self.blocks(child, depth.saturating_add(1), marker),
                "listItem" => {
                    *marker = if is_numbered {
                        format!("{number}.")
                    } else {
                        "\u{2022}".to_owned()
                    };
                    number += 1.0;
                    self.blocks(child, depth, marker);
                }
                "heading" => {
                    let level = value::number_or(value::part(child, "attrs"), "level", 1.0);
                    self.paragraph(child, depth, marker, Some(level));
                }
                "paragraph" => self.paragraph(child, depth, marker, None),
                _ => self.blocks(child, depth.saturating_add(1), marker),
            }
        }
    }

    fn paragraph(&mut self, block: &Record, depth: usize, marker: &mut String, heading: Option<f64>) {
        // Browsers' own sizes of headings.
        let size = match heading {
            None => 1.0,
            Some(level) if level < 2.0 => 2.0,
            Some(level) if level < 3.0 => 1.5,
            Some(level) if level < 4.0 => 1.17,
            Some(_) => 1.0,
        };
        let mut runs = Vec::new();
        for piece in value::list(block, "content") {
            let Some(piece) = piece.as_object() else { continue };
            let mut look = look(self.family);
            if heading.is_some() {
                look.face.weight = Weight::Bold;
            }
            let text = match value::text(piece, "type") {
                "hardBreak" => "\n",
                "text" => value::text(piece, "text"),
                _ => continue,
            };
            for mark in value::list(piece, "marks").iter().filter_map(Value::as_object) {
                match value::text(mark, "type") {
                    "bold" => look.face.weight = Weight::Bold,
                    "italic" => look.face.slant = Slant::Italic,
                    "code" => look.face.family = Family::Mono,
                    "strike" => look.is_struck = true,
                    "link" => look.is_link = true,
                    "highlight" => look.is_marked = true,
                    _ => {}
                }
            }
            let left = LETTERS_MAX.saturating_sub(self.letters);
            let text: String = text.chars().take(left).collect();
            self.letters = self.letters.saturating_add(text.chars().count());
            runs.push(Run { text, look });
        }
        if runs.is_empty() {
            runs.push(Run {
                text: String::new(),
                look: look(self.family),
            });
        }
        self.paragraphs.push(Paragraph {
            runs,
            size: self.size * size,
            depth: u8::try_from(depth).unwrap_or(u8::MAX),
            marker: std::mem::take(marker),
            margins: heading.map_or((0.0, 0.0), |_| (5.0, 10.0)),
        });
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn paragraphs_have_runs_of_one_look() {
        let document = json!({"type": "doc", "content": [
            {"type": "paragraph", "content": [
                {"type": "text", "text": "a"},
                {"type": "hardBreak"},
                {"type": "text", "text": "b", "marks": [{"type": "bold"}, {"type": "link", "attrs": {"href": "x"}}]},
            ]},
            {"type": "orderedList", "content": [
                {"type": "listItem", "content": [{"type": "paragraph", "content": [{"type": "text", "text": "c"}]}]},
                {"type": "listItem", "content": [{"type": "paragraph"}]},
            ]},
        ]});
        let paragraphs = read(&document, Family::Draw, 20.0);
        let told: Vec<(String, u8, usize)> = paragraphs
            .iter()
            .map(|it| (it.marker.clone(), it.depth, it.runs.len()))
            .collect();
        assert_eq!(
            told,
            [
                (String::new(), 0, 3),
                ("1.".to_owned(), 1, 1),
                ("2.".to_owned(), 1, 1)
            ]
        );
        let bold = &paragraphs[0].runs[2].look;
        assert!(bold.face.weight == Weight::Bold && bold.is_link);
    }

    #[test]
    fn a_document_without_letters_is_nothing_and_depth_has_an_end() {
        assert_eq!(
            read(
                &json!({"type": "doc", "content": [{"type": "paragraph"}]}),
                Family::Draw,
                20.0
            ),
            []
        );
        assert_eq!(read(&json!(7), Family::Draw, 20.0), []);
        let mut deep = json!({"type": "paragraph", "content": [{"type": "text", "text": "x"}]});
        for _ in 0..100 {
            deep = json!({"type": "bulletList", "content": [deep]});
        }
        assert_eq!(read(&deep, Family::Draw, 20.0), []);
    }
}
