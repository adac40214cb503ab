//! The Redis bridge: what others publish is applied, what is not sound is dropped, and Redis away, slow or
//! mad hurts nobody.

use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::api::Api;
use crate::support::client::Client;
use crate::support::http;
use crate::support::postgres::Postgres;
use crate::support::redis::{Fake, Redis, fake};
use crate::support::server::{Server, Setup};
use crate::support::{SOON, free_port, until};

/// A server whose `--redis` is this.
#[track_caller]
fn server(url: &str) -> Server {
    Setup::new()
        .flag("redis", url)
        .flag("commit-window", "1ms")
        .start()
}

/// What `/health` says of Redis; the server itself must be well.
#[track_caller]
fn health(server: &Server) -> Value {
    let (status, health) = server.health();
    assert_eq!((status, health["status"].as_str()), (200, Some("ok")));
    health["redis"].clone()
}

#[track_caller]
fn until_connected(server: &Server) {
    until(SOON, || health(server) == json!({"status": "connected"}));
}

#[track_caller]
fn until_unreachable(server: &Server, reason: &str) {
    let expected = json!({"status": "unreachable", "reason": reason});
    until(SOON, || health(server) == expected);
}

/// One number of `/metrics`.
#[track_caller]
fn metric(server: &Server, series: &str) -> u64 {
    let text = String::from_utf8(http::get(server.address(), "/metrics").body).unwrap();
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
    line.unwrap_or_else(|| panic!("{series} is not in\n{text}"))
        .parse()
        .unwrap()
}

fn received(server: &Server, outcome: &str) -> u64 {
    metric(
        server,
        &format!("boardwire_redis_messages_total{{outcome=\"{outcome}\"}}"),
    )
}

/// Whether people and applications are served as ever.
#[track_caller]
fn everything_else_works(server: &Server, board: &str) {
    let asked = Instant::now();
    let api = Api::user(server, "ann");
    api.must("POST", "/v1/boards", &json!({ "id": board }), 201);
    let (mut a, mut b) = (Client::join(server, board, 1), Client::join(server, board, 2));
    a.set("k", board);
    until(SOON, || {
        a.poll();
        b.poll();
        b.content().map.contains_key("k")
    });
    a.save();
    let took = asked.elapsed();
    assert!(
        took < Duration::from_secs(3),
        "a timeout of Redis was waited for: {took:?}"
    );
}

/// A Redis, and a server that is connected to it.
fn connected() -> (Redis, Server) {
    let redis = Redis::start();
    let server = server(&redis.url());
    until_connected(&server);
    (redis, server)
}

/// Ann, who has just made the board `b`.
fn owner_of_b(server: &Server) -> Api {
    let api = Api::user(server, "ann");
    api.must("POST", "/v1/boards", &json!({ "id": "b" }), 201);
    api
}

#[test]
fn without_redis_nothing_is_said_of_it() {
    let server = Server::start();
    assert_eq!(health(&server), Value::Null);
    assert_eq!(metric(&server, "boardwire_redis_connected"), 0);
}

#[test]
fn redis_may_come_later_and_go_and_come_back() {
    let port = free_port();
    let server = server(&format!("redis://127.0.0.1:{port}"));
    until_unreachable(&server, "cannot connect: connection refused");
    everything_else_works(&server, "before");
    let mut port = port;
    for round in ["first", "second"] {
        let redis = Redis::start_on(port, None);
        until_connected(&server);
        assert_eq!(metric(&server, "boardwire_redis_connected"), 1);
        let malformed = received(&server, "malformed");
        assert_eq!(redis.publish("board:b:updates", "{}"), 1, "one is subscribed");
        until(SOON, || received(&server, "malformed") == malformed + 1);
        everything_else_works(&server, round);
        port = redis.kill();
        until(SOON, || health(&server)["status"] == "unreachable");
        assert_eq!(metric(&server, "boardwire_redis_connected"), 0);
        everything_else_works(&server, &format!("after-{round}"));
    }
}

#[test]
fn a_redis_that_stops_answering_is_noticed() {
    let (redis, server) = connected();
    redis.freeze();
    until_unreachable(&server, "Redis does not answer in time");
    everything_else_works(&server, "b");
    redis.thaw();
    until_connected(&server);
}

