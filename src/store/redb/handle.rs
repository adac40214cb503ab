//! Handles on redb files: how they are made, marked and closed.
//!
//! Owns the engine's settings and the key of the format. Must not know which file is the store's. Tests:
//! those of `file`.

use std::fs;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use ::redb::{Builder, Database, WriteTransaction};

use super::super::StoreError;
use super::super::rows::FILE_FORMAT;
use super::{CACHE_BYTES, META, engine};

/// The key of the file's format in `meta`.
pub(super) const FORMAT_KEY: &[u8] = b"format";

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

pub(super) fn write_format(transaction: WriteTransaction) -> Result<(), StoreError> {
    let mut meta = transaction.open_table(META).map_err(engine)?;
    meta.insert(FORMAT_KEY, FILE_FORMAT.to_le_bytes().as_slice())
        .map_err(engine)?;
    drop(meta);
    transaction.commit().map_err(engine)
}
