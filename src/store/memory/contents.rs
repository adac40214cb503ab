//! What a store holds, and the plainest reading of what is done to it and answered about it.
//!
//! Owns [`Contents`]. Must share no code with other stores but the types of the seams: it is what they are
//! compared with. Key invariant: a change that is not done leaves all as it was. Quotas are not looked at.
//! Tests: `contract/`.

use std::collections::BTreeMap;

use bytes::Bytes;

use super::super::{
    Act, Applied, Became, BoardRecord, Change, ChunkHash, Holder, Life, Listed, Living, NewVersion,
    SessionChange, Stored, StoredAsset, StoredBoard, StoredSecret, StoredSession, StoredVersion,
    StoredWebhook, Summary, Trashed, UploadId, Used, VersionId, WebhookId, WhichSessions, Whole,
};
use super::assets::Assets;
use crate::access::secret::SecretKind;
use crate::access::{Asked, BoardFacts, Facts, SecretFacts};
use crate::asset::AssetHash;
use crate::audit::{Entry, EntryKey};
use crate::ids::{BoardId, Level, Principal, SecretId, UserId};
use crate::limits;
use crate::time::UnixMillis;

/// A board that is there.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Board {
    stored: StoredBoard,
    grants: BTreeMap<Principal, Level>,
    secrets: BTreeMap<SecretId, StoredSecret>,
    webhooks: BTreeMap<WebhookId, StoredWebhook>,
    versions: BTreeMap<VersionId, StoredVersion>,
    chunks: BTreeMap<ChunkHash, Bytes>,
}

impl Board {
    fn new(owner: Option<UserId>, title: Option<String>, at: UnixMillis) -> Self {
        let record = BoardRecord {
            owner,
            title,
            created_at: at,
            updated_at: at,
        };
        Self {
            stored: StoredBoard {
                record,
                snapshot: None,
                updates: Vec::new(),
            },
            grants: BTreeMap::new(),
            secrets: BTreeMap::new(),
            webhooks: BTreeMap::new(),
            versions: BTreeMap::new(),
            chunks: BTreeMap::new(),
        }
    }

    fn owner(&self) -> Option<&UserId> {
        self.stored.record.owner.as_ref()
    }

    /// Each update counts with the four bytes of its length.
    fn size_bytes(&self) -> u64 {
        let state = self.stored.snapshot.iter().map(|(_, state)| state.len());
        let updates = self.stored.updates.iter().map(|(_, update)| update.len() + 4);
        u64::try_from(state.chain(updates).sum::<usize>()).unwrap_or(u64::MAX)
    }

    fn summary(&self) -> Summary {
        Summary {
            record: self.stored.record.clone(),
            size_bytes: self.size_bytes(),
            sequence: self.stored.last_sequence(),
        }
    }

    fn grants_to(&self, principals: &[Principal]) -> BTreeMap<Principal, Level> {
        let mut grants = self.grants.clone();
        grants.retain(|principal, _| principals.contains(principal));
        grants
    }

    fn secrets_of(&self, kind: SecretKind) -> impl Iterator<Item = (&SecretId, &StoredSecret)> {
        let secrets = self.secrets.iter();
        secrets.filter(move |(_, secret)| secret.facts.kind == kind)
    }

    fn append(&mut self, sequence: u64, update: &Bytes, at: UnixMillis) -> Applied {
        if sequence != self.stored.last_sequence() + 1 {
            return Applied::OutOfOrder;
        }
        self.stored.updates.push((sequence, update.clone()));
        self.stored.record.updated_at = self.stored.record.updated_at.max(at);
        Applied::Done
    }

    fn snapshot(&mut self, covers: u64, state: &Bytes) -> Applied {
        let least = self.stored.snapshot.as_ref().map_or(0, |(covers, _)| *covers);
        if covers < least || covers > self.stored.last_sequence() {
            return Applied::OutOfOrder;
        }
        self.stored.updates.retain(|(sequence, _)| *sequence > covers);
        self.stored.snapshot = Some((covers, state.clone()));
        Applied::Done
    }

