//! Getting in without an application of one's own: invitations, sessions, a proxy that signs people in; and
//! what pages of others cannot do with what a browser sends by itself.

use std::time::{Duration, Instant};

use boardwire::jwt::invite::Invite;
use boardwire::jwt::{Keys, Secret};
use boardwire::time::UnixMillis;
use serde_json::{Value, json};

use crate::support::api::Api;
use crate::support::http::{Answer, Http, request};
use crate::support::server::{Place, Server, Setup};
use crate::support::socket::{Event, Socket, UPGRADE};
use crate::support::tokens::{SECRET, Token, now};
use crate::support::{SOON, until};

const NONE: Value = Value::Null;
/// That of the page of every test server, which is asked for by this name.
const OWN: (&str, &str) = ("Origin", "http://boards.test");
const FOREIGN: (&str, &str) = ("Origin", "http://evil.example");

/// A request with any fields, and a body where it is not null.
fn ask(server: &Server, method: &str, target: &str, fields: &[(&str, &str)], body: &Value) -> Answer {
    let body = match body {
        Value::Null => String::new(),
        body => body.to_string(),
    };
    let length = body.len().to_string();
    let mut all = fields.to_vec();
    if !body.is_empty() {
        all.push(("Content-Length", &length));
    }
    let mut http = Http::connect(server.address());
    http.send(request(method, target, &all));
    http.send(body.as_bytes());
    http.answer(method)
}

/// A browser that keeps one cookie.
#[derive(Clone)]
struct Browser {
    cookie: String,
    id: String,
}

impl Browser {
    fn call(&self, server: &Server, method: &str, target: &str, body: &Value) -> Answer {
        ask(server, method, target, &[("Cookie", &self.cookie), OWN], body)
    }

    fn must(&self, server: &Server, (method, target): (&str, &str), body: &Value, status: u16) -> Value {
        let answer = self.call(server, method, target, body);
        assert_eq!(
            answer.status,
            status,
            "{method} {target}: {}",
            String::from_utf8_lossy(&answer.body)
        );
        match answer.body.is_empty() {
            true => NONE,
            false => answer.json(),
        }
    }

    fn socket(&self, server: &Server, target: &str) -> Socket {
        let mut http = Http::connect(server.address());
        let mut fields = UPGRADE.to_vec();
        fields.extend([("Cookie", self.cookie.as_str()), OWN]);
        http.send(request("GET", target, &fields));
        assert_eq!(http.answer("GET").status, 101);
        Socket::over(http)
    }
}

/// An invitation of an admin over HTTP; the text in its link.
fn invite(server: &Server, body: &Value) -> String {
    let made = Api::admin(server).must("POST", "/v1/invites", body, 201);
    let url = made["url"].as_str().unwrap();
    let (address, text) = url.split_once("/#invite=").unwrap();
    assert_eq!(address, "http://boards.test");
    text.to_owned()
}

/// Whoever takes this invitation.
fn join(server: &Server, text: &str) -> Browser {
    let answer = ask(server, "POST", "/v1/session", &[OWN], &json!({ "invite": text }));
    assert_eq!(answer.status, 201, "{}", String::from_utf8_lossy(&answer.body));
    let set = answer.field("set-cookie").unwrap();
    let (cookie, attributes) = set.split_once("; ").unwrap();
    assert_eq!(attributes, "Path=/; Max-Age=2592000; HttpOnly; SameSite=Lax");
    assert!(cookie.starts_with("boardwire_session=bws_"));
    let told = answer.json();
    assert!(
        !told.to_string().contains("bws_"),
        "the text is in the cookie alone"
    );
    Browser {
        cookie: cookie.to_owned(),
        id: told["id"].as_str().unwrap().to_owned(),
    }
}

fn closes(socket: &mut Socket) -> u16 {
    let mut code = 0;
    until(SOON, || {
        while let Some(event) = socket.poll() {
            if let Event::Close(with, _) = event {
                code = with;
            }
            if event == Event::End {
                break;
            }
        }
        code != 0
    });
    code
}

