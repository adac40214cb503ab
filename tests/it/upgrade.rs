//! The way in: HTTP requests, split and joined as networks do it, and the upgrade to WebSocket.

use std::io::Write;

use crate::support::http::{self, Http, request};
use crate::support::server::Server;
use crate::support::socket::{ACCEPT, Event, KEY, PING, Socket, UPGRADE, frame, path};
use crate::support::tokens::editor;
use crate::support::wire;

fn board() -> String {
    path("b", &editor("alice", "b"))
}

#[test]
fn an_upgrade_is_answered_with_101_and_the_accept_key() {
    let server = Server::start();
    let mut http = Http::connect(server.address());
    let answer = http.request("GET", &board(), &UPGRADE);
    assert_eq!(answer.status, 101);
    assert_eq!(answer.field("sec-websocket-accept"), Some(ACCEPT));
    assert!(answer.field("upgrade").unwrap().eq_ignore_ascii_case("websocket"));
    assert!(
        answer
            .field("connection")
            .unwrap()
            .eq_ignore_ascii_case("upgrade")
    );
    assert_eq!(answer.field("sec-websocket-extensions"), None);
    assert_eq!(answer.field("sec-websocket-protocol"), None);
    assert_eq!(answer.field("content-length"), None);
}

#[test]
fn the_first_subprotocol_that_is_offered_is_chosen() {
    let server = Server::start();
    for (offered, chosen) in [("y-sync", "y-sync"), ("one, two", "one"), (" a ,b", "a")] {
        let mut fields = UPGRADE.to_vec();
        fields.push(("Sec-WebSocket-Protocol", offered));
        fields.push((
            "Sec-WebSocket-Extensions",
            "permessage-deflate; client_max_window_bits",
        ));
        let answer = Http::connect(server.address()).request("GET", &board(), &fields);
        assert_eq!(answer.status, 101);
        assert_eq!(answer.field("sec-websocket-protocol"), Some(chosen), "{offered}");
        assert_eq!(answer.field("sec-websocket-extensions"), None);
    }
}

#[test]
fn a_head_that_comes_byte_by_byte_is_read() {
    let server = Server::start();
    let mut http = Http::connect(server.address());
    for byte in request("GET", &board(), &UPGRADE).bytes() {
        http.send([byte]);
    }
    assert_eq!(http.answer("GET").status, 101);
    let mut socket = Socket::over(http);
    for byte in frame(0x82, &wire::step_1(&[0])) {
        socket.send_raw(&[byte]);
    }
    let answers = socket.flush();
    assert!(answers.contains(&wire::step_2(&[0, 0])), "{answers:?}");
}

#[test]
fn frames_right_behind_the_head_are_not_lost() {
    let server = Server::start();
    for split in [0, 1, 7] {
        let mut http = Http::connect(server.address());
        let mut bytes = request("GET", &board(), &UPGRADE).into_bytes();
        bytes.extend(frame(0x82, &wire::step_1(&[0])));
        bytes.extend(frame(0x80 | PING, b"behind"));
        let (first, second) = bytes.split_at(bytes.len() - split);
        http.send(first);
        http.stream.flush().unwrap();
        http.send(second);
        assert_eq!(http.answer("GET").status, 101);
        let mut socket = Socket::over(http);
        let mut events = [socket.next(), socket.next(), socket.next()].to_vec();
        for event in [
            Event::Pong(b"behind".to_vec()),
            Event::Message(wire::step_2(&[0, 0])),
        ] {
            let at = events.iter().position(|seen| *seen == event);
            events.swap_remove(at.unwrap_or_else(|| panic!("no {event:?} in {events:?}")));
        }
    }
}

#[test]
fn plain_requests_share_a_connection() {
    let server = Server::start();
    let mut http = Http::connect(server.address());
    for _ in 0..5 {
        assert_eq!(http.request("GET", "/health", &[]).status, 200);
        assert_eq!(http.request("GET", "/nothing/here", &[]).status, 404);
    }
    // Pipelined: three requests in one packet, three answers in order, and then an upgrade.
    let mut bytes = request("GET", "/health", &[]);
    bytes.push_str(&request("HEAD", "/health", &[]));
    bytes.push_str(&request("GET", "/nothing", &[]));
    bytes.push_str(&request("GET", &board(), &UPGRADE));
    http.send(bytes);
    assert_eq!(http.answer("GET").status, 200);
    assert_eq!(http.answer("HEAD").status, 200);
    assert_eq!(http.answer("GET").status, 404);
    assert_eq!(http.answer("GET").status, 101);
    Socket::over(http).flush();
}

#[test]
fn a_connection_is_closed_where_the_client_asks_for_it() {
    let server = Server::start();
    let mut http = Http::connect(server.address());
    assert_eq!(
        http.request("GET", "/health", &[("Connection", "close")]).status,
        200
    );
    assert!(http.is_closed());
    let mut http = Http::connect(server.address());
    http.send("GET /health HTTP/1.0\r\n\r\n");
    assert_eq!(http.answer("GET").status, 200);
    assert!(http.is_closed());
}

