//! What leaves a room: a member's own frames first, then the outbox from its cursor on.
//!
//! Owns the order of what a member is sent, the bound on what waits for it, and the cutting of the outbox.
//! Must not know sockets. Key invariants: one member never waits for another; what waits for one member is
//! bounded, the first of its step 2 apart. Tests: `room/tests/outbox.rs`.

use std::sync::atomic::Ordering;
use std::task::Waker;

use bytes::Bytes;

use crate::fault::Fault;
use crate::ids::MemberId;
use crate::limits;
use crate::room::member::{Flushed, Member};
use crate::room::outbox::Outbox;
use crate::room::outgoing::{Kind, Out};
use crate::room::{Due, Effects, Room, RoomSettings};
use crate::sync;
use crate::time::Tick;

/// Below this the outbox is not searched for its slowest reader.
pub(super) const CUT_BYTES_MIN: usize = 64 * 1024;

/// A body of at least this size is sent from where it lies instead of being gathered.
const LARGE_BODY_BYTES: usize = 16 * 1024;

impl Room {
    /// What `id` has to send next; bytes are appended to `buffer`. With nothing due, `waker` is kept.
    ///
    /// The caller has sent everything that it was given before.
    pub fn poll_outbound(&mut self, id: MemberId, now: Tick, waker: &Waker, buffer: &mut Vec<u8>) -> Due {
        let Self {
            members,
            outbox,
            awareness,
            ..
        } = self;
        let Some(member) = members.get_mut(id.index()).and_then(Option::as_mut) else {
            return Due::Close(Fault::ConnectionLost);
        };
        if member.flushed != Flushed::No {
            member.flushed = Flushed::Awaited;
            keep(&mut member.waker, waker);
            return Due::Flushed;
        }
        // It has something in hand from here on, unless it waits again.
        member.waker = None;
        // An answer that is being made holds up what comes after it, so that all leaves in the order it was
        // queued in.
        let is_held = |member: &Member| member.peek().is_some_and(|next| next.awaited.is_some());
        while let Some(next) = member.peek().filter(|next| next.awaited.is_none()) {
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
        let is_told = member.closing.is_none() && (member.unheard_until.is_none() || !awareness.has_passed());
        if let Some(from) = member.states_from.filter(|_| is_told) {
            let (states, rest) = awareness.states(from, limits::AWARENESS_PART_BYTES_MAX);
            member.states_from = rest;
            if let Some(states) = states {
                member.joiner.pulse.told(now);
                buffer.extend_from_slice(&sync::awareness_frame(&states));
            }
        }
        let reads_on = is_told && member.held.is_none() && member.states_from.is_none();
        if reads_on && !is_held(member) && member.cursor < outbox.end() {
            let before = buffer.len();
            member.cursor = outbox.gather(member.cursor, id, buffer, limits::GATHER_BYTES_MAX);
            if buffer.len() > before {
                member.joiner.pulse.told(now);
            }
            if buffer.is_empty()
                && let Some((out, next)) = outbox.large(member.cursor, id)
            {
                member.cursor = next;
                member.joiner.pulse.told(now);
                return Due::Frame(out);
            }
        }
        if !buffer.is_empty() {
            return Due::Gathered;
        }
        if let Some(fault) = member.closing {
            return Due::Close(fault);
        }
        keep(&mut member.waker, waker);
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

    /// Bytes that the room holds: of the board as one update, of what members have yet to get, and of
    /// presence.
    #[must_use]
    pub fn held_bytes(&self) -> [usize; 3] {
        [
            self.board.encoded_bytes(),
            self.outbox.len_bytes(),
            self.awareness.bytes(),
        ]
    }

    /// Notes how much waits for `id`, whose socket took nothing for a while.
    pub fn note_waiting(&self, id: MemberId) {
        if let Some(member) = self.member(id) {
            note_waiting(member, waiting(member, &self.outbox));
        }
    }

    /// Queues a frame for one member, which ends as a slow consumer when too much waits for it.
    pub fn tell(&mut self, id: MemberId, out: Out, effects: &mut Effects) {
        let Self {
            members,
            outbox,
            settings,
            ..
        } = self;
        if let Some(member) = members.get_mut(id.index()).and_then(Option::as_mut) {
            member.push(out, effects);
            if is_slow(member, outbox, settings) {
                member.close(Fault::SlowConsumer, effects);
            }
        }
    }

    /// Appends an update for all but `author` and wakes those asleep; a large one is not copied.
    pub(super) fn broadcast_update(
        &mut self,
        update: &Bytes,
        author: Option<MemberId>,
        effects: &mut Effects,
    ) {
        if update.len() < limits::APART_FROM_BYTES {
            return self.broadcast(&sync::update_frame(update), author, effects);
        }
        let head = sync::update_head(update.len());
        let body = update.clone();
        self.append(author, effects, |outbox| outbox.append_large(head, body, author));
    }

    /// Appends a frame for all but `author` and wakes those asleep.
    pub(super) fn broadcast(&mut self, frame: &[u8], author: Option<MemberId>, effects: &mut Effects) {
        self.append(author, effects, |outbox| outbox.append(frame, author));
    }

    fn append(&mut self, author: Option<MemberId>, effects: &mut Effects, append: impl FnOnce(&mut Outbox)) {
        let others = self.member_count - usize::from(author.is_some_and(|a| self.member(a).is_some()));
        if others == 0 {
            return;
        }
        effects.tally.frames += u32::try_from(others).unwrap_or(u32::MAX);
        let before = self.outbox.end();
        append(&mut self.outbox);
        let after = self.outbox.end();
        let mut flushes = false;
        for (index, slot) in self.members.iter_mut().enumerate() {
            let Some(member) = slot else { continue };
            if author.is_some_and(|a| a.index() == index) {
                // Its own frame is nothing to it; were it not moved on, an only author would hold up the cut.
                if member.cursor == before {
                    member.cursor = after;
                }
            } else if member.line.is_none() {
                effects.wakers.extend(member.waker.take());
            } else {
                flushes |= member.waker.is_some();
            }
        }
        if flushes {
            self.ask_flush(effects);
        }
        if self.outbox.len_bytes() > self.cut_at {
            self.cut_outbox(effects);
        }
    }

    /// Cuts the outbox behind its slowest reader, and drops the readers that are too far behind.
    pub(super) fn cut_outbox(&mut self, effects: &mut Effects) {
        let Self {
            members,
            outbox,
            settings,
            ..
        } = self;
        let end = outbox.end();
        let mut slowest = end;
        for member in members.iter_mut().flatten() {
            if is_slow(member, outbox, settings) {
                member.close(Fault::SlowConsumer, effects);
            }
            if member.closing.is_some() {
                // It gets nothing of the outbox any more, so it must not hold up the cut.
                member.cursor = end;
            }
            slowest = slowest.min(member.cursor);
        }
        outbox.cut(slowest);
        self.cut_at = (outbox.len_bytes() * 2)
            .max(CUT_BYTES_MIN)
            .min(settings.outbox_bytes_max);
    }

    /// Sends this server's own step 1 to `id`, so that its step 2 fills a hole: at most once in
    /// [`limits::RETELL_EVERY`]. What comes too soon is made good by a later [`Room::tick`].
    pub fn ask(&mut self, id: MemberId, now: Tick, effects: &mut Effects) {
        let Some(member) = self.members.get_mut(id.index()).and_then(Option::as_mut) else {
            return;
        };
        let again = member.asked_at.map(|at| at.after(limits::RETELL_EVERY));
        let too_soon = again.filter(|again| *again > now);
        member.ask_owed = too_soon.is_some();
        if let Some(again) = too_soon {
            self.look_by(again);
        } else {
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

/// Keeps `waker`.
fn keep(kept: &mut Option<Waker>, waker: &Waker) {
    if !kept.as_ref().is_some_and(|old| old.will_wake(waker)) {
        *kept = Some(waker.clone());
    }
}

/// Whether more waits for `member` than `--max-outbox-bytes`; then that is noted.
fn is_slow(member: &Member, outbox: &Outbox, settings: &RoomSettings) -> bool {
    let waiting = waiting(member, outbox);
    let is_slow = waiting > settings.outbox_bytes_max;
    if is_slow {
        note_waiting(member, waiting);
    }
    is_slow
}

/// Bytes that wait for `member`, as they count towards `--max-outbox-bytes`.
fn waiting(member: &Member, outbox: &Outbox) -> usize {
    outbox
        .bytes_behind(member.cursor)
        .saturating_add(member.own_bytes())
}

fn note_waiting(member: &Member, bytes: usize) {
    let most = &member.joiner.pulse.most_waiting;
    most.fetch_max(bytes, Ordering::Relaxed);
}
