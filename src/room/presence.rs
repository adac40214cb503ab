//! What a room tells its members of each other's presence, and when.
//!
//! Owns the coalescing of awareness and the nudges that make a returning client visible at once. Must not
//! know who may say what; `awareness` decides it. Key invariants: one broadcast is due at a time, and
//! bounded; a client is made to announce itself at its claim, and otherwise at most once in
//! `limits::RETELL_EVERY`. Tests: `room/tests/presence.rs`.

use crate::ids::{Level, MemberId, Subject};
use crate::limits;
use crate::room::awareness::{self, First, Speaker};
use crate::room::member::{Joiner, Member};
use crate::room::outgoing::Out;
use crate::room::{Effects, Room};
use crate::sync;
use crate::time::{Now, Tick, UnixMillis};

/// Somebody who is connected, or an agent that is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Present {
    /// Its place in the room.
    pub member: MemberId,
    /// Whom it acts for.
    pub subject: Subject,
    /// What a user is called, by whoever signed them in; `None` for others.
    pub name: Option<Box<str>>,
    /// The live awareness ids that it claimed; none of an agent that is shown.
    pub clients: Vec<u64>,
    /// What it may do.
    pub level: Level,
    /// When it connected; of an agent, since when it is shown.
    pub connected_at: UnixMillis,
    /// Its awareness state, as JSON; `None` while it has none. Of one that speaks for several ids, that which
    /// it claimed.
    pub state: Option<String>,
}

/// What an awareness message did, and what it cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Heard {
    /// Something changed: it counts as a message, and by its bytes.
    pub changed: bool,
    /// Steps spent, as [`limits::AWARENESS_STEPS`] allows them. A message that changed nothing is meant to
    /// count as one message for each [`limits::AWARENESS_IDLE_STEPS`] of them: less than one for what a stock
    /// client sends back, ten and more for the largest message that is about other people's ids.
    pub steps: u64,
}

impl Room {
    /// Applies an awareness payload from `id`.
    ///
    /// # Errors
    /// [`awareness::Refused`]; nothing was applied then.
    pub fn apply_awareness(
        &mut self,
        id: MemberId,
        payload: &[u8],
        now: Now,
        effects: &mut Effects,
    ) -> Result<Heard, awareness::Refused> {
        let mut meter = limits::AWARENESS_STEPS.meter(payload.len());
        let Some(member) = self.member_mut(id) else {
            return Ok(Heard::default());
        };
        let first = std::mem::replace(&mut member.first_awareness, First::No);
        if member.unheard_until.take().is_some() {
            effects.wakers.extend(member.waker.take());
        }
        let subject = member.joiner.subject.clone();
        let speaker = Speaker {
            member: id,
            subject: &subject,
            first,
            now: now.tick,
        };
        let applied = self.awareness.apply(payload, speaker, &mut meter)?;
        if applied.changed {
            self.active_at = now.tick;
            self.schedule_awareness(effects);
        }
        if let Some(payload) = applied.answer {
            self.tell(id, Out::message(sync::awareness_frame(&payload)), effects);
        }
        if let Some(claim) = applied.claimed {
            self.note_presence(effects);
            self.welcome(id, claim, now.tick, effects);
        }
        effects.steps = effects.steps.saturating_add(meter.spent());
        Ok(Heard {
            changed: applied.changed,
            steps: meter.spent(),
        })
    }

    /// A connection has said which client id is its own: it may have been here before.
    fn welcome(&mut self, id: MemberId, claim: awareness::Claim, now: Tick, effects: &mut Effects) {
        // Others may still hold its last clock and ignore it; made to announce itself anew, it raises it.
        self.nudge(id, claim.id, effects);
        if claim.returning {
            // In turn it holds the clocks that the others had when it left.
            for member in self.members.iter_mut().flatten() {
                member.nudge_owed = true;
            }
            if let Some(member) = self.member_mut(id) {
                member.nudge_owed = false;
            }
            self.nudge_owing(now, effects);
        }
        let editor = self.level(id) == Some(Level::Edit);
        if !editor {
            return;
        }
        let mut meter = limits::UPDATE_STEPS.meter(self.board.encoded_bytes());
        let tail = (self.board).tail_of(claim.id, limits::ECHO_AGAIN_BYTES_MAX, &mut meter);
        effects.steps = effects.steps.saturating_add(meter.spent());
        if let Some(tail) = tail {
            self.queue_echo(id, tail, effects);
        }
    }

