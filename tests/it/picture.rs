//! `/v1/boards/{board}/picture.svg` and `.png`: who may see a board sees how it looks, and a picture refers
//! to nothing outside of itself.

use serde_json::{Value, json};

use crate::support::api::Api;
use crate::support::http::Answer;
use crate::support::server::Server;

const SVG: &str = "/v1/boards/b/picture.svg";
const PNG: &str = "/v1/boards/b/picture.png";

fn board() -> (Server, Api) {
    let server = Server::start();
    let alice = Api::user(&server, "alice");
    alice.must("POST", "/v1/boards", &json!({"id": "b"}), 201);
    (server, alice)
}

fn draw(alice: &Api, items: &[Value]) {
    let operations: Vec<Value> = items
        .iter()
        .map(|item| json!({"action": "create", "item": item}))
        .collect();
    alice.must(
        "POST",
        "/v1/boards/b/items/batch",
        &json!({ "operations": operations }),
        200,
    );
}

#[track_caller]
fn svg(answer: &Answer) -> String {
    assert_eq!(
        (answer.status, answer.field("content-type")),
        (200, Some("image/svg+xml"))
    );
    let text = String::from_utf8(answer.body.clone()).unwrap();
    assert!(
        text.starts_with("<svg xmlns=") && text.ends_with("</svg>"),
        "{text}"
    );
    text
}

/// Width and height of a PNG, by its header.
#[track_caller]
fn png_size(answer: &Answer) -> (u32, u32) {
    assert_eq!(
        (answer.status, answer.field("content-type")),
        (200, Some("image/png"))
    );
    let side = |at: usize| u32::from_be_bytes(answer.body[at..at + 4].try_into().unwrap());
    (side(16), side(20))
}

#[test]
fn a_board_is_drawn_whole_or_in_part_and_as_large_as_asked_for() {
    let (_server, alice) = board();
    assert!(
        svg(&alice.get(SVG)).contains("width=\"64\" height=\"64\""),
        "an empty one is small"
    );
    draw(
        &alice,
        &[
            json!({"id": "f", "type": "frame", "x": 0, "y": 0, "width": 400, "height": 300, "content": {"title": "Plans"}}),
            json!({"id": "a", "type": "shape", "x": 20, "y": 20, "width": 100, "height": 80, "style": {"color": "red", "fill": "solid"}}),
            json!({"id": "b", "type": "sticky", "x": 600, "y": 0, "content": {"text": "hi"}}),
            json!({"id": "c", "type": "connector", "from": {"item": "a"}, "to": {"item": "b"}, "content": {"text": "to"}}),
        ],
    );
    let whole = svg(&alice.get(SVG));
    assert!(whole.contains("viewBox=\"-32 -32 864 364\""), "{whole}");
    assert!(whole.contains("#e03131") && whole.contains("#fed49a") && whole.contains("clip-path"));
    let frame = svg(&alice.get(&format!("{SVG}?frame=f&scale=0.5")));
    assert!(
        frame.contains("width=\"232\" height=\"182\"") && !frame.contains("#fed49a"),
        "{frame}"
    );
    let part = svg(&alice.get(&format!("{SVG}?bbox=590,-10,220,220&width=110")));
    assert!(
        part.contains("width=\"110\"") && !part.contains("#e03131"),
        "{part}"
    );
    let dark = svg(&alice.get(&format!("{SVG}?theme=dark&page=page:page")));
    assert!(dark.contains("#101011") && dark.contains("#8a5e1c"), "{dark}");
    if cfg!(feature = "png") {
        assert_eq!(
            png_size(&alice.get(&format!("{PNG}?width=432&height=400"))),
            (432, 182)
        );
        let huge = alice.get(&format!("{PNG}?bbox=0,0,100000000,100000000&scale=4"));
        let (width, height) = png_size(&huge);
        assert!(
            u64::from(width) * u64::from(height) <= 8_000_000,
            "{width} x {height}"
        );
    } else {
        assert_eq!(alice.get(PNG).json()["code"], "png_unsupported");
    }
}

#[test]
fn what_is_not_there_or_makes_no_sense_is_said() {
    let (_server, alice) = board();
    draw(&alice, &[json!({"id": "s", "type": "sticky", "x": 0, "y": 0})]);
    for (query, status, code, field) in [
        ("page=page:x", 404, "no_such_page", Value::Null),
        ("frame=x", 404, "no_such_frame", Value::Null),
        ("frame=s", 404, "no_such_frame", Value::Null),
        ("frame=s&bbox=0,0,1,1", 400, "invalid_parameter", json!("frame")),
        ("scale=0", 400, "invalid_parameter", json!("scale")),
        ("size=7", 400, "unknown_parameter", json!("size")),
    ] {
        let problem = alice.must("GET", &format!("{SVG}?{query}"), &Value::Null, status);
        assert_eq!(
            (&problem["code"], &problem["field"]),
            (&json!(code), &field),
            "{query}"
        );
    }
}

#[test]
fn what_somebody_has_is_not_sent_again_until_the_board_changes() {
    let (server, alice) = board();
    draw(&alice, &[json!({"id": "s", "type": "sticky", "x": 0, "y": 0})]);
    let first = alice.get(SVG);
    let tag = first.field("etag").unwrap().to_owned();
    assert_eq!(first.field("cache-control"), Some("private, no-cache"));
    assert!(
        first
            .field("content-security-policy")
            .unwrap()
            .contains("sandbox")
    );
    let again = |target: &str| {
        let token = crate::support::tokens::Token::of("alice").sign();
        let mut http = crate::support::http::Http::connect(server.address());
        let fields = [
            ("Authorization", format!("Bearer {token}")),
            ("If-None-Match", tag.clone()),
        ];
        let fields: Vec<(&str, &str)> = fields
            .iter()
            .map(|(name, value)| (*name, value.as_str()))
            .collect();
        http.request("GET", target, &fields)
    };
    let kept = again(SVG);
    assert_eq!(
        (kept.status, kept.body.len(), kept.field("etag")),
        (304, 0, Some(tag.as_str()))
    );
    assert_eq!(again(&format!("{SVG}?theme=dark")).status, 200);
    draw(&alice, &[json!({"id": "t", "type": "sticky", "x": 300, "y": 0})]);
    let changed = again(SVG);
    assert_eq!(changed.status, 200);
    assert_ne!(changed.field("etag"), Some(tag.as_str()));
}

#[test]
fn text_and_images_cannot_leave_their_place() {
    let (_server, alice) = board();
    let png = "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";
    let evil = "</text><script>alert(1)</script><image href=\"https://evil.example/\"/>";
    draw(
        &alice,
        &[
            json!({"id": "s", "type": "sticky", "x": 0, "y": 0, "content": {"text": evil}}),
            json!({"id": "f", "type": "frame", "x": 0, "y": 300, "content": {"title": evil}}),
            json!({"id": "i", "type": "image", "x": 900, "y": 0, "content": {"url": png, "alt": evil}}),
            json!({"id": "j", "type": "image", "x": 900, "y": 300, "content": {"url": "https://evil.example/a.png", "alt": evil}}),
        ],
    );
    let text = svg(&alice.get(SVG));
    assert!(
        !text.contains("<script") && !text.contains("<image href=\"https"),
        "{text}"
    );
    for reference in text.split("href=\"").skip(1) {
        assert!(
            reference.starts_with('#') || reference.starts_with("data:image/png;base64,"),
            "{reference:.80}"
        );
    }
    assert!(text.contains(png), "the board's own image is shown");
}
