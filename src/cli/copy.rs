//! `boardwire copy`: all boards of one store into another.
//!
//! Owns the flags of that command, and what is said. Must not copy anything itself. Key invariant: the source
//! is opened so that nothing is written to it, and before the target.

use std::ffi::OsString;
use std::time::Instant;

use boardwire::copy::{Copied, Told, copy};
use clap::{Arg, ArgMatches};

use super::place::Where;
use super::progress::Progress;

pub(crate) const HELP: &str = "\
Boards, grants, links, keys, the audit log and sessions are copied, also the marks of deleted boards. The source is not
changed.
Stop the servers of both first. What the target has already stays as it is, so a copy that was interrupted is made again,
and goes on where it was. Each board is read back and compared.
Exit code: 0 if the target has all boards; 1 if not, and then each board that it lacks is named; 2 for a wrong flag.

Examples:
  export BOARDWIRE_COPY_TO=\"postgres://boardwire:$PASSWORD@db.example/boardwire\"
  boardwire copy --from boardwire.redb
      From one machine to many. Flags show in process lists, so a password is better in a variable.

  boardwire copy --from \"postgres://boardwire@/boardwire?host=/var/run/postgresql\" --to boardwire.redb
      And back.

  boardwire copy --from old.redb --to new.redb
      Of a damaged data file, all that can be read.";

/// What is to be copied.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Request {
    from: Where,
    to: Where,
}

/// The flags, and the variables that count where a flag is not given.
const FLAGS: [(&str, &str, &str); 2] = [
    (
        "from",
        "BOARDWIRE_COPY_FROM",
        "The store to copy: a data file, or postgres://...",
    ),
    (
        "to",
        "BOARDWIRE_COPY_TO",
        "The store that gets the boards: a data file, or postgres://...; made when missing",
    ),
];

/// The flags of the command.
pub(crate) fn arguments() -> Vec<Arg> {
    let argument = |(name, variable, help): (&'static str, &str, &str)| {
        Arg::new(name)
            .long(name)
            .value_name("WHERE")
            .help(format!("{help} [variable: {variable}]"))
            .allow_hyphen_values(true)
    };
    FLAGS.map(argument).into()
}

impl Request {
    /// Checks the flags, and the variables for those that are not given.
    pub(crate) fn from_values(
        flags: &ArgMatches,
        variables: &impl Fn(&str) -> Option<OsString>,
    ) -> Result<Self, String> {
        let [from, to] = FLAGS.map(|(name, variable, _)| {
            let given = flags.get_one::<String>(name).map(OsString::from);
            let given = given
                .or_else(|| variables(variable))
                .filter(|text| !text.is_empty());
            let given =
                given.ok_or_else(|| format!("--{name} (or {variable}) is missing; --help shows how"))?;
            Where::parse(name, given)
        });
        Ok(Self { from: from?, to: to? })
    }
}

/// Copies, and gives the line to print: as an error where the target does not have everything.
pub(crate) fn run(request: &Request) -> Result<String, String> {
    let Request { from, to } = request;
    if from.is(to) {
        return Err(format!("--from and --to are both {from}"));
    }
    let begun = Instant::now();
    let mut progress = Progress::default();
    let source = from.open_source(&mut progress)?;
    let target = to.open_target()?;
    let copied = copy(&*source.store, &*target, &mut |told| show(&mut progress, &told));
    drop(progress);
    target.close();
    let done = copied.map_err(|stopped| format!("{stopped}; the same command goes on from here"))?;
    let line = summary(&done, begun.elapsed().as_secs_f64());
    match (done.behind + done.sessions_behind, source.is_damaged) {
        (0, false) => Ok(line),
        (0, true) => Err(format!("{line}; the source is damaged and may have had more")),
        (behind, _) => Err(format!("{line}; {behind} NOT copied, named above")),
    }
}

/// Shows how far a copy is, and what stays behind.
pub(crate) fn show(progress: &mut Progress, told: &Told<'_>) {
    match told {
        Told::Ids(count) => progress.begin(*count),
        Told::Progress(done) => progress.tell(done.seen(), &megabytes(done.bytes)),
        Told::Behind(board, trouble) => progress.say(&format_args!("board {:?}: {trouble}", board.as_str())),
        Told::Session(Some(id), trouble) => progress.say(&format_args!("session {}: {trouble}", id.as_str())),
        Told::Session(None, trouble) => progress.say(&format_args!("sessions: {trouble}")),
    }
}

pub(crate) fn megabytes(bytes: u64) -> String {
    format!("{}.{} MB", bytes / 1_000_000, bytes % 1_000_000 / 100_000)
}

fn summary(done: &Copied, seconds: f64) -> String {
    let mut line = format!(
        "copied {} boards ({}) in {seconds:.1} s",
        done.written,
        megabytes(done.bytes)
    );
    if done.equal > 0 {
        line.push_str(&format!("; {} were there already, and equal", done.equal));
    }
    if done.sessions > 0 {
        line.push_str(&format!("; {} sessions", done.sessions));
    }
    if done.others > 0 {
        line.push_str(&format!("; the target has {} more of its own", done.others));
    }
    line
}
