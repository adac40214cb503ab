//! A write of the server's own: decided by a board's records, written into its document, and given to the
//! room.
//!
//! Owns [`Writing`]. Must not know what is written. Key invariant: a document that holds what the board did
//! not accept is closed. Tests: `content/tests.rs`, tests/it/items.rs.

use std::sync::Arc;

use bytes::Bytes;
use smol::channel::Receiver;
use smol::lock::MutexGuardArc;

use crate::boards::Boards;
use crate::boards::content::{Authority, Basis, Decided, Failed, end_turn, follow};
use crate::boards::kept::Open;
use crate::boards::slots::RoomCell;
use crate::fault::Fault;
use crate::items::{Records, Write};
use crate::limits;
use crate::room::{Effects, Room, UpdateOutcome};
use crate::store::Applied;
use crate::time::Now;
use crate::update::Refused;

/// How a write ended that was not refused.
pub(super) enum Written<T> {
    /// With this to answer, once it is durable.
    Done(T, Option<Receiver<Applied>>),
    /// The right to it, or the room, is no longer what it was.
    NotHeld,
}

/// What came of a step of the room.
enum Step {
    Accepted,
    NotHeld,
    /// The board is no longer what was read.
    Changed,
    /// Somebody else writes under the boards's client id.
    Taken,
}

/// A write under way, on the blocking pool.
pub(super) struct Writing<'a> {
    pub(super) boards: &'a Arc<Boards>,
    pub(super) cell: &'a Arc<RoomCell>,
    pub(super) authority: &'a Authority,
    pub(super) basis: Basis,
}

impl Writing<'_> {
    pub(super) fn run<T, E>(
        &self,
        mut turn: MutexGuardArc<Option<Open>>,
        decide: &dyn Fn(&dyn Records) -> Decided<T, E>,
    ) -> Result<Written<T>, Failed<E>> {
        for attempt in 0..limits::CONTENT_ATTEMPTS {
            let open = follow(self.boards, &mut turn, self.cell)?;
            let (writes, value) = match open.document.read(|records| decide(records)) {
                Ok(Ok(decided)) => decided,
                Ok(Err(refused)) => {
                    end_turn(self.boards, turn);
                    return Err(Failed::Work(refused));
                }
                Err(unopened) => {
                    *turn = None;
                    return Err(unopened.into());
                }
            };
            if writes.is_empty() {
                end_turn(self.boards, turn);
                return Ok(Written::Done(value, None));
            }
            let (step, saved) = match self.write(open, &writes) {
                Ok(stepped) => stepped,
                Err(fault) => {
                    *turn = None;
                    return Err(fault.into());
                }
            };
            match step {
                Step::Accepted => {
                    end_turn(self.boards, turn);
                    return Ok(Written::Done(value, saved));
                }
                Step::NotHeld => {
                    *turn = None;
                    return Ok(Written::NotHeld);
                }
                // Nothing was written: what others did is taken in, and it is decided anew.
                Step::Changed => {}
                Step::Taken => {
                    *turn = None;
                    // The document goes on behind what somebody else wrote, unless that somebody keeps doing
                    // so.
                    if attempt > 0 {
                        self.cell.note_loss();
                    }
                }
            }
        }
        end_turn(self.boards, turn);
        Err(Failed::Busy)
    }

    /// Writes into the document, and gives what that makes to the room.
    fn write(&self, open: &mut Open, writes: &[Write]) -> Result<(Step, Option<Receiver<Applied>>), Fault> {
        let clock = open.document.writer_clock().map_err(|_| Fault::Internal)?;
        if u64::from(clock) > limits::CLOCK_MAX / 2 {
            // Somebody has used the id up.
            self.cell.note_loss();
            return Ok((Step::Taken, None));
        }
        // A write that minds is made under the room's lock, when it is certain; it is one item's, and small.
        let ahead = match self.basis {
            Basis::Any => Some(open.document.write(writes).map_err(|_| Fault::Internal)?),
            Basis::Unchanged => None,
        };
        let now = self.boards.now();
        let (step, saved) = self.boards.step_awaited(self.cell, |room, effects| {
            if !self.authority.holds_in(self.boards, self.cell, room) {
                return Ok(Step::NotHeld);
            }
            let is_unchanged = room.sequence() == open.sequence;
            if self.basis == Basis::Unchanged && !is_unchanged {
                return Ok(Step::Changed);
            }
            if room.board().clock_of(open.writer) != clock {
                return Ok(Step::Taken);
            }
            let update = match ahead {
                Some(update) => update,
                None => open.document.write(writes).map_err(|_| Fault::Internal)?,
            };
            let before = room.sequence();
            accept(room, &update, now, effects)?;
            if room.sequence() != before {
                room.note_author(self.authority.subject());
            }
            if is_unchanged {
                open.sequence = room.sequence();
            }
            Ok(Step::Accepted)
        });
        Ok((step?, saved))
    }
}

pub(super) fn accept(room: &mut Room, update: &Bytes, now: Now, effects: &mut Effects) -> Result<(), Fault> {
    match room.accept_own(update, now, effects) {
        Ok(UpdateOutcome::New | UpdateOutcome::Known) => Ok(()),
        // What the document builds on, the board has; and its work need not be counted.
        Ok(UpdateOutcome::Hole | UpdateOutcome::Apart) => Err(Fault::Internal),
        // It is the boards's own.
        Err(Refused::Malformed(_)) => Err(Fault::Internal),
        Err(refused @ (Refused::OverBudget(_) | Refused::TooCostly)) => Err(refused.fault()),
    }
}
