//! From a board's name to its room: what is known about it, and the one load.
//!
//! Owns how stored rows become a room. Must not decide access. Key invariants: a board that cannot be read is
//! refused and never replaced by an empty one; however many ask at once, it is loaded once.

use std::sync::Arc;

use smol::channel::Receiver;

use crate::access::{Asked, BoardFacts, Facts};
use crate::audit::{Action, Actor};
use crate::boards::committer::Chain;
use crate::boards::slots::{Found, Hold, Released, RoomCell};
use crate::boards::tenure::Claimed;
use crate::boards::{Boards, fenced};
use crate::fault::{Fault, causes};
use crate::ids::{BoardId, Level, UserId};
use crate::room::board::{Accepted, Board};
use crate::room::{Loaded, Room};
use crate::store::{Act, Applied, Change, Registry, StoreError, Stored, StoredBoard, StoredWebhook};
use crate::update::Budgets;

/// Who may create the board on the way.
#[derive(Clone, Debug)]
pub(crate) enum Creation {
    /// The board must exist.
    Denied,
    /// It is created, owned by this user, when there is none; for the audit log: by whom, from where.
    Allowed(UserId, Actor),
}

/// A room with the board's webhooks, and its chain; and where others might make the board too, what became of
/// its creation.
type Begun = ((Room, Vec<StoredWebhook>), Arc<Chain>, Option<Receiver<Applied>>);

impl Boards {
    /// What decides about access to `board`. A board that is live and not on disk yet is waited for.
    ///
    /// # Errors
    /// [`Fault::StateUnreadable`].
    pub(crate) async fn facts(self: &Arc<Self>, board: &BoardId, asked: Asked) -> Result<Facts, Fault> {
        let facts = self.look_up(board, asked.clone()).await?;
        if facts.board == BoardFacts::Absent && self.slots.live(board).is_some() {
            // Whether its creation was lost is seen by looking again.
            drop(self.settled().await);
            return self.look_up(board, asked).await;
        }
        Ok(facts)
    }

    async fn look_up(self: &Arc<Self>, board: &BoardId, asked: Asked) -> Result<Facts, Fault> {
        let (boards, id) = (Arc::clone(self), board.clone());
        let looked_up = self.unblock_read(move || boards.store.access(&id, &asked));
        looked_up.await.map_err(|error| {
            self.read_failed(board, &error);
            Fault::StateUnreadable
        })
    }

    /// Reads from the store, on the blocking pool.
    ///
    /// # Errors
    /// [`Fault::StateUnreadable`].
    pub(crate) async fn read<T: Send + 'static>(
        self: &Arc<Self>,
        work: impl FnOnce(&dyn Registry) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, Fault> {
        let boards = Arc::clone(self);
        let read = self.unblock_read(move || {
            let read = work(&*boards.store);
            if let Err(error) = &read {
                tracing::error!(error = causes(error), "stored rows unreadable");
                boards.committer.note_read_error(error);
            }
            read
        });
        read.await.map_err(|_| Fault::StateUnreadable)
    }

    /// The board's room, loaded if need be.
    ///
    /// # Errors
    /// [`Fault::StateUnreadable`], [`Fault::NoSuchBoard`], [`Fault::BoardDeleted`], [`Fault::TooManyBoards`],
    /// [`Fault::Elsewhere`].
    pub(crate) async fn room(
        self: &Arc<Self>,
        board: &BoardId,
        creation: Creation,
    ) -> Result<Arc<RoomCell>, Fault> {
        loop {
            if !self.may_serve() {
                return Err(Fault::Elsewhere);
            }
            let (released, is_ours) = match self.slots.find(board) {
                Found::Live(cell) => return Ok(cell),
                Found::Held(holding) => (holding.released().await, false),
                Found::Mine(hold) => (self.load(hold, creation.clone()).await, true),
            };
            match released {
                Released::Live(cell) => return Ok(cell),
                // Whoever loaded it may not create it, and we may: look again.
                Released::Refused(Fault::NoSuchBoard | Fault::TooManyBoards)
                    if !is_ours && matches!(creation, Creation::Allowed(..)) => {}
                Released::Refused(fault) => return Err(fault),
                Released::Free => {}
            }
        }
    }

    /// Loads a board on the blocking pool; whoever asked first may be gone when it ends.
    async fn load(self: &Arc<Self>, mut hold: Hold, creation: Creation) -> Released {
        let holding = hold.holding();
        let (boards, started) = (Arc::clone(self), self.now().tick);
        self.spawn(async move {
            let losses = boards.lease_losses();
            if hold.is_unsettled() {
                if let Err(error) = boards.settled().await {
                    tracing::warn!(board = %hold.board(), error = causes(&error), "changes were lost before a reload");
                }
                hold.note_settled();
            }
            let claimed = match boards.claim(hold.board()).await {
                Ok(claimed) => claimed,
                Err(fault) => {
                    hold.refuse(fault);
                    return;
                }
            };
            let mark = hold.access_mark();
            let (loader, id) = (Arc::clone(&boards), hold.board().clone());
            let load = boards.unblock(move || loader.load_blocking(&id, claimed, creation));
            let loaded = fenced(load).await.unwrap_or(Err(Fault::Internal));
            boards.metrics.loaded(boards.now().tick.since(started), &loaded);
            let ((room, webhooks), chain, made) = match loaded {
                Ok(loaded) => loaded,
                Err(fault) => {
                    hold.refuse(fault);
                    return;
                }
            };
            let refused = match made {
                Some(made) => refusal(made.recv().await.ok()),
                None => None,
            };
            if let Some(fault) = refused {
                hold.refuse(fault);
                return;
            }
            let cell = hold.go_live(room, chain);
            let Ok(cell) = cell else { return };
            boards.begin_versions(&cell);
            boards.tell_hooks(&cell, webhooks);
            if boards.lease_losses() != losses {
                boards.give_up(&cell, Fault::Elsewhere);
            } else if cell.access_mark() != mark {
                // It may have been given away after it was read, and before there was a room to tell.
                boards.reconsider_room(cell);
            }
        });
        holding.released().await
    }

