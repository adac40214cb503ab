//! A board's content, read and written by the server itself: opened documents, and the way of a write through
//! the room.
//!
//! Owns which boards are open as documents, and for how long. Must not know what a record means, nor yrs. Key
//! invariants: work on one board's content is done one after the other, off the executor threads and off the
//! room's lock; a write goes the way of every update (checked, relayed, durable), and is made of what the
//! board was when it was decided; a document that holds what the board did not accept is closed. Tests:
//! `content/tests.rs`, tests/it/items.rs.

#[cfg(test)]
mod tests;
mod turns;
mod writing;

use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash as _, Hasher as _};
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use bytes::Bytes;
use smol::channel::Receiver;
use smol::lock::MutexGuardArc;

use crate::boards::content::turns::{Turns, Whose};
use crate::boards::content::writing::{Writing, Written};
use crate::boards::host::Host;
use crate::boards::kept::{JsonBytes, Open, Purpose};
use crate::boards::loader::Creation;
use crate::boards::rights::Granted;
use crate::boards::slots::RoomCell;
use crate::boards::{Boards, host};
use crate::fault::Fault;
use crate::ids::{BoardId, Level, Subject};
use crate::items::{Records, Write};
use crate::limits;
use crate::room::Room;
use crate::room::document::{self, Document, Unopened};
use crate::store::{Applied, Stored};
use crate::time::Tick;

/// Why a board's content was not read or written.
#[derive(Debug)]
pub(crate) enum Failed<E> {
    /// As for any use of a board.
    Fault(Fault),
    /// It cannot be opened as a document.
    Unsupported,
    /// Others kept changing the board while a write that wants it unchanged was decided; or work on it takes
    /// too long, or what it would take is in use.
    Busy,
    /// The work itself refused.
    Work(E),
}

impl<E> From<Fault> for Failed<E> {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

impl<E> From<Unopened> for Failed<E> {
    fn from(unopened: Unopened) -> Self {
        match unopened {
            Unopened::Unsupported => Self::Unsupported,
            Unopened::Busy => Self::Busy,
            Unopened::Failed => Self::Fault(Fault::Internal),
        }
    }
}

/// By whose right a board's content is written.
pub(crate) enum Authority {
    /// A request's, which may end meanwhile.
    Granted(Box<Granted>),
    /// The server's own, on a board that exists, for somebody who asked elsewhere.
    Server(BoardId, Subject),
}

impl Authority {
    fn board(&self) -> &BoardId {
        match self {
            Self::Granted(granted) => &granted.board,
            Self::Server(board, _) => board,
        }
    }

    /// Who writes.
    fn subject(&self) -> &Subject {
        match self {
            Self::Granted(granted) => &granted.grant.subject,
            Self::Server(_, subject) => subject,
        }
    }

    fn holds_in(&self, boards: &Boards, cell: &RoomCell, room: &Room) -> bool {
        match self {
            Self::Granted(granted) => granted.holds_in(boards, cell, room),
            Self::Server(..) => !room.is_retired(),
        }
    }
}

/// Whether a write minds what others do while it is decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Basis {
    /// It joins what others do, as any two clients' changes do.
    Any,
    /// It holds for the board as it was read, and is decided anew when that has changed.
    Unchanged,
}

/// The records to set, and what to answer; or a refusal.
pub(crate) type Decided<T, E> = Result<(Vec<Write>, T), E>;

/// What work on all boards' content shares.
pub(crate) struct Documents {
    /// The rooms whose document may be open.
    open: Mutex<Vec<Weak<RoomCell>>>,
    /// What the client ids are made of that the server writes under.
    ///
    /// A board's is the same for as long as possible, since each board may know only so many; but never one
    /// under which something may have been lost, since its clocks would be given out again.
    seed: u64,
    /// Turns to work on content, apart from permits for loads: a hostile board must not hold up joins of
    /// others.
    turns: Arc<Turns>,
    /// Bytes of JSON that was not sent yet.
    json_bytes: Arc<AtomicUsize>,
}

/// A board's content as JSON.
pub(crate) struct Json {
    /// The text.
    pub(crate) text: Vec<u8>,
    /// To be kept as long as the text is.
    pub(crate) hold: JsonBytes,
}

