//! `boardwire restore`: everything out of a backup, or one board.
//!
//! Owns the flags of that command, what is looked at before anything is written, and what is said. Must not
//! read or write boards itself. Key invariants: a backup is checked whole, or the board that is wanted,
//! before anything is replaced; a store that has boards is replaced only where that is asked for, and stays
//! beside the new one; however it is interrupted, the one or the other is there, whole. Tests:
//! tests/it/restore.rs.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Instant;

use boardwire::audit::{Action, Actor, Entry, EntryKey};
use boardwire::copy::{Told, bring_assets, copy, give_up_assets, inspect_board};
use boardwire::ids::BoardId;
use boardwire::server::config::{Source as Given, Values};
use boardwire::store::redb::RedbStore;
use boardwire::store::{Applied, Change, Life, OpenError, Registry as _, Store, Whole};
use clap::{Arg, ArgAction, ArgMatches};

use super::backup;
use super::check;
use super::copy::{megabytes, show};
use super::operator::{self, Operator};
use super::part::{Before, Part};
use super::place::Where;
use super::progress::Progress;

mod server;

pub(crate) const HELP: &str = "\
Without --board everything is restored, to the data file of --data or the database of --store, with the server stopped. The
backup is checked whole before anything is written. A store that has boards already is not replaced, but with --replace: the
old data file is then kept beside the new one. To go back to a database, name another schema in --store (?schema=NAME).
With --board one board is put back: into the data file, the database, or a server that runs (--url, or the one that has the
data file open). An id that is used there, also of a deleted board, is not taken; --as gives it another one, and the copy then
has document, title, owner and grants, but no links, keys and webhooks, since these are of the first one. A server that runs
gets no links, keys, webhooks and audit entries either.
Exit code: 0 if all is restored; 1 if not; 2 for a wrong flag.

Examples:
  boardwire restore --from backup.redb --data boardwire.redb
  boardwire restore --from backup.redb --data boardwire.redb --replace
  boardwire restore --from backup.redb --board plan --as plan-of-yesterday --data boardwire.redb
  boardwire restore --from backup.redb --board plan --as plan-of-yesterday --url https://boards.example.com";

/// What is to be restored, and where to.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Request {
    operator: Operator,
    store: Where,
    /// A server was named.
    asks: Asks,
    from: PathBuf,
    board: Option<Wanted>,
    replace: Replace,
}

/// Who gets the board.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asks {
    Server,
    Store,
}

/// One board, and the id that it is to have.
#[derive(Debug, PartialEq, Eq)]
struct Wanted {
    board: BoardId,
    to_be: BoardId,
}

/// Whether what is there may go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Replace {
    No,
    Yes,
}

/// The flags besides those of the server.
pub(crate) fn arguments() -> Vec<Arg> {
    let own = [
        super::flag("from", "FILE", "The backup"),
        super::flag("board", "ID", "Restore this board only"),
        super::flag("as", "ID", "Under this id"),
        Arg::new("replace")
            .long("replace")
            .help("Also where there are boards already; what is there is kept under another name")
            .action(ArgAction::SetTrue),
    ];
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
        let from = text("from").ok_or("--from is missing; expected the file of a backup")?;
        let id = |name: &str| {
            let parse = |text: &String| {
                BoardId::parse(text)
                    .ok_or_else(|| format!("--{name} {text:?} is not right; expected the id of a board"))
            };
            text(name).map(parse).transpose()
        };
        let (board, to_be) = (id("board")?, id("as")?);
        if board.is_none() && to_be.is_some() {
            return Err("--as is not right; expected --board beside it, which says what board".to_owned());
        }
        let asks = match text("url") {
            Some(_) if board.is_none() => {
                return Err("--url is not right; expected --board beside it: a server that runs takes boards, and not everything".to_owned());
            }
            Some(_) => Asks::Server,
            None => Asks::Store,
        };
        let names_store = ["store", "data"]
            .iter()
            .any(|name| *settings.given(name).source != Given::Default);
        if asks == Asks::Store && !names_store {
            return Err(
                "--data is missing; expected where to restore: --data, --store, or with --board --url"
                    .to_owned(),
            );
        }
        let wanted = board.map(|board| Wanted {
            to_be: to_be.unwrap_or_else(|| board.clone()),
            board,
        });
        let request = Self {
            operator: Operator::from_values(flags, settings, variables)?,
            store: Where::of_settings(settings)?,
            asks,
            from: PathBuf::from(from),
            board: wanted,
            replace: match flags.get_flag("replace") {
                true => Replace::Yes,
                false => Replace::No,
            },
        };
        match asks == Asks::Store && request.store.is(&Where::File(request.from.clone())) {
            true => Err(format!("--from and --data are both {}", request.store)),
            false => Ok(request),
        }
    }
}

