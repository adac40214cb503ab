//! Versions in one commit, and how they are read.
//!
//! Owns their bound, which chunks go with a version, and the queries over both. Must not decide whether the
//! board is there or who asks; `batch` did. Key invariants: what is to be written is what `known` says in the
//! end; a chunk stays as long as a version of its board has it, and no longer.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;

use super::super::rows::versions::{decode_pieces, encode_pieces};
use super::super::{
    Applied, ChunkHash, Damage, Living, NewVersion, Piece, StoreError, StoredVersion, VersionId, VersionKind,
    joined,
};
use super::link::{Statement, sql};
use super::links::Links;
use super::rows::{self, signed};
use crate::ids::{BoardId, Subject};
use crate::limits;
use crate::time::UnixMillis;

type Row = tokio_postgres::Row;

/// What decides about the versions of boards that get or lose one.
pub(super) const OF_BOARDS: &str = "SELECT board, id, pieces FROM versions WHERE board = ANY($1)";

const REMOVE: &str = "
    DELETE FROM versions USING unnest($1, $2) AS gone (key, whose) WHERE board = gone.key AND id = gone.whose";

const REMOVE_CHUNKS: &str = "
    DELETE FROM version_chunks USING unnest($1, $2) AS gone (key, whose)
    WHERE board = gone.key AND hash = gone.whose";

const WRITE: &str = "
    INSERT INTO versions (board, id, kind, at, name, made_by, pieces) SELECT * FROM unnest($1, $2, $3, $4, $5, $6, $7)";

const WRITE_CHUNKS: &str = "
    INSERT INTO version_chunks (board, hash, bytes) SELECT * FROM unnest($1, $2, $3) ON CONFLICT DO NOTHING";

const LIST: &str = "
    SELECT id, kind, at, name, made_by, pieces FROM versions
    WHERE board = $1 AND id < $2 ORDER BY id DESC LIMIT $3";

const ONE: &str = "
    SELECT id, kind, at, name, made_by, pieces FROM versions WHERE board = $1 AND id = $2";

const CHUNKS: &str = "SELECT hash, bytes FROM version_chunks WHERE board = $1 AND hash = ANY($2)";

const ALL_CHUNKS: &str = "SELECT hash, bytes FROM version_chunks WHERE board = $1";

/// The versions of boards where that is to change; and how it changes.
#[derive(Debug, Default)]
pub(super) struct Versions {
    /// All of boards that get or lose one.
    known: BTreeMap<(BoardId, VersionId), Vec<Piece>>,
    /// The chunks that were stored before this commit.
    stored: BTreeSet<(BoardId, ChunkHash)>,
    /// To be removed, before others are written.
    removed: BTreeSet<(BoardId, VersionId)>,
    /// To be written.
    added: BTreeMap<(BoardId, VersionId), StoredVersion>,
    chunks: BTreeMap<(BoardId, ChunkHash), Bytes>,
}

impl Versions {
    /// What was read; of a version that does not decode nothing is known, and it keeps nothing.
    pub(super) fn read(rows: &[Row]) -> Self {
        let mut versions = Self::default();
        for row in rows {
            let decode = || -> Result<_, Damage> {
                let board = rows::board_id(row, "board")?;
                let id = VersionId(rows::unsigned(row, "id")?);
                Ok(((board, id), decode_pieces(rows::column(row, "pieces")?)?))
            };
            if let Ok(((board, id), pieces)) = decode() {
                let hashes = pieces.iter().map(|piece| (board.clone(), piece.hash));
                versions.stored.extend(hashes);
                versions.known.insert((board, id), pieces);
            }
        }
        versions
    }

    /// Forgets all of a board, whose rows go with it.
    pub(super) fn clear(&mut self, board: &BoardId) {
        self.known.retain(|(of, _), _| of != board);
        self.stored.retain(|(of, _)| of != board);
        self.removed.retain(|(of, _)| of != board);
        self.added.retain(|(of, _), _| of != board);
        self.chunks.retain(|(of, _), _| of != board);
    }

