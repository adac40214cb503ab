//! `boardwire config`: prints every setting, its value and where it came from.
//!
//! Owns the command's flags, and what its outcome is. Must not know how a setting is looked for. Key
//! invariant: the settings are printed also where one is wrong, and no secret ever is. Tests: `tests.rs`, and
//! tests/it/settings.rs.

use std::path::PathBuf;

use boardwire::server::config::{Config, Found, Machine, SETTINGS, report};
use clap::{Arg, ArgAction, ArgMatches};

/// What is to be printed.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Report {
    /// The settings.
    pub(crate) text: String,
    /// Files with secrets that everybody on this machine may read.
    pub(crate) exposed: Vec<PathBuf>,
    /// The first thing that is wrong, in one line.
    pub(crate) wrong: Option<String>,
}

const HELP: &str = "\
Takes every flag of `boardwire serve`, and looks where that looks. A secret is printed as (secret), and a setting that is
needed and not given as (missing). Ends with 0 where a server would start with these settings, and else with 1 and one
line that says what is wrong.";

/// The command.
pub(super) fn command() -> clap::Command {
    let json = Arg::new("json").long("json").action(ArgAction::SetTrue);
    let settings = SETTINGS
        .iter()
        .flat_map(|setting| super::arguments(setting, "As for `boardwire serve`"));
    clap::Command::new("config")
        .about("Print every setting, its value and where it came from")
        .after_help(HELP)
        .arg(json.help("Print JSON"))
        .args(settings)
}

impl Report {
    /// What is to be said of the settings that were found.
    pub(super) fn of(flags: &ArgMatches, found: Found, machine: Machine) -> Self {
        let Found { values, wrong } = found;
        let wrong = wrong.or_else(|| Config::from_values(&values, machine).err());
        let text = match flags.get_flag("json") {
            true => report::json(&values, wrong.as_ref()),
            false => report::table(&values, wrong.as_ref()),
        };
        Self {
            text,
            exposed: values.exposed,
            wrong: wrong.map(|error| error.to_string()),
        }
    }
}
