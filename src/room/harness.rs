//! A room without sockets, clocks or disk, for tests and fuzzing: sessions are handed frames, time is moved
//! by hand, and what is sent is read back.
//!
//! Owns [`Table`] (a room, its peers, an invented disk) and the client's side of the framing. Must not know
//! what a test is about. Key invariant: what a client reads here is exactly one message a frame, or the
//! reader panics.

#![allow(
    clippy::missing_panics_doc,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "test support: what does not hold must end the test"
)]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Wake, Waker};
use std::time::Duration;

use bytes::Bytes;

use crate::access::{Decision, Grant, Manage};
use crate::fault::Fault;
use crate::ids::{BoardId, Level, MemberId, Subject, UserId};
use crate::lib0::{self, Reader};
use crate::limits;
use crate::room::agents::Agent;
use crate::room::board::{Attempt, Board};
use crate::room::member::{Joiner, Pulse};
use crate::room::{Due, Effects, Loaded, Room, RoomSettings, SavedEcho, UpdateOutcome};
use crate::session::{Handled, Session};
use crate::store::Change;
use crate::sync::{Message, Messages};
use crate::time::{Now, Tick, UnixMillis};
use crate::update::scan::scan;
use crate::update::{Budgets, Refused};

/// What a client reads from one frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Got {
    /// A state vector.
    Step1(Vec<u8>),
    /// An update, answering.
    Step2(Vec<u8>),
    /// An update.
    Update(Vec<u8>),
    /// Awareness entries: id, clock, JSON.
    Awareness(Vec<(u64, u64, String)>),
    /// A refusal.
    Denied,
    /// A ping.
    Ping,
    /// The connection must close.
    Closed(Fault),
}

#[derive(Debug, Default)]
struct Flag(AtomicBool);

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// One connection.
#[derive(Debug)]
pub struct Peer {
    /// Its protocol state.
    pub session: Session,
    /// Its signs of life.
    pub pulse: Arc<Pulse>,
    flag: Arc<Flag>,
    waker: Waker,
}

/// A room, its peers, and what the shell would do.
#[derive(Debug)]
pub struct Table {
    /// The room.
    pub room: Room,
    /// The time.
    pub now: Now,
    /// Whoever ever joined; `None` once left.
    pub peers: Vec<Option<Peer>>,
    /// What was queued for the disk and is not durable.
    pub queued: Vec<Change>,
    /// What is durable.
    pub durable: Vec<Change>,
    /// How often a broadcast of awareness became due.
    pub broadcasts_due: usize,
    /// Whether a flush was asked for.
    pub flush_due: bool,
    /// How often the last one to leave asked for a compaction.
    pub compactions_due: usize,
    /// How often a credential was said to have ended.
    pub decisions_due: usize,
    /// Messages of unknown type so far.
    pub unknown_messages: u32,
}

/// Settings with small numbers.
#[must_use]
pub fn settings() -> RoomSettings {
    RoomSettings {
        members_max: 16,
        outbox_bytes_max: 8 * 1024 * 1024,
        compact_after: Duration::from_secs(5),
        compact_every: Duration::from_secs(30),
        saved_echo: SavedEcho::On,
    }
}

/// An empty board.
#[must_use]
pub fn empty_room(settings: RoomSettings, now: Now) -> Room {
    let board = Board::new(Budgets::default());
    let loaded = Loaded {
        board,
        sequence: 0,
        uncompacted: false,
    };
    Room::new(BoardId::parse("board").unwrap(), loaded, settings, now.tick)
}

/// The subject of a user.
#[must_use]
pub fn user(name: &str) -> Subject {
    Subject::user(&UserId::parse(name).unwrap())
}

impl Default for Table {
    fn default() -> Self {
        Self::with(settings())
    }
}

impl Table {
    /// An empty board under these settings.
    #[must_use]
    pub fn with(settings: RoomSettings) -> Self {
        let now = Now {
            tick: Tick(1_000_000_000),
            unix: UnixMillis(1_700_000_000_000),
        };
        Self {
            room: empty_room(settings, now),
            now,
            peers: Vec::new(),
            queued: Vec::new(),
            durable: Vec::new(),
            broadcasts_due: 0,
            flush_due: false,
            compactions_due: 0,
            decisions_due: 0,
            unknown_messages: 0,
        }
    }

