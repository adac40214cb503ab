//! Arrows that go along the axes, around corners.
//!
//! Owns which sides they leave and enter, and the way between (`tldraw` 3.15.6, src/lib/shapes/arrow/elbow,
//! for which sides are liked best). Must not know records. Key invariant: a way is looked for on a grid of at
//! most [`LINES_MAX`] by as many lines. Tests are below.

use crate::arrow::{Arrow, Head, Tip, first_crossing};
use crate::geometry::{Area, Point, at};

/// Lines of the grid, each way.
const LINES_MAX: usize = 12;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Side {
    Left,
    Top,
    Right,
    Bottom,
}

const SIDES: [Side; 4] = [Side::Right, Side::Bottom, Side::Left, Side::Top];

impl Side {
    fn ahead(self) -> Point {
        match self {
            Self::Left => at(-1.0, 0.0),
            Self::Top => at(0.0, -1.0),
            Self::Right => at(1.0, 0.0),
            Self::Bottom => at(0.0, 1.0),
        }
    }

    /// The place on this side of an area that is nearest to a target.
    fn on(self, area: &Area, target: Point) -> Point {
        let x = target.x.clamp(area.left, area.right);
        let y = target.y.clamp(area.top, area.bottom);
        match self {
            Self::Left => at(area.left, y),
            Self::Top => at(x, area.top),
            Self::Right => at(area.right, y),
            Self::Bottom => at(x, area.bottom),
        }
    }
}

/// One end: its box, what it keeps off, and the side that somebody chose.
struct Place {
    area: Area,
    wide: Area,
    target: Point,
    side: Option<Side>,
}

impl Place {
    fn of(tip: &Tip, leg: f64) -> Self {
        let Some(bound) = &tip.bound else {
            let area = Area::sized(tip.target, 0.0, 0.0);
            return Self {
                area,
                wide: area,
                target: tip.target,
                side: None,
            };
        };
        let area = bound.area;
        let side = bound
            .is_precise
            .then(|| nearest_side(&area, tip.target))
            .flatten();
        Self {
            area,
            wide: area.grown(leg),
            target: tip.target,
            side,
        }
    }
}

fn nearest_side(area: &Area, target: Point) -> Option<Side> {
    let out = target - area.middle();
    let part = at(out.x / area.width().max(1e-6), out.y / area.height().max(1e-6));
    if part.length() < 1e-6 {
        return None;
    }
    Some(match part {
        part if part.x.abs() > part.y.abs() - 0.000_1 && part.x < 0.0 => Side::Left,
        part if part.x.abs() > part.y.abs() - 0.000_1 => Side::Right,
        part if part.y < 0.0 => Side::Top,
        _ => Side::Bottom,
    })
}

/// The points that the line goes through; `leg` is how far it keeps off what it is bound to, and `middle`
/// where in the gap it turns, from 0 to 1.
pub(crate) fn line(arrow: &Arrow, leg: f64, middle: f64) -> Vec<Point> {
    let (a, b) = (Place::of(&arrow.start, leg), Place::of(&arrow.end, leg));
    let way = best(&a, &b, middle);
    let Some(mut way) = way else {
        return arrow.line();
    };
    touch(&mut way, &arrow.start, arrow);
    way.reverse();
    touch(&mut way, &arrow.end, arrow);
    way.reverse();
    way
}

/// How far b is from a along an axis: more than nothing where it comes after.
fn gap((a_from, a_to): (f64, f64), (b_from, b_to): (f64, f64)) -> f64 {
    if b_from >= a_to {
        b_from - a_to
    } else {
        -(a_from - b_to).max(0.0)
    }
}

