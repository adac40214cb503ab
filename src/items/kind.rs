//! The types of item, and what tldraw calls them.
//!
//! Owns which shape stands for which type, its default size, and which members its content has. Must not know
//! records. Tests: src/items/tests.rs.

/// The type of an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Sticky,
    Text,
    Shape,
    Frame,
    Image,
    Document,
    Connector,
    Line,
    Highlight,
    Draw,
}

/// A member of `content`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Member {
    Text,
    Title,
    Url,
    Alt,
}

impl Kind {
    pub(super) const ALL: [Self; 10] = [
        Self::Sticky,
        Self::Text,
        Self::Shape,
        Self::Frame,
        Self::Image,
        Self::Document,
        Self::Connector,
        Self::Line,
        Self::Highlight,
        Self::Draw,
    ];

    /// The type that the contract calls `word`.
    pub(super) fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == word)
    }

    /// The contract's word.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Sticky => "sticky",
            Self::Text => "text",
            Self::Shape => "shape",
            Self::Frame => "frame",
            Self::Image => "image",
            Self::Document => "document",
            Self::Connector => "connector",
            Self::Line => "line",
            Self::Highlight => "highlight",
            Self::Draw => "draw",
        }
    }

    /// The `type` of the tldraw shape.
    pub(super) fn shape_type(self) -> &'static str {
        match self {
            Self::Sticky | Self::Document => "note",
            Self::Text => "text",
            Self::Shape => "geo",
            Self::Frame => "frame",
            Self::Image => "image",
            Self::Connector => "arrow",
            Self::Line | Self::Highlight | Self::Draw => self.as_str(),
        }
    }

    /// Whether it is nothing but points: its place and size follow from them.
    pub(super) fn has_points(self) -> bool {
        matches!(self, Self::Line | Self::Highlight | Self::Draw)
    }

    /// The type of item that a tldraw shape stands for; `noted` is the type that its meta has.
    pub(super) fn of(shape_type: &str, noted: Option<&str>) -> Option<Self> {
        if shape_type == Self::Document.shape_type() && noted == Some(Self::Document.as_str()) {
            return Some(Self::Document);
        }
        Self::ALL.into_iter().find(|kind| kind.shape_type() == shape_type)
    }

    /// Width and height where none is asked for.
    pub(super) fn default_size(self) -> (f64, f64) {
        match self {
            Self::Sticky | Self::Shape => (200.0, 200.0),
            // A text is as high as its lines.
            Self::Text => (300.0, 0.0),
            Self::Frame => (600.0, 400.0),
            Self::Image | Self::Document => (300.0, 200.0),
            // As long as from end to end.
            Self::Connector => (0.0, 0.0),
            Self::Line | Self::Highlight | Self::Draw => (0.0, 0.0),
        }
    }

    /// The members of its content.
    pub(super) fn members(self) -> &'static [Member] {
        match self {
            Self::Sticky | Self::Text | Self::Shape | Self::Connector => &[Member::Text],
            Self::Frame => &[Member::Title],
            Self::Image => &[Member::Url, Member::Alt],
            Self::Document => &[Member::Title, Member::Text, Member::Url],
            Self::Line | Self::Highlight | Self::Draw => &[],
        }
    }
}

impl Member {
    const ALL: [Self; 4] = [Self::Text, Self::Title, Self::Url, Self::Alt];

    /// The member that the contract calls `word`.
    pub(super) fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|member| member.as_str() == word)
    }

    /// The contract's word.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Title => "title",
            Self::Url => "url",
            Self::Alt => "alt",
        }
    }
}
