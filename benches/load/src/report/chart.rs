//! One picture: two axes, marks, and what is written beside them, as SVG that takes its colours from the
//! page.
//!
//! Owns how a picture is laid out. Must not know what is drawn. Key invariants: nothing is drawn outside of
//! the picture, no number in it is infinite or none, and all text is escaped.

use std::fmt::Write;

use super::scale::{Kind, Scale};
use super::text::escape;

/// How wide a character is at the size of the ticks, on the safe side.
const CHARACTER: f64 = 6.9;
/// Room for the title of the upright axis.
const TITLE: f64 = 26.0;
const BOTTOM: f64 = 42.0;
const RIGHT: f64 = 14.0;
/// Rows above the picture for what is said of moments.
const ROWS: usize = 4;
const ROW: f64 = 15.0;
/// Points of a line that are nearer than this are one, but for the last.
const NEAR: f64 = 0.4;

pub(crate) struct Axis {
    pub(crate) title: String,
    pub(crate) kind: Kind,
    pub(crate) tick: fn(f64) -> String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    /// Points that are joined; one without a place is a gap.
    Line,
    Dots,
    /// Dots of another run, for who does not tell colours apart.
    Diamonds,
    /// What is between the points and the bottom.
    Area,
}

pub(crate) struct Series {
    /// What the legend says.
    pub(crate) name: String,
    /// Classes of the page's style.
    pub(crate) class: String,
    pub(crate) shape: Shape,
    pub(crate) points: Vec<(f64, f64)>,
}

/// A number of one axis that a line through the picture shows, and what is written at it.
pub(crate) struct Rule {
    pub(crate) at: f64,
    pub(crate) text: String,
    pub(crate) class: String,
}

pub(crate) struct Chart {
    pub(crate) title: String,
    /// What there is to see, for who cannot.
    pub(crate) told: String,
    pub(crate) x: Axis,
    pub(crate) y: Axis,
    pub(crate) series: Vec<Series>,
    /// Lines across, such as a limit: the range reaches to them.
    pub(crate) limits: Vec<Rule>,
    /// Lines down, such as a restart: only what is inside the range.
    pub(crate) moments: Vec<Rule>,
}

/// A chart on paper of one size.
struct Paper {
    x: Scale,
    y: Scale,
    left: f64,
    top: f64,
    width: f64,
    height: f64,
    svg: String,
}

/// A tick of the lower axis, and from where to where it is written.
struct Label {
    x: f64,
    from: f64,
    to: f64,
    text: String,
}

/// Where the text of a moment stands: its row from below, the places of its line and itself, its anchor.
struct Note<'a> {
    moment: &'a Rule,
    x: f64,
    row: Option<usize>,
    to_left: bool,
}

impl Chart {
    /// The picture at a size, which grows by what is said of moments; `id` is its own in the page. None when
    /// there is nothing to draw.
    pub(crate) fn svg(&self, id: &str, (width, height): (f64, f64)) -> Option<String> {
        let points = || self.series.iter().flat_map(|series| series.points.iter());
        let x = Scale::over(self.x.kind, points().map(|point| point.0))?;
        let limits = self.limits.iter().map(|limit| limit.at);
        let seen = points().filter(|point| x.place(point.0).is_some());
        // A limit alone is no picture.
        Scale::over(self.y.kind, seen.clone().map(|point| point.1))?;
        let y = Scale::over(self.y.kind, seen.map(|point| point.1).chain(limits))?;
        let ticks = y.ticks((height / 40.0) as usize);
        let labels: Vec<String> = ticks.iter().map(|tick| (self.y.tick)(*tick)).collect();
        let longest = labels
            .iter()
            .map(|label| label.chars().count())
            .max()
            .unwrap_or(0);
        let mut paper = Paper {
            x,
            y,
            left: 10.0 + CHARACTER * longest as f64,
            top: TITLE,
            width,
            height,
            svg: String::new(),
        };
        let notes = paper.notes(&self.moments);
        let rows = notes
            .iter()
            .filter_map(|note| note.row)
            .max()
            .map_or(0, |row| row + 1);
        paper.top += ROW * rows as f64;
        paper.height += ROW * rows as f64;
        let height = paper.height;
        paper.put(format_args!(
            "<svg viewBox=\"0 0 {width} {height}\" role=\"img\" aria-labelledby=\"{id}-t {id}-d\">\
             <title id=\"{id}-t\">{}</title><desc id=\"{id}-d\">{}</desc>",
            escape(&self.title),
            escape(&self.told)
        ));
        paper.across(&ticks, &labels);
        paper.moments(&notes);
        paper.down(&self.x);
        paper.titles(&self.x.title, &self.y.title);
        for series in &self.series {
            paper.series(series);
        }
        for limit in &self.limits {
            paper.limit(limit);
        }
        paper.svg.push_str("</svg>");
        Some(paper.svg)
    }
}

