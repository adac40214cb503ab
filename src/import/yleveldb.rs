//! Stores of the npm package y-leveldb: documents in a LevelDB.
//!
//! Owns what its keys mean. Must not know Yjs, nor LevelDB's files. Key invariant: of a document all updates
//! are given, in their order. Tests are below; fuzz body: `fuzzing::leveldb`.
//!
//! ```text
//! key = "v1", document, "update", number   an update; those below one that holds them all are removed
//!     | "v1", document, "meta", name       what a program has kept beside it; left out
//!     | "v1_sv", document                  what is derived from the updates
//! each text: 0, its length in lib0's numbers, UTF-8; each number: 1, u32 be
//! ```
//! (src/y-leveldb.js of y-leveldb 0.2.)
#![deny(clippy::arithmetic_side_effects, clippy::cast_possible_truncation)]

use std::collections::{BTreeMap, BTreeSet};

use crate::{Document, leveldb};

/// Reads the documents of a store, as [`leveldb::read`] does what is in it.
///
/// # Errors
/// It is no such store, in words.
pub fn read(
    names: &BTreeSet<String>,
    file: impl FnMut(&str) -> Result<Vec<u8>, String>,
    most: usize,
) -> Result<Vec<Document>, String> {
    documents(leveldb::read(names, file, most)?)
}

pub(crate) fn documents(pairs: BTreeMap<Vec<u8>, Vec<u8>>) -> Result<Vec<Document>, String> {
    let mut documents: Vec<Document> = Vec::new();
    // The updates of a document stand together, and in their order, as keys do.
    for (key, value) in pairs {
        let Some(name) = document_of(&key) else { continue };
        match documents.last_mut() {
            Some(last) if last.name == name => last.updates.push(value),
            _ => documents.push(Document {
                name: name.to_owned(),
                updates: vec![value],
            }),
        }
    }
    match documents.is_empty() {
        true => Err("it has no document of y-leveldb".to_owned()),
        false => Ok(documents),
    }
}

/// The document that this is the key of an update of.
fn document_of(mut key: &[u8]) -> Option<&str> {
    if text(&mut key)? != "v1" {
        return None;
    }
    let document = text(&mut key)?;
    let is_update = text(&mut key)? == "update" && matches!(key, [1, _, _, _, _]);
    is_update.then_some(document)
}

fn text<'a>(key: &mut &'a [u8]) -> Option<&'a str> {
    *key = key.strip_prefix(&[0])?;
    let length = leveldb::length(key)?;
    let (text, rest) = key.split_at_checked(length)?;
    *key = rest;
    std::str::from_utf8(text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(texts: &[&str], number: Option<u32>) -> Vec<u8> {
        let mut key = Vec::new();
        for text in texts {
            // Lengths below 128 are one byte.
            key.extend([0, u8::try_from(text.len()).unwrap()]);
            key.extend_from_slice(text.as_bytes());
        }
        if let Some(number) = number {
            key.push(1);
            key.extend(number.to_be_bytes());
        }
        key
    }

    #[test]
    fn documents_are_their_updates_in_order_without_what_stands_beside() {
        let update = |document, number| key(&["v1", document, "update"], Some(number));
        let pairs = [
            (update("plan", 256), "third"),
            (update("plan", 255), "second"),
            (update("a longer name", 0), "other"),
            (update("plan", 2), "first"),
            (key(&["v1", "plan", "meta", "title"], None), "meta"),
            (key(&["v1_sv", "plan"], None), "vector"),
            (key(&["v1", "plan", "update"], None), "no number"),
            (b"of another program".to_vec(), "other"),
        ];
        let pairs = pairs.map(|(key, value)| (key, value.as_bytes().to_vec()));
        let found = documents(BTreeMap::from(pairs)).unwrap();
        let found: Vec<(&str, String)> = found
            .iter()
            .map(|document| {
                (
                    document.name.as_str(),
                    String::from_utf8(document.updates.join(&b' ')).unwrap(),
                )
            })
            .collect();
        let expected = [
            ("plan", "first second third".to_owned()),
            ("a longer name", "other".to_owned()),
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn a_store_without_documents_is_refused() {
        let pairs = BTreeMap::from([(key(&["v1_sv", "plan"], None), vec![0])]);
        assert!(documents(pairs).unwrap_err().contains("no document of y-leveldb"));
    }
}
