//! Colours and sizes, as tldraw 3.15.6 has them.
//!
//! Owns the tables (`@tldraw/tlschema` src/styles/TLColorStyle.ts, `tldraw`
//! src/lib/shapes/shared/default-shape-constants.ts). Must not know records. Key invariant: a word that is
//! unknown has the look of the default.

/// Light or dark.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Theme {
    /// Dark on light.
    #[default]
    Light,
    /// Light on dark.
    Dark,
}

/// One colour of the palette.
pub(crate) struct Color {
    pub(crate) name: &'static str,
    pub(crate) solid: &'static str,
    pub(crate) semi: &'static str,
    pub(crate) pattern: &'static str,
    pub(crate) note: &'static str,
    pub(crate) note_text: &'static str,
    pub(crate) highlight: &'static str,
}

const fn color(
    name: &'static str,
    [solid, semi, pattern, note, note_text, highlight]: [&'static str; 6],
) -> Color {
    Color {
        name,
        solid,
        semi,
        pattern,
        note,
        note_text,
        highlight,
    }
}

const LIGHT: [Color; 13] = [
    color(
        "black",
        ["#1d1d1d", "#e8e8e8", "#494949", "#fce19c", "#000000", "#fddd00"],
    ),
    color(
        "blue",
        ["#4465e9", "#dce1f8", "#6681ee", "#8aa3ff", "#000000", "#10acff"],
    ),
    color(
        "green",
        ["#099268", "#d3e9e3", "#39a785", "#6fc896", "#000000", "#00ffc8"],
    ),
    color(
        "grey",
        ["#9fa8b2", "#eceef0", "#bcc3c9", "#c0cad3", "#000000", "#cbe7f1"],
    ),
    color(
        "light-blue",
        ["#4ba1f1", "#ddedfa", "#6fbbf8", "#9bc4fd", "#000000", "#00f4ff"],
    ),
    color(
        "light-green",
        ["#4cb05e", "#dbf0e0", "#65cb78", "#98d08a", "#000000", "#65f641"],
    ),
    color(
        "light-red",
        ["#f87777", "#f4dadb", "#fe9e9e", "#f7a5a1", "#000000", "#ff7fa3"],
    ),
    color(
        "light-violet",
        ["#e085f4", "#f5eafa", "#e9acf8", "#dfb0f9", "#000000", "#ff88ff"],
    ),
    color(
        "orange",
        ["#e16919", "#f8e2d4", "#f78438", "#faa475", "#000000", "#ffa500"],
    ),
    color(
        "red",
        ["#e03131", "#f4dadb", "#e55959", "#fc8282", "#000000", "#ff636e"],
    ),
    color(
        "violet",
        ["#ae3ec9", "#ecdcf2", "#bd63d3", "#db91fd", "#000000", "#c77cff"],
    ),
    color(
        "yellow",
        ["#f1ac4b", "#f9f0e6", "#fecb92", "#fed49a", "#000000", "#fddd00"],
    ),
    color(
        "white",
        ["#ffffff", "#f5f5f5", "#f9f9f9", "#ffffff", "#000000", "#ffffff"],
    ),
];

const DARK: [Color; 13] = [
    color(
        "black",
        ["#f2f2f2", "#2c3036", "#989898", "#2c2c2c", "#f2f2f2", "#d2b700"],
    ),
    color(
        "blue",
        ["#4f72fc", "#262d40", "#3a4b9e", "#2a3f98", "#f2f2f2", "#0079d2"],
    ),
    color(
        "green",
        ["#099268", "#253231", "#366a53", "#014429", "#f2f2f2", "#009774"],
    ),
    color(
        "grey",
        ["#9398b0", "#33373c", "#7c8187", "#56595f", "#f2f2f2", "#9cb4cb"],
    ),
    color(
        "light-blue",
        ["#4dabf7", "#2a3642", "#4d7aa9", "#1f5495", "#f2f2f2", "#00bdc8"],
    ),
    color(
        "light-green",
        ["#40c057", "#2a3830", "#4e874e", "#21581d", "#f2f2f2", "#00a000"],
    ),
    color(
        "light-red",
        ["#ff8787", "#3c2b2b", "#a56767", "#7a3333", "#f2f2f2", "#db005b"],
    ),
    color(
        "light-violet",
        ["#e599f7", "#383442", "#9770a9", "#762f8e", "#f2f2f2", "#c400c7"],
    ),
    color(
        "orange",
        ["#f76707", "#3b2e27", "#9f552d", "#7c3905", "#f2f2f2", "#d07a00"],
    ),
    color(
        "red",
        ["#e03131", "#382726", "#8f3734", "#7e201f", "#f2f2f2", "#de002c"],
    ),
    color(
        "violet",
        ["#ae3ec9", "#342938", "#763a8b", "#5f1c70", "#f2f2f2", "#9e00ee"],
    ),
    color(
        "yellow",
        ["#ffc034", "#3b352b", "#fecb92", "#8a5e1c", "#f2f2f2", "#d2b700"],
    ),
    color(
        "white",
        ["#f3f3f3", "#f5f5f5", "#f9f9f9", "#eaeaea", "#1d1d1d", "#ffffff"],
    ),
];

impl Theme {
    /// The colour of a name; black where there is none.
    pub(crate) fn color(self, name: &str) -> &'static Color {
        let palette = match self {
            Self::Light => &LIGHT,
            Self::Dark => &DARK,
        };
        let [black, ..] = palette;
        palette.iter().find(|color| color.name == name).unwrap_or(black)
    }

    pub(crate) fn background(self) -> &'static str {
        match self {
            Self::Light => "#f9fafb",
            Self::Dark => "#101011",
        }
    }

    pub(crate) fn text(self) -> &'static str {
        match self {
            Self::Light => "#000000",
            Self::Dark => "#f9fafb",
        }
    }

    /// What is under the lines of a hatched shape, and in one that is half filled.
    pub(crate) fn solid(self) -> &'static str {
        match self {
            Self::Light => "#fcfffe",
            Self::Dark => "#010403",
        }
    }

    /// Inside and border of a frame.
    pub(crate) fn frame(self) -> (&'static str, &'static str) {
        match self {
            Self::Light => ("#ffffff", "#717171"),
            Self::Dark => ("#0c0c0c", "#5c5c5c"),
        }
    }

    /// What stands for content that is not shown: inside, border and words.
    pub(crate) fn placeholder(self) -> [&'static str; 3] {
        match self {
            Self::Light => ["#f1f3f5", "#adb5bd", "#5f6368"],
            Self::Dark => ["#212529", "#5c636a", "#adb5bd"],
        }
    }

    pub(crate) fn link(self) -> &'static str {
        "#2f80ed"
    }
}

