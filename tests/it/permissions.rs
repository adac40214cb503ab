//! Grants over HTTP, and what each credential is worth at each call.

use boardwire::ids::Level;
use serde_json::{Value, json};

use crate::support::api::Api;
use crate::support::http;
use crate::support::server::Server;
use crate::support::tokens::{SECRET, Token, signed_with};

const NONE: Value = Value::Null;

fn board() -> (Server, Api) {
    let server = Server::start();
    let alice = Api::user(&server, "alice");
    alice.must("POST", "/v1/boards", &json!({"id": "b"}), 201);
    (server, alice)
}

#[test]
fn grants_are_set_replaced_listed_and_removed() {
    let (server, alice) = board();
    let of = |who: &str| format!("/v1/boards/b/permissions/{who}");
    for (who, level, principal) in [
        ("users/bob", "view", "user:bob"),
        ("users/b%C3%B6b%2Fx", "comment", "user:b\u{f6}b/x"),
        ("teams/design", "edit", "team:design"),
        ("public", "view", "public"),
        ("users/bob", "edit", "user:bob"),
    ] {
        let grant = alice.must("PUT", &of(who), &json!({ "level": level }), 200);
        assert_eq!(grant, json!({"principal": principal, "level": level}));
    }
    for limit in [1, 3, 100] {
        let all = alice.list("/v1/boards/b/permissions", limit);
        let expected = [
            json!({"principal": "user:bob", "level": "edit"}),
            json!({"principal": "user:b\u{f6}b/x", "level": "comment"}),
            json!({"principal": "team:design", "level": "edit"}),
            json!({"principal": "public", "level": "view"}),
        ];
        assert_eq!(all, expected, "limit {limit}");
    }
    for who in ["users/bob", "teams/design", "public"] {
        alice.must("DELETE", &of(who), &NONE, 204);
        let gone = alice.must("DELETE", &of(who), &NONE, 404);
        assert_eq!(gone["code"], "no_such_grant");
    }
    assert_eq!(alice.list("/v1/boards/b/permissions", 10).len(), 1);
    for body in [
        json!({}),
        json!({"level": "owner"}),
        json!({"level": null}),
        json!({"level": 1}),
    ] {
        let problem = alice.must("PUT", &of("public"), &body, 422);
        assert_eq!(
            (&problem["code"], &problem["field"]),
            (&json!("invalid_value"), &json!("level"))
        );
    }
    for (who, code) in [
        (format!("users/{}", "x".repeat(257)), "invalid_user_id"),
        ("users/a%0Ab".to_owned(), "invalid_user_id"),
        (format!("teams/{}", "x".repeat(257)), "invalid_team_id"),
    ] {
        let problem = alice.must("PUT", &of(&who), &json!({"level": "view"}), 400);
        assert_eq!(problem["code"], code);
    }
    alice.must(
        "PUT",
        &of(&format!("users/{}", "x".repeat(256))),
        &json!({"level": "view"}),
        200,
    );
    Api::user(&server, "bob").must("GET", "/v1/boards/b/permissions", &NONE, 403);
}

/// Who asks, and what level that gives: `None` for 403.
fn callers(server: &Server, alice: &Api) -> Vec<(&'static str, Api, Option<Level>, bool)> {
    for level in ["view", "comment", "edit"] {
        alice.grant(&format!("users/{level}er"), level);
        alice.grant(&format!("teams/{level}-team"), level);
    }
    let claimed = |level| Token::of("claimer").with("b", level).sign();
    let member = |teams: Value| {
        let mut claims = Token::of("member").claims();
        claims["teams"] = teams;
        signed_with(SECRET, &claims)
    };
    let made = |kind: &str, level: &str| {
        let body = json!({"level": level, "name": "n"});
        let made = alice.must("POST", &format!("/v1/boards/b/{kind}"), &body, 201);
        made[if kind == "keys" { "key" } else { "token" }]
            .as_str()
            .unwrap()
            .to_owned()
    };
    let other = Api::user(server, "other");
    other.must("POST", "/v1/boards", &json!({"id": "elsewhere"}), 201);
    let key = other.must(
        "POST",
        "/v1/boards/elsewhere/keys",
        &json!({"name": "n", "level": "edit"}),
        201,
    );
    let (view, comment, edit) = (Some(Level::View), Some(Level::Comment), Some(Level::Edit));
    vec![
        ("owner", alice.clone(), edit, true),
        ("admin", Api::admin(server), edit, true),
        ("stranger", Api::user(server, "stranger"), None, false),
        ("granted view", Api::user(server, "viewer"), view, false),
        ("granted comment", Api::user(server, "commenter"), comment, false),
        ("granted edit", Api::user(server, "editer"), edit, false),
        (
            "team view",
            Api::token(server, &member(json!(["x", "view-team"]))),
            view,
            false,
        ),
        (
            "two teams",
            Api::token(server, &member(json!(["edit-team", "view-team"]))),
            edit,
            false,
        ),
        (
            "claims view",
            Api::token(server, &claimed(Level::View)),
            view,
            false,
        ),
        (
            "claims comment",
            Api::token(server, &claimed(Level::Comment)),
            comment,
            false,
        ),
        (
            "claims edit",
            Api::token(server, &claimed(Level::Edit)),
            edit,
            false,
        ),
        ("key view", Api::key(server, &made("keys", "view")), view, false),
        ("key edit", Api::key(server, &made("keys", "edit")), edit, false),
        (
            "key of another board",
            Api::key(server, key["key"].as_str().unwrap()),
            None,
            false,
        ),
    ]
}

