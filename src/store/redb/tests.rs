//! Tests of the store: what each change does, what is refused, and the life of the file.

mod access;
mod audit;
mod check;
mod damage;
mod lists;
mod migration;
mod moving;
mod owners;

use super::file::FORMAT_KEY;
use super::*;
use crate::access::secret::SecretHash;
use crate::audit::{Action, Actor};
use crate::ids::Subject;
use crate::limits;
use crate::store::rows::FILE_FORMAT;
use crate::store::{Act, BoardRecord};
use ::redb::{ReadableDatabase, ReadableTableMetadata, TableHandle};
use bytes::Bytes;
use std::io;
use tempfile::TempDir;

pub(super) fn id(text: &str) -> BoardId {
    BoardId::parse(text).unwrap()
}

/// An entry at a time, of alice.
pub(super) fn entry(at: u64, action: Action) -> Box<Entry> {
    Box::new(Entry {
        key: EntryKey {
            at: UnixMillis(at),
            n: 0,
        },
        actor: Actor {
            subject: Subject::parse("user:alice").unwrap(),
            address: None,
            user_agent: None,
        },
        action,
        level: None,
        detail: serde_json::Value::Null,
    })
}

/// An act at a time, asked for by nobody in particular.
pub(super) fn act(board: &str, at: u64, act: Act) -> Change {
    let action = match &act {
        Act::Create { .. } => Action::BoardCreate,
        Act::Update { .. } => Action::BoardUpdate,
        Act::Delete => Action::BoardDelete,
        Act::Grant { .. } => Action::PermissionSet,
        Act::Ungrant { .. } => Action::PermissionRemove,
        Act::AddSecret(_) => Action::LinkCreate,
        Act::Revoke { .. } => Action::LinkRevoke,
    };
    Change::Act {
        board: id(board),
        act,
        as_owner: None,
        entry: entry(at, action),
    }
}

pub(super) fn create(board: &str) -> Change {
    let (owner, title) = (UserId::parse("alice"), Some("Plan".into()));
    act(board, 10, Act::Create { owner, title })
}

pub(super) fn append(board: &str, sequence: u64, update: impl Into<Bytes>) -> Change {
    Change::Append {
        board: id(board),
        sequence,
        update: update.into(),
        at: UnixMillis(10 + sequence),
    }
}

pub(super) fn snapshot(board: &str, covers: u64, state: impl Into<Bytes>) -> Change {
    Change::Snapshot {
        board: id(board),
        covers,
        state: state.into(),
    }
}

pub(super) fn delete(board: &str) -> Change {
    act(board, 99, Act::Delete)
}

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

