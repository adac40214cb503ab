//! Arrows: where their lines run, and their heads (`tldraw` 3.15.6, src/lib/shapes/arrow).
//!
//! Owns how an arrow gets from one end to the other. Must not know records. Key invariant: a line is a few
//! dozen points, whatever an arrow says. Tests are below.

use std::f64::consts::{FRAC_PI_2, FRAC_PI_4, FRAC_PI_6, TAU};

use crate::geometry::{Area, Point, at, circle_through, crossing};
use crate::path::{End, Path, Trace, trace_length};

/// How far an arrow's head keeps from what it points at.
const KEPT_OFF: f64 = 10.0;

/// An arrow is at least so long.
const LEAST: f64 = 10.0;

/// Points of an arc.
const ARC_POINTS: u32 = 48;

/// What an end is bound to, in the arrow's own coordinates.
#[derive(Clone, Debug)]
pub(crate) struct Bound {
    pub(crate) traces: Vec<Trace>,
    pub(crate) area: Area,
    /// Whether the arrow goes to the very place, and not to the edge.
    pub(crate) is_exact: bool,
    /// Whether somebody chose the place.
    pub(crate) is_precise: bool,
    /// How thick the edge is drawn.
    pub(crate) stroke: f64,
}

/// One end of an arrow.
#[derive(Clone, Debug)]
pub(crate) struct Tip {
    /// Where it points, before the edge of what it is bound to is looked for.
    pub(crate) target: Point,
    pub(crate) head: Head,
    pub(crate) bound: Option<Bound>,
}

/// What both ends are to each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Relation {
    Apart,
    Same,
    StartAround,
    EndAround,
}

/// An arrow that is to be laid.
#[derive(Clone, Debug)]
pub(crate) struct Arrow {
    pub(crate) start: Tip,
    pub(crate) end: Tip,
    pub(crate) relation: Relation,
    pub(crate) bend: f64,
    pub(crate) scale: f64,
    pub(crate) stroke: f64,
}

/// What is at an end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Head {
    None,
    Arrow,
    Triangle,
    Square,
    Dot,
    Diamond,
    Inverted,
    Bar,
}

impl Head {
    pub(crate) fn of(word: &str) -> Self {
        match word {
            "arrow" => Self::Arrow,
            "triangle" => Self::Triangle,
            "square" => Self::Square,
            "dot" => Self::Dot,
            "diamond" => Self::Diamond,
            "inverted" => Self::Inverted,
            "bar" => Self::Bar,
            // tldraw draws nothing for `pipe`.
            _ => Self::None,
        }
    }

    /// How much of the line lies under it, in parts of its length.
    pub(crate) fn covers(self) -> f64 {
        match self {
            Self::None | Self::Arrow | Self::Bar => 0.0,
            Self::Triangle => 0.866,
            Self::Square => 0.85,
            Self::Dot => 0.9,
            Self::Diamond => 1.06,
            Self::Inverted => 1.0,
        }
    }

    pub(crate) fn is_filled(self) -> bool {
        self.covers() > 0.0
    }

    /// Its outline at `tip`, when the line comes from `base`, a head's length away.
    pub(crate) fn path(self, tip: Point, base: Point) -> Path {
        let sides = |from: Point, angle: f64| [from.turned_about(tip, angle), from.turned_about(tip, -angle)];
        let half = |base: Point| ((base - tip) * 0.5).turned(FRAC_PI_2);
        match self {
            Self::None => Path::default(),
            Self::Arrow => {
                let [left, right] = sides(base, FRAC_PI_6);
                Path::line(&[left, tip, right], End::Exact)
            }
            Self::Triangle => {
                let [left, right] = sides(base, FRAC_PI_6);
                Path::polygon(&[left, right, tip])
            }
            Self::Inverted => {
                let out = half(base);
                Path::polygon(&[tip + out, base, tip - out])
            }
            Self::Dot => {
                let center = tip.towards(base, 0.45);
                let radius = center.distance(tip);
                let path = Path::from(center + at(radius, 0.0), End::Exact);
                path.arc(center, at(radius, radius), (0.0, TAU)).closed()
            }
            Self::Diamond => {
                let [left, right] = sides(tip.towards(base, 0.75), FRAC_PI_4);
                let middle = left.towards(right, 0.5);
                Path::polygon(&[middle + (middle - tip), right, tip, left])
            }
            Self::Square => {
                let far = tip.towards(base, 0.85);
                let out = half(far);
                Path::polygon(&[tip + out, far + out, far - out, tip - out])
            }
            Self::Bar => {
                let out = half(base);
                Path::line(&[tip + out, tip - out], End::Exact)
            }
        }
    }
}

