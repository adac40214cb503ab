//! Where items are: on pages, in frames, above their siblings.

use super::*;

#[test]
fn children_of_frames_have_places_on_the_page() {
    let mut table = Table::default();
    made(&mut table, "f", json!({"type": "frame", "x": 100, "y": 50}));
    drawn(
        &mut table,
        "c",
        "geo",
        json!({"parentId": "shape:f"}),
        json!({"w": 10, "h": 10}),
    );
    contains(&shown(&table, "c"), &json!({"x": 110, "y": 70}));
    patched(&mut table, "c", json!({"x": 150}));
    let child = record(&table, "shape:c");
    assert_eq!((&child["x"], &child["y"]), (&json!(50), &json!(20)));
    let before = read(&table, &id("c")).unwrap();
    table.0.get_mut("shape:f").unwrap()["rotation"] = json!(std::f64::consts::FRAC_PI_2);
    contains(&shown(&table, "c"), &json!({"x": 80, "y": 100}));
    assert_ne!(
        read(&table, &id("c")).unwrap().revision,
        before.revision,
        "it moved with its frame"
    );
    contains(
        &patched(&mut table, "c", json!({"y": 70})),
        &json!({"x": 80, "y": 70}),
    );
    assert_eq!(record(&table, "shape:c")["parentId"], "shape:f");
}

#[test]
fn the_page_of_an_item_is_that_of_what_it_lies_in() {
    let mut table = Table::default();
    let page = |table: &Table, at: &str| read(table, &id(at)).unwrap().page;
    made(&mut table, "a", json!({"type": "frame", "x": 0, "y": 0}));
    assert_eq!(page(&table, "a").as_deref(), Some("page:page"));
    drawn(
        &mut table,
        "f",
        "frame",
        json!({"parentId": "page:two"}),
        json!({}),
    );
    drawn(&mut table, "in", "geo", json!({"parentId": "shape:f"}), json!({}));
    assert_eq!(page(&table, "in").as_deref(), Some("page:two"));
    for nowhere in ["page:two words", "asset:a", "shape:lost"] {
        drawn(&mut table, "f", "frame", json!({"parentId": nowhere}), json!({}));
        assert_eq!(page(&table, "in"), None, "{nowhere}");
    }
}

#[test]
fn a_deleted_frame_leaves_its_children_where_they_are() {
    let mut table = Table::default();
    made(&mut table, "outer", json!({"type": "frame", "x": 1_000, "y": 0}));
    drawn(
        &mut table,
        "f",
        "frame",
        json!({"parentId": "shape:outer", "rotation": 0.3, "index": "a5"}),
        json!({"w": 9, "h": 9}),
    );
    for (at, index) in [("b", "a1"), ("a", "a2")] {
        drawn(
            &mut table,
            at,
            "geo",
            json!({"parentId": "shape:f", "rotation": 0.1, "index": index}),
            json!({"w": 1, "h": 1}),
        );
    }
    table.0.insert(
        "binding:1".to_owned(),
        object(json!({"typeName": "binding", "fromId": "shape:arrow", "toId": "shape:f"})),
    );
    table.0.insert(
        "binding:2".to_owned(),
        object(json!({"typeName": "binding", "fromId": "shape:arrow", "toId": "shape:a"})),
    );
    let before = shown(&table, "a");
    done(&mut table, ALICE, &[delete("f")]);
    contains(&shown(&table, "a"), &json!({"x": before["x"], "y": before["y"]}));
    let child = record(&table, "shape:a");
    assert_eq!(
        (&child["parentId"], &child["index"]),
        (&json!("shape:outer"), &json!("a7"))
    );
    assert!((child["rotation"].as_f64().unwrap() - 0.4).abs() < 1e-12);
    assert_eq!(
        record(&table, "shape:b")["index"],
        "a6",
        "the lower one stays lower"
    );
    assert!(!table.0.contains_key("binding:1") && table.0.contains_key("binding:2"));
}