    /// Does one step and what it makes due.
    pub fn step<T>(&mut self, step: impl FnOnce(&mut Room, &mut Effects, Now) -> T) -> T {
        let mut effects = Effects::default();
        let value = step(&mut self.room, &mut effects, self.now);
        self.queued.append(&mut effects.changes);
        effects.wakers.into_iter().for_each(Waker::wake);
        for job in effects.answers {
            let mut answered = Effects::default();
            self.room.answered(job.make(), &None, &mut answered);
            answered.wakers.into_iter().for_each(Waker::wake);
        }
        self.broadcasts_due += usize::from(effects.awareness_due);
        self.flush_due |= effects.flush_due;
        self.compactions_due += usize::from(effects.compaction_due);
        self.decisions_due += usize::from(effects.access_due);
        self.unknown_messages += effects.tally.unknown_messages;
        value
    }

    /// Carries out that `peer` has this level from now on, or none for this reason.
    pub fn decide(&mut self, peer: usize, decided: Result<Level, Fault>) {
        let member = self.member(peer);
        let held = self.room.held().into_iter().find(|held| held.member == member);
        let decision = match decided {
            Err(fault) => Decision::Refused(fault),
            Ok(level) => Decision::Granted(Grant {
                level,
                subject: Subject::anonymous(),
                manage: Manage::No,
                create: None,
                ends_at: None,
            }),
        };
        if let Some(held) = held {
            self.step(|room, effects, now| room.set_access(&held, &decision, now.tick, effects));
        }
    }

    /// Lets somebody join; nothing it was sent is read yet.
    pub fn try_join(&mut self, name: &str, level: Level) -> Result<usize, Fault> {
        self.try_join_as(user(name), level)
    }

    /// The same, for any subject.
    pub fn try_join_as(&mut self, subject: Subject, level: Level) -> Result<usize, Fault> {
        let pulse = Arc::new(Pulse::new(self.now.tick));
        let joiner = Joiner {
            subject,
            level,
            ends_at: None,
            credentials: Arc::default(),
            pulse: Arc::clone(&pulse),
        };
        let member = self.step(|room, effects, now| room.join(joiner, now, effects))?;
        let flag = Arc::new(Flag::default());
        let waker = Waker::from(Arc::clone(&flag));
        let session = Session::new(member, 300, self.now.tick);
        self.peers.push(Some(Peer {
            session,
            pulse,
            flag,
            waker,
        }));
        Ok(self.peers.len() - 1)
    }

    /// Lets somebody join.
    pub fn join(&mut self, name: &str, level: Level) -> usize {
        self.try_join(name, level).unwrap()
    }

    /// Lets an editor join and reads what it is told first.
    pub fn editor(&mut self, name: &str) -> usize {
        let peer = self.join(name, Level::Edit);
        self.read(peer);
        peer
    }

    /// The peer's place in the room.
    #[must_use]
    pub fn member(&self, peer: usize) -> MemberId {
        self.peers[peer].as_ref().expect("has not left").session.member()
    }

    /// The peer's signs of life.
    #[must_use]
    pub fn pulse(&self, peer: usize) -> &Pulse {
        &self.peers[peer].as_ref().expect("has not left").pulse
    }

    /// Hands the peer's session one WebSocket message.
    pub fn send(&mut self, peer: usize, frame: &[u8]) -> Result<Duration, Fault> {
        let mut taken = self.peers[peer].take().expect("has not left");
        let frame = Bytes::copy_from_slice(frame);
        let handle =
            |room: &mut Room, effects: &mut Effects, now| taken.session.handle(&frame, room, now, effects);
        let mut handled = self.step(handle);
        let outcome = loop {
            match handled {
                Ok(Handled::Done(wait)) => break Ok(wait),
                Err(fault) => break Err(fault),
                Ok(Handled::Apart(update, rest)) => {
                    handled = self
                        .join_apart(taken.session.member(), &update)
                        .and_then(|outcome| {
                            self.step(|room, effects, now| {
                                taken.session.resume((rest, outcome), room, now, effects)
                            })
                        });
                }
            }
        };
        self.peers[peer] = Some(taken);
        outcome
    }

    /// Lets an update join off the room's lock, as the shell does it.
    fn join_apart(&mut self, member: MemberId, update: &Bytes) -> Result<UpdateOutcome, Fault> {
        let budgets = *self.room.board().budgets();
        let mut meter = limits::UPDATE_STEPS.meter(update.len());
        let outline = scan(update, &budgets, &mut meter).map_err(Refused::fault)?;
        let capture = self.room.begin_joining().expect("nothing else is apart");
        let attempt = capture.join(update, &outline, &mut meter).map_err(Refused::fault);
        let attempt = attempt.inspect_err(|_| self.room.abandon_joining())?;
        Ok(self.step(|room, effects, now| match attempt {
            Attempt::Unchanged(accepted) => {
                room.finish_unchanged(Some(member), (update, accepted), now, effects)
            }
            Attempt::Joined(apart, accepted) => {
                let joined = (update, accepted, *apart);
                room.finish_joining(Some(member), joined, now, effects)
                    .expect("nothing came in between")
            }
        }))
    }