#[test]
fn an_invitation_gets_one_browser_in_which_then_acts_as_whom_it_names() {
    let server = Server::start();
    let text = invite(&server, &json!({"name": "Zo\u{eb}", "boards": {"plan": "edit"}}));
    let zoe = join(&server, &text);
    let again = ask(&server, "POST", "/v1/session", &[OWN], &json!({ "invite": text }));
    assert_eq!(
        (again.status, &again.json()["code"]),
        (410, &json!("invite_used"))
    );
    let who = zoe.must(&server, ("GET", "/v1/session"), &NONE, 200);
    assert_eq!(
        (
            &who["user"],
            &who["name"],
            &who["admin"],
            &who["by"],
            &who["id"],
            &who["login_url"]
        ),
        (
            &json!("Zo\u{eb}"),
            &json!("Zo\u{eb}"),
            &json!(false),
            &json!("session"),
            &json!(zoe.id),
            &NONE
        )
    );
    zoe.must(&server, ("POST", "/v1/boards"), &json!({"id": "own"}), 201);
    assert_eq!(
        zoe.must(&server, ("GET", "/v1/boards/own"), &NONE, 200)["owner"],
        "Zo\u{eb}"
    );
    zoe.must(&server, ("GET", "/v1/boards/plan"), &NONE, 404);
    let mut socket = zoe.socket(&server, "/ws/canvas/plan");
    until(SOON, || matches!(socket.poll(), Some(Event::Message(_))));
    let present = zoe.must(&server, ("GET", "/v1/boards/plan/presence"), &NONE, 200);
    let one = &present["items"][0];
    assert_eq!(
        (&one["subject"], &one["name"]),
        (&json!("user:Zo\u{eb}"), &json!("Zo\u{eb}"))
    );
    assert_eq!(
        zoe.must(&server, ("POST", "/v1/invites"), &json!({"name": "x"}), 403)["code"],
        "forbidden"
    );
}

#[test]
fn an_invitation_of_others_or_of_the_past_is_refused() {
    let server = Server::start();
    let user = || Invite::name("Bob").unwrap();
    let mine = Keys::single(Secret::new(SECRET.as_bytes()));
    let others = Keys::single(Secret::new([7; 32]));
    let week = 7 * 24 * 3_600_000;
    for (keys, at, status, code) in [
        (&others, now(), 401, "invalid_credential"),
        (&mine, now() - week - 1_000, 410, "invite_expired"),
        (&mine, now() - week + 60_000, 201, ""),
    ] {
        let text = Invite::new([1; 16], user(), UnixMillis(at)).sign(keys).unwrap();
        let answer = ask(&server, "POST", "/v1/session", &[OWN], &json!({ "invite": text }));
        let told = answer.json()["code"].as_str().unwrap_or_default().to_owned();
        assert_eq!(answer.status, status, "{told}");
        assert_eq!(told, code);
    }
    let token = Token::of("bob").sign();
    let answer = ask(
        &server,
        "POST",
        "/v1/session",
        &[OWN],
        &json!({ "invite": token }),
    );
    assert_eq!(answer.status, 401, "a token is none");
    for body in [json!({}), json!({"invite": 1}), json!({"invite": ""})] {
        let answer = ask(&server, "POST", "/v1/session", &[OWN], &body);
        assert_eq!(
            (answer.status, &answer.json()["field"]),
            (422, &json!("invite")),
            "{body}"
        );
    }
}

#[test]
fn invitations_are_of_admins_and_say_what_is_wrong_with_them() {
    let server = Server::start();
    let admin = Api::admin(&server);
    let many: serde_json::Map<_, _> = (0..33).map(|n| (format!("b{n}"), json!("view"))).collect();
    for (body, field) in [
        (json!({}), "name"),
        (json!({"name": " Bob"}), "name"),
        (json!({"name": "x".repeat(257)}), "name"),
        (json!({"name": "Bob", "admin": "yes"}), "admin"),
        (json!({"name": "Bob", "boards": ["plan"]}), "boards"),
        (json!({"name": "Bob", "boards": {"plan": "own"}}), "boards"),
        (json!({"name": "Bob", "boards": many}), "boards"),
    ] {
        assert_eq!(
            admin.must("POST", "/v1/invites", &body, 422)["field"],
            field,
            "{body}"
        );
    }
    let most: serde_json::Map<_, _> = (0..32).map(|n| (format!("b{n}"), json!("view"))).collect();
    admin.must(
        "POST",
        "/v1/invites",
        &json!({"name": "Bob", "boards": most}),
        201,
    );
    let alice = Api::user(&server, "alice");
    alice.must("POST", "/v1/invites", &json!({"name": "Bob"}), 403);
    Api::nobody(&server).must("POST", "/v1/invites", &json!({"name": "Bob"}), 401);
}

