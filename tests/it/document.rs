//! `/v1/boards/{board}/document`: the board's state, and updates to it, over HTTP.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::support::api::Api;
use crate::support::client::{Client, content_of};
use crate::support::http::{self, Http};
use crate::support::server::{Server, Setup};
use crate::support::tokens::{Token, editor, viewer};
use crate::support::{SOON, until};

fn target(query: &str) -> String {
    format!("/v1/boards/b/document?token={}{query}", viewer("reader", "b"))
}

fn board() -> (Server, Client) {
    let server = Server::start();
    let mut client = Client::join(&server, "b", 1);
    client.set("shape:1", "red");
    client.set("shape:2", "gone");
    client.unset("shape:2");
    client.write(0, "hello");
    client.push("first");
    client.save();
    (server, client)
}

#[test]
fn the_state_is_one_update() {
    let (server, client) = board();
    let answer = http::get(server.address(), &target(""));
    assert_eq!(answer.status, 200);
    assert_eq!(answer.field("content-type"), Some("application/octet-stream"));
    assert_eq!(answer.field("cache-control"), Some("no-store"));
    assert_eq!(content_of(&answer.body), client.content());
    let head = Http::connect(server.address()).request("HEAD", &target(""), &[]);
    assert_eq!(head.status, 200);
    assert_eq!(
        head.field("content-length"),
        Some(answer.body.len().to_string().as_str())
    );
}

#[test]
fn with_a_state_vector_only_what_is_missing_comes() {
    let (server, mut client) = board();
    let old = Client::offline(2);
    old.apply(&http::get(server.address(), &target("")).body);
    let vector = URL_SAFE_NO_PAD.encode(old.state_vector());
    client.write(5, " world");
    client.save();
    let answer = http::get(server.address(), &target(&format!("&state_vector={vector}")));
    assert_eq!(answer.status, 200);
    old.apply(&answer.body);
    assert_eq!(old.content(), client.content());
    let everything = http::get(server.address(), &target("")).body;
    assert!(answer.body.len() < everything.len());
    let nothing = URL_SAFE_NO_PAD.encode(client.state_vector());
    let answer = http::get(server.address(), &target(&format!("&state_vector={nothing}")));
    assert_eq!(answer.body[0], 0, "no structs, and the delete set");
    assert!(answer.body.len() > 2);
}

#[test]
fn as_json_the_shared_types_come_by_name() {
    let (server, _) = board();
    let answer = http::get(server.address(), &target("&format=json"));
    assert_eq!(answer.status, 200);
    let expected = serde_json::json!({"tldraw": {"shape:1": "red"}, "text": "hello", "list": ["first"]});
    assert_eq!(answer.json(), expected);
}

#[test]
fn wrong_parameters_are_400_and_name_the_field() {
    let (server, _) = board();
    let table = [
        ("&state_vector=%21", "state_vector"),
        ("&state_vector=AQ", "state_vector"),
        ("&state_vector=AA&state_vector=AA", "state_vector"),
        ("&format=xml", "format"),
        ("&format=json&state_vector=AA", "state_vector"),
    ];
    for (query, field) in table {
        let answer = http::get(server.address(), &target(query));
        assert_eq!(answer.status, 400, "{query}");
        assert_eq!(
            answer.field("content-type"),
            Some("application/problem+json"),
            "{query}"
        );
        let problem = answer.json();
        assert_eq!(problem["field"], field, "{query}");
        assert_eq!(problem["status"], 400, "{query}");
        for member in ["type", "title", "detail", "code"] {
            assert!(problem[member].is_string(), "{query}: {member}");
        }
    }
}

#[test]
fn refusals_are_plain_statuses_and_create_nothing() {
    let (server, _) = board();
    let bob = Token::of("bob").sign();
    let expired = Token::of("bob").ending_in(-31).sign();
    let table = [
        ("/v1/boards/b/document".to_owned(), 401, "unauthenticated"),
        ("/v1/boards/b/document?token=".to_owned(), 401, "unauthenticated"),
        (
            "/v1/boards/b/document?token=x".to_owned(),
            401,
            "invalid_credential",
        ),
        (
            format!("/v1/boards/b/document?token={expired}"),
            401,
            "expired_credential",
        ),
        (format!("/v1/boards/b/document?token={bob}"), 403, "forbidden"),
        (
            format!("/v1/boards/none/document?token={bob}"),
            404,
            "no_such_board",
        ),
        (
            format!("/v1/boards/a%20b/document?token={bob}"),
            400,
            "invalid_board_id",
        ),
        (
            format!("/v1/boards/none/document?token={}", editor("alice", "none")),
            404,
            "no_such_board",
        ),
    ];
    for _ in 0..2 {
        for (target, status, code) in &table {
            let answer = http::get(server.address(), target);
            assert_eq!(answer.status, *status, "{target}");
            assert_eq!(answer.json()["code"], *code, "{target}");
        }
    }
    assert_eq!(server.rooms(), 1, "only the one that was there");
}

