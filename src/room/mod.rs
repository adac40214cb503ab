//! A room: a board in memory with its members.
//!
//! Owns the board state, the awareness table, the outbox and the list of members, and decides what each event
//! makes due. Must not know sockets, clocks or disks: instants come in, [`Effects`] come out. Here: members;
//! `time`, what it brings; `accept`, how an update joins; `outbound`, what members are sent, `flush`, what
//! many are sent at once, and `answers` to step 1; `presence`, awareness; `agents`, those without a
//! connection; `feed`, what those are told who follow over HTTP; `persistence`, the way to the disk and back.
//! Key invariants: an update gets its sequence number in the order it was accepted; nothing is echoed to its
//! author before that number is durable; one member never waits for another. Tests: `room/tests.rs`.

mod accept;
pub mod agents;
mod answers;
pub mod awareness;
pub mod board;
pub mod document;
pub mod feed;
pub mod flush;
#[cfg(any(test, fuzzing))]
pub mod harness;
pub mod member;
mod outbound;
pub mod outbox;
pub mod outgoing;
mod persistence;
mod presence;
#[cfg(test)]
mod tests;
mod time;

pub use answers::{Job, Made};
pub use presence::Present;

use std::sync::Arc;
use std::task::Waker;
use std::time::Duration;

use bytes::Bytes;

use crate::access::{Credentials, Decision};
use crate::fault::Fault;
use crate::ids::{BoardId, Level, MemberId};
use crate::limits;
#[cfg(test)]
use crate::planted::{self, Bug};
use crate::room::agents::Shown;
use crate::room::answers::Answers;
use crate::room::awareness::Awareness;
use crate::room::board::{Board, Snapshot};
use crate::room::feed::Feed;
use crate::room::flush::Flushing;
use crate::room::member::{Joiner, Member};
use crate::room::outbound::CUT_BYTES_MIN;
use crate::room::outbox::Outbox;
use crate::room::outgoing::Out;
use crate::room::persistence::Persistence;
use crate::room::time::Looks;
use crate::store::Change;
use crate::store::owners::{Account, Growth};
use crate::sync;
use crate::time::{Now, Tick};

/// The settings that a room obeys.
#[derive(Clone, Copy, Debug)]
pub struct RoomSettings {
    /// `--max-connections-per-board`.
    pub members_max: usize,
    /// `--max-outbox-bytes`.
    pub outbox_bytes_max: usize,
    /// `--compact-after`.
    pub compact_after: Duration,
    /// `--compact-every`.
    pub compact_every: Duration,
    /// `--saved-echo`.
    pub saved_echo: SavedEcho,
}

/// Whether authors get their updates back once these are durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SavedEcho {
    /// They do.
    On,
    /// They do not.
    Off,
}

/// What a step of a room makes due; the shell does it after the step.
#[derive(Debug, Default)]
pub struct Effects {
    /// For the committer, in order; to be submitted before the room's lock is released.
    pub changes: Vec<Change>,
    /// Connections with something to send; to be woken after the lock is released.
    pub wakers: Vec<Waker>,
    /// Awareness changed: call [`Room::broadcast_awareness`] after [`limits::AWARENESS_EVERY`].
    pub awareness_due: bool,
    /// Members wait for what was appended: call [`Room::begin_flush`] once the tasks that are ready have had
    /// their turn.
    pub flush_due: bool,
    /// The last member left a changed board, or somebody came whose log is long: compact now rather than at
    /// the next tick.
    pub compaction_due: bool,
    /// A credential of a member has ended: decide about [`Room::held`] anew.
    pub access_due: bool,
    /// Answers to step 1 that are to be made off the lock: see [`Room::answered`].
    pub answers: Vec<Job>,
    /// Steps that the messages cost: see [`crate::meter`].
    pub steps: u64,
    /// What the step did, for whoever counts.
    pub tally: Tally,
}

/// How often a step did what operators want to know of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Updates that brought something new.
    pub new: u32,
    /// Updates that brought nothing new.
    pub known: u32,
    /// Updates that build on unseen changes, and were not kept.
    pub holes: u32,
    /// Updates that would have brought something new, from members that may not change the board.
    pub denied: u32,
    /// Messages of unknown type.
    pub unknown_messages: u32,
    /// Broadcasts of changed awareness.
    pub awareness_broadcasts: u32,
    /// Frames queued, one for each member that is to get it.
    pub frames: u32,
}

/// What has become of an update.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UpdateOutcome {
    /// Something new was accepted, relayed and queued for the disk.
    New,
    /// It brought nothing new.
    Known,
    /// It builds on changes the board has not seen, and was not kept.
    Hole,
    /// It has to join apart, since it may take long; nothing of it was kept.
    Apart,
}

