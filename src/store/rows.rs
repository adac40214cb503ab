//! The bytes of keys and values in the data file.
//!
//! Owns the encoding of blobs and of the links between ids, and in `board`, `access` and `audit` that of the
//! other rows; must not know the engine or its tables' handles. Key invariant: each value carries a checksum
//! over its table, its key and itself, since the engine does not verify its page checksums when it reads:
//! rot, or a row under the wrong key, is an error and never data. Tests: `rows/tests.rs`, and beside each
//! file.
//!
//! ```text
//! boards     key: board id                                        value: record
//! ids        key: board id, or nothing for the first              value: the next id, or nothing for the last
//! snapshots  key: board id, 00, covers (u64 be), part (u32 be)    value: chunk
//! updates    key: board id, 00, first  (u64 be), part (u32 be)    value: chunk
//! journal    key: number of a commit   (u64 be), part (u32 be)    value: chunk
//! grants     key: board id, 00, principal                         value: level
//! links      key: board id, 00, secret id                         value: secret
//! keys       key: board id, 00, secret id                         value: secret
//! secrets    key: secret id                                       value: kind (u8), board id
//! holders    key: holder, 00, board id                            value: nothing
//! audit      key: board id, 00, time (u64 be), number (u32 be)    value: entry
//! trash      key: board id                                        value: when it went there (u64 le)
//! sessions   key: session id                                       value: session
//! invites    key: invitation (16 bytes)                           value: session id
//! assets     key: board id, 00, SHA-256 of its bytes              value: asset
//!            key: board id, 00; or nothing                        value: sums, of the board; of all boards
//! uploads    key: upload (16 bytes)                               value: upload
//! asset_parts  key: upload, part (u64 be), piece (u32 be)         value: chunk
//! versions   key: board id, 00, version id (u64 be)               value: version
//! version_chunks  key: board id, 00, SHA-256 of the bytes         value: those bytes
//! meta       key: "format"                                        value: version (u32 le)
//!
//! value  = row format (u8, 1), first 8 bytes of SHA-256(table tag, key length (u16 le), key, row format, body), body
//! record = 2, created, updated, last sequence, covers, snapshot length, log length (u64 le each), tally of snapshots,
//!          updates, grants, links and keys, owner, title | 3, as 2, in the trash since (u64 le) before the owner |
//!          1, deleted at | 0, as 2 without log length and tallies (format 2)
//! tally  = rows, sum of their checksums (u64 le each)
//! text   = ffff | length (u16 le), bytes                           (ffff: none)
//! chunk  = parts (u32 le), updates (u32 le), bytes                 a blob is the bytes of its parts in order
//! run    = board id, first (u64 le), updates (u32 le), when (u64 le), length (u32 le), bytes
//! level  = u8: 1 view, 2 comment, 3 edit; in an entry also 0, none
//! kind   = u8: 1 link, 2 key
//! principal = 1, user id | 2, team id | 3                          in the order of lists
//! holder = 0, user id of an owner | principal but the public       no id contains 00
//! secret = SHA-256 of its text, level, created, expires (u64 le each; the greatest: never), created by, name
//! webhook = secret (32 bytes), created (u64 le), created by, address, types, kinds (each with commas)
//! session = SHA-256 of its text, invitation, created, used, expires, revoked (u64 le each; the greatest: not),
//!          admin (u8), user, name, user agent, boards (u32 le), of each its level and its id
//! asset  = upload, length (u64 le), width, height (u32 le each; 0: not known), created, named (u64 le each), created by,
//!          media type
//! sums   = assets, bytes of them (u64 le each)
//! upload = begun (u64 le; 0: given up), parts (u32 le), bytes (u64 le)
//! version = kind (u8: 1 named, 2 automatic, 3 before a deletion, 4 before a restore), time (u64 le), by, name, of each
//!          of its chunks the SHA-256 and the length (u32 le)
//! entry  = action, level, subject, address (0 | 4, 4 bytes | 6, 16 bytes), user agent, detail as JSON or nothing
//! ```
//! Action, subject, user agent, created by, name and the board id of a run are texts. Of a secret's text
//! itself nothing is in any row.
//!
//! `ids` links all ids that were ever used in their order. An id is free only where a row says so: that of
//! the id before it, whose next id is beyond. Without that, rot in a search path would make a deleted board,
//! or one without content, look as if it never was.
//!
//! A snapshot's blob is the full state. A blob in `updates` is a stretch of a board's updates: each as its
//! length (u32 le) and its bytes, sequences counting up from `first`. One in `journal` is what one commit
//! added: a run for each board, with such a stretch. Blobs are cut in chunks
//! because the engine rounds a large value up to a power of two of contiguous pages: 17 MiB would take, and
//! double the file by, 32. A tally in the record says what rows a board has in a table. Without it, rot in a
//! search path, or a page that an older one has replaced, would make a grant look as if there were none, or
//! as it once was: each row that is left is right, and only their sum is not.
//!
//! An eight byte checksum lets one rotten row in 2^64 through, and costs a row some 100 ns.

