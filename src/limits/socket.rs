//! Bounds of WebSockets: their messages, what waits for them, and how long they may be silent.

use std::time::Duration;

/// `--max-message-bytes`: bytes of one WebSocket message, inclusive. As large as a board may be, since a
/// client that was offline sends all it has in one step 2.
pub const MESSAGE_BYTES_MAX: usize = 32 * 1024 * 1024;

/// Protocol messages in one frame, inclusive. Stock providers send one; batching clients a handful.
pub const MESSAGES_PER_FRAME_MAX: usize = 64;

/// `--max-outbox-bytes`: bytes a member may be behind the end of its room's outbox, inclusive. One frame
/// counts at most a quarter of it: a message may be larger than the bound, and everybody must get the chance
/// to take it.
pub const OUTBOX_BYTES_MAX: usize = 8 * 1024 * 1024;

/// Bytes gathered for one write to a socket; more leaves in the next one, after others had their turn.
pub const GATHER_BYTES_MAX: usize = 256 * 1024;

/// How long a step 2 on its way to a joiner may make no progress before the member counts as a slow consumer.
pub const JOIN_STALL_MAX: Duration = Duration::from_secs(30);

/// `--max-connections`: open connections in all, inclusive.
pub const CONNECTIONS_MAX: usize = 10_000;

/// `--max-connections-per-address`: open connections of one address, inclusive; loopback is exempt.
pub const CONNECTIONS_PER_ADDRESS_MAX: usize = 256;

/// `--max-connections-per-board`: members of one room, inclusive.
pub const CONNECTIONS_PER_BOARD_MAX: usize = 1_024;

/// `--max-messages-per-second`: sustained rate of a connection; a person dragging a shape makes 60.
pub const MESSAGES_PER_SECOND_MAX: u32 = 300;

/// Messages a connection may send at once above the rate; a reconnecting client replays its queue.
pub const MESSAGES_BURST_MAX: u32 = 1_000;

/// Bytes of a message from which it counts as further messages towards the rate: one for each so many.
pub const MESSAGE_UNIT_BYTES: usize = 64 * 1024;

/// The same for the steps that a message took: a tenth of a millisecond.
pub const MESSAGE_UNIT_STEPS: u64 = 4_096;

/// WebSocket frames that complete no message (fragments before the last, pings, pongs) and count as a message
/// towards the rate: each is a header to read, whatever it carries.
pub const IDLE_FRAMES: u32 = 256;

/// Bytes being received (messages, heads and bodies not yet complete) of all connections together, inclusive;
/// past it one connection goes on until what it sends is complete, and then the next.
pub const RECEIVING_BYTES_MAX: usize = 64 * 1024 * 1024;

/// Bytes that a connection may hold of such without being counted, inclusive: who sends small messages is not
/// held up by those who send large ones.
pub const RECEIVING_FREE_BYTES: usize = 4 * 1024;

/// How long an incomplete message may take, however small it is. Time in which we do not read does not count.
pub const MESSAGE_TIME_MIN: Duration = Duration::from_secs(60);

/// The rate at which the rest of it must come, in bytes a second: an eighth of a megabit. What is sent to the
/// peer meanwhile counts too.
pub const MESSAGE_BYTES_PER_SECOND_MIN: u64 = 16 * 1024;

/// How long a connection may take to leave once the server closes it: what was being sent, the close frame,
/// and the peer's half of the closing handshake.
pub const CLOSE_TIME_MAX: Duration = Duration::from_secs(5);

/// How often a connection looks again whether the disk has caught up with what was accepted.
pub const BACKPRESSURE_RETRY: Duration = Duration::from_millis(10);

/// How often the server pings a connection.
pub const PING_EVERY: Duration = Duration::from_secs(30);

/// A connection that sent nothing for this long, pongs included, is dropped: two lost pings and a little.
pub const SILENCE_MAX: Duration = Duration::from_secs(75);

/// A client that received no message for this long gets an empty awareness message, since y-websocket 3 drops
/// a server that is silent for 30 s and does not count pings.
pub const KEEPALIVE_AFTER: Duration = Duration::from_secs(20);

/// The least time between two step 1, or two auth messages, sent to one connection because of what it sends.
pub const RETELL_EVERY: Duration = Duration::from_secs(1);

/// How long repeated refusals of one address are held before the close: the first not at all, then these.
pub const REFUSAL_HOLDS: [Duration; 4] = [
    Duration::from_secs(1),
    Duration::from_secs(2),
    Duration::from_secs(4),
    Duration::from_secs(8),
];

/// Refusals of one address within this time count as repeated.
pub const REFUSAL_MEMORY: Duration = Duration::from_secs(60);

/// How often a log line tells that requests for another host, of a foreign page, or without their upgrade
/// were refused: one line for each of the three.
pub const REFUSALS_TOLD_EVERY: Duration = Duration::from_secs(60);

/// Characters of such a host or origin that are logged, inclusive; names in use are shorter.
pub const REFUSED_TOLD_CHARACTERS_MAX: usize = 100;

/// Addresses whose refusals are remembered, inclusive; beyond it new ones get the plain HTTP status.
pub const REFUSALS_REMEMBERED_MAX: usize = 10_000;

/// Refused connections held at a time, inclusive; beyond it the answer is the plain HTTP status.
pub const REFUSALS_HELD_MAX: usize = 1_000;
