//! What leaves a room: a member's own frames first, then the log from its cursor on.
//!
//! Owns the order of what a member is sent, the bound on what waits for it, and the cutting of the log. Must not know
//! sockets. Key invariants: one member never waits for another; what waits for one member is bounded, the first of its
//! step 2 apart. Tests: `room/tests/outbox.rs`.

use std::task::Waker;

use crate::fault::Fault;
use crate::limits;
use crate::room::member::{Kind, Member, MemberId, Out};
use crate::room::outbox::Log;
use crate::room::{Due, Effects, Room, RoomSettings};
use crate::sync;
use crate::time::Tick;
use crate::update::Reason;
use crate::update::vector::StateVector;

/// Below this the log is not searched for its slowest reader.
pub(super) const CUT_BYTES_MIN: usize = 64 * 1024;

/// A body of at least this size is sent from where it lies instead of being gathered.
const LARGE_BODY_BYTES: usize = 16 * 1024;

impl Room {
    /// What `id` has to send next; bytes are appended to `buffer`. With nothing due, `waker` is kept.
    ///
    /// The caller has sent everything that it was given before.
    pub fn poll_outbound(&mut self, id: MemberId, now: Tick, waker: &Waker, buffer: &mut Vec<u8>) -> Due {
        let Self { members, log, .. } = self;
        let Some(member) = members.get_mut(id.index()).and_then(Option::as_mut) else {
            return Due::Close(Fault::ConnectionLost);
        };
        while let Some(next) = member.peek() {
            if next.body.len() >= LARGE_BODY_BYTES && !buffer.is_empty() {
                return Due::Gathered;
            }
            let Some(out) = member.pop() else { break };
            if out.kind != Kind::Ping {
                member.joiner.pulse.told(now);
            }
            if out.body.len() >= LARGE_BODY_BYTES {
                return Due::Frame(out);
            }
            buffer.extend_from_slice(&out.head);
            buffer.extend_from_slice(&out.body);
            if buffer.len() >= limits::GATHER_BYTES_MAX {
                return Due::Gathered;
            }
        }
        if member.closing.is_none() && member.cursor < log.end() {
            let before = buffer.len();
            member.cursor = log.gather(member.cursor, id, buffer, limits::GATHER_BYTES_MAX);
            if buffer.len() > before {
                member.joiner.pulse.told(now);
            }
        }
        if !buffer.is_empty() {
            return Due::Gathered;
        }
        if let Some(fault) = member.closing {
            return Due::Close(fault);
        }
        if !member.waker.as_ref().is_some_and(|old| old.will_wake(waker)) {
            member.waker = Some(waker.clone());
        }
        Due::Nothing
    }

    /// Whether `id` must end although its socket takes nothing; if not, `waker` is woken when it must.
    pub fn poll_closing(&mut self, id: MemberId, waker: &Waker) -> Option<Fault> {
        let member = self.member_mut(id)?;
        if member.closing.is_none() && !member.alarm.as_ref().is_some_and(|old| old.will_wake(waker)) {
            member.alarm = Some(waker.clone());
        }
        member.closing
    }

    /// Queues a frame for one member, which ends as a slow consumer when too much waits for it.
    pub fn tell(&mut self, id: MemberId, out: Out, effects: &mut Effects) {
        let Self {
            members,
            log,
            settings,
            ..
        } = self;
        if let Some(member) = members.get_mut(id.index()).and_then(Option::as_mut) {
            member.push(out, effects);
            if is_slow(member, log, settings) {
                member.close(Fault::SlowConsumer, effects);
            }
        }
    }

    /// Appends a frame for all but `author` and wakes those asleep.
    pub(super) fn broadcast(&mut self, frame: &[u8], author: Option<MemberId>, effects: &mut Effects) {
        let others = self.member_count - usize::from(author.is_some_and(|a| self.member(a).is_some()));
        if others == 0 {
            return;
        }
        effects.tally.frames += u32::try_from(others).unwrap_or(u32::MAX);
        let before = self.log.end();
        self.log.append(frame, author);
        let after = self.log.end();
        for (index, slot) in self.members.iter_mut().enumerate() {
            let Some(member) = slot else { continue };
            if author.is_some_and(|a| a.index() == index) {
                // Its own frame is nothing to it; were it not moved on, an only author would hold up the cut.
                if member.cursor == before {
                    member.cursor = after;
                }
            } else {
                effects.wakers.extend(member.waker.take());
            }
        }
        if self.log.len_bytes() > self.cut_at {
            self.cut_log(effects);
        }
    }

    /// Cuts the log behind its slowest reader, and drops the readers that are too far behind.
    pub(super) fn cut_log(&mut self, effects: &mut Effects) {
        let Self {
            members,
            log,
            settings,
            ..
        } = self;
        let end = log.end();
        let mut slowest = end;
        for member in members.iter_mut().flatten() {
            if is_slow(member, log, settings) {
                member.close(Fault::SlowConsumer, effects);
            }
            if member.closing.is_some() {
                // It gets nothing of the log any more, so it must not hold up the cut.
                member.cursor = end;
            }
            slowest = slowest.min(member.cursor);
        }
        log.cut(slowest);
        self.cut_at = (log.len_bytes() * 2)
            .max(CUT_BYTES_MIN)
            .min(settings.outbox_bytes_max);
    }

    /// Answers a step 1: exactly the structs that the state vector lacks, and the whole delete set.
    ///
    /// It is made at once: made later, it could hold what its reader has sent since and is not durable yet.
    ///
    /// # Errors
    /// [`Reason`] when the state vector does not decode.
    pub fn answer_step_1(&mut self, id: MemberId, asked: &[u8], effects: &mut Effects) -> Result<(), Reason> {
        let asked = StateVector::parse(asked)?;
        if let Some(kind) = self
            .member(id)
            .filter(|m| m.closing.is_none())
            .map(Member::next_answer)
        {
            let body = self.board.diff(&asked);
            self.tell(
                id,
                Out {
                    head: sync::step_2_head(body.len()),
                    body,
                    kind,
                },
                effects,
            );
        }
        Ok(())
    }

    /// Sends this server's own step 1 to `id`, so that its step 2 fills a hole: at most once in
    /// [`limits::RETELL_EVERY`]. What comes too soon is made good by a later [`Room::tick`].
    pub fn ask(&mut self, id: MemberId, now: Tick, effects: &mut Effects) {
        let Some(member) = self.members.get_mut(id.index()).and_then(Option::as_mut) else {
            return;
        };
        member.ask_owed = member
            .asked_at
            .is_some_and(|at| now.since(at) < limits::RETELL_EVERY);
        if !member.ask_owed {
            member.asked_at = Some(now);
            let frame = sync::step_1_frame(&self.board.state_vector());
            self.tell(id, Out::message(frame), effects);
        }
    }

    /// Asks those again who brought a hole too soon after they were asked.
    pub(super) fn ask_owing(&mut self, now: Tick, effects: &mut Effects) {
        for index in 0..self.members.len() {
            let owing = self
                .members
                .get(index)
                .and_then(Option::as_ref)
                .is_some_and(|m| m.ask_owed);
            if owing && let Ok(index) = u32::try_from(index) {
                self.ask(MemberId::new(index), now, effects);
            }
        }
    }
}

/// Whether more waits for `member` than `--max-outbox-bytes`.
fn is_slow(member: &Member, log: &Log, settings: &RoomSettings) -> bool {
    log.bytes_behind(member.cursor).saturating_add(member.own_bytes()) > settings.outbox_bytes_max
}