#[test]
fn head_is_answered_as_get_without_the_body() {
    let server = Server::start();
    for target in ["/", "/health", "/nothing"] {
        let mut http = Http::connect(server.address());
        let get = http.request("GET", target, &[]);
        let head = http.request("HEAD", target, &[]);
        assert_eq!(head.status, get.status, "{target}");
        assert_eq!(head.field("content-type"), get.field("content-type"), "{target}");
        assert!(!get.body.is_empty(), "{target}");
        // Had a body followed, the next answer would not begin with a status line.
        assert_eq!(http.request("GET", "/health", &[]).status, 200);
    }
}

#[test]
fn other_methods_and_paths_are_405_with_allow_and_404() {
    let server = Server::start();
    let document = format!("/v1/boards/b/document?token={}", editor("alice", "b"));
    for method in ["POST", "PUT", "PATCH", "DELETE", "BREW"] {
        for target in ["/health", "/", &board()] {
            let answer = Http::connect(server.address()).request(method, target, &[("Content-Length", "0")]);
            assert_eq!(answer.status, 405, "{method} {target}");
            assert!(
                answer.field("allow").unwrap().contains("GET"),
                "{method} {target}"
            );
        }
    }
    assert_eq!(
        Http::connect(server.address())
            .request("DELETE", &document, &[])
            .status,
        405
    );
    for target in [
        "/healthy",
        "/ws",
        "/ws/canvas",
        "/ws/canvas/",
        "/ws/canvas/b/c",
        "/v1/boards/b/nothing",
        "/v2",
    ] {
        let answer = http::get(server.address(), target);
        assert!(matches!(answer.status, 404 | 400), "{target}: {}", answer.status);
    }
}

#[test]
fn an_upgrade_request_that_breaks_the_protocol_gets_the_plain_status() {
    let server = Server::start();
    let without =
        |name: &str| -> Vec<_> { UPGRADE.into_iter().filter(|(field, _)| *field != name).collect() };
    let with = |name: &'static str, value: &'static str| {
        let mut fields = without(name);
        fields.push((name, value));
        fields
    };
    let table = [
        (without("Upgrade"), 426),
        (without("Connection"), 426),
        (with("Upgrade", "h2c"), 426),
        (without("Sec-WebSocket-Version"), 426),
        (with("Sec-WebSocket-Version", "8"), 426),
        (without("Sec-WebSocket-Key"), 400),
        (with("Sec-WebSocket-Key", "c2hvcnQ="), 400),
        (with("Content-Length", "3"), 400),
    ];
    for (fields, status) in table {
        let answer = Http::connect(server.address()).request("GET", &board(), &fields);
        assert_eq!(answer.status, status, "{fields:?}");
        if status == 426 {
            assert_eq!(answer.field("upgrade"), Some("websocket"), "{fields:?}");
        }
    }
    let mut twice = UPGRADE.to_vec();
    twice.push(("Sec-WebSocket-Key", KEY));
    assert_eq!(
        Http::connect(server.address())
            .request("GET", &board(), &twice)
            .status,
        400
    );
    assert_eq!(server.rooms(), 0, "no room was touched");
}

#[test]
fn requests_that_two_servers_could_read_differently_are_400_and_closed() {
    let server = Server::start();
    let head = |lines: &str| format!("GET /health HTTP/1.1\r\nHost: h\r\n{lines}\r\n");
    let table = [
        head("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n"),
        head("Content-Length: 5\r\nContent-Length: 6\r\n"),
        head("Content-Length: 5, 5\r\n"),
        head("Content-Length: +5\r\n"),
        head("Content-Length: 0x5\r\n"),
        head("Content-Length: 99999999999999999999999\r\n"),
        head("Transfer-Encoding: chunked, chunked\r\n"),
        head("Transfer-Encoding: xchunked\r\n"),
        head("Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n"),
        head("Transfer-Encoding : chunked\r\n"),
        head("X: a\r\n Transfer-Encoding: chunked\r\n"),
        head("X: a\nTransfer-Encoding: chunked\r\n"),
        head("X: a\rY: b\r\n"),
        head("X: a\0b\r\n"),
        head(": no name\r\n"),
        head("Host: other\r\n"),
        "GET /health HTTP/1.1\r\n\r\n".to_owned(),
        "GET  /health HTTP/1.1\r\nHost: h\r\n\r\n".to_owned(),
        "GET /health HTTP/1.1 \r\nHost: h\r\n\r\n".to_owned(),
        "GET /he alth HTTP/1.1\r\nHost: h\r\n\r\n".to_owned(),
        "GET health HTTP/1.1\r\nHost: h\r\n\r\n".to_owned(),
        "GET /health\r\n\r\n".to_owned(),
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_owned(),
    ];
    for bytes in table {
        let mut http = Http::connect(server.address());
        http.send(&bytes);
        // A second request behind it must never be answered.
        let _ = http.stream.write_all(request("GET", "/health", &[]).as_bytes());
        let answer = http.answer("GET");
        assert_eq!(answer.status, 400, "{bytes:?}");
        assert_eq!(answer.field("connection"), Some("close"), "{bytes:?}");
        assert!(http.is_closed(), "{bytes:?}");
    }
    let mut http = Http::connect(server.address());
    http.send("GET /health HTTP/2.0\r\nHost: h\r\n\r\n");
    assert_eq!(http.answer("GET").status, 505);
}

