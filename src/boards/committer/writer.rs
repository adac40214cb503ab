//! What the committer's writer does next, a step at a time.
//!
//! Owns the timing of commits, the recovery of a failed store, and the upkeep of the file. Must not be
//! reached but through the queue that it shares with [`super::Committer`]. Key invariant: after a failure
//! nothing of the chains it concerns is committed that was queued before it.

use std::collections::{HashMap, HashSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use smol::channel::Sender;

use super::{
    Chain, Committed, ENOUGH_BYTES, GROUP_BYTES, Link, Notify, Parts, Queue, Settled, Shared, Status,
};
use crate::ids::BoardId;
use crate::metrics::CommitMetrics;
use crate::store::{Act, Applied, Change, Reclaimed, SessionChange, Store, StoreError};
use crate::time::{Tick, UnixMillis};

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

/// When [`Writer::step`] is to be called again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wait {
    /// At once.
    Not,
    /// Then, or when the queue was stirred.
    Until(Tick),
    /// When the queue was stirred.
    Stirred,
    /// Never.
    Over,
}

/// What is due.
enum Next {
    Commit(Group),
    Prune(UnixMillis),
    PruneSessions(UnixMillis),
    PruneUploads(UnixMillis),
    Recover(StoreError),
    Reclaim,
    End,
    Wait(Wait),
}

/// What is committed together.
#[derive(Default)]
struct Group {
    /// When the first of the changes came.
    since: Tick,
    changes: Vec<Change>,
    /// That of the change at each index.
    chains: Vec<Option<Arc<Chain>>>,
    /// Who waits for the change at an index.
    answers: Vec<(usize, Sender<Applied>)>,
}

/// The last commit.
pub(super) struct Last {
    pub(super) begun: Tick,
    pub(super) took: Duration,
}

impl Last {
    /// When the next one is due, if nobody waits for it: so late that as many changes as possible share it,
    /// and so early that none waits longer than `window` until it is durable, should that take twice as long
    /// as it did. A tenth is for delays.
    pub(super) fn next(&self, window: Duration) -> Tick {
        let gathering = window.saturating_sub(window / 10).saturating_sub(self.took * 2);
        self.begun.after(gathering)
    }
}

/// Takes groups off the queue and commits them.
pub(crate) struct Writer {
    shared: Arc<Shared>,
    store: Arc<dyn Store>,
    window: Duration,
    notify: Arc<Notify>,
    metrics: CommitMetrics,
    /// `None` before the first.
    last: Option<Last>,
    /// When the store is to be opened again; `None` where it is open.
    reopen_at: Option<Tick>,
    /// The wait before the next attempt to open the store again.
    retry: Duration,
    /// When to take the next step towards giving space back; `None` where there was no commit since that was
    /// done.
    reclaim_at: Option<Tick>,
    /// Until when space is given back at the end, once that has come.
    end_at: Option<Tick>,
}

impl Writer {
    /// A writer that has not written yet.
    pub(super) fn new(shared: Arc<Shared>, parts: Parts) -> Self {
        // Space may have become free before the last stop.
        let reclaim_at = Some(shared.clock.now().tick.after(RECLAIM_AFTER));
        Self {
            shared,
            store: parts.store,
            window: parts.window,
            notify: parts.notify,
            metrics: parts.metrics,
            last: None,
            reopen_at: None,
            retry: RETRY_MIN,
            reclaim_at,
            end_at: None,
        }
    }

    /// Writes until it is told to stop; blocks the thread.
    pub(crate) fn run(mut self) {
        loop {
            let wait = self.step();
            if wait == Wait::Over {
                return;
            }
            let queue = self.shared.lock();
            if wait == Wait::Not || queue.stirred {
                continue;
            }
            let waited = match wait {
                Wait::Until(at) => {
                    let left = at.since(self.now());
                    drop(self.shared.work.wait_timeout(queue, left));
                    continue;
                }
                _ => self.shared.work.wait(queue),
            };
            drop(waited.unwrap_or_else(PoisonError::into_inner));
        }
    }

