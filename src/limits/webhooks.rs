//! Bounds of webhooks and of what is delivered to them.

use std::time::Duration;

/// Webhooks of a board, inclusive: each event is sent to each of them.
pub const WEBHOOKS_PER_BOARD_MAX: usize = 8;

/// How long events are gathered after the first one before they are delivered.
pub const WEBHOOK_GATHER_TIME: Duration = Duration::from_secs(1);

/// Events of one delivery, inclusive; further ones come with the next.
pub const WEBHOOK_EVENTS_MAX: usize = 100;

/// Bytes of the events of one delivery after which no other one is added: receivers take bodies of this size.
pub const WEBHOOK_EVENTS_BYTES: usize = 128 * 1024;

/// How long a try may take, looking the name up included.
pub const WEBHOOK_TIME_MAX: Duration = Duration::from_secs(10);

/// Tries of one delivery, inclusive.
pub const WEBHOOK_TRIES_MAX: u32 = 8;

/// The wait after the first try that failed; the next ones are three times as long each.
pub const WEBHOOK_RETRY_MIN: Duration = Duration::from_secs(2);

/// The longest wait between two tries, also where `Retry-After` asks for more: with eight tries a delivery
/// is given up after a quarter of an hour, about, and after 45 minutes at most.
pub const WEBHOOK_RETRY_MAX: Duration = Duration::from_secs(5 * 60);

/// Requests that are on their way at once, of all boards.
pub const WEBHOOKS_AT_ONCE_MAX: usize = 32;

/// How many of these may be tries again: who never answers leaves room to those who do.
pub const WEBHOOK_RETRIES_AT_ONCE_MAX: usize = 16;

/// Webhooks of which a server remembers how far they have been told after their board has left memory; one
/// that is forgotten is told `reset`.
pub const WEBHOOKS_REMEMBERED_MAX: usize = 10_000;