    fn grant(&mut self, principal: &Principal, level: Level) -> Applied {
        if !self.grants.contains_key(principal) && self.grants.len() >= limits::GRANTS_PER_BOARD_MAX {
            return Applied::TooMany;
        }
        self.grants.insert(principal.clone(), level);
        Applied::Done
    }

    /// Adds a link or key; where there are as many as there may be, those that have expired by `at` make
    /// room.
    fn add_secret(&mut self, secret: &StoredSecret, at: UnixMillis) -> Applied {
        let kind = secret.facts.kind;
        let most = match kind {
            SecretKind::Link => limits::LINKS_PER_BOARD_MAX,
            SecretKind::Key => limits::KEYS_PER_BOARD_MAX,
        };
        let is_over = |other: &StoredSecret| {
            other.facts.kind == kind && other.facts.expires_at.is_some_and(|end| end <= at)
        };
        if self.secrets_of(kind).count() >= most {
            self.secrets.retain(|_, other| !is_over(other));
        }
        if self.secrets_of(kind).count() >= most {
            return Applied::TooMany;
        }
        self.secrets.insert(secret.facts.hash.id(), secret.clone());
        Applied::Done
    }

    fn revoke(&mut self, kind: SecretKind, id: &SecretId) -> Applied {
        let found = self.secrets.get(id).map(|secret| secret.facts.kind);
        there((found == Some(kind)).then(|| self.secrets.remove(id)))
    }

    fn pause(&mut self, id: &SecretId, paused: bool) -> Applied {
        let found = self.secrets.get_mut(id);
        let key = found.filter(|secret| secret.facts.kind == SecretKind::Key);
        there(key.map(|key| key.facts.paused = paused))
    }

    fn add_webhook(&mut self, webhook: &StoredWebhook) -> Applied {
        if self.webhooks.contains_key(&webhook.id) {
            return Applied::Exists;
        }
        if self.webhooks.len() >= limits::WEBHOOKS_PER_BOARD_MAX {
            return Applied::TooMany;
        }
        self.webhooks.insert(webhook.id.clone(), webhook.clone());
        Applied::Done
    }

    fn add_version(&mut self, new: &NewVersion) -> Applied {
        if self.versions.contains_key(&new.version.id) {
            return Applied::Exists;
        }
        let stays = |id: &&VersionId| !new.forgotten.contains(id);
        if self.versions.keys().filter(stays).count() >= limits::VERSIONS_PER_BOARD_MAX {
            return Applied::TooMany;
        }
        self.versions.retain(|id, _| stays(&id));
        self.versions.insert(new.version.id, new.version.clone());
        let hashes = new.version.pieces.iter().map(|piece| piece.hash);
        self.chunks.extend(hashes.zip(new.chunks.iter().cloned()));
        self.drop_chunks();
        Applied::Done
    }

    fn remove_version(&mut self, id: VersionId) -> Applied {
        let removed = self.versions.remove(&id);
        self.drop_chunks();
        there(removed)
    }

    /// Drops the chunks that no version has.
    fn drop_chunks(&mut self) {
        let versions = &self.versions;
        let has = |version: &StoredVersion, hash| version.pieces.iter().any(|piece| piece.hash == hash);
        self.chunks
            .retain(|hash, _| versions.values().any(|version| has(version, *hash)));
    }

    fn update(&mut self, title: Option<&Option<String>>, owner: Option<&UserId>, at: UnixMillis) -> Applied {
        let record = &mut self.stored.record;
        if let Some(title) = title {
            record.title.clone_from(title);
        }
        if let Some(owner) = owner {
            record.owner = Some(owner.clone());
        }
        record.updated_at = record.updated_at.max(at);
        Applied::Done
    }
}

/// `Done` if something was removed.
fn there<T>(removed: Option<T>) -> Applied {
    match removed {
        Some(_) => Applied::Done,
        None => Applied::NotThere,
    }
}

/// What there is under an id.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Kept {
    Deleted(UnixMillis),
    Trashed(UnixMillis, Board),
    Live(Board),
}

/// What a store holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Contents {
    /// Each board that there ever was.
    boards: BTreeMap<BoardId, Kept>,
    /// Kept when the board is deleted.
    audit: BTreeMap<(BoardId, EntryKey), Entry>,
    sessions: BTreeMap<SecretId, StoredSession>,
    assets: Assets,
}

