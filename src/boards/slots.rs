//! The table of rooms: one room a board, loaded once however many connect at the same moment.
//!
//! Owns the shards, their locks and the locks of the rooms; nothing else in the core locks. Must not load, wait or
//! know who asks: it tells one caller to load, and the others when that has ended.
//! Key invariants: at most one live room a board; a lock is held for the length of one step, never while waiting;
//! a room that left the table is retired, so that who still holds it looks again.

use std::collections::HashMap;
use std::collections::hash_map::{DefaultHasher, Entry};
use std::hash::{Hash, Hasher};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};
use std::time::Duration;

use crate::fault::Fault;
use crate::ids::BoardId;
use crate::room::Room;
use crate::time::Tick;

/// So many that two busy boards rarely meet; an empty shard is a few words.
const SHARDS: usize = 64;

/// A room that is shared by its members' tasks.
#[derive(Debug)]
pub struct RoomCell(Mutex<Room>);

impl RoomCell {
    /// Locks the room for one step.
    ///
    /// A panic inside a step poisons the lock; the shell then closes the room's members and drops the room, so
    /// poison is not looked at here.
    pub fn lock(&self) -> MutexGuard<'_, Room> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a step panicked, so that nothing the room holds may be relied on.
    #[must_use]
    pub fn is_broken(&self) -> bool {
        self.0.is_poisoned()
    }
}

/// How the wait for a slot ended.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// The board's room.
    Room(Arc<RoomCell>),
    /// What all who waited are told.
    Refused(Fault),
    /// The slot is free: whoever still wants the room looks again.
    Free,
}

/// A slot that somebody holds, to load the board or to do something else that no room may see, and those who wait for it.
#[derive(Debug, Default)]
pub struct Loading(Mutex<LoadingState>);

#[derive(Debug, Default)]
struct LoadingState {
    outcome: Option<Outcome>,
    waiting: Vec<Waker>,
}

impl Loading {
    /// The outcome, or a promise to wake `waker` when there is one.
    pub fn poll(&self, waker: &Waker) -> Poll<Outcome> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match &state.outcome {
            Some(outcome) => Poll::Ready(outcome.clone()),
            None => {
                state.waiting.retain(|old| !old.will_wake(waker));
                state.waiting.push(waker.clone());
                Poll::Pending
            }
        }
    }

    fn finish(&self, outcome: Outcome) {
        let waiting = {
            let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            state.outcome = Some(outcome);
            std::mem::take(&mut state.waiting)
        };
        waiting.into_iter().for_each(Waker::wake);
    }
}

/// What the table says to somebody who wants a board's room.
#[derive(Debug)]
pub enum Found {
    /// It is live.
    Live(Arc<RoomCell>),
    /// Somebody is loading it; wait.
    Loading(Arc<Loading>),
    /// Nobody has it: the caller must load it and call [`Rooms::loaded`], or [`Rooms::free`], whatever happens.
    Absent(Arc<Loading>),
}

/// What the table says to somebody who wants to end a board's room for good.
#[derive(Debug)]
pub enum Taken {
    /// The slot is the caller's, who must call [`Rooms::free`], whatever happens; and the room that was live, retired.
    Now(Arc<Loading>, Option<Arc<RoomCell>>),
    /// Somebody else holds the slot; wait, and ask again.
    Later(Arc<Loading>),
}

#[derive(Debug)]
enum Slot {
    Loading(Arc<Loading>),
    Live(Arc<RoomCell>),
}

type Shard = Mutex<HashMap<BoardId, Slot>>;

/// The lock-sharded table of rooms.
#[derive(Debug)]
pub struct Rooms {
    shards: Box<[Shard]>,
}

impl Default for Rooms {
    fn default() -> Self {
        Self {
            shards: (0..SHARDS).map(|_| Shard::default()).collect(),
        }
    }
}

