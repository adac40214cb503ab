//! What is kept of assets and uploads, and the plainest reading of what is done to them.
//!
//! Owns [`Assets`]. Must not decide whether a board is there; `contents` did. Key invariant: a change that is
//! not done leaves all as it was. Tests: `contract/assets.rs`.

use std::collections::BTreeMap;

use bytes::Bytes;

use super::super::{Applied, AssetChange, StoredAsset, UploadId};
use crate::asset::AssetHash;
use crate::ids::BoardId;
use crate::limits;
use crate::time::UnixMillis;

/// What has become of an upload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// It has begun then.
    UnderWay(UnixMillis),
    /// It is an asset.
    Finished,
    /// It, or the asset, is to be removed.
    GivenUp,
}

/// The parts of an upload.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Upload {
    state: State,
    parts: Vec<Bytes>,
}

impl Upload {
    fn is_under_way(&self) -> bool {
        matches!(self.state, State::UnderWay(_))
    }

    fn bytes(&self) -> u64 {
        let parts = self.parts.iter().map(|part| part.len());
        u64::try_from(parts.sum::<usize>()).unwrap_or(u64::MAX)
    }
}

/// All assets and uploads.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Assets {
    of: BTreeMap<(BoardId, AssetHash), StoredAsset>,
    uploads: BTreeMap<UploadId, Upload>,
}

fn done<T>(found: Option<T>) -> Applied {
    match found {
        Some(_) => Applied::Done,
        None => Applied::NotThere,
    }
}

impl Assets {
    /// Does one change, of a board that is there if it is of one.
    pub(super) fn apply(&mut self, change: &AssetChange) -> Applied {
        match change {
            AssetChange::Part {
                upload,
                part,
                bytes,
                at,
            } => self.add_part(*upload, *part, bytes, *at),
            AssetChange::Drop(upload) => {
                let found = self.uploads.get_mut(upload);
                done(
                    (found.filter(|upload| upload.is_under_way()))
                        .map(|upload| upload.state = State::GivenUp),
                )
            }
            AssetChange::Finish {
                board,
                asset,
                bytes_max,
            } => self.finish(board, asset, *bytes_max),
            AssetChange::Name { board, hashes, at } => {
                let mut named = None;
                for hash in hashes {
                    if let Some(asset) = self.of.get_mut(&(board.clone(), *hash)) {
                        asset.named_at = asset.named_at.max(*at);
                        named = Some(());
                    }
                }
                done(named)
            }
            AssetChange::Remove {
                board,
                hashes,
                before,
            } => {
                let there = self.of.len();
                self.retain(|of, asset| {
                    of != board || !hashes.contains(&asset.hash) || asset.named_at >= *before
                });
                done((self.of.len() < there).then_some(()))
            }
        }
    }

    fn add_part(&mut self, upload: UploadId, part: u32, bytes: &Bytes, at: UnixMillis) -> Applied {
        let part = usize::try_from(part).unwrap_or(usize::MAX);
        if part == 0 && !self.uploads.contains_key(&upload) {
            let begun = Upload {
                state: State::UnderWay(at),
                parts: Vec::new(),
            };
            self.uploads.insert(upload, begun);
        }
        let Some(upload) = self.uploads.get_mut(&upload).filter(|found| found.is_under_way()) else {
            return Applied::NotThere;
        };
        match part {
            there if there < upload.parts.len() => Applied::Exists,
            next if next == upload.parts.len() => {
                upload.parts.push(bytes.clone());
                Applied::Done
            }
            _ => Applied::OutOfOrder,
        }
    }

    fn finish(&mut self, board: &BoardId, asset: &StoredAsset, bytes_max: u64) -> Applied {
        if self.get(board, &asset.hash).is_some() {
            return Applied::Exists;
        }
        if !self.is_whole(asset) {
            return Applied::NotThere;
        }
        let others = self.list(board, None, usize::MAX);
        if others.len() >= limits::ASSETS_PER_BOARD_MAX {
            return Applied::TooMany;
        }
        let bytes: u64 = others.iter().map(|other| other.bytes).sum();
        if bytes.saturating_add(asset.bytes) > bytes_max {
            return Applied::AssetsFull;
        }
        self.put(board, asset);
        Applied::Done
    }

    /// Whether the parts of an asset are there, and no asset's yet.
    pub(super) fn is_whole(&self, asset: &StoredAsset) -> bool {
        let upload = self.uploads.get(&asset.upload);
        upload.is_some_and(|upload| {
            upload.is_under_way()
                && upload.bytes() == asset.bytes
                && u32::try_from(upload.parts.len()) == Ok(asset.parts())
        })
    }

    /// Makes an upload an asset.
    pub(super) fn put(&mut self, board: &BoardId, asset: &StoredAsset) {
        if let Some(upload) = self.uploads.get_mut(&asset.upload) {
            upload.state = State::Finished;
        }
        self.of.insert((board.clone(), asset.hash), asset.clone());
    }

    fn retain(&mut self, stays: impl Fn(&BoardId, &StoredAsset) -> bool) {
        let uploads = &mut self.uploads;
        self.of.retain(|(board, _), asset| {
            let stays = stays(board, asset);
            if !stays && let Some(upload) = uploads.get_mut(&asset.upload) {
                upload.state = State::GivenUp;
            }
            stays
        });
    }

    /// Removes all assets of a board.
    pub(super) fn clear(&mut self, board: &BoardId) {
        self.retain(|of, _| of != board);
    }

    /// Removes uploads that began before `before` or were given up.
    pub(super) fn prune(&mut self, before: UnixMillis) {
        self.uploads.retain(|_, upload| match upload.state {
            State::UnderWay(at) => at >= before,
            State::Finished => true,
            State::GivenUp => false,
        });
    }

    /// See [`super::super::Registry::asset`].
    pub(super) fn get(&self, board: &BoardId, hash: &AssetHash) -> Option<StoredAsset> {
        self.of.get(&(board.clone(), *hash)).cloned()
    }

    /// See [`super::super::Registry::assets`].
    pub(super) fn list(&self, board: &BoardId, after: Option<&AssetHash>, limit: usize) -> Vec<StoredAsset> {
        let of_board = self.of.iter().filter(|((of, _), _)| of == board);
        let later = of_board.filter(|((_, hash), _)| after.is_none_or(|after| after < hash));
        later.take(limit).map(|(_, asset)| asset.clone()).collect()
    }

    /// See [`super::super::Registry::asset_part`].
    pub(super) fn part(&self, upload: UploadId, part: u32) -> Option<Bytes> {
        let upload = self.uploads.get(&upload)?;
        upload.parts.get(usize::try_from(part).ok()?).cloned()
    }

    /// Bytes of all assets.
    pub(super) fn bytes(&self) -> u64 {
        self.of.values().map(|asset| asset.bytes).sum()
    }
}
