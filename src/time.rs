//! Instants as values: the core is told what time it is and never asks.
//!
//! Owns [`Tick`] (monotonic), [`UnixMillis`] (calendar) and the [`Clock`] trait that the shell implements.
//! Must not read a clock itself. Key invariant: a `Tick` never goes backwards within one process.

use std::fmt;
use std::time::Duration;

/// A point on the monotonic clock of this process.
///
/// # Units
/// Microseconds since the process started; wraps after 584,000 years.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tick(pub u64);

impl Tick {
    /// The instant `by` later; saturates.
    #[must_use]
    pub fn after(self, by: Duration) -> Self {
        Self(
            self.0
                .saturating_add(u64::try_from(by.as_micros()).unwrap_or(u64::MAX)),
        )
    }

    /// How long after `earlier` this is; zero when it is not later.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(self.0.saturating_sub(earlier.0))
    }
}

/// A calendar time.
///
/// # Units
/// Milliseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UnixMillis(pub u64);

impl UnixMillis {
    /// Whole seconds since the epoch, rounded down (a JWT NumericDate).
    #[must_use]
    pub fn seconds(self) -> u64 {
        self.0 / 1_000
    }
}

/// RFC 3339 in UTC with milliseconds, such as `2026-11-20T21:40:29.000Z`. Past the year 9999 it stands still.
impl fmt::Display for UnixMillis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let millis = i64::try_from(self.0).unwrap_or(i64::MAX);
        let time = jiff::Timestamp::from_millisecond(millis).unwrap_or(jiff::Timestamp::MAX);
        write!(f, "{time:.3}")
    }
}

/// Both clocks, read at the same moment and handed to the core together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Now {
    /// The monotonic instant; every deadline is one of these.
    pub tick: Tick,
    /// The calendar time; token expiry and stored times are of this kind.
    pub unix: UnixMillis,
}

/// Where the shell (or a simulation) gets the time from.
pub trait Clock: Send + Sync {
    /// Reads both clocks.
    fn now(&self) -> Now;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_saturate_and_never_go_negative() {
        assert_eq!(Tick(5).after(Duration::from_micros(7)), Tick(12));
        assert_eq!(Tick(u64::MAX).after(Duration::from_secs(1)), Tick(u64::MAX));
        assert_eq!(Tick(5).since(Tick(9)), Duration::ZERO);
        assert_eq!(Tick(9).since(Tick(5)), Duration::from_micros(4));
    }

    #[test]
    fn seconds_round_down() {
        assert_eq!(UnixMillis(1_999).seconds(), 1);
    }

    #[test]
    fn calendar_times_read_as_rfc_3339_with_milliseconds() {
        for (millis, text) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (951_782_400_007, "2000-02-29T00:00:00.007Z"),
            (1_795_210_829_120, "2026-11-20T21:40:29.120Z"),
            (u64::MAX, "9999-12-30T22:00:00.999Z"),
        ] {
            assert_eq!(UnixMillis(millis).to_string(), text);
        }
    }
}
