//! Moves all boards of one store into another, and the sessions of browsers.
//!
//! Owns [`copy`], [`Writing`] (the half of it that writes), and the words for what stays behind; `inspect`
//! looks through a store. Must not know how anything is stored, nor serve any of it. Key invariants: nothing
//! is written to the source; a board is on the target whole or not at all, and is counted only once it was
//! read back and is equal; what is there already is left as it is. So a copy that was interrupted is made
//! again, and goes on where it was. Tests: below, and tests/it/copy.rs.

mod assets;
mod inspect;
mod sessions;

use std::collections::{BTreeSet, VecDeque};
use std::fmt;

use bytes::Bytes;

pub use self::inspect::{Inspected, Opens, Seen, Wrong, inspect, inspect_board, state_of};
use crate::ids::{BoardId, SecretId};
use crate::store::{Applied, Change, Damage, Store, StoreError, StoredAsset, StoredSession, Used, Whole};

/// Ids that are asked for at a time; more than one, since the last one before is among them.
const IDS_AT_ONCE: usize = 256;

/// Boards that go in one commit, inclusive, and the bytes of them after which it is full.
const BOARDS_AT_ONCE_MAX: usize = 64;
const BYTES_AT_ONCE_MAX: usize = 8 * 1024 * 1024;

/// Which of the two stores.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// That which is copied.
    Source,
    /// That which gets the boards.
    Target,
}

impl fmt::Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Source => "the source",
            Self::Target => "the target",
        })
    }
}

/// A store as a whole failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stopped {
    /// Which.
    pub side: Side,
    /// Why.
    pub error: StoreError,
}

impl fmt::Display for Stopped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { side, error } = self;
        write!(f, "{side} failed: {error}")?;
        match std::error::Error::source(error) {
            Some(cause) => write!(f, ": {cause}"),
            None => Ok(()),
        }
    }
}

/// Why a board is not on the target as it is on the source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// It cannot be read.
    Unreadable(Side, StoreError),
    /// It cannot be read, in the words of whoever tried.
    Told(String),
    /// The target has another one under its id.
    Differs,
    /// The target has another session of its id or of its invitation.
    SessionDiffers,
    /// A link or key of it is on another board of the target.
    SecretTaken,
    /// The target did not take it.
    Refused(Applied),
    /// What the target gives back is not what was written.
    NotAsWritten,
    /// At the end it was not there, or not as it should be.
    Missing,
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable(side, StoreError::Unreadable(cause)) => {
                write!(f, "cannot be read on {side}: {cause}")
            }
            Self::Unreadable(side, error) => write!(f, "cannot be read on {side}: {error}"),
            Self::Told(words) => write!(f, "cannot be read on the source: {words}"),
            Self::Differs => f.write_str("the target has another board under this id, and keeps it"),
            Self::SessionDiffers => {
                f.write_str("the target has another one of its id or invitation, and keeps it")
            }
            Self::SecretTaken => f.write_str("a link or key of it is on another board of the target"),
            Self::Refused(applied) => write!(f, "the target did not take it ({applied:?})"),
            Self::NotAsWritten => f.write_str("what the target gives back is not what was written"),
            Self::Missing => f.write_str("it is missing on the target at the end"),
        }
    }
}

/// What is told on the way.
#[derive(Debug)]
pub enum Told<'a> {
    /// How many ids the source has.
    Ids(u64),
    /// So far.
    Progress(&'a Copied),
    /// A board stays behind.
    Behind(&'a BoardId, &'a Trouble),
    /// A session stays behind; or, for `None`, those that cannot be read.
    Session(Option<&'a SecretId>, &'a Trouble),
}

/// What came of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Copied {
    /// Boards that were written, also what is left of deleted ones, and read back.
    pub written: u64,
    /// Boards that were there already, and equal.
    pub equal: u64,
    /// Boards that are not on the target as they are on the source.
    pub behind: u64,
    /// Bytes of the documents that were written.
    pub bytes: u64,
    /// Boards of the target that the source does not have.
    pub others: u64,
    /// Sessions that are on the target as they are on the source.
    pub sessions: u64,
    /// Sessions that are not.
    pub sessions_behind: u64,
}

impl Copied {
    /// Boards of the source that were seen.
    #[must_use]
    pub fn seen(&self) -> u64 {
        self.written + self.equal + self.behind
    }
}

/// Copies all boards, one after another, and looks in the end whether the target has them all.
///
/// # Errors
/// Where one of the two stores fails as a whole. What was written until then is whole, and stays.
pub fn copy(from: &dyn Store, to: &dyn Store, tell: &mut dyn FnMut(Told<'_>)) -> Result<Copied, Stopped> {
    let mut ids = Ids::of(from, Side::Source);
    let mut count = 0;
    while ids.next()?.is_some() {
        count += 1;
    }
    tell(Told::Ids(count));
    let mut writing = Writing::new(to);
    let mut ids = Ids::of(from, Side::Source);
    while let Some(used) = ids.next()? {
        writing.take(from, used, tell)?;
    }
    writing.finish(tell)?;
    writing.compare(from, tell)?;
    let mut done = writing.done;
    sessions::copy((from, to), &mut done, tell)?;
    Ok(done)
}

/// The ids of a store, one by one.
struct Ids<'a> {
    store: &'a dyn Store,
    side: Side,
    page: VecDeque<Used>,
    last: Option<BoardId>,
}

