//! An update that builds on changes the server has not seen is asked for, and never half kept.

use crate::support::client::{Client, content_of};
use crate::support::server::{Server, Setup};
use crate::support::socket::{Socket, path};
use crate::support::tokens::editor;
use crate::support::wire::{self, Message};
use crate::support::{SOON, http, until};

fn stored(server: &Server) -> Vec<u8> {
    http::get(
        server.address(),
        &format!("/v1/boards/b/document?token={}", editor("reader", "b")),
    )
    .body
}

/// Three updates in a row, each building on the one before, and the document that has them all.
fn three() -> (Client, [Vec<u8>; 3]) {
    let mut client = Client::offline(7);
    let updates = ["a", "b", "c"].map(|words| {
        client.change(|transaction, _, text, _| {
            use yrs::{GetString, Text};
            let end = text.get_string(transaction).len();
            text.insert(transaction, u32::try_from(end).unwrap(), words);
        })
    });
    (client, updates)
}

#[test]
fn a_clock_gap_is_asked_for_and_the_step_2_fills_it() {
    let server = Server::start();
    let mut other = Client::join(&server, "b", 2);
    let mut socket = Socket::open(server.address(), &path("b", &editor("alice", "b")));
    socket.flush();
    let (client, [first, _, third]) = three();
    socket.send(&wire::update(&first));
    socket.send(&wire::update(&third));
    let answers = socket.flush();
    let asked: Vec<_> = answers.iter().filter(|m| m.starts_with(&[0, 0])).collect();
    assert_eq!(asked.len(), 1, "{answers:?}");
    assert_eq!(
        *asked[0],
        wire::step_1(&[1, 7, 1]),
        "the server knows one clock of client 7"
    );
    assert_eq!(
        content_of(&stored(&server)).text,
        "a",
        "nothing of the hole was kept"
    );
    socket.send(&wire::step_2(&client.state()));
    until(SOON, || {
        other.poll();
        other.content() == client.content()
    });
}

#[test]
fn every_kind_of_hole_is_left_out_in_whole() {
    let (_, [first, second, third]) = three();
    let both = yrs::merge_updates_v1([first.as_slice(), third.as_slice()]).unwrap();
    // One struct of client 9 (a string under "text"), unless the table says otherwise.
    let gc_after_nothing: &[u8] = &[1, 1, 9, 5, 0, 1, 0];
    let skip: &[u8] = &[1, 1, 9, 0, 10, 5, 0];
    let unknown_origin: &[u8] = &[1, 1, 9, 0, 0x84, 8, 0, 1, b'x', 0];
    let unknown_right: &[u8] = &[1, 1, 9, 0, 0x44, 8, 0, 1, b'x', 0];
    let unknown_parent: &[u8] = &[1, 1, 9, 0, 0x04, 0, 8, 0, 1, b'x', 0];
    let unseen_deletion: &[u8] = &[0, 1, 8, 1, 0, 1];
    let table = [
        ("a clock gap", third.as_slice()),
        ("a gap inside one update", &both),
        ("a later clock", gc_after_nothing),
        ("a skip", skip),
        ("an unknown origin", unknown_origin),
        ("an unknown right origin", unknown_right),
        ("an unknown parent", unknown_parent),
        ("a deletion of unseen structs", unseen_deletion),
        ("on what was left out", &second),
    ];
    for (what, hole) in table {
        let server = Server::start();
        let mut watcher = Socket::open(server.address(), &path("b", &editor("bob", "b")));
        watcher.flush();
        let mut socket = Socket::open(server.address(), &path("b", &editor("alice", "b")));
        socket.flush();
        socket.send(&wire::update(hole));
        let answers = socket.flush();
        assert_eq!(answers, [wire::step_1(&[0])], "{what}");
        assert_eq!(stored(&server), [0, 0], "{what}");
        assert!(watcher.flush().is_empty(), "{what} was relayed");
    }
}

#[test]
fn the_server_asks_once_a_second_at_most_and_again_after_that() {
    let server = Server::start();
    let mut socket = Socket::open(server.address(), &path("b", &editor("alice", "b")));
    socket.flush();
    let (_, [_, _, third]) = three();
    let started = std::time::Instant::now();
    let mut asked = 0;
    while asked < 3 {
        socket.send(&wire::update(&third));
        asked += socket.flush().len();
        assert!(started.elapsed() < SOON);
    }
    assert!(
        started.elapsed().as_millis() >= 1_990,
        "three questions within {:?}",
        started.elapsed()
    );
}

#[test]
fn a_hole_is_not_on_disk_after_a_restart() {
    let server = Server::start();
    let mut socket = Socket::open(server.address(), &path("b", &editor("alice", "b")));
    let (_, [first, _, third]) = three();
    socket.send(&wire::update(&first));
    socket.send(&wire::update(&third));
    let step_2 = socket.flush();
    assert!(
        step_2
            .iter()
            .all(|m| !matches!(wire::parse(m), Message::Step2(_)))
    );
    let place = server.stop();
    let server = Setup::on(&place).start();
    assert_eq!(content_of(&stored(&server)).text, "a");
}
