//! Results: what a run found, with all that is needed to repeat it, as JSON of format `boardwire-load/1`.
//!
//! Owns the format. Must not know how anything is measured.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::Path;

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
        "server": { "label": label, "url": url_without_secrets(&target.url), "dialect": target.dialect.name() },
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

/// What a secret's name has in it.
const SECRETS: [&str; 9] = [
    "secret",
    "token",
    "password",
    "claims",
    "header",
    "auth",
    "credential",
    "apikey",
    "api-key",
];

fn is_secret(name: &str) -> bool {
    let name = name.to_ascii_lowercase().replace('_', "-");
    // What a file is called may be told.
    !name.contains("file") && SECRETS.iter().any(|word| name.contains(word))
}

/// The words of a command without what looks like a secret by the name before it.
pub(crate) fn without_secrets(words: &[String]) -> Vec<String> {
    let mut is_next = false;
    let told = |word: &String| {
        if std::mem::take(&mut is_next) {
            return "...".to_owned();
        }
        is_next = word.starts_with('-') && !word.contains(['=', ' ']) && is_secret(word);
        let is_flag = word.starts_with('-');
        if !is_flag && word.contains(' ') {
            // A command in one word, as --serve takes it.
            let words: Vec<String> = word.split(' ').map(str::to_owned).collect();
            return without_secrets(&words).join(" ");
        }
        let is_letter = |char: char| char.is_ascii_alphanumeric() || "-_".contains(char);
        let named = word
            .split_once('=')
            .filter(|(name, _)| name.chars().all(is_letter));
        match named {
            Some((name, _)) if is_secret(name) => return format!("{name}=..."),
            Some((name, value)) if is_flag => {
                return format!("{name}={}", without_secrets(&[value.to_owned()]).concat());
            }
            _ => {}
        }
        url_without_secrets(word)
    };
    words.iter().map(told).collect()
}

/// An address without the secrets in its query; patterns such as `{token}` are none.
pub(crate) fn url_without_secrets(url: &str) -> String {
    let Some((address, query)) = url.split_once('?').filter(|(address, _)| address.contains("://")) else {
        return url.to_owned();
    };
    let told = |pair: &str| match pair.split_once('=') {
        Some((name, value)) if is_secret(name) && !value.starts_with('{') => format!("{name}=..."),
        _ => pair.to_owned(),
    };
    let pairs: Vec<String> = query.split('&').map(told).collect();
    format!("{address}?{}", pairs.join("&"))
}

/// Says before a run that its result could not be written after it.
pub(crate) fn can_write(file: &str) -> Result<(), String> {
    let is_new = !Path::new(file).exists();
    let opened = OpenOptions::new().create(true).append(true).open(file);
    opened.map_err(|error| format!("{file}: {error}"))?;
    if is_new {
        std::fs::remove_file(file).map_err(|error| format!("{file}: {error}"))?;
    }
    Ok(())
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

    #[test]
    fn nor_in_a_command_of_one_word_nor_in_an_address() {
        let words = [
            "--serve",
            "A_SECRET=x /bin/boardwire serve --jwt-secret abc --port 3",
            "--url",
            "ws://h/{room}?a=b&token=abc&t={token}",
            "--label=my token",
            "--serve=A_SECRET=x /bin/boardwire --password y",
            "--header=Cookie: a b",
            "--url=ws://h/{room}?token=abc",
        ];
        let told = without_secrets(&words.map(str::to_owned));
        assert_eq!(
            told,
            [
                "--serve",
                "A_SECRET=... /bin/boardwire serve --jwt-secret ... --port 3",
                "--url",
                "ws://h/{room}?a=b&token=...&t={token}",
                "--label=my token",
                "--serve=A_SECRET=... /bin/boardwire --password ...",
                "--header=...",
                "--url=ws://h/{room}?token=...",
            ]
        );
        assert_eq!(
            url_without_secrets("ws://h/{room}?auth=7&token={token}"),
            "ws://h/{room}?auth=...&token={token}"
        );
    }

    #[test]
    fn what_cannot_be_written_is_known_before() {
        let missing = can_write("/proc/none/result.json").unwrap_err();
        assert!(missing.contains("/proc/none/result.json"), "{missing}");
        let file = std::env::temp_dir().join(format!("boardwire-load-out-{}", std::process::id()));
        let name = file.to_str().unwrap();
        assert_eq!((can_write(name), file.exists()), (Ok(()), false));
        std::fs::write(&file, "kept").unwrap();
        assert_eq!(can_write(name), Ok(()));
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "kept");
        std::fs::remove_file(&file).unwrap();
    }
}
