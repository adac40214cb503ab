//! `boardwire board`: boards one by one, on a server that runs or in a data file at rest.
//!
//! Owns the flags of that command, and what is printed. Must not know how boards are stored: a server is
//! asked, and where none runs on a file, this process runs one for the while (`at_rest`). So what is done is
//! done by the same rules, and stands in the audit log. Key invariant: what is read from files of other
//! programs is bounded, and becomes a board whole or not at all. Tests: tests/it/keeping/board.rs.

use std::ffi::OsString;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use boardwire::client::Verb;
use boardwire::ids::{BoardId, UserId};
use boardwire::limits;
use boardwire::server::config::{Source, Values};
use clap::{Arg, ArgAction, ArgMatches};
use serde_json::{Value, json};

use self::at_rest::{AtRest, Found, Missing};
use self::export::Format;
use self::import::{Kind, Wanted};
use super::operator::{self, Operator, Server};
use super::place::Where;
use super::{one_line, percent};

mod at_rest;
mod export;
mod import;
mod pictures;
mod tldr;

pub(crate) const HELP: &str = "\
On the server of --url, or of --data: through the server that has the file open, which is asked where --listen says, else in
the file itself. What is changed stands in the audit log.

Examples:
  boardwire board list --data boardwire.redb
  boardwire board export plan --to plan.tldr
  boardwire board import sketch.tldr --as sketch --url https://boards.example.com
  boardwire board import y-sweet-data/ --data boardwire.redb
  boardwire board import hocuspocus.sqlite --data boardwire.redb
  boardwire board import y-leveldb-data/ --data boardwire.redb
  boardwire board copy plan --as plan-2
  boardwire board owner plan alice";

/// Whom the server's log and audit name.
const OPERATOR: &str = "boardwire board";

/// What is to be done, and where.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Request {
    operator: Operator,
    store: Where,
    asks: Asks,
    shown: Shown,
    task: Task,
}

/// Who is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asks {
    Server,
    Store,
}

/// As what an answer is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shown {
    Table,
    Json,
}

/// What is to be done.
#[derive(Debug, PartialEq, Eq)]
enum Task {
    List,
    Show(BoardId),
    Export {
        board: BoardId,
        to: PathBuf,
        format: Format,
    },
    Import {
        from: PathBuf,
        kind: Kind,
        wanted: Wanted,
        title: Option<String>,
    },
    Copy {
        board: BoardId,
        to_be: BoardId,
    },
    Rename {
        board: BoardId,
        title: String,
    },
    Owner {
        board: BoardId,
        owner: UserId,
    },
    Delete(BoardId),
    Restore(BoardId),
    History {
        board: BoardId,
        restore: Option<String>,
    },
}

/// The commands below this one; `shared` has the flags of the server, which each of them has.
pub(crate) fn commands(shared: impl Fn() -> Vec<Arg>) -> Vec<clap::Command> {
    let board = || {
        Arg::new("board")
            .value_name("ID")
            .help("The board")
            .required(true)
    };
    let command = |name: &'static str, about: &'static str, own: Vec<Arg>| {
        let json = Arg::new("json")
            .long("json")
            .help("Print JSON")
            .action(ArgAction::SetTrue);
        clap::Command::new(name)
            .about(about)
            .args(own)
            .arg(json)
            .args(operator::arguments())
            .args(shared())
    };
    let yes = Arg::new("yes")
        .long("yes")
        .help("It is meant: its id is never used again")
        .action(ArgAction::SetTrue);
    let version = super::flag("restore", "VERSION", "Go back to this one");
    vec![
        command("list", "List boards", vec![]),
        command("show", "Show what there is to say of a board", vec![board()]),
        command("export", "Write a board to a file", export_flags()),
        command(
            "import",
            "Make a board of a file of this or another program",
            import_flags(),
        ),
        command(
            "copy",
            "Make a board of another one",
            vec![board(), super::flag("as", "ID", "The id of the new board")],
        ),
        command(
            "rename",
            "Give a board another title",
            vec![board(), needed("title", "TITLE", "The title")],
        ),
        command(
            "owner",
            "Give a board another owner",
            vec![board(), needed("owner", "USER", "The owner")],
        ),
        command("delete", "Delete a board", vec![board(), yes]),
        command("restore", "Bring a deleted board back", vec![board()]),
        command(
            "history",
            "List the versions of a board, or go back to one",
            vec![board(), version],
        ),
    ]
}

fn needed(name: &'static str, value: &'static str, help: &'static str) -> Arg {
    Arg::new(name).value_name(value).help(help).required(true)
}

