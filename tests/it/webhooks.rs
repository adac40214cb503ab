//! Webhooks: what happens on a board is delivered to a server elsewhere, in order, signed, and again where it
//! was not taken; whatever that server does.

use std::collections::VecDeque;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::{Value, json};
use sha2::Sha256;

use crate::support::api::Api;
use crate::support::client::Client;
use crate::support::http;
use crate::support::server::{Server, Setup};
use crate::support::{SOON, until};

const HOOKS: &str = "/v1/boards/b/webhooks";
const ITEMS: &str = "/v1/boards/b/items";
const NONE: Value = Value::Null;

/// What a receiver does with one request.
#[derive(Clone, Debug)]
enum Does {
    /// Answers so.
    Says(&'static str),
    /// Answers nothing for so long.
    Hangs,
    /// Sends its answer byte by byte, and never comes to an end.
    Drips,
    /// An answer without end.
    Floods,
    /// Ends the connection.
    HangsUp,
}

const TAKEN: &str = "HTTP/1.1 204 No Content\r\n\r\n";
const BROKEN: &str = "HTTP/1.1 500 Broken\r\nContent-Length: 0\r\n\r\n";

/// One request that came.
#[derive(Clone, Debug)]
struct Came {
    at: Instant,
    head: String,
    body: Vec<u8>,
}

impl Came {
    fn field(&self, name: &str) -> &str {
        let named = self.head.lines().find_map(|line| {
            let (field, value) = line.split_once(": ")?;
            field.eq_ignore_ascii_case(name).then_some(value)
        });
        named.unwrap_or_else(|| panic!("no {name} in {}", self.head))
    }

    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    /// Names of events, each with the id of the item or the reason of the reset.
    fn events(&self) -> Vec<String> {
        let body = self.json();
        assert_eq!(body["board"], "b");
        let events = body["events"].as_array().unwrap().iter();
        let told = events.map(|event| {
            let what = ["id", "why", "name"]
                .iter()
                .find_map(|member| event[member].as_str());
            format!("{} {}", event["event"].as_str().unwrap(), what.unwrap())
        });
        told.collect()
    }

    #[track_caller]
    fn is_signed_with(&self, secret: &str) {
        let secret = STANDARD.decode(secret.strip_prefix("whsec_").unwrap()).unwrap();
        let (id, at) = (self.field("webhook-id"), self.field("webhook-timestamp"));
        let mut mac = Hmac::<Sha256>::new_from_slice(&secret).unwrap();
        mac.update(format!("{id}.{at}.").as_bytes());
        mac.update(&self.body);
        let expected = format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()));
        assert_eq!(self.field("webhook-signature"), expected);
        assert_eq!(self.field("content-type"), "application/json");
    }
}

/// A server that receives deliveries.
struct Receiver {
    address: SocketAddr,
    came: Arc<Mutex<Vec<Came>>>,
    does: Arc<Mutex<VecDeque<Does>>>,
}

impl Receiver {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let receiver = Self {
            address: listener.local_addr().unwrap(),
            came: Arc::default(),
            does: Arc::default(),
        };
        let (came, does) = (Arc::clone(&receiver.came), Arc::clone(&receiver.does));
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (came, does) = (Arc::clone(&came), Arc::clone(&does));
                std::thread::spawn(move || serve(stream, &came, &does));
            }
        });
        receiver
    }

    /// What it does next, before it takes all.
    fn will(&self, does: &[Does]) {
        self.does.lock().unwrap().extend(does.iter().cloned());
    }

    fn url(&self) -> String {
        format!("http://{}/hook?key=hidden", self.address)
    }

    fn came(&self) -> Vec<Came> {
        self.came.lock().unwrap().clone()
    }

    /// Waits until so many requests have come.
    #[track_caller]
    fn has(&self, count: usize, within: Duration) -> Vec<Came> {
        until(within, || self.came().len() >= count);
        self.came()
    }

    /// All events of all requests that came.
    fn events(&self) -> Vec<String> {
        self.came().iter().flat_map(Came::events).collect()
    }
}

