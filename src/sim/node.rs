//! One whole node on an invented machine, and the site at which it stands: its disk, and the links to it.
//!
//! Owns starting and crashing. Must not know what clients do. Key invariant: a crash ends all that the node
//! does at one moment, also within a commit; what the next node finds is what the disk may hold after that
//! moment.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::checks::{Book, Content};
use super::client::Identity;
use super::connection::{Connection, refuse};
use super::executor::World;
use super::machine::Machine;
use super::network::{End, Link, Quality};
use super::{Scene, keep_running, ms, trouble};
use crate::access::{Credentials, TokenRights};
use crate::audit::Actor;
use crate::boards::committer::{Wait, Writer};
use crate::boards::slots::RoomCell;
use crate::boards::{Boards, Parts, Settings, fenced};
use crate::fault::Fault;
use crate::ids::BoardId;
use crate::limits;
use crate::metrics::redis::RedisMetrics;
use crate::metrics::{CommitMetrics, Metrics};
use crate::net::receiving::Receiving;
use crate::store::Store;
use crate::store::ownership::{Joining, Ownership};
use crate::store::redb::RedbStore;
use crate::store::redb::simdisk::{Kept, SimDisk};
use crate::time::{Tick, UnixMillis};

/// What a seed chooses about a site.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    pub(super) settings: Settings,
    pub(super) message_bytes: usize,
    pub(super) receiving_bytes: usize,
    /// How long the disk takes for a commit at most, and the pool for what it does.
    pub(super) disk: Duration,
    pub(super) pool: Duration,
    pub(super) quality: Quality,
}

/// Where the store is shared: the way to the others' part of it.
type Shares = Option<(Arc<dyn Ownership>, Joining)>;

/// A node that runs.
pub(super) struct Node {
    world: World,
    pub(super) machine: Arc<Machine>,
    pub(super) boards: Arc<Boards>,
    pub(super) receiving: Arc<Receiving>,
    pub(super) message_bytes: usize,
    outbox_bytes: usize,
    receiving_bytes: usize,
    /// Tasks that it has while nobody is there.
    upkeep: usize,
}

impl Node {
    /// Starts a node on a machine; `runs` sees to its writer.
    pub(super) fn start(
        world: &World,
        machine: Arc<Machine>,
        plan: &Plan,
        (store, ownership): (Arc<dyn Store>, Shares),
        runs: impl FnOnce(Writer),
    ) -> Arc<Self> {
        let commit_metrics = CommitMetrics::default();
        let parts = Parts {
            store,
            ownership,
            host: machine.clone(),
            metrics: Arc::new(Metrics::new(&commit_metrics, &RedisMetrics::default())),
            commit_metrics,
            outlet: None,
            hooks: None,
        };
        let (boards, writer) = Boards::new(plan.settings.clone(), parts);
        boards.start();
        runs(writer);
        Arc::new(Self {
            world: world.clone(),
            upkeep: machine.tasks(),
            machine,
            boards,
            receiving: Receiving::new(plan.receiving_bytes),
            message_bytes: plan.message_bytes,
            outbox_bytes: plan.settings.room.outbox_bytes_max,
            receiving_bytes: plan.receiving_bytes,
        })
    }

    /// What waits for members is bounded, and what waits for the disk.
    pub(super) fn check_room(&self, cell: &RoomCell) {
        let most = cell.lock().most_waiting();
        // The log is looked at when it has grown by as much as it may have.
        if most > 2 * self.outbox_bytes + limits::APART_FROM_BYTES * 2 {
            self.world.violated(format!("{most} bytes wait for a member"));
        }
        if self.boards.queued_bytes() > limits::COMMIT_QUEUE_BYTES_MAX + self.message_bytes {
            self.world.violated("too much waits for the disk");
        }
        if self.receiving.bytes() > self.receiving_bytes + self.message_bytes * 2 {
            self.world
                .violated(format!("{} bytes are being received", self.receiving.bytes()));
        }
    }

    /// What it has in memory of a board.
    pub(super) fn content(&self, board: &BoardId) -> Option<Content> {
        let state = self.boards.live(board)?.lock().full_state();
        Some(Content::of_update(&state))
    }

    /// How many leases it has lost.
    pub(super) fn lost_leases(&self) -> u64 {
        self.boards.lease_losses()
    }

    /// Why it is not at rest, if it is not.
    pub(super) fn restless(&self) -> Option<String> {
        let (rooms, tasks) = (self.boards.live_count(), self.machine.tasks());
        let (queued, receiving) = (self.boards.queued_bytes(), self.receiving.bytes());
        (rooms > 0 || tasks > self.upkeep || queued > 0 || receiving > 0).then(|| {
            format!("{rooms} rooms are in memory, {tasks} tasks where {} are enough, {queued} bytes wait for the disk, {receiving} are being received", self.upkeep)
        })
    }
}