/// The four sizes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Size {
    S,
    M,
    L,
    Xl,
}

impl Size {
    pub(crate) fn of(word: &str) -> Self {
        match word {
            "s" => Self::S,
            "l" => Self::L,
            "xl" => Self::Xl,
            _ => Self::M,
        }
    }

    fn pick(self, [s, m, l, xl]: [f64; 4]) -> f64 {
        match self {
            Self::S => s,
            Self::M => m,
            Self::L => l,
            Self::Xl => xl,
        }
    }

    pub(crate) fn stroke(self) -> f64 {
        self.pick([2.0, 3.5, 5.0, 10.0])
    }

    pub(crate) fn text(self) -> f64 {
        self.pick([18.0, 24.0, 36.0, 44.0])
    }

    pub(crate) fn label(self) -> f64 {
        self.pick([18.0, 22.0, 26.0, 32.0])
    }

    pub(crate) fn arrow_label(self) -> f64 {
        self.pick([18.0, 20.0, 24.0, 28.0])
    }

    /// About how long the bumps of a cloud are.
    pub(crate) fn bump(self) -> f64 {
        self.pick([50.0, 70.0, 100.0, 130.0])
    }

    /// How far an elbow keeps from what it goes around.
    pub(crate) fn leg(self) -> f64 {
        self.pick([28.0, 36.0, 44.0, 66.0])
    }
}

/// How a line is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dash {
    Draw,
    Solid,
    Dashed,
    Dotted,
}

impl Dash {
    pub(crate) fn of(word: &str) -> Self {
        match word {
            "solid" => Self::Solid,
            "dashed" => Self::Dashed,
            "dotted" => Self::Dotted,
            _ => Self::Draw,
        }
    }
}

/// How lines of text lie in their box, from left to right or from top to bottom.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Align {
    Start,
    Middle,
    End,
}

impl Align {
    /// The words of older versions end in `-legacy`.
    pub(crate) fn of(word: &str, otherwise: Self) -> Self {
        match word.strip_suffix("-legacy").unwrap_or(word) {
            "start" => Self::Start,
            "middle" => Self::Middle,
            "end" => Self::End,
            _ => otherwise,
        }
    }

    /// What is before it of the room that is left.
    pub(crate) fn before(self, left: f64) -> f64 {
        match self {
            Self::Start => 0.0,
            Self::Middle => left / 2.0,
            Self::End => left,
        }
    }
}
