//! Boards: what is done with them as long as they are in memory and on disk, whoever asks.
//!
//! Owns `Boards`: the table of slots, loading, rights, acts, content, upkeep and the one writer. Must not
//! know sockets, HTTP or processes, and reads no clock but its `Host`'s. Key invariants: at most one live
//! room a board; a step's changes are given to the committer under the room's lock, so that they are stored
//! in the order they were accepted; tasks never block on the disk.

pub(crate) mod acts;
pub(crate) mod agents;
pub(crate) mod answers;
pub(crate) mod apart;
pub(crate) mod assets;
pub(crate) mod audit;
pub(crate) mod backup;
mod commits;
pub(crate) mod committer;
pub(crate) mod content;
mod flushing;
pub(crate) mod following;
#[cfg(test)]
pub(crate) mod harness;
pub(crate) mod hooks;
pub(crate) mod host;
pub(crate) mod kept;
pub(crate) mod loader;
mod news;
pub mod outlet;
pub(crate) mod rights;
pub(crate) mod sessions;
pub(crate) mod slots;
pub(crate) mod tenure;
pub(crate) mod trash;
mod turns;
mod upkeep;
pub(crate) mod versions;

use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, OnceLock, Weak};
use std::time::Duration;

use smol::channel::{Receiver, Sender, unbounded};
use smol::future::FutureExt;

use crate::access::Mode;
use crate::boards::answers::Answers;
use crate::boards::assets::Uploads;
use crate::boards::audit::Audit;
use crate::boards::backup::Backups;
use crate::boards::committer::{Committer, Finished, Status, Writer};
use crate::boards::content::Documents;
use crate::boards::hooks::Hooks;
use crate::boards::host::Host;
use crate::boards::outlet::Outlet;
use crate::boards::sessions::Ended;
use crate::boards::slots::{RoomCell, Slots};
use crate::boards::tenure::Tenure;
use crate::boards::turns::Turns;
use crate::boards::versions::policy::Policy;
use crate::fault::{Fault, causes};
use crate::ids::BoardId;
use crate::limits;
use crate::metrics::held::{Held, Waiting};
use crate::metrics::{CommitMetrics, Metrics};
use crate::room::{Effects, Room, RoomSettings};
use crate::store::ownership::{Joining, Ownership};
use crate::store::{Applied, Change, Footprint, Store, StoreError};
use crate::time::{Clock, Now, Tick};

/// What is set about boards.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    /// Who may do what without being told so.
    pub(crate) mode: Mode,
    /// `--max-board-bytes`.
    pub(crate) board_bytes: usize,
    /// `--max-assets-bytes`: of all assets of a board.
    pub(crate) assets_bytes: u64,
    /// `--max-messages-per-second`: of one connection, at the start.
    pub(crate) messages_per_second: u32,
    /// Of each room.
    pub(crate) room: RoomSettings,
    /// `--room-idle`.
    pub(crate) room_idle: Duration,
    /// `--room-sweep`.
    pub(crate) room_sweep: Duration,
    /// `--commit-window`.
    pub(crate) commit_window: Duration,
    /// `--audit-days`.
    pub(crate) audit: Duration,
    /// `--trash-days`; zero where a board that is deleted goes at once.
    pub(crate) trash: Duration,
    /// Which versions make themselves, and are kept.
    pub(crate) versions: Policy,
}

/// What boards are kept with.
pub(crate) struct Parts {
    pub(crate) store: Arc<dyn Store>,
    /// Where other nodes share the store, and what this one says of itself there.
    pub(crate) ownership: Option<(Arc<dyn Ownership>, Joining)>,
    pub(crate) host: Arc<dyn Host>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) commit_metrics: CommitMetrics,
    /// Who is told of items that agents change.
    pub(crate) outlet: Option<Arc<dyn Outlet>>,
    /// Who delivers to webhooks.
    pub(crate) hooks: Option<Arc<dyn Hooks>>,
}

