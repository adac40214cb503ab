//! The store on redb: one file, one write transaction a commit, one fsync each.
//!
//! Owns the tables, and [`RedbStore`] with what it must remember between calls. This file and those in
//! `redb/` are the only ones that name redb. Must not know rooms, sessions or sockets. Key invariant: after a
//! failed commit nothing is written through the same handle again; the file is opened anew or stays closed.
//! Tests: what every store must do in `contract/`; what is about rows and the file in `redb/tests.rs`; and
//! beside it `simdisk.rs`, a disk that fails and forgets.
//!
//! Tables of format 1: `meta`, `boards`, `ids`, `snapshots`, `updates`. Format 2 adds `grants`, `links`,
//! `keys`, `audit` and the indexes `secrets` (over links and keys) and `holders` (over owners and grants);
//! format 3 what a board's record says about its other rows; format 4 `journal`. `webhooks`, `sessions` and
//! the index `invites` came later without a format of their own. Format 5 adds boards in the trash, with the
//! index `trash` over them; `assets`, `uploads`, `asset_parts`, `versions` and `version_chunks` came later in
//! it. A program leaves tables that it does not know out of the copy when it makes the file smaller, so that
//! they are lost: format 6 is format 5 with all of these, and from there on a table more is a format more.
//! Bytes are in `rows`. Deleting a board must delete its rows in each table that knows boards, but its audit
//! entries.
//!
//! Commits are one-phase: redb writes pages and commit slot, then syncs once, and after a crash takes the
//! newest slot whose whole tree matches its checksums. Opening after a crash therefore reads the file once.

mod batch;
mod blobs;
mod file;
mod format;
#[cfg(any(test, fuzzing))]
#[expect(
    clippy::indexing_slicing,
    reason = "test code that clippy does not see as such"
)]
pub mod fuzzing;
mod handle;
mod journal;
mod migrate;
mod moving;
mod older;
mod owners;
mod place;
mod prune;
mod read;
mod reclaim;
#[cfg(any(test, fuzzing))]
#[expect(
    clippy::indexing_slicing,
    reason = "test code that clippy does not see as such"
)]
pub mod simdisk;
mod table;
mod verify;
mod watched;

use std::collections::BTreeMap;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use ::redb::{Database, ReadableTable, TableDefinition};
use bytes::Bytes;

pub use self::file::{Compacted, check, compact};
use self::file::{Opened, copy, open_at, verify_file};
use self::handle::{close, new_file, sync_parent, write_format};
use self::journal::Journal;
use self::moving::Moving;
pub use self::older::BroughtUp;
use self::owners::Owners;
use self::place::Place;
use self::read::Which;
pub use self::read::check::CheckReport;
#[cfg(any(test, fuzzing))]
use self::simdisk::SimDisk;
pub use self::verify::Verified;
pub use self::watched::Watch;
use super::owners::{Account, Quotas};
use super::rows::{self, Tally};
use super::{
    Applied, BoardLog, Change, ChunkHash, Damage, Footprint, Holder, Listed, OpenError, Reclaimed, Registry,
    Store, StoreError, Stored, StoredAsset, StoredBoard, StoredSecret, StoredSession, StoredVersion,
    StoredWebhook, Summary, Trashed, UploadId, Used, VersionId, WhichSessions,
};
use crate::access::secret::SecretKind;
use crate::access::{Asked, Facts, SecretFacts};
use crate::asset::AssetHash;
use crate::audit::{Entry, EntryKey};
use crate::ids::{BoardId, Level, Principal, SecretId, UserId};
use crate::time::UnixMillis;

/// Keys and values are plain bytes: the engine's typed keys panic on bytes that do not decode.
type Table = TableDefinition<'static, &'static [u8], &'static [u8]>;

