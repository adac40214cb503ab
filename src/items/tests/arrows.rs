//! Arrows: what is left of them where an item goes, what people drew, and what strangers wrote.

use super::connectors::{bound, from_to, on, pair};
use super::*;

#[test]
fn a_deleted_item_leaves_its_connectors_at_its_edge() {
    let mut table = pair();
    let elbow = json!({"kind": "elbow", "arrow_start": "arrow", "size": "xl"});
    for (at, style) in [
        ("c", json!({})),
        ("d", elbow),
        ("e", json!({"arrow_end": "none"})),
    ] {
        let mut item = from_to(on("a"), on("b"));
        item["style"] = style;
        made(&mut table, at, item);
    }
    made(
        &mut table,
        "near",
        from_to(
            json!({"x": 450, "y": 60}),
            json!({"item": "b", "anchor": {"x": 1, "y": 1}}),
        ),
    );
    table.0.get_mut("binding:e-start").unwrap()["props"]["isExact"] = true.into();
    let before = record(&table, "shape:c").clone();
    let plan = done(&mut table, BOB, &[delete("b")]);
    assert_eq!(
        plan.writes.len(),
        1 + 4 + 4,
        "the item, four arrows, four bindings"
    );
    // The head keeps a distance of 10 and half the strokes; without a head there is none.
    for (at, x) in [("c", json!(386.5)), ("d", json!(383.25)), ("e", json!(400))] {
        assert_eq!(shown(&table, at)["to"], json!({"x": x, "y": 50}), "{at}");
        assert_eq!(shown(&table, at)["from"], on("a"), "{at}");
    }
    // One that ends inside stays where it was.
    assert_eq!(shown(&table, "near")["to"], json!({"x": 500, "y": 100}));
    let after = record(&table, "shape:c");
    assert_eq!(
        [&before["meta"], &before["x"]],
        [&after["meta"], &after["x"]],
        "nobody changed it"
    );
    done(&mut table, BOB, &[delete("a")]);
    assert_eq!(shown(&table, "d")["from"], json!({"x": 116.75, "y": 50}));
    assert_eq!(
        shown(&table, "e")["from"],
        json!({"x": 50, "y": 50}),
        "it went on to its anchor"
    );
    assert!(table.0.keys().all(|key| !key.starts_with("binding:")));
}

#[test]
fn a_deleted_connector_takes_its_bindings_along() {
    let mut table = pair();
    made(&mut table, "c", from_to(on("a"), on("b")));
    let plan = done(&mut table, BOB, &[delete("c")]);
    assert_eq!(plan.writes.len(), 3);
    assert!(
        table
            .0
            .keys()
            .all(|key| !key.contains("binding") && key != "shape:c")
    );
}

#[test]
fn arrows_that_people_drew_are_connectors() {
    let mut table = pair();
    drawn(
        &mut table,
        "film",
        "video",
        json!({"x": 0, "y": 1_000}),
        json!({"w": 100, "h": 60}),
    );
    let props = json!({
        "kind": "arc", "labelColor": "black", "color": "blue", "fill": "none", "dash": "draw", "size": "m",
        "arrowheadStart": "none", "arrowheadEnd": "arrow", "font": "draw", "start": {"x": 5, "y": 6},
        "end": {"x": 2, "y": 0}, "bend": 33.5, "text": "hm", "labelPosition": 0.5, "scale": 1, "elbowMidPoint": 0.5,
    });
    drawn(&mut table, "w", "arrow", json!({}), props);
    let item = shown(&table, "w");
    assert_eq!([&item["type"], &item["content"]["text"]], ["connector", "hm"]);
    assert_eq!(
        [&item["from"], &item["to"]],
        [&json!({"x": 15, "y": 26}), &json!({"x": 12, "y": 20})]
    );
    assert_eq!(item["style"]["bend"], 33.5);
    let binding = |key: &str, to: &str, props: Value| {
        let binding = json!({
            "id": key, "typeName": "binding", "type": "arrow", "fromId": "shape:w", "toId": to, "props": props, "meta": {},
        });
        (key.to_owned(), object(binding))
    };
    let loose = json!({"terminal": "start", "normalizedAnchor": {"x": 0.1, "y": 0.9}, "isExact": false, "isPrecise": false, "snap": "none"});
    let firm = json!({"terminal": "end", "normalizedAnchor": {"x": 0.1, "y": 0.5}, "isExact": true, "isPrecise": true, "snap": "edge"});
    table.0.extend([
        binding("binding:xQ", "shape:a", loose),
        binding("binding:zP", "shape:film", firm.clone()),
    ]);
    let item = shown(&table, "w");
    // A film is no item.
    assert_eq!(
        [&item["from"], &item["to"]],
        [&on("a"), &json!({"x": 10, "y": 1_030})]
    );
    // What the change does not name stays, bound to whatever it is.
    done(
        &mut table,
        BOB,
        &[update("w", json!({"content": {"text": "ah"}, "from": on("b")}))],
    );
    assert_eq!(record(&table, "binding:zP")["props"], firm);
    assert_eq!(
        bound(&table, "binding:xQ")[1],
        "shape:b",
        "the binding that is there"
    );
    assert_eq!(shown(&table, "w")["from"], on("b"));
    // Of two for one end, the first counts, and naming the end leaves one.
    let more = binding(
        "binding:xA",
        "shape:a",
        json!({"terminal": "start", "normalizedAnchor": {"x": 0.5, "y": 0.5}, "isPrecise": false}),
    );
    table.0.extend([more]);
    assert_eq!(shown(&table, "w")["from"], on("a"));
    patched(
        &mut table,
        "w",
        json!({"from": {"item": "a", "anchor": {"x": 0, "y": 0}}}),
    );
    assert_eq!(bound(&table, "binding:xQ"), Value::Null);
    assert_eq!(record(&table, "binding:xA")["props"]["snap"], "none");
    patched(&mut table, "w", json!({"from": {"x": 1, "y": 2}}));
    assert_eq!(bound(&table, "binding:xA"), Value::Null);
}

