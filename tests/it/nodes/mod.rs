//! Several nodes on one PostgreSQL: real processes, real sockets, and a database that fails.

mod alike;
mod asleep;
mod database;
mod handover;

use std::net::TcpListener;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use crate::support::client::{Client, Content, content_of};
use crate::support::postgres::Postgres;
use crate::support::server::{Server, Setup};
use crate::support::tokens::Token;
use crate::support::{SOON, http, until};

/// Of most tests: short, so that they need not wait long for it to end.
const LEASE: Duration = Duration::from_secs(1);

/// How long after a lease has ended a board is served again, at the latest.
const BACK: Duration = Duration::from_secs(2);

/// Nodes that share a schema.
struct Cluster {
    postgres: &'static Postgres,
    schema: String,
    lease: Duration,
}

impl Cluster {
    fn new() -> Self {
        Self::with_lease(LEASE)
    }

    fn with_lease(lease: Duration) -> Self {
        let postgres = Postgres::shared();
        let schema = postgres.fresh_schema();
        Self {
            postgres,
            schema,
            lease,
        }
    }

    fn setup(&self) -> Setup {
        // Free when it is looked at, and nobody else's in these tests for a while.
        let port = TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        Setup::new()
            .flag("store", &self.postgres.url(&self.schema))
            .flag("node-address", &format!("127.0.0.1:{port}"))
            .flag("node-secret", "the-secret-of-the-nodes-0123456789")
            .flag("lease", &format!("{}ms", self.lease.as_millis()))
            .flag("commit-window", "5ms")
    }

    fn node(&self) -> Server {
        self.setup().start()
    }

    fn three(&self) -> [Server; 3] {
        [self.node(), self.node(), self.node()]
    }

    /// What is stored of a board, by any node.
    fn stored(&self, server: &Server, board: &str) -> Content {
        let target = format!(
            "/v1/boards/{board}/document?token={}",
            Token::of("root").admin().sign()
        );
        let mut body = None;
        until(SOON, || {
            let answer = http::get(server.address(), &target);
            if answer.status == 200 {
                body = Some(answer.body);
            } else {
                assert_eq!(answer.status, 503, "{answer:?}");
            }
            body.is_some()
        });
        content_of(&body.unwrap())
    }

    /// Which of these nodes has the board.
    fn owner(&self, board: &str, nodes: &[Server]) -> usize {
        let name = self.postgres.ask(&format!(
            "SELECT nodes.address FROM {0}.boards JOIN {0}.nodes USING (node) WHERE id = '{board}'",
            self.schema
        ));
        let is_it = |node: &Server| node.flag("node-address") == Some(name.as_str());
        nodes
            .iter()
            .position(is_it)
            .unwrap_or_else(|| panic!("{board} is of {name:?}"))
    }
}

fn signal(server: &Server, name: &str) {
    let sent = Command::new("kill")
        .args([&format!("-{name}"), &server.id().to_string()])
        .status()
        .unwrap();
    assert!(sent.success(), "kill -{name}");
}

/// Connects again and again until it is in, for as long; how long it took.
#[track_caller]
fn come_back(client: &mut Client, server: &Server, within: Duration) -> Duration {
    let begun = Instant::now();
    loop {
        if client.try_reconnect(server.address()) {
            return begun.elapsed();
        }
        assert!(begun.elapsed() < within, "not back within {within:?}");
        thread::sleep(Duration::from_millis(50));
    }
}
