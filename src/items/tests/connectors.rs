//! Connectors: made, read, changed, released; what people drew, and what strangers wrote.

use super::*;

/// Two shapes, 100 x 100, on a line.
pub(super) fn pair() -> Table {
    let mut table = Table::default();
    for (at, x) in [("a", 0), ("b", 400)] {
        made(
            &mut table,
            at,
            json!({"type": "shape", "x": x, "y": 0, "width": 100, "height": 100}),
        );
    }
    table
}

pub(super) fn from_to(from: Value, to: Value) -> Value {
    json!({"type": "connector", "from": from, "to": to})
}

pub(super) fn on(item: &str) -> Value {
    json!({"item": item})
}

/// What a binding says.
pub(super) fn bound(table: &Table, key: &str) -> Value {
    let Some(binding) = table.0.get(key) else {
        return Value::Null;
    };
    let props = &binding["props"];
    json!([
        binding["fromId"],
        binding["toId"],
        props["terminal"],
        props["isPrecise"],
        props["normalizedAnchor"]
    ])
}

/// Where the arrow's own record has its ends, on the page; it must not be turned.
fn stored(table: &Table, at: &str) -> [f64; 4] {
    let arrow = record(table, &format!("shape:{at}"));
    let number = |value: &Value| value.as_f64().unwrap();
    let (x, y) = (number(&arrow["x"]), number(&arrow["y"]));
    let end = |name: &str| {
        let end = &arrow["props"][name];
        [x + number(&end["x"]), y + number(&end["y"])]
    };
    let ([x1, y1], [x2, y2]) = (end("start"), end("end"));
    [x1, y1, x2, y2]
}

#[test]
fn a_connector_is_an_arrow_with_a_binding_an_end() {
    let mut table = pair();
    let to = json!({"item": "b", "anchor": {"x": 0, "y": 0.25}});
    let item = made(&mut table, "c", from_to(on("a"), to.clone()));
    assert_eq!([&item["from"], &item["to"]], [&on("a"), &to]);
    assert_eq!(
        [&item["x"], &item["y"], &item["width"], &item["height"]],
        [&json!(50), &json!(25), &json!(350), &json!(25)]
    );
    assert_eq!(
        item["style"],
        json!({
            "color": "black", "size": "m", "font": "draw", "dash": "draw",
            "arrow_start": "none", "arrow_end": "arrow", "kind": "arc", "bend": 0,
        })
    );
    assert_eq!(item["content"], json!({"text": ""}));
    assert_eq!(
        bound(&table, "binding:c-start"),
        json!(["shape:c", "shape:a", "start", false, {"x": 0.5, "y": 0.5}])
    );
    assert_eq!(
        bound(&table, "binding:c-end"),
        json!(["shape:c", "shape:b", "end", true, {"x": 0, "y": 0.25}])
    );
    assert_eq!(stored(&table, "c"), [50.0, 50.0, 400.0, 25.0]);
    let arrow = record(&table, "shape:c");
    assert_eq!(
        [&arrow["type"], &arrow["parentId"], &arrow["index"]],
        ["arrow", "page:page", "a3"]
    );
}

