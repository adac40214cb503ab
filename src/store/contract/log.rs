//! The rules of documents: what commits add to them, and what is read back.

use bytes::Bytes;

use super::*;
use crate::time::UnixMillis;

pub(super) fn a_board_reads_back_as_it_was_written<P: Place>() {
    let store = fresh::<P>();
    assert_eq!(store.load(&id("a")), Ok(Stored::Absent));
    assert_eq!(store.summary(&id("a")), Ok(Stored::Absent));
    assert_eq!(store.commit(&[]), Ok(Vec::new()));
    store.done(&[
        create("a"),
        append("a", 1, "one"),
        append("a", 2, ""),
        create("b"),
        append("b", 1, "other"),
    ]);
    store.done(&[append("a", 3, "three")]);
    let stored = store.present("a");
    let record = BoardRecord {
        owner: Some(user("alice")),
        title: Some("Plan".into()),
        created_at: UnixMillis(10),
        updated_at: UnixMillis(13),
    };
    assert_eq!(stored.record, record);
    assert_eq!(stored.snapshot, None);
    assert_eq!(
        stored.updates,
        [(1, "one".into()), (2, "".into()), (3, "three".into())]
    );
    assert_eq!(stored.last_sequence(), 3);
    let size_bytes = [3, 0, 5].iter().map(|length| length + 4).sum();
    let summary = Summary {
        record,
        size_bytes,
        sequence: 3,
    };
    assert_eq!(store.summary(&id("a")), Ok(Stored::Present(summary.clone())));
    store.done(&[snapshot("a", 3, "12345")]);
    let compacted = Summary {
        size_bytes: 5,
        ..summary
    };
    assert_eq!(store.summary(&id("a")), Ok(Stored::Present(compacted)));
}

pub(super) fn a_snapshot_replaces_the_log_that_it_covers<P: Place>() {
    let store = fresh::<P>();
    store.done(&[
        create("a"),
        append("a", 1, "1"),
        append("a", 2, "2"),
        append("a", 3, "3"),
    ]);
    store.done(&[append("a", 4, "4")]);
    for covers in [0, 2, 3, 4, 4] {
        let state = format!("state {covers}");
        store.done(&[snapshot("a", covers, state.clone())]);
        let stored = store.present("a");
        assert_eq!(stored.snapshot, Some((covers, state.into())));
        let expected: Vec<_> = (covers + 1..=4)
            .map(|n: u64| (n, Bytes::from(n.to_string())))
            .collect();
        assert_eq!(stored.updates, expected, "covers {covers}");
        assert_eq!(stored.last_sequence(), 4);
    }
    store.done(&[append("a", 5, "5"), snapshot("a", 5, "all"), append("a", 6, "6")]);
    assert_eq!(store.present("a").snapshot, Some((5, "all".into())));
    assert_eq!(store.present("a").updates, [(6, "6".into())]);
    assert_eq!(
        store.present("a").record.updated_at,
        UnixMillis(16),
        "a snapshot is no change"
    );
}

pub(super) fn changes_that_do_not_fit_leave_the_store_as_it_was<P: Place>() {
    let store = fresh::<P>();
    store.done(&[
        create("a"),
        append("a", 1, "1"),
        append("a", 2, "2"),
        snapshot("a", 1, "s"),
    ]);
    store.done(&[create("gone"), append("gone", 1, "1"), delete("gone")]);
    let before = ["a", "never", "gone"].map(|board| store.told(board));
    let table = [
        (create("a"), Applied::Exists),
        (append("a", 2, "again"), Applied::OutOfOrder),
        (append("a", 4, "gap"), Applied::OutOfOrder),
        (append("a", 0, "before"), Applied::OutOfOrder),
        (append("a", u64::MAX, "last"), Applied::OutOfOrder),
        (snapshot("a", 0, "less than there is"), Applied::OutOfOrder),
        (snapshot("a", 3, "more than there is"), Applied::OutOfOrder),
        (append("never", 1, "x"), Applied::Absent),
        (snapshot("never", 0, "x"), Applied::Absent),
        (delete("never"), Applied::Absent),
        (create("gone"), Applied::Deleted),
        (append("gone", 2, "x"), Applied::Deleted),
        (snapshot("gone", 1, "x"), Applied::Deleted),
        (delete("gone"), Applied::Deleted),
    ];
    for (change, expected) in table {
        assert_eq!(
            store.commit(std::slice::from_ref(&change)),
            Ok(vec![expected]),
            "{change:?}"
        );
        let after = ["a", "never", "gone"].map(|board| store.told(board));
        assert_eq!(after, before, "{change:?}");
    }
    let mixed = [
        append("gone", 1, "x"),
        append("a", 3, "3"),
        append("a", 5, "x"),
        append("a", 4, "4"),
    ];
    let expected = vec![
        Applied::Deleted,
        Applied::Done,
        Applied::OutOfOrder,
        Applied::Done,
    ];
    assert_eq!(store.commit(&mixed), Ok(expected), "the others go through");
    assert_eq!(store.present("a").last_sequence(), 4);
}

