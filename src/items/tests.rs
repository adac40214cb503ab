//! Tests of items as values: what is made, read, patched, deleted and refused.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::fuzzing::Table;
use super::{Item, Operation, Outcome, Plan, Record, Records, Refused, Stamp, Why, apply, ids, read};
use crate::ids::ItemId;
use crate::limits;
use crate::time::UnixMillis;

const ALICE: Stamp<'static> = Stamp {
    actor: "user:alice",
    at: UnixMillis(1_000),
};
const BOB: Stamp<'static> = Stamp {
    actor: "key:k1",
    at: UnixMillis(2_000),
};

fn id(text: &str) -> ItemId {
    ItemId::parse(text).unwrap()
}

fn object(value: Value) -> Record {
    value.as_object().unwrap().clone()
}

fn create(at: &str, item: Value) -> Operation {
    Operation::Create {
        item: object(item),
        id: id(at),
        request: None,
    }
}

fn requested(at: &str, item: Value, request: &str) -> Operation {
    Operation::Create {
        item: object(item),
        id: id(at),
        request: Some(request.to_owned()),
    }
}

fn update(at: &str, patch: Value) -> Operation {
    Operation::Update {
        id: id(at),
        patch: object(patch),
    }
}

fn delete(at: &str) -> Operation {
    Operation::Delete { id: id(at) }
}

/// Applies and writes.
#[track_caller]
fn done(table: &mut Table, stamp: Stamp<'_>, operations: &[Operation]) -> Plan {
    let plan = apply(table, operations, stamp).unwrap();
    table.write(&plan);
    plan
}

#[track_caller]
fn made(table: &mut Table, at: &str, item: Value) -> Value {
    done(table, ALICE, &[create(at, item)]);
    shown(table, at)
}

#[track_caller]
fn patched(table: &mut Table, at: &str, patch: Value) -> Value {
    done(table, BOB, &[update(at, patch)]);
    shown(table, at)
}

#[track_caller]
fn shown(table: &Table, at: &str) -> Value {
    read(table, &id(at)).unwrap().json
}

#[track_caller]
fn refused(table: &Table, operation: Operation, field: &str) {
    match apply(table, &[operation], ALICE) {
        Err(Refused {
            index: 0,
            why: Why::Invalid { field: named, .. },
        }) => assert_eq!(named, field),
        other => panic!("{other:?}"),
    }
}

fn why(table: &Table, operations: &[Operation]) -> (usize, Why) {
    let refused = apply(table, operations, ALICE).unwrap_err();
    (refused.index, refused.why)
}

/// A shape as tldraw writes it.
fn drawn(table: &mut Table, at: &str, kind: &str, more: Value, props: Value) {
    let mut shape = object(json!({
        "id": format!("shape:{at}"), "typeName": "shape", "type": kind, "x": 10, "y": 20, "rotation": 0, "index": "a1",
        "parentId": "page:page", "isLocked": false, "opacity": 0.5, "props": props, "meta": {},
    }));
    shape.extend(object(more));
    table.0.insert(format!("shape:{at}"), shape);
}

fn record<'t>(table: &'t Table, key: &str) -> &'t Record {
    &table.0[key]
}

#[test]
fn a_new_item_on_an_empty_board_brings_the_document_and_a_page() {
    let mut table = Table::default();
    let plan = done(
        &mut table,
        ALICE,
        &[create("a", json!({"type": "sticky", "x": 1, "y": -2.5}))],
    );
    let keys: Vec<&str> = plan.writes.iter().map(|write| write.key.as_str()).collect();
    assert_eq!(keys, ["document:document", "page:page", "shape:a"]);
    assert_eq!(
        Value::Object(record(&table, "shape:a").clone()),
        json!({
            "id": "shape:a", "typeName": "shape", "type": "note", "x": 1, "y": -2.5, "rotation": 0, "index": "a1",
            "parentId": "page:page", "isLocked": false, "opacity": 1,
            "props": {
                "color": "yellow", "labelColor": "black", "size": "m", "font": "draw", "fontSizeAdjustment": 0,
                "align": "middle", "verticalAlign": "middle", "growY": 0, "url": "", "scale": 1,
                "richText": {"type": "doc", "content": [{"type": "paragraph"}]},
            },
            "meta": {
                "item_id": "a", "item_type": "sticky",
                "created_by": "user:alice", "created_at": "1970-01-01T00:00:01.000Z",
                "updated_by": "user:alice", "updated_at": "1970-01-01T00:00:01.000Z",
            },
        })
    );
    assert_eq!(
        Value::Object(record(&table, "page:page").clone()),
        json!({"id": "page:page", "typeName": "page", "name": "Page 1", "index": "a1", "meta": {}})
    );
    assert_eq!(
        Value::Object(record(&table, "document:document").clone()),
        json!({"id": "document:document", "typeName": "document", "gridSize": 10, "name": "", "meta": {}})
    );
    let next = done(
        &mut table,
        ALICE,
        &[create("b", json!({"type": "text", "x": 0, "y": 0}))],
    );
    assert_eq!(next.writes.len(), 1, "they are made once");
    assert_eq!(record(&table, "shape:b")["index"], "a2");
}

