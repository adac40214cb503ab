//! `/v1/boards` and `/v1/boards/{board}`: boards as a whole.
//!
//! Owns the shape of a board in JSON. Must not decide access or touch rooms. Key invariant: what is answered
//! is durable. Tests: tests/it/boards.rs.

use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::access::{self, Credentials, Decision, Mode, Moment, Question};
use crate::api::body;
use crate::api::list::{self, Page};
use crate::api::{Answer, Call, conflict, invalid_parameter, uuid};
use crate::audit::Action;
use crate::boards::acts::{Deletion, Event};
use crate::boards::rights::Granted;
use crate::boards::trash::{Asking, Found};
use crate::fault::Fault;
use crate::http::response::Response;
use crate::ids::{BoardId, Level, UserId};
use crate::limits;
use crate::net::admission::{self, Identity};
use crate::store::{Act, Applied, Holder, Listed, Stored, Summary, Trashed};
use crate::time::UnixMillis;

/// A board as clients see it; `level` is the caller's.
fn board_json(board: &BoardId, summary: &Summary, level: Option<Level>) -> Value {
    let record = &summary.record;
    json!({
        "id": board.as_str(),
        "title": record.title,
        "owner": record.owner.as_ref().map(UserId::as_str),
        "level": level.map(Level::as_str),
        "created_at": record.created_at.to_string(),
        "updated_at": record.updated_at.to_string(),
        "size_bytes": summary.size_bytes,
    })
}

/// A board in the trash.
fn trashed_json(trashed: &Trashed, gone_at: UnixMillis) -> Value {
    let mut board = board_json(&trashed.board, &trashed.summary, None);
    if let Some(members) = board.as_object_mut() {
        members.insert("deleted_at".to_owned(), json!(trashed.at.to_string()));
        members.insert("expires_at".to_owned(), json!(gone_at.to_string()));
    }
    board
}

#[derive(Deserialize)]
struct NewBoard {
    id: Option<Value>,
    title: Option<Value>,
}

/// `POST /v1/boards`: a board owned by the token's user.
pub(crate) async fn create(mut call: Call<'_>) -> Answer {
    let identity = call.identity().await?;
    let owner = identity.claims.first().map(|claims| claims.user.clone());
    let owner = owner.ok_or_else(|| admission::problem(Fault::NoCredential))?;
    let new: NewBoard = call.json().await?;
    let id = body::optional(new.id, |id| body::text("id", id, 0..=usize::MAX))?;
    let board = match id {
        Some(id) => BoardId::parse(&id).ok_or_else(|| admission::problem(Fault::InvalidBoardId))?,
        None => random_id().map_err(admission::problem)?,
    };
    let title = body::optional(new.title, title)?;
    if identity.has_ended(call.shell) {
        return Err(admission::problem(Fault::ExpiredCredential));
    }
    let create = call
        .boards()
        .create_board(board.clone(), owner, title, identity.actor);
    let created = create.await;
    if created.map_err(admission::problem)? == Applied::Exists {
        return Err(conflict("board_exists", "there is a board with this id"));
    }
    let location = format!("{}/v1/boards/{board}", call.shell.settings.base_path);
    let answer = answer(&call, 201, &board, Some(Level::Edit)).await?;
    Ok(answer.field("Location", location))
}

/// `GET /v1/boards`: those that the caller owns, or is granted otherwise than with everybody.
///
/// With `trash=true` those in the trash that the caller may bring back.
pub(crate) async fn list(call: Call<'_>) -> Answer {
    match switch(&call, "trash")? {
        Switch::On => return list_trash(call).await,
        Switch::Off => {}
    }
    let Identity { claims, .. } = call.identity().await?;
    let page = Page::of(call.request.target)?;
    let after = page.after(BoardId::parse)?;
    let mode = call.boards().settings.mode;
    let holder = Holder {
        everything: mode == Mode::Dev || claims.iter().any(|claims| claims.admin),
        owners: claims.iter().map(|claims| claims.user.clone()).collect(),
        principals: claims
            .iter()
            .flat_map(|claims| access::principals(&claims.user, &claims.teams))
            .collect(),
        claimed: claims
            .iter()
            .flat_map(|claims| claims.boards())
            .map(|(board, _)| board.clone())
            .collect(),
    };
    let limit = page.lookup();
    let listed = call
        .boards()
        .read(move |store| store.list(&holder, after.as_ref(), limit))
        .await
        .map_err(admission::problem)?;
    let now = call.boards().now().unix;
    let row = |listed: Listed| {
        let (board, facts) = (&listed.board, listed.facts());
        let question = Question {
            board,
            facts: &facts,
            mode,
            moment: Moment::Connection,
            now,
        };
        let level = match access::decide(&Credentials::of_tokens(board, &claims), question) {
            Decision::Granted(grant) => Some(grant.level),
            Decision::Refused(_) => None,
        };
        match &listed.summary {
            Ok(summary) => board_json(board, summary, level),
            // Its rows are damaged; that it is there must not be hidden.
            Err(_) => json!({ "id": board.as_str(), "level": level.map(Level::as_str), "unreadable": true }),
        }
    };
    let rows: Vec<Value> = listed.into_iter().map(row).collect();
    Ok(page.answer(&rows, |row| list::text_of(row, "id")))
}

async fn list_trash(call: Call<'_>) -> Answer {
    let Identity { claims, .. } = call.identity().await?;
    let page = Page::of(call.request.target)?;
    let after = page.after(BoardId::parse)?;
    let holder = Holder {
        everything: claims.iter().any(|claims| claims.admin),
        owners: claims.iter().map(|claims| claims.user.clone()).collect(),
        ..Holder::default()
    };
    let limit = page.lookup();
    let found = call
        .boards()
        .read(move |store| store.trash(&holder, after.as_ref(), limit))
        .await
        .map_err(admission::problem)?;
    let row = |trashed: &Trashed| trashed_json(trashed, call.boards().leaves_trash_at(trashed.at));
    let rows: Vec<Value> = found.iter().map(row).collect();
    Ok(page.answer(&rows, |row| list::text_of(row, "id")))
}

