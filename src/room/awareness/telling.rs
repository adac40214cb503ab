//! What of the awareness table is told, and to whom.
//!
//! Owns the payloads that leave, and the bound on how many bytes of changes do. Must not know who may say
//! what. Key invariant: all that changed is told, in turns; an id that has gone is told with the clock that
//! it went at. Tests: `room/awareness_tests.rs`.

use std::ops::Bound;

use super::Awareness;
use super::payload::{NULL, Told};
use crate::ids::MemberId;

impl Awareness {
    /// The payload that tells what changed since the last call, `bytes` of it on average; `None` when nothing
    /// did, or it has to wait.
    pub fn take_changes(&mut self, bytes: usize) -> Option<Vec<u8>> {
        let bytes = i64::try_from(bytes).unwrap_or(i64::MAX);
        self.credit = self.credit.saturating_add(bytes).min(bytes);
        let credit = usize::try_from(self.credit).unwrap_or(0);
        let mut told = Told::default();
        while told.bytes < credit {
            let behind = (Bound::Excluded(self.told), Bound::Unbounded);
            let next = self
                .dirty
                .range(behind)
                .next()
                .or_else(|| self.dirty.first_key_value());
            let Some((id, gone_at)) = next.map(|(id, clock)| (*id, *clock)) else {
                break;
            };
            self.dirty.remove(&id);
            self.told = id;
            let entry = self.entries.get(&id);
            let clock = entry.map_or(gone_at, |entry| entry.clock);
            told.add(id, clock, entry.and_then(|e| e.state.as_deref()).unwrap_or(NULL));
        }
        let sent = i64::try_from(told.bytes).unwrap_or(i64::MAX);
        self.credit = self.credit.saturating_sub(sent);
        told.encode()
    }

    /// Whether something is yet to be broadcast.
    #[must_use]
    pub fn has_changes(&self) -> bool {
        !self.dirty.is_empty()
    }

    /// The payload that tells the live states of ids from `from` on, about `bytes_max` of it, and the id that
    /// the rest begins with, if there is a rest. `None` when there are none.
    #[must_use]
    pub fn states(&self, from: u64, bytes_max: usize) -> (Option<Vec<u8>>, Option<u64>) {
        let mut told = Told::default();
        for id in self.live.range(from..) {
            if told.bytes >= bytes_max {
                return (told.encode(), Some(*id));
            }
            let entry = self.entries.get(id);
            if let Some((clock, state)) = entry.and_then(|e| Some((e.clock, e.state.as_deref()?))) {
                told.add(*id, clock, state);
            }
        }
        (told.encode(), None)
    }

    /// Bytes of all states.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.voices.bytes
    }

    /// Whether there are no live states.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.live.is_empty()
    }

    /// Whether ids have passed from one connection to another, of a subject that is many people: one who
    /// joins may be who had such an id first, and must not be told of it before it has said which is its own.
    #[must_use]
    pub fn has_passed(&self) -> bool {
        self.passed > 0
    }

    /// The payload that makes the owner of `id` raise its clock and announce itself anew: its own id,
    /// removed.
    ///
    /// Those who saw the id leave ignore its old clock for up to 15 s; a stock client that is told its own
    /// state is gone answers at once with a higher clock.
    ///
    /// # Source
    /// y-protocols 1.0.7, awareness.js, `applyAwarenessUpdate`, the branch for the own client id.
    #[must_use]
    pub fn nudge(&self, id: u64) -> Option<Vec<u8>> {
        let mut told = Told::default();
        told.add(id, self.entries.get(&id)?.clock, NULL);
        told.encode()
    }

    /// Owners that must be nudged, each with its id.
    pub fn take_owed(&mut self) -> Vec<(MemberId, u64)> {
        std::mem::take(&mut self.owed)
    }

    /// The live ids that `member` claimed. What a tab relays for another is left out: told that such an id is
    /// gone, the tab would believe it.
    pub fn claimed_by(&self, member: MemberId) -> impl Iterator<Item = u64> {
        let owned = self.voices.get(member).into_iter().flat_map(|voice| &voice.owned);
        let claimed = |id: &&u64| {
            self.entries
                .get(id)
                .is_some_and(|e| e.state.is_some() && e.claimed)
        };
        owned.filter(claimed).copied()
    }

    /// Whose live id it is, if somebody claimed it.
    #[must_use]
    pub fn owner_of(&self, id: u64) -> Option<MemberId> {
        let entry = self.entries.get(&id)?;
        (entry.state.is_some() && entry.claimed).then_some(entry.owner)
    }

    /// All live ids that were claimed, with whose they are.
    pub fn claimed(&self) -> impl Iterator<Item = (u64, MemberId)> {
        self.live.iter().filter_map(|id| Some((*id, self.owner_of(*id)?)))
    }

    /// The state of a connection: that which it claimed, before those that it relays.
    #[must_use]
    pub fn state_of(&self, member: MemberId) -> Option<&str> {
        let owned = &self.voices.get(member)?.owned;
        let live = owned
            .iter()
            .filter_map(|id| self.entries.get(id))
            .filter(|e| e.state.is_some());
        live.max_by_key(|entry| entry.claimed)?.state.as_deref()
    }

    /// Whether a connection shows a state.
    #[must_use]
    pub fn shows(&self, member: MemberId) -> bool {
        self.voices.get(member).is_some_and(|voice| voice.live > 0)
    }
}