#[test]
fn sizes_default_by_type() {
    let mut table = Table::default();
    for (kind, width, height) in [
        ("sticky", 200, 200),
        ("shape", 200, 200),
        ("text", 300, 33),
        ("frame", 600, 400),
        ("image", 300, 200),
        ("document", 300, 200),
    ] {
        let item = made(&mut table, kind, json!({"type": kind, "x": 0, "y": 0}));
        assert_eq!(
            (&item["width"], &item["height"]),
            (&json!(width), &json!(height)),
            "{kind}"
        );
    }
}

#[test]
fn what_is_sent_is_what_is_read() {
    let mut table = Table::default();
    for (at, item) in [
        json!({"type": "sticky", "x": 1, "y": 2, "width": 100, "height": 100, "content": {"text": "a\n\nb"},
            "style": {"color": "light-blue", "size": "s", "font": "mono", "align": "end-legacy"}}),
        json!({"type": "sticky", "x": 0.5, "y": 0, "width": 500, "height": 250}),
        json!({"type": "sticky", "x": 0, "y": 0, "width": 250.5, "height": 600, "content": {"text": "short"}}),
        json!({"type": "text", "x": 0, "y": 0, "width": 120, "content": {"text": "words"}, "style": {"align": "end"}}),
        json!({"type": "shape", "x": 0, "y": 0, "width": 150, "height": 90, "content": {"text": "Start"},
            "style": {"geo": "diamond", "fill": "solid", "dash": "dotted", "color": "red"}}),
        json!({"type": "frame", "x": 0, "y": 0, "width": 800, "height": 300, "content": {"title": "Phase 1"},
            "style": {"color": "blue"}}),
        json!({"type": "image", "x": 0, "y": 0, "width": 64, "height": 48,
            "content": {"url": "https://example.com/a.png", "alt": "A picture"}}),
        json!({"type": "image", "x": 0, "y": 0, "content": {"url": "data:image/png;base64,AAAA"}}),
        json!({"type": "document", "x": 0, "y": 0, "width": 400, "height": 300,
            "content": {"title": "Plan", "text": "one\ntwo", "url": "https://example.com/plan"}}),
    ]
    .into_iter()
    .enumerate()
    {
        let at = format!("i{at}");
        let read = made(&mut table, &at, item.clone());
        contains(&read, &item);
        assert_eq!(read["id"], at.as_str());
        assert_eq!((&read["created_by"], &read["updated_by"]), (&json!("user:alice"), &json!("user:alice")));
    }
    assert_eq!(ids(&table).len(), 9);
}

/// Whether all of `part` is in `whole`.
#[track_caller]
fn contains(whole: &Value, part: &Value) {
    match part {
        Value::Object(members) => members
            .iter()
            .for_each(|(name, member)| contains(&whole[name], member)),
        _ => assert_eq!(whole, part),
    }
}

#[test]
fn an_image_has_its_asset() {
    let mut table = Table::default();
    let url = "https://example.com/pictures/cat.png?size=2";
    made(
        &mut table,
        "a",
        json!({"type": "image", "x": 0, "y": 0, "content": {"url": url}}),
    );
    assert_eq!(record(&table, "shape:a")["props"]["assetId"], "asset:a");
    assert_eq!(
        Value::Object(record(&table, "asset:a").clone()),
        json!({
            "id": "asset:a", "typeName": "asset", "type": "image", "meta": {},
            "props": {"w": 300, "h": 200, "name": "cat.png", "isAnimated": false, "mimeType": null, "src": url},
        })
    );
    let data = "data:image/webp;base64,AAAA";
    assert_eq!(
        patched(&mut table, "a", json!({"content": {"url": data}}))["content"]["url"],
        data
    );
    assert_eq!(record(&table, "asset:a")["props"]["mimeType"], "image/webp");
    assert_eq!(
        patched(&mut table, "a", json!({"content": {"url": null}}))["content"]["url"],
        ""
    );
    assert!(!table.0.contains_key("asset:a"), "nobody shows it");
    assert_eq!(record(&table, "shape:a")["props"]["assetId"], Value::Null);
    patched(&mut table, "a", json!({"content": {"url": "/a.png"}}));
    done(&mut table, ALICE, &[delete("a")]);
    let left: Vec<&String> = table.0.keys().collect();
    assert_eq!(left, ["document:document", "page:page"]);
}

