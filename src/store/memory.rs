//! The plainest store: boards in maps, on a disk that is a map too. For tests.
//!
//! Owns [`Contents`], the plainest reading of the rules of the seams, and [`MemoryStore`] over a [`Disk`] that fails when it
//! is told to. Must share no code with other stores but the types of the seams: it is what they are compared with. Key
//! invariant: what is on the disk is what there was before a commit, or after it. Tests: `contract/`.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::owners::{Account, Quotas};
use super::{
    Act, Applied, BoardLog, BoardRecord, Change, Footprint, Holder, Listed, OpenError, Reclaimed, Registry,
    Store, StoreError, Stored, StoredBoard, StoredSecret, Summary,
};
use crate::access::secret::SecretKind;
use crate::access::{Asked, BoardFacts, Facts, SecretFacts};
use crate::audit::{Entry, EntryKey};
use crate::ids::{BoardId, Level, Principal, SecretId, UserId};
use crate::limits;
use crate::time::UnixMillis;

/// A board that is there.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Board {
    stored: StoredBoard,
    grants: BTreeMap<Principal, Level>,
    secrets: BTreeMap<SecretId, StoredSecret>,
}

impl Board {
    fn new(owner: Option<UserId>, title: Option<String>, at: UnixMillis) -> Self {
        let record = BoardRecord {
            owner,
            title,
            created_at: at,
            updated_at: at,
        };
        Self {
            stored: StoredBoard {
                record,
                snapshot: None,
                updates: Vec::new(),
            },
            grants: BTreeMap::new(),
            secrets: BTreeMap::new(),
        }
    }

    fn owner(&self) -> Option<&UserId> {
        self.stored.record.owner.as_ref()
    }

    /// Each update counts with the four bytes of its length.
    fn size_bytes(&self) -> u64 {
        let state = self.stored.snapshot.iter().map(|(_, state)| state.len());
        let updates = self.stored.updates.iter().map(|(_, update)| update.len() + 4);
        u64::try_from(state.chain(updates).sum::<usize>()).unwrap_or(u64::MAX)
    }

    fn summary(&self) -> Summary {
        Summary {
            record: self.stored.record.clone(),
            size_bytes: self.size_bytes(),
        }
    }

    fn grants_to(&self, principals: &[Principal]) -> BTreeMap<Principal, Level> {
        let mut grants = self.grants.clone();
        grants.retain(|principal, _| principals.contains(principal));
        grants
    }

    fn secrets_of(&self, kind: SecretKind) -> impl Iterator<Item = (&SecretId, &StoredSecret)> {
        let secrets = self.secrets.iter();
        secrets.filter(move |(_, secret)| secret.facts.kind == kind)
    }

    fn append(&mut self, sequence: u64, update: &bytes::Bytes, at: UnixMillis) -> Applied {
        if sequence != self.stored.last_sequence() + 1 {
            return Applied::OutOfOrder;
        }
        self.stored.updates.push((sequence, update.clone()));
        self.stored.record.updated_at = self.stored.record.updated_at.max(at);
        Applied::Done
    }

    fn snapshot(&mut self, covers: u64, state: &bytes::Bytes) -> Applied {
        let least = self.stored.snapshot.as_ref().map_or(0, |(covers, _)| *covers);
        if covers < least || covers > self.stored.last_sequence() {
            return Applied::OutOfOrder;
        }
        self.stored.updates.retain(|(sequence, _)| *sequence > covers);
        self.stored.snapshot = Some((covers, state.clone()));
        Applied::Done
    }

    fn grant(&mut self, principal: &Principal, level: Level) -> Applied {
        if !self.grants.contains_key(principal) && self.grants.len() >= limits::GRANTS_PER_BOARD_MAX {
            return Applied::TooMany;
        }
        self.grants.insert(principal.clone(), level);
        Applied::Done
    }

    /// Adds a link or key; where there are as many as there may be, those that have expired by `at` make room.
    fn add_secret(&mut self, secret: &StoredSecret, at: UnixMillis) -> Applied {
        let kind = secret.facts.kind;
        let most = match kind {
            SecretKind::Link => limits::LINKS_PER_BOARD_MAX,
            SecretKind::Key => limits::KEYS_PER_BOARD_MAX,
        };
        let is_over = |other: &StoredSecret| {
            other.facts.kind == kind && other.facts.expires_at.is_some_and(|end| end <= at)
        };
        if self.secrets_of(kind).count() >= most {
            self.secrets.retain(|_, other| !is_over(other));
        }
        if self.secrets_of(kind).count() >= most {
            return Applied::TooMany;
        }
        self.secrets.insert(secret.facts.hash.id(), secret.clone());
        Applied::Done
    }

