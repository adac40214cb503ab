//! What a request may do with a board: the checks before a room is touched, in their order.
//!
//! Owns [`Request`] and [`grant`]: shutdown, board id, credentials, the disk's health, permission. Must not
//! know whether the request is an upgrade. Key invariants: a credential that was sent and does not verify is
//! a refusal, never ignored; no room is created or loaded for somebody who is refused.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use crate::access::{self, Asked, BoardFacts, Credentials, Presented, SentSecret};
use crate::audit::Actor;
use crate::boards::rights::Granted;
use crate::fault::Fault;
use crate::http::head::Head;
use crate::http::response::{Problem, Response};
use crate::http::target::Target;
use crate::ids::{BoardId, SecretId, Subject};
use crate::jwt::{Claims, TokenError};
use crate::limits;
use crate::net::request_id::RequestId;
use crate::net::{Shell, disposition, sign_in};

/// How a request came to this node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Came {
    /// From the client, or its proxy.
    Directly,
    /// Another node has passed it on.
    FromNode,
}

/// A request, as handlers see it.
pub(crate) struct Request<'a> {
    pub(crate) head: &'a Head<'a>,
    pub(crate) target: &'a Target<'a>,
    /// Where it came from, proxies that are trusted left out.
    pub(crate) address: IpAddr,
    /// The other end of the socket, whatever a proxy says; or the client, where another node says so.
    pub(crate) peer: IpAddr,
    /// What it is called in the log.
    pub(crate) id: &'a RequestId,
}

/// Decides what a request may do with a board. No room is touched.
///
/// # Errors
/// The [`Fault`] to refuse it with.
pub(crate) async fn grant(shell: &Arc<Shell>, request: &Request<'_>, board: &str) -> Result<Granted, Fault> {
    if shell.boards.is_stopping() {
        return Err(Fault::ShuttingDown);
    }
    let board = BoardId::parse(board).ok_or(Fault::InvalidBoardId)?;
    let origin = actor(Subject::anonymous(), request.address, request.head);
    let (credentials, is_over) = match credentials(shell, request, &board).await {
        Ok((credentials, is_over)) => (Arc::new(credentials), is_over),
        Err(fault) => {
            // Only what is refused at a board that exists is noted: made-up ids must not fill the log's
            // memory.
            let facts = shell.boards.facts(&board, Asked::default()).await;
            if facts.is_ok_and(|facts| matches!(facts.board, BoardFacts::Present { .. })) {
                shell.boards.note_refusal(&board, origin, fault);
            }
            return Err(fault);
        }
    };
    if shell.boards.is_failing() {
        return Err(Fault::StoreFailed);
    }
    let decided = shell.boards.decide(board, credentials, origin).await;
    decided.map_err(|fault| over(fault, is_over))
}

/// Why somebody is refused whose session is over, and who sent nothing else: that, and not that they sent
/// nothing.
fn over(fault: Fault, is_over: bool) -> Fault {
    match (fault, is_over) {
        (Fault::NoCredential, true) => Fault::ExpiredCredential,
        _ => fault,
    }
}

/// Who sent a request, from where.
pub(crate) fn actor(subject: Subject, address: IpAddr, head: &Head<'_>) -> Actor {
    let user_agent = head.values("user-agent").next().map(|value| {
        let text = String::from_utf8_lossy(value);
        let cut = text.get(..text.floor_char_boundary(limits::USER_AGENT_BYTES_MAX));
        cut.unwrap_or_default().to_owned()
    });
    Actor {
        subject,
        address: Some(address),
        user_agent,
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
    /// Whether a token has ended since; see `Granted::has_ended`.
    pub(crate) fn has_ended(&self, shell: &Shell) -> bool {
        let now = shell.now().unix;
        self.claims.iter().any(|claims| now >= claims.expires_at)
    }
}

/// Finds out who asks for something that needs a JWT and is about no one board.
///
/// # Errors
/// The [`Fault`] to refuse with.
pub(crate) async fn identify(shell: &Arc<Shell>, request: &Request<'_>) -> Result<Identity, Fault> {
    if shell.boards.is_stopping() {
        return Err(Fault::ShuttingDown);
    }
    let presented = Presented::find(request.head, request.target)?;
    let mut claims = tokens(shell, request, presented)?;
    let found = sign_in::find(shell, request.head, presented).await?;
    let now = shell.now().unix;
    claims.extend(found.signed_in.map(|who| who.claims(now)));
    let sent: Vec<SentSecret> = presented.secrets().collect();
    if shell.boards.is_failing() {
        return Err(Fault::StoreFailed);
    }
    let ids: Vec<SecretId> = sent.iter().map(|sent| sent.hash.id()).collect();
    let known = match ids.is_empty() {
        true => BTreeMap::new(),
        false => shell.boards.read(move |store| store.find_secrets(&ids)).await?,
    };
    let identified = access::identify(&sent, &known, &claims, now);
    identified.map_err(|fault| over(fault, found.is_over))?;
    let user = claims.first().map(|claims| Subject::user(&claims.user));
    Ok(Identity {
        claims,
        actor: actor(
            user.unwrap_or_else(Subject::anonymous),
            request.address,
            request.head,
        ),
    })
}

/// The board of the first API key or share link that was sent; `None` where none was, but a token.
///
/// # Errors
/// [`Fault::NoCredential`]; [`Fault::InvalidCredential`] of one that is not known; what reading failed with.
pub(crate) async fn board_of_secrets(
    shell: &Arc<Shell>,
    head: &Head<'_>,
    target: &Target<'_>,
) -> Result<Option<BoardId>, Fault> {
    let presented = Presented::find(head, target)?;
    let Some(sent) = presented.secrets().next() else {
        let has_token = presented.tokens().next().is_some();
        return has_token.then_some(None).ok_or(Fault::NoCredential);
    };
    let board = shell.boards.board_of_secret(sent.hash.id()).await?;
    board.map(Some).ok_or(Fault::InvalidCredential)
}

/// The credentials that were sent, as far as they matter for `board`; a token that does not verify is a
/// refusal. And whether there was a session that is over.
async fn credentials(
    shell: &Arc<Shell>,
    request: &Request<'_>,
    board: &BoardId,
) -> Result<(Credentials, bool), Fault> {
    let presented = Presented::find(request.head, request.target)?;
    let mut claims = tokens(shell, request, presented)?;
    let found = sign_in::find(shell, request.head, presented).await?;
    claims.extend(found.signed_in.map(|who| who.claims(shell.now().unix)));
    let credentials = Credentials {
        secrets: presented.secrets().collect(),
        ..Credentials::of_tokens(board, &claims)
    };
    Ok((credentials, found.is_over))
}

/// The claims of every token that was sent; one that does not verify is a refusal, never ignored.
pub(crate) fn tokens(
    shell: &Shell,
    request: &Request<'_>,
    presented: Presented<'_>,
) -> Result<Vec<Claims>, Fault> {
    let now = shell.now().unix;
    let refuse = |error: TokenError| {
        // The peer is not told what is wrong with it. A stranger cannot fill the log with these.
        if error.is_of_the_issuer() {
            let (id, address) = (request.id, request.address);
            tracing::warn!(connection = id.connection, request = %id, address = %address, reason = %error, "token refused");
        }
        error.fault()
    };
    let live = shell.live.get();
    let verify = |token| live.verifier.verify(token, now).map_err(refuse);
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
        Fault::Elsewhere => response.field("Retry-After", "1"),
        _ => response,
    }
}
