//! The rows of assets, of their sums, and of uploads.
//!
//! Owns their keys and values. Must not know the engine. Key invariant: no key of an asset is that of sums.
//! Tests are below.

use super::super::{Damage, StoredAsset, UploadId};
use super::{Fields, Tag, blob_key, board_key, push_text, seal, split_board_key, unseal};
use crate::asset::{AssetHash, AssetKind};
use crate::ids::{BoardId, Subject};
use crate::time::UnixMillis;

/// How many assets there are, and their bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sums {
    /// Assets.
    pub(crate) assets: u64,
    /// Their bytes.
    pub(crate) bytes: u64,
}

/// An upload that is no asset, yet or any more.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Upload {
    /// When it began; 0 where it was given up, and only its parts are still to be removed.
    pub(crate) begun_at: UnixMillis,
    /// How many parts it has.
    pub(crate) parts: u32,
    /// Bytes of these.
    pub(crate) bytes: u64,
}

/// The key of the sums of all boards, in the table of assets.
pub(crate) const ALL_SUMS: &[u8] = &[];

/// The key of an asset.
pub(crate) fn asset_key(board: &BoardId, hash: &AssetHash) -> Vec<u8> {
    board_key(board, &hash.0)
}

/// The key of the sums of a board.
pub(crate) fn sums_key(board: &BoardId) -> Vec<u8> {
    board_key(board, &[])
}

/// The keys of the rows of a part lie between these; the upper one is exclusive.
pub(crate) fn part_bounds(upload: UploadId, part: u32) -> (Vec<u8>, Vec<u8>) {
    let part = u64::from(part);
    (
        blob_key(&upload.0, part, 0),
        blob_key(&upload.0, part.saturating_add(1), 0),
    )
}

/// The key of a part that is one piece.
pub(crate) fn part_key(upload: UploadId, part: u32) -> Vec<u8> {
    part_bounds(upload, part).0
}

/// Reads it.
pub(crate) fn parse_part_key(key: &[u8]) -> Result<(UploadId, u32), Damage> {
    let (upload, rest) = key.split_first_chunk().ok_or(Damage::Malformed)?;
    let (part, piece) = rest.split_first_chunk().ok_or(Damage::Malformed)?;
    let part = u32::try_from(u64::from_be_bytes(*part)).map_err(|_| Damage::Malformed)?;
    match piece {
        [0, 0, 0, 0] => Ok((UploadId(*upload), part)),
        _ => Err(Damage::Malformed),
    }
}

/// The value of an asset; its board and its hash are in the key.
pub(crate) fn encode_asset(key: &[u8], asset: &StoredAsset) -> Vec<u8> {
    let mut body = Vec::with_capacity(128);
    let (width, height) = asset.size.unwrap_or_default();
    body.extend_from_slice(&asset.upload.0);
    body.extend_from_slice(&asset.bytes.to_le_bytes());
    body.extend_from_slice(&width.to_le_bytes());
    body.extend_from_slice(&height.to_le_bytes());
    body.extend_from_slice(&asset.created_at.0.to_le_bytes());
    body.extend_from_slice(&asset.named_at.0.to_le_bytes());
    push_text(&mut body, Some(asset.created_by.as_str()));
    push_text(&mut body, Some(asset.kind.media_type()));
    seal(Tag::Asset, key, &[&body])
}

/// The board and the hash of an asset's key; `None` for that of a board's sums.
pub(crate) fn parse_asset_key(key: &[u8]) -> Result<(BoardId, Option<AssetHash>), Damage> {
    let (board, hash) = split_board_key(key)?;
    match (hash, <[u8; 32]>::try_from(hash)) {
        ([], _) => Ok((board, None)),
        (_, Ok(hash)) => Ok((board, Some(AssetHash(hash)))),
        _ => Err(Damage::Malformed),
    }
}

/// Reads an asset.
pub(crate) fn decode_asset(key: &[u8], value: &[u8]) -> Result<StoredAsset, Damage> {
    let mut fields = Fields(unseal(Tag::Asset, key, value)?);
    let (_, hash) = parse_asset_key(key)?;
    let upload = UploadId(fields.array()?);
    let bytes = fields.u64()?;
    let (width, height) = (fields.u32()?, fields.u32()?);
    let asset = StoredAsset {
        hash: hash.ok_or(Damage::Malformed)?,
        upload,
        bytes,
        size: (width > 0 && height > 0).then_some((width, height)),
        created_at: UnixMillis(fields.u64()?),
        named_at: UnixMillis(fields.u64()?),
        created_by: fields.parsed(Subject::parse)?,
        kind: fields.parsed(AssetKind::parse)?,
    };
    fields.end()?;
    Ok(asset)
}

