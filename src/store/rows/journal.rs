//! The rows of the journal: what one commit added to boards.
//!
//! Owns [`Run`] and the order of its bytes. Must not know the engine. Key invariant: what another board has
//! in a blob is passed over without being looked at. Tests: `tests.rs`.

use super::super::Damage;
use super::{Fields, parse_board, push_text};
use crate::ids::BoardId;
use crate::time::UnixMillis;

/// What one commit added to one board.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Run<'a> {
    /// Which.
    pub(crate) board: BoardId,
    /// The sequence of the first update.
    pub(crate) first: u64,
    /// How many there are; their sequences count up.
    pub(crate) updates: u32,
    /// When the board changed last by them.
    pub(crate) at: UnixMillis,
    /// The updates, as in a blob of `updates`.
    pub(crate) bytes: &'a [u8],
}

impl<'a> Run<'a> {
    /// Appends it to the blob of its commit.
    pub(crate) fn push(&self, blob: &mut Vec<u8>) {
        push_text(blob, Some(self.board.as_str()));
        blob.extend_from_slice(&self.first.to_le_bytes());
        blob.extend_from_slice(&self.updates.to_le_bytes());
        blob.extend_from_slice(&self.at.0.to_le_bytes());
        // A commit is bounded far below 4 GiB.
        let length = u32::try_from(self.bytes.len()).unwrap_or(u32::MAX);
        blob.extend_from_slice(&length.to_le_bytes());
        blob.extend_from_slice(self.bytes);
    }

    fn read(fields: &mut Fields<'a>) -> Result<Self, Damage> {
        let board = fields.parsed(|text| parse_board(text.as_bytes()))?;
        let (first, updates) = (fields.u64()?, fields.u32()?);
        let at = UnixMillis(fields.u64()?);
        let length = usize::try_from(fields.u32()?).map_err(|_| Damage::Malformed)?;
        let bytes = fields.bytes(length)?;
        if updates == 0 || first.checked_add(u64::from(updates)).is_none() {
            return Err(Damage::Malformed);
        }
        Ok(Self {
            board,
            first,
            updates,
            at,
            bytes,
        })
    }
}

/// All that a blob of the journal has.
pub(crate) fn runs(blob: &[u8]) -> Result<Vec<Run<'_>>, Damage> {
    let (mut fields, mut runs) = (Fields(blob), Vec::new());
    while !fields.0.is_empty() {
        runs.push(Run::read(&mut fields)?);
    }
    Ok(runs)
}
