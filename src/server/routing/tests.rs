//! Tests of `server::routing`: two whole nodes, each with a store of its own, so that it shows who answered.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use super::*;
use crate::access::Mode;
use crate::boards::harness;
use crate::http::forwarded::Cidr;
use crate::http::host::Served;
use crate::ids::UserId;
use crate::jwt::{Algorithm, Keys, NewClaims, Secret, Verifier, mint};
use crate::net::disposition::CloseCodes;
use crate::net::listener::Listener;
use crate::net::live::Changeable;
use crate::net::poller::Poller;
use crate::net::{self, Crowd, Shell};
use crate::nodes::{self, acceptor};
use crate::server::entrance::Entrance;
use crate::server::lifecycle;
use crate::server::machine::Machine;
use crate::server::requests::Site;
use crate::store::memory::MemoryStore;
use crate::store::ownership::NodeId;
use crate::time::UnixMillis;

const SECRET: &[u8] = b"0123456789abcdef0123456789abcdef";

/// Every board is at this node.
struct AllThere(String);

impl Routes for AllThere {
    fn elsewhere<'a>(&'a self, _: &'a BoardId) -> Elsewhere<'a> {
        let neighbour = Neighbour {
            node: NodeId(1),
            address: Some(self.0.clone()),
        };
        Box::pin(std::future::ready(Ok(Some(neighbour))))
    }

    fn forget(&self, _: &BoardId) {}

    fn is_serving(&self) -> bool {
        true
    }
}

/// Every board is here.
struct AllHere;

impl Routes for AllHere {
    fn elsewhere<'a>(&'a self, _: &'a BoardId) -> Elsewhere<'a> {
        Box::pin(std::future::ready(Ok(None)))
    }

    fn forget(&self, _: &BoardId) {}

    fn is_serving(&self) -> bool {
        true
    }
}

/// Nobody can find out.
struct NeverTold;

impl Routes for NeverTold {
    fn elsewhere<'a>(&'a self, _: &'a BoardId) -> Elsewhere<'a> {
        Box::pin(std::future::pending())
    }

    fn forget(&self, _: &BoardId) {}

    fn is_serving(&self) -> bool {
        true
    }
}

struct Node {
    listen: SocketAddr,
    site: Arc<Site>,
}

fn free() -> String {
    TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .to_string()
}

fn settings() -> net::Settings {
    net::Settings {
        asset_bytes: 1 << 20,
        outbox_bytes: 1 << 20,
        close_codes: CloseCodes::Plain,
        served: Served::Any,
        base_path: String::new(),
        sign_in: net::sign_in::Settings::default(),
    }
}

fn live() -> (Changeable, Crowd) {
    let keys = Keys::single(Secret::new(SECRET));
    let live = Changeable {
        verifier: Verifier::new(keys.clone()),
        keys,
        message_bytes: 1 << 20,
        body_bytes: 1 << 20,
        trusted_proxies: vec![Cidr::parse("127.0.0.1").unwrap()],
        origins: Vec::new(),
        metrics_token: None,
        login_url: None,
        frames: "'none'".to_owned(),
    };
    let crowd = Crowd {
        connections: 100,
        per_address: 1,
    };
    (live, crowd)
}

