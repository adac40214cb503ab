//! The command line.
//!
//! Owns names and defaults of flags. Must not measure anything.

use std::net::TcpListener;

use clap::{Arg, ArgAction, ArgMatches, Command};
use serde_json::Value;

use crate::bare::{self, Fault};
use crate::progress::Talk;
use crate::results::{self, Found};
use crate::scenario::{self, KNOBS, Kind, Scenario};
use crate::server::Server;
use crate::target::{self, Access, Request, Target};
use crate::traffic::{self, Settings, Stock};
use crate::yjs::Dialect;
use crate::{join, plan, process, report, saturate};

/// What an agent writes, in the words of Boardwire's HTTP API.
const ITEM: &str = r#"{"type":"sticky","x":100,"y":100,"content":{"text":"{text}"}}"#;

fn flag(name: &'static str, value: &'static str, help: &'static str) -> Arg {
    Arg::new(name).long(name).value_name(value).help(help)
}

fn switch(name: &'static str, help: &'static str) -> Arg {
    Arg::new(name).long(name).action(ArgAction::SetTrue).help(help)
}

/// Where the server is, how one gets in, and what it is as a process.
fn target_flags() -> Vec<Arg> {
    vec![
        flag(
            "url",
            "URL",
            "ws://HOST:PORT/PATH/{room}, with {token} and {n} (the client's number) where they go",
        ),
        flag(
            "dialect",
            "NAME",
            "yjs (y-websocket's, the default), hocuspocus, or bare (nothing is said at the start)",
        ),
        flag(
            "token-file",
            "FILE",
            "The token is in this file (or in BOARDWIRE_LOAD_TOKEN)",
        ),
        flag(
            "secret-file",
            "FILE",
            "Tokens are made with the secret in this file (or BOARDWIRE_LOAD_SECRET), as HS256",
        ),
        flag(
            "claims",
            "JSON",
            "What such a token says, with {room} and {n}: {\"sub\": \"load-{n}\", \"role\": \"admin\"}",
        ),
        flag(
            "header",
            "LINE",
            "'Name: value' for each request; may be given several times",
        )
        .action(ArgAction::Append),
        flag("subprotocol", "NAME", "The WebSocket subprotocol that is offered"),
        flag(
            "prepare",
            "REQUEST",
            "Makes each room before it is used: 'POST http://HOST/PATH BODY', with {room}",
        ),
        flag(
            "items",
            "URL",
            "Where agents write, with {room} and {token}: http://HOST/v1/boards/{room}/items?token={token}",
        ),
        flag(
            "item-body",
            "JSON",
            "What they write there; {text} must become part of the document",
        ),
        flag("pid", "PID", "The server's process: what it costs is told too"),
        flag(
            "serve",
            "COMMAND",
            "Starts the server with these words, and ends it; the words start the server itself",
        ),
        flag(
            "data",
            "PATH",
            "The server's file or directory: its size over time is told",
        ),
        flag("label", "NAME", "What the server is called in reports"),
        switch(
            "syscalls",
            "Counts system calls with strace during the run, which slows the server",
        ),
        switch("bare", "The same as --dialect bare"),
    ]
}

fn run_command() -> Command {
    let what = Arg::new("scenario").value_name("SCENARIO").required(true);
    let output = [
        flag(
            "json",
            "FILE",
            "Writes the result as JSON; -: to standard output, instead of the summary",
        ),
        flag(
            "html",
            "FILE",
            "Writes the report: one HTML file with pictures; -: to standard output, instead of the summary",
        ),
        switch("quiet", "Says nothing about progress"),
    ];
    let knobs = KNOBS
        .iter()
        .map(|knob| flag(knob.name, "N", knob.help).allow_hyphen_values(true));
    Command::new("run")
        .about("Runs a scenario against a server")
        .arg(what.help("A name that `scenarios` lists, or a file of your own (NAME.toml)"))
        .args(target_flags())
        .args(output)
        .next_help_heading("Knobs: each is a member of the scenario's file")
        .args(knobs)
}

fn report_command() -> Command {
    let files = Arg::new("files").value_name("RESULT.json").num_args(1..=2);
    Command::new("report")
        .about("What a run found, or two side by side: a summary, and a page with pictures")
        .args([
            files
                .required(true)
                .help("What `run --json FILE` wrote; the second is set against the first"),
            flag(
                "html",
                "FILE",
                "Writes the page: one HTML file; -: to standard output, instead of the summary",
            ),
        ])
}

