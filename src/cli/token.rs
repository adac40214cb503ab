//! `boardwire token`: mints a token with the server's own settings.
//!
//! Owns the flags of that command and the choice of the signing secret. Key invariant: a token that is printed verifies
//! under the settings it was made with.

use std::path::PathBuf;
use std::time::Duration;

use boardwire::access::Mode;
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
    /// `--sub`.
    pub(crate) user: UserId,
    /// `--board`.
    pub(crate) boards: Vec<(BoardId, Level)>,
    /// `--team`.
    pub(crate) teams: Vec<TeamId>,
    /// `--role admin`.
    pub(crate) admin: bool,
    /// `--expires-in`.
    pub(crate) expires_in: Duration,
}

/// How long a token lasts unless one says: a day at work.
const EXPIRES_IN: &str = "12h";

/// The flags of the command besides those it shares with the server.
pub(crate) fn arguments() -> Vec<Arg> {
    let argument = |name: &'static str, placeholder: &'static str, help: &'static str| {
        Arg::new(name)
            .long(name)
            .value_name(placeholder)
            .help(help)
            .help_heading("Claims")
    };
    vec![
        argument("sub", "USER", "The user the token is for").required(true),
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
        argument("kid", "NAME", "Sign with this secret of --jwt-secrets"),
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
        let keys = config::keys(settings).map_err(|error| error.to_string())?;
        let data = config::data(settings).map_err(|error| error.to_string())?;
        let mode: Mode = config::mode(settings).map_err(|error| error.to_string())?;
        let dev_secret_file = config::dev_secret_file(&keys, &data, mode);
        let key_name = one("kid").map(str::to_owned);
        if let Some(name) = &key_name
            && !keys.named.iter().any(|(known, _)| known == name)
        {
            return Err(wrong("kid", name, "a name of --jwt-secrets"));
        }
        let id = |flag, text| {
            UserId::parse(text).ok_or_else(|| wrong(flag, text, "1 to 256 bytes without control characters"))
        };
        let board = |text: &str| {
            let (id, level) = text.rsplit_once(':')?;
            BoardId::parse(id).zip(Level::parse(level))
        };
        let boards = all("board").map(|text| {
            board(text).ok_or_else(|| {
                wrong(
                    "board",
                    text,
                    "ID:LEVEL with view, comment or edit, such as plan:edit",
                )
            })
        });
        let teams = all("team").map(|text| {
            TeamId::parse(text)
                .ok_or_else(|| wrong("team", text, "1 to 256 bytes without control characters"))
        });
        let expires_in = one("expires-in").unwrap_or(EXPIRES_IN);
        let most = Duration::from_secs(3650 * 24 * 3600);
        let lifetime = values::duration(expires_in).filter(|d| (Duration::from_secs(1)..=most).contains(d));
        Ok(Self {
            dev_secret_file,
            key_name,
            user: id("sub", one("sub").unwrap_or_default())?,
            boards: boards.collect::<Result<_, _>>()?,
            teams: teams.collect::<Result<_, _>>()?,
            admin: match one("role") {
                None => false,
                Some("admin") => true,
                Some(other) => return Err(wrong("role", other, "admin")),
            },
            expires_in: lifetime.ok_or_else(|| {
                wrong(
                    "expires-in",
                    expires_in,
                    "a duration from 1s to 3650d, such as 12h",
                )
            })?,
            keys,
        })
    }
}

/// Signs the token; `now` is when it is issued.
pub(crate) fn mint(request: &Request, now: UnixMillis) -> Result<String, String> {
    let lifetime = u64::try_from(request.expires_in.as_millis()).unwrap_or(u64::MAX);
    let claims = NewClaims {
        teams: request.teams.clone(),
        boards: request.boards.clone(),
        admin: request.admin,
        issuer: request.keys.issuer.clone(),
        audience: request.keys.audience.clone(),
        ..NewClaims::new(
            request.user.clone(),
            now,
            UnixMillis(now.0.saturating_add(lifetime)),
        )
    };
    let named = match &request.key_name {
        Some(name) => request.keys.named.iter().find(|(known, _)| known == name),
        None if request.keys.unnamed.is_none() => request.keys.named.first(),
        None => None,
    };
    let (name, secret) = match (named, &request.keys.unnamed) {
        (Some((name, secret)), _) => (Some(name.as_str()), secret),
        (None, Some(secret)) => (None, secret),
        (None, None) => return Err("--jwt-secret is missing; expected the server's secret".to_owned()),
    };
    let algorithm = request
        .keys
        .algorithms
        .first()
        .copied()
        .unwrap_or(Algorithm::Hs256);
    let token = jwt::mint(secret, algorithm, name, &claims.to_json());
    match Verifier::new(request.keys.clone()).verify(&token, now) {
        Ok(_) => Ok(token),
        Err(error) => Err(format!(
            "these claims make no token that the server accepts: {error}"
        )),
    }
}
