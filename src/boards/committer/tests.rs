//! Tests of the committer over a store in memory that fails, blocks and panics when told to.

mod scripted;

use std::collections::BTreeMap;
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Instant;

use smol::future::FutureExt as _;

use self::scripted::{Failure, Scripted};
use super::writer::Last;
use super::*;
use crate::audit::{Action, Actor, Entry, EntryKey};
use crate::boards::harness::TestHost;
use crate::store::{Act, BoardLog as _, OpenError, Reclaimed, Stored};
use crate::time::UnixMillis;
use bytes::Bytes;

/// Longer than any test may take.
const LONG: Duration = Duration::from_secs(20);

/// A window that never ends by itself within a test.
const NEVER: Duration = Duration::from_secs(3600);

fn id(text: &str) -> BoardId {
    BoardId::parse(text).unwrap()
}

fn append(board: &str, sequence: u64) -> Change {
    Change::Append {
        board: id(board),
        sequence,
        update: Bytes::from_static(b"update"),
        at: UnixMillis(0),
    }
}

fn act(board: &str, act: Act) -> Change {
    let key = EntryKey {
        at: UnixMillis(0),
        n: 0,
    };
    let entry = Entry::new(key, Actor::unknown(), Action::BoardUpdate);
    Change::Act {
        board: id(board),
        act,
        as_owner: None,
        entry: Box::new(entry),
    }
}

fn create(board: &str) -> Change {
    let (owner, title) = (None, None);
    act(board, Act::Create { owner, title })
}

fn snapshot(board: &str, covers: u64, length: usize) -> Change {
    Change::Snapshot {
        board: id(board),
        covers,
        state: vec![0; length].into(),
    }
}

/// A committer whose changes of a board are one chain, until that is mended; what waits for it blocks.
struct Rig {
    committer: Committer,
    chains: Mutex<BTreeMap<BoardId, Arc<Chain>>>,
}

impl std::ops::Deref for Rig {
    type Target = Committer;

    fn deref(&self) -> &Committer {
        &self.committer
    }
}

impl Rig {
    fn over(store: Arc<dyn Store>, window: Duration, notify: Arc<Notify>) -> Self {
        let (committer, writer) = Committer::new(Parts {
            store,
            clock: TestHost::new(),
            notify,
            metrics: CommitMetrics::default(),
            window,
        });
        thread::spawn(|| writer.run());
        Self {
            committer,
            chains: Mutex::default(),
        }
    }

    fn submit(&self, change: Change) {
        let chain = self.chain(&change);
        self.committer.submit(change, Some(&chain));
    }

    fn submit_awaited(&self, change: Change) -> smol::channel::Receiver<Applied> {
        let chain = self.chain(&change);
        self.committer.submit_awaited(change, Some(&chain))
    }

    fn chain(&self, change: &Change) -> Arc<Chain> {
        let mut chains = self.chains.lock().unwrap();
        Arc::clone(chains.entry(change.board().unwrap().clone()).or_default())
    }

    /// The board is loaded anew.
    fn mend(&self, board: &str) {
        self.chains.lock().unwrap().remove(&id(board));
    }

    fn flush(&self) -> Result<(), StoreError> {
        smol::block_on(self.committer.flush())
    }

    fn finish(&self, within: Duration) -> Finished {
        let by = self.shared.clock.now().tick.after(within);
        let late = async {
            async_io::Timer::after(within).await;
            Finished::TimedOut
        };
        smol::block_on(self.committer.finish(by).or(late))
    }
}

fn started(window: Duration) -> (Arc<Scripted>, Rig, Receiver<Settled>) {
    started_over(Arc::default(), window)
}

fn started_over(store: Arc<Scripted>, window: Duration) -> (Arc<Scripted>, Rig, Receiver<Settled>) {
    let (notify, outcomes) = told();
    let rig = Rig::over(store.clone(), window, notify);
    (store, rig, outcomes)
}

fn told() -> (Arc<Notify>, Receiver<Settled>) {
    let (sender, receiver) = channel();
    let sender = Mutex::new(sender);
    let notify = Arc::new(move |outcome| drop(sender.lock().unwrap().send(outcome)));
    (notify, receiver)
}

