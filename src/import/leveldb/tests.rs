//! Stores that LevelDB has written (tests/it/keeping/peers), whole, damaged and cut off.

use std::collections::{BTreeMap, BTreeSet};

use super::{Budget, CURRENT, Fault, Manifest, Words, batch, read};

/// The files of a store.
type Files = BTreeMap<String, Vec<u8>>;

const PLENTY: usize = 1 << 30;

fn store() -> Files {
    let folder =
        std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/it/keeping/peers/y-leveldb");
    let file = |entry: std::io::Result<std::fs::DirEntry>| {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        (name, std::fs::read(path).unwrap())
    };
    std::fs::read_dir(folder).unwrap().map(file).collect()
}

fn read_within(files: &Files, most: usize) -> Result<BTreeMap<Vec<u8>, Vec<u8>>, String> {
    let names: BTreeSet<String> = files.keys().cloned().collect();
    read(&names, |name| Ok(files[name].clone()), most)
}

fn read_all(files: &Files) -> Result<BTreeMap<Vec<u8>, Vec<u8>>, String> {
    read_within(files, PLENTY)
}

/// The name of the one file that ends, or begins, so.
fn named(files: &Files, part: &str) -> String {
    files.keys().find(|name| name.contains(part)).unwrap().clone()
}

#[test]
fn the_last_word_on_each_key_is_read_from_tables_and_logs() {
    let files = store();
    let pairs = read_all(&files).unwrap();
    let has = |text: &str| {
        let keys = pairs.keys();
        keys.filter(|key| key.windows(text.len()).any(|part| part == text.as_bytes()))
            .count()
    };
    // Of each document what it is, and what is derived from it; of one what is kept beside it.
    assert_eq!(has("many-"), 80);
    assert_eq!(has("large-in-the-log"), 2);
    assert_eq!(has("\u{4}plan"), 3);
    // It was in a table, and is not any more.
    assert_eq!(has("gone"), 0);
    assert!(
        files[&named(&files, "000005.ldb")]
            .windows(4)
            .any(|part| part == b"many")
    );
    assert!(files[&named(&files, "000009.log")].len() > 32 * 1024);
    let large = "abcdefghij".repeat(9_000);
    assert!(
        pairs
            .values()
            .any(|value| value.windows(large.len()).any(|part| part == large.as_bytes()))
    );
}

#[test]
fn a_file_that_is_missing_is_named() {
    for name in store().into_keys().filter(|name| name != super::LOCK) {
        let mut files = store();
        files.remove(&name);
        assert_eq!(read_all(&files), Err(format!("it lacks {name}")));
    }
}

#[test]
fn a_file_that_is_cut_off_is_refused_wherever_a_record_does_not_end() {
    let whole = read_all(&store()).unwrap();
    let mut passed = Vec::new();
    for (name, bytes) in store() {
        for end in (0..bytes.len()).filter(|end| *end < 5_000 || *end % 13 == 0) {
            let mut files = store();
            files.insert(name.clone(), bytes[..end].to_vec());
            match read_all(&files) {
                Err(why) => assert!(
                    why.contains(&name) || why.starts_with("it lacks"),
                    "{name} at {end}: {why}"
                ),
                // Between two records a log looks as if it had been written so far.
                Ok(found) => {
                    assert!(name.ends_with(".log"), "{name} at {end}");
                    assert!(found.len() <= whole.len());
                    passed.push(end);
                }
            }
        }
    }
    // Before each of the records that begin in the first 5,000 bytes, or by chance.
    assert!((5..20).contains(&passed.len()), "{passed:?}");
}

#[test]
fn no_byte_that_changed_is_taken_for_content() {
    let whole = read_all(&store()).unwrap();
    let mut refused = 0;
    for (name, bytes) in store() {
        for at in (0..bytes.len()).step_by(5) {
            let mut files = store();
            files.get_mut(&name).unwrap()[at] ^= 0x41;
            match read_all(&files) {
                Ok(found) => assert_eq!(found, whole, "{name} at {at}"),
                Err(_) => refused += 1,
            }
        }
    }
    assert!(refused > 8_000, "{refused}");
}