#[test]
fn an_asset_that_another_shape_shows_is_left_alone() {
    let mut table = Table::default();
    made(
        &mut table,
        "a",
        json!({"type": "image", "x": 0, "y": 0, "content": {"url": "/a.png"}}),
    );
    drawn(
        &mut table,
        "b",
        "image",
        json!({}),
        json!({"w": 1, "h": 1, "assetId": "asset:a"}),
    );
    assert_eq!(shown(&table, "b")["content"]["url"], "/a.png");
    patched(&mut table, "a", json!({"content": {"url": "/b.png"}}));
    assert_eq!(record(&table, "shape:a")["props"]["assetId"], "asset:a.2");
    assert_eq!(shown(&table, "b")["content"]["url"], "/a.png");
    done(&mut table, ALICE, &[delete("a")]);
    assert!(table.0.contains_key("asset:a") && !table.0.contains_key("asset:a.2"));
    done(&mut table, ALICE, &[delete("b")]);
    assert!(!table.0.contains_key("asset:a"));
}

#[test]
fn a_note_stays_in_its_box_to_the_right_and_grows_down() {
    for (width, height, text, scale, grow) in [
        (200, 200, "", 1.0, 0.0),
        (100, 100, "", 0.5, 0.0),
        (400, 100, "", 0.5, 0.0),
        (100, 300, "", 0.5, 400.0),
    ] {
        let mut table = Table::default();
        let item = json!({"type": "sticky", "x": 0, "y": 0, "width": width, "height": height, "content": {"text": text}});
        contains(&made(&mut table, "a", item.clone()), &item);
        let props = &record(&table, "shape:a")["props"];
        assert_eq!(
            (props["scale"].as_f64(), props["growY"].as_f64()),
            (Some(scale), Some(grow))
        );
    }
}

#[test]
fn a_long_text_makes_a_note_and_a_shape_higher_than_asked() {
    let long = "words that need room ".repeat(40);
    for kind in ["sticky", "shape", "document"] {
        let mut table = Table::default();
        let item =
            json!({"type": kind, "x": 0, "y": 0, "width": 200, "height": 150, "content": {"text": long}});
        let item = made(&mut table, "a", item);
        assert_eq!(item["width"], 200, "{kind}");
        assert!(
            item["height"].as_f64().unwrap() > 400.0,
            "{kind}: {}",
            item["height"]
        );
        let item = patched(&mut table, "a", json!({"content": {"text": "short"}}));
        assert_eq!(
            (&item["width"], &item["height"]),
            (&json!(200), &json!(150)),
            "{kind}"
        );
        let item = patched(&mut table, "a", json!({"height": 300}));
        assert_eq!(
            (&item["width"], &item["height"]),
            (&json!(200), &json!(300)),
            "{kind}"
        );
    }
}

#[test]
fn what_a_person_resized_is_as_large_as_on_the_canvas() {
    let mut table = Table::default();
    made(
        &mut table,
        "a",
        json!({"type": "sticky", "x": 0, "y": 0, "width": 400, "height": 100}),
    );
    let note = table.0.get_mut("shape:a").unwrap();
    note["props"]["scale"] = json!(2);
    contains(&shown(&table, "a"), &json!({"width": 400, "height": 400}));
    table.0.get_mut("shape:a").unwrap()["props"]["growY"] = json!(50);
    contains(&shown(&table, "a"), &json!({"width": 400, "height": 500}));
    contains(
        &patched(&mut table, "a", json!({"width": 100})),
        &json!({"width": 100, "height": 400}),
    );
}

#[test]
fn a_patch_changes_what_it_names_and_nothing_else() {
    let mut table = Table::default();
    let text = json!({"type": "doc", "content": [{"type": "heading", "attrs": {"level": 1},
        "content": [{"type": "text", "text": "Hi", "marks": [{"type": "italic"}]}]}]});
    let props = json!({"geo": "blob-of-tomorrow", "w": 30.25, "h": 40, "growY": 3, "scale": 1, "richText": text,
        "color": "red", "labelColor": "blue", "verticalAlign": "end", "newer": {"than": "us"}});
    drawn(
        &mut table,
        "a",
        "geo",
        json!({"rotation": 0.5, "isLocked": true, "meta": {"mine": 1}}),
        props,
    );
    let before = record(&table, "shape:a").clone();
    let item = shown(&table, "a");
    contains(
        &item,
        &json!({"width": 30.25, "height": 43, "content": {"text": "Hi"}, "created_by": null, "updated_at": null}),
    );
    assert_eq!(item["style"]["geo"], "blob-of-tomorrow");
    let item = patched(
        &mut table,
        "a",
        json!({"x": 11, "style": {"color": "green"}, "content": {"text": "Hi"}}),
    );
    contains(
        &item,
        &json!({"x": 11, "updated_by": "key:k1", "updated_at": "1970-01-01T00:00:02.000Z", "created_by": null}),
    );
    let mut expected = before;
    expected["x"] = json!(11);
    expected["props"]["color"] = json!("green");
    expected["meta"] = json!({"mine": 1, "item_id": "a", "item_type": "shape",
        "updated_by": "key:k1", "updated_at": "1970-01-01T00:00:02.000Z"});
    assert_eq!(record(&table, "shape:a"), &expected);
}

