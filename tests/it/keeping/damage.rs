//! Rows of pictures and versions that cannot be read: each is said to be so, and the rest goes on.

use std::io::Read as _;

use serde_json::json;

use super::{rot, run, text};
use crate::support::api::Api;
use crate::support::client::Client;
use crate::support::http::{Http, request};
use crate::support::server::{Server, Setup};
use crate::support::tokens::Token;
use crate::support::{SOON, until};

/// A picture with these words in its second part.
fn picture(words: &str) -> Vec<u8> {
    let mut bytes = super::picture();
    bytes[300_000..300_000 + words.len()].copy_from_slice(words.as_bytes());
    bytes
}

fn sticky(words: &str) -> serde_json::Value {
    json!({"id": "s", "type": "sticky", "x": 0, "y": 0, "width": 200, "height": 200, "content": {"text": words}})
}

#[test]
fn a_picture_that_is_damaged_ends_early_and_the_board_and_its_others_go_on() {
    let server = Server::start();
    let alice = Api::user(&server, "alice");
    alice.must("POST", "/v1/boards", &json!({"id": "b"}), 201);
    let assets = ["here it will rot", "here it will not"].map(|words| {
        let made = alice.send("POST", "/v1/boards/b/assets", &picture(words));
        assert_eq!(made.status, 201);
        made.json()["url"].as_str().unwrap().to_owned()
    });
    let place = server.stop();
    rot(&place.data(), "here it will rot");
    let server = Setup::on(&place).start();
    let alice = Api::user(&server, "alice");
    // Its head has gone when the second part is read: so the connection ends before the body does.
    let mut http = Http::connect(server.address());
    let token = format!("Bearer {}", Token::of("alice").sign());
    http.send(request("GET", &assets[0], &[("Authorization", &token)]));
    assert_eq!(http.head().0, 200);
    http.received.clear();
    let mut body = Vec::new();
    http.stream.read_to_end(&mut body).unwrap();
    assert!(body.len() < 600_000, "{}", body.len());
    assert_eq!(alice.get(&assets[1]).body, picture("here it will not"));
    alice.must("POST", "/v1/boards/b/items", &sticky("goes on"), 201);
    let place = server.stop();
    let (code, _, said) = run(&["check", "--data", text(&place.data())]);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("\"b\""), "{said}");
}

#[test]
fn a_version_that_is_damaged_is_refused_and_the_board_goes_on() {
    let own = Setup::new()
        .flag("versions-hours", "0")
        .flag("versions-days", "0");
    let server = own.flag("compact-after", "20ms").start();
    let alice = Api::user(&server, "alice");
    alice.must("POST", "/v1/boards", &json!({"id": "b"}), 201);
    // One writer, which deletes what it replaces; so long that no other row is in a page with it.
    let mut writer = Client::offline(7);
    let mut draw = |words: &str| {
        let update = writer.setting("drawn", &words.repeat(1_000));
        assert_eq!(alice.send("POST", "/v1/boards/b/document", &update).status, 204);
    };
    draw("here it will rot");
    let made = alice.must("POST", "/v1/boards/b/versions", &json!({}), 201);
    let rotten = format!("/v1/boards/b/versions/{}", made["id"].as_str().unwrap());
    draw("!");
    let size = || alice.get("/v1/boards/b").json()["size_bytes"].as_u64().unwrap();
    until(SOON, || size() < 2_000);
    let place = server.stop();
    rot(&place.data(), "here it will rot");
    let server = Setup::on(&place).start();
    let alice = Api::user(&server, "alice");
    for (method, what) in [("GET", "document"), ("GET", "picture.svg"), ("POST", "restore")] {
        let answer = alice.must(method, &format!("{rotten}/{what}"), &json!({}), 503);
        assert_eq!(answer["code"], "state_unreadable", "{what}");
    }
    assert_eq!(alice.get("/v1/boards/b/document").status, 200);
    alice.must("POST", "/v1/boards/b/items", &sticky("goes on"), 201);
    let place = server.stop();
    let (code, _, said) = run(&["check", "--data", text(&place.data())]);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("rows of board \"b\""), "{said}");
}

#[test]
fn on_a_disk_that_takes_no_more_what_was_answered_is_there_and_what_was_not_leaves_nothing() {
    // In blocks of 512 bytes; the signal would end the program before it can say anything.
    let limited = ["sh", "-c", "trap '' XFSZ; ulimit -f 16000; exec \"$0\" \"$@\""];
    let server = Setup::new().by(&limited).start();
    let alice = Api::user(&server, "alice");
    alice.must("POST", "/v1/boards", &json!({"id": "b"}), 201);
    let (mut pictures, mut versions) = (Vec::new(), Vec::new());
    let refusal = loop {
        let words = format!("picture {}", pictures.len());
        let brought = alice.send("POST", "/v1/boards/b/assets", &picture(&words));
        if brought.status != 201 {
            break brought;
        }
        pictures.push((brought.json()["url"].as_str().unwrap().to_owned(), words));
        assert!(pictures.len() < 100, "the disk is not full");
        let made = alice.send("POST", "/v1/boards/b/versions", b"{}");
        if made.status != 201 {
            break made;
        }
        versions.push(made.json()["id"].as_str().unwrap().to_owned());
    };
    assert_eq!(refusal.status, 503, "{}", String::from_utf8_lossy(&refusal.body));
    assert!(pictures.len() > 2);
    let server = Setup::on(&server.kill()).start();
    let alice = Api::user(&server, "alice");
    for (url, words) in &pictures {
        assert!(alice.get(url).body == picture(words), "{words}");
    }
    let listed = alice.list("/v1/boards/b/assets", 500).len();
    assert!(listed <= pictures.len() + 1, "{listed} of {}", pictures.len());
    let listed = alice.list("/v1/boards/b/versions", 500);
    for id in &versions {
        assert!(listed.iter().any(|version| version["id"] == json!(id)), "{id}");
    }
    let place = server.stop();
    let (code, printed, said) = run(&["check", "--data", text(&place.data())]);
    assert_eq!(code, Some(0), "{printed}{said}");
}
