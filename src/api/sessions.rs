//! `/v1/session`, `/v1/sessions` and `/v1/invites`: how people get in without an application of one's own.
//!
//! Owns what is told about who is signed in, and how a session begins and ends. Must not decide about boards.
//! Key invariants: the text of a session is in one `Set-Cookie` and nowhere else; an invitation begins one
//! session; who is no admin sees and ends only sessions of their own. Tests: tests/it/sessions.rs.

use serde::Deserialize;
use serde_json::{Value, json};

use crate::access::Presented;
use crate::access::secret::SecretHash;
use crate::api::list::{self, Page};
use crate::api::{Answer, Call, body, conflict, missing};
use crate::fault::Fault;
use crate::http::response::{Problem, Response};
use crate::ids::{BoardId, Level, SecretId, UserId};
use crate::jwt::Claims;
use crate::jwt::invite::{INVITE_BYTES, Invite, InviteError};
use crate::net::admission::{self, Identity};
use crate::net::sign_in::{self, SignedIn};
use crate::store::{Applied, SessionChange, StoredSession};
use crate::time::UnixMillis;
use crate::{access, limits};

/// By what somebody is signed in.
#[derive(Clone, Copy)]
enum By {
    Token,
    Session,
    Proxy,
}

impl By {
    fn as_str(self) -> &'static str {
        match self {
            Self::Token => "token",
            Self::Session => "session",
            Self::Proxy => "proxy",
        }
    }
}

/// Who is signed in, as clients see it.
fn person_json(call: &Call<'_>, who: Option<(&Claims, By)>) -> Value {
    let claims = who.map(|(claims, _)| claims);
    json!({
        "user": claims.map(|claims| claims.user.as_str()),
        "name": claims.and_then(|claims| claims.name.as_deref()),
        "admin": claims.is_some_and(|claims| claims.admin),
        "by": who.map(|(_, by)| by.as_str()),
        "id": claims.and_then(|claims| claims.session.as_ref()).map(SecretId::as_str),
        "expires_at": claims.map(|claims| claims.expires_at.to_string()),
        "login_url": call.shell.live.get().login_url,
        // Whoever knows nobody here is not told which proxies there are.
        "address": claims.map(|_| call.request.address.to_string()),
        "trash_days": call.boards().settings.trash.as_secs() / 86_400,
    })
}

fn person(call: &Call<'_>, status: u16, who: Option<(&Claims, By)>) -> Response {
    Response::json(status, &person_json(call, who)).field("Cache-Control", "no-store")
}

/// As every call that decides about credentials does first.
fn refuse_if_stopping(call: &Call<'_>) -> Result<(), Response> {
    match call.boards().is_stopping() {
        true => Err(admission::problem(Fault::ShuttingDown)),
        false => Ok(()),
    }
}

/// `GET /v1/session`: who is signed in. It is use of a session, and renews it.
pub(crate) async fn current(call: Call<'_>) -> Answer {
    refuse_if_stopping(&call)?;
    let presented = Presented::find(call.request.head, call.request.target).map_err(admission::problem)?;
    let tokens = admission::tokens(call.shell, call.request, presented).map_err(admission::problem)?;
    if let Some(claims) = tokens.first() {
        return Ok(person(&call, 200, Some((claims, By::Token))));
    }
    let found = sign_in::find(call.shell, call.request.head, presented).await;
    let found = found.map_err(admission::problem)?;
    let now = call.boards().now().unix;
    match found.signed_in {
        None => {
            let nobody = person(&call, 200, None);
            // The browser need not send it any more.
            Ok(match found.is_over {
                true => nobody.field("Set-Cookie", sign_in::set_cookie(call.shell, None)),
                false => nobody,
            })
        }
        Some(who @ SignedIn::Proxy(_)) => Ok(person(&call, 200, Some((&who.claims(now), By::Proxy)))),
        Some(SignedIn::Session(session)) => {
            let (session, is_renewed) = renewed(&call, session, now).await?;
            let claims = SignedIn::Session(session).claims(now);
            let answer = person(&call, 200, Some((&claims, By::Session)));
            let text = sign_in::cookie(call.request.head).filter(|_| is_renewed);
            Ok(match text {
                Some(text) => answer.field("Set-Cookie", sign_in::set_cookie(call.shell, Some(text))),
                None => answer,
            })
        }
    }
}

/// The session with a new end, once a day; whether it has one.
async fn renewed(
    call: &Call<'_>,
    session: StoredSession,
    now: UnixMillis,
) -> Result<(StoredSession, bool), Response> {
    if now < sign_in::later(session.used_at, limits::SESSION_RENEW_AFTER) {
        return Ok((session, false));
    }
    let expires_at = sign_in::later(now, limits::SESSION_TIME);
    let renew = SessionChange::Renew {
        id: session.hash.id(),
        used_at: now,
        expires_at,
    };
    let renewed = call.boards().change_session(renew).await;
    match renewed.map_err(admission::problem)? {
        Applied::Done => Ok((
            StoredSession {
                used_at: now,
                expires_at,
                ..session
            },
            true,
        )),
        // It was revoked meanwhile.
        _ => Err(admission::problem(Fault::ExpiredCredential)),
    }
}

