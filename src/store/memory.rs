//! The plainest store: boards in maps, on a disk that is a map too. For tests.
//!
//! Owns [`MemoryStore`], over a [`Disk`] that fails when it is told to; what they hold is in `contents`. Key
//! invariant: what is on the disk is what there was before a commit, or after it. Tests: `contract/`.

mod contents;

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

pub use self::contents::Contents;
use super::owners::{Account, Quotas};
use super::{
    Act, Applied, BoardLog, Change, Footprint, Holder, Listed, OpenError, Reclaimed, Registry, Store,
    StoreError, Stored, StoredBoard, StoredSecret, Summary, Used,
};
use crate::access::secret::SecretKind;
use crate::access::{Asked, Facts, SecretFacts};
use crate::audit::{Entry, EntryKey};
use crate::ids::{BoardId, Level, Principal, SecretId, UserId};
use crate::time::UnixMillis;

/// What outlasts a store; clones are the same disk.
#[derive(Clone, Debug, Default)]
pub struct Disk(Arc<Mutex<Kept>>);

#[derive(Debug, Default)]
struct Kept {
    contents: Contents,
    /// Operations that still succeed before each one fails; `None`: all.
    countdown: Option<u64>,
}

impl Disk {
    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets `count` more operations succeed, and then fails each one; `None` mends the disk. A question is
    /// one operation, and so are each change of a commit, the writing of all of them, and hearing that they
    /// are written.
    pub fn fail_after(&self, count: Option<u64>) {
        self.kept().countdown = count;
    }

    fn operate(&self) -> io::Result<()> {
        match &mut self.kept().countdown {
            Some(0) => return Err(io::Error::other("simulated failure")),
            Some(left) => *left -= 1,
            None => {}
        }
        Ok(())
    }

    fn read(&self) -> io::Result<Contents> {
        self.operate()?;
        Ok(self.kept().contents.clone())
    }

    fn write(&self, contents: &Contents) -> io::Result<()> {
        self.operate()?;
        self.kept().contents.clone_from(contents);
        // What failed here is on the disk, and nobody knows.
        self.operate()
    }
}

/// A store on a [`Disk`].
#[derive(Debug)]
pub struct MemoryStore {
    disk: Disk,
    quotas: Quotas,
    open: Mutex<Open>,
}

#[derive(Debug, Default)]
struct Open {
    /// What is on the disk; `None` while that is not known.
    contents: Option<Contents>,
    accounts: BTreeMap<UserId, Arc<Account>>,
}

impl Default for MemoryStore {
    fn default() -> Self {
        Self {
            disk: Disk::default(),
            quotas: Quotas::UNBOUNDED,
            open: Mutex::new(Open {
                contents: Some(Contents::default()),
                accounts: BTreeMap::new(),
            }),
        }
    }
}

impl MemoryStore {
    /// Opens what is on a disk.
    ///
    /// # Errors
    /// Where the disk fails.
    pub fn open(disk: &Disk, quotas: Quotas) -> Result<Self, OpenError> {
        let open = Open {
            contents: Some(disk.read()?),
            accounts: BTreeMap::new(),
        };
        Ok(Self {
            disk: disk.clone(),
            quotas,
            open: Mutex::new(open),
        })
    }

    fn locked(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn ask<T>(&self, question: impl FnOnce(&Contents) -> T) -> Result<T, StoreError> {
        let open = self.locked();
        let contents = open.contents.as_ref().ok_or(StoreError::Poisoned)?;
        self.disk.operate()?;
        Ok(question(contents))
    }

    /// Makes what `work` does durable; where that is not certain, nothing is known until the disk is read
    /// anew.
    fn change<T>(
        &self,
        work: impl FnOnce(&mut Contents, &mut Open) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let mut open = self.locked();
        let mut contents = open.contents.take().ok_or(StoreError::Poisoned)?;
        let done = work(&mut contents, &mut open)?;
        self.disk.write(&contents)?;
        open.become_known(contents);
        Ok(done)
    }

    /// Does one change, unless an owner would then have too much.
    fn apply(
        &self,
        change: &Change,
        now: &mut Contents,
        (before, open): (&Contents, &mut Open),
    ) -> Result<Applied, StoreError> {
        self.disk.operate()?;
        let Change::Act {
            act:
                Act::Create {
                    owner: Some(owner), ..
                }
                | Act::Update {
                    owner: Some(owner), ..
                },
            ..
        } = change
        else {
            return Ok(now.apply(change));
        };
        let mut then = now.clone();
        let applied = then.apply(change);
        let ((boards, bytes), (boards_now, _)) = (then.owned_by(owner), now.owned_by(owner));
        if applied != Applied::Done || boards == boards_now {
            *now = then;
            return Ok(applied);
        }
        if boards > self.quotas.boards {
            return Ok(Applied::TooManyBoards);
        }
        // The account says what rooms have accepted, too, and of what is stored only what was before this
        // commit.
        let account = open.account(owner, (self.quotas, before));
        if bytes.saturating_sub(before.owned_by(owner).1) > account.bytes_left() {
            return Ok(Applied::OwnerFull);
        }
        *now = then;
        Ok(applied)
    }
}

impl Open {
    fn account(&mut self, owner: &UserId, (quotas, contents): (Quotas, &Contents)) -> Arc<Account> {
        let account = self.accounts.entry(owner.clone()).or_insert_with(|| {
            let account = Account::new(quotas);
            let (boards, bytes) = contents.owned_by(owner);
            account.set_stored(boards, bytes);
            Arc::new(account)
        });
        Arc::clone(account)
    }

