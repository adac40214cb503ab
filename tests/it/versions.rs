//! Versions over HTTP: made, listed, read, seen and restored.

use serde_json::{Value, json};

use crate::support::api::Api;
use crate::support::client::Client;
use crate::support::server::{Server, Setup};
use crate::support::{SOON, until};

const NONE: Value = Value::Null;
const VERSIONS: &str = "/v1/boards/b/versions";

fn board(setup: Setup) -> (Server, Api) {
    let server = setup.start();
    let alice = Api::user(&server, "alice");
    alice.must("POST", "/v1/boards", &json!({"id": "b"}), 201);
    (server, alice)
}

fn without_own() -> Setup {
    Setup::new()
        .flag("versions-hours", "0")
        .flag("versions-days", "0")
}

fn sticky(id: &str, text: &str) -> Value {
    json!({"id": id, "type": "sticky", "x": 0, "y": 0, "content": {"text": text}})
}

fn texts(api: &Api) -> Vec<String> {
    let items = api.list("/v1/boards/b/items", 100);
    let mut texts: Vec<String> = items
        .iter()
        .map(|item| {
            let text = |value: &Value| value.as_str().unwrap().to_owned();
            format!("{}: {}", text(&item["id"]), text(&item["content"]["text"]))
        })
        .collect();
    texts.sort_unstable();
    texts
}

fn make(api: &Api, name: &str) -> String {
    let made = api.must("POST", VERSIONS, &json!({ "name": name }), 201);
    assert_eq!((&made["kind"], &made["name"]), (&json!("named"), &json!(name)));
    made["id"].as_str().unwrap().to_owned()
}

fn kinds(api: &Api) -> Vec<String> {
    let kinds = api.list(VERSIONS, 2).into_iter();
    kinds
        .map(|version| version["kind"].as_str().unwrap().to_owned())
        .collect()
}

/// Whether what a client has holds this text.
fn holds(client: &Client, text: &str) -> bool {
    String::from_utf8_lossy(&client.state()).contains(text)
}

#[test]
fn a_version_is_made_listed_read_restored_and_undone_by_the_one_before() {
    let (server, alice) = board(without_own());
    alice.must("POST", "/v1/boards/b/items", &sticky("one", "as it was"), 201);
    alice.must("POST", "/v1/boards/b/items", &sticky("two", "stays"), 201);
    let first = make(&alice, "First");
    alice.must(
        "PATCH",
        "/v1/boards/b/items/one",
        &json!({"content": {"text": "changed"}}),
        200,
    );
    alice.must("DELETE", "/v1/boards/b/items/two", &NONE, 204);
    alice.must("POST", "/v1/boards/b/items", &sticky("three", "new"), 201);
    let now = texts(&alice);
    let second = make(&alice, "Second");
    let listed = alice.list(VERSIONS, 1);
    let of = |name: &str| {
        listed
            .iter()
            .map(|version| version[name].clone())
            .collect::<Vec<_>>()
    };
    assert_eq!(of("id"), [json!(second), json!(first)]);
    assert_eq!(of("by"), [json!("user:alice"), json!("user:alice")]);
    assert!(of("size_bytes").iter().all(|bytes| bytes.as_u64().unwrap() > 100));
    let document = alice.get(&format!("{VERSIONS}/{first}/document"));
    assert_eq!(document.field("content-disposition"), Some("attachment"));
    let text = String::from_utf8_lossy(&document.body).into_owned();
    assert!(text.contains("as it was") && !text.contains("changed"));
    let picture = alice.get(&format!("{VERSIONS}/{first}/picture.svg"));
    let svg = String::from_utf8_lossy(&picture.body).into_owned();
    assert!(svg.starts_with("<svg"), "{svg}");
    let tag = picture.field("etag").unwrap().to_owned();
    assert_ne!(
        alice
            .get(&format!("{VERSIONS}/{second}/picture.svg"))
            .field("etag"),
        Some(tag.as_str())
    );

    let mut watcher = Client::join(&server, "b", 77);
    watcher.sync();
    assert!(!holds(&watcher, "stays"), "it was deleted");
    let restored = alice.must("POST", &format!("{VERSIONS}/{first}/restore"), &NONE, 200);
    assert_eq!(
        (&restored["restored"], &restored["set"]),
        (&json!(first), &json!(2))
    );
    // What is on it now is a version already.
    assert_eq!(
        (&restored["removed"], &restored["before"]["id"]),
        (&json!(1), &json!(second))
    );
    assert_eq!(texts(&alice), ["one: as it was", "two: stays"]);
    until(SOON, || {
        watcher.poll();
        holds(&watcher, "stays")
    });
    // Back to what was before, and again: nothing changes twice.
    alice.must("POST", "/v1/boards/b/items", &sticky("four", "since"), 201);
    let before = restored["before"]["id"].as_str().unwrap();
    let undone = alice.must("POST", &format!("{VERSIONS}/{before}/restore"), &NONE, 200);
    assert_eq!(undone["before"]["kind"], "before_restore");
    assert_eq!(texts(&alice), now);
    let again = alice.must("POST", &format!("{VERSIONS}/{before}/restore"), &NONE, 200);
    assert_eq!((&again["set"], &again["removed"]), (&json!(0), &json!(0)));
    let actions: Vec<Value> = alice.list("/v1/boards/b/audit", 100);
    let count = |action: &str| actions.iter().filter(|entry| entry["action"] == action).count();
    assert_eq!((count("version.create"), count("version.restore")), (2, 3));
}

