//! Assets as they are kept: the bytes in parts, and what each board calls an asset of its own.
//!
//! Owns [`StoredAsset`], and [`AssetChange`], by which one comes to be. Must not know what the bytes are. Key
//! invariants: an asset is there with all its parts, or not at all; parts that are no asset's are an
//! upload's, which is removed once it is over. Tests: `contract/assets.rs`.

use std::fmt;

use bytes::Bytes;

use crate::asset::{AssetHash, AssetKind};
use crate::ids::{BoardId, Subject};
use crate::limits;
use crate::time::UnixMillis;

/// Under what the parts of an upload are kept: random, so that no two are one.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct UploadId(pub [u8; 16]);

impl UploadId {
    /// Reads what `Debug` writes: 32 digits, in small letters.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let digits = text.as_bytes();
        let mut id = [0; 16];
        if digits.len() != 2 * id.len() {
            return None;
        }
        for (byte, pair) in id.iter_mut().zip(digits.chunks_exact(2)) {
            let digit = |at: usize| match pair.get(at)? {
                digit @ b'0'..=b'9' => Some(digit.wrapping_sub(b'0')),
                digit @ b'a'..=b'f' => Some(digit.wrapping_sub(b'a').wrapping_add(10)),
                _ => None,
            };
            *byte = digit(0)? << 4 | digit(1)?;
        }
        Some(Self(id))
    }
}

impl fmt::Debug for UploadId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// An asset of a board, without its bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredAsset {
    /// Its name.
    pub hash: AssetHash,
    /// Where its parts are.
    pub upload: UploadId,
    /// What it is.
    pub kind: AssetKind,
    /// How long it is.
    pub bytes: u64,
    /// Width and height in pixels, where they are known.
    pub size: Option<(u32, u32)>,
    /// Who brought it.
    pub created_by: Subject,
    /// When.
    pub created_at: UnixMillis,
    /// When a record of the board was last seen to name it, or somebody brought it.
    pub named_at: UnixMillis,
}

impl StoredAsset {
    /// How many parts it has.
    #[must_use]
    pub fn parts(&self) -> u32 {
        let part = u64::try_from(limits::ASSET_PART_BYTES).unwrap_or(u64::MAX);
        u32::try_from(self.bytes.div_ceil(part)).unwrap_or(u32::MAX)
    }
}

/// A change of assets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AssetChange {
    /// Adds bytes to an upload. It belongs to no board yet, and whichever node may do it.
    Part {
        /// Which.
        upload: UploadId,
        /// Which part, from 0 on, in their order; the first one begins the upload.
        part: u32,
        /// [`limits::ASSET_PART_BYTES`] of them; of the last part fewer.
        bytes: Bytes,
        /// When.
        at: UnixMillis,
    },
    /// Gives up an upload.
    Drop(UploadId),
    /// Makes an upload that is whole an asset of a board.
    Finish {
        /// Whose.
        board: BoardId,
        /// What it is.
        asset: Box<StoredAsset>,
        /// Bytes that all assets of the board may have, inclusive.
        bytes_max: u64,
    },
    /// Notes that a board names these of its assets.
    Name {
        /// Which board.
        board: BoardId,
        /// What it names.
        hashes: Vec<AssetHash>,
        /// When.
        at: UnixMillis,
    },
    /// Removes those of these assets that were last named before `before`.
    Remove {
        /// Whose.
        board: BoardId,
        /// Which.
        hashes: Vec<AssetHash>,
        /// See there.
        before: UnixMillis,
    },
}

impl AssetChange {
    /// The board that it is about, if it is about one.
    #[must_use]
    pub fn board(&self) -> Option<&BoardId> {
        match self {
            Self::Part { .. } | Self::Drop(_) => None,
            Self::Finish { board, .. } | Self::Name { board, .. } | Self::Remove { board, .. } => Some(board),
        }
    }

    /// What it weighs in a queue, in bytes.
    #[must_use]
    pub fn weight(&self) -> usize {
        match self {
            Self::Part { bytes, .. } => bytes.len(),
            Self::Drop(_) | Self::Finish { .. } => 256,
            Self::Name { hashes, .. } | Self::Remove { hashes, .. } => hashes.len().saturating_mul(32),
        }
    }
}