impl Arrow {
    /// The points that its line goes through; none where there is nothing to see.
    pub(crate) fn line(&self) -> Vec<Point> {
        let (a, b) = (self.start.target, self.end.target);
        if a.distance(b) < 1e-6 {
            return Vec::new();
        }
        let arc = (self.bend.abs() >= 8.0 * self.scale)
            .then(|| self.arc())
            .flatten();
        let line = arc.unwrap_or_else(|| self.straight());
        if trace_length(&line) > 0.0 {
            line
        } else {
            Vec::new()
        }
    }

    /// How far an end stays away from where its line meets an edge.
    fn offset(&self, tip: &Tip) -> f64 {
        let around = if std::ptr::eq(tip, &raw const self.start) {
            Relation::StartAround
        } else {
            Relation::EndAround
        };
        match &tip.bound {
            Some(bound) if tip.head != Head::None && !bound.is_exact && self.relation != around => {
                (KEPT_OFF + (self.stroke + bound.stroke) / 2.0) * self.scale
            }
            _ => 0.0,
        }
    }

    fn straight(&self) -> Vec<Point> {
        let (from, to) = (self.start.target, self.end.target);
        let ahead = (to - from).unit();
        let (end, start) = (meets(&self.end, from), meets(&self.start, to));
        let (mut a, mut b) = (start.unwrap_or(from), end.unwrap_or(to));
        let least = LEAST * self.scale;
        let edges = |tip: &Tip| tip.bound.as_ref().is_some_and(|bound| !bound.is_exact);
        if self.relation == Relation::Apart && edges(&self.start) && edges(&self.end) {
            // One lies over the other: a short arrow at the edge that there is.
            if end.is_some() && start.is_none() {
                a = b + ahead * least;
            } else if end.is_none() {
                b = a - ahead * least;
            }
        }
        let way = (b - a).unit();
        let flips = way.dot(ahead) < 0.0;
        let sign = if flips { -1.0 } else { 1.0 };
        let (mut off_a, mut off_b) = match self.relation {
            Relation::Same => (0.0, 0.0),
            _ => (self.offset(&self.start), self.offset(&self.end)),
        };
        let shortest = least + self.stroke;
        let apart = (b - way * (off_b * sign)).distance(a + way * (off_a * sign));
        if apart < shortest || off_a + off_b > a.distance(b) {
            let by = if off_a != 0.0 && off_b != 0.0 { -1.5 } else { -1.0 };
            (off_a, off_b) = (off_a * by, off_b * by);
        }
        a = a + way * (off_a * sign);
        b = b - way * (off_b * sign);
        if flips && self.start.bound.is_some() && self.end.bound.is_some() {
            b = a - way * least;
        }
        vec![a, b]
    }

