//! The records that a picture is drawn from.
//!
//! Owns which are taken. Must not know how they look. Key invariant: what is taken fits
//! [`limits::PICTURE_RECORD_BYTES`], or is cut and says so. Tests are below.

use std::collections::{BTreeSet, HashMap};

use boardwire_picture::{Part, Records as Taken};
use serde_json::Value;

use crate::items::{PAGE, Records};
use crate::limits;

/// How deep shapes lie in each other, inclusive.
const DEPTH_MAX: usize = 64;

/// The records of the page that a part is of.
pub(super) fn records(records: &dyn Records, part: &Part) -> Taken {
    let mut keys = records.keys();
    keys.sort_unstable();
    let mut taken = Taken::default();
    let of = |prefix: &'static str| keys.iter().filter(move |key| key.starts_with(prefix));
    for key in of("page:") {
        add(&mut taken, records, key);
    }
    let parents: HashMap<&str, String> = of("shape:")
        .filter_map(|key| Some((key.as_str(), records.text(key, "parentId")?)))
        .collect();
    let page_of = |key: &str| {
        let mut at = key;
        for _ in 0..=DEPTH_MAX {
            match parents.get(at) {
                Some(parent) => at = parent.as_str(),
                None => break,
            }
        }
        at.to_owned()
    };
    let page = match part {
        Part::Page(page) | Part::Area(page, _) => page.clone().or_else(|| first_page(records, of("page:"))),
        Part::Frame(frame) => Some(page_of(frame)),
    };
    let is_there = |key: &str| page.as_deref() == Some(page_of(key).as_str());
    let mut assets = BTreeSet::new();
    let mut arrows = BTreeSet::new();
    for key in of("shape:").filter(|key| is_there(key)) {
        match records.text(key, "type").as_deref() {
            Some("arrow") => drop(arrows.insert(key.clone())),
            Some("image" | "bookmark") => assets.extend(records.get(key).and_then(|shape| asset_of(&shape))),
            _ => {}
        }
        add(&mut taken, records, key);
    }
    for key in of("binding:") {
        if records
            .text(key, "fromId")
            .is_some_and(|arrow| arrows.contains(&arrow))
        {
            add(&mut taken, records, key);
        }
    }
    for key in &assets {
        add(&mut taken, records, key);
    }
    taken
}

fn asset_of(shape: &crate::items::Record) -> Option<String> {
    let asset = shape.get("props")?.get("assetId").and_then(Value::as_str)?;
    asset.starts_with("asset:").then(|| asset.to_owned())
}

/// The page that new items are made on.
fn first_page<'k>(records: &dyn Records, pages: impl Iterator<Item = &'k String>) -> Option<String> {
    let pages = pages.map(|key| (key != PAGE, records.text(key, "index"), key));
    pages.min().map(|(.., key)| key.clone())
}

/// Takes a record, while there is room.
fn add(taken: &mut Taken, records: &dyn Records, key: &str) {
    if taken.weight() > limits::PICTURE_RECORD_BYTES {
        taken.leave_out();
    } else if let Some(record) = records.get(key) {
        taken.add(key.to_owned(), record);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::items::fuzzing::Table;

    fn table(rows: &Value) -> Table {
        let rows = rows.as_object().unwrap().clone();
        let rows = rows
            .into_iter()
            .map(|(key, row)| (key, row.as_object().unwrap().clone()));
        Table(rows.collect())
    }

    #[test]
    fn only_the_page_and_what_it_shows_is_taken() {
        let rows = json!({
            "page:page": {"typeName": "page", "index": "a1"},
            "page:other": {"typeName": "page", "index": "a0"},
            "shape:a": {"typeName": "shape", "type": "frame", "parentId": "page:page"},
            "shape:b": {"typeName": "shape", "type": "image", "parentId": "shape:a", "props": {"assetId": "asset:a"}},
            "shape:c": {"typeName": "shape", "type": "arrow", "parentId": "page:other"},
            "shape:d": {"typeName": "shape", "type": "geo", "parentId": "shape:d"},
            "binding:c": {"typeName": "binding", "fromId": "shape:c"},
            "asset:a": {"typeName": "asset"},
            "asset:b": {"typeName": "asset"},
        });
        let expected = |keys: &[&str]| {
            let keys = keys.iter().map(|key| (*key).to_owned());
            keys.map(|key| (key.clone(), rows[&key].as_object().unwrap().clone()))
                .collect::<Taken>()
        };
        let taken = |part| records(&table(&rows), &part);
        let first = expected(&["page:page", "page:other", "shape:a", "shape:b", "asset:a"]);
        assert_eq!(taken(Part::Page(None)), first);
        assert_eq!(taken(Part::Frame("shape:a".to_owned())), first);
        let other = expected(&["page:page", "page:other", "shape:c", "binding:c"]);
        assert_eq!(taken(Part::Page(Some("page:other".to_owned()))), other);
    }

    #[test]
    fn what_is_too_much_is_left_out() {
        let text = "x".repeat(limits::PICTURE_RECORD_BYTES / 4);
        let shape =
            json!({"typeName": "shape", "type": "text", "parentId": "page:page", "props": {"text": text}});
        let mut rows = json!({"page:page": {"typeName": "page", "index": "a1"}});
        for n in 0..6 {
            rows[format!("shape:{n}")] = shape.clone();
        }
        let taken = records(&table(&rows), &Part::Page(None));
        assert!(taken.is_cut() && taken.weight() < limits::PICTURE_RECORD_BYTES * 5 / 4 + 10_000);
    }
}
