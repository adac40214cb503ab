//! Tests of how the audit is pruned, a little at a time.

use super::*;

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
            let changes: Vec<Change> = (0..entries).map(|at| event(&board, (at, 0))).collect();
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

#[test]
fn a_row_under_no_entrys_key_is_passed_by() {
    let (_directory, store) = fresh();
    store.commit(&[create("a")]).unwrap();
    tamper(&store, AUDIT, |rows| {
        drop(rows.insert(&b"0"[..], &[1][..]).unwrap())
    });
    assert_eq!(store.prune_audit(UnixMillis(100)), Ok(false));
    assert_eq!(rows_in(&store, AUDIT), 1, "the entry is gone, and the row is not");
}
