//! Bounds of encrypted connections of clients.

use std::time::Duration;

/// How long a client may take until keys are agreed on: as long as for the head of a request.
pub const TLS_HANDSHAKE_TIME_MAX: Duration = Duration::from_secs(10);

/// Bytes that a client may send until then, inclusive. Browsers send 3 KiB; what follows them at once counts.
pub const TLS_HANDSHAKE_BYTES_MAX: usize = 32 * 1024;

/// Handshakes that have begun and are not done, inclusive; past it the one that began first is cut, so that
/// who comes gets in whatever others leave half done.
pub const TLS_HANDSHAKES_MAX: usize = 1_000;

/// Handshakes that are worked on at a time, inclusive: a signature takes about a millisecond (RSA) of a
/// thread of the blocking pool, and what boards need of that must not wait behind a flood.
pub const TLS_HANDSHAKES_AT_WORK_MAX: usize = 2;

/// Bytes that an encrypted connection holds of records that have not come whole, inclusive: two of them.
pub const TLS_HELD_BYTES_MAX: usize = 36 * 1024;

/// How often the files of the certificate are looked at; a change is taken up at the second look.
pub const TLS_FILES_LOOKED_AT_EVERY: Duration = Duration::from_secs(5);
