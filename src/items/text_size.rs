//! How much room a text takes: an estimate, since only a browser can measure.
//!
//! Owns widths of letters, font sizes and padding as tldraw 3.15.6 has them. Must not know records. Key
//! invariant: the time is linear in the text. Sources: tldraw
//! src/lib/shapes/shared/default-shape-constants.ts and the `get...LabelSize` of its note, geo and text
//! shapes; widths are averages of the glyphs in @tldraw/assets 3.15.6. Tests are below.

/// Height of a line, in font sizes.
const LINE_HEIGHT: f64 = 1.35;

/// Space between a label and the edge of its shape.
const LABEL_PADDING: f64 = 16.0;

/// A note's font is not made smaller than this; longer words break.
const NOTE_FONT_MIN: f64 = 14.0;

/// The width that the text of a note has: its side without padding, and one for luck, as tldraw has it.
const NOTE_TEXT_WIDTH: f64 = 200.0 - 2.0 * LABEL_PADDING - 1.0;

/// How a text is set: tldraw's words for font and size; anything else counts as their defaults.
#[derive(Clone, Copy, Debug)]
pub(super) struct Face<'a> {
    pub(super) font: &'a str,
    pub(super) size: &'a str,
}

/// Widths of kinds of letters, in font sizes.
struct Widths {
    space: f64,
    narrow: f64,
    middle: f64,
    large: f64,
    wide: f64,
}

impl Face<'_> {
    fn label_font(&self) -> f64 {
        match self.size {
            "s" => 18.0,
            "l" => 26.0,
            "xl" => 32.0,
            _ => 22.0,
        }
    }

    fn text_font(&self) -> f64 {
        match self.size {
            "s" => 18.0,
            "l" => 36.0,
            "xl" => 44.0,
            _ => 24.0,
        }
    }

    fn widths(&self) -> Widths {
        let [space, narrow, middle, large, wide] = match self.font {
            "sans" => [0.24, 0.33, 0.56, 0.65, 0.90],
            "serif" => [0.24, 0.34, 0.58, 0.69, 0.92],
            "mono" => [0.6; 5],
            _ => [0.35, 0.40, 0.62, 0.67, 0.96],
        };
        Widths {
            space,
            narrow,
            middle,
            large,
            wide,
        }
    }
}

impl Widths {
    fn of(&self, letter: char) -> f64 {
        match letter {
            ' ' | '\u{a0}' => self.space,
            '\t' => 4.0 * self.space,
            'i' | 'l' | 'j' | 'f' | 't' | 'r' | '.' | ',' | ':' | ';' | '\'' | '|' | '!' | '(' | ')'
            | '[' | ']' => self.narrow,
            'm' | 'w' | 'M' | 'W' | '@' | '%' => self.wide,
            'A'..='Z' | '0'..='9' => self.large,
            '\0'..='\u{2fff}' => self.middle,
            // CJK and emoji are as wide as they are high.
            _ => 1.0,
        }
    }

    fn word(&self, word: &str) -> f64 {
        word.chars().map(|letter| self.of(letter)).sum()
    }
}

/// Lines that a text takes in `width`, which is in font sizes.
fn lines(text: &str, widths: &Widths, width: f64) -> f64 {
    text.split('\n').map(|line| wrapped(line, widths, width)).sum()
}

/// Lines that a paragraph takes: words go down whole, longer ones break.
fn wrapped(line: &str, widths: &Widths, width: f64) -> f64 {
    let width = width.max(1.0);
    let (mut count, mut used) = (1.0, 0.0);
    for word in line.split_inclusive([' ', '\t']) {
        let bare = widths.word(word.trim_end());
        if used > 0.0 && used + bare > width {
            count += 1.0;
            used = 0.0;
        }
        if bare > width {
            // CJK and long words break anywhere.
            let rows = (bare / width).ceil();
            count += rows - 1.0;
            used = bare - (rows - 1.0) * width;
        } else {
            used += bare;
        }
        used += widths.word(word) - bare;
    }
    count
}

/// What the text of a note needs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct NoteLabel {
    /// Height with padding, at scale 1.
    pub(super) height: f64,
    /// `fontSizeAdjustment`: 0, or the font size that makes the longest word fit.
    pub(super) font: f64,
}

