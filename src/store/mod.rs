//! What is kept of a board, and the trait behind which it is kept.
//!
//! Owns [`Store`], the changes it takes and what it answers; the bytes of keys and values are in `rows`. Must not
//! know the storage engine (that is `store::redb` alone), sockets or clocks. Key invariant: a board that cannot be
//! read is an error, never an empty board ([`Stored::Absent`] is said only when no trace of the id exists).
//! Tests: beside each file; crashes, faults, growth and rot in `redb/tests`.

pub mod owners;
pub mod redb;
pub(crate) mod rows;

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::sync::Arc;

use bytes::Bytes;

use crate::access::secret::SecretKind;
use crate::access::{Asked, BoardFacts, Facts, SecretFacts};
use crate::audit::{Entry, EntryKey};
use crate::ids::{BoardId, Level, Principal, SecretId, Subject, UserId};
use crate::store::owners::Account;
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

/// A board as it was stored: its last full state and what was accepted since.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredBoard {
    /// Its facts.
    pub record: BoardRecord,
    /// The full state (update v1) and the sequence it covers, inclusive.
    pub snapshot: Option<(u64, Bytes)>,
    /// Later updates with their sequences: in order, without a gap, the first one after `snapshot` or 1.
    pub updates: Vec<(u64, Bytes)>,
}

impl StoredBoard {
    /// The sequence of the last stored update; 0 before the first. The next append must carry one more.
    #[must_use]
    pub fn last_sequence(&self) -> u64 {
        let covered = self.snapshot.as_ref().map_or(0, |(covers, _)| *covers);
        self.updates.last().map_or(covered, |(sequence, _)| *sequence)
    }
}

/// What there is under an id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stored<T> {
    /// Nothing, and there never was.
    Absent,
    /// It was deleted; the id is never used again.
    Deleted,
    /// The board.
    Present(T),
}

/// A board's record and how much its document takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    /// Owner, title, times.
    pub record: BoardRecord,
    /// Bytes that the stored full state and the updates stored since take, with the lengths between those.
    pub size_bytes: u64,
}

/// A share link or API key as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredSecret {
    /// What decides about access by it.
    pub facts: SecretFacts,
    /// The name of a key, as its maker gave it; `None` for a link.
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

/// One board of a list, with what [`Store::access`] would say about the holder's principals and the public.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Which.
    pub board: BoardId,
    /// What it is; or that its rows cannot be read.
    pub summary: Result<Summary, Unreadable>,
    /// The holder's grants on it.
    pub grants: BTreeMap<Principal, Level>,
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

/// One change to be made durable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// Adds one accepted update.
    Append {
        /// Whose.
        board: BoardId,
        /// The last stored sequence plus one.
        sequence: u64,
        /// Update v1, as accepted.
        update: Bytes,
        /// When it was accepted.
        at: UnixMillis,
    },
    /// Replaces the log up to and including `covers` by one full state.
    Snapshot {
        /// Whose.
        board: BoardId,
        /// The last sequence contained in `state`.
        covers: u64,
        /// The full state, update v1.
        state: Bytes,
    },
    /// Does something to a board as a whole, and writes the audit entry of it if it is done.
    Act {
        /// Which.
        board: BoardId,
        /// What is done; when is the entry's time.
        act: Act,
        /// Only while this user owns the board: who was allowed to ask may have lost it since. Not looked at by
        /// `Create`; of a board that cannot be read nobody knows the owner.
        as_owner: Option<UserId>,
        /// For the audit log.
        entry: Box<Entry>,
    },
    /// Writes an entry to the audit log of a board that exists, in place of one under the same key.
    Audit {
        /// Whose.
        board: BoardId,
        /// What happened.
        entry: Box<Entry>,
    },
}

/// What can be done to a board as a whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Act {
    /// Makes it.
    Create {
        /// Its owner, if somebody is.
        owner: Option<UserId>,
        /// Its title; at most `limits::TITLE_BYTES_MAX`.
        title: Option<String>,
    },
    /// Changes its record; what is `None` stays as it is.
    Update {
        /// The new title, or none.
        title: Option<Option<String>>,
        /// The new owner.
        owner: Option<UserId>,
    },
    /// Removes every row of it but its audit log, and leaves a tombstone. Also of a board that cannot be read.
    Delete,
    /// Grants a level, in place of one granted before.
    Grant {
        /// To whom.
        principal: Principal,
        /// What.
        level: Level,
    },
    /// Takes a grant back.
    Ungrant {
        /// Whose.
        principal: Principal,
    },
    /// Adds a link or key; its `facts.board` is this board.
    AddSecret(Box<StoredSecret>),
    /// Revokes a link or key.
    Revoke {
        /// Which of the two it must be.
        kind: SecretKind,
        /// Its id.
        id: SecretId,
    },
}

/// What an act or an entry weighs at most, about: a title, a name, a `User-Agent`.
const ACT_WEIGHT: usize = 4 * 1024;

