//! The deleted clocks of one client: sorted ranges that neither overlap nor touch.
//!
//! Owns [`Ranges`]. Must not know structs or clients. Key invariant: `start < end` in each range, and each
//! end is less than the next start; `encoded_bytes` is exact. Tests at the end of the file, against a set of
//! clocks.
#![deny(clippy::arithmetic_side_effects, clippy::cast_possible_truncation)]

use super::chunks::Chunks;
use super::structs::range_bytes;
use crate::lib0::put_number;

/// Clocks from `.0` (inclusive) to `.1` (exclusive).
pub type Range = (u32, u32);

/// A list is merged in one pass over both where it has at least one in so many ranges of the set, and
/// otherwise range by range.
const MERGED_FROM: usize = 8;

/// A set of clocks.
#[derive(Clone, Debug, Default)]
pub struct Ranges {
    list: Chunks<Range>,
    encoded_bytes: usize,
}

impl Ranges {
    /// The ranges in ascending order, to walk along.
    #[must_use]
    pub fn list(&self) -> &Chunks<Range> {
        &self.list
    }

    /// The ranges in ascending order.
    pub fn iter(&self) -> impl Iterator<Item = Range> + Clone + '_ {
        self.list.iter().copied()
    }

    /// How many ranges there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.list.len()
    }

    /// Whether the set is empty.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// Bytes the ranges take in a delete set, without their count.
    #[must_use]
    pub fn encoded_bytes(&self) -> usize {
        self.encoded_bytes
    }

    /// Heap bytes.
    #[must_use]
    pub fn heap_bytes(&self) -> usize {
        self.list.heap_bytes()
    }

    /// Gives unused heap back.
    pub fn shrink(&mut self) {
        self.list.shrink();
    }

    /// Whether `clock` is in the set.
    #[must_use]
    pub fn contains(&self, clock: u32) -> bool {
        self.list
            .last_where(|r| r.0 <= clock)
            .is_some_and(|r| clock < r.1)
    }

    /// Whether all clocks of a range are in the set.
    #[must_use]
    pub fn covers(&self, (start, end): Range) -> bool {
        self.list.last_where(|r| r.0 <= start).is_some_and(|r| end <= r.1)
    }

    /// Calls `each` with the parts of `start..end` that are not in the set, in ascending order: `most` of
    /// them, and then once with all that is left, from the first to the last clock in it that is not in the
    /// set.
    ///
    /// Takes a step for each call, and some for the search.
    pub fn uncovered(&self, (start, end): Range, most: usize, mut each: impl FnMut(Range)) {
        let mut at = start;
        let mut left = most;
        let mut next = self.list.partition_point(|r| r.1 <= start);
        while let Some(&(from, to)) = self.list.at(next).filter(|r| r.0 < end) {
            next = self.list.next(next);
            if at < from {
                if left == 0 {
                    return each((at, self.last_uncovered(end)));
                }
                left = left.saturating_sub(1);
                each((at, from));
            }
            at = at.max(to);
        }
        if at < end {
            each((at, end));
        }
    }

    /// The end of the last run of clocks before `end` that are not in the set.
    fn last_uncovered(&self, end: u32) -> u32 {
        let last = self.list.last_where(|r| r.0 < end);
        last.map_or(end, |r| if r.1 >= end { r.0 } else { end })
    }

    /// Adds ranges that are sorted by their starts; they may overlap one another and the set.
    pub fn insert_sorted(&mut self, added: &[Range]) {
        if added.len().saturating_mul(MERGED_FROM) > self.list.len() && added.len() > 1 {
            return self.merge(added.iter().copied());
        }
        for range in added {
            self.insert(*range);
        }
    }

    /// Adds one range.
    pub fn insert(&mut self, (start, end): Range) {
        if self.list.last().is_none_or(|last| last.1 < start) {
            self.encoded_bytes = self.encoded_bytes.saturating_add(range_bytes(start, end));
            return self.list.push((start, end));
        }
        // All ranges that overlap or touch `start..end` become one with it.
        let place = self.list.partition_point(|r| r.1 < start);
        let mut joined = (start, end);
        let mut count = 0usize;
        let mut next = place;
        while let Some(&(from, to)) = self.list.at(next).filter(|r| r.0 <= end) {
            joined = (joined.0.min(from), joined.1.max(to));
            self.encoded_bytes = self.encoded_bytes.saturating_sub(range_bytes(from, to));
            count = count.saturating_add(1);
            next = self.list.next(next);
        }
        self.encoded_bytes = self.encoded_bytes.saturating_add(range_bytes(joined.0, joined.1));
        match count.checked_sub(1) {
            Some(further) => self.list.replace(place, joined, further),
            None => self.list.insert(place, joined),
        }
    }

    /// Adds many ranges in one pass over both.
    fn merge(&mut self, added: impl Iterator<Item = Range>) {
        let old = std::mem::take(self);
        let (mut left, mut right) = (old.iter().peekable(), added.peekable());
        let mut last: Option<Range> = None;
        loop {
            let next = match (left.peek(), right.peek()) {
                (Some(l), Some(r)) if l.0 <= r.0 => left.next(),
                (_, Some(_)) => right.next(),
                (Some(_), None) => left.next(),
                (None, None) => break,
            };
            let Some((start, end)) = next else { break };
            match &mut last {
                Some(last) if start <= last.1 => last.1 = last.1.max(end),
                _ => {
                    self.append(last);
                    last = Some((start, end));
                }
            }
        }
        self.append(last);
        self.list.shrink();
    }

    fn append(&mut self, range: Option<Range>) {
        if let Some((start, end)) = range {
            self.encoded_bytes = self.encoded_bytes.saturating_add(range_bytes(start, end));
            self.list.push((start, end));
        }
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

/// Appends ranges, `count` of them, as a delete set holds them.
pub fn put_ranges(out: &mut Vec<u8>, count: usize, ranges: impl Iterator<Item = Range>) {
    put_number(out, u64::try_from(count).unwrap_or(u64::MAX));
    for (start, end) in ranges {
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
                prop_assert!(ranges.iter().zip(ranges.iter().skip(1)).all(|(a, b)| a.1 < b.0));
                let mut out = Vec::new();
                put_ranges(&mut out, ranges.len(), ranges.iter());
                prop_assert_eq!(out.len() - 1, ranges.encoded_bytes());
            }
            let clocks: BTreeSet<u32> = ranges.iter().flat_map(|r| r.0..r.1).collect();
            prop_assert_eq!(&clocks, &model);
            for (start, end) in probe {
                let mut found = BTreeSet::new();
                ranges.uncovered((start, end), usize::MAX, |r| found.extend(r.0..r.1));
                let expected: BTreeSet<u32> = (start..end).filter(|c| !model.contains(c)).collect();
                prop_assert_eq!(&found, &expected);
                let mut few = Vec::new();
                ranges.uncovered((start, end), 1, |r| few.push(r));
                prop_assert!(few.len() <= 2);
                prop_assert_eq!(few.first().map(|r| r.0), expected.first().copied());
                prop_assert_eq!(few.last().map(|r| r.1), expected.last().map(|c| c + 1));
                let told: BTreeSet<u32> = few.iter().flat_map(|r| r.0..r.1).collect();
                prop_assert!(told.is_superset(&expected));
                prop_assert_eq!(ranges.covers((start, end)), expected.is_empty());
                prop_assert_eq!(ranges.contains(start), model.contains(&start));
            }
        }
    }
}
