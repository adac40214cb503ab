//! Assets and uploads in one commit, and what is asked about them.
//!
//! Owns their bounds, and the queries. Must not decide whether a board is there; `batch` did. Key invariant:
//! what is to be written is what `uploads` and `known` say in the end.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use tokio_postgres::Row;

use super::super::{Applied, AssetChange, Change, Damage, StoreError, StoredAsset, UploadId};
use super::link::{Statement, sql};
use super::links::Links;
use super::rows::{self, signed};
use crate::asset::{AssetHash, AssetKind};
use crate::ids::{BoardId, Subject};
use crate::limits;
use crate::time::UnixMillis;

/// Uploads that changes are about, locked until the end.
pub(super) const LOCK: &str = "
    SELECT id, begun_at, parts, bytes FROM uploads WHERE id = ANY($1) ORDER BY id FOR UPDATE";

/// Those of them that parts are there of.
pub(super) const BEGUN: &str = "SELECT upload FROM asset_parts WHERE upload = ANY($1) AND part = 0";

const COLUMNS: &str = "board, hash, upload, kind, bytes, width, height, created_by, created_at, named_at";

/// Assets that changes are about; whoever changes those of a board has locked it.
pub(super) const FOUND: &str = "
    SELECT board, hash, upload, kind, bytes, width, height, created_by, created_at, named_at
    FROM assets WHERE board = ANY($1) AND hash = ANY($2)";

pub(super) const SUMS: &str = "
    SELECT board, count(*) AS assets, sum(bytes)::bigint AS bytes FROM assets WHERE board = ANY($1) GROUP BY board";

/// What is to lose parts is never finished.
pub(super) const GIVE_UP: &str = "UPDATE uploads SET begun_at = 0 WHERE begun_at > 0 AND begun_at < $1";

/// Parts go a few at a time.
pub(super) const PRUNE_PARTS: &str = "
    DELETE FROM asset_parts WHERE (upload, part) IN (
        SELECT p.upload, p.part FROM uploads u JOIN asset_parts p ON p.upload = u.id
        WHERE u.begun_at = 0 LIMIT $1)
    RETURNING part";

pub(super) const PRUNE: &str = "
    DELETE FROM uploads WHERE begun_at = 0 AND NOT EXISTS (SELECT FROM asset_parts WHERE upload = uploads.id)";

const WRITE_UPLOADS: &str = "
    INSERT INTO uploads (id, begun_at, parts, bytes) SELECT * FROM unnest($1, $2, $3, $4)
    ON CONFLICT (id) DO UPDATE SET begun_at = excluded.begun_at, parts = excluded.parts, bytes = excluded.bytes";

const REMOVE_UPLOADS: &str = "DELETE FROM uploads WHERE id = ANY($1)";

const WRITE_PARTS: &str = "INSERT INTO asset_parts (upload, part, bytes) SELECT * FROM unnest($1, $2, $3)";

const WRITE_ASSETS: &str = "
    INSERT INTO assets (board, hash, upload, kind, bytes, width, height, created_by, created_at, named_at)
    SELECT * FROM unnest($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
    ON CONFLICT (board, hash) DO UPDATE SET named_at = excluded.named_at";

const REMOVE_ASSETS: &str = "
    DELETE FROM assets USING unnest($1, $2) AS gone (key, name) WHERE board = gone.key AND hash = gone.name";

/// An upload that is no asset, yet or any more.
#[derive(Clone, Copy, Debug, Default)]
struct Upload {
    /// 0 where it was given up.
    begun_at: u64,
    parts: u64,
    bytes: u64,
}

/// A board, and an asset of it.
type Key = (BoardId, AssetHash);

/// The uploads and assets that the changes of a commit are about, and how they change.
#[derive(Debug, Default)]
pub(super) struct Assets {
    /// `None` for one that there is no more.
    uploads: BTreeMap<UploadId, Option<Upload>>,
    /// Those of which there are parts.
    begun: BTreeSet<UploadId>,
    known: BTreeMap<Key, StoredAsset>,
    /// How many each board has, and their bytes.
    sums: BTreeMap<BoardId, (u64, u64)>,
    changed_uploads: BTreeSet<UploadId>,
    parts: Vec<(UploadId, u32, Bytes)>,
    changed: BTreeSet<Key>,
    removed: BTreeSet<Key>,
}

/// What has to be read for some changes.
#[derive(Default)]
pub(super) struct Needs<'a> {
    pub(super) uploads: Vec<&'a [u8]>,
    pub(super) boards: Vec<&'a str>,
    pub(super) hashes: Vec<&'a [u8]>,
}

