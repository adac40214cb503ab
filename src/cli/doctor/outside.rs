//! What is to be said of a server from outside: the way there, and what it does for who comes.
//!
//! Owns which checks there are, and their order: what cannot be told once an earlier one has failed is left
//! out. Must not judge (`replies`). Key invariant: the board that is made is deleted for good, whatever the
//! checks come to. Tests: tests/node/doctor.test.mjs.

use std::net::IpAddr;
use std::time::Duration;

use boardwire::client::{Address, Answer, ClientError, Socket, Verb};
use boardwire::time::UnixMillis;
use serde_json::{Value, json};

use super::super::operator::{Operator, now};
use super::super::{one_line, percent};
use super::asking::{self, Opened, Server};
use super::replies::{self, Asked as Outcome, Health, INVENTED, Seen};
use super::{Finding, drawing};

/// A page that nobody's server allows (RFC 2606).
const STRANGER: &str = "https://boardwire-doctor.invalid";

/// What is looked at.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Asked {
    /// Without a slash at its end.
    base: String,
    operator: Operator,
    idle: Option<Duration>,
}

impl Asked {
    /// Reads `--url`.
    ///
    /// # Errors
    /// What would be right, in one line.
    pub(super) fn parse(url: &str, operator: Operator, idle: Option<Duration>) -> Result<Self, String> {
        let base = url.trim_end_matches('/');
        Address::parse(base).map_err(|error| format!("--url {error}"))?;
        if base.contains(['?', '#']) {
            return Err(
                "--url is not right; expected an address without a query, such as https://boards.example.com"
                    .to_owned(),
            );
        }
        Ok(Self {
            base: base.to_owned(),
            operator,
            idle,
        })
    }

    /// Scheme, host and port.
    fn origin(&self) -> String {
        Address::parse(&self.base).map_or_else(|_| self.base.clone(), |address| address.to_string())
    }

    /// What stands before every path.
    fn path(&self) -> &str {
        let rest = self.base.split_once("://").map_or("", |(_, rest)| rest);
        rest.find('/').and_then(|at| rest.get(at..)).unwrap_or("")
    }
}

/// From where it was asked, and whom.
type Ends = (Option<IpAddr>, Option<IpAddr>);

/// Looks at all of it.
pub(super) fn look(asked: &Asked) -> Vec<Finding> {
    let credential = asked.operator.authorization("boardwire doctor");
    let server = Server::new(asked.base.clone(), credential.as_ref().ok().cloned());
    let mut found = Vec::new();
    let ends = match server.reach() {
        Ok(reached) => {
            let times = (reached.found, reached.resolving, reached.connecting);
            found.extend(replies::connected(times, reached.encrypted.as_ref(), now()));
            let ip =
                |address: Option<std::net::SocketAddr>| address.map(|address| address.ip().to_canonical());
            (ip(reached.local), ip(reached.peer))
        }
        Err(not) => {
            found.push(replies::not_reached(&not));
            return found;
        }
    };
    let before = now();
    let answer = server.ask(Verb::Get, "/health", (&[], &Value::Null));
    let after = now();
    let health = judge_health(&answer);
    let is_there = health.level == super::Level::Ok;
    found.push(health);
    found.extend(of_https(asked, &server, answer.as_ref().ok()));
    let Ok(answer) = answer else { return found };
    if let Some(theirs) = answer.field("date").and_then(date) {
        found.push(replies::clock(theirs, (before, after)));
    }
    if !is_there {
        return found;
    }
    match &credential {
        Ok(_) => found.extend(as_admin(asked, &server, (ends, &answer))),
        Err(why) => {
            found.extend(open(asked, &server, "boardwire-doctor").0);
            found.push(Finding::warning(
                "round-trip",
                "not tried: nobody is signed in",
                format!("BOARDWIRE_TOKEN with the token of an admin, or the server's secret ({why})"),
            ));
        }
    }
    found
}

fn judge_health(answer: &Result<Answer, ClientError>) -> Finding {
    let answer = match answer {
        Ok(answer) => answer,
        Err(error) => return replies::health(Err(*error)),
    };
    let body = asking::json(answer);
    let text = |name: &str| body.get(name).and_then(Value::as_str);
    let problem = asking::problem(answer);
    replies::health(Ok(Health {
        status: answer.status,
        version: text("version").filter(|_| text("status").is_some()),
        reason: text("reason"),
        problem: problem.as_deref(),
        location: answer.field("location"),
    }))
}

/// What goes for https only, and what is to be said where it is not that.
fn of_https(asked: &Asked, server: &Server, health: Option<&Answer>) -> Vec<Finding> {
    let Some(authority) = asked.origin().strip_prefix("https://").map(str::to_owned) else {
        return Vec::new();
    };
    let mut found = Vec::new();
    let has_port = authority
        .rsplit(']')
        .next()
        .is_some_and(|rest| rest.contains(':'));
    if !has_port {
        let answer = server.ask_elsewhere(&format!("http://{authority}{}/health", asked.path()));
        let seen = answer
            .as_ref()
            .map(|answer| (answer.status, answer.field("location")));
        found.push(replies::plain(seen.map_err(|error| *error)));
    }
    found.extend(health.map(|answer| replies::strict(answer.field("strict-transport-security"))));
    found
}

/// Whether something in between has left its name: a Boardwire has none.
fn has_proxy(answer: &Answer) -> bool {
    ["server", "via", "cf-ray", "x-served-by"]
        .iter()
        .any(|name| answer.field(name).is_some())
}

