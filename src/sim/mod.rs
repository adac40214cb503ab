//! A whole node without sockets, or three that share one log, on invented time, disk and network: one seed
//! makes everything that happens.
//!
//! Owns what happens in a run: who is there, what goes wrong and when, and what is looked at once it is calm.
//! Must not be named by what it tests. Key invariant: a seed is a run; it fails here and now, or never.
//!
//! | what | where |
//! | --- | --- |
//! | time, tasks, chance; what a node stands on | `executor.rs`; `machine.rs` |
//! | links that are late, cut, half open, full | `network.rs`, and a client's frames in `wire.rs` |
//! | the node, its disk (`store::redb::simdisk`), crashes; its end of a link | `node.rs`, `connection.rs` |
//! | three nodes on one log, each's way to it, who wrote it, what goes wrong | `cluster.rs`, `reach.rs`, `history.rs`, `woes.rs` |
//! | clients like stock y-websocket; those who lie | `client.rs`, `presence.rs`; `liars.rs` |
//! | what must hold | `checks.rs` |
//! | many seeds, replays, planted bugs | `tests.rs` |

mod checks;
mod client;
mod cluster;
mod connection;
mod executor;
mod history;
mod liars;
mod machine;
mod network;
mod node;
mod presence;
mod reach;
mod tests;
mod wire;
mod woes;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use self::checks::{Book, Content};
use self::client::{Client, GONE_MAX, Identity, Leave, use_it};
use self::cluster::Cluster;
use self::executor::{Random, World};
use self::liars::Liar;
use self::network::{End, Quality};
use self::node::{Plan, Site};
use crate::access::Mode;
use crate::boards::Settings;
use crate::boards::versions::policy::Policy;
use crate::ids::{BoardId, Level, UserId};
use crate::room::{RoomSettings, SavedEcho};
use crate::time::Tick;

const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// How long it may take until all have the same, once nothing goes wrong any more: a connection that is half
/// open is found dead by its client after 33 s, and by the node after 75.
const CALM_MAX: u64 = 120;

/// How long it may take until nothing is in memory, once all are gone: that, and the longest that a room is
/// kept.
const REST_MAX: u64 = 75 + 5 + 45;

/// What came of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Ran {
    /// What did not hold.
    pub(super) violation: Option<String>,
    /// A hash of all that happened.
    pub(super) trace: u64,
    pub(super) steps: u64,
    pub(super) echoes: u64,
}

/// What may go wrong in a run.
#[derive(Clone, Copy, Debug)]
enum Trouble {
    Cut,
    Lost,
    Crash,
    CrashInCommit,
    DiskFails,
    DiskFull,
}

const TROUBLES: [Trouble; 6] = [
    Trouble::Cut,
    Trouble::Lost,
    Trouble::Crash,
    Trouble::CrashInCommit,
    Trouble::DiskFails,
    Trouble::DiskFull,
];

/// Where nodes run, and what goes wrong there.
trait Scene: Send + Sync + 'static {
    /// For how long something happens, at least and at most.
    const LASTS: (Duration, Duration);

    /// The boards that there are.
    fn board_ids(&self) -> &[BoardId];

    /// Starts what runs there, and what disturbs it and the `clients` until then.
    fn begin(self: Arc<Self>, clients: Vec<u64>, until: Tick);

    /// Somebody connects.
    fn dial(self: Arc<Self>, who: &Identity) -> Option<End>;

    /// Nothing goes wrong any more.
    fn mend(&self);

    /// What is in memory of a board, at the one who serves it.
    fn content(&self, board: usize) -> Option<Content>;

    /// Why it is not at rest, if it is not.
    fn restless(&self) -> Option<String>;

    /// How many leases were lost so far: whoever loses one gives up all it has, as it lies.
    fn lost_leases(&self) -> u64;

    /// Stops all as it is, and looks at what is stored, compacted where boards were `used`; gives what each
    /// has.
    fn stored(&self, used: &BTreeSet<usize>) -> Vec<Option<Content>>;

    /// Nothing is written any more.
    fn close(&self);
}

/// Runs a seed.
pub(super) fn run(seed: u64, prints: bool) -> Ran {
    play(&World::new(seed, prints), |world, plan, boards, book| {
        Site::new(world, plan, boards, book)
    })
}

/// As [`run`], with several nodes that share a store.
pub(super) fn run_cluster(seed: u64, prints: bool) -> Ran {
    play(&World::new(seed, prints), |world, plan, boards, book| {
        Cluster::new(world, plan, boards, book)
    })
}

