//! Reading sessions.
//!
//! Owns the walk over them. Must not write. Key invariant: a session that cannot be read is an error, never
//! none.

use std::ops::Bound;

use ::redb::{Database, ReadableTable};

use super::super::super::rows::sessions::decode_session;
use super::super::super::{StoreError, StoredSession, WhichSessions};
use super::super::{SESSIONS, engine};
use super::{begin, broken};
use crate::ids::SecretId;
use crate::time::UnixMillis;

/// See `Registry::session`.
pub(in super::super) fn session(
    database: &Database,
    id: &SecretId,
) -> Result<Option<StoredSession>, StoreError> {
    let table = begin(database)?.open_table(SESSIONS).map_err(engine)?;
    let key = id.as_str().as_bytes();
    let found = ReadableTable::get(&table, key).map_err(engine)?;
    let found = found.map(|value| decode_session(key, value.value()));
    found.transpose().map_err(broken)
}

/// See `Registry::sessions`.
pub(in super::super) fn sessions(
    database: &Database,
    which: &WhichSessions,
    after: Option<&SecretId>,
    limit: usize,
) -> Result<Vec<StoredSession>, StoreError> {
    walk(database, after, limit, |session| which.has(session))
}

/// See `Registry::revoked_sessions`.
pub(in super::super) fn revoked(database: &Database, since: UnixMillis) -> Result<Vec<SecretId>, StoreError> {
    let is_revoked = |session: &StoredSession| session.revoked_at.is_some_and(|at| at >= since);
    let found = walk(database, None, usize::MAX, is_revoked)?;
    Ok(found.iter().map(StoredSession::id).collect())
}

/// The first `limit` sessions after `after` that are wanted.
fn walk(
    database: &Database,
    after: Option<&SecretId>,
    limit: usize,
    is_wanted: impl Fn(&StoredSession) -> bool,
) -> Result<Vec<StoredSession>, StoreError> {
    let table = begin(database)?.open_table(SESSIONS).map_err(engine)?;
    let from = after.map_or(Bound::Unbounded, |id| Bound::Excluded(id.as_str().as_bytes()));
    let mut sessions = Vec::new();
    for row in ReadableTable::range::<&[u8]>(&table, (from, Bound::Unbounded)).map_err(engine)? {
        if sessions.len() >= limit {
            break;
        }
        let (key, value) = row.map_err(engine)?;
        let session = decode_session(key.value(), value.value()).map_err(broken)?;
        if is_wanted(&session) {
            sessions.push(session);
        }
    }
    Ok(sessions)
}
