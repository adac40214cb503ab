//! From configuration to a running server, and from a signal to its end.
//!
//! Owns start-up, the accept loop, the executor's threads and shutdown. Key invariant: a shutdown stops
//! accepting, closes with the shutdown code, commits and compacts, and ends within `--drain`; a second signal
//! ends at once.

use std::future::Future;
use std::net::{IpAddr, SocketAddr, TcpListener};
use std::path::PathBuf;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};
use std::{fmt, io};

use async_io::Timer;
use async_signal::{Signal, Signals};
use rustix::system::uname;
use smol::Executor;
use smol::future::{FutureExt, pending, yield_now};
use smol::stream::StreamExt;

use crate::access::Mode;
use crate::boards::committer::{Finished, Writer};
use crate::boards::host::Host;
use crate::boards::outlet::Outlet;
use crate::boards::versions::policy::Policy;
use crate::boards::{self, Boards, fenced};
use crate::bridge::Bridge;
use crate::fault::Fault;
use crate::http::host::PublicUrl;
use crate::jwt::Verifier;
use crate::limits;
use crate::metrics::redis::RedisMetrics;
use crate::metrics::{CommitMetrics, Metrics};
use crate::net::admission::Came;
use crate::net::handshakes::Handshakes;
use crate::net::listener::Listener;
use crate::net::live::Changeable;
use crate::net::poller::Poller;
use crate::net::socket::Socket;
use crate::net::{self, Crowd, Shell};
use crate::nodes::acceptor;
use crate::nodes::{self, Nodes};
use crate::room::RoomSettings;
use crate::server::activation;
use crate::server::config::{self, Config};
use crate::server::descriptors;
use crate::server::entrance::Entrance;
use crate::server::machine::Machine;
use crate::server::reload::{Part, Prepared, Renewal, Renewing};
use crate::server::requests::{self, Arrival, Site};
use crate::server::routing::Routing;
use crate::server::telemetry::Level;
use crate::server::threads::Helpers;
use crate::store::ownership::{Joining, Ownership};
use crate::store::redb::{BroughtUp, RedbStore, Verified, Watch};
use crate::store::{OpenError, Shared, Store, postgres};
use crate::tls::Certificates;
use crate::webhooks::Webhooks;

/// By how much the committer's thread is nicer than the others; on Linux each thread has its own.
const COMMITTER_NICE: i32 = 5;

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
    /// The database cannot be used.
    Database {
        /// `--store`; it is shown without user and password.
        address: String,
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
    /// There is no certificate to show; the words say what would be right.
    Certificate(String),
    /// Other nodes cannot be listened to.
    ListenToNodes {
        /// `--node-address`.
        address: String,
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
            Self::Database { address, .. } => write!(f, "cannot open the database {address}"),
            Self::Listen { address, .. } => write!(f, "cannot listen on {address}"),
            Self::Certificate(words) => f.write_str(words),
            Self::ListenToNodes { address, .. } => {
                write!(f, "cannot listen at the port of --node-address {address}")
            }
            Self::System(_) => f.write_str("cannot start threads or signal handlers"),
        }
    }
}

