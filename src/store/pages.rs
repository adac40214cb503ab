//! Boards and sessions as they go from a server that runs into a backup: a page at a time.
//!
//! Owns [`Page`] and its bytes. Must not know who asks for pages, nor how anything is stored. Key invariants:
//! what was written is read again equal, and any other bytes are an error, never less of a board; nothing is
//! allocated by a length that was only announced. Tests: `pages/tests.rs`; fuzz body `fuzzing`.
//!
//! ```text
//! page = "BWPAGE1\n", rows, the last of them an end
//! row  = tag (u8), length of key (u16 le), length of value (u32 le), key, value
//! ```
//! Keys and values are those of the data file, with their checksums (`rows`): of each board its record, then
//! its full state and its updates, each as one chunk, its grants, links, keys, assets, versions with their
//! chunks, webhooks and audit entries; of the bytes of an asset each part as one chunk. Of two tags only a
//! page knows: a board that cannot be read (key: its id, value: why) and the end (value: how many rows came
//! before, u32 le, and where the next page begins).

#![deny(clippy::arithmetic_side_effects, clippy::cast_possible_truncation)]

use std::collections::BTreeMap;
use std::fmt;

use bytes::Bytes;

use super::rows::access::{
    decode_grant, decode_secret, encode_grant, encode_secret, grant_key, parse_grant_key, secret_key,
};
use super::rows::assets::{asset_key, decode_asset, encode_asset, parse_part_key, part_key};
use super::rows::audit::{decode_entry, encode_entry, entry_key};
use super::rows::sessions::{decode_session, encode_session};
use super::rows::versions::{
    chunk_row_key, decode_chunk, decode_version, encode_chunk, encode_version, version_key,
};
use super::rows::webhooks::{decode_webhook, encode_webhook, webhook_key};
use super::rows::{self, BoardRow, Chunk, LiveBoard, Tag};
use super::{Damage, Life, Living, StoredBoard, StoredSession, UploadId, Whole};
use crate::access::secret::SecretKind;
use crate::ids::{BoardId, SecretId};

#[cfg(any(test, fuzzing))]
pub mod fuzzing;
#[cfg(test)]
mod tests;

/// What each page begins with.
const MAGIC: &[u8] = b"BWPAGE1\n";

/// Bytes of a row before its key.
const HEAD_BYTES: usize = 7;

/// Where a page begins: behind a board, or, once all boards came, behind a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// Behind this board; at the first one for `None`.
    Board(Option<BoardId>),
    /// Behind this session; at the first one for `None`.
    Session(Option<SecretId>),
    /// At this part of an asset's bytes, which a page of boards has named.
    Part(UploadId, u32),
}

impl Place {
    /// Where all begins.
    pub const START: Self = Self::Board(None);

    /// Reads what [`fmt::Display`] has written.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (kind, id) = text.split_once(':')?;
        match (kind, id) {
            ("b", "") => Some(Self::Board(None)),
            ("b", id) => BoardId::parse(id).map(|id| Self::Board(Some(id))),
            ("s", "") => Some(Self::Session(None)),
            ("s", id) => SecretId::parse(id).map(|id| Self::Session(Some(id))),
            ("a", part) => {
                let (upload, part) = part.split_once(':')?;
                Some(Self::Part(UploadId::parse(upload)?, part.parse().ok()?))
            }
            _ => None,
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Board(id) => write!(f, "b:{}", id.as_ref().map_or("", BoardId::as_str)),
            Self::Session(id) => write!(f, "s:{}", id.as_ref().map_or("", SecretId::as_str)),
            Self::Part(upload, part) => write!(f, "a:{upload:?}:{part}"),
        }
    }
}

/// Some of what a store has.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// Boards, also the marks of deleted ones.
    pub boards: Vec<Whole>,
    /// Boards that cannot be read, and why.
    pub unreadable: Vec<(BoardId, String)>,
    /// Sessions.
    pub sessions: Vec<StoredSession>,
    /// Parts of the bytes of an asset.
    pub parts: Vec<(UploadId, u32, Bytes)>,
    /// Where the next page begins; `None` after the last.
    pub next: Option<Place>,
}

/// Bytes being written.
struct Writer {
    bytes: Vec<u8>,
    rows: u32,
}

