//! Lines: straight and curved pieces, as SVG path data, as points, and dashed.
//!
//! Owns what is done with an outline. Must not know shapes, nor colours. Key invariant: the dashes of a piece
//! are at most [`DASHES_MAX`], however long it is. Tests are below.

use crate::geometry::{Point, at};
use crate::style::Dash;

/// Dashes of one piece, inclusive; what would have more is drawn solid: nobody tells them apart.
const DASHES_MAX: f64 = 2_000.0;

/// Points that a curve becomes, where points are wanted.
const CURVE_POINTS: u32 = 12;

/// How a piece goes on from where the last one ended.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Kind {
    Move,
    Line,
    /// With its two control points.
    Curve(Point, Point),
}

/// Whether a hand may miss the end of a piece.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    Loose,
    Exact,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Piece {
    pub(crate) kind: Kind,
    pub(crate) to: Point,
    pub(crate) end: End,
    /// It comes back to where its line began.
    pub(crate) closes: bool,
}

/// Pieces, each line of them begun by a move.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Path(pub(crate) Vec<Piece>);

/// A line as points, and whether it ends where it began.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Trace {
    pub(crate) points: Vec<Point>,
    pub(crate) is_closed: bool,
}

impl Path {
    pub(crate) fn from(start: Point, end: End) -> Self {
        Self(vec![Piece {
            kind: Kind::Move,
            to: start,
            end,
            closes: false,
        }])
    }

    /// Straight pieces through points, which come back to the first.
    pub(crate) fn polygon(points: &[Point]) -> Self {
        Self::line(points, End::Loose).closed()
    }

    /// Straight pieces through points; `ends` is of the first and the last.
    pub(crate) fn line(points: &[Point], ends: End) -> Self {
        let Some((first, rest)) = points.split_first() else {
            return Self::default();
        };
        let mut path = Self::from(*first, ends);
        for (n, point) in rest.iter().enumerate() {
            let is_last = n.saturating_add(1) == rest.len();
            path = path.to(*point, if is_last { ends } else { End::Loose });
        }
        path
    }

    /// A curve through points, as tldraw draws the lines that are called cubic.
    pub(crate) fn spline(points: &[Point]) -> Self {
        let Some(first) = points.first() else {
            return Self::default();
        };
        let reach = 1.25 / 6.0;
        let mut path = Self::from(*first, End::Exact);
        for (n, pair) in points.windows(2).enumerate() {
            let [from, to] = pair else { continue };
            let before = n.checked_sub(1).and_then(|n| points.get(n));
            let after = points.get(n.saturating_add(2));
            let out = before.map_or(*from, |before| *from + (*to - *before) * reach);
            let back = after.map_or(*to, |after| *to - (*after - *from) * reach);
            let end = if after.is_some() { End::Loose } else { End::Exact };
            path = path.curve((out, back), *to, end);
        }
        path
    }

    fn with(mut self, kind: Kind, to: Point, end: End) -> Self {
        self.0.push(Piece {
            kind,
            to,
            end,
            closes: false,
        });
        self
    }

    pub(crate) fn to(self, point: Point, end: End) -> Self {
        self.with(Kind::Line, point, end)
    }

    pub(crate) fn curve(self, (out, back): (Point, Point), to: Point, end: End) -> Self {
        self.with(Kind::Curve(out, back), to, end)
    }

    /// A part of an ellipse whose axes lie along those of the plane, from the angle `from` by `sweep`.
    pub(crate) fn arc(mut self, center: Point, radii: Point, (from, sweep): (f64, f64)) -> Self {
        let parts = (sweep.abs() / std::f64::consts::FRAC_PI_2 - 1e-9)
            .ceil()
            .clamp(1.0, 4.0);
        let step = sweep / parts;
        let handle = 4.0 / 3.0 * (step / 4.0).tan();
        let mut angle = from;
        let place = |angle: f64| center + at(radii.x * angle.cos(), radii.y * angle.sin());
        let slope = |angle: f64| at(-radii.x * angle.sin(), radii.y * angle.cos()) * handle;
        for _ in 0..4 {
            let next = angle + step;
            let (out, back) = (place(angle) + slope(angle), place(next) - slope(next));
            self = self.curve((out, back), place(next), End::Loose);
            angle = next;
            if (angle - from - sweep).abs() < step.abs() / 2.0 {
                break;
            }
        }
        self
    }

    /// Back to where the line began.
    pub(crate) fn closed(mut self) -> Self {
        let Some(start) = self.0.iter().rev().find(|piece| piece.kind == Kind::Move) else {
            return self;
        };
        let start = start.to;
        match self.0.last_mut() {
            Some(last) if last.to.distance(start) < 1e-6 && last.kind != Kind::Move => last.closes = true,
            _ => {
                self = self.to(start, End::Loose);
                if let Some(last) = self.0.last_mut() {
                    last.closes = true;
                }
            }
        }
        self
    }