    /// Along a circle through both ends; `None` where that is as good as straight.
    fn arc(&self) -> Option<Vec<Point>> {
        let (a, b) = (self.start.target, self.end.target);
        let middle = a.towards(b, 0.5) + (b - a).unit().across() * self.bend;
        let center = circle_through(a, b, middle)?;
        let radius = center.distance(a);
        if !radius.is_finite() || radius > 1e7 {
            return None;
        }
        let turn = |from: f64, to: f64, clockwise: bool| {
            let way = (to - from).rem_euclid(TAU);
            if clockwise { way } else { way - TAU }
        };
        let angle = |point: Point| (point - center).angle();
        let clockwise = turn(angle(a), angle(middle), true) < turn(angle(a), angle(b), true);
        let sweep = turn(angle(a), angle(b), clockwise);
        let place = |part: f64| center + at(radius, 0.0).turned(angle(a) + sweep * part);
        let length = sweep.abs() * radius;
        // Where along the arc it leaves an edge, in parts of the whole.
        let parts = |tip: &Tip, near: f64| -> Option<f64> {
            let bound = tip.bound.as_ref().filter(|bound| !bound.is_exact)?;
            let mut found: Vec<f64> = Vec::new();
            for point in circle_meets(&bound.traces, center, radius) {
                let part = turn(angle(a), angle(point), clockwise) / sweep;
                if (0.0..=1.0).contains(&part) {
                    found.push(part);
                }
            }
            found
                .into_iter()
                .min_by(|x, y| (x - near).abs().total_cmp(&(y - near).abs()))
        };
        let (start, end) = (parts(&self.start, 0.25), parts(&self.end, 0.75));
        let (mut from, mut to) = (start.unwrap_or(0.0), end.unwrap_or(1.0));
        let mut off_a = start.map_or(0.0, |_| self.offset(&self.start) / length);
        let mut off_b = end.map_or(0.0, |_| self.offset(&self.end) / length);
        let least = LEAST * self.scale / length;
        if to - off_b - (from + off_a) < least {
            let by = if off_a != 0.0 && off_b != 0.0 { -1.5 } else { -2.0 };
            off_a = (off_a * by).max(-from);
            off_b = (off_b * by).max(to - 1.0);
        }
        from += off_a;
        to -= off_b;
        if to <= from {
            to = (from + least).min(1.0);
        }
        let steps =
            (0..=ARC_POINTS).map(|n| place(from + (to - from) * f64::from(n) / f64::from(ARC_POINTS)));
        Some(steps.collect())
    }
}

/// Where a line from `from` to an end meets the edge of what that is bound to.
fn meets(tip: &Tip, from: Point) -> Option<Point> {
    let bound = tip.bound.as_ref().filter(|bound| !bound.is_exact)?;
    first_crossing(&bound.traces, (from, tip.target))
}

/// Where a line crosses others first.
pub(crate) fn first_crossing(traces: &[Trace], line: (Point, Point)) -> Option<Point> {
    let sides = traces.iter().flat_map(|trace| trace.points.windows(2));
    let met = sides.filter_map(|side| match side {
        [a, b] => crossing(line, (*a, *b)),
        _ => None,
    });
    met.min_by(|a, b| a.distance(line.0).total_cmp(&b.distance(line.0)))
}

fn circle_meets(traces: &[Trace], center: Point, radius: f64) -> Vec<Point> {
    let mut met = Vec::new();
    for side in traces.iter().flat_map(|trace| trace.points.windows(2)) {
        let [a, b] = side else { continue };
        let (way, out) = (*b - *a, *a - center);
        let (square, half) = (way.dot(way), out.dot(way));
        let root = half * half - square * (out.dot(out) - radius * radius);
        if root < 0.0 || square == 0.0 {
            continue;
        }
        for part in [(-half - root.sqrt()) / square, (-half + root.sqrt()) / square] {
            if (0.0..=1.0).contains(&part) {
                met.push(*a + way * part);
            }
        }
    }
    met
}

/// How long a head is on a line of this kind.
pub(crate) fn head_length(line: &[Point], stroke: f64, is_elbow: Elbow) -> f64 {
    let part = match is_elbow {
        Elbow::Yes => 0.5,
        Elbow::No => 0.2,
    };
    (trace_length(line) * part).clamp(stroke, stroke * 3.0)
}

/// Whether an arrow goes along the axes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Elbow {
    Yes,
    No,
}

/// A line without so much of its beginning.
pub(crate) fn shortened(line: &[Point], mut by: f64) -> Vec<Point> {
    let mut rest = line;
    while let [a, b, ..] = rest {
        let step = a.distance(*b);
        if step > by {
            let mut shorter = vec![a.towards(*b, by / step)];
            shorter.extend(rest.iter().skip(1));
            return shorter;
        }
        by -= step;
        rest = rest.get(1..).unwrap_or_default();
    }
    Vec::new()
}

