//! The plainest store: boards in maps, on a disk that is a map too. For tests.
//!
//! Owns [`MemoryStore`], over a [`Disk`] that fails when it is told to, and that several share; what they
//! hold is in `contents`, and who has it in `nodes`. Key invariant: what is on the disk is what there was
//! before a commit, or after it. Tests: `contract/`.

mod assets;
mod contents;
mod nodes;

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;

pub use self::contents::Contents;
use self::nodes::Nodes;
use super::owners::{Account, Quotas};
use super::ownership::{Joining, Lease, NodeId, NodeSeen, Ownership, Whereabouts};
use super::{
    Act, Applied, BoardLog, Change, ChunkHash, Footprint, Holder, Listed, OpenError, Reclaimed, Registry,
    Store, StoreError, Stored, StoredAsset, StoredBoard, StoredSecret, StoredSession, StoredVersion,
    StoredWebhook, Summary, Trashed, UploadId, Used, VersionId, WhichSessions,
};
use crate::access::secret::SecretKind;
use crate::access::{Asked, Facts, SecretFacts};
use crate::asset::AssetHash;
use crate::audit::{Entry, EntryKey};
use crate::ids::{BoardId, Level, Principal, SecretId, UserId};
use crate::time::UnixMillis;

/// What outlasts a store; clones are the same disk. Several stores may be open on it, each a node's.
#[derive(Clone, Debug, Default)]
pub struct Disk(Arc<Mutex<Kept>>);

#[derive(Debug, Default)]
struct Kept {
    state: State,
    faults: Faults,
    /// Not asked for yet.
    taken: Vec<Taken>,
}

#[derive(Clone, Debug, Default)]
struct State {
    contents: Contents,
    nodes: Nodes,
    /// By the commit under way.
    taken: Vec<Taken>,
}

/// A change of a room that was made: what a history of owners is checked by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Taken {
    /// What was changed.
    pub change: Change,
    /// Whose commit it was.
    pub by: Option<NodeId>,
    /// How often the board had changed hands by then.
    pub fence: u64,
}

/// Operations that still succeed before each one fails; `None`: all.
#[derive(Debug, Default)]
struct Faults(Option<u64>);

impl Faults {
    fn operate(&mut self) -> io::Result<()> {
        match &mut self.0 {
            Some(0) => return Err(io::Error::other("simulated failure")),
            Some(left) => *left -= 1,
            None => {}
        }
        Ok(())
    }
}

impl Disk {
    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets `count` more operations succeed, and then fails each one; `None` mends the disk. A question is
    /// one operation, and so are each change of a commit, the writing of all of them, and hearing that they
    /// are written.
    pub fn fail_after(&self, count: Option<u64>) {
        self.kept().faults = Faults(count);
    }

    /// What time it is by the clock that leases end by; there is no other that changes it.
    #[must_use]
    pub fn clock(&self) -> Duration {
        self.kept().state.nodes.now
    }

    /// Sets that clock; it may jump.
    pub fn set_clock(&self, now: Duration) {
        self.kept().state.nodes.now = now;
    }

    /// The changes of rooms that were made since it was last asked, in their order.
    #[must_use]
    pub fn taken(&self) -> Vec<Taken> {
        std::mem::take(&mut self.kept().taken)
    }
}

/// A store on a [`Disk`], which is one node's once it has joined.
#[derive(Debug)]
pub struct MemoryStore {
    disk: Disk,
    quotas: Quotas,
    open: Mutex<Open>,
}

#[derive(Debug, Default)]
struct Open {
    /// Whether what became of the last commit is not known.
    is_poisoned: bool,
    accounts: BTreeMap<UserId, Arc<Account>>,
    /// Which node it is, or was.
    node: Option<NodeId>,
    /// Of the way to the disk.
    faults: Faults,
}

impl Open {
    fn operate(&mut self, kept: &mut Kept) -> io::Result<()> {
        self.faults.operate()?;
        kept.faults.operate()
    }

    fn check(&self) -> Result<(), StoreError> {
        match self.is_poisoned {
            true => Err(StoreError::Poisoned),
            false => Ok(()),
        }
    }

    /// Says in the accounts what is stored.
    fn count(&self, contents: &Contents) {
        for (owner, account) in &self.accounts {
            let (boards, bytes) = contents.owned_by(owner);
            account.set_stored(boards, bytes);
        }
    }

    fn account(&mut self, owner: &UserId, quotas: Quotas) -> Arc<Account> {
        let account = self.accounts.entry(owner.clone());
        Arc::clone(account.or_insert_with(|| Arc::new(Account::new(quotas))))
    }
}

impl Default for MemoryStore {
    fn default() -> Self {
        Self {
            disk: Disk::default(),
            quotas: Quotas::UNBOUNDED,
            open: Mutex::default(),
        }
    }
}

