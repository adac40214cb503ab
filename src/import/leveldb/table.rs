//! Tables of LevelDB: sorted entries in packed blocks.
//!
//! Must not know which table counts. Key invariants: a block is read whole, by its checksum, or the table is
//! not read; each is read once. Tests: those of `leveldb`.
//!
//! ```text
//! table   = blocks, an index of them (a block too: the last key of each, and its place), foot
//! foot    = place of a block of others, place of the index, free, magic; 48 bytes
//! place   = offset, bytes
//! block   = content, kind (0 plain | 1 snappy), checksum of both (u32 le)
//! content = entries, places where a key is whole (u32 le each), how many of these (u32 le)
//! entry   = bytes that its key shares with the one before, bytes of the rest of it, bytes of the value,
//!           the rest of the key, the value
//! key     = the key, its number (u56 le) and kind (0 is no more | 1 has this value)
//! ```
#![deny(clippy::arithmetic_side_effects, clippy::cast_possible_truncation)]

use std::borrow::Cow;

use super::bytes::{le_u32, le_u64, length, piece, sum};
use super::{Budget, Fault, Words, Written};

const FOOT_BYTES: usize = 48;

const MAGIC: u64 = 0xdb47_7524_8b80_fb57;

/// What stands behind the content of a block.
const TRAILER_BYTES: usize = 5;

/// Where a block is.
#[derive(Clone, Copy, Debug)]
struct Place {
    offset: usize,
    bytes: usize,
}

impl Place {
    fn read(bytes: &mut &[u8]) -> Option<Self> {
        Some(Self {
            offset: length(bytes)?,
            bytes: length(bytes)?,
        })
    }

    /// Where what comes behind it begins.
    fn end(self) -> Option<usize> {
        self.offset.checked_add(self.bytes)?.checked_add(TRAILER_BYTES)
    }
}

/// Reads the entries of a table.
pub(super) fn read(bytes: &[u8], words: &mut Words, budget: &mut Budget) -> Result<(), Fault> {
    let index = index_of(bytes).ok_or(Fault::Damaged)?;
    let index = block(bytes, index, budget)?;
    let mut places = Vec::new();
    entries(&index, budget, |_, mut value, _| {
        places.push(Place::read(&mut value).ok_or(Fault::Damaged)?);
        Ok(())
    })?;
    let mut begin = 0;
    for place in places {
        // So none is read twice.
        if place.offset < begin {
            return Err(Fault::Damaged);
        }
        begin = place.end().ok_or(Fault::Damaged)?;
        let content = block(bytes, place, budget)?;
        entries(&content, budget, |key, value, budget| {
            let written = written(key, value).ok_or(Fault::Damaged)?;
            words.hear(&written, budget)
        })?;
    }
    Ok(())
}

fn index_of(bytes: &[u8]) -> Option<Place> {
    let mut foot = bytes.get(bytes.len().checked_sub(FOOT_BYTES)?..)?;
    let mut places = piece(&mut foot, FOOT_BYTES.checked_sub(8)?)?;
    Place::read(&mut places)?;
    let index = Place::read(&mut places)?;
    (le_u64(&mut foot)? == MAGIC).then_some(index)
}

/// The content of a block.
fn block<'a>(bytes: &'a [u8], place: Place, budget: &mut Budget) -> Result<Cow<'a, [u8]>, Fault> {
    let whole = place.end().and_then(|end| bytes.get(place.offset..end));
    let (content, mut trailer) = whole
        .and_then(|whole| whole.split_at_checked(place.bytes))
        .ok_or(Fault::Damaged)?;
    let kind = piece(&mut trailer, 1).ok_or(Fault::Damaged)?;
    if le_u32(&mut trailer) != Some(sum([content, kind])) {
        return Err(Fault::Damaged);
    }
    match kind {
        [0] => Ok(Cow::Borrowed(content)),
        [1] => {
            let unpacked = snap::raw::decompress_len(content).map_err(|_| Fault::Damaged)?;
            budget.take(unpacked)?;
            let unpacked = snap::raw::Decoder::new().decompress_vec(content);
            unpacked.map(Cow::Owned).map_err(|_| Fault::Damaged)
        }
        _ => Err(Fault::Packed),
    }
}

