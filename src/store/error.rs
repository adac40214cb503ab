//! Why a store did not do what it was asked.
//!
//! Owns [`StoreError`], [`OpenError`], [`Damage`] and [`Trouble`], and their words. Must not know which board
//! or file it was: who asked does. Key invariant: no bytes of a board are in an error.

use std::fmt;
use std::io;
use std::path::PathBuf;

/// What is wrong with a board's rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Damage {
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
    /// What this commit added is missing from the journal.
    CommitMissing(u64),
    /// There is no record, and no proof that there never was one.
    RecordMissing,
    /// Two rows that must agree do not, or one of them is missing: a record, grant, link or key and its
    /// index.
    Disagreement,
    /// Pages of the file are damaged, and nothing proves that what was not found is not there.
    Pages,
    /// The rows that there are are not those that the board's record counts: one is missing, too many, or an
    /// older one.
    Tally,
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Checksum => f.write_str("a row does not match its checksum"),
            Self::RowFormat(format) => write!(f, "a row has the unknown format {format}"),
            Self::Malformed => f.write_str("a row does not decode"),
            Self::SnapshotIncomplete => f.write_str("the snapshot is incomplete"),
            Self::UpdateMissing(sequence) => write!(f, "update {sequence} is missing"),
            Self::CommitMissing(commit) => write!(f, "commit {commit} is missing from the journal"),
            Self::RecordMissing => f.write_str("the board's record is missing"),
            Self::Disagreement => f.write_str("a row and its index do not agree"),
            Self::Pages => f.write_str("the data file has damaged pages, so what it holds cannot be listed"),
            Self::Tally => f.write_str("a row is missing, too many, or an older one"),
        }
    }
}

impl std::error::Error for Damage {}

/// What is wrong with a database that is not a file of ours, or with the way to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// Nobody answers there, or the connection was cut.
    Unreachable(io::ErrorKind),
    /// It did not answer in time, or somebody else has locked what was needed for too long.
    TimedOut,
    /// The connection could not be encrypted, or the certificate is not trusted; in the words of TLS.
    Tls(String),
    /// User or password are wrong, or this user may not come in from here.
    SignIn,
    /// There is no such database.
    NoDatabase,
    /// It is starting, or stopping.
    Starting,
    /// It takes no more connections.
    Crowded,
    /// It is a standby, or was made read-only.
    ReadOnly,
    /// Its disk is full.
    DiskFull,
    /// It is out of memory.
    OutOfMemory,
    /// Its texts are not UTF-8.
    Encoding(String),
    /// The schema is not there, or older, and the user may not make or migrate it.
    NoSchema,
    /// A newer Boardwire wrote the schema.
    NewerSchema {
        /// The version in the database.
        found: u32,
        /// The newest that this program knows.
        known: u32,
    },
    /// The user lacks a right on the schema or a table.
    NotAllowed,
    /// It refused for another reason: its code (SQLSTATE).
    Refused(String),
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreachable(kind) => write!(f, "the database cannot be reached: {kind}"),
            Self::TimedOut => f.write_str("the database did not answer in time"),
            Self::Tls(words) => write!(f, "the connection to the database could not be encrypted: {words}"),
            Self::SignIn => f.write_str("the database refused the sign-in; check user and password, and its pg_hba.conf"),
            Self::NoDatabase => f.write_str("there is no such database; make it with createdb"),
            Self::Starting => f.write_str("the database is starting or stopping"),
            Self::Crowded => f.write_str("the database takes no more connections"),
            Self::ReadOnly => f.write_str("the database is read-only, or a standby"),
            Self::DiskFull => f.write_str("the disk of the database is full"),
            Self::OutOfMemory => f.write_str("the database is out of memory"),
            Self::Encoding(found) => write!(f, "the database has the encoding {found}; make one with UTF8"),
            Self::NoSchema => f.write_str(
                "the schema is missing or older, and this user may not make it; start once as its owner (docs/nodes.md)",
            ),
            Self::NewerSchema { found, known } => write!(
                f,
                "the schema has version {found}, and this program knows versions up to {known}; use a newer Boardwire"
            ),
            Self::NotAllowed => f.write_str("the user lacks a right on the schema or a table (docs/nodes.md)"),
            Self::Refused(code) => write!(f, "the database refused (SQLSTATE {code})"),
        }
    }
}

