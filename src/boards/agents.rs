//! Agents that only call HTTP, shown in presence for what they change.
//!
//! Owns the awareness state that is made for them; web/ draws it like any other. Must not know what they
//! change. Key invariant: an agent's call never waits for this. Tests: tests/it/items.rs.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use serde::Serialize;

use crate::access::secret::SecretKind;
use crate::boards::Boards;
use crate::boards::rights::Granted;
use crate::ids::{BoardId, Level, SecretId, Subject};
use crate::items;
use crate::limits;
use crate::room::agents::Agent;

/// What an agent has just changed, or points at.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Touched {
    /// Where, in coordinates of the page; there it points.
    pub(crate) cursor: Option<Cursor>,
    /// The key of that page; where it is not known, the usual one is shown.
    #[serde(skip)]
    pub(crate) page: Option<String>,
    /// The ids of the records, which it holds selected.
    pub(crate) selection: Vec<String>,
    /// What it is doing, in words: "drawing 12 items".
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) doing: Option<String>,
    /// What it says; of strangers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) message: Option<String>,
}

/// A point on the canvas.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Cursor {
    pub(crate) x: f64,
    pub(crate) y: f64,
}

/// The awareness state, in the shape that web/ uses for people.
#[derive(Serialize)]
struct State<'a> {
    user: User<'a>,
    kind: &'static str,
    page: &'a str,
    #[serde(flatten)]
    touched: &'a Touched,
}

#[derive(Serialize)]
struct User<'a> {
    id: &'a str,
    name: &'a str,
    color: &'static str,
}

/// Colours that are told apart on light and on dark ground.
const COLORS: [&str; 8] = [
    "#d9480f", "#2b8a3e", "#1971c2", "#9c36b5", "#c2255c", "#0b7285", "#e67700", "#5f3dc4",
];

impl Boards {
    /// Shows who made a request on its board, with what it changed; by and by.
    pub(crate) fn show_agent(self: &Arc<Self>, granted: &Granted, touched: Touched) {
        let boards = Arc::clone(self);
        let (board, subject) = (granted.board.clone(), granted.grant.subject.clone());
        let level = granted.grant.level;
        self.spawn(async move {
            let Some(cell) = boards.slots.live(&board) else {
                return;
            };
            let known = cell.lock().agent_name(&subject);
            let name = match known {
                Some(name) => name,
                None => boards.agent_name(&board, &subject).await.into(),
            };
            let number = boards.host.random();
            let agent = agent((subject, level), (name, number), touched);
            let now = boards.now();
            boards.step_fenced(&cell, |room, effects| room.show_agent(&agent, now, effects));
        });
    }

    /// A key by the name that its maker gave it, a user by the id.
    async fn agent_name(self: &Arc<Self>, board: &BoardId, subject: &Subject) -> String {
        let id = subject.as_str().split_once(':').map_or("Agent", |(_, id)| id);
        let Some(key) = subject.as_str().strip_prefix("key:").and_then(SecretId::parse) else {
            return id.to_owned();
        };
        let board = board.clone();
        let keys =
            self.read(move |store| store.secrets(&board, SecretKind::Key, None, limits::KEYS_PER_BOARD_MAX));
        let keys = keys.await.unwrap_or_default();
        let found = keys.into_iter().find(|(id, _)| *id == key);
        let name = found.and_then(|(_, stored)| stored.name);
        name.unwrap_or_else(|| id.to_owned())
    }
}

fn agent((subject, level): (Subject, Level), (name, number): (Arc<str>, u64), mut touched: Touched) -> Agent {
    touched.selection.truncate(limits::AGENT_SELECTION_MAX);
    let line = |text: Option<String>, most| text.and_then(|text| one_line(&text, most));
    touched.doing = line(touched.doing, limits::AGENT_DOING_BYTES_MAX);
    touched.message = line(touched.message, limits::AGENT_MESSAGE_BYTES_MAX);
    let mut hasher = DefaultHasher::new();
    subject.hash(&mut hasher);
    let color = usize::try_from(hasher.finish()).unwrap_or_default() % COLORS.len();
    let state = State {
        user: User {
            id: subject.as_str(),
            name: &name,
            color: COLORS.get(color).copied().unwrap_or_default(),
        },
        kind: "agent",
        page: touched.page.as_deref().unwrap_or(items::PAGE),
        touched: &touched,
    };
    let state = serde_json::to_string(&state).unwrap_or_default();
    Agent {
        subject,
        level,
        name,
        state,
        shown_for: match touched.message {
            Some(_) => limits::AGENT_MESSAGE_SHOWN,
            None => limits::AGENT_SHOWN,
        },
        number: u32::try_from(number & u64::from(u32::MAX)).unwrap_or_default(),
    }
}

/// The first `most` bytes of a text, in one line; nothing where nothing can be seen.
fn one_line(text: &str, most: usize) -> Option<String> {
    let mut line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    line.retain(|letter| !letter.is_control());
    line.truncate(line.floor_char_boundary(most));
    (!line.is_empty()).then_some(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_state_has_the_shape_of_a_person_and_is_bounded() {
        let touched = Touched {
            cursor: Some(Cursor { x: 1.5, y: -2.0 }),
            page: Some(format!("page:{}", "p".repeat(128))),
            selection: (0..1_000).map(|n| format!("shape:{n:0128}")).collect(),
            doing: Some("d".repeat(1_000)),
            message: Some("\"".repeat(1_000)),
        };
        let subject = Subject::parse("key:0123456789abcdef").unwrap();
        let name = "n".repeat(limits::KEY_NAME_BYTES_MAX);
        let agent = agent((subject, Level::Edit), (name.into(), 7), touched);
        assert!(agent.state.len() <= limits::AWARENESS_STATE_BYTES_MAX);
        let state: serde_json::Value = serde_json::from_str(&agent.state).unwrap();
        assert_eq!(state["user"]["id"], "key:0123456789abcdef");
        assert_eq!(state["kind"], "agent");
        assert_eq!(state["page"].as_str().map(str::len), Some(133));
        assert_eq!(state["cursor"], serde_json::json!({"x": 1.5, "y": -2.0}));
        let selection = state["selection"].as_array().unwrap();
        assert_eq!(selection.len(), limits::AGENT_SELECTION_MAX);
        let length = |member: &str| state[member].as_str().map(str::len);
        assert_eq!(length("doing"), Some(limits::AGENT_DOING_BYTES_MAX));
        assert_eq!(length("message"), Some(limits::AGENT_MESSAGE_BYTES_MAX));
    }

    #[test]
    fn what_is_said_is_one_line_of_so_many_bytes() {
        for (text, expected) in [
            ("look here", Some("look here")),
            (" a\n\tb\u{0}c\u{2028}d ", Some("a bc d")),
            ("123456789", Some("123456789")),
            ("1234567890", Some("1234567890")),
            ("12345678901", Some("1234567890")),
            ("123456789\u{e4}", Some("123456789")),
            ("", None),
            (" \n\u{7f}", None),
        ] {
            assert_eq!(one_line(text, 10).as_deref(), expected, "{text:?}");
        }
    }
}
