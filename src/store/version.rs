//! Versions of a board as they are kept: states of it, cut into chunks that they share.
//!
//! Owns [`StoredVersion`], [`NewVersion`], and where a state is cut. Must not know when a version is made,
//! nor which ones go. Key invariants: the chunks of a version, one after the other, are its state; of a
//! board, each chunk is kept once, under the SHA-256 of its bytes; where a state is cut depends on the bytes
//! around the cut alone, so that what an edit leaves as it was is cut as it was. Tests: below,
//! `contract/versions.rs`.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use bytes::Bytes;
use sha2::{Digest as _, Sha256};

use crate::ids::{BoardId, Subject};
use crate::limits;
use crate::time::UnixMillis;

/// The id of a version: greater than that of each older one of its board.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct VersionId(pub u64);

impl VersionId {
    /// Reads the id as clients see it.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let is_number = text.len() <= 20 && text.bytes().all(|byte| byte.is_ascii_digit());
        let number = text.parse().ok().filter(|_| is_number)?;
        // What a database keeps is not larger.
        i64::try_from(number).ok().map(|_| Self(number))
    }
}

impl fmt::Display for VersionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Why a version was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum VersionKind {
    /// Somebody asked for it.
    Named,
    /// By itself, now and then.
    Automatic,
    /// By itself, before half of the board was deleted.
    BeforeDeletion,
    /// By itself, before another version was restored.
    BeforeRestore,
}

impl VersionKind {
    /// Every kind.
    pub const ALL: [Self; 4] = [
        Self::Named,
        Self::Automatic,
        Self::BeforeDeletion,
        Self::BeforeRestore,
    ];

    /// The kind in words for clients; it is also what is stored.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Named => "named",
            Self::Automatic => "automatic",
            Self::BeforeDeletion => "before_deletion",
            Self::BeforeRestore => "before_restore",
        }
    }

    /// Reads the word.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }
}

/// The SHA-256 of a chunk.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ChunkHash(pub [u8; 32]);

impl ChunkHash {
    /// Of these bytes.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }
}

impl fmt::Debug for ChunkHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().take(4).try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// A chunk of a version's state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Piece {
    /// Which.
    pub hash: ChunkHash,
    /// Its length; 1 to [`limits::VERSION_CHUNK_BYTES_MAX`].
    pub bytes: u32,
}

/// Bytes that a piece takes in the row of its version.
pub const PIECE_BYTES: usize = 36;

/// A version, without the bytes of its state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredVersion {
    /// Its id, of which a board has one.
    pub id: VersionId,
    /// Why it was made.
    pub kind: VersionKind,
    /// When the board was so.
    pub at: UnixMillis,
    /// Its name, if somebody gave one; at most `limits::VERSION_NAME_BYTES_MAX`.
    pub name: Option<String>,
    /// Who made it, if it did not make itself.
    pub by: Option<Subject>,
    /// Its state.
    pub pieces: Vec<Piece>,
}

impl StoredVersion {
    /// Bytes of its state.
    #[must_use]
    pub fn state_bytes(&self) -> u64 {
        let pieces = self.pieces.iter();
        pieces.fold(0, |sum, piece| sum.saturating_add(u64::from(piece.bytes)))
    }
}

/// A version that is to be kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewVersion {
    /// Of which board.
    pub board: BoardId,
    /// What it is.
    pub version: StoredVersion,
    /// The bytes of its pieces, in their order.
    pub chunks: Vec<Bytes>,
    /// Versions that go when it comes; of those that are not there nothing is said.
    pub forgotten: Vec<VersionId>,
}

/// Bytes that versions take together: each chunk once, and of each version the list of its chunks.
#[must_use]
pub fn bytes_of<'v>(versions: impl IntoIterator<Item = &'v StoredVersion>) -> u64 {
    let mut chunks = BTreeMap::new();
    let mut lists = 0_usize;
    for version in versions {
        lists = lists.saturating_add(version.pieces.len().saturating_mul(PIECE_BYTES));
        chunks.extend(version.pieces.iter().map(|piece| (piece.hash, piece.bytes)));
    }
    let lists = u64::try_from(lists).unwrap_or(u64::MAX);
    let chunks = chunks.into_values();
    chunks.fold(lists, |sum, bytes| sum.saturating_add(u64::from(bytes)))
}