/// A call, and what it answers.
type Asked = (&'static str, &'static str, Value, u16);

/// Every call on the board, and what it answers to somebody with `level`: 403, or 0 for anything else.
fn calls(level: Option<Level>, manage: bool) -> Vec<Asked> {
    let mut calls = of_board(level, manage);
    calls.extend(beside_board(level, manage));
    calls
}

/// Those on what is beside the board.
fn beside_board(level: Option<Level>, manage: bool) -> Vec<Asked> {
    let needs = |needed: Level| if level >= Some(needed) { 0 } else { 403 };
    let manages = if manage { 0 } else { 403 };
    vec![
        (
            "POST",
            "/v1/boards/b/assets",
            json!({"not": "a picture"}),
            needs(Level::Edit),
        ),
        ("GET", "/v1/boards/b/assets", NONE, needs(Level::Edit)),
        ("GET", "/v1/boards/b/assets/none", NONE, needs(Level::View)),
        ("GET", "/v1/boards/b/versions", NONE, needs(Level::View)),
        ("POST", "/v1/boards/b/versions", json!({}), needs(Level::Edit)),
        (
            "GET",
            "/v1/boards/b/versions/1/document",
            NONE,
            needs(Level::View),
        ),
        (
            "GET",
            "/v1/boards/b/versions/1/picture.svg",
            NONE,
            needs(Level::View),
        ),
        (
            "GET",
            "/v1/boards/b/versions/1/picture.png",
            NONE,
            needs(Level::View),
        ),
        (
            "POST",
            "/v1/boards/b/versions/1/restore",
            NONE,
            needs(Level::Edit),
        ),
        ("DELETE", "/v1/boards/b/versions/1", NONE, manages),
    ]
}

fn of_board(level: Option<Level>, manage: bool) -> Vec<Asked> {
    let needs = |needed: Level| if level >= Some(needed) { 0 } else { 403 };
    let manages = if manage { 0 } else { 403 };
    vec![
        ("GET", "/v1/boards/b", NONE, needs(Level::View)),
        ("GET", "/v1/boards/b/presence", NONE, needs(Level::View)),
        // Its head alone: the body has no end.
        ("HEAD", "/v1/boards/b/events", NONE, needs(Level::View)),
        ("GET", "/v1/boards/b/picture.svg", NONE, needs(Level::View)),
        ("GET", "/v1/boards/b/picture.png", NONE, needs(Level::View)),
        ("GET", "/v1/boards/b/document", NONE, needs(Level::View)),
        ("POST", "/v1/boards/b/document", json!([]), needs(Level::Edit)),
        ("PATCH", "/v1/boards/b", json!({}), manages),
        ("POST", "/v1/boards/b/restore", NONE, manages),
        ("GET", "/v1/boards/b/permissions", NONE, manages),
        (
            "PUT",
            "/v1/boards/b/permissions/users/x",
            json!({"level": "view"}),
            manages,
        ),
        ("DELETE", "/v1/boards/b/permissions/users/x", NONE, manages),
        (
            "PUT",
            "/v1/boards/b/permissions/teams/x",
            json!({"level": "view"}),
            manages,
        ),
        ("DELETE", "/v1/boards/b/permissions/teams/x", NONE, manages),
        ("DELETE", "/v1/boards/b/permissions/public", NONE, manages),
        ("POST", "/v1/boards/b/links", json!({"level": "view"}), manages),
        ("GET", "/v1/boards/b/links", NONE, manages),
        ("DELETE", "/v1/boards/b/links/0123456789abcdef", NONE, manages),
        (
            "POST",
            "/v1/boards/b/keys",
            json!({"level": "view", "name": "k"}),
            manages,
        ),
        ("GET", "/v1/boards/b/keys", NONE, manages),
        ("DELETE", "/v1/boards/b/keys/0123456789abcdef", NONE, manages),
        (
            "PATCH",
            "/v1/boards/b/keys/0123456789abcdef",
            json!({"paused": true}),
            manages,
        ),
        (
            "POST",
            "/v1/boards/b/webhooks",
            json!({"url": "gopher://example.com/"}),
            manages,
        ),
        ("GET", "/v1/boards/b/webhooks", NONE, manages),
        ("DELETE", "/v1/boards/b/webhooks/0123456789abcdef", NONE, manages),
        ("GET", "/v1/boards/b/audit", NONE, manages),
    ]
}

