//! `/v1/boards/{board}/assets`: pictures and films come in and go out whole, survive, and run nothing.

use std::io::Write as _;

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::support::api::Api;
use crate::support::http::{Answer, Http, request};
use crate::support::server::{Server, Setup};
use crate::support::tokens::Token;
use crate::support::{SOON, until};

const ASSETS: &str = "/v1/boards/b/assets";

fn board_of(server: &Server) -> Api {
    let alice = Api::user(server, "alice");
    alice.must("POST", "/v1/boards", &json!({"id": "b"}), 201);
    alice
}

fn board() -> (Server, Api) {
    let server = Server::start();
    let alice = board_of(&server);
    (server, alice)
}

/// A PNG by its header, of so many bytes; no two of other numbers are equal.
fn png(number: u8, bytes: usize) -> Vec<u8> {
    let mut png = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\x02\x80\0\0\x01\xe0".to_vec();
    let noise = (0..).map(|n: u32| n.wrapping_mul(2_654_435_761).to_le_bytes()[3] ^ number);
    png.extend(noise.take(bytes - png.len()));
    png
}

fn hash_of(bytes: &[u8]) -> String {
    Sha256::digest(bytes)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

#[track_caller]
fn brought(api: &Api, bytes: &[u8], status: u16) -> Value {
    let answer = api.send("POST", ASSETS, bytes);
    assert_eq!(answer.status, status, "{}", String::from_utf8_lossy(&answer.body));
    answer.json()
}

fn code(answer: &Answer) -> (u16, String) {
    (answer.status, answer.json()["code"].as_str().unwrap().to_owned())
}

fn of(asset: &Value) -> String {
    format!("{ASSETS}/{}", asset["sha256"].as_str().unwrap())
}

#[test]
fn what_is_brought_is_given_back_and_survives_a_kill() {
    let (server, alice) = board();
    let part = 8 * (32 * 1024 - 512);
    let all = [100, part - 1, part, part + 1, 3_000_000].map(|bytes| png(1, bytes));
    for bytes in &all {
        let asset = brought(&alice, bytes, 201);
        assert_eq!(
            asset,
            json!({
                "sha256": hash_of(bytes), "url": of(&asset), "bytes": bytes.len(), "type": "image/png",
                "width": 640, "height": 480,
            })
        );
        assert_eq!(brought(&alice, bytes, 200), asset, "it is there already");
    }
    let server = Setup::on(&server.kill()).start();
    let alice = Api::user(&server, "alice");
    assert_eq!(alice.list(ASSETS, 2).len(), all.len());
    for bytes in &all {
        let target = format!("{ASSETS}/{}", hash_of(bytes));
        let answer = alice.get(&target);
        assert_eq!(
            (answer.status, answer.field("content-type")),
            (200, Some("image/png"))
        );
        assert!(answer.body == *bytes, "{}", bytes.len());
        let head = alice.call("HEAD", &target);
        assert_eq!(
            head.field("content-length"),
            Some(bytes.len().to_string().as_str())
        );
    }
}

#[test]
fn a_body_in_chunks_is_taken_and_one_connection_goes_on() {
    let (server, _) = board();
    let token = format!("Bearer {}", Token::of("alice").sign());
    let bytes = png(2, 300_000);
    let mut http = Http::connect(server.address());
    http.send(request(
        "POST",
        ASSETS,
        &[("Authorization", &token), ("Transfer-Encoding", "chunked")],
    ));
    for chunk in bytes.chunks(7_777) {
        http.send(format!("{:x}\r\n", chunk.len()));
        http.send(chunk);
        http.send("\r\n");
    }
    http.send("0\r\n\r\n");
    let answer = http.answer("POST");
    assert_eq!(answer.status, 201);
    let target = of(&answer.json());
    for range in [
        None,
        Some("bytes=0-9"),
        Some("bytes=257999-258100"),
        Some("bytes=-1"),
    ] {
        let mut fields = vec![("Authorization", token.as_str())];
        fields.extend(range.map(|range| ("Range", range)));
        let answer = http.request("GET", &target, &fields);
        let (status, expected) = match range {
            None => (200, &bytes[..]),
            Some("bytes=0-9") => (206, &bytes[..10]),
            Some("bytes=-1") => (206, &bytes[bytes.len() - 1..]),
            Some(_) => (206, &bytes[257_999..=258_100]),
        };
        assert_eq!(answer.status, status, "{range:?}");
        assert!(answer.body == expected, "{range:?}");
        if range == Some("bytes=0-9") {
            assert_eq!(answer.field("content-range"), Some("bytes 0-9/300000"));
        }
    }
    let beyond = http.request(
        "GET",
        &target,
        &[("Authorization", &token), ("Range", "bytes=300000-")],
    );
    assert_eq!(code(&beyond), (416, "range_not_satisfiable".to_owned()));
    assert_eq!(beyond.field("content-range"), Some("bytes */300000"));
}

#[test]
fn nothing_of_an_asset_runs_or_is_taken_for_something_else() {
    let (_server, alice) = board();
    let svg = b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>";
    // A picture by its head, and a page behind that.
    let polyglot = [&png(3, 100)[..], b"<html><script>alert(1)</script></html>"].concat();
    for (bytes, kind, disposition) in [
        (&svg[..], "image/svg+xml", Some("attachment")),
        (&polyglot, "image/png", None),
        (b"\0\0\0\x18ftypisom\0\0\x02\0iso2mp41<script>", "video/mp4", None),
    ] {
        let answer = alice.get(&of(&brought(&alice, bytes, 201)));
        assert_eq!(answer.status, 200);
        for (name, value) in [
            ("content-type", Some(kind)),
            ("x-content-type-options", Some("nosniff")),
            (
                "content-security-policy",
                Some("default-src 'none'; style-src 'unsafe-inline'; sandbox; frame-ancestors 'none'"),
            ),
            ("cross-origin-resource-policy", Some("same-origin")),
            ("content-disposition", disposition),
            ("cache-control", Some("private, max-age=31536000, immutable")),
            ("accept-ranges", Some("bytes")),
        ] {
            assert_eq!(answer.field(name), value, "{kind}: {name}");
        }
        assert!(answer.body == bytes);
    }
}

#[test]
fn what_is_no_picture_or_film_is_refused_whatever_it_is_called() {
    let (_server, alice) = board();
    let entities = b"<!DOCTYPE svg [<!ENTITY a 'aaaa'>]><svg>&a;</svg>";
    for body in [
        &b"<html><script>alert(1)</script></html>"[..],
        b"%PDF-1.7",
        b"MZ",
        b"\x89PNG",
        entities,
        b"\0\0\0\x14ftypheic\0\0\0\0mif1",
    ] {
        let answer = alice.send("POST", ASSETS, body);
        assert_eq!(
            code(&answer),
            (415, "unsupported_asset".to_owned()),
            "{}",
            body.escape_ascii()
        );
    }
    let empty = alice.send("POST", ASSETS, b"");
    assert_eq!(code(&empty), (415, "unsupported_asset".to_owned()));
    for (width, height, fits) in [
        (32_767_u32, 3_051_u32, true),
        (32_768, 1, false),
        (10_000, 10_000, true),
        (10_000, 10_001, false),
        (u32::MAX, u32::MAX, false),
    ] {
        let mut bytes = png(4, 100);
        bytes[16..20].copy_from_slice(&width.to_be_bytes());
        bytes[20..24].copy_from_slice(&height.to_be_bytes());
        let answer = alice.send("POST", ASSETS, &bytes);
        match fits {
            true => assert_eq!(answer.status, 201, "{width} {height}"),
            false => assert_eq!(code(&answer), (422, "picture_too_large".to_owned())),
        }
    }
    let none = |hash: &str| code(&alice.get(&format!("{ASSETS}/{hash}")));
    let there = hash_of(&png(4, 100));
    for hash in [
        &there[..],
        &there.to_uppercase(),
        "x",
        "..%2f..%2fb",
        "%2e%2e",
        &"0".repeat(64),
    ] {
        assert_eq!(none(hash), (404, "no_such_asset".to_owned()), "{hash}");
    }
}

#[test]
fn an_asset_and_all_of_a_board_are_as_large_as_set_and_not_larger() {
    let setup = Setup::new().flag("max-asset-bytes", "1KiB");
    let server = setup.flag("max-assets-bytes", "2500").start();
    let alice = board_of(&server);
    for bytes in [1_023, 1_024] {
        brought(&alice, &png(1, bytes), 201);
    }
    let large = alice.send("POST", ASSETS, &png(1, 1_025));
    assert_eq!(code(&large), (413, "body_too_large".to_owned()));
    brought(&alice, &png(2, 2_500 - 2_047), 201);
    let full = alice.send("POST", ASSETS, &png(3, 100));
    assert_eq!(code(&full), (413, "assets_full".to_owned()));
    brought(&alice, &png(1, 1_024), 200);
    assert_eq!(alice.list(ASSETS, 9).len(), 3);
    // Another board has room of its own.
    alice.must("POST", "/v1/boards", &json!({"id": "c"}), 201);
    assert_eq!(
        alice.send("POST", "/v1/boards/c/assets", &png(3, 100)).status,
        201
    );
}

#[test]
fn an_upload_that_is_cut_off_leaves_nothing_and_frees_its_place() {
    let (server, alice) = board();
    let token = format!("Bearer {}", Token::of("alice").sign());
    let bytes = png(5, 2_000_000);
    let length = bytes.len().to_string();
    let begin = || {
        let mut http = Http::connect(server.address());
        let fields = [
            ("Authorization", token.as_str()),
            ("Content-Length", &length),
            ("Expect", "100-continue"),
        ];
        http.send(request("POST", ASSETS, &fields));
        // It has begun then.
        assert_eq!(http.head().0, 100);
        http.stream.write_all(&bytes[..600_000]).unwrap();
        http
    };
    // As many as one may have at a time.
    let cut: Vec<Http> = (0..6).map(|_| begin()).collect();
    let crowded = alice.send("POST", ASSETS, &png(6, 100));
    assert_eq!(code(&crowded), (429, "too_many_uploads".to_owned()));
    let other = Api::user(&server, "bob");
    alice.grant("users/bob", "edit");
    brought(&other, &png(7, 100), 201);
    drop(cut);
    until(SOON, || alice.send("POST", ASSETS, &png(8, 100)).status < 300);
    let there = alice.list(ASSETS, 100);
    assert!(there.iter().all(|asset| asset["bytes"] == 100), "{there:?}");
    brought(&alice, &bytes, 201);
}

#[test]
fn who_may_not_edit_any_more_when_it_ends_has_brought_nothing() {
    let (server, alice) = board();
    alice.grant("users/bob", "edit");
    let token = format!("Bearer {}", Token::of("bob").sign());
    let bytes = png(9, 1_000_000);
    let length = bytes.len().to_string();
    let mut http = Http::connect(server.address());
    http.send(request(
        "POST",
        ASSETS,
        &[("Authorization", &token), ("Content-Length", &length)],
    ));
    http.send(&bytes[..999_000]);
    alice.grant("users/bob", "view");
    http.send(&bytes[999_000..]);
    assert_eq!(code(&http.answer("POST")), (403, "forbidden".to_owned()));
    assert_eq!(alice.list(ASSETS, 9), Vec::<Value>::new());
}

#[test]
fn assets_go_with_their_board_and_are_of_no_other() {
    let (server, alice) = board();
    let asset = brought(&alice, &png(1, 500_000), 201);
    alice.must("POST", "/v1/boards", &json!({"id": "c"}), 201);
    let other = format!("/v1/boards/c/assets/{}", asset["sha256"].as_str().unwrap());
    assert_eq!(alice.get(&other).status, 404);
    Api::user(&server, "bob").must("GET", &of(&asset), &Value::Null, 403);
    alice.must("DELETE", "/v1/boards/b", &Value::Null, 204);
    assert_eq!(alice.get(&of(&asset)).status, 410);
    assert_eq!(alice.send("POST", ASSETS, &png(2, 100)).status, 410);
}

#[test]
fn who_has_it_already_is_told_so() {
    let (_server, alice) = board();
    let target = of(&brought(&alice, &png(1, 400), 201));
    let tag = alice.get(&target).field("etag").unwrap().to_owned();
    let mut http = Http::connect(_server.address());
    let token = format!("Bearer {}", Token::of("alice").sign());
    let known = http.request(
        "GET",
        &target,
        &[("Authorization", &token), ("If-None-Match", &tag)],
    );
    assert_eq!((known.status, known.body.len()), (304, 0));
    assert_eq!(known.field("etag"), Some(tag.as_str()));
    let changed = [
        ("Authorization", token.as_str()),
        ("Range", "bytes=0-0"),
        ("If-Range", "\"other\""),
    ];
    let whole = http.request("GET", &target, &changed);
    assert_eq!((whole.status, whole.body.len()), (200, 400));
}

#[test]
fn an_image_takes_what_was_brought_by_its_hash_and_has_its_shape() {
    let (_server, alice) = board();
    let asset = brought(&alice, &png(1, 400), 201);
    let hash = asset["sha256"].as_str().unwrap();
    let items = "/v1/boards/b/items";
    let image = |content: Value| json!({"type": "image", "x": 0, "y": 0, "content": content});
    let item = alice.must("POST", items, &image(json!({"asset": hash, "alt": "It"})), 201);
    assert_eq!(
        (&item["content"], &item["width"], &item["height"]),
        (&json!({"url": of(&asset), "alt": "It"}), &json!(600), &json!(450))
    );
    let film = b"\0\0\0\x18ftypisom\0\0\x02\0iso2mp41";
    let film = brought(&alice, film, 201)["sha256"].clone();
    for (content, words) in [
        (json!({"asset": "0".repeat(64)}), "is not beside the board"),
        (json!({"asset": "../b"}), "must be the sha256"),
        (json!({"asset": 1}), "must be the sha256"),
        (json!({"asset": hash, "url": "/a.png"}), "must be alone"),
        (json!({ "asset": film }), "is a film"),
    ] {
        let refused = alice.must("POST", items, &image(content), 422);
        assert_eq!(refused["field"], "content.asset");
        assert!(refused["detail"].as_str().unwrap().contains(words), "{refused}");
    }
    let sticky = json!({"type": "sticky", "x": 0, "y": 0, "content": {"asset": hash}});
    assert_eq!(alice.must("POST", items, &sticky, 422)["field"], "content.asset");

    let other = brought(&alice, &png(2, 400), 201);
    let id = item["id"].as_str().unwrap();
    let patch = json!({"content": {"asset": other["sha256"]}});
    let patched = alice.must("PATCH", &format!("{items}/{id}"), &patch, 200);
    assert_eq!(
        (&patched["content"]["url"], &patched["width"]),
        (&json!(of(&other)), &json!(600))
    );
    let batch = json!({"operations": [{"action": "create", "item": image(json!({"asset": "x"}))}]});
    let refused = alice.must("POST", &format!("{items}/batch"), &batch, 422);
    assert_eq!(refused["field"], "operations[0].item.content.asset");
}

/// A real PNG of two by two red pixels.
const RED: &[u8] = &[
    0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a, 0x00, 0x00, 0x00, 0x0d, 0x49, 0x48, 0x44, 0x52, 0x00,
    0x00, 0x00, 0x02, 0x00, 0x00, 0x00, 0x02, 0x08, 0x02, 0x00, 0x00, 0x00, 0xfd, 0xd4, 0x9a, 0x73, 0x00,
    0x00, 0x00, 0x10, 0x49, 0x44, 0x41, 0x54, 0x78, 0xda, 0x63, 0xf8, 0xcf, 0xc0, 0x00, 0x44, 0x0c, 0x10,
    0x0a, 0x00, 0x1f, 0xee, 0x03, 0xfd, 0x63, 0x5e, 0xbb, 0x5b, 0x00, 0x00, 0x00, 0x00, 0x49, 0x45, 0x4e,
    0x44, 0xae, 0x42, 0x60, 0x82,
];

#[test]
fn a_picture_of_the_board_shows_what_lies_beside_it_and_nothing_of_another_board() {
    let (_server, alice) = board();
    let small = brought(&alice, RED, 201);
    let large = brought(&alice, &png(1, 1024 * 1024 + 1), 201);
    alice.must("POST", "/v1/boards", &json!({"id": "c"}), 201);
    let other = alice.send("POST", "/v1/boards/c/assets", &png(2, 400)).json();
    let items = "/v1/boards/b/items";
    for (n, url) in [&small["url"], &large["url"], &other["url"]]
        .into_iter()
        .enumerate()
    {
        let item = json!({"type": "image", "x": n * 400, "y": 0, "content": {"url": url}});
        alice.must("POST", items, &item, 201);
    }
    let answer = alice.get("/v1/boards/b/picture.svg");
    let svg = String::from_utf8(answer.body).unwrap();
    assert_eq!(svg.matches("data:image/png;base64,").count(), 1, "{}", svg.len());
}