/// Whose changes the next outcome says are lost, and why.
#[track_caller]
fn lost(outcomes: &Receiver<Settled>) -> (Vec<BoardId>, StoreError) {
    match next(outcomes) {
        Settled::Failed { lost, error } => (lost.into_iter().map(|link| link.board).collect(), error),
        committed @ Settled::Committed(_) => panic!("{committed:?}"),
    }
}

fn next(outcomes: &Receiver<Settled>) -> Settled {
    outcomes.recv_timeout(LONG).expect("an outcome in time")
}

fn durable(outcomes: &Receiver<Settled>) -> Vec<(BoardId, u64)> {
    match next(outcomes) {
        Settled::Committed(committed) => committed.durable,
        failed @ Settled::Failed { .. } => panic!("{failed:?}"),
    }
}

fn until_healthy(committer: &Rig) {
    let deadline = Instant::now() + LONG;
    while committer.status() != Status::Healthy {
        assert!(Instant::now() < deadline);
        thread::sleep(Duration::from_millis(1));
    }
}

/// Shuts the gate and brings the writer to it with a group of its own, so that what follows gathers.
fn occupied(store: &Scripted, committer: &Rig) {
    store.set_shut(true);
    committer.submit(append("first", 1));
    let deadline = Instant::now() + LONG;
    while store.script().groups.is_empty() {
        assert!(Instant::now() < deadline);
        thread::yield_now();
    }
}

#[test]
fn the_first_change_is_committed_at_once_and_later_ones_gather_for_the_window() {
    let (store, committer, outcomes) = started(NEVER);
    committer.submit(append("a", 1));
    assert_eq!(durable(&outcomes), [(id("a"), 1)]);
    committer.submit(append("a", 2));
    committer.submit(append("b", 1));
    committer.submit(append("a", 3));
    assert!(
        outcomes.recv_timeout(Duration::from_millis(30)).is_err(),
        "they wait for the window"
    );
    assert!(committer.queued_bytes() > 0);
    assert_eq!(committer.flush(), Ok(()));
    assert_eq!(durable(&outcomes), [(id("a"), 3), (id("b"), 1)]);
    assert_eq!(store.script().groups.len(), 2);
    assert_eq!(committer.queued_bytes(), 0);
}

#[test]
fn a_change_waits_no_longer_than_the_window() {
    let window = Duration::from_millis(250);
    let (_store, committer, outcomes) = started(window);
    committer.submit(append("a", 1));
    durable(&outcomes);
    let submitted = Instant::now();
    committer.submit(append("a", 2));
    durable(&outcomes);
    assert!(submitted.elapsed() < window + Duration::from_millis(500));
    // Idle for the window now: the next one waits for nothing.
    thread::sleep(window);
    let submitted = Instant::now();
    committer.submit(append("a", 3));
    durable(&outcomes);
    assert!(submitted.elapsed() < window, "it was committed at once");
}

#[test]
fn a_change_that_somebody_waits_for_takes_along_what_has_gathered() {
    let (store, committer, outcomes) = started(NEVER);
    committer.submit(append("a", 1));
    durable(&outcomes);
    committer.submit(append("a", 2));
    let answered = committer.submit_awaited(append("b", 1));
    assert_eq!(smol::block_on(answered.recv()), Ok(Applied::Done));
    assert_eq!(durable(&outcomes), [(id("a"), 2), (id("b"), 1)]);
    committer.submit(append("a", 3));
    assert!(
        outcomes.recv_timeout(Duration::from_millis(30)).is_err(),
        "nobody waits any more"
    );
    assert_eq!(store.script().groups.len(), 2);
}

#[test]
fn a_group_gathers_for_as_long_as_lets_it_be_durable_within_the_window() {
    let window = Duration::from_millis(250);
    let next = |took| {
        let took = Duration::from_millis(took);
        Last {
            begun: Tick(1_000_000),
            took,
        }
        .next(window)
    };
    assert_eq!(next(0), Tick(1_225_000));
    // What comes just after the commit began is durable after 205 ms and another commit.
    assert_eq!(next(10), Tick(1_205_000));
    assert_eq!(next(500), Tick(1_000_000), "a disk that slow is never waited for");
}

