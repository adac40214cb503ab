//! The bytes of keys and values in the data file.
//!
//! Owns the encoding of board records and blobs; must not know the engine or its tables' handles. Key invariant:
//! each value carries a checksum over its table, its key and itself, since the engine does not verify its page
//! checksums when it reads: rot, or a row under the wrong key, is an error and never data. Tests: here.
//!
//! ```text
//! boards     key: board id                                        value: record
//! ids        key: board id, or nothing for the first              value: the next id, or nothing for the last
//! snapshots  key: board id, 00, covers (u64 be), part (u32 be)    value: chunk
//! updates    key: board id, 00, first  (u64 be), part (u32 be)    value: chunk
//! meta       key: "format"                                        value: version (u32 le)
//!
//! value  = row format (u8, 1), first 8 bytes of SHA-256(table tag, key length (u16 le), key, row format, body), body
//! record = 0, created, updated, last sequence, covers, snapshot length (u64 le each), owner, title | 1, deleted at
//! text   = ffff | length (u16 le), bytes                           (ffff: none)
//! chunk  = parts (u32 le), updates (u32 le), bytes                 a blob is the bytes of its parts in order
//! ```
//!
//! `ids` links all ids that were ever used in their order. An id is free only where a row says so: that of the id
//! before it, whose next id is beyond. Without that, rot in a search path would make a deleted board, or one without
//! content, look as if it never was.
//!
//! A snapshot's blob is the full state. A blob in `updates` is what one commit added to one board: each update as
//! its length (u32 le) and its bytes, sequences counting up from `first`. Blobs are cut in chunks because the engine
//! rounds a large value up to a power of two of contiguous pages: 17 MiB would take, and double the file by, 32.
//! An eight byte checksum lets one rotten row in 2^64 through, and costs a row some 100 ns.

#![deny(clippy::arithmetic_side_effects, clippy::cast_possible_truncation)]

use sha2::{Digest, Sha256};

use super::{BoardRecord, Unreadable};
use crate::ids::{BoardId, UserId};
use crate::time::UnixMillis;

/// The version of the whole file, in table `meta`.
pub(crate) const FILE_FORMAT: u32 = 1;

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

/// Checks format and checksum and gives the body.
fn unseal<'a>(tag: Tag, key: &[u8], value: &'a [u8]) -> Result<&'a [u8], Unreadable> {
    let (&format, rest) = value.split_first().ok_or(Unreadable::Checksum)?;
    let (stored, body) = rest.split_first_chunk::<8>().ok_or(Unreadable::Checksum)?;
    if *stored != checksum(tag, key, format, &[body]) {
        return Err(Unreadable::Checksum);
    }
    if format != ROW_FORMAT {
        return Err(Unreadable::RowFormat(format));
    }
    Ok(body)
}

/// A reader of fixed-width fields; `Malformed` at the end of the bytes.
struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    fn array<const N: usize>(&mut self) -> Result<[u8; N], Unreadable> {
        let (head, rest) = self.0.split_first_chunk::<N>().ok_or(Unreadable::Malformed)?;
        self.0 = rest;
        Ok(*head)
    }

    fn u64(&mut self) -> Result<u64, Unreadable> {
        Ok(u64::from_le_bytes(self.array()?))
    }

    fn u32(&mut self) -> Result<u32, Unreadable> {
        Ok(u32::from_le_bytes(self.array()?))
    }

    fn bytes(&mut self, length: usize) -> Result<&'a [u8], Unreadable> {
        let (head, rest) = self.0.split_at_checked(length).ok_or(Unreadable::Malformed)?;
        self.0 = rest;
        Ok(head)
    }

    fn text(&mut self) -> Result<Option<&'a str>, Unreadable> {
        let length = usize::from(u16::from_le_bytes(self.array()?));
        if length > TEXT_BYTES_MAX {
            return Ok(None);
        }
        let bytes = self.bytes(length)?;
        std::str::from_utf8(bytes)
            .map(Some)
            .map_err(|_| Unreadable::Malformed)
    }

    fn end(&self) -> Result<(), Unreadable> {
        if self.0.is_empty() {
            Ok(())
        } else {
            Err(Unreadable::Malformed)
        }
    }
}

/// The row of a board.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum BoardRow {
    /// It is there.
    Live(LiveBoard),
    /// It was deleted then.
    Tombstone(UnixMillis),
}

