//! The store on redb: one file, one write transaction a commit, one fsync each.
//!
//! Owns the tables and the life of the data file: creating, opening, refusing, recovering, copying and checking it.
//! The only file that names redb. Must not know rooms, sessions or sockets. Key invariant: after a failed commit
//! nothing is written through the same handle again; the file is opened anew or stays closed.
//! Tests: `redb/tests.rs`, and beside it `simdisk.rs`, a disk that fails and forgets.
//!
//! Tables of format 1: `meta`, `boards`, `ids`, `snapshots`, `updates`. Format 2 adds `grants`, `links`, `keys`, `audit`
//! and the indexes `secrets` (over links and keys) and `holders` (over owners and grants); format 3 what a board's record
//! says about its other rows. Bytes are in `rows`. Deleting a
//! board must delete its rows in each table that knows boards, but the audit log.
//!
//! Commits are one-phase: redb writes pages and commit slot, then syncs once, and after a crash takes the newest slot
//! whose whole tree matches its checksums. Opening after a crash therefore reads the file once.

mod batch;
#[cfg(any(test, fuzzing))]
#[expect(
    clippy::indexing_slicing,
    reason = "test code that clippy does not see as such"
)]
pub mod fuzzing;
mod migrate;
mod moving;
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

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Read};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use ::redb::{
    Builder, Database, DatabaseError, ReadableDatabase, ReadableTable, ReadableTableMetadata, StorageError,
    TableDefinition, TableHandle, WriteTransaction, backends::FileBackend,
};

use self::moving::Moving;
use self::owners::Owners;
use self::place::Place;
#[cfg(any(test, fuzzing))]
use self::simdisk::SimDisk;
pub use self::verify::Verified;
use super::owners::{Account, Quotas};

use super::rows::{self, FILE_FORMAT, Tally};
use super::{
    Applied, Change, Footprint, Holder, Listed, OpenError, Reclaimed, Store, StoreError, Stored, StoredBoard,
    StoredSecret, Summary, Unreadable,
};
use crate::access::secret::SecretKind;
use crate::access::{Asked, Facts, SecretFacts};
use crate::audit::{Entry, EntryKey};
use crate::ids::{BoardId, Level, Principal, SecretId, UserId};
use crate::limits;
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
const TABLES: [Table; 11] = [
    META, BOARDS, IDS, SNAPSHOTS, UPDATES, GRANTS, LINKS, KEYS, SECRETS, HOLDERS, AUDIT,
];

/// The key of the file's format in `meta`.
const FORMAT_KEY: &[u8] = b"format";

/// What each redb file begins with (redb, docs/design.md, "magic number").
const MAGIC: [u8; 9] = [b'r', b'e', b'd', b'b', 0x1A, 0x0A, 0xA9, 0x0D, 0x0A];

/// Memory redb may use for pages it read or is about to write. Small on purpose: a room holds its board, so pages are
/// read once; half of it bounds what a large commit gathers before it is written.
pub const CACHE_BYTES: usize = 8 * 1024 * 1024;

/// A store in one redb file, or over a storage backend in tests.
pub struct RedbStore {
    place: Place,
    /// `None` while the file could not be opened again. Write-locked only to open, and to put a copy in its place.
    database: RwLock<Option<Database>>,
    poisoned: AtomicBool,
    /// What was found before the file was opened first.
    verified: Verified,
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
}

impl std::fmt::Debug for RedbStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RedbStore")
            .field("poisoned", &self.poisoned)
            .finish_non_exhaustive()
    }
}

/// What [`check`] found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CheckReport {
    /// Boards that read whole.
    pub boards: u64,
    /// Tombstones of deleted boards.
    pub deleted: u64,
    /// Bytes of their snapshots and updates.
    pub bytes: u64,
    /// Boards that do not read, and why; by the id in the key, or `None` where the key is no board's.
    pub unreadable: Vec<(Option<BoardId>, StoreError)>,
    /// The engine found and mended damage in its own structures; a board may have lost what was in them.
    pub mended: bool,
}

impl CheckReport {
    /// Nothing is wrong.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        self.unreadable.is_empty() && !self.mended
    }
}

fn builder() -> Builder {
    let mut builder = Builder::new();
    builder.set_cache_size(CACHE_BYTES);
    builder
}

/// Any of the engine's errors as ours.
fn engine(error: impl Into<::redb::Error>) -> StoreError {
    match error.into() {
        ::redb::Error::Io(error) => error.into(),
        ::redb::Error::PreviousIo | ::redb::Error::DatabaseClosed => StoreError::Poisoned,
        other => StoreError::Engine(other.to_string()),
    }
}

