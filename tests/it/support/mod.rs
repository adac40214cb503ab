//! The harness: a server process, clients on plain sockets, and waiting for states.

pub(crate) mod api;
pub(crate) mod client;
pub(crate) mod http;
#[path = "../../support/postgres.rs"]
pub(crate) mod postgres;
#[path = "../../support/proxy.rs"]
pub(crate) mod proxy;
pub(crate) mod random;
pub(crate) mod redis;
pub(crate) mod server;
pub(crate) mod socket;
pub(crate) mod tls;
pub(crate) mod tokens;
pub(crate) mod wire;

use std::net::TcpListener;
use std::thread;
use std::time::{Duration, Instant};

/// A deadline for what takes milliseconds on an idle machine; tests share theirs with builds.
pub(crate) const SOON: Duration = Duration::from_secs(30);

/// How often a state is looked at.
const LOOK_EVERY: Duration = Duration::from_micros(500);

/// A port that is free when it is looked at, and nobody else's in these tests for a while.
pub(crate) fn free_port() -> u16 {
    let probe = TcpListener::bind("127.0.0.1:0").unwrap();
    probe.local_addr().unwrap().port()
}

/// Looks at a state until it holds; panics at the caller's line once the deadline has passed.
#[track_caller]
pub(crate) fn until(deadline: Duration, mut condition: impl FnMut() -> bool) {
    let end = Instant::now() + deadline;
    while !condition() {
        assert!(
            Instant::now() < end,
            "the awaited state did not come within {deadline:?}"
        );
        thread::sleep(LOOK_EVERY);
    }
}