#[test]
fn what_only_pretends_to_be_redis_hurts_nobody() {
    let deep: &'static [u8] = Box::leak(b"*1\r\n".repeat(20_000).into_boxed_slice());
    let nulls: &'static [u8] = Box::leak(
        [b"*900000000\r\n".to_vec(), b"_\r\n".repeat(1_000_000)]
            .concat()
            .into_boxed_slice(),
    );
    let fakes = [
        (Fake::Silent, "Redis does not answer in time"),
        (Fake::Closing, "the connection ended: "),
        (Fake::Nonsense, "what answers is not Redis"),
        (Fake::Saying(b"+OK\r\n"), "Redis answered something unexpected"),
        (
            Fake::Saying(b"-ERR you and your PING\r\n"),
            "Redis refuses the command",
        ),
        (
            Fake::Saying(b"$-7\r\n*-7\r\n"),
            "Redis answered something unexpected",
        ),
        (
            Fake::Saying(b"*9000000000000000000\r\n:1\r\n"),
            "Redis does not answer in time",
        ),
        (Fake::Saying(deep), "what answers is not Redis"),
        (Fake::Saying(nulls), "Redis sent a value that is too large"),
        (Fake::Endless, "Redis sent a value that is too large"),
        (Fake::Stalling, "Redis does not answer in time"),
    ];
    let running = fakes.map(|(kind, reason)| {
        thread::spawn(move || {
            let (port, count) = fake(kind);
            let mut server = server(&format!("redis://127.0.0.1:{port}"));
            until(SOON, || {
                let health = health(&server);
                health["reason"]
                    .as_str()
                    .is_some_and(|told| told.starts_with(reason))
            });
            everything_else_works(&server, "b");
            let seen = count.load(Ordering::Relaxed);
            until(SOON, || count.load(Ordering::Relaxed) >= seen + 2);
            assert!(
                count.load(Ordering::Relaxed) < 60,
                "it is tried less and less often"
            );
            let resident = server.resident_bytes();
            assert!(resident < 200 << 20, "{kind:?}: {resident} bytes");
            assert!(server.is_alive());
            assert!(!server.log().contains("panicked"), "{}", server.log());
            // One that behaves at first counts as connected until it stalls again.
            until(SOON, || health(&server)["status"] == "unreachable");
            server.stop();
        })
    });
    for (running, (kind, _)) in running.into_iter().zip(fakes) {
        assert!(running.join().is_ok(), "{kind:?}");
    }
}

#[test]
fn redis_may_ask_for_a_password_which_is_never_shown() {
    let redis = Redis::start_on(free_port(), Some("geheim"));
    let port = redis.port();
    let right = server(&redis.url());
    until_connected(&right);
    let database = server(&format!("{}/3", redis.url()));
    until_connected(&database);
    let none = server(&format!("redis://127.0.0.1:{port}"));
    until_unreachable(&none, "Redis asks for a password");
    let wrong = server(&format!("redis://ann:verkehrt@127.0.0.1:{port}"));
    until_unreachable(&wrong, "Redis does not accept user and password");
    for server in [right, database, none, wrong] {
        let health = server.health().1.to_string();
        let log = server.log() + &health;
        server.stop();
        for secret in ["geheim", "verkehrt"] {
            assert!(!log.contains(secret), "{log}");
        }
    }
}

#[test]
fn what_is_not_sound_is_dropped_counted_and_not_logged() {
    let (redis, server) = connected();
    let api = owner_of_b(&server);
    api.must("POST", "/v1/boards", &json!({ "id": "gone" }), 201);
    api.must("DELETE", "/v1/boards/gone", &Value::Null, 204);
    let sound =
        json!({"action": "create", "item": {"id": "i", "type": "sticky", "x": 1, "y": 2}}).to_string();
    let large = json!({"action": "create", "item": {"id": "payload", "x": "x".repeat(1 << 20)}}).to_string();
    let heavy = json!({"action": "create", "item": {"id": "payload", "x": vec![0; 400_000]}}).to_string();
    let wrong = json!({"action": "create", "item": {"id": "payload", "type": "payload"}}).to_string();
    for (channel, payload, outcome, count) in [
        ("board:b:updates", "payload", "malformed", 1),
        ("board:b:updates", "", "malformed", 2),
        (
            "board:b:updates",
            r#"{"action":"payload","item":{"id":"i"}}"#,
            "malformed",
            3,
        ),
        ("board:b:updates", &large, "too_large", 1),
        ("board:b:updates", &heavy, "overflow", 1),
        ("board:b:updates", &wrong, "refused", 1),
        ("board:payload/x:updates", &sound, "invalid_board", 1),
        ("board::updates", &sound, "invalid_board", 2),
        ("board:never:updates", &sound, "no_such_board", 1),
        ("board:gone:updates", &sound, "no_such_board", 2),
        (
            "board:b:updates",
            r#"{"action":"delete","item":{"id":"i"}}"#,
            "nothing",
            1,
        ),
    ] {
        assert_eq!(redis.publish(channel, payload), 1, "{channel} {outcome}");
        until(SOON, || received(&server, outcome) == count);
    }
    assert_eq!(received(&server, "applied"), 0);
    assert_eq!(api.get("/v1/boards/never").status, 404, "no board is made");
    assert_eq!(api.get("/v1/boards/gone").status, 410);
    let mut other = redis.connect();
    for _ in 0..1_000 {
        let mut publish = redis::cmd("PUBLISH");
        let heard: usize = publish
            .arg("board:b:updates")
            .arg("payload")
            .query(&mut other)
            .unwrap();
        assert_eq!(heard, 1);
    }
    until(SOON, || received(&server, "malformed") == 1_003);
    assert_eq!(health(&server), json!({"status": "connected"}));
    let log = server.log();
    assert!(!log.contains("payload"), "{log}");
    let lines = log.matches("messages from Redis were dropped").count();
    assert!((6..40).contains(&lines), "{lines} lines");
}

