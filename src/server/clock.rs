//! The real clock: the one place that reads the time.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustix::time::{ClockId, clock_gettime};

use crate::time::{Clock, Now, Tick, UnixMillis};

/// The monotonic clock; on Linux the one that goes on while the machine is suspended, since what others wait
/// for, such as the end of a lease, goes on too.
#[cfg(target_os = "linux")]
const MONOTONIC: ClockId = ClockId::Boottime;
#[cfg(not(target_os = "linux"))]
const MONOTONIC: ClockId = ClockId::Monotonic;

/// The operating system's monotonic and calendar clocks.
#[derive(Clone, Copy, Debug)]
pub struct SystemClock {
    started: Duration,
}

impl SystemClock {
    /// A clock whose tick 0 is now.
    #[must_use]
    pub fn start() -> Self {
        Self { started: monotonic() }
    }
}

fn monotonic() -> Duration {
    Duration::try_from(clock_gettime(MONOTONIC)).unwrap_or_default()
}

impl Clock for SystemClock {
    fn now(&self) -> Now {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Now {
            tick: Tick::default().after(monotonic().saturating_sub(self.started)),
            unix: UnixMillis(u64::try_from(since_epoch.as_millis()).unwrap_or(u64::MAX)),
        }
    }
}
