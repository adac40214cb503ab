//! The way in for what other nodes pass on.
//!
//! Owns [`Entrance`]. Must not know who has a board. Key invariant: what is about no board does not come in
//! from a node. Tests are in `routing/tests.rs`.

use std::pin::Pin;
use std::sync::Arc;

use crate::api;
use crate::http::head;
use crate::http::target::Target;
use crate::net::admission::Came;
use crate::nodes::acceptor::{Passed, Takes};
use crate::server::requests::{self, Arrival, Site};
use crate::server::routing::Routes;

/// What serves them.
pub(crate) struct Entrance {
    pub(crate) site: Arc<Site>,
    pub(crate) routes: Arc<dyn Routes>,
}

impl Takes for Entrance {
    fn is_here<'a>(&'a self, head: &'a [u8]) -> Pin<Box<dyn Future<Output = bool> + Send + 'a>> {
        Box::pin(async move {
            let Ok(Some((head, _))) = head::parse(head) else {
                return false;
            };
            let Ok(target) = Target::parse(head.target) else {
                return false;
            };
            let target = requests::local(target, &self.site.shell.settings.base_path);
            match api::board_of(&self.site.shell, &head, &target).await {
                Ok(Some(board)) if self.routes.is_serving() => {
                    self.routes.elsewhere(&board).await == Ok(None)
                }
                _ => false,
            }
        })
    }

    fn take(&self, passed: Passed) {
        let arrival = Arrival {
            socket: passed.socket,
            peer: passed.client,
            came: Came::FromNode,
            head: Some(passed.head),
        };
        let serving = requests::serve(Arc::clone(&self.site), arrival, passed.place);
        self.site.shell.boards.spawn(serving);
    }
}