pub(super) fn updates_of_any_length_come_back_whole<P: Place>() {
    let store = fresh::<P>();
    store.done(&[create("a")]);
    for (sequence, length) in (1..).zip([0, 1, 200, 4096, 70_000, 700_000]) {
        let bytes: Bytes = (0..length).map(|n| (n % 251) as u8).collect();
        store.done(&[append("a", sequence, bytes.clone())]);
        assert_eq!(
            store.present("a").updates.last(),
            Some(&(sequence, bytes.clone())),
            "{length}"
        );
        store.done(&[snapshot("a", sequence, bytes.clone())]);
        assert_eq!(store.present("a").snapshot, Some((sequence, bytes)), "{length}");
    }
}

pub(super) fn a_summary_says_how_much_is_stored<P: Place>() {
    let store = fresh::<P>();
    store.done(&[create("a"), create("b")]);
    let size = |board: &str| match store.summary(&id(board)) {
        Ok(Stored::Present(summary)) => summary.size_bytes,
        other => panic!("{other:?}"),
    };
    assert_eq!(size("a"), 0);
    store.done(&[append("a", 1, vec![0; 100_000])]);
    store.done(&[append("a", 2, "two")]);
    assert_eq!(size("a"), 100_004 + 7);
    store.done(&[snapshot("a", 1, "12345")]);
    assert_eq!(size("a"), 5 + 7);
    store.done(&[snapshot("a", 2, vec![0; 70_000])]);
    assert_eq!(size("a"), 70_000);
    assert_eq!(size("b"), 0);
}

pub(super) fn an_id_is_used_once_in_whatever_order_boards_are_made<P: Place>() {
    let mut store = fresh::<P>();
    let (kept, gone) = (["m", "a", "z"], ["mm", "b", "~", "0", "m-"]);
    store.done(&kept.map(create));
    for board in gone {
        store.done(&[create(board), delete(board)]);
    }
    for _ in 0..2 {
        for board in kept {
            assert_eq!(
                store.commit(&[create(board)]),
                Ok(vec![Applied::Exists]),
                "{board}"
            );
        }
        for board in gone {
            assert_eq!(store.load(&id(board)), Ok(Stored::Deleted), "{board}");
            assert_eq!(
                store.commit(&[create(board)]),
                Ok(vec![Applied::Deleted]),
                "{board}"
            );
        }
        for free in ["aa", "-", "zz", "mmm", "~~"] {
            assert_eq!(store.load(&id(free)), Ok(Stored::Absent), "{free}");
        }
        store.restart();
    }
}

pub(super) fn what_was_committed_is_there_after_a_restart_and_nothing_works_after_closing<P: Place>() {
    let mut store = fresh::<P>();
    store.done(&[
        create("a"),
        append("a", 1, "1"),
        append("a", 2, "2"),
        snapshot("a", 1, "state"),
        act("a", 20, grant("user:bob", Level::View)),
        act("a", 21, secret("a", SecretKind::Key, "key")),
        create("gone"),
        delete("gone"),
    ]);
    let before = ["a", "gone", "never"].map(|board| store.told(board));
    assert_eq!(store.reopen(), Ok(()));
    assert_eq!(["a", "gone", "never"].map(|board| store.told(board)), before);
    store.restart();
    assert_eq!(["a", "gone", "never"].map(|board| store.told(board)), before);
    store.done(&[append("a", 3, "3")]);
    store.close();
    assert_eq!(store.load(&id("a")), Err(StoreError::Poisoned));
    assert_eq!(
        store.access(&id("a"), &asked(&[], &[])),
        Err(StoreError::Poisoned)
    );
    assert_eq!(store.commit(&[append("a", 4, "4")]), Err(StoreError::Poisoned));
    assert_eq!(store.prune_audit(UnixMillis(99)), Err(StoreError::Poisoned));
    assert_eq!(store.probe(), Err(StoreError::Poisoned));
    store.restart();
    assert_eq!(store.present("a").last_sequence(), 3);
}