/// Restores, and gives the line to print.
///
/// # Errors
/// What is wrong with the backup, or with where it is to go.
pub(crate) fn run(request: &Request) -> Result<String, String> {
    if let Some(wanted) = &request.board {
        return one(request, wanted);
    }
    let mut progress = Progress::default();
    // Before the backup is looked through, which takes a while.
    let place = Target::find(request)?;
    let found = check::file(&request.from, &mut progress)?;
    if found.findings > 0 {
        return Err(format!(
            "{} is damaged, as said above; nothing was restored. `boardwire restore --board ID` takes a board out of it that can \
             be read, and `boardwire copy` all of them",
            request.from.display()
        ));
    }
    let begun = Instant::now();
    let from = RedbStore::open_untouched(&request.from);
    let from = from.map_err(|error| Where::File(request.from.clone()).unopened(&error))?;
    let kept = match place {
        Target::Database(store) => {
            let copied = copy(&from, &*store, &mut |told| show(&mut progress, &told));
            store.close();
            let done = copied.map_err(|stopped| format!("{stopped}; the same command goes on from here"))?;
            match done.behind + done.sessions_behind {
                0 => None,
                behind => {
                    return Err(format!(
                        "{behind} boards or sessions were NOT restored, named above"
                    ));
                }
            }
        }
        Target::File { path, old } => file(&from, (path, old), &mut progress)?,
    };
    drop(progress);
    let line = format!(
        "{}: {} boards ({}) and {} sessions of {} in {:.1} s",
        request.store,
        found.seen.boards,
        megabytes(found.seen.bytes),
        found.seen.sessions,
        request.from.display(),
        begun.elapsed().as_secs_f64()
    );
    Ok(match kept {
        None => format!("{line}\n"),
        Some(kept) => format!("{line}; what was there is {}\n", kept.display()),
    })
}

/// Where everything goes.
enum Target<'a> {
    Database(std::sync::Arc<dyn Store>),
    File {
        path: &'a Path,
        /// What is there: it stays open, so that no server starts on it meanwhile.
        old: Option<Old>,
    },
}

