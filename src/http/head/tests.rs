//! Tests of `http::head`: tables of bytes and what is made of them.
#![allow(clippy::arithmetic_side_effects, reason = "tests count small things")]

use super::*;

/// A request with a valid line and host, and these header lines.
fn with(lines: &str) -> String {
    format!("GET / HTTP/1.1\r\nHost: a\r\n{lines}\r\n")
}

#[track_caller]
fn refused(bytes: &[u8], error: HeadError) {
    assert_eq!(parse(bytes), Err(error), "{}", bytes.escape_ascii());
    // The answer is the same however the bytes come in: nothing, then this error for good.
    for end in 0..bytes.len() {
        let early = parse(&bytes[..end]);
        assert!(
            matches!(early, Ok(None)) || early == Err(error),
            "{end}: {}",
            bytes.escape_ascii()
        );
    }
}

fn parsed(bytes: &[u8]) -> Head<'_> {
    let (head, taken) = parse(bytes).unwrap().unwrap();
    assert_eq!(taken, bytes.len());
    head
}

#[test]
fn a_request_is_read_into_its_parts() {
    let bytes =
        b"GET /ws/canvas/a?token=x HTTP/1.1\r\nHost: example.com:80\r\nX-A:b\r\nx-a: \t c d \t\r\nY:\r\n\r\nrest";
    let (head, taken) = parse(bytes).unwrap().unwrap();
    assert_eq!(&bytes[taken..], b"rest");
    assert_eq!(
        (head.method, head.version, head.framing),
        (Method::Get, Version::Http11, Framing::Empty)
    );
    assert_eq!(
        (head.target, head.host),
        ("/ws/canvas/a?token=x", Some("example.com:80"))
    );
    assert_eq!(head.values("X-a").collect::<Vec<_>>(), [&b"b"[..], b"c d"]);
    assert_eq!(head.values("y").collect::<Vec<_>>(), [b""]);
    for end in 0..taken {
        assert_eq!(parse(&bytes[..end]), Ok(None), "{end}");
    }
}

#[test]
fn methods_are_case_sensitive_tokens() {
    for (text, method) in [
        ("GET", Method::Get),
        ("HEAD", Method::Head),
        ("POST", Method::Post),
        ("PUT", Method::Put),
        ("PATCH", Method::Patch),
        ("DELETE", Method::Delete),
        ("OPTIONS", Method::Options),
        ("get", Method::Other),
        ("M-SEARCH", Method::Other),
    ] {
        assert_eq!(
            parsed(format!("{text} / HTTP/1.1\r\nHost: a\r\n\r\n").as_bytes()).method,
            method
        );
    }
}

#[test]
fn one_empty_line_before_the_request_is_skipped() {
    assert_eq!(
        parsed(b"\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n").method,
        Method::Get
    );
    refused(
        b"\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
        HeadError::RequestLine,
    );
}

#[test]
fn malformed_request_lines_are_refused() {
    for line in [
        "",
        "GET",
        "GET /",
        "GET  / HTTP/1.1",
        "GET /  HTTP/1.1",
        "GET / HTTP/1.1 ",
        " GET / HTTP/1.1",
        "GET\t/ HTTP/1.1",
        "GE(T / HTTP/1.1",
        "GET /a b HTTP/1.1",
        "GET /\u{e4} HTTP/1.1",
        "GET /\0 HTTP/1.1",
        "GET / http/1.1",
        "GET / HTTP/1",
        "GET / HTTP/1.10",
        "GET / HTTP/x.1",
        "GET / HTTPS/1.1",
    ] {
        refused(
            format!("{line}\r\nHost: a\r\n\r\n").as_bytes(),
            HeadError::RequestLine,
        );
    }
    refused(b"\x16\x03\x01\x02\x00\x01", HeadError::RequestLine);
}

