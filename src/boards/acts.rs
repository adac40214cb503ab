//! Acts on boards as a whole, and what follows from them for those who are connected.
//!
//! Owns creation, deletion, changes of who may do what, and the new decision about open connections. Must not know HTTP.
//! Key invariants: an act is answered once it is durable; while a board is made or deleted no room of it can be loaded;
//! who is in a room is decided about again after every change that is durable, by facts at least as new. Tests:
//! `acts/tests.rs`, and over TCP tests/it/{boards,permissions,revocation}.rs.

use std::sync::Arc;

use serde_json::Value;

use crate::access::{self, Asked, BoardFacts, Facts, Manage, Moment, Question};
use crate::audit::Action;
use crate::boards::loader::ended;
use crate::boards::slots::{Found, Loading, Outcome, RoomCell, Taken};
use crate::fault::Fault;
use crate::ids::{BoardId, Level, UserId};
use crate::net::admission::Granted;
use crate::room::Held;
use crate::server::Server;
use crate::store::owners::Account;
use crate::store::{Act, Applied, Change};

/// How an act reads in the audit log.
pub(crate) struct Event {
    pub(crate) action: Action,
    pub(crate) level: Option<Level>,
    pub(crate) detail: Value,
}

/// A board's slot in the room table, held so that no room of it can be loaded; given back when dropped.
struct Slot {
    server: Arc<Server>,
    board: BoardId,
    loading: Arc<Loading>,
    outcome: Outcome,
}

impl Drop for Slot {
    fn drop(&mut self) {
        let outcome = std::mem::replace(&mut self.outcome, Outcome::Free);
        self.server.rooms.free(&self.board, &self.loading, outcome);
    }
}

impl Server {
    /// Makes a board for somebody, and waits until it is durable.
    ///
    /// # Errors
    /// [`Fault::BoardDeleted`], [`Fault::TooManyBoards`], [`Fault::StoreFailed`], [`Fault::StateUnreadable`]. `Applied` is `Done` or `Exists`.
    pub(crate) async fn create_board(
        self: &Arc<Self>,
        board: BoardId,
        owner: UserId,
        title: Option<String>,
        actor: crate::audit::Actor,
    ) -> Result<Applied, Fault> {
        // Held for the time of it: a connection that makes the board at the same moment would go on under its own owner.
        let _slot = loop {
            match self.rooms.find(&board) {
                Found::Live(_) => return Ok(Applied::Exists),
                Found::Loading(loading) => drop(ended(&loading).await),
                Found::Absent(loading) => break self.hold(board.clone(), loading),
            }
        };
        let entry = self
            .audit
            .entry(actor, Action::BoardCreate, Some(Level::Edit), self.now().unix);
        self.submit_act(Change::Act {
            board,
            act: Act::Create {
                owner: Some(owner),
                title,
            },
            as_owner: None,
            entry,
        })
        .await
    }

    /// Deletes a board, waits until that is durable, and closes whoever is on it.
    ///
    /// # Errors
    /// As [`Self::act`].
    pub(crate) async fn delete_board(self: &Arc<Self>, granted: &Granted) -> Result<(), Fault> {
        let board = &granted.board;
        let (mut slot, live) = loop {
            match self.rooms.take(board) {
                Taken::Now(loading, live) => break (self.hold(board.clone(), loading), live),
                Taken::Later(loading) => drop(ended(&loading).await),
            }
        };
        let event = Event {
            action: Action::BoardDelete,
            level: None,
            detail: Value::Null,
        };
        let deleted = self.act(granted, Act::Delete, event).await;
        let end = match &deleted {
            Ok(_) | Err(Fault::BoardDeleted) => Fault::BoardDeleted,
            // Its members come back, and the board is loaded anew.
            Err(_) => Fault::StoreFailed,
        };
        if end == Fault::BoardDeleted {
            slot.outcome = Outcome::Refused(end);
        }
        if let Some(cell) = live {
            self.step(&cell, |room, effects| room.close_all(end, effects));
        }
        deleted.map(drop)
    }

    fn hold(self: &Arc<Self>, board: BoardId, loading: Arc<Loading>) -> Slot {
        Slot {
            server: Arc::clone(self),
            board,
            loading,
            outcome: Outcome::Free,
        }
    }

