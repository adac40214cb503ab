//! `/v1/boards/{board}/items`: what agents draw is durable when it is answered, whole or not at all, and by
//! who may.

use serde_json::{Value, json};

use crate::support::api::Api;
use crate::support::http::{Answer, Http, request};
use crate::support::server::{Server, Setup};
use crate::support::tokens::{Token, editor, viewer};

const ITEMS: &str = "/v1/boards/b/items";
const BATCH: &str = "/v1/boards/b/items/batch";

fn board() -> (Server, Api) {
    let server = Server::start();
    let alice = Api::user(&server, "alice");
    alice.must("POST", "/v1/boards", &json!({"id": "b"}), 201);
    (server, alice)
}

fn item(id: &str) -> String {
    format!("{ITEMS}/{id}")
}

fn sticky(id: &str) -> Value {
    json!({"id": id, "type": "sticky", "x": 0, "y": 0, "content": {"text": id}})
}

fn create(item: Value) -> Value {
    json!({"action": "create", "item": item})
}

/// A call with a field that [`Api`] does not send.
fn with_field(
    server: &Server,
    method: &str,
    target: &str,
    (name, value): (&str, &str),
    body: &Value,
) -> Answer {
    let body = if body.is_null() {
        String::new()
    } else {
        body.to_string()
    };
    let (authorization, length) = (
        format!("Bearer {}", Token::of("alice").sign()),
        body.len().to_string(),
    );
    let mut http = Http::connect(server.address());
    let fields = [
        ("Authorization", authorization.as_str()),
        ("Content-Length", &length),
        (name, value),
    ];
    http.send(request(method, target, &fields));
    http.send(body);
    http.answer(method)
}

#[test]
fn what_was_answered_is_there_after_a_kill() {
    let (server, alice) = board();
    let made = alice.must("POST", ITEMS, &sticky("one"), 201);
    let moved = alice.must("PATCH", &item("one"), &json!({"x": 7}), 200);
    alice.must(
        "POST",
        BATCH,
        &json!({"operations": [create(sticky("two")), create(sticky("three"))]}),
        200,
    );
    alice.must("DELETE", &item("three"), &Value::Null, 204);
    assert_eq!(
        (&made["x"], &moved["x"], &moved["created_at"]),
        (&json!(0), &json!(7), &made["created_at"])
    );
    let again = Setup::on(&server.kill()).start();
    let items = Api::user(&again, "alice").list(ITEMS, 1);
    assert_eq!(items.len(), 2);
    assert_eq!(items[0], moved);
    assert_eq!(items[1]["id"], "two");
}

#[test]
fn a_batch_is_done_as_a_whole_or_not_at_all() {
    let (_server, alice) = board();
    alice.must("POST", ITEMS, &sticky("old"), 201);
    let before = alice.get("/v1/boards/b/document").body;
    for (last, status, code, field) in [
        (create(sticky("new")), 409, "item_exists", "operations[2].item.id"),
        (
            json!({"action": "update", "item": {"id": "gone", "x": 1}}),
            404,
            "no_such_item",
            "operations[2].item.id",
        ),
        (
            json!({"action": "delete", "item": {"id": "gone"}}),
            404,
            "no_such_item",
            "operations[2].item.id",
        ),
        (
            create(json!({"type": "text", "x": 0, "y": 0, "content": {"txt": ""}})),
            422,
            "invalid_value",
            "operations[2].item.content.txt",
        ),
        (
            create(sticky("batch")),
            422,
            "invalid_value",
            "operations[2].item.id",
        ),
        (
            json!({"action": "create", "item": {}, "if_match": 1}),
            422,
            "invalid_value",
            "operations[2].if_match",
        ),
    ] {
        let operations =
            json!({"operations": [create(sticky("new")), {"action": "delete", "item": {"id": "old"}}, last]});
        let problem = alice.must("POST", BATCH, &operations, status);
        assert_eq!(
            (&problem["code"], &problem["field"]),
            (&json!(code), &json!(field)),
            "{problem}"
        );
    }
    assert_eq!(alice.get("/v1/boards/b/document").body, before);
}

