//! The fuzz body of sessions and rooms: any sequence of what connections, the disk and time can do.
//!
//! Owns [`session_ops`]: bytes are read as operations on one room, its peers and an invented disk. Must not
//! know sockets or yrs: replicas are boards of our own, whose algebra has oracles elsewhere. What must hold:
//! one message a frame; what waits for a member is bounded; who has left gets nothing; no author gets its
//! update back before it is durable; what is durable rebuilds the board; nobody is ever shown under an id
//! that was another subject's; and, while all are honest, nobody is ever sent something it cannot apply, and
//! all replicas converge.

#![allow(
    clippy::missing_panics_doc,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a fuzz body states what must hold"
)]

use std::collections::BTreeMap;
use std::task::Waker;
use std::time::Duration;

use crate::fault::Fault;
use crate::ids::Level;
use crate::meter::Meter;
use crate::room::board::{self, Accepted, Board, Capture};
use crate::room::harness::{Got, Table, delete, insert, message, settings};
use crate::room::{Due, RoomSettings};
use crate::store::Change;
use crate::update::Budgets;
use crate::update::vector::StateVector;

const PEERS_MAX: usize = 4;
const NAMES: [&str; 2] = ["ann", "ben"];
const OUTBOX_BYTES_MAX: usize = 4 * 1024;

/// Runs `data` as operations. An odd first byte lets peers send any bytes; otherwise all are honest clients.
pub fn session_ops(data: &[u8]) {
    let mut input = Input(data);
    let manners = if input.byte() % 2 == 1 {
        Manners::Hostile
    } else {
        Manners::Honest
    };
    let mut world = World::new(manners);
    while !input.0.is_empty() {
        world.operate(&mut input);
        world.check_bounds();
    }
    world.settle();
    world.check_disk();
}

struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    /// The next byte; zeros at the end.
    fn byte(&mut self) -> u8 {
        self.split(1).first().copied().unwrap_or(0)
    }

    fn below(&mut self, bound: usize) -> usize {
        usize::from(self.byte()) % bound.max(1)
    }

    fn split(&mut self, len: usize) -> &'a [u8] {
        let (head, rest) = self.0.split_at(len.min(self.0.len()));
        self.0 = rest;
        head
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Manners {
    Honest,
    Hostile,
}

/// A client: a replica of the board, and what it has written.
struct Client {
    peer: usize,
    /// Whom it acts for; what it shows as its presence too.
    name: &'static str,
    id: u64,
    clock: u64,
    replica: Board,
    level: Level,
    /// Its inserts, with the number of each once accepted.
    unconfirmed: Vec<(Vec<u8>, u64)>,
}

struct World {
    table: Table,
    manners: Manners,
    clients: Vec<Client>,
    next_id: u64,
    accepted: u64,
    capture: Option<(Capture, u64)>,
    /// Who was ever seen under each awareness id.
    seen: BTreeMap<u64, String>,
}

impl World {
    fn new(manners: Manners) -> Self {
        let settings = RoomSettings {
            members_max: PEERS_MAX,
            outbox_bytes_max: OUTBOX_BYTES_MAX,
            ..settings()
        };
        let table = Table::with(settings);
        Self {
            table,
            manners,
            clients: Vec::new(),
            next_id: 1_000,
            accepted: 0,
            capture: None,
            seen: BTreeMap::new(),
        }
    }

