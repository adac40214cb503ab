//! What is well with the way to a server and what is not: what came back in, findings out.
//!
//! Owns the bounds between well, doubtful and wrong. Must not ask anything itself (`asking` does). Key
//! invariant: what others wrote is cleaned before it is in a finding. Tests are below, at each edge.

use std::net::IpAddr;
use std::time::Duration;

use boardwire::client::{ClientError, Encrypted, NotReached, Step};
use boardwire::time::UnixMillis;

use super::super::one_line;
use super::{Finding, time};

/// Longer than this, and people notice.
const SLOW: Duration = Duration::from_secs(1);

/// Certificates of 90 days are made anew 30 days before their end: so late, something has failed.
const DAYS_MIN: u64 = 14;

/// What tokens are given beyond their end, in milliseconds: `limits::LEEWAY`.
const LEEWAY_MILLIS: u64 = 30_000;

/// A clock that NTP keeps is never off by more, with the coarseness of `Date`; in milliseconds.
const OFF_MILLIS: u64 = 3_000;

/// The lines that a proxy needs for WebSockets.
const UPGRADE: &str = "nginx: proxy_http_version 1.1; proxy_set_header Upgrade $http_upgrade; \
                       proxy_set_header Connection $connection_upgrade; others: switch WebSockets on";

/// The line that a proxy needs for `Host`.
const HOST: &str =
    "nginx: proxy_set_header Host $http_host; and --public-url with the address that people open";

/// Name, connection and handshake.
pub(super) fn connected(
    (found, resolving, connecting): (usize, Duration, Duration),
    encrypted: Option<&Encrypted>,
    now: UnixMillis,
) -> Vec<Finding> {
    let check = "connect";
    let what = format!(
        "its address was found in {}, and connected to in {} (of {found} in all)",
        time(resolving),
        time(connecting)
    );
    let mut all = vec![match resolving > SLOW || connecting > SLOW {
        true => Finding::warning(
            check,
            what,
            "less than a second each: look at the DNS, and at the way there",
        ),
        false => Finding::ok(check, what),
    }];
    all.extend(encrypted.map(|encrypted| certificate(encrypted, now)));
    all
}

fn certificate(encrypted: &Encrypted, now: UnixMillis) -> Finding {
    let check = "tls";
    let start = format!(
        "{}, trusted, handshake in {}",
        encrypted.version,
        time(encrypted.took)
    );
    let Some(end) = encrypted.ends_at else {
        return Finding::warning(
            check,
            format!("{start}; when it ends cannot be read"),
            "a certificate of X.509",
        );
    };
    let days = end.0.saturating_sub(now.0) / 86_400_000;
    let what = format!("{start}; the certificate ends in {days} days");
    match days {
        ..DAYS_MIN => Finding::warning(
            check,
            what,
            "make it anew; whatever does that by itself has failed",
        ),
        _ => Finding::ok(check, what),
    }
}

/// Why there is no connection.
pub(super) fn not_reached(not: &NotReached) -> Finding {
    let words = not
        .words
        .as_deref()
        .map(|words| format!(" ({})", one_line(words)));
    let what = format!("{}{}", not.error, words.unwrap_or_default());
    match not.step {
        Step::Resolving => Finding::wrong(
            "connect",
            what,
            "a DNS record (A, AAAA) of this name for the server or its proxy",
        ),
        Step::Connecting => Finding::wrong(
            "connect",
            what,
            "a proxy, or the server, that listens there, and a firewall that lets the port through",
        ),
        Step::Encrypting => Finding::wrong(
            "tls",
            what,
            "a certificate for this very name, not expired, sent with its chain (fullchain.pem), of an authority that browsers trust",
        ),
    }
}

/// What `GET /health` came to.
pub(super) struct Health<'a> {
    pub(super) status: u16,
    /// What a Boardwire says of itself.
    pub(super) version: Option<&'a str>,
    pub(super) reason: Option<&'a str>,
    /// The code of its problem.
    pub(super) problem: Option<&'a str>,
    pub(super) location: Option<&'a str>,
}

