//! An owner that is paused for longer than its lease.

use std::thread;

use super::{BACK, Cluster, come_back, signal};
use crate::support::client::{Client, converge};
use crate::support::socket::path;
use crate::support::tokens::editor;
use crate::support::{SOON, until};

#[test]
fn an_owner_that_sleeps_longer_than_its_lease_serves_nobody_stale_and_writes_nothing() {
    let cluster = Cluster::new();
    let nodes = [cluster.node(), cluster.node()];
    let mut old = Client::join(&nodes[0], "b", 1);
    old.set("a", "before");
    old.save();
    signal(&nodes[0], "STOP");
    // It comes to whoever wakes.
    old.set("a", "too late");
    let mut new = Client::offline(2);
    new.aim(&path("b", &editor("user-2", "b")));
    come_back(&mut new, &nodes[1], cluster.lease + BACK);
    new.set("a", "after");
    new.save();
    thread::sleep(cluster.lease);
    signal(&nodes[0], "CONT");
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
    let known = cluster
        .stored(&nodes[1], "b")
        .clocks
        .get(&1)
        .copied()
        .unwrap_or(0);
    assert_eq!(known, saved, "nor written");
    // Back again, it is merged as any other change.
    come_back(&mut old, &nodes[0], BACK);
    converge(&mut [old, new]);
}
