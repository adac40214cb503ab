//! Several nodes on one PostgreSQL: real processes, real sockets, and a database that fails.

mod alike;
mod apart;
mod database;
mod handover;
mod load;
mod paused;

use std::collections::HashMap;
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
    /// Where the nodes reach it.
    port: u16,
    schema: String,
    lease: Duration,
}

impl Cluster {
    fn new() -> Self {
        Self::with_lease(LEASE)
    }

    fn with_lease(lease: Duration) -> Self {
        Self {
            lease,
            ..Self::on(Postgres::shared())
        }
    }

    fn on(postgres: &'static Postgres) -> Self {
        Self {
            postgres,
            port: postgres.port,
            schema: postgres.fresh_schema(),
            lease: LEASE,
        }
    }

    /// Whose nodes reach the database by another port.
    fn by(self, port: u16) -> Self {
        Self { port, ..self }
    }

    fn setup(&self) -> Setup {
        self.setup_at(&format!("127.0.0.1:{}", free_port()))
    }

    fn setup_at(&self, address: &str) -> Setup {
        Setup::new()
            .flag("store", &self.postgres.url_by_port(self.port, &self.schema))
            .flag("node-address", address)
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

    /// Whatever was echoed to clients of these ids is stored.
    #[track_caller]
    fn keeps(&self, server: &Server, board: &str, promised: &HashMap<u64, u32>) {
        let stored = self.stored(server, board);
        for (id, clock) in promised {
            let known = stored.clocks.get(id).copied().unwrap_or(0);
            assert!(known >= *clock, "{known} of {clock} from {id}");
        }
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

/// Free when it is looked at, and nobody else's in these tests for a while.
fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

/// A database of one's own, to do with as one likes.
fn own_database(settings: &[&str]) -> &'static Postgres {
    Box::leak(Box::new(Postgres::start_with("true", settings)))
}

/// What starts a program with a mount of its own, by one of these ways of `unshare`: as root, or as anybody
/// where the system lets them. `None` where it lets nobody.
fn with_mount(ways: &[&str], mount: &str) -> Option<Vec<String>> {
    let script = format!("mount {mount} && exec \"$@\"");
    let by = |way: &&str| {
        ["unshare", way, "sh", "-c", &script, "sh"]
            .map(str::to_owned)
            .to_vec()
    };
    let works = |starter: &Vec<String>| {
        let tried = Command::new(&starter[0]).args(&starter[1..]).arg("true").status();
        tried.is_ok_and(|status| status.success())
    };
    ways.iter().map(by).find(works)
}

/// What is said of a test that needs such a mount.
const SKIPPED: &str = "skipped: this system lets nobody mount something for a test";

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