/// Whether a Boardwire answers, and is well.
pub(super) fn health(found: Result<Health<'_>, ClientError>) -> Finding {
    let check = "server";
    let health = match found {
        Ok(health) => health,
        Err(error) => {
            return Finding::wrong(
                check,
                error.to_string(),
                "a Boardwire that answers GET /health there",
            );
        }
    };
    let status = health.status;
    match (status, health.version) {
        (200, Some(version)) => Finding::ok(check, format!("Boardwire {} is well", one_line(version))),
        (_, Some(_)) => Finding::wrong(
            check,
            format!(
                "status {status}: {}",
                one_line(health.reason.unwrap_or("no reason"))
            ),
            "what its log says; `boardwire doctor` without --url, on its machine",
        ),
        (421, None) if health.problem == Some("misdirected") => Finding::wrong(
            check,
            "421 misdirected: the server takes the Host for another server's",
            format!("--public-url with this address; where the proxy changes the Host: {HOST}"),
        ),
        (300..=399, None) => Finding::wrong(
            check,
            format!(
                "status {status}, to {}",
                one_line(health.location.unwrap_or("nowhere"))
            ),
            "--url with the address that it leads to, or no redirect",
        ),
        (502..=504, None) => Finding::wrong(
            check,
            format!("status {status}: a proxy answers, and does not reach the server"),
            "a server that runs, at the address of proxy_pass (or the like)",
        ),
        _ => Finding::wrong(
            check,
            format!("status {status}, and not from a Boardwire"),
            "the address of a Boardwire, with the path under which it is, if any",
        ),
    }
}

/// What `http://` of the same name does, where people come by `https://`.
pub(super) fn plain(found: Result<(u16, Option<&str>), ClientError>) -> Finding {
    let check = "redirect";
    let right = "a redirect (308) from http:// to https://, or nothing at port 80";
    match found {
        Err(ClientError::Connect(kind)) => {
            Finding::ok(check, format!("nothing is to be had by http:// ({kind})"))
        }
        Err(error) => Finding::warning(check, format!("by http://: {error}"), right),
        Ok((300..=399, Some(to))) if to.starts_with("https://") => {
            Finding::ok(check, "http:// leads to https://")
        }
        Ok((300..=399, to)) => Finding::warning(
            check,
            format!("http:// leads to {}", one_line(to.unwrap_or("nowhere"))),
            right,
        ),
        Ok((status @ 200..=299, _)) => Finding::warning(
            check,
            format!("http:// answers {status}: what is sent there can be read on the way"),
            right,
        ),
        Ok((status, _)) => Finding::ok(check, format!("http:// answers {status}")),
    }
}

/// `Strict-Transport-Security`.
pub(super) fn strict(value: Option<&str>) -> Finding {
    let check = "hsts";
    let value = value.map(one_line);
    let age = value.as_deref().and_then(|value| {
        let directive = value
            .split(';')
            .find_map(|part| part.trim().strip_prefix("max-age="));
        directive?.trim_matches('"').parse::<u64>().ok()
    });
    match age {
        Some(1..) => Finding::ok(check, "browsers come by https only"),
        _ => Finding::warning(
            check,
            "no Strict-Transport-Security: a first visit by http:// can be led elsewhere",
            "the field Strict-Transport-Security: max-age=31536000, set by the proxy",
        ),
    }
}

/// The server's clock against this one, which was read before and after.
pub(super) fn clock(theirs: UnixMillis, (before, after): (UnixMillis, UnixMillis)) -> Finding {
    let check = "clock";
    let off = match theirs.0 {
        theirs if theirs < before.0 => before.0 - theirs,
        theirs => theirs.saturating_sub(after.0),
    };
    let what = format!(
        "the server's differs from this machine's by {}",
        time(Duration::from_millis(off))
    );
    let right = "NTP on both machines: tokens live and end by the server's clock";
    if off > LEEWAY_MILLIS {
        return Finding::wrong(check, what, right);
    }
    if off > OFF_MILLIS {
        return Finding::warning(check, what, right);
    }
    let bound = OFF_MILLIS / 1_000;
    Finding::ok(
        check,
        format!("the server's is within {bound} s of this machine's"),
    )
}

