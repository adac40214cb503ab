//! Files that become boards.
//!
//! Owns which kinds there are, and what each comes to: updates for a board. Must not know the server, which
//! checks them as it does what strangers send. Tests: tests/it/keeping/board.rs.

use std::fs;
use std::path::Path;

use boardwire::ids::BoardId;

use super::{read_bounded, sqlite, tldr, ysweet};

/// What a file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// One Yjs update.
    Update,
    /// A file of tldraw's.
    Tldr,
    /// A file of SQLite that Hocuspocus has written.
    Hocuspocus,
    /// A store of y-sweet, or the file of one of its documents.
    Ysweet,
}

impl Kind {
    /// What is said, else what the name says.
    ///
    /// # Errors
    /// It is no kind, in one line.
    pub(super) fn of(said: Option<&str>, path: &Path) -> Result<Self, String> {
        let ending = path.extension().and_then(|ending| ending.to_str());
        match (said, ending) {
            (Some("update"), _) => Ok(Self::Update),
            (Some("tldr"), _) | (None, Some("tldr")) => Ok(Self::Tldr),
            (Some("y-sweet"), _) | (None, Some("ysweet")) => Ok(Self::Ysweet),
            (Some("hocuspocus"), _) | (None, Some("sqlite" | "sqlite3" | "db")) => Ok(Self::Hocuspocus),
            (Some(other), _) => Err(format!(
                "--format {other:?} is not right; expected update, tldr, hocuspocus or y-sweet"
            )),
            (None, _) if path.is_dir() => Ok(Self::Ysweet),
            (None, _) => Ok(Self::Update),
        }
    }
}

/// What is to become a board.
pub(super) struct Drawing {
    /// Its id, where it has one.
    pub(super) board: Option<BoardId>,
    /// Updates, each of which builds on those before it.
    pub(super) updates: Vec<Vec<u8>>,
}

/// Reads a file, or a store with many documents.
///
/// # Errors
/// It is not what it should be, in one line.
pub(super) fn read(path: &Path, kind: Kind, to_be: Option<&BoardId>) -> Result<Vec<Drawing>, String> {
    let wrong = |why: String| format!("{}: {why}", path.display());
    let one = |updates: Vec<Vec<u8>>| {
        vec![Drawing {
            board: to_be.cloned(),
            updates,
        }]
    };
    match kind {
        Kind::Update => Ok(one(vec![read_bounded(path)?])),
        Kind::Tldr => tldr::read(&read_bounded(path)?)
            .map(|update| one(vec![update]))
            .map_err(wrong),
        Kind::Hocuspocus => hocuspocus(path, to_be),
        Kind::Ysweet if path.is_dir() => directory(path, to_be),
        Kind::Ysweet => ysweet::read(&read_bounded(path)?).map(one).map_err(wrong),
    }
}

/// A file of Hocuspocus, with any number of documents.
fn hocuspocus(path: &Path, to_be: Option<&BoardId>) -> Result<Vec<Drawing>, String> {
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
    let documents = sqlite::read(&read_bounded(path)?).map_err(|why| format!("{}: {why}", path.display()))?;
    if to_be.is_some() && documents.len() != 1 {
        return Err(format!(
            "--as is not right; expected it for one document: {} has {}, and each has its name",
            path.display(),
            documents.len()
        ));
    }
    let drawing = |(name, update): (String, Vec<u8>)| {
        let board = to_be.cloned().or_else(|| BoardId::parse(&name));
        let board = board.ok_or_else(|| {
            format!(
                "{}: {:?} is no id of a board here",
                path.display(),
                super::one_line(&name)
            )
        })?;
        Ok(Drawing {
            board: Some(board),
            updates: vec![update],
        })
    };
    documents.into_iter().map(drawing).collect()
}

/// A directory of y-sweet: of each document a directory with its name, and in it a file.
fn directory(path: &Path, to_be: Option<&BoardId>) -> Result<Vec<Drawing>, String> {
    let failed = |error: std::io::Error| format!("cannot read {}: {error}", path.display());
    let own = path.join(ysweet::FILE);
    if own.is_file() {
        return read(&own, Kind::Ysweet, to_be);
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
        let updates = ysweet::read(&read_bounded(&file)?);
        drawings.push(Drawing {
            board: Some(board),
            updates: updates.map_err(|why| format!("{}: {why}", file.display()))?,
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
