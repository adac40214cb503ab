//! What the log says of connections and tokens, and that no token, secret or payload ever stands in it.

use std::collections::{BTreeMap, BTreeSet};

use boardwire::ids::Level;

use crate::support::client::{Client, converge};
use crate::support::http::{self, Http};
use crate::support::postgres::Postgres;
use crate::support::server::{Server, Setup};
use crate::support::socket::{Socket, UPGRADE, path};
use crate::support::tokens::{SECRET, Token, editor, signed_with, viewer};
use crate::support::{SOON, free_port, until, wire};

/// A busy day in short, at the most talkative level; then the log is searched for everything that was said in
/// secret.
#[test]
fn tokens_secrets_and_payloads_stay_out_of_the_log() {
    let mut server = Setup::new()
        .flag("log-level", "trace")
        .flag("compact-after", "20ms")
        .start();
    let mut secrets: Vec<String> = vec![SECRET.to_owned()];
    let tokens = [
        editor("alice", "b"),
        viewer("bob", "b"),
        Token::of("carol").sign(),
        Token::of("dave").with("b", Level::Edit).ending_in(-100).sign(),
        signed_with("another-secret-another-secret-12345", &Token::of("eve").claims()),
        "garbage-in-place-of-a-token".to_owned(),
    ];
    let payload = "PAYLOAD-OF-THE-DOCUMENT";
    let presence = "PAYLOAD-OF-PRESENCE";
    let mut clients = [Client::join(&server, "b", 1), Client::join(&server, "b", 2)];
    clients[0].set(payload, payload);
    clients[0].announce(&[(1, 2, &format!("{{\"name\":\"{presence}\"}}"))]);
    converge(&mut clients);
    for token in &tokens {
        if let Ok(mut socket) = Socket::try_open(server.address(), &path("b", token)) {
            // Refused or not: malformed bytes around a payload.
            socket.send(&wire::update(payload.as_bytes()));
            socket.send(payload.as_bytes());
            socket.send_frame(0x81, payload.as_bytes());
        }
        http::get(
            server.address(),
            &format!("/v1/boards/b/document?token={token}&format=json"),
        );
        http::get(
            server.address(),
            &format!("/v1/boards/b/document?token={token}&state_vector={payload}"),
        );
        http::get(server.address(), &format!("/nothing/{payload}?token={token}"));
        let bearer = format!("Bearer {token}");
        let fields = [
            ("Authorization", bearer.as_str()),
            ("Cookie", payload),
            ("X-API-Key", "bw_SECRET-KEY"),
        ];
        Http::connect(server.address()).request("GET", "/v1/boards/b/document", &fields);
        Http::connect(server.address()).request(
            "GET",
            &format!("/ws/canvas/b?share=SECRET-LINK&token={token}"),
            &UPGRADE,
        );
        let mut broken = Http::connect(server.address());
        broken.send(format!(
            "GET /?token={token} HTTP/1.1\r\nHost: h\r\nBad Field: {payload}\r\n\r\n"
        ));
        assert_eq!(broken.answer("GET").status, 400);
    }
    for client in &mut clients {
        client.cut();
    }
    server.terminate();
    assert_eq!(server.ended().code(), Some(0));
    for token in tokens {
        // Whole, and each of its parts; the header alone is the same in all tokens and no secret.
        secrets.extend(token.split('.').skip(1).map(str::to_owned));
        secrets.push(token);
    }
    secrets.extend([payload, presence, "SECRET-KEY", "SECRET-LINK", "token="].map(str::to_owned));
    let log = server.log();
    assert!(log.lines().count() > 20, "the session left its traces");
    for line in log.lines() {
        for secret in &secrets {
            assert!(!line.contains(secret.as_str()), "{secret:?} stands in {line}");
        }
    }
    let messages = every_field_is_told(&log, &COMMON);
    for message in [
        "listening",
        "connected",
        "disconnected",
        "refused",
        "board created",
        "stopped",
    ] {
        assert!(messages.contains(message), "{message}: {messages:?}");
    }
}

