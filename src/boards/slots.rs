//! The table of boards: one slot a board, and what its life is.
//!
//! Owns the slots and the locks of the rooms. Must not load, wait or know who asks: it tells one caller to
//! load, and the others when that has ended. Key invariants: at most one live room a board; a lock is held
//! for the length of one step, never while waiting; a room that left its slot is retired, so that who still
//! holds it looks again. Tests: `slots/tests.rs`.
//!
//! A slot is empty, held by one caller (who loads the board, or does what no room may see), or has the live
//! room. A board that lives on another node would be a fourth state.
//!
//! | from | what happens | to | and |
//! | --- | --- | --- | --- |
//! | empty | [`Slots::find`] or [`Slots::take`] | held | the caller has the [`Hold`]; it settles first what is unsettled |
//! | live | [`Slots::take`] | held | the room is retired; its changes are unsettled |
//! | held | [`Hold::go_live`] | live | all who waited get the room |
//! | held | [`Hold::go_live`] with a broken chain | empty | all who waited are refused |
//! | held | [`Hold::refuse`] | empty | all who waited are refused |
//! | held | the [`Hold`] is dropped | empty | all who waited look again |
//! | live | [`Slots::give_up`] | empty | the room is retired; one loss more; its changes are unsettled |
//! | live | [`Slots::unload`] | empty | the room is retired |
//! | any | [`Slots::note_access_change`] | the same | decisions from before do not hold any more |
//!
//! An empty slot goes, unless it has something to remember: that something is unsettled, or how often there
//! was a loss.

use std::collections::BTreeMap;
use std::collections::hash_map::DefaultHasher;
use std::future::Future;
use std::hash::{Hash, Hasher};
use std::sync::atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};

use crate::boards::committer::Chain;
use crate::boards::kept::Kept;
use crate::fault::Fault;
use crate::ids::BoardId;
use crate::metrics::held::Held;
use crate::room::Room;
use crate::time::Tick;

/// So many that two busy boards rarely meet; an empty shard is a few words.
const SHARDS: usize = 64;

/// A room that is shared by its members' tasks, and what belongs to it.
#[derive(Debug)]
pub(crate) struct RoomCell {
    id: BoardId,
    room: Mutex<Room>,
    chain: Arc<Chain>,
    marks: Arc<Marks>,
    /// What is kept for those who read and write its content.
    pub(crate) kept: Kept,
    /// When the room wants to be looked at.
    due: AtomicU64,
    /// Bytes that it holds, as it said after its last step: of the document, outbound, of presence.
    held: [AtomicUsize; 3],
}

impl RoomCell {
    /// The board's name.
    pub(crate) fn id(&self) -> &BoardId {
        &self.id
    }

    /// Locks the room for one step.
    ///
    /// A panic inside a step poisons the lock; the room's members are then closed and the room given up, so
    /// poison is not looked at here.
    pub(crate) fn lock(&self) -> MutexGuard<'_, Room> {
        self.room.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes when the room wants to be looked at, and what it holds, after a step.
    pub(crate) fn note(&self, room: &Room) {
        self.note_due(room.next_due());
        for (held, bytes) in self.held.iter().zip(room.held_bytes()) {
            held.store(bytes, Ordering::Relaxed);
        }
    }

    /// Notes when the room wants to be looked at.
    pub(crate) fn note_due(&self, due: Option<Tick>) {
        self.due
            .store(due.map_or(u64::MAX, |due| due.0), Ordering::Relaxed);
    }

    /// Whether it wants to be looked at, so far as it has said; no lock is taken.
    pub(crate) fn is_due(&self, now: Tick) -> bool {
        self.due.load(Ordering::Relaxed) <= now.0
    }

    /// Whether a step panicked, so that nothing the room holds may be relied on.
    pub(crate) fn is_broken(&self) -> bool {
        self.room.is_poisoned()
    }

    /// What its changes belong to.
    pub(crate) fn chain(&self) -> &Arc<Chain> {
        &self.chain
    }

    /// As [`Slots::access_mark`].
    pub(crate) fn access_mark(&self) -> u64 {
        self.marks.access.load(Ordering::Acquire)
    }

    /// How often something of the board was lost.
    pub(crate) fn losses(&self) -> u32 {
        self.marks.losses.load(Ordering::Acquire)
    }

