//! `boardwire health`: what a container's health check gets to know about a real server.

use std::process::{Command, Output};

use crate::support::server::Server;

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
