//! Tests of what becomes of a data file of an older format: it is kept, and a copy takes its place.

use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use super::migration::{CLOSED_4, KILLED_4, has_what_format_4_had, unpacked};
use super::*;
use crate::audit::Action;
use crate::store::OpenError;
use crate::store::redb::format::{Format, read_format};
use crate::store::redb::handle::{builder, close};

/// A data file of format 4, and the name under which it is to be kept.
fn older(packed: &[u8]) -> (TempDir, PathBuf, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("boards.redb");
    fs::write(&path, unpacked(packed)).unwrap();
    let kept = directory.path().join("boards.redb.format-4");
    (directory, path, kept)
}

fn format_of(path: &Path) -> u32 {
    let database = builder().open(path).unwrap();
    let Ok(Format::Version(format)) = read_format(&database) else {
        panic!("the file has a format");
    };
    close(Some(database));
    format
}

fn names_in(directory: &TempDir) -> Vec<String> {
    let entries = fs::read_dir(directory.path()).unwrap();
    let mut names: Vec<_> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn the_file_itself_is_kept_and_a_copy_that_the_same_people_may_read_takes_its_place_once() {
    for packed in [CLOSED_4, KILLED_4] {
        let (directory, path, kept) = older(packed);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        let number = fs::metadata(&path).unwrap().ino();
        let store = RedbStore::open(&path).unwrap();
        has_what_format_4_had(&store);
        let up = store.brought_up().unwrap();
        assert_eq!((up.from, up.to), (4, FILE_FORMAT));
        assert_eq!(
            fs::canonicalize(&up.kept).unwrap(),
            fs::canonicalize(&kept).unwrap()
        );
        drop(store);
        assert_eq!(fs::metadata(&kept).unwrap().ino(), number);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o7777, 0o640);
        assert_eq!((format_of(&kept), format_of(&path)), (4, FILE_FORMAT));
        assert_eq!(RedbStore::open(&path).unwrap().brought_up(), None);
        assert_eq!(names_in(&directory), ["boards.redb", "boards.redb.format-4"]);
        assert!(check(&kept).unwrap().is_sound(), "the way back is open");
    }
}

#[test]
fn what_a_process_left_that_was_killed_on_the_way_keeps_nobody_from_it() {
    let (directory, path, kept) = older(CLOSED_4);
    fs::write(directory.path().join("boards.redb.moving"), "half of a copy").unwrap();
    has_what_format_4_had(&RedbStore::open(&path).unwrap());
    assert_eq!(format_of(&kept), 4);

    // Both names are of one file, and the copy did not get its own yet.
    let (directory, path, kept) = older(CLOSED_4);
    fs::hard_link(&path, &kept).unwrap();
    has_what_format_4_had(&RedbStore::open(&path).unwrap());
    assert_eq!((format_of(&kept), format_of(&path)), (4, FILE_FORMAT));
    assert_eq!(names_in(&directory), ["boards.redb", "boards.redb.format-4"]);
}

#[test]
fn a_file_that_is_kept_of_another_update_is_never_replaced() {
    let (directory, path, kept) = older(CLOSED_4);
    fs::write(&kept, "of another update").unwrap();
    let Err(OpenError::NotBroughtUp { found, known, cause }) = RedbStore::open(&path) else {
        panic!("it is refused");
    };
    assert_eq!((found, known), (4, FILE_FORMAT));
    assert!(matches!(*cause, OpenError::AlreadyKept(_)), "{cause}");
    assert_eq!(fs::read(&kept).unwrap(), b"of another update");
    assert_eq!(format_of(&path), 4);
    fs::rename(&kept, directory.path().join("away")).unwrap();
    has_what_format_4_had(&RedbStore::open(&path).unwrap());
}

#[test]
fn where_no_copy_can_be_made_the_older_file_stays_what_it_is() {
    let (directory, path, kept) = older(CLOSED_4);
    let in_the_way = directory.path().join("boards.redb.moving");
    fs::create_dir(&in_the_way).unwrap();
    let refused = RedbStore::open(&path).unwrap_err();
    assert!(matches!(refused, OpenError::NotBroughtUp { .. }), "{refused}");
    assert_eq!(format_of(&path), 4);
    assert!(!kept.exists());
    fs::remove_dir(&in_the_way).unwrap();
    has_what_format_4_had(&RedbStore::open(&path).unwrap());
}

#[test]
fn a_table_or_a_kind_of_audit_entry_more_is_a_format_more() {
    // A program of the same format leaves a table that it does not know out of the copy when it makes the
    // file smaller, and cannot read an audit log with an entry of a kind that it does not know.
    assert_eq!(
        (FILE_FORMAT, TABLES.len(), Action::ALL.len()),
        (6, 21, 19),
        "raise FILE_FORMAT where a release has this one already"
    );
}