impl Documents {
    pub(crate) fn new(host: &Arc<dyn Host>) -> Self {
        Self {
            open: Mutex::default(),
            seed: host.random(),
            turns: Turns::new(Arc::clone(host)),
            json_bytes: Arc::default(),
        }
    }

    /// The client id that the server writes under in a board: 32 random bits, as Yjs makes them. Another one
    /// after each loss.
    pub(crate) fn writer(&self, cell: &RoomCell) -> u64 {
        let mut hasher = DefaultHasher::new();
        (self.seed, cell.id(), cell.losses()).hash(&mut hasher);
        hasher.finish() & u64::from(u32::MAX)
    }

    fn note_open(&self, cell: &Arc<RoomCell>) {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let weak = Arc::downgrade(cell);
        if !open.iter().any(|known| known.ptr_eq(&weak)) {
            open.push(weak);
        }
    }

    /// Takes out the documents that were not used for [`limits::DOCUMENT_IDLE`], and of the others those used
    /// longest ago until the rest has [`limits::DOCUMENTS_BYTES_MAX`] of [`Document::weight`]. Dropping them
    /// takes a while.
    pub(crate) fn take_idle(&self, now: Tick) -> Vec<impl Send + use<>> {
        let mut rooms = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let mut idle = Vec::new();
        let mut used: Vec<(Tick, MutexGuardArc<Option<Open>>)> = Vec::new();
        rooms.retain(|room| {
            let Some(cell) = room.upgrade() else {
                return false;
            };
            // Whoever works with it comes by here again.
            let Some(mut turn) = cell.kept.document.try_lock_arc() else {
                return true;
            };
            idle.extend(turn.take_if(|open| now.since(open.used_at) >= limits::DOCUMENT_IDLE));
            let used_at = turn.as_ref().map(|open| open.used_at);
            used.extend(used_at.map(|used_at| (used_at, turn)));
            used_at.is_some()
        });
        used.sort_by_key(|(used_at, _)| std::cmp::Reverse(*used_at));
        let mut bytes = 0usize;
        for (_, mut turn) in used {
            bytes = bytes.saturating_add(turn.as_ref().map_or(0, |open| open.document.weight()));
            idle.extend(turn.take_if(|_| bytes > limits::DOCUMENTS_BYTES_MAX));
        }
        idle
    }
}

/// A client id for documents that are only read: nothing is ever written under it.
const READER_CLIENT: u64 = 1;

