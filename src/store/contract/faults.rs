//! The rules while the place fails: what a failed commit leaves.

use super::*;
use crate::time::UnixMillis;

/// More operations than a commit of these tests takes.
const MANY: u64 = 1_000;

/// A store with two boards and something of each kind.
fn filled<P: Failing>() -> Tried<P> {
    let store = fresh::<P>();
    store.done(&[
        create("a"),
        append("a", 1, "1"),
        act("a", 20, grant("user:bob", Level::View)),
        act("a", 21, secret("a", SecretKind::Link, "link")),
        create("b"),
    ]);
    assets::bring(&store, "b", &assets::asset(1, 40_000));
    store.done(&assets::parts_of(&assets::asset(2, 40_000)));
    store
}

/// Changes of each kind, to boards that are there and one that is not.
fn changes() -> Vec<Change> {
    vec![
        append("a", 2, vec![2; 100_000]),
        snapshot("a", 2, vec![3; 70_000]),
        append("a", 3, "3"),
        act("a", 30, grant("user:bob", Level::Edit)),
        act("a", 31, revoke("a", SecretKind::Link, "link")),
        act("a", 32, update(Some(Some("New")), Some("carol"))),
        create("c"),
        append("c", 1, "1"),
        event("c", (33, 0)),
        delete("b"),
        Change::Import(Box::new(moved())),
        assets::parts_of(&assets::asset(3, 40_000)).remove(0),
        assets::finish("a", &assets::asset(2, 40_000)),
        assets::finish("c", &assets::asset(3, 40_000)),
    ]
}

/// A board of another store.
fn moved() -> Whole {
    let store = fresh::<memory::Disk>();
    store.done(&[
        create_of("d", Some("dave")),
        append("d", 1, vec![1; 50_000]),
        snapshot("d", 1, vec![2; 40_000]),
        append("d", 2, "2"),
        act("d", 40, grant("user:bob", Level::View)),
        act("d", 41, secret("d", SecretKind::Key, "key")),
    ]);
    Whole::read(&*store, &id("d")).unwrap().unwrap()
}

fn told<P: Place>(store: &Tried<P>) -> [String; 4] {
    ["a", "b", "c", "d"].map(|board| store.told(board))
}

pub(super) fn a_commit_that_fails_at_any_operation_is_done_whole_or_not_at_all<P: Failing>() {
    let (before, after) = {
        let store = filled::<P>();
        let before = told(&store);
        store.done(&changes());
        (before, told(&store))
    };
    assert_ne!(before, after);
    let (mut left, mut failures) = (0, 0);
    for count in 0..MANY {
        let mut store = filled::<P>();
        let held = store.account(&user("alice"));
        store.place.fail_after(Some(count));
        let committed = store.commit(&changes());
        store.place.fail_after(None);
        if let Ok(applied) = committed {
            assert!(applied.iter().all(|applied| *applied == Applied::Done));
            assert_eq!(told(&store), after);
            break;
        }
        failures += 1;
        assert_eq!(store.reopen(), Ok(()));
        let found = told(&store);
        assert!(found == before || found == after, "operation {count}: {found:#?}");
        // Who held the account before sees what came of it.
        let alices = if found == before { (2, 5) } else { (1, 5) };
        assert_eq!((held.boards(), held.bytes()), alices, "operation {count}");
        store.restart();
        assert_eq!(told(&store), found, "operation {count}");
        left += usize::from(found == before);
        let next = store.present("a").last_sequence() + 1;
        store.done(&[append("a", next, "on")]);
    }
    assert!(failures >= 10, "{failures} failures");
    // Also a commit that was reported as failed may be there.
    assert!(left > 0 && left < failures && failures < MANY as usize);
}

