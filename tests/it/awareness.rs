//! Presence: everybody sees who is here, nobody speaks for others, and who leaves is gone at once.

use std::time::{Duration, Instant};

use boardwire::ids::Level;

use crate::support::server::Server;
use crate::support::socket::{Event, Socket, path};
use crate::support::tokens::{Token, editor};
use crate::support::wire::{self, Message};
use crate::support::{SOON, until};

fn open(server: &Server, user: &str) -> Socket {
    let mut socket = Socket::open(server.address(), &path("b", &editor(user, "b")));
    socket.flush();
    socket
}

/// Reads until an awareness message tells `id` with `state`; fails when one tells it otherwise after that.
#[track_caller]
fn sees(socket: &mut Socket, id: u64, state: &str) -> u64 {
    let mut clock = None;
    until(SOON, || {
        while clock.is_none() {
            match socket.poll() {
                Some(Event::Message(message)) => {
                    if let Message::Awareness(entries) = wire::parse(&message) {
                        clock = entries.iter().find(|e| e.0 == id && e.2 == state).map(|e| e.1);
                    }
                }
                Some(Event::Pong(_)) => {}
                Some(other) => panic!("{other:?}"),
                None => return false,
            }
        }
        true
    });
    clock.unwrap()
}

/// The awareness entries in `messages`.
fn entries(messages: &[Vec<u8>]) -> Vec<(u64, u64, String)> {
    let entries = |message: &Vec<u8>| match wire::parse(message) {
        Message::Awareness(entries) => entries,
        _ => Vec::new(),
    };
    messages.iter().flat_map(entries).collect()
}

/// Waits longer than the server gathers changes, and gives what came.
fn settled(socket: &mut Socket) -> Vec<Vec<u8>> {
    let started = Instant::now();
    let mut messages = Vec::new();
    while started.elapsed() < Duration::from_millis(150) {
        messages.extend(socket.flush());
    }
    messages
}

