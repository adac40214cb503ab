//! `boardwire check`: whether everything that a store has can be read, and agrees.
//!
//! Owns what is said about it. Must not look itself: rows are looked at by the store, boards by
//! `boardwire::copy`. Key invariant: not a byte of what is checked changes. Tests: tests/it/backup.rs.

use std::path::Path;
use std::time::Instant;

use boardwire::copy::{Inspected, Seen, inspect};
use boardwire::fault::causes;
use boardwire::store::Store;
use boardwire::store::redb::{RedbStore, check as check_rows};

use super::copy::megabytes;
use super::place::Where;
use super::progress::Progress;

pub(crate) const HELP: &str = "\
Reads every row of a data file and holds it against those that it must agree with; then, as of a database, reads every
board whole, and opens it. Nothing is changed. A file that a server has open is refused: stop the server, or check a backup
of it, which is checked when it is made.
Exit code: 0 if all is sound; 1 if not, and then each finding is named; 2 for a wrong flag.

Examples:
  boardwire check --data boardwire.redb
  boardwire check --store postgres://boardwire@localhost/boardwire";

/// What was found.
pub(super) struct Report {
    /// Of boards.
    pub(super) seen: Inspected,
    /// Of rows, and of boards.
    pub(super) findings: u64,
}

/// Checks, and gives the line to print: as an error where something is wrong.
///
/// # Errors
/// What is wrong, or that it cannot be checked.
pub(crate) fn run(place: &Where) -> Result<String, String> {
    let begun = Instant::now();
    let mut progress = Progress::default();
    let report = match place {
        Where::File(path) => file(path, &mut progress)?,
        Where::Database(address) => {
            let store = place.open_served(address)?;
            let findings = 0;
            store_of(&*store, findings, &mut progress)?
        }
    };
    drop(progress);
    let line = summary(&report.seen, begun.elapsed().as_secs_f64());
    match (report.findings, place) {
        (0, _) => Ok(format!("{line}: all is sound\n")),
        (found, Where::File(path)) => Err(format!(
            "{line}; {found} findings, named above. Keep this file. `boardwire copy --from {} --to NEW` saves what can be read; \
             `boardwire restore --from BACKUP --board ID` takes one board out of a backup",
            path.display()
        )),
        (found, Where::Database(_)) => Err(format!("{line}; {found} findings, named above")),
    }
}

/// Checks a data file that nobody has open: its rows, then its boards.
///
/// # Errors
/// It cannot be checked, in one line.
pub(super) fn file(path: &Path, progress: &mut Progress) -> Result<Report, String> {
    let place = Where::File(path.to_owned());
    let rows = check_rows(path).map_err(|error| place.unopened(&error))?;
    let mut findings = 0;
    if rows.damaged {
        findings += 1;
        progress.say(&format_args!(
            "pages of {place} are damaged; what was in them may be missing without being named"
        ));
    }
    for (board, error) in &rows.unreadable {
        findings += 1;
        let words = causes(error);
        match board {
            Some(board) => progress.say(&format_args!("rows of board {:?}: {words}", board.as_str())),
            None => progress.say(&format_args!("rows of no board: {words}")),
        }
    }
    let store = RedbStore::open_untouched(path).map_err(|error| place.unopened(&error))?;
    store_of(&store, findings, progress)
}

/// Checks the boards of a store.
fn store_of(store: &dyn Store, mut findings: u64, progress: &mut Progress) -> Result<Report, String> {
    let seen = inspect(store, &mut |seen| match seen {
        Seen::Ids(count) => progress.begin(count),
        Seen::Progress(seen) => {
            progress.tell(seen.boards + seen.deleted + seen.wrong, &megabytes(seen.bytes))
        }
        Seen::Board(board, wrong) => {
            findings += 1;
            progress.say(&format_args!("board {:?}: {wrong}", board.as_str()));
        }
        Seen::Sessions(error) => {
            findings += 1;
            progress.say(&format_args!("sessions: {}", causes(error)));
        }
    });
    let seen = seen.map_err(|stopped| stopped.to_string())?;
    Ok(Report { seen, findings })
}

fn summary(seen: &Inspected, seconds: f64) -> String {
    let mut line = format!("checked {} boards ({})", seen.boards, megabytes(seen.bytes));
    if seen.unread > 0 {
        line.push_str(&format!(
            ", {} of them with content that is only relayed",
            seen.unread
        ));
    }
    line.push_str(&format!(
        ", {} marks of deleted ones and {} sessions in {seconds:.1} s",
        seen.deleted, seen.sessions
    ));
    line
}