/// What became of a WebSocket that was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Asked {
    Open,
    /// The status, and the code of a Boardwire's problem.
    Refused(u16, Option<String>),
    Failed(ClientError),
}

/// Whether the upgrade gets through.
pub(super) fn upgrade(asked: &Asked) -> Finding {
    let check = "upgrade";
    match asked {
        Asked::Open => Finding::ok(check, "a WebSocket gets through to the server"),
        Asked::Refused(status, Some(code)) if code == "upgrade_required" => Finding::wrong(
            check,
            format!("{status} {code}: the server was sent no upgrade; the proxy has dropped it"),
            UPGRADE,
        ),
        Asked::Refused(status, Some(code)) if code == "bad_upgrade" => Finding::wrong(
            check,
            format!("{status} {code}: the proxy passes on half of the upgrade"),
            UPGRADE,
        ),
        Asked::Refused(429, Some(_)) => Finding::warning(
            check,
            "the server is full: it has all the connections that it may have",
            "a higher --max-connections or --max-connections-per-address, or --trusted-proxy",
        ),
        Asked::Refused(status, Some(code)) => Finding::wrong(
            check,
            format!("the server answers {status} {code}"),
            "docs/troubleshooting.md#upgrade",
        ),
        Asked::Refused(status, None) => Finding::wrong(
            check,
            format!("{status}, and not from the server: a proxy does not let WebSockets through"),
            UPGRADE,
        ),
        Asked::Failed(error) => Finding::wrong(check, format!("no answer to an upgrade: {error}"), UPGRADE),
    }
}

fn is_origin_refused(asked: &Asked) -> bool {
    matches!(asked, Asked::Refused(403, Some(code)) if code == "origin_refused")
}

/// What a page of this server's own address may do.
pub(super) fn own_page(origin: &str, asked: &Asked) -> Option<Finding> {
    let check = "host";
    match asked {
        Asked::Open => Some(Finding::ok(check, format!("pages of {origin} may open boards"))),
        _ if is_origin_refused(asked) => Some(Finding::wrong(
            check,
            format!(
                "403 origin_refused: pages of {origin} may open no board; the Host that reaches the server is another"
            ),
            HOST,
        )),
        // That is said of the upgrade.
        _ => None,
    }
}

/// What a page of a stranger may do.
pub(super) fn foreign_page(asked: &Asked) -> Option<Finding> {
    let check = "origin";
    match asked {
        Asked::Open => Some(Finding::warning(
            check,
            "pages of every origin may open boards",
            "--allow-origin with those that need it, instead of *",
        )),
        _ if is_origin_refused(asked) => Some(Finding::ok(check, "pages of other origins may open no board")),
        _ => None,
    }
}

/// What the server takes for the address of who asks.
#[derive(Clone, Copy, Debug)]
pub(super) struct Seen<'a> {
    /// From where this machine asks.
    pub(super) local: IpAddr,
    /// Whom it asks.
    pub(super) peer: IpAddr,
    /// What the server says.
    pub(super) told: &'a str,
    /// The same, where the request had [`INVENTED`] in `X-Forwarded-For`.
    pub(super) told_of_invented: &'a str,
    /// Something in between has left its name.
    pub(super) has_proxy: bool,
}

/// An address that nobody has (RFC 5737).
pub(super) const INVENTED: &str = "203.0.113.77";

