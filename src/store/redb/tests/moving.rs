//! Tests of moving what lives to a smaller file.

use super::super::fault_tests::{Random, on};
use super::super::simdisk::SimDisk;
use super::*;
use crate::limits::{DATA_FILE_SPARE_BYTES, DATA_FILE_TIMES};
use crate::store::Footprint;
use std::time::{Duration, Instant};

const MIB: u64 = 1024 * 1024;

/// Takes steps until there is nothing more to do; gives how many, and the longest.
fn reclaim(store: &RedbStore) -> (usize, Duration) {
    let (mut steps, mut longest) = (0, Duration::ZERO);
    loop {
        let begun = Instant::now();
        let reclaimed = store.reclaim().unwrap();
        longest = longest.max(begun.elapsed());
        match reclaimed {
            Reclaimed::Some => steps += 1,
            Reclaimed::Nothing => return (steps, longest),
            Reclaimed::GaveUp(error) => panic!("{error}"),
        }
        assert!(steps < 10_000);
    }
}

/// What is promised, of a file in which the documents take so much.
fn is_kept_small(directory: &TempDir, store: &RedbStore, documents: u64) {
    let length = fs::metadata(directory.path().join("boards.redb")).unwrap().len();
    let Footprint {
        file_bytes,
        live_bytes,
    } = store.footprint();
    assert_eq!(file_bytes, length);
    assert!(
        live_bytes >= documents && live_bytes < documents + MIB,
        "{live_bytes}"
    );
    assert!(length <= DATA_FILE_TIMES * documents + 16 * MIB, "{length}");
    let names: Vec<_> = fs::read_dir(directory.path()).unwrap().collect();
    assert_eq!(names.len(), 1, "{names:?}");
}

/// Commits a board whose state has so many bytes; no two boards' are the same.
fn fill(store: &RedbStore, board: &str, bytes: u64) -> Vec<u8> {
    let mut random = Random::new(bytes + u64::from(board.as_bytes()[board.len() - 1]));
    let state: Vec<u8> = (0..bytes).map(|_| random.next() as u8).collect();
    store
        .commit(&[
            create(board),
            append(board, 1, "1"),
            snapshot(board, 1, state.clone()),
        ])
        .unwrap();
    state
}

fn state_of(store: &RedbStore, board: &str) -> Option<(u64, Bytes)> {
    match store.load(&id(board)).unwrap() {
        Stored::Present(stored) => stored.snapshot,
        Stored::Absent | Stored::Deleted => None,
    }
}

#[test]
fn after_boards_were_deleted_the_file_comes_down_to_what_lives() {
    let (directory, store) = fresh();
    let boards: Vec<String> = (b'a'..b'p')
        .map(|letter| char::from(letter).to_string())
        .collect();
    let states: Vec<_> = boards.iter().map(|board| fill(&store, board, 3 * MIB)).collect();
    let full = store.footprint();
    assert!(
        full.file_bytes > 45 * MIB && full.live_bytes > 45 * MIB,
        "{full:?}"
    );
    for board in &boards[..14] {
        store.commit(&[act(board, 20, Act::Delete)]).unwrap();
    }
    let (steps, longest) = reclaim(&store);
    assert!(steps > 6, "{steps} steps are too few to be small");
    // On an idle machine some ten milliseconds, as a commit of as many bytes.
    assert!(longest < Duration::from_secs(2), "{longest:?}");
    is_kept_small(&directory, &store, 3 * MIB);
    assert_eq!(state_of(&store, "o"), Some((1, states[14].clone().into())));
    assert_eq!(store.load(&id("a")), Ok(Stored::Deleted));
    assert_eq!(reclaim(&store).0, 0, "once is enough");
    // What comes after goes to the new file.
    store.commit(&[append("o", 2, "2")]).unwrap();
    store.reopen().unwrap();
    drop(store);
    assert!(check(&directory.path().join("boards.redb")).unwrap().is_sound());
    let store = RedbStore::open(&directory.path().join("boards.redb")).unwrap();
    let Ok(Stored::Present(stored)) = store.load(&id("o")) else {
        panic!("the board is gone");
    };
    assert_eq!(stored.last_sequence(), 2);
}

#[test]
fn after_a_compaction_the_file_comes_down_to_what_lives() {
    let (directory, store) = fresh();
    store.commit(&[create("a")]).unwrap();
    for sequence in 1..=40 {
        store
            .commit(&[append("a", sequence, vec![1; 2 * MIB as usize])])
            .unwrap();
    }
    store.commit(&[snapshot("a", 40, "all")]).unwrap();
    assert!(store.footprint().file_bytes > 80 * MIB);
    assert!(store.journal().bytes() > MIB, "no board needs any of it");
    reclaim(&store);
    assert_eq!((store.journal().bytes(), rows_in(&store, JOURNAL)), (0, 0));
    is_kept_small(&directory, &store, 3);
    assert_eq!(state_of(&store, "a"), Some((40, Bytes::from_static(b"all"))));
}

