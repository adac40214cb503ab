//! Tests of what is about rows and the data file; what every store must do is in `store/contract`.

mod access;
mod audit;
mod check;
mod cost;
mod damage;
mod journal;
mod migration;
mod moving;
mod older;
mod untouched;

use super::handle::{FORMAT_KEY, WRITER_KEY, read_writer};
use super::*;
use crate::access::secret::SecretHash;
use crate::audit::Action;
use crate::limits;
use crate::store::contract::changes::*;
use crate::store::rows::FILE_FORMAT;
use crate::store::{Act, Became};
use ::redb::{ReadableDatabase, ReadableTableMetadata, TableHandle};
use bytes::Bytes;
use std::io;
use tempfile::TempDir;

pub(super) fn fresh() -> (TempDir, RedbStore) {
    let directory = tempfile::tempdir().unwrap();
    let store = RedbStore::open(&directory.path().join("boards.redb")).unwrap();
    (directory, store)
}

fn present(store: &RedbStore, board: &str) -> StoredBoard {
    match store.load(&id(board)) {
        Ok(Stored::Present(stored)) => stored,
        other => panic!("{board}: {other:?}"),
    }
}

fn rows_in(store: &RedbStore, table: Table) -> u64 {
    let count = |database: &Database| {
        let transaction = database.begin_read().map_err(engine)?;
        transaction
            .open_table(table)
            .map_err(engine)?
            .len()
            .map_err(engine)
    };
    store.with(count).unwrap()
}

/// Closes the store and opens it again: its journal is empty then.
fn reopened(directory: &TempDir, store: RedbStore) -> RedbStore {
    drop(store);
    RedbStore::open(&directory.path().join("boards.redb")).unwrap()
}

/// Does one act, at a time no other act of the test has.
fn does(store: &RedbStore, board: &str, what: Act) -> Applied {
    let at = 1_000 + rows_in(store, AUDIT);
    store.commit(&[act(board, at, what)]).unwrap().remove(0)
}

#[test]
fn what_one_commit_adds_to_a_board_is_one_row_which_counts_until_all_of_it_is_covered() {
    let (directory, store) = fresh();
    store.commit(&[create("a"), append("a", 1, "1")]).unwrap();
    assert_eq!((rows_in(&store, JOURNAL), rows_in(&store, UPDATES)), (1, 0));
    let store = reopened(&directory, store);
    store
        .commit(&[append("a", 2, "22"), append("a", 3, "333"), append("a", 4, "4")])
        .unwrap();
    let store = reopened(&directory, store);
    assert_eq!((rows_in(&store, JOURNAL), rows_in(&store, UPDATES)), (0, 2));
    for (covers, rows, size_bytes) in [(0, 2, 23), (1, 1, 18), (3, 1, 18), (4, 0, 0)] {
        store.commit(&[snapshot("a", covers, "")]).unwrap();
        assert_eq!(rows_in(&store, UPDATES), rows, "{covers}");
        assert_eq!(rows_in(&store, SNAPSHOTS), 1, "{covers}");
        let Ok(Stored::Present(summary)) = store.summary(&id("a")) else {
            panic!("the board is there");
        };
        assert_eq!(summary.size_bytes, size_bytes, "{covers}");
        assert_eq!(store.account(&user("alice")).bytes(), size_bytes, "{covers}");
        assert_eq!(present(&store, "a").updates.len() as u64, 4 - covers);
    }
}

