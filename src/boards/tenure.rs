//! Which boards are this node's, where several nodes share a store.
//!
//! Owns [`Tenure`]: the node's lease as far as it may be trusted, the boards it has claimed, and where those
//! of others are. Must not know how a request gets to another node. Key invariants: a room is loaded only
//! after its board was claimed; nobody is given a room while the lease is not trusted, and those who have one
//! are closed; a board is let go only while its slot is held, with nothing of it on the way to the store. A
//! store that one node has alone has no tenure, and costs nothing here. Tests: `tenure/tests.rs`, `sim`.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::boards::slots::{Found, Hold};
use crate::boards::{Boards, host};
use crate::fault::{Fault, causes};
use crate::ids::BoardId;
use crate::limits;
use crate::store::StoreError;
use crate::store::ownership::{Joining, Lease, Neighbour, NodeId, Ownership, Whereabouts};
use crate::time::Tick;

/// What share of a lease is not trusted, as one in so many: clocks of nodes and stores run at different
/// rates.
const DISTRUSTED: u32 = 8;

/// How often a lease is renewed in its time.
const RENEWALS: u32 = 3;

/// This node's part of a shared store.
pub(crate) struct Tenure {
    ownership: Arc<dyn Ownership>,
    joining: Joining,
    /// The node that the store took this one for last; zero before the first.
    node: AtomicU64,
    /// Until when the lease is trusted; zero where there is none.
    trusted_until: AtomicU64,
    /// Why the store could not be asked for it, where that failed the last time.
    trouble: Mutex<Option<StoreError>>,
    /// Counts how often it was lost: what was claimed before is not this node's.
    losses: AtomicU64,
    /// How long the store took to answer last, in microseconds.
    took: AtomicU64,
    /// Boards that this node has, so far as it knows, and since when or when it last looked.
    claimed: Mutex<BTreeMap<BoardId, Tick>>,
    /// Where boards of others were, and when that was.
    elsewhere: Mutex<BTreeMap<BoardId, (Neighbour, Tick)>>,
}

/// What a board is that was to be taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Claimed {
    /// This node's.
    Ours,
    /// Nobody's, since there was none.
    Absent,
}

/// How the node's tenure is, for people to see.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Standing {
    /// Which node it is; `None` before it has joined.
    pub(crate) node: Option<NodeId>,
    /// How long the lease is still trusted.
    pub(crate) trusted_for: Duration,
    /// Boards that it has.
    pub(crate) boards: usize,
    /// How long the store took to answer last.
    pub(crate) store_took: Duration,
}

impl Tenure {
    /// Of a node that has not joined yet.
    pub(crate) fn new(ownership: Arc<dyn Ownership>, joining: Joining) -> Self {
        Self {
            ownership,
            joining,
            node: AtomicU64::new(0),
            trusted_until: AtomicU64::new(0),
            trouble: Mutex::default(),
            losses: AtomicU64::new(0),
            took: AtomicU64::new(0),
            claimed: Mutex::default(),
            elsewhere: Mutex::default(),
        }
    }

    fn claimed(&self) -> MutexGuard<'_, BTreeMap<BoardId, Tick>> {
        self.claimed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn elsewhere(&self) -> MutexGuard<'_, BTreeMap<BoardId, (Neighbour, Tick)>> {
        self.elsewhere.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn trouble(&self) -> MutexGuard<'_, Option<StoreError>> {
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether boards may be served as this node's.
    pub(crate) fn holds(&self, now: Tick) -> bool {
        #[cfg(test)]
        if crate::planted::is(crate::planted::Bug::LeaseTrustedTooLong) {
            return self.node.load(Ordering::Acquire) != 0;
        }
        now.0 < self.trusted_until.load(Ordering::Acquire)
    }

    /// Joins, as this process begins.
    pub(super) fn begin(&self, asked: Tick) {
        // Where it fails, it is tried again with the first renewal.
        drop(self.join(asked, true));
    }

