//! One connection's place in a room: what it may do and what it has yet to receive.
//!
//! Owns [`Member`], its queue of own messages and its [`Pulse`]. Must not know the board or other members.
//! Key invariant: the own queue holds whole frames, and leaves before the room's outbox goes on.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::task::Waker;

use bytes::Bytes;

use crate::access::Credentials;
use crate::fault::Fault;
pub use crate::ids::MemberId;
use crate::ids::{Level, Subject};
use crate::room::Effects;
use crate::room::awareness::First;
use crate::room::outbox::Cursor;
pub use crate::room::outgoing::{Hold, Out};
use crate::room::outgoing::{Kind, Line};
use crate::sync;
use crate::time::{Now, Tick, UnixMillis};

/// When a connection last gave a sign of life: written by its task, read by the room's tick, without a lock.
#[derive(Debug)]
pub struct Pulse {
    received: AtomicU64,
    told: AtomicU64,
    /// When the socket last took bytes, while bytes are waiting; `u64::MAX` while none are.
    blocked: AtomicU64,
    /// Step 2 that are queued for it.
    answers: AtomicUsize,
    /// Bytes of saved echoes that this connection has coming: not durable yet, or not sent yet.
    owed: AtomicUsize,
    /// The most bytes that were seen to wait for it while its socket took nothing.
    pub(crate) most_waiting: AtomicUsize,
}

impl Pulse {
    /// A connection that has just opened.
    #[must_use]
    pub fn new(now: Tick) -> Self {
        Self {
            received: now.0.into(),
            told: now.0.into(),
            blocked: u64::MAX.into(),
            answers: 0.into(),
            owed: 0.into(),
            most_waiting: 0.into(),
        }
    }

    /// Bytes arrived.
    pub fn received(&self, now: Tick) {
        self.received.store(now.0, Ordering::Relaxed);
    }

    /// When bytes last arrived.
    #[must_use]
    pub fn received_at(&self) -> Tick {
        Tick(self.received.load(Ordering::Relaxed))
    }

    /// A message left.
    pub fn told(&self, now: Tick) {
        self.told.store(now.0, Ordering::Relaxed);
    }

    /// When a message last left.
    #[must_use]
    pub fn told_at(&self) -> Tick {
        Tick(self.told.load(Ordering::Relaxed))
    }

    /// The socket took some bytes and refuses the rest.
    pub fn blocked(&self, now: Tick) {
        self.blocked.store(now.0, Ordering::Relaxed);
    }

    /// The socket took all there was.
    pub fn flowing(&self) {
        self.blocked.store(u64::MAX, Ordering::Relaxed);
    }

    /// Whether a step 2 is queued for this connection. It is not read until that is on its way.
    #[must_use]
    pub fn has_answers(&self) -> bool {
        self.answers.load(Ordering::Relaxed) > 0
    }

    /// An echo of `bytes` was promised.
    pub(crate) fn owe(&self, bytes: usize) {
        self.owed.fetch_add(bytes, Ordering::Relaxed);
    }

    /// An echo of `bytes` is on its way.
    fn repay(&self, bytes: usize) {
        self.owed.fetch_sub(bytes, Ordering::Relaxed);
    }

    /// Bytes of echoes promised and not on their way. Past a bound the connection is not read: echoes do not
    /// count towards its outbox, since one commit may bring many at once to somebody who reads everything.
    #[must_use]
    pub fn owed(&self) -> usize {
        self.owed.load(Ordering::Relaxed)
    }

    /// Since when the socket has taken nothing although bytes wait; `None` when none wait.
    #[must_use]
    pub fn blocked_since(&self) -> Option<Tick> {
        let at = self.blocked.load(Ordering::Relaxed);
        (at != u64::MAX).then_some(Tick(at))
    }
}

/// Who wants to join, and with what rights.
#[derive(Clone, Debug)]
pub struct Joiner {
    /// Whom the connection acts for.
    pub subject: Subject,
    /// What it may do.
    pub level: Level,
    /// When the first of its credentials ends, leeway included; `None` for never.
    pub ends_at: Option<UnixMillis>,
    /// What its rights rest on, to decide about it anew.
    pub credentials: Arc<Credentials>,
    /// Its signs of life.
    pub pulse: Arc<Pulse>,
}

/// Whether a flush is sending to a member, so that nobody else may.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flushed {
    No,
    Yes,
    /// And its own task wanted to send something meanwhile.
    Awaited,
}