#[test]
fn a_patch_that_changes_nothing_writes_nothing() {
    let mut table = Table::default();
    made(
        &mut table,
        "a",
        json!({"type": "image", "x": 0, "y": 0, "content": {"url": "/a.png"}}),
    );
    made(
        &mut table,
        "b",
        json!({"type": "document", "x": 0, "y": 0, "content": {"title": "T", "text": "x"}}),
    );
    for (at, patch) in [
        ("a", json!({})),
        (
            "a",
            json!({"x": 0.0, "width": null, "content": {"url": "/a.png", "alt": null}}),
        ),
        (
            "b",
            json!({"content": {"title": "T"}, "style": {"geo": null}, "created_by": "user:mallory"}),
        ),
    ] {
        let patch = if at == "b" {
            json!({"content": {"title": "T"}, "created_by": patch["created_by"]})
        } else {
            patch
        };
        let plan = apply(&table, &[update(at, patch)], BOB).unwrap();
        assert_eq!(plan.writes, []);
        assert_eq!(plan.outcomes, [Outcome::Updated(read(&table, &id(at)).unwrap())]);
    }
}

#[test]
fn null_is_the_default_again() {
    let mut table = Table::default();
    let sent = json!({"type": "shape", "x": 5, "y": 5, "width": 70, "height": 60, "content": {"text": "a"},
        "style": {"geo": "star", "color": "red", "fill": "solid"}});
    made(&mut table, "a", sent);
    let item = patched(
        &mut table,
        "a",
        json!({"width": null, "content": {"text": null}, "style": {"geo": null}}),
    );
    contains(
        &item,
        &json!({"width": 200, "height": 60, "content": {"text": ""}, "style": {"geo": "rectangle", "color": "red"}}),
    );
    contains(
        &patched(&mut table, "a", json!({"style": null}))["style"],
        &json!({"color": "black", "fill": "none"}),
    );
    patched(&mut table, "a", json!({"content": {"text": "b"}}));
    contains(
        &patched(&mut table, "a", json!({"content": null})),
        &json!({"content": {"text": ""}}),
    );
    refused(&table, update("a", json!({"x": null})), "x");
    refused(&table, update("a", json!({"y": null})), "y");
}

#[test]
fn wrong_members_are_named() {
    let mut table = Table::default();
    made(&mut table, "a", json!({"type": "sticky", "x": 0, "y": 0}));
    for (field, patch) in [
        ("id", json!({"id": "b"})),
        ("id", json!({"id": null})),
        ("type", json!({"type": "text"})),
        ("colour", json!({"colour": 1})),
        ("content", json!({"content": "a"})),
        ("content.txt", json!({"content": {"txt": "a"}})),
        ("content.title", json!({"content": {"title": "a"}})),
        ("content.text", json!({"content": {"text": 1}})),
        ("style", json!({"style": []})),
        ("style.colour", json!({"style": {"colour": "red"}})),
        ("style.color", json!({"style": {"color": "pink"}})),
        ("style.color", json!({"style": {"color": 1}})),
        ("style.fill", json!({"style": {"fill": "full"}})),
        ("style.geo", json!({"style": {"geo": "star"}})),
        ("x", json!({"x": "1"})),
        ("y", json!({"y": 1.1e8})),
        ("width", json!({"width": 0})),
        ("width", json!({"width": -5})),
        ("height", json!({"height": 1e7})),
    ] {
        refused(&table, update("a", patch.clone()), field);
        let mut item = object(json!({"type": "sticky", "x": 0, "y": 0}));
        if field != "id" && field != "type" {
            item.extend(object(patch));
            refused(&table, create("b", Value::Object(item)), field);
        }
    }
    for (field, item) in [
        ("type", json!({"x": 0, "y": 0})),
        ("type", json!({"type": "arrow", "x": 0, "y": 0})),
        ("x", json!({"type": "text", "y": 0})),
        ("y", json!({"type": "text", "x": 0})),
        ("id", json!({"id": "a b", "type": "text", "x": 0, "y": 0})),
        ("id", json!({"id": 7, "type": "text", "x": 0, "y": 0})),
        (
            "style.align",
            json!({"type": "text", "x": 0, "y": 0, "style": {"align": "start-legacy"}}),
        ),
        (
            "content.title",
            json!({"type": "frame", "x": 0, "y": 0, "content": {"title": "a\nb"}}),
        ),
        (
            "content.url",
            json!({"type": "image", "x": 0, "y": 0, "content": {"url": "javascript:alert(1)"}}),
        ),
        (
            "content.url",
            json!({"type": "document", "x": 0, "y": 0, "content": {"url": "/a"}}),
        ),
    ] {
        refused(&table, create("b", item), field);
    }
    // Known, and without a place in tldraw's shape.
    let item =
        json!({"type": "image", "x": 0, "y": 0, "style": {"color": "red", "dash": "solid"}, "created_by": 5});
    assert_eq!(made(&mut table, "c", item)["style"], json!({}));
    let long = "x".repeat(500);
    let Why::Invalid { field, .. } = why(&table, &[update("a", json!({long.as_str(): 1}))]).1 else {
        panic!()
    };
    assert_eq!(field.len(), 67);
}

