//! The server on PostgreSQL: it keeps what it echoed, through restarts of either, and says what is wrong.

use crate::support::client::{Client, converge};
use crate::support::postgres::Postgres;
use crate::support::proxy::Proxy;
use crate::support::server::{Server, Setup};
use crate::support::{SOON, until};

#[track_caller]
fn server(database: &Postgres, schema: &str) -> Server {
    Setup::new()
        .flag("store", &database.url(schema))
        .flag("commit-window", "1ms")
        .start()
}

#[test]
fn boards_are_kept_in_the_database_when_the_server_ends_and_starts_again() {
    let database = Postgres::shared();
    let schema = database.fresh_schema();
    let first = server(database, &schema);
    let mut clients = [1, 2].map(|id| Client::join(&first, "plan", id));
    clients[0].set("shape", "circle");
    clients[1].write(0, "words");
    clients.iter_mut().for_each(Client::save);
    converge(&mut clients);
    let content = clients[0].content();
    assert!(!first.log().contains("geheim"), "no password is in the log");
    first.stop();
    let second = server(database, &schema);
    let third = Client::join(&second, "plan", 3);
    assert_eq!(third.content(), content);
    let board = database.ask(&format!("SELECT id, owner FROM {schema}.boards"));
    assert!(board.starts_with("plan|"), "{board}");
    second.kill();
    let fourth = Client::join(&server(database, &schema), "plan", 4);
    assert_eq!(fourth.content(), content);
}

/// What is wrong is said, nothing is echoed meanwhile, and all goes on by itself.
#[test]
fn a_database_that_ends_or_crashes_and_comes_back_loses_nothing_that_was_echoed() {
    let database = Postgres::start();
    let server = server(&database, "boardwire");
    let mut client = Client::join(&server, "plan", 1);
    for (round, crash) in [false, true].into_iter().enumerate() {
        client.set(&format!("before {round}"), "saved");
        client.save();
        if crash {
            database.crash()
        } else {
            database.stop()
        }
        client.set(&format!("while {round}"), "it is away");
        until(SOON, || server.health().0 == 503);
        let (_, health) = server.health();
        assert!(health.to_string().contains("database"), "{health}");
        // Nothing comes after the end: what was not echoed by then never was.
        until(SOON, || !client.poll());
        assert_eq!(client.closed.as_ref().map(|(code, _)| *code), Some(1011));
        assert!(!client.is_saved(), "nothing is echoed that is not committed");
        database.start_again();
        until(SOON, || server.health().0 == 200);
        client.reconnect(server.address());
        client.sync();
        client.save();
    }
    let content = client.content();
    server.kill();
    let again = self::server(&database, "boardwire");
    assert_eq!(Client::join(&again, "plan", 2).content(), content);
}

/// What a server says in its log of each setting that may break its promise, or of the version.
const DOUBTS: [&str; 5] = [
    "synchronous_commit is off",
    "synchronous_commit is local",
    "fsync is off",
    "full_page_writes is off",
    "older than 15",
];

#[track_caller]
fn assert_doubts(url: &str, expected: &[&str]) {
    let mut server = Setup::new().flag("store", url).start();
    server.terminate();
    server.ended();
    let log = server.log();
    let warned: Vec<_> = log
        .lines()
        .filter(|line| line.contains(r#""level":"WARN""#))
        .collect();
    let doubts = DOUBTS
        .into_iter()
        .filter(|doubt| warned.iter().any(|line| line.contains(doubt)));
    assert_eq!(doubts.collect::<Vec<_>>(), expected, "{log}");
}

#[test]
fn settings_of_a_database_that_break_the_promise_are_told_at_the_start() {
    let database = Postgres::start_with("true", &["fsync=on", "full_page_writes=on"]);
    assert_doubts(&database.url("boardwire"), &[]);
    for (name, setting, doubt) in [("careless", "off", DOUBTS[0]), ("local", "local", DOUBTS[1])] {
        database.ask(&format!("CREATE DATABASE {name}"));
        database.ask(&format!(
            "ALTER DATABASE {name} SET synchronous_commit = {setting}"
        ));
        let url = database
            .url("boardwire")
            .replace("/postgres?", &format!("/{name}?"));
        assert_doubts(&url, &[doubt]);
    }
    for (setting, doubt) in [("fsync", DOUBTS[3]), ("full_page_writes", DOUBTS[2])] {
        database.stop();
        database.order(&format!("SETTINGS='-c {setting}=on'"));
        database.start_again();
        assert_doubts(&database.url("boardwire"), &[doubt]);
    }
}

#[test]
fn a_database_that_is_older_than_what_is_tested_is_told_at_the_start_and_used() {
    let database = Postgres::shared();
    let way = Proxy::to(database.port);
    let number: i32 = database.ask("SHOW server_version_num").parse().unwrap();
    way.lie(&number.to_be_bytes(), &140_005_i32.to_be_bytes());
    let url = database.url_by_port(way.port(), &database.fresh_schema());
    // That of the tests takes no care, either.
    assert_doubts(&url, &DOUBTS[2..]);
}
