//! How far the disk is behind a room, and what becomes of its log.
//!
//! Owns sequence numbers, saved echoes, compaction and unloading. Must not know members' queues or the disk; it queues
//! [`Change`]s and is told what became durable. Key invariants: `durable <= sequence`; an update gets its number in
//! the order it was accepted; nothing is echoed to its author before that number is durable; a room that was retired
//! changes nothing on disk any more. Tests: `room/tests.rs`.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;

use crate::ids::MemberId;
use crate::limits;
use crate::room::board::{Accepted, Apart, ApartError, Capture};
use crate::room::outgoing::{Kind, Out};
use crate::room::{Effects, Room, SavedEcho, UpdateOutcome};
use crate::store::Change;
use crate::sync;
use crate::time::{Now, Tick};
use crate::update::Refused;

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
    joining: bool,
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
    /// Of a board as it was loaded, whose last stored update has the number `sequence`.
    pub(super) fn new(sequence: u64, uncompacted: bool, now: Tick) -> Self {
        Self {
            sequence,
            durable: sequence,
            changed_at: now,
            uncompacted_since: uncompacted.then_some(now),
            ..Self::default()
        }
    }

    /// Whether updates lie beside the last full state.
    pub(super) fn is_uncompacted(&self) -> bool {
        self.uncompacted_since.is_some()
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
    /// Whether `update` would bring something new, for those who may not bring it.
    ///
    /// # Errors
    /// [`Refused`] when it does not decode, or costs too much.
    pub fn would_change(&mut self, update: &[u8], effects: &mut Effects) -> Result<bool, Refused> {
        let mut meter = limits::UPDATE_STEPS.meter(update.len());
        let would = self.board.would_change(update, &mut meter);
        effects.steps = effects.steps.saturating_add(meter.spent());
        would
    }

    /// Accepts an update: relays what is new, numbers it and queues it for the disk. `author` is the member that sent it, if one did.
    ///
    /// # Errors
    /// [`Refused`] when it does not decode, goes over a budget or costs too much; the board is unchanged.
    pub fn accept(
        &mut self,
        author: Option<MemberId>,
        update: &Bytes,
        now: Now,
        effects: &mut Effects,
    ) -> Result<UpdateOutcome, Refused> {
        self.board.allow_growth(self.growth.bytes_left());
        let mut meter = limits::UPDATE_STEPS.meter(update.len());
        let accepted = self.board.accept_metered(update, &mut meter);
        effects.steps = effects.steps.saturating_add(meter.spent());
        Ok(self.took(author, (update, accepted?), now, effects))
    }

    /// As [`Self::accept`], for an update that the server made.
    ///
    /// # Errors
    /// As for [`Self::accept`].
    pub fn accept_own(
        &mut self,
        update: &Bytes,
        now: Now,
        effects: &mut Effects,
    ) -> Result<UpdateOutcome, Refused> {
        self.board.allow_growth(self.growth.bytes_left());
        let accepted = self.board.accept_own(update)?;
        Ok(self.took(None, (update, accepted), now, effects))
    }

    /// Does what follows from what became of an update.
    pub(super) fn took(
        &mut self,
        author: Option<MemberId>,
        (update, accepted): (&Bytes, Accepted),
        now: Now,
        effects: &mut Effects,
    ) -> UpdateOutcome {
        let news = match accepted {
            Accepted::Hole => {
                effects.tally.holes += 1;
                return UpdateOutcome::Hole;
            }
            Accepted::Uncounted => return UpdateOutcome::Apart,
            Accepted::Nothing => None,
            Accepted::Whole => Some(update.clone()),
            Accepted::Trimmed(rest) => Some(rest),
        };
        self.active_at = now.tick;
        let outcome = match news {
            None => {
                effects.tally.known += 1;
                UpdateOutcome::Known
            }
            Some(news) => {
                effects.tally.new += 1;
                self.broadcast_update(&news, author, effects);
                let persistence = &mut self.persistence;
                persistence.sequence += 1;
                persistence.changed_at = now.tick;
                persistence.uncompacted_since.get_or_insert(now.tick);
                self.growth.accepted(persistence.sequence, news.len());
                effects.changes.push(Change::Append {
                    board: self.id.clone(),
                    sequence: persistence.sequence,
                    update: news,
                    at: now.unix,
                });
                UpdateOutcome::New
            }
        };
        // What a step 2 repeats may be the whole delete set of the board; only a small one can be a lost echo.
        let is_small = outcome == UpdateOutcome::New || update.len() <= limits::ECHO_AGAIN_BYTES_MAX;
        if let Some(author) = author.filter(|_| is_small) {
            self.queue_echo(author, update.clone(), effects);
        }
        outcome
    }

    /// Sends `update` back to `author` once everything accepted so far is durable.
    pub(super) fn queue_echo(&mut self, author: MemberId, update: Bytes, effects: &mut Effects) {
        if self.settings.saved_echo == SavedEcho::Off || *update == sync::EMPTY_UPDATE {
            return;
        }
        let Some(member) = self.member(author) else { return };
        member.joiner.pulse.owe(update.len());
        let sequence = self.persistence.sequence;
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

    /// Whether a copy of the board is being worked on, to be installed: a compaction, or an update that joins apart.
    #[must_use]
    pub fn is_apart(&self) -> bool {
        self.persistence.compaction == Compaction::Running || self.persistence.joining
    }

    /// Whether a full state should replace the log now.
    #[must_use]
    pub fn compaction_due(&self, now: Tick) -> bool {
        let Some(since) = self.persistence.uncompacted_since else {
            return false;
        };
        self.persistence.compaction == Compaction::None
            && (self.member_count == 0
                || now.since(self.persistence.changed_at) >= self.settings.compact_after
                || now.since(since) >= self.settings.compact_every
                || self.board.log_bytes() >= limits::COMPACT_LOG_BYTES)
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
            // Where an update is joining, the next tick asks again.
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

    /// What was accepted since a copy was taken, and has to join what was made of it before that is installed. Nothing
    /// where little is left.
    #[must_use]
    pub fn behind(&self, apart: &Apart) -> Vec<Bytes> {
        self.board.behind(apart)
    }

    /// Takes a copy of the board to let an update join it apart. `None` where another copy is being worked on: its end has to
    /// be waited for.
    pub fn begin_joining(&mut self) -> Option<Capture> {
        if self.is_apart() {
            return None;
        }
        self.persistence.joining = true;
        self.board.allow_growth(self.growth.bytes_left());
        Some(self.board.capture())
    }

    /// Gives up letting an update join apart.
    pub fn abandon_joining(&mut self) {
        if std::mem::take(&mut self.persistence.joining) {
            self.board.abandon_capture();
        }
    }

    /// Ends letting an update join apart that brought nothing new, or a hole.
    pub fn finish_unchanged(
        &mut self,
        author: Option<MemberId>,
        (update, accepted): (&Bytes, Accepted),
        now: Now,
        effects: &mut Effects,
    ) -> UpdateOutcome {
        self.abandon_joining();
        self.took(author, (update, accepted), now, effects)
    }

    /// Puts the board that an update has joined apart in place, with what was accepted meanwhile, and does what follows.
    ///
    /// # Errors
    /// [`ApartError`] where something accepted meanwhile does not go with it; the update has to be tried anew.
    pub fn finish_joining(
        &mut self,
        author: Option<MemberId>,
        (update, accepted, apart): (&Bytes, Accepted, Apart),
        now: Now,
        effects: &mut Effects,
    ) -> Result<UpdateOutcome, ApartError> {
        self.persistence.joining = false;
        self.board.install(apart)?;
        Ok(self.took(author, (update, accepted), now, effects))
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
        self.member_count == 0
            && self.persistence.compaction == Compaction::None
            && !self.persistence.joining
            && self.persistence.uncompacted_since.is_none()
            && self.persistence.durable == self.persistence.sequence
            && now.since(self.active_at) >= idle
    }

    /// Whether updates lie beside the last full state.
    #[must_use]
    pub fn is_uncompacted(&self) -> bool {
        self.persistence.is_uncompacted()
    }
}