fn best(a: &Place, b: &Place, middle: f64) -> Option<Vec<Point>> {
    let gap_x = gap((a.area.left, a.area.right), (b.area.left, b.area.right));
    let gap_y = gap((a.area.top, a.area.bottom), (b.area.top, b.area.bottom));
    let try_sides = |from: Side, to: Side| route(a, b, (from, to), middle);
    if a.side.is_none() && b.side.is_none() {
        let liked = if gap_x.abs() + 1.0 > gap_y.abs() && gap_x != 0.0 {
            let (from, to) = if gap_x > 0.0 {
                (Side::Right, Side::Left)
            } else {
                (Side::Left, Side::Right)
            };
            facing(a, b, (from, to), middle)
        } else {
            corner(a, b).or_else(|| {
                let (from, to) = if gap_y > 0.0 {
                    (Side::Bottom, Side::Top)
                } else {
                    (Side::Top, Side::Bottom)
                };
                (gap_y != 0.0).then(|| facing(a, b, (from, to), middle)).flatten()
            })
        };
        if liked.is_some() {
            return liked;
        }
    }
    let sides = |chosen: Option<Side>| {
        SIDES
            .into_iter()
            .filter(move |side| chosen.is_none_or(|chosen| chosen == *side))
    };
    let mut found: Option<(usize, f64, Vec<Point>)> = None;
    for from in sides(a.side) {
        for to in sides(b.side) {
            let Some(way) = try_sides(from, to) else { continue };
            let cost = (way.len(), crate::path::trace_length(&way));
            if found.as_ref().is_none_or(|(corners, length, _)| {
                cost.0 < *corners || (cost.0 == *corners && cost.1 + 1.0 < *length)
            }) {
                found = Some((cost.0, cost.1, way));
            }
        }
    }
    found.map(|(.., way)| way)
}

/// Between two sides that face each other, turning in the gap.
fn facing(a: &Place, b: &Place, (from, to): (Side, Side), middle: f64) -> Option<Vec<Point>> {
    let ahead = from.ahead();
    if ahead.dot(to.ahead()) > -0.5 {
        return None;
    }
    let (start, end) = (from.on(&a.area, a.target), to.on(&b.area, b.target));
    let room = ahead.dot(end - start);
    let legs = ahead.dot(from.on(&a.wide, a.target) - start) + ahead.dot(end - to.on(&b.wide, b.target));
    if room <= 0.0 {
        return None;
    }
    let aside = (end - start) - ahead * room;
    if aside.length() < 1.0 {
        return Some(vec![start, start + ahead * room]);
    }
    // Between what both keep off, where there is that much; else in the middle.
    let (least, most) = if room > legs {
        (legs / 2.0, room - legs / 2.0)
    } else {
        (room / 2.0, room / 2.0)
    };
    let out = start + ahead * (least + (most - least) * middle);
    Some(vec![start, out, out + aside, end])
}

/// Around one corner, out of a left or right side into a top or bottom.
fn corner(a: &Place, b: &Place) -> Option<Vec<Point>> {
    let ways = [
        (Side::Right, Side::Top),
        (Side::Right, Side::Bottom),
        (Side::Left, Side::Top),
        (Side::Left, Side::Bottom),
    ];
    ways.into_iter().find_map(|(from, to)| {
        let (start, end) = (from.on(&a.area, a.target), to.on(&b.area, b.target));
        let (wide_start, wide_end) = (from.on(&a.wide, a.target), to.on(&b.wide, b.target));
        let fits = from.ahead().dot(at(end.x, start.y) - wide_start) >= 0.0
            && to.ahead().dot(at(end.x, start.y) - wide_end) >= 0.0;
        fits.then(|| vec![start, at(end.x, start.y), end])
    })
}

fn route(a: &Place, b: &Place, (from, to): (Side, Side), middle: f64) -> Option<Vec<Point>> {
    facing(a, b, (from, to), middle).or_else(|| around(a, b, (from, to)))
}