/// Puts a state together.
#[must_use]
pub fn joined(version: &StoredVersion, chunks: &BTreeMap<ChunkHash, Bytes>) -> Option<Bytes> {
    let mut state = Vec::new();
    for piece in &version.pieces {
        let chunk = chunks.get(&piece.hash)?;
        if usize::try_from(piece.bytes) != Ok(chunk.len()) {
            return None;
        }
        state.extend_from_slice(chunk);
    }
    Some(state.into())
}

/// What stands before the SHA-256 of an asset in the address of one.
const ASSET: &[u8] = b"/assets/";

/// Letters of a SHA-256.
const HEX_BYTES: usize = 64;

/// The assets that versions name, by their SHA-256 in hexadecimal: each place in a state where an address of
/// one stands, also where two chunks meet. What two versions share is looked through once.
#[must_use]
pub fn assets_named(versions: &[StoredVersion], chunks: &BTreeMap<ChunkHash, Bytes>) -> BTreeSet<String> {
    let mut named = BTreeSet::new();
    chunks.values().for_each(|chunk| find_assets(chunk, &mut named));
    let pieces = versions.iter().map(|version| version.pieces.as_slice());
    let seams: BTreeSet<(ChunkHash, ChunkHash)> = pieces
        .flat_map(|pieces| pieces.iter().zip(pieces.iter().skip(1)))
        .map(|(before, after)| (before.hash, after.hash))
        .collect();
    for (before, after) in seams {
        let (Some(before), Some(after)) = (chunks.get(&before), chunks.get(&after)) else {
            continue;
        };
        let reach = ASSET.len().saturating_add(HEX_BYTES);
        let from = before.len().saturating_sub(reach);
        let seam: Vec<u8> = (before.iter().skip(from))
            .chain(after.iter().take(reach))
            .copied()
            .collect();
        find_assets(&seam, &mut named);
    }
    named
}

fn find_assets(bytes: &[u8], named: &mut BTreeSet<String>) {
    let is_hex = |byte: &u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(byte);
    for window in bytes.windows(ASSET.len().saturating_add(HEX_BYTES)) {
        if let Some(hex) = window.strip_prefix(ASSET).filter(|hex| hex.iter().all(is_hex)) {
            named.insert(String::from_utf8_lossy(hex).into_owned());
        }
    }
}

/// Cuts a state into chunks, and says which they are.
#[must_use]
pub fn cut(state: &Bytes) -> (Vec<Piece>, Vec<Bytes>) {
    let gear: [u64; 256] = std::array::from_fn(mixed);
    let (mut pieces, mut chunks) = (Vec::new(), Vec::new());
    let mut rest = state.clone();
    while !rest.is_empty() {
        let chunk = rest.split_to(cut_after(&rest, &gear));
        pieces.push(Piece {
            hash: ChunkHash::of(&chunk),
            bytes: u32::try_from(chunk.len()).unwrap_or(u32::MAX),
        });
        chunks.push(chunk);
    }
    (pieces, chunks)
}

/// Bytes that decide about a cut: those before it.
const WINDOW: usize = 64;

/// A cut comes after one window in 2 to the power of this.
const CUT_BITS: u32 = 13;

/// How long the first chunk is of bytes that are not none.
///
/// # Source
/// The gear hash of W. Xia et al., "FastCDC" (USENIX ATC 2016): each byte is forgotten after 64 more.
fn cut_after(bytes: &[u8], gear: &[u64; 256]) -> usize {
    let most = bytes.len().min(limits::VERSION_CHUNK_BYTES_MAX);
    let least = limits::VERSION_CHUNK_BYTES_MIN;
    let mut hash = 0_u64;
    let window = bytes.iter().enumerate().take(most);
    for (at, byte) in window.skip(least.saturating_sub(WINDOW)) {
        let mixed = gear.get(usize::from(*byte)).copied().unwrap_or_default();
        hash = (hash << 1).wrapping_add(mixed);
        if at >= least && hash >> (u64::BITS - CUT_BITS) == 0 {
            return at + 1;
        }
    }
    most
}