impl<'a> Needs<'a> {
    pub(super) fn of(changes: &'a [Change]) -> Self {
        let mut needs = Self::default();
        for change in changes {
            match change {
                Change::Asset(change) => needs.add(change),
                Change::Import(whole) => {
                    if let Some(living) = whole.life.living() {
                        let uploads = living.assets.iter().map(|asset| asset.upload.0.as_slice());
                        needs.uploads.extend(uploads);
                    }
                }
                _ => {}
            }
        }
        needs
    }

    fn add(&mut self, change: &'a AssetChange) {
        if let Some(board) = change.board() {
            self.boards.push(board.as_str());
        }
        match change {
            AssetChange::Part { upload, .. } | AssetChange::Drop(upload) => self.uploads.push(&upload.0),
            AssetChange::Finish { asset, .. } => {
                self.uploads.push(&asset.upload.0);
                self.hashes.push(&asset.hash.0);
            }
            AssetChange::Name { hashes, .. } | AssetChange::Remove { hashes, .. } => {
                self.hashes.extend(hashes.iter().map(|hash| hash.0.as_slice()));
            }
        }
    }
}

fn upload_id(row: &Row, name: &str) -> Result<UploadId, Damage> {
    let id = <[u8; 16]>::try_from(rows::column::<&[u8]>(row, name)?);
    id.map(UploadId).map_err(|_| Damage::Malformed)
}

fn asset(row: &Row) -> Result<StoredAsset, Damage> {
    let hash = <[u8; 32]>::try_from(rows::column::<&[u8]>(row, "hash")?).map_err(|_| Damage::Malformed)?;
    let side = |name| {
        let side = rows::maybe_unsigned(row, name)?;
        side.map(u32::try_from).transpose().map_err(|_| Damage::Malformed)
    };
    Ok(StoredAsset {
        hash: AssetHash(hash),
        upload: upload_id(row, "upload")?,
        kind: rows::parsed(row, "kind", AssetKind::parse)?,
        bytes: rows::unsigned(row, "bytes")?,
        size: side("width")?.zip(side("height")?),
        created_by: rows::parsed(row, "created_by", Subject::parse)?,
        created_at: UnixMillis(rows::unsigned(row, "created_at")?),
        named_at: UnixMillis(rows::unsigned(row, "named_at")?),
    })
}

impl Assets {
    /// What was read of them. What cannot be read is not there for a change, and is found where it is asked
    /// for.
    pub(super) fn read(
        (locked, begun): (&[Row], &[Row]),
        (found, counted): (&[Row], &[Row]),
    ) -> Result<Self, StoreError> {
        let mut assets = Self::default();
        let mut read = || {
            for row in locked {
                let upload = Upload {
                    begun_at: rows::unsigned(row, "begun_at")?,
                    parts: rows::unsigned(row, "parts")?,
                    bytes: rows::unsigned(row, "bytes")?,
                };
                assets.uploads.insert(upload_id(row, "id")?, Some(upload));
            }
            for row in begun {
                assets.begun.insert(upload_id(row, "upload")?);
            }
            for row in counted {
                let sums = (rows::unsigned(row, "assets")?, rows::unsigned(row, "bytes")?);
                assets.sums.insert(rows::board_id(row, "board")?, sums);
            }
            Ok(())
        };
        read().map_err(StoreError::Unreadable)?;
        let decoded = found.iter().filter_map(|row| {
            let (board, asset) = (rows::board_id(row, "board").ok()?, asset(row).ok()?);
            Some(((board, asset.hash), asset))
        });
        assets.known.extend(decoded);
        Ok(assets)
    }

    fn upload(&self, upload: UploadId) -> Option<Upload> {
        self.uploads.get(&upload).copied().flatten()
    }

    fn set_upload(&mut self, upload: UploadId, to: Option<Upload>) {
        self.uploads.insert(upload, to);
        self.changed_uploads.insert(upload);
    }

    /// Does one change, of a board that is there if it is of one.
    pub(super) fn apply(&mut self, change: &AssetChange) -> Result<(), Applied> {
        match change {
            AssetChange::Part {
                upload,
                part,
                bytes,
                at,
            } => self.add_part(*upload, *part, bytes, *at),
            AssetChange::Drop(upload) => {
                let found = self.upload(*upload).filter(|found| found.begun_at > 0);
                let found = found.ok_or(Applied::NotThere)?;
                self.set_upload(*upload, Some(Upload { begun_at: 0, ..found }));
                Ok(())
            }
            AssetChange::Finish {
                board,
                asset,
                bytes_max,
            } => self.finish(board, asset, *bytes_max),
            AssetChange::Name { board, hashes, at } => {
                let mut applied = Err(Applied::NotThere);
                for hash in hashes {
                    let key = (board.clone(), *hash);
                    if let Some(asset) = self.known.get_mut(&key) {
                        asset.named_at = asset.named_at.max(*at);
                        self.changed.insert(key);
                        applied = Ok(());
                    }
                }
                applied
            }
            AssetChange::Remove {
                board,
                hashes,
                before,
            } => {
                let mut applied = Err(Applied::NotThere);
                for hash in hashes {
                    let key = (board.clone(), *hash);
                    if self.known.get(&key).is_some_and(|asset| asset.named_at < *before) {
                        self.let_go(&key);
                        applied = Ok(());
                    }
                }
                applied
            }
        }
    }