/// All boards of a node.
pub(crate) struct Boards {
    pub(crate) settings: Settings,
    pub(crate) host: Arc<dyn Host>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) outlet: Option<Arc<dyn Outlet>>,
    pub(crate) hooks: Option<Arc<dyn Hooks>>,
    pub(crate) answers: Arc<Answers>,
    slots: Arc<Slots>,
    tenure: Option<Tenure>,
    documents: Documents,
    store: Arc<dyn Store>,
    committer: Committer,
    audit: Audit,
    backups: Backups,
    uploads: Uploads,
    /// Sessions that were ended before their time.
    ended: Ended,
    /// `--max-messages-per-second`, of sessions that begin.
    messages_per_second: AtomicU32,
    stopping: AtomicBool,
    /// Permits for work on the blocking pool.
    blocking: Turns,
    /// Permits for short reads there: what is decided about access must not wait for loads and compactions.
    reading: Turns,
    /// Permits for updates that join off their room's lock.
    joining: Turns,
    /// Whose turn it is to write a whole state, so that those who ask at the same moment share it.
    folding: smol::lock::Mutex<()>,
    compactions: (Sender<Arc<RoomCell>>, Receiver<Arc<RoomCell>>),
}

impl Boards {
    /// The boards of a store, and the writer that somebody must run.
    pub(crate) fn new(settings: Settings, parts: Parts) -> (Arc<Self>, Writer) {
        let told: Arc<OnceLock<Weak<Self>>> = Arc::default();
        let notify = {
            let told = Arc::clone(&told);
            Arc::new(move |outcome| {
                if let Some(boards) = told.get().and_then(Weak::upgrade) {
                    boards.handle_commit(outcome);
                }
            })
        };
        let Parts {
            store,
            ownership,
            host,
            metrics,
            commit_metrics,
            outlet,
            hooks,
        } = parts;
        let tenure = ownership.map(|(ownership, joining)| Tenure::new(ownership, joining));
        if let Some(tenure) = &tenure {
            // Before the writer is there, since its commits are of the node that joined.
            tenure.begin(host.now().tick);
        }
        let (committer, writer) = Committer::new(committer::Parts {
            store: Arc::clone(&store),
            clock: Arc::clone(&host) as Arc<dyn Clock>,
            notify,
            metrics: commit_metrics,
            window: settings.commit_window,
        });
        if let Status::Failing { reason, .. } = committer.status() {
            tracing::error!(
                error = causes(&reason),
                help = "docs/troubleshooting.md#store_failed",
                "the disk refuses writes"
            );
        }
        let boards = Arc::new(Self {
            slots: Slots::new(),
            tenure,
            documents: Documents::new(&host),
            audit: Audit::new(host.random()),
            backups: Backups::new(),
            uploads: Uploads::default(),
            ended: Ended::default(),
            answers: Answers::new(limits::ANSWERS_BYTES_MAX),
            messages_per_second: AtomicU32::new(settings.messages_per_second),
            settings,
            host,
            metrics,
            outlet,
            hooks,
            store,
            committer,
            stopping: AtomicBool::new(false),
            blocking: Turns::new(limits::BLOCKING_MAX),
            reading: Turns::new(limits::BLOCKING_MAX),
            joining: Turns::new(limits::APART_MAX),
            folding: smol::lock::Mutex::new(()),
            compactions: unbounded(),
        });
        told.get_or_init(|| Arc::downgrade(&boards));
        (boards, writer)
    }

    /// Starts what goes on by itself.
    pub(crate) fn start(self: &Arc<Self>) {
        self.spawn(Arc::clone(self).keep_ticking());
        self.spawn(Arc::clone(self).keep_unloading());
        self.spawn(Arc::clone(self).keep_compacting());
        self.spawn(Arc::clone(self).keep_auditing());
        self.spawn(Arc::clone(self).keep_sessions());
        self.spawn(Arc::clone(self).keep_trash());
        self.spawn(Arc::clone(self).keep_assets());
        if self.tenure.is_some() {
            self.spawn(Arc::clone(self).keep_lease());
            self.spawn(Arc::clone(self).keep_watch());
            self.spawn(Arc::clone(self).keep_releasing());
        }
    }

    /// Reads the clocks.
    pub(crate) fn now(&self) -> Now {
        self.host.now()
    }