/// A way on a grid that keeps off both boxes: fewest corners first, then the shortest.
fn around(a: &Place, b: &Place, (from, to): (Side, Side)) -> Option<Vec<Point>> {
    let (start, end) = (from.on(&a.area, a.target), to.on(&b.area, b.target));
    let (first, last) = (from.on(&a.wide, a.target), to.on(&b.wide, b.target));
    let inner = |area: &Area| area.grown(-0.5);
    let blocked = [inner(&a.area), inner(&b.area)];
    if blocked.iter().any(|area| area.has(first) || area.has(last)) {
        return None;
    }
    let lines = |of: fn(Point) -> f64| {
        let corners = [a.wide, b.wide].into_iter().flat_map(|area| area.corners());
        let mut lines: Vec<f64> = corners.chain([first, last]).map(of).collect();
        lines.sort_by(f64::total_cmp);
        lines.dedup_by(|one, other| (*one - *other).abs() < 0.01);
        lines.truncate(LINES_MAX);
        lines
    };
    let (xs, ys) = (lines(|point| point.x), lines(|point| point.y));
    let is_free = |from: Point, to: Point| {
        let middle = Area::of([from, to]);
        middle.is_none_or(|way| blocked.iter().all(|area| way.shared(area).is_none()))
    };
    search(
        &xs,
        &ys,
        (first, from.ahead()),
        (last, to.ahead() * -1.0),
        is_free,
    )
    .map(|way| {
        let mut whole = vec![start];
        whole.extend(way);
        whole.push(end);
        without_straight_points(whole)
    })
}

/// A place on the grid and the way that it was come from.
#[derive(Clone)]
struct Reached {
    at: (usize, usize),
    ahead: Point,
    cost: f64,
    before: Option<usize>,
    is_done: bool,
}

fn search(
    xs: &[f64],
    ys: &[f64],
    (first, out): (Point, Point),
    (last, into): (Point, Point),
    is_free: impl Fn(Point, Point) -> bool,
) -> Option<Vec<Point>> {
    let index = |lines: &[f64], value: f64| lines.iter().position(|line| (line - value).abs() < 0.01);
    let place = |(x, y): (usize, usize)| Some(at(*xs.get(x)?, *ys.get(y)?));
    let begin = (index(xs, first.x)?, index(ys, first.y)?);
    let goal = (index(xs, last.x)?, index(ys, last.y)?);
    // A corner costs more than any length.
    let bend = |from: Point, to: Point| if from.dot(to) > 0.5 { 0.0 } else { 1e9 };
    let mut reached = vec![Reached {
        at: begin,
        ahead: out,
        cost: 0.0,
        before: None,
        is_done: false,
    }];
    loop {
        let open = reached.iter().enumerate().filter(|(_, one)| !one.is_done);
        let (n, one) =
            open.min_by(|(_, a), (_, b)| cost(a, goal, into, bend).total_cmp(&cost(b, goal, into, bend)))?;
        let one = one.clone();
        if one.at == goal {
            let steps = std::iter::successors(Some(n), |n| reached.get(*n)?.before);
            let mut way: Vec<Point> = steps.filter_map(|n| place(reached.get(n)?.at)).collect();
            way.reverse();
            return Some(way);
        }
        if let Some(one) = reached.get_mut(n) {
            one.is_done = true;
        }
        let from = place(one.at)?;
        for side in SIDES {
            let ahead = side.ahead();
            let step = |n: usize, by: f64| {
                if by > 0.5 {
                    n.checked_add(1)
                } else if by < -0.5 {
                    n.checked_sub(1)
                } else {
                    Some(n)
                }
            };
            let next = step(one.at.0, ahead.x).zip(step(one.at.1, ahead.y));
            let Some((next, to)) = next.and_then(|next| Some((next, place(next)?))) else {
                continue;
            };
            if ahead.dot(one.ahead) < -0.5 || !is_free(from, to) {
                continue;
            }
            let spent = one.cost + from.distance(to) + bend(one.ahead, ahead);
            let known = reached
                .iter_mut()
                .find(|other| other.at == next && other.ahead == ahead);
            match known {
                Some(known) if known.is_done || known.cost <= spent => {}
                Some(known) => {
                    known.cost = spent;
                    known.before = Some(n);
                }
                None => reached.push(Reached {
                    at: next,
                    ahead,
                    cost: spent,
                    before: Some(n),
                    is_done: false,
                }),
            }
        }
    }
}

