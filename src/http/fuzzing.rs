//! Fuzz bodies of the HTTP layer: bytes in, a panic when an oracle disagrees.
//!
//! Each is called by a target in fuzz/ and, with mutated seeds, by the test below.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a panic here is a finding, which is what a fuzz body is for"
)]

use super::body::{Decoder, Progress};
use super::head::{self, Framing, Method, Version};
use super::{forwarded, origin, target, upgrade};
use crate::limits;

/// A head reads the same however it was cut, and as httparse reads it where both accept.
pub fn request_head(data: &[u8]) {
    let whole = head::parse(data);
    // An answer given for a prefix is the answer for good; and there is one as soon as the head is complete.
    let cuts = (0..=data.len().min(limits::HEAD_BYTES_MAX))
        .rev()
        .step_by(1 + data.len() / 64);
    for end in cuts {
        let early = head::parse(&data[..end]);
        assert!(
            matches!(early, Ok(None)) || early == whole,
            "{end}: {early:?}, whole: {whole:?}"
        );
    }
    in_pieces(data, &whole);
    let Ok(Some((head, taken))) = &whole else { return };
    assert!(*taken <= limits::HEAD_BYTES_MAX && *taken <= data.len());
    assert!(head.target.starts_with('/') && (head.host.is_some() || head.version == Version::Http10));
    assert_eq!(head::parse(&data[..*taken]), whole, "what was taken is the head");
    assert_eq!(head::parse(&data[..*taken - 1]), Ok(None), "and nothing less is");
    agrees_with_httparse(head, &data[..*taken]);
    upgrade_of(head);
    std::hint::black_box(
        target::Target::parse(head.target).map(|target| target.parameter("token").map(str_len)),
    )
    .ok();
    std::hint::black_box(origin::allowed(
        head.unique("origin").ok().flatten(),
        head.host,
        &[],
    ));
    let trusted = forwarded::Cidr::parse("0.0.0.0/0").unwrap();
    let peer = core::net::IpAddr::from([127, 0, 0, 1]);
    std::hint::black_box(forwarded::client_address(
        peer,
        head.values("x-forwarded-for"),
        &[trusted],
    ));
}

