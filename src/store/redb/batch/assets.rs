//! Changes of assets and of uploads.
//!
//! Owns their bounds, and the sums. Must not decide whether a board is there; `batch` did. Key invariants:
//! what is refused changes no row; the sums say what the rows of assets say; parts are removed by `prune`
//! alone, a few at a time, so that no commit takes long for them.

use ::redb::{ReadableTable, WriteTransaction};

use super::super::super::rows::Tag;
use super::super::super::rows::assets::{
    ALL_SUMS, Sums, Upload, asset_key, decode_asset, decode_sums, decode_upload, encode_asset, encode_sums,
    encode_upload, parse_asset_key, part_bounds, sums_key,
};
use super::super::super::{Applied, AssetChange, StoreError, StoredAsset, UploadId};
use super::super::table::{Rows, Touched};
use super::super::{ASSET_PARTS, ASSETS, UPLOADS, engine, rows_of};
use super::{length, write_blob};
use crate::asset::AssetHash;
use crate::ids::BoardId;
use crate::limits;
use crate::time::UnixMillis;

/// The tables of assets in one commit.
pub(super) struct Assets<'t> {
    assets: Rows<'t>,
    uploads: Rows<'t>,
    parts: Rows<'t>,
    /// Bytes of all assets, where this commit has changed them.
    pub(super) bytes: Option<u64>,
}

/// More or less.
type Step = fn(u64, u64) -> u64;

impl<'t> Assets<'t> {
    pub(super) fn open(transaction: &'t WriteTransaction, touched: &'t Touched) -> Result<Self, StoreError> {
        let open = |table| Rows::open(transaction, table, touched);
        Ok(Self {
            assets: open(ASSETS)?,
            uploads: open(UPLOADS)?,
            parts: open(ASSET_PARTS)?,
            bytes: None,
        })
    }

    /// Does one change, of a board that is there if it is of one.
    pub(super) fn apply(&mut self, change: &AssetChange) -> Result<Applied, StoreError> {
        match change {
            AssetChange::Part {
                upload,
                part,
                bytes,
                at,
            } => self.add_part(*upload, *part, bytes, *at),
            AssetChange::Drop(upload) => match self.upload(*upload)? {
                Ok(Some(found)) if found.begun_at.0 > 0 => self.give_up(*upload, found),
                Ok(_) => Ok(Applied::NotThere),
                Err(applied) => Ok(applied),
            },
            AssetChange::Finish {
                board,
                asset,
                bytes_max,
            } => self.finish(board, asset, *bytes_max),
            AssetChange::Name { board, hashes, at } => self.name(board, hashes, *at),
            AssetChange::Remove {
                board,
                hashes,
                before,
            } => self.remove(board, hashes, *before),
        }
    }

    /// An upload; or that its row cannot be read.
    fn upload(&self, upload: UploadId) -> Result<Result<Option<Upload>, Applied>, StoreError> {
        let found = self.uploads.get(upload.0.as_slice()).map_err(engine)?;
        let found = found.map(|value| decode_upload(&upload.0, value.value()));
        Ok(found.transpose().map_err(|_| Applied::Unreadable))
    }

    fn put_upload(&mut self, upload: UploadId, row: Upload) -> Result<(), StoreError> {
        self.uploads.insert(&upload.0, &encode_upload(&upload.0, row))?;
        Ok(())
    }

    fn give_up(&mut self, upload: UploadId, row: Upload) -> Result<Applied, StoreError> {
        let begun_at = UnixMillis(0);
        self.put_upload(upload, Upload { begun_at, ..row })?;
        Ok(Applied::Done)
    }

    fn add_part(
        &mut self,
        upload: UploadId,
        part: u32,
        bytes: &[u8],
        at: UnixMillis,
    ) -> Result<Applied, StoreError> {
        let row = match self.upload(upload)? {
            Err(applied) => return Ok(applied),
            Ok(Some(row)) if row.begun_at.0 == 0 => return Ok(Applied::NotThere),
            Ok(Some(row)) if part < row.parts => return Ok(Applied::Exists),
            Ok(Some(row)) if part == row.parts => row,
            Ok(None) if part == 0 && !self.has_parts(upload)? => Upload {
                // 0 has a meaning of its own.
                begun_at: UnixMillis(at.0.max(1)),
                ..Upload::default()
            },
            Ok(Some(_)) => return Ok(Applied::OutOfOrder),
            Ok(None) => return Ok(Applied::NotThere),
        };
        let place = (upload.0.to_vec(), u64::from(part));
        write_blob(&mut self.parts, Tag::AssetPart, place, (0, bytes))?;
        let row = Upload {
            parts: row.parts.saturating_add(1),
            bytes: row.bytes.saturating_add(length(bytes)),
            ..row
        };
        self.put_upload(upload, row)?;
        Ok(Applied::Done)
    }

    /// Whether an asset has been made of an upload.
    fn has_parts(&self, upload: UploadId) -> Result<bool, StoreError> {
        let (start, end) = part_bounds(upload, 0);
        let mut rows = self
            .parts
            .range::<&[u8]>(start.as_slice()..end.as_slice())
            .map_err(engine)?;
        Ok(rows.next().is_some())
    }

