//! The Redis bridge: changes of items that others publish reach boards, and ours are published.
//!
//! Owns `Bridge` and its two tasks, one for each direction and connection. Must not know what an item is made
//! of. Key invariants: whatever Redis does, or does not do, neither a connection nor an API call waits for it
//! or fails by it; all that waits is bounded in bytes; no log line, error or answer holds a message, or the
//! credentials for Redis. Everything that can be is a value beside it: [`address`], [`backoff`], [`message`],
//! [`inbox`], [`outbox`], [`replies`]. Tests: `tests/it/redis.rs`.

pub mod address;
mod apply;
pub mod backoff;
pub mod inbox;
mod link;
pub mod message;
pub mod outbox;
mod publish;
pub mod replies;
mod subscribe;
mod ticket;
mod told;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use async_io::Timer;
use smol::channel::{Receiver, Sender};
use smol::lock::Semaphore;

use crate::boards::host::Host;
use crate::boards::{Boards, fenced};
use crate::bridge::address::Address;
use crate::bridge::backoff::Backoff;
use crate::bridge::inbox::Inbox;
use crate::bridge::link::{Link, LinkError};
use crate::bridge::outbox::Outbox;
use crate::bridge::told::Told;
use crate::limits;
use crate::metrics::redis::{Publication, Reception, RedisMetrics};

/// Connects to Redis, signs in and looks whether it answers; how long that took.
///
/// # Errors
/// Why not, in words that hold neither credentials nor what Redis wrote.
pub async fn reach(address: &Address) -> Result<Duration, String> {
    let begun = Instant::now();
    let link = Link::open(address).await;
    link.map(|_| begun.elapsed()).map_err(|error| error.to_string())
}

/// The directions; each has a connection, since one that has subscribed may not publish.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Direction {
    In,
    Out,
}

/// How a connection is.
#[derive(Clone, Copy, Debug)]
enum State {
    Connected { since: Instant },
    Away { why: LinkError },
}

/// How the bridge is, for `/health` and metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Status {
    /// Both ways are open.
    Connected,
    /// They are not, for this reason.
    Unreachable(LinkError),
}

/// What the bridge's tasks share with those who publish.
pub(crate) struct Bridge {
    /// The origin of what this process publishes.
    node: String,
    address: Address,
    inbox: Mutex<Inbox>,
    /// Permits to look a board up and decide what its messages change.
    deciding: Arc<Semaphore>,
    outbox: Mutex<Outbox>,
    /// One token while something waits in the outbox.
    wake: (Sender<()>, Receiver<()>),
    states: Mutex<[State; 2]>,
    told: Mutex<Told>,
    host: Arc<dyn Host>,
    metrics: RedisMetrics,
}

impl Bridge {
    /// A bridge that has not begun to connect.
    pub(crate) fn new(address: Address, host: Arc<dyn Host>, metrics: RedisMetrics) -> Self {
        let away = State::Away {
            why: LinkError::NotYet,
        };
        Self {
            node: node_id(),
            address,
            inbox: Mutex::default(),
            deciding: Arc::new(Semaphore::new(limits::REDIS_LINES_AT_ONCE_MAX)),
            outbox: Mutex::default(),
            wake: smol::channel::bounded(1),
            states: Mutex::new([away; 2]),
            told: Mutex::default(),
            host,
            metrics,
        }
    }

    /// Starts the two tasks.
    pub(crate) fn start(self: &Arc<Self>, boards: &Arc<Boards>) {
        for direction in [Direction::In, Direction::Out] {
            let (bridge, keeping) = (Arc::clone(self), Arc::clone(boards));
            boards.spawn(async move { bridge.keep(&keeping, direction).await });
        }
    }

    /// How the bridge is.
    pub(crate) fn status(&self) -> Status {
        let away = lock(&self.states).iter().find_map(|state| match state {
            State::Connected { .. } => None,
            State::Away { why } => Some(*why),
        });
        away.map_or(Status::Connected, Status::Unreachable)
    }

    /// Waits until everything is published, while Redis takes it; at most until `deadline`.
    pub(crate) async fn drain(&self, deadline: Instant) {
        let deadline = deadline.min(Instant::now() + limits::REDIS_DRAIN_MAX);
        while !lock(&self.outbox).is_settled()
            && self.is_connected(Direction::Out)
            && Instant::now() < deadline
        {
            Timer::after(Duration::from_millis(5)).await;
        }
    }

    /// Keeps one direction connected until the server stops.
    async fn keep(self: Arc<Self>, boards: &Arc<Boards>, direction: Direction) {
        let mut backoff = Backoff::default();
        loop {
            let ended = match direction {
                Direction::In => fenced(self.subscribe(boards)).await,
                Direction::Out => fenced(self.publish_all()).await,
            };
            let why = match ended {
                Ok(Err(why)) => why,
                Err(_) => LinkError::Internal,
            };
            if boards.is_stopping() && direction == Direction::In {
                return;
            }
            let lasted = self.note_away(direction, why);
            let random = getrandom::u32().unwrap_or(u32::MAX);
            Timer::after(backoff.next(lasted, random)).await;
        }
    }

    fn note_connected(&self, direction: Direction) {
        let state = State::Connected {
            since: Instant::now(),
        };
        self.set(direction, state);
        if self.status() == Status::Connected {
            tracing::info!(redis = %self.address, "connected to Redis");
        }
    }

    /// Gives how long the connection had lasted.
    fn note_away(&self, direction: Direction, why: LinkError) -> Duration {
        match self.set(direction, State::Away { why }) {
            State::Away { why: before } if before == why => Duration::ZERO,
            before => {
                tracing::warn!(redis = %self.address, ?direction, cause = %why, "Redis is not reachable; it is tried again");
                match before {
                    State::Connected { since } => since.elapsed(),
                    State::Away { .. } => Duration::ZERO,
                }
            }
        }
    }

    /// Gives what it was.
    fn set(&self, direction: Direction, state: State) -> State {
        let [inward, outward] = &mut *lock(&self.states);
        let slot = match direction {
            Direction::In => inward,
            Direction::Out => outward,
        };
        std::mem::replace(slot, state)
    }

    fn is_connected(&self, direction: Direction) -> bool {
        let [inward, outward] = *lock(&self.states);
        let state = match direction {
            Direction::In => inward,
            Direction::Out => outward,
        };
        matches!(state, State::Connected { .. })
    }

    fn note_received(&self, outcome: Reception, count: usize) {
        self.metrics.received(outcome, count);
        if outcome.is_loss() {
            self.tell("messages from Redis were dropped", outcome.as_str(), count);
        }
    }

    fn note_unpublished(&self, outcome: Publication, count: usize) {
        self.metrics.sent(outcome, count);
        self.tell("changes were not published to Redis", outcome.as_str(), count);
    }

    /// Logs what was dropped, now and then.
    fn tell(&self, what: &'static str, why: &'static str, count: usize) {
        let now = self.host.now().tick;
        if let Some(count) = lock(&self.told).count((what, why), count, now) {
            tracing::warn!(why, count, "{what}");
        }
    }
}

/// 128 random bits: another one for each process, so that it never takes an earlier one's messages for its
/// own.
fn node_id() -> String {
    // Without randomness nothing else of the server works either.
    let random = || getrandom::u64().unwrap_or_else(|_| u64::from(std::process::id()));
    format!("{:016x}{:016x}", random(), random())
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
