//! One awareness id, and who may speak for it.
//!
//! Owns [`Entry`] and the two rules about it: which speaker it hears, and which clock follows another. Must
//! not know the table. Key invariant: of a subject that is many people only the owner is heard. Tests:
//! `room/awareness_tests.rs`.

use std::collections::VecDeque;

use crate::ids::{MemberId, Subject};
use crate::limits;
#[cfg(test)]
use crate::planted::{self, Bug};
use crate::time::Tick;

/// One awareness id that has a state, or whose owner is here.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) clock: u64,
    /// The JSON as it was sent; `None` once removed.
    pub(super) state: Option<Box<str>>,
    /// What the state counts in its owner's bytes.
    pub(super) counted: usize,
    pub(super) subject: Subject,
    /// The connection that speaks for the id.
    pub(super) owner: MemberId,
    /// Whether `owner` claimed the id, rather than having relayed it for another tab.
    pub(super) claimed: bool,
    /// It was another connection's before, of a subject that is many people.
    pub(super) passed: bool,
    /// Later claims of the same subject, oldest first: one of them inherits.
    pub(super) heirs: VecDeque<MemberId>,
    pub(super) renewed_at: Tick,
    /// When the state was removed.
    pub(super) left_at: Tick,
    /// Where it stands in the order of `Awareness::due`.
    pub(super) due: Tick,
}

/// How an id came to its owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Spoken {
    /// By a claim.
    Claimed,
    /// In any other message.
    Relayed,
}

impl Entry {
    /// One without a state.
    pub(super) fn new(clock: u64, speaker: Speaker<'_>, spoken: Spoken) -> Self {
        Self {
            clock,
            state: None,
            counted: 0,
            subject: speaker.subject.clone(),
            owner: speaker.member,
            claimed: spoken == Spoken::Claimed,
            passed: false,
            heirs: VecDeque::new(),
            renewed_at: speaker.now,
            left_at: speaker.now,
            due: speaker
                .now
                .after(limits::AWARENESS_TIMEOUT.min(limits::AWARENESS_RESERVED)),
        }
    }

    pub(super) fn is_contested(&self) -> bool {
        self.passed && !self.heirs.is_empty()
    }

    /// Whether the speaker may change the state: a connection of the same subject, which may relay it for
    /// another tab; the owner alone where the subject is many people.
    pub(super) fn hears(&self, speaker: Speaker<'_>) -> bool {
        #[cfg(test)]
        if planted::is(Bug::WrongOwner) {
            return true;
        }
        let is_own = self.owner == speaker.member || !self.subject.is_shared();
        self.subject == *speaker.subject && is_own && !self.is_contested()
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

/// Whether a message is the first awareness message of its connection, which claims an id if it is its only
/// entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum First {
    /// It may claim an id.
    Yes,
    /// It may only speak for ids.
    No,
}

/// Whether `clock` follows the `known` one, and not from so far that its owner could never pass it.
pub(super) fn is_next(known: u64, clock: u64) -> bool {
    known < clock && clock <= known.saturating_add(limits::AWARENESS_CLOCK_STEP_MAX)
}

/// A clock `by` further on, as far as clients can count.
pub(super) fn beyond(clock: u64, by: u64) -> u64 {
    clock.saturating_add(by).min(limits::CLIENT_ID_MAX.max(clock))
}
