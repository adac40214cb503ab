//! `boardwire copy`: all boards of one store into another.
//!
//! Owns the flags of that command, how the two stores are opened, and what is said. Must not copy anything
//! itself. Key invariants: the source is opened so that nothing is written to it, and before the target; no
//! password is in a message.

use std::ffi::OsString;
use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use boardwire::copy::{Copied, Told, copy};
use boardwire::store::owners::Quotas;
use boardwire::store::postgres::{self, Address, EXPECTED};
use boardwire::store::redb::{RedbStore, Verified};
use boardwire::store::{OpenError, Shared, Store};
use clap::{Arg, ArgMatches};

use super::progress::Progress;

pub(crate) const HELP: &str = "\
Boards, grants, links, keys, the audit log and sessions are copied, also the marks of deleted boards. The source is not
changed.
Stop the servers of both first. What the target has already stays as it is, so a copy that was interrupted is made again,
and goes on where it was. Each board is read back and compared.
Exit code: 0 if the target has all boards; 1 if not, and then each board that it lacks is named; 2 for a wrong flag.

Examples:
  export BOARDWIRE_COPY_TO=\"postgres://boardwire:$PASSWORD@db.example/boardwire\"
  boardwire copy --from boardwire.redb
      From one machine to many. Flags show in process lists, so a password is better in a variable.

  boardwire copy --from \"postgres://boardwire@/boardwire?host=/var/run/postgresql\" --to boardwire.redb
      And back.

  boardwire copy --from old.redb --to new.redb
      Of a damaged data file, all that can be read.";

/// Where boards are.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Where {
    /// A data file.
    File(PathBuf),
    /// A PostgreSQL database.
    Database(Box<Address>),
}

/// What is to be copied.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Request {
    from: Where,
    to: Where,
}

/// The flags, and the variables that count where a flag is not given.
const FLAGS: [(&str, &str, &str); 2] = [
    (
        "from",
        "BOARDWIRE_COPY_FROM",
        "The store to copy: a data file, or postgres://...",
    ),
    (
        "to",
        "BOARDWIRE_COPY_TO",
        "The store that gets the boards: a data file, or postgres://...; made when missing",
    ),
];

/// The flags of the command.
pub(crate) fn arguments() -> Vec<Arg> {
    let argument = |(name, variable, help): (&'static str, &str, &str)| {
        Arg::new(name)
            .long(name)
            .value_name("WHERE")
            .help(format!("{help} [variable: {variable}]"))
            .allow_hyphen_values(true)
    };
    FLAGS.map(argument).into()
}

impl Request {
    /// Checks the flags, and the variables for those that are not given.
    pub(crate) fn from_values(
        flags: &ArgMatches,
        variables: &impl Fn(&str) -> Option<OsString>,
    ) -> Result<Self, String> {
        let [from, to] = FLAGS.map(|(name, variable, _)| {
            let given = flags.get_one::<String>(name).map(OsString::from);
            let given = given
                .or_else(|| variables(variable))
                .filter(|text| !text.is_empty());
            let given =
                given.ok_or_else(|| format!("--{name} (or {variable}) is missing; --help shows how"))?;
            Where::parse(name, given)
        });
        Ok(Self { from: from?, to: to? })
    }
}

impl Where {
    fn parse(flag: &str, given: OsString) -> Result<Self, String> {
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

    /// Opens the store to be read.
    fn open_source(&self, progress: &mut Progress) -> Result<Opened, String> {
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
    fn open_target(&self) -> Result<Arc<dyn Store>, String> {
        match self {
            Self::File(path) => {
                let store = RedbStore::open(path).map_err(|error| self.unopened(&error))?;
                match store.verified() {
                    Verified::Damaged => Err(format!(
                        "pages of {self} are damaged; name a target that is sound, or a new file"
                    )),
                    _ => Ok(Arc::new(store)),
                }
            }
            Self::Database(address) => {
                let opened = postgres::open(address, Quotas::UNBOUNDED);
                self.unserved(opened.map_err(|error| self.unopened(&error))?)
            }
        }
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

    fn unopened(&self, error: &OpenError) -> String {
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
    fn is(&self, other: &Self) -> bool {
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
struct Opened {
    store: Arc<dyn Store>,
    /// It may lack what nobody misses.
    is_damaged: bool,
}

/// Copies, and gives the line to print: as an error where the target does not have everything.
pub(crate) fn run(request: &Request) -> Result<String, String> {
    let Request { from, to } = request;
    if from.is(to) {
        return Err(format!("--from and --to are both {from}"));
    }
    let begun = Instant::now();
    let mut progress = Progress::default();
    let source = from.open_source(&mut progress)?;
    let target = to.open_target()?;
    let copied = copy(&*source.store, &*target, &mut |told| match told {
        Told::Ids(count) => progress.begin(count),
        Told::Progress(done) => progress.tell(done.seen(), &megabytes(done.bytes)),
        Told::Behind(board, trouble) => progress.say(&format_args!("board {:?}: {trouble}", board.as_str())),
        Told::Session(Some(id), trouble) => progress.say(&format_args!("session {}: {trouble}", id.as_str())),
        Told::Session(None, trouble) => progress.say(&format_args!("sessions: {trouble}")),
    });
    drop(progress);
    target.close();
    let done = copied.map_err(|stopped| format!("{stopped}; the same command goes on from here"))?;
    let line = summary(&done, begun.elapsed().as_secs_f64());
    match (done.behind + done.sessions_behind, source.is_damaged) {
        (0, false) => Ok(line),
        (0, true) => Err(format!("{line}; the source is damaged and may have had more")),
        (behind, _) => Err(format!("{line}; {behind} NOT copied, named above")),
    }
}

fn megabytes(bytes: u64) -> String {
    format!("{}.{} MB", bytes / 1_000_000, bytes % 1_000_000 / 100_000)
}

fn summary(done: &Copied, seconds: f64) -> String {
    let mut line = format!(
        "copied {} boards ({}) in {seconds:.1} s",
        done.written,
        megabytes(done.bytes)
    );
    if done.equal > 0 {
        line.push_str(&format!("; {} were there already, and equal", done.equal));
    }
    if done.sessions > 0 {
        line.push_str(&format!("; {} sessions", done.sessions));
    }
    if done.others > 0 {
        line.push_str(&format!("; the target has {} more of its own", done.others));
    }
    line
}
