//! The messages of the channels `board:*:updates`, as values.
//!
//! Owns how a message is read and written. Must not know sockets, rooms or what an item's members mean:
//! `items` checks those. Key invariants: what is read is bounded, names a valid board and a valid item, and
//! is not our own; no error holds a byte of a message. Tests are below; the fuzz target is `redis_message`.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::boards::outlet::Action;
use crate::ids::{BoardId, ItemId, Subject};
use crate::items::Record;
use crate::items::has_path;
use crate::limits;

/// What the bridge subscribes to.
pub(super) const PATTERN: &str = "board:*:updates";

/// A message from somebody else.
#[derive(Clone, Debug, PartialEq)]
pub struct Message {
    /// The board that its channel names.
    pub board: BoardId,
    /// What was done.
    pub action: Action,
    /// To which item.
    pub id: ItemId,
    /// The item as it was sent: JSON, not checked.
    pub item: Record,
}

/// Why a message is not one to apply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unread {
    /// This server published it.
    Own,
    /// It is longer than [`limits::REDIS_MESSAGE_BYTES_MAX`].
    TooLarge,
    /// Its channel names no board.
    InvalidBoard,
    /// It is not the JSON that it should be, or names no item that may be.
    Malformed,
}

#[derive(Deserialize)]
struct Received {
    action: Action,
    item: Record,
    origin: Option<String>,
}

#[derive(Serialize)]
struct Sent<'a> {
    action: Action,
    item: &'a Value,
    origin: &'a str,
}

/// The channel of a board.
#[must_use]
pub fn channel(board: &BoardId) -> String {
    format!("board:{board}:updates")
}

/// Reads what came over `channel`; `node` is the origin of what this server publishes.
///
/// # Errors
/// [`Unread`].
pub fn parse(channel: &[u8], payload: &[u8], node: &str) -> Result<Message, Unread> {
    let board = std::str::from_utf8(channel).ok();
    let board = board.and_then(|text| text.strip_prefix("board:")?.strip_suffix(":updates"));
    let board = board.and_then(BoardId::parse).ok_or(Unread::InvalidBoard)?;
    if payload.len() > limits::REDIS_MESSAGE_BYTES_MAX {
        return Err(Unread::TooLarge);
    }
    // Its depth is bounded by serde_json, at 128.
    let received: Received = serde_json::from_slice(payload).map_err(|_| Unread::Malformed)?;
    if received.origin.as_deref() == Some(node) {
        return Err(Unread::Own);
    }
    let id = received.item.get("id").and_then(Value::as_str);
    // What no path leads to, nobody could read or delete over HTTP.
    let id = id.filter(|id| has_path(id)).and_then(ItemId::parse);
    Ok(Message {
        board,
        action: received.action,
        id: id.ok_or(Unread::Malformed)?,
        item: received.item,
    })
}

/// Writes a message; `None` where it would be longer than [`limits::REDIS_MESSAGE_BYTES_MAX`]. Of a deletion
/// only the `id` counts: where the item is too long, it is written with nothing else.
#[must_use]
pub fn encode(action: Action, item: &Value, node: &str) -> Option<Vec<u8>> {
    let whole = encode_whole(action, item, node);
    if whole.is_some() || action != Action::Delete {
        return whole;
    }
    encode_whole(action, &json!({ "id": item.get("id")? }), node)
}

fn encode_whole(action: Action, item: &Value, node: &str) -> Option<Vec<u8>> {
    let sent = Sent {
        action,
        item,
        origin: node,
    };
    let payload = serde_json::to_vec(&sent).ok()?;
    (payload.len() <= limits::REDIS_MESSAGE_BYTES_MAX).then_some(payload)
}

impl Message {
    /// Who changed the item, as the message says; `anonymous` where it does not.
    #[must_use]
    pub fn actor(&self) -> Subject {
        let told = self.item.get("updated_by").and_then(Value::as_str);
        told.and_then(Subject::parse).unwrap_or_else(Subject::anonymous)
    }

    /// About how many bytes of memory it takes.
    #[must_use]
    pub fn weight(&self) -> usize {
        self.item.iter().fold(MESSAGE_BYTES, |sum, (name, value)| {
            sum.saturating_add(name.len()).saturating_add(weight(value))
        })
    }
}

