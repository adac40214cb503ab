//! Share links and API keys: shown once, kept as a hash, bound to a board, revoked and expired.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::api::Api;
use crate::support::http;
use crate::support::server::{Server, Setup};
use crate::support::socket::Socket;
use crate::support::{SOON, until, wire};

const NONE: Value = Value::Null;

fn board(server: &Server) -> Api {
    let alice = Api::user(server, "alice");
    alice.must("POST", "/v1/boards", &json!({"id": "b"}), 201);
    alice
}

fn text(made: &Value) -> &str {
    let text = made.get("key").or_else(|| made.get("token")).unwrap();
    text.as_str().unwrap()
}

#[test]
fn a_link_is_shown_once_listed_without_its_token_and_revoked() {
    let server = Server::start();
    let alice = board(&server);
    let link = alice.must("POST", "/v1/boards/b/links", &json!({"level": "comment"}), 201);
    assert_eq!((&link["level"], &link["expires_at"]), (&json!("comment"), &NONE));
    let until_then = alice.must(
        "POST",
        "/v1/boards/b/links",
        &json!({"level": "view", "expires_in": 60}),
        201,
    );
    assert!(until_then["expires_at"].as_str().unwrap().ends_with('Z'));
    assert_ne!(text(&link), text(&until_then));
    for limit in [1, 2, 100] {
        let all = alice.list("/v1/boards/b/links", limit);
        assert_eq!(all.len(), 2);
        for item in &all {
            assert!(item.get("token").is_none(), "{item}");
            let members: Vec<&String> = item.as_object().unwrap().keys().collect();
            assert_eq!(members, ["expires_at", "id", "label", "level"]);
            assert!([&link["id"], &until_then["id"]].contains(&&item["id"]));
        }
    }
    let target = format!("/v1/boards/b?share={}", text(&link));
    assert_eq!(http::get(server.address(), &target).json()["level"], "comment");
    alice.must(
        "DELETE",
        &format!("/v1/boards/b/links/{}", link["id"].as_str().unwrap()),
        &NONE,
        204,
    );
    assert_eq!(http::get(server.address(), &target).status, 401);
    let again = format!("/v1/boards/b/links/{}", link["id"].as_str().unwrap());
    for gone in [
        &again,
        "/v1/boards/b/links/short",
        "/v1/boards/b/links/0123456789abcdef",
    ] {
        assert_eq!(alice.must("DELETE", gone, &NONE, 404)["code"], "no_such_link");
    }
    assert_eq!(alice.list("/v1/boards/b/links", 10).len(), 1);
}

#[test]
fn a_key_is_shown_once_listed_without_itself_and_revoked() {
    let server = Server::start();
    let alice = board(&server);
    let key = alice.must(
        "POST",
        "/v1/boards/b/keys",
        &json!({"name": "bot", "level": "edit"}),
        201,
    );
    assert!(text(&key).starts_with("bw_"));
    assert_eq!((&key["name"], &key["level"]), (&json!("bot"), &json!("edit")));
    let listed = alice.list("/v1/boards/b/keys", 10);
    assert_eq!(listed.len(), 1);
    assert!(listed[0].get("key").is_none());
    assert_eq!(
        (&listed[0]["id"], &listed[0]["name"], &listed[0]["created_at"]),
        (&key["id"], &key["name"], &key["created_at"])
    );
    let agent = Api::key(&server, text(&key));
    assert_eq!(agent.must("GET", "/v1/boards/b", &NONE, 200)["level"], "edit");
    let by_query = http::get(server.address(), &format!("/v1/boards/b?apiKey={}", text(&key)));
    assert_eq!(by_query.json()["level"], "edit");
    // A link's id is no key's.
    let id = key["id"].as_str().unwrap();
    alice.must("DELETE", &format!("/v1/boards/b/links/{id}"), &NONE, 404);
    alice.must("DELETE", &format!("/v1/boards/b/keys/{id}"), &NONE, 204);
    agent.must("GET", "/v1/boards/b", &NONE, 401);
}