fn command() -> Command {
    let listen = flag("listen", "ADDR:PORT", "Where it listens").default_value("127.0.0.1:9090");
    let wrong = flag(
        "wrong",
        "KIND:N",
        "Does something wrong, to see that it is told: drop:N, repeat:N or swap:N (one delivery in N), delay:MS, \
         stall:MS:EVERY_MS, early:MS (says that it has stored that long before it does; with --keep)",
    );
    let keep = flag(
        "keep",
        "FILE",
        "Speaks Yjs too: stores updates in this file, and says so to their author",
    );
    Command::new("boardwire-load")
        .about("Measures servers that keep Yjs boards in sync")
        .version(env!("CARGO_PKG_VERSION"))
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommand(run_command())
        .subcommand(report_command())
        .subcommand(plan::command())
        .subcommand(
            Command::new("scenarios")
                .about("Lists the scenarios that are built in, or prints the file of one")
                .arg(Arg::new("name").value_name("NAME")),
        )
        .subcommand(
            Command::new("bare")
                .about("The bare broadcaster: the practical floor")
                .args([listen, wrong.value_parser(Fault::parse), keep]),
        )
}

fn text<'m>(matches: &'m ArgMatches, name: &str) -> Option<&'m String> {
    matches.get_one(name)
}

/// A secret from a file or a variable, without the end of its line.
fn secret(matches: &ArgMatches, flag: &str, variable: &str) -> Result<Option<String>, String> {
    let Some(file) = text(matches, flag) else {
        return Ok(std::env::var(variable).ok().filter(|value| !value.is_empty()));
    };
    let text = std::fs::read_to_string(file).map_err(|error| format!("--{flag} {file}: {error}"))?;
    match text.trim() {
        "" => Err(format!("--{flag} {file}: the file is empty")),
        secret => Ok(Some(secret.to_owned())),
    }
}

