//! Tests of the committer over a store in memory that fails, blocks and panics when told to.

mod scripted;

use std::collections::BTreeMap;
use std::sync::mpsc::{Receiver, channel};

use self::scripted::{Failure, Scripted};
use super::*;
use crate::audit::{Action, Actor, Entry, EntryKey};
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

fn started(window: Duration) -> (Arc<Scripted>, Committer, Receiver<Outcome>) {
    started_over(Arc::default(), window)
}

fn started_over(store: Arc<Scripted>, window: Duration) -> (Arc<Scripted>, Committer, Receiver<Outcome>) {
    let (sender, receiver) = channel();
    let sender = Mutex::new(sender);
    let notify: Arc<Notify> = Arc::new(move |outcome| drop(sender.lock().unwrap().send(outcome)));
    let kept: Arc<dyn Store> = store.clone();
    let committer = Committer::start(kept, Settings { window }, notify).unwrap();
    (store, committer, receiver)
}

fn next(outcomes: &Receiver<Outcome>) -> Outcome {
    outcomes.recv_timeout(LONG).expect("an outcome in time")
}

fn durable(outcomes: &Receiver<Outcome>) -> Vec<(BoardId, u64)> {
    match next(outcomes) {
        Outcome::Committed(committed) => committed.durable,
        failed @ Outcome::Failed { .. } => panic!("{failed:?}"),
    }
}

fn until_healthy(committer: &Committer) {
    let deadline = Instant::now() + LONG;
    while committer.status() != Status::Healthy {
        assert!(Instant::now() < deadline);
        thread::sleep(Duration::from_millis(1));
    }
}

/// Shuts the gate and brings the writer to it with a group of its own, so that what follows gathers.
fn occupied(store: &Scripted, committer: &Committer) {
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
fn a_large_group_does_not_wait_and_is_cut() {
    let (store, committer, outcomes) = started(NEVER);
    committer.submit(append("a", 1));
    durable(&outcomes);
    for _ in 0..5 {
        committer.submit(snapshot("a", 1, GROUP_BYTES / 2));
    }
    for _ in 0..2 {
        assert!(matches!(next(&outcomes), Outcome::Committed(_)));
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
    let lost = next(&outcomes);
    let boards = vec![id("first")];
    assert_eq!(
        lost,
        Outcome::Failed {
            boards,
            error: StoreError::Full
        }
    );
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
    committer.resume(&id("first"));
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
        Outcome::Failed {
            error: StoreError::Full,
            ..
        }
    ));
    let boards = vec![id("other")];
    let error = StoreError::Open(OpenError::Full);
    assert_eq!(
        next(&outcomes),
        Outcome::Failed {
            boards,
            error: error.clone()
        }
    );
    assert!(matches!(committer.status(), Status::Failing { reason, .. } if reason == error));
    committer.submit(append("third", 1));
    let boards = vec![id("third")];
    assert_eq!(next(&outcomes), Outcome::Failed { boards, error });
    for board in ["first", "other", "third"] {
        committer.resume(&id(board));
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
        matches!(
            committer.status(),
            Status::Failing {
                reason: StoreError::Full,
                ..
            }
        ),
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
    let boards = vec![id("a")];
    assert_eq!(
        next(&outcomes),
        Outcome::Failed {
            boards,
            error: StoreError::Panicked
        }
    );
    committer.resume(&id("a"));
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
    let Outcome::Committed(committed) = next(&outcomes) else {
        panic!("not committed");
    };
    assert_eq!(committed.refused, [(id("a"), Applied::OutOfOrder)]);
    assert_eq!(committed.durable, [(id("b"), 1)]);
    committer.submit(append("a", 1));
    committer.submit(append("b", 2));
    assert_eq!(durable(&outcomes), [(id("b"), 2)], "the board is fenced");
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
    let expected = Committed {
        durable: vec![(id("a"), 1)],
        created: vec![(id("a"), Applied::Done)],
        compacted: vec![(id("a"), 1, Applied::Done)],
        acted: vec![id("a")],
        refused: vec![],
    };
    assert_eq!(next(&outcomes), Outcome::Committed(expected));
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
    thread::scope(|scope| {
        let flushed = scope.spawn(|| committer.flush());
        let deadline = Instant::now() + LONG;
        while committer.shared.lock().wanted == 0 {
            assert!(Instant::now() < deadline);
            thread::yield_now();
        }
        store.set_shut(false);
        assert!(flushed.join().unwrap().is_err());
    });
    committer.submit(append("b", 1));
    assert_eq!(committer.finish(LONG), Finished::Failed);

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
    let committer = Committer::start(
        store,
        Settings {
            window: Duration::ZERO,
        },
        notify,
    )
    .unwrap();
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
    let (sender, outcomes) = channel();
    let sender = Mutex::new(sender);
    let notify: Arc<Notify> = Arc::new(move |outcome| drop(sender.lock().unwrap().send(outcome)));
    let kept: Arc<dyn Store> = store.clone();
    let committer = Committer::start(
        kept,
        Settings {
            window: Duration::ZERO,
        },
        notify,
    )
    .unwrap();
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
            committer.resume(&id(board));
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
                Outcome::Committed(committed) => durable.extend(committed.durable),
                Outcome::Failed { .. } => failures += 1,
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
    assert!(matches!(outcomes.try_recv(), Ok(Outcome::Committed(_))));
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
    assert!(matches!(next(&outcomes), Outcome::Failed { .. }));
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
