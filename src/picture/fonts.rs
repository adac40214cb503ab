//! The fonts: packed files, unpacked once, and what of them is drawn.
//!
//! Owns faces, widths and outlines of letters. Must not know text that is longer than a letter. Key
//! invariant: a face that is not there, or cannot be read, is none; nothing is drawn wrongly for it. Tests:
//! `text`, and tests/it/picture.rs for the page's own fonts.

use std::fmt;
use std::sync::OnceLock;

use skrifa::charmap::Charmap;
use skrifa::instance::{LocationRef, Size};
use skrifa::metrics::GlyphMetrics;
use skrifa::outline::{DrawSettings, OutlineGlyphCollection, OutlinePen};
use skrifa::{FontRef, GlyphId, MetadataProvider as _};

/// The four fonts of a board.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Family {
    /// As written by hand.
    Draw,
    /// Without serifs.
    Sans,
    /// With serifs.
    Serif,
    /// All letters of one width.
    Mono,
}

/// How thick letters are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Weight {
    /// As most are.
    Normal,
    /// Thick.
    Bold,
}

/// How letters stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Slant {
    /// Straight.
    Upright,
    /// Leaning.
    Italic,
}

/// One face of a font.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Face {
    /// Of which font.
    pub family: Family,
    /// How thick.
    pub weight: Weight,
    /// How it stands.
    pub slant: Slant,
}

const FACES: usize = 16;

impl Face {
    fn slot(self) -> usize {
        let family = match self.family {
            Family::Draw => 0,
            Family::Sans => 4,
            Family::Serif => 8,
            Family::Mono => 12,
        };
        let weight = if self.weight == Weight::Bold { 2 } else { 0 };
        family + weight + usize::from(self.slant == Slant::Italic)
    }

    /// What a browser has instead.
    pub(crate) fn generic(self) -> &'static str {
        match self.family {
            Family::Draw | Family::Sans => "sans-serif",
            Family::Serif => "serif",
            Family::Mono => "monospace",
        }
    }
}

/// Where the packed file of a face is; `None` where there is none.
type Source = fn(Face) -> Option<&'static [u8]>;

/// All faces; each is unpacked when it is first needed, and kept.
pub struct Fonts {
    source: Source,
    unpacked: [OnceLock<Option<Vec<u8>>>; FACES],
}

impl fmt::Debug for Fonts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Fonts")
    }
}

impl Fonts {
    /// Fonts whose files (WOFF2) `source` has.
    #[must_use]
    pub fn new(source: Source) -> Self {
        Self {
            source,
            unpacked: [const { OnceLock::new() }; FACES],
        }
    }

    /// No fonts: all letters are left to whoever shows the picture.
    #[must_use]
    pub fn none() -> Self {
        Self::new(|_| None)
    }

    /// Whether a face is there and can be read.
    #[must_use]
    pub fn has(&self, face: Face) -> bool {
        self.open(face).is_some()
    }

    fn open(&self, face: Face) -> Option<Opened<'_>> {
        let unpack = || wuff::decompress_woff2((self.source)(face)?).ok();
        let bytes = self.unpacked.get(face.slot())?.get_or_init(unpack).as_ref()?;
        Opened::new(bytes)
    }
}

/// A face that is being used.
struct Opened<'f> {
    letters: Charmap<'f>,
    widths: GlyphMetrics<'f>,
    outlines: OutlineGlyphCollection<'f>,
    metrics: Metrics,
}

/// What lines of a face are set by, in parts of its size.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Metrics {
    pub(crate) ascent: f64,
    pub(crate) descent: f64,
    /// The parts that a size is cut into for outlines and widths.
    pub(crate) units: f64,
}

/// About what most fonts have.
const PLAIN: Metrics = Metrics {
    ascent: 0.93,
    descent: 0.24,
    units: 1_000.0,
};

impl<'f> Opened<'f> {
    fn new(bytes: &'f [u8]) -> Option<Self> {
        let font = FontRef::new(bytes).ok()?;
        let place = LocationRef::default();
        let metrics = font.metrics(Size::unscaled(), place);
        let units = f64::from(metrics.units_per_em);
        (units > 0.0).then(|| Self {
            letters: font.charmap(),
            widths: font.glyph_metrics(Size::unscaled(), place),
            outlines: font.outline_glyphs(),
            metrics: Metrics {
                ascent: f64::from(metrics.ascent) / units,
                descent: f64::from(metrics.descent).abs() / units,
                units,
            },
        })
    }
}