impl Rooms {
    fn shard(&self, board: &BoardId) -> MutexGuard<'_, HashMap<BoardId, Slot>> {
        let mut hasher = DefaultHasher::new();
        board.hash(&mut hasher);
        let index = usize::try_from(hasher.finish() % SHARDS as u64).unwrap_or(0);
        #[expect(clippy::indexing_slicing, reason = "index < SHARDS = shards.len()")]
        self.shards[index].lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The board's room, or who loads it.
    pub fn find(&self, board: &BoardId) -> Found {
        match self.shard(board).entry(board.clone()) {
            Entry::Occupied(slot) => match slot.get() {
                Slot::Live(room) => Found::Live(Arc::clone(room)),
                Slot::Loading(loading) => Found::Loading(Arc::clone(loading)),
            },
            Entry::Vacant(slot) => {
                let loading = Arc::new(Loading::default());
                slot.insert(Slot::Loading(Arc::clone(&loading)));
                Found::Absent(loading)
            }
        }
    }

    /// The board's room, if it is in memory.
    #[must_use]
    pub fn live(&self, board: &BoardId) -> Option<Arc<RoomCell>> {
        match self.shard(board).get(board) {
            Some(Slot::Live(room)) => Some(Arc::clone(room)),
            _ => None,
        }
    }

    /// Ends the load that [`Found::Absent`] began, and wakes all who waited for it.
    pub fn loaded(&self, board: &BoardId, loading: &Loading, outcome: Result<Room, Fault>) {
        match outcome {
            Ok(room) => {
                let room = Arc::new(RoomCell(Mutex::new(room)));
                self.shard(board)
                    .insert(board.clone(), Slot::Live(Arc::clone(&room)));
                loading.finish(Outcome::Room(room));
            }
            Err(fault) => self.free(board, loading, Outcome::Refused(fault)),
        }
    }

    /// Gives a held slot back without a room, and tells all who waited for it.
    pub fn free(&self, board: &BoardId, loading: &Loading, outcome: Outcome) {
        self.shard(board).remove(board);
        loading.finish(outcome);
    }

    /// Takes the board's slot, and retires its room if there is one: none can be loaded until the slot is free.
    pub fn take(&self, board: &BoardId) -> Taken {
        let mut shard = self.shard(board);
        if let Some(Slot::Loading(loading)) = shard.get(board) {
            return Taken::Later(Arc::clone(loading));
        }
        let loading = Arc::new(Loading::default());
        let live = match shard.insert(board.clone(), Slot::Loading(Arc::clone(&loading))) {
            Some(Slot::Live(room)) => {
                room.lock().retire();
                Some(room)
            }
            Some(Slot::Loading(_)) | None => None,
        };
        Taken::Now(loading, live)
    }

    /// Takes a room out of the table, so that the next who asks loads it anew.
    ///
    /// Nothing happens when another room has taken its place.
    pub fn remove(&self, board: &BoardId, room: &Arc<RoomCell>) {
        let mut shard = self.shard(board);
        if matches!(shard.get(board), Some(Slot::Live(live)) if Arc::ptr_eq(live, room)) {
            room.lock().retire();
            shard.remove(board);
        }
    }

    /// Takes a room out of the table if it may be unloaded at this very moment; returns whether it did.
    pub fn remove_if_idle(&self, board: &BoardId, idle: Duration, now: Tick) -> bool {
        let mut shard = self.shard(board);
        let Some(Slot::Live(room)) = shard.get(board) else {
            return false;
        };
        {
            let mut room = room.lock();
            if !room.may_unload(idle, now) {
                return false;
            }
            room.retire();
        }
        shard.remove(board);
        true
    }

    /// All live rooms.
    #[must_use]
    pub fn all(&self) -> Vec<(BoardId, Arc<RoomCell>)> {
        let mut all = Vec::new();
        for shard in &self.shards {
            let shard = shard.lock().unwrap_or_else(PoisonError::into_inner);
            all.extend(shard.iter().filter_map(|(id, slot)| match slot {
                Slot::Live(room) => Some((id.clone(), Arc::clone(room))),
                Slot::Loading(_) => None,
            }));
        }
        all
    }

    /// How many rooms are live.
    #[must_use]
    pub fn len(&self) -> usize {
        let live = |shard: &Shard| {
            let shard = shard.lock().unwrap_or_else(PoisonError::into_inner);
            shard
                .values()
                .filter(|slot| matches!(slot, Slot::Live(_)))
                .count()
        };
        self.shards.iter().map(live).sum()
    }

    /// Whether no room is live.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

#[cfg(test)]
mod tests;
