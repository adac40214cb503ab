//! The records of a board as they are kept while a picture is made.
//!
//! Owns how little of them is kept. Must not know shapes, but that those drawn by hand have many points. Key
//! invariant: [`Records::weight`] is about what they take in memory. Tests are below.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::geometry::at;
use crate::ink::Dab;
use crate::{Record, value};

/// Bytes that a value of a record takes, about, beside its text.
const VALUE_BYTES: usize = 175;

/// How deep a record is weighed, inclusive; what lies deeper is taken off.
const DEPTH_MAX: usize = 48;

/// Points of a shape that was drawn by hand, all of a kind.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Segment {
    pub(crate) is_straight: bool,
    pub(crate) dabs: Vec<Dab>,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Row {
    pub(crate) record: Record,
    pub(crate) segments: Vec<Segment>,
}

/// The records of a board by key: pages, shapes, assets and bindings. Others are left alone.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Records {
    pub(crate) rows: BTreeMap<String, Row>,
    weight: usize,
    is_cut: bool,
}

impl Records {
    /// Adds a record; one of the same key before is no longer there.
    pub fn add(&mut self, key: String, mut record: Record) {
        // Nothing of it shows.
        record.remove("meta");
        let segments = match record.get_mut("props").and_then(Value::as_object_mut) {
            Some(props) => segments(props),
            None => Vec::new(),
        };
        let points: usize = segments.iter().map(|segment| segment.dabs.len()).sum();
        let weight = record.values_mut().map(|value| weigh(value, 0)).sum::<usize>();
        let added = weight
            .saturating_add(points.saturating_mul(size_of::<Dab>()))
            .saturating_add(key.len());
        self.weight = self.weight.saturating_add(added);
        self.rows.insert(key, Row { record, segments });
    }

    /// The keys of assets, and where each has its picture.
    pub fn sources(&self) -> impl Iterator<Item = (&str, &str)> {
        let assets = self.rows.iter().filter(|(key, _)| key.starts_with("asset:"));
        assets.map(|(key, row)| {
            (
                key.as_str(),
                value::text(value::part(&row.record, "props"), "src"),
            )
        })
    }

    /// Says that an asset has its picture elsewhere: in the address itself, for what lies beside a board.
    pub fn set_source(&mut self, key: &str, source: String) {
        let row = self.rows.get_mut(key);
        let props = row.and_then(|row| row.record.get_mut("props")?.as_object_mut());
        if let Some(props) = props {
            self.weight = self.weight.saturating_add(source.len());
            props.insert("src".to_owned(), source.into());
        }
    }

    /// Notes that there are more, which had no room.
    pub fn leave_out(&mut self) {
        self.is_cut = true;
    }

    /// Whether there are more.
    #[must_use]
    pub fn is_cut(&self) -> bool {
        self.is_cut
    }

    /// Bytes that they take in memory, about.
    #[must_use]
    pub fn weight(&self) -> usize {
        self.weight
    }
}

impl FromIterator<(String, Record)> for Records {
    fn from_iter<T: IntoIterator<Item = (String, Record)>>(rows: T) -> Self {
        let mut records = Self::default();
        for (key, record) in rows {
            records.add(key, record);
        }
        records
    }
}

/// Takes the points out of props: as numbers they take a thirtieth.
fn segments(props: &mut Record) -> Vec<Segment> {
    let Some(Value::Array(listed)) = props.remove("segments") else {
        return Vec::new();
    };
    let segment = |segment: &Value| {
        let segment = segment.as_object()?;
        let points = value::list(segment, "points").iter().filter_map(Value::as_object);
        let dab = |point: &Record| Dab {
            at: at(
                value::number_or(point, "x", 0.0),
                value::number_or(point, "y", 0.0),
            ),
            pressure: value::number_or(point, "z", 0.5).clamp(0.0, 1.0),
        };
        Some(Segment {
            is_straight: value::text(segment, "type") == "straight",
            dabs: points.map(dab).collect(),
        })
    };
    listed.iter().filter_map(segment).collect()
}

fn weigh(value: &mut Value, depth: usize) -> usize {
    if depth > DEPTH_MAX {
        *value = Value::Null;
    }
    let below = depth.saturating_add(1);
    let inner = match value {
        Value::String(text) => text.len(),
        Value::Array(values) => values.iter_mut().map(|value| weigh(value, below)).sum(),
        Value::Object(members) => {
            let weigh = |(key, value): (&String, &mut Value)| key.len().saturating_add(weigh(value, below));
            members.iter_mut().map(weigh).sum()
        }
        _ => 0,
    };
    VALUE_BYTES.saturating_add(inner)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn points_are_kept_as_numbers_and_weigh_little() {
        let points: Vec<Value> = (0..1_000).map(|n| json!({"x": n, "y": 0, "z": 0.5})).collect();
        let shape =
            json!({"props": {"segments": [{"type": "free", "points": points}, 7]}, "meta": {"a": "b"}});
        let mut records = Records::default();
        records.add("shape:a".to_owned(), shape.as_object().unwrap().clone());
        let row = &records.rows["shape:a"];
        assert_eq!((row.segments.len(), row.segments[0].dabs.len()), (1, 1_000));
        assert!(!row.record.contains_key("meta") && (24_000..26_000).contains(&records.weight()));
    }

    #[test]
    fn an_asset_is_told_where_its_picture_is() {
        let mut records = Records::default();
        let asset = json!({"props": {"src": "/there"}});
        records.add("asset:a".to_owned(), asset.as_object().unwrap().clone());
        records.add("shape:a".to_owned(), asset.as_object().unwrap().clone());
        assert_eq!(records.sources().collect::<Vec<_>>(), [("asset:a", "/there")]);
        let before = records.weight();
        records.set_source("asset:a", "data:here".to_owned());
        records.set_source("asset:b", "data:nowhere".to_owned());
        assert_eq!(records.sources().collect::<Vec<_>>(), [("asset:a", "data:here")]);
        assert_eq!(records.weight(), before + 9);
    }

    #[test]
    fn what_is_too_deep_is_taken_off() {
        let mut deep = json!(1);
        for _ in 0..500 {
            deep = json!([deep]);
        }
        let mut records = Records::default();
        records.add(
            "shape:a".to_owned(),
            json!({ "deep": deep }).as_object().unwrap().clone(),
        );
        assert!(records.weight() < 20_000);
    }
}