fn export_flags() -> Vec<Arg> {
    vec![
        needed("board", "ID", "The board"),
        super::flag("to", "FILE", "The file to make; - for standard output"),
        super::flag(
            "format",
            "update|json|tldr",
            "What to write [default: by the name of the file, else update]",
        ),
    ]
}

fn import_flags() -> Vec<Arg> {
    vec![
        needed(
            "from",
            "FILE",
            "A Yjs update, a .tldr, the SQLite of Hocuspocus, what y-sweet stores (data.ysweet, or the directory), or the directory of y-leveldb",
        ),
        super::flag(
            "as",
            "ID",
            "The id of the board [default: a random one; of many documents their names]",
        ),
        super::flag(
            "document",
            "NAME",
            "Of many documents this one [default: all of them]",
        ),
        super::flag("title", "TITLE", "Its title"),
        super::flag(
            "format",
            "update|tldr|hocuspocus|y-sweet|y-leveldb",
            "What it is [default: by its name]",
        ),
    ]
}

fn text<'a>(flags: &'a ArgMatches, name: &str) -> Option<&'a str> {
    let found = flags.try_get_one::<String>(name).ok().flatten();
    found.map(String::as_str).filter(|text| !text.is_empty())
}

fn id(name: &str, text: &str) -> Result<BoardId, String> {
    BoardId::parse(text).ok_or_else(|| format!("{name} {text:?} is not right; expected the id of a board"))
}

impl Request {
    /// Checks the flags and the settings shared with the server.
    ///
    /// # Errors
    /// What is wrong, in one line.
    pub(crate) fn from_values(
        (command, flags): (&str, &ArgMatches),
        settings: &Values,
        variables: &impl Fn(&str) -> Option<OsString>,
    ) -> Result<Self, String> {
        let asks = match text(flags, "url") {
            Some(_) => Asks::Server,
            None => Asks::Store,
        };
        if asks == Asks::Store && *settings.given("store").source == Source::Flag {
            return Err(
                "--store is not right; expected --url: of a database, one of its servers is asked".to_owned(),
            );
        }
        Ok(Self {
            operator: Operator::from_values(flags, settings, variables)?,
            store: Where::of_settings(settings)?,
            asks,
            shown: match flags.get_flag("json") {
                true => Shown::Json,
                false => Shown::Table,
            },
            task: Task::of(command, flags)?,
        })
    }
}

impl Task {
    fn of(command: &str, flags: &ArgMatches) -> Result<Self, String> {
        let board = || id("ID", text(flags, "board").unwrap_or_default());
        let to_be = || text(flags, "as").map(|text| id("--as", text)).transpose();
        Ok(match command {
            "list" => Self::List,
            "show" => Self::Show(board()?),
            "export" => {
                let to = text(flags, "to").ok_or("--to is missing; expected the file to make, or -")?;
                Self::Export {
                    board: board()?,
                    to: PathBuf::from(to),
                    format: Format::of(text(flags, "format"), to)?,
                }
            }
            "import" => {
                let from = PathBuf::from(text(flags, "from").unwrap_or_default());
                Self::Import {
                    kind: Kind::of(text(flags, "format"), &from)?,
                    from,
                    wanted: Wanted {
                        to_be: to_be()?,
                        document: text(flags, "document").map(str::to_owned),
                    },
                    title: text(flags, "title").map(str::to_owned),
                }
            }
            "copy" => Self::Copy {
                board: board()?,
                to_be: to_be()?.ok_or("--as is missing; expected the id of the new board")?,
            },
            "rename" => Self::Rename {
                board: board()?,
                title: text(flags, "title").unwrap_or_default().to_owned(),
            },
            "owner" => {
                let owner = text(flags, "owner").unwrap_or_default();
                Self::Owner {
                    board: board()?,
                    owner: UserId::parse(owner).ok_or_else(|| {
                        format!(
                            "USER {owner:?} is not right; expected 1 to 256 bytes without control characters"
                        )
                    })?,
                }
            }
            "delete" if !flags.get_flag("yes") => {
                return Err("--yes is missing; expected it where a board is really to be deleted".to_owned());
            }
            "delete" => Self::Delete(board()?),
            "restore" => Self::Restore(board()?),
            _ => Self::History {
                board: board()?,
                restore: text(flags, "restore").map(str::to_owned),
            },
        })
    }
}

