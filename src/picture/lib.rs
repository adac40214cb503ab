//! Pictures of boards: tldraw's records as SVG, and with the feature `png` as pixels.
//!
//! Owns how a board looks. It is a crate of its own that reaches nothing: it is given records, fonts, what is
//! wanted and bounds, and gives text or bytes. Key invariants: any records are drawn, in time and size that
//! the bounds give; a picture runs nothing and refers to nothing outside of it. Tests: beside the code, its
//! fuzz body in `fuzzing`, and tests/browser/picture.test.mjs, which compares it with the page's own.
#![cfg_attr(
    test,
    allow(
        clippy::unwrap_used,
        clippy::indexing_slicing,
        clippy::expect_used,
        reason = "tests may panic"
    )
)]

mod arrow;
mod drawing;
mod elbow;
mod fonts;
mod geo;
mod geometry;
mod hand;
mod image;
mod ink;
mod lines;
mod path;
mod records;
mod scene;
mod shapes;
mod sheet;
mod style;
mod text;
mod value;

// In builds for development too: the tests of the server replay all fuzz bodies.
#[cfg(any(test, fuzzing, debug_assertions))]
pub mod fuzzing;
#[cfg(test)]
#[path = "../mutation.rs"]
#[allow(dead_code, reason = "the server's tests use the rest of it")]
mod mutation;
#[cfg(feature = "png")]
pub mod png;

pub use drawing::draw;
pub use fonts::{Face, Family, Fonts, Slant, Weight};
pub use geometry::Area;
pub use records::Records;
pub use style::Theme;

/// A record: a JSON object.
pub type Record = serde_json::Map<String, serde_json::Value>;

/// Which part of a board.
#[derive(Clone, Debug, PartialEq)]
pub enum Part {
    /// All that is on a page; the one that new items are made on, where none is named.
    Page(Option<String>),
    /// A frame and what it shows.
    Frame(String),
    /// What of a page, named as above, reaches into an area.
    Area(Option<String>, Area),
}

/// How large.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Size {
    /// So many pixels for a unit of the board.
    Scale(f64),
    /// As large as fits into so many pixels, each way or one; never larger than [`Bounds::scale`].
    Within(Option<f64>, Option<f64>),
}

/// What the picture is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// An SVG for a browser, which has fonts for letters that ours lack.
    Vector,
    /// An SVG for [`png`], without letters of other fonts, and within its bounds.
    Raster,
}

/// What is wanted.
#[derive(Clone, Debug, PartialEq)]
pub struct Wanted {
    /// What of the board.
    pub part: Part,
    /// How large.
    pub size: Size,
    /// In which colours.
    pub theme: Theme,
    /// For what.
    pub target: Target,
}

/// What a picture may take. The default is no bound at all, for tests.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bounds {
    /// Bytes of the SVG, inclusive, about: what is begun below is finished.
    pub svg_bytes: usize,
    /// Steps of work: points, letters, shapes, crossings.
    pub steps: u64,
    /// Pixels of pictures within the picture, unpacked, each time that one is shown.
    pub image_pixels: u64,
    /// Pixels of the picture itself, where it is for [`Target::Raster`].
    pub pixels: f64,
    /// How often all pixels are painted over, where it is for [`Target::Raster`], in pixels.
    pub painted: f64,
    /// The largest scale.
    pub scale: f64,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            svg_bytes: usize::MAX,
            steps: u64::MAX,
            image_pixels: u64::MAX,
            pixels: f64::INFINITY,
            painted: f64::INFINITY,
            scale: 4.0,
        }
    }
}

/// A picture.
#[derive(Clone, Debug, PartialEq)]
pub struct Picture {
    /// The SVG.
    pub svg: String,
    /// In pixels.
    pub width: f64,
    /// In pixels.
    pub height: f64,
    /// Whether something was left out, since it was too much. The picture says so too.
    pub is_cut: bool,
}

/// Why there is no picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// The board has no such page.
    NoPage,
    /// The board has no such frame.
    NoFrame,
}
