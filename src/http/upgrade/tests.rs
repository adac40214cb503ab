//! Tests of `http::upgrade`: every rule of RFC 6455, 4.2.1, broken one at a time.

use super::*;
use crate::http::head;

const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";

/// A request with the fields of a browser, of which those that `instead` names are replaced.
fn request(line: &str, instead: &[(&str, &str)]) -> String {
    let usual = [
        ("Host", "example.com"),
        ("Connection", "keep-alive, Upgrade"),
        ("Upgrade", "websocket"),
        ("Sec-WebSocket-Version", "13"),
        ("Sec-WebSocket-Key", KEY),
        (
            "Sec-WebSocket-Extensions",
            "permessage-deflate; client_max_window_bits",
        ),
    ];
    let mut text = format!("{line}\r\n");
    for (name, value) in usual {
        if !instead.iter().any(|(other, _)| *other == name) {
            text.push_str(&format!("{name}: {value}\r\n"));
        }
    }
    for (name, value) in instead.iter().filter(|(_, value)| *value != "-") {
        text.push_str(&format!("{name}: {value}\r\n"));
    }
    text + "\r\n"
}

fn checked(line: &str, instead: &[(&str, &str)]) -> Result<Upgrade, UpgradeError> {
    let text = request(line, instead);
    let (head, _) = head::parse(text.as_bytes()).unwrap().unwrap();
    check(&head)
}

const LINE: &str = "GET /ws/canvas/a HTTP/1.1";

#[test]
fn the_accept_key_of_rfc_6455_is_computed() {
    assert_eq!(accept_key(KEY), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
}

#[test]
fn a_browsers_request_is_answered_with_101_and_no_extension() {
    let bytes = checked(LINE, &[]).unwrap().encode();
    assert_eq!(
        String::from_utf8(bytes).unwrap(),
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"
    );
}

#[test]
fn the_first_subprotocol_offered_is_chosen() {
    for (offered, chosen) in [
        ("yjs", "yjs"),
        ("a.b, c", "a.b"),
        (" , first ,second", "first"),
        ("ok, b@d", "ok"),
    ] {
        let upgrade = checked(LINE, &[("Sec-WebSocket-Protocol", offered)]).unwrap();
        assert_eq!(upgrade.protocol(), Some(chosen));
        let answer = String::from_utf8(upgrade.encode()).unwrap();
        assert!(
            answer.contains(&format!("\r\nSec-WebSocket-Protocol: {chosen}\r\n")),
            "{answer}"
        );
    }
    assert_eq!(
        checked(LINE, &[("Sec-WebSocket-Protocol", "")])
            .unwrap()
            .protocol(),
        None
    );
}

#[test]
fn what_may_vary_is_accepted() {
    for instead in [
        ("Upgrade", "WebSocket"),
        ("Upgrade", "h2c, WEBSOCKET"),
        ("Connection", "UPGRADE"),
        ("Content-Length", "0"),
    ] {
        assert!(checked(LINE, &[instead]).is_ok(), "{instead:?}");
    }
}

#[test]
fn each_rule_broken_is_refused_for_its_reason() {
    use UpgradeError as E;
    for (line, name, value, error) in [
        ("POST /ws/canvas/a HTTP/1.1", "A", "b", E::Method),
        ("get /ws/canvas/a HTTP/1.1", "A", "b", E::Method),
        ("HEAD /ws/canvas/a HTTP/1.1", "A", "b", E::NotAsked),
        ("GET /ws/canvas/a HTTP/1.0", "A", "b", E::NotAsked),
        (LINE, "Upgrade", "-", E::NotAsked),
        (LINE, "Upgrade", "websockets", E::NotAsked),
        (LINE, "Upgrade", "websocket/13", E::NotAsked),
        (LINE, "Connection", "keep-alive", E::NotAsked),
        (LINE, "Content-Length", "1", E::Body),
        (LINE, "Transfer-Encoding", "chunked", E::Body),
        (LINE, "Sec-WebSocket-Version", "-", E::Version),
        (LINE, "Sec-WebSocket-Version", "8", E::Version),
        (LINE, "Sec-WebSocket-Version", "13, 8", E::Version),
        (LINE, "Sec-WebSocket-Key", "-", E::Key),
        (LINE, "Sec-WebSocket-Key", "", E::Key),
        (LINE, "Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ", E::Key),
        (LINE, "Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25j", E::Key),
        (LINE, "Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZSE=", E::Key),
        (LINE, "Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZR==", E::Key),
        (LINE, "Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZ-==", E::Key),
        (LINE, "Sec-WebSocket-Protocol", "b@d", E::Protocol),
        (LINE, "Sec-WebSocket-Protocol", "a b", E::Protocol),
    ] {
        assert_eq!(
            checked(line, &[(name, value)]),
            Err(error),
            "{line} {name}: {value}"
        );
    }
}

#[test]
fn a_repeated_key_or_version_is_refused() {
    let twice = |name| {
        let line = format!("{LINE}\r\n{name}");
        checked(&line, &[])
    };
    assert_eq!(
        twice("Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="),
        Err(UpgradeError::Key)
    );
    assert_eq!(twice("Sec-WebSocket-Version: 13"), Err(UpgradeError::Version));
}

#[test]
fn refusals_tell_what_would_be_right() {
    for error in UpgradeError::ALL {
        let response = error.response();
        let expected = match error {
            UpgradeError::Method => (405, Some("GET, OPTIONS"), None, None),
            UpgradeError::NotAsked => (426, None, Some("websocket"), None),
            UpgradeError::Version => (426, None, Some("websocket"), Some("13")),
            UpgradeError::Key | UpgradeError::Protocol | UpgradeError::Body => (400, None, None, None),
        };
        let told = (
            response.status,
            response.value("Allow"),
            response.value("Upgrade"),
            response.value("Sec-WebSocket-Version"),
        );
        assert_eq!(told, expected);
    }
}