fn opening(error: DatabaseError) -> OpenError {
    match error {
        DatabaseError::DatabaseAlreadyOpen => OpenError::InUse,
        DatabaseError::UpgradeRequired(found) => OpenError::EngineFormat(found),
        DatabaseError::Storage(StorageError::Io(error)) => error.into(),
        other => OpenError::Engine(other.to_string()),
    }
}

fn refused(error: StoreError) -> OpenError {
    match error {
        StoreError::Full => OpenError::Full,
        StoreError::Io { kind, code } => OpenError::Io { kind, code },
        StoreError::Open(error) => error,
        StoreError::Panicked => OpenError::Panicked,
        StoreError::Engine(words) => OpenError::Engine(words),
        StoreError::Unreadable(_) | StoreError::Poisoned => OpenError::Engine(error.to_string()),
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

    /// Opens a store on a disk in memory.
    ///
    /// # Errors
    /// As [`RedbStore::open`].
    #[cfg(any(test, fuzzing))]
    pub fn open_disk(disk: &SimDisk) -> Result<Self, OpenError> {
        let verified = verify::verify(disk.handle()?)?;
        Self::from_place(Place::Disk(disk.clone()), verified)
    }

    /// What was found about the pages of the file when it was opened first.
    #[must_use]
    pub fn verified(&self) -> Verified {
        self.verified
    }

    /// That what is not found is not there. Where pages of the file are damaged that is only certain of what a record or
    /// another row counts.
    fn refuse_if_damaged(&self) -> Result<(), StoreError> {
        match self.verified {
            Verified::Damaged => Err(StoreError::Unreadable(Unreadable::Damaged)),
            Verified::Sound | Verified::AtOpening | Verified::TooLarge => Ok(()),
        }
    }

    fn from_place(place: Place, verified: Verified) -> Result<Self, OpenError> {
        let database = open_at(&place)?;
        let store = Self {
            place,
            verified,
            database: RwLock::new(Some(database)),
            poisoned: AtomicBool::new(false),
            pruned_to: Mutex::new(None),
            owners: Owners::new(Quotas::UNBOUNDED),
            moving: Mutex::new(None),
            unsynced_name: AtomicBool::new(false),
            stuck: Mutex::new(None),
            file_bytes: AtomicU64::new(0),
            rows: AtomicU64::new(0),
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

    /// Counts anew what each owner has. What cannot be read is not counted: the boards are refused where they are read.
    fn count_owners(&self) {
        drop(self.with(|database| self.owners.read(database)));
    }

    /// Writes a consistent copy of the live store to a new file: all of one moment, without what is free.
    ///
    /// # Errors
    /// [`StoreError::Io`] with `AlreadyExists` where `target` is; otherwise what failed, and the copy is removed.
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
        self.stop_moving();
        let database = self.database.get_mut().unwrap_or_else(PoisonError::into_inner);
        close(database.take());
    }
}

/// Closes a database; the engine may panic there when it did before.
fn close(database: Option<Database>) {
    // Nothing is left to do about a panic here: what matters was committed before.
    drop(catch_unwind(AssertUnwindSafe(|| drop(database))));
}

impl Store for RedbStore {
    fn load(&self, board: &BoardId) -> Result<Stored<StoredBoard>, StoreError> {
        self.with(|database| read::load(database, board))
    }

    fn summary(&self, board: &BoardId) -> Result<Stored<Summary>, StoreError> {
        self.with(|database| read::summary(database, board))
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
        self.with(|database| read::access::list(database, holder, after, limit))
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

    fn audit(
        &self,
        board: &BoardId,
        before: Option<EntryKey>,
        limit: usize,
    ) -> Result<Vec<Entry>, StoreError> {
        self.refuse_if_damaged()?;
        self.with(|database| read::access::audit(database, board, before, limit))
    }

    fn prune_audit(&self, before: UnixMillis) -> Result<bool, StoreError> {
        self.refuse_if_poisoned()?;
        let mut pruned_to = self.pruned_to.lock().unwrap_or_else(PoisonError::into_inner);
        let from = pruned_to.clone();
        *pruned_to = self.with_touched(|database, touched| prune::audit(database, before, from, touched))?;
        Ok(pruned_to.is_some())
    }

    fn commit(&self, changes: &[Change]) -> Result<Vec<Applied>, StoreError> {
        self.refuse_if_poisoned()?;
        let (applied, moves) =
            self.with_touched(|database, touched| batch::commit(database, &self.owners, touched, changes))?;
        self.owners.apply(moves);
        if let Ok(bytes) = self.place.bytes() {
            self.file_bytes.store(bytes, Ordering::Relaxed);
        }
        Ok(applied)
    }

    fn account(&self, owner: &UserId) -> Arc<Account> {
        self.owners.account(owner)
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
        let database = open_at(&self.place).map_err(StoreError::Open)?;
        // Opening may succeed where writing does not, on a full disk for one.
        let probe = catch_unwind(AssertUnwindSafe(|| {
            write_format(database.begin_write().map_err(engine)?)
        }));
        *guard = Some(database);
        probe.unwrap_or(Err(StoreError::Panicked))?;
        drop(guard);
        self.count_owners();
        self.poisoned.store(false, Ordering::Release);
        Ok(())
    }

    fn close(&self) {
        self.stop_moving();
        self.poisoned.store(true, Ordering::Release);
        close(
            self.database
                .write()
                .unwrap_or_else(PoisonError::into_inner)
                .take(),
        );
    }

    fn reclaim(&self) -> Result<Reclaimed, StoreError> {
        self.refuse_if_poisoned()?;
        self.reclaim_some()
    }
}

fn open_at(place: &Place) -> Result<Database, OpenError> {
    let opened = catch_unwind(AssertUnwindSafe(|| match place {
        Place::File(path, _) => {
            let database = open_file(path)?;
            place.opened()?;
            // Of a process that was killed while it made a copy. Whether it goes does not matter.
            drop(place.remove_copy());
            Ok(database)
        }
        #[cfg(any(test, fuzzing))]
        Place::Disk(disk) => {
            let database = builder().create_with_backend(disk.handle()?).map_err(opening)?;
            ensure_format(&database)?;
            Ok(database)
        }
    }));
    opened.unwrap_or(Err(OpenError::Panicked))
}

/// Has the engine look through the whole file, before it is opened first. Nothing is written.
fn verify_file(path: &Path) -> io::Result<Verified> {
    if is_missing_or_empty(path)? {
        return Ok(Verified::Sound);
    }
    match fs::metadata(path)? {
        found if !found.is_file() => Ok(Verified::AtOpening),
        found if found.len() > limits::VERIFY_AT_START_BYTES_MAX => Ok(Verified::TooLarge),
        _ => {
            // For writing too: some file systems lock only what may be written.
            let file = fs::OpenOptions::new().read(true).write(true).open(path)?;
            match FileBackend::new(file) {
                Ok(backend) => verify::verify(backend),
                Err(_) => Ok(Verified::AtOpening),
            }
        }
    }
}

fn open_file(path: &Path) -> Result<Database, OpenError> {
    if is_missing_or_empty(path)? {
        create_file(path)?;
    }
    let mut magic = [0; MAGIC.len()];
    match fs::File::open(path)?.read_exact(&mut magic) {
        Ok(()) if magic == MAGIC => {}
        Err(error) if error.kind() != io::ErrorKind::UnexpectedEof => return Err(error.into()),
        _ => return Err(OpenError::NotAStore),
    }
    let file = fs::OpenOptions::new().read(true).write(true).open(path)?;
    let number = place::number_of(&file.metadata()?);
    let database = builder().create_file(file).map_err(opening)?;
    if place::number_of(&fs::metadata(path)?) != number {
        // Whoever had it open has put a smaller one in its place just now, and has that.
        return Err(OpenError::InUse);
    }
    ensure_format(&database)?;
    Ok(database)
}

fn is_missing_or_empty(path: &Path) -> io::Result<bool> {
    match fs::metadata(path) {
        Ok(found) => Ok(found.is_file() && found.len() == 0),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(true),
        Err(error) => Err(error),
    }
}

/// Makes a data file under another name, whole and durable, and only then gives it its name: a crash on the way
/// leaves no half-made file that the next start would have to refuse.
fn create_file(path: &Path) -> Result<(), OpenError> {
    let mut name = path
        .file_name()
        .ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))?
        .to_owned();
    name.push(format!(".{}.new", std::process::id()));
    let making = path.with_file_name(name);
    if making.exists() {
        // Ours: of a process with this id that died here.
        fs::remove_file(&making)?;
    }
    let database = builder().create_file(new_file(&making)?).map_err(opening)?;
    ensure_format(&database)?;
    drop(database);
    // Another process may have been quicker; its file stays.
    if is_missing_or_empty(path)? {
        fs::rename(&making, path)?;
    } else {
        fs::remove_file(&making)?;
    }
    sync_parent(path)?;
    Ok(())
}

/// Makes a file that must not exist yet, readable by its owner only.
fn new_file(path: &Path) -> io::Result<fs::File> {
    let mut options = fs::OpenOptions::new();
    options.read(true).write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

/// Makes the name of a new file durable.
fn sync_parent(path: &Path) -> io::Result<()> {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    #[cfg(unix)]
    fs::File::open(parent.unwrap_or_else(|| Path::new(".")))?.sync_all()?;
    Ok(())
}

/// Writes the format to a file in which nothing was ever stored, brings an older one up to the present one, and refuses
/// files of other makers and newer ones.
fn ensure_format(database: &Database) -> Result<(), OpenError> {
    let found = read_format(database).map_err(refused)?;
    match found {
        Format::Fresh => write_tables(database).map_err(refused),
        Format::None => Err(OpenError::NoFormat),
        Format::Version(found) if found > FILE_FORMAT => Err(OpenError::NewerFormat {
            found,
            known: FILE_FORMAT,
        }),
        Format::Version(found @ 1..FILE_FORMAT) => migrate::migrate(database, found).map_err(refused),
        Format::Version(_) => Ok(()),
    }
}

enum Format {
    /// Not one table.
    Fresh,
    /// Tables, and no version that could be ours.
    None,
    Version(u32),
}

fn read_format(database: &Database) -> Result<Format, StoreError> {
    let transaction = database.begin_read().map_err(engine)?;
    let mut names = transaction.list_tables().map_err(engine)?.peekable();
    if names.peek().is_none() {
        return Ok(Format::Fresh);
    }
    if !names.any(|table| table.name() == META.name()) {
        return Ok(Format::None);
    }
    let Ok(meta) = transaction.open_table(META) else {
        return Ok(Format::None);
    };
    let value = ReadableTable::get(&meta, FORMAT_KEY).map_err(engine)?;
    let version = value.and_then(|value| Some(u32::from_le_bytes(value.value().try_into().ok()?)));
    Ok(version
        .filter(|version| *version > 0)
        .map_or(Format::None, Format::Version))
}

/// Makes the tables of a new file.
fn write_tables(database: &Database) -> Result<(), StoreError> {
    let transaction = database.begin_write().map_err(engine)?;
    for table in TABLES {
        transaction.open_table(table).map_err(engine)?;
    }
    let mut ids = transaction.open_table(IDS).map_err(engine)?;
    ids.insert([].as_slice(), rows::encode_next(&[], &[]).as_slice())
        .map_err(engine)?;
    drop(ids);
    write_format(transaction)
}

fn write_format(transaction: WriteTransaction) -> Result<(), StoreError> {
    let mut meta = transaction.open_table(META).map_err(engine)?;
    meta.insert(FORMAT_KEY, FILE_FORMAT.to_le_bytes().as_slice())
        .map_err(engine)?;
    drop(meta);
    transaction.commit().map_err(engine)
}

/// Copies all tables, as of one moment, to a new file.
fn copy(database: &Database, file: fs::File) -> Result<(), StoreError> {
    let from = database.begin_read().map_err(engine)?;
    let copy = builder().create_file(file).map_err(engine)?;
    let to = copy.begin_write().map_err(engine)?;
    for table in TABLES {
        let source = from.open_table(table).map_err(engine)?;
        let mut target = to.open_table(table).map_err(engine)?;
        for row in ReadableTable::iter(&source).map_err(engine)? {
            let (key, value) = row.map_err(engine)?;
            target.insert(key.value(), value.value()).map_err(engine)?;
        }
        if target.len().map_err(engine)? != source.len().map_err(engine)? {
            return Err(StoreError::Unreadable(Unreadable::RecordMissing));
        }
    }
    to.commit().map_err(engine)
}

/// Verifies a data file that no server has open: the engine's page checksums, then every row of every board. Like any
/// opening, it first recovers a file that was not closed in order.
///
/// # Errors
/// Where the file cannot be opened; damage inside it is in the report.
pub fn check(path: &Path) -> Result<CheckReport, OpenError> {
    if is_missing_or_empty(path)? {
        return Err(OpenError::NotAStore);
    }
    let checked = catch_unwind(|| {
        let mut database = open_file(path)?;
        let sound = database.check_integrity().map_err(opening)?;
        let mut report = read::check::check(&database).map_err(refused)?;
        report.mended = !sound;
        Ok(report)
    });
    checked.unwrap_or(Err(OpenError::Panicked))
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

/// The bounds of all rows of a board in a table whose keys begin with its id and 00; the upper one is exclusive.
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
