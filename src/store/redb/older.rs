//! A data file of an older format: a copy of the present one takes its place, and it is kept.
//!
//! Owns the name under which it is kept, for the program before, and in which order names move. Must not know
//! what a migration does. Key invariants: what the older file holds is never written to, and a crash leaves
//! the one or the other under the name of the data file, whole. Tests: `tests/older.rs`.

use std::ffi::OsString;
use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use ::redb::backends::FileBackend;

use super::super::OpenError;
use super::super::rows::FILE_FORMAT;
use super::format::{Format, ensure_format, opening, read_format};
use super::handle::{builder, close, new_file, sync_parent};
use super::place::{names, number_of, remove};

/// What became of a data file of an older format.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BroughtUp {
    /// The format that it had.
    pub from: u32,
    /// The format of the copy that has its name now.
    pub to: u32,
    /// Where it is.
    pub kept: PathBuf,
}

impl fmt::Display for BroughtUp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "it had format {} and has {} now, which versions before this one do not open; as it was, it is kept as {}",
            self.from,
            self.to,
            self.kept.display()
        )
    }
}

/// Puts a copy of the present format in the place of a file of format `found`, which is closed and stays
/// beside it.
pub(super) fn bring_up(path: &Path, found: u32) -> Result<BroughtUp, OpenError> {
    let kept = replace(path, found).map_err(|cause| match cause {
        OpenError::InUse => cause,
        cause => OpenError::NotBroughtUp {
            found,
            known: FILE_FORMAT,
            cause: Box::new(cause),
        },
    })?;
    Ok(BroughtUp {
        from: found,
        to: FILE_FORMAT,
        kept,
    })
}

fn replace(path: &Path, found: u32) -> Result<PathBuf, OpenError> {
    let (path, copy) = names(path)?;
    let mut kept = OsString::from(&path);
    kept.push(format!(".format-{found}"));
    let kept = PathBuf::from(kept);
    let file = fs::OpenOptions::new().read(true).write(true).open(&path)?;
    let number = number_of(&file.metadata()?);
    // Nobody else may open the file until the copy has its name.
    let lock = FileBackend::new(file).map_err(opening)?;
    if number_of(&fs::metadata(&path)?) != number {
        return Err(OpenError::InUse);
    }
    let is_linked = match fs::symlink_metadata(&kept) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => false,
        // Of a process that was killed right before the copy got its name.
        Ok(there) if number_of(&there) == number => true,
        Ok(_) => return Err(OpenError::AlreadyKept(kept)),
        Err(error) => return Err(error.into()),
    };
    let replaced = make_copy(&path, &copy, found).and_then(|()| {
        if !is_linked {
            fs::hard_link(&path, &kept)?;
        }
        fs::rename(&copy, &path)?;
        Ok(sync_parent(&path)?)
    });
    if replaced.is_err() {
        // Whether it goes does not matter: it is made anew.
        drop(remove(&copy));
    }
    drop(lock);
    replaced.map(|()| kept)
}

/// Makes a copy of the present format, whole and on the disk.
fn make_copy(path: &Path, copy: &Path, found: u32) -> Result<(), OpenError> {
    remove(copy)?;
    let mut file = new_file(copy)?;
    let mut from = fs::File::open(path)?;
    io::copy(&mut from, &mut file)?;
    let owned = from.metadata()?;
    give(&file, &owned)?;
    file.set_permissions(owned.permissions())?;
    let database = builder().create_file(file).map_err(opening)?;
    match read_format(&database).map_err(OpenError::from)? {
        Format::Version(format) if format == found => ensure_format(&database)?,
        // Somebody had the file open before it was locked.
        _ => return Err(OpenError::InUse),
    }
    close(Some(database));
    Ok(fs::File::open(copy)?.sync_all()?)
}

/// Gives a file to whom another one belongs: who updates may be root, and the server is not.
fn give(file: &fs::File, owned: &fs::Metadata) -> io::Result<()> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::{MetadataExt as _, fchown};
        let made = file.metadata()?;
        if (made.uid(), made.gid()) != (owned.uid(), owned.gid()) {
            fchown(file, Some(owned.uid()), Some(owned.gid()))?;
        }
    }
    #[cfg(not(unix))]
    let _ = (file, owned);
    Ok(())
}
