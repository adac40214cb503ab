//! Free room: the place nearest to a point where something can be drawn beside all that is there.
//!
//! Owns which shapes are in the way, and the search. Must not know HTTP. Key invariants: what is found is
//! [`GAP`] away from every shape; it is the nearest such place among `limits::ITEM_SPACE_SHAPES` shapes, and
//! beside all of them where that is not far enough to be sure. Tests: src/items/tests/space.rs.
//!
//! # How
//! Each shape is grown by half of what is to be drawn, and the gap; its middle must then lie in none of them.
//! The nearest such point has the x of the point asked for, or of a side of a grown shape: from elsewhere one
//! could come nearer. For each x, the nearest free y above and below follow from one walk over the shapes.

use serde_json::{Value, json};

use crate::items::overlay::Overlay;
use crate::items::place::{self, Area, Frame, Point};
use crate::items::props::part;
use crate::items::{PAGE, Record, Records, number, shape};
use crate::limits;

/// Between what is found and each shape.
const GAP: f64 = 20.0;

/// What is not in the way: an arrow goes where its ends are, and a group is where its shapes are.
const NOT_IN_THE_WAY: &[&str] = &["arrow", "group"];

/// What room somebody looks for.
#[derive(Clone, Copy, Debug)]
pub struct Room {
    /// How wide.
    pub width: f64,
    /// How high.
    pub height: f64,
    /// Where its middle should be; where nothing is said, in the middle of what is there.
    pub near: Option<[f64; 2]>,
}

/// The upper left corner of free room on the page that new items are made on; `None` where there is none
/// within the bounds of coordinates.
pub fn space(records: &dyn Records, room: Room) -> Option<Value> {
    let mut taken = taken(records);
    let whole = Area::around(&taken);
    let middle = whole.map_or([0.0, 0.0], |whole| whole.middle());
    let [x, y] = room.near.unwrap_or(middle);
    let near = Point { x, y };
    let half = [room.width / 2.0, room.height / 2.0];
    let [by_x, by_y] = half.map(|half| half + GAP);
    for area in &mut taken {
        *area = area.grown(by_x, by_y);
    }
    taken.sort_by(|a, b| a.distance(near).total_cmp(&b.distance(near)));
    let beyond = taken
        .get(limits::ITEM_SPACE_SHAPES)
        .map(|area| area.distance(near));
    taken.truncate(limits::ITEM_SPACE_SHAPES);
    let bounds = Area::bounds(limits::ITEM_COORDINATE_MAX).moved(half);
    let search = Search {
        taken: Walks::of(taken),
        near,
        bounds,
    };
    let found = search
        .nearest()
        .filter(|found| beyond.is_none_or(|beyond| found.distance <= beyond));
    let beside = || whole.and_then(|whole| search.beside(whole.grown(by_x, by_y)));
    let middle = found.or_else(beside)?.at;
    let corner = [middle.x - half[0], middle.y - half[1]].map(number::value);
    Some(json!({"x": corner[0], "y": corner[1]}))
}

/// What the shapes of the page take of it.
fn taken(records: &dyn Records) -> Vec<Area> {
    let page = Overlay::new(records).page();
    let page = page.as_deref().unwrap_or(PAGE);
    let area = |key: String| {
        let is_shape = records.text(&key, "typeName").as_deref() == Some("shape");
        let kind = records.text(&key, "type").filter(|_| is_shape)?;
        if NOT_IN_THE_WAY.contains(&kind.as_str()) {
            return None;
        }
        let record = records.get(&key)?;
        if place::page_of(records, &record).as_deref() != Some(page) {
            return None;
        }
        let kind = shape::kind_of(&record);
        let (width, height) = match kind {
            Some(kind) => shape::size(kind, &record),
            None => sides(&record)?,
        };
        let around = Frame::around(records, &record);
        let seen = || place::seen(&record, around);
        let corner = kind.map_or_else(seen, |kind| shape::corner(kind, &record, around));
        let area = Area::of(Frame::at(corner, place::rotation(&record, around)), width, height);
        Some(area).filter(|area| area.is_finite())
    };
    records.keys().into_iter().filter_map(area).collect()
}

/// The sides of what is no item: of videos, bookmarks and whatever else has some.
fn sides(record: &Record) -> Option<(f64, f64)> {
    let props = part(record, "props")?;
    let side = |name: &str| props.get(name).and_then(Value::as_f64);
    Some((side("w")?, number::of(props, "h", side("w")?)))
}

/// A search for a free point.
struct Search {
    taken: Walks,
    near: Point,
    bounds: Area,
}

/// Areas in the orders in which they are walked.
struct Walks {
    /// From the highest upper side down.
    down: Vec<Area>,
    /// From the lowest lower side up.
    up: Vec<Area>,
}

#[derive(Clone, Copy)]
struct Found {
    at: Point,
    distance: f64,
}

impl Walks {
    fn of(areas: Vec<Area>) -> Self {
        let (mut down, mut up) = (areas.clone(), areas);
        down.sort_by(|a, b| a.top.total_cmp(&b.top));
        up.sort_by(|a, b| b.bottom.total_cmp(&a.bottom));
        Self { down, up }
    }

    /// The free places of a column that are nearest to `y`, below and above it.
    fn free(&self, x: f64, y: f64) -> [f64; 2] {
        let is_met = |area: &&Area| area.left < x && x < area.right;
        let covers = |area: &Area, y: f64| area.top < y && y < area.bottom;
        let down = self.down.iter().filter(is_met);
        let up = self.up.iter().filter(is_met);
        [
            down.fold(y, |y, area| if covers(area, y) { area.bottom } else { y }),
            up.fold(y, |y, area| if covers(area, y) { area.top } else { y }),
        ]
    }
}

impl Search {
    fn nearest(&self) -> Option<Found> {
        let sides = self.taken.down.iter().flat_map(|area| [area.left, area.right]);
        let mut columns: Vec<f64> = sides.chain([self.near.x]).collect();
        let aside = |x: f64| (x - self.near.x).abs();
        columns.sort_by(|a, b| aside(*a).total_cmp(&aside(*b)));
        columns.dedup();
        let mut best: Option<Found> = None;
        for x in columns {
            if best.is_some_and(|best| best.distance <= aside(x)) {
                break;
            }
            let places = self
                .taken
                .free(x, self.near.y)
                .map(|y| self.found(Point { x, y }));
            best = places.into_iter().flatten().chain(best).min_by(Found::order);
        }
        best
    }

    /// The nearest place at one of the sides of all.
    fn beside(&self, whole: Area) -> Option<Found> {
        let Point { x, y } = self.near;
        let places = [
            (whole.right, y),
            (x, whole.bottom),
            (whole.left, y),
            (x, whole.top),
        ];
        let places = places.map(|(x, y)| self.found(Point { x, y }));
        places.into_iter().flatten().min_by(Found::order)
    }

    fn found(&self, at: Point) -> Option<Found> {
        let distance = (at.x - self.near.x).hypot(at.y - self.near.y);
        self.bounds.has(at).then_some(Found { at, distance })
    }
}

impl Found {
    fn order(a: &Self, b: &Self) -> std::cmp::Ordering {
        a.distance.total_cmp(&b.distance)
    }
}
