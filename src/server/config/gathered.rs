//! The texts given for all settings, each with its source.
//!
//! Owns [`Values`]. Must not know what a text means. Key invariant: a flag wins over its variable, and either
//! over the default. Tests are in `tests.rs`.

use std::ffi::OsString;

use super::settings::{SETTINGS, Setting};
use super::wrong::{ConfigError, Given, Source};

/// The texts given for all settings.
#[derive(Clone, PartialEq, Eq)]
pub struct Values {
    /// One entry a setting, in the order of [`SETTINGS`].
    entries: Vec<(&'static Setting, Source, Vec<String>)>,
}

impl Values {
    /// Gathers the texts: those of the flag, else that of the variable, else the default. An empty variable
    /// counts as not set, since many tools cannot leave one out.
    ///
    /// # Errors
    /// A variable that is not UTF-8.
    pub fn gather(
        flags: impl Fn(&'static Setting) -> Option<Vec<String>>,
        variables: impl Fn(&str) -> Option<OsString>,
    ) -> Result<Self, ConfigError> {
        let mut entries = Vec::with_capacity(SETTINGS.len());
        for setting in SETTINGS {
            let entry = if let Some(texts) = flags(setting) {
                (setting, Source::Flag, texts)
            } else if let Some(text) = variables(&setting.variable()).filter(|text| !text.is_empty()) {
                let text = text.into_string().map_err(|_| {
                    let given = Given {
                        setting,
                        source: Source::Variable,
                        text: Some("(not UTF-8)"),
                    };
                    ConfigError::new(given, "text in UTF-8")
                })?;
                (setting, Source::Variable, vec![text])
            } else {
                (
                    setting,
                    Source::Default,
                    setting.default.map(str::to_owned).into_iter().collect(),
                )
            };
            entries.push(entry);
        }
        Ok(Self { entries })
    }

    /// What was given for a setting of the table.
    ///
    /// # Panics
    /// The name is not in the table: a bug of ours.
    #[must_use]
    pub fn given(&self, name: &str) -> Given<'_> {
        let (setting, source, texts) = self.entry(name);
        Given {
            setting,
            source,
            text: texts.first().map(String::as_str),
        }
    }

    #[expect(
        clippy::expect_used,
        reason = "names are literals, and a test reads every one"
    )]
    fn entry(&self, name: &str) -> (&'static Setting, Source, &[String]) {
        let found = self.entries.iter().find(|(setting, ..)| setting.name == name);
        let (setting, source, texts) = found.expect("the setting is in the table");
        (setting, *source, texts)
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

    /// The values of a list: of all flags, each separated by commas.
    pub(super) fn list<T>(
        &self,
        name: &str,
        expected: &str,
        parse: impl Fn(&str) -> Option<T>,
    ) -> Result<Vec<T>, ConfigError> {
        let (setting, source, texts) = self.entry(name);
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