#[test]
fn a_body_that_nobody_reads_is_not_taken_for_a_request() {
    let server = Server::start();
    let inner = request("GET", "/nothing/smuggled", &[]);
    let chunked = format!("{:x}\r\n{inner}\r\n0\r\n\r\n", inner.len());
    let length = inner.len().to_string();
    let table = [
        (("Content-Length", length.as_str()), inner.as_str()),
        (("Transfer-Encoding", "chunked"), &chunked),
    ];
    for (field, body) in table {
        let mut http = Http::connect(server.address());
        http.send(request("GET", "/health", &[field]));
        let _ = http.stream.write_all(body.as_bytes());
        assert_eq!(http.answer("GET").status, 200, "{field:?}");
        // Were the body taken for a request, its 404 would come first.
        assert_eq!(http.request("GET", "/health", &[]).status, 200, "{field:?}");
    }
    let mut http = Http::connect(server.address());
    http.send(request("GET", "/health", &[("Content-Length", "33554433")]));
    assert_eq!(http.answer("GET").status, 413, "over --max-body-bytes");
    assert!(http.is_closed());
}

#[test]
fn a_head_over_its_bounds_is_431() {
    let server = Server::start();
    let head_of = |bytes: usize| {
        let empty = request("GET", "/health", &[("X", "")]).len();
        request("GET", "/health", &[("X", &"x".repeat(bytes - empty))])
    };
    for (bytes, status) in [(16 * 1024 - 1, 200), (16 * 1024, 200), (16 * 1024 + 1, 431)] {
        let mut http = Http::connect(server.address());
        let _ = http.stream.write_all(head_of(bytes).as_bytes());
        assert_eq!(http.answer("GET").status, status, "{bytes}");
    }
    for (count, status) in [(63, 200), (64, 431)] {
        let fields = vec![("X", "x"); count];
        let answer = Http::connect(server.address()).request("GET", "/health", &fields);
        assert_eq!(answer.status, status, "{count} fields and Host");
    }
    // Never ended, and still bounded.
    let mut http = Http::connect(server.address());
    let _ = http.stream.write_all(&[b'A'; 20 * 1024]);
    assert!(matches!(http.answer("GET").status, 400 | 431));
    assert!(http.is_closed());
}

#[test]
fn a_head_that_is_not_ended_within_ten_seconds_is_dropped() {
    let server = Server::start();
    let mut http = Http::connect(server.address());
    http.send("GET /health HTTP/1.1\r\nHost: h\r\nX-Slow: ");
    let started = std::time::Instant::now();
    assert_eq!(http.answer("GET").status, 408);
    assert!(started.elapsed().as_secs() >= 9, "{:?}", started.elapsed());
    assert!(http.is_closed());
}

#[test]
fn frames_against_the_websocket_rules_are_closed() {
    let server = Server::start();
    let unmasked = [0x82, 0x01, 0x00];
    let big_ping = frame(0x80 | PING, &[0; 126]);
    let table: [(&str, Vec<u8>, u16); 7] = [
        ("text", frame(0x81, b"hello"), 1003),
        ("empty text", frame(0x81, b""), 1003),
        ("no mask", unmasked.to_vec(), 1002),
        ("reserved bit", frame(0xC2, &[3]), 1002),
        ("reserved opcode", frame(0x83, &[3]), 1002),
        ("big ping", big_ping, 1002),
        ("continuation of nothing", frame(0x80, &[3]), 1002),
    ];
    for (what, bytes, code) in table {
        let mut socket = Socket::open(server.address(), &board());
        socket.flush();
        socket.send_raw(&bytes);
        assert_eq!(socket.closed().0, code, "{what}");
    }
}

#[test]
fn a_message_in_fragments_with_pings_between_is_one_message() {
    let server = Server::start();
    let mut socket = Socket::open(server.address(), &board());
    socket.flush();
    let message = wire::step_1(&[0]);
    socket.send_frame(0x02, &message[..1]);
    socket.send_frame(0x80 | PING, b"between");
    socket.send_frame(0x00, &message[1..3]);
    socket.send_frame(0x80, &message[3..]);
    let mut seen = Vec::new();
    while seen.len() < 2 {
        seen.push(socket.next());
    }
    assert!(seen.contains(&Event::Pong(b"between".to_vec())), "{seen:?}");
    assert!(seen.contains(&Event::Message(wire::step_2(&[0, 0]))), "{seen:?}");
}

#[test]
fn a_close_is_answered_with_a_close() {
    let server = Server::start();
    let mut socket = Socket::open(server.address(), &board());
    socket.flush();
    socket.send_frame(0x88, &1000u16.to_be_bytes());
    assert_eq!(socket.next(), Event::Close(1000, String::new()));
    assert_eq!(socket.next(), Event::End);
}
