//! Points, rigid movements and boxes.
//!
//! Owns plane geometry. Must not know shapes. Key invariant: a [`Matrix`] moves and turns, and never
//! stretches, so its inverse always exists. Tests are below.

use std::ops::{Add, Mul, Sub};

/// A place, or the way from one to another.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Point {
    pub(crate) x: f64,
    pub(crate) y: f64,
}

/// Short for a point.
pub(crate) const fn at(x: f64, y: f64) -> Point {
    Point { x, y }
}

impl Add for Point {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        at(self.x + other.x, self.y + other.y)
    }
}

impl Sub for Point {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        at(self.x - other.x, self.y - other.y)
    }
}

impl Mul<f64> for Point {
    type Output = Self;
    fn mul(self, by: f64) -> Self {
        at(self.x * by, self.y * by)
    }
}

impl Point {
    pub(crate) fn length(self) -> f64 {
        self.x.hypot(self.y)
    }

    pub(crate) fn distance(self, other: Self) -> f64 {
        (self - other).length()
    }

    /// The same way, one long; none where it has no length.
    pub(crate) fn unit(self) -> Self {
        let length = self.length();
        if length > 0.0 {
            self * length.recip()
        } else {
            at(0.0, 0.0)
        }
    }

    /// A quarter turn: x to the y that points down.
    pub(crate) fn across(self) -> Self {
        at(-self.y, self.x)
    }

    pub(crate) fn dot(self, other: Self) -> f64 {
        self.x * other.x + self.y * other.y
    }

    pub(crate) fn cross(self, other: Self) -> f64 {
        self.x * other.y - self.y * other.x
    }

    pub(crate) fn angle(self) -> f64 {
        self.y.atan2(self.x)
    }

    pub(crate) fn turned(self, angle: f64) -> Self {
        let (sin, cos) = angle.sin_cos();
        at(self.x * cos - self.y * sin, self.x * sin + self.y * cos)
    }

    pub(crate) fn turned_about(self, center: Self, angle: f64) -> Self {
        center + (self - center).turned(angle)
    }

    pub(crate) fn towards(self, other: Self, part: f64) -> Self {
        self + (other - self) * part
    }

    pub(crate) fn is_finite(self) -> bool {
        self.x.is_finite() && self.y.is_finite()
    }
}

/// A turn and a move.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Matrix {
    pub(crate) sin: f64,
    pub(crate) cos: f64,
    pub(crate) origin: Point,
}

impl Matrix {
    pub(crate) const NONE: Self = Self {
        sin: 0.0,
        cos: 1.0,
        origin: at(0.0, 0.0),
    };

    pub(crate) fn new(origin: Point, angle: f64) -> Self {
        let (sin, cos) = if angle == 0.0 { (0.0, 1.0) } else { angle.sin_cos() };
        Self { sin, cos, origin }
    }

    fn turn(&self, point: Point) -> Point {
        at(
            point.x * self.cos - point.y * self.sin,
            point.x * self.sin + point.y * self.cos,
        )
    }

    pub(crate) fn apply(&self, point: Point) -> Point {
        self.turn(point) + self.origin
    }

    /// What `inner`, seen from in here, is outside.
    pub(crate) fn around(&self, inner: &Self) -> Self {
        Self {
            sin: self.sin * inner.cos + self.cos * inner.sin,
            cos: self.cos * inner.cos - self.sin * inner.sin,
            origin: self.apply(inner.origin),
        }
    }

    pub(crate) fn inverse(&self) -> Self {
        let back = Self {
            sin: -self.sin,
            cos: self.cos,
            origin: at(0.0, 0.0),
        };
        Self {
            origin: back.turn(self.origin) * -1.0,
            ..back
        }
    }

    pub(crate) fn angle(&self) -> f64 {
        self.sin.atan2(self.cos)
    }
}

/// A box whose sides lie along the axes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Area {
    /// The least x.
    pub left: f64,
    /// The least y.
    pub top: f64,
    /// The largest x.
    pub right: f64,
    /// The largest y.
    pub bottom: f64,
}

impl Area {
    /// Nothing, at the origin.
    pub(crate) const NONE: Self = Self {
        left: 0.0,
        top: 0.0,
        right: 0.0,
        bottom: 0.0,
    };

    pub(crate) fn of(points: impl IntoIterator<Item = Point>) -> Option<Self> {
        let mut points = points.into_iter().filter(|point| point.is_finite());
        let first = points.next()?;
        let mut area = Self {
            left: first.x,
            top: first.y,
            right: first.x,
            bottom: first.y,
        };
        for point in points {
            area.left = area.left.min(point.x);
            area.top = area.top.min(point.y);
            area.right = area.right.max(point.x);
            area.bottom = area.bottom.max(point.y);
        }
        Some(area)
    }