/// The value of sums.
pub(crate) fn encode_sums(key: &[u8], sums: Sums) -> Vec<u8> {
    seal(
        Tag::Asset,
        key,
        &[&sums.assets.to_le_bytes(), &sums.bytes.to_le_bytes()],
    )
}

/// Reads sums.
pub(crate) fn decode_sums(key: &[u8], value: &[u8]) -> Result<Sums, Damage> {
    let mut fields = Fields(unseal(Tag::Asset, key, value)?);
    let (assets, bytes) = (fields.u64()?, fields.u64()?);
    fields.end()?;
    Ok(Sums { assets, bytes })
}

/// The value of an upload; its id is the key.
pub(crate) fn encode_upload(key: &[u8], upload: Upload) -> Vec<u8> {
    let (begun, bytes) = (upload.begun_at.0.to_le_bytes(), upload.bytes.to_le_bytes());
    seal(Tag::Upload, key, &[&begun, &upload.parts.to_le_bytes(), &bytes])
}

/// Reads an upload.
pub(crate) fn decode_upload(key: &[u8], value: &[u8]) -> Result<Upload, Damage> {
    let mut fields = Fields(unseal(Tag::Upload, key, value)?);
    let begun_at = UnixMillis(fields.u64()?);
    let (parts, bytes) = (fields.u32()?, fields.u64()?);
    fields.end()?;
    Ok(Upload {
        begun_at,
        parts,
        bytes,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn assets_sums_and_uploads_come_back_whole_and_no_damaged_one_does() {
        let board = BoardId::parse("a").unwrap();
        for size in [None, Some((640, 480))] {
            let asset = StoredAsset {
                hash: AssetHash([9; 32]),
                upload: UploadId([7; 16]),
                kind: AssetKind::Webp,
                bytes: 1_000,
                size,
                created_by: Subject::parse("user:alice").unwrap(),
                created_at: UnixMillis(5),
                named_at: UnixMillis(6),
            };
            let key = asset_key(&board, &asset.hash);
            let value = encode_asset(&key, &asset);
            assert_eq!(decode_asset(&key, &value), Ok(asset));
            assert_eq!(
                parse_asset_key(&key),
                Ok((board.clone(), Some(AssetHash([9; 32]))))
            );
            for at in 0..value.len() {
                let mut rotten = value.clone();
                rotten[at] ^= 1;
                assert!(decode_asset(&key, &rotten).is_err(), "{at}");
            }
        }
        let key = sums_key(&board);
        let sums = Sums { assets: 1, bytes: 2 };
        assert_eq!(decode_sums(&key, &encode_sums(&key, sums)), Ok(sums));
        assert_eq!(parse_asset_key(&key), Ok((board, None)));
        assert!(decode_sums(ALL_SUMS, &encode_sums(&key, sums)).is_err());
        assert_eq!(parse_asset_key(b"a\0short"), Err(Damage::Malformed));
        let upload = Upload {
            begun_at: UnixMillis(1),
            parts: 2,
            bytes: 3,
        };
        assert_eq!(
            decode_upload(&[7; 16], &encode_upload(&[7; 16], upload)),
            Ok(upload)
        );
        assert!(decode_upload(&[8; 16], &encode_upload(&[7; 16], upload)).is_err());
    }

    #[test]
    fn the_rows_of_a_part_lie_between_its_bounds_and_those_of_no_other_do() {
        let (upload, other) = (UploadId([7; 16]), UploadId([8; 16]));
        let (start, end) = part_bounds(upload, 1);
        for (upload, part, piece, within) in [
            (upload, 0, u32::MAX, false),
            (upload, 1, 0, true),
            (upload, 1, u32::MAX, true),
            (upload, 2, 0, false),
            (other, 1, 0, false),
        ] {
            let key = blob_key(&upload.0, part, piece);
            assert_eq!(start <= key && key < end, within, "{part} {piece}");
        }
    }
}
