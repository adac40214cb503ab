//! Test support: boards without sockets, on the real clock.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use smol::Executor;

use crate::access::Mode;
use crate::boards::committer::Writer;
use crate::boards::host::{Host, Task, Work};
use crate::boards::versions::policy::Policy;
use crate::boards::{Boards, Parts, Settings};
use crate::metrics::redis::RedisMetrics;
use crate::metrics::{CommitMetrics, Metrics};
use crate::room::{RoomSettings, SavedEcho};
use crate::store::Store;
use crate::store::memory::MemoryStore;
use crate::store::ownership::{Joining, Ownership};
use crate::time::{Clock, Now, Tick, UnixMillis};

/// A host on this machine, whose time can be moved on.
pub(crate) struct TestHost {
    /// `None` where time stands still.
    started: Option<Instant>,
    moved: AtomicU64,
    executor: Arc<Executor<'static>>,
}

impl TestHost {
    /// With the real time.
    pub(crate) fn new() -> Arc<Self> {
        Self::from(Some(Instant::now()))
    }

    /// With a time that stands still.
    pub(crate) fn frozen() -> Arc<Self> {
        Self::from(None)
    }

    fn from(started: Option<Instant>) -> Arc<Self> {
        Arc::new(Self {
            started,
            moved: AtomicU64::new(0),
            executor: Arc::new(Executor::new()),
        })
    }

    /// Moves the time on.
    pub(crate) fn pass(&self, time: Duration) {
        let micros = u64::try_from(time.as_micros()).unwrap();
        self.moved.fetch_add(micros, Ordering::Relaxed);
    }

    /// What runs its tasks.
    pub(crate) fn executor(&self) -> Arc<Executor<'static>> {
        Arc::clone(&self.executor)
    }
}

impl Clock for TestHost {
    fn now(&self) -> Now {
        let since = self.started.map_or(Duration::ZERO, |started| started.elapsed());
        let tick = Tick(self.moved.load(Ordering::Relaxed)).after(since);
        Now {
            tick,
            unix: UnixMillis(1_700_000_000_000 + tick.0 / 1_000),
        }
    }
}

impl Host for TestHost {
    fn start(&self, task: Task) {
        self.executor.spawn(task).detach();
    }

    fn sleep(&self, time: Duration) -> Task {
        Box::pin(async move {
            async_io::Timer::after(time).await;
        })
    }

    fn block(&self, work: Work) {
        smol::unblock(work).detach();
    }

    fn random(&self) -> u64 {
        getrandom::u64().unwrap()
    }
}

/// Settings that commit at once, and bound as little as may be.
pub(crate) fn settings() -> Settings {
    Settings {
        mode: Mode::Standard,
        board_bytes: 1 << 20,
        assets_bytes: 1 << 20,
        messages_per_second: 1_000,
        room: RoomSettings {
            members_max: 100,
            outbox_bytes_max: 1 << 20,
            compact_after: Duration::from_secs(5),
            compact_every: Duration::from_secs(30),
            saved_echo: SavedEcho::On,
        },
        room_idle: Duration::from_secs(300),
        room_sweep: Duration::from_secs(60),
        commit_window: Duration::ZERO,
        audit: Duration::from_secs(86_400),
        trash: Duration::from_secs(86_400),
        versions: Policy {
            hourly: Duration::from_secs(86_400),
            daily: Duration::from_secs(30 * 86_400),
            bytes: 1 << 20,
        },
    }
}

/// Boards over this store, and what runs their tasks. A thread writes for them.
pub(crate) fn boards(settings: Settings, store: Arc<dyn Store>) -> (Arc<Boards>, Arc<Executor<'static>>) {
    boards_of(settings, store, None)
}

/// Boards whose writer never runs: a disk that takes nothing.
pub(crate) fn unwritten() -> (Arc<Boards>, Arc<Executor<'static>>) {
    let (boards, executor, _) = parts_of(settings(), Arc::new(MemoryStore::default()), None);
    (boards, executor)
}

/// As [`boards`], of a node of this name where others share the store.
pub(crate) fn node(
    settings: Settings,
    store: &Arc<MemoryStore>,
    (name, lease): (&str, Duration),
) -> (Arc<Boards>, Arc<Executor<'static>>) {
    let joining = Joining {
        name: name.to_owned(),
        address: Some(format!("{name}:1")),
        lease,
        replaces: true,
    };
    let ownership = Arc::clone(store) as Arc<dyn Ownership>;
    boards_of(
        settings,
        Arc::clone(store) as Arc<dyn Store>,
        Some((ownership, joining)),
    )
}

fn boards_of(
    settings: Settings,
    store: Arc<dyn Store>,
    ownership: Option<(Arc<dyn Ownership>, Joining)>,
) -> (Arc<Boards>, Arc<Executor<'static>>) {
    let (boards, executor, writer) = parts_of(settings, store, ownership);
    std::thread::spawn(|| writer.run());
    (boards, executor)
}

fn parts_of(
    settings: Settings,
    store: Arc<dyn Store>,
    ownership: Option<(Arc<dyn Ownership>, Joining)>,
) -> (Arc<Boards>, Arc<Executor<'static>>, Writer) {
    let host = TestHost::new();
    let executor = host.executor();
    let commit_metrics = CommitMetrics::default();
    let parts = Parts {
        store,
        ownership,
        host,
        metrics: Arc::new(Metrics::new(&commit_metrics, &RedisMetrics::default())),
        commit_metrics,
        outlet: None,
        hooks: None,
    };
    let (boards, writer) = Boards::new(settings, parts);
    (boards, executor, writer)
}
