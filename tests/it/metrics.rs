//! `GET /metrics`: who may read it, that scrapers can, and that the numbers move with what is done.

use std::collections::{BTreeMap, BTreeSet};

use boardwire::fault::Fault;
use boardwire::ids::Level;
use boardwire::net::disposition;

use crate::support::api::Api;
use crate::support::client::Client;
use crate::support::http::{self, Http};
use crate::support::server::{Server, Setup};
use crate::support::socket::{Socket, path};
use crate::support::tokens::{SECRET, Token, editor, viewer};
use crate::support::wire;
use crate::support::{SOON, until};

/// The values of one scrape by series, as `name{label="value"}`.
type Series = BTreeMap<String, f64>;

/// Checks text strictly against the Prometheus text format 0.0.4, histograms included.
#[track_caller]
fn parse(text: &str) -> Series {
    assert!(text.ends_with('\n') && !text.contains('\r') && text.is_ascii());
    let (mut all, mut names) = (Series::new(), BTreeSet::new());
    let mut lines = text.lines().peekable();
    while let Some(help) = lines.next() {
        let help = help
            .strip_prefix("# HELP ")
            .expect("a family starts with its help");
        let (name, words) = help.split_once(' ').expect("help has words");
        assert!(!words.is_empty() && !words.contains('\\'));
        assert!(names.insert(name.to_owned()), "{name} comes twice");
        assert!(name.starts_with("boardwire_") && name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_'));
        let kind = lines
            .next()
            .and_then(|line| line.strip_prefix(&format!("# TYPE {name} ")));
        let kind = kind.expect("the type follows");
        assert!(matches!(kind, "counter" | "gauge" | "histogram"), "{kind}");
        assert_eq!(kind == "counter", name.ends_with("_total"), "{name} is a {kind}");
        let mut own = Series::new();
        while let Some(line) = lines.next_if(|line| !line.starts_with('#')) {
            let (series, value) = sample(line);
            let base = series.split('{').next().unwrap();
            let suffix = base.strip_prefix(name).expect("samples have their family's name");
            let suffixes: &[&str] = match kind {
                "histogram" => &["_bucket", "_sum", "_count"],
                _ => &[""],
            };
            assert!(suffixes.contains(&suffix), "{line}");
            assert!(own.insert(series, value).is_none(), "twice: {line}");
        }
        assert!(!own.is_empty(), "{name} has no sample");
        if kind == "histogram" {
            check_histogram(name, &own);
        }
        all.extend(own);
    }
    all
}

/// One sample line: the series as it is written, and the value.
#[track_caller]
fn sample(line: &str) -> (String, f64) {
    let (series, value) = line.rsplit_once(' ').expect("a value");
    let value: f64 = value.parse().expect("a number");
    assert!(value.is_finite() && value >= 0.0, "{line}");
    if let Some((_, labels)) = series.split_once('{') {
        let labels = labels.strip_suffix('}').expect("labels end");
        for label in labels.split(',') {
            let (key, value) = label.split_once('=').expect("a label");
            assert!(
                !key.is_empty() && key.bytes().all(|b| b.is_ascii_lowercase()),
                "{line}"
            );
            let value = value.strip_prefix('"').and_then(|value| value.strip_suffix('"'));
            assert!(!value.expect("quotes").contains(['"', '\\']), "{line}");
        }
    }
    (series.to_owned(), value)
}

/// Buckets grow with their bounds, and the last one holds everything.
#[track_caller]
fn check_histogram(name: &str, series: &Series) {
    let bound = |series: &str| {
        let text = series
            .strip_prefix(&format!("{name}_bucket{{le=\""))?
            .strip_suffix("\"}")?;
        Some(if text == "+Inf" {
            f64::INFINITY
        } else {
            text.parse().unwrap()
        })
    };
    let mut buckets: Vec<(f64, f64)> = series
        .iter()
        .filter_map(|(series, count)| Some((bound(series)?, *count)))
        .collect();
    buckets.sort_by(|a, b| a.0.total_cmp(&b.0));
    assert!(
        buckets.len() > 5 && buckets.is_sorted_by_key(|(_, count)| *count),
        "{buckets:?}"
    );
    let last = *buckets.last().unwrap();
    assert_eq!(last, (f64::INFINITY, series[&format!("{name}_count")]));
    assert_eq!(series.len(), buckets.len() + 2, "{series:?}");
}

#[track_caller]
fn scrape(server: &Server) -> Series {
    let answer = http::get(server.address(), "/metrics");
    assert_eq!(answer.status, 200);
    parse(std::str::from_utf8(&answer.body).unwrap())
}

/// Waits until each series has grown by so much since `before`.
#[track_caller]
fn grown(server: &Server, before: &Series, expected: &[(&str, f64)]) {
    let mut wrong = Vec::new();
    let end = std::time::Instant::now() + SOON;
    loop {
        let now = scrape(server);
        wrong.clear();
        for (series, growth) in expected {
            let grown = now[*series] - before[*series];
            if grown != *growth {
                wrong.push((*series, grown, *growth));
            }
        }
        if wrong.is_empty() {
            return;
        }
        assert!(
            std::time::Instant::now() < end,
            "series, grown by, expected: {wrong:?}"
        );
    }
}

#[test]
fn scrapers_can_read_it_and_nobody_may_keep_it() {
    let server = Server::start();
    let answer = http::get(server.address(), "/metrics");
    assert_eq!(answer.status, 200);
    assert_eq!(
        answer.field("content-type"),
        Some("text/plain; version=0.0.4; charset=utf-8")
    );
    assert_eq!(answer.field("cache-control"), Some("no-store"));
    let series = parse(std::str::from_utf8(&answer.body).unwrap());
    assert_eq!(series["boardwire_store_healthy"], 1.0);
    assert_eq!(
        series[concat!(
            "boardwire_build_info{version=\"",
            env!("CARGO_PKG_VERSION"),
            "\"}"
        )],
        1.0
    );
    let mut http = Http::connect(server.address());
    let head = http.request("HEAD", "/metrics", &[]);
    assert_eq!((head.status, head.body.len()), (200, 0));
    assert_eq!(head.field("content-type"), answer.field("content-type"));
    let post = http.request("POST", "/metrics", &[]);
    assert_eq!(
        (post.status, post.field("allow")),
        (405, Some("GET, HEAD, OPTIONS"))
    );
}

#[test]
fn every_label_value_is_there_before_anything_happened() {
    let series = scrape(&Server::start());
    for fault in Fault::ALL {
        for name in ["ended", "refused"] {
            let code = disposition::of(fault).code;
            let key = format!("boardwire_connections_{name}_total{{reason=\"{code}\"}}");
            assert_eq!(series.get(&key), Some(&0.0), "{key}");
        }
    }
    for method in [
        "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "other",
    ] {
        for status in ["2xx", "3xx", "4xx", "5xx"] {
            let key = format!("boardwire_http_requests_total{{method=\"{method}\",status=\"{status}\"}}");
            assert_eq!(series.get(&key), Some(&0.0), "{key}");
        }
    }
    for outcome in ["new", "known", "hole", "denied"] {
        let key = format!("boardwire_updates_total{{outcome=\"{outcome}\"}}");
        assert_eq!(series.get(&key), Some(&0.0), "{key}");
    }
}

#[test]
fn without_a_token_a_request_through_a_proxy_is_refused() {
    let server = Setup::new().flag("trusted-proxy", "127.0.0.1").start();
    for name in ["X-Forwarded-For", "Forwarded", "Via", "X-Real-IP"] {
        let answer = Http::connect(server.address()).request("GET", "/metrics", &[(name, "127.0.0.1")]);
        assert_eq!(
            (answer.status, &answer.json()["code"]),
            (403, &"metrics_private".into()),
            "{name}"
        );
    }
    assert_eq!(http::get(server.address(), "/metrics").status, 200);
}

#[test]
fn with_a_token_it_is_asked_of_everybody() {
    let server = Setup::new().flag("metrics-token", "scrape-me-0123456789").start();
    let ask = |fields: &[(&str, &str)]| Http::connect(server.address()).request("GET", "/metrics", fields);
    let good = ("Authorization", "Bearer scrape-me-0123456789");
    assert_eq!(ask(&[good]).status, 200);
    assert_eq!(ask(&[good, ("X-Forwarded-For", "192.0.2.1")]).status, 200);
    let jwt = format!("Bearer {}", Token::of("alice").admin().sign());
    for (fields, challenge) in [
        (&[][..], "Bearer"),
        (
            &[("Authorization", "Bearer scrape-me-012345678")],
            "Bearer error=\"invalid_token\"",
        ),
        (
            &[("Authorization", jwt.as_str())],
            "Bearer error=\"invalid_token\"",
        ),
    ] {
        let answer = ask(fields);
        assert_eq!(
            (answer.status, answer.field("www-authenticate")),
            (401, Some(challenge))
        );
        assert_eq!(answer.field("content-type"), Some("application/problem+json"));
    }
    let answer = http::get(server.address(), "/metrics?token=scrape-me-0123456789");
    assert_eq!(answer.status, 401, "a token in a query would stand in logs");
    assert!(!server.log().contains("scrape-me"));
}

#[test]
fn a_connection_and_its_end_are_counted() {
    let server = Server::start();
    let start = scrape(&server);
    let mut client = Client::join(&server, "b", 1);
    grown(
        &server,
        &start,
        &[
            ("boardwire_connections", 1.0),
            ("boardwire_rooms", 1.0),
            ("boardwire_connections_opened_total", 1.0),
            ("boardwire_board_load_seconds_count", 1.0),
        ],
    );
    client.cut();
    grown(
        &server,
        &start,
        &[
            ("boardwire_connections", 0.0),
            ("boardwire_connections_ended_total{reason=\"left\"}", 1.0),
        ],
    );
    let mut socket = Socket::open(server.address(), &path("b", &editor("alice", "b")));
    socket.send_frame(0x81, b"text");
    socket.closed();
    grown(
        &server,
        &start,
        &[
            ("boardwire_connections_opened_total", 2.0),
            ("boardwire_connections_ended_total{reason=\"text_frame\"}", 1.0),
            ("boardwire_connections_ended_total{reason=\"left\"}", 1.0),
        ],
    );
}

#[test]
fn refusals_are_counted_by_their_reason_whatever_form_they_take() {
    let server = Server::start();
    let start = scrape(&server);
    Socket::open(server.address(), &path("b", "garbage")).closed();
    assert_eq!(http::get(server.address(), "/ws/canvas/b").status, 401);
    grown(
        &server,
        &start,
        &[
            (
                "boardwire_connections_refused_total{reason=\"invalid_credential\"}",
                1.0,
            ),
            (
                "boardwire_connections_refused_total{reason=\"unauthenticated\"}",
                1.0,
            ),
            ("boardwire_connections_refused_total{reason=\"forbidden\"}", 0.0),
            (
                "boardwire_http_requests_total{method=\"GET\",status=\"4xx\"}",
                1.0,
            ),
            ("boardwire_connections_opened_total", 0.0),
            ("boardwire_rooms", 0.0),
        ],
    );
}

#[test]
fn what_becomes_of_updates_is_counted() {
    let server = Server::start();
    drop(Client::join(&server, "b", 9));
    // Until then its last messages may still be counted.
    until(SOON, || scrape(&server)["boardwire_connections"] == 0.0);
    let mut author = Client::offline(7);
    let updates = ["a", "b", "c"].map(|word| {
        author.change(|transaction, _, _, list| {
            use yrs::Array;
            list.push_back(transaction, word);
        })
    });
    let start = scrape(&server);
    let mut socket = Socket::open(server.address(), &path("b", &editor("alice", "b")));
    for (update, outcome) in [(0, "new"), (0, "known"), (2, "hole")] {
        let before = scrape(&server);
        socket.send(&wire::update(&updates[update]));
        let series = format!("boardwire_updates_total{{outcome=\"{outcome}\"}}");
        grown(&server, &before, &[(series.as_str(), 1.0)]);
    }
    let mut viewer = Socket::open(server.address(), &path("b", &viewer("bob", "b")));
    viewer.send(&wire::update(&updates[1]));
    viewer.send(&[9, 1, 2]);
    let bytes: usize = [0, 0, 2, 1]
        .map(|at: usize| wire::update(&updates[at]).len())
        .iter()
        .sum();
    grown(
        &server,
        &start,
        &[
            ("boardwire_updates_total{outcome=\"new\"}", 1.0),
            ("boardwire_updates_total{outcome=\"known\"}", 1.0),
            ("boardwire_updates_total{outcome=\"hole\"}", 1.0),
            ("boardwire_updates_total{outcome=\"denied\"}", 1.0),
            ("boardwire_unknown_messages_total", 1.0),
            ("boardwire_messages_received_total", 5.0),
            (
                "boardwire_received_bytes_total",
                f64::from(u32::try_from(bytes).unwrap()) + 3.0,
            ),
        ],
    );
    let now = scrape(&server);
    assert!(now["boardwire_sent_bytes_total"] > start["boardwire_sent_bytes_total"]);
    assert!(now["boardwire_frames_queued_total"] > start["boardwire_frames_queued_total"]);
    until(SOON, || {
        let now = scrape(&server);
        let more = |series: &str| now[series] > start[series];
        more("boardwire_commit_seconds_count")
            && more("boardwire_saved_seconds_count")
            && more("boardwire_delivery_seconds_count")
            && more("boardwire_commit_changes_sum")
            && now["boardwire_commit_queue_bytes"] == 0.0
    });
}

#[test]
fn memory_is_told_by_what_it_is_for_and_given_back() {
    let server = Setup::new()
        .flag("room-idle", "20ms")
        .flag("room-sweep", "20ms")
        .start();
    let held = |kind: &str| scrape(&server)[&format!("boardwire_memory_bytes{{kind=\"{kind}\"}}")];
    let kinds = [
        "documents",
        "outbound",
        "presence",
        "receiving",
        "answers",
        "commit_queue",
    ];
    for kind in kinds {
        assert_eq!(held(kind), 0.0, "{kind}");
    }
    let mut writer = Client::join(&server, "b", 1);
    let mut reader = Client::join(&server, "b", 2);
    writer.announce(&[(1, 5, &format!("{{\"name\":\"{}\"}}", "n".repeat(1_000)))]);
    writer.set("key", &"x".repeat(20_000));
    writer.save();
    until(SOON, || {
        reader.poll();
        reader.value("key").is_some() && held("documents") > 20_000.0 && held("presence") > 1_000.0
    });
    // It is cut once more has gathered than what is worth the search for who is behind.
    assert!((20_000.0..150_000.0).contains(&held("outbound")));
    writer.cut();
    reader.cut();
    until(SOON, || kinds.into_iter().all(|kind| held(kind) == 0.0));
    for kind in ["work", "reads", "joins", "compactions"] {
        let series = format!("boardwire_waiting_jobs{{kind=\"{kind}\"}}");
        assert_eq!(scrape(&server)[&series], 0.0, "{kind}");
    }
}

#[test]
fn each_save_waits_for_the_disk_and_that_is_timed_by_itself() {
    let server = Server::start();
    let mut client = Client::join(&server, "b", 1);
    client.save();
    let start = scrape(&server);
    client.set("key", "value");
    client.save();
    until(SOON, || {
        let now = scrape(&server);
        let more = |series: &str| now[series] - start[series];
        let commits = more("boardwire_commit_seconds_count");
        commits >= 1.0
            && more("boardwire_fsync_seconds_count") >= commits
            && more("boardwire_fsync_seconds_sum") > 0.0
    });
}

#[test]
fn who_wants_more_than_it_may_have_is_counted_however_it_asks() {
    let server = Setup::new()
        .flag("max-boards-per-owner", "1")
        .flag("max-messages-per-second", "2")
        .start();
    let start = scrape(&server);
    let mut socket = Socket::open(server.address(), &path("one", &editor("alice", "one")));
    // A burst of 1,000 is free; the others are worth two seconds.
    for _ in 0..1_004 {
        socket.send(&[3]);
    }
    socket.flush();
    Socket::open(server.address(), &path("two", &editor("alice", "two"))).closed();
    Api::user(&server, "alice").must("POST", "/v1/boards", &serde_json::json!({}), 409);
    let over = |reason: &str| format!("boardwire_over_bounds_total{{reason=\"{reason}\"}}");
    grown(
        &server,
        &start,
        &[
            (&over("too_many_boards"), 2.0),
            (&over("too_costly"), 0.0),
            (&over("board_too_large"), 0.0),
            (&over("owner_full"), 0.0),
        ],
    );
    assert!(scrape(&server)[&over("rate")] > start[&over("rate")]);
}

#[test]
fn presence_and_compactions_are_counted() {
    let server = Setup::new().flag("compact-after", "20ms").start();
    let mut client = Client::join(&server, "b", 1);
    let start = scrape(&server);
    client.set("shape:1", "red");
    client.save();
    client.announce(&[(1, 5, "{\"name\":\"a\"}")]);
    until(SOON, || {
        let now = scrape(&server);
        let more = |series: &str| now[series] > start[series];
        more("boardwire_compaction_seconds_count") && more("boardwire_awareness_broadcasts_total")
    });
}

#[test]
fn requests_are_counted_by_method_and_class() {
    let server = Server::start();
    let start = scrape(&server);
    for (method, target) in [
        ("GET", "/health"),
        ("HEAD", "/health"),
        ("DELETE", "/health"),
        ("GET", "/nothing"),
        ("BREW", "/health"),
    ] {
        Http::connect(server.address()).request(method, target, &[]);
    }
    Http::connect(server.address()).request("GET", "not-a-path", &[]);
    let count = |method: &str, status: &str, count: f64| {
        let series = format!("boardwire_http_requests_total{{method=\"{method}\",status=\"{status}\"}}");
        let now = scrape(&server)[&series] - start[&series];
        assert_eq!(now, count, "{series}");
    };
    count("HEAD", "2xx", 1.0);
    count("DELETE", "4xx", 1.0);
    count("GET", "4xx", 1.0);
    count("other", "4xx", 2.0);
}

#[test]
fn no_board_user_secret_or_content_is_in_it() {
    let server = Setup::new()
        .flag("metrics-token", "the-scrapers-own-token")
        .start();
    let (board, user) = ("a-private-board", "a-private-user");
    let token = Token::of(user).with(board, Level::Edit).sign();
    let mut socket = Socket::open(server.address(), &path(board, &token));
    socket.send(b"\x00\x02\x0fprivate-payload");
    assert_eq!(socket.closed().0, 1007);
    http::get(server.address(), &format!("/{board}/{user}?token={token}"));
    let answer = Http::connect(server.address()).request(
        "GET",
        "/metrics",
        &[
            ("Authorization", "Bearer the-scrapers-own-token"),
            ("User-Agent", "private-agent"),
        ],
    );
    let text = String::from_utf8(answer.body).unwrap();
    assert_eq!(parse(&text)["boardwire_messages_received_total"], 1.0);
    for secret in [
        board,
        user,
        &token,
        SECRET,
        "the-scrapers-own-token",
        "private",
        "127.0.0.1",
    ] {
        assert!(!text.contains(secret), "{secret} is in\n{text}");
    }
}