#[test]
fn other_versions_are_told_apart() {
    for version in ["0.9", "1.2", "2.0", "3.0"] {
        refused(
            format!("GET / HTTP/{version}\r\n\r\n").as_bytes(),
            HeadError::Version,
        );
    }
    refused(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", HeadError::Http2Preface);
    assert_eq!(parsed(b"GET / HTTP/1.0\r\n\r\n").host, None);
}

#[test]
fn targets_are_brought_into_origin_form() {
    for (target, path) in [
        ("/", "/"),
        ("//a", "//a"),
        ("/a?b=http://c/", "/a?b=http://c/"),
        ("http://a:80/x?y", "/x?y"),
        ("HTTPS://A:80/", "/"),
    ] {
        let bytes = format!("GET {target} HTTP/1.1\r\nHost: a:80\r\n\r\n");
        assert_eq!(parsed(bytes.as_bytes()).target, path);
    }
    for target in [
        "*",
        "a:80",
        "a/b",
        "/a#b",
        "http://b/",
        "http://a:80",
        "ftp://a:80/",
        "http://u@a:80/",
        "?x",
    ] {
        refused(
            format!("GET {target} HTTP/1.1\r\nHost: a:80\r\n\r\n").as_bytes(),
            HeadError::Target,
        );
    }
    refused(b"GET http://a/ HTTP/1.0\r\n\r\n", HeadError::Target);
}

#[test]
fn lines_end_in_cr_lf_and_nothing_else() {
    for bytes in [
        &b"GET / HTTP/1.1\nHost: a\r\n\r\n"[..],
        b"GET / HTTP/1.1\r\nHost: a\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\n\n",
        b"\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\rX: b\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\r\n\r\n",
        b"\r \r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
    ] {
        let error = if bytes[0] == b'\n' {
            HeadError::RequestLine
        } else {
            HeadError::LineEnding
        };
        refused(bytes, error);
    }
}

#[test]
fn malformed_header_lines_are_refused() {
    for (line, error) in [
        (" folded\r\n", HeadError::Folded),
        ("\tfolded: x\r\n", HeadError::Folded),
        ("X : a\r\n", HeadError::FieldName),
        ("X\t: a\r\n", HeadError::FieldName),
        (": a\r\n", HeadError::FieldName),
        ("X\r\n", HeadError::FieldName),
        ("X(: a\r\n", HeadError::FieldName),
        ("\u{e4}: a\r\n", HeadError::FieldName),
        ("X: a\0b\r\n", HeadError::FieldValue),
        ("X: \x7f\r\n", HeadError::FieldValue),
        ("X: \x1b[1m\r\n", HeadError::FieldValue),
    ] {
        refused(with(line).as_bytes(), error);
    }
    assert_eq!(
        parsed(with("X: \u{e4}\tb\r\n").as_bytes()).values("x").next(),
        Some("\u{e4}\tb".as_bytes())
    );
}

#[test]
fn exactly_one_host_is_needed() {
    for fields in [
        "",
        "Host: a\r\nHost: a\r\n",
        "Host:\r\n",
        "Host: a b\r\n",
        "Host: a,b\r\n",
        "Host: u@a\r\n",
        "Host: a/\r\n",
    ] {
        refused(
            format!("GET / HTTP/1.1\r\n{fields}\r\n").as_bytes(),
            HeadError::Host,
        );
    }
    refused(b"GET / HTTP/1.0\r\nHost: a\r\nhost: b\r\n\r\n", HeadError::Host);
    for host in ["a", "[::1]:8080", "xn--a.example:1", "127.0.0.1"] {
        let bytes = format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n");
        assert_eq!(parsed(bytes.as_bytes()).host, Some(host));
    }
}

#[test]
fn the_body_is_framed_one_way_only() {
    for (lines, framing) in [
        ("", Framing::Empty),
        ("Content-Length: 0\r\n", Framing::Length(0)),
        ("Content-Length: 007\r\n", Framing::Length(7)),
        (
            "Content-Length: 18446744073709551615\r\n",
            Framing::Length(u64::MAX),
        ),
        ("Transfer-Encoding: Chunked\r\n", Framing::Chunked),
    ] {
        assert_eq!(parsed(with(lines).as_bytes()).framing, framing, "{lines}");
    }
    for lines in [
        "Content-Length: 1\r\nContent-Length: 1\r\n",
        "Content-Length: 1, 1\r\n",
        "Content-Length: +1\r\n",
        "Content-Length: -1\r\n",
        "Content-Length: 0x1\r\n",
        "Content-Length: 1 1\r\n",
        "Content-Length:\r\n",
        "Content-Length: 18446744073709551616\r\n",
    ] {
        refused(with(lines).as_bytes(), HeadError::ContentLength);
    }
    for lines in [
        "Transfer-Encoding: chunked\r\nContent-Length: 1\r\n",
        "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: gzip, chunked\r\n",
        "Transfer-Encoding: chunked, identity\r\n",
        "Transfer-Encoding: identity\r\n",
        "Transfer-Encoding: xchunked\r\n",
        "Transfer-Encoding: \"chunked\"\r\n",
        "Transfer-Encoding:\r\n",
    ] {
        refused(with(lines).as_bytes(), HeadError::TransferEncoding);
    }
    refused(
        b"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n",
        HeadError::TransferEncoding,
    );
}

#[test]
fn the_head_is_bounded_in_bytes() {
    let empty = with("X: \r\n").len();
    for (size, fits) in [
        (limits::HEAD_BYTES_MAX - 1, true),
        (limits::HEAD_BYTES_MAX, true),
        (limits::HEAD_BYTES_MAX + 1, false),
    ] {
        let bytes = with(&format!("X: {}\r\n", "x".repeat(size - empty)));
        assert_eq!(bytes.len(), size);
        assert_eq!(parse(bytes.as_bytes()).is_ok(), fits, "{size}");
    }
    let endless = "x".repeat(limits::HEAD_BYTES_MAX);
    assert_eq!(parse(&endless.as_bytes()[1..]), Ok(None));
    assert_eq!(parse(endless.as_bytes()), Err(HeadError::TooLarge));
    assert_eq!(HeadError::TooLarge.status(), 431);
}

#[test]
fn the_head_is_bounded_in_fields() {
    for (count, fits) in [
        (limits::HEADERS_MAX - 1, true),
        (limits::HEADERS_MAX, true),
        (limits::HEADERS_MAX + 1, false),
    ] {
        let bytes = with(&"A: b\r\n".repeat(count - 1));
        assert_eq!(parse(bytes.as_bytes()).is_ok(), fits, "{count}");
    }
    let bytes = with(&"A: b\r\n".repeat(limits::HEADERS_MAX));
    refused(bytes.as_bytes(), HeadError::TooManyFields);
}

#[test]
fn single_fields_must_be_single() {
    let bytes = with("Authorization: Bearer a\r\nOrigin: a\r\norigin: a\r\nX: \u{e4}\r\n");
    let head = parsed(bytes.as_bytes());
    assert_eq!(head.unique("authorization"), Ok(Some("Bearer a")));
    assert_eq!(head.unique("origin"), Err(HeadError::Field));
    assert_eq!(head.unique("x"), Err(HeadError::Field));
    assert_eq!(head.unique("y"), Ok(None));
}

#[test]
fn connections_stay_open_as_the_version_and_the_peer_say() {
    use Persistence::{Close, KeepAlive};
    for (version, connection, expected) in [
        ("1.1", "", KeepAlive),
        ("1.1", "Connection: close\r\n", Close),
        ("1.1", "Connection: foo, CLOSE\r\n", Close),
        ("1.1", "Connection: keep-alive\r\nConnection: close\r\n", Close),
        ("1.0", "", Close),
        ("1.0", "Connection: Keep-Alive\r\n", KeepAlive),
        ("1.0", "Connection: keep-alive, close\r\n", Close),
    ] {
        let bytes = format!("GET / HTTP/{version}\r\nHost: a\r\n{connection}\r\n");
        assert_eq!(
            parsed(bytes.as_bytes()).persistence(),
            expected,
            "{version} {connection}"
        );
    }
}

#[test]
fn a_peer_may_wait_for_100_continue() {
    assert!(parsed(with("Expect: 100-Continue\r\n").as_bytes()).expects_continue());
    assert!(!parsed(with("").as_bytes()).expects_continue());
    assert!(!parsed(b"GET / HTTP/1.0\r\nExpect: 100-continue\r\n\r\n").expects_continue());
}

#[test]
fn debug_output_shows_neither_target_nor_fields() {
    let bytes = b"GET /?token=hidden HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer hidden\r\n\r\n";
    let shown = format!("{:?}", parsed(bytes));
    assert!(shown.contains("Get") && !shown.contains("hidden"), "{shown}");
}

/// The first answer to `bytes` in pieces of `piece` bytes, and the steps until then.
fn outlined(bytes: &[u8], piece: usize) -> (Result<Option<usize>, HeadError>, usize) {
    let mut outline = Outline::default();
    let mut end = 0;
    loop {
        end = (end + piece).min(bytes.len());
        let answer = outline.look(&bytes[..end]);
        if answer != Ok(None) || end == bytes.len() {
            return (answer, outline.steps());
        }
    }
}

#[test]
fn a_head_costs_the_same_in_whatever_pieces_it_comes() {
    let one_line = |bytes: usize| with(&format!("X: {}\r\n", "x".repeat(bytes)));
    let longest = one_line(limits::HEAD_BYTES_MAX - one_line(0).len());
    let lines = with(&"a:\r\n".repeat(limits::HEADERS_MAX - 1));
    for head in [&longest, &lines] {
        for piece in [1, 2, 7, 4_096, 20_000] {
            let (answer, steps) = outlined(head.as_bytes(), piece);
            assert_eq!(answer, Ok(Some(head.len())), "pieces of {piece}");
            // Looked at for the end of its line, as a line, and as a head; and a step for each piece.
            assert!(
                steps <= 3 * head.len() + head.len().div_ceil(piece) + 8,
                "{steps} for {}",
                head.len()
            );
        }
    }
}

#[test]
fn a_head_in_pieces_is_refused_as_early_and_as_a_whole_one_is() {
    let many = with(&"a:\r\n".repeat(limits::HEADERS_MAX));
    let long = "x".repeat(limits::HEAD_BYTES_MAX);
    for bytes in [
        "\x16\x03\x01",
        "\r\n\x16",
        "\r\n\r\n",
        "\rG\n",
        "GET / HTTP/1.1\n",
        "GET  / HTTP/1.1\r\n",
        "GET / HTTP/3.0\r\n",
        "GET / HTTP/1.1\r\n folded\r\n",
        "GET / HTTP/1.1\r\nno colon\r\n",
        "GET / HTTP/1.1\r\n\r\n",
        &many,
        &long,
    ] {
        let error = parse(bytes.as_bytes()).unwrap_err();
        let first = (1..=bytes.len())
            .find(|&end| parse(&bytes.as_bytes()[..end]) != Ok(None))
            .unwrap();
        let prefix = &bytes.as_bytes()[..first];
        for piece in [1, 3, bytes.len()] {
            assert_eq!(
                outlined(bytes.as_bytes(), piece).0,
                Err(error),
                "{}",
                bytes.escape_debug()
            );
        }
        assert_eq!(outlined(prefix, 1).0, Err(error), "with the same byte");
        assert_eq!(outlined(&prefix[..first - 1], 1).0, Ok(None), "and not before");
    }
}