/// A number that looks random, always the same of the same number (splitmix64).
fn mixed(number: usize) -> u64 {
    let mut mixed = u64::try_from(number)
        .unwrap_or_default()
        .wrapping_add(1)
        .wrapping_mul(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Bytes that look random.
    fn noise(length: usize, seed: usize) -> Vec<u8> {
        (0..length)
            .map(|n| mixed(seed.wrapping_mul(1 << 40) + n) as u8)
            .collect()
    }

    #[test]
    fn chunks_are_the_state_and_of_the_lengths_that_they_may_have() {
        let (least, most) = (limits::VERSION_CHUNK_BYTES_MIN, limits::VERSION_CHUNK_BYTES_MAX);
        for state in [
            Vec::new(),
            vec![0; 1],
            vec![0; 300_000],
            noise(least, 1),
            noise(least + 1, 1),
            noise(most + 1, 2),
            noise(1_000_000, 3),
        ] {
            let state = Bytes::from(state);
            let (pieces, chunks) = cut(&state);
            assert_eq!(chunks.concat(), state);
            for (number, (piece, chunk)) in pieces.iter().zip(&chunks).enumerate() {
                assert_eq!(
                    (piece.hash, piece.bytes as usize),
                    (ChunkHash::of(chunk), chunk.len())
                );
                let is_last = number + 1 == chunks.len();
                assert!(
                    chunk.len() <= most && (is_last || chunk.len() > least),
                    "{}",
                    chunk.len()
                );
            }
            let version = StoredVersion {
                id: VersionId(1),
                kind: VersionKind::Named,
                at: UnixMillis(1),
                name: None,
                by: None,
                pieces: pieces.clone(),
            };
            assert_eq!(version.state_bytes(), state.len() as u64);
            let mut kept: BTreeMap<ChunkHash, Bytes> =
                pieces.iter().map(|piece| piece.hash).zip(chunks).collect();
            assert_eq!(joined(&version, &kept), Some(state));
            if kept.pop_first().is_some() {
                assert_eq!(joined(&version, &kept), None, "one is missing");
            }
        }
    }

    #[test]
    fn an_edit_anywhere_leaves_all_but_a_few_chunks_as_they_were() {
        let before = noise(2_000_000, 4);
        let of =
            |state: &[u8]| -> BTreeSet<Piece> { cut(&Bytes::copy_from_slice(state)).0.into_iter().collect() };
        let known = of(&before);
        assert!((80..200).contains(&known.len()), "{} chunks", known.len());
        for at in [0, 1, 777_777, 1_999_999] {
            for edit in [&b"inserted"[..], &[0; 5_000]] {
                let mut after = before.clone();
                after.splice(at..at, edit.iter().copied());
                let new = of(&after).difference(&known).count();
                assert!(new <= 4, "{new} new chunks after an edit at {at}");
                let mut after = before.clone();
                after.drain(at..(at + edit.len()).min(before.len()));
                let new = of(&after).difference(&known).count();
                assert!(new <= 4, "{new} new chunks after a deletion at {at}");
            }
        }
    }

    #[test]
    fn the_assets_that_a_version_names_are_found_also_where_chunks_meet() {
        let hex = |n: u8| format!("{n:02x}").repeat(32);
        for shift in 0..80 {
            let mut state = noise(limits::VERSION_CHUNK_BYTES_MAX - shift, 9);
            // No window of these is a cut by chance, or it is one all the same.
            state.extend_from_slice(format!("\"/v1/boards/a/assets/{}\"", hex(7)).as_bytes());
            state.extend_from_slice(&noise(20_000, 8));
            state.extend_from_slice(format!("/assets/{}/assets/{}", hex(0xab), &hex(3)[1..]).as_bytes());
            let (pieces, chunks) = cut(&state.into());
            let kept = pieces.iter().map(|piece| piece.hash).zip(chunks).collect();
            let version = StoredVersion {
                id: VersionId(1),
                kind: VersionKind::Named,
                at: UnixMillis(1),
                name: None,
                by: None,
                pieces,
            };
            assert_eq!(
                assets_named(&[version], &kept),
                BTreeSet::from([hex(7), hex(0xab)]),
                "{shift}"
            );
        }
        assert_eq!(assets_named(&[], &BTreeMap::new()), BTreeSet::new());
    }

    #[test]
    fn an_id_reads_as_it_is_written() {
        for text in ["0", "7", "1795000000000", "9223372036854775807"] {
            assert_eq!(
                VersionId::parse(text).map(|id| id.to_string()).as_deref(),
                Some(text)
            );
        }
        for text in [
            "",
            "-1",
            "+1",
            "1.0",
            "x",
            "9223372036854775808",
            "99999999999999999999999",
        ] {
            assert_eq!(VersionId::parse(text), None, "{text}");
        }
        for kind in VersionKind::ALL {
            assert_eq!(VersionKind::parse(kind.as_str()), Some(kind));
        }
    }
}