/// A board that is there: its facts, and what its other rows must be. With that, a row that rot has hidden from the
/// engine's search is missed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LiveBoard {
    /// What callers see.
    pub(crate) record: BoardRecord,
    /// Sequence of the last update; 0 before the first.
    pub(crate) last_sequence: u64,
    /// Sequence covered by the snapshot, at most `last_sequence`.
    pub(crate) covers: u64,
    /// Bytes of the snapshot; `None` while there is none.
    pub(crate) snapshot_bytes: Option<u64>,
}

impl LiveBoard {
    /// A board without content.
    pub(crate) fn new(owner: Option<UserId>, title: Option<String>, at: UnixMillis) -> Self {
        Self {
            record: BoardRecord {
                owner,
                title,
                created_at: at,
                updated_at: at,
            },
            last_sequence: 0,
            covers: 0,
            snapshot_bytes: None,
        }
    }
}

impl BoardRow {
    /// The value under `key`.
    pub(crate) fn encode(&self, key: &[u8]) -> Vec<u8> {
        let mut body = Vec::with_capacity(128);
        match self {
            Self::Tombstone(at) => {
                body.push(1);
                body.extend_from_slice(&at.0.to_le_bytes());
            }
            Self::Live(live) => {
                body.push(0);
                for number in [
                    live.record.created_at.0,
                    live.record.updated_at.0,
                    live.last_sequence,
                    live.covers,
                    live.snapshot_bytes.unwrap_or(u64::MAX),
                ] {
                    body.extend_from_slice(&number.to_le_bytes());
                }
                push_text(&mut body, live.record.owner.as_ref().map(UserId::as_str));
                push_text(&mut body, live.record.title.as_deref());
            }
        }
        seal(Tag::Board, key, &[&body])
    }

    /// Reads the value under `key`.
    pub(crate) fn decode(key: &[u8], value: &[u8]) -> Result<Self, Unreadable> {
        let mut fields = Fields(unseal(Tag::Board, key, value)?);
        let [kind] = fields.array()?;
        let row = match kind {
            1 => Self::Tombstone(UnixMillis(fields.u64()?)),
            0 => {
                let (created_at, updated_at) = (UnixMillis(fields.u64()?), UnixMillis(fields.u64()?));
                let (last_sequence, covers, snapshot_bytes) = (fields.u64()?, fields.u64()?, fields.u64()?);
                let owner = match fields.text()? {
                    Some(text) => Some(UserId::parse(text).ok_or(Unreadable::Malformed)?),
                    None => None,
                };
                let title = fields.text()?.map(str::to_owned);
                Self::Live(LiveBoard {
                    record: BoardRecord {
                        owner,
                        title,
                        created_at,
                        updated_at,
                    },
                    last_sequence,
                    covers,
                    snapshot_bytes: (snapshot_bytes != u64::MAX).then_some(snapshot_bytes),
                })
            }
            _ => return Err(Unreadable::Malformed),
        };
        fields.end()?;
        Ok(row)
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

/// The row of `ids` which says that `next` follows `key`.
pub(crate) fn encode_next(key: &[u8], next: &[u8]) -> Vec<u8> {
    seal(Tag::Id, key, &[next])
}

/// The id that follows `key`; empty after the last.
pub(crate) fn decode_next<'a>(key: &[u8], value: &'a [u8]) -> Result<&'a [u8], Unreadable> {
    unseal(Tag::Id, key, value)
}

/// Whether the row of `ids` under `key` proves that `id` was never used.
pub(crate) fn leaves_free(key: &[u8], value: &[u8], id: &[u8]) -> Result<bool, Unreadable> {
    let next = decode_next(key, value)?;
    Ok(key < id && (next.is_empty() || id < next))
}

/// The key of a chunk; `sequence` is what a snapshot covers, or the first update of a blob.
pub(crate) fn chunk_key(board: &BoardId, sequence: u64, part: u32) -> Vec<u8> {
    let mut key = Vec::with_capacity(board.as_str().len().saturating_add(13));
    key.extend_from_slice(board.as_str().as_bytes());
    key.push(0);
    key.extend_from_slice(&sequence.to_be_bytes());
    key.extend_from_slice(&part.to_be_bytes());
    key
}

/// The first key that is greater than each chunk key of `board`: no board id contains a byte below 2.
pub(crate) fn chunks_end(board: &BoardId) -> Vec<u8> {
    let mut key = board.as_str().as_bytes().to_vec();
    key.push(1);
    key
}