    /// Asks for the lease anew; `Lost` also where there was none.
    fn renew(&self, asked: Tick) -> Result<Lease, StoreError> {
        let renewed = match self.node.load(Ordering::Acquire) {
            0 => Ok(Lease::Lost),
            _ => self.ownership.renew(),
        };
        self.note(asked, &renewed);
        renewed
    }

    /// Joins, as another node than before; `replaces` as in [`Joining`].
    fn join(&self, asked: Tick, replaces: bool) -> Result<Lease, StoreError> {
        let joining = Joining {
            replaces,
            ..self.joining.clone()
        };
        let joined = self.ownership.join(&joining);
        self.note(asked, &joined);
        joined
    }

    /// Takes in what the store said of the lease that was asked for then.
    fn note(&self, asked: Tick, lease: &Result<Lease, StoreError>) {
        *self.trouble() = lease.as_ref().err().cloned();
        match lease {
            Ok(Lease::Held(node)) => {
                if self.node.swap(node.0, Ordering::AcqRel) != node.0 {
                    tracing::info!(run = %node, "joined the nodes that share the store");
                }
                let trusted = self.joining.lease - self.joining.lease / DISTRUSTED;
                self.trusted_until
                    .store(asked.after(trusted).0, Ordering::Release);
            }
            Ok(Lease::Lost) => {
                self.node.store(0, Ordering::Release);
                self.trusted_until.store(0, Ordering::Release);
            }
            // It holds as long as it did.
            Err(_) => {}
        }
    }

    fn standing(&self, now: Tick) -> Standing {
        let node = self.node.load(Ordering::Acquire);
        Standing {
            node: (node != 0).then_some(NodeId(node)),
            trusted_for: Tick(self.trusted_until.load(Ordering::Acquire)).since(now),
            boards: self.claimed().len(),
            store_took: Duration::from_micros(self.took.load(Ordering::Relaxed)),
        }
    }
}

impl Boards {
    /// Whether rooms may be served: this node has the store alone, or its lease is trusted.
    pub(crate) fn may_serve(&self) -> bool {
        let tenure = self.tenure.as_ref();
        tenure.is_none_or(|tenure| tenure.holds(self.now().tick))
    }

    /// Why rooms may not be served, for people; `None` where they may.
    pub(crate) fn without_lease(&self) -> Option<String> {
        let tenure = self.tenure.as_ref().filter(|_| !self.may_serve())?;
        let told = "this node has no lease on the store that nodes share";
        Some(match &*tenure.trouble() {
            Some(error) => format!("{told}: {}", causes(error)),
            None => told.to_owned(),
        })
    }

    /// How this node's tenure is; `None` where it has the store alone.
    pub(crate) fn standing(&self) -> Option<Standing> {
        let tenure = self.tenure.as_ref()?;
        Some(tenure.standing(self.now().tick))
    }

    /// The store has answered what it was asked then.
    fn note_answer(&self, tenure: &Tenure, asked: Tick) {
        let took = self.now().tick.since(asked);
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        tenure.took.store(micros, Ordering::Relaxed);
        self.metrics.asked_of_nodes(took);
    }

    /// How often the lease was lost.
    pub(crate) fn lease_losses(&self) -> u64 {
        let tenure = self.tenure.as_ref();
        tenure.map_or(0, |tenure| tenure.losses.load(Ordering::Acquire))
    }

    /// Asks the store about boards and nodes, on the blocking pool.
    async fn ask_about<T: Send + 'static>(
        self: &Arc<Self>,
        question: impl FnOnce(&dyn Ownership) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, Fault> {
        let Some(tenure) = &self.tenure else {
            return Err(Fault::Internal);
        };
        let (ownership, asked) = (Arc::clone(&tenure.ownership), self.now().tick);
        let answer = self.unblock_read(move || question(&*ownership)).await;
        self.note_answer(tenure, asked);
        answer.map_err(|error| {
            tracing::error!(error = causes(&error), "cannot find out which node has a board");
            self.committer.note_read_error(&error);
            Fault::StateUnreadable
        })
    }

