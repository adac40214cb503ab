//! What came in from Redis is written into boards.
//!
//! Owns what a message means for the items that there are. Must not know how records are written (`server::content`) nor
//! what an item is made of (`items`). Key invariants: no board is ever made; one message that cannot be applied stops no
//! other; nothing of it is published again. Tests are below, and in `tests/it/redis.rs`.

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::Arc;

use crate::bridge::message::{Action, Message};
use crate::fault::Fault;
use crate::ids::{BoardId, ItemId};
use crate::items::{self, Operation, Records, Stamp, Write};
use crate::server::Server;
use crate::server::content::{Authority, Basis, Failed};
use crate::server::metrics::redis::Outcome;
use crate::time::UnixMillis;

/// Applies messages of one board and one actor in their order, and waits until they are durable.
pub(super) async fn apply(server: &Arc<Server>, board: &BoardId, messages: Vec<Message>) -> Vec<Outcome> {
    let count = messages.len();
    if server.is_stopping() {
        return vec![Outcome::Failed; count];
    }
    let at = server.now().unix;
    let decide = move |records: &dyn Records| Ok::<_, Infallible>(plan(records, &messages, at));
    let authority = Authority::Server(board.clone());
    let outcome = match server.write_content(authority, Basis::Any, decide).await {
        Ok(outcomes) => return outcomes,
        Err(Failed::Fault(Fault::NoSuchBoard | Fault::BoardDeleted)) => Outcome::NoSuchBoard,
        Err(Failed::Fault(_) | Failed::Unsupported | Failed::Busy) => Outcome::Failed,
        Err(Failed::Work(never)) => match never {},
    };
    vec![outcome; count]
}

/// What to write for `messages`, and what becomes of each.
fn plan(records: &dyn Records, messages: &[Message], at: UnixMillis) -> (Vec<Write>, Vec<Outcome>) {
    let mut outcomes = vec![Outcome::Applied; messages.len()];
    let Some(actor) = messages.first().map(Message::actor) else {
        return (Vec::new(), outcomes);
    };
    let stamp = Stamp {
        actor: actor.as_str(),
        at,
    };
    // Each round but the last finds one message that cannot be applied.
    for _ in 0..=messages.len() {
        let mut operations = Vec::new();
        let mut present: HashMap<&ItemId, bool> = HashMap::new();
        for (index, (message, outcome)) in messages.iter().zip(&mut outcomes).enumerate() {
            if *outcome == Outcome::Refused {
                continue;
            }
            let is_there = present
                .entry(&message.id)
                .or_insert_with(|| items::read(records, &message.id).is_some());
            match operation(message, *is_there) {
                Some(operation) => {
                    *outcome = Outcome::Applied;
                    operations.push((index, operation));
                }
                None => *outcome = Outcome::Nothing,
            }
            *is_there = message.action != Action::Delete;
        }
        if operations.is_empty() {
            return (Vec::new(), outcomes);
        }
        let (indices, operations): (Vec<_>, Vec<_>) = operations.into_iter().unzip();
        match items::apply(records, &operations, stamp) {
            Ok(plan) => return (plan.writes, outcomes),
            Err(refused) => {
                let refused = indices
                    .get(refused.index)
                    .and_then(|index| outcomes.get_mut(*index));
                match refused {
                    Some(outcome) => *outcome = Outcome::Refused,
                    None => break,
                }
            }
        }
    }
    (Vec::new(), vec![Outcome::Refused; messages.len()])
}

/// What a message asks for, where its item is there or not; `None` where that is so already.
///
/// A service that says "create" of what is there, or "update" of what is not, has seen another past than this board: what
/// it says of the item holds all the same.
fn operation(message: &Message, is_there: bool) -> Option<Operation> {
    let id = message.id.clone();
    match (message.action, is_there) {
        (Action::Delete, true) => Some(Operation::Delete { id }),
        (Action::Delete, false) => None,
        (Action::Create | Action::Update, true) => Some(Operation::Update {
            id,
            patch: message.item.clone(),
        }),
        (Action::Create | Action::Update, false) => Some(Operation::Create {
            item: message.item.clone(),
            id,
            request: None,
        }),
    }
}
