//! Three nodes that share one log, behind a balancer that sends everybody anywhere.
//!
//! Owns [`Cluster`]: starting and stopping nodes, the store as each reaches it, and connections that are
//! passed from node to node: it does what `server::routing` and `nodes` do, in the same order, and a change
//! there is made here too. Must not know what goes wrong: `woes.rs` does. Key invariant: a connection is
//! passed on once at most.

use std::collections::BTreeSet;
use std::future::poll_fn;
use std::sync::atomic::{AtomicI64, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use smol::channel::bounded;
use smol::future::FutureExt;

use super::checks::{Book, Content};
use super::client::Identity;
use super::connection::refuse;
use super::executor::World;
use super::history::History;
use super::machine::{Clocks, Machine};
use super::network::{End, Link};
use super::node::{Node, Plan, credentials, rest, serve};
use super::reach::{Reach, StoreClock};
use super::{Scene, ms, woes};
use crate::access::Credentials;
use crate::boards::committer::Writer;
use crate::boards::host::{Host, Task};
use crate::fault::Fault;
use crate::ids::BoardId;
use crate::limits;
use crate::planted::{self, Bug};
use crate::store::Store;
use crate::store::memory::{Disk, MemoryStore};
use crate::store::owners::Quotas;
use crate::store::ownership::{Joining, Ownership};
use crate::time::Tick;

/// How many nodes there are.
pub(super) const NODES: usize = 3;

/// A node that runs, and its store.
#[derive(Clone)]
pub(super) struct Running {
    pub(super) node: Arc<Node>,
    pub(super) reach: Arc<Reach>,
    number: u32,
}

/// One end of what may be apart: a client by its id, or a node by its seat.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Place {
    Client(u64),
    Seat(usize),
}

/// A link to a node.
pub(super) struct Wire {
    pub(super) from: Place,
    pub(super) to: usize,
    pub(super) link: Link,
}

impl Wire {
    /// Whether it goes between these two.
    pub(super) fn is_between(&self, from: Place, to: usize) -> bool {
        let there = self.from == from && self.to == to;
        there || self.from == Place::Seat(to) && Place::Seat(self.to) == from
    }

    /// Nothing arrives any more. Nodes find out within a second or so (`nodes::watch`), clients and their
    /// nodes as they can.
    pub(super) fn lose(&self, world: &World) {
        self.link.lose();
        if matches!(self.from, Place::Seat(_)) {
            let (link, wait) = (self.link.clone(), world.nap(ms(0), ms(1_500)));
            world.start(async move {
                wait.await;
                link.cut();
            });
        }
    }
}

/// Somebody at the door.
#[derive(Clone)]
struct Guest {
    board: BoardId,
    credentials: Arc<Credentials>,
    /// How often it was passed on.
    passed: u32,
}

/// What stands around.
pub(super) struct Cluster {
    pub(super) world: World,
    plan: Plan,
    boards: Vec<BoardId>,
    book: Arc<Book>,
    history: Arc<History>,
    pub(super) disk: Disk,
    pub(super) clock: Arc<StoreClock>,
    pub(super) lease: Duration,
    seats: [Mutex<Option<Running>>; NODES],
    pub(super) wires: Mutex<Vec<Wire>>,
    /// Who reaches which node no more.
    pub(super) apart: Mutex<BTreeSet<(Place, usize)>>,
    /// Whose process finds no store.
    pub(super) storeless: Mutex<BTreeSet<usize>>,
    started: AtomicU32,
}

/// Clocks that run a little differently.
fn clocks(world: &World) -> Clocks {
    world.random(|random| Clocks {
        ahead: random.time(ms(0), ms(1_000_000)),
        faster: random.between(0, 60_000) as i64 - 30_000,
        wall: AtomicI64::new(random.between(0, 7_200_000) as i64 - 3_600_000),
    })
}