#[derive(Deserialize)]
struct Begin {
    invite: Option<Value>,
}

/// `POST /v1/session`: begins the session of an invitation.
pub(crate) async fn begin(mut call: Call<'_>) -> Answer {
    let head = call.request.head;
    // Else a page of somebody else could sign one in as whom it likes.
    if head.values("origin").next().is_some() && !sign_in::is_own_page(call.shell, head) {
        return Err(sign_in::foreign_page());
    }
    refuse_if_stopping(&call)?;
    if call.boards().is_failing() {
        return Err(admission::problem(Fault::StoreFailed));
    }
    let begin: Begin = call.json().await?;
    let text = body::required("invite", begin.invite, |value| {
        body::text("invite", value, 1..=limits::TOKEN_BYTES_MAX)
    })?;
    let now = call.boards().now().unix;
    let invite = call
        .shell
        .live
        .get()
        .verifier
        .invite(&text, now)
        .map_err(refusal)?;
    let actor = admission::actor(crate::ids::Subject::anonymous(), call.request.address, head);
    let mut random = [0; access::secret::SECRET_BYTES];
    getrandom::fill(&mut random).map_err(|_| admission::problem(Fault::Internal))?;
    let text = sign_in::new_text(random);
    let session = StoredSession {
        hash: SecretHash::of(&text),
        name: invite.user.as_str().to_owned(),
        user: invite.user,
        admin: invite.admin,
        boards: invite.boards,
        invite: invite.id,
        created_at: now,
        used_at: now,
        expires_at: sign_in::later(now, limits::SESSION_TIME),
        revoked_at: None,
        user_agent: actor.user_agent,
    };
    let open = SessionChange::Open(Box::new(session.clone()));
    let opened = call.boards().change_session(open).await;
    match opened.map_err(admission::problem)? {
        Applied::Done => {}
        Applied::Exists => return Err(gone("invite_used", USED)),
        Applied::TooMany => return Err(conflict("too_many_sessions", TOO_MANY)),
        _ => return Err(admission::problem(Fault::Internal)),
    }
    let id = session.hash.id();
    tracing::info!(session = id.as_str(), user = session.user.as_str(), admin = session.admin, address = %call.request.address, "session begun");
    let claims = SignedIn::Session(session).claims(now);
    let answer = person(&call, 201, Some((&claims, By::Session)));
    Ok(answer.field("Set-Cookie", sign_in::set_cookie(call.shell, Some(&text))))
}

const USED: &str = "an invitation is good for one browser; ask for another";
const TOO_MANY: &str =
    "there are as many sessions as there may be; `boardwire sessions` lists and revokes them";

fn refusal(error: InviteError) -> Response {
    match error {
        InviteError::Invalid => admission::problem(Fault::InvalidCredential),
        InviteError::Expired => gone(
            "invite_expired",
            "an invitation is good for 7 days; ask for another",
        ),
    }
}

/// A refusal of an invitation that was good once: 410.
fn gone(code: &'static str, detail: &'static str) -> Response {
    Response::problem(&Problem {
        status: 410,
        code,
        title: "The invitation is good no more",
        detail: detail.into(),
        field: None,
    })
}

/// `DELETE /v1/session`: signs this browser out.
pub(crate) async fn end(call: Call<'_>) -> Answer {
    refuse_if_stopping(&call)?;
    let id = sign_in::cookie(call.request.head).map(|text| SecretHash::of(text).id());
    if let Some(id) = id {
        let at = call.boards().now().unix;
        let revoke = SessionChange::Revoke { id, at };
        // One that is over already is as good.
        let revoked = call.boards().change_session(revoke).await;
        revoked.map_err(admission::problem)?;
    }
    Ok(Response::new(204).field("Set-Cookie", sign_in::set_cookie(call.shell, None)))
}

/// Whose sessions somebody may see and end: everybody's (`None`), or their own.
fn whose(identity: &Identity) -> Result<Option<UserId>, Response> {
    if identity.claims.iter().any(|claims| claims.admin) {
        return Ok(None);
    }
    let own = identity.claims.first().map(|claims| claims.user.clone());
    own.map(Some)
        .ok_or_else(|| admission::problem(Fault::NoCredential))
}

