//! What follows from commits: echoes, new decisions, and the end of rooms of which something was lost.
//!
//! Called by the writer. Must not know the disk. Key invariant: a room is told of what is durable and of
//! nothing else, and a room that is ahead of the disk for good goes. Tests: tests/it/durability.rs, `sim`.

use std::sync::Arc;

use crate::boards::Boards;
use crate::boards::committer::{Link, Settled};
use crate::fault::{Fault, causes};
use crate::store::Applied;

impl Boards {
    /// A group was committed or lost.
    pub(super) fn handle_commit(self: &Arc<Self>, outcome: Settled) {
        match outcome {
            Settled::Committed(committed) => {
                for (board, through) in committed.durable {
                    if let Some(cell) = self.slots.live(&board) {
                        self.step_fenced(&cell, |room, effects| room.handle_durable(through, effects));
                    }
                }
                // Before anybody looks for whom it concerns: see `Slots::access_mark`.
                let acted = || committed.acted.iter();
                acted().for_each(|board| self.slots.note_access_change(board));
                for cell in acted().filter_map(|board| self.slots.live(board)) {
                    self.reconsider_room(cell);
                }
                self.sessions_ended(&committed.ended_sessions);
                for (link, applied) in committed.refused {
                    let fault = match applied {
                        // Of two boards that were made at once, one was one too many.
                        Applied::TooManyBoards => Fault::TooManyBoards,
                        Applied::Elsewhere => Fault::Elsewhere,
                        _ => Fault::StoreFailed,
                    };
                    if self.lose(&link, fault) {
                        let board = link.board;
                        match fault {
                            Fault::TooManyBoards => {
                                tracing::warn!(%board, ?applied, "the board was not made");
                            }
                            Fault::Elsewhere => tracing::warn!(%board, "the board is another node's by now"),
                            _ => tracing::error!(%board, ?applied, "the store refused a change"),
                        }
                    }
                }
            }
            Settled::Failed { lost, error } => {
                tracing::error!(
                    boards = lost.len(),
                    error = causes(&error),
                    help = "docs/troubleshooting.md#store_failed",
                    "commit failed"
                );
                for link in lost {
                    self.lose(&link, Fault::StoreFailed);
                }
            }
        }
    }

    /// A change was lost: the room that it was of is ahead of the disk and must go. Clients keep their
    /// changes. Returns whether there was such a room.
    fn lose(self: &Arc<Self>, link: &Link, fault: Fault) -> bool {
        let cell = self.slots.live(&link.board);
        let lost = link.chain.as_ref();
        match cell.filter(|cell| lost.is_some_and(|lost| Arc::ptr_eq(lost, cell.chain()))) {
            Some(cell) => {
                self.give_up(&cell, fault);
                true
            }
            None => false,
        }
    }
}
