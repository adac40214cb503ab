//! What takes too long for a room's lock or an executor thread: large updates, and answers of large boards.
//!
//! Owns the way of such work: a copy is taken under the lock, worked on on the blocking pool, and what came
//! of it is put in place under the lock. Must not know what an update means. Key invariants: not more than
//! `limits::APART_MAX` updates are worked on at a time, and what came of one leaves room in the queue for
//! small changes; a room is free for other such work again whatever becomes of this; rights hold at the
//! moment at which the result is put in place. Tests are below, and in tests/it/costly.rs.

use std::sync::Arc;

use bytes::Bytes;
use smol::channel::Receiver;

use crate::boards::host::{self, Host};
use crate::boards::slots::RoomCell;
use crate::boards::{Boards, fenced};
use crate::fault::Fault;
use crate::limits;
use crate::room::board::{Apart, Attempt, Capture};
use crate::room::member::{Hold, MemberId};
use crate::room::{Job, Room, UpdateOutcome};
use crate::store::Applied;
use crate::time::Tick;
use crate::update::scan::{Outline, scan};
use crate::update::vector::StateVector;
use crate::update::{Budgets, Refused};

/// What became of an update that was to join apart.
pub(crate) struct Joined {
    /// What the room made of it; `None` where the one who sent it may not do so any more, or the room is no
    /// longer the board's.
    pub(crate) outcome: Option<UpdateOutcome>,
    /// Told when it is durable, if it brought something new.
    pub(crate) saved: Option<Receiver<Applied>>,
    /// Steps that it took.
    pub(crate) steps: u64,
}

/// A room that is being worked on apart; free again when this goes.
struct Busy(Arc<RoomCell>);

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.lock().abandon_joining();
        // It may have put off what is due now.
        self.0.note_due(Some(Tick::default()));
    }
}

/// An update on its way into a room.
struct Joining {
    update: Bytes,
    outline: Outline,
    steps: u64,
}

impl Boards {
    /// Lets an update join a room off its lock. `may` tells, under the lock, whether it still may.
    ///
    /// # Errors
    /// Why the update is refused; [`Fault::StoreFailed`] where what is accepted meanwhile never goes with it.
    ///
    /// # Cancellation
    /// The work under way is finished, and dropped.
    pub(crate) async fn join_apart(
        self: &Arc<Self>,
        cell: &Arc<RoomCell>,
        author: Option<MemberId>,
        update: Bytes,
        may: impl Fn(&Room) -> bool,
    ) -> Result<Joined, Fault> {
        let _permit = self.joining.take().await;
        let budgets = *cell.lock().board().budgets();
        let joining = host::unblock(&self.host, move || read(update, budgets)).await;
        let mut joining = joining.map_err(Refused::fault)?;
        for _ in 0..limits::APART_ATTEMPTS {
            let (held, capture) = hold(&self.host, cell).await;
            let (attempt, back) = host::unblock(&self.host, move || attempt(capture, joining)).await;
            joining = back;
            let (update, now) = (joining.update.clone(), self.now());
            let (done, saved) = match attempt.map_err(Refused::fault)? {
                Attempt::Unchanged(accepted) => self.step_awaited(cell, |room, effects| {
                    let may = may(room);
                    Ok(may.then(|| room.finish_unchanged(author, (&update, accepted), now, effects)))
                }),
                Attempt::Joined(apart, accepted) => {
                    joining.steps = joining.steps.saturating_add(apart.work());
                    self.disk_takes_large(update.len()).await;
                    let Some(apart) = catch_up(&self.host, cell, *apart).await else {
                        continue;
                    };
                    self.step_awaited(cell, |room, effects| {
                        if !may(room) {
                            return Ok(None);
                        }
                        let joined = (&update, accepted, apart);
                        room.finish_joining(author, joined, now, effects).map(Some)
                    })
                }
            };
            drop(held);
            if let Ok(outcome) = done {
                let steps = joining.steps;
                return Ok(Joined {
                    outcome,
                    saved,
                    steps,
                });
            }
        }
        Err(Fault::StoreFailed)
    }

    /// Makes an answer, and hands it to those who wait for it.
    ///
    /// Its bytes count among those of all answers on their way out, once for all who share them, until the
    /// last has them.
    pub(crate) async fn answer(self: Arc<Self>, cell: Arc<RoomCell>, mut job: Job) {
        let on_its_way = job.at_hand().and_then(|body| self.answers.join(&body));
        let mut permit = match on_its_way {
            Some(permit) => permit,
            None => self.answers.permit(job.bytes_max()).await,
        };
        if !cell.lock().is_awaited(&job) {
            return cell.lock().give_up(&job);
        }
        match fenced(host::unblock(&self.host, move || job.make())).await {
            Ok(made) => {
                permit.hold(made.body());
                let hold: Hold = Some(Arc::new(permit));
                self.step(&cell, |room, effects| room.answered(made, &hold, effects));
            }
            Err(fault) => self.give_up(&cell, fault),
        }
    }

