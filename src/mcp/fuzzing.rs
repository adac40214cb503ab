//! The fuzz body of the Model Context Protocol: any message, any header fields, any item told as text.
//!
//! The input is lines: the three header fields, and then a JSON object, which is read as a message and told
//! as an item. Seeds: fuzz/seeds/mcp_message.
#![allow(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a panic here is a finding, which is what a fuzz body is for"
)]

use serde_json::Value;

use super::message::{self, Asked, Fields, Message, Refused};
use super::telling::tell;
use super::tools::Tool;
use crate::limits;

/// Nothing panics; every request is answered once, with its id; what an item is told as is one line and
/// bounded.
pub fn mcp_message(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let mut lines = text.lines();
    let mut field = || lines.next().filter(|line| !line.is_empty());
    let fields = Fields {
        version: field(),
        method: field(),
        name: field(),
    };
    let Some(Ok(Value::Object(message))) = lines.next().map(serde_json::from_str) else {
        return;
    };
    let mut told = String::new();
    tell(&Value::Object(message.clone()), &mut told);
    assert_eq!(told.matches('\n').count(), 1);
    assert!(told.ends_with('\n'));
    let sent = message.get("id").cloned();
    let has_method = message.contains_key("method");
    match message::read(message, fields) {
        Ok(Message::Note) => assert!(sent.is_none() || !has_method),
        Ok(Message::Call(call)) => {
            assert_eq!(Some(&call.id), sent.as_ref());
            if let Asked::Tool { name, arguments } = &call.asked
                && let Ok(tool) = Tool::parse(name)
            {
                let checked = tool.check(arguments);
                assert!(checked.is_ok() || !arguments.is_empty());
            }
            let answer = call.answer(message::discovered());
            assert_eq!(answer["id"], call.id);
            assert!(answer["result"].is_object());
        }
        Err(refused) => is_refusal(&refused, sent.as_ref()),
    }
}

fn is_refusal(refused: &Refused, sent: Option<&Value>) {
    let (status, answer) = refused.answer();
    assert!(matches!(status, 200 | 400 | 404));
    assert!(answer["error"]["code"].as_i64().unwrap() < 0);
    let words = answer["error"]["message"].as_str().unwrap();
    assert!(
        !words.is_empty() && words.len() <= 2 * limits::MCP_ID_BYTES_MAX + 512,
        "{words}"
    );
    assert!(answer.get("id").is_none() || answer.get("id") == sent);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mutation;

    #[test]
    fn any_message_is_answered_or_refused() {
        mutation::drive_committed("mcp_message", 20_000, mcp_message);
    }
}
