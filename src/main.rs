//! The command line: turns arguments and environment into a configuration and runs it.
//!
//! Owns the process: its arguments, its standard streams and its exit code. Must not decide anything about
//! boards.

use std::fs;
use std::io::{self, IsTerminal as _, Write as _};
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::path::Path;
use std::process::ExitCode;
use std::thread;
use std::time::{SystemTime, UNIX_EPOCH};

use boardwire::access::Mode;
use boardwire::jwt::Keys;
use boardwire::server::config::{Config, Disk, LogFormat, Machine};
use boardwire::server::{self, Ended, Renewal, dev_secret, telemetry};
use boardwire::time::UnixMillis;

mod cli;

use cli::welcome::Page;
use cli::{Command, Parsed};

/// Gives memory back to the system soon after it was freed. That of the C library keeps what an attack made
/// it take in pieces, for as long as one of them is in use.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// The exit code for a command line or a setting that is wrong.
const USAGE: u8 = 2;

/// The exit code for a start that failed for another reason.
const FAILURE: u8 = 1;

fn main() -> ExitCode {
    let log_format = if io::stderr().is_terminal() {
        LogFormat::Text
    } else {
        LogFormat::Json
    };
    let machine = Machine {
        cores: thread::available_parallelism().unwrap_or(NonZeroUsize::MIN),
        log_format,
    };
    let variables = |name: &str| std::env::var_os(name);
    match cli::parse(std::env::args_os(), variables, &Disk, machine) {
        Parsed::Show(text) => print(&text),
        Parsed::Wrong(line) => fail(&line, USAGE),
        Parsed::Run(Command::Serve(mut config, renewal)) => match prepare(&mut config) {
            Ok(()) => serve(*config, *renewal),
            Err(line) => fail(&line, FAILURE),
        },
        Parsed::Run(Command::Config(report)) => {
            let printed = print(&report.text);
            for path in report.exposed {
                let line = format!(
                    "everybody on this machine may read {}, with a secret in it",
                    path.display()
                );
                fail(&line, FAILURE);
            }
            report.wrong.map_or(printed, |line| fail(&line, FAILURE))
        }
        Parsed::Run(Command::Health(asked)) => match cli::health::check(&asked) {
            Ok(line) => print(format!("{line}\n")),
            Err(line) => fail(&line, FAILURE),
        },
        Parsed::Run(Command::Copy(request)) => ended(cli::copy::run(&request).map(|line| line + "\n")),
        Parsed::Run(Command::Doctor(request)) => {
            let report = cli::doctor::run(&request);
            match (print(&report.text), report.is_wrong) {
                (ExitCode::SUCCESS, true) => ExitCode::from(FAILURE),
                (printed, _) => printed,
            }
        }
        Parsed::Run(Command::Mcp(request)) => match cli::mcp::run(*request) {
            Ok(()) => ExitCode::SUCCESS,
            Err(line) => fail(&line, FAILURE),
        },
        Parsed::Run(Command::Nodes(store)) => match cli::nodes::list(&store) {
            Ok(table) => print(&table),
            Err(line) => fail(&line, FAILURE),
        },
        Parsed::Run(Command::Sessions(request)) => ended(cli::sessions::run(&request)),
        Parsed::Run(Command::Backup(request)) => ended(cli::backup::run(&request)),
        Parsed::Run(Command::Board(request)) => match cli::board::run(&request) {
            Ok(bytes) => print(&bytes),
            Err(line) => fail(&line, FAILURE),
        },
        Parsed::Run(Command::Restore(request)) => ended(cli::restore::run(&request)),
        Parsed::Run(Command::Check(store)) => ended(cli::check::run(&store)),
        Parsed::Run(Command::Compact(file)) => ended(cli::compact::run(&file)),
        Parsed::Run(Command::Invite(mut request)) => {
            if let Err(line) = dev_secret_into(&mut request.keys, request.dev_secret_file.as_deref()) {
                return fail(&line, FAILURE);
            }
            let link = cli::invite::link(&request, now());
            made(link, &cli::invite::its_use(&request))
        }
        Parsed::Run(Command::Token(mut request)) => {
            if let Err(line) = dev_secret_into(&mut request.keys, request.dev_secret_file.as_deref()) {
                return fail(&line, FAILURE);
            }
            let token = cli::token::mint(&request, now());
            made(token, &cli::token::its_use(&request))
        }
    }
}

