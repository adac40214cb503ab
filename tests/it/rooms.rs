//! One room a board, loaded once; never an empty one in place of what is stored.

use std::sync::Barrier;
use std::thread;
use std::time::{Duration, Instant};

use boardwire::audit::{Action, Actor, Entry, EntryKey};
use boardwire::ids::{BoardId, UserId};
use boardwire::store::redb::RedbStore;
use boardwire::store::{Act, Applied, BoardLog, Change, Store};
use boardwire::time::UnixMillis;
use bytes::Bytes;

use crate::support::client::{Client, content_of, converge};
use crate::support::random::Random;
use crate::support::server::{Place, Setup};
use crate::support::socket::{Socket, path};
use crate::support::tokens::{Token, editor};
use crate::support::wire::{self, Message};
use crate::support::{SOON, http, until};

/// A server whose rooms leave memory as early as the settings allow.
fn forgetful(place: &Place) -> Setup {
    Setup::on(place)
        .flag("room-idle", "1s")
        .flag("room-sweep", "1s")
        .flag("compact-after", "20ms")
        .flag("compact-every", "40ms")
        .flag("commit-window", "2ms")
}

#[test]
fn a_storm_of_joins_on_a_cold_board_makes_one_room_with_everything() {
    let place = Place::new();
    let server = Setup::on(&place).start();
    let mut author = Client::join(&server, "b", 1);
    for n in 0..100 {
        author.set(&format!("shape:{n}"), &"x".repeat(500));
    }
    author.write(0, "words");
    author.save();
    server.stop();
    let server = Setup::on(&place).start();
    const CLIENTS: usize = 150;
    let barrier = Barrier::new(10);
    let mut clients: Vec<Client> = thread::scope(|scope| {
        let (barrier, server) = (&barrier, &server);
        let threads: Vec<_> = (0..10)
            .map(|part| {
                scope.spawn(move || {
                    let offline = (0..CLIENTS / 10).map(|n| Client::offline(100 + (part * 100 + n) as u64));
                    let mut clients: Vec<_> = offline.collect();
                    barrier.wait();
                    for client in &mut clients {
                        client.connect(server.address(), &path("b", &editor("crowd", "b")));
                    }
                    clients.iter_mut().for_each(Client::sync);
                    clients
                })
            })
            .collect();
        threads
            .into_iter()
            .flat_map(|thread| thread.join().unwrap())
            .collect()
    });
    assert_eq!(clients.len(), CLIENTS);
    for client in &clients {
        assert_eq!(client.content(), author.content());
    }
    assert_eq!(server.rooms(), 1);
    // They are in one room: what one writes, all see.
    clients[17].write(0, "seen by all: ");
    converge(&mut clients);
}

