//! What is wrong with a setting, and where its text came from.
//!
//! Owns [`Source`], [`Given`] and [`ConfigError`]. Must not know what a text means. Key invariant: an error
//! is one line, and the value of a secret is in none. Tests are in `tests.rs`.

use std::fmt;
use std::path::{Path, PathBuf};

use super::settings::{Kind, Setting};

/// Where a value came from; the first that has one wins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// The command line.
    Flag,
    /// The environment.
    Variable,
    /// A file that holds nothing but a secret, which a flag, a variable or the file of settings names.
    SecretFile(PathBuf),
    /// A credential of systemd, in this file.
    Credential(PathBuf),
    /// The file of settings, and the line there.
    File(PathBuf, usize),
    /// Nobody gave one.
    Default,
}

impl Source {
    /// Where the value of `setting` came from, in words.
    #[must_use]
    pub fn words(&self, setting: &Setting) -> String {
        match self {
            Self::Flag => "flag".to_owned(),
            Self::Variable => format!("variable {}", setting.variable()),
            Self::SecretFile(path) => format!("secret file {}", path.display()),
            Self::Credential(path) => format!("credential {}", path.display()),
            Self::File(path, line) => format!("file {}:{line}", path.display()),
            Self::Default => "default".to_owned(),
        }
    }
}

/// One value as it was given.
#[derive(Clone, Copy, Debug)]
pub struct Given<'a> {
    /// For which setting.
    pub setting: &'static Setting,
    /// By whom.
    pub source: &'a Source,
    /// The text, which is the default's where nobody gave one.
    pub text: Option<&'a str>,
}

/// Whether a text has a password in it, as URLs may.
#[must_use]
pub(super) fn has_password(text: &str) -> bool {
    let authority = text.split_once("://").map(|(_, rest)| rest);
    authority.is_some_and(|rest| rest.split(['/', '?']).next().unwrap_or_default().contains('@'))
}

/// A setting that is wrong. Its `Display` is one line that names the flag, or the file and its line, the
/// value and what would be right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    wrong: Wrong,
    expected: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Wrong {
    /// A value, or that there is none.
    Value {
        setting: &'static Setting,
        source: Source,
        /// `None` where nothing was given, or where it is a secret.
        value: Option<String>,
    },
    /// How it was given, in words.
    Form(String),
}

impl ConfigError {
    /// Says that `given` is wrong, and what would be right; leaves the value of a secret out.
    #[must_use]
    pub fn new(given: Given<'_>, expected: impl Into<String>) -> Self {
        let shown = given
            .text
            .filter(|text| given.setting.kind != Kind::Secret && !has_password(text));
        Self {
            wrong: Wrong::Value {
                setting: given.setting,
                source: given.source.clone(),
                value: shown.map(str::to_owned),
            },
            expected: expected.into(),
        }
    }

    /// Says that something is wrong with how settings were given.
    pub(super) fn form(what: String, expected: impl Into<String>) -> Self {
        Self {
            wrong: Wrong::Form(what),
            expected: expected.into(),
        }
    }

    /// Says that something is wrong with a file of settings, on a line where that is known.
    pub(super) fn file(path: &Path, line: Option<usize>, what: &str, expected: impl Into<String>) -> Self {
        let line = line.map(|line| format!(":{line}")).unwrap_or_default();
        Self::form(format!("{}{line}: {what}", path.display()), expected)
    }

    /// The setting that is missing, where that is what is wrong.
    #[must_use]
    pub fn missing(&self) -> Option<&'static Setting> {
        match &self.wrong {
            Wrong::Value {
                setting,
                source: Source::Default,
                value: None,
            } => Some(setting),
            Wrong::Value { .. } | Wrong::Form(_) => None,
        }
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.wrong {
            Wrong::Form(what) => f.write_str(what)?,
            Wrong::Value {
                setting,
                source,
                value,
            } => {
                let name = setting.name;
                match source {
                    Source::Flag | Source::Default => write!(f, "--{name}")?,
                    Source::Variable => write!(f, "--{name} (from {})", setting.variable())?,
                    Source::SecretFile(path) | Source::Credential(path) => {
                        write!(f, "--{name} (from the file {})", path.display())?;
                    }
                    Source::File(path, line) => write!(f, "{}:{line}: {name}", path.display())?,
                }
                match (value, source) {
                    (Some(value), _) => write!(f, " {value:?} is not right")?,
                    (None, Source::Default) => f.write_str(" is missing")?,
                    (None, _) => f.write_str(": the value (not shown) is not right")?,
                }
            }
        }
        write!(f, "; expected {}", self.expected)
    }
}

impl std::error::Error for ConfigError {}
