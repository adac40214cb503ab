//! The way out: what waits in the outbox is published.
//!
//! Owns one connection. Must not know who changed what. Key invariants: messages leave in their order; what
//! Redis has not confirmed when the connection ends is published again, so that a message may come twice and
//! is not lost.

use std::convert::Infallible;

use async_io::Timer;
use redis::{Value, cmd};
use smol::future::FutureExt as _;

use crate::bridge::link::{Link, LinkError, is_pong, refusal};
use crate::bridge::message::channel;
use crate::bridge::outbox::Outgoing;
use crate::bridge::{Bridge, Direction, lock};
use crate::limits;
use crate::metrics::redis::Publication;

impl Bridge {
    /// Connects, and publishes for as long as the connection lasts.
    pub(super) async fn publish_all(&self) -> Result<Infallible, LinkError> {
        let mut link = Link::open(&self.address).await?;
        self.note_connected(Direction::Out);
        loop {
            let (batch, late) = lock(&self.outbox).take(self.host.now().tick);
            self.note_unpublished(Publication::Late, late);
            if batch.is_empty() {
                lock(&self.outbox).confirm();
                self.wait_for_work(&mut link).await?;
                continue;
            }
            if let Err(error) = self.publish_batch(&mut link, &batch).await {
                let dropped = lock(&self.outbox).restore(batch);
                self.note_unpublished(Publication::Overflow, dropped);
                return Err(error);
            }
            lock(&self.outbox).confirm();
        }
    }

    /// Sends all of a batch, and then takes all answers.
    async fn publish_batch(&self, link: &mut Link, batch: &[Outgoing]) -> Result<(), LinkError> {
        let mut bytes = Vec::new();
        for message in batch {
            let mut publish = cmd("PUBLISH");
            publish.arg(channel(&message.board)).arg(&message.payload);
            publish.write_packed_command(&mut bytes);
        }
        link.send(&bytes).await?;
        let mut outcomes = Vec::with_capacity(batch.len());
        for _ in batch {
            let answer = link.answer().await?;
            outcomes.push(match answer {
                Value::Int(_) => Publication::Published,
                answer if refusal(&answer).is_some() => Publication::Refused,
                _ => return Err(LinkError::Unexpected),
            });
        }
        let published = outcomes
            .iter()
            .filter(|outcome| **outcome == Publication::Published)
            .count();
        self.metrics.sent(Publication::Published, published);
        self.note_unpublished(Publication::Refused, outcomes.len() - published);
        Ok(())
    }

    /// Waits until there is something to publish; asks Redis whether it is there every now and then.
    async fn wait_for_work(&self, link: &mut Link) -> Result<(), LinkError> {
        let woken = async {
            // The sender lives as long as the bridge.
            self.wake.1.recv().await.unwrap_or_default();
            Ok(false)
        };
        let quiet = async {
            Timer::after(limits::REDIS_PING_AFTER).await;
            Ok(true)
        };
        // Nothing is due: what comes is the end of the connection, or nonsense.
        let ended = async {
            link.receive().await?;
            Err(LinkError::Unexpected)
        };
        if woken.or(quiet).or(ended).await? {
            link.expect(&cmd("PING"), is_pong).await?;
        }
        Ok(())
    }
}
