//! Paragraphs, as lines of a width.
//!
//! Owns where lines break and where letters stand. Must not know how they are painted. Key invariant: work is
//! in proportion to the letters. Tests are below.

use crate::fonts::Faces;
use crate::text::rich::{Look, Paragraph};

/// A line is so high, in parts of the size.
const LINE_HEIGHT: f64 = 1.35;

/// How far a list is set in, in parts of the size: 3.25 zeros.
const INDENT: f64 = 2.0;

/// What all lines take.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Laid {
    pub(crate) lines: Vec<Line>,
    pub(crate) width: f64,
    pub(crate) height: f64,
}

/// One line.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Line {
    pub(crate) parts: Vec<Part>,
    /// Without spaces at its end.
    pub(crate) width: f64,
    pub(crate) indent: f64,
    pub(crate) is_listed: bool,
    pub(crate) top: f64,
    pub(crate) height: f64,
    pub(crate) baseline: f64,
}

/// Letters of one look that stand side by side, all of a font or none of them.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Part {
    pub(crate) text: String,
    pub(crate) look: Look,
    pub(crate) size: f64,
    /// From the line's left edge.
    pub(crate) left: f64,
    pub(crate) width: f64,
    pub(crate) is_drawn: bool,
}

/// A letter on its way to a line.
#[derive(Clone, Copy)]
struct Set {
    c: char,
    look: Look,
    width: f64,
    is_drawn: bool,
}

/// Sets paragraphs in lines, which break at `width` where there is one.
pub(crate) fn set(faces: &mut Faces<'_>, paragraphs: &[Paragraph], width: Option<f64>) -> Laid {
    let mut laid = Laid {
        lines: Vec::new(),
        width: 0.0,
        height: 0.0,
    };
    for paragraph in paragraphs {
        let mut letters = Vec::new();
        for run in &paragraph.runs {
            for c in run.text.chars() {
                let letter = faces.letter(run.look.face, c);
                letters.push(Set {
                    c,
                    look: run.look,
                    width: letter.width * paragraph.size,
                    is_drawn: letter.glyph.is_some(),
                });
            }
        }
        laid.height += paragraph.margins.0;
        let indent = f64::from(paragraph.depth) * INDENT * paragraph.size;
        let room = width.map(|width| (width - indent).max(1.0));
        for (n, line) in letters.split(|letter| letter.c == '\n').enumerate() {
            for (m, (from, to)) in breaks(line, room).into_iter().enumerate() {
                let letters = line.get(from..to).unwrap_or_default();
                let marker = if n == 0 && m == 0 {
                    paragraph.marker.as_str()
                } else {
                    ""
                };
                push(&mut laid, faces, (letters, marker), paragraph, indent);
            }
        }
        laid.height += paragraph.margins.1;
    }
    laid
}

/// Where a line begins and ends each time it is broken.
fn breaks(line: &[Set], room: Option<f64>) -> Vec<(usize, usize)> {
    let Some(room) = room else {
        return vec![(0, line.len())];
    };
    let mut found = Vec::new();
    let (mut begin, mut width) = (0, 0.0);
    // Where it may be broken last, and how wide it was until there.
    let mut last: Option<(usize, f64)> = None;
    for (n, letter) in line.iter().enumerate() {
        width += letter.width;
        if letter.c != ' ' && width > room + 0.01 && n > begin {
            let (end, until) = last
                .filter(|(end, _)| *end > begin)
                .unwrap_or((n, width - letter.width));
            found.push((begin, end));
            width -= until;
            begin = end;
            last = None;
        }
        let next = line.get(n.saturating_add(1)).map(|next| next.c);
        if may_break(letter.c, next) {
            last = Some((n.saturating_add(1), width));
        }
    }
    found.push((begin, line.len()));
    found
}