/// What a message takes beside its members.
const MESSAGE_BYTES: usize = 512;

/// What a value takes beside its text: itself, and its share of a tree or list that is half full.
const VALUE_BYTES: usize = 128;

fn weight(value: &Value) -> usize {
    let inner = match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => 0,
        Value::String(text) => text.len(),
        Value::Array(values) => values.iter().map(weight).sum(),
        Value::Object(members) => members
            .iter()
            .map(|(name, value)| name.len() + weight(value))
            .sum(),
    };
    inner.saturating_add(VALUE_BYTES)
}

#[cfg(any(test, fuzzing))]
#[allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a fuzz body asserts by panicking"
)]
pub mod fuzzing {
    //! The body of the fuzz target `redis_message`.

    use super::*;

    /// A channel, a line feed, a payload: reading gives a message that survives writing, or an error, and is
    /// never our own.
    pub fn redis_message(data: &[u8]) {
        let at = data.iter().position(|byte| *byte == b'\n').unwrap_or(data.len());
        let (name, payload) = (&data[..at], data.get(at + 1..).unwrap_or_default());
        let Ok(message) = parse(name, payload, "ours") else {
            return;
        };
        assert_eq!(channel(&message.board).as_bytes(), name);
        assert!(message.weight() >= message.id.as_str().len() + MESSAGE_BYTES);
        assert!(Subject::parse(message.actor().as_str()).is_some());
        let item = Value::Object(message.item.clone());
        if let Some(again) = encode_whole(message.action, &item, "theirs") {
            // Fractions may differ in their last digit.
            let read = parse(name, &again, "ours").unwrap();
            let known = (&message.board, message.action, &message.id, message.actor());
            assert_eq!((&read.board, read.action, &read.id, read.actor()), known);
            assert_eq!(parse(name, &again, "theirs"), Err(Unread::Own));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHANNEL: &[u8] = b"board:b-1:updates";

    fn read(payload: &str) -> Result<Message, Unread> {
        parse(CHANNEL, payload.as_bytes(), "ours")
    }

    #[test]
    fn a_message_of_somebody_else_is_read() {
        for (origin, word, action) in [
            (r#","origin":"theirs""#, "create", Action::Create),
            (r#","origin":null"#, "update", Action::Update),
            ("", "delete", Action::Delete),
        ] {
            let message = read(&format!(
                r#"{{"action":"{word}","item":{{"id":"i.1","x":3}}{origin},"more":[1]}}"#
            ));
            let message = message.unwrap();
            assert_eq!(message.board.as_str(), "b-1");
            assert_eq!((message.action, message.id.as_str()), (action, "i.1"));
            assert_eq!(Value::Object(message.item), json!({"id": "i.1", "x": 3}));
        }
    }

    #[test]
    fn what_is_not_a_message_is_told_apart() {
        for (payload, why) in [
            (
                r#"{"action":"create","item":{"id":"i"},"origin":"ours"}"#,
                Unread::Own,
            ),
            ("", Unread::Malformed),
            ("null", Unread::Malformed),
            ("{}", Unread::Malformed),
            ("\u{0}", Unread::Malformed),
            (r#"{"action":"create","item":{"id":"i"}} x"#, Unread::Malformed),
            (r#"{"action":"move","item":{"id":"i"}}"#, Unread::Malformed),
            (r#"{"action":"create"}"#, Unread::Malformed),
            (r#"{"action":"create","item":["i"]}"#, Unread::Malformed),
            (r#"{"action":"create","item":{}}"#, Unread::Malformed),
            (r#"{"action":"create","item":{"id":7}}"#, Unread::Malformed),
            (r#"{"action":"create","item":{"id":"a b"}}"#, Unread::Malformed),
            (r#"{"action":"create","item":{"id":"batch"}}"#, Unread::Malformed),
            (
                r#"{"action":"create","item":{"id":"i"},"origin":7}"#,
                Unread::Malformed,
            ),
            (
                r#"{"action":"create","action":"delete","item":{"id":"i"}}"#,
                Unread::Malformed,
            ),
        ] {
            assert_eq!(read(payload), Err(why), "{payload}");
        }
        let deep = format!(
            r#"{{"action":"create","item":{{"id":"i","x":{}"#,
            "[".repeat(100_000)
        );
        assert_eq!(read(&deep), Err(Unread::Malformed));
        let payload = br#"{"action":"delete","item":{"id":"i"}}"#;
        for name in [
            &b"board::updates"[..],
            b"board:updates",
            b"board:..:updates",
            b"board:a/b:updates",
            b"board:a:updates ",
            b"boards:a:updates",
            b"board:\xff:updates",
            b"",
        ] {
            assert_eq!(
                parse(name, payload, "ours"),
                Err(Unread::InvalidBoard),
                "{name:?}"
            );
        }
    }

    #[test]
    fn messages_are_bounded_at_their_edge_both_ways() {
        let bare = encode(Action::Update, &json!({"id": "i", "text": ""}), "theirs").unwrap();
        for (beyond, fits) in [(0, true), (1, false)] {
            let room = limits::REDIS_MESSAGE_BYTES_MAX - bare.len() + beyond;
            let item = json!({"id": "i", "text": "x".repeat(room)});
            assert_eq!(encode(Action::Update, &item, "theirs").is_some(), fits);
            let payload = format!(r#"{{"action":"update","item":{item},"origin":"theirs"}}"#);
            assert_eq!(payload.len(), limits::REDIS_MESSAGE_BYTES_MAX + beyond);
            let read = parse(CHANNEL, payload.as_bytes(), "ours");
            assert_eq!(read.is_ok(), fits);
            assert!(fits || read == Err(Unread::TooLarge));
        }
    }

    #[test]
    fn of_a_long_item_a_deletion_names_the_id_alone() {
        let item = json!({"id": "i", "text": "x".repeat(limits::REDIS_MESSAGE_BYTES_MAX)});
        let payload = encode(Action::Delete, &item, "theirs").unwrap();
        let value: Value = serde_json::from_slice(&payload).unwrap();
        assert_eq!(
            value,
            json!({"action": "delete", "item": {"id": "i"}, "origin": "theirs"})
        );
        assert_eq!(encode(Action::Create, &item, "theirs"), None);
        let fits = json!({"id": "i", "text": "x"});
        let payload = encode(Action::Delete, &fits, "theirs").unwrap();
        let value: Value = serde_json::from_slice(&payload).unwrap();
        assert_eq!(value["item"], fits);
    }

    #[test]
    fn a_message_is_written_as_the_contract_has_it() {
        let payload = encode(Action::Create, &json!({"id": "i"}), "n").unwrap();
        let value: Value = serde_json::from_slice(&payload).unwrap();
        assert_eq!(
            value,
            json!({"action": "create", "item": {"id": "i"}, "origin": "n"})
        );
    }

    #[test]
    fn the_actor_is_whom_the_item_names() {
        for (told, actor) in [
            (json!("user:ann"), "user:ann"),
            (json!("anonymous"), "anonymous"),
            (json!("ann"), "anonymous"),
            (json!("user:"), "anonymous"),
            (json!(7), "anonymous"),
            (json!(null), "anonymous"),
        ] {
            let item = json!({"id": "i", "updated_by": told});
            let payload = encode(Action::Update, &item, "theirs").unwrap();
            assert_eq!(parse(CHANNEL, &payload, "ours").unwrap().actor().as_str(), actor);
        }
    }

    #[test]
    fn many_small_values_weigh_more_than_their_text() {
        let item = json!({"id": "i", "list": vec![0; 10_000]});
        let payload = encode(Action::Update, &item, "theirs").unwrap();
        let message = parse(CHANNEL, &payload, "ours").unwrap();
        assert!(message.weight() > 10_000 * 100 && payload.len() < 10_000 * 3);
    }

    #[test]
    fn mutations_of_messages_hold_the_fuzz_body() {
        let seeds: [&[u8]; 3] = [
            b"board:b:updates\n{\"action\":\"create\",\"item\":{\"id\":\"i\",\"x\":1},\"origin\":\"o\"}",
            b"board:b:updates\n{\"action\":\"update\",\"item\":{\"id\":\"i\",\"updated_by\":\"user:a\"}}",
            b"board:a:b:updates\n{\"action\":\"delete\",\"item\":{\"id\":\"i\"},\"origin\":\"ours\"}",
        ];
        crate::mutation::drive(&seeds, 3_000, fuzzing::redis_message);
    }
}
