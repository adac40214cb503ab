//! The one writer: gathers the changes of all boards and makes them durable together, one fsync a group.
//!
//! Owns the queue and the health of the disk; the thread that empties it is `committer/writer.rs`. Must not know rooms, sockets or the engine behind
//! [`Store`]. Key invariant: a change is reported durable only after the commit that contains it returned, each change
//! is reported once, and after a board's change was lost nothing more of that board is stored until
//! [`Committer::resume`]: what follows a lost change would make a later echo a lie. Tests: `committer/tests.rs`.
//!
//! A group is committed when its first change has waited for the window, at once when the writer was idle for as long
//! (waiting gains nothing), when it is large, and when somebody waits for it (`flush`, `finish`).

mod writer;

use std::collections::{HashSet, VecDeque};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use smol::channel::{Receiver, Sender};

use crate::boards::committer::writer::Writer;
use crate::ids::BoardId;
use crate::metrics::CommitMetrics;
use crate::store::{Applied, Change, Store, StoreError};
use crate::time::UnixMillis;

/// Weight at which a group is committed without waiting for more, and beyond which the rest waits for the next one.
const GROUP_BYTES: usize = 8 * 1024 * 1024;

/// What the writer is to do besides what it is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// How long a change may wait for others to share its fsync (`--commit-window`).
    pub window: Duration,
}

/// What became of a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The commit returned.
    Committed(Committed),
    /// Nothing of these boards that was submitted and not reported before may be taken as stored. They take no change
    /// until [`Committer::resume`].
    Failed {
        /// Whose changes were lost.
        boards: Vec<BoardId>,
        /// Why.
        error: StoreError,
    },
}

/// What a commit did, by kind of change; the order within a kind is that of submission.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Committed {
    /// Boards with the last of their sequences that is durable now, each board once.
    pub durable: Vec<(BoardId, u64)>,
    /// `Act::Create`: `Done`, `Exists`, `Deleted`, `TooManyBoards` or `Unreadable`.
    pub created: Vec<(BoardId, Applied)>,
    /// Boards of which another act was done: who may do what with them may have changed. Each board once.
    pub acted: Vec<BoardId>,
    /// `Snapshot`, with the sequence it covers.
    pub compacted: Vec<(BoardId, u64, Applied)>,
    /// Boards an update of which did not fit what is stored, or that were not made; nothing after it was stored. They take no change until
    /// [`Committer::resume`].
    pub refused: Vec<(BoardId, Applied)>,
}

/// Whether the disk takes what it is given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Status {
    /// It does.
    Healthy,
    /// It does not: a commit failed, and the store has not been opened again.
    Failing {
        /// Since when.
        since: Instant,
        /// The last error.
        reason: StoreError,
    },
}

/// How [`Committer::finish`] ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finished {
    /// Everything that was queued was committed.
    Durable,
    /// Something that was queued was lost, and reported so.
    Failed,
    /// The deadline passed first; the thread may still be in a system call.
    TimedOut,
}

struct Queued {
    number: u64,
    since: Instant,
    change: Change,
    answer: Option<Sender<Applied>>,
}

/// What is committed together.
#[derive(Default)]
struct Group {
    changes: Vec<Change>,
    /// Who waits for the change at an index.
    answers: Vec<(usize, Sender<Applied>)>,
}

struct Queue {
    changes: VecDeque<Queued>,
    /// The number that the next change gets.
    next: u64,
    /// The first number of the group being committed.
    committing: Option<u64>,
    /// Weight of `changes`.
    bytes: usize,
    /// Somebody waits for this number: no more gathering until it is settled.
    wanted: u64,
    /// Boards that lost a change.
    fenced: HashSet<BoardId>,
    /// Changes lost so far.
    lost: u64,
    last_error: Option<StoreError>,
    status: Status,
    /// Audit entries from before this are to be removed.
    prune: Option<UnixMillis>,
    /// Reading failed, or the probe at the start, and the writer has not seen to it yet.
    outage: Option<StoreError>,
    stop_at: Option<Instant>,
    stopped: bool,
}

struct Shared {
    queue: Mutex<Queue>,
    /// For the writer: there is work, or an end.
    work: Condvar,
    /// For those who wait in `flush` and `finish`: a group was settled.
    settled: Condvar,
    /// Weight of all that is queued or being committed.
    bytes: AtomicUsize,
    metrics: CommitMetrics,
}

/// Tells the server what became of its changes; called on the writer's thread, so it must be quick.
pub type Notify = dyn Fn(Outcome) + Send + Sync;