/// Whether a line may be broken between two letters.
fn may_break(before: char, after: Option<char>) -> bool {
    let ideograph =
        |c: char| matches!(c, '\u{2e80}'..='\u{9fff}' | '\u{ac00}'..='\u{d7a3}' | '\u{ff00}'..='\u{ff60}');
    match (before, after) {
        (_, None | Some(' ')) => false,
        (' ' | '\u{200b}' | '\t', _) => true,
        ('-' | '\u{2013}' | '\u{2014}', Some(after)) => after.is_alphabetic(),
        (before, Some(after)) => {
            let closes = matches!(
                after,
                '\u{3001}' | '\u{3002}' | '\u{ff0c}' | '\u{ff01}' | '\u{ff1f}'
            );
            (ideograph(before) || ideograph(after)) && !closes
        }
    }
}

fn push(
    laid: &mut Laid,
    faces: &mut Faces<'_>,
    (letters, marker): (&[Set], &str),
    paragraph: &Paragraph,
    indent: f64,
) {
    let metrics = faces.metrics(
        letters
            .first()
            .map_or_else(|| paragraph.face(), |letter| letter.look.face),
    );
    let (ascent, descent) = (
        (metrics.ascent * paragraph.size).round(),
        (metrics.descent * paragraph.size).round(),
    );
    let height = paragraph.size * LINE_HEIGHT;
    let mut line = Line {
        parts: Vec::new(),
        width: 0.0,
        indent,
        is_listed: paragraph.depth > 0,
        top: laid.height,
        height,
        baseline: laid.height + (height - ascent - descent) / 2.0 + ascent,
    };
    let mut left = 0.0;
    for letter in letters {
        match line.parts.last_mut() {
            Some(part) if part.look == letter.look && part.is_drawn == letter.is_drawn => {
                part.text.push(letter.c);
                part.width += letter.width;
            }
            _ => line.parts.push(Part {
                text: letter.c.to_string(),
                look: letter.look,
                size: paragraph.size,
                left,
                width: letter.width,
                is_drawn: letter.is_drawn,
            }),
        }
        left += letter.width;
        if letter.c != ' ' {
            line.width = left;
        }
    }
    let look = paragraph.runs.first().map(|run| run.look);
    if let Some(look) = look.filter(|_| !marker.is_empty()) {
        let letters: Vec<_> = marker.chars().map(|c| faces.letter(look.face, c)).collect();
        let width: f64 = letters.iter().map(|letter| letter.width * paragraph.size).sum();
        line.parts.push(Part {
            text: marker.to_owned(),
            look,
            size: paragraph.size,
            left: -width - paragraph.size * 0.4,
            width,
            is_drawn: letters.iter().all(|letter| letter.glyph.is_some()),
        });
    }
    laid.width = laid.width.max(line.width + indent);
    laid.height += height;
    laid.lines.push(line);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fonts::{Family, Fonts};
    use crate::text::rich::plain;

    fn lines(text: &str, width: f64) -> Vec<String> {
        let fonts = Fonts::none();
        let laid = set(
            &mut Faces::of(&fonts),
            &plain(text, Family::Mono, 10.0),
            Some(width),
        );
        let text = |line: &Line| {
            line.parts
                .iter()
                .map(|part| part.text.as_str())
                .collect::<String>()
        };
        laid.lines.iter().map(text).collect()
    }

    #[test]
    fn lines_break_at_spaces_and_within_words_that_are_too_long() {
        // A letter is 6 wide.
        assert_eq!(lines("one two three", 43.0), ["one two ", "three"]);
        assert_eq!(lines("abcdefghij", 24.0), ["abcd", "efgh", "ij"]);
        assert_eq!(lines("a abcdefghij", 24.0), ["a ", "abcd", "efgh", "ij"]);
        assert_eq!(lines("a    b", 12.0), ["a    ", "b"]);
        assert_eq!(lines("well-known", 36.0), ["well-", "known"]);
        assert_eq!(lines("", 36.0), Vec::<String>::new());
        assert_eq!(lines("a\n\nb", 36.0), ["a", "", "b"]);
    }

    #[test]
    fn width_is_without_spaces_at_the_end_and_height_of_all_lines() {
        let fonts = Fonts::none();
        let laid = set(
            &mut Faces::of(&fonts),
            &plain("ab  \nc", Family::Mono, 10.0),
            None,
        );
        assert!(
            (laid.width - 12.0).abs() < 1e-9 && (laid.height - 27.0).abs() < 1e-9,
            "{laid:?}"
        );
    }
}