fn serve(mut stream: TcpStream, came: &Mutex<Vec<Came>>, does: &Mutex<VecDeque<Does>>) {
    stream.set_read_timeout(Some(SOON)).unwrap();
    let mut bytes = Vec::new();
    let mut chunk = [0; 64 * 1024];
    let (head, body) = loop {
        let Ok(read @ 1..) = stream.read(&mut chunk) else {
            return;
        };
        bytes.extend_from_slice(&chunk[..read]);
        let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") else {
            continue;
        };
        let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
        let (_, length) = head.split_once("Content-Length: ").unwrap();
        let length: usize = length.lines().next().unwrap().parse().unwrap();
        if bytes.len() >= end + 4 + length {
            break (head, bytes[end + 4..].to_vec());
        }
    };
    let next = does.lock().unwrap().pop_front();
    came.lock().unwrap().push(Came {
        at: Instant::now(),
        head,
        body,
    });
    // The other side may hang up at any time.
    match next.unwrap_or(Does::Says(TAKEN)) {
        Does::Says(answer) => drop(stream.write_all(answer.as_bytes())),
        Does::Hangs => drop(stream.read(&mut chunk)),
        Does::Drips => {
            while stream.write_all(b"H").is_ok() {
                std::thread::sleep(Duration::from_millis(100));
            }
        }
        Does::Floods => {
            drop(stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n"));
            while stream.write_all(&[b'x'; 65_536]).is_ok() {}
        }
        Does::HangsUp => {}
    }
}

fn setup() -> Setup {
    Setup::new().flag("webhook-private-addresses", "on")
}

fn board(setup: Setup) -> (Server, Api) {
    let server = setup.start();
    let alice = Api::user(&server, "alice");
    alice.must("POST", "/v1/boards", &json!({"id": "b"}), 201);
    (server, alice)
}

#[track_caller]
fn hook(alice: &Api, url: &str) -> Value {
    alice.must("POST", HOOKS, &json!({"url": url, "types": ["item"]}), 201)
}

#[track_caller]
fn draw(alice: &Api, id: &str) {
    let item = json!({"id": id, "type": "sticky", "x": 0, "y": 0});
    alice.must("POST", ITEMS, &item, 201);
}

fn count(server: &Server, outcome: &str) -> u64 {
    let text = String::from_utf8(http::get(server.address(), "/metrics").body).unwrap();
    let name = format!("boardwire_webhook_deliveries_total{{outcome=\"{outcome}\"}} ");
    let line = text.lines().find_map(|line| line.strip_prefix(&name));
    line.expect("the series is there").parse().unwrap()
}

#[test]
fn a_webhook_is_made_listed_and_deleted_and_its_secret_is_shown_once() {
    let (_server, alice) = board(setup());
    let made = alice.must("POST", HOOKS, &json!({"url": "https://example.com/a?b=c"}), 201);
    let secret = made["secret"].as_str().unwrap();
    assert_eq!(
        STANDARD
            .decode(secret.strip_prefix("whsec_").unwrap())
            .unwrap()
            .len(),
        32
    );
    assert_eq!(
        (&made["types"], &made["kinds"]),
        (&json!(["item", "presence"]), &json!([]))
    );
    let full = json!({"url": "http://h/", "types": ["presence"], "kinds": ["sticky", "frame"]});
    alice.must("POST", HOOKS, &full, 201);
    for limit in [1, 2, 10] {
        let listed = alice.list(HOOKS, limit);
        assert_eq!(listed.len(), 2);
        let one = listed.iter().find(|one| one["id"] == made["id"]).unwrap();
        let keys: Vec<&String> = one.as_object().unwrap().keys().collect();
        assert_eq!(keys, ["created_at", "delivery", "id", "kinds", "types", "url"]);
        assert_eq!(
            (&one["url"], &one["delivery"]),
            (&json!("https://example.com/a?b=c"), &NONE)
        );
    }
    let one = format!("{HOOKS}/{}", made["id"].as_str().unwrap());
    alice.must("DELETE", &one, &NONE, 204);
    assert_eq!(alice.must("DELETE", &one, &NONE, 404)["code"], "no_such_webhook");
    assert_eq!(
        alice.must("DELETE", &format!("{HOOKS}/x"), &NONE, 404)["code"],
        "no_such_webhook"
    );
    assert_eq!(alice.list(HOOKS, 10).len(), 1);
    for number in 1..8 {
        hook(&alice, &format!("https://example.com/{number}"));
    }
    let refused = alice.must("POST", HOOKS, &json!({"url": "https://example.com/"}), 409);
    assert_eq!(refused["code"], "too_many_webhooks");
}

