//! `boardwire backup`: everything that a server or a store has, as a data file of its own.
//!
//! Owns the flags of that command, where the boards come from, and what is said. Must not read or write
//! boards itself. Key invariants: what has the name of a backup is whole, on the disk, and was read back and
//! opened; nothing is ever replaced; the source is not changed. Tests: tests/it/backup.rs.

use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use boardwire::client::{Answer, Verb};
use boardwire::copy::{Copied, Told, Trouble, Writing, copy};
use boardwire::server::config::{Source as Given, Values};
use boardwire::store::pages::{Page, Place};
use boardwire::store::redb::RedbStore;
use boardwire::store::{Damage, OpenError, Store, StoreError, StoredAsset, UploadId};
use bytes::Bytes;
use clap::{Arg, ArgMatches};
use serde_json::Value;

use self::dated::Keep;
use super::check;
use super::copy::{megabytes, show};
use super::operator::{self, Operator};
use super::part::{Before, Part};
use super::place::Where;
use super::progress::Progress;

mod dated;
pub(super) use dated::stamp;

pub(crate) const HELP: &str = "\
A backup is a data file: `boardwire serve`, check, copy and restore open it as it is. It is made under another name, read back,
checked as `boardwire check` does, and only then has its name. Nothing is replaced.
Without --store, what --data names is backed up: through its server where one runs (it is asked where --listen or --url says,
as an admin, with the server's secret or BOARDWIRE_TOKEN), else from the file. A server goes on meanwhile, and gives a backup a
fifth of one thread's time. Of each board all is of one moment.
Exit code: 0 if the backup has everything; 1 if not, and then each board that it lacks is named; 2 for a wrong flag.

Examples:
  boardwire backup --to boards-before-the-update.redb
  boardwire backup --to /backups/ --keep 7d,4w
      Into a directory, under a name with the time; of those names the newest of each of the last seven days and four weeks
      stay. Only files with such names go.
  BOARDWIRE_TOKEN=... boardwire backup --url https://boards.example.com --to /backups/";

/// Whom the server's log names.
const OPERATOR: &str = "boardwire backup";

/// How often a page is asked for again while the server is busy, and what is waited before.
const TRIES: u32 = 30;
const RETRY_AFTER: Duration = Duration::from_secs(2);

/// What is to be backed up, and where to.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Request {
    operator: Operator,
    /// What to read where no server is asked.
    store: Where,
    /// A server was named.
    asks: Asks,
    to: PathBuf,
    keep: Option<Keep>,
}

/// Who is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asks {
    /// The server that was named.
    Server,
    /// The store, or the server that has it.
    Store,
}

/// The flags besides those of the server.
pub(crate) fn arguments() -> Vec<Arg> {
    let to = "The file to make, or a directory, in which it has a name with the time";
    let keep = "Of the backups in the directory, keep the newest of each of so many hours, days or weeks";
    let own = [super::flag("to", "PATH", to), super::flag("keep", "7d,4w", keep)];
    operator::arguments().into_iter().chain(own).collect()
}

impl Request {
    /// Checks the flags and the settings shared with the server.
    ///
    /// # Errors
    /// What is wrong, in one line.
    pub(crate) fn from_values(
        flags: &ArgMatches,
        settings: &Values,
        variables: &impl Fn(&str) -> Option<OsString>,
    ) -> Result<Self, String> {
        let text = |name: &str| flags.get_one::<String>(name).filter(|text| !text.is_empty());
        let to = text("to").ok_or("--to is missing; expected the file to make, or a directory for it")?;
        let keep = text("keep").map(|text| Keep::parse(text)).transpose()?;
        let names_store = ["store", "data"]
            .iter()
            .any(|name| *settings.given(name).source == Given::Flag);
        let asks = match text("url") {
            Some(_) if names_store && settings.given("dev").text.is_none() => {
                return Err("--url is not right; expected either a server, or --data or --store".to_owned());
            }
            Some(_) => Asks::Server,
            None => Asks::Store,
        };
        Ok(Self {
            operator: Operator::from_values(flags, settings, variables)?,
            store: Where::of_settings(settings)?,
            asks,
            to: PathBuf::from(to),
            keep,
        })
    }