impl Paper {
    fn put(&mut self, text: std::fmt::Arguments<'_>) {
        // A string takes all that is written to it.
        self.svg.write_fmt(text).unwrap_or_default();
    }

    fn right(&self) -> f64 {
        self.width - RIGHT
    }

    fn floor(&self) -> f64 {
        self.height - BOTTOM
    }

    fn x(&self, number: f64) -> Option<f64> {
        let at = self.x.place(number)?;
        Some(self.left + at * (self.right() - self.left))
    }

    fn y(&self, number: f64) -> Option<f64> {
        let at = self.y.place(number)?;
        Some(self.floor() - at * (self.floor() - self.top))
    }

    fn text(&mut self, (x, y): (f64, f64), (anchor, class): (&str, &str), text: &str) {
        let text = escape(text);
        self.put(format_args!(
            "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\" class=\"{class}\">{text}</text>"
        ));
    }

    fn line(&mut self, class: &str, (from_x, from_y): (f64, f64), (to_x, to_y): (f64, f64)) {
        self.put(format_args!(
            "<path class=\"{class}\" d=\"M{from_x:.1} {from_y:.1}L{to_x:.1} {to_y:.1}\"/>"
        ));
    }

    /// Lines across the picture at the ticks of the upright axis.
    fn across(&mut self, ticks: &[f64], labels: &[String]) {
        for (tick, label) in ticks.iter().zip(labels) {
            let Some(y) = self.y(*tick) else { continue };
            self.line("grid", (self.left, y), (self.right(), y));
            self.text((self.left - 6.0, y + 4.0), ("end", "tick"), label);
        }
    }

    /// The lower axis, and as many ticks as can stand beside each other.
    fn down(&mut self, axis: &Axis) {
        let floor = self.floor();
        self.line("axis", (self.left, floor), (self.right(), floor));
        let most = (self.width / 62.0) as usize;
        let mut rows = (2..=most).rev().map(|most| self.labels(axis, most));
        let fits = |row: &Vec<Label>| row.is_sorted_by(|one, next| one.to + 6.0 <= next.from);
        let row = rows.find(fits).unwrap_or_else(|| self.labels(axis, 2));
        let mut free = f64::MIN;
        for label in row {
            if label.from >= free {
                let middle = f64::midpoint(label.from, label.to);
                self.line("axis", (label.x, floor), (label.x, floor + 4.0));
                self.text((middle, floor + 17.0), ("middle", "tick"), &label.text);
                free = label.to + 6.0;
            }
        }
    }

    /// Ticks of the lower axis, each label inside of the picture.
    fn labels(&self, axis: &Axis, most: usize) -> Vec<Label> {
        let ticks = self.x.ticks(most).into_iter();
        let labels = ticks.filter_map(|tick| {
            let (x, text) = (self.x(tick)?, (axis.tick)(tick));
            let long = CHARACTER * text.chars().count() as f64;
            let from = (x - long / 2.0).min(self.width - long).max(0.0);
            Some(Label {
                x,
                from,
                to: from + long,
                text,
            })
        });
        labels.collect()
    }

    fn titles(&mut self, x: &str, y: &str) {
        self.text((0.0, 12.0), ("start", "title"), y);
        let at = (self.right(), self.height - 6.0);
        self.text(at, ("end", "title"), x);
    }