    /// Does the one thing that is due, if something is.
    pub(crate) fn step(&mut self) -> Wait {
        match self.next() {
            Next::Wait(wait) => return wait,
            Next::Commit(group) => self.commit(group),
            Next::Prune(before) => self.prune(before),
            Next::PruneSessions(before) => self.prune_sessions(before),
            Next::PruneUploads(before) => self.prune_uploads(before),
            Next::Recover(error) => {
                self.fail(Vec::new(), error, 0);
                self.recover();
            }
            Next::Reclaim => self.reclaim(),
            Next::End => return self.end(),
        }
        Wait::Not
    }

    fn now(&self) -> Tick {
        self.shared.clock.now().tick
    }

    fn next(&mut self) -> Next {
        let now = self.now();
        let shared = Arc::clone(&self.shared);
        let mut queue = shared.lock();
        queue.stirred = false;
        if let Some(at) = self.reopen_at {
            if at > now && queue.stop_at.is_none() {
                return Next::Wait(Wait::Until(at));
            }
            drop(queue);
            self.recover();
            return Next::Wait(Wait::Not);
        }
        if let Some(error) = queue.outage.take() {
            return Next::Recover(error);
        }
        // Between two steps commits get several times as long.
        if self.reclaim_at.is_some_and(|at| at <= now) && queue.stop_at.is_none() {
            return Next::Reclaim;
        }
        let due = match queue.changes.front() {
            Some(_) if queue.bytes >= ENOUGH_BYTES || queue.is_wanted() || queue.stop_at.is_some() => {
                Some(now)
            }
            // Before the first commit the writer has been idle for ever.
            Some(_) => Some(self.last.as_ref().map_or(now, |last| last.next(self.window))),
            None if queue.stop_at.is_some() => return Next::End,
            None => None,
        };
        if due.is_none_or(|due| due > now)
            && let Some(before) = queue.prune.take()
        {
            return Next::Prune(before);
        }
        if due.is_none_or(|due| due > now)
            && let Some(before) = queue.prune_sessions.take()
        {
            return Next::PruneSessions(before);
        }
        if due.is_none_or(|due| due > now)
            && let Some(before) = queue.prune_uploads.take()
        {
            return Next::PruneUploads(before);
        }
        if due.is_some_and(|due| due <= now) {
            return Next::Commit(take_group(&mut queue));
        }
        let at = due.into_iter().chain(self.reclaim_at).min();
        Next::Wait(at.map_or(Wait::Stirred, Wait::Until))
    }

    fn commit(&mut self, group: Group) {
        let Group {
            since,
            changes,
            chains,
            answers,
        } = group;
        let weight: usize = changes.iter().map(Change::weight).sum();
        let begun = self.now();
        let result = guarded(|| self.store.commit(&changes));
        let took = self.now().since(begun);
        self.last = Some(Last { begun, took });
        match result {
            Ok(applied) => {
                let waited = begun.since(since) + took;
                self.metrics.committed(changes.len(), took, waited);
                self.retry = RETRY_MIN;
                self.reclaim_soon();
                let committed = sort_out(&changes, &chains, &applied);
                let refused: Vec<Link> = committed.refused.iter().map(|(link, _)| link.clone()).collect();
                let dropped = match refused.is_empty() {
                    true => 0,
                    false => self.drop_queued(Some(refused)).1,
                };
                self.tell(Settled::Committed(committed));
                for (at, answer) in answers {
                    if let Some(applied) = applied.get(at) {
                        // Who waited may be gone.
                        answer.try_send(*applied).unwrap_or_default();
                    }
                }
                self.settle(weight + dropped);
            }
            Err(error) => {
                self.metrics.commit_failed();
                let lost = u64::try_from(changes.len()).unwrap_or(u64::MAX);
                let links = changes
                    .iter()
                    .zip(&chains)
                    .filter_map(|(change, chain)| link(change, chain.as_ref()));
                let (links, dropped) = self.drop_queued(Some(links.collect()));
                self.fail(links, error, lost);
                // Who waits is answered now: until the store opens again may be hours.
                drop(answers);
                self.settle(weight + dropped);
                self.recover();
            }
        }
    }