/// Prints what a command has to say, or why it failed.
fn ended(outcome: Result<String, String>) -> ExitCode {
    match outcome {
        Ok(text) => print(&text),
        Err(line) => fail(&line, FAILURE),
    }
}

/// Puts the secret of `--dev` to the keys, where that is the one.
fn dev_secret_into(keys: &mut Keys, path: Option<&Path>) -> Result<(), String> {
    let Some(path) = path else { return Ok(()) };
    let secret = dev_secret::load(path);
    keys.unnamed = Some(secret.map_err(|error| no_dev_secret(path, &error))?);
    Ok(())
}

/// Prints what was made, and beside it what it is for, so that a script reads the first alone.
fn made(text: Result<String, String>, its_use: &str) -> ExitCode {
    match text {
        Ok(text) => {
            let printed = print(format!("{text}\n"));
            writeln!(io::stderr(), "boardwire: {its_use}").ok();
            printed
        }
        Err(line) => fail(&line, USAGE),
    }
}

/// Runs the server until a signal ends it.
fn serve(config: Config, renewal: Renewal) -> ExitCode {
    let node = server::node_name(&config);
    let level = telemetry::start(config.log_format, &config.log_level, node.as_deref());
    let dev_keys = (config.mode == Mode::Dev).then(|| config.keys.clone());
    let public_url = config.public_url.clone();
    let scheme = config.tls.as_ref().map_or("http", |_| "https");
    let page = match boardwire::api::has_page() {
        true => Page::BuiltIn,
        false => Page::Absent,
    };
    let ready = |address: SocketAddr| {
        tracing::info!(listen = %address, version = env!("CARGO_PKG_VERSION"), "listening");
        if let Some(keys) = dev_keys {
            let base = public_url.map_or_else(|| format!("{scheme}://{address}"), |url| url.to_string());
            let text = cli::welcome::text(&keys, &base, now(), page);
            // Whether somebody reads it or not, the server runs.
            io::stdout().write_all(text.as_bytes()).ok();
        }
    };
    match server::run(config, (renewal, level), ready) {
        Ok(Ended::Saved) => ExitCode::SUCCESS,
        Ok(Ended::Unsaved) => fail("not everything could be saved; see the log", FAILURE),
        Err(error) => {
            let cause = std::error::Error::source(&error).map(|cause| format!(": {cause}"));
            let help = "`boardwire doctor`, and docs/troubleshooting.md#the-server-does-not-start, tell more";
            fail(&format!("{error}{}; {help}", cause.unwrap_or_default()), FAILURE)
        }
    }
}

/// What a server needs before it starts: a directory for its data, and with `--dev` the secret there.
fn prepare(config: &mut Config) -> Result<(), String> {
    let directory = config
        .data
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty());
    if let Some(directory) = directory
        && fs::metadata(directory).is_err_and(|error| error.kind() == io::ErrorKind::NotFound)
    {
        return Err(format!(
            "cannot open the data file {}: there is no directory {}; make it first (mkdir -p), or name another file with --data",
            config.data.display(),
            directory.display()
        ));
    }
    let Some(path) = config.dev_secret_file.as_deref() else {
        return Ok(());
    };
    let secret = dev_secret::load_or_create(path);
    config.keys.unnamed = Some(secret.map_err(|error| no_dev_secret(path, &error))?);
    Ok(())
}

/// Why there is no secret of `--dev`. The path is shown whole: most often the working directory is another
/// than meant.
fn no_dev_secret(path: &Path, error: &io::Error) -> String {
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    match error.kind() {
        io::ErrorKind::NotFound => format!(
            "there is no {}, where a server with --dev keeps its secret; name the data file of that server with --data \
             (of scripts/run it is data/boardwire.redb)",
            path.display()
        ),
        _ => format!("the secret of --dev, {}: {error}", path.display()),
    }
}

fn now() -> UnixMillis {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    UnixMillis(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

/// Writes to the standard output; a reader that went away is no failure worth words.
fn print(text: impl AsRef<[u8]>) -> ExitCode {
    let mut out = io::stdout();
    match out.write_all(text.as_ref()).and_then(|()| out.flush()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

fn fail(line: &str, code: u8) -> ExitCode {
    // Where even the standard error is gone, the exit code has to do.
    writeln!(io::stderr(), "boardwire: {line}").ok();
    ExitCode::from(code)
}
