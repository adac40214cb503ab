//! Tests of the journal: what goes in, what goes out and when, and what is found after a crash.

use super::super::fault_tests::on;
use super::super::simdisk::SimDisk;
use super::migration::cut_while_it_opens;
use super::*;
use crate::limits::{JOURNAL_BYTES_MAX, JOURNAL_STEP_BYTES, JOURNAL_TRIM_BYTES};
use crate::store::rows::journal::Run;
use crate::store::rows::{Chunk, Tag};
use std::sync::atomic::{AtomicBool, AtomicU64};

/// A store whose bounds are those of a file.
fn on_a_disk() -> (SimDisk, RedbStore) {
    let disk = SimDisk::default();
    disk.keep_journal();
    let store = on(&disk).unwrap();
    (disk, store)
}

fn done(store: &RedbStore, changes: &[Change]) {
    assert_eq!(store.commit(changes), Ok(vec![Applied::Done; changes.len()]));
}

/// An update with which its commit counts so much in the journal, of a board whose id is one letter.
fn weighing(bytes: u64) -> Vec<u8> {
    let probe = {
        let (_disk, store) = on_a_disk();
        done(&store, &[create("a"), append("a", 1, "")]);
        store.journal().bytes()
    };
    vec![7; (bytes - probe) as usize]
}

/// Boards `a` to `c` with updates in three commits of the journal, one of them covered in part; and `gone`,
/// deleted.
fn filled(store: &RedbStore) {
    done(store, &["a", "b", "c", "gone"].map(create));
    done(
        store,
        &[
            append("a", 1, "1"),
            append("b", 1, vec![1; 100_000]),
            append("gone", 1, "1"),
        ],
    );
    done(
        store,
        &[append("a", 2, "22"), append("a", 3, "333"), append("c", 1, "1")],
    );
    done(
        store,
        &[append("b", 2, "2"), snapshot("a", 2, "state"), delete("gone")],
    );
}

fn told(store: &RedbStore) -> String {
    let boards = ["a", "b", "c", "gone"].map(id);
    let loaded = boards.each_ref().map(|board| store.load(board).unwrap());
    let summaries = boards.each_ref().map(|board| store.summary(board).unwrap());
    let listed = store.list(&owned_by("alice"), None, 9).unwrap();
    format!(
        "{loaded:?} {summaries:?} {listed:?} {}",
        store.account(&user("alice")).boards()
    )
}

#[test]
fn a_killed_process_leaves_a_journal_which_is_moved_to_rows_of_the_boards_when_the_file_opens() {
    let (disk, store) = on_a_disk();
    filled(&store);
    assert!(rows_in(&store, JOURNAL) >= 3);
    let (killed, before) = (disk.content(), told(&store));
    for content in [killed.clone(), {
        drop(store);
        disk.content()
    }] {
        let store = on(&SimDisk::with_content(content)).unwrap();
        assert_eq!(told(&store), before);
        assert_eq!(rows_in(&store, JOURNAL), 0);
        assert!(store.check().unwrap().is_sound());
    }
    cut_while_it_opens(&SimDisk::with_content(killed), |store| {
        assert_eq!(told(store), before)
    });
}

#[test]
fn a_file_that_was_closed_in_order_has_nothing_to_move() {
    let (disk, store) = on_a_disk();
    filled(&store);
    drop(store);
    disk.record();
    let store = on(&disk).unwrap();
    assert_eq!(rows_in(&store, JOURNAL), 0);
    let (bytes, _) = disk.written();
    assert!(bytes < 8 * 1024, "{bytes}");
}

#[test]
fn where_a_journal_cannot_be_moved_the_boards_are_read_all_the_same() {
    let (disk, store) = on_a_disk();
    done(&store, &[create("a"), create("b"), append("b", 1, "1")]);
    for sequence in 1..=30 {
        done(&store, &[append("a", sequence, vec![sequence as u8; 100_000])]);
    }
    let content = disk.content();
    let full = SimDisk::with_content(content.clone());
    full.keep_journal();
    full.set_room(Some(content.len() as u64));
    let again = on(&full).unwrap();
    assert!(rows_in(&again, JOURNAL) > 0, "there was room for it");
    for board in ["a", "b"] {
        assert_eq!(again.load(&id(board)), store.load(&id(board)));
        assert_eq!(again.summary(&id(board)), store.summary(&id(board)));
    }
    assert_eq!(
        again.account(&user("alice")).bytes(),
        store.account(&user("alice")).bytes()
    );
    full.set_room(None);
    done(&again, &[append("a", 31, "31")]);
    again.reopen().unwrap();
    assert_eq!(rows_in(&again, JOURNAL), 0);
    assert_eq!(present(&again, "a").last_sequence(), 31);
}

