//! The one writer: gathers the changes of all boards and makes them durable together, one fsync a group.
//!
//! Owns the queue and the health of the disk; what empties it is `committer/writer.rs`. Must not know rooms,
//! sockets or the engine behind [`Store`]. Key invariant: a change is reported durable only after the commit
//! that contains it returned, each change is reported once, and after a change of a [`Chain`] was lost
//! nothing more of that chain is stored: what follows a lost change would make a later echo a lie. Tests:
//! `committer/tests.rs`.
//!
//! A group is committed at once when nothing was committed for a while (waiting gains nothing), when it is
//! large, and when somebody waits for one of its changes or for all (`submit_awaited`, `flush`, `finish`).
//! Under steady change it is committed as late as lets each change be durable within the window.

mod writer;

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use smol::channel::{Receiver, Sender, bounded};

#[cfg(test)]
pub(crate) use self::writer::Wait;
pub(crate) use self::writer::Writer;
use crate::ids::{BoardId, SecretId};
use crate::metrics::CommitMetrics;
use crate::store::{Applied, Change, Store, StoreError};
use crate::time::{Clock, Tick, UnixMillis};

/// Weight at which a group is committed without waiting for more: of small updates that is more than a
/// thousand, and far less than the echoes that one author may be owed.
const ENOUGH_BYTES: usize = 256 * 1024;

/// Weight beyond which the rest waits for the next group.
const GROUP_BYTES: usize = 8 * 1024 * 1024;

/// The changes of one room, of which each builds on those before. Once one of them was lost it is broken for
/// good: the room must go, and what it still submits is dropped.
#[derive(Debug, Default)]
pub(crate) struct Chain(AtomicBool);

impl Chain {
    /// Whether one of its changes was lost.
    pub(crate) fn is_broken(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }

    /// Only under the queue's lock, so that nothing slips in behind a lost change.
    pub(super) fn break_off(&self) {
        self.0.store(true, Ordering::Release);
    }
}

/// A board, and the chain of it that a change belonged to.
#[derive(Clone, Debug)]
pub(crate) struct Link {
    pub(crate) board: BoardId,
    /// `None` for what belongs to no room.
    pub(crate) chain: Option<Arc<Chain>>,
}

/// What became of a group.
#[derive(Clone, Debug)]
pub(crate) enum Settled {
    /// The commit returned.
    Committed(Committed),
    /// Nothing of these that was submitted and not reported before may be taken as stored. Their chains are
    /// broken.
    Failed {
        /// Whose changes were lost, each once.
        lost: Vec<Link>,
        /// Why.
        error: StoreError,
    },
}

/// What a commit did, by kind of change; the order within a kind is that of submission.
#[derive(Clone, Debug, Default)]
pub(crate) struct Committed {
    /// Boards with the last of their sequences that is durable now, each board once.
    pub(crate) durable: Vec<(BoardId, u64)>,
    /// Boards of which another act than their creation was done: who may do what with them may have changed.
    /// Each board once.
    pub(crate) acted: Vec<BoardId>,
    /// Sessions that were revoked.
    pub(crate) ended_sessions: Vec<SecretId>,
    /// Boards an update of which did not fit what is stored, or that were not made; nothing after it was
    /// stored, and their chains are broken.
    pub(crate) refused: Vec<(Link, Applied)>,
}

/// Whether the disk takes what it is given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Status {
    /// It does.
    Healthy,
    /// It does not: a commit failed, and the store has not been opened again.
    Failing {
        /// The last error.
        reason: StoreError,
    },
}

/// How [`Committer::finish`] ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Finished {
    /// Everything that was queued was committed.
    Durable,
    /// Something that was queued was lost, and reported so.
    Failed,
    /// The time was over first; the writer may still be in a system call.
    TimedOut,
}

struct Queued {
    number: u64,
    change: Change,
    chain: Option<Arc<Chain>>,
    answer: Option<Sender<Applied>>,
}

impl Queued {
    fn is_of_broken_chain(&self) -> bool {
        self.chain.as_ref().is_some_and(|chain| chain.is_broken())
    }
}

/// Somebody who waits until all with a lower number is settled.
struct Waiting {
    below: u64,
    /// Changes lost before it came.
    lost: u64,
    done: Sender<Result<(), StoreError>>,
}

