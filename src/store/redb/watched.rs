//! The data file as the engine has it: its own way to files, with whoever watches beside each wait for the
//! disk.
//!
//! Owns [`Watched`], and [`Watch`], the seam to whoever has a clock. Must not change what the engine does
//! with a file: its locks keep two processes apart. Key invariant: each call reaches the file as it came,
//! once. Tests: `tests.rs`.

use std::fmt;
use std::fs;
use std::io;
use std::ops::Bound;
use std::sync::Arc;

use ::redb::backends::FileBackend;
use ::redb::{BackendError, Database, DatabaseError, StorageBackend};

use super::handle::builder;

/// Somebody who is handed each wait for the disk, and carries it out, once.
pub type Watch = Arc<dyn Fn(&dyn Fn() -> io::Result<()>) -> io::Result<()> + Send + Sync>;

/// A file, and who watches.
struct Watched {
    file: FileBackend,
    watch: Watch,
}

impl fmt::Debug for Watched {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Watched({:?})", self.file)
    }
}

/// Opens the database in a file, or makes one in an empty file.
pub(super) fn open(file: fs::File, watch: Option<&Watch>) -> Result<Database, DatabaseError> {
    let Some(watch) = watch else {
        return builder().create_file(file);
    };
    builder().create_with_backend(Watched {
        file: FileBackend::new(file)?,
        watch: Arc::clone(watch),
    })
}

impl StorageBackend for Watched {
    fn len(&self) -> io::Result<u64> {
        self.file.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.file.read(offset, out)
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        self.file.set_len(length)
    }

    fn sync_data(&self) -> io::Result<()> {
        (self.watch)(&|| self.file.sync_data())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.file.write(offset, data)
    }

    fn close(&self) -> io::Result<()> {
        self.file.close()
    }

    fn try_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.file.try_lock_range(start, end)
    }

    fn try_lock_shared_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.file.try_lock_shared_range(start, end)
    }

    fn lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.file.lock_range(start, end)
    }

    fn lock_shared_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.file.lock_shared_range(start, end)
    }

    fn unlock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.file.unlock_range(start, end)
    }

    fn query_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.file.query_lock_range(start, end)
    }
}
