//! Answers to step 1: exactly the structs that the state vector lacks, and the whole delete set.
//!
//! Owns which answers are being made, and who waits for them. Must not know sockets or threads. Key
//! invariants: an answer is of the moment at which it was asked for: made of a later board, it could hold
//! what its reader has sent since and is not durable yet; it leaves in its place among what its reader is
//! sent; equal answers are made once. Tests: `room/tests/answers.rs`.

use bytes::Bytes;

use crate::fault::Fault;
use crate::ids::MemberId;
use crate::limits;
use crate::room::board::Snapshot;
use crate::room::member::Member;
use crate::room::outgoing::{Hold, Out};
use crate::room::{Effects, Room};
use crate::sync;
use crate::update::vector::StateVector;

/// The answers that are being made.
#[derive(Debug, Default)]
pub(super) struct Answers {
    /// The number of the last one.
    last: u64,
    making: Vec<Making>,
}

/// An answer that is being made.
#[derive(Debug)]
struct Making {
    ticket: u64,
    version: u64,
    vector: Bytes,
}

/// An answer to be made off the room's lock.
#[derive(Debug)]
pub struct Job {
    ticket: u64,
    vector: Bytes,
    snapshot: Snapshot,
    bytes_max: usize,
}

/// An answer that was made.
#[derive(Debug)]
pub struct Made {
    ticket: u64,
    body: Bytes,
    snapshot: Snapshot,
}

impl Made {
    /// The answer.
    #[must_use]
    pub fn body(&self) -> &Bytes {
        &self.body
    }
}

impl Job {
    /// Makes it. May take long for a large board.
    #[must_use]
    pub fn make(mut self) -> Made {
        // It was parsed when it was asked for.
        let body = match self.asks_for_all() {
            true => self.snapshot.whole(),
            false => StateVector::parse(&self.vector)
                .map(|asked| self.snapshot.diff(&asked))
                .unwrap_or_default(),
        };
        Made {
            ticket: self.ticket,
            body,
            snapshot: self.snapshot,
        }
    }

    /// The answer, where it is at hand: the whole state as it lies in memory.
    pub fn at_hand(&mut self) -> Option<Bytes> {
        self.asks_for_all().then(|| self.snapshot.at_hand()).flatten()
    }

    /// Whether it is for somebody who has nothing of the board.
    fn asks_for_all(&self) -> bool {
        *self.vector == [0]
    }

    /// Bytes that it takes, at most.
    #[must_use]
    pub fn bytes_max(&self) -> usize {
        self.bytes_max
    }
}

impl Room {
    /// Answers a step 1, or has the answer made: [`Effects::answers`].
    ///
    /// # Errors
    /// [`Fault::MalformedMessage`] when the state vector does not decode, or has more bytes than a board may
    /// have clients.
    pub fn answer_step_1(&mut self, id: MemberId, asked: &[u8], effects: &mut Effects) -> Result<(), Fault> {
        if asked.len() > limits::VECTOR_BYTES_MAX {
            return Err(Fault::MalformedMessage);
        }
        let vector = StateVector::parse(asked).map_err(|_| Fault::MalformedMessage)?;
        let member = self.member(id).filter(|m| m.closing.is_none());
        let Some(kind) = member.map(Member::next_answer) else {
            return Ok(());
        };
        let bytes_max = self.board.encoded_bytes();
        effects.steps = effects
            .steps
            .saturating_add(u64::try_from(bytes_max / 64).unwrap_or(u64::MAX));
        if bytes_max < limits::ANSWER_APART_BYTES {
            let body = self.board.diff(&vector);
            let head = sync::step_2_head(body.len());
            self.tell(
                id,
                Out {
                    head,
                    body,
                    kind,
                    ..Out::default()
                },
                effects,
            );
            return Ok(());
        }
        // This answer is compacted by itself; those after it find a short log.
        effects.compaction_due |= self.board.has_long_log();
        let ticket = self.ticket_for(asked, bytes_max, effects);
        let out = Out {
            kind,
            awaited: Some(ticket),
            ..Out::default()
        };
        self.tell(id, out, effects);
        Ok(())
    }

    /// The ticket of an answer that is being made, or is from now on.
    fn ticket_for(&mut self, asked: &[u8], bytes_max: usize, effects: &mut Effects) -> u64 {
        let version = self.board.version();
        let same = |making: &&Making| making.version == version && *making.vector == *asked;
        if let Some(making) = self.answers.making.iter().find(same) {
            return making.ticket;
        }
        let vector = Bytes::copy_from_slice(asked);
        self.answers.last = self.answers.last.wrapping_add(1);
        let ticket = self.answers.last;
        self.answers.making.push(Making {
            ticket,
            version,
            vector: vector.clone(),
        });
        effects.answers.push(Job {
            ticket,
            vector,
            snapshot: self.board.snapshot(),
            bytes_max,
        });
        ticket
    }

    /// Whether somebody still waits for an answer that is to be made.
    #[must_use]
    pub fn is_awaited(&self, job: &Job) -> bool {
        let members = self.members.iter().flatten();
        members
            .filter(|m| m.closing.is_none())
            .any(|m| m.awaits(job.ticket))
    }

    /// Gives an answer up that nobody waits for.
    pub fn give_up(&mut self, job: &Job) {
        self.answers.making.retain(|making| making.ticket != job.ticket);
    }

    /// Hands an answer to those who wait for it, each of whom is owed what `hold` stands for until it has
    /// left.
    pub fn answered(&mut self, made: Made, hold: &Hold, effects: &mut Effects) {
        let Made {
            ticket,
            body,
            snapshot,
        } = made;
        self.answers.making.retain(|making| making.ticket != ticket);
        for member in self.members.iter_mut().flatten() {
            if member.fill(ticket, &body, hold) {
                effects.wakers.extend(member.waker.take());
            }
        }
        self.board.adopt(&snapshot);
    }
}
