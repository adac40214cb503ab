//! From configuration to a running server, and from a signal to its end.
//!
//! Owns start-up, the accept loop, the executor's threads and shutdown. Key invariant: a shutdown stops accepting,
//! closes with the shutdown code, commits and compacts, and ends within `--drain`; a second signal ends at once.

use std::collections::HashSet;
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, Weak};
use std::time::{Duration, Instant};
use std::{fmt, io};

use async_io::{Async, Timer};
use async_signal::{Signal, Signals};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use smol::Executor;
use smol::future::FutureExt;
use smol::lock::Semaphore;
use smol::stream::StreamExt;

use crate::boards::answers::Answers;
use crate::boards::audit::Audit;
use crate::boards::committer::{self, Committer, Finished, Outcome, Settings};
use crate::boards::content::Documents;
use crate::boards::slots::Rooms;
use crate::bridge::Bridge;
use crate::fault::Fault;
use crate::jwt::Verifier;
use crate::limits;
use crate::metrics::Metrics;
use crate::metrics::redis::RedisMetrics;
use crate::net::doors::Doors;
use crate::net::receiving::Receiving;
use crate::net::seldom::Seldom;
use crate::room::{RoomSettings, SavedEcho};
use crate::server::clock::SystemClock;
use crate::server::config::{self, Config};
use crate::server::threads::Helpers;
use crate::server::{Server, requests, telemetry};
use crate::store::redb::{RedbStore, Verified};
use crate::store::{Applied, OpenError, Store};
use crate::time::Clock;

/// Why a server did not start.
#[derive(Debug)]
pub enum StartError {
    /// The data file cannot be used.
    Store {
        /// `--data`.
        path: PathBuf,
        /// Why not.
        source: OpenError,
    },
    /// The address cannot be listened on.
    Listen {
        /// `--listen`.
        address: SocketAddr,
        /// Why not.
        source: io::Error,
    },
    /// The operating system gave no thread or no signal handler.
    System(io::Error),
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Store { path, .. } => write!(f, "cannot open the data file {}", path.display()),
            Self::Listen { address, .. } => write!(f, "cannot listen on {address}"),
            Self::System(_) => f.write_str("cannot start threads or signal handlers"),
        }
    }
}

impl std::error::Error for StartError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(match self {
            Self::Store { source, .. } => source,
            Self::Listen { source, .. } | Self::System(source) => source,
        })
    }
}

/// How a server that had started ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// Everything accepted is on disk.
    Saved,
    /// Something could not be saved; its authors never got their echo.
    Unsaved,
}

/// Runs a server until SIGTERM or SIGINT; `ready` is told the bound address once connections are accepted.
///
/// # Errors
/// [`StartError`]; nothing has been served then.
pub fn run(config: Config, ready: impl FnOnce(SocketAddr)) -> Result<Ended, StartError> {
    let store = RedbStore::open(&config.data).map_err(|source| StartError::Store {
        path: config.data.clone(),
        source,
    })?;
    let store = store.with_quotas(config.quotas);
    note_verified(store.verified());
    raise_descriptor_limit(config.bounds.connections);
    let listener = listen(config.listen).map_err(|source| StartError::Listen {
        address: config.listen,
        source,
    })?;
    let address = listener.get_ref().local_addr().map_err(StartError::System)?;
    let signals = Signals::new([Signal::Term, Signal::Int]).map_err(StartError::System)?;
    let executor = Arc::new(Executor::new());
    let (compactions, queue) = smol::channel::unbounded();
    let server = build(config, Arc::new(store), Arc::clone(&executor), compactions)?;
    let helpers = Helpers::start(&executor, server.config.threads.get() - 1).map_err(StartError::System)?;
    server.spawn(Arc::clone(&server).keep_ticking());
    server.spawn(Arc::clone(&server).keep_unloading());
    server.spawn(Arc::clone(&server).keep_compacting(queue));
    server.spawn(Arc::clone(&server).keep_auditing());
    if let Some(bridge) = &server.bridge {
        bridge.start(&server);
    }
    ready(address);
    let ended = smol::block_on(executor.run(serve(&server, listener, signals)));
    drop(helpers);
    Ok(ended)
}

/// Says what was found about the data file before it was opened.
fn note_verified(verified: Verified) {
    match verified {
        Verified::Damaged => tracing::error!(
            "pages of the data file are damaged; what cannot be proven to be right is refused: keep the file, and restore a backup"
        ),
        Verified::TooLarge => tracing::info!("the data file is too large to be looked through at each start"),
        Verified::Sound | Verified::AtOpening => {}
    }
}

