//! No token, secret or payload ever stands in the log.

use boardwire::ids::Level;

use crate::support::client::{Client, converge};
use crate::support::http::{self, Http};
use crate::support::server::Setup;
use crate::support::socket::{Socket, UPGRADE, path};
use crate::support::tokens::{SECRET, Token, editor, signed_with, viewer};
use crate::support::wire;

/// A busy day in short, at the most talkative level; then the log is searched for everything that was said in secret.
#[test]
fn tokens_secrets_and_payloads_stay_out_of_the_log() {
    let mut server = Setup::new()
        .flag("log-level", "trace")
        .flag("compact-after", "20ms")
        .start();
    let mut secrets: Vec<String> = vec![SECRET.to_owned()];
    let tokens = [
        editor("alice", "b"),
        viewer("bob", "b"),
        Token::of("carol").sign(),
        Token::of("dave").with("b", Level::Edit).ending_in(-100).sign(),
        signed_with("another-secret-another-secret-12345", &Token::of("eve").claims()),
        "garbage-in-place-of-a-token".to_owned(),
    ];
    let payload = "PAYLOAD-OF-THE-DOCUMENT";
    let presence = "PAYLOAD-OF-PRESENCE";
    let mut clients = [Client::join(&server, "b", 1), Client::join(&server, "b", 2)];
    clients[0].set(payload, payload);
    clients[0].announce(&[(1, 2, &format!("{{\"name\":\"{presence}\"}}"))]);
    converge(&mut clients);
    for token in &tokens {
        if let Ok(mut socket) = Socket::try_open(server.address(), &path("b", token)) {
            // Refused or not: malformed bytes around a payload.
            socket.send(&wire::update(payload.as_bytes()));
            socket.send(payload.as_bytes());
            socket.send_frame(0x81, payload.as_bytes());
        }
        http::get(
            server.address(),
            &format!("/v1/boards/b/document?token={token}&format=json"),
        );
        http::get(
            server.address(),
            &format!("/v1/boards/b/document?token={token}&state_vector={payload}"),
        );
        http::get(server.address(), &format!("/nothing/{payload}?token={token}"));
        let bearer = format!("Bearer {token}");
        let fields = [
            ("Authorization", bearer.as_str()),
            ("Cookie", payload),
            ("X-API-Key", "bw_SECRET-KEY"),
        ];
        Http::connect(server.address()).request("GET", "/v1/boards/b/document", &fields);
        Http::connect(server.address()).request(
            "GET",
            &format!("/ws/canvas/b?share=SECRET-LINK&token={token}"),
            &UPGRADE,
        );
        let mut broken = Http::connect(server.address());
        broken.send(format!(
            "GET /?token={token} HTTP/1.1\r\nHost: h\r\nBad Field: {payload}\r\n\r\n"
        ));
        assert_eq!(broken.answer("GET").status, 400);
    }
    for client in &mut clients {
        client.cut();
    }
    server.terminate();
    assert_eq!(server.ended().code(), Some(0));
    for token in tokens {
        // Whole, and each of its parts; the header alone is the same in all tokens and no secret.
        secrets.extend(token.split('.').skip(1).map(str::to_owned));
        secrets.push(token);
    }
    secrets.extend([payload, presence, "SECRET-KEY", "SECRET-LINK", "token="].map(str::to_owned));
    let log = server.log();
    assert!(log.lines().count() > 20, "the session left its traces");
    for line in log.lines() {
        serde_json::from_str::<serde_json::Value>(line).expect("one JSON object a line");
        for secret in &secrets {
            assert!(!line.contains(secret.as_str()), "{secret:?} stands in {line}");
        }
    }
}
