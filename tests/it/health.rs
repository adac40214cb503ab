//! `boardwire health`: what a container's health check gets to know about a real server.

use std::process::{Command, Output};

use crate::support::client::Client;
use crate::support::postgres::Postgres;
use crate::support::server::{Server, Setup};
use crate::support::{SOON, free_port, http, until};

fn health(listen: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_boardwire"));
    command.env_clear().env("BOARDWIRE_LISTEN", listen);
    command.arg("health").output().unwrap()
}

#[test]
fn it_is_well_while_the_server_answers_and_not_afterwards() {
    let server = Server::start();
    // As the server of a container is told: everywhere.
    let everywhere = format!("0.0.0.0:{}", server.address().port());
    let well = health(&everywhere);
    let line = String::from_utf8(well.stdout).unwrap();
    assert_eq!(well.status.code(), Some(0), "{line}");
    assert!(
        line.starts_with(r#"{"status":"ok","#) && line.lines().count() == 1,
        "{line}"
    );
    server.kill();
    let gone = health(&everywhere);
    let line = String::from_utf8(gone.stderr).unwrap();
    assert_eq!(gone.status.code(), Some(1), "{line}");
    assert!(
        line.contains("127.0.0.1:") && line.lines().count() == 1 && gone.stdout.is_empty(),
        "{line}"
    );
}

#[test]
fn a_node_says_what_it_has_and_what_passes_between_it_and_others() {
    let postgres = Postgres::shared();
    let schema = postgres.fresh_schema();
    let node = || {
        Setup::new()
            .flag("store", &postgres.url(&schema))
            .flag("node-address", &format!("127.0.0.1:{}", free_port()))
            .flag("node-secret", "the-secret-of-the-nodes-0123456789")
            .start()
    };
    let (owner, other) = (node(), node());
    let _here = Client::join(&owner, "b", 1);
    let _away = Client::join(&other, "b", 2);
    let told = |server: &Server| {
        let (status, health) = server.health();
        assert_eq!(status, 200, "{health}");
        let number = |name: &str| health["node"][name].as_f64().unwrap();
        assert!(
            number("store_seconds") > 0.0 && number("store_seconds") < 5.0,
            "{health}"
        );
        assert!(
            number("lease_seconds") > 1.0 && number("lease_seconds") <= 10.0,
            "{health}"
        );
        let names = [
            "boards",
            "forwarded_connections",
            "forwarded_connections_received",
        ];
        names.map(number)
    };
    until(SOON, || {
        told(&owner) == [1.0, 0.0, 1.0] && told(&other) == [0.0, 1.0, 0.0]
    });
    let metrics = http::get(other.address(), "/metrics");
    let text = String::from_utf8(metrics.body).unwrap();
    let count = |name: &str| -> u64 {
        let line = text.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        line.trim().parse().unwrap()
    };
    // It has joined, and asked who has the board.
    assert!(count("boardwire_node_store_seconds_count ") >= 1, "{text}");
    assert!(count("boardwire_forwarded_connections ") == 1, "{text}");
}
