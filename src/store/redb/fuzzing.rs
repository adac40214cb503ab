//! The fuzz body `store_ops` and its model: sequences of commits, failures and reopenings against a `BTreeMap`.
//!
//! Owns the plainest reading of the store's rules ([`Model`]); must share no code with the store but its types. Key
//! invariant: what the store holds is the model before a commit that failed, or after it, and nothing between.

use std::collections::BTreeMap;

use bytes::Bytes;

use super::simdisk::SimDisk;
use super::{RedbStore, Store, Stored};
use crate::ids::{BoardId, UserId};
use crate::store::{Applied, BoardRecord, Change, StoredBoard};
use crate::time::UnixMillis;

/// Boards that operations are about: ids that are each other's neighbours among the keys.
const BOARDS: [&str; 4] = ["a", "a-", "aa", "b"];

/// What the store should hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Model(BTreeMap<BoardId, Option<StoredBoard>>);

impl Model {
    /// Does what `Store::commit` should do with one change.
    pub(super) fn apply(&mut self, change: &Change) -> Applied {
        let board = change.board().clone();
        if let Change::CreateBoard { owner, title, at, .. } = change {
            return match self.0.get(&board) {
                Some(None) => Applied::Deleted,
                Some(Some(_)) => Applied::Exists,
                None => {
                    let record = BoardRecord {
                        owner: owner.clone(),
                        title: title.clone(),
                        created_at: *at,
                        updated_at: *at,
                    };
                    let stored = StoredBoard {
                        record,
                        snapshot: None,
                        updates: Vec::new(),
                    };
                    self.0.insert(board, Some(stored));
                    Applied::Done
                }
            };
        }
        let stored = match self.0.get_mut(&board) {
            None => return Applied::Absent,
            Some(None) => return Applied::Deleted,
            Some(Some(stored)) => stored,
        };
        match change {
            Change::Append {
                sequence, update, at, ..
            } => {
                if *sequence != stored.last_sequence() + 1 {
                    return Applied::OutOfOrder;
                }
                stored.updates.push((*sequence, update.clone()));
                stored.record.updated_at = stored.record.updated_at.max(*at);
            }
            Change::Snapshot { covers, state, .. } => {
                let least = stored.snapshot.as_ref().map_or(0, |(covers, _)| *covers);
                if *covers < least || *covers > stored.last_sequence() {
                    return Applied::OutOfOrder;
                }
                stored.updates.retain(|(sequence, _)| sequence > covers);
                stored.snapshot = Some((*covers, state.clone()));
            }
            Change::DeleteBoard { .. } | Change::CreateBoard { .. } => drop(self.0.insert(board, None)),
        }
        Applied::Done
    }

    /// Whether `store` holds just this.
    pub(super) fn is_in(&self, store: &RedbStore) -> bool {
        BOARDS.iter().all(|text| {
            let board = board(text);
            let expected = match self.0.get(&board) {
                None => Stored::Absent,
                Some(None) => Stored::Deleted,
                Some(Some(stored)) => Stored::Present(stored.clone()),
            };
            store.load(&board) == Ok(expected)
        })
    }