    /// Starts a task that nobody waits for.
    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.host.start(Box::pin(task));
    }

    /// How many messages a second a session that begins may send.
    pub(crate) fn messages_per_second(&self) -> u32 {
        self.messages_per_second.load(Ordering::Relaxed)
    }

    /// From now on so many.
    pub(crate) fn set_messages_per_second(&self, count: u32) {
        self.messages_per_second.store(count, Ordering::Relaxed);
    }

    /// Takes nobody in any more.
    pub(crate) fn stop(&self) {
        self.stopping.store(true, Ordering::Release);
    }

    /// Whether a shutdown has begun.
    pub(crate) fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Acquire)
    }

    /// Whether the store takes no writes.
    pub(crate) fn is_failing(&self) -> bool {
        matches!(self.committer.status(), Status::Failing { .. })
    }

    /// Why nothing can be written, where that is so.
    pub(crate) fn failing(&self) -> Option<String> {
        let Status::Failing { reason, .. } = self.committer.status() else {
            return None;
        };
        // Of a disk that is all that concerns a stranger; the log has more.
        let words = reason.trouble().map(ToString::to_string);
        Some(words.unwrap_or_else(|| "the disk refuses writes".to_owned()))
    }

    /// Whether so much waits for the disk that nothing more should be read.
    pub(crate) fn is_disk_behind(&self) -> bool {
        self.committer.queued_bytes() > limits::COMMIT_QUEUE_BYTES_MAX
    }

    /// Waits while [`Self::is_disk_behind`].
    pub(crate) async fn disk_caught_up(&self) {
        while self.is_disk_behind() {
            self.host.sleep(limits::BACKPRESSURE_RETRY).await;
        }
    }

    /// Waits until a large change of `bytes` leaves room in the queue for the small ones of others.
    pub(crate) async fn disk_takes_large(&self, bytes: usize) {
        let fits = |queued: usize| {
            queued == 0 || queued.saturating_add(bytes) <= limits::COMMIT_QUEUE_LARGE_BYTES_MAX
        };
        while !fits(self.queued_bytes()) {
            self.host.sleep(limits::BACKPRESSURE_RETRY).await;
        }
    }

    /// Bytes submitted and neither durable nor lost.
    pub(crate) fn queued_bytes(&self) -> usize {
        self.committer.queued_bytes()
    }

    /// How large the store is.
    pub(crate) fn footprint(&self) -> Footprint {
        self.store.footprint()
    }

    /// Rooms in memory.
    pub(crate) fn live_count(&self) -> usize {
        self.slots.live_count()
    }

    /// What boards take of memory, as far as rooms have said.
    pub(crate) fn held(&self) -> Held {
        let mut held = self.slots.held();
        held.answers = self.answers.bytes();
        held.commit_queue = self.queued_bytes();
        held
    }

    /// What waits for its turn.
    pub(crate) fn waiting(&self) -> Waiting {
        Waiting {
            work: self.blocking.waiting(),
            reads: self.reading.waiting(),
            joins: self.joining.waiting(),
            compactions: self.compactions.0.len(),
        }
    }

    /// The board's room, if it is in memory and may be served.
    pub(crate) fn live(&self, board: &BoardId) -> Option<Arc<RoomCell>> {
        self.slots.live(board).filter(|_| self.may_serve())
    }

    /// Does one step of a room and what it makes due.
    pub(crate) fn step<T>(
        self: &Arc<Self>,
        cell: &Arc<RoomCell>,
        step: impl FnOnce(&mut Room, &mut Effects) -> T,
    ) -> T {
        self.step_since(cell, None, step)
    }

    /// As [`Self::step`], for something that was read at `read`.
    pub(crate) fn step_since<T>(
        self: &Arc<Self>,
        cell: &Arc<RoomCell>,
        read: Option<Tick>,
        step: impl FnOnce(&mut Room, &mut Effects) -> T,
    ) -> T {
        self.step_submitting((cell, read), step, |change| {
            self.committer.submit(change, Some(cell.chain()))
        })
    }

    /// As [`Self::step`], for somebody who waits until the last change of the step is durable, if it made
    /// one.
    pub(crate) fn step_awaited<T>(
        self: &Arc<Self>,
        cell: &Arc<RoomCell>,
        step: impl FnOnce(&mut Room, &mut Effects) -> T,
    ) -> (T, Option<Receiver<Applied>>) {
        let mut last = None;
        let value = self.step_submitting((cell, None), step, |change| {
            last = Some(self.committer.submit_awaited(change, Some(cell.chain())));
        });
        (value, last)
    }

    fn step_submitting<T>(
        self: &Arc<Self>,
        (cell, read): (&Arc<RoomCell>, Option<Tick>),
        step: impl FnOnce(&mut Room, &mut Effects) -> T,
        submit: impl FnMut(Change),
    ) -> T {
        let mut effects = Effects::default();
        let value = {
            let mut room = cell.lock();
            let value = step(&mut room, &mut effects);
            effects.changes.drain(..).for_each(submit);
            cell.note(&room);
            value
        };
        self.metrics.step(&effects.tally);
        for waker in effects.wakers {
            waker.wake();
        }
        if effects.awareness_due {
            let (boards, cell) = (Arc::clone(self), Arc::clone(cell));
            self.spawn(async move {
                boards.host.sleep(limits::AWARENESS_EVERY).await;
                boards.step(&cell, Room::broadcast_awareness);
            });
        }
        for job in effects.answers {
            self.spawn(Arc::clone(self).answer(Arc::clone(cell), job));
        }
        if effects.flush_due {
            let since = read.unwrap_or_else(|| self.now().tick);
            self.spawn(Arc::clone(self).flush(Arc::clone(cell), since));
        }
        if effects.access_due {
            self.reconsider_room(Arc::clone(cell));
        }
        if effects.compaction_due {
            self.request_compaction(cell);
        }
        value
    }

    /// As [`Self::step`], for those who serve many rooms: a room whose step panics is given up, and the
    /// others go on.
    fn step_fenced<T>(
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
        self.give_up(cell, Fault::Internal);
        None
    }

    /// Gives a room up: its members are closed for `fault`, and whoever comes next loads the board anew.
    pub(crate) fn give_up(self: &Arc<Self>, cell: &Arc<RoomCell>, fault: Fault) {
        self.slots.give_up(cell);
        self.step(cell, |room, effects| room.close_all(fault, effects));
        self.release(Arc::clone(cell));
    }

    /// Runs `work`, which may block, on the blocking pool; not more than `limits::BLOCKING_MAX` at a time.
    ///
    /// # Cancellation
    /// The work goes on, and its result is dropped.
    async fn unblock<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> T {
        let _permit = self.blocking.take().await;
        host::unblock(&self.host, work).await
    }

    /// Runs `work` on the blocking pool that needs no board and no row; whoever asks bounds how many there
    /// are.
    ///
    /// # Cancellation
    /// The work goes on, and its result is dropped.
    pub(crate) async fn work_off_thread<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> T {
        host::unblock(&self.host, work).await
    }

    /// As [`Self::unblock`], for a read of some rows.
    async fn unblock_read<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> T {
        let _permit = self.reading.take().await;
        host::unblock(&self.host, work).await
    }

    /// Waits until everything submitted so far is durable or lost.
    ///
    /// # Errors
    /// As [`Committer::flush`].
    pub(crate) async fn settled(&self) -> Result<(), StoreError> {
        self.committer.flush().await
    }

    /// Commits everything, takes nothing more and closes the store; the writer then ends.
    pub(crate) async fn finish(&self, within: Duration) -> Finished {
        let finishing = async {
            let by = self.now().tick.after(within);
            let finished = self.committer.finish(by).await;
            let store = Arc::clone(&self.store);
            host::unblock(&self.host, move || store.close()).await;
            finished
        };
        let late = async {
            self.host.sleep(within).await;
            Finished::TimedOut
        };
        finishing.or(late).await
    }
}

/// Runs `task`; a panic in it is logged and becomes [`Fault::Internal`].
pub(crate) async fn fenced<T>(task: impl Future<Output = T>) -> Result<T, Fault> {
    AssertUnwindSafe(task).catch_unwind().await.map_err(|_| {
        tracing::error!("a task panicked; this is a bug, the panic is in the log above");
        Fault::Internal
    })
}
