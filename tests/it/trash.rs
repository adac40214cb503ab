//! The trash over HTTP: a deleted board is gone for everybody, and comes back with all that it had.

use boardwire::ids::Level;
use serde_json::{Value, json};

use crate::support::api::Api;
use crate::support::server::{Server, Setup};
use crate::support::socket::{Socket, path};
use crate::support::tokens::{Token, editor};
use crate::support::{SOON, until};

const NONE: Value = Value::Null;

/// A board of alice with a grant, a link, a key and an item.
fn board(server: &Server) -> (Api, String, String) {
    let alice = Api::user(server, "alice");
    alice.must("POST", "/v1/boards", &json!({"id": "plan", "title": "Plan"}), 201);
    alice.must(
        "PUT",
        "/v1/boards/plan/permissions/users/bob",
        &json!({"level": "edit"}),
        200,
    );
    let link = alice.must("POST", "/v1/boards/plan/links", &json!({"level": "view"}), 201);
    let key = alice.must(
        "POST",
        "/v1/boards/plan/keys",
        &json!({"level": "edit", "name": "agent"}),
        201,
    );
    let item = json!({"id": "note", "type": "sticky", "x": 0, "y": 0, "content": {"text": "kept"}});
    alice.must("POST", "/v1/boards/plan/items", &item, 201);
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    (alice, text(&link["token"]), text(&key["key"]))
}

fn ids(list: &[Value]) -> Vec<String> {
    let ids = list.iter().map(|board| board["id"].as_str().unwrap());
    ids.map(str::to_owned).collect()
}

/// What somebody finds in the trash, two boards a page.
fn trash(api: &Api) -> Vec<Value> {
    let (mut found, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = api.must(
            "GET",
            &format!("/v1/boards?trash=true&limit=2{cursor}"),
            &NONE,
            200,
        );
        found.extend(page["items"].as_array().unwrap().iter().cloned());
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return found,
        }
    }
}

#[test]
fn a_deleted_board_comes_back_with_its_id_grants_links_keys_content_and_log() {
    let server = Server::start();
    let (alice, link, key) = board(&server);
    let bob = Api::user(&server, "bob");
    let before = alice.must("GET", "/v1/boards/plan", &NONE, 200);
    let document = alice.get("/v1/boards/plan/document").body;
    let mut socket = Socket::open(server.address(), &path("plan", &editor("alice", "plan")));
    alice.must("DELETE", "/v1/boards/plan", &NONE, 204);
    assert_eq!(socket.closed().0, 4004);
    for api in [&alice, &bob, &Api::admin(&server)] {
        let gone = api.must("GET", "/v1/boards/plan", &NONE, 410);
        assert_eq!(gone["code"], "board_deleted");
        assert_eq!(ids(&api.list("/v1/boards", 10)), [""; 0]);
    }
    Api::key(&server, &key).must("GET", "/v1/boards/plan/items", &NONE, 410);
    let found = trash(&alice);
    assert_eq!(ids(&found), ["plan"]);
    assert_eq!(
        (&found[0]["title"], &found[0]["owner"], &found[0]["level"]),
        (&json!("Plan"), &json!("alice"), &NONE)
    );
    let time = |name: &str| found[0][name].as_str().unwrap()[..10].to_owned();
    assert!(time("deleted_at") < time("expires_at"));
    assert_eq!(ids(&trash(&bob)), [""; 0]);
    assert_eq!(ids(&trash(&Api::admin(&server))), ["plan"]);

    // Who does not manage it is told no more than of any board that was deleted.
    bob.must("POST", "/v1/boards/plan/restore", &NONE, 410);
    Api::key(&server, &key).must("POST", "/v1/boards/plan/restore", &NONE, 410);
    let restored = alice.must("POST", "/v1/boards/plan/restore", &NONE, 200);
    assert_eq!(restored, before);
    assert_eq!(alice.get("/v1/boards/plan/document").body, document);
    bob.must("GET", "/v1/boards/plan", &NONE, 200);
    let shared = format!("/v1/boards/plan?share={link}");
    Api::nobody(&server).must("GET", &shared, &NONE, 200);
    let items = Api::key(&server, &key).list("/v1/boards/plan/items", 10);
    assert_eq!(ids(&items), ["note"]);
    assert_eq!(ids(&trash(&alice)), [""; 0]);
    let log = alice.list("/v1/boards/plan/audit", 100);
    let actions: Vec<&str> = log.iter().filter_map(|entry| entry["action"].as_str()).collect();
    let place = |action| actions.iter().position(|found| *found == action).unwrap();
    assert!(
        place("board.restore") < place("board.delete"),
        "newest first: {actions:?}"
    );
    assert!(
        place("board.delete") < place("key.create"),
        "what was before is there"
    );
    let again = alice.must("POST", "/v1/boards/plan/restore", &NONE, 409);
    assert_eq!(again["code"], "not_in_trash");
    bob.must("POST", "/v1/boards/plan/restore", &NONE, 403);

    // It lives on.
    alice.must("DELETE", "/v1/boards/plan/items/note", &NONE, 204);
}

