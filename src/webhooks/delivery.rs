//! One webhook: what happens on its board is gathered, and delivered.
//!
//! Owns the task of a webhook. Must not know how a board comes into memory. Key invariants: one delivery at a
//! time, in order; whatever a receiver does, a delivery ends; what was not delivered is followed by `reset`;
//! no log line has more of an address than scheme, host and port. Tests: tests/it/webhooks.rs.

use std::convert::Infallible;
use std::sync::Arc;

use smol::channel::Receiver;
use smol::future::FutureExt as _;

use super::payload;
use super::tries::{Then, Tries, retry_after};
use super::{Feeding, Running, Webhooks};
use crate::boards::fenced;
use crate::boards::hooks::Delivery;
use crate::client::{Request, Verb, Wanted};
use crate::limits;
use crate::metrics::webhooks::Try;
use crate::room::feed::gather::Gathered;

impl Webhooks {
    /// Delivers until the webhook is deleted.
    pub(super) async fn keep(
        self: Arc<Self>,
        running: Arc<Running>,
        feedings: Receiver<Feeding>,
        gone: Receiver<Infallible>,
    ) {
        let work = async {
            while let Ok(mut feeding) = feedings.recv().await {
                // Of several the last one is the board as it is in memory now.
                while let Ok(newer) = feedings.try_recv() {
                    feeding = newer;
                }
                running.set_following(true);
                // Its own fault ends with the feeding that it came with.
                fenced(self.follow(&running, feeding)).await.unwrap_or_default();
                running.set_following(false);
            }
        };
        let deleted = async {
            let Err(_gone) = gone.recv().await;
        };
        work.or(deleted).await;
    }

    /// Delivers what happens on a board until it leaves memory.
    async fn follow(&self, running: &Running, feeding: Feeding) {
        running.begin(feeding.at);
        let mut has_ended = false;
        while !has_ended {
            let mut gathered = Gathered::default();
            has_ended = feeding.tap.next(&mut gathered).await.is_err();
            if !has_ended && !gathered.is_full() {
                self.host.sleep(limits::WEBHOOK_GATHER_TIME).await;
                has_ended = feeding.tap.take(&mut gathered).is_err();
            }
            running.note_through(gathered.through);
            if !gathered.is_empty() {
                self.deliver(running, gathered).await;
            }
        }
    }

    /// Delivers events, with tries again.
    async fn deliver(&self, running: &Running, gathered: Gathered) {
        let reset = running.missed().or(gathered.reset);
        let body = payload::body(&running.board, reset, &gathered.events);
        let mut random = [0; 16];
        if getrandom::fill(&mut random).is_err() {
            running.note_missed(Some("given_up"));
            return;
        }
        let id = payload::delivery_id(random);
        let mut tries = Tries::default();
        loop {
            match self.attempt(running, (&id, &body), &mut tries).await {
                Then::Delivered => {
                    running.note_missed(None);
                    return;
                }
                Then::Again(wait) => self.host.sleep(wait).await,
                Then::GivenUp => {
                    self.metrics.tried(Try::GivenUp);
                    running.note_missed(Some("given_up"));
                    let (board, webhook) = (&running.board, running.webhook.id.as_str());
                    let (receiver, events) = (&running.address, gathered.events.len());
                    tracing::warn!(%board, webhook, %receiver, events, "a webhook's delivery was given up");
                    return;
                }
            }
        }
    }

    /// Tries once.
    async fn attempt(&self, running: &Running, (id, body): (&str, &[u8]), tries: &mut Tries) -> Then {
        let again = match tries.is_again() {
            true => Some(self.trying_again.acquire().await),
            false => None,
        };
        let permit = self.sending.acquire().await;
        let seconds = self.host.now().unix.0 / 1_000;
        let signature = payload::signature(&running.webhook.secret.0, (id, seconds), body);
        let timestamp = seconds.to_string();
        let request = Request {
            verb: Verb::Post,
            address: &running.address,
            fields: &[
                ("Content-Type", "application/json"),
                ("webhook-id", id),
                ("webhook-timestamp", &timestamp),
                ("webhook-signature", &signature),
            ],
            body,
        };
        let sent = self.client.send(request, Wanted::Head, limits::WEBHOOK_TIME_MAX);
        let outcome = sent.await;
        drop((permit, again));
        let status = outcome.as_ref().ok().map(|answer| answer.status);
        let wished = outcome
            .as_ref()
            .ok()
            .and_then(|answer| answer.field("retry-after"));
        let then = tries.then(status, wished.and_then(retry_after), self.host.random());
        let is_delivered = then == Then::Delivered;
        self.metrics.tried(match is_delivered {
            true => Try::Delivered,
            false => Try::Failed,
        });
        let now = self.host.now().unix;
        running.note_delivery(|before| Delivery {
            last_at: now,
            outcome: outcome
                .map(|answer| answer.status)
                .map_err(|error| error.to_string()),
            failing_since: match is_delivered {
                true => None,
                false => before.and_then(|before| before.failing_since).or(Some(now)),
            },
        });
        if !is_delivered {
            let (board, webhook) = (&running.board, running.webhook.id.as_str());
            let why = running.why();
            tracing::debug!(%board, webhook, receiver = %running.address, why, "a webhook's delivery failed");
        }
        then
    }
}
