//! Viewers and commenters see everything and change nothing.

use boardwire::ids::Level;

use crate::support::client::Client;
use crate::support::server::Server;
use crate::support::socket::{Socket, path};
use crate::support::tokens::{Token, editor, viewer};
use crate::support::wire::{self, Message};
use crate::support::{SOON, http, until};

#[test]
fn viewers_and_commenters_receive_updates_and_change_nothing() {
    let server = Server::start();
    let mut author = Client::join(&server, "b", 1);
    author.set("key", "theirs");
    for (id, level) in [(2, Level::View), (3, Level::Comment)] {
        let mut reader = Client::offline(id);
        let token = Token::of("reader").with("b", level).sign();
        reader.set("mine", "offline");
        reader.connect(server.address(), &path("b", &token));
        reader.sync();
        assert_eq!(reader.asked, 0, "a reader is not asked for what it has");
        assert_eq!(reader.value("key"), author.value("key"));
        reader.set("mine", "online");
        until(SOON, || {
            reader.poll();
            !reader.denied.is_empty()
        });
        author.set("key", level.as_str());
        until(SOON, || {
            reader.poll();
            reader.value("key").as_deref() == Some(level.as_str())
        });
        assert_eq!(reader.closed, None, "it stays connected");
    }
    author.save();
    assert_eq!(author.value("mine"), None);
    let fresh = Client::join(&server, "b", 9);
    assert_eq!(fresh.content(), author.content());
}

#[test]
fn a_viewers_step_2_is_dropped_like_its_updates() {
    let server = Server::start();
    let author = Client::join(&server, "b", 1);
    let mut socket = Socket::open(server.address(), &path("b", &viewer("v", "b")));
    let mut other = Client::offline(5);
    other.set("key", "value");
    socket.send(&wire::step_2(&other.state()));
    let denied = socket
        .flush()
        .iter()
        .map(|m| wire::parse(m))
        .filter(|m| matches!(m, Message::Denied(_)))
        .count();
    assert_eq!(denied, 1);
    let stored = http::get(
        server.address(),
        &format!("/v1/boards/b/document?token={}", editor("x", "b")),
    );
    assert_eq!(stored.body, [0, 0]);
    drop(author);
}

#[test]
fn a_viewer_is_told_once_a_second_and_only_for_what_would_be_new() {
    let server = Server::start();
    let mut author = Client::join(&server, "b", 1);
    author.set("key", "value");
    author.save();
    let mut socket = Socket::open(server.address(), &path("b", &viewer("v", "b")));
    socket.flush();
    // What everybody has already, and what says nothing.
    socket.send(&wire::step_2(&author.state()));
    socket.send(&wire::update(&[0, 0]));
    assert!(
        socket
            .flush()
            .iter()
            .all(|m| !matches!(wire::parse(m), Message::Denied(_)))
    );
    author.cut();
    author.set("key", "unsent");
    let new = wire::update(&author.state());
    let started = std::time::Instant::now();
    let mut told = 0;
    while told < 3 {
        socket.send(&new);
        let messages = socket.flush();
        told += messages
            .iter()
            .filter(|m| matches!(wire::parse(m), Message::Denied(_)))
            .count();
        assert!(started.elapsed() < SOON);
    }
    assert!(
        started.elapsed().as_millis() >= 1_990,
        "three denials within {:?}",
        started.elapsed()
    );
}

#[test]
fn a_viewer_without_a_board_is_refused_and_creates_none() {
    let server = Server::start();
    let mut socket = Socket::open(server.address(), &path("none", &viewer("v", "none")));
    assert_eq!(socket.closed().0, 4004);
    assert_eq!(server.rooms(), 0);
}