impl Cluster {
    pub(super) fn new(world: &World, plan: Plan, boards: Vec<BoardId>, book: &Arc<Book>) -> Arc<Self> {
        let disk = Disk::default();
        let clock = StoreClock::new(world, clocks(world));
        let history = History::of(world, &disk, book, boards.clone());
        Arc::new(Self {
            world: world.clone(),
            lease: world.random(|random| random.time(ms(1_500), ms(4_000))),
            plan,
            boards,
            book: Arc::clone(book),
            history,
            disk,
            clock: Arc::new(clock),
            seats: Default::default(),
            wires: Mutex::default(),
            apart: Mutex::default(),
            storeless: Mutex::default(),
            started: AtomicU32::new(0),
        })
    }

    pub(super) fn running(&self, seat: usize) -> Option<Running> {
        self.seats[seat].lock().unwrap().clone()
    }

    fn is_apart(&self, from: Place, to: usize) -> bool {
        let apart = self.apart.lock().unwrap();
        let back = match from {
            Place::Seat(seat) => apart.contains(&(Place::Seat(to), seat)),
            Place::Client(_) => false,
        };
        back || apart.contains(&(from, to))
    }

    /// Takes stale copies for excused from now on: the store's clock jumps ahead.
    pub(super) fn excuse_stale_copies(&self) {
        self.book.excuse_stale_copies();
    }

    // --- nodes --------------------------------------------------------------------------------------------

    /// Starts a node where there is none, unless it finds no store.
    pub(super) fn start(self: &Arc<Self>, seat: usize) {
        if self.storeless.lock().unwrap().contains(&seat) {
            return;
        }
        let Ok(behind) = MemoryStore::open(&self.disk, Quotas::UNBOUNDED) else {
            return;
        };
        let reach = Reach::new(behind, &self.disk, &self.clock);
        let number = self.started.fetch_add(1, Ordering::Relaxed) + 1;
        self.world.note("node", &[seat as u64, number.into()]);
        let machine = Machine::with_clocks(&self.world, number, self.plan.pool, clocks(&self.world));
        let joining = Joining {
            name: format!("node-{seat}"),
            address: Some(seat.to_string()),
            lease: self.lease,
            replaces: true,
        };
        let parts = (
            Arc::clone(&reach) as Arc<dyn Store>,
            Some((Arc::clone(&reach) as Arc<dyn Ownership>, joining)),
        );
        let (world, disk, writes) = (self.world.clone(), self.plan.disk, Arc::clone(&machine));
        let runs = |writer| writes.start(Box::pin(write(world, writer, disk)));
        let node = Node::start(&self.world, machine, &self.plan, parts, runs);
        let running = Running { node, reach, number };
        *self.seats[seat].lock().unwrap() = Some(running);
    }

    /// The power goes, or the process is killed.
    pub(super) fn crash(&self, seat: usize) {
        let Some(running) = self.seats[seat].lock().unwrap().take() else {
            return;
        };
        self.world.note("crash", &[seat as u64]);
        // A machine that is off tells nobody; one whose process died does.
        let is_off = self.world.random(|random| random.chance(20));
        let mut wires = self.wires.lock().unwrap();
        wires.retain(|wire| {
            let ends_here = wire.to == seat || wire.from == Place::Seat(seat);
            if ends_here && is_off {
                wire.lose(&self.world);
            }
            !ends_here
        });
        drop(wires);
        end(&running);
    }

    /// Stops a node in order, as `server::lifecycle` does.
    pub(super) fn stop(self: &Arc<Self>, seat: usize) {
        let Some(Running { node, number, .. }) = self.running(seat) else {
            return;
        };
        self.world.note("stop", &[seat as u64]);
        let (cluster, machine) = (Arc::clone(self), Arc::clone(&node.machine));
        machine.start(Box::pin(async move {
            let boards = &node.boards;
            boards.stop();
            boards.close_rooms(Fault::ShuttingDown);
            boards.hand_over().await;
            boards.host.sleep(ms(100)).await;
            boards.close_rooms(Fault::ShuttingDown);
            boards.finish(ms(2_000)).await;
            // A task cannot end the machine that it is of.
            let world = cluster.world.clone();
            world.start(async move { cluster.gone(seat, number) });
        }));
    }