#[test]
fn ends_may_be_places_and_everything_may_change() {
    let mut table = pair();
    let place = |x, y| json!({"x": x, "y": y});
    made(&mut table, "c", from_to(place(10, 20), place(-30, 5)));
    assert_eq!(stored(&table, "c"), [10.0, 20.0, -30.0, 5.0]);
    let style = json!({
        "color": "red", "size": "l", "dash": "dotted", "font": "mono", "arrow_start": "dot", "arrow_end": "none",
        "kind": "elbow", "bend": -12.5,
    });
    let item = patched(
        &mut table,
        "c",
        json!({"to": on("b"), "content": {"text": "yes"}, "style": style}),
    );
    assert_eq!(
        [&item["from"], &item["to"], &item["style"]],
        [&place(10, 20), &on("b"), &style]
    );
    assert_eq!(record(&table, "shape:c")["props"]["text"], "yes");
    assert_eq!(stored(&table, "c"), [10.0, 20.0, 450.0, 50.0]);
    // Another item, through the same binding; and what is left out stays.
    let item = patched(
        &mut table,
        "c",
        json!({"to": {"item": "a"}, "style": {"bend": null}}),
    );
    assert_eq!([&item["to"], &item["style"]["bend"]], [&on("a"), &json!(0)]);
    let item = patched(
        &mut table,
        "c",
        json!({"to": {"anchor": {"x": 1, "y": 1}}, "style": null}),
    );
    assert_eq!(item["to"], json!({"item": "a", "anchor": {"x": 1, "y": 1}}));
    assert_eq!(item["style"]["arrow_end"], "arrow");
    let item = patched(&mut table, "c", json!({"to": {"anchor": {"y": 0}}}));
    assert_eq!(item["to"], json!({"item": "a", "anchor": {"x": 1, "y": 0}}));
    let item = patched(&mut table, "c", json!({"to": {"anchor": null}}));
    assert_eq!(item["to"], on("a"));
    // A place takes the item's place, and the other way round.
    let item = patched(&mut table, "c", json!({"to": {"x": 7, "y": 8}, "from": on("b")}));
    assert_eq!([&item["from"], &item["to"]], [&on("b"), &place(7, 8)]);
    assert_eq!(bound(&table, "binding:c-end"), Value::Null);
    let item = patched(&mut table, "c", json!({"to": {"y": 9}}));
    assert_eq!(item["to"], place(7, 9));
    assert_eq!(item["updated_by"], "key:k1");
}

#[test]
fn a_connector_follows_by_its_bindings_alone_and_its_revision_with_it() {
    let mut table = pair();
    made(&mut table, "c", from_to(on("a"), on("b")));
    let before = read(&table, &id("c")).unwrap();
    let plan = done(&mut table, BOB, &[update("b", json!({"y": 200}))]);
    let keys: Vec<&str> = plan.writes.iter().map(|write| write.key.as_str()).collect();
    assert_eq!(keys, ["shape:b"]);
    let after = read(&table, &id("c")).unwrap();
    assert_eq!(
        [&after.json["height"], &after.json["to"]],
        [&json!(200), &on("b")]
    );
    assert_ne!(before.revision, after.revision);
    // And with its bindings.
    table.0.get_mut("binding:c-end").unwrap()["props"]["snap"] = "edge".into();
    assert_ne!(read(&table, &id("c")).unwrap().revision, after.revision);
}

#[test]
fn a_batch_connects_what_it_makes_before_or_after() {
    let mut table = pair();
    let shape = |x: i32| json!({"type": "shape", "x": x, "y": 1_000, "width": 100, "height": 100});
    let plan = done(
        &mut table,
        ALICE,
        &[
            create("c", from_to(on("late"), on("early"))),
            update("c", json!({"content": {"text": "x"}})),
            create("early", shape(0)),
            create("d", from_to(on("early"), on("late"))),
            create("late", shape(300)),
        ],
    );
    for (index, outcome) in plan.outcomes.iter().enumerate() {
        let item = &outcome.items()[0];
        assert_eq!(
            read(&table, &id(item.json["id"].as_str().unwrap())).as_ref(),
            Some(item),
            "{index}"
        );
    }
    assert_eq!(stored(&table, "c"), [350.0, 1_050.0, 50.0, 1_050.0]);
    assert_eq!(shown(&table, "c")["from"], on("late"));
    // Above what it connects, as tldraw has it.
    let index = |key: &str| record(&table, key)["index"].as_str().unwrap().to_owned();
    assert!(index("shape:c") > index("shape:late") && index("shape:d") > index("shape:late"));
    // All or nothing: it is the connector that is at fault, wherever it stands.
    for (operations, at, field) in [
        (
            vec![create("e", from_to(on("a"), on("gone"))), create("x", shape(0))],
            0,
            "to.item",
        ),
        (
            vec![delete("a"), create("e", from_to(on("a"), on("b")))],
            1,
            "from.item",
        ),
        (
            vec![create("x", shape(0)), update("c", json!({"from": on("y")}))],
            1,
            "from.item",
        ),
    ] {
        let (index, why) = why(&table, &operations);
        assert!(
            matches!(&why, Why::Invalid { field: named, .. } if named == field),
            "{why:?}"
        );
        assert_eq!(index, at);
    }
    // What is deleted after it was connected leaves the connector.
    done(
        &mut table,
        ALICE,
        &[create("e", from_to(on("a"), on("b"))), delete("b")],
    );
    assert_eq!(shown(&table, "e")["to"], json!({"x": 386.5, "y": 50}));
    // One that the batch deletes again connects nothing.
    done(
        &mut table,
        ALICE,
        &[create("f", from_to(on("a"), on("nowhere"))), delete("f")],
    );
    assert!(table.0.keys().all(|key| !key.starts_with("binding:f")));
}