    /// Where the backup goes.
    fn file(&self) -> Result<PathBuf, String> {
        let is_directory = self.to.is_dir();
        if !is_directory && self.to.as_os_str().to_string_lossy().ends_with('/') {
            return Err(format!(
                "there is no directory {}; make it first (mkdir -p)",
                self.to.display()
            ));
        }
        if self.keep.is_some() && !is_directory {
            return Err(format!(
                "--keep needs a directory in --to, and {} is none",
                self.to.display()
            ));
        }
        let named = || match is_directory {
            true => self.to.join(dated::name(operator::now())),
            false => self.to.clone(),
        };
        let mut file = named();
        if is_directory && file.exists() {
            // Of this very second: the next one has a name of its own.
            std::thread::sleep(Duration::from_secs(1));
            file = named();
        }
        match file.symlink_metadata() {
            Ok(_) => Err(format!(
                "{} is there already; name a new file, or a directory, in which each backup has a name of its own",
                file.display()
            )),
            Err(_) => Ok(file),
        }
    }
}

/// Where the boards come from.
enum Source<'a> {
    Store(Arc<dyn Store>),
    Server(&'a Operator),
}

impl Request {
    fn source(&self, progress: &mut Progress) -> Result<(Source<'_>, Completeness), String> {
        let asked = || Ok((Source::Server(&self.operator), Completeness::Whole));
        match (&self.asks, &self.store) {
            (Asks::Server, _) => asked(),
            (Asks::Store, Where::Database(address)) => Ok((
                Source::Store(self.store.open_served(address)?),
                Completeness::Whole,
            )),
            (Asks::Store, Where::File(path)) => match RedbStore::open_untouched(path) {
                Err(OpenError::InUse) => {
                    let (place, url) = (&self.store, self.operator.url());
                    progress.say(&format_args!("{place} is in use; asking its server at {url}"));
                    asked()
                }
                Err(error) => Err(self.store.unopened(&error)),
                // Opened anew, with what there is to say about its pages.
                Ok(store) => {
                    drop(store);
                    let opened = self.store.open_source(progress)?;
                    let completeness = match opened.is_damaged {
                        true => Completeness::Unknown,
                        false => Completeness::Whole,
                    };
                    Ok((Source::Store(opened.store), completeness))
                }
            },
        }
    }
}

/// Whether a source says of itself that it lacks something.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Completeness {
    Whole,
    /// It is damaged.
    Unknown,
}

/// Makes the backup, and gives the line to print: as an error where it does not have everything.
///
/// # Errors
/// What it lacks, or why there is none.
pub(crate) fn run(request: &Request) -> Result<String, String> {
    let begun = Instant::now();
    let file = request.file()?;
    let mut progress = Progress::default();
    let (source, completeness) = request.source(&mut progress)?;
    let part = Part::begin(&file)?;
    let target = part.open()?;
    let copied = match &source {
        Source::Store(store) => {
            let copied = copy(&**store, &target, &mut |told| show(&mut progress, &told));
            copied.map_err(|stopped| stopped.to_string())
        }
        Source::Server(operator) => receive(operator, &target, &mut progress),
    };
    target.close();
    drop(target);
    let done = copied.map_err(|why| format!("no backup was made: {why}"))?;
    drop(progress);
    let found = check::file(part.part(), &mut Progress::quiet());
    let found = found.map_err(|why| format!("no backup was made: what was written cannot be read: {why}"))?;
    let bytes = part.bytes();
    // What did not open on the source does not open here.
    if found.findings > found.seen.wrong {
        return Err("no backup was made: what was written is damaged; is the disk?".to_owned());
    }
    part.finish(Before::Nothing)?;
    let line = format!(
        "{}: {} boards ({}), {} sessions, {} in the file, in {:.1} s",
        file.display(),
        found.seen.boards,
        megabytes(done.bytes),
        done.sessions,
        megabytes(bytes),
        begun.elapsed().as_secs_f64()
    );
    judged(request, line, (&done, found.seen.wrong, completeness))
}