    pub(crate) fn sized(corner: Point, width: f64, height: f64) -> Self {
        Self {
            left: corner.x,
            top: corner.y,
            right: corner.x + width,
            bottom: corner.y + height,
        }
    }

    pub(crate) fn width(&self) -> f64 {
        self.right - self.left
    }

    pub(crate) fn height(&self) -> f64 {
        self.bottom - self.top
    }

    pub(crate) fn middle(&self) -> Point {
        at(
            f64::midpoint(self.left, self.right),
            f64::midpoint(self.top, self.bottom),
        )
    }

    pub(crate) fn corners(&self) -> [Point; 4] {
        [
            at(self.left, self.top),
            at(self.right, self.top),
            at(self.right, self.bottom),
            at(self.left, self.bottom),
        ]
    }

    /// What it takes once it is moved.
    pub(crate) fn moved(&self, by: &Matrix) -> Self {
        Self::of(self.corners().map(|corner| by.apply(corner))).unwrap_or(*self)
    }

    pub(crate) fn grown(&self, by: f64) -> Self {
        Self {
            left: self.left - by,
            top: self.top - by,
            right: self.right + by,
            bottom: self.bottom + by,
        }
    }

    pub(crate) fn joined(&self, other: &Self) -> Self {
        Self {
            left: self.left.min(other.left),
            top: self.top.min(other.top),
            right: self.right.max(other.right),
            bottom: self.bottom.max(other.bottom),
        }
    }

    /// What both have; `None` where that is nothing.
    pub(crate) fn shared(&self, other: &Self) -> Option<Self> {
        let shared = Self {
            left: self.left.max(other.left),
            top: self.top.max(other.top),
            right: self.right.min(other.right),
            bottom: self.bottom.min(other.bottom),
        };
        (shared.left <= shared.right && shared.top <= shared.bottom).then_some(shared)
    }

    pub(crate) fn contains(&self, other: &Self) -> bool {
        self.left < other.left
            && self.top < other.top
            && self.right > other.right
            && self.bottom > other.bottom
    }

    pub(crate) fn has(&self, point: Point) -> bool {
        (self.left..=self.right).contains(&point.x) && (self.top..=self.bottom).contains(&point.y)
    }
}

/// Where two lines between points meet.
pub(crate) fn crossing((a, b): (Point, Point), (c, d): (Point, Point)) -> Option<Point> {
    let (along, other) = (b - a, d - c);
    let slope = along.cross(other);
    if slope == 0.0 {
        return None;
    }
    let part = (c - a).cross(other) / slope;
    let other_part = (c - a).cross(along) / slope;
    let both = (0.0..=1.0).contains(&part) && (0.0..=1.0).contains(&other_part);
    both.then(|| a + along * part)
}

/// The middle of the circle through three points; `None` where they are on a line.
pub(crate) fn circle_through(a: Point, b: Point, c: Point) -> Option<Point> {
    let (ab, ac) = (b - a, c - a);
    let twice = 2.0 * ab.cross(ac);
    let (square_b, square_c) = (ab.dot(ab), ac.dot(ac));
    let center = a + at(
        (ac.y * square_b - ab.y * square_c) / twice,
        (ab.x * square_c - ac.x * square_b) / twice,
    );
    (twice != 0.0 && center.is_finite()).then_some(center)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_movement_and_its_inverse_come_to_nothing() {
        let movement = Matrix::new(at(10.0, -4.0), 0.7);
        let there = movement.apply(at(3.0, 5.0));
        assert!(movement.inverse().apply(there).distance(at(3.0, 5.0)) < 1e-9);
        let twice = movement.around(&movement);
        assert!(
            twice
                .apply(at(1.0, 2.0))
                .distance(movement.apply(movement.apply(at(1.0, 2.0))))
                < 1e-9
        );
        assert!((twice.angle() - 1.4).abs() < 1e-9);
    }

    #[test]
    fn lines_meet_where_they_cross_and_else_nowhere() {
        let flat = (at(0.0, 1.0), at(4.0, 1.0));
        assert_eq!(crossing(flat, (at(1.0, 0.0), at(1.0, 2.0))), Some(at(1.0, 1.0)));
        assert_eq!(crossing(flat, (at(5.0, 0.0), at(5.0, 2.0))), None);
        assert_eq!(crossing(flat, flat), None);
    }

    #[test]
    fn a_circle_goes_through_three_points() {
        let center = circle_through(at(1.0, 0.0), at(0.0, 1.0), at(-1.0, 0.0)).unwrap();
        assert!(center.length() < 1e-9);
        assert_eq!(circle_through(at(0.0, 0.0), at(1.0, 1.0), at(2.0, 2.0)), None);
    }
}