impl std::error::Error for Trouble {}

/// Why the store did not do what it was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StoreError {
    /// The board's rows cannot be trusted. Other boards are not touched by it.
    Unreadable(Damage),
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
    /// A commit failed earlier: nothing is written until [`super::Store::reopen`] succeeds.
    Poisoned,
    /// The engine panicked; treated like a failed commit.
    Panicked,
    /// The database failed, or cannot be reached.
    Database(Trouble),
    /// [`super::Store::reopen`] could not open the file, or the database.
    Open(OpenError),
}

impl StoreError {
    /// What is wrong with the database, where it is one.
    #[must_use]
    pub fn trouble(&self) -> Option<&Trouble> {
        match self {
            Self::Database(trouble) | Self::Open(OpenError::Database(trouble)) => Some(trouble),
            _ => None,
        }
    }

    /// Whether the whole store is out of order, and not only one board's rows: after a failed read too the
    /// engine answers nothing until [`super::Store::reopen`].
    #[must_use]
    pub fn is_outage(&self) -> bool {
        match self {
            Self::Unreadable(_) | Self::Engine(_) => false,
            Self::Full
            | Self::Io { .. }
            | Self::Poisoned
            | Self::Panicked
            | Self::Database(_)
            | Self::Open(_) => true,
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
            Self::Database(trouble) => trouble.fmt(f),
            Self::Open(OpenError::Database(_)) => f.write_str("the database is not open again"),
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

impl From<Trouble> for StoreError {
    fn from(trouble: Trouble) -> Self {
        Self::Database(trouble)
    }
}

impl From<Trouble> for OpenError {
    fn from(trouble: Trouble) -> Self {
        Self::Database(trouble)
    }
}

/// What failed while it was opened.
impl From<StoreError> for OpenError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Full => Self::Full,
            StoreError::Io { kind, code } => Self::Io { kind, code },
            StoreError::Open(error) => error,
            StoreError::Panicked => Self::Panicked,
            StoreError::Engine(words) => Self::Engine(words),
            StoreError::Database(trouble) => Self::Database(trouble),
            StoreError::Unreadable(cause) => Self::Engine(cause.to_string()),
            StoreError::Poisoned => Self::Engine(error.to_string()),
        }
    }
}

/// Why the data file, or the database, was not opened. Nothing was written to it, except by `Io` and `Engine`
/// during recovery.
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
        /// The version of the program that opened it last, where the file says it.
        by: Option<String>,
    },
    /// It has an older format, and no copy of it could be brought up to the present one. It is as it was.
    NotBroughtUp {
        /// The version in the file.
        found: u32,
        /// The version that this program writes.
        known: u32,
        /// Why not.
        cause: Box<Self>,
    },
    /// The file of another update is kept under the name that this one's would have.
    AlreadyKept(PathBuf),
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
    /// The database failed, or cannot be reached.
    Database(Trouble),
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
            Self::NewerFormat { found, known, by } => {
                write!(f, "the data file has format {found}")?;
                if let Some(by) = by {
                    write!(f, ", of Boardwire {by}")?;
                }
                write!(
                    f,
                    ", and this version ({}) knows formats up to {known}; use {}, or restore a backup that this version made",
                    env!("CARGO_PKG_VERSION"),
                    if by.is_some() {
                        "that one or a newer one"
                    } else {
                        "a newer Boardwire"
                    },
                )
            }
            Self::NotBroughtUp { found, known, cause } => write!(
                f,
                "the data file has format {found}, and no copy of it with format {known} could be made: {cause}; \
                 it takes as much room again as the file, in the same directory"
            ),
            Self::AlreadyKept(path) => write!(
                f,
                "{} is there, of an update before; move it away, or remove it",
                path.display()
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
            Self::Database(trouble) => trouble.fmt(f),
        }
    }
}

impl std::error::Error for OpenError {}
