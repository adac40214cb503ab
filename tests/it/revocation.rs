//! Changes of who may do what reach every open connection within a second.

use std::time::{Duration, Instant};

use boardwire::ids::Level;
use serde_json::{Value, json};

use crate::support::api::Api;
use crate::support::client::Client;
use crate::support::http::{Http, request};
use crate::support::server::{Server, Setup};
use crate::support::socket::{Socket, path};
use crate::support::tokens::Token;
use crate::support::{SOON, until};

const NONE: Value = Value::Null;

/// What the contract allows.
const AT_ONCE: Duration = Duration::from_millis(1_000);

/// A little more, for a machine that builds beside.
const SPARE: Duration = Duration::from_millis(500);

fn board(server: &Server) -> Api {
    let alice = Api::user(server, "alice");
    alice.must("POST", "/v1/boards", &json!({"id": "b"}), 201);
    alice
}

fn connected(server: &Server, id: u64, target: &str) -> Client {
    let mut client = Client::offline(id);
    client.connect(server.address(), target);
    client.sync();
    client
}

/// Waits until no connection but the owner's has another level than `level`, a second after `since` at the
/// latest.
#[track_caller]
fn lowered(alice: &Api, level: &str, since: Instant) {
    until(SOON, || {
        let present = alice.list("/v1/boards/b/presence", 100);
        let others = present.iter().filter(|one| one["subject"] != "user:alice");
        others.map(|one| &one["level"]).all(|its| its == level)
    });
    assert!(Instant::now() < since + AT_ONCE + SPARE, "not within a second");
}

/// Waits for the close; how long after `since` it came.
fn closed(client: &mut Client, since: Instant) -> (u16, Duration) {
    until(SOON, || {
        client.poll();
        client.closed.is_some()
    });
    (client.closed.as_ref().unwrap().0, since.elapsed())
}

#[test]
fn a_lowered_grant_demotes_and_a_raised_one_promotes() {
    let server = Server::start();
    let alice = board(&server);
    alice.grant("users/bob", "edit");
    let token = Token::of("bob").sign();
    let mut bob = connected(&server, 1, &path("b", &token));
    let mut other = connected(&server, 2, &path("b", &Token::of("alice").sign()));
    bob.set("key", "one");
    bob.save();
    for level in ["comment", "view"] {
        bob.denied.clear();
        alice.grant("users/bob", level);
        lowered(&alice, level, Instant::now());
        let mut written: Option<Instant> = None;
        until(SOON, || {
            // It is told once a second at most.
            if written.is_none_or(|at| at.elapsed() > Duration::from_millis(200)) {
                written = Some(Instant::now());
                bob.set("key", level);
            }
            assert!(bob.poll(), "it stays connected");
            !bob.denied.is_empty()
        });
        other.poll();
        assert_eq!(other.value("key").as_deref(), Some("one"));
    }
    let asked = bob.asked;
    alice.grant("users/bob", "edit");
    let since = Instant::now();
    until(SOON, || {
        bob.poll();
        bob.asked > asked
    });
    assert!(since.elapsed() < AT_ONCE, "{:?}", since.elapsed());
    bob.save();
    until(SOON, || {
        other.poll();
        other.value("key").as_deref() == Some("view")
    });
}