    fn gone(&self, seat: usize, number: u32) {
        let mut place = self.seats[seat].lock().unwrap();
        let stopped = place.take_if(|running| running.number == number);
        drop(place);
        stopped.iter().for_each(end);
    }

    // --- connections --------------------------------------------------------------------------------------

    fn wire(&self, from: Place, to: usize) -> (End, End) {
        let (theirs, ours, link) = Link::new(&self.world, self.plan.quality);
        self.wires.lock().unwrap().push(Wire { from, to, link });
        (theirs, ours)
    }

    /// A connection has come to a node, from a client or from a node that passed it on.
    fn arrive(self: Arc<Self>, seat: usize, (node, guest): (Arc<Node>, Guest), end: End) -> Task {
        Box::pin(self.take_in(seat, (node, guest), end))
    }

    async fn take_in(self: Arc<Self>, seat: usize, (node, guest): (Arc<Node>, Guest), end: End) {
        let boards = Arc::clone(&node.boards);
        let until = boards.now().tick.after(limits::NODE_PATIENCE);
        let mut pause = limits::NODE_RETRY_MIN;
        loop {
            let other = match boards.neighbour_with(&guest.board).await {
                Ok(Some(other)) => other,
                Ok(None) => return serve(node, guest.board, guest.credentials, end).await,
                Err(fault) => return refuse(&node, &end, fault).await,
            };
            let other = other.address.and_then(|address| address.parse().ok());
            if let Some(theirs) = self.offer(seat, other.unwrap_or(seat), &guest).await {
                self.world.note("passed", &[seat as u64]);
                return pipe(self.world.clone(), end, theirs).await;
            }
            if boards.now().tick.after(pause) >= until {
                return refuse(&node, &end, Fault::Elsewhere).await;
            }
            boards.host.sleep(pause).await;
            pause = (pause * 2).min(limits::NODE_RETRY_MAX);
            boards.forget_whereabouts(&guest.board);
        }
    }

    /// Offers a connection to another node, which takes it if it has the board.
    async fn offer(self: &Arc<Self>, from: usize, to: usize, guest: &Guest) -> Option<End> {
        if guest.passed > 0 {
            self.world.violated("a connection is passed on twice");
        }
        self.world.nap(ms(1), ms(60)).await;
        if self.is_apart(Place::Seat(from), to) {
            self.world.sleep(limits::NODE_CONNECT_TIME_MAX).await;
            return None;
        }
        let Running { node, .. } = self.running(to)?;
        let (theirs, ours) = self.wire(Place::Seat(from), to);
        let (answer, answered) = bounded(1);
        let (cluster, machine) = (Arc::clone(self), Arc::clone(&node.machine));
        let guest = Guest {
            passed: guest.passed + 1,
            ..guest.clone()
        };
        machine.start(Box::pin(async move {
            let is_here = matches!(node.boards.neighbour_with(&guest.board).await, Ok(None));
            let passes_on = !is_here && planted::is(Bug::ForwardedTwice);
            // Who asked may have given up.
            answer.try_send(is_here || passes_on).unwrap_or_default();
            if is_here {
                serve(node, guest.board, guest.credentials, ours).await;
            } else if passes_on {
                cluster.arrive(to, (node, guest), ours).await;
            }
        }));
        let is_taken = async { answered.recv().await.unwrap_or(false) };
        let late = async {
            self.world.sleep(limits::NODE_HANDSHAKE_TIME_MAX).await;
            false
        };
        is_taken.or(late).await.then_some(theirs)
    }
}

impl Scene for Cluster {
    const LASTS: (Duration, Duration) = (ms(4_000), ms(24_000));

    fn board_ids(&self) -> &[BoardId] {
        &self.boards
    }

    fn begin(self: Arc<Self>, clients: Vec<u64>, until: Tick) {
        for seat in 0..NODES {
            self.start(seat);
            self.world.start(woes::keep_running(Arc::clone(&self), seat));
        }
        let world = self.world.clone();
        world.start(woes::woes(self, clients, until));
    }