#![deny(clippy::arithmetic_side_effects, clippy::cast_possible_truncation)]

pub(crate) mod access;
pub(crate) mod assets;
pub(crate) mod audit;
mod board;
pub(crate) mod journal;
pub(crate) mod sessions;
mod tally;
pub(crate) mod versions;
pub(crate) mod webhooks;

use sha2::{Digest, Sha256};

use super::Damage;
use crate::ids::{BoardId, Level};
use crate::time::UnixMillis;

pub(crate) use board::{BoardRow, LiveBoard};
pub(crate) use tally::{Rot, Tallies, Tally};

/// The version of the whole file, in table `meta`.
pub(crate) const FILE_FORMAT: u32 = 6;

/// The version of a row.
const ROW_FORMAT: u8 = 1;

/// Bytes of a blob in one row, so that row and key fill a power of two of 4 KiB pages.
pub(crate) const CHUNK_BYTES: usize = 32 * 1024 - 512;

/// Bytes of a stored text, inclusive; the length `ffff` says that there is none.
pub(crate) const TEXT_BYTES_MAX: usize = 0xfffe;

/// Bytes before a row's body: its format and checksum.
const ENVELOPE_BYTES: usize = 9;

/// The tables whose rows have a checksum; the tag is part of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tag {
    /// `boards`.
    Board = 1,
    /// `snapshots`.
    Snapshot = 2,
    /// `updates`.
    Update = 3,
    /// `ids`.
    Id = 4,
    /// `grants`.
    Grant = 5,
    /// `links`.
    Link = 6,
    /// `keys`.
    Key = 7,
    /// `secrets`.
    Secret = 8,
    /// `holders`.
    Holder = 9,
    /// `audit`.
    Audit = 10,
    /// `journal`.
    Journal = 11,
    /// `webhooks`.
    Webhook = 12,
    /// `sessions`.
    Session = 13,
    /// `invites`.
    Invite = 14,
    /// `trash`.
    Trash = 15,
    /// `assets`.
    Asset = 16,
    /// `uploads`.
    Upload = 17,
    /// `asset_parts`.
    AssetPart = 18,
    /// `versions`.
    Version = 19,
    /// `version_chunks`.
    VersionChunk = 20,
    /// In a page of a backup only: a board that cannot be read.
    Unreadable = 64,
    /// In a page of a backup only: its end.
    End = 65,
}

fn checksum(tag: Tag, key: &[u8], format: u8, body: &[&[u8]]) -> [u8; 8] {
    let mut hash = Sha256::new();
    let key_length = u16::try_from(key.len()).unwrap_or(u16::MAX);
    hash.update([tag as u8]);
    hash.update(key_length.to_le_bytes());
    hash.update(key);
    hash.update([format]);
    for part in body {
        hash.update(part);
    }
    let mut short = [0; 8];
    for (to, from) in short.iter_mut().zip(hash.finalize()) {
        *to = from;
    }
    short
}

