//! `boardwire token`: mints a token with the server's own settings.
//!
//! Owns the flags of that command and the choice of the signing secret. Key invariant: a token that is
//! printed verifies under the settings it was made with, once its time has come.

use std::path::PathBuf;
use std::time::Duration;

use boardwire::ids::{BoardId, Level, TeamId, UserId};
use boardwire::jwt::{self, Algorithm, Keys, NewClaims, Verifier};
use boardwire::server::config::{self, Values, values};
use boardwire::time::UnixMillis;
use clap::{Arg, ArgAction, ArgMatches};

/// A token to be made.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Request {
    /// The server's keys; without a secret where `dev_secret_file` is set.
    pub(crate) keys: Keys,
    /// Where the secret of `--dev` is kept, if that is the one.
    pub(crate) dev_secret_file: Option<PathBuf>,
    /// `--kid`.
    pub(crate) key_name: Option<String>,
    /// `--algorithm`, else the first of `--jwt-algorithms`.
    pub(crate) algorithm: Algorithm,
    /// `--sub`.
    pub(crate) user: UserId,
    /// `--name`.
    pub(crate) name: Option<String>,
    /// `--board`.
    pub(crate) boards: Vec<(BoardId, Level)>,
    /// `--team`.
    pub(crate) teams: Vec<TeamId>,
    /// `--role admin`.
    pub(crate) admin: bool,
    /// `--not-before`: how long from now the token becomes valid; at once where it is `None`.
    pub(crate) not_before: Option<Duration>,
    /// `--expires-in`: how long it is valid from then on.
    pub(crate) expires_in: Duration,
}

/// How long a token lasts unless one says: a day at work.
const EXPIRES_IN: &str = "12h";

/// The longest that a token may last, or wait: ten years.
const LONGEST: Duration = Duration::from_secs(3650 * 24 * 3600);

/// The flags of the command besides those it shares with the server.
pub(crate) fn arguments() -> Vec<Arg> {
    let argument = |name: &'static str, placeholder: &'static str, help: &'static str| {
        Arg::new(name)
            .long(name)
            .value_name(placeholder)
            .help(help)
            .help_heading("Claims")
            .allow_hyphen_values(true)
    };
    vec![
        argument("sub", "USER", "The user the token is for").required(true),
        argument("name", "NAME", "What the page calls them [default: the user]"),
        argument(
            "board",
            "ID:LEVEL",
            "A board and view, comment or edit. May be repeated",
        )
        .action(ArgAction::Append),
        argument("team", "TEAM", "A team the user is in. May be repeated").action(ArgAction::Append),
        argument("role", "admin", "`admin`: every board, edit and manage"),
        argument(
            "expires-in",
            "DURATION",
            "How long the token is valid [default: 12h]",
        ),
        argument(
            "not-before",
            "DURATION",
            "It becomes valid this long from now [default: at once]",
        ),
        argument("kid", "NAME", "Sign with this secret of --jwt-secrets"),
        argument(
            "algorithm",
            "NAME",
            "Sign with this one of --jwt-algorithms [default: the first]",
        ),
    ]
}

/// One line that names the flag, the value and what would be right.
fn wrong(flag: &str, value: &str, expected: &str) -> String {
    format!("--{flag} {value:?} is not right; expected {expected}")
}

impl Request {
    /// Checks the flags and the settings shared with the server.
    pub(crate) fn from_values(flags: &ArgMatches, settings: &Values) -> Result<Self, String> {
        let one = |flag: &str| flags.get_one::<String>(flag).map(String::as_str);
        let all = |flag: &str| {
            flags
                .get_many::<String>(flag)
                .into_iter()
                .flatten()
                .map(String::as_str)
        };
        let (keys, dev_secret_file) = config::signing(settings).map_err(|error| error.to_string())?;
        let key_name = one("kid").map(|name| key_name(name, &keys)).transpose()?;
        let algorithm = algorithm(one("algorithm"), &keys)?;
        let id = |flag, text| {
            UserId::parse(text).ok_or_else(|| wrong(flag, text, "1 to 256 bytes without control characters"))
        };
        let teams = all("team").map(|text| {
            TeamId::parse(text)
                .ok_or_else(|| wrong("team", text, "1 to 256 bytes without control characters"))
        });
        let expires_in = duration("expires-in", one("expires-in").unwrap_or(EXPIRES_IN))?;
        let not_before = one("not-before").map(|text| duration("not-before", text));
        Ok(Self {
            dev_secret_file,
            key_name,
            user: id("sub", one("sub").unwrap_or_default())?,
            name: one("name").map(shown_name).transpose()?,
            boards: boards(flags)?,
            teams: teams.collect::<Result<_, _>>()?,
            admin: match one("role") {
                None => false,
                Some("admin") => true,
                Some(other) => return Err(wrong("role", other, "admin")),
            },
            algorithm,
            not_before: not_before.transpose()?,
            expires_in,
            keys,
        })
    }
}