impl Writer {
    fn row(&mut self, tag: Tag, key: &[u8], value: &[u8]) {
        // A key is some ids; a value is bounded far below 4 GiB by the largest board.
        let (key_length, length) = (u16::try_from(key.len()), u32::try_from(value.len()));
        self.bytes.push(tag as u8);
        self.bytes
            .extend_from_slice(&key_length.unwrap_or(u16::MAX).to_le_bytes());
        self.bytes
            .extend_from_slice(&length.unwrap_or(u32::MAX).to_le_bytes());
        self.bytes.extend_from_slice(key);
        self.bytes.extend_from_slice(value);
        self.rows = self.rows.saturating_add(1);
    }

    fn board(&mut self, whole: &Whole) {
        let board = &whole.board;
        let key = board.as_str().as_bytes();
        match &whole.life {
            Life::Deleted(at) => self.row(Tag::Board, key, &BoardRow::Tombstone(*at).encode(key)),
            Life::Live(living) | Life::Trashed(_, living) => {
                let live = LiveBoard {
                    trashed_at: whole.life.trashed_at(),
                    record: living.document.record.clone(),
                    last_sequence: living.document.last_sequence(),
                    covers: living.document.snapshot.as_ref().map_or(0, |(covers, _)| *covers),
                    ..LiveBoard::new(None, None, living.document.record.created_at)
                };
                self.row(Tag::Board, key, &BoardRow::Live(live).encode(key));
                self.living(board, living);
            }
        }
        for entry in &whole.audit {
            let key = entry_key(board, entry.key);
            self.row(Tag::Audit, &key, &encode_entry(&key, entry));
        }
    }

    fn living(&mut self, board: &BoardId, living: &Living) {
        if let Some((covers, state)) = &living.document.snapshot {
            self.chunk(Tag::Snapshot, &rows::chunk_key(board, *covers, 0), (0, state));
        }
        if let Some((first, _)) = living.document.updates.first() {
            let mut blob = Vec::new();
            for (_, update) in &living.document.updates {
                rows::push_update(&mut blob, update);
            }
            let updates = u32::try_from(living.document.updates.len()).unwrap_or(u32::MAX);
            self.chunk(Tag::Update, &rows::chunk_key(board, *first, 0), (updates, &blob));
        }
        for (principal, level) in &living.grants {
            let key = grant_key(board, principal);
            self.row(Tag::Grant, &key, &encode_grant(&key, *level));
        }
        for secret in &living.secrets {
            let key = secret_key(board, &secret.facts.hash.id());
            let tag = match secret.facts.kind {
                SecretKind::Link => Tag::Link,
                SecretKind::Key => Tag::Key,
            };
            self.row(tag, &key, &encode_secret(&key, secret));
        }
        for asset in &living.assets {
            let key = asset_key(board, &asset.hash);
            self.row(Tag::Asset, &key, &encode_asset(&key, asset));
        }
        for version in &living.versions {
            let key = version_key(board, version.id);
            self.row(Tag::Version, &key, &encode_version(&key, version));
        }
        for (hash, bytes) in &living.version_chunks {
            let key = chunk_row_key(board, hash);
            self.row(Tag::VersionChunk, &key, &encode_chunk(&key, bytes));
        }
        for webhook in &living.webhooks {
            let key = webhook_key(board, &webhook.id);
            self.row(Tag::Webhook, &key, &encode_webhook(&key, webhook));
        }
    }

    fn chunk(&mut self, tag: Tag, key: &[u8], (updates, bytes): (u32, &[u8])) {
        let chunk = Chunk {
            parts: 1,
            updates,
            bytes,
        };
        self.row(tag, key, &chunk.encode(tag, key));
    }
}

