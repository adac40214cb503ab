//! What one owner has, and may have: boards, and bytes of them.
//!
//! Owns [`Quotas`], [`Account`] and [`Growth`]. Must not know whose an account is, nor where the boards are:
//! the store says what is stored, and each room what it has accepted that is not. Key invariant: what is
//! stored and what is about to be are counted once each, but for the moment between a commit and its report,
//! when they are counted twice. Tests: below, `contract/owners.rs`, and over TCP tests/it/quotas.rs.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// What one owner may have, inclusive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quotas {
    /// `--max-boards-per-owner`: boards that are not deleted.
    pub boards: u64,
    /// `--max-bytes-per-owner`: of their full states and logs.
    pub bytes: u64,
}

impl Quotas {
    /// No bounds.
    pub const UNBOUNDED: Self = Self {
        boards: u64::MAX,
        bytes: u64::MAX,
    };
}

/// What one owner has; shared by the store and the rooms of its boards.
#[derive(Debug)]
pub struct Account {
    quotas: Quotas,
    boards: AtomicU64,
    stored: AtomicU64,
    accepted: AtomicU64,
}

impl Account {
    /// Of an owner that has nothing.
    #[must_use]
    pub const fn new(quotas: Quotas) -> Self {
        Self {
            quotas,
            boards: AtomicU64::new(0),
            stored: AtomicU64::new(0),
            accepted: AtomicU64::new(0),
        }
    }

    /// Boards that are stored.
    #[must_use]
    pub fn boards(&self) -> u64 {
        self.boards.load(Ordering::Relaxed)
    }

    /// Bytes of its boards: those that are stored, and those that rooms have accepted.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        let accepted = self.accepted.load(Ordering::Relaxed);
        self.stored.load(Ordering::Relaxed).saturating_add(accepted)
    }

    /// Bytes that may still be added.
    #[must_use]
    pub fn bytes_left(&self) -> u64 {
        self.quotas.bytes.saturating_sub(self.bytes())
    }

    /// Whether it may have one more board, if it has so many by then.
    #[must_use]
    pub fn takes_a_board_beside(&self, boards: u64) -> bool {
        boards < self.quotas.boards
    }

    /// Says what is stored.
    pub(crate) fn set_stored(&self, boards: u64, bytes: u64) {
        self.boards.store(boards, Ordering::Relaxed);
        self.stored.store(bytes, Ordering::Relaxed);
    }

    /// Says how what is stored has changed.
    pub(crate) fn change_stored(&self, boards: i64, bytes: i64) {
        // Only the writer changes it, so nothing comes between.
        let boards = self.boards().saturating_add_signed(boards);
        let bytes = self.stored.load(Ordering::Relaxed).saturating_add_signed(bytes);
        self.set_stored(boards, bytes);
    }
}

/// What a room has accepted that is not stored, counted to the owner of its board; given back when dropped.
#[derive(Debug, Default)]
pub struct Growth {
    account: Option<Arc<Account>>,
    /// The numbers of the updates, and their bytes.
    updates: VecDeque<(u64, u64)>,
    bytes: u64,
}

impl Growth {
    /// Counts to another owner, or to nobody.
    pub fn set_account(&mut self, account: Option<Arc<Account>>) {
        self.give_back(self.bytes);
        self.account = account;
        self.count(self.bytes);
    }

    /// Bytes that the board may grow by.
    #[must_use]
    pub fn bytes_left(&self) -> usize {
        let left = self.account.as_ref().map(|account| account.bytes_left());
        left.map_or(usize::MAX, |left| usize::try_from(left).unwrap_or(usize::MAX))
    }

    /// Counts an update that was accepted.
    pub fn accepted(&mut self, sequence: u64, bytes: usize) {
        let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
        self.updates.push_back((sequence, bytes));
        self.bytes = self.bytes.saturating_add(bytes);
        self.count(bytes);
    }

    /// Counts the updates up to one no more: they are stored.
    pub fn stored(&mut self, through: u64) {
        while let Some((_, bytes)) = self.updates.pop_front_if(|(sequence, _)| *sequence <= through) {
            self.bytes = self.bytes.saturating_sub(bytes);
            self.give_back(bytes);
        }
    }

    fn count(&self, bytes: u64) {
        if let Some(account) = &self.account {
            account.accepted.fetch_add(bytes, Ordering::Relaxed);
        }
    }

    fn give_back(&self, bytes: u64) {
        if let Some(account) = &self.account {
            account.accepted.fetch_sub(bytes, Ordering::Relaxed);
        }
    }
}

impl Drop for Growth {
    fn drop(&mut self) {
        self.give_back(self.bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account(bytes: u64) -> Arc<Account> {
        Arc::new(Account::new(Quotas { boards: 2, bytes }))
    }

    #[test]
    fn what_is_accepted_counts_until_it_is_stored_or_the_room_is_gone() {
        let account = account(100);
        account.set_stored(1, 40);
        let mut growth = Growth::default();
        assert_eq!(growth.bytes_left(), usize::MAX, "nobody's board");
        growth.accepted(1, 5);
        growth.set_account(Some(Arc::clone(&account)));
        assert_eq!((account.bytes(), growth.bytes_left()), (45, 55));
        growth.accepted(2, 10);
        growth.accepted(3, 20);
        assert_eq!(account.bytes(), 75);
        account.change_stored(0, 15);
        growth.stored(2);
        assert_eq!(account.bytes(), 75, "it is stored, and was accepted");
        growth.stored(2);
        let other = self::account(10);
        growth.set_account(Some(Arc::clone(&other)));
        assert_eq!((account.bytes(), other.bytes()), (55, 20));
        assert_eq!(growth.bytes_left(), 0);
        drop(growth);
        assert_eq!(other.bytes(), 0);
    }

    #[test]
    fn boards_are_taken_up_to_the_bound() {
        let account = account(1);
        for (boards, takes) in [(0, true), (1, true), (2, false), (3, false)] {
            assert_eq!(account.takes_a_board_beside(boards), takes, "{boards}");
        }
        account.change_stored(-1, -1);
        assert_eq!((account.boards(), account.bytes()), (0, 0));
    }
}
