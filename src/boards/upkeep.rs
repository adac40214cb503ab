//! What happens by itself: ticks, compactions, unloading.
//!
//! Owns when rooms are looked at. Must not know what a tick does. Key invariant: compactions work on a copy, off the
//! room's lock and off the executor threads, one at a time.

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_io::Timer;

use crate::boards::apart::catch_up;
use crate::boards::slots::RoomCell;
use crate::fault::Fault;
use crate::limits;
use crate::metrics::Outcome;
use crate::room::{Room, board};
use crate::server::Server;
use crate::time::{Tick, UnixMillis};

impl Server {
    /// Looks at every room again and again: ticks it, and asks for its compaction when that is due.
    pub(crate) async fn keep_ticking(self: Arc<Self>) {
        let times = &self.config.times;
        let shortest = times.compact_after.min(times.compact_every).min(times.room_idle);
        let every = (shortest / 4).clamp(limits::TICK_MIN, limits::TICK_MAX);
        loop {
            Timer::after(every).await;
            let idle = self.documents.take_idle(self.now().tick);
            if !idle.is_empty() {
                smol::unblock(move || drop(idle)).detach();
            }
            for (_, cell) in self.rooms.all() {
                let now = self.now();
                let due = self.step_fenced(&cell, |room, effects| {
                    room.tick(now, effects);
                    room.compaction_due(now.tick)
                });
                if due == Some(true) {
                    self.request_compaction(&cell);
                }
            }
        }
    }

    /// Unloads rooms without clients that were idle for `--room-idle`, every `--room-sweep`.
    pub(crate) async fn keep_unloading(self: Arc<Self>) {
        loop {
            Timer::after(self.config.times.room_sweep.max(Duration::from_millis(10))).await;
            for (board, cell) in self.rooms.all() {
                let is_new = {
                    let room = cell.lock();
                    room.has_nothing_stored() && room.may_unload(self.config.times.room_idle, self.now().tick)
                };
                if is_new {
                    // Its creation may still be on its way to the disk.
                    self.note_dropped(&board);
                }
                if self
                    .rooms
                    .remove_if_idle(&board, self.config.times.room_idle, self.now().tick)
                {
                    tracing::info!(%board, "room unloaded");
                }
            }
        }
    }

    /// Writes the counts of repeated refusals, and has old audit entries removed.
    pub(crate) async fn keep_auditing(self: Arc<Self>) {
        let mut pruned: Option<Tick> = None;
        loop {
            let now = self.now();
            if pruned.is_none_or(|at| now.tick.since(at) >= limits::AUDIT_PRUNE_EVERY) {
                pruned = Some(now.tick);
                let kept = u64::try_from(self.config.times.audit.as_millis()).unwrap_or(u64::MAX);
                self.committer
                    .prune_audit(UnixMillis(now.unix.0.saturating_sub(kept)));
            }
            Timer::after(limits::AUDIT_COUNT_EVERY).await;
            self.write_refusals();
        }
    }

    /// Queues a compaction.
    pub(crate) fn request_compaction(&self, cell: &Arc<RoomCell>) {
        if cell.lock().mark_compaction_queued() {
            // The receiver lives as long as the server: a failure means that the process is ending.
            self.compactions.try_send(Arc::clone(cell)).unwrap_or_default();
        }
    }

    /// Compacts the rooms that were queued, one after the other.
    pub(crate) async fn keep_compacting(self: Arc<Self>, queue: smol::channel::Receiver<Arc<RoomCell>>) {
        while let Ok(cell) = queue.recv().await {
            if Self::fenced(self.compact(&cell)).await.is_err() {
                self.drop_room(&cell, Fault::Internal);
            }
        }
    }

    /// Replaces a room's log by one full state, in memory and on disk.
    pub(crate) async fn compact(self: &Arc<Self>, cell: &Arc<RoomCell>) {
        let Some((capture, covers)) = cell.lock().begin_compaction() else {
            return;
        };
        let started = Instant::now();
        let room = Arc::clone(cell);
        let work = async {
            let compacted = self.unblock(move || board::compact(&capture)).await?;
            Ok::<_, board::ApartError>(catch_up(&room, compacted).await)
        };
        match Self::fenced(work).await {
            Ok(Ok(Some(compacted))) => {
                self.step(cell, |room, effects| {
                    room.finish_compaction(compacted, covers, effects)
                });
                self.metrics.compacted(started, Outcome::Done);
            }
            failed => {
                let board = cell.lock().id().clone();
                let cause = failed
                    .err()
                    .map_or("its output did not verify", |_| "it panicked");
                tracing::error!(%board, cause, "compaction failed; the log is kept");
                cell.lock().abandon_compaction();
                self.metrics.compacted(started, Outcome::Failed);
            }
        }
    }

    /// Compacts every room that has something to compact, after what is compacting already: the final save.
    pub(crate) async fn compact_all(self: &Arc<Self>) {
        for (_, cell) in self.rooms.all() {
            while cell.lock().is_apart() {
                Timer::after(limits::TICK_MIN).await;
            }
            if cell.lock().is_uncompacted() {
                self.compact(&cell).await;
            }
        }
    }

    /// Tells every member why the server closes.
    pub(crate) fn close_rooms(self: &Arc<Self>, fault: Fault) {
        for (_, cell) in self.rooms.all() {
            self.step(&cell, |room: &mut Room, effects| room.close_all(fault, effects));
        }
    }
}