    fn revoke(&mut self, kind: SecretKind, id: &SecretId) -> Applied {
        let found = self.secrets.get(id).map(|secret| secret.facts.kind);
        there((found == Some(kind)).then(|| self.secrets.remove(id)))
    }

    fn update(&mut self, title: Option<&Option<String>>, owner: Option<&UserId>, at: UnixMillis) -> Applied {
        let record = &mut self.stored.record;
        if let Some(title) = title {
            record.title.clone_from(title);
        }
        if let Some(owner) = owner {
            record.owner = Some(owner.clone());
        }
        record.updated_at = record.updated_at.max(at);
        Applied::Done
    }
}

/// `Done` if something was removed.
fn there<T>(removed: Option<T>) -> Applied {
    match removed {
        Some(_) => Applied::Done,
        None => Applied::NotThere,
    }
}

/// What a store holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Contents {
    /// Each board that there ever was; `None` for a deleted one.
    boards: BTreeMap<BoardId, Option<Board>>,
    /// Kept when the board is deleted.
    audit: BTreeMap<(BoardId, EntryKey), Entry>,
}

/// What is done, as [`Store::commit`] says.
impl Contents {
    /// Does one change; quotas are not looked at.
    pub fn apply(&mut self, change: &Change) -> Applied {
        let board = change.board();
        let applied = match change {
            Change::Act {
                act, as_owner, entry, ..
            } => self.act(board, act, as_owner.as_ref(), entry.key.at),
            Change::Append {
                sequence, update, at, ..
            } => self.change(board, |board| board.append(*sequence, update, *at)),
            Change::Snapshot { covers, state, .. } => {
                self.change(board, |board| board.snapshot(*covers, state))
            }
            Change::Audit { .. } => self.change(board, |_| Applied::Done),
        };
        if let (Applied::Done, Change::Act { entry, .. } | Change::Audit { entry, .. }) = (applied, change) {
            self.audit.insert((board.clone(), entry.key), Entry::clone(entry));
        }
        applied
    }

    fn change(&mut self, board: &BoardId, change: impl FnOnce(&mut Board) -> Applied) -> Applied {
        match self.boards.get_mut(board) {
            None => Applied::Absent,
            Some(None) => Applied::Deleted,
            Some(Some(board)) => change(board),
        }
    }

    fn act(&mut self, id: &BoardId, act: &Act, as_owner: Option<&UserId>, at: UnixMillis) -> Applied {
        if let (Act::Create { owner, title }, None) = (act, self.boards.get(id)) {
            let board = Board::new(owner.clone(), title.clone(), at);
            self.boards.insert(id.clone(), Some(board));
            return Applied::Done;
        }
        let is_taken = match act {
            Act::AddSecret(secret) => !self.find_secrets(&[secret.facts.hash.id()]).is_empty(),
            _ => false,
        };
        let applied = self.change(id, |board| match act {
            Act::Create { .. } => Applied::Exists,
            _ if as_owner.is_some() && board.owner() != as_owner => Applied::NotOwner,
            Act::Update { title, owner } => board.update(title.as_ref(), owner.as_ref(), at),
            Act::Delete => Applied::Done,
            Act::Grant { principal, level } => board.grant(principal, *level),
            Act::Ungrant { principal } => there(board.grants.remove(principal)),
            Act::AddSecret(_) if is_taken => Applied::Exists,
            Act::AddSecret(secret) => board.add_secret(secret, at),
            Act::Revoke { kind, id } => board.revoke(*kind, id),
        });
        if matches!((act, applied), (Act::Delete, Applied::Done)) {
            self.boards.insert(id.clone(), None);
        }
        applied
    }

    /// Removes the audit entries older than `before`.
    pub fn prune(&mut self, before: UnixMillis) {
        self.audit.retain(|(_, key), _| key.at >= before);
    }
}

/// What is answered, as [`BoardLog`] and [`Registry`] say.
impl Contents {
    fn get(&self, id: &BoardId) -> Stored<&Board> {
        match self.boards.get(id) {
            None => Stored::Absent,
            Some(None) => Stored::Deleted,
            Some(Some(board)) => Stored::Present(board),
        }
    }

    fn live(&self) -> impl Iterator<Item = (&BoardId, &Board)> {
        let boards = self.boards.iter();
        boards.filter_map(|(id, board)| Some((id, board.as_ref()?)))
    }

    /// How many boards somebody owns, and their bytes.
    fn owned_by(&self, owner: &UserId) -> (u64, u64) {
        let owned = self.live().filter(|(_, board)| board.owner() == Some(owner));
        owned.fold((0, 0), |(boards, bytes), (_, board)| {
            (boards + 1, bytes + board.size_bytes())
        })
    }

