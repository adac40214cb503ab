//! One connection's protocol state: what its messages mean, and what they may do.
//!
//! Owns the order of checks: decode, rate, rights, room. Must not know sockets or timers; it says how long to
//! wait before the next message is read, and which update has to join off the room's lock. Key invariants: an
//! update of somebody without edit is never accepted, nor read where it is large; what a message costs beyond
//! its own counts as further messages.

use std::time::Duration;

use bytes::Bytes;

use crate::fault::Fault;
use crate::ids::{Level, MemberId};
use crate::limits;
use crate::room::awareness;
use crate::room::outgoing::Out;
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
    /// Steps of awareness that changed nothing, not counted yet.
    idle_steps: u64,
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
    /// Takes so many messages; returns how long to wait before there is one to take again.
    fn take(&mut self, messages: u32, now: Tick) -> Duration {
        let each = Duration::from_secs(1) / self.per_second.max(1);
        self.full_at = self.full_at.max(now).after(each.saturating_mul(messages));
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
            idle_steps: 0,
        }
    }

    /// Its place in the room.
    #[must_use]
    pub fn member(&self) -> MemberId {
        self.member
    }

    /// Handles one binary WebSocket message, up to an update that has to join apart.
    ///
    /// # Errors
    /// The [`Fault`] to close the connection with. Messages before the faulty one have taken effect.
    pub fn handle(
        &mut self,
        frame: &Bytes,
        room: &mut Room,
        now: Now,
        effects: &mut Effects,
    ) -> Result<Handled, Fault> {
        let rest = Rest {
            frame: frame.clone(),
            at: 0,
            count: 0,
        };
        self.go_on(rest, room, now, effects)
    }

    /// Goes on with a WebSocket message behind an update that has joined apart, with this outcome.
    ///
    /// # Errors
    /// As for [`Self::handle`].
    pub fn resume(
        &mut self,
        (rest, outcome): (Rest, UpdateOutcome),
        room: &mut Room,
        now: Now,
        effects: &mut Effects,
    ) -> Result<Handled, Fault> {
        if outcome == UpdateOutcome::Hole {
            room.ask(self.member, now.tick, effects);
        }
        self.go_on(rest, room, now, effects)
    }

    fn go_on(
        &mut self,
        mut rest: Rest,
        room: &mut Room,
        now: Now,
        effects: &mut Effects,
    ) -> Result<Handled, Fault> {
        if let Some(fault) = room.closing(self.member) {
            return Err(fault);
        }
        if room.is_retired() {
            // The board has, or will have, another room, or is being deleted: this connection is closed as
            // soon as that is certain, and what it brings now comes again at its next one.
            return Ok(Handled::Done(Duration::ZERO));
        }
        let frame = rest.frame.clone();
        let mut messages = Messages::at(&frame, rest.at);
        let mut wait = Duration::ZERO;
        while let Some(message) = messages.next_message().map_err(|_| Fault::MalformedMessage)? {
            if let Some(fault) = room.closing(self.member) {
                return Err(fault);
            }
            rest.count += 1;
            if rest.count > limits::MESSAGES_PER_FRAME_MAX {
                return Err(Fault::MalformedMessage);
            }
            let before = effects.steps;
            let handled = self.handle_message(message, &frame, Step { room, now, effects })?;
            let steps = effects.steps.saturating_sub(before);
            let units = units(message.body_bytes(), steps);
            match handled {
                Counted::Yes => wait = self.rate.take(units, now.tick),
                Counted::No => wait = wait.max(self.take_idle(steps, now.tick)),
                Counted::Apart(update) => {
                    self.rate.take(units, now.tick);
                    rest.at = messages.position();
                    return Ok(Handled::Apart(update, rest));
                }
            }
        }
        if rest.count == 0 {
            // A frame without any message is no way around the rate.
            wait = self.rate.take(1, now.tick);
        }
        Ok(Handled::Done(wait))
    }

    /// Counts awareness that changed nothing: as one message for each so many steps. Stock clients send back
    /// what they learn.
    fn take_idle(&mut self, steps: u64, now: Tick) -> Duration {
        let idle = self.idle_steps.saturating_add(steps);
        self.idle_steps = idle % limits::AWARENESS_IDLE_STEPS;
        match u32::try_from(idle / limits::AWARENESS_IDLE_STEPS) {
            Ok(0) => Duration::ZERO,
            messages => self.rate.take(messages.unwrap_or(u32::MAX), now),
        }
    }

    /// Counts so many messages towards the rate; returns how long to wait before the next is read.
    pub fn charge(&mut self, messages: u32, now: Tick) -> Duration {
        self.rate.take(messages, now)
    }

    /// The same for steps that an update has cost apart.
    pub fn charge_steps(&mut self, steps: u64, now: Tick) -> Duration {
        self.charge(units(0, steps).saturating_sub(1), now)
    }

    fn handle_message(
        &mut self,
        message: Message<'_>,
        frame: &Bytes,
        step: Step<'_>,
    ) -> Result<Counted, Fault> {
        let Step { room, now, effects } = step;
        match message {
            Message::SyncStep1(asked) => room.answer_step_1(self.member, asked, effects)?,
            Message::SyncStep2(update) | Message::Update(update) => {
                return self.handle_update(&owned(frame, update), Step { room, now, effects });
            }
            Message::Awareness(payload) => {
                let heard = room
                    .apply_awareness(self.member, payload, now, effects)
                    .map_err(awareness::Refused::fault)?;
                if !heard.changed {
                    return Ok(Counted::No);
                }
            }
            Message::QueryAwareness => room.answer_query_awareness(self.member, effects),
            Message::Unknown => effects.tally.unknown_messages += 1,
        }
        Ok(Counted::Yes)
    }

    fn handle_update(&mut self, update: &Bytes, step: Step<'_>) -> Result<Counted, Fault> {
        let Step { room, now, effects } = step;
        let is_large = update.len() >= limits::APART_FROM_BYTES;
        if room.level(self.member) != Some(Level::Edit) {
            // A large one is not looked into: whether it brings something new is not worth what finding out
            // takes.
            if is_large || room.would_change(update, effects).map_err(Refused::fault)? {
                effects.tally.denied += 1;
                if due(&mut self.denied_at, now.tick) {
                    let frame = sync::denied_frame("this connection may not change the board");
                    room.tell(self.member, Out::message(frame), effects);
                }
            }
            return Ok(Counted::Yes);
        }
        if is_large {
            return Ok(Counted::Apart(update.clone()));
        }
        let outcome = room
            .accept(Some(self.member), update, now, effects)
            .map_err(Refused::fault)?;
        match outcome {
            UpdateOutcome::Hole => room.ask(self.member, now.tick, effects),
            UpdateOutcome::Apart => return Ok(Counted::Apart(update.clone())),
            UpdateOutcome::New | UpdateOutcome::Known => {}
        }
        Ok(Counted::Yes)
    }
}

