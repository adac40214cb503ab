//! Rotation, opacity and locks.

use super::*;

#[test]
fn what_has_its_default_is_not_shown() {
    let mut table = Table::default();
    let item = json!({"type": "shape", "x": 1, "y": 2, "rotation": null, "opacity": 1, "locked": false});
    let shown = made(&mut table, "a", item);
    for name in ["rotation", "opacity", "locked", "parent", "group", "z"] {
        assert_eq!(shown.get(name), None, "{name}");
    }
}

#[test]
fn items_are_turned_faded_and_locked_and_back() {
    let mut table = Table::default();
    let item = json!({"type": "shape", "x": 1, "y": 2, "rotation": -1.5, "opacity": 0.25, "locked": true});
    let new = made(&mut table, "a", item);
    contains(
        &new,
        &json!({"x": 1, "y": 2, "rotation": -1.5, "opacity": 0.25, "locked": true}),
    );
    let shape = record(&table, "shape:a");
    let members = ["rotation", "opacity", "isLocked"].map(|name| &shape[name]);
    assert_eq!(members, [&json!(-1.5), &json!(0.25), &json!(true)]);
    let other = patched(&mut table, "a", json!({"opacity": 0}));
    contains(&other, &json!({"rotation": -1.5, "opacity": 0, "locked": true}));
    let back = patched(
        &mut table,
        "a",
        json!({"rotation": null, "opacity": null, "locked": null}),
    );
    assert_eq!(
        ["rotation", "opacity", "locked"].map(|name| back.get(name)),
        [None; 3]
    );
    let shape = record(&table, "shape:a");
    let members = ["rotation", "opacity", "isLocked"].map(|name| &shape[name]);
    assert_eq!(members, [&json!(0), &json!(1), &json!(false)]);
}

#[test]
fn rotation_is_that_on_the_page() {
    let mut table = Table::default();
    made(
        &mut table,
        "f",
        json!({"type": "frame", "x": 0, "y": 0, "rotation": 0.5}),
    );
    drawn(
        &mut table,
        "in",
        "geo",
        json!({"x": 0, "y": 0, "parentId": "shape:f"}),
        json!({"w": 10, "h": 10}),
    );
    contains(&shown(&table, "in"), &json!({"rotation": 0.5}));
    let before = read(&table, &id("in")).unwrap().revision;
    patched(&mut table, "in", json!({"rotation": 2}));
    assert_eq!(record(&table, "shape:in")["rotation"], 1.5);
    table.0.get_mut("shape:in").unwrap()["rotation"] = json!(0);
    table
        .0
        .get_mut("shape:in")
        .unwrap()
        .insert("meta".to_owned(), json!({}));
    assert_eq!(read(&table, &id("in")).unwrap().revision, before);
    // The corner of both is one point: only the angle tells.
    table.0.get_mut("shape:f").unwrap()["rotation"] = json!(0.25);
    assert_ne!(read(&table, &id("in")).unwrap().revision, before);
}

#[test]
fn what_cannot_be_is_refused_with_what_can() {
    let table = Table::default();
    let item = |name: &str, value: Value| {
        let mut item = object(json!({"type": "shape", "x": 0, "y": 0}));
        item.insert(name.to_owned(), value);
        create("a", Value::Object(item))
    };
    let max = limits::ITEM_ROTATION_MAX;
    for (name, value) in [
        ("rotation", json!(max * 1.001)),
        ("rotation", json!(-90)),
        ("rotation", json!("1")),
        ("opacity", json!(1.01)),
        ("opacity", json!(-0.01)),
        ("opacity", json!("0.5")),
        ("locked", json!(1)),
        ("locked", json!("true")),
    ] {
        refused(&table, item(name, value), name);
    }
    for (name, value) in [
        ("rotation", max),
        ("rotation", -max),
        ("opacity", 0.0),
        ("opacity", 1.0),
    ] {
        assert!(
            apply(&table, &[item(name, json!(value))], ALICE).is_ok(),
            "{name} {value}"
        );
    }
}

#[test]
fn of_connectors_the_rotation_follows_from_the_ends() {
    let mut table = Table::default();
    drawn(
        &mut table,
        "a",
        "arrow",
        json!({"rotation": 1}),
        json!({"start": {"x": 0, "y": 0}, "end": {"x": 9, "y": 0}}),
    );
    assert_eq!(shown(&table, "a").get("rotation"), None);
    let faded = patched(
        &mut table,
        "a",
        json!({"opacity": 0.25, "locked": true, "z": "front"}),
    );
    contains(&faded, &json!({"opacity": 0.25, "locked": true}));
    for field in ["rotation", "parent"] {
        let mut patch = Record::new();
        patch.insert(field.to_owned(), Value::Null);
        refused(&table, update("a", Value::Object(patch)), field);
    }
}