    fn operate(&mut self, input: &mut Input<'_>) {
        let operation = input.byte() % 16;
        let at = input.below(self.clients.len());
        if operation == 0 || self.clients.is_empty() {
            return self.join([Level::Edit, Level::Edit, Level::View, Level::Comment][input.below(4)]);
        }
        match operation {
            1 => self.leave(at),
            2 | 3 => self.write(at, 1 + input.below(12)),
            4 => self.delete(at, input),
            5 | 6 => self.read(at),
            7 => self
                .table
                .live(Duration::from_millis(100 * u64::from(input.byte()))),
            8 => self.commit(input.below(4)),
            9 => self.compact(),
            10 => self.set_level(at, [Level::View, Level::Edit, Level::Comment][input.below(3)]),
            11 => {
                let shown = format!("\"{}\"", self.clients[at].name);
                let mut entries = Vec::new();
                for _ in 0..1 + input.below(3) {
                    let (id, clock) = (u64::from(input.byte() % 8), u64::from(input.byte()));
                    entries.push((id, clock, [&shown, "null", &shown][input.below(3)]));
                }
                let frame = message(&[1], &crate::room::harness::awareness(&entries));
                self.send(at, &frame);
            }
            12 => self.table.broadcast(),
            13 => {
                let vector = self.clients[at].replica.state_vector();
                self.send(at, &[message(&[0, 0], &vector), vec![3]].concat());
            }
            14 => self.resend(at),
            _ => self.mutated(at, input),
        }
    }

    fn join(&mut self, level: Level) {
        let name = NAMES[self.next_id as usize % 2];
        match self.table.try_join(name, level) {
            Err(fault) => {
                assert_eq!(fault, Fault::TooManyConnections);
                assert_eq!(self.table.room.member_count(), PEERS_MAX);
            }
            Ok(peer) => {
                self.next_id += 1;
                self.clients.push(Client {
                    peer,
                    name,
                    id: self.next_id,
                    clock: 0,
                    replica: Board::new(Budgets::default()),
                    level,
                    unconfirmed: Vec::new(),
                });
                self.send(self.clients.len() - 1, &message(&[0, 0], &[0]));
            }
        }
    }

    fn leave(&mut self, at: usize) {
        let client = self.clients.remove(at);
        let member = self.table.member(client.peer);
        self.table.leave(client.peer);
        let mut buffer = Vec::new();
        let due = self
            .table
            .room
            .poll_outbound(member, self.table.now.tick, Waker::noop(), &mut buffer);
        assert!(
            matches!(due, Due::Close(_)) && buffer.is_empty(),
            "who has left gets nothing"
        );
    }

    /// Sends a frame; a client whose connection must close leaves.
    fn send(&mut self, at: usize, frame: &[u8]) {
        let outcome = self.table.send(self.clients[at].peer, frame);
        let appended = self
            .table
            .queued
            .iter()
            .chain(&self.table.durable)
            .filter_map(sequence_of)
            .max();
        let accepted = appended.unwrap_or(0).max(self.accepted);
        if self.clients[at].level != Level::Edit {
            assert_eq!(
                accepted, self.accepted,
                "an update of somebody without edit was accepted"
            );
        }
        self.accepted = accepted;
        if let Err(fault) = outcome {
            assert!(
                frame.first() != Some(&1) || fault != Fault::TooCostly,
                "no awareness message costs more than its bytes are worth"
            );
            let honest = self.manners == Manners::Honest;
            assert!(
                !honest || fault == Fault::SlowConsumer,
                "an honest client was closed: {fault}"
            );
            self.leave(at);
        }
    }

    /// An honest client changes its replica first, and sends what it did.
    fn write(&mut self, at: usize, len: usize) {
        let client = &mut self.clients[at];
        if client.level != Level::Edit {
            return;
        }
        let update = insert(client.id, client.clock, &"abcdefghijklm"[..len]);
        client.clock += len as u64;
        assert_eq!(client.replica.accept(&update), Ok(Accepted::Whole));
        let before = self.accepted;
        client.unconfirmed.push((update.clone(), before + 1));
        self.send(at, &message(&[0, 2], &update));
        if self.manners == Manners::Honest && self.accepted == before {
            // It built on what the server has yet to see, so that it comes with a step 2 later.
            let last = self.clients.get_mut(at).map(|c| c.unconfirmed.pop());
            drop(last);
        }
    }

