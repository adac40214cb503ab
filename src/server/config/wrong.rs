//! What is wrong with a setting, and where its text came from.
//!
//! Owns [`Source`], [`Given`] and [`ConfigError`]. Must not know what a text means. Key invariant: an error is
//! one line, and the value of a secret is in none. Tests are in `tests.rs`.

use std::fmt;

use super::settings::{Kind, Setting};

/// Where a value came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// The command line.
    Flag,
    /// The environment.
    Variable,
    /// Nobody gave one.
    Default,
}

/// One value as it was given.
#[derive(Clone, Copy, Debug)]
pub struct Given<'a> {
    /// For which setting.
    pub setting: &'static Setting,
    /// By whom.
    pub source: Source,
    /// The text, which is the default's where nobody gave one.
    pub text: Option<&'a str>,
}

/// A setting that is wrong. Its `Display` is one line that names the flag, the value and what would be right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    setting: &'static Setting,
    source: Source,
    /// `None` where nothing was given, or where it is a secret.
    value: Option<String>,
    expected: String,
}

impl ConfigError {
    /// Says that `given` is wrong, and what would be right; leaves the value of a secret out.
    #[must_use]
    pub fn new(given: Given<'_>, expected: impl Into<String>) -> Self {
        let shown = given.text.filter(|_| given.setting.kind != Kind::Secret);
        Self {
            setting: given.setting,
            source: given.source,
            value: shown.map(str::to_owned),
            expected: expected.into(),
        }
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "--{}", self.setting.name)?;
        if self.source == Source::Variable {
            write!(f, " (from {})", self.setting.variable())?;
        }
        match (&self.value, self.source) {
            (Some(value), _) => write!(f, " {value:?} is not right")?,
            (None, Source::Default) => f.write_str(" is missing")?,
            (None, Source::Flag | Source::Variable) => f.write_str(": the value (not shown) is not right")?,
        }
        write!(f, "; expected {}", self.expected)
    }
}

impl std::error::Error for ConfigError {}