#[test]
fn work_of_others_that_a_restore_has_not_seen_is_not_lost() {
    let (server, alice) = board(without_own());
    alice.must("POST", "/v1/boards/b/items", &sticky("one", "old"), 201);
    let first = make(&alice, "First");
    let mut offline = Client::join(&server, "b", 77);
    offline.sync();
    offline.cut();
    offline.set("mine", "made offline");
    alice.must(
        "PATCH",
        "/v1/boards/b/items/one",
        &json!({"content": {"text": "new"}}),
        200,
    );
    alice.must("POST", &format!("{VERSIONS}/{first}/restore"), &NONE, 200);
    offline.reconnect(server.address());
    offline.sync();
    offline.save();
    assert_eq!(offline.value("mine").as_deref(), Some("made offline"));
    assert_eq!(texts(&alice), ["one: old"]);
}

#[test]
fn versions_outlast_kill_9_and_the_trash_and_go_with_the_board() {
    let (server, alice) = board(without_own());
    alice.must("POST", "/v1/boards/b/items", &sticky("one", "kept"), 201);
    let first = make(&alice, "First");
    alice.must("DELETE", "/v1/boards/b/items/one", &NONE, 204);
    let server = Setup::on(&server.kill()).start();
    let alice = Api::user(&server, "alice");
    assert_eq!(alice.list(VERSIONS, 9)[0]["id"], json!(first));
    alice.must("DELETE", "/v1/boards/b", &NONE, 204);
    alice.must("GET", VERSIONS, &NONE, 410);
    alice.must("POST", "/v1/boards/b/restore", &NONE, 200);
    alice.must("POST", &format!("{VERSIONS}/{first}/restore"), &NONE, 200);
    assert_eq!(texts(&alice), ["one: kept"]);
}

#[test]
fn what_is_wrong_is_refused_by_name_and_only_who_manages_deletes_one() {
    let (server, alice) = board(without_own());
    let first = make(&alice, &"x".repeat(256));
    for (body, field) in [
        (json!({"name": "x".repeat(257)}), "name"),
        (json!({"name": ""}), "name"),
        (json!({"name": "a\nb"}), "name"),
        (json!({"name": 1}), "name"),
    ] {
        let problem = alice.must("POST", VERSIONS, &body, 422);
        assert_eq!(
            (&problem["code"], &problem["field"]),
            (&json!("invalid_value"), &json!(field))
        );
    }
    let unnamed = alice.must("POST", VERSIONS, &json!({}), 201);
    assert_eq!(unnamed["name"], NONE);
    for id in ["0", "x", "99999999999999999999", "-1"] {
        for (method, rest) in [
            ("GET", "/document"),
            ("GET", "/picture.svg"),
            ("POST", "/restore"),
            ("DELETE", ""),
        ] {
            let problem = alice.must(method, &format!("{VERSIONS}/{id}{rest}"), &NONE, 404);
            assert_eq!(problem["code"], "no_such_version", "{method} {id}{rest}");
        }
    }
    alice.grant("users/bob", "edit");
    let bob = Api::user(&server, "bob");
    make(&bob, "Of Bob");
    bob.must("DELETE", &format!("{VERSIONS}/{first}"), &NONE, 403);
    alice.must("DELETE", &format!("{VERSIONS}/{first}"), &NONE, 204);
    alice.must("DELETE", &format!("{VERSIONS}/{first}"), &NONE, 404);
    assert_eq!(alice.list(VERSIONS, 9).len(), 2);
}

#[test]
fn versions_that_somebody_asked_for_are_bounded_and_are_not_dropped_for_others() {
    let (_server, alice) = board(without_own().flag("max-versions-bytes", "16KiB"));
    let (mut made, mut last) = (0, 0);
    for n in 0..40 {
        let letter = |at: usize| char::from(b'a' + ((at * 7 + n * 13 + at / 17) % 26) as u8);
        let text: String = (0..1_500)
            .map(|at| if at % 9 == 8 { ' ' } else { letter(at) })
            .collect();
        alice.must(
            "POST",
            "/v1/boards/b/items",
            &sticky(&format!("i{n}"), &text),
            201,
        );
        let answer = alice.json("POST", VERSIONS, &json!({"name": n.to_string()}));
        last = answer.status;
        if last != 201 {
            assert_eq!(answer.json()["code"], "too_many_versions");
            break;
        }
        made += 1;
    }
    assert_eq!(last, 409);
    assert_eq!(alice.list(VERSIONS, 100).len(), made);
}

#[test]
fn versions_make_themselves_and_before_half_of_the_board_is_deleted() {
    let (_server, alice) = board(
        Setup::new()
            .flag("compact-after", "10ms")
            .flag("compact-every", "20ms"),
    );
    let create = |n: usize| json!({"action": "create", "item": sticky(&format!("i{n}"), "there")});
    let all: Vec<Value> = (0..40).map(create).collect();
    alice.must(
        "POST",
        "/v1/boards/b/items/batch",
        &json!({ "operations": all }),
        200,
    );
    until(SOON, || kinds(&alice) == ["automatic"]);
    // One more compaction, so that what there was is known.
    alice.must("POST", "/v1/boards/b/items", &sticky("last", "there"), 201);
    let remove = |n: usize| json!({"action": "delete", "item": {"id": format!("i{n}")}});
    let most: Vec<Value> = (0..30).map(remove).collect();
    alice.must(
        "POST",
        "/v1/boards/b/items/batch",
        &json!({ "operations": most }),
        200,
    );
    until(SOON, || kinds(&alice) == ["before_deletion", "automatic"]);
    let version = alice.list(VERSIONS, 9)[0]["id"].as_str().unwrap().to_owned();
    assert_eq!(texts(&alice).len(), 11);
    alice.must("POST", &format!("{VERSIONS}/{version}/restore"), &NONE, 200);
    assert_eq!(texts(&alice).len(), 41);
}