/// What is done, as [`Store::commit`](super::super::Store::commit) says.
impl Contents {
    /// Does one change; quotas are not looked at.
    pub fn apply(&mut self, change: &Change) -> Applied {
        let applied = match change {
            Change::Act {
                board,
                act,
                as_owner,
                entry,
            } => self.act(board, act, as_owner.as_ref(), entry.key.at),
            Change::Append {
                board,
                sequence,
                update,
                at,
            } => self.change(board, |board| board.append(*sequence, update, *at)),
            Change::Snapshot { board, covers, state } => {
                self.change(board, |board| board.snapshot(*covers, state))
            }
            Change::Audit { board, .. } => self.change(board, |_| Applied::Done),
            Change::Import(whole) => self.import(whole),
            Change::Version { new, .. } => self.change(&new.board, |board| board.add_version(new)),
            Change::Purge { board, before } => self.purge(board, *before),
            Change::Session(change) => self.change_session(change),
            Change::Asset(asset) => match change.board().map(|board| self.get(board)) {
                Some(Stored::Absent) => Applied::Absent,
                Some(Stored::Deleted) => Applied::Deleted,
                Some(Stored::Present(_)) | None => self.assets.apply(asset),
            },
        };
        if let (Applied::Done, Change::Act { board, entry, .. } | Change::Audit { board, entry }) =
            (applied, change)
        {
            self.audit.insert((board.clone(), entry.key), Entry::clone(entry));
        }
        if let (
            Applied::Done,
            Change::Version {
                new,
                entry: Some(entry),
            },
        ) = (applied, change)
        {
            self.audit
                .insert((new.board.clone(), entry.key), Entry::clone(entry));
        }
        applied
    }

    fn change(&mut self, board: &BoardId, change: impl FnOnce(&mut Board) -> Applied) -> Applied {
        match self.boards.get_mut(board) {
            None => Applied::Absent,
            Some(Kept::Deleted(_) | Kept::Trashed(..)) => Applied::Deleted,
            Some(Kept::Live(board)) => change(board),
        }
    }

    fn purge(&mut self, id: &BoardId, before: UnixMillis) -> Applied {
        let at = match self.boards.get(id) {
            None => return Applied::Absent,
            Some(Kept::Deleted(_)) => return Applied::Deleted,
            Some(Kept::Live(_)) => return Applied::NotThere,
            Some(Kept::Trashed(at, _)) => *at,
        };
        if at >= before {
            return Applied::NotThere;
        }
        self.boards.insert(id.clone(), Kept::Deleted(at));
        self.assets.clear(id);
        Applied::Done
    }

    /// An act on a board in the trash; `None` for those that find it deleted.
    fn act_on_trashed(&mut self, id: &BoardId, act: &Act, as_owner: Option<&UserId>) -> Option<Applied> {
        let Some(Kept::Trashed(at, board)) = self.boards.get(id) else {
            return None;
        };
        if !matches!(act, Act::Restore | Act::Delete) {
            return None;
        }
        if as_owner.is_some() && board.owner() != as_owner {
            return Some(Applied::NotOwner);
        }
        let next = match act {
            Act::Delete => {
                self.assets.clear(id);
                Kept::Deleted(*at)
            }
            _ => Kept::Live(board.clone()),
        };
        self.boards.insert(id.clone(), next);
        Some(Applied::Done)
    }

