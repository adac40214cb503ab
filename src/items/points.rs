//! Points: lines, highlights and freehand drawings, which are nothing but where somebody drew.
//!
//! Owns the points of these shapes and how many of them an item shows (`@tldraw/tlschema` 3.15.6,
//! src/shapes/TLLineShape.ts and TLDrawShape.ts). Key invariants: what an item shows is no more than
//! `limits::ITEM_POINTS_MAX` points, the first and the last among them; a point that is none is passed over.
//! Tests: src/items/tests/points.rs.

use serde_json::{Value, json};

use crate::items::kind::Kind;
use crate::items::place::{self, Area, Frame, Point};
use crate::items::props::{part, part_mut};
use crate::items::refusing::invalid;
use crate::items::{Record, Why, index_key, number};
use crate::limits;

/// The pressure of a pen that does not tell.
const PRESSURE: f64 = 0.5;

/// The points of a shape, in its own coordinates.
fn of(record: &Record) -> Vec<Point> {
    let props = part(record, "props");
    let prop = |name: &str| props.and_then(|props| props.get(name));
    let point = |value: &Value| {
        let point = Point {
            x: value.get("x")?.as_f64()?,
            y: value.get("y")?.as_f64()?,
        };
        Some(point)
    };
    if let Some(Value::Object(points)) = prop("points") {
        let index = |value: &Value| {
            value
                .get("index")
                .and_then(Value::as_str)
                .unwrap_or_default()
                .to_owned()
        };
        let mut points: Vec<&Value> = points.values().collect();
        points.sort_by_cached_key(|value| index(value));
        return points.into_iter().filter_map(point).collect();
    }
    let segments = prop("segments").and_then(Value::as_array).into_iter().flatten();
    let points = segments.filter_map(|segment| segment.get("points")?.as_array());
    points.flatten().filter_map(point).collect()
}

/// What they take of the shape's own coordinates: nothing at its origin where there are none.
pub(super) fn area(record: &Record) -> Area {
    let points = of(record).into_iter();
    let areas: Vec<Area> = points
        .map(|point| Area::of(Frame::at(point, 0.0), 0.0, 0.0))
        .collect();
    Area::around(&areas)
        .filter(|area| area.is_finite())
        .unwrap_or_else(|| Area::bounds(0.0))
}

/// The members of an item that has points: those on the page, and how many there are.
pub(super) fn shown(record: &Record, around: Option<Frame>) -> [(&'static str, Value); 2] {
    let points = of(record);
    let inside = inside(record, around);
    let shown = |point: &Point| {
        let at = inside.to_page(*point);
        json!([
            number::value(place::rounded(at.x)),
            number::value(place::rounded(at.y))
        ])
    };
    let last = points.len().saturating_sub(1);
    let steps = limits::ITEM_POINTS_MAX.saturating_sub(1);
    let thinned: Vec<Value> = if points.len() <= limits::ITEM_POINTS_MAX {
        points.iter().map(shown).collect()
    } else {
        let at = |step: usize| step.saturating_mul(last).checked_div(steps).unwrap_or_default();
        (0..=steps)
            .filter_map(|step| points.get(at(step)))
            .map(shown)
            .collect()
    };
    [("points", thinned.into()), ("points_total", points.len().into())]
}

/// The coordinates of a shape's points, on the page.
pub(super) fn inside(record: &Record, around: Option<Frame>) -> Frame {
    let angle = number::of(record, "rotation", 0.0) + around.map_or(0.0, Frame::angle);
    Frame::at(place::seen(record, around), angle)
}

/// Points on the page, as they are sent.
pub(super) fn parse(value: &Value) -> Result<Vec<Point>, Why> {
    let max = limits::ITEM_COORDINATE_MAX;
    let number = |value: &Value| value.as_f64().filter(|number| number.abs() <= max);
    let point = |value: &Value| match value.as_array().map(Vec::as_slice) {
        Some([x, y]) => Some(Point {
            x: number(x)?,
            y: number(y)?,
        }),
        _ => None,
    };
    let counts = 2..=limits::ITEM_POINTS_MAX;
    let points = value.as_array().filter(|points| counts.contains(&points.len()));
    let points: Option<Vec<Point>> = points.and_then(|points| points.iter().map(point).collect());
    points.ok_or_else(|| {
        let most = limits::ITEM_POINTS_MAX;
        invalid(
            "points",
            format!("must be 2 to {most} points [x, y] with numbers from -{max} to {max}"),
        )
    })
}

/// Lets a shape, however it is turned, go through points on the page, with its origin in the first one.
pub(super) fn write(kind: Kind, record: &mut Record, points: &[Point], around: Option<Frame>) {
    let Some(first) = points.first() else {
        return;
    };
    let origin = around.map_or(*first, |around| around.to_own(*first));
    number::set(record, "x", Some(origin.x));
    number::set(record, "y", Some(origin.y));
    let inside = Frame::at(*first, inside(record, around).angle());
    let points = points
        .iter()
        .map(|point| inside.to_own(*point))
        .map(|own| [own.x, own.y].map(|number| number::value(place::rounded(number))));
    let Some(props) = part_mut(record, "props") else {
        return;
    };
    if kind == Kind::Line {
        let mut index = None;
        let named = points.map(|[x, y]| {
            let next = index_key::above(index.as_deref());
            index = Some(next.clone());
            (next.clone(), json!({"id": next, "index": next, "x": x, "y": y}))
        });
        props.insert("points".to_owned(), Value::Object(named.collect()));
    } else {
        let points: Vec<Value> = points
            .map(|[x, y]| json!({"x": x, "y": y, "z": PRESSURE}))
            .collect();
        if kind == Kind::Draw {
            let is_closed = points.len() > 2 && points.first() == points.last();
            props.insert("isClosed".to_owned(), is_closed.into());
        }
        props.insert("segments".to_owned(), json!([{"type": "free", "points": points}]));
    }
}
