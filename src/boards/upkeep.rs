//! What happens by itself: ticks, compactions, unloading.
//!
//! Owns when rooms are looked at. Must not know what a tick does. Key invariant: compactions work on a copy,
//! off the room's lock and off the executor threads, one at a time.

use std::sync::Arc;
use std::time::Duration;

use crate::boards::apart::catch_up;
use crate::boards::slots::RoomCell;
use crate::boards::{Boards, fenced};
use crate::fault::Fault;
use crate::limits;
use crate::room::{Room, board};
use crate::time::{Tick, UnixMillis};

impl Boards {
    /// Looks at the rooms that want it, again and again: ticks them, and asks for their compaction when that
    /// is due.
    pub(super) async fn keep_ticking(self: Arc<Self>) {
        let room = &self.settings.room;
        let shortest = (room.compact_after)
            .min(room.compact_every)
            .min(self.settings.room_idle);
        let every = (shortest / 4).clamp(limits::TICK_MIN, limits::TICK_MAX);
        loop {
            self.host.sleep(every).await;
            let idle = self.documents.take_idle(self.now().tick);
            if !idle.is_empty() {
                self.host.block(Box::new(move || drop(idle)));
            }
            let now = self.now().tick;
            for cell in self.slots.all().into_iter().filter(|cell| cell.is_due(now)) {
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
    pub(super) async fn keep_unloading(self: Arc<Self>) {
        loop {
            self.host
                .sleep(self.settings.room_sweep.max(Duration::from_millis(10)))
                .await;
            for cell in self.slots.all() {
                let now = self.now().tick;
                let may = |room: &Room| room.may_unload(self.settings.room_idle, now);
                if self.slots.unload(&cell, may) {
                    tracing::info!(board = %cell.id(), "room unloaded");
                    self.version_at_end(&cell);
                    self.step(&cell, |room, effects| room.end_feed(effects));
                    self.release(cell);
                }
            }
        }
    }

    /// Lets go of a room that has left its slot: what it keeps may take a while to free.
    pub(super) fn release(&self, cell: Arc<RoomCell>) {
        self.host.block(Box::new(move || drop(cell)));
    }

    /// Writes the counts of repeated refusals, and has old audit entries and sessions that are over removed.
    pub(super) async fn keep_auditing(self: Arc<Self>) {
        let mut pruned: Option<Tick> = None;
        loop {
            let now = self.now();
            if pruned.is_none_or(|at| now.tick.since(at) >= limits::AUDIT_PRUNE_EVERY) {
                pruned = Some(now.tick);
                let kept = u64::try_from(self.settings.audit.as_millis()).unwrap_or(u64::MAX);
                self.committer
                    .prune_audit(UnixMillis(now.unix.0.saturating_sub(kept)));
                self.committer.prune_sessions(now.unix);
                self.committer.prune_uploads(self.oldest_upload());
            }
            self.host.sleep(limits::AUDIT_COUNT_EVERY).await;
            self.write_refusals();
        }
    }

    /// Queues a compaction.
    pub(crate) fn request_compaction(&self, cell: &Arc<RoomCell>) {
        if cell.lock().mark_compaction_queued() {
            // The receiver lives as long as this does.
            let queued = self.compactions.0.try_send(Arc::clone(cell));
            queued.unwrap_or_default();
        }
    }

    /// Compacts the rooms that were queued, one after the other.
    pub(super) async fn keep_compacting(self: Arc<Self>) {
        while let Ok(cell) = self.compactions.1.recv().await {
            if fenced(self.compact(&cell)).await.is_err() {
                self.give_up(&cell, Fault::Internal);
            }
        }
    }

    /// Replaces a room's log by one full state, in memory and on disk.
    pub(crate) async fn compact(self: &Arc<Self>, cell: &Arc<RoomCell>) {
        let Some((capture, covers)) = cell.lock().begin_compaction() else {
            return;
        };
        let started = self.now().tick;
        let room = Arc::clone(cell);
        let work = async {
            let compacted = self.unblock(move || board::compact(&capture)).await?;
            let bytes = room.lock().board().encoded_bytes();
            self.disk_takes_large(bytes).await;
            self.version_before_deletion(&room, compacted.live_count()).await;
            Ok::<_, board::ApartError>(catch_up(&self.host, &room, compacted).await)
        };
        match fenced(work).await {
            Ok(Ok(Some(compacted))) => {
                let state = compacted.bytes();
                self.step(cell, |room, effects| {
                    room.finish_compaction(compacted, covers, effects)
                });
                self.metrics.compacted(self.now().tick.since(started));
                self.version_if_due(cell, state, covers);
            }
            failed => {
                let cause = failed
                    .err()
                    .map_or("its output did not verify", |_| "it panicked");
                tracing::error!(board = %cell.id(), cause, "compaction failed; the log is kept");
                let mut room = cell.lock();
                room.abandon_compaction();
                cell.note(&room);
                self.metrics.compaction_failed();
            }
        }
    }

    /// Compacts every room that has something to compact, after what is compacting already: the final save.
    pub(crate) async fn compact_all(self: &Arc<Self>) {
        if self.standing().is_some() {
            // They have been handed over, and others compact them.
            return;
        }
        for cell in self.slots.all() {
            while cell.lock().is_apart() {
                self.host.sleep(limits::TICK_MIN).await;
            }
            if cell.lock().is_uncompacted() {
                self.compact(&cell).await;
            }
        }
    }

    /// Tells every member why the server closes.
    pub(crate) fn close_rooms(self: &Arc<Self>, fault: Fault) {
        for cell in self.slots.all() {
            self.step(&cell, |room: &mut Room, effects| room.close_all(fault, effects));
        }
    }
}