#[test]
fn a_repeated_request_connects_nothing_again() {
    let mut table = pair();
    let request = [
        requested("c", from_to(on("n"), on("b")), "r"),
        requested("n", json!({"type": "sticky", "x": 0, "y": 300}), "r"),
    ];
    done(&mut table, ALICE, &request);
    assert_eq!(done(&mut table, ALICE, &request).writes, []);
    done(&mut table, ALICE, &[delete("b"), delete("c")]);
    let plan = done(&mut table, ALICE, &request);
    assert_eq!(plan.writes, []);
    assert!(matches!(plan.outcomes[0], Outcome::Repeated(_)));
}

#[test]
fn wrong_ends_are_named() {
    let mut table = pair();
    made(&mut table, "c", from_to(on("a"), on("b")));
    let place = json!({"x": 1, "y": 2});
    for (field, from) in [
        ("from", Value::Null),
        ("from", json!("a")),
        ("from.id", json!({"id": "a"})),
        ("from.item", json!({"item": "gone"})),
        ("from.item", json!({"item": 1})),
        ("from.item", json!({"item": "c"})),
        ("from.x", json!({"item": "a", "x": 1})),
        ("from.y", json!({"item": "a", "y": 1})),
        ("from.x", json!({"y": 1})),
        ("from.y", json!({"x": 1, "y": "1"})),
        ("from.y", json!({"x": 1, "y": 1.1e8})),
        ("from.anchor", json!({"x": 1, "y": 1, "anchor": {"x": 0, "y": 0}})),
        ("from.anchor", json!({"item": "a", "anchor": 1})),
        (
            "from.anchor.x",
            json!({"item": "a", "anchor": {"x": 1.1, "y": 0}}),
        ),
        ("from.anchor.y", json!({"item": "a", "anchor": {"x": 0}})),
        (
            "from.anchor.y",
            json!({"item": "a", "anchor": {"x": 0, "y": -0.1}}),
        ),
        (
            "from.anchor.z",
            json!({"item": "a", "anchor": {"x": 0, "y": 0, "z": 0}}),
        ),
    ] {
        refused(&table, create("d", from_to(from, place.clone())), field);
    }
    refused(
        &table,
        create("d", json!({"type": "connector", "from": place})),
        "to",
    );
    refused(
        &table,
        create("d", json!({"type": "connector", "to": place})),
        "from",
    );
    refused(&table, create("d", from_to(on("a"), on("d"))), "to.item");
    let far = from_to(
        json!({"x": 0, "y": -1}),
        json!({"x": 0, "y": limits::ITEM_COORDINATE_MAX}),
    );
    refused(&table, create("d", far), "to");
    refused(&table, create("d", from_to(place.clone(), place)), "to");
}

#[test]
fn what_a_connector_cannot_have_is_named_and_what_only_it_can() {
    let mut table = pair();
    made(&mut table, "c", from_to(on("a"), on("b")));
    for (field, members) in [
        ("x", json!({"x": 1})),
        ("y", json!({"y": 1})),
        ("width", json!({"width": 10})),
        ("height", json!({"height": null})),
        ("from", json!({"from": null})),
        ("to.x", json!({"to": {"item": null}})),
        ("to", json!({"to": {"item": "a"}})),
        ("style.kind", json!({"style": {"kind": "curve"}})),
        ("style.arrow_end", json!({"style": {"arrow_end": "heart"}})),
        ("style.geo", json!({"style": {"geo": "star"}})),
        ("style.bend", json!({"style": {"bend": "1"}})),
        (
            "style.bend",
            json!({"style": {"bend": limits::ITEM_BEND_MAX + 1.0}}),
        ),
        ("content.title", json!({"content": {"title": "x"}})),
    ] {
        refused(&table, update("c", members), field);
    }
    for members in [
        json!({"style": {"bend": 1}}),
        json!({"style": {"kind": "arc"}}),
        json!({"from": on("b")}),
    ] {
        let field = members["style"]
            .as_object()
            .map(|style| format!("style.{}", style.keys().next().unwrap()));
        refused(&table, update("a", members), field.as_deref().unwrap_or("from"));
    }
    let bend = json!({"style": {"bend": -limits::ITEM_BEND_MAX}});
    assert_eq!(patched(&mut table, "c", bend)["style"]["bend"], json!(-10_000));
    // As it was read, it may be sent back.
    let whole = shown(&table, "c");
    assert_eq!(done(&mut table, BOB, &[update("c", whole)]).writes, []);
}