    /// Adds a version.
    pub(super) fn add(&mut self, new: &NewVersion) -> Result<(), Applied> {
        let board = &new.board;
        if self.known.contains_key(&(board.clone(), new.version.id)) {
            return Err(Applied::Exists);
        }
        let stays = |(of, id): &(BoardId, VersionId)| of == board && !new.forgotten.contains(id);
        if self.known.keys().filter(|key| stays(key)).count() >= limits::VERSIONS_PER_BOARD_MAX {
            return Err(Applied::TooMany);
        }
        for id in &new.forgotten {
            // Of those that are not there nothing is said.
            self.remove(board, *id).unwrap_or_default();
        }
        self.put(board, &new.version);
        let hashes = new.version.pieces.iter().map(|piece| (board.clone(), piece.hash));
        self.chunks.extend(hashes.zip(new.chunks.iter().cloned()));
        Ok(())
    }

    fn put(&mut self, board: &BoardId, version: &StoredVersion) {
        let key = (board.clone(), version.id);
        self.known.insert(key.clone(), version.pieces.clone());
        self.added.insert(key, version.clone());
    }

    /// Removes a version.
    pub(super) fn remove(&mut self, board: &BoardId, id: VersionId) -> Result<(), Applied> {
        let key = (board.clone(), id);
        self.known.remove(&key).ok_or(Applied::NotThere)?;
        self.added.remove(&key);
        self.removed.insert(key);
        Ok(())
    }

    /// Adds all versions of a board that has none here.
    pub(super) fn import(&mut self, board: &BoardId, living: &Living) {
        living
            .versions
            .iter()
            .for_each(|version| self.put(board, version));
        let chunks = living.version_chunks.iter();
        let chunks = chunks.map(|(hash, bytes)| ((board.clone(), *hash), bytes.clone()));
        self.chunks.extend(chunks);
    }
}

/// What is to be written of versions.
pub(super) struct Written<'a> {
    versions: &'a Versions,
    /// Chunks that no version has any more.
    gone: Vec<&'a (BoardId, ChunkHash)>,
    chunks: Vec<(&'a (BoardId, ChunkHash), &'a Bytes)>,
    added: Vec<(&'a BoardId, &'a StoredVersion)>,
    names: Vec<Option<String>>,
    pieces: Vec<Vec<u8>>,
}

impl<'a> Written<'a> {
    pub(super) fn of(versions: &'a Versions) -> Self {
        let needed: BTreeSet<(&BoardId, ChunkHash)> = (versions.known.iter())
            .flat_map(|((board, _), pieces)| pieces.iter().map(move |piece| (board, piece.hash)))
            .collect();
        let is_needed = |chunk: &(BoardId, ChunkHash)| needed.contains(&(&chunk.0, chunk.1));
        let gone = versions.stored.iter().filter(|chunk| !is_needed(chunk));
        let chunks = (versions.chunks.iter())
            .filter(|(chunk, _)| is_needed(chunk) && !versions.stored.contains(*chunk));
        let added: Vec<_> = (versions.added.iter())
            .map(|((board, _), version)| (board, version))
            .collect();
        Self {
            versions,
            gone: gone.collect(),
            chunks: chunks.collect(),
            names: (added.iter())
                .map(|(_, version)| version.name.as_deref().map(rows::escaped))
                .collect(),
            pieces: (added.iter())
                .map(|(_, version)| encode_pieces(&version.pieces))
                .collect(),
            added,
        }
    }

    pub(super) fn statements<'s>(&'s self, out: &mut Vec<Statement<'s>>) {
        let removed = &self.versions.removed;
        if !removed.is_empty() {
            let statement = sql(REMOVE).texts(removed.iter().map(|(board, _)| board.as_str()).collect());
            out.push(statement.numbers(removed.iter().map(|(_, id)| signed(id.0)).collect()));
        }
        if !self.gone.is_empty() {
            let statement = sql(REMOVE_CHUNKS);
            let statement = statement.texts(self.gone.iter().map(|(board, _)| board.as_str()).collect());
            out.push(statement.blobs(self.gone.iter().map(|(_, hash)| hash.0.as_slice()).collect()));
        }
        let added = &self.added;
        if !added.is_empty() {
            out.push(
                sql(WRITE)
                    .texts(added.iter().map(|(board, _)| board.as_str()).collect())
                    .numbers(added.iter().map(|(_, version)| signed(version.id.0)).collect())
                    .texts(added.iter().map(|(_, version)| version.kind.as_str()).collect())
                    .numbers(added.iter().map(|(_, version)| signed(version.at.0)).collect())
                    .some_texts(self.names.iter().map(Option::as_deref).collect())
                    .some_texts(
                        (added.iter())
                            .map(|(_, version)| version.by.as_ref().map(Subject::as_str))
                            .collect(),
                    )
                    .blobs(self.pieces.iter().map(Vec::as_slice).collect()),
            );
        }
        if !self.chunks.is_empty() {
            out.push(
                sql(WRITE_CHUNKS)
                    .texts(self.chunks.iter().map(|((board, _), _)| board.as_str()).collect())
                    .blobs(
                        self.chunks
                            .iter()
                            .map(|((_, hash), _)| hash.0.as_slice())
                            .collect(),
                    )
                    .blobs(self.chunks.iter().map(|(_, bytes)| &***bytes).collect()),
            );
        }
    }
}

