//! What `boardwire config` prints: every setting, its value, and where that came from.
//!
//! Owns the table and its form in JSON. Must not judge a value. Key invariant: no secret is in it, whatever
//! is wrong. Tests are below.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::gathered::{Entry, Values};
use super::settings::Kind;
use super::sources::DEFAULT_FILE;
use super::wrong::ConfigError;

/// Values that are longer do not widen the table.
const COLUMN: usize = 32;

/// All settings, for people: a line each.
#[must_use]
pub fn table(values: &Values, wrong: Option<&ConfigError>) -> String {
    let shown = |entry: &Entry| {
        let none = || match wrong.and_then(ConfigError::missing) {
            Some(missing) if missing == entry.setting => "(missing)".to_owned(),
            _ => format!("({})", entry.setting.default_words.unwrap_or("none")),
        };
        let text = entry.shown().map(|text| text.escape_debug().to_string());
        text.unwrap_or_else(none)
    };
    let rows: Vec<(&str, String, String)> = values
        .entries
        .iter()
        .map(|entry| {
            let setting = entry.setting;
            (setting.name, shown(entry), entry.source.words(setting))
        })
        .collect();
    let widest = |lengths: &mut dyn Iterator<Item = usize>| lengths.max().unwrap_or_default();
    let names = widest(&mut rows.iter().map(|(name, ..)| name.len()));
    let texts = widest(
        &mut rows
            .iter()
            .map(|(_, text, _)| text.len())
            .filter(|length| *length <= COLUMN),
    );
    let mut out = match &values.file {
        Some(path) => format!("# file of settings: {}\n", path.display()),
        None => format!("# no file of settings; {DEFAULT_FILE} would be one\n"),
    };
    for (name, text, from) in rows {
        // Writing to a text does not fail.
        writeln!(out, "{name:names$}  {text:texts$}  {from}").unwrap_or_default();
    }
    out
}

/// All settings, for programs.
#[must_use]
pub fn json(values: &Values, wrong: Option<&ConfigError>) -> String {
    let setting = |entry: &Entry| {
        json!({
            "name": entry.setting.name,
            "value": entry.shown(),
            "secret": entry.setting.kind == Kind::Secret,
            "from": entry.source.words(entry.setting),
        })
    };
    let all: Vec<Value> = values.entries.iter().map(setting).collect();
    let report = json!({
        "file": values.file.as_ref().map(|path| path.display().to_string()),
        "settings": all,
        "error": wrong.map(ToString::to_string),
    });
    format!("{report:#}\n")
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;

    use super::super::secrets::NoFiles;
    use super::super::settings::SETTINGS;
    use super::super::sources::Sources;
    use super::super::wrong::Given;
    use super::*;

    fn values() -> Values {
        let flags = [
            ("jwt-secret", "geheim"),
            ("allow-origin", "https://a.example"),
            ("public-url", "https://ann:geheim@b.example"),
        ];
        let found = |all: &[(&str, &str)], name: &str| {
            let found = all.iter().find(|(known, _)| *known == name);
            found.map(|(_, text)| (*text).to_owned())
        };
        let variables = [("BOARDWIRE_STORE", "postgres://ann:geheim@db/x")];
        let sources = Sources::new(
            |name| found(&flags, name).map(|text| vec![text]),
            |name| found(&variables, name).map(OsString::from),
            |_| true,
        );
        sources.read(&NoFiles).unwrap()
    }

    #[test]
    fn every_setting_has_a_line_with_its_value_and_source_and_no_secret_is_in_it() {
        let text = table(&values(), None);
        assert_eq!(text.lines().count(), SETTINGS.len() + 1);
        let line = |name: &str| {
            let found = text.lines().find(|line| line.starts_with(&format!("{name} ")));
            let words: Vec<&str> = found.unwrap().split_whitespace().collect();
            words.join(" ")
        };
        assert_eq!(line("jwt-secret"), "jwt-secret (secret) flag");
        assert_eq!(line("store"), "store (secret) variable BOARDWIRE_STORE");
        assert_eq!(line("public-url"), "public-url (secret) flag");
        assert_eq!(line("allow-origin"), "allow-origin https://a.example flag");
        assert_eq!(line("max-connections"), "max-connections 10000 default");
        assert_eq!(line("threads"), "threads (one a core) default");
        assert_eq!(line("dev"), "dev false default");
        assert!(!text.contains("geheim"), "{text}");
    }

    #[test]
    fn what_is_missing_says_so() {
        let values = values();
        let nothing = Given {
            text: None,
            ..values.given("metrics-token")
        };
        let wrong = ConfigError::new(nothing, "one");
        let text = table(&values, Some(&wrong));
        let line = text.lines().find(|line| line.starts_with("metrics-token "));
        assert!(line.unwrap().contains(" (missing) "), "{text}");
    }

    #[test]
    fn json_has_the_same_and_what_is_wrong() {
        let values = values();
        let wrong = ConfigError::new(values.given("store"), "another");
        let text = json(&values, Some(&wrong));
        let report: Value = serde_json::from_str(&text).unwrap();
        let all = report["settings"].as_array().unwrap();
        assert_eq!(all.len(), SETTINGS.len());
        let store = all.iter().find(|one| one["name"] == "store").unwrap();
        assert_eq!(
            *store,
            json!({"name": "store", "value": "(secret)", "secret": true, "from": "variable BOARDWIRE_STORE"})
        );
        let threads = all.iter().find(|one| one["name"] == "threads").unwrap();
        assert_eq!(threads["value"], Value::Null);
        let error = report["error"].as_str().unwrap();
        assert!(
            error.starts_with("--store (from BOARDWIRE_STORE): the value (not shown)"),
            "{error}"
        );
        assert!(!text.contains("geheim"), "{text}");
    }
}