#[test]
fn what_is_taken_away_closes_with_its_code_within_a_second() {
    for (mirror, no_permission, no_credential) in [(false, 4003, 4001), (true, 4403, 4401)] {
        let codes = if mirror { "mirror" } else { "plain" };
        let server = Setup::new().flag("close-codes", codes).start();
        let alice = board(&server);
        alice.grant("users/bob", "view");
        alice.grant("teams/design", "edit");
        alice.grant("public", "view");
        let member = {
            let mut claims = Token::of("carol").claims();
            claims["teams"] = json!(["design"]);
            crate::support::tokens::signed_with(crate::support::tokens::SECRET, &claims)
        };
        let link = alice.must("POST", "/v1/boards/b/links", &json!({"level": "edit"}), 201);
        let key = alice.must(
            "POST",
            "/v1/boards/b/keys",
            &json!({"level": "edit", "name": "k"}),
            201,
        );
        let link_target = format!("/ws/canvas/b?share={}", link["token"].as_str().unwrap());
        let key_target = format!("/ws/canvas/b?apiKey={}", key["key"].as_str().unwrap());
        let mut anonymous = connected(&server, 1, "/ws/canvas/b");
        let since = Instant::now();
        alice.must("DELETE", "/v1/boards/b/permissions/public", &NONE, 204);
        assert_in_time(closed(&mut anonymous, since), no_permission, "public");
        let cases = [
            (
                "user",
                path("b", &Token::of("bob").sign()),
                "permissions/users/bob".to_owned(),
                no_permission,
            ),
            (
                "team",
                path("b", &member),
                "permissions/teams/design".to_owned(),
                no_permission,
            ),
            (
                "link",
                link_target,
                format!("links/{}", link["id"].as_str().unwrap()),
                no_credential,
            ),
            (
                "key",
                key_target,
                format!("keys/{}", key["id"].as_str().unwrap()),
                no_credential,
            ),
        ];
        let mut clients: Vec<Client> = (2..)
            .zip(&cases)
            .map(|(id, case)| connected(&server, id, &case.1))
            .collect();
        for (at, (what, _, target, code)) in cases.iter().enumerate() {
            let since = Instant::now();
            alice.must("DELETE", &format!("/v1/boards/b/{target}"), &NONE, 204);
            assert_in_time(closed(&mut clients[at], since), *code, what);
            for later in &mut clients[at + 1..] {
                assert!(later.poll(), "{what}: only whom it concerns");
            }
        }
    }
}

#[test]
fn a_key_that_is_paused_closes_within_a_second_and_connects_again_when_it_may_go_on() {
    let server = Server::start();
    let alice = board(&server);
    // What the public may do does not keep it here.
    alice.grant("public", "edit");
    let made = json!({"level": "edit", "name": "k"});
    let key = alice.must("POST", "/v1/boards/b/keys", &made, 201);
    let target = format!("/ws/canvas/b?apiKey={}", key["key"].as_str().unwrap());
    let row = format!("/v1/boards/b/keys/{}", key["id"].as_str().unwrap());
    let mut agent = connected(&server, 1, &target);
    let mut person = connected(&server, 2, "/ws/canvas/b");
    let since = Instant::now();
    alice.must("PATCH", &row, &json!({"paused": true}), 200);
    assert_in_time(closed(&mut agent, since), 4003, "paused");
    assert!(person.poll(), "only whom it concerns");
    let mut refused = Socket::open(server.address(), &target);
    let (code, reason) = refused.closed();
    assert_eq!(code, 4003);
    assert!(reason.starts_with("agent_paused"), "{reason}");
    alice.must("PATCH", &row, &json!({"paused": false}), 200);
    connected(&server, 3, &target);
}

#[track_caller]
fn assert_in_time((code, after): (u16, Duration), expected: u16, what: &str) {
    assert_eq!(code, expected, "{what}");
    assert!(after < AT_ONCE + SPARE, "{what}: {after:?}");
}

#[test]
fn what_something_else_still_gives_stays() {
    let server = Server::start();
    let alice = board(&server);
    alice.grant("public", "view");
    alice.grant("users/bob", "edit");
    let link = alice.must(
        "POST",
        "/v1/boards/b/links",
        &json!({"level": "edit", "expires_in": 2}),
        201,
    );
    let token = Token::of("bob").sign();
    let mut by_grant = connected(&server, 1, &path("b", &token));
    let mut by_link = connected(
        &server,
        2,
        &format!("/ws/canvas/b?share={}", link["token"].as_str().unwrap()),
    );
    by_link.set("key", "while it lasts");
    by_link.save();
    alice.must("DELETE", "/v1/boards/b/permissions/users/bob", &NONE, 204);
    // The link lasts two seconds more at most.
    lowered(&alice, "view", Instant::now() + Duration::from_secs(2));
    for client in [&mut by_grant, &mut by_link] {
        client.set("key", "too late");
        until(SOON, || {
            assert!(client.poll(), "the public grant keeps it connected");
            !client.denied.is_empty()
        });
    }
}