/// Puts format and checksum before a body, given in parts.
fn seal(tag: Tag, key: &[u8], body: &[&[u8]]) -> Vec<u8> {
    let length = body
        .iter()
        .fold(ENVELOPE_BYTES, |sum, part| sum.saturating_add(part.len()));
    let mut value = Vec::with_capacity(length);
    value.push(ROW_FORMAT);
    value.extend_from_slice(&checksum(tag, key, ROW_FORMAT, body));
    for part in body {
        value.extend_from_slice(part);
    }
    value
}

/// A value with any body, for tests of what reads it.
#[cfg(any(test, fuzzing))]
pub(crate) fn sealed(tag: Tag, key: &[u8], body: &[u8]) -> Vec<u8> {
    seal(tag, key, &[body])
}

/// Checks format and checksum and gives the body.
fn unseal<'a>(tag: Tag, key: &[u8], value: &'a [u8]) -> Result<&'a [u8], Damage> {
    let (&format, rest) = value.split_first().ok_or(Damage::Checksum)?;
    let (stored, body) = rest.split_first_chunk::<8>().ok_or(Damage::Checksum)?;
    if *stored != checksum(tag, key, format, &[body]) {
        return Err(Damage::Checksum);
    }
    if format != ROW_FORMAT {
        return Err(Damage::RowFormat(format));
    }
    Ok(body)
}

/// A reader of fixed-width fields; `Malformed` at the end of the bytes.
struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    fn array<const N: usize>(&mut self) -> Result<[u8; N], Damage> {
        let (head, rest) = self.0.split_first_chunk::<N>().ok_or(Damage::Malformed)?;
        self.0 = rest;
        Ok(*head)
    }

    fn u64(&mut self) -> Result<u64, Damage> {
        Ok(u64::from_le_bytes(self.array()?))
    }

    fn u32(&mut self) -> Result<u32, Damage> {
        Ok(u32::from_le_bytes(self.array()?))
    }

    fn bytes(&mut self, length: usize) -> Result<&'a [u8], Damage> {
        let (head, rest) = self.0.split_at_checked(length).ok_or(Damage::Malformed)?;
        self.0 = rest;
        Ok(head)
    }

    fn text(&mut self) -> Result<Option<&'a str>, Damage> {
        let length = usize::from(u16::from_le_bytes(self.array()?));
        if length > TEXT_BYTES_MAX {
            return Ok(None);
        }
        let bytes = self.bytes(length)?;
        std::str::from_utf8(bytes)
            .map(Some)
            .map_err(|_| Damage::Malformed)
    }

    /// A text that is there, as `parse` understands it.
    fn parsed<T>(&mut self, parse: impl FnOnce(&str) -> Option<T>) -> Result<T, Damage> {
        self.text()?.and_then(parse).ok_or(Damage::Malformed)
    }

    /// A level; `None` for none.
    fn level(&mut self) -> Result<Option<Level>, Damage> {
        Ok(match self.array()? {
            [0] => None,
            [1] => Some(Level::View),
            [2] => Some(Level::Comment),
            [3] => Some(Level::Edit),
            _ => return Err(Damage::Malformed),
        })
    }

    fn end(&self) -> Result<(), Damage> {
        if self.0.is_empty() {
            Ok(())
        } else {
            Err(Damage::Malformed)
        }
    }
}

/// Appends a text, cut at a character if it is over the bound (which callers check before).
fn push_text(body: &mut Vec<u8>, text: Option<&str>) {
    let Some(text) = text else {
        body.extend_from_slice(&u16::MAX.to_le_bytes());
        return;
    };
    let cut = text
        .get(..text.floor_char_boundary(TEXT_BYTES_MAX))
        .unwrap_or_default();
    body.extend_from_slice(&u16::try_from(cut.len()).unwrap_or_default().to_le_bytes());
    body.extend_from_slice(cut.as_bytes());
}

/// The byte of a level.
fn level_byte(level: Option<Level>) -> u8 {
    match level {
        None => 0,
        Some(Level::View) => 1,
        Some(Level::Comment) => 2,
        Some(Level::Edit) => 3,
    }
}