    /// With the pieces of another after its own.
    pub(crate) fn and(mut self, other: &Self) -> Self {
        self.0.extend_from_slice(&other.0);
        self
    }

    /// SVG path data.
    pub(crate) fn data(&self) -> String {
        let mut data = String::new();
        for piece in &self.0 {
            match piece.kind {
                Kind::Move => put(&mut data, 'M', &[piece.to]),
                Kind::Line if piece.closes => data.push('Z'),
                Kind::Line => put(&mut data, 'L', &[piece.to]),
                Kind::Curve(out, back) => {
                    put(&mut data, 'C', &[out, back, piece.to]);
                    if piece.closes {
                        data.push('Z');
                    }
                }
            }
        }
        data
    }

    /// Each line as points.
    pub(crate) fn traces(&self) -> Vec<Trace> {
        let mut traces: Vec<Trace> = Vec::new();
        let mut from = at(0.0, 0.0);
        for piece in &self.0 {
            match (piece.kind, traces.last_mut()) {
                (Kind::Line, Some(trace)) => trace.points.push(piece.to),
                (Kind::Curve(out, back), Some(trace)) => {
                    let parts = 1..=CURVE_POINTS;
                    let parts = parts.map(|n| f64::from(n) / f64::from(CURVE_POINTS));
                    trace
                        .points
                        .extend(parts.map(|part| on_curve([from, out, back, piece.to], part)));
                }
                _ => traces.push(Trace {
                    points: vec![piece.to],
                    is_closed: false,
                }),
            }
            if let Some(trace) = traces.last_mut().filter(|_| piece.closes) {
                trace.is_closed = true;
            }
            from = piece.to;
        }
        traces
    }

    /// Pieces that have dashes of their own, with the attributes that make them: curves that follow each
    /// other are one.
    pub(crate) fn dashed(&self, dash: Dash, width: f64) -> Vec<(Self, String)> {
        let mut runs: Vec<(Self, f64, [bool; 2])> = Vec::new();
        let mut from = at(0.0, 0.0);
        let mut was_curve = false;
        for (n, piece) in self.0.iter().enumerate() {
            let is_curve = matches!(piece.kind, Kind::Curve(..));
            let length = length(from, piece);
            let next = self.0.get(n.saturating_add(1));
            let ends = next.is_none_or(|next| next.kind == Kind::Move) && !self.closes_from(n);
            match runs.last_mut() {
                _ if piece.kind == Kind::Move => {}
                Some((run, total, open)) if was_curve && is_curve => {
                    run.0.push(Piece {
                        closes: false,
                        ..*piece
                    });
                    *total += length;
                    open[1] = ends;
                }
                _ => {
                    let begins = n.checked_sub(1).and_then(|n| self.0.get(n));
                    let begins = begins.is_some_and(|piece| piece.kind == Kind::Move) && !self.closes_from(n);
                    let mut run = Self::from(from, End::Loose);
                    run.0.push(Piece {
                        closes: false,
                        ..*piece
                    });
                    runs.push((run, length, [begins, ends]));
                }
            }
            was_curve = is_curve;
            from = piece.to;
        }
        let dashes = |(run, length, open): (Self, f64, [bool; 2])| (run, dashes(dash, width, length, open));
        runs.into_iter().map(dashes).collect()
    }

    /// Whether the line that the `n`th piece is of comes back to its beginning.
    fn closes_from(&self, n: usize) -> bool {
        let rest = self.0.iter().skip(n);
        let mut rest = rest
            .enumerate()
            .take_while(|(n, piece)| *n == 0 || piece.kind != Kind::Move);
        rest.any(|(_, piece)| piece.closes)
    }
}

/// The attributes that make dashes on so much of a line; `open` says which of its ends are those of the whole
/// line. Dashes are twice as long as they are wide, dots as far apart, and they fill the line evenly.
fn dashes(dash: Dash, width: f64, length: f64, open: [bool; 2]) -> String {
    let (mut long, ratio) = match dash {
        Dash::Dashed => ((width * 2.0).min(length / 4.0), 1.0),
        Dash::Dotted => (width / 100.0, 100.0),
        Dash::Draw | Dash::Solid => return String::new(),
    };
    let mut total = length;
    let mut offset = 0.0;
    if !open[0] {
        total += long / 2.0;
        offset = long / 2.0;
    }
    if !open[1] {
        total += long / 2.0;
    }
    let count = (total / long / (2.0 * ratio)).floor();
    if !count.is_finite() || count > DASHES_MAX || long <= 0.0 {
        return String::new();
    }
    let gap;
    if count < 3.0 && dash == Dash::Dashed {
        if total / width < 4.0 {
            return String::new();
        }
        long = total / 3.0;
        gap = long;
    } else {
        let count = count.max(1.0);
        long = total / count / (2.0 * ratio);
        gap = (total - count * long) / (count - 1.0).max(1.0);
    }
    let mut text = String::from(" stroke-dasharray=\"");
    number(&mut text, long);
    text.push(' ');
    number(&mut text, gap);
    if offset != 0.0 {
        text.push_str("\" stroke-dashoffset=\"");
        number(&mut text, offset);
    }
    text + "\""
}

