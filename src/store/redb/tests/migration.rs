//! Tests of opening files of older formats.

use super::super::fault_tests::on;
use super::super::format::{Format, read_format};
use super::super::handle::builder;
use super::super::simdisk::{Kept, SimDisk};
use super::*;
use crate::store::rows::{BoardRow, LiveBoard};

/// The tables that format 1 had, written by hand.
const TABLES_1: [Table; 5] = [META, BOARDS, IDS, SNAPSHOTS, UPDATES];

/// Fills a new database as format 1 did: boards `a` of alice, `b` of nobody, `c` deleted, `d` of alice and
/// rotten.
fn fill_1(database: &Database) {
    let transaction = database.begin_write().unwrap();
    for table in TABLES_1 {
        transaction.open_table(table).unwrap();
    }
    let insert = |table: Table, key: &[u8], value: &[u8]| {
        let mut table = transaction.open_table(table).unwrap();
        table.insert(key, value).unwrap();
    };
    let live = |owner| BoardRow::Live(LiveBoard::new(owner, Some("Plan".into()), UnixMillis(10)));
    let alice = || UserId::parse("alice");
    insert(BOARDS, b"a", &live(alice()).encode_2(b"a"));
    insert(BOARDS, b"b", &live(None).encode_2(b"b"));
    insert(BOARDS, b"c", &BoardRow::Tombstone(UnixMillis(20)).encode(b"c"));
    insert(BOARDS, b"d", &live(alice()).encode_2(b"another"));
    for (id, next) in [("", "a"), ("a", "b"), ("b", "c"), ("c", "d"), ("d", "")] {
        insert(
            IDS,
            id.as_bytes(),
            &rows::encode_next(id.as_bytes(), next.as_bytes()),
        );
    }
    insert(META, FORMAT_KEY, &1_u32.to_le_bytes());
    transaction.commit().unwrap();
}

/// Puts the rows of a sound store back to what format 2 had.
fn back_to_2(store: &RedbStore) {
    tamper(store, BOARDS, |boards| {
        let rows = ReadableTable::iter(boards).unwrap().map(|row| {
            let (key, value) = row.unwrap();
            let row = BoardRow::decode(key.value(), value.value()).unwrap();
            (key.value().to_vec(), row.encode_2(key.value()))
        });
        let rows: Vec<_> = rows.collect();
        for (key, value) in rows {
            boards.insert(key.as_slice(), value.as_slice()).unwrap();
        }
    });
    tamper(store, META, |meta| {
        drop(meta.insert(FORMAT_KEY, 2_u32.to_le_bytes().as_slice()).unwrap());
    });
}

#[test]
fn a_file_of_format_2_gets_the_tallies_of_what_it_has() {
    let (directory, store) = fresh();
    let path = directory.path().join("boards.redb");
    for board in ["a", "a-", "gone"] {
        let changes = [
            create(board),
            act(board, 11, grant("user:bob", Level::View)),
            act(board, 12, secret(board, SecretKind::Link, "link")),
            act(board, 13, secret(board, SecretKind::Key, "key")),
            append(board, 1, vec![1; 100_000]),
        ];
        assert_eq!(store.commit(&changes), Ok(vec![Applied::Done; 5]));
        store
            .commit(&[snapshot(board, 1, "state"), append(board, 2, "two")])
            .unwrap();
    }
    store.commit(&[delete("gone")]).unwrap();
    let store = reopened(&directory, store);
    let before = ["a", "a-", "gone"].map(|board| store.summary(&id(board)).unwrap());
    back_to_2(&store);
    drop(store);
    let store = RedbStore::open(&path).unwrap();
    let after = ["a", "a-", "gone"].map(|board| store.summary(&id(board)).unwrap());
    assert_eq!(after, before);
    assert!(store.load(&id("a")).is_ok() && store.load(&id("a-")).is_ok());
    let changes = [append("a", 3, "three"), delete("a-")];
    assert_eq!(store.commit(&changes), Ok(vec![Applied::Done; 2]));
    drop(store);
    assert!(check(&path).unwrap().is_sound());
}

fn is_migrated(store: &RedbStore) {
    let holder = Holder {
        owners: vec![UserId::parse("alice").unwrap()],
        ..Holder::default()
    };
    let listed = store.list(&holder, None, 10).unwrap();
    assert_eq!(
        listed.iter().map(|one| one.board.as_str()).collect::<Vec<_>>(),
        ["a"]
    );
    assert!(matches!(store.load(&id("b")), Ok(Stored::Present(_))));
    assert_eq!(store.load(&id("c")), Ok(Stored::Deleted));
    let rotten = StoreError::Unreadable(Damage::Checksum);
    assert_eq!(store.load(&id("d")), Err(rotten));
    for table in TABLES {
        rows_in(store, table);
    }
    assert_eq!(rows_in(store, HOLDERS), 1);
}

