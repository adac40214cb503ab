//! The life of the data file: making, opening, refusing, copying and checking it.
//!
//! Owns the names of new files, and in which order a file is looked at, opened and brought up. Must not know
//! what rows mean, nor commit anything. Key invariants: nothing in a file that is not ours, or newer, is
//! changed; a crash leaves no half-made file. Tests: `tests.rs`, `tests/migration.rs`, `tests/damage.rs`.

use std::fs;
use std::io::{self, Read};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use ::redb::{Database, ReadableDatabase, ReadableTable, ReadableTableMetadata, backends::FileBackend};

use super::super::rows::FILE_FORMAT;
use super::super::{Damage, OpenError, StoreError};
use super::format::{Format, ensure_format, opening, read_format};
use super::handle::{builder, close, new_file, sync_parent};
use super::journal::Journal;
use super::older::BroughtUp;
use super::place::{self, Place};
use super::read::check::CheckReport;
use super::verify::{self, Shielded, Verified};
use super::watched::{self, Watch};
use super::{TABLES, batch, engine, older, read};
use crate::limits;

/// What each redb file begins with (redb, docs/design.md, "magic number").
const MAGIC: [u8; 9] = [b'r', b'e', b'd', b'b', 0x1A, 0x0A, 0xA9, 0x0D, 0x0A];

/// What is open.
pub(super) struct Opened {
    pub(super) database: Database,
    pub(super) journal: Journal,
    /// Where the file had an older format before.
    pub(super) brought_up: Option<BroughtUp>,
}

/// Opens what is there. What a process that was killed left in the journal is moved to rows of the boards;
/// where that cannot be written, on a full disk for one, it stays there.
pub(super) fn open_at(place: &Place) -> Result<Opened, OpenError> {
    let opened = catch_unwind(AssertUnwindSafe(|| {
        let (mut database, brought_up) = open_place(place)?;
        let mut journal = Journal::default();
        if batch::drain(&database).is_err() {
            close(Some(database));
            (database, _) = open_place(place)?;
            journal = read::journal(&database).map_err(OpenError::from)?;
        }
        Ok(Opened {
            database,
            journal,
            brought_up,
        })
    }));
    opened.unwrap_or(Err(OpenError::Panicked))
}

fn open_place(place: &Place) -> Result<(Database, Option<BroughtUp>), OpenError> {
    match place {
        Place::File(path, _, watch) => {
            let opened = open_file(path, watch.as_ref())?;
            place.opened()?;
            // Of a process that was killed while it made a copy. Whether it goes does not matter.
            drop(place.remove_copy());
            Ok(opened)
        }
        Place::Untouched(path) => {
            if fs::metadata(path)?.len() == 0 {
                return Err(OpenError::NotAStore);
            }
            refuse_others(path)?;
            let backend = Shielded::new(FileBackend::new(open_to_read(path)?).map_err(opening)?)?;
            let database = builder().create_with_backend(backend).map_err(opening)?;
            ensure_format(&database)?;
            Ok((database, None))
        }
        #[cfg(any(test, fuzzing))]
        Place::Disk(disk) => {
            let database = builder().create_with_backend(disk.handle()?).map_err(opening)?;
            ensure_format(&database)?;
            Ok((database, None))
        }
    }
}

/// Has the engine look through the whole file, before it is opened first. Nothing is written.
pub(super) fn verify_file(path: &Path) -> io::Result<Verified> {
    if is_missing_or_empty(path)? {
        return Ok(Verified::Sound);
    }
    match fs::metadata(path)? {
        found if !found.is_file() => Ok(Verified::AtOpening),
        found if found.len() > limits::VERIFY_AT_START_BYTES_MAX => Ok(Verified::TooLarge),
        _ => match FileBackend::new(open_to_read(path)?) {
            Ok(backend) => verify::verify(backend),
            Err(_) => Ok(Verified::AtOpening),
        },
    }
}

/// Opens a file that is there, or makes it. One of an older format is kept, and a copy takes its place.
fn open_file(path: &Path, watch: Option<&Watch>) -> Result<(Database, Option<BroughtUp>), OpenError> {
    if is_missing_or_empty(path)? {
        create_file(path)?;
    }
    refuse_others(path)?;
    let mut database = open_alone(path, watch)?;
    let mut brought_up = None;
    if let Format::Version(found @ 1..FILE_FORMAT) = read_format(&database).map_err(OpenError::from)? {
        close(Some(database));
        brought_up = Some(older::bring_up(path, found)?);
        database = open_alone(path, watch)?;
    }
    ensure_format(&database)?;
    Ok((database, brought_up))
}

/// Opens the engine's file under a name.
fn open_alone(path: &Path, watch: Option<&Watch>) -> Result<Database, OpenError> {
    let file = fs::OpenOptions::new().read(true).write(true).open(path)?;
    let number = place::number_of(&file.metadata()?);
    let database = watched::open(file, watch).map_err(opening)?;
    if place::number_of(&fs::metadata(path)?) != number {
        // Whoever had it open has put a smaller one in its place just now, and has that.
        return Err(OpenError::InUse);
    }
    Ok(database)
}

