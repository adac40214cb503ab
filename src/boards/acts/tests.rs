//! Decisions that overtake each other, on a store that answers when it is told to.

use std::sync::Mutex;

use smol::channel::{Receiver, Sender, bounded};

use super::*;
use crate::access::{Asked, Credentials, Facts, TokenRights};
use crate::audit::{Actor, Entry, EntryKey};
use crate::boards::harness;
use crate::boards::loader::Creation;
use crate::boards::slots::RoomCell;
use crate::ids::{Principal, Subject};
use crate::room::Effects;
use crate::room::member::{Joiner, Pulse};
use crate::store::front::Front;
use crate::store::memory::MemoryStore;
use crate::store::{Registry as _, Store, StoreError};
use crate::time::UnixMillis;

/// A look-up that is held back: says that it has read, and waits for leave to answer.
struct Held {
    read: Sender<()>,
    leave: Receiver<()>,
}

/// A store, of which one look-up can be held back after it has read.
#[derive(Default)]
struct Gated {
    behind: MemoryStore,
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

impl Front for Gated {
    fn behind(&self) -> &dyn Store {
        &self.behind
    }

    fn access(&self, board: &BoardId, asked: &Asked) -> Result<Facts, StoreError> {
        let facts = self.behind.access(board, asked);
        let held = self.next.lock().unwrap().take();
        if let Some(Held { read, leave }) = held {
            read.try_send(()).unwrap();
            leave.recv_blocking().unwrap();
        }
        facts
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
        name: None,
        session: None,
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
    let store = Arc::new(Gated::default());
    let (owner, title) = (None, None);
    let made = store
        .behind
        .commit(&[act(Act::Create { owner, title }), bob(Level::Edit)]);
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