/// The board, sequence and part of a chunk key.
pub(crate) fn parse_chunk_key(key: &[u8]) -> Result<(BoardId, u64, u32), Unreadable> {
    let split = key.len().checked_sub(13).ok_or(Unreadable::Malformed)?;
    let mut fields = Fields(key);
    let board = std::str::from_utf8(fields.bytes(split)?)
        .ok()
        .and_then(BoardId::parse);
    let [zero] = fields.array()?;
    let (sequence, part) = (
        u64::from_be_bytes(fields.array()?),
        u32::from_be_bytes(fields.array()?),
    );
    match board {
        Some(board) if zero == 0 => Ok((board, sequence, part)),
        _ => Err(Unreadable::Malformed),
    }
}

/// One row of a blob.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Chunk<'a> {
    /// Rows of the blob, at least 1.
    pub(crate) parts: u32,
    /// Updates in the blob; 0 in a snapshot.
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
    pub(crate) fn decode(tag: Tag, key: &[u8], value: &'a [u8]) -> Result<Self, Unreadable> {
        let mut fields = Fields(unseal(tag, key, value)?);
        let (parts, updates) = (fields.u32()?, fields.u32()?);
        if parts == 0 {
            return Err(Unreadable::Malformed);
        }
        Ok(Self {
            parts,
            updates,
            bytes: fields.0,
        })
    }
}

/// Appends one update to a blob of updates.
pub(crate) fn push_update(blob: &mut Vec<u8>, update: &[u8]) {
    // An update is a message, and those are bounded far below 4 GiB.
    let length = u32::try_from(update.len()).unwrap_or(u32::MAX);
    blob.extend_from_slice(&length.to_le_bytes());
    blob.extend_from_slice(update);
}