/// Does it, and gives what to print.
///
/// # Errors
/// Why it was not done.
pub(crate) fn run(request: &Request) -> Result<Vec<u8>, String> {
    let missing = match request.task {
        Task::Import { .. } => Missing::Made,
        _ => Missing::Refused,
    };
    if request.asks == Asks::Server {
        return task(request, &request.operator.connect(OPERATOR)?);
    }
    let path = match &request.store {
        Where::File(path) => path,
        Where::Database(_) => {
            return Err(
                "--url is missing; expected it: of a database, one of its servers is asked".to_owned(),
            );
        }
    };
    match at_rest::find(path, missing)? {
        Found::Served => task(request, &request.operator.connect(OPERATOR)?),
        Found::AtRest => {
            let running = AtRest::start(path)?;
            let outcome = task(request, &running.operator().connect(OPERATOR)?);
            running.stop()?;
            outcome
        }
    }
}

fn path_of(board: &BoardId) -> String {
    format!("/v1/boards/{}", percent(board.as_str()))
}

fn task(request: &Request, server: &Server) -> Result<Vec<u8>, String> {
    let shown = request.shown;
    let change = |verb, path: &str, body: Option<&Value>| {
        let answer = server.json(verb, path, body)?;
        Ok(print(shown, &answer, &[]))
    };
    match &request.task {
        Task::List => {
            let boards = server.list("/v1/boards")?;
            Ok(match shown {
                Shown::Json => pretty(&Value::Array(boards)),
                Shown::Table => table(&boards, &COLUMNS).into_bytes(),
            })
        }
        Task::Show(board) => show(server, board, shown),
        Task::Export { board, to, format } => export::write(server, &path_of(board), (to, *format)),
        Task::Import {
            from,
            kind,
            wanted,
            title,
        } => {
            let made = import::read(from, *kind, wanted)?;
            let made = made.iter().map(|drawing| {
                let new = New {
                    id: drawing.board.as_ref(),
                    title: title.as_deref(),
                    pictures_of: None,
                };
                make(server, &drawing.updates, new, shown)
            });
            Ok(made.collect::<Result<Vec<_>, _>>()?.concat())
        }
        Task::Copy { board, to_be } => {
            let path = path_of(board);
            let found = server.json(Verb::Get, &path, None)?;
            let update = server.ask(Verb::Get, &format!("{path}/document"), b"")?.body;
            let title = found.get("title").and_then(Value::as_str);
            let new = New {
                id: Some(to_be),
                title,
                pictures_of: Some(&path),
            };
            make(server, &[update], new, shown)
        }
        Task::Rename { board, title } => {
            change(Verb::Patch, &path_of(board), Some(&json!({ "title": title })))
        }
        Task::Owner { board, owner } => change(
            Verb::Patch,
            &path_of(board),
            Some(&json!({ "owner": owner.as_str() })),
        ),
        Task::Delete(board) => {
            server.ask(Verb::Delete, &path_of(board), b"")?;
            Ok(format!("board {:?} is deleted\n", board.as_str()).into_bytes())
        }
        Task::Restore(board) => change(
            Verb::Post,
            &format!("{}/restore", path_of(board)),
            Some(&json!({})),
        ),
        Task::History { board, restore: None } => {
            let versions = server.list(&format!("{}/versions", path_of(board)))?;
            Ok(pretty(&Value::Array(versions)))
        }
        Task::History {
            board,
            restore: Some(version),
        } => {
            let path = format!("{}/versions/{}/restore", path_of(board), percent(version));
            change(Verb::Post, &path, Some(&json!({})))
        }
    }
}

/// All that there is to say of a board.
fn show(server: &Server, board: &BoardId, shown: Shown) -> Result<Vec<u8>, String> {
    let path = path_of(board);
    let found = server.json(Verb::Get, &path, None)?;
    let grants = server.list(&format!("{path}/permissions"))?;
    let more = [
        ("permissions", Value::Array(grants)),
        ("links", Value::Array(server.list(&format!("{path}/links"))?)),
        ("keys", Value::Array(server.list(&format!("{path}/keys"))?)),
        (
            "webhooks",
            Value::Array(server.list(&format!("{path}/webhooks"))?),
        ),
    ];
    Ok(print(shown, &found, &more))
}

/// A board that is to be made.
struct New<'a> {
    /// Its id; the server makes one where it has none.
    id: Option<&'a BoardId>,
    title: Option<&'a str>,
    /// Under which path the board is whose pictures its document names.
    pictures_of: Option<&'a str>,
}

