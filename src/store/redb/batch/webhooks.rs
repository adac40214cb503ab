//! Changes of webhooks.
//!
//! Owns their bound. Must not decide whether the board is there or who asks; `batch` did. Key invariant: what
//! is refused changes no row.

use ::redb::ReadableTable;

use super::super::super::rows::webhooks::{encode_webhook, webhook_key};
use super::super::super::{Act, Applied, StoreError, StoredWebhook};
use super::super::table::Rows;
use super::super::{engine, tally_of};
use crate::ids::BoardId;
use crate::limits;

/// Does one of the acts on webhooks.
pub(super) fn act(table: &mut Rows<'_>, board: &BoardId, act: &Act) -> Result<Applied, StoreError> {
    match act {
        Act::AddWebhook(webhook) => {
            let key = webhook_key(board, &webhook.id);
            if table.get(key.as_slice()).map_err(engine)?.is_some() {
                return Ok(Applied::Exists);
            }
            let there = usize::try_from(tally_of(&**table, board)?.rows).unwrap_or(usize::MAX);
            if there >= limits::WEBHOOKS_PER_BOARD_MAX {
                return Ok(Applied::TooMany);
            }
            put(table, board, webhook)?;
            Ok(Applied::Done)
        }
        Act::RemoveWebhook(id) => Ok(match table.remove(&webhook_key(board, id))? {
            Some(_) => Applied::Done,
            None => Applied::NotThere,
        }),
        _ => Ok(Applied::NotThere),
    }
}

/// Writes a webhook.
pub(super) fn put(table: &mut Rows<'_>, board: &BoardId, webhook: &StoredWebhook) -> Result<(), StoreError> {
    let key = webhook_key(board, &webhook.id);
    table.insert(&key, &encode_webhook(&key, webhook))?;
    Ok(())
}
