//! How an update joins a room's board: at once under its lock, or apart, on a copy of the board.
//!
//! Owns what follows when one has joined: it is relayed, numbered, queued for the disk, and its author's echo
//! with it. Must not know who may send updates; `session` decides it. Key invariants: an update gets its
//! number in the order it was accepted; one that is refused leaves the board as it was. Tests:
//! `room/tests.rs`.

use bytes::Bytes;

use crate::ids::MemberId;
use crate::lib0;
use crate::limits;
#[cfg(test)]
use crate::planted::{self, Bug};
use crate::room::board::{Accepted, Apart, ApartError, Capture};
use crate::room::{Effects, Room, SavedEcho, UpdateOutcome};
use crate::store::Change;
use crate::time::Now;
use crate::update::Refused;

/// The client of an update that has structs of one alone.
fn only_client(update: &[u8]) -> Option<u64> {
    let mut reader = lib0::Reader::new(update);
    let clients = reader.number().ok()?;
    let _structs = reader.number().ok()?;
    let client = reader.number().ok()?;
    (clients == 1).then_some(client)
}

/// A member's own client id, and how far the board has it.
struct Claimed {
    member: MemberId,
    id: u64,
    clock: u32,
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

    /// Accepts an update: relays what is new, numbers it and queues it for the disk. `author` is the member
    /// that sent it, if one did.
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
        let claims = self.claims(author, update);
        let accepted = self.board.accept_metered(update, &mut meter);
        effects.steps = effects.steps.saturating_add(meter.spent());
        Ok(self.took(author, (update, accepted?, claims), now, effects))
    }

    /// Other members whose own structs an update may bring, as far as these are known.
    fn claims(&self, author: Option<MemberId>, update: &[u8]) -> Vec<Claimed> {
        let is_echoed = self.settings.saved_echo == SavedEcho::On;
        if !is_echoed || self.awareness.is_empty() {
            return Vec::new();
        }
        let claimed = |(id, member)| Claimed {
            member,
            id,
            clock: self.board.clock_of(id),
        };
        let is_other = |claim: &(u64, MemberId)| Some(claim.1) != author;
        match only_client(update) {
            Some(id) => {
                let owner = self.awareness.owner_of(id).map(|member| (id, member));
                owner.filter(is_other).map(claimed).into_iter().collect()
            }
            None => self.awareness.claimed().filter(is_other).map(claimed).collect(),
        }
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
        Ok(self.took(None, (update, accepted, Vec::new()), now, effects))
    }

    /// Does what follows from what became of an update.
    fn took(
        &mut self,
        author: Option<MemberId>,
        (update, accepted, claims): (&Bytes, Accepted, Vec<Claimed>),
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
            #[cfg(test)]
            Accepted::Trimmed(_) if planted::is(Bug::LostTrim) => Some(update.clone()),
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
                let sequence = self.persistence.number(now.tick);
                self.note_update(sequence, author, effects);
                self.growth.accepted(sequence, news.len());
                for claim in claims {
                    // What is its own a client takes for saved, whoever brought it.
                    let brings_own = self.board.clock_of(claim.id) > claim.clock;
                    if let Some(owner) = self.member_mut(claim.member).filter(|_| brings_own) {
                        // The first counts: who brings such without end holds nobody up for ever.
                        owner.held.get_or_insert(sequence);
                    }
                }
                effects.changes.push(Change::Append {
                    board: self.id.clone(),
                    sequence,
                    update: news,
                    at: now.unix,
                });
                UpdateOutcome::New
            }
        };
        // What a step 2 repeats may be the whole delete set of the board; only a small one can be a lost
        // echo.
        let is_small = outcome == UpdateOutcome::New || update.len() <= limits::ECHO_AGAIN_BYTES_MAX;
        if let Some(author) = author.filter(|_| is_small) {
            self.queue_echo(author, update.clone(), effects);
        }
        outcome
    }

    // --- apart --------------------------------------------------------------------------------------

    /// What was accepted since a copy was taken, and has to join what was made of it before that is
    /// installed. Nothing where little is left.
    #[must_use]
    pub fn behind(&self, apart: &Apart) -> Vec<Bytes> {
        self.board.behind(apart)
    }

    /// Takes a copy of the board to let an update join it apart. `None` where another copy is being worked
    /// on: its end has to be waited for.
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
        self.took(author, (update, accepted, Vec::new()), now, effects)
    }

    /// Puts the board that an update has joined apart in place, with what was accepted meanwhile, and does
    /// what follows.
    ///
    /// # Errors
    /// [`ApartError`] where something accepted meanwhile does not go with it; the update has to be tried
    /// anew.
    pub fn finish_joining(
        &mut self,
        author: Option<MemberId>,
        (update, accepted, apart): (&Bytes, Accepted, Apart),
        now: Now,
        effects: &mut Effects,
    ) -> Result<UpdateOutcome, ApartError> {
        self.persistence.joining = false;
        let claims = self.claims(author, update);
        self.board.install(apart)?;
        Ok(self.took(author, (update, accepted, claims), now, effects))
    }
}
