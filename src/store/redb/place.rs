//! Where the bytes of the store are, and how a copy of them takes their place.
//!
//! Owns [`Place`]: names of files, and the order in which they are made durable. Must not read what is in
//! them. Key invariant: a name is only ever moved onto a file that is whole and on the disk; and what is
//! written under the new name counts as durable only once the name is.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use ::redb::{Database, DatabaseError};

use super::super::Footprint;
use super::handle::{new_file, sync_parent};
use super::journal::Bounds;
#[cfg(any(test, fuzzing))]
use super::simdisk::SimDisk;
use super::watched::{self, Watch};
use crate::limits;

/// Added to the name of the data file for the copy that is to take its place.
const COPY: &str = ".moving";

/// Where the bytes are.
pub(super) enum Place {
    /// A file, and which, since somebody may put another one under its name while it is open; and who watches
    /// waits for the disk.
    File(PathBuf, AtomicU64, Option<Watch>),
    /// A file that nothing is written to: what is, lasts as long as it is open.
    Untouched(PathBuf),
    #[cfg(any(test, fuzzing))]
    Disk(SimDisk),
}

impl Place {
    pub(super) fn file(path: &Path) -> Self {
        Self::File(path.to_owned(), AtomicU64::new(0), None)
    }

    /// As [`Self::file`], and somebody watches.
    pub(super) fn watched(path: &Path, watch: Watch) -> Self {
        Self::File(path.to_owned(), AtomicU64::new(0), Some(watch))
    }

    /// Remembers which file has been opened.
    pub(super) fn opened(&self) -> io::Result<()> {
        match self {
            Self::File(path, opened, _) => opened.store(number_of(&fs::metadata(path)?), Ordering::Relaxed),
            Self::Untouched(_) => {}
            #[cfg(any(test, fuzzing))]
            Self::Disk(_) => {}
        }
        Ok(())
    }

    /// The size of what is there.
    pub(super) fn bytes(&self) -> io::Result<u64> {
        match self {
            Self::File(path, ..) | Self::Untouched(path) => Ok(fs::metadata(path)?.len()),
            #[cfg(any(test, fuzzing))]
            Self::Disk(disk) => Ok(disk.content().len() as u64),
        }
    }

    /// Whether the file is too large for what lives in it, and a copy would be smaller. `stuck` is what the
    /// last copy left where that was still too large: then it takes a great change to try again. One in tests
    /// is always too large.
    pub(super) fn is_too_large(&self, found: Footprint, stuck: Option<Footprint>) -> bool {
        match self {
            Self::File(..) => {
                let most = found.live_bytes.saturating_mul(limits::DATA_FILE_TIMES);
                let is_stuck = stuck.is_some_and(|stuck| {
                    found.file_bytes < stuck.file_bytes.saturating_mul(2)
                        && found.live_bytes > stuck.live_bytes / 2
                });
                found.file_bytes > most.saturating_add(limits::DATA_FILE_SPARE_BYTES) && !is_stuck
            }
            Self::Untouched(_) => false,
            #[cfg(any(test, fuzzing))]
            Self::Disk(disk) => disk.is_too_large(),
        }
    }

    /// How much to copy at a time.
    pub(super) fn step_bytes(&self) -> usize {
        match self {
            Self::File(..) | Self::Untouched(_) => limits::MOVE_STEP_BYTES,
            #[cfg(any(test, fuzzing))]
            Self::Disk(_) => 4 * 1024,
        }
    }

    /// How long the journal may be. Short in tests, so that it need not be long to be moved.
    pub(super) fn journal_bounds(&self) -> Bounds {
        match self {
            Self::File(..) | Self::Untouched(_) => Bounds::FILE,
            #[cfg(any(test, fuzzing))]
            Self::Disk(disk) if disk.is_journal_long() => Bounds::FILE,
            #[cfg(any(test, fuzzing))]
            Self::Disk(_) => Bounds {
                most: 4 * 1024,
                step: 2 * 1024,
                least: 1024,
            },
        }
    }