#[test]
fn sessions_are_listed_and_revoked_by_whose_they_are_and_by_admins() {
    let server = Server::start();
    let bob = join(&server, &invite(&server, &json!({"name": "Bob"})));
    let other = join(&server, &invite(&server, &json!({"name": "Bob"})));
    let eve = join(&server, &invite(&server, &json!({"name": "Eve"})));
    let chief = join(
        &server,
        &invite(&server, &json!({"name": "Chief", "admin": true})),
    );
    let ids = |browser: &Browser| {
        let list = browser.must(&server, ("GET", "/v1/sessions"), &NONE, 200);
        let mut ids: Vec<String> = list["items"]
            .as_array()
            .unwrap()
            .iter()
            .map(|row| row["id"].as_str().unwrap().to_owned())
            .collect();
        ids.sort();
        ids
    };
    let sorted = |all: &[&Browser]| {
        let mut ids: Vec<String> = all.iter().map(|browser| browser.id.clone()).collect();
        ids.sort();
        ids
    };
    assert_eq!(ids(&bob), sorted(&[&bob, &other]));
    assert_eq!(ids(&chief), sorted(&[&bob, &other, &eve, &chief]));
    let list = bob.must(&server, ("GET", "/v1/sessions"), &NONE, 200);
    for row in list["items"].as_array().unwrap() {
        assert_eq!(row["current"], json!(row["id"] == json!(bob.id)));
        let members: Vec<&String> = row.as_object().unwrap().keys().collect();
        assert_eq!(
            members,
            [
                "admin",
                "created_at",
                "current",
                "expires_at",
                "id",
                "name",
                "used_at",
                "user",
                "user_agent"
            ]
        );
    }
    let of = |id: &str| format!("/v1/sessions/{id}");
    for (browser, id) in [
        (&eve, bob.id.as_str()),
        (&bob, "short"),
        (&bob, "0123456789abcdef"),
    ] {
        assert_eq!(
            browser.must(&server, ("DELETE", &of(id)), &NONE, 404)["code"],
            "no_such_session"
        );
    }
    bob.must(&server, ("DELETE", &of(&other.id)), &NONE, 204);
    bob.must(&server, ("DELETE", &of(&other.id)), &NONE, 404);
    chief.must(&server, ("DELETE", &of(&eve.id)), &NONE, 204);
    for gone in [&other, &eve] {
        assert_eq!(
            gone.must(&server, ("GET", "/v1/sessions"), &NONE, 401)["code"],
            "expired_credential"
        );
        let answer = gone.call(&server, "GET", "/v1/session", &NONE);
        assert_eq!((answer.status, &answer.json()["user"]), (200, &NONE));
        assert!(
            answer.field("set-cookie").unwrap().contains("Max-Age=0"),
            "the browser forgets it"
        );
    }
    let out = bob.call(&server, "DELETE", "/v1/session", &NONE);
    assert_eq!(out.status, 204);
    assert!(out.field("set-cookie").unwrap().contains("Max-Age=0"));
    bob.must(&server, ("GET", "/v1/boards"), &NONE, 401);
    assert_eq!(ids(&chief), sorted(&[&chief]));
}

