//! CORS: what pages of other origins are told, and `OPTIONS`.
//!
//! Owns the `Access-Control-*` fields. Must not know resources. Key invariants: a page of an origin that is
//! not named by `--allow-origin` is told nothing; nothing is ever shared with credentials of the browser,
//! since there are no cookies here. Tests: tests/it/http.rs.
//!
//! A refused page is answered as curl is: what it may not read it does not get to see, and it could have sent
//! no more than anybody.

use std::sync::Arc;

use crate::http::head::Head;
use crate::http::origin;
use crate::http::response::Response;
use crate::net::Shell;

/// Fields that a page may send; those that every page may send anyway are left out.
const SENT: &str = "authorization, content-type, x-api-key, if-match, if-none-match, idempotency-key, last-event-id, \
                    mcp-protocol-version, mcp-method, mcp-name";

/// Fields that a page may read; likewise.
const READ: &str = "Location, ETag, WWW-Authenticate, Allow, Retry-After, Idempotency-Replayed, X-Request-Id";

/// Seconds that a browser may remember a preflight: an hour, so that a changed list soon counts.
const REMEMBERED: &str = "3600";

/// The value of `Access-Control-Allow-Origin` for the page that sent a request.
fn reader(shell: &Shell, head: &Head<'_>) -> Option<std::borrow::Cow<'static, str>> {
    // Sent twice, it is no browser's.
    let sent = head.unique("origin").ok().flatten();
    origin::shared_with(sent, &shell.live.get().origins)
}

/// Adds to any answer what lets the page that asked read it, if its origin is allowed.
pub(crate) fn share(shell: &Arc<Shell>, head: &Head<'_>, response: Response) -> Response {
    if shell.live.get().origins.is_empty() {
        return response;
    }
    // Also for those who are told nothing: what a cache keeps for them is not for others.
    let response = response.field("Vary", "Origin");
    match reader(shell, head) {
        Some(reader) => response
            .field("Access-Control-Allow-Origin", reader)
            .field("Access-Control-Expose-Headers", READ),
        None => response,
    }
}

/// Answers `OPTIONS` on a path that has the methods `allowed`, a preflight among them.
pub(crate) fn options(shell: &Arc<Shell>, head: &Head<'_>, allowed: &str) -> Response {
    let response = Response::new(204).field("Allow", allowed.to_owned());
    let preflight = head.values("access-control-request-method").next().is_some();
    if !preflight || reader(shell, head).is_none() {
        return response;
    }
    response
        .field("Access-Control-Allow-Methods", allowed.to_owned())
        .field("Access-Control-Allow-Headers", SENT)
        .field("Access-Control-Max-Age", REMEMBERED)
}