#[test]
fn past_its_bound_the_journal_is_moved() {
    for (more, moved) in [(-1, 0), (0, 0), (1, 1)] {
        let (_disk, store) = on_a_disk();
        done(&store, &[create("a"), create("b")]);
        let bytes = JOURNAL_BYTES_MAX.saturating_add_signed(more);
        done(&store, &[append("a", 1, weighing(bytes))]);
        assert_eq!(store.journal().bytes(), bytes);
        done(&store, &[append("b", 1, "1")]);
        assert_eq!(rows_in(&store, UPDATES) > 0, moved > 0, "{more}");
        assert_eq!(store.journal().boards().count(), 2 - moved, "{more}");
        assert_eq!(present(&store, "a").last_sequence(), 1);
    }
}

#[test]
fn commits_that_no_board_needs_are_removed_once_that_is_worth_it() {
    for (more, left) in [(-1, 1), (0, 0), (1, 0)] {
        let (_disk, store) = on_a_disk();
        done(&store, &[create("a")]);
        let update = weighing(JOURNAL_TRIM_BYTES.saturating_add_signed(more));
        done(&store, &[append("a", 1, update)]);
        done(&store, &[snapshot("a", 1, "all")]);
        assert_eq!(store.journal().boards().count(), 0, "{more}");
        assert_eq!(rows_in(&store, JOURNAL) > 0, left > 0, "{more}");
    }
}

#[test]
fn one_commit_removes_about_a_step() {
    for (more, left) in [(-1, 3), (0, 4), (1, 4)] {
        let (_disk, store) = on_a_disk();
        done(&store, &[create("a")]);
        let update = weighing((JOURNAL_STEP_BYTES / 4).saturating_add_signed(more));
        for sequence in 1..=8 {
            done(&store, &[append("a", sequence, update.clone())]);
        }
        let first = store.journal().next();
        done(&store, &[snapshot("a", 8, "all")]);
        assert_eq!(first - store.journal().after(0), left, "{more}");
        done(&store, &[update_title("a")]);
        assert_eq!(rows_in(&store, JOURNAL), 0, "{more}");
    }
}

fn update_title(board: &str) -> Change {
    act(board, 20, update(Some(Some("Another")), None))
}

#[test]
fn one_commit_moves_about_a_step_and_the_more_the_longer_the_journal_is() {
    let (_disk, store) = on_a_disk();
    let names: Vec<String> = (0..200).map(|n| format!("board-{n:03}")).collect();
    done(&store, &names.iter().map(|name| create(name)).collect::<Vec<_>>());
    // Two commits that all are in, so that the first one stays until the last is moved.
    for sequence in [1, 2] {
        let group: Vec<Change> = names
            .iter()
            .map(|name| append(name, sequence, vec![sequence as u8; 22_000]))
            .collect();
        done(&store, &group);
    }
    let mut steps = Vec::new();
    while store.journal().bytes() > JOURNAL_BYTES_MAX {
        let (before, excess) = (
            store.journal().boards().count(),
            store.journal().bytes() - JOURNAL_BYTES_MAX,
        );
        done(&store, &[update_title("board-000")]);
        let moved = before - store.journal().boards().count();
        let most = (JOURNAL_STEP_BYTES + excess) / (44_008 + 8 * 1024);
        assert_eq!(moved as u64, most.min(before as u64));
        steps.push(moved);
    }
    assert!(steps.len() > 5, "{steps:?}");
    for name in &names {
        let stored = present(&store, name);
        assert_eq!((stored.updates.len(), stored.last_sequence()), (2, 2));
        assert_eq!(stored.updates[1].1, vec![2; 22_000]);
    }
    assert!(store.check().unwrap().is_sound());
}