#[test]
fn a_storm_of_joins_on_a_new_board_creates_it_once() {
    let server = Setup::new().start();
    for round in 0..5 {
        let board = format!("new-{round}");
        let barrier = Barrier::new(8);
        let mut clients: Vec<Client> = thread::scope(|scope| {
            let (barrier, server, board) = (&barrier, &server, &board);
            let threads: Vec<_> = (1..=8)
                .map(|id| {
                    scope.spawn(move || {
                        barrier.wait();
                        let mut client = Client::join(server, board, id);
                        client.write(0, "x");
                        client
                    })
                })
                .collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        converge(&mut clients);
        assert_eq!(clients[0].content().text.len(), 8);
    }
    assert_eq!(server.rooms(), 5);
    assert_eq!(server.log().matches("board created").count(), 5);
}

#[test]
fn a_room_without_clients_unloads_and_comes_back_with_everything() {
    let place = Place::new();
    let server = forgetful(&place).start();
    let mut client = Client::join(&server, "b", 1);
    let watcher = Client::join(&server, "watched", 2);
    client.write(0, "words");
    client.save();
    client.cut();
    until(SOON, || server.rooms() == 1);
    client.reconnect(server.address());
    assert_eq!(Client::join(&server, "b", 3).content(), client.content());
    assert_eq!(server.rooms(), 2);
    drop(watcher);
    until(SOON, || server.rooms() == 1);
    // With clients, it stays: two sweeps have passed at the least.
    let started = Instant::now();
    until(SOON, || started.elapsed() > Duration::from_millis(2_500));
    assert_eq!(server.rooms(), 1);
    client.write(0, "more ");
    client.save();
}

/// Rooms unload while their boards are joined again, many at once and in several rounds: nobody ever gets an
/// empty board or one that others do not share.
#[test]
fn unloading_races_with_joining_and_nothing_is_lost() {
    const BOARDS: usize = 48;
    let seed = 99;
    let mut random = Random::new(seed);
    let place = Place::new();
    let server = forgetful(&place).start();
    let mut clients: Vec<Client> = (0..BOARDS)
        .map(|n| Client::join(&server, &format!("b{n}"), n as u64 + 1))
        .collect();
    let mut expected = vec![0; BOARDS];
    for round in 0..6 {
        for (client, expected) in clients.iter_mut().zip(&mut expected) {
            client.write(0, "x");
            *expected += 1;
            client.save();
            client.cut();
        }
        // The sweep comes once a second; rejoin from a little before its next turn until all are back.
        let unloaded = || server.log().matches("room unloaded").count();
        let before = unloaded();
        let started = Instant::now();
        let wait = Duration::from_millis(900 + random.next() % 300);
        until(SOON, || unloaded() > before || started.elapsed() > wait);
        let mut order: Vec<usize> = (0..BOARDS).collect();
        for at in (1..BOARDS).rev() {
            order.swap(at, random.below(at + 1));
        }
        let server = &server;
        let expected = &expected;
        thread::scope(|scope| {
            for part in order.chunks(BOARDS / 2) {
                scope.spawn(move || {
                    for &n in part {
                        let board = format!("b{n}");
                        // Two at once, each with an empty document: a second room would part them.
                        let mut two = [(); 2].map(|()| Client::offline(1_000 + (round * 2) as u64));
                        two[1] = Client::offline(1_001 + (round * 2) as u64);
                        for client in &mut two {
                            client.connect(server.address(), &path(&board, &editor("racer", &board)));
                        }
                        for client in &mut two {
                            client.sync();
                            assert_eq!(
                                client.content().text.len(),
                                expected[n],
                                "round {round}, {board}, seed {seed}"
                            );
                        }
                        two[0].set("racer", &round.to_string());
                        converge(&mut two);
                    }
                });
            }
        });
        for client in &mut clients {
            client.reconnect(server.address());
        }
    }
    let place = server.kill();
    let server = Setup::on(&place).start();
    for (n, expected) in expected.iter().enumerate() {
        assert_eq!(
            Client::join(&server, &format!("b{n}"), 5_000)
                .content()
                .text
                .len(),
            *expected
        );
    }
}

/// Makes a board.
fn create(board: &BoardId) -> Change {
    Change::Act {
        board: board.clone(),
        act: Act::Create {
            owner: UserId::parse("alice"),
            title: None,
        },
        as_owner: None,
        entry: Box::new(Entry::new(
            EntryKey {
                at: UnixMillis(0),
                n: 0,
            },
            Actor::unknown(),
            Action::BoardCreate,
        )),
    }
}

#[test]
fn a_board_that_cannot_be_read_is_refused_and_left_alone() {
    let place = Place::new();
    let bad = BoardId::parse("bad").unwrap();
    let good = BoardId::parse("good").unwrap();
    let append = |board: &BoardId, sequence, update: &[u8]| Change::Append {
        board: board.clone(),
        sequence,
        update: Bytes::copy_from_slice(update),
        at: UnixMillis(1),
    };
    let mut client = Client::offline(7);
    let update = client.change(|transaction, _, text, _| {
        use yrs::Text;
        text.insert(transaction, 0, "kept");
    });
    let stored = {
        let store = RedbStore::open(&place.data()).unwrap();
        let changes = [
            create(&bad),
            append(&bad, 1, &update),
            append(&bad, 2, b"these bytes are no update"),
            create(&good),
            append(&good, 1, &update),
        ];
        assert_eq!(store.commit(&changes).unwrap(), [Applied::Done; 5]);
        store.load(&bad).unwrap()
    };
    for (codes, code) in [("plain", 1011), ("mirror", 4503)] {
        let server = forgetful(&place).flag("close-codes", codes).start();
        for id in 1..=2 {
            let mut socket = Socket::open(server.address(), &path("bad", &editor("alice", "bad")));
            assert!(matches!(wire::parse(&socket.message()), Message::Denied(_)));
            // An eager client's changes must not be taken for the board.
            socket.send(&wire::update(&Client::offline(id).state()));
            assert_eq!(socket.closed().0, code);
        }
        let admin = Token::of("admin").admin().sign();
        let answer = http::get(
            server.address(),
            &format!("/v1/boards/bad/document?token={admin}"),
        );
        assert_eq!(answer.status, 503);
        assert_eq!(server.health().0, 200, "the others are served");
        assert!(
            server.log().contains("does not decode"),
            "it is told loudly:\n{}",
            server.log()
        );
        let mut other = Client::join(&server, "good", 3);
        assert_eq!(other.content().text, "kept");
        other.write(4, "!");
        other.save();
        let mut watching = Client::join(&server, "good", 4);
        other.erase(4, 1);
        // Nothing of its own comes back for a deletion: it has arrived when another sees it.
        until(SOON, || watching.poll() && watching.content().text == "kept");
        server.stop();
    }
    let store = RedbStore::open(&place.data()).unwrap();
    assert_eq!(
        store.load(&bad).unwrap(),
        stored,
        "not a row of the unreadable board was touched"
    );
    assert_eq!(content_of(&update).text, "kept");
}

/// Somebody who reads a board that is not there yet must not make its creation fail for somebody who may
/// create it.
#[test]
fn a_reader_of_a_missing_board_does_not_stop_its_creation() {
    let server = Setup::new().start();
    let admin = Token::of("admin").admin().sign();
    for round in 0..40 {
        let board = format!("new-{round}");
        thread::scope(|scope| {
            scope.spawn(|| {
                let target = format!("/v1/boards/{board}/document?token={admin}");
                let status = http::get(server.address(), &target).status;
                assert!(matches!(status, 200 | 404), "{status}");
            });
            let mut socket = Socket::open(server.address(), &path(&board, &admin));
            let first = socket.message();
            assert!(matches!(wire::parse(&first), Message::Step1(_)), "{first:?}");
        });
    }
}
