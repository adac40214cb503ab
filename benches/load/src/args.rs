//! The command line.
//!
//! Owns names and defaults. Must not measure anything.

use std::net::TcpListener;
use std::time::Duration;

use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use serde_json::Value;

use crate::bare::{self, Fault};
use crate::fanout::{self, Plan};
use crate::fleet::{Dialect, Target};
use crate::{idle, join, process, report, saturate};

fn number(name: &'static str, default: &'static str, help: &'static str) -> Arg {
    let value = Arg::new(name).long(name).value_name("N").default_value(default);
    value.value_parser(value_parser!(u32).range(1..)).help(help)
}

fn count(name: &'static str, default: &'static str, help: &'static str) -> Arg {
    number(name, default, help).value_parser(value_parser!(u32))
}

fn decimal(name: &'static str, default: &'static str, help: &'static str) -> Arg {
    let value = Arg::new(name).long(name).value_name("X").default_value(default);
    value.value_parser(positive).help(help)
}

fn positive(text: &str) -> Result<f64, String> {
    let number = text
        .parse()
        .ok()
        .filter(|number: &f64| number.is_finite() && *number > 0.0);
    number.ok_or_else(|| "a number above 0 is wanted".to_owned())
}

fn fault(text: &str) -> Result<Fault, String> {
    let wrong = || "drop:N, repeat:N or swap:N is wanted".to_owned();
    let (kind, every) = text.split_once(':').ok_or_else(wrong)?;
    let every = every.parse().ok().filter(|every| *every > 0).ok_or_else(wrong)?;
    match kind {
        "drop" => Ok(Fault::Drop(every)),
        "repeat" => Ok(Fault::Repeat(every)),
        "swap" => Ok(Fault::Swap(every)),
        _ => Err(wrong()),
    }
}

/// What every scenario takes.
fn scenario(name: &'static str, about: &'static str) -> Command {
    let url = Arg::new("url").long("url").value_name("URL").required(true);
    let bare = Arg::new("bare").long("bare").action(ArgAction::SetTrue);
    let pid = Arg::new("pid").long("pid").value_name("PID");
    Command::new(name).about(about).args([
        url.help("The server: ws://HOST:PORT/PATH/{room}, a token in the query where it wants one"),
        bare.help("The server is bare: nothing is said at the start"),
        pid.help("The server's process: what it costs is told too"),
    ])
}

fn spread(command: Command) -> Command {
    command.args([
        number("boards", "1", "Boards"),
        number("clients", "50", "Clients of each board"),
        number("writers", "1", "How many of them write"),
    ])
}

fn command() -> Command {
    let listen = Arg::new("listen")
        .long("listen")
        .value_name("ADDR:PORT")
        .default_value("127.0.0.1:9090");
    let wrong = Arg::new("wrong")
        .long("wrong")
        .value_name("KIND:N")
        .value_parser(fault);
    Command::new("boardwire-load")
        .about("Measures servers that keep Yjs boards in sync")
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommand(
            Command::new("bare")
                .about("The bare broadcaster: the practical floor")
                .args([
                    listen.help("Where it listens"),
                    wrong.help("Do one delivery in N wrong, to see that it is told: drop, repeat or swap"),
                ]),
        )
        .subcommand(
            spread(scenario("fanout", "An even rate of updates on each board")).args([
                decimal("rate", "20", "Updates a second of each board"),
                decimal("seconds", "10", "How long, after a second that does not count"),
            ]),
        )
        .subcommand(
            spread(scenario("saturate", "The largest rate with p99 within a limit")).args([
                decimal("from", "20", "Updates a second of each board to begin with"),
                decimal("limit-ms", "200", "The limit"),
                decimal("seconds", "3", "How long each step is"),
            ]),
        )
        .subcommand(
            scenario("join", "How long until a newcomer has a board whole").args([
                number("shapes", "5000", "Shapes of the board"),
                count("overwrites", "0", "How many times each is changed right before"),
            ]),
        )
        .subcommand(
            scenario(
                "idle",
                "What connections cost while nothing happens (needs --pid)",
            )
            .args([
                number("connections", "2000", "Connections"),
                number("boards", "500", "Boards they are spread over"),
                decimal("seconds", "30", "How long CPU is measured"),
            ]),
        )
        .subcommand(report_command())
}

