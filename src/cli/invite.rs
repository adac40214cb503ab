//! `boardwire invite`: a link with which somebody gets in, once.
//!
//! Owns the flags of that command. Must not know a server: an invitation is signed, and a server of the same
//! secret takes it. Key invariant: what is printed, such a server takes. Tests: `cli/tests.rs`,
//! tests/it/sessions.rs.

use std::path::PathBuf;

use boardwire::ids::{BoardId, Level};
use boardwire::jwt::invite::{INVITE_BYTES, Invite};
use boardwire::jwt::{Keys, Verifier};
use boardwire::limits;
use boardwire::server::config::{self, Values};
use boardwire::time::UnixMillis;
use clap::{Arg, ArgAction, ArgMatches};

use super::token;

pub(crate) const HELP: &str = "\
NAME is who they are to the server, and what others see: invite the same name again for another browser of the same
person. The link works once, within 7 days, and keeps that browser signed in for 30 days after each use.
The secret is that of the server: BOARDWIRE_JWT_SECRET, or with --dev the one beside the data file.

Examples:
  boardwire invite Alice --admin --public-url https://boards.example.com
  boardwire invite Bob --board plan:edit --board notes:view";

/// Somebody is to be invited.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Request {
    /// The server's keys; without a secret where `dev_secret_file` is set.
    pub(crate) keys: Keys,
    /// Where the secret of `--dev` is kept, if that is the one.
    pub(crate) dev_secret_file: Option<PathBuf>,
    name: boardwire::ids::UserId,
    admin: bool,
    boards: Vec<(BoardId, Level)>,
    /// Where people reach the server.
    address: String,
}

/// The flags besides those of the server.
pub(crate) fn arguments() -> [Arg; 3] {
    [
        Arg::new("name")
            .value_name("NAME")
            .help("Who is invited")
            .required(true),
        Arg::new("admin")
            .long("admin")
            .help("They may do everything on every board, and invite others")
            .action(ArgAction::SetTrue),
        Arg::new("board")
            .long("board")
            .value_name("ID:LEVEL")
            .help("A board and view, comment or edit. May be repeated")
            .action(ArgAction::Append)
            .allow_hyphen_values(true),
    ]
}

impl Request {
    /// Checks the flags and the settings shared with the server.
    ///
    /// # Errors
    /// What is wrong, in one line.
    pub(crate) fn from_values(flags: &ArgMatches, settings: &Values) -> Result<Self, String> {
        let text = flags.get_one::<String>("name").map_or("", String::as_str);
        let name = Invite::name(text).ok_or_else(|| {
            format!("NAME {text:?} is not right; expected 1 to 256 bytes without control characters, and no space at its ends")
        })?;
        let boards = token::boards(flags)?;
        if boards.len() > limits::INVITE_BOARDS_MAX {
            return Err(format!(
                "--board is given too often; expected {} boards at most",
                limits::INVITE_BOARDS_MAX
            ));
        }
        let wrong = |error: config::ConfigError| error.to_string();
        let (keys, dev_secret_file) = config::signing(settings).map_err(wrong)?;
        Ok(Self {
            keys,
            dev_secret_file,
            name,
            admin: flags.get_flag("admin"),
            boards,
            address: address(settings).map_err(wrong)?,
        })
    }
}

/// `--public-url`; without one, where `--listen` says, on this machine.
fn address(settings: &Values) -> Result<String, config::ConfigError> {
    let own = config::own_url(settings)?;
    let public = config::public_url(settings)?.map(|url| url.to_string());
    Ok(public.unwrap_or(own))
}

/// The link.
///
/// # Errors
/// There is no secret, or no randomness.
pub(crate) fn link(request: &Request, now: UnixMillis) -> Result<String, String> {
    let mut id = [0; INVITE_BYTES];
    getrandom::fill(&mut id).map_err(|error| format!("no random bytes: {error}"))?;
    let invite = Invite {
        admin: request.admin,
        boards: request.boards.clone(),
        ..Invite::new(id, request.name.clone(), now)
    };
    let text = invite
        .sign(&request.keys)
        .ok_or("--jwt-secret is missing; expected the server's secret")?;
    let taken = Verifier::new(request.keys.clone()).invite(&text, now);
    taken.map_err(|error| format!("the server would not take it: {error}"))?;
    Ok(Invite::url(&request.address, &text))
}

/// What to do with a link that was printed, for whoever reads it and not for a script.
pub(crate) fn its_use(request: &Request) -> String {
    format!(
        "a link for {}: it works once, within 7 days, in whatever browser opens it first",
        request.name.as_str()
    )
}
