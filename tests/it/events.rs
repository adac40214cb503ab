//! `GET /v1/boards/{board}/events`: whatever happens on a board is told as it happens, to those who may see
//! it, for as long as they may and can keep up.

use std::io::{ErrorKind, Read};
use std::time::{Duration, Instant};

use boardwire::ids::Level;
use serde_json::{Value, json};
use yrs::{Any, Map};

use crate::support::api::Api;
use crate::support::client::Client;
use crate::support::http::{Http, request};
use crate::support::server::{Server, Setup};
use crate::support::tokens::Token;
use crate::support::{SOON, until};

const EVENTS: &str = "/v1/boards/b/events";
const ITEMS: &str = "/v1/boards/b/items";
const NONE: Value = Value::Null;

/// One event, as a client of the standard reads it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Event {
    pub(crate) name: String,
    pub(crate) id: String,
    pub(crate) data: Value,
}

/// A reader of events.
pub(crate) struct Reader {
    http: Http,
    /// The id of the last event, or of where it began.
    pub(crate) last: String,
    /// Comments that came.
    comments: usize,
}

impl Reader {
    /// Follows board `b`, and waits until that is answered with 200.
    #[track_caller]
    pub(crate) fn open(server: &Server, token: &str, query: &str, last: Option<&str>) -> Self {
        let authorization = format!("Bearer {token}");
        let mut fields = vec![("Authorization", authorization.as_str())];
        fields.extend(last.map(|last| ("Last-Event-ID", last)));
        let mut reader = Self::ask(server, &request("GET", &format!("{EVENTS}{query}"), &fields));
        let (status, fields) = reader.http.head();
        assert_eq!(status, 200, "{fields:?}");
        let field = |name: &str| {
            fields
                .iter()
                .find(|(n, _)| n == name)
                .map(|(_, value)| value.as_str())
        };
        assert_eq!(field("content-type"), Some("text/event-stream"));
        assert_eq!(field("cache-control"), Some("no-store"));
        assert_eq!(
            (field("content-length"), field("connection")),
            (None, Some("close"))
        );
        reader
    }

    fn ask(server: &Server, sent: &str) -> Self {
        let mut http = Http::connect(server.address());
        http.send(sent);
        Self {
            http,
            last: String::new(),
            comments: 0,
        }
    }

    /// As the owner.
    #[track_caller]
    fn alice(server: &Server, query: &str) -> Self {
        Self::open(server, &Token::of("alice").sign(), query, None)
    }

    /// The next event; `None` where the stream has ended.
    #[track_caller]
    pub(crate) fn next(&mut self) -> Option<Event> {
        loop {
            if let Some(at) = self.http.received.windows(2).position(|two| two == b"\n\n") {
                let block: Vec<u8> = self.http.received.drain(..at + 2).collect();
                if let Some(event) = self.read(std::str::from_utf8(&block).unwrap()) {
                    return Some(event);
                }
                continue;
            }
            let mut chunk = [0; 64 * 1024];
            match self.http.stream.read(&mut chunk) {
                Ok(0) => return None,
                Ok(read) => self.http.received.extend_from_slice(&chunk[..read]),
                Err(error) if error.kind() == ErrorKind::ConnectionReset => return None,
                Err(error) => panic!("nothing came: {error}"),
            }
        }
    }

    fn read(&mut self, block: &str) -> Option<Event> {
        let (mut name, mut data) = (String::new(), None);
        for line in block.lines() {
            match line.split_once(": ") {
                Some(("id", id)) => id.clone_into(&mut self.last),
                Some(("event", event)) => event.clone_into(&mut name),
                Some(("data", text)) => data = Some(serde_json::from_str(text).unwrap()),
                _ if line.starts_with(':') => self.comments += 1,
                _ => assert!(line.is_empty(), "{block:?}"),
            }
        }
        let id = self.last.clone();
        data.map(|data| Event { name, id, data })
    }

    #[track_caller]
    fn must(&mut self, name: &str) -> Event {
        let event = self.next().expect("an event");
        assert_eq!(event.name, name, "{event:?}");
        event
    }

    /// Reads to the end; how long after `since` it came.
    #[track_caller]
    fn ended(&mut self, since: Instant) -> Duration {
        while self.next().is_some() {}
        since.elapsed()
    }
}

fn board() -> (Server, Api) {
    board_of(Setup::new())
}

fn board_of(setup: Setup) -> (Server, Api) {
    let server = setup.start();
    let alice = Api::user(&server, "alice");
    alice.must("POST", "/v1/boards", &json!({"id": "b"}), 201);
    (server, alice)
}

fn sticky(id: &str) -> Value {
    json!({"id": id, "type": "sticky", "x": 0, "y": 0, "content": {"text": id}})
}

