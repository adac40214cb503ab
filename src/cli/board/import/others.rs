//! Files and stores of other programs that become boards.
//!
//! Owns where in a file system they lie, and which board each document becomes. What they are is known by the
//! crate boardwire-import. Tests: tests/it/keeping/board.rs.

use std::fs;
use std::path::Path;

use boardwire::ids::BoardId;
use boardwire_import::{Document, sqlite, ysweet};

use super::super::{one_line, read_bounded, tldr};
use super::Drawing;

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
pub(super) fn hocuspocus(path: &Path, to_be: Option<&BoardId>) -> Result<Vec<Drawing>, String> {
    let mut log = path.as_os_str().to_owned();
    log.push("-wal");
    if fs::metadata(&log).is_ok_and(|found| found.len() > 0) {
        return Err(format!(
            "{} has changes that are not in the file yet, in {}; stop its server, or have `sqlite3 {} 'PRAGMA wal_checkpoint(TRUNCATE)'` put them there",
            path.display(),
            log.display(),
            path.display()
        ));
    }
    let documents = sqlite::read(&read_bounded(path)?).map_err(wrong(path))?;
    if to_be.is_some() && documents.len() != 1 {
        return Err(format!(
            "--as is not right; expected it for one document: {} has {}, and each has its name",
            path.display(),
            documents.len()
        ));
    }
    let drawing = |document: Document| {
        let board = to_be.cloned().or_else(|| BoardId::parse(&document.name));
        let board = board.ok_or_else(|| {
            format!(
                "{}: {:?} is no id of a board here",
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
pub(super) fn directory(path: &Path, to_be: Option<&BoardId>) -> Result<Vec<Drawing>, String> {
    let failed = |error: std::io::Error| format!("cannot read {}: {error}", path.display());
    let own = path.join(ysweet::FILE);
    if own.is_file() {
        let updates = ysweet(&own)?;
        return Ok(vec![Drawing {
            board: to_be.cloned(),
            updates,
        }]);
    }
    let mut drawings = Vec::new();
    for entry in fs::read_dir(path).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let file = entry.path().join(ysweet::FILE);
        if !file.is_file() {
            continue;
        }
        let name = entry.file_name();
        let board = name.to_str().and_then(BoardId::parse).ok_or_else(|| {
            format!(
                "{} is no id of a board here; import it by itself, with --as",
                entry.path().display()
            )
        })?;
        drawings.push(Drawing {
            board: Some(board),
            updates: ysweet(&file)?,
        });
    }
    drawings.sort_by(|one, other| one.board.cmp(&other.board));
    match (drawings.len(), to_be) {
        (0, _) => Err(format!(
            "{} has no document of y-sweet: directories with a file {} in them",
            path.display(),
            ysweet::FILE
        )),
        (_, Some(_)) => Err(
            "--as is not right; expected it for one file: of a directory each document has its name"
                .to_owned(),
        ),
        (_, None) => Ok(drawings),
    }
}