#[test]
fn a_message_beyond_all_bounds_costs_a_new_connection_and_no_more() {
    let (redis, server) = connected();
    redis.publish("board:b:updates", vec![b'x'; 8 << 20]);
    until(SOON, || {
        server.log().contains("Redis sent a value that is too large")
    });
    until_connected(&server);
    redis.publish("board:b:updates", "{}");
    until(SOON, || received(&server, "malformed") == 1);
}

/// Another service that is subscribed to all boards.
struct Listener(redis::Connection);

impl Listener {
    fn of(redis: &Redis) -> Self {
        let mut connection = redis.connect();
        let mut subscribe = redis::cmd("PSUBSCRIBE");
        let subscribed: redis::Value = subscribe.arg("board:*:updates").query(&mut connection).unwrap();
        assert!(matches!(subscribed, redis::Value::Array(_)), "{subscribed:?}");
        Self(connection)
    }

    /// The next message: its channel, and what it says.
    #[track_caller]
    fn next(&mut self) -> (String, Value) {
        let parts: Vec<Vec<u8>> = redis::from_redis_value(self.0.recv_response().unwrap()).unwrap();
        let channel = String::from_utf8(parts[2].clone()).unwrap();
        (channel, serde_json::from_slice(&parts[3]).unwrap())
    }
}

/// The text of an item, where there is one.
#[track_caller]
fn text_of(api: &Api, item: &str) -> Option<String> {
    let answer = api.get(&format!("/v1/boards/b/items/{item}"));
    (answer.status == 200).then(|| answer.json()["content"]["text"].as_str().unwrap().to_owned())
}

#[test]
fn what_another_service_publishes_appears_on_the_canvas_and_among_the_items() {
    let (redis, server) = connected();
    let api = owner_of_b(&server);
    let mut canvas = Client::join(&server, "b", 1);
    let publish = |action: &str, item: Value| {
        let message = json!({"action": action, "item": item, "origin": "another"});
        redis.publish("board:b:updates", message.to_string());
    };
    publish(
        "create",
        json!({"id": "i", "type": "sticky", "x": 10, "y": 20, "content": {"text": "one"}, "updated_by": "user:bob"}),
    );
    until(SOON, || {
        canvas.poll();
        canvas.content().map.contains_key("shape:i")
    });
    assert!(canvas.content().map["shape:i"].contains("one"));
    let item = api.must("GET", "/v1/boards/b/items/i", &Value::Null, 200);
    assert_eq!(
        (&item["x"], &item["content"]["text"]),
        (&json!(10), &json!("one"))
    );
    assert_eq!(item["updated_by"], "user:bob");
    // What is there is created again, and what is not there is changed.
    publish(
        "create",
        json!({"id": "i", "type": "sticky", "x": 11, "y": 20, "content": {"text": "two"}}),
    );
    publish(
        "update",
        json!({"id": "j", "type": "sticky", "x": 1, "y": 2, "content": {"text": "late"}}),
    );
    publish("update", json!({"id": "k", "x": 3}));
    publish("update", json!({"id": "i", "content": {"text": "three"}}));
    until(SOON, || {
        received(&server, "applied") == 4 && received(&server, "refused") == 1
    });
    assert_eq!(text_of(&api, "i").as_deref(), Some("three"));
    assert_eq!(text_of(&api, "j").as_deref(), Some("late"));
    assert_eq!(text_of(&api, "k"), None);
    let item = api.must("GET", "/v1/boards/b/items/i", &Value::Null, 200);
    assert_eq!(
        (&item["x"], &item["updated_by"]),
        (&json!(11), &json!("anonymous"))
    );
    publish("delete", json!({"id": "i"}));
    until(SOON, || {
        canvas.poll();
        !canvas.content().map.contains_key("shape:i") && canvas.content().map.contains_key("shape:j")
    });
    // In order, however many there are.
    for x in 0..500 {
        publish("update", json!({"id": "j", "x": x}));
    }
    until(SOON, || received(&server, "applied") == 505);
    let item = api.must("GET", "/v1/boards/b/items/j", &Value::Null, 200);
    assert_eq!(item["x"], 499);
}

