//! What the journal holds, in memory: of each board which commits, of each commit how many boards need it.
//!
//! A commit of updates is one row, whatever boards they are of; the boards' own rows are not touched. That
//! row goes when all its boards are past it: by a full state that covers what they have there, by being
//! deleted, or because it was moved to rows of their own (`batch/journal`).
//!
//! Owns [`Journal`], which is made by reading the table, and changed by what a commit has done. Must not
//! write. Key invariants: what a board has in the journal is what comes after the last sequence of its
//! record, and nothing else (so a record may be newer than a `Journal`, and never older); the commits in the
//! table count up by one, so that a row that is missing is missed. Tests: `tests/journal.rs`.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use ::redb::{ReadTransaction, ReadableTable};

use super::super::rows::journal::{Run, runs};
use super::super::rows::{self, BoardRow, LiveBoard, Tag};
use super::super::{Damage, StoreError};
use super::blobs::{blobs_in, broken, row};
use super::{JOURNAL, engine};
use crate::ids::BoardId;
use crate::limits;
use crate::time::UnixMillis;

/// What a commit, and a run of it, count besides their bytes: what they take in memory.
const ENTRY_BYTES: u64 = 64;

/// What it costs to move a board besides its bytes: a page for its record, and one for its row.
const BOARD_COST: u64 = 8 * 1024;

/// Where a run is: what one commit added to one board.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Spot {
    commit: u64,
    first: u64,
    updates: u32,
    bytes: u64,
}

impl Spot {
    pub(super) fn of(run: &Run<'_>, commit: u64) -> Self {
        Self {
            commit,
            first: run.first,
            updates: run.updates,
            bytes: u64::try_from(run.bytes.len()).unwrap_or(u64::MAX),
        }
    }

    fn last(&self) -> u64 {
        self.first
            .saturating_add(u64::from(self.updates))
            .saturating_sub(1)
    }
}

/// What the journal has of one board, in order.
#[derive(Clone, Debug, Default)]
pub(super) struct Part {
    spots: VecDeque<Spot>,
    updated_at: UnixMillis,
    bytes: u64,
}

impl Part {
    /// What there is after a sequence; nearly always that is all.
    fn after(&self, sequence: u64) -> impl Iterator<Item = &Spot> {
        let past = self.spots.partition_point(|spot| spot.last() <= sequence);
        self.spots.iter().skip(past)
    }

    pub(super) fn updated_at(&self) -> UnixMillis {
        self.updated_at
    }

    /// Bytes of what there is after a sequence.
    pub(super) fn bytes_after(&self, sequence: u64) -> u64 {
        match self.spots.front() {
            Some(spot) if spot.last() > sequence => self.bytes,
            _ => self.after(sequence).map(|spot| spot.bytes).sum(),
        }
    }

    /// Up to where the board is in the journal.
    pub(super) fn last(&self) -> u64 {
        self.spots.back().map_or(0, Spot::last)
    }

    /// Whether a commit has this of the board.
    fn has(&self, spot: Spot) -> bool {
        let at = self.spots.binary_search_by_key(&spot.commit, |spot| spot.commit);
        at.ok().and_then(|at| self.spots.get(at)) == Some(&spot)
    }

    fn push(&mut self, spot: Spot, at: UnixMillis) {
        self.bytes = self.bytes.saturating_add(spot.bytes);
        self.updated_at = self.updated_at.max(at);
        self.spots.push_back(spot);
    }
}

/// What a record says together with what the journal has after it: last sequence, time and size.
pub(super) fn with_part(mut live: LiveBoard, part: Option<&Part>) -> LiveBoard {
    let Some(part) = part else { return live };
    if part.last() > live.last_sequence {
        live.log_bytes = live
            .log_bytes
            .saturating_add(part.bytes_after(live.last_sequence));
        live.last_sequence = part.last();
        live.record.updated_at = live.record.updated_at.max(part.updated_at);
    }
    live
}

/// How long the journal may be, in bytes; how much one commit moves or removes besides what it is too long,
/// about; and from how much on it is worth removing what no board needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Bounds {
    pub(super) most: u64,
    pub(super) step: u64,
    pub(super) least: u64,
}

impl Bounds {
    /// Those of a data file.
    pub(super) const FILE: Self = Self {
        most: limits::JOURNAL_BYTES_MAX,
        step: limits::JOURNAL_STEP_BYTES,
        least: limits::JOURNAL_TRIM_BYTES,
    };

    /// Nothing stays.
    pub(super) const NOTHING: Self = Self {
        most: 0,
        step: u64::MAX,
        least: 0,
    };
}

/// One commit in the journal.
#[derive(Clone, Copy, Debug)]
struct Kept {
    bytes: u64,
    /// Boards that are not past it.
    needed: u32,
}