fn target(matches: &ArgMatches) -> Result<Target, String> {
    let dialect = match text(matches, "dialect").map(String::as_str) {
        _ if matches.get_flag("bare") => Dialect::Bare,
        None | Some("yjs") => Dialect::Yjs,
        Some("hocuspocus") => Dialect::Hocuspocus,
        Some("bare") => Dialect::Bare,
        Some(other) => return Err(format!("--dialect {other}: there are yjs, hocuspocus and bare")),
    };
    let url = text(matches, "url").ok_or("--url is missing: where is the server?")?;
    let mut target = Target::parse(url, dialect)?;
    target.access = match secret(matches, "token-file", "BOARDWIRE_LOAD_TOKEN")? {
        Some(token) => Access::Token(token),
        None => match secret(matches, "secret-file", "BOARDWIRE_LOAD_SECRET")? {
            Some(secret) => {
                let claims =
                    text(matches, "claims").map_or(r#"{"sub":"load-{n}","role":"admin"}"#, String::as_str);
                Access::Secret {
                    secret,
                    claims: target::claims(claims)?,
                }
            }
            None => Access::Open,
        },
    };
    for line in matches.get_many::<String>("header").into_iter().flatten() {
        let header = line.split_once(':').filter(|(name, _)| !name.trim().is_empty());
        let (name, value) = header.ok_or_else(|| "--header: it is written as 'Name: value'".to_owned())?;
        target
            .headers
            .push((name.trim().to_owned(), value.trim().to_owned()));
    }
    target.subprotocol = text(matches, "subprotocol").cloned();
    let has_token = !matches!(target.access, Access::Open);
    // A variable may be there for another server.
    let is_given = text(matches, "token-file")
        .or_else(|| text(matches, "secret-file"))
        .is_some();
    if is_given && !target.uses_token() {
        return Err(
            "there is a token, and {token} is neither in --url nor in a --header nor in --subprotocol"
                .to_owned(),
        );
    }
    if !has_token && target.path_has_token() {
        return Err(
            "--url has {token}, and there is none: --token-file, --secret-file, or one of the variables"
                .to_owned(),
        );
    }
    target.prepare = text(matches, "prepare")
        .map(|request| Request::parse(request).map_err(|error| format!("--prepare: {error}")))
        .transpose()?;
    if let Some(url) = text(matches, "items") {
        let body = text(matches, "item-body").map_or(ITEM, String::as_str);
        if !body.contains("{text}") {
            return Err("--item-body: {text} says where the words go that an item is known by".to_owned());
        }
        let request = Request::parse(&format!("POST {url} {body}"));
        target.items = Some(request.map_err(|_| format!("--items {url}: an http:// address is wanted"))?);
    }
    Ok(target)
}

fn server(matches: &ArgMatches, target: &Target) -> Result<Server, String> {
    let mut server = match (text(matches, "serve"), text(matches, "pid")) {
        (Some(_), Some(_)) => return Err("--serve starts the server, so --pid is known".to_owned()),
        (Some(words), None) => Server::start(words, target.addresses())?,
        (None, pid) => Server::running(pid.cloned())?,
    };
    server.data = text(matches, "data").map(Into::into);
    Ok(server)
}

/// The command that repeats this one, without secrets.
fn command_line() -> Vec<String> {
    let mut words: Vec<String> = std::env::args().collect();
    if let Some(first) = words.first_mut() {
        "boardwire-load".clone_into(first);
    }
    results::without_secrets(&words)
}

fn run_scenario(matches: &ArgMatches) -> Result<Option<String>, String> {
    let given = |name: &'static str| Some((name, text(matches, name)?.clone()));
    let knobs: Vec<_> = KNOBS.iter().filter_map(|knob| given(knob.name)).collect();
    let what = text(matches, "scenario").map_or("", String::as_str);
    let scenario = Scenario::open(what, &knobs)?;
    let mut target = target(matches)?;
    let outputs = ["json", "html"]
        .into_iter()
        .filter_map(|name| text(matches, name));
    outputs
        .filter(|file| *file != "-")
        .try_for_each(|file| results::can_write(file))?;
    let mut server = server(matches, &target)?;
    target.choose();
    let since = std::time::UNIX_EPOCH.elapsed().unwrap_or_default();
    let settings = Settings {
        // A name for boards that nobody used before.
        name: format!("load-{}-{}", std::process::id(), since.as_millis()),
        talk: if matches.get_flag("quiet") {
            Talk::Quiet
        } else {
            Talk::Progress
        },
        counts_calls: matches.get_flag("syscalls"),
    };
    if settings.counts_calls && server.pid().is_none() {
        return Err("--syscalls needs the server's process: --pid or --serve".to_owned());
    }
    let found: Found = match scenario.kind {
        Kind::Traffic => {
            traffic::run(&target, &scenario, &mut server, &settings, &mut Stock::default())?.found
        }
        Kind::Saturate => saturate::run(&target, &scenario, &mut server, &settings)?,
        Kind::Join => join::run(&target, &scenario, &mut server, &settings)?,
    };
    let label = text(matches, "label").map_or_else(|| target.dialect.name(), String::as_str);
    let result = results::result((&scenario, &target, &server), label, &command_line(), &found);
    drop(server);
    write_out(matches, &result)
}

fn write_out(matches: &ArgMatches, result: &Value) -> Result<Option<String>, String> {
    // The result first: all else can be made of it again.
    let json = format!("{result:#}\n");
    let to = text(matches, "json").map(String::as_str);
    if let Some(file) = to.filter(|file| *file != "-") {
        results::write(file, &json)?;
    }
    let told = report::tell(result, None, text(matches, "html").map(String::as_str))?;
    Ok(Some(if to == Some("-") { json } else { told }))
}

/// Does what the command line says; the text is what it found.
pub(crate) fn run() -> Result<Option<String>, String> {
    let matches = command().get_matches();
    process::open_many();
    match matches.subcommand() {
        Some(("run", matches)) => run_scenario(matches),
        Some(("report", matches)) => {
            let files: Vec<String> = matches.get_many("files").into_iter().flatten().cloned().collect();
            report::command(&files, text(matches, "html").map(String::as_str)).map(Some)
        }
        Some(("scenarios", matches)) => match text(matches, "name") {
            None => Ok(Some(scenario::list())),
            Some(name) => match scenario::file(name) {
                Some(file) => Ok(Some(file.to_owned())),
                None => Err(format!(
                    "{name}: there is no such scenario; there are\n{}",
                    scenario::list()
                )),
            },
        },
        Some(("plan", matches)) => plan::run(matches).map(Some),
        Some(("bare", matches)) => {
            let listen = text(matches, "listen").map_or("127.0.0.1:9090", String::as_str);
            let listener = TcpListener::bind(listen).map_err(|error| format!("{listen}: {error}"))?;
            let fault = matches.get_one("wrong").copied().unwrap_or_default();
            let keep = text(matches, "keep").map(Into::into);
            bare::serve(&listener, fault, keep)
                .map_err(|error| error.to_string())
                .map(|()| None)
        }
        _ => Err("a command is missing; --help lists them".to_owned()),
    }
}
