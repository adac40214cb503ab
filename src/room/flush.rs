//! What many members are sent at once: the same bytes, gathered once, to each of them whose line takes them.
//!
//! Owns which members a flush serves. Must not know sockets. Key invariants: a flush serves only
//! members whose own task waits with nothing in hand, and from then until its end is told nothing else sends
//! to them; what a line does not take, the member's own task sends next. Tests: `room/tests/flush.rs`, `sim`.

use std::sync::Arc;

use crate::ids::MemberId;
use crate::limits;
use crate::room::member::{Flushed, Member};
use crate::room::outgoing::{Line, Out};
use crate::room::{Effects, Room};
use crate::time::Tick;

/// Members served by one flush; others have their turn before the next.
const FLUSH_MEMBERS_MAX: usize = 64;

/// Whether somebody sees to a flush.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Flushing {
    /// Nobody does.
    #[default]
    No,
    /// It was asked for, and goes on until nobody is left to be served.
    Asked,
}

/// Bytes on their way to several members.
#[derive(Debug)]
pub struct Flush {
    bytes: Vec<u8>,
    to: Vec<Served>,
}

#[derive(Debug)]
struct Served {
    member: MemberId,
    line: Arc<dyn Line>,
    sent: usize,
}

impl Flush {
    /// Sends them, without the room's lock; how many left in all.
    pub fn send(&mut self) -> usize {
        for served in &mut self.to {
            served.sent = served.line.send(&self.bytes);
        }
        self.to.iter().map(|served| served.sent).sum()
    }
}

impl Room {
    /// Says where the bytes of `id` go, so that it is served with others at once.
    pub fn set_line(&mut self, id: MemberId, line: Arc<dyn Line>) {
        if let Some(member) = self.member_mut(id) {
            member.line = Some(line);
        }
    }

    /// Begins to send those what they lack who wait for it: [`Flush::send`], then [`Self::end_flush`], then
    /// again, until there is nobody left. Whoever has more coming than that serves itself.
    pub fn begin_flush(&mut self, now: Tick, effects: &mut Effects) -> Option<Flush> {
        let has_passed = self.awareness.has_passed();
        let Self { members, outbox, .. } = self;
        let end = outbox.end();
        let mut run = None;
        let (mut bytes, mut to) = (Vec::new(), Vec::new());
        for (index, slot) in members.iter_mut().enumerate() {
            let Some(member) = slot.as_mut().filter(|m| waits(m) && m.cursor < end) else {
                continue;
            };
            if to.len() == FLUSH_MEMBERS_MAX {
                break;
            }
            let Ok(id) = u32::try_from(index).map(MemberId::new) else {
                continue;
            };
            let line = member.line.as_ref().filter(|_| is_plain(member, has_passed));
            let (from, after, authors) = run.get_or_insert_with(|| {
                let from = member.cursor;
                let after = outbox.gather_all(from, &mut bytes, limits::GATHER_BYTES_MAX);
                (from, after, outbox.authors(from, after))
            });
            let is_common = member.cursor == *from && !bytes.is_empty() && !authors.contains(&id);
            match line.filter(|_| is_common) {
                Some(line) => {
                    to.push(Served {
                        member: id,
                        line: Arc::clone(line),
                        sent: 0,
                    });
                    member.cursor = *after;
                    member.flushed = Flushed::Yes;
                    member.joiner.pulse.told(now);
                }
                None => effects.wakers.extend(member.waker.take()),
            }
        }
        if to.is_empty() {
            self.flushing = Flushing::No;
            return None;
        }
        Some(Flush { bytes, to })
    }

    /// Ends a flush: what was not taken is the next that the member's own task sends.
    pub fn end_flush(&mut self, flush: Flush, effects: &mut Effects) {
        let Flush { bytes, to } = flush;
        for served in to {
            let member = self.member_mut(served.member);
            // Its place may be another's by now.
            let is_it = |m: &&mut Member| {
                m.line
                    .as_ref()
                    .is_some_and(|line| Arc::ptr_eq(line, &served.line))
            };
            let Some(member) = member.filter(is_it) else {
                continue;
            };
            let was = std::mem::replace(&mut member.flushed, Flushed::No);
            if let Some(rest) = bytes.get(served.sent..).filter(|rest| !rest.is_empty()) {
                member.push_first(Out::message(rest.to_vec()));
            }
            let has_more =
                member.peek().is_some() || member.closing.is_some() || member.states_from.is_some();
            if has_more || was == Flushed::Awaited {
                effects.wakers.extend(member.waker.take());
            }
        }
    }

    /// Has those served who wait for what was appended to the outbox.
    pub(super) fn ask_flush(&mut self, effects: &mut Effects) {
        if self.flushing == Flushing::No {
            self.flushing = Flushing::Asked;
            effects.flush_due = true;
        }
    }
}

/// Whether a member's task waits, and nobody sends to it.
fn waits(member: &Member) -> bool {
    member.waker.is_some() && member.flushed == Flushed::No
}

/// Whether nothing but the outbox is due for a member, and that is.
fn is_plain(member: &Member, has_passed: bool) -> bool {
    let is_told = member.unheard_until.is_none() || !has_passed;
    is_told
        && member.held.is_none()
        && member.closing.is_none()
        && member.states_from.is_none()
        && member.peek().is_none()
}
