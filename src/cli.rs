//! The parser of the command line, made from the table of settings.
//!
//! Owns commands, flags and help. Must not read the environment, the clock or a file itself: all come in as
//! values, so that everything here is tested as a function. Tests are in `cli/tests.rs`.

use std::ffi::OsString;
use std::path::PathBuf;

use boardwire::server::Renewal;
use boardwire::server::config::{
    self, Config, DEFAULT_FILE, FILE_FLAG, FILE_VARIABLE, Files, Kind, Machine, SETTINGS, Setting, Sources,
};
use boardwire::store::postgres;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Arg, ArgAction, ArgMatches};

pub(crate) mod backup;
pub(crate) mod board;
pub(crate) mod check;
pub(crate) mod compact;
mod completions;
pub(crate) mod configuration;
pub(crate) mod copy;
pub(crate) mod doctor;
pub(crate) mod health;
pub(crate) mod invite;
mod manual;
pub(crate) mod mcp;
pub(crate) mod nodes;
mod operator;
mod part;
mod place;
mod progress;
pub(crate) mod restore;
pub(crate) mod sessions;
#[cfg(test)]
mod tests;
pub(crate) mod token;
pub(crate) mod welcome;

/// What to do.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Parsed {
    /// Print this and end well: help, or the version.
    Show(String),
    /// Print this line, and end with the exit code for usage.
    Wrong(String),
    /// Run this.
    Run(Command),
}

/// A command whose settings are in order.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Command {
    /// `boardwire serve`
    Serve(Box<Config>, Box<Renewal>),
    /// `boardwire config`
    Config(configuration::Report),
    /// `boardwire token`
    Token(Box<token::Request>),
    /// `boardwire invite`
    Invite(Box<invite::Request>),
    /// `boardwire sessions`
    Sessions(Box<sessions::Request>),
    /// `boardwire health`
    Health(health::Asked),
    /// `boardwire backup`
    Backup(Box<backup::Request>),
    /// `boardwire board`
    Board(Box<board::Request>),
    /// `boardwire restore`
    Restore(Box<restore::Request>),
    /// `boardwire check`, of the store there
    Check(place::Where),
    /// `boardwire compact`, of this data file
    Compact(PathBuf),
    /// `boardwire copy`
    Copy(copy::Request),
    /// `boardwire doctor`
    Doctor(Box<doctor::Request>),
    /// `boardwire mcp`
    Mcp(Box<mcp::Request>),
    /// `boardwire nodes`, of the store that they share
    Nodes(Box<postgres::Address>),
}

