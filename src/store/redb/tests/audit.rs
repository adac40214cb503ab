//! Tests of the audit log: reading, replacing, pruning.

use super::*;

fn logged(store: &RedbStore, board: &str, before: Option<(u64, u32)>, limit: usize) -> Vec<(u64, u32)> {
    let before = before.map(|(at, n)| EntryKey {
        at: UnixMillis(at),
        n,
    });
    let entries = store.audit(&id(board), before, limit).unwrap();
    entries
        .iter()
        .map(|entry| (entry.key.at.0, entry.key.n))
        .collect()
}

fn audit(board: &str, (at, n): (u64, u32)) -> Change {
    let mut entry = entry(at, Action::AccessDenied);
    entry.key.n = n;
    Change::Audit {
        board: id(board),
        entry,
    }
}

#[test]
fn the_log_is_read_newest_first_and_an_entry_under_the_same_key_replaces_the_old_one() {
    let (_directory, store) = fresh();
    store.commit(&[create("a"), create("b"), create("gone")]).unwrap();
    store.commit(&[delete("gone")]).unwrap();
    let changes = [
        audit("a", (30, 1)),
        audit("a", (30, 0)),
        audit("a", (300, 0)),
        audit("b", (5, 0)),
        audit("never", (5, 0)),
        audit("gone", (5, 0)),
    ];
    use Applied::{Absent, Deleted, Done};
    assert_eq!(
        store.commit(&changes),
        Ok(vec![Done, Done, Done, Done, Absent, Deleted])
    );
    assert_eq!(
        logged(&store, "a", None, 9),
        [(300, 0), (30, 1), (30, 0), (10, 0)]
    );
    assert_eq!(logged(&store, "a", None, 2), [(300, 0), (30, 1)]);
    assert_eq!(logged(&store, "a", Some((30, 1)), 9), [(30, 0), (10, 0)]);
    assert_eq!(logged(&store, "a", Some((10, 0)), 9), []);
    assert_eq!(logged(&store, "b", None, 9), [(10, 0), (5, 0)]);
    assert_eq!(logged(&store, "gone", None, 9), [(99, 0), (10, 0)]);
    assert_eq!(logged(&store, "never", None, 9), []);
    let mut again = audit("a", (30, 1));
    if let Change::Audit { entry, .. } = &mut again {
        entry.detail = serde_json::json!({"count": 2});
    }
    store.commit(&[again]).unwrap();
    let entries = store.audit(
        &id("a"),
        Some(EntryKey {
            at: UnixMillis(31),
            n: 0,
        }),
        1,
    );
    assert_eq!(entries.unwrap()[0].detail, serde_json::json!({"count": 2}));
    assert_eq!(logged(&store, "a", None, 9).len(), 4);
}

#[test]
fn pruning_removes_what_is_older_from_all_boards_and_nothing_else() {
    let (_directory, store) = fresh();
    for board in ["a", "a-", "b"] {
        store.commit(&[create(board)]).unwrap();
        let changes: Vec<Change> = (20..30).map(|at| audit(board, (at, 0))).collect();
        store.commit(&changes).unwrap();
    }
    store.commit(&[delete("b")]).unwrap();
    for (before, left) in [
        (0, 34),
        (10, 34),
        (11, 31),
        (25, 16),
        (25, 16),
        (30, 1),
        (100, 0),
        (100, 0),
    ] {
        assert_eq!(store.prune_audit(UnixMillis(before)), Ok(false));
        assert_eq!(rows_in(&store, AUDIT), left, "before {before}");
    }
    tamper(&store, AUDIT, |rows| {
        drop(rows.insert(&b"no key"[..], &[1][..]).unwrap())
    });
    assert_eq!(store.prune_audit(UnixMillis(100)), Ok(false), "it passes by");
}

#[test]
fn pruning_goes_on_where_it_stopped() {
    let most = prune::ROWS_MAX as u64;
    for (boards, entries, calls) in [
        // Each board costs one visit, and each of its old entries one.
        (1, most - 2, 1),
        (1, most - 1, 2),
        (3, most / 2, 2),
        (2, most, 3),
    ] {
        let (_directory, store) = fresh();
        for number in 0..boards {
            let board = format!("board-{number}");
            // Made after what is pruned, so that something is left.
            store
                .commit(&[act(
                    &board,
                    u64::MAX,
                    Act::Create {
                        owner: None,
                        title: None,
                    },
                )])
                .unwrap();
            let changes: Vec<Change> = (0..entries).map(|at| audit(&board, (at, 0))).collect();
            store.commit(&changes).unwrap();
        }
        let mut made = 1;
        let mut left = rows_in(&store, AUDIT);
        while store.prune_audit(UnixMillis(entries)).unwrap() {
            made += 1;
            let now = rows_in(&store, AUDIT);
            assert!(
                now < left && left - now <= most,
                "{boards} boards, {entries} entries"
            );
            left = now;
        }
        assert_eq!(
            rows_in(&store, AUDIT),
            boards,
            "{boards} boards, {entries} entries"
        );
        assert_eq!(made, calls, "{boards} boards, {entries} entries");
    }
}