#[test]
fn bounds_are_inclusive() {
    let item = |kind: &str, member: &str, value: Value| {
        let mut item = json!({"type": kind, "x": 0, "y": 0, "content": {}});
        match member.strip_prefix("content.") {
            Some(member) => item["content"][member] = value,
            None => item[member] = value,
        }
        create("a", item)
    };
    let words = |length: usize| "x ".repeat(length)[..length].to_owned();
    let url = |length: usize| format!("https://e.x/{}", "a".repeat(length - 12));
    let data = |length: usize| format!("data:image/png;base64,{}", "A".repeat(length - 22));
    let table = Table::default();
    for (kind, member, most, beyond) in [
        (
            "text",
            "x",
            json!(limits::ITEM_COORDINATE_MAX),
            json!(limits::ITEM_COORDINATE_MAX + 1.0),
        ),
        (
            "text",
            "y",
            json!(-limits::ITEM_COORDINATE_MAX),
            json!(-limits::ITEM_COORDINATE_MAX - 1.0),
        ),
        (
            "sticky",
            "width",
            json!(limits::ITEM_SIDE_MIN),
            json!(limits::ITEM_SIDE_MIN - 0.01),
        ),
        (
            "shape",
            "height",
            json!(limits::ITEM_SIDE_MAX),
            json!(limits::ITEM_SIDE_MAX + 1.0),
        ),
        (
            "text",
            "content.text",
            json!(words(limits::ITEM_TEXT_BYTES_MAX)),
            json!(words(limits::ITEM_TEXT_BYTES_MAX + 1)),
        ),
        (
            "image",
            "content.alt",
            json!("x".repeat(limits::ITEM_TEXT_BYTES_MAX)),
            json!("x".repeat(limits::ITEM_TEXT_BYTES_MAX + 1)),
        ),
        (
            "frame",
            "content.title",
            json!(words(limits::TITLE_BYTES_MAX)),
            json!(words(limits::TITLE_BYTES_MAX + 1)),
        ),
        (
            "document",
            "content.url",
            json!(url(limits::ITEM_URL_BYTES_MAX)),
            json!(url(limits::ITEM_URL_BYTES_MAX + 1)),
        ),
        (
            "image",
            "content.url",
            json!(url(limits::ITEM_URL_BYTES_MAX)),
            json!(url(limits::ITEM_URL_BYTES_MAX + 1)),
        ),
        (
            "image",
            "content.url",
            json!(data(limits::ITEM_IMAGE_BYTES_MAX)),
            json!(data(limits::ITEM_IMAGE_BYTES_MAX + 1)),
        ),
    ] {
        assert!(
            apply(&table, &[item(kind, member, most)], ALICE).is_ok(),
            "{kind} {member}"
        );
        refused(&table, item(kind, member, beyond), member);
    }
}

#[test]
fn words_that_no_browser_breaks_in_time_are_refused() {
    let table = Table::default();
    let sticky = |text: &str| {
        create(
            "a",
            json!({"type": "sticky", "x": 0, "y": 0, "content": {"text": text}}),
        )
    };
    let word = "x".repeat(limits::ITEM_WORD_LETTERS_MAX);
    let fits = sticky(&format!("{word} {word}\u{6f22}{word}"));
    assert!(apply(&table, &[fits], ALICE).is_ok());
    refused(&table, sticky(&format!("{word}x")), "content.text");
}

#[test]
fn a_batch_is_all_or_nothing_and_sees_itself() {
    let mut table = Table::default();
    made(&mut table, "old", json!({"type": "sticky", "x": 0, "y": 0}));
    let plan = done(
        &mut table,
        BOB,
        &[
            create("a", json!({"id": "named", "type": "sticky", "x": 0, "y": 0})),
            update("named", json!({"content": {"text": "b"}})),
            create("c", json!({"type": "text", "x": 0, "y": 0})),
            delete("c"),
            delete("old"),
            create("d", json!({"id": "old", "type": "frame", "x": 0, "y": 0})),
        ],
    );
    let keys: Vec<&str> = plan.writes.iter().map(|write| write.key.as_str()).collect();
    assert_eq!(keys, ["shape:named", "shape:old"], "c was never there");
    assert_eq!(plan.outcomes.len(), 6);
    assert_eq!(shown(&table, "named")["content"]["text"], "b");
    assert_eq!(shown(&table, "old")["type"], "frame");
    for (operations, expected) in [
        (
            vec![delete("named"), update("named", json!({}))],
            (1, Why::Absent),
        ),
        (
            vec![
                create("x", json!({"type": "text", "x": 0, "y": 0})),
                delete("gone"),
            ],
            (1, Why::Absent),
        ),
        (
            vec![create("x", json!({"id": "old", "type": "text", "x": 0, "y": 0}))],
            (0, Why::Exists),
        ),
    ] {
        assert_eq!(why(&table, &operations), expected);
    }
}

