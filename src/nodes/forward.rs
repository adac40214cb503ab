//! The way out: a request is offered to the node that has its board.
//!
//! Owns connecting and the sender's side of the handshake. Must not know who has a board. Key invariants: the
//! client's socket is not touched before the other node has taken the request; every wait has an end.

use std::future::poll_fn;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use mio::net::TcpStream;

use crate::limits;
use crate::metrics::nodes::Passing;
use crate::net::poller::{Direction, Registered};
use crate::net::socket::Socket;
use crate::net::{Late, within};
use crate::nodes::handshake::{Answer, CHALLENGE_BYTES, Challenge, Offer};
use crate::nodes::{Nodes, Passage};

/// Why a request was not passed on. But after the last one, nobody has done anything with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NotPassed {
    /// The other node says that it has not the board: look again.
    NotOwner,
    /// The other node, or this one, has too many already.
    Busy,
    /// The other node refuses; the secrets differ, most likely.
    Refused,
    /// The other node cannot be reached, or does not greet.
    Unreachable,
    /// The other node got the request, and gave no answer: it may be doing what it asks for.
    Unanswered,
}

impl NotPassed {
    fn outcome(self) -> Passing {
        match self {
            Self::NotOwner => Passing::NotOwner,
            Self::Busy => Passing::Busy,
            Self::Refused => Passing::Refused,
            Self::Unreachable => Passing::Unreachable,
            Self::Unanswered => Passing::Unanswered,
        }
    }
}

impl Nodes {
    /// Offers the node at `to` a request of `client` with this head, as it was received.
    ///
    /// What follows goes over the [`Passage`], which need not be used.
    ///
    /// # Errors
    /// [`NotPassed`].
    pub(crate) async fn offer(
        self: &Arc<Self>,
        to: &str,
        client: IpAddr,
        head: &[u8],
    ) -> Result<Passage, NotPassed> {
        let offered = self.offer_now(to, Offer { client, head }).await;
        let outcome = offered
            .as_ref()
            .err()
            .map_or(Passing::Passed, |why| why.outcome());
        self.metrics.passing(outcome);
        if let Err(why) = offered.as_ref()
            && *why != NotPassed::NotOwner
            && let Some(count) = self.refused.count(self.host.now().tick)
        {
            tracing::warn!(
                node = to,
                cause = outcome.as_str(),
                count,
                "requests could not be passed on to other nodes"
            );
        }
        offered
    }

    async fn offer_now(self: &Arc<Self>, to: &str, offer: Offer<'_>) -> Result<Passage, NotPassed> {
        let place = self.passed.enter().ok_or(NotPassed::Busy)?;
        let (mut socket, challenge) = self.greeted_by(to).await?;
        let bytes = offer.encode(&self.settings.secret, &challenge, to);
        let said = within(limits::NODE_HANDSHAKE_TIME_MAX, socket.send_all(&bytes)).await;
        if !matches!(said, Ok(Ok(()))) {
            return Err(NotPassed::Unanswered);
        }
        let answer = within(limits::NODE_DECIDE_TIME_MAX, take_exactly::<1>(&mut socket)).await;
        let Ok(Ok([answer])) = answer else {
            return Err(NotPassed::Unanswered);
        };
        match Answer::of(answer) {
            Some(Answer::Taken) => Ok(Passage::new(self, to, socket, place)),
            Some(Answer::NotOwner) => Err(NotPassed::NotOwner),
            Some(Answer::Busy) => Err(NotPassed::Busy),
            Some(Answer::Refused) | None => Err(NotPassed::Refused),
        }
    }

    /// Connects, and waits for the challenge.
    pub(super) async fn greeted_by(&self, to: &str) -> Result<(Socket, Challenge), NotPassed> {
        let connected = within(limits::NODE_CONNECT_TIME_MAX, Box::pin(self.connect(to))).await;
        let Ok(Ok(mut socket)) = connected else {
            self.names.forget(to);
            return Err(NotPassed::Unreachable);
        };
        let greeting = take_exactly::<CHALLENGE_BYTES>(&mut socket);
        match within(limits::NODE_HANDSHAKE_TIME_MAX, greeting).await {
            Ok(Ok(challenge)) => Ok((socket, challenge)),
            // It accepts, and hangs up on whoever it has no room for.
            Ok(Err(error)) if error.kind() == io::ErrorKind::UnexpectedEof => Err(NotPassed::Busy),
            Ok(Err(_)) | Err(Late) => Err(NotPassed::Unreachable),
        }
    }

    async fn connect(&self, to: &str) -> io::Result<Socket> {
        let mut outcome = Err(io::ErrorKind::NotFound.into());
        for address in self.names.find(&self.host, to).await? {
            outcome = self.connect_to(address).await;
            if outcome.is_ok() {
                break;
            }
        }
        outcome
    }

    async fn connect_to(&self, address: SocketAddr) -> io::Result<Socket> {
        let stream = Registered::new(TcpStream::connect(address)?, &self.poller)?;
        poll_fn(|cx| stream.poll_ready(cx, Direction::Write)).await;
        let io = stream.get_ref();
        if let Some(error) = io.take_error()? {
            return Err(error);
        }
        io.peer_addr()?;
        io.set_nodelay(true)?;
        keep_alive(io)?;
        Ok(Socket::new(stream))
    }
}

/// Has the kernel ask the other end whether it is there, where nothing else is said: so that no firewall
/// between two nodes forgets a connection, and the other end's machine is missed once it is gone.
pub(super) fn keep_alive(stream: &TcpStream) -> io::Result<()> {
    use rustix::net::sockopt;
    sockopt::set_socket_keepalive(stream, true)?;
    sockopt::set_tcp_keepidle(stream, limits::NODE_QUIET_MAX)?;
    sockopt::set_tcp_keepintvl(stream, limits::NODE_QUIET_MAX / 5)?;
    sockopt::set_tcp_keepcnt(stream, 5)?;
    Ok(())
}

/// Receives so many bytes, and none behind them.
pub(super) async fn take_exactly<const N: usize>(socket: &mut Socket) -> io::Result<[u8; N]> {
    fill(socket, N).await?;
    let taken = socket.ahead().first_chunk().copied().unwrap_or([0; N]);
    socket.use_ahead(N);
    Ok(taken)
}

/// Receives until so many bytes are ahead, and none behind them.
pub(super) async fn fill(socket: &mut Socket, bytes: usize) -> io::Result<()> {
    while socket.ahead().len() < bytes {
        let missing = bytes - socket.ahead().len();
        if socket.receive(missing).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
    Ok(())
}
