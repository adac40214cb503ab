//! The outlines of geometric shapes (`tldraw` 3.15.6, src/lib/shapes/geo/getGeoShapePath.ts).
//!
//! Owns which form a word stands for. Must not know how it is drawn. Key invariant: every outline lies in its
//! box, but for the bumps of rounding. Tests are below.

use std::f64::consts::{FRAC_PI_2, PI, TAU};

use crate::geometry::{Area, Point, at, circle_through};
use crate::hand::Chance;
use crate::path::{End, Path};
use crate::style::Size;

/// Bumps of a cloud, inclusive.
const BUMPS_MAX: u32 = 400;

/// What is drawn of a form.
pub(crate) struct Outline {
    /// Its border, around what is filled.
    pub(crate) border: Path,
    /// Lines within.
    pub(crate) inner: Path,
}

impl From<Path> for Outline {
    fn from(border: Path) -> Self {
        Self {
            border,
            inner: Path::default(),
        }
    }
}

/// The form `geo` in a box of this size.
pub(crate) fn outline(geo: &str, width: f64, height: f64, (seed, size, scale): (&str, Size, f64)) -> Outline {
    let (w, h) = (width.max(1.0), height.max(1.0));
    let (cx, cy, least) = (w / 2.0, h / 2.0, w.min(h));
    let (ox, oy) = (w * 0.16, h * 0.16);
    let (tip, slant) = (least * 0.38, least * 0.38);
    let polygon = |points: &[(f64, f64)]| {
        let points: Vec<Point> = points.iter().map(|(x, y)| at(*x, *y)).collect();
        Outline::from(Path::polygon(&points))
    };
    match geo {
        "arrow-down" => polygon(&[
            (ox, 0.0),
            (w - ox, 0.0),
            (w - ox, h - tip),
            (w, h - tip),
            (cx, h),
            (0.0, h - tip),
            (ox, h - tip),
        ]),
        "arrow-up" => polygon(&[
            (cx, 0.0),
            (w, tip),
            (w - ox, tip),
            (w - ox, h),
            (ox, h),
            (ox, tip),
            (0.0, tip),
        ]),
        "arrow-left" => polygon(&[
            (tip, 0.0),
            (tip, oy),
            (w, oy),
            (w, h - oy),
            (tip, h - oy),
            (tip, h),
            (0.0, cy),
        ]),
        "arrow-right" => polygon(&[
            (0.0, oy),
            (w - tip, oy),
            (w - tip, 0.0),
            (w, cy),
            (w - tip, h),
            (w - tip, h - oy),
            (0.0, h - oy),
        ]),
        "diamond" => polygon(&[(cx, 0.0), (w, cy), (cx, h), (0.0, cy)]),
        "triangle" => polygon(&[(cx, 0.0), (w, h), (0.0, h)]),
        "trapezoid" => polygon(&[(slant, 0.0), (w - slant, 0.0), (w, h), (0.0, h)]),
        "rhombus" => polygon(&[(slant, 0.0), (w, 0.0), (w - slant, h), (0.0, h)]),
        "rhombus-2" => polygon(&[(0.0, 0.0), (w - slant, 0.0), (w, h), (slant, h)]),
        "pentagon" => regular(w, h, 5),
        "hexagon" => regular(w, h, 6),
        "octagon" => regular(w, h, 8),
        "star" => star(w, h),
        "ellipse" => ellipse(w, h),
        "oval" => stadium(w, h),
        "heart" => heart(w, h),
        "cloud" => cloud(w, h, (seed, size, scale)),
        "check-box" => checked(w, h),
        "x-box" => crossed(w, h),
        _ => Path::polygon(&box_of(w, h)).into(),
    }
}

fn box_of(w: f64, h: f64) -> [Point; 4] {
    Area::sized(at(0.0, 0.0), w, h).corners()
}

/// A polygon of equal sides with its first corner on top, stretched to its box.
fn regular(w: f64, h: f64, sides: u32) -> Outline {
    let step = TAU / f64::from(sides);
    let corners: Vec<Point> = (0..sides)
        .map(|n| at(1.0, 0.0).turned(-FRAC_PI_2 + f64::from(n) * step))
        .collect();
    stretched(&corners, w, h)
}

fn star(w: f64, h: f64) -> Outline {
    let step = TAU / 10.0;
    let corners: Vec<Point> = (0..10_u32)
        .map(|n| {
            let reach = if n.is_multiple_of(2) { 1.0 } else { 0.5 };
            at(reach, 0.0).turned(-FRAC_PI_2 + f64::from(n) * step)
        })
        .collect();
    stretched(&corners, w, h)
}