#[test]
fn every_call_needs_the_level_that_the_contract_says() {
    let (server, alice) = board();
    let link = alice.must("POST", "/v1/boards/b/links", &json!({"level": "view"}), 201)["id"].clone();
    let link = format!("/v1/boards/b/links/{}", link.as_str().unwrap());
    let refuses = |caller: &Api, (method, target, body, expected): (&str, &str, Value, u16), what: &str| {
        let answer = match body {
            Value::Null => caller.call(method, target),
            body => caller.json(method, target, &body),
        };
        let refused = if matches!(answer.status, 401 | 403) {
            answer.status
        } else {
            0
        };
        assert_eq!(
            refused, expected,
            "{what}: {method} {target} answered {}",
            answer.status
        );
    };
    for (what, caller, level, manage) in callers(&server, &alice) {
        for call in calls(level, manage) {
            refuses(&caller, call, what);
        }
        if !manage {
            caller.must("DELETE", "/v1/boards/b", &NONE, 403);
            caller.must("DELETE", &link, &NONE, 403);
        }
    }
    for (method, target, body, _) in calls(None, false) {
        refuses(&Api::nobody(&server), (method, target, body, 401), "nobody");
    }
    alice.must(
        "PUT",
        "/v1/boards/b/permissions/public",
        &json!({"level": "comment"}),
        200,
    );
    let stranger = Api::user(&server, "stranger").must("GET", "/v1/boards/b", &NONE, 200);
    assert_eq!(stranger["level"], "comment", "the public grant is everybody's");
    for (method, target, body, expected) in calls(Some(Level::Comment), false) {
        refuses(
            &Api::nobody(&server),
            (method, target, body, expected),
            "the public",
        );
    }
}

#[test]
fn the_highest_of_several_credentials_counts_and_a_bad_one_refuses() {
    let (server, alice) = board();
    let link = |level: &str| {
        let link = alice.must("POST", "/v1/boards/b/links", &json!({ "level": level }), 201);
        link["token"].as_str().unwrap().to_owned()
    };
    let (view, edit) = (link("view"), link("edit"));
    let bob = Token::of("bob").sign();
    let level = |query: &str| {
        let answer = http::get(server.address(), &format!("/v1/boards/b?{query}"));
        (answer.status, answer.json()["level"].as_str().map(str::to_owned))
    };
    let of = |level: &str| (200, Some(level.to_owned()));
    assert_eq!(level(&format!("share={view}")), of("view"));
    assert_eq!(level(&format!("share={edit}&token={bob}")), of("edit"));
    assert_eq!(
        level(&format!(
            "share={view}&token={}",
            Token::of("c").with("b", Level::Comment).sign()
        )),
        of("comment")
    );
    assert_eq!(
        level(&format!("share={view}&token=&apiKey=")),
        of("view"),
        "empty is not sent"
    );
    for bad in ["token=x", "apiKey=bw_x", "apiKey=x"] {
        assert_eq!(level(&format!("share={edit}&{bad}")).0, 401, "{bad}");
    }
    assert_eq!(level(&format!("apiKey={edit}")).0, 401, "a link is no key");
    assert_eq!(level(&format!("share={edit}&share={view}")).0, 401, "two links");
}

#[test]
fn granting_while_revoking_ends_as_one_of_the_two() {
    let (server, alice) = board();
    let target = "/v1/boards/b/permissions/users/bob";
    for _ in 0..20 {
        let (put, deleted) = std::thread::scope(|scope| {
            let put = scope.spawn(|| alice.json("PUT", target, &json!({"level": "edit"})).status);
            let deleted = scope.spawn(|| alice.call("DELETE", target).status);
            (put.join().unwrap(), deleted.join().unwrap())
        });
        assert_eq!(put, 200);
        let granted = Api::user(&server, "bob").get("/v1/boards/b").status;
        let listed = alice.list("/v1/boards/b/permissions", 10).len();
        match deleted {
            // Removed after it was set, or a grant of before and set again.
            204 => assert!((granted, listed) == (403, 0) || (granted, listed) == (200, 1)),
            404 => assert_eq!((granted, listed), (200, 1)),
            other => panic!("{other}"),
        }
        alice.call("DELETE", target);
    }
}

#[test]
fn whoever_gave_a_board_away_manages_it_no_more() {
    let (server, alice) = board();
    for round in 0..10 {
        let board = format!("r{round}");
        alice.must("POST", "/v1/boards", &json!({ "id": board }), 201);
        let (given, granted) = std::thread::scope(|scope| {
            let given = scope.spawn(|| {
                alice
                    .json("PATCH", &format!("/v1/boards/{board}"), &json!({"owner": "bob"}))
                    .status
            });
            let granted = scope.spawn(|| {
                alice
                    .json(
                        "PUT",
                        &format!("/v1/boards/{board}/permissions/users/eve"),
                        &json!({"level": "edit"}),
                    )
                    .status
            });
            (given.join().unwrap(), granted.join().unwrap())
        });
        assert_eq!(given, 200);
        let has = Api::user(&server, "eve")
            .get(&format!("/v1/boards/{board}"))
            .status;
        assert!(
            (granted, has) == (200, 200) || (granted, has) == (403, 403),
            "{granted} {has}"
        );
    }
}
