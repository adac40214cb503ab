//! The network: sockets, what comes over them and who may come in.
//!
//! Owns `Shell`, what all connections share, and sockets, the bytes of requests, upgrades and WebSocket
//! connections, with the bounds on all of them. Must not decide what a message means. Key invariant: every
//! byte from a socket is counted and bounded before it is kept.

pub(crate) mod admission;
mod connection;
pub mod disposition;
pub(crate) mod doors;
pub(crate) mod events;
pub(crate) mod handshakes;
pub(crate) mod hosts;
pub(crate) mod incoming;
pub(crate) mod listener;
pub(crate) mod live;
mod messages;
pub(crate) mod pace;
pub(crate) mod poller;
pub(crate) mod receiving;
pub(crate) mod request_id;
pub(crate) mod secured;
pub(crate) mod seldom;
pub(crate) mod sign_in;
pub(crate) mod socket;
mod summary;
pub(crate) mod upgrades;
mod within;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use crate::boards::Boards;
use crate::http::host::Served;
use crate::limits;
use crate::metrics::Metrics;
use crate::net::disposition::CloseCodes;
use crate::net::doors::Doors;
use crate::net::incoming::Bounds;
use crate::net::live::{Changeable, Live};
use crate::net::receiving::Receiving;
use crate::net::seldom::Seldom;
use crate::time::{Now, Tick};

pub(crate) use within::{Late, within};

/// What is set about connections and requests, once.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    /// `--max-asset-bytes`.
    pub(crate) asset_bytes: usize,
    /// `--max-outbox-bytes`.
    pub(crate) outbox_bytes: usize,
    /// `--close-codes`.
    pub(crate) close_codes: CloseCodes,
    /// Which hosts requests may name.
    pub(crate) served: Served,
    /// The path of `--public-url`.
    pub(crate) base_path: String,
    /// How people are signed in without a token.
    pub(crate) sign_in: sign_in::Settings,
}

/// How many may connect; it may change.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Crowd {
    /// `--max-connections`.
    pub(crate) connections: usize,
    /// `--max-connections-per-address`.
    pub(crate) per_address: usize,
}

/// What all connections of a process share.
pub(crate) struct Shell {
    pub(crate) settings: Settings,
    pub(crate) live: Live,
    pub(crate) boards: Arc<Boards>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) doors: Arc<Doors>,
    pub(crate) receiving: Arc<Receiving>,
    /// Of what requests bring and get.
    pub(crate) bounds: Arc<Bounds>,
    /// When it began.
    pub(crate) started: Tick,
    /// Requests for other hosts, pages of other origins, and upgrades that a proxy took the upgrade out of.
    misdirected: Seldom,
    foreign: Seldom,
    stripped: Seldom,
    /// Requests that could not be answered at the moment.
    pub(crate) unanswered: Seldom,
    connection_ids: AtomicU64,
}

impl Shell {
    /// Nobody is connected yet.
    pub(crate) fn new(
        settings: Settings,
        (live, crowd): (Changeable, Crowd),
        boards: Arc<Boards>,
        metrics: Arc<Metrics>,
    ) -> Arc<Self> {
        let receiving = Receiving::new(limits::RECEIVING_BYTES_MAX);
        let disk = Arc::clone(&boards);
        let bounds = Bounds {
            body_bytes: AtomicUsize::new(live.body_bytes),
            body_time: limits::BODY_TIME_MAX,
            answer_time: limits::RESPONSE_TIME_MAX,
            receiving: Arc::clone(&receiving),
            answers: Arc::clone(&boards.answers),
            disk_is_behind: Box::new(move || disk.is_disk_behind()),
        };
        Arc::new(Self {
            doors: Arc::new(Doors::new(crowd)),
            receiving,
            bounds: Arc::new(bounds),
            started: boards.now().tick,
            misdirected: Seldom::default(),
            foreign: Seldom::default(),
            stripped: Seldom::default(),
            unanswered: Seldom::default(),
            connection_ids: AtomicU64::new(1),
            settings,
            live: Live::new(live),
            boards,
            metrics,
        })
    }

    /// From now on these count; nobody who is connected is cut.
    pub(crate) fn change(&self, live: Changeable, crowd: Crowd) {
        self.bounds.body_bytes.store(live.body_bytes, Ordering::Relaxed);
        self.doors.change(crowd);
        self.live.set(live);
    }

    /// Reads the clocks.
    pub(crate) fn now(&self) -> Now {
        self.boards.now()
    }

    /// The number of a connection, in the log.
    pub(crate) fn next_connection_id(&self) -> u64 {
        self.connection_ids.fetch_add(1, Ordering::Relaxed)
    }
}
