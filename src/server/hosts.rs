//! Requests for hosts that are not this server's: how they are refused, and how often the log says so.
//!
//! Owns [`Hosts`]. Must not know which hosts are served (`http::host`). Key invariant: of a flood, one line a
//! `limits::HOST_TELL_EVERY` is logged, with a name of bounded length. Tests are below, and over TCP in tests/it/hosts.rs.

use std::sync::{Mutex, PoisonError};

use crate::http::response::{Problem, Response};
use crate::limits;
use crate::server::Server;
use crate::time::Tick;

/// What was refused and not told yet.
#[derive(Debug, Default)]
pub(crate) struct Hosts(Mutex<Untold>);

#[derive(Debug, Default)]
struct Untold {
    told: Option<Tick>,
    count: u64,
}

impl Hosts {
    /// Counts one refused request; gives how many are to be told of, if it is time for a line.
    fn count(&self, now: Tick) -> Option<u64> {
        let mut untold = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        untold.count = untold.count.saturating_add(1);
        let is_due = untold
            .told
            .is_none_or(|told| now.since(told) >= limits::HOST_TELL_EVERY);
        is_due.then(|| {
            untold.told = Some(now);
            std::mem::take(&mut untold.count)
        })
    }
}

/// Lets a request on whose `Host` is one of this server's.
///
/// # Errors
/// The refusal: 421, since another server may well serve that host.
///
/// # Source
/// RFC 9110, 15.5.20.
pub(crate) fn check(server: &Server, host: Option<&str>) -> Result<(), Response> {
    if server.config.served.includes(host) {
        return Ok(());
    }
    server.metrics.misdirected();
    if let Some(count) = server.hosts.count(server.now().tick) {
        let host = shown(host.unwrap_or_default());
        tracing::warn!(
            host,
            count,
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

/// The start of a host name, of the bytes that a name has.
fn shown(host: &str) -> String {
    host.chars()
        .take(limits::HOST_TOLD_CHARACTERS_MAX)
        .map(|c| match c.is_ascii_alphanumeric() || ".-_:[]".contains(c) {
            true => c,
            false => '?',
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_line_is_due_once_an_interval_and_no_count_is_lost() {
        let hosts = Hosts::default();
        let start = Tick(7);
        let early = start.after(limits::HOST_TELL_EVERY - Duration::from_micros(1));
        assert_eq!(hosts.count(start), Some(1));
        assert_eq!(hosts.count(start), None);
        assert_eq!(hosts.count(early), None);
        assert_eq!(hosts.count(start.after(limits::HOST_TELL_EVERY)), Some(3));
    }

    #[test]
    fn what_is_logged_of_a_host_is_short_and_has_the_bytes_of_a_name() {
        assert_eq!(shown("[::1]:8080"), "[::1]:8080");
        assert_eq!(shown("a%0Ab~\n\u{e4}"), "a?0Ab???");
        for (length, kept) in [
            (
                limits::HOST_TOLD_CHARACTERS_MAX - 1,
                limits::HOST_TOLD_CHARACTERS_MAX - 1,
            ),
            (limits::HOST_TOLD_CHARACTERS_MAX, limits::HOST_TOLD_CHARACTERS_MAX),
            (
                limits::HOST_TOLD_CHARACTERS_MAX + 1,
                limits::HOST_TOLD_CHARACTERS_MAX,
            ),
        ] {
            assert_eq!(shown(&"a".repeat(length)).len(), kept);
        }
    }
}
