//! Bounds of requests that the server, or its command line, sends to others.

use std::time::Duration;

/// Bytes of the address of a request, inclusive: what servers take.
pub const CLIENT_URL_BYTES_MAX: usize = 2_048;

/// Bytes of an answer's head, inclusive, those of interim answers before it among them.
pub const CLIENT_HEAD_BYTES_MAX: usize = 16 * 1024;

/// Fields of an answer's head, inclusive.
pub const CLIENT_HEAD_FIELDS_MAX: usize = 100;

/// Addresses of one name that are tried, one after the other.
pub const CLIENT_ADDRESSES_MAX: usize = 4;

/// How long it may take to connect to one of them: the next may answer.
pub const CLIENT_CONNECT_TIME_MAX: Duration = Duration::from_secs(3);

/// Bytes of one frame of a WebSocket, inclusive: `boardwire doctor` is sent small ones.
pub const CLIENT_FRAME_BYTES_MAX: usize = 1024 * 1024;
