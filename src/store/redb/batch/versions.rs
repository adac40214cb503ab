//! Versions in one commit.
//!
//! Owns their bound, and which chunks go with a version. Must not decide whether the board is there or who
//! asks; `batch` did. Key invariants: what is refused changes no row; a chunk stays as long as a version of
//! its board has it, and no longer. A version whose row cannot be read keeps nothing.

use std::collections::{BTreeMap, BTreeSet};

use ::redb::{ReadableTable, WriteTransaction};
use bytes::Bytes;

use super::super::super::rows::versions::{
    chunk_row_key, decode_version, encode_chunk, encode_version, version_key,
};
use super::super::super::{
    Applied, ChunkHash, Living, NewVersion, StoreError, StoredVersion, VersionId, bytes_of,
};
use super::super::table::{Rows, Touched};
use super::super::{VERSION_CHUNKS, VERSIONS, engine, rows_of};
use super::clear;
use crate::ids::BoardId;
use crate::limits;

/// The tables of versions, and how what they take changes.
pub(super) struct Versions<'t> {
    versions: Rows<'t>,
    chunks: Rows<'t>,
    pub(super) bytes: i64,
}

impl<'t> Versions<'t> {
    pub(super) fn open(transaction: &'t WriteTransaction, touched: &'t Touched) -> Result<Self, StoreError> {
        Ok(Self {
            versions: Rows::open(transaction, VERSIONS, touched)?,
            chunks: Rows::open(transaction, VERSION_CHUNKS, touched)?,
            bytes: 0,
        })
    }

    /// Those of a board that can be read.
    fn all(&self, board: &BoardId) -> Result<Vec<StoredVersion>, StoreError> {
        let (start, end) = rows_of(board);
        let mut all = Vec::new();
        let range = self.versions.range::<&[u8]>(start.as_slice()..end.as_slice());
        for row in range.map_err(engine)? {
            let (key, value) = row.map_err(engine)?;
            all.extend(decode_version(key.value(), value.value()));
        }
        Ok(all)
    }

    fn count(&mut self, before: &[StoredVersion], after: &[StoredVersion]) {
        let [before, after] =
            [before, after].map(|versions| i64::try_from(bytes_of(versions)).unwrap_or(i64::MAX));
        self.bytes = self.bytes.saturating_add(after.saturating_sub(before));
    }

    /// Adds a version.
    pub(super) fn add(&mut self, new: &NewVersion) -> Result<Applied, StoreError> {
        let (board, version) = (&new.board, &new.version);
        let key = version_key(board, version.id);
        if self.versions.get(key.as_slice()).map_err(engine)?.is_some() {
            return Ok(Applied::Exists);
        }
        let before = self.all(board)?;
        let (gone, mut after): (Vec<_>, Vec<_>) = before
            .iter()
            .cloned()
            .partition(|version| new.forgotten.contains(&version.id));
        if after.len() >= limits::VERSIONS_PER_BOARD_MAX {
            return Ok(Applied::TooMany);
        }
        after.push(version.clone());
        self.forget(board, &gone, &after)?;
        self.put(board, version)?;
        for (piece, chunk) in version.pieces.iter().zip(&new.chunks) {
            self.put_chunk(board, &piece.hash, chunk)?;
        }
        self.count(&before, &after);
        Ok(Applied::Done)
    }

    /// Removes a version.
    pub(super) fn remove(&mut self, board: &BoardId, id: VersionId) -> Result<Applied, StoreError> {
        let before = self.all(board)?;
        let (gone, after): (Vec<_>, Vec<_>) = before.iter().cloned().partition(|version| version.id == id);
        if gone.is_empty() {
            return Ok(Applied::NotThere);
        }
        self.forget(board, &gone, &after)?;
        self.count(&before, &after);
        Ok(Applied::Done)
    }

    /// Removes versions, and the chunks that no other one has.
    fn forget(
        &mut self,
        board: &BoardId,
        gone: &[StoredVersion],
        left: &[StoredVersion],
    ) -> Result<(), StoreError> {
        if gone.is_empty() {
            return Ok(());
        }
        let hashes = |versions: &[StoredVersion]| -> BTreeSet<ChunkHash> {
            let pieces = versions.iter().flat_map(|version| &version.pieces);
            pieces.map(|piece| piece.hash).collect()
        };
        let needed = hashes(left);
        for version in gone {
            self.versions.remove(&version_key(board, version.id))?;
        }
        for hash in hashes(gone).difference(&needed) {
            self.chunks.remove(&chunk_row_key(board, hash))?;
        }
        Ok(())
    }

    fn put(&mut self, board: &BoardId, version: &StoredVersion) -> Result<(), StoreError> {
        let key = version_key(board, version.id);
        self.versions.insert(&key, &encode_version(&key, version))?;
        Ok(())
    }

    /// Writes a chunk, unless it is there.
    fn put_chunk(&mut self, board: &BoardId, hash: &ChunkHash, bytes: &Bytes) -> Result<(), StoreError> {
        let key = chunk_row_key(board, hash);
        if self.chunks.get(key.as_slice()).map_err(engine)?.is_none() {
            self.chunks.insert(&key, &encode_chunk(&key, bytes))?;
        }
        Ok(())
    }

    /// Adds all versions of a board that has none here.
    pub(super) fn import(&mut self, board: &BoardId, living: &Living) -> Result<(), StoreError> {
        let chunks: &BTreeMap<ChunkHash, Bytes> = &living.version_chunks;
        for version in &living.versions {
            self.put(board, version)?;
        }
        for (hash, bytes) in chunks {
            self.put_chunk(board, hash, bytes)?;
        }
        self.count(&[], &living.versions);
        Ok(())
    }

    /// Removes all of a board.
    pub(super) fn clear(&mut self, board: &BoardId) -> Result<(), StoreError> {
        let before = self.all(board)?;
        self.count(&before, &[]);
        clear(&mut self.versions, board)?;
        clear(&mut self.chunks, board)
    }
}
