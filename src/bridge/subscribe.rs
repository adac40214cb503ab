//! The way in: what others publish is read, queued by board and applied.
//!
//! Owns one connection, and the tasks that serve the inbox's lines. Must not know what a message does
//! (`bridge::apply`). Key invariants: reading never waits for a board; a board that is slow or failing holds
//! up no other, and some are looked up at a time, so that no request waits behind Redis. Tests are below, and
//! in `tests/it/redis.rs`.

use std::convert::Infallible;
use std::sync::Arc;

use async_io::Timer;
use redis::{Value, cmd};
use smol::future::FutureExt as _;

use crate::boards::{Boards, fenced};
use crate::bridge::link::{Link, LinkError, is_pong, refusal};
use crate::bridge::message::{self, PATTERN, Unread};
use crate::bridge::{Bridge, Direction, apply, lock};
use crate::ids::BoardId;
use crate::limits;
use crate::metrics::redis::Reception;

impl Bridge {
    /// Connects, subscribes, and takes what comes for as long as the connection lasts.
    pub(super) async fn subscribe(self: &Arc<Self>, boards: &Arc<Boards>) -> Result<Infallible, LinkError> {
        let mut link = Link::open(&self.address).await?;
        let confirmed = |reply: &Value| matches!(reply, Value::Array(parts) if is_word(parts, "psubscribe"));
        link.expect(cmd("PSUBSCRIBE").arg(PATTERN), confirmed).await?;
        self.note_connected(Direction::In);
        loop {
            let quiet = async {
                Timer::after(limits::REDIS_PING_AFTER).await;
                Ok(None)
            };
            let received = async { link.receive().await.map(Some) };
            let value = match received.or(quiet).await? {
                Some(value) => value,
                None => {
                    link.send(&cmd("PING").get_packed_command()).await?;
                    // Whatever comes shows that it is there.
                    link.answer().await?
                }
            };
            self.handle(boards, value)?;
        }
    }

    /// Takes a value that came over a subscribed connection.
    fn handle(self: &Arc<Self>, boards: &Arc<Boards>, value: Value) -> Result<(), LinkError> {
        if is_pong(&value) {
            return Ok(());
        }
        if let Some(error) = refusal(&value) {
            return Err(error);
        }
        let Value::Array(parts) = value else {
            return Err(LinkError::Unexpected);
        };
        if !is_word(&parts, "pmessage") {
            return Err(LinkError::Unexpected);
        }
        match <[Value; 4]>::try_from(parts) {
            Ok([_, _, Value::BulkString(channel), Value::BulkString(payload)]) => {
                self.queue(boards, &channel, &payload);
                Ok(())
            }
            _ => Err(LinkError::Unexpected),
        }
    }

    fn queue(self: &Arc<Self>, boards: &Arc<Boards>, channel: &[u8], payload: &[u8]) {
        let message = match message::parse(channel, payload, &self.node) {
            Ok(message) => message,
            Err(unread) => {
                let outcome = match unread {
                    Unread::Own => Reception::Own,
                    Unread::TooLarge => Reception::TooLarge,
                    Unread::InvalidBoard => Reception::InvalidBoard,
                    Unread::Malformed => Reception::Malformed,
                };
                return self.note_received(outcome, 1);
            }
        };
        let board = message.board.clone();
        let queued = lock(&self.inbox).push(message);
        self.note_received(Reception::Overflow, queued.dropped);
        if queued.is_unserved {
            let (bridge, serving) = (Arc::clone(self), Arc::clone(boards));
            boards.spawn(async move { bridge.serve(&serving, &board).await });
        }
    }

    /// Applies what waits for a board, until nothing does.
    async fn serve(&self, boards: &Arc<Boards>, board: &BoardId) {
        loop {
            let permit = self.deciding.acquire_arc().await;
            let messages = lock(&self.inbox).take(board);
            if messages.is_empty() {
                return;
            }
            let count = messages.len();
            // Boxed, since many lines may wait for their permit.
            let applied = Box::pin(apply::apply(boards, board, messages, permit));
            match fenced(applied).await {
                Ok(outcomes) => outcomes
                    .into_iter()
                    .for_each(|outcome| self.note_received(outcome, 1)),
                Err(_) => self.note_received(Reception::Failed, count),
            }
            // Those who wait for a permit come first.
            smol::future::yield_now().await;
        }
    }
}

/// Whether the first of `parts` is this word.
fn is_word(parts: &[Value], word: &str) -> bool {
    matches!(parts.first(), Some(Value::BulkString(first)) if first == word.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::boards::harness::{self, TestHost};
    use crate::bridge::address::Address;
    use crate::metrics::redis::RedisMetrics;
    use crate::store::memory::MemoryStore;

    #[test]
    fn no_more_boards_are_looked_up_at_a_time_than_there_are_permits() {
        let store = Arc::new(MemoryStore::default());
        let (boards, executor) = harness::boards(harness::settings(), store);
        let address = Address::parse("redis://localhost").unwrap();
        let bridge = Bridge::new(address, TestHost::new(), RedisMetrics::default());
        let bridge = Arc::new(bridge);
        let board = BoardId::parse("never").unwrap();
        let payload = br#"{"action":"delete","item":{"id":"i"}}"#;
        let permits: Vec<_> = std::iter::from_fn(|| bridge.deciding.try_acquire_arc()).collect();
        assert_eq!(permits.len(), limits::REDIS_LINES_AT_ONCE_MAX);
        bridge.queue(&boards, b"board:never:updates", payload);
        while executor.try_tick() {}
        let mut waiting = lock(&bridge.inbox).take(&board);
        assert_eq!(waiting.len(), 1, "nobody took it");
        let mut permits = permits.into_iter();
        let permit = permits.next().unwrap();
        let message = waiting.pop().unwrap();
        let applied = apply::apply(&boards, &board, vec![message], permit);
        let outcomes = smol::block_on(executor.run(applied));
        assert_eq!(outcomes, [Reception::NoSuchBoard]);
        assert!(bridge.deciding.try_acquire().is_some(), "the permit is back");
    }
}
