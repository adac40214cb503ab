//! A port, and who comes there.
//!
//! Owns [`Listener`]. Must not know who may come in.

use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use async_io::Timer;
use mio::net::{TcpListener, TcpStream};

use crate::limits;
use crate::net::poller::{Direction, Poller, Registered};
use crate::net::socket::Socket;

/// Where connections are accepted.
pub(crate) struct Listener(Registered<TcpListener>);

impl Listener {
    /// Binds and listens, with room for a storm of joins.
    ///
    /// # Errors
    /// The address cannot be listened on.
    pub(crate) fn bind(address: SocketAddr, poller: &Arc<Poller>) -> io::Result<Self> {
        Self::on(std::net::TcpListener::bind(address)?, poller)
    }

    /// Listens on a socket that is bound, or that somebody listens on already.
    ///
    /// # Errors
    /// The operating system refused.
    pub(crate) fn on(listener: std::net::TcpListener, poller: &Arc<Poller>) -> io::Result<Self> {
        // The standard library listens with a backlog of 128; listening again sets a larger one.
        rustix::net::listen(&listener, limits::LISTEN_BACKLOG)?;
        listener.set_nonblocking(true)?;
        Registered::new(TcpListener::from_std(listener), poller).map(Self)
    }

    /// Where it listens.
    ///
    /// # Errors
    /// The system does not say.
    pub(crate) fn address(&self) -> io::Result<SocketAddr> {
        self.0.get_ref().local_addr()
    }

    /// The next connection, of which nothing was paid yet but the system call.
    pub(crate) async fn accept(&self) -> (TcpStream, SocketAddr) {
        loop {
            match self.0.get_ref().accept() {
                Ok(accepted) => return accepted,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    poll_fn(|cx| self.0.poll_ready(cx, Direction::Read)).await;
                }
                Err(error) => {
                    // Out of descriptors, most likely: what is open goes on, and new ones may work later.
                    tracing::error!(%error, help = "docs/troubleshooting.md#doctor-open-files", "cannot accept a connection");
                    Timer::after(Duration::from_millis(100)).await;
                }
            }
        }
    }

    /// Makes a socket of it.
    ///
    /// # Errors
    /// The operating system refused.
    pub(crate) fn open(&self, stream: TcpStream) -> io::Result<Socket> {
        // Without it a small frame could wait for the peer's delayed acknowledgement.
        stream.set_nodelay(true)?;
        Registered::new(stream, self.0.poller()).map(Socket::new)
    }
}