    /// Does something to a board for somebody who manages it, and waits until it is durable.
    ///
    /// # Errors
    /// [`Fault::NoPermission`], [`Fault::ExpiredCredential`], [`Fault::BoardDeleted`], [`Fault::NoSuchBoard`],
    /// [`Fault::StateUnreadable`], [`Fault::StoreFailed`]; of somebody who is given a board, [`Fault::TooManyBoards`] and
    /// [`Fault::OwnerFull`]. What remains is `Done`, `Exists`, `NotThere` or `TooMany`.
    pub(crate) async fn act(
        self: &Arc<Self>,
        granted: &Granted,
        act: Act,
        event: Event,
    ) -> Result<Applied, Fault> {
        let as_owner = match &granted.grant.manage {
            Manage::No => return Err(Fault::NoPermission),
            Manage::Owner(user) => Some(user.clone()),
            Manage::Admin => None,
        };
        if granted.has_ended(self) {
            return Err(Fault::ExpiredCredential);
        }
        let mut entry = self
            .audit
            .entry(granted.actor.clone(), event.action, event.level, self.now().unix);
        entry.detail = event.detail;
        self.submit_act(Change::Act {
            board: granted.board.clone(),
            act,
            as_owner,
            entry,
        })
        .await
    }

    async fn submit_act(&self, change: Change) -> Result<Applied, Fault> {
        match self.committer.submit_awaited(change).recv().await {
            Ok(applied @ (Applied::Done | Applied::Exists | Applied::NotThere | Applied::TooMany)) => {
                Ok(applied)
            }
            Ok(Applied::TooManyBoards) => Err(Fault::TooManyBoards),
            Ok(Applied::OwnerFull) => Err(Fault::OwnerFull),
            Ok(Applied::Deleted) => Err(Fault::BoardDeleted),
            Ok(Applied::Absent) => Err(Fault::NoSuchBoard),
            Ok(Applied::NotOwner) => Err(Fault::NoPermission),
            Ok(Applied::Unreadable) => Err(Fault::StateUnreadable),
            Ok(Applied::OutOfOrder) => Err(Fault::Internal),
            Err(_) => Err(Fault::StoreFailed),
        }
    }

    /// Begins to decide anew about everybody in a room; a room where that fails is given up, since nobody may keep what
    /// was taken away.
    pub(crate) fn reconsider(self: &Arc<Self>, cell: Arc<RoomCell>) {
        let server = Arc::clone(self);
        self.spawn(async move {
            match Self::fenced(server.decide_anew(&cell)).await {
                Ok(()) => cell.lock().note_decided(),
                Err(fault) => server.drop_room(&cell, fault),
            }
        });
    }

    /// The account of who owns the board, by what is stored.
    fn account_in(&self, facts: &Facts) -> Option<Arc<Account>> {
        match &facts.board {
            BoardFacts::Present { owner } => owner.as_ref().map(|owner| self.store.account(owner)),
            BoardFacts::Absent | BoardFacts::Deleted => None,
        }
    }

    /// Decides anew about everybody in a room and whose board it is, by what is stored now.
    async fn decide_anew(self: &Arc<Self>, cell: &Arc<RoomCell>) {
        loop {
            let board = cell.lock().id().clone();
            let epoch = self.access_epoch(&board);
            let held = cell.lock().held();
            let facts = self.facts(&board, asked(&held)).await;
            let now = self.now();
            let decide = |held: &Held| match &facts {
                Err(fault) => access::Decision::Refused(*fault),
                Ok(facts) => access::decide(
                    &held.credentials,
                    Question {
                        board: &board,
                        facts,
                        mode: self.config.mode,
                        moment: Moment::Connection,
                        now: now.unix,
                    },
                ),
            };
            let decisions: Vec<_> = held.iter().map(decide).collect();
            let settled = self.step(cell, |room, effects| {
                let settled = self.access_epoch(&board) == epoch;
                if let (true, Ok(facts)) = (settled, &facts) {
                    room.set_account(self.account_in(facts));
                }
                for (held, decision) in held.iter().zip(&decisions).filter(|_| settled) {
                    room.set_access(held, decision, now.tick, effects);
                }
                settled
            });
            if settled {
                return;
            }
        }
    }
}

/// What must be looked up to decide about all of `held`, each once.
fn asked(held: &[Held]) -> Asked {
    let mut asked = Asked::default();
    for one in held {
        let Asked { principals, secrets } = one.credentials.asked();
        asked.principals.extend(principals);
        asked.secrets.extend(secrets);
    }
    asked.principals.sort_unstable();
    asked.principals.dedup();
    asked.secrets.sort_unstable();
    asked.secrets.dedup();
    asked
}

#[cfg(test)]
mod tests;
