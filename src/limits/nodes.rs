//! Bounds of what passes from node to node. How many connections do is `--max-connections`, so many
//! either way, as far as the limit on open files allows.

use std::time::Duration;

use super::HEAD_BYTES_MAX;

/// `--lease`: how long a node has its boards without another word to the store. Others serve them so long
/// after it is gone.
pub const LEASE: Duration = Duration::from_secs(10);

/// Bytes of what a node says to pass a request on, behind their count, inclusive: version, address, the head
/// of the request, and the signature.
pub const NODE_OFFER_BYTES_MAX: usize = 1 + 1 + 45 + HEAD_BYTES_MAX + 32;

/// Connections from other nodes whose handshake is not over, inclusive. After a restart of a node its
/// neighbours pass on all that it has to serve.
pub const NODE_HANDSHAKES_MAX: usize = 1_000;

/// How many connections must be able to pass each way, or `--max-connections` where that is less: with a
/// limit on open files that leaves room for fewer, a warning is logged at the start.
pub const NODE_CONNECTIONS_MIN: usize = 1_000;

/// How long one side of a handshake waits for the other's next word.
pub const NODE_HANDSHAKE_TIME_MAX: Duration = Duration::from_secs(2);

/// How long a node may take to say whether it takes a request: it may have to ask the store.
pub const NODE_DECIDE_TIME_MAX: Duration = Duration::from_secs(5);

/// How long it may take to connect to another node, all its addresses tried.
pub const NODE_CONNECT_TIME_MAX: Duration = Duration::from_secs(1);

/// How long the addresses behind a node's name are used before they are looked up again.
pub const NODE_NAME_TIME: Duration = Duration::from_secs(5);

/// How long a request waits to be told which node has its board, and for one that takes it, where that one
/// cannot be reached, or has it no more.
pub const NODE_PATIENCE: Duration = Duration::from_secs(3);

/// How long is waited before it is asked again which node has the board, at first.
pub const NODE_RETRY_MIN: Duration = Duration::from_millis(50);

/// And at last.
pub const NODE_RETRY_MAX: Duration = Duration::from_millis(400);

/// How often a node that requests were passed on to is looked at, and how long it may take to greet.
pub const NODE_LOOK_EVERY: Duration = Duration::from_secs(1);

/// How often in a row it may not greet; then what was passed on to it is cut, so that clients look for
/// another. A socket would tell of a node that hangs, or that no packet reaches, only after minutes.
pub const NODE_LOOKS_MAX: usize = 2;

/// How long a connection between nodes may be quiet before the kernel asks the other end whether it is there.
pub const NODE_QUIET_MAX: Duration = Duration::from_secs(10);

/// Bytes read at once to be passed on: the most that waits each way where the other side does not read.
pub const FORWARD_BYTES: usize = 16 * 1024;

/// Bytes that wait to be passed on, of all connections together, past which only [`FORWARD_FREE_BYTES`] are
/// read at once.
pub const FORWARD_WAITING_BYTES_MAX: usize = 64 * 1024 * 1024;

/// Bytes read at once past [`FORWARD_WAITING_BYTES_MAX`].
pub const FORWARD_FREE_BYTES: usize = 1024;
