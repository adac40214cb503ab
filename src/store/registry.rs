//! Boards as records, and who may do what with them.
//!
//! Owns [`Registry`]. Must not know what is in documents. Key invariant: what cannot be read is an error,
//! never "no grant" and never an unknown link or key. Tests: the rest of `contract/`.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;

use super::owners::Account;
use super::{
    ChunkHash, Damage, StoreError, Stored, StoredAsset, StoredSession, StoredVersion, StoredWebhook,
    UploadId, Used, VersionId, WhichSessions, assets_named,
};
use crate::access::secret::SecretKind;
use crate::access::{Asked, BoardFacts, Facts, SecretFacts};
use crate::asset::AssetHash;
use crate::audit::{Entry, EntryKey};
use crate::ids::{BoardId, Level, Principal, SecretId, Subject, UserId};
use crate::time::UnixMillis;

/// What the server knows about a board besides its document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BoardRecord {
    /// Who owns it; `None` for a board made without an identified user.
    pub owner: Option<UserId>,
    /// The title, as its users gave it.
    pub title: Option<String>,
    /// When it was made.
    pub created_at: UnixMillis,
    /// When its document, title or owner last changed; the creation's time before that.
    pub updated_at: UnixMillis,
}

/// A board's record and how much its document takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    /// Owner, title, times.
    pub record: BoardRecord,
    /// Bytes that the stored full state and the updates stored since take, with the lengths between those.
    pub size_bytes: u64,
    /// The number of the last update that was stored. Compaction changes the size, but not this.
    pub sequence: u64,
}

/// A share link or API key as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredSecret {
    /// What decides about access by it.
    pub facts: SecretFacts,
    /// The name of a key, or the label of a link, as its maker gave it.
    pub name: Option<String>,
    /// Who made it.
    pub created_by: Subject,
    /// When.
    pub created_at: UnixMillis,
}

/// Whose boards are listed: those a principal owns or is granted, and those a token claims.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Holder {
    /// All boards, whoever has them; the rest then does not matter.
    pub everything: bool,
    /// Who may own boards.
    pub owners: Vec<UserId>,
    /// To whom boards may be granted; the public is no holder.
    pub principals: Vec<Principal>,
    /// Boards by id, of which those that exist are listed.
    pub claimed: Vec<BoardId>,
}

/// One board of a list, with what [`Registry::access`] would say about the holder's principals and the
/// public.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Which.
    pub board: BoardId,
    /// What it is; or that its rows cannot be read.
    pub summary: Result<Summary, Damage>,
    /// The holder's grants on it.
    pub grants: BTreeMap<Principal, Level>,
}

/// A board in the trash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trashed {
    /// Which.
    pub board: BoardId,
    /// What it was.
    pub summary: Summary,
    /// When it was deleted.
    pub at: UnixMillis,
}

impl Listed {
    /// What decides about the holder's level on the board.
    #[must_use]
    pub fn facts(&self) -> Facts {
        let owner = self
            .summary
            .as_ref()
            .ok()
            .and_then(|summary| summary.record.owner.clone());
        Facts {
            board: BoardFacts::Present { owner },
            grants: self.grants.clone(),
            secrets: BTreeMap::new(),
        }
    }
}

/// What is stored about boards; [`super::Store::commit`] changes it by `Act` and `Audit`.
pub trait Registry: Send + Sync {
    /// Reads a board's record, and how large its document is.
    ///
    /// # Errors
    /// As `load`, of the record only.
    fn summary(&self, board: &BoardId) -> Result<Stored<Summary>, StoreError>;

    /// Looks up what decides about access to a board: a few rows, all of one moment.
    ///
    /// # Errors
    /// As `load`, of the rows that were looked up.
    fn access(&self, board: &BoardId, asked: &Asked) -> Result<Facts, StoreError>;

    /// Looks up links and keys of whatever board; what does not exist is left out.
    ///
    /// # Errors
    /// As `load`, of the rows that were looked up.
    fn find_secrets(&self, ids: &[SecretId]) -> Result<BTreeMap<SecretId, SecretFacts>, StoreError>;

    /// Lists the boards of a holder by id: the first `limit` after `after`. Deleted ones are left out.
    ///
    /// # Errors
    /// Where the index of holders, or a grant, cannot be read; a board that cannot is in the list.
    fn list(&self, holder: &Holder, after: Option<&BoardId>, limit: usize)
    -> Result<Vec<Listed>, StoreError>;

    /// The boards in the trash that somebody of a holder's owners owned, or all of them, by id: the first
    /// `limit` after `after`. Grants and claims show none.
    ///
    /// # Errors
    /// As for `list`; one whose record cannot be read is left out.
    fn trash(
        &self,
        holder: &Holder,
        after: Option<&BoardId>,
        limit: usize,
    ) -> Result<Vec<Trashed>, StoreError>;