    fn act(&mut self, id: &BoardId, act: &Act, as_owner: Option<&UserId>, at: UnixMillis) -> Applied {
        if let (Act::Create { owner, title }, None) = (act, self.boards.get(id)) {
            let board = Board::new(owner.clone(), title.clone(), at);
            self.boards.insert(id.clone(), Kept::Live(board));
            return Applied::Done;
        }
        if let Some(applied) = self.act_on_trashed(id, act, as_owner) {
            return applied;
        }
        let is_taken = match act {
            Act::AddSecret(secret) => !self.find_secrets(&[secret.facts.hash.id()]).is_empty(),
            _ => false,
        };
        let applied = self.change(id, |board| match act {
            Act::Create { .. } => Applied::Exists,
            _ if as_owner.is_some() && board.owner() != as_owner => Applied::NotOwner,
            Act::Update { title, owner } => board.update(title.as_ref(), owner.as_ref(), at),
            Act::Delete | Act::Trash => Applied::Done,
            Act::Restore => Applied::NotThere,
            Act::Grant { principal, level } => board.grant(principal, *level),
            Act::Ungrant { principal } => there(board.grants.remove(principal)),
            Act::AddSecret(_) if is_taken => Applied::Exists,
            Act::AddSecret(secret) => board.add_secret(secret, at),
            Act::Revoke { kind, id } => board.revoke(*kind, id),
            Act::Pause { id, paused } => board.pause(id, *paused),
            Act::AddWebhook(webhook) => board.add_webhook(webhook),
            Act::RemoveWebhook(id) => there(board.webhooks.remove(id)),
            Act::RemoveVersion(id) => board.remove_version(*id),
        });
        match (act, applied, self.boards.get(id)) {
            (Act::Delete, Applied::Done, _) => {
                self.boards.insert(id.clone(), Kept::Deleted(at));
                self.assets.clear(id);
            }
            (Act::Trash, Applied::Done, Some(Kept::Live(board))) => {
                let board = board.clone();
                self.boards.insert(id.clone(), Kept::Trashed(at, board));
            }
            _ => {}
        }
        applied
    }

    /// A board of another store; or that a link or key of it is on one here, or that it is not whole.
    fn imported(&self, living: &Living) -> Result<Board, Applied> {
        let secrets = living.secrets.iter();
        let secrets: BTreeMap<_, _> = secrets
            .map(|secret| (secret.facts.hash.id(), secret.clone()))
            .collect();
        let ids: Vec<_> = secrets.keys().cloned().collect();
        if !self.find_secrets(&ids).is_empty() {
            return Err(Applied::Exists);
        }
        let are_whole = living.assets.iter().all(|asset| self.assets.is_whole(asset));
        if !living.is_in_order() || !are_whole {
            return Err(Applied::OutOfOrder);
        }
        Ok(Board {
            stored: living.document.clone(),
            grants: living.grants.iter().cloned().collect(),
            secrets,
            webhooks: (living.webhooks.iter())
                .map(|webhook| (webhook.id.clone(), webhook.clone()))
                .collect(),
            versions: (living.versions.iter())
                .map(|version| (version.id, version.clone()))
                .collect(),
            chunks: living.version_chunks.clone(),
        })
    }

    fn import(&mut self, whole: &Whole) -> Applied {
        match self.boards.get(&whole.board) {
            Some(Kept::Live(_)) => return Applied::Exists,
            Some(Kept::Deleted(_) | Kept::Trashed(..)) => return Applied::Deleted,
            None => {}
        }
        let kept = match &whole.life {
            Life::Deleted(at) => Ok(Kept::Deleted(*at)),
            Life::Live(living) => self.imported(living).map(Kept::Live),
            Life::Trashed(at, living) => self.imported(living).map(|board| Kept::Trashed(*at, board)),
        };
        let kept = match kept {
            Ok(kept) => kept,
            Err(applied) => return applied,
        };
        for asset in whole.life.living().into_iter().flat_map(|living| &living.assets) {
            self.assets.put(&whole.board, asset);
        }
        self.boards.insert(whole.board.clone(), kept);
        let entries = whole.audit.iter();
        (self.audit).extend(entries.map(|entry| ((whole.board.clone(), entry.key), entry.clone())));
        Applied::Done
    }

    fn change_session(&mut self, change: &SessionChange) -> Applied {
        let standing = |session: &&mut StoredSession| session.revoked_at.is_none();
        match change {
            SessionChange::Open(session) => {
                let is_used = |other: &StoredSession| other.invite == session.invite;
                if self.sessions.contains_key(&session.id()) || self.sessions.values().any(is_used) {
                    return Applied::Exists;
                }
                if self.sessions.len() >= limits::SESSIONS_MAX {
                    return Applied::TooMany;
                }
                self.sessions
                    .insert(session.hash.id(), StoredSession::clone(session));
                Applied::Done
            }
            SessionChange::Renew {
                id,
                used_at,
                expires_at,
            } => there(self.sessions.get_mut(id).filter(standing).map(|session| {
                session.used_at = *used_at;
                session.expires_at = *expires_at;
            })),
            SessionChange::Revoke { id, at } => {
                let session = self.sessions.get_mut(id).filter(standing);
                there(session.map(|session| session.revoked_at = Some(*at)))
            }
        }
    }