/// What to say in the end; and what goes of older backups, where nothing is wrong with this one.
fn judged(
    request: &Request,
    line: String,
    (done, wrong, completeness): (&Copied, u64, Completeness),
) -> Result<String, String> {
    match (done.behind + done.sessions_behind + wrong, completeness) {
        (0, Completeness::Whole) => {}
        (0, Completeness::Unknown) => {
            return Err(format!("{line}; the source is damaged and may have had more"));
        }
        (lacks, _) => {
            return Err(format!(
                "{line}; {lacks} boards or sessions are NOT in it or do not open, named above; no older backup was removed"
            ));
        }
    }
    let Some(keep) = &request.keep else {
        return Ok(format!("{line}\n"));
    };
    let gone = dated::prune(&request.to, keep).map_err(|error| {
        format!(
            "{line}; but older backups in {} could not be removed: {error}",
            request.to.display()
        )
    })?;
    Ok(format!("{line}; removed {gone} older backups\n"))
}

/// Takes everything from a server that runs.
fn receive(operator: &Operator, target: &RedbStore, progress: &mut Progress) -> Result<Copied, String> {
    let mut writing = Writing::new(target);
    let mut place = Place::START;
    let mut bytes = Ahead::default();
    progress.begin_unknown();
    loop {
        let page = page(operator, &place)?;
        let mut tell = |told: Told<'_>| show(progress, &told);
        let stopped = |stopped: boardwire::copy::Stopped| stopped.to_string();
        for (board, cause) in &page.unreadable {
            let trouble = Trouble::Told(cause.clone());
            writing.leave(board, &trouble, &mut tell);
        }
        for whole in page.boards {
            let mut parts = |asset: &StoredAsset, number| Ok(bytes.part(operator, asset, number));
            writing.push(whole, &mut parts, &mut tell).map_err(stopped)?;
        }
        writing.finish(&mut tell).map_err(stopped)?;
        writing
            .push_sessions(&page.sessions, &mut tell)
            .map_err(stopped)?;
        match page.next {
            Some(next) if next != place => place = next,
            Some(_) => return Err(format!("{} gives the same page again", operator.url())),
            None => return Ok(writing.done()),
        }
    }
}

/// Parts of an asset that came with one that was asked for.
#[derive(Default)]
struct Ahead(Vec<(UploadId, u32, Bytes)>);

impl Ahead {
    /// A part of an asset of the server.
    fn part(&mut self, operator: &Operator, asset: &StoredAsset, number: u32) -> Result<Bytes, Trouble> {
        let wanted = |(upload, part, _): &(UploadId, u32, Bytes)| (*upload, *part) == (asset.upload, number);
        if !self.0.iter().any(wanted) {
            let page = page(operator, &Place::Part(asset.upload, number)).map_err(Trouble::Told)?;
            self.0 = page.parts;
        }
        let at = self.0.iter().position(wanted);
        let at = at.ok_or_else(|| Trouble::Told("an asset has not all of its bytes".to_owned()))?;
        Ok(self.0.swap_remove(at).2)
    }
}

/// One page, however often it has to be asked for.
fn page(operator: &Operator, place: &Place) -> Result<Page, String> {
    for tries in 1.. {
        // A backup may take longer than a token is good.
        let server = operator.connect(OPERATOR)?;
        let answer = server.send(Verb::Get, &format!("/v1/backup?cursor={place}"), b"")?;
        let url = operator.url();
        match answer.status {
            200 => {
                let page = Page::decode(&answer.body).map_err(|cause| unlike(url, cause))?;
                return Ok(page);
            }
            status => match member(&answer, "code").as_str() {
                "backup_busy" | "server_busy" if tries < TRIES => std::thread::sleep(RETRY_AFTER),
                "state_unreadable" => {
                    return Err(format!(
                        "the data file of {url} is damaged, and nobody knows what is in it; stop the server, and back up its file with --data: \
                         what can be read is then in the backup"
                    ));
                }
                _ => return Err(format!("{url} answers {status}: {}", member(&answer, "detail"))),
            },
        }
    }
    Err("no answer".to_owned())
}

fn unlike(url: &str, cause: Damage) -> String {
    let cause = StoreError::Unreadable(cause);
    let cause = std::error::Error::source(&cause).map(ToString::to_string);
    format!(
        "{url} gives a page that cannot be read ({}); is it a Boardwire of this version?",
        cause.unwrap_or_default()
    )
}

/// A member of a problem document.
fn member(answer: &Answer, name: &str) -> String {
    let body: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    super::one_line(body.get(name).and_then(Value::as_str).unwrap_or("no reason"))
}
