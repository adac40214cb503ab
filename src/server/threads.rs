//! The executor's threads: one that always runs, and helpers that join while it falls behind.
//!
//! Owns when a helper works: while the thread that waits for the network has not come to that for a while.
//! Key invariant: a helper that is not needed does not listen to the executor, since every task that is woken
//! would wake it too: with two threads at it, an update that one thread handles costs twice as much.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread::{self, JoinHandle};

use async_io::Timer;
use smol::Executor;

use crate::limits;
use crate::net::poller::Poller;

/// Helpers of an executor; they end when this is dropped.
#[derive(Debug)]
pub(super) struct Helpers {
    /// Dropping the senders tells the helpers to end.
    _stops: Vec<std::sync::mpsc::Sender<()>>,
    _threads: Vec<JoinHandle<()>>,
}

impl Helpers {
    /// Starts `count` helpers for the thread that drives `poller`.
    ///
    /// # Errors
    /// The operating system gave no thread.
    pub(super) fn start(
        executor: &Arc<Executor<'static>>,
        poller: &Arc<Poller>,
        count: usize,
    ) -> std::io::Result<Self> {
        let mut helpers = Self {
            _stops: Vec::new(),
            _threads: Vec::new(),
        };
        for index in 1..=count {
            let (executor, poller) = (Arc::clone(executor), Arc::clone(poller));
            let (stop, stopped) = channel();
            let name = format!("boardwire-{index}");
            helpers._threads.push(
                thread::Builder::new()
                    .name(name)
                    .spawn(move || help(&executor, &poller, &stopped))?,
            );
            helpers._stops.push(stop);
        }
        Ok(helpers)
    }
}

/// Looks again and again whether the executor falls behind, and runs it for a stint when it does.
fn help(executor: &Executor<'static>, poller: &Poller, stopped: &Receiver<()>) {
    while stopped.recv_timeout(limits::LAG_PROBE_EVERY) == Err(RecvTimeoutError::Timeout) {
        while poller.busy() > limits::LAG_MAX {
            smol::block_on(executor.run(Timer::after(limits::HELP_STINT)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_blocked_executor_is_helped_out() {
        let executor = Arc::new(Executor::new());
        let (poller, mut driver) = Poller::new().unwrap();
        let helpers = Helpers::start(&executor, &poller, 1).unwrap();
        let (done, answer) = channel();
        let name = || thread::current().name().map(str::to_owned);
        executor.spawn(async move { done.send(name()).unwrap() }).detach();
        // The driver's thread is busy with one thing.
        let by = driver.run(async { answer.recv_timeout(Duration::from_secs(5)).unwrap() });
        assert_eq!(by.as_deref(), Some("boardwire-1"));
        drop(helpers);
    }
}