    /// Removes the sessions that end before `before`.
    pub fn prune_sessions(&mut self, before: UnixMillis) {
        self.sessions.retain(|_, session| session.expires_at >= before);
    }

    /// Removes the uploads that began before `before`, and what was given up.
    pub fn prune_uploads(&mut self, before: UnixMillis) {
        self.assets.prune(before);
    }

    /// Removes the audit entries older than `before`.
    pub fn prune(&mut self, before: UnixMillis) {
        self.audit.retain(|(_, key), _| key.at >= before);
    }
}

/// What is answered, as [`super::super::BoardLog`] and [`super::super::Registry`] say.
impl Contents {
    fn get(&self, id: &BoardId) -> Stored<&Board> {
        match self.boards.get(id) {
            None => Stored::Absent,
            Some(Kept::Deleted(_) | Kept::Trashed(..)) => Stored::Deleted,
            Some(Kept::Live(board)) => Stored::Present(board),
        }
    }

    /// The same, with a board in the trash as it was.
    fn get_kept(&self, id: &BoardId) -> Stored<&Board> {
        match self.boards.get(id) {
            Some(Kept::Trashed(_, board)) => Stored::Present(board),
            _ => self.get(id),
        }
    }

    fn live(&self) -> impl Iterator<Item = (&BoardId, &Board)> {
        let boards = self.boards.iter();
        boards.filter_map(|(id, kept)| match kept {
            Kept::Deleted(_) | Kept::Trashed(..) => None,
            Kept::Live(board) => Some((id, board)),
        })
    }

    /// Those that are there, and those in the trash.
    fn kept(&self) -> impl Iterator<Item = &Board> {
        self.boards.values().filter_map(|kept| match kept {
            Kept::Deleted(_) => None,
            Kept::Live(board) | Kept::Trashed(_, board) => Some(board),
        })
    }

    fn in_trash(&self) -> impl Iterator<Item = Trashed> {
        self.boards.iter().filter_map(|(id, kept)| match kept {
            Kept::Trashed(at, board) => Some(Trashed {
                board: id.clone(),
                summary: board.summary(),
                at: *at,
            }),
            Kept::Deleted(_) | Kept::Live(_) => None,
        })
    }

    /// Whether a board is there, and not deleted.
    pub(super) fn has(&self, board: &BoardId) -> bool {
        matches!(self.get(board), Stored::Present(_))
    }

    /// How many boards somebody owns, and their bytes.
    pub(super) fn owned_by(&self, owner: &UserId) -> (u64, u64) {
        let owned = self.kept().filter(|board| board.owner() == Some(owner));
        owned.fold((0, 0), |(boards, bytes), board| {
            (boards + 1, bytes + board.size_bytes())
        })
    }

    /// Bytes of all documents and assets.
    pub(super) fn size_bytes(&self) -> u64 {
        self.kept().map(Board::size_bytes).sum::<u64>() + self.assets.bytes()
    }

    /// See [`super::super::BoardLog::load`].
    #[must_use]
    pub fn load(&self, board: &BoardId) -> Stored<StoredBoard> {
        map(self.get(board), |board| board.stored.clone())
    }

    /// See [`super::super::BoardLog::load_kept`].
    #[must_use]
    pub fn load_kept(&self, board: &BoardId) -> Stored<StoredBoard> {
        map(self.get_kept(board), |board| board.stored.clone())
    }

    /// See [`super::super::Registry::summary`].
    #[must_use]
    pub fn summary(&self, board: &BoardId) -> Stored<Summary> {
        map(self.get(board), Board::summary)
    }

