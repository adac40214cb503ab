//! Other settings for a server that runs: at SIGHUP files are read anew, and what may change is taken up.
//!
//! Owns when, in which order and what the log says of it. Must not know what a setting is for: each [`Part`]
//! of the server takes up its own. Key invariants: where anything is wrong, nothing changes; no value is in
//! the log. Tests are in tests/it/settings.rs.

use async_signal::Signals;
use smol::stream::StreamExt as _;

use crate::server::config::{Config, Disk, Machine, Setting, Sources, Values};
use crate::server::dev_secret;
use crate::server::telemetry::Level;

/// What the settings of a server are read from, again and again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Renewal {
    /// Where to look.
    pub sources: Sources,
    /// What was found the last time.
    pub values: Values,
    /// What decides defaults.
    pub machine: Machine,
}

/// A part of the server that takes up other settings, or files that settings name, while it runs.
pub(crate) trait Part: Send + Sync {
    /// Makes ready to serve by `config`, and changes nothing yet: another part may find it wrong.
    ///
    /// # Errors
    /// What is wrong, in one line, and what would be right.
    fn prepare(&self, config: &Config) -> Result<Prepared, String>;
}

/// What a part does once nothing is wrong.
pub(crate) struct Prepared {
    /// What it takes up besides settings that have another value, by name: such as a file that has changed.
    pub(crate) names: Vec<&'static str>,
    pub(crate) take_up: Box<dyn FnOnce() + Send>,
}

impl Prepared {
    /// Takes up settings only.
    pub(crate) fn of(take_up: impl FnOnce() + Send + 'static) -> Self {
        Self {
            names: Vec::new(),
            take_up: Box::new(take_up),
        }
    }
}

/// What is done at each SIGHUP.
pub(super) struct Renewing {
    renewal: Renewal,
    parts: Vec<Box<dyn Part>>,
}

/// What came of it.
struct Outcome {
    /// By name.
    taken_up: Vec<&'static str>,
    /// What has another value, and stays as it is.
    need_restart: Vec<&'static str>,
}

impl Renewing {
    /// Says of files with secrets what everybody should know.
    pub(super) fn new(renewal: Renewal, parts: Vec<Box<dyn Part>>) -> Self {
        note_exposed(&renewal.values, None);
        Self { renewal, parts }
    }

    /// Reads settings anew for each signal, for ever; signals that come meanwhile are one.
    pub(super) async fn run(mut self, mut signals: Signals) {
        while signals.next().await.is_some() {
            self = smol::unblock(move || {
                self.renew();
                self
            })
            .await;
        }
    }

    /// Takes up what may change, and says so.
    fn renew(&mut self) {
        let Outcome {
            taken_up,
            need_restart,
        } = match self.take_up() {
            Ok(outcome) => outcome,
            Err(error) => {
                tracing::error!(error, "settings not taken up: all stay as they were");
                return;
            }
        };
        if !need_restart.is_empty() {
            let names = need_restart.join(",");
            tracing::warn!(names, "settings have changed that need a restart");
        }
        match taken_up.is_empty() {
            true => tracing::info!("settings read anew: there is nothing to take up"),
            false => tracing::info!(names = taken_up.join(","), "settings taken up"),
        }
    }

    fn take_up(&mut self) -> Result<Outcome, String> {
        let Renewal {
            sources,
            values,
            machine,
        } = &self.renewal;
        let found = sources.read(&Disk).map_err(|error| error.to_string())?;
        // All of it has to be right, also what counts after a restart only.
        Config::from_values(&found, *machine).map_err(|error| error.to_string())?;
        let changed = found.changed_since(values);
        let (live, fixed): (Vec<&Setting>, Vec<&Setting>) =
            changed.into_iter().partition(|setting| setting.is_live());
        let taken = values.taking(&found, Setting::is_live);
        let config = Config::from_values(&taken, *machine);
        let mut config =
            config.map_err(|error| format!("{error}, or a restart for all of what has changed"))?;
        if let Some(path) = &config.dev_secret_file {
            let secret = dev_secret::load_or_create(path);
            let secret =
                secret.map_err(|error| format!("the secret of --dev, {}: {error}", path.display()))?;
            config.keys.unnamed = Some(secret);
        }
        let prepared: Vec<Prepared> = self
            .parts
            .iter()
            .map(|part| part.prepare(&config))
            .collect::<Result<_, _>>()?;
        let mut taken_up: Vec<&str> = live.iter().map(|setting| setting.name).collect();
        for part in prepared {
            taken_up.extend(part.names);
            (part.take_up)();
        }
        note_exposed(&taken, Some(values));
        self.renewal.values = taken;
        Ok(Outcome {
            taken_up,
            need_restart: fixed.iter().map(|setting| setting.name).collect(),
        })
    }
}

/// Says which files with secrets everybody on this machine may read, of those that were not `before`.
fn note_exposed(values: &Values, before: Option<&Values>) {
    let known = |path| before.is_some_and(|before| before.exposed.contains(path));
    for path in values.exposed.iter().filter(|path| !known(path)) {
        let path = path.display();
        tracing::warn!(%path, "everybody on this machine may read a file with a secret in it");
    }
}

impl Part for Level {
    fn prepare(&self, config: &Config) -> Result<Prepared, String> {
        let (level, to) = (self.clone(), config.log_level.clone());
        Ok(Prepared::of(move || level.set(&to)))
    }
}
