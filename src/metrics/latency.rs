//! How long what people wait for takes.
//!
//! Owns [`LatencyMetrics`], its bounds and what requests are told apart by. Must not know rooms, sockets or
//! disks: whoever does says how long it took. Key invariant: what happens with every message is observed once
//! a flush of a room, not once a message or a member. Tests are in `metrics/tests.rs` and
//! tests/it/metrics.rs.

use std::time::Duration;

use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

/// Upper bounds in seconds, from what an idle machine takes; 0.2 is what people are promised.
const SECONDS: [f64; 14] = [
    0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.5, 1.0, 5.0,
];

/// What an HTTP request was about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum About {
    /// Items of a board.
    Items,
    /// All else.
    Other,
}

impl About {
    /// That of a request's target.
    pub(crate) fn of(target: &str) -> Self {
        let path = target.split('?').next().unwrap_or_default();
        match path.split('/').any(|segment| segment == "items") {
            true => Self::Items,
            false => Self::Other,
        }
    }
}

/// What people wait for.
#[derive(Clone, Debug)]
pub struct LatencyMetrics {
    delivery: Histogram,
    join: Histogram,
    items: Histogram,
    http: Histogram,
}

impl Default for LatencyMetrics {
    fn default() -> Self {
        let histogram = || Histogram::new(SECONDS);
        Self {
            delivery: histogram(),
            join: histogram(),
            items: histogram(),
            http: histogram(),
        }
    }
}

impl LatencyMetrics {
    pub(super) fn register(&self, registry: &mut Registry) {
        let help = "Time from when a message was read until the room had handed what became of it to the kernel, for all who waited for it";
        registry.register("delivery_seconds", help, self.delivery.clone());
        let help = "Time from an upgrade request until its client was on the board, the load of a board that was not in memory included";
        registry.register("join_seconds", help, self.join.clone());
        let help = "Time from the head of a request about items of a board until its answer had left";
        registry.register("items_seconds", help, self.items.clone());
        let help = "The same of all other HTTP requests";
        registry.register("http_seconds", help, self.http.clone());
    }

    /// A room's members were sent what they waited for.
    pub(crate) fn delivered(&self, took: Duration) {
        self.delivery.observe(took.as_secs_f64());
    }

    /// A client came to its board.
    pub(crate) fn joined(&self, took: Duration) {
        self.join.observe(took.as_secs_f64());
    }

    /// A request was answered.
    pub(crate) fn answered(&self, about: About, took: Duration) {
        let seconds = match about {
            About::Items => &self.items,
            About::Other => &self.http,
        };
        seconds.observe(took.as_secs_f64());
    }
}

/// One of what every change waits for: until it is durable, and for the disk alone.
pub(super) fn of_changes() -> Histogram {
    Histogram::new(SECONDS)
}