#[test]
fn a_group_that_is_large_enough_does_not_wait() {
    let (store, committer, outcomes) = started(NEVER);
    committer.submit(append("a", 1));
    durable(&outcomes);
    let small = snapshot("a", 1, 0).weight();
    committer.submit(snapshot("a", 1, ENOUGH_BYTES - small - 1));
    assert!(outcomes.recv_timeout(Duration::from_millis(30)).is_err());
    assert_eq!(store.script().groups.len(), 1);
    committer.submit(append("b", 1));
    assert_eq!(durable(&outcomes), [(id("b"), 1)]);
}

#[test]
fn a_large_group_is_cut() {
    let (store, committer, outcomes) = started(NEVER);
    occupied(&store, &committer);
    for _ in 0..5 {
        committer.submit(snapshot("a", 1, GROUP_BYTES / 2));
    }
    store.set_shut(false);
    for _ in 0..3 {
        assert!(matches!(next(&outcomes), Settled::Committed(_)));
    }
    assert_eq!(committer.flush(), Ok(()));
    let sizes: Vec<usize> = store.script().groups.iter().skip(1).map(Vec::len).collect();
    assert_eq!(sizes, [2, 2, 1]);
}

#[test]
fn a_failed_commit_is_reported_for_its_boards_and_what_waits_behind_and_for_no_others() {
    let (store, committer, outcomes) = started(Duration::ZERO);
    occupied(&store, &committer);
    store.script().failures.push_back(Failure::Error);
    committer.submit(append("first", 2));
    committer.submit(append("other", 1));
    store.set_shut(false);
    assert_eq!(lost(&outcomes), (vec![id("first")], StoreError::Full));
    assert_eq!(
        durable(&outcomes),
        [(id("other"), 1)],
        "after the store was opened again"
    );
    assert_eq!(committer.status(), Status::Healthy);
    // The old room does not know yet.
    committer.submit(append("first", 3));
    committer.submit(append("other", 2));
    assert_eq!(durable(&outcomes), [(id("other"), 2)]);
    committer.mend("first");
    committer.submit(append("first", 1));
    assert_eq!(durable(&outcomes), [(id("first"), 1)]);
    assert_eq!(store.script().reopenings, 1);
    assert_eq!(committer.finish(LONG), Finished::Durable);
}

#[test]
fn while_the_store_does_not_open_all_changes_fail_and_health_says_so() {
    let (store, committer, outcomes) = started(Duration::ZERO);
    occupied(&store, &committer);
    store.script().failures.push_back(Failure::Error);
    store.script().failing_reopenings = 2;
    committer.submit(append("other", 1));
    store.set_shut(false);
    assert!(matches!(
        next(&outcomes),
        Settled::Failed {
            error: StoreError::Full,
            ..
        }
    ));
    let error = StoreError::Open(OpenError::Full);
    assert_eq!(lost(&outcomes), (vec![id("other")], error.clone()));
    let reason = error.clone();
    assert_eq!(committer.status(), Status::Failing { reason });
    committer.submit(append("third", 1));
    assert_eq!(lost(&outcomes), (vec![id("third")], error));
    for board in ["first", "other", "third"] {
        committer.mend(board);
    }
    committer.submit(append("third", 1));
    assert_eq!(durable(&outcomes), [(id("third"), 1)], "it goes on by itself");
    assert_eq!(committer.status(), Status::Healthy);
}

#[test]
fn a_store_that_takes_no_write_is_failing_from_the_start_on_and_until_it_does() {
    let store = Arc::new(Scripted::default());
    store.script().failing_reopenings = 2;
    let (store, committer, outcomes) = started_over(store, Duration::ZERO);
    assert!(
        matches!(committer.status(), Status::Failing { .. }),
        "nobody has brought a change yet"
    );
    let healthy = || committer.status() == Status::Healthy;
    let since = Instant::now();
    while !healthy() && since.elapsed() < LONG {
        thread::yield_now();
    }
    assert!(healthy(), "it goes on by itself");
    assert_eq!(store.script().reopenings, 3);
    committer.submit(append("a", 1));
    assert_eq!(durable(&outcomes), [(id("a"), 1)]);
}

#[test]
fn a_panic_of_the_store_is_a_failure_and_the_thread_lives_on() {
    let (store, committer, outcomes) = started(Duration::ZERO);
    store.script().failures.push_back(Failure::Panic);
    committer.submit(append("a", 1));
    assert_eq!(lost(&outcomes), (vec![id("a")], StoreError::Panicked));
    committer.mend("a");
    committer.submit(append("a", 1));
    assert_eq!(durable(&outcomes), [(id("a"), 1)]);
}

