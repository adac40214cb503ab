//! What a request may do with a board: the checks before a room is touched, in their order.
//!
//! Owns [`Request`] and [`grant`]: shutdown, board id, credentials, the disk's health, permission. Must not know whether
//! the request is an upgrade. Key invariants: a credential that was sent and does not verify is a refusal, never
//! ignored; no room is created or loaded for somebody who is refused.

use std::net::IpAddr;
use std::sync::Arc;

use crate::access::{self, Credentials, Decision, Grant, Presented};
use crate::fault::Fault;
use crate::http::head::Head;
use crate::http::response::{Problem, Response};
use crate::http::target::Target;
use crate::ids::BoardId;
use crate::jwt::{Claims, TokenError};
use crate::server::{Server, committer, disposition};

/// A request, as handlers see it.
pub(crate) struct Request<'a> {
    pub(crate) head: &'a Head<'a>,
    pub(crate) target: &'a Target<'a>,
    /// Where it came from, proxies that are trusted left out.
    pub(crate) address: IpAddr,
}

/// A request that was granted a board.
#[derive(Debug)]
pub(crate) struct Granted {
    pub(crate) board: BoardId,
    pub(crate) grant: Grant,
}

/// Decides what a request may do with a board. No room is touched.
///
/// # Errors
/// The [`Fault`] to refuse it with.
pub(crate) async fn grant(
    server: &Arc<Server>,
    request: &Request<'_>,
    board: &str,
) -> Result<Granted, Fault> {
    if server.is_stopping() {
        return Err(Fault::ShuttingDown);
    }
    let board = BoardId::parse(board).ok_or(Fault::InvalidBoardId)?;
    let tokens = tokens(server, request)?;
    if matches!(server.committer.status(), committer::Status::Failing { .. }) {
        return Err(Fault::StoreFailed);
    }
    let facts = server.facts(&board).await?;
    match access::decide(
        &board,
        Credentials { tokens: &tokens },
        &facts,
        server.config.mode,
    ) {
        Decision::Refused(fault) => Err(fault),
        Decision::Granted(grant) => Ok(Granted { board, grant }),
    }
}

/// The claims of every token that was sent; a credential that does not verify is a refusal, never ignored.
fn tokens(server: &Server, request: &Request<'_>) -> Result<Vec<Claims>, Fault> {
    let presented = Presented::find(request.head, request.target).map_err(|_| Fault::InvalidCredential)?;
    if presented.has_key_or_link() {
        return Err(Fault::InvalidCredential);
    }
    let now = server.now().unix;
    let verify = |token| server.verifier.verify(token, now).map_err(TokenError::fault);
    presented.tokens().map(verify).collect()
}

/// A refusal as a problem document; a missing or invalid credential names the scheme that would do (RFC 9110, 15.5.2).
pub(crate) fn problem(fault: Fault) -> Response {
    let row = disposition::of(fault);
    let response = Response::problem(&Problem {
        status: row.status,
        code: row.code,
        title: row.reason,
        detail: row.reason.into(),
        field: None,
    });
    match row.status {
        401 => response.field("WWW-Authenticate", "Bearer"),
        _ => response,
    }
}
