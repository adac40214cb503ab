//! Removing audit entries that are too old and parts of what is no asset, a little at a time, and sessions
//! that are over.
//!
//! Owns the walk from board to board. Must not read entries: their keys say how old they are; sessions are
//! few, and are read. Key invariant: each call visits a bounded number of rows and goes on where the last one
//! stopped. Tests: `tests/audit.rs`, `contract/audit.rs`.

use ::redb::{Database, ReadableTable};

use super::super::StoreError;
use super::super::rows;
use super::super::rows::assets::{Upload, decode_upload, encode_upload};
use super::super::rows::audit::entry_key;
use super::super::rows::sessions::decode_session;
use super::table::{Rows, Touched};
use super::{ASSET_PARTS, AUDIT, INVITES, SESSIONS, UPLOADS, engine};
use crate::audit::EntryKey;
use crate::limits;
use crate::time::UnixMillis;

/// Rows visited by one call, inclusive: each removed one, and one more of each board. Some 50 ms.
pub(super) const ROWS_MAX: usize = 10_000;

/// Removes entries older than `before`, from the key `from` on; gives the key to go on from, `None` at the
/// end.
pub(super) fn audit(
    database: &Database,
    before: UnixMillis,
    from: Option<Vec<u8>>,
    touched: &Touched,
) -> Result<Option<Vec<u8>>, StoreError> {
    let transaction = database.begin_write().map_err(engine)?;
    let mut table = Rows::open(&transaction, AUDIT, touched)?;
    let mut from = from.unwrap_or_default();
    let (mut left, mut removed) = (ROWS_MAX, 0_usize);
    let next = loop {
        let Some(key) = first_from(&*table, &from)? else {
            break None;
        };
        if left == 0 {
            break Some(key);
        }
        left -= 1;
        let Some(board) = rows::board_of(&key) else {
            // No entry's key; `check` reports it.
            from = key;
            from.push(0);
            continue;
        };
        let end = entry_key(&board, EntryKey { at: before, n: 0 });
        let mut old = Vec::new();
        for row in table
            .range::<&[u8]>(key.as_slice()..end.as_slice().max(key.as_slice()))
            .map_err(engine)?
            .take(left)
        {
            old.push(row.map_err(engine)?.0.value().to_vec());
        }
        for key in &old {
            table.remove(key.as_slice())?;
        }
        removed += old.len();
        left -= old.len();
        // With nothing left there may be more of this board: the walk goes on with its first row.
        from = if left == 0 { key } else { rows::board_end(&board) };
    };
    drop(table);
    if removed > 0 {
        transaction.commit().map_err(engine)?;
    } else {
        transaction.abort().map_err(engine)?;
    }
    Ok(next)
}

/// Removes sessions that end before `before`. One that cannot be read stays, and `check` reports it.
pub(super) fn sessions(database: &Database, before: UnixMillis, touched: &Touched) -> Result<(), StoreError> {
    let transaction = database.begin_write().map_err(engine)?;
    let mut table = Rows::open(&transaction, SESSIONS, touched)?;
    let mut invites = Rows::open(&transaction, INVITES, touched)?;
    let mut over = Vec::new();
    table.retain(|key, value| match decode_session(key, value) {
        Ok(session) if session.expires_at < before => {
            over.push(session.invite);
            false
        }
        _ => true,
    })?;
    for invite in &over {
        invites.remove(invite)?;
    }
    drop((table, invites));
    match over.is_empty() {
        false => transaction.commit().map_err(engine),
        true => transaction.abort().map_err(engine),
    }
}

/// Rows of the parts that one call removes: a part is of eight at most.
const PART_ROWS_MAX: usize = limits::UPLOAD_PARTS_PRUNED_AT_ONCE * 8;

/// Uploads that one call looks at, inclusive.
const UPLOADS_MAX: usize = 1_000;

/// Removes parts of uploads that began before `before`, or were given up; says whether there may be more. An
/// upload of which parts stay is given up, so that it is never finished.
pub(super) fn uploads(
    database: &Database,
    before: UnixMillis,
    touched: &Touched,
) -> Result<bool, StoreError> {
    let transaction = database.begin_write().map_err(engine)?;
    let mut table = Rows::open(&transaction, UPLOADS, touched)?;
    let mut parts = Rows::open(&transaction, ASSET_PARTS, touched)?;
    let mut over = Vec::new();
    for row in table.iter().map_err(engine)? {
        if over.len() >= UPLOADS_MAX {
            break;
        }
        let (key, value) = row.map_err(engine)?;
        // One that cannot be read stays, and `check` reports it.
        if let Ok(upload) = decode_upload(key.value(), value.value())
            && upload.begun_at < before.max(UnixMillis(1))
        {
            over.push((key.value().to_vec(), upload));
        }
    }
    let mut is_more = over.len() >= UPLOADS_MAX;
    let mut left = PART_ROWS_MAX;
    for (key, upload) in &over {
        let mut end = key.clone();
        end.extend([u8::MAX; 13]);
        let mut found = Vec::new();
        for row in parts
            .range::<&[u8]>(key.as_slice()..end.as_slice())
            .map_err(engine)?
            .take(left)
        {
            found.push(row.map_err(engine)?.0.value().to_vec());
        }
        left -= found.len();
        for part in &found {
            parts.remove(part)?;
        }
        if left > 0 {
            table.remove(key)?;
            continue;
        }
        is_more = true;
        let upload = Upload {
            begun_at: UnixMillis(0),
            ..*upload
        };
        table.insert(key, &encode_upload(key, upload))?;
        break;
    }
    drop((table, parts));
    match over.is_empty() {
        false => transaction.commit().map_err(engine)?,
        true => transaction.abort().map_err(engine)?,
    }
    Ok(is_more)
}

/// The first key that is not below `from`.
fn first_from(
    table: &impl ReadableTable<&'static [u8], &'static [u8]>,
    from: &[u8],
) -> Result<Option<Vec<u8>>, StoreError> {
    let first = table.range::<&[u8]>(from..).map_err(engine)?.next();
    let first = first.transpose().map_err(engine)?;
    Ok(first.map(|(key, _)| key.value().to_vec()))
}