    /// Breaks the chains of `lost`, and drops what is queued of them; all that is queued, for `None`. Gives
    /// whose changes were lost, each once, and the weight of what was dropped. In one step, so that nothing
    /// slips in behind a lost change.
    fn drop_queued(&self, lost: Option<Vec<Link>>) -> (Vec<Link>, usize) {
        let mut queue = self.shared.lock();
        let all = lost.is_none();
        let mut links = lost.unwrap_or_default();
        if all {
            links.extend(
                queue
                    .changes
                    .iter()
                    .filter_map(|queued| link(&queued.change, queued.chain.as_ref())),
            );
        }
        let mut seen = HashSet::new();
        links.retain(|link| seen.insert((link.board.clone(), link.chain.as_ref().map(Arc::as_ptr))));
        let chains = links.iter().filter_map(|link| link.chain.as_ref());
        chains.for_each(|chain| chain.break_off());
        let (before, mut weight) = (queue.changes.len(), 0);
        queue.changes.retain(|queued| {
            let dropped = all || queued.is_of_broken_chain();
            if dropped {
                weight += queued.change.weight();
            }
            !dropped
        });
        let dropped = before - queue.changes.len();
        queue.bytes -= weight;
        queue.lost += u64::try_from(dropped).unwrap_or(u64::MAX);
        (links, weight)
    }

    /// Notes that the store failed and `lost` changes with it, and reports whose they were.
    fn fail(&self, links: Vec<Link>, error: StoreError, lost: u64) {
        let mut queue = self.shared.lock();
        queue.lost += lost;
        queue.note_failure(&error);
        drop(queue);
        if !links.is_empty() {
            self.tell(Settled::Failed { lost: links, error });
        }
    }

    /// Marks the current group as done.
    fn settle(&self, weight: usize) {
        self.shared.bytes.fetch_sub(weight, Ordering::Relaxed);
        let mut queue = self.shared.lock();
        queue.committing = None;
        queue.answer_settled();
    }