/// Turns arguments, the program's name first, into what to do.
pub(crate) fn parse(
    arguments: impl IntoIterator<Item = OsString>,
    variables: impl Fn(&str) -> Option<OsString>,
    files: &dyn Files,
    machine: Machine,
) -> Parsed {
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    let mut command = command();
    // With what the parser adds itself: --help.
    command.build();
    if let Some(line) = swallowed(&command, &arguments) {
        return Parsed::Wrong(line);
    }
    let matches = match command.try_get_matches_from(arguments) {
        Ok(matches) => matches,
        Err(error) => return usage(&error),
    };
    let sources = |flags: &ArgMatches| {
        let takes = |setting: &Setting| flags.try_contains_id(setting.name).is_ok();
        Sources::new(|name| given(flags, name), &variables, takes)
    };
    let values = |flags: &ArgMatches| sources(flags).read(files).map_err(|error| error.to_string());
    let outcome = match matches.subcommand() {
        Some(("serve", flags)) => serve(sources(flags), files, machine),
        Some(("config", flags)) => Ok(Command::Config(configuration::Report::of(
            flags,
            sources(flags).find(files),
            machine,
        ))),
        Some(("token", flags)) => values(flags)
            .and_then(|values| token::Request::from_values(flags, &values))
            .map(|request| Command::Token(Box::new(request))),
        Some(("invite", flags)) => values(flags)
            .and_then(|values| invite::Request::from_values(flags, &values))
            .map(|request| Command::Invite(Box::new(request))),
        Some(("sessions", flags)) => values(flags)
            .and_then(|values| sessions::Request::from_values(flags, &values, &variables))
            .map(|request| Command::Sessions(Box::new(request))),
        Some(("health", flags)) => values(flags)
            .and_then(|values| health::Asked::from_values(&values).map_err(|error| error.to_string()))
            .map(Command::Health),
        Some(("backup", flags)) => values(flags)
            .and_then(|values| backup::Request::from_values(flags, &values, &variables))
            .map(|request| Command::Backup(Box::new(request))),
        Some(("board", below)) => match below.subcommand() {
            Some((name, flags)) => values(flags)
                .and_then(|values| board::Request::from_values((name, flags), &values, &variables))
                .map(|request| Command::Board(Box::new(request))),
            None => Err(format!("what to do with boards is missing: {BOARD_COMMANDS}")),
        },
        Some(("restore", flags)) => values(flags)
            .and_then(|values| restore::Request::from_values(flags, &values, &variables))
            .map(|request| Command::Restore(Box::new(request))),
        Some(("check", flags)) => values(flags)
            .and_then(|values| place::Where::of_settings(&values))
            .map(Command::Check),
        Some(("compact", flags)) => values(flags)
            .and_then(|values| config::data(&values).map_err(|error| error.to_string()))
            .map(Command::Compact),
        Some(("copy", flags)) => copy::Request::from_values(flags, &variables).map(Command::Copy),
        Some(("doctor", flags)) => values(flags)
            .and_then(|values| doctor::Request::from_values(flags, &values, (&variables, machine)))
            .map(|request| Command::Doctor(Box::new(request))),
        Some(("mcp", flags)) => {
            mcp::Request::from_values(flags, &variables).map(|request| Command::Mcp(Box::new(request)))
        }
        Some(("nodes", flags)) => values(flags)
            .and_then(|values| config::shared_store(&values).map_err(|error| error.to_string()))
            .map(|address| Command::Nodes(Box::new(address))),
        Some(("version", _)) => return Parsed::Show(version()),
        Some(("completions", flags)) => {
            return shown_or_wrong(completions::script(&self::command(), &word(flags)));
        }
        Some(("manual", flags)) => {
            let page = Some(word(flags)).filter(|page| !page.is_empty());
            return shown_or_wrong(manual::run(&self::command(), page.as_deref()));
        }
        _ => Err(format!("a command is needed: {COMMANDS}")),
    };
    outcome.map_or_else(Parsed::Wrong, Parsed::Run)
}

/// The one word of `completions` and of `manual`; empty where there is none.
fn word(flags: &ArgMatches) -> String {
    flags.get_one::<String>(WORD).cloned().unwrap_or_default()
}

fn shown_or_wrong(text: Result<String, String>) -> Parsed {
    text.map_or_else(Parsed::Wrong, Parsed::Show)
}

/// What a server starts with, and reads anew later.
fn serve(sources: Sources, files: &dyn Files, machine: Machine) -> Result<Command, String> {
    let values = sources.read(files).map_err(|error| error.to_string())?;
    let config = Config::from_values(&values, machine).map_err(|error| error.to_string())?;
    let renewal = Renewal {
        sources,
        values,
        machine,
    };
    Ok(Command::Serve(Box::new(config), Box::new(renewal)))
}

/// A flag that would be taken for the value of another, since that has none: what is wrong, in one line.
///
/// Any text may be a value, also one that begins with a dash: so what is wrong with it can be said.
fn swallowed(command: &clap::Command, arguments: &[OsString]) -> Option<String> {
    let name = |at: usize| arguments.get(at)?.to_str();
    let mut called = command.find_subcommand(name(1)?)?;
    if called.has_subcommands() {
        called = called.find_subcommand(name(2)?)?;
    }
    let flags = called.get_arguments();
    let flags: Vec<(&str, bool)> = flags
        .filter_map(|flag| Some((flag.get_long()?, flag.get_action().takes_values())))
        .collect();
    arguments.windows(2).find_map(|pair| {
        let [first, second] = pair else { return None };
        let (first, second) = (
            first.to_str()?.strip_prefix("--")?,
            second.to_str()?.strip_prefix("--")?,
        );
        let (next, _) = flags
            .iter()
            .find(|(long, _)| second.split('=').next() == Some(long))?;
        let lacks = flags.contains(&(first, true));
        lacks.then(|| format!("--{first} is missing its value; what follows it is the flag --{next}"))
    })
}

/// A flag with a value that may be any text.
fn flag(name: &'static str, value: &'static str, help: &str) -> Arg {
    Arg::new(name)
        .long(name)
        .value_name(value)
        .help(help.to_owned())
        .action(ArgAction::Set)
        .allow_hyphen_values(true)
}

/// An id as a segment of a path.
fn percent(id: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-._~".contains(&b);
    let byte = |b: u8| match plain(b) {
        true => char::from(b).to_string(),
        false => format!("%{b:02X}"),
    };
    id.bytes().map(byte).collect()
}

