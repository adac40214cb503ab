//! The one writer: gathers the changes of all boards and makes them durable together, one fsync a group.
//!
//! Owns the queue, the writer's thread, its timing and its health. Must not know rooms, sockets or the engine behind
//! [`Store`]. Key invariant: a change is reported durable only after the commit that contains it returned, each change
//! is reported once, and after a board's change was lost nothing more of that board is stored until
//! [`Committer::resume`]: what follows a lost change would make a later echo a lie. Tests: `committer/tests.rs`.
//!
//! A group is committed when its first change has waited for the window, at once when the writer was idle for as long
//! (waiting gains nothing), when it is large, and when somebody waits for it (`flush`, `finish`).

use std::collections::{HashMap, HashSet, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::ids::BoardId;
use crate::store::{Applied, Change, Store, StoreError};

/// Weight at which a group is committed without waiting for more, and beyond which the rest waits for the next one.
const GROUP_BYTES: usize = 8 * 1024 * 1024;

/// The wait before the second attempt to open a failed store again; it doubles up to `RETRY_MAX`.
const RETRY_MIN: Duration = Duration::from_millis(100);

/// The longest wait between attempts to open a failed store again.
const RETRY_MAX: Duration = Duration::from_secs(5);

/// Weight of commits after which free space is looked for, to give it back, once the writer is idle.
const RECLAIM_AFTER_BYTES: usize = 4 * 1024 * 1024;

/// How long the writer must be idle before it gives space back.
const RECLAIM_IDLE: Duration = Duration::from_secs(1);

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
    /// `CreateBoard`: `Done`, `Exists`, `Deleted` or `Unreadable`.
    pub created: Vec<(BoardId, Applied)>,
    /// `Snapshot`, with the sequence it covers.
    pub compacted: Vec<(BoardId, u64, Applied)>,
    /// `DeleteBoard`.
    pub deleted: Vec<(BoardId, Applied)>,
    /// Boards an update of which did not fit what is stored; nothing after it was stored. They take no change until
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
    /// Reading failed, and the writer has not seen to it yet.
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
}

/// Tells the server what became of its changes; called on the writer's thread, so it must be quick.
pub type Notify = dyn Fn(Outcome) + Send + Sync;

