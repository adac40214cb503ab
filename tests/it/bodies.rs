//! Request bodies, tried with the creation of a board: their bounds, `100 Continue`, and what JSON is taken.

use std::io::{Read, Write};

use serde_json::{Value, json};

use crate::support::http::{Answer, Http, request};
use crate::support::server::{Server, Setup};
use crate::support::tokens::Token;

const TARGET: &str = "/v1/boards";

/// The head of a request to create a board, with a token and these fields.
fn head(fields: &[(&str, &str)]) -> String {
    let authorization = format!("Bearer {}", Token::of("alice").sign());
    let mut all = vec![("Authorization", authorization.as_str())];
    all.extend(fields);
    request("POST", TARGET, &all)
}

/// A request with this body.
fn with_length(body: &str) -> String {
    head(&[("Content-Length", &body.len().to_string())]) + body
}

/// The same, in chunks of one byte.
fn in_chunks(body: &str) -> String {
    let chunks: String = body.chars().map(|c| format!("1\r\n{c}\r\n")).collect();
    head(&[("Transfer-Encoding", "chunked")]) + &chunks + "0\r\nTrailer: x\r\n\r\n"
}

/// Sends a request on a connection of its own.
#[track_caller]
fn post(server: &Server, bytes: impl AsRef<[u8]>) -> Answer {
    let mut http = Http::connect(server.address());
    http.send(bytes);
    http.answer("POST")
}

#[track_caller]
fn code(answer: &Answer) -> (u16, String) {
    (
        answer.status,
        answer.json()["code"].as_str().unwrap_or_default().to_owned(),
    )
}

/// A board with this id, in exactly `bytes` bytes.
fn board_of(id: &str, bytes: usize) -> String {
    let empty = json!({"id": id, "ignored": ""}).to_string().len();
    json!({"id": id, "ignored": "x".repeat(bytes - empty)}).to_string()
}

#[test]
fn a_body_comes_by_length_or_in_chunks() {
    let server = Server::start();
    for (id, encode) in [("a", with_length as fn(&str) -> String), ("b", in_chunks)] {
        let answer = post(&server, encode(&json!({"id": id, "title": "t"}).to_string()));
        assert_eq!(
            (answer.status, &answer.json()["id"], &answer.json()["title"]),
            (201, &json!(id), &json!("t"))
        );
        assert_eq!(
            answer.field("location"),
            Some(format!("/v1/boards/{id}").as_str())
        );
    }
}

#[test]
fn pipelined_bodies_are_read_in_their_order() {
    let server = Server::start();
    let mut http = Http::connect(server.address());
    let body = |id: &str| json!({ "id": id }).to_string();
    let requests = [
        with_length(&body("one")),
        in_chunks(&body("two")),
        with_length(&body("one")),
        // Refused before its body is read, which is then no request.
        request("POST", TARGET, &[("Content-Length", "38")])
            + "GET /health HTTP/1.1\r\nHost: a.example\r\n\r\n"
                .get(..38)
                .unwrap(),
        request("GET", "/health", &[]),
        with_length(&body("three")),
    ];
    http.send(requests.concat());
    let statuses: Vec<u16> = (0..requests.len()).map(|_| http.answer("POST").status).collect();
    assert_eq!(statuses, [201, 201, 409, 401, 200, 201]);
}

#[test]
fn a_body_is_as_large_as_set_by_length_and_by_chunks_and_not_larger() {
    let server = Setup::new().flag("max-body-bytes", "1KiB").start();
    for (bytes, fits) in [(1_023, true), (1_024, true), (1_025, false)] {
        let mut http = Http::connect(server.address());
        http.send(with_length(&board_of(&format!("l{bytes}"), bytes)));
        let answer = http.answer("POST");
        assert_eq!(answer.status, if fits { 201 } else { 413 }, "{bytes}");
        if !fits {
            assert_eq!(code(&answer).1, "body_too_large");
            assert_eq!(answer.field("connection"), Some("close"));
            assert!(http.is_closed());
        }
        let mut http = Http::connect(server.address());
        let _ = http
            .stream
            .write_all(in_chunks(&board_of(&format!("c{bytes}"), bytes)).as_bytes());
        let answer = http.answer("POST");
        assert_eq!(answer.status, if fits { 201 } else { 413 }, "{bytes}");
        if !fits {
            assert_eq!(answer.field("connection"), Some("close"));
            assert!(http.is_closed());
        }
    }
}

#[test]
fn a_length_over_the_limit_is_refused_before_any_of_it_is_sent() {
    let server = Setup::new().flag("max-body-bytes", "1KiB").start();
    for fields in [
        &[("Content-Length", "1025")][..],
        &[("Content-Length", "1025"), ("Expect", "100-continue")],
    ] {
        let mut http = Http::connect(server.address());
        http.send(head(fields));
        assert_eq!(http.answer("POST").status, 413);
        assert!(http.is_closed());
    }
}

#[test]
fn who_may_write_is_told_to_continue_and_who_may_not_is_told_why() {
    let server = Server::start();
    let body = json!({"id": "a"}).to_string();
    let length = body.len().to_string();
    let expect = [("Content-Length", length.as_str()), ("Expect", "100-continue")];

    let mut http = Http::connect(server.address());
    http.send(head(&expect));
    let (status, fields) = http.head();
    assert_eq!((status, fields.len()), (100, 0));
    http.send(&body);
    let answer = http.answer("POST");
    assert_eq!(
        (answer.status, answer.field("connection")),
        (201, Some("keep-alive"))
    );
    assert_eq!(http.request("GET", "/health", &[]).status, 200);

    let mut http = Http::connect(server.address());
    http.send(request("POST", TARGET, &expect));
    let answer = http.answer("POST");
    assert_eq!((answer.status, answer.field("connection")), (401, Some("close")));
    assert!(http.is_closed(), "and it is not read as a request");
}