/// Whether clients are known by their own addresses.
pub(super) fn address(seen: Seen<'_>) -> Finding {
    let check = "address";
    let told = one_line(seen.told);
    let Ok(ip) = seen.told.parse::<IpAddr>() else {
        return Finding::warning(check, "the server does not say", "a Boardwire of this version");
    };
    let is_near = |ip: IpAddr| !boardwire::client::is_public(ip);
    if seen.told_of_invented == INVENTED {
        let may_be_trusted = ip == seen.local || is_near(ip) && !ip.is_loopback() && ip != seen.peer;
        return match may_be_trusted {
            true => Finding::warning(
                check,
                format!(
                    "{told} counts as a trusted proxy, so that what it says in X-Forwarded-For is believed"
                ),
                "ask again from a machine that --trusted-proxy does not name",
            ),
            false => Finding::wrong(
                check,
                "clients may choose their address: what they send as X-Forwarded-For is believed",
                "a proxy that adds the address: proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for",
            ),
        };
    }
    let forward = "X-Forwarded-For passed on (nginx: proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for), and \
                   --trusted-proxy with the proxy's address";
    let is_proxys = match ip.is_loopback() {
        true => ip != seen.local || seen.has_proxy,
        false => ip != seen.local && ip == seen.peer,
    };
    if is_proxys {
        let what = format!(
            "the server takes {told} for this machine's address, which is its proxy's: all clients share it"
        );
        return Finding::wrong(check, what, forward);
    }
    if ip != seen.local && is_near(ip) {
        let what =
            format!("the server takes {told} for this machine's address, which is one of a private network");
        return Finding::warning(check, what, forward);
    }
    Finding::ok(
        check,
        format!("the server takes {told} for this machine's address"),
    )
}

/// Whether addresses that the server makes lead where people come from.
pub(super) fn path(location: Option<&str>, base: &str) -> Option<Finding> {
    let check = "path";
    let location = location?;
    let expected = format!("{base}/v1/boards/");
    Some(match location.starts_with(&expected) {
        true => Finding::ok(check, format!("addresses of the server begin with {base}/")),
        false => Finding::wrong(
            check,
            format!(
                "the server leads to {}, and people come by {base}/",
                one_line(location)
            ),
            "--public-url with this address, path and all",
        ),
    })
}

/// How long a change took until it was saved and back.
pub(super) fn round_trips(mut times: Vec<Duration>) -> Finding {
    let check = "round-trip";
    times.sort_unstable();
    let (Some(least), Some(median), Some(most)) = (times.first(), times.get(times.len() / 2), times.last())
    else {
        return Finding::wrong(check, "no change came back", "see `upgrade`");
    };
    let what = format!(
        "{} changes were saved and back after {} (least), {} (median), {} (most)",
        times.len(),
        time(*least),
        time(*median),
        time(*most)
    );
    match *median > SLOW {
        true => Finding::warning(
            check,
            what,
            "less than a second: look at `fsync` on its machine, and at the way there",
        ),
        false => Finding::ok(check, what),
    }
}

/// How a WebSocket ended that should have stayed open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Kept {
    Whole,
    /// After so long, without a word.
    Cut(Duration),
    /// After so long, with a code and a reason.
    Closed(Duration, u16, String),
}

/// Whether a WebSocket over which little goes is left alone.
pub(super) fn idle(wanted: Duration, kept: &Kept) -> Finding {
    let check = "idle";
    match kept {
        Kept::Whole => Finding::ok(check, format!("a WebSocket stays open for {}", time(wanted))),
        Kept::Cut(after) => Finding::wrong(
            check,
            format!(
                "a WebSocket was cut after {}, by something in between",
                time(*after)
            ),
            "a longer idle timeout there, 60 s at least (nginx: proxy_read_timeout 120s): the server speaks every 20 s",
        ),
        Kept::Closed(after, code, reason) => Finding::wrong(
            check,
            format!(
                "the server closed a WebSocket after {}: {code} {}",
                time(*after),
                one_line(reason)
            ),
            format!("docs/troubleshooting.md#close-{code}"),
        ),
    }
}

#[cfg(test)]
mod tests {
    use std::io::ErrorKind;

    use super::super::Level::{self, Ok as Well, Warning, Wrong};
    use super::*;

