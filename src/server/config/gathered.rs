//! The texts given for all settings, each with its source.
//!
//! Owns [`Values`]. Must not know what a text means, nor where one is looked for. Key invariant: there is one
//! entry for each setting of the table. Tests are in `tests.rs`.

use std::fmt;
use std::path::PathBuf;

use super::settings::{Kind, Setting};
use super::wrong::{ConfigError, Given, Source};

/// What was given for one setting.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) setting: &'static Setting,
    pub(super) source: Source,
    pub(super) texts: Vec<String>,
}

/// The texts given for all settings.
#[derive(Clone, PartialEq, Eq)]
pub struct Values {
    /// In the order of the table.
    pub(super) entries: Vec<Entry>,
    /// The file of settings, where one was read.
    pub file: Option<PathBuf>,
    /// Files with secrets that everybody on this machine may read.
    pub exposed: Vec<PathBuf>,
}

impl fmt::Debug for Values {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Some are secrets.
        write!(f, "Values({} settings)", self.entries.len())
    }
}

impl Values {
    /// What was given for a setting of the table.
    ///
    /// # Panics
    /// The name is not in the table: a bug of ours.
    #[must_use]
    pub fn given(&self, name: &str) -> Given<'_> {
        let entry = self.entry(name);
        Given {
            setting: entry.setting,
            source: &entry.source,
            text: entry.texts.first().map(String::as_str),
        }
    }

    #[expect(
        clippy::expect_used,
        reason = "names are literals, and a test reads every one"
    )]
    fn entry(&self, name: &str) -> &Entry {
        let found = self.entries.iter().find(|entry| entry.setting.name == name);
        found.expect("the setting is in the table")
    }

    /// The settings that have other values than `before`.
    #[must_use]
    pub fn changed_since(&self, before: &Self) -> Vec<&'static Setting> {
        let both = self.entries.iter().zip(&before.entries);
        let changed = both.filter(|(now, before)| now.texts != before.texts);
        changed.map(|(now, _)| now.setting).collect()
    }

    /// These, with what `newer` has of the settings that `takes` names.
    #[must_use]
    pub fn taking(&self, newer: &Self, takes: impl Fn(&Setting) -> bool) -> Self {
        let both = self.entries.iter().zip(&newer.entries);
        let entries = both.map(|(old, new)| match takes(new.setting) {
            true => new.clone(),
            false => old.clone(),
        });
        Self {
            entries: entries.collect(),
            file: newer.file.clone(),
            exposed: newer.exposed.clone(),
        }
    }

    /// The value of a setting that may be missing.
    pub(super) fn optional<T>(
        &self,
        name: &str,
        expected: &str,
        parse: impl Fn(&str) -> Option<T>,
    ) -> Result<Option<T>, ConfigError> {
        let given = self.given(name);
        let Some(text) = given.text else { return Ok(None) };
        parse(text)
            .map(Some)
            .ok_or_else(|| ConfigError::new(given, expected))
    }

    /// The value of a setting that has a default.
    pub(super) fn one<T>(
        &self,
        name: &str,
        expected: &str,
        parse: impl Fn(&str) -> Option<T>,
    ) -> Result<T, ConfigError> {
        let value = self.optional(name, expected, parse)?;
        value.ok_or_else(|| ConfigError::new(self.given(name), expected))
    }

    /// The values of a list: of all texts, each separated by commas.
    pub(super) fn list<T>(
        &self,
        name: &str,
        expected: &str,
        parse: impl Fn(&str) -> Option<T>,
    ) -> Result<Vec<T>, ConfigError> {
        let Entry {
            setting,
            source,
            texts,
        } = self.entry(name);
        let parts = texts.iter().flat_map(|text| text.split(','));
        let value = |text: &str| {
            let given = Given {
                setting,
                source,
                text: Some(text),
            };
            parse(text.trim()).ok_or_else(|| ConfigError::new(given, expected))
        };
        parts.map(value).collect()
    }
}

impl Entry {
    /// The value as it may be shown; `None` where there is none.
    pub(super) fn shown(&self) -> Option<String> {
        let text = match (self.texts.is_empty(), self.setting.kind) {
            (true, Kind::Switch) => "false".to_owned(),
            (true, _) => return None,
            (false, Kind::Secret) => "(secret)".to_owned(),
            (false, _) => self.texts.join(","),
        };
        Some(match super::wrong::has_password(&text) {
            true => "(secret)".to_owned(),
            false => text,
        })
    }
}