/// Starts a node that other nodes know as `address`.
fn start(address: &str, routes: Arc<dyn Routes>) -> Node {
    let dev = crate::boards::Settings {
        mode: Mode::Dev,
        ..harness::settings()
    };
    let (boards, executor) = harness::boards(dev, Arc::new(MemoryStore::default()));
    let (poller, mut driver) = Poller::new().unwrap();
    let host = Arc::new(Machine::new(Arc::clone(&executor), Arc::clone(&poller)));
    let metrics = Arc::clone(&boards.metrics);
    let settings_of_nodes = nodes::Settings {
        address: address.to_owned(),
        secret: Secret::new(SECRET),
        connections: 10,
    };
    let nodes = Nodes::new(
        settings_of_nodes,
        host,
        Arc::clone(&poller),
        metrics.nodes().clone(),
    );
    boards.start();
    let shell = Shell::new(settings(), live(), boards, metrics);
    let routing = Some(Routing {
        nodes: Arc::clone(&nodes),
        routes: Arc::clone(&routes),
    });
    let site = Arc::new(Site { shell, routing });
    let listener = Listener::bind("127.0.0.1:0".parse().unwrap(), &poller).unwrap();
    let listen = listener.address().unwrap();
    let entrance = acceptor::listen(address, &poller).unwrap();
    let takes = Entrance {
        site: Arc::clone(&site),
        routes,
    };
    executor.spawn(nodes.accept(entrance, Arc::new(takes))).detach();
    executor
        .spawn(lifecycle::accept(Arc::clone(&site), listener, None))
        .detach();
    thread::spawn(move || driver.run(executor.run(std::future::pending::<()>())));
    Node { listen, site }
}

/// A node that has no board, and the one that has them all.
fn two() -> (Node, Node) {
    let (a, b) = (free(), free());
    (
        start(&a, Arc::new(AllThere(b.clone()))),
        start(&b, Arc::new(AllHere)),
    )
}

fn token(node: &Node) -> String {
    let now = node.site.shell.now().unix;
    let end = UnixMillis(now.0 + 3_600_000);
    let claims = NewClaims::new(UserId::parse("ann").unwrap(), now, end);
    mint(&Secret::new(SECRET), Algorithm::Hs256, None, &claims.to_json())
}

fn connect(node: &Node) -> TcpStream {
    let stream = TcpStream::connect(node.listen).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    stream
}

/// Sends a request without waiting for the connection's end; gives the head of the answer.
fn head_of(stream: &mut TcpStream, request: &str) -> String {
    stream.write_all(request.as_bytes()).unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap();
        head.push(byte[0]);
    }
    String::from_utf8(head).unwrap()
}

fn upgrade(node: &Node, board: &str, address: &str) -> (TcpStream, String) {
    let mut stream = connect(node);
    let token = token(node);
    let request = format!(
        "GET /ws/canvas/{board}?token={token} HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nX-Forwarded-For: {address}\r\n\r\n"
    );
    let head = head_of(&mut stream, &request);
    (stream, head)
}

/// The first opcode and payload that come.
fn frame(stream: &mut TcpStream) -> (u8, Vec<u8>) {
    let mut start = [0; 2];
    stream.read_exact(&mut start).unwrap();
    assert!(start[1] < 126, "a short one");
    let mut payload = vec![0; start[1].into()];
    stream.read_exact(&mut payload).unwrap();
    (start[0] & 15, payload)
}

#[test]
fn a_websocket_is_served_by_the_node_that_has_the_board() {
    let (a, b) = two();
    let (mut stream, head) = upgrade(&a, "b", "192.0.2.1");
    assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
    assert_eq!(frame(&mut stream).0, 2, "a message of the protocol");
    assert_eq!((a.site.shell.doors.open(), b.site.shell.doors.open()), (0, 1));
    assert_eq!(
        (a.site.shell.boards.live_count(), b.site.shell.boards.live_count()),
        (0, 1)
    );
    // The client's address counts there, and not that of the node.
    let (mut second, head) = upgrade(&a, "b", "192.0.2.1");
    assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
    let denied = frame(&mut second).1;
    assert!(
        String::from_utf8_lossy(&denied).contains("too many"),
        "{denied:?}"
    );
    let (mut other, _) = upgrade(&a, "b", "192.0.2.2");
    assert_eq!(frame(&mut other).1.first(), Some(&0), "it syncs");
    assert_eq!(b.site.shell.doors.open(), 2);
    drop((stream, second, other));
    let end = Instant::now() + Duration::from_secs(1);
    while b.site.shell.doors.open() > 0 {
        assert!(Instant::now() < end, "the cut is seen within a second");
        thread::sleep(Duration::from_millis(2));
    }
}