    /// Whether the file system has room for a copy of so much, and as much again for everything else: who
    /// makes room must not be what fills the disk. Where it does not say, trying will.
    pub(super) fn has_room_for(&self, live: u64) -> bool {
        match self {
            Self::File(path, ..) => {
                let needed = live
                    .saturating_mul(2)
                    .saturating_add(limits::DATA_FILE_SPARE_BYTES.saturating_mul(2));
                rustix::fs::statvfs(path)
                    .is_ok_and(|found| found.f_bavail.saturating_mul(found.f_frsize) >= needed)
            }
            Self::Untouched(_) => false,
            #[cfg(any(test, fuzzing))]
            Self::Disk(_) => true,
        }
    }

    /// Makes an empty copy. What is left of one that was never finished goes: whoever has the store open has
    /// it alone.
    pub(super) fn create_copy(&self) -> Result<Database, DatabaseError> {
        match self {
            Self::File(path, _, watch) => {
                let (path, copy) = names(path)?;
                remove(&copy)?;
                let file = new_file(&copy)?;
                file.set_permissions(fs::metadata(path)?.permissions())?;
                watched::open(file, watch.as_ref())
            }
            Self::Untouched(_) => Err(untouched().into()),
            #[cfg(any(test, fuzzing))]
            Self::Disk(disk) => super::handle::builder().create_with_backend(disk.create_copy()?),
        }
    }

    /// The size of the copy.
    pub(super) fn copy_bytes(&self) -> io::Result<u64> {
        match self {
            Self::File(path, ..) => Ok(fs::metadata(names(path)?.1)?.len()),
            Self::Untouched(_) => Err(untouched()),
            #[cfg(any(test, fuzzing))]
            Self::Disk(_) => Err(io::ErrorKind::Unsupported.into()),
        }
    }

    /// Gives the copy the name of the file. Nothing may be written before [`Place::sync_name`].
    pub(super) fn rename_copy(&self) -> io::Result<()> {
        match self {
            Self::File(path, opened, _) => {
                let (path, copy) = names(path)?;
                if number_of(&fs::metadata(&path)?) != opened.load(Ordering::Relaxed) {
                    return Err(io::Error::other("another file has taken its name"));
                }
                let number = number_of(&fs::metadata(&copy)?);
                fs::rename(copy, path)?;
                // Nothing may fail from here on: the name has moved.
                opened.store(number, Ordering::Relaxed);
                Ok(())
            }
            Self::Untouched(_) => Err(untouched()),
            #[cfg(any(test, fuzzing))]
            Self::Disk(disk) => disk.rename_copy(),
        }
    }

    /// Makes the name durable.
    pub(super) fn sync_name(&self) -> io::Result<()> {
        match self {
            Self::File(path, ..) => sync_parent(&names(path)?.0),
            Self::Untouched(_) => Ok(()),
            #[cfg(any(test, fuzzing))]
            Self::Disk(disk) => disk.sync_name(),
        }
    }

    /// Removes an unfinished copy, if there is one.
    pub(super) fn remove_copy(&self) -> io::Result<()> {
        match self {
            Self::File(path, ..) => remove(&names(path)?.1),
            Self::Untouched(_) => Ok(()),
            #[cfg(any(test, fuzzing))]
            Self::Disk(_) => Ok(()),
        }
    }
}

fn untouched() -> io::Error {
    io::Error::other("nothing is written beside this file")
}

/// What the file is really called, where its name is a link, and the name of its copy.
pub(super) fn names(path: &Path) -> io::Result<(PathBuf, PathBuf)> {
    let path = fs::canonicalize(path)?;
    let mut copy = OsString::from(&path);
    copy.push(COPY);
    Ok((path, copy.into()))
}

/// What tells a file from another one under the same name, where there is something.
pub(super) fn number_of(found: &fs::Metadata) -> u64 {
    #[cfg(unix)]
    return std::os::unix::fs::MetadataExt::ino(found);
    #[cfg(not(unix))]
    return u64::from(found.is_file());
}

/// Removes a file, if there is one.
pub(super) fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