#[test]
fn what_is_no_address_or_a_private_one_is_refused_in_words() {
    let (server, alice) = board(Setup::new());
    for (body, field) in [
        (json!({}), "url"),
        (json!({"url": 7}), "url"),
        (json!({"url": "ftp://example.com/"}), "url"),
        (json!({"url": "https://user:password@example.com/"}), "url"),
        (
            json!({"url": format!("https://example.com/{}", "a".repeat(2_048))}),
            "url",
        ),
        (json!({"url": "http://127.0.0.1/"}), "url"),
        (json!({"url": "http://0x7f000001/"}), "url"),
        (json!({"url": "http://[::ffff:10.0.0.1]/"}), "url"),
        (json!({"url": "http://169.254.169.254/latest/meta-data"}), "url"),
        (
            json!({"url": "https://example.com/", "types": ["items"]}),
            "types",
        ),
        (json!({"url": "https://example.com/", "types": "item"}), "types"),
        (
            json!({"url": "https://example.com/", "kinds": ["sticky", "sticky"]}),
            "kinds",
        ),
        (json!({"url": "https://example.com/", "kinds": [1]}), "kinds"),
    ] {
        let problem = alice.must("POST", HOOKS, &body, 422);
        assert_eq!(
            (&problem["code"], &problem["field"]),
            (&json!("invalid_value"), &json!(field)),
            "{body}"
        );
    }
    // A name that leads there is found out when it is looked up.
    let receiver = Receiver::start();
    let port = receiver.address.port();
    hook(&alice, &format!("http://localhost:{port}/"));
    draw(&alice, "a");
    until(SOON, || !alice.list(HOOKS, 9)[0]["delivery"].is_null());
    let delivery = &alice.list(HOOKS, 9)[0]["delivery"];
    assert_eq!(delivery["last_error"], "the host's address is private");
    assert!(delivery["failing_since"].is_string() && count(&server, "failed") >= 1);
    assert_eq!(receiver.came().len(), 0);
}

#[test]
fn events_come_signed_and_gathered_in_their_order_and_only_those_that_are_wanted() {
    let (server, alice) = board(setup());
    let (all, some) = (Receiver::start(), Receiver::start());
    let made = alice.must("POST", HOOKS, &json!({"url": all.url()}), 201);
    let frames = json!({"url": some.url(), "types": ["item"], "kinds": ["frame"]});
    alice.must("POST", HOOKS, &frames, 201);
    let began = Instant::now();
    for id in ["a", "b", "c"] {
        draw(&alice, id);
    }
    alice.must("DELETE", &format!("{ITEMS}/b"), &NONE, 204);
    let frame = json!({"id": "f", "type": "frame", "x": 500, "y": 0});
    alice.must("POST", ITEMS, &frame, 201);
    until(SOON, || {
        all.events().iter().any(|event| event == "item.created f")
    });
    let deliveries = all.came();
    let items: Vec<_> = all
        .events()
        .into_iter()
        .filter(|event| event.starts_with("item"))
        .collect();
    assert_eq!(items.first().map(String::as_str), Some("item.created a"));
    assert_eq!(items.iter().filter(|event| event.ends_with(" c")).count(), 1);
    assert!(
        deliveries[0].at.duration_since(began) >= Duration::from_secs(1),
        "it was gathered"
    );
    assert!(deliveries.len() <= 3, "{deliveries:?}");
    for delivery in &deliveries {
        delivery.is_signed_with(made["secret"].as_str().unwrap());
        assert!(delivery.head.starts_with("POST /hook?key=hidden HTTP/1.1\r\n"));
    }
    let item = &deliveries[0].json()["events"];
    let item = item
        .as_array()
        .unwrap()
        .iter()
        .find(|event| event["id"] == "a")
        .unwrap();
    assert_eq!(
        (&item["by"], &item["item"]["type"]),
        (&json!("user:alice"), &json!("sticky"))
    );
    some.has(1, SOON);
    assert_eq!(some.events(), ["item.created f"]);
    let _client = Client::join(&server, "b", 7);
    until(SOON, || {
        all.events().iter().any(|event| event == "presence.joined user-7")
    });
    let listed = alice.list(HOOKS, 9);
    assert!(
        listed
            .iter()
            .all(|one| one["delivery"]["last_status"] == 204 && one["delivery"]["failing_since"].is_null())
    );
    assert!(count(&server, "delivered") >= 2);
    assert!(!server.log().contains("hidden"));
}