impl MemoryStore {
    /// Opens what is on a disk.
    ///
    /// # Errors
    /// Where the disk fails.
    pub fn open(disk: &Disk, quotas: Quotas) -> Result<Self, OpenError> {
        disk.kept().faults.operate()?;
        Ok(Self {
            disk: disk.clone(),
            quotas,
            open: Mutex::default(),
        })
    }

    /// As [`Disk::fail_after`], of what this store alone does.
    pub fn fail_after(&self, count: Option<u64>) {
        self.locked().faults = Faults(count);
    }

    fn locked(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn ask<T>(&self, question: impl FnOnce(&Contents) -> T) -> Result<T, StoreError> {
        let mut open = self.locked();
        open.check()?;
        let mut kept = self.disk.kept();
        open.operate(&mut kept)?;
        Ok(question(&kept.state.contents))
    }

    /// Makes what `work` does durable; where that is not certain, nothing is known until the disk is read
    /// anew. Nobody else changes anything meanwhile.
    fn change<T>(
        &self,
        work: impl FnOnce(&mut State, &mut Open, &mut Kept) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let mut open = self.locked();
        open.check()?;
        open.is_poisoned = true;
        let mut kept = self.disk.kept();
        let mut state = kept.state.clone();
        // Others may have written since.
        open.count(&state.contents);
        let done = work(&mut state, &mut open, &mut kept)?;
        open.operate(&mut kept)?;
        kept.taken.append(&mut state.taken);
        kept.state = state;
        // What failed here is on the disk, and nobody knows.
        open.operate(&mut kept)?;
        open.count(&kept.state.contents);
        open.is_poisoned = false;
        Ok(done)
    }

    /// Does one change, unless the board is another node's.
    fn apply(&self, change: &Change, now: &mut State, (before, open): (&Contents, &mut Open)) -> Applied {
        let node = open.node;
        let Some(board) = change.board() else {
            return now.contents.apply(change);
        };
        if now.contents.has(board) && !now.nodes.lets(node, change) {
            return Applied::Elsewhere;
        }
        let applied = self.apply_bounded(change, &mut now.contents, (before, open));
        if applied == Applied::Done {
            now.nodes.made(node, change);
            if matches!(change, Change::Append { .. } | Change::Snapshot { .. }) {
                let fence = now.nodes.fence(board);
                let change = change.clone();
                now.taken.push(Taken {
                    change,
                    by: node,
                    fence,
                });
            }
        }
        applied
    }

    /// Does one change, unless an owner would then have too much.
    fn apply_bounded(
        &self,
        change: &Change,
        now: &mut Contents,
        (before, open): (&Contents, &mut Open),
    ) -> Applied {
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
            return now.apply(change);
        };
        let mut then = now.clone();
        let applied = then.apply(change);
        let ((boards, bytes), (boards_now, _)) = (then.owned_by(owner), now.owned_by(owner));
        if applied != Applied::Done || boards == boards_now {
            *now = then;
            return applied;
        }
        if boards > self.quotas.boards {
            return Applied::TooManyBoards;
        }
        // The account says what rooms have accepted, too, and of what is stored only what was before this
        // commit.
        let account = open.account(owner, self.quotas);
        open.count(before);
        if bytes.saturating_sub(before.owned_by(owner).1) > account.bytes_left() {
            return Applied::OwnerFull;
        }
        *now = then;
        applied
    }

    /// As [`Self::change`], of nodes alone: what became of a commit need not be known.
    fn of_nodes<T>(&self, work: impl FnOnce(&mut State, &mut Option<NodeId>) -> T) -> Result<T, StoreError> {
        let mut open = self.locked();
        let mut kept = self.disk.kept();
        open.operate(&mut kept)?;
        let mut node = open.node;
        let done = work(&mut kept.state, &mut node);
        open.operate(&mut kept)?;
        open.node = node;
        Ok(done)
    }
}

impl BoardLog for MemoryStore {
    fn load(&self, board: &BoardId) -> Result<Stored<StoredBoard>, StoreError> {
        self.ask(|contents| contents.load(board))
    }

