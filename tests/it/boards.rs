//! Boards over HTTP: made, listed, read, renamed, given away, deleted.

use boardwire::ids::Level;
use serde_json::{Value, json};

use crate::support::api::Api;
use crate::support::client::Client;
use crate::support::server::{Server, Setup};
use crate::support::socket::{Socket, path};
use crate::support::tokens::{Token, editor};
use crate::support::{SOON, until};

const NONE: Value = Value::Null;

#[test]
fn a_board_is_made_read_renamed_given_away_and_deleted() {
    let server = Server::start();
    let (alice, bob) = (Api::user(&server, "alice"), Api::user(&server, "bob"));
    let made = alice.json("POST", "/v1/boards", &json!({"id": "plan", "title": "Plan"}));
    assert_eq!(made.status, 201);
    assert_eq!(made.field("location"), Some("/v1/boards/plan"));
    let board = made.json();
    let keys: Vec<&String> = board.as_object().unwrap().keys().collect();
    assert_eq!(
        keys,
        [
            "created_at",
            "id",
            "level",
            "owner",
            "size_bytes",
            "title",
            "updated_at"
        ]
    );
    assert_eq!(
        (
            &board["id"],
            &board["title"],
            &board["owner"],
            &board["level"],
            &board["size_bytes"]
        ),
        (
            &json!("plan"),
            &json!("Plan"),
            &json!("alice"),
            &json!("edit"),
            &json!(0)
        )
    );
    let time = board["created_at"].as_str().unwrap();
    assert!(
        time.len() == 24 && time.ends_with('Z') && time.as_bytes()[19] == b'.',
        "{time}"
    );
    assert_eq!(alice.must("GET", "/v1/boards/plan", &NONE, 200), board);
    let renamed = alice.must("PATCH", "/v1/boards/plan", &json!({"title": null}), 200);
    assert_eq!((&renamed["title"], &renamed["owner"]), (&NONE, &json!("alice")));
    assert!(renamed["updated_at"].as_str() >= board["updated_at"].as_str());
    let unchanged = alice.must("PATCH", "/v1/boards/plan", &json!({}), 200);
    assert_eq!(unchanged["title"], NONE);
    bob.must("GET", "/v1/boards/plan", &NONE, 403);
    bob.must("PATCH", "/v1/boards/plan", &json!({"title": "mine"}), 403);
    bob.must("DELETE", "/v1/boards/plan", &NONE, 403);
    let given = alice.must(
        "PATCH",
        "/v1/boards/plan",
        &json!({"owner": "bob", "title": "B"}),
        200,
    );
    assert_eq!(
        (&given["owner"], &given["level"], &given["title"]),
        (&json!("bob"), &NONE, &json!("B"))
    );
    alice.must("GET", "/v1/boards/plan", &NONE, 403);
    bob.must("DELETE", "/v1/boards/plan", &NONE, 204);
    for method in ["GET", "DELETE"] {
        assert_eq!(
            bob.must(method, "/v1/boards/plan", &NONE, 410)["code"],
            "board_deleted"
        );
    }
    let again = bob.must("POST", "/v1/boards", &json!({"id": "plan"}), 410);
    assert_eq!(again["code"], "board_deleted");
    assert_eq!(bob.must("GET", "/v1/boards", &NONE, 200)["items"], json!([]));
}

#[test]
fn a_board_without_id_gets_a_random_uuid() {
    let server = Server::start();
    let alice = Api::user(&server, "alice");
    let ids: Vec<Value> = (0..3)
        .map(|_| alice.must("POST", "/v1/boards", &json!({}), 201)["id"].clone())
        .collect();
    for id in &ids {
        let id = id.as_str().unwrap();
        assert!(id.len() == 36 && id.as_bytes()[14] == b'4', "{id}");
        alice.must("GET", &format!("/v1/boards/{id}"), &NONE, 200);
    }
    assert!(ids[0] != ids[1] && ids[1] != ids[2]);
}

#[test]
fn bad_values_are_refused_by_name_and_nothing_is_made() {
    let server = Server::start();
    let alice = Api::user(&server, "alice");
    let long = "x".repeat(1_025);
    for (body, status, code, field) in [
        (json!({"id": "a b"}), 400, "invalid_board_id", None),
        (json!({"id": ".."}), 400, "invalid_board_id", None),
        (json!({"id": ""}), 400, "invalid_board_id", None),
        (json!({"id": 1}), 422, "invalid_value", Some("id")),
        (
            json!({"id": "a", "title": 1}),
            422,
            "invalid_value",
            Some("title"),
        ),
        (
            json!({"id": "a", "title": long}),
            422,
            "invalid_value",
            Some("title"),
        ),
        (
            json!({"id": "a", "title": "a\nb"}),
            422,
            "invalid_value",
            Some("title"),
        ),
        (json!([]), 422, "invalid_value", None),
    ] {
        let problem = alice.must("POST", "/v1/boards", &body, status);
        assert_eq!(problem["code"], code, "{body}");
        assert_eq!(problem["field"].as_str(), field, "{body}");
    }
    for text in ["", "{", "{\"id\":\"a\",\"id\":\"b\"}", "\u{0}"] {
        let answer = alice.send("POST", "/v1/boards", text.as_bytes());
        assert_eq!(
            (answer.status, answer.json()["code"].as_str()),
            (400, Some("invalid_json")),
            "{text}"
        );
        assert_eq!(answer.field("content-type"), Some("application/problem+json"));
    }
    assert_eq!(alice.must("GET", "/v1/boards", &NONE, 200)["items"], json!([]));
    let fits = json!({"id": "a", "title": "x".repeat(1_024)});
    alice.must("POST", "/v1/boards", &fits, 201);
    for (body, field) in [
        (json!({"owner": ""}), "owner"),
        (json!({"owner": 5}), "owner"),
        (json!({"title": {}}), "title"),
    ] {
        let problem = alice.must("PATCH", "/v1/boards/a", &body, 422);
        assert_eq!(problem["field"], field);
    }
}

