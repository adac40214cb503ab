//! Files that become boards.
//!
//! Owns which kinds there are, and what each comes to: updates for a board. Must not know the server, which
//! checks them as it does what strangers send. What others have written is read by `others`, which builds
//! with the feature `import` alone. Tests: tests/it/keeping/import.rs.

use std::path::Path;

use boardwire::ids::BoardId;
use boardwire::meter::Meter;
use boardwire::update::scan::scan;
use boardwire::update::{Budgets, Rules};

use super::read_bounded;

#[cfg(feature = "import")]
mod others;

/// What a build says that reads nothing of other programs.
#[cfg(not(feature = "import"))]
const LEFT_OUT: &str = "this build of boardwire reads Yjs updates only; one with the feature `import`, which is on by default, reads the rest";

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
    /// A store of y-leveldb.
    Yleveldb,
}

impl Kind {
    /// What is said, else what the name says.
    ///
    /// # Errors
    /// It is no kind, or none that this build reads, in one line.
    pub(super) fn of(said: Option<&str>, path: &Path) -> Result<Self, String> {
        let kind = Self::named(said, path)?;
        #[cfg(not(feature = "import"))]
        if kind != Self::Update {
            return Err(LEFT_OUT.to_owned());
        }
        Ok(kind)
    }

    fn named(said: Option<&str>, path: &Path) -> Result<Self, String> {
        let ending = path.extension().and_then(|ending| ending.to_str());
        match (said, ending) {
            // Which every store of LevelDB has.
            (None, _) if path.join("CURRENT").is_file() => Ok(Self::Yleveldb),
            (None, _) if path.is_dir() => Ok(Self::Ysweet),
            (Some("update"), _) => Ok(Self::Update),
            (Some("tldr"), _) | (None, Some("tldr")) => Ok(Self::Tldr),
            (Some("y-sweet"), _) | (None, Some("ysweet")) => Ok(Self::Ysweet),
            (Some("y-leveldb"), _) => Ok(Self::Yleveldb),
            (Some("hocuspocus"), _) | (None, Some("sqlite" | "sqlite3" | "db")) => Ok(Self::Hocuspocus),
            (Some(other), _) => Err(format!(
                "--format {other:?} is not right; expected update, tldr, hocuspocus, y-sweet or y-leveldb"
            )),
            (None, _) => Ok(Self::Update),
        }
    }
}

/// What of it, and as what.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Wanted {
    /// The id of the one board.
    pub(super) to_be: Option<BoardId>,
    /// Of a store the one document; all where there is none.
    pub(super) document: Option<String>,
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
pub(super) fn read(path: &Path, kind: Kind, wanted: &Wanted) -> Result<Vec<Drawing>, String> {
    let one = |updates: Vec<Vec<u8>>| {
        vec![Drawing {
            board: wanted.to_be.clone(),
            updates,
        }]
    };
    let is_store =
        matches!(kind, Kind::Hocuspocus | Kind::Yleveldb) || (kind == Kind::Ysweet && path.is_dir());
    if wanted.document.is_some() && !is_store {
        return Err(format!(
            "--document is not right; expected it for a store: {} is one document",
            path.display()
        ));
    }
    let drawings = match kind {
        Kind::Update => Ok(one(vec![read_bounded(path)?])),
        #[cfg(feature = "import")]
        Kind::Tldr => others::tldr(path).map(one),
        #[cfg(feature = "import")]
        Kind::Hocuspocus => others::hocuspocus(path, wanted),
        #[cfg(feature = "import")]
        Kind::Ysweet if path.is_dir() => others::directory(path, wanted),
        #[cfg(feature = "import")]
        Kind::Ysweet => others::ysweet(path).map(one),
        #[cfg(feature = "import")]
        Kind::Yleveldb => others::yleveldb(path, wanted),
        #[cfg(not(feature = "import"))]
        _ => Err(LEFT_OUT.to_owned()),
    }?;
    check(path, &drawings)?;
    Ok(drawings)
}

/// Refuses all where one has an update that no server takes, before a board is made.
fn check(path: &Path, drawings: &[Drawing]) -> Result<(), String> {
    let budgets = Budgets {
        rules: Rules::Strangers,
        ..Budgets::UNBOUNDED
    };
    for drawing in drawings {
        for update in &drawing.updates {
            scan(update, &budgets, &mut Meter::unbounded()).map_err(|refused| {
                let of = drawing.board.as_ref().map_or("it", BoardId::as_str);
                format!("{}: {of} has no update that is taken: {refused}", path.display())
            })?;
        }
    }
    Ok(())
}
