//! Reading boards; who may do what is in `access`, and verifying everything in `check`.
//!
//! Owns the way from rows back to a [`StoredBoard`]; must not write. Key invariant: what the record promises
//! is there in full, row by row, or the board is refused; so are its grants, links and keys.

pub(super) mod access;
pub(super) mod assets;
pub(super) mod check;
pub(super) mod sessions;
pub(super) mod versions;

use ::redb::{Database, ReadTransaction, ReadableDatabase, ReadableTable, ReadableTableMetadata};
use bytes::Bytes;

use super::super::rows::{self, BoardRow, LiveBoard, Tag, Tally};
use super::super::{Became, Damage, StoreError, Stored, StoredBoard, Summary, Trashed, Used};
use super::blobs::{Blob, blobs_in, broken, row};
use super::journal::{Journal, Stretch, Unreadable, stretches, with_part};
use super::{IDS, JOURNAL, SNAPSHOTS, TABLES, Table, UPDATES, engine, rows_of};
use crate::ids::BoardId;

/// Which boards are given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Which {
    /// Those that are there.
    Live,
    /// Those in the trash too.
    Kept,
}

/// A finding about one row: of which board, and what.
type Finding = (Option<BoardId>, Damage);

fn begin(database: &Database) -> Result<ReadTransaction, StoreError> {
    database.begin_read().map_err(engine)
}

/// What the journal holds.
pub(super) fn journal(database: &Database) -> Result<Journal, StoreError> {
    Journal::read(&begin(database)?)
}

/// Visits each row of a table.
fn each_row(
    transaction: &ReadTransaction,
    table: Table,
    mut visit: impl FnMut(&[u8], &[u8]) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    let table = transaction.open_table(table).map_err(engine)?;
    for row in ReadableTable::iter(&table).map_err(engine)? {
        let (key, value) = row.map_err(engine)?;
        visit(key.value(), value.value())?;
    }
    Ok(())
}

/// See `Registry::summary`.
pub(super) fn summary(
    database: &Database,
    journal: &Journal,
    board: &BoardId,
) -> Result<Stored<Summary>, StoreError> {
    let transaction = begin(database)?;
    Ok(match row(&transaction, board)? {
        None => Stored::Absent,
        Some(BoardRow::Tombstone(_)) => Stored::Deleted,
        Some(BoardRow::Live(live)) if live.trashed_at.is_some() => Stored::Deleted,
        Some(BoardRow::Live(live)) => Stored::Present(summary_of(with_part(live, journal.part(board)))),
    })
}

/// See `Registry::trashed`.
pub(super) fn trashed(
    database: &Database,
    journal: &Journal,
    board: &BoardId,
) -> Result<Option<Trashed>, StoreError> {
    trashed_in(&begin(database)?, journal, board)
}

fn trashed_in(
    transaction: &ReadTransaction,
    journal: &Journal,
    board: &BoardId,
) -> Result<Option<Trashed>, StoreError> {
    let Some(BoardRow::Live(live)) = row(transaction, board)? else {
        return Ok(None);
    };
    Ok(live.trashed_at.map(|at| Trashed {
        board: board.clone(),
        at,
        summary: summary_of(with_part(live, journal.part(board))),
    }))
}

fn summary_of(live: LiveBoard) -> Summary {
    Summary {
        size_bytes: live.size_bytes(),
        sequence: live.last_sequence,
        record: live.record,
    }
}

/// See `BoardLog::load`, and `BoardLog::load_kept`.
pub(super) fn load(
    (database, journal): (&Database, &Journal),
    board: &BoardId,
    which: Which,
) -> Result<Stored<StoredBoard>, StoreError> {
    load_in((&begin(database)?, journal), board, which)
}

fn load_in(
    (transaction, journal): (&ReadTransaction, &Journal),
    board: &BoardId,
    which: Which,
) -> Result<Stored<StoredBoard>, StoreError> {
    match row(transaction, board)? {
        None => Ok(Stored::Absent),
        Some(BoardRow::Tombstone(_)) => Ok(Stored::Deleted),
        Some(BoardRow::Live(live)) if live.trashed_at.is_some() && which == Which::Live => {
            Ok(Stored::Deleted)
        }
        Some(BoardRow::Live(live)) => {
            let snapshot = snapshot(transaction, board, &live)?;
            let mut updates = updates(transaction, board, &live)?;
            let (after, covers) = (live.last_sequence, live.covers);
            let whole = with_part(live, journal.part(board));
            if let Some(part) = journal.part(board).filter(|_| whole.last_sequence > after) {
                let table = transaction.open_table(JOURNAL).map_err(engine)?;
                let asked = [(board.clone(), (part, after))].into();
                for (_, found) in stretches(&table, &asked, Unreadable::Refused)? {
                    add(&mut updates, found, covers)?;
                }
                reach(&updates, covers, whole.last_sequence)?;
            }
            Ok(Stored::Present(StoredBoard {
                record: whole.record,
                snapshot,
                updates,
            }))
        }
    }
}

