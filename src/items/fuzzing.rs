//! The fuzz body of items: any records, any operations.
//!
//! The input is lines of JSON: the records by key, and then an operation a line,
//! `["create", id, item, request]`, `["update", id, patch]`, `["delete", id]` or `["layout", any, layout]`.
//! Seeds: fuzz/seeds/items.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a panic here is a finding, which is what a fuzz body is for"
)]

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::overlay::plain_of;
use super::{Operation, Outcome, Plan, Record, Records, Stamp, Write, apply, ids, index_key, read};
use crate::ids::ItemId;
use crate::time::UnixMillis;

/// Records without a document.
#[derive(Clone, Debug, Default)]
pub(crate) struct Table(pub(crate) BTreeMap<String, Record>);

impl Records for Table {
    fn get(&self, key: &str) -> Option<Record> {
        self.0.get(key).cloned()
    }

    fn text(&self, key: &str, member: &str) -> Option<String> {
        self.0.get(key)?.get(member)?.as_str().map(str::to_owned)
    }

    fn number(&self, key: &str, member: &str) -> Option<f64> {
        self.0.get(key)?.get(member)?.as_f64()
    }

    fn plain(&self, key: &str, path: &[&str]) -> Option<Value> {
        plain_of(self.0.get(key)?, path)
    }

    fn keys(&self) -> Vec<String> {
        self.0.keys().cloned().collect()
    }
}

impl Table {
    /// Writes what a plan says.
    pub(super) fn write(&mut self, plan: &Plan) {
        let mut seen = BTreeSet::new();
        for write in &plan.writes {
            assert!(seen.insert(&write.key), "{} is written twice", write.key);
            match &write.record {
                Some(record) => drop(self.0.insert(write.key.clone(), record.clone())),
                None => assert!(self.0.remove(&write.key).is_some(), "{} is not there", write.key),
            }
        }
    }
}

const STAMP: Stamp<'static> = Stamp {
    actor: "user:fuzz",
    at: UnixMillis(1_000),
};

/// Nothing panics; what is written is valid as far as this side can tell; sending an item back changes
/// nothing; what was answered is what is read.
pub fn items(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let mut lines = text.lines();
    let mut table = Table::default();
    if let Some(Ok(Value::Object(records))) = lines.next().map(serde_json::from_str) {
        let records = records.into_iter().filter_map(|(key, record)| match record {
            Value::Object(record) => Some((key, record)),
            _ => None,
        });
        table.0 = records.collect();
    }
    unchanged_when_sent_back(&table);
    let operations: Vec<Operation> = lines.filter_map(operation).collect();
    let Ok(plan) = apply(&table, &operations, STAMP) else {
        let one_by_one = operations
            .iter()
            .map(|operation| apply(&table, std::slice::from_ref(operation), STAMP));
        one_by_one
            .flatten()
            .for_each(|plan| assert_eq!(plan.outcomes.len(), 1));
        return;
    };
    assert_eq!(plan.outcomes.len(), operations.len());
    plan.writes
        .iter()
        .filter_map(|write| write.record.as_ref())
        .for_each(valid);
    let before = table.clone();
    table.write(&plan);
    plan.writes.iter().for_each(|write| bound(&table, write));
    unchanged_when_sent_back(&table);
    // The last that was said of an item is what it is, unless one that it lies in was moved or deleted since.
    if let ([operation], [outcome]) = (&operations[..], &plan.outcomes[..]) {
        match (operation, outcome) {
            (_, Outcome::Created(item) | Outcome::Updated(item) | Outcome::Repeated(item)) => {
                let id = ItemId::parse(item.json["id"].as_str().unwrap()).unwrap();
                assert_eq!(read(&table, &id).as_ref(), Some(item));
            }
            (Operation::Delete { id }, Outcome::Deleted(item)) => {
                assert_eq!(&read(&before, id), item);
                assert_eq!(read(&table, id), None);
            }
            (Operation::Layout { .. }, Outcome::LaidOut(items)) => {
                assert!(items.iter().all(|item| item.json["x"].is_number()));
            }
            _ => panic!("{operation:?} {outcome:?}"),
        }
    }
}

fn operation(line: &str) -> Option<Operation> {
    let value: Value = serde_json::from_str(line).ok()?;
    let id = ItemId::parse(value.get(1)?.as_str()?)?;
    let item = || value.get(2)?.as_object().cloned();
    Some(match value.get(0)?.as_str()? {
        "create" => Operation::Create {
            item: item()?,
            id,
            request: value.get(3).and_then(Value::as_str).map(str::to_owned),
        },
        "update" => Operation::Update { id, patch: item()? },
        "delete" => Operation::Delete { id },
        "layout" => Operation::Layout { layout: item()? },
        _ => return None,
    })
}

fn unchanged_when_sent_back(table: &Table) {
    for id in ids(table) {
        let item = read(table, &id).unwrap();
        let patch = item.json.as_object().unwrap().clone();
        let plan = apply(table, &[Operation::Update { id, patch }], STAMP).unwrap();
        assert_eq!(plan.writes, []);
        assert_eq!(plan.outcomes, [Outcome::Updated(item)]);
    }
}

/// What tldraw asks of a shape that was just made.
fn valid(record: &Record) {
    let is_new = record
        .get("meta")
        .is_some_and(|meta| meta["created_at"] == meta["updated_at"] && meta["created_by"] == STAMP.actor);
    if record["typeName"] != "shape" || !is_new {
        return;
    }
    assert!(index_key::counts(record["index"].as_str().unwrap()));
    let parent = record["parentId"].as_str().unwrap();
    assert!(parent.starts_with("page:") || parent.starts_with("shape:"));
    assert!((0.0..=1.0).contains(&record["opacity"].as_f64().unwrap()));
    let props = &record["props"];
    for (name, least) in [
        ("w", 0.000_001),
        ("h", 0.000_001),
        ("scale", 0.000_001),
        ("growY", 0.0),
    ] {
        let number = props.get(name).map(|value| value.as_f64().unwrap());
        assert!(
            number.is_none_or(|number| number >= least),
            "{name} of {record:?}"
        );
    }
}

/// What tldraw asks of a binding, and that it binds what is there.
fn bound(table: &Table, write: &Write) {
    let Some(binding) = write
        .record
        .as_ref()
        .filter(|record| record.get("typeName").is_some_and(|name| name == "binding"))
    else {
        return;
    };
    assert_eq!(binding["id"], write.key);
    let props = &binding["props"];
    for side in ["x", "y"] {
        let side = props["normalizedAnchor"][side].as_f64().unwrap();
        assert!((0.0..=1.0).contains(&side));
    }
    assert!(props["isPrecise"].is_boolean() && props["isExact"].is_boolean());
    assert!(binding["fromId"] != binding["toId"]);
    for (end, is_arrow) in [("fromId", true), ("toId", false)] {
        let shape = &table.0[binding[end].as_str().unwrap()];
        assert_eq!(shape["type"] == "arrow", is_arrow, "{shape:?}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mutation;

    #[test]
    fn items_survive_mutation() {
        mutation::drive_committed("items", 20_000, items);
    }
}
