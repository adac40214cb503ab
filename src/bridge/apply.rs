//! What came in from Redis is written into boards.
//!
//! Owns what a message means for the items that there are. Must not know how records are written
//! (`boards::content`) nor what an item is made of (`items`). Key invariants: no board is ever made; one
//! message that cannot be applied stops no other; nothing of it is published again. Tests are below, and in
//! `tests/it/redis.rs`.

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex};

use smol::lock::SemaphoreGuardArc;

use crate::boards::Boards;
use crate::boards::content::{Authority, Basis, Failed};
use crate::boards::outlet::Action;
use crate::bridge::lock;
use crate::bridge::message::Message;
use crate::fault::Fault;
use crate::ids::{BoardId, ItemId, Subject};
use crate::items::{self, Operation, Records, Stamp, Write};
use crate::metrics::redis::Reception;
use crate::time::UnixMillis;

/// Applies messages of one board and one actor in their order, and waits until they are durable; `permit` is
/// given back once it is decided what they change.
pub(super) async fn apply(
    boards: &Arc<Boards>,
    board: &BoardId,
    messages: Vec<Message>,
    permit: SemaphoreGuardArc,
) -> Vec<Reception> {
    let count = messages.len();
    if boards.is_stopping() {
        return vec![Reception::Failed; count];
    }
    // Each node hears everything.
    if matches!(boards.neighbour_with(board).await, Ok(Some(_))) {
        return vec![Reception::Elsewhere; count];
    }
    let at = boards.now().unix;
    let permit = Mutex::new(Some(permit));
    let actor = messages.first().map_or_else(Subject::anonymous, Message::actor);
    let decide = move |records: &dyn Records| {
        let planned = plan(records, &messages, at);
        // Others need not wait for the disk.
        *lock(&permit) = None;
        Ok::<_, Infallible>(planned)
    };
    let authority = Authority::Server(board.clone(), actor);
    let outcome = match boards.write_content(authority, Basis::Any, decide).await {
        Ok(outcomes) => return outcomes,
        Err(Failed::Fault(Fault::NoSuchBoard | Fault::BoardDeleted)) => Reception::NoSuchBoard,
        Err(Failed::Fault(Fault::Elsewhere)) => Reception::Elsewhere,
        Err(Failed::Fault(_) | Failed::Unsupported | Failed::Busy) => Reception::Failed,
        Err(Failed::Work(never)) => match never {},
    };
    vec![outcome; count]
}

/// What to write for `messages`, and what becomes of each.
fn plan(records: &dyn Records, messages: &[Message], at: UnixMillis) -> (Vec<Write>, Vec<Reception>) {
    let mut outcomes = vec![Reception::Applied; messages.len()];
    let Some(actor) = messages.first().map(Message::actor) else {
        return (Vec::new(), outcomes);
    };
    let stamp = Stamp {
        actor: actor.as_str(),
        at,
    };
    let read = items::reader(records);
    // Each round but the last finds one message that cannot be applied.
    for _ in 0..=messages.len() {
        let mut operations = Vec::new();
        let mut present: HashMap<&ItemId, bool> = HashMap::new();
        for (index, (message, outcome)) in messages.iter().zip(&mut outcomes).enumerate() {
            if *outcome == Reception::Refused {
                continue;
            }
            let is_there = present
                .entry(&message.id)
                .or_insert_with(|| read(&message.id).is_some());
            match operation(message, *is_there) {
                Some(operation) => {
                    *outcome = Reception::Applied;
                    operations.push((index, operation));
                }
                None => *outcome = Reception::Nothing,
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
                    Some(outcome) => *outcome = Reception::Refused,
                    None => break,
                }
            }
        }
    }
    (Vec::new(), vec![Reception::Refused; messages.len()])
}

