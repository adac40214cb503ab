//! Presence: who is on the board, with which state, and who may say so.
//!
//! Owns the table of awareness ids: clock, state, owner, reservation. Not `yrs::sync::Awareness`, which trusts every
//! entry and never expires one. Must not know sockets or frames; it reads and writes awareness payloads.
//! Key invariant: a live state is changed only by connections of the subject that owns its id.
//!
//! Stock clients send back every state that they learn, so entries about other people's ids are normal traffic and
//! are dropped without a word.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::ids::Subject;
use crate::lib0::{self, Reader};
use crate::limits;
use crate::room::member::MemberId;
use crate::time::Tick;
use crate::update::any;

/// Why an awareness payload was refused as a whole; the connection is closed as for a malformed message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed;

impl From<lib0::Malformed> for Malformed {
    fn from(_: lib0::Malformed) -> Self {
        Self
    }
}

/// One awareness id.
#[derive(Debug)]
struct Entry {
    clock: u64,
    /// The JSON as it was sent; `None` once removed (the entry then remembers the clock and the reservation).
    state: Option<Box<str>>,
    subject: Subject,
    /// The connection that speaks for the id; `None` once it left.
    owner: Option<MemberId>,
    /// Whether `owner` claimed the id, rather than having relayed it for another tab.
    claimed: bool,
    /// Later claims of the same subject, oldest first: one of them inherits.
    heirs: Vec<MemberId>,
    renewed_at: Tick,
    /// When the state was removed or the owner left: the reservation counts from here.
    left_at: Tick,
}

/// One `(id, clock, state)` of a payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Incoming<'a> {
    id: u64,
    clock: u64,
    text: &'a str,
}

impl<'a> Incoming<'a> {
    /// `None` for the JSON `null`: the client says goodbye.
    fn state(self) -> Option<&'a str> {
        (self.text.trim() != NULL).then_some(self.text)
    }
}

/// What a payload did.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Applied {
    /// Something changed, so the room must broadcast within [`limits::AWARENESS_EVERY`].
    pub changed: bool,
    /// The id this payload claimed, when it was the connection's first and had one entry.
    pub claimed: Option<Claim>,
}

/// An id that a connection has just claimed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Claim {
    /// The awareness id, which is the Yjs client id of the claiming document.
    pub id: u64,
    /// The id was known before: somebody returns, and others may hold clocks that it has yet to pass.
    pub returning: bool,
}

/// The awareness table of one room.
#[derive(Debug, Default)]
pub struct Awareness {
    entries: HashMap<u64, Entry>,
    /// Ids changed since the last broadcast.
    dirty: BTreeSet<u64>,
}

impl Awareness {
    /// Applies the payload of an awareness message.
    ///
    /// # Shape
    /// `varuint count, { varuint id, varuint clock, varstring JSON }*` and nothing after it.
    ///
    /// # Errors
    /// [`Malformed`] when the payload does not decode or a state is not JSON; nothing was applied then.
    ///
    /// # Source
    /// y-protocols 1.0.7, awareness.js, `applyAwarenessUpdate`.
    pub fn apply(&mut self, payload: &[u8], speaker: Speaker<'_>) -> Result<Applied, Malformed> {
        // Checked whole before anything is applied, and read twice rather than held: a payload may claim millions.
        let mut count = 0usize;
        let mut last = None;
        read(payload, |incoming| {
            any::check_json(incoming.text.as_bytes()).map_err(|_| Malformed)?;
            count += 1;
            last = Some(incoming);
            Ok(())
        })?;
        let mut applied = Applied::default();
        if let (First::Yes, 1, Some(only)) = (speaker.first, count, last)
            && only.state().is_some()
        {
            applied.claimed = self.claim(only.id, speaker);
        }
        let mut voice = self.voice_of(speaker.member);
        read(payload, |incoming| {
            let claims = applied.claimed.is_some_and(|claim| claim.id == incoming.id);
            applied.changed |= self.apply_entry(incoming, speaker, claims, &mut voice);
            Ok(())
        })?;
        Ok(applied)
    }

    /// Makes the speaker the owner of `id`, or an heir of it. `None` when the id is another subject's.
    fn claim(&mut self, id: u64, speaker: Speaker<'_>) -> Option<Claim> {
        let Some(entry) = self.entries.get_mut(&id) else {
            return Some(Claim { id, returning: false });
        };
        if entry.subject != *speaker.subject {
            if !entry.is_free(speaker.now) {
                return None;
            }
            entry.subject = speaker.subject.clone();
        }
        let member = speaker.member;
        if entry.owner.is_none() || !entry.claimed {
            entry.owner = Some(member);
            entry.claimed = true;
        } else if entry.owner != Some(member) && !entry.heirs.contains(&member) {
            entry.heirs.push(member);
        }
        Some(Claim { id, returning: true })
    }

