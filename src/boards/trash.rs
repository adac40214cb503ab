//! The trash: who brings a deleted board back, and when it goes for good.
//!
//! Owns the decision about a board in the trash, and its end. Must not know HTTP. Key invariants: whoever
//! would not manage the board is told no more than of any deleted one; an act is answered once it is durable;
//! what goes for good goes a board at a time, each in a commit of its own. Tests: tests/it/trash.rs.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crate::access::{self, BoardFacts, Credentials, Decision, Facts, Manage, Moment, Question};
use crate::audit::{Action, Actor};
use crate::boards::Boards;
use crate::boards::acts::Event;
use crate::fault::Fault;
use crate::ids::BoardId;
use crate::limits;
use crate::store::{Act, Applied, Change, Holder, Trashed};
use crate::time::UnixMillis;

/// Who asks for something about a board in the trash.
pub(crate) struct Asking {
    pub(crate) board: BoardId,
    /// Tokens only: links and keys manage nothing.
    pub(crate) credentials: Credentials,
    /// For the audit log.
    pub(crate) actor: Actor,
}

/// What came of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// It is done.
    InTrash,
    /// The board is not in the trash.
    Nowhere,
}

impl Boards {
    /// Brings a board back, and waits until that is durable.
    ///
    /// # Errors
    /// [`Fault::BoardDeleted`], also for whoever would not manage it; what else [`Self::act`] fails with.
    pub(crate) async fn restore_board(self: &Arc<Self>, asking: Asking) -> Result<Found, Fault> {
        let event = Event {
            action: Action::BoardRestore,
            level: None,
            detail: serde_json::Value::Null,
        };
        self.act_on_trashed(asking, Act::Restore, event).await
    }

    /// Removes a board in the trash for good, and waits until that is durable.
    ///
    /// # Errors
    /// As [`Self::restore_board`].
    pub(crate) async fn delete_trashed(self: &Arc<Self>, asking: Asking) -> Result<Found, Fault> {
        self.act_on_trashed(asking, Act::Delete, Event::deletion_for_good())
            .await
    }

    async fn act_on_trashed(
        self: &Arc<Self>,
        asking: Asking,
        act: Act,
        event: Event,
    ) -> Result<Found, Fault> {
        let id = asking.board.clone();
        let Some(trashed) = self.read(move |store| store.trashed(&id)).await? else {
            return Ok(Found::Nowhere);
        };
        let as_owner = match self.manages(&asking, trashed) {
            Manage::No => return Err(Fault::BoardDeleted),
            Manage::Owner(user) => Some(user),
            Manage::Admin => None,
        };
        let mut entry = self
            .audit
            .entry(asking.actor, event.action, event.level, self.now().unix);
        entry.detail = event.detail;
        let change = Change::Act {
            board: asking.board,
            act,
            as_owner,
            entry,
        };
        Ok(match self.submit_act(change).await? {
            Applied::Done => Found::InTrash,
            // Somebody else was faster.
            _ => Found::Nowhere,
        })
    }

    /// As what somebody would manage the board, if it were there.
    fn manages(&self, asking: &Asking, trashed: Trashed) -> Manage {
        let facts = Facts {
            board: BoardFacts::Present {
                owner: trashed.summary.record.owner,
            },
            grants: BTreeMap::new(),
            secrets: BTreeMap::new(),
        };
        let question = Question {
            board: &asking.board,
            facts: &facts,
            mode: self.settings.mode,
            moment: Moment::Request,
            now: self.now().unix,
        };
        match access::decide(
            &self.ended.applied_to(&Arc::new(asking.credentials.clone())),
            question,
        ) {
            Decision::Granted(grant) => grant.manage,
            Decision::Refused(_) => Manage::No,
        }
    }

    /// When a board goes for good that went into the trash then.
    pub(crate) fn leaves_trash_at(&self, at: UnixMillis) -> UnixMillis {
        UnixMillis(at.0.saturating_add(millis(self.settings.trash)))
    }

    /// Removes what has been in the trash for `--trash-days`, again and again.
    pub(super) async fn keep_trash(self: Arc<Self>) {
        loop {
            if !self.is_failing() {
                let kept = millis(self.settings.trash);
                self.empty_trash(UnixMillis(self.now().unix.0.saturating_sub(kept)))
                    .await;
            }
            self.host.sleep(limits::TRASH_EMPTY_EVERY).await;
        }
    }

    /// Removes what went into the trash before a moment; until something fails, and then the next time.
    async fn empty_trash(self: &Arc<Self>, before: UnixMillis) {
        let mut after: Option<BoardId> = None;
        loop {
            let from = after.clone();
            let everything = Holder {
                everything: true,
                ..Holder::default()
            };
            let page = self
                .read(move |store| store.trash(&everything, from.as_ref(), limits::PAGE_ITEMS))
                .await;
            let Ok(page) = page else { return };
            let Some(last) = page.last() else { return };
            after = Some(last.board.clone());
            for trashed in page.into_iter().filter(|trashed| trashed.at < before) {
                let board = trashed.board.clone();
                match self.submit_act(Change::Purge { board, before }).await {
                    Ok(Applied::Done) => {
                        tracing::info!(board = %trashed.board, "a board in the trash was removed for good");
                    }
                    // Another node, or its owner, was faster.
                    Ok(_) | Err(Fault::BoardDeleted) => {}
                    Err(_) => return,
                }
            }
        }
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
