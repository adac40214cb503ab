//! What is paused for longer than anybody waits: an owner, and the database.

use std::thread;
use std::time::{Duration, Instant};

use boardwire::limits::DATABASE_OWNERSHIP_TIME_MAX;

use super::load::Load;
use super::{BACK, Cluster, come_back, own_database, signal};
use crate::support::client::{Client, converge};
use crate::support::server::Server;
use crate::support::socket::path;
use crate::support::tokens::editor;
use crate::support::{SOON, until};

#[test]
fn an_owner_that_sleeps_longer_than_its_lease_serves_nobody_stale_and_writes_nothing() {
    let cluster = Cluster::new();
    let asleep = 2 * cluster.lease;
    sleeps(&cluster, asleep);
}

/// Both take their time, so they share it.
#[test]
fn nothing_is_stale_nor_lost_where_an_owner_sleeps_for_30_s_or_the_database_for_37() {
    thread::scope(|scope| {
        let owner = || {
            sleeps(
                &Cluster::with_lease(Duration::from_secs(10)),
                Duration::from_secs(30),
            )
        };
        let both = [
            scope.spawn(owner),
            scope.spawn(|| database_sleeps(Duration::from_secs(37))),
        ];
        for one in both {
            if let Err(panic) = one.join() {
                std::panic::resume_unwind(panic);
            }
        }
    });
}

/// An owner sleeps so long, counted from the last word of it.
fn sleeps(cluster: &Cluster, asleep: Duration) {
    let nodes = [cluster.node(), cluster.node()];
    let mut old = Client::join(&nodes[0], "b", 1);
    old.set("a", "before");
    old.save();
    signal(&nodes[0], "STOP");
    let begun = Instant::now();
    // It comes to whoever wakes.
    old.set("a", "too late");
    let mut new = Client::offline(2);
    new.aim(&path("b", &editor("user-2", "b")));
    come_back(&mut new, &nodes[1], cluster.lease + BACK);
    new.set("a", "after");
    new.save();
    // They knock while it sleeps, and are the first that it sees when it wakes.
    let early = || {
        let mut early = Client::offline(3);
        early.aim(&path("b", &editor("early", "b")));
        let is_in = early.try_reconnect(nodes[0].address());
        assert!(!is_in || early.value("a").as_deref() == Some("after"));
    };
    let wait =
        |left: Duration| thread::sleep((begun + asleep - left).saturating_duration_since(Instant::now()));
    wait(Duration::from_millis(500));
    thread::scope(|scope| {
        let early = [(); 5].map(|()| scope.spawn(early));
        wait(Duration::ZERO);
        signal(&nodes[0], "CONT");
        early.into_iter().for_each(|one| one.join().unwrap());
    });
    // Whoever comes to it from now on gets what the new owner has.
    for number in 0..20 {
        let mut late = Client::offline(100 + number);
        late.aim(&path("b", &editor("late", "b")));
        come_back(&mut late, &nodes[0], BACK + BACK);
        assert_eq!(late.value("a").as_deref(), Some("after"), "{number}");
    }
    until(SOON, || !old.poll());
    assert_eq!(old.value("a").as_deref(), Some("too late"), "it has not lost it");
    let saved = old.saved;
    assert!(saved < old.own_clock(), "it was never echoed");
    let stored = cluster.stored(&nodes[1], "b");
    assert_eq!(stored.clocks.get(&1).copied().unwrap_or(0), saved, "nor written");
    // Back again, it is merged as any other change.
    come_back(&mut old, &nodes[0], BACK);
    converge(&mut [old, new]);
}

/// A database sleeps under load, for longer than any answer of it is waited for.
fn database_sleeps(asleep: Duration) {
    let postgres = own_database(&[]);
    let cluster = Cluster::on(postgres);
    let nodes = [cluster.node(), cluster.node()];
    let promised = Load::on(&nodes, "b", |load| {
        load.close(true);
        postgres.order("pause");
        let begun = Instant::now();
        // Long before anybody gives up waiting for a commit: no lease can be renewed.
        until(cluster.lease + DATABASE_OWNERSHIP_TIME_MAX + BACK, || {
            nodes.iter().all(is_late)
        });
        let echoed = load.echoed();
        thread::sleep((begun + asleep).saturating_duration_since(Instant::now()));
        assert_eq!(
            load.echoed(),
            echoed,
            "nothing is echoed that cannot be committed"
        );
        postgres.order("resume");
        load.close(false);
        load.goes_on();
    });
    cluster.keeps(&nodes[0], "b", &promised);
}

/// Whether a node says that its database is late.
fn is_late(node: &Server) -> bool {
    let (status, health) = node.health();
    let reason = health["reason"].as_str().unwrap_or_default();
    status == 503 && reason.contains("the database did not answer in time")
}
