//! The audit log: every action of the contract, in the same commit as what it is about, and bounded.

use serde_json::{Value, json};

use crate::support::api::Api;
use crate::support::client::Client;
use crate::support::http::{Http, request};
use crate::support::server::{Server, Setup};
use crate::support::socket::{Socket, path};
use crate::support::tokens::Token;
use crate::support::{SOON, http, until};

const NONE: Value = Value::Null;

fn entries(api: &Api) -> Vec<Value> {
    api.list("/v1/boards/b/audit", 7)
}

fn actions(api: &Api) -> Vec<String> {
    let all = entries(api);
    all.iter()
        .map(|entry| entry["action"].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn every_action_makes_its_entry() {
    let server = Server::start();
    let alice = Api::user(&server, "alice");
    alice.must("POST", "/v1/boards", &json!({"id": "b"}), 201);
    alice.must("PATCH", "/v1/boards/b", &json!({"title": "T"}), 200);
    alice.must(
        "PUT",
        "/v1/boards/b/permissions/users/bob",
        &json!({"level": "comment"}),
        200,
    );
    alice.must("DELETE", "/v1/boards/b/permissions/users/bob", &NONE, 204);
    let link = alice.must("POST", "/v1/boards/b/links", &json!({"level": "view"}), 201);
    alice.must(
        "DELETE",
        &format!("/v1/boards/b/links/{}", link["id"].as_str().unwrap()),
        &NONE,
        204,
    );
    let key = alice.must(
        "POST",
        "/v1/boards/b/keys",
        &json!({"level": "edit", "name": "bot"}),
        201,
    );
    let target = format!("/v1/boards/b/keys/{}", key["id"].as_str().unwrap());
    for paused in [true, false] {
        alice.must("PATCH", &target, &json!({"paused": paused}), 200);
    }
    alice.must("DELETE", &target, &NONE, 204);
    let webhook = json!({"url": "https://example.com/"});
    let webhook = alice.must("POST", "/v1/boards/b/webhooks", &webhook, 201);
    let one = format!("/v1/boards/b/webhooks/{}", webhook["id"].as_str().unwrap());
    alice.must("DELETE", &one, &NONE, 204);
    Api::user(&server, "eve").must("GET", "/v1/boards/b", &NONE, 403);
    let all = entries(&alice);
    let seen: Vec<[&str; 3]> = all
        .iter()
        .map(|entry| ["action", "actor", "level"].map(|member| entry[member].as_str().unwrap_or("-")))
        .collect();
    let expected = [
        ["access.denied", "user:eve", "-"],
        ["webhook.delete", "user:alice", "-"],
        ["webhook.create", "user:alice", "-"],
        ["key.revoke", "user:alice", "-"],
        ["key.resume", "user:alice", "-"],
        ["key.pause", "user:alice", "-"],
        ["key.create", "user:alice", "edit"],
        ["link.revoke", "user:alice", "-"],
        ["link.create", "user:alice", "view"],
        ["permission.remove", "user:alice", "-"],
        ["permission.set", "user:alice", "comment"],
        ["board.update", "user:alice", "edit"],
        ["board.access", "user:alice", "edit"],
        ["board.create", "user:alice", "edit"],
    ];
    assert_eq!(seen, expected);
    let times: Vec<&str> = all.iter().map(|entry| entry["at"].as_str().unwrap()).collect();
    assert!(times.is_sorted_by(|a, b| a >= b), "newest first");
    for entry in &all {
        let keys: Vec<&String> = entry.as_object().unwrap().keys().collect();
        assert_eq!(
            keys,
            [
                "action",
                "actor",
                "address",
                "at",
                "detail",
                "level",
                "user_agent"
            ]
        );
        assert_eq!(
            (&entry["address"], &entry["user_agent"]),
            (&json!("127.0.0.1"), &json!("tests"))
        );
    }
    details(&all, &link, &key);
}

/// What the entries say besides, and what they do not.
fn details(all: &[Value], link: &Value, key: &Value) {
    let detail = |action: &str| &all.iter().find(|entry| entry["action"] == action).unwrap()["detail"];
    assert_eq!(detail("permission.set"), &json!({"principal": "user:bob"}));
    assert_eq!(detail("board.update"), &json!({"title": "T"}));
    assert_eq!(detail("key.create")["name"], "bot");
    for action in ["key.revoke", "key.pause", "key.resume"] {
        assert_eq!(detail(action), &json!({"id": key["id"]}));
    }
    // Its address may be secret.
    let webhook = detail("webhook.create");
    assert_eq!(
        (webhook, webhook.as_object().unwrap().len()),
        (detail("webhook.delete"), 1)
    );
    assert_eq!(
        detail("access.denied"),
        &json!({"reason": "forbidden", "count": 1})
    );
    let text = serde_json::to_string(&all).unwrap();
    for secret in [&link["token"], &key["key"]] {
        assert!(
            !text.contains(secret.as_str().unwrap()),
            "no secret is in the log"
        );
    }
}

#[test]
fn acts_that_were_refused_make_no_entry() {
    let server = Server::start();
    let alice = Api::user(&server, "alice");
    alice.must("POST", "/v1/boards", &json!({"id": "b"}), 201);
    Api::user(&server, "bob").must("POST", "/v1/boards", &json!({"id": "b"}), 409);
    alice.must("DELETE", "/v1/boards/b/permissions/public", &NONE, 404);
    alice.must("DELETE", "/v1/boards/b/keys/0123456789abcdef", &NONE, 404);
    alice.must(
        "PUT",
        "/v1/boards/b/permissions/public",
        &json!({"level": "x"}),
        422,
    );
    assert_eq!(actions(&alice), ["board.access", "board.create"]);
}

#[test]
fn a_connection_is_one_access_and_requests_are_one_an_hour() {
    let server = Server::start();
    let alice = Api::user(&server, "alice");
    alice.must("POST", "/v1/boards", &json!({"id": "b"}), 201);
    for _ in 0..5 {
        alice.must("GET", "/v1/boards/b", &NONE, 200);
        alice.must("GET", "/v1/boards/b/document?format=json", &NONE, 200);
    }
    assert_eq!(actions(&alice), ["board.access", "board.create"]);
    alice.must(
        "PUT",
        "/v1/boards/b/permissions/users/bob",
        &json!({"level": "view"}),
        200,
    );
    for _ in 0..3 {
        let mut client = Client::offline(1);
        client.connect(server.address(), &path("b", &Token::of("bob").sign()));
        client.sync();
    }
    let all = entries(&alice);
    let bobs: Vec<&Value> = all.iter().filter(|entry| entry["actor"] == "user:bob").collect();
    assert_eq!(bobs.len(), 3);
    assert!(
        bobs.iter()
            .all(|entry| entry["action"] == "board.access" && entry["level"] == "view")
    );
}

#[test]
fn a_board_made_by_connecting_has_its_entries_too() {
    let server = Server::start();
    drop(Client::join(&server, "b", 1));
    let admin = Api::admin(&server);
    let expected = ["board.access", "board.access", "board.create"];
    let all = entries(&admin);
    let seen: Vec<&str> = all
        .iter()
        .map(|entry| entry["action"].as_str().unwrap())
        .collect();
    assert_eq!(seen, expected);
    assert_eq!(
        (&all[1]["actor"], &all[2]["actor"]),
        (&json!("user:user-1"), &json!("user:user-1"))
    );
}

#[test]
fn a_flood_of_refusals_is_counted_into_few_entries() {
    let server = Setup::new().flag("trusted-proxy", "127.0.0.1").start();
    let alice = Api::user(&server, "alice");
    alice.must("POST", "/v1/boards", &json!({"id": "b"}), 201);
    let mut http = Http::connect(server.address());
    let mut refuse = |address: &str, times: usize| {
        for _ in 0..times {
            let answer = http.request("GET", "/v1/boards/b", &[("X-Forwarded-For", address)]);
            assert_eq!(answer.status, 401);
        }
    };
    refuse("203.0.113.7", 500);
    for n in 0..300 {
        refuse(&format!("198.51.100.{}", n % 150), 1);
    }
    let denied = |all: &[Value]| -> Vec<Value> {
        all.iter()
            .filter(|entry| entry["action"] == "access.denied")
            .cloned()
            .collect()
    };
    let count = |entries: &[Value]| -> u64 {
        entries
            .iter()
            .map(|entry| entry["detail"]["count"].as_u64().unwrap())
            .sum()
    };
    until(SOON, || count(&denied(&entries(&alice))) == 800);
    let all = denied(&entries(&alice));
    assert_eq!(
        all.len(),
        101,
        "a hundred that are told apart, and one for the rest"
    );
    let first = all
        .iter()
        .find(|entry| entry["address"] == "203.0.113.7")
        .unwrap();
    assert_eq!(
        (&first["detail"]["count"], &first["actor"]),
        (&json!(500), &json!("anonymous"))
    );
    let rest = all.iter().find(|entry| entry["address"] == NONE).unwrap();
    assert_eq!(rest["detail"]["reason"], "various");
}

#[test]
fn counts_survive_a_stop_and_boards_that_never_were_have_no_log() {
    let server = Server::start();
    let alice = Api::user(&server, "alice");
    alice.must("POST", "/v1/boards", &json!({"id": "b"}), 201);
    for _ in 0..9 {
        assert_eq!(http::get(server.address(), "/v1/boards/b").status, 401);
        assert_eq!(http::get(server.address(), "/v1/boards/never").status, 401);
    }
    let server = Setup::on(&server.stop()).start();
    let alice = Api::user(&server, "alice");
    let all = entries(&alice);
    let denied: Vec<&Value> = all
        .iter()
        .filter(|entry| entry["action"] == "access.denied")
        .collect();
    assert_eq!((denied.len(), &denied[0]["detail"]["count"]), (1, &json!(9)));
    Api::user(&server, "x").must("POST", "/v1/boards", &json!({"id": "never"}), 201);
    let log = Api::user(&server, "x").list("/v1/boards/never/audit", 10);
    assert!(log.iter().all(|entry| entry["action"] != "access.denied"));
}

#[test]
fn refused_connections_are_in_the_log_with_their_user_agent() {
    let server = Server::start();
    let alice = Api::user(&server, "alice");
    alice.must("POST", "/v1/boards", &json!({"id": "b"}), 201);
    let agent = format!("agent {}", "x".repeat(400));
    let mut http = Http::connect(server.address());
    let mut fields = crate::support::socket::UPGRADE.to_vec();
    fields.push(("User-Agent", &agent));
    http.send(request("GET", &path("b", &Token::of("eve").sign()), &fields));
    assert_eq!(http.head().0, 101);
    assert_eq!(Socket::over(http).closed().0, 4003);
    let all = entries(&alice);
    let denied = all
        .iter()
        .find(|entry| entry["action"] == "access.denied")
        .unwrap();
    assert_eq!(denied["actor"], "user:eve");
    assert_eq!(denied["user_agent"], agent[..256]);
}