fn play<S: Scene>(
    world: &World,
    scene: impl FnOnce(&World, Plan, Vec<BoardId>, &Arc<Book>) -> Arc<S>,
) -> Ran {
    let stage = Stage::new(world, scene);
    stage.play();
    let echoes = stage.book.echoes();
    // What is closed from here on writes nothing.
    stage.scene.close();
    drop(stage);
    if !world.end() {
        world.violated("something of it stays in memory for ever");
    }
    let (trace, steps) = world.trace();
    Ran {
        violation: world.violation(),
        trace,
        steps,
        echoes,
    }
}

fn plan(random: &mut Random) -> Plan {
    let room = RoomSettings {
        members_max: 16,
        outbox_bytes_max: 1 << random.between(15, 19),
        compact_after: random.time(ms(1_000), ms(5_000)),
        compact_every: random.time(ms(2_000), ms(10_000)),
        saved_echo: SavedEcho::On,
    };
    let settings = Settings {
        mode: Mode::Standard,
        board_bytes: 4 << 20,
        assets_bytes: 1 << 20,
        messages_per_second: random.between(20, 300) as u32,
        room,
        room_idle: random.time(ms(1_000), ms(20_000)),
        room_sweep: random.time(ms(500), ms(5_000)),
        commit_window: random.time(ms(0), ms(200)),
        audit: Duration::from_secs(90 * 86_400),
        trash: Duration::from_secs(30 * 86_400),
        versions: Policy {
            hourly: Duration::from_secs(86_400),
            daily: Duration::from_secs(30 * 86_400),
            bytes: 1 << 22,
        },
    };
    let slowest = [30, 100, 500][random.between(0, 3) as usize];
    Plan {
        settings,
        // A step 2 of all that is written fits.
        message_bytes: 1 << 20,
        receiving_bytes: 1 << random.between(15, 19),
        disk: ms([10, 50, 600][random.between(0, 3) as usize]),
        pool: ms([1, 20, 400][random.between(0, 3) as usize]),
        quality: Quality {
            delay: (ms(1), ms(slowest)),
            // What is slower never brings a large board to its readers within their patience.
            window: 1 << random.between(13, 17),
        },
    }
}

/// Who is there, and where.
struct Stage<S> {
    world: World,
    book: Arc<Book>,
    scene: Arc<S>,
    clients: Vec<Arc<Client>>,
    /// Until when something happens.
    until: Tick,
}

impl<S: Scene> Stage<S> {
    fn new(world: &World, scene: impl FnOnce(&World, Plan, Vec<BoardId>, &Arc<Book>) -> Arc<S>) -> Self {
        let boards = world.random(|random| random.between(1, 4)) as usize;
        let boards: Vec<BoardId> = (0..boards)
            .filter_map(|n| BoardId::parse(&format!("board-{n}")))
            .collect();
        let book = Book::new(world, boards.clone());
        let scene = scene(world, world.random(plan), boards, &book);
        let length = world.random(|random| random.time(S::LASTS.0, S::LASTS.1));
        let mut stage = Self {
            world: world.clone(),
            book,
            scene,
            clients: Vec::new(),
            until: world.now().tick.after(length),
        };
        stage.invite();
        let ids: Vec<u64> = stage.clients.iter().map(|client| client.is.id).collect();
        Arc::clone(&stage.scene).begin(ids, stage.until);
        stage
    }

    /// Lets everybody in.
    fn invite(&mut self) {
        let count = self.world.random(|random| random.between(2, 7));
        let identities: Vec<(Identity, bool)> = (0..count).map(|number| self.identity(number)).collect();
        for (is, lies) in &identities {
            let dial = {
                let scene = Arc::clone(&self.scene);
                move |who: &Identity| Arc::clone(&scene).dial(who)
            };
            if *lies {
                self.book.register_liar(is.id, is.board);

                let liar = Liar {
                    is: is.clone(),
                    world: self.world.clone(),
                    book: Arc::clone(&self.book),
                };
                self.world.start(liar.run(self.until, dial));
            } else {
                let client = Client::new(&self.world, &self.book, is.clone());
                self.world.start(Arc::clone(&client).run(dial));
                self.world.start(use_it(Arc::clone(&client), self.until));
                self.clients.push(client);
            }
        }
    }