#[test]
fn a_key_is_paused_and_goes_on_and_both_are_listed() {
    let server = Server::start();
    let alice = board(&server);
    let made = json!({"name": "bot", "level": "edit"});
    let key = alice.must("POST", "/v1/boards/b/keys", &made, 201);
    let other = alice.must("POST", "/v1/boards/b/keys", &made, 201);
    assert_eq!(key["paused"], json!(false));
    let target = format!("/v1/boards/b/keys/{}", key["id"].as_str().unwrap());
    let (agent, sibling) = (Api::key(&server, text(&key)), Api::key(&server, text(&other)));
    let sticky = json!({"type": "sticky", "x": 0, "y": 0});
    agent.must("POST", "/v1/boards/b/items", &sticky, 201);
    // Twice each: it is what it is after the first.
    for paused in [true, true, false, false] {
        let changed = alice.must("PATCH", &target, &json!({"paused": paused}), 200);
        let members: Vec<&String> = changed.as_object().unwrap().keys().collect();
        assert_eq!(members, ["created_at", "id", "level", "name", "paused"]);
        assert_eq!(changed["paused"], json!(paused));
        let listed = alice.list("/v1/boards/b/keys", 10);
        let of = |id: &Value| listed.iter().find(|row| row["id"] == *id).unwrap()["paused"].clone();
        assert_eq!((of(&key["id"]), of(&other["id"])), (json!(paused), json!(false)));
        let (there, made) = if paused { (403, 403) } else { (200, 201) };
        for (method, path, body, status) in [
            ("GET", "/v1/boards/b", &NONE, there),
            ("POST", "/v1/boards/b/items", &sticky, made),
            // It would be refused anyway; that it is paused is what it is told.
            ("GET", "/v1/boards", &NONE, 403),
        ] {
            let answer = agent.must(method, path, body, status);
            if paused {
                assert_eq!(answer["code"], "agent_paused", "{method} {path}");
                assert!(answer["detail"].as_str().unwrap().contains("owner paused"));
            }
        }
        sibling.must("GET", "/v1/boards/b", &NONE, 200);
    }
    let id = target.rsplit('/').next().unwrap();
    let link = alice.must("POST", "/v1/boards/b/links", &json!({"level": "view"}), 201);
    let link = format!("/v1/boards/b/keys/{}", link["id"].as_str().unwrap());
    for gone in [
        link.as_str(),
        "/v1/boards/b/keys/short",
        "/v1/boards/b/keys/0123456789abcdef",
    ] {
        let problem = alice.must("PATCH", gone, &json!({"paused": true}), 404);
        assert_eq!(problem["code"], "no_such_key", "{gone}");
    }
    for bad in [
        json!({}),
        json!({"paused": null}),
        json!({"paused": 1}),
        json!({"paused": "true"}),
    ] {
        let problem = alice.must("PATCH", &target, &bad, 422);
        assert_eq!(
            (&problem["code"], &problem["field"]),
            (&json!("invalid_value"), &json!("paused"))
        );
    }
    agent.must(
        "PATCH",
        &format!("/v1/boards/b/keys/{id}"),
        &json!({"paused": true}),
        403,
    );
}

#[test]
fn what_is_public_or_another_credential_is_no_way_around_a_pause() {
    let server = Server::start();
    let alice = board(&server);
    alice.grant("public", "edit");
    let made = json!({"name": "bot", "level": "view"});
    let key = alice.must("POST", "/v1/boards/b/keys", &made, 201);
    let target = format!("/v1/boards/b/keys/{}", key["id"].as_str().unwrap());
    let agent = Api::key(&server, text(&key));
    assert_eq!(agent.must("GET", "/v1/boards/b", &NONE, 200)["level"], "edit");
    alice.must("PATCH", &target, &json!({"paused": true}), 200);
    assert_eq!(
        agent.must("GET", "/v1/boards/b", &NONE, 403)["code"],
        "agent_paused"
    );
    let both = format!("/v1/boards/b?apiKey={}", text(&key));
    assert_eq!(alice.must("GET", &both, &NONE, 403)["code"], "agent_paused");
    // It is in the log whose calls these were.
    until(SOON, || {
        let entries = alice.list("/v1/boards/b/audit", 100);
        let actor = format!("key:{}", key["id"].as_str().unwrap());
        let mut denied = entries.iter().filter(|entry| entry["action"] == "access.denied");
        denied.any(|entry| entry["actor"] == *actor && entry["detail"]["reason"] == "agent_paused")
    });
}

