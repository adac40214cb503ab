//! What is counted and measured for `GET /metrics`, and how it is written.
//!
//! Owns [`Metrics`]: the registry, every metric, its name and its help. Must not know who may read it
//! (`api::metrics`) or when something happens; those who know call one small method. Key invariants: counting
//! a message or a write is a few relaxed atomic additions, without lock, lookup or allocation; every series
//! is there from the start, since a rate needs a zero to start from; no label comes from a peer. Tests are
//! below, in `tests/it/metrics.rs` and in `tests/docs.rs`.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use prometheus_client::encoding::{EncodeMetric, MetricEncoder, text};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Metric, Registry};

use crate::fault::Fault;
use crate::http::head::Method;
use crate::metrics::handshakes::HandshakeMetrics;
use crate::metrics::held::{Held, MemoryMetrics, Waiting};
use crate::metrics::latency::LatencyMetrics;
use crate::metrics::nodes::NodeMetrics;
use crate::metrics::redis::RedisMetrics;
use crate::metrics::webhooks::WebhookMetrics;
use crate::room::Tally;
use crate::store::Footprint;

pub mod handshakes;
pub mod held;
pub mod latency;
pub mod nodes;
pub mod redis;
pub mod webhooks;

/// The media type of what [`Metrics::encode`] writes: Prometheus text, which every scraper reads.
pub const MEDIA_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Upper bounds of what takes milliseconds on a good disk, in seconds.
const SECONDS: [f64; 13] = [
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0,
];

/// Upper bounds of changes in one commit.
const CHANGES: [f64; 8] = [1.0, 4.0, 16.0, 64.0, 256.0, 1_024.0, 4_096.0, 16_384.0];

/// The `reason` of a connection that its peer ended.
const LEFT: &str = "left";

/// The code, and the `reason`, of a connection that was refused for the page it came from, before anything
/// was decided.
pub(crate) const ORIGIN_REFUSED: &str = "origin_refused";

/// The `reason` of a connection that was not read for a while since it had sent more than its rate.
pub(crate) const RATE: &str = "rate";

/// What is counted of those who wanted more than they may have: their rate, and the codes of refusals.
const OVER_BOUNDS: [&str; 5] = [
    RATE,
    "too_costly",
    "board_too_large",
    "owner_full",
    "too_many_boards",
];

/// A count that only grows. Its name ends in `_total`.
///
/// The library's own counter puts `_total` behind the name in samples only, as OpenMetrics has it; readers of
/// the plain text format would then not know its type.
#[derive(Clone, Debug, Default)]
pub struct Total(Counter);

impl Total {
    fn add(&self, n: u64) {
        self.0.inc_by(n);
    }

    /// Leaves alone what has not changed: most steps count one or two things.
    fn add_some(&self, n: u32) {
        if n > 0 {
            self.add(u64::from(n));
        }
    }
}

impl EncodeMetric for Total {
    fn encode(&self, mut encoder: MetricEncoder<'_>) -> fmt::Result {
        encoder.encode_gauge(&self.0.get())
    }

    fn metric_type(&self) -> MetricType {
        MetricType::Counter
    }
}

/// What sets one series of a name apart.
type Labels<const N: usize> = [(&'static str, &'static str); N];

/// Counts under one name that differ in their labels, all there from the start.
#[derive(Clone, Debug)]
struct Totals<const N: usize>(Arc<[(Labels<N>, Total)]>);

impl<const N: usize> Totals<N> {
    fn new(labels: impl Iterator<Item = Labels<N>>) -> Self {
        Self(labels.map(|labels| (labels, Total::default())).collect())
    }

    /// Counts one; not for what happens with every message, since it searches.
    fn count(&self, labels: Labels<N>) {
        self.count_some(labels, 1);
    }

    /// Counts several; likewise.
    fn count_some(&self, labels: Labels<N>, count: usize) {
        let series = self.0.iter().find(|(known, _)| *known == labels);
        debug_assert!(series.is_some(), "{labels:?} was foreseen");
        if let Some((_, total)) = series {
            total.add(count as u64);
        }
    }
}