/// The handle on the writer.
pub struct Committer {
    shared: Arc<Shared>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Committer {
    /// Starts the writer's thread.
    ///
    /// # Errors
    /// The operating system gave no thread.
    pub fn start(store: Arc<dyn Store>, settings: Settings, notify: Arc<Notify>) -> std::io::Result<Self> {
        let shared = Arc::new(Shared {
            queue: Mutex::new(Queue::new()),
            work: Condvar::new(),
            settled: Condvar::new(),
            bytes: AtomicUsize::new(0),
        });
        let writer = Writer {
            shared: Arc::clone(&shared),
            store,
            window: settings.window,
            notify,
            idle_since: None,
            retry: RETRY_MIN,
            written_bytes: 0,
        };
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

    /// Takes changes of a board again that has lost one. Called before the board is loaded anew, when the room that
    /// submitted the lost change is gone.
    pub fn resume(&self, board: &BoardId) {
        self.shared.lock().fenced.remove(board);
    }

    /// Tells the writer that reading failed: where the whole store is out of order it is opened again, since nothing
    /// else would, without a commit to fail. Callers of [`Store::load`] and [`Store::facts`] pass each error on.
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

/// What the writer does next.
enum Next {
    Commit(Vec<Change>),
    Recover(StoreError),
    Reclaim,
    Stop,
}

struct Writer {
    shared: Arc<Shared>,
    store: Arc<dyn Store>,
    window: Duration,
    notify: Arc<Notify>,
    /// When the last commit ended; `None` before the first.
    idle_since: Option<Instant>,
    /// The wait before the next attempt to open the store again.
    retry: Duration,
    /// Weight of what was committed since free space was last looked for.
    written_bytes: usize,
}

impl Writer {
    fn run(mut self) {
        loop {
            match self.wait() {
                Next::Commit(group) => self.commit(&group),
                Next::Recover(error) => {
                    self.fail(Vec::new(), error, 0);
                    self.recover();
                }
                Next::Reclaim => self.reclaim(),
                Next::Stop => break,
            }
        }
        // Last, since the server may exit as soon as this is seen.
        if self.written_bytes > 0 {
            self.reclaim();
        }
        drop(self.store);
        self.shared.lock().stopped = true;
        self.shared.settled.notify_all();
    }

    /// Waits until there is something to do.
    fn wait(&self) -> Next {
        let mut queue = self.shared.lock();
        loop {
            let now = Instant::now();
            if let Some(error) = queue.outage.take() {
                return Next::Recover(error);
            }
            let due = match queue.changes.front() {
                Some(_) if queue.bytes >= GROUP_BYTES || queue.stop_at.is_some() => Some(now),
                Some(first) if first.number < queue.wanted => Some(now),
                Some(first) => {
                    let from = self.idle_since.map_or(first.since, |idle| idle.min(first.since));
                    // Before the first commit the writer has been idle for ever.
                    Some(self.idle_since.map_or(now, |_| from + self.window))
                }
                None if queue.stop_at.is_some() => return Next::Stop,
                None => None,
            };
            let until = match due {
                Some(due) if due <= now => return Next::Commit(self.take_group(&mut queue)),
                Some(due) => Some(due),
                None if self.written_bytes >= RECLAIM_AFTER_BYTES => {
                    let at = self.idle_since.map_or(now, |idle| idle + RECLAIM_IDLE);
                    if at <= now {
                        return Next::Reclaim;
                    }
                    Some(at)
                }
                None => None,
            };
            queue = match until {
                Some(until) => {
                    let waited = self.shared.work.wait_timeout(queue, until - now);
                    waited.unwrap_or_else(PoisonError::into_inner).0
                }
                None => self
                    .shared
                    .work
                    .wait(queue)
                    .unwrap_or_else(PoisonError::into_inner),
            };
        }
    }

    fn take_group(&self, queue: &mut Queue) -> Vec<Change> {
        queue.committing = queue.changes.front().map(|first| first.number);
        let mut group = Vec::new();
        let mut weight = 0;
        while weight < GROUP_BYTES {
            let Some(queued) = queue.changes.pop_front() else {
                break;
            };
            weight += queued.change.weight();
            group.push(queued.change);
        }
        queue.bytes -= weight;
        group
    }

    fn commit(&mut self, group: &[Change]) {
        let weight: usize = group.iter().map(Change::weight).sum();
        let result = guarded(|| self.store.commit(group));
        match result {
            Ok(applied) => {
                self.retry = RETRY_MIN;
                self.written_bytes = self.written_bytes.saturating_add(weight);
                let committed = sort_out(group, &applied);
                let refused: HashSet<BoardId> =
                    committed.refused.iter().map(|(board, _)| board.clone()).collect();
                let dropped = match refused.is_empty() {
                    true => 0,
                    false => self.drop_queued(Some(&refused)).1,
                };
                self.tell(Outcome::Committed(committed));
                self.settle(weight + dropped);
            }
            Err(error) => {
                let boards: HashSet<BoardId> = group.iter().map(|change| change.board().clone()).collect();
                let dropped = self.drop_queued(Some(&boards)).1;
                let lost = u64::try_from(group.len()).unwrap_or(u64::MAX);
                self.fail(boards.into_iter().collect(), error, lost);
                self.settle(weight + dropped);
                self.recover();
            }
        }
        self.idle_since = Some(Instant::now());
    }

    /// Fences `lost` (all that have something queued, for `None`) and drops what is queued for them. Gives the boards
    /// that something was dropped of, and its weight. In one step, so that nothing slips in behind a lost change.
    fn drop_queued(&self, lost: Option<&HashSet<BoardId>>) -> (HashSet<BoardId>, usize) {
        let mut queue = self.shared.lock();
        let mut boards = HashSet::new();
        let (before, mut weight) = (queue.changes.len(), 0);
        queue.changes.retain(|queued| {
            let board = queued.change.board();
            let dropped = lost.is_none_or(|lost| lost.contains(board));
            if dropped {
                weight += queued.change.weight();
                boards.insert(board.clone());
            }
            !dropped
        });
        let dropped = before - queue.changes.len();
        queue.bytes -= weight;
        queue.lost += u64::try_from(dropped).unwrap_or(u64::MAX);
        queue.fenced.extend(lost.unwrap_or(&boards).iter().cloned());
        (boards, weight)
    }

    /// Notes that the store failed and `lost` changes with it, and reports the boards they were of.
    fn fail(&self, boards: Vec<BoardId>, error: StoreError, lost: u64) {
        let mut queue = self.shared.lock();
        queue.lost += lost;
        queue.note_failure(&error);
        drop(queue);
        if !boards.is_empty() {
            self.tell(Outcome::Failed { boards, error });
        }
    }

    /// Marks the current group as done.
    fn settle(&self, weight: usize) {
        self.shared.bytes.fetch_sub(weight, Ordering::Relaxed);
        self.shared.lock().committing = None;
        self.shared.settled.notify_all();
    }

    /// Opens the store again, at once and then with growing waits, until the server stops. What is queued when an
    /// attempt fails is lost: its rooms must know, and memory must not fill.
    fn recover(&mut self) {
        loop {
            let error = match guarded(|| self.store.reopen()) {
                Ok(()) => {
                    let mut queue = self.shared.lock();
                    queue.status = Status::Healthy;
                    // What was noted until now was of the old handle.
                    queue.outage = None;
                    return;
                }
                Err(error) => error,
            };
            let (boards, weight) = self.drop_queued(None);
            self.fail(boards.into_iter().collect(), error, 0);
            self.settle(weight);
            let again = Instant::now() + self.retry;
            self.retry = (self.retry * 2).min(RETRY_MAX);
            let mut queue = self.shared.lock();
            while Instant::now() < again {
                if queue.stop_at.is_some() {
                    return;
                }
                let left = again.saturating_duration_since(Instant::now());
                let waited = self.shared.work.wait_timeout(queue, left);
                queue = waited.unwrap_or_else(PoisonError::into_inner).0;
            }
        }
    }

    fn reclaim(&mut self) {
        self.written_bytes = 0;
        if let Err(error) = guarded(|| self.store.reclaim()) {
            self.fail(Vec::new(), error, 0);
            self.recover();
        }
        self.idle_since = Some(Instant::now());
    }

    fn tell(&self, outcome: Outcome) {
        // A panic of the receiver is its own; the panic hook has reported it, and the writer must go on.
        drop(catch_unwind(AssertUnwindSafe(|| (self.notify)(outcome))));
    }
}

/// Runs a call of the store; a panic in it is a failure like another.
fn guarded<T>(call: impl FnOnce() -> Result<T, StoreError>) -> Result<T, StoreError> {
    catch_unwind(AssertUnwindSafe(call)).unwrap_or(Err(StoreError::Panicked))
}

/// Sorts what became of each change by its kind.
fn sort_out(group: &[Change], applied: &[Applied]) -> Committed {
    let mut committed = Committed::default();
    let mut durable: HashMap<&BoardId, usize> = HashMap::new();
    let mut refused: HashSet<&BoardId> = HashSet::new();
    for (change, &applied) in group.iter().zip(applied) {
        let board = change.board();
        match change {
            Change::CreateBoard { .. } => committed.created.push((board.clone(), applied)),
            Change::DeleteBoard { .. } => committed.deleted.push((board.clone(), applied)),
            Change::Snapshot { covers, .. } => committed.compacted.push((board.clone(), *covers, applied)),
            Change::Append { sequence, .. } if applied == Applied::Done => {
                let at = *durable.entry(board).or_insert(committed.durable.len());
                match committed.durable.get_mut(at) {
                    Some(entry) => entry.1 = *sequence,
                    None => committed.durable.push((board.clone(), *sequence)),
                }
            }
            Change::Append { .. } => {
                if refused.insert(board) {
                    committed.refused.push((board.clone(), applied));
                }
            }
        }
    }
    committed
}

#[cfg(test)]
mod tests;