/// What a member has to send next.
#[derive(Debug)]
pub enum Due {
    /// Nothing; the waker is kept and will be woken.
    Nothing,
    /// Nothing may be sent now, whatever it is: a flush is sending to it. The waker is kept and will be woken
    /// when more is due then.
    Flushed,
    /// The bytes that were appended to the buffer.
    Gathered,
    /// One frame with a large body, to be sent without copying.
    Frame(Out),
    /// Everything has left; close for this reason.
    Close(Fault),
}

/// A member, and what it may do rests on.
#[derive(Clone, Debug)]
pub struct Held {
    /// Its place.
    pub member: MemberId,
    /// What it came with.
    pub credentials: Arc<Credentials>,
}

/// A board in memory with its members.
#[derive(Debug)]
pub struct Room {
    id: BoardId,
    settings: RoomSettings,
    board: Board,
    awareness: Awareness,
    awareness_scheduled: bool,
    agents: Vec<Shown>,
    /// What those are told who follow, while somebody does.
    feed: Option<Box<Feed>>,
    answers: Answers,
    outbox: Outbox,
    flushing: Flushing,
    /// Outbox bytes at which the slowest member is looked for.
    cut_at: usize,
    members: Vec<Option<Member>>,
    member_count: usize,
    persistence: Persistence,
    growth: Growth,
    active_at: Tick,
    looks: Looks,
    retired: bool,
    /// Whether what its members may do is being decided anew.
    reconsidering: bool,
}

impl Room {
    /// A room over a board as it was loaded, whose last stored update has the number `sequence`.
    ///
    /// `uncompacted` tells whether updates lie beside the stored full state.
    #[must_use]
    pub fn new(id: BoardId, loaded: Loaded, settings: RoomSettings, now: Tick) -> Self {
        let Loaded {
            board,
            sequence,
            uncompacted,
        } = loaded;
        Self {
            id,
            settings,
            board,
            awareness: Awareness::default(),
            awareness_scheduled: false,
            agents: Vec::new(),
            feed: None,
            answers: Answers::default(),
            // However large one frame is, it alone makes nobody a slow consumer.
            outbox: Outbox::new(weight_max(&settings)),
            flushing: Flushing::No,
            cut_at: CUT_BYTES_MIN.min(settings.outbox_bytes_max),
            members: Vec::new(),
            member_count: 0,
            persistence: Persistence::new(sequence, uncompacted.then_some(now), now),
            growth: Growth::default(),
            active_at: now,
            looks: Looks::new(now),
            retired: false,
            reconsidering: false,
        }
    }

    /// The board's name.
    #[must_use]
    pub fn id(&self) -> &BoardId {
        &self.id
    }

    /// The board's state.
    #[must_use]
    pub fn board(&self) -> &Board {
        &self.board
    }

    /// Says to whose account the board counts; to nobody's before.
    pub fn set_account(&mut self, account: Option<Arc<Account>>) {
        self.growth.set_account(account);
    }

    /// The board's state, to be read as one update; see [`Board::full`].
    pub fn full_state(&mut self) -> Bytes {
        self.board.full()
    }

    /// The board's state as one update, where that is at hand.
    pub fn folded(&mut self) -> Option<Bytes> {
        self.board.is_folded().then(|| self.board.full())
    }

    /// The board as it is now, to be read off the room's lock.
    pub fn snapshot(&mut self) -> Snapshot {
        self.board.snapshot()
    }

    /// Takes over the whole state that a snapshot has written: see [`Board::adopt`].
    pub fn adopt(&mut self, snapshot: &Snapshot) {
        self.board.adopt(snapshot);
    }

    /// How many connections are on the board.
    #[must_use]
    pub fn member_count(&self) -> usize {
        self.member_count
    }

    /// What `member` may do; `None` once it has left.
    #[must_use]
    pub fn level(&self, member: MemberId) -> Option<Level> {
        self.member(member).map(|m| m.joiner.level)
    }

    /// Whether what `member` sends may still change the board: it holds edit, is not about to end, and the
    /// room is the board's.
    #[must_use]
    pub fn may_write(&self, member: MemberId) -> bool {
        let is_here = |m: &Member| m.closing.is_none() && m.joiner.level == Level::Edit;
        !self.retired && self.member(member).is_some_and(is_here)
    }

    fn member(&self, id: MemberId) -> Option<&Member> {
        self.members.get(id.index())?.as_ref()
    }

    fn member_mut(&mut self, id: MemberId) -> Option<&mut Member> {
        self.members.get_mut(id.index())?.as_mut()
    }

    // --- members ------------------------------------------------------------------------------------------