    fn become_known(&mut self, contents: Contents) {
        for (owner, account) in &self.accounts {
            let (boards, bytes) = contents.owned_by(owner);
            account.set_stored(boards, bytes);
        }
        self.contents = Some(contents);
    }
}

impl BoardLog for MemoryStore {
    fn load(&self, board: &BoardId) -> Result<Stored<StoredBoard>, StoreError> {
        self.ask(|contents| contents.load(board))
    }
}

impl Registry for MemoryStore {
    fn summary(&self, board: &BoardId) -> Result<Stored<Summary>, StoreError> {
        self.ask(|contents| contents.summary(board))
    }

    fn access(&self, board: &BoardId, asked: &Asked) -> Result<Facts, StoreError> {
        self.ask(|contents| contents.access(board, asked))
    }

    fn find_secrets(&self, ids: &[SecretId]) -> Result<BTreeMap<SecretId, SecretFacts>, StoreError> {
        self.ask(|contents| contents.find_secrets(ids))
    }

    fn list(
        &self,
        holder: &Holder,
        after: Option<&BoardId>,
        limit: usize,
    ) -> Result<Vec<Listed>, StoreError> {
        self.ask(|contents| contents.list(holder, after, limit))
    }

    fn grants(
        &self,
        board: &BoardId,
        after: Option<&Principal>,
        limit: usize,
    ) -> Result<Vec<(Principal, Level)>, StoreError> {
        self.ask(|contents| contents.grants(board, after, limit))
    }

    fn secrets(
        &self,
        board: &BoardId,
        kind: SecretKind,
        after: Option<&SecretId>,
        limit: usize,
    ) -> Result<Vec<(SecretId, StoredSecret)>, StoreError> {
        self.ask(|contents| contents.secrets(board, kind, after, limit))
    }

    fn audit(
        &self,
        board: &BoardId,
        before: Option<EntryKey>,
        limit: usize,
    ) -> Result<Vec<Entry>, StoreError> {
        self.ask(|contents| contents.audit(board, before, limit))
    }

    fn used(&self, from: Option<&BoardId>, limit: usize) -> Result<Vec<Used>, StoreError> {
        self.ask(|contents| contents.used(from, limit))
    }

    fn account(&self, owner: &UserId) -> Arc<Account> {
        let mut open = self.locked();
        let contents = open.contents.clone().unwrap_or_default();
        open.account(owner, (self.quotas, &contents))
    }
}

impl Store for MemoryStore {
    fn commit(&self, changes: &[Change]) -> Result<Vec<Applied>, StoreError> {
        self.change(|contents, open| {
            let before = contents.clone();
            let changes = changes.iter();
            changes
                .map(|change| self.apply(change, contents, (&before, open)))
                .collect()
        })
    }

    fn prune_audit(&self, before: UnixMillis) -> Result<bool, StoreError> {
        self.change(|contents, _| {
            contents.prune(before);
            Ok(false)
        })
    }

    fn probe(&self) -> Result<(), StoreError> {
        self.change(|_, _| Ok(()))
    }

    fn reopen(&self) -> Result<(), StoreError> {
        let mut open = self.locked();
        open.contents = None;
        let contents = self.disk.read().map_err(|error| StoreError::Open(error.into()))?;
        open.become_known(contents);
        Ok(())
    }

    fn footprint(&self) -> Footprint {
        let bytes = self.ask(Contents::size_bytes).unwrap_or(0);
        Footprint {
            file_bytes: bytes,
            live_bytes: bytes,
        }
    }

    fn reclaim(&self) -> Result<Reclaimed, StoreError> {
        self.ask(|_| Reclaimed::Nothing)
    }

    fn close(&self) {
        self.locked().contents = None;
    }
}
