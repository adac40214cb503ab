//! Copying the parts of a board's assets, which go before the board: so that it is there with them or not at
//! all.
//!
//! Must not know how they are stored. Key invariants: no more of an asset than some parts is in memory; what
//! was brought counts only once it was read back, and has the hash that it is called by. Tests: `tests.rs`.

use sha2::{Digest as _, Sha256};

use super::{Parts, Side, Stopped, Trouble};
use crate::asset::AssetHash;
use crate::limits;
use crate::store::{AssetChange, Change, Damage, Store, StoreError, StoredAsset, Whole};
use crate::time::UnixMillis;

/// Parts that go in one commit, inclusive: some 8 MB.
const PARTS_AT_ONCE: usize = limits::UPLOAD_PARTS_PRUNED_AT_ONCE;

/// When the uploads begin, as far as the target knows: no server that runs on it takes them for forgotten
/// ones.
const NEVER_OLD: UnixMillis = UnixMillis(i64::MAX.unsigned_abs());

/// The assets of a board.
pub(super) fn of(whole: &Whole) -> &[StoredAsset] {
    whole.life.living().map_or(&[], |living| &living.assets)
}

/// A part of an asset in one of the stores.
pub(super) fn part(
    (store, side): (&dyn Store, Side),
    asset: &StoredAsset,
    part: u32,
) -> Result<Result<bytes::Bytes, Trouble>, Stopped> {
    match store.asset_part(asset.upload, part) {
        Ok(Some(bytes)) => Ok(Ok(bytes)),
        Err(error) if error.is_outage() => Err(side.stopped(error)),
        Err(error) => Ok(Err(Trouble::Unreadable(side, error))),
        Ok(None) => {
            let error = StoreError::Unreadable(Damage::RecordMissing);
            Ok(Err(Trouble::Unreadable(side, error)))
        }
    }
}

/// Brings the parts of a board's assets to the target; those that are there from an attempt before stay.
pub(super) fn bring(parts: Parts<'_>, to: &dyn Store, whole: &Whole) -> Result<Result<(), Trouble>, Stopped> {
    let mut changes = Vec::new();
    for asset in of(whole) {
        for number in 0..asset.parts() {
            let bytes = match parts(asset, number)? {
                Ok(bytes) => bytes,
                Err(trouble) => return Ok(Err(trouble)),
            };
            changes.push(Change::Asset(AssetChange::Part {
                upload: asset.upload,
                part: number,
                bytes,
                at: NEVER_OLD,
            }));
            if changes.len() >= PARTS_AT_ONCE {
                write(to, &std::mem::take(&mut changes))?;
            }
        }
    }
    write(to, &changes)?;
    Ok(Ok(()))
}

/// What is there already has the bytes of this very upload. What is refused is found when the board is.
fn write(to: &dyn Store, changes: &[Change]) -> Result<(), Stopped> {
    match changes.is_empty() {
        true => Ok(()),
        false => to
            .commit(changes)
            .map(drop)
            .map_err(|error| Side::Target.stopped(error)),
    }
}

/// Whether the target has each asset of a board as it should be.
pub(super) fn are_there(to: &dyn Store, whole: &Whole) -> Result<Result<(), Trouble>, Stopped> {
    for asset in of(whole) {
        let mut hash = Sha256::new();
        for number in 0..asset.parts() {
            match part((to, Side::Target), asset, number)? {
                Ok(bytes) => hash.update(&bytes),
                Err(trouble) => return Ok(Err(trouble)),
            }
        }
        if AssetHash(hash.finalize().into()) != asset.hash {
            return Ok(Err(Trouble::NotAsWritten));
        }
    }
    Ok(Ok(()))
}

/// Gives up what was brought for a board that the target did not take.
pub(super) fn give_up(to: &dyn Store, whole: &Whole) -> Result<(), Stopped> {
    let drops = of(whole)
        .iter()
        .map(|asset| Change::Asset(AssetChange::Drop(asset.upload)));
    let drops: Vec<Change> = drops.collect();
    write(to, &drops)
}