    fn add_part(
        &mut self,
        upload: UploadId,
        part: u32,
        bytes: &Bytes,
        at: UnixMillis,
    ) -> Result<(), Applied> {
        let number = u64::from(part);
        let before = match self.upload(upload) {
            Some(found) if found.begun_at == 0 => return Err(Applied::NotThere),
            Some(found) if number < found.parts => return Err(Applied::Exists),
            Some(found) if number == found.parts => found,
            Some(_) => return Err(Applied::OutOfOrder),
            None if part == 0 && !self.begun.contains(&upload) => Upload {
                begun_at: at.0.max(1),
                ..Upload::default()
            },
            None => return Err(Applied::NotThere),
        };
        let after = Upload {
            parts: before.parts.saturating_add(1),
            bytes: before.bytes.saturating_add(rows::length(bytes)),
            ..before
        };
        self.set_upload(upload, Some(after));
        self.begun.insert(upload);
        self.parts.push((upload, part, bytes.clone()));
        Ok(())
    }

    fn finish(&mut self, board: &BoardId, asset: &StoredAsset, bytes_max: u64) -> Result<(), Applied> {
        if self.known.contains_key(&(board.clone(), asset.hash)) {
            return Err(Applied::Exists);
        }
        if !self.is_whole(asset) {
            return Err(Applied::NotThere);
        }
        let (assets, bytes) = self.sums.get(board).copied().unwrap_or_default();
        if assets >= u64::try_from(limits::ASSETS_PER_BOARD_MAX).unwrap_or(u64::MAX) {
            return Err(Applied::TooMany);
        }
        if bytes.saturating_add(asset.bytes) > bytes_max {
            return Err(Applied::AssetsFull);
        }
        self.put(board, asset);
        Ok(())
    }

    /// Whether the parts of an asset are there, and no asset's yet.
    pub(super) fn is_whole(&self, asset: &StoredAsset) -> bool {
        let found = self.upload(asset.upload);
        found.is_some_and(|found| {
            found.begun_at > 0 && found.bytes == asset.bytes && found.parts == u64::from(asset.parts())
        })
    }

    /// Makes an upload that is whole an asset.
    pub(super) fn put(&mut self, board: &BoardId, asset: &StoredAsset) {
        self.set_upload(asset.upload, None);
        let key = (board.clone(), asset.hash);
        let (assets, bytes) = self.sums.entry(board.clone()).or_default();
        *assets = assets.saturating_add(1);
        *bytes = bytes.saturating_add(asset.bytes);
        self.known.insert(key.clone(), asset.clone());
        self.changed.insert(key);
    }

    /// Lets the parts of an asset be removed, and the asset.
    fn let_go(&mut self, key: &Key) {
        let Some(asset) = self.known.remove(key) else {
            return;
        };
        self.set_upload(
            asset.upload,
            Some(Upload {
                begun_at: 0,
                parts: u64::from(asset.parts()),
                bytes: asset.bytes,
            }),
        );
        let (assets, bytes) = self.sums.entry(key.0.clone()).or_default();
        *assets = assets.saturating_sub(1);
        *bytes = bytes.saturating_sub(asset.bytes);
        self.changed.remove(key);
        self.removed.insert(key.clone());
    }

    /// Forgets all of a board, whose rows go with it.
    pub(super) fn clear(&mut self, board: &BoardId) {
        let of_board = self.known.keys().filter(|(of, _)| of == board).cloned();
        for key in of_board.collect::<Vec<_>>() {
            self.let_go(&key);
        }
        self.sums.remove(board);
    }

