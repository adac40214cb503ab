//! From a board's name to its room: what is known about it, and the one load.
//!
//! Owns how stored rows become a room. Must not decide access. Key invariants: a board that cannot be read is refused
//! and never replaced by an empty one; however many ask at once, it is loaded once.

use std::sync::Arc;

use crate::access::BoardFacts;
use crate::fault::Fault;
use crate::ids::{BoardId, UserId};
use crate::room::board::{Accepted, Board};
use crate::room::{Loaded, Room};
use crate::rooms::{Found, Loading, RoomCell};
use crate::server::{Server, telemetry};
use crate::store::{BoardRecord, Change, StoreError, Stored, StoredBoard};
use crate::update::Budgets;

/// Who may create the board on the way.
#[derive(Clone, Debug)]
pub(crate) enum Creation {
    /// The board must exist.
    Denied,
    /// It is created, owned by this user, when there is none.
    Allowed(UserId),
}

impl Server {
    /// What decides about access to `board`: from its room if it has one, otherwise from the store.
    ///
    /// # Errors
    /// [`Fault::StateUnreadable`].
    pub(crate) async fn facts(self: &Arc<Self>, board: &BoardId) -> Result<BoardFacts, Fault> {
        if let Some(cell) = self.rooms.live(board) {
            return Ok(facts_of(cell.lock().record()));
        }
        let (server, id) = (Arc::clone(self), board.clone());
        match self.unblock(move || server.store.facts(&id)).await {
            Ok(Stored::Absent) => Ok(BoardFacts::Absent),
            Ok(Stored::Deleted) => Ok(BoardFacts::Deleted),
            Ok(Stored::Present(record)) => Ok(facts_of(&record)),
            Err(error) => {
                self.read_failed(board, &error);
                Err(Fault::StateUnreadable)
            }
        }
    }

    /// The board's room, loaded if need be.
    ///
    /// # Errors
    /// [`Fault::StateUnreadable`], [`Fault::NoSuchBoard`], [`Fault::BoardDeleted`].
    pub(crate) async fn room(
        self: &Arc<Self>,
        board: &BoardId,
        creation: Creation,
    ) -> Result<Arc<RoomCell>, Fault> {
        loop {
            let (loading, is_ours) = match self.rooms.find(board) {
                Found::Live(cell) => return Ok(cell),
                Found::Loading(loading) => (loading, false),
                Found::Absent(loading) => {
                    self.load(board.clone(), Arc::clone(&loading), creation.clone());
                    (loading, true)
                }
            };
            let outcome = std::future::poll_fn(|cx| loading.poll(cx.waker())).await;
            let missing = matches!(outcome, Err(Fault::NoSuchBoard));
            if !missing || is_ours || matches!(creation, Creation::Denied) {
                return outcome;
            }
            // Whoever loaded it may not create it, and we may: look again.
        }
    }

    /// Loads a board on the blocking pool; whoever asked first may be gone when it ends.
    fn load(self: &Arc<Self>, board: BoardId, loading: Arc<Loading>, creation: Creation) {
        let server = Arc::clone(self);
        self.spawn(async move {
            let loader = Arc::clone(&server);
            let id = board.clone();
            let load = server.unblock(move || loader.load_blocking(&id, creation));
            let outcome = Self::fenced(load).await.unwrap_or(Err(Fault::Internal));
            server.rooms.loaded(&board, &loading, outcome);
        });
    }

    fn load_blocking(&self, board: &BoardId, creation: Creation) -> Result<Room, Fault> {
        self.settle(board);
        let stored = self.store.load(board).map_err(|error| {
            self.read_failed(board, &error);
            Fault::StateUnreadable
        })?;
        let now = self.now();
        let loaded = match (stored, creation) {
            (Stored::Deleted, _) => return Err(Fault::BoardDeleted),
            (Stored::Absent, Creation::Denied) => return Err(Fault::NoSuchBoard),
            (Stored::Present(stored), _) => self.rebuild(board, stored)?,
            (Stored::Absent, Creation::Allowed(owner)) => {
                let owner = Some(owner);
                tracing::info!(%board, owner = owner.as_ref().map(UserId::as_str), "board created");
                self.committer.submit(Change::CreateBoard {
                    board: board.clone(),
                    owner: owner.clone(),
                    title: None,
                    at: now.unix,
                });
                Loaded {
                    record: BoardRecord {
                        owner,
                        title: None,
                        created_at: now.unix,
                        updated_at: now.unix,
                    },
                    board: Board::new(self.budgets()),
                    sequence: 0,
                    uncompacted: false,
                }
            }
        };
        Ok(Room::new(board.clone(), loaded, self.room_settings, now.tick))
    }

    /// A read from the store failed: it is logged, and the writer looks whether the disk is to blame.
    fn read_failed(&self, board: &BoardId, error: &StoreError) {
        tracing::error!(%board, error = telemetry::chain(error), "stored board unreadable");
        self.committer.note_read_error(error);
    }

    /// Turns stored rows back into a board's state.
    fn rebuild(&self, board: &BoardId, stored: StoredBoard) -> Result<Loaded, Fault> {
        let unreadable = |what: &str| {
            tracing::error!(%board, what, "stored state does not decode");
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
                Ok(Accepted::Hole) | Err(_) => return Err(unreadable("update")),
            }
        }
        Ok(Loaded {
            record: stored.record,
            board: state,
            sequence,
            uncompacted,
        })
    }

    fn budgets(&self) -> Budgets {
        Budgets {
            bytes: self.config.bounds.board_bytes,
            ..Budgets::default()
        }
    }
}

fn facts_of(record: &BoardRecord) -> BoardFacts {
    BoardFacts::Present {
        owner: record.owner.clone(),
    }
}
