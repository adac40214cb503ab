//! What an item lies in, and where it stands among its siblings.

use super::*;

fn note(x: i32) -> Value {
    json!({"type": "sticky", "x": x, "y": 0})
}

/// The items of a parent, the lowest first.
fn standing(table: &Table, parent: &str) -> Vec<String> {
    let mut children: Vec<_> = table
        .0
        .values()
        .filter(|record| record.get("parentId") == Some(&json!(parent)))
        .map(|record| (record["index"].as_str().unwrap(), record["id"].as_str().unwrap()))
        .collect();
    children.sort_unstable();
    children
        .iter()
        .map(|(_, key)| key.replace("shape:", ""))
        .collect()
}

/// Four notes a, b, c and d on the page, the lowest first.
fn four() -> Table {
    let mut table = Table::default();
    for at in ["a", "b", "c", "d"] {
        made(&mut table, at, note(0));
    }
    table
}

#[track_caller]
fn stands(patch: Value, expected: &str) {
    let mut table = four();
    patched(&mut table, "b", json!({"z": patch}));
    assert_eq!(standing(&table, "page:page").concat(), expected);
    // A second time it is there already.
    let again = apply(&table, &[update("b", json!({"z": patch}))], BOB).unwrap();
    assert_eq!(again.writes, []);
}

#[test]
fn items_come_to_stand_in_front_behind_above_and_below() {
    stands(json!("front"), "acdb");
    stands(json!("back"), "bacd");
    stands(json!({"above": "c"}), "acbd");
    stands(json!({"above": "d"}), "acdb");
    stands(json!({"below": "d"}), "acbd");
    stands(json!({"below": "a"}), "bacd");
    stands(json!({"above": "a"}), "abcd");
    stands(json!({"below": "c"}), "abcd");
    stands(Value::Null, "abcd");
}

#[test]
fn new_items_too() {
    let mut table = four();
    for (at, z) in [
        ("x", json!("back")),
        ("y", json!({"above": "b"})),
        ("z", json!("front")),
    ] {
        let mut item = object(note(0));
        item.insert("z".to_owned(), z);
        let shown = made(&mut table, at, Value::Object(item));
        assert_eq!(shown.get("z"), None, "it is not shown");
    }
    assert_eq!(standing(&table, "page:page").concat(), "xabycdz");
}

#[test]
fn only_siblings_say_where() {
    let mut table = four();
    made(&mut table, "f", json!({"type": "frame", "x": 1_000, "y": 0}));
    made(&mut table, "in", note(1_000));
    assert_eq!(standing(&table, "shape:f"), ["in"]);
    for (z, field) in [
        (json!({"above": "in"}), "z.above"),
        (json!({"below": "nothing"}), "z.below"),
        (json!({"above": "a"}), "z.above"),
        (json!({"above": "a b"}), "z"),
        (json!({"above": "b", "below": "c"}), "z"),
        (json!({}), "z"),
        (json!("top"), "z"),
        (json!(3), "z"),
    ] {
        refused(&table, update("a", json!({"z": z})), field);
    }
    // In its new frame.
    refused(
        &table,
        update("a", json!({"parent": "f", "z": {"above": "b"}})),
        "z.above",
    );
    patched(&mut table, "a", json!({"parent": "f", "z": {"below": "in"}}));
    assert_eq!(standing(&table, "shape:f"), ["a", "in"]);
}

#[test]
fn siblings_of_one_key_and_odd_keys_are_no_obstacle() {
    let mut table = four();
    for (at, index) in [("b", "a1"), ("c", "zzz"), ("d", "a10")] {
        table.0.get_mut(&format!("shape:{at}")).unwrap()["index"] = json!(index);
    }
    refused(&table, update("a", json!({"z": {"above": "c"}})), "z.above");
    refused(&table, update("c", json!({"z": {"above": "b"}})), "z");
    patched(&mut table, "c", json!({"z": "back"}));
    patched(&mut table, "a", json!({"z": {"above": "d"}}));
    assert_eq!(standing(&table, "page:page").concat(), "cbda");
}