    /// Counts a loss.
    pub(crate) fn note_loss(&self) {
        self.marks.losses.fetch_add(1, Ordering::AcqRel);
    }
}

/// What a slot remembers, and its room with it.
#[derive(Debug, Default)]
struct Marks {
    /// [`Slots::changes`] at the last change of who may do what with the board, or when the slot came to be.
    access: AtomicU64,
    losses: AtomicU32,
}

/// How the wait for a held slot ended.
#[derive(Clone, Debug)]
pub(crate) enum Released {
    /// The board's room.
    Live(Arc<RoomCell>),
    /// What all who waited are told.
    Refused(Fault),
    /// The slot is free: whoever still wants the room looks again.
    Free,
}

/// A held slot, as those see it who wait for it.
#[derive(Debug, Default)]
pub(crate) struct Holding(Mutex<HoldingState>);

#[derive(Debug, Default)]
struct HoldingState {
    released: Option<Released>,
    waiting: Vec<Waker>,
}

impl Holding {
    /// Waits until the slot is released.
    pub(crate) fn released(&self) -> impl Future<Output = Released> {
        std::future::poll_fn(|cx| {
            let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(released) = &state.released {
                return Poll::Ready(released.clone());
            }
            state.waiting.retain(|old| !old.will_wake(cx.waker()));
            state.waiting.push(cx.waker().clone());
            Poll::Pending
        })
    }

    fn release(&self, released: Released) {
        let waiting = {
            let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            state.released = Some(released);
            std::mem::take(&mut state.waiting)
        };
        waiting.into_iter().for_each(Waker::wake);
    }
}

/// A slot that is the caller's, until this goes.
#[derive(Debug)]
pub(crate) struct Hold {
    slots: Arc<Slots>,
    board: BoardId,
    holding: Arc<Holding>,
    marks: Arc<Marks>,
    unsettled: bool,
    /// What those are told who wait.
    released: Released,
}

impl Hold {
    /// Whose slot it is.
    pub(crate) fn board(&self) -> &BoardId {
        &self.board
    }

    /// As those see it who wait.
    pub(crate) fn holding(&self) -> Arc<Holding> {
        Arc::clone(&self.holding)
    }

    /// Whether changes of a room that went may be on their way to the disk: these must settle before the
    /// board is read.
    pub(crate) fn is_unsettled(&self) -> bool {
        self.unsettled
    }

    /// They have settled.
    pub(crate) fn note_settled(&mut self) {
        self.unsettled = false;
    }

    /// As [`Slots::access_mark`].
    pub(crate) fn access_mark(&self) -> u64 {
        self.marks.access.load(Ordering::Acquire)
    }

    /// Puts the board's room into the slot, and gives it to all who waited.
    ///
    /// # Errors
    /// [`Fault::StoreFailed`] where a change of the room was lost already: its creation.
    pub(crate) fn go_live(mut self, room: Room, chain: Arc<Chain>) -> Result<Arc<RoomCell>, Fault> {
        let held = room.held_bytes().map(AtomicUsize::new);
        let cell = Arc::new(RoomCell {
            held,
            id: self.board.clone(),
            room: Mutex::new(room),
            chain: Arc::clone(&chain),
            marks: Arc::clone(&self.marks),
            kept: Kept::default(),
            // It says so itself from the first look on.
            due: AtomicU64::new(0),
        });
        {
            let mut shard = self.slots.shard(&self.board);
            if let Some(slot) = shard.get_mut(&self.board)
                && !chain.is_broken()
            {
                slot.place = Place::Live(Arc::clone(&cell));
                self.released = Released::Live(Arc::clone(&cell));
                return Ok(cell);
            }
        }
        self.unsettled = true;
        self.released = Released::Refused(Fault::StoreFailed);
        Err(Fault::StoreFailed)
    }

    /// Gives the slot back without a room, and tells all who waited why.
    pub(crate) fn refuse(mut self, fault: Fault) {
        self.released = Released::Refused(fault);
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        let released = std::mem::replace(&mut self.released, Released::Free);
        if !matches!(released, Released::Live(_)) {
            let mut shard = self.slots.shard(&self.board);
            if let Some(slot) = shard.get_mut(&self.board) {
                slot.unsettled |= self.unsettled;
            }
            empty(&mut shard, &self.board);
        }
        self.holding.release(released);
    }
}

