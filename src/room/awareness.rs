//! Presence: who is on the board, with which state, and who may say so.
//!
//! Owns the table of awareness ids: clock, state, owner. `entry` is one of them, `telling` what leaves;
//! `payload` reads and writes messages, `voices` knows what each connection speaks for, `bonds` whose ids
//! were whose. Not `yrs::sync::Awareness`, which trusts every entry and never expires one. Must not know
//! sockets or frames. Key invariants: a state is changed only by connections of the subject whose id it is,
//! or was; a message costs in proportion to its bytes. Tests: `room/awareness_tests.rs`.
//!
//! Stock clients send back every state that they learn, so entries about other people's ids are normal
//! traffic and are dropped without a word, before their JSON is read. And they take any state for their own
//! id as their own, if its clock is higher. So an id stays its subject's after it has gone (`bonds`). Of a
//! subject that is many people (anonymous, a link) nobody can tell who returns: there only the owner speaks
//! for an id, and one that has passed from one connection to another is shown for nobody while several claim
//! it.

mod bonds;
mod entry;
mod payload;
mod telling;
mod voices;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::ids::{MemberId, Subject};
use crate::limits;
use crate::meter::Meter;
use crate::time::Tick;
use crate::update::any;
use bonds::Bonds;
use entry::{Entry, Spoken, beyond, is_next};
pub use entry::{First, Speaker};
pub use payload::Refused;
use payload::{Incoming, NULL, Told, read};
use voices::{Voice, Voices};

/// What a payload did.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Applied {
    /// Something changed, so the room must broadcast within [`limits::AWARENESS_EVERY`].
    pub changed: bool,
    /// The id this payload claimed, when it was the connection's first and had one entry.
    pub claimed: Option<Claim>,
    /// What to answer instead: the id is somebody else's who has gone.
    pub answer: Option<Vec<u8>>,
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
    /// The ids with a state.
    live: BTreeSet<u64>,
    /// Ids changed since they were last broadcast, with a clock for those that have gone.
    dirty: BTreeMap<u64, u64>,
    /// The last id that was broadcast: the next turn goes on behind it.
    told: u64,
    /// Bytes that may still be broadcast; below zero, a large state was sent on credit.
    credit: i64,
    /// Each id once, at the earliest instant that something may become due for it.
    due: BTreeSet<(Tick, u64)>,
    /// How many entries have passed.
    passed: usize,
    voices: Voices,
    bonds: Bonds,
    /// Owners that must announce themselves anew.
    owed: Vec<(MemberId, u64)>,
}

/// Steps for an entry: it is looked up in two passes, among those that are here and those who were.
const ENTRY_STEPS: u64 = 4;

impl Awareness {
    /// Applies the payload of an awareness message.
    ///
    /// # Shape
    /// `varuint count, { varuint id, varuint clock, varstring JSON }*` and nothing after it.
    ///
    /// # Errors
    /// [`Refused::Malformed`] when the payload does not decode or a state that would be shown is not JSON;
    /// [`Refused::TooCostly`] when `meter` ends. Nothing was applied then.
    ///
    /// # Source
    /// y-protocols 1.0.7, awareness.js, `applyAwarenessUpdate`.
    pub fn apply(
        &mut self,
        payload: &[u8],
        speaker: Speaker<'_>,
        meter: &mut Meter,
    ) -> Result<Applied, Refused> {
        // Checked whole before anything is applied, and read twice rather than held: a payload may claim
        // millions.
        let mut count = 0usize;
        let mut last = None;
        read(payload, |incoming| {
            meter.spend(ENTRY_STEPS)?;
            meter.spend_bytes(incoming.text.len())?;
            if self.may_count(incoming, speaker) {
                meter.spend_bytes(incoming.text.len())?;
                any::check_json(incoming.text.as_bytes()).map_err(|_| Refused::Malformed)?;
            }
            count += 1;
            last = Some(incoming);
            Ok(())
        })?;
        let mut applied = Applied::default();
        if let (First::Yes, 1, Some(only)) = (speaker.first, count, last)
            && only.state().is_some()
        {
            self.claim(only, speaker, &mut applied);
        }
        read(payload, |incoming| {
            let is_claimed = applied.claimed.is_some_and(|claim| claim.id == incoming.id);
            let spoken = if is_claimed {
                Spoken::Claimed
            } else {
                Spoken::Relayed
            };
            applied.changed |= self.apply_entry(incoming, speaker, spoken);
            Ok(())
        })?;
        Ok(applied)
    }

