//! The rows of versions, and of the chunks that they share.
//!
//! Owns their keys and values. Must not know the engine. Key invariant: a chunk's row is under the hash of
//! its bytes, so that bytes which are not those of the hash are damage. Tests are below.

use bytes::Bytes;

use super::super::{ChunkHash, Damage, Piece, StoredVersion, VersionId, VersionKind};
use super::{Fields, Tag, board_key, push_text, seal, split_board_key, unseal};
use crate::ids::{BoardId, Subject};
use crate::time::UnixMillis;

/// The key of a version; those of a board are in the order of their ids.
pub(crate) fn version_key(board: &BoardId, id: VersionId) -> Vec<u8> {
    board_key(board, &id.0.to_be_bytes())
}

/// The key of a chunk.
pub(crate) fn chunk_row_key(board: &BoardId, hash: &ChunkHash) -> Vec<u8> {
    board_key(board, &hash.0)
}

fn kind_byte(kind: VersionKind) -> u8 {
    match kind {
        VersionKind::Named => 1,
        VersionKind::Automatic => 2,
        VersionKind::BeforeDeletion => 3,
        VersionKind::BeforeRestore => 4,
    }
}

/// The value of a version; its board and id are in the key.
pub(crate) fn encode_version(key: &[u8], version: &StoredVersion) -> Vec<u8> {
    let mut body = vec![kind_byte(version.kind)];
    body.extend_from_slice(&version.at.0.to_le_bytes());
    push_text(&mut body, version.by.as_ref().map(Subject::as_str));
    push_text(&mut body, version.name.as_deref());
    body.extend_from_slice(&encode_pieces(&version.pieces));
    seal(Tag::Version, key, &[&body])
}

/// Reads a version.
pub(crate) fn decode_version(key: &[u8], value: &[u8]) -> Result<StoredVersion, Damage> {
    let (_, id) = split_board_key(key)?;
    let id = <[u8; 8]>::try_from(id).map_err(|_| Damage::Malformed)?;
    let mut fields = Fields(unseal(Tag::Version, key, value)?);
    let [kind] = fields.array()?;
    let kind = VersionKind::ALL
        .into_iter()
        .find(|known| kind_byte(*known) == kind);
    Ok(StoredVersion {
        id: VersionId(u64::from_be_bytes(id)),
        kind: kind.ok_or(Damage::Malformed)?,
        at: UnixMillis(fields.u64()?),
        by: match fields.text()? {
            Some(text) => Some(Subject::parse(text).ok_or(Damage::Malformed)?),
            None => None,
        },
        name: fields.text()?.map(str::to_owned),
        pieces: decode_pieces(fields.0)?,
    })
}

/// A list of chunks: of each its hash and its length.
pub(crate) fn encode_pieces(pieces: &[Piece]) -> Vec<u8> {
    let mut out = Vec::with_capacity(pieces.len().saturating_mul(super::super::PIECE_BYTES));
    for piece in pieces {
        out.extend_from_slice(&piece.hash.0);
        out.extend_from_slice(&piece.bytes.to_le_bytes());
    }
    out
}

/// Reads a list of chunks.
pub(crate) fn decode_pieces(bytes: &[u8]) -> Result<Vec<Piece>, Damage> {
    let mut fields = Fields(bytes);
    let mut pieces = Vec::new();
    while fields.end().is_err() {
        pieces.push(Piece {
            hash: ChunkHash(fields.array()?),
            bytes: fields.u32()?,
        });
    }
    Ok(pieces)
}

/// The value of a chunk; its board and hash are in the key.
pub(crate) fn encode_chunk(key: &[u8], bytes: &[u8]) -> Vec<u8> {
    seal(Tag::VersionChunk, key, &[bytes])
}

/// Reads a chunk, and which it is.
pub(crate) fn decode_chunk(key: &[u8], value: &[u8]) -> Result<(ChunkHash, Bytes), Damage> {
    let (_, hash) = split_board_key(key)?;
    let hash = ChunkHash(<[u8; 32]>::try_from(hash).map_err(|_| Damage::Malformed)?);
    let bytes = unseal(Tag::VersionChunk, key, value)?;
    if ChunkHash::of(bytes) != hash {
        return Err(Damage::Checksum);
    }
    Ok((hash, Bytes::copy_from_slice(bytes)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_and_chunks_come_back_whole_and_no_damaged_one_does() {
        let board = BoardId::parse("a").unwrap();
        for (kind, name) in VersionKind::ALL
            .into_iter()
            .zip([None, Some(""), Some("One"), None])
        {
            let version = StoredVersion {
                id: VersionId(7),
                kind,
                at: UnixMillis(5),
                name: name.map(str::to_owned),
                by: name.and_then(|_| Subject::parse("user:alice")),
                pieces: (0..3)
                    .map(|n| Piece {
                        hash: ChunkHash([n; 32]),
                        bytes: u32::from(n),
                    })
                    .collect(),
            };
            let key = version_key(&board, version.id);
            let value = encode_version(&key, &version);
            assert_eq!(decode_version(&key, &value), Ok(version));
            for at in 0..value.len() {
                let mut rotten = value.clone();
                rotten[at] ^= 1;
                assert!(decode_version(&key, &rotten).is_err(), "{at}");
                assert!(decode_version(&key, &value[..at]).is_err(), "{at}");
            }
        }
        let bytes = vec![7; 900];
        let hash = ChunkHash::of(&bytes);
        let key = chunk_row_key(&board, &hash);
        let value = encode_chunk(&key, &bytes);
        assert_eq!(decode_chunk(&key, &value), Ok((hash, bytes.into())));
        let other = chunk_row_key(&board, &ChunkHash([1; 32]));
        assert_eq!(
            decode_chunk(&other, &encode_chunk(&other, b"x")),
            Err(Damage::Checksum)
        );
        assert_eq!(decode_chunk(&other, &value), Err(Damage::Checksum));
        assert_eq!(decode_pieces(&[1; 35]), Err(Damage::Malformed));
    }
}