#[test]
fn making_a_board_needs_a_token() {
    let server = Server::start();
    let alice = Api::user(&server, "alice");
    alice.must("POST", "/v1/boards", &json!({"id": "a"}), 201);
    let key = alice.must(
        "POST",
        "/v1/boards/a/keys",
        &json!({"name": "k", "level": "edit"}),
        201,
    );
    let agent = Api::key(&server, key["key"].as_str().unwrap());
    for method in ["GET", "POST"] {
        let nobody = Api::nobody(&server).json(method, "/v1/boards", &json!({}));
        assert_eq!(
            (nobody.status, nobody.field("www-authenticate").is_some()),
            (401, true)
        );
        agent.must(method, "/v1/boards", &json!({}), 403);
        Api::key(&server, "bw_nothing").must(method, "/v1/boards", &json!({}), 401);
        Api::token(&server, "x.y.z").must(method, "/v1/boards", &json!({}), 401);
    }
}

#[test]
fn a_list_holds_what_the_caller_owns_or_is_granted_and_not_what_is_public() {
    let server = Server::start();
    let alice = Api::user(&server, "alice");
    for id in ["own", "granted", "team", "claimed", "public", "gone", "others"] {
        let maker = if id == "own" {
            &alice
        } else {
            &Api::user(&server, "maker")
        };
        maker.must("POST", "/v1/boards", &json!({ "id": id }), 201);
    }
    let maker = Api::user(&server, "maker");
    for (board, principal, level) in [
        ("granted", "users/alice", "comment"),
        ("team", "teams/design", "view"),
        ("public", "public", "view"),
        ("gone", "users/alice", "edit"),
    ] {
        let target = format!("/v1/boards/{board}/permissions/{principal}");
        maker.must("PUT", &target, &json!({ "level": level }), 200);
    }
    maker.must("DELETE", "/v1/boards/gone", &NONE, 204);
    let mut claims = Token::of("alice")
        .with("claimed", Level::Edit)
        .with("never", Level::Edit)
        .claims();
    claims["teams"] = json!(["design", "sales"]);
    let token = crate::support::tokens::signed_with(crate::support::tokens::SECRET, &claims);
    let alice = Api::token(&server, &token);
    for limit in [1, 2, 3, 4, 500] {
        let items = alice.list("/v1/boards", limit);
        let seen: Vec<(&str, &str)> = items
            .iter()
            .map(|item| (item["id"].as_str().unwrap(), item["level"].as_str().unwrap()))
            .collect();
        let expected = [
            ("claimed", "edit"),
            ("granted", "comment"),
            ("own", "edit"),
            ("team", "view"),
        ];
        assert_eq!(seen, expected, "limit {limit}");
    }
    let all = Api::admin(&server).list("/v1/boards", 2);
    assert_eq!(all.len(), 6, "an admin has every board");
    for query in ["limit=0", "limit=501", "limit=x", "cursor=!", "cursor=YSBi"] {
        let problem = alice.must("GET", &format!("/v1/boards?{query}"), &NONE, 400);
        assert_eq!(problem["code"], "invalid_parameter", "{query}");
        assert_eq!(problem["field"], query.split('=').next().unwrap());
    }
}

#[test]
fn reading_and_managing_never_create_a_board() {
    let server = Server::start();
    let admin = Api::admin(&server);
    for (method, target, body) in [
        ("GET", "/v1/boards/none", NONE),
        ("PATCH", "/v1/boards/none", json!({"title": "x"})),
        ("DELETE", "/v1/boards/none", NONE),
        ("GET", "/v1/boards/none/permissions", NONE),
        (
            "PUT",
            "/v1/boards/none/permissions/public",
            json!({"level": "view"}),
        ),
        ("DELETE", "/v1/boards/none/permissions/users/a", NONE),
        ("POST", "/v1/boards/none/links", json!({"level": "view"})),
        ("GET", "/v1/boards/none/links", NONE),
        ("DELETE", "/v1/boards/none/links/0123456789abcdef", NONE),
        (
            "POST",
            "/v1/boards/none/keys",
            json!({"level": "view", "name": "k"}),
        ),
        ("GET", "/v1/boards/none/keys", NONE),
        ("GET", "/v1/boards/none/audit", NONE),
        ("GET", "/v1/boards/none/presence", NONE),
        ("GET", "/v1/boards/none/events", NONE),
        ("GET", "/v1/boards/none/document", NONE),
        ("POST", "/v1/boards/none/document", json!({})),
    ] {
        assert_eq!(
            admin.must(method, target, &body, 404)["code"],
            "no_such_board",
            "{method} {target}"
        );
        let bad = target.replace("none", "a%20b");
        assert_eq!(
            admin.must(method, &bad, &body, 400)["code"],
            "invalid_board_id",
            "{method} {bad}"
        );
        let nobody = Api::nobody(&server).must(method, target, &body, 401);
        assert_eq!(nobody["code"], "unauthenticated", "{method} {target}");
    }
    assert_eq!((server.rooms(), admin.list("/v1/boards", 10).len()), (0, 0));
}

