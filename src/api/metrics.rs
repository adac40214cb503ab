//! `GET /metrics`: what the server counts, for those who run it.
//!
//! Owns who may read it. Must not know what is counted; `metrics` does. Key invariant: with `--metrics-token`
//! the token alone decides; without it, nothing that came through a proxy is answered, since behind one
//! everybody is loopback.

use std::net::IpAddr;
use std::time::Duration;

use crate::access::presented::bearer;
use crate::access::secret::SecretHash;
use crate::api::{Answer, Call};
use crate::fault::Fault;
use crate::http::head::Head;
use crate::http::response::{Problem, Response};
use crate::metrics::held::Held;
use crate::metrics::{MEDIA_TYPE, Readings};
use crate::net::admission;

/// Header fields that a proxy adds: what has one was not sent to us by its sender.
const FORWARDING: [&str; 4] = ["x-forwarded-for", "forwarded", "via", "x-real-ip"];

/// Why somebody may not read the metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Refusal {
    /// No token was sent, and one is needed.
    Missing,
    /// The token is wrong.
    Wrong,
    /// There is no token to send, and the request is not a direct one from this machine.
    Private,
}

/// Everything that is counted, as Prometheus text.
pub(crate) async fn get(mut call: Call<'_>) -> Answer {
    let Call { shell, request, .. } = call;
    let boards = &shell.boards;
    let live = shell.live.get();
    authorize(live.metrics_token.as_ref(), request.peer, request.head).map_err(refused)?;
    call.insist();
    let standing = boards.standing();
    let readings = Readings {
        rooms: boards.live_count(),
        connections: shell.doors.open(),
        receiving_most: shell.receiving.most(),
        held: Held {
            receiving: shell.receiving.bytes(),
            ..boards.held()
        },
        waiting: boards.waiting(),
        footprint: boards.footprint(),
        node_boards: standing.map_or(0, |standing| standing.boards),
        node_lease: standing.map_or(Duration::ZERO, |standing| standing.trusted_for),
        is_store_healthy: !boards.is_failing(),
        is_redis_connected: (boards.outlet.as_ref()).is_some_and(|outlet| outlet.trouble().is_none()),
        uptime: shell.now().tick.since(shell.started),
    };
    let text = shell.metrics.encode(&readings);
    let text = text.map_err(|_| admission::problem(Fault::Internal))?;
    let response = Response::new(200).with_body(MEDIA_TYPE, text);
    Ok(response.field("Cache-Control", "no-store"))
}

/// Whether a request from `peer`, the other end of the socket, may be answered.
fn authorize(token: Option<&SecretHash>, peer: IpAddr, head: &Head<'_>) -> Result<(), Refusal> {
    let Some(token) = token else {
        let forwarded = FORWARDING.iter().any(|name| head.values(name).next().is_some());
        let direct = peer.to_canonical().is_loopback() && !forwarded;
        return if direct { Ok(()) } else { Err(Refusal::Private) };
    };
    let sent = head.unique("authorization").map_err(|_| Refusal::Wrong)?;
    let sent = sent.and_then(bearer).ok_or(Refusal::Missing)?;
    if token.matches(&SecretHash::of(sent)) {
        Ok(())
    } else {
        Err(Refusal::Wrong)
    }
}

fn refused(refusal: Refusal) -> Response {
    match refusal {
        Refusal::Missing => admission::problem(Fault::NoCredential),
        Refusal::Wrong => admission::problem(Fault::InvalidCredential),
        Refusal::Private => Response::problem(&Problem {
            status: 403,
            code: "metrics_private",
            title: "The metrics are private",
            detail:
                "they are answered to direct requests from the server's own machine, or to whoever sends the \
                     token that --metrics-token sets"
                    .into(),
            field: None,
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::head::{self, Persistence};

    fn outcome(token: Option<&str>, peer: &str, fields: &str) -> Result<(), Refusal> {
        let bytes = format!("GET /metrics HTTP/1.1\r\nHost: a\r\n{fields}\r\n");
        let (head, _) = head::parse(bytes.as_bytes()).unwrap().unwrap();
        authorize(token.map(SecretHash::of).as_ref(), peer.parse().unwrap(), &head)
    }

    #[test]
    fn with_a_token_the_token_alone_decides() {
        use Refusal::{Missing, Wrong};
        for (fields, expected) in [
            ("Authorization: Bearer t0ken\r\n", Ok(())),
            ("authorization: bearer  t0ken\r\n", Ok(())),
            (
                "Authorization: Bearer t0ken\r\nX-Forwarded-For: 192.0.2.1\r\n",
                Ok(()),
            ),
            ("", Err(Missing)),
            ("Authorization: Basic t0ken\r\n", Err(Missing)),
            ("X-API-Key: t0ken\r\n", Err(Missing)),
            ("Authorization: Bearer\r\n", Err(Wrong)),
            ("Authorization: Bearer t0ke\r\n", Err(Wrong)),
            ("Authorization: Bearer t0ken1\r\n", Err(Wrong)),
            ("Authorization: Bearer T0ken\r\n", Err(Wrong)),
            (
                "Authorization: Bearer t0ken\r\nAuthorization: Bearer t0ken\r\n",
                Err(Wrong),
            ),
        ] {
            for peer in ["127.0.0.1", "192.0.2.1"] {
                assert_eq!(
                    outcome(Some("t0ken"), peer, fields),
                    expected,
                    "{peer} {fields:?}"
                );
            }
        }
    }

    #[test]
    fn without_a_token_only_a_direct_request_from_this_machine_is_answered() {
        for (peer, fields, is_answered) in [
            ("127.0.0.1", "", true),
            ("127.9.9.9", "", true),
            ("::1", "", true),
            ("::ffff:127.0.0.1", "", true),
            ("127.0.0.1", "Authorization: Bearer x\r\n", true),
            ("127.0.0.1", "X-Forwarded-For: 127.0.0.1\r\n", false),
            ("127.0.0.1", "x-forwarded-for:\r\n", false),
            ("127.0.0.1", "Forwarded: for=127.0.0.1\r\n", false),
            ("127.0.0.1", "Via: 1.1 proxy\r\n", false),
            ("127.0.0.1", "X-Real-IP: 127.0.0.1\r\n", false),
            ("192.0.2.1", "", false),
            ("10.0.0.1", "X-Forwarded-For: 127.0.0.1\r\n", false),
            ("2001:db8::1", "", false),
            ("::ffff:192.0.2.1", "", false),
        ] {
            let expected = if is_answered {
                Ok(())
            } else {
                Err(Refusal::Private)
            };
            assert_eq!(outcome(None, peer, fields), expected, "{peer} {fields:?}");
        }
    }

    #[test]
    fn a_refusal_says_what_would_help() {
        for (refusal, status, challenge) in [
            (Refusal::Missing, 401, Some("Bearer")),
            (Refusal::Wrong, 401, Some("Bearer error=\"invalid_token\"")),
            (Refusal::Private, 403, None),
        ] {
            let response = refused(refusal);
            assert_eq!(response.status, status);
            assert_eq!(response.value("www-authenticate"), challenge);
            let head = response.encode_head(Persistence::Close);
            let challenges = String::from_utf8(head)
                .unwrap()
                .matches("WWW-Authenticate")
                .count();
            assert_eq!(
                challenges,
                usize::from(challenge.is_some()),
                "one challenge at most"
            );
            assert_eq!(response.value("content-type"), Some("application/problem+json"));
        }
    }
}