impl Boards {
    /// Reads a board's records.
    ///
    /// # Errors
    /// [`Failed`], without `Busy` and `Work`.
    pub(crate) async fn read_content<T: Send + 'static>(
        self: &Arc<Self>,
        board: &BoardId,
        read: impl FnOnce(&dyn Records) -> T + Send + 'static,
    ) -> Result<T, Failed<std::convert::Infallible>> {
        let cell = self.room(board, Creation::Denied).await?;
        self.read_room(&cell, |records, _| read(records)).await
    }

    /// The same for the board of a room; `read` is also told which update was the last that is in them.
    ///
    /// # Errors
    /// As [`Self::read_content`].
    pub(super) async fn read_room<T: Send + 'static>(
        self: &Arc<Self>,
        cell: &Arc<RoomCell>,
        read: impl FnOnce(&dyn Records, u64) -> T + Send + 'static,
    ) -> Result<T, Failed<std::convert::Infallible>> {
        let (boards, room) = (Arc::clone(self), Arc::clone(cell));
        let work = move || {
            let mut turn = room.kept.document.lock_arc_blocking();
            let open = follow(&boards, &mut turn, &room)?;
            let sequence = open.sequence;
            let read = open.document.read(|records| read(records, sequence));
            match read.is_ok() {
                true => end_turn(&boards, turn),
                false => *turn = None,
            }
            Ok(read?)
        };
        self.work_on_content(cell, Purpose::Records, work).await?
    }

    /// Reads the records of a state that the board of a room had.
    ///
    /// # Errors
    /// As [`Self::read_content`].
    pub(crate) async fn read_state<T: Send + 'static>(
        self: &Arc<Self>,
        cell: &Arc<RoomCell>,
        state: Bytes,
        read: impl FnOnce(&dyn Records) -> T + Send + 'static,
    ) -> Result<T, Failed<std::convert::Infallible>> {
        let work = move || Document::open(state, READER_CLIENT)?.read(read);
        Ok(self.work_on_content(cell, Purpose::Version, work).await??)
    }

    /// Writes all of a board's content as JSON.
    ///
    /// # Errors
    /// [`Failed`], without `Work`.
    pub(crate) async fn content_as_json(
        self: &Arc<Self>,
        cell: &Arc<RoomCell>,
    ) -> Result<Json, Failed<std::convert::Infallible>> {
        let (boards, room) = (Arc::clone(self), Arc::clone(cell));
        let work = move || {
            let (state, sequence) = written(&room, None);
            let mut hold = JsonBytes::among(&boards.documents.json_bytes);
            let written = document::to_json(state, &mut |bytes| hold.grow(bytes));
            let text = written.inspect_err(|why| {
                room.kept.verdicts.note(Purpose::Json, sequence, *why);
                log_unopened(&room, *why);
            })?;
            Ok(Json { text, hold })
        };
        self.work_on_content(cell, Purpose::Json, work).await?
    }

    /// Runs `work` on content on the blocking pool, when it is the turn of the board's owner.
    ///
    /// # Errors
    /// What is remembered of the board; [`Unopened::Busy`] where work on it takes too long.
    ///
    /// # Cancellation
    /// Work that has not begun is not begun; other work goes on, with its turn, and its result is dropped.
    async fn work_on_content<T: Send + 'static>(
        self: &Arc<Self>,
        cell: &Arc<RoomCell>,
        purpose: Purpose,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Unopened> {
        let check = || {
            let sequence = cell.lock().sequence();
            let checked = cell.kept.verdicts.check(purpose, sequence, self.now().tick);
            checked.map(|()| sequence)
        };
        check()?;
        let whose = self.whose(cell.id()).await;
        let permit = self.documents.turns.next(whose, cell.id()).await;
        let permit = permit.map_err(|turns::Busy| Unopened::Busy)?;
        // Who was before us may have found out.
        let sequence = check()?;
        let (boards, room) = (Arc::clone(self), Arc::clone(cell));
        let work = move || {
            let start = boards.now().tick;
            let done = work();
            let end = boards.now().tick;
            if end.since(start) >= limits::CONTENT_TIME_MAX {
                tracing::warn!(board = %room.id(), "work on the board's content took too long");
                room.kept.verdicts.note_long(purpose, sequence, end);
            }
            drop(permit);
            done
        };
        Ok(host::unblock(&self.host, work).await)
    }

    /// Who has one turn at a time for this board.
    async fn whose(self: &Arc<Self>, board: &BoardId) -> Whose {
        let (boards, id) = (Arc::clone(self), board.clone());
        let summary = self.unblock_read(move || boards.store.summary(&id)).await;
        let owner = match summary {
            Ok(Stored::Present(summary)) => summary.record.owner,
            _ => None,
        };
        owner.map_or_else(|| Whose::Board(board.clone()), Whose::Owner)
    }

    /// Decides what to write by a board's records, writes it, and waits until it is durable.
    ///
    /// `decide` may be called several times; the last call counts. Where it wants nothing written, what it
    /// saw is waited for, so that an answer never tells of what may be lost.
    ///
    /// # Errors
    /// [`Failed`].
    ///
    /// # Cancellation
    /// What is under way is finished.
    pub(crate) async fn write_content<T, E>(
        self: &Arc<Self>,
        mut authority: Authority,
        basis: Basis,
        decide: impl Fn(&dyn Records) -> Decided<T, E> + Send + Sync + 'static,
    ) -> Result<T, Failed<E>>
    where
        T: Send + 'static,
        E: Send + 'static,
    {
        self.disk_caught_up().await;
        let decide = Arc::new(decide);
        loop {
            let board = authority.board().clone();
            let cell = self.room(&board, Creation::Denied).await?;
            let (boards, room, decide) = (Arc::clone(self), Arc::clone(&cell), Arc::clone(&decide));
            let work = move || {
                let turn = room.kept.document.lock_arc_blocking();
                let written = Writing {
                    boards: &boards,
                    cell: &room,
                    authority: &authority,
                    basis,
                }
                .run(turn, &*decide);
                (written, authority)
            };
            let worked = self.work_on_content(&cell, Purpose::Records, work).await;
            let (written, asked) = worked?;
            authority = asked;
            match written? {
                Written::Done(value, saved) => {
                    self.saved(&cell, saved).await?;
                    return Ok(value);
                }
                Written::NotHeld => authority = self.reconsider_authority(authority).await?,
            }
        }
    }

    async fn reconsider_authority(self: &Arc<Self>, authority: Authority) -> Result<Authority, Fault> {
        let Authority::Granted(granted) = authority else {
            return Ok(authority);
        };
        let granted = self.reconsider(*granted).await?;
        if granted.grant.level == Level::Edit {
            return Ok(Authority::Granted(Box::new(granted)));
        }
        self.note_refusal(&granted.board, granted.actor, Fault::NoPermission);
        Err(Fault::NoPermission)
    }

    /// Waits until an update is durable; `saved` is `None` where it brought nothing new, which may be on its
    /// way.
    ///
    /// # Errors
    /// [`Fault::StoreFailed`].
    pub(crate) async fn saved(
        self: &Arc<Self>,
        cell: &RoomCell,
        saved: Option<Receiver<Applied>>,
    ) -> Result<(), Fault> {
        let is_saved = match saved {
            Some(saved) => saved.recv().await == Ok(Applied::Done),
            None => {
                let flushed = self.settled().await;
                // What was lost with the room is none of the board's any more.
                flushed.is_ok() && !cell.lock().is_retired()
            }
        };
        is_saved.then_some(()).ok_or(Fault::StoreFailed)
    }
}

