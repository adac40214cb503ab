//! The rules of the audit: what is read of it, and what is removed.

use super::*;
use crate::time::UnixMillis;

fn told<P: Place>(
    store: &Tried<P>,
    board: &str,
    before: Option<(u64, u32)>,
    limit: usize,
) -> Vec<(u64, u32)> {
    let before = before.map(|(at, n)| key(at, n));
    let entries = store.audit(&id(board), before, limit).unwrap();
    entries
        .iter()
        .map(|entry| (entry.key.at.0, entry.key.n))
        .collect()
}

pub(super) fn entries_are_read_newest_first_and_one_under_the_same_key_replaces_the_old_one<P: Place>() {
    use Applied::{Absent, Deleted, Done};
    let store = fresh::<P>();
    store.done(&[create("a"), create("b"), create("gone"), delete("gone")]);
    let changes = [
        event("a", (30, 1)),
        event("a", (30, 0)),
        event("a", (300, 0)),
        event("b", (5, 0)),
        event("never", (5, 0)),
        event("gone", (5, 0)),
    ];
    assert_eq!(
        store.commit(&changes),
        Ok(vec![Done, Done, Done, Done, Absent, Deleted])
    );
    assert_eq!(told(&store, "a", None, 9), [(300, 0), (30, 1), (30, 0), (10, 0)]);
    assert_eq!(told(&store, "a", None, 2), [(300, 0), (30, 1)]);
    assert_eq!(told(&store, "a", Some((30, 1)), 9), [(30, 0), (10, 0)]);
    assert_eq!(told(&store, "a", Some((10, 0)), 9), []);
    assert_eq!(told(&store, "b", None, 9), [(10, 0), (5, 0)]);
    assert_eq!(told(&store, "gone", None, 9), [(99, 0), (10, 0)]);
    assert_eq!(told(&store, "never", None, 9), []);
    let mut again = event("a", (30, 1));
    if let Change::Audit { entry, .. } = &mut again {
        entry.detail = serde_json::json!({"count": 2});
    }
    store.done(&[again]);
    let entries = store.audit(&id("a"), Some(key(31, 0)), 1);
    assert_eq!(entries.unwrap()[0].detail, serde_json::json!({"count": 2}));
    assert_eq!(told(&store, "a", None, 9).len(), 4);
}

pub(super) fn pruning_removes_what_is_older_from_all_boards_and_nothing_else<P: Place>() {
    let mut store = fresh::<P>();
    let boards = ["a", "a-", "b"];
    for board in boards {
        store.done(&[create(board)]);
        let events: Vec<Change> = (20..30).map(|at| event(board, (at, 0))).collect();
        store.done(&events);
    }
    store.done(&[delete("b")]);
    let before = boards.map(|board| store.load(&id(board)));
    let mut expected = boards.map(|board| store.entries(board));
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
        while store.prune_audit(UnixMillis(before)).unwrap() {}
        for entries in &mut expected {
            entries.retain(|entry| entry.key.at >= UnixMillis(before));
        }
        assert_eq!(expected.iter().map(Vec::len).sum::<usize>(), left);
        assert_eq!(
            boards.map(|board| store.entries(board)),
            expected,
            "before {before}"
        );
    }
    assert_eq!(boards.map(|board| store.load(&id(board))), before);
    store.restart();
    assert_eq!(boards.map(|board| store.entries(board)), expected);
}
