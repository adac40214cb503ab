//! What a request may do with a board: the checks before a room is touched, in their order.
//!
//! Owns [`Request`] and [`grant`]: shutdown, board id, credentials, the disk's health, permission. Must not know whether
//! the request is an upgrade. Key invariants: a credential that was sent and does not verify is a refusal, never
//! ignored; no room is created or loaded for somebody who is refused.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use crate::access::{
    self, Asked, BoardFacts, Credentials, Decision, Grant, Moment, Presented, Question, SentSecret,
};
use crate::audit::Actor;
use crate::boards::{audit, committer};
use crate::fault::Fault;
use crate::http::head::Head;
use crate::http::response::{Problem, Response};
use crate::http::target::Target;
use crate::ids::{BoardId, SecretId, Subject};
use crate::jwt::{Claims, TokenError};
use crate::net::disposition;
use crate::room::Room;
use crate::server::Server;

/// A request, as handlers see it.
pub(crate) struct Request<'a> {
    pub(crate) head: &'a Head<'a>,
    pub(crate) target: &'a Target<'a>,
    /// Where it came from, proxies that are trusted left out.
    pub(crate) address: IpAddr,
    /// The other end of the socket, whatever a proxy says.
    pub(crate) peer: IpAddr,
}

/// A request that was granted a board.
#[derive(Clone, Debug)]
pub(crate) struct Granted {
    pub(crate) board: BoardId,
    pub(crate) grant: Grant,
    /// What the grant rests on, to decide anew from when something changed.
    pub(crate) credentials: Arc<Credentials>,
    /// Who acts, from where: for the audit log.
    pub(crate) actor: Actor,
    /// [`Server::access_epoch`] before the facts were read that decided.
    pub(crate) epoch: u64,
}

impl Granted {
    /// Whether nothing has changed since the decision, seen from under the room's lock: changes after that find whom
    /// they concern in the room.
    pub(crate) fn holds_in(&self, server: &Server, room: &Room) -> bool {
        !room.is_retired() && server.access_epoch(&self.board) == self.epoch && !self.has_ended(server)
    }

    /// Whether a credential has ended since the decision: a body, or a load, may take minutes.
    pub(crate) fn has_ended(&self, server: &Server) -> bool {
        let now = server.now().unix;
        self.grant.ends_at.is_some_and(|end| now >= end)
    }
}

/// Decides anew, for somebody whose decision no longer holds.
///
/// # Errors
/// The [`Fault`] to refuse with.
pub(crate) async fn renew(server: &Arc<Server>, granted: Granted) -> Result<Granted, Fault> {
    decide(server, granted.board, granted.credentials, granted.actor).await
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
    let origin = audit::actor(Subject::anonymous(), request.address, request.head);
    let credentials = match credentials(server, request, &board) {
        Ok(credentials) => Arc::new(credentials),
        Err(fault) => {
            // Only what is refused at a board that exists is noted: made-up ids must not fill the log's memory.
            let facts = server.facts(&board, Asked::default()).await;
            if facts.is_ok_and(|facts| matches!(facts.board, BoardFacts::Present { .. })) {
                server.note_refusal(&board, origin, fault);
            }
            return Err(fault);
        }
    };
    if matches!(server.committer.status(), committer::Status::Failing { .. }) {
        return Err(Fault::StoreFailed);
    }
    decide(server, board, credentials, origin).await
}

/// Decides by what is stored now; `origin` is from where, whoever it is.
///
/// # Errors
/// The [`Fault`] to refuse with.
async fn decide(
    server: &Arc<Server>,
    board: BoardId,
    credentials: Arc<Credentials>,
    origin: Actor,
) -> Result<Granted, Fault> {
    let epoch = server.access_epoch(&board);
    let facts = server.facts(&board, credentials.asked()).await?;
    let question = Question {
        board: &board,
        facts: &facts,
        mode: server.config.mode,
        moment: Moment::Request,
        now: server.now().unix,
    };
    match access::decide(&credentials, question) {
        Decision::Refused(fault) => {
            if matches!(facts.board, BoardFacts::Present { .. }) {
                let subject = credentials.subject(fault);
                server.note_refusal(&board, Actor { subject, ..origin }, fault);
            }
            Err(fault)
        }
        Decision::Granted(grant) => Ok(Granted {
            board,
            actor: Actor {
                subject: grant.subject.clone(),
                ..origin
            },
            grant,
            credentials,
            epoch,
        }),
    }
}

