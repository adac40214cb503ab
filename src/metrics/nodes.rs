//! What is counted of requests that pass from node to node.
//!
//! Owns [`NodeMetrics`] and the words for what becomes of them. Must not know sockets. Key invariant: every
//! outcome has its series from the start, also where there is one node. Tests are in `metrics/tests.rs` and
//! `nodes/tests.rs`.

use super::{Total, Totals, Value};

/// What became of passing a request on to another node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Passing {
    /// It took it.
    Passed,
    /// It said that another one has the board.
    NotOwner,
    /// It has too many already.
    Busy,
    /// It refused: another secret, most likely.
    Refused,
    /// It could not be connected to, or did not greet.
    Unreachable,
    /// It got the request, and gave no answer.
    Unanswered,
}

impl Passing {
    /// Every one of them.
    pub const ALL: [Self; 6] = [
        Self::Passed,
        Self::NotOwner,
        Self::Busy,
        Self::Refused,
        Self::Unreachable,
        Self::Unanswered,
    ];

    /// The label, and the word in logs.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::NotOwner => "not_owner",
            Self::Busy => "busy",
            Self::Refused => "refused",
            Self::Unreachable => "unreachable",
            Self::Unanswered => "unanswered",
        }
    }
}

/// What became of a connection of another node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taking {
    /// Its request was taken.
    Taken,
    /// Another node has the board.
    NotOwner,
    /// There were too many already.
    Busy,
    /// What it said was wrong, or not signed with the secret.
    Refused,
    /// It said too little in the time that it had.
    Late,
}

impl Taking {
    /// Every one of them.
    pub const ALL: [Self; 5] = [Self::Taken, Self::NotOwner, Self::Busy, Self::Refused, Self::Late];

    /// The label.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Taken => "taken",
            Self::NotOwner => "not_owner",
            Self::Busy => "busy",
            Self::Refused => "refused",
            Self::Late => "late",
        }
    }
}

/// The nodes' own handle on metrics that [`super::Metrics`] shows.
#[derive(Clone, Debug)]
pub struct NodeMetrics {
    pub(super) passings: Totals<1>,
    pub(super) takings: Totals<1>,
    pub(super) to_owner: Total,
    pub(super) to_client: Total,
    /// How many are open, out and in; and bytes that wait.
    pub(super) passed: Value,
    pub(super) taken: Value,
    pub(super) waiting: Value,
    pub(super) cuts: Total,
}

impl Default for NodeMetrics {
    fn default() -> Self {
        let passings = Passing::ALL.into_iter().map(Passing::as_str);
        let takings = Taking::ALL.into_iter().map(Taking::as_str);
        Self {
            passings: Totals::new(passings.map(|outcome| [("outcome", outcome)])),
            takings: Totals::new(takings.map(|outcome| [("outcome", outcome)])),
            to_owner: Total::default(),
            to_client: Total::default(),
            passed: Value::default(),
            taken: Value::default(),
            waiting: Value::default(),
            cuts: Total::default(),
        }
    }
}

impl NodeMetrics {
    /// Connections of clients that are passed on now.
    pub(crate) fn open_out(&self) -> u64 {
        self.passed.get()
    }

    /// Connections that other nodes pass on to this one now.
    pub(crate) fn open_in(&self) -> u64 {
        self.taken.get()
    }

    /// A request was passed on, or could not be.
    pub(crate) fn passing(&self, outcome: Passing) {
        self.passings.count([("outcome", outcome.as_str())]);
    }

    /// Another node connected.
    pub(crate) fn taking(&self, outcome: Taking) {
        self.takings.count([("outcome", outcome.as_str())]);
    }

    /// So many bytes of a client went on to the owner.
    pub(crate) fn to_owner(&self, bytes: usize) {
        self.to_owner.add(bytes as u64);
    }

    /// So many bytes of the owner went on to a client.
    pub(crate) fn to_client(&self, bytes: usize) {
        self.to_client.add(bytes as u64);
    }

    /// So many connections were cut at once, since their node did not greet.
    pub(crate) fn cut(&self, connections: usize) {
        self.cuts.add(connections as u64);
    }

    /// How many requests passed on to others are open.
    pub(crate) fn set_passed(&self, open: usize) {
        self.passed.set(open as u64);
    }

    /// How many taken from others are open.
    pub(crate) fn set_taken(&self, open: usize) {
        self.taken.set(open as u64);
    }

    /// How many bytes wait to be passed on.
    pub(crate) fn set_waiting(&self, bytes: usize) {
        self.waiting.set(bytes as u64);
    }
}
