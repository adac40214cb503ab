//! The flush of a room: what was appended leaves to all who wait for it, by one task.
//!
//! Must not know sockets. Key invariant: one lock before the sends and one after, whatever the number of
//! members; the lock is never held over a send. Tests: `room/tests/flush.rs`, `sim`.

use std::sync::Arc;

use smol::future::yield_now;

use crate::boards::Boards;
use crate::boards::slots::RoomCell;
use crate::time::Tick;

impl Boards {
    /// Sends what is due to those who wait for it, until nobody does. It is behind the tasks that were ready
    /// when it was asked for, so that what they append leaves with it.
    ///
    /// `since` is when the first of it came.
    pub(super) async fn flush(self: Arc<Self>, cell: Arc<RoomCell>, mut since: Tick) {
        loop {
            let now = self.now().tick;
            let begun = self.step_fenced(&cell, |room, effects| room.begin_flush(now, effects));
            let Some(Some(mut flush)) = begun else { return };
            self.metrics.sent(flush.send());
            self.metrics.latency().delivered(self.now().tick.since(since));
            // What is due next came after this one began.
            since = now;
            if self
                .step_fenced(&cell, |room, effects| room.end_flush(flush, effects))
                .is_none()
            {
                return;
            }
            yield_now().await;
        }
    }
}