impl Page {
    /// The bytes of it.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let weight = self.boards.iter().map(Whole::weight).sum();
        let mut writer = Writer {
            bytes: Vec::with_capacity(weight),
            rows: 0,
        };
        writer.bytes.extend_from_slice(MAGIC);
        self.boards.iter().for_each(|whole| writer.board(whole));
        for (board, cause) in &self.unreadable {
            let key = board.as_str().as_bytes();
            writer.row(
                Tag::Unreadable,
                key,
                &rows::encode_words(Tag::Unreadable, key, cause),
            );
        }
        for session in &self.sessions {
            let id = session.id();
            let key = id.as_str().as_bytes();
            writer.row(Tag::Session, key, &encode_session(key, session));
        }
        for (upload, part, bytes) in &self.parts {
            writer.chunk(Tag::AssetPart, &part_key(*upload, *part), (0, bytes));
        }
        let next = self.next.as_ref().map(Place::to_string).unwrap_or_default();
        let value = rows::encode_end(writer.rows, &next);
        writer.row(Tag::End, &[], &value);
        writer.bytes
    }

    /// Reads the bytes of a page.
    ///
    /// # Errors
    /// What is wrong with them.
    pub fn decode(bytes: &[u8]) -> Result<Self, Damage> {
        let mut rest = bytes.strip_prefix(MAGIC).ok_or(Damage::Malformed)?;
        let mut reader = Reader::default();
        let mut count: u32 = 0;
        loop {
            let row;
            (row, rest) = split_row(rest)?;
            if row.tag == Tag::End as u8 {
                let (rows, next) = rows::decode_end(row.value)?;
                let next = match next {
                    "" => None,
                    text => Some(Place::parse(text).ok_or(Damage::Malformed)?),
                };
                if rows != count || !rest.is_empty() || !row.key.is_empty() {
                    return Err(Damage::Malformed);
                }
                reader.end_board()?;
                return Ok(Self { next, ..reader.page });
            }
            count = count.checked_add(1).ok_or(Damage::Malformed)?;
            reader.take(&row)?;
        }
    }
}

/// A row, as it stands in a page.
struct Row<'a> {
    tag: u8,
    key: &'a [u8],
    value: &'a [u8],
}

fn split_row(bytes: &[u8]) -> Result<(Row<'_>, &[u8]), Damage> {
    let (head, rest) = bytes.split_first_chunk::<HEAD_BYTES>().ok_or(Damage::Malformed)?;
    let [tag, k0, k1, v0, v1, v2, v3] = *head;
    let key = usize::from(u16::from_le_bytes([k0, k1]));
    let value = usize::try_from(u32::from_le_bytes([v0, v1, v2, v3])).map_err(|_| Damage::Malformed)?;
    let (key, rest) = rest.split_at_checked(key).ok_or(Damage::Malformed)?;
    let (value, rest) = rest.split_at_checked(value).ok_or(Damage::Malformed)?;
    Ok((Row { tag, key, value }, rest))
}

/// A page being read.
#[derive(Default)]
struct Reader {
    page: Page,
    /// The board whose rows come, and what its record says.
    board: Option<(Whole, Option<LiveBoard>)>,
}

/// What a board with this record has before its other rows come.
fn begun(board: BoardId, row: BoardRow) -> (Whole, Option<LiveBoard>) {
    let (life, live) = match row {
        BoardRow::Tombstone(at) => (Life::Deleted(at), None),
        BoardRow::Live(live) => {
            let document = StoredBoard {
                record: live.record.clone(),
                snapshot: None,
                updates: Vec::new(),
            };
            let living = Living {
                document,
                grants: Vec::new(),
                secrets: Vec::new(),
                webhooks: Vec::new(),
                assets: Vec::new(),
                versions: Vec::new(),
                version_chunks: BTreeMap::new(),
            };
            let life = match live.trashed_at {
                None => Life::Live(Box::new(living)),
                Some(at) => Life::Trashed(at, Box::new(living)),
            };
            (life, Some(live))
        }
    };
    let whole = Whole {
        board,
        life,
        audit: Vec::new(),
    };
    (whole, live)
}

impl Reader {
    fn take(&mut self, row: &Row<'_>) -> Result<(), Damage> {
        let Row { tag, key, value } = *row;
        match tag {
            tag if tag == Tag::Board as u8 => {
                self.end_board()?;
                let board = rows::parse_board(key).ok_or(Damage::Malformed)?;
                self.board = Some(begun(board, BoardRow::decode(key, value)?));
            }
            tag if tag == Tag::Unreadable as u8 => {
                self.end_board()?;
                let board = rows::parse_board(key).ok_or(Damage::Malformed)?;
                let cause = rows::decode_words(Tag::Unreadable, key, value)?.to_owned();
                self.page.unreadable.push((board, cause));
            }
            tag if tag == Tag::Session as u8 => {
                self.end_board()?;
                self.page.sessions.push(decode_session(key, value)?);
            }
            tag if tag == Tag::AssetPart as u8 => {
                self.end_board()?;
                let (upload, part) = parse_part_key(key)?;
                let chunk = Chunk::decode(Tag::AssetPart, key, value)?;
                if (chunk.parts, chunk.updates) != (1, 0) {
                    return Err(Damage::Malformed);
                }
                let bytes = Bytes::copy_from_slice(chunk.bytes);
                self.page.parts.push((upload, part, bytes));
            }
            _ => self.of_board(row)?,
        }
        Ok(())
    }