/// Whoever answers may be anybody: what is printed of it stays one line of plain characters.
fn one_line(text: &str) -> String {
    text.chars()
        .filter(|c| (' '..='~').contains(c))
        .take(1_000)
        .collect()
}

/// What `boardwire version` prints, as `boardwire --version` does.
fn version() -> String {
    format!("boardwire {}\n", env!("CARGO_PKG_VERSION"))
}

/// The texts that a flag was given; `None` when it was not, or is none of this command's.
fn given(flags: &ArgMatches, name: &str) -> Option<Vec<String>> {
    if Setting::named(name).is_some_and(|setting| setting.kind == Kind::Switch) {
        let set = flags
            .try_get_one::<bool>(name)
            .ok()
            .flatten()
            .copied()
            .unwrap_or(false);
        return set.then(|| vec!["true".to_owned()]);
    }
    let texts = flags.try_get_many::<String>(name).ok().flatten()?;
    Some(texts.cloned().collect())
}

/// What a message says is expected.
const COMMANDS: &str = "serve, token or health, or backup, board, check, compact, config, copy, doctor, invite, mcp, nodes, restore, sessions or version; \
     `boardwire help` shows how";

/// The same, of `boardwire board`.
const BOARD_COMMANDS: &str =
    "list, show, export, import, copy, rename, owner or delete; `boardwire board help` shows how";

const EXAMPLES: &str = "\
Examples:
  boardwire serve --dev
      Try it out: prints links that a stock y-websocket client can use at once.

  export BOARDWIRE_JWT_SECRET=\"$(openssl rand -base64 32)\"
  boardwire serve --data /var/lib/boardwire.redb
      Serve for real, behind a proxy that speaks TLS.

  boardwire invite Alice --admin --public-url https://boards.example.com
      Print a link with which Alice gets in, once.

  boardwire sessions
      List who got in so, or end that.

  boardwire token --sub alice --board plan:edit --expires-in 12h
      Print a token with which alice may edit the board `plan`.

  boardwire health
      Ask a server on this machine how it is: exit code 0 if it is well, else 1.

  boardwire backup --to backups/ --keep 7d,4w
      Back up the server that runs on this machine, or the file of one that does not.

  boardwire restore --from backups/boardwire-20261129T031500Z.redb --board plan --as plan-of-yesterday
      Take one board out of a backup, or all of them.

  boardwire board export plan --to plan.tldr
      List boards, show them, write them to files and make them of files, on a server or in a file at rest.

  boardwire check --data boardwire.redb
      Read everything that a store has, and say what is wrong with it.

  boardwire compact --data boardwire.redb
      Make a data file as small as it can be.

  boardwire config
      Print every setting, its value and where it came from.

  boardwire copy --from boardwire.redb --to new.redb
      Copy all boards, to or from a PostgreSQL too; of a damaged file, what can be read.

  boardwire doctor --url https://boards.example.com
      Say what is wrong with the way to a server, or without --url with its machine and its store.

  boardwire mcp --url https://boards.example
      For an assistant that starts programs: let it draw on the board of BOARDWIRE_KEY.

  boardwire nodes --store postgres://boardwire@localhost/boardwire
      List the servers that share a PostgreSQL.";

const SERVE_HELP: &str = "\
Every flag is also an environment variable, --jwt-secret is BOARDWIRE_JWT_SECRET, and a line of the file of settings:
jwt-secret = \"...\". A flag wins over its variable, and that over the file; an empty variable counts as not set.
Lists are separated by commas.
A secret may be in a file of its own: --jwt-secret-file PATH, BOARDWIRE_JWT_SECRET_FILE, jwt-secret-file = \"PATH\", or the
credential boardwire.jwt-secret of systemd. So may --jwt-secrets, --metrics-token, --node-secret, --redis and --store.
SIGHUP: the server reads files anew, and takes up what may change while it runs.";

const TOKEN_HELP: &str = "\
The secret is that of the server: BOARDWIRE_JWT_SECRET, or with --dev the one beside the data file.

Examples:
  boardwire token --dev --sub alice
  boardwire token --sub agent-7 --board plan:edit --board notes:view --expires-in 90d
  boardwire token --sub bob --team design --not-before 1d --expires-in 7d
  boardwire token --sub ops --role admin --kid 2026 --jwt-secrets \"2026:$SECRET\" --algorithm HS256";

