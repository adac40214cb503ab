//! What is to be said of this machine, and of the store, with the settings of `serve`.
//!
//! Owns which checks there are and what they are about. Must not judge numbers (`judged`), nor find them
//! (`machine`). Key invariant: a data file or database is only read. Tests: tests/node/doctor.test.mjs.

use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use boardwire::access::Mode;
use boardwire::bridge;
use boardwire::fault::causes;
use boardwire::server::config::{self, Config, Machine, Values};
use boardwire::server::{descriptors_needed, dev_secret};
use boardwire::store::postgres;
use boardwire::store::redb::{RedbStore, Verified};
use boardwire::store::{OpenError, Trouble};

use super::super::health;
use super::judged::{self, Port, Way};
use super::{Finding, machine, secret, time};

/// What is looked at. Where a setting is wrong, what can be said without it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Asked {
    config: Result<Box<Config>, String>,
    server: Option<health::Asked>,
    data: Option<PathBuf>,
    secrets: Vec<Finding>,
}

impl Asked {
    pub(super) fn of(settings: &Values, machine: Machine) -> Self {
        let config = Config::from_values(settings, machine);
        let has_database = settings.given("store").text.is_some();
        Self {
            config: config.map(Box::new).map_err(|error| error.to_string()),
            server: health::Asked::from_values(settings).ok(),
            data: config::data(settings).ok().filter(|_| !has_database),
            secrets: secret::look(settings),
        }
    }
}

/// Looks at all of it.
pub(super) fn look(asked: &Asked) -> Vec<Finding> {
    let (begun, begun_at) = (Instant::now(), now());
    let mut found = vec![match &asked.config {
        Ok(_) => Finding::ok("settings", "they are such that a server starts with them"),
        Err(line) => Finding::wrong(
            "settings",
            line,
            "what the line says; docs/settings.md has them all",
        ),
    }];
    found.extend(asked.secrets.iter().cloned());
    if let Ok(config) = &asked.config {
        found.extend(of_settings(config));
    }
    let port = asked.server.as_ref();
    let port = port.map(|server| (server.listen, machine::port(server)));
    found.extend(port.iter().map(|(listen, port)| judged::port(*listen, port)));
    if let Some(path) = &asked.data {
        found.extend(data(path, port.as_ref().map(|(_, port)| port)));
    }
    if let Some(available) = machine::memory() {
        found.push(judged::memory(available, judged::memory_needed()));
    }
    let newest = asked
        .data
        .as_deref()
        .and_then(|path| fs::metadata(path).ok()?.modified().ok());
    let newest = newest.and_then(|at| at.duration_since(UNIX_EPOCH).ok());
    let passed = now().saturating_sub(begun_at);
    let drift = passed.abs_diff(begun.elapsed());
    found.push(judged::clock(
        now().as_secs(),
        newest.map(|at| at.as_secs()),
        drift,
    ));
    found
}

/// Since 1970.
fn now() -> std::time::Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

/// What whole settings are needed for.
fn of_settings(config: &Config) -> Vec<Finding> {
    let needed = descriptors_needed(config);
    let mut found = vec![judged::open_files(
        machine::open_files(),
        needed,
        config.bounds.connections,
    )];
    let public_url = config.public_url.as_ref().map(ToString::to_string);
    found.extend(judged::way(Way {
        listen: config.listen,
        public_url: public_url.as_deref(),
        has_trusted_proxy: !config.trusted_proxies.is_empty(),
        is_dev: config.mode == Mode::Dev,
        is_encrypted: config.tls.is_some(),
    }));
    if let Some(path) = &config.dev_secret_file {
        found.extend(dev_secret_file(path));
    }
    if let Some(address) = &config.store {
        found.extend(database(address));
    }
    if let Some(address) = &config.redis {
        found.push(match smol::block_on(bridge::reach(address)) {
            Ok(took) => Finding::ok("redis", format!("{address} answers within {}", time(took))),
            Err(why) => Finding::wrong(
                "redis",
                format!("{address}: {why}"),
                "the address and the password of a Redis that runs; boards go on without it",
            ),
        });
    }
    found
}

/// The secret that `--dev` keeps in a file.
fn dev_secret_file(path: &Path) -> Option<Finding> {
    match dev_secret::load(path) {
        Ok(_) => None,
        Err(error) if error.kind() == ErrorKind::NotFound => None,
        Err(error) => Some(Finding::wrong(
            "secret",
            format!("{}: {error}", path.display()),
            "a file of this user's, or none: `serve --dev` makes it",
        )),
    }
}