    /// See [`super::super::Registry::access`].
    #[must_use]
    pub fn access(&self, board: &BoardId, asked: &Asked) -> Facts {
        let (facts, grants) = match self.get(board) {
            Stored::Absent => (BoardFacts::Absent, BTreeMap::new()),
            Stored::Deleted => (BoardFacts::Deleted, BTreeMap::new()),
            Stored::Present(board) => {
                let owner = board.owner().cloned();
                (BoardFacts::Present { owner }, board.grants_to(&asked.principals))
            }
        };
        Facts {
            board: facts,
            grants,
            secrets: self.find_secrets(&asked.secrets),
        }
    }

    /// See [`super::super::Registry::find_secrets`].
    #[must_use]
    pub fn find_secrets(&self, ids: &[SecretId]) -> BTreeMap<SecretId, SecretFacts> {
        let all = self.kept().flat_map(|board| &board.secrets);
        let asked = all.filter(|(id, _)| ids.contains(id));
        asked
            .map(|(id, secret)| (id.clone(), secret.facts.clone()))
            .collect()
    }

    /// See [`super::super::Registry::list`].
    #[must_use]
    pub fn list(&self, holder: &Holder, after: Option<&BoardId>, limit: usize) -> Vec<Listed> {
        let mut principals = holder.principals.clone();
        principals.retain(|principal| *principal != Principal::Public);
        let is_held = |id: &BoardId, board: &Board| {
            holder.everything
                || holder.claimed.contains(id)
                || board.owner().is_some_and(|owner| holder.owners.contains(owner))
                || !board.grants_to(&principals).is_empty()
        };
        let held = self
            .live()
            .filter(|(id, board)| after.is_none_or(|after| after < *id) && is_held(id, board));
        let asked = [principals.as_slice(), &[Principal::Public]].concat();
        let listed = held.take(limit).map(|(id, board)| Listed {
            board: id.clone(),
            summary: Ok(board.summary()),
            grants: board.grants_to(&asked),
        });
        listed.collect()
    }

    /// See [`super::super::Registry::trash`].
    #[must_use]
    pub fn trash(&self, holder: &Holder, after: Option<&BoardId>, limit: usize) -> Vec<Trashed> {
        let is_held = |one: &Trashed| {
            let owner = one.summary.record.owner.as_ref();
            holder.everything || owner.is_some_and(|owner| holder.owners.contains(owner))
        };
        let held =
            (self.in_trash()).filter(|one| after.is_none_or(|after| *after < one.board) && is_held(one));
        held.take(limit).collect()
    }

    /// See [`super::super::Registry::trashed`].
    #[must_use]
    pub fn trashed(&self, board: &BoardId) -> Option<Trashed> {
        self.in_trash().find(|one| one.board == *board)
    }

    /// See [`super::super::Registry::used`].
    #[must_use]
    pub fn used(&self, from: Option<&BoardId>, limit: usize) -> Vec<Used> {
        let boards = self.boards.iter();
        let boards = boards.filter(|(id, _)| from.is_none_or(|from| from <= *id));
        let used = boards.map(|(id, kept)| Used {
            board: id.clone(),
            became: Ok(match kept {
                Kept::Deleted(at) => Became::Deleted(*at),
                Kept::Trashed(at, _) => Became::Trashed(*at),
                Kept::Live(_) => Became::Live,
            }),
        });
        used.take(limit).collect()
    }

    /// See [`super::super::Registry::grants`].
    #[must_use]
    pub fn grants(
        &self,
        board: &BoardId,
        after: Option<&Principal>,
        limit: usize,
    ) -> Vec<(Principal, Level)> {
        let Stored::Present(board) = self.get_kept(board) else {
            return Vec::new();
        };
        let grants = board.grants.clone().into_iter();
        let grants = grants.filter(|(principal, _)| after.is_none_or(|after| after < principal));
        grants.take(limit).collect()
    }

    /// See [`super::super::Registry::secrets`].
    #[must_use]
    pub fn secrets(
        &self,
        board: &BoardId,
        kind: SecretKind,
        after: Option<&SecretId>,
        limit: usize,
    ) -> Vec<(SecretId, StoredSecret)> {
        let Stored::Present(board) = self.get_kept(board) else {
            return Vec::new();
        };
        let secrets = board
            .secrets_of(kind)
            .filter(|(id, _)| after.is_none_or(|after| after < *id));
        let secrets = secrets.map(|(id, secret)| (id.clone(), secret.clone()));
        secrets.take(limit).collect()
    }

