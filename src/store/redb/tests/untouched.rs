//! Tests of files that are read by who moves boards: nothing is written to them, and what is missing is
//! named.

use super::*;
use crate::store::{OpenError, Used, Whole};
use std::fs;
use std::path::PathBuf;

/// A file as a process leaves it that was killed: with a journal, and not closed.
fn killed() -> (TempDir, PathBuf) {
    let (directory, store) = fresh();
    let changes = [
        create("a"),
        append("a", 1, "1"),
        create("b"),
        create("gone"),
        delete("gone"),
    ];
    store.commit(&changes).unwrap();
    store.commit(&[append("b", 1, "other")]).unwrap();
    let left = directory.path().join("left.redb");
    fs::copy(directory.path().join("boards.redb"), &left).unwrap();
    (directory, left)
}

#[test]
fn a_file_that_was_not_closed_is_read_whole_and_no_byte_of_it_changes() {
    let (_directory, left) = killed();
    let before = fs::read(&left).unwrap();
    let store = RedbStore::open_untouched(&left).unwrap();
    assert_eq!(present(&store, "b").updates, [(1, "other".into())]);
    let read = Whole::read(&store, &id("a")).unwrap().unwrap();
    assert_eq!((read.document_bytes(), read.audit.len()), (1, 1));
    // What is done to it all the same is gone with it.
    store.commit(&[append("b", 2, "2"), create("c")]).unwrap();
    store.reopen().unwrap();
    assert_eq!(present(&store, "b").updates.len(), 1);
    store.close();
    drop(store);
    assert_eq!(fs::read(&left).unwrap(), before);
    drop(RedbStore::open(&left).unwrap());
    assert_ne!(
        fs::read(&left).unwrap(),
        before,
        "opened to be served, it is written to"
    );
}

#[test]
fn what_is_not_there_is_not_made_and_what_is_in_use_is_refused() {
    let (directory, left) = killed();
    let refused = |path: &PathBuf| RedbStore::open_untouched(path).unwrap_err();
    let open = RedbStore::open(&left).unwrap();
    assert_eq!(refused(&left), OpenError::InUse);
    drop(open);
    let reading = RedbStore::open_untouched(&left).unwrap();
    assert_eq!(RedbStore::open(&left).unwrap_err(), OpenError::InUse);
    drop(reading);
    let never = directory.path().join("never.redb");
    assert!(matches!(refused(&never), OpenError::Io { .. }));
    assert!(!never.exists());
    for content in ["", "something else"] {
        fs::write(&never, content).unwrap();
        assert_eq!(refused(&never), OpenError::NotAStore, "{content:?}");
    }
}

#[test]
fn an_id_that_must_be_there_and_is_not_is_listed_as_one_that_cannot_be_read() {
    let (_directory, store) = fresh();
    store.commit(&["a", "b", "c", "d"].map(create)).unwrap();
    tamper(&store, IDS, |ids| {
        for hidden in [b"b", b"d"] {
            drop(ids.remove(&hidden[..]).unwrap());
        }
    });
    tamper(&store, BOARDS, |boards| {
        drop(boards.insert(&b"c"[..], &[9; 40][..]).unwrap())
    });
    let expected = [
        ("a", Ok(Became::Live)),
        ("b", Err(Damage::RecordMissing)),
        ("c", Err(Damage::Checksum)),
        ("d", Err(Damage::RecordMissing)),
    ]
    .map(|(board, became)| Used {
        board: id(board),
        became,
    });
    assert_eq!(store.used(None, 9).unwrap(), expected);
    assert_eq!(store.used(None, 3).unwrap(), expected[..3]);
    assert_eq!(store.used(Some(&id("c")), 9).unwrap(), expected[2..]);
}