#[test]
fn an_update_that_does_not_follow_is_refused_with_all_that_waits_behind_it() {
    let (store, committer, outcomes) = started(Duration::ZERO);
    occupied(&store, &committer);
    committer.submit(append("a", 2));
    committer.submit(append("b", 1));
    store.set_shut(false);
    durable(&outcomes);
    let Settled::Committed(committed) = next(&outcomes) else {
        panic!("not committed");
    };
    let [(link, Applied::OutOfOrder)] = &committed.refused[..] else {
        panic!("{committed:?}");
    };
    assert_eq!(link.board, id("a"));
    assert!(link.chain.as_ref().is_some_and(|chain| chain.is_broken()));
    assert_eq!(committed.durable, [(id("b"), 1)]);
    committer.submit(append("a", 1));
    committer.submit(append("b", 2));
    assert_eq!(durable(&outcomes), [(id("b"), 2)], "the chain is broken");
}

#[test]
fn each_kind_of_change_is_reported_as_what_it_is() {
    let (_store, committer, outcomes) = started(NEVER);
    committer.submit(append("x", 1));
    durable(&outcomes);
    for change in [
        create("a"),
        append("a", 1),
        snapshot("a", 1, 3),
        act("a", Act::Delete),
    ] {
        committer.submit(change);
    }
    assert_eq!(committer.flush(), Ok(()));
    let Settled::Committed(committed) = next(&outcomes) else {
        panic!("not committed");
    };
    assert_eq!(committed.durable, [(id("a"), 1)]);
    assert_eq!(committed.acted, [id("a")]);
    assert!(committed.refused.is_empty());
}

#[test]
fn finish_commits_what_is_queued_gives_space_back_and_takes_nothing_more() {
    let (store, committer, outcomes) = started(NEVER);
    committer.submit(append("a", 1));
    durable(&outcomes);
    committer.submit(append("a", 2));
    committer.submit(snapshot("a", 2, 10));
    assert_eq!(committer.finish(LONG), Finished::Durable);
    assert_eq!(durable(&outcomes), [(id("a"), 2)]);
    assert_eq!(store.script().reclaims, 1);
    committer.submit(append("a", 3));
    assert_eq!(committer.finish(LONG), Finished::Durable, "again is harmless");
    assert_eq!(
        (store.script().boards[&id("a")], committer.queued_bytes()),
        (2, 0)
    );
    assert_eq!(committer.flush(), Ok(()));
}

#[test]
fn finish_says_when_something_was_lost_and_when_time_ran_out() {
    let (store, committer, _outcomes) = started(NEVER);
    occupied(&store, &committer);
    store.script().failures.push_back(Failure::Error);
    store.script().failing_reopenings = u32::MAX;
    committer.submit(append("b", 1));
    thread::scope(|scope| {
        let finished = scope.spawn(|| committer.finish(LONG));
        let deadline = Instant::now() + LONG;
        // What was lost before is no concern of who asks for the end.
        while committer.shared.lock().ending.is_empty() {
            assert!(Instant::now() < deadline);
            thread::yield_now();
        }
        store.set_shut(false);
        assert_eq!(finished.join().unwrap(), Finished::Failed);
    });

    let (store, committer, _outcomes) = started(NEVER);
    occupied(&store, &committer);
    assert_eq!(committer.finish(Duration::from_millis(20)), Finished::TimedOut);
    store.set_shut(false);
    assert_eq!(committer.finish(LONG), Finished::Durable);
}

#[test]
fn a_receiver_that_panics_does_not_end_the_writer() {
    let store: Arc<dyn Store> = Arc::new(Scripted::default());
    let notify: Arc<Notify> = Arc::new(|_| panic!("scripted"));
    let committer = Rig::over(store, Duration::ZERO, notify);
    for sequence in 1..4 {
        committer.submit(append("a", sequence));
        assert_eq!(committer.flush(), Ok(()));
    }
}

