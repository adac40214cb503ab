//! A change that is to be published: its place in the order, from when the board has it until it is durable.
//!
//! Owns [`Ticket`]. Must not know why a change may fail. Key invariants: the places of one board are in the
//! order in which the board accepted the changes, if each is reserved in the board's turn; a ticket that is
//! dropped gives its place up, so that a change that failed or a request that went away holds up no other.
//! Tests are below, and in `tests/it/redis.rs`.

use std::sync::Arc;

use serde_json::Value;

use crate::boards::outlet::{Action, Announcement, Outlet};
use crate::bridge::message;
use crate::bridge::outbox::{Outgoing, Place};
use crate::bridge::{Bridge, Status, lock};
use crate::ids::BoardId;
use crate::metrics::redis::Publication;

/// A place in the order of what is published of a board.
pub(crate) struct Ticket {
    bridge: Arc<Bridge>,
    board: BoardId,
    /// There until the ticket is dropped.
    place: Option<Place>,
    messages: Vec<Outgoing>,
}

impl Outlet for Bridge {
    fn reserve(self: Arc<Self>, board: &BoardId) -> Box<dyn Announcement> {
        let place = Some(lock(&self.outbox).reserve(board));
        Box::new(Ticket {
            bridge: self,
            board: board.clone(),
            place,
            messages: Vec::new(),
        })
    }

    fn trouble(&self) -> Option<String> {
        match self.status() {
            Status::Connected => None,
            Status::Unreachable(why) => Some(why.to_string()),
        }
    }
}

impl Announcement for Ticket {
    fn fill(mut self: Box<Self>, changes: &[(Action, &Value)]) {
        for (action, item) in changes {
            match message::encode(*action, item, &self.bridge.node) {
                Some(payload) => self.messages.push(Outgoing {
                    board: self.board.clone(),
                    payload,
                    at: self.bridge.host.now().tick,
                }),
                None => self.bridge.note_unpublished(Publication::TooLarge, 1),
            }
        }
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        let Some(place) = self.place.take() else {
            return;
        };
        let messages = std::mem::take(&mut self.messages);
        let dropped = lock(&self.bridge.outbox).settle(place, messages);
        self.bridge.note_unpublished(Publication::Overflow, dropped);
        // Full means that the publisher is told already.
        self.bridge.wake.0.try_send(()).unwrap_or_default();
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::boards::harness::TestHost;
    use crate::bridge::address::Address;
    use crate::metrics::redis::RedisMetrics;

    #[test]
    fn changes_leave_in_the_order_of_their_tickets_and_a_dropped_one_holds_up_none() {
        let address = Address::parse("redis://localhost").unwrap();
        let bridge = Bridge::new(address, TestHost::new(), RedisMetrics::default());
        let bridge = Arc::new(bridge);
        let board = BoardId::parse("b").unwrap();
        let [first, dropped, last] = [(); 3].map(|()| Arc::clone(&bridge).reserve(&board));
        let items = ["a", "b", "c"].map(|id| json!({ "id": id }));
        last.fill(&[(Action::Delete, &items[2])]);
        let taken = || lock(&bridge.outbox).take(bridge.host.now().tick).0;
        assert!(taken().is_empty());
        first.fill(&[(Action::Create, &items[0]), (Action::Update, &items[1])]);
        assert_eq!(taken().len(), 2);
        drop(dropped);
        let left = taken();
        let told: Vec<Value> = left
            .iter()
            .map(|message| serde_json::from_slice(&message.payload).unwrap())
            .collect();
        assert_eq!(told[0]["item"], items[2]);
        assert_eq!((told.len(), &left[0].board), (1, &board));
        assert!(bridge.wake.1.try_recv().is_ok(), "the publisher is told");
    }
}