    /// Whether an entry can be more than an echo: what is not is dropped with its JSON unread. Entries before
    /// it in its message only raise clocks.
    fn may_count(&self, incoming: Incoming<'_>, speaker: Speaker<'_>) -> bool {
        let entry = self.entries.get(&incoming.id).map(|e| (e.clock, &e.subject));
        let known = entry.or_else(|| self.bonds.get(incoming.id).map(|b| (b.clock, &b.subject)));
        incoming.text.len() <= limits::AWARENESS_STATE_BYTES_MAX
            && known.is_none_or(|(clock, subject)| incoming.clock >= clock && subject == speaker.subject)
    }

    /// Makes the speaker the owner of an id, or an heir of it, unless it is another subject's.
    fn claim(&mut self, only: Incoming<'_>, speaker: Speaker<'_>, applied: &mut Applied) {
        let Speaker {
            member, subject, now, ..
        } = speaker;
        let id = only.id;
        if let Some(bond) = self.bonds.get(id) {
            if bond.subject != *subject {
                let mut told = Told::default();
                told.add(id, beyond(bond.clock.max(only.clock), 1), NULL);
                applied.answer = told.encode();
                return;
            }
            let clock = bond.clock;
            self.insert(id, Entry::new(clock, speaker, Spoken::Claimed));
        } else if let Some(entry) = self.entries.get_mut(&id) {
            if entry.subject != *subject {
                return;
            }
            if entry.owner == member {
                entry.claimed = true;
            } else if entry.claimed {
                entry.heirs.push_back(member);
                self.voices.of(member, subject).heir_of = Some(id);
                if self.is_contested(id) {
                    applied.changed |= self.drop_state(id, now);
                }
            } else {
                entry.claimed = true;
                if subject.is_shared() {
                    // A stranger may have said anything.
                    applied.changed |= self.drop_state(id, now);
                }
                self.hand_over(id, member);
            }
        }
        let returning = self.entries.contains_key(&id);
        applied.claimed = Some(Claim { id, returning });
    }

    /// Returns whether the entry changed anything.
    fn apply_entry(&mut self, incoming: Incoming<'_>, speaker: Speaker<'_>, spoken: Spoken) -> bool {
        if incoming.text.len() > limits::AWARENESS_STATE_BYTES_MAX {
            return false;
        }
        match self.entries.get(&incoming.id) {
            None => self.introduce(incoming, speaker, spoken),
            Some(entry) => entry.hears(speaker) && self.renew(incoming, speaker, spoken),
        }
    }

    /// A state for an id that nobody here speaks for.
    fn introduce(&mut self, incoming: Incoming<'_>, speaker: Speaker<'_>, spoken: Spoken) -> bool {
        let Speaker { member, subject, .. } = speaker;
        let (id, clock, Some(state)) = (incoming.id, incoming.clock, incoming.state()) else {
            return false;
        };
        // Of a subject that is many people, who only relays an id may be anybody.
        let fits = |bond: &bonds::Bond| {
            bond.subject == *subject && !subject.is_shared() && is_next(bond.clock, clock)
        };
        let voice = self.voices.get(member);
        let crowded = self.entries.len() >= limits::CLIENT_IDS_MAX;
        if !self.bonds.get(id).is_none_or(fits)
            || voice.is_some_and(|voice| voice.is_full() || (crowded && !voice.owned.is_empty()))
            || !self.voices.have_room(member, subject, 0, state.len())
        {
            return false;
        }
        self.insert(id, Entry::new(clock, speaker, spoken));
        self.put(id, Some(state), state.len());
        true
    }

