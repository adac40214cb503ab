//! One picture: two axes, marks, and what is written beside them, as SVG that takes its colours from the page.
//!
//! Owns how a picture is laid out. Must not know what is drawn. Key invariants: nothing is drawn outside of the
//! picture, no number in it is infinite or none, and all text is escaped.

use std::fmt::Write;

use super::scale::{Kind, Scale};
use super::text::escape;

/// How wide a character is at the size of the ticks, on the safe side.
const CHARACTER: f64 = 6.9;
const TOP: f64 = 26.0;
const BOTTOM: f64 = 42.0;
const RIGHT: f64 = 14.0;
/// Rows for what is said of moments.
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
    width: f64,
    height: f64,
    svg: String,
}

impl Chart {
    /// The picture at a size; `id` is its own in the page. None when there is nothing to draw.
    pub(crate) fn svg(&self, id: &str, (width, height): (f64, f64)) -> Option<String> {
        let points = || self.series.iter().flat_map(|series| series.points.iter());
        let x = Scale::over(self.x.kind, points().map(|point| point.0))?;
        let limits = self.limits.iter().map(|limit| limit.at);
        let seen = points().filter(|point| x.place(point.0).is_some());
        // A limit alone is no picture.
        Scale::over(self.y.kind, seen.clone().map(|point| point.1))?;
        let y = Scale::over(self.y.kind, seen.map(|point| point.1).chain(limits))?;
        let ticks = y.ticks((height / 44.0) as usize);
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
            width,
            height,
            svg: String::new(),
        };
        paper.put(format_args!(
            "<svg viewBox=\"0 0 {width} {height}\" role=\"img\" aria-labelledby=\"{id}-t {id}-d\">\
             <title id=\"{id}-t\">{}</title><desc id=\"{id}-d\">{}</desc>",
            escape(&self.title),
            escape(&self.told)
        ));
        paper.across(&ticks, &labels);
        paper.down(&self.x);
        paper.titles(&self.x.title, &self.y.title);
        for series in &self.series {
            paper.series(series);
        }
        for limit in &self.limits {
            paper.limit(limit);
        }
        paper.moments(&self.moments);
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
        Some(self.floor() - at * (self.floor() - TOP))
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

    /// The lower axis and its ticks; one that would touch the last is left out.
    fn down(&mut self, axis: &Axis) {
        let floor = self.floor();
        self.line("axis", (self.left, floor), (self.right(), floor));
        let mut free = f64::MIN;
        for tick in self.x.ticks((self.width / 62.0) as usize) {
            let Some(x) = self.x(tick) else { continue };
            let label = (axis.tick)(tick);
            let half = CHARACTER * label.chars().count() as f64 / 2.0;
            let middle = x.min(self.width - half).max(half);
            if middle - half < free {
                continue;
            }
            free = middle + half + 6.0;
            self.line("axis", (x, floor), (x, floor + 4.0));
            self.text((middle, floor + 17.0), ("middle", "tick"), &label);
        }
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
        let above = y - TOP > ROW;
        let at = if above { y - 5.0 } else { y + 14.0 };
        self.text((self.right() - 4.0, at), ("end", "note"), &limit.text);
    }

