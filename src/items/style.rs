//! Styles: tldraw's own words, and which shape has which.
//!
//! Owns the lists of tldraw 3.15.6 (`@tldraw/tlschema`, src/styles, src/shapes/TLGeoShape.ts and
//! TLArrowShape.ts) and the defaults of new items. Must not know records. Tests: src/items/tests.rs, and
//! tests/node/items-schema.test.mjs against tlschema.

use crate::items::kind::Kind;

/// A member of `style`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Style {
    Color,
    Size,
    Font,
    Fill,
    Dash,
    Align,
    Geo,
    ArrowStart,
    ArrowEnd,
    /// How a connector runs; the contract's word is `kind`.
    Route,
}

const COLORS: &[&str] = &[
    "black",
    "grey",
    "light-violet",
    "violet",
    "blue",
    "light-blue",
    "yellow",
    "orange",
    "green",
    "light-green",
    "light-red",
    "red",
    "white",
];

const GEOS: &[&str] = &[
    "cloud",
    "rectangle",
    "ellipse",
    "triangle",
    "diamond",
    "pentagon",
    "hexagon",
    "octagon",
    "star",
    "rhombus",
    "rhombus-2",
    "oval",
    "trapezoid",
    "arrow-right",
    "arrow-left",
    "arrow-up",
    "arrow-down",
    "x-box",
    "check-box",
    "heart",
];

const ARROWHEADS: &[&str] = &[
    "arrow", "triangle", "square", "dot", "pipe", "diamond", "inverted", "bar", "none",
];

const TEXT_ALIGNS: &[&str] = &["start", "middle", "end"];

const ALIGNS: &[&str] = &[
    "start",
    "middle",
    "end",
    "start-legacy",
    "end-legacy",
    "middle-legacy",
];

impl Style {
    pub(super) const ALL: [Self; 10] = [
        Self::Color,
        Self::Size,
        Self::Font,
        Self::Fill,
        Self::Dash,
        Self::Align,
        Self::Geo,
        Self::ArrowStart,
        Self::ArrowEnd,
        Self::Route,
    ];

    /// The style that the contract calls `word`.
    pub(super) fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|style| style.as_str() == word)
    }

    /// The contract's word.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Color => "color",
            Self::Size => "size",
            Self::Font => "font",
            Self::Fill => "fill",
            Self::Dash => "dash",
            Self::Align => "align",
            Self::Geo => "geo",
            Self::ArrowStart => "arrow_start",
            Self::ArrowEnd => "arrow_end",
            Self::Route => "kind",
        }
    }

    /// The prop of a shape that holds it; `None` where the shape has none.
    pub(super) fn prop(self, kind: Kind) -> Option<&'static str> {
        let is_arrow = kind == Kind::Connector;
        let has_text = !matches!(kind, Kind::Frame | Kind::Image) && !kind.has_points();
        let has_it = match self {
            Self::Color => kind != Kind::Image,
            Self::Size => has_text || kind.has_points(),
            Self::Font => has_text,
            Self::Align => has_text && !is_arrow,
            Self::Fill => matches!(kind, Kind::Shape | Kind::Draw),
            Self::Dash => is_arrow || matches!(kind, Kind::Shape | Kind::Draw | Kind::Line),
            Self::Geo => kind == Kind::Shape,
            Self::ArrowStart | Self::ArrowEnd | Self::Route => is_arrow,
        };
        match self {
            Self::Align if kind == Kind::Text => Some("textAlign"),
            Self::ArrowStart => has_it.then_some("arrowheadStart"),
            Self::ArrowEnd => has_it.then_some("arrowheadEnd"),
            _ => has_it.then(|| self.as_str()),
        }
    }

    /// The words that it takes.
    pub(super) fn words(self, kind: Kind) -> &'static [&'static str] {
        match self {
            Self::Color => COLORS,
            Self::Size => &["s", "m", "l", "xl"],
            Self::Font => &["draw", "sans", "serif", "mono"],
            Self::Fill => &["none", "semi", "solid", "pattern", "fill"],
            Self::Dash => &["draw", "solid", "dashed", "dotted"],
            Self::Align if kind == Kind::Text => TEXT_ALIGNS,
            Self::Align => ALIGNS,
            Self::Geo => GEOS,
            Self::ArrowStart | Self::ArrowEnd => ARROWHEADS,
            Self::Route => &["arc", "elbow"],
        }
    }

    /// The word of a new item that says nothing: tldraw's own, but yellow for a sticky and a highlight, and
    /// white for a document with small print.
    pub(super) fn default_word(self, kind: Kind) -> &'static str {
        match (self, kind) {
            (Self::Color, Kind::Sticky | Kind::Highlight) => "yellow",
            (Self::Color, Kind::Document) => "white",
            (Self::Color, _) => "black",
            (Self::Size, Kind::Document) => "s",
            (Self::Size, _) => "m",
            (Self::Font, Kind::Document) => "sans",
            (Self::Font | Self::Dash, _) => "draw",
            (Self::Fill | Self::ArrowStart, _) => "none",
            (Self::Align, Kind::Text | Kind::Document) => "start",
            (Self::Align, _) => "middle",
            (Self::Geo, _) => "rectangle",
            (Self::ArrowEnd, _) => "arrow",
            (Self::Route, _) => "arc",
        }
    }
}
