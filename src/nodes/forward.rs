//! The way out: a request is offered to the node that has its board.
//!
//! Owns the sender's side of the handshake. Must not know who has a board. Key invariants: the client's
//! socket is not touched before the other node has taken the request; every wait has an end.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use crate::limits;
use crate::metrics::nodes::Passing;
use crate::net::within;
use crate::nodes::dial::take_exactly;
use crate::nodes::handshake::{Answer, Offer};
use crate::nodes::{Nodes, NotPassed, Passage};

impl NotPassed {
    fn outcome(self) -> Passing {
        match self {
            Self::NotOwner => Passing::NotOwner,
            Self::Busy => Passing::Busy,
            Self::Refused => Passing::Refused,
            Self::Unreachable => Passing::Unreachable,
            Self::Unanswered => Passing::Unanswered,
        }
    }
}

impl Nodes {
    /// Offers the node at `to` a request of `client` with this head, as it was received. `patience` is for
    /// reaching it; how long it may then take to decide is bounded apart.
    ///
    /// What follows goes over the [`Passage`], which need not be used.
    ///
    /// # Errors
    /// [`NotPassed`].
    pub(crate) async fn offer(
        self: &Arc<Self>,
        to: &str,
        (client, head): (IpAddr, &[u8]),
        patience: Duration,
    ) -> Result<Passage, NotPassed> {
        let offered = self.offer_now(to, Offer { client, head }, patience).await;
        let outcome = offered
            .as_ref()
            .err()
            .map_or(Passing::Passed, |why| why.outcome());
        self.metrics.passing(outcome);
        if let Err(why) = offered.as_ref()
            && *why != NotPassed::NotOwner
            && let Some(count) = self.refused.count(self.host.now().tick)
        {
            tracing::warn!(
                other = to,
                cause = outcome.as_str(),
                count,
                "requests could not be passed on to other nodes"
            );
        }
        offered
    }

    async fn offer_now(
        self: &Arc<Self>,
        to: &str,
        offer: Offer<'_>,
        patience: Duration,
    ) -> Result<Passage, NotPassed> {
        let place = self.passed.enter().ok_or(NotPassed::Busy)?;
        let greeted = within(patience, Box::pin(self.greeted_by(to))).await;
        let (mut socket, challenge) = greeted.unwrap_or(Err(NotPassed::Unreachable))?;
        let bytes = offer.encode(&self.settings.secret, &challenge, to);
        let said = within(limits::NODE_HANDSHAKE_TIME_MAX, socket.send_all(&bytes)).await;
        if !matches!(said, Ok(Ok(()))) {
            return Err(NotPassed::Unanswered);
        }
        let answer = within(limits::NODE_DECIDE_TIME_MAX, take_exactly::<1>(&mut socket)).await;
        let Ok(Ok([answer])) = answer else {
            return Err(NotPassed::Unanswered);
        };
        match Answer::of(answer) {
            Some(Answer::Taken) => Ok(Passage::new(self, to, socket, place)),
            Some(Answer::NotOwner) => Err(NotPassed::NotOwner),
            Some(Answer::Busy) => Err(NotPassed::Busy),
            Some(Answer::Refused) | None => Err(NotPassed::Refused),
        }
    }
}