#[test]
fn deleting_a_board_removes_each_of_its_rows_also_if_it_cannot_be_read() {
    for is_readable in [true, false] {
        let (directory, store) = fresh();
        for board in ["a", "a-"] {
            let large = vec![7; 3 * rows::CHUNK_BYTES];
            let changes = [
                create(board),
                append(board, 1, large.clone()),
                snapshot(board, 1, large),
                append(board, 2, "2"),
            ];
            store.commit(&changes).unwrap();
            for to in ["user:bob", "team:bob", "public"] {
                does(&store, board, grant(to, Level::View));
            }
            does(&store, board, secret(board, SecretKind::Link, "link"));
            does(&store, board, secret(board, SecretKind::Key, "key"));
            does(&store, board, add_webhook(1));
        }
        let store = reopened(&directory, store);
        if !is_readable {
            tamper(&store, BOARDS, |rows| {
                drop(rows.insert(&b"a"[..], &[9; 40][..]).unwrap())
            });
            assert_eq!(
                store.commit(&[act_as("alice", "a", 90, Act::Delete)]),
                Ok(vec![Applied::Unreadable]),
                "nobody knows whose it is"
            );
            assert_eq!(
                does(&store, "a", grant("public", Level::View)),
                Applied::Unreadable
            );
        }
        let counts = || {
            let tables = [
                SNAPSHOTS, UPDATES, GRANTS, LINKS, KEYS, SECRETS, HOLDERS, AUDIT, WEBHOOKS,
            ];
            tables.map(|table| rows_in(&store, table))
        };
        assert_eq!(counts(), [6, 2, 6, 2, 2, 4, 6, 14, 2]);
        assert_eq!(store.commit(&[delete("a")]), Ok(vec![Applied::Done]));
        assert_eq!(counts(), [3, 1, 3, 1, 1, 2, 3, 15, 1], "{is_readable}");
        assert_eq!(store.audit(&id("a"), None, 100).unwrap().len(), 8);
        assert!(store.check().unwrap().is_sound());
    }
}

#[test]
fn blobs_that_end_near_the_end_of_a_row_come_back_whole() {
    let (_directory, store) = fresh();
    store.commit(&[create("a")]).unwrap();
    let chunk = rows::CHUNK_BYTES;
    let lengths = [
        0,
        1,
        chunk - 5,
        chunk - 4,
        chunk - 3,
        chunk,
        chunk + 1,
        2 * chunk,
        2 * chunk + 1,
    ];
    for (sequence, length) in (1..).zip(lengths) {
        let bytes: Bytes = (0..length).map(|n| (n % 251) as u8).collect();
        store.commit(&[append("a", sequence, bytes.clone())]).unwrap();
        assert_eq!(
            present(&store, "a").updates.last(),
            Some(&(sequence, bytes.clone())),
            "{length}"
        );
        store.commit(&[snapshot("a", sequence, bytes.clone())]).unwrap();
        assert_eq!(present(&store, "a").snapshot, Some((sequence, bytes)), "{length}");
    }
}

