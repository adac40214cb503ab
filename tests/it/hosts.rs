//! DNS rebinding: which `Host` is served, with `--public-url`, with `--dev`, and without either.

use crate::support::http::{Answer, Http, request_for};
use crate::support::server::{Server, Setup};
use crate::support::socket::UPGRADE;
use crate::support::tokens::editor;
use crate::support::{SOON, until};

#[track_caller]
fn ask(server: &Server, host: &str, target: &str) -> Answer {
    let mut http = Http::connect(server.address());
    http.send(request_for(host, "GET", target, &[]));
    http.answer("GET")
}

#[track_caller]
fn is_served(server: &Server, host: &str) -> bool {
    let answer = ask(server, host, "/health");
    if answer.status == 200 {
        return true;
    }
    assert_eq!(
        (answer.status, &answer.json()["code"]),
        (421, &"misdirected".into())
    );
    let detail = answer.json()["detail"].to_string();
    assert!(detail.contains("--public-url"), "{detail}");
    assert!(
        !String::from_utf8(answer.body).unwrap().contains(host),
        "a name of a stranger is not repeated"
    );
    false
}

#[test]
fn a_name_of_a_stranger_is_refused_on_every_path_with_a_public_url_and_in_dev() {
    let public = Setup::new()
        .flag("public-url", "https://boards.example/x")
        .start();
    let dev = Setup::new().switch("dev").start();
    for (host, in_public, in_dev) in [
        ("127.0.0.1", true, true),
        ("192.168.1.9:8080", true, true),
        ("[::1]:8080", true, true),
        ("localhost:8080", true, true),
        ("a.localhost", true, true),
        ("boards.example", true, false),
        ("BOARDS.example:443", true, false),
        ("evil.example", false, false),
        ("evil.example:8080", false, false),
        ("boards.example.evil.example", false, false),
        ("127.0.0.1.evil.example", false, false),
    ] {
        assert_eq!(is_served(&public, host), in_public, "{host} with --public-url");
        assert_eq!(is_served(&dev, host), in_dev, "{host} with --dev");
    }
    for target in [
        "/",
        "/board/b",
        "/metrics",
        "/v1/boards/b/document",
        "/ws/canvas/b",
        "/nothing",
    ] {
        for method in ["GET", "POST", "OPTIONS", "DELETE"] {
            let mut http = Http::connect(public.address());
            http.send(request_for("evil.example", method, target, &[]));
            assert_eq!(http.answer(method).status, 421, "{method} {target}");
            http.send(request_for("boards.example", "GET", "/health", &[]));
            assert_eq!(http.answer("GET").status, 200, "the connection goes on");
        }
    }
    let mut http = Http::connect(public.address());
    http.send("GET /health HTTP/1.0\r\n\r\n");
    assert_eq!(http.answer("GET").status, 200, "without a Host it is no browser");
}

#[test]
fn an_upgrade_under_the_name_of_a_stranger_opens_nothing() {
    let server = Setup::new().flag("public-url", "http://boards.test").start();
    let path = format!("/ws/canvas/b?token={}", editor("alice", "b"));
    let mut fields = UPGRADE.to_vec();
    fields.push(("Origin", "http://evil.example"));
    let mut http = Http::connect(server.address());
    http.send(request_for("evil.example", "GET", &path, &fields));
    assert_eq!(http.answer("GET").status, 421);
    assert_eq!(server.rooms(), 0);
}

#[test]
fn without_a_public_url_every_host_is_served() {
    let server = Server::start();
    for host in ["evil.example", "boards.example:8080", "127.0.0.1"] {
        assert!(is_served(&server, host), "{host}");
    }
}