    fn level(finding: &Finding) -> Level {
        finding.level
    }

    fn refused(status: u16, code: &str) -> Asked {
        Asked::Refused(status, Some(code.to_owned()))
    }

    #[test]
    fn a_certificate_is_doubtful_from_13_days_on() {
        let now = UnixMillis(1_796_000_000_000);
        for (left, expected) in [
            (14 * 86_400_000, Well),
            (14 * 86_400_000 - 1, Warning),
            (0, Warning),
        ] {
            let encrypted = Encrypted {
                version: "TLS 1.3",
                ends_at: Some(UnixMillis(now.0 + left)),
                took: Duration::ZERO,
            };
            let found = connected((1, Duration::ZERO, Duration::ZERO), Some(&encrypted), now);
            assert_eq!(
                found.iter().map(level).collect::<Vec<_>>(),
                [Well, expected],
                "{left}"
            );
        }
    }

    #[test]
    fn what_answers_in_the_servers_place_is_told_apart() {
        let health = |status, version, problem, location| {
            health(Ok(Health {
                status,
                version,
                reason: Some("the disk refuses\u{1b}[2J writes"),
                problem,
                location,
            }))
        };
        assert_eq!(level(&health(200, Some("1.0"), None, None)), Well);
        for (found, words) in [
            (health(503, Some("1.0"), None, None), "the disk refuses[2J writes"),
            (health(421, None, Some("misdirected"), None), "Host"),
            (health(301, None, None, Some("https://a/")), "to https://a/"),
            (health(502, None, None, None), "does not reach"),
            (health(200, None, None, None), "not from a Boardwire"),
            (super::health(Err(ClientError::NotHttp)), "HTTP"),
        ] {
            assert!(found.level == Wrong && found.what.contains(words), "{found:?}");
        }
    }

    #[test]
    fn http_leads_to_https_or_nowhere() {
        for (found, expected) in [
            (Ok((301, Some("https://a/"))), Well),
            (Err(ClientError::Connect(ErrorKind::ConnectionRefused)), Well),
            (Ok((404, None)), Well),
            (Ok((200, None)), Warning),
            (Ok((302, Some("http://b/"))), Warning),
            (Err(ClientError::TimedOut), Warning),
        ] {
            assert_eq!(plain(found).level, expected, "{found:?}");
        }
        for (value, expected) in [
            (Some("max-age=31536000; includeSubDomains"), Well),
            (Some("includeSubDomains; max-age=\"1\""), Well),
            (Some("max-age=0"), Warning),
            (Some("yes"), Warning),
            (None, Warning),
        ] {
            assert_eq!(strict(value).level, expected, "{value:?}");
        }
    }

    #[test]
    fn clocks_may_differ_by_3_seconds_and_must_not_by_more_than_30() {
        let between = (UnixMillis(100_000), UnixMillis(101_000));
        for (theirs, expected) in [
            (100_500, Well),
            (97_000, Well),
            (96_999, Warning),
            (104_000, Well),
            (104_001, Warning),
            (131_000, Warning),
            (131_001, Wrong),
            (70_000, Warning),
            (69_999, Wrong),
        ] {
            assert_eq!(clock(UnixMillis(theirs), between).level, expected, "{theirs}");
        }
    }

    #[test]
    fn the_missing_line_of_the_proxy_is_named() {
        for (asked, line) in [
            (refused(426, "upgrade_required"), "Upgrade $http_upgrade"),
            (refused(400, "bad_upgrade"), "proxy_http_version 1.1"),
            (Asked::Refused(400, None), "Connection $connection_upgrade"),
            (Asked::Failed(ClientError::TimedOut), "proxy_http_version"),
        ] {
            let found = upgrade(&asked);
            assert!(
                found.level == Wrong && found.right.as_deref().unwrap().contains(line),
                "{found:?}"
            );
        }
        assert_eq!(level(&upgrade(&Asked::Open)), Well);
        assert_eq!(level(&upgrade(&refused(429, "too_many_connections"))), Warning);
        let foreign = refused(403, "origin_refused");
        let own = own_page("https://a", &foreign).unwrap();
        assert!(own.level == Wrong && own.right.unwrap().contains("Host $http_host"));
        assert_eq!(foreign_page(&foreign).map(|found| found.level), Some(Well));
        assert_eq!(foreign_page(&Asked::Open).map(|found| found.level), Some(Warning));
        assert_eq!(own_page("https://a", &refused(426, "upgrade_required")), None);
    }