#[test]
fn a_pause_outlives_a_restart() {
    let server = Server::start();
    let alice = board(&server);
    let made = json!({"name": "bot", "level": "edit"});
    let key = alice.must("POST", "/v1/boards/b/keys", &made, 201);
    let target = format!("/v1/boards/b/keys/{}", key["id"].as_str().unwrap());
    alice.must("PATCH", &target, &json!({"paused": true}), 200);
    let place = server.kill();
    let server = Setup::on(&place).start();
    let agent = Api::key(&server, text(&key));
    assert_eq!(
        agent.must("GET", "/v1/boards/b", &NONE, 403)["code"],
        "agent_paused"
    );
    let alice = Api::user(&server, "alice");
    assert_eq!(alice.list("/v1/boards/b/keys", 10)[0]["paused"], json!(true));
    alice.must("PATCH", &target, &json!({"paused": false}), 200);
    agent.must("GET", "/v1/boards/b", &NONE, 200);
}

#[test]
fn bad_values_are_refused_by_name() {
    let server = Server::start();
    let alice = board(&server);
    let long = "x".repeat(257);
    let most = 10 * 366 * 24 * 3_600;
    for (target, body, field) in [
        ("links", json!({}), "level"),
        ("links", json!({"level": "all"}), "level"),
        ("links", json!({"level": "view", "expires_in": 0}), "expires_in"),
        ("links", json!({"level": "view", "expires_in": -1}), "expires_in"),
        ("links", json!({"level": "view", "expires_in": 1.5}), "expires_in"),
        (
            "links",
            json!({"level": "view", "expires_in": "60"}),
            "expires_in",
        ),
        (
            "links",
            json!({"level": "view", "expires_in": most + 1}),
            "expires_in",
        ),
        ("keys", json!({"level": "view"}), "name"),
        ("keys", json!({"level": "view", "name": ""}), "name"),
        ("keys", json!({"level": "view", "name": 1}), "name"),
        ("keys", json!({"level": "view", "name": long}), "name"),
        ("keys", json!({"name": "x"}), "level"),
    ] {
        let problem = alice.must("POST", &format!("/v1/boards/b/{target}"), &body, 422);
        assert_eq!(
            (&problem["code"], problem["field"].as_str()),
            (&json!("invalid_value"), Some(field)),
            "{body}"
        );
    }
    for body in [
        json!({"level": "view", "expires_in": most}),
        json!({"level": "view", "expires_in": null}),
    ] {
        alice.must("POST", "/v1/boards/b/links", &body, 201);
    }
    alice.must(
        "POST",
        "/v1/boards/b/keys",
        &json!({"level": "view", "name": "x".repeat(256)}),
        201,
    );
}

/// Reasons of refusals.
const FORBIDDEN: &str = "no permission on this board";
const INVALID: &str = "invalid credential";

#[test]
fn links_and_keys_are_worth_nothing_elsewhere_or_as_the_other() {
    let server = Server::start();
    let alice = board(&server);
    alice.must("POST", "/v1/boards", &json!({"id": "c"}), 201);
    let link = alice.must("POST", "/v1/boards/b/links", &json!({"level": "edit"}), 201);
    let key = alice.must(
        "POST",
        "/v1/boards/b/keys",
        &json!({"level": "edit", "name": "k"}),
        201,
    );
    let (link, key) = (text(&link), text(&key));
    for (query, status, reason) in [
        (format!("share={link}"), 403, FORBIDDEN),
        (format!("apiKey={key}"), 403, FORBIDDEN),
        (format!("share={key}"), 401, INVALID),
        (format!("apiKey={link}"), 401, INVALID),
        (format!("apiKey={key}x"), 401, INVALID),
        (format!("apiKey={}", &key[..key.len() - 1]), 401, INVALID),
        (format!("share={}", link.to_uppercase()), 401, INVALID),
    ] {
        // Neither of a board that is there, nor of one that is not, is anything told.
        for board in ["c", "none"] {
            let answer = http::get(server.address(), &format!("/v1/boards/{board}?{query}"));
            assert_eq!(answer.status, status, "{board} {query}");
            let mut socket = Socket::open(server.address(), &format!("/ws/canvas/{board}?{query}"));
            // Repeated refusals are held; the auth message is not.
            let told = wire::parse(&socket.message());
            assert_eq!(told, wire::Message::Denied(reason.to_owned()), "{board} {query}");
        }
    }
    assert_eq!(server.rooms(), 0, "no room was touched");
}

