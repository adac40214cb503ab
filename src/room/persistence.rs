//! How far the disk is behind a room, and what becomes of its log.
//!
//! Owns sequence numbers, saved echoes, compaction and unloading. Must not know members' queues or the disk;
//! it is told what was accepted and what became durable. Key invariants: `durable <= sequence`; nothing is
//! echoed to its author before its number is durable; a room that was retired changes nothing on disk any
//! more. Tests: `room/tests.rs`.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;

use crate::ids::MemberId;
use crate::limits;
#[cfg(test)]
use crate::planted::{self, Bug};
use crate::room::board::{Apart, Capture};
use crate::room::outgoing::{Kind, Out};
use crate::room::{Effects, Room, SavedEcho};
use crate::store::Change;
use crate::sync;
use crate::time::Tick;

/// An update waiting to be durable, to be sent back to its author then.
#[derive(Debug)]
struct Echo {
    sequence: u64,
    author: MemberId,
    update: Bytes,
}

/// How far the disk is behind.
#[derive(Debug, Default)]
pub(super) struct Persistence {
    /// The last number given out.
    sequence: u64,
    /// `durable <= sequence`: everything up to it is on disk.
    durable: u64,
    echoes: VecDeque<Echo>,
    changed_at: Tick,
    /// When the oldest change that no full state covers was accepted.
    uncompacted_since: Option<Tick>,
    compaction: Compaction,
    /// Whether an update is being joined apart.
    pub(super) joining: bool,
}

/// Where the board's compaction stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Compaction {
    #[default]
    None,
    Queued,
    Running,
}

impl Persistence {
    /// Of a board as it was loaded, whose last stored update has the number `sequence`; see
    /// `uncompacted_since`.
    pub(super) fn new(sequence: u64, uncompacted_since: Option<Tick>, now: Tick) -> Self {
        Self {
            sequence,
            durable: sequence,
            changed_at: now,
            uncompacted_since,
            ..Self::default()
        }
    }

    /// Whether updates lie beside the last full state.
    pub(super) fn is_uncompacted(&self) -> bool {
        self.uncompacted_since.is_some()
    }

    /// Gives an update that was just accepted its number.
    pub(super) fn number(&mut self, now: Tick) -> u64 {
        self.sequence += 1;
        self.changed_at = now;
        self.uncompacted_since.get_or_insert(now);
        self.sequence
    }

    /// A compaction that was asked for is not begun.
    fn end_queued(&mut self) {
        if self.compaction == Compaction::Queued {
            self.compaction = Compaction::None;
        }
    }

    /// `author` has left: what it waits for has nobody to go to.
    pub(super) fn forget(&mut self, author: MemberId) {
        self.echoes.retain(|echo| echo.author != author);
    }
}

impl Room {
    /// Sends `update` back to `author` once everything accepted so far is durable.
    pub(super) fn queue_echo(&mut self, author: MemberId, update: Bytes, effects: &mut Effects) {
        if self.settings.saved_echo == SavedEcho::Off || *update == sync::EMPTY_UPDATE {
            return;
        }
        let Some(member) = self.member(author) else { return };
        member.joiner.pulse.owe(update.len());
        let sequence = self.persistence.sequence;
        #[cfg(test)]
        if planted::is(Bug::EchoBeforeCommit) {
            return self.send_echo(author, update, effects);
        }
        if sequence == self.persistence.durable {
            self.send_echo(author, update, effects);
        } else {
            self.persistence.echoes.push_back(Echo {
                sequence,
                author,
                update,
            });
        }
    }

    fn send_echo(&mut self, author: MemberId, update: Bytes, effects: &mut Effects) {
        let head = sync::update_head(update.len());
        self.tell(
            author,
            Out {
                head,
                body: update,
                kind: Kind::Echo,
                ..Out::default()
            },
            effects,
        );
    }

    /// The disk holds everything up to `through`: authors get their echoes.
    pub fn handle_durable(&mut self, through: u64, effects: &mut Effects) {
        self.persistence.durable = self.persistence.durable.max(through);
        self.growth.stored(through);
        for member in self.members.iter_mut().flatten() {
            if member.held.take_if(|held| *held <= through).is_some() {
                effects.wakers.extend(member.waker.take());
            }
        }
        while let Some(echo) = self
            .persistence
            .echoes
            .pop_front_if(|echo| echo.sequence <= through)
        {
            self.send_echo(echo.author, echo.update, effects);
        }
    }