#[test]
fn a_thousand_operations_are_one_batch_and_one_more_is_none() {
    let (_server, alice) = board();
    let operations = |count: usize| -> Vec<Value> {
        let full = |n: usize| {
            json!({"id": format!("i{n}"), "type": "shape", "x": n, "y": 0.5, "width": 100, "height": 50,
                "content": {"text": "a box"}, "style": {"color": "red", "size": "s", "font": "sans", "fill": "solid",
                "dash": "solid", "align": "start", "geo": "oval"}, "created_by": null, "created_at": null,
                "updated_by": null, "updated_at": null})
        };
        (0..count).map(|n| create(full(n))).collect()
    };
    let refused = alice.must("POST", BATCH, &json!({"operations": operations(1_001)}), 422);
    assert_eq!(
        (&refused["code"], &refused["field"]),
        (&json!("invalid_value"), &json!("operations"))
    );
    let done = alice.must("POST", BATCH, &json!({"operations": operations(1_000)}), 200);
    assert_eq!(done["results"].as_array().unwrap().len(), 1_000);
    assert_eq!(alice.list(ITEMS, 400).len(), 1_000);
}

#[test]
fn a_page_ends_early_where_its_items_say_much() {
    let (_server, alice) = board();
    let data = format!("data:image/png;base64,{}", "A".repeat(1_000_000));
    for n in 0..6 {
        let image = json!({"id": format!("i{n}"), "type": "image", "x": 0, "y": 0, "content": {"url": data}});
        alice.must("POST", ITEMS, &image, 201);
    }
    let first = alice.must("GET", ITEMS, &Value::Null, 200);
    assert_eq!(first["items"].as_array().unwrap().len(), 4);
    assert!(first["next_cursor"].is_string());
    assert_eq!(alice.list(ITEMS, 100).len(), 6);
}

#[test]
fn of_those_who_change_the_same_revision_one_wins() {
    let (server, alice) = board();
    alice.must("POST", ITEMS, &sticky("one"), 201);
    let tag = alice.get(&item("one")).field("etag").unwrap().to_owned();
    let statuses: Vec<u16> = std::thread::scope(|scope| {
        let (server, tag) = (&server, &tag);
        let calls: Vec<_> = (1..=8)
            .map(|x| {
                scope.spawn(move || {
                    with_field(server, "PATCH", &item("one"), ("If-Match", tag), &json!({"x": x})).status
                })
            })
            .collect();
        calls.into_iter().map(|call| call.join().unwrap()).collect()
    });
    let won = statuses.iter().filter(|status| **status == 200).count();
    let lost = statuses.iter().filter(|status| **status == 412).count();
    assert_eq!((won, lost), (1, 7), "{statuses:?}");
    let answer = with_field(&server, "DELETE", &item("one"), ("If-Match", &tag), &Value::Null);
    assert_eq!(answer.status, 412);
    assert_eq!(answer.json()["code"], "precondition_failed");
    let known = alice.get(&item("one")).field("etag").unwrap().to_owned();
    let answer = with_field(
        &server,
        "GET",
        &item("one"),
        ("If-None-Match", &known),
        &Value::Null,
    );
    assert_eq!(
        (answer.status, answer.body.len(), answer.field("etag")),
        (304, 0, Some(known.as_str()))
    );
    assert_eq!(
        with_field(
            &server,
            "DELETE",
            &item("one"),
            ("If-Match", &known),
            &Value::Null
        )
        .status,
        204
    );
}

#[test]
fn a_key_makes_one_item_however_often_it_comes() {
    let (server, alice) = board();
    let body = json!({"type": "sticky", "x": 0, "y": 0});
    let answers: Vec<Answer> = std::thread::scope(|scope| {
        let (server, body) = (&server, &body);
        let call = move || with_field(server, "POST", ITEMS, ("Idempotency-Key", "k"), body);
        let calls: Vec<_> = (0..6).map(|_| scope.spawn(call)).collect();
        calls.into_iter().map(|call| call.join().unwrap()).collect()
    });
    assert!(
        answers
            .iter()
            .all(|answer| answer.status == 201 && answer.body == answers[0].body)
    );
    let replayed = answers
        .iter()
        .filter(|answer| answer.field("idempotency-replayed") == Some("true"));
    assert_eq!(replayed.count(), 5);
    assert_eq!(alice.list(ITEMS, 10).len(), 1);
    let again = Setup::on(&server.kill()).start();
    let answer = with_field(&again, "POST", ITEMS, ("Idempotency-Key", "k"), &body);
    assert_eq!(
        (answer.status, answer.field("idempotency-replayed")),
        (201, Some("true"))
    );
    let reused = with_field(
        &again,
        "POST",
        ITEMS,
        ("Idempotency-Key", "k"),
        &sticky_without_id(),
    );
    assert_eq!(
        (reused.status, &reused.json()["code"]),
        (422, &json!("idempotency_key_reused"))
    );
    for (key, status) in [
        ("k".repeat(255), 201),
        ("k".repeat(256), 400),
        ("a b".to_owned(), 400),
    ] {
        let answer = with_field(&again, "POST", ITEMS, ("Idempotency-Key", &key), &body);
        assert_eq!(answer.status, status, "{key}");
    }
}