    fn load_blocking(&self, board: &BoardId, claimed: Claimed, creation: Creation) -> Result<Begun, Fault> {
        let (chain, mut made) = (Arc::new(Chain::default()), None);
        let stored = self.store.load(board).map_err(|error| {
            self.read_failed(board, &error);
            Fault::StateUnreadable
        })?;
        let now = self.now();
        let owner = match (&stored, &creation) {
            (Stored::Present(stored), _) => stored.record.owner.clone(),
            (Stored::Absent, Creation::Allowed(owner, _)) => Some(owner.clone()),
            _ => None,
        };
        let account = owner.map(|owner| self.store.account(&owner));
        let is_new = matches!(stored, Stored::Absent);
        let loaded = match (stored, creation) {
            (Stored::Deleted, _) => return Err(Fault::BoardDeleted),
            // Somebody has made it since.
            (Stored::Present(_), _) if claimed == Claimed::Absent => return Err(Fault::Elsewhere),
            (Stored::Absent, Creation::Denied) => return Err(Fault::NoSuchBoard),
            (Stored::Present(stored), _) => self.rebuild(board, stored)?,
            // The writer decides, when it makes the board; but here nothing need be undone.
            (Stored::Absent, Creation::Allowed(..))
                if (account.as_ref())
                    .is_some_and(|account| !account.takes_a_board_beside(account.boards())) =>
            {
                return Err(Fault::TooManyBoards);
            }
            (Stored::Absent, Creation::Allowed(owner, actor)) => {
                tracing::info!(%board, owner = owner.as_str(), "board created");
                let creation = Change::Act {
                    board: board.clone(),
                    act: Act::Create {
                        owner: Some(owner),
                        title: None,
                    },
                    as_owner: None,
                    entry: self
                        .audit
                        .entry(actor, Action::BoardCreate, Some(Level::Edit), now.unix),
                };
                match claimed {
                    Claimed::Ours => self.committer.submit(creation, Some(&chain)),
                    // Another node may make it at this moment: nobody is given an empty room before it is
                    // decided whose it is.
                    Claimed::Absent => made = Some(self.committer.submit_awaited(creation, Some(&chain))),
                }
                Loaded {
                    board: Board::new(self.budgets()),
                    sequence: 0,
                    uncompacted: false,
                }
            }
        };
        let mut room = Room::new(board.clone(), loaded, self.settings.room, now.tick);
        room.set_account(account);
        let webhooks = match is_new {
            true => Vec::new(),
            false => self.webhooks_of(board),
        };
        if !webhooks.is_empty() {
            room.begin_feed(self.host.random(), now);
        }
        Ok(((room, webhooks), chain, made))
    }

    /// A read from the store failed: it is logged, and the writer looks whether the disk is to blame.
    fn read_failed(&self, board: &BoardId, error: &StoreError) {
        tracing::error!(%board, error = causes(error), help = "docs/troubleshooting.md#state_unreadable", "stored board unreadable");
        self.committer.note_read_error(error);
    }

    /// Turns stored rows back into a board's state.
    fn rebuild(&self, board: &BoardId, stored: StoredBoard) -> Result<Loaded, Fault> {
        let unreadable = |what: &str| {
            tracing::error!(%board, what, help = "docs/troubleshooting.md#state_unreadable", "stored state does not decode");
            Fault::StateUnreadable
        };
        let sequence = stored.last_sequence();
        let uncompacted = !stored.updates.is_empty();
        let mut state = match stored.snapshot {
            None => Board::new(self.budgets()),
            Some((_, state)) => Board::load(state, self.budgets()).map_err(|_| unreadable("full state"))?,
        };
        for (_, update) in stored.updates {
            match state.replay(&update) {
                Ok(Accepted::Whole | Accepted::Trimmed(_) | Accepted::Nothing) => {}
                Ok(Accepted::Hole | Accepted::Uncounted) | Err(_) => return Err(unreadable("update")),
            }
        }
        Ok(Loaded {
            board: state,
            sequence,
            uncompacted,
        })
    }

    fn budgets(&self) -> Budgets {
        Budgets {
            bytes: self.settings.board_bytes,
            ..Budgets::default()
        }
    }
}

/// Why a board that was to be made has no room here; where its creation was lost, its chain says so.
fn refusal(made: Option<Applied>) -> Option<Fault> {
    match made {
        Some(Applied::Done) | None => None,
        Some(Applied::TooManyBoards) => Some(Fault::TooManyBoards),
        Some(_) => Some(Fault::Elsewhere),
    }
}
