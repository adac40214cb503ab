//! Logs of LevelDB: records in blocks, and the batches of entries in them.
//!
//! Must not know which log counts. Key invariant: a record is read whole, by its checksum, or the log is not
//! read. Tests: those of `leveldb`.
//!
//! ```text
//! block  = 32 KiB of parts, and less than a head of them left free; the last one ends where it ends
//! part   = checksum of what follows but the length (u32 le), length (u16 le), kind, bytes
//! kind   = 1 a whole record | 2 its first part | 3 one within | 4 its last part
//! batch  = number of its first entry (u64 le), how many (u32 le), entries
//! entry  = 1, key, value | 0, key that is no more; each behind its length
//! ```
#![deny(clippy::arithmetic_side_effects, clippy::cast_possible_truncation)]

use super::bytes::{le_u32, le_u64, piece, sum, text};
use super::{Budget, Fault, Words, Written};

const BLOCK_BYTES: usize = 32 * 1024;

const HEAD_BYTES: usize = 7;

/// Reads the entries of a log.
pub(super) fn read(bytes: &[u8], words: &mut Words, budget: &mut Budget) -> Result<(), Fault> {
    records(bytes, budget, |record, budget| batch(record, words, budget))
}

/// Gives each record of a log.
pub(super) fn records(
    bytes: &[u8],
    budget: &mut Budget,
    mut each: impl FnMut(&[u8], &mut Budget) -> Result<(), Fault>,
) -> Result<(), Fault> {
    // Of a record in parts those that came.
    let mut open: Option<Vec<u8>> = None;
    for block in bytes.chunks(BLOCK_BYTES) {
        let mut rest = block;
        while rest.len() >= HEAD_BYTES {
            let (kind, data) = part(&mut rest, block.len())?;
            if kind != 1 {
                budget.take(data.len())?;
            }
            match (kind, open.as_mut()) {
                (1, None) => each(data, budget)?,
                (2, None) => open = Some(data.to_vec()),
                (3, Some(begun)) => begun.extend_from_slice(data),
                (4, Some(begun)) => {
                    begun.extend_from_slice(data);
                    each(begun, budget)?;
                    open = None;
                }
                _ => return Err(Fault::Damaged),
            }
        }
        if block.len() < BLOCK_BYTES && !rest.is_empty() {
            return Err(Fault::Cut);
        }
    }
    match open {
        Some(_) => Err(Fault::Cut),
        None => Ok(()),
    }
}

/// Takes a part of a record; its block has so many bytes.
fn part<'a>(rest: &mut &'a [u8], block_bytes: usize) -> Result<(u8, &'a [u8]), Fault> {
    let stored = le_u32(rest).ok_or(Fault::Cut)?;
    let head = piece(rest, 3).ok_or(Fault::Cut)?;
    let &[low, high, kind] = head else {
        return Err(Fault::Damaged);
    };
    let Some(data) = piece(rest, usize::from(u16::from_le_bytes([low, high]))) else {
        return Err(match block_bytes < BLOCK_BYTES {
            true => Fault::Cut,
            false => Fault::Damaged,
        });
    };
    match sum([&[kind], data]) == stored {
        true => Ok((kind, data)),
        false => Err(Fault::Damaged),
    }
}

/// Reads a batch.
pub(crate) fn batch(record: &[u8], words: &mut Words, budget: &mut Budget) -> Result<(), Fault> {
    read_batch(record, |written| words.hear(&written, budget)).unwrap_or(Err(Fault::Damaged))
}

/// `None` where it is none.
fn read_batch(
    mut record: &[u8],
    mut each: impl FnMut(Written<'_>) -> Result<(), Fault>,
) -> Option<Result<(), Fault>> {
    let mut number = le_u64(&mut record)?;
    let mut left = le_u32(&mut record)?;
    while let Some((kind, rest)) = record.split_first() {
        record = rest;
        let key = text(&mut record)?;
        let value = match kind {
            0 => None,
            1 => Some(text(&mut record)?),
            _ => return None,
        };
        if let Err(fault) = each(Written { key, number, value }) {
            return Some(Err(fault));
        }
        number = number.checked_add(1)?;
        left = left.checked_sub(1)?;
    }
    (left == 0).then_some(Ok(()))
}
