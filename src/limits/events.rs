//! Bounds of what is told to those who follow a board over HTTP.

use std::time::Duration;

/// How long changes of a board are gathered before who follows it is told: a shape that is dragged is one
/// change ten times a second, and not one for each move.
pub const EVENTS_EVERY: Duration = Duration::from_millis(100);

/// How many times as long as a look at a board's items took is waited before the next: a large board takes
/// a tenth of a processor, however fast it changes.
pub const EVENTS_REST_TIMES: u32 = 9;

/// How long after the last follower left a board's events are still gathered, so that who comes back goes on
/// where it stopped.
pub const EVENTS_KEPT: Duration = Duration::from_secs(60);

/// Bytes of a board's last events that are kept, inclusive, or `--max-outbox-bytes` where that is less: how
/// far somebody who follows may be behind.
pub const EVENTS_KEPT_BYTES_MAX: usize = 1024 * 1024;

/// Bytes of an item, inclusive, that an event about it has in it; a larger one has to be asked for.
pub const EVENT_ITEM_BYTES_MAX: usize = 4 * 1024;

/// How long nothing is sent to somebody who follows before a comment is: proxies close what is silent.
pub const EVENT_QUIET_MAX: Duration = Duration::from_secs(15);

/// How long it is waited for the name of somebody who has connected: it comes with the first presence.
pub const EVENT_UNNAMED_MAX: Duration = Duration::from_secs(1);

/// Bytes of the name that somebody is shown under, inclusive; the rest is cut off.
pub const EVENT_NAME_BYTES_MAX: usize = 256;

/// Turns between authors that are told apart until the next look at a board; of further changes it is not
/// known who made them.
pub const EVENT_AUTHORS_MAX: usize = 64;