impl<const N: usize> EncodeMetric for Totals<N> {
    fn encode(&self, mut encoder: MetricEncoder<'_>) -> fmt::Result {
        for (labels, total) in &*self.0 {
            total.encode(encoder.encode_family(labels)?)?;
        }
        Ok(())
    }

    fn metric_type(&self) -> MetricType {
        MetricType::Counter
    }
}

/// A value that is read at each scrape.
type Value = Gauge<u64, AtomicU64>;

/// What is read at each scrape, rather than counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Readings {
    /// Boards in memory.
    pub rooms: usize,
    /// Open WebSockets.
    pub connections: usize,
    /// The most bytes that messages, heads and bodies ever took that were not complete yet.
    pub receiving_most: usize,
    /// Bytes in memory, by what they are for.
    pub held: Held,
    /// What waits for its turn.
    pub waiting: Waiting,
    /// The data file, and what lives in it.
    pub footprint: Footprint,
    /// Boards that this node has, where nodes share the store.
    pub node_boards: usize,
    /// How long its lease is trusted.
    pub node_lease: Duration,
    /// Whether the disk takes what it is given.
    pub is_store_healthy: bool,
    /// Whether both ways of the Redis bridge are open.
    pub is_redis_connected: bool,
    /// Since the start.
    pub uptime: Duration,
}

#[derive(Debug, Default)]
struct Values {
    rooms: Value,
    connections: Value,
    receiving_bytes: Value,
    receiving_most: Value,
    answer_bytes: Value,
    commit_queue_bytes: Value,
    data_file_bytes: Value,
    data_live_bytes: Value,
    node_boards: Value,
    node_lease_seconds: Gauge<f64, AtomicU64>,
    store_healthy: Value,
    redis_connected: Value,
    uptime_seconds: Gauge<f64, AtomicU64>,
}

/// What became of updates.
#[derive(Debug, Default)]
struct Updates {
    new: Total,
    known: Total,
    hole: Total,
    denied: Total,
}

/// What the writer measures; its own handle on metrics that [`Metrics`] shows.
#[derive(Clone, Debug)]
pub struct CommitMetrics {
    seconds: Histogram,
    saved: Histogram,
    fsync: Histogram,
    changes: Histogram,
    failures: Total,
}

impl Default for CommitMetrics {
    fn default() -> Self {
        Self {
            seconds: Histogram::new(SECONDS),
            saved: latency::of_changes(),
            fsync: latency::of_changes(),
            changes: Histogram::new(CHANGES),
            failures: Total::default(),
        }
    }
}

impl CommitMetrics {
    /// A commit of so many changes was made, of which the first had waited for `waited` when it was durable.
    pub(crate) fn committed(&self, changes: usize, took: Duration, waited: Duration) {
        self.seconds.observe(took.as_secs_f64());
        self.saved.observe(waited.as_secs_f64());
        self.changes
            .observe(f64::from(u32::try_from(changes).unwrap_or(u32::MAX)));
    }

    /// The disk was waited for.
    pub(crate) fn synced(&self, took: Duration) {
        self.fsync.observe(took.as_secs_f64());
    }

    /// A commit failed.
    pub(crate) fn commit_failed(&self) {
        self.failures.add(1);
    }
}

/// Everything that is counted and measured.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    values: Values,
    opened: Total,
    ended: Totals<1>,
    refused: Totals<1>,
    misdirected: Total,
    over_bounds: Totals<1>,
    messages_received: Total,
    received_bytes: Total,
    unknown_messages: Total,
    updates: Updates,
    awareness_broadcasts: Total,
    frames_queued: Total,
    sent_bytes: Total,
    compaction_seconds: Histogram,
    compaction_failures: Total,
    board_load_seconds: Histogram,
    board_load_failures: Total,
    node_store_seconds: Histogram,
    http_requests: Totals<2>,
    latency: LatencyMetrics,
    memory: MemoryMetrics,
    nodes: NodeMetrics,
    webhooks: WebhookMetrics,
    handshakes: HandshakeMetrics,
}

