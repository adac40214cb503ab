//! What time brings to a room.
//!
//! Owns what a look at the time does. Must not read a clock. Key invariant: a look finds the same however long it was put
//! off, so that one which comes late only does late what it would have done. Tests: `room/tests/time.rs`.

use crate::fault::Fault;
use crate::limits;
use crate::room::member::Member;
use crate::room::outgoing::{Kind, Out};
use crate::room::{Effects, Room};
use crate::sync;
use crate::time::Now;

impl Room {
    /// Does what has become due: pings, keepalives, ends of credentials (which are decided about outside), silent and stuck connections, expired
    /// presence. Called every second or more often.
    pub fn tick(&mut self, now: Now, effects: &mut Effects) {
        if self.awareness.expire(now.tick) {
            self.schedule_awareness(effects);
        }
        self.expire_agents(now.tick, effects);
        for member in self.members.iter_mut().flatten() {
            if let Some(fault) = overdue(member, now) {
                member.close(fault, effects);
                continue;
            }
            if !self.deciding && member.joiner.ends_at.is_some_and(|end| now.unix >= end) {
                self.deciding = true;
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
        self.ask_owing(now.tick, effects);
        self.nudge_owing(now.tick, effects);
        if self.outbox.len_bytes() > 0 {
            self.cut_outbox(effects);
        }
    }
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
