//! How a connection becomes an encrypted one, and what becomes of one that does not.
//!
//! Owns [`Handshakes`]: the certificate that is shown, and the bounds on handshakes in time, bytes, number
//! and work. Must not know what is spoken afterwards. Key invariants: what takes the time of a signature is
//! done on the blocking pool, a few at a time; whatever others leave half done, who comes gets a place.
//! Tests: tests/it/tls.rs, tests/abuse.

use std::collections::BTreeMap;
use std::net::{IpAddr, Shutdown};
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use mio::net::TcpStream;
use smol::lock::Semaphore;

use crate::http::head::{Method, Persistence};
use crate::http::response::Response;
use crate::limits;
use crate::metrics::handshakes::Handshake;
use crate::net::poller::Registered;
use crate::net::secured::Secured;
use crate::net::seldom::Seldom;
use crate::net::socket::Socket;
use crate::net::{Late, Shell, within};
use crate::tls::{Certificates, HANDSHAKE};

/// What who speaks no TLS is told.
const HINT: &str = "this port speaks TLS: open the address with https:// or wss://\n";

/// What all handshakes of a port share.
pub(crate) struct Handshakes {
    certificates: Arc<Certificates>,
    at_work: Semaphore,
    half_done: Mutex<HalfDone>,
    plain: Seldom,
}

/// The sockets of handshakes that have begun, by when they did.
#[derive(Debug, Default)]
struct HalfDone {
    next: u64,
    sockets: BTreeMap<u64, Arc<Registered<TcpStream>>>,
}

/// A place among them; given back when dropped.
struct Place<'a> {
    handshakes: &'a Handshakes,
    number: u64,
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.handshakes.half_done().sockets.remove(&self.number);
    }
}

/// What came of a handshake that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Undone {
    Failed,
    Plain,
}

impl From<std::io::Error> for Undone {
    fn from(_: std::io::Error) -> Self {
        Self::Failed
    }
}

impl Handshakes {
    /// None has begun.
    pub(crate) fn new(certificates: Arc<Certificates>) -> Self {
        Self {
            certificates,
            at_work: Semaphore::new(limits::TLS_HANDSHAKES_AT_WORK_MAX),
            half_done: Mutex::default(),
            plain: Seldom::default(),
        }
    }

    /// What is shown.
    pub(crate) fn certificates(&self) -> &Arc<Certificates> {
        &self.certificates
    }

    fn half_done(&self) -> MutexGuard<'_, HalfDone> {
        self.half_done.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Agrees on keys with whoever has connected; `None` once nothing came of it.
    pub(crate) async fn secure(&self, shell: &Shell, mut socket: Socket, peer: IpAddr) -> Option<Socket> {
        let place = self.enter(socket.registered());
        let shaking = within(limits::TLS_HANDSHAKE_TIME_MAX, pin!(self.shake(&mut socket))).await;
        let is_cut = !self.half_done().sockets.contains_key(&place.number);
        drop(place);
        let outcome = match shaking {
            Ok(Ok(())) => Handshake::Done,
            Ok(Err(Undone::Plain)) => Handshake::Plain,
            Ok(Err(Undone::Failed)) if is_cut => Handshake::Cut,
            Ok(Err(Undone::Failed)) => Handshake::Failed,
            Err(Late) => Handshake::Late,
        };
        shell.metrics.handshakes().ended(outcome);
        match outcome {
            Handshake::Done => return Some(socket),
            Handshake::Plain => self.tell(shell, &mut socket, peer).await,
            Handshake::Failed | Handshake::Cut | Handshake::Late => {
                tracing::debug!(%peer, outcome = outcome.as_str(), "no handshake of TLS");
            }
        }
        None
    }

    /// Counts a handshake that begins, and cuts the one that did first where there are too many.
    fn enter(&self, socket: &Arc<Registered<TcpStream>>) -> Place<'_> {
        let mut half_done = self.half_done();
        if half_done.sockets.len() >= limits::TLS_HANDSHAKES_MAX
            && let Some((_, first)) = half_done.sockets.pop_first()
        {
            // Its task finds the end.
            first.get_ref().shutdown(Shutdown::Both).unwrap_or_default();
        }
        let number = half_done.next;
        half_done.next += 1;
        half_done.sockets.insert(number, Arc::clone(socket));
        Place {
            handshakes: self,
            number,
        }
    }

    async fn shake(&self, socket: &mut Socket) -> Result<(), Undone> {
        let session = self.certificates.session().map_err(std::io::Error::from)?;
        let secured = Arc::new(Secured::new(Arc::clone(socket.registered()), session));
        let mut left = limits::TLS_HANDSHAKE_BYTES_MAX;
        let mut plain = Vec::new();
        while secured.session().is_handshaking() {
            let received = socket.receive(left).await?;
            left -= received;
            if received == 0 {
                return Err(Undone::Failed);
            }
            let is_first = left + received == limits::TLS_HANDSHAKE_BYTES_MAX;
            if is_first && socket.ahead().first() != Some(&HANDSHAKE) {
                return Err(Undone::Plain);
            }
            secured.session().keep(socket.ahead());
            socket.use_ahead(usize::MAX);
            if !secured.session().has_record() {
                continue;
            }
            let turn = self.at_work.acquire().await;
            let working = Arc::clone(&secured);
            let taken = smol::unblock(move || {
                let mut plain = Vec::new();
                working.take(&[], &mut plain).map(|_| plain)
            });
            plain = taken.await?;
            drop(turn);
            socket.flush(&secured).await?;
        }
        socket.secure(secured, plain);
        Ok(())
    }

    /// Tells who speaks no TLS what to do, and the log that somebody does so.
    async fn tell(&self, shell: &Shell, socket: &mut Socket, peer: IpAddr) {
        if let Some(count) = self.plain.count(shell.now().tick) {
            tracing::warn!(%peer, count, "refused connections without TLS to a port that speaks it; clients use https:// or wss://");
        }
        socket.use_ahead(usize::MAX);
        let answer = Response::text(400, HINT);
        let head = answer.encode_head(Persistence::Close);
        let telling = async {
            let sent = socket
                .send_all(&[&head, answer.payload(Method::Get)].concat())
                .await;
            if sent.is_ok() {
                socket.drain().await;
            }
        };
        within(limits::LINGER_TIME_MAX, telling).await.unwrap_or_default();
    }
}
