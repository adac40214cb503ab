//! A data file that is being made, under a name of its own until it is whole.
//!
//! Owns [`Part`]: `NAME.part`, which becomes `NAME` or goes. Must not know what is in it. Key invariants: a
//! name leads to a whole file that is on the disk, or to none; whoever is interrupted leaves nothing, and
//! what `kill -9` leaves goes at the next time. Tests: tests/it/backup.rs.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::thread;

use async_signal::{Signal, Signals};
use boardwire::store::OpenError;
use boardwire::store::redb::RedbStore;
use smol::stream::StreamExt as _;

/// The exit code of a command that SIGINT ended, as shells have it.
const INTERRUPTED: i32 = 130;

/// What has the name until then.
#[derive(Clone, Copy, Debug)]
pub(super) enum Before<'a> {
    /// Nothing; what comes meanwhile stays.
    Nothing,
    /// Something that may go.
    Replaced,
    /// Something that is kept under this name.
    Kept(&'a Path),
}

/// A file that is being made.
pub(super) struct Part {
    path: PathBuf,
    part: PathBuf,
}

fn with_ending(path: &Path, ending: &str) -> PathBuf {
    let mut name: OsString = path.as_os_str().to_owned();
    name.push(ending);
    name.into()
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

impl Part {
    /// Begins the file `path`. From now on SIGINT and SIGTERM remove what there is of it, and end the
    /// process.
    ///
    /// # Errors
    /// Somebody else makes it just now, or it cannot be made, in one line.
    pub(super) fn begin(path: &Path) -> Result<Self, String> {
        let part = with_ending(path, ".part");
        if let Err(OpenError::InUse) = RedbStore::open_untouched(&part) {
            return Err(format!("{} is being made by another process", path.display()));
        }
        let cleared = clear(&part);
        cleared.map_err(|error| format!("cannot remove what is left of {}: {error}", part.display()))?;
        let made = Self {
            path: path.to_owned(),
            part,
        };
        made.watch()?;
        Ok(made)
    }

    /// Where it is until it is whole.
    pub(super) fn part(&self) -> &Path {
        &self.part
    }

    /// How large it is.
    pub(super) fn bytes(&self) -> u64 {
        fs::metadata(&self.part).map_or(0, |found| found.len())
    }

    /// Opens it, empty.
    ///
    /// # Errors
    /// Why not, in one line.
    pub(super) fn open(&self) -> Result<RedbStore, String> {
        RedbStore::open(&self.part).map_err(|error| format!("cannot make {}: {error}", self.path.display()))
    }

    /// Gives the file its name, durably; it must be closed.
    ///
    /// # Errors
    /// Why not, in one line.
    pub(super) fn finish(self, before: Before<'_>) -> Result<(), String> {
        let named = self.name(before);
        named.map_err(|error| format!("cannot name {}: {error}", self.path.display()))
    }

    fn name(&self, before: Before<'_>) -> io::Result<()> {
        fs::File::open(&self.part)?.sync_all()?;
        match before {
            Before::Kept(aside) => {
                // Two names for a moment, so that there is a file under this one at any time.
                fs::hard_link(&self.path, aside)?;
                fs::rename(&self.part, &self.path)?;
            }
            Before::Replaced => fs::rename(&self.part, &self.path)?,
            // A link, and not a rename, since that would replace what somebody else has put there meanwhile.
            Before::Nothing => match fs::hard_link(&self.part, &self.path) {
                Ok(()) => fs::remove_file(&self.part)?,
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Err(error),
                // Not every file system has links.
                Err(_) => fs::rename(&self.part, &self.path)?,
            },
        }
        let parent = self.path.parent().filter(|parent| !parent.as_os_str().is_empty());
        fs::File::open(parent.unwrap_or_else(|| Path::new(".")))?.sync_all()
    }

    /// Removes it where a signal ends the process. The thread ends with the process.
    fn watch(&self) -> Result<(), String> {
        let failed = |error: io::Error| format!("cannot wait for signals: {error}");
        let mut signals = Signals::new([Signal::Int, Signal::Term]).map_err(failed)?;
        let (path, part) = (self.path.clone(), self.part.clone());
        let watching = thread::Builder::new().spawn(move || {
            if smol::block_on(signals.next()).is_some() {
                // Nobody is left to tell where it fails.
                drop(clear(&part));
                use io::Write as _;
                writeln!(
                    io::stderr(),
                    "boardwire: interrupted; nothing of {} is left",
                    path.display()
                )
                .ok();
                std::process::exit(INTERRUPTED);
            }
        });
        watching.map(drop).map_err(failed)
    }
}

/// Removes the file, and what the store makes beside it while it makes it.
fn clear(part: &Path) -> io::Result<()> {
    remove(part)?;
    let (Some(directory), Some(name)) = (part.parent(), part.file_name().and_then(|name| name.to_str()))
    else {
        return Ok(());
    };
    let directory = match directory.as_os_str().is_empty() {
        true => Path::new("."),
        false => directory,
    };
    let Ok(entries) = fs::read_dir(directory) else {
        return Ok(());
    };
    for entry in entries {
        let entry = entry?;
        let found = entry.file_name();
        let found = found.to_str().and_then(|found| found.strip_prefix(name));
        let is_new = |rest: &str| {
            let number = rest.strip_prefix('.').and_then(|rest| rest.strip_suffix(".new"));
            number.is_some_and(|number| !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit()))
        };
        if found.is_some_and(is_new) {
            remove(&entry.path())?;
        }
    }
    Ok(())
}

impl Drop for Part {
    fn drop(&mut self) {
        // Once it has its name there is nothing; else whoever failed has said why.
        drop(clear(&self.part));
    }
}
