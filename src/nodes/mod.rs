//! From node to node: a request whose board another node has is passed on to it, with all that follows it.
//!
//! Owns `Nodes`, what both ways share: names, the secret, counts and bounds. Must not know boards, nor who
//! has which. Key invariants: nothing of a client is read before the other node has said that it takes the
//! request, so that whoever passes on can still do something else; what waits to be passed on is bounded,
//! each connection's and all together; what came from another node is marked as such, and passes once. Tests:
//! `nodes/tests.rs`, and those of [`handshake`], which has the bytes.

pub(crate) mod acceptor;
mod counts;
mod dial;
mod forward;
pub mod handshake;
mod names;
mod passage;
#[cfg(test)]
mod tests;
mod watch;

use std::sync::Arc;

use crate::boards::host::Host;
use crate::jwt::Secret;
use crate::limits;
use crate::metrics::nodes::NodeMetrics;
use crate::net::poller::Poller;
use crate::net::seldom::Seldom;
use crate::nodes::counts::{Count, Waiting};
use crate::nodes::names::Names;
use crate::nodes::watch::Watch;

pub(crate) use dial::NotPassed;
pub(crate) use passage::{Carrying, Passage};

/// What is set about nodes.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    /// `--node-address`: this node's name for others, `HOST:PORT`.
    pub(crate) address: String,
    /// `--node-secret`.
    pub(crate) secret: Secret,
    /// How many are passed on at a time, and how many are taken.
    pub(crate) connections: usize,
}

/// What all that passes between this node and others shares.
pub(crate) struct Nodes {
    settings: Settings,
    host: Arc<dyn Host>,
    poller: Arc<Poller>,
    metrics: NodeMetrics,
    names: Names,
    watch: Watch,
    /// Requests passed on, handshakes of others, and requests taken from them.
    passed: Arc<Count>,
    greeted: Arc<Count>,
    taken: Arc<Count>,
    waiting: Waiting,
    /// Handshakes that were refused here, and there.
    wrong: Seldom,
    refused: Seldom,
}

impl Nodes {
    /// Nothing has passed yet.
    pub(crate) fn new(
        settings: Settings,
        host: Arc<dyn Host>,
        poller: Arc<Poller>,
        metrics: NodeMetrics,
    ) -> Arc<Self> {
        let connections = settings.connections;
        let (passed, taken) = (metrics.clone(), metrics.clone());
        Arc::new(Self {
            passed: Count::new(connections, move |open| passed.set_passed(open)),
            greeted: Count::new(limits::NODE_HANDSHAKES_MAX, |_| ()),
            taken: Count::new(connections, move |open| taken.set_taken(open)),
            waiting: Waiting::default(),
            names: Names::default(),
            watch: Watch::default(),
            wrong: Seldom::default(),
            refused: Seldom::default(),
            settings,
            host,
            poller,
            metrics,
        })
    }

    /// Cuts all that is passed on: their clients look for another way. For a shutdown.
    pub(crate) fn cut_all(&self) {
        self.watch.cut_all();
    }
}
