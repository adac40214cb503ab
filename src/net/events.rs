//! One connection that follows a board: events are sent until either side ends it.
//!
//! Owns [`Stream`]. Must not know what events say. Key invariants: nothing is kept for a peer that does not
//! read but what is being sent; who takes nothing for long, or falls behind all that is kept, is dropped; an
//! end that is ordered is not held up by a peer. Tests: tests/it/events.rs.

use std::sync::Arc;

use async_io::Timer;
use smol::future::FutureExt as _;

use crate::boards::following::Follower;
use crate::boards::rights::Granted;
use crate::fault::Fault;
use crate::limits;
use crate::net::disposition::{self, log_at};
use crate::net::doors::ConnectionPlace;
use crate::net::socket::{READ_BYTES, Socket};
use crate::net::{Late, Shell, within};

/// Somebody who follows a board, and its place among the connections.
pub(crate) struct Stream {
    shell: Arc<Shell>,
    follower: Follower,
    place: ConnectionPlace,
    /// Who it is, and the number of the connection, for the log.
    granted: Granted,
    connection: u64,
}

impl Stream {
    /// Of somebody who has been taken in.
    pub(crate) fn new(
        (shell, connection): (&Arc<Shell>, u64),
        granted: Granted,
        (follower, place): (Follower, ConnectionPlace),
    ) -> Self {
        Self {
            shell: Arc::clone(shell),
            follower,
            place,
            granted,
            connection,
        }
    }

    /// Sends events over `socket`, on which the head has been sent, until either side ends it.
    pub(crate) async fn run(self: Box<Self>, mut socket: Socket) {
        let id = self.connection;
        let Granted {
            board, grant, actor, ..
        } = self.granted.clone();
        let (subject, access) = (grant.subject.as_str(), grant.level.as_str());
        let address = actor.address.map(tracing::field::display);
        tracing::info!(connection = id, %board, subject, access, address, "follows");
        self.shell.metrics.opened();
        let end = self.send(&mut socket).await;
        let Self {
            shell,
            follower,
            place,
            ..
        } = *self;
        // While it lingers it takes no place.
        drop((follower, place));
        shell.metrics.ended(end);
        let (log, reason) = end.map_or((tracing::Level::INFO, "left"), |fault| {
            let row = disposition::of(fault);
            (row.log, row.reason)
        });
        log_at!(log, connection = id, %board, subject, reason, "follows no more");
        within(limits::LINGER_TIME_MAX, socket.drain())
            .await
            .unwrap_or_default();
    }

    /// Sends events; the fault that ended it, where it was not the peer.
    async fn send(&self, socket: &mut Socket) -> Option<Fault> {
        loop {
            let next = async { Some(self.follower.next().await) };
            let gone = async {
                gone(socket).await;
                None
            };
            let quiet = async {
                Timer::after(limits::EVENT_QUIET_MAX).await;
                Some(Ok(self.follower.sign_of_life()))
            };
            let bytes = match next.or(gone).or(quiet).await? {
                Ok(bytes) => bytes,
                Err(fault) => return fault,
            };
            let sending = async {
                match within(limits::RESPONSE_TIME_MAX, socket.send_all(&bytes)).await {
                    Ok(Ok(())) => Ok(()),
                    Ok(Err(_)) => Err(None),
                    Err(Late) => Err(Some(Fault::SlowConsumer)),
                }
            };
            let cut_off = async { Err(self.follower.cut_off().await) };
            if let Err(fault) = sending.or(cut_off).await {
                return fault;
            }
            self.shell.metrics.sent(bytes.len());
        }
    }
}

/// Waits until the peer has ended its half, or is gone. What it sends is of no use to anybody.
async fn gone(socket: &mut Socket) {
    loop {
        socket.use_ahead(usize::MAX);
        if !matches!(socket.receive(READ_BYTES).await, Ok(1..)) {
            return;
        }
    }
}
