//! The tools: which there are, and what a model is told of each.
//!
//! Owns the list (`tools.json`). Must not know how a tool does its work. Key invariant: a call with an
//! argument that its tool does not have is refused with those that it has. Tests: src/mcp/tests.rs.

use std::sync::LazyLock;

use serde_json::{Map, Value, json};

use crate::items::shown;

static LIST: LazyLock<Value> =
    LazyLock::new(|| serde_json::from_str(include_str!("tools.json")).unwrap_or_default());

/// One of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tool {
    /// `read_board`.
    Read,
    /// `draw`.
    Draw,
    /// `change`.
    Change,
    /// `delete`.
    Delete,
    /// `find_space`.
    Space,
    /// `picture`.
    Picture,
    /// `changes`.
    Changes,
    /// `point`.
    Point,
}

impl Tool {
    /// All of them, by name, in the order of the list.
    pub const ALL: [(&'static str, Self); 8] = [
        ("read_board", Self::Read),
        ("draw", Self::Draw),
        ("change", Self::Change),
        ("delete", Self::Delete),
        ("find_space", Self::Space),
        ("picture", Self::Picture),
        ("changes", Self::Changes),
        ("point", Self::Point),
    ];

    /// The tool of this name.
    ///
    /// # Errors
    /// There is none; the words say which there are.
    pub fn parse(name: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|(known, _)| *known == name);
        found.map(|(_, tool)| tool).ok_or_else(|| {
            let known = Self::ALL.map(|(name, _)| name).join(", ");
            format!("there is no tool {}; there are {known}", shown(name))
        })
    }

    /// Looks whether the tool has all these arguments.
    ///
    /// # Errors
    /// The first that it has not, and those that it has.
    pub fn check(self, arguments: &Map<String, Value>) -> Result<(), String> {
        let known = self.arguments();
        let Some(unknown) = arguments.keys().find(|name| !known.contains(&name.as_str())) else {
            return Ok(());
        };
        let unknown = shown(unknown);
        Err(format!(
            "{unknown} is no argument; there are {}",
            known.join(", ")
        ))
    }

    /// The names of its arguments.
    fn arguments(self) -> Vec<&'static str> {
        let entry = Self::ALL.iter().position(|(_, tool)| *tool == self);
        let entry = entry.and_then(|at| LIST.get(at));
        let properties = entry.and_then(|entry| entry.pointer("/inputSchema/properties"));
        let properties = properties.and_then(Value::as_object);
        properties
            .into_iter()
            .flat_map(Map::keys)
            .map(String::as_str)
            .collect()
    }
}

/// The result of `tools/list`.
#[must_use]
pub fn listed() -> Value {
    json!({ "tools": &*LIST })
}