pub(super) fn after_a_failure_nothing_is_written_until_the_store_is_open_again<P: Failing>() {
    let store = filled::<P>();
    let before = told(&store);
    store.place.fail_after(Some(0));
    assert!(store.commit(&changes()).is_err());
    for mended in [false, true] {
        if mended {
            store.place.fail_after(None);
        } else {
            let reopened = store.reopen();
            assert!(matches!(reopened, Err(StoreError::Open(_))), "{reopened:?}");
            assert_eq!(
                store.load(&id("a")),
                Err(StoreError::Poisoned),
                "closed, and not empty"
            );
        }
        assert_eq!(store.commit(&changes()), Err(StoreError::Poisoned));
        assert_eq!(store.commit(&[]), Err(StoreError::Poisoned));
        assert_eq!(store.probe(), Err(StoreError::Poisoned));
        assert_eq!(store.prune_audit(UnixMillis(99)), Err(StoreError::Poisoned));
        assert_eq!(store.reclaim(), Err(StoreError::Poisoned));
    }
    assert_eq!(store.reopen(), Ok(()));
    assert_eq!(told(&store), before);
    store.done(&changes());
}

pub(super) fn a_probe_finds_what_a_commit_would_and_changes_nothing<P: Failing>() {
    let store = filled::<P>();
    let before = told(&store);
    assert_eq!(store.probe(), Ok(()));
    assert_eq!(told(&store), before);
    store.place.fail_after(Some(0));
    assert!(store.probe().is_err());
    store.place.fail_after(None);
    assert_eq!(store.commit(&changes()), Err(StoreError::Poisoned));
    assert_eq!(store.reopen(), Ok(()));
    assert_eq!(told(&store), before);
}

pub(super) fn after_a_failed_commit_the_accounts_say_what_is_stored<P: Failing>() {
    let store = filled::<P>();
    let account = store.account(&user("alice"));
    let before = (account.boards(), account.bytes());
    assert_eq!(before, (2, 5));
    store.place.fail_after(Some(0));
    assert!(
        store
            .commit(&[create("c"), append("a", 2, "12345"), delete("b")])
            .is_err()
    );
    assert_eq!((account.boards(), account.bytes()), before);
    store.place.fail_after(None);
    store.reopen().unwrap();
    assert_eq!(
        (account.boards(), account.bytes()),
        before,
        "whoever holds it sees it"
    );
}

pub(super) fn pruning_that_fails_is_a_failed_commit<P: Failing>() {
    let pruned = {
        let store = filled::<P>();
        while store.prune_audit(UnixMillis(21)).unwrap() {}
        told(&store)
    };
    let mut failures = 0;
    for count in 0..MANY {
        let store = filled::<P>();
        let before = told(&store);
        store.place.fail_after(Some(count));
        let done = store.prune_audit(UnixMillis(21));
        store.place.fail_after(None);
        if done.is_ok() {
            break;
        }
        failures += 1;
        assert_eq!(store.commit(&changes()), Err(StoreError::Poisoned));
        assert_eq!(store.reopen(), Ok(()));
        let found = told(&store);
        assert!(
            found == before || found == pruned,
            "operation {count}: {found:#?}"
        );
    }
    assert!(failures > 1 && failures < MANY, "{failures} failures");
}

pub(super) fn uploads_that_fail_at_any_operation_are_whole_or_not_there<P: Failing>() {
    let upload = assets::asset(2, 40_000).upload;
    let mut failures = 0;
    for count in 0..MANY {
        let mut store = filled::<P>();
        store.place.fail_after(Some(count));
        let done = store.prune_uploads(UnixMillis(99));
        store.place.fail_after(None);
        if done.is_err() {
            failures += 1;
            assert_eq!(store.commit(&changes()), Err(StoreError::Poisoned));
            assert_eq!(store.reopen(), Ok(()));
        }
        store.restart();
        let is_there = store.asset_part(upload, 0).unwrap().is_some();
        let finished = store
            .commit(&[assets::finish("a", &assets::asset(2, 40_000))])
            .unwrap();
        match is_there {
            true => assert_eq!(finished, [Applied::Done], "operation {count}"),
            false => assert_eq!(finished, [Applied::NotThere], "operation {count}"),
        }
        if done.is_ok() {
            assert!(!is_there);
            break;
        }
    }
    assert!(failures > 1 && failures < MANY, "{failures} failures");
}