impl Metrics {
    /// All metrics at zero, with those of the writer and of the Redis bridge among them.
    #[must_use]
    pub fn new(commits: &CommitMetrics, redis: &RedisMetrics) -> Self {
        let reasons = || Fault::ALL.into_iter().map(|fault| [("reason", fault.code())]);
        let mut metrics = Self {
            registry: Registry::with_prefix("boardwire"),
            values: Values::default(),
            opened: Total::default(),
            ended: Totals::new(std::iter::once([("reason", LEFT)]).chain(reasons())),
            refused: Totals::new(reasons().chain([[("reason", ORIGIN_REFUSED)]])),
            misdirected: Total::default(),
            over_bounds: Totals::new(OVER_BOUNDS.into_iter().map(|reason| [("reason", reason)])),
            messages_received: Total::default(),
            received_bytes: Total::default(),
            unknown_messages: Total::default(),
            updates: Updates::default(),
            awareness_broadcasts: Total::default(),
            frames_queued: Total::default(),
            sent_bytes: Total::default(),
            compaction_seconds: Histogram::new(SECONDS),
            compaction_failures: Total::default(),
            board_load_seconds: Histogram::new(SECONDS),
            board_load_failures: Total::default(),
            node_store_seconds: Histogram::new(SECONDS),
            http_requests: Totals::new(http_labels()),
            latency: LatencyMetrics::default(),
            memory: MemoryMetrics::default(),
            nodes: NodeMetrics::default(),
            webhooks: WebhookMetrics::default(),
            handshakes: HandshakeMetrics::default(),
        };
        metrics.register_process();
        metrics.register_clients();
        metrics.register_disk(commits);
        metrics.register_node();
        metrics.register_redis(redis);
        metrics.register_nodes();
        metrics.register_webhooks();
        metrics.latency.register(&mut metrics.registry);
        metrics.memory.register(&mut metrics.registry);
        metrics.register_handshakes();
        metrics
    }

    fn register(&mut self, name: &str, help: &str, metric: &(impl Metric + Clone)) {
        self.registry.register(name, help, metric.clone());
    }

    fn register_process(&mut self) {
        let build = Family::<Labels<1>, Value>::default();
        build
            .get_or_create(&[("version", env!("CARGO_PKG_VERSION"))])
            .set(1);
        self.register("build_info", "Always 1; the version is a label", &build);
        let uptime = self.values.uptime_seconds.clone();
        self.register("uptime_seconds", "Time since the server started", &uptime);
        let requests = self.http_requests.clone();
        let help = "HTTP requests answered, upgrades that were completed left out";
        self.register("http_requests_total", help, &requests);
    }

    #[rustfmt::skip] // One row a line: it is a table.
    fn register_clients(&mut self) {
        let Values { rooms, connections, receiving_bytes, receiving_most, answer_bytes, .. } = &self.values;
        let (rooms, connections, receiving) = (rooms.clone(), connections.clone(), receiving_bytes.clone());
        let (most, answers) = (receiving_most.clone(), answer_bytes.clone());
        let Updates { new, known, hole, denied } = &self.updates;
        let updates = [("new", new), ("known", known), ("hole", hole), ("denied", denied)];
        let updates: Totals<1> = Totals(updates.map(|(outcome, total)| ([("outcome", outcome)], total.clone())).into());
        let (opened, ended, refused) = (self.opened.clone(), self.ended.clone(), self.refused.clone());
        let (misdirected, over_bounds) = (self.misdirected.clone(), self.over_bounds.clone());
        let (received, bytes, unknown) = (self.messages_received.clone(), self.received_bytes.clone(), self.unknown_messages.clone());
        let (broadcasts, frames, sent) = (self.awareness_broadcasts.clone(), self.frames_queued.clone(), self.sent_bytes.clone());
        self.register("rooms", "Boards in memory", &rooms);
        self.register("connections", "Open WebSocket connections", &connections);
        self.register("connections_opened_total", "WebSocket connections that joined a board", &opened);
        self.register("connections_ended_total", "Those that ended, by reason; left: the client closed it or is gone", &ended);
        self.register("connections_refused_total", "Upgrade requests that were refused, by reason", &refused);
        self.register("misdirected_requests_total", "HTTP requests that were refused since their Host is not this server's", &misdirected);
        self.register("over_bounds_total", "How often somebody wanted more than they may have, by what of: rate (and was not read for a while), or the code of the refusal", &over_bounds);
        self.register("messages_received_total", "WebSocket messages received", &received);
        self.register("received_bytes_total", "Bytes of these messages", &bytes);
        self.register("receiving_bytes", "Bytes held of messages, heads and bodies that are not complete yet, but for the smallest", &receiving);
        self.register("receiving_most_bytes", "The most that these ever were", &most);
        self.register("answer_bytes", "Bytes of HTTP answers on their way out or being made, but for the smallest", &answers);
        self.register("unknown_messages_total", "Protocol messages of unknown type, which are ignored", &unknown);
        self.register("updates_total", "Updates that clients sent and that decode, by what became of them", &updates);
        self.register("awareness_broadcasts_total", "Broadcasts of changed awareness, one a room at a time", &broadcasts);
        self.register("frames_queued_total", "WebSocket frames queued, one for each client that is to get it", &frames);
        self.register("sent_bytes_total", "Bytes written to WebSocket clients", &sent);
    }

