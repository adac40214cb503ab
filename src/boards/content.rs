//! A board's content, read and written by the server itself: opened documents, and the way of a write through the room.
//!
//! Owns which boards are open as documents, and for how long. Must not know what a record means, nor yrs. Key invariants:
//! work on one board's content is done one after the other, off the executor threads and off the room's lock; a write
//! goes the way of every update (checked, relayed, durable), and is made of what the board was when it was decided; a
//! document that holds what the board did not accept is closed. Tests: `content/tests.rs`, tests/it/items.rs.

mod remembered;
#[cfg(test)]
mod tests;
mod turns;

use std::collections::HashMap;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use async_io::Timer;
use bytes::Bytes;
use smol::channel::Receiver;
use smol::lock::{Mutex as Turn, MutexGuardArc};

use crate::boards::content::remembered::{Hold, Purpose, Remembered, Was};
use crate::boards::content::turns::{Turns, Whose};
use crate::boards::loader::Creation;
use crate::boards::slots::RoomCell;
use crate::fault::Fault;
use crate::ids::{BoardId, Level};
use crate::items::{Records, Write};
use crate::limits;
use crate::net::admission::{self, Granted};
use crate::room::document::{self, Document, Unopened};
use crate::room::{Effects, Room, UpdateOutcome};
use crate::server::Server;
use crate::server::clock::SystemClock;
use crate::store::{Applied, Stored};
use crate::time::{Clock as _, Now, Tick};
use crate::update::Refused;

/// Why a board's content was not read or written.
#[derive(Debug)]
pub(crate) enum Failed<E> {
    /// As for any use of a board.
    Fault(Fault),
    /// It cannot be opened as a document.
    Unsupported,
    /// Others kept changing the board while a write that wants it unchanged was decided; or work on it takes too long, or
    /// what it would take is in use.
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
    /// The server's own, on a board that exists.
    Server(BoardId),
}

impl Authority {
    fn board(&self) -> &BoardId {
        match self {
            Self::Granted(granted) => &granted.board,
            Self::Server(board) => board,
        }
    }