    fn dial(self: Arc<Self>, who: &Identity) -> Option<End> {
        let seat = self.world.random(|random| random.between(0, NODES as u64)) as usize;
        let from = Place::Client(who.id);
        let Running { node, .. } = self.running(seat).filter(|_| !self.is_apart(from, seat))?;
        self.wires.lock().unwrap().retain(|wire| wire.from != from);
        let (theirs, ours) = self.wire(from, seat);
        let guest = Guest {
            board: self.boards[who.board].clone(),
            credentials: credentials(who),
            passed: 0,
        };
        let machine = Arc::clone(&node.machine);
        machine.start(self.arrive(seat, (node, guest), ours));
        Some(theirs)
    }

    fn mend(&self) {
        self.apart.lock().unwrap().clear();
        self.storeless.lock().unwrap().clear();
        self.disk.fail_after(None);
        for running in (0..NODES).filter_map(|seat| self.running(seat)) {
            running.reach.set_read_only(false);
            running.reach.fail_after(None);
            running.node.machine.pause(false);
        }
    }

    /// Nothing where nobody serves it, or two do.
    fn content(&self, board: usize) -> Option<Content> {
        self.history.look();
        let running = (0..NODES).filter_map(|seat| self.running(seat));
        let mut found = running.filter_map(|running| running.node.content(&self.boards[board]));
        found.next().filter(|_| found.next().is_none())
    }

    fn restless(&self) -> Option<String> {
        (0..NODES).find_map(|seat| match self.running(seat) {
            Some(running) => Some(format!("node {seat}: {}", running.node.restless()?)),
            None => Some(format!("node {seat} is not there")),
        })
    }

    fn lost_leases(&self) -> u64 {
        let running = (0..NODES).filter_map(|seat| self.running(seat));
        running.map(|running| running.node.lost_leases()).sum()
    }

    fn stored(&self, used: &BTreeSet<usize>) -> Vec<Option<Content>> {
        self.history.look();
        for seat in 0..NODES {
            let running = self.seats[seat].lock().unwrap().take();
            running.iter().for_each(end);
        }
        let Ok(store) = MemoryStore::open(&self.disk, Quotas::UNBOUNDED) else {
            return Vec::new();
        };
        self.book.check_compacted(&store, used);
        let docs = self.book.check_stored(&store).into_iter();
        docs.map(|doc| doc.map(|doc| Content::of(&doc))).collect()
    }

    fn close(&self) {
        self.disk.fail_after(Some(0));
    }
}

/// Ends all that a node does; what is dropped writes no more.
fn end(running: &Running) {
    running.reach.fail_after(Some(0));
    running.node.machine.die();
}

/// Runs the writer of a node: at moments that chance chooses.
async fn write(world: World, mut writer: Writer, disk: Duration) {
    let mut idle = ms(5);
    while let Some(longest) = rest(writer.step(), &mut idle, disk) {
        world.nap(Duration::ZERO, longest).await;
    }
}

/// Passes on what comes on either side, until one is over; and where one is gone and the other takes nothing,
/// only for a while.
async fn pipe(world: World, one: End, other: End) {
    let late = async {
        poll_fn(|cx| one.poll_gone(cx))
            .or(poll_fn(|cx| other.poll_gone(cx)))
            .await;
        world.sleep(limits::CLOSE_TIME_MAX).await;
    };
    carry(&one, &other).or(carry(&other, &one)).or(late).await;
}

async fn carry(from: &End, to: &End) {
    while let Ok(bytes) = poll_fn(|cx| from.poll_receive(cx, 4 * 1024)).await {
        let mut at = 0;
        while at < bytes.len() {
            match poll_fn(|cx| to.poll_send(cx, &bytes[at..])).await {
                Ok(sent) => at += sent,
                Err(_) => return,
            }
        }
        if bytes.is_empty() {
            return;
        }
    }
}
