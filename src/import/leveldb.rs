//! Stores of LevelDB: all that one holds.
//!
//! Owns which files of a store count, and which of its entries is the last word on a key. Must not know what
//! the entries mean, nor write. Key invariants: reading is strict and total; bytes of files, what is unpacked
//! from them and what is kept are all taken from one budget before they are; a file that the store needs and
//! lacks, or that is damaged or cut off, is an error and never less content. Tests are in `tests`, on stores
//! that LevelDB has written; fuzz body: `fuzzing::leveldb`.
//!
//! ```text
//! CURRENT          the name of the file that tells of the others, and a line feed
//! MANIFEST-000002  a log of changes: which tables there are, and the first log that is in none of them
//! 000003.log       a log of batches of entries
//! 000005.ldb       a table: entries, sorted and packed
//! ```
//! (doc/impl.md, doc/log_format.md and doc/table_format.md of LevelDB; what opens such a store writes to it,
//! and asserts what a file says, so that no library reads here.)
#![deny(clippy::arithmetic_side_effects, clippy::cast_possible_truncation)]

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};

mod bytes;
mod log;
mod manifest;
mod table;
#[cfg(test)]
mod tests;

pub(crate) use bytes::length;
#[cfg(any(test, fuzzing, debug_assertions))]
pub(crate) use log::batch;
pub(crate) use manifest::Manifest;
#[cfg(any(test, fuzzing, debug_assertions))]
pub(crate) use table::entries;

/// The file that every store has.
pub const CURRENT: &str = "CURRENT";

/// The file that whoever has a store open holds a lock on.
pub const LOCK: &str = "LOCK";

/// What helps against a tail that was not written to its end.
const HELP: &str =
    "open the store with its own program and close it, which drops what is cut off, and import it again";

/// Why a file was not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// It ends before its end.
    Cut,
    /// It is not what LevelDB writes.
    Damaged,
    /// It is packed by a way that is not known here.
    Packed,
    /// It orders its keys by another rule.
    Ordered,
    /// More than may be read.
    Large,
}

impl Fault {
    fn say(self, name: &str) -> String {
        match self {
            Self::Cut => format!("{name} is cut off; {HELP}"),
            Self::Damaged => format!("{name} is damaged, or no file of LevelDB"),
            Self::Packed => format!("{name} is packed otherwise than by snappy, which is not known here"),
            Self::Ordered => format!("{name} tells of another order than that of bytes"),
            Self::Large => "there is more in it than is read at once".to_owned(),
        }
    }
}

/// What may still be read, unpacked and kept, in bytes.
#[derive(Debug)]
pub(crate) struct Budget(usize);

impl Budget {
    pub(crate) fn new(bytes: usize) -> Self {
        Self(bytes)
    }

    pub(crate) fn take(&mut self, bytes: usize) -> Result<(), Fault> {
        self.0 = self.0.checked_sub(bytes).ok_or(Fault::Large)?;
        Ok(())
    }

    #[cfg(any(test, fuzzing, debug_assertions))]
    pub(crate) fn left(&self) -> usize {
        self.0
    }
}

/// One entry, as it was written: a value, or that there is none any more.
pub(crate) struct Written<'a> {
    pub(crate) key: &'a [u8],
    /// The higher, the later.
    pub(crate) number: u64,
    pub(crate) value: Option<&'a [u8]>,
}

/// Of each key the last word.
#[derive(Default)]
pub(crate) struct Words(BTreeMap<Vec<u8>, (u64, Option<Vec<u8>>)>);

impl Words {
    #[cfg(any(test, fuzzing, debug_assertions))]
    pub(crate) fn bytes(&self) -> usize {
        let of = |(key, (_, value)): (&Vec<u8>, &(u64, Option<Vec<u8>>))| {
            key.len().saturating_add(value.as_ref().map_or(0, Vec::len))
        };
        self.0.iter().map(of).sum()
    }

    pub(crate) fn hear(&mut self, written: &Written<'_>, budget: &mut Budget) -> Result<(), Fault> {
        let bytes = written
            .key
            .len()
            .saturating_add(written.value.map_or(0, <[u8]>::len));
        budget.take(bytes)?;
        let word = (written.number, written.value.map(<[u8]>::to_vec));
        match self.0.entry(written.key.to_vec()) {
            Entry::Vacant(free) => {
                free.insert(word);
            }
            Entry::Occupied(mut said) if said.get().0 < written.number => {
                said.insert(word);
            }
            Entry::Occupied(_) => {}
        }
        Ok(())
    }
}

/// Reads what is in a store: keys and values, in the order of keys. `names` are the files of its folder,
/// `file` reads one; `most` are the bytes that may be read, unpacked and kept.
///
/// # Errors
/// It is no such store, in words.
pub fn read(
    names: &BTreeSet<String>,
    mut file: impl FnMut(&str) -> Result<Vec<u8>, String>,
    most: usize,
) -> Result<BTreeMap<Vec<u8>, Vec<u8>>, String> {
    let mut budget = Budget::new(most);
    let mut named = |name: &str, budget: &mut Budget| {
        if !names.contains(name) {
            return Err(format!("it lacks {name}"));
        }
        let bytes = file(name)?;
        budget.take(bytes.len()).map_err(|fault| fault.say(name))?;
        Ok(bytes)
    };
    let current = named(CURRENT, &mut budget)?;
    let current = std::str::from_utf8(&current)
        .ok()
        .and_then(|text| text.strip_suffix('\n'));
    let current = current.filter(|name| name.starts_with("MANIFEST-"));
    let current = current.ok_or_else(|| Fault::Damaged.say(CURRENT))?;
    let manifest = named(current, &mut budget)?;
    let manifest = Manifest::read(&manifest, &mut budget).map_err(|fault| fault.say(current))?;

    let mut words = Words::default();
    for (number, length) in &manifest.tables {
        let [new, old] = [format!("{number:06}.ldb"), format!("{number:06}.sst")];
        let name = if names.contains(&old) { old } else { new };
        let bytes = named(&name, &mut budget)?;
        let heard = match u64::try_from(bytes.len()) {
            Ok(found) if found == *length => table::read(&bytes, &mut words, &mut budget),
            Ok(found) if found < *length => Err(Fault::Cut),
            _ => Err(Fault::Damaged),
        };
        heard.map_err(|fault| fault.say(&name))?;
    }
    for name in manifest.logs(names)? {
        let bytes = named(name, &mut budget)?;
        log::read(&bytes, &mut words, &mut budget).map_err(|fault| fault.say(name))?;
    }
    let living = |(key, (_, value)): (Vec<u8>, (u64, Option<Vec<u8>>))| value.map(|value| (key, value));
    Ok(words.0.into_iter().filter_map(living).collect())
}
