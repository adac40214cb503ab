//! From the file's older formats to the present one.
//!
//! Owns what each step adds. Must not change what a later format still reads. Key invariant: a migration is
//! one transaction, so that a file is of one format or of the next, whenever the power goes. Tests:
//! `tests/migration.rs`.

use ::redb::{Database, ReadableTable, WriteTransaction};

use super::super::StoreError;
use super::super::rows::access::{HolderKey, encode_holder};
use super::super::rows::{self, BoardRow, Tallies};
use super::handle::write_format;
use super::{
    ASSET_PARTS, ASSETS, BOARDS, GRANTS, HOLDERS, INVITES, JOURNAL, KEYS, LINKS, SESSIONS, SNAPSHOTS, TABLES,
    TRASH, Table, UPDATES, UPLOADS, VERSION_CHUNKS, VERSIONS, WEBHOOKS, engine, rows_of, tally_of,
};

/// From the format that was found to the present one.
pub(super) fn migrate(database: &Database, found: u32) -> Result<(), StoreError> {
    let transaction = database.begin_write().map_err(engine)?;
    if found == 1 {
        from_1(&transaction)?;
    }
    if found <= 2 {
        from_2(&transaction)?;
    }
    // From format 3, which had no journal.
    transaction.open_table(JOURNAL).map_err(engine)?;
    for table in LATER {
        transaction.open_table(table).map_err(engine)?;
    }
    write_format(transaction)
}

/// The tables that came after format 4, or without a format of their own: a file of an older format may have
/// any of them, by which program opened it last.
const LATER: [Table; 9] = [
    WEBHOOKS,
    SESSIONS,
    INVITES,
    TRASH,
    ASSETS,
    UPLOADS,
    ASSET_PARTS,
    VERSIONS,
    VERSION_CHUNKS,
];

/// From format 1, which had only boards: makes the new tables, and the index of owners.
fn from_1(transaction: &WriteTransaction) -> Result<(), StoreError> {
    for table in TABLES {
        transaction.open_table(table).map_err(engine)?;
    }
    let boards = transaction.open_table(BOARDS).map_err(engine)?;
    let mut holders = transaction.open_table(HOLDERS).map_err(engine)?;
    for row in boards.iter().map_err(engine)? {
        let (key, value) = row.map_err(engine)?;
        // A record that cannot be read says no owner. The board stays as unreadable as it is.
        let (Some(board), Ok(BoardRow::Live(live))) = (
            rows::parse_board(key.value()),
            BoardRow::decode_2(key.value(), value.value()),
        ) else {
            continue;
        };
        if let Some(owner) = live.record.owner {
            let key = HolderKey::Owner(owner).key(&board);
            holders
                .insert(key.as_slice(), encode_holder(&key).as_slice())
                .map_err(engine)?;
        }
    }
    Ok(())
}

/// From format 2, whose records did not say what other rows a board has: what is there now is taken for all.
fn from_2(transaction: &WriteTransaction) -> Result<(), StoreError> {
    let open = |table| transaction.open_table(table).map_err(engine);
    let (snapshots, updates) = (open(SNAPSHOTS)?, open(UPDATES)?);
    let (grants, links, keys) = (open(GRANTS)?, open(LINKS)?, open(KEYS)?);
    let mut boards = open(BOARDS)?;
    let mut next = Vec::new();
    loop {
        // One board after the other, since a table cannot be changed while it is walked.
        let (id, row) = match boards.range::<&[u8]>(next.as_slice()..).map_err(engine)?.next() {
            None => return Ok(()),
            Some(row) => {
                let (key, value) = row.map_err(engine)?;
                (
                    key.value().to_vec(),
                    BoardRow::decode_2(key.value(), value.value()),
                )
            }
        };
        next.clone_from(&id);
        next.push(0);
        let (Some(board), Ok(BoardRow::Live(mut live))) = (rows::parse_board(&id), row) else {
            continue;
        };
        live.tallies = Tallies {
            snapshots: tally_of(&snapshots, &board)?,
            updates: tally_of(&updates, &board)?,
            grants: tally_of(&grants, &board)?,
            links: tally_of(&links, &board)?,
            keys: tally_of(&keys, &board)?,
        };
        let (start, end) = rows_of(&board);
        for row in updates
            .range::<&[u8]>(start.as_slice()..end.as_slice())
            .map_err(engine)?
        {
            let length = rows::chunk_length(row.map_err(engine)?.1.value());
            live.log_bytes = live.log_bytes.saturating_add(length);
        }
        boards
            .insert(id.as_slice(), BoardRow::Live(live).encode(&id).as_slice())
            .map_err(engine)?;
    }
}
