//! Bytes to values: messages, request heads, tokens.

use boardwire::http::head;
use boardwire::http::upgrade;
use boardwire::jwt::{Algorithm, Keys, Secret, Verifier, mint};
use boardwire::sync::Messages;
use boardwire::time::UnixMillis;
use divan::counter::BytesCount;
use divan::{Bencher, black_box};

use crate::shapes::Mover;

/// A client's frame with one update of 190 bytes.
#[divan::bench]
fn decode(bencher: Bencher<'_, '_>) {
    let mut mover = Mover::default();
    mover.update();
    let update = mover.update();
    let frame = boardwire::sync::update_frame(&update);
    // Frame header: two bytes, and two of length from 126 bytes on. The rest is what a session is handed.
    let message = &frame[4..];
    let read = |bytes| {
        let mut messages = Messages::new(bytes);
        let first = messages.next_message().unwrap();
        (first, messages.next_message())
    };
    assert!(matches!(read(message), (Some(_), Ok(None))));
    bencher
        .counter(BytesCount::new(message.len()))
        .bench(|| black_box(read(black_box(message))).0.is_some());
}

/// The request head that a browser sends for a WebSocket, and the decision on it.
const HEAD: &str = "GET /ws/canvas/3f2c9f6e-52b1-4f6e-8f0e-0d8b7f3f8a11?token=eyJhbGciOiJIUzI1NiJ9 HTTP/1.1\r\n\
    Host: boards.example:8080\r\nConnection: Upgrade\r\nPragma: no-cache\r\nCache-Control: no-cache\r\n\
    User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36\r\n\
    Upgrade: websocket\r\nOrigin: https://boards.example\r\nSec-WebSocket-Version: 13\r\n\
    Accept-Encoding: gzip, deflate, br, zstd\r\nAccept-Language: en-GB,en;q=0.9\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\r\n";

#[divan::bench]
fn parse_head(bencher: Bencher<'_, '_>) {
    bencher
        .counter(BytesCount::of_str(HEAD))
        .bench(|| head::parse(black_box(HEAD.as_bytes())).unwrap().unwrap().1);
}

#[divan::bench]
fn answer_upgrade(bencher: Bencher<'_, '_>) {
    let (head, _) = head::parse(HEAD.as_bytes()).unwrap().unwrap();
    bencher.bench_local(|| upgrade::check(black_box(&head)).unwrap().encode());
}

/// A token with one board in its claims.
#[divan::bench(args = [Algorithm::Hs256, Algorithm::Hs512])]
fn verify_token(bencher: Bencher<'_, '_>, algorithm: Algorithm) {
    let secret = || Secret::new(*b"a secret of the benchmark, 32+ !");
    let claims = serde_json::json!({
        "sub": "alice", "exp": 2_000, "iat": 1_000, "teams": ["design"], "boards": {"board-1": "edit"},
    });
    let token = mint(&secret(), algorithm, None, &claims);
    let mut keys = Keys::single(secret());
    keys.algorithms = vec![algorithm];
    let verifier = Verifier::new(keys);
    let now = UnixMillis(1_500_000);
    bencher.bench_local(|| verifier.verify(black_box(&token), now).unwrap());
}
