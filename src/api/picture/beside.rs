//! The pictures beside a board, within the picture of it.
//!
//! Owns which are put in. Must not draw. Key invariants: only those of this very board, which whoever asks
//! may view; only pixels, within [`limits::PICTURE_ASSETS_BYTES`]. What is not put in has a placeholder.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use boardwire_picture::Records as Taken;

use crate::asset::{AssetAddress, AssetHash, AssetKind};
use crate::boards::Boards;
use crate::fault::Fault;
use crate::ids::BoardId;
use crate::limits;
use crate::store::{Registry, StoreError, StoredAsset};

/// Puts the pictures into the records that name them.
///
/// # Errors
/// [`Fault::StateUnreadable`].
pub(super) async fn put_in(boards: &Arc<Boards>, board: &BoardId, records: &mut Taken) -> Result<(), Fault> {
    let named: Vec<(String, AssetHash)> = records
        .sources()
        .filter_map(|(key, source)| Some((key.to_owned(), AssetAddress::hash_of(source)?)))
        .collect();
    if named.is_empty() {
        return Ok(());
    }
    let board = board.clone();
    let read = boards.read(move |store| {
        let mut left = limits::PICTURE_ASSETS_BYTES;
        let mut found = Vec::new();
        for (key, hash) in named {
            let Some(asset) = store.asset(&board, &hash)?.filter(|asset| is_shown(asset, left)) else {
                continue;
            };
            if let Some(source) = source(store, &asset)? {
                left = left.saturating_sub(asset.bytes);
                found.push((key, source));
            }
        }
        Ok(found)
    });
    for (key, source) in read.await? {
        records.set_source(&key, source);
    }
    Ok(())
}

fn is_shown(asset: &StoredAsset, left: u64) -> bool {
    let kinds = [AssetKind::Png, AssetKind::Jpeg, AssetKind::Gif, AssetKind::Webp];
    kinds.contains(&asset.kind) && asset.bytes <= left.min(limits::PICTURE_ASSET_BYTES)
}

/// The picture as an address that holds it; `None` where it is being removed.
fn source(store: &dyn Registry, asset: &StoredAsset) -> Result<Option<String>, StoreError> {
    let mut bytes = Vec::new();
    for part in 0..asset.parts() {
        match store.asset_part(asset.upload, part)? {
            Some(part) => bytes.extend_from_slice(&part),
            None => return Ok(None),
        }
    }
    let kind = asset.kind.media_type();
    Ok(Some(format!("data:{kind};base64,{}", STANDARD.encode(bytes))))
}