#[test]
fn a_file_of_format_1_is_brought_up_to_the_present_one_at_opening() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("boards.redb");
    let database = Database::create(&path).unwrap();
    fill_1(&database);
    drop(database);
    for _ in 0..2 {
        let store = RedbStore::open(&path).unwrap();
        is_migrated(&store);
        let stored = |database: &Database| match read_format(database)? {
            Format::Version(version) => Ok(version),
            _ => Ok(0),
        };
        assert_eq!(store.with(stored), Ok(FILE_FORMAT));
    }
    let report = check(&path).unwrap();
    let rotten = StoreError::Unreadable(Damage::Checksum);
    assert_eq!(report.unreadable, [(Some(id("d")), rotten)]);
    assert_eq!((report.boards, report.deleted), (2, 1));
    let store = RedbStore::open(&path).unwrap();
    assert_eq!(
        store.commit(&[delete("a"), delete("d")]),
        Ok(vec![Applied::Done; 2])
    );
    drop(store);
    assert!(check(&path).unwrap().is_sound());
}

/// A file that the last version before a format wrote: closed in order, or of a process that was killed. It
/// is packed as stretches: a byte that is repeated (count u32 le, byte), then others (length u32 le, bytes).
pub(super) fn unpacked(mut packed: &[u8]) -> Vec<u8> {
    let mut content = Vec::new();
    let number = |bytes: &[u8]| u32::from_le_bytes(bytes.try_into().unwrap()) as usize;
    while let Some((head, rest)) = packed.split_first_chunk::<9>() {
        let (bytes, rest) = rest.split_at(number(&head[5..]));
        content.resize(content.len() + number(&head[..4]), head[4]);
        content.extend_from_slice(bytes);
        packed = rest;
    }
    content
}

const CLOSED_3: &[u8] = include_bytes!("format-3/closed");
const KILLED_3: &[u8] = include_bytes!("format-3/killed");
pub(super) const CLOSED_4: &[u8] = include_bytes!("format-4/closed");
pub(super) const KILLED_4: &[u8] = include_bytes!("format-4/killed");

/// That a file has what that version wrote: `plan` with three notes, `sketch` with one, and `gone`, deleted.
fn has_what_format_3_had(store: &RedbStore) {
    for (board, title, updated_at) in [
        ("plan", "The plan", "2026-11-28T11:50:22.495Z"),
        ("sketch", "The sketch", "2026-11-28T11:50:22.545Z"),
    ] {
        let stored = present(store, board);
        let states = stored.snapshot.iter().chain(&stored.updates);
        let texts: String = states
            .map(|(_, bytes)| String::from_utf8_lossy(bytes).into_owned())
            .collect();
        let notes = (1..4).filter(|number| texts.contains(&format!("note {number}")));
        assert_eq!(notes.count(), if board == "plan" { 3 } else { 0 });
        assert_eq!(stored.record.title.as_deref(), Some(title));
        assert_eq!(stored.record.owner, UserId::parse("alice"));
        assert_eq!(stored.record.updated_at.to_string(), updated_at);
    }
    assert_eq!(store.load(&id("gone")), Ok(Stored::Deleted));
    assert_eq!(store.list(&owned_by("alice"), None, 9).unwrap().len(), 2);
    assert!(store.check().unwrap().is_sound());
    let stored = |database: &Database| match read_format(database)? {
        Format::Version(version) => Ok(version),
        _ => Ok(0),
    };
    assert_eq!(
        (store.with(stored), rows_in(store, JOURNAL)),
        (Ok(FILE_FORMAT), 0)
    );
}

#[test]
fn a_file_of_format_3_gets_a_journal_and_keeps_what_it_has() {
    for packed in [CLOSED_3, KILLED_3] {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("boards.redb");
        fs::write(&path, unpacked(packed)).unwrap();
        let store = RedbStore::open(&path).unwrap();
        has_what_format_3_had(&store);
        let last = present(&store, "plan").last_sequence();
        store.commit(&[append("plan", last + 1, "more")]).unwrap();
        assert_eq!(rows_in(&store, JOURNAL), 1);
        let store = reopened(&directory, store);
        assert_eq!(present(&store, "plan").last_sequence(), last + 1);
        drop(store);
        assert!(check(&path).unwrap().is_sound());
    }
}