const META: Table = TableDefinition::new("meta");
const BOARDS: Table = TableDefinition::new("boards");
const IDS: Table = TableDefinition::new("ids");
const SNAPSHOTS: Table = TableDefinition::new("snapshots");
const UPDATES: Table = TableDefinition::new("updates");
const GRANTS: Table = TableDefinition::new("grants");
const LINKS: Table = TableDefinition::new("links");
const KEYS: Table = TableDefinition::new("keys");
const SECRETS: Table = TableDefinition::new("secrets");
const HOLDERS: Table = TableDefinition::new("holders");
const AUDIT: Table = TableDefinition::new("audit");
const JOURNAL: Table = TableDefinition::new("journal");
const WEBHOOKS: Table = TableDefinition::new("webhooks");
const SESSIONS: Table = TableDefinition::new("sessions");
const INVITES: Table = TableDefinition::new("invites");
const TRASH: Table = TableDefinition::new("trash");
const ASSETS: Table = TableDefinition::new("assets");
const UPLOADS: Table = TableDefinition::new("uploads");
const ASSET_PARTS: Table = TableDefinition::new("asset_parts");
const VERSIONS: Table = TableDefinition::new("versions");
const VERSION_CHUNKS: Table = TableDefinition::new("version_chunks");
const TABLES: [Table; 21] = [
    META,
    BOARDS,
    IDS,
    SNAPSHOTS,
    UPDATES,
    GRANTS,
    LINKS,
    KEYS,
    SECRETS,
    HOLDERS,
    AUDIT,
    JOURNAL,
    WEBHOOKS,
    SESSIONS,
    INVITES,
    TRASH,
    ASSETS,
    UPLOADS,
    ASSET_PARTS,
    VERSIONS,
    VERSION_CHUNKS,
];

/// Memory redb may use for pages it read or is about to write. Small on purpose: a room holds its board, so
/// pages are read once; half of it bounds what a large commit gathers before it is written.
pub const CACHE_BYTES: usize = 8 * 1024 * 1024;

/// A store in one redb file, or over a storage backend in tests.
pub struct RedbStore {
    place: Place,
    /// `None` while the file could not be opened again. Write-locked only to open, and to put a copy in its
    /// place.
    database: RwLock<Option<Database>>,
    /// What the journal holds. Replaced by who commits, after the commit; whoever reads takes it before it
    /// begins to.
    journal: RwLock<Arc<Journal>>,
    poisoned: AtomicBool,
    /// What was found before the file was opened first.
    verified: Verified,
    brought_up: Option<BroughtUp>,
    /// Also where that is damage.
    gives_what_is_found: bool,
    /// Where `prune_audit` goes on; `None` for the beginning.
    pruned_to: Mutex<Option<Vec<u8>>>,
    owners: Owners,
    /// The copy that is to take the place of a file that has grown too large. Only who commits looks at it.
    moving: Mutex<Option<Moving>>,
    /// A copy has the name of the file, and the disk may not have that yet.
    unsynced_name: AtomicBool,
    /// What the last copy that did not help left.
    stuck: Mutex<Option<Footprint>>,
    file_bytes: AtomicU64,
    rows: AtomicU64,
    /// Of all assets.
    asset_bytes: AtomicU64,
    /// What the versions of all boards take.
    version_bytes: AtomicU64,
}

impl std::fmt::Debug for RedbStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RedbStore")
            .field("poisoned", &self.poisoned)
            .finish_non_exhaustive()
    }
}

/// Any of the engine's errors as ours.
fn engine(error: impl Into<::redb::Error>) -> StoreError {
    match error.into() {
        ::redb::Error::Io(error) => error.into(),
        ::redb::Error::PreviousIo | ::redb::Error::DatabaseClosed => StoreError::Poisoned,
        other => StoreError::Engine(other.to_string()),
    }
}

impl RedbStore {
    /// Opens the data file, or makes it where there is none (or an empty one).
    ///
    /// # Errors
    /// Each cause of [`OpenError`]; what is not ours is not written to.
    pub fn open(path: &Path) -> Result<Self, OpenError> {
        Self::from_place(Place::file(path), verify_file(path)?)
    }

    /// As [`RedbStore::open`], and `watch` is handed each wait for the disk.
    ///
    /// # Errors
    /// As for [`RedbStore::open`].
    pub fn open_watched(path: &Path, watch: Watch) -> Result<Self, OpenError> {
        Self::from_place(Place::watched(path, watch), verify_file(path)?)
    }