#[test]
fn what_was_not_taken_comes_again_with_the_same_id_and_holds_nothing_up() {
    let (server, alice) = board(setup());
    let receiver = Receiver::start();
    let redirect = "HTTP/1.1 307 Elsewhere\r\nLocation: /other\r\nContent-Length: 0\r\n\r\n";
    receiver.will(&[
        Does::Says(BROKEN),
        Does::Says(redirect),
        Does::HangsUp,
        Does::Floods,
    ]);
    hook(&alice, &receiver.url());
    draw(&alice, "a");
    receiver.has(1, SOON);
    // Meanwhile everything goes on, and waits for its turn.
    draw(&alice, "b");
    let failing = || alice.list(HOOKS, 9)[0]["delivery"].clone();
    until(SOON, || failing()["failing_since"].is_string());
    let came = receiver.has(5, Duration::from_secs(60));
    let ids: Vec<&str> = came.iter().map(|one| one.field("webhook-id")).collect();
    assert!(
        ids[..4].iter().all(|id| *id == ids[0]) && ids[4] != ids[0],
        "{ids:?}"
    );
    assert!(
        came[..4]
            .iter()
            .all(|one| one.body == came[0].body && one.head.starts_with("POST /hook"))
    );
    assert!(came[1].at - came[0].at >= Duration::from_secs(2));
    assert_eq!(
        (came[0].events(), came[4].events()),
        (vec!["item.created a".into()], vec!["item.created b".into()])
    );
    until(SOON, || failing()["failing_since"].is_null());
    assert_eq!((count(&server, "failed"), count(&server, "given_up")), (3, 0));
}

#[test]
fn who_hangs_or_drips_is_given_ten_seconds() {
    let (_server, alice) = board(setup());
    let (hangs, drips) = (Receiver::start(), Receiver::start());
    hangs.will(&[Does::Hangs]);
    drips.will(&[Does::Drips]);
    for receiver in [&hangs, &drips] {
        hook(&alice, &receiver.url());
    }
    draw(&alice, "a");
    for receiver in [&hangs, &drips] {
        let came = receiver.has(2, Duration::from_secs(30));
        assert!(came[1].at - came[0].at >= Duration::from_secs(9), "{came:?}");
        assert_eq!(came[0].field("webhook-id"), came[1].field("webhook-id"));
    }
}

#[test]
fn a_webhook_that_is_deleted_gets_nothing_more_also_while_it_is_tried_again() {
    let (_server, alice) = board(setup());
    let receiver = Receiver::start();
    receiver.will(&[Does::Says(BROKEN), Does::Says(BROKEN)]);
    let one = hook(&alice, &receiver.url());
    draw(&alice, "a");
    receiver.has(1, SOON);
    alice.must(
        "DELETE",
        &format!("{HOOKS}/{}", one["id"].as_str().unwrap()),
        &NONE,
        204,
    );
    // With its board it ends likewise.
    let other = Receiver::start();
    other.will(&[Does::Says(BROKEN); 1]);
    hook(&alice, &other.url());
    draw(&alice, "b");
    other.has(1, SOON);
    alice.must("DELETE", "/v1/boards/b", &NONE, 204);
    // The first try again would be after two seconds.
    std::thread::sleep(Duration::from_secs(4));
    assert_eq!((receiver.came().len(), other.came().len()), (1, 1));
}

#[test]
fn after_a_restart_the_first_delivery_says_that_something_may_be_missing() {
    let (server, alice) = board(setup());
    let receiver = Receiver::start();
    hook(&alice, &receiver.url());
    draw(&alice, "a");
    receiver.has(1, SOON);
    let place = server.stop();
    let server = Setup::on(&place).flag("webhook-private-addresses", "on").start();
    let alice = Api::user(&server, "alice");
    assert_eq!(alice.list(HOOKS, 9)[0]["delivery"], NONE);
    draw(&alice, "b");
    let came = receiver.has(2, SOON);
    assert_eq!(came[1].events().first().map(String::as_str), Some("reset loaded"));
    draw(&alice, "c");
    assert_eq!(receiver.has(3, SOON)[2].events(), ["item.created c"]);
}

#[test]
fn a_board_that_was_out_of_memory_goes_on_where_it_stopped() {
    let idle = setup()
        .flag("room-idle", "1s")
        .flag("room-sweep", "100ms")
        .flag("compact-after", "100ms");
    let (server, alice) = board(idle);
    let receiver = Receiver::start();
    hook(&alice, &receiver.url());
    draw(&alice, "a");
    receiver.has(1, SOON);
    until(SOON, || server.rooms() == 0);
    draw(&alice, "b");
    let came = receiver.has(2, SOON);
    // Where the item was faster than the first look at the board, that is said.
    let first = came[1].events();
    assert!(
        first == ["item.created b"] || first == ["reset too_many"],
        "{first:?}"
    );
    until(SOON, || server.rooms() == 0);
    let _client = Client::join(&server, "b", 7);
    draw(&alice, "c");
    assert_eq!(receiver.has(3, SOON)[2].events(), ["item.created c"]);
}
