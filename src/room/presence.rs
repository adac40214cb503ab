//! What a room tells its members of each other's presence, and when.
//!
//! Owns the coalescing of awareness and the nudges that make a returning client visible at once. Must not know who
//! may say what; `awareness` decides it. Key invariants: one broadcast is due at a time; a client is made to announce
//! itself at its claim, and otherwise at most once in `limits::RETELL_EVERY`. Tests: `room/tests.rs`.

use std::collections::BTreeMap;

use crate::ids::{Level, Subject};
use crate::limits;
use crate::room::awareness::{self, Applied, First, Speaker};
use crate::room::member::{MemberId, Out};
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
    /// What it may do.
    pub level: Level,
    /// When it connected; of an agent, since when it is shown.
    pub connected_at: UnixMillis,
    /// Its awareness state, as JSON; `None` while it has none. Of one that speaks for several ids, that which it claimed.
    pub state: Option<String>,
}

impl Room {
    /// Applies an awareness payload from `id`.
    ///
    /// # Errors
    /// [`awareness::Malformed`] when it does not decode.
    pub fn apply_awareness(
        &mut self,
        id: MemberId,
        payload: &[u8],
        now: Now,
        effects: &mut Effects,
    ) -> Result<bool, awareness::Malformed> {
        let Some(member) = self.member_mut(id) else {
            return Ok(false);
        };
        let first = std::mem::replace(&mut member.first_awareness, First::No);
        let subject = member.joiner.subject.clone();
        let speaker = Speaker {
            member: id,
            subject: &subject,
            first,
            now: now.tick,
        };
        let Applied { changed, claimed } = self.awareness.apply(payload, speaker)?;
        if changed {
            self.active_at = now.tick;
            self.schedule_awareness(effects);
        }
        if let Some(claim) = claimed {
            self.welcome(id, claim, now.tick, effects);
        }
        Ok(changed)
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
        if editor && let Some(tail) = self.board.tail_of(claim.id, limits::ECHO_AGAIN_BYTES_MAX) {
            self.queue_echo(id, tail, effects);
        }
    }

    /// Makes those announce themselves anew who owe it, each at most once in [`limits::RETELL_EVERY`]; the others are
    /// left to a later [`Room::tick`].
    pub(super) fn nudge_owing(&mut self, now: Tick, effects: &mut Effects) {
        let mut due = Vec::new();
        for (index, slot) in self.members.iter_mut().enumerate() {
            let Some(member) = slot.as_mut().filter(|member| member.nudge_owed) else {
                continue;
            };
            if member
                .nudged_at
                .is_none_or(|at| now.since(at) >= limits::RETELL_EVERY)
            {
                member.nudge_owed = false;
                member.nudged_at = Some(now);
                due.push(index);
            }
        }
        if due.is_empty() {
            return;
        }
        let claimed: Vec<(u64, MemberId)> = self.awareness.claimants().collect();
        for (id, owner) in claimed
            .into_iter()
            .filter(|(_, owner)| due.contains(&owner.index()))
        {
            self.nudge(owner, id, effects);
        }
    }

    fn nudge(&mut self, member: MemberId, awareness_id: u64, effects: &mut Effects) {
        if let Some(payload) = self.awareness.nudge(awareness_id) {
            self.tell(member, Out::message(sync::awareness_frame(&payload)), effects);
        }
    }

    /// Who is connected, in the order of their places, then agents that are shown: the first `limit` after `after`.
    #[must_use]
    pub fn present(&self, after: Option<MemberId>, limit: usize) -> Vec<Present> {
        let states: BTreeMap<MemberId, &str> = self.awareness.live().collect();
        let from = after.map_or(0, |after| after.index().saturating_add(1));
        let members = self
            .members
            .iter()
            .enumerate()
            .skip(from)
            .filter_map(|(index, slot)| {
                let member = slot.as_ref()?;
                let id = MemberId::new(u32::try_from(index).ok()?);
                Some(Present {
                    member: id,
                    subject: member.joiner.subject.clone(),
                    level: member.joiner.level,
                    connected_at: member.joined_at,
                    state: states.get(&id).map(|state| (*state).to_owned()),
                })
            });
        let agents = self.present_agents(|member| states.get(&member).map(|state| (*state).to_owned()));
        let agents = agents
            .into_iter()
            .filter(|agent| after.is_none_or(|after| agent.member > after));
        members.chain(agents).take(limit).collect()
    }

    /// Answers a query for all awareness states.
    pub fn answer_query_awareness(&mut self, id: MemberId, effects: &mut Effects) {
        let frame = self
            .awareness
            .states()
            .map_or_else(sync::keepalive_frame, |s| sync::awareness_frame(&s));
        self.tell(id, Out::message(frame), effects);
    }

    pub(super) fn schedule_awareness(&mut self, effects: &mut Effects) {
        effects.awareness_due |= !self.awareness_scheduled;
        self.awareness_scheduled = true;
    }

    /// Broadcasts what changed in the awareness table since the last time.
    pub fn broadcast_awareness(&mut self, effects: &mut Effects) {
        self.awareness_scheduled = false;
        if let Some(changes) = self.awareness.take_changes() {
            effects.tally.awareness_broadcasts += 1;
            self.broadcast(&sync::awareness_frame(&changes), None, effects);
        }
    }
}