/// A node, and its store.
type Running = (Arc<Node>, Arc<dyn Store>);

/// Where a node stands.
pub(super) struct Site {
    world: World,
    pub(super) plan: Plan,
    pub(super) boards: Vec<BoardId>,
    book: Arc<Book>,
    disk: Mutex<SimDisk>,
    node: Mutex<Option<Running>>,
    links: Mutex<Vec<(u64, Link)>>,
    started: AtomicU32,
    /// The power goes while the next commit is written.
    cut_in_commit: AtomicBool,
    /// The disk fails, or is full.
    is_ill: AtomicBool,
}

impl Site {
    pub(super) fn new(world: &World, plan: Plan, boards: Vec<BoardId>, book: &Arc<Book>) -> Arc<Self> {
        Arc::new(Self {
            world: world.clone(),
            plan,
            boards,
            book: Arc::clone(book),
            disk: Mutex::default(),
            node: Mutex::default(),
            links: Mutex::default(),
            started: AtomicU32::new(0),
            cut_in_commit: AtomicBool::new(false),
            is_ill: AtomicBool::new(false),
        })
    }

    pub(super) fn disk(&self) -> SimDisk {
        self.disk.lock().unwrap().clone()
    }

    pub(super) fn node(&self) -> Option<Arc<Node>> {
        self.node.lock().unwrap().as_ref().map(|node| Arc::clone(&node.0))
    }

    /// Starts a node on what the disk holds, which must hold what was promised.
    pub(super) fn start(self: &Arc<Self>) {
        let disk = self.disk();
        disk.record();
        // Its old file is closed by a thread, and threads have no place here.
        disk.keep_file();
        let store: Arc<dyn Store> = match RedbStore::open_disk(&disk) {
            Ok(store) => Arc::new(store),
            // It is tried again.
            Err(_) if self.is_ill.load(Ordering::Relaxed) => return,
            Err(error) => {
                return self
                    .world
                    .violated(format!("the disk cannot be opened: {error:?}"));
            }
        };
        // Where the disk still fails, nothing that is read there proves anything.
        if !self.is_ill.load(Ordering::Relaxed) {
            self.book.check_stored(&*store);
        }
        let number = self.started.fetch_add(1, Ordering::Relaxed) + 1;
        self.world.note("node", &[u64::from(number)]);
        let machine = Machine::new(&self.world, number, self.plan.pool);
        let parts = (Arc::clone(&store), None);
        // Not a task of the machine, which it ends itself where the power goes within a commit.
        let runs = |writer| self.world.start(Arc::clone(self).write(writer, number));
        let node = Node::start(&self.world, machine, &self.plan, parts, runs);
        *self.node.lock().unwrap() = Some((node, store));
    }

    /// Runs the writer of a node: at moments that chance chooses, later where the disk is slow.
    async fn write(self: Arc<Self>, mut writer: Writer, number: u32) {
        let mut idle = Duration::from_millis(5);
        while self.is_running(number) {
            let operations = self.disk().operations();
            let wait = writer.step();
            let written = self.disk().operations() - operations;
            if written > 0 {
                self.world.note("written", &[]);
                if self.cut_in_commit.swap(false, Ordering::Relaxed) {
                    // Nobody was polled since: what was committed, nobody was told.
                    let cut = self.world.random(|random| random.between(0, written as u64 + 1));
                    self.crash(written - cut as usize);
                    return;
                }
            }
            let Some(longest) = rest(wait, &mut idle, self.plan.disk) else {
                return;
            };
            self.world.nap(Duration::ZERO, longest).await;
        }
    }

    fn is_running(&self, number: u32) -> bool {
        self.started.load(Ordering::Relaxed) == number && self.node.lock().unwrap().is_some()
    }

    /// The disk fails after so many operations; without a number, it is full.
    pub(super) fn harm(&self, after: Option<u64>) {
        let disk = self.disk();
        self.is_ill.store(true, Ordering::Relaxed);
        match after {
            Some(_) => disk.fail_after(after),
            None => disk.set_room(Some(disk.content().len() as u64)),
        }
    }

    /// The power goes when the next commit is written.
    pub(super) fn cut_in_next_commit(&self) {
        self.cut_in_commit.store(true, Ordering::Relaxed);
    }

    /// The power goes, `back` operations of the disk ago.
    pub(super) fn crash(&self, back: usize) {
        let Some((node, store)) = self.node.lock().unwrap().take() else {
            return;
        };
        self.world.note("crash", &[]);
        let disk = self.disk();
        let until = disk.operations() - back.min(disk.operations());
        let mut replay = disk.replay();
        while replay.done() < until && replay.advance() {}
        // Of its own, since how many operations there are is the engine's business.
        let mut random = self
            .world
            .random(|random| super::executor::Random::new(random.next()));
        let image = replay.image(|_| match random.between(0, 4) {
            0 => Kept::Lost,
            1 => Kept::Torn(random.between(0, 4_096) as usize),
            _ => Kept::Whole,
        });
        *self.disk.lock().unwrap() = image;
        // A machine that is off tells nobody; one whose process died does.
        let links = std::mem::take(&mut *self.links.lock().unwrap());
        for (_, link) in links {
            if self.world.random(|random| random.chance(20)) {
                link.lose();
            }
        }
        node.machine.die();
        // What is dropped writes no more.
        disk.fail_after(Some(0));
        drop((node, store));
    }