    /// A new state, or none, for an id that the speaker may speak for.
    fn renew(&mut self, incoming: Incoming<'_>, speaker: Speaker<'_>, spoken: Spoken) -> bool {
        let Incoming { id, clock, .. } = incoming;
        let state = incoming.state();
        let Some(entry) = self.entries.get_mut(&id) else {
            return false;
        };
        // Only a claim may bring back a state with the clock that it was removed at: its owner never saw the
        // removal. Anything else with that clock is the late echo of another tab.
        let may_repeat = state.is_none() || spoken == Spoken::Claimed;
        let renewed = clock == entry.clock && may_repeat && state.is_some() != entry.state.is_some();
        if !renewed && !is_next(entry.clock, clock) {
            return false;
        }
        let revived = state.is_some() && entry.state.is_none();
        let full = self.voices.get(entry.owner).is_some_and(Voice::is_full);
        let bytes = state.map_or(0, str::len);
        let fits = self
            .voices
            .have_room(entry.owner, &entry.subject, entry.counted, bytes);
        if (revived && full) || !fits {
            return false;
        }
        if state.is_none() {
            entry.left_at = speaker.now;
        }
        entry.clock = clock;
        entry.renewed_at = speaker.now;
        self.put(id, state, bytes);
        true
    }

    /// Sets the state of somebody without a connection, whose place is `member` and whose id is that number;
    /// returns whether there is something to broadcast. Not where the id is somebody else's. It counts in
    /// nobody's bytes.
    pub fn show(&mut self, member: MemberId, subject: &Subject, state: &str, now: Tick) -> bool {
        let id = u64::from(member.number());
        match self.entries.get_mut(&id) {
            Some(entry) if entry.owner == member => {
                entry.clock = beyond(entry.clock, 1);
                entry.renewed_at = now;
            }
            Some(_) => return false,
            None => {
                let bond = self.bonds.get(id);
                if bond.is_some_and(|bond| bond.subject != *subject) {
                    return false;
                }
                let clock = bond.map_or(1, |bond| beyond(bond.clock, 1));
                let speaker = Speaker {
                    member,
                    subject,
                    first: First::No,
                    now,
                };
                self.insert(id, Entry::new(clock, speaker, Spoken::Relayed));
            }
        }
        self.put(id, Some(state), 0);
        true
    }

    /// `member` has left: its ids pass to an heir, or their states are removed.
    ///
    /// Returns whether something changed that must be broadcast.
    pub fn leave(&mut self, member: MemberId, now: Tick) -> bool {
        let Some(voice) = self.voices.get_mut(member) else {
            return false;
        };
        let (owned, heir_of) = (std::mem::take(&mut voice.owned), voice.heir_of.take());
        if let Some(id) = heir_of {
            let was = self.is_contested(id);
            if let Some(entry) = self.entries.get_mut(&id) {
                entry.heirs.retain(|heir| *heir != member);
            }
            if was && !self.is_contested(id) {
                self.owe(id);
            }
        }
        let mut changed = false;
        for id in owned {
            changed |= self.pass_on(id, now);
        }
        self.voices.remove(member);
        changed
    }

    /// The owner of `id` has left.
    fn pass_on(&mut self, id: u64, now: Tick) -> bool {
        let Some(entry) = self.entries.get_mut(&id) else {
            return false;
        };
        let Some(heir) = entry.heirs.pop_front() else {
            let changed = self.drop_state(id, now);
            self.forget(id);
            return changed;
        };
        self.passed += usize::from(entry.subject.is_shared() && !entry.passed);
        entry.passed = entry.subject.is_shared();
        self.hand_over(id, heir);
        if let Some(voice) = self.voices.get_mut(heir) {
            voice.heir_of = None;
        }
        if self.is_contested(id) {
            return self.drop_state(id, now);
        }
        if self.entries.get(&id).is_some_and(|entry| entry.passed) {
            self.owe(id);
        }
        false
    }

    /// Removes states not renewed for [`limits::AWARENESS_TIMEOUT`], and ids that nobody speaks for any more;
    /// returns whether there is something to broadcast.
    pub fn expire(&mut self, now: Tick) -> bool {
        let mut changed = false;
        while let Some((_, id)) = self.due.first().copied().filter(|(at, _)| *at <= now) {
            changed |= self.expire_one(id, now);
        }
        changed
    }