const HEALTH_HELP: &str = "\
For the health check of a container: asks GET /health of the server on this machine, prints one line, and ends with 0 for
status 200 and with 1 for anything else. 0.0.0.0 and [::] are asked on loopback. BOARDWIRE_LISTEN and BOARDWIRE_TLS_CERT
count here too: with a certificate it speaks TLS, with nobody but who has the key of that.";

/// The id of the word that `completions` and `manual` take.
const WORD: &str = "word";

/// The settings that `boardwire token` shares with the server.
const OF_TOKEN: [&str; 7] = [
    "jwt-secret",
    "jwt-secrets",
    "jwt-algorithms",
    "jwt-issuer",
    "jwt-audience",
    "data",
    "dev",
];

/// The whole command line.
fn command() -> clap::Command {
    let serve = clap::Command::new("serve")
        .about("Run the server")
        .after_help(SERVE_HELP)
        .args(
            SETTINGS
                .iter()
                .flat_map(|setting| arguments(setting, setting.group.heading())),
        );
    let token = clap::Command::new("token")
        .about("Print a signed token")
        .after_help(TOKEN_HELP)
        .args(token::arguments())
        .args(as_serve(&OF_TOKEN));
    let invite = clap::Command::new("invite")
        .about("Print a link with which somebody gets in, once")
        .after_help(invite::HELP)
        .args(invite::arguments())
        .args(as_serve(&OF_TOKEN))
        .args(as_serve(&["public-url", "listen", "tls-cert"]));
    let sessions = clap::Command::new("sessions")
        .about("List who got in by an invitation, or end that")
        .after_help(sessions::HELP)
        .args(sessions::arguments())
        .args(as_serve(&OF_TOKEN))
        .args(as_serve(&["listen", "tls-cert"]));
    let health = clap::Command::new("health")
        .about("Ask a running server how it is")
        .after_help(HEALTH_HELP)
        .args(as_serve(&["listen", "tls-cert"]));
    let copy = clap::Command::new("copy")
        .about("Copy all boards from one store into another, of which no server runs")
        .after_help(copy::HELP)
        .args(copy::arguments());
    let doctor = clap::Command::new("doctor")
        .about("Say what is wrong with a server, its machine, or the way to it, and what would be right")
        .after_help(doctor::HELP)
        .args(doctor::arguments())
        .args(as_serve(
            &SETTINGS.iter().map(|setting| setting.name).collect::<Vec<_>>(),
        ));
    let mcp = clap::Command::new("mcp")
        .about("Speak the Model Context Protocol on standard input and output, for a server elsewhere")
        .after_help(mcp::HELP)
        .args(mcp::arguments());
    let nodes = clap::Command::new("nodes")
        .about("List the nodes that share a store")
        .after_help(nodes::HELP)
        .args(as_serve(&["store"]));
    let version = clap::Command::new("version").about("Print the version");
    // For whoever packages it: no help needs to list them.
    let of_packages = [
        (
            "completions",
            "Print what a shell needs to complete commands: bash, fish or zsh",
        ),
        ("manual", "Print a page for man, or the names of all"),
    ]
    .map(|(name, about)| {
        clap::Command::new(name)
            .about(about)
            .arg(Arg::new(WORD))
            .hide(true)
    });
    clap::Command::new("boardwire")
        .version(env!("CARGO_PKG_VERSION"))
        .about("A self-hosted server that keeps canvas boards (Yjs documents) in sync, in real time")
        .after_help(EXAMPLES)
        .max_term_width(110)
        .subcommand_required(true)
        .subcommands([serve, invite, sessions, token, health])
        .subcommands(keeping())
        .subcommands([configuration::command(), copy, doctor])
        .subcommands([mcp, nodes, version])
        .subcommands(of_packages)
        .mut_subcommands(with_file)
}

/// With the flag that names the file of settings, where a command takes settings.
fn with_file(command: clap::Command) -> clap::Command {
    let is_setting = |argument: &Arg| Setting::named(argument.get_id().as_str()).is_some();
    let takes_settings = command.get_arguments().any(is_setting);
    let command = command.mut_subcommands(with_file);
    if !takes_settings {
        return command;
    }
    let help = format!(
        "The file of settings, in TOML [variable: {FILE_VARIABLE}] [default: {DEFAULT_FILE}, where there is one]"
    );
    command.arg(flag(FILE_FLAG, "FILE", &help).help_heading("File of settings"))
}

/// The flags of these settings, for another command than `serve`.
fn as_serve(names: &[&str]) -> Vec<Arg> {
    let shared = SETTINGS.iter().filter(|setting| names.contains(&setting.name));
    let flags = shared.flat_map(|setting| arguments(setting, "As for `boardwire serve`"));
    flags.collect()
}