#[test]
fn a_request_with_a_body_is_answered_by_it_and_the_connection_ends() {
    let (a, b) = two();
    drop(upgrade(&b, "b", "192.0.2.1"));
    let token = token(&a);
    let body = r#"{"title":"Passed on"}"#;
    let mut stream = connect(&a);
    let request = format!(
        "PATCH /v1/boards/b HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer {token}\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    assert!(
        answer.contains("Connection: close") && answer.contains("Passed on"),
        "{answer}"
    );
    // What is about no board is answered here, and the connection goes on.
    let mut stream = connect(&a);
    let head = head_of(&mut stream, "HEAD /health HTTP/1.1\r\nHost: h\r\n\r\n");
    assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
    let ask = format!("GET /v1/boards/b HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer {token}\r\n\r\n");
    assert!(head_of(&mut stream, &ask).starts_with("HTTP/1.1 200 "));
}

#[test]
fn a_request_is_passed_on_once_and_refused_where_nobody_takes_it() {
    let (a, b) = (free(), free());
    // Each believes that the other has it.
    let here = start(&a, Arc::new(AllThere(b.clone())));
    let there = start(&b, Arc::new(AllThere(a)));
    // A browser is told by a close code, everybody else by the answer.
    let (mut stream, head) = upgrade(&here, "b", "192.0.2.1");
    assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
    assert_eq!(frame(&mut stream).0, 2, "why");
    let (opcode, payload) = frame(&mut stream);
    assert_eq!((opcode, &payload[..2]), (8, &1001_u16.to_be_bytes()[..]));
    let ask = format!(
        "GET /v1/boards/b HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer {}\r\n\r\n",
        token(&here)
    );
    let head = head_of(&mut connect(&here), &ask);
    assert!(
        head.starts_with("HTTP/1.1 503 ") && head.contains("Retry-After: 1"),
        "{head}"
    );
    let told = |node: &Node| {
        let text = node.site.shell.metrics.encode(&Default::default()).unwrap();
        let series = "boardwire_forwards_received_total{outcome=\"not_owner\"} ";
        text.lines()
            .find_map(|line| line.strip_prefix(series).map(str::to_owned))
    };
    let count = |node| told(node).unwrap().parse::<u32>().unwrap();
    assert!(count(&there) > 3 && count(&here) == 0);
}

#[test]
fn what_is_about_no_board_does_not_come_in_from_a_node() {
    let b = free();
    let there = start(&b, Arc::new(AllHere));
    let routing = there.site.routing.as_ref().unwrap();
    let client = "127.0.0.1".parse().unwrap();
    for (target, is_taken) in [
        ("/metrics", false),
        ("/v1/boards", false),
        ("/health", false),
        ("/v1/boards/b", true),
    ] {
        let head = format!("GET {target} HTTP/1.1\r\nHost: h\r\n\r\n");
        let offered = smol::block_on(routing.nodes.offer(
            &b,
            (client, head.as_bytes()),
            limits::NODE_PATIENCE,
        ));
        assert_eq!(offered.is_ok(), is_taken, "{target}");
    }
}

/// A database that hangs holds its readers for half a minute.
#[test]
fn who_has_a_board_is_not_waited_for_longer_than_a_request_may() {
    let node = start(&free(), Arc::new(NeverTold));
    let begun = Instant::now();
    let token = token(&node);
    let request = format!("GET /v1/boards/b/document?token={token} HTTP/1.1\r\nHost: h\r\n\r\n");
    let asking = thread::spawn({
        let mut stream = connect(&node);
        move || head_of(&mut stream, &request)
    });
    let (mut stream, head) = upgrade(&node, "b", "192.0.2.1");
    assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
    // Its reason, as a message of the protocol, comes first.
    let mut told = frame(&mut stream);
    while told.0 != 8 {
        told = frame(&mut stream);
    }
    assert_eq!(told.1.get(..2), Some(&1011_u16.to_be_bytes()[..]));
    let answer = asking.join().unwrap();
    assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
    assert!(begun.elapsed() < limits::NODE_PATIENCE + Duration::from_secs(2));
}