#[test]
fn a_store_is_read_up_to_the_bound_and_not_beyond() {
    let files = store();
    let (mut less, mut enough) = (0, PLENTY);
    while enough - less > 1 {
        let most = less.midpoint(enough);
        match read_within(&files, most) {
            Ok(_) => enough = most,
            Err(_) => less = most,
        }
    }
    let bytes: usize = files.values().map(Vec::len).sum();
    assert!(enough > bytes, "{enough}");
    let why = read_within(&files, enough - 1).unwrap_err();
    assert!(why.contains("more in it than is read"), "{why}");
    assert!(read_within(&files, enough).is_ok() && read_within(&files, enough + 1).is_ok());
}

#[test]
fn what_is_no_store_is_refused_with_the_cause() {
    for (current, words) in [
        (&b""[..], "CURRENT is damaged"),
        (b"MANIFEST-000007", "CURRENT is damaged"),
        (b"../../secret\n", "CURRENT is damaged"),
        (b"MANIFEST-../../secret\n", "it lacks MANIFEST-../../secret"),
        (b"\xff\n", "CURRENT is damaged"),
    ] {
        let mut files = store();
        files.insert(CURRENT.to_owned(), current.to_vec());
        let why = read_all(&files).unwrap_err();
        assert!(why.contains(words), "{why}");
    }
    assert_eq!(read_all(&Files::new()), Err("it lacks CURRENT".to_owned()));
}

#[test]
fn changes_of_a_manifest_are_strict() {
    let changed = |record: &[u8]| {
        let mut manifest = Manifest::default();
        manifest.change(record).map(|()| manifest.tables.len())
    };
    assert_eq!(changed(&[7, 0, 5, 100, 1, b'a', 1, b'z']), Ok(1));
    assert_eq!(changed(&[7, 0, 5, 100, 1, b'a', 1, b'z', 6, 0, 5]), Ok(0));
    // One that is not there is taken away; one that is cut; a number that is not known; another order.
    assert_eq!(changed(&[6, 0, 5]), Err(Fault::Damaged));
    assert_eq!(changed(&[7, 0, 5, 100, 9, b'a']), Err(Fault::Damaged));
    assert_eq!(changed(&[8, 0]), Err(Fault::Damaged));
    assert_eq!(changed(&[1, 3, b'o', b'w', b'n']), Err(Fault::Ordered));
}

#[test]
fn batches_are_strict() {
    let batch_of = |count: u8, entries: &[u8]| {
        let mut words = Words::default();
        let head = [9, 0, 0, 0, 0, 0, 0, 0, count, 0, 0, 0];
        batch(
            &[&head[..], entries].concat(),
            &mut words,
            &mut Budget::new(PLENTY),
        )
        .map(|()| words.0)
    };
    let key =
        |number, value: Option<&[u8]>| BTreeMap::from([(vec![b'k'], (number, value.map(<[u8]>::to_vec)))]);
    assert_eq!(batch_of(1, &[1, 1, b'k', 1, b'v']), Ok(key(9, Some(b"v"))));
    assert_eq!(batch_of(2, &[1, 1, b'k', 1, b'v', 0, 1, b'k']), Ok(key(10, None)));
    assert_eq!(batch_of(0, &[]), Ok(BTreeMap::new()));
    for (count, entries) in [
        (2, &[1, 1, b'k', 1, b'v'][..]),
        (0, &[1, 1, b'k', 1, b'v']),
        (1, &[1, 1, b'k', 2, b'v']),
        (1, &[2, 1, b'k']),
        (1, &[1, 0xff, 0xff, 0xff, 0xff, 0x0f]),
    ] {
        assert_eq!(batch_of(count, entries), Err(Fault::Damaged), "{entries:?}");
    }
}