/// The commands that keep boards: out of a store, and back.
fn keeping() -> [clap::Command; 5] {
    let backup = clap::Command::new("backup")
        .about("Back up everything, of a server that runs too")
        .after_help(backup::HELP)
        .args(backup::arguments())
        .args(as_serve(&OF_TOKEN))
        .args(as_serve(&["listen", "tls-cert", "store"]));
    let restore = clap::Command::new("restore")
        .about("Restore everything, or one board, from a backup")
        .after_help(restore::HELP)
        .args(restore::arguments())
        .args(as_serve(&OF_TOKEN))
        .args(as_serve(&["listen", "tls-cert", "store"]));
    let board = clap::Command::new("board")
        .about("List, show, export, import, copy, rename, give away and delete boards")
        .after_help(board::HELP)
        .subcommand_required(true)
        .subcommands(board::commands(|| {
            let more = as_serve(&["listen", "tls-cert", "store"]);
            as_serve(&OF_TOKEN).into_iter().chain(more).collect()
        }));
    let check = clap::Command::new("check")
        .about("Read everything that a store has, and say what is wrong with it")
        .after_help(check::HELP)
        .args(as_serve(&["data", "store"]));
    let compact = clap::Command::new("compact")
        .about("Make a data file as small as it can be")
        .after_help(compact::HELP)
        .args(as_serve(&["data"]));
    [backup, restore, board, check, compact]
}

/// The flags of a setting: of a secret also the one that names a file, of which the help says so once.
fn arguments(setting: &'static Setting, heading: &'static str) -> impl Iterator<Item = Arg> {
    let file = setting.file_flag().map(|name| {
        let argument = Arg::new(name.clone()).long(name).value_name("PATH");
        argument
            .action(ArgAction::Set)
            .allow_hyphen_values(true)
            .hide(true)
    });
    std::iter::once(argument(setting, heading)).chain(file)
}

/// The flag of a setting. Values stay text here; the configuration checks them wherever they come from.
fn argument(setting: &'static Setting, heading: &'static str) -> Arg {
    let default = setting.default.or(setting.default_words);
    let default = default
        .map(|default| format!(" [default: {default}]"))
        .unwrap_or_default();
    let argument = Arg::new(setting.name)
        .long(setting.name)
        .help(format!("{}{default}", setting.help))
        .help_heading(heading);
    match setting.kind {
        Kind::Switch => argument.action(ArgAction::SetTrue),
        // A value that begins with a dash is no flag: a secret may, and of a negative number it is said what
        // is wrong.
        Kind::Single | Kind::Secret => argument
            .value_name(setting.placeholder)
            .action(ArgAction::Set)
            .allow_hyphen_values(true),
        Kind::List => argument
            .value_name(setting.placeholder)
            .action(ArgAction::Append)
            .allow_hyphen_values(true),
    }
}

/// What the parser says, as help or in one line.
fn usage(error: &clap::Error) -> Parsed {
    let text = |kind| match error.get(kind) {
        Some(ContextValue::String(text)) => Some(text.clone()),
        Some(ContextValue::Strings(texts)) => texts.first().cloned(),
        _ => None,
    };
    let line = match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => return Parsed::Show(error.to_string()),
        ErrorKind::UnknownArgument => {
            let argument = text(ContextKind::InvalidArg).unwrap_or_default();
            let what = if argument.starts_with('-') {
                "flag"
            } else {
                "argument"
            };
            format!("unknown {what} {argument}; --help lists what is known")
        }
        ErrorKind::InvalidSubcommand => {
            let name = text(ContextKind::InvalidSubcommand).unwrap_or_default();
            format!("unknown command {name:?}; expected {COMMANDS}")
        }
        ErrorKind::MissingSubcommand => {
            let of_board = error.to_string().contains("boardwire board");
            format!(
                "a command is needed: {}",
                if of_board { BOARD_COMMANDS } else { COMMANDS }
            )
        }
        ErrorKind::ArgumentConflict => {
            format!(
                "{} is given twice",
                text(ContextKind::InvalidArg).unwrap_or_default()
            )
        }
        ErrorKind::MissingRequiredArgument => {
            format!(
                "{} is missing; --help shows how",
                text(ContextKind::InvalidArg).unwrap_or_default()
            )
        }
        _ => {
            let rendered = error.to_string();
            let first = rendered.lines().next().unwrap_or_default();
            first.strip_prefix("error: ").unwrap_or(first).to_owned()
        }
    };
    Parsed::Wrong(line)
}