    fn delete(&mut self, at: usize, input: &mut Input<'_>) {
        let (id, clock, len) = (
            1_001 + input.below(8) as u64,
            input.below(32) as u64,
            1 + input.below(4) as u64,
        );
        let update = delete(id, clock, len);
        let client = &mut self.clients[at];
        let is_own = client.level == Level::Edit
            && matches!(
                client.replica.accept(&update),
                Ok(Accepted::Whole | Accepted::Trimmed(_))
            );
        if is_own || self.manners == Manners::Hostile {
            self.send(at, &message(&[0, 2], &update));
        }
    }

    fn resend(&mut self, at: usize) {
        let all = self.clients[at].replica.full();
        if self.clients[at].level == Level::Edit || self.manners == Manners::Hostile {
            self.send(at, &message(&[0, 1], &all));
        }
    }

    fn mutated(&mut self, at: usize, input: &mut Input<'_>) {
        let (place, len) = (input.below(64), input.below(24));
        let bytes = input.split(len);
        if self.manners == Manners::Honest {
            return;
        }
        let frame = if len % 3 == 0 {
            bytes.to_vec()
        } else {
            let client = &self.clients[at];
            let mut frame = message(&[0, 2], &insert(client.id, client.clock, "mutant"));
            let place = place % frame.len();
            let end = (place + bytes.len()).min(frame.len());
            frame.splice(place..end, bytes.iter().copied());
            frame
        };
        self.send(at, &frame);
    }

    /// Reads all that is due and does what a client does.
    fn read(&mut self, at: usize) {
        let peer = self.clients[at].peer;
        let mut answers = Vec::new();
        for got in self.table.read(peer) {
            match got {
                Got::Closed(_) => return self.leave(at),
                Got::Step1(vector) => answers.push(vector),
                Got::Step2(update) | Got::Update(update) => self.receive(at, &update),
                Got::Awareness(entries) => {
                    let named = |entry: &(u64, u64, String)| {
                        NAMES.iter().any(|name| entry.2[..].trim_matches('"') == *name)
                    };
                    for (id, _, state) in entries.into_iter().filter(named) {
                        let first = self.seen.entry(id).or_insert_with(|| state.clone());
                        assert_eq!(*first, state, "somebody is shown under another's id {id}");
                    }
                }
                Got::Denied | Got::Ping => {}
            }
        }
        let id = self.clients[at].id;
        for vector in answers {
            let Some(client) = self
                .clients
                .get_mut(at)
                .filter(|c| c.id == id && c.level == Level::Edit)
            else {
                return;
            };
            let update = client.replica.diff(&StateVector::parse(&vector).unwrap());
            self.send(at, &message(&[0, 1], &update));
        }
    }

    fn receive(&mut self, at: usize, update: &[u8]) {
        let durable = self
            .table
            .durable
            .iter()
            .filter_map(sequence_of)
            .max()
            .unwrap_or(0);
        let client = &mut self.clients[at];
        if self.manners == Manners::Hostile {
            // Somebody may have written under this client's id; what it is sent must decode nevertheless.
            assert!(
                client
                    .replica
                    .would_change(update, &mut Meter::unbounded())
                    .is_ok(),
                "a client was sent what does not decode"
            );
            return;
        }
        if let Some(own) = client.unconfirmed.iter().position(|(u, _)| u == update) {
            let (_, number) = client.unconfirmed.remove(own);
            assert!(
                number <= durable,
                "an author got its update back before it was durable"
            );
        }
        let outcome = client.replica.accept(update);
        assert!(
            !matches!(outcome, Ok(Accepted::Hole) | Err(_)),
            "a client was sent {outcome:?}"
        );
    }

    fn commit(&mut self, count: usize) {
        self.table.commit(count.min(self.table.queued.len()));
    }

    fn compact(&mut self) {
        match self.capture.take() {
            None => self.capture = self.table.room.begin_compaction(),
            Some((capture, covers)) => {
                let compacted = board::compact(&capture).expect("what was accepted compacts");
                self.table
                    .step(|room, effects, _| room.finish_compaction(compacted, covers, effects));
            }
        }
    }

