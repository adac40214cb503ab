//! The accounts of all owners, in memory.
//!
//! Owns [`Owners`], and [`Gains`], which says what one more board would come to. Key invariant: outside of a
//! commit an account says what the records of its owner's boards say. It is made from them whenever the file
//! is opened, and changed by what a commit has done, never by what one was to do. Tests:
//! `contract/owners.rs`.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ::redb::{Database, ReadableDatabase, ReadableTable};

use super::super::StoreError;
use super::super::owners::{Account, Quotas};
use super::super::rows::{self, BoardRow};
use super::journal::{Journal, with_part};
use super::{BOARDS, engine};
use crate::ids::UserId;

/// How many accounts there are before those are looked for that nobody needs.
const CLEAN_AT_MIN: usize = 1024;

/// What changes for each owner, and for nobody: boards, and bytes.
pub(super) type Moves = BTreeMap<Option<UserId>, (i64, i64)>;

#[derive(Debug)]
struct Accounts {
    quotas: Quotas,
    of: HashMap<UserId, Arc<Account>>,
    clean_at: usize,
    /// Bytes of all boards, whoever owns them.
    bytes: u64,
}

/// The accounts of all owners that have boards, or are looked at.
#[derive(Debug)]
pub(super) struct Owners(Mutex<Accounts>);

impl Owners {
    pub(super) fn new(quotas: Quotas) -> Self {
        Self(Mutex::new(Accounts {
            quotas,
            of: HashMap::new(),
            clean_at: CLEAN_AT_MIN,
            bytes: 0,
        }))
    }

    fn accounts(&self) -> MutexGuard<'_, Accounts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn account(&self, owner: &UserId) -> Arc<Account> {
        self.accounts().account(owner)
    }

    /// Bytes of all boards, also of those that nobody owns.
    pub(super) fn all_bytes(&self) -> u64 {
        self.accounts().bytes
    }

    /// Makes all accounts say what the file says. A record that cannot be read has no owner.
    pub(super) fn read(&self, database: &Database, journal: &Journal) -> Result<(), StoreError> {
        let mut found: HashMap<UserId, (u64, u64)> = HashMap::new();
        let mut all = 0_u64;
        let transaction = database.begin_read().map_err(engine)?;
        let boards = transaction.open_table(BOARDS).map_err(engine)?;
        for row in ReadableTable::iter(&boards).map_err(engine)? {
            let (key, value) = row.map_err(engine)?;
            let Ok(BoardRow::Live(live)) = BoardRow::decode(key.value(), value.value()) else {
                continue;
            };
            let part = rows::parse_board(key.value()).and_then(|board| journal.part(&board));
            let live = with_part(live, part);
            let size = live.size_bytes();
            all = all.saturating_add(size);
            if let Some(owner) = live.record.owner {
                let (boards, bytes) = found.entry(owner).or_default();
                *boards += 1;
                *bytes = bytes.saturating_add(size);
            }
        }
        let mut accounts = self.accounts();
        accounts.bytes = all;
        accounts.of.values().for_each(|account| account.set_stored(0, 0));
        for (owner, (boards, bytes)) in found {
            accounts.account(&owner).set_stored(boards, bytes);
        }
        Ok(())
    }

    /// Does what a commit has done.
    pub(super) fn apply(&self, moves: Moves) {
        let mut accounts = self.accounts();
        for (owner, (boards, bytes)) in moves {
            accounts.bytes = accounts.bytes.saturating_add_signed(bytes);
            if let Some(owner) = owner {
                accounts.account(&owner).change_stored(boards, bytes);
            }
        }
    }
}

/// What owners get and lose by one commit, beside what they have: boards, and the bytes of those.
pub(super) struct Gains<'t> {
    owners: &'t Owners,
    of: BTreeMap<UserId, (i64, i64)>,
}

impl<'t> Gains<'t> {
    pub(super) fn new(owners: &'t Owners) -> Self {
        Self {
            owners,
            of: BTreeMap::new(),
        }
    }

    fn of(&self, owner: &UserId) -> (i64, i64) {
        self.of.get(owner).copied().unwrap_or_default()
    }

    /// Whether somebody may have one more board; a board may be nobody's.
    pub(super) fn take_a_board(&self, owner: Option<&UserId>) -> bool {
        owner.is_none_or(|owner| {
            let account = self.owners.account(owner);
            account.takes_a_board_beside(account.boards().saturating_add_signed(self.of(owner).0))
        })
    }

    /// Whether somebody may have a board of so many bytes.
    pub(super) fn take_bytes(&self, owner: &UserId, bytes: u64) -> bool {
        bytes.saturating_add_signed(self.of(owner).1) <= self.owners.account(owner).bytes_left()
    }

    /// A board of so many bytes goes from one owner to another.
    pub(super) fn moved(&mut self, bytes: u64, from: Option<&UserId>, to: Option<&UserId>) {
        for (owner, sign) in [(from, -1), (to, 1)] {
            if let Some(owner) = owner {
                let (boards, of_bytes) = self.of.entry(owner.clone()).or_default();
                *boards += sign;
                *of_bytes = of_bytes.saturating_add(sign * i64::try_from(bytes).unwrap_or(i64::MAX));
            }
        }
    }
}

impl Accounts {
    fn account(&mut self, owner: &UserId) -> Arc<Account> {
        if let Some(account) = self.of.get(owner) {
            return Arc::clone(account);
        }
        if self.of.len() >= self.clean_at {
            (self.of).retain(|_, account| account.boards() > 0 || Arc::strong_count(account) > 1);
            self.clean_at = self.of.len().saturating_mul(2).max(CLEAN_AT_MIN);
        }
        let account = Arc::new(Account::new(self.quotas));
        self.of.insert(owner.clone(), Arc::clone(&account));
        account
    }
}
