//! A database that fails under load: nothing that was echoed is missing, and all goes on by itself.

use std::collections::HashMap;
use std::thread;
use std::time::Duration;

use super::load::Load;
use super::{Cluster, SKIPPED, come_back, own_database, with_mount};
use crate::support::client::Client;
use crate::support::postgres::Postgres;
use crate::support::proxy::Proxy;
use crate::support::random::Random;
use crate::support::server::Server;
use crate::support::socket::path;
use crate::support::tokens::editor;
use crate::support::{SOON, until};

/// Waits until one of the nodes says that it is ill, in these words.
#[track_caller]
fn is_told(nodes: &[Server], words: &str) {
    until(SOON, || {
        nodes.iter().any(|node| {
            let (status, health) = node.health();
            status == 503 && health.to_string().contains(words)
        })
    });
}

#[test]
fn a_database_that_stops_and_starts_loses_nothing_that_was_echoed() {
    let postgres = own_database(&[]);
    let cluster = Cluster::on(postgres);
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
        cluster.keeps(&nodes[0], "b", &promised);
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

#[test]
fn a_database_whose_connections_are_cut_again_and_again_loses_nothing_that_was_echoed() {
    let way = Proxy::to(Postgres::shared().port);
    let cluster = Cluster::new().by(way.port());
    let nodes = [cluster.node(), cluster.node()];
    let mut random = Random::new(23);
    let promised = Load::on(&nodes, "b", |load| {
        for round in 0..30 {
            // In the middle of anything: after a COMMIT that was done and before its answer, too.
            way.cut_after(Some(random.below(40) as u64));
            thread::sleep(Duration::from_millis(random.below(100) as u64));
            way.cut();
            if round % 10 == 9 {
                is_told(&nodes, "the database cannot be reached");
                way.cut_after(None);
                load.goes_on();
            }
            way.cut_after(None);
            thread::sleep(Duration::from_millis(random.below(150) as u64));
        }
        load.goes_on();
    });
    cluster.keeps(&nodes[0], "b", &promised);
}

#[test]
fn a_database_that_becomes_read_only_loses_nothing_that_was_echoed() {
    let postgres = own_database(&[]);
    let cluster = Cluster::on(postgres);
    let nodes = [cluster.node(), cluster.node()];
    let promised = Load::on(&nodes, "b", |load| {
        for _ in 0..2 {
            postgres.ask("ALTER SYSTEM SET default_transaction_read_only = on");
            postgres.ask("SELECT pg_reload_conf()");
            is_told(&nodes, "the database is read-only");
            postgres.ask("ALTER SYSTEM SET default_transaction_read_only = off");
            postgres.ask("SELECT pg_reload_conf()");
            load.goes_on();
        }
    });
    cluster.keeps(&nodes[0], "b", &promised);
}

/// The tables lie on a small disk of their own; making one takes root.
#[test]
fn a_database_whose_disk_is_full_loses_nothing_that_was_echoed() {
    let small = tempfile::tempdir().unwrap();
    let disk = small.path().display().to_string();
    let mount = format!("-t tmpfs -o size=64m,mode=777 none {disk}");
    let Some(starter) = with_mount(&["--mount"], &mount) else {
        return println!("{SKIPPED}");
    };
    let starter: Vec<&str> = starter.iter().map(String::as_str).collect();
    let prepare = format!("mv data/base {disk}/base && ln -s {disk}/base data/base");
    let postgres = &*Box::leak(Box::new(Postgres::start_by(&starter, &prepare, &[])));
    let cluster = Cluster::on(postgres);
    let nodes = [cluster.node(), cluster.node()];
    let promised = Load::on(&nodes, "b", |load| {
        for _ in 0..2 {
            postgres.order(&format!("cat /dev/zero >{disk}/ballast 2>/dev/null"));
            is_told(&nodes, "the disk of the database is full");
            postgres.order(&format!("rm {disk}/ballast"));
            load.goes_on();
        }
    });
    cluster.keeps(&nodes[0], "b", &promised);
}

#[test]
fn a_database_that_fails_over_to_a_synchronous_standby_loses_nothing_that_was_echoed() {
    let first = own_database(&[]);
    let copy = format!(
        "rm -r data && \"$BIN/pg_basebackup\" -D data -R -c fast -d 'host={} port={} user=owner'",
        first.directory.display(),
        first.port
    );
    let standby = Postgres::start_with(&copy, &["cluster_name=standby"]);
    first.ask("ALTER SYSTEM SET synchronous_standby_names = 'standby'");
    first.ask("SELECT pg_reload_conf()");
    until(SOON, || {
        first.ask("SELECT sync_state FROM pg_stat_replication") == "sync"
    });
    let way = Proxy::to(first.port);
    let cluster = Cluster::on(first).by(way.port());
    let nodes = [cluster.node(), cluster.node()];
    let promised = Load::on(&nodes, "b", |load| {
        first.crash();
        is_told(&nodes, "the database cannot be reached");
        // Nobody takes writes yet.
        way.lead_to(standby.port);
        is_told(&nodes, "a standby");
        standby.ask("SELECT pg_promote()");
        load.goes_on();
    });
    cluster.keeps(&nodes[0], "b", &promised);
}
