//! Copying sessions, which belong to no board.
//!
//! Owns the walk over them. Must not know how they are stored. Key invariant: as for boards: a session counts
//! once it was read back and is equal, and what the target has already stays as it is. Tests: `tests.rs`.

use super::{Copied, Side, Stopped, Told, Trouble};
use crate::ids::SecretId;
use crate::store::{Applied, Change, SessionChange, Store, StoredSession, WhichSessions};

/// Sessions that go in one commit, inclusive.
const SESSIONS_AT_ONCE_MAX: usize = 256;

/// Copies all sessions, also those that are revoked or over: their invitations stay used.
pub(super) fn copy(
    (from, to): (&dyn Store, &dyn Store),
    done: &mut Copied,
    tell: &mut dyn FnMut(Told<'_>),
) -> Result<(), Stopped> {
    let all = WhichSessions::default();
    let mut after: Option<SecretId> = None;
    loop {
        let page = match from.sessions(&all, after.as_ref(), SESSIONS_AT_ONCE_MAX) {
            Ok(page) => page,
            Err(error) => {
                // Which ones follow is not known.
                done.sessions_behind += 1;
                tell(Told::Session(None, &Trouble::Unreadable(Side::Source, error)));
                return Ok(());
            }
        };
        let Some(last) = page.last() else { return Ok(()) };
        after = Some(last.id());
        write(to, &page, done, tell)?;
    }
}

/// Writes sessions where they are not there, and reads them back.
pub(super) fn write(
    to: &dyn Store,
    page: &[StoredSession],
    done: &mut Copied,
    tell: &mut dyn FnMut(Told<'_>),
) -> Result<(), Stopped> {
    let changes: Vec<Change> = page.iter().map(begin).collect();
    let stopped = |error| Side::Target.stopped(error);
    let applied = to.commit(&changes).map_err(stopped)?;
    for (session, applied) in page.iter().zip(applied) {
        let there = match to.session(&session.id()) {
            Err(error) if error.is_outage() => return Err(stopped(error)),
            there => there,
        };
        let trouble = match (there, applied) {
            (Ok(Some(there)), Applied::Done | Applied::Exists) if there == *session => {
                done.sessions += 1;
                continue;
            }
            (Err(error), _) => Trouble::Unreadable(Side::Target, error),
            (Ok(_), Applied::Done) => Trouble::NotAsWritten,
            (Ok(_), Applied::Exists) => Trouble::SessionDiffers,
            (Ok(_), other) => Trouble::Refused(other),
        };
        done.sessions_behind += 1;
        tell(Told::Session(Some(&session.id()), &trouble));
    }
    Ok(())
}

fn begin(session: &StoredSession) -> Change {
    Change::Session(SessionChange::Open(Box::new(session.clone())))
}
