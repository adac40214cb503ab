//! What a node stands on.
//!
//! Owns [`Host`], the one way to time, tasks, a pool for what blocks, and chance. Must not know boards. Key
//! invariant: whoever is given a host reads no clock, starts no thread and draws no random number otherwise,
//! so that a node can run on an invented one (`sim`).

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use crate::time::Clock;

/// A task that nobody waits for, or a wait.
pub(crate) type Task = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Work that may block.
pub(crate) type Work = Box<dyn FnOnce() + Send>;

/// Time, tasks, a pool for what blocks, and chance. The time of its [`Clock`] is also that of
/// [`Host::sleep`].
pub(crate) trait Host: Clock {
    /// Starts a task.
    fn start(&self, task: Task);

    /// Is over after so long.
    fn sleep(&self, time: Duration) -> Task;

    /// Runs `work` where it may block.
    fn block(&self, work: Work);

    /// 64 random bits, which strangers cannot guess.
    fn random(&self) -> u64;
}

/// Runs `work`, which may block, and waits for what it gives; a panic in it goes on here.
///
/// # Cancellation
/// The work goes on, and its result is dropped.
pub(crate) async fn unblock<T: Send + 'static>(
    host: &Arc<dyn Host>,
    work: impl FnOnce() -> T + Send + 'static,
) -> T {
    let (done, result) = smol::channel::bounded(1);
    host.block(Box::new(move || {
        // Whoever waited may be gone.
        drop(done.try_send(catch_unwind(AssertUnwindSafe(work))));
    }));
    match result.recv().await {
        Ok(Ok(value)) => value,
        Ok(Err(panic)) => resume_unwind(panic),
        // The host dropped the work: it is ending, and nothing more comes of whoever waits.
        Err(_) => std::future::pending().await,
    }
}
