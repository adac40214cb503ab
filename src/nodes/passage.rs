//! What one node passes on once another has taken it: bytes, both ways, whatever they mean.
//!
//! Owns [`Passage`] and [`Carrying`]. Must not know what is carried. Key invariants: of each way at most one
//! read waits, and while it does that side is not read; memory is held only while something waits; the end of
//! one way is passed on when all before it was, and a cut of either side cuts the other.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use crate::limits;
use crate::net::poller::Sleep;
use crate::net::socket::{Socket, WRITE_TURN_BYTES};
use crate::nodes::Nodes;
use crate::nodes::counts::Place;
use crate::nodes::watch::Watched;

/// A connection to a node that has taken a request.
#[derive(Debug)]
pub(crate) struct Passage {
    node: Socket,
    watched: Watched,
    _place: Place,
}

impl Passage {
    /// Counts it, and watches the node for as long.
    pub(super) fn new(nodes: &Arc<Nodes>, to: &str, node: Socket, place: Place) -> Self {
        let watched = Watched::new(nodes, to, node.registered());
        Self {
            node,
            watched,
            _place: place,
        }
    }

    /// Carries what comes of the client and of the node, until either ends it.
    pub(crate) fn carry(self, client: Socket) -> Carrying {
        let nodes = self.watched.nodes();
        nodes.note_waiting(0, client.ahead_held());
        Carrying {
            client,
            passage: self,
            is_client_over: false,
            is_node_over: false,
            linger: None,
        }
    }
}

/// A client's connection that is passed on.
#[derive(Debug)]
pub(crate) struct Carrying {
    client: Socket,
    passage: Passage,
    is_client_over: bool,
    is_node_over: bool,
    /// How long the client may still send, once the node has said all.
    linger: Option<Sleep>,
}

impl Nodes {
    fn note_waiting(&self, before: usize, after: usize) {
        if before != after {
            self.waiting.change(before, after);
            self.metrics.set_waiting(self.waiting.bytes());
        }
    }

    /// Carries what comes one way; `Ready` at its end. `moved` is told how much came.
    fn poll_way(
        &self,
        cx: &mut Context<'_>,
        (from, to): (&mut Socket, &Socket),
        moved: impl Fn(usize),
    ) -> Poll<io::Result<()>> {
        let mut turn = WRITE_TURN_BYTES;
        loop {
            while !from.ahead().is_empty() {
                let Poll::Ready(sent) = to.poll_send(cx, from.ahead()) else {
                    // It is not read, and would not tell that it was cut.
                    ready!(from.poll_cut(cx));
                    return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
                };
                let held = from.ahead_held();
                from.use_ahead(sent?);
                self.note_waiting(held, from.ahead_held());
            }
            if turn == 0 {
                // Others have their turn; this goes on when they had it.
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            let room = self.waiting.room().min(turn);
            let received = ready!(from.poll_receive(cx, room, |bytes| to.send_now(bytes)))?;
            if received == 0 {
                to.end()?;
                return Poll::Ready(Ok(()));
            }
            turn -= received;
            moved(received);
            self.note_waiting(0, from.ahead_held());
        }
    }
}

impl Carrying {
    /// `Ready` once both ways are over, or one was cut.
    fn poll_both(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Self { client, passage, .. } = self;
        let (node, nodes) = (&mut passage.node, passage.watched.nodes());
        if !self.is_client_over {
            let way = nodes.poll_way(cx, (client, node), |bytes| nodes.metrics.to_owner(bytes));
            self.is_client_over = way?.is_ready();
        }
        if !self.is_node_over {
            let way = nodes.poll_way(cx, (node, client), |bytes| nodes.metrics.to_client(bytes));
            self.is_node_over = way?.is_ready();
        }
        if self.is_client_over && self.is_node_over {
            return Poll::Ready(Ok(()));
        }
        if self.is_node_over {
            let sleep = || nodes.poller.sleep(limits::LINGER_TIME_MAX);
            ready!(Pin::new(self.linger.get_or_insert_with(sleep)).poll(cx));
            return Poll::Ready(Ok(()));
        }
        Poll::Pending
    }
}

impl Future for Carrying {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        // Whether it ended in order or was cut: both sockets are closed.
        self.poll_both(cx).map(drop)
    }
}

impl Drop for Carrying {
    fn drop(&mut self) {
        let held = self.client.ahead_held() + self.passage.node.ahead_held();
        self.passage.watched.nodes().note_waiting(held, 0);
    }
}