#[test]
fn a_board_reads_back_as_it_was_written() {
    let (_directory, store) = fresh();
    assert_eq!(store.load(&id("a")), Ok(Stored::Absent));
    assert_eq!(store.summary(&id("a")), Ok(Stored::Absent));
    let changes = [
        create("a"),
        append("a", 1, "one"),
        append("a", 2, ""),
        create("b"),
        append("b", 1, "other"),
    ];
    assert_eq!(store.commit(&changes), Ok(vec![Applied::Done; 5]));
    assert_eq!(store.commit(&[append("a", 3, "three")]), Ok(vec![Applied::Done]));
    let stored = present(&store, "a");
    let record = BoardRecord {
        owner: UserId::parse("alice"),
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
    assert_eq!(
        store.summary(&id("a")),
        Ok(Stored::Present(Summary { record, size_bytes }))
    );
    assert_eq!(
        rows_in(&store, UPDATES),
        3,
        "one row for what one commit adds to a board"
    );
}

#[test]
fn a_snapshot_replaces_the_log_that_it_covers() {
    let (_directory, store) = fresh();
    let changes = [
        create("a"),
        append("a", 1, "1"),
        append("a", 2, "2"),
        append("a", 3, "3"),
    ];
    store.commit(&changes).unwrap();
    store.commit(&[append("a", 4, "4")]).unwrap();
    for covers in [0, 2, 3, 4] {
        let state = format!("state {covers}");
        assert_eq!(
            store.commit(&[snapshot("a", covers, state.clone())]),
            Ok(vec![Applied::Done])
        );
        let stored = present(&store, "a");
        assert_eq!(stored.snapshot, Some((covers, state.into())));
        let expected: Vec<_> = (covers + 1..=4)
            .map(|n: u64| (n, Bytes::from(n.to_string())))
            .collect();
        assert_eq!(stored.updates, expected, "covers {covers}");
        assert_eq!(stored.last_sequence(), 4);
    }
    assert_eq!(rows_in(&store, UPDATES), 0);
    assert_eq!(rows_in(&store, SNAPSHOTS), 1);
    store
        .commit(&[append("a", 5, "5"), snapshot("a", 5, "all"), append("a", 6, "6")])
        .unwrap();
    assert_eq!(present(&store, "a").snapshot, Some((5, "all".into())));
    assert_eq!(present(&store, "a").updates, [(6, "6".into())]);
}

#[test]
fn changes_that_do_not_fit_leave_the_store_as_it_was() {
    let (_directory, store) = fresh();
    store
        .commit(&[
            create("a"),
            append("a", 1, "1"),
            append("a", 2, "2"),
            snapshot("a", 1, "s"),
        ])
        .unwrap();
    store
        .commit(&[create("gone"), append("gone", 1, "1"), delete("gone")])
        .unwrap();
    let before = present(&store, "a");
    let table = [
        (create("a"), Applied::Exists),
        (append("a", 2, "again"), Applied::OutOfOrder),
        (append("a", 4, "gap"), Applied::OutOfOrder),
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
        assert_eq!(present(&store, "a"), before);
        assert_eq!(store.load(&id("never")), Ok(Stored::Absent));
        assert_eq!(store.load(&id("gone")), Ok(Stored::Deleted));
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
    assert_eq!(present(&store, "a").last_sequence(), 4);
}

#[test]
fn deleting_a_board_removes_each_of_its_rows_and_no_other() {
    let (_directory, store) = fresh();
    for board in ["a", "a-", "aa"] {
        let large = vec![7; 3 * rows::CHUNK_BYTES];
        let changes = [
            create(board),
            append(board, 1, large.clone()),
            snapshot(board, 1, large),
            append(board, 2, "2"),
        ];
        store.commit(&changes).unwrap();
    }
    store.commit(&[delete("a")]).unwrap();
    assert_eq!(store.load(&id("a")), Ok(Stored::Deleted));
    assert_eq!(store.summary(&id("a")), Ok(Stored::Deleted));
    assert_eq!((rows_in(&store, SNAPSHOTS), rows_in(&store, UPDATES)), (6, 2));
    for board in ["a-", "aa"] {
        assert_eq!(present(&store, board).last_sequence(), 2);
    }
}

#[test]
fn blobs_of_any_length_come_back_whole() {
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
        700_000,
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

/// Boards `a` and `b`, each with a snapshot of three parts and two rows of updates; then one row of `a` is removed or
/// overwritten.
fn damaged(table: Table, key: &[u8], value: Option<&[u8]>) -> (TempDir, RedbStore) {
    let (directory, store) = fresh();
    for board in ["a", "b"] {
        let state = vec![9; 3 * rows::CHUNK_BYTES];
        store
            .commit(&[create(board), append(board, 1, "1"), snapshot(board, 1, state)])
            .unwrap();
        store.commit(&[append(board, 2, "2")]).unwrap();
        store.commit(&[append(board, 3, "3")]).unwrap();
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
fn ids_stay_linked_in_whatever_order_boards_are_made() {
    let (directory, store) = fresh();
    let boards = ["m", "a", "z", "mm", "b", "~", "0", "m-"];
    let (first, rest) = boards.split_at(3);
    let changes: Vec<Change> = first.iter().map(|board| create(board)).collect();
    store.commit(&changes).unwrap();
    rest.iter()
        .for_each(|board| drop(store.commit(&[create(board), delete(board)]).unwrap()));
    for free in ["aa", "-", "zz", "mmm", "~~"] {
        assert_eq!(store.load(&id(free)), Ok(Stored::Absent));
    }
    drop(store);
    let report = check(&directory.path().join("boards.redb")).unwrap();
    assert_eq!((report.is_sound(), report.boards, report.deleted), (true, 3, 5));
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
    assert_eq!(
        check(&directory.path().join("none")).unwrap_err(),
        OpenError::NotAStore
    );
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
        Err(OpenError::NewerFormat { found: newer, known })
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