/// A head that comes byte by byte is read as a whole one is, and each byte is looked at a few times only.
fn in_pieces(data: &[u8], whole: &Result<Option<(head::Head<'_>, usize)>, head::HeadError>) {
    let mut outline = head::Outline::default();
    let mut outcome = Ok(None);
    let mut end = 0;
    while outcome == Ok(None) && end < data.len().min(limits::HEAD_BYTES_MAX) {
        end += 1;
        outcome = outline.look(&data[..end]);
    }
    let expected = whole.as_ref().map(|head| head.as_ref().map(|(_, taken)| *taken));
    assert_eq!(outcome.as_ref().map(|taken| *taken), expected, "byte by byte");
    assert!(
        outline.steps() <= 4 * end + 8,
        "{} steps for {end} bytes",
        outline.steps()
    );
}

fn str_len(text: Option<&str>) -> usize {
    text.map_or(0, str::len)
}

fn agrees_with_httparse(head: &head::Head<'_>, data: &[u8]) {
    let mut fields = [httparse::EMPTY_HEADER; 128];
    let mut request = httparse::Request::new(&mut fields);
    // httparse skips more before the request line and is told nothing of hosts and bodies: we accept less
    // than it.
    let taken = request
        .parse(data)
        .expect("what we accept, httparse accepts")
        .unwrap();
    assert_eq!(taken, data.len());
    assert_eq!(request.version, Some(u8::from(head.version == Version::Http11)));
    assert!(request.path.unwrap().ends_with(head.target));
    if head.method != Method::Other {
        assert_eq!(
            request.method.unwrap(),
            format!("{:?}", head.method).to_uppercase()
        );
    }
    for field in request.headers.iter() {
        let ours: Vec<&[u8]> = head.values(field.name).collect();
        assert!(ours.contains(&super::trim(field.value)), "{}", field.name);
    }
}

/// What is accepted as an upgrade has all that RFC 6455 asks for, and the answer is well-formed.
pub fn upgrade(data: &[u8]) {
    if let Ok(Some((head, _))) = head::parse(data) {
        upgrade_of(&head);
    }
}

fn upgrade_of(head: &head::Head<'_>) {
    let upgrade = match upgrade::check(head) {
        Ok(upgrade) => upgrade,
        Err(error) => {
            assert!(matches!(error.response().status, 400 | 405 | 426));
            return;
        }
    };
    assert_eq!((head.method, head.version), (Method::Get, Version::Http11));
    assert_eq!(head.unique("sec-websocket-key").unwrap().unwrap().len(), 24);
    let protocol = upgrade.protocol().map(str::to_owned);
    if let Some(protocol) = &protocol {
        assert_eq!(
            head.elements("sec-websocket-protocol").next(),
            Some(protocol.as_bytes())
        );
    }
    let answer = String::from_utf8(upgrade.encode()).unwrap();
    assert!(answer.starts_with("HTTP/1.1 101 ") && answer.ends_with("\r\n\r\n"));
    assert_eq!(
        answer.matches("\r\n").count(),
        5 + usize::from(protocol.is_some()),
        "{answer}"
    );
}

/// A chunked body decodes to the same bytes however it was cut, and never beyond the bound.
pub fn body(data: &[u8]) {
    const BYTES_MAX: usize = 1_000;
    let decode = |cut: usize| {
        let mut decoder = Decoder::new(Framing::Chunked, BYTES_MAX).unwrap();
        let (mut body, mut position) = (Vec::new(), 0);
        while position < data.len() {
            let end = (position + cut).min(data.len());
            let Ok(step) = decoder.decode(&data[position..end]) else {
                return Err(());
            };
            assert!(
                step.data.len() <= step.consumed && (step.consumed > 0 || step.progress == Progress::Done)
            );
            body.extend_from_slice(step.data);
            position += step.consumed;
            assert!(body.len() <= BYTES_MAX);
            if step.progress == Progress::Done {
                return Ok((body, Some(position)));
            }
        }
        Ok((body, None))
    };
    let whole = decode(data.len().max(1));
    for cut in [1, 2, 3, 7] {
        assert_eq!(decode(cut), whole, "cut every {cut}");
    }
}

/// What is percent-encoded decodes to itself, and what decodes has no malformed escape.
pub fn target(data: &[u8]) {
    if let Ok(text) = str::from_utf8(data) {
        let encoded: String = text.bytes().map(|b| format!("%{b:02x}")).collect();
        assert_eq!(target::percent_decode(&encoded).as_deref(), Ok(text));
        if let Ok(decoded) = target::percent_decode(text) {
            assert_eq!(decoded.len() + 2 * text.matches('%').count(), text.len());
        }
        let path = format!("/a/{encoded}?b={encoded}");
        let target = target::Target::parse(&path).unwrap();
        assert_eq!(target.path(), ["a", text]);
        assert_eq!(
            target.parameter("b"),
            Ok(Some(text).filter(|text| !text.is_empty()))
        );
        drop(target::Target::parse(text));
    }
}

#[cfg(test)]
mod tests {
    use super::super::head::HeadError;
    use super::*;
    use crate::mutation;

    const HEADS: &[&[u8]] = &[
        b"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET /ws/canvas/a?token=b%2Bc HTTP/1.1\r\nHost: a:80\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n\
          Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: a, b\r\n\r\n",
        b"POST /v1/boards HTTP/1.1\r\nHost: [::1]:8080\r\nContent-Length: 5\r\nX-Forwarded-For: 1.2.3.4, ::1\r\n\r\nhello",
        b"\r\nPUT http://a/b HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nOrigin: https://a\r\n\r\n0\r\n\r\n",
        b"GET / HTTP/1.0\r\nConnection: keep-alive\r\nA:b\r\nA: \tc\r\n\r\n",
    ];

    #[test]
    fn heads_survive_mutation() {
        mutation::drive(HEADS, 4_000, request_head);
    }

    #[test]
    fn upgrades_survive_mutation() {
        mutation::drive(HEADS, 4_000, upgrade);
    }

    #[test]
    fn bodies_survive_mutation() {
        let seeds: &[&[u8]] = &[
            b"5\r\nhello\r\nA\r\n0123456789\r\n0\r\nA: b\r\n\r\nGET",
            b"0\r\n\r\n",
        ];
        mutation::drive(seeds, 4_000, body);
    }

    #[test]
    fn targets_survive_mutation() {
        let seeds: &[&[u8]] = &[b"/ws/canvas/a%2Fb?token=%41&x=%c3%a4", "\u{e4}%%41/".as_bytes()];
        mutation::drive(seeds, 4_000, target);
    }

    #[test]
    fn every_head_error_is_the_peers() {
        for error in HeadError::ALL {
            assert!(matches!(error.status(), 400 | 431 | 505));
        }
    }
}
