//! Handles on redb files: how they are made, marked and closed.
//!
//! Owns the engine's settings and the keys of the format and of who wrote it. Must not know which file is the
//! store's. Tests: those of `file`.

use std::fs;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use ::redb::{Builder, Database, ReadableDatabase, ReadableTable, WriteTransaction};

use super::super::StoreError;
use super::super::rows::FILE_FORMAT;
use super::{CACHE_BYTES, META, engine};

/// The key of the file's format in `meta`.
pub(super) const FORMAT_KEY: &[u8] = b"format";

/// The key of the version of the program that opened the file last, in `meta`; files of before 0.2 have none.
pub(super) const WRITER_KEY: &[u8] = b"writer";

/// The version of this program.
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The longest version that is believed.
const WRITER_BYTES_MAX: usize = 32;

pub(super) fn builder() -> Builder {
    let mut builder = Builder::new();
    builder.set_cache_size(CACHE_BYTES);
    builder
}

/// Closes a database; the engine may panic there when it did before.
pub(super) fn close(database: Option<Database>) {
    // Nothing is left to do about a panic here: what matters was committed before.
    drop(catch_unwind(AssertUnwindSafe(|| drop(database))));
}

/// Makes a file that must not exist yet, readable by its owner only.
pub(super) fn new_file(path: &Path) -> io::Result<fs::File> {
    let mut options = fs::OpenOptions::new();
    options.read(true).write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

/// Makes the name of a new file durable.
pub(super) fn sync_parent(path: &Path) -> io::Result<()> {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    #[cfg(unix)]
    fs::File::open(parent.unwrap_or_else(|| Path::new(".")))?.sync_all()?;
    Ok(())
}

/// The version of the program that opened the file last; `None` where it says none that could be one.
pub(super) fn read_writer(database: &Database) -> Result<Option<String>, StoreError> {
    let transaction = database.begin_read().map_err(engine)?;
    let meta = transaction.open_table(META).map_err(engine)?;
    let value = ReadableTable::get(&meta, WRITER_KEY).map_err(engine)?;
    let version = value.and_then(|value| String::from_utf8(value.value().to_vec()).ok());
    Ok(version.filter(|version| {
        version.len() <= WRITER_BYTES_MAX && version.bytes().all(|byte| byte.is_ascii_graphic())
    }))
}

/// Notes the version of this program, where another one opened the file before.
pub(super) fn note_writer(database: &Database) -> Result<(), StoreError> {
    if read_writer(database)?.as_deref() == Some(VERSION) {
        return Ok(());
    }
    let transaction = database.begin_write().map_err(engine)?;
    let mut meta = transaction.open_table(META).map_err(engine)?;
    meta.insert(WRITER_KEY, VERSION.as_bytes()).map_err(engine)?;
    drop(meta);
    transaction.commit().map_err(engine)
}

pub(super) fn write_format(transaction: WriteTransaction) -> Result<(), StoreError> {
    let mut meta = transaction.open_table(META).map_err(engine)?;
    meta.insert(FORMAT_KEY, FILE_FORMAT.to_le_bytes().as_slice())
        .map_err(engine)?;
    meta.insert(WRITER_KEY, VERSION.as_bytes()).map_err(engine)?;
    drop(meta);
    transaction.commit().map_err(engine)
}