/// Makes a board and gives it its document; where that does not arrive, it is removed again.
fn make(server: &Server, updates: &[Vec<u8>], new: New<'_>, shown: Shown) -> Result<Vec<u8>, String> {
    let mut body = json!({ "title": new.title });
    if let (Some(board), Some(members)) = (new.id, body.as_object_mut()) {
        members.insert("id".to_owned(), board.as_str().into());
    }
    let made = server.json(Verb::Post, "/v1/boards", Some(&body))?;
    let made_id = made.get("id").and_then(Value::as_str).unwrap_or_default();
    let path = format!("/v1/boards/{}", percent(made_id));
    let fill = || {
        for update in updates {
            // The pictures go before the document, which nobody then sees without them.
            if let Some(from) = new.pictures_of {
                pictures::bring(server, from, &path, update)?;
            }
            server.ask(Verb::Post, &format!("{path}/document"), update)?;
        }
        Ok(())
    };
    if let Err(why) = fill() {
        let why: String = why;
        return Err(match server.ask(Verb::Delete, &path, b"") {
            Ok(_) => format!("{why}; the board that was made for it is removed again"),
            Err(error) => format!("{why}; the board {made_id:?} that was made for it stays: {error}"),
        });
    }
    let made = server.json(Verb::Get, &path, None)?;
    Ok(print(shown, &made, &[]))
}

/// The columns of a list: the member, and what it is called.
const COLUMNS: [(&str, &str); 5] = [
    ("id", "ID"),
    ("size_bytes", "BYTES"),
    ("updated_at", "UPDATED"),
    ("owner", "OWNER"),
    ("title", "TITLE"),
];

/// What a member says, for a terminal: what strangers have written says nothing to it.
fn cell(row: &Value, member: &str) -> String {
    match row.get(member) {
        None | Some(Value::Null) => "-".to_owned(),
        Some(Value::String(text)) => text.chars().filter(|c| !c.is_control()).collect(),
        Some(other) => other.to_string(),
    }
}

fn table(rows: &[Value], columns: &[(&str, &str)]) -> String {
    let mut text = String::new();
    let widths: Vec<usize> = columns
        .iter()
        .map(|(member, title)| {
            let wide = rows.iter().map(|row| cell(row, member).chars().count()).max();
            wide.unwrap_or(0).max(title.len())
        })
        .collect();
    let mut line = |cells: Vec<String>| {
        let padded: Vec<String> = cells
            .iter()
            .zip(&widths)
            .map(|(cell, width)| format!("{cell:width$}"))
            .collect();
        // Writing into a String does not fail.
        writeln!(text, "{}", padded.join("  ").trim_end()).unwrap_or_default();
    };
    line(columns.iter().map(|(_, title)| (*title).to_owned()).collect());
    for row in rows {
        line(columns.iter().map(|(member, _)| cell(row, member)).collect());
    }
    text
}

fn pretty(value: &Value) -> Vec<u8> {
    format!("{value:#}\n").into_bytes()
}

/// One board, with what more there is to say of it.
fn print(shown: Shown, found: &Value, more: &[(&str, Value)]) -> Vec<u8> {
    let mut all = found.clone();
    if let Some(members) = all.as_object_mut() {
        members.extend(
            more.iter()
                .map(|(name, value)| ((*name).to_owned(), value.clone())),
        );
    }
    if shown == Shown::Json {
        return pretty(&all);
    }
    let mut text = String::new();
    for (name, value) in all.as_object().into_iter().flatten() {
        let said = match value {
            Value::Array(items) => {
                let said: Vec<String> = items.iter().map(|item| one_line(&item.to_string())).collect();
                match said.is_empty() {
                    true => "none".to_owned(),
                    false => said.join(&format!("\n{:13}", "")),
                }
            }
            _ => cell(&all, name),
        };
        writeln!(text, "{name:12} {said}").unwrap_or_default();
    }
    text.into_bytes()
}

/// Reads a file that is not larger than it may be.
fn read_bounded(path: &Path) -> Result<Vec<u8>, String> {
    let failed = |error: std::io::Error| format!("cannot read {}: {error}", path.display());
    let most = u64::try_from(limits::IMPORT_FILE_BYTES_MAX).unwrap_or(u64::MAX);
    let file = std::fs::File::open(path).map_err(failed)?;
    let mut bytes = Vec::new();
    let mut bounded = std::io::Read::take(file, most.saturating_add(1));
    std::io::Read::read_to_end(&mut bounded, &mut bytes).map_err(failed)?;
    match u64::try_from(bytes.len()).is_ok_and(|length| length <= most) {
        true => Ok(bytes),
        false => Err(format!(
            "{} is larger than any board: {most} bytes at most",
            path.display()
        )),
    }
}