/// What the table says to somebody who wants a board's room.
#[derive(Debug)]
pub(crate) enum Found {
    /// It is live.
    Live(Arc<RoomCell>),
    /// Somebody holds the slot; wait.
    Held(Arc<Holding>),
    /// The slot is the caller's now.
    Mine(Hold),
}

/// What the table says to somebody who wants to end a board's room for good.
#[derive(Debug)]
pub(crate) enum Taken {
    /// The slot is the caller's now; and the room that was live, retired.
    Mine(Hold, Option<Arc<RoomCell>>),
    /// Somebody else holds the slot; wait, and ask again.
    Held(Arc<Holding>),
}

#[derive(Debug)]
enum Place {
    Empty,
    Held(Arc<Holding>),
    Live(Arc<RoomCell>),
}

#[derive(Debug)]
struct Slot {
    place: Place,
    marks: Arc<Marks>,
    /// Changes of a room that went may be under way.
    unsettled: bool,
}

type Shard = BTreeMap<BoardId, Slot>;

/// The table of slots, in shards with a lock each.
#[derive(Debug)]
pub(crate) struct Slots {
    shards: Box<[Mutex<Shard>]>,
    /// Counts changes of who may do what, of all boards.
    changes: AtomicU64,
}

impl Slots {
    /// All slots are empty.
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            shards: (0..SHARDS).map(|_| Mutex::default()).collect(),
            changes: AtomicU64::new(0),
        })
    }

    fn shard(&self, board: &BoardId) -> MutexGuard<'_, Shard> {
        let mut hasher = DefaultHasher::new();
        board.hash(&mut hasher);
        let index = usize::try_from(hasher.finish() % SHARDS as u64).unwrap_or(0);
        #[expect(clippy::indexing_slicing, reason = "index < SHARDS = shards.len()")]
        self.shards[index].lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The board's room, or who holds its slot; an empty one is the caller's, who loads the board.
    pub(crate) fn find(self: &Arc<Self>, board: &BoardId) -> Found {
        let mut shard = self.shard(board);
        match shard.get(board).map(|slot| &slot.place) {
            Some(Place::Live(cell)) => Found::Live(Arc::clone(cell)),
            Some(Place::Held(holding)) => Found::Held(Arc::clone(holding)),
            Some(Place::Empty) | None => Found::Mine(self.hold(&mut shard, board)),
        }
    }

    /// The board's room, if it is in memory.
    #[must_use]
    pub(crate) fn live(&self, board: &BoardId) -> Option<Arc<RoomCell>> {
        match self.shard(board).get(board)?.place {
            Place::Live(ref cell) => Some(Arc::clone(cell)),
            _ => None,
        }
    }

    /// Takes the board's slot, and retires its room if there is one: none can be loaded until the slot is
    /// free.
    pub(crate) fn take(self: &Arc<Self>, board: &BoardId) -> Taken {
        let mut shard = self.shard(board);
        let live = match shard.get(board).map(|slot| &slot.place) {
            Some(Place::Held(holding)) => return Taken::Held(Arc::clone(holding)),
            Some(Place::Live(cell)) => Some(Arc::clone(cell)),
            Some(Place::Empty) | None => None,
        };
        let mut hold = self.hold(&mut shard, board);
        if let Some(cell) = &live {
            cell.lock().retire();
            hold.unsettled = true;
        }
        Taken::Mine(hold, live)
    }

    fn hold(self: &Arc<Self>, shard: &mut Shard, board: &BoardId) -> Hold {
        let holding = Arc::new(Holding::default());
        let slot = shard.entry(board.clone()).or_insert_with(|| Slot {
            place: Place::Empty,
            marks: Arc::new(Marks {
                access: AtomicU64::new(self.changes.load(Ordering::Acquire)),
                losses: AtomicU32::new(0),
            }),
            unsettled: false,
        });
        slot.place = Place::Held(Arc::clone(&holding));
        Hold {
            slots: Arc::clone(self),
            board: board.clone(),
            holding,
            marks: Arc::clone(&slot.marks),
            unsettled: std::mem::take(&mut slot.unsettled),
            released: Released::Free,
        }
    }

    /// Takes a room out of its slot that is not to be trusted, or of which something was lost; the next who
    /// asks loads the board anew. Nothing happens when another room has taken its place.
    pub(crate) fn give_up(&self, cell: &Arc<RoomCell>) {
        let mut shard = self.shard(cell.id());
        if let Some(slot) = live_slot(&mut shard, cell) {
            cell.lock().retire();
            cell.note_loss();
            slot.unsettled = true;
            empty(&mut shard, cell.id());
        }
    }

    /// Takes a room out of its slot if `may` says so at this very moment; returns whether it did. Where
    /// nothing of the board is stored yet, its creation may still be under way.
    pub(crate) fn unload(&self, cell: &Arc<RoomCell>, may: impl FnOnce(&Room) -> bool) -> bool {
        let mut shard = self.shard(cell.id());
        let Some(slot) = live_slot(&mut shard, cell) else {
            return false;
        };
        {
            let mut room = cell.lock();
            if !may(&room) {
                return false;
            }
            slot.unsettled = room.has_nothing_stored();
            room.retire();
        }
        empty(&mut shard, cell.id());
        true
    }

    /// A mark that changes with who may do what with the board. Whoever decides by facts and acts later looks
    /// whether it is what it was before the facts were read.
    ///
    /// It may also change when the board comes into memory; then, while it stays there, by changes of that
    /// board alone: where changes of others come faster than joins are decided about, somebody gets in all
    /// the same.
    pub(crate) fn access_mark(&self, board: &BoardId) -> u64 {
        let shard = self.shard(board);
        let mark = shard.get(board).map_or(&self.changes, |slot| &slot.marks.access);
        mark.load(Ordering::Acquire)
    }

    /// Notes a change of who may do what with the board, once it is durable.
    pub(crate) fn note_access_change(&self, board: &BoardId) {
        let shard = self.shard(board);
        let change = self.changes.fetch_add(1, Ordering::AcqRel).wrapping_add(1);
        if let Some(slot) = shard.get(board) {
            slot.marks.access.store(change, Ordering::Release);
        }
    }

    /// All live rooms.
    #[must_use]
    pub(crate) fn all(&self) -> Vec<Arc<RoomCell>> {
        let mut all = Vec::new();
        for shard in &self.shards {
            let shard = shard.lock().unwrap_or_else(PoisonError::into_inner);
            all.extend(shard.values().filter_map(|slot| match &slot.place {
                Place::Live(cell) => Some(Arc::clone(cell)),
                _ => None,
            }));
        }
        all
    }

    /// What the rooms hold, as far as they have said; no room is locked.
    pub(crate) fn held(&self) -> Held {
        let mut all = Held::default();
        for shard in &self.shards {
            let shard = shard.lock().unwrap_or_else(PoisonError::into_inner);
            for slot in shard.values() {
                if let Place::Live(cell) = &slot.place {
                    let [documents, outbound, presence] = &cell.held;
                    all.documents += documents.load(Ordering::Relaxed);
                    all.outbound += outbound.load(Ordering::Relaxed);
                    all.presence += presence.load(Ordering::Relaxed);
                }
            }
        }
        all
    }

    /// How many rooms are live.
    #[must_use]
    pub(crate) fn live_count(&self) -> usize {
        let live = |shard: &Mutex<Shard>| {
            let shard = shard.lock().unwrap_or_else(PoisonError::into_inner);
            let live = |slot: &&Slot| matches!(slot.place, Place::Live(_));
            shard.values().filter(live).count()
        };
        self.shards.iter().map(live).sum()
    }

    /// How many slots there are, whatever is in them.
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.shards.iter().map(|shard| shard.lock().unwrap().len()).sum()
    }
}

/// The slot of a room, if it is still there.
fn live_slot<'a>(shard: &'a mut Shard, cell: &Arc<RoomCell>) -> Option<&'a mut Slot> {
    let slot = shard.get_mut(cell.id())?;
    matches!(&slot.place, Place::Live(live) if Arc::ptr_eq(live, cell)).then_some(slot)
}

/// Empties a slot, which goes unless it has something to remember.
fn empty(shard: &mut Shard, board: &BoardId) {
    if let Some(slot) = shard.get_mut(board) {
        slot.place = Place::Empty;
        if !slot.unsettled && slot.marks.losses.load(Ordering::Acquire) == 0 {
            shard.remove(board);
        }
    }
}

#[cfg(test)]
mod tests;
