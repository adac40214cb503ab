//! Boards that come from another store.
//!
//! Owns how a board is made with all that it has, at once. Must not look at quotas. Key invariant: what is
//! refused is refused before anything of it is written.

use super::super::super::rows::{self, LiveBoard, Tag, Tallies};
use super::super::super::{Applied, Life, Living, StoreError, Whole};
use super::pending::{Entry, Pending, live};
use super::{Batch, length, webhooks, write_blob};
use crate::ids::BoardId;

impl<'t> Batch<'t> {
    /// Makes a board as it was elsewhere.
    pub(super) fn import(&mut self, whole: &Whole, pending: &mut Pending<'t>) -> Result<Applied, StoreError> {
        match live(&mut pending.entry) {
            Ok(_) => return Ok(Applied::Exists),
            Err(Applied::Absent) => {}
            Err(applied) => return Ok(applied),
        }
        let board = &whole.board;
        let applied = match &whole.life {
            Life::Deleted(at) => self.create(board, pending, || Entry::Deleted(*at))?,
            Life::Live(living) | Life::Trashed(_, living) if !living.is_in_order() => Applied::OutOfOrder,
            Life::Live(living) | Life::Trashed(_, living) if self.access.has_any_of(living)? => {
                Applied::Exists
            }
            Life::Live(living) | Life::Trashed(_, living) if !self.has_parts_of(living)? => {
                Applied::OutOfOrder
            }
            Life::Live(living) | Life::Trashed(_, living) => {
                let made = LiveBoard {
                    trashed_at: whole.life.trashed_at(),
                    ..unwritten(living)
                };
                self.create(board, pending, || Entry::Live(made))?
            }
        };
        if applied != Applied::Done {
            return Ok(applied);
        }
        if let (Some(living), Entry::Live(live)) = (whole.life.living(), &mut pending.entry) {
            self.write_document(board, live, living)?;
            self.access.import(board, &mut live.tallies, living)?;
            for asset in &living.assets {
                self.assets()?.put(board, asset)?;
            }
            for webhook in &living.webhooks {
                webhooks::put(&mut self.webhooks, board, webhook)?;
            }
            self.versions()?.import(board, living)?;
            self.change_owner((board, live.size_bytes()), None, live.record.owner.as_ref())?;
            pending.last = live.last_sequence;
            if let Some(at) = live.trashed_at {
                let key = board.as_str().as_bytes();
                self.trash()?.insert(key, &rows::encode_trashed(key, at))?;
            }
        }
        for entry in &whole.audit {
            self.write_entry(board, entry)?;
        }
        Ok(Applied::Done)
    }

    /// Whether the parts of all its assets came before it.
    fn has_parts_of(&mut self, living: &Living) -> Result<bool, StoreError> {
        for asset in &living.assets {
            if !self.assets()?.is_whole(asset)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn write_document(
        &mut self,
        board: &BoardId,
        live: &mut LiveBoard,
        living: &Living,
    ) -> Result<(), StoreError> {
        if let Some((covers, state)) = &living.document.snapshot {
            let place = (rows::board_start(board), *covers);
            live.tallies.snapshots = write_blob(&mut self.snapshots, Tag::Snapshot, place, (0, state))?;
        }
        let updates = &living.document.updates;
        if let Some((first, _)) = updates.first() {
            let mut blob = Vec::new();
            updates
                .iter()
                .for_each(|(_, update)| rows::push_update(&mut blob, update));
            let count = u32::try_from(updates.len()).map_err(|_| StoreError::Full)?;
            let place = (rows::board_start(board), *first);
            live.tallies.updates = write_blob(&mut self.updates, Tag::Update, place, (count, &blob))?;
            live.log_bytes = length(&blob);
        }
        Ok(())
    }
}

/// The record of a board of which no other row is written yet.
fn unwritten(living: &Living) -> LiveBoard {
    let snapshot = living.document.snapshot.as_ref();
    LiveBoard {
        record: living.document.record.clone(),
        trashed_at: None,
        last_sequence: living.document.last_sequence(),
        covers: snapshot.map_or(0, |(covers, _)| *covers),
        snapshot_bytes: snapshot.map(|(_, state)| length(state)),
        log_bytes: 0,
        tallies: Tallies::default(),
    }
}