#[test]
fn an_id_that_any_record_has_is_taken() {
    let mut table = Table::default();
    drawn(&mut table, "arrow", "arrow", json!({}), json!({}));
    assert_eq!(
        why(
            &table,
            &[create(
                "arrow",
                json!({"id": "arrow", "type": "text", "x": 0, "y": 0})
            )]
        ),
        (0, Why::Exists)
    );
    assert_eq!(why(&table, &[update("arrow", json!({}))]), (0, Why::Absent));
    assert_eq!(why(&table, &[delete("arrow")]), (0, Why::Absent));
    assert_eq!(read(&table, &id("arrow")), None);
    assert_eq!(ids(&table), []);
}

#[test]
fn a_repeated_request_does_nothing_again() {
    let mut table = Table::default();
    let sticky = || json!({"type": "sticky", "x": 0, "y": 0});
    let batch = [
        requested("k0", sticky(), "r"),
        requested("k1", json!({"id": "named", "type": "text", "x": 0, "y": 0}), "r"),
        update("k0", json!({"x": 5})),
        requested("k3", sticky(), "r"),
        delete("k3"),
    ];
    done(&mut table, ALICE, &batch);
    patched(&mut table, "k0", json!({"x": 9}));
    let again = apply(&table, &batch, BOB).unwrap();
    assert_eq!(again.writes, []);
    let item = |at: &str| read(&table, &id(at)).unwrap();
    let [
        Outcome::Repeated(first),
        Outcome::Repeated(second),
        Outcome::Updated(third),
        Outcome::Repeated(_),
        Outcome::Deleted(Some(_)),
    ] = &again.outcomes[..]
    else {
        panic!("{:?}", again.outcomes);
    };
    assert_eq!(
        [first, second, third],
        [&item("k0"), &item("named"), &item("k0")],
        "as they are now"
    );
    assert_eq!(
        why(&table, &[requested("k0", sticky(), "other")]),
        (0, Why::Reused)
    );
    let named = json!({"id": "named", "type": "text", "x": 0, "y": 0});
    assert_eq!(why(&table, &[requested("k9", named, "other")]), (0, Why::Exists));
    // A copy made on the canvas brings the meta of its original.
    let copy = record(&table, "shape:k0").clone();
    table.0.insert("shape:copy".to_owned(), copy);
    assert_eq!(why(&table, &[requested("copy", sticky(), "r")]), (0, Why::Reused));
    contains(
        &shown(&table, "copy"),
        &json!({"created_by": null, "updated_at": null}),
    );
}

