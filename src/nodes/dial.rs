//! Connections between nodes, up to the first word.
//!
//! Owns finding and connecting, and [`NotPassed`]. Key invariant: every wait has an end.

use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;

use mio::net::TcpStream;

use crate::limits;
use crate::net::poller::{Direction, Registered};
use crate::net::socket::Socket;
use crate::net::{Late, within};
use crate::nodes::Nodes;
use crate::nodes::handshake::{CHALLENGE_BYTES, Challenge};

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

impl Nodes {
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
