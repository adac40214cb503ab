//! State vectors: how far somebody knows each client.
//!
//! Owns [`StateVector`], borrowed from the bytes of a sync step 1. Must not know boards. Key invariant:
//! parsing allocates nothing, whatever count the peer claims. Tests at the end of the file; fuzz body in
//! `fuzzing`.
#![deny(clippy::arithmetic_side_effects, clippy::cast_possible_truncation)]

use super::Reason;
use crate::lib0::{Reader, put_number};
use crate::limits;

/// A state vector whose bytes were checked.
///
/// # Shape
/// Pairs of client id and clock; a later pair of a client replaces an earlier one. Clocks beyond
/// `limits::CLOCK_MAX` read as that.
#[derive(Clone, Copy, Debug)]
pub struct StateVector<'a> {
    pairs: &'a [u8],
}

impl<'a> StateVector<'a> {
    /// Knows nothing.
    pub const EMPTY: StateVector<'static> = StateVector { pairs: &[] };

    /// Checks the bytes of a state vector (Yjs `encodeStateVector`, v1).
    ///
    /// # Errors
    /// [`Reason::Truncated`], [`Reason::OverLongNumber`], [`Reason::NumberTooLarge`],
    /// [`Reason::TrailingBytes`].
    pub fn parse(bytes: &'a [u8]) -> Result<Self, Reason> {
        let mut reader = Reader::new(bytes);
        let count = reader.count()?;
        let pairs = reader.rest();
        for _ in 0..count {
            reader.number()?;
            reader.number()?;
        }
        if !reader.rest().is_empty() {
            return Err(Reason::TrailingBytes);
        }
        Ok(Self { pairs })
    }

    /// Bytes of the pairs.
    #[must_use]
    pub fn pair_bytes(&self) -> usize {
        self.pairs.len()
    }

    /// The pairs as they were sent.
    pub fn iter(&self) -> impl Iterator<Item = (u64, u32)> + 'a {
        let mut reader = Reader::new(self.pairs);
        std::iter::from_fn(move || {
            let client = reader.number().ok()?;
            let clock = reader.number().ok()?.min(limits::CLOCK_MAX);
            Some((client, u32::try_from(clock).unwrap_or(u32::MAX)))
        })
    }
}

/// Appends a state vector.
pub fn put_state_vector(out: &mut Vec<u8>, pairs: impl ExactSizeIterator<Item = (u64, u32)>) {
    put_number(out, u64::try_from(pairs.len()).unwrap_or(u64::MAX));
    for (client, clock) in pairs {
        put_number(out, client);
        put_number(out, u64::from(clock));
    }
}

/// The fuzz body of state vectors.
#[cfg(any(test, fuzzing))]
#[allow(
    clippy::missing_panics_doc,
    clippy::unwrap_used,
    reason = "a fuzz body states what must hold"
)]
pub mod fuzzing {
    use super::{StateVector, put_state_vector};

    /// What parses is read again as the same pairs after being written.
    pub fn state_vector(data: &[u8]) {
        let Ok(vector) = StateVector::parse(data) else {
            return;
        };
        let pairs: Vec<_> = vector.iter().collect();
        assert!(pairs.len() <= data.len());
        let mut out = Vec::new();
        put_state_vector(&mut out, pairs.iter().copied());
        assert!(out.len() <= data.len());
        let again: Vec<_> = StateVector::parse(&out).unwrap().iter().collect();
        assert_eq!(again, pairs);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_count_beyond_the_bytes_is_refused_at_once() {
        let table: [(&[u8], Reason); 5] = [
            (&[], Reason::Truncated),
            (&[0xff, 0xff, 0xff, 0xff, 0x0f], Reason::Truncated),
            (&[1, 5], Reason::Truncated),
            (&[0, 0], Reason::TrailingBytes),
            (&[1, 0x80, 0, 0], Reason::OverLongNumber),
        ];
        for (bytes, reason) in table {
            assert_eq!(StateVector::parse(bytes).unwrap_err(), reason, "{bytes:?}");
        }
    }

    #[test]
    fn clocks_beyond_the_limit_read_as_the_limit() {
        let mut bytes = vec![1, 7];
        put_number(&mut bytes, limits::CLIENT_ID_MAX);
        let vector = StateVector::parse(&bytes).unwrap();
        let max = u32::try_from(limits::CLOCK_MAX).unwrap();
        assert_eq!(vector.iter().collect::<Vec<_>>(), [(7, max)]);
    }

    proptest! {
        #[test]
        fn the_fuzz_body_holds_on_random_bytes(data in prop::collection::vec(any::<u8>(), 0..64)) {
            fuzzing::state_vector(&data);
        }
    }
}