fn stretched(corners: &[Point], w: f64, h: f64) -> Outline {
    let Some(area) = Area::of(corners.iter().copied()) else {
        return Path::default().into();
    };
    let place = |corner: &Point| {
        at(
            (corner.x - area.left) / area.width() * w,
            (corner.y - area.top) / area.height() * h,
        )
    };
    let corners: Vec<Point> = corners.iter().map(place).collect();
    Path::polygon(&corners).into()
}

fn ellipse(w: f64, h: f64) -> Outline {
    let (center, radii) = (at(w / 2.0, h / 2.0), at(w / 2.0, h / 2.0));
    let path = Path::from(at(0.0, h / 2.0), End::Loose);
    path.arc(center, radii, (PI, TAU)).closed().into()
}

fn stadium(w: f64, h: f64) -> Outline {
    let r = w.min(h) / 2.0;
    let radii = at(r, r);
    if h > w {
        let path = Path::from(at(0.0, r), End::Loose).arc(at(r, r), radii, (PI, PI));
        let path = path.to(at(w, h - r), End::Loose);
        return path.arc(at(r, h - r), radii, (0.0, PI)).closed().into();
    }
    let path = Path::from(at(r, h), End::Loose).arc(at(r, r), radii, (FRAC_PI_2, PI));
    let path = path.to(at(w - r, 0.0), End::Loose);
    path.arc(at(w - r, r), radii, (-FRAC_PI_2, PI)).closed().into()
}

fn heart(w: f64, h: f64) -> Outline {
    let (cx, o, k) = (w / 2.0, w / 4.0, h / 4.0);
    let curve =
        |path: Path, [a, b, c, d, x, y]: [f64; 6]| path.curve((at(a, b), at(c, d)), at(x, y), End::Loose);
    let path = Path::from(at(cx, h), End::Loose);
    let path = curve(path, [o * 1.5, k * 3.0, 0.0, k * 2.5, 0.0, k * 1.2]);
    let path = curve(path, [0.0, -k * 0.32, o * 1.85, -k * 0.32, cx, k * 0.9]);
    let path = curve(path, [o * 2.15, -k * 0.32, w, -k * 0.32, w, k * 1.2]);
    curve(path, [w, k * 2.5, o * 2.5, k * 3.0, cx, h]).closed().into()
}

fn checked(w: f64, h: f64) -> Outline {
    let size = w.min(h) * 0.82;
    let corner = at((w - size) / 2.0, (h - size) / 2.0);
    let place = |x: f64, y: f64| corner + at(x, y) * size;
    let tick = [place(0.25, 0.52), place(0.45, 0.82), place(0.82, 0.22)];
    Outline {
        border: Path::polygon(&box_of(w, h)),
        inner: Path::line(&tick, End::Exact),
    }
}

fn crossed(w: f64, h: f64) -> Outline {
    let [a, b, c, d] = box_of(w, h);
    Outline {
        border: Path::polygon(&[a, b, c, d]),
        inner: Path::line(&[a, c], End::Loose).and(&Path::line(&[b, d], End::Loose)),
    }
}

fn around(w: f64, h: f64) -> f64 {
    let (least, most) = (w.min(h), w.max(h));
    (PI * least / 2.0 + most - least) * 2.0
}

