//! Times in few bytes: counts by size, each class within 1.6 % of its members.
//!
//! Owns the classes. Key invariant: recording is a few instructions and never allocates.

/// Classes for each power of two.
const STEPS: u64 = 64;

/// Counts of nanoseconds by class.
#[derive(Clone, Debug)]
pub(crate) struct Histogram {
    counts: Vec<u64>,
    total: u64,
}

impl Default for Histogram {
    fn default() -> Self {
        Self {
            counts: vec![0; class(u64::MAX) + 1],
            total: 0,
        }
    }
}

/// Below `STEPS` each number is its own class; above, its six bits after the first count.
fn class(nanos: u64) -> usize {
    let shift = (u64::BITS - nanos.leading_zeros()).saturating_sub(STEPS.ilog2() + 1);
    (u64::from(shift) * STEPS + (nanos >> shift)) as usize
}

/// The smallest number of the class that follows.
fn end(class: usize) -> u64 {
    let class = class as u64 + 1;
    let shift = (class / STEPS).saturating_sub(1);
    (class - shift * STEPS)
        .checked_shl(shift as u32)
        .unwrap_or(u64::MAX)
}

impl Histogram {
    pub(crate) fn record(&mut self, nanos: u64) {
        if let Some(count) = self.counts.get_mut(class(nanos)) {
            *count += 1;
            self.total += 1;
        }
    }

    pub(crate) fn total(&self) -> u64 {
        self.total
    }

    /// The time in milliseconds that this share of all is within; 0 when nothing was recorded.
    pub(crate) fn within_ms(&self, share: f64) -> f64 {
        let rank = (self.total as f64 * share).ceil() as u64;
        let mut seen = 0;
        for (class, count) in self.counts.iter().enumerate() {
            seen += count;
            if *count > 0 && seen >= rank {
                return end(class) as f64 / 1e6;
            }
        }
        0.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_class_ends_within_two_percent_of_each_member() {
        for nanos in (0..50_000).chain((16..63).map(|bit| (1 << bit) + (1 << (bit - 3)) + 1)) {
            let end = end(class(nanos));
            assert!(nanos < end, "{nanos} {end}");
            assert!(end as f64 <= nanos as f64 * 1.02 + 1.0, "{nanos} {end}");
        }
        assert_eq!(class(u64::MAX) + 1, Histogram::default().counts.len());
    }

    #[test]
    fn shares_are_those_of_a_sorted_list() {
        let mut times = Histogram::default();
        assert!(times.within_ms(0.5) < f64::EPSILON);
        for millis in 1..=1_000 {
            times.record(millis * 1_000_000);
        }
        for (share, ms) in [(0.5, 500.0), (0.99, 990.0), (0.999, 999.0), (1.0, 1_000.0)] {
            let told = times.within_ms(share);
            assert!((told / ms - 1.0).abs() < 0.02, "{share}: {told}");
        }
    }
}