    /// Each text stands beside its line, in the first row where it touches no other; else only the line is
    /// drawn.
    fn moments(&mut self, moments: &[Rule]) {
        let mut taken: Vec<(usize, f64, f64)> = Vec::new();
        for moment in moments {
            let Some(x) = self.x(moment.at) else { continue };
            self.line(&format!("moment {}", moment.class), (x, TOP), (x, self.floor()));
            let long = CHARACTER * moment.text.chars().count() as f64 + 8.0;
            let to_left = x + long > self.width;
            let (from, to) = if to_left { (x - long, x) } else { (x, x + long) };
            let free = |row: &usize| {
                taken
                    .iter()
                    .all(|(at, low, high)| at != row || to <= *low || from >= *high)
            };
            let Some(row) = (0..ROWS).find(free).filter(|_| from >= self.left) else {
                continue;
            };
            taken.push((row, from, to));
            let (anchor, x) = if to_left {
                ("end", x - 4.0)
            } else {
                ("start", x + 4.0)
            };
            let y = TOP + 11.0 + ROW * row as f64;
            self.text((x, y), (anchor, "note"), &moment.text);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::number::tick;
    use super::*;

    const SIZE: (f64, f64) = (340.0, 260.0);

    fn chart(kinds: (Kind, Kind), shape: Shape, points: &[(f64, f64)]) -> Chart {
        let axis = |kind| Axis {
            title: "an axis".to_owned(),
            kind,
            tick,
        };
        Chart {
            title: "A picture".to_owned(),
            told: "of points".to_owned(),
            x: axis(kinds.0),
            y: axis(kinds.1),
            series: vec![Series {
                name: "all".to_owned(),
                class: "a".to_owned(),
                shape,
                points: points.to_vec(),
            }],
            limits: Vec::new(),
            moments: Vec::new(),
        }
    }

    /// Every number of the attributes that are places, as x and y.
    fn places(svg: &str) -> Vec<(f64, f64)> {
        let number = |text: &str| text.parse::<f64>().unwrap();
        let mut found = Vec::new();
        for part in svg.split(" d=\"").skip(1) {
            let path = part.split('"').next().unwrap();
            for point in path.split(['M', 'L', 'Z']).filter(|point| !point.is_empty()) {
                let (x, y) = point.split_once(' ').unwrap();
                found.push((number(x), number(y)));
            }
        }
        for (x_name, y_name) in [(" cx=\"", " cy=\""), (" x=\"", " y=\"")] {
            let of = |name: &str| -> Vec<f64> {
                let parts = svg.split(name).skip(1);
                parts
                    .map(|part| number(part.split('"').next().unwrap()))
                    .collect()
            };
            found.extend(of(x_name).into_iter().zip(of(y_name)));
        }
        found
    }

    fn holds(svg: &str) {
        assert!(!svg.contains("NaN") && !svg.contains("inf"), "{svg}");
        for (x, y) in places(svg) {
            assert!(
                (0.0..=SIZE.0).contains(&x) && (0.0..=SIZE.1).contains(&y),
                "{x} {y}: {svg}"
            );
        }
    }

    #[test]
    fn nothing_is_drawn_outside_of_the_picture_whatever_the_numbers() {
        let odd = [
            0.0,
            1e-12,
            0.3,
            5.0,
            1e9,
            9e14,
            1e16,
            f64::MAX,
            -3.0,
            f64::NAN,
            f64::INFINITY,
        ];
        let points: Vec<(f64, f64)> = odd.iter().flat_map(|x| odd.iter().map(|y| (*x, *y))).collect();
        for kind in [Kind::Linear, Kind::Time, Kind::Log, Kind::Tail] {
            for up in [Kind::Linear, Kind::Log] {
                for shape in [Shape::Line, Shape::Dots, Shape::Area] {
                    let mut chart = chart((kind, up), shape, &points);
                    let rule = |at| Rule {
                        at,
                        text: "what happened then".to_owned(),
                        class: "a".to_owned(),
                    };
                    chart.limits = odd.map(rule).into();
                    chart.moments = odd.map(rule).into();
                    holds(&chart.svg("c", SIZE).unwrap());
                }
            }
        }
    }

    #[test]
    fn points_stay_between_the_axes() {
        let points: Vec<(f64, f64)> = (0..100).map(|at| (f64::from(at), f64::from(at * at))).collect();
        let svg = chart((Kind::Time, Kind::Linear), Shape::Dots, &points)
            .svg("c", SIZE)
            .unwrap();
        let dots = svg.split("cx=\"").skip(1);
        let x = dots.map(|dot| dot.split('"').next().unwrap().parse::<f64>().unwrap());
        assert!(x.clone().all(|x| (30.0..=SIZE.0 - RIGHT).contains(&x)), "{svg}");
        assert_eq!(x.count(), 100);
    }

    #[test]
    fn without_points_there_is_no_picture_and_one_point_is_seen() {
        for kinds in [
            (Kind::Time, Kind::Log),
            (Kind::Log, Kind::Linear),
            (Kind::Tail, Kind::Log),
        ] {
            assert!(chart(kinds, Shape::Line, &[]).svg("c", SIZE).is_none());
            assert!(
                chart(kinds, Shape::Line, &[(f64::NAN, 1.0)])
                    .svg("c", SIZE)
                    .is_none()
            );
            let svg = chart(kinds, Shape::Line, &[(0.5, 7.0)]).svg("c", SIZE).unwrap();
            assert_eq!(svg.matches("<circle").count(), 1, "{svg}");
            holds(&svg);
        }
    }

    #[test]
    fn a_point_without_a_place_is_a_gap() {
        let points = [(0.0, 1.0), (1.0, 2.0), (2.0, 0.0), (3.0, 2.0), (4.0, 1.0)];
        let svg = chart((Kind::Time, Kind::Log), Shape::Line, &points)
            .svg("c", SIZE)
            .unwrap();
        assert_eq!(svg.matches("class=\"a\" d=\"M").count(), 2, "{svg}");
    }

    #[test]
    fn text_of_strangers_is_escaped() {
        let bad = "<script>alert(1)</script>\" onload=\"x";
        let mut chart = chart((Kind::Time, Kind::Linear), Shape::Line, &[(0.0, 1.0), (9.0, 2.0)]);
        for text in [
            &mut chart.title,
            &mut chart.told,
            &mut chart.x.title,
            &mut chart.y.title,
        ] {
            bad.clone_into(text);
        }
        chart.series[0].class = bad.to_owned();
        chart.moments.push(Rule {
            at: 4.0,
            text: "<script>".to_owned(),
            class: "a".to_owned(),
        });
        let svg = chart.svg("c", SIZE).unwrap();
        assert!(!svg.contains("<script") && !svg.contains("\" onload"), "{svg}");
    }

    #[test]
    fn texts_of_moments_do_not_touch() {
        let mut chart = chart(
            (Kind::Time, Kind::Linear),
            Shape::Line,
            &[(0.0, 1.0), (100.0, 2.0)],
        );
        chart.moments = (0..20)
            .map(|at| Rule {
                at: f64::from(at) * 5.0,
                text: "server killed".to_owned(),
                class: "a".to_owned(),
            })
            .collect();
        let svg = chart.svg("c", SIZE).unwrap();
        assert_eq!(svg.matches("moment a").count(), 20);
        let texts = svg.matches(">server killed<").count();
        assert!((3..=12).contains(&texts), "{texts}");
    }
}
