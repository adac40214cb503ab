//! Many seeds, one seed again, and planted bugs.
//!
//! `SIM_SEEDS=20000 SIM_FIRST=1 cargo test --lib sim::tests::seeds` runs so many of one node and of three
//! (`scripts/sim`); `SIM_SEED=7 cargo test --lib sim::tests::replay_one -- --nocapture` runs one of one node,
//! `replay_three` of three, and prints what happens in it.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use super::{Ran, run, run_cluster};
use crate::planted::{Bug, plant};

/// Seeds of each run of all tests: of one node, and of three.
const SEEDS: u64 = 4_000;
const CLUSTER_SEEDS: u64 = 1_000;

/// What a seed chooses for.
type Run = fn(u64, bool) -> Ran;

/// Runs a seed; a panic is a violation too.
fn attempt(run: Run, seed: u64) -> Ran {
    let ran = catch_unwind(AssertUnwindSafe(|| run(seed, false)));
    ran.unwrap_or_else(|panic| {
        let said = panic.downcast_ref::<String>().cloned();
        Ran {
            violation: Some(format!("panicked: {}", said.unwrap_or_default())),
            trace: 0,
            steps: 0,
            echoes: 0,
        }
    })
}

fn number(name: &str) -> Option<u64> {
    let value = std::env::var(name).ok()?;
    Some(
        value
            .parse()
            .unwrap_or_else(|_| panic!("{name} must be a number")),
    )
}

#[test]
fn seeds_of_one_node_hold() {
    hold(run, SEEDS, "replay_one");
}

#[test]
fn seeds_of_three_nodes_hold() {
    hold(run_cluster, CLUSTER_SEEDS, "replay_three");
}

fn hold(run: Run, seeds: u64, replay: &str) {
    let (count, first) = (
        number("SIM_SEEDS").unwrap_or(seeds),
        number("SIM_FIRST").unwrap_or(1),
    );
    let (started, next) = (Instant::now(), AtomicU64::new(first));
    let (steps, echoes, failed) = (AtomicU64::new(0), AtomicU64::new(0), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= first + count {
                        return;
                    }
                    let ran = attempt(run, seed);
                    steps.fetch_add(ran.steps, Ordering::Relaxed);
                    echoes.fetch_add(ran.echoes, Ordering::Relaxed);
                    if let Some(violation) = ran.violation {
                        println!("seed {seed} {violation}\n  replay: SIM_SEED={seed} cargo test --lib sim::tests::{replay} -- --nocapture");
                        failed.lock().unwrap().push(seed);
                    }
                }
            });
        }
    });
    let took = started.elapsed();
    println!("{count} seeds from {first} on: {steps:?} steps, {echoes:?} echoes, in {took:.1?}");
    let failed = failed.into_inner().unwrap();
    assert!(failed.is_empty(), "{} seeds failed: {failed:?}", failed.len());
}

#[test]
fn replay_one() {
    replay(run);
}

#[test]
fn replay_three() {
    replay(run_cluster);
}

/// Without `SIM_SEED`, that a run is the same each time.
fn replay(run: Run) {
    if let Some(seed) = number("SIM_SEED") {
        let ran = run(seed, true);
        assert_eq!(ran.violation, None, "seed {seed}");
    }
    for seed in 1..10 {
        assert_eq!(run(seed, false), run(seed, false), "seed {seed}");
    }
}

/// Seeds after which a planted bug must have been found.
const FOUND_AFTER_MAX: u64 = 500;
const FOUND_AMONG_NODES_MAX: u64 = 1_000;

fn finds(bug: Bug) {
    finds_in((run, FOUND_AFTER_MAX), bug);
}

fn finds_among_nodes(bug: Bug) {
    finds_in((run_cluster, FOUND_AMONG_NODES_MAX), bug);
}

fn finds_in((run, most): (Run, u64), bug: Bug) {
    plant(Some(bug));
    let found = (1..=most).find_map(|seed| Some((seed, attempt(run, seed).violation?)));
    plant(None);
    let (seed, violation) = found.unwrap_or_else(|| panic!("{bug:?} was not found in {most} seeds"));
    assert_eq!(
        attempt(run, seed).violation,
        None,
        "it is not the bug that seed {seed} finds"
    );
    println!("{bug:?} is found by seed {seed}: {violation}");
}

#[test]
fn what_a_compaction_takes_for_compacted_too_early_is_found() {
    finds(Bug::ClearedTooEarly);
}

#[test]
fn an_echo_before_the_commit_is_found() {
    finds(Bug::EchoBeforeCommit);
}

#[test]
fn a_lost_trim_is_found() {
    finds(Bug::LostTrim);
}

#[test]
fn a_leaked_room_is_found() {
    finds(Bug::LeakedRoom);
}

#[test]
fn a_wrong_owner_of_presence_is_found() {
    finds(Bug::WrongOwner);
}

#[test]
fn a_store_without_a_fence_is_found() {
    finds_among_nodes(Bug::NoFence);
}

#[test]
fn a_lease_that_is_trusted_too_long_is_found() {
    finds_among_nodes(Bug::LeaseTrustedTooLong);
}

#[test]
fn an_echo_before_the_commit_is_found_among_nodes() {
    finds_among_nodes(Bug::EchoBeforeCommit);
}

#[test]
fn a_connection_that_is_passed_on_twice_is_found() {
    finds_among_nodes(Bug::ForwardedTwice);
}