    fn finish(
        &mut self,
        board: &BoardId,
        asset: &StoredAsset,
        bytes_max: u64,
    ) -> Result<Applied, StoreError> {
        let key = asset_key(board, &asset.hash);
        if self.assets.get(key.as_slice()).map_err(engine)?.is_some() {
            return Ok(Applied::Exists);
        }
        let Some(sums) = self.sums(&sums_key(board))? else {
            return Ok(Applied::Unreadable);
        };
        let most = u64::try_from(limits::ASSETS_PER_BOARD_MAX).unwrap_or(u64::MAX);
        if !self.is_whole(asset)? {
            return Ok(Applied::NotThere);
        }
        if sums.assets >= most {
            return Ok(Applied::TooMany);
        }
        if sums.bytes.saturating_add(asset.bytes) > bytes_max {
            return Ok(Applied::AssetsFull);
        }
        self.put(board, asset)?;
        Ok(Applied::Done)
    }

    /// Whether the parts of an asset are there, and no asset's yet.
    pub(super) fn is_whole(&self, asset: &StoredAsset) -> Result<bool, StoreError> {
        let found = self.upload(asset.upload)?.unwrap_or_default();
        Ok(found
            .is_some_and(|row| row.begun_at.0 > 0 && row.bytes == asset.bytes && row.parts == asset.parts()))
    }

    /// Makes an upload that is whole an asset.
    pub(super) fn put(&mut self, board: &BoardId, asset: &StoredAsset) -> Result<(), StoreError> {
        self.uploads.remove(&asset.upload.0)?;
        let key = asset_key(board, &asset.hash);
        self.assets.insert(&key, &encode_asset(&key, asset))?;
        self.count(board, asset, u64::saturating_add)
    }

    /// The sums under a key; `None` where they cannot be read.
    fn sums(&self, key: &[u8]) -> Result<Option<Sums>, StoreError> {
        let found = self.assets.get(key).map_err(engine)?;
        Ok(match found.map(|value| decode_sums(key, value.value())) {
            None => Some(Sums::default()),
            Some(sums) => sums.ok(),
        })
    }

    /// Counts an asset that came or went, for its board and for all.
    fn count(&mut self, board: &BoardId, asset: &StoredAsset, step: Step) -> Result<(), StoreError> {
        for key in [sums_key(board).as_slice(), ALL_SUMS] {
            let sums = self.sums(key)?.unwrap_or_default();
            let sums = Sums {
                assets: step(sums.assets, 1),
                bytes: step(sums.bytes, asset.bytes),
            };
            if key == ALL_SUMS {
                self.bytes = Some(sums.bytes);
            }
            match sums.assets {
                0 => drop(self.assets.remove(key)?),
                _ => drop(self.assets.insert(key, &encode_sums(key, sums))?),
            }
        }
        Ok(())
    }

    /// Those of some assets that are there and can be read.
    fn found(&self, board: &BoardId, hashes: &[AssetHash]) -> Result<Vec<StoredAsset>, StoreError> {
        let mut found = Vec::new();
        for hash in hashes {
            let key = asset_key(board, hash);
            let row = self.assets.get(key.as_slice()).map_err(engine)?;
            found.extend(row.and_then(|value| decode_asset(&key, value.value()).ok()));
        }
        Ok(found)
    }

    fn name(&mut self, board: &BoardId, hashes: &[AssetHash], at: UnixMillis) -> Result<Applied, StoreError> {
        let mut applied = Applied::NotThere;
        for mut asset in self.found(board, hashes)? {
            asset.named_at = asset.named_at.max(at);
            let key = asset_key(board, &asset.hash);
            self.assets.insert(&key, &encode_asset(&key, &asset))?;
            applied = Applied::Done;
        }
        Ok(applied)
    }

    fn remove(
        &mut self,
        board: &BoardId,
        hashes: &[AssetHash],
        before: UnixMillis,
    ) -> Result<Applied, StoreError> {
        let mut applied = Applied::NotThere;
        for asset in self.found(board, hashes)? {
            if asset.named_at < before {
                self.assets.remove(&asset_key(board, &asset.hash))?;
                self.let_go(board, &asset)?;
                applied = Applied::Done;
            }
        }
        Ok(applied)
    }

    /// Lets `prune` have the parts of an asset whose row is gone.
    fn let_go(&mut self, board: &BoardId, asset: &StoredAsset) -> Result<(), StoreError> {
        let row = Upload {
            begun_at: UnixMillis(0),
            parts: asset.parts(),
            bytes: asset.bytes,
        };
        self.put_upload(asset.upload, row)?;
        self.count(board, asset, u64::saturating_sub)
    }

    /// Removes all assets of a board. Where one cannot be read nobody knows its parts, and they stay.
    pub(super) fn clear(&mut self, board: &BoardId) -> Result<(), StoreError> {
        let (start, end) = rows_of(board);
        let mut gone = Vec::new();
        self.assets
            .retain_in(start.as_slice()..end.as_slice(), |key, value| {
                if matches!(parse_asset_key(key), Ok((_, None))) {
                    return true;
                }
                gone.extend(decode_asset(key, value).ok());
                false
            })?;
        for asset in &gone {
            self.let_go(board, asset)?;
        }
        self.assets.remove(&sums_key(board))?;
        Ok(())
    }
}