#[test]
fn what_strangers_bound_does_no_harm() {
    let mut table = pair();
    made(&mut table, "c", from_to(on("a"), on("b")));
    made(&mut table, "d", from_to(json!({"x": 0, "y": 0}), on("b")));
    // To itself, to another arrow, to nothing, to nowhere; and more bindings than anybody needs.
    for (n, to) in ["shape:c", "shape:d", "shape:none", "nowhere", "shape:batch"]
        .into_iter()
        .enumerate()
    {
        let mut table = table.clone();
        let binding = table.0.get_mut("binding:c-start").unwrap();
        binding["toId"] = to.into();
        let item = shown(&table, "c");
        assert_eq!(item["from"], json!({"x": 50, "y": 50}), "{n}");
        patched(&mut table, "c", json!({"from": on("a")}));
        assert_eq!(shown(&table, "c")["from"], on("a"));
        done(&mut table, BOB, &[delete("c")]);
    }
    let one = record(&table, "binding:c-start").clone();
    for n in 0..100 {
        let mut more = one.clone();
        more.insert("toId".to_owned(), format!("shape:{n}").into());
        table.0.insert(format!("binding:c-start-{n}"), more);
    }
    assert_eq!(shown(&table, "c")["from"], on("a"));
    patched(&mut table, "c", json!({"from": {"x": 1, "y": 2}}));
    assert_eq!(shown(&table, "c")["from"], json!({"x": 1, "y": 2}));
    // Its id is taken: it gets another.
    table
        .0
        .insert("binding:n-start".to_owned(), object(json!({"typeName": "x"})));
    made(&mut table, "n", from_to(on("a"), on("b")));
    assert_eq!(shown(&table, "n")["from"], on("a"));
    assert_eq!(bound(&table, "binding:n-start-1000-1")[1], "shape:a");
    // An arrow in which what it connects lies.
    table.0.get_mut("shape:a").unwrap()["parentId"] = "shape:n".into();
    patched(
        &mut table,
        "n",
        json!({"to": {"item": "a", "anchor": {"x": 0, "y": 0}}}),
    );
    assert_eq!(record(&table, "shape:n")["parentId"], "page:page");
}

#[test]
fn another_server_may_tell_of_a_connector() {
    let mut table = pair();
    made(&mut table, "c", from_to(on("a"), on("b")));
    let item = object(shown(&table, "c"));
    let mut other = pair();
    let plan = done(
        &mut other,
        BOB,
        &[Operation::Create {
            item: crate::items::told(item.clone()),
            id: id("c"),
            request: None,
        }],
    );
    assert_eq!(plan.outcomes.len(), 1);
    assert_eq!(shown(&other, "c")["to"], on("b"));
    // With what follows from its ends it is refused.
    refused(&pair(), create("c", Value::Object(item)), "height");
}
