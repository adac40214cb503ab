//! Layout operations: which items are to be set out, along which connectors, and how.
//!
//! Owns the members of such an operation, and how the ends of connectors are found. Must not know how boxes
//! are set out; `layout` does. Tests: src/items/tests/layout.rs.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::ids::ItemId;
use crate::items::layout::{Direction, Kind};
use crate::items::overlay::Overlay;
use crate::items::place::{Area, Frame, Point};
use crate::items::refusing::invalid;
use crate::items::{Operation, Record, Records, Why, read, shape_key, shown};
use crate::limits;

/// Between boxes, where nothing is said: a label of a connector fits in.
const GAP: f64 = 80.0;

/// What a layout operation says.
pub(super) struct Setting {
    pub(super) items: Vec<ItemId>,
    pub(super) connectors: Vec<ItemId>,
    pub(super) kind: Kind,
    pub(super) direction: Direction,
    pub(super) gap: f64,
    pub(super) at: Option<Point>,
}

impl Setting {
    pub(super) fn parse(members: &Record) -> Result<Self, Why> {
        let known = ["items", "connectors", "kind", "direction", "gap", "at"];
        if let Some(unknown) = members.keys().find(|name| !known.contains(&name.as_str())) {
            return Err(invalid(
                &shown(unknown),
                format!("is no member of a layout: {}", known.join(", ")),
            ));
        }
        let get = |name: &str| members.get(name).filter(|value| !value.is_null());
        let kind = match get("kind").and_then(Value::as_str) {
            Some("layered") => Kind::Layered,
            Some("grid") => Kind::Grid,
            _ => return Err(invalid("kind", "must be layered or grid")),
        };
        let direction = match get("direction").map(Value::as_str) {
            None | Some(Some("right")) => Direction::Right,
            Some(Some("down")) => Direction::Down,
            Some(_) => return Err(invalid("direction", "must be right or down")),
        };
        let setting = Self {
            items: ids("items", get("items"))?,
            connectors: get("connectors").map_or(Ok(Vec::new()), |ids| self::ids("connectors", Some(ids)))?,
            kind,
            direction,
            gap: get("gap").map_or(Ok(GAP), gap)?,
            at: get("at").map(at).transpose()?,
        };
        if setting.kind == Kind::Grid && !setting.connectors.is_empty() {
            return Err(invalid("connectors", "are for layered; a grid has none"));
        }
        Ok(setting)
    }

    /// What the items take of the page, as if none were turned.
    pub(super) fn boxes(&self, overlay: &Overlay<'_>) -> Result<Vec<Area>, Why> {
        let area = |(at, id): (usize, &ItemId)| {
            let item = read::read(overlay, id);
            // A connector goes where its ends are.
            let item = item.filter(|item| item.json.get("type") != Some(&Value::from("connector")));
            let item = item.ok_or_else(|| invalid(&format!("items[{at}]"), "must be the id of an item"))?;
            let number = |name: &str| item.json.get(name).and_then(Value::as_f64).unwrap_or_default();
            let corner = Point {
                x: number("x"),
                y: number("y"),
            };
            Ok(Area::of(
                Frame::at(corner, 0.0),
                number("width"),
                number("height"),
            ))
        };
        self.items.iter().enumerate().map(area).collect()
    }

    /// The ends of the connectors among the items, by their places there. Those of one that this very request
    /// makes are what it says of them.
    pub(super) fn edges(
        &self,
        overlay: &Overlay<'_>,
        operations: &[Operation],
    ) -> Result<Vec<(usize, usize)>, Why> {
        let keys = self.items.iter().map(shape_key).zip(0..);
        let places: BTreeMap<String, usize> = keys.collect();
        let new = created(operations);
        let mut edges = Vec::new();
        for (at, connector) in self.connectors.iter().enumerate() {
            let key = shape_key(connector);
            let bound = bound(overlay, &key);
            let ends = match new.get(connector.as_str()) {
                Some(item) if bound == [None, None] => named(item),
                _ => bound,
            };
            let is_there = new.contains_key(connector.as_str())
                || overlay.text(&key, "type").as_deref() == Some("arrow");
            if !is_there {
                return Err(invalid(
                    &format!("connectors[{at}]"),
                    "must be the id of a connector",
                ));
            }
            let place = |end: &Option<String>| end.as_ref().and_then(|end| places.get(end)).copied();
            let [from, to] = ends.each_ref().map(place);
            edges.extend(from.zip(to).filter(|(from, to)| from != to));
        }
        Ok(edges)
    }
}

/// What the operations of a request make, by their ids.
fn created(operations: &[Operation]) -> BTreeMap<&str, &Record> {
    let created = operations.iter().filter_map(|operation| match operation {
        Operation::Create { item, id, .. } => {
            let named = item.get("id").and_then(Value::as_str);
            Some((named.unwrap_or(id.as_str()), item)).filter(|(_, item)| item.contains_key("from"))
        }
        _ => None,
    });
    created.collect()
}

/// The shapes that an arrow is bound to, at its start and its end.
fn bound(overlay: &Overlay<'_>, arrow: &str) -> [Option<String>; 2] {
    let mut ends = [None, None];
    for binding in overlay.bindings(arrow) {
        let Some(record) = overlay.get(&binding) else {
            continue;
        };
        let text = |name: &str| record.get(name).and_then(Value::as_str);
        let terminal = record.get("props").and_then(|props| props.get("terminal"));
        if text("fromId") == Some(arrow) {
            let [start, end] = &mut ends;
            match terminal.and_then(Value::as_str) {
                Some("start") => *start = text("toId").map(str::to_owned),
                Some("end") => *end = text("toId").map(str::to_owned),
                _ => {}
            }
        }
    }
    ends
}

/// The shapes that a new connector names.
fn named(item: &Record) -> [Option<String>; 2] {
    ["from", "to"].map(|end| {
        let id = item.get(end)?.get("item")?.as_str()?;
        Some(format!("shape:{id}"))
    })
}

fn ids(field: &str, value: Option<&Value>) -> Result<Vec<ItemId>, Why> {
    let listed = value.and_then(Value::as_array);
    let listed = listed.ok_or_else(|| invalid(field, "must be an array of ids"))?;
    let mut seen = std::collections::BTreeSet::new();
    let id = |(at, value): (usize, &Value)| {
        let id = value.as_str().and_then(ItemId::parse);
        let id = id.filter(|id| seen.insert(id.as_str().to_owned()));
        id.ok_or_else(|| {
            invalid(
                &format!("{field}[{at}]"),
                "must be the id of an item, and stand once",
            )
        })
    };
    listed.iter().enumerate().map(id).collect()
}

fn gap(value: &Value) -> Result<f64, Why> {
    let max = limits::ITEM_SIDE_MAX;
    let gap = value.as_f64().filter(|gap| (0.0..=max).contains(gap));
    gap.ok_or_else(|| invalid("gap", format!("must be a number from 0 to {max}")))
}

fn at(value: &Value) -> Result<Point, Why> {
    let max = limits::ITEM_COORDINATE_MAX;
    let members = value.as_object().filter(|members| members.len() == 2);
    let number = |name: &str| members?.get(name)?.as_f64().filter(|number| number.abs() <= max);
    let point = number("x").zip(number("y")).map(|(x, y)| Point { x, y });
    point.ok_or_else(|| {
        invalid(
            "at",
            format!("must be {{\"x\", \"y\"}} with numbers from -{max} to {max}"),
        )
    })
}