    /// Opens the store again, at once and then with growing waits, until the server stops. What is queued
    /// when an attempt fails is lost: its rooms must know, and memory must not fill.
    fn recover(&mut self) {
        let Err(error) = guarded(|| self.store.reopen()) else {
            self.reopen_at = None;
            let mut queue = self.shared.lock();
            queue.status = Status::Healthy;
            // What was noted until now was of the old handle.
            queue.outage = None;
            return;
        };
        let (links, weight) = self.drop_queued(None);
        self.fail(links, error, 0);
        self.settle(weight);
        let is_stopping = self.shared.lock().stop_at.is_some();
        self.reopen_at = (!is_stopping).then(|| self.now().after(self.retry));
        self.retry = (self.retry * 2).min(RETRY_MAX);
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

    /// Removes the sessions that are over.
    fn prune_sessions(&mut self, before: UnixMillis) {
        match guarded(|| self.store.prune_sessions(before)) {
            Ok(()) => self.reclaim_soon(),
            Err(error) => {
                self.fail(Vec::new(), error, 0);
                self.recover();
            }
        }
    }

    /// Removes a part of what uploads left, and asks for the next.
    fn prune_uploads(&mut self, before: UnixMillis) {
        match guarded(|| self.store.prune_uploads(before)) {
            Ok(true) => {
                self.shared.lock().prune_uploads.get_or_insert(before);
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
        if self.reclaim_at.is_none() {
            self.reclaim_at = Some(self.now().after(RECLAIM_AFTER));
        }
    }

    /// Takes one step towards giving space back.
    fn reclaim(&mut self) {
        let begun = self.now();
        let reclaimed = guarded(|| self.store.reclaim());
        let ended = self.now();
        self.reclaim_at = match &reclaimed {
            Ok(Reclaimed::Nothing) => None,
            Ok(Reclaimed::Some) => Some(ended.after(ended.since(begun) * RECLAIM_PAUSE_TIMES)),
            Ok(Reclaimed::GaveUp(_)) | Err(_) => Some(ended.after(RECLAIM_AGAIN)),
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

    /// Gives space back while nobody waits for anything but the end, and then ends.
    fn end(&mut self) -> Wait {
        let now = self.now();
        let stop_at = self.shared.lock().stop_at;
        let until = *self.end_at.get_or_insert_with(|| {
            let until = now.after(RECLAIM_AT_END);
            stop_at.map_or(until, |stop_at| stop_at.min(until))
        });
        if self.reclaim_at.is_some()
            && now < until
            && matches!(guarded(|| self.store.reclaim()), Ok(Reclaimed::Some))
        {
            return Wait::Not;
        }
        Wait::Over
    }

    fn tell(&self, outcome: Settled) {
        // A panic of the receiver is its own; the panic hook has reported it, and the writer must go on.
        drop(catch_unwind(AssertUnwindSafe(|| (self.notify)(outcome))));
    }
}

impl Drop for Writer {
    /// Last, since the server may exit as soon as this is seen.
    fn drop(&mut self) {
        self.shared.lock().stop();
    }
}

fn take_group(queue: &mut Queue) -> Group {
    queue.committing = queue.changes.front().map(|first| first.number);
    let mut group = Group {
        since: queue.since,
        ..Group::default()
    };
    let mut weight = 0;
    while weight < GROUP_BYTES {
        let Some(queued) = queue.changes.pop_front() else {
            break;
        };
        weight += queued.change.weight();
        group
            .answers
            .extend(queued.answer.map(|answer| (group.changes.len(), answer)));
        group.chains.push(queued.chain);
        group.changes.push(queued.change);
    }
    queue.bytes -= weight;
    group
}

/// Runs a call of the store; a panic in it is a failure like another.
pub(super) fn guarded<T>(call: impl FnOnce() -> Result<T, StoreError>) -> Result<T, StoreError> {
    catch_unwind(AssertUnwindSafe(call)).unwrap_or(Err(StoreError::Panicked))
}

/// Whose change it is, if it is of a board.
fn link(change: &Change, chain: Option<&Arc<Chain>>) -> Option<Link> {
    Some(Link {
        board: change.board()?.clone(),
        chain: chain.cloned(),
    })
}

/// Sorts what became of each change by its kind.
fn sort_out(changes: &[Change], chains: &[Option<Arc<Chain>>], applied: &[Applied]) -> Committed {
    let mut committed = Committed::default();
    let mut durable: HashMap<&BoardId, usize> = HashMap::new();
    let mut refused: HashSet<Option<*const Chain>> = HashSet::new();
    for ((change, chain), &applied) in changes.iter().zip(chains).zip(applied) {
        if let Change::Session(SessionChange::Revoke { id, .. }) = change
            && applied == Applied::Done
        {
            committed.ended_sessions.push(id.clone());
        }
        let Some(board) = change.board() else { continue };
        let is_refused = match change {
            // Whoever is on the board goes; what they have sent must not come after another's creation of it.
            Change::Act {
                act: Act::Create { .. },
                ..
            } => chain.is_some() && applied != Applied::Done,
            Change::Act { .. } => {
                if applied == Applied::Done && !committed.acted.contains(board) {
                    committed.acted.push(board.clone());
                }
                false
            }
            Change::Audit { .. }
            | Change::Snapshot { .. }
            | Change::Import(_)
            | Change::Purge { .. }
            | Change::Version { .. }
            | Change::Session(_)
            | Change::Asset(_) => false,
            Change::Append { sequence, .. } if applied == Applied::Done => {
                let at = *durable.entry(board).or_insert(committed.durable.len());
                match committed.durable.get_mut(at) {
                    Some(entry) => entry.1 = *sequence,
                    None => committed.durable.push((board.clone(), *sequence)),
                }
                false
            }
            Change::Append { .. } => true,
        };
        if is_refused && refused.insert(chain.as_ref().map(Arc::as_ptr)) {
            committed
                .refused
                .extend(link(change, chain.as_ref()).map(|link| (link, applied)));
        }
    }
    committed
}
