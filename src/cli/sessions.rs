//! `boardwire sessions`: who is signed in by an invitation, and how that ends.
//!
//! Owns the table that is printed. Must not know the store: a server that runs is asked, as an admin. Key
//! invariant: no text of a session is ever shown; the server has none. Tests: tests/it/sessions.rs.

use std::ffi::OsString;
use std::fmt::Write as _;

use boardwire::client::Verb;
use boardwire::ids::SecretId;
use boardwire::server::config::Values;
use clap::{Arg, ArgMatches};
use serde_json::Value;

use super::operator::{self, Operator};

pub(crate) const HELP: &str = "\
Asks the server that runs, with a token for a minute that it signs with the server's secret: BOARDWIRE_JWT_SECRET, or with
--dev the one beside the data file; or with the token of an admin, in BOARDWIRE_TOKEN.

Examples:
  boardwire sessions
  boardwire sessions --revoke 3kTMd8xHqzJ_1aBc
      Whoever has that browser is signed out within a second.";

/// Whom the server's log names for what is done so.
const OPERATOR: &str = "boardwire sessions";

/// What is asked.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Request {
    /// Who asks, and whom.
    operator: Operator,
    revoke: Option<SecretId>,
}

/// The flags besides those of the server.
pub(crate) fn arguments() -> Vec<Arg> {
    let revoke = super::flag("revoke", "ID", "End this session");
    operator::arguments().into_iter().chain([revoke]).collect()
}

impl Request {
    /// Checks the flags and the settings shared with the server.
    ///
    /// # Errors
    /// What is wrong, in one line.
    pub(crate) fn from_values(
        flags: &ArgMatches,
        settings: &Values,
        variables: &impl Fn(&str) -> Option<OsString>,
    ) -> Result<Self, String> {
        let given = flags.get_one::<String>("revoke");
        let revoke = given.map(|id| {
            SecretId::parse(id).ok_or_else(|| {
                format!("--revoke {id:?} is not right; expected an ID as `boardwire sessions` lists it")
            })
        });
        Ok(Self {
            operator: Operator::from_values(flags, settings, variables)?,
            revoke: revoke.transpose()?,
        })
    }
}

/// Lists, or revokes: what is to be printed.
///
/// # Errors
/// The server cannot be asked, or refuses.
pub(crate) fn run(request: &Request) -> Result<String, String> {
    let server = request.operator.connect(OPERATOR)?;
    if let Some(id) = &request.revoke {
        server.json(Verb::Delete, &format!("/v1/sessions/{}", id.as_str()), None)?;
        return Ok(format!("session {} is revoked\n", id.as_str()));
    }
    Ok(table(&server.list("/v1/sessions")?))
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