#[test]
fn what_is_changed_over_http_is_published_once_and_its_own_message_is_skipped() {
    let (redis, server) = connected();
    let mut listener = Listener::of(&redis);
    let api = owner_of_b(&server);
    let item = json!({"id": "i", "type": "sticky", "x": 1, "y": 2, "content": {"text": "a"}});
    let created = api.must("POST", "/v1/boards/b/items", &item, 201);
    let updated = api.must("PATCH", "/v1/boards/b/items/i", &json!({"x": 5}), 200);
    let batch = json!({"operations": [
        {"action": "create", "item": {"id": "j", "type": "text", "x": 0, "y": 0}},
        {"action": "delete", "item": {"id": "i"}},
    ]});
    api.must("POST", "/v1/boards/b/items/batch", &batch, 200);
    api.must("DELETE", "/v1/boards/b/items/j", &Value::Null, 204);
    let messages: Vec<_> = (0..5).map(|_| listener.next()).collect();
    let told: Vec<_> = messages
        .iter()
        .map(|(_, told)| (&told["action"], &told["item"]["id"]))
        .collect();
    let expected = [
        ("create", "i"),
        ("update", "i"),
        ("create", "j"),
        ("delete", "i"),
        ("delete", "j"),
    ];
    let expected = expected.map(|(action, id)| (json!(action), json!(id)));
    assert!(
        told.into_iter()
            .eq(expected.iter().map(|(action, id)| (action, id))),
        "{messages:?}"
    );
    assert_eq!(
        (&messages[0].1["item"], &messages[1].1["item"]),
        (&created, &updated)
    );
    assert!(messages.iter().all(|(channel, _)| channel == "board:b:updates"));
    let origin = messages[0].1["origin"].as_str().unwrap();
    assert!(origin.len() == 32 && messages.iter().all(|(_, told)| told["origin"] == origin));
    until(SOON, || received(&server, "own") == 5);
    assert_eq!(received(&server, "applied"), 0);
    assert_eq!(
        metric(
            &server,
            "boardwire_redis_publications_total{outcome=\"published\"}"
        ),
        5
    );
}

#[test]
fn changes_are_published_in_the_order_in_which_the_board_took_them() {
    let (redis, server) = connected();
    let mut listener = Listener::of(&redis);
    let api = owner_of_b(&server);
    for round in 0..20 {
        let path = format!("/v1/boards/b/items/{round}");
        let item = json!({"id": round.to_string(), "type": "sticky", "x": 0, "y": 0});
        api.must("POST", "/v1/boards/b/items", &item, 201);
        thread::scope(|scope| {
            for x in 1..=8 {
                let (path, server) = (&path, &server);
                scope.spawn(move || Api::user(server, "ann").must("PATCH", path, &json!({ "x": x }), 200));
            }
        });
        let told = (0..9).map(|_| listener.next().1);
        let last = told.last().unwrap();
        let item = api.must("GET", &path, &Value::Null, 200);
        assert_eq!(last["item"], item, "round {round}");
    }
}