#[test]
fn a_link_ends_when_it_expires() {
    let server = Server::start();
    let alice = board(&server);
    let link = alice.must(
        "POST",
        "/v1/boards/b/links",
        &json!({"level": "view", "expires_in": 1}),
        201,
    );
    let target = format!("/v1/boards/b?share={}", text(&link));
    assert_eq!(http::get(server.address(), &target).status, 200);
    until(Duration::from_secs(5), || {
        http::get(server.address(), &target).status == 401
    });
    assert_eq!(
        http::get(server.address(), &target).json()["code"],
        "expired_credential"
    );
}

/// Looks for bytes in a file.
fn holds(file: &[u8], needle: &[u8]) -> bool {
    file.windows(needle.len()).any(|window| window == needle)
}

#[test]
fn no_secret_is_in_the_data_file_or_in_the_log() {
    use base64::Engine;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;

    let server = Setup::new().flag("log-level", "trace").start();
    let alice = board(&server);
    let mut secrets = Vec::new();
    for n in 0..10 {
        let link = alice.must("POST", "/v1/boards/b/links", &json!({"level": "view"}), 201);
        let key = alice.must(
            "POST",
            "/v1/boards/b/keys",
            &json!({"level": "view", "name": format!("NAME-{n}")}),
            201,
        );
        for made in [link, key] {
            let secret = text(&made).to_owned();
            let parameter = if secret.starts_with("bwl_") {
                "share"
            } else {
                "apiKey"
            };
            assert_eq!(
                http::get(server.address(), &format!("/v1/boards/b?{parameter}={secret}")).status,
                200
            );
            drop(Socket::open(
                server.address(),
                &format!("/ws/canvas/b?{parameter}={secret}"),
            ));
            secrets.push(secret);
        }
    }
    alice.must("GET", "/v1/boards/b/audit", &NONE, 200);
    let log = server.log();
    let place = server.stop();
    let file = std::fs::read(place.data()).unwrap();
    assert!(holds(&file, b"NAME-9"), "the search finds what is there");
    for secret in &secrets {
        let random = &secret[secret.rfind('_').map_or(0, |_| secret.find('_').unwrap() + 1)..];
        let raw = URL_SAFE_NO_PAD.decode(random).unwrap();
        assert_eq!(raw.len(), 32, "256 bits");
        for needle in [secret.as_bytes(), random.as_bytes(), &raw] {
            assert!(!holds(&file, needle), "a secret is in the file");
        }
        assert!(!log.contains(random), "a secret is in the log");
    }
}

#[test]
fn a_board_takes_so_many_links_and_keys() {
    let server = Setup::new().flag("commit-window", "0ms").start();
    let alice = board(&server);
    let mut connection = http::Http::connect(server.address());
    let token = crate::support::tokens::Token::of("alice").sign();
    let body = json!({"level": "view", "name": "k"}).to_string();
    let fields = [
        ("Authorization", format!("Bearer {token}")),
        ("Content-Length", body.len().to_string()),
    ];
    let fields: Vec<(&str, &str)> = fields
        .iter()
        .map(|(name, value)| (*name, value.as_str()))
        .collect();
    for n in 0..1_024 {
        connection.send(http::request("POST", "/v1/boards/b/keys", &fields) + &body);
        assert_eq!(connection.answer("POST").status, 201, "{n}");
    }
    let refused = alice.must(
        "POST",
        "/v1/boards/b/keys",
        &json!({"level": "view", "name": "k"}),
        409,
    );
    assert_eq!(refused["code"], "too_many_keys");
    alice.must("POST", "/v1/boards/b/links", &json!({"level": "view"}), 201);
    let id = alice.list("/v1/boards/b/keys", 500)[700]["id"].clone();
    alice.must(
        "DELETE",
        &format!("/v1/boards/b/keys/{}", id.as_str().unwrap()),
        &NONE,
        204,
    );
    alice.must(
        "POST",
        "/v1/boards/b/keys",
        &json!({"level": "view", "name": "k"}),
        201,
    );
}
