//! `/v1/boards/{board}/links` and `/v1/boards/{board}/keys`: share links and API keys.
//!
//! Owns both, since they differ in a name and an expiry. Key invariant: the text of a link or key is in one
//! answer, the one that made it, and nowhere else. Tests: tests/it/secrets.rs.

use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::access::SecretFacts;
use crate::access::secret::{self, SecretHash, SecretKind};
use crate::api::body;
use crate::api::list::{self, Page};
use crate::api::{Answer, Call, conflict, missing};
use crate::audit::Action;
use crate::boards::acts::Event;
use crate::boards::rights::Granted;
use crate::fault::Fault;
use crate::http::response::Response;
use crate::ids::{BoardId, Level, SecretId};
use crate::limits;
use crate::net::admission;
use crate::store::{Act, Applied, StoredSecret};
use crate::time::UnixMillis;

#[derive(Deserialize)]
struct New {
    level: Option<Value>,
    name: Option<Value>,
    label: Option<Value>,
    expires_in: Option<Value>,
}

/// A link or key as clients see it, without its text.
fn secret_json(id: &SecretId, stored: &StoredSecret) -> Map<String, Value> {
    let facts = &stored.facts;
    let own = match facts.kind {
        SecretKind::Link => [
            ("label", json!(stored.name)),
            ("expires_at", json!(facts.expires_at.map(|at| at.to_string()))),
        ]
        .to_vec(),
        SecretKind::Key => [
            ("name", json!(stored.name)),
            ("created_at", json!(stored.created_at.to_string())),
            ("paused", json!(facts.paused)),
        ]
        .to_vec(),
    };
    let members = [("id", json!(id.as_str())), ("level", json!(facts.level.as_str()))];
    let members = members.into_iter().chain(own);
    members.map(|(name, value)| (name.to_owned(), value)).collect()
}

/// `POST`: makes one; the answer shows its text.
pub(crate) async fn create(mut call: Call<'_>, kind: SecretKind) -> Answer {
    let granted = call.manager().await?;
    let new: New = call.json().await?;
    let now = call.boards().now().unix;
    let (text, stored) = make(kind, new, &granted, now)?;
    let id = stored.facts.hash.id();
    let mut answer = secret_json(&id, &stored);
    let (action, member, code, words) = match kind {
        SecretKind::Link => (
            Action::LinkCreate,
            "token",
            "too_many_links",
            "the board has as many share links as it may; revoke some",
        ),
        SecretKind::Key => (
            Action::KeyCreate,
            "key",
            "too_many_keys",
            "the board has as many API keys as it may; revoke some",
        ),
    };
    let mut detail = answer.clone();
    detail.retain(|member, value| match member.as_str() {
        "id" | "name" | "expires_at" => true,
        "label" => !value.is_null(),
        _ => false,
    });
    let event = Event {
        action,
        level: Some(stored.facts.level),
        detail: detail.into(),
    };
    answer.insert(member.to_owned(), text.into());
    match call
        .boards()
        .act(&granted, Act::AddSecret(Box::new(stored)), event)
        .await
        .map_err(admission::problem)?
    {
        Applied::Done => Ok(Response::json(201, &answer).field("Cache-Control", "no-store")),
        Applied::TooMany => Err(conflict(code, words)),
        // Two texts of 256 random bits whose hashes begin alike: the randomness is broken.
        _ => Err(admission::problem(Fault::Internal)),
    }
}