    /// Sends an update.
    pub fn update(&mut self, peer: usize, update: &[u8]) -> Result<Duration, Fault> {
        self.send(peer, &message(&[0, 2], update))
    }

    /// Sends awareness entries.
    pub fn aware(&mut self, peer: usize, entries: &[(u64, u64, &str)]) -> Result<Duration, Fault> {
        self.send(peer, &message(&[1], &awareness(entries)))
    }

    /// Shows an agent that only calls HTTP.
    pub fn show(&mut self, agent: &Agent) {
        self.step(|room, effects, now| room.show_agent(agent, now, effects));
    }

    /// Whether the peer was woken since it last read.
    #[must_use]
    pub fn is_woken(&self, peer: usize) -> bool {
        self.peers[peer]
            .as_ref()
            .expect("has not left")
            .flag
            .0
            .load(Ordering::SeqCst)
    }

    /// Reads what is due at once for the peer, as its socket would get it in one write.
    pub fn read_once(&mut self, peer: usize) -> Vec<Got> {
        match self.read_bytes(peer) {
            Ok(bytes) => parse_frames(&bytes),
            Err(fault) => vec![Got::Closed(fault)],
        }
    }

    /// The same as bytes.
    ///
    /// # Errors
    /// Why it is closed.
    pub fn read_bytes(&mut self, peer: usize) -> Result<Vec<u8>, Fault> {
        let taken = self.peers[peer].as_ref().expect("has not left");
        taken.flag.0.store(false, Ordering::SeqCst);
        let mut buffer = Vec::new();
        let due = self
            .room
            .poll_outbound(taken.session.member(), self.now.tick, &taken.waker, &mut buffer);
        match due {
            Due::Nothing | Due::Flushed => assert!(buffer.is_empty(), "bytes with nothing due"),
            Due::Gathered => {}
            Due::Frame(out) => {
                buffer.extend_from_slice(&out.head);
                buffer.extend_from_slice(&out.body);
            }
            Due::Close(fault) => return Err(fault),
        }
        Ok(buffer)
    }

    /// Reads all that is due for the peer.
    pub fn read(&mut self, peer: usize) -> Vec<Got> {
        let mut all = Vec::new();
        loop {
            let some = self.read_once(peer);
            let ended = some.is_empty() || matches!(some.last(), Some(Got::Closed(_)));
            all.extend(some);
            if ended {
                return all;
            }
        }
    }

    /// What waits for the peer, as it counts towards the outbox bound; zero once it is about to end.
    #[must_use]
    pub fn waiting_bytes(&self, peer: usize) -> usize {
        let member = self.room.member(self.member(peer)).expect("has not left");
        if member.closing.is_some() {
            0
        } else {
            member.own_bytes() + self.room.outbox.bytes_behind(member.cursor)
        }
    }

    /// The room's board, as one loads it from its full state.
    pub fn room_board(&mut self) -> Board {
        Board::load(self.room.full_state(), Budgets::UNBOUNDED).expect("a full state loads")
    }

    /// The peer's connection ends.
    pub fn leave(&mut self, peer: usize) {
        let member = self.member(peer);
        self.peers[peer] = None;
        self.step(|room, effects, now| room.leave(member, now.tick, effects));
    }

    /// Moves time on, without a tick.
    pub fn pass(&mut self, time: Duration) {
        self.now.tick = self.now.tick.after(time);
        self.now.unix = UnixMillis(self.now.unix.0 + u64::try_from(time.as_millis()).unwrap());
    }

    /// Lets the room look at the time.
    pub fn tick(&mut self) {
        self.step(|room, effects, now| room.tick(now, effects));
    }

    /// Moves time on in steps of half a second, with a tick each; all peers send pongs and the like.
    pub fn live(&mut self, time: Duration) {
        let end = self.now.tick.after(time);
        while self.now.tick < end {
            self.pass(Duration::from_millis(500).min(end.since(self.now.tick)));
            for peer in self.peers.iter().flatten() {
                peer.pulse.received(self.now.tick);
            }
            self.tick();
        }
    }

    /// The room's awareness broadcast, as if `limits::AWARENESS_EVERY` had passed.
    pub fn broadcast(&mut self) {
        self.step(|room, effects, _| room.broadcast_awareness(effects));
    }

    /// The disk catches up with the first `count` of what is queued.
    pub fn commit(&mut self, count: usize) {
        for change in self.queued.drain(..count).collect::<Vec<_>>() {
            self.durable.push(change);
        }
        let through = self.durable.iter().filter_map(sequence_of).max();
        if let Some(through) = through {
            self.step(|room, effects, _| room.handle_durable(through, effects));
        }
    }