/// One connection in a room.
#[derive(Debug)]
pub struct Member {
    pub(crate) joiner: Joiner,
    pub(crate) joined_at: UnixMillis,
    pub(crate) cursor: Cursor,
    /// Woken when there is something to send; there only while its task waits, with nothing in hand to send.
    pub(crate) waker: Option<Waker>,
    /// Where its bytes go, for who sends to many.
    pub(crate) line: Option<Arc<dyn Line>>,
    pub(crate) flushed: Flushed,
    /// It gets nothing of the outbox before this sequence number is durable: structs of its own are in it.
    pub(crate) held: Option<u64>,
    /// Woken when the connection must end although its socket takes nothing.
    pub(crate) alarm: Option<Waker>,
    /// Why the connection must end, once its own queue has left.
    pub(crate) closing: Option<Fault>,
    pub(crate) pinged_at: Tick,
    pub(crate) nudged_at: Option<Tick>,
    /// Somebody returned since who may hold the clocks that this member's ids had then.
    pub(crate) nudge_owed: bool,
    /// Whether its next awareness message is its first, which may claim an id.
    pub(crate) first_awareness: First,
    /// Until when it is not told of others where ids have passed, unless it says before which is its own: see
    /// [`crate::room::awareness::Awareness::has_passed`].
    pub(crate) unheard_until: Option<Tick>,
    /// The first id whose awareness state it has yet to be told, of those that were there when it joined or
    /// asked.
    pub(crate) states_from: Option<u64>,
    /// When it was last asked to fill a hole.
    pub(crate) asked_at: Option<Tick>,
    /// It brought another hole too soon after `asked_at`.
    pub(crate) ask_owed: bool,
    own: VecDeque<Out>,
    /// How many of `own` are step 2 that do not count.
    joins: usize,
    /// The sum of the weights of `own`.
    own_bytes: usize,
    weight_max: usize,
}

impl Member {
    pub(crate) fn new(joiner: Joiner, cursor: Cursor, weight_max: usize, now: Now) -> Self {
        Self {
            joiner,
            joined_at: now.unix,
            cursor,
            waker: None,
            line: None,
            flushed: Flushed::No,
            held: None,
            alarm: None,
            closing: None,
            pinged_at: now.tick,
            nudged_at: None,
            nudge_owed: false,
            first_awareness: First::Yes,
            unheard_until: None,
            states_from: None,
            asked_at: None,
            ask_owed: false,
            own: VecDeque::new(),
            joins: 0,
            own_bytes: 0,
            weight_max,
        }
    }

    /// Queues a frame for this member alone, and wakes it. One that is about to end gets nothing more.
    pub(crate) fn push(&mut self, out: Out, effects: &mut Effects) {
        if self.closing.is_none() {
            self.own_bytes += out.weight(self.weight_max);
            self.joins += usize::from(out.kind == Kind::Join);
            self.joiner
                .pulse
                .answers
                .fetch_add(usize::from(out.kind.is_answer()), Ordering::Relaxed);
            self.own.push_back(out);
            effects.tally.frames += 1;
            effects.wakers.extend(self.waker.take());
        }
    }

    /// Puts back what the line did not take, before all else.
    pub(crate) fn push_first(&mut self, out: Out) {
        self.own_bytes += out.weight(self.weight_max);
        self.own.push_front(out);
    }

    /// Whether it waits for an answer that is being made.
    pub(crate) fn awaits(&self, ticket: u64) -> bool {
        self.own.iter().any(|out| out.awaited == Some(ticket))
    }

    /// Puts an answer that was made in its places; returns whether it was waited for.
    pub(crate) fn fill(&mut self, ticket: u64, body: &Bytes, hold: &Hold) -> bool {
        let mut filled = false;
        for out in self.own.iter_mut().filter(|out| out.awaited == Some(ticket)) {
            self.own_bytes -= out.weight(self.weight_max);
            out.head = sync::step_2_head(body.len());
            out.body = body.clone();
            out.hold.clone_from(hold);
            out.awaited = None;
            self.own_bytes += out.weight(self.weight_max);
            filled = true;
        }
        filled
    }

    /// The next own frame.
    pub(crate) fn peek(&self) -> Option<&Out> {
        self.own.front()
    }

    /// Takes the next own frame; an emptied queue keeps no buffer.
    pub(crate) fn pop(&mut self) -> Option<Out> {
        let out = self.own.pop_front()?;
        if self.own.is_empty() {
            self.own = VecDeque::new();
        }
        self.own_bytes -= out.weight(self.weight_max);
        self.joins -= usize::from(out.kind == Kind::Join);
        self.joiner
            .pulse
            .answers
            .fetch_sub(usize::from(out.kind.is_answer()), Ordering::Relaxed);
        if out.kind == Kind::Echo {
            self.joiner.pulse.repay(out.body.len());
        }
        Some(out)
    }

    /// What kind the next step 2 is. Only one at a time waits free of charge: each may be as large as the
    /// board.
    pub(crate) fn next_answer(&self) -> Kind {
        if self.joins == 0 { Kind::Join } else { Kind::Answer }
    }

    /// Makes the connection end for `fault`, unless it ends already.
    pub(crate) fn close(&mut self, fault: Fault, effects: &mut Effects) {
        self.closing.get_or_insert(fault);
        effects.wakers.extend(self.waker.take());
        effects.wakers.extend(self.alarm.take());
    }

    /// Bytes of the own queue that count towards the outbox bound.
    pub(crate) fn own_bytes(&self) -> usize {
        self.own_bytes
    }
}