    #[rustfmt::skip] // One row a line: it is a table.
    fn register_disk(&mut self, commits: &CommitMetrics) {
        let Values { commit_queue_bytes, data_file_bytes, data_live_bytes, store_healthy, .. } = &self.values;
        let (queue, healthy) = (commit_queue_bytes.clone(), store_healthy.clone());
        let (file, live) = (data_file_bytes.clone(), data_live_bytes.clone());
        let (load_seconds, load_failures) = (self.board_load_seconds.clone(), self.board_load_failures.clone());
        let (compaction_seconds, compaction_failures) = (self.compaction_seconds.clone(), self.compaction_failures.clone());
        self.register("store_healthy", "1 while the disk takes what it is given, else 0", &healthy);
        self.register("commit_queue_bytes", "Bytes of changes that are not durable yet", &queue);
        self.register("data_file_bytes", "Size of the data file", &file);
        self.register("data_live_bytes", "About what lives in it: documents, and what their rows and all others take", &live);
        self.register("commit_seconds", "Time that commits took, fsync included", &commits.seconds);
        self.register("saved_seconds", "Time from when the first change of a commit was accepted until it was durable, and its author may be told", &commits.saved);
        self.register("fsync_seconds", "Time of each fsync of the data file by itself; none where a database keeps the boards", &commits.fsync);
        self.register("commit_changes", "Changes that shared one commit", &commits.changes);
        self.register("commit_failures_total", "Commits that failed; their changes were lost and never echoed as saved", &commits.failures);
        self.register("compaction_seconds", "Time that compactions of a board took, their wait for a thread included", &compaction_seconds);
        self.register("compaction_failures_total", "Compactions that failed; the log was kept", &compaction_failures);
        self.register("board_load_seconds", "Time that loads of a board took, their wait for a thread included", &load_seconds);
        self.register("board_load_failures_total", "Loads of boards whose stored state could not be read", &load_failures);
    }

    fn register_node(&mut self) {
        let (boards, lease) = (
            self.values.node_boards.clone(),
            self.values.node_lease_seconds.clone(),
        );
        let help = "Boards that this node has, where nodes share the store";
        self.register("node_boards", help, &boards);
        let help = "How long the node's lease is trusted without another word; 0 where it has none";
        self.register("node_lease_seconds", help, &lease);
        let asked = self.node_store_seconds.clone();
        let help = "Time that the shared store took to renew the lease, to say who has a board, and to give it to this node";
        self.register("node_store_seconds", help, &asked);
    }

    fn register_redis(&mut self, redis: &RedisMetrics) {
        let connected = self.values.redis_connected.clone();
        let help = "1 while both ways of the Redis bridge are open, else 0; also 0 without --redis";
        self.register("redis_connected", help, &connected);
        let help = "Messages received from Redis, by what became of them";
        self.register("redis_messages_total", help, &redis.received);
        let help = "Changes of items that were to be published to Redis, by what became of them";
        self.register("redis_publications_total", help, &redis.sent);
    }

