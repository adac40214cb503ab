//! What goes wrong where several nodes share a log: links, machines, clocks, and the way to the log.
//!
//! Owns which woes a run has, and when. Must not know what must hold. Key invariant: each woe is over by
//! itself, or once the scene is mended.

use std::sync::Arc;

use super::cluster::{Cluster, NODES, Place, Running};
use super::executor::Random;
use super::ms;
use crate::time::Tick;

/// What may go wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Woe {
    /// A link is cut, or lost.
    Cut,
    Lost,
    /// A node is killed, stopped in order, or stands still for longer than its lease.
    Crash,
    Stop,
    Pause,
    /// A node does not reach the log, may only read it, or its next operations succeed and nobody tells it.
    Storeless,
    ReadOnly,
    Hiccup,
    /// The log fails for all.
    LogFails,
    /// Two nodes, or a client and a node, do not reach each other.
    NodesApart,
    ClientApart,
    /// A wall clock jumps; the clock that leases end by does, back or ahead.
    WallJumps,
    LeasesJumpBack,
    LeasesJumpAhead,
}

const WOES: [Woe; 14] = [
    Woe::Cut,
    Woe::Lost,
    Woe::Crash,
    Woe::Stop,
    Woe::Pause,
    Woe::Storeless,
    Woe::ReadOnly,
    Woe::Hiccup,
    Woe::LogFails,
    Woe::NodesApart,
    Woe::ClientApart,
    Woe::WallJumps,
    Woe::LeasesJumpBack,
    Woe::LeasesJumpAhead,
];

/// How often a woe is one of a run's, of a hundred: the last excuses stale copies.
fn share(woe: Woe) -> u64 {
    if woe == Woe::LeasesJumpAhead { 10 } else { 45 }
}

/// Starts a new node at a seat whenever there is none.
pub(super) async fn keep_running(cluster: Arc<Cluster>, seat: usize) {
    loop {
        cluster.world.sleep(ms(200)).await;
        if cluster.running(seat).is_none() {
            cluster.world.nap(ms(0), ms(3_000)).await;
            cluster.start(seat);
        }
    }
}

/// Lets things go wrong; which, and how often, is this run's own.
pub(super) async fn woes(cluster: Arc<Cluster>, clients: Vec<u64>, until: Tick) {
    let world = cluster.world.clone();
    let is_one = |woe: &Woe| world.random(|random| random.chance(share(*woe)));
    let woes: Vec<Woe> = WOES.into_iter().filter(is_one).collect();
    if woes.contains(&Woe::LeasesJumpAhead) {
        cluster.excuse_stale_copies();
    }
    let pace = world.random(|random| random.time(ms(300), ms(4_000)));
    loop {
        world.nap(ms(0), pace).await;
        if world.now().tick >= until || woes.is_empty() {
            return;
        }
        let woe = woes[world.random(|random| random.between(0, woes.len() as u64)) as usize];
        world.note("woe", &[woe as u64]);
        strike(&cluster, woe, &clients);
    }
}

fn seat(random: &mut Random) -> usize {
    random.between(0, NODES as u64) as usize
}

fn strike(cluster: &Arc<Cluster>, woe: Woe, clients: &[u64]) {
    let world = &cluster.world;
    let (one, other, number) = world.random(|random| (seat(random), seat(random), random.next()));
    let client = Place::Client(clients[number as usize % clients.len()]);
    match woe {
        Woe::Cut | Woe::Lost => {
            let wires = cluster.wires.lock().unwrap();
            if let Some(wire) = wires.get(number as usize % wires.len().max(1)) {
                match woe {
                    Woe::Cut => wire.link.cut(),
                    _ => wire.lose(world),
                }
            }
        }
        Woe::Crash => cluster.crash(one),
        Woe::Stop => cluster.stop(one),
        Woe::Pause => pause(cluster, one),
        Woe::Storeless => storeless(cluster, one),
        Woe::ReadOnly => {
            drain(cluster, one);
            if let Some(Running { reach, .. }) = cluster.running(one) {
                reach.set_read_only(true);
                later(cluster, 4, move |_| reach.set_read_only(false));
            }
        }
        Woe::Hiccup => {
            if let Some(Running { reach, .. }) = cluster.running(one) {
                reach.fail_after(Some(number % 12));
                later(cluster, 1, move |_| reach.fail_after(None));
            }
        }
        Woe::LogFails => {
            cluster.disk.fail_after(Some(number % 60));
            later(cluster, 2, |cluster| cluster.disk.fail_after(None));
        }
        Woe::NodesApart if one != other => tear(cluster, Place::Seat(one), other),
        Woe::NodesApart => {}
        Woe::ClientApart => tear(cluster, client, one),
        Woe::WallJumps => {
            if let Some(Running { node, .. }) = cluster.running(one) {
                node.machine.set_wall((number % 7_200_000) as i64 - 3_600_000);
            }
        }
        Woe::LeasesJumpBack => cluster.clock.jump(-((number % 5_000) as i64)),
        Woe::LeasesJumpAhead => cluster.clock.jump((number % 5_000) as i64),
    }
}

/// Does something after at most so many leases.
fn later(cluster: &Arc<Cluster>, leases: u32, what: impl FnOnce(&Arc<Cluster>) + Send + 'static) {
    let wait = cluster.world.nap(ms(0), cluster.lease * leases);
    let cluster = Arc::clone(cluster);
    cluster.world.clone().start(async move {
        wait.await;
        what(&cluster);
    });
}

/// The balancer finds that a node is not well, and cuts off most of its clients.
fn drain(cluster: &Arc<Cluster>, seat: usize) {
    if cluster.world.random(|random| random.chance(60)) {
        later(cluster, 1, move |cluster| {
            let wires = cluster.wires.lock().unwrap();
            for wire in wires.iter().filter(|wire| wire.to == seat) {
                if cluster.world.random(|random| random.chance(80)) {
                    wire.link.cut();
                }
            }
        });
    }
}

fn pause(cluster: &Arc<Cluster>, seat: usize) {
    drain(cluster, seat);
    if let Some(Running { node, .. }) = cluster.running(seat) {
        node.machine.pause(true);
        let over = move |cluster: &Arc<Cluster>| later(cluster, 4, move |_| node.machine.pause(false));
        later(cluster, 2, over);
    }
}

fn storeless(cluster: &Arc<Cluster>, seat: usize) {
    drain(cluster, seat);
    cluster.storeless.lock().unwrap().insert(seat);
    if let Some(running) = cluster.running(seat) {
        running.reach.fail_after(Some(0));
    }
    later(cluster, 3, move |cluster| {
        cluster.storeless.lock().unwrap().remove(&seat);
        if let Some(running) = cluster.running(seat) {
            running.reach.fail_after(None);
        }
    });
}

/// Nothing goes between these two any more.
fn tear(cluster: &Arc<Cluster>, from: Place, to: usize) {
    cluster.apart.lock().unwrap().insert((from, to));
    let wires = cluster.wires.lock().unwrap();
    for wire in wires.iter().filter(|wire| wire.is_between(from, to)) {
        wire.lose(&cluster.world);
    }
    drop(wires);
    later(cluster, 3, move |cluster| {
        cluster.apart.lock().unwrap().remove(&(from, to));
    });
}
