//! Bounds of invitations and of the sessions that they begin.

use std::time::Duration;

/// How long an invitation is good.
pub const INVITE_TIME: Duration = Duration::from_secs(7 * 24 * 3600);

/// Boards that an invitation names, inclusive: each request of a session reads them.
pub const INVITE_BOARDS_MAX: usize = 32;

/// How long a session lasts after it was last used. Longer than an invitation, so that a used invitation is
/// known as used until it ends.
pub const SESSION_TIME: Duration = Duration::from_secs(30 * 24 * 3600);

/// How much of [`SESSION_TIME`] must have passed before use is written down: once a day is enough.
pub const SESSION_RENEW_AFTER: Duration = Duration::from_secs(24 * 3600);

/// How long a sign-in by a proxy counts for a connection; then the proxy is asked by a new one.
pub const PROXY_SIGN_IN_TIME: Duration = Duration::from_secs(3600);