    /// See [`BoardLog::load`].
    #[must_use]
    pub fn load(&self, board: &BoardId) -> Stored<StoredBoard> {
        map(self.get(board), |board| board.stored.clone())
    }

    /// See [`Registry::summary`].
    #[must_use]
    pub fn summary(&self, board: &BoardId) -> Stored<Summary> {
        map(self.get(board), Board::summary)
    }

    /// See [`Registry::access`].
    #[must_use]
    pub fn access(&self, board: &BoardId, asked: &Asked) -> Facts {
        let (facts, grants) = match self.get(board) {
            Stored::Absent => (BoardFacts::Absent, BTreeMap::new()),
            Stored::Deleted => (BoardFacts::Deleted, BTreeMap::new()),
            Stored::Present(board) => {
                let owner = board.owner().cloned();
                (BoardFacts::Present { owner }, board.grants_to(&asked.principals))
            }
        };
        Facts {
            board: facts,
            grants,
            secrets: self.find_secrets(&asked.secrets),
        }
    }

    /// See [`Registry::find_secrets`].
    #[must_use]
    pub fn find_secrets(&self, ids: &[SecretId]) -> BTreeMap<SecretId, SecretFacts> {
        let all = self.live().flat_map(|(_, board)| &board.secrets);
        let asked = all.filter(|(id, _)| ids.contains(id));
        asked
            .map(|(id, secret)| (id.clone(), secret.facts.clone()))
            .collect()
    }

    /// See [`Registry::list`].
    #[must_use]
    pub fn list(&self, holder: &Holder, after: Option<&BoardId>, limit: usize) -> Vec<Listed> {
        let mut principals = holder.principals.clone();
        principals.retain(|principal| *principal != Principal::Public);
        let is_held = |id: &BoardId, board: &Board| {
            holder.everything
                || holder.claimed.contains(id)
                || board.owner().is_some_and(|owner| holder.owners.contains(owner))
                || !board.grants_to(&principals).is_empty()
        };
        let held = self
            .live()
            .filter(|(id, board)| after.is_none_or(|after| after < *id) && is_held(id, board));
        let asked = [principals.as_slice(), &[Principal::Public]].concat();
        let listed = held.take(limit).map(|(id, board)| Listed {
            board: id.clone(),
            summary: Ok(board.summary()),
            grants: board.grants_to(&asked),
        });
        listed.collect()
    }

    /// See [`Registry::grants`].
    #[must_use]
    pub fn grants(
        &self,
        board: &BoardId,
        after: Option<&Principal>,
        limit: usize,
    ) -> Vec<(Principal, Level)> {
        let Stored::Present(board) = self.get(board) else {
            return Vec::new();
        };
        let grants = board.grants.clone().into_iter();
        let grants = grants.filter(|(principal, _)| after.is_none_or(|after| after < principal));
        grants.take(limit).collect()
    }

    /// See [`Registry::secrets`].
    #[must_use]
    pub fn secrets(
        &self,
        board: &BoardId,
        kind: SecretKind,
        after: Option<&SecretId>,
        limit: usize,
    ) -> Vec<(SecretId, StoredSecret)> {
        let Stored::Present(board) = self.get(board) else {
            return Vec::new();
        };
        let secrets = board
            .secrets_of(kind)
            .filter(|(id, _)| after.is_none_or(|after| after < *id));
        let secrets = secrets.map(|(id, secret)| (id.clone(), secret.clone()));
        secrets.take(limit).collect()
    }

    /// See [`Registry::audit`].
    #[must_use]
    pub fn audit(&self, board: &BoardId, before: Option<EntryKey>, limit: usize) -> Vec<Entry> {
        let entries = self.audit.iter().rev();
        let entries = entries
            .filter(|((of, key), _)| of == board && before.is_none_or(|before| *key < before))
            .map(|(_, entry)| entry.clone());
        entries.take(limit).collect()
    }
}

fn map<T, U>(stored: Stored<T>, to: impl FnOnce(T) -> U) -> Stored<U> {
    match stored {
        Stored::Absent => Stored::Absent,
        Stored::Deleted => Stored::Deleted,
        Stored::Present(found) => Stored::Present(to(found)),
    }
}

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

    /// Lets `count` more operations succeed, and then fails each one; `None` mends the disk. A question is one operation,
    /// and so are each change of a commit, the writing of all of them, and hearing that they are written.
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

    /// Makes what `work` does durable; where that is not certain, nothing is known until the disk is read anew.
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
        // The account says what rooms have accepted, too, and of what is stored only what was before this commit.
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
        let bytes = self.ask(|contents| contents.live().map(|(_, board)| board.size_bytes()).sum());
        let bytes = bytes.unwrap_or(0);
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
