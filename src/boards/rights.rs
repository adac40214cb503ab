//! What somebody may do with a board: decided by what they came with and what is stored, and decided again
//! after changes.
//!
//! Owns [`Granted`], joining, and the new decision about who is connected. Must not know requests. Key
//! invariants: whatever was decided counts only while [`Granted::holds_in`] the room; who is in a room is
//! decided about again after every change that is durable, by facts at least as new; where the facts cannot
//! be read, nobody keeps a right. Tests: tests/it/{permissions,revocation,secrets}.rs.

use std::sync::Arc;

use crate::access::{self, Asked, BoardFacts, Credentials, Decision, Facts, Grant, Moment, Question};
use crate::audit::Actor;
use crate::boards::loader::Creation;
use crate::boards::slots::RoomCell;
use crate::boards::{Boards, fenced};
use crate::fault::Fault;
use crate::ids::{BoardId, SecretId};
use crate::room::member::{Joiner, Pulse};
use crate::room::{Held, Room};
use crate::session::Session;
use crate::store::owners::Account;

/// Somebody who was granted a board.
#[derive(Clone, Debug)]
pub(crate) struct Granted {
    pub(crate) board: BoardId,
    pub(crate) grant: Grant,
    /// What the grant rests on, to decide again from when something changed.
    credentials: Arc<Credentials>,
    /// Who acts, from where: for the audit log.
    pub(crate) actor: Actor,
    /// The board's access mark before the facts were read that decided.
    mark: u64,
}

impl Granted {
    /// What the grant rests on.
    pub(crate) fn credentials(&self) -> Arc<Credentials> {
        Arc::clone(&self.credentials)
    }

    /// Whether nothing has changed since the decision, seen from under the room's lock: changes after that
    /// find whom they concern in the room.
    pub(crate) fn holds_in(&self, boards: &Boards, cell: &RoomCell, room: &Room) -> bool {
        !room.is_retired() && cell.access_mark() == self.mark && !self.has_ended(boards)
    }

    /// Whether a credential has ended since the decision: a body, or a load, may take minutes.
    pub(crate) fn has_ended(&self, boards: &Boards) -> bool {
        let now = boards.now().unix;
        self.grant.ends_at.is_some_and(|end| now >= end) || boards.ended.concern(&self.credentials)
    }
}

/// A place in a room.
pub(crate) struct Joined {
    /// The room.
    pub(crate) cell: Arc<RoomCell>,
    /// The protocol state of the member.
    pub(crate) session: Session,
    /// Its signs of life.
    pub(crate) pulse: Arc<Pulse>,
}

impl Boards {
    /// Decides by what is stored now; `origin` is from where, whoever it is. No room is touched.
    ///
    /// # Errors
    /// The [`Fault`] to refuse with; [`Fault::ShuttingDown`], [`Fault::StoreFailed`],
    /// [`Fault::StateUnreadable`].
    pub(crate) async fn decide(
        self: &Arc<Self>,
        board: BoardId,
        credentials: Arc<Credentials>,
        origin: Actor,
    ) -> Result<Granted, Fault> {
        let mark = self.slots.access_mark(&board);
        let facts = self.facts(&board, credentials.asked()).await?;
        let credentials = self.ended.applied_to(&credentials);
        let question = Question {
            board: &board,
            facts: &facts,
            mode: self.settings.mode,
            moment: Moment::Request,
            now: self.now().unix,
        };
        match access::decide(&credentials, question) {
            Decision::Refused(fault) => {
                if matches!(facts.board, BoardFacts::Present { .. }) {
                    let subject = credentials.subject(fault);
                    self.note_refusal(&board, Actor { subject, ..origin }, fault);
                }
                Err(fault)
            }
            Decision::Granted(grant) => Ok(Granted {
                board,
                actor: Actor {
                    subject: grant.subject.clone(),
                    ..origin
                },
                grant,
                credentials,
                mark,
            }),
        }
    }

