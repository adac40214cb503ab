//! `boardwire doctor`: what is wrong with a server, its machine, and the way to it.
//!
//! Owns the flags, [`Finding`], and how findings are printed. Must not find anything itself: `inside` looks
//! at this machine with the settings of `serve`, `outside` asks a server over the network. Key invariants:
//! what is looked at is not changed, but for a file beside the data file and a board, which are gone again;
//! no secret is in a finding; the text of others is one line of plain characters. Tests are below, in each
//! file, and in tests/node/doctor.test.mjs.

use std::ffi::OsString;
use std::time::Duration;

use boardwire::server::config::{Machine, Values, values};
use clap::{Arg, ArgAction, ArgMatches};
use serde_json::json;

use super::operator::{self, Operator};

mod asking;
mod drawing;
mod inside;
mod judged;
mod machine;
mod outside;
mod replies;
mod secret;

pub(crate) const HELP: &str = "\
Without --url it looks at this machine, with the settings of `boardwire serve`: run it as the user that the server runs as,
with the same flags and variables. The data file is read to its end where no server has it open, and is locked meanwhile.
With --url it asks a server from outside, as a browser would. With the token of an admin in BOARDWIRE_TOKEN, or the server's
secret, it also draws on a board that it makes for that and removes again.
Each line is `ok`, `warning` or `wrong`, and says what would be right; docs/troubleshooting.md has more of each.
Exit code: 0 if nothing is wrong; 1 if something is; 2 for a wrong flag.

Examples:
  boardwire doctor --data /var/lib/boardwire/boardwire.redb
  boardwire doctor --url https://boards.example.com
  boardwire doctor --url https://boards.example.com --idle 90s --json";

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Level {
    Ok,
    Warning,
    Wrong,
}

impl Level {
    fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warning => "warning",
            Self::Wrong => "wrong",
        }
    }
}

/// What one check has found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Finding {
    /// The name of the check.
    pub(super) check: &'static str,
    pub(super) level: Level,
    /// What is.
    pub(super) what: String,
    /// What would be right, where that is not what is.
    pub(super) right: Option<String>,
}

impl Finding {
    pub(super) fn ok(check: &'static str, what: impl Into<String>) -> Self {
        Self {
            check,
            level: Level::Ok,
            what: what.into(),
            right: None,
        }
    }

    pub(super) fn warning(check: &'static str, what: impl Into<String>, right: impl Into<String>) -> Self {
        Self {
            level: Level::Warning,
            right: Some(right.into()),
            ..Self::ok(check, what)
        }
    }

    pub(super) fn wrong(check: &'static str, what: impl Into<String>, right: impl Into<String>) -> Self {
        Self {
            level: Level::Wrong,
            ..Self::warning(check, what, right)
        }
    }
}

/// How findings are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Lines,
    Json,
}

/// What is looked at.
#[derive(Debug, PartialEq, Eq)]
enum Scope {
    Inside(Box<inside::Asked>),
    Outside(Box<outside::Asked>),
}

/// What `boardwire doctor` was asked for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Request {
    scope: Scope,
    form: Form,
}

/// The flags that are its own.
pub(crate) fn arguments() -> Vec<Arg> {
    let idle =
        "Also keep a WebSocket open for so long, sending nothing, and say whether it is cut; with --url";
    let own = [
        super::flag("idle", "DURATION", idle),
        Arg::new("json")
            .long("json")
            .action(ArgAction::SetTrue)
            .help("Print JSON"),
    ];
    operator::arguments().into_iter().chain(own).collect()
}

impl Request {
    /// Checks the flags. Settings that are wrong are findings.
    ///
    /// # Errors
    /// What is wrong, in one line.
    pub(crate) fn from_values(
        flags: &ArgMatches,
        settings: &Values,
        (variables, machine): (&impl Fn(&str) -> Option<OsString>, Machine),
    ) -> Result<Self, String> {
        let form = match flags.get_flag("json") {
            true => Form::Json,
            false => Form::Lines,
        };
        let idle = flags.get_one::<String>("idle").map(|text| {
            let allowed = Duration::from_secs(1)..=Duration::from_secs(3_600);
            let idle = values::duration(text).filter(|idle| allowed.contains(idle));
            idle.ok_or_else(|| {
                format!("--idle {text:?} is not right; expected a duration from 1s to 1h, such as 90s")
            })
        });
        let idle = idle.transpose()?;
        let scope = match flags.get_one::<String>("url") {
            None if idle.is_some() => {
                return Err("--idle is about the way to a server; expected --url beside it".to_owned());
            }
            None => Scope::Inside(Box::new(inside::Asked::of(settings, machine))),
            Some(url) => {
                // It asks with a credential only where there is one; --listen is of no interest here.
                let operator = Operator::from_values(flags, settings, variables)?;
                Scope::Outside(Box::new(outside::Asked::parse(url, operator, idle)?))
            }
        };
        Ok(Self { scope, form })
    }
}

