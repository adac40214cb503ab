//! `/v1/boards/{board}/versions` and below: what a board was, and back to it.
//!
//! Owns the shape of a version in JSON. Must not decide which are kept. Key invariants: what is answered is
//! durable; a document of a version is answered as one of a board is. Tests: tests/it/versions.rs.

use std::sync::Arc;

use serde::Deserialize;
use serde_json::{Value, json};

use crate::api::list::{self, Page};
use crate::api::picture::{self, Form, Options};
use crate::api::{Answer, Call, body, document, failed_work, missing};
use crate::audit::Action;
use crate::boards::Boards;
use crate::boards::acts::Event;
use crate::boards::loader::Creation;
use crate::boards::versions::{NotMade, NotRestored, Wanted};
use crate::fault::Fault;
use crate::http::response::{Problem, Response};
use crate::ids::{BoardId, Subject};
use crate::limits;
use crate::net::admission;
use crate::store::{Act, Applied, StoredVersion, VersionId, VersionKind};

fn version_json(version: &StoredVersion) -> Value {
    json!({
        "id": version.id.to_string(),
        "kind": version.kind.as_str(),
        "at": version.at.to_string(),
        "name": version.name,
        "by": version.by.as_ref().map(Subject::as_str),
        "size_bytes": version.state_bytes(),
    })
}

/// `GET`: newest first.
pub(crate) async fn list(call: Call<'_>) -> Answer {
    let board = call.granted().await?.board;
    let page = Page::of(call.request.target)?;
    let (before, limit) = (page.after(VersionId::parse)?, page.lookup());
    let found = call
        .boards()
        .read(move |store| store.versions(&board, before, limit))
        .await
        .map_err(admission::problem)?;
    let rows: Vec<Value> = found.iter().map(version_json).collect();
    Ok(page.answer(&rows, |row| list::text_of(row, "id")))
}

#[derive(Deserialize)]
struct NewVersion {
    name: Option<Value>,
}

/// `POST`: keeps the board as it is now.
pub(crate) async fn create(mut call: Call<'_>) -> Answer {
    let granted = call.editor(call.granted().await?)?;
    let new: NewVersion = call.json().await?;
    let name = body::optional(new.name, name)?;
    let boards = call.boards();
    if granted.has_ended(boards) {
        return Err(admission::problem(Fault::ExpiredCredential));
    }
    let cell = boards.room(&granted.board, Creation::Denied).await;
    let cell = cell.map_err(admission::problem)?;
    call.reserve(document::size_of(&cell)).await?;
    let boards = call.boards();
    // What was done a moment ago is in it, and is not lost any more.
    drop(boards.settled().await);
    let mut entry = boards.entry_of(&granted, Action::VersionCreate);
    entry.detail = json!({ "name": name });
    let wanted = Wanted {
        kind: VersionKind::Named,
        name,
        by: Some(granted.grant.subject.clone()),
        entry: Some(entry),
    };
    match boards.make_version(&cell, wanted).await {
        Ok(version) => Ok(Response::json(201, &version_json(&version)).field("Cache-Control", "no-store")),
        Err(NotMade::Fault(fault)) => Err(admission::problem(fault)),
        Err(NotMade::Full | NotMade::Unchanged) => Err(full()),
    }
}

fn name(value: Value) -> Result<String, Response> {
    let name = body::text("name", value, 1..=limits::VERSION_NAME_BYTES_MAX)?;
    if name.chars().any(char::is_control) {
        return Err(body::invalid("name", "must have no control characters"));
    }
    Ok(name)
}

/// `DELETE .../versions/{version}`.
pub(crate) async fn delete(call: Call<'_>) -> Answer {
    let granted = call.manager().await?;
    let id = id_of(&call)?;
    let event = Event {
        action: Action::VersionDelete,
        level: Some(granted.grant.level),
        detail: json!({ "id": id.to_string() }),
    };
    let removed = call.boards().act(&granted, Act::RemoveVersion(id), event).await;
    match removed.map_err(admission::problem)? {
        Applied::Done => Ok(Response::new(204)),
        _ => Err(no_such_version()),
    }
}

/// `GET .../versions/{version}/document`: the state as a Yjs update.
pub(crate) async fn get_document(mut call: Call<'_>) -> Answer {
    let granted = call.granted().await?;
    let id = id_of(&call)?;
    reserve(&mut call, &granted.board, id).await?;
    let (_, state) = read(call.boards(), &granted.board, id).await?;
    Ok(document::update_response(state))
}

/// `GET .../versions/{version}/picture.svg`.
pub(crate) async fn svg(call: Call<'_>) -> Answer {
    draw(call, Form::Svg).await
}

/// `GET .../versions/{version}/picture.png`.
pub(crate) async fn png(call: Call<'_>) -> Answer {
    draw(call, Form::Png).await
}

async fn draw(mut call: Call<'_>, form: Form) -> Answer {
    let granted = call.granted().await?;
    let options = Options::of(call.request.target, form)?;
    let id = id_of(&call)?;
    reserve(&mut call, &granted.board, id).await?;
    let (_, state) = read(call.boards(), &granted.board, id).await?;
    picture::of_version(&mut call, &granted.board, (id, state), options).await
}

/// `POST .../versions/{version}/restore`: makes the board what it was, in one edit.
pub(crate) async fn restore(mut call: Call<'_>) -> Answer {
    let granted = call.editor(call.granted().await?)?;
    let id = id_of(&call)?;
    reserve(&mut call, &granted.board, id).await?;
    let restored = call.boards().restore_version(granted, id).await;
    let restored = restored.map_err(|failed| {
        failed_work(failed, |refused| match refused {
            NotRestored::NoSuchVersion => no_such_version(),
            NotRestored::Full => full(),
        })
    })?;
    let answer = json!({
        "restored": id.to_string(),
        "before": version_json(&restored.before),
        "set": restored.set,
        "removed": restored.removed,
    });
    Ok(Response::json(200, &answer).field("Cache-Control", "no-store"))
}

/// Takes room for the state of a version, before it is read: the list says how much it is.
///
/// # Errors
/// The refusal.
async fn reserve(call: &mut Call<'_>, board: &BoardId, id: VersionId) -> Result<(), Response> {
    let (of, after) = (board.clone(), id.0.saturating_add(1));
    let listed = call
        .boards()
        .read(move |store| store.versions(&of, Some(VersionId(after)), 1));
    let listed = listed.await.map_err(admission::problem)?;
    let version = listed.into_iter().find(|version| version.id == id);
    let bytes = version.ok_or_else(no_such_version)?.state_bytes();
    call.reserve(usize::try_from(bytes).unwrap_or(usize::MAX)).await
}

/// A version with its state.
///
/// # Errors
/// The refusal.
async fn read(
    boards: &Arc<Boards>,
    board: &BoardId,
    id: VersionId,
) -> Result<(StoredVersion, bytes::Bytes), Response> {
    let of = board.clone();
    let found = boards.read(move |store| store.version(&of, id)).await;
    found.map_err(admission::problem)?.ok_or_else(no_such_version)
}

fn id_of(call: &Call<'_>) -> Result<VersionId, Response> {
    VersionId::parse(call.captured(1)).ok_or_else(no_such_version)
}

fn no_such_version() -> Response {
    missing("no_such_version", "the board has no such version")
}

/// 409 `too_many_versions`.
fn full() -> Response {
    Response::problem(&Problem {
        status: 409,
        code: "too_many_versions",
        title: "There is no room for another version",
        detail: "those that have a name, or were asked for, take all there is; delete some".into(),
        field: None,
    })
}