#[test]
fn a_journal_that_nobody_needs_does_not_count_for_the_file() {
    let (directory, store) = fresh();
    store.commit(&[create("a")]).unwrap();
    // Less than the journal may hold, so that nothing is moved out of it meanwhile.
    for sequence in 1..=50 {
        store
            .commit(&[append("a", sequence, vec![1; 100 * 1024])])
            .unwrap();
    }
    assert_eq!(reclaim(&store).0, 0, "the board needs it");
    store.commit(&[snapshot("a", 50, "all")]).unwrap();
    assert!(
        store.journal().bytes() > 4 * MIB,
        "one commit removes a little of it"
    );
    // No other commit comes.
    reclaim(&store);
    is_kept_small(&directory, &store, 3);
    assert!(store.footprint().file_bytes <= DATA_FILE_SPARE_BYTES + MIB);
}

#[test]
fn after_the_audit_log_was_pruned_the_file_comes_down_to_what_lives() {
    let (directory, store) = fresh();
    store.commit(&[create("a")]).unwrap();
    for at in (0..30_000).step_by(1_000) {
        let entries = (at..at + 1_000).map(|at| {
            let mut entry = entry(100 + at, Action::AccessDenied);
            entry.detail = serde_json::Value::String("x".repeat(2_000));
            Change::Audit {
                board: id("a"),
                entry,
            }
        });
        store.commit(&entries.collect::<Vec<_>>()).unwrap();
    }
    assert!(store.footprint().file_bytes > 60 * MIB);
    // The copy is under way when they go.
    assert_eq!(store.reclaim(), Ok(Reclaimed::Some));
    assert_eq!(store.reclaim(), Ok(Reclaimed::Some));
    while store.prune_audit(UnixMillis(30_000)).unwrap() {}
    reclaim(&store);
    is_kept_small(&directory, &store, 0);
    assert_eq!(store.audit(&id("a"), None, 1_000).unwrap().len(), 100);
}

#[test]
fn a_file_that_is_no_larger_than_it_should_be_is_left_alone() {
    let (directory, store) = fresh();
    fill(&store, "a", 4 * MIB);
    assert_eq!(store.reclaim(), Ok(Reclaimed::Nothing));
    let place = Place::file(&directory.path().join("boards.redb"));
    let found = |more, live_bytes| Footprint {
        file_bytes: (DATA_FILE_TIMES * MIB + DATA_FILE_SPARE_BYTES).saturating_add_signed(more),
        live_bytes,
    };
    for (more, too_large) in [(-1, false), (0, false), (1, true)] {
        assert_eq!(place.is_too_large(found(more, MIB), None), too_large, "{more}");
    }
    // A copy that did not help is not made again and again.
    let stuck = Some(found(1, MIB));
    for (found, again) in [
        (found(1, MIB), false),
        (found(1, MIB / 2), true),
        (found(9 << 20, MIB), true),
    ] {
        assert_eq!(place.is_too_large(found, stuck), again, "{found:?}");
    }
}

#[test]
fn a_copy_waits_for_who_reads_and_lets_others_read() {
    let disk = SimDisk::default();
    let store = on(&disk).unwrap();
    store.commit(&[create("a"), append("a", 1, "1")]).unwrap();
    std::thread::scope(|scope| {
        let reading = store.database.read().unwrap();
        let mover = scope.spawn(|| (0..20).for_each(|_| drop(store.reclaim().unwrap())));
        mover.join().unwrap();
        assert_eq!(disk.renamings(), 0);
        assert!(scope.spawn(|| store.load(&id("a"))).join().unwrap().is_ok());
        drop(reading);
    });
    store.reclaim().unwrap();
    assert_eq!(disk.renamings(), 1);
}

#[test]
fn a_copy_comes_to_its_end_though_commits_come_between_all_its_steps() {
    let disk = SimDisk::default();
    let store = on(&disk).unwrap();
    fill(&store, "a", 40_000);
    for sequence in 2.. {
        store.commit(&[append("a", sequence, "more")]).unwrap();
        store.reclaim().unwrap();
        if disk.renamings() > 0 {
            break;
        }
        assert!(sequence < 100);
    }
}

#[cfg(unix)]
#[test]
fn the_file_keeps_its_permissions_and_a_link_to_it_stays_one() {
    use std::os::unix::fs::{PermissionsExt, symlink};
    let directory = tempfile::tempdir().unwrap();
    let (real, link) = (directory.path().join("real"), directory.path().join("link"));
    drop(RedbStore::open(&real).unwrap());
    symlink(&real, &link).unwrap();
    fs::set_permissions(&real, fs::Permissions::from_mode(0o640)).unwrap();
    let store = RedbStore::open(&link).unwrap();
    fill(&store, "a", 8 * MIB);
    store.commit(&[act("a", 20, Act::Delete)]).unwrap();
    let before = fs::metadata(&real).unwrap().len();
    reclaim(&store);
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    let after = fs::metadata(&real).unwrap();
    assert!(after.len() < before);
    assert_eq!(after.permissions().mode() & 0o777, 0o640);
    assert_eq!(
        RedbStore::open(&link).unwrap_err(),
        OpenError::InUse,
        "the new file is locked too"
    );
}