/// The row of `ids` which says that `next` follows `key`.
pub(crate) fn encode_next(key: &[u8], next: &[u8]) -> Vec<u8> {
    seal(Tag::Id, key, &[next])
}

/// The id that follows `key`; empty after the last.
pub(crate) fn decode_next<'a>(key: &[u8], value: &'a [u8]) -> Result<&'a [u8], Damage> {
    unseal(Tag::Id, key, value)
}

/// The row of `trash` of a board that went there then.
pub(crate) fn encode_trashed(key: &[u8], at: UnixMillis) -> Vec<u8> {
    seal(Tag::Trash, key, &[&at.0.to_le_bytes()])
}

/// When a board went into the trash.
pub(crate) fn decode_trashed(key: &[u8], value: &[u8]) -> Result<UnixMillis, Damage> {
    let mut fields = Fields(unseal(Tag::Trash, key, value)?);
    let at = UnixMillis(fields.u64()?);
    fields.end()?;
    Ok(at)
}

/// Whether the row of `ids` under `key` proves that `id` was never used.
pub(crate) fn leaves_free(key: &[u8], value: &[u8], id: &[u8]) -> Result<bool, Damage> {
    let next = decode_next(key, value)?;
    Ok(key < id && (next.is_empty() || id < next))
}

/// The row of a page which says in words why something is not there.
pub(crate) fn encode_words(tag: Tag, key: &[u8], words: &str) -> Vec<u8> {
    seal(tag, key, &[words.as_bytes()])
}

/// The words.
pub(crate) fn decode_words<'a>(tag: Tag, key: &[u8], value: &'a [u8]) -> Result<&'a str, Damage> {
    std::str::from_utf8(unseal(tag, key, value)?).map_err(|_| Damage::Malformed)
}

/// The end of a page: how many rows it has before, and the text of where the next one begins.
pub(crate) fn encode_end(rows: u32, next: &str) -> Vec<u8> {
    seal(Tag::End, &[], &[&rows.to_le_bytes(), next.as_bytes()])
}

/// The other way round.
pub(crate) fn decode_end(value: &[u8]) -> Result<(u32, &str), Damage> {
    let mut fields = Fields(unseal(Tag::End, &[], value)?);
    let rows = fields.u32()?;
    let next = std::str::from_utf8(fields.0).map_err(|_| Damage::Malformed)?;
    Ok((rows, next))
}

/// The key of a chunk of a board; `sequence` is what a snapshot covers, or the first update of a blob.
pub(crate) fn chunk_key(board: &BoardId, sequence: u64, part: u32) -> Vec<u8> {
    blob_key(&board_start(board), sequence, part)
}

/// The key of a chunk: of a board, after its id and 00; of the journal, after nothing.
pub(crate) fn blob_key(prefix: &[u8], number: u64, part: u32) -> Vec<u8> {
    let mut key = Vec::with_capacity(prefix.len().saturating_add(12));
    key.extend_from_slice(prefix);
    key.extend_from_slice(&number.to_be_bytes());
    key.extend_from_slice(&part.to_be_bytes());
    key
}

/// The first key that is not below any key of `board` with more after its id.
pub(crate) fn board_start(board: &BoardId) -> Vec<u8> {
    board_key(board, &[])
}

/// The first key that is greater than each key of `board` with more after its id: no board id contains a byte
/// below 2.
pub(crate) fn board_end(board: &BoardId) -> Vec<u8> {
    let mut key = board.as_str().as_bytes().to_vec();
    key.push(1);
    key
}

/// A board's id, 00, and the rest.
fn board_key(board: &BoardId, rest: &[u8]) -> Vec<u8> {
    let id = board.as_str().as_bytes();
    let mut key = Vec::with_capacity(id.len().saturating_add(rest.len()).saturating_add(1));
    key.extend_from_slice(id);
    key.push(0);
    key.extend_from_slice(rest);
    key
}