#[test]
fn a_board_that_is_never_compacted_keeps_nothing_of_the_others() {
    let store = on(&SimDisk::default()).unwrap();
    done(&store, &[create("a"), create("b"), append("a", 1, "1")]);
    for sequence in 1..400 {
        let mut changes = vec![append("b", sequence, vec![2; 200])];
        if sequence % 10 == 0 {
            changes.push(snapshot("b", sequence, "all"));
        }
        done(&store, &changes);
        assert!(rows_in(&store, JOURNAL) < 32, "{sequence}");
    }
    assert_eq!(
        (rows_in(&store, UPDATES), present(&store, "a").updates.len()),
        (1, 1)
    );
}

#[test]
fn a_board_that_is_deleted_takes_its_part_away_and_it_does_not_come_back() {
    let (disk, store) = on_a_disk();
    done(&store, &[create("a"), create("b")]);
    done(&store, &[append("a", 1, "1"), append("b", 1, "1")]);
    done(&store, &[append("a", 2, "2"), delete("a")]);
    assert_eq!(store.journal().boards().cloned().collect::<Vec<_>>(), [id("b")]);
    let again = on(&SimDisk::with_content(disk.content())).unwrap();
    for store in [store, again] {
        assert_eq!(store.load(&id("a")), Ok(Stored::Deleted));
        assert_eq!(present(&store, "b").last_sequence(), 1);
        assert!(store.check().unwrap().is_sound());
    }
}

/// Boards `a` and `b` with commits of their own and one that both are in; then the row of that one, the
/// second, is removed or replaced.
fn damaged(value: Option<&[u8]>) -> (SimDisk, RedbStore) {
    let disk = SimDisk::default();
    let store = on(&disk).unwrap();
    done(&store, &["a", "b", "c"].map(create));
    done(&store, &[append("c", 1, "1")]);
    done(&store, &[append("a", 1, "1"), append("b", 1, "1")]);
    done(&store, &[append("b", 2, "2"), append("c", 2, "2")]);
    let key = rows::blob_key(&[], 2, 0);
    tamper(&store, JOURNAL, |rows| match value {
        Some(value) => drop(rows.insert(key.as_slice(), value).unwrap()),
        None => drop(rows.remove(key.as_slice()).unwrap().expect("it was there")),
    });
    (disk, store)
}

/// A sound row of the second commit, with other bytes in it.
fn another() -> Vec<u8> {
    let mut bytes = Vec::new();
    rows::push_update(&mut bytes, b"old");
    let mut blob = Vec::new();
    for board in ["a", "b"] {
        let run = Run {
            board: id(board),
            first: 1,
            updates: 1,
            at: UnixMillis(1),
            bytes: &bytes,
        };
        run.push(&mut blob);
    }
    let chunk = Chunk {
        parts: 1,
        updates: 0,
        bytes: &blob,
    };
    chunk.encode(Tag::Journal, &rows::blob_key(&[], 2, 0))
}

#[test]
fn boards_that_lost_a_commit_stay_refused_and_the_others_are_served_and_moved() {
    let another = another();
    for (value, cause) in [
        (None, Damage::CommitMissing(2)),
        (Some(&[1; 50][..]), Damage::Checksum),
        (Some(&another), Damage::UpdateMissing(1)),
    ] {
        let (_disk, store) = damaged(value);
        for board in ["a", "b"] {
            assert_eq!(
                store.load(&id(board)),
                Err(StoreError::Unreadable(cause)),
                "{board}"
            );
        }
        assert_eq!(present(&store, "c").last_sequence(), 2);
        for sequence in 3..60 {
            done(&store, &[append("c", sequence, vec![3; 400])]);
        }
        assert!(rows_in(&store, JOURNAL) < 32);
        store.reopen().unwrap();
        let missing = StoreError::Unreadable(Damage::UpdateMissing(1));
        for board in ["a", "b"] {
            assert_eq!(store.load(&id(board)), Err(missing.clone()), "{board}");
        }
        assert_eq!(present(&store, "c").last_sequence(), 59);
        let report = store.check().unwrap();
        let refused = ["a", "b"].map(|board| (Some(id(board)), missing.clone()));
        assert_eq!((report.unreadable, report.boards), (refused.to_vec(), 1));
    }
}

#[test]
fn a_file_whose_journal_lacks_a_commit_is_not_opened() {
    for (value, cause) in [
        (None, Damage::CommitMissing(2)),
        (Some(&[1; 50][..]), Damage::Checksum),
    ] {
        let (disk, store) = damaged(value);
        let killed = disk.content();
        drop(store);
        // Closed in order, but for what could not be moved.
        for content in [killed, disk.content()] {
            let refused = OpenError::Engine(cause.to_string());
            assert_eq!(on(&SimDisk::with_content(content.clone())).unwrap_err(), refused);
            let directory = tempfile::tempdir().unwrap();
            let path = directory.path().join("boards.redb");
            fs::write(&path, content).unwrap();
            let report = check(&path).unwrap();
            assert_eq!(report.unreadable, [(None, StoreError::Unreadable(cause))]);
        }
    }
}

