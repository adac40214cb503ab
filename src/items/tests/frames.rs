//! Which frame an item lies in that is put somewhere.

use super::*;

/// A frame of 600 x 400 at 100, 100.
fn framed() -> Table {
    let mut table = Table::default();
    made(&mut table, "f", json!({"type": "frame", "x": 100, "y": 100}));
    table
}

fn note(x: i32, y: i32) -> Value {
    json!({"type": "sticky", "x": x, "y": y})
}

#[track_caller]
fn lies_in(table: &Table, at: &str, parent: &str) {
    assert_eq!(record(table, &format!("shape:{at}"))["parentId"], parent);
}

#[test]
fn what_is_put_into_a_frame_moves_with_it() {
    let mut table = framed();
    contains(
        &made(&mut table, "in", note(120, 150)),
        &json!({"x": 120, "y": 150}),
    );
    lies_in(&table, "in", "shape:f");
    let child = record(&table, "shape:in");
    assert_eq!(
        (&child["x"], &child["y"], &child["index"]),
        (&json!(20), &json!(50), &json!("a1"))
    );
    patched(&mut table, "f", json!({"x": 1_100, "y": 0}));
    contains(&shown(&table, "in"), &json!({"x": 1_120, "y": 50}));
    made(&mut table, "second", note(1_200, 50));
    assert_eq!(record(&table, "shape:second")["index"], "a2", "above the first");
}

#[test]
fn its_middle_decides() {
    // A note is 200 wide and high.
    for (x, y, parent) in [
        (0, 0, "shape:f"),
        (-1, 0, "page:page"),
        (0, -1, "page:page"),
        (600, 400, "shape:f"),
        (601, 400, "page:page"),
        (600, 401, "page:page"),
    ] {
        let mut table = framed();
        contains(&made(&mut table, "n", note(x, y)), &json!({"x": x, "y": y}));
        lies_in(&table, "n", parent);
    }
}

#[test]
fn who_is_moved_out_or_into_another_changes_frames() {
    let mut table = framed();
    made(&mut table, "g", json!({"type": "frame", "x": 1_000, "y": 100}));
    made(&mut table, "n", note(150, 150));
    for (x, parent) in [(1_100, "shape:g"), (5_000, "page:page"), (200, "shape:f")] {
        contains(
            &patched(&mut table, "n", json!({"x": x})),
            &json!({"x": x, "y": 150}),
        );
        lies_in(&table, "n", parent);
    }
    // What is not moved stays where it is, whatever comes over it.
    patched(&mut table, "g", json!({"x": 100, "y": 100}));
    patched(&mut table, "n", json!({"content": {"text": "still here"}}));
    lies_in(&table, "n", "shape:f");
}

#[test]
fn turned_frames_take_what_they_show_and_it_looks_the_same() {
    let mut table = framed();
    // About its corner at 100, 100: it lies to the left and below now.
    table.0.get_mut("shape:f").unwrap()["rotation"] = json!(std::f64::consts::FRAC_PI_2);
    made(&mut table, "right", note(300, 200));
    lies_in(&table, "right", "page:page");
    contains(
        &made(&mut table, "left", note(-200, 300)),
        &json!({"x": -200, "y": 300}),
    );
    lies_in(&table, "left", "shape:f");
    let angle = |table: &Table| record(table, "shape:left")["rotation"].as_f64().unwrap();
    assert!(
        (angle(&table) + std::f64::consts::FRAC_PI_2).abs() < 1e-9,
        "it is not turned"
    );
    patched(&mut table, "left", json!({"x": 5_000}));
    assert!(angle(&table).abs() < 1e-9);
}

