//! The journal's side of a commit: its row, and what makes room in the table.
//!
//! Owns when a row of the journal is written, when it goes, and how what boards have there gets to rows of
//! their own. Key invariant: nothing is removed that some board needs; a board of which something cannot be
//! read is moved without it, and is refused when it is loaded, as it was before.

use std::collections::BTreeMap;

use ::redb::{Database, ReadableDatabase};

use super::super::super::StoreError;
use super::super::super::owners::Quotas;
use super::super::super::rows::journal::Run;
use super::super::super::rows::{self, Tag};
use super::super::engine;
use super::super::journal::{Bounds, Journal, Part, Spot, Stretch, Unreadable, stretches};
use super::super::owners::Owners;
use super::super::table::Touched;
use super::super::verify::Verified;
use super::pending::{Entry, Pending};
use super::{Batch, Known, length, write_blob};
use crate::ids::BoardId;

/// Moves all that the journal has to rows of the boards, and empties it: before a file is closed in order.
pub(in super::super) fn drain(database: &Database) -> Result<(), StoreError> {
    let journal = Journal::read(&database.begin_read().map_err(engine)?)?;
    if journal.bytes() == 0 {
        return Ok(());
    }
    let known = Known {
        owners: &Owners::new(Quotas::UNBOUNDED),
        journal: &journal,
        bounds: Bounds::NOTHING,
        verified: Verified::AtOpening,
    };
    let touched = Touched::default();
    let transaction = database.begin_write().map_err(engine)?;
    let mut batch = Batch::open(&transaction, &known, &touched)?;
    batch.make_room()?;
    batch.finish()?;
    transaction.commit().map_err(engine)
}

impl<'t> Batch<'t> {
    /// Moves some of the oldest that the journal has to rows of the boards, where it has become too long.
    pub(super) fn make_room(&mut self) -> Result<(), StoreError> {
        if self.journal.bytes() <= self.bounds.most {
            return Ok(());
        }
        let mut parts: BTreeMap<BoardId, (&'t Part, u64)> = BTreeMap::new();
        for board in self.journal.oldest(self.journal.step(self.bounds)) {
            let pending = self.take(&board)?;
            if let Some(part) = pending.part {
                let after = match &pending.entry {
                    Entry::Live(live) => live.last_sequence,
                    Entry::Absent | Entry::Unreadable | Entry::Deleted(_) => 0,
                };
                parts.insert(board.clone(), (part, after));
            }
            self.pending.insert(board, pending);
        }
        let mut found = stretches(&*self.commits, &parts, Unreadable::LeftOut)?;
        for (board, (part, _)) in parts {
            let stretches = found.remove(&board).unwrap_or_default();
            self.move_out(board, part, stretches)?;
        }
        Ok(())
    }

    /// Writes what the journal has of a board to rows of its own. Of one whose record cannot be read too.
    fn move_out(&mut self, board: BoardId, part: &Part, stretches: Vec<Stretch>) -> Result<(), StoreError> {
        let mut pending = self.take(&board)?;
        for (first, updates, bytes) in joined(stretches) {
            let place = (rows::board_start(&board), first);
            let tally = write_blob(&mut self.updates, Tag::Update, place, (updates, &bytes))?;
            if let Entry::Live(live) = &mut pending.entry {
                live.tallies.updates.join(tally);
                live.log_bytes = live.log_bytes.saturating_add(length(&bytes));
            }
        }
        if let Entry::Live(live) = &mut pending.entry {
            live.last_sequence = live.last_sequence.max(part.last());
        }
        pending.part = None;
        pending.dirty = true;
        self.delta.past.insert(board.clone(), part.last());
        self.pending.insert(board, pending);
        Ok(())
    }

    /// Adds what this commit has of a board to what will be its row of the journal.
    pub(super) fn add_run(&mut self, board: &BoardId, pending: &Pending<'_>, blob: &mut Vec<u8>) {
        if pending.updates == 0 {
            return;
        }
        let run = Run {
            board: board.clone(),
            first: pending.first,
            updates: pending.updates,
            at: pending.at,
            bytes: &pending.blob,
        };
        run.push(blob);
        let spot = Spot::of(&run, self.journal.next());
        self.delta.added.push((run.board, spot, run.at));
    }

    /// Writes this commit's row, and removes the oldest ones that no board needs any more.
    pub(super) fn write_commit(&mut self, blob: &[u8]) -> Result<(), StoreError> {
        if !blob.is_empty() {
            let place = (Vec::new(), self.journal.next());
            write_blob(&mut self.commits, Tag::Journal, place, (0, blob))?;
        }
        self.delta.bytes = length(blob);
        let step = self.journal.step(self.bounds);
        let (count, bytes) = self.journal.needless(&self.delta.past, step);
        if count > 0 && bytes >= self.bounds.least {
            let end = rows::blob_key(&[], self.journal.after(count), 0);
            self.commits.retain_in(..end.as_slice(), |_, _| false)?;
            self.delta.removed = count;
        }
        Ok(())
    }
}

/// Stretches of which one goes on where another ends become one.
fn joined(stretches: Vec<Stretch>) -> Vec<Stretch> {
    let mut joined: Vec<Stretch> = Vec::new();
    for (first, updates, bytes) in stretches {
        match joined.last_mut() {
            Some((start, count, all)) if start.saturating_add(u64::from(*count)) == first => {
                *count = count.saturating_add(updates);
                all.extend_from_slice(&bytes);
            }
            _ => joined.push((first, updates, bytes)),
        }
    }
    joined
}
