//! The executor's threads: one that always runs, and helpers that join while it falls behind.
//!
//! Owns when a helper works. Key invariant: a helper that is not needed does not listen to the executor,
//! since every task that is woken would wake it too: with two threads at it, an update that one thread
//! handles costs twice as much.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread::{self, JoinHandle};

use async_io::Timer;
use smol::Executor;

use crate::limits;

/// Helpers of an executor; they end when this is dropped.
#[derive(Debug)]
pub(super) struct Helpers {
    /// Dropping the senders tells the helpers to end.
    _stops: Vec<std::sync::mpsc::Sender<()>>,
    _threads: Vec<JoinHandle<()>>,
}

impl Helpers {
    /// Starts `count` helpers.
    ///
    /// # Errors
    /// The operating system gave no thread.
    pub(super) fn start(executor: &Arc<Executor<'static>>, count: usize) -> std::io::Result<Self> {
        let mut helpers = Self {
            _stops: Vec::new(),
            _threads: Vec::new(),
        };
        for index in 1..=count {
            let executor = Arc::clone(executor);
            let (stop, stopped) = channel();
            let name = format!("boardwire-{index}");
            helpers._threads.push(
                thread::Builder::new()
                    .name(name)
                    .spawn(move || help(&executor, &stopped))?,
            );
            helpers._stops.push(stop);
        }
        Ok(helpers)
    }
}

/// Looks again and again whether the executor falls behind, and runs it for a stint when it does.
fn help(executor: &Executor<'static>, stopped: &Receiver<()>) {
    while stopped.recv_timeout(limits::LAG_PROBE_EVERY) == Err(RecvTimeoutError::Timeout) {
        while is_behind(executor) {
            smol::block_on(executor.run(Timer::after(limits::HELP_STINT)));
        }
    }
}

/// Whether a task that is ready waits longer than `limits::LAG_MAX` for its turn.
fn is_behind(executor: &Executor<'static>) -> bool {
    let (done, answer) = channel();
    // Nobody listens any more once the answer is late.
    executor
        .spawn(async move { done.send(()).unwrap_or_default() })
        .detach();
    answer.recv_timeout(limits::LAG_MAX).is_err()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_blocked_executor_is_helped_out() {
        // Nobody but the helper runs this executor.
        let executor = Arc::new(Executor::new());
        let helpers = Helpers::start(&executor, 1).unwrap();
        let (done, answer) = channel();
        executor.spawn(async move { done.send(7).unwrap() }).detach();
        assert_eq!(answer.recv_timeout(Duration::from_secs(5)), Ok(7));
        drop(helpers);
    }

    #[test]
    fn an_executor_that_keeps_up_is_left_alone() {
        let executor = Arc::new(Executor::new());
        let (stop, stopped) = smol::channel::bounded::<()>(1);
        let runner = Arc::clone(&executor);
        let thread = thread::spawn(move || smol::block_on(runner.run(stopped.recv())).is_err());
        // A noisy machine may be late once; it is not late ten times in a row.
        assert!((0..10).any(|_| !is_behind(&executor)));
        drop(stop);
        assert!(thread.join().unwrap());
    }
}
