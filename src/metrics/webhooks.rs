//! What is counted of webhooks.
//!
//! Owns [`WebhookMetrics`] and the words for what becomes of deliveries. Must not know HTTP. Key invariant:
//! every outcome has its series from the start. Tests are in `metrics/tests.rs` and tests/it/webhooks.rs.

use super::Totals;

/// What became of a try to deliver, or in the end of a delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Try {
    /// The receiver took it.
    Delivered,
    /// It did not.
    Failed,
    /// That was the last try.
    GivenUp,
}

impl Try {
    /// Every one of them.
    pub const ALL: [Self; 3] = [Self::Delivered, Self::Failed, Self::GivenUp];

    /// The label.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Delivered => "delivered",
            Self::Failed => "failed",
            Self::GivenUp => "given_up",
        }
    }
}

/// The webhooks' own handle on metrics that [`super::Metrics`] shows.
#[derive(Clone, Debug)]
pub struct WebhookMetrics {
    pub(super) tries: Totals<1>,
}

impl Default for WebhookMetrics {
    fn default() -> Self {
        let outcomes = Try::ALL.into_iter();
        Self {
            tries: Totals::new(outcomes.map(|outcome| [("outcome", outcome.as_str())])),
        }
    }
}

impl WebhookMetrics {
    /// A delivery was tried, or given up.
    pub(crate) fn tried(&self, outcome: Try) {
        self.tries.count([("outcome", outcome.as_str())]);
    }
}