    fn holds_in(&self, server: &Server, room: &Room) -> bool {
        match self {
            Self::Granted(granted) => granted.holds_in(server, room),
            Self::Server(_) => !room.is_retired(),
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

/// A document that is open, and how far it is.
struct Open {
    /// The room whose board it follows; another room of the same board may have lost what this one had.
    room: Weak<RoomCell>,
    document: Document,
    writer: u64,
    /// What [`Room::sequence`] was when it had all of the board.
    sequence: u64,
    used_at: Tick,
}

/// One board's document, for one after the other.
type Slot = Arc<Turn<Option<Open>>>;

/// The boards that are open as documents.
pub(crate) struct Documents {
    slots: Mutex<HashMap<BoardId, Slot>>,
    /// What the client ids are made of that the server writes under.
    ///
    /// A board's is the same for as long as possible, since each board may know only so many; but never one under which
    /// something may have been lost, since its clocks would be given out again.
    seed: RandomState,
    /// How often a board's id was given up; boards of which it never was are left out.
    generations: Mutex<HashMap<BoardId, u32>>,
    /// Turns to work on content, apart from permits for loads: a hostile board must not hold up joins of others.
    turns: Arc<Turns>,
    /// Boards that need not be tried again.
    remembered: Remembered,
    /// Bytes of JSON that was not sent yet.
    json_bytes: Arc<AtomicUsize>,
}

/// A board's content as JSON.
pub(crate) struct Json {
    /// The text.
    pub(crate) text: Vec<u8>,
    /// To be kept as long as the text is.
    pub(crate) hold: Hold,
}

impl Documents {
    pub(crate) fn new(clock: SystemClock) -> Self {
        Self {
            slots: Mutex::default(),
            seed: RandomState::new(),
            generations: Mutex::default(),
            turns: Turns::new(move || clock.now().tick),
            remembered: Remembered::default(),
            json_bytes: Arc::default(),
        }
    }

    /// The client id that the server writes under in `board`: 32 random bits, as Yjs makes them.
    pub(crate) fn writer(&self, board: &BoardId) -> u64 {
        let generations = self.generations.lock().unwrap_or_else(PoisonError::into_inner);
        let generation = generations.get(board).copied().unwrap_or_default();
        self.seed.hash_one((board, generation)) & u64::from(u32::MAX)
    }

    /// Writes to `board` under another client id from now on: something of the server's own was lost there, or somebody else
    /// uses the id.
    pub(crate) fn renew_writer(&self, board: &BoardId) {
        let mut generations = self.generations.lock().unwrap_or_else(PoisonError::into_inner);
        let generation = generations.entry(board.clone()).or_default();
        *generation = generation.wrapping_add(1);
    }

    fn slot(&self, board: &BoardId) -> Slot {
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(slots.entry(board.clone()).or_default())
    }

    /// Takes out the documents that were not used for [`limits::DOCUMENT_IDLE`], and of the others those used longest ago
    /// until the rest has [`limits::DOCUMENTS_BYTES_MAX`] of [`Document::weight`]. Dropping them takes a while.
    pub(crate) fn take_idle(&self, now: Tick) -> Vec<impl Send + use<>> {
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        let mut idle = Vec::new();
        let mut used: Vec<(Tick, MutexGuardArc<Option<Open>>)> = Vec::new();
        slots.retain(|_, slot| {
            // Whoever works with it comes by here again.
            let Some(mut turn) = slot.try_lock_arc() else {
                return true;
            };
            idle.extend(turn.take_if(|open| now.since(open.used_at) >= limits::DOCUMENT_IDLE));
            match &*turn {
                Some(open) => {
                    used.push((open.used_at, turn));
                    true
                }
                // This one, and the map's.
                None => Arc::strong_count(slot) > 2,
            }
        });
        used.sort_unstable_by_key(|(used_at, _)| std::cmp::Reverse(*used_at));
        let mut bytes = 0usize;
        for (_, mut turn) in used {
            bytes = bytes.saturating_add(turn.as_ref().map_or(0, |open| open.document.weight()));
            idle.extend(turn.take_if(|_| bytes > limits::DOCUMENTS_BYTES_MAX));
        }
        idle
    }
}

impl Server {
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
        let (server, room, slot) = (Arc::clone(self), Arc::clone(&cell), self.documents.slot(board));
        let work = move || {
            let mut turn = slot.lock_arc_blocking();
            let open = follow(&server, &mut turn, &room)?;
            let read = open.document.read(read);
            end_turn(&server, turn, read.is_ok());
            Ok(read?)
        };
        self.work_on_content(&cell, Purpose::Records, work).await?
    }

    /// Writes all of a board's content as JSON.
    ///
    /// # Errors
    /// [`Failed`], without `Work`.
    pub(crate) async fn content_as_json(
        self: &Arc<Self>,
        cell: &Arc<RoomCell>,
    ) -> Result<Json, Failed<std::convert::Infallible>> {
        let (server, room) = (Arc::clone(self), Arc::clone(cell));
        let work = move || {
            let was = Was::now(&room);
            let state = written(&room, None).0;
            let mut hold = Hold::among(&server.documents.json_bytes);
            let written = document::to_json(state, &mut |bytes| hold.grow(bytes));
            let text = written.inspect_err(|why| {
                server.documents.remembered.note(&was, Purpose::Json, *why);
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
        let was = Was::now(cell);
        let documents = &self.documents;
        documents.remembered.check(&was, purpose, self.now().tick)?;
        let whose = self.whose(&was.board).await;
        let permit = documents.turns.next(whose, &was.board).await;
        let permit = permit.map_err(|turns::Busy| Unopened::Busy)?;
        // Who was before us may have found out.
        documents.remembered.check(&was, purpose, self.now().tick)?;
        let server = Arc::clone(self);
        let work = move || {
            let start = server.now().tick;
            let done = work();
            let end = server.now().tick;
            if end.since(start) >= limits::CONTENT_TIME_MAX {
                tracing::warn!(board = %was.board, "work on the board's content took too long");
                server.documents.remembered.note_long(&was, purpose, end);
            }
            drop(permit);
            done
        };
        Ok(smol::unblock(work).await)
    }

    /// Who has one turn at a time for this board.
    async fn whose(self: &Arc<Self>, board: &BoardId) -> Whose {
        let (server, id) = (Arc::clone(self), board.clone());
        let summary = self.unblock_read(move || server.store.summary(&id)).await;
        let owner = match summary {
            Ok(Stored::Present(summary)) => summary.record.owner,
            _ => None,
        };
        owner.map_or_else(|| Whose::Board(board.clone()), Whose::Owner)
    }

    /// Decides what to write by a board's records, writes it, and waits until it is durable.
    ///
    /// `decide` may be called several times; the last call counts. Where it wants nothing written, what it saw is waited
    /// for, so that an answer never tells of what may be lost.
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
        while self.committer_is_full() {
            Timer::after(limits::BACKPRESSURE_RETRY).await;
        }
        let decide = Arc::new(decide);
        loop {
            let board = authority.board().clone();
            let cell = self.room(&board, Creation::Denied).await?;
            let slot = self.documents.slot(&board);
            let (server, room, decide) = (Arc::clone(self), Arc::clone(&cell), Arc::clone(&decide));
            let work = move || {
                let turn = slot.lock_arc_blocking();
                let written = Writing {
                    server: &server,
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
                Written::NotHeld => authority = self.renew(authority).await?,
            }
        }
    }

    async fn renew(self: &Arc<Self>, authority: Authority) -> Result<Authority, Fault> {
        let Authority::Granted(granted) = authority else {
            return Ok(authority);
        };
        let granted = admission::renew(self, *granted).await?;
        if granted.grant.level == Level::Edit {
            return Ok(Authority::Granted(Box::new(granted)));
        }
        self.note_refusal(&granted.board, granted.actor, Fault::NoPermission);
        Err(Fault::NoPermission)
    }

    /// Waits until an update is durable; `saved` is `None` where it brought nothing new, which may be on its way.
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

/// The board's whole state, written off the room's lock, and the number of the last update in it; no state where that is
/// `known`. Whoever asks next shares its bytes.
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
    server: &Server,
    turn: &'t mut MutexGuardArc<Option<Open>>,
    cell: &Arc<RoomCell>,
) -> Result<&'t mut Open, Unopened> {
    let writer = server.documents.writer(cell.lock().id());
    let usable = turn.take_if(|open| open.writer == writer && open.room.ptr_eq(&Arc::downgrade(cell)));
    // Closed, if it is another room's.
    **turn = None;
    let was = Was::now(cell);
    let note = |error: &Unopened| {
        server.documents.remembered.note(&was, Purpose::Records, *error);
        log_unopened(cell, *error);
    };
    let known = usable.as_ref().map(|open| open.sequence);
    let (state, sequence) = written(cell, known);
    let is_behind = known != Some(sequence);
    let open = match (usable, is_behind.then_some(state)) {
        (Some(mut open), Some(state)) => {
            open.document.follow(state).inspect_err(note)?;
            open
        }
        (Some(open), None) => open,
        (None, state) => {
            let opened = Document::open(state.unwrap_or_default(), writer);
            Open {
                room: Arc::downgrade(cell),
                document: opened.inspect_err(note)?,
                writer,
                sequence,
                used_at: server.now().tick,
            }
        }
    };
    Ok(turn.insert(Open { sequence, ..open }))
}

/// A board that passes the gate and cannot be opened is a bug of ours, or of yrs.
fn log_unopened(cell: &RoomCell, error: Unopened) {
    if error == Unopened::Failed {
        tracing::error!(board = %cell.lock().id(), "the board could not be opened as a document");
    }
}

/// Lets the next one have the document, or closes it.
fn end_turn(server: &Server, mut turn: MutexGuardArc<Option<Open>>, keep: bool) {
    let now = server.now().tick;
    match turn.as_mut() {
        Some(open) if keep && open.document.weight() <= limits::DOCUMENTS_BYTES_MAX => open.used_at = now,
        _ => *turn = None,
    }
}

/// How a write ended that was not refused.
enum Written<T> {
    /// With this to answer, once it is durable.
    Done(T, Option<Receiver<Applied>>),
    /// The right to it, or the room, is no longer what it was.
    NotHeld,
}

/// What came of a step of the room.
enum Step {
    Accepted,
    NotHeld,
    /// The board is no longer what was read.
    Changed,
    /// Somebody else writes under the server's client id.
    Taken,
}

/// A write under way, on the blocking pool.
struct Writing<'a> {
    server: &'a Arc<Server>,
    cell: &'a Arc<RoomCell>,
    authority: &'a Authority,
    basis: Basis,
}

impl Writing<'_> {
    fn run<T, E>(
        &self,
        mut turn: MutexGuardArc<Option<Open>>,
        decide: &dyn Fn(&dyn Records) -> Decided<T, E>,
    ) -> Result<Written<T>, Failed<E>> {
        for attempt in 0..limits::CONTENT_ATTEMPTS {
            let open = follow(self.server, &mut turn, self.cell)?;
            let (writes, value) = match open.document.read(|records| decide(records)) {
                Ok(Ok(decided)) => decided,
                Ok(Err(refused)) => {
                    end_turn(self.server, turn, true);
                    return Err(Failed::Work(refused));
                }
                Err(unopened) => {
                    *turn = None;
                    return Err(unopened.into());
                }
            };
            if writes.is_empty() {
                end_turn(self.server, turn, true);
                return Ok(Written::Done(value, None));
            }
            let (step, saved) = match self.write(open, &writes) {
                Ok(stepped) => stepped,
                Err(fault) => {
                    *turn = None;
                    return Err(fault.into());
                }
            };
            match step {
                Step::Accepted => {
                    end_turn(self.server, turn, true);
                    return Ok(Written::Done(value, saved));
                }
                Step::NotHeld => {
                    *turn = None;
                    return Ok(Written::NotHeld);
                }
                // Nothing was written: what others did is taken in, and it is decided anew.
                Step::Changed => {}
                Step::Taken => {
                    *turn = None;
                    // The document goes on behind what somebody else wrote, unless that somebody keeps doing so.
                    if attempt > 0 {
                        self.server.documents.renew_writer(self.authority.board());
                    }
                }
            }
        }
        end_turn(self.server, turn, true);
        Err(Failed::Busy)
    }

    /// Writes into the document, and gives what that makes to the room.
    fn write(&self, open: &mut Open, writes: &[Write]) -> Result<(Step, Option<Receiver<Applied>>), Fault> {
        let clock = open.document.writer_clock().map_err(|_| Fault::Internal)?;
        if u64::from(clock) > limits::CLOCK_MAX / 2 {
            // Somebody has used the id up.
            self.server.documents.renew_writer(self.authority.board());
            return Ok((Step::Taken, None));
        }
        // A write that minds is made under the room's lock, when it is certain; it is one item's, and small.
        let ahead = match self.basis {
            Basis::Any => Some(open.document.write(writes).map_err(|_| Fault::Internal)?),
            Basis::Unchanged => None,
        };
        let now = self.server.now();
        let (step, saved) = self.server.step_awaited(self.cell, |room, effects| {
            if !self.authority.holds_in(self.server, room) {
                return Ok(Step::NotHeld);
            }
            let is_unchanged = room.sequence() == open.sequence;
            if self.basis == Basis::Unchanged && !is_unchanged {
                return Ok(Step::Changed);
            }
            if room.board().clock_of(open.writer) != clock {
                return Ok(Step::Taken);
            }
            let update = match ahead {
                Some(update) => update,
                None => open.document.write(writes).map_err(|_| Fault::Internal)?,
            };
            accept(room, &update, now, effects)?;
            if is_unchanged {
                open.sequence = room.sequence();
            }
            Ok(Step::Accepted)
        });
        Ok((step?, saved))
    }
}

fn accept(room: &mut Room, update: &Bytes, now: Now, effects: &mut Effects) -> Result<(), Fault> {
    match room.accept_own(update, now, effects) {
        Ok(UpdateOutcome::New | UpdateOutcome::Known) => Ok(()),
        // What the document builds on, the board has; and its work need not be counted.
        Ok(UpdateOutcome::Hole | UpdateOutcome::Apart) => Err(Fault::Internal),
        // It is the server's own.
        Err(Refused::Malformed(_)) => Err(Fault::Internal),
        Err(refused @ (Refused::OverBudget(_) | Refused::TooCostly)) => Err(refused.fault()),
    }
}
