//! `/v1/boards/{board}/document`: the board's state as a Yjs update, or its shared types as JSON; and updates
//! to it.
//!
//! Key invariants: an update is answered once all of it is durable, and accepted by rights that hold at that
//! moment; neither reading nor writing creates a board. Tests: tests/it/document.rs.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;

use crate::api::{Answer, Call, failed_content, invalid_parameter};
use crate::boards::Boards;
use crate::boards::loader::Creation;
use crate::boards::slots::RoomCell;
use crate::http::response::{Problem, Response};
use crate::limits;
use crate::net::admission;
use crate::room::{Room, UpdateOutcome};
use crate::update::Refused;
use crate::update::vector::StateVector;

/// What was asked for.
enum Form<'a> {
    /// The state, or what a state vector lacks of it.
    Update { lacking: Option<&'a str> },
    /// The shared types by name.
    Json,
}

/// Answers for somebody with `view`.
pub(crate) async fn get(mut call: Call<'_>) -> Answer {
    let target = call.request.target;
    let form = match (target.parameter("format"), target.parameter("state_vector")) {
        (Ok(None), Ok(lacking)) => Form::Update { lacking },
        (Ok(Some("json")), Ok(None)) => Form::Json,
        (Ok(Some("json")), Ok(Some(_))) => {
            return Err(invalid_parameter(
                "state_vector",
                "has no meaning with format=json",
            ));
        }
        (_, Err(_)) => return Err(invalid_parameter("state_vector", "is given twice")),
        _ => return Err(invalid_parameter("format", "must be json, or be left out")),
    };
    let granted = call.granted().await?;
    // Reading a board never creates it.
    let cell = call.boards().room(&granted.board, Creation::Denied).await;
    let cell = cell.map_err(admission::problem)?;
    match form {
        Form::Update { lacking: None } => {
            // One body for all who ask before the board changes: who finds none has room for one, and writes
            // it in turn.
            let written = cell.lock().folded();
            if let Some(state) = written.filter(|state| call.joins(state)) {
                return Ok(update_response(state));
            }
            call.reserve(size_of(&cell)).await?;
            let state = call.boards().full_state(&cell).await;
            call.joins(&state);
            Ok(update_response(state))
        }
        Form::Update { lacking: Some(text) } => {
            let asked = decoded(text)?;
            StateVector::parse(&asked)
                .map_err(|_| invalid_parameter("state_vector", "is not an encoded state vector"))?;
            call.reserve(size_of(&cell)).await?;
            Ok(update_response(call.boards().lacking(&cell, asked).await))
        }
        Form::Json => json(call.boards(), &cell).await,
    }
}

/// `POST`: takes an update of somebody with `edit`.
pub(crate) async fn post(mut call: Call<'_>) -> Answer {
    let mut granted = call.editor(call.granted().await?)?;
    let update = Bytes::from(call.body().await?);
    let boards = call.boards();
    boards.disk_caught_up().await;
    loop {
        let cell = boards.room(&granted.board, Creation::Denied).await;
        let cell = cell.map_err(admission::problem)?;
        // Since the decision the room may have been unloaded, or the rights been taken away.
        let holds = |room: &Room| granted.holds_in(boards, &cell, room);
        let now = boards.now();
        let (mut accepted, mut saved) = (Some(Ok(UpdateOutcome::Apart)), None);
        if update.len() < limits::APART_FROM_BYTES {
            (accepted, saved) = boards.step_awaited(&cell, |room, effects| {
                holds(room).then(|| {
                    let accepted = room.accept(None, &update, now, effects);
                    if accepted == Ok(UpdateOutcome::New) {
                        room.note_author(&granted.grant.subject);
                    }
                    accepted.map_err(Refused::fault)
                })
            });
        }
        if accepted == Some(Ok(UpdateOutcome::Apart)) {
            let joined = boards.join_apart(&cell, None, update.clone(), holds).await;
            (accepted, saved) = joined.map_or_else(
                |fault| (Some(Err(fault)), None),
                |joined| (joined.outcome.map(Ok), joined.saved),
            );
        }
        match accepted {
            None => {
                let renewed = boards.reconsider(granted).await;
                granted = call.editor(renewed.map_err(admission::problem)?)?;
            }
            Some(Err(fault)) => return Err(admission::problem(fault)),
            Some(Ok(UpdateOutcome::Hole)) => return Err(missing_updates(&cell)),
            Some(Ok(UpdateOutcome::New | UpdateOutcome::Known | UpdateOutcome::Apart)) => {
                let durable = boards.saved(&cell, saved).await;
                return durable.map(|()| Response::new(204)).map_err(admission::problem);
            }
        }
    }
}

/// The update builds on changes that the board has not seen.
fn missing_updates(cell: &RoomCell) -> Response {
    let vector = URL_SAFE_NO_PAD.encode(cell.lock().board().state_vector());
    let problem = Problem {
        status: 409,
        code: "missing_updates",
        title: "The update builds on changes that the board has not seen",
        detail: "send all that the state_vector lacks, as one update".into(),
        field: None,
    };
    Response::problem_with(&problem, &[("state_vector", &vector)])
}

/// The most that the board's state may take, encoded.
pub(super) fn size_of(cell: &RoomCell) -> usize {
    cell.lock().board().encoded_bytes()
}

pub(super) fn update_response(update: Bytes) -> Response {
    Response::new(200)
        .with_body("application/octet-stream", update)
        .field("Cache-Control", "no-store")
        // Opened as an address it is saved, and never shown: editors made these bytes, and the page's origin
        // is around them.
        .field("Content-Disposition", "attachment")
}

fn decoded(text: &str) -> Result<Vec<u8>, Response> {
    URL_SAFE_NO_PAD
        .decode(text.trim_end_matches('='))
        .map_err(|_| invalid_parameter("state_vector", "is not base64url"))
}

/// Opens a copy of the board on the blocking pool.
async fn json(boards: &Arc<Boards>, cell: &Arc<RoomCell>) -> Answer {
    let json = boards.content_as_json(cell).await.map_err(failed_content)?;
    Ok(Response::new(200)
        .with_body("application/json", json.text)
        .field("Cache-Control", "no-store")
        .holding(json.hold))
}