#[test]
fn an_unfinished_copy_goes_when_the_store_closes_and_one_of_a_killed_process_when_it_opens() {
    let (directory, store) = fresh();
    let (path, copy) = (
        directory.path().join("boards.redb"),
        directory.path().join("boards.redb.moving"),
    );
    fill(&store, "a", 8 * MIB);
    fill(&store, "b", 2 * MIB);
    store.commit(&[act("a", 20, Act::Delete)]).unwrap();
    assert_eq!(store.reclaim(), Ok(Reclaimed::Some));
    assert!(copy.exists());
    drop(store);
    assert!(!copy.exists());
    fs::write(&copy, "of a process that was killed").unwrap();
    let store = RedbStore::open(&path).unwrap();
    assert!(!copy.exists());
    fs::write(&copy, "somebody else's, meanwhile").unwrap();
    reclaim(&store);
    assert!(state_of(&store, "b").is_some());
}

#[test]
fn a_directory_that_takes_no_file_is_given_up_on_and_everything_else_goes_on() {
    let (directory, store) = fresh();
    fill(&store, "a", 8 * MIB);
    store.commit(&[act("a", 20, Act::Delete), create("b")]).unwrap();
    // Not even root can write a file under this name.
    fs::create_dir(directory.path().join("boards.redb.moving")).unwrap();
    assert!(matches!(store.reclaim(), Ok(Reclaimed::GaveUp(_))));
    assert_eq!(store.commit(&[append("b", 1, "1")]), Ok(vec![Applied::Done]));
}

#[cfg(unix)]
#[test]
fn a_file_that_was_put_under_the_name_meanwhile_is_not_replaced() {
    let (directory, store) = fresh();
    fill(&store, "a", 8 * MIB);
    store.commit(&[act("a", 20, Act::Delete), create("b")]).unwrap();
    assert_eq!(store.reclaim(), Ok(Reclaimed::Some));
    // As one restores a backup; that the server still runs was forgotten.
    let (path, backup) = (
        directory.path().join("boards.redb"),
        directory.path().join("backup"),
    );
    fs::write(&backup, "a backup").unwrap();
    fs::rename(&backup, &path).unwrap();
    let ended = (0..9)
        .map(|_| store.reclaim())
        .find(|reclaimed| reclaimed != &Ok(Reclaimed::Some));
    assert!(matches!(ended, Some(Ok(Reclaimed::GaveUp(_)))), "{ended:?}");
    assert_eq!(fs::read(&path).unwrap(), b"a backup");
    assert_eq!(store.commit(&[append("b", 1, "1")]), Ok(vec![Applied::Done]));
}

#[test]
fn a_failure_at_any_operation_loses_nothing_and_the_next_attempt_succeeds() {
    let (mut gave_up, mut outages, mut renamed) = (0, 0, 0);
    for count in 0.. {
        let disk = SimDisk::default();
        let store = on(&disk).unwrap();
        let state = fill(&store, "a", 20_000);
        fill(&store, "b", 1_000);
        disk.fail_after(Some(count));
        let ended = (0..30)
            .map(|_| store.reclaim())
            .find(|reclaimed| reclaimed != &Ok(Reclaimed::Some));
        disk.fail_after(None);
        match ended {
            None => {
                assert!(disk.renamings() > 0);
                break;
            }
            Some(Ok(Reclaimed::GaveUp(_))) => gave_up += 1,
            Some(Err(_)) => {
                outages += 1;
                assert_eq!(store.commit(&[append("a", 2, "2")]), Err(StoreError::Poisoned));
                store.reopen().unwrap();
            }
            Some(other) => panic!("{count}: {other:?}"),
        }
        renamed += disk.renamings();
        assert_eq!(state_of(&store, "a"), Some((1, state.into())), "{count}");
        assert_eq!(
            store.commit(&[append("a", 2, "2")]),
            Ok(vec![Applied::Done]),
            "{count}"
        );
        let before = disk.renamings();
        for _ in 0..30 {
            assert_eq!(store.reclaim(), Ok(Reclaimed::Some), "{count}");
        }
        assert!(disk.renamings() > before, "{count}");
        store.reopen().unwrap();
        let Ok(Stored::Present(stored)) = store.load(&id("a")) else {
            panic!("the board is gone");
        };
        assert_eq!(stored.last_sequence(), 2, "{count}");
    }
    assert!(
        gave_up > 20 && outages > 0 && renamed > 0,
        "{gave_up} {outages} {renamed}"
    );
}
