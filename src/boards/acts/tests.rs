//! Decisions that overtake each other, on a store that answers when it is told to.

use std::collections::BTreeMap;
use std::sync::Mutex;

use smol::channel::{Receiver, Sender, bounded};

use super::*;
use crate::access::secret::SecretKind;
use crate::access::{Asked, Credentials, Facts, SecretFacts, TokenRights};
use crate::audit::{Actor, Entry, EntryKey};
use crate::boards::harness;
use crate::boards::loader::Creation;
use crate::boards::slots::RoomCell;
use crate::ids::{Principal, SecretId, Subject};
use crate::room::Effects;
use crate::room::member::{Joiner, Pulse};
use crate::store::owners::Account;
use crate::store::redb::RedbStore;
use crate::store::{
    Footprint, Holder, Listed, Reclaimed, Store, StoreError, Stored, StoredBoard, StoredSecret, Summary,
};
use crate::time::UnixMillis;

/// A look-up that is held back: says that it has read, and waits for leave to answer.
struct Held {
    read: Sender<()>,
    leave: Receiver<()>,
}

/// A real store, of which one look-up can be held back after it has read.
struct Gated {
    inner: RedbStore,
    next: Mutex<Option<Held>>,
}

impl Gated {
    /// Holds the next look-up back; the first channel tells that it has read, the second lets it answer.
    fn hold_next(&self) -> (Receiver<()>, Sender<()>) {
        let ((read, has_read), (let_go, leave)) = (bounded(1), bounded(1));
        *self.next.lock().unwrap() = Some(Held { read, leave });
        (has_read, let_go)
    }
}

impl Store for Gated {
    fn access(&self, board: &BoardId, asked: &Asked) -> Result<Facts, StoreError> {
        let facts = self.inner.access(board, asked);
        let held = self.next.lock().unwrap().take();
        if let Some(Held { read, leave }) = held {
            read.try_send(()).unwrap();
            leave.recv_blocking().unwrap();
        }
        facts
    }

    fn load(&self, board: &BoardId) -> Result<Stored<StoredBoard>, StoreError> {
        self.inner.load(board)
    }

    fn summary(&self, board: &BoardId) -> Result<Stored<Summary>, StoreError> {
        self.inner.summary(board)
    }

    fn find_secrets(&self, ids: &[SecretId]) -> Result<BTreeMap<SecretId, SecretFacts>, StoreError> {
        self.inner.find_secrets(ids)
    }

    fn list(
        &self,
        holder: &Holder,
        after: Option<&BoardId>,
        limit: usize,
    ) -> Result<Vec<Listed>, StoreError> {
        self.inner.list(holder, after, limit)
    }

    fn grants(
        &self,
        board: &BoardId,
        after: Option<&Principal>,
        limit: usize,
    ) -> Result<Vec<(Principal, Level)>, StoreError> {
        self.inner.grants(board, after, limit)
    }

    fn secrets(
        &self,
        board: &BoardId,
        kind: SecretKind,
        after: Option<&SecretId>,
        limit: usize,
    ) -> Result<Vec<(SecretId, StoredSecret)>, StoreError> {
        self.inner.secrets(board, kind, after, limit)
    }

    fn audit(
        &self,
        board: &BoardId,
        before: Option<EntryKey>,
        limit: usize,
    ) -> Result<Vec<Entry>, StoreError> {
        self.inner.audit(board, before, limit)
    }

    fn account(&self, owner: &UserId) -> Arc<Account> {
        self.inner.account(owner)
    }

    fn prune_audit(&self, before: UnixMillis) -> Result<bool, StoreError> {
        self.inner.prune_audit(before)
    }

    fn commit(&self, changes: &[Change]) -> Result<Vec<Applied>, StoreError> {
        self.inner.commit(changes)
    }

    fn probe(&self) -> Result<(), StoreError> {
        self.inner.probe()
    }

    fn reopen(&self) -> Result<(), StoreError> {
        self.inner.reopen()
    }

    fn footprint(&self) -> Footprint {
        self.inner.footprint()
    }

    fn reclaim(&self) -> Result<Reclaimed, StoreError> {
        self.inner.reclaim()
    }

    fn close(&self) {
        self.inner.close();
    }
}

fn act(act: Act) -> Change {
    let key = EntryKey {
        at: UnixMillis(1),
        n: 0,
    };
    Change::Act {
        board: BoardId::parse("b").unwrap(),
        act,
        as_owner: None,
        entry: Box::new(Entry::new(key, Actor::unknown(), Action::PermissionSet)),
    }
}

fn bob(level: Level) -> Change {
    let principal = Principal::User(UserId::parse("bob").unwrap());
    act(Act::Grant { principal, level })
}

/// Joins as bob, who has edit.
fn join(boards: &Boards, cell: &RoomCell) -> crate::room::member::MemberId {
    let rights = TokenRights {
        user: UserId::parse("bob").unwrap(),
        teams: Box::default(),
        admin: false,
        claimed: None,
        expires_at: UnixMillis(u64::MAX),
    };
    let credentials = Credentials {
        tokens: vec![rights],
        secrets: Vec::new(),
    };
    let now = boards.now();
    let joiner = Joiner {
        subject: Subject::anonymous(),
        level: Level::Edit,
        ends_at: None,
        credentials: Arc::new(credentials),
        pulse: Arc::new(Pulse::new(now.tick)),
    };
    cell.lock().join(joiner, now, &mut Effects::default()).unwrap()
}

#[test]
fn a_decision_by_old_facts_is_not_carried_out_after_one_by_newer_facts() {
    let directory = tempfile::tempdir().unwrap();
    let store = Arc::new(Gated {
        inner: RedbStore::open(&directory.path().join("boards.redb")).unwrap(),
        next: Mutex::default(),
    });
    let (owner, title) = (None, None);
    let made = store.commit(&[act(Act::Create { owner, title }), bob(Level::Edit)]);
    assert_eq!(made, Ok(vec![Applied::Done; 2]));
    let (boards, executor) = harness::boards(harness::settings(), store.clone());
    smol::block_on(executor.run(async {
        let board = BoardId::parse("b").unwrap();
        let cell = boards.room(&board, Creation::Denied).await.unwrap();
        let member = join(&boards, &cell);
        let (has_read, let_go) = store.hold_next();
        let old = executor.spawn({
            let (boards, cell) = (Arc::clone(&boards), Arc::clone(&cell));
            async move { boards.reconsider_members(&cell).await }
        });
        has_read.recv().await.unwrap();
        let lowered = boards
            .committer
            .submit_awaited(bob(Level::View), None)
            .recv()
            .await;
        assert_eq!(lowered, Ok(Applied::Done));
        // The commit itself asks for a decision, by the facts that it made.
        while cell.lock().level(member) != Some(Level::View) {
            smol::future::yield_now().await;
        }
        let_go.send(()).await.unwrap();
        old.await;
        assert_eq!(cell.lock().level(member), Some(Level::View));
    }));
}
