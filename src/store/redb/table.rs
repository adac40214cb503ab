//! A table of a write transaction, and which of its rows that changed.
//!
//! Owns [`Rows`], the one way to change a row once the file is open, and [`Touched`]. Must not know what rows
//! mean. Key invariant: while a copy of the file is made, no row changes without its key being noted
//! (`moving`).

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::ops::{Bound, Deref, RangeBounds};

use ::redb::{AccessGuard, Table as OpenTable, TableHandle, WriteTransaction};

use super::super::StoreError;
use super::{TABLES, Table, engine};

/// A row of the file: the number of its table in [`TABLES`], and its key.
pub(super) type RowKey = (usize, Vec<u8>);

/// The rows that a transaction changes, where somebody wants to know.
#[derive(Debug, Default)]
pub(super) struct Touched(Option<RefCell<BTreeSet<RowKey>>>);

impl Touched {
    /// Notes each row.
    pub(super) fn noted() -> Self {
        Self(Some(RefCell::default()))
    }

    fn note(&self, table: usize, key: &[u8]) {
        if let Some(keys) = &self.0 {
            keys.borrow_mut().insert((table, key.to_vec()));
        }
    }

    /// What was noted.
    pub(super) fn into_keys(self) -> BTreeSet<RowKey> {
        self.0.map(RefCell::into_inner).unwrap_or_default()
    }
}

/// A table that is open for writing; it is read as redb's own.
pub(super) struct Rows<'t> {
    table: OpenTable<'t, &'static [u8], &'static [u8]>,
    number: usize,
    touched: &'t Touched,
}

type Value<'a> = AccessGuard<'a, &'static [u8]>;

impl<'t> Rows<'t> {
    pub(super) fn open(
        transaction: &'t WriteTransaction,
        table: Table,
        touched: &'t Touched,
    ) -> Result<Self, StoreError> {
        let number = TABLES.iter().position(|known| known.name() == table.name());
        debug_assert!(number.is_some(), "{} is in TABLES", table.name());
        Ok(Self {
            table: transaction.open_table(table).map_err(engine)?,
            number: number.unwrap_or(TABLES.len()),
            touched,
        })
    }

    /// Sets a row; gives the value before.
    pub(super) fn insert(&mut self, key: &[u8], value: &[u8]) -> Result<Option<Value<'_>>, StoreError> {
        self.touched.note(self.number, key);
        self.table.insert(key, value).map_err(engine)
    }

    /// Removes a row; gives its value.
    pub(super) fn remove(&mut self, key: &[u8]) -> Result<Option<Value<'_>>, StoreError> {
        self.touched.note(self.number, key);
        self.table.remove(key).map_err(engine)
    }

    /// Removes the rows of a range that `stays` says no to.
    pub(super) fn retain_in<'a>(
        &mut self,
        range: impl RangeBounds<&'a [u8]> + 'a,
        mut stays: impl FnMut(&[u8], &[u8]) -> bool,
    ) -> Result<(), StoreError> {
        let (touched, number) = (self.touched, self.number);
        self.table
            .retain_in::<&[u8], _>(range, |key, value| {
                let stays = stays(key, value);
                if !stays {
                    touched.note(number, key);
                }
                stays
            })
            .map_err(engine)
    }

    /// Removes the rows that `stays` says no to.
    pub(super) fn retain(&mut self, stays: impl FnMut(&[u8], &[u8]) -> bool) -> Result<(), StoreError> {
        let all: (Bound<&[u8]>, Bound<&[u8]>) = (Bound::Unbounded, Bound::Unbounded);
        self.retain_in(all, stays)
    }
}

impl<'t> Deref for Rows<'t> {
    type Target = OpenTable<'t, &'static [u8], &'static [u8]>;

    fn deref(&self) -> &Self::Target {
        &self.table
    }
}
