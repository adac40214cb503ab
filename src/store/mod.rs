//! What is kept of boards, and the seams behind which it is kept.
//!
//! Two seams to read by, [`BoardLog`] for documents and [`Registry`] for all else about boards, and the
//! whole, [`Store`], for who writes: one commit has changes of both kinds, in one transaction. Must not know
//! the storage engine (that is `store::redb` alone), sockets or clocks. A new way to store begins here: it
//! implements the three, and joins the list at the end of `contract.rs`, whose rules it must keep.
//!
//! The bytes of keys and values in the data file are in `rows`; `memory` is the plainest store, for tests.

mod asset;
mod change;
mod error;
#[cfg(test)]
pub(crate) mod front;
mod log;
#[cfg(any(test, fuzzing))]
pub mod memory;
pub mod owners;
pub mod ownership;
pub mod pages;
#[cfg(feature = "postgres")]
pub mod postgres;
#[cfg(not(feature = "postgres"))]
#[path = "absent.rs"]
pub mod postgres;
pub mod redb;
mod registry;
pub(crate) mod rows;
mod session;
mod version;
mod webhook;
mod whole;

#[cfg(test)]
mod contract;

use std::sync::Arc;

pub use self::asset::{AssetChange, StoredAsset, UploadId};
pub use self::change::{Act, Applied, Change};
pub use self::error::{Damage, OpenError, StoreError, Trouble};
pub use self::log::{BoardLog, StoredBoard};
use self::ownership::Ownership;
pub use self::registry::{BoardRecord, Holder, Listed, Registry, StoredSecret, Summary, Trashed};
pub use self::session::{SessionChange, StoredSession, WhichSessions};
pub use self::version::{
    ChunkHash, NewVersion, PIECE_BYTES, Piece, StoredVersion, VersionId, VersionKind, assets_named, bytes_of,
    cut, joined,
};
pub use self::webhook::{SigningSecret, StoredWebhook, WebhookId};
pub use self::whole::{Became, Life, Living, Used, Whole};
pub use crate::jwt::invite::INVITE_BYTES;
use crate::time::UnixMillis;

/// What there is under an id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stored<T> {
    /// Nothing, and there never was.
    Absent,
    /// It was deleted, and may be in the trash; the id is never used again.
    Deleted,
    /// The board.
    Present(T),
}

/// A store that several nodes may share, and which of them has which board.
pub struct Shared {
    /// What is kept.
    pub store: Arc<dyn Store>,
    /// Who has what.
    pub ownership: Arc<dyn Ownership>,
}

/// How much room the store takes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Footprint {
    /// The size of its file.
    pub file_bytes: u64,
    /// What lives in it: the bytes of all documents, and about what their rows take and all others.
    pub live_bytes: u64,
}

/// What [`Store::reclaim`] did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reclaimed {
    /// Nothing; the file is as small as it should be, or as it can be now.
    Nothing,
    /// One step; there may be more to do.
    Some,
    /// It had to stop, and begins anew at the next call. What is stored is as it was.
    GaveUp(StoreError),
}

/// A store as a whole: one place that keeps documents and all else about boards, and changes both together.
///
/// All methods, those of the seams too, block: called from the blocking pool or the committer's thread only.
pub trait Store: BoardLog + Registry {
    /// Makes all `changes` durable in one transaction, in their order, and says what became of each.
    ///
    /// # Errors
    /// Nothing may be taken as stored (a failed fsync may still have stored everything), and the store is
    /// poisoned: every later commit fails until [`Store::reopen`].
    fn commit(&self, changes: &[Change]) -> Result<Vec<Applied>, StoreError>;

    /// Writes something that changes nothing, durably: what the next commit would find, as far as one can
    /// know.
    ///
    /// # Errors
    /// As for `commit`.
    fn probe(&self) -> Result<(), StoreError>;

    /// Closes the file and opens it anew. An fsync that failed is never retried on the same handle, since the
    /// kernel may have dropped the pages it could not write; what is read after this is what the disk really
    /// has.
    ///
    /// # Errors
    /// [`StoreError::Open`]; the store stays poisoned.
    fn reopen(&self) -> Result<(), StoreError>;

    /// How large the file is, and what lives in it, as of the last commits; reads nothing.
    fn footprint(&self) -> Footprint;

    /// Does one step towards giving free space back to the file system, where that is much. A step takes
    /// about as long as a commit, and what is stored does not change by it. Called by who calls `commit`,
    /// again and again while it gives [`Reclaimed::Some`].
    ///
    /// # Errors
    /// As `commit`.
    fn reclaim(&self) -> Result<Reclaimed, StoreError>;

    /// Closes the file in order, so that the next start need not look through all of it. Nothing works
    /// afterwards.
    fn close(&self);

    /// Removes audit entries older than `before`, also of deleted boards, in one transaction of bounded
    /// length; true if there may be more: the next call goes on there. Called by who calls `commit`.
    ///
    /// # Errors
    /// As `commit`.
    fn prune_audit(&self, before: UnixMillis) -> Result<bool, StoreError>;

    /// Removes sessions that end before `before`, revoked or not, in one transaction: there are
    /// [`crate::limits::SESSIONS_MAX`] at most. Called by who calls `commit`.
    ///
    /// # Errors
    /// As `commit`.
    fn prune_sessions(&self, before: UnixMillis) -> Result<(), StoreError>;

    /// Removes parts of uploads that began before `before` or are no asset's any more, in one transaction of
    /// bounded length; true if there may be more. Called by who calls `commit`.
    ///
    /// # Errors
    /// As `commit`.
    fn prune_uploads(&self, before: UnixMillis) -> Result<bool, StoreError>;
}