    /// Returns whether the entry changed anything; `voice` is what the speaker's connection owns already.
    fn apply_entry(
        &mut self,
        incoming: Incoming<'_>,
        speaker: Speaker<'_>,
        claims: bool,
        voice: &mut Voice,
    ) -> bool {
        let full = voice.live >= limits::AWARENESS_IDS_MAX || voice.owned >= limits::AWARENESS_OWNED_MAX;
        let Incoming { id, clock, .. } = incoming;
        let state = incoming.state();
        if state.is_some_and(|s| s.len() > limits::AWARENESS_STATE_BYTES_MAX) {
            return false;
        }
        let Some(entry) = self.entries.get_mut(&id) else {
            if full || state.is_none() || self.entries.len() >= limits::CLIENT_IDS_MAX {
                return false;
            }
            self.entries.insert(id, Entry::new(clock, state, speaker, claims));
            self.dirty.insert(id);
            voice.live += 1;
            voice.owned += 1;
            return true;
        };
        if entry.subject != *speaker.subject {
            if full || !entry.is_free(speaker.now) {
                return false;
            }
            entry.subject = speaker.subject.clone();
        }
        // Only a claim may bring back a state with the clock that it was removed at: its owner never saw the removal.
        // Anything else with that clock is the late echo of another tab.
        let newer = clock > entry.clock
            || (clock == entry.clock && state.is_none() && entry.state.is_some())
            || (clock == entry.clock && claims && entry.state.is_none());
        if !newer || clock > entry.clock.saturating_add(limits::AWARENESS_CLOCK_STEP_MAX) {
            return false;
        }
        let revived = state.is_some() && entry.state.is_none();
        if full && revived && entry.owner.is_none_or(|owner| owner == speaker.member) {
            return false;
        }
        if entry.owner.is_none() {
            entry.owner = Some(speaker.member);
            entry.claimed = claims;
        }
        if entry.owner == Some(speaker.member) {
            voice.live += usize::from(revived);
            voice.live -= usize::from(state.is_none() && entry.state.is_some());
        }
        if state.is_none() {
            entry.left_at = speaker.now;
        }
        entry.clock = clock;
        entry.state = state.map(Into::into);
        entry.renewed_at = speaker.now;
        self.dirty.insert(id);
        true
    }

    /// Sets the state of somebody without a connection, whose place is `member` and whose id is that number; returns
    /// whether there is something to broadcast. Not where the id is somebody else's.
    pub fn show(&mut self, member: MemberId, subject: &Subject, state: &str, now: Tick) -> bool {
        let id = u64::from(member.number());
        let speaker = Speaker {
            member,
            subject,
            first: First::No,
            now,
        };
        match self.entries.get_mut(&id) {
            Some(entry) if entry.owner == Some(member) => {
                entry.clock = entry.clock.saturating_add(1);
                entry.state = Some(state.into());
                entry.renewed_at = now;
            }
            Some(_) => return false,
            None => {
                self.entries
                    .insert(id, Entry::new(1, Some(state), speaker, false));
            }
        }
        self.dirty.insert(id);
        true
    }

    /// `member` has left: its ids pass to an heir, or their states are removed.
    ///
    /// Returns whether something changed that must be broadcast.
    pub fn leave(&mut self, member: MemberId, now: Tick) -> bool {
        let mut changed = false;
        for (id, entry) in &mut self.entries {
            entry.heirs.retain(|heir| *heir != member);
            if entry.owner != Some(member) {
                continue;
            }
            if entry.heirs.is_empty() {
                entry.owner = None;
                entry.left_at = now;
                if entry.state.take().is_some() {
                    self.dirty.insert(*id);
                    changed = true;
                }
            } else {
                entry.owner = Some(entry.heirs.remove(0));
            }
        }
        changed
    }

    /// Removes states not renewed for [`limits::AWARENESS_TIMEOUT`], and forgets ids whose reservation ran out;
    /// returns whether there is something to broadcast.
    pub fn expire(&mut self, now: Tick) -> bool {
        let mut changed = false;
        let dirty = &self.dirty;
        self.entries
            .retain(|id, entry| !entry.is_forgotten(now) || dirty.contains(id));
        for (id, entry) in &mut self.entries {
            if entry.state.is_some() && now.since(entry.renewed_at) >= limits::AWARENESS_TIMEOUT {
                entry.state = None;
                entry.left_at = now;
                self.dirty.insert(*id);
                changed = true;
            }
        }
        changed
    }

    /// The payload that tells what changed since the last call; `None` when nothing did.
    pub fn take_changes(&mut self) -> Option<Vec<u8>> {
        let dirty = std::mem::take(&mut self.dirty);
        let told: BTreeMap<u64, (u64, &str)> = dirty
            .iter()
            .filter_map(|id| {
                self.entries
                    .get(id)
                    .map(|e| (*id, (e.clock, e.state.as_deref().unwrap_or(NULL))))
            })
            .collect();
        (!told.is_empty()).then(|| encode(&told))
    }