/// Raises the soft limit on open files to what the connections need, as far as the hard limit allows.
fn raise_descriptor_limit(connections: usize) {
    let needed = (connections + limits::SPARE_SOCKETS + limits::SPARE_DESCRIPTORS) as u64;
    let limit = getrlimit(Resource::Nofile);
    if limit.current.is_none_or(|current| current >= needed) {
        return;
    }
    let allowed = limit.maximum.map_or(needed, |maximum| maximum.min(needed));
    let raised = Rlimit {
        current: Some(allowed),
        maximum: limit.maximum,
    };
    if setrlimit(Resource::Nofile, raised).is_err() || allowed < needed {
        tracing::warn!(
            allowed,
            needed,
            "the limit on open files is lower than --max-connections needs"
        );
    }
}

/// Binds and listens, with room for a storm of joins.
fn listen(address: SocketAddr) -> io::Result<Async<TcpListener>> {
    let listener = TcpListener::bind(address)?;
    // The standard library listens with a backlog of 128; listening again sets a larger one.
    rustix::net::listen(&listener, limits::LISTEN_BACKLOG)?;
    Async::new(listener)
}

/// Puts the server's parts together.
pub(super) fn build(
    config: Config,
    store: Arc<dyn Store>,
    executor: Arc<Executor<'static>>,
    compactions: smol::channel::Sender<Arc<crate::boards::slots::RoomCell>>,
) -> Result<Arc<Server>, StartError> {
    let clock = SystemClock::start();
    let told: Arc<OnceLock<Weak<Server>>> = Arc::default();
    let notify = {
        let told = Arc::clone(&told);
        Arc::new(move |outcome| {
            if let Some(server) = told.get().and_then(Weak::upgrade) {
                server.handle_commit(outcome);
            }
        })
    };
    let settings = Settings {
        window: config.times.commit_window,
    };
    let redis = RedisMetrics::default();
    let bridge = config.redis.clone();
    let bridge = bridge.map(|address| Arc::new(Bridge::new(address, clock, redis.clone())));
    let committer = Committer::start(Arc::clone(&store), settings, notify).map_err(StartError::System)?;
    if let committer::Status::Failing { reason, .. } = committer.status() {
        tracing::error!(error = telemetry::chain(&reason), "the disk refuses writes");
    }
    let server = Arc::new(Server {
        room_settings: RoomSettings {
            members_max: config.bounds.connections_per_board,
            outbox_bytes_max: config.bounds.outbox_bytes,
            compact_after: config.times.compact_after,
            compact_every: config.times.compact_every,
            saved_echo: match config.saved_echo {
                config::SavedEcho::On => SavedEcho::On,
                config::SavedEcho::Off => SavedEcho::Off,
            },
        },
        verifier: Verifier::new(config.keys.clone()),
        rooms: Rooms::default(),
        documents: Documents::new(clock),
        doors: Arc::new(Doors::new(
            config.bounds.connections,
            config.bounds.connections_per_address,
        )),
        audit: Audit::new(),
        misdirected: Seldom::default(),
        foreign: Seldom::default(),
        stripped: Seldom::default(),
        receiving: Receiving::new(limits::RECEIVING_BYTES_MAX),
        answers: Answers::new(limits::ANSWERS_BYTES_MAX),
        metrics: Metrics::new(committer.metrics(), &redis),
        bridge,
        started: clock.now().tick,
        config,
        store,
        committer,
        clock,
        executor,
        stopping: AtomicBool::new(false),
        blocking: Semaphore::new(limits::BLOCKING_MAX),
        reading: Semaphore::new(limits::BLOCKING_MAX),
        waiting: Semaphore::new(limits::BLOCKING_MAX),
        joining: Semaphore::new(limits::APART_MAX),
        folding: smol::lock::Mutex::new(()),
        connection_ids: AtomicU64::new(1),
        access_epochs: (0..limits::ACCESS_EPOCHS).map(|_| AtomicU64::new(0)).collect(),
        compactions,
        dropped: Mutex::new(HashSet::new()),
    });
    told.get_or_init(|| Arc::downgrade(&server));
    Ok(server)
}