    /// The first two are honest, and edit the first board.
    fn identity(&self, number: u64) -> (Identity, bool) {
        let boards = self.scene.board_ids().len() as u64;
        self.world.random(|random| {
            let is_first = number < 2;
            let level = if is_first || random.chance(80) {
                Level::Edit
            } else {
                Level::View
            };
            // Two of a name are two tabs of one person.
            let name = format!(
                "user-{}",
                if number == 1 && random.chance(20) {
                    0
                } else {
                    number
                }
            );
            let is = Identity {
                id: 100 + number * 1_000 + random.between(0, 900),
                user: UserId::parse(&name).unwrap(),
                level,
                // A board is there once somebody who edits has come.
                board: if is_first || level == Level::View {
                    0
                } else {
                    random.between(0, boards) as usize
                },
                reads_every: if random.chance(15) {
                    random.time(ms(10), ms(100))
                } else {
                    Duration::ZERO
                },
            };
            (is, !is_first && random.chance(25))
        })
    }

    /// All of a run.
    fn play(&self) {
        let (world, scene) = (&self.world, &self.scene);
        world.run(self.until.since(world.now().tick));
        // Who has gone for a moment comes back.
        world.run(GONE_MAX + ms(1_000));
        scene.mend();
        world.note("calm", &[]);
        let node = |board: usize| scene.content(board);
        self.wait(CALM_MAX, || self.book.unlike(&self.clients, node));
        if world.violation().is_some() {
            return;
        }
        let used = self.clients.iter();
        let used = used.filter(|client| client.is_wanted() && client.is_online());
        let used: BTreeSet<usize> = used.map(|client| client.is.board).collect();
        let last: Vec<_> = used.iter().map(|board| (*board, node(*board))).collect();
        let lost_before = scene.lost_leases();
        for client in &self.clients {
            let politely = world.random(|random| random.chance(50));
            client.leave(if politely { Leave::Politely } else { Leave::Killed });
        }
        world.note("left", &[]);
        self.wait(REST_MAX, || scene.restless());
        if world.violation().is_none() {
            // What a lease took with it is compacted once it is opened again.
            let was_kept = scene.lost_leases() == lost_before;
            let stored = scene.stored(&if was_kept { used } else { BTreeSet::new() });
            for (board, content) in last
                .iter()
                .filter(|(board, content)| stored.get(*board) != Some(content))
            {
                world.violated(format!("board {board} is not stored as all had it: {content:?}"));
            }
        }
    }

    /// Lets time pass until nothing is wrong any more; what is wrong after so many seconds is a violation.
    fn wait(&self, seconds: u64, wrong: impl Fn() -> Option<String>) {
        for _ in 0..seconds {
            self.world.run(Duration::from_secs(1));
            if self.world.violation().is_some() || wrong().is_none() {
                return;
            }
        }
        if let Some(wrong) = wrong() {
            self.world
                .violated(format!("after {seconds} s in which nothing went wrong: {wrong}"));
        }
    }
}

/// Starts a new node where there is none.
async fn keep_running(site: Arc<Site>, world: World) {
    loop {
        world.sleep(ms(200)).await;
        if site.node().is_none() {
            world.nap(ms(0), ms(3_000)).await;
            site.start();
        }
    }
}

/// Lets things go wrong; which, and how often, is this run's own.
async fn trouble(site: Arc<Site>, world: World, ids: Vec<u64>, until: Tick) {
    let kinds: Vec<Trouble> = TROUBLES
        .into_iter()
        .filter(|_| world.random(|random| random.chance(50)))
        .collect();
    let pace = world.random(|random| random.time(ms(300), ms(6_000)));
    loop {
        world.nap(ms(0), pace).await;
        if world.now().tick >= until || kinds.is_empty() {
            return;
        }
        let (kind, who, number) = world.random(|random| {
            let kind = kinds[random.between(0, kinds.len() as u64) as usize];
            let who = ids[random.between(0, ids.len() as u64) as usize];
            (kind, who, random.next())
        });
        world.note("trouble", &[kind as u64]);
        match kind {
            Trouble::Cut => site.link_of(who).iter().for_each(network::Link::cut),
            Trouble::Lost => site.link_of(who).iter().for_each(network::Link::lose),
            Trouble::Crash => site.crash(0),
            Trouble::CrashInCommit => site.cut_in_next_commit(),
            Trouble::DiskFails | Trouble::DiskFull => {
                site.harm(matches!(kind, Trouble::DiskFails).then_some(number % 60));
                world.nap(ms(0), ms(4_000)).await;
                site.mend();
            }
        }
    }
}
