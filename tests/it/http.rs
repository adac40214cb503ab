//! The general part of the HTTP half: connections, methods, paths and CORS, the same for every resource.

use std::io::{Read, Write};
use std::net::Shutdown;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use serde_json::json;

use crate::support::api::Api;
use crate::support::http::{self, Http, request};
use crate::support::server::{Server, Setup};
use crate::support::tokens::Token;
use crate::support::{SOON, until};

const PAGE: &str = "https://app.example";

fn problem(server: &Server, method: &str, target: &str) -> (u16, String) {
    let answer = Http::connect(server.address()).request(method, target, &[]);
    let code = answer.json()["code"].as_str().unwrap().to_owned();
    (answer.status, code)
}

#[test]
fn a_connection_takes_one_request_after_another() {
    let server = Server::start();
    let mut http = Http::connect(server.address());
    for _ in 0..3 {
        let answer = http.request("GET", "/health", &[]);
        assert_eq!(
            (answer.status, answer.field("connection")),
            (200, Some("keep-alive"))
        );
        let answer = http.request("GET", "/nothing", &[]);
        assert_eq!(
            (answer.status, answer.field("connection")),
            (404, Some("keep-alive"))
        );
    }
    let answer = http.request("GET", "/health", &[("Connection", "close")]);
    assert_eq!(answer.field("connection"), Some("close"));
    assert!(http.is_closed());
}

