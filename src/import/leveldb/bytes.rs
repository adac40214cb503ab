//! Numbers and pieces of LevelDB's files, and their checksum.
//!
//! Must not know files. Key invariant: nothing is taken by a length that was only announced. Tests: those of
//! `leveldb`, and the known sum below.
#![deny(clippy::arithmetic_side_effects, clippy::cast_possible_truncation)]

/// Takes a number of seven bits a byte, the lowest first.
pub(super) fn varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut number: u64 = 0;
    for shift in (0..64).step_by(7) {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        let part = u64::from(byte & 0x7f);
        if shift == 63 && part > 1 {
            return None;
        }
        number |= part << shift;
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

/// Takes one that is a length or a place.
pub(crate) fn length(bytes: &mut &[u8]) -> Option<usize> {
    usize::try_from(varint(bytes)?).ok()
}

/// Takes as many bytes.
pub(super) fn piece<'a>(bytes: &mut &'a [u8], length: usize) -> Option<&'a [u8]> {
    let (piece, rest) = bytes.split_at_checked(length)?;
    *bytes = rest;
    Some(piece)
}

/// Takes bytes behind their length.
pub(super) fn text<'a>(bytes: &mut &'a [u8]) -> Option<&'a [u8]> {
    let length = length(bytes)?;
    piece(bytes, length)
}

/// Takes a number of four bytes.
pub(super) fn le_u32(bytes: &mut &[u8]) -> Option<u32> {
    let (head, rest) = bytes.split_first_chunk::<4>()?;
    *bytes = rest;
    Some(u32::from_le_bytes(*head))
}

/// Takes a number of eight bytes.
pub(super) fn le_u64(bytes: &mut &[u8]) -> Option<u64> {
    let (head, rest) = bytes.split_first_chunk::<8>()?;
    *bytes = rest;
    Some(u64::from_le_bytes(*head))
}

/// The checksum of these parts in a row, as LevelDB stores it: CRC-32C, turned and moved.
pub(super) fn sum(parts: [&[u8]; 2]) -> u32 {
    let mut crc = u32::MAX;
    for byte in parts.into_iter().flatten() {
        let [low, ..] = crc.to_le_bytes();
        // The table has a place for each byte.
        crc = CRC.get(usize::from(low ^ byte)).copied().unwrap_or(0) ^ (crc >> 8);
    }
    (!crc).rotate_right(15).wrapping_add(0xa282_ead8)
}

#[expect(clippy::indexing_slicing, reason = "a byte is below 256")]
const CRC: [u32; 256] = {
    let mut table = [0; 256];
    let mut byte: u32 = 0;
    while byte < 256 {
        let (mut crc, mut bit) = (byte, 0);
        while bit < 8 {
            crc = (crc >> 1) ^ (if crc & 1 == 1 { 0x82f6_3b78 } else { 0 });
            bit += 1;
        }
        table[byte as usize] = crc;
        byte += 1;
    }
    table
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sum_is_that_of_rfc_3720() {
        // Appendix B.4: 32 bytes of zeros.
        let plain = 0x8a91_36aa_u32;
        let stored = plain.rotate_right(15).wrapping_add(0xa282_ead8);
        assert_eq!(sum([&[0; 30], &[0; 2]]), stored);
    }

    #[test]
    fn numbers_end_where_they_end() {
        for (mut bytes, expected) in [
            (&[0x7f_u8][..], Some(0x7f)),
            (&[0x80, 1], Some(0x80)),
            (
                &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1],
                Some(u64::MAX),
            ),
            (&[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2], None),
            (&[0x80; 11], None),
            (&[0x80], None),
            (&[], None),
        ] {
            assert_eq!(varint(&mut bytes), expected);
        }
    }
}
