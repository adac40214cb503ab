//! Which ids each connection speaks for, and how many bytes of states it has shown.
//!
//! Owns the index from connections to ids, and the budgets of bytes. Must not know states or clocks. Key
//! invariants: what a connection has to itself nobody else can use up; what is beyond it is bounded for a
//! subject and for the room. Tests: `room/awareness_tests.rs`.

use std::collections::HashMap;

use crate::ids::{MemberId, Subject};
use crate::limits;

/// What one connection speaks for.
#[derive(Debug)]
pub(super) struct Voice {
    subject: Subject,
    /// Its ids: live ones, and those whose state was removed less than [`limits::AWARENESS_RESERVED`] ago.
    pub(super) owned: Vec<u64>,
    /// How many of them are live.
    pub(super) live: usize,
    /// The id that it inherits when its owner leaves.
    pub(super) heir_of: Option<u64>,
    /// Bytes of its states.
    bytes: usize,
}

impl Voice {
    /// Whether it may not speak for another id.
    pub(super) fn is_full(&self) -> bool {
        self.live >= limits::AWARENESS_IDS_MAX || self.owned.len() >= limits::AWARENESS_OWNED_MAX
    }
}

/// The voices of one room.
#[derive(Debug, Default)]
pub(super) struct Voices {
    by_member: HashMap<MemberId, Voice>,
    /// Bytes of all states.
    pub(super) bytes: usize,
    /// Bytes beyond what connections have to themselves.
    shared: usize,
    /// The same of each subject that has any.
    of_subject: HashMap<Subject, usize>,
}

impl Voices {
    pub(super) fn get(&self, member: MemberId) -> Option<&Voice> {
        self.by_member.get(&member)
    }

    pub(super) fn get_mut(&mut self, member: MemberId) -> Option<&mut Voice> {
        self.by_member.get_mut(&member)
    }

    /// The voice of a connection, made if it has none.
    pub(super) fn of(&mut self, member: MemberId, subject: &Subject) -> &mut Voice {
        let silent = || Voice {
            subject: subject.clone(),
            owned: Vec::new(),
            live: 0,
            heir_of: None,
            bytes: 0,
        };
        self.by_member.entry(member).or_insert_with(silent)
    }

    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.by_member.is_empty() && self.of_subject.is_empty() && self.shared == 0 && self.bytes == 0
    }

    /// Whether a state of `subject` at `member` may grow from `was` to `is` bytes.
    pub(super) fn have_room(&self, member: MemberId, subject: &Subject, was: usize, is: usize) -> bool {
        let bytes = self.get(member).map_or(0, |voice| voice.bytes);
        let more = beyond_own(bytes.saturating_sub(was).saturating_add(is)).saturating_sub(beyond_own(bytes));
        let of_subject = self.of_subject.get(subject).copied().unwrap_or(0);
        more == 0
            || (self.shared.saturating_add(more) <= limits::AWARENESS_SHARED_BYTES_MAX
                && of_subject.saturating_add(more) <= limits::AWARENESS_SUBJECT_BYTES_MAX)
    }

    /// Notes that a state of `member` went from `was` to `is` bytes; `None` is no state.
    pub(super) fn note(&mut self, member: MemberId, was: Option<usize>, is: Option<usize>) {
        let Some(voice) = self.by_member.get_mut(&member) else {
            return;
        };
        voice.live = (voice.live + usize::from(is.is_some())).saturating_sub(usize::from(was.is_some()));
        let before = beyond_own(voice.bytes);
        voice.bytes = (voice.bytes + is.unwrap_or(0)).saturating_sub(was.unwrap_or(0));
        self.bytes = (self.bytes + is.unwrap_or(0)).saturating_sub(was.unwrap_or(0));
        let after = beyond_own(voice.bytes);
        if before == after {
            return;
        }
        self.shared = (self.shared + after).saturating_sub(before);
        let of_subject = self.of_subject.entry(voice.subject.clone()).or_default();
        *of_subject = (*of_subject + after).saturating_sub(before);
        if *of_subject == 0 {
            self.of_subject.remove(&voice.subject);
        }
    }

    /// `member` no longer speaks for `id`, which has no state.
    pub(super) fn disown(&mut self, member: MemberId, id: u64) {
        if let Some(voice) = self.by_member.get_mut(&member) {
            voice.owned.retain(|owned| *owned != id);
        }
    }

    /// Takes the voice of who has left. Its states have to be removed or handed on before.
    pub(super) fn remove(&mut self, member: MemberId) {
        self.by_member.remove(&member);
    }
}

/// The part of a connection's bytes that counts towards what is shared.
fn beyond_own(bytes: usize) -> usize {
    bytes.saturating_sub(limits::AWARENESS_OWN_BYTES_MAX)
}
