//! Whether the nodes are there that something is passed on to.
//!
//! Owns [`Watch`]: a look at each such node a second, as long as something is passed on to it; and the cut of
//! all that is, when it did not greet `limits::NODE_LOOKS_MAX` times in a row. The sockets themselves would
//! not tell: a process that hangs has a kernel that goes on acknowledging, and where no packet passes any
//! more, what was sent is sent again for minutes. A shorter timeout of the kernel's (`TCP_USER_TIMEOUT`)
//! would also cut those whose client only reads slowly. Key invariant: a node to which nothing is passed on
//! is not looked at, and takes no memory.

use std::collections::HashMap;
use std::net::Shutdown;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use mio::net::TcpStream;

use crate::limits;
use crate::net::poller::Registered;
use crate::nodes::Nodes;
use crate::nodes::dial::NotPassed;

type Stream = Arc<Registered<TcpStream>>;

/// The nodes that something is passed on to.
#[derive(Debug, Default)]
pub(super) struct Watch(Mutex<Neighbours>);

#[derive(Debug, Default)]
struct Neighbours {
    next: u64,
    /// By address: the connections to it.
    streams: HashMap<Arc<str>, HashMap<u64, Stream>>,
}

/// A connection that is cut when its node is gone, as long as this is kept.
pub(super) struct Watched {
    nodes: Arc<Nodes>,
    to: Arc<str>,
    id: u64,
}

impl std::fmt::Debug for Watched {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Watched({})", self.to)
    }
}

impl Watch {
    fn lock(&self) -> MutexGuard<'_, Neighbours> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Cuts everything.
    pub(super) fn cut_all(&self) {
        self.lock().streams.values().for_each(|streams| {
            cut(streams);
        });
    }

    /// Whether no node is looked at.
    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.lock().streams.is_empty()
    }

    /// Whether nothing is passed on to that node; it is then forgotten.
    fn forget_if_unused(&self, to: &str) -> bool {
        let mut neighbours = self.lock();
        let is_unused = neighbours.streams.get(to).is_none_or(HashMap::is_empty);
        if is_unused {
            neighbours.streams.remove(to);
        }
        is_unused
    }
}

/// Cuts connections: whoever carries over one learns of it as of any other end.
fn cut(streams: &HashMap<u64, Stream>) -> usize {
    let cut = |stream: &&Stream| stream.get_ref().shutdown(Shutdown::Both).is_ok();
    streams.values().filter(cut).count()
}

impl Watched {
    /// Watches a connection to the node at `to`.
    pub(super) fn new(nodes: &Arc<Nodes>, to: &str, stream: &Stream) -> Self {
        let mut neighbours = nodes.watch.lock();
        let id = neighbours.next;
        neighbours.next += 1;
        let known = neighbours.streams.get_key_value(to);
        let known = known.map(|(known, _)| Arc::clone(known));
        let is_new = known.is_none();
        let to = known.unwrap_or_else(|| to.into());
        let streams = neighbours.streams.entry(Arc::clone(&to)).or_default();
        streams.insert(id, Arc::clone(stream));
        drop(neighbours);
        if is_new {
            let looking = look(Arc::clone(nodes), Arc::clone(&to));
            nodes.host.start(Box::pin(looking));
        }
        let nodes = Arc::clone(nodes);
        Self { nodes, to, id }
    }

    pub(super) fn nodes(&self) -> &Arc<Nodes> {
        &self.nodes
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        if let Some(streams) = self.nodes.watch.lock().streams.get_mut(&self.to) {
            streams.remove(&self.id);
        }
    }
}

/// Looks at a node until nothing is passed on to it any more.
async fn look(nodes: Arc<Nodes>, to: Arc<str>) {
    let mut missed = 0;
    loop {
        nodes.host.sleep(limits::NODE_LOOK_EVERY).await;
        if nodes.watch.forget_if_unused(&to) {
            return;
        }
        missed = match nodes.greeted_by(&to).await {
            // Who hangs up for want of room is there.
            Ok(_) | Err(NotPassed::Busy) => 0,
            Err(_) => missed + 1,
        };
        if missed >= limits::NODE_LOOKS_MAX {
            missed = 0;
            let count = nodes.watch.lock().streams.get(&to).map_or(0, cut);
            nodes.metrics.cut(count);
            tracing::warn!(
                other = &*to,
                count,
                "a node does not answer; what was passed on to it was cut"
            );
        }
    }
}