struct Queue {
    changes: VecDeque<Queued>,
    /// When the first of `changes` came.
    since: Tick,
    /// The number that the next change gets.
    next: u64,
    /// The first number of the group being committed.
    committing: Option<u64>,
    /// Weight of `changes`.
    bytes: usize,
    /// Somebody waits for all with a lower number: no more gathering until these are settled.
    wanted: u64,
    waiting: Vec<Waiting>,
    /// Changes lost so far.
    lost: u64,
    last_error: Option<StoreError>,
    status: Status,
    /// Audit entries from before this are to be removed.
    prune: Option<UnixMillis>,
    /// Sessions that end before this are to be removed.
    prune_sessions: Option<UnixMillis>,
    /// Uploads that began before this, and what was given up, are to be removed.
    prune_uploads: Option<UnixMillis>,
    /// Reading failed, or the probe at the start, and the writer has not seen to it yet.
    outage: Option<StoreError>,
    /// Something changed since the writer last looked.
    stirred: bool,
    /// The end is wanted, at the latest by then.
    stop_at: Option<Tick>,
    /// Who waits for it, with the changes lost before.
    ending: Vec<(u64, Sender<Finished>)>,
    stopped: bool,
}

struct Shared {
    queue: Mutex<Queue>,
    /// For the writer's thread: look again.
    work: Condvar,
    /// Weight of all that is queued or being committed.
    bytes: AtomicUsize,
    clock: Arc<dyn Clock>,
}

/// Tells the boards what became of their changes; called by the writer, so it must be quick.
pub(crate) type Notify = dyn Fn(Settled) + Send + Sync;

/// What a committer is made of.
pub(crate) struct Parts {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) notify: Arc<Notify>,
    pub(crate) metrics: CommitMetrics,
    /// How long a change may take to be durable, for others to share its fsync (`--commit-window`).
    pub(crate) window: Duration,
}

/// The handle on the writer.
pub(crate) struct Committer {
    shared: Arc<Shared>,
}

impl Committer {
    /// A committer, and the writer that somebody must run. A store that takes no write is known to be failing
    /// from the start on, before anybody has brought a change.
    pub(crate) fn new(parts: Parts) -> (Self, Writer) {
        let mut queue = Queue::new();
        if let Err(error) = writer::guarded(|| parts.store.probe()) {
            queue.note_failure(&error);
            queue.outage = Some(error);
        }
        let shared = Arc::new(Shared {
            queue: Mutex::new(queue),
            work: Condvar::new(),
            bytes: AtomicUsize::new(0),
            clock: Arc::clone(&parts.clock),
        });
        let writer = Writer::new(Arc::clone(&shared), parts);
        (Self { shared }, writer)
    }

    /// Queues a change; never blocks on the disk, never refuses for fullness: who submits watches
    /// [`Committer::queued_bytes`] and stops reading from its peers.
    ///
    /// A change of a broken chain, or after `finish`, is dropped: it was reported lost, or nobody waits.
    pub(crate) fn submit(&self, change: Change, chain: Option<&Arc<Chain>>) {
        self.enqueue(change, chain, None);
    }

    /// As [`Committer::submit`], for somebody who waits, so that nothing is gathered: the channel gives what
    /// became of the change once that is durable, after [`Notify`] was told, and closes without a word when
    /// the change was lost.
    #[must_use]
    pub(crate) fn submit_awaited(&self, change: Change, chain: Option<&Arc<Chain>>) -> Receiver<Applied> {
        let (answer, answered) = bounded(1);
        self.enqueue(change, chain, Some(answer));
        answered
    }

    fn enqueue(&self, change: Change, chain: Option<&Arc<Chain>>, answer: Option<Sender<Applied>>) {
        let mut queue = self.shared.lock();
        if queue.stop_at.is_some() || chain.is_some_and(|chain| chain.is_broken()) {
            return;
        }
        let weight = change.weight();
        let (was_empty, was_small) = (queue.changes.is_empty(), queue.bytes < ENOUGH_BYTES);
        let was_wanted = queue.is_wanted();
        if was_empty {
            queue.since = self.shared.clock.now().tick;
        }
        let number = queue.next;
        queue.next += 1;
        queue.bytes += weight;
        self.shared.bytes.fetch_add(weight, Ordering::Relaxed);
        if answer.is_some() {
            queue.wanted = queue.next;
        }
        queue.changes.push_back(Queued {
            number,
            change,
            chain: chain.cloned(),
            answer,
        });
        // Between the first and the last change of a group the writer's timer runs.
        let is_large = was_small && queue.bytes >= ENOUGH_BYTES;
        if was_empty || is_large || (!was_wanted && queue.is_wanted()) {
            self.shared.stir(&mut queue);
        }
    }

    /// Bytes submitted and neither durable nor lost.
    #[must_use]
    pub(crate) fn queued_bytes(&self) -> usize {
        self.shared.bytes.load(Ordering::Relaxed)
    }

    /// Asks for the audit entries from before `before` to be removed, when there is time for it.
    pub(crate) fn prune_audit(&self, before: UnixMillis) {
        let mut queue = self.shared.lock();
        queue.prune = Some(before);
        self.shared.stir(&mut queue);
    }