    /// The payload that tells all live states, as a joiner needs them; `None` when there are none.
    #[must_use]
    pub fn states(&self) -> Option<Vec<u8>> {
        let live: BTreeMap<u64, (u64, &str)> = self
            .entries
            .iter()
            .filter_map(|(id, e)| e.state.as_deref().map(|state| (*id, (e.clock, state))))
            .collect();
        (!live.is_empty()).then(|| encode(&live))
    }

    /// The payload that makes the owner of `id` raise its clock and announce itself anew: its own id, removed.
    ///
    /// Those who saw the id leave ignore its old clock for up to 15 s; a stock client that is told its own state is
    /// gone answers at once with a higher clock.
    ///
    /// # Source
    /// y-protocols 1.0.7, awareness.js, `applyAwarenessUpdate`, the branch for the own client id.
    #[must_use]
    pub fn nudge(&self, id: u64) -> Option<Vec<u8>> {
        let entry = self.entries.get(&id)?;
        Some(encode(&BTreeMap::from([(id, (entry.clock, NULL))])))
    }

    /// The live ids that were claimed, and who claimed each. What a tab relays for another is left out: told that
    /// such an id is gone, the tab would believe it.
    pub fn claimants(&self) -> impl Iterator<Item = (u64, MemberId)> {
        let claimed = |e: &&Entry| e.state.is_some() && e.claimed;
        self.entries
            .iter()
            .filter_map(move |(id, e)| Some((*id, Some(e).filter(claimed)?.owner?)))
    }

    /// The live states with who owns them; of one owner that which it claimed comes last.
    pub fn live(&self) -> impl Iterator<Item = (MemberId, &str)> {
        let states = |claimed| {
            let entries = self.entries.values().filter(move |e| e.claimed == claimed);
            entries.filter_map(|e| Some((e.owner?, e.state.as_deref()?)))
        };
        states(false).chain(states(true))
    }

    fn voice_of(&self, member: MemberId) -> Voice {
        let mut voice = Voice::default();
        for entry in self.entries.values().filter(|e| e.owner == Some(member)) {
            voice.owned += 1;
            voice.live += usize::from(entry.state.is_some());
        }
        voice
    }
}

/// How many ids a connection owns.
#[derive(Clone, Copy, Debug, Default)]
struct Voice {
    live: usize,
    /// Live ones, and those whose state was removed less than [`limits::AWARENESS_RESERVED`] ago.
    owned: usize,
}

impl Entry {
    fn new(clock: u64, state: Option<&str>, speaker: Speaker<'_>, claimed: bool) -> Self {
        Self {
            clock,
            state: state.map(Into::into),
            subject: speaker.subject.clone(),
            owner: Some(speaker.member),
            claimed,
            heirs: Vec::new(),
            renewed_at: speaker.now,
            left_at: speaker.now,
        }
    }

    /// Whether nothing needs to be remembered of the id: its state went long ago, and no connection that claimed it is
    /// still here.
    fn is_forgotten(&self, now: Tick) -> bool {
        let is_held = self.owner.is_some() && self.claimed;
        !is_held && self.state.is_none() && now.since(self.left_at) >= limits::AWARENESS_RESERVED
    }

    /// Whether another subject may take the id over.
    fn is_free(&self, now: Tick) -> bool {
        self.owner.is_none() && self.state.is_none() && now.since(self.left_at) >= limits::AWARENESS_RESERVED
    }
}

/// Who sends an awareness message, and when.
#[derive(Clone, Copy, Debug)]
pub struct Speaker<'a> {
    /// The connection.
    pub member: MemberId,
    /// Whom it acts for; ids are owned by subjects.
    pub subject: &'a Subject,
    /// Whether this is the connection's first awareness message.
    pub first: First,
    /// When.
    pub now: Tick,
}

/// Whether a message is the first awareness message of its connection, which claims an id if it is its only entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum First {
    /// It may claim an id.
    Yes,
    /// It may only speak for ids.
    No,
}

const NULL: &str = "null";

fn encode(entries: &BTreeMap<u64, (u64, &str)>) -> Vec<u8> {
    let mut out = Vec::new();
    lib0::put_number(&mut out, entries.len() as u64);
    for (id, (clock, state)) in entries {
        lib0::put_number(&mut out, *id);
        lib0::put_number(&mut out, *clock);
        lib0::put_blob(&mut out, state.as_bytes());
    }
    out
}

/// Reads a payload's entries one by one, `limits::AWARENESS_ENTRIES_MAX` at most; nothing is allocated.
fn read<'a>(
    payload: &'a [u8],
    mut each: impl FnMut(Incoming<'a>) -> Result<(), Malformed>,
) -> Result<(), Malformed> {
    let mut reader = Reader::new(payload);
    let count = reader.number()?;
    if count > limits::AWARENESS_ENTRIES_MAX {
        return Err(Malformed);
    }
    for _ in 0..count {
        each(Incoming {
            id: reader.number()?,
            clock: reader.number()?,
            text: reader.string()?,
        })?;
    }
    reader.is_empty().then_some(()).ok_or(Malformed)
}

#[cfg(test)]
#[path = "awareness_tests.rs"]
mod tests;
