//! Files and stores of other programs that become boards.
//!
//! Owns where in a file system they lie, and which board each document becomes. What they are is known by the
//! crate boardwire-import. Tests: tests/it/keeping/import.rs.

use std::collections::BTreeSet;
use std::fmt::Display;
use std::path::{Path, PathBuf};
use std::{fs, io};

use boardwire::ids::BoardId;
use boardwire::limits::IMPORT_STORE_BYTES_MAX;
use boardwire_import::{Document, leveldb, sqlite, yleveldb, ysweet};
use rustix::fs::{FlockOperation, fcntl_lock};
use rustix::io::Errno;

use super::super::{one_line, read_bounded, tldr};
use super::{Drawing, Wanted};

fn wrong(path: &Path) -> impl Fn(String) -> String {
    move |why| format!("{}: {why}", path.display())
}

/// A file of tldraw's: its update.
pub(super) fn tldr(path: &Path) -> Result<Vec<Vec<u8>>, String> {
    tldr::read(&read_bounded(path)?)
        .map(|update| vec![update])
        .map_err(wrong(path))
}

/// A file of y-sweet: its updates.
pub(super) fn ysweet(path: &Path) -> Result<Vec<Vec<u8>>, String> {
    ysweet::read(&read_bounded(path)?).map_err(wrong(path))
}

/// A file of Hocuspocus, with any number of documents.
pub(super) fn hocuspocus(path: &Path, wanted: &Wanted) -> Result<Vec<Drawing>, String> {
    let beside = |ending: &str| {
        let mut name = path.as_os_str().to_owned();
        name.push(ending);
        PathBuf::from(name)
    };
    let (file, log, journal) = (path.display(), beside("-wal"), beside("-journal"));
    if fs::metadata(&log).is_ok_and(|found| found.len() > 0) {
        return Err(format!(
            "{file} has changes that are not in the file yet, in {}; stop its server, or have `sqlite3 {file} 'PRAGMA wal_checkpoint(TRUNCATE)'` put them there",
            log.display()
        ));
    }
    if begins_with(&journal, &sqlite::JOURNAL) {
        return Err(format!(
            "{file} has a change that was not finished, and {} has what was there before; stop its server, or have `sqlite3 {file} .tables` take the change back",
            journal.display()
        ));
    }
    let documents = sqlite::read(&read_bounded(path)?).map_err(wrong(path))?;
    boards(path, documents, wanted)
}

fn begins_with(path: &Path, bytes: &[u8; 8]) -> bool {
    let mut head = [0; 8];
    let read = fs::File::open(path).and_then(|mut file| io::Read::read_exact(&mut file, &mut head));
    read.is_ok() && head == *bytes
}

/// A store of y-leveldb, with any number of documents.
pub(super) fn yleveldb(path: &Path, wanted: &Wanted) -> Result<Vec<Drawing>, String> {
    let failed = |error: io::Error| format!("cannot read {}: {error}", path.display());
    // Until all is read, so that no program opens the store meanwhile.
    let held = hold(path)?;
    let mut names = BTreeSet::new();
    for entry in fs::read_dir(path).map_err(failed)? {
        names.extend(entry.map_err(failed)?.file_name().into_string());
    }
    let file = |name: &str| read_bounded(&path.join(name));
    let documents = yleveldb::read(&names, file, IMPORT_STORE_BYTES_MAX).map_err(wrong(path))?;
    drop(held);
    boards(path, documents, wanted)
}

/// Shares the lock that a program has on a store that it has open; `None` for a store without one. Nothing of
/// the store is changed.
fn hold(path: &Path) -> Result<Option<fs::File>, String> {
    let lock = path.join(leveldb::LOCK);
    let failed = |why: &dyn Display| format!("cannot lock {}: {why}", lock.display());
    let file = match fs::File::open(&lock) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(&error)),
    };
    match fcntl_lock(&file, FlockOperation::NonBlockingLockShared) {
        Ok(()) => Ok(Some(file)),
        Err(Errno::AGAIN | Errno::ACCESS) => Err(format!(
            "{} is open in another program; stop that, and import it then",
            path.display()
        )),
        Err(error) => Err(failed(&error)),
    }
}

/// The documents of a store become boards: under their names, or one under the id that is to be its.
fn boards(path: &Path, mut documents: Vec<Document>, wanted: &Wanted) -> Result<Vec<Drawing>, String> {
    if let Some(name) = &wanted.document {
        documents.retain(|document| document.name == *name);
        if documents.is_empty() {
            return Err(format!("{} has no document {:?}", path.display(), one_line(name)));
        }
    }
    if wanted.to_be.is_some() && documents.len() != 1 {
        return Err(format!(
            "--as is not right; expected it for one document: {} has {}, and each has its name; --document takes one of them",
            path.display(),
            documents.len()
        ));
    }
    let drawing = |document: Document| {
        let board = wanted.to_be.clone().or_else(|| BoardId::parse(&document.name));
        let board = board.ok_or_else(|| {
            format!(
                "{}: {:?} is no id of a board here; take it by itself, with --document and --as",
                path.display(),
                one_line(&document.name)
            )
        })?;
        Ok(Drawing {
            board: Some(board),
            updates: document.updates,
        })
    };
    documents.into_iter().map(drawing).collect()
}

/// A directory of y-sweet: of each document a directory with its name, and in it a file.
pub(super) fn directory(path: &Path, wanted: &Wanted) -> Result<Vec<Drawing>, String> {
    let failed = |error: io::Error| format!("cannot read {}: {error}", path.display());
    let own = path.join(ysweet::FILE);
    if own.is_file() {
        return Ok(vec![Drawing {
            board: wanted.to_be.clone(),
            updates: ysweet(&own)?,
        }]);
    }
    let mut documents = Vec::new();
    for entry in fs::read_dir(path).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let file = entry.path().join(ysweet::FILE);
        let name = entry.file_name().to_string_lossy().into_owned();
        let is_wanted = wanted.document.as_ref().is_none_or(|wanted| *wanted == name);
        if is_wanted && file.is_file() {
            let updates = ysweet(&file)?;
            documents.push(Document { name, updates });
        }
    }
    if documents.is_empty() && wanted.document.is_none() {
        return Err(format!(
            "{} has no document of y-sweet: directories with a file {} in them",
            path.display(),
            ysweet::FILE
        ));
    }
    documents.sort_by(|one, other| one.name.cmp(&other.name));
    boards(path, documents, wanted)
}
