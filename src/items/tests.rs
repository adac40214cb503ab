//! Tests of items as values: what is made, read and patched, and what all of these tests share.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::fuzzing::Table;
use super::{Item, Operation, Outcome, Plan, Record, Records, Refused, Stamp, Why, apply, ids, read};
use crate::ids::ItemId;
use crate::limits;
use crate::time::UnixMillis;

mod arrows;
mod batches;
mod common;
mod connectors;
mod filter;
mod frames;
mod layout;
mod order;
mod places;
mod points;
mod refusals;
mod space;

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
        ("space", "frame"),
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
    assert_eq!(text, ["B", "a", "b", "c", "e", "f"]);
    assert!(ids.iter().all(|id| read(&table, id).is_some()));
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
