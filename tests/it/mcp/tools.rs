//! What each tool of the Model Context Protocol does, and what it says where it cannot.

use std::thread;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::drawing;
use crate::support::{SOON, until};

#[test]
fn a_graph_is_drawn_in_one_call_and_read_back() {
    let (_server, alice, assistant) = drawing();
    let told = assistant.does(
        "draw",
        json!({
            "items": [
                {"id": "web", "type": "shape", "x": 0, "y": 0, "content": {"text": "Web"}},
                {"id": "api", "type": "shape", "x": 0, "y": 0, "content": {"text": "API"}},
                {"id": "call", "type": "connector", "from": {"item": "web"}, "to": {"item": "api"}, "content": {"text": "calls"}},
            ],
            "layout": [{"kind": "layered", "direction": "right"}],
        }),
    );
    // Where they were set, not where they were made.
    assert!(told.contains("shape web (0,0 200x200) \"Web\""), "{told}");
    assert!(told.contains("connector call web -> api \"calls\""), "{told}");
    let api = alice.must("GET", "/v1/boards/b/items/api", &Value::Null, 200);
    let x = api["x"].as_f64().unwrap();
    assert!(x >= 280.0, "{api}");
    assert!(told.contains(&format!("shape api ({x},")), "{told}");
    let read = assistant.does("read_board", json!({}));
    assert!(read.starts_with("Board b: 3 items."), "{read}");
    for line in ["shape web (", "shape api (", "connector call web -> api"] {
        assert!(read.contains(line), "{read}");
    }
    let items = assistant.does("read_board", json!({"as": "items", "type": "connector"}));
    let items: Value = serde_json::from_str(items.trim()).unwrap();
    assert_eq!(items.as_array().unwrap().len(), 1);
    assert_eq!(items[0]["from"], json!({"item": "web"}));
}

#[test]
fn what_is_on_the_board_is_changed_and_deleted() {
    let (_server, alice, assistant) = drawing();
    alice.must(
        "POST",
        "/v1/boards/b/items",
        &json!({"id": "n", "type": "sticky", "x": 0, "y": 0}),
        201,
    );
    let told = assistant.does(
        "change",
        json!({"changes": [{"id": "n", "x": 40, "content": {"text": "Changed"}}]}),
    );
    assert!(
        told.contains("sticky n (40,0 200x200) \"Changed\" yellow"),
        "{told}"
    );
    let told = assistant.does("delete", json!({"ids": ["n"]}));
    assert!(told.contains("1 deleted"), "{told}");
    alice.must("GET", "/v1/boards/b/items/n", &Value::Null, 404);
    let words = assistant.fails("delete", json!({"ids": ["n"]}));
    assert_eq!(
        words,
        "no_such_item: ids[0].id: there is no such item on the board"
    );
}

#[test]
fn a_call_that_cannot_be_done_says_what_would_be_right_and_does_nothing() {
    let (_server, alice, assistant) = drawing();
    for (tool, arguments, words) in [
        ("draw", json!({}), "items is missing"),
        ("draw", json!({"items": []}), "items must be an array of 1 to 900"),
        (
            "draw",
            json!({"items": [{"type": "sticky", "x": 0, "y": 0}, {"type": "blob"}]}),
            "items[1].type must be",
        ),
        (
            "draw",
            json!({"items": [{"type": "sticky", "x": 0, "y": 0, "colour": "red"}]}),
            "items[0].colour",
        ),
        (
            "draw",
            json!({"item": {}}),
            "item is no argument; there are items, layout",
        ),
        (
            "draw",
            json!({"items": [{"id": "a", "type": "sticky", "x": 0, "y": 0}], "layout": {"kind": "circle"}}),
            "layout[0].kind must be",
        ),
        (
            "draw",
            json!({"items": [{"type": "sticky", "x": 0, "y": 0}], "layout": {"kind": "grid"}}),
            "items must all have an id",
        ),
        (
            "change",
            json!({"changes": [{"id": "gone", "x": 1}]}),
            "no_such_item: changes[0].id",
        ),
        (
            "change",
            json!({"changes": [{"x": 1}]}),
            "changes[0].id must be the id of an item",
        ),
        ("read_board", json!({"as": "html"}), "as must be"),
        (
            "read_board",
            json!({"limit": 501}),
            "limit must be a whole number from 1 to 500",
        ),
        ("read_board", json!({"bbox": "1,2"}), "bbox must be four numbers"),
        ("find_space", json!({"width": 100}), "height is missing"),
        (
            "find_space",
            json!({"width": 100, "height": 0}),
            "height must be a number from 1",
        ),
        ("point", json!({}), "x must have x and y"),
        ("point", json!({"item": "gone"}), "no_such_item"),
        (
            "changes",
            json!({"wait": 26}),
            "wait must be a whole number from 0 to 25",
        ),
    ] {
        let told = assistant.fails(tool, arguments.clone());
        assert!(told.contains(words), "{tool} {arguments}: {told}");
    }
    assert_eq!(alice.list("/v1/boards/b/items", 100).len(), 0);
}

