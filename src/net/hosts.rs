//! Requests for hosts that are not this server's: how they are refused, and how often the log says so.
//!
//! Owns the refusal. Must not know which hosts are served (`http::host`). Key invariant: a refused request is
//! told nothing of what is served. Tests: tests/it/hosts.rs.

use crate::http::response::{Problem, Response};
use crate::net::Shell;
use crate::net::seldom::shown;

/// Lets a request on whose `Host` is one of this server's.
///
/// # Errors
/// The refusal: 421, since another server may well serve that host.
///
/// # Source
/// RFC 9110, 15.5.20.
pub(crate) fn check(shell: &Shell, host: Option<&str>) -> Result<(), Response> {
    if shell.settings.served.includes(host) {
        return Ok(());
    }
    shell.metrics.misdirected();
    if let Some(count) = shell.misdirected.count(shell.now().tick) {
        let host = shown(host.unwrap_or_default());
        tracing::warn!(
            host,
            count,
            help = "docs/troubleshooting.md#misdirected",
            "refused requests for a host that is not this server's; --public-url names the one that is"
        );
    }
    Err(Response::problem(&Problem {
        status: 421,
        code: "misdirected",
        title: "The request is for another host",
        detail: "this server answers under its address, localhost and the host that --public-url names; \
                 open it under one of these, or start it with --public-url for the host that you asked for"
            .into(),
        field: None,
    }))
}