/// A letter of a face.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Letter {
    /// `None` where the face lacks it.
    pub(crate) glyph: Option<u32>,
    /// In parts of the size.
    pub(crate) width: f64,
}

/// The faces that one drawing uses.
pub(crate) struct Faces<'f> {
    fonts: &'f Fonts,
    open: [Option<Option<Opened<'f>>>; FACES],
}

impl<'f> Faces<'f> {
    pub(crate) fn of(fonts: &'f Fonts) -> Self {
        Self {
            fonts,
            open: [const { None }; FACES],
        }
    }

    fn opened(&mut self, face: Face) -> Option<&Opened<'f>> {
        let fonts = self.fonts;
        let slot = self.open.get_mut(face.slot())?;
        slot.get_or_insert_with(|| fonts.open(face)).as_ref()
    }

    pub(crate) fn metrics(&mut self, face: Face) -> Metrics {
        self.opened(face).map_or(PLAIN, |open| open.metrics)
    }

    pub(crate) fn letter(&mut self, face: Face, c: char) -> Letter {
        let found = self.opened(face).and_then(|open| {
            let glyph = open.letters.map(c).filter(|glyph| *glyph != GlyphId::NOTDEF)?;
            let width = f64::from(open.widths.advance_width(glyph)?) / open.metrics.units;
            Some((glyph.to_u32(), width))
        });
        found.map_or_else(
            || Letter {
                glyph: None,
                width: estimate(face, c),
            },
            |(glyph, width)| Letter {
                glyph: Some(glyph),
                width,
            },
        )
    }

    /// The outline of a glyph as path data, in parts of the size, y up; empty where there is nothing to see.
    pub(crate) fn outline(&mut self, face: Face, glyph: u32) -> String {
        let mut data = Data(String::new());
        if let Some(open) = self.opened(face)
            && let Some(outline) = open.outlines.get(GlyphId::new(glyph))
        {
            let settings = DrawSettings::unhinted(Size::unscaled(), LocationRef::default());
            if outline.draw(settings, &mut data).is_err() {
                data.0.clear();
            }
        }
        data.0
    }
}

/// About how wide a letter is that no face has.
fn estimate(face: Face, c: char) -> f64 {
    let is_wide = matches!(c, '\u{1100}'..='\u{115f}' | '\u{2600}'..='\u{27bf}' | '\u{2e80}'..='\u{a4cf}'
        | '\u{ac00}'..='\u{d7a3}' | '\u{f900}'..='\u{faff}' | '\u{fe30}'..='\u{fe6f}' | '\u{ff00}'..='\u{ff60}'
        | '\u{1f300}'..='\u{1faff}' | '\u{20000}'..='\u{3fffd}');
    let is_joined = matches!(c, '\u{300}'..='\u{36f}' | '\u{200b}'..='\u{200f}' | '\u{fe00}'..='\u{fe0f}'
        | '\u{20d0}'..='\u{20ff}' | '\u{591}'..='\u{5bd}' | '\u{64b}'..='\u{65f}' | '\u{1f3fb}'..='\u{1f3ff}');
    match c {
        c if c.is_control() || is_joined => 0.0,
        _ if is_wide => 1.0,
        _ if face.family == Family::Mono => 0.6,
        ' ' | 'i' | 'l' | 'j' | '.' | ',' | '\'' | ':' | ';' | '|' | '!' => 0.28,
        'm' | 'w' | 'M' | 'W' | '@' => 0.87,
        c if c.is_uppercase() => 0.68,
        _ => 0.55,
    }
}

/// Path data of an outline.
struct Data(String);

impl Data {
    fn put(&mut self, command: char, numbers: &[f32]) {
        self.0.push(command);
        for (n, number) in numbers.iter().enumerate() {
            // A minus parts numbers too.
            if n > 0 && *number >= 0.0 {
                self.0.push(' ');
            }
            crate::path::number(&mut self.0, f64::from(number.round()));
        }
    }
}

impl OutlinePen for Data {
    fn move_to(&mut self, x: f32, y: f32) {
        self.put('M', &[x, y]);
    }

    fn line_to(&mut self, x: f32, y: f32) {
        self.put('L', &[x, y]);
    }

    fn quad_to(&mut self, cx: f32, cy: f32, x: f32, y: f32) {
        self.put('Q', &[cx, cy, x, y]);
    }

    fn curve_to(&mut self, ax: f32, ay: f32, bx: f32, by: f32, x: f32, y: f32) {
        self.put('C', &[ax, ay, bx, by, x, y]);
    }

    fn close(&mut self) {
        self.0.push('Z');
    }
}