fn decoded(row: &Row) -> Result<StoredVersion, Damage> {
    Ok(StoredVersion {
        id: VersionId(rows::unsigned(row, "id")?),
        kind: rows::parsed(row, "kind", VersionKind::parse)?,
        at: UnixMillis(rows::unsigned(row, "at")?),
        name: rows::text(row, "name")?,
        by: rows::column::<Option<&str>>(row, "made_by")?
            .map(|by| Subject::parse(by).ok_or(Damage::Malformed))
            .transpose()?,
        pieces: decode_pieces(rows::column(row, "pieces")?)?,
    })
}

fn decoded_chunk(row: &Row) -> Result<(ChunkHash, Bytes), Damage> {
    let hash = <[u8; 32]>::try_from(rows::column::<&[u8]>(row, "hash")?).map_err(|_| Damage::Malformed)?;
    let bytes: &[u8] = rows::column(row, "bytes")?;
    if ChunkHash::of(bytes).0 != hash {
        return Err(Damage::Checksum);
    }
    Ok((ChunkHash(hash), Bytes::copy_from_slice(bytes)))
}

/// See `Registry::versions`.
pub(super) fn some(
    links: &Links,
    board: &BoardId,
    before: Option<VersionId>,
    limit: usize,
) -> Result<Vec<StoredVersion>, StoreError> {
    let asked = sql(LIST)
        .text(board.as_str())
        .number(before.map_or(i64::MAX, |before| signed(before.0)))
        .number(i64::try_from(limit).unwrap_or(i64::MAX));
    let answers = links.read(vec![asked])?;
    let found = answers.iter().flatten().map(decoded);
    found.collect::<Result<_, _>>().map_err(StoreError::Unreadable)
}

/// See `Registry::version`.
pub(super) fn one(
    links: &Links,
    board: &BoardId,
    id: VersionId,
) -> Result<Option<(StoredVersion, Bytes)>, StoreError> {
    let read = || -> Result<Option<StoredVersion>, StoreError> {
        let answers = links.read(vec![sql(ONE).text(board.as_str()).number(signed(id.0))])?;
        let row = answers.iter().flatten().next();
        row.map(decoded).transpose().map_err(StoreError::Unreadable)
    };
    let Some(version) = read()? else { return Ok(None) };
    let hashes: BTreeSet<ChunkHash> = version.pieces.iter().map(|piece| piece.hash).collect();
    let asked = sql(CHUNKS).text(board.as_str());
    let answers = links.read(vec![
        asked.blobs(hashes.iter().map(|hash| hash.0.as_slice()).collect()),
    ])?;
    let chunks = answers.iter().flatten().map(decoded_chunk);
    let chunks: Result<BTreeMap<_, _>, _> = chunks.collect();
    match joined(&version, &chunks.map_err(StoreError::Unreadable)?) {
        Some(state) => Ok(Some((version, state))),
        // It may have gone in between.
        None if read()?.is_none() => Ok(None),
        None => Err(StoreError::Unreadable(Damage::Disagreement)),
    }
}

/// See `Registry::version_chunks`.
pub(super) fn chunks(links: &Links, board: &BoardId) -> Result<BTreeMap<ChunkHash, Bytes>, StoreError> {
    let answers = links.read(vec![sql(ALL_CHUNKS).text(board.as_str())])?;
    let chunks = answers.iter().flatten().map(decoded_chunk);
    chunks.collect::<Result<_, _>>().map_err(StoreError::Unreadable)
}
