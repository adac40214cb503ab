//! One connection's protocol state: what its messages mean, and what they may do.
//!
//! Owns the order of checks: decode, rate, rights, room. Must not know sockets or timers; it says how long to wait
//! before the next message is read. Key invariant: an update of somebody without edit is never accepted.

use std::time::Duration;

use bytes::Bytes;

use crate::fault::Fault;
use crate::ids::Level;
use crate::limits;
use crate::room::member::{MemberId, Out};
use crate::room::{Effects, Room, UpdateOutcome};
use crate::sync::{self, Message, Messages};
use crate::time::{Now, Tick};
use crate::update::Refused;

/// One connection's protocol state.
#[derive(Debug)]
pub struct Session {
    member: MemberId,
    /// When it was last told that it may not write.
    denied_at: Option<Tick>,
    rate: Rate,
}

/// What one message acts on.
struct Step<'a> {
    room: &'a mut Room,
    now: Now,
    effects: &'a mut Effects,
}

/// A token bucket: `limits::MESSAGES_BURST_MAX` deep, refilled at `--max-messages-per-second`.
#[derive(Debug)]
struct Rate {
    per_second: u32,
    /// When the bucket will be full again; the debt is the distance to now.
    full_at: Tick,
}

impl Rate {
    /// Takes one message; returns how long to wait before there is one to take again.
    fn take(&mut self, now: Tick) -> Duration {
        let each = Duration::from_secs(1) / self.per_second.max(1);
        self.full_at = self.full_at.max(now).after(each);
        self.full_at
            .after(each)
            .since(now.after(each * limits::MESSAGES_BURST_MAX))
    }
}

impl Session {
    /// The session of a member that has just joined.
    #[must_use]
    pub fn new(member: MemberId, messages_per_second: u32, now: Tick) -> Self {
        Self {
            member,
            denied_at: None,
            rate: Rate {
                per_second: messages_per_second,
                full_at: now,
            },
        }
    }

    /// Its place in the room.
    #[must_use]
    pub fn member(&self) -> MemberId {
        self.member
    }

    /// Handles one binary WebSocket message; returns how long to wait before the next is read.
    ///
    /// # Errors
    /// The [`Fault`] to close the connection with. Messages before the faulty one have taken effect.
    pub fn handle(
        &mut self,
        frame: &Bytes,
        room: &mut Room,
        now: Now,
        effects: &mut Effects,
    ) -> Result<Duration, Fault> {
        if let Some(fault) = room.closing(self.member) {
            return Err(fault);
        }
        if room.is_retired() {
            // The board has, or will have, another room, or is being deleted: this connection is closed as soon as that is
            // certain, and what it brings now comes again at its next one.
            return Ok(Duration::ZERO);
        }
        let mut messages = Messages::new(frame);
        let mut count = 0usize;
        let mut wait = Duration::ZERO;
        while let Some(message) = messages.next_message().map_err(|_| Fault::MalformedMessage)? {
            if let Some(fault) = room.closing(self.member) {
                return Err(fault);
            }
            count += 1;
            if count > limits::MESSAGES_PER_FRAME_MAX {
                return Err(Fault::MalformedMessage);
            }
            if self.handle_message(message, frame, Step { room, now, effects })? == Counted::Yes {
                wait = self.rate.take(now.tick);
            }
        }
        if count == 0 {
            // A frame without any message is no way around the rate.
            wait = self.rate.take(now.tick);
        }
        Ok(wait)
    }

    fn handle_message(
        &mut self,
        message: Message<'_>,
        frame: &Bytes,
        step: Step<'_>,
    ) -> Result<Counted, Fault> {
        let Step { room, now, effects } = step;
        match message {
            Message::SyncStep1(asked) => {
                room.answer_step_1(self.member, asked, effects)
                    .map_err(|_| Fault::MalformedMessage)?;
            }
            Message::SyncStep2(update) | Message::Update(update) => {
                self.handle_update(&owned(frame, update), Step { room, now, effects })?;
            }
            Message::Awareness(payload) => {
                let changed = room
                    .apply_awareness(self.member, payload, now, effects)
                    .map_err(|_| Fault::MalformedMessage)?;
                if !changed {
                    return Ok(Counted::No);
                }
            }
            Message::QueryAwareness => room.answer_query_awareness(self.member, effects),
            Message::Unknown => effects.tally.unknown_messages += 1,
        }
        Ok(Counted::Yes)
    }

    fn handle_update(&mut self, update: &Bytes, step: Step<'_>) -> Result<(), Fault> {
        let Step { room, now, effects } = step;
        if room.level(self.member) != Some(Level::Edit) {
            if room.would_change(update).map_err(Refused::fault)? {
                effects.tally.denied += 1;
                if due(&mut self.denied_at, now.tick) {
                    let frame = sync::denied_frame("this connection may not change the board");
                    room.tell(self.member, Out::message(frame), effects);
                }
            }
            return Ok(());
        }
        let outcome = room
            .accept(Some(self.member), update, now, effects)
            .map_err(Refused::fault)?;
        if outcome == UpdateOutcome::Hole {
            room.ask(self.member, now.tick, effects);
        }
        Ok(())
    }
}

/// The bytes of `part`, which lies in `frame`: shared, unless that would keep a much larger frame in memory for it.
fn owned(frame: &Bytes, part: &[u8]) -> Bytes {
    if part.len() < frame.len() / 2 {
        Bytes::copy_from_slice(part)
    } else {
        frame.slice_ref(part)
    }
}

/// Whether a message counts towards the rate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Counted {
    Yes,
    /// Awareness that changed nothing: stock clients send back what they learn.
    No,
}

/// Whether `limits::RETELL_EVERY` has passed since `last`, which then becomes now.
fn due(last: &mut Option<Tick>, now: Tick) -> bool {
    let due = last.is_none_or(|at| now.since(at) >= limits::RETELL_EVERY);
    if due {
        *last = Some(now);
    }
    due
}

#[cfg(any(test, fuzzing))]
pub mod fuzzing;
#[cfg(test)]
mod tests;