#[test]
fn circles_of_parents_end() {
    let mut table = Table::default();
    drawn(
        &mut table,
        "a",
        "frame",
        json!({"parentId": "shape:b"}),
        json!({"w": 9, "h": 9}),
    );
    drawn(
        &mut table,
        "b",
        "frame",
        json!({"parentId": "shape:a"}),
        json!({"w": 9, "h": 9}),
    );
    drawn(
        &mut table,
        "c",
        "frame",
        json!({"parentId": "shape:c"}),
        json!({"w": 9, "h": 9}),
    );
    for at in ["a", "c"] {
        assert!(shown(&table, at)["x"].is_number());
        done(&mut table, ALICE, &[delete(at)]);
    }
    assert_eq!(record(&table, "shape:b")["parentId"], "page:page");
}

/// Records that tell which of them are read whole.
#[derive(Default)]
pub(super) struct Watched {
    pub(super) table: Table,
    pub(super) whole: std::cell::RefCell<Vec<String>>,
}

impl Records for Watched {
    fn get(&self, key: &str) -> Option<Record> {
        self.whole.borrow_mut().push(key.to_owned());
        self.table.get(key)
    }

    fn text(&self, key: &str, member: &str) -> Option<String> {
        self.table.text(key, member)
    }

    fn number(&self, key: &str, member: &str) -> Option<f64> {
        self.table.number(key, member)
    }

    fn plain(&self, key: &str, path: &[&str]) -> Option<Value> {
        self.table.plain(key, path)
    }

    fn keys(&self) -> Vec<String> {
        self.table.keys()
    }
}

#[test]
fn of_what_an_item_lies_in_only_the_place_is_read() {
    let mut watched = Watched::default();
    for n in 0..100 {
        drawn(
            &mut watched.table,
            &format!("f{n}"),
            "frame",
            json!({"parentId": format!("shape:f{}", n + 1), "x": 1}),
            json!({"w": 9, "h": 9}),
        );
    }
    let item = read(&watched, &id("f0")).unwrap();
    assert_eq!(item.json["x"], 65, "its own, and that of 64 parents");
    assert_eq!(*watched.whole.borrow(), ["shape:f0"]);
    let long = format!("shape:{}", "f".repeat(300));
    drawn(
        &mut watched.table,
        &"f".repeat(300),
        "frame",
        json!({"x": 7}),
        json!({}),
    );
    drawn(
        &mut watched.table,
        "in",
        "geo",
        json!({"parentId": long}),
        json!({}),
    );
    assert_eq!(read(&watched, &id("in")).unwrap().json["x"], 10);
}

#[test]
fn new_items_stand_above_all_valid_siblings_of_the_first_page() {
    for (pages, page) in [
        (vec![("page:page", "a9"), ("page:x", "a1")], "page:page"),
        (vec![("page:y", "a2"), ("page:x", "a1")], "page:x"),
        (vec![], "page:page"),
    ] {
        let mut table = Table::default();
        for (key, index) in &pages {
            let page = json!({"id": key, "typeName": "page", "name": "P", "index": index, "meta": {}});
            table.0.insert((*key).to_owned(), object(page));
        }
        for (at, index, parent) in [
            ("a", "a3V4", page),
            ("b", "zzzzzzz", page),
            ("c", "a1", page),
            ("d", "b00", "page:other"),
        ] {
            drawn(
                &mut table,
                at,
                "draw",
                json!({"index": index, "parentId": parent}),
                json!({}),
            );
        }
        made(&mut table, "new", json!({"type": "text", "x": 0, "y": 0}));
        let new = record(&table, "shape:new");
        assert_eq!((&new["parentId"], &new["index"]), (&json!(page), &json!("a4")));
    }
}

#[test]
fn moves_out_of_frames_are_bounded_past_the_first() {
    let nested = |children: usize| {
        let mut table = Table::default();
        let size = || json!({"w": 9, "h": 9});
        drawn(&mut table, "outer", "frame", json!({}), size());
        drawn(
            &mut table,
            "inner",
            "frame",
            json!({"parentId": "shape:outer"}),
            size(),
        );
        for n in 0..children {
            drawn(
                &mut table,
                &format!("c{n}"),
                "group",
                json!({"parentId": "shape:inner"}),
                json!({}),
            );
        }
        table
    };
    let half = limits::ITEM_MOVES_MAX / 2;
    let both = [delete("inner"), delete("outer")];
    assert!(apply(&nested(half), &both, ALICE).is_ok());
    assert_eq!(why(&nested(half + 1), &both), (1, Why::TooLarge));
    assert!(apply(&nested(limits::ITEM_MOVES_MAX + 1), &both[..1], ALICE).is_ok());
}
