//! Test support: a store in front of another one, which says itself only what it has to.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;

use super::owners::Account;
use super::{
    Applied, BoardLog, Change, ChunkHash, Footprint, Holder, Listed, Reclaimed, Registry, Store, StoreError,
    Stored, StoredAsset, StoredBoard, StoredSecret, StoredSession, StoredVersion, StoredWebhook, Summary,
    Trashed, UploadId, Used, VersionId, WhichSessions,
};
use crate::access::secret::SecretKind;
use crate::access::{Asked, Facts, SecretFacts};
use crate::asset::AssetHash;
use crate::audit::{Entry, EntryKey};
use crate::ids::{BoardId, Level, Principal, SecretId, UserId};
use crate::time::UnixMillis;

/// What a store says itself; all else, and what is left as it is here, the one behind it says.
pub(crate) trait Front: Send + Sync {
    /// The store behind it.
    fn behind(&self) -> &dyn Store;

    fn load(&self, board: &BoardId) -> Result<Stored<StoredBoard>, StoreError> {
        self.behind().load(board)
    }

    fn access(&self, board: &BoardId, asked: &Asked) -> Result<Facts, StoreError> {
        self.behind().access(board, asked)
    }

    fn commit(&self, changes: &[Change]) -> Result<Vec<Applied>, StoreError> {
        self.behind().commit(changes)
    }

    fn prune_audit(&self, before: UnixMillis) -> Result<bool, StoreError> {
        self.behind().prune_audit(before)
    }

    fn prune_sessions(&self, before: UnixMillis) -> Result<(), StoreError> {
        self.behind().prune_sessions(before)
    }

    fn prune_uploads(&self, before: UnixMillis) -> Result<bool, StoreError> {
        self.behind().prune_uploads(before)
    }

    fn probe(&self) -> Result<(), StoreError> {
        self.behind().probe()
    }

    fn reopen(&self) -> Result<(), StoreError> {
        self.behind().reopen()
    }

    fn reclaim(&self) -> Result<Reclaimed, StoreError> {
        self.behind().reclaim()
    }
}

impl<T: Front> BoardLog for T {
    fn load(&self, board: &BoardId) -> Result<Stored<StoredBoard>, StoreError> {
        Front::load(self, board)
    }

    fn load_kept(&self, board: &BoardId) -> Result<Stored<StoredBoard>, StoreError> {
        self.behind().load_kept(board)
    }
}

impl<T: Front> Registry for T {
    fn summary(&self, board: &BoardId) -> Result<Stored<Summary>, StoreError> {
        self.behind().summary(board)
    }

    fn access(&self, board: &BoardId, asked: &Asked) -> Result<Facts, StoreError> {
        Front::access(self, board, asked)
    }

    fn find_secrets(&self, ids: &[SecretId]) -> Result<BTreeMap<SecretId, SecretFacts>, StoreError> {
        self.behind().find_secrets(ids)
    }

    fn list(
        &self,
        holder: &Holder,
        after: Option<&BoardId>,
        limit: usize,
    ) -> Result<Vec<Listed>, StoreError> {
        self.behind().list(holder, after, limit)
    }

    fn trash(
        &self,
        holder: &Holder,
        after: Option<&BoardId>,
        limit: usize,
    ) -> Result<Vec<Trashed>, StoreError> {
        self.behind().trash(holder, after, limit)
    }

    fn trashed(&self, board: &BoardId) -> Result<Option<Trashed>, StoreError> {
        self.behind().trashed(board)
    }

    fn grants(
        &self,
        board: &BoardId,
        after: Option<&Principal>,
        limit: usize,
    ) -> Result<Vec<(Principal, Level)>, StoreError> {
        self.behind().grants(board, after, limit)
    }

    fn secrets(
        &self,
        board: &BoardId,
        kind: SecretKind,
        after: Option<&SecretId>,
        limit: usize,
    ) -> Result<Vec<(SecretId, StoredSecret)>, StoreError> {
        self.behind().secrets(board, kind, after, limit)
    }

    fn webhooks(&self, board: &BoardId) -> Result<Vec<StoredWebhook>, StoreError> {
        self.behind().webhooks(board)
    }

    fn asset(&self, board: &BoardId, hash: &AssetHash) -> Result<Option<StoredAsset>, StoreError> {
        self.behind().asset(board, hash)
    }

    fn assets(
        &self,
        board: &BoardId,
        after: Option<&AssetHash>,
        limit: usize,
    ) -> Result<Vec<StoredAsset>, StoreError> {
        self.behind().assets(board, after, limit)
    }

    fn asset_part(&self, upload: UploadId, part: u32) -> Result<Option<Bytes>, StoreError> {
        self.behind().asset_part(upload, part)
    }

    fn versions(
        &self,
        board: &BoardId,
        before: Option<VersionId>,
        limit: usize,
    ) -> Result<Vec<StoredVersion>, StoreError> {
        self.behind().versions(board, before, limit)
    }

    fn version(&self, board: &BoardId, id: VersionId) -> Result<Option<(StoredVersion, Bytes)>, StoreError> {
        self.behind().version(board, id)
    }

    fn version_chunks(&self, board: &BoardId) -> Result<BTreeMap<ChunkHash, Bytes>, StoreError> {
        self.behind().version_chunks(board)
    }

    fn audit(
        &self,
        board: &BoardId,
        before: Option<EntryKey>,
        limit: usize,
    ) -> Result<Vec<Entry>, StoreError> {
        self.behind().audit(board, before, limit)
    }

    fn session(&self, id: &SecretId) -> Result<Option<StoredSession>, StoreError> {
        self.behind().session(id)
    }

    fn sessions(
        &self,
        which: &WhichSessions,
        after: Option<&SecretId>,
        limit: usize,
    ) -> Result<Vec<StoredSession>, StoreError> {
        self.behind().sessions(which, after, limit)
    }

    fn revoked_sessions(&self, since: UnixMillis) -> Result<Vec<SecretId>, StoreError> {
        self.behind().revoked_sessions(since)
    }

    fn used(&self, from: Option<&BoardId>, limit: usize) -> Result<Vec<Used>, StoreError> {
        self.behind().used(from, limit)
    }

    fn account(&self, owner: &UserId) -> Arc<Account> {
        self.behind().account(owner)
    }
}

impl<T: Front> Store for T {
    fn commit(&self, changes: &[Change]) -> Result<Vec<Applied>, StoreError> {
        Front::commit(self, changes)
    }

    fn prune_audit(&self, before: UnixMillis) -> Result<bool, StoreError> {
        Front::prune_audit(self, before)
    }

    fn prune_sessions(&self, before: UnixMillis) -> Result<(), StoreError> {
        Front::prune_sessions(self, before)
    }

    fn prune_uploads(&self, before: UnixMillis) -> Result<bool, StoreError> {
        Front::prune_uploads(self, before)
    }

    fn probe(&self) -> Result<(), StoreError> {
        Front::probe(self)
    }

    fn reopen(&self) -> Result<(), StoreError> {
        Front::reopen(self)
    }

    fn footprint(&self) -> Footprint {
        self.behind().footprint()
    }

    fn reclaim(&self) -> Result<Reclaimed, StoreError> {
        Front::reclaim(self)
    }

    fn close(&self) {
        self.behind().close();
    }
}
