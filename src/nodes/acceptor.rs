//! The way in: connections of other nodes that pass requests on.
//!
//! Owns the acceptor's side of the handshake and its bounds. Must not know what a request is about; whoever
//! is handed in as [`Takes`] does. Key invariant: nothing that is not signed with the secret gets further
//! than this file; what is refused is counted, and told now and then, without what it said.

use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::{Pin, pin};
use std::sync::Arc;

use smol::future::yield_now;

use crate::limits;
use crate::metrics::nodes::Taking;
use crate::net::listener::Listener;
use crate::net::poller::Poller;
use crate::net::socket::Socket;
use crate::net::{Late, within};
use crate::nodes::counts::Place;
use crate::nodes::dial::{fill, keep_alive, take_exactly};
use crate::nodes::handshake::{self, Answer, COUNT_BYTES, Challenge, Wrong};
use crate::nodes::names;
use crate::nodes::{Nodes, Settings};

/// A request that another node passes on, and the connection on which its body follows and the answer goes.
pub(crate) struct Passed {
    pub(crate) socket: Socket,
    /// The client's address, as the other node saw it.
    pub(crate) client: IpAddr,
    /// One whole head, as the client sent it.
    pub(crate) head: Vec<u8>,
    /// Counts it until it is dropped.
    pub(crate) place: Place,
}

/// Somebody who serves requests that other nodes pass on.
pub(crate) trait Takes: Send + Sync {
    /// Whether this node has what a request with this head is about.
    fn is_here<'a>(&'a self, head: &'a [u8]) -> Pin<Box<dyn Future<Output = bool> + Send + 'a>>;

    /// Serves it, in a task of its own.
    fn take(&self, passed: Passed);
}

/// Why a handshake came to nothing.
enum Failed {
    Wrong(Wrong),
    /// The other node is gone; that it looked whether we are here is one of its reasons.
    Gone,
}

impl From<io::Error> for Failed {
    fn from(_: io::Error) -> Self {
        Self::Gone
    }
}

/// Listens where `--node-address` leads to.
///
/// # Errors
/// Nothing of it can be listened on.
pub(crate) fn listen(address: &str, poller: &Arc<Poller>) -> io::Result<Listener> {
    let mut outcome = Err(io::ErrorKind::AddrNotAvailable.into());
    for address in names::listening(address)? {
        outcome = Listener::bind(address, poller);
        // Where the address is one of this machine, it is meant: whatever is wrong with it is to be told.
        if !matches!(&outcome, Err(error) if error.kind() == io::ErrorKind::AddrNotAvailable) {
            break;
        }
    }
    outcome
}

impl Nodes {
    /// Takes connections of other nodes for ever.
    pub(crate) async fn accept(self: Arc<Self>, listener: Listener, takes: Arc<dyn Takes>) {
        loop {
            let (stream, peer) = listener.accept().await;
            let Some(place) = self.greeted.enter() else {
                self.metrics.taking(Taking::Busy);
                continue;
            };
            if keep_alive(&stream).is_ok()
                && let Ok(socket) = listener.open(stream)
            {
                let (nodes, takes) = (Arc::clone(&self), Arc::clone(&takes));
                let greeting = async move { nodes.greet((socket, peer), &*takes, place).await };
                self.host.start(Box::pin(greeting));
            }
            // Those who are in have their turn while others come.
            yield_now().await;
        }
    }

    async fn greet(
        self: Arc<Self>,
        (mut socket, peer): (Socket, SocketAddr),
        takes: &dyn Takes,
        place: Place,
    ) {
        let heard = {
            let hearing = pin!(self.hear(&mut socket));
            within(limits::NODE_HANDSHAKE_TIME_MAX, hearing).await
        };
        let (client, head) = match heard {
            Ok(Ok(heard)) => heard,
            Ok(Err(Failed::Gone)) => return,
            Ok(Err(Failed::Wrong(why))) => {
                self.note_wrong(peer, why);
                return self.say(&mut socket, Answer::Refused).await;
            }
            Err(Late) => return self.metrics.taking(Taking::Late),
        };
        let deciding = within(limits::NODE_DECIDE_TIME_MAX, takes.is_here(&head));
        if deciding.await != Ok(true) {
            self.metrics.taking(Taking::NotOwner);
            return self.say(&mut socket, Answer::NotOwner).await;
        }
        let Some(taken) = self.taken.enter() else {
            self.metrics.taking(Taking::Busy);
            return self.say(&mut socket, Answer::Busy).await;
        };
        self.metrics.taking(Taking::Taken);
        drop(place);
        if socket.send_all(&[Answer::Taken.byte()]).await.is_ok() {
            takes.take(Passed {
                socket,
                client,
                head,
                place: taken,
            });
        }
    }

    /// Sends a challenge, and hears what it is answered with.
    async fn hear(&self, socket: &mut Socket) -> Result<(IpAddr, Vec<u8>), Failed> {
        let mut challenge = Challenge::default();
        getrandom::fill(&mut challenge).map_err(io::Error::other)?;
        socket.send_all(&challenge).await?;
        let count = take_exactly::<COUNT_BYTES>(socket).await?;
        let bytes = handshake::length(count).map_err(Failed::Wrong)?;
        fill(socket, bytes).await?;
        let Settings { secret, address, .. } = &self.settings;
        let offer = handshake::read(secret, &challenge, address, socket.ahead()).map_err(Failed::Wrong)?;
        let heard = (offer.client, offer.head.to_vec());
        socket.use_ahead(bytes);
        Ok(heard)
    }

    /// Says why not, and waits a little, so that it is read.
    async fn say(&self, socket: &mut Socket, answer: Answer) {
        if socket.send_all(&[answer.byte()]).await.is_ok() {
            within(limits::LINGER_TIME_MAX, socket.drain())
                .await
                .unwrap_or_default();
        }
    }

    fn note_wrong(&self, peer: SocketAddr, why: Wrong) {
        self.metrics.taking(Taking::Refused);
        if let Some(count) = self.wrong.count(self.host.now().tick) {
            tracing::warn!(
                address = %peer.ip(),
                cause = ?why,
                count,
                "refused connections to --node-address; all nodes must have the same --node-secret, and know this one by \
                 its --node-address"
            );
        }
    }
}