/// Changes rows behind the store's back.
fn tamper(
    store: &RedbStore,
    table: Table,
    change: impl FnOnce(&mut ::redb::Table<'_, &'static [u8], &'static [u8]>),
) {
    let work = |database: &Database| {
        let transaction = database.begin_write().map_err(engine)?;
        change(&mut transaction.open_table(table).map_err(engine)?);
        transaction.commit().map_err(engine)
    };
    store.with(work).unwrap();
}

/// Boards `a` and `b`, each with a snapshot of three parts and two rows of updates; then one row of `a` is
/// removed or overwritten.
fn damaged(table: Table, key: &[u8], value: Option<&[u8]>) -> (TempDir, RedbStore) {
    let (directory, store) = fresh();
    for board in ["a", "b"] {
        let state = vec![9; 3 * rows::CHUNK_BYTES];
        store
            .commit(&[create(board), append(board, 1, "1"), snapshot(board, 1, state)])
            .unwrap();
    }
    let mut store = store;
    for board in ["a", "b"] {
        store.commit(&[append(board, 2, "2")]).unwrap();
        store = reopened(&directory, store);
        store.commit(&[append(board, 3, "3")]).unwrap();
        store = reopened(&directory, store);
    }
    tamper(&store, table, |rows| match value {
        Some(value) => drop(rows.insert(key, value).unwrap()),
        None => drop(rows.remove(key).unwrap()),
    });
    (directory, store)
}

#[test]
fn a_board_that_lost_or_gained_a_row_is_refused_and_the_others_are_served() {
    let rot = Some(&[1; 50][..]);
    let record = b"a".to_vec();
    let chunk = |sequence, part| rows::chunk_key(&id("a"), sequence, part);
    let cases = [
        ("record gone", BOARDS, record.clone(), None, Damage::RecordMissing),
        ("record rotten", BOARDS, record, rot, Damage::Checksum),
        (
            "part gone",
            SNAPSHOTS,
            chunk(1, 1),
            None,
            Damage::SnapshotIncomplete,
        ),
        (
            "last part gone",
            SNAPSHOTS,
            chunk(1, 2),
            None,
            Damage::SnapshotIncomplete,
        ),
        ("part rotten", SNAPSHOTS, chunk(1, 0), rot, Damage::Checksum),
        (
            "update gone",
            UPDATES,
            chunk(2, 0),
            None,
            Damage::UpdateMissing(2),
        ),
        (
            "last update gone",
            UPDATES,
            chunk(3, 0),
            None,
            Damage::UpdateMissing(3),
        ),
        ("update rotten", UPDATES, chunk(3, 0), rot, Damage::Checksum),
        ("unknown row", UPDATES, chunk(4, 0), rot, Damage::Checksum),
    ];
    for (name, table, key, value, cause) in cases {
        let (directory, store) = damaged(table, &key, value);
        assert_eq!(store.load(&id("a")), Err(StoreError::Unreadable(cause)), "{name}");
        assert_eq!(present(&store, "b").last_sequence(), 3, "{name}");
        if table.name() == BOARDS.name() {
            let changes = [create("a"), append("b", 4, "4"), append("a", 4, "4")];
            let expected = vec![Applied::Unreadable, Applied::Done, Applied::Unreadable];
            assert_eq!(store.commit(&changes), Ok(expected), "{name}");
        }
        drop(store);
        let report = check(&directory.path().join("boards.redb")).unwrap();
        assert_eq!(
            report.unreadable,
            [(Some(id("a")), StoreError::Unreadable(cause))],
            "{name}"
        );
        assert_eq!((report.boards, report.is_sound()), (1, false), "{name}");
    }
}

#[test]
fn an_id_whose_past_cannot_be_read_is_not_taken_for_a_new_one() {
    let hidden = [
        ("tombstone", &b"gone"[..], BOARDS),
        ("empty board", b"empty", BOARDS),
        ("link", b"", IDS),
    ];
    for (name, key, table) in hidden {
        let (directory, store) = fresh();
        let changes = [
            create("gone"),
            delete("gone"),
            create("empty"),
            create("z"),
            append("z", 1, "1"),
        ];
        assert_eq!(store.commit(&changes), Ok(vec![Applied::Done; 5]));
        tamper(&store, table, |rows| drop(rows.remove(key).unwrap()));
        let text = if table.name() == BOARDS.name() {
            std::str::from_utf8(key).unwrap()
        } else {
            "a"
        };
        let error = StoreError::Unreadable(Damage::RecordMissing);
        assert_eq!(store.load(&id(text)), Err(error.clone()), "{name}");
        assert_eq!(store.summary(&id(text)), Err(error), "{name}");
        assert_eq!(
            store.commit(&[create(text)]),
            Ok(vec![Applied::Unreadable]),
            "{name}"
        );
        assert_eq!(present(&store, "z").last_sequence(), 1, "{name}");
        drop(store);
        assert!(
            !check(&directory.path().join("boards.redb")).unwrap().is_sound(),
            "{name}"
        );
    }
}

#[test]
fn what_is_not_ours_is_refused_and_left_alone() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("boards.redb");
    for content in [
        &b"x"[..],
        b"redb",
        b"SQLite format 3\0 and so on, longer than the magic",
        &[0; 8192],
    ] {
        fs::write(&path, content).unwrap();
        assert_eq!(RedbStore::open(&path).unwrap_err(), OpenError::NotAStore);
        assert_eq!(fs::read(&path).unwrap(), content);
    }
    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    assert!(matches!(RedbStore::open(&path), Err(OpenError::Io { .. })));
    assert!(matches!(
        RedbStore::open(&path.join("no/such/file")),
        Err(OpenError::Io { .. })
    ));
    assert!(matches!(
        check(&directory.path().join("none")).unwrap_err(),
        OpenError::Io {
            kind: io::ErrorKind::NotFound,
            ..
        }
    ));
}