    /// Opens the data file to be read by who moves its boards: not a byte of it changes. Where pages of it
    /// are damaged ([`RedbStore::verified`]), it lists what is found; that there is no more is not certain
    /// then.
    ///
    /// # Errors
    /// Each cause of [`OpenError`].
    pub fn open_untouched(path: &Path) -> Result<Self, OpenError> {
        let verified = verify_file(path)?;
        let mut store = Self::from_place(Place::Untouched(path.to_owned()), verified)?;
        store.gives_what_is_found = true;
        Ok(store)
    }

    /// Opens a store on a disk in memory.
    ///
    /// # Errors
    /// As [`RedbStore::open`].
    #[cfg(any(test, fuzzing))]
    pub fn open_disk(disk: &SimDisk) -> Result<Self, OpenError> {
        let verified = verify::verify(disk.handle()?)?;
        Self::from_place(Place::Disk(disk.clone()), verified)
    }

    /// Verifies each row of each table.
    ///
    /// # Errors
    /// Where the disk or the engine fails.
    #[cfg(any(test, fuzzing))]
    pub(super) fn check(&self) -> Result<CheckReport, StoreError> {
        self.with(read::check::check)
    }

    /// What was found about the pages of the file when it was opened first.
    #[must_use]
    pub fn verified(&self) -> Verified {
        self.verified
    }

    /// What became of the file where it had an older format.
    #[must_use]
    pub fn brought_up(&self) -> Option<&BroughtUp> {
        self.brought_up.as_ref()
    }

    /// That what is not found is not there. Where pages of the file are damaged that is only certain of what
    /// a record or another row counts.
    fn refuse_if_damaged(&self) -> Result<(), StoreError> {
        match self.verified {
            Verified::Damaged if !self.gives_what_is_found => Err(StoreError::Unreadable(Damage::Pages)),
            Verified::Damaged | Verified::Sound | Verified::AtOpening | Verified::TooLarge => Ok(()),
        }
    }

    fn from_place(place: Place, verified: Verified) -> Result<Self, OpenError> {
        let Opened {
            database,
            journal,
            brought_up,
        } = open_at(&place)?;
        let store = Self {
            place,
            verified,
            brought_up,
            gives_what_is_found: false,
            database: RwLock::new(Some(database)),
            journal: RwLock::new(Arc::new(journal)),
            poisoned: AtomicBool::new(false),
            pruned_to: Mutex::new(None),
            owners: Owners::new(Quotas::UNBOUNDED),
            moving: Mutex::new(None),
            unsynced_name: AtomicBool::new(false),
            stuck: Mutex::new(None),
            file_bytes: AtomicU64::new(0),
            rows: AtomicU64::new(0),
            asset_bytes: AtomicU64::new(0),
            version_bytes: AtomicU64::new(0),
        };
        store.count_owners();
        store.measure()?;
        Ok(store)
    }

    /// The same store with bounds on what one owner may have.
    #[must_use]
    pub fn with_quotas(mut self, quotas: Quotas) -> Self {
        self.owners = Owners::new(quotas);
        self.count_owners();
        self
    }

    /// Counts anew what each owner has. What cannot be read is not counted: the boards are refused where they
    /// are read.
    fn count_owners(&self) {
        drop(self.with(|database| self.owners.read(database, &self.journal())));
        if let Ok(bytes) = self.with(read::versions::bytes) {
            self.version_bytes.store(bytes, Ordering::Relaxed);
        }
    }

    /// Writes a consistent copy of the live store to a new file: all of one moment, without what is free.
    ///
    /// # Errors
    /// [`StoreError::Io`] with `AlreadyExists` where `target` is; otherwise what failed, and the copy is
    /// removed.
    pub fn backup(&self, target: &Path) -> Result<(), StoreError> {
        self.with(|database| {
            let file = new_file(target)?;
            let copied = copy(database, file).and_then(|()| Ok(sync_parent(target)?));
            if copied.is_err() {
                // What was made here and is not whole must not be taken for a backup.
                fs::remove_file(target)?;
            }
            copied
        })
    }