    /// The statements that write all that.
    pub(super) fn statements<'s>(&'s self, out: &mut Vec<Statement<'s>>) {
        let (gone, kept): (Vec<_>, Vec<_>) = (self.changed_uploads.iter())
            .map(|id| (id, self.upload(*id)))
            .partition(|(_, upload)| upload.is_none());
        if !self.removed.is_empty() {
            let boards = self.removed.iter().map(|(board, _)| board.as_str()).collect();
            let hashes = self.removed.iter().map(|(_, hash)| hash.0.as_slice()).collect();
            out.push(sql(REMOVE_ASSETS).texts(boards).blobs(hashes));
        }
        if !gone.is_empty() {
            out.push(sql(REMOVE_UPLOADS).blobs(gone.iter().map(|(id, _)| id.0.as_slice()).collect()));
        }
        if !kept.is_empty() {
            let number = |of: fn(Upload) -> u64| {
                let numbers = kept.iter().map(|(_, upload)| signed(upload.map_or(0, of)));
                numbers.collect::<Vec<_>>()
            };
            out.push(
                sql(WRITE_UPLOADS)
                    .blobs(kept.iter().map(|(id, _)| id.0.as_slice()).collect())
                    .numbers(number(|upload| upload.begun_at))
                    .numbers(number(|upload| upload.parts))
                    .numbers(number(|upload| upload.bytes)),
            );
        }
        if !self.parts.is_empty() {
            out.push(
                sql(WRITE_PARTS)
                    .blobs(
                        self.parts
                            .iter()
                            .map(|(upload, ..)| upload.0.as_slice())
                            .collect(),
                    )
                    .numbers(self.parts.iter().map(|(_, part, _)| i64::from(*part)).collect())
                    .blobs(self.parts.iter().map(|(.., bytes)| &**bytes).collect()),
            );
        }
        self.write_assets(out);
    }

    fn write_assets<'s>(&'s self, out: &mut Vec<Statement<'s>>) {
        let changed: Vec<_> = (self.changed.iter())
            .filter_map(|key| self.known.get_key_value(key))
            .collect();
        if changed.is_empty() {
            return;
        }
        let texts = |of: fn(&StoredAsset) -> &str| changed.iter().map(|(_, asset)| of(asset)).collect();
        let blobs = |of: fn(&StoredAsset) -> &[u8]| changed.iter().map(|(_, asset)| of(asset)).collect();
        let numbers = |of: fn(&StoredAsset) -> u64| {
            let numbers = changed.iter().map(|(_, asset)| signed(of(asset)));
            numbers.collect::<Vec<_>>()
        };
        let sides = |of: fn((u32, u32)) -> u32| {
            let sides = changed
                .iter()
                .map(|(_, asset)| asset.size.map(|size| i64::from(of(size))));
            sides.collect::<Vec<_>>()
        };
        out.push(
            sql(WRITE_ASSETS)
                .texts(changed.iter().map(|((board, _), _)| board.as_str()).collect())
                .blobs(blobs(|asset| &asset.hash.0))
                .blobs(blobs(|asset| &asset.upload.0))
                .texts(texts(|asset| asset.kind.media_type()))
                .numbers(numbers(|asset| asset.bytes))
                .some_numbers(sides(|(width, _)| width))
                .some_numbers(sides(|(_, height)| height))
                .texts(texts(|asset| asset.created_by.as_str()))
                .numbers(numbers(|asset| asset.created_at.0))
                .numbers(numbers(|asset| asset.named_at.0)),
        );
    }
}

fn asked(links: &Links, statement: Statement<'_>) -> Result<Vec<StoredAsset>, StoreError> {
    let answers = links.read(vec![statement])?;
    let found = answers.first().map_or(&[][..], Vec::as_slice);
    let found = found.iter().map(asset).collect::<Result<_, Damage>>();
    found.map_err(StoreError::Unreadable)
}

/// See `Registry::asset`.
pub(super) fn one(
    links: &Links,
    board: &BoardId,
    hash: &AssetHash,
) -> Result<Option<StoredAsset>, StoreError> {
    let statement = format!("SELECT {COLUMNS} FROM assets WHERE board = $1 AND hash = ANY($2)");
    let statement = sql(&statement).text(board.as_str()).blobs(vec![&hash.0]);
    Ok(asked(links, statement)?.into_iter().next())
}

/// See `Registry::assets`.
pub(super) fn some(
    links: &Links,
    board: &BoardId,
    after: Option<&AssetHash>,
    limit: usize,
) -> Result<Vec<StoredAsset>, StoreError> {
    // Nothing comes before the empty one.
    let statement =
        format!("SELECT {COLUMNS} FROM assets WHERE board = $1 AND hash > ALL($2) ORDER BY hash LIMIT $3");
    let after = after.map_or(&[][..], |after| &after.0);
    let statement = sql(&statement)
        .text(board.as_str())
        .blobs(vec![after])
        .number(i64::try_from(limit).unwrap_or(i64::MAX));
    asked(links, statement)
}

/// See `Registry::asset_part`.
pub(super) fn part(links: &Links, upload: UploadId, part: u32) -> Result<Option<Bytes>, StoreError> {
    let statement = sql("SELECT bytes FROM asset_parts WHERE upload = ANY($1) AND part = $2");
    let answers = links.read(vec![statement.blobs(vec![&upload.0]).number(i64::from(part))])?;
    let found = answers.first().and_then(|rows| rows.first());
    let bytes = found.map(|row| rows::column::<&[u8]>(row, "bytes").map(Bytes::copy_from_slice));
    bytes.transpose().map_err(StoreError::Unreadable)
}