    fn register_handshakes(&mut self) {
        let outcomes = self.handshakes.outcomes.clone();
        let help = "Handshakes of TLS with clients, by what became of them; plain: no TLS was spoken";
        self.register("tls_handshakes_total", help, &outcomes);
    }

    fn register_webhooks(&mut self) {
        let tries = self.webhooks.tries.clone();
        let help =
            "Tries to deliver events to webhooks, by what became of them; and deliveries that were given up";
        self.register("webhook_deliveries_total", help, &tries);
    }

    fn register_nodes(&mut self) {
        let nodes = self.nodes.clone();
        let help =
            "Requests that were to be passed on to the node that has their board, by what became of them";
        self.register("forwards_total", help, &nodes.passings);
        let help = "Connections of other nodes that were to pass a request on, by what became of them";
        self.register("forwards_received_total", help, &nodes.takings);
        let help = "Connections of clients that are passed on to another node";
        self.register("forwarded_connections", help, &nodes.passed);
        let help = "Connections that another node passes on to this one";
        self.register("forwarded_connections_received", help, &nodes.taken);
        let help = "Connections passed on that were cut since the other node did not greet";
        self.register("forwarded_cut_total", help, &nodes.cuts);
        let help = "Bytes of clients that were passed on to other nodes";
        self.register("forwarded_to_owner_bytes_total", help, &nodes.to_owner);
        let help = "Bytes of other nodes that were passed on to clients";
        self.register("forwarded_to_client_bytes_total", help, &nodes.to_client);
        let help = "Bytes that wait to be passed on";
        self.register("forwarded_waiting_bytes", help, &nodes.waiting);
    }

    /// The handle of handshakes.
    #[must_use]
    pub fn handshakes(&self) -> &HandshakeMetrics {
        &self.handshakes
    }

    /// The handle of webhooks.
    #[must_use]
    pub fn webhooks(&self) -> &WebhookMetrics {
        &self.webhooks
    }

    /// The handle of what people wait for.
    #[must_use]
    pub fn latency(&self) -> &LatencyMetrics {
        &self.latency
    }

    /// The handle of what passes from node to node.
    #[must_use]
    pub fn nodes(&self) -> &NodeMetrics {
        &self.nodes
    }

    /// Prometheus text, version 0.0.4, of everything as it is now.
    ///
    /// # Errors
    /// None comes from writing into a `String`.
    pub fn encode(&self, readings: &Readings) -> Result<String, fmt::Error> {
        let Values {
            rooms,
            connections,
            receiving_bytes,
            receiving_most,
            answer_bytes,
            commit_queue_bytes,
            data_file_bytes,
            data_live_bytes,
            node_boards,
            node_lease_seconds,
            store_healthy,
            redis_connected,
            uptime_seconds,
        } = &self.values;
        rooms.set(readings.rooms as u64);
        connections.set(readings.connections as u64);
        receiving_bytes.set(readings.held.receiving as u64);
        receiving_most.set(readings.receiving_most as u64);
        answer_bytes.set(readings.held.answers as u64);
        commit_queue_bytes.set(readings.held.commit_queue as u64);
        self.memory.set(&readings.held, &readings.waiting);
        data_file_bytes.set(readings.footprint.file_bytes);
        data_live_bytes.set(readings.footprint.live_bytes);
        node_boards.set(readings.node_boards as u64);
        node_lease_seconds.set(readings.node_lease.as_secs_f64());
        store_healthy.set(u64::from(readings.is_store_healthy));
        redis_connected.set(u64::from(readings.is_redis_connected));
        uptime_seconds.set(readings.uptime.as_secs_f64());
        let mut text = String::with_capacity(16 * 1024);
        text::encode_registry(&mut text, &self.registry)?;
        Ok(text)
    }

    // --- what happens with every message ------------------------------------------------------------------

    /// So many WebSocket messages came, of so many bytes in all.
    pub(crate) fn received(&self, messages: usize, bytes: usize) {
        self.messages_received.add(messages as u64);
        self.received_bytes.add(bytes as u64);
    }

