//! Results: what a run found, with all that is needed to repeat it, as JSON of format `boardwire-load/1`.
//!
//! Owns the format. Must not know how anything is measured.

use std::io::Write;

use serde_json::{Map, Value, json};

use crate::process;
use crate::scenario::Scenario;
use crate::server::Server;
use crate::target::Target;

/// What stands in each result, so that readers know it.
pub(crate) const FORMAT: &str = "boardwire-load/1";

/// What a run found. README.md lists the figures.
#[derive(Clone, Debug, Default)]
pub(crate) struct Found {
    pub(crate) figures: Map<String, Value>,
    /// Classes of each histogram: upper end in milliseconds, count.
    pub(crate) histogram: Map<String, Value>,
    pub(crate) over_time: Vec<Value>,
    /// Of a search: what was tried.
    pub(crate) steps: Vec<Value>,
    /// What happened when, for pictures.
    pub(crate) marks: Vec<Value>,
    pub(crate) warnings: Vec<String>,
}

/// The whole result. `command` has no secret in it.
pub(crate) fn result(
    (scenario, target, server): (&Scenario, &Target, &Server),
    label: &str,
    command: &[String],
    found: &Found,
) -> Value {
    let mut told = json!({
        "format": FORMAT,
        "tool": { "version": env!("CARGO_PKG_VERSION"), "command": command },
        "at": jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
        "machine": process::machine(),
        "server": { "label": label, "url": target.url, "dialect": target.dialect.name() },
        "scenario": scenario,
        "figures": found.figures,
        "histogram": found.histogram,
        "over_time": found.over_time,
        "steps": found.steps,
        "marks": found.marks,
        "warnings": found.warnings,
    });
    if let Some(command) = server.command() {
        told["server"]["command"] = json!(without_secrets(&command));
    }
    told
}

/// The words of a command without what looks like a secret by the name before it.
pub(crate) fn without_secrets(words: &[String]) -> Vec<String> {
    let is_secret = |name: &str| {
        let name = name.to_ascii_lowercase();
        // What a file is called may be told.
        !name.contains("file")
            && ["secret", "token", "password", "claims", "header"]
                .iter()
                .any(|word| name.contains(word))
    };
    let mut is_next = false;
    let told = |word: &String| {
        let (name, value) = word
            .split_once('=')
            .map_or((word.as_str(), None), |(name, value)| (name, Some(value)));
        let hidden = std::mem::take(&mut is_next);
        let is_name = name
            .chars()
            .all(|char| char.is_ascii_alphanumeric() || "-_".contains(char));
        match value {
            _ if hidden => "...".to_owned(),
            Some(_) if is_name && is_secret(name) => format!("{name}=..."),
            None if name.starts_with('-') && is_secret(name) => {
                is_next = true;
                word.clone()
            }
            _ => word.clone(),
        }
    };
    words.iter().map(told).collect()
}

/// Writes a text to a file; `-` is standard output.
pub(crate) fn write(file: &str, text: &str) -> Result<(), String> {
    let result = if file == "-" {
        std::io::stdout().write_all(text.as_bytes())
    } else {
        std::fs::write(file, text)
    };
    result.map_err(|error| format!("{file}: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_looks_like_a_secret_is_not_told() {
        let words = "serve --jwt-secret abc JWT_TOKEN=x --header=Cookie:y --token-file f --url ws://h/{room}?token={token}";
        let words: Vec<String> = words.split(' ').map(str::to_owned).collect();
        assert_eq!(
            without_secrets(&words).join(" "),
            "serve --jwt-secret ... JWT_TOKEN=... --header=... --token-file f --url ws://h/{room}?token={token}"
        );
    }
}