fn snapshot(
    transaction: &ReadTransaction,
    board: &BoardId,
    live: &LiveBoard,
) -> Result<Option<(u64, Bytes)>, StoreError> {
    let (found, tally) = blobs(
        transaction,
        Tag::Snapshot,
        board,
        live.snapshot_bytes.unwrap_or(0),
    )?;
    let mut found = found.into_iter();
    match (live.snapshot_bytes, found.next(), found.next()) {
        (None, None, None) => Ok(None),
        (Some(length), Some(blob), None)
            if blob.sequence == live.covers
                && u64::try_from(blob.bytes.len()) == Ok(length)
                && tally == live.tallies.snapshots =>
        {
            Ok(Some((live.covers, blob.bytes.into())))
        }
        _ => Err(broken(Damage::SnapshotIncomplete)),
    }
}

fn updates(
    transaction: &ReadTransaction,
    board: &BoardId,
    live: &LiveBoard,
) -> Result<Vec<(u64, Bytes)>, StoreError> {
    let mut updates = Vec::new();
    let (found, tally) = blobs(transaction, Tag::Update, board, 0)?;
    let found = found.into_iter();
    let found = found.map(|blob| (blob.sequence, blob.updates, blob.bytes));
    add(&mut updates, found.collect(), live.covers)?;
    reach(&updates, live.covers, live.last_sequence)?;
    agree(tally, live.tallies.updates)?;
    Ok(updates)
}

/// Adds stretches of updates; each must go on where the one before ends.
fn add(updates: &mut Vec<(u64, Bytes)>, stretches: Vec<Stretch>, covers: u64) -> Result<(), StoreError> {
    for (first, count, bytes) in stretches {
        let ranges = rows::split_updates(&bytes, count).map_err(broken)?;
        let bytes = Bytes::from(bytes);
        for (sequence, range) in (first..).zip(ranges) {
            // The snapshot may have been taken between two updates of one commit.
            if sequence > covers {
                reach(updates, covers, sequence.saturating_sub(1))?;
                updates.push((sequence, bytes.slice(range)));
            }
        }
    }
    Ok(())
}

/// That there are all updates up to a sequence, and none after it.
fn reach(updates: &[(u64, Bytes)], covers: u64, through: u64) -> Result<(), StoreError> {
    match updates.last().map_or(covers, |(sequence, _)| *sequence) {
        known if known == through => Ok(()),
        known => Err(broken(Damage::UpdateMissing(known.saturating_add(1)))),
    }
}

/// That what was read is what the record promises.
fn agree(found: Tally, promised: Tally) -> Result<(), StoreError> {
    match found == promised {
        true => Ok(()),
        false => Err(broken(Damage::Tally)),
    }
}

/// All blobs of a board in one table, with their rows' tally; `length` is about how many bytes are expected.
fn blobs(
    transaction: &ReadTransaction,
    tag: Tag,
    board: &BoardId,
    length: u64,
) -> Result<(Vec<Blob>, Tally), StoreError> {
    let table = match tag {
        Tag::Update => UPDATES,
        _ => SNAPSHOTS,
    };
    let table = transaction.open_table(table).map_err(engine)?;
    let (start, end) = rows_of(board);
    blobs_in(&table, tag, (&start, &end), length)
}

/// See `Registry::used`. An id of which another row says that it is next, and which is not there, is in the
/// list as one that cannot be read.
pub(super) fn used(
    database: &Database,
    from: Option<&BoardId>,
    limit: usize,
) -> Result<Vec<Used>, StoreError> {
    let transaction = begin(database)?;
    let ids = transaction.open_table(IDS).map_err(engine)?;
    let from = from.map_or(&[][..], |board| board.as_str().as_bytes());
    let mut used = Vec::new();
    // What the row before says is next.
    let mut next = Vec::new();
    for row in ReadableTable::range::<&[u8]>(&ids, from..).map_err(engine)? {
        if used.len() >= limit {
            break;
        }
        let (key, value) = row.map_err(engine)?;
        let (key, value) = (key.value(), value.value());
        if next != key {
            used.extend(missing(&next));
        }
        next = rows::decode_next(key, value)
            .map(<[u8]>::to_vec)
            .unwrap_or_default();
        if let Some(board) = rows::parse_board(key) {
            let became = became(&transaction, &board)?;
            used.push(Used { board, became });
        }
    }
    if used.len() < limit {
        used.extend(missing(&next));
    }
    used.truncate(limit);
    Ok(used)
}

/// An id that should be there; nothing after the last one.
fn missing(id: &[u8]) -> Option<Used> {
    Some(Used {
        board: rows::parse_board(id)?,
        became: Err(Damage::RecordMissing),
    })
}

/// What became of a board that has a row in `ids`.
fn became(transaction: &ReadTransaction, board: &BoardId) -> Result<Result<Became, Damage>, StoreError> {
    match row(transaction, board) {
        Ok(Some(BoardRow::Live(live))) => Ok(Ok(live.trashed_at.map_or(Became::Live, Became::Trashed))),
        Ok(Some(BoardRow::Tombstone(at))) => Ok(Ok(Became::Deleted(at))),
        Ok(None) => Ok(Err(Damage::RecordMissing)),
        Err(StoreError::Unreadable(damage)) => Ok(Err(damage)),
        Err(error) => Err(error),
    }
}

/// How many rows there are in all tables.
pub(super) fn rows(database: &Database) -> Result<u64, StoreError> {
    let transaction = begin(database)?;
    let mut rows = 0_u64;
    for table in TABLES {
        let table = transaction.open_table(table).map_err(engine)?;
        rows = rows.saturating_add(table.len().map_err(engine)?);
    }
    Ok(rows)
}