/// What a commit has changed.
#[derive(Debug, Default)]
pub(super) struct Delta {
    /// What it added, and its bytes.
    pub(super) added: Vec<(BoardId, Spot, UnixMillis)>,
    pub(super) bytes: u64,
    /// Boards that need nothing up to a sequence any more.
    pub(super) past: BTreeMap<BoardId, u64>,
    /// Commits that were removed, the oldest ones.
    pub(super) removed: usize,
}

/// What the journal holds.
#[derive(Clone, Debug)]
pub(super) struct Journal {
    boards: BTreeMap<BoardId, Arc<Part>>,
    commits: VecDeque<Kept>,
    /// The number of the first of them.
    first: u64,
    bytes: u64,
}

impl Default for Journal {
    fn default() -> Self {
        Self {
            boards: BTreeMap::new(),
            commits: VecDeque::new(),
            first: 1,
            bytes: 0,
        }
    }
}

impl Journal {
    /// Reads the table.
    ///
    /// # Errors
    /// [`StoreError::Unreadable`] where a row is missing or damaged: nobody knows which boards had something
    /// there.
    pub(super) fn read(transaction: &ReadTransaction) -> Result<Self, StoreError> {
        let table = transaction.open_table(JOURNAL).map_err(engine)?;
        let ends = (
            ReadableTable::first(&table).map_err(engine)?,
            ReadableTable::last(&table).map_err(engine)?,
        );
        let mut journal = Self::default();
        let (Some((first, _)), Some((last, _))) = ends else {
            return Ok(journal);
        };
        let number = |key: &[u8]| rows::split_blob_key(key).map(|(_, commit, _)| commit);
        let (first, last) = (
            number(first.value()).map_err(broken)?,
            number(last.value()).map_err(broken)?,
        );
        journal.first = first;
        let mut stored = BTreeMap::new();
        for commit in first..=last {
            let blob = blob(&table, commit)?;
            let mut delta = Delta::default();
            for run in runs(&blob).map_err(broken)? {
                delta
                    .added
                    .push((run.board.clone(), Spot::of(&run, commit), run.at));
                if !stored.contains_key(&run.board) {
                    stored.insert(run.board.clone(), stored_through(transaction, &run.board)?);
                }
            }
            delta.bytes = length(&blob);
            journal.apply(delta);
        }
        journal.apply_past(stored);
        Ok(journal)
    }

    /// What there is of a board.
    pub(super) fn part(&self, board: &BoardId) -> Option<&Part> {
        self.boards.get(board).map(|part| &**part)
    }

    /// The boards that have something there.
    pub(super) fn boards(&self) -> impl Iterator<Item = &BoardId> {
        self.boards.keys()
    }

    /// The number of the next commit.
    pub(super) fn next(&self) -> u64 {
        self.after(self.commits.len())
    }

    /// The number of the commit after so many of the oldest.
    pub(super) fn after(&self, count: usize) -> u64 {
        self.first.saturating_add(length_of(count))
    }

    /// About what the table takes, and the rest of this in memory.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// How much of that is not yet on its way out: what comes after the oldest commits that no board needs.
    pub(super) fn needed_bytes(&self) -> u64 {
        let (_, needless) = self.needless(&BTreeMap::new(), u64::MAX);
        self.bytes.saturating_sub(needless)
    }

    /// How much one commit may move or remove: the more, the longer the journal is.
    pub(super) fn step(&self, bounds: Bounds) -> u64 {
        bounds.step.saturating_add(self.bytes.saturating_sub(bounds.most))
    }

    /// How many of the oldest commits, up to about so many bytes, no board needs any more if these are past
    /// so much; and their bytes.
    pub(super) fn needless(&self, past: &BTreeMap<BoardId, u64>, most: u64) -> (usize, u64) {
        let mut fewer: BTreeMap<u64, u32> = BTreeMap::new();
        for (board, through) in past {
            let spots = self.part(board).into_iter().flat_map(|part| &part.spots);
            for spot in spots.take_while(|spot| spot.last() <= *through) {
                *fewer.entry(spot.commit).or_default() += 1;
            }
        }
        let (mut count, mut bytes) = (0, 0_u64);
        for (commit, kept) in (self.first..).zip(&self.commits) {
            if kept.needed > fewer.get(&commit).copied().unwrap_or(0) || bytes >= most {
                break;
            }
            count += 1;
            bytes = bytes.saturating_add(kept.bytes);
        }
        (count, bytes)
    }

    /// The boards that the oldest commits are kept for: the first one, and as many more as cost so much
    /// together.
    pub(super) fn oldest(&self, most: u64) -> Vec<BoardId> {
        let first_of = |part: &Part| part.spots.front().map_or(0, |spot| spot.commit);
        let mut boards: Vec<_> = self
            .boards
            .iter()
            .map(|(board, part)| (first_of(part), board, part.bytes))
            .collect();
        boards.sort_unstable();
        let mut bytes = 0_u64;
        let within = boards.into_iter().take_while(|(.., more)| {
            let before = bytes;
            bytes = bytes.saturating_add(*more).saturating_add(BOARD_COST);
            before == 0 || bytes <= most
        });
        within.map(|(_, board, _)| board.clone()).collect()
    }