    fn set_level(&mut self, at: usize, level: Level) {
        let client = &mut self.clients[at];
        // What an honest client has written and not sent is lost with its right to write; that is no
        // divergence.
        let owes = self.manners == Manners::Honest && client.level == Level::Edit && level != Level::Edit;
        if !owes {
            client.level = level;
            self.table.decide(client.peer, Ok(level));
        }
    }

    fn check_bounds(&self) {
        for client in &self.clients {
            let waiting = self.table.waiting_bytes(client.peer);
            // A joiner's first states and the frames since the last cut may come on top.
            assert!(
                waiting <= 2 * OUTBOX_BYTES_MAX,
                "{waiting} bytes wait for one member"
            );
        }
    }

    /// Lets everything come to rest: all read and answer, the disk catches up, and holes are asked for again.
    fn settle(&mut self) {
        for _ in 0..4 {
            for id in self.clients.iter().map(|c| c.id).collect::<Vec<_>>() {
                if let Some(at) = self.clients.iter().position(|c| c.id == id) {
                    self.read(at);
                }
            }
            self.table.commit_all();
            self.table.live(Duration::from_secs(1));
        }
        if self.manners == Manners::Hostile {
            return;
        }
        let wanted = essence(&mut self.table.room_board());
        for client in &mut self.clients {
            assert_eq!(
                essence(&mut client.replica),
                wanted,
                "the replica of client {} differs",
                client.id
            );
        }
    }

    /// What is on disk is the board.
    fn check_disk(&mut self) {
        self.table.commit_all();
        let mut stored = Board::new(Budgets::UNBOUNDED);
        let snapshot = self.table.durable.iter().rev().find_map(|change| match change {
            Change::Snapshot { covers, state, .. } => Some((*covers, state.clone())),
            _ => None,
        });
        let mut covered = 0;
        if let Some((covers, state)) = snapshot {
            stored = Board::load(state, Budgets::UNBOUNDED).expect("a stored state loads");
            covered = covers;
        }
        for change in &self.table.durable {
            if let Change::Append { sequence, update, .. } = change
                && *sequence > covered
            {
                let outcome = stored.accept(update);
                assert!(
                    !matches!(outcome, Ok(Accepted::Hole) | Err(_)),
                    "a stored update: {outcome:?}"
                );
            }
        }
        assert_eq!(
            essence(&mut stored),
            essence(&mut self.table.room_board()),
            "the disk holds another board"
        );
    }
}

fn sequence_of(change: &Change) -> Option<u64> {
    match change {
        Change::Append { sequence, .. } => Some(*sequence),
        _ => None,
    }
}

/// What two boards must agree on, however their structs are cut: how far each client is known, and what is
/// deleted.
fn essence(board: &mut Board) -> (Vec<u8>, Vec<u8>) {
    let vector = board.state_vector();
    let deletions = board.diff(&StateVector::parse(&vector).unwrap());
    (vector, deletions.to_vec())
}

#[cfg(test)]
mod tests {
    use super::session_ops;
    use crate::mutation::Random;

    /// `SEED=n` runs one seed alone.
    #[test]
    fn any_sequence_of_operations_keeps_the_promises() {
        let only = std::env::var("SEED")
            .ok()
            .and_then(|text| text.parse::<u64>().ok());
        let seeds = only.map_or(0..3_000, |seed| seed..seed + 1);
        for seed in seeds {
            let mut random = Random::new(seed);
            let len = 20 + random.below(400);
            let data: Vec<u8> = (0..len).map(|_| random.next().to_le_bytes()[1]).collect();
            let outcome = std::panic::catch_unwind(|| session_ops(&data));
            if let Err(panic) = outcome {
                println!("SEED={seed} replays this");
                std::panic::resume_unwind(panic);
            }
        }
    }
}