#[test]
fn no_connection_outlives_its_credential() {
    let server = Server::start();
    let alice = board(&server);
    alice.grant("users/bob", "edit");
    let link = alice.must(
        "POST",
        "/v1/boards/b/links",
        &json!({"level": "view", "expires_in": 2}),
        201,
    );
    let targets = [
        format!("/ws/canvas/b?share={}", link["token"].as_str().unwrap()),
        // Thirty seconds of leeway are over in two.
        path("b", &Token::of("bob").ending_in(-28).sign()),
        path(
            "b",
            &Token::of("claimer").with("b", Level::Edit).ending_in(-28).sign(),
        ),
    ];
    let since = Instant::now();
    let mut clients: Vec<Client> = (1..)
        .zip(&targets)
        .map(|(id, target)| connected(&server, id, target))
        .collect();
    for (client, target) in clients.iter_mut().zip(&targets) {
        let (code, after) = closed(client, since);
        assert_eq!(code, 4001, "{target}");
        assert!(
            (Duration::from_millis(500)..Duration::from_millis(3_700)).contains(&after),
            "{after:?}"
        );
    }
}

#[test]
fn a_board_that_is_given_away_closes_its_old_owner() {
    let server = Server::start();
    let alice = board(&server);
    let mut old = connected(&server, 1, &path("b", &Token::of("alice").sign()));
    let since = Instant::now();
    alice.must("PATCH", "/v1/boards/b", &json!({"owner": "bob"}), 200);
    assert_in_time(closed(&mut old, since), 4003, "owner");
    connected(&server, 2, &path("b", &Token::of("bob").sign()));
}

#[test]
fn whoever_connects_while_the_grant_is_taken_away_does_not_stay() {
    let server = Server::start();
    let alice = board(&server);
    let target = path("b", &Token::of("bob").sign());
    // A refusal is held for longer each time, so there are few rounds; tests/node/access-race.test.mjs has
    // many.
    for round in 0..4_u64 {
        alice.grant("users/bob", "view");
        let mut client = std::thread::scope(|scope| {
            let connecting = scope.spawn(|| {
                std::thread::sleep(Duration::from_millis(round * 15));
                let mut client = Client::offline(round + 1);
                client.connect(server.address(), &target);
                client
            });
            alice.must("DELETE", "/v1/boards/b/permissions/users/bob", &NONE, 204);
            connecting.join().unwrap()
        });
        let (code, _) = closed(&mut client, Instant::now());
        assert_eq!(code, 4003, "round {round}");
    }
}

#[test]
fn a_body_that_takes_longer_than_the_credential_lasts_changes_nothing() {
    let server = Server::start();
    let alice = board(&server);
    let made = alice.must(
        "POST",
        "/v1/boards/b/links",
        &json!({"level": "edit", "expires_in": 1}),
        201,
    );
    let link = made["token"].as_str().unwrap().to_owned();
    let mut author = Client::offline(9);
    let update = author.setting("late", "x");
    let ending = Token::of("alice").ending_in(-28).sign();
    let grant = br#"{"level":"edit"}"#.as_slice();
    let late = [
        (
            "POST",
            format!("/v1/boards/b/document?share={link}"),
            update.as_slice(),
        ),
        (
            "PUT",
            format!("/v1/boards/b/permissions/users/late?token={ending}"),
            grant,
        ),
        (
            "POST",
            format!("/v1/boards?token={ending}"),
            br#"{"id":"late"}"#.as_slice(),
        ),
    ];
    let begun = late.map(|(method, target, body)| {
        let mut http = Http::connect(server.address());
        let length = body.len().to_string();
        let fields = [("Content-Length", length.as_str()), ("Expect", "100-continue")];
        http.send(request(method, &target, &fields));
        assert_eq!(http.head().0, 100, "it was let in: {method} {target}");
        (http, method, body)
    });
    std::thread::sleep(Duration::from_millis(2_500));
    for (mut http, method, body) in begun {
        http.send(body);
        let answer = http.answer(method);
        assert_eq!(
            (answer.status, &answer.json()["code"]),
            (401, &json!("expired_credential")),
            "{method}"
        );
    }
    let document = alice.get("/v1/boards/b/document?format=json").json();
    assert_eq!(document, json!({}), "nothing was accepted");
    assert_eq!(alice.get("/v1/boards/late").status, 404);
}
