//! What is counted of the Redis bridge.
//!
//! Owns [`RedisMetrics`] and the words for what becomes of messages. Must not know Redis. Key invariant:
//! every outcome has its series from the start, also without `--redis`. Tests are in `metrics/tests.rs` and
//! `tests/it/redis.rs`.

use super::Totals;

/// What became of a message that came in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reception {
    /// It changed its board, and is durable.
    Applied,
    /// This server had published it.
    Own,
    /// It deleted what is not there.
    Nothing,
    /// It is not the JSON that it should be.
    Malformed,
    /// It is too long.
    TooLarge,
    /// Its channel names no board.
    InvalidBoard,
    /// There is no such board, or none any more.
    NoSuchBoard,
    /// The item has members or values that it cannot have.
    Refused,
    /// Too much of the same board, or in all, was waiting.
    Overflow,
    /// Another node has the board, and applies it there.
    Elsewhere,
    /// The board could not be read or written.
    Failed,
}

impl Reception {
    /// Every outcome.
    pub const ALL: [Self; 11] = [
        Self::Applied,
        Self::Own,
        Self::Nothing,
        Self::Malformed,
        Self::TooLarge,
        Self::InvalidBoard,
        Self::NoSuchBoard,
        Self::Refused,
        Self::Overflow,
        Self::Elsewhere,
        Self::Failed,
    ];

    /// The label, and the word in logs.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Applied => "applied",
            Self::Own => "own",
            Self::Nothing => "nothing",
            Self::Malformed => "malformed",
            Self::TooLarge => "too_large",
            Self::InvalidBoard => "invalid_board",
            Self::NoSuchBoard => "no_such_board",
            Self::Refused => "refused",
            Self::Overflow => "overflow",
            Self::Elsewhere => "elsewhere",
            Self::Failed => "failed",
        }
    }

    /// Whether the message was to change something, and did not.
    #[must_use]
    pub fn is_loss(self) -> bool {
        !matches!(self, Self::Applied | Self::Own | Self::Nothing | Self::Elsewhere)
    }
}

/// What became of a message that was to go out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Publication {
    /// Redis has it.
    Published,
    /// It is too long.
    TooLarge,
    /// Too much was waiting.
    Overflow,
    /// It had waited too long.
    Late,
    /// Redis did not take it.
    Refused,
}

impl Publication {
    /// Every one of them.
    pub const ALL: [Self; 5] = [
        Self::Published,
        Self::TooLarge,
        Self::Overflow,
        Self::Late,
        Self::Refused,
    ];

    /// The label, and the word in logs.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Published => "published",
            Self::TooLarge => "too_large",
            Self::Overflow => "overflow",
            Self::Late => "late",
            Self::Refused => "refused",
        }
    }
}

/// The bridge's own handle on metrics that [`super::Metrics`] shows.
#[derive(Clone, Debug)]
pub struct RedisMetrics {
    pub(super) received: Totals<1>,
    pub(super) sent: Totals<1>,
}

impl Default for RedisMetrics {
    fn default() -> Self {
        Self {
            received: Totals::new(
                Reception::ALL
                    .into_iter()
                    .map(|outcome| [("outcome", outcome.as_str())]),
            ),
            sent: Totals::new(
                Publication::ALL
                    .into_iter()
                    .map(|outcome| [("outcome", outcome.as_str())]),
            ),
        }
    }
}

impl RedisMetrics {
    /// Messages came in.
    pub(crate) fn received(&self, outcome: Reception, count: usize) {
        self.received.count_some([("outcome", outcome.as_str())], count);
    }

    /// Messages were to go out.
    pub(crate) fn sent(&self, outcome: Publication, count: usize) {
        self.sent.count_some([("outcome", outcome.as_str())], count);
    }
}
