//! Measures servers that keep Yjs boards in sync, and the bare broadcaster that they are compared with.
//!
//! One thread and epoll, so that one core loads a server on another. Everything is prepared before a run, the
//! schedule never waits for the server, and each delivery is matched. README.md says how to use it.
#![expect(
    clippy::indexing_slicing,
    reason = "places come from the loops that made the tables; a panic ends a run, not a server"
)]

mod args;
mod bare;
mod fleet;
mod join;
mod keep;
mod poll;
mod process;
mod progress;
mod report;
mod results;
mod saturate;
mod scenario;
mod server;
mod tally;
mod target;
#[cfg(test)]
mod tests;
mod times;
mod traffic;
mod ws;
mod yjs;

use std::io::Write;
use std::process::ExitCode;

fn main() -> ExitCode {
    let told = |result: Result<Option<String>, String>| match result {
        Ok(None) => ExitCode::SUCCESS,
        Ok(Some(text)) => match write!(std::io::stdout(), "{text}") {
            Ok(()) => ExitCode::SUCCESS,
            Err(_) => ExitCode::FAILURE,
        },
        Err(error) => {
            // Nobody is left to tell when this fails.
            writeln!(std::io::stderr(), "boardwire-load: {error}").unwrap_or_default();
            ExitCode::FAILURE
        }
    };
    told(args::run())
}