#[test]
fn an_item_keeps_its_place_in_what_it_is_put_into() {
    let mut table = four();
    made(&mut table, "f", json!({"type": "frame", "x": 1_000, "y": 0}));
    table.0.get_mut("shape:f").unwrap()["rotation"] = json!(1.0);
    let shown = patched(&mut table, "a", json!({"parent": "f"}));
    contains(&shown, &json!({"x": 0, "y": 0, "parent": "f"}));
    assert_eq!((shown.get("rotation"), shown.get("group")), (None, None));
    let moved = patched(&mut table, "f", json!({"x": 1_100}));
    assert_eq!(moved.get("parent"), None);
    contains(&self::shown(&table, "a"), &json!({"x": 100, "y": 0}));
    let out = patched(&mut table, "a", json!({"parent": null}));
    contains(&out, &json!({"x": 100, "y": 0}));
    assert_eq!(out.get("parent"), None);
    assert_eq!(record(&table, "shape:a")["parentId"], "page:page");
}

#[test]
fn a_parent_that_is_named_wins_over_the_frame_below() {
    let mut table = Table::default();
    made(&mut table, "f", json!({"type": "frame", "x": 0, "y": 0}));
    made(&mut table, "g", json!({"type": "frame", "x": 1_000, "y": 0}));
    let item = |parent: Value| json!({"type": "sticky", "x": 10, "y": 10, "parent": parent});
    for (at, parent, lies_in) in [
        ("a", json!("g"), "shape:g"),
        ("b", json!("f"), "shape:f"),
        ("c", Value::Null, "page:page"),
    ] {
        contains(&made(&mut table, at, item(parent)), &json!({"x": 10, "y": 10}));
        assert_eq!(record(&table, &format!("shape:{at}"))["parentId"], lies_in);
    }
    // Also where it is what it was.
    patched(&mut table, "a", json!({"x": 20, "parent": "g"}));
    assert_eq!(record(&table, "shape:a")["parentId"], "shape:g");
    patched(&mut table, "a", json!({"x": 21}));
    assert_eq!(record(&table, "shape:a")["parentId"], "shape:f");
}

#[test]
fn groups_take_items_and_are_named() {
    let mut table = four();
    drawn(&mut table, "g", "group", json!({"x": 7, "y": 7}), json!({}));
    let shown = patched(&mut table, "a", json!({"parent": "g"}));
    contains(&shown, &json!({"x": 0, "y": 0, "parent": "g", "group": "g"}));
    patched(&mut table, "a", json!({"x": 5, "group": "ignored"}));
    contains(&self::shown(&table, "a"), &json!({"x": 5, "group": "g"}));
}

#[test]
fn nothing_lies_in_itself_or_in_what_takes_nothing_in() {
    let mut table = Table::default();
    for at in ["f", "g", "h"] {
        made(&mut table, at, json!({"type": "frame", "x": 0, "y": 0}));
    }
    made(&mut table, "n", note(5_000));
    patched(&mut table, "g", json!({"parent": "f"}));
    patched(&mut table, "h", json!({"parent": "g"}));
    for (at, parent) in [
        ("f", "f"),
        ("f", "h"),
        ("g", "h"),
        ("h", "n"),
        ("h", "nothing"),
        ("h", "a b"),
    ] {
        refused(&table, update(at, json!({"parent": parent})), "parent");
    }
    refused(
        &table,
        create("x", json!({"type": "text", "x": 0, "y": 0, "parent": 3})),
        "parent",
    );
    // In one batch, too.
    let both = [
        update("n", json!({"parent": "f"})),
        update("f", json!({"parent": "h"})),
    ];
    assert!(matches!(why(&table, &both), (1, Why::Invalid { .. })));
    table.0.get_mut("shape:f").unwrap()["parentId"] = json!("page:other");
    refused(&table, update("n", json!({"parent": "h"})), "parent");
    made(
        &mut table,
        "there",
        json!({"type": "sticky", "x": 1, "y": 2, "parent": "h"}),
    );
    assert_eq!(
        read(&table, &id("there")).unwrap().page.as_deref(),
        Some("page:other")
    );
    // A circle that somebody else has made has no page.
    table.0.get_mut("shape:f").unwrap()["parentId"] = json!("shape:h");
    refused(&table, update("n", json!({"parent": "h"})), "parent");
    patched(&mut table, "h", json!({"parent": null}));
    assert_eq!(record(&table, "shape:h")["parentId"], "page:page");
}
