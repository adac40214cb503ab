//! A board opened as a yrs document, where the server itself reads content.
//!
//! Owns the one use of yrs, fenced: canonical state only, past `update::gate`, and never again after an error or a
//! panic. Must not know rooms or members. Key invariant: what strangers sent reaches yrs only as the compacted state
//! of a board, never as it came.

use std::panic::{AssertUnwindSafe, catch_unwind};

use bytes::Bytes;
use serde_json::{Map, Value};
use yrs::types::ToJson;
use yrs::updates::decoder::Decode;
use yrs::{Doc, GetString, OffsetKind, Options, ReadTxn, Transact, Update};

use crate::room::board::{self, Board};
use crate::update::Budgets;
use crate::update::gate::{self, Root, RootContent};

/// Why a board cannot be opened as a document; it still syncs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unopened {
    /// It holds content that yrs must not be given.
    Unsupported,
    /// yrs refused it, or panicked over it. A bug of the gate or of yrs.
    Failed,
}

/// The shared types of a board by name, as JSON.
///
/// A map becomes an object, an array an array, a text its string, XML its string; a type of both kinds shows its
/// entries. `state` is any complete state of a board; it is compacted first, since yrs must be given nothing else.
///
/// # Errors
/// [`Unopened`].
///
/// # Panics
/// Never: a panic of yrs is caught, and the document it happened in is leaked, since dropping it could panic again.
pub fn to_json(state: Bytes) -> Result<Value, Unopened> {
    let mut board = Board::load(state, Budgets::UNBOUNDED).map_err(|_| Unopened::Failed)?;
    let state = board::compact(&board.capture())
        .map_err(|_| Unopened::Failed)?
        .bytes();
    let roots = gate::document_gate(&state).map_err(|_| Unopened::Unsupported)?;
    let client = yrs::ClientID::new(READER_CLIENT);
    let doc = Doc::with_options(Options {
        offset_kind: OffsetKind::Utf16,
        ..Options::with_client_id(client)
    });
    let read = catch_unwind(AssertUnwindSafe(|| read(&doc, &state, &roots)));
    let value = read.unwrap_or(Err(Unopened::Failed));
    if value.is_err() {
        std::mem::forget(doc);
    }
    value
}

/// A client id for documents that are only read: nothing is ever written under it.
const READER_CLIENT: u64 = 1;

fn read(doc: &Doc, state: &[u8], roots: &[Root]) -> Result<Value, Unopened> {
    let update = Update::decode_v1(state).map_err(|_| Unopened::Failed)?;
    doc.transact_mut()
        .apply_update(update)
        .map_err(|_| Unopened::Failed)?;
    let mut shared = Map::new();
    for root in roots {
        let any = if root.has_entries {
            doc.get_or_insert_map(root.name.as_str()).to_json(&doc.transact())
        } else {
            match root.content {
                RootContent::None => continue,
                RootContent::Array => doc
                    .get_or_insert_array(root.name.as_str())
                    .to_json(&doc.transact()),
                RootContent::Text => doc
                    .get_or_insert_text(root.name.as_str())
                    .get_string(&doc.transact())
                    .into(),
                RootContent::Xml => doc
                    .get_or_insert_xml_fragment(root.name.as_str())
                    .get_string(&doc.transact())
                    .into(),
            }
        };
        shared.insert(
            root.name.clone(),
            serde_json::to_value(&any).map_err(|_| Unopened::Failed)?,
        );
    }
    if doc.transact().has_missing_updates() {
        return Err(Unopened::Failed);
    }
    Ok(Value::Object(shared))
}