/// The parts of a line that are outside of an area.
pub(crate) fn outside(line: &[Point], area: &Area) -> Vec<Vec<Point>> {
    let [a, b, c, d] = area.corners();
    let edge = [Trace {
        points: vec![a, b, c, d, a],
        is_closed: true,
    }];
    let mut parts = Vec::new();
    let mut part: Vec<Point> = line
        .first()
        .filter(|first| !area.has(**first))
        .copied()
        .into_iter()
        .collect();
    for pair in line.windows(2) {
        let [from, to] = pair else { continue };
        let into = first_crossing(&edge, (*from, *to)).filter(|_| !part.is_empty());
        let out = first_crossing(&edge, (*to, *from)).filter(|_| !area.has(*to));
        if let Some(into) = into {
            part.push(into);
            parts.push(std::mem::take(&mut part));
        }
        if let Some(out) = out.filter(|_| part.is_empty()) {
            part.push(out);
        }
        if !area.has(*to) {
            part.push(*to);
        }
    }
    parts.push(part);
    parts.retain(|part| part.len() > 1);
    parts
}

/// The turn from an angle to the way that a line has at its end, for tests of both.
#[cfg(test)]
fn turned(line: &[Point]) -> f64 {
    let first = line[1] - line[0];
    let last = line[line.len() - 1] - line[line.len() - 2];
    (last.angle() - first.angle() + TAU / 2.0).rem_euclid(TAU) - TAU / 2.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bound(area: Area) -> Option<Bound> {
        let [a, b, c, d] = area.corners();
        Some(Bound {
            traces: vec![Trace {
                points: vec![a, b, c, d, a],
                is_closed: true,
            }],
            area,
            is_exact: false,
            is_precise: false,
            stroke: 0.0,
        })
    }

    fn arrow(bend: f64) -> Arrow {
        let tip = |area: Area, head| Tip {
            target: area.middle(),
            head,
            bound: bound(area),
        };
        Arrow {
            start: tip(Area::sized(at(0.0, 0.0), 100.0, 100.0), Head::None),
            end: tip(Area::sized(at(300.0, 0.0), 100.0, 100.0), Head::Arrow),
            relation: Relation::Apart,
            bend,
            scale: 1.0,
            stroke: 2.0,
        }
    }

    #[test]
    fn a_line_goes_from_edge_to_edge_and_its_head_keeps_off() {
        let line = arrow(0.0).line();
        assert!(line.len() == 2 && line[0].distance(at(100.0, 50.0)) < 1e-6);
        assert!(line[1].distance(at(289.0, 50.0)) < 1e-6, "{line:?}");
    }

    #[test]
    fn a_bend_goes_to_its_side_and_ends_at_the_edge() {
        let line = arrow(40.0).line();
        let middle = line[line.len() / 2];
        assert!(
            (middle.y - 50.0).abs() > 30.0 && turned(&line).abs() > 0.3,
            "{line:?}"
        );
        assert!((line[0].x - 100.0).abs() < 1e-6);
        let other = arrow(-40.0).line();
        assert!((other[other.len() / 2].y - 50.0) * (middle.y - 50.0) < 0.0);
    }

    #[test]
    fn what_is_under_a_label_is_left_out() {
        let line = [at(0.0, 0.0), at(100.0, 0.0)];
        let parts = outside(&line, &Area::sized(at(40.0, -5.0), 20.0, 10.0));
        assert_eq!(
            parts,
            [
                vec![at(0.0, 0.0), at(40.0, 0.0)],
                vec![at(60.0, 0.0), at(100.0, 0.0)]
            ]
        );
        assert_eq!(
            outside(&line, &Area::sized(at(0.0, 20.0), 20.0, 10.0)),
            [line.to_vec()]
        );
        assert_eq!(
            outside(&line, &Area::sized(at(-9.0, -9.0), 200.0, 20.0)),
            Vec::<Vec<Point>>::new()
        );
    }
}
