//! What is counted of the handshakes of encrypted connections.
//!
//! Owns [`HandshakeMetrics`] and the words for what becomes of them. Must not know TLS. Key invariant: every
//! outcome has its series from the start. Tests are in `metrics/tests.rs` and tests/it/tls.rs.

use super::Totals;

/// What became of a connection to a port that speaks TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Handshake {
    /// Keys were agreed on.
    Done,
    /// The two have no protocol in common, or the peer ended it.
    Failed,
    /// It took too long.
    Late,
    /// It was cut, since too many others were half done.
    Cut,
    /// The peer spoke no TLS at all.
    Plain,
}

impl Handshake {
    /// Every one of them.
    pub const ALL: [Self; 5] = [Self::Done, Self::Failed, Self::Late, Self::Cut, Self::Plain];

    /// The label.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Late => "late",
            Self::Cut => "cut",
            Self::Plain => "plain",
        }
    }
}

/// The handshakes' own handle on metrics that [`super::Metrics`] shows.
#[derive(Clone, Debug)]
pub struct HandshakeMetrics {
    pub(super) outcomes: Totals<1>,
}

impl Default for HandshakeMetrics {
    fn default() -> Self {
        let outcomes = Handshake::ALL.into_iter();
        Self {
            outcomes: Totals::new(outcomes.map(|outcome| [("outcome", outcome.as_str())])),
        }
    }
}

impl HandshakeMetrics {
    /// A handshake is over.
    pub(crate) fn ended(&self, outcome: Handshake) {
        self.outcomes.count([("outcome", outcome.as_str())]);
    }
}
