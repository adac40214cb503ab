//! Moving what lives into a new file, a little at a time, while the old one is written on.
//!
//! The engine makes an open file smaller only where its end happens to be free; its own compaction needs the
//! file for itself, for as long as it takes to rewrite what lives. So the rows are copied, and the copy takes
//! the file's name.
//!
//! Owns [`Moving`]: the copy, how far it is, and which rows have changed behind that. Must not know names of
//! files. Key invariants: each row before the cursor is in the copy as it is in the file, or in `changed`;
//! the file is only read. So a copy can be thrown away at any moment. Tests: `tests/moving.rs`,
//! `fault_tests.rs`.

use std::collections::BTreeSet;

use ::redb::{
    Database, ReadOnlyTable, ReadableDatabase, ReadableTable, ReadableTableMetadata, Table as OpenTable,
};

use super::super::{Damage, StoreError};
use super::handle::close;
use super::table::RowKey;
use super::{TABLES, engine};

/// What a row costs a step besides its bytes: finding its place in two trees.
const ROW_COST: usize = 256;

/// Rows that may wait to be copied again. More come only where much more is written than a step copies.
const CHANGED_ROWS_MAX: usize = 100_000;

/// How far the copy is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Progress {
    /// There is more to copy.
    Under,
    /// The copy holds what the file holds, and is on the disk.
    Complete,
}

/// Which of the two files an operation failed on.
#[derive(Debug)]
pub(super) enum Failed {
    File(StoreError),
    Copy(StoreError),
}

/// A copy under way.
pub(super) struct Moving {
    copy: Option<Database>,
    /// The first row that is not copied; `None` at the end.
    cursor: Option<RowKey>,
    /// Rows before the cursor that have changed.
    changed: BTreeSet<RowKey>,
}

type Source = ReadOnlyTable<&'static [u8], &'static [u8]>;
type Target<'t> = OpenTable<'t, &'static [u8], &'static [u8]>;

impl Moving {
    /// Nothing is copied yet; `copy` has all tables.
    pub(super) fn new(copy: Database) -> Self {
        Self {
            copy: Some(copy),
            cursor: Some((0, Vec::new())),
            changed: BTreeSet::new(),
        }
    }

    /// Notes that rows have changed: called after each commit.
    pub(super) fn note(&mut self, touched: BTreeSet<RowKey>) {
        let cursor = self.cursor.as_ref();
        let behind = touched
            .into_iter()
            .filter(|row| cursor.is_none_or(|cursor| row < cursor));
        self.changed.extend(behind);
    }

    /// Copies about so many bytes, and makes them durable.
    pub(super) fn step(&mut self, file: &Database, bytes: usize) -> Result<Progress, Failed> {
        if self.changed.len() > CHANGED_ROWS_MAX {
            return Err(Failed::Copy(StoreError::Engine("the copy is behind".into())));
        }
        let Some(copy) = &self.copy else {
            return Err(Failed::Copy(StoreError::Poisoned));
        };
        let reading = file.begin_read().map_err(of_file)?;
        let mut sources = Vec::with_capacity(TABLES.len());
        for table in TABLES {
            sources.push(reading.open_table(table).map_err(of_file)?);
        }
        let writing = copy.begin_write().map_err(of_copy)?;
        let mut targets = Vec::with_capacity(TABLES.len());
        for table in TABLES {
            targets.push(writing.open_table(table).map_err(of_copy)?);
        }
        let mut left = bytes;
        while left > 0
            && let Some((number, key)) = self.changed.pop_first()
        {
            left = left.saturating_sub(again(&sources, &mut targets, number, &key)?);
        }
        while left > 0
            && let Some((number, key)) = self.cursor.take()
        {
            let (next, copied) = on(&sources, &mut targets, (number, key), left)?;
            left = left.saturating_sub(copied);
            self.cursor = next;
        }
        // In the step that catches up: by the next one there may be changes again.
        let is_through = self.cursor.is_none() && self.changed.is_empty();
        let is_whole = !is_through || have_the_same_lengths(&sources, &targets)?;
        drop(targets);
        if !is_whole {
            // A branch page that is damaged hides rows: then the file is what must be kept.
            return Err(Failed::Copy(StoreError::Unreadable(Damage::RecordMissing)));
        }
        writing.commit().map_err(of_copy)?;
        Ok(match is_through {
            true => Progress::Complete,
            false => Progress::Under,
        })
    }

    /// The copy, which is to take the place of the file.
    pub(super) fn into_copy(mut self) -> Option<Database> {
        self.copy.take()
    }
}

impl Drop for Moving {
    fn drop(&mut self) {
        close(self.copy.take());
    }
}

fn of_file(error: impl Into<::redb::Error>) -> Failed {
    Failed::File(engine(error))
}

fn of_copy(error: impl Into<::redb::Error>) -> Failed {
    Failed::Copy(engine(error))
}

fn have_the_same_lengths(sources: &[Source], targets: &[Target<'_>]) -> Result<bool, Failed> {
    for (source, target) in sources.iter().zip(targets) {
        if source.len().map_err(of_file)? != target.len().map_err(of_copy)? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Makes a row of the copy what it is in the file; gives what that cost.
fn again(sources: &[Source], targets: &mut [Target<'_>], number: usize, key: &[u8]) -> Result<usize, Failed> {
    let (Some(source), Some(target)) = (sources.get(number), targets.get_mut(number)) else {
        return Ok(0);
    };
    let Some(value) = ReadableTable::get(source, key).map_err(of_file)? else {
        target.remove(key).map_err(of_copy)?;
        return Ok(ROW_COST);
    };
    target.insert(key, value.value()).map_err(of_copy)?;
    Ok(cost(key, value.value()))
}

/// Copies rows of one table from a row on; gives the row to go on from, and what that cost.
fn on(
    sources: &[Source],
    targets: &mut [Target<'_>],
    (number, from): RowKey,
    bytes: usize,
) -> Result<(Option<RowKey>, usize), Failed> {
    let (Some(source), Some(target)) = (sources.get(number), targets.get_mut(number)) else {
        return Ok((None, 0));
    };
    let mut copied = 0_usize;
    for row in ReadableTable::range::<&[u8]>(source, from.as_slice()..).map_err(of_file)? {
        let (key, value) = row.map_err(of_file)?;
        target.insert(key.value(), value.value()).map_err(of_copy)?;
        copied = copied.saturating_add(cost(key.value(), value.value()));
        if copied >= bytes {
            let mut next = key.value().to_vec();
            next.push(0);
            return Ok((Some((number, next)), copied));
        }
    }
    Ok((Some((number.saturating_add(1), Vec::new())), copied))
}

fn cost(key: &[u8], value: &[u8]) -> usize {
    key.len().saturating_add(value.len()).saturating_add(ROW_COST)
}