#[test]
fn a_revoked_session_ends_open_connections_within_a_second_and_leaves_what_a_link_gives() {
    let server = Server::start();
    let chief = join(
        &server,
        &invite(&server, &json!({"name": "Chief", "admin": true})),
    );
    chief.must(&server, ("POST", "/v1/boards"), &json!({"id": "b"}), 201);
    let link = chief.must(
        &server,
        ("POST", "/v1/boards/b/links"),
        &json!({"level": "view"}),
        201,
    );
    let bob = join(
        &server,
        &invite(&server, &json!({"name": "Bob", "boards": {"b": "edit"}})),
    );
    let mut alone = bob.socket(&server, "/ws/canvas/b");
    let linked = format!("/ws/canvas/b?share={}", link["token"].as_str().unwrap());
    let mut linked = bob.socket(&server, &linked);
    let mut others = chief.socket(&server, "/ws/canvas/b");
    let levels = || {
        let present = chief.must(&server, ("GET", "/v1/boards/b/presence"), &NONE, 200);
        let items = present["items"].as_array().unwrap().clone();
        items
            .iter()
            .map(|one| one["level"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    until(SOON, || levels() == ["edit", "edit", "edit"]);
    let since = Instant::now();
    chief.must(
        &server,
        ("DELETE", &format!("/v1/sessions/{}", bob.id)),
        &NONE,
        204,
    );
    assert_eq!(closes(&mut alone), 4001);
    until(SOON, || levels() == ["view", "edit"]);
    assert!(
        since.elapsed() < Duration::from_millis(1_500),
        "{:?}",
        since.elapsed()
    );
    let still = |socket: &mut Socket| loop {
        match socket.poll() {
            None => return true,
            Some(Event::Close(..) | Event::End) => return false,
            Some(_) => {}
        }
    };
    assert!(still(&mut linked), "demoted, and told at its next write");
    assert!(still(&mut others), "and nobody else is concerned");
}

#[test]
fn a_page_of_another_site_changes_nothing_with_what_the_browser_sends_along() {
    let server = Server::start();
    let bob = join(&server, &invite(&server, &json!({"name": "Bob", "admin": true})));
    let cookie = ("Cookie", bob.cookie.as_str());
    for (method, target, body) in [
        ("POST", "/v1/boards", json!({"id": "forged"})),
        ("POST", "/v1/invites", json!({"name": "Eve"})),
        ("DELETE", "/v1/session", NONE),
        ("DELETE", &format!("/v1/sessions/{}", bob.id), NONE),
        ("PUT", "/v1/boards/b/permissions/public", json!({"level": "edit"})),
    ] {
        for fields in [&[cookie, FOREIGN][..], &[cookie], &[cookie, ("Origin", "null")]] {
            let answer = ask(&server, method, target, fields, &body);
            assert_eq!(
                (answer.status, &answer.json()["code"]),
                (403, &json!("origin_refused")),
                "{method} {target} {fields:?}"
            );
        }
    }
    assert_eq!(
        bob.must(&server, ("GET", "/v1/session"), &NONE, 200)["user"],
        "Bob"
    );
    bob.must(&server, ("GET", "/v1/boards/forged"), &NONE, 404);
    for origin in [FOREIGN, ("Origin", "null")] {
        let mut fields = UPGRADE.to_vec();
        fields.extend([cookie, origin]);
        let mut http = Http::connect(server.address());
        assert_eq!(http.request("GET", "/ws/canvas/b", &fields).status, 403);
    }
    let mut fields = UPGRADE.to_vec();
    fields.push(cookie);
    let mut http = Http::connect(server.address());
    assert_eq!(
        http.request("GET", "/ws/canvas/b", &fields).status,
        403,
        "nor without a word"
    );
    // What reads may be asked for from anywhere: the answer is for nobody else to see.
    let read = ask(&server, "GET", "/v1/session", &[cookie, FOREIGN], &NONE);
    assert_eq!(
        (read.status, read.field("access-control-allow-origin")),
        (200, None)
    );
    // And a page of another site signs nobody in.
    let text = invite(&server, &json!({"name": "Mallory"}));
    let forced = ask(
        &server,
        "POST",
        "/v1/session",
        &[FOREIGN],
        &json!({ "invite": text }),
    );
    assert_eq!(forced.status, 403);
    join(&server, &text);
}

#[test]
fn an_allowed_page_of_another_origin_sends_tokens_and_not_the_cookie() {
    let server = Setup::new().flag("allow-origin", "https://app.example").start();
    let bob = join(&server, &invite(&server, &json!({"name": "Bob"})));
    let app = ("Origin", "https://app.example");
    let cookie = ("Cookie", bob.cookie.as_str());
    let body = json!({"id": "b"});
    assert_eq!(
        ask(&server, "POST", "/v1/boards", &[cookie, app], &body).status,
        403
    );
    let token = format!("Bearer {}", Token::of("alice").sign());
    let made = ask(
        &server,
        "POST",
        "/v1/boards",
        &[cookie, app, ("Authorization", &token)],
        &body,
    );
    assert_eq!((made.status, &made.json()["owner"]), (201, &json!("alice")));
}

#[test]
fn what_somebody_chose_to_send_counts_before_the_cookie() {
    let server = Server::start();
    let bob = join(&server, &invite(&server, &json!({"name": "Bob", "admin": true})));
    let cookie = ("Cookie", bob.cookie.as_str());
    let alice = Token::of("alice").sign();
    let who = ask(
        &server,
        "GET",
        &format!("/v1/session?token={alice}"),
        &[cookie],
        &NONE,
    )
    .json();
    assert_eq!(
        (&who["user"], &who["by"], &who["admin"]),
        (&json!("alice"), &json!("token"), &json!(false))
    );
    let answer = ask(&server, "GET", "/v1/session?token=bad", &[cookie], &NONE);
    assert_eq!(answer.status, 401, "never ignored");
    bob.must(&server, ("POST", "/v1/boards"), &json!({"id": "b"}), 201);
    let made = bob.must(
        &server,
        ("POST", "/v1/boards/b/keys"),
        &json!({"name": "bot", "level": "view"}),
        201,
    );
    let key = ("X-API-Key", made["key"].as_str().unwrap());
    let read = ask(&server, "GET", "/v1/boards/b", &[cookie, key], &NONE);
    assert_eq!(read.json()["level"], "view", "the agent's, not Bob's");
    let link = bob.must(
        &server,
        ("POST", "/v1/boards/b/links"),
        &json!({"level": "view", "label": "For Eve"}),
        201,
    );
    assert_eq!(link["label"], "For Eve");
    let shared = format!("/v1/boards/b?share={}", link["token"].as_str().unwrap());
    assert_eq!(
        ask(&server, "GET", &shared, &[cookie], &NONE).json()["level"],
        "edit",
        "the better of both"
    );
    let dead = ("Cookie", "boardwire_session=bws_dead");
    assert_eq!(
        ask(&server, "GET", &shared, &[dead], &NONE).json()["level"],
        "view"
    );
    assert_eq!(ask(&server, "GET", "/v1/boards/b", &[dead], &NONE).status, 401);
}

#[test]
fn a_proxy_that_is_trusted_says_who_is_signed_in_and_nobody_else_does() {
    let server = Setup::new()
        .flag("trusted-proxy", "127.0.0.1")
        .flag("trusted-user-header", "X-Forwarded-User")
        .start();
    let alice = ("X-Forwarded-User", "alice@example.com");
    let who = ask(&server, "GET", "/v1/session", &[alice], &NONE).json();
    assert_eq!(
        (&who["user"], &who["by"]),
        (&json!("alice@example.com"), &json!("proxy"))
    );
    let body = json!({"id": "b"});
    assert_eq!(
        ask(&server, "POST", "/v1/boards", &[alice, FOREIGN], &body).status,
        403
    );
    assert_eq!(ask(&server, "POST", "/v1/boards", &[alice], &body).status, 403);
    let made = ask(&server, "POST", "/v1/boards", &[alice, OWN], &body);
    assert_eq!(
        (made.status, &made.json()["owner"]),
        (201, &json!("alice@example.com"))
    );
    for wrong in ["a\u{7f}", &"x".repeat(257)] {
        assert_eq!(
            ask(
                &server,
                "GET",
                "/v1/boards",
                &[("X-Forwarded-User", wrong), OWN],
                &NONE
            )
            .status
                / 100,
            4
        );
    }
    let twice = ask(
        &server,
        "GET",
        "/v1/boards",
        &[alice, ("X-Forwarded-User", "root")],
        &NONE,
    );
    assert_eq!(twice.status, 401);
    assert_eq!(
        ask(&server, "GET", "/v1/session", &[("X-Forwarded-User", "")], &NONE).json()["user"],
        NONE
    );

    let elsewhere = Setup::new()
        .flag("trusted-proxy", "192.0.2.1")
        .flag("trusted-user-header", "x-forwarded-user")
        .start();
    let forged = ask(&elsewhere, "GET", "/v1/session", &[alice], &NONE);
    assert_eq!(forged.status, 401, "refused, not ignored");
    let without = Server::start();
    let who = ask(&without, "GET", "/v1/session", &[alice], &NONE).json();
    assert_eq!(who["user"], NONE, "a field like any other");
}

#[test]
fn a_session_outlives_a_restart_and_its_cookie_is_for_tls_where_people_use_that() {
    let setup = |place: &Place| {
        Setup::on(place)
            .flag("public-url", "https://boards.test/wb")
            .start()
    };
    let server = setup(&Place::new());
    let made = Api::admin(&server).must("POST", "/v1/invites", &json!({"name": "Bob"}), 201);
    let (address, text) = made["url"].as_str().unwrap().split_once("/#invite=").unwrap();
    assert_eq!(address, "https://boards.test/wb");
    let own = ("Origin", "https://boards.test");
    let answer = ask(&server, "POST", "/v1/session", &[own], &json!({ "invite": text }));
    let set = answer.field("set-cookie").unwrap().to_owned();
    assert!(
        set.ends_with("; Path=/wb; Max-Age=2592000; HttpOnly; SameSite=Lax; Secure"),
        "{set}"
    );
    let cookie = set.split_once(';').unwrap().0;
    let server = setup(&server.kill());
    let who = ask(&server, "GET", "/v1/session", &[("Cookie", cookie)], &NONE);
    assert_eq!(who.json()["user"], "Bob");
    assert_eq!(who.field("set-cookie"), None, "used a moment ago: nothing is new");
    let again = ask(&server, "POST", "/v1/session", &[own], &json!({ "invite": text }));
    assert_eq!(again.json()["code"], "invite_used");
}

#[test]
fn what_the_page_is_told_about_signing_in_and_frames() {
    let server = Setup::new()
        .flag("login-url", "https://app.example/login?to=boards")
        .flag("allow-frame", "https://app.example,http://localhost:3000")
        .start();
    let who = ask(&server, "GET", "/v1/session", &[], &NONE);
    assert_eq!(who.status, 200);
    assert_eq!(
        who.json(),
        json!({"user": null, "name": null, "admin": false, "by": null, "id": null, "expires_at": null,
               "login_url": "https://app.example/login?to=boards", "address": null, "trash_days": 30})
    );
    if boardwire::api::has_page() {
        let page = ask(&server, "GET", "/", &[], &NONE);
        let policy = page.field("content-security-policy").unwrap();
        assert!(
            policy.ends_with("frame-ancestors https://app.example http://localhost:3000"),
            "{policy}"
        );
        let api = ask(&server, "GET", "/health", &[], &NONE);
        assert!(
            api.field("content-security-policy")
                .unwrap()
                .ends_with("frame-ancestors 'none'")
        );
        let alone = ask(&Server::start(), "GET", "/", &[], &NONE);
        assert!(
            alone
                .field("content-security-policy")
                .unwrap()
                .ends_with("frame-ancestors 'none'")
        );
    }
}

/// Runs the command line with the server's secret: exit code, what it prints, what it says beside.
fn boardwire(arguments: &[&str]) -> (Option<i32>, String, String) {
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_boardwire"));
    command
        .env_clear()
        .env("BOARDWIRE_JWT_SECRET", SECRET)
        .args(arguments);
    let output = command.output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

#[test]
fn who_runs_the_server_invites_lists_and_revokes_from_the_command_line() {
    let server = Server::start();
    let url = format!("http://{}", server.address());
    let (code, link, said) = boardwire(&[
        "invite",
        "Ann B",
        "--admin",
        "--board",
        "plan:view",
        "--public-url",
        "https://boards.example/wb",
    ]);
    assert_eq!(code, Some(0), "{said}");
    let text = link
        .strip_prefix("https://boards.example/wb/#invite=")
        .unwrap()
        .trim_end();
    assert!(said.contains("Ann B") && !said.contains(text), "{said}");
    let ann = join(&server, text);
    assert_eq!(
        ann.must(&server, ("GET", "/v1/session"), &NONE, 200)["admin"],
        true
    );
    let (code, table, said) = boardwire(&["sessions", "--url", &url]);
    assert_eq!(code, Some(0), "{said}");
    let row: Vec<&str> = table.lines().nth(1).unwrap().split_whitespace().collect();
    assert_eq!(
        (table.lines().count(), row[0], row[1], row[2], row[3]),
        (2, ann.id.as_str(), "Ann", "B", "yes")
    );
    let (code, told, _) = boardwire(&["sessions", "--url", &url, "--revoke", &ann.id]);
    assert_eq!((code, told.contains(&ann.id)), (Some(0), true));
    ann.must(&server, ("GET", "/v1/boards"), &NONE, 401);
    let (code, _, said) = boardwire(&["sessions", "--url", &url, "--revoke", &ann.id]);
    assert_eq!(code, Some(1));
    assert!(said.contains("404"), "{said}");
    let (code, _, said) = boardwire(&["sessions", "--url", "http://127.0.0.1:9"]);
    assert_eq!(code, Some(1));
    assert!(said.contains("is the server running"), "{said}");
    for (arguments, expected) in [
        (&["invite"][..], "NAME"),
        (&["invite", " x"], "no space at its ends"),
        (&["invite", "x", "--board", "plan"], "ID:LEVEL"),
        (
            &["invite", "x", "--board", "a:view", "--board", "a:edit"],
            "each board once",
        ),
        (
            &["sessions", "--revoke", "short"],
            "as `boardwire sessions` lists it",
        ),
    ] {
        let (code, _, said) = boardwire(arguments);
        assert_eq!(code, Some(2), "{said}");
        assert!(said.contains(expected), "{said}");
    }
}