/// The store in a database.
fn database(address: &postgres::Address) -> Vec<Finding> {
    let check = "database";
    let right = "a --store that is reached from this machine, with a user that owns its schema";
    let wrong = |error: &OpenError| Finding::wrong(check, format!("{address}: {}", causes(error)), right);
    match postgres::look(address) {
        Ok((server, took, unusable)) => {
            let mut found = judged::database(&server, took);
            found.extend(unusable.map(|error| match error {
                OpenError::Database(Trouble::NoSchema) => Finding::ok(
                    check,
                    format!("{address}: no tables yet, or older ones; the server makes them, or brings them up to date"),
                ),
                error => wrong(&error),
            }));
            found
        }
        Err(error) => vec![wrong(&error)],
    }
}

/// The data file, and where it is.
fn data(path: &Path, port: Option<&Port>) -> Vec<Finding> {
    let directory = machine::directory(path);
    if let Err(error) = fs::metadata(directory) {
        return vec![Finding::wrong(
            "directory",
            format!("{}: {}", directory.display(), error.kind()),
            "make it first (mkdir -p), and give it to the server's user; or name another file with --data",
        )];
    }
    let mut found = vec![match machine::fsync_times(directory) {
        Ok(times) => judged::fsync(times),
        Err(error) => Finding::wrong(
            "directory",
            format!("no file can be made in {}: {}", directory.display(), error.kind()),
            "give the directory to the server's user (chown), and mount it for writing",
        ),
    }];
    let metadata = fs::metadata(path).ok();
    let file = metadata.as_ref().map_or(0, fs::Metadata::len);
    found.extend(
        machine::free_space(directory)
            .ok()
            .map(|free| judged::space(free, file)),
    );
    found.extend(machine::file_system(directory).map(judged::file_system));
    let Some(metadata) = metadata else {
        let what = format!("there is no {} yet; the server makes it", path.display());
        found.push(Finding::ok("data", what));
        return found;
    };
    let user = rustix::process::geteuid().as_raw();
    found.push(judged::rights(metadata.mode(), metadata.uid(), user));
    found.push(opened(path, port));
    found
}

/// Whether the data file can be opened, and its pages are those that were written.
fn opened(path: &Path, port: Option<&Port>) -> Finding {
    let check = "data";
    let shown = path.display();
    let backup = "keep the file, and restore a backup; `boardwire check` names what is wrong, `boardwire copy` saves what can be read";
    match RedbStore::open_untouched(path).map(|store| store.verified()) {
        Ok(Verified::Sound) => Finding::ok(check, format!("{shown}: each page is the one that was written")),
        Ok(Verified::AtOpening) => Finding::ok(
            check,
            format!("{shown} was not closed in order, and opens as it should"),
        ),
        Ok(Verified::TooLarge) => Finding::ok(
            check,
            format!("{shown} opens; it is too large to look through here: `boardwire check` does"),
        ),
        Ok(Verified::Damaged) => Finding::wrong(check, format!("pages of {shown} are damaged"), backup),
        Err(OpenError::InUse) => match port {
            Some(Port::Boardwire { .. }) => {
                Finding::ok(check, format!("{shown} is in use by a server that runs"))
            }
            _ => Finding::warning(
                check,
                format!("{shown} is in use by another process, and no server runs at --listen"),
                "the --listen of the server that has it, or end the command that does",
            ),
        },
        Err(error @ OpenError::NewerFormat { .. }) => Finding::wrong(
            check,
            format!("{shown}: {error}"),
            "the version that wrote it, or a newer one",
        ),
        Err(error @ (OpenError::NotAStore | OpenError::NoFormat)) => Finding::wrong(
            check,
            format!("{shown}: {error}"),
            "another --data; this file is left alone",
        ),
        Err(error @ OpenError::Io { .. }) => Finding::wrong(
            check,
            format!("{shown}: {error}"),
            "a file that the server's user may read and write",
        ),
        Err(error @ OpenError::Full) => Finding::wrong(check, format!("{shown}: {error}"), "make room"),
        Err(error) => Finding::wrong(check, format!("{shown}: {}", causes(&error)), backup),
    }
}
