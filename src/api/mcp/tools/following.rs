//! `changes`: what has happened on the board since the last call.
//!
//! Owns how events read for a model, and how long is waited for one. Must not know how events come to be.
//! Key invariant: each answer names where the next one goes on, and nothing between the two is left out
//! without being told. Tests are below, and tests/it/mcp.rs.

use std::time::{Duration, Instant};

use serde_json::Value;

use crate::api::mcp::tools::Words;
use crate::api::{Call, body, failed_content};
use crate::boards::rights::Granted;
use crate::items::Record;
use crate::limits;
use crate::mcp::telling::tell;
use crate::net::{admission, within};
use crate::room::feed::Filter;

/// Answers the call.
pub(super) async fn changes(
    call: &Call<'_>,
    granted: Granted,
    mut arguments: Record,
) -> Result<String, Words> {
    let since = body::optional(arguments.remove("since"), |value| {
        body::text("since", value, 1..=limits::MCP_ID_BYTES_MAX)
    })?;
    let wait = body::optional(arguments.remove("wait"), |value| {
        body::whole("wait", &value, 0..=limits::MCP_WAIT_SECONDS_MAX)
    })?;
    let everything = Filter {
        items: true,
        presence: true,
        kinds: Vec::new(),
    };
    let place = call.shell.doors.admit(call.request.address);
    let _place = place.map_err(admission::problem)?;
    let kept = limits::MCP_EVENTS_KEPT;
    let follower = call.boards().follow(granted, everything, since, kept).await;
    let follower = follower.map_err(failed_content)?;
    let until = Instant::now() + Duration::from_secs(wait.unwrap_or_default());
    let mut told = Told::default();
    loop {
        // What is there already comes at once, first of all where it begins.
        let left = match told.since.is_empty() {
            true => limits::HEAD_TIME_MAX,
            false => until.saturating_duration_since(Instant::now()),
        };
        match within(left, follower.next()).await {
            Ok(Ok(bytes)) => told.add(&String::from_utf8_lossy(&bytes)),
            Ok(Err(Some(fault))) => return Err(admission::problem(fault).into()),
            Ok(Err(None)) | Err(_) => break,
        }
        if !told.lines.is_empty() {
            break;
        }
    }
    Ok(told.text())
}

/// Events, as they were read.
#[derive(Debug, Default, PartialEq, Eq)]
struct Told {
    lines: String,
    since: String,
}

impl Told {
    /// Adds events as they are sent to those who follow.
    fn add(&mut self, stream: &str) {
        for event in stream.split("\n\n") {
            let field = |name: &str| {
                let mut lines = event.lines();
                lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
            };
            if let Some(id) = field("id") {
                id.clone_into(&mut self.since);
            }
            if let (Some(name), Some(data)) = (field("event"), field("data")) {
                let data: Value = serde_json::from_str(data).unwrap_or_default();
                self.line(name, &data);
            }
        }
    }

    fn line(&mut self, name: &str, data: &Value) {
        let text = |member: &str| data.get(member).and_then(Value::as_str).unwrap_or_default();
        if name == "reset" {
            self.lines
                .push_str("Events are missing here: read the board anew, and then go on.\n");
            return;
        }
        self.lines.push_str(name);
        if name.starts_with("presence.") {
            for part in [
                " ",
                &Value::from(text("name")).to_string(),
                " ",
                text("subject"),
                "\n",
            ] {
                self.lines.push_str(part);
            }
            return;
        }
        let by = data.get("by").and_then(Value::as_str).unwrap_or("somebody");
        for part in [" by ", by, ": "] {
            self.lines.push_str(part);
        }
        match data.get("item") {
            Some(item) => tell(item, &mut self.lines),
            None => {
                for part in [text("type"), " ", text("id"), "\n"] {
                    self.lines.push_str(part);
                }
            }
        }
    }

    fn text(self) -> String {
        let Self { lines, since } = self;
        let lines = match lines.is_empty() {
            true => "Nothing has happened.\n",
            false => &lines,
        };
        format!("{lines}Go on with \"since\": \"{since}\".\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_read_one_a_line_with_who_and_what() {
        let mut told = Told::default();
        told.add(": following\nid: a-0\n\n");
        assert_eq!(told.since, "a-0");
        assert!(told.lines.is_empty());
        told.add(concat!(
            "event: item.created\nid: a-1\ndata: {\"id\":\"h\",\"type\":\"sticky\",\"by\":\"user:a\",\"item\":",
            "{\"id\":\"h\",\"type\":\"sticky\",\"x\":1,\"y\":2,\"width\":3,\"height\":4,\"content\":{\"text\":\"Hi\\n\"}}}\n\n",
            "event: item.deleted\nid: a-2\ndata: {\"id\":\"g\",\"type\":\"text\",\"by\":null}\n\n",
            "event: presence.joined\nid: a-3\ndata: {\"name\":\"Ada\",\"subject\":\"user:ada\"}\n\n",
        ));
        assert_eq!(
            told.text(),
            concat!(
                "item.created by user:a: sticky h (1,2 3x4) \"Hi\\n\"\n",
                "item.deleted by somebody: text g\n",
                "presence.joined \"Ada\" user:ada\n",
                "Go on with \"since\": \"a-3\".\n",
            )
        );
    }

    #[test]
    fn what_is_missing_is_told() {
        let mut told = Told::default();
        told.add("event: reset\nid: b-7\ndata: {\"why\":\"too_old\"}\n\n");
        let text = told.text();
        assert!(
            text.contains("read the board anew") && text.contains("\"b-7\""),
            "{text}"
        );
        assert!(Told::default().text().starts_with("Nothing has happened."));
    }
}
