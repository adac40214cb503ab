//! A database that fails under load: nothing that was echoed is missing, and all goes on by itself.

use std::collections::HashMap;

use super::{Cluster, LEASE, come_back};
use crate::support::client::Client;
use crate::support::postgres::Postgres;
use crate::support::socket::path;
use crate::support::tokens::editor;
use crate::support::{SOON, until};

#[test]
fn a_database_that_stops_and_starts_loses_nothing_that_was_echoed() {
    let postgres: &'static Postgres = Box::leak(Box::new(Postgres::start()));
    let cluster = Cluster {
        postgres,
        schema: postgres.fresh_schema(),
        lease: LEASE,
    };
    let nodes = [cluster.node(), cluster.node()];
    let mut promised = HashMap::new();
    for round in 0..6u64 {
        let ids = [round * 10 + 1, round * 10 + 2];
        let mut clients: Vec<_> = (0..2)
            .map(|n| {
                let mut client = Client::offline(ids[n]);
                client.aim(&path("b", &editor("alice", "b")));
                come_back(&mut client, &nodes[n], SOON);
                client
            })
            .collect();
        for step in 0..100 {
            for client in &mut clients {
                client.set(&format!("{}", step % 20), &step.to_string());
                client.poll();
            }
        }
        match round % 3 {
            0 => postgres.stop(),
            1 => postgres.crash(),
            _ => drop(postgres.ask(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'boardwire%'",
            )),
        }
        if round % 3 != 2 {
            // It shows, with the cause, before anybody asks for a board.
            until(SOON, || nodes.iter().any(|node| node.health().0 == 503));
            postgres.start_again();
        }
        for (client, id) in clients.iter_mut().zip(ids) {
            client.poll();
            promised.insert(id, client.saved);
        }
        until(SOON, || nodes.iter().all(|node| node.health().0 == 200));
        let stored = cluster.stored(&nodes[0], "b");
        for (id, clock) in &promised {
            let known = stored.clocks.get(id).copied().unwrap_or(0);
            assert!(known >= *clock, "round {round}: {known} of {clock} from {id}");
        }
        // Whoever was on it goes on by itself.
        until(SOON, || {
            for (node, client) in clients.iter_mut().enumerate() {
                if !client.poll() {
                    client.try_reconnect(nodes[node].address());
                }
            }
            clients.iter().all(Client::is_saved) && clients[0].content() == clients[1].content()
        });
    }
}
