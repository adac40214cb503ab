//! From the file's older formats to the present one.
//!
//! Owns what each step adds. Must not change what a later format still reads. Key invariant: a migration is one
//! transaction, so that a file is of one format or of the next, whenever the power goes. Tests: `tests/migration.rs`.

use ::redb::{Database, ReadableTable};

use super::super::StoreError;
use super::super::rows::access::{HolderKey, encode_holder};
use super::super::rows::{self, BoardRow};
use super::{BOARDS, HOLDERS, TABLES, engine, write_format};

/// From format 1, which had only boards: makes the new tables, and the index of owners.
pub(super) fn from_1(database: &Database) -> Result<(), StoreError> {
    let transaction = database.begin_write().map_err(engine)?;
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
            BoardRow::decode(key.value(), value.value()),
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
    drop((boards, holders));
    write_format(transaction)
}