    fn series(&mut self, series: &Series) {
        let placed = series.points.iter().map(|(x, y)| self.x(*x).zip(self.y(*y)));
        let placed: Vec<Option<(f64, f64)>> = placed.collect();
        match series.shape {
            Shape::Dots => {
                for at in placed.into_iter().flatten() {
                    self.dot(&series.class, at);
                }
            }
            Shape::Line => {
                for part in placed.split(Option::is_none) {
                    let part: Vec<(f64, f64)> = part.iter().flatten().copied().collect();
                    match part.as_slice() {
                        [] => {}
                        // A line of one point is not seen.
                        [at] => self.dot(&series.class, *at),
                        part => self.path(&series.class, part, ""),
                    }
                }
            }
            Shape::Diamonds => {
                for at in placed.into_iter().flatten() {
                    self.diamond(&series.class, at);
                }
            }
            Shape::Area => {
                let mut part: Vec<(f64, f64)> = placed.into_iter().flatten().collect();
                if let (Some(first), Some(last)) = (part.first().copied(), part.last().copied()) {
                    part.insert(0, (first.0, self.floor()));
                    part.push((last.0, self.floor()));
                    self.path(&series.class, &part, "Z");
                }
            }
        }
    }

    fn dot(&mut self, class: &str, (x, y): (f64, f64)) {
        self.put(format_args!(
            "<circle class=\"{}\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3\"/>",
            escape(class)
        ));
    }

    fn diamond(&mut self, class: &str, (x, y): (f64, f64)) {
        let corners = [(x, y - 4.0), (x + 4.0, y), (x, y + 4.0), (x - 4.0, y)];
        self.path(&format!("{class} dot"), &corners, "Z");
    }

    fn path(&mut self, class: &str, points: &[(f64, f64)], close: &str) {
        self.put(format_args!("<path class=\"{}\" d=\"", escape(class)));
        let mut drawn: Option<(f64, f64)> = None;
        for (at, (x, y)) in points.iter().enumerate() {
            let near = |last: (f64, f64)| (last.0 - x).abs() < NEAR && (last.1 - y).abs() < NEAR;
            if at + 1 < points.len() && drawn.is_some_and(near) {
                continue;
            }
            let letter = if drawn.is_none() { 'M' } else { 'L' };
            self.put(format_args!("{letter}{x:.1} {y:.1}"));
            drawn = Some((*x, *y));
        }
        self.put(format_args!("{close}\"/>"));
    }

    fn limit(&mut self, limit: &Rule) {
        let Some(y) = self.y(limit.at) else { return };
        self.line("limit", (self.left, y), (self.right(), y));
        // Under the line where there is no room above it.
        let above = y - self.top > ROW;
        let at = if above { y - 5.0 } else { y + 14.0 };
        // Latency grows to the right: it is free on the left.
        self.text((self.left + 5.0, at), ("start", "note"), &limit.text);
    }

    /// Each text stands above the picture, in the lowest row where it touches no other; a text without such a
    /// row is left out.
    fn notes<'a>(&self, moments: &'a [Rule]) -> Vec<Note<'a>> {
        let mut taken: Vec<(usize, f64, f64)> = Vec::new();
        let mut notes = Vec::new();
        for moment in moments {
            let Some(x) = self.x(moment.at) else { continue };
            let long = CHARACTER * moment.text.chars().count() as f64 + 8.0;
            let to_left = x + long > self.width;
            let (from, to) = if to_left { (x - long, x) } else { (x, x + long) };
            let free = |row: &usize| {
                taken
                    .iter()
                    .all(|(at, low, high)| at != row || to <= *low || from >= *high)
            };
            let row = (0..ROWS).find(free).filter(|_| from >= 0.0);
            taken.extend(row.map(|row| (row, from, to)));
            notes.push(Note {
                moment,
                x,
                row,
                to_left,
            });
        }
        notes
    }

    fn moments(&mut self, notes: &[Note<'_>]) {
        for note in notes {
            let above = |row: usize| self.top - 4.0 - ROW * row as f64;
            let from = note.row.map_or(self.top, |row| above(row) - 9.0);
            let class = escape(&format!("moment {}", note.moment.class));
            self.line(&class, (note.x, from), (note.x, self.floor()));
        }
        // Over the lines of others.
        for note in notes {
            let Some(row) = note.row else { continue };
            let (anchor, x) = if note.to_left {
                ("end", note.x - 4.0)
            } else {
                ("start", note.x + 4.0)
            };
            let y = self.top - 4.0 - ROW * row as f64;
            self.text((x, y), (anchor, "note"), &note.moment.text);
        }
    }
}

#[cfg(test)]
mod tests;