impl<'a> Ids<'a> {
    fn of(store: &'a dyn Store, side: Side) -> Self {
        Self {
            store,
            side,
            page: VecDeque::new(),
            last: None,
        }
    }

    fn next(&mut self) -> Result<Option<Used>, Stopped> {
        if self.page.is_empty() {
            let found = self.store.used(self.last.as_ref(), IDS_AT_ONCE);
            self.page = found.map_err(|error| self.side.stopped(error))?.into();
            self.page.retain(|used| Some(&used.board) != self.last.as_ref());
        }
        let next = self.page.pop_front();
        if let Some(used) = &next {
            self.last = Some(used.board.clone());
        }
        Ok(next)
    }
}

impl Side {
    fn stopped(self, error: StoreError) -> Stopped {
        Stopped { side: self, error }
    }
}

/// What gives a part of an asset of the source; the trouble with it is that of its board.
pub type Parts<'p> = &'p mut dyn FnMut(&StoredAsset, u32) -> Result<Result<Bytes, Trouble>, Stopped>;

/// Brings the bytes of a board's assets from one store to the other, which goes before the board. What is
/// made of `original` may be another board, whose uploads are its own.
///
/// # Errors
/// What is wrong, in one line.
pub fn bring_assets(
    (from, original): (&dyn Store, &Whole),
    to: &dyn Store,
    whole: &Whole,
) -> Result<(), String> {
    let mut parts = |asset: &StoredAsset, number| {
        let known = assets::of(original).iter().find(|known| known.hash == asset.hash);
        assets::part((from, Side::Source), known.unwrap_or(asset), number)
    };
    match assets::bring(&mut parts, to, whole) {
        Ok(Ok(())) => Ok(()),
        Ok(Err(trouble)) => Err(trouble.to_string()),
        Err(stopped) => Err(stopped.to_string()),
    }
}

/// Gives up what was brought for a board that was not taken.
///
/// # Errors
/// The store fails.
pub fn give_up_assets(to: &dyn Store, whole: &Whole) -> Result<(), String> {
    assets::give_up(to, whole).map_err(|stopped| stopped.to_string())
}

/// All bytes of an asset of a store.
///
/// # Errors
/// What is wrong, in one line.
pub fn asset_bytes(store: &dyn Store, asset: &StoredAsset) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    for number in 0..asset.parts() {
        match assets::part((store, Side::Source), asset, number) {
            Ok(Ok(part)) => bytes.extend_from_slice(&part),
            Ok(Err(trouble)) => return Err(trouble.to_string()),
            Err(stopped) => return Err(stopped.to_string()),
        }
    }
    Ok(bytes)
}

/// Who is told.
type Tell<'t> = &'t mut dyn FnMut(Told<'_>);

/// A store into which boards are written, each read back.
pub struct Writing<'a> {
    to: &'a dyn Store,
    /// Boards that go in the next commit, and what they weigh.
    batch: Vec<Whole>,
    weight: usize,
    done: Copied,
    /// Those that stay behind.
    behind: BTreeSet<BoardId>,
}

impl<'a> Writing<'a> {
    /// Into a store, with nothing written yet.
    #[must_use]
    pub fn new(to: &'a dyn Store) -> Self {
        Self {
            to,
            batch: Vec::new(),
            weight: 0,
            done: Copied::default(),
            behind: BTreeSet::new(),
        }
    }

    /// What came of it so far.
    #[must_use]
    pub fn done(&self) -> Copied {
        self.done
    }

    /// Notes that a board stays behind.
    pub fn leave(&mut self, board: &BoardId, trouble: &Trouble, tell: Tell<'_>) {
        if self.behind.insert(board.clone()) {
            self.done.behind += 1;
        }
        tell(Told::Behind(board, trouble));
    }

    /// Writes a board, now or with those that come next.
    ///
    /// # Errors
    /// Where the store fails as a whole.
    pub fn push(&mut self, whole: Whole, parts: Parts<'_>, tell: Tell<'_>) -> Result<(), Stopped> {
        if !self.brought(&whole, parts, tell)? {
            return Ok(());
        }
        self.weight = self.weight.saturating_add(whole.weight());
        self.batch.push(whole);
        if self.batch.len() >= BOARDS_AT_ONCE_MAX || self.weight >= BYTES_AT_ONCE_MAX {
            self.finish(tell)?;
        }
        Ok(())
    }

    /// Writes sessions, which belong to no board.
    ///
    /// # Errors
    /// Where the store fails as a whole.
    pub fn push_sessions(&mut self, page: &[StoredSession], tell: Tell<'_>) -> Result<(), Stopped> {
        sessions::write(self.to, page, &mut self.done, tell)
    }