/// A person draws a note.
fn draw(person: &mut Client, id: &str, x: f64) {
    let record = json!({
        "id": format!("shape:{id}"), "typeName": "shape", "type": "note", "parentId": "page:page", "index": "a1",
        "x": x, "y": 0, "rotation": 0, "opacity": 1, "isLocked": false, "meta": {}, "props": {"color": "yellow"},
    });
    let record = Any::from_json(&record.to_string()).unwrap();
    let update = person.change(|transaction, map, _, _| {
        map.insert(transaction, format!("shape:{id}"), record);
    });
    person.send(&update);
}

#[test]
fn what_agents_and_people_change_is_told_with_who_and_revision() {
    let (server, alice) = board();
    alice.must("POST", ITEMS, &sticky("before"), 201);
    let key = alice.must(
        "POST",
        "/v1/boards/b/keys",
        &json!({"level": "edit", "name": "robot"}),
        201,
    );
    let robot = Api::key(&server, key["key"].as_str().unwrap());
    let by_robot = json!(format!("key:{}", key["id"].as_str().unwrap()));
    let mut reader = Reader::alice(&server, "?types=item");
    let made = robot.must("POST", ITEMS, &sticky("one"), 201);
    let created = reader.must("item.created");
    assert_eq!(created.data["id"], "one");
    assert_eq!(
        (&created.data["type"], &created.data["by"]),
        (&json!("sticky"), &by_robot)
    );
    assert_eq!(created.data["item"], made);
    let etag = robot.get(&format!("{ITEMS}/one"));
    let etag = etag.field("etag").unwrap().trim_matches('"').to_owned();
    assert_eq!(created.data["revision"], json!(etag));

    let mut person = Client::join(&server, "b", 7);
    draw(&mut person, "drawn", 1.0);
    let drawn = reader.must("item.created");
    assert_eq!(
        (&drawn.data["id"], &drawn.data["by"]),
        (&json!("drawn"), &json!("user:user-7"))
    );
    assert_eq!(drawn.data["item"]["x"], 1);
    draw(&mut person, "one", 5.0);
    let moved = reader.must("item.changed");
    assert_eq!(
        (&moved.data["id"], &moved.data["by"]),
        (&json!("one"), &json!("user:user-7"))
    );
    assert_ne!(moved.data["revision"], created.data["revision"]);

    let long = json!({"content": {"text": "x ".repeat(2_500)}});
    alice.must("PATCH", &format!("{ITEMS}/one"), &long, 200);
    let grown = reader.must("item.changed");
    assert_eq!(grown.data["by"], "user:alice");
    assert!(
        grown.data.get("item").is_none(),
        "a large item has to be asked for"
    );

    person.unset("shape:drawn");
    let gone = reader.must("item.deleted");
    assert_eq!(
        gone.data,
        json!({"id": "drawn", "type": "sticky", "by": "user:user-7", "revision": drawn.data["revision"]})
    );
    alice.must("DELETE", &format!("{ITEMS}/before"), &NONE, 204);
    assert_eq!(reader.must("item.deleted").data["by"], "user:alice");
}

#[test]
fn a_reader_goes_on_where_it_stopped_or_is_told_that_it_cannot() {
    let (server, alice) = board();
    let token = Token::of("alice").sign();
    let mut first = Reader::alice(&server, "?types=item");
    alice.must("POST", ITEMS, &sticky("one"), 201);
    let seen = first.must("item.created");
    drop(first);
    // Nobody follows now, and what happens is kept all the same.
    alice.must("POST", ITEMS, &sticky("two"), 201);
    alice.must("DELETE", &format!("{ITEMS}/one"), &NONE, 204);
    let mut again = Reader::open(&server, &token, "?types=item", Some(&seen.id));
    assert_eq!(again.must("item.created").data["id"], "two");
    let gone = again.must("item.deleted");
    assert_eq!(gone.data["id"], "one");
    let end = gone.id;
    // Nothing is told twice.
    let mut last = Reader::open(&server, &token, "?types=item", Some(&end));
    alice.must("POST", ITEMS, &sticky("three"), 201);
    assert_eq!(last.must("item.created").data["id"], "three");
    for unknown in ["x", "0-1", "abc-abc", "99999999999999999999999-1"] {
        let mut lost = Reader::open(&server, &token, "", Some(unknown));
        let reset = lost.must("reset");
        assert_eq!(reset.data, json!({"why": "unknown_id"}), "{unknown:?}");
        let mut next = Reader::open(&server, &token, "?types=item", Some(&reset.id));
        alice.must("POST", ITEMS, &sticky(&format!("after-{}", unknown.len())), 201);
        next.must("item.created");
    }
    // Another run of the server knows nothing of it.
    let server = Setup::on(&server.stop()).start();
    let mut restarted = Reader::open(&server, &token, "", Some(&end));
    assert_eq!(restarted.must("reset").data["why"], "unknown_id");
}