/// Gives each entry of a block: its key, and its value.
pub(crate) fn entries(
    content: &[u8],
    budget: &mut Budget,
    mut each: impl FnMut(&[u8], &[u8], &mut Budget) -> Result<(), Fault>,
) -> Result<(), Fault> {
    let mut rest = without_places(content).ok_or(Fault::Damaged)?;
    let mut key = Vec::new();
    while !rest.is_empty() {
        let value = entry(&mut rest, &mut key).ok_or(Fault::Damaged)?;
        // A key of many bytes may take three of the file.
        budget.take(key.len())?;
        each(&key, value, budget)?;
    }
    Ok(())
}

fn without_places(content: &[u8]) -> Option<&[u8]> {
    let (rest, mut count) = content.split_at_checked(content.len().checked_sub(4)?)?;
    let places = usize::try_from(le_u32(&mut count)?).ok()?.checked_mul(4)?;
    rest.get(..rest.len().checked_sub(places)?)
}

/// Takes an entry: makes `key` its key, and gives its value.
fn entry<'a>(rest: &mut &'a [u8], key: &mut Vec<u8>) -> Option<&'a [u8]> {
    let (shared, own, value) = (length(rest)?, length(rest)?, length(rest)?);
    if shared > key.len() {
        return None;
    }
    key.truncate(shared);
    key.extend_from_slice(piece(rest, own)?);
    piece(rest, value)
}

fn written<'a>(key: &'a [u8], value: &'a [u8]) -> Option<Written<'a>> {
    let (key, tail) = key.split_last_chunk::<8>()?;
    let tail = u64::from_le_bytes(*tail);
    Some(Written {
        key,
        number: tail >> 8,
        value: match tail & 0xff {
            0 => None,
            1 => Some(value),
            _ => return None,
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block_of(content: &[u8], kind: u8) -> Result<Vec<u8>, Fault> {
        let stored = sum([content, &[kind]]).to_le_bytes();
        let bytes = [content, &[kind], &stored].concat();
        let place = Place {
            offset: 0,
            bytes: content.len(),
        };
        block(&bytes, place, &mut Budget::new(1_000)).map(Cow::into_owned)
    }

    #[test]
    fn blocks_are_unpacked_within_the_budget_or_not_known() {
        let packed = |bytes: usize| snap::raw::Encoder::new().compress_vec(&vec![7; bytes]).unwrap();
        assert_eq!(block_of(b"plain", 0), Ok(b"plain".to_vec()));
        assert_eq!(block_of(&packed(1_000), 1), Ok(vec![7; 1_000]));
        assert_eq!(block_of(&packed(1_001), 1), Err(Fault::Large));
        // Only announced.
        assert_eq!(block_of(&[0xff, 0xff, 0xff, 0xff, 0x0f], 1), Err(Fault::Large));
        assert_eq!(block_of(b"\x05no", 1), Err(Fault::Damaged));
        // LevelDB of late may pack by zstd.
        assert_eq!(block_of(b"x", 2), Err(Fault::Packed));
    }

    #[test]
    fn a_short_entry_with_a_long_key_costs_what_the_key_does() {
        let mut content = vec![0, 100, 0];
        content.extend([b'k'; 100]);
        for _ in 0..100 {
            content.extend([100, 0, 0]);
        }
        content.extend([0; 4]);
        let run = |most| {
            let mut count = 0;
            let each = |_: &[u8], _: &[u8], _: &mut Budget| {
                count += 1;
                Ok(())
            };
            entries(&content, &mut Budget::new(most), each).map(|()| count)
        };
        assert_eq!((run(10_100), run(10_099)), (Ok(101), Err(Fault::Large)));
    }
}