/// Every line that is logged unless one asks for more is in docs/operations.md, with its fields beside those
/// of every line; which these were.
pub(crate) fn every_field_is_told(log: &str, common: &[&str]) -> BTreeSet<String> {
    let told = told_fields();
    let mut messages = BTreeSet::new();
    for line in log.lines() {
        let event: serde_json::Value = serde_json::from_str(line).expect("one JSON object a line");
        if !["INFO", "WARN", "ERROR"].contains(&event["level"].as_str().unwrap()) {
            continue;
        }
        let message = event["message"].as_str().unwrap().to_owned();
        let fields = event.as_object().unwrap().keys().map(String::as_str);
        let fields: BTreeSet<&str> = fields.filter(|name| !common.contains(name)).collect();
        let row = told.get(&message).expect(&message);
        assert_eq!(
            &fields, row,
            "left: the log's {message:?}, right: docs/operations.md"
        );
        messages.insert(message);
    }
    messages
}

/// A start, a board, a refusal and a stop, as the log has them.
fn short_life(setup: Setup) -> String {
    let mut server = setup.start();
    let mut client = Client::join(&server, "b", 1);
    client.set("a", "1");
    client.save();
    client.cut();
    assert_eq!(http::get(server.address(), "/v1/boards?token=x").status, 401);
    server.terminate();
    assert_eq!(server.ended().code(), Some(0));
    server.log()
}

#[test]
fn every_line_of_a_node_says_which_node_wrote_it() {
    let on_database = |format: &str| {
        let postgres = Postgres::shared();
        let url = postgres.url(&postgres.fresh_schema());
        Setup::new().flag("store", &url).flag("log-format", format)
    };
    let node = |format: &str, name: &str| {
        on_database(format)
            .flag("node-address", name)
            .flag("node-secret", "the-secret-of-the-nodes-0123456789")
    };
    let name = format!("127.0.0.1:{}", free_port());
    let json = short_life(node("json", &name));
    for line in json.lines() {
        let event: serde_json::Value = serde_json::from_str(line).expect("one JSON object a line");
        assert_eq!(event["node"], *name, "{line}");
        assert_eq!(line.matches("\"node\":").count(), 1, "{line}");
    }
    let common: Vec<&str> = COMMON.into_iter().chain(["node"]).collect();
    let messages = every_field_is_told(&json, &common);
    for message in ["joined the nodes that share the store", "connected", "stopped"] {
        assert!(messages.contains(message), "{message}: {messages:?}");
    }
    let text = short_life(node("text", &name));
    assert!(text.lines().count() >= 5, "{text}");
    for line in text.lines() {
        let written = format!(" node={name:?}");
        assert!(
            line.ends_with(&written) && line.matches(" node=").count() == 1,
            "{line}"
        );
    }
    // Without an address for others it has a name all the same.
    let alone = short_life(on_database("json"));
    let is_named = |line: &str| line.ends_with(" 127.0.0.1:0\"}");
    assert!(alone.lines().all(is_named), "{alone}");
}

#[test]
fn a_server_on_a_data_file_names_no_node() {
    let json = short_life(Setup::new());
    every_field_is_told(&json, &COMMON);
    let text = short_life(Setup::new().flag("log-format", "text"));
    assert!(
        text.lines().any(|line| line.ends_with(" finished=Durable")),
        "{text}"
    );
    assert!(!json.contains("node") && !text.contains("node"), "{json}{text}");
}

/// With the defaults nothing is wrong where a process may have 20,000 files open, as some systems have it.
#[test]
fn what_the_limit_on_open_files_is_too_low_for_is_said() {
    let told = |setup: Setup, most: usize| {
        let limit = format!("ulimit -n {most}; exec \"$0\" \"$@\"");
        let mut server = setup.by(&["/bin/sh", "-c", &limit]).start();
        server.terminate();
        server.ended();
        let log = server.log();
        let line = log.lines().find(|line| line.contains("limit on open files"))?;
        let event: serde_json::Value = serde_json::from_str(line).unwrap();
        let number = |name: &str| event[name].as_u64();
        assert_eq!(number("allowed"), Some(most as u64));
        Some((
            event["level"].as_str()?.to_owned(),
            number("needed")?,
            number("passing"),
        ))
    };
    let node = || {
        let postgres = Postgres::shared();
        Setup::new()
            .flag("store", &postgres.url(&postgres.fresh_schema()))
            .flag("node-address", &format!("127.0.0.1:{}", free_port()))
            .flag("node-secret", "the-secret-of-the-nodes-0123456789")
    };
    let info = |needed, passing| Some(("INFO".to_owned(), needed, Some(passing)));
    let warn = |needed| Some(("WARN".to_owned(), needed, None));
    assert_eq!(told(node(), 20_000), info(32_064, 3_968));
    assert_eq!(told(node(), 14_064), info(32_064, 1_000));
    assert_eq!(told(node(), 14_063), warn(14_064));
    assert_eq!(told(node().flag("max-connections", "2000"), 8_064), None);
    assert_eq!(
        told(node().flag("max-connections", "2000"), 8_063),
        info(8_064, 1_999)
    );
    // One without neighbours needs what it ever needed.
    assert_eq!(told(Setup::new(), 11_064), None);
    assert_eq!(told(Setup::new(), 11_063), warn(11_064));
}