#[test]
fn more_at_once_than_is_kept_is_a_reset_and_not_an_end() {
    let (server, alice) = board_of(Setup::new().flag("max-outbox-bytes", "64KiB"));
    let mut reader = Reader::alice(&server, "?types=item");
    let create = |n: usize| json!({"action": "create", "item": sticky(&format!("{n:0100}"))});
    let many: Vec<Value> = (0..500).map(create).collect();
    alice.must(
        "POST",
        &format!("{ITEMS}/batch"),
        &json!({"operations": many}),
        200,
    );
    assert_eq!(reader.must("reset").data, json!({"why": "too_many"}));
    alice.must("POST", ITEMS, &sticky("later"), 201);
    assert_eq!(reader.must("item.created").data["id"], "later");
}

#[test]
fn filters_let_through_what_they_name() {
    let (server, alice) = board();
    let mut people = Reader::alice(&server, "?types=presence");
    let mut frames = Reader::alice(&server, "?types=item&kinds=frame,text");
    let mut all = Reader::alice(&server, "");
    let person = Client::join(&server, "b", 7);
    assert_eq!(people.must("presence.joined").data["subject"], "user:user-7");
    for (id, kind) in [("s", "sticky"), ("f", "frame")] {
        let item = json!({"id": id, "type": kind, "x": 0, "y": 0});
        alice.must("POST", ITEMS, &item, 201);
    }
    assert_eq!(frames.must("item.created").data["id"], "f");
    drop(person);
    let mut names: Vec<String> = Vec::new();
    until(SOON, || {
        names.push(all.next().unwrap().name);
        names.iter().filter(|name| *name == "item.created").count() == 2
            && names.iter().any(|name| name == "presence.left")
    });
    for (query, field) in [
        ("?types=items", "types"),
        ("?kinds=stickies", "kinds"),
        ("?since=1", "since"),
    ] {
        let refused = alice.must("GET", &format!("{EVENTS}{query}"), &NONE, 400);
        assert_eq!(refused["field"], field, "{query}");
    }
}

