//! Where a shape is: its own coordinates are its parent's, an item's are the page's.
//!
//! Owns the way up through frames and groups, bounded, and back. Must not know types of items. Key invariant:
//! of what a shape lies in, no more is read than its place, however large it is. Tests: src/items/tests.rs.

use serde_json::Value;

use crate::ids::ItemId;
use crate::items::{Record, Records, number};

/// Parents that are walked; beyond it, and in a circle, coordinates end where the walk does.
const PARENTS_MAX: usize = 64;

/// Bytes of a parent's id; a longer one ends the walk, since each step copies it. tldraw's have about 30.
const PARENT_ID_BYTES_MAX: usize = 256;

/// How the coordinates inside a shape lie on the page.
#[derive(Clone, Copy, Debug)]
pub(super) struct Frame {
    x: f64,
    y: f64,
    /// Radians.
    angle: f64,
}

/// A place on the page.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Point {
    pub(super) x: f64,
    pub(super) y: f64,
}

impl Frame {
    /// The coordinates that a shape's `x` and `y` are in; `None` where they are the page's.
    pub(super) fn around(records: &dyn Records, shape: &Record) -> Option<Self> {
        let shapes = parents(records, shape).take_while(|id| id.starts_with("shape:"));
        let frames = shapes.map_while(|id| Self::inside_of(records, &id));
        frames.take(PARENTS_MAX).reduce(Self::within)
    }

    /// The coordinates inside of the shape `id`, of which no more is read than that; `None` where it has no
    /// place.
    fn inside_of(records: &dyn Records, id: &str) -> Option<Self> {
        Some(Self {
            x: records.number(id, "x")?,
            y: records.number(id, "y").unwrap_or_default(),
            angle: records.number(id, "rotation").unwrap_or_default(),
        })
    }

    /// The coordinates inside of the shape `id`, on the page; `None` where it has no place.
    pub(super) fn on_page(records: &dyn Records, id: &str) -> Option<Self> {
        let shapes = up_from(records, id).take_while(|id| id.starts_with("shape:"));
        let frames = shapes.map_while(|id| Self::inside_of(records, &id));
        frames.take(PARENTS_MAX).reduce(Self::within)
    }

    /// The coordinates inside of a shape that is there, turned so.
    pub(super) fn at(place: Point, angle: f64) -> Self {
        Self {
            x: place.x,
            y: place.y,
            angle,
        }
    }

    /// Radians, from the page's.
    pub(super) fn angle(self) -> f64 {
        self.angle
    }

    /// The same, seen from outside of `outer`.
    fn within(self, outer: Self) -> Self {
        let at = outer.to_page(Point { x: self.x, y: self.y });
        Self {
            x: at.x,
            y: at.y,
            angle: self.angle + outer.angle,
        }
    }

    /// From coordinates in here to the page's.
    pub(super) fn to_page(self, point: Point) -> Point {
        let turned = turned(point, self.angle);
        Point {
            x: self.x + turned.x,
            y: self.y + turned.y,
        }
    }

    /// From the page's coordinates to those in here.
    pub(super) fn to_own(self, point: Point) -> Point {
        let moved = Point {
            x: point.x - self.x,
            y: point.y - self.y,
        };
        turned(moved, -self.angle)
    }
}

/// The coordinates inside of a shape, as seen by its siblings.
pub(super) fn inside(shape: &Record) -> Frame {
    Frame {
        x: number::of(shape, "x", 0.0),
        y: number::of(shape, "y", 0.0),
        angle: number::of(shape, "rotation", 0.0),
    }
}

/// Where a shape is on the page that lies in `around`.
pub(super) fn seen(shape: &Record, around: Option<Frame>) -> Point {
    let own = Point {
        x: number::of(shape, "x", 0.0),
        y: number::of(shape, "y", 0.0),
    };
    around.map_or(own, |frame| rounded_at(frame.to_page(own)))
}

pub(super) fn rounded_at(point: Point) -> Point {
    Point {
        x: rounded(point.x),
        y: rounded(point.y),
    }
}

/// Moves a shape that lies in `around` so that a point of it that is at `from` comes to `to`.
pub(super) fn shift(shape: &mut Record, around: Option<Frame>, (from, to): (Point, Point)) {
    if from == to {
        return;
    }
    let at = seen(shape, around);
    // What is at its origin comes to this very place, and not to a sum beside it.
    let wanted = if at == from {
        to
    } else {
        Point {
            x: at.x + (to.x - from.x),
            y: at.y + (to.y - from.y),
        }
    };
    let own = around.map_or(wanted, |frame| frame.to_own(wanted));
    number::set(shape, "x", Some(own.x));
    number::set(shape, "y", Some(own.y));
}

/// How a shape that lies in `around` is turned on the page, in radians.
pub(super) fn rotation(shape: &Record, around: Option<Frame>) -> f64 {
    let own = number::of(shape, "rotation", 0.0);
    around.map_or(own, |frame| rounded(own + frame.angle))
}

/// Without the last digits, which are of sines and sums.
pub(super) fn rounded(number: f64) -> f64 {
    (number * 1e6).round() / 1e6
}