#[test]
fn a_posted_update_reaches_the_clients_and_is_durable_when_answered() {
    let (server, mut client) = board();
    let agent = Api::token(&server, &editor("agent", "b"));
    let mut author = Client::offline(7);
    author.apply(&agent.get("/v1/boards/b/document").body);
    let update = author.setting("shape:9", "posted");
    assert_eq!(agent.send("POST", "/v1/boards/b/document", &update).status, 204);
    until(SOON, || {
        client.poll();
        client.value("shape:9").as_deref() == Some("posted")
    });
    // Again is harmless, and so is nothing.
    assert_eq!(agent.send("POST", "/v1/boards/b/document", &update).status, 204);
    assert_eq!(agent.send("POST", "/v1/boards/b/document", &[0, 0]).status, 204);
    let server = Setup::on(&server.kill()).start();
    let stored = Api::token(&server, &editor("agent", "b"))
        .get("/v1/boards/b/document")
        .body;
    assert_eq!(content_of(&stored).map["shape:9"], "posted");
}

#[test]
fn an_update_over_a_hole_is_told_what_the_server_has() {
    let (server, _client) = board();
    let agent = Api::token(&server, &editor("agent", "b"));
    let mut author = Client::offline(7);
    author.set("a", "first");
    let before = author.state_vector();
    let second = author.setting("b", "second");
    let refused = agent.send("POST", "/v1/boards/b/document", &second);
    assert_eq!(
        (refused.status, refused.json()["code"].as_str()),
        (409, Some("missing_updates"))
    );
    let vector = refused.json()["state_vector"].as_str().unwrap().to_owned();
    let vector = URL_SAFE_NO_PAD.decode(vector).unwrap();
    assert_ne!(vector, before);
    assert_eq!(
        agent
            .send("POST", "/v1/boards/b/document", &author.lacking(&vector))
            .status,
        204
    );
    let stored = content_of(&agent.get("/v1/boards/b/document").body);
    assert_eq!(
        (stored.map["a"].as_str(), stored.map["b"].as_str()),
        ("first", "second")
    );
}

#[test]
fn what_may_not_or_cannot_be_accepted_is_refused_and_changes_nothing() {
    let server = Setup::new()
        .flag("max-board-bytes", "1KiB")
        .flag("max-body-bytes", "4KiB")
        .start();
    let client = Client::join(&server, "b", 1);
    let agent = Api::token(&server, &editor("agent", "b"));
    let mut author = Client::offline(7);
    author.set("big", &"x".repeat(2_000));
    for (body, status, code) in [
        (&b""[..], 400, "malformed_update"),
        (b"\x01", 400, "malformed_update"),
        (b"not an update", 400, "malformed_update"),
        (&author.state(), 413, "board_too_large"),
        (&[0; 5_000], 413, "body_too_large"),
    ] {
        let refused = agent.send("POST", "/v1/boards/b/document", body);
        assert_eq!(
            (refused.status, refused.json()["code"].as_str()),
            (status, Some(code))
        );
    }
    let view = Api::token(&server, &viewer("reader", "b"));
    assert_eq!(view.send("POST", "/v1/boards/b/document", &[0, 0]).status, 403);
    assert_eq!(view.get("/v1/boards/b/document").body, [0, 0]);
    drop(client);
}

#[test]
fn json_that_only_browsers_read_is_no_error_of_the_server() {
    let server = Server::start();
    let _client = Client::join(&server, "b", 1);
    let agent = Api::token(&server, &editor("agent", "b"));
    // An embed of 1e999.
    let embed = [1, 1, 1, 0, 5, 1, 1, b't', 5, b'1', b'e', b'9', b'9', b'9', 0];
    assert_eq!(agent.send("POST", "/v1/boards/b/document", &embed).status, 204);
    for target in ["/v1/boards/b/document?format=json", "/v1/boards/b/items"] {
        for _ in 0..2 {
            let refused = agent.get(target);
            let code = refused.json()["code"].clone();
            assert_eq!(
                (refused.status, code.as_str()),
                (409, Some("content_unsupported")),
                "{target}"
            );
        }
    }
}

#[test]
fn as_json_a_buffer_is_base64() {
    let server = Server::start();
    let _client = Client::join(&server, "b", 1);
    let agent = Api::token(&server, &editor("agent", "b"));
    let bytes = [1, 1, 9, 0, 3, 1, 1, b'a', 2, 0xff, 0xfe, 0];
    assert_eq!(agent.send("POST", "/v1/boards/b/document", &bytes).status, 204);
    let shown = agent.get("/v1/boards/b/document?format=json").json();
    assert_eq!(shown, serde_json::json!({"a": ["//4="]}));
}
