//! What rows a board has in a table, in sixteen bytes.
//!
//! Owns [`Tally`], which a board's record keeps of each table that decides about its content or about access.
//! Must not know keys, nor look into rows. Key invariant: a tally of the rows that were written is that of
//! the rows that are read, in whatever order, or a row is missing, too many, or not the one that was written
//! last. Tests are below.

use super::{ENVELOPE_BYTES, Tag, unseal};

/// Whether a row is what was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rot {
    /// It is.
    Intact,
    /// It is not.
    Rotten,
}

/// How many rows there are, and the sum of their checksums.
///
/// Each checksum is over table, key and content, so two sums agree by chance once in 2^64.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    /// Rows.
    pub(crate) rows: u64,
    /// The sum of their checksums, modulo 2^64.
    pub(crate) sum: u64,
}

impl Tally {
    /// Counts a row.
    pub(crate) fn add(&mut self, value: &[u8]) {
        self.rows = self.rows.wrapping_add(1);
        self.sum = self.sum.wrapping_add(checksum_of(value));
    }

    /// Counts a row no more. Of one that was never counted it makes a tally that nothing agrees with.
    pub(crate) fn remove(&mut self, value: &[u8]) {
        self.rows = self.rows.wrapping_sub(1);
        self.sum = self.sum.wrapping_sub(checksum_of(value));
    }

    /// As [`Self::remove`]; and whether the row is what was written.
    pub(crate) fn remove_checked(&mut self, tag: Tag, key: &[u8], value: &[u8]) -> Rot {
        self.remove(value);
        match unseal(tag, key, value) {
            Ok(_) => Rot::Intact,
            Err(_) => Rot::Rotten,
        }
    }

    /// Counts the rows of another tally too.
    pub(crate) fn join(&mut self, other: Self) {
        self.rows = self.rows.wrapping_add(other.rows);
        self.sum = self.sum.wrapping_add(other.sum);
    }
}

/// The checksum that a value says it has; where it is too short for one, none that a row has but by chance.
fn checksum_of(value: &[u8]) -> u64 {
    let stored = value
        .get(1..ENVELOPE_BYTES)
        .and_then(|bytes| bytes.try_into().ok());
    stored.map_or(0, u64::from_le_bytes)
}

/// The tallies of a board.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tallies {
    /// Of `snapshots`.
    pub(crate) snapshots: Tally,
    /// Of `updates`.
    pub(crate) updates: Tally,
    /// Of `grants`.
    pub(crate) grants: Tally,
    /// Of `links`.
    pub(crate) links: Tally,
    /// Of `keys`.
    pub(crate) keys: Tally,
}

impl Tallies {
    /// All of them, in the order in which they are written.
    pub(crate) fn all(&self) -> [&Tally; 5] {
        [
            &self.snapshots,
            &self.updates,
            &self.grants,
            &self.links,
            &self.keys,
        ]
    }

    /// All of them, in the order in which they are written.
    pub(crate) fn all_mut(&mut self) -> [&mut Tally; 5] {
        [
            &mut self.snapshots,
            &mut self.updates,
            &mut self.grants,
            &mut self.links,
            &mut self.keys,
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::super::seal;
    use super::*;

    #[test]
    fn the_tally_is_of_the_rows_and_not_of_their_order() {
        let rows: Vec<Vec<u8>> = (0..4_u8).map(|n| seal(Tag::Grant, &[n], &[b"x"])).collect();
        let tally = |rows: &[&Vec<u8>]| {
            let mut tally = Tally::default();
            rows.iter().for_each(|row| tally.add(row));
            tally
        };
        let [a, b, c, d] = [&rows[0], &rows[1], &rows[2], &rows[3]];
        assert_eq!(tally(&[a, b, c]), tally(&[c, a, b]));
        for other in [&[a, b][..], &[a, b, d], &[a, b, c, d], &[a, a, b], &[]] {
            assert_ne!(tally(&[a, b, c]), tally(other));
        }
        let mut less = tally(&[a, b, c]);
        less.remove(b);
        assert_eq!(less, tally(&[a, c]));
        less.add(&seal(Tag::Grant, &[1], &[b"y"]));
        assert_ne!(less, tally(&[a, b, c]), "another content under the same key");
    }

    #[test]
    fn what_is_too_short_for_a_checksum_is_counted_all_the_same() {
        let mut tally = Tally::default();
        tally.add(&[1; 8]);
        assert_eq!(tally, Tally { rows: 1, sum: 0 });
        tally.remove(&[]);
        assert_eq!(tally, Tally::default());
    }
}