fn sticky_without_id() -> Value {
    json!({"type": "sticky", "x": 5, "y": 0})
}

#[test]
fn rights_are_those_of_the_board() {
    let (server, alice) = board();
    alice.must("POST", ITEMS, &sticky("one"), 201);
    let reader = Api::token(&server, &viewer("reader", "b"));
    assert_eq!(
        reader.must("GET", &item("one"), &Value::Null, 200)["created_by"],
        "user:alice"
    );
    for (method, target, body) in [
        ("POST", ITEMS.to_owned(), sticky("two")),
        ("POST", BATCH.to_owned(), json!({"operations": []})),
        ("PATCH", item("one"), json!({"x": 1})),
        ("DELETE", item("one"), Value::Null),
    ] {
        let answer = if body.is_null() {
            reader.call(method, &target)
        } else {
            reader.json(method, &target, &body)
        };
        assert_eq!(
            (answer.status, &answer.json()["code"]),
            (403, &json!("forbidden")),
            "{method} {target}"
        );
    }
    let key = alice.must(
        "POST",
        "/v1/boards/b/keys",
        &json!({"name": "robot", "level": "edit"}),
        201,
    );
    let robot = Api::key(&server, key["key"].as_str().unwrap());
    let made = robot.must("POST", ITEMS, &sticky("two"), 201);
    let name = format!("key:{}", key["id"].as_str().unwrap());
    assert_eq!(
        (made["created_by"].as_str(), made["updated_by"].as_str()),
        (Some(name.as_str()), Some(name.as_str()))
    );
    let bob = Api::token(&server, &editor("bob", "b"));
    let changed = bob.must("PATCH", &item("two"), &json!({"y": 3}), 200);
    assert_eq!(
        (&changed["created_by"], &changed["updated_by"]),
        (&json!(name), &json!("user:bob"))
    );
}

#[test]
fn what_is_no_item_is_404() {
    let (_server, alice) = board();
    for id in ["none", "a%20b", "..", "batch%2Fx"] {
        for (method, body) in [
            ("GET", Value::Null),
            ("PATCH", json!({})),
            ("DELETE", Value::Null),
        ] {
            let answer = if body.is_null() {
                alice.call(method, &item(id))
            } else {
                alice.json(method, &item(id), &body)
            };
            assert_eq!(
                (answer.status, &answer.json()["code"]),
                (404, &json!("no_such_item")),
                "{method} {id}"
            );
        }
    }
    for id in ["batch", "space"] {
        let taken = alice.must("POST", ITEMS, &sticky(id), 422);
        assert_eq!(taken["field"], "id");
        let batch = json!({"operations": [create(sticky(id))]});
        let taken = alice.must("POST", BATCH, &batch, 422);
        assert_eq!(taken["field"], "operations[0].item.id");
    }
    alice.must("POST", ITEMS, &sticky("one"), 201);
    let exists = alice.must("POST", ITEMS, &sticky("one"), 409);
    assert_eq!(
        (&exists["code"], &exists["field"]),
        (&json!("item_exists"), &Value::Null)
    );
}