#[test]
fn of_two_who_make_one_board_at_once_one_does() {
    let server = Server::start();
    for round in 0..10 {
        let id = format!("b{round}");
        let answers: Vec<(String, u16)> = std::thread::scope(|scope| {
            let make = |user: usize| {
                let (server, id) = (&server, id.clone());
                scope.spawn(move || {
                    let user = format!("user-{user}");
                    let answer = Api::user(server, &user).json("POST", "/v1/boards", &json!({ "id": id }));
                    (user, answer.status)
                })
            };
            let all: Vec<_> = (0..4).map(make).collect();
            all.into_iter().map(|one| one.join().unwrap()).collect()
        });
        let made: Vec<&String> = answers
            .iter()
            .filter(|(_, status)| *status == 201)
            .map(|(user, _)| user)
            .collect();
        assert_eq!(made.len(), 1, "{answers:?}");
        assert!(answers.iter().all(|(_, status)| matches!(status, 201 | 409)));
        let board = Api::admin(&server).must("GET", &format!("/v1/boards/{id}"), &NONE, 200);
        assert_eq!(board["owner"].as_str(), Some(made[0].as_str()));
    }
}

#[test]
fn of_a_connection_and_a_request_that_make_one_board_at_once_one_does() {
    let server = Server::start();
    for round in 0..20 {
        let id = format!("b{round}");
        let status = std::thread::scope(|scope| {
            let (server, board) = (&server, id.clone());
            let request = scope.spawn(move || {
                Api::user(server, "http")
                    .json("POST", "/v1/boards", &json!({ "id": board }))
                    .status
            });
            let mut client = Client::offline(7);
            client.connect(server.address(), &path(&id, &editor("socket", &id)));
            client.sync();
            client.set("key", "value");
            client.save();
            request.join().unwrap()
        });
        let owner = Api::admin(&server).must("GET", &format!("/v1/boards/{id}"), &NONE, 200)["owner"].clone();
        let expected = if status == 201 { "http" } else { "socket" };
        assert!(matches!(status, 201 | 409), "{status}");
        assert_eq!(owner, expected, "answered {status}");
    }
}

#[test]
fn a_deleted_board_closes_everybody_and_never_comes_back() {
    let server = Server::start();
    let alice = Api::user(&server, "alice");
    alice.must("POST", "/v1/boards", &json!({"id": "b"}), 201);
    let mut clients: Vec<Client> = (1..5).map(|id| Client::join(&server, "b", id)).collect();
    for client in &mut clients {
        client.set("key", "value");
    }
    let writing = std::thread::scope(|scope| {
        let deleting = scope.spawn(|| alice.must("DELETE", "/v1/boards/b", &NONE, 204));
        until(SOON, || {
            for client in &mut clients {
                if client.poll() {
                    client.set("key", "more");
                }
            }
            clients.iter().all(|client| client.closed.is_some())
        });
        deleting.join().unwrap();
        clients
            .iter()
            .map(|client| client.closed.as_ref().unwrap().0)
            .collect::<Vec<_>>()
    });
    assert_eq!(writing, [4004; 4]);
    let refused = |server: &Server| {
        let token = Token::of("x").with("b", Level::Edit).sign();
        Socket::open(server.address(), &path("b", &token)).closed().0
    };
    assert_eq!(refused(&server), 4004);
    assert_eq!(server.rooms(), 0);
    let server = Setup::on(&server.kill()).start();
    assert_eq!(refused(&server), 4004);
    let alice = Api::user(&server, "alice");
    alice.must("GET", "/v1/boards/b/document", &NONE, 410);
    alice.must("POST", "/v1/boards", &json!({"id": "b"}), 410);
}

#[test]
fn the_size_is_that_of_the_stored_document() {
    let server = Server::start();
    let mut client = Client::join(&server, "b", 1);
    client.set("key", &"x".repeat(5_000));
    client.save();
    let board = Api::admin(&server).must("GET", "/v1/boards/b", &NONE, 200);
    assert!(
        (5_000..10_000).contains(&board["size_bytes"].as_u64().unwrap()),
        "{board}"
    );
    assert_eq!(board["owner"], "user-1");
}