/// A parameter that is `true`, or left out.
enum Switch {
    On,
    Off,
}

fn switch(call: &Call<'_>, name: &'static str) -> Result<Switch, Response> {
    match call.request.target.parameter(name) {
        Ok(None) => Ok(Switch::Off),
        Ok(Some("true")) => Ok(Switch::On),
        _ => Err(invalid_parameter(name, "must be true, or be left out")),
    }
}

/// `GET /v1/boards/{board}`.
pub(crate) async fn get(call: Call<'_>) -> Answer {
    let Granted { board, grant, .. } = call.granted().await?;
    answer(&call, 200, &board, Some(grant.level)).await
}

#[derive(Deserialize)]
struct Patch {
    #[serde(default, deserialize_with = "body::present")]
    title: Option<Value>,
    owner: Option<Value>,
}

/// `PATCH /v1/boards/{board}`: a new title, or a new owner.
pub(crate) async fn update(mut call: Call<'_>) -> Answer {
    let granted = call.manager().await?;
    let patch: Patch = call.json().await?;
    // What is null here removes the title; what is missing leaves it.
    let title = patch
        .title
        .map(|value| body::optional(Some(value), title))
        .transpose()?;
    let owner = body::optional(patch.owner, |value| {
        let text = body::text("owner", value, 1..=limits::USER_ID_BYTES_MAX)?;
        UserId::parse(&text).ok_or_else(|| body::invalid("owner", "must have no control characters"))
    })?;
    let mut detail = Map::new();
    detail.extend(title.as_ref().map(|title| ("title".to_owned(), json!(title))));
    detail.extend(
        owner
            .as_ref()
            .map(|owner| ("owner".to_owned(), json!(owner.as_str()))),
    );
    if !detail.is_empty() {
        let event = Event {
            action: Action::BoardUpdate,
            level: Some(granted.grant.level),
            detail: detail.into(),
        };
        let act = Act::Update { title, owner };
        let updated = call.boards().act(&granted, act, event).await;
        updated.map_err(admission::problem)?;
    }
    let board = granted.board.clone();
    // Who gave it away may have nothing left.
    let level = call.boards().reconsider(granted).await;
    answer(&call, 200, &board, level.ok().map(|granted| granted.grant.level)).await
}

/// `DELETE /v1/boards/{board}`: into the trash; with `forever=true` for good, also out of the trash.
pub(crate) async fn delete(call: Call<'_>) -> Answer {
    let deletion = match switch(&call, "forever")? {
        Switch::Off => Deletion::IntoTrash,
        Switch::On => Deletion::ForGood,
    };
    if deletion == Deletion::ForGood
        && let Some(asking) = about_trashed(&call).await?
    {
        match call.boards().delete_trashed(asking).await {
            Ok(Found::InTrash) => return Ok(Response::new(204)),
            Ok(Found::Nowhere) | Err(Fault::BoardDeleted) => {}
            Err(fault) => return Err(admission::problem(fault)),
        }
    }
    let granted = call.manager().await?;
    let deleted = call.boards().delete_board(&granted, deletion).await;
    deleted.map(|()| Response::new(204)).map_err(admission::problem)
}

/// `POST /v1/boards/{board}/restore`: brings it back out of the trash.
pub(crate) async fn restore(call: Call<'_>) -> Answer {
    if let Some(asking) = about_trashed(&call).await? {
        let board = asking.board.clone();
        let found = call.boards().restore_board(asking).await;
        if found.map_err(admission::problem)? == Found::InTrash {
            return answer(&call, 200, &board, Some(Level::Edit)).await;
        }
    }
    call.manager().await?;
    Err(conflict(
        "not_in_trash",
        "the board is there, and not in the trash",
    ))
}

/// Who asks about the board of the path as one in the trash; nobody without a token.
async fn about_trashed(call: &Call<'_>) -> Result<Option<Asking>, Response> {
    let Some(board) = BoardId::parse(call.captured(0)) else {
        return Ok(None);
    };
    let Ok(identity) = call.identity().await else {
        // As for any board: a link or key may be what was sent.
        return Ok(None);
    };
    if identity.has_ended(call.shell) {
        return Err(admission::problem(Fault::ExpiredCredential));
    }
    Ok(Some(Asking {
        credentials: Credentials::of_tokens(&board, &identity.claims),
        board,
        actor: identity.actor,
    }))
}

fn title(value: Value) -> Result<String, Response> {
    let title = body::text("title", value, 0..=limits::TITLE_BYTES_MAX)?;
    if title.chars().any(char::is_control) {
        return Err(body::invalid("title", "must have no control characters"));
    }
    Ok(title)
}

/// Answers with the board as it is stored.
async fn answer(call: &Call<'_>, status: u16, board: &BoardId, level: Option<Level>) -> Answer {
    let id = board.clone();
    let summary = call.boards().read(move |store| store.summary(&id)).await;
    match summary.map_err(admission::problem)? {
        Stored::Present(summary) => {
            let board = board_json(board, &summary, level);
            Ok(Response::json(status, &board).field("Cache-Control", "no-store"))
        }
        Stored::Deleted => Err(admission::problem(Fault::BoardDeleted)),
        Stored::Absent => Err(admission::problem(Fault::NoSuchBoard)),
    }
}

fn random_id() -> Result<BoardId, Fault> {
    BoardId::parse(&uuid::random()?).ok_or(Fault::Internal)
}
