//! Whether a request is served here, or by the node that has its board.
//!
//! Owns the attempts to pass a request on. Must not know who has a
//! board; a [`Routes`] that is handed in does. Key invariant: a request is passed on once at most, since what
//! comes from a node is served or refused. Tests are in
//! `routing/tests.rs`.

use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;

use async_io::Timer;

use crate::api;
use crate::fault::Fault;
use crate::http::response::Response;
use crate::http::target::Target;
use crate::limits;
use crate::net::admission;
use crate::nodes::{Nodes, NotPassed, Passage};

/// A wait for whether another node has a board, and its address.
pub(crate) type Elsewhere<'a> = Pin<Box<dyn Future<Output = Option<String>> + Send + 'a>>;

/// Who knows which node has a board.
pub(crate) trait Routes: Send + Sync {
    /// The address of the node that has it, where that is another one.
    fn elsewhere<'a>(&'a self, board: &'a str) -> Elsewhere<'a>;
}

/// Where requests go.
pub(crate) struct Routing {
    pub(crate) nodes: Arc<Nodes>,
    pub(crate) routes: Arc<dyn Routes>,
}

impl Routing {
    /// Passes a request on, where another node has its board.
    ///
    /// # Errors
    /// The answer, where it has, and does not take it.
    pub(super) async fn away(
        &self,
        target: &Target<'_>,
        client: IpAddr,
        head: &[u8],
    ) -> Result<Option<Passage>, Response> {
        let path = target.path();
        let Some(board) = api::board_of(&path) else {
            return Ok(None);
        };
        for attempt in 1..=limits::NODE_ATTEMPTS {
            let Some(to) = self.routes.elsewhere(board).await else {
                return Ok(None);
            };
            match Box::pin(self.nodes.offer(&to, client, head)).await {
                Ok(passage) => return Ok(Some(passage)),
                // The board may be on its way to another node.
                Err(NotPassed::NotOwner | NotPassed::Unreachable) if attempt < limits::NODE_ATTEMPTS => {
                    Timer::after(limits::NODE_RETRY).await;
                }
                Err(_) => break,
            }
        }
        Err(admission::problem(Fault::Elsewhere).field("Retry-After", "1"))
    }
}

/// Every board is here: so it is where nobody else has any.
pub(crate) struct AllHere;

impl Routes for AllHere {
    fn elsewhere<'a>(&'a self, _board: &'a str) -> Elsewhere<'a> {
        Box::pin(std::future::ready(None))
    }
}

#[cfg(test)]
mod tests;