    /// Makes those announce themselves anew who owe it, each at most once in [`limits::RETELL_EVERY`]; the
    /// others are left to a later [`Room::tick`].
    pub(super) fn nudge_owing(&mut self, now: Tick, effects: &mut Effects) {
        let mut due = Vec::new();
        let mut later: Option<Tick> = None;
        for (index, slot) in (0u32..).zip(&mut self.members) {
            let Some(member) = slot.as_mut().filter(|member| member.nudge_owed) else {
                continue;
            };
            match member.nudged_at.map(|at| at.after(limits::RETELL_EVERY)) {
                Some(again) if again > now => later = Some(later.map_or(again, |later| later.min(again))),
                _ => {
                    member.nudge_owed = false;
                    member.nudged_at = Some(now);
                    due.push(MemberId::new(index));
                }
            }
        }
        if let Some(later) = later {
            self.look_by(later);
        }
        for owner in due {
            let claimed: Vec<u64> = self.awareness.claimed_by(owner).collect();
            for id in claimed {
                self.nudge(owner, id, effects);
            }
        }
    }

    /// Makes those announce themselves anew to whom an id has passed.
    pub(super) fn nudge_owed(&mut self, effects: &mut Effects) {
        for (member, id) in self.awareness.take_owed() {
            self.nudge(member, id, effects);
        }
    }

    fn nudge(&mut self, member: MemberId, awareness_id: u64, effects: &mut Effects) {
        if let Some(payload) = self.awareness.nudge(awareness_id) {
            self.tell(member, Out::message(sync::awareness_frame(&payload)), effects);
        }
    }

    /// Who is connected, in the order of their places, then agents that are shown: the first `limit` after
    /// `after`.
    #[must_use]
    pub fn present(&self, after: Option<MemberId>, limit: usize) -> Vec<Present> {
        let from = after.map_or(0, |after| after.index().saturating_add(1));
        let members = (0u32..)
            .zip(&self.members)
            .skip(from)
            .filter_map(|(index, slot)| {
                let (member, id) = (slot.as_ref()?, MemberId::new(index));
                Some(self.present_as(id, member))
            });
        members.chain(self.present_agents(after)).take(limit).collect()
    }

    /// A member as others are told of it.
    pub(super) fn present_as(&self, id: MemberId, member: &Member) -> Present {
        let joiner = &member.joiner;
        Present {
            member: id,
            subject: joiner.subject.clone(),
            name: name(joiner),
            clients: self.awareness.claimed_by(id).collect(),
            level: joiner.level,
            connected_at: member.joined_at,
            state: self.awareness.state_of(id).map(str::to_owned),
        }
    }

    /// Answers a query for all awareness states.
    pub fn answer_query_awareness(&mut self, id: MemberId, effects: &mut Effects) {
        if self.awareness.is_empty() {
            return self.tell(id, Out::message(sync::keepalive_frame()), effects);
        }
        if let Some(member) = self.member_mut(id) {
            // Who asks again while the answer is on its way gets what has changed since as everybody does.
            member.states_from.get_or_insert(0);
            effects.tally.frames += 1;
            effects.wakers.extend(member.waker.take());
        }
    }

    pub(super) fn schedule_awareness(&mut self, effects: &mut Effects) {
        effects.awareness_due |= !self.awareness_scheduled;
        self.awareness_scheduled = true;
    }

    /// Broadcasts what changed in the awareness table since the last time.
    pub fn broadcast_awareness(&mut self, effects: &mut Effects) {
        self.awareness_scheduled = false;
        let each = limits::AWARENESS_ROOM_TURN_BYTES_MAX / self.member_count.max(1);
        let changes = self
            .awareness
            .take_changes(each.min(limits::AWARENESS_TURN_BYTES_MAX));
        if let Some(changes) = changes {
            effects.tally.awareness_broadcasts += 1;
            self.broadcast(&sync::awareness_frame(&changes), None, effects);
        }
        if self.awareness.has_changes() {
            self.schedule_awareness(effects);
        }
    }
}

/// What whoever signed a user in calls them.
fn name(joiner: &Joiner) -> Option<Box<str>> {
    let mut tokens = joiner.credentials.tokens.iter();
    let token = tokens.find(|token| Subject::user(&token.user) == joiner.subject)?;
    token.name.clone()
}
