//! The real clock: the one place that reads the time.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use crate::time::{Clock, Now, Tick, UnixMillis};

/// The operating system's monotonic and calendar clocks.
#[derive(Clone, Copy, Debug)]
pub struct SystemClock {
    started: Instant,
}

impl SystemClock {
    /// A clock whose tick 0 is now.
    #[must_use]
    pub fn start() -> Self {
        Self {
            started: Instant::now(),
        }
    }
}

impl Clock for SystemClock {
    fn now(&self) -> Now {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Now {
            tick: Tick::default().after(self.started.elapsed()),
            unix: UnixMillis(u64::try_from(since_epoch.as_millis()).unwrap_or(u64::MAX)),
        }
    }
}