/// Who asks for something that is about no one board.
pub(crate) struct Identity {
    /// Of the tokens that were sent, one at least.
    pub(crate) claims: Vec<Claims>,
    /// For the audit log.
    pub(crate) actor: Actor,
}

impl Identity {
    /// Whether a token has ended since; see [`Granted::has_ended`].
    pub(crate) fn has_ended(&self, server: &Server) -> bool {
        let now = server.now().unix;
        self.claims.iter().any(|claims| now >= claims.expires_at)
    }
}

/// Finds out who asks for something that needs a JWT and is about no one board.
///
/// # Errors
/// The [`Fault`] to refuse with.
pub(crate) async fn identify(server: &Arc<Server>, request: &Request<'_>) -> Result<Identity, Fault> {
    if server.is_stopping() {
        return Err(Fault::ShuttingDown);
    }
    let presented = Presented::find(request.head, request.target).map_err(|_| Fault::InvalidCredential)?;
    let claims = tokens(server, request, presented)?;
    let sent: Vec<SentSecret> = presented.secrets().collect();
    if matches!(server.committer.status(), committer::Status::Failing { .. }) {
        return Err(Fault::StoreFailed);
    }
    let ids: Vec<SecretId> = sent.iter().map(|sent| sent.hash.id()).collect();
    let known = match ids.is_empty() {
        true => BTreeMap::new(),
        false => server.read(move |store| store.find_secrets(&ids)).await?,
    };
    access::identify(&sent, &known, &claims, server.now().unix)?;
    let user = claims.first().map(|claims| Subject::user(&claims.user));
    Ok(Identity {
        claims,
        actor: audit::actor(
            user.unwrap_or_else(Subject::anonymous),
            request.address,
            request.head,
        ),
    })
}

/// The credentials that were sent, as far as they matter for `board`; a token that does not verify is a refusal.
fn credentials(server: &Server, request: &Request<'_>, board: &BoardId) -> Result<Credentials, Fault> {
    let presented = Presented::find(request.head, request.target).map_err(|_| Fault::InvalidCredential)?;
    Ok(Credentials {
        secrets: presented.secrets().collect(),
        ..Credentials::of_tokens(board, &tokens(server, request, presented)?)
    })
}

/// The claims of every token that was sent; one that does not verify is a refusal, never ignored.
fn tokens(server: &Server, request: &Request<'_>, presented: Presented<'_>) -> Result<Vec<Claims>, Fault> {
    let now = server.now().unix;
    let refuse = |error: TokenError| {
        // The peer is not told what is wrong with it. A stranger cannot fill the log with these.
        if error.is_of_the_issuer() {
            tracing::warn!(address = %request.address, reason = %error, "token refused");
        }
        error.fault()
    };
    let verify = |token| server.verifier.verify(token, now).map_err(refuse);
    presented.tokens().map(verify).collect()
}

/// A refusal as a problem document; one of a credential names the scheme that would do.
///
/// # Source
/// RFC 9110, 15.5.2; RFC 6750, 3.
pub(crate) fn problem(fault: Fault) -> Response {
    let row = disposition::of(fault);
    let response = Response::problem(&Problem {
        status: row.status,
        code: row.code,
        title: row.reason,
        detail: row.reason.into(),
        field: None,
    });
    match fault {
        Fault::NoCredential => response.field("WWW-Authenticate", "Bearer"),
        Fault::InvalidCredential | Fault::ExpiredCredential => {
            response.field("WWW-Authenticate", "Bearer error=\"invalid_token\"")
        }
        _ => response,
    }
}
