//! What one connection did, for the one line at its end.
//!
//! Owns [`Summary`]. Must not know sockets or rooms; the connection counts as it goes. Key invariant:
//! counting costs an addition where something was done anyway, and no clock. Tests: tests/it/logs.rs.

use std::time::Duration;

use crate::room::Tally;
use crate::time::Tick;

/// What a connection did so far.
#[derive(Debug, Default)]
pub(crate) struct Summary {
    /// When it came to its board.
    pub(crate) opened: Tick,
    /// WebSocket messages that it sent, and their bytes.
    pub(crate) messages: usize,
    pub(crate) received: usize,
    /// Bytes that its own task wrote.
    pub(crate) sent: usize,
    /// Updates that brought something new.
    pub(crate) accepted: u32,
    /// Updates that would have, from somebody who may not edit.
    pub(crate) denied: u32,
    /// How long it was not read since it had sent more than its rate.
    pub(crate) paused: Duration,
}

impl Summary {
    /// Of a connection that has just come.
    pub(crate) fn new(opened: Tick) -> Self {
        Self {
            opened,
            ..Self::default()
        }
    }

    /// It did a step of its room.
    pub(crate) fn step(&mut self, tally: &Tally) {
        self.accepted += tally.new;
        self.denied += tally.denied;
    }

    /// Its messages came, of so many bytes.
    pub(crate) fn came(&mut self, messages: usize, bytes: usize) {
        self.messages += messages;
        self.received += bytes;
    }

    /// It is not read for a while.
    pub(crate) fn rests(&mut self, wait: Duration) {
        self.paused = self.paused.saturating_add(wait);
    }
}