/// The board in a key, and what follows the 00 after it.
fn split_board_key(key: &[u8]) -> Result<(BoardId, &[u8]), Damage> {
    let mut parts = key.splitn(2, |byte| *byte == 0);
    let board = parts.next().and_then(parse_board).ok_or(Damage::Malformed)?;
    Ok((board, parts.next().ok_or(Damage::Malformed)?))
}

/// The board of a key in which its id is followed by 00.
pub(crate) fn board_of(key: &[u8]) -> Option<BoardId> {
    split_board_key(key).ok().map(|(board, _)| board)
}

/// A board id, and nothing else.
pub(crate) fn parse_board(bytes: &[u8]) -> Option<BoardId> {
    std::str::from_utf8(bytes).ok().and_then(BoardId::parse)
}

/// The board, sequence and part of a chunk key.
pub(crate) fn parse_chunk_key(key: &[u8]) -> Result<(BoardId, u64, u32), Damage> {
    let (prefix, sequence, part) = split_blob_key(key)?;
    match prefix.split_last() {
        Some((0, id)) => Ok((parse_board(id).ok_or(Damage::Malformed)?, sequence, part)),
        _ => Err(Damage::Malformed),
    }
}

/// What a chunk key begins with, its number and its part.
pub(crate) fn split_blob_key(key: &[u8]) -> Result<(&[u8], u64, u32), Damage> {
    let split = key.len().checked_sub(12).ok_or(Damage::Malformed)?;
    let mut fields = Fields(key);
    let prefix = fields.bytes(split)?;
    let number = u64::from_be_bytes(fields.array()?);
    Ok((prefix, number, u32::from_be_bytes(fields.array()?)))
}

/// One row of a blob.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Chunk<'a> {
    /// Rows of the blob, at least 1.
    pub(crate) parts: u32,
    /// Updates in the blob; 0 in a snapshot and in the journal.
    pub(crate) updates: u32,
    /// This row's share of the blob's bytes.
    pub(crate) bytes: &'a [u8],
}

impl<'a> Chunk<'a> {
    /// The value under `key`.
    pub(crate) fn encode(&self, tag: Tag, key: &[u8]) -> Vec<u8> {
        seal(
            tag,
            key,
            &[&self.parts.to_le_bytes(), &self.updates.to_le_bytes(), self.bytes],
        )
    }

    /// Reads the value under `key`.
    pub(crate) fn decode(tag: Tag, key: &[u8], value: &'a [u8]) -> Result<Self, Damage> {
        let mut fields = Fields(unseal(tag, key, value)?);
        let (parts, updates) = (fields.u32()?, fields.u32()?);
        if parts == 0 {
            return Err(Damage::Malformed);
        }
        Ok(Self {
            parts,
            updates,
            bytes: fields.0,
        })
    }
}

/// How many bytes of updates (of a state) are in the row of a chunk, by its length alone: the checksum is not
/// looked at.
pub(crate) fn chunk_length(value: &[u8]) -> u64 {
    let envelope = ENVELOPE_BYTES.saturating_add(8);
    u64::try_from(value.len().saturating_sub(envelope)).unwrap_or(u64::MAX)
}

/// Appends one update to a blob of updates.
pub(crate) fn push_update(blob: &mut Vec<u8>, update: &[u8]) {
    // An update is a message, and those are bounded far below 4 GiB.
    let length = u32::try_from(update.len()).unwrap_or(u32::MAX);
    blob.extend_from_slice(&length.to_le_bytes());
    blob.extend_from_slice(update);
}

/// The ranges of the updates in a blob, of which there must be `count`.
pub(crate) fn split_updates(blob: &[u8], count: u32) -> Result<Vec<std::ops::Range<usize>>, Damage> {
    let mut fields = Fields(blob);
    let mut ranges = Vec::new();
    for _ in 0..count {
        let length = usize::try_from(fields.u32()?).map_err(|_| Damage::Malformed)?;
        let start = blob.len().saturating_sub(fields.0.len());
        fields.bytes(length)?;
        ranges.push(start..start.saturating_add(length));
    }
    fields.end()?;
    Ok(ranges)
}

#[cfg(test)]
mod tests;