/// Dashes that start anew with each line, whatever its length.
pub(crate) fn plain_dashes(dash: Dash, width: f64, length: f64) -> String {
    let mut text = String::new();
    let long = match dash {
        _ if length / (width * 2.0) > DASHES_MAX => return text,
        Dash::Dotted => 0.1,
        Dash::Dashed => width * 2.0,
        Dash::Draw | Dash::Solid => return text,
    };
    text.push_str(" stroke-dasharray=\"");
    number(&mut text, long);
    text.push(' ');
    number(&mut text, width * 2.0);
    text + "\""
}

fn length(from: Point, piece: &Piece) -> f64 {
    match piece.kind {
        Kind::Move => 0.0,
        Kind::Line => from.distance(piece.to),
        Kind::Curve(out, back) => {
            let curve = [from, out, back, piece.to];
            let parts = (0..=CURVE_POINTS).map(|n| on_curve(curve, f64::from(n) / f64::from(CURVE_POINTS)));
            let points: Vec<Point> = parts.collect();
            trace_length(&points)
        }
    }
}

/// The length of a line through points.
pub(crate) fn trace_length(points: &[Point]) -> f64 {
    let pairs = points.windows(2).map(|pair| match pair {
        [a, b] => a.distance(*b),
        _ => 0.0,
    });
    pairs.sum()
}

/// The place that is a part of the way along a line through points.
pub(crate) fn along(points: &[Point], part: f64) -> Option<Point> {
    let mut left = trace_length(points) * part.clamp(0.0, 1.0);
    for pair in points.windows(2) {
        let [a, b] = pair else { continue };
        let step = a.distance(*b);
        if step > 0.0 && left <= step {
            return Some(a.towards(*b, left / step));
        }
        left -= step;
    }
    points.last().copied()
}

fn on_curve([a, b, c, d]: [Point; 4], part: f64) -> Point {
    let rest = 1.0 - part;
    a * (rest * rest * rest)
        + b * (3.0 * rest * rest * part)
        + c * (3.0 * rest * part * part)
        + d * (part * part * part)
}

/// A command of path data and its points.
pub(crate) fn put(data: &mut String, command: char, points: &[Point]) {
    data.push(command);
    for (n, point) in points.iter().enumerate() {
        if n > 0 {
            data.push(' ');
        }
        number(data, point.x);
        data.push(' ');
        number(data, point.y);
    }
}

/// A number as short as it can be at two decimals; 0 for none.
pub(crate) fn number(text: &mut String, number: f64) {
    let rounded = (number * 100.0).round() / 100.0;
    if !rounded.is_finite() || rounded == 0.0 {
        text.push('0');
        return;
    }
    text.push_str(&format!("{rounded}"));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn square() -> Path {
        Path::polygon(&[at(0.0, 0.0), at(40.0, 0.0), at(40.0, 40.0), at(0.0, 40.0)])
    }

    #[test]
    fn a_polygon_comes_back_to_its_beginning() {
        assert_eq!(square().data(), "M0 0L40 0L40 40L0 40Z");
        let traces = square().traces();
        assert!(traces.len() == 1 && traces[0].is_closed && traces[0].points.len() == 5);
    }

    #[test]
    fn an_arc_ends_where_it_should() {
        let round = Path::from(at(10.0, 0.0), End::Loose).arc(
            at(0.0, 0.0),
            at(10.0, 5.0),
            (0.0, std::f64::consts::TAU),
        );
        assert!(round.0.len() == 5 && round.0[2].to.distance(at(-10.0, 0.0)) < 1e-6);
        assert!(round.0[4].to.distance(at(10.0, 0.0)) < 1e-6);
    }

    #[test]
    fn dashes_fill_each_side_evenly_and_are_never_too_many() {
        let sides = square().dashed(Dash::Dashed, 2.0);
        assert!(sides.len() == 4 && sides.iter().all(|(_, dashes)| dashes == &sides[0].1));
        let long = Path::line(&[at(0.0, 0.0), at(1e8, 0.0)], End::Exact);
        assert_eq!(long.dashed(Dash::Dotted, 2.0)[0].1, "");
        assert_eq!(plain_dashes(Dash::Dotted, 2.0, 1e8), "");
        assert_eq!(square().dashed(Dash::Solid, 2.0)[0].1, "");
    }

    #[test]
    fn numbers_are_short() {
        let mut text = String::new();
        for value in [1.0, -0.001, 2.345_67, f64::NAN, 1e8] {
            number(&mut text, value);
            text.push(' ');
        }
        assert_eq!(text, "1 0 2.35 0 100000000 ");
    }
}
