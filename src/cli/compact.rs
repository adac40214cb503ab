//! `boardwire compact`: makes a data file as small as it can be, while no server runs on it.
//!
//! Owns what is said about it. Must not know how it is done: that is the store's. Tests: tests/it/backup.rs.

use std::path::Path;

use boardwire::store::redb::{Compacted, compact};

use super::copy::megabytes;
use super::place::Where;

pub(crate) const HELP: &str = "\
A server keeps its file below three times what lives in it by itself, while it runs. This makes it as small as it can be,
with the server stopped: before it is archived, say. A copy without what is free takes the file's place once it is whole;
the file system needs room for it meanwhile. However it is interrupted, the file is the old one or the new one.

Example:
  boardwire compact --data boardwire.redb";

/// Compacts, and gives the line to print.
///
/// # Errors
/// Why it was not done; the file is then as it was.
pub(crate) fn run(path: &Path) -> Result<String, String> {
    let Compacted {
        before,
        after,
        brought_up,
    } = compact(path).map_err(|error| Where::File(path.to_owned()).unopened(&error))?;
    let mut said = brought_up.map_or_else(String::new, |up| format!("{}: {up}\n", path.display()));
    said.push_str(&match after < before {
        true => format!(
            "{}: {} before, {} now\n",
            path.display(),
            megabytes(before),
            megabytes(after)
        ),
        false => format!(
            "{}: {}, as small as it can be\n",
            path.display(),
            megabytes(before)
        ),
    });
    Ok(said)
}