#[test]
fn two_servers_on_one_redis_see_each_others_items_and_make_no_loop() {
    let redis = Redis::start();
    let servers = [server(&redis.url()), server(&redis.url())];
    let apis = [Api::user(&servers[0], "ann"), Api::user(&servers[1], "bob")];
    for (server, api) in servers.iter().zip(&apis) {
        until_connected(server);
        api.must("POST", "/v1/boards", &json!({ "id": "b" }), 201);
    }
    let mut canvas = Client::join(&servers[1], "b", 1);
    let kinds = ["sticky", "text", "shape", "frame", "image", "document"];
    for kind in kinds {
        let item = json!({"id": kind, "type": kind, "x": 1, "y": 2});
        apis[0].must("POST", "/v1/boards/b/items", &item, 201);
    }
    until(SOON, || {
        canvas.poll();
        let map = canvas.content().map;
        kinds
            .iter()
            .all(|kind| map.contains_key(&format!("shape:{kind}")))
    });
    apis[1].must(
        "PATCH",
        "/v1/boards/b/items/sticky",
        &json!({"content": {"text": "from bob"}}),
        200,
    );
    until(SOON, || {
        text_of(&apis[0], "sticky").as_deref() == Some("from bob")
    });
    for kind in kinds {
        let [mut a, mut b] = [0, 1]
            .map(|at: usize| apis[at].must("GET", &format!("/v1/boards/b/items/{kind}"), &Value::Null, 200));
        for item in [&mut a, &mut b] {
            for own in ["created_at", "created_by", "updated_at"] {
                item.as_object_mut().unwrap().remove(own);
            }
        }
        assert_eq!(a, b, "{kind}");
    }
    apis[1].must("DELETE", "/v1/boards/b/items/text", &Value::Null, 204);
    until(SOON, || text_of(&apis[0], "text").is_none());
    // Nothing that came in went out again.
    let counts = |server: &Server| (received(server, "applied"), received(server, "own"));
    until(SOON, || {
        counts(&servers[0]) == (2, 6) && counts(&servers[1]) == (6, 2)
    });
}

#[test]
fn two_nodes_of_one_store_publish_and_apply_each_item_once() {
    let (redis, database) = (Redis::start(), Postgres::shared());
    let schema = database.fresh_schema();
    let node = || {
        let setup = Setup::new()
            .flag("redis", &redis.url())
            .flag("store", &database.url(&schema))
            .flag("node-address", &format!("127.0.0.1:{}", free_port()))
            .flag("node-secret", "the-secret-of-the-nodes-0123456789")
            .flag("commit-window", "1ms");
        setup.start()
    };
    let nodes = [node(), node()];
    nodes.iter().for_each(until_connected);
    let [first, second] = [0, 1].map(|at: usize| Api::user(&nodes[at], "ann"));
    let mut listener = Listener::of(&redis);
    first.must("POST", "/v1/boards", &json!({ "id": "b" }), 201);
    let item = |id: &str| json!({"id": id, "type": "sticky", "x": 1, "y": 2});
    for (api, id) in [(&first, "one"), (&second, "two")] {
        api.must("POST", "/v1/boards/b/items", &item(id), 201);
        let (channel, message) = listener.next();
        assert_eq!(
            (channel.as_str(), &message["item"]["id"]),
            ("board:b:updates", &json!(id))
        );
    }
    let message = json!({"action": "create", "item": item("three"), "origin": "somebody"});
    redis.publish("board:b:updates", message.to_string());
    until(SOON, || text_of(&second, "three").is_some());
    let all = |outcome| received(&nodes[0], outcome) + received(&nodes[1], outcome);
    until(SOON, || {
        (all("applied"), all("own"), all("elsewhere")) == (1, 2, 3)
    });
    // What was published once more would come now.
    assert_eq!(listener.next().1["origin"], "somebody");
    first.must("POST", "/v1/boards/b/items", &item("four"), 201);
    assert_eq!(listener.next().1["item"]["id"], "four");
}

#[test]
fn changes_are_not_held_up_by_redis_and_are_published_when_it_is_back() {
    let (redis, server) = connected();
    let api = owner_of_b(&server);
    let port = redis.kill();
    until(SOON, || health(&server)["status"] == "unreachable");
    for id in 0..20 {
        let item = json!({"id": id.to_string(), "type": "sticky", "x": 1, "y": 2});
        api.must("POST", "/v1/boards/b/items", &item, 201);
    }
    let redis = Redis::start_on(port, None);
    let published = "boardwire_redis_publications_total{outcome=\"published\"}";
    until(SOON, || metric(&server, published) == 20);
    until_connected(&server);
    let mut listener = Listener::of(&redis);
    api.must("DELETE", "/v1/boards/b/items/7", &Value::Null, 204);
    // What is queued leaves before the server does.
    server.stop();
    let (_, told) = listener.next();
    assert_eq!(
        (&told["action"], &told["item"]["id"]),
        (&json!("delete"), &json!("7"))
    );
}
