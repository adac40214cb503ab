//! Several operations at once, and requests that are made again.

use super::*;

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
    drawn(&mut table, "film", "video", json!({}), json!({}));
    assert_eq!(
        why(
            &table,
            &[create(
                "film",
                json!({"id": "film", "type": "text", "x": 0, "y": 0})
            )]
        ),
        (0, Why::Exists)
    );
    assert_eq!(why(&table, &[update("film", json!({}))]), (0, Why::Absent));
    assert_eq!(why(&table, &[delete("film")]), (0, Why::Absent));
    assert_eq!(read(&table, &id("film")), None);
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
    drawn(&mut table, "b", "video", json!({}), json!({}));
    let again = apply(&table, &batch, ALICE).unwrap();
    assert_eq!(again.writes, []);
    let gone = Outcome::Deleted(None);
    assert_eq!(again.outcomes[1..], [gone.clone(), gone.clone(), gone]);
    let film = table.0.get_mut("shape:a").unwrap();
    film["type"] = json!("video");
    assert_eq!(
        why(&table, &batch[..1]),
        (0, Why::Exists),
        "what it made is no item now"
    );
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
    let text = crate::items::rich_text::whole(crate::items::rich_text::paragraphs(&huge));
    drawn(
        &mut table,
        "huge",
        "note",
        json!({}),
        json!({"scale": 1, "richText": text}),
    );
    assert!(apply(&table, &[update("huge", json!({"x": 1}))], ALICE).is_ok());
}