#[test]
fn the_format_version_decides_who_may_open_the_file() {
    let set = |value: Option<&[u8]>| {
        let (directory, store) = fresh();
        tamper(&store, META, |meta| match value {
            Some(value) => drop(meta.insert(FORMAT_KEY, value).unwrap()),
            None => drop(meta.remove(FORMAT_KEY).unwrap()),
        });
        drop(store);
        RedbStore::open(&directory.path().join("boards.redb")).map(drop)
    };
    let newer = FILE_FORMAT + 1;
    let known = FILE_FORMAT;
    assert_eq!(set(Some(&known.to_le_bytes())), Ok(()));
    assert_eq!(
        set(Some(&newer.to_le_bytes())),
        Err(OpenError::NewerFormat {
            found: newer,
            known,
            by: Some(env!("CARGO_PKG_VERSION").to_owned())
        })
    );
    for none in [None, Some(&[0, 0, 0, 0][..]), Some(b"1")] {
        assert_eq!(set(none), Err(OpenError::NoFormat));
    }
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("other.redb");
    let other = Database::create(&path).unwrap();
    let transaction = other.begin_write().unwrap();
    transaction
        .open_table(TableDefinition::<&str, u64>::new("theirs"))
        .unwrap();
    transaction.commit().unwrap();
    drop(other);
    assert_eq!(RedbStore::open(&path).unwrap_err(), OpenError::NoFormat);
}

#[test]
fn a_newer_file_says_who_wrote_it_where_it_says_so_in_words() {
    let newer = FILE_FORMAT + 1;
    let said = |writer: Option<&[u8]>| {
        let (directory, store) = fresh();
        tamper(&store, META, |meta| {
            meta.insert(FORMAT_KEY, newer.to_le_bytes().as_slice()).unwrap();
            match writer {
                Some(writer) => drop(meta.insert(WRITER_KEY, writer).unwrap()),
                None => drop(meta.remove(WRITER_KEY).unwrap()),
            }
        });
        drop(store);
        RedbStore::open(&directory.path().join("boards.redb"))
            .unwrap_err()
            .to_string()
    };
    let named = said(Some(b"9.1.0"));
    assert!(
        named.contains(&format!("format {newer}, of Boardwire 9.1.0,")) && named.contains("use that one"),
        "{named}"
    );
    for odd in [None, Some(&b"9\n1"[..]), Some(&[0xff]), Some(&[b'9'; 33])] {
        let unnamed = said(odd);
        assert!(
            !unnamed.contains("of Boardwire") && unnamed.contains("use a newer Boardwire"),
            "{unnamed}"
        );
    }
}

#[test]
fn a_file_notes_the_version_that_opened_it_last() {
    let (directory, store) = fresh();
    tamper(&store, META, |meta| {
        drop(meta.insert(WRITER_KEY, b"0.0.1".as_slice()).unwrap());
    });
    drop(store);
    let path = directory.path().join("boards.redb");
    drop(RedbStore::open(&path).unwrap());
    let database = Database::open(&path).unwrap();
    let found = read_writer(&database).unwrap();
    assert_eq!(found.as_deref(), Some(env!("CARGO_PKG_VERSION")));
}

