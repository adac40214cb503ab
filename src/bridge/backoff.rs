//! How long to wait before Redis is tried again.
//!
//! Owns [`Backoff`]. Must not wait, nor make random numbers. Key invariants: every wait lies between
//! `limits::REDIS_RETRY_MIN` and `limits::REDIS_RETRY_MAX`, and is random, so that many servers do not come
//! back at once; a connection that did not last counts as one more failure. Tests are below.

use std::time::Duration;

use crate::limits;

/// The waits between attempts, longer each time.
#[derive(Clone, Copy, Debug, Default)]
pub struct Backoff {
    failures: u32,
}

impl Backoff {
    /// The wait before the next attempt, after a connection that lasted for `lasted`: zero where none came
    /// about.
    ///
    /// Between half and all of what doubles with each failure; `random` says where.
    pub fn next(&mut self, lasted: Duration, random: u32) -> Duration {
        if lasted >= limits::REDIS_RETRY_MAX {
            self.failures = 0;
        }
        let doubled = 2u32.saturating_pow(self.failures.saturating_add(1));
        let all = limits::REDIS_RETRY_MIN
            .saturating_mul(doubled)
            .min(limits::REDIS_RETRY_MAX);
        self.failures = self.failures.saturating_add(1);
        let half = all / 2;
        half + half.mul_f64(f64::from(random) / f64::from(u32::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn waits(random: u32) -> Vec<u128> {
        let mut backoff = Backoff::default();
        (0..9)
            .map(|_| backoff.next(Duration::ZERO, random).as_millis())
            .collect()
    }

    #[test]
    fn waits_double_up_to_a_bound_and_vary_by_half() {
        assert_eq!(
            waits(0),
            [250, 500, 1_000, 2_000, 4_000, 8_000, 15_000, 15_000, 15_000]
        );
        assert_eq!(
            waits(u32::MAX),
            [500, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000, 30_000]
        );
        let mut backoff = Backoff { failures: u32::MAX };
        assert_eq!(backoff.next(Duration::ZERO, u32::MAX), limits::REDIS_RETRY_MAX);
    }

    #[test]
    fn only_a_connection_that_lasted_begins_anew() {
        let mut backoff = Backoff { failures: 5 };
        let short = limits::REDIS_RETRY_MAX - Duration::from_millis(1);
        assert_eq!(backoff.next(short, 0).as_millis(), 8_000);
        assert_eq!(backoff.next(limits::REDIS_RETRY_MAX, 0), limits::REDIS_RETRY_MIN);
        assert_eq!(backoff.next(Duration::ZERO, 0), limits::REDIS_RETRY_MIN * 2);
    }
}