    /// Does what a commit has done.
    pub(super) fn apply(&mut self, delta: Delta) {
        self.apply_past(delta.past);
        for kept in self.commits.drain(..delta.removed.min(self.commits.len())) {
            self.bytes = self.bytes.saturating_sub(kept.bytes);
            self.first = self.first.saturating_add(1);
        }
        if delta.added.is_empty() {
            return;
        }
        let entries = length_of(delta.added.len()).saturating_add(1);
        let bytes = delta.bytes.saturating_add(entries.saturating_mul(ENTRY_BYTES));
        self.bytes = self.bytes.saturating_add(bytes);
        self.commits.push_back(Kept {
            bytes,
            needed: u32::try_from(delta.added.len()).unwrap_or(u32::MAX),
        });
        for (board, spot, at) in delta.added {
            Arc::make_mut(self.boards.entry(board).or_default()).push(spot, at);
        }
    }

    fn apply_past(&mut self, past: BTreeMap<BoardId, u64>) {
        for (board, through) in past {
            let Some(part) = self.boards.get_mut(&board) else {
                continue;
            };
            let part = Arc::make_mut(part);
            while let Some(spot) = part.spots.pop_front_if(|spot| spot.last() <= through) {
                part.bytes = part.bytes.saturating_sub(spot.bytes);
                let at = usize::try_from(spot.commit.saturating_sub(self.first)).unwrap_or(usize::MAX);
                if let Some(kept) = self.commits.get_mut(at) {
                    kept.needed = kept.needed.saturating_sub(1);
                }
            }
            if part.spots.is_empty() {
                self.boards.remove(&board);
            }
        }
    }
}

/// Up to where the board needs nothing of the journal. Of one that cannot be read everything stays.
fn stored_through(transaction: &ReadTransaction, board: &BoardId) -> Result<u64, StoreError> {
    match row(transaction, board) {
        Ok(Some(BoardRow::Live(live))) => Ok(live.last_sequence),
        Ok(Some(BoardRow::Tombstone(_))) => Ok(u64::MAX),
        Ok(None) | Err(StoreError::Unreadable(_)) => Ok(0),
        Err(error) => Err(error),
    }
}

/// What one commit wrote.
fn blob(
    table: &impl ReadableTable<&'static [u8], &'static [u8]>,
    commit: u64,
) -> Result<Vec<u8>, StoreError> {
    let (start, end) = (
        rows::blob_key(&[], commit, 0),
        rows::blob_key(&[], commit.saturating_add(1), 0),
    );
    let (blobs, _) = blobs_in(table, Tag::Journal, (&start, &end), 0)?;
    let blob = blobs.into_iter().next();
    blob.map(|blob| blob.bytes)
        .ok_or_else(|| broken(Damage::CommitMissing(commit)))
}

/// What to do about a commit that cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unreadable {
    /// It is the answer.
    Refused,
    /// What it had is left out, so that it is missing where the board is read.
    LeftOut,
}

/// A stretch of updates: the first one's sequence, how many, and their bytes.
pub(super) type Stretch = (u64, u32, Vec<u8>);

/// Reads what boards have in the journal after a sequence each: their stretches in order, each commit's
/// apart.
pub(super) fn stretches(
    table: &impl ReadableTable<&'static [u8], &'static [u8]>,
    boards: &BTreeMap<BoardId, (&Part, u64)>,
    unreadable: Unreadable,
) -> Result<BTreeMap<BoardId, Vec<Stretch>>, StoreError> {
    let mut found: BTreeMap<BoardId, Vec<Stretch>> = BTreeMap::new();
    let commits = boards.values().flat_map(|(part, after)| part.after(*after));
    let commits: BTreeSet<u64> = commits.map(|spot| spot.commit).collect();
    for commit in commits {
        let blob = match blob(table, commit) {
            Err(StoreError::Unreadable(_)) if unreadable == Unreadable::LeftOut => continue,
            blob => blob?,
        };
        for run in runs(&blob).map_err(broken)? {
            let Some((part, after)) = boards.get(&run.board) else {
                continue;
            };
            // Only what this commit is known to have: a row may be an older one.
            let spot = Spot::of(&run, commit);
            if spot.last() > *after && part.has(spot) {
                let stretch = (run.first, run.updates, run.bytes.to_vec());
                found.entry(run.board).or_default().push(stretch);
            }
        }
    }
    Ok(found)
}

fn length_of(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}

fn length(bytes: &[u8]) -> u64 {
    length_of(bytes.len())
}