/// Waits until the store was asked so often to give space back.
fn reclaimed(store: &Scripted, times: u32) {
    let deadline = Instant::now() + LONG;
    while store.script().reclaims < times {
        assert!(Instant::now() < deadline);
        thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn space_is_given_back_step_by_step_after_the_start_and_after_a_commit_and_not_otherwise() {
    let (store, committer, outcomes) = started(Duration::ZERO);
    store.script().reclaim_results = [Reclaimed::Some, Reclaimed::Some].map(Ok).into();
    reclaimed(&store, 3);
    thread::sleep(Duration::from_millis(1_200));
    assert_eq!(store.script().reclaims, 3, "nothing has changed since");
    // The act of deleting a board weighs nothing, and frees much.
    committer.submit(act("a", Act::Delete));
    next(&outcomes);
    reclaimed(&store, 4);
}

#[test]
fn space_is_given_back_also_while_commits_never_cease_and_these_do_not_wait_for_all_of_it() {
    let (store, committer, outcomes) = started(Duration::ZERO);
    store.script().reclaim_results = vec![Ok(Reclaimed::Some); 10_000].into();
    let deadline = Instant::now() + LONG;
    let mut sequence = 0;
    while store.script().reclaims < 20 {
        assert!(Instant::now() < deadline);
        sequence += 1;
        committer.submit(append("a", sequence));
        durable(&outcomes);
    }
    let script = store.script();
    assert!(
        !script.reclaim_results.is_empty(),
        "commits came between the steps"
    );
    assert_eq!(script.boards[&id("a")], sequence);
}

#[test]
fn where_space_cannot_be_given_back_commits_go_on_and_a_store_that_failed_is_opened_anew() {
    let (store, committer, outcomes) = started(Duration::ZERO);
    store.script().reclaim_results = [Ok(Reclaimed::GaveUp(StoreError::Full))].into();
    reclaimed(&store, 1);
    committer.submit(append("a", 1));
    durable(&outcomes);
    assert_eq!(store.script().reopenings, 0);
    drop(committer);

    let (store, committer, outcomes) = started(Duration::ZERO);
    store.script().reclaim_results = [Err(StoreError::Poisoned)].into();
    let deadline = Instant::now() + LONG;
    while store.script().reopenings == 0 {
        assert!(Instant::now() < deadline);
        thread::sleep(Duration::from_millis(5));
    }
    until_healthy(&committer);
    committer.submit(append("a", 1));
    durable(&outcomes);
}

#[test]
fn over_a_disk_that_fails_now_and_then_what_was_reported_durable_is_stored_and_nothing_in_between() {
    use crate::store::redb::{RedbStore, simdisk::SimDisk};

    let disk = SimDisk::default();
    let store = Arc::new(RedbStore::open_disk(&disk).unwrap());
    let (notify, outcomes) = told();
    let committer = Rig::over(store.clone(), Duration::ZERO, notify);
    let boards = ["a", "b", "c"];
    boards.iter().for_each(|board| committer.submit(create(board)));
    committer.flush().unwrap();
    let mut durable: BTreeMap<BoardId, u64> = boards.iter().map(|board| (id(board), 0)).collect();
    let mut failures = 0;
    for round in 0..24u64 {
        let failing = (round % 3 != 0).then_some(round % 8);
        if round % 2 == 0 {
            disk.fail_after(failing);
        }
        let mut from = BTreeMap::new();
        for board in boards {
            // As a room does: what the store has is where it goes on.
            committer.mend(board);
            match store.load(&id(board)) {
                Ok(Stored::Present(stored)) => {
                    assert!(stored.last_sequence() >= durable[&id(board)], "round {round}");
                    from.insert(board, stored.last_sequence());
                }
                Ok(other) => panic!("round {round}: {other:?}"),
                Err(error) => committer.note_read_error(&error),
            }
        }
        disk.fail_after(failing);
        for step in 1..=10 {
            from.iter()
                .for_each(|(board, last)| committer.submit(append(board, last + step)));
        }
        // The error, if there is one, is in the outcomes.
        drop(committer.flush());
        disk.fail_after(None);
        until_healthy(&committer);
        for outcome in outcomes.try_iter() {
            match outcome {
                Settled::Committed(committed) => durable.extend(committed.durable),
                Settled::Failed { .. } => failures += 1,
            }
        }
    }
    assert!(failures > 5, "{failures}");
    for (board, last) in durable {
        let Ok(Stored::Present(stored)) = store.load(&board) else {
            panic!("{board:?} is gone");
        };
        assert!(stored.last_sequence() >= last);
    }
}

#[test]
fn a_failed_read_opens_the_store_again_and_an_unreadable_board_does_not() {
    let (store, committer, _outcomes) = started(Duration::ZERO);
    committer.note_read_error(&StoreError::Unreadable(crate::store::Damage::Checksum));
    committer.submit(append("a", 1));
    committer.flush().unwrap();
    assert_eq!(store.script().reopenings, 0);
    committer.note_read_error(&StoreError::Poisoned);
    let deadline = Instant::now() + LONG;
    while store.script().reopenings == 0 || committer.status() != Status::Healthy {
        assert!(Instant::now() < deadline);
        thread::yield_now();
    }
}

#[test]
fn who_waits_for_a_change_hears_of_it_after_the_server_did() {
    let (_store, committer, outcomes) = started(Duration::ZERO);
    let answered = committer.submit_awaited(create("a"));
    assert_eq!(smol::block_on(answered.recv()), Ok(Applied::Done));
    assert!(matches!(outcomes.try_recv(), Ok(Settled::Committed(_))));
    let refused = committer.submit_awaited(append("a", 7));
    assert_eq!(smol::block_on(refused.recv()), Ok(Applied::OutOfOrder));
    // The board is fenced now.
    let dropped = committer.submit_awaited(append("a", 1));
    assert!(smol::block_on(dropped.recv()).is_err());
    drop(committer.submit_awaited(create("b")));
    assert_eq!(committer.flush(), Ok(()), "whoever waited may be gone");
}

#[test]
fn who_waits_for_a_change_that_is_lost_hears_nothing_and_waits_no_longer() {
    let (store, committer, _outcomes) = started(NEVER);
    occupied(&store, &committer);
    let waiting = [
        committer.submit_awaited(create("a")),
        committer.submit_awaited(append("a", 1)),
        committer.submit_awaited(create("b")),
    ];
    store.script().failures.extend([Failure::Error, Failure::Error]);
    store.set_shut(false);
    drop(committer.flush());
    for waits in waiting {
        assert!(smol::block_on(waits.recv()).is_err());
    }
    until_healthy(&committer);
    assert_eq!(committer.finish(LONG), Finished::Durable);
    assert!(
        smol::block_on(committer.submit_awaited(create("c")).recv()).is_err(),
        "stopped"
    );
}

#[test]
fn who_waits_for_a_change_that_is_lost_does_not_wait_for_the_disk_to_heal() {
    let (store, committer, outcomes) = started(Duration::ZERO);
    store.script().failures.push_back(Failure::Error);
    store.script().failing_reopenings = u32::MAX;
    let waits = committer.submit_awaited(create("a"));
    assert!(matches!(next(&outcomes), Settled::Failed { .. }));
    let answered = async { Some(waits.recv().await) };
    let late = async {
        smol::Timer::after(LONG).await;
        None
    };
    let answer = smol::block_on(smol::future::or(answered, late));
    assert!(matches!(answer, Some(Err(_))), "while the store stays closed");
    assert!(matches!(committer.status(), Status::Failing { .. }));
}

#[test]
fn old_entries_are_pruned_part_by_part_also_while_a_group_gathers() {
    let (store, committer, outcomes) = started(NEVER);
    committer.submit(append("a", 1));
    durable(&outcomes);
    committer.submit(append("a", 2));
    store
        .script()
        .prune_results
        .extend([Ok(true), Ok(true), Ok(false)]);
    committer.prune_audit(UnixMillis(5));
    let deadline = Instant::now() + LONG;
    while store.script().prunes.len() < 3 {
        assert!(Instant::now() < deadline);
        thread::yield_now();
    }
    assert_eq!(committer.flush(), Ok(()));
    assert_eq!(store.script().prunes, [UnixMillis(5); 3]);
}

#[test]
fn a_prune_that_fails_is_a_failure_of_the_disk() {
    let (store, committer, _outcomes) = started(NEVER);
    store.script().prune_results.push_back(Err(StoreError::Full));
    committer.prune_audit(UnixMillis(5));
    let deadline = Instant::now() + LONG;
    while store.script().reopenings == 0 {
        assert!(Instant::now() < deadline);
        thread::yield_now();
    }
    until_healthy(&committer);
    committer.submit(append("a", 1));
    assert_eq!(committer.flush(), Ok(()));
}
