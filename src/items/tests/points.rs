//! Lines, highlights and drawings.

use super::*;

fn segments(points: Value) -> Value {
    json!({"segments": [{"type": "free", "points": points}], "size": "l", "color": "red"})
}

#[test]
fn what_people_draw_has_its_points_on_the_page() {
    let mut table = Table::default();
    let two = json!({"segments": [
        {"type": "free", "points": [{"x": 0, "y": 0, "z": 0.5}, {"x": -5, "y": 8}]},
        {"type": "straight", "points": [{"x": 5, "y": 4.5}, {"x": 1}, null, 7]}, {"points": 3}, 4]});
    drawn(&mut table, "d", "draw", json!({}), two);
    let item = shown(&table, "d");
    contains(
        &item,
        &json!({"type": "draw", "x": 5, "y": 20, "width": 10, "height": 8, "content": {}, "opacity": 0.5,
            "points": [[10, 20], [5, 28], [15, 24.5]], "points_total": 3}),
    );
    contains(
        &item["style"],
        &json!({"color": "black", "size": "m", "fill": "none", "dash": "draw"}),
    );
    let point = |index: &str, x: i32| json!({"id": index, "index": index, "x": x, "y": 0});
    let props = json!({"points": {"b": point("a2", 7), "a": point("a1", 0), "c": point("a1V", 3)}, "spline": "cubic"});
    drawn(
        &mut table,
        "l",
        "line",
        json!({"rotation": std::f64::consts::FRAC_PI_2}),
        props,
    );
    contains(
        &shown(&table, "l"),
        &json!({"type": "line", "x": 10, "y": 20, "width": 7, "height": 0, "points": [[10, 20], [10, 23], [10, 27]]}),
    );
    drawn(&mut table, "h", "highlight", json!({}), segments(json!([])));
    contains(
        &shown(&table, "h"),
        &json!({"x": 10, "y": 20, "width": 0, "height": 0, "points": [], "points_total": 0}),
    );
    assert_eq!(shown(&table, "h")["style"], json!({"color": "red", "size": "l"}));
}

#[test]
fn of_many_points_some_are_shown_the_last_one_too() {
    for (count, step) in [(limits::ITEM_POINTS_MAX, 1), (limits::ITEM_POINTS_MAX * 2 - 1, 2)] {
        let mut table = Table::default();
        let points: Vec<Value> = (0..count).map(|x| json!({"x": x, "y": 0})).collect();
        drawn(
            &mut table,
            "d",
            "draw",
            json!({"x": 0, "y": 0}),
            segments(points.into()),
        );
        let item = shown(&table, "d");
        assert_eq!(item["points_total"], count);
        let shown = item["points"].as_array().unwrap();
        assert_eq!(shown.len(), limits::ITEM_POINTS_MAX);
        for (n, point) in shown.iter().enumerate() {
            assert_eq!(*point, json!([n * step, 0]));
        }
        contains(&item, &json!({"width": count - 1}));
    }
}

#[test]
fn they_are_moved_turned_faded_and_deleted() {
    let mut table = Table::default();
    drawn(
        &mut table,
        "d",
        "draw",
        json!({}),
        segments(json!([{"x": 0, "y": 0}, {"x": -5, "y": 8}])),
    );
    let before = record(&table, "shape:d")["props"].clone();
    let moved = patched(&mut table, "d", json!({"x": 100, "opacity": 0.75, "z": "front"}));
    contains(
        &moved,
        &json!({"x": 100, "y": 20, "points": [[105, 20], [100, 28]], "opacity": 0.75}),
    );
    assert_eq!(record(&table, "shape:d")["x"], 105);
    assert_eq!(record(&table, "shape:d")["props"], before);
    // About the corner that is shown, which is not where the first point is.
    let turned = patched(&mut table, "d", json!({"rotation": std::f64::consts::FRAC_PI_2}));
    contains(
        &turned,
        &json!({"x": 100, "y": 20, "points": [[100, 25], [92, 20]]}),
    );
    patched(
        &mut table,
        "d",
        json!({"style": {"color": "blue", "fill": "solid"}}),
    );
    contains(
        &record(&table, "shape:d")["props"],
        &json!({"color": "blue", "fill": "solid", "size": "l"}),
    );
    for field in ["width", "height", "points_total"] {
        let mut patch = Record::new();
        patch.insert(field.to_owned(), json!(70));
        refused(&table, update("d", Value::Object(patch)), field);
    }
    refused(
        &table,
        update("d", json!({"content": {"text": "x"}})),
        "content.text",
    );
    let item = shown(&table, "d");
    let whole = apply(&table, &[update("d", item)], BOB).unwrap();
    assert_eq!(whole.writes, []);
    let floats = json!({"points": [[100.0, 25.0], [92.0, 20.0]]});
    assert_eq!(apply(&table, &[update("d", floats)], BOB).unwrap().writes, []);
    done(&mut table, ALICE, &[delete("d")]);
    assert_eq!(read(&table, &id("d")), None);
}