/// `--board`: each board once.
///
/// # Errors
/// What is wrong, in one line.
pub(crate) fn boards(flags: &ArgMatches) -> Result<Vec<(BoardId, Level)>, String> {
    let board = |text: &String| {
        let parsed = text
            .rsplit_once(':')
            .and_then(|(id, level)| BoardId::parse(id).zip(Level::parse(level)));
        let expected = "ID:LEVEL with view, comment or edit, such as plan:edit";
        parsed.ok_or_else(|| wrong("board", text, expected))
    };
    let boards = flags.get_many::<String>("board").into_iter().flatten().map(board);
    each_once(boards.collect::<Result<_, _>>()?)
}

/// What a person is called: as long as an id, and something to see.
fn shown_name(text: &str) -> Result<String, String> {
    let fits = UserId::parse(text).is_some() && !text.trim().is_empty();
    let expected = "1 to 256 bytes without control characters, and not only spaces";
    fits.then(|| text.to_owned())
        .ok_or_else(|| wrong("name", text, expected))
}

/// The boards, unless one is named twice: which level was meant?
fn each_once(boards: Vec<(BoardId, Level)>) -> Result<Vec<(BoardId, Level)>, String> {
    let twice = boards
        .iter()
        .enumerate()
        .find(|(at, (id, _))| boards.iter().take(*at).any(|(earlier, _)| earlier == id));
    match twice {
        None => Ok(boards),
        Some((_, (id, level))) => {
            let text = format!("{id}:{}", level.as_str());
            Err(wrong("board", &text, "each board once"))
        }
    }
}

/// A secret's name, which must be one that the server has.
fn key_name(name: &str, keys: &Keys) -> Result<String, String> {
    let known: Vec<&str> = keys.named.iter().map(|(name, _)| name.as_str()).collect();
    match known.as_slice() {
        [] => Err(wrong("kid", name, "a name of --jwt-secrets, and there are none")),
        known if known.contains(&name) => Ok(name.to_owned()),
        known => Err(wrong(
            "kid",
            name,
            &format!("a name of --jwt-secrets: {}", known.join(", ")),
        )),
    }
}

/// An algorithm that the server accepts; the first where none is named.
fn algorithm(name: Option<&str>, keys: &Keys) -> Result<Algorithm, String> {
    let accepted = &keys.algorithms;
    let Some(name) = name else {
        return Ok(accepted.first().copied().unwrap_or(Algorithm::Hs256));
    };
    let known = Algorithm::parse(name).filter(|algorithm| accepted.contains(algorithm));
    known.ok_or_else(|| {
        let names: Vec<&str> = accepted.iter().map(|algorithm| algorithm.as_str()).collect();
        wrong(
            "algorithm",
            name,
            &format!("one of --jwt-algorithms: {}", names.join(", ")),
        )
    })
}

fn duration(flag: &str, text: &str) -> Result<Duration, String> {
    let fits = |duration: &Duration| (Duration::from_secs(1)..=LONGEST).contains(duration);
    values::duration(text)
        .filter(fits)
        .ok_or_else(|| wrong(flag, text, "a duration from 1s to 3650d, such as 12h"))
}

/// `by` later than `from`.
fn later(from: UnixMillis, by: Duration) -> UnixMillis {
    let by = u64::try_from(by.as_millis()).unwrap_or(u64::MAX);
    UnixMillis(from.0.saturating_add(by))
}

/// Signs the token; `now` is when it is issued. It is checked as the server would when it becomes valid.
pub(crate) fn mint(request: &Request, now: UnixMillis) -> Result<String, String> {
    let begins = request.not_before.map(|wait| later(now, wait));
    let valid_from = begins.unwrap_or(now);
    let claims = NewClaims {
        name: request.name.clone(),
        not_before: begins,
        teams: request.teams.clone(),
        boards: request.boards.clone(),
        admin: request.admin,
        issuer: request.keys.issuer.clone(),
        audience: request.keys.audience.clone(),
        ..NewClaims::new(request.user.clone(), now, later(valid_from, request.expires_in))
    };
    let named = |name: &String| {
        let found = request.keys.named.iter().find(|(known, _)| known == name);
        found.map(|(name, secret)| (Some(name.as_str()), secret))
    };
    let signing = match &request.key_name {
        Some(name) => named(name),
        None => request.keys.signing(),
    };
    let (name, secret) = signing.ok_or("--jwt-secret is missing; expected the server's secret")?;
    let token = jwt::mint(secret, request.algorithm, name, &claims.to_json());
    match Verifier::new(request.keys.clone()).verify(&token, valid_from) {
        Ok(_) => Ok(token),
        Err(error) => Err(format!(
            "these claims make no token that the server accepts: {error}"
        )),
    }
}

/// What to do with a token that was printed, for whoever reads it and not for a script.
pub(crate) fn its_use(request: &Request) -> String {
    let board = request
        .boards
        .first()
        .map_or("BOARD", |(board, _)| board.as_str());
    format!(
        "a token of {}: paste it at the server's start page, open /board/{board}?token=TOKEN there, \
         or send it as \"Authorization: Bearer TOKEN\"",
        request.user.as_str(),
    )
}
