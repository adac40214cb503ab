//! Times: how many took how long, in all and in each second.
//!
//! Owns precision (two digits, 1 us to 3 h) and what is told of a histogram. Key invariant: recording is
//! cheap and never allocates; what is out of range counts as the nearest that is in it.

use hdrhistogram::Histogram;
use serde_json::{Value, json};

const DIGITS: u8 = 2;
const LEAST_NS: u64 = 1_000;
const MOST_NS: u64 = 3 * 3_600 * 1_000_000_000;

/// Counts of nanoseconds.
#[derive(Clone, Debug)]
pub(crate) struct Times(Histogram<u64>);

#[expect(clippy::expect_used, reason = "the bounds are constants")]
impl Default for Times {
    fn default() -> Self {
        let bounds = Histogram::new_with_bounds(LEAST_NS, MOST_NS, DIGITS);
        Self(bounds.expect("the bounds are in order"))
    }
}

/// Shares that are told, by the name that they have in a result.
pub(crate) const SHARES: [(&str, f64); 5] = [
    ("p50_ms", 0.5),
    ("p90_ms", 0.9),
    ("p99_ms", 0.99),
    ("p999_ms", 0.999),
    ("p9999_ms", 0.9999),
];

/// Rounded to whole microseconds: the classes are no finer.
fn milliseconds(nanos: u64) -> f64 {
    (nanos as f64 / 1e3).round() / 1e3
}

impl Times {
    pub(crate) fn record(&mut self, nanos: u64) {
        self.0.saturating_record(nanos);
    }

    #[expect(clippy::expect_used, reason = "all have the same bounds")]
    pub(crate) fn add(&mut self, other: &Self) {
        self.0.add(&other.0).expect("both have the same bounds");
    }

    pub(crate) fn clear(&mut self) {
        self.0.reset();
    }

    pub(crate) fn total(&self) -> u64 {
        self.0.len()
    }

    /// The time in milliseconds that this share of all is within; 0 when nothing was recorded.
    pub(crate) fn within_ms(&self, share: f64) -> f64 {
        if self.0.is_empty() {
            return 0.0;
        }
        milliseconds(self.0.value_at_quantile(share))
    }

    /// How many took at most so long.
    pub(crate) fn within(&self, ms: f64) -> u64 {
        if self.0.is_empty() {
            return 0;
        }
        self.0.count_between(0, (ms * 1e6) as u64)
    }

    /// The classes that hold something: the upper end in milliseconds, and how many.
    pub(crate) fn classes(&self) -> Value {
        let classes = self.0.iter_recorded().map(|class| {
            let end = milliseconds(class.value_iterated_to());
            json!([end, class.count_since_last_iteration()])
        });
        classes.collect()
    }

    /// Adds the usual shares to the figures of a result, when something was recorded.
    pub(crate) fn tell(&self, prefix: &str, figures: &mut serde_json::Map<String, Value>) {
        if self.0.is_empty() {
            return;
        }
        for (name, share) in SHARES {
            // A share that no single one lies beyond is the largest of all.
            if share > 0.99 && self.total() as f64 * (1.0 - share) < 1.0 {
                continue;
            }
            figures.insert(format!("{prefix}{name}"), json!(self.within_ms(share)));
        }
        figures.insert(format!("{prefix}max_ms"), json!(milliseconds(self.0.max())));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_those_of_a_sorted_list() {
        let mut times = Times::default();
        assert!(times.within_ms(0.5) < f64::EPSILON);
        assert_eq!((times.within(1e9), times.classes()), (0, json!([])));
        for millis in 1..=1_000 {
            times.record(millis * 1_000_000);
        }
        for (share, ms) in [(0.5, 500.0), (0.99, 990.0), (0.999, 999.0), (1.0, 1_000.0)] {
            let told = times.within_ms(share);
            assert!((told / ms - 1.0).abs() < 0.01, "{share}: {told}");
        }
        let within = times.within(200.0);
        assert!((199..=202).contains(&within), "{within}");
    }

    #[test]
    fn seconds_add_up_and_nothing_is_out_of_range() {
        let mut all = Times::default();
        let mut second = Times::default();
        for nanos in [0, 5_000, u64::MAX] {
            second.record(nanos);
        }
        all.add(&second);
        second.clear();
        second.record(5_000);
        all.add(&second);
        assert_eq!(all.total(), 4);
        let classes = all.classes();
        let counts: u64 = classes
            .as_array()
            .unwrap()
            .iter()
            .map(|class| class[1].as_u64().unwrap())
            .sum();
        assert_eq!(counts, 4);
        let mut figures = serde_json::Map::new();
        all.tell("echo_", &mut figures);
        assert_eq!(figures.len(), 4, "of four, p99.9 says nothing: {figures:?}");
    }
}