    /// Asks for the sessions that end before `before` to be removed, when there is time for it.
    pub(crate) fn prune_sessions(&self, before: UnixMillis) {
        let mut queue = self.shared.lock();
        queue.prune_sessions = Some(before);
        self.shared.stir(&mut queue);
    }

    /// Asks for the uploads that began before `before`, and for what was given up, to be removed, when there
    /// is time for it.
    pub(crate) fn prune_uploads(&self, before: UnixMillis) {
        let mut queue = self.shared.lock();
        queue.prune_uploads = Some(before);
        self.shared.stir(&mut queue);
    }

    /// Tells the writer that reading failed: where the whole store is out of order it is opened again, since
    /// nothing else would, without a commit to fail. Who reads from the store passes each error on.
    pub(crate) fn note_read_error(&self, error: &StoreError) {
        if error.is_outage() {
            let mut queue = self.shared.lock();
            queue.note_failure(error);
            queue.outage.get_or_insert_with(|| error.clone());
            self.shared.stir(&mut queue);
        }
    }

    /// The health of the disk.
    #[must_use]
    pub(crate) fn status(&self) -> Status {
        self.shared.lock().status.clone()
    }

    /// Waits until everything submitted before is durable or lost, without waiting for the window.
    ///
    /// # Errors
    /// The last error, when a change was lost meanwhile; it may be another board's.
    pub(crate) async fn flush(&self) -> Result<(), StoreError> {
        let done = {
            let mut queue = self.shared.lock();
            let below = queue.next;
            if queue.stopped || queue.is_settled_below(below) {
                return Ok(());
            }
            queue.wanted = queue.wanted.max(below);
            self.shared.stir(&mut queue);
            let (sender, done) = bounded(1);
            let lost = queue.lost;
            queue.waiting.push(Waiting {
                below,
                lost,
                done: sender,
            });
            done
        };
        // The writer answers all, and at its end.
        done.recv().await.unwrap_or(Err(StoreError::Poisoned))
    }

    /// Commits everything that is queued, takes nothing more, and ends the writer; what that cannot do until
    /// `by` is lost.
    pub(crate) async fn finish(&self, by: Tick) -> Finished {
        let ended = {
            let mut queue = self.shared.lock();
            queue.stop_at.get_or_insert(by);
            if queue.stopped {
                return Finished::Durable;
            }
            self.shared.stir(&mut queue);
            let (sender, ended) = bounded(1);
            let lost = queue.lost;
            queue.ending.push((lost, sender));
            ended
        };
        ended.recv().await.unwrap_or(Finished::Failed)
    }
}

impl Drop for Committer {
    /// Lets the writer commit what is queued, and does not wait for it.
    fn drop(&mut self) {
        let now = self.shared.clock.now().tick;
        let mut queue = self.shared.lock();
        queue.stop_at.get_or_insert(now);
        self.shared.stir(&mut queue);
    }
}

impl Queue {
    fn new() -> Self {
        Self {
            changes: VecDeque::new(),
            since: Tick::default(),
            next: 0,
            committing: None,
            bytes: 0,
            wanted: 0,
            waiting: Vec::new(),
            lost: 0,
            last_error: None,
            status: Status::Healthy,
            prune: None,
            prune_sessions: None,
            prune_uploads: None,
            outage: None,
            stirred: false,
            stop_at: None,
            ending: Vec::new(),
            stopped: false,
        }
    }

    /// Whether somebody waits for what is queued.
    fn is_wanted(&self) -> bool {
        let first = self.changes.front();
        first.is_some_and(|first| first.number < self.wanted)
    }

    fn note_failure(&mut self, error: &StoreError) {
        self.last_error = Some(error.clone());
        self.status = Status::Failing {
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

    /// Answers those who wait for no more.
    fn answer_settled(&mut self) {
        let waiting = std::mem::take(&mut self.waiting);
        for one in waiting {
            if !self.stopped && !self.is_settled_below(one.below) {
                self.waiting.push(one);
                continue;
            }
            let answer = match &self.last_error {
                Some(error) if self.lost > one.lost => Err(error.clone()),
                _ => Ok(()),
            };
            // Who waited may be gone.
            drop(one.done.try_send(answer));
        }
    }

    /// Notes that the writer has ended.
    fn stop(&mut self) {
        self.stopped = true;
        self.answer_settled();
        for (lost, ended) in self.ending.drain(..) {
            let finished = match self.lost > lost {
                true => Finished::Failed,
                false => Finished::Durable,
            };
            // Who waited may be gone.
            ended.try_send(finished).unwrap_or_default();
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Has the writer look again.
    fn stir(&self, queue: &mut Queue) {
        queue.stirred = true;
        self.work.notify_one();
    }
}

#[cfg(test)]
mod tests;