impl Change {
    /// The board that the change is about.
    #[must_use]
    pub fn board(&self) -> &BoardId {
        match self {
            Self::Append { board, .. }
            | Self::Snapshot { board, .. }
            | Self::Act { board, .. }
            | Self::Audit { board, .. } => board,
        }
    }

    /// What the change weighs in a queue, in bytes: its payload and its own memory.
    #[must_use]
    pub fn weight(&self) -> usize {
        let payload = match self {
            Self::Append { update, .. } => update.len(),
            Self::Snapshot { state, .. } => state.len(),
            Self::Act { .. } | Self::Audit { .. } => ACT_WEIGHT,
        };
        payload.saturating_add(size_of::<Self>())
    }
}

/// What became of one change of a commit that succeeded. All but `Done` left the store as it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Applied {
    /// It is durable.
    Done,
    /// `Create`: the board is there already. `AddSecret`: one with this id is.
    Exists,
    /// The board was deleted.
    Deleted,
    /// There is no such board.
    Absent,
    /// `Ungrant`, `Revoke`: the board has no such grant, link or key.
    NotThere,
    /// `Grant`, `AddSecret`: the board has as many as `limits` allows.
    TooMany,
    /// `Create`, `Update`: whoever would own the board has as many as [`owners::Quotas`] allow.
    TooManyBoards,
    /// `Update`: with the board its new owner would have more bytes than [`owners::Quotas`] allow.
    OwnerFull,
    /// The act was asked for by somebody who owns the board no more.
    NotOwner,
    /// `Append`: the sequence is not the last one plus one. `Snapshot`: it covers what is not stored, or less than
    /// the snapshot that is there. A bug of ours, or a room that outlived a failed commit.
    OutOfOrder,
    /// The board's rows cannot be read; [`Store::load`] names the cause.
    Unreadable,
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

/// What is wrong with a board's rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unreadable {
    /// A row's bytes do not match its checksum, or its key.
    Checksum,
    /// A row is of a format this version does not know.
    RowFormat(u8),
    /// A row's checksum is right and its content does not decode: a bug of ours, or of an earlier version.
    Malformed,
    /// Part of the snapshot is missing, or there is too much of it.
    SnapshotIncomplete,
    /// The update with this sequence is missing, or an unexpected one is in its place.
    UpdateMissing(u64),
    /// There is no record, and no proof that there never was one.
    RecordMissing,
    /// Two rows that must agree do not, or one of them is missing: a record, grant, link or key and its index.
    Disagreement,
    /// Pages of the file are damaged, and nothing proves that what was not found is not there.
    Damaged,
    /// The rows that there are are not those that the board's record counts: one is missing, too many, or an older one.
    Tally,
}

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Checksum => f.write_str("a row does not match its checksum"),
            Self::RowFormat(format) => write!(f, "a row has the unknown format {format}"),
            Self::Malformed => f.write_str("a row does not decode"),
            Self::SnapshotIncomplete => f.write_str("the snapshot is incomplete"),
            Self::UpdateMissing(sequence) => write!(f, "update {sequence} is missing"),
            Self::RecordMissing => f.write_str("the board's record is missing"),
            Self::Disagreement => f.write_str("a row and its index do not agree"),
            Self::Damaged => {
                f.write_str("the data file has damaged pages, so what it holds cannot be listed")
            }
            Self::Tally => f.write_str("a row is missing, too many, or an older one"),
        }
    }
}

impl std::error::Error for Unreadable {}

/// Why the store did not do what it was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StoreError {
    /// The board's rows cannot be trusted. Other boards are not touched by it.
    Unreadable(Unreadable),
    /// The file system has no room left.
    Full,
    /// Input or output failed.
    Io {
        /// What the operating system's answer means.
        kind: io::ErrorKind,
        /// Its number, where there is one.
        code: Option<i32>,
    },
    /// The engine found its own structures damaged; in its words.
    Engine(String),
    /// A commit failed earlier: nothing is written until [`Store::reopen`] succeeds.
    Poisoned,
    /// The engine panicked; treated like a failed commit.
    Panicked,
    /// [`Store::reopen`] could not open the file.
    Open(OpenError),
}

impl StoreError {
    /// Whether the whole store is out of order, and not only one board's rows: after a failed read too the engine
    /// answers nothing until [`Store::reopen`].
    #[must_use]
    pub fn is_outage(&self) -> bool {
        match self {
            Self::Unreadable(_) | Self::Engine(_) => false,
            Self::Full | Self::Io { .. } | Self::Poisoned | Self::Panicked | Self::Open(_) => true,
        }
    }
}

impl From<io::Error> for StoreError {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::Full,
            kind => Self::Io {
                kind,
                code: error.raw_os_error(),
            },
        }
    }
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable(_) => f.write_str("the board's stored state is unreadable"),
            Self::Full => f.write_str("the disk is full"),
            Self::Io { kind, code: None } => write!(f, "disk input or output failed: {kind}"),
            Self::Io {
                kind,
                code: Some(code),
            } => write!(f, "disk input or output failed: {kind} (os error {code})"),
            Self::Engine(words) => write!(f, "the storage engine refused: {words}"),
            Self::Poisoned => f.write_str("an earlier commit failed and the store is not open again yet"),
            Self::Panicked => f.write_str("the storage engine panicked"),
            Self::Open(_) => f.write_str("the data file did not open again"),
        }
    }
}

