//! The orderly end: nobody is cut off without a word, nothing is lost, and it does not take long.

use std::time::{Duration, Instant};

use crate::support::client::Client;
use crate::support::http::{self, Http};
use crate::support::server::{Server, Setup};
use crate::support::socket::{Event, Socket, path};
use crate::support::tokens::{Token, editor};
use crate::support::{SOON, until};

#[test]
fn sigterm_closes_with_a_code_saves_and_exits_0() {
    for (codes, code) in [("plain", 1001), ("mirror", 4503)] {
        // A window so long that only the shutdown can have committed.
        let mut server = Setup::new()
            .flag("commit-window", "10s")
            .flag("close-codes", codes)
            .start();
        let mut clients: Vec<_> = (1..=20)
            .map(|id| Client::join(&server, &format!("b{}", id % 4), id))
            .collect();
        for client in &mut clients {
            client.write(0, "unsaved");
        }
        // The server has read what one of each board sees from the others.
        until(SOON, || {
            clients.iter_mut().for_each(|client| {
                client.poll();
            });
            clients
                .iter()
                .all(|client| client.content().text.len() == 5 * "unsaved".len())
        });
        let started = Instant::now();
        server.terminate();
        until(SOON, || clients.iter_mut().all(|client| !client.poll()));
        for client in &clients {
            let (got, reason) = client.closed.clone().expect("a close frame");
            assert_eq!(got, code);
            assert!(!reason.is_empty());
        }
        assert_eq!(server.ended().code(), Some(0), "{}", server.log());
        assert!(
            started.elapsed() < Duration::from_secs(10),
            "{:?}",
            started.elapsed()
        );
        let again = Setup::on(&server.place()).start();
        for (n, client) in clients.iter().enumerate() {
            let board = format!("b{}", (n + 1) % 4);
            assert_eq!(Client::join(&again, &board, 99).content(), client.content());
        }
    }
}

#[test]
fn clients_that_do_not_answer_do_not_hold_up_the_end() {
    let mut server = Setup::new().flag("drain", "2s").start();
    let mut sockets: Vec<_> = (0..5)
        .map(|_| Socket::open(server.address(), &path("b", &editor("alice", "b"))))
        .collect();
    sockets.iter_mut().for_each(|socket| {
        socket.flush();
    });
    // And one that has only begun its request, and one that is refused and held.
    let mut half = Http::connect(server.address());
    half.send("GET /health HT");
    let _held: Vec<_> = (0..3)
        .map(|_| Socket::open(server.address(), &path("b", &Token::of("bob").sign())))
        .collect();
    let started = Instant::now();
    server.terminate();
    assert_eq!(server.ended().code(), Some(0), "{}", server.log());
    assert!(
        started.elapsed() < Duration::from_secs(4),
        "{:?}",
        started.elapsed()
    );
}

#[test]
fn a_second_signal_ends_at_once() {
    // Sockets that stay open make the first signal wait for up to half of the drain time.
    let mut server = Setup::new().flag("drain", "60s").start();
    let mut socket = Socket::open(server.address(), &path("b", &editor("alice", "b")));
    socket.flush();
    let started = Instant::now();
    server.terminate();
    until(SOON, || server.log().contains("shutting down"));
    server.terminate();
    let status = server.ended();
    assert!(matches!(status.code(), Some(0 | 1)), "{status}");
    assert!(
        started.elapsed() < Duration::from_secs(8),
        "{:?}",
        started.elapsed()
    );
}

#[test]
fn a_data_file_is_not_opened_twice() {
    let server = Server::start();
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_boardwire"))
        .env_clear()
        .env("BOARDWIRE_JWT_SECRET", crate::support::tokens::SECRET)
        .args(["serve", "--listen=127.0.0.1:0", "--data"])
        .arg(server.place().data())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    let words = String::from_utf8(output.stderr).unwrap();
    assert!(words.contains("in use"), "{words}");
    assert_eq!(http::get(server.address(), "/health").status, 200);
}

/// A joiner that is halfway through a large step 2 when the server stops gets the rest of it once, and then
/// the close.
#[test]
fn a_large_frame_that_was_being_sent_at_shutdown_leaves_whole_and_once() {
    let server = Setup::new()
        .flag("max-outbox-bytes", "64MiB")
        .flag("drain", "20s")
        .start();
    let mut author = Client::join(&server, "b", 1);
    for part in 0..16 {
        author.set(&format!("part {part}"), &"x".repeat(1024 * 1024));
        author.save();
    }
    let mut slow = Socket::open(server.address(), &path("b", &editor("slow", "b")));
    slow.message();
    slow.send(&[0, 0, 1, 0]);
    // The kernel takes some of it, and the server waits with the rest.
    until(SOON, || slow.has_bytes());
    server.terminate();
    let mut large = 0;
    let code = loop {
        match slow.next() {
            Event::Message(message) => large += usize::from(message.len() > 1024 * 1024),
            Event::Close(code, _) => break code,
            other => assert!(matches!(other, Event::Pong(_)), "{other:?}"),
        }
    };
    assert_eq!((large, code), (1, 1001));
}