/// Accepts until a signal comes, then shuts down.
async fn serve(server: &Arc<Server>, listener: Async<TcpListener>, mut signals: Signals) -> Ended {
    let accepting = async {
        accept(server, &listener).await;
        None
    };
    let signal = accepting.or(async { signals.next().await }).await;
    tracing::info!(signal = ?signal.and_then(Result::ok), "shutting down");
    drop(listener);
    let deadline = Instant::now() + server.config.times.drain;
    let second = async {
        signals.next().await;
        tracing::warn!("second signal: exiting at once");
        std::process::exit(1)
    };
    shut_down(server, deadline).or(second).await
}

/// Accepts connections for ever.
async fn accept(server: &Arc<Server>, listener: &Async<TcpListener>) {
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => {
                let trusted = &server.config.trusted_proxies;
                let Some(place) = server.doors.open_socket(peer.ip(), trusted) else {
                    continue;
                };
                // Without it a small frame could wait for the peer's delayed acknowledgement.
                if stream.get_ref().set_nodelay(true).is_ok() {
                    server.spawn(requests::serve(Arc::clone(server), stream, peer.ip(), place));
                }
            }
            Err(error) => {
                // Out of descriptors, most likely: what is open goes on, and new ones may work later.
                tracing::error!(%error, "cannot accept a connection");
                Timer::after(Duration::from_millis(100)).await;
            }
        }
    }
}

/// Closes everybody, saves everything, and stops the writer.
async fn shut_down(server: &Arc<Server>, deadline: Instant) -> Ended {
    server.stopping.store(true, Ordering::Release);
    let closing = async {
        while server.doors.open() > 0 {
            server.close_rooms(Fault::ShuttingDown);
            Timer::after(Duration::from_millis(5)).await;
        }
    };
    let half = deadline - server.config.times.drain / 2;
    closing
        .or(async {
            Timer::at(half).await;
        })
        .await;
    server
        .compact_all()
        .or(async {
            Timer::at(deadline - server.config.times.drain / 8).await;
        })
        .await;
    if let Some(bridge) = &server.bridge {
        bridge.drain(deadline - server.config.times.drain / 8).await;
    }
    server.write_refusals();
    let (finishing, left) = (
        Arc::clone(server),
        deadline.saturating_duration_since(Instant::now()),
    );
    let finished = smol::unblock(move || finishing.committer.finish(left)).await;
    if finished != Finished::TimedOut {
        let store = Arc::clone(&server.store);
        smol::unblock(move || store.close()).await;
    }
    tracing::info!(?finished, "stopped");
    if finished == Finished::Durable {
        Ended::Saved
    } else {
        Ended::Unsaved
    }
}

impl Server {
    /// A group was committed or lost; called on the writer's thread.
    fn handle_commit(self: &Arc<Self>, outcome: Outcome) {
        match outcome {
            Outcome::Committed(committed) => {
                for (board, through) in committed.durable {
                    if let Some(cell) = self.rooms.live(&board) {
                        self.step_fenced(&cell, |room, effects| room.handle_durable(through, effects));
                    }
                }
                // Before anybody looks for whom it concerns: see `Server::access_epoch`.
                committed
                    .acted
                    .iter()
                    .for_each(|board| self.count_access_change(board));
                for cell in committed.acted.iter().filter_map(|board| self.rooms.live(board)) {
                    self.reconsider(cell);
                }
                let lost = committed
                    .created
                    .into_iter()
                    .filter(|(_, applied)| *applied != Applied::Done);
                for (board, applied) in lost.chain(committed.refused) {
                    let fault = match applied {
                        // Of two boards that were made at once, one was one too many.
                        Applied::TooManyBoards => Fault::TooManyBoards,
                        _ => Fault::StoreFailed,
                    };
                    if self.rooms.live(&board).is_some() {
                        match fault {
                            Fault::TooManyBoards => {
                                tracing::warn!(%board, ?applied, "the board was not made")
                            }
                            _ => tracing::error!(%board, ?applied, "the store refused a change"),
                        }
                    }
                    self.give_up(&board, fault);
                }
            }
            Outcome::Failed { boards, error } => {
                tracing::error!(
                    boards = boards.len(),
                    error = telemetry::chain(&error),
                    "commit failed"
                );
                for board in boards {
                    self.give_up(&board, Fault::StoreFailed);
                }
            }
        }
    }

    /// A change of the board was lost: its room is ahead of the disk and must go. Clients keep their changes.
    fn give_up(self: &Arc<Self>, board: &crate::ids::BoardId, fault: Fault) {
        if let Some(cell) = self.rooms.live(board) {
            self.drop_room(&cell, fault);
        }
        self.committer.resume(board);
    }
}
