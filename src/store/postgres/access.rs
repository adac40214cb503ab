//! Grants, links and keys in one commit.
//!
//! Owns the rules of granting and revoking, and their bounds. Must not decide whether the board is there or
//! who asks; `batch` did. Key invariant: what is to be written is what `known` says in the end.

use std::collections::{BTreeMap, BTreeSet};

use super::super::{Act, Applied, Living, StoredSecret};
use super::assets::Assets;
use super::versions::Versions;
use super::webhooks::Webhooks;
use crate::access::secret::SecretKind;
use crate::ids::{BoardId, Level, Principal, SecretId};
use crate::limits;
use crate::time::UnixMillis;

/// A link or key that is there.
#[derive(Clone, Debug)]
pub(super) struct Known {
    pub(super) board: BoardId,
    pub(super) kind: SecretKind,
    pub(super) expires_at: Option<UnixMillis>,
}

/// Who has what, of the boards where that is to change; and how it changes.
#[derive(Debug, Default)]
pub(super) struct Access {
    /// Those of whom something is to be written, or somebody asks for a grant.
    pub(super) granted: BTreeSet<(BoardId, Principal)>,
    /// All links and keys of boards that get or lose one, and those with the ids of the new ones.
    pub(super) secrets: BTreeMap<SecretId, Known>,
    /// Grants to be written; `None` to be removed.
    pub(super) grants: BTreeMap<(BoardId, Principal), Option<Level>>,
    /// Links and keys to be removed, before others are written.
    pub(super) removed: BTreeSet<SecretId>,
    /// To be written.
    pub(super) added: BTreeMap<SecretId, StoredSecret>,
    /// Keys that are there, and are to be paused or to go on.
    pub(super) paused: BTreeMap<SecretId, bool>,
    /// Boards of which nothing stays, before others are written.
    pub(super) cleared: BTreeSet<BoardId>,
    pub(super) webhooks: Webhooks,
    pub(super) assets: Assets,
    pub(super) versions: Versions,
}

impl Access {
    /// Forgets all about a board.
    pub(super) fn clear(&mut self, board: &BoardId) {
        self.granted.retain(|(of, _)| of != board);
        self.grants.retain(|(of, _), _| of != board);
        self.secrets.retain(|_, secret| secret.board != *board);
        self.added.retain(|_, secret| secret.facts.board != *board);
        let secrets = &self.secrets;
        self.paused.retain(|id, _| secrets.contains_key(id));
        self.webhooks.clear(board);
        self.assets.clear(board);
        self.versions.clear(board);
        self.cleared.insert(board.clone());
    }

    /// Does one of the acts on grants, links and keys.
    pub(super) fn act(&mut self, board: &BoardId, act: &Act, at: UnixMillis) -> Result<(), Applied> {
        match act {
            Act::Grant { principal, level } => {
                let key = (board.clone(), principal.clone());
                let of_board = self.granted.iter().filter(|(of, _)| of == board);
                if !self.granted.contains(&key) && of_board.count() >= limits::GRANTS_PER_BOARD_MAX {
                    return Err(Applied::TooMany);
                }
                self.granted.insert(key.clone());
                self.grants.insert(key, Some(*level));
                Ok(())
            }
            Act::Ungrant { principal } => {
                let key = (board.clone(), principal.clone());
                if !self.granted.remove(&key) {
                    return Err(Applied::NotThere);
                }
                self.grants.insert(key, None);
                Ok(())
            }
            Act::AddSecret(secret) => self.add(board, secret, at),
            Act::Revoke { kind, id } => {
                let found = self.secrets.get(id);
                if found.is_none_or(|found| found.board != *board || found.kind != *kind) {
                    return Err(Applied::NotThere);
                }
                self.remove(id);
                Ok(())
            }
            Act::Pause { id, paused } => self.pause(board, id, *paused),
            Act::AddWebhook(_) | Act::RemoveWebhook(_) => self.webhooks.act(board, act),
            // Those are not about access.
            Act::RemoveVersion(id) => self.versions.remove(board, *id),
            Act::Create { .. } | Act::Update { .. } | Act::Trash | Act::Restore | Act::Delete => {
                Err(Applied::NotThere)
            }
        }
    }

    fn remove(&mut self, id: &SecretId) {
        self.secrets.remove(id);
        self.added.remove(id);
        self.paused.remove(id);
        self.removed.insert(id.clone());
    }

    fn pause(&mut self, board: &BoardId, id: &SecretId, paused: bool) -> Result<(), Applied> {
        let found = self.secrets.get(id);
        if found.is_none_or(|found| found.board != *board || found.kind != SecretKind::Key) {
            return Err(Applied::NotThere);
        }
        match self.added.get_mut(id) {
            Some(added) => added.facts.paused = paused,
            None => drop(self.paused.insert(id.clone(), paused)),
        }
        Ok(())
    }

    fn of_kind(&self, board: &BoardId, kind: SecretKind) -> impl Iterator<Item = (&SecretId, &Known)> {
        let all = self.secrets.iter();
        all.filter(move |(_, known)| known.board == *board && known.kind == kind)
    }

    fn add(&mut self, board: &BoardId, secret: &StoredSecret, at: UnixMillis) -> Result<(), Applied> {
        let id = secret.facts.hash.id();
        if self.secrets.contains_key(&id) {
            return Err(Applied::Exists);
        }
        let kind = secret.facts.kind;
        let most = match kind {
            SecretKind::Link => limits::LINKS_PER_BOARD_MAX,
            SecretKind::Key => limits::KEYS_PER_BOARD_MAX,
        };
        if self.of_kind(board, kind).count() >= most {
            // Those that have expired make room.
            let is_over = |known: &Known| known.expires_at.is_some_and(|end| end <= at);
            let over = self.of_kind(board, kind).filter(|(_, known)| is_over(known));
            let over: Vec<SecretId> = over.map(|(id, _)| id.clone()).collect();
            over.iter().for_each(|id| self.remove(id));
        }
        if self.of_kind(board, kind).count() >= most {
            return Err(Applied::TooMany);
        }
        self.put(board, secret);
        Ok(())
    }

    fn put(&mut self, board: &BoardId, secret: &StoredSecret) {
        let id = secret.facts.hash.id();
        let known = Known {
            board: board.clone(),
            kind: secret.facts.kind,
            expires_at: secret.facts.expires_at,
        };
        self.secrets.insert(id.clone(), known);
        self.added.insert(id, secret.clone());
    }

    /// Adds all grants, links and keys of a board that has none here, unless one is on another board.
    pub(super) fn import(&mut self, board: &BoardId, living: &Living) -> Result<(), Applied> {
        let secrets = living.secrets.iter();
        let mut ids = secrets.map(|secret| secret.facts.hash.id());
        if ids.any(|id| self.secrets.contains_key(&id)) {
            return Err(Applied::Exists);
        }
        if !living.assets.iter().all(|asset| self.assets.is_whole(asset)) {
            return Err(Applied::OutOfOrder);
        }
        (living.assets.iter()).for_each(|asset| self.assets.put(board, asset));
        living.secrets.iter().for_each(|secret| self.put(board, secret));
        (living.webhooks.iter()).for_each(|webhook| self.webhooks.put(board, webhook));
        self.versions.import(board, living);
        for (principal, level) in &living.grants {
            let key = (board.clone(), principal.clone());
            self.granted.insert(key.clone());
            self.grants.insert(key, Some(*level));
        }
        Ok(())
    }
}