impl std::error::Error for StartError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(match self {
            Self::Certificate(_) => return None,
            Self::Store { source, .. } | Self::Database { source, .. } => source,
            Self::Listen { source, .. } | Self::ListenToNodes { source, .. } | Self::System(source) => source,
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

/// Runs a server until SIGTERM or SIGINT, on a socket that was handed over where one was; `ready` is told the
/// address once connections are accepted. At SIGHUP settings are read anew.
///
/// # Errors
/// [`StartError`]; nothing has been served then.
pub fn run(
    config: Config,
    renewal: (Renewal, Level),
    ready: impl FnOnce(SocketAddr),
) -> Result<Ended, StartError> {
    let given = activation::take().and_then(|given| fitting(given, &config));
    let given = given.map_err(|source| StartError::Listen {
        address: config.listen,
        source,
    })?;
    run_on(config, (given, Some(renewal)), ready, pending())
}

/// Runs a server likewise, or until `stopped` is over, on a socket of its own, and never reads settings.
///
/// # Errors
/// As [`run`].
pub fn run_until(
    config: Config,
    ready: impl FnOnce(SocketAddr),
    stopped: impl Future<Output = ()> + Send + 'static,
) -> Result<Ended, StartError> {
    run_on(config, (None, None), ready, stopped)
}

fn run_on(
    config: Config,
    (given, renewal): (Option<TcpListener>, Option<(Renewal, Level)>),
    ready: impl FnOnce(SocketAddr),
    stopped: impl Future<Output = ()> + Send + 'static,
) -> Result<Ended, StartError> {
    // First of all: until then SIGHUP ends the process.
    let hang_ups = renewal.as_ref().map(|_| Signals::new([Signal::Hup]));
    let hang_ups = hang_ups.transpose().map_err(StartError::System)?;
    let certificates = certificates(&config)?;
    let commit_metrics = CommitMetrics::default();
    let kept = open_store(&config, &commit_metrics)?;
    let passing = descriptors::raise(&config);
    let (poller, mut driver) = Poller::new().map_err(StartError::System)?;
    let listener = match given {
        Some(given) => Listener::on(given, &poller),
        None => Listener::bind(config.listen, &poller),
    };
    let listener = listener.map_err(|source| StartError::Listen {
        address: config.listen,
        source,
    })?;
    let address = listener.address().map_err(StartError::System)?;
    let entrance = listen_to_nodes(&config, &poller)?;
    let signals = Signals::new([Signal::Term, Signal::Int]).map_err(StartError::System)?;
    let executor = Arc::new(Executor::new());
    let machine = Machine::new(Arc::clone(&executor), Arc::clone(&poller));
    let host: Arc<dyn Host> = Arc::new(machine);
    let Built {
        shell,
        bridge,
        writer,
    } = build(&config, (kept, commit_metrics), Arc::clone(&host));
    let writing = thread::Builder::new().name("boardwire-committer".into());
    let writing = writing.spawn(|| write(writer)).map_err(StartError::System)?;
    let helpers = Helpers::start(&executor, &poller, config.threads.get() - 1).map_err(StartError::System)?;
    shell.boards.start();
    if let Some(bridge) = &bridge {
        bridge.start(&shell.boards);
    }
    ready(address);
    let routing = routing(&config, passing, (host, &poller), &shell);
    let renewing = renewal.zip(hang_ups).map(|((renewal, level), hang_ups)| {
        let mut parts: Vec<Box<dyn Part>> = vec![Box::new(level), Box::new(Served(Arc::clone(&shell)))];
        parts.extend(certificates.clone().map(|shown| Box::new(shown) as Box<dyn Part>));
        executor.spawn(Renewing::new(renewal, parts).run(hang_ups))
    });
    let process = Process {
        site: Arc::new(Site { shell, routing }),
        bridge,
        drain: config.times.drain,
        handshakes: certificates.map(|certificates| Arc::new(Handshakes::new(certificates))),
    };
    // A task like others: what is awaited beside the executor is polled each time that anything is.
    let serving =
        executor.spawn(process.serve(Arc::clone(&executor), (listener, entrance), (signals, stopped)));
    let finished = driver.run(executor.run(serving));
    drop((renewing, helpers));
    tracing::info!(?finished, "stopped");
    // A writer that could not end in time may still be in a system call.
    Ok(match finished {
        Finished::Durable if writing.join().is_ok() => Ended::Saved,
        _ => Ended::Unsaved,
    })
}

/// Reads the certificate, where there is one, and sees to it that a new one is taken up.
fn certificates(config: &Config) -> Result<Option<Arc<Certificates>>, StartError> {
    let Some(config::Tls { certificate, key }) = &config.tls else {
        return Ok(None);
    };
    let loaded = Certificates::load(certificate, key);
    let loaded = loaded.map_err(|error| StartError::Certificate(error.to_string()))?;
    note_expired(&loaded);
    Ok(Some(Arc::new(loaded)))
}

fn note_expired(certificates: &Certificates) {
    if certificates.is_expired() {
        tracing::warn!("the certificate of --tls-cert has expired: browsers refuse it");
    }
}

impl Part for Arc<Certificates> {
    fn prepare(&self, _config: &Config) -> Result<Prepared, String> {
        let next = Certificates::prepare(self).map_err(|error| error.to_string())?;
        let Some(next) = next else {
            return Ok(Prepared::of(|| {}));
        };
        let shown = Self::clone(self);
        Ok(Prepared {
            names: vec!["tls-cert"],
            take_up: Box::new(move || {
                shown.take(next);
                note_expired(&shown);
            }),
        })
    }
}

/// Takes up a new certificate when its files have changed, for ever.
async fn keep_certificates(certificates: Arc<Certificates>) {
    loop {
        Timer::after(limits::TLS_FILES_LOOKED_AT_EVERY).await;
        let looked_at = Arc::clone(&certificates);
        match smol::unblock(move || looked_at.look()).await {
            None => {}
            Some(Ok(())) => {
                tracing::info!("a new certificate was taken up");
                note_expired(&certificates);
            }
            Some(Err(error)) => {
                tracing::error!(%error, "the certificate has changed and is of no use; the one before is shown on")
            }
        }
    }
}

/// A socket that was handed over, if it is one to listen on.
fn fitting(given: Option<TcpListener>, config: &Config) -> io::Result<Option<TcpListener>> {
    if let Some(given) = &given
        && config.mode == Mode::Dev
        && !given.local_addr()?.ip().is_loopback()
    {
        let what =
            "the socket that was handed over is not on loopback, since --dev lets everyone with a link in";
        return Err(io::Error::new(io::ErrorKind::InvalidInput, what));
    }
    Ok(given)
}

/// Where everything is kept, and, where several nodes may share that, which of them has which board.
type Kept = (Arc<dyn Store>, Option<Arc<dyn Ownership>>);

/// Opens the data file, or the database.
fn open_store(config: &Config, metrics: &CommitMetrics) -> Result<Kept, StartError> {
    if let Some(address) = &config.store {
        let opened = postgres::open(address, config.quotas);
        let Shared { store, ownership } = opened.map_err(|source| StartError::Database {
            address: address.to_string(),
            source,
        })?;
        return Ok((store, Some(ownership)));
    }
    let metrics = metrics.clone();
    let watch: Watch = Arc::new(move |sync| {
        let began = Instant::now();
        sync()?;
        metrics.synced(began.elapsed());
        Ok(())
    });
    let store = RedbStore::open_watched(&config.data, watch).map_err(|source| StartError::Store {
        path: config.data.clone(),
        source,
    })?;
    let store = store.with_quotas(config.quotas);
    note_verified(store.verified());
    if let Some(BroughtUp { from, to, kept }) = store.brought_up() {
        tracing::info!(
            from, to, kept = %kept.display(),
            "the data file has a newer format now, which versions before this one do not open; as it was, it is kept"
        );
    }
    Ok((Arc::new(store), None))
}

/// The name of this server among others that share its store; `None` where it has a data file of its own.
/// Without `--node-address` the host's name and the address that it listens on tell it from others, and a
/// later run of it is taken for the same server.
#[must_use]
pub fn node_name(config: &Config) -> Option<String> {
    config.store.as_ref()?;
    let address = config.node.as_ref().map(|node| node.address.clone());
    let host = || uname().nodename().to_string_lossy().into_owned();
    Some(address.unwrap_or_else(|| format!("{} {}", host(), config.listen)))
}

/// What this process says of itself to other nodes.
fn joining(config: &Config) -> Joining {
    Joining {
        name: node_name(config).unwrap_or_default(),
        address: config.node.as_ref().map(|node| node.address.clone()),
        lease: config.times.lease,
        replaces: true,
    }
}

/// Runs the writer, behind whoever delivers where both want the same core: a commit may wait, an update not.
fn write(writer: Writer) {
    // Elsewhere it would be the whole process.
    if cfg!(target_os = "linux")
        && let Err(error) = rustix::process::nice(COMMITTER_NICE)
    {
        tracing::debug!(%error, "the committer's thread keeps its priority");
    }
    writer.run();
}

/// Says what was found about the data file before it was opened.
fn note_verified(verified: Verified) {
    match verified {
        Verified::Damaged => tracing::error!(
            help = "docs/troubleshooting.md#start-damaged",
            "pages of the data file are damaged; what cannot be proven to be right is refused: keep the file, and restore a backup"
        ),
        Verified::TooLarge => tracing::info!("the data file is too large to be looked through at each start"),
        Verified::Sound | Verified::AtOpening => {}
    }
}

/// Listens to other nodes, where there may be some.
fn listen_to_nodes(config: &Config, poller: &Arc<Poller>) -> Result<Option<Listener>, StartError> {
    let listen = |node: &config::Node| {
        acceptor::listen(&node.address, poller).map_err(|source| StartError::ListenToNodes {
            address: node.address.clone(),
            source,
        })
    };
    config.node.as_ref().map(listen).transpose()
}

/// The ways from and to other nodes, where there may be some; `passing` connections may take each.
fn routing(
    config: &Config,
    passing: usize,
    (host, poller): (Arc<dyn Host>, &Arc<Poller>),
    shell: &Shell,
) -> Option<Routing> {
    let node = config.node.as_ref()?;
    let settings = nodes::Settings {
        address: node.address.clone(),
        secret: node.secret.clone(),
        connections: passing,
    };
    Some(Routing {
        nodes: Nodes::new(settings, host, Arc::clone(poller), shell.metrics.nodes().clone()),
        routes: Arc::new(Arc::clone(&shell.boards)),
    })
}

/// The parts of a server.
struct Built {
    shell: Arc<Shell>,
    bridge: Option<Arc<Bridge>>,
    writer: Writer,
}

/// Puts the server's parts together.
fn build(
    config: &Config,
    ((store, ownership), commit_metrics): (Kept, CommitMetrics),
    host: Arc<dyn Host>,
) -> Built {
    let redis = RedisMetrics::default();
    let metrics = Arc::new(Metrics::new(&commit_metrics, &redis));
    let address = config.redis.clone();
    let bridge = address.map(|address| Arc::new(Bridge::new(address, Arc::clone(&host), redis)));
    let parts = boards::Parts {
        store,
        ownership: ownership.map(|ownership| (ownership, joining(config))),
        host: Arc::clone(&host),
        metrics: Arc::clone(&metrics),
        commit_metrics,
        outlet: bridge.clone().map(|bridge| bridge as Arc<dyn Outlet>),
        hooks: Some(Webhooks::new(
            config.webhook_reach,
            host,
            metrics.webhooks().clone(),
        )),
    };
    let (boards, writer) = Boards::new(board_settings(config), parts);
    let shell = Shell::new(net_settings(config), changeable(config), boards, metrics);
    Built {
        shell,
        bridge,
        writer,
    }
}

fn board_settings(config: &Config) -> boards::Settings {
    boards::Settings {
        mode: config.mode,
        board_bytes: config.bounds.board_bytes,
        assets_bytes: config.bounds.assets_bytes,
        messages_per_second: config.bounds.messages_per_second,
        room: RoomSettings {
            members_max: config.bounds.connections_per_board,
            outbox_bytes_max: config.bounds.outbox_bytes,
            compact_after: config.times.compact_after,
            compact_every: config.times.compact_every,
            saved_echo: config.saved_echo,
        },
        room_idle: config.times.room_idle,
        room_sweep: config.times.room_sweep,
        commit_window: config.times.commit_window,
        audit: config.times.audit,
        trash: config.times.trash,
        versions: Policy {
            hourly: config.times.versions_hourly,
            daily: config.times.versions_daily,
            bytes: u64::try_from(config.bounds.versions_bytes).unwrap_or(u64::MAX),
        },
    }
}

fn net_settings(config: &Config) -> net::Settings {
    net::Settings {
        asset_bytes: config.bounds.asset_bytes,
        outbox_bytes: config.bounds.outbox_bytes,
        close_codes: config.close_codes,
        served: config.served.clone(),
        base_path: config.base_path().to_owned(),
        sign_in: net::sign_in::Settings {
            address: config.public_url.as_ref().map(ToString::to_string),
            origin: config.public_url.as_ref().map(PublicUrl::origin),
            encryption: match config.tls {
                Some(_) => net::sign_in::Encryption::Tls,
                None => net::sign_in::Encryption::None,
            },
            user_header: config.user_header.clone(),
        },
    }
}

/// What of the network may change while it is served.
fn changeable(config: &Config) -> (Changeable, Crowd) {
    let live = Changeable {
        keys: config.keys.clone(),
        verifier: Verifier::new(config.keys.clone()),
        message_bytes: config.bounds.message_bytes,
        body_bytes: config.bounds.body_bytes,
        trusted_proxies: config.trusted_proxies.clone(),
        origins: config.origins.clone(),
        metrics_token: config.metrics_token,
        login_url: config.login_url.clone(),
        frames: config.frames.clone(),
    };
    let crowd = Crowd {
        connections: config.bounds.connections,
        per_address: config.bounds.connections_per_address,
    };
    (live, crowd)
}

/// What takes up other settings of connections and requests.
struct Served(Arc<Shell>);

impl Part for Served {
    fn prepare(&self, config: &Config) -> Result<Prepared, String> {
        let (shell, config) = (Arc::clone(&self.0), config.clone());
        Ok(Prepared::of(move || {
            let (live, crowd) = changeable(&config);
            shell.change(live, crowd);
            shell
                .boards
                .set_messages_per_second(config.bounds.messages_per_second);
            // More connections may need more files. How many pass between nodes stays as it was.
            descriptors::raise(&config);
        }))
    }
}

/// What a running process serves, and how long it may take to end.
struct Process {
    site: Arc<Site>,
    bridge: Option<Arc<Bridge>>,
    drain: Duration,
    /// Set where clients are spoken to over TLS.
    handshakes: Option<Arc<Handshakes>>,
}

impl Process {
    /// Accepts until a signal comes, then shuts down.
    async fn serve(
        self,
        executor: Arc<Executor<'static>>,
        (listener, entrance): (Listener, Option<Listener>),
        (mut signals, stopped): (Signals, impl Future<Output = ()>),
    ) -> Finished {
        // Tasks of their own, so that each is polled when somebody comes, and not whenever a signal might
        // have.
        let accepting = executor.spawn(accept(Arc::clone(&self.site), listener, self.handshakes.clone()));
        let keeping = self.handshakes.as_ref().map(|handshakes| {
            let certificates = Arc::clone(handshakes.certificates());
            executor.spawn(keep_certificates(certificates))
        });
        let taking = entrance
            .zip(self.site.routing.as_ref())
            .map(|(entrance, routing)| {
                let takes = Entrance {
                    site: Arc::clone(&self.site),
                    routes: Arc::clone(&routing.routes),
                };
                executor.spawn(Arc::clone(&routing.nodes).accept(entrance, Arc::new(takes)))
            });
        let told = async {
            stopped.await;
            None
        };
        let signal = signals.next().or(told).await;
        tracing::info!(signal = ?signal.and_then(Result::ok), "shutting down");
        accepting.cancel().await;
        drop(keeping);
        if let Some(taking) = taking {
            taking.cancel().await;
        }
        let deadline = Instant::now() + self.drain;
        let second = async {
            signals.next().await;
            tracing::warn!("second signal: exiting at once");
            std::process::exit(1)
        };
        self.shut_down(deadline).or(second).await
    }

    /// Closes everybody, saves everything, and stops the writer.
    async fn shut_down(&self, deadline: Instant) -> Finished {
        let Site { shell, routing } = &*self.site;
        let boards = &shell.boards;
        boards.stop();
        // On n nodes: at once, since those who are closed come back elsewhere.
        boards.close_rooms(Fault::ShuttingDown);
        boards.hand_over().or(at(deadline - self.drain / 2)).await;
        if let Some(routing) = routing {
            routing.nodes.cut_all();
        }
        let closing = async {
            while shell.doors.open() > 0 {
                boards.close_rooms(Fault::ShuttingDown);
                Timer::after(Duration::from_millis(5)).await;
            }
        };
        closing.or(at(deadline - self.drain / 2)).await;
        boards.compact_all().or(at(deadline - self.drain / 8)).await;
        if let Some(bridge) = &self.bridge {
            bridge.drain(deadline - self.drain / 8).await;
        }
        boards.write_refusals();
        let left = deadline.saturating_duration_since(Instant::now());
        boards.finish(left).await
    }
}

/// Waits until then.
async fn at(instant: Instant) {
    Timer::at(instant).await;
}

/// Accepts connections for ever.
pub(super) async fn accept(site: Arc<Site>, listener: Listener, handshakes: Option<Arc<Handshakes>>) {
    let shell = &site.shell;
    loop {
        let (stream, peer) = listener.accept().await;
        let live = shell.live.get();
        let Some(place) = shell.doors.open_socket(peer.ip(), &live.trusted_proxies) else {
            continue;
        };
        if let Ok(socket) = listener.open(stream) {
            match &handshakes {
                Some(handshakes) => {
                    let site = Arc::clone(&site);
                    shell
                        .boards
                        .spawn(secure(site, Arc::clone(handshakes), (socket, peer.ip()), place));
                }
                None => shell.boards.spawn(requests::serve(
                    Arc::clone(&site),
                    arrived(socket, peer.ip()),
                    place,
                )),
            }
        }
        // Those who are in have their turn while others come.
        yield_now().await;
    }
}

fn arrived(socket: Socket, peer: IpAddr) -> Arrival {
    Arrival {
        socket,
        peer,
        came: Came::Directly,
        head: None,
    }
}

/// Serves a connection once keys were agreed on.
async fn secure<P: Send>(
    site: Arc<Site>,
    handshakes: Arc<Handshakes>,
    (socket, peer): (Socket, IpAddr),
    place: P,
) {
    let shaking = Box::pin(fenced(handshakes.secure(&site.shell, socket, peer)));
    if let Ok(Some(socket)) = shaking.await {
        requests::serve(Arc::clone(&site), arrived(socket, peer), place).await;
    }
}
