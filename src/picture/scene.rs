//! The records of a board as a tree: what lies in what, in which order, and where that is on the page.
//!
//! Owns the order of shapes and their places. Must not know how they look. Key invariants: a shape is visited
//! once, whatever records say of their parents; nothing is deeper than [`DEPTH_MAX`]. Tests are below.

use std::collections::HashMap;

use crate::geometry::{Matrix, at};
use crate::records::{Records, Segment};
use crate::{Record, value};

/// How deep shapes lie in each other, inclusive; tldraw's own groups and frames are a few deep.
pub(crate) const DEPTH_MAX: usize = 64;

/// The records of a board, to be looked up.
pub(crate) struct Scene<'r> {
    records: &'r Records,
    children: HashMap<&'r str, Vec<(&'r str, &'r Record)>>,
    bindings: HashMap<&'r str, [Option<&'r Record>; 2]>,
}

impl<'r> Scene<'r> {
    pub(crate) fn of(records: &'r Records) -> Self {
        let mut children: HashMap<&str, Vec<(&str, &Record)>> = HashMap::new();
        let mut bindings: HashMap<&str, [Option<&Record>; 2]> = HashMap::new();
        for (key, row) in &records.rows {
            let record = &row.record;
            match value::text(record, "typeName") {
                "shape" => children
                    .entry(value::text(record, "parentId"))
                    .or_default()
                    .push((key, record)),
                "binding" if value::text(record, "type") == "arrow" => {
                    let [start, end] = bindings.entry(value::text(record, "fromId")).or_default();
                    let terminal = value::text(value::part(record, "props"), "terminal");
                    *if terminal == "start" { start } else { end } = Some(record);
                }
                _ => {}
            }
        }
        for siblings in children.values_mut() {
            siblings.sort_by_key(|(key, record)| (value::text(record, "index"), *key));
        }
        Self {
            records,
            children,
            bindings,
        }
    }

    pub(crate) fn record(&self, key: &str) -> Option<&'r Record> {
        self.records.rows.get(key).map(|row| &row.record)
    }

    /// The points of a shape that was drawn by hand.
    pub(crate) fn segments(&self, key: &str) -> &'r [Segment] {
        self.records.rows.get(key).map_or(&[], |row| &row.segments)
    }

    pub(crate) fn shape(&self, key: &str) -> Option<&'r Record> {
        let record = self.record(key)?;
        (value::text(record, "typeName") == "shape").then_some(record)
    }

    /// What lies in it, the lowest first.
    pub(crate) fn children(&self, key: &str) -> &[(&'r str, &'r Record)] {
        self.children.get(key).map_or(&[], Vec::as_slice)
    }

    /// What the two ends of an arrow are bound to.
    pub(crate) fn bindings(&self, arrow: &str) -> [Option<&'r Record>; 2] {
        self.bindings.get(arrow).copied().unwrap_or_default()
    }

    /// The page where new items are made: `page:page`, or the first.
    pub(crate) fn first_page(&self) -> Option<&'r str> {
        let pages = self
            .records
            .rows
            .iter()
            .map(|(key, row)| (key, &row.record))
            .filter(|(_, record)| value::text(record, "typeName") == "page");
        let order = |(key, record): &(&'r String, &'r Record)| {
            (*key != "page:page", value::text(record, "index"), key.as_str())
        };
        pages.min_by_key(order).map(|(key, _)| key.as_str())
    }

    pub(crate) fn has_page(&self, key: &str) -> bool {
        self.record(key)
            .is_some_and(|record| value::text(record, "typeName") == "page")
    }

    /// The coordinates in a shape, on its page, and the page; `None` where the way up does not end at one.
    pub(crate) fn place(&self, key: &str) -> Option<(Matrix, &'r str)> {
        let mut record = self.shape(key)?;
        let mut matrix = own(record);
        for _ in 0..=DEPTH_MAX {
            let parent = value::text(record, "parentId");
            match self.shape(parent) {
                Some(around) => {
                    matrix = own(around).around(&matrix);
                    record = around;
                }
                None => return self.has_page(parent).then_some((matrix, parent)),
            }
        }
        None
    }
}

/// The coordinates in a shape, seen by its siblings.
pub(crate) fn own(shape: &Record) -> Matrix {
    let origin = at(
        value::number_or(shape, "x", 0.0),
        value::number_or(shape, "y", 0.0),
    );
    Matrix::new(origin, value::number_or(shape, "rotation", 0.0))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn records(rows: serde_json::Value) -> Records {
        let rows = rows.as_object().unwrap().clone();
        rows.into_iter()
            .map(|(key, row)| (key, row.as_object().unwrap().clone()))
            .collect()
    }

    #[test]
    fn siblings_are_in_order_and_places_are_on_the_page() {
        let records = records(json!({
            "page:page": {"typeName": "page", "index": "a1"},
            "shape:a": {"typeName": "shape", "parentId": "page:page", "index": "a2", "x": 10, "y": 0, "rotation": std::f64::consts::FRAC_PI_2},
            "shape:b": {"typeName": "shape", "parentId": "page:page", "index": "a1"},
            "shape:c": {"typeName": "shape", "parentId": "shape:a", "index": "a1", "x": 5, "y": 0},
        }));
        let scene = Scene::of(&records);
        let keys: Vec<&str> = scene.children("page:page").iter().map(|(key, _)| *key).collect();
        assert_eq!(keys, ["shape:b", "shape:a"]);
        let (matrix, page) = scene.place("shape:c").unwrap();
        assert!(page == "page:page" && matrix.origin.distance(at(10.0, 5.0)) < 1e-9);
    }

    #[test]
    fn circles_of_parents_lead_to_no_page() {
        let records = records(json!({
            "shape:a": {"typeName": "shape", "parentId": "shape:b"},
            "shape:b": {"typeName": "shape", "parentId": "shape:a"},
        }));
        let scene = Scene::of(&records);
        assert!(scene.place("shape:a").is_none() && scene.first_page().is_none());
    }
}