#[test]
fn a_malformed_or_cut_off_body_is_400_and_ends_the_connection() {
    let server = Server::start();
    let smuggled = request("GET", "/health", &[]);
    for chunks in [
        "x\r\n",
        "2\n{}\r\n0\r\n\r\n",
        "2;a=b\r\n{}\r\n0\r\n\r\n",
        "2\r\n{}0\r\n\r\n",
        "-1\r\n",
    ] {
        let mut http = Http::connect(server.address());
        http.send(head(&[("Transfer-Encoding", "chunked")]) + chunks + &smuggled);
        let answer = http.answer("POST");
        assert_eq!(code(&answer), (400, "bad_request".to_owned()), "{chunks:?}");
        assert_eq!(answer.field("connection"), Some("close"), "{chunks:?}");
        assert!(http.is_closed(), "{chunks:?}");
    }
    let mut http = Http::connect(server.address());
    http.send(head(&[("Content-Length", "5")]) + "{}");
    http.stream.shutdown(std::net::Shutdown::Write).unwrap();
    let mut answer = String::new();
    http.stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
}

#[test]
fn a_packed_body_is_refused_with_what_would_be_right_and_the_next_request_is_found() {
    let server = Server::start();
    let body = json!({"id": "b"}).to_string();
    let length = body.len().to_string();
    for coding in ["gzip", "br", "x-nobody-knows", "identity, gzip", "GZIP"] {
        let mut http = Http::connect(server.address());
        http.send(head(&[("Content-Encoding", coding), ("Content-Length", &length)]) + &body);
        let answer = http.answer("POST");
        assert_eq!(
            code(&answer),
            (415, "unsupported_content_encoding".to_owned()),
            "{coding}"
        );
        assert_eq!(answer.field("accept-encoding"), Some("identity"), "{coding}");
        assert_eq!(http.request("GET", "/health", &[]).status, 200, "{coding}");
    }
    let waiting = [
        ("Content-Encoding", "gzip"),
        ("Content-Length", "9"),
        ("Expect", "100-continue"),
    ];
    assert_eq!(
        code(&post(&server, head(&waiting))).0,
        415,
        "without asking for the body"
    );
    // Who may not write is told that, whatever the body is.
    let fields = [("Content-Encoding", "gzip"), ("Content-Length", &length)];
    let nobody = request("POST", TARGET, &fields) + &body;
    assert_eq!(code(&post(&server, nobody)).0, 401);
    let plain = head(&[("Content-Encoding", "Identity"), ("Content-Length", &length)]) + &body;
    assert_eq!(post(&server, plain).status, 201);
}

#[test]
fn a_mark_before_utf_8_is_no_part_of_the_body() {
    let server = Server::start();
    let marked = "\u{feff}".to_owned() + &json!({"id": "b"}).to_string();
    assert_eq!(post(&server, with_length(&marked)).status, 201);
    assert_eq!(
        code(&post(&server, with_length(""))),
        (400, "invalid_json".to_owned())
    );
}

#[test]
fn a_body_that_is_not_json_is_400_and_one_that_is_no_object_422() {
    let server = Server::start();
    let mut http = Http::connect(server.address());
    for text in [
        "",
        "{",
        "title=a",
        "{}{}",
        r#"{"id":"a","id":"b"}"#,
        r#"{"id":"a","x":{"y":1,"y":2}}"#,
        r#"{"title":"\ud800"}"#,
    ] {
        http.send(with_length(text));
        let answer = http.answer("POST");
        assert_eq!(code(&answer), (400, "invalid_json".to_owned()), "{text}");
        assert_eq!(answer.field("connection"), Some("keep-alive"), "{text}");
    }
    for (text, field) in [
        ("[]", Value::Null),
        ("null", Value::Null),
        ("\"a\"", Value::Null),
        (r#"{"title":1}"#, json!("title")),
        (r#"{"id":[]}"#, json!("id")),
    ] {
        http.send(with_length(text));
        let answer = http.answer("POST");
        assert_eq!(code(&answer), (422, "invalid_value".to_owned()), "{text}");
        assert_eq!(
            answer.json().get("field").cloned().unwrap_or_default(),
            field,
            "{text}"
        );
    }
}

#[test]
fn many_values_in_a_small_body_are_refused() {
    let server = Server::start();
    for (values, status) in [(99_999, 201), (100_000, 201), (100_001, 413)] {
        let text = format!("{{\"x\":[{}0]}}", "0,".repeat(values - 3));
        assert_eq!(post(&server, with_length(&text)).status, status, "{values}");
    }
}

#[test]
fn a_large_body_is_taken_whole() {
    let server = Server::start();
    let body = board_of("large", 8 * 1024 * 1024);
    assert_eq!(post(&server, with_length(&body)).status, 201);
    let mut http = Http::connect(server.address());
    let (half, rest) = body.split_at(body.len() / 2);
    http.send(head(&[("Transfer-Encoding", "chunked")]));
    for part in [half, rest] {
        http.send(format!("{:x}\r\n{part}\r\n", part.len()));
    }
    http.send("0\r\n\r\n");
    assert_eq!(http.answer("POST").status, 409, "it is there already");
    assert_eq!(http.request("GET", "/health", &[]).status, 200);
}