#[test]
fn as_many_items_as_the_bound_are_drawn_in_one_call() {
    let (_server, alice, assistant) = drawing();
    let items = |count: usize| -> Vec<Value> {
        (0..count)
            .map(|n| json!({"id": format!("{count}-{n}"), "type": "text", "x": n, "y": 0}))
            .collect()
    };
    let words = assistant.fails("draw", json!({"items": items(901)}));
    assert!(words.contains("1 to 900"), "{words}");
    assistant.does("draw", json!({"items": items(900)}));
    assert_eq!(alice.list("/v1/boards/b/items", 500).len(), 900);
    let layouts = |count: usize| vec![json!({"kind": "grid", "items": ["900-0"]}); count];
    let one = |n: usize| json!([{"id": format!("l{n}"), "type": "text", "x": 0, "y": 0}]);
    let words = assistant.fails("draw", json!({"items": one(51), "layout": layouts(51)}));
    assert!(words.contains("layout must be an array of 1 to 50"), "{words}");
    assistant.does("draw", json!({"items": one(50), "layout": layouts(50)}));
}

#[test]
fn a_long_board_is_read_in_pages() {
    let (_server, _alice, assistant) = drawing();
    let items: Vec<Value> = (0..450)
        .map(|n| json!({"id": format!("n{n:03}"), "type": "text", "x": n, "y": 0}))
        .collect();
    assistant.does("draw", json!({ "items": items }));
    let mut seen = 0;
    let mut cursor = Value::Null;
    for expected in [200, 200, 50] {
        let told = assistant.does("read_board", json!({ "cursor": cursor }));
        assert!(told.starts_with(&format!("Board b: {expected} items.")), "{told}");
        seen += told.lines().filter(|line| line.starts_with("text n")).count();
        let next = told
            .split("\"cursor\": \"")
            .nth(1)
            .and_then(|rest| rest.split('"').next());
        cursor = next.map_or(Value::Null, Value::from);
    }
    assert_eq!((seen, cursor), (450, Value::Null));
}

#[test]
fn what_others_do_is_told_once_and_waited_for() {
    let (server, alice, assistant) = drawing();
    let since = |told: &str| {
        told.split("\"since\": \"")
            .nth(1)
            .unwrap()
            .split('"')
            .next()
            .unwrap()
            .to_owned()
    };
    let told = assistant.does("changes", json!({}));
    assert!(told.starts_with("Nothing has happened."), "{told}");
    let at = since(&told);
    alice.must(
        "POST",
        "/v1/boards/b/items",
        &json!({"id": "n", "type": "sticky", "x": 1, "y": 2}),
        201,
    );
    let told = assistant.does("changes", json!({"since": at, "wait": 20}));
    assert!(
        told.contains("item.created by user:alice: sticky n (1,2 200x200) yellow"),
        "{told}"
    );
    let at = since(&told);
    // Somebody answers while it waits.
    let wait = json!({"since": at, "wait": 20});
    let told = thread::scope(|scope| {
        let waiting = scope.spawn(|| assistant.does("changes", wait));
        until(SOON, || server.health().1["connections"] == 1);
        alice.must(
            "PATCH",
            "/v1/boards/b/items/n",
            &json!({"content": {"text": "An answer"}}),
            200,
        );
        waiting.join().unwrap()
    });
    assert!(told.contains("item.changed by user:alice"), "{told}");
    assert!(told.contains("\"An answer\""), "{told}");
    let told = assistant.does("changes", json!({"since": "0-1"}));
    assert!(told.contains("read the board anew"), "{told}");
}

/// Room for an answer was kept while `changes` waited: two dozen of them left none to anybody else.
#[test]
fn those_who_wait_keep_nobody_from_being_answered() {
    let (server, alice, assistant) = drawing();
    thread::scope(|scope| {
        let waiting: Vec<_> = (0..40)
            .map(|_| scope.spawn(|| assistant.does("changes", json!({"wait": 8}))))
            .collect();
        // All of them are there once the board has so many followers, of whom each is a connection.
        until(SOON, || {
            let (_, health) = server.health();
            health["connections"].as_u64() >= Some(40)
        });
        let start = Instant::now();
        assert_eq!(alice.list("/v1/boards/b/items", 100).len(), 0);
        assert!(start.elapsed() < Duration::from_secs(2), "{:?}", start.elapsed());
        // Which ends their waiting.
        alice.must(
            "POST",
            "/v1/boards/b/items",
            &json!({"type": "sticky", "x": 0, "y": 0}),
            201,
        );
        for one in waiting {
            assert!(!one.join().unwrap().starts_with("Nothing has happened."));
        }
    });
}

#[test]
fn a_wait_ends_when_its_time_is_over() {
    let (_server, _alice, assistant) = drawing();
    let start = Instant::now();
    let told = assistant.does("changes", json!({"wait": 1}));
    assert!(told.starts_with("Nothing has happened."), "{told}");
    assert!((Duration::from_secs(1)..SOON).contains(&start.elapsed()));
}