/// Fields of every line.
pub(crate) const COMMON: [&str; 4] = ["timestamp", "level", "message", "target"];

/// The messages of docs/operations.md, each with the names of its fields.
fn told_fields() -> BTreeMap<String, BTreeSet<&'static str>> {
    let document = include_str!("../../docs/operations.md");
    let rows = document.split_once("\n| message | level | fields |\n").unwrap().1;
    let row = |line: &'static str| {
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        // What stands in brackets, and behind a colon or a semicolon, are words about them.
        let plain: Vec<&str> = cells[2].split(['(', ')']).step_by(2).collect();
        let named = plain.iter().flat_map(|part| {
            part.split([':', ';'])
                .next()
                .unwrap()
                .split('`')
                .skip(1)
                .step_by(2)
        });
        (cells[0].to_owned(), named.collect())
    };
    rows.lines()
        .skip(1)
        .take_while(|line| line.starts_with('|'))
        .map(row)
        .collect()
}

#[test]
fn the_log_says_what_is_wrong_with_a_token_that_was_signed_right() {
    let server = Setup::new().start();
    let with = |name: &str, value: serde_json::Value| {
        let mut claims = Token::of("alice").claims();
        claims[name] = value;
        signed_with(SECRET, &claims)
    };
    let in_milliseconds = with("exp", 4_102_444_800_000_u64.into());
    for (token, reason) in [
        (in_milliseconds, Some("in seconds, not in milliseconds")),
        (with("teams", "design".into()), Some("teams are malformed")),
        ("garbage".to_owned(), None),
    ] {
        let lines = || server.log().matches("token refused").count();
        let before = lines();
        let answer = http::get(server.address(), &format!("/v1/boards?token={token}"));
        assert_eq!(
            (answer.status, answer.json()["code"].as_str()),
            (401, Some("invalid_credential"))
        );
        match reason {
            Some(reason) => until(SOON, || server.log().contains(reason)),
            // Anybody could fill the log with these.
            None => assert_eq!(lines(), before),
        }
    }
}

/// The events of a server's log with this message.
fn events(server: &Server, message: &str) -> Vec<serde_json::Value> {
    let log = server.log();
    let lines = log
        .lines()
        .filter(|line| line.starts_with('{') && line.ends_with('}'));
    let events = lines.map(|line| serde_json::from_str::<serde_json::Value>(line).expect("a JSON line"));
    events.filter(|event| event["message"] == message).collect()
}

/// What the one line at the end of the connection of `subject` says.
#[track_caller]
fn end_of(server: &Server, subject: &str) -> serde_json::Value {
    let mut found = Vec::new();
    until(SOON, || {
        found = events(server, "disconnected");
        found.retain(|event| event["subject"] == subject);
        !found.is_empty()
    });
    assert_eq!(found.len(), 1, "one line a connection: {found:?}");
    let begun = events(server, "connected");
    let begun = begun.iter().find(|event| event["subject"] == subject).unwrap();
    assert_eq!(begun["connection"], found[0]["connection"], "the same number");
    found.remove(0)
}

