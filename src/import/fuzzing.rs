//! The fuzz bodies of the readers: any bytes as a file of each program.
//!
//! Seeds: fuzz/seeds/import_*.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a panic here is a finding, which is what a fuzz body is for"
)]

use std::collections::{BTreeMap, BTreeSet};

use crate::leveldb::{self, Budget, Manifest, Words};
use crate::{Document, sqlite, tldr, yleveldb, ysweet};

/// Small, so that the bound is met.
const MOST: usize = 256 * 1024;

fn bytes_of(documents: &[Document]) -> usize {
    documents
        .iter()
        .flat_map(|document| &document.updates)
        .map(Vec::len)
        .sum()
}

/// A file of SQLite: what is read from it fits into it, and is the same again.
pub fn sqlite(data: &[u8]) {
    let found = sqlite::read(data);
    assert_eq!(sqlite::read(data), found);
    if let Ok(documents) = found {
        assert!(bytes_of(&documents) <= data.len());
    }
}

/// A file of y-sweet: what is read from it fits into it, and not from less of it.
pub fn ysweet(data: &[u8]) {
    let Ok(updates) = ysweet::read(data) else { return };
    assert!(!updates.is_empty());
    assert!(updates.iter().map(Vec::len).sum::<usize>() <= data.len());
    assert!(ysweet::read(&data[..data.len() - 1]).is_err());
}

/// A file of tldraw's: records of the document only, each under its id.
pub fn tldr(data: &[u8]) {
    let known = tldr::Known {
        schema: r#"{"sequences": {"com.tldraw.page": 1, "com.tldraw.shape": 4}}"#,
        records_max: 8,
    };
    let Ok(records) = tldr::read(data, known) else {
        return;
    };
    assert!((1..=known.records_max).contains(&records.len()));
    for tldr::Record { key, record } in records {
        assert_eq!(record["id"], key);
        let kind = record["typeName"].as_str().expect("a kind");
        assert!(key.starts_with(&format!("{kind}:")) && kind != "camera");
    }
}

/// A store of LevelDB, as names and files in a row: what is read from it is within the bound, and is the same
/// again. And a part of each kind of file without the checksum before it, which no change would pass.
pub fn leveldb(data: &[u8]) {
    let files = files(data).unwrap_or_default();
    let names: BTreeSet<String> = files.keys().map(|name| (*name).to_owned()).collect();
    let read = || {
        let file = |name: &str| Ok(files[name].to_vec());
        yleveldb::read(&names, file, MOST)
    };
    let found = read();
    assert_eq!(read(), found);
    if let Ok(documents) = found {
        assert!(bytes_of(&documents) <= MOST && !documents.is_empty());
    }
    let (mut words, mut budget) = (Words::default(), Budget::new(MOST));
    let heard = leveldb::batch(data, &mut words, &mut budget).is_ok();
    assert!(!heard || words.bytes() + budget.left() <= MOST);
    let mut manifest = Manifest::default();
    if manifest.change(data).is_ok() {
        assert!(manifest.tables.len() <= data.len() / 6);
    }
    let mut keys = 0;
    let walked = leveldb::entries(data, &mut Budget::new(MOST), |key, value, _| {
        keys += key.len();
        assert!(value.len() <= data.len());
        Ok(())
    });
    assert!(walked.is_err() || keys <= MOST);
    let pairs = BTreeMap::from([(data.to_vec(), vec![0, 0])]);
    if let Ok(documents) = yleveldb::documents(pairs) {
        assert!(documents[0].name.len() < data.len());
    }
}

/// `None` where the row does not end.
fn files(mut data: &[u8]) -> Option<BTreeMap<&str, &[u8]>> {
    let mut files = BTreeMap::new();
    while let Some((length, rest)) = data.split_first() {
        let (name, rest) = rest.split_at_checked(usize::from(*length))?;
        let (length, rest) = rest.split_first_chunk::<4>()?;
        let length = usize::try_from(u32::from_le_bytes(*length)).ok()?;
        let (bytes, rest) = rest.split_at_checked(length)?;
        files.insert(std::str::from_utf8(name).ok()?, bytes);
        data = rest;
    }
    Some(files)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mutation;

    fn survives(target: &str, rounds: u32, body: fn(&[u8])) {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/seeds");
        let entries = std::fs::read_dir(folder.join(target)).unwrap();
        let seeds: Vec<Vec<u8>> = entries
            .map(|entry| std::fs::read(entry.unwrap().path()).unwrap())
            .collect();
        let seeds: Vec<&[u8]> = seeds.iter().map(Vec::as_slice).collect();
        assert!(!seeds.is_empty());
        mutation::drive_some(&seeds, rounds, body);
    }

    #[test]
    fn files_of_sqlite_survive_mutation() {
        survives("import_sqlite", 20_000, sqlite);
    }

    #[test]
    fn files_of_y_sweet_survive_mutation() {
        survives("import_ysweet", 50_000, ysweet);
    }

    #[test]
    fn files_of_tldraw_survive_mutation() {
        survives("import_tldr", 20_000, tldr);
    }

    #[test]
    fn stores_of_leveldb_survive_mutation() {
        survives("import_leveldb", 100_000, leveldb);
    }

    #[test]
    fn the_seeds_of_leveldb_are_read() {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/seeds/import_leveldb");
        let store = std::fs::read(folder.join("store")).unwrap();
        let files = files(&store).unwrap();
        let names = files.keys().map(|name| (*name).to_owned()).collect();
        let documents = yleveldb::read(&names, |name| Ok(files[name].to_vec()), MOST).unwrap();
        assert!(documents.len() > 40, "{}", documents.len());
        let read = |name: &str| std::fs::read(folder.join(name)).unwrap();
        assert!(leveldb::batch(&read("batch"), &mut Words::default(), &mut Budget::new(MOST)).is_ok());
        assert!(Manifest::default().change(&read("change")).is_ok());
        assert!(leveldb::entries(&read("entries"), &mut Budget::new(MOST), |_, _, _| Ok(())).is_ok());
    }
}