    /// A board, if it is in the trash.
    ///
    /// # Errors
    /// As `summary`.
    fn trashed(&self, board: &BoardId) -> Result<Option<Trashed>, StoreError>;

    /// The grants on a board: users, teams, the public, each by id; the first `limit` after `after`.
    ///
    /// # Errors
    /// As `load`, of the grants.
    fn grants(
        &self,
        board: &BoardId,
        after: Option<&Principal>,
        limit: usize,
    ) -> Result<Vec<(Principal, Level)>, StoreError>;

    /// The links or keys of a board by id; the first `limit` after `after`.
    ///
    /// # Errors
    /// As `load`, of the links or keys.
    fn secrets(
        &self,
        board: &BoardId,
        kind: SecretKind,
        after: Option<&SecretId>,
        limit: usize,
    ) -> Result<Vec<(SecretId, StoredSecret)>, StoreError>;

    /// The webhooks of a board by id; there are [`crate::limits::WEBHOOKS_PER_BOARD_MAX`] at most. Where one
    /// is lost nothing is given away, so that this is not looked for.
    ///
    /// # Errors
    /// As `load`, of the webhooks.
    fn webhooks(&self, board: &BoardId) -> Result<Vec<StoredWebhook>, StoreError>;

    /// An asset of a board.
    ///
    /// # Errors
    /// As `load`, of the asset.
    fn asset(&self, board: &BoardId, hash: &AssetHash) -> Result<Option<StoredAsset>, StoreError>;

    /// The assets of a board by hash; the first `limit` after `after`.
    ///
    /// # Errors
    /// As `load`, of the assets.
    fn assets(
        &self,
        board: &BoardId,
        after: Option<&AssetHash>,
        limit: usize,
    ) -> Result<Vec<StoredAsset>, StoreError>;

    /// A part of an upload, or of the asset that was made of it.
    ///
    /// # Errors
    /// As `load`, of the part.
    fn asset_part(&self, upload: UploadId, part: u32) -> Result<Option<Bytes>, StoreError>;

    /// The assets that kept versions of a board name: they stay as long as the versions do.
    ///
    /// # Errors
    /// As `load`, of the versions.
    fn assets_of_versions(&self, board: &BoardId) -> Result<Vec<AssetHash>, StoreError> {
        let versions = self.versions(board, None, usize::MAX)?;
        let named = assets_named(&versions, &self.version_chunks(board)?);
        Ok(named.iter().filter_map(|hash| AssetHash::parse(hash)).collect())
    }

    /// The versions of a board, newest first: the first `limit` before `before`. Where one is lost, it is
    /// missing, and nothing else; this is not looked for.
    ///
    /// # Errors
    /// As `load`, of the versions.
    fn versions(
        &self,
        board: &BoardId,
        before: Option<VersionId>,
        limit: usize,
    ) -> Result<Vec<StoredVersion>, StoreError>;

    /// A version with its state, an update v1; `None` where there is none.
    ///
    /// # Errors
    /// As `load`, of the version and its chunks.
    fn version(&self, board: &BoardId, id: VersionId) -> Result<Option<(StoredVersion, Bytes)>, StoreError>;

    /// The chunks of all versions of a board: for whoever moves boards.
    ///
    /// # Errors
    /// As `load`, of the chunks.
    fn version_chunks(&self, board: &BoardId) -> Result<BTreeMap<ChunkHash, Bytes>, StoreError>;

    /// The audit entries of a board, newest first: the first `limit` before `before`.
    ///
    /// # Errors
    /// As `load`, of the entries.
    fn audit(
        &self,
        board: &BoardId,
        before: Option<EntryKey>,
        limit: usize,
    ) -> Result<Vec<Entry>, StoreError>;

    /// A session, also one that is revoked or over; `None` where there is none.
    ///
    /// # Errors
    /// As `load`, of the session.
    fn session(&self, id: &SecretId) -> Result<Option<StoredSession>, StoreError>;

    /// Those of the sessions that are asked for, by id: the first `limit` after `after`.
    ///
    /// # Errors
    /// As `load`, of the sessions.
    fn sessions(
        &self,
        which: &WhichSessions,
        after: Option<&SecretId>,
        limit: usize,
    ) -> Result<Vec<StoredSession>, StoreError>;

    /// The sessions that were revoked at `since` or after, as far as they are kept, by id.
    ///
    /// # Errors
    /// As `load`, of the sessions.
    fn revoked_sessions(&self, since: UnixMillis) -> Result<Vec<SecretId>, StoreError>;

    /// All ids that were ever used, also those of deleted boards, in the order of their bytes: the first
    /// `limit` from `from` on, that one included.
    ///
    /// # Errors
    /// Where it is not certain that these are all; a board whose record cannot be read is in the list.
    fn used(&self, from: Option<&BoardId>, limit: usize) -> Result<Vec<Used>, StoreError>;

    /// What an owner has and may have; it says what was committed last, and changes as it does.
    fn account(&self, owner: &UserId) -> Arc<Account>;
}
