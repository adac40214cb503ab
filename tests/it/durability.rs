//! What was echoed is on disk: at kill -9 at any moment, and at an orderly end.

use std::collections::HashMap;
use std::thread;
use std::time::Duration;

use crate::support::client::{Client, content_of};
use crate::support::random::Random;
use crate::support::server::{Place, Server, Setup};
use crate::support::tokens::Token;
use crate::support::{SOON, http, until};

/// The state vector and the content of a board, by client id.
fn stored(server: &Server, board: &str) -> crate::support::client::Content {
    let admin = Token::of("admin").admin().sign();
    let answer = http::get(
        server.address(),
        &format!("/v1/boards/{board}/document?token={admin}"),
    );
    assert_eq!(
        answer.status,
        200,
        "{board}: {}",
        String::from_utf8_lossy(&answer.body)
    );
    content_of(&answer.body)
}

fn setup(place: &Place) -> Setup {
    Setup::on(place)
        .flag("commit-window", "2ms")
        .flag("compact-after", "25ms")
        .flag("compact-every", "50ms")
        .flag("room-idle", "1s")
        .flag("room-sweep", "1s")
}

/// Fifty times: writers on several boards write without pause, the server is killed at a random moment, and
/// everything that was echoed before must be there afterwards, with what it was built on.
#[test]
fn nothing_that_was_echoed_is_lost_by_kill_9() {
    let seed = 4_711;
    let mut random = Random::new(seed);
    let place = Place::new();
    let mut echoed_in_all = 0;
    let mut written_in_all = 0;
    // Board and writer id: how far its echoes went.
    let mut promised: HashMap<(String, u64), u32> = HashMap::new();
    for round in 0..50u64 {
        let server = setup(&place).start();
        for ((board, id), clock) in &promised {
            let known = stored(&server, board).clocks.get(id).copied().unwrap_or(0);
            assert!(
                known >= *clock,
                "round {round}, seed {seed}: {board} has {known} of {clock} from {id}"
            );
        }
        // Old promises were kept once; the younger ones go on being checked, so that the rounds stay short.
        promised.retain(|(_, id), _| *id > round.saturating_sub(5) * 10);
        let mut writers: Vec<_> = (0..4)
            .map(|n| {
                let board = format!("board-{}", n % 3);
                let id = (round + 1) * 10 + n;
                (board.clone(), id, Client::join(&server, &board, id))
            })
            .collect();
        let life = Duration::from_micros(random.next() % 60_000);
        let killer = thread::spawn(move || {
            thread::sleep(life);
            server.kill()
        });
        let mut step = 0u64;
        while writers.iter_mut().any(|(.., client)| client.poll()) {
            for (_, id, client) in &mut writers {
                step += 1;
                client.set(&format!("{}", step % 40), &format!("{id} wrote {step}"));
                if step.is_multiple_of(10) {
                    client.write(0, "words ");
                }
            }
        }
        killer.join().unwrap();
        for (board, id, client) in writers {
            echoed_in_all += u64::from(client.saved);
            written_in_all += u64::from(client.own_clock());
            promised.insert((board, id), client.saved);
        }
    }
    let server = setup(&place).start();
    for ((board, id), clock) in promised {
        assert!(
            stored(&server, &board).clocks.get(&id).copied().unwrap_or(0) >= clock,
            "{board} {id}"
        );
    }
    assert!(
        echoed_in_all > 500,
        "only {echoed_in_all} of {written_in_all} structs were echoed: the test proves little"
    );
    server.stop();
}

#[test]
fn a_restart_keeps_everything() {
    let server = Server::start();
    let mut clients: Vec<_> = (1..=3)
        .map(|id| Client::join(&server, &format!("board-{id}"), id))
        .collect();
    for (n, client) in clients.iter_mut().enumerate() {
        for step in 0..=n {
            client.write(0, "words ");
            client.set("step", &step.to_string());
        }
        client.erase(0, 3);
        client.save();
    }
    let place = server.kill();
    let server = Setup::on(&place).start();
    for (n, client) in clients.iter().enumerate() {
        assert_eq!(stored(&server, &format!("board-{}", n + 1)), client.content());
    }
    let place = server.stop();
    let server = Setup::on(&place).start();
    for (n, client) in clients.iter().enumerate() {
        assert_eq!(stored(&server, &format!("board-{}", n + 1)), client.content());
    }
}

#[test]
fn an_echo_missed_by_a_disconnect_is_made_good() {
    let server = Server::start();
    let mut client = Client::join(&server, "b", 7);
    // As it is after a compaction, too: one struct of more bytes than an echo that is made good has.
    let long = "sent and not heard of again ".repeat(4_000);
    client.write(0, &long);
    // Durable for sure, once another client's later update is.
    let mut other = Client::join(&server, "b", 8);
    until(SOON, || {
        other.poll();
        !other.content().text.is_empty()
    });
    other.write(0, "x");
    other.save();
    client.cut();
    client.saved = 0;
    client.reconnect(server.address());
    client.save();
    // And over a restart.
    let place = server.stop();
    client.cut();
    client.saved = 0;
    let server = Setup::on(&place).start();
    client.reconnect(server.address());
    client.save();
}

#[test]
fn an_update_is_echoed_within_the_commit_window_and_not_before() {
    let server = Setup::new().flag("commit-window", "400ms").start();
    let mut client = Client::join(&server, "b", 1);
    let mut other = Client::join(&server, "b", 2);
    let started = std::time::Instant::now();
    client.write(0, "words");
    until(SOON, || {
        other.poll();
        !other.content().text.is_empty()
    });
    let relayed = started.elapsed();
    client.save();
    let saved = started.elapsed();
    assert!(
        relayed < Duration::from_millis(390),
        "relayed after {relayed:?}: it must not wait for the disk"
    );
    assert!(
        saved >= Duration::from_millis(300),
        "echoed after {saved:?}: the window was not used"
    );
}