#[test]
fn who_draws_is_shown_in_presence() {
    let (server, alice) = board();
    let _room = crate::support::client::Client::join(&server, "b", 1);
    alice.must(
        "POST",
        ITEMS,
        &json!({"id": "one", "type": "sticky", "x": 12, "y": 34}),
        201,
    );
    crate::support::until(crate::support::SOON, || {
        let present = alice.list("/v1/boards/b/presence", 100);
        present.iter().any(|one| {
            one["subject"] == "user:alice"
                && one["state"]["cursor"] == json!({"x": 12.0, "y": 34.0})
                && one["state"]["selection"] == json!(["shape:one"])
                && one["state"]["doing"] == "drawing 1 item"
        })
    });
    // What each change is, and where: of what is gone, where it was.
    let create = |id: &str| json!({"action": "create", "item": {"id": id, "type": "sticky", "x": 5, "y": 6}});
    let layout = json!({"action": "layout", "item": {"kind": "grid", "items": ["one", "two", "three"]}});
    let delete = |id: &str| json!({"action": "delete", "item": {"id": id}});
    let change = json!({"action": "update", "item": {"id": "one", "x": 70}});
    for (operations, doing) in [
        (json!([create("two"), create("three")]), "drawing 2 items"),
        (json!([layout]), "laying out 3 items"),
        (json!([change, delete("two")]), "changing 1 item, deleting 1 item"),
        (json!([delete("three")]), "deleting 1 item"),
    ] {
        alice.must("POST", BATCH, &json!({"operations": operations}), 200);
        crate::support::until(crate::support::SOON, || {
            let present = alice.list("/v1/boards/b/presence", 100);
            let mut shown = present.iter().map(|one| &one["state"]);
            shown.any(|state| state["doing"] == doing && state["cursor"]["x"].is_f64())
        });
    }
}

#[test]
fn filters_go_through_pages_that_may_be_short() {
    let (_server, alice) = board();
    let text = "word ".repeat(13_000);
    let long = |n: usize| json!({"id": format!("b{n:03}"), "type": "text", "x": 0, "y": 0, "content": {"text": text}});
    // More than one page looks at, between two that are asked for.
    for from in [0, 50, 100] {
        let operations: Vec<Value> = (from..from + 50).map(|n| create(long(n))).collect();
        alice.must("POST", BATCH, &json!({"operations": operations}), 200);
    }
    alice.must("POST", ITEMS, &sticky("a"), 201);
    alice.must("POST", ITEMS, &sticky("c"), 201);
    let (mut target, mut pages) = (format!("{ITEMS}?type=sticky"), Vec::new());
    loop {
        let page = alice.must("GET", &target, &Value::Null, 200);
        let ids = page["items"]
            .as_array()
            .unwrap()
            .iter()
            .map(|item| item["id"].clone());
        pages.push(ids.collect::<Vec<_>>());
        match page["next_cursor"].as_str() {
            Some(cursor) => target = format!("{ITEMS}?type=sticky&cursor={cursor}"),
            None => break,
        }
    }
    assert_eq!(
        (&pages[0], pages.last().unwrap()),
        (&vec![json!("a")], &vec![json!("c")])
    );
    assert!((2..=4).contains(&pages.len()), "{pages:?}");
    assert!(pages[1..pages.len() - 1].iter().all(Vec::is_empty));
    for (query, field) in [
        ("type=note", "type"),
        ("bbox=1,2,3", "bbox"),
        ("since=now", "since"),
        ("text=a&text=b", "text"),
    ] {
        let problem = alice.must("GET", &format!("{ITEMS}?{query}"), &Value::Null, 400);
        assert_eq!(
            (&problem["code"], &problem["field"]),
            (&json!("invalid_parameter"), &json!(field))
        );
    }
}

#[test]
fn room_is_found_for_who_may_look() {
    let (server, alice) = board();
    let reader = Api::token(&server, &viewer("reader", "b"));
    let space =
        |query: &str, status| reader.must("GET", &format!("{}?{query}", item("space")), &Value::Null, status);
    assert_eq!(space("width=200&height=100", 200), json!({"x": -100, "y": -50}));
    alice.must("POST", ITEMS, &sticky("one"), 201);
    assert_eq!(
        space("width=100&height=100&near=190,100", 200),
        json!({"x": 220, "y": 50})
    );
    for (query, field) in [
        ("height=1", "width"),
        ("width=0.5&height=1", "width"),
        ("width=1&height=1000001", "height"),
        ("width=1&height=x", "height"),
        ("width=1&height=1&near=1", "near"),
        ("width=1&height=1&near=1,1e9", "near"),
        ("width=1&height=1&near=1,2,3", "near"),
    ] {
        let problem = space(query, 400);
        assert_eq!(
            (&problem["code"], &problem["field"]),
            (&json!("invalid_parameter"), &json!(field)),
            "{query}"
        );
    }
    alice.must("DELETE", &item("space"), &Value::Null, 405);
}