#[test]
fn the_line_at_the_end_of_a_connection_says_what_it_did() {
    let server = Setup::new().start();
    let (mut writer, mut reader) = (Client::join(&server, "b", 1), Client::join(&server, "b", 2));
    let words = "x".repeat(1000);
    for step in 0..50 {
        writer.set("key", &format!("{step} {words}"));
        // Each leaves by itself.
        let value = writer.value("key");
        until(SOON, || {
            reader.poll();
            reader.value("key") == value
        });
    }
    writer.save();
    let mut viewer = Socket::open(server.address(), &path("b", &viewer("viewer", "b")));
    let mut other = Client::offline(3);
    for step in 0..3 {
        viewer.send(&wire::update(&other.setting("denied", &step.to_string())));
    }
    viewer.flush();
    writer.cut();
    reader.cut();
    drop(viewer);
    let number = |event: &serde_json::Value, name: &str| event[name].as_u64().expect(name);
    let writer = end_of(&server, "user:user-1");
    assert_eq!((number(&writer, "accepted"), number(&writer, "denied")), (50, 0));
    assert!(number(&writer, "messages") >= 51, "{writer}");
    assert!(number(&writer, "received_bytes") > 50_000, "{writer}");
    assert!(number(&writer, "sent_bytes") > 50_000, "echoes: {writer}");
    assert!(writer["seconds"].as_f64().unwrap() > 0.0, "{writer}");
    assert_eq!(
        (number(&writer, "paused_ms"), writer["reason"].as_str()),
        (0, Some("left"))
    );
    let reader = end_of(&server, "user:user-2");
    assert_eq!((number(&reader, "accepted"), number(&reader, "denied")), (0, 0));
    assert!(
        number(&reader, "sent_bytes") > 50_000,
        "by flushes of the room: {reader}"
    );
    assert_eq!(number(&reader, "waiting_bytes"), 0, "{reader}");
    let viewer = end_of(&server, "user:viewer");
    assert_eq!((number(&viewer, "accepted"), number(&viewer, "denied")), (0, 3));
}

#[test]
fn the_line_at_the_end_of_a_connection_says_that_it_sent_more_than_its_rate() {
    let server = Setup::new().flag("max-messages-per-second", "2").start();
    let mut socket = Socket::open(server.address(), &path("b", &editor("hasty", "b")));
    // A burst of 1,000 is free; the others are worth two seconds.
    for _ in 0..1_004 {
        socket.send(&[3]);
    }
    socket.flush();
    drop(socket);
    let line = end_of(&server, "user:hasty");
    let paused = line["paused_ms"].as_u64().unwrap();
    assert!((1..=2_500).contains(&paused), "{line}");
}

#[test]
fn the_line_at_the_end_of_a_connection_says_how_much_waited_for_it() {
    let server = Setup::new().flag("max-outbox-bytes", "64KiB").start();
    let mut slow = Socket::open(server.address(), &path("b", &editor("slow", "b")));
    slow.flush();
    let mut writer = Client::join(&server, "b", 1);
    let words = "x".repeat(32 * 1024);
    let mut step = 0;
    until(SOON, || {
        step += 1;
        writer.set("key", &format!("{step} {words}"));
        writer.poll();
        server.log().contains("too slow to receive")
    });
    let line = end_of(&server, "user:slow");
    assert!(line["waiting_bytes"].as_u64().unwrap() > 64 * 1024, "{line}");
    assert_eq!(line["reason"], "too slow to receive");
}

#[test]
fn what_an_answer_calls_its_request_stands_in_the_log() {
    let server = Setup::new().start();
    let mut http = Http::connect(server.address());
    let called = |answer: &http::Answer| answer.field("x-request-id").map(str::to_owned);
    let first = called(&http.request("GET", "/v1/boards/none/document", &[])).expect("a refusal says it");
    let (connection, nth) = first
        .split_once('-')
        .expect("the connection's number, and its own");
    assert_eq!(nth, "1");
    let fine = http.request("GET", "/health", &[]);
    assert_eq!((fine.status, called(&fine)), (200, None));
    let mut claims = Token::of("alice").claims();
    claims["teams"] = "design".into();
    let bearer = format!("Bearer {}", signed_with(SECRET, &claims));
    let mut refused = |fields: &[(&str, &str)]| {
        let fields = [&[("Authorization", bearer.as_str())], fields].concat();
        let answer = http.request("GET", "/v1/boards", &fields);
        assert_eq!(answer.status, 401);
        called(&answer)
    };
    let names = [
        refused(&[]),
        refused(&[("X-Request-Id", "trace-1.2:3_4")]),
        refused(&[("X-Request-Id", "a b")]),
    ];
    assert_eq!(
        names,
        [
            Some(format!("{connection}-3")),
            Some("trace-1.2:3_4".to_owned()),
            Some(format!("{connection}-5")),
        ]
    );
    until(SOON, || events(&server, "token refused").len() == names.len());
    for (event, name) in events(&server, "token refused").iter().zip(names) {
        assert_eq!(event["request"].as_str(), name.as_deref(), "{event}");
        assert_eq!(event["connection"].to_string(), connection, "{event}");
    }
    // What is no request has a name as well.
    let mut broken = Http::connect(server.address());
    broken.send("GET nothing\r\n\r\n");
    let answer = broken.answer("GET");
    assert_eq!(answer.status, 400);
    assert!(called(&answer).expect("a name").ends_with("-1"));
}