impl std::error::Error for StoreError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Unreadable(cause) => Some(cause),
            Self::Open(cause) => Some(cause),
            _ => None,
        }
    }
}

/// Why the data file was not opened. Nothing was written to it, except by `Io` and `Engine` during recovery.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OpenError {
    /// Another process has it open.
    InUse,
    /// It is not empty and not a file of the storage engine.
    NotAStore,
    /// It is a file of the storage engine without Boardwire's format version: another program's.
    NoFormat,
    /// A newer Boardwire wrote it.
    NewerFormat {
        /// The version in the file.
        found: u32,
        /// The newest this program knows.
        known: u32,
    },
    /// The engine's file format is older than the engine reads.
    EngineFormat(u8),
    /// The file system has no room left.
    Full,
    /// Input or output failed, or access was denied.
    Io {
        /// What the operating system's answer means.
        kind: io::ErrorKind,
        /// Its number, where there is one.
        code: Option<i32>,
    },
    /// The engine found the file damaged; in its words.
    Engine(String),
    /// The engine panicked on the file.
    Panicked,
}

impl From<io::Error> for OpenError {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::Full,
            kind => Self::Io {
                kind,
                code: error.raw_os_error(),
            },
        }
    }
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InUse => f.write_str("the data file is in use by another process"),
            Self::NotAStore => f.write_str("the data file is not a Boardwire data file"),
            Self::NoFormat => {
                f.write_str("the data file has no Boardwire format version; it belongs to another program")
            }
            Self::NewerFormat { found, known } => write!(
                f,
                "the data file has format {found}, and this version knows formats up to {known}; use a newer Boardwire"
            ),
            Self::EngineFormat(found) => write!(f, "the data file has the old engine format {found}"),
            Self::Full => f.write_str("the disk is full"),
            Self::Io { kind, code: None } => write!(f, "the data file cannot be opened: {kind}"),
            Self::Io {
                kind,
                code: Some(code),
            } => write!(f, "the data file cannot be opened: {kind} (os error {code})"),
            Self::Engine(words) => write!(f, "the data file is damaged: {words}"),
            Self::Panicked => f.write_str("the storage engine panicked on the data file"),
        }
    }
}

impl std::error::Error for OpenError {}

/// Durable boards. All methods block: called from the blocking pool or the committer's thread only.
pub trait Store: Send + Sync {
    /// Reads a board whole.
    ///
    /// # Errors
    /// [`StoreError::Unreadable`] when any row of it is missing, damaged or of an unknown format; others when the
    /// disk or the engine fails. Never an empty board in place of an error.
    fn load(&self, board: &BoardId) -> Result<Stored<StoredBoard>, StoreError>;

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

    /// The audit log of a board, newest first: the first `limit` before `before`.
    ///
    /// # Errors
    /// As `load`, of the entries.
    fn audit(
        &self,
        board: &BoardId,
        before: Option<EntryKey>,
        limit: usize,
    ) -> Result<Vec<Entry>, StoreError>;

    /// Removes audit entries older than `before`, also of deleted boards, in one transaction of bounded length; true if
    /// there may be more: the next call goes on there. Called by who calls `commit`.
    ///
    /// # Errors
    /// As `commit`.
    fn prune_audit(&self, before: UnixMillis) -> Result<bool, StoreError>;

    /// What an owner has and may have; it says what was committed last, and changes as it does.
    fn account(&self, owner: &UserId) -> Arc<Account>;

    /// Makes all `changes` durable in one transaction, in their order, and says what became of each.
    ///
    /// # Errors
    /// Nothing may be taken as stored (a failed fsync may still have stored everything), and the store is poisoned:
    /// every later commit fails until [`Store::reopen`].
    fn commit(&self, changes: &[Change]) -> Result<Vec<Applied>, StoreError>;

    /// Writes something that changes nothing, durably: what the next commit would find, as far as one can know.
    ///
    /// # Errors
    /// As for `commit`.
    fn probe(&self) -> Result<(), StoreError>;

    /// Closes the file and opens it anew. An fsync that failed is never retried on the same handle, since the kernel
    /// may have dropped the pages it could not write; what is read after this is what the disk really has.
    ///
    /// # Errors
    /// [`StoreError::Open`]; the store stays poisoned.
    fn reopen(&self) -> Result<(), StoreError>;

    /// How large the file is, and what lives in it, as of the last commits; reads nothing.
    fn footprint(&self) -> Footprint;

    /// Does one step towards giving free space back to the file system, where that is much. A step takes about as long as
    /// a commit, and what is stored does not change by it. Called by who calls `commit`, again and again while it gives
    /// [`Reclaimed::Some`].
    ///
    /// # Errors
    /// As `commit`.
    fn reclaim(&self) -> Result<Reclaimed, StoreError>;

    /// Closes the file in order, so that the next start need not look through all of it. Nothing works afterwards.
    fn close(&self);
}
