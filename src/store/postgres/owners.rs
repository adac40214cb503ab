//! The accounts of owners that somebody looks at.
//!
//! Owns [`Owners`], and [`Gains`], which says what one more board would come to. Key invariants: whether an
//! owner may have one more board is decided by what the commit's own transaction counts; in between an
//! account says what was counted last, changed by what this node has committed since. Tests:
//! `contract/owners.rs`.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Instant;

use super::super::owners::{Account, Quotas};
use crate::ids::UserId;
use crate::limits;

/// How many accounts there are before those are looked for that nobody holds.
const CLEAN_AT_MIN: usize = 1024;

/// What changes for each owner: boards, and bytes.
pub(super) type Moves = BTreeMap<UserId, (i64, i64)>;

/// Boards, and their bytes.
pub(super) type Counted = (u64, u64);

struct Known {
    account: Weak<Account>,
    /// It is to be counted by the next commit: a commit may have come between counting and keeping it.
    is_stale: bool,
}

#[derive(Default)]
struct Accounts {
    of: HashMap<UserId, Known>,
    clean_at: usize,
    counted_all: Option<Instant>,
}

/// The accounts that somebody holds.
pub(super) struct Owners {
    quotas: Quotas,
    accounts: Mutex<Accounts>,
}

impl Owners {
    pub(super) fn new(quotas: Quotas) -> Self {
        Self {
            quotas,
            accounts: Mutex::new(Accounts::default()),
        }
    }

    fn accounts(&self) -> MutexGuard<'_, Accounts> {
        self.accounts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The account of an owner, where somebody holds it.
    pub(super) fn held(&self, owner: &UserId) -> Option<Arc<Account>> {
        self.accounts().of.get(owner)?.account.upgrade()
    }

    /// The account of an owner of whom so much was counted.
    pub(super) fn keep(&self, owner: &UserId, counted: Counted) -> Arc<Account> {
        let mut accounts = self.accounts();
        if let Some(account) = accounts.of.get(owner).and_then(|known| known.account.upgrade()) {
            return account;
        }
        if accounts.of.len() >= accounts.clean_at {
            accounts.of.retain(|_, known| known.account.strong_count() > 0);
            accounts.clean_at = accounts.of.len().saturating_mul(2).max(CLEAN_AT_MIN);
        }
        let account = self.fresh(counted);
        let known = Known {
            account: Arc::downgrade(&account),
            is_stale: true,
        };
        accounts.of.insert(owner.clone(), known);
        account
    }

    fn fresh(&self, (boards, bytes): Counted) -> Arc<Account> {
        let account = Account::new(self.quotas);
        account.set_stored(boards, bytes);
        Arc::new(account)
    }

    /// Others make boards too: lets the next commit count all anew, now and then.
    pub(super) fn grow_old(&self) {
        let mut accounts = self.accounts();
        let is_due = accounts
            .counted_all
            .is_none_or(|at| at.elapsed() >= limits::DATABASE_ACCOUNT_AGE_MAX);
        if is_due {
            accounts.counted_all = Some(Instant::now());
            accounts.of.values_mut().for_each(|known| known.is_stale = true);
        }
    }

    /// The owners that are to be counted, of those that somebody holds.
    pub(super) fn stale(&self) -> Vec<UserId> {
        let accounts = self.accounts();
        let stale = accounts
            .of
            .iter()
            .filter(|(_, known)| known.is_stale && known.account.strong_count() > 0);
        stale.map(|(owner, _)| owner.clone()).collect()
    }

    /// The owners that somebody holds.
    pub(super) fn all(&self) -> Vec<UserId> {
        let accounts = self.accounts();
        let held = accounts
            .of
            .iter()
            .filter(|(_, known)| known.account.strong_count() > 0);
        held.map(|(owner, _)| owner.clone()).collect()
    }

    /// Says what was counted, of owners that were asked for.
    pub(super) fn set(&self, owners: &[UserId], counted: &BTreeMap<UserId, Counted>) {
        let mut accounts = self.accounts();
        for owner in owners {
            let (boards, bytes) = counted.get(owner).copied().unwrap_or_default();
            if let Some(known) = accounts.of.get_mut(owner) {
                known.is_stale = false;
                if let Some(account) = known.account.upgrade() {
                    account.set_stored(boards, bytes);
                }
            }
        }
    }

    /// Does what a commit has done.
    pub(super) fn apply(&self, moves: Moves) {
        let accounts = self.accounts();
        for (owner, (boards, bytes)) in moves {
            if let Some(account) = accounts.of.get(&owner).and_then(|known| known.account.upgrade()) {
                account.change_stored(boards, bytes);
            }
        }
    }

    /// What owners may get by a commit whose transaction counted so much.
    pub(super) fn gains(&self, owners: &[UserId], counted: &BTreeMap<UserId, Counted>) -> Gains {
        let account = |owner: &UserId| {
            let counted = counted.get(owner).copied().unwrap_or_default();
            let account = self.held(owner).unwrap_or_else(|| self.fresh(counted));
            (owner.clone(), account)
        };
        Gains {
            accounts: owners.iter().map(account).collect(),
            of: BTreeMap::new(),
        }
    }
}

/// What owners get and lose by one commit, beside what they have: boards, and the bytes of those.
pub(super) struct Gains {
    accounts: BTreeMap<UserId, Arc<Account>>,
    of: BTreeMap<UserId, (i64, i64)>,
}

impl Gains {
    fn of(&self, owner: &UserId) -> (i64, i64) {
        self.of.get(owner).copied().unwrap_or_default()
    }

    /// Whether somebody may have one more board; a board may be nobody's.
    pub(super) fn takes_a_board(&self, owner: Option<&UserId>) -> bool {
        owner.is_none_or(|owner| {
            self.accounts.get(owner).is_some_and(|account| {
                account.takes_a_board_beside(account.boards().saturating_add_signed(self.of(owner).0))
            })
        })
    }

    /// Whether somebody may have a board of so many bytes.
    pub(super) fn takes_bytes(&self, owner: &UserId, bytes: u64) -> bool {
        let account = self.accounts.get(owner);
        account.is_some_and(|account| bytes.saturating_add_signed(self.of(owner).1) <= account.bytes_left())
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