    #[test]
    fn the_address_of_a_proxy_is_nobody_elses() {
        let judged = |local: &str, told: &str, told_of_invented: &str, has_proxy: bool| {
            address(Seen {
                local: local.parse().unwrap(),
                peer: "198.51.100.9".parse().unwrap(),
                told,
                told_of_invented,
                has_proxy,
            })
            .level
        };
        // From anywhere.
        assert_eq!(judged("192.168.1.2", "8.8.4.4", "8.8.4.4", true), Well);
        assert_eq!(judged("192.168.1.2", "127.0.0.1", "127.0.0.1", true), Wrong);
        assert_eq!(judged("192.168.1.2", "198.51.100.9", "198.51.100.9", true), Wrong);
        assert_eq!(judged("192.168.1.2", "10.0.0.3", "10.0.0.3", true), Warning);
        assert_eq!(judged("192.168.1.2", "8.8.4.4", INVENTED, true), Wrong);
        assert_eq!(judged("192.168.1.2", "10.0.0.3", INVENTED, true), Warning);
        assert_eq!(judged("192.168.1.2", "127.0.0.1", INVENTED, true), Wrong);
        assert_eq!(judged("192.168.1.2", "198.51.100.9", INVENTED, true), Wrong);
        // In the same network.
        assert_eq!(judged("192.168.1.2", "192.168.1.2", "192.168.1.2", true), Well);
        // On the same machine.
        assert_eq!(judged("127.0.0.1", "127.0.0.1", "127.0.0.1", false), Well);
        assert_eq!(judged("127.0.0.1", "127.0.0.1", "127.0.0.1", true), Wrong);
        assert_eq!(judged("127.0.0.1", "127.0.0.1", INVENTED, true), Warning);
        assert_eq!(judged("127.0.0.1", "127.0.0.2", INVENTED, true), Wrong);
        assert_eq!(judged("127.0.0.1", "127.0.0.2", "127.0.0.2", false), Wrong);
        assert_eq!(judged("127.0.0.1", "nonsense", "", true), Warning);
    }

    #[test]
    fn the_path_under_which_people_come_is_that_of_the_server() {
        let judged = |location, base| path(location, base).map(|found| found.level);
        assert_eq!(judged(Some("/v1/boards/x"), ""), Some(Well));
        assert_eq!(judged(Some("/wb/v1/boards/x"), "/wb"), Some(Well));
        assert_eq!(judged(Some("/v1/boards/x"), "/wb"), Some(Wrong));
        assert_eq!(judged(None, "/wb"), None);
    }

    #[test]
    fn a_cut_is_told_from_a_close() {
        let minute = Duration::from_secs(60);
        assert_eq!(level(&idle(minute, &Kept::Whole)), Well);
        let cut = idle(minute, &Kept::Cut(Duration::from_secs(2)));
        assert!(cut.level == Wrong && cut.what.contains("in between"), "{cut:?}");
        let closed = idle(
            minute,
            &Kept::Closed(minute, 1001, "server shutting\ndown".to_owned()),
        );
        assert!(closed.what.ends_with("1001 server shuttingdown"), "{closed:?}");
        for (median, expected) in [(1_000, Well), (1_001, Warning)] {
            let found = round_trips(vec![Duration::from_millis(median); 10]);
            assert_eq!(found.level, expected);
        }
        assert_eq!(round_trips(Vec::new()).level, Wrong);
    }
}