    /// The whole state as one update, written off the room's lock; those who ask next share its bytes. Where
    /// the log is long, the room is compacted for those who come later.
    pub(crate) async fn full_state(&self, cell: &Arc<RoomCell>) -> Bytes {
        let _turn = self.folding.lock().await;
        let (mut snapshot, is_long) = {
            let mut room = cell.lock();
            (room.snapshot(), room.board().has_long_log())
        };
        if is_long {
            self.request_compaction(cell);
        }
        let written = host::unblock(&self.host, move || (snapshot.full(), snapshot)).await;
        let (state, snapshot) = written;
        cell.lock().adopt(&snapshot);
        state
    }

    /// What an encoded state vector lacks, likewise; everything, where it is none.
    pub(crate) async fn lacking(&self, cell: &RoomCell, vector: Vec<u8>) -> Bytes {
        let mut snapshot = cell.lock().snapshot();
        let lacking = move || match StateVector::parse(&vector) {
            Ok(vector) => snapshot.diff(&vector),
            Err(_) => snapshot.full(),
        };
        host::unblock(&self.host, lacking).await
    }
}

/// Waits until nothing else of the room is worked on apart, and takes a copy of its board.
async fn hold(host: &Arc<dyn Host>, cell: &Arc<RoomCell>) -> (Busy, Capture) {
    loop {
        if let Some(capture) = cell.lock().begin_joining() {
            return (Busy(Arc::clone(cell)), capture);
        }
        host.sleep(limits::BACKPRESSURE_RETRY).await;
    }
}

fn read(update: Bytes, budgets: Budgets) -> Result<Joining, Refused> {
    let mut meter = limits::UPDATE_STEPS.meter(update.len());
    let outline = scan(&update, &budgets, &mut meter)?;
    Ok(Joining {
        update,
        outline,
        steps: meter.spent(),
    })
}

fn attempt(capture: Capture, mut joining: Joining) -> (Result<Attempt, Refused>, Joining) {
    let mut meter = limits::UPDATE_STEPS.meter(joining.update.len());
    let attempt = capture.join(&joining.update, &joining.outline, &mut meter);
    joining.steps = joining.steps.saturating_add(meter.spent());
    (attempt, joining)
}

/// Lets what was accepted meanwhile join what was made apart, until so little is left that it can be put in
/// place. `None` where that does not go.
pub(super) async fn catch_up(host: &Arc<dyn Host>, cell: &RoomCell, mut apart: Apart) -> Option<Apart> {
    loop {
        let behind = cell.lock().behind(&apart);
        if behind.is_empty() {
            return Some(apart);
        }
        let followed = host::unblock(host, move || {
            let followed = apart.follow(&behind);
            (apart, followed)
        });
        let (next, followed) = followed.await;
        followed.ok()?;
        apart = next;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::boards::harness;
    use crate::ids::BoardId;
    use crate::store::Change;
    use crate::time::UnixMillis;

    fn queue(boards: &Boards, bytes: usize) {
        let change = Change::Append {
            board: BoardId::parse("plan").unwrap(),
            sequence: 1,
            update: vec![0; bytes].into(),
            at: UnixMillis(0),
        };
        boards.committer.submit(change, None);
    }

    /// Whether a large change of so many bytes is let on now.
    fn takes(boards: &Boards, bytes: usize) -> bool {
        smol::block_on(smol::future::poll_once(boards.disk_takes_large(bytes))).is_some()
    }

    #[test]
    fn large_changes_leave_room_in_the_queue_for_small_ones() {
        let (boards, _executor) = harness::unwritten();
        let largest = limits::COMMIT_QUEUE_LARGE_BYTES_MAX;
        assert!(
            takes(&boards, limits::COMMIT_QUEUE_BYTES_MAX),
            "one alone goes, however large"
        );
        queue(&boards, largest / 2);
        let left = largest - boards.queued_bytes();
        assert!(takes(&boards, left));
        assert!(!takes(&boards, left + 1));
        queue(&boards, left);
        assert!(!takes(&boards, 1), "no more large ones");
        assert!(!boards.is_disk_behind(), "and small ones are read on");
    }
}