#[test]
fn what_is_on_another_page_is_not_connected() {
    let mut table = pair();
    let page = json!({"id": "page:two", "typeName": "page", "name": "2", "index": "a2", "meta": {}});
    table.0.insert("page:two".to_owned(), object(page));
    for at in ["far", "off"] {
        drawn(
            &mut table,
            at,
            "geo",
            json!({"parentId": "page:two"}),
            json!({"w": 10, "h": 10}),
        );
    }
    refused(&table, create("c", from_to(on("a"), on("far"))), "to.item");
    // A connector goes to the page of what it connects.
    made(&mut table, "c", from_to(on("far"), json!({"x": 0, "y": 0})));
    assert_eq!(record(&table, "shape:c")["parentId"], "page:two");
    refused(&table, update("c", json!({"to": on("b")})), "to.item");
    patched(&mut table, "c", json!({"from": on("a"), "to": on("b")}));
    assert_eq!(record(&table, "shape:c")["parentId"], "page:page");
}

#[test]
fn a_connector_within_a_frame_lies_in_it() {
    let mut table = Table::default();
    drawn(
        &mut table,
        "f",
        "frame",
        json!({"x": 1_000, "rotation": 0.5}),
        json!({"w": 600, "h": 400}),
    );
    for (at, x) in [("p", 0), ("q", 300)] {
        let inside = json!({"parentId": "shape:f", "x": x, "y": 0, "index": "a7"});
        drawn(&mut table, at, "geo", inside, json!({"w": 100, "h": 100}));
    }
    let page = json!({"id": "page:page", "typeName": "page", "name": "1", "index": "a1", "meta": {}});
    table.0.insert("page:page".to_owned(), object(page));
    let item = made(&mut table, "c", from_to(on("p"), on("q")));
    let arrow = record(&table, "shape:c");
    assert_eq!(
        [&arrow["parentId"], &arrow["index"]],
        [&json!("shape:f"), &json!("a8")]
    );
    // Upright, though the frame is turned.
    let (sin, cos) = 0.5_f64.sin_cos();
    let near = |value: &Value, wanted: f64| (value.as_f64().unwrap() - wanted).abs() < 1e-5;
    assert_eq!(arrow["rotation"], -0.5);
    assert!(near(&arrow["x"], 50.0) && near(&arrow["y"], 50.0), "{arrow:?}");
    assert!(near(&item["width"], 300.0 * cos), "{item}");
    assert!(near(&item["height"], 300.0 * sin), "{item}");
    assert!(near(&arrow["props"]["end"]["x"], 300.0 * cos), "{arrow:?}");
    // One end outside: on the page again.
    made(
        &mut table,
        "a",
        json!({"type": "shape", "x": 0, "y": 900, "width": 100, "height": 100}),
    );
    patched(&mut table, "c", json!({"to": on("a")}));
    let arrow = record(&table, "shape:c");
    assert_eq!(
        [&arrow["parentId"], &arrow["rotation"]],
        [&json!("page:page"), &json!(0)]
    );
    // The frame goes, and what it connected stays connected.
    patched(&mut table, "c", json!({"to": on("q")}));
    let before = shown(&table, "c");
    done(&mut table, BOB, &[delete("f")]);
    let after = shown(&table, "c");
    for member in ["from", "to", "x", "y", "width"] {
        assert_eq!(before[member], after[member], "{member}");
    }
    assert_eq!(record(&table, "shape:c")["parentId"], "page:page");
}
