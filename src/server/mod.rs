//! The shell: sockets, timers and threads around the core.
//!
//! Owns `Server`, which everything in this layer shares, and [`run`]. Must not decide what a message means or what is
//! due; rooms and sessions do. Key invariants: executor threads never block on a disk; a step's changes are given to
//! the committer under the room's lock, so that they are stored in the order they were accepted.

pub mod clock;
pub mod config;
pub mod dev_secret;
#[cfg(test)]
pub(crate) mod harness;
mod lifecycle;
mod requests;
pub mod telemetry;
mod threads;

use std::collections::HashSet;
use std::collections::hash_map::DefaultHasher;
use std::future::Future;
use std::hash::{Hash, Hasher};
use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use async_io::Timer;
use smol::Executor;
use smol::channel::Receiver;
use smol::future::FutureExt;
use smol::lock::Semaphore;

pub use lifecycle::{Ended, StartError, run};

use crate::boards::answers::Answers;
use crate::boards::audit::Audit;
use crate::boards::committer::Committer;
use crate::boards::content::Documents;
use crate::boards::slots::{RoomCell, Rooms};
use crate::bridge::Bridge;
use crate::fault::Fault;
use crate::ids::BoardId;
use crate::jwt::Verifier;
use crate::limits;
use crate::metrics::Metrics;
use crate::net::doors::Doors;
use crate::net::receiving::Receiving;
use crate::net::seldom::Seldom;
use crate::room::{Effects, Room, RoomSettings};
use crate::server::clock::SystemClock;
use crate::server::config::Config;
use crate::store::{Applied, Change, Store, StoreError};
use crate::time::{Clock, Now, Tick};

/// Everything that the tasks of a running server share.
pub(crate) struct Server {
    pub(crate) config: Config,
    pub(crate) room_settings: RoomSettings,
    pub(crate) verifier: Verifier,
    pub(crate) rooms: Rooms,
    pub(crate) documents: Documents,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) committer: Committer,
    pub(crate) doors: Arc<Doors>,
    pub(crate) audit: Audit,
    /// Requests for other hosts, pages of other origins, and upgrades that a proxy took the upgrade out of.
    pub(crate) misdirected: Seldom,
    pub(crate) foreign: Seldom,
    pub(crate) stripped: Seldom,
    pub(crate) receiving: Arc<Receiving>,
    pub(crate) answers: Arc<Answers>,
    pub(crate) metrics: Metrics,
    /// With `--redis`.
    pub(crate) bridge: Option<Arc<Bridge>>,
    pub(crate) started: Tick,
    pub(crate) clock: SystemClock,
    executor: Arc<Executor<'static>>,
    stopping: AtomicBool,
    /// Permits for work on the blocking pool.
    blocking: Semaphore,
    /// Permits for short reads there, and for waiting for the writer: what is decided about access must wait neither for
    /// loads and compactions, nor for those who wait for a commit.
    reading: Semaphore,
    waiting: Semaphore,
    /// Permits for updates that join off their room's lock.
    pub(crate) joining: Semaphore,
    /// Whose turn it is to write a whole state, so that those who ask at the same moment share it.
    pub(crate) folding: smol::lock::Mutex<()>,
    connection_ids: AtomicU64,
    /// Count changes of who may do what, after they are on disk; each for some of the boards.
    access_epochs: Box<[AtomicU64]>,
    pub(crate) compactions: smol::channel::Sender<Arc<RoomCell>>,
    /// Boards whose room was given up with changes under way: these must settle before the board is read again.
    dropped: Mutex<HashSet<BoardId>>,
}

impl Server {
    /// Reads the clocks.
    pub(crate) fn now(&self) -> Now {
        self.clock.now()
    }

