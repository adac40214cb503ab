//! Webhooks in one commit.
//!
//! Owns their bound. Must not decide whether the board is there or who asks; `batch` did. Key invariant: what
//! is to be written is what `known` says in the end.

use std::collections::{BTreeMap, BTreeSet};

use super::super::{Act, Applied, StoredWebhook, WebhookId};
use crate::ids::BoardId;
use crate::limits;

/// The webhooks of boards where that is to change; and how it changes.
#[derive(Debug, Default)]
pub(super) struct Webhooks {
    /// All of boards that get or lose one.
    pub(super) known: BTreeSet<(BoardId, WebhookId)>,
    /// To be removed, before others are written.
    pub(super) removed: BTreeSet<(BoardId, WebhookId)>,
    /// To be written.
    pub(super) added: BTreeMap<(BoardId, WebhookId), StoredWebhook>,
}

impl Webhooks {
    /// Forgets all of a board, whose rows go with it.
    pub(super) fn clear(&mut self, board: &BoardId) {
        self.known.retain(|(of, _)| of != board);
        self.removed.retain(|(of, _)| of != board);
        self.added.retain(|(of, _), _| of != board);
    }

    /// Does one of the acts on webhooks.
    pub(super) fn act(&mut self, board: &BoardId, act: &Act) -> Result<(), Applied> {
        match act {
            Act::AddWebhook(webhook) => {
                if self.known.contains(&(board.clone(), webhook.id.clone())) {
                    return Err(Applied::Exists);
                }
                let of_board = self.known.iter().filter(|(of, _)| of == board);
                if of_board.count() >= limits::WEBHOOKS_PER_BOARD_MAX {
                    return Err(Applied::TooMany);
                }
                self.put(board, webhook);
                Ok(())
            }
            Act::RemoveWebhook(id) => {
                let key = (board.clone(), id.clone());
                if !self.known.remove(&key) {
                    return Err(Applied::NotThere);
                }
                self.added.remove(&key);
                self.removed.insert(key);
                Ok(())
            }
            _ => Err(Applied::NotThere),
        }
    }

    /// Adds one.
    pub(super) fn put(&mut self, board: &BoardId, webhook: &StoredWebhook) {
        let key = (board.clone(), webhook.id.clone());
        self.known.insert(key.clone());
        self.added.insert(key, webhook.clone());
    }
}
