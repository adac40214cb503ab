//! The manifest of LevelDB: which files a store is made of.
//!
//! Owns what its changes come to. Must not read those files. Tests: those of `leveldb`.
//!
//! ```text
//! record = changes, each a number and what belongs to it:
//!          1 name of the order | 2 first log | 3 next file | 4 last entry | 5 level, key | 6 level, table
//!          that is no more | 7 level, table, its bytes, first key, last key | 9 log before the first one
//! ```
#![deny(clippy::arithmetic_side_effects, clippy::cast_possible_truncation)]

use std::collections::{BTreeMap, BTreeSet};

use super::bytes::{text, varint};
use super::{Budget, Fault, log};

/// The order of keys of every store of which nobody has asked for another one.
const ORDER: &[u8] = b"leveldb.BytewiseComparator";

/// What a store is made of.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Manifest {
    /// Tables by their number, and the bytes of each.
    pub(crate) tables: BTreeMap<u64, u64>,
    /// The first log that counts, once it is said.
    first_log: Option<u64>,
    /// Whether the next file and the last entry are said, as in each that is whole.
    has_next: bool,
    has_last: bool,
    /// One that counts besides, in old stores; else zero.
    log_before: u64,
}

impl Manifest {
    /// Reads the log of changes.
    pub(super) fn read(bytes: &[u8], budget: &mut Budget) -> Result<Self, Fault> {
        let mut manifest = Self::default();
        log::records(bytes, budget, |record, _| manifest.change(record))?;
        match manifest.has_next && manifest.has_last && manifest.first_log.is_some() {
            true => Ok(manifest),
            false => Err(Fault::Cut),
        }
    }

    /// Makes the changes of one record.
    pub(crate) fn change(&mut self, mut record: &[u8]) -> Result<(), Fault> {
        while !record.is_empty() {
            self.change_one(&mut record).ok_or(Fault::Damaged)??;
        }
        Ok(())
    }

    fn change_one(&mut self, record: &mut &[u8]) -> Option<Result<(), Fault>> {
        match varint(record)? {
            1 if text(record)? != ORDER => return Some(Err(Fault::Ordered)),
            1 => {}
            2 => self.first_log = Some(varint(record)?),
            3 => self.has_next = varint(record).map(|_| true)?,
            4 => self.has_last = varint(record).map(|_| true)?,
            5 => {
                varint(record)?;
                text(record)?;
            }
            6 => {
                varint(record)?;
                let table = varint(record)?;
                self.tables.remove(&table)?;
            }
            7 => {
                varint(record)?;
                let table = varint(record)?;
                let bytes = varint(record)?;
                text(record)?;
                text(record)?;
                self.tables.insert(table, bytes);
            }
            9 => self.log_before = varint(record)?,
            _ => return None,
        }
        Some(Ok(()))
    }

    /// The logs that count, in the order in which they were written.
    ///
    /// # Errors
    /// The first one is missing, in words.
    pub(super) fn logs<'a>(&self, names: &'a BTreeSet<String>) -> Result<Vec<&'a str>, String> {
        let first = self.first_log.unwrap_or(0);
        let mut logs: Vec<(u64, &str)> = Vec::new();
        for name in names {
            let number = name.strip_suffix(".log").and_then(|number| number.parse().ok());
            let counts = |number: &u64| *number >= first || *number == self.log_before;
            logs.extend(number.filter(counts).map(|number| (number, name.as_str())));
        }
        logs.sort_unstable();
        let has_first = logs.iter().any(|(number, _)| *number == first);
        match first == 0 || has_first {
            true => Ok(logs.into_iter().map(|(_, name)| name).collect()),
            false => Err(format!("it lacks {:06}.log", first)),
        }
    }
}