#[test]
fn a_new_file_is_made_where_there_is_none_or_an_empty_one() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("boards.redb");
    for _ in 0..2 {
        drop(RedbStore::open(&path).unwrap());
        assert!(check(&path).unwrap().is_sound());
        assert_eq!(
            fs::read_dir(directory.path()).unwrap().count(),
            1,
            "nothing beside it"
        );
        fs::write(&path, b"").unwrap();
    }
    #[cfg(unix)]
    {
        drop(RedbStore::open(&path).unwrap());
        let mode = std::os::unix::fs::PermissionsExt::mode(&fs::metadata(&path).unwrap().permissions());
        assert_eq!(mode & 0o777, 0o600);
    }
}

#[test]
fn a_second_opening_is_refused_while_the_first_lasts() {
    let (directory, store) = fresh();
    let path = directory.path().join("boards.redb");
    assert_eq!(RedbStore::open(&path).unwrap_err(), OpenError::InUse);
    assert_eq!(check(&path).unwrap_err(), OpenError::InUse);
    store.commit(&[create("a")]).unwrap();
    store.reopen().unwrap();
    assert!(matches!(store.summary(&id("a")), Ok(Stored::Present(_))));
    drop(store);
    assert!(RedbStore::open(&path).is_ok());
}

#[test]
fn each_wait_for_the_disk_is_watched_and_the_file_is_locked_all_the_same() {
    use std::sync::atomic::AtomicUsize;
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("boards.redb");
    let (waits, fails) = (Arc::<AtomicUsize>::default(), Arc::<AtomicBool>::default());
    let watch: Watch = {
        let (waits, fails) = (Arc::clone(&waits), Arc::clone(&fails));
        Arc::new(move |sync| {
            waits.fetch_add(1, Ordering::Relaxed);
            sync()?;
            match fails.load(Ordering::Relaxed) {
                true => Err(io::ErrorKind::StorageFull.into()),
                false => Ok(()),
            }
        })
    };
    let store = RedbStore::open_watched(&path, watch).unwrap();
    assert_eq!(RedbStore::open(&path).unwrap_err(), OpenError::InUse);
    store.commit(&[create("a")]).unwrap();
    // Files that are made, and copies, are waited for as well; a commit is one wait.
    let before = waits.load(Ordering::Relaxed);
    store.commit(&[append("a", 1, "b")]).unwrap();
    assert_eq!(waits.load(Ordering::Relaxed) - before, 1);
    store.reopen().unwrap();
    let before = waits.load(Ordering::Relaxed);
    store.commit(&[append("a", 2, "c")]).unwrap();
    assert_eq!(
        waits.load(Ordering::Relaxed) - before,
        1,
        "after it was opened anew"
    );
    assert_eq!(RedbStore::open(&path).unwrap_err(), OpenError::InUse);
    // What went wrong with the disk is told on.
    fails.store(true, Ordering::Relaxed);
    assert!(store.commit(&[append("a", 3, "d")]).is_err());
    drop(store);
    let store = RedbStore::open(&path).unwrap();
    assert!(present(&store, "a").last_sequence() >= 2);
}

#[test]
fn a_backup_of_a_live_store_holds_the_same_boards() {
    let (directory, store) = fresh();
    store
        .commit(&[
            create("a"),
            append("a", 1, vec![1; 100_000]),
            create("b"),
            delete("b"),
        ])
        .unwrap();
    let copy = directory.path().join("copy.redb");
    store.backup(&copy).unwrap();
    store.commit(&[append("a", 2, "later")]).unwrap();
    assert!(matches!(
        store.backup(&copy),
        Err(StoreError::Io {
            kind: io::ErrorKind::AlreadyExists,
            ..
        })
    ));
    let report = check(&copy).unwrap();
    assert!(report.is_sound());
    assert_eq!((report.boards, report.deleted, report.bytes), (1, 1, 100_000));
    let copied = RedbStore::open(&copy).unwrap();
    assert_eq!(present(&copied, "a").last_sequence(), 1);
    assert_eq!(copied.load(&id("b")), Ok(Stored::Deleted));
}
