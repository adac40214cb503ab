//! The format of a data file: read, written into a new one, brought up, or refused.
//!
//! Owns what each number in `meta` means for who opens, and what an error of the engine does. Must not know
//! names of files, nor what a migration does. Key invariant: what is of another maker, or newer, is refused
//! before anything is written. Tests: `tests.rs`, `tests/migration.rs`.

use ::redb::{Database, DatabaseError, ReadableDatabase, ReadableTable, StorageError, TableHandle};

use super::super::rows::{self, FILE_FORMAT};
use super::super::{OpenError, StoreError};
use super::handle::{FORMAT_KEY, note_writer, read_writer, write_format};
use super::{IDS, META, TABLES, engine, migrate};

/// What an error of the engine means for who opens.
pub(super) fn opening(error: DatabaseError) -> OpenError {
    match error {
        DatabaseError::DatabaseAlreadyOpen => OpenError::InUse,
        DatabaseError::UpgradeRequired(found) => OpenError::EngineFormat(found),
        DatabaseError::Storage(StorageError::Io(error)) => error.into(),
        other => OpenError::Engine(other.to_string()),
    }
}

/// Writes the format to a file in which nothing was ever stored, brings an older one up to the present one,
/// and refuses files of other makers and newer ones.
pub(super) fn ensure_format(database: &Database) -> Result<(), OpenError> {
    let found = read_format(database).map_err(OpenError::from)?;
    match found {
        Format::Fresh => write_tables(database).map_err(OpenError::from),
        Format::None => Err(OpenError::NoFormat),
        Format::Version(found) if found > FILE_FORMAT => Err(OpenError::NewerFormat {
            found,
            known: FILE_FORMAT,
            by: read_writer(database).map_err(OpenError::from)?,
        }),
        Format::Version(found @ 1..FILE_FORMAT) => migrate::migrate(database, found).map_err(OpenError::from),
        Format::Version(_) => Ok(()),
    }?;
    note_writer(database).map_err(OpenError::from)
}

pub(super) enum Format {
    /// Not one table.
    Fresh,
    /// Tables, and no version that could be ours.
    None,
    Version(u32),
}

pub(super) fn read_format(database: &Database) -> Result<Format, StoreError> {
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
