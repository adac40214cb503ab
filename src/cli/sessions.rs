//! `boardwire sessions`: who is signed in by an invitation, and how that ends.
//!
//! Owns the table that is printed. Must not know the store: a server that runs is asked, as an admin. Key
//! invariant: no text of a session is ever shown; the server has none. Tests: tests/it/sessions.rs.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::time::Duration;

use boardwire::client::{Address, Client, Request as Sent, Verb, Wanted};
use boardwire::ids::{SecretId, UserId};
use boardwire::jwt::{self, Algorithm, Keys, NewClaims};
use boardwire::limits;
use boardwire::server::config::{self, Values};
use boardwire::time::UnixMillis;
use clap::{Arg, ArgAction, ArgMatches};
use serde_json::Value;

use super::health::reachable;

pub(crate) const HELP: &str = "\
Asks the server that runs, with a token for a minute that it signs with the server's secret: BOARDWIRE_JWT_SECRET, or with
--dev the one beside the data file.

Examples:
  boardwire sessions
  boardwire sessions --revoke 3kTMd8xHqzJ_1aBc
      Whoever has that browser is signed out within a second.";

/// How long an answer may take.
const TIME_MAX: Duration = Duration::from_secs(30);

/// How long the token is good that is made for the purpose.
const TOKEN_TIME: Duration = Duration::from_secs(60);

/// Whom the server's log names for what is done so.
const OPERATOR: &str = "boardwire sessions";

/// What is asked.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Request {
    /// The server's keys; without a secret where `dev_secret_file` is set.
    pub(crate) keys: Keys,
    /// Where the secret of `--dev` is kept, if that is the one.
    pub(crate) dev_secret_file: Option<PathBuf>,
    url: String,
    revoke: Option<SecretId>,
}

/// The flags besides those of the server.
pub(crate) fn arguments() -> [Arg; 2] {
    let flag = |name: &'static str, value: &'static str, help: &'static str| {
        Arg::new(name)
            .long(name)
            .value_name(value)
            .help(help)
            .action(ArgAction::Set)
            .allow_hyphen_values(true)
    };
    [
        flag("revoke", "ID", "End this session"),
        flag(
            "url",
            "URL",
            "The server [default: where --listen says, on this machine]",
        ),
    ]
}

impl Request {
    /// Checks the flags and the settings shared with the server.
    ///
    /// # Errors
    /// What is wrong, in one line.
    pub(crate) fn from_values(flags: &ArgMatches, settings: &Values) -> Result<Self, String> {
        let wrong = |error: config::ConfigError| error.to_string();
        let text = |name: &str| flags.get_one::<String>(name).map(String::as_str);
        let revoke = text("revoke").map(|id| {
            SecretId::parse(id).ok_or_else(|| {
                format!("--revoke {id:?} is not right; expected an ID as `boardwire sessions` lists it")
            })
        });
        let listen = config::listen(settings).map_err(wrong)?;
        let url = text("url").map_or_else(|| format!("http://{}", reachable(listen)), str::to_owned);
        let (keys, dev_secret_file) = config::signing(settings).map_err(wrong)?;
        Ok(Self {
            keys,
            dev_secret_file,
            url: url.trim_end_matches('/').to_owned(),
            revoke: revoke.transpose()?,
        })
    }
}

/// Lists, or revokes: what is to be printed.
///
/// # Errors
/// The server cannot be asked, or refuses.
pub(crate) fn run(request: &Request, now: UnixMillis) -> Result<String, String> {
    let token = token(&request.keys, now)?;
    let ask = |verb, path: &str| smol::block_on(ask(&request.url, (verb, path), &token));
    if let Some(id) = &request.revoke {
        ask(Verb::Delete, &format!("/v1/sessions/{}", id.as_str()))?;
        return Ok(format!("session {} is revoked\n", id.as_str()));
    }
    let mut sessions = Vec::new();
    let mut cursor = String::new();
    loop {
        let page = ask(Verb::Get, &format!("/v1/sessions?limit=500&cursor={cursor}"))?;
        sessions.extend(
            page.get("items")
                .and_then(Value::as_array)
                .cloned()
                .unwrap_or_default(),
        );
        match page.get("next_cursor").and_then(Value::as_str) {
            Some(next) => next.clone_into(&mut cursor),
            None => return Ok(table(&sessions)),
        }
    }
}

fn token(keys: &Keys, now: UnixMillis) -> Result<String, String> {
    let (name, secret) = keys
        .signing()
        .ok_or("--jwt-secret is missing; expected the server's secret")?;
    let algorithm = keys.algorithms.first().copied().unwrap_or(Algorithm::Hs256);
    let user = UserId::parse(OPERATOR).ok_or("no user id")?;
    let time = u64::try_from(TOKEN_TIME.as_millis()).unwrap_or(u64::MAX);
    let claims = NewClaims {
        admin: true,
        issuer: keys.issuer.clone(),
        audience: keys.audience.clone(),
        ..NewClaims::new(user, now, UnixMillis(now.0.saturating_add(time)))
    };
    Ok(jwt::mint(secret, algorithm, name, &claims.to_json()))
}

async fn ask(url: &str, (verb, path): (Verb, &str), token: &str) -> Result<Value, String> {
    let address = Address::parse(&format!("{url}{path}")).map_err(|error| format!("--url {error}"))?;
    let authorization = format!("Bearer {token}");
    let sent = Sent {
        verb,
        address: &address,
        fields: &[("Authorization", &authorization), ("Accept", "application/json")],
        body: b"",
    };
    let client = Client::new(|_| true);
    let answer = client
        .send(sent, Wanted::Body(limits::BODY_BYTES_MAX), TIME_MAX)
        .await;
    let answer = answer.map_err(|error| format!("{url}: {error}; is the server running there?"))?;
    let body: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    match answer.status {
        200 | 204 => Ok(body),
        status => {
            let detail = body.get("detail").and_then(Value::as_str).unwrap_or("no reason");
            Err(format!("{url} answers {status}: {detail}"))
        }
    }
}

fn table(sessions: &[Value]) -> String {
    let text = |session: &Value, member: &str| {
        let text = session.get(member).and_then(Value::as_str).unwrap_or("-");
        // What a stranger's browser says of itself is to say nothing to a terminal.
        text.chars().filter(|c| !c.is_control()).collect::<String>()
    };
    let day = |session: &Value, member: &str| text(session, member).chars().take(10).collect::<String>();
    let wide = sessions
        .iter()
        .map(|session| text(session, "user").chars().count());
    let wide = wide.max().unwrap_or(0).max("USER".len());
    let mut table = format!(
        "{:16}  {:wide$}  {:5}  {:10}  {:10}  BROWSER\n",
        "ID", "USER", "ADMIN", "USED", "ENDS"
    );
    for session in sessions {
        let admin = match session.get("admin") {
            Some(Value::Bool(true)) => "yes",
            _ => "no",
        };
        // Writing into a String does not fail.
        writeln!(
            table,
            "{:16}  {:wide$}  {admin:5}  {:10}  {:10}  {}",
            text(session, "id"),
            text(session, "user"),
            day(session, "used_at"),
            day(session, "expires_at"),
            text(session, "user_agent")
        )
        .unwrap_or_default();
    }
    table
}
