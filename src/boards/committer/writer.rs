//! The committer's thread: what it does next, a group at a time.
//!
//! Owns the timing of commits, the recovery of a failed store, and the upkeep of the file. Must not be reached but through
//! the queue that it shares with [`super::Committer`]. Key invariant: after a failure nothing of the boards it
//! concerns is committed that was queued before it.

use std::collections::{HashMap, HashSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use super::{Committed, GROUP_BYTES, Group, Notify, Outcome, Queue, Shared, Status};
use crate::ids::BoardId;
use crate::store::{Act, Applied, Change, Reclaimed, Store, StoreError};
use crate::time::UnixMillis;

/// The wait before the second attempt to open a failed store again; it doubles up to `RETRY_MAX`.
const RETRY_MIN: Duration = Duration::from_millis(100);

/// The longest wait between attempts to open a failed store again.
const RETRY_MAX: Duration = Duration::from_secs(5);

/// How long after a commit, or the start, the file is looked at: whether space is to be given back.
const RECLAIM_AFTER: Duration = Duration::from_secs(1);

/// After a step that gives space back, so many times what it took goes to commits.
const RECLAIM_PAUSE_TIMES: u32 = 9;

/// How long after giving space back failed it is tried again.
const RECLAIM_AGAIN: Duration = Duration::from_secs(600);

/// How much longer the end may take for giving space back.
const RECLAIM_AT_END: Duration = Duration::from_secs(1);

/// What the writer does next.
enum Next {
    Commit(Group),
    Prune(UnixMillis),
    Recover(StoreError),
    Reclaim,
    Stop,
}

/// Takes groups off the queue and commits them.
pub(super) struct Writer {
    shared: Arc<Shared>,
    store: Arc<dyn Store>,
    window: Duration,
    notify: Arc<Notify>,
    /// When the last commit ended; `None` before the first.
    idle_since: Option<Instant>,
    /// The wait before the next attempt to open the store again.
    retry: Duration,
    /// When to take the next step towards giving space back; `None` where there was no commit since that was done.
    reclaim_at: Option<Instant>,
}

impl Writer {
    /// A writer that has not written yet.
    pub(super) fn new(
        shared: Arc<Shared>,
        store: Arc<dyn Store>,
        window: Duration,
        notify: Arc<Notify>,
    ) -> Self {
        Self {
            shared,
            store,
            window,
            notify,
            idle_since: None,
            retry: RETRY_MIN,
            // Space may have become free before the last stop.
            reclaim_at: Some(Instant::now() + RECLAIM_AFTER),
        }
    }

    /// Writes until it is told to stop.
    pub(super) fn run(mut self) {
        loop {
            match self.wait() {
                Next::Commit(group) => self.commit(group),
                Next::Prune(before) => self.prune(before),
                Next::Recover(error) => {
                    self.fail(Vec::new(), error, 0);
                    self.recover();
                }
                Next::Reclaim => self.reclaim(),
                Next::Stop => break,
            }
        }
        // Last, since the server may exit as soon as this is seen.
        self.reclaim_at_end();
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
            // Between two steps commits get several times as long.
            if self.reclaim_at.is_some_and(|at| at <= now) && queue.stop_at.is_none() {
                return Next::Reclaim;
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
            if due.is_none_or(|due| due > now)
                && let Some(before) = queue.prune.take()
            {
                return Next::Prune(before);
            }
            if due.is_some_and(|due| due <= now) {
                return Next::Commit(self.take_group(&mut queue));
            }
            queue = match due.into_iter().chain(self.reclaim_at).min() {
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

    fn take_group(&self, queue: &mut Queue) -> Group {
        queue.committing = queue.changes.front().map(|first| first.number);
        let mut group = Group::default();
        let mut weight = 0;
        while weight < GROUP_BYTES {
            let Some(queued) = queue.changes.pop_front() else {
                break;
            };
            weight += queued.change.weight();
            group
                .answers
                .extend(queued.answer.map(|answer| (group.changes.len(), answer)));
            group.changes.push(queued.change);
        }
        queue.bytes -= weight;
        group
    }

    fn commit(&mut self, group: Group) {
        let Group { changes, answers } = group;
        let weight: usize = changes.iter().map(Change::weight).sum();
        let result = (self.shared.metrics).observe(changes.len(), || guarded(|| self.store.commit(&changes)));
        match result {
            Ok(applied) => {
                self.retry = RETRY_MIN;
                self.reclaim_soon();
                let committed = sort_out(&changes, &applied);
                let refused: HashSet<BoardId> =
                    committed.refused.iter().map(|(board, _)| board.clone()).collect();
                let dropped = match refused.is_empty() {
                    true => 0,
                    false => self.drop_queued(Some(&refused)).1,
                };
                self.tell(Outcome::Committed(committed));
                for (at, answer) in answers {
                    if let Some(applied) = applied.get(at) {
                        // Who waited may be gone.
                        answer.try_send(*applied).unwrap_or_default();
                    }
                }
                self.settle(weight + dropped);
            }
            Err(error) => {
                let boards: HashSet<BoardId> = changes.iter().map(|change| change.board().clone()).collect();
                let dropped = self.drop_queued(Some(&boards)).1;
                let lost = u64::try_from(changes.len()).unwrap_or(u64::MAX);
                self.fail(boards.into_iter().collect(), error, lost);
                // Who waits is answered now: until the store opens again may be hours.
                drop(answers);
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

    /// Removes a part of the old audit entries, and asks for the next.
    fn prune(&mut self, before: UnixMillis) {
        match guarded(|| self.store.prune_audit(before)) {
            Ok(true) => {
                self.shared.lock().prune.get_or_insert(before);
                self.reclaim_soon();
            }
            Ok(false) => self.reclaim_soon(),
            Err(error) => {
                self.fail(Vec::new(), error, 0);
                self.recover();
            }
        }
    }

    /// Something has changed: the file is to be looked at before long.
    fn reclaim_soon(&mut self) {
        self.reclaim_at
            .get_or_insert_with(|| Instant::now() + RECLAIM_AFTER);
    }

    /// Takes one step towards giving space back.
    fn reclaim(&mut self) {
        let begun = Instant::now();
        let reclaimed = guarded(|| self.store.reclaim());
        let ended = Instant::now();
        self.reclaim_at = match &reclaimed {
            Ok(Reclaimed::Nothing) => None,
            Ok(Reclaimed::Some) => Some(ended + (ended - begun) * RECLAIM_PAUSE_TIMES),
            Ok(Reclaimed::GaveUp(_)) | Err(_) => Some(ended + RECLAIM_AGAIN),
        };
        match reclaimed {
            Ok(Reclaimed::Nothing | Reclaimed::Some) => {}
            Ok(Reclaimed::GaveUp(error)) => {
                tracing::warn!(%error, "cannot make the data file smaller; trying again in 10 minutes");
            }
            Err(error) => {
                self.fail(Vec::new(), error, 0);
                self.recover();
            }
        }
    }

    /// Gives space back while nobody waits for anything but the end.
    fn reclaim_at_end(&mut self) {
        let stop_at = self.shared.lock().stop_at;
        let until = Instant::now() + RECLAIM_AT_END;
        let until = stop_at.map_or(until, |stop_at| stop_at.min(until));
        while self.reclaim_at.is_some() && Instant::now() < until {
            match guarded(|| self.store.reclaim()) {
                Ok(Reclaimed::Some) => {}
                Ok(Reclaimed::Nothing | Reclaimed::GaveUp(_)) | Err(_) => return,
            }
        }
    }

    fn tell(&self, outcome: Outcome) {
        // A panic of the receiver is its own; the panic hook has reported it, and the writer must go on.
        drop(catch_unwind(AssertUnwindSafe(|| (self.notify)(outcome))));
    }
}

/// Runs a call of the store; a panic in it is a failure like another.
pub(super) fn guarded<T>(call: impl FnOnce() -> Result<T, StoreError>) -> Result<T, StoreError> {
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
            Change::Act {
                act: Act::Create { .. },
                ..
            } => {
                committed.created.push((board.clone(), applied));
                // Whoever is on the board goes; what they have sent must not come after another's creation of it.
                if applied == Applied::TooManyBoards && refused.insert(board) {
                    committed.refused.push((board.clone(), applied));
                }
            }
            Change::Act { .. } => {
                if applied == Applied::Done && !committed.acted.contains(board) {
                    committed.acted.push(board.clone());
                }
            }
            Change::Audit { .. } => {}
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