/// A new secret: its text, and what is kept of it.
fn make(
    kind: SecretKind,
    new: New,
    granted: &Granted,
    now: UnixMillis,
) -> Result<(String, StoredSecret), Response> {
    let level: Level = body::required("level", new.level, |value| body::level("level", &value))?;
    let name = match kind {
        SecretKind::Link => body::optional(new.label, |value| {
            body::text("label", value, 1..=limits::KEY_NAME_BYTES_MAX)
        })?,
        SecretKind::Key => Some(body::required("name", new.name, |value| {
            body::text("name", value, 1..=limits::KEY_NAME_BYTES_MAX)
        })?),
    };
    let expires_in = match kind {
        SecretKind::Link => body::optional(new.expires_in, |value| {
            body::whole("expires_in", &value, 1..=limits::LINK_SECONDS_MAX)
        })?,
        SecretKind::Key => None,
    };
    let mut random = [0; secret::SECRET_BYTES];
    getrandom::fill(&mut random).map_err(|_| admission::problem(Fault::Internal))?;
    let text = secret::text(kind, random);
    let stored = StoredSecret {
        facts: SecretFacts {
            kind,
            board: granted.board.clone(),
            hash: SecretHash::of(&text),
            level,
            expires_at: expires_in.map(|seconds| UnixMillis(now.0.saturating_add(seconds * 1_000))),
            paused: false,
        },
        name,
        created_by: granted.actor.subject.clone(),
        created_at: now,
    };
    Ok((text, stored))
}

/// `GET`: all of the board, expired ones too, without their texts.
pub(crate) async fn list(call: Call<'_>, kind: SecretKind) -> Answer {
    let board: BoardId = call.manager().await?.board;
    let page = Page::of(call.request.target)?;
    let (after, limit) = (page.after(SecretId::parse)?, page.lookup());
    let secrets = call
        .boards()
        .read(move |store| store.secrets(&board, kind, after.as_ref(), limit))
        .await
        .map_err(admission::problem)?;
    let rows: Vec<Value> = secrets
        .iter()
        .map(|(id, stored)| secret_json(id, stored).into())
        .collect();
    Ok(page.answer(&rows, |row| list::text_of(row, "id")))
}

/// What a change of a key says.
#[derive(Deserialize)]
struct Patch {
    paused: Option<Value>,
}

/// `PATCH .../keys/{key}`: stops an agent, or lets it go on.
pub(crate) async fn update(mut call: Call<'_>) -> Answer {
    let granted = call.manager().await?;
    let id = SecretId::parse(call.captured(1)).ok_or_else(|| no_such(SecretKind::Key))?;
    let patch: Patch = call.json().await?;
    let paused = body::required("paused", patch.paused, |value| body::flag("paused", &value))?;
    let event = Event {
        action: match paused {
            true => Action::KeyPause,
            false => Action::KeyResume,
        },
        level: None,
        detail: json!({ "id": id.as_str() }),
    };
    let act = Act::Pause {
        id: id.clone(),
        paused,
    };
    let acted = call.boards().act(&granted, act, event).await;
    if acted.map_err(admission::problem)? == Applied::NotThere {
        return Err(no_such(SecretKind::Key));
    }
    let board = granted.board;
    let keys = call
        .boards()
        .read(move |store| store.secrets(&board, SecretKind::Key, None, limits::KEYS_PER_BOARD_MAX))
        .await
        .map_err(admission::problem)?;
    // Somebody may have revoked it meanwhile.
    let key = keys.iter().find(|(listed, _)| *listed == id);
    let (id, stored) = key.ok_or_else(|| no_such(SecretKind::Key))?;
    Ok(Response::json(200, &secret_json(id, stored)).field("Cache-Control", "no-store"))
}

fn no_such(kind: SecretKind) -> Response {
    match kind {
        SecretKind::Link => missing("no_such_link", "the board has no such share link"),
        SecretKind::Key => missing("no_such_key", "the board has no such API key"),
    }
}

/// `DELETE .../{id}`: revokes one.
pub(crate) async fn delete(call: Call<'_>, kind: SecretKind) -> Answer {
    let granted = call.manager().await?;
    let id = SecretId::parse(call.captured(1)).ok_or_else(|| no_such(kind))?;
    let event = Event {
        action: match kind {
            SecretKind::Link => Action::LinkRevoke,
            SecretKind::Key => Action::KeyRevoke,
        },
        level: None,
        detail: json!({ "id": id.as_str() }),
    };
    match call
        .boards()
        .act(&granted, Act::Revoke { kind, id }, event)
        .await
        .map_err(admission::problem)?
    {
        Applied::NotThere => Err(no_such(kind)),
        _ => Ok(Response::new(204)),
    }
}