fn report_command() -> Command {
    let files = Arg::new("files").value_name("RESULT.json").num_args(1..=2);
    let html = Arg::new("html").long("html").value_name("FILE");
    Command::new("report")
        .about("What one run found, or two side by side: a summary, and a page with pictures")
        .args([
            files
                .required(true)
                .help("What `run --json FILE` wrote; the second is set against the first"),
            html.help("Write the page here too: one HTML file"),
        ])
}

fn size(matches: &ArgMatches, name: &str) -> usize {
    matches.get_one(name).map_or(1, |number: &u32| *number as usize)
}

fn real(matches: &ArgMatches, name: &str) -> f64 {
    matches.get_one(name).copied().unwrap_or(1.0)
}

/// The server, its process, and a name for boards that nobody used before.
fn server(matches: &ArgMatches) -> Result<(Target, Option<String>, String), String> {
    let url: &String = matches.get_one("url").ok_or("--url is missing")?;
    let dialect = if matches.get_flag("bare") {
        Dialect::Bare
    } else {
        Dialect::Yjs
    };
    let pid: Option<String> = matches.get_one("pid").cloned();
    if let Some(pid) = pid.as_ref().filter(|pid| !process::is_readable(pid)) {
        return Err(format!(
            "--pid {pid}: there is no such process, or it is not ours to read"
        ));
    }
    let since = std::time::UNIX_EPOCH.elapsed().unwrap_or_default();
    let name = format!("load-{}-{}", std::process::id(), since.as_millis());
    Ok((Target::parse(url, dialect)?, pid, name))
}

fn plan(matches: &ArgMatches, rate: &str, (pid, name): (Option<String>, String)) -> Result<Plan, String> {
    let plan = Plan {
        boards: size(matches, "boards"),
        clients: size(matches, "clients"),
        writers: size(matches, "writers"),
        rate: real(matches, rate),
        seconds: real(matches, "seconds"),
        warm_up: 1.0,
        patience: Duration::from_secs(5),
        pid,
        name,
    };
    if plan.clients < 2 || plan.writers > plan.clients {
        return Err("a board needs two clients, and no more writers than clients".to_owned());
    }
    Ok(plan)
}

/// Does what the command line says; the text is what it found.
pub(crate) fn run() -> Result<Option<String>, String> {
    let matches = command().get_matches();
    process::open_many();
    let failed = |error: std::io::Error| error.to_string();
    let report: Value = match matches.subcommand() {
        Some(("report", matches)) => {
            let files: Vec<String> = matches.get_many("files").into_iter().flatten().cloned().collect();
            let html = matches.get_one("html").map(String::as_str);
            return report::command(&files, html).map(Some);
        }
        Some(("bare", matches)) => {
            let listen = matches.get_one("listen").map_or("127.0.0.1:9090", String::as_str);
            let listener = TcpListener::bind(listen).map_err(|error| format!("{listen}: {error}"))?;
            let fault = matches.get_one("wrong").copied().unwrap_or_default();
            return bare::serve(&listener, fault).map_err(failed).map(|()| None);
        }
        Some(("fanout", matches)) => {
            let (target, pid, name) = server(matches)?;
            let plan = plan(matches, "rate", (pid, name))?;
            fanout::run(&target, &plan, &mut Vec::new())
                .map_err(failed)?
                .report()
        }
        Some(("saturate", matches)) => {
            let (target, pid, name) = server(matches)?;
            let plan = Plan {
                patience: Duration::from_secs(1),
                ..plan(matches, "from", (pid, name))?
            };
            saturate::run(&target, &plan, real(matches, "limit-ms")).map_err(failed)?
        }
        Some(("join", matches)) => {
            let (target, pid, name) = server(matches)?;
            let plan = join::Plan {
                shapes: size(matches, "shapes"),
                overwrites: size(matches, "overwrites"),
                pid,
                name,
            };
            join::run(&target, &plan).map_err(failed)?
        }
        Some(("idle", matches)) => {
            let (target, pid, name) = server(matches)?;
            let plan = idle::Plan {
                connections: size(matches, "connections"),
                boards: size(matches, "boards"),
                seconds: real(matches, "seconds"),
                pid: pid.ok_or("--pid is missing: what is measured is the server's process")?,
                name,
            };
            idle::run(&target, &plan).map_err(failed)?
        }
        _ => return Err("a command is missing; --help lists them".to_owned()),
    };
    Ok(Some(format!("{report:#}")))
}