#[test]
fn a_repeated_batch_reports_what_is_gone() {
    let mut table = Table::default();
    let text = |id: &str| json!({"id": id, "type": "text", "x": 0, "y": 0});
    made(&mut table, "old", text("old"));
    let batch = [
        requested("k0", text("a"), "r"),
        requested("k1", text("b"), "r"),
        update("old", json!({"x": 1})),
        delete("b"),
    ];
    done(&mut table, ALICE, &batch);
    done(&mut table, BOB, &[delete("old")]);
    drawn(&mut table, "b", "arrow", json!({}), json!({}));
    let again = apply(&table, &batch, ALICE).unwrap();
    assert_eq!(again.writes, []);
    let gone = Outcome::Deleted(None);
    assert_eq!(again.outcomes[1..], [gone.clone(), gone.clone(), gone]);
    let arrow = table.0.get_mut("shape:a").unwrap();
    arrow["type"] = json!("arrow");
    assert_eq!(
        why(&table, &batch[..1]),
        (0, Why::Exists),
        "what it made is no item now"
    );
}

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
    patched(&mut table, "c", json!({"x": 0}));
    let child = record(&table, "shape:c");
    assert_eq!((&child["x"], &child["y"]), (&json!(-100), &json!(20)));
    let before = read(&table, &id("c")).unwrap();
    table.0.get_mut("shape:f").unwrap()["rotation"] = json!(std::f64::consts::FRAC_PI_2);
    contains(&shown(&table, "c"), &json!({"x": 80, "y": -50}));
    assert_ne!(
        read(&table, &id("c")).unwrap().revision,
        before.revision,
        "it moved with its frame"
    );
    contains(
        &patched(&mut table, "c", json!({"y": 7})),
        &json!({"x": 80, "y": 7}),
    );
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
struct Watched {
    table: Table,
    whole: std::cell::RefCell<Vec<String>>,
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
fn revisions_change_with_the_records_and_with_nothing_else() {
    let mut table = Table::default();
    made(
        &mut table,
        "a",
        json!({"type": "image", "x": 0, "y": 0, "content": {"url": "/a.png"}}),
    );
    let revision = |table: &Table| read(table, &id("a")).unwrap().revision;
    let first = revision(&table);
    assert_eq!(first.len(), 16);
    table.0.get_mut("shape:a").unwrap()["opacity"] = json!(1.0);
    assert_eq!(revision(&table), first, "1.0 is 1");
    made(&mut table, "b", json!({"type": "text", "x": 0, "y": 0}));
    assert_eq!(revision(&table), first);
    table.0.get_mut("shape:a").unwrap()["opacity"] = json!(0.9);
    let second = revision(&table);
    assert_ne!(second, first);
    table.0.get_mut("asset:a").unwrap()["props"]["src"] = json!("/b.png");
    assert_ne!(revision(&table), second);
}

#[test]
fn ids_are_those_of_shapes_that_map_back() {
    let mut table = Table::default();
    for (at, kind) in [
        ("b", "note"),
        ("a", "geo"),
        ("c", "draw"),
        ("B", "text"),
        ("d", "group"),
        ("e", "image"),
        ("f", "frame"),
        ("batch", "frame"),
    ] {
        drawn(&mut table, at, kind, json!({}), json!({}));
    }
    drawn(&mut table, "with space", "note", json!({}), json!({}));
    drawn(
        &mut table,
        "camera",
        "note",
        json!({"typeName": "camera"}),
        json!({}),
    );
    let ids = ids(&table);
    let text: Vec<&str> = ids.iter().map(ItemId::as_str).collect();
    assert_eq!(text, ["B", "a", "b", "e", "f"]);
    assert!(ids.iter().all(|id| read(&table, id).is_some()));
}

#[test]
fn a_patch_keeps_extreme_numbers_valid() {
    let mut table = Table::default();
    for (kind, scale) in [
        ("note", 1e307),
        ("note", 5e-324),
        ("text", 1e-310),
        ("text", 1e307),
        ("geo", 1e308),
        ("geo", 1e-310),
    ] {
        drawn(
            &mut table,
            "a",
            kind,
            json!({"x": 1e308}),
            json!({"w": 8, "h": 9, "scale": scale, "growY": 0}),
        );
        for patch in [
            json!({"width": 100}),
            json!({"height": 1e6, "y": 5}),
            json!({"content": {"text": "words and more\n".repeat(9)}}),
        ] {
            patched(&mut table, "a", patch);
            let props = &record(&table, "shape:a")["props"];
            for name in ["w", "h", "scale"] {
                assert!(props[name].as_f64().unwrap() > 0.0, "{kind} {scale}: {props}");
            }
            assert!(props["growY"].as_f64().unwrap() >= 0.0, "{kind} {scale}: {props}");
        }
        assert_eq!(record(&table, "shape:a")["x"], 1e308);
    }
}

#[test]
fn texts_drawn_by_people_have_an_estimated_size() {
    let mut table = Table::default();
    let text = json!({"type": "doc", "content": [{"type": "paragraph", "content": [{"type": "text", "text": "Hello world"}]}]});
    let props = json!({"autoSize": true, "w": 8, "scale": 2, "size": "m", "font": "draw", "richText": text});
    drawn(&mut table, "a", "text", json!({}), props);
    let item = shown(&table, "a");
    assert!(
        item["width"].as_f64().unwrap() > 200.0 && item["height"] == 66,
        "{item}"
    );
    contains(
        &patched(&mut table, "a", json!({"width": 100})),
        &json!({"width": 100}),
    );
    let props = &record(&table, "shape:a")["props"];
    assert_eq!((&props["w"], &props["autoSize"]), (&json!(50), &json!(false)));
}

fn item_strategy() -> impl Strategy<Value = Value> {
    let text = prop_oneof![Just(String::new()), "[a-z \n]{0,40}", "\\PC{0,20}"];
    let number = prop_oneof![(-1000..1000i32).prop_map(f64::from), -1e8..1e8];
    let side = prop_oneof![(1..1000i32).prop_map(f64::from), 1.0..5000.0];
    let kind = prop::sample::select(vec!["sticky", "text", "shape", "frame", "image", "document"]);
    (kind, number.clone(), number, side.clone(), side, text).prop_map(|(kind, x, y, width, height, text)| {
        let line = text.replace(['\n', '\r'], " ");
        let content = match kind {
            "frame" => json!({"title": line}),
            "image" => json!({"alt": text, "url": "/a.png"}),
            "document" => json!({"title": line, "text": text}),
            _ => json!({"text": text}),
        };
        json!({"type": kind, "x": x, "y": y, "width": width, "height": height, "content": content})
    })
}

proptest! {
    #[test]
    fn create_then_read_gives_what_was_sent(item in item_strategy()) {
        let mut table = Table::default();
        let read = made(&mut table, "a", item.clone());
        for name in ["x", "y", "width", "height"] {
            let (read, sent) = (read[name].as_f64().unwrap(), item[name].as_f64().unwrap());
            match (name, item["type"].as_str().unwrap()) {
                ("height", "text") => {}
                ("height", "sticky" | "shape" | "document") => prop_assert!(read >= sent),
                _ => prop_assert_eq!(read, sent),
            }
        }
        for (name, text) in item["content"].as_object().unwrap() {
            let sent = text.as_str().unwrap().replace("\r\n", "\n").replace('\r', "\n");
            let expected = if name == "text" { sent } else { text.as_str().unwrap().to_owned() };
            prop_assert_eq!(read["content"][name].as_str().unwrap(), expected);
        }
        let sent_back = apply(&table, &[update("a", read)], BOB).unwrap();
        prop_assert_eq!(sent_back.writes, vec![]);
    }

    #[test]
    fn a_patch_and_its_reverse_leave_the_item(item in item_strategy(), x in -1000.0..1000.0f64, color in "red|blue") {
        let mut table = Table::default();
        let before = made(&mut table, "a", item);
        patched(&mut table, "a", json!({"x": x, "style": {"color": color}}));
        let back = patched(&mut table, "a", json!({"x": before["x"], "style": before["style"]}));
        let without_history = |item: &Value| {
            let mut item = object(item.clone());
            item.retain(|name, _| !name.contains("_"));
            item
        };
        prop_assert_eq!(without_history(&back), without_history(&before));
    }
}

/// Keeps the type of what is answered in sight of the tests.
#[test]
fn an_item_serializes_as_its_json() {
    let item = Item {
        json: json!({"id": "a"}),
        revision: "r".to_owned(),
        page: Some("page:page".to_owned()),
        bytes: 1,
    };
    assert_eq!(serde_json::to_string(&item).unwrap(), r#"{"id":"a"}"#);
}

#[test]
fn all_that_an_item_says_counts_and_long_words_of_others_are_left_out() {
    let mut table = Table::default();
    for (more, is_shown) in [(0, true), (1, false)] {
        let (word, name) = ("w".repeat(64 + more), "n".repeat(512 + more));
        drawn(
            &mut table,
            "a",
            "note",
            json!({"meta": {"item_id": "a", "created_by": name}}),
            json!({"color": word, "size": "m", "font": "draw", "align": "middle"}),
        );
        let item = read(&table, &id("a")).unwrap();
        assert_eq!(item.json["style"].get("color").is_some(), is_shown);
        assert_eq!(item.json["created_by"].is_string(), is_shown);
        let words = "a".len() + "sticky".len() + "m".len() + "draw".len() + "middle".len();
        let counted = words + if is_shown { 64 + 512 } else { 0 };
        assert_eq!(super::text_bytes(&item.json), counted);
        assert!(item.bytes > counted, "its record has more");
        patched(&mut table, "a", item.json);
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

#[test]
fn answers_are_bounded_past_the_first() {
    let mut table = Table::default();
    let data = format!(
        "data:image/png;base64,{}",
        "A".repeat(limits::ITEM_IMAGE_BYTES_MAX - 4_096)
    );
    made(
        &mut table,
        "a",
        json!({"type": "image", "x": 0, "y": 0, "content": {"url": data}}),
    );
    let count = limits::ITEM_ANSWER_BYTES_MAX / limits::ITEM_IMAGE_BYTES_MAX;
    let updates = |count: usize| -> Vec<Operation> { (0..count).map(|_| update("a", json!({}))).collect() };
    assert!(apply(&table, &updates(count), ALICE).is_ok());
    assert_eq!(why(&table, &updates(count + 1)), (count, Why::TooLarge));
    table.0.get_mut("asset:a").unwrap()["props"]["src"] = json!("/a.png");
    assert!(apply(&table, &updates(count + 1), ALICE).is_ok());
    table.0.get_mut("asset:a").unwrap()["meta"] =
        json!({"hidden": vec![0; (limits::ITEM_IMAGE_BYTES_MAX - 4_096) / 9]});
    assert_eq!(why(&table, &updates(count + 1)), (count, Why::TooLarge));
    let huge = "x".repeat(limits::ITEM_ANSWER_BYTES_MAX + 1);
    let text = super::rich_text::whole(super::rich_text::paragraphs(&huge));
    drawn(
        &mut table,
        "huge",
        "note",
        json!({}),
        json!({"scale": 1, "richText": text}),
    );
    assert!(apply(&table, &[update("huge", json!({"x": 1}))], ALICE).is_ok());
}
