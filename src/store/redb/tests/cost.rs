//! Tests of what a commit costs the disk.

use super::super::fault_tests::on;
use super::super::simdisk::SimDisk;
use super::*;

/// Bytes and fsyncs of the median commit, of 60 after 60 others.
fn median_commit(mut group: impl FnMut(u64) -> Vec<Change>) -> (usize, usize) {
    let disk = SimDisk::default();
    disk.keep_journal();
    let store = on(&disk).unwrap();
    for board in 0..50 {
        store.commit(&[create(&format!("board-{board:02}"))]).unwrap();
    }
    let mut costs: Vec<(usize, usize)> = (0..120)
        .map(|round| {
            let group = group(round);
            disk.record();
            let applied = store.commit(&group).unwrap();
            assert!(applied.iter().all(|applied| *applied == Applied::Done));
            disk.written()
        })
        .skip(60)
        .collect();
    costs.sort_unstable();
    costs[costs.len() / 2]
}

/// What one small row costs: a leaf and the branch above it, the list of tables, and of redb's own the same
/// list and two lists of pages that became free; and the header.
const LEAST: usize = 6 * 4096 + 320;

#[test]
fn a_commit_writes_what_it_did_and_makes_it_durable_once() {
    let one = |size: usize| median_commit(move |round| vec![append("board-00", round + 1, vec![7; size])]);
    // Rounds take turns with every other board.
    let group = |each: u64| {
        median_commit(move |round| {
            let boards = (0..50).filter(move |board| (board + round) % 2 == 0);
            let changes = boards.flat_map(|board| {
                let (board, before) = (format!("board-{board:02}"), round / 2 * each);
                (1..=each).map(move |n| append(&board, before + n, vec![7; 200]))
            });
            changes.collect()
        })
    };
    for (what, written, page) in [
        ("one of 200 bytes", one(200), 0),
        ("one of 20,000 bytes", one(20_000), 7),
        ("25 of 200 bytes, of as many boards", group(1), 1),
        ("125 of 200 bytes, of 25 boards", group(5), 7),
    ] {
        let (bytes, syncs) = written;
        let known = LEAST + page * 4096;
        assert!(bytes <= known + known / 10, "{what}: {bytes}, and not {known}");
        assert_eq!(syncs, 1, "{what}");
    }
}