    /// Whether each board is as here, or refused with an error; otherwise the one that is neither.
    #[cfg(test)]
    pub(super) fn is_in_or_refused(&self, store: &RedbStore) -> Result<(), String> {
        for text in BOARDS {
            let board = board(text);
            let expected = match self.0.get(&board) {
                None => Stored::Absent,
                Some(None) => Stored::Deleted,
                Some(Some(stored)) => Stored::Present(stored.clone()),
            };
            match store.load(&board) {
                Ok(found) if found != expected => {
                    return Err(format!("{text}: {found:.200?}, not {expected:.200?}"));
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// The last sequence of a board; 0 where there is none.
    fn last_sequence(&self, board: &BoardId) -> u64 {
        self.0
            .get(board)
            .and_then(Option::as_ref)
            .map_or(0, StoredBoard::last_sequence)
    }
}

fn board(text: &str) -> BoardId {
    BoardId::parse(text).unwrap_or_else(|| unreachable!("the ids above are valid"))
}

/// One step of a sequence.
pub(super) enum Step {
    /// Into the batch.
    Change(Change),
    /// Commits the batch.
    Commit,
    /// The disk fails after so many operations, during the next commit.
    Fail(u64),
    /// Closes and opens the store.
    Reopen,
    /// Gives space back.
    Reclaim,
}

/// Reads steps from bytes; any bytes are some steps.
pub(super) struct Steps<'a> {
    data: &'a [u8],
    count: u64,
}

impl<'a> Steps<'a> {
    pub(super) fn new(data: &'a [u8]) -> Self {
        Self { data, count: 0 }
    }

    fn byte(&mut self) -> Option<u8> {
        let (&byte, rest) = self.data.split_first()?;
        self.data = rest;
        Some(byte)
    }

    /// Bytes of a length that the next byte says, unlike those of other steps.
    fn payload(&mut self) -> Option<Bytes> {
        let byte = self.byte()?;
        let length = match byte {
            0..=199 => usize::from(byte),
            200..=249 => usize::from(byte) * 37,
            250..=255 => usize::from(byte) * 300,
        };
        let seed = self.count;
        Some(
            (0..length as u64)
                .map(|n| (n.wrapping_mul(31).wrapping_add(seed * 17)) as u8)
                .collect(),
        )
    }

    /// The next step, given what the store should hold after the batch.
    pub(super) fn next(&mut self, ahead: &Model) -> Option<Step> {
        self.count += 1;
        let byte = self.byte()?;
        let board = board(BOARDS[usize::from(byte >> 5) % BOARDS.len()]);
        let last = ahead.last_sequence(&board);
        let at = UnixMillis(self.count);
        Some(match byte % 16 {
            0..=5 => Step::Change(Change::Append {
                board,
                sequence: last + 1,
                update: self.payload()?,
                at,
            }),
            6 => Step::Change(Change::Append {
                board,
                sequence: u64::from(self.byte()?),
                update: self.payload()?,
                at,
            }),
            7 | 8 => Step::Change(Change::Snapshot {
                board,
                covers: (last + 1).saturating_sub(u64::from(self.byte()? % 4)),
                state: self.payload()?,
            }),
            9 | 10 => Step::Change(Change::CreateBoard {
                board,
                owner: UserId::parse("alice"),
                title: None,
                at,
            }),
            11 if self.byte()? < 64 => Step::Change(Change::DeleteBoard { board, at }),
            11..=13 => Step::Commit,
            14 => Step::Fail(u64::from(self.byte()?) % 40),
            _ if self.byte()? < 200 => Step::Reopen,
            _ => Step::Reclaim,
        })
    }
}

/// Steps from `data` against the model, with the disk failing where they say so.
///
/// # Panics
/// Where the store and the model differ.
pub fn store_ops(data: &[u8]) {
    let disk = SimDisk::default();
    let handles = disk.clone();
    let Ok(store) = RedbStore::open_backend(move || handles.handle()) else {
        unreachable!("an empty disk opens");
    };
    let mut model = Model::default();
    let mut ahead = Model::default();
    let mut batch = Vec::new();
    let mut expected = Vec::new();
    let mut steps = Steps::new(data);
    while let Some(step) = steps.next(&ahead) {
        match step {
            Step::Change(change) => {
                expected.push(ahead.apply(&change));
                batch.push(change);
                continue;
            }
            Step::Fail(count) => disk.fail_after(Some(count)),
            Step::Reopen => assert_eq!(store.reopen(), Ok(())),
            Step::Reclaim => drop(store.reclaim().map_err(|error| panic!("{error}"))),
            Step::Commit => {}
        }
        match store.commit(&batch) {
            Ok(applied) => {
                assert_eq!(applied, expected);
                model = ahead.clone();
            }
            Err(_) => {
                assert!(store.commit(&[]).is_err(), "a store that failed takes nothing");
                disk.fail_after(None);
                assert_eq!(store.reopen(), Ok(()));
                if ahead.is_in(&store) {
                    model = ahead.clone();
                }
            }
        }
        disk.fail_after(None);
        batch.clear();
        expected.clear();
        if store.reopen().is_err() || !model.is_in(&store) {
            panic!("the store does not hold what the model holds: {model:?}");
        }
        ahead = model.clone();
    }
}