    fn load_kept(&self, board: &BoardId) -> Result<Stored<StoredBoard>, StoreError> {
        self.ask(|contents| contents.load_kept(board))
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

    fn trash(
        &self,
        holder: &Holder,
        after: Option<&BoardId>,
        limit: usize,
    ) -> Result<Vec<Trashed>, StoreError> {
        self.ask(|contents| contents.trash(holder, after, limit))
    }

    fn trashed(&self, board: &BoardId) -> Result<Option<Trashed>, StoreError> {
        self.ask(|contents| contents.trashed(board))
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

    fn webhooks(&self, board: &BoardId) -> Result<Vec<StoredWebhook>, StoreError> {
        self.ask(|contents| contents.webhooks(board))
    }

    fn asset(&self, board: &BoardId, hash: &AssetHash) -> Result<Option<StoredAsset>, StoreError> {
        self.ask(|contents| contents.asset(board, hash))
    }

    fn assets(
        &self,
        board: &BoardId,
        after: Option<&AssetHash>,
        limit: usize,
    ) -> Result<Vec<StoredAsset>, StoreError> {
        self.ask(|contents| contents.assets(board, after, limit))
    }

    fn asset_part(&self, upload: UploadId, part: u32) -> Result<Option<Bytes>, StoreError> {
        self.ask(|contents| contents.asset_part(upload, part))
    }

    fn versions(
        &self,
        board: &BoardId,
        before: Option<VersionId>,
        limit: usize,
    ) -> Result<Vec<StoredVersion>, StoreError> {
        self.ask(|contents| contents.versions(board, before, limit))
    }

    fn version(&self, board: &BoardId, id: VersionId) -> Result<Option<(StoredVersion, Bytes)>, StoreError> {
        self.ask(|contents| contents.version(board, id))
    }

    fn version_chunks(&self, board: &BoardId) -> Result<BTreeMap<ChunkHash, Bytes>, StoreError> {
        self.ask(|contents| contents.version_chunks(board))
    }

    fn audit(
        &self,
        board: &BoardId,
        before: Option<EntryKey>,
        limit: usize,
    ) -> Result<Vec<Entry>, StoreError> {
        self.ask(|contents| contents.audit(board, before, limit))
    }

    fn session(&self, id: &SecretId) -> Result<Option<StoredSession>, StoreError> {
        self.ask(|contents| contents.session(id))
    }

    fn sessions(
        &self,
        which: &WhichSessions,
        after: Option<&SecretId>,
        limit: usize,
    ) -> Result<Vec<StoredSession>, StoreError> {
        self.ask(|contents| contents.sessions(which, after, limit))
    }

    fn revoked_sessions(&self, since: UnixMillis) -> Result<Vec<SecretId>, StoreError> {
        self.ask(|contents| contents.revoked_sessions(since))
    }

    fn used(&self, from: Option<&BoardId>, limit: usize) -> Result<Vec<Used>, StoreError> {
        self.ask(|contents| contents.used(from, limit))
    }

    fn account(&self, owner: &UserId) -> Arc<Account> {
        let mut open = self.locked();
        let account = open.account(owner, self.quotas);
        if !open.is_poisoned {
            open.count(&self.disk.kept().state.contents);
        }
        account
    }
}

impl Store for MemoryStore {
    fn commit(&self, changes: &[Change]) -> Result<Vec<Applied>, StoreError> {
        self.change(|state, open, kept| {
            let before = state.contents.clone();
            let mut all = Vec::new();
            for change in changes {
                open.operate(kept)?;
                all.push(self.apply(change, state, (&before, open)));
            }
            Ok(all)
        })
    }

    fn prune_audit(&self, before: UnixMillis) -> Result<bool, StoreError> {
        self.change(|state, _, _| {
            state.contents.prune(before);
            Ok(false)
        })
    }

    fn prune_sessions(&self, before: UnixMillis) -> Result<(), StoreError> {
        self.change(|state, _, _| {
            state.contents.prune_sessions(before);
            Ok(())
        })
    }

    fn prune_uploads(&self, before: UnixMillis) -> Result<bool, StoreError> {
        self.change(|state, _, _| {
            state.contents.prune_uploads(before);
            Ok(false)
        })
    }

    fn probe(&self) -> Result<(), StoreError> {
        self.change(|_, _, _| Ok(()))
    }

    fn reopen(&self) -> Result<(), StoreError> {
        let mut open = self.locked();
        open.is_poisoned = true;
        let mut kept = self.disk.kept();
        let read = open.operate(&mut kept);
        read.map_err(|error| StoreError::Open(error.into()))?;
        open.count(&kept.state.contents);
        open.is_poisoned = false;
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
        self.locked().is_poisoned = true;
    }
}

impl Ownership for MemoryStore {
    fn join(&self, joining: &Joining) -> Result<Lease, StoreError> {
        self.of_nodes(|state, node| {
            let lease = state.nodes.join(*node, joining);
            if let Lease::Held(id) = lease {
                *node = Some(id);
            }
            lease
        })
    }

    fn renew(&self) -> Result<Lease, StoreError> {
        self.of_nodes(|state, node| state.nodes.renew(*node))
    }

    fn whereabouts(&self, board: &BoardId) -> Result<Whereabouts, StoreError> {
        self.of_nodes(|state, node| state.nodes.whereabouts(*node, board))
    }

    fn claim(&self, board: &BoardId) -> Result<Whereabouts, StoreError> {
        self.of_nodes(|state, node| match state.contents.has(board) {
            true => state.nodes.claim(*node, board),
            false => Whereabouts::Nobody,
        })
    }

    fn release(&self, boards: &[BoardId]) -> Result<(), StoreError> {
        self.of_nodes(|state, node| state.nodes.release(*node, |board| boards.contains(board)))
    }

    fn leave(&self) -> Result<(), StoreError> {
        self.of_nodes(|state, node| state.nodes.leave(*node))
    }

    fn nodes(&self) -> Result<Vec<NodeSeen>, StoreError> {
        self.of_nodes(|state, _| state.nodes.seen())
    }
}