    /// The disk catches up.
    pub fn commit_all(&mut self) {
        self.commit(self.queued.len());
    }
}

fn sequence_of(change: &Change) -> Option<u64> {
    match change {
        Change::Append { sequence, .. } => Some(*sequence),
        _ => None,
    }
}

/// A protocol message: its types, then its body with the length before it.
#[must_use]
pub fn message(types: &[u8], body: &[u8]) -> Vec<u8> {
    let mut out = types.to_vec();
    lib0::put_blob(&mut out, body);
    out
}

/// An awareness payload.
#[must_use]
pub fn awareness(entries: &[(u64, u64, &str)]) -> Vec<u8> {
    let mut out = Vec::new();
    lib0::put_number(&mut out, entries.len() as u64);
    for (id, clock, state) in entries {
        lib0::put_number(&mut out, *id);
        lib0::put_number(&mut out, *clock);
        lib0::put_blob(&mut out, state.as_bytes());
    }
    out
}

/// An update by which `client` appends `text` to the shared text `r`, after its own clock `clock`.
#[must_use]
pub fn insert(client: u64, clock: u64, text: &str) -> Vec<u8> {
    let mut out = vec![1, 1];
    lib0::put_number(&mut out, client);
    lib0::put_number(&mut out, clock);
    if clock == 0 {
        out.extend_from_slice(&[4, 1, 1, b'r']);
    } else {
        out.push(0x84);
        lib0::put_number(&mut out, client);
        lib0::put_number(&mut out, clock - 1);
    }
    lib0::put_blob(&mut out, text.as_bytes());
    out.push(0);
    out
}

/// An update by which a range of `client` is deleted.
#[must_use]
pub fn delete(client: u64, clock: u64, len: u64) -> Vec<u8> {
    let mut out = vec![0, 1];
    for number in [client, 1, clock, len] {
        lib0::put_number(&mut out, number);
    }
    out
}

/// Reads unmasked frames the way a strict client would: final, binary or ping, one message in each.
#[must_use]
pub fn parse_frames(mut bytes: &[u8]) -> Vec<Got> {
    let mut all = Vec::new();
    while let [opcode, short, rest @ ..] = bytes {
        let (length, rest) = match short {
            126 => (usize::from(u16::from_be_bytes([rest[0], rest[1]])), &rest[2..]),
            127 => (
                u64::from_be_bytes(rest[..8].try_into().unwrap()) as usize,
                &rest[8..],
            ),
            short => (usize::from(*short), rest),
        };
        let (payload, rest) = rest.split_at(length);
        bytes = rest;
        all.push(match opcode {
            0x89 => Got::Ping,
            0x82 => parse_message(payload),
            other => panic!("a frame that the server never sends: {other:#x}"),
        });
    }
    assert!(bytes.is_empty(), "a frame is cut short");
    all
}

fn parse_message(payload: &[u8]) -> Got {
    if let [2, 0, rest @ ..] = payload {
        let mut reader = Reader::new(rest);
        reader.string().expect("a reason");
        assert!(reader.is_empty(), "something follows a refusal");
        return Got::Denied;
    }
    let mut messages = Messages::new(payload);
    let got = match messages.next_message().expect("decodes").expect("not empty") {
        Message::SyncStep1(vector) => Got::Step1(vector.to_vec()),
        Message::SyncStep2(update) => Got::Step2(update.to_vec()),
        Message::Update(update) => Got::Update(update.to_vec()),
        Message::Awareness(payload) => Got::Awareness(parse_awareness(payload)),
        other => panic!("a message that the server never sends: {other:?}"),
    };
    assert_eq!(messages.next_message(), Ok(None), "two messages in a frame");
    got
}

fn parse_awareness(payload: &[u8]) -> Vec<(u64, u64, String)> {
    let mut reader = Reader::new(payload);
    let entries = (0..reader.number().unwrap())
        .map(|_| {
            let (id, clock) = (reader.number().unwrap(), reader.number().unwrap());
            (id, clock, reader.string().unwrap().to_owned())
        })
        .collect();
    assert!(reader.is_empty(), "something follows the entries");
    entries
}

impl Room {
    /// The most bytes that wait for a member that is not about to end, as they count towards the outbox
    /// bound.
    #[must_use]
    pub fn most_waiting(&self) -> usize {
        let staying = self
            .members
            .iter()
            .flatten()
            .filter(|member| member.closing.is_none());
        let waiting = staying.map(|member| member.own_bytes() + self.outbox.bytes_behind(member.cursor));
        waiting.max().unwrap_or(0)
    }
}