    /// A row of the board whose record came last.
    fn of_board(&mut self, row: &Row<'_>) -> Result<(), Damage> {
        let Row { tag, key, value } = *row;
        let (whole, _) = self.board.as_mut().ok_or(Damage::Malformed)?;
        if rows::board_of(key).as_ref() != Some(&whole.board) {
            return Err(Damage::Malformed);
        }
        if tag == Tag::Audit as u8 {
            whole.audit.push(decode_entry(key, value)?);
            return Ok(());
        }
        let (Life::Live(living) | Life::Trashed(_, living)) = &mut whole.life else {
            return Err(Damage::Malformed);
        };
        match tag {
            tag if tag == Tag::Snapshot as u8 => {
                let (covers, chunk) = whole_chunk(Tag::Snapshot, key, value)?;
                if chunk.updates != 0 || living.document.snapshot.is_some() {
                    return Err(Damage::SnapshotIncomplete);
                }
                living.document.snapshot = Some((covers, Bytes::copy_from_slice(chunk.bytes)));
            }
            tag if tag == Tag::Update as u8 => {
                let (first, chunk) = whole_chunk(Tag::Update, key, value)?;
                if !living.document.updates.is_empty() {
                    return Err(Damage::Malformed);
                }
                let blob = Bytes::copy_from_slice(chunk.bytes);
                for (n, range) in (0..).zip(rows::split_updates(&blob, chunk.updates)?) {
                    let sequence = first.checked_add(n).ok_or(Damage::Malformed)?;
                    living.document.updates.push((sequence, blob.slice(range)));
                }
            }
            tag if tag == Tag::Grant as u8 => {
                let (_, principal) = parse_grant_key(key)?;
                living.grants.push((principal, decode_grant(key, value)?));
            }
            tag if tag == Tag::Link as u8 => {
                (living.secrets).push(decode_secret(SecretKind::Link, key, value)?);
            }
            tag if tag == Tag::Key as u8 => {
                (living.secrets).push(decode_secret(SecretKind::Key, key, value)?)
            }
            tag if tag == Tag::Asset as u8 => living.assets.push(decode_asset(key, value)?),
            tag if tag == Tag::Version as u8 => living.versions.push(decode_version(key, value)?),
            tag if tag == Tag::VersionChunk as u8 => {
                let (hash, bytes) = decode_chunk(key, value)?;
                living.version_chunks.insert(hash, bytes);
            }
            tag if tag == Tag::Webhook as u8 => living.webhooks.push(decode_webhook(key, value)?),
            _ => return Err(Damage::Malformed),
        }
        Ok(())
    }

    /// The rows of a board are over: it has what its record says.
    fn end_board(&mut self) -> Result<(), Damage> {
        let Some((whole, live)) = self.board.take() else {
            return Ok(());
        };
        if let (Some(living), Some(live)) = (whole.life.living(), live) {
            let covers = living.document.snapshot.as_ref().map_or(0, |(covers, _)| *covers);
            if covers != live.covers {
                return Err(Damage::SnapshotIncomplete);
            }
            if living.document.last_sequence() != live.last_sequence || !living.is_in_order() {
                return Err(Damage::UpdateMissing(live.last_sequence));
            }
        }
        self.page.boards.push(whole);
        Ok(())
    }
}

/// A chunk that is a whole blob.
fn whole_chunk<'a>(tag: Tag, key: &[u8], value: &'a [u8]) -> Result<(u64, Chunk<'a>), Damage> {
    let (_, number, part) = rows::parse_chunk_key(key)?;
    let chunk = Chunk::decode(tag, key, value)?;
    match (part, chunk.parts) {
        (0, 1) => Ok((number, chunk)),
        _ => Err(Damage::Malformed),
    }
}
