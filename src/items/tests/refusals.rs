//! What is refused, and the bounds at their edges.

use super::*;

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
        assert_eq!(crate::items::text_bytes(&item.json), counted);
        assert!(item.bytes > counted, "its record has more");
        patched(&mut table, "a", item.json);
    }
}
