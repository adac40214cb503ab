//! A board has one owner at a time, and another one soon where that is gone.

use std::collections::HashMap;
use std::thread;
use std::time::{Duration, Instant};

use super::{BACK, Cluster, come_back};
use crate::support::client::{Client, converge};
use crate::support::random::Random;
use crate::support::server::Server;
use crate::support::socket::path;
use crate::support::tokens::editor;
use crate::support::{SOON, until};

#[test]
fn an_owner_that_is_killed_is_replaced_and_nothing_echoed_is_missing() {
    const ROUNDS: u64 = 50;
    let cluster = Cluster::new();
    let mut nodes: Vec<Server> = cluster.three().into();
    let mut random = Random::new(11);
    let mut promised: HashMap<u64, u32> = HashMap::new();
    let mut slowest = Duration::ZERO;
    for round in 0..ROUNDS {
        let mut writers: Vec<_> = (0..3)
            .map(|n| Client::join(&nodes[n as usize], "b", (round + 1) * 10 + n))
            .collect();
        let until_then = Instant::now() + Duration::from_micros(random.next() % 100_000);
        let mut step = 0;
        while Instant::now() < until_then {
            for client in &mut writers {
                step += 1;
                client.set(&format!("{}", step % 30), &format!("{step}"));
                client.poll();
            }
        }
        let dead = cluster.owner("b", &nodes);
        let survivor = (dead + 1) % 3;
        nodes.remove(dead).kill();
        let killed = Instant::now();
        nodes.insert(dead, cluster.node());
        for (number, client) in writers.iter_mut().enumerate() {
            while client.poll() && killed.elapsed() < SOON {}
            promised.insert((round + 1) * 10 + number as u64, client.saved);
        }
        // Whoever writes on gets its echo.
        let back = &mut writers[survivor];
        come_back(back, &nodes[survivor], cluster.lease + BACK);
        back.set("again", &round.to_string());
        back.save();
        slowest = slowest.max(killed.elapsed());
        assert!(
            killed.elapsed() < cluster.lease + BACK,
            "round {round}: {:?}",
            killed.elapsed()
        );
        cluster.keeps(&nodes[random.below(3)], "b", &promised);
        promised.retain(|id, _| *id > round.saturating_sub(3) * 10);
    }
    println!("slowest: {slowest:?}");
}

#[test]
fn an_owner_that_is_stopped_hands_over_within_a_second() {
    let cluster = Cluster::with_lease(Duration::from_secs(60));
    let mut nodes = vec![cluster.node(), cluster.node()];
    let mut client = Client::join(&nodes[0], "b", 1);
    let mut other = Client::join(&nodes[1], "b", 2);
    client.set("a", "1");
    client.save();
    let at = cluster.owner("b", &nodes);
    let owner = nodes.remove(at);
    client.set("b", "2");
    let begun = Instant::now();
    owner.terminate();
    until(SOON, || !client.poll() & !other.poll());
    assert_eq!(other.closed.as_ref().map(|(code, _)| *code), Some(1001));
    for client in [&mut client, &mut other] {
        come_back(client, &nodes[0], Duration::from_secs(1));
    }
    let mut both = [client, other];
    converge(&mut both);
    assert!(begun.elapsed() < Duration::from_secs(1), "{:?}", begun.elapsed());
    drop(owner.stop());
}

#[test]
fn of_two_nodes_that_race_for_a_cold_board_one_gets_it() {
    let cluster = Cluster::new();
    let nodes = [cluster.node(), cluster.node()];
    for number in 0..200 {
        let board = format!("b{number}");
        let (first, second) = thread::scope(|scope| {
            let join = |node: usize| {
                let (nodes, board) = (&nodes, &board);
                move || {
                    let mut client = Client::offline(node as u64 + 1);
                    client.aim(&path(board, &editor("alice", board)));
                    come_back(&mut client, &nodes[node], SOON);
                    client.set(&format!("{node}"), "x");
                    client
                }
            };
            let first = scope.spawn(join(0));
            let second = scope.spawn(join(1));
            (first.join().unwrap(), second.join().unwrap())
        });
        let mut clients = [first, second];
        until(SOON, || {
            for (node, client) in clients.iter_mut().enumerate() {
                // Who was with the one that lost comes back.
                if !client.poll() {
                    client.try_reconnect(nodes[node].address());
                }
            }
            clients.iter().all(Client::is_saved) && clients[0].content() == clients[1].content()
        });
    }
}