    /// Reads a board of the source.
    fn take(&mut self, from: &dyn Store, used: Used, tell: Tell<'_>) -> Result<(), Stopped> {
        let found = match used.became {
            Ok(_) => Whole::read(from, &used.board),
            Err(damage) => Err(StoreError::Unreadable(damage)),
        };
        match found {
            Ok(Some(whole)) => {
                let mut parts =
                    |asset: &StoredAsset, number| assets::part((from, Side::Source), asset, number);
                return self.push(whole, &mut parts, tell);
            }
            Ok(None) => {
                let error = StoreError::Unreadable(Damage::RecordMissing);
                self.leave(&used.board, &Trouble::Unreadable(Side::Source, error), tell);
            }
            Err(error) => {
                if error.is_outage() {
                    // Of a bad disk the other boards may still be read.
                    let reopened = from.reopen();
                    reopened.map_err(|_| Side::Source.stopped(error.clone()))?;
                }
                self.leave(&used.board, &Trouble::Unreadable(Side::Source, error), tell);
            }
        }
        Ok(())
    }

    /// Writes the boards that wait, where they are not there, and reads all of them back.
    ///
    /// # Errors
    /// Where the store fails as a whole.
    pub fn finish(&mut self, tell: Tell<'_>) -> Result<(), Stopped> {
        let stopped = |error| Side::Target.stopped(error);
        self.weight = 0;
        let batch = std::mem::take(&mut self.batch);
        let changes: Vec<Change> = batch
            .into_iter()
            .map(|whole| Change::Import(Box::new(whole)))
            .collect();
        let applied = self.to.commit(&changes).map_err(stopped)?;
        for (change, applied) in changes.into_iter().zip(applied) {
            let Change::Import(whole) = change else { continue };
            let there = match Whole::read(self.to, &whole.board) {
                Err(error) if error.is_outage() => return Err(stopped(error)),
                Err(error) => {
                    self.leave(&whole.board, &Trouble::Unreadable(Side::Target, error), tell);
                    continue;
                }
                Ok(there) => there,
            };
            let is_equal = there.as_ref() == Some(&*whole);
            match applied {
                Applied::Done if is_equal => {
                    if let Err(trouble) = assets::are_there(self.to, &whole)? {
                        self.leave(&whole.board, &trouble, tell);
                        continue;
                    }
                    self.done.written += 1;
                    let bytes = u64::try_from(whole.document_bytes()).unwrap_or(u64::MAX);
                    self.done.bytes = self.done.bytes.saturating_add(bytes);
                }
                Applied::Done => self.leave(&whole.board, &Trouble::NotAsWritten, tell),
                Applied::Exists | Applied::Deleted if is_equal => self.done.equal += 1,
                Applied::Exists if there.is_none() => self.leave(&whole.board, &Trouble::SecretTaken, tell),
                Applied::Exists | Applied::Deleted => self.leave(&whole.board, &Trouble::Differs, tell),
                other => self.leave(&whole.board, &Trouble::Refused(other), tell),
            }
            if applied != Applied::Done && !assets::of(&whole).is_empty() {
                assets::give_up(self.to, &whole)?;
            }
        }
        tell(Told::Progress(&self.done));
        Ok(())
    }

    /// Brings the parts of a board's assets, where the target does not know the board; false where they
    /// cannot be read, and the board stays behind.
    fn brought(&mut self, whole: &Whole, parts: Parts<'_>, tell: Tell<'_>) -> Result<bool, Stopped> {
        if assets::of(whole).is_empty() {
            return Ok(true);
        }
        let known = self.to.used(Some(&whole.board), 1);
        let known = known.map_err(|error| Side::Target.stopped(error))?;
        if known.iter().any(|used| used.board == whole.board) {
            return Ok(true);
        }
        match assets::bring(parts, self.to, whole)? {
            Ok(()) => Ok(true),
            Err(trouble) => {
                self.leave(&whole.board, &trouble, tell);
                assets::give_up(self.to, whole)?;
                Ok(false)
            }
        }
    }

    /// Whether the target has each id of the source, and what became of it, but for what was left behind.
    fn compare(&mut self, from: &dyn Store, tell: Tell<'_>) -> Result<(), Stopped> {
        let mut theirs = Ids::of(self.to, Side::Target);
        let mut ours = Ids::of(from, Side::Source);
        let mut next = theirs.next()?;
        while let Some(used) = ours.next()? {
            while next.as_ref().is_some_and(|found| found.board < used.board) {
                self.done.others += 1;
                next = theirs.next()?;
            }
            let found = next.take_if(|found| found.board == used.board);
            if found.is_some() {
                next = theirs.next()?;
            }
            if found.as_ref() != Some(&used) && !self.behind.contains(&used.board) {
                self.leave(&used.board, &Trouble::Missing, tell);
            }
        }
        while next.is_some() {
            self.done.others += 1;
            next = theirs.next()?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