#[test]
fn they_lie_in_the_frame_that_shows_their_middle() {
    let mut table = Table::default();
    made(
        &mut table,
        "f",
        json!({"type": "frame", "x": 0, "y": 0, "rotation": 0.5}),
    );
    let points = json!([[50, 100], [20, 150], [80.5, 160]]);
    let item = made(&mut table, "d", json!({"type": "line", "points": points}));
    assert_eq!((&item["points"], &item["parent"]), (&points, &json!("f")));
    assert_eq!(item.get("rotation"), None, "as it looks on the page");
    let moved = patched(&mut table, "d", json!({"x": 5_020}));
    assert_eq!(
        moved["points"],
        json!([[5_050, 100], [5_020, 150], [5_080.5, 160]])
    );
    assert_eq!(moved.get("parent"), None);
}

#[test]
fn they_are_drawn_by_their_points() {
    let mut table = Table::default();
    for kind in ["line", "draw", "highlight"] {
        let item = made(
            &mut table,
            kind,
            json!({"type": kind, "points": [[5, 5], [-5, 10.5]], "style": {"size": "xl"}}),
        );
        contains(
            &item,
            &json!({"x": -5, "y": 5, "width": 10, "height": 5.5, "points": [[5, 5], [-5, 10.5]], "points_total": 2}),
        );
        let again = patched(
            &mut table,
            kind,
            json!({"points": [[0, 0], [1, 1], [0, 0]], "rotation": 1}),
        );
        assert_eq!(again["points"], json!([[0, 0], [1, 1], [0, 0]]));
    }
    let props = |at: &str| record(&table, at)["props"].clone();
    assert_eq!(props("shape:draw")["isClosed"], true);
    assert_eq!(props("shape:highlight").get("isClosed"), None);
    assert_eq!(props("shape:line")["points"]["a3"]["id"], "a3");
    let many = |count: usize| json!({"type": "draw", "points": vec![[0, 0]; count]});
    assert!(apply(&table, &[create("x", many(limits::ITEM_POINTS_MAX))], ALICE).is_ok());
    for (item, field) in [
        (many(limits::ITEM_POINTS_MAX + 1), "points"),
        (many(1), "points"),
        (json!({"type": "line"}), "points"),
        (json!({"type": "line", "x": 1, "points": [[0, 0], [1, 1]]}), "x"),
        (
            json!({"type": "line", "width": 1, "points": [[0, 0], [1, 1]]}),
            "width",
        ),
        (json!({"type": "line", "points": [[0, 0], [1, 1, 1]]}), "points"),
        (json!({"type": "line", "points": [[0, 0], [1, 1e9]]}), "points"),
        (json!({"type": "line", "points": [[0, 0], ["1", 1]]}), "points"),
        (
            json!({"type": "line", "points": [[0, 0], {"x": 1, "y": 1}]}),
            "points",
        ),
        (
            json!({"type": "sticky", "x": 0, "y": 0, "points": [[0, 0], [1, 1]]}),
            "points",
        ),
    ] {
        refused(&table, create("x", item), field);
    }
}

#[test]
fn another_server_is_asked_for_what_does_not_follow() {
    let mut table = Table::default();
    made(&mut table, "f", json!({"type": "frame", "x": 0, "y": 0}));
    let told = |item: Value| Value::Object(crate::items::told(object(item)));
    let item = told(made(
        &mut table,
        "l",
        json!({"type": "line", "points": [[0, 0], [9, 9]]}),
    ));
    let mut other = Table::default();
    contains(
        &made(&mut other, "l", item),
        &json!({"points": [[0, 0], [9, 9]], "points_total": 2}),
    );
    // Of more points than are shown, nobody can make the others.
    let thinned = told(json!({"type": "draw", "x": 1, "points": [[0, 0]], "points_total": 2, "parent": "f"}));
    assert_eq!(thinned, json!({"type": "draw", "x": 1}));
}
