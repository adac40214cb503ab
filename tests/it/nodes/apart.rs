//! Nodes that cannot reach each other, or only slowly.

use std::fs;
use std::net::SocketAddr;
use std::thread;
use std::time::{Duration, Instant};

use boardwire::limits::NODE_PATIENCE;
use tempfile::TempDir;

use super::{BACK, Cluster, SKIPPED, come_back, free_port, with_mount};
use crate::support::api::Api;
use crate::support::client::{Client, converge};
use crate::support::proxy::Proxy;
use crate::support::server::Server;
use crate::support::socket::path;
use crate::support::tokens::editor;
use crate::support::{SOON, until};

/// How long it takes until a node that hangs is given up: looks at it, and their waits.
const WATCH: Duration = Duration::from_secs(2 * (1 + 2));

/// For what is no fault of the server's on a machine with other things to do.
const SLACK: Duration = Duration::from_secs(1);

/// Two nodes and the way from each to the other. The name of a node leads to where it listens for itself
/// only, and for the other to a proxy at the same port: each has an `/etc/hosts` of its own.
struct Apart {
    nodes: Vec<Server>,
    /// To the node of that index.
    ways: [Proxy; 2],
    _hosts: [TempDir; 2],
}

/// Where a node listens, and where the other finds it.
const PLACES: [&str; 2] = ["127.0.0.1", "127.0.1.1"];

impl Apart {
    /// None where this system gives nobody an `/etc/hosts` of his own.
    fn start(cluster: &Cluster) -> Option<Self> {
        let names = ["one", "two"];
        let ports = [free_port(), free_port()];
        let hosts = [0, 1].map(|me| {
            let directory = tempfile::tempdir().unwrap();
            let lines = [0, 1].map(|node| format!("{} {}\n", PLACES[usize::from(node != me)], names[node]));
            fs::write(directory.path().join("hosts"), lines.concat()).unwrap();
            directory
        });
        let way = |node: usize| {
            let at = |place: &str| SocketAddr::new(place.parse().unwrap(), ports[node]);
            Proxy::between(at(PLACES[1]), at(PLACES[0]))
        };
        let ways = [way(0), way(1)];
        let mut nodes = Vec::new();
        for node in [0, 1] {
            let mount = format!("--bind {}/hosts /etc/hosts", hosts[node].path().display());
            let starter = with_mount(&["--mount", "-rm"], &mount)?;
            let starter: Vec<&str> = starter.iter().map(String::as_str).collect();
            let address = format!("{}:{}", names[node], ports[node]);
            nodes.push(cluster.setup_at(&address).by(&starter).start());
        }
        Some(Self {
            nodes,
            ways,
            _hosts: hosts,
        })
    }

    /// Somebody on each node, on a board of the first.
    fn pair(&self) -> [Client; 2] {
        let mut pair = [
            Client::join(&self.nodes[0], "b", 1),
            Client::join(&self.nodes[1], "b", 2),
        ];
        pair[0].set("a", "1");
        pair[1].set("b", "2");
        converge(&mut pair);
        pair
    }

    /// The other node says within its patience that the board is elsewhere, in HTTP and on a socket.
    fn refuses(&self) {
        let begun = Instant::now();
        thread::scope(|scope| {
            scope.spawn(|| {
                let mut late = Client::offline(9);
                late.aim(&path("b", &editor("late", "b")));
                assert!(!late.try_reconnect(self.nodes[1].address()));
                assert_eq!(late.closed.map(|(code, _)| code), Some(1001));
            });
            let answer = Api::admin(&self.nodes[1]).get("/v1/boards/b/document");
            let expected = (503, &"board_elsewhere".into());
            assert_eq!((answer.status, &answer.json()["code"]), expected);
        });
        assert!(begun.elapsed() < NODE_PATIENCE + SLACK, "{:?}", begun.elapsed());
    }

    /// Whoever comes to the owner goes on; the other one comes back by itself once the way is free.
    fn heals(&self, [mut here, mut there]: [Client; 2], heal: impl FnOnce()) {
        here.set("a", "still here");
        here.save();
        let mut more = Client::join(&self.nodes[0], "b", 3);
        more.set("c", "came");
        more.save();
        there.set("b", "alone");
        heal();
        come_back(&mut there, &self.nodes[1], BACK + NODE_PATIENCE);
        converge(&mut [here, there, more]);
        assert_eq!(
            Api::admin(&self.nodes[1]).get("/v1/boards/b/document").status,
            200
        );
    }
}

#[test]
fn of_two_nodes_that_are_cut_from_each_other_the_owner_goes_on_and_the_other_says_so() {
    let cluster = Cluster::with_lease(Duration::from_secs(10));
    let Some(apart) = Apart::start(&cluster) else {
        return println!("{SKIPPED}");
    };
    let [mut here, mut there] = apart.pair();
    apart.ways[0].cut();
    let begun = Instant::now();
    until(SOON, || !there.poll());
    assert!(begun.elapsed() < Duration::from_secs(1), "{:?}", begun.elapsed());
    here.poll();
    apart.refuses();
    apart.heals([here, there], || apart.ways[0].cut_after(None));
}

#[test]
fn a_node_that_no_packet_reaches_is_given_up_and_found_again() {
    let cluster = Cluster::with_lease(Duration::from_secs(10));
    let Some(apart) = Apart::start(&cluster) else {
        return println!("{SKIPPED}");
    };
    let [here, mut there] = apart.pair();
    apart.ways[0].hold(true);
    let begun = Instant::now();
    until(SOON, || !there.poll());
    assert!(begun.elapsed() < WATCH + SLACK, "{:?}", begun.elapsed());
    apart.refuses();
    apart.heals([here, there], || apart.ways[0].hold(false));
}

#[test]
fn a_slow_way_between_nodes_takes_longer_and_loses_nothing() {
    let cluster = Cluster::with_lease(Duration::from_secs(10));
    let Some(apart) = Apart::start(&cluster) else {
        return println!("{SKIPPED}");
    };
    apart.ways[0].delay(Duration::from_millis(100));
    let mut pair = apart.pair();
    let begun = Instant::now();
    for step in 0..50 {
        for client in &mut pair {
            client.set(&format!("{}", step % 5), &step.to_string());
            client.poll();
        }
    }
    converge(&mut pair);
    assert!(
        begun.elapsed() > Duration::from_millis(200),
        "it went there and back"
    );
    // It is looked at all the while, and never given up.
    assert!(
        !apart.nodes[1].log().contains("does not answer"),
        "{}",
        apart.nodes[1].log()
    );
}