    /// Which other node has a board, if one has. What was found lately is not looked up again.
    ///
    /// # Errors
    /// [`Fault::StateUnreadable`].
    pub(crate) async fn neighbour_with(
        self: &Arc<Self>,
        board: &BoardId,
    ) -> Result<Option<Neighbour>, Fault> {
        let Some(tenure) = &self.tenure else {
            return Ok(None);
        };
        if self.live(board).is_some() {
            return Ok(None);
        }
        let now = self.now().tick;
        if let Some((neighbour, at)) = tenure.elsewhere().get(board)
            && now.since(*at) < limits::WHEREABOUTS_TIME_MAX
        {
            return Ok(Some(neighbour.clone()));
        }
        let id = board.clone();
        let found = self.ask_about(move |store| store.whereabouts(&id)).await?;
        Ok(self.note_whereabouts(board, found))
    }

    /// Forgets where a board was: it is not there any more.
    pub(crate) fn forget_whereabouts(&self, board: &BoardId) {
        if let Some(tenure) = &self.tenure {
            tenure.elsewhere().remove(board);
        }
    }

    fn note_whereabouts(&self, board: &BoardId, found: Whereabouts) -> Option<Neighbour> {
        let tenure = self.tenure.as_ref()?;
        let now = self.now().tick;
        let mut elsewhere = tenure.elsewhere();
        let Whereabouts::Elsewhere(neighbour) = found else {
            elsewhere.remove(board);
            return None;
        };
        if elsewhere.len() >= limits::WHEREABOUTS_MAX {
            elsewhere.retain(|_, (_, at)| now.since(*at) < limits::WHEREABOUTS_TIME_MAX);
        }
        if elsewhere.len() < limits::WHEREABOUTS_MAX {
            elsewhere.insert(board.clone(), (neighbour.clone(), now));
        }
        Some(neighbour)
    }

    /// Takes a board for this node, before it is loaded. What was decided about rights before counts no more:
    /// another node may have changed them. One that does not exist is not taken: it is the node's that makes
    /// it, and whoever finds it there all the same may not have it.
    ///
    /// # Errors
    /// [`Fault::Elsewhere`], [`Fault::StateUnreadable`].
    pub(super) async fn claim(self: &Arc<Self>, board: &BoardId) -> Result<Claimed, Fault> {
        let Some(tenure) = &self.tenure else {
            return Ok(Claimed::Ours);
        };
        let is_ours = tenure.claimed().contains_key(board);
        let id = board.clone();
        let found = self.ask_about(move |store| store.claim(&id)).await?;
        let claimed = match found {
            Whereabouts::Here => Claimed::Ours,
            Whereabouts::Nobody | Whereabouts::Elsewhere(_) => Claimed::Absent,
        };
        if self.note_whereabouts(board, found).is_some() {
            return Err(Fault::Elsewhere);
        }
        self.note_claimed(board);
        if !is_ours {
            self.slots.note_access_change(board);
        }
        Ok(claimed)
    }

    /// This node has a board, or will have it once it is made.
    pub(super) fn note_claimed(&self, board: &BoardId) {
        if let Some(tenure) = &self.tenure {
            tenure.claimed().insert(board.clone(), self.now().tick);
        }
    }

    /// Renews the lease, again and again.
    pub(super) async fn keep_lease(self: Arc<Self>) {
        let Some(tenure) = &self.tenure else { return };
        let every = tenure.joining.lease / RENEWALS;
        loop {
            self.host.sleep(every).await;
            if self.is_stopping() {
                return;
            }
            self.renew_lease(tenure).await;
        }
    }

    async fn renew_lease(self: &Arc<Self>, tenure: &Tenure) {
        let lease = self.lease_step(Tenure::renew).await;
        if lease != Ok(Lease::Lost) {
            return;
        }
        // Another node by now, which must have nothing of this one's.
        self.lose_all(tenure);
        if self.lease_step(|tenure, asked| tenure.join(asked, false)).await == Ok(Lease::Lost) {
            tracing::error!(
                "another server has joined under the name of this one and goes on; give each a --node-address of its own"
            );
        }
    }