/// What is to be printed, and whether something is wrong.
pub(crate) struct Report {
    pub(crate) text: String,
    pub(crate) is_wrong: bool,
}

/// Looks, and tells.
pub(crate) fn run(request: &Request) -> Report {
    let findings = match &request.scope {
        Scope::Inside(asked) => inside::look(asked),
        Scope::Outside(asked) => outside::look(asked),
    };
    Report {
        text: match request.form {
            Form::Lines => lines(&findings),
            Form::Json => json_of(&findings),
        },
        is_wrong: count(&findings, Level::Wrong) > 0,
    }
}

fn count(findings: &[Finding], level: Level) -> usize {
    findings.iter().filter(|finding| finding.level == level).count()
}

/// Where more of a check stands, from below the repository, or the server's address.
fn help(check: &str) -> String {
    format!("docs/troubleshooting.md#doctor-{check}")
}

fn lines(findings: &[Finding]) -> String {
    let mut text = String::new();
    for finding in findings {
        let (level, check, what) = (finding.level.as_str(), finding.check, &finding.what);
        text.push_str(&format!("{level:<8} {check:<16} {what}\n"));
        if let Some(right) = &finding.right {
            text.push_str(&format!("{:<8} {:<16} -> {right}; {}\n", "", "", help(check)));
        }
    }
    let (wrong, warnings) = (count(findings, Level::Wrong), count(findings, Level::Warning));
    text.push_str(&match (wrong, warnings) {
        (0, 0) => format!("checks: {}; all is well\n", findings.len()),
        _ => format!(
            "checks: {}; {wrong} wrong, {warnings} to look at\n",
            findings.len()
        ),
    });
    text
}

fn json_of(findings: &[Finding]) -> String {
    let items = findings.iter().map(|finding| {
        json!({
            "check": finding.check,
            "level": finding.level.as_str(),
            "what": finding.what,
            "right": finding.right,
            "help": help(finding.check),
        })
    });
    let items: Vec<_> = items.collect();
    let (wrong, warnings) = (count(findings, Level::Wrong), count(findings, Level::Warning));
    format!(
        "{}\n",
        json!({"findings": items, "wrong": wrong, "warnings": warnings})
    )
}

/// A time as people read it.
fn time(time: Duration) -> String {
    match time.as_micros() {
        ..1_000 => format!("{} us", time.as_micros()),
        1_000..10_000 => format!("{:.1} ms", time.as_secs_f64() * 1_000.0),
        10_000..1_000_000 => format!("{} ms", time.as_millis()),
        1_000_000..10_000_000 => format!("{:.1} s", time.as_secs_f64()),
        _ => format!("{} s", time.as_secs()),
    }
}

/// Bytes as people read them.
fn bytes(bytes: u64) -> String {
    match bytes >> 20 {
        0 => format!("{} KiB", bytes >> 10),
        mib @ 1..10_240 => format!("{mib} MiB"),
        mib => format!("{} GiB", mib >> 10),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn findings() -> Vec<Finding> {
        vec![
            Finding::ok("clock", "it is 2026"),
            Finding::warning("memory", "little", "more"),
            Finding::wrong("port", "taken", "another --listen"),
        ]
    }

    #[test]
    fn each_finding_is_a_line_and_what_is_not_well_has_what_would_be_right() {
        let text = lines(&findings());
        assert_eq!(
            text,
            "ok       clock            it is 2026\n\
             warning  memory           little\n                          \
             -> more; docs/troubleshooting.md#doctor-memory\n\
             wrong    port             taken\n                          \
             -> another --listen; docs/troubleshooting.md#doctor-port\n\
             checks: 3; 1 wrong, 1 to look at\n"
        );
        assert!(lines(&findings()[..1]).ends_with("checks: 1; all is well\n"));
    }

    #[test]
    fn json_has_the_same() {
        let value: serde_json::Value = serde_json::from_str(&json_of(&findings())).unwrap();
        assert_eq!((&value["wrong"], &value["warnings"]), (&json!(1), &json!(1)));
        assert_eq!(
            value["findings"][2],
            json!({"check": "port", "level": "wrong", "what": "taken", "right": "another --listen",
                   "help": "docs/troubleshooting.md#doctor-port"})
        );
        assert_eq!(value["findings"][0]["right"], serde_json::Value::Null);
    }

    #[test]
    fn times_and_sizes_are_short() {
        let micros = [
            (5, "5 us"),
            (1_500, "1.5 ms"),
            (20_000, "20 ms"),
            (9_940_000, "9.9 s"),
            (12_000_000, "12 s"),
        ];
        for (micros, expected) in micros {
            assert_eq!(time(Duration::from_micros(micros)), expected);
        }
        for (size, expected) in [(2_048, "2 KiB"), (3 << 20, "3 MiB"), (10 << 30, "10 GiB")] {
            assert_eq!(bytes(size), expected);
        }
    }
}