    /// Runs `work` on the open database, with panics of the engine turned into an error.
    fn with<T>(&self, work: impl FnOnce(&Database) -> Result<T, StoreError>) -> Result<T, StoreError> {
        let guard = self.database.read().unwrap_or_else(PoisonError::into_inner);
        let database = guard.as_ref().ok_or(StoreError::Poisoned)?;
        catch_unwind(AssertUnwindSafe(|| work(database))).unwrap_or(Err(StoreError::Panicked))
    }

    /// What the journal holds. A transaction that begins after this may be of a later commit, and no harm is
    /// done: each record says how much of the journal it is past.
    fn journal(&self) -> Arc<Journal> {
        Arc::clone(&self.journal.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn change_journal(&self, change: impl FnOnce(&mut Journal)) {
        let mut journal = self.journal.write().unwrap_or_else(PoisonError::into_inner);
        // Copied only where somebody reads just now.
        change(Arc::make_mut(&mut journal));
    }

    /// Closes the file, with an empty journal if nothing is wrong.
    fn shut(&self) {
        self.stop_moving();
        if !self.poisoned.swap(true, Ordering::AcqRel) {
            // What was committed is durable anyway.
            drop(self.with(batch::drain));
        }
        let mut guard = self.database.write().unwrap_or_else(PoisonError::into_inner);
        close(guard.take());
    }

    /// Marks the store as not to be written to, when `result` says that a write failed.
    fn poison_on_error<T>(&self, result: Result<T, StoreError>) -> Result<T, StoreError> {
        if result.is_err() {
            self.poisoned.store(true, Ordering::Release);
        }
        result
    }

    fn refuse_if_poisoned(&self) -> Result<(), StoreError> {
        if self.poisoned.load(Ordering::Acquire) {
            return Err(StoreError::Poisoned);
        }
        Ok(())
    }
}

impl Drop for RedbStore {
    fn drop(&mut self) {
        self.shut();
    }
}

impl BoardLog for RedbStore {
    fn load(&self, board: &BoardId) -> Result<Stored<StoredBoard>, StoreError> {
        self.with(|database| read::load((database, &self.journal()), board, Which::Live))
    }

    fn load_kept(&self, board: &BoardId) -> Result<Stored<StoredBoard>, StoreError> {
        self.with(|database| read::load((database, &self.journal()), board, Which::Kept))
    }
}

impl Registry for RedbStore {
    fn summary(&self, board: &BoardId) -> Result<Stored<Summary>, StoreError> {
        self.with(|database| read::summary(database, &self.journal(), board))
    }

    fn access(&self, board: &BoardId, asked: &Asked) -> Result<Facts, StoreError> {
        let facts = self.with(|database| read::access::access(database, board, asked))?;
        if asked.secrets.iter().any(|id| !facts.secrets.contains_key(id)) {
            self.refuse_if_damaged()?;
        }
        Ok(facts)
    }

    fn find_secrets(&self, ids: &[SecretId]) -> Result<BTreeMap<SecretId, SecretFacts>, StoreError> {
        let found = self.with(|database| read::access::find_secrets(database, ids))?;
        if ids.iter().any(|id| !found.contains_key(id)) {
            self.refuse_if_damaged()?;
        }
        Ok(found)
    }

    fn list(
        &self,
        holder: &Holder,
        after: Option<&BoardId>,
        limit: usize,
    ) -> Result<Vec<Listed>, StoreError> {
        self.refuse_if_damaged()?;
        self.with(|database| read::access::list((database, &self.journal()), holder, after, limit))
    }

    fn trash(
        &self,
        holder: &Holder,
        after: Option<&BoardId>,
        limit: usize,
    ) -> Result<Vec<Trashed>, StoreError> {
        self.refuse_if_damaged()?;
        self.with(|database| read::access::trash((database, &self.journal()), holder, after, limit))
    }

    fn trashed(&self, board: &BoardId) -> Result<Option<Trashed>, StoreError> {
        self.with(|database| read::trashed(database, &self.journal(), board))
    }

    fn grants(
        &self,
        board: &BoardId,
        after: Option<&Principal>,
        limit: usize,
    ) -> Result<Vec<(Principal, Level)>, StoreError> {
        self.with(|database| read::access::grants(database, board, after, limit))
    }

    fn secrets(
        &self,
        board: &BoardId,
        kind: SecretKind,
        after: Option<&SecretId>,
        limit: usize,
    ) -> Result<Vec<(SecretId, StoredSecret)>, StoreError> {
        self.with(|database| read::access::secrets(database, (board, kind), after, limit))
    }

    fn webhooks(&self, board: &BoardId) -> Result<Vec<StoredWebhook>, StoreError> {
        self.refuse_if_damaged()?;
        self.with(|database| read::access::webhooks(database, board))
    }

    fn versions(
        &self,
        board: &BoardId,
        before: Option<VersionId>,
        limit: usize,
    ) -> Result<Vec<StoredVersion>, StoreError> {
        self.refuse_if_damaged()?;
        self.with(|database| read::versions::versions(database, board, before, limit))
    }

    fn asset(&self, board: &BoardId, hash: &AssetHash) -> Result<Option<StoredAsset>, StoreError> {
        let found = self.with(|database| read::assets::asset(database, board, hash))?;
        if found.is_none() {
            self.refuse_if_damaged()?;
        }
        Ok(found)
    }

    fn version(&self, board: &BoardId, id: VersionId) -> Result<Option<(StoredVersion, Bytes)>, StoreError> {
        let found = self.with(|database| read::versions::version(database, board, id))?;
        if found.is_none() {
            self.refuse_if_damaged()?;
        }
        Ok(found)
    }

    fn assets(
        &self,
        board: &BoardId,
        after: Option<&AssetHash>,
        limit: usize,
    ) -> Result<Vec<StoredAsset>, StoreError> {
        self.refuse_if_damaged()?;
        self.with(|database| read::assets::assets(database, board, after, limit))
    }

    fn asset_part(&self, upload: UploadId, part: u32) -> Result<Option<Bytes>, StoreError> {
        self.with(|database| read::assets::part(database, upload, part))
    }

    fn version_chunks(&self, board: &BoardId) -> Result<BTreeMap<ChunkHash, Bytes>, StoreError> {
        self.with(|database| read::versions::version_chunks(database, board))
    }

    fn audit(
        &self,
        board: &BoardId,
        before: Option<EntryKey>,
        limit: usize,
    ) -> Result<Vec<Entry>, StoreError> {
        self.refuse_if_damaged()?;
        self.with(|database| read::access::audit(database, board, before, limit))
    }

    fn session(&self, id: &SecretId) -> Result<Option<StoredSession>, StoreError> {
        let found = self.with(|database| read::sessions::session(database, id))?;
        if found.is_none() {
            self.refuse_if_damaged()?;
        }
        Ok(found)
    }

    fn sessions(
        &self,
        which: &WhichSessions,
        after: Option<&SecretId>,
        limit: usize,
    ) -> Result<Vec<StoredSession>, StoreError> {
        self.refuse_if_damaged()?;
        self.with(|database| read::sessions::sessions(database, which, after, limit))
    }

    fn revoked_sessions(&self, since: UnixMillis) -> Result<Vec<SecretId>, StoreError> {
        self.refuse_if_damaged()?;
        self.with(|database| read::sessions::revoked(database, since))
    }

    fn used(&self, from: Option<&BoardId>, limit: usize) -> Result<Vec<Used>, StoreError> {
        self.refuse_if_damaged()?;
        self.with(|database| read::used(database, from, limit))
    }

    fn account(&self, owner: &UserId) -> Arc<Account> {
        self.owners.account(owner)
    }
}

impl Store for RedbStore {
    fn prune_audit(&self, before: UnixMillis) -> Result<bool, StoreError> {
        self.refuse_if_poisoned()?;
        let mut pruned_to = self.pruned_to.lock().unwrap_or_else(PoisonError::into_inner);
        let from = pruned_to.clone();
        *pruned_to = self.with_touched(|database, touched| prune::audit(database, before, from, touched))?;
        Ok(pruned_to.is_some())
    }

    fn prune_sessions(&self, before: UnixMillis) -> Result<(), StoreError> {
        self.refuse_if_poisoned()?;
        self.with_touched(|database, touched| prune::sessions(database, before, touched))
    }

    fn prune_uploads(&self, before: UnixMillis) -> Result<bool, StoreError> {
        self.refuse_if_poisoned()?;
        self.with_touched(|database, touched| prune::uploads(database, before, touched))
    }

    fn commit(&self, changes: &[Change]) -> Result<Vec<Applied>, StoreError> {
        self.refuse_if_poisoned()?;
        let (applied, changed) = self.with_touched(|database, touched| {
            let known = batch::Known {
                owners: &self.owners,
                journal: &self.journal(),
                bounds: self.place.journal_bounds(),
                verified: self.verified,
            };
            batch::commit(database, &known, touched, changes)
        })?;
        self.change_journal(|journal| journal.apply(changed.journal));
        self.owners.apply(changed.moves);
        if let Some(bytes) = changed.asset_bytes {
            self.asset_bytes.store(bytes, Ordering::Relaxed);
        }
        // Only the writer changes it.
        let bytes = self.version_bytes.load(Ordering::Relaxed);
        let bytes = bytes.saturating_add_signed(changed.version_bytes);
        self.version_bytes.store(bytes, Ordering::Relaxed);
        if let Ok(bytes) = self.place.bytes() {
            self.file_bytes.store(bytes, Ordering::Relaxed);
        }
        Ok(applied)
    }

    fn probe(&self) -> Result<(), StoreError> {
        self.refuse_if_poisoned()?;
        let written = self.with(|database| write_format(database.begin_write().map_err(engine)?));
        self.poison_on_error(written)
    }

    fn footprint(&self) -> Footprint {
        self.measured()
    }

    fn reopen(&self) -> Result<(), StoreError> {
        self.stop_moving();
        let mut guard = self.database.write().unwrap_or_else(PoisonError::into_inner);
        self.poisoned.store(true, Ordering::Release);
        // The old handle's lock on the file must go first.
        close(guard.take());
        if self.unsynced_name.load(Ordering::Acquire) {
            self.place.sync_name()?;
            self.unsynced_name.store(false, Ordering::Release);
        }
        let Opened {
            database, journal, ..
        } = open_at(&self.place).map_err(StoreError::Open)?;
        // Opening may succeed where writing does not, on a full disk for one.
        let probe = catch_unwind(AssertUnwindSafe(|| {
            write_format(database.begin_write().map_err(engine)?)
        }));
        self.change_journal(|known| *known = journal);
        *guard = Some(database);
        probe.unwrap_or(Err(StoreError::Panicked))?;
        drop(guard);
        self.count_owners();
        self.poisoned.store(false, Ordering::Release);
        Ok(())
    }

    fn close(&self) {
        self.shut();
    }

    fn reclaim(&self) -> Result<Reclaimed, StoreError> {
        self.refuse_if_poisoned()?;
        self.reclaim_some()
    }
}

/// Whether `ids` proves that the id was never used.
fn is_free(ids: &impl ReadableTable<&'static [u8], &'static [u8]>, id: &[u8]) -> Result<bool, StoreError> {
    let before = ids.range::<&[u8]>(..=id).map_err(engine)?.next_back();
    match before.transpose().map_err(engine)? {
        Some((key, value)) => {
            rows::leaves_free(key.value(), value.value(), id).map_err(StoreError::Unreadable)
        }
        None => Ok(false),
    }
}

/// The bounds of all rows of a board in a table whose keys begin with its id and 00; the upper one is
/// exclusive.
fn rows_of(board: &BoardId) -> (Vec<u8>, Vec<u8>) {
    (rows::board_start(board), rows::board_end(board))
}

/// The tally of the rows that a board has in a table.
fn tally_of(
    table: &impl ReadableTable<&'static [u8], &'static [u8]>,
    board: &BoardId,
) -> Result<Tally, StoreError> {
    let (start, end) = rows_of(board);
    let mut tally = Tally::default();
    for row in table
        .range::<&[u8]>(start.as_slice()..end.as_slice())
        .map_err(engine)?
    {
        tally.add(row.map_err(engine)?.1.value());
    }
    Ok(tally)
}

#[cfg(test)]
mod tests;

#[cfg(test)]
mod fault_tests;
