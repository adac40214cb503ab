//! Who may come in, and how those who may not are told: the contract's table of refusals.

use std::time::{Duration, Instant};

use boardwire::ids::Level;
use serde_json::json;

use crate::support::client::Client;
use crate::support::http::{self, Http, request};
use crate::support::server::{Server, Setup};
use crate::support::socket::{Event, Socket, UPGRADE, path};
use crate::support::tokens::{SECRET, Token, editor, now, signed_with, viewer};
use crate::support::wire::{self, Message};
use crate::support::{SOON, until};

/// A target, and its status and close codes: plain and mirror.
type Row = (&'static str, String, u16, u16, u16);

/// Refusals of credentials.
fn refusals_of_credentials() -> Vec<Row> {
    let alice = || Token::of("alice").with("b", Level::Edit);
    let ws = |query: &str| format!("/ws/canvas/b{query}");
    let with = |token: &str| ws(&format!("?token={token}"));
    let claims = |change: &dyn Fn(&mut serde_json::Value)| {
        let mut claims = alice().claims();
        change(&mut claims);
        with(&signed_with(SECRET, &claims))
    };
    let good = alice().sign();
    let (head, signature) = good.rsplit_once('.').unwrap();
    let (_, payload) = head.split_once('.').unwrap();
    let none = format!("eyJhbGciOiJub25lIn0.{payload}.");
    let flipped = format!(
        "{head}.{}{}",
        if signature.starts_with('A') { 'B' } else { 'A' },
        &signature[1..]
    );
    let e401 = |what, target| (what, target, 401, 4001, 4401);
    vec![
        e401("nothing", ws("")),
        e401("an empty token", ws("?token=")),
        e401("no token at all", with("x")),
        e401("two parts", with(head)),
        e401("a wrong signature", with(&flipped)),
        e401("no signature", with(&format!("{head}."))),
        e401("alg none", with(&none)),
        e401(
            "another secret",
            with(&signed_with(
                "another-secret-another-secret-12345",
                &alice().claims(),
            )),
        ),
        e401("expired", with(&alice().ending_in(-31).sign())),
        e401(
            "without exp",
            claims(&|c| drop(c.as_object_mut().unwrap().remove("exp"))),
        ),
        e401(
            "without sub",
            claims(&|c| drop(c.as_object_mut().unwrap().remove("sub"))),
        ),
        e401(
            "not yet valid",
            claims(&|c| c["nbf"] = json!(now() / 1_000 + 3_600)),
        ),
        e401("over 8 KiB", claims(&|c| c["filler"] = json!("x".repeat(7_000)))),
        e401("a key that is none", ws(&format!("?token={good}&apiKey=bw_none"))),
        e401("a link that is none", ws(&format!("?token={good}&share=none"))),
        e401(
            "two tokens in the query",
            ws(&format!("?token={good}&token={good}")),
        ),
    ]
}

/// Refusals of tokens that are in order.
fn refusals_of_boards() -> Vec<Row> {
    let bob = Token::of("bob").sign();
    let admin = Token::of("bob").admin().sign();
    vec![
        ("somebody else's board", path("b", &bob), 403, 4003, 4403),
        ("no such board", path("none", &bob), 404, 4004, 4404),
        (
            "no such board to view",
            path("none", &viewer("bob", "none")),
            404,
            4004,
            4404,
        ),
        ("a bad board id", path("a%20b", &admin), 400, 1007, 4400),
        ("a dotted board id", path("%2e%2E", &admin), 400, 1007, 4400),
        ("a long board id", path(&"x".repeat(129), &admin), 400, 1007, 4400),
    ]
}

/// All that can be refused by now.
fn refusals() -> Vec<Row> {
    let mut rows = refusals_of_credentials();
    rows.extend(refusals_of_boards());
    rows
}

/// Opens `target`, and gives what it is refused with.
#[track_caller]
fn refused(server: &Server, what: &str, target: &str) -> (u16, String) {
    let mut socket = Socket::open(server.address(), target);
    let Message::Denied(told) = wire::parse(&socket.message()) else {
        panic!("{what}: no auth message first")
    };
    // Whatever a refused client sends is not read.
    socket.send(&wire::step_1(&[0]));
    let Event::Close(code, reason) = socket.next() else {
        panic!("{what}: no close after the auth message")
    };
    assert_eq!(told, reason, "{what}");
    assert!(!told.is_empty(), "{what}");
    (code, reason)
}

#[test]
fn every_refusal_of_an_upgrade_is_told_and_closed_with_its_code() {
    // Repeated refusals of an address are held for seconds; so each has a server of its own.
    let rows = refusals();
    std::thread::scope(|scope| {
        for part in rows.chunks(rows.len().div_ceil(4)) {
            scope.spawn(move || {
                for (what, target, _, plain, mirror) in part {
                    for (codes, code) in [("plain", plain), ("mirror", mirror)] {
                        let server = Setup::new().flag("close-codes", codes).start();
                        drop(Client::join(&server, "b", 1));
                        assert_eq!(refused(&server, what, target).0, *code, "{what} {codes}");
                        assert_eq!(server.rooms(), 1, "{what}: only the room that was there");
                    }
                }
            });
        }
    });
}

#[test]
fn without_an_upgrade_a_refusal_is_the_plain_status() {
    let server = Server::start();
    drop(Client::join(&server, "b", 1));
    for _ in 0..2 {
        for (what, target, status, ..) in refusals() {
            let answer = http::get(server.address(), &target);
            assert_eq!(answer.status, status, "{what}");
            assert_eq!(answer.json()["status"], status, "{what}");
        }
    }
    // Where only the upgrade is missing.
    let answer = http::get(server.address(), &path("b", &editor("alice", "b")));
    assert_eq!(answer.status, 426);
    assert_eq!(answer.field("upgrade"), Some("websocket"));
    assert_eq!(server.rooms(), 1, "no refused client has touched a room");
}

#[test]
fn a_refused_client_creates_no_board() {
    let server = Server::start();
    let targets = [
        path("new", "x"),
        path("new", &Token::of("bob").sign()),
        path("new", &viewer("bob", "new")),
        path(
            "new",
            &Token::of("bob").with("new", Level::Edit).ending_in(-31).sign(),
        ),
        format!("/ws/canvas/new?token={}&apiKey=bw_x", editor("bob", "new")),
    ];
    for target in &targets {
        let answer = http::get(server.address(), target);
        assert!(matches!(answer.status, 401 | 404), "{}", answer.status);
    }
    assert!(matches!(refused(&server, "none", &targets[1]).0, 4004));
    let admin = Token::of("admin").admin().sign();
    let answer = http::get(
        server.address(),
        &format!("/v1/boards/new/document?token={admin}"),
    );
    assert_eq!(answer.status, 404);
    assert_eq!(server.rooms(), 0);
}

#[test]
fn repeated_refusals_are_held_longer_and_longer() {
    let server = Server::start();
    let target = path("b", &Token::of("bob").sign());
    for least in [0.0, 1.0, 2.0] {
        let mut socket = Socket::open(server.address(), &target);
        let started = Instant::now();
        // The reason comes at once, only the close is held.
        assert!(matches!(wire::parse(&socket.message()), Message::Denied(_)));
        assert_eq!(socket.closed().0, 4004);
        let held = started.elapsed().as_secs_f64();
        assert!(
            held >= least - 0.05 && held < least + 1.0 + 5.0,
            "held for {held} s instead of {least} s"
        );
    }
    // Somebody with a good token comes in at once, from the same address.
    let started = Instant::now();
    drop(Client::join(&server, "b", 1));
    assert!(
        started.elapsed() < Duration::from_millis(900),
        "{:?}",
        started.elapsed()
    );
}

#[test]
fn the_token_may_come_in_the_header_and_the_highest_level_counts() {
    let server = Server::start();
    drop(Client::join(&server, "b", 1));
    let open = |query: &str, bearer: &str| {
        let mut http = Http::connect(server.address());
        let value = format!("Bearer {bearer}");
        let mut fields = UPGRADE.to_vec();
        fields.push(("Authorization", &value));
        http.send(request("GET", &format!("/ws/canvas/b{query}"), &fields));
        assert_eq!(http.answer("GET").status, 101);
        let mut socket = Socket::over(http);
        socket.message()
    };
    let is_step_1 = |message: Vec<u8>| message.starts_with(&[0, 0]);
    assert!(is_step_1(open("", &editor("alice", "b"))));
    assert!(is_step_1(open("?token=", &editor("alice", "b"))));
    assert!(is_step_1(open(
        &format!("?token={}", viewer("alice", "b")),
        &editor("alice", "b")
    )));
    assert!(is_step_1(open(
        &format!("?token={}", editor("alice", "b")),
        &viewer("alice", "b")
    )));
    // One that is invalid is a refusal, however good the other is.
    let denied = open("?token=x", &editor("alice", "b"));
    assert!(matches!(wire::parse(&denied), Message::Denied(_)));
}

#[test]
fn owners_admins_and_claims_give_their_levels() {
    let server = Server::start();
    let asked = |board: &str, token: &Token| {
        let mut client = Client::offline(1);
        client.connect(server.address(), &path(board, &token.sign()));
        client.sync();
        // Only editors are asked for what they have.
        client.asked > 0
    };
    let alice = Token::of("alice");
    assert!(
        asked("b", &alice.clone().with("b", Level::Edit)),
        "a claim of edit creates a board that never was"
    );
    assert!(asked("b", &alice), "the owner has edit without any claim");
    assert!(
        asked("b", &alice.clone().with("b", Level::View)),
        "and is not lowered by one"
    );
    assert!(!asked("b", &Token::of("bob").with("b", Level::View)));
    assert!(!asked("b", &Token::of("bob").with("b", Level::Comment)));
    assert!(asked("b", &Token::of("bob").with("b", Level::Edit)));
    assert!(asked("b", &Token::of("root").admin()));
    assert!(
        asked("by-admin", &Token::of("root").admin()),
        "an admin creates a missing board"
    );
    assert!(asked("by-admin", &Token::of("root")), "and owns it");
}

#[test]
fn in_dev_every_valid_token_edits_and_creates() {
    // The clients here ask for that host, which is neither an address nor localhost.
    let server = Setup::new()
        .switch("dev")
        .flag("public-url", "http://boards.test")
        .start();
    let mut client = Client::offline(1);
    client.connect(server.address(), &path("new", &Token::of("anybody").sign()));
    client.sync();
    client.write(0, "words");
    client.save();
    let mut socket = Socket::open(server.address(), "/ws/canvas/new");
    assert_eq!(socket.closed().0, 4001, "no token is still no token");
}

#[test]
fn an_expired_token_ends_the_session() {
    let server = Server::start();
    // The leeway is 30 s, so this one ends in two to three seconds.
    let token = Token::of("alice").with("b", Level::Edit).ending_in(-27).sign();
    let mut client = Client::offline(1);
    client.connect(server.address(), &path("b", &token));
    client.sync();
    client.write(0, "in time");
    client.save();
    until(SOON, || !client.poll());
    assert_eq!(client.closed.clone().unwrap().0, 4001);
    client.cut();
    client.connect(server.address(), &path("b", &token));
    until(SOON, || !client.poll());
    assert_eq!(client.closed.unwrap().0, 4001);
}

#[test]
fn other_origins_are_a_plain_403() {
    let server = Setup::new().flag("allow-origin", "https://app.test").start();
    let answer = |origin: &str| {
        let mut fields = UPGRADE.to_vec();
        fields.push(("Origin", origin));
        Http::connect(server.address()).request("GET", &path("b", &editor("alice", "b")), &fields)
    };
    for origin in ["http://boards.test", "https://boards.test", "https://app.test"] {
        assert_eq!(answer(origin).status, 101, "{origin}");
    }
    let others = [
        "https://evil.test",
        "null",
        "https://app.test.evil.test",
        "https://boards.test:444",
        "http://app.test",
    ];
    for origin in others {
        let refused = answer(origin);
        assert_eq!(refused.status, 403, "{origin}");
        assert_eq!(refused.json()["code"], "origin_refused");
    }
}