/// What `text` needs in a note, which is 200 wide at scale 1.
pub(super) fn note_label(text: &str, face: Face<'_>) -> NoteLabel {
    let usual = face.label_font();
    let widths = face.widths();
    let words = text.split_whitespace().map(|word| widths.word(word));
    let longest = words.fold(0.0, f64::max);
    let fitting = if longest > 0.0 {
        (NOTE_TEXT_WIDTH / longest).floor()
    } else {
        usual
    };
    let font = fitting.clamp(NOTE_FONT_MIN.min(usual), usual);
    let height = lines(text, &widths, NOTE_TEXT_WIDTH / font) * font * LINE_HEIGHT + 2.0 * LABEL_PADDING;
    NoteLabel {
        height: height.ceil(),
        font: if font < usual { font } else { 0.0 },
    }
}

/// The height that `text` needs in a geo shape of this width, both at scale 1; 0 without text.
pub(super) fn geo_label_height(text: &str, face: Face<'_>, width: f64) -> f64 {
    if text.is_empty() {
        return 0.0;
    }
    let least = match face.size {
        "s" => 14.0,
        "l" => 21.0,
        "xl" => 30.0,
        _ => 17.5,
    };
    let font = face.label_font();
    let room = (width - 2.0 * LABEL_PADDING).max(least);
    (lines(text, &face.widths(), room / font) * font * LINE_HEIGHT + 2.0 * LABEL_PADDING).ceil()
}

/// The height of a text shape of this width, at scale 1.
pub(super) fn text_height(text: &str, face: Face<'_>, width: f64) -> f64 {
    let font = face.text_font();
    (lines(text, &face.widths(), width / font) * font * LINE_HEIGHT).ceil()
}

/// The width of a text shape that is as wide as its longest line, at scale 1.
pub(super) fn text_width(text: &str, face: Face<'_>) -> f64 {
    let widths = face.widths();
    let longest = text.split('\n').map(|line| widths.word(line)).fold(0.0, f64::max);
    (longest * face.text_font() + 1.0).ceil().max(16.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: Face<'_> = Face {
        font: "draw",
        size: "m",
    };

    #[test]
    fn short_texts_fit_a_note_and_long_ones_make_it_grow() {
        assert_eq!(
            note_label("", PLAIN),
            NoteLabel {
                height: 62.0,
                font: 0.0
            }
        );
        assert!(note_label("Ship it on Friday", PLAIN).height <= 200.0);
        let long = note_label(&"some words that fill lines ".repeat(10), PLAIN);
        assert!(long.height > 400.0 && long.height < 900.0, "{long:?}");
        let paragraphs = note_label(&"a\n".repeat(20), PLAIN);
        assert_eq!(paragraphs.height, (21.0 * 22.0 * LINE_HEIGHT + 32.0_f64).ceil());
    }

    #[test]
    fn a_long_word_makes_the_font_smaller_down_to_14() {
        let word = note_label("internationally", PLAIN);
        assert!(word.font >= 14.0 && word.font < 22.0, "{word:?}");
        assert_eq!(note_label(&"x".repeat(60), PLAIN).font, 14.0);
    }

    #[test]
    fn height_grows_with_size_and_with_less_width() {
        let text = "the quick brown fox jumps over the lazy dog";
        let mut last = 0.0;
        for size in ["s", "m", "l", "xl"] {
            let height = text_height(text, Face { font: "sans", size }, 300.0);
            assert!(height > last);
            last = height;
        }
        assert!(geo_label_height(text, PLAIN, 100.0) > geo_label_height(text, PLAIN, 400.0));
        assert_eq!(geo_label_height("", PLAIN, 100.0), 0.0);
        assert!(text_width("ab", PLAIN) < text_width("abc", PLAIN));
        assert!(
            text_height("\u{6f22}\u{5b57}\u{6f22}\u{5b57}", PLAIN, 48.0) > text_height("ab", PLAIN, 48.0)
        );
    }

    #[test]
    fn hostile_widths_do_no_harm() {
        for width in [0.0, -1.0, f64::MAX, f64::MIN_POSITIVE] {
            assert!(geo_label_height("a b", PLAIN, width).is_finite());
            assert!(text_height("a b", PLAIN, width).is_finite());
        }
    }
}
