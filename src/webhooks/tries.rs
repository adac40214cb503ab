//! When a delivery is tried again, and when it is given up.
//!
//! Owns [`Tries`]. Must not send or wait. Key invariant: a delivery ends, whatever is answered. Tests are
//! below.
#![deny(clippy::arithmetic_side_effects)]

use std::time::Duration;

use crate::limits;

/// How often one delivery was tried.
#[derive(Debug, Default)]
pub(super) struct Tries(u32);

/// What follows from a try.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Then {
    /// It is done.
    Delivered,
    /// It is tried again after so long.
    Again(Duration),
    /// It is tried no more.
    GivenUp,
}

impl Tries {
    /// Whether it was tried before.
    pub(super) fn is_again(&self) -> bool {
        self.0 > 0
    }

    /// What follows from a try that was answered with this status, if it was. `retry_after` is what the
    /// answer asked for; `random` spreads those who failed at the same time.
    pub(super) fn then(&mut self, status: Option<u16>, retry_after: Option<Duration>, random: u64) -> Then {
        if matches!(status, Some(200..=299)) {
            return Then::Delivered;
        }
        let grown = limits::WEBHOOK_RETRY_MIN.saturating_mul(3_u32.saturating_pow(self.0));
        self.0 = self.0.saturating_add(1);
        if self.0 >= limits::WEBHOOK_TRIES_MAX {
            return Then::GivenUp;
        }
        let max = limits::WEBHOOK_RETRY_MAX;
        let wait = grown.min(max).max(retry_after.unwrap_or_default().min(max));
        // Up to a quarter more.
        let part = u32::try_from(random & 0xff).unwrap_or_default();
        let spread = wait.saturating_mul(part).checked_div(1_024).unwrap_or_default();
        Then::Again(wait.saturating_add(spread))
    }
}

/// The value of `Retry-After`, where it is in seconds.
pub(super) fn retry_after(value: &str) -> Option<Duration> {
    let digits = !value.is_empty() && value.bytes().all(|b| b.is_ascii_digit());
    value.parse().ok().filter(|_| digits).map(Duration::from_secs)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn waits(status: Option<u16>, retry_after: Option<Duration>, random: u64) -> Vec<u64> {
        let mut tries = Tries::default();
        let mut waits = Vec::new();
        while let Then::Again(wait) = tries.then(status, retry_after, random) {
            waits.push(wait.as_secs());
        }
        assert_eq!(tries.0, limits::WEBHOOK_TRIES_MAX);
        waits
    }

    #[test]
    fn tries_are_longer_and_longer_apart_until_there_are_no_more() {
        for status in [None, Some(301), Some(404), Some(500), Some(199), Some(300)] {
            assert_eq!(
                waits(status, None, 0),
                [2, 6, 18, 54, 162, 300, 300],
                "{status:?}"
            );
        }
        assert_eq!(waits(None, None, u64::MAX), [2, 7, 22, 67, 202, 374, 374]);
    }

    #[test]
    fn what_was_asked_for_is_waited_up_to_five_minutes() {
        let after = |seconds| waits(Some(429), Some(Duration::from_secs(seconds)), 0);
        assert_eq!(after(10), [10, 10, 18, 54, 162, 300, 300]);
        assert_eq!(after(299), [299, 299, 299, 299, 299, 300, 300]);
        assert_eq!(after(u64::MAX), [300; 7]);
        for (value, expected) in [
            ("0", Some(0)),
            ("120", Some(120)),
            ("-1", None),
            ("+1", None),
            ("", None),
        ] {
            assert_eq!(retry_after(value), expected.map(Duration::from_secs), "{value}");
        }
        assert_eq!(retry_after("Fri, 31 Dec 1999 23:59:59 GMT"), None);
        assert_eq!(retry_after("99999999999999999999"), None);
    }

    #[test]
    fn any_success_ends_it_also_after_failures() {
        for status in [200, 204, 299] {
            assert_eq!(Tries::default().then(Some(status), None, 0), Then::Delivered);
        }
        let mut tries = Tries::default();
        assert!(!tries.is_again());
        assert!(matches!(tries.then(Some(500), None, 0), Then::Again(_)) && tries.is_again());
        assert_eq!(tries.then(Some(200), None, 0), Then::Delivered);
    }
}
