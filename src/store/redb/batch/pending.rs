//! A board while its commit is made up.
//!
//! Owns [`Pending`]: what is stored of the board, what the journal has of it, and what this commit adds. Must
//! not write. Key invariant: its last sequence and its bytes are those that the board has after this commit.

use bytes::Bytes;

use super::super::super::Applied;
use super::super::super::rows::{self, LiveBoard};
use super::super::journal::Part;
use super::length;
use crate::ids::UserId;
use crate::time::UnixMillis;

/// What a board is.
pub(super) enum Entry {
    Absent,
    Unreadable,
    Deleted(UnixMillis),
    Live(LiveBoard),
}

/// See the head of this file.
pub(super) struct Pending<'t> {
    pub(super) entry: Entry,
    /// What the journal has of it, after the last sequence of its record.
    pub(super) part: Option<&'t Part>,
    /// The sequence of its last update, this commit's included.
    pub(super) last: u64,
    /// Who owned it before this commit, if somebody did, and its bytes.
    pub(super) before: Option<(Option<UserId>, u64)>,
    /// The record must be written.
    pub(super) dirty: bool,
    /// When it changed last by what is not in its record.
    pub(super) at: UnixMillis,
    /// Updates of this commit: the first one's sequence, how many, and their blob.
    pub(super) first: u64,
    pub(super) updates: u32,
    pub(super) blob: Vec<u8>,
}

impl<'t> Pending<'t> {
    pub(super) fn new(entry: Entry, part: Option<&'t Part>) -> Self {
        let stored = match &entry {
            Entry::Live(live) => live.last_sequence,
            Entry::Absent | Entry::Unreadable | Entry::Deleted(_) => 0,
        };
        let mut pending = Self {
            entry,
            part,
            last: stored.max(part.map_or(0, Part::last)),
            before: None,
            dirty: false,
            first: 0,
            updates: 0,
            at: part.map_or_else(UnixMillis::default, Part::updated_at),
            blob: Vec::new(),
        };
        pending.before = pending.owned();
        pending
    }

    /// Who owns the board, if somebody does, and its bytes, with what this commit is about to add.
    pub(super) fn owned(&self) -> Option<(Option<UserId>, u64)> {
        match &self.entry {
            Entry::Live(live) => Some((live.record.owner.clone(), size_of(live, self.part, &self.blob))),
            Entry::Absent | Entry::Unreadable | Entry::Deleted(_) => None,
        }
    }

    /// Adds an update.
    pub(super) fn append(&mut self, sequence: u64, update: &Bytes, at: UnixMillis) -> Applied {
        if let Err(applied) = live(&mut self.entry) {
            return applied;
        }
        if self.last.checked_add(1) != Some(sequence) {
            return Applied::OutOfOrder;
        }
        self.last = sequence;
        self.at = self.at.max(at);
        if self.updates == 0 {
            self.first = sequence;
        }
        self.updates += 1;
        rows::push_update(&mut self.blob, update);
        Applied::Done
    }
}

/// What a board takes, with what this commit is about to add.
pub(super) fn size_of(live: &LiveBoard, part: Option<&Part>, blob: &[u8]) -> u64 {
    let part = part.map_or(0, |part| part.bytes_after(live.last_sequence));
    live.size_bytes()
        .saturating_add(part)
        .saturating_add(length(blob))
}

/// The live board, or what a change to it comes to; one in the trash is deleted.
pub(super) fn live(entry: &mut Entry) -> Result<&mut LiveBoard, Applied> {
    match kept(entry) {
        Ok(live) if live.trashed_at.is_some() => Err(Applied::Deleted),
        kept => kept,
    }
}

/// The same, also of a board in the trash.
pub(super) fn kept(entry: &mut Entry) -> Result<&mut LiveBoard, Applied> {
    match entry {
        Entry::Live(live) => Ok(live),
        Entry::Absent => Err(Applied::Absent),
        Entry::Deleted(_) => Err(Applied::Deleted),
        Entry::Unreadable => Err(Applied::Unreadable),
    }
}