#[test]
fn people_see_where_an_assistant_points() {
    let (_server, alice, assistant) = drawing();
    alice.must(
        "POST",
        "/v1/boards/b/items",
        &json!({"id": "n", "type": "sticky", "x": 100, "y": 0}),
        201,
    );
    assistant.does("point", json!({"item": "n"}));
    until(SOON, || {
        let here = alice.list("/v1/boards/b/presence", 100);
        here.iter().any(|one| {
            one["state"]["user"]["name"] == "Helper"
                && one["state"]["cursor"] == json!({"x": 200.0, "y": 100.0})
        })
    });
    assistant.does("point", json!({"x": -5, "y": 7.5}));
    until(SOON, || {
        let here = alice.list("/v1/boards/b/presence", 100);
        here.iter()
            .any(|one| one["state"]["cursor"] == json!({"x": -5.0, "y": 7.5}))
    });
}

#[test]
fn what_an_assistant_says_is_shown_in_one_line_up_to_its_bound() {
    let (_server, alice, assistant) = drawing();
    // Where a board is not in memory nobody would see it.
    alice.must(
        "POST",
        "/v1/boards/b/items",
        &json!({"type": "sticky", "x": 0, "y": 0}),
        201,
    );
    for (message, shown) in [
        ("Look\nhere", "Look here".to_owned()),
        (&"x".repeat(280), "x".repeat(280)),
    ] {
        assistant.does("point", json!({"x": 0, "y": 0, "message": message}));
        until(SOON, || {
            let here = alice.list("/v1/boards/b/presence", 100);
            here.iter().any(|one| one["state"]["message"] == shown)
        });
    }
    for message in [json!(""), json!("x".repeat(281)), json!(7)] {
        let words = assistant.fails("point", json!({"x": 0, "y": 0, "message": message}));
        assert!(words.contains("message must"), "{words}");
    }
}

#[test]
fn the_board_is_looked_at_as_a_picture() {
    let (_server, _alice, assistant) = drawing();
    assistant.does(
        "draw",
        json!({"items": [
            {"id": "f", "type": "frame", "x": 0, "y": 0, "width": 4000, "height": 400},
            {"id": "n", "type": "sticky", "x": 40, "y": 40, "content": {"text": "Hello"}},
        ]}),
    );
    let looked = |arguments: Value| {
        let (status, answer) =
            assistant.ask("tools/call", json!({"name": "picture", "arguments": arguments}));
        assert_eq!(status, 200, "{answer}");
        let image = &answer["result"]["content"][0];
        assert_eq!(
            (&image["type"], &image["mimeType"]),
            (&json!("image"), &json!("image/png")),
            "{answer}"
        );
        let bytes = STANDARD.decode(image["data"].as_str().unwrap()).unwrap();
        assert!(bytes.starts_with(b"\x89PNG"));
        u32::from_be_bytes(bytes[16..20].try_into().unwrap())
    };
    // No wider than a model looks at, unless it asks for more.
    assert_eq!(looked(json!({})), 1024);
    assert_eq!(looked(json!({"width": 2000, "theme": "dark"})), 2000);
    looked(json!({"bbox": "0,0,300,300"}));
    looked(json!({"frame": "f"}));
    for (arguments, words) in [
        (json!({"width": 4097}), "width must be a number from 16 to 4096"),
        (json!({"frame": 7}), "frame must be a string"),
        (json!({"frame": "nothing"}), "no_such_frame"),
        (json!({"theme": "blue"}), "theme must be light or dark"),
        (
            json!({"frame": "f", "page": "page:page"}),
            "frame has no meaning with page",
        ),
    ] {
        let told = assistant.fails("picture", arguments);
        assert!(told.contains(words), "{told}");
    }
    let (_, answer) = assistant.ask("resources/read", json!({"uri": "boardwire://boards/b/picture"}));
    let contents = &answer["result"]["contents"][0];
    assert_eq!(contents["mimeType"], "image/png");
    assert!(
        STANDARD
            .decode(contents["blob"].as_str().unwrap())
            .unwrap()
            .starts_with(b"\x89PNG")
    );
}

#[test]
fn room_is_found_beside_what_is_there() {
    let (_server, alice, assistant) = drawing();
    alice.must(
        "POST",
        "/v1/boards/b/items",
        &json!({"type": "sticky", "x": 0, "y": 0}),
        201,
    );
    let told = assistant.does(
        "find_space",
        json!({"width": 100, "height": 100, "near": {"x": 100, "y": 100}}),
    );
    let place: Value =
        serde_json::from_str(&told[told.find('{').unwrap()..=told.find('}').unwrap()]).unwrap();
    let (x, y) = (place["x"].as_f64().unwrap(), place["y"].as_f64().unwrap());
    assert!(x <= -120.0 || x >= 220.0 || y <= -120.0 || y >= 220.0, "{told}");
}
