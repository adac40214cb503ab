//! What time brings to a room, and when it next brings something.
//!
//! Owns what a look at the time does ([`Room::tick`]) and when the next one is worth it ([`Room::next_due`]).
//! Must not read a clock. Key invariant: whatever makes something due earlier says so to `Room::look_by`, or
//! is asked where it lies. Tests: `room/tests/time.rs`, and `room/tests/due.rs`, in which a room that is
//! looked at only when it says so does what one does that is looked at all the time.

use std::time::Duration;

use crate::fault::Fault;
use crate::limits;
use crate::room::agents::Shown;
use crate::room::member::Member;
use crate::room::outgoing::{Kind, Out};
use crate::room::{Effects, Room};
use crate::sync;
use crate::time::{Now, Tick, UnixMillis};

/// When a room was looked at, and when it wants to be again.
#[derive(Debug)]
pub(super) struct Looks {
    last: Tick,
    /// Before this nothing becomes due for a member or an agent. It is found by one walk over all of them at
    /// each look; between two looks it only moves to earlier.
    next: Option<Tick>,
}

impl Looks {
    pub(super) fn new(now: Tick) -> Self {
        Self {
            last: now,
            next: None,
        }
    }
}

impl Room {
    /// When to look at the room next: [`Self::tick`], then [`Self::compaction_due`]; at once where that is
    /// past. `None` is for not before something else happens to it. Unloading is not in it:
    /// [`Self::unload_due`].
    ///
    /// To be asked anew after each step of the room, after each look, and after what is done to it without
    /// effects: [`Self::note_reconsidered`], [`Self::abandon_joining`] and [`Self::abandon_compaction`].
    /// Nothing has to be said of signs of life: they put off what is due, or ([`Pulse::blocked`]) bring
    /// something that is later than the next look. What they have put off is found at a look that finds
    /// nothing to do, at most one in [`limits::KEEPALIVE_AFTER`].
    ///
    /// # Resolution
    /// Exact, but for two things. What was sent is dropped from memory, and who is too far behind ends,
    /// [`limits::TICK_MAX`] after the last look. Where the calendar clock was set, the end of a credential is
    /// seen at the look after, at most [`limits::KEEPALIVE_AFTER`] later.
    ///
    /// # Cost
    /// The same for any number of members.
    ///
    /// [`Pulse::blocked`]: crate::room::member::Pulse::blocked
    #[must_use]
    pub fn next_due(&self) -> Option<Tick> {
        let is_holding = self.outbox.len_bytes() > 0;
        let due = [
            self.looks.next,
            self.awareness.next_due(),
            is_holding.then(|| self.looks.last.after(limits::TICK_MAX)),
            self.next_compaction(),
        ];
        due.into_iter().flatten().min().filter(|_| !self.retired)
    }

    /// Something may be due at `at`, or before.
    pub(super) fn look_by(&mut self, at: Tick) {
        self.looks.next = Some(self.looks.next.map_or(at, |next| next.min(at)));
    }

    /// Does what has become due: pings, keepalives, ends of credentials (which are decided about outside),
    /// silent and stuck connections, expired presence. Nothing is, before [`Self::next_due`].
    pub fn tick(&mut self, now: Now, effects: &mut Effects) {
        if self.awareness.expire(now.tick) {
            self.schedule_awareness(effects);
        }
        self.expire_agents(now.tick, effects);
        for member in self.members.iter_mut().flatten() {
            if member.closing.is_some() {
                continue;
            }
            if let Some(fault) = overdue(member, now) {
                member.close(fault, effects);
                continue;
            }
            if !self.reconsidering && member.joiner.ends_at.is_some_and(|end| now.unix >= end) {
                self.reconsidering = true;
                effects.access_due = true;
            }
            if now.tick.since(member.joiner.pulse.told_at()) >= limits::KEEPALIVE_AFTER {
                member.joiner.pulse.told(now.tick);
                member.push(Out::message(sync::keepalive_frame()), effects);
            }
            if member.unheard_until.is_some_and(|until| now.tick >= until) {
                member.unheard_until = None;
                effects.wakers.extend(member.waker.take());
            }
            if now.tick.since(member.pinged_at) >= limits::PING_EVERY {
                member.pinged_at = now.tick;
                let ping = Out {
                    kind: Kind::Ping,
                    ..Out::message(sync::ping_frame())
                };
                member.push(ping, effects);
            }
        }
        if !self.reconsidering && self.followers_end_at().is_some_and(|end| now.unix >= end) {
            self.reconsidering = true;
            effects.access_due = true;
        }
        self.ask_owing(now.tick, effects);
        self.nudge_owing(now.tick, effects);
        if self.outbox.len_bytes() > 0 {
            self.cut_outbox(effects);
        }
        self.looks = Looks {
            last: now.tick,
            next: self.next_of_all(now),
        };
    }

    /// When something is next due for a member or an agent, by looking at each.
    fn next_of_all(&self, now: Now) -> Option<Tick> {
        let staying = self.members.iter().flatten().filter(|m| m.closing.is_none());
        let members = staying.map(|member| self.next_of(member, now));
        let ends_at = self.followers_end_at().filter(|_| !self.reconsidering);
        let followers = ends_at.map(|end| now.tick.after(left(end, now)));
        let agents = self.agents.iter().map(Shown::until);
        members.chain(agents).chain(followers).min()
    }

    /// When something is next due for a member that is not about to end.
    pub(super) fn next_of(&self, member: &Member, now: Now) -> Tick {
        let pulse = &member.joiner.pulse;
        let always = [
            pulse.received_at().after(limits::SILENCE_MAX),
            pulse.told_at().after(limits::KEEPALIVE_AFTER),
            member.pinged_at.after(limits::PING_EVERY),
        ];
        // Once it has ended and is being decided about, nothing more of the kind is due.
        let ends_at = member.joiner.ends_at.filter(|_| !self.reconsidering);
        let told_at = |at: Option<Tick>| at.map_or(now.tick, |at| at.after(limits::RETELL_EVERY));
        let sometimes = [
            pulse.blocked_since().map(|at| at.after(limits::JOIN_STALL_MAX)),
            member.unheard_until,
            ends_at.map(|end| now.tick.after(left(end, now))),
            member.ask_owed.then(|| told_at(member.asked_at)),
            member.nudge_owed.then(|| told_at(member.nudged_at)),
        ];
        let sometimes = sometimes.into_iter().flatten();
        always
            .into_iter()
            .chain(sometimes)
            .fold(Tick(u64::MAX), Tick::min)
    }
}

/// How long it is until then.
fn left(end: UnixMillis, now: Now) -> Duration {
    Duration::from_millis(end.0.saturating_sub(now.unix.0))
}

/// Why a connection must end by now, if it must.
fn overdue(member: &Member, now: Now) -> Option<Fault> {
    let pulse = &member.joiner.pulse;
    if now.tick.since(pulse.received_at()) >= limits::SILENCE_MAX {
        Some(Fault::ConnectionLost)
    } else if pulse
        .blocked_since()
        .is_some_and(|at| now.tick.since(at) >= limits::JOIN_STALL_MAX)
    {
        Some(Fault::SlowConsumer)
    } else {
        None
    }
}
