//! The deleted clocks of one client: sorted ranges that neither overlap nor touch.
//!
//! Owns [`Ranges`]. Must not know structs or clients. Key invariant: `start < end` in each range, and each end is
//! less than the next start; `encoded_bytes` is exact. Tests at the end of the file, against a set of clocks.
#![deny(clippy::arithmetic_side_effects, clippy::cast_possible_truncation)]

use super::structs::range_bytes;
use crate::lib0::put_number;

/// Clocks from `.0` (inclusive) to `.1` (exclusive).
pub type Range = (u32, u32);

/// A set of clocks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ranges {
    list: Vec<Range>,
    encoded_bytes: usize,
}

impl Ranges {
    /// The ranges in ascending order.
    #[must_use]
    pub fn as_slice(&self) -> &[Range] {
        &self.list
    }

    /// Bytes the ranges take in a delete set, without their count.
    #[must_use]
    pub fn encoded_bytes(&self) -> usize {
        self.encoded_bytes
    }

    /// Heap bytes.
    #[must_use]
    pub fn heap_bytes(&self) -> usize {
        self.list.capacity().saturating_mul(size_of::<Range>())
    }

    /// Whether `clock` is in the set.
    #[must_use]
    pub fn contains(&self, clock: u32) -> bool {
        let after = self.list.partition_point(|r| r.0 <= clock);
        after
            .checked_sub(1)
            .and_then(|at| self.list.get(at))
            .is_some_and(|r| clock < r.1)
    }

    /// The ranges that end after `clock`.
    #[must_use]
    pub fn from(&self, clock: u32) -> &[Range] {
        let at = self.list.partition_point(|r| r.1 <= clock);
        self.list.get(at..).unwrap_or_default()
    }

    /// Calls `each` with the parts of `start..end` that are not in the set, in ascending order.
    pub fn uncovered(&self, start: u32, end: u32, mut each: impl FnMut(Range)) {
        let mut at = start;
        for &(from, to) in self.from(start) {
            if from >= end {
                break;
            }
            if at < from {
                each((at, from));
            }
            at = at.max(to);
        }
        if at < end {
            each((at, end));
        }
    }

    /// Adds ranges that are sorted by their starts; they may overlap one another and the set.
    pub fn insert_sorted(&mut self, added: &[Range]) {
        match added {
            [] => {}
            [one] => self.insert(*one),
            _ => self.merge(added),
        }
    }

    /// Adds one range.
    fn insert(&mut self, (start, end): Range) {
        // All ranges that overlap or touch `start..end` become one with it.
        let first = self.list.partition_point(|r| r.1 < start);
        let touching = self.list.get(first..).unwrap_or_default();
        let count = touching.partition_point(|r| r.0 <= end);
        let touching = touching.get(..count).unwrap_or_default();
        let mut joined = (start, end);
        for &(from, to) in touching {
            joined = (joined.0.min(from), joined.1.max(to));
            self.encoded_bytes = self.encoded_bytes.saturating_sub(range_bytes(from, to));
        }
        self.encoded_bytes = self.encoded_bytes.saturating_add(range_bytes(joined.0, joined.1));
        if let (1.., Some(slot)) = (count, self.list.get_mut(first)) {
            *slot = joined;
            self.list
                .drain(first.saturating_add(1)..first.saturating_add(count));
        } else {
            self.list.insert(first, joined);
        }
    }

    /// Adds many ranges in one pass over both.
    fn merge(&mut self, added: &[Range]) {
        let old = std::mem::take(self);
        self.list.reserve(old.list.len().saturating_add(added.len()));
        let (mut left, mut right) = (old.list.iter().peekable(), added.iter().peekable());
        loop {
            let next = match (left.peek(), right.peek()) {
                (Some(l), Some(r)) if l.0 <= r.0 => left.next(),
                (_, Some(_)) => right.next(),
                (Some(_), None) => left.next(),
                (None, None) => break,
            };
            let Some(&(start, end)) = next else { break };
            match self.list.last_mut() {
                Some(last) if start <= last.1 => last.1 = last.1.max(end),
                _ => self.list.push((start, end)),
            }
        }
        self.list.shrink_to_fit();
        let bytes = self.list.iter().map(|r| range_bytes(r.0, r.1));
        self.encoded_bytes = bytes.fold(0, usize::saturating_add);
    }
}

/// Sorts ranges and joins those that overlap or touch.
pub fn normalise(list: &mut Vec<Range>) {
    list.sort_unstable();
    list.dedup_by(|next, last| {
        let joins = next.0 <= last.1;
        if joins {
            last.1 = last.1.max(next.1);
        }
        joins
    });
}

/// Appends ranges as a delete set holds them.
pub fn put_ranges(out: &mut Vec<u8>, ranges: &[Range]) {
    put_number(out, u64::try_from(ranges.len()).unwrap_or(u64::MAX));
    for &(start, end) in ranges {
        put_number(out, u64::from(start));
        put_number(out, u64::from(end.saturating_sub(start)));
    }
}

#[cfg(test)]
#[allow(
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    reason = "tests panic on their own mistakes"
)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    fn list() -> impl Strategy<Value = Vec<Range>> {
        prop::collection::vec((0u32..200, 1u32..20).prop_map(|(s, l)| (s, s + l)), 0..12)
    }

    proptest! {
        #[test]
        fn ranges_behave_as_a_set_of_clocks(batches in prop::collection::vec(list(), 0..8), probe in list()) {
            let mut ranges = Ranges::default();
            let mut model = BTreeSet::new();
            for mut batch in batches {
                model.extend(batch.iter().flat_map(|r| r.0..r.1));
                batch.sort_unstable();
                ranges.insert_sorted(&batch);
                prop_assert!(ranges.as_slice().windows(2).all(|w| w[0].1 < w[1].0));
                let mut out = Vec::new();
                put_ranges(&mut out, ranges.as_slice());
                prop_assert_eq!(out.len() - 1, ranges.encoded_bytes());
            }
            let clocks: BTreeSet<u32> = ranges.as_slice().iter().flat_map(|r| r.0..r.1).collect();
            prop_assert_eq!(&clocks, &model);
            for (start, end) in probe {
                let mut found = BTreeSet::new();
                ranges.uncovered(start, end, |r| found.extend(r.0..r.1));
                let expected: BTreeSet<u32> = (start..end).filter(|c| !model.contains(c)).collect();
                prop_assert_eq!(found, expected);
                prop_assert_eq!(ranges.contains(start), model.contains(&start));
            }
        }
    }
}
