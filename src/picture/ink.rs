//! Freehand: points as a pen left them, as strokes.
//!
//! Owns how points are smoothed, and how thick a stroke is where (`tldraw` 3.15.6, src/lib/shapes/shared/
//! freehand and src/lib/shapes/draw/getPath.ts). Must not know records. Key invariant: work and path data are
//! in proportion to the points. Tests are below.

use std::f64::consts::FRAC_PI_2;

use crate::geometry::{Point, at};
use crate::path::put;

/// A point that a pen left, and how hard it pressed, from 0 to 1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Dab {
    pub(crate) at: Point,
    pub(crate) pressure: f64,
}

/// What makes a stroke thick or thin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Press {
    /// The pen itself.
    Real,
    /// How fast it moved.
    Speed,
    /// Nothing: it is the same all along.
    Even,
}

/// How a stroke is drawn.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pen {
    pub(crate) width: f64,
    pub(crate) press: Press,
    /// From 0 to 1: how much of a tremble is taken out.
    pub(crate) calm: f64,
}

impl Pen {
    /// The pen of a drawing whose line is so wide.
    pub(crate) fn of_draw(width: f64, press: Press) -> Self {
        let calm = 0.64 + ((width - 9.0) / 7.0).clamp(0.0, 1.0) * 0.1;
        match press {
            Press::Real => Self {
                width: 1.0 + width * 1.2,
                press,
                calm: 0.62,
            },
            Press::Speed | Press::Even => Self { width, press, calm },
        }
    }
}

/// A point of a stroke, and half of its width there.
#[derive(Clone, Copy, Debug)]
struct Stop {
    at: Point,
    radius: f64,
}

/// The points of a stroke without the tremble.
pub(crate) fn calmed(dabs: &[Dab], pen: Pen) -> Vec<Dab> {
    let Some((first, rest)) = dabs.split_first() else {
        return Vec::new();
    };
    let near = pen.width / 3.0;
    let is_far = |dab: &&Dab| dab.at.distance(first.at) > near;
    let begin = rest.iter().position(|dab| is_far(&dab)).unwrap_or(rest.len());
    let rest = rest.get(begin..).unwrap_or_default();
    let Some((last, rest)) = rest.split_last() else {
        return vec![*first];
    };
    let end = rest.iter().rposition(|dab| dab.at.distance(last.at) > near);
    let rest = rest
        .get(..end.map_or(0, |end| end.saturating_add(1)))
        .unwrap_or_default();
    let follow = 0.15 + (1.0 - pen.calm) * 0.85;
    let mut calmed = vec![*first];
    let mut before = first.at;
    let mut way = 0.0;
    for (n, dab) in rest.iter().chain(std::iter::once(last)).enumerate() {
        let place = before.towards(dab.at, follow);
        way += place.distance(before);
        before = place;
        // The very beginning is the shakiest.
        if n >= 3 || way >= pen.width {
            calmed.push(Dab { at: place, ..*dab });
        }
    }
    calmed.push(*last);
    calmed
}

/// Path data of the line itself, to be stroked; `closed` where it comes back to its beginning.
pub(crate) fn line(points: &[Dab], closed: Closed) -> String {
    let mut data = String::new();
    let (Some(first), Some(last)) = (points.first(), points.last()) else {
        return data;
    };
    put(&mut data, 'M', &[first.at]);
    for pair in points.windows(2).skip(1) {
        if let [a, b] = pair {
            put(&mut data, 'Q', &[a.at, a.at.towards(b.at, 0.5)]);
        }
    }
    put(&mut data, 'L', &[last.at]);
    if closed == Closed::Yes {
        data.push('Z');
    }
    data
}

/// Whether a line comes back to its beginning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Closed {
    Yes,
    No,
}

/// Path data of a stroke as an area: thick where the pen was slow or was pressed.
pub(crate) fn stroke(points: &[Dab], pen: Pen) -> String {
    let stops = stops(points, pen);
    let mut data = String::new();
    for part in parts(&stops) {
        match part {
            [] => {}
            [only] => dot(&mut data, only.at, only.radius),
            part => band(&mut data, part),
        }
    }
    data
}

/// A round dot.
pub(crate) fn dot(data: &mut String, center: Point, radius: f64) {
    let side = at(radius, 0.0);
    put(data, 'M', &[center - side]);
    arc(data, radius, center + side);
    arc(data, radius, center - side);
    data.push('Z');
}

fn arc(data: &mut String, radius: f64, to: Point) {
    put(data, 'A', &[at(radius, radius)]);
    data.push_str(" 0 0 1 ");
    crate::path::number(data, to.x);
    data.push(' ');
    crate::path::number(data, to.y);
}