/// That a file has what the last version before the trash wrote: `plan` with three notes, a grant, a link and
/// a key, `sketch` without content, and `gone`, deleted.
pub(super) fn has_what_format_4_had(store: &RedbStore) {
    let plan = present(store, "plan");
    let states = plan.snapshot.iter().chain(&plan.updates);
    let texts: String = states
        .map(|(_, bytes)| String::from_utf8_lossy(bytes).into_owned())
        .collect();
    assert!((1..4).all(|number| texts.contains(&format!("note {number}"))));
    assert_eq!(
        store.grants(&id("plan"), None, 9).unwrap(),
        [(principal("user:bob"), Level::Edit)]
    );
    for kind in [SecretKind::Link, SecretKind::Key] {
        assert_eq!(store.secrets(&id("plan"), kind, None, 9).unwrap().len(), 1);
    }
    assert_eq!(
        present(store, "sketch").record.title.as_deref(),
        Some("The sketch")
    );
    assert_eq!(store.load(&id("gone")), Ok(Stored::Deleted));
    assert_eq!(store.list(&owned_by("alice"), None, 9).unwrap().len(), 2);
    assert_eq!(store.trash(&everything(), None, 9), Ok(Vec::new()));
    assert!(store.check().unwrap().is_sound());
    assert_eq!(rows_in(store, TRASH), 0);
}

#[test]
fn a_file_of_format_4_gets_a_trash_and_keeps_what_it_has() {
    for packed in [CLOSED_4, KILLED_4] {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("boards.redb");
        fs::write(&path, unpacked(packed)).unwrap();
        let store = RedbStore::open(&path).unwrap();
        has_what_format_4_had(&store);
        let last = present(&store, "plan").last_sequence();
        let changes = [
            append("plan", last + 1, "more"),
            trash("plan", 50),
            trash("sketch", 51),
        ];
        assert_eq!(store.commit(&changes), Ok(vec![Applied::Done; 3]));
        let store = reopened(&directory, store);
        assert_eq!(store.trash(&everything(), None, 9).unwrap().len(), 2);
        assert_eq!(does(&store, "plan", Act::Restore), Applied::Done);
        assert_eq!(present(&store, "plan").last_sequence(), last + 1);
        drop(store);
        assert!(check(&path).unwrap().is_sound());
    }
}

#[test]
fn files_that_programs_of_the_other_formats_wrote_are_sound_after_the_migration() {
    for packed in [
        include_bytes!("format-1/closed").as_slice(),
        include_bytes!("format-1/killed"),
        include_bytes!("format-2/closed"),
        include_bytes!("format-2/killed"),
        include_bytes!("format-5/closed"),
        include_bytes!("format-5/killed"),
    ] {
        let disk = SimDisk::with_content(unpacked(packed));
        let store = on(&disk).unwrap();
        assert!(store.check().unwrap().is_sound());
        for board in ["plan", "sketch"] {
            let stored = present(&store, board);
            assert!(stored.snapshot.is_some() || !stored.updates.is_empty(), "{board}");
        }
        for table in TABLES {
            rows_in(&store, table);
        }
    }
}

#[test]
fn after_a_power_cut_at_any_operation_of_the_migration_the_file_opens() {
    let disk = SimDisk::default();
    let database = builder().create_with_backend(disk.handle().unwrap()).unwrap();
    fill_1(&database);
    drop(database);
    cut_while_it_opens(&disk, is_migrated);
    for packed in [CLOSED_3, KILLED_3] {
        let disk = SimDisk::with_content(unpacked(packed));
        cut_while_it_opens(&disk, has_what_format_3_had);
    }
    for packed in [CLOSED_4, KILLED_4] {
        let disk = SimDisk::with_content(unpacked(packed));
        cut_while_it_opens(&disk, has_what_format_4_had);
    }
}

/// Opens what is on a disk, and again after a power cut at each operation of that.
pub(super) fn cut_while_it_opens(disk: &SimDisk, holds: impl Fn(&RedbStore)) {
    disk.record();
    holds(&on(disk).unwrap());
    let mut replay = disk.replay();
    let mut points = 0;
    while replay.advance() {
        points += 1;
        let last = replay.unsynced().saturating_sub(1);
        for pattern in 0..4 {
            let image = replay.image(|number| match pattern {
                0 => Kept::Lost,
                1 => Kept::Whole,
                2 if number == last => Kept::Torn(100),
                2 => Kept::Whole,
                _ if number % 2 == 0 => Kept::Whole,
                _ => Kept::Lost,
            });
            holds(&on(&image).unwrap());
        }
    }
    assert!(points > 5, "{points}");
}
