//! Reading assets and their parts.
//!
//! Must not write. Key invariant: an asset, or a part of one, that cannot be read is an error, never none.

use std::ops::Bound;

use ::redb::{Database, ReadableTable};
use bytes::Bytes;

use super::super::super::rows::Tag;
use super::super::super::rows::assets::{
    ALL_SUMS, asset_key, decode_asset, decode_sums, part_bounds, sums_key,
};
use super::super::super::{Damage, StoreError, StoredAsset, UploadId};
use super::super::blobs::blobs_in;
use super::super::{ASSET_PARTS, ASSETS, engine, rows_of};
use super::{begin, broken};
use crate::asset::AssetHash;
use crate::ids::BoardId;

/// See `Registry::asset`.
pub(in super::super) fn asset(
    database: &Database,
    board: &BoardId,
    hash: &AssetHash,
) -> Result<Option<StoredAsset>, StoreError> {
    let table = begin(database)?.open_table(ASSETS).map_err(engine)?;
    let key = asset_key(board, hash);
    let found = ReadableTable::get(&table, key.as_slice()).map_err(engine)?;
    let found = found.map(|value| decode_asset(&key, value.value()));
    found.transpose().map_err(broken)
}

/// See `Registry::assets`.
pub(in super::super) fn assets(
    database: &Database,
    board: &BoardId,
    after: Option<&AssetHash>,
    limit: usize,
) -> Result<Vec<StoredAsset>, StoreError> {
    let table = begin(database)?.open_table(ASSETS).map_err(engine)?;
    let from = after.map_or_else(|| sums_key(board), |after| asset_key(board, after));
    let (_, end) = rows_of(board);
    let range = (Bound::Excluded(from.as_slice()), Bound::Excluded(end.as_slice()));
    let rows = ReadableTable::range::<&[u8]>(&table, range).map_err(engine)?;
    let assets = rows.take(limit).map(|row| {
        let (key, value) = row.map_err(engine)?;
        decode_asset(key.value(), value.value()).map_err(broken)
    });
    assets.collect()
}

/// See `Registry::asset_part`.
pub(in super::super) fn part(
    database: &Database,
    upload: UploadId,
    part: u32,
) -> Result<Option<Bytes>, StoreError> {
    let table = begin(database)?.open_table(ASSET_PARTS).map_err(engine)?;
    let (start, end) = part_bounds(upload, part);
    let (found, _) = blobs_in(&table, Tag::AssetPart, (&start, &end), 0)?;
    let mut found = found.into_iter();
    match (found.next(), found.next()) {
        (blob, None) => Ok(blob.map(|blob| blob.bytes.into())),
        (_, Some(_)) => Err(broken(Damage::Malformed)),
    }
}

/// Bytes of all assets.
pub(in super::super) fn bytes(database: &Database) -> Result<u64, StoreError> {
    let table = begin(database)?.open_table(ASSETS).map_err(engine)?;
    let found = ReadableTable::get(&table, ALL_SUMS).map_err(engine)?;
    let sums = found.map(|value| decode_sums(ALL_SUMS, value.value()));
    let sums = sums.transpose().map_err(broken)?;
    Ok(sums.unwrap_or_default().bytes)
}
