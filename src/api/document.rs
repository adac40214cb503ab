//! `/v1/boards/{board}/document`: the board's state as a Yjs update, or its shared types as JSON; and updates to it.
//!
//! Key invariants: an update is answered once all of it is durable, and accepted by rights that hold at that moment;
//! neither reading nor writing creates a board. Tests: tests/it/document.rs.

use async_io::Timer;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;

use crate::api::{Answer, Call, content_unsupported, invalid_parameter};
use crate::fault::Fault;
use crate::http::response::{Problem, Response};
use crate::limits;
use crate::room::UpdateOutcome;
use crate::room::document::{self, Unopened};
use crate::rooms::RoomCell;
use crate::server::Server;
use crate::server::admission;
use crate::server::content::log_unopened;
use crate::server::loader::Creation;
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
    let cell = call.server.room(&granted.board, Creation::Denied).await;
    let cell = cell.map_err(admission::problem)?;
    match form {
        Form::Update { lacking: None } => {
            // One body for all who ask before the board changes.
            let state = cell.lock().full_state();
            if call.joins(&state) {
                return Ok(update_response(state));
            }
            drop(state);
            call.reserve(size_of(&cell)).await?;
            Ok(update_response(cell.lock().full_state()))
        }
        Form::Update { lacking: Some(text) } => {
            let asked = decoded(text)?;
            let asked = StateVector::parse(&asked)
                .map_err(|_| invalid_parameter("state_vector", "is not an encoded state vector"))?;
            call.reserve(size_of(&cell)).await?;
            Ok(update_response(cell.lock().diff(&asked)))
        }
        Form::Json => {
            call.reserve(size_of(&cell)).await?;
            json(call.server, &cell).await
        }
    }
}

/// `POST`: takes an update of somebody with `edit`.
pub(crate) async fn post(mut call: Call<'_>) -> Answer {
    let mut granted = call.editor(call.granted().await?)?;
    let update = Bytes::from(call.body().await?);
    let server = call.server;
    while server.committer_is_full() {
        Timer::after(limits::BACKPRESSURE_RETRY).await;
    }
    loop {
        let cell = server.room(&granted.board, Creation::Denied).await;
        let cell = cell.map_err(admission::problem)?;
        let now = server.now();
        let (accepted, saved) = server.step_awaited(&cell, |room, effects| {
            // Since the decision the room may have been unloaded, or the rights been taken away.
            let holds = granted.holds_in(server, room);
            holds.then(|| room.accept(None, &update, now, effects))
        });
        match accepted {
            None => {
                let renewed = admission::renew(server, granted).await;
                granted = call.editor(renewed.map_err(admission::problem)?)?;
            }
            Some(Err(refused)) => return Err(admission::problem(refused.fault())),
            Some(Ok(UpdateOutcome::Hole)) => return Err(missing_updates(&cell)),
            Some(Ok(UpdateOutcome::New | UpdateOutcome::Known)) => {
                let durable = server.saved(&cell, saved).await;
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
fn size_of(cell: &RoomCell) -> usize {
    cell.lock().board().encoded_bytes()
}

fn update_response(update: Bytes) -> Response {
    Response::new(200)
        .with_body("application/octet-stream", update)
        .field("Cache-Control", "no-store")
}

fn decoded(text: &str) -> Result<Vec<u8>, Response> {
    URL_SAFE_NO_PAD
        .decode(text.trim_end_matches('='))
        .map_err(|_| invalid_parameter("state_vector", "is not base64url"))
}

/// Opens a copy of the board on the blocking pool.
async fn json(server: &Server, cell: &RoomCell) -> Answer {
    let state = cell.lock().full_state();
    let opened = server.work_on_content(move || document::to_json(state)).await;
    match opened.inspect_err(|error| log_unopened(cell, *error)) {
        Ok(value) => Ok(Response::json(200, &value).field("Cache-Control", "no-store")),
        Err(Unopened::Unsupported) => Err(content_unsupported()),
        Err(Unopened::Failed) => Err(admission::problem(Fault::Internal)),
    }
}