/// The board's whole state, written off the room's lock, and the number of the last update in it; no state
/// where that is `known`. Whoever asks next shares its bytes.
fn written(cell: &RoomCell, known: Option<u64>) -> (Bytes, u64) {
    let (mut snapshot, sequence) = {
        let mut room = cell.lock();
        let sequence = room.sequence();
        if known == Some(sequence) {
            return (Bytes::new(), sequence);
        }
        (room.snapshot(), sequence)
    };
    let state = snapshot.full();
    cell.lock().adopt(&snapshot);
    (state, sequence)
}

/// Lets the document of `turn` have all of the room's board, and opens it if need be.
fn follow<'t>(
    boards: &Boards,
    turn: &'t mut MutexGuardArc<Option<Open>>,
    cell: &Arc<RoomCell>,
) -> Result<&'t mut Open, Unopened> {
    let writer = boards.documents.writer(cell);
    let usable = turn.take_if(|open| open.writer == writer);
    // Closed, if it has another writer.
    **turn = None;
    let known = usable.as_ref().map(|open| open.sequence);
    let (state, sequence) = written(cell, known);
    let note = |error: &Unopened| {
        cell.kept.verdicts.note(Purpose::Records, sequence, *error);
        log_unopened(cell, *error);
    };
    let is_behind = known != Some(sequence);
    let open = match (usable, is_behind.then_some(state)) {
        (Some(mut open), Some(state)) => {
            open.document.follow(state).inspect_err(note)?;
            open
        }
        (Some(open), None) => open,
        (None, state) => {
            let opened = Document::open(state.unwrap_or_default(), writer);
            boards.documents.note_open(cell);
            Open {
                document: opened.inspect_err(note)?,
                writer,
                sequence,
                used_at: boards.now().tick,
            }
        }
    };
    Ok(turn.insert(Open { sequence, ..open }))
}

/// A board that passes the gate and cannot be opened is a bug of ours, or of yrs.
fn log_unopened(cell: &RoomCell, error: Unopened) {
    if error == Unopened::Failed {
        tracing::error!(board = %cell.id(), "the board could not be opened as a document");
    }
}

/// Lets the next one have the document, unless it has grown too large.
fn end_turn(boards: &Boards, mut turn: MutexGuardArc<Option<Open>>) {
    let now = boards.now().tick;
    match turn.as_mut() {
        Some(open) if open.document.weight() <= limits::DOCUMENTS_BYTES_MAX => open.used_at = now,
        _ => *turn = None,
    }
}