#[test]
fn the_topmost_frame_takes_it_that_shows_it_and_is_free() {
    let mut table = framed();
    made(
        &mut table,
        "inner",
        json!({"type": "frame", "x": 200, "y": 200, "width": 300, "height": 250}),
    );
    lies_in(&table, "inner", "shape:f");
    made(
        &mut table,
        "above",
        json!({"type": "frame", "x": 100, "y": 100, "width": 610, "height": 410}),
    );
    lies_in(&table, "above", "page:page");
    made(&mut table, "n", note(230, 230));
    lies_in(&table, "n", "shape:above");
    table.0.get_mut("shape:above").unwrap()["isLocked"] = json!(true);
    // In a locked one it stays, and nothing new comes in.
    patched(&mut table, "n", json!({"x": 231}));
    lies_in(&table, "n", "shape:above");
    made(&mut table, "deep", note(230, 230));
    lies_in(&table, "deep", "shape:inner");
    // What of the inner one is not shown takes nothing.
    patched(&mut table, "inner", json!({"x": 550}));
    lies_in(&table, "inner", "shape:f");
    made(&mut table, "cut", note(680, 250));
    lies_in(&table, "cut", "page:page");
    // Another page's frames are far away.
    table.0.get_mut("shape:f").unwrap()["parentId"] = json!("page:other");
    table.0.get_mut("shape:above").unwrap()["parentId"] = json!("page:other");
    made(&mut table, "here", note(230, 230));
    lies_in(&table, "here", "page:page");
}

#[test]
fn a_larger_frame_lies_in_no_smaller_one_and_none_in_itself() {
    let mut table = framed();
    made(
        &mut table,
        "around",
        json!({"type": "frame", "x": 0, "y": 0, "width": 800, "height": 600}),
    );
    lies_in(&table, "around", "page:page");
    patched(&mut table, "f", json!({"x": 110}));
    lies_in(&table, "f", "shape:around");
    // Around what it lies in, though it would fit.
    patched(&mut table, "f", json!({"width": 900, "height": 700}));
    patched(&mut table, "around", json!({"x": 10}));
    lies_in(&table, "around", "page:page");
}

#[test]
fn what_is_in_a_group_stays_in_it() {
    let mut table = framed();
    drawn(
        &mut table,
        "group",
        "group",
        json!({"x": 2_000, "y": 2_000}),
        json!({}),
    );
    made(&mut table, "n", note(2_000, 2_000));
    table.0.get_mut("shape:n").unwrap()["parentId"] = json!("shape:group");
    contains(
        &patched(&mut table, "n", json!({"x": 150, "y": 150})),
        &json!({"x": 150, "y": 150}),
    );
    lies_in(&table, "n", "shape:group");
}

#[test]
fn a_batch_puts_into_the_frame_that_it_makes() {
    let mut table = Table::default();
    let operations = [
        create("f", json!({"type": "frame", "x": 0, "y": 0})),
        create("n", note(10, 10)),
        update("f", json!({"x": 1_000})),
        create("m", note(1_010, 10)),
        create("late", note(10, 10)),
        delete("f"),
    ];
    let plan = done(&mut table, ALICE, &operations);
    assert!(plan.writes.iter().all(|write| write.key != "shape:f"));
    for (at, x) in [("n", 1_010), ("m", 1_010), ("late", 10)] {
        lies_in(&table, at, "page:page");
        contains(&shown(&table, at), &json!({"x": x, "y": 10}));
    }
}

#[test]
fn among_more_frames_than_are_looked_through_items_stay() {
    let size = || json!({"w": 600, "h": 400});
    for (frames, parent) in [
        (limits::ITEM_FRAMES_MAX - 1, "shape:f"),
        (limits::ITEM_FRAMES_MAX, "shape:f"),
        (limits::ITEM_FRAMES_MAX + 1, "page:page"),
    ] {
        let mut table = framed();
        for n in 1..frames {
            drawn(
                &mut table,
                &format!("g{n}"),
                "frame",
                json!({"x": 10_000, "y": 0}),
                size(),
            );
        }
        made(&mut table, "n", note(150, 150));
        lies_in(&table, "n", parent);
        // And what is in one stays in it.
        table.0.get_mut("shape:n").unwrap()["parentId"] = json!("shape:f");
        patched(&mut table, "n", json!({"x": 160}));
        lies_in(&table, "n", "shape:f");
    }
}

#[test]
fn of_frames_only_the_place_is_read() {
    let mut watched = places::Watched::default();
    for n in 0..20 {
        drawn(
            &mut watched.table,
            &format!("f{n}"),
            "frame",
            json!({"x": n, "y": 0}),
            json!({"w": 600, "h": 400}),
        );
    }
    let plan = apply(&watched, &[create("n", note(100, 100))], ALICE).unwrap();
    assert!(plan.writes.iter().any(|write| write.key == "shape:n"));
    assert!(
        watched
            .whole
            .borrow()
            .iter()
            .all(|key| !key.starts_with("shape:f"))
    );
}