/// The coordinates inside of a shape, on the page.
pub(super) fn inside_on_page(records: &dyn Records, shape: &Record) -> Frame {
    let own = inside(shape);
    Frame::around(records, shape).map_or(own, |around| own.within(around))
}

fn turned(point: Point, angle: f64) -> Point {
    if angle == 0.0 {
        return point;
    }
    let (sin, cos) = angle.sin_cos();
    Point {
        x: point.x * cos - point.y * sin,
        y: point.x * sin + point.y * cos,
    }
}

/// The page that a shape is on; `None` where the way up does not end at one.
pub(super) fn page_of(records: &dyn Records, shape: &Record) -> Option<String> {
    let mut up = parents(records, shape).take(PARENTS_MAX.saturating_add(1));
    up.find(|id| !id.starts_with("shape:"))
        .filter(|id| id.strip_prefix("page:").and_then(ItemId::parse).is_some())
}

/// What a shape lies in, the nearest first.
fn parents(records: &dyn Records, shape: &Record) -> impl Iterator<Item = String> {
    let first = shape.get("parentId").and_then(Value::as_str).unwrap_or_default();
    up_from(records, first)
}

/// An id, and what it lies in, the nearest first.
fn up_from(records: &dyn Records, id: &str) -> impl Iterator<Item = String> {
    let is_short = |id: &String| !id.is_empty() && id.len() <= PARENT_ID_BYTES_MAX;
    let first = Some(id.to_owned()).filter(is_short);
    std::iter::successors(first, move |id| records.text(id, "parentId").filter(is_short))
}

/// A shape and what it lies in, up to the page, which is the last; `None` where the way up does not end at
/// one.
pub(super) fn way_up(records: &dyn Records, id: &str) -> Option<Vec<String>> {
    let way: Vec<String> = up_from(records, id).take(PARENTS_MAX.saturating_add(1)).collect();
    let end = way.iter().position(|id| !id.starts_with("shape:"))?;
    (way.get(end)?.starts_with("page:")).then(|| way.into_iter().take(end.saturating_add(1)).collect())
}

/// A part of a page, its sides along those of the page.
#[derive(Clone, Copy, Debug)]
pub(super) struct Area {
    pub(super) left: f64,
    pub(super) top: f64,
    pub(super) right: f64,
    pub(super) bottom: f64,
}

impl Area {
    /// What a box takes that has its corner at the origin of `inside`, however that is turned.
    pub(super) fn of(inside: Frame, width: f64, height: f64) -> Self {
        let corners = [(0.0, 0.0), (width, 0.0), (0.0, height), (width, height)];
        let corners = corners.map(|(x, y)| inside.to_page(Point { x, y }));
        let [x, y] = [corners.map(|corner| corner.x), corners.map(|corner| corner.y)];
        let least = |numbers: [f64; 4]| numbers.into_iter().fold(f64::INFINITY, f64::min);
        let most = |numbers: [f64; 4]| numbers.into_iter().fold(f64::NEG_INFINITY, f64::max);
        Self {
            left: least(x),
            top: least(y),
            right: most(x),
            bottom: most(y),
        }
    }

    /// The square of which no coordinate is larger than `most`, either way.
    pub(super) fn bounds(most: f64) -> Self {
        Self {
            left: -most,
            top: -most,
            right: most,
            bottom: most,
        }
    }

    /// The least one that holds others; `None` where there are none.
    pub(super) fn around(areas: &[Self]) -> Option<Self> {
        areas.iter().copied().reduce(|a, b| Self {
            left: a.left.min(b.left),
            top: a.top.min(b.top),
            right: a.right.max(b.right),
            bottom: a.bottom.max(b.bottom),
        })
    }

    pub(super) fn grown(self, x: f64, y: f64) -> Self {
        Self {
            left: self.left - x,
            top: self.top - y,
            right: self.right + x,
            bottom: self.bottom + y,
        }
    }

    pub(super) fn moved(self, [x, y]: [f64; 2]) -> Self {
        Self {
            left: self.left + x,
            top: self.top + y,
            right: self.right + x,
            bottom: self.bottom + y,
        }
    }

    pub(super) fn middle(self) -> [f64; 2] {
        [
            f64::midpoint(self.left, self.right),
            f64::midpoint(self.top, self.bottom),
        ]
    }

    pub(super) fn is_finite(self) -> bool {
        [self.left, self.top, self.right, self.bottom]
            .iter()
            .all(|side| side.is_finite())
    }

    /// Whether two have a point in common, be it of their sides.
    pub(super) fn meets(self, other: Self) -> bool {
        self.left <= other.right
            && other.left <= self.right
            && self.top <= other.bottom
            && other.top <= self.bottom
    }

    pub(super) fn has(self, point: Point) -> bool {
        (self.left..=self.right).contains(&point.x) && (self.top..=self.bottom).contains(&point.y)
    }

    /// From a point to the nearest one of it.
    pub(super) fn distance(self, from: Point) -> f64 {
        let x = (self.left - from.x).max(from.x - self.right).max(0.0);
        let y = (self.top - from.y).max(from.y - self.bottom).max(0.0);
        x.hypot(y)
    }
}