#[test]
fn the_origin_of_the_public_url_is_allowed_where_a_proxy_rewrites_the_host() {
    let server = Setup::new()
        .flag("public-url", "https://boards.example:8443/x")
        .start();
    let path = format!("/ws/canvas/b?token={}", editor("alice", "b"));
    let upgrade = |origin: &'static str| {
        let mut fields = UPGRADE.to_vec();
        fields.push(("Origin", origin));
        let mut http = Http::connect(server.address());
        http.send(request_for("127.0.0.1:8080", "GET", &path, &fields));
        http.answer("GET").status
    };
    assert_eq!(upgrade("https://boards.example:8443"), 101);
    for other in [
        "https://boards.example",
        "http://boards.example:8443",
        "https://evil.example",
    ] {
        assert_eq!(upgrade(other), 403, "{other}");
    }
    let origin = [("Origin", "https://boards.example:8443")];
    let mut http = Http::connect(server.address());
    http.send(request_for("127.0.0.1", "GET", "/health", &origin));
    let allowed = http.answer("GET");
    assert_eq!(allowed.field("access-control-allow-origin"), Some(origin[0].1));
}

#[test]
fn refused_hosts_are_counted_and_logged_once_in_a_while_and_shortened() {
    let server = Setup::new().flag("public-url", "https://boards.example").start();
    let long = format!("{}%41.evil.example", "a".repeat(300));
    for _ in 0..50 {
        assert!(!is_served(&server, &long));
    }
    let text = String::from_utf8(ask(&server, "127.0.0.1", "/metrics").body).unwrap();
    assert!(
        text.contains("\nboardwire_misdirected_requests_total 50\n"),
        "{text}"
    );
    until(SOON, || server.log().contains("--public-url"));
    let log = server.log();
    assert_eq!(log.matches("--public-url").count(), 1, "{log}");
    assert!(
        log.contains(&"a".repeat(100)) && !log.contains(&"a".repeat(101)),
        "{log}"
    );
}

#[test]
fn refused_origins_are_counted_and_logged_once_in_a_while_with_what_would_be_right() {
    let server = Setup::new().start();
    let path = format!("/ws/canvas/b?token={}", editor("alice", "b"));
    let origin = format!("https://{}.example", "a".repeat(300));
    let mut fields = UPGRADE.to_vec();
    fields.push(("Origin", &origin));
    for _ in 0..50 {
        let mut http = Http::connect(server.address());
        http.send(request_for("127.0.0.1:8080", "GET", &path, &fields));
        let answer = http.answer("GET");
        assert_eq!(
            (answer.status, &answer.json()["code"]),
            (403, &"origin_refused".into())
        );
    }
    let text = String::from_utf8(ask(&server, "127.0.0.1", "/metrics").body).unwrap();
    assert!(
        text.contains("\nboardwire_connections_refused_total{reason=\"origin_refused\"} 50\n"),
        "{text}"
    );
    until(SOON, || server.log().contains("--public-url"));
    let log = server.log();
    assert_eq!(log.matches("--public-url").count(), 1, "{log}");
    assert!(log.contains("127.0.0.1:8080"), "the host that it came by: {log}");
    assert!(
        log.contains(&"a".repeat(92)) && !log.contains(&"a".repeat(93)),
        "{log}"
    );
    assert!(!log.contains("token"), "{log}");
}

#[test]
fn an_upgrade_that_a_proxy_made_a_plain_request_of_is_told_of_once_in_a_while() {
    let server = Server::start();
    let path = format!("/ws/canvas/b?token={}", editor("alice", "b"));
    let stripped: Vec<_> = UPGRADE
        .iter()
        .copied()
        .filter(|(name, _)| !["upgrade", "connection"].contains(&name.to_ascii_lowercase().as_str()))
        .collect();
    for fields in [&[][..], &stripped, &stripped] {
        let mut http = Http::connect(server.address());
        http.send(request_for("127.0.0.1", "GET", &path, fields));
        assert_eq!(http.answer("GET").status, 426);
    }
    until(SOON, || server.log().contains("upgrade got lost"));
    let log = server.log();
    assert_eq!(log.matches("upgrade got lost").count(), 1, "{log}");
    assert!(
        log.contains("\"count\":1"),
        "who only opened the address is not meant: {log}"
    );
}