/// What became of a WebSocket message.
#[derive(Debug)]
pub enum Handled {
    /// All of it was handled; so long to wait before the next is read.
    Done(Duration),
    /// This update has to join apart; then [`Session::resume`] goes on with the rest.
    Apart(Bytes, Rest),
}

/// What is left of a WebSocket message.
#[derive(Debug)]
pub struct Rest {
    frame: Bytes,
    at: usize,
    /// Messages before it.
    count: usize,
}

/// As how many messages one counts: by its bytes, and by the steps that it took.
fn units(bytes: usize, steps: u64) -> u32 {
    let by_bytes = u64::try_from(bytes / limits::MESSAGE_UNIT_BYTES).unwrap_or(u64::MAX);
    let by_steps = steps / limits::MESSAGE_UNIT_STEPS;
    u32::try_from(by_bytes.saturating_add(by_steps).saturating_add(1)).unwrap_or(u32::MAX)
}

/// The bytes of `part`, which lies in `frame`: shared, unless that would keep a much larger frame in memory
/// for it.
fn owned(frame: &Bytes, part: &[u8]) -> Bytes {
    if part.len() < frame.len() / 2 {
        Bytes::copy_from_slice(part)
    } else {
        frame.slice_ref(part)
    }
}

/// Whether a message counts towards the rate.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Counted {
    Yes,
    /// Awareness that changed nothing: only its steps count.
    No,
    /// It does, and this update of it has to join apart.
    Apart(Bytes),
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