/// The time of a field `Date` (RFC 9110, 5.6.7): `Sun, 29 Nov 2026 03:15:00 GMT`.
fn date(text: &str) -> Option<UnixMillis> {
    let months = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ];
    let mut words = text.split(' ').skip(1);
    let (day, month, year, time) = (words.next()?, words.next()?, words.next()?, words.next()?);
    let month = months.iter().position(|name| *name == month)? + 1;
    let written = format!("{year}-{month:02}-{day}T{time}Z");
    let at = written.parse::<jiff::Timestamp>().ok()?.as_millisecond();
    u64::try_from(at).ok().map(UnixMillis)
}

/// When a board was made, by the server's clock.
fn made_at(answer: &Answer) -> Option<UnixMillis> {
    let body = asking::json(answer);
    let at = body
        .get("created_at")?
        .as_str()?
        .parse::<jiff::Timestamp>()
        .ok()?;
    u64::try_from(at.as_millisecond()).ok().map(UnixMillis)
}

/// What takes the right to make a board.
fn as_admin(asked: &Asked, server: &Server, (ends, health): (Ends, &Answer)) -> Vec<Finding> {
    let mut found = Vec::new();
    found.extend(address(server, (ends, has_proxy(health))));
    let mut random = [0; 8];
    if getrandom::fill(&mut random).is_err() {
        return found;
    }
    let board = format!("boardwire-doctor-{:016x}", u64::from_le_bytes(random));
    let before = now();
    let made = server.ask(
        Verb::Post,
        "/v1/boards",
        (&[], &json!({"id": board, "title": "boardwire doctor"})),
    );
    let location = match &made {
        Ok(answer) if answer.status == 201 => answer.field("location"),
        other => {
            let why = match other {
                Ok(answer) => asking::reason(answer),
                Err(error) => error.to_string(),
            };
            found.extend(open(asked, server, &board).0);
            found.push(Finding::wrong(
                "round-trip",
                format!("no board could be made: {why}"),
                "the token of an admin, that this server knows: of its secret, issuer and audience, and not expired",
            ));
            return found;
        }
    };
    // Where no proxy has told the time.
    let theirs = made
        .as_ref()
        .ok()
        .filter(|_| health.field("date").is_none())
        .and_then(made_at);
    found.extend(theirs.map(|theirs| replies::clock(theirs, (before, now()))));
    found.extend(replies::path(location, asked.path()));
    let (about, socket) = open(asked, server, &board);
    found.extend(about);
    if let Some(mut socket) = socket {
        match drawing::round_trips(&mut socket) {
            Ok(times) => found.push(replies::round_trips(times)),
            Err(why) => found.push(Finding::wrong(
                "round-trip",
                why,
                "what the close, or the server's log, says",
            )),
        }
        if let Some(wanted) = asked.idle {
            found.push(replies::idle(wanted, &drawing::keep(&mut socket, wanted)));
        }
    }
    let path = format!("/v1/boards/{}?forever=true", percent(&board));
    let deleted = server.ask(Verb::Delete, &path, (&[], &Value::Null));
    if !deleted.is_ok_and(|answer| answer.status == 204) {
        found.push(Finding::warning(
            "round-trip",
            format!("the board {board} could not be removed again"),
            "delete it by hand",
        ));
    }
    found
}

/// What the server takes for our address; also where we say another one.
fn address(server: &Server, ((local, peer), has_proxy): (Ends, bool)) -> Option<Finding> {
    let told = |fields: &[(&str, &str)]| {
        let answer = server
            .ask(Verb::Get, "/v1/session", (fields, &Value::Null))
            .ok()?;
        let body = asking::json(&answer);
        body.get("address")?.as_str().map(one_line)
    };
    let (told, told_of_invented) = (told(&[]), told(&[("X-Forwarded-For", INVENTED)]));
    Some(replies::address(Seen {
        local: local?,
        peer: peer?,
        told: told.as_deref().unwrap_or_default(),
        told_of_invented: told_of_invented.as_deref().unwrap_or_default(),
        has_proxy,
    }))
}

/// Opens a WebSocket as pages do; what is to be said of that, and one that is open.
fn open(asked: &Asked, server: &Server, board: &str) -> (Vec<Finding>, Option<Socket>) {
    let origin = asked.origin();
    let (own, socket) = outcome(server.open(board, Some(&origin)));
    let mut found: Vec<Finding> = replies::own_page(&origin, &own).into_iter().collect();
    let (by_itself, socket) = match found.first().map(|finding| finding.level) {
        // Whether it gets through where no page asks is another question.
        Some(super::Level::Wrong) => outcome(server.open(board, None)),
        _ => (own, socket),
    };
    found.push(replies::upgrade(&by_itself));
    if by_itself == Outcome::Open {
        let (stranger, _) = outcome(server.open(board, Some(STRANGER)));
        found.extend(replies::foreign_page(&stranger));
    }
    let socket = socket.filter(|_| server.is_asked_as_admin());
    (found, socket)
}

fn outcome(opened: Opened) -> (Outcome, Option<Socket>) {
    match opened {
        Opened::Socket(socket) => (Outcome::Open, Some(socket)),
        Opened::Refused(status, code) => (Outcome::Refused(status, code), None),
        Opened::Failed(error) => (Outcome::Failed(error), None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_is_read_as_servers_write_it() {
        let read = |text| date(text).map(|at| at.to_string());
        assert_eq!(
            read("Sun, 29 Nov 2026 03:15:00 GMT").as_deref(),
            Some("2026-11-29T03:15:00.000Z")
        );
        for text in [
            "",
            "Sun",
            "Sunday, 29-Nov-26 03:15:00 GMT",
            "Sun, 29 Foo 2026 03:15:00 GMT",
            "Sun, 99 Nov 2026 03:15:00 GMT",
        ] {
            assert_eq!(read(text), None, "{text}");
        }
    }
}