    /// Adds a connection and queues what it is told first: step 1 (editors only), then the others' awareness.
    ///
    /// # Errors
    /// [`Fault::TooManyConnections`] at `--max-connections-per-board`.
    pub fn join(&mut self, joiner: Joiner, now: Now, effects: &mut Effects) -> Result<MemberId, Fault> {
        if self.connections() >= self.settings.members_max {
            return Err(Fault::TooManyConnections);
        }
        let mut member = Member::new(joiner, self.outbox.end(), weight_max(&self.settings), now);
        if member.joiner.level == Level::Edit {
            let frame = sync::step_1_frame(&self.board.state_vector());
            member.push(Out::message(frame), effects);
        }
        member.states_from = (!self.awareness.is_empty()).then_some(0);
        if member.joiner.subject.is_shared() {
            member.unheard_until = Some(now.tick.after(limits::AWARENESS_UNHEARD));
        }
        self.look_by(self.next_of(&member, now));
        let free = self
            .members
            .iter()
            .position(Option::is_none)
            .unwrap_or(self.members.len());
        let id = MemberId::new(u32::try_from(free).map_err(|_| Fault::TooManyConnections)?);
        match self.members.get_mut(free) {
            Some(slot) => *slot = Some(member),
            None => self.members.push(Some(member)),
        }
        self.member_count += 1;
        self.active_at = now.tick;
        self.note_presence(effects);
        Ok(id)
    }

    /// Removes a connection; its presence ends at once unless another connection of its subject inherits it.
    pub fn leave(&mut self, id: MemberId, now: Tick, effects: &mut Effects) {
        if self.members.get_mut(id.index()).and_then(Option::take).is_none() {
            return;
        }
        self.member_count -= 1;
        #[cfg(test)]
        if planted::is(Bug::LeakedRoom) && self.persistence.is_uncompacted() {
            self.member_count += 1;
        }
        self.active_at = now;
        self.persistence.forget(id);
        if self.awareness.leave(id, now) {
            self.schedule_awareness(effects);
        }
        self.note_presence(effects);
        self.nudge_owed(effects);
        if self.member_count == 0 {
            self.members = Vec::new();
            self.outbox.cut(self.outbox.end());
            effects.compaction_due = self.persistence.is_uncompacted();
        }
    }

    /// What the members may do rests on this, and what those may see who follow.
    #[must_use]
    pub fn held(&self) -> Vec<Held> {
        let held = self.members.iter().enumerate().filter_map(|(index, slot)| {
            Some(Held {
                member: MemberId::new(u32::try_from(index).ok()?),
                credentials: Arc::clone(&slot.as_ref()?.joiner.credentials),
            })
        });
        held.chain(self.held_by_followers()).collect()
    }

    /// Notes that what was decided about [`Self::held`] was carried out; the next end of a credential is told
    /// again.
    pub fn note_reconsidered(&mut self) {
        self.reconsidering = false;
        self.look_by(Tick::default());
    }

    /// Carries out what was decided anew about a member: one that is raised to edit is asked for its changes;
    /// one that is lowered stays, and is told at its next write; one that is refused ends.
    ///
    /// Nothing happens when the member has left meanwhile.
    pub fn set_access(&mut self, held: &Held, decision: &Decision, now: Tick, effects: &mut Effects) {
        let Some(member) = self.member_mut(held.member) else {
            return self.set_follower(held, decision, now, effects);
        };
        if !Arc::ptr_eq(&member.joiner.credentials, &held.credentials) {
            return;
        }
        match decision {
            Decision::Refused(fault) => member.close(*fault, effects),
            Decision::Granted(grant) => {
                member.joiner.ends_at = grant.ends_at;
                // Nothing more is wanted from one who may not edit.
                member.ask_owed &= grant.level == Level::Edit;
                let was = std::mem::replace(&mut member.joiner.level, grant.level);
                if was != Level::Edit && grant.level == Level::Edit {
                    self.ask(held.member, now, effects);
                }
                // It may end earlier from now on.
                self.look_by(now);
            }
        }
    }

    /// Why `id` is about to end; nothing it sends counts any more.
    #[must_use]
    pub fn closing(&self, id: MemberId) -> Option<Fault> {
        self.member(id).and_then(|member| member.closing)
    }

    /// Makes every connection end for `fault`, after what is queued for it.
    pub fn close_all(&mut self, fault: Fault, effects: &mut Effects) {
        for member in self.members.iter_mut().flatten() {
            member.close(fault, effects);
        }
        self.close_followers(fault, effects);
    }

    /// Marks the room as no longer the board's room: whoever still holds it must look again. Its members are
    /// about to be closed, and nothing they send counts any more.
    pub fn retire(&mut self) {
        self.retired = true;
    }

    /// Whether the room is no longer the board's room.
    #[must_use]
    pub fn is_retired(&self) -> bool {
        self.retired
    }
}

/// The most that one frame counts towards `--max-outbox-bytes`.
///
/// An update may be larger than the bound; everybody else must get the chance to take it.
fn weight_max(settings: &RoomSettings) -> usize {
    settings.outbox_bytes_max / 4
}

/// A board as it came from the store.
#[derive(Debug)]
pub struct Loaded {
    /// Its state.
    pub board: Board,
    /// The number of its last stored update.
    pub sequence: u64,
    /// Whether updates lie beside the stored full state.
    pub uncompacted: bool,
}
