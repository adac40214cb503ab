//! Rows as they are read: a board's record, and blobs that lie in several rows.
//!
//! Must not know what a board's rows together promise (`read`), nor write. Key invariant: a blob is whole,
//! part by part, or told as damaged.

use ::redb::{ReadTransaction, ReadableTable};

use super::super::rows::{self, BoardRow, Chunk, Tag, Tally};
use super::super::{Damage, StoreError};
use super::{BOARDS, IDS, engine, is_free};
use crate::ids::BoardId;

/// Most memory reserved ahead on the word of a record.
const RESERVE_BYTES_MAX: u64 = 64 * 1024 * 1024;

pub(super) fn broken(cause: Damage) -> StoreError {
    StoreError::Unreadable(cause)
}

/// A blob put together again.
pub(super) struct Blob {
    pub(super) sequence: u64,
    pub(super) parts: u32,
    pub(super) updates: u32,
    pub(super) bytes: Vec<u8>,
}

/// The board's row; `None` where there provably never was one.
pub(super) fn row(transaction: &ReadTransaction, board: &BoardId) -> Result<Option<BoardRow>, StoreError> {
    let boards = transaction.open_table(BOARDS).map_err(engine)?;
    let key = board.as_str().as_bytes();
    if let Some(value) = ReadableTable::get(&boards, key).map_err(engine)? {
        return BoardRow::decode(key, value.value()).map(Some).map_err(broken);
    }
    let ids = transaction.open_table(IDS).map_err(engine)?;
    match is_free(&ids, key)? {
        true => Ok(None),
        false => Err(broken(Damage::RecordMissing)),
    }
}

/// All blobs within bounds, the upper one exclusive.
pub(super) fn blobs_in(
    table: &impl ReadableTable<&'static [u8], &'static [u8]>,
    tag: Tag,
    (start, end): (&[u8], &[u8]),
    length: u64,
) -> Result<(Vec<Blob>, Tally), StoreError> {
    let missing: fn(u64) -> Damage = match tag {
        Tag::Update => Damage::UpdateMissing,
        Tag::Journal => Damage::CommitMissing,
        _ => |_| Damage::SnapshotIncomplete,
    };
    let mut blobs: Vec<Blob> = Vec::new();
    // How many parts the last blob still lacks.
    let mut lacking = 0;
    let mut tally = Tally::default();
    for row in table.range::<&[u8]>(start..end).map_err(engine)? {
        let (key, value) = row.map_err(engine)?;
        let (_, sequence, part) = rows::split_blob_key(key.value()).map_err(broken)?;
        let chunk = Chunk::decode(tag, key.value(), value.value()).map_err(broken)?;
        tally.add(value.value());
        match blobs.last_mut() {
            Some(blob) if lacking > 0 => {
                let follows = blob.sequence == sequence
                    && blob.parts == chunk.parts
                    && blob.updates == chunk.updates
                    && chunk.parts.checked_sub(lacking) == Some(part);
                if !follows {
                    return Err(broken(missing(blob.sequence)));
                }
                blob.bytes.extend_from_slice(chunk.bytes);
                lacking -= 1;
            }
            _ if part == 0 => {
                let reserve = usize::try_from(length.min(RESERVE_BYTES_MAX)).unwrap_or(0);
                let mut bytes = Vec::with_capacity(reserve.max(chunk.bytes.len()));
                bytes.extend_from_slice(chunk.bytes);
                blobs.push(Blob {
                    sequence,
                    parts: chunk.parts,
                    updates: chunk.updates,
                    bytes,
                });
                lacking = chunk.parts - 1;
            }
            _ => return Err(broken(missing(sequence))),
        }
    }
    match blobs.last() {
        Some(blob) if lacking > 0 => Err(broken(missing(blob.sequence))),
        _ => Ok((blobs, tally)),
    }
}
