//! The shared log, as a node reaches it, and the clock by which leases end there.
//!
//! Owns [`Reach`] and [`StoreClock`]. Must not know nodes. Key invariant: whatever is asked is decided at the
//! time of the store.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::Duration;

use super::executor::World;
use super::machine::Clocks;
use crate::ids::BoardId;
use crate::store::front::Front;
use crate::store::memory::{Disk, MemoryStore};
use crate::store::ownership::{Joining, Lease, NodeSeen, Ownership, Whereabouts};
use crate::store::{Applied, Change, Store, StoreError};

/// The clock of the store, which leases end by.
pub(super) struct StoreClock {
    world: World,
    clocks: Clocks,
    /// Microseconds.
    jumped: AtomicI64,
}

impl StoreClock {
    /// It has not jumped yet.
    pub(super) fn new(world: &World, clocks: Clocks) -> Self {
        Self {
            world: world.clone(),
            clocks,
            jumped: AtomicI64::new(0),
        }
    }

    /// It jumps.
    pub(super) fn jump(&self, millis: i64) {
        self.jumped.fetch_add(millis * 1_000, Ordering::Relaxed);
    }

    fn now(&self) -> Duration {
        // So long ago did it begin that it can jump back.
        let now = self.clocks.at(self.world.now().tick).0 + 1_000_000_000_000;
        Duration::from_micros(now.saturating_add_signed(self.jumped.load(Ordering::Relaxed)))
    }
}

/// The store, as one node reaches it.
pub(super) struct Reach {
    behind: MemoryStore,
    disk: Disk,
    clock: Arc<StoreClock>,
    /// It answers, and takes nothing.
    is_read_only: AtomicBool,
}

impl Reach {
    /// All goes well on it.
    pub(super) fn new(behind: MemoryStore, disk: &Disk, clock: &Arc<StoreClock>) -> Arc<Self> {
        Arc::new(Self {
            behind,
            disk: disk.clone(),
            clock: Arc::clone(clock),
            is_read_only: AtomicBool::new(false),
        })
    }

    /// See [`MemoryStore::fail_after`].
    pub(super) fn fail_after(&self, count: Option<u64>) {
        self.behind.fail_after(count);
    }

    /// From now on it takes nothing, or all again.
    pub(super) fn set_read_only(&self, is_read_only: bool) {
        self.is_read_only.store(is_read_only, Ordering::Relaxed);
    }

    /// Reads, or writes, by the clock of the store.
    fn reads<T>(&self, what: impl FnOnce(&MemoryStore) -> T) -> T {
        self.disk.set_clock(self.clock.now());
        what(&self.behind)
    }

    fn writes<T>(&self, what: impl FnOnce(&MemoryStore) -> T) -> T {
        if !self.is_read_only.load(Ordering::Relaxed) {
            return self.reads(what);
        }
        self.behind.fail_after(Some(0));
        let failed = self.reads(what);
        self.behind.fail_after(None);
        failed
    }
}

impl Front for Reach {
    fn behind(&self) -> &dyn Store {
        &self.behind
    }

    fn commit(&self, changes: &[Change]) -> Result<Vec<Applied>, StoreError> {
        self.writes(|store| store.commit(changes))
    }

    fn probe(&self) -> Result<(), StoreError> {
        self.writes(Store::probe)
    }
}

impl Ownership for Reach {
    fn join(&self, joining: &Joining) -> Result<Lease, StoreError> {
        self.writes(|store| store.join(joining))
    }

    fn renew(&self) -> Result<Lease, StoreError> {
        self.writes(Ownership::renew)
    }

    fn whereabouts(&self, board: &BoardId) -> Result<Whereabouts, StoreError> {
        self.reads(|store| store.whereabouts(board))
    }

    fn claim(&self, board: &BoardId) -> Result<Whereabouts, StoreError> {
        self.writes(|store| store.claim(board))
    }

    fn release(&self, boards: &[BoardId]) -> Result<(), StoreError> {
        self.writes(|store| store.release(boards))
    }

    fn leave(&self) -> Result<(), StoreError> {
        self.writes(Ownership::leave)
    }

    fn nodes(&self) -> Result<Vec<NodeSeen>, StoreError> {
        self.reads(Ownership::nodes)
    }
}