/// Bumps along a stadium that lies within the box, as far as they stick out.
fn cloud(w: f64, h: f64, (seed, size, scale): (&str, Size, f64)) -> Outline {
    let whole = around(w, h);
    let bumps = (whole / size.bump())
        .ceil()
        .max(6.0)
        .max((whole / w.min(h)).ceil());
    let bumps = bumps.min(f64::from(BUMPS_MAX));
    let reach = whole / bumps * 0.2;
    let (iw, ih) = ((w - reach * 2.0).max(1.0), (h - reach * 2.0).max(1.0));
    let padding = at((w - iw) / 2.0, (h - ih) / 2.0);
    let apart = around(iw, ih) / bumps;
    let mut chance = Chance::of(seed);
    let wiggle = at(
        if w < 20.0 { 0.0 } else { reach * 0.3 * scale },
        if h < 20.0 { 0.0 } else { reach * 0.3 * scale },
    );
    let mut points = Vec::new();
    let mut way = 0.0;
    while points.len() < usize::try_from(BUMPS_MAX).unwrap_or(0) && way < apart * (bumps - 0.5) {
        points.push(padding + on_stadium(iw, ih, way));
        way += apart;
    }
    let mut moved = points.clone();
    let half = moved.len() / 2;
    let count = moved.len();
    for n in 0..half {
        for n in [n, count.saturating_sub(n.saturating_add(1))] {
            if let Some(point) = moved.get_mut(n) {
                *point = *point + at(chance.next() * wiggle.x, chance.next() * wiggle.y);
            }
        }
    }
    let Some(first) = moved.first().copied() else {
        return Path::default().into();
    };
    let mut path = Path::from(first, End::Loose);
    let pairs = points.iter().zip(points.iter().cycle().skip(1));
    let moved_pairs = moved.iter().zip(moved.iter().cycle().skip(1));
    for ((left, right), (from, to)) in pairs.zip(moved_pairs) {
        let straight = left.distance(*right);
        let out = (padding.x.max(padding.y) + apart - straight) * from.distance(*to) / straight.max(1e-6);
        let across = (*right - *left).unit().across() * -1.0;
        let top = left.towards(*right, 0.5) + across * out;
        let top = at(top.x.clamp(0.0, w), top.y.clamp(0.0, h));
        path = bump(path, *from, top, *to);
    }
    path.closed().into()
}

/// The arc from one point over another to a third, turning right.
fn bump(path: Path, from: Point, top: Point, to: Point) -> Path {
    let Some(center) = circle_through(from, top, to) else {
        return path.to(to, End::Loose);
    };
    let radius = center.distance(from);
    let start = (from - center).angle();
    let sweep = ((to - center).angle() - start).rem_euclid(TAU);
    path.arc(center, at(radius, radius), (start, sweep.min(TAU - 1e-6)))
}

/// The place that is so far along a stadium from the beginning of its first straight side.
fn on_stadium(w: f64, h: f64, way: f64) -> Point {
    let r = w.min(h) / 2.0;
    let long = w.max(h) - r * 2.0;
    let arc = PI * r;
    let mut left = way.rem_euclid((long + arc) * 2.0);
    let corner = |angle: f64, center: Point| center + at(r, 0.0).turned(angle);
    let is_wide = w > h;
    let (ahead, start, end) = if is_wide {
        (at(1.0, 0.0), at(r, 0.0), [at(w - r, r), at(r, r)])
    } else {
        (at(0.0, 1.0), at(w, r), [at(r, h - r), at(r, r)])
    };
    let first = if is_wide { -FRAC_PI_2 } else { 0.0 };
    let [far, near] = end;
    if left <= long {
        return start + ahead * left;
    }
    left -= long;
    if left <= arc {
        return corner(first + left / r, far);
    }
    left -= arc;
    if left <= long {
        return corner(first + PI, far) - ahead * left;
    }
    left -= long;
    corner(first + PI + left / r, near)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_fills_its_box() {
        for geo in [
            "arrow-down",
            "arrow-left",
            "arrow-right",
            "arrow-up",
            "check-box",
            "cloud",
            "diamond",
            "ellipse",
            "heart",
            "hexagon",
            "octagon",
            "oval",
            "pentagon",
            "rectangle",
            "rhombus",
            "rhombus-2",
            "star",
            "trapezoid",
            "triangle",
            "x-box",
        ] {
            for (w, h) in [(200.0, 120.0), (90.0, 300.0), (100.0, 100.0)] {
                let outline = outline(geo, w, h, ("shape:x", Size::M, 1.0));
                let traces = outline.border.traces();
                assert!(traces.iter().all(|trace| trace.is_closed), "{geo}");
                let area = Area::of(traces.into_iter().flat_map(|trace| trace.points)).unwrap();
                let near = |one: f64, other: f64, by: f64| (one - other).abs() <= by;
                let by = if matches!(geo, "cloud" | "heart") {
                    25.0
                } else {
                    0.01
                };
                assert!(
                    near(area.left, 0.0, by)
                        && near(area.top, 0.0, by)
                        && near(area.right, w, by)
                        && near(area.bottom, h, by),
                    "{geo} {area:?}"
                );
            }
        }
    }

    #[test]
    fn a_huge_cloud_has_few_bumps() {
        let outline = outline("cloud", 1e8, 1e3, ("shape:x", Size::S, 1.0));
        assert!(outline.border.0.len() <= 5 * BUMPS_MAX as usize);
    }
}
