//! The server on PostgreSQL: it keeps what it echoed, through restarts of either, and says what is wrong.

use std::thread;
use std::time::Duration;

use crate::support::client::{Client, converge};
use crate::support::postgres::Postgres;
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
        thread::sleep(Duration::from_millis(300));
        client.poll();
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