/// The ranges of the updates in a blob, of which there must be `count`.
pub(crate) fn split_updates(blob: &[u8], count: u32) -> Result<Vec<std::ops::Range<usize>>, Unreadable> {
    let mut fields = Fields(blob);
    let mut ranges = Vec::new();
    for _ in 0..count {
        let length = usize::try_from(fields.u32()?).map_err(|_| Unreadable::Malformed)?;
        let start = blob.len().saturating_sub(fields.0.len());
        fields.bytes(length)?;
        ranges.push(start..start.saturating_add(length));
    }
    fields.end()?;
    Ok(ranges)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn board(id: &str) -> BoardId {
        BoardId::parse(id).unwrap()
    }

    fn live() -> LiveBoard {
        LiveBoard {
            record: BoardRecord {
                owner: UserId::parse("alice"),
                title: Some("plan".into()),
                created_at: UnixMillis(1),
                updated_at: UnixMillis(2),
            },
            last_sequence: 9,
            covers: 7,
            snapshot_bytes: Some(0),
        }
    }

    #[test]
    fn records_round_trip_and_any_flipped_bit_is_found() {
        let bare = LiveBoard::new(None, Some(String::new()), UnixMillis(5));
        for row in [
            BoardRow::Live(live()),
            BoardRow::Live(bare),
            BoardRow::Tombstone(UnixMillis(3)),
        ] {
            let value = row.encode(b"b");
            assert_eq!(BoardRow::decode(b"b", &value), Ok(row));
            for bit in 0..value.len() * 8 {
                let mut rotten = value.clone();
                rotten[bit / 8] ^= 1 << (bit % 8);
                assert_eq!(
                    BoardRow::decode(b"b", &rotten),
                    Err(Unreadable::Checksum),
                    "bit {bit}"
                );
            }
            for length in 0..value.len() {
                assert!(BoardRow::decode(b"b", &value[..length]).is_err());
            }
            assert_eq!(
                BoardRow::decode(b"c", &value),
                Err(Unreadable::Checksum),
                "another board's row"
            );
        }
    }

    #[test]
    fn a_row_of_a_later_format_is_named() {
        let mut value = vec![2];
        value.extend_from_slice(&checksum(Tag::Board, b"b", 2, &[b"new"]));
        value.extend_from_slice(b"new");
        assert_eq!(BoardRow::decode(b"b", &value), Err(Unreadable::RowFormat(2)));
    }

    #[test]
    fn a_row_that_was_sealed_wrong_is_malformed() {
        for body in [&b""[..], &[2], &[0, 1, 2], &[1, 0, 0, 0, 0, 0, 0, 0, 0, 9]] {
            let value = seal(Tag::Board, b"b", &[body]);
            assert_eq!(
                BoardRow::decode(b"b", &value),
                Err(Unreadable::Malformed),
                "{body:?}"
            );
        }
        let value = seal(Tag::Update, b"k", &[&[0; 8]]);
        assert_eq!(
            Chunk::decode(Tag::Update, b"k", &value),
            Err(Unreadable::Malformed),
            "no parts"
        );
    }

    #[test]
    fn texts_are_kept_up_to_their_bound_and_cut_at_a_character() {
        for (length, kept) in [
            (0, 0),
            (TEXT_BYTES_MAX - 1, TEXT_BYTES_MAX - 1),
            (TEXT_BYTES_MAX, TEXT_BYTES_MAX),
            (TEXT_BYTES_MAX + 1, TEXT_BYTES_MAX),
        ] {
            let row = BoardRow::Live(LiveBoard::new(None, Some("x".repeat(length)), UnixMillis(0)));
            let BoardRow::Live(back) = BoardRow::decode(b"b", &row.encode(b"b")).unwrap() else {
                panic!("not live");
            };
            assert_eq!(back.record.title.unwrap().len(), kept);
        }
        let wide = LiveBoard::new(None, Some("\u{20ac}".repeat(30_000)), UnixMillis(0));
        assert!(BoardRow::decode(b"b", &BoardRow::Live(wide).encode(b"b")).is_ok());
    }

    #[test]
    fn chunk_keys_sort_by_board_sequence_and_part_and_stay_inside_their_board() {
        let mut keys = Vec::new();
        for id in ["a", "a-", "a-b", "a0", "aa", "b", "~"] {
            for sequence in [0, 1, 255, 256, u64::MAX] {
                for part in [0, 1, u32::MAX] {
                    let key = chunk_key(&board(id), sequence, part);
                    assert_eq!(parse_chunk_key(&key), Ok((board(id), sequence, part)));
                    assert!(key < chunks_end(&board(id)));
                    keys.push(key);
                }
            }
        }
        assert!(keys.is_sorted());
        for other in ["a", "a-", "a-b", "a0", "aa"] {
            assert!(keys.iter().filter(|key| **key >= chunk_key(&board(other), 0, 0) && **key < chunks_end(&board(other))).count() == 15);
        }
        for bad in [&b""[..], &[0; 12], &[0; 13], b"a\x01aaaabbbbcccc"] {
            assert_eq!(parse_chunk_key(bad), Err(Unreadable::Malformed));
        }
    }

    #[test]
    fn blobs_of_updates_split_into_what_went_in() {
        let mut blob = Vec::new();
        for update in [&b"one"[..], b"", b"three"] {
            push_update(&mut blob, update);
        }
        let parts: Vec<&[u8]> = split_updates(&blob, 3)
            .unwrap()
            .into_iter()
            .map(|range| &blob[range])
            .collect();
        assert_eq!(parts, [&b"one"[..], b"", b"three"]);
        for count in [0, 2, 4] {
            assert_eq!(split_updates(&blob, count), Err(Unreadable::Malformed));
        }
        assert_eq!(
            split_updates(&blob[..blob.len() - 1], 3),
            Err(Unreadable::Malformed)
        );
    }

    #[test]
    fn an_id_is_free_only_between_two_that_follow_each_other() {
        let value = encode_next(b"b", b"d");
        for (id, free) in [
            (&b"a"[..], false),
            (b"b", false),
            (b"c", true),
            (b"d", false),
            (b"e", false),
        ] {
            assert_eq!(leaves_free(b"b", &value, id), Ok(free));
        }
        assert_eq!(
            leaves_free(b"", &encode_next(b"", b""), b"a"),
            Ok(true),
            "the empty chain"
        );
        assert_eq!(
            leaves_free(b"d", &encode_next(b"d", b""), b"e"),
            Ok(true),
            "after the last"
        );
        assert_eq!(
            leaves_free(b"a", &value, b"c"),
            Err(Unreadable::Checksum),
            "under another key"
        );
    }

    #[test]
    fn a_chunk_knows_its_table() {
        let chunk = Chunk {
            parts: 2,
            updates: 3,
            bytes: b"state",
        };
        let value = chunk.encode(Tag::Update, b"k");
        assert_eq!(Chunk::decode(Tag::Update, b"k", &value), Ok(chunk));
        assert_eq!(
            Chunk::decode(Tag::Snapshot, b"k", &value),
            Err(Unreadable::Checksum)
        );
    }
}
