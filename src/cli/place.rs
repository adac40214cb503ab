//! Where the boards are that a command works on: a data file, or a database.
//!
//! Owns how such a store is named and opened. Must not know what is done with it. Key invariants: a source is
//! opened so that nothing is written to it; no password is in a message. Tests: `tests.rs`, and those of each
//! command in tests/it.

use std::ffi::OsString;
use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use boardwire::server::config::{self, Source, Values};
use boardwire::store::owners::Quotas;
use boardwire::store::postgres::{self, Address, EXPECTED};
use boardwire::store::redb::{RedbStore, Verified};
use boardwire::store::{OpenError, Shared, Store};

use super::progress::Progress;

/// Where boards are.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Where {
    /// A data file.
    File(PathBuf),
    /// A PostgreSQL database.
    Database(Box<Address>),
}

impl Where {
    /// The store that a server of these settings has.
    ///
    /// # Errors
    /// The setting that is wrong, in one line.
    pub(super) fn of_settings(settings: &Values) -> Result<Self, String> {
        let wrong = |error: config::ConfigError| error.to_string();
        let store = settings.given("store");
        // What somebody names here means more than what the file of settings says of the server.
        let is_written = matches!(store.source, Source::File(..));
        let is_outdone = is_written && *settings.given("data").source == Source::Flag;
        if store.text.is_none() || is_outdone {
            return Ok(Self::File(config::data(settings).map_err(wrong)?));
        }
        if *settings.given("data").source == Source::Flag {
            return Err("--store is not right; expected either --store or --data".to_owned());
        }
        let address = config::shared_store(settings).map_err(wrong)?;
        Ok(Self::Database(Box::new(address)))
    }

    /// Reads the value of a flag.
    ///
    /// # Errors
    /// What would be right, in one line.
    pub(super) fn parse(flag: &str, given: OsString) -> Result<Self, String> {
        match given.to_str().and_then(|text| text.split_once("://")) {
            Some(("postgres" | "postgresql", _)) => {
                let address = Address::parse(&given.to_string_lossy());
                let address =
                    address.map_err(|expected| format!("--{flag} is not right; expected {expected}"));
                Ok(Self::Database(Box::new(address?)))
            }
            // What follows may be a password.
            Some((scheme, _)) => Err(format!(
                "--{flag} {scheme}://... is not right; expected a data file, or {EXPECTED}"
            )),
            None => Ok(Self::File(given.into())),
        }
    }

    /// Opens the store to be read, while nobody writes to it.
    ///
    /// # Errors
    /// Why not, in one line.
    pub(super) fn open_source(&self, progress: &mut Progress) -> Result<Opened, String> {
        match self {
            Self::File(path) => {
                let store = RedbStore::open_untouched(path).map_err(|error| self.unopened(&error))?;
                let is_damaged = store.verified() == Verified::Damaged;
                if is_damaged {
                    progress.say(&format_args!(
                        "pages of {self} are damaged: what can be read is copied, and boards, or entries of the audit log, \
                         may be missing without being named"
                    ));
                }
                Ok(Opened {
                    store: Arc::new(store),
                    is_damaged,
                })
            }
            Self::Database(address) => {
                let shared = postgres::open_untouched(address).map_err(|error| self.unopened(&error))?;
                Ok(Opened {
                    store: self.unserved(shared)?,
                    is_damaged: false,
                })
            }
        }
    }

    /// Opens the store that gets the boards.
    ///
    /// # Errors
    /// Why not, in one line.
    pub(super) fn open_target(&self) -> Result<Arc<dyn Store>, String> {
        match self {
            Self::File(path) => {
                let store = RedbStore::open(path).map_err(|error| self.unopened(&error))?;
                match store.verified() {
                    Verified::Damaged => Err(format!(
                        "pages of {self} are damaged; name a target that is sound, or a new file"
                    )),
                    _ => {
                        if let Some(up) = store.brought_up() {
                            Progress::default().say(&format_args!("{self}: {up}"));
                        }
                        Ok(Arc::new(store))
                    }
                }
            }
            Self::Database(address) => {
                let opened = postgres::open(address, Quotas::UNBOUNDED);
                self.unserved(opened.map_err(|error| self.unopened(&error))?)
            }
        }
    }

    /// Opens a database to be read while servers write to it.
    ///
    /// # Errors
    /// Why not, in one line.
    pub(super) fn open_served(&self, address: &Address) -> Result<Arc<dyn Store>, String> {
        let shared = postgres::open_untouched(address).map_err(|error| self.unopened(&error))?;
        Ok(shared.store)
    }

    /// A database of which no node has a lease: what is served changes meanwhile.
    fn unserved(&self, shared: Shared) -> Result<Arc<dyn Store>, String> {
        let nodes = shared
            .ownership
            .nodes()
            .map_err(|error| format!("{self}: {error}"))?;
        let alive = nodes.into_iter().filter(|node| !node.lease_left.is_zero());
        let alive: Vec<String> = alive.map(|node| node.name).collect();
        match alive.is_empty() {
            true => Ok(shared.store),
            false => Err(format!(
                "servers run on {self}: {}; stop them first (of one that crashed the lease ends by itself, within seconds)",
                alive.join(", ")
            )),
        }
    }

    /// Why it was not opened, and what to do.
    pub(super) fn unopened(&self, error: &OpenError) -> String {
        let advice = match error {
            OpenError::InUse => "; stop its server first",
            OpenError::Io {
                kind: io::ErrorKind::NotFound,
                ..
            } => "; is that the right path?",
            _ => "",
        };
        format!("cannot open {self}: {error}{advice}")
    }

    /// Whether both are the same store.
    pub(super) fn is(&self, other: &Self) -> bool {
        let real = |path: &Path| fs::canonicalize(path).ok();
        match (self, other) {
            (Self::File(one), Self::File(other)) => {
                one == other || real(one).is_some_and(|one| real(other) == Some(one))
            }
            (Self::Database(one), Self::Database(other)) => one == other,
            _ => false,
        }
    }
}

impl fmt::Display for Where {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => path.display().fmt(f),
            Self::Database(address) => address.fmt(f),
        }
    }
}

/// A source.
pub(super) struct Opened {
    pub(super) store: Arc<dyn Store>,
    /// It may lack what nobody misses.
    pub(super) is_damaged: bool,
}