    /// The newest link of somebody, to disturb it.
    pub(super) fn link_of(&self, id: u64) -> Option<Link> {
        let links = self.links.lock().unwrap();
        links
            .iter()
            .find(|(of, _)| *of == id)
            .map(|(_, link)| link.clone())
    }
}

impl Scene for Site {
    const LASTS: (Duration, Duration) = (ms(2_000), ms(12_000));

    fn board_ids(&self) -> &[BoardId] {
        &self.boards
    }

    fn begin(self: Arc<Self>, clients: Vec<u64>, until: Tick) {
        self.start();
        let world = self.world.clone();
        world.start(keep_running(Arc::clone(&self), world.clone()));
        world.start(trouble(self, world.clone(), clients, until));
    }

    fn dial(self: Arc<Self>, who: &Identity) -> Option<End> {
        let node = self.node()?;
        let (client, ours, link) = Link::new(&self.world, self.plan.quality);
        self.links.lock().unwrap().retain(|(id, _)| *id != who.id);
        self.links.lock().unwrap().push((who.id, link));
        let board = self.boards[who.board].clone();
        let machine = Arc::clone(&node.machine);
        crate::boards::host::Host::start(&*machine, Box::pin(serve(node, board, credentials(who), ours)));
        Some(client)
    }

    fn mend(&self) {
        let disk = self.disk();
        self.is_ill.store(false, Ordering::Relaxed);
        disk.fail_after(None);
        disk.set_room(None);
    }

    fn content(&self, board: usize) -> Option<Content> {
        self.node()?.content(&self.boards[board])
    }

    fn restless(&self) -> Option<String> {
        match self.node() {
            Some(node) => node.restless(),
            None => Some("there is no node".into()),
        }
    }

    fn lost_leases(&self) -> u64 {
        self.node().map_or(0, |node| node.lost_leases())
    }

    fn stored(&self, used: &BTreeSet<usize>) -> Vec<Option<Content>> {
        let Some((node, store)) = self.node.lock().unwrap().take() else {
            return Vec::new();
        };
        node.machine.die();
        self.book.check_compacted(&*store, used);
        let docs = self.book.check_stored(&*store);
        docs.into_iter()
            .map(|doc| doc.map(|doc| Content::of(&doc)))
            .collect()
    }

    fn close(&self) {
        self.disk().fail_after(Some(0));
    }
}

/// What somebody shows at the door.
pub(super) fn credentials(who: &Identity) -> Arc<Credentials> {
    Arc::new(Credentials {
        tokens: vec![TokenRights {
            user: who.user.clone(),
            teams: Box::default(),
            admin: false,
            claimed: Some(who.level),
            expires_at: UnixMillis(u64::MAX),
            name: None,
            session: None,
        }],
        secrets: Vec::new(),
    })
}

/// For how long a writer rests at most after a step, on a disk that is so slow; nothing where it is over.
pub(super) fn rest(wait: Wait, idle: &mut Duration, disk: Duration) -> Option<Duration> {
    *idle = match wait {
        Wait::Over => return None,
        Wait::Not => Duration::from_millis(5),
        Wait::Until(_) | Wait::Stirred => (*idle * 2).min(Duration::from_millis(100)),
    };
    Some(if wait == Wait::Not { disk } else { *idle })
}

/// One connection, from the request on.
pub(super) async fn serve(node: Arc<Node>, board: BoardId, credentials: Arc<Credentials>, end: End) {
    let boards = Arc::clone(&node.boards);
    let decided = boards.decide(board.clone(), credentials, Actor::unknown()).await;
    let joined = match decided {
        Ok(granted) => boards.join(granted).await,
        Err(fault) => Err(fault),
    };
    let (granted, joined) = match joined {
        Ok(joined) => joined,
        Err(fault) => return refuse(&node, &end, fault).await,
    };
    boards.note_connection(&board, granted.actor, granted.grant.level);
    node.world.note("joined", &[node.machine.number().into()]);
    let mut connection = Connection::new(&node, joined, end);
    let ended = fenced(connection.run()).await.unwrap_or_else(Some);
    if ended == Some(Fault::Internal) {
        node.world.violated("a bug of the node ended a connection");
    }
    node.world
        .note("ended", &[ended.map_or(0, |fault| 1 + fault as u64)]);
    connection.leave(ended).await;
}