    async fn lease_step(
        self: &Arc<Self>,
        step: fn(&Tenure, Tick) -> Result<Lease, StoreError>,
    ) -> Result<Lease, StoreError> {
        let (boards, asked) = (Arc::clone(self), self.now().tick);
        // Without a permit: a lease must not wait behind reads.
        let lease = host::unblock(&self.host, move || match &boards.tenure {
            Some(tenure) => step(tenure, asked),
            None => Ok(Lease::Lost),
        });
        let lease = lease.await;
        if let Some(tenure) = &self.tenure {
            self.note_answer(tenure, asked);
        }
        if let Err(error) = &lease {
            tracing::warn!(error = causes(error), "the lease could not be renewed");
        }
        lease
    }

    /// Gives all rooms up as soon as the lease is not trusted any more.
    pub(super) async fn keep_watch(self: Arc<Self>) {
        let Some(tenure) = &self.tenure else { return };
        let every = (tenure.joining.lease / 100).clamp(limits::TICK_MIN, limits::TICK_MAX);
        let mut held = true;
        loop {
            self.host.sleep(every).await;
            let holds = tenure.holds(self.now().tick);
            if held && !holds && !self.is_stopping() {
                self.lose_all(tenure);
            }
            held = holds;
        }
    }

    /// The lease is lost, or may be: others may have the boards now.
    fn lose_all(self: &Arc<Self>, tenure: &Tenure) {
        tenure.losses.fetch_add(1, Ordering::AcqRel);
        tenure.claimed().clear();
        let rooms = self.slots.all();
        tracing::warn!(
            rooms = rooms.len(),
            "this node's lease has ended; others may have its boards now"
        );
        for cell in rooms {
            self.give_up(&cell, Fault::Elsewhere);
        }
    }

    /// Lets boards go that have had no room for [`limits::RELEASE_AFTER`].
    pub(super) async fn keep_releasing(self: Arc<Self>) {
        let Some(tenure) = &self.tenure else { return };
        loop {
            self.host.sleep(limits::RELEASE_EVERY).await;
            let idle = self.hold_idle(tenure, self.now().tick);
            if !idle.is_empty() {
                self.release_held(tenure, idle).await;
            }
        }
    }

    /// The slots of claimed boards without a room, so that none is loaded meanwhile.
    fn hold_idle(self: &Arc<Self>, tenure: &Tenure, now: Tick) -> Vec<Hold> {
        let is_idle = |(board, at): (&BoardId, &mut Tick)| {
            if self.slots.live(board).is_some() {
                *at = now;
            }
            (now.since(*at) >= limits::RELEASE_AFTER).then(|| board.clone())
        };
        let idle: Vec<_> = tenure.claimed().iter_mut().filter_map(is_idle).collect();
        let holds = idle
            .iter()
            .take(limits::RELEASES_MAX)
            .filter_map(|board| match self.slots.find(board) {
                Found::Mine(hold) => Some(hold),
                Found::Live(_) | Found::Held(_) => None,
            });
        holds.collect()
    }

    async fn release_held(self: &Arc<Self>, tenure: &Tenure, mut holds: Vec<Hold>) {
        if self.settled().await.is_ok() {
            holds.iter_mut().for_each(Hold::note_settled);
        }
        let ids: Vec<_> = holds.iter().map(|hold| hold.board().clone()).collect();
        let going = ids.clone();
        if self.ask_about(move |store| store.release(&going)).await.is_ok() {
            let mut claimed = tenure.claimed();
            claimed.retain(|board, _| !ids.contains(board));
        }
    }

    /// Lets all boards go, at the end: everything accepted is committed, and others have them from now on.
    /// Nothing may be accepted any more.
    pub(crate) async fn hand_over(self: &Arc<Self>) {
        let Some(tenure) = &self.tenure else { return };
        drop(self.settled().await);
        tenure.trusted_until.store(0, Ordering::Release);
        let left = self.ask_about(|store| store.leave()).await;
        tracing::info!(
            boards = tenure.claimed().len(),
            is_left = left.is_ok(),
            "boards handed over"
        );
    }
}

#[cfg(test)]
mod tests;