    /// When [`Self::expire`] may next have something to do.
    #[must_use]
    pub fn next_due(&self) -> Option<Tick> {
        self.due.first().map(|(at, _)| *at)
    }

    /// Looks at an id that may be due, and notes when to look again, which is later than `now`.
    fn expire_one(&mut self, id: u64, now: Tick) -> bool {
        let Some(entry) = self.entries.get_mut(&id) else {
            return false;
        };
        let ends = entry.renewed_at.after(limits::AWARENESS_TIMEOUT);
        let frees = entry.left_at.after(limits::AWARENESS_RESERVED);
        let (gone, again) = match &entry.state {
            Some(_) if ends > now => (false, ends),
            Some(_) => (true, now.after(limits::AWARENESS_RESERVED)),
            None if entry.claimed => (false, now.after(limits::AWARENESS_RESERVED)),
            None if frees > now => (false, frees),
            None => {
                self.forget(id);
                return false;
            }
        };
        self.due.remove(&(entry.due, id));
        entry.due = again;
        self.due.insert((again, id));
        gone && self.drop_state(id, now)
    }

    // --- the table ----------------------------------------------------------------------------------------

    /// Adds an entry without a state. What was remembered of the id is forgotten.
    fn insert(&mut self, id: u64, mut entry: Entry) {
        let was = self.bonds.remove(id);
        entry.passed = was.is_some() && entry.subject.is_shared();
        self.passed += usize::from(entry.passed);
        self.due.insert((entry.due, id));
        self.voices.of(entry.owner, &entry.subject).owned.push(id);
        self.entries.insert(id, entry);
    }

    /// Takes an id without a state out of the table, and remembers whose it was.
    fn forget(&mut self, id: u64) {
        if let Some(entry) = self.entries.remove(&id) {
            self.due.remove(&(entry.due, id));
            self.passed -= usize::from(entry.passed);
            self.voices.disown(entry.owner, id);
            self.bonds.insert(id, entry.clock, entry.subject);
        }
    }

    /// Sets the state of an id, which counts so many bytes, and notes that it is to be broadcast.
    fn put(&mut self, id: u64, state: Option<&str>, counted: usize) {
        let Some(entry) = self.entries.get_mut(&id) else {
            return;
        };
        let was = entry.state.as_ref().map(|_| entry.counted);
        self.voices.note(entry.owner, was, state.map(|_| counted));
        entry.state = state.map(Into::into);
        entry.counted = counted;
        if state.is_some() {
            self.live.insert(id);
        } else {
            self.live.remove(&id);
        }
        self.dirty.insert(id, entry.clock);
    }

    /// Removes the state of an id; returns whether it had one.
    fn drop_state(&mut self, id: u64, now: Tick) -> bool {
        let Some(entry) = self.entries.get_mut(&id).filter(|entry| entry.state.is_some()) else {
            return false;
        };
        entry.left_at = now;
        self.put(id, None, 0);
        true
    }

    fn hand_over(&mut self, id: u64, to: MemberId) {
        let Some(entry) = self.entries.get_mut(&id) else {
            return;
        };
        let counted = entry.state.as_ref().map(|_| entry.counted);
        let from = std::mem::replace(&mut entry.owner, to);
        self.voices.note(from, counted, None);
        self.voices.disown(from, id);
        self.voices.of(to, &entry.subject).owned.push(id);
        self.voices.note(to, None, counted);
    }

    /// Whether several connections claim an id that has passed: any of them may be who had it first.
    fn is_contested(&self, id: u64) -> bool {
        self.entries.get(&id).is_some_and(Entry::is_contested)
    }

    /// Makes the owner of `id`, whose clock may have gone on unheard, announce itself anew.
    fn owe(&mut self, id: u64) {
        if let Some(entry) = self.entries.get_mut(&id) {
            entry.clock = beyond(entry.clock, limits::AWARENESS_CLOCK_STEP_MAX / 2);
            self.owed.push((entry.owner, id));
        }
    }
}

#[cfg(test)]
#[path = "awareness_tests.rs"]
mod tests;