/// A data file that is to be replaced.
struct Old {
    /// Held, and not used. `None` for what does not open.
    _store: Option<Box<RedbStore>>,
    /// It has something that is worth keeping.
    is_kept: Kept,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kept {
    No,
    Yes,
}

impl<'a> Target<'a> {
    fn find(request: &'a Request) -> Result<Self, String> {
        let place = &request.store;
        match place {
            Where::Database(_) => {
                let store = place.open_target()?;
                let used = store.used(None, 1).map_err(|error| format!("{place}: {error}"))?;
                match used.is_empty() {
                    true => Ok(Self::Database(store)),
                    false => Err(format!(
                        "{place} has boards already; name an empty schema in --store (?schema=NAME), and the old one stays as it is"
                    )),
                }
            }
            Where::File(path) => {
                let old = Old::find(path, place)?;
                let has_boards = old.as_ref().is_some_and(|old| old.is_kept == Kept::Yes);
                match (has_boards, request.replace) {
                    (true, Replace::No) => Err(format!(
                        "{place} has boards already; with --replace the backup takes its place, and it is kept under another name"
                    )),
                    _ => Ok(Self::File { path, old }),
                }
            }
        }
    }
}

impl Old {
    fn find(path: &Path, place: &Where) -> Result<Option<Self>, String> {
        match path.metadata() {
            Err(_) => return Ok(None),
            Ok(found) if !found.is_file() => return Err(format!("{place} is no file")),
            Ok(found) if found.len() == 0 => {
                return Ok(Some(Self {
                    _store: None,
                    is_kept: Kept::No,
                }));
            }
            Ok(_) => {}
        }
        match RedbStore::open_untouched(path) {
            Err(error @ OpenError::InUse) => Err(place.unopened(&error)),
            // Damaged it may be, which is why somebody restores.
            Err(_) => Ok(Some(Self {
                _store: None,
                is_kept: Kept::Yes,
            })),
            Ok(store) => {
                let is_empty = store.used(None, 1).is_ok_and(|used| used.is_empty());
                Ok(Some(Self {
                    _store: Some(Box::new(store)),
                    is_kept: if is_empty { Kept::No } else { Kept::Yes },
                }))
            }
        }
    }
}

/// Makes a data file of the backup and gives it its name; gives the name of what was there.
fn file(
    from: &RedbStore,
    (path, old): (&Path, Option<Old>),
    progress: &mut Progress,
) -> Result<Option<PathBuf>, String> {
    let part = Part::begin(path)?;
    let target = part.open()?;
    let copied = copy(from, &target, &mut |told: Told<'_>| show(progress, &told));
    target.close();
    drop(target);
    let done = copied.map_err(|stopped| format!("nothing was restored: {stopped}"))?;
    if done.behind + done.sessions_behind > 0 {
        return Err("nothing was restored: the copy lacks what is named above".to_owned());
    }
    let found = check::file(part.part(), &mut Progress::quiet())?;
    if found.findings > 0 {
        return Err("nothing was restored: what was written is damaged; is the disk?".to_owned());
    }
    match &old {
        None => {
            part.finish(Before::Nothing)?;
            Ok(None)
        }
        Some(Old {
            is_kept: Kept::No, ..
        }) => {
            part.finish(Before::Replaced)?;
            Ok(None)
        }
        Some(Old {
            is_kept: Kept::Yes, ..
        }) => {
            let mut name = path.as_os_str().to_owned();
            name.push(format!(".before-{}", backup::stamp(operator::now())));
            let aside = PathBuf::from(name);
            part.finish(Before::Kept(&aside))?;
            Ok(Some(aside))
        }
    }
}

/// Takes one board out of the backup.
fn one(request: &Request, wanted: &Wanted) -> Result<String, String> {
    let backup = Where::File(request.from.clone());
    let opened = backup.open_source(&mut Progress::default())?;
    let board = wanted.board.as_str();
    let whole = Whole::read(&*opened.store, &wanted.board);
    let whole =
        whole.map_err(|error| format!("{backup}: board {board:?}: {}", boardwire::fault::causes(&error)))?;
    let mut whole = whole.ok_or_else(|| {
        format!(
            "{backup} has no board {board:?}; `boardwire board list --data {backup}` lists those that it has"
        )
    })?;
    // Who takes it out of a backup wants it back, also where it lay in the trash.
    whole.life = match whole.life {
        Life::Deleted(at) => {
            return Err(format!(
                "{backup}: board {board:?} was deleted at {at}, before this backup"
            ));
        }
        Life::Trashed(_, living) => Life::Live(living),
        Life::Live(living) => Life::Live(living),
    };
    inspect_board(&whole).map_err(|wrong| format!("{backup}: board {board:?}: {wrong}"))?;
    if request.asks == Asks::Server {
        return server::restore(&request.operator, (&*opened.store, &whole), &wanted.to_be);
    }
    if let Where::File(path) = &request.store
        && matches!(RedbStore::open_untouched(path), Err(OpenError::InUse))
    {
        Progress::default().say(&format_args!(
            "{} is in use; asking its server at {}",
            request.store,
            request.operator.url()
        ));
        return server::restore(&request.operator, (&*opened.store, &whole), &wanted.to_be);
    }
    let store = request.store.open_target()?;
    let restored = renamed(whole.clone(), &wanted.to_be)?;
    let brought = bring_assets((&*opened.store, &whole), &*store, &restored);
    let outcome = brought.and_then(|()| import(&*store, restored.clone()));
    let outcome = match outcome {
        Err(why) => give_up_assets(&*store, &restored).and(Err(why)),
        done => done,
    };
    store.close();
    outcome.map_err(|why| format!("{}: board {:?}: {why}", request.store, wanted.to_be.as_str()))?;
    Ok(format!(
        "{}: board {:?} is restored as {:?}\n",
        request.store,
        board,
        wanted.to_be.as_str()
    ))
}

/// The board under its id, or another one, with what may then go along.
fn renamed(mut whole: Whole, to_be: &BoardId) -> Result<Whole, String> {
    if whole.board == *to_be {
        return Ok(whole);
    }
    if let Life::Live(living) = &mut whole.life {
        // Those are of the board that it is a copy of: a link leads there.
        living.secrets.clear();
        living.webhooks.clear();
        // That board may be here too, and its uploads are its own.
        for asset in &mut living.assets {
            getrandom::fill(&mut asset.upload.0).map_err(|error| format!("no random bytes: {error}"))?;
        }
    }
    let key = EntryKey {
        at: operator::now(),
        n: 0,
    };
    let mut entry = Entry::new(key, Actor::unknown(), Action::BoardCreate);
    entry.detail = serde_json::json!({ "restored_from": whole.board.as_str() });
    Ok(Whole {
        board: to_be.clone(),
        life: whole.life,
        audit: vec![entry],
    })
}

fn import(store: &dyn Store, whole: Whole) -> Result<(), String> {
    let board = whole.board.clone();
    let expected = whole.clone();
    let applied = store.commit(&[Change::Import(Box::new(whole))]);
    let applied = applied.map_err(|error| boardwire::fault::causes(&error))?;
    match applied.first() {
        Some(Applied::Done) => {}
        Some(Applied::Deleted) => {
            return Err(
                "it was deleted there, and its id is never used again; name another one with --as".to_owned(),
            );
        }
        Some(Applied::Exists) => {
            let there = store.used(Some(&board), 1).unwrap_or_default();
            return Err(match there.iter().any(|used| used.board == board) {
                true => "it is there already; name another id with --as".to_owned(),
                false => {
                    "a link or key of it is on another board there; restore it under another id with --as"
                        .to_owned()
                }
            });
        }
        other => return Err(format!("it was not taken ({other:?})")),
    }
    match Whole::read(store, &board) {
        Ok(Some(there)) if there == expected => Ok(()),
        Ok(_) => Err("what is there is not what was written; is the disk sound?".to_owned()),
        Err(error) => Err(boardwire::fault::causes(&error)),
    }
}
