//! Reading versions.
//!
//! Owns the queries over them. Must not write. Key invariant: a version is given whole, or as damaged.

use std::collections::{BTreeMap, BTreeSet};

use ::redb::{Database, ReadTransaction, ReadableTable};
use bytes::Bytes;

use super::super::super::rows;
use super::super::super::rows::versions::{chunk_row_key, decode_chunk, decode_version, version_key};
use super::super::super::{ChunkHash, Damage, StoreError, StoredVersion, VersionId, bytes_of, joined};
use super::super::{VERSION_CHUNKS, VERSIONS, engine, rows_of};
use super::{Finding, begin, broken, each_row};
use crate::ids::BoardId;

/// See `Registry::versions`.
pub(in super::super) fn versions(
    database: &Database,
    board: &BoardId,
    before: Option<VersionId>,
    limit: usize,
) -> Result<Vec<StoredVersion>, StoreError> {
    let table = begin(database)?.open_table(VERSIONS).map_err(engine)?;
    let (start, end) = rows_of(board);
    let end = before.map_or(end, |before| version_key(board, before));
    let range = ReadableTable::range::<&[u8]>(&table, start.as_slice()..end.as_slice().max(start.as_slice()));
    let range = range.map_err(engine)?.rev().take(limit);
    range
        .map(|row| {
            let (key, value) = row.map_err(engine)?;
            decode_version(key.value(), value.value()).map_err(broken)
        })
        .collect()
}

/// See `Registry::version`.
pub(in super::super) fn version(
    database: &Database,
    board: &BoardId,
    id: VersionId,
) -> Result<Option<(StoredVersion, Bytes)>, StoreError> {
    let transaction = begin(database)?;
    let table = transaction.open_table(VERSIONS).map_err(engine)?;
    let key = version_key(board, id);
    let Some(value) = ReadableTable::get(&table, key.as_slice()).map_err(engine)? else {
        return Ok(None);
    };
    let version = decode_version(&key, value.value()).map_err(broken)?;
    let table = transaction.open_table(VERSION_CHUNKS).map_err(engine)?;
    let mut chunks = BTreeMap::new();
    for piece in &version.pieces {
        let key = chunk_row_key(board, &piece.hash);
        let value = ReadableTable::get(&table, key.as_slice()).map_err(engine)?;
        let value = value.ok_or_else(|| broken(Damage::Disagreement))?;
        chunks.extend([decode_chunk(&key, value.value()).map_err(broken)?]);
    }
    let state = joined(&version, &chunks).ok_or_else(|| broken(Damage::Disagreement))?;
    Ok(Some((version, state)))
}

/// See `Registry::version_chunks`.
pub(in super::super) fn version_chunks(
    database: &Database,
    board: &BoardId,
) -> Result<BTreeMap<ChunkHash, Bytes>, StoreError> {
    let table = begin(database)?.open_table(VERSION_CHUNKS).map_err(engine)?;
    let (start, end) = rows_of(board);
    let range = ReadableTable::range::<&[u8]>(&table, start.as_slice()..end.as_slice()).map_err(engine)?;
    range
        .map(|row| {
            let (key, value) = row.map_err(engine)?;
            decode_chunk(key.value(), value.value()).map_err(broken)
        })
        .collect()
}

/// What the versions of all boards take, in bytes. Of one that cannot be read nothing is counted.
pub(in super::super) fn bytes(database: &Database) -> Result<u64, StoreError> {
    let transaction = begin(database)?;
    let (mut of, mut all): (Option<BoardId>, Vec<StoredVersion>) = (None, Vec::new());
    let mut bytes = 0_u64;
    each_row(&transaction, VERSIONS, |key, value| {
        let board = rows::board_of(key);
        if board != of {
            bytes = bytes.saturating_add(bytes_of(&std::mem::take(&mut all)));
            of = board;
        }
        all.extend(decode_version(key, value));
        Ok(())
    })?;
    Ok(bytes.saturating_add(bytes_of(&all)))
}

/// That each version has its chunks, and each chunk a version, of a board that `is_there`.
pub(super) fn check(
    transaction: &ReadTransaction,
    is_there: impl Fn(&BoardId) -> Result<(), Damage>,
    mut found: impl FnMut(Finding),
) -> Result<(), StoreError> {
    let mut needed: BTreeSet<(BoardId, ChunkHash, u32)> = BTreeSet::new();
    each_row(transaction, VERSIONS, |key, value| {
        let board = rows::board_of(key);
        let verified = decode_version(key, value).and_then(|version| {
            let board = board.as_ref().ok_or(Damage::Malformed)?;
            let pieces = version.pieces.iter();
            needed.extend(pieces.map(|piece| (board.clone(), piece.hash, piece.bytes)));
            is_there(board)
        });
        if let Err(cause) = verified {
            found((board, cause));
        }
        Ok(())
    })?;
    each_row(transaction, VERSION_CHUNKS, |key, value| {
        let board = rows::board_of(key);
        let verified = decode_chunk(key, value).and_then(|(hash, bytes)| {
            let length = u32::try_from(bytes.len()).map_err(|_| Damage::Malformed)?;
            let board = board.clone().ok_or(Damage::Malformed)?;
            match needed.remove(&(board, hash, length)) {
                true => Ok(()),
                false => Err(Damage::Disagreement),
            }
        });
        if let Err(cause) = verified {
            found((board, cause));
        }
        Ok(())
    })?;
    for (board, ..) in needed {
        found((Some(board), Damage::Disagreement));
    }
    Ok(())
}