    /// See [`super::super::Registry::webhooks`].
    #[must_use]
    pub fn webhooks(&self, board: &BoardId) -> Vec<StoredWebhook> {
        match self.get_kept(board) {
            Stored::Present(board) => board.webhooks.values().cloned().collect(),
            Stored::Absent | Stored::Deleted => Vec::new(),
        }
    }

    /// See [`super::super::Registry::asset`].
    #[must_use]
    pub fn asset(&self, board: &BoardId, hash: &AssetHash) -> Option<StoredAsset> {
        self.assets.get(board, hash)
    }

    /// See [`super::super::Registry::assets`].
    #[must_use]
    pub fn assets(&self, board: &BoardId, after: Option<&AssetHash>, limit: usize) -> Vec<StoredAsset> {
        self.assets.list(board, after, limit)
    }

    /// See [`super::super::Registry::asset_part`].
    #[must_use]
    pub fn asset_part(&self, upload: UploadId, part: u32) -> Option<Bytes> {
        self.assets.part(upload, part)
    }

    /// See [`super::super::Registry::versions`].
    #[must_use]
    pub fn versions(&self, board: &BoardId, before: Option<VersionId>, limit: usize) -> Vec<StoredVersion> {
        let Stored::Present(board) = self.get_kept(board) else {
            return Vec::new();
        };
        let versions = board.versions.iter().rev();
        let versions = versions.filter(|(id, _)| before.is_none_or(|before| **id < before));
        versions.take(limit).map(|(_, version)| version.clone()).collect()
    }

    /// See [`super::super::Registry::version`].
    #[must_use]
    pub fn version(&self, board: &BoardId, id: VersionId) -> Option<(StoredVersion, Bytes)> {
        let Stored::Present(board) = self.get_kept(board) else {
            return None;
        };
        let version = board.versions.get(&id)?;
        let mut state = Vec::new();
        for piece in &version.pieces {
            state.extend_from_slice(board.chunks.get(&piece.hash)?);
        }
        Some((version.clone(), state.into()))
    }

    /// See [`super::super::Registry::version_chunks`].
    #[must_use]
    pub fn version_chunks(&self, board: &BoardId) -> BTreeMap<ChunkHash, Bytes> {
        match self.get_kept(board) {
            Stored::Present(board) => board.chunks.clone(),
            Stored::Absent | Stored::Deleted => BTreeMap::new(),
        }
    }

    /// See [`super::super::Registry::session`].
    #[must_use]
    pub fn session(&self, id: &SecretId) -> Option<StoredSession> {
        self.sessions.get(id).cloned()
    }

    /// See [`super::super::Registry::sessions`].
    #[must_use]
    pub fn sessions(
        &self,
        which: &WhichSessions,
        after: Option<&SecretId>,
        limit: usize,
    ) -> Vec<StoredSession> {
        let all = self.sessions.iter();
        let asked = all.filter(|(id, session)| after.is_none_or(|after| after < *id) && which.has(session));
        asked.take(limit).map(|(_, session)| session.clone()).collect()
    }

    /// See [`super::super::Registry::revoked_sessions`].
    #[must_use]
    pub fn revoked_sessions(&self, since: UnixMillis) -> Vec<SecretId> {
        let all = self.sessions.iter();
        let revoked = all.filter(|(_, session)| session.revoked_at.is_some_and(|at| at >= since));
        revoked.map(|(id, _)| id.clone()).collect()
    }

    /// See [`super::super::Registry::audit`].
    #[must_use]
    pub fn audit(&self, board: &BoardId, before: Option<EntryKey>, limit: usize) -> Vec<Entry> {
        let entries = self.audit.iter().rev();
        let entries = entries
            .filter(|((of, key), _)| of == board && before.is_none_or(|before| *key < before))
            .map(|(_, entry)| entry.clone());
        entries.take(limit).collect()
    }
}

fn map<T, U>(stored: Stored<T>, to: impl FnOnce(T) -> U) -> Stored<U> {
    match stored {
        Stored::Absent => Stored::Absent,
        Stored::Deleted => Stored::Deleted,
        Stored::Present(found) => Stored::Present(to(found)),
    }
}
