//! A server on a data file at rest, in this process, for as long as a command takes.
//!
//! Owns [`AtRest`]. Must not know what is asked of it. Key invariants: it listens on loopback only, and knows
//! one secret, which is made for it and never leaves the process; it removes nothing by itself that the
//! server of the file would have kept. Tests: tests/it/keeping/board.rs.

use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::mpsc;
use std::thread::JoinHandle;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use boardwire::server::config::{Config, LogFormat, Machine, NoFiles, Sources};
use boardwire::server::{self, Ended};
use boardwire::store::OpenError;
use boardwire::store::redb::RedbStore;

use super::super::operator::Operator;
use super::super::place::Where;

/// The most that `--audit-days` and `--trash-days` may be: what is old is for the server of the file to
/// remove.
const DAYS_MAX: &str = "3650";

/// Whether a server has a file open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Found {
    Served,
    AtRest,
}

/// Whether a file has to be there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Missing {
    /// It has.
    Refused,
    /// It is made where it is missing.
    Made,
}

/// Looks whether a server has the file open.
///
/// # Errors
/// It is no data file, or missing, in one line.
pub(super) fn find(path: &Path, missing: Missing) -> Result<Found, String> {
    if missing == Missing::Made && !path.exists() {
        return Ok(Found::AtRest);
    }
    match RedbStore::open_untouched(path) {
        Ok(_) => Ok(Found::AtRest),
        Err(OpenError::InUse) => Ok(Found::Served),
        Err(error) => Err(Where::File(path.to_owned()).unopened(&error)),
    }
}

/// A server that runs.
pub(super) struct AtRest {
    operator: Operator,
    stop: smol::channel::Sender<()>,
    running: JoinHandle<Result<Ended, String>>,
}

impl AtRest {
    /// Starts it, and waits until it listens.
    ///
    /// # Errors
    /// Why it does not, in one line.
    pub(super) fn start(path: &Path) -> Result<Self, String> {
        let mut secret = [0; 32];
        getrandom::fill(&mut secret).map_err(|error| format!("no random bytes: {error}"))?;
        let secret = URL_SAFE_NO_PAD.encode(secret);
        let config = config(path, &secret)?;
        let keys = config.keys.clone();
        let (stop, stopped) = smol::channel::bounded(1);
        let (ready, address) = mpsc::channel::<SocketAddr>();
        let until = async move {
            // Also where the other end is gone.
            stopped.recv().await.unwrap_or_default();
        };
        let running = std::thread::Builder::new().spawn(move || {
            let told = |address| {
                // Whoever waited may be gone.
                ready.send(address).unwrap_or_default();
            };
            server::run_until(config, told, until).map_err(|error| {
                let cause = std::error::Error::source(&error).map(|cause| format!(": {cause}"));
                format!("{error}{}", cause.unwrap_or_default())
            })
        });
        let running = running.map_err(|error| format!("cannot start a thread: {error}"))?;
        match address.recv() {
            Ok(address) => Ok(Self {
                operator: Operator::of(format!("http://{address}"), keys),
                stop,
                running,
            }),
            Err(_) => Err(ended(running)
                .err()
                .unwrap_or_else(|| "it ended at once".to_owned())),
        }
    }

    /// Who may ask it.
    pub(super) fn operator(&self) -> &Operator {
        &self.operator
    }

    /// Ends it, with everything on the disk.
    ///
    /// # Errors
    /// Not everything is.
    pub(super) fn stop(self) -> Result<(), String> {
        drop(self.stop);
        match ended(self.running)? {
            Ended::Saved => Ok(()),
            Ended::Unsaved => Err("not everything could be saved; is the disk full?".to_owned()),
        }
    }
}

fn ended(running: JoinHandle<Result<Ended, String>>) -> Result<Ended, String> {
    running
        .join()
        .unwrap_or_else(|_| Err("the server of the file panicked; this is a bug".to_owned()))
}

fn config(path: &Path, secret: &str) -> Result<Config, String> {
    let path = path
        .to_str()
        .ok_or_else(|| format!("{} is no text in UTF-8", path.display()))?;
    let given = [
        ("data", path),
        ("listen", "127.0.0.1:0"),
        ("jwt-secret", secret),
        ("audit-days", DAYS_MAX),
        ("trash-days", DAYS_MAX),
    ];
    let flag = |name: &str| {
        let found = given.iter().find(|(known, _)| *known == name);
        found.map(|(_, text)| vec![(*text).to_owned()])
    };
    let machine = Machine {
        cores: NonZeroUsize::MIN,
        log_format: LogFormat::Text,
    };
    let values = Sources::new(flag, |_| None, |_| false).read(&NoFiles);
    let config = values.and_then(|values| Config::from_values(&values, machine));
    let mut config = config.map_err(|error| error.to_string())?;
    // What the server of the file takes is not known here.
    config.bounds.body_bytes = boardwire::limits::BODY_BYTES_MAX;
    config.bounds.board_bytes = usize::try_from(u32::MAX).unwrap_or(usize::MAX);
    Ok(config)
}