    /// Starts a task that nobody waits for.
    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.executor.spawn(task).detach();
    }

    /// Whether a shutdown has begun.
    pub(crate) fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Acquire)
    }

    /// Whether so much waits for the disk that nothing more should be read.
    pub(crate) fn committer_is_full(&self) -> bool {
        self.committer.queued_bytes() > limits::COMMIT_QUEUE_BYTES_MAX
    }

    /// How often who may do what with `board` has changed, or with a few others. Who decides by facts and acts later
    /// looks whether it still is what it was before the facts were read.
    ///
    /// Not one count for all boards: where changes come faster than a queue of joins is decided about, nobody would ever
    /// get in.
    pub(crate) fn access_epoch(&self, board: &BoardId) -> u64 {
        let epoch = self.epoch_of(board);
        epoch.map_or(0, |epoch| epoch.load(Ordering::Acquire))
    }

    /// Counts a change of who may do what with `board`, once it is durable.
    fn count_access_change(&self, board: &BoardId) {
        if let Some(epoch) = self.epoch_of(board) {
            epoch.fetch_add(1, Ordering::AcqRel);
        }
    }

    fn epoch_of(&self, board: &BoardId) -> Option<&AtomicU64> {
        let mut hasher = DefaultHasher::new();
        board.hash(&mut hasher);
        let count = self.access_epochs.len().max(1) as u64;
        let index = usize::try_from(hasher.finish() % count).ok()?;
        self.access_epochs.get(index)
    }

    pub(crate) fn next_connection_id(&self) -> u64 {
        self.connection_ids.fetch_add(1, Ordering::Relaxed)
    }

    /// Does one step of a room and what it makes due.
    pub(crate) fn step<T>(
        self: &Arc<Self>,
        cell: &Arc<RoomCell>,
        step: impl FnOnce(&mut Room, &mut Effects) -> T,
    ) -> T {
        self.step_submitting(cell, step, |change| self.committer.submit(change))
    }

    /// As [`Self::step`], for somebody who waits until the last change of the step is durable, if it made one.
    pub(crate) fn step_awaited<T>(
        self: &Arc<Self>,
        cell: &Arc<RoomCell>,
        step: impl FnOnce(&mut Room, &mut Effects) -> T,
    ) -> (T, Option<Receiver<Applied>>) {
        let mut last = None;
        let value = self.step_submitting(cell, step, |change| {
            last = Some(self.committer.submit_awaited(change));
        });
        (value, last)
    }

    fn step_submitting<T>(
        self: &Arc<Self>,
        cell: &Arc<RoomCell>,
        step: impl FnOnce(&mut Room, &mut Effects) -> T,
        submit: impl FnMut(Change),
    ) -> T {
        let mut effects = Effects::default();
        let value = {
            let mut room = cell.lock();
            let value = step(&mut room, &mut effects);
            effects.changes.drain(..).for_each(submit);
            value
        };
        self.metrics.step(&effects.tally);
        for waker in effects.wakers {
            waker.wake();
        }
        if effects.awareness_due {
            let (server, cell) = (Arc::clone(self), Arc::clone(cell));
            self.spawn(async move {
                Timer::after(limits::AWARENESS_EVERY).await;
                server.step(&cell, Room::broadcast_awareness);
            });
        }
        for job in effects.answers {
            self.spawn(Arc::clone(self).answer(Arc::clone(cell), job));
        }
        if effects.access_due {
            self.reconsider(Arc::clone(cell));
        }
        if effects.compaction_due {
            self.request_compaction(cell);
        }
        value
    }

    /// As [`Self::step`], for those who serve many rooms: a room whose step panics is given up, and the others go on.
    pub(crate) fn step_fenced<T>(
        self: &Arc<Self>,
        cell: &Arc<RoomCell>,
        step: impl FnOnce(&mut Room, &mut Effects) -> T,
    ) -> Option<T> {
        let outcome = std::panic::catch_unwind(AssertUnwindSafe(|| {
            (!cell.is_broken()).then(|| self.step(cell, step))
        }));
        if let Ok(Some(value)) = outcome {
            return Some(value);
        }
        tracing::error!("a room's step panicked; this is a bug, the room is loaded anew");
        self.drop_room(cell, Fault::Internal);
        None
    }

    /// Gives a room up: its members are closed for `fault`, and whoever comes next loads the board anew.
    pub(crate) fn drop_room(self: &Arc<Self>, cell: &Arc<RoomCell>, fault: Fault) {
        let board = cell.lock().id().clone();
        self.note_dropped(&board);
        // The clocks of what the server itself wrote may be given out again.
        self.documents.renew_writer(&board);
        self.rooms.remove(&board, cell);
        self.step(cell, |room, effects| room.close_all(fault, effects));
    }

    /// Notes that a board's room goes while changes of it may be under way: its creation, for a new board.
    pub(crate) fn note_dropped(&self, board: &BoardId) {
        self.dropped
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(board.clone());
    }

    /// Waits until nothing of a given-up room of `board` is on its way to the disk any more. Blocks.
    pub(crate) fn settle(&self, board: &BoardId) {
        let dropped = self
            .dropped
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(board);
        if dropped && let Err(error) = self.committer.flush() {
            tracing::warn!(%board, error = telemetry::chain(&error), "changes were lost before a reload");
        }
    }

    /// Runs `work`, which may block, on the blocking pool; not more than `limits::BLOCKING_MAX` at a time.
    ///
    /// # Cancellation
    /// The work goes on, and its result is dropped.
    pub(crate) async fn unblock<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> T {
        let _permit = self.blocking.acquire().await;
        smol::unblock(work).await
    }

    /// As [`Self::unblock`], for a read of some rows.
    pub(crate) async fn unblock_read<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> T {
        let _permit = self.reading.acquire().await;
        smol::unblock(work).await
    }

    /// Waits until everything submitted so far is durable or lost.
    ///
    /// # Errors
    /// As [`Committer::flush`].
    pub(crate) async fn settled(self: &Arc<Self>) -> Result<(), StoreError> {
        let _permit = self.waiting.acquire().await;
        let server = Arc::clone(self);
        smol::unblock(move || server.committer.flush()).await
    }

    /// Runs `task`; a panic in it is logged and becomes [`Fault::Internal`].
    pub(crate) async fn fenced<T>(task: impl Future<Output = T>) -> Result<T, Fault> {
        AssertUnwindSafe(task).catch_unwind().await.map_err(|_| {
            tracing::error!("a task panicked; this is a bug, the panic is in the log above");
            Fault::Internal
        })
    }
}
