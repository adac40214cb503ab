//! Whether a request is served here, or by the node that has its board.
//!
//! Owns the attempts to pass a request on. Must not find out who has a board: a [`Routes`] that is handed in
//! does. Key invariant: a request is passed on once at most, since what
//! comes from a node is served or refused. Tests: `routing/tests.rs`, and tests/it/nodes.

use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Instant;

use async_io::Timer;

use crate::boards::Boards;
use crate::fault::Fault;
use crate::ids::BoardId;
use crate::limits;
use crate::net::within;
use crate::nodes::{Nodes, NotPassed, Passage};
use crate::store::ownership::Neighbour;

/// A wait for which other node has a board, if one has.
pub(crate) type Elsewhere<'a> = Pin<Box<dyn Future<Output = Result<Option<Neighbour>, Fault>> + Send + 'a>>;

/// Who knows which node has a board.
pub(crate) trait Routes: Send + Sync {
    /// The node that has it, where that is another one.
    fn elsewhere<'a>(&'a self, board: &'a BoardId) -> Elsewhere<'a>;

    /// The board is not where it was said to be: the next answer is looked up.
    fn forget(&self, board: &BoardId);

    /// Whether this node serves boards.
    fn is_serving(&self) -> bool;
}

impl Routes for Arc<Boards> {
    fn elsewhere<'a>(&'a self, board: &'a BoardId) -> Elsewhere<'a> {
        Box::pin(self.neighbour_with(board))
    }

    fn forget(&self, board: &BoardId) {
        self.forget_whereabouts(board);
    }

    fn is_serving(&self) -> bool {
        self.may_serve() && !self.is_stopping()
    }
}

/// Where requests go.
pub(crate) struct Routing {
    pub(crate) nodes: Arc<Nodes>,
    pub(crate) routes: Arc<dyn Routes>,
}

impl Routing {
    /// Passes a request on that is about this board, where another node has it. Where that node cannot be
    /// reached it may have gone, and the board is on its way to another one: that is waited for.
    ///
    /// # Errors
    /// [`Fault::Elsewhere`], where it has, and does not take it in time; [`Fault::StateUnreadable`].
    pub(super) async fn away(
        &self,
        board: &BoardId,
        client: IpAddr,
        head: &[u8],
    ) -> Result<Option<Passage>, Fault> {
        let until = Instant::now() + limits::NODE_PATIENCE;
        let mut pause = limits::NODE_RETRY_MIN;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            // A store that hangs is waited for much longer by who loads a board.
            let found = within(left, self.routes.elsewhere(board)).await;
            let Some(neighbour) = found.unwrap_or(Err(Fault::StateUnreadable))? else {
                return Ok(None);
            };
            let Some(to) = &neighbour.address else {
                tracing::warn!(%board, other = %neighbour.node, "the node that has the board was given no --node-address");
                return Err(Fault::Elsewhere);
            };
            let left = until.saturating_duration_since(Instant::now());
            match Box::pin(self.nodes.offer(to, (client, head), left)).await {
                Ok(passage) => return Ok(Some(passage)),
                Err(NotPassed::NotOwner | NotPassed::Unreachable) if Instant::now() + pause < until => {
                    Timer::after(pause).await;
                    pause = (pause * 2).min(limits::NODE_RETRY_MAX);
                    self.routes.forget(board);
                }
                Err(_) => return Err(Fault::Elsewhere),
            }
        }
    }
}

#[cfg(test)]
mod tests;