#[test]
fn http_1_0_closes_unless_it_is_asked_not_to() {
    let server = Server::start();
    let mut http = Http::connect(server.address());
    http.send("GET /health HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    assert_eq!(http.answer("GET").field("connection"), Some("keep-alive"));
    http.send("GET /health HTTP/1.0\r\n\r\n");
    assert_eq!(http.answer("GET").field("connection"), Some("close"));
    assert!(http.is_closed());
}

#[test]
fn pipelined_requests_are_answered_in_their_order() {
    let server = Server::start();
    let mut http = Http::connect(server.address());
    let length = |method, target, body: &str| {
        request(method, target, &[("Content-Length", &body.len().to_string())]) + body
    };
    let chunked = |method, target, body| request(method, target, &[("Transfer-Encoding", "chunked")]) + body;
    let requests = [
        request("GET", "/health", &[]),
        length("POST", "/health", "hello"),
        request("HEAD", "/health", &[]),
        chunked("PUT", "/nothing", "5\r\nhello\r\n0\r\nTrailer: x\r\n\r\n"),
        request("GET", "/", &[]),
        length("GET", "/v1/boards/a%2Fb/document", "GET / HTTP/1.1\r\n\r\n"),
        request("OPTIONS", "/health", &[]),
        request("GET", "/health", &[("Connection", "close")]),
        request("GET", "/never", &[]),
    ];
    http.send(requests.concat());
    for (method, status) in [
        ("GET", 200),
        ("POST", 405),
        ("HEAD", 200),
        ("PUT", 404),
        ("GET", 200),
        ("GET", 400),
        ("OPTIONS", 204),
        ("GET", 200),
    ] {
        assert_eq!(http.answer(method).status, status, "{method}");
    }
    assert!(http.is_closed(), "what comes behind a close is not answered");
}

#[test]
fn who_pipelines_without_end_takes_turns_with_others() {
    let server = Server::start();
    let answered = Arc::new(AtomicUsize::new(0));
    // As many as the server has threads; they end with it.
    for _ in 0..2 {
        let mut asking = Http::connect(server.address()).stream;
        let mut reading = asking.try_clone().unwrap();
        let requests = request("GET", "/nothing", &[]).repeat(5_000);
        std::thread::spawn(move || while asking.write_all(requests.as_bytes()).is_ok() {});
        let answered = Arc::clone(&answered);
        std::thread::spawn(move || {
            let mut sink = vec![0; 1 << 20];
            while let Ok(read @ 1..) = reading.read(&mut sink) {
                answered.fetch_add(read, Ordering::Relaxed);
            }
        });
    }
    until(SOON, || answered.load(Ordering::Relaxed) > 1 << 20);
    for _ in 0..20 {
        let since = Instant::now();
        assert_eq!(http::get(server.address(), "/health").status, 200);
        assert!(
            since.elapsed() < Duration::from_millis(500),
            "{:?}",
            since.elapsed()
        );
    }
}

#[test]
fn nothing_that_the_api_answers_runs_in_a_browser_or_is_taken_for_something_else() {
    let server = Server::start();
    Api::user(&server, "alice").must("POST", "/v1/boards", &json!({"id": "b"}), 201);
    let token = Token::of("alice").sign();
    let methods = [
        "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE",
    ];
    let mut targets: Vec<String> = boardwire::api::routes()
        .map(|(path, _)| path.replace("{board}", "b").replace(['{', '}'], ""))
        .collect();
    targets.extend(["/ws/canvas/b", "/nothing", "/v1/boards/a!/document", "/%zz"].map(str::to_owned));
    targets.extend(
        [
            "/v1/boards/b/document?format=json",
            "/v1/boards/b/document?state_vector=AA",
        ]
        .map(str::to_owned),
    );
    targets.dedup();
    let mut requests: Vec<(&str, String)> = Vec::new();
    for method in methods {
        for target in &targets {
            requests.push((method, request(method, target, &[])));
            // The board is kept for those that come behind.
            if (method, target.as_str()) != ("DELETE", "/v1/boards/b") {
                let bearer = format!("Bearer {token}");
                requests.push((method, request(method, target, &[("Authorization", &bearer)])));
            }
        }
    }
    for broken in [
        "GET /health HTTP/2.0\r\nHost: h\r\n\r\n".to_owned(),
        "GET /health HTTP/1.1\r\n\r\n".to_owned(),
        "no request\r\n\r\n".to_owned(),
        request("GET", "/health", &[("X-Large", &"x".repeat(20_000))]),
        request("POST", "/v1/boards", &[("Content-Length", "99999999999")]),
        request("GET", "/health", &[("Origin", "https://evil.example")]),
        request("GET", "/ws/canvas/b", &[("Origin", "https://evil.example")]),
    ] {
        requests.push(("GET", broken));
    }
    for (method, bytes) in requests {
        let mut http = Http::connect(server.address());
        http.send(&bytes);
        let answer = http.answer(method);
        let what = format!("{bytes:.80} {}", answer.status);
        assert_eq!(answer.field("x-content-type-options"), Some("nosniff"), "{what}");
        assert_eq!(
            answer.field("content-security-policy"),
            Some("default-src 'none'; sandbox; frame-ancestors 'none'"),
            "{what}"
        );
        assert_eq!(
            answer.field("cross-origin-resource-policy"),
            Some("same-origin"),
            "{what}"
        );
        let once = |name: &str| answer.fields.iter().filter(|(field, _)| field == name).count();
        assert_eq!(
            (once("x-content-type-options"), once("content-security-policy")),
            (1, 1)
        );
        let is_update = answer.field("content-type") == Some("application/octet-stream");
        let saved = is_update.then_some("attachment");
        assert_eq!(answer.field("content-disposition"), saved, "{what}");
    }
}

#[test]
fn requests_may_come_byte_by_byte() {
    let server = Server::start();
    let mut http = Http::connect(server.address());
    let bytes = request("PUT", "/nothing", &[("Transfer-Encoding", "chunked")])
        + "3\r\nabc\r\n0\r\n\r\n"
        + &request("GET", "/health", &[]);
    for byte in bytes.bytes() {
        http.send([byte]);
    }
    assert_eq!(http.answer("PUT").status, 404);
    assert_eq!(http.answer("GET").status, 200);
}

#[test]
fn a_head_request_is_answered_as_a_get_without_the_body() {
    let server = Server::start();
    for target in ["/", "/nothing", "/v1/boards/a!/document"] {
        let mut http = Http::connect(server.address());
        // Each has a name, and of these two it is the same.
        let called = [("X-Request-Id", "twice")];
        let get = http.request("GET", target, &called);
        let head = http.request("HEAD", target, &called);
        assert_eq!((head.status, head.fields), (get.status, get.fields), "{target}");
        // Were there a body, it would be taken for the beginning of the next answer.
        assert_eq!(http.request("GET", "/health", &[]).status, 200, "{target}");
    }
}

#[test]
fn other_methods_are_405_and_told_which_there_are() {
    let server = Server::start();
    for target in ["/", "/health", "/health?x=y"] {
        for method in ["POST", "PUT", "PATCH", "DELETE", "BREW", "get"] {
            let answer = Http::connect(server.address()).request(method, target, &[]);
            assert_eq!(answer.status, 405, "{method} {target}");
            assert_eq!(
                answer.field("allow"),
                Some("GET, HEAD, OPTIONS"),
                "{method} {target}"
            );
            assert_eq!(answer.json()["code"], "method_not_allowed");
        }
        let answer = Http::connect(server.address()).request("OPTIONS", target, &[]);
        assert_eq!(
            (answer.status, answer.field("allow")),
            (204, Some("GET, HEAD, OPTIONS"))
        );
        assert!(answer.body.is_empty() && answer.field("content-length").is_none());
    }
    let answer = Http::connect(server.address()).request("OPTIONS", "/ws/canvas/b", &[]);
    assert_eq!(
        (answer.status, answer.field("allow")),
        (204, Some("GET, OPTIONS"))
    );
}

#[test]
fn a_query_parameter_that_a_call_does_not_take_is_refused_by_its_name() {
    let server = Server::start();
    let alice = Api::user(&server, "alice");
    alice.must("POST", "/v1/boards", &json!({"id": "b"}), 201);
    let none = json!(null);
    for (method, target, field) in [
        ("GET", "/v1/boards/b/items?kind=sticky", "kind"),
        ("GET", "/v1/boards/b/items?limit=5&Cursor=x", "Cursor"),
        ("GET", "/v1/boards/b/items?l%69mits=5", "limits"),
        ("GET", "/v1/boards/b/items?kind", "kind"),
        ("GET", "/v1/boards/b?limit=5", "limit"),
        ("GET", "/v1/boards/b/document?formt=json", "formt"),
        ("POST", "/v1/boards/b/items?dry_run=true", "dry_run"),
        ("DELETE", "/v1/boards/b?force=1", "force"),
        ("GET", "/health?x=y", "x"),
    ] {
        let problem = alice.must(method, target, &none, 400);
        assert_eq!(problem["code"], "unknown_parameter", "{target}");
        assert_eq!(problem["field"], field, "{target}");
    }
    let told = alice.must("GET", "/v1/boards?sort=asc", &none, 400);
    let detail = told["detail"].as_str().unwrap();
    assert!(
        detail.contains("limit, cursor, trash, token, apiKey, share"),
        "{detail}"
    );
    // Those with credentials may stand everywhere; the page's paths are read by the page.
    for target in ["/v1/boards/b?token=&apiKey=&share=", "/?x=y", "/board/b?x=y"] {
        let answer = Http::connect(server.address()).request("GET", target, &[]);
        assert_ne!(answer.status, 400, "{target}");
    }
    let answer = Http::connect(server.address()).request("OPTIONS", "/v1/boards?x=y", &[]);
    assert_eq!(
        answer.status, 204,
        "a preflight names the address as it will be asked"
    );
}

#[test]
fn an_unknown_path_is_404_for_every_method() {
    let server = Server::start();
    let deep = "/x".repeat(17);
    for target in [
        "/nothing",
        "/health/",
        "//",
        "//health",
        "/Health",
        "/v1",
        "/v1/boards//document",
        "/v1/boards/b/document/",
        "/v1/boards/b/c/document",
        "/v1/../health",
        &deep,
    ] {
        for method in ["GET", "POST", "DELETE", "OPTIONS", "BREW"] {
            let expected = (404, "not_found".to_owned());
            assert_eq!(problem(&server, method, target), expected, "{method} {target}");
        }
    }
}

#[test]
fn segments_are_decoded_after_the_path_was_split() {
    let server = Server::start();
    let answer = Http::connect(server.address()).request("GET", "/%68ealth", &[]);
    assert_eq!(answer.status, 200);
    for (target, code) in [
        ("/v1/boards/a%2Fb/document", "invalid_board_id"),
        ("/v1/boards/a%20b/document", "invalid_board_id"),
        ("/v1/boards/%2E%2E/document", "invalid_board_id"),
        ("/v1/boards/a%00/document", "invalid_board_id"),
        ("/v1/boards/a%2/document", "bad_request"),
        ("/v1/boards/a%ff/document", "bad_request"),
    ] {
        assert_eq!(
            problem(&server, "GET", target),
            (400, code.to_owned()),
            "{target}"
        );
    }
    assert_eq!(problem(&server, "GET", "/v1%2Fboards/a/document").0, 404);
    // Escaped or not, the same board: an id that is valid leads on to the question of who asks.
    assert_eq!(
        problem(&server, "GET", "/v1/boards/a%2Db/document?token=x").0,
        401
    );
}

#[test]
fn a_401_names_the_scheme_that_would_do() {
    let server = Server::start();
    for (query, challenge) in [("", "Bearer"), ("?token=x", "Bearer error=\"invalid_token\"")] {
        let target = format!("/v1/boards/b/document{query}");
        let answer = Http::connect(server.address()).request("GET", &target, &[]);
        assert_eq!(
            (answer.status, answer.field("www-authenticate")),
            (401, Some(challenge))
        );
    }
}

#[test]
fn who_waits_for_a_continue_that_nobody_will_send_gets_the_answer_and_a_close() {
    let server = Server::start();
    let fields = [("Content-Length", "5"), ("Expect", "100-continue")];
    for (method, target, status) in [
        ("POST", "/nothing", 404),
        ("POST", "/health", 405),
        ("GET", "/health", 200),
    ] {
        let mut http = Http::connect(server.address());
        let answer = http.request(method, target, &fields);
        assert_eq!(
            (answer.status, answer.field("connection")),
            (status, Some("close")),
            "{method} {target}"
        );
        // Whoever sends it all the same has sent no request.
        let _ = http.stream.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n");
        assert!(http.is_closed(), "{method} {target}");
    }
    let mut http = Http::connect(server.address());
    let answer = http.request("GET", "/health", &[("Expect", "100-continue")]);
    assert_eq!(
        answer.field("connection"),
        Some("keep-alive"),
        "there is no body to wait for"
    );
}

#[test]
fn a_body_that_nobody_wants_is_skipped_up_to_a_bound() {
    let server = Server::start();
    const MAX: usize = 256 * 1024;
    for (bytes, kept) in [(MAX - 1, true), (MAX, true), (MAX + 1, false)] {
        let mut http = Http::connect(server.address());
        http.send(request(
            "POST",
            "/health",
            &[("Content-Length", &bytes.to_string())],
        ));
        let _ = http.stream.write_all(&vec![b'x'; bytes]);
        let answer = http.answer("POST");
        let connection = if kept { "keep-alive" } else { "close" };
        assert_eq!(
            (answer.status, answer.field("connection")),
            (405, Some(connection)),
            "{bytes}"
        );
        if kept {
            assert_eq!(http.request("GET", "/health", &[]).status, 200);
        } else {
            assert!(http.is_closed());
        }
    }
}

#[test]
fn a_length_over_the_limit_is_413_whatever_was_asked() {
    let server = Setup::new().flag("max-body-bytes", "1KiB").start();
    for (bytes, status) in [(1_023, 405), (1_024, 405), (1_025, 413)] {
        let mut http = Http::connect(server.address());
        http.send(request(
            "POST",
            "/health",
            &[("Content-Length", &bytes.to_string())],
        ));
        if status == 405 {
            http.send(vec![b'x'; bytes]);
        }
        let answer = http.answer("POST");
        assert_eq!(answer.status, status, "{bytes}");
        if status == 413 {
            assert_eq!(answer.json()["code"], "body_too_large");
            assert!(http.is_closed());
        }
    }
}

#[test]
fn a_malformed_chunk_ends_the_connection() {
    let server = Server::start();
    let smuggled = request("GET", "/health", &[]);
    for chunks in [
        "x\r\n",
        "5\nhello\r\n0\r\n\r\n",
        "5;a=b\r\nhello\r\n0\r\n\r\n",
        "5\r\nhello0\r\n\r\n",
    ] {
        let mut http = Http::connect(server.address());
        let head = request("GET", "/health", &[("Transfer-Encoding", "chunked")]);
        http.send(head + chunks + &smuggled);
        let answer = http.answer("GET");
        assert_eq!(
            (answer.status, answer.field("connection")),
            (400, Some("close")),
            "{chunks:?}"
        );
        assert!(http.is_closed(), "{chunks:?}");
    }
}

#[test]
fn a_peer_that_leaves_within_a_body_leaves_no_trace() {
    let server = Server::start();
    let mut http = Http::connect(server.address());
    http.send(request("POST", "/health", &[("Content-Length", "5")]) + "hel");
    http.stream.shutdown(Shutdown::Write).unwrap();
    assert_eq!(http.answer("POST").status, 405);
    assert!(http.is_closed());
}

#[test]
fn health_is_answered_while_all_connections_are_taken() {
    let server = Setup::new().flag("max-connections", "1").start();
    let idle: Vec<Http> = (0..300).map(|_| Http::connect(server.address())).collect();
    let answer = Http::connect(server.address()).request("GET", "/health", &[]);
    assert_eq!(answer.status, 200);
    drop(idle);
}

#[test]
fn sockets_beyond_the_spare_ones_are_closed_and_their_places_given_back() {
    let server = Setup::new().flag("max-connections", "1").start();
    let mut all: Vec<Http> = (0..1_001).map(|_| Http::connect(server.address())).collect();
    assert_eq!(all.last_mut().unwrap().request("GET", "/health", &[]).status, 200);
    assert!(Http::connect(server.address()).is_closed());
    all.truncate(1_000);
    // The server sees the end of the last one in its own time.
    until(SOON, || {
        let mut http = Http::connect(server.address());
        let sent = http.stream.write_all(request("GET", "/health", &[]).as_bytes());
        sent.is_ok() && !http.is_closed()
    });
}

// --- CORS -------------------------------------------------------------------------------------------------

#[track_caller]
fn shared(server: &Server, method: &str, target: &str, origin: &str, expected: Option<&str>) {
    let answer = Http::connect(server.address()).request(method, target, &[("Origin", origin)]);
    let context = format!("{method} {target} for {origin}: {}", answer.status);
    assert_eq!(answer.field("access-control-allow-origin"), expected, "{context}");
    assert_eq!(answer.field("vary"), Some("Origin"), "{context}");
    let exposed = answer.field("access-control-expose-headers");
    assert_eq!(exposed.is_some(), expected.is_some(), "{context}");
    assert_eq!(
        answer.field("access-control-allow-credentials"),
        None,
        "{context}"
    );
    if let Some(exposed) = exposed {
        for name in ["Location", "ETag", "WWW-Authenticate"] {
            assert!(exposed.split(", ").any(|exposed| exposed == name), "{context}");
        }
    }
}

/// Answers of every kind.
const ANSWERS: [(&str, &str); 8] = [
    ("GET", "/health"),
    ("HEAD", "/health"),
    ("POST", "/health"),
    ("OPTIONS", "/health"),
    ("GET", "/nothing"),
    ("GET", "/v1/boards/b/document?token=x"),
    ("GET", "/v1/boards/%2/document"),
    ("GET", "/ws/canvas/b?token=x"),
];

#[test]
fn a_page_of_an_allowed_origin_may_read_every_answer() {
    let server = Setup::new()
        .flag("allow-origin", PAGE)
        .flag("allow-origin", "null")
        .start();
    for (method, target) in ANSWERS {
        shared(&server, method, target, PAGE, Some(PAGE));
    }
    shared(&server, "GET", "/health", "null", Some("null"));
}

#[test]
fn a_page_of_another_origin_is_answered_and_told_nothing() {
    let server = Setup::new().flag("allow-origin", PAGE).start();
    for origin in [
        "https://evil.example",
        "http://app.example",
        "https://app.example.evil",
        "null",
        "*",
        "junk",
    ] {
        for (method, target) in ANSWERS {
            shared(&server, method, target, origin, None);
        }
        let answer = Http::connect(server.address()).request("GET", "/health", &[("Origin", origin)]);
        assert_eq!(answer.status, 200);
    }
    let answer = Http::connect(server.address()).request("GET", "/health", &[]);
    assert_eq!(
        answer.field("vary"),
        Some("Origin"),
        "a cache must not keep it for pages"
    );
    let plain = Server::start();
    let answer = Http::connect(plain.address()).request("GET", "/health", &[("Origin", PAGE)]);
    assert!(
        answer
            .fields
            .iter()
            .all(|(name, _)| !name.starts_with("access-control") && name != "vary")
    );
}

#[test]
fn with_a_star_every_page_may_read_and_opaque_ones_may_not() {
    let server = Setup::new().flag("allow-origin", "*").start();
    for (method, target) in ANSWERS {
        shared(&server, method, target, "https://any.example", Some("*"));
    }
    shared(&server, "GET", "/health", "null", None);
}

#[test]
fn a_preflight_tells_the_methods_of_the_path() {
    let server = Setup::new().flag("allow-origin", PAGE).start();
    let ask = |origin| {
        let fields = [
            ("Origin", origin),
            ("Access-Control-Request-Method", "GET"),
            ("Access-Control-Request-Headers", "authorization"),
        ];
        Http::connect(server.address()).request("OPTIONS", "/health", &fields)
    };
    let answer = ask(PAGE);
    assert_eq!(answer.status, 204);
    assert_eq!(answer.field("access-control-allow-origin"), Some(PAGE));
    assert_eq!(
        answer.field("access-control-allow-methods"),
        Some("GET, HEAD, OPTIONS")
    );
    let sent: Vec<_> = answer
        .field("access-control-allow-headers")
        .unwrap()
        .split(", ")
        .collect();
    assert_eq!(
        sent,
        [
            "authorization",
            "content-type",
            "x-api-key",
            "if-match",
            "if-none-match",
            "idempotency-key",
            "last-event-id",
            "mcp-protocol-version",
            "mcp-method",
            "mcp-name"
        ]
    );
    assert!(
        answer
            .field("access-control-max-age")
            .unwrap()
            .parse::<u32>()
            .unwrap()
            > 0
    );
    assert_eq!(answer.field("access-control-allow-credentials"), None);
    let foreign = ask("https://evil.example");
    assert_eq!(foreign.status, 204);
    assert!(
        foreign
            .fields
            .iter()
            .all(|(name, _)| !name.starts_with("access-control"))
    );
    let unknown = Http::connect(server.address()).request(
        "OPTIONS",
        "/nothing",
        &[("Origin", PAGE), ("Access-Control-Request-Method", "GET")],
    );
    assert_eq!(
        (unknown.status, unknown.field("access-control-allow-origin")),
        (404, Some(PAGE))
    );
}
