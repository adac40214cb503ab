//! Acts on boards as a whole.
//!
//! Owns creation, deletion and changes of who may do what. Must not know HTTP. Key invariants: an act is
//! answered once it is durable; while a board is made or deleted no room of it can be loaded. Tests:
//! `acts/tests.rs`, and over TCP tests/it/{boards,permissions,revocation}.rs.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::access::Manage;
use crate::audit::{Action, Actor};
use crate::boards::Boards;
use crate::boards::rights::Granted;
use crate::boards::slots::{Found, Taken};
use crate::fault::Fault;
use crate::ids::{BoardId, Level, UserId};
use crate::store::{Act, Applied, Change};

/// How an act reads in the audit log.
pub(crate) struct Event {
    pub(crate) action: Action,
    pub(crate) level: Option<Level>,
    pub(crate) detail: Value,
}

impl Event {
    /// A deletion that passes the trash by, or empties it.
    pub(crate) fn deletion_for_good() -> Self {
        Self {
            action: Action::BoardDelete,
            level: None,
            detail: json!({ "forever": true }),
        }
    }
}

/// Where a board goes that somebody deletes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Deletion {
    /// Into the trash, where there is one.
    IntoTrash,
    /// Away.
    ForGood,
}

impl Boards {
    /// Makes a board for somebody, and waits until it is durable.
    ///
    /// # Errors
    /// [`Fault::BoardDeleted`], [`Fault::TooManyBoards`], [`Fault::StoreFailed`], [`Fault::StateUnreadable`].
    /// `Applied` is `Done` or `Exists`.
    pub(crate) async fn create_board(
        self: &Arc<Self>,
        board: BoardId,
        owner: UserId,
        title: Option<String>,
        actor: Actor,
    ) -> Result<Applied, Fault> {
        // Held for the time of it: a connection that makes the board at the same moment would go on under its
        // own owner.
        let _hold = loop {
            match self.slots.find(&board) {
                Found::Live(_) => return Ok(Applied::Exists),
                Found::Held(holding) => drop(holding.released().await),
                Found::Mine(hold) => break hold,
            }
        };
        let entry = self
            .audit
            .entry(actor, Action::BoardCreate, Some(Level::Edit), self.now().unix);
        self.note_claimed(&board);
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
    pub(crate) async fn delete_board(
        self: &Arc<Self>,
        granted: &Granted,
        deletion: Deletion,
    ) -> Result<(), Fault> {
        let board = &granted.board;
        let (hold, live) = loop {
            match self.slots.take(board) {
                Taken::Mine(hold, live) => break (hold, live),
                Taken::Held(holding) => drop(holding.released().await),
            }
        };
        let deleted = self.act_deletion(granted, deletion).await;
        let end = match &deleted {
            Ok(_) | Err(Fault::BoardDeleted) => Fault::BoardDeleted,
            // Its members come back, and the board is loaded anew.
            Err(_) => Fault::StoreFailed,
        };
        if end == Fault::BoardDeleted {
            hold.refuse(end);
            if let Some(hooks) = &self.hooks {
                hooks.deleted(board);
            }
        }
        if let Some(cell) = live {
            self.step(&cell, |room, effects| room.close_all(end, effects));
        }
        deleted.map(drop)
    }

    async fn act_deletion(self: &Arc<Self>, granted: &Granted, deletion: Deletion) -> Result<Applied, Fault> {
        let event = || Event {
            action: Action::BoardDelete,
            level: None,
            detail: Value::Null,
        };
        if deletion == Deletion::ForGood {
            return self.act(granted, Act::Delete, Event::deletion_for_good()).await;
        }
        if self.settings.trash.is_zero() {
            return self.act(granted, Act::Delete, event()).await;
        }
        match self.act(granted, Act::Trash, event()).await {
            // Nothing could bring it back.
            Err(Fault::StateUnreadable) => self.act(granted, Act::Delete, event()).await,
            done => done,
        }
    }

    /// Does something to a board for somebody who manages it, and waits until it is durable.
    ///
    /// # Errors
    /// [`Fault::NoPermission`], [`Fault::ExpiredCredential`], [`Fault::BoardDeleted`],
    /// [`Fault::NoSuchBoard`], [`Fault::StateUnreadable`], [`Fault::StoreFailed`]; of somebody who is given a
    /// board, [`Fault::TooManyBoards`] and [`Fault::OwnerFull`]. What remains is `Done`, `Exists`, `NotThere`
    /// or `TooMany`.
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

    pub(super) async fn submit_act(&self, change: Change) -> Result<Applied, Fault> {
        match self.committer.submit_awaited(change, None).recv().await {
            Ok(
                applied @ (Applied::Done
                | Applied::Exists
                | Applied::NotThere
                | Applied::TooMany
                | Applied::AssetsFull),
            ) => Ok(applied),
            Ok(Applied::TooManyBoards) => Err(Fault::TooManyBoards),
            Ok(Applied::OwnerFull) => Err(Fault::OwnerFull),
            Ok(Applied::Deleted) => Err(Fault::BoardDeleted),
            Ok(Applied::Absent) => Err(Fault::NoSuchBoard),
            Ok(Applied::NotOwner) => Err(Fault::NoPermission),
            Ok(Applied::Unreadable) => Err(Fault::StateUnreadable),
            Ok(Applied::OutOfOrder) => Err(Fault::Internal),
            Ok(Applied::Elsewhere) => Err(Fault::Elsewhere),
            Err(_) => Err(Fault::StoreFailed),
        }
    }
}

#[cfg(test)]
mod tests;