/// What a message asks for, where its item is there or not; `None` where that is so already.
///
/// A service that says "create" of what is there, or "update" of what is not, has seen another past than this
/// board: what it says of the item holds all the same.
fn operation(message: &Message, is_there: bool) -> Option<Operation> {
    let id = message.id.clone();
    match (message.action, is_there) {
        (Action::Delete, true) => Some(Operation::Delete { id }),
        (Action::Delete, false) => None,
        (Action::Create | Action::Update, true) => Some(Operation::Update {
            id,
            patch: items::told(message.item.clone()),
        }),
        (Action::Create | Action::Update, false) => Some(Operation::Create {
            item: items::told(message.item.clone()),
            id,
            request: None,
        }),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::items::fuzzing::Table;

    fn message(action: Action, id: &str, item: Value) -> Message {
        let Value::Object(item) = item else {
            panic!("{item} is no item")
        };
        Message {
            board: BoardId::parse("b").unwrap(),
            action,
            id: ItemId::parse(id).unwrap(),
            item,
        }
    }

    fn sticky(id: &str) -> Value {
        json!({"id": id, "type": "sticky", "x": 1, "y": 2})
    }

    /// Plans for a board that has the sticky `here`; gives the keys of shapes to write, and the outcomes.
    fn planned(messages: &[Message]) -> (Vec<String>, Vec<Reception>) {
        let make = [message(Action::Create, "here", sticky("here"))];
        let mut table = Table::default();
        for write in plan(&table, &make, UnixMillis(1)).0 {
            table.0.insert(write.key, write.record.unwrap());
        }
        let (writes, outcomes) = plan(&table, messages, UnixMillis(2));
        (writes.into_iter().map(|write| write.key).collect(), outcomes)
    }

    #[test]
    fn what_a_message_says_holds_whatever_past_its_sender_has_seen() {
        use Action::{Create, Delete, Update};
        let moved = |id| json!({"id": id, "x": 50});
        for (action, id, item, expected) in [
            (
                Create,
                "here",
                json!({"id": "here", "type": "sticky", "x": 9, "y": 9}),
                Reception::Applied,
            ),
            (Create, "new", sticky("new"), Reception::Applied),
            (Update, "here", moved("here"), Reception::Applied),
            (Update, "new", sticky("new"), Reception::Applied),
            (Update, "new", moved("new"), Reception::Refused),
            (
                Update,
                "here",
                json!({"id": "here", "type": "text"}),
                Reception::Refused,
            ),
            (Delete, "here", json!({"id": "here"}), Reception::Applied),
            (Delete, "new", json!({"id": "new"}), Reception::Nothing),
        ] {
            let (keys, outcomes) = planned(&[message(action, id, item)]);
            assert_eq!(outcomes, [expected], "{action:?} {id}");
            let wrote = keys.contains(&format!("shape:{id}"));
            assert_eq!(wrote, expected == Reception::Applied, "{action:?} {id}");
        }
    }

    #[test]
    fn a_connector_is_taken_as_another_server_shows_it() {
        let connector = json!({
            "id": "c", "type": "connector", "from": {"item": "here"}, "to": {"x": 400, "y": 0},
            "x": 101, "y": 0, "width": 299, "height": 102, "content": {"text": ""}, "style": {"bend": 0},
        });
        let mut moved = connector.clone();
        moved["to"] = json!({"x": 500, "y": 1});
        let (keys, outcomes) = planned(&[
            message(Action::Create, "c", connector),
            message(Action::Update, "c", moved),
        ]);
        assert_eq!(outcomes, [Reception::Applied, Reception::Applied]);
        assert_eq!(keys, ["binding:c-start", "shape:c"]);
    }

    #[test]
    fn one_that_cannot_be_applied_stops_no_other() {
        let (keys, outcomes) = planned(&[
            message(Action::Create, "a", sticky("a")),
            message(
                Action::Create,
                "b",
                json!({"id": "b", "type": "circle", "x": 0, "y": 0}),
            ),
            message(Action::Delete, "a", json!({"id": "a"})),
            message(Action::Update, "a", sticky("a")),
            message(Action::Delete, "b", json!({"id": "b"})),
        ]);
        let applied = Reception::Applied;
        assert_eq!(
            outcomes,
            [applied, Reception::Refused, applied, applied, Reception::Nothing]
        );
        assert_eq!(keys, ["shape:a"]);
    }
}