    /// The number of the last update that was accepted: the board is the same as long as it is.
    #[must_use]
    pub fn sequence(&self) -> u64 {
        self.persistence.sequence
    }

    /// Whether no update of the board is on disk.
    #[must_use]
    pub fn has_nothing_stored(&self) -> bool {
        self.persistence.durable == 0
    }

    /// Whether a copy of the board is being worked on, to be installed: a compaction, or an update that joins
    /// apart.
    #[must_use]
    pub fn is_apart(&self) -> bool {
        self.persistence.compaction == Compaction::Running || self.persistence.joining
    }

    /// Whether a full state should replace the log now.
    #[must_use]
    pub fn compaction_due(&self, now: Tick) -> bool {
        self.next_compaction().is_some_and(|at| now >= at)
    }

    /// When it should; not while another copy of the board is being worked on, or one is asked for.
    pub(super) fn next_compaction(&self) -> Option<Tick> {
        let persistence = &self.persistence;
        let is_free = persistence.compaction == Compaction::None && !persistence.joining;
        let since = persistence.uncompacted_since.filter(|_| is_free)?;
        if self.member_count == 0 || self.board.log_bytes() >= limits::COMPACT_LOG_BYTES {
            return Some(since);
        }
        let rested = persistence.changed_at.after(self.settings.compact_after);
        Some(rested.min(since.after(self.settings.compact_every)))
    }

    /// Notes that the compaction is asked for; false when it was already, or is under way.
    pub fn mark_compaction_queued(&mut self) -> bool {
        let persistence = &mut self.persistence;
        let first = persistence.compaction == Compaction::None;
        if first {
            persistence.compaction = Compaction::Queued;
        }
        first
    }

    /// Takes what a compaction works on, with the number of the last update in it.
    pub fn begin_compaction(&mut self) -> Option<(Capture, u64)> {
        if self.is_apart() || self.retired {
            // Where an update is joining, it is due again once that has joined.
            self.persistence.end_queued();
            return None;
        }
        if self.persistence.uncompacted_since.take().is_none() {
            self.persistence.compaction = Compaction::None;
            return None;
        }
        self.persistence.compaction = Compaction::Running;
        Some((self.board.capture(), self.persistence.sequence))
    }

    /// Puts the compacted state in place, with what was accepted meanwhile, and queues it for the disk.
    pub fn finish_compaction(&mut self, compacted: Apart, covers: u64, effects: &mut Effects) {
        self.persistence.compaction = Compaction::None;
        if self.retired {
            // It may hold what was never durable, under numbers that the board's next room gives out again.
            self.board.abandon_capture();
            return;
        }
        let state = compacted.bytes();
        #[cfg(test)]
        let covers = if planted::is(Bug::ClearedTooEarly) {
            self.persistence.sequence
        } else {
            covers
        };
        if self.board.install(compacted).is_ok() {
            effects.changes.push(Change::Snapshot {
                board: self.id.clone(),
                covers,
                state,
            });
        }
    }

    /// Gives a compaction up; the log stays until the next change makes another one due.
    pub fn abandon_compaction(&mut self) {
        self.persistence.compaction = Compaction::None;
        self.board.abandon_capture();
    }

    /// Whether the room may be unloaded: nobody is here, nothing is pending, and `idle` has passed since.
    #[must_use]
    pub fn may_unload(&self, idle: Duration, now: Tick) -> bool {
        self.unload_due(idle).is_some_and(|at| now >= at)
    }

    /// When it may, should nothing happen to it before; `None` while somebody is here, or something is
    /// pending.
    #[must_use]
    pub fn unload_due(&self, idle: Duration) -> Option<Tick> {
        let persistence = &self.persistence;
        let is_done = self.connections() == 0
            && persistence.compaction == Compaction::None
            && !persistence.joining
            && persistence.uncompacted_since.is_none()
            && persistence.durable == persistence.sequence;
        is_done.then(|| self.active_at.after(idle))
    }

    /// Whether updates lie beside the last full state.
    #[must_use]
    pub fn is_uncompacted(&self) -> bool {
        self.persistence.is_uncompacted()
    }
}
