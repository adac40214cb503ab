//! `GET /v1/boards/{board}/presence`: who is connected.
//!
//! Key invariant: asking never loads a board. Tests: tests/it/presence.rs.

use serde::Serialize;
use serde_json::Value;

use crate::api::list::Page;
use crate::api::{Answer, Call};
use crate::room::Present;
use crate::room::member::MemberId;

#[derive(Serialize)]
struct PresentJson {
    subject: String,
    name: Option<Box<str>>,
    clients: Vec<u64>,
    level: &'static str,
    connected_at: String,
    state: Option<Value>,
    #[serde(skip)]
    place: u32,
}

/// The connections of a board, in an order that lasts.
pub(crate) async fn get(call: Call<'_>) -> Answer {
    let board = call.granted().await?.board;
    let page = Page::of(call.request.target)?;
    let after = page.after(|text| text.parse().ok().map(MemberId::new))?;
    let room = call.boards().live(&board);
    let present = room.map(|room| room.lock().present(after, page.lookup()));
    let rows: Vec<PresentJson> = present
        .unwrap_or_default()
        .into_iter()
        .map(present_json)
        .collect();
    Ok(page.answer(&rows, |row| row.place.to_string()))
}

fn present_json(present: Present) -> PresentJson {
    PresentJson {
        subject: present.subject.as_str().to_owned(),
        name: present.name,
        clients: present.clients,
        level: present.level.as_str(),
        connected_at: present.connected_at.to_string(),
        state: present.state.and_then(|state| serde_json::from_str(&state).ok()),
        place: present.member.number(),
    }
}
