//! Several nodes on one PostgreSQL: real processes, real sockets, and a database that fails.

use std::collections::HashMap;
use std::net::TcpListener;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::support::api::Api;
use crate::support::client::{Client, content_of, converge};
use crate::support::postgres::Postgres;
use crate::support::random::Random;
use crate::support::server::{Server, Setup};
use crate::support::socket::path;
use crate::support::tokens::{Token, editor};
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
    fn stored(&self, server: &Server, board: &str) -> crate::support::client::Content {
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

#[test]
fn clients_of_three_nodes_on_one_board_converge_and_see_each_other() {
    let cluster = Cluster::new();
    let nodes = cluster.three();
    let mut clients: Vec<_> = (0..6)
        .map(|n| Client::join(&nodes[n % 3], "b", n as u64 + 1))
        .collect();
    let mut random = Random::new(7);
    for step in 0..200 {
        let client = &mut clients[random.below(6)];
        crate::sync::random_edit(client, &mut random, step);
        client.poll();
    }
    converge(&mut clients);
    until(SOON, || {
        clients.iter_mut().for_each(|client| {
            client.poll();
        });
        // Each knows all the others.
        clients.iter().all(|client| client.awareness.len() >= 5)
    });
    // And any node answers for the board what the others do.
    let contents: Vec<_> = nodes.iter().map(|node| cluster.stored(node, "b")).collect();
    assert!(contents.iter().all(|content| *content == clients[0].content()));
    let presence: Vec<_> = nodes
        .iter()
        .map(|node| {
            Api::admin(node).call("GET", "/v1/boards/b/presence").json()["items"]
                .as_array()
                .unwrap()
                .len()
        })
        .collect();
    assert_eq!(presence, [6, 6, 6]);
    let healths: Vec<_> = nodes.iter().map(|node| node.health()).collect();
    let boards: u64 = healths
        .iter()
        .map(|(_, health)| health["node"]["boards"].as_u64().unwrap())
        .sum();
    assert_eq!(boards, 1, "{healths:?}");
}

/// What `boardwire nodes` prints, and whether it ended well.
fn listed(cluster: &Cluster) -> (String, bool) {
    let output = Command::new(env!("CARGO_BIN_EXE_boardwire"))
        .env_clear()
        .env("BOARDWIRE_STORE", cluster.postgres.url(&cluster.schema))
        .arg("nodes")
        .output()
        .unwrap();
    let text = [output.stdout, output.stderr].concat();
    (String::from_utf8(text).unwrap(), output.status.success())
}

#[test]
fn nodes_are_listed_with_their_boards_and_what_is_left_of_their_leases() {
    let cluster = Cluster::with_lease(Duration::from_secs(60));
    let nodes = [cluster.node(), cluster.node()];
    drop(Client::join(&nodes[0], "b", 1));
    let (table, is_well) = listed(&cluster);
    assert!(is_well, "{table}");
    let lines: Vec<Vec<&str>> = table
        .lines()
        .map(|line| line.split_whitespace().collect())
        .collect();
    assert_eq!(lines[0], ["NAME", "ADDRESS", "LEASE", "BOARDS"]);
    for (node, boards) in nodes.iter().zip(["1", "0"]) {
        let name = node.flag("node-address").unwrap();
        let line = lines.iter().find(|line| line[0] == name).unwrap();
        let left: f64 = line[2].parse().unwrap();
        assert!(left > 30.0 && left <= 60.0, "{line:?}");
        assert_eq!((line[1], line[3], line[4]), (name, "s", boards));
    }
    nodes.into_iter().for_each(|node| drop(node.stop()));
    let (line, is_well) = listed(&cluster);
    assert!(
        !is_well && line.contains("no node serves") && !line.contains("geheim"),
        "{line}"
    );
}

#[test]
fn rights_links_and_audit_reach_every_node_within_a_second() {
    let cluster = Cluster::new();
    let nodes = cluster.three();
    let owner = Api::user(&nodes[0], "alice");
    owner.must("POST", "/v1/boards", &json!({"id": "b"}), 201);
    let link = owner.must("POST", "/v1/boards/b/links", &json!({"level": "edit"}), 201);
    let (id, token) = (link["id"].as_str().unwrap(), link["token"].as_str().unwrap());
    owner.must(
        "PUT",
        "/v1/boards/b/permissions/users/bob",
        &json!({"level": "edit"}),
        200,
    );
    let mut guest = Client::offline(1);
    guest.connect(nodes[1].address(), &format!("/ws/canvas/b?share={token}"));
    guest.sync();
    let mut bob = Client::offline(2);
    bob.connect(nodes[2].address(), &path("b", &Token::of("bob").sign()));
    bob.sync();
    bob.set("a", "1");
    bob.save();
    // By a node which neither of them is on.
    for (number, act) in [
        (0, ("DELETE", format!("/v1/boards/b/links/{id}"))),
        (1, ("DELETE", "/v1/boards/b/permissions/users/bob".to_owned())),
    ] {
        let begun = Instant::now();
        let alice = Api::user(&nodes[(number + 2) % 3], "alice");
        assert_eq!(alice.call(act.0, &act.1).status, 204);
        let client = if number == 0 { &mut guest } else { &mut bob };
        until(SOON, || !client.poll());
        let code = client.closed.as_ref().map(|(code, _)| *code);
        assert_eq!(code, Some(if number == 0 { 4001 } else { 4003 }));
        assert!(begun.elapsed() < Duration::from_secs(1), "{:?}", begun.elapsed());
    }
    let audits: Vec<_> = nodes
        .iter()
        .map(|node| Api::user(node, "alice").call("GET", "/v1/boards/b/audit").json())
        .collect();
    assert!(audits.iter().all(|audit| *audit == audits[0]));
    let addresses = audits[0]["items"].as_array().unwrap();
    assert!(
        addresses.iter().all(|entry| entry["address"] == "127.0.0.1"),
        "{addresses:?}"
    );
}

#[test]
fn an_owner_that_is_killed_is_replaced_and_nothing_echoed_is_missing() {
    const ROUNDS: u64 = 50;
    let cluster = Cluster::new();
    let mut nodes: Vec<Server> = cluster.three().into();
    let mut random = Random::new(11);
    let mut promised: HashMap<u64, u32> = HashMap::new();
    let mut slowest = Duration::ZERO;
    for round in 0..ROUNDS {
        let mut writers: Vec<_> = (0..3)
            .map(|n| Client::join(&nodes[n as usize], "b", (round + 1) * 10 + n))
            .collect();
        let until_then = Instant::now() + Duration::from_micros(random.next() % 100_000);
        let mut step = 0;
        while Instant::now() < until_then {
            for client in &mut writers {
                step += 1;
                client.set(&format!("{}", step % 30), &format!("{step}"));
                client.poll();
            }
        }
        let dead = cluster.owner("b", &nodes);
        let survivor = (dead + 1) % 3;
        nodes.remove(dead).kill();
        let killed = Instant::now();
        nodes.insert(dead, cluster.node());
        for (number, client) in writers.iter_mut().enumerate() {
            while client.poll() && killed.elapsed() < SOON {}
            promised.insert((round + 1) * 10 + number as u64, client.saved);
        }
        // Whoever writes on gets its echo.
        let back = &mut writers[survivor];
        come_back(back, &nodes[survivor], cluster.lease + BACK);
        back.set("again", &round.to_string());
        back.save();
        slowest = slowest.max(killed.elapsed());
        assert!(
            killed.elapsed() < cluster.lease + BACK,
            "round {round}: {:?}",
            killed.elapsed()
        );
        let stored = cluster.stored(&nodes[random.below(3)], "b");
        for (id, clock) in &promised {
            let known = stored.clocks.get(id).copied().unwrap_or(0);
            assert!(known >= *clock, "round {round}: {known} of {clock} from {id}");
        }
        promised.retain(|id, _| *id > round.saturating_sub(3) * 10);
    }
    println!("slowest: {slowest:?}");
}

#[test]
fn an_owner_that_is_stopped_hands_over_within_a_second() {
    let cluster = Cluster::with_lease(Duration::from_secs(60));
    let mut nodes = vec![cluster.node(), cluster.node()];
    let mut client = Client::join(&nodes[0], "b", 1);
    let mut other = Client::join(&nodes[1], "b", 2);
    client.set("a", "1");
    client.save();
    let at = cluster.owner("b", &nodes);
    let owner = nodes.remove(at);
    client.set("b", "2");
    let begun = Instant::now();
    owner.terminate();
    until(SOON, || !client.poll() & !other.poll());
    assert_eq!(other.closed.as_ref().map(|(code, _)| *code), Some(1001));
    for client in [&mut client, &mut other] {
        come_back(client, &nodes[0], Duration::from_secs(1));
    }
    let mut both = [client, other];
    converge(&mut both);
    assert!(begun.elapsed() < Duration::from_secs(1), "{:?}", begun.elapsed());
    drop(owner.stop());
}

#[test]
fn an_owner_that_sleeps_longer_than_its_lease_serves_nobody_stale_and_writes_nothing() {
    let cluster = Cluster::new();
    let nodes = [cluster.node(), cluster.node()];
    let mut old = Client::join(&nodes[0], "b", 1);
    old.set("a", "before");
    old.save();
    signal(&nodes[0], "STOP");
    // It comes to whoever wakes.
    old.set("a", "too late");
    let mut new = Client::offline(2);
    new.aim(&path("b", &editor("user-2", "b")));
    come_back(&mut new, &nodes[1], cluster.lease + BACK);
    new.set("a", "after");
    new.save();
    thread::sleep(cluster.lease);
    signal(&nodes[0], "CONT");
    // Whoever comes to it from now on gets what the new owner has.
    for number in 0..20 {
        let mut late = Client::offline(100 + number);
        late.aim(&path("b", &editor("late", "b")));
        come_back(&mut late, &nodes[0], BACK + BACK);
        assert_eq!(late.value("a").as_deref(), Some("after"), "{number}");
    }
    until(SOON, || !old.poll());
    assert_eq!(old.value("a").as_deref(), Some("too late"), "it has not lost it");
    let saved = old.saved;
    assert!(saved < old.own_clock(), "it was never echoed");
    let known = cluster
        .stored(&nodes[1], "b")
        .clocks
        .get(&1)
        .copied()
        .unwrap_or(0);
    assert_eq!(known, saved, "nor written");
    // Back again, it is merged as any other change.
    come_back(&mut old, &nodes[0], BACK);
    converge(&mut [old, new]);
}

#[test]
fn of_two_nodes_that_race_for_a_cold_board_one_gets_it() {
    let cluster = Cluster::new();
    let nodes = [cluster.node(), cluster.node()];
    for number in 0..200 {
        let board = format!("b{number}");
        let (first, second) = thread::scope(|scope| {
            let join = |node: usize| {
                let (nodes, board) = (&nodes, &board);
                move || {
                    let mut client = Client::offline(node as u64 + 1);
                    client.aim(&path(board, &editor("alice", board)));
                    come_back(&mut client, &nodes[node], SOON);
                    client.set(&format!("{node}"), "x");
                    client
                }
            };
            let first = scope.spawn(join(0));
            let second = scope.spawn(join(1));
            (first.join().unwrap(), second.join().unwrap())
        });
        let mut clients = [first, second];
        until(SOON, || {
            for (node, client) in clients.iter_mut().enumerate() {
                // Who was with the one that lost comes back.
                if !client.poll() {
                    client.try_reconnect(nodes[node].address());
                }
            }
            clients.iter().all(Client::is_saved) && clients[0].content() == clients[1].content()
        });
    }
}

#[test]
fn a_database_that_stops_and_starts_loses_nothing_that_was_echoed() {
    let postgres: &'static Postgres = Box::leak(Box::new(Postgres::start()));
    let cluster = Cluster {
        postgres,
        schema: postgres.fresh_schema(),
        lease: LEASE,
    };
    let nodes = [cluster.node(), cluster.node()];
    let mut promised = HashMap::new();
    for round in 0..6u64 {
        let ids = [round * 10 + 1, round * 10 + 2];
        let mut clients: Vec<_> = (0..2)
            .map(|n| {
                let mut client = Client::offline(ids[n]);
                client.aim(&path("b", &editor("alice", "b")));
                come_back(&mut client, &nodes[n], SOON);
                client
            })
            .collect();
        for step in 0..100 {
            for client in &mut clients {
                client.set(&format!("{}", step % 20), &step.to_string());
                client.poll();
            }
        }
        match round % 3 {
            0 => postgres.stop(),
            1 => postgres.crash(),
            _ => drop(postgres.ask(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'boardwire%'",
            )),
        }
        if round % 3 != 2 {
            // It shows, with the cause, before anybody asks for a board.
            until(SOON, || nodes.iter().any(|node| node.health().0 == 503));
            postgres.start_again();
        }
        for (client, id) in clients.iter_mut().zip(ids) {
            client.poll();
            promised.insert(id, client.saved);
        }
        until(SOON, || nodes.iter().all(|node| node.health().0 == 200));
        let stored = cluster.stored(&nodes[0], "b");
        for (id, clock) in &promised {
            let known = stored.clocks.get(id).copied().unwrap_or(0);
            assert!(known >= *clock, "round {round}: {known} of {clock} from {id}");
        }
        // Whoever was on it goes on by itself.
        until(SOON, || {
            for (node, client) in clients.iter_mut().enumerate() {
                if !client.poll() {
                    client.try_reconnect(nodes[node].address());
                }
            }
            clients.iter().all(Client::is_saved) && clients[0].content() == clients[1].content()
        });
    }
}