#[test]
fn the_trash_outlasts_kill_9_and_a_board_is_deleted_for_good_where_that_is_asked_for() {
    let server = Server::start();
    let (alice, ..) = board(&server);
    for id in ["a", "b", "c"] {
        alice.must("POST", "/v1/boards", &json!({"id": id}), 201);
        alice.must("DELETE", &format!("/v1/boards/{id}"), &NONE, 204);
    }
    let server = Setup::on(&server.kill()).start();
    let alice = Api::user(&server, "alice");
    assert_eq!(ids(&trash(&alice)), ["a", "b", "c"]);
    Api::user(&server, "bob").must("DELETE", "/v1/boards/a?forever=true", &NONE, 410);
    alice.must("DELETE", "/v1/boards/a?forever=true", &NONE, 204);
    alice.must("DELETE", "/v1/boards/plan?forever=true", &NONE, 204);
    for id in ["a", "plan"] {
        alice.must("POST", &format!("/v1/boards/{id}/restore"), &NONE, 410);
        alice.must("DELETE", &format!("/v1/boards/{id}?forever=true"), &NONE, 410);
        alice.must("POST", "/v1/boards", &json!({ "id": id }), 410);
    }
    // Deleted twice is not deleted for good.
    alice.must("DELETE", "/v1/boards/b", &NONE, 410);
    alice.must("POST", "/v1/boards/b/restore", &NONE, 200);
    alice.must("POST", "/v1/boards/never/restore", &NONE, 404);
    alice.must("DELETE", "/v1/boards/never?forever=true", &NONE, 404);
    Api::nobody(&server).must("POST", "/v1/boards/c/restore", &NONE, 401);
    for path in ["/v1/boards?trash=false", "/v1/boards?trash=1"] {
        let problem = alice.must("GET", path, &NONE, 400);
        assert_eq!(problem["code"], "invalid_parameter");
    }
    let problem = alice.must("DELETE", "/v1/boards/b?forever=1", &NONE, 400);
    assert_eq!(problem["field"], "forever");
}

#[test]
fn an_admin_brings_back_what_is_not_his_and_the_board_stays_its_owners() {
    let server = Server::start();
    let (alice, ..) = board(&server);
    alice.must("DELETE", "/v1/boards/plan", &NONE, 204);
    let restored = Api::admin(&server).must("POST", "/v1/boards/plan/restore", &NONE, 200);
    assert_eq!(restored["owner"], "alice");
}

#[test]
fn without_a_trash_a_board_goes_at_once_and_so_does_what_was_there() {
    let server = Server::start();
    let (alice, ..) = board(&server);
    alice.must("DELETE", "/v1/boards/plan", &NONE, 204);
    let server = Setup::on(&server.stop()).flag("trash-days", "0").start();
    let alice = Api::user(&server, "alice");
    until(SOON, || trash(&alice).is_empty());
    alice.must("POST", "/v1/boards/plan/restore", &NONE, 410);
    alice.must("POST", "/v1/boards", &json!({"id": "next"}), 201);
    alice.must("DELETE", "/v1/boards/next", &NONE, 204);
    assert_eq!(ids(&trash(&alice)), [""; 0]);
    alice.must("POST", "/v1/boards/next/restore", &NONE, 410);
}

#[test]
fn a_board_in_the_trash_still_counts_for_its_owner() {
    let server = Setup::new().flag("max-boards-per-owner", "1").start();
    let (alice, ..) = board(&server);
    alice.must("DELETE", "/v1/boards/plan", &NONE, 204);
    let full = alice.must("POST", "/v1/boards", &json!({"id": "next"}), 409);
    assert_eq!(full["code"], "too_many_boards");
    alice.must("DELETE", "/v1/boards/plan?forever=true", &NONE, 204);
    alice.must("POST", "/v1/boards", &json!({"id": "next"}), 201);
}

#[test]
fn a_token_that_claims_a_deleted_board_neither_makes_nor_restores_it() {
    let server = Server::start();
    let (alice, ..) = board(&server);
    alice.must("DELETE", "/v1/boards/plan", &NONE, 204);
    let claimer = Api::token(&server, &Token::of("carol").with("plan", Level::Edit).sign());
    claimer.must("POST", "/v1/boards/plan/restore", &NONE, 410);
    let mut socket = Socket::open(server.address(), &path("plan", &editor("carol", "plan")));
    assert_eq!(socket.closed().0, 4004);
    assert_eq!(ids(&trash(&claimer)), [""; 0]);
}