/// The handle on the writer.
pub struct Committer {
    shared: Arc<Shared>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Committer {
    /// Starts the writer's thread. A store that takes no write is known to be failing from the start on, before anybody
    /// has brought a change.
    ///
    /// # Errors
    /// The operating system gave no thread.
    pub fn start(store: Arc<dyn Store>, settings: Settings, notify: Arc<Notify>) -> std::io::Result<Self> {
        let mut queue = Queue::new();
        if let Err(error) = writer::guarded(|| store.probe()) {
            queue.note_failure(&error);
            queue.outage = Some(error);
        }
        let shared = Arc::new(Shared {
            queue: Mutex::new(queue),
            work: Condvar::new(),
            settled: Condvar::new(),
            bytes: AtomicUsize::new(0),
            metrics: CommitMetrics::default(),
        });
        let writer = Writer::new(Arc::clone(&shared), store, settings.window, notify);
        let thread = thread::Builder::new()
            .name("boardwire-committer".into())
            .spawn(move || writer.run())?;
        Ok(Self {
            shared,
            thread: Mutex::new(Some(thread)),
        })
    }

    /// Queues a change; never blocks on the disk, never refuses for fullness: who submits watches
    /// [`Committer::queued_bytes`] and stops reading from its peers.
    ///
    /// A change of a board that has lost one, or after `finish`, is dropped: it was reported lost, or nobody waits.
    pub fn submit(&self, change: Change) {
        self.enqueue(change, None);
    }

    /// As [`Committer::submit`], for somebody who waits: the channel gives what became of the change once that is
    /// durable, after [`Notify`] was told, and closes without a word when the change was lost.
    #[must_use]
    pub fn submit_awaited(&self, change: Change) -> Receiver<Applied> {
        let (answer, answered) = smol::channel::bounded(1);
        self.enqueue(change, Some(answer));
        answered
    }

    fn enqueue(&self, change: Change, answer: Option<Sender<Applied>>) {
        let mut queue = self.shared.lock();
        if queue.stop_at.is_some() || queue.fenced.contains(change.board()) {
            return;
        }
        let weight = change.weight();
        let (was_empty, was_small) = (queue.changes.is_empty(), queue.bytes < GROUP_BYTES);
        let number = queue.next;
        queue.next += 1;
        queue.bytes += weight;
        self.shared.bytes.fetch_add(weight, Ordering::Relaxed);
        queue.changes.push_back(Queued {
            number,
            since: Instant::now(),
            change,
            answer,
        });
        // Between the first and the last change of a group the writer's timer runs.
        if was_empty || (was_small && queue.bytes >= GROUP_BYTES) {
            self.shared.work.notify_one();
        }
    }

    /// Bytes submitted and neither durable nor lost.
    #[must_use]
    pub fn queued_bytes(&self) -> usize {
        self.shared.bytes.load(Ordering::Relaxed)
    }

    /// Asks for the audit entries from before `before` to be removed, when there is time for it.
    pub fn prune_audit(&self, before: UnixMillis) {
        self.shared.lock().prune = Some(before);
        self.shared.work.notify_one();
    }

    /// What it measures.
    #[must_use]
    pub fn metrics(&self) -> &CommitMetrics {
        &self.shared.metrics
    }

    /// Takes changes of a board again that has lost one. Called before the board is loaded anew, when the room that
    /// submitted the lost change is gone.
    pub fn resume(&self, board: &BoardId) {
        self.shared.lock().fenced.remove(board);
    }

    /// Tells the writer that reading failed: where the whole store is out of order it is opened again, since nothing
    /// else would, without a commit to fail. Who reads from the store passes each error on.
    pub fn note_read_error(&self, error: &StoreError) {
        if error.is_outage() {
            let mut queue = self.shared.lock();
            queue.note_failure(error);
            queue.outage.get_or_insert_with(|| error.clone());
            self.shared.work.notify_one();
        }
    }

    /// The health of the disk.
    #[must_use]
    pub fn status(&self) -> Status {
        self.shared.lock().status.clone()
    }

    /// Blocks until everything submitted before is durable or lost, without waiting for the window.
    ///
    /// # Errors
    /// The last error, when a change was lost meanwhile; it may be another board's.
    pub fn flush(&self) -> Result<(), StoreError> {
        let mut queue = self.shared.lock();
        let (target, lost) = (queue.next, queue.lost);
        queue.wanted = queue.wanted.max(target);
        self.shared.work.notify_one();
        while !queue.is_settled_below(target) && !queue.stopped {
            queue = self
                .shared
                .settled
                .wait(queue)
                .unwrap_or_else(PoisonError::into_inner);
        }
        match &queue.last_error {
            Some(error) if queue.lost > lost => Err(error.clone()),
            _ => Ok(()),
        }
    }

    /// Commits everything that is queued, takes nothing more, and ends the thread; blocks for at most `within`.
    pub fn finish(&self, within: Duration) -> Finished {
        let deadline = Instant::now() + within;
        let mut queue = self.shared.lock();
        let lost = queue.lost;
        queue.stop_at.get_or_insert(deadline);
        self.shared.work.notify_one();
        while !queue.stopped {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Finished::TimedOut;
            }
            let waited = self.shared.settled.wait_timeout(queue, left);
            queue = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        let finished = if queue.lost > lost {
            Finished::Failed
        } else {
            Finished::Durable
        };
        drop(queue);
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        match thread.map(JoinHandle::join) {
            Some(Err(_)) => Finished::Failed,
            Some(Ok(())) | None => finished,
        }
    }
}

impl Drop for Committer {
    /// Lets the writer commit what is queued, and does not wait for it.
    fn drop(&mut self) {
        self.shared.lock().stop_at.get_or_insert_with(Instant::now);
        self.shared.work.notify_one();
    }
}

impl Queue {
    fn new() -> Self {
        Self {
            changes: VecDeque::new(),
            next: 0,
            committing: None,
            bytes: 0,
            wanted: 0,
            fenced: HashSet::new(),
            lost: 0,
            last_error: None,
            status: Status::Healthy,
            prune: None,
            outage: None,
            stop_at: None,
            stopped: false,
        }
    }

    fn note_failure(&mut self, error: &StoreError) {
        self.last_error = Some(error.clone());
        let since = match self.status {
            Status::Failing { since, .. } => since,
            Status::Healthy => Instant::now(),
        };
        self.status = Status::Failing {
            since,
            reason: error.clone(),
        };
    }

    /// Whether no change with a lower number is queued or being committed.
    fn is_settled_below(&self, number: u64) -> bool {
        let first = self
            .committing
            .or_else(|| self.changes.front().map(|queued| queued.number));
        first.is_none_or(|first| first >= number)
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