#[test]
fn people_join_and_leave_by_their_names_once_however_many_tabs_they_have() {
    let (server, alice) = board();
    let mut reader = Reader::alice(&server, "?types=presence");
    let joined = |id: u64| {
        let mut client = Client::offline(id);
        let token = Token::of("ann").with("b", Level::View).sign();
        client.connect(server.address(), &crate::support::socket::path("b", &token));
        client.sync();
        client
    };
    let mut first = joined(1);
    first.announce(&[(1, 5, r#"{"user":{"name":"Ann"}}"#)]);
    let ann = json!({"name": "Ann", "subject": "user:ann"});
    assert_eq!(reader.must("presence.joined").data, ann);
    let mut second = joined(2);
    second.announce(&[(2, 5, r#"{"user":{"name":"Ann"}}"#)]);
    // Somebody without a name has that of the account, a second later.
    let silent = Client::join(&server, "b", 9);
    let event = reader.must("presence.joined");
    assert_eq!(event.data, json!({"name": "user-9", "subject": "user:user-9"}));
    first.cut();
    drop(silent);
    assert_eq!(reader.must("presence.left").data["subject"], "user:user-9");
    second.cut();
    let event = reader.must("presence.left");
    assert_eq!(event.data, ann);
    // An agent that only calls HTTP is there while it is shown.
    alice.must("POST", ITEMS, &sticky("one"), 201);
    assert_eq!(reader.must("presence.joined").data["subject"], "user:alice");
    assert_eq!(reader.must("presence.left").data["subject"], "user:alice");
}

#[test]
fn what_is_taken_away_or_ends_ends_the_stream_within_a_second() {
    let (server, alice) = board();
    alice.grant("users/bob", "view");
    let link = alice.must(
        "POST",
        "/v1/boards/b/links",
        &json!({"level": "view", "expires_in": 2}),
        201,
    );
    let made = Instant::now();
    let share = format!("{EVENTS}?share={}", link["token"].as_str().unwrap());
    let mut by_link = Reader::ask(&server, &request("GET", &share, &[]));
    assert_eq!(by_link.http.head().0, 200);
    let mut bob = Reader::open(&server, &Token::of("bob").sign(), "", None);
    let mut owner = Reader::alice(&server, "?types=item");
    until(SOON, || {
        let entries = alice.list("/v1/boards/b/audit", 100);
        let is_it = |entry: &Value| entry["action"] == "board.access" && entry["actor"] == "user:bob";
        entries.iter().any(is_it)
    });
    let since = Instant::now();
    alice.must("DELETE", "/v1/boards/b/permissions/users/bob", &NONE, 204);
    let after = bob.ended(since);
    assert!(after < Duration::from_millis(1_500), "{after:?}");
    let made_key = json!({"level": "view", "name": "k"});
    let key = alice.must("POST", "/v1/boards/b/keys", &made_key, 201);
    let mut agent = Reader::ask(
        &server,
        &request(
            "GET",
            &format!("{EVENTS}?apiKey={}", key["key"].as_str().unwrap()),
            &[],
        ),
    );
    assert_eq!(agent.http.head().0, 200);
    let since = Instant::now();
    let row = format!("/v1/boards/b/keys/{}", key["id"].as_str().unwrap());
    alice.must("PATCH", &row, &json!({"paused": true}), 200);
    let after = agent.ended(since);
    assert!(after < Duration::from_millis(1_500), "paused: {after:?}");
    alice.must("POST", ITEMS, &sticky("one"), 201);
    owner.must("item.created");
    let after = by_link.ended(made);
    assert!(after < Duration::from_millis(3_500), "{after:?}");
    alice.must("POST", ITEMS, &sticky("two"), 201);
    owner.must("item.created");
    let since = Instant::now();
    alice.must("DELETE", "/v1/boards/b", &NONE, 204);
    assert!(owner.ended(since) < Duration::from_millis(1_500));
    until(SOON, || server.health().1["connections"] == 0);
}

#[test]
fn who_does_not_read_is_dropped_and_holds_nobody_up() {
    let (server, alice) = board();
    // Its socket takes some megabytes before it takes nothing.
    let deaf = Reader::alice(&server, "?types=item");
    let mut reader = Reader::alice(&server, "?types=item");
    let text = "x ".repeat(1_500);
    let create = |id: String| json!({"action": "create", "item": {"id": id, "type": "text", "x": 0, "y": 0, "content": {"text": text}}});
    let mut round = 0;
    until(SOON, || {
        let many: Vec<Value> = (0..100).map(|n| create(format!("{round}-{n}"))).collect();
        alice.must(
            "POST",
            &format!("{ITEMS}/batch"),
            &json!({"operations": many}),
            200,
        );
        for _ in 0..100 {
            reader.must("item.created");
        }
        let gone: Vec<Value> = (0..100)
            .map(|n| json!({"action": "delete", "item": {"id": format!("{round}-{n}")}}))
            .collect();
        alice.must(
            "POST",
            &format!("{ITEMS}/batch"),
            &json!({"operations": gone}),
            200,
        );
        for _ in 0..100 {
            reader.must("item.deleted");
        }
        round += 1;
        server.log().contains("too slow to receive")
    });
    assert_eq!(server.health().1["connections"], 1);
    drop(deaf);
}

#[test]
fn it_counts_as_a_connection_and_a_shutdown_ends_it() {
    let (mut server, alice) = board_of(Setup::new().flag("max-connections-per-board", "2"));
    let mut first = Reader::alice(&server, "");
    let person = Client::join(&server, "b", 1);
    assert_eq!(server.health().1["connections"], 2);
    let refused = alice.must("GET", EVENTS, &NONE, 429);
    assert_eq!(refused["code"], "too_many_connections");
    drop(person);
    until(SOON, || server.health().1["connections"] == 1);
    let second = Reader::alice(&server, "");
    drop(second);
    until(SOON, || server.health().1["connections"] == 1);
    let since = Instant::now();
    server.terminate();
    assert!(first.ended(since) < Duration::from_secs(5));
    assert_eq!(server.ended().code(), Some(0), "{}", server.log());
}

#[test]
fn its_head_is_answered_and_a_board_that_cannot_be_opened_is_not_followed() {
    let (server, alice) = board();
    let head = alice.call("HEAD", EVENTS);
    assert_eq!(head.status, 200);
    assert_eq!(head.field("content-type"), Some("text/event-stream"));
    assert_eq!(server.health().1["connections"], 0, "nobody follows by it");
    assert_eq!(alice.call("POST", EVENTS).status, 405);
    // A text where the records should be.
    let mut person = Client::join(&server, "b", 7);
    let mut reader = Reader::alice(&server, "?types=item");
    let text = yrs::Doc::new();
    let update = {
        use yrs::{Text, Transact};
        let root = text.get_or_insert_text("tldraw");
        let mut transaction = text.transact_mut();
        root.insert(&mut transaction, 0, "no records");
        transaction.encode_update_v1()
    };
    person.send(&update);
    assert!(reader.next().is_none(), "the stream ends");
    let refused = alice.must("GET", EVENTS, &NONE, 409);
    assert_eq!(refused["code"], "content_unsupported");
    until(SOON, || server.health().1["connections"] == 1);
}