    /// So many bytes left for a WebSocket client.
    pub(crate) fn sent(&self, bytes: usize) {
        self.sent_bytes.add(bytes as u64);
    }

    /// A room did a step.
    pub(crate) fn step(&self, tally: &Tally) {
        let Updates {
            new,
            known,
            hole,
            denied,
        } = &self.updates;
        new.add_some(tally.new);
        known.add_some(tally.known);
        hole.add_some(tally.holes);
        denied.add_some(tally.denied);
        self.unknown_messages.add_some(tally.unknown_messages);
        self.awareness_broadcasts.add_some(tally.awareness_broadcasts);
        self.frames_queued.add_some(tally.frames);
    }

    // --- what is rarer ------------------------------------------------------------------------------------

    /// A connection joined a board.
    pub(crate) fn opened(&self) {
        self.opened.add(1);
    }

    /// A connection ended: for a fault, or because its peer ended it.
    pub(crate) fn ended(&self, fault: Option<Fault>) {
        let reason = fault.map_or(LEFT, |fault| fault.code());
        self.over_bound(reason);
        self.ended.count([("reason", reason)]);
    }

    /// An upgrade request was refused.
    pub(crate) fn refused(&self, fault: Fault) {
        self.over_bound(fault.code());
        self.refused.count([("reason", fault.code())]);
    }

    /// Somebody was refused for this reason, or had to wait: counted where it is a bound of what they may
    /// have.
    pub(crate) fn over_bound(&self, reason: &'static str) {
        if OVER_BOUNDS.contains(&reason) {
            self.over_bounds.count([("reason", reason)]);
        }
    }

    /// An upgrade request was refused for its `Origin`.
    pub(crate) fn refused_origin(&self) {
        self.refused.count([("reason", ORIGIN_REFUSED)]);
    }

    /// A request was refused for its `Host`.
    pub(crate) fn misdirected(&self) {
        self.misdirected.add(1);
    }

    /// A request was answered. `Method::Other` is also that of a head that could not be read.
    pub(crate) fn answered(&self, method: Method, status: u16) {
        self.http_requests
            .count([("method", method_label(method)), ("status", status_label(status))]);
    }

    /// A compaction was made.
    pub(crate) fn compacted(&self, took: Duration) {
        self.compaction_seconds.observe(took.as_secs_f64());
    }

    /// The store that nodes share answered a question about them.
    pub(crate) fn asked_of_nodes(&self, took: Duration) {
        self.node_store_seconds.observe(took.as_secs_f64());
    }

    /// A compaction failed.
    pub(crate) fn compaction_failed(&self) {
        self.compaction_failures.add(1);
    }

    /// A load ended; one that found no board is neither timed nor a failure.
    pub(crate) fn loaded<T>(&self, took: Duration, outcome: &Result<T, Fault>) {
        match outcome {
            Ok(_) => self.board_load_seconds.observe(took.as_secs_f64()),
            Err(Fault::StateUnreadable | Fault::Internal) => self.board_load_failures.add(1),
            Err(_) => {}
        }
    }
}

/// Every method, with every class of status that answers have.
fn http_labels() -> impl Iterator<Item = Labels<2>> {
    const METHODS: [Method; 8] = [
        Method::Get,
        Method::Head,
        Method::Post,
        Method::Put,
        Method::Patch,
        Method::Delete,
        Method::Options,
        Method::Other,
    ];
    METHODS.into_iter().flat_map(|method| {
        [200, 300, 400, 500]
            .map(|status| [("method", method_label(method)), ("status", status_label(status))])
    })
}

fn method_label(method: Method) -> &'static str {
    match method {
        Method::Get => "GET",
        Method::Head => "HEAD",
        Method::Post => "POST",
        Method::Put => "PUT",
        Method::Patch => "PATCH",
        Method::Delete => "DELETE",
        Method::Options => "OPTIONS",
        Method::Other => "other",
    }
}

fn status_label(status: u16) -> &'static str {
    match status {
        ..300 => "2xx",
        300..400 => "3xx",
        400..500 => "4xx",
        500.. => "5xx",
    }
}

#[cfg(test)]
mod tests;