/// Opens a file that is only read. For writing too where that is allowed: some file systems lock only what
/// may be written.
fn open_to_read(path: &Path) -> io::Result<fs::File> {
    match fs::OpenOptions::new().read(true).write(true).open(path) {
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem
            ) =>
        {
            fs::File::open(path)
        }
        opened => opened,
    }
}

/// Refuses a file that is not the engine's.
fn refuse_others(path: &Path) -> Result<(), OpenError> {
    let mut magic = [0; MAGIC.len()];
    match fs::File::open(path)?.read_exact(&mut magic) {
        Ok(()) if magic == MAGIC => Ok(()),
        Err(error) if error.kind() != io::ErrorKind::UnexpectedEof => Err(error.into()),
        _ => Err(OpenError::NotAStore),
    }
}

fn is_missing(path: &Path) -> io::Result<bool> {
    match fs::metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(true),
        found => found.map(|_| false),
    }
}

pub(super) fn is_missing_or_empty(path: &Path) -> io::Result<bool> {
    match fs::metadata(path) {
        Ok(found) => Ok(found.is_file() && found.len() == 0),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(true),
        Err(error) => Err(error),
    }
}

/// Makes a data file under another name, whole and durable, and only then gives it its name: a crash on the
/// way leaves no half-made file that the next start would have to refuse.
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

/// Copies all tables, as of one moment, to a new file, in which the journal is then empty.
pub(super) fn copy(database: &Database, file: fs::File) -> Result<(), StoreError> {
    copy_into(database, &builder().create_file(file).map_err(engine)?)
}

fn copy_into(database: &Database, copy: &Database) -> Result<(), StoreError> {
    let from = database.begin_read().map_err(engine)?;
    let to = copy.begin_write().map_err(engine)?;
    for table in TABLES {
        let source = from.open_table(table).map_err(engine)?;
        let mut target = to.open_table(table).map_err(engine)?;
        for row in ReadableTable::iter(&source).map_err(engine)? {
            let (key, value) = row.map_err(engine)?;
            target.insert(key.value(), value.value()).map_err(engine)?;
        }
        if target.len().map_err(engine)? != source.len().map_err(engine)? {
            return Err(StoreError::Unreadable(Damage::RecordMissing));
        }
    }
    to.commit().map_err(engine)?;
    batch::drain(copy)
}

/// Verifies a data file that no server has open: the engine's page checksums, then every row of every board.
/// Not a byte of it changes: what opening it would recover or migrate, is done in memory.
///
/// # Errors
/// Where the file cannot be opened; damage inside it is in the report.
pub fn check(path: &Path) -> Result<CheckReport, OpenError> {
    if is_missing(path)? {
        return Err(io::Error::from(io::ErrorKind::NotFound).into());
    }
    let checked = catch_unwind(|| {
        let verified = match FileBackend::new(open_to_read(path)?) {
            Ok(backend) => verify::verify(backend)?,
            // Opening says why.
            Err(_) => Verified::AtOpening,
        };
        let (database, _) = open_place(&Place::Untouched(path.to_owned()))?;
        let mut report = read::check::check(&database).map_err(OpenError::from)?;
        report.damaged = verified == Verified::Damaged;
        Ok(report)
    });
    checked.unwrap_or(Err(OpenError::Panicked))
}

/// What [`compact`] did: how large the file was, and is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Compacted {
    /// Bytes before.
    pub before: u64,
    /// Bytes now; the same where nothing was to be gained.
    pub after: u64,
    /// Where the file had an older format before.
    pub brought_up: Option<BroughtUp>,
}

/// Makes a data file that no server has open as small as it can be: a copy without what is free takes its
/// place. A crash leaves one or the other, whole.
///
/// # Errors
/// Where the file cannot be opened, is damaged, or has no room for a copy beside it; then it stays as it is.
pub fn compact(path: &Path) -> Result<Compacted, OpenError> {
    if is_missing(path)? {
        return Err(io::Error::from(io::ErrorKind::NotFound).into());
    }
    if verify_file(path)? == Verified::Damaged {
        return Err(OpenError::Engine(
            "its pages are not those that were written".into(),
        ));
    }
    let compacted = catch_unwind(|| {
        let place = Place::file(path);
        let opened = open_at(&place)?;
        let made = make_small(&place, &opened.database);
        close(Some(opened.database));
        if made.is_err() {
            // What was made of the copy is of no use.
            drop(place.remove_copy());
        }
        made.map(|(before, after)| Compacted {
            before,
            after,
            brought_up: opened.brought_up,
        })
    });
    compacted.unwrap_or(Err(OpenError::Panicked))
}

/// The bytes before and now.
fn make_small(place: &Place, database: &Database) -> Result<(u64, u64), OpenError> {
    let before = place.bytes()?;
    let mut copy = place.create_copy().map_err(opening)?;
    copy_into(database, &copy).map_err(OpenError::from)?;
    while copy.compact().map_err(|error| OpenError::from(engine(error)))? {}
    close(Some(copy));
    if place.copy_bytes()? >= before {
        place.remove_copy()?;
        return Ok((before, before));
    }
    place.rename_copy()?;
    place.sync_name()?;
    Ok((before, place.bytes()?))
}