    /// The board of an API key or share link; `None` where there is no such.
    ///
    /// # Errors
    /// [`Fault::StateUnreadable`] and what else reading fails with.
    pub(crate) async fn board_of_secret(self: &Arc<Self>, id: SecretId) -> Result<Option<BoardId>, Fault> {
        let found = self.read(move |store| store.find_secrets(&[id])).await?;
        Ok(found.into_values().next().map(|facts| facts.board))
    }

    /// Decides again, for somebody whose decision no longer holds.
    ///
    /// # Errors
    /// The [`Fault`] to refuse with.
    pub(crate) async fn reconsider(self: &Arc<Self>, granted: Granted) -> Result<Granted, Fault> {
        self.decide(granted.board, granted.credentials, granted.actor)
            .await
    }

    /// Finds or loads the room and joins it, by rights that hold at that moment.
    ///
    /// # Errors
    /// The [`Fault`] to refuse with.
    pub(crate) async fn join(self: &Arc<Self>, mut granted: Granted) -> Result<(Granted, Joined), Fault> {
        loop {
            let Granted {
                board, grant, actor, ..
            } = &granted;
            let creation = grant
                .create
                .clone()
                .map_or(Creation::Denied, |owner| Creation::Allowed(owner, actor.clone()));
            let cell = self.room(board, creation).await?;
            let now = self.now();
            let pulse = Arc::new(Pulse::new(now.tick));
            let joiner = Joiner {
                subject: grant.subject.clone(),
                level: grant.level,
                ends_at: grant.ends_at,
                credentials: Arc::clone(&granted.credentials),
                pulse: Arc::clone(&pulse),
            };
            let joined = self.step(&cell, |room, effects| {
                // Since the decision the room may have been unloaded, or the rights been taken away.
                granted
                    .holds_in(self, &cell, room)
                    .then(|| room.join(joiner, now, effects))
            });
            if let Some(member) = joined {
                let session = Session::new(member?, self.messages_per_second(), now.tick);
                return Ok((granted, Joined { cell, session, pulse }));
            }
            granted = self.reconsider(granted).await?;
        }
    }

    /// Begins to decide again about everybody in a room; a room where that fails is given up, since nobody
    /// may keep what was taken away.
    pub(crate) fn reconsider_room(self: &Arc<Self>, cell: Arc<RoomCell>) {
        let boards = Arc::clone(self);
        self.spawn(async move {
            match fenced(boards.reconsider_members(&cell)).await {
                Ok(()) => boards.step(&cell, |room, _| room.note_reconsidered()),
                Err(fault) => boards.give_up(&cell, fault),
            }
        });
    }

    /// Decides again about everybody in a room and whose board it is, by what is stored now.
    pub(super) async fn reconsider_members(self: &Arc<Self>, cell: &Arc<RoomCell>) {
        let board = cell.id();
        loop {
            let mark = cell.access_mark();
            let held = cell.lock().held();
            let facts = self.facts(board, asked(&held)).await;
            // Outside the room's lock: the store may have to be asked.
            let account = match facts.clone() {
                Ok(facts) => self.account_in(facts).await,
                Err(_) => None,
            };
            let now = self.now();
            let decide = |held: &Held| match &facts {
                Err(fault) => Decision::Refused(*fault),
                Ok(facts) => access::decide(
                    &self.ended.applied_to(&held.credentials),
                    Question {
                        board,
                        facts,
                        mode: self.settings.mode,
                        moment: Moment::Connection,
                        now: now.unix,
                    },
                ),
            };
            let decisions: Vec<_> = held.iter().map(decide).collect();
            let settled = self.step(cell, |room, effects| {
                let settled = cell.access_mark() == mark;
                if settled && facts.is_ok() {
                    room.set_account(account);
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

    /// The account of who owns the board, by what is stored.
    async fn account_in(self: &Arc<Self>, facts: Facts) -> Option<Arc<Account>> {
        let BoardFacts::Present { owner } = facts.board else {
            return None;
        };
        let (owner, boards) = (owner?, Arc::clone(self));
        Some(self.unblock_read(move || boards.store.account(&owner)).await)
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