fn stops(points: &[Dab], pen: Pen) -> Vec<Stop> {
    let thinning = match pen.press {
        Press::Real => 0.62,
        Press::Speed => 0.5,
        Press::Even => 0.0,
    };
    let ease = |part: f64| match pen.press {
        Press::Speed => (part * FRAC_PI_2).sin(),
        Press::Real => part * 0.65 + (part * FRAC_PI_2).sin() * 0.35,
        Press::Even => part,
    };
    // How hard it is pressed follows slowly, and a stroke begins as it goes on.
    let step = |pressure: f64, distance: f64, pressed: f64| {
        let near = (distance / pen.width).min(1.0);
        let wanted = match pen.press {
            Press::Real => pressed,
            Press::Speed | Press::Even => 1.0 - near,
        };
        (pressure + (wanted - pressure) * near * 0.275).min(1.0)
    };
    let distances = || {
        let befores = points.iter().take(1).chain(points);
        befores
            .zip(points)
            .map(|(before, dab)| (before.at.distance(dab.at), dab))
    };
    let mut pressure = 0.5;
    let mut way = 0.0;
    for (distance, dab) in distances() {
        way += distance;
        if way > pen.width * 5.0 {
            break;
        }
        pressure += (step(pressure, distance, dab.pressure) - pressure) * 0.5;
    }
    let stops = distances().map(|(distance, dab)| {
        pressure = step(pressure, distance, dab.pressure);
        Stop {
            at: dab.at,
            radius: (pen.width * ease(0.5 - thinning * (0.5 - pressure))).max(0.1),
        }
    });
    let mut stops: Vec<Stop> = stops.collect();
    stops.dedup_by(|next, before| next.at == before.at);
    stops
}

/// The stroke cut where it turns sharply, so that each part has two clean sides.
fn parts(stops: &[Stop]) -> Vec<&[Stop]> {
    let mut parts = Vec::new();
    let mut begin = 0;
    for (n, three) in stops.windows(3).enumerate() {
        let [before, turn, after] = three else { continue };
        if (turn.at - before.at).unit().dot((after.at - turn.at).unit()) < -0.8 {
            let at = n.saturating_add(1);
            parts.extend(stops.get(begin..=at));
            begin = at;
        }
    }
    parts.extend(stops.get(begin..));
    parts
}

/// Both sides of a part, and its round ends.
fn band(data: &mut String, part: &[Stop]) {
    let way = |n: usize| {
        let before = part.get(n.saturating_sub(1)).or_else(|| part.first());
        let after = part.get(n.saturating_add(1)).or_else(|| part.last());
        match (before, after) {
            (Some(before), Some(after)) => (after.at - before.at).unit().across(),
            _ => at(0.0, 0.0),
        }
    };
    let sides: Vec<(Point, Point, f64)> = part
        .iter()
        .enumerate()
        .map(|(n, stop)| {
            let out = way(n) * stop.radius;
            (stop.at + out, stop.at - out, stop.radius)
        })
        .collect();
    let (Some(first), Some(last)) = (sides.first(), sides.last()) else {
        return;
    };
    put(data, 'M', &[first.1]);
    smooth(data, sides.iter().map(|side| side.1));
    arc(data, last.2, last.0);
    smooth(data, sides.iter().rev().map(|side| side.0));
    arc(data, first.2, first.1);
    data.push('Z');
}

/// From where the pen is, the first of the points, on to the last of them.
fn smooth(data: &mut String, points: impl Iterator<Item = Point>) {
    let mut before: Option<Point> = None;
    let mut last = None;
    for (n, point) in points.enumerate() {
        if let Some(before) = before.filter(|_| n > 1) {
            put(data, 'Q', &[before, before.towards(point, 0.5)]);
        }
        before = Some(point);
        last = Some(point);
    }
    if let Some(last) = last {
        put(data, 'L', &[last]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dabs(points: &[(f64, f64)]) -> Vec<Dab> {
        let dab = |(x, y): &(f64, f64)| Dab {
            at: at(*x, *y),
            pressure: 0.5,
        };
        points.iter().map(dab).collect()
    }

    #[test]
    fn a_point_is_a_dot_and_nothing_is_nothing() {
        let pen = Pen::of_draw(4.5, Press::Speed);
        assert_eq!(calmed(&[], pen), []);
        let point = calmed(&dabs(&[(1.0, 2.0), (1.1, 2.0)]), pen);
        assert_eq!(point.len(), 1);
        assert!(stroke(&point, pen).starts_with('M') && line(&point, Closed::No).starts_with("M1 2"));
        assert_eq!(stroke(&[], pen), "");
    }

    #[test]
    fn a_stroke_ends_where_the_pen_left_and_is_cut_at_sharp_turns() {
        let pen = Pen::of_draw(4.5, Press::Speed);
        let points = dabs(&[
            (0.0, 0.0),
            (30.0, 0.0),
            (60.0, 0.0),
            (90.0, 0.0),
            (60.0, 3.0),
            (20.0, 5.0),
            (-30.0, 9.0),
        ]);
        let calm = calmed(&points, pen);
        assert_eq!(calm.last(), points.last());
        assert_eq!(parts(&stops(&points, pen)).len(), 2);
    }

    #[test]
    fn who_draws_fast_draws_thin() {
        let pen = Pen::of_draw(4.5, Press::Speed);
        let widest = |step: f64| {
            let points: Vec<(f64, f64)> = (0..40).map(|n| (f64::from(n) * step, 0.0)).collect();
            let stops = stops(&dabs(&points), pen);
            stops.iter().map(|stop| stop.radius).fold(0.0, f64::max)
        };
        assert!(widest(1.0) > widest(20.0) * 1.15);
    }
}