#[test]
fn states_reach_the_others_and_those_who_come_later() {
    let server = Server::start();
    let (mut alice, mut bob) = (open(&server, "alice"), open(&server, "bob"));
    alice.send(&wire::awareness(&[(1, 1, r#"{"name":"alice"}"#)]));
    sees(&mut bob, 1, r#"{"name":"alice"}"#);
    bob.send(&wire::awareness(&[(2, 5, r#"{"name":"bob"}"#)]));
    sees(&mut alice, 2, r#"{"name":"bob"}"#);
    alice.send(&wire::awareness(&[(1, 2, r#"{"name":"alice","x":1}"#)]));
    sees(&mut bob, 1, r#"{"name":"alice","x":1}"#);
    // Unasked, and asked.
    let mut carol = Socket::open(server.address(), &path("b", &editor("carol", "b")));
    let told = entries(&carol.flush());
    let expected = [
        (1, 2, r#"{"name":"alice","x":1}"#.to_owned()),
        (2, 5, r#"{"name":"bob"}"#.to_owned()),
    ];
    assert_eq!(told, expected);
    carol.send(&[3]);
    assert_eq!(entries(&carol.flush()), expected);
}

#[test]
fn viewers_show_presence_too() {
    let server = Server::start();
    let mut alice = open(&server, "alice");
    for (id, level) in [(2, Level::View), (3, Level::Comment)] {
        let token = Token::of("reader").with("b", level).sign();
        let mut reader = Socket::open(server.address(), &path("b", &token));
        reader.send(&wire::awareness(&[(id, 1, r#"{"here":true}"#)]));
        sees(&mut alice, id, r#"{"here":true}"#);
    }
}

#[test]
fn who_leaves_is_gone_at_once_however_it_leaves() {
    let server = Server::start();
    let mut watcher = open(&server, "watcher");
    for (id, way) in (10..).zip(["cut", "close", "null", "malformed"]) {
        let mut leaver = open(&server, "leaver");
        leaver.send(&wire::awareness(&[(id, 1, "{}")]));
        sees(&mut watcher, id, "{}");
        let started = Instant::now();
        match way {
            "cut" => {}
            "close" => leaver.send_frame(0x88, &1000u16.to_be_bytes()),
            "null" => leaver.send(&wire::awareness(&[(id, 2, "null")])),
            _ => leaver.send(&[0]),
        }
        if way == "cut" {
            drop(leaver);
        }
        sees(&mut watcher, id, "null");
        assert!(
            started.elapsed() < Duration::from_secs(5),
            "{way}: {:?}",
            started.elapsed()
        );
    }
    watcher.send(&[3]);
    assert_eq!(entries(&watcher.flush()), [], "nobody is left");
}

#[test]
fn nobody_speaks_for_somebody_else() {
    let server = Server::start();
    let (mut alice, mut mallory) = (open(&server, "alice"), open(&server, "mallory"));
    let mut watcher = open(&server, "watcher");
    alice.send(&wire::awareness(&[(1, 1, r#"{"name":"alice"}"#)]));
    sees(&mut watcher, 1, r#"{"name":"alice"}"#);
    // As the first message (a claim), as a later one, as a goodbye, with a clock far ahead: all are dropped
    // in silence.
    for entry in [
        (1, 9, r#"{"name":"mallory"}"#),
        (1, 10, "null"),
        (1, 1 << 40, "{}"),
        (1, 1, "null"),
    ] {
        mallory.send(&wire::awareness(&[entry]));
    }
    // In company of an id of its own.
    mallory.send(&wire::awareness(&[
        (2, 1, r#"{"name":"m"}"#),
        (1, 3, r#"{"name":"m"}"#),
    ]));
    sees(&mut watcher, 2, r#"{"name":"m"}"#);
    drop(mallory);
    sees(&mut watcher, 2, "null");
    watcher.send(&[3]);
    assert_eq!(
        entries(&watcher.flush()),
        [(1, 1, r#"{"name":"alice"}"#.to_owned())]
    );
}

#[test]
fn what_others_send_back_is_not_broadcast_again() {
    let server = Server::start();
    let (mut alice, mut bob) = (open(&server, "alice"), open(&server, "bob"));
    let mut watcher = open(&server, "watcher");
    alice.send(&wire::awareness(&[(1, 1, "{}")]));
    sees(&mut watcher, 1, "{}");
    settled(&mut watcher);
    for _ in 0..20 {
        bob.send(&wire::awareness(&[(1, 1, "{}")]));
        alice.send(&wire::awareness(&[(1, 1, "{}")]));
    }
    bob.flush();
    alice.flush();
    assert_eq!(entries(&settled(&mut watcher)), []);
}

#[test]
fn bursts_are_gathered_into_few_broadcasts() {
    let server = Server::start();
    let (mut alice, mut watcher) = (open(&server, "alice"), open(&server, "watcher"));
    let started = Instant::now();
    for clock in 1..=500u64 {
        alice.send(&wire::awareness(&[(1, clock, &format!("{clock}"))]));
    }
    let mut broadcasts = 0;
    loop {
        if let Event::Message(message) = watcher.next()
            && let Message::Awareness(entries) = wire::parse(&message)
        {
            broadcasts += 1;
            if entries.iter().any(|entry| entry.1 == 500) {
                break;
            }
        }
    }
    let most = started.elapsed().as_millis() / 33 + 2;
    assert!(
        broadcasts <= most,
        "{broadcasts} broadcasts in {:?}",
        started.elapsed()
    );
}

#[test]
fn a_quick_reconnect_keeps_the_id_alive() {
    let server = Server::start();
    let (mut old, mut watcher) = (open(&server, "alice"), open(&server, "watcher"));
    old.send(&wire::awareness(&[(1, 4, r#"{"tab":1}"#)]));
    sees(&mut watcher, 1, r#"{"tab":1}"#);
    // The new connection comes before the old one is known to be dead.
    let mut new = open(&server, "alice");
    new.send(&wire::awareness(&[(1, 4, r#"{"tab":1}"#)]));
    new.flush();
    drop(old);
    settled(&mut watcher);
    watcher.send(&[3]);
    let told = entries(&watcher.flush());
    assert!(
        told.iter().any(|(id, _, state)| *id == 1 && state != "null"),
        "{told:?}"
    );
    drop(new);
    sees(&mut watcher, 1, "null");
}

#[test]
fn who_returns_with_an_old_clock_is_made_to_raise_it() {
    let server = Server::start();
    let (mut alice, mut watcher) = (open(&server, "alice"), open(&server, "watcher"));
    alice.send(&wire::awareness(&[(1, 7, "{}")]));
    sees(&mut watcher, 1, "{}");
    drop(alice);
    let removed_at = sees(&mut watcher, 1, "null");
    let mut alice = open(&server, "alice");
    alice.send(&wire::awareness(&[(1, 7, "{}")]));
    // Told that its own state is gone, with a clock at least as high, a stock client raises its clock at
    // once.
    let clock = sees(&mut alice, 1, "null");
    assert!(clock >= 7 && clock >= removed_at);
    alice.send(&wire::awareness(&[(1, clock + 1, "{}")]));
    assert!(sees(&mut watcher, 1, "{}") <= clock + 1);
    until(SOON, || {
        watcher.send(&[3]);
        entries(&watcher.flush())
            .iter()
            .any(|entry| entry.0 == 1 && entry.1 == clock + 1)
    });
}

#[test]
fn a_state_may_be_16_kib_and_a_connection_speaks_for_8_ids() {
    let server = Server::start();
    let (mut alice, mut watcher) = (open(&server, "alice"), open(&server, "watcher"));
    let state = |bytes: usize| format!("\"{}\"", "x".repeat(bytes - 2));
    alice.send(&wire::awareness(&[(1, 1, &state(16 * 1024))]));
    sees(&mut watcher, 1, &state(16 * 1024));
    alice.send(&wire::awareness(&[(1, 2, &state(16 * 1024 + 1))]));
    alice.flush();
    for id in 2..=9 {
        alice.send(&wire::awareness(&[(id, 1, "{}")]));
    }
    sees(&mut watcher, 8, "{}");
    settled(&mut watcher);
    watcher.send(&[3]);
    let told: Vec<_> = entries(&watcher.flush())
        .into_iter()
        .map(|(id, clock, _)| (id, clock))
        .collect();
    assert_eq!(told, (1..=8).map(|id| (id, 1)).collect::<Vec<_>>());
}
