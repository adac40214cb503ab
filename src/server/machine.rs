//! The machine as boards stand on it: the system's clocks, one executor, its pool of threads that may block.
//!
//! Owns [`Machine`]. Must not know boards.

use std::sync::Arc;
use std::time::Duration;

use smol::Executor;

use crate::boards::host::{Host, Task, Work};
use crate::net::poller::Poller;
use crate::server::clock::SystemClock;
use crate::time::{Clock, Now};

/// A host on this machine.
pub(crate) struct Machine {
    clock: SystemClock,
    executor: Arc<Executor<'static>>,
    poller: Arc<Poller>,
}

impl Machine {
    /// One whose tasks this executor runs, beside the driver of this poller.
    pub(crate) fn new(executor: Arc<Executor<'static>>, poller: Arc<Poller>) -> Self {
        Self {
            clock: SystemClock::start(),
            executor,
            poller,
        }
    }
}

impl Clock for Machine {
    fn now(&self) -> Now {
        self.clock.now()
    }
}

impl Host for Machine {
    fn start(&self, task: Task) {
        self.executor.spawn(task).detach();
    }

    fn sleep(&self, time: Duration) -> Task {
        Box::pin(self.poller.sleep(time))
    }

    fn block(&self, work: Work) {
        smol::unblock(work).detach();
    }

    fn random(&self) -> u64 {
        // Without randomness nothing else of the server works either.
        getrandom::u64().unwrap_or_default()
    }
}
