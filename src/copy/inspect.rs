//! Looking through a store: every board is read whole, and opened.
//!
//! Owns [`inspect`], and the words for what is wrong. Must not know how anything is stored, nor change any of
//! it. Key invariant: a board counts as sound only once all that is kept of it was read, its updates join one
//! after the other as they would at its next load, and its content opens behind the gate. Tests:
//! `tests.rs`, and tests/it/backup.rs.

use std::fmt;

use super::{Ids, Side, Stopped};
use crate::ids::BoardId;
use crate::room::board::{Accepted, Board};
use crate::room::document::{self, Unopened};
use crate::store::{Damage, Living, Store, StoreError, Used, WhichSessions, Whole};
use crate::update::Budgets;

/// Sessions that are asked for at a time.
const SESSIONS_AT_ONCE: usize = 256;

/// What is wrong with a board.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wrong {
    /// Something of it cannot be read.
    Unreadable(StoreError),
    /// An update is missing.
    Gap,
    /// Its full state is none.
    State,
    /// An update does not join what is there before it: the one of this sequence.
    Update(u64),
    /// It does not open as a document.
    Unopened,
}

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable(StoreError::Unreadable(cause)) => write!(f, "it cannot be read: {cause}"),
            Self::Unreadable(error) => write!(f, "it cannot be read: {error}"),
            Self::Gap => f.write_str("an update is missing"),
            Self::State => f.write_str("its full state does not decode"),
            Self::Update(sequence) => write!(f, "update {sequence} does not join what is there before it"),
            Self::Unopened => f.write_str("it does not open as a document"),
        }
    }
}

/// What was seen so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Inspected {
    /// Boards that are sound.
    pub boards: u64,
    /// Of those, the ones with content that the server does not read, and only relays.
    pub unread: u64,
    /// Marks of deleted boards.
    pub deleted: u64,
    /// Boards with which something is wrong.
    pub wrong: u64,
    /// Bytes of their documents.
    pub bytes: u64,
    /// Sessions, also those that are over.
    pub sessions: u64,
}

/// What is told on the way.
#[derive(Debug)]
pub enum Seen<'a> {
    /// How many ids there are.
    Ids(u64),
    /// So far.
    Progress(&'a Inspected),
    /// Something is wrong with a board.
    Board(&'a BoardId, &'a Wrong),
    /// Sessions cannot be read.
    Sessions(&'a StoreError),
}

/// Reads and opens every board, and reads every session.
///
/// # Errors
/// Where the store fails as a whole.
pub fn inspect(store: &dyn Store, tell: &mut dyn FnMut(Seen<'_>)) -> Result<Inspected, Stopped> {
    let mut ids = Ids::of(store, Side::Source);
    let mut count = 0;
    while ids.next()?.is_some() {
        count += 1;
    }
    tell(Seen::Ids(count));
    let mut seen = Inspected::default();
    let mut ids = Ids::of(store, Side::Source);
    while let Some(used) = ids.next()? {
        if let Err(wrong) = look(store, &used, &mut seen) {
            if let Wrong::Unreadable(error) = &wrong
                && error.is_outage()
            {
                let reopened = store.reopen();
                reopened.map_err(|_| Side::Source.stopped(error.clone()))?;
            }
            seen.wrong += 1;
            tell(Seen::Board(&used.board, &wrong));
        }
        tell(Seen::Progress(&seen));
    }
    let mut after = None;
    loop {
        match store.sessions(&WhichSessions::default(), after.as_ref(), SESSIONS_AT_ONCE) {
            Ok(page) => {
                let Some(last) = page.last() else { return Ok(seen) };
                after = Some(last.id());
                seen.sessions += u64::try_from(page.len()).unwrap_or_default();
            }
            Err(error) => {
                seen.wrong += 1;
                tell(Seen::Sessions(&error));
                return Ok(seen);
            }
        }
    }
}

fn look(store: &dyn Store, used: &Used, seen: &mut Inspected) -> Result<(), Wrong> {
    used.became
        .map_err(|cause| Wrong::Unreadable(StoreError::Unreadable(cause)))?;
    let found = Whole::read(store, &used.board).map_err(Wrong::Unreadable)?;
    let lost = Wrong::Unreadable(StoreError::Unreadable(Damage::RecordMissing));
    let whole = found.ok_or(lost)?;
    match inspect_board(&whole)? {
        Opens::Deleted => seen.deleted += 1,
        Opens::Read => seen.boards += 1,
        Opens::Unread => {
            seen.boards += 1;
            seen.unread += 1;
        }
    }
    let bytes = u64::try_from(whole.document_bytes()).unwrap_or(u64::MAX);
    seen.bytes = seen.bytes.saturating_add(bytes);
    Ok(())
}

/// What a sound board is to the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Opens {
    /// It was deleted, and has nothing to open.
    Deleted,
    /// It opens.
    Read,
    /// It has content that the server does not open, and only relays.
    Unread,
}

/// Opens a board that was read.
///
/// # Errors
/// What is wrong with it.
pub fn inspect_board(whole: &Whole) -> Result<Opens, Wrong> {
    let Some(living) = whole.life.living() else {
        return Ok(Opens::Deleted);
    };
    match document::check(state_of(living)?.full()) {
        Ok(()) => Ok(Opens::Read),
        Err(Unopened::Unsupported) => Ok(Opens::Unread),
        Err(Unopened::Busy | Unopened::Failed) => Err(Wrong::Unopened),
    }
}

/// A board's state, from what is stored of it.
///
/// # Errors
/// What is wrong with it.
pub fn state_of(living: &Living) -> Result<Board, Wrong> {
    if !living.is_in_order() {
        return Err(Wrong::Gap);
    }
    let mut state = match &living.document.snapshot {
        None => Board::new(Budgets::UNBOUNDED),
        Some((_, state)) => Board::load(state.clone(), Budgets::UNBOUNDED).map_err(|_| Wrong::State)?,
    };
    for (sequence, update) in &living.document.updates {
        match state.replay(update) {
            Ok(Accepted::Whole | Accepted::Trimmed(_) | Accepted::Nothing) => {}
            Ok(Accepted::Hole | Accepted::Uncounted) | Err(_) => return Err(Wrong::Update(*sequence)),
        }
    }
    Ok(state)
}