/// `GET /v1/sessions`.
pub(crate) async fn list(call: Call<'_>) -> Answer {
    let identity = call.identity().await?;
    let user = whose(&identity)?;
    let page = Page::of(call.request.target)?;
    let (after, limit) = (page.after(SecretId::parse)?, page.lookup());
    let sessions = call.boards().sessions(user, after, limit).await;
    let is_current = |id: &SecretId| {
        identity
            .claims
            .iter()
            .any(|claims| claims.session.as_ref() == Some(id))
    };
    let row = |session: StoredSession| {
        let id = session.hash.id();
        json!({
            "id": id.as_str(),
            "user": session.user.as_str(),
            "name": session.name,
            "admin": session.admin,
            "created_at": session.created_at.to_string(),
            "used_at": session.used_at.to_string(),
            "expires_at": session.expires_at.to_string(),
            "user_agent": session.user_agent,
            "current": is_current(&id),
        })
    };
    let sessions = sessions.map_err(admission::problem)?;
    let rows: Vec<Value> = sessions.into_iter().map(row).collect();
    Ok(page.answer(&rows, |row| list::text_of(row, "id")))
}

/// `DELETE /v1/sessions/{session}`.
pub(crate) async fn revoke(call: Call<'_>) -> Answer {
    let identity = call.identity().await?;
    let user = whose(&identity)?;
    let none = || missing("no_such_session", "there is no such session of yours");
    let id = SecretId::parse(call.captured(0)).ok_or_else(none)?;
    let found = call.boards().session(id.clone()).await;
    let found = found.map_err(admission::problem)?;
    found
        .filter(|session| user.is_none_or(|user| session.user == user))
        .ok_or_else(none)?;
    let at = call.boards().now().unix;
    let revoked = call
        .boards()
        .change_session(SessionChange::Revoke { id: id.clone(), at })
        .await;
    match revoked.map_err(admission::problem)? {
        Applied::Done => {
            let by = identity.actor.subject;
            tracing::info!(session = id.as_str(), by = by.as_str(), "session revoked");
            Ok(Response::new(204))
        }
        _ => Err(none()),
    }
}

#[derive(Deserialize)]
struct Invited {
    name: Option<Value>,
    admin: Option<Value>,
    boards: Option<Value>,
}

/// `POST /v1/invites`: an invitation, of an admin.
pub(crate) async fn invite(mut call: Call<'_>) -> Answer {
    let identity = call.identity().await?;
    if !identity.claims.iter().any(|claims| claims.admin) {
        return Err(admission::problem(Fault::NoPermission));
    }
    let invited: Invited = call.json().await?;
    let user = body::required("name", invited.name, |value| {
        let text = body::text("name", value, 1..=limits::USER_ID_BYTES_MAX)?;
        Invite::name(&text).ok_or_else(|| {
            body::invalid(
                "name",
                "must have no control characters, and no space at its ends",
            )
        })
    })?;
    let admin = body::optional(invited.admin, |value| body::flag("admin", &value))?;
    let boards = body::optional(invited.boards, boards)?;
    let mut id = [0; INVITE_BYTES];
    getrandom::fill(&mut id).map_err(|_| admission::problem(Fault::Internal))?;
    let invite = Invite {
        admin: admin.unwrap_or(false),
        boards: boards.unwrap_or_default(),
        ..Invite::new(id, user, call.boards().now().unix)
    };
    let text = invite.sign(&call.shell.live.get().keys);
    let text = text.ok_or_else(|| admission::problem(Fault::Internal))?;
    let by = identity.actor.subject;
    tracing::info!(
        user = invite.user.as_str(),
        admin = invite.admin,
        by = by.as_str(),
        "invitation made"
    );
    let answer = json!({
        "url": Invite::url(&address(&call), &text),
        "name": invite.user.as_str(),
        "expires_at": invite.expires_at.to_string(),
    });
    Ok(Response::json(201, &answer).field("Cache-Control", "no-store"))
}

/// Where people reach the server: as it was told, else as whoever asks does.
fn address(call: &Call<'_>) -> String {
    let settings = &call.shell.settings;
    let head = call.request.head;
    let page = || {
        let own = sign_in::is_own_page(call.shell, head).then(|| head.unique("origin").ok().flatten());
        own.flatten()
            .map(|origin| format!("{origin}{}", settings.base_path))
    };
    let host = || format!("http://{}{}", head.host.unwrap_or_default(), settings.base_path);
    settings
        .sign_in
        .address
        .clone()
        .or_else(page)
        .unwrap_or_else(host)
}

/// Boards and levels of an invitation.
fn boards(value: Value) -> Result<Vec<(BoardId, Level)>, Response> {
    let words = "must be an object of board ids and view, comment or edit";
    let wrong = || body::invalid("boards", words);
    let entries = value.as_object().ok_or_else(wrong)?;
    if entries.len() > limits::INVITE_BOARDS_MAX {
        return Err(body::invalid("boards", "must name 32 boards at most"));
    }
    let entry = |(id, level): (&String, &Value)| {
        let level = level.as_str().and_then(Level::parse);
        BoardId::parse(id).zip(level).ok_or_else(wrong)
    };
    let mut boards: Vec<(BoardId, Level)> = entries.iter().map(entry).collect::<Result<_, _>>()?;
    boards.sort_unstable();
    Ok(boards)
}
