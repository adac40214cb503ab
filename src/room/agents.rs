//! Agents that only call HTTP: shown among the members for a few seconds after each change.
//!
//! Owns who is shown so, and until when. Must not know what they did. Key invariants: an agent takes no place
//! of a connection, receives nothing, and its awareness id is nobody else's; who shows itself by a connection
//! is not shown twice. Tests: `room/tests/agents.rs`.

use std::sync::Arc;
use std::time::Duration;

use crate::ids::{Level, MemberId, Subject};
use crate::limits;
use crate::room::presence::Present;
use crate::room::{Effects, Room};
use crate::time::{Now, Tick, UnixMillis};

/// Numbers of agents begin here, where no connection's place ever is; each is its awareness id too.
const AGENTS_FROM: u32 = 1 << 31;

/// Somebody who acted over HTTP.
#[derive(Clone, Debug)]
pub struct Agent {
    /// Whom it acts for.
    pub subject: Subject,
    /// What it may do.
    pub level: Level,
    /// What it is called; kept, so that whoever knows it need not look it up again.
    pub name: Arc<str>,
    /// Its awareness state, as JSON.
    pub state: String,
    /// How long it is shown.
    pub shown_for: Duration,
    /// Any number: what its awareness id is made of.
    pub number: u32,
}

/// One that is shown.
#[derive(Debug)]
pub(super) struct Shown {
    member: MemberId,
    subject: Subject,
    level: Level,
    name: Arc<str>,
    since: UnixMillis,
    until: Tick,
}

impl Shown {
    /// When it is shown no longer.
    pub(super) fn until(&self) -> Tick {
        self.until
    }
}

impl Room {
    /// What the agent that acts for `subject` is called, while it is shown.
    #[must_use]
    pub fn agent_name(&self, subject: &Subject) -> Option<Arc<str>> {
        let shown = self.agents.iter().find(|shown| shown.subject == *subject);
        shown.map(|shown| Arc::clone(&shown.name))
    }

    /// Shows an agent to the members for as long as it wants, from now or for longer.
    pub fn show_agent(&mut self, agent: &Agent, now: Now, effects: &mut Effects) {
        let until = now.tick.after(agent.shown_for);
        let subject = &agent.subject;
        let shown = self.agents.iter().position(|shown| shown.subject == *subject);
        if shown.is_none() && (self.agents.len() >= limits::AGENTS_SHOWN_MAX || self.shows_itself(subject)) {
            return;
        }
        let member = if let Some(shown) = shown.and_then(|at| self.agents.get_mut(at)) {
            shown.until = until;
            shown.level = agent.level;
            shown.member
        } else {
            let member = MemberId::new(AGENTS_FROM | agent.number);
            self.agents.push(Shown {
                member,
                subject: subject.clone(),
                level: agent.level,
                name: Arc::clone(&agent.name),
                since: now.unix,
                until,
            });
            self.note_presence(effects);
            member
        };
        self.look_by(until);
        if self.awareness.show(member, subject, &agent.state, now.tick) {
            self.schedule_awareness(effects);
        }
    }

    /// Whether a connection of `subject` shows presence.
    fn shows_itself(&self, subject: &Subject) -> bool {
        let mut shown = (0u32..).zip(&self.members).filter_map(|(index, slot)| {
            let member = slot.as_ref()?;
            self.awareness.shows(MemberId::new(index)).then_some(member)
        });
        shown.any(|member| member.joiner.subject == *subject)
    }

    /// Ends what was shown for long enough.
    pub(super) fn expire_agents(&mut self, now: Tick, effects: &mut Effects) {
        let Self {
            agents, awareness, ..
        } = self;
        let mut changed = false;
        let count = agents.len();
        agents.retain(|shown| {
            let keep = shown.until > now;
            changed |= !keep && awareness.leave(shown.member, now);
            keep
        });
        let have_gone = agents.len() < count;
        if have_gone {
            self.note_presence(effects);
        }
        if changed {
            self.schedule_awareness(effects);
        }
    }

    /// The agents that are shown, behind `after`, as [`Room::present`] has them.
    pub(super) fn present_agents(&self, after: Option<MemberId>) -> impl Iterator<Item = Present> {
        let behind = |shown: &&Shown| after.is_none_or(|after| shown.member > after);
        let mut shown: Vec<&Shown> = self.agents.iter().filter(behind).collect();
        shown.sort_unstable_by_key(|shown| shown.member);
        shown.into_iter().map(|shown| Present {
            member: shown.member,
            subject: shown.subject.clone(),
            name: None,
            clients: Vec::new(),
            level: shown.level,
            connected_at: shown.since,
            state: self.awareness.state_of(shown.member).map(str::to_owned),
        })
    }
}