fn cost(one: &Reached, goal: (usize, usize), into: Point, bend: impl Fn(Point, Point) -> f64) -> f64 {
    if one.at == goal {
        one.cost + bend(one.ahead, into)
    } else {
        one.cost
    }
}

fn without_straight_points(way: Vec<Point>) -> Vec<Point> {
    let mut kept: Vec<Point> = Vec::new();
    for point in way {
        if let [.., a, b] = kept.as_slice()
            && (*b - *a).unit().dot((point - *b).unit()) > 0.999
        {
            kept.pop();
        }
        if kept.last().is_none_or(|last| last.distance(point) > 1e-6) {
            kept.push(point);
        }
    }
    kept
}

/// Moves the beginning of a way from the box to the edge itself, and off it where a head is.
fn touch(way: &mut [Point], tip: &Tip, arrow: &Arrow) {
    let [first, second, ..] = way else { return };
    let Some(bound) = &tip.bound else { return };
    let into = (*first - *second).unit();
    let far = *first + into * (bound.area.width() + bound.area.height());
    let edge = first_crossing(&bound.traces, (*second, far));
    let edge = match bound.is_exact {
        true => *second + into * into.dot(tip.target - *second),
        false => edge.unwrap_or(*first),
    };
    let offset = match tip.head {
        Head::None => 0.0,
        _ if bound.is_exact => 0.0,
        _ => (10.0 + (arrow.stroke + bound.stroke) / 2.0) * arrow.scale,
    };
    let room = edge.distance(*second);
    *first = edge - into * offset.min(room / 2.0);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arrow::{Bound, Relation};
    use crate::path::Trace;

    fn tip(area: Area) -> Tip {
        let [a, b, c, d] = area.corners();
        Tip {
            target: area.middle(),
            head: Head::None,
            bound: Some(Bound {
                traces: vec![Trace {
                    points: vec![a, b, c, d, a],
                    is_closed: true,
                }],
                area,
                is_exact: false,
                is_precise: false,
                stroke: 2.0,
            }),
        }
    }

    fn way(from: Tip, to: Tip) -> Vec<Point> {
        let arrow = Arrow {
            start: from,
            end: to,
            relation: Relation::Apart,
            bend: 0.0,
            scale: 1.0,
            stroke: 2.0,
        };
        line(&arrow, 36.0, 0.5)
    }

    fn square(x: f64, y: f64) -> Tip {
        tip(Area::sized(at(x, y), 100.0, 100.0))
    }

    #[test]
    fn it_turns_in_the_middle_of_the_gap_and_goes_straight_where_it_can() {
        let line = way(square(0.0, 0.0), square(300.0, 100.0));
        assert_eq!(
            line,
            [
                at(100.0, 50.0),
                at(200.0, 50.0),
                at(200.0, 150.0),
                at(300.0, 150.0)
            ]
        );
        assert_eq!(way(square(0.0, 0.0), square(300.0, 0.0)).len(), 2);
        assert_eq!(
            way(square(0.0, 0.0), square(0.0, 300.0)),
            [at(50.0, 100.0), at(50.0, 300.0)]
        );
    }

    #[test]
    fn it_goes_around_one_corner_where_that_is_enough() {
        let line = way(square(0.0, 0.0), square(200.0, 400.0));
        assert_eq!(line, [at(100.0, 50.0), at(250.0, 50.0), at(250.0, 400.0)]);
    }

    #[test]
    fn every_place_of_two_boxes_has_a_way_along_the_axes() {
        for n in 0..400_u32 {
            let place = |by: u32| f64::from(n.wrapping_mul(2_654_435_761).wrapping_shr(by) % 400) - 200.0;
            let line = way(square(0.0, 0.0), square(place(3), place(17)));
            assert!(
                line.len() > 1 && line.len() < 9 && line.iter().all(|point| point.is_finite()),
                "{line:?}"
            );
        }
    }
}
