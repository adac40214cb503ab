//! `GET /v1/boards/{board}/audit`: who did what.
//!
//! Must not write entries. Key invariant: only who manages the board reads it. Tests: tests/it/audit.rs.

use serde::Serialize;
use serde_json::{Value, json};

use crate::api::list::Page;
use crate::api::{Answer, Call};
use crate::audit::{Entry, EntryKey};
use crate::ids::Level;
use crate::net::admission;
use crate::time::UnixMillis;

/// Newest first.
pub(crate) async fn get(call: Call<'_>) -> Answer {
    let board = call.manager().await?.board;
    let page = Page::of(call.request.target)?;
    let (before, limit) = (page.after(parse_place)?, page.lookup());
    // What was done a moment ago is in it too; whether something was lost shows in what is read next.
    drop(call.boards().settled().await);
    let entries = call
        .boards()
        .read(move |store| store.audit(&board, before, limit))
        .await
        .map_err(admission::problem)?;
    let rows: Vec<Row> = entries
        .iter()
        .map(|entry| Row(entry_json(entry), place(entry)))
        .collect();
    Ok(page.answer(&rows, |Row(_, place)| place.clone()))
}

/// An entry as clients see it, and its place.
#[derive(Serialize)]
#[serde(transparent)]
struct Row(Value, #[serde(skip)] String);

fn entry_json(entry: &Entry) -> Value {
    json!({
        "at": entry.key.at.to_string(),
        "actor": entry.actor.subject.as_str(),
        "action": entry.action.as_str(),
        "level": entry.level.map(Level::as_str),
        "address": entry.actor.address.map(|address| address.to_string()),
        "user_agent": entry.actor.user_agent,
        "detail": entry.detail,
    })
}

/// Where an entry stands, as a cursor's text.
fn place(entry: &Entry) -> String {
    format!("{}.{}", entry.key.at.0, entry.key.n)
}

fn parse_place(text: &str) -> Option<EntryKey> {
    let (at, n) = text.split_once('.')?;
    Some(EntryKey {
        at: UnixMillis(at.parse().ok()?),
        n: n.parse().ok()?,
    })
}