#[test]
fn who_reads_while_commits_go_on_finds_a_board_as_it_was_at_some_moment() {
    let store = on(&SimDisk::default()).unwrap();
    done(&store, &[create("a"), create("b")]);
    let (durable, over) = (AtomicU64::new(0), AtomicBool::new(false));
    let read = || {
        let (mut reads, mut last, mut updated_at) = (0_u64, 0, UnixMillis(0));
        while !over.load(Ordering::Acquire) {
            let least = durable.load(Ordering::Acquire).max(last);
            let stored = present(&store, "a");
            last = stored.last_sequence();
            assert!(last >= least, "{last} < {least}");
            let listed = store.list(&owned_by("alice"), None, 9).unwrap();
            let Ok(Stored::Present(summary)) = store.summary(&id("a")) else {
                panic!("the board is there");
            };
            for at in [
                listed[0].summary.as_ref().unwrap().record.updated_at,
                summary.record.updated_at,
            ] {
                assert!(at >= updated_at.max(stored.record.updated_at), "time goes back");
                updated_at = at;
            }
            reads += 1;
        }
        reads
    };
    let reads: u64 = std::thread::scope(|scope| {
        let readers = [scope.spawn(read), scope.spawn(read)];
        for sequence in 1..1_500 {
            let mut changes = vec![append("a", sequence, vec![1; 300]), append("b", sequence, "b")];
            if sequence % 7 == 0 {
                changes.push(snapshot("a", sequence - 1, "all"));
            }
            done(&store, &changes);
            durable.store(sequence, Ordering::Release);
        }
        over.store(true, Ordering::Release);
        readers.map(|reader| reader.join().unwrap()).iter().sum()
    });
    assert!(reads > 100, "{reads}");
}

#[test]
fn what_the_journal_held_before_a_later_commit_reads_right_with_that_one() {
    let moves = |number: u64| append("b", number, vec![2; 3_000]);
    let later: [(&str, Vec<Change>); 5] = [
        ("another append", vec![append("a", 5, "5")]),
        ("another title", vec![update_title("a")]),
        ("a full state of some", vec![snapshot("a", 3, vec![9; 2_000])]),
        ("a full state of all", vec![snapshot("a", 4, vec![9; 2_000])]),
        ("a deletion", vec![delete("a")]),
    ];
    for moved in [false, true] {
        for (name, changes) in &later {
            let store = on(&SimDisk::default()).unwrap();
            done(&store, &[create("a"), create("b")]);
            done(&store, &[append("a", 1, "1"), append("a", 2, "2")]);
            done(&store, &[append("a", 3, "3"), append("a", 4, "4")]);
            let before = store.journal();
            done(&store, changes);
            if moved {
                (1..9).for_each(|number| done(&store, &[moves(number)]));
                assert!(store.journal().part(&id("a")).is_none(), "{name}");
            }
            let expected = store.load(&id("a"));
            let found = store.with(|database| read::load((database, &before), &id("a"), Which::Live));
            match (found, expected) {
                (Ok(Stored::Present(found)), Ok(Stored::Present(mut expected))) => {
                    // What was not known then may be missing, all of it, where it is in the journal still.
                    let newer = expected.last_sequence() > found.last_sequence();
                    assert!(!newer || (*name == "another append" && !moved), "{name}");
                    if newer {
                        expected.updates.pop();
                        expected.record.updated_at = found.record.updated_at;
                    }
                    assert_eq!(found, expected, "{name}, {moved}");
                }
                (found, expected) => assert_eq!(found, expected, "{name}, {moved}"),
            }
            let listed = |journal: &Journal| {
                let holder = owned_by("alice");
                let list = |database: &Database| read::access::list((database, journal), &holder, None, 9);
                let listed = store.with(list).unwrap();
                listed.into_iter().find(|one| one.board == id("a"))
            };
            if *name != "another append" {
                assert_eq!(listed(&before), listed(&store.journal()), "{name}, {moved}");
            }
        }
    }
}
