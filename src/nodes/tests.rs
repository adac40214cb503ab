//! Tests of `nodes`: two nodes in one process, over loopback.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use smol::Executor;
use smol::channel::{Receiver, Sender};

use super::acceptor::{Passed, Takes};
use super::*;
use crate::metrics::nodes::{Passing, Taking};
use crate::metrics::{CommitMetrics, Metrics, Readings, redis::RedisMetrics};
use crate::net::poller::Registered;
use crate::net::socket::Socket;
use crate::server::machine::Machine;

const HEAD: &[u8] = b"GET /ws/canvas/b HTTP/1.1\r\nHost: h\r\n\r\n";
const SOON: Duration = Duration::from_secs(10);
const SECOND: Duration = Duration::from_secs(1);

/// One executor and poller for all tests, on a thread of their own.
static MACHINE: LazyLock<(Arc<dyn Host>, Arc<Poller>)> = LazyLock::new(|| {
    let (poller, mut driver) = Poller::new().unwrap();
    let executor = Arc::new(Executor::new());
    let host = Machine::new(Arc::clone(&executor), Arc::clone(&poller));
    std::thread::spawn(move || driver.run(executor.run(std::future::pending::<()>())));
    (Arc::new(host), poller)
});

/// Takes everything but for the board that is not here, and hands it to the test.
struct Hands(Sender<Passed>);

impl Takes for Hands {
    fn is_here<'a>(&'a self, head: &'a [u8]) -> std::pin::Pin<Box<dyn Future<Output = bool> + Send + 'a>> {
        Box::pin(std::future::ready(!head.starts_with(b"GET /elsewhere")))
    }

    fn take(&self, passed: Passed) {
        drop(self.0.try_send(passed));
    }
}

/// A node that listens.
struct Node {
    nodes: Arc<Nodes>,
    metrics: Metrics,
    address: String,
    passed: Receiver<Passed>,
}

fn settings(address: &str, secret: u8) -> Settings {
    Settings {
        address: address.into(),
        secret: Secret::new([secret; 32]),
        connections: 600,
    }
}

impl Node {
    fn start(secret: u8) -> Self {
        let free = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = free.local_addr().unwrap().to_string();
        drop(free);
        let (host, poller) = &*MACHINE;
        let metrics = Metrics::new(&CommitMetrics::default(), &RedisMetrics::default());
        let nodes = Nodes::new(
            settings(&address, secret),
            Arc::clone(host),
            Arc::clone(poller),
            metrics.nodes().clone(),
        );
        let (sender, passed) = smol::channel::unbounded();
        let listener = acceptor::listen(&address, poller).unwrap();
        let accepting = Arc::clone(&nodes).accept(listener, Arc::new(Hands(sender)));
        host.start(Box::pin(accepting));
        Self {
            nodes,
            metrics,
            address,
            passed,
        }
    }

    fn metric(&self, series: &str) -> u64 {
        let text = self.metrics.encode(&Readings::default()).unwrap();
        let line = text
            .lines()
            .find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
        line.unwrap_or_else(|| panic!("no {series}")).parse().unwrap()
    }

    fn passings(&self, outcome: Passing) -> u64 {
        let outcome = outcome.as_str();
        self.metric(&format!("boardwire_forwards_total{{outcome=\"{outcome}\"}}"))
    }

    fn takings(&self, outcome: Taking) -> u64 {
        let outcome = outcome.as_str();
        self.metric(&format!(
            "boardwire_forwards_received_total{{outcome=\"{outcome}\"}}"
        ))
    }

    fn offer(&self, to: &str) -> Result<Passage, NotPassed> {
        self.offer_head(to, HEAD)
    }

    fn offer_head(&self, to: &str, head: &[u8]) -> Result<Passage, NotPassed> {
        let client = "192.0.2.7".parse().unwrap();
        smol::block_on(self.nodes.offer(to, (client, head), limits::NODE_PATIENCE))
    }

    fn receive(&self) -> Passed {
        smol::block_on(within(SOON, self.passed.recv())).unwrap().unwrap()
    }
}

async fn within<T>(time: Duration, work: impl Future<Output = T>) -> Option<T> {
    crate::net::within(time, work).await.ok()
}

#[track_caller]
fn until(time: Duration, mut condition: impl FnMut() -> bool) {
    let end = Instant::now() + time;
    while !condition() {
        assert!(Instant::now() < end, "it did not come within {time:?}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// A client's connection: the server's end of it, and the client's.
fn client() -> (Socket, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let theirs = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    theirs.set_read_timeout(Some(SOON)).unwrap();
    let ours = listener.accept().unwrap().0;
    ours.set_nonblocking(true).unwrap();
    let ours = mio::net::TcpStream::from_std(ours);
    (Socket::new(Registered::new(ours, &MACHINE.1).unwrap()), theirs)
}

/// A connection that is passed on: the client, and what the owner got.
fn carried(a: &Node, b: &Node) -> (TcpStream, Passed) {
    let passage = a.offer(&b.address).unwrap();
    let (ours, theirs) = client();
    let carrying = passage.carry(ours);
    a.nodes.host.start(Box::pin(carrying));
    (theirs, b.receive())
}

async fn take(socket: &mut Socket, bytes: usize) -> Vec<u8> {
    dial::fill(socket, bytes).await.unwrap();
    let taken = socket.ahead().to_vec();
    socket.use_ahead(bytes);
    taken
}

/// Whether the owner's end sees an end, or that it was cut, within a second.
fn is_over(owner: &mut Socket) -> bool {
    let seen = smol::block_on(within(SECOND, async {
        while matches!(owner.receive(1024).await, Ok(1..)) {
            owner.use_ahead(usize::MAX);
        }
    }));
    seen.is_some()
}

#[test]
fn a_request_is_passed_on_with_its_head_and_the_clients_address() {
    let (a, b) = (Node::start(1), Node::start(1));
    let (mut client, mut passed) = carried(&a, &b);
    assert_eq!(passed.head, HEAD);
    assert_eq!(passed.client, "192.0.2.7".parse::<std::net::IpAddr>().unwrap());
    client.write_all(b"to the owner").unwrap();
    assert_eq!(smol::block_on(take(&mut passed.socket, 12)), b"to the owner");
    smol::block_on(passed.socket.send_all(b"to the client")).unwrap();
    let mut got = [0; 13];
    client.read_exact(&mut got).unwrap();
    assert_eq!(&got, b"to the client");
    assert_eq!(a.metric("boardwire_forwarded_connections"), 1);
    assert_eq!(b.metric("boardwire_forwarded_connections_received"), 1);
    // What was sent may be there before it is counted.
    until(SOON, || {
        a.metric("boardwire_forwarded_to_owner_bytes_total") == 12
            && a.metric("boardwire_forwarded_to_client_bytes_total") == 13
    });
    assert_eq!((a.passings(Passing::Passed), b.takings(Taking::Taken)), (1, 1));
    drop((client, passed));
    until(SOON, || a.metric("boardwire_forwarded_connections") == 0);
    assert_eq!(b.metric("boardwire_forwarded_connections_received"), 0);
    until(SOON, || a.nodes.watch.is_empty());
}

#[test]
fn what_was_received_ahead_goes_first_and_large_things_go_whole() {
    let (a, b) = (Node::start(1), Node::start(1));
    let passage = a.offer(&b.address).unwrap();
    let (mut ours, mut client) = client();
    client.write_all(b"ahead, ").unwrap();
    smol::block_on(dial::fill(&mut ours, 7)).unwrap();
    a.nodes.host.start(Box::pin(passage.carry(ours)));
    let mut passed = b.receive();
    client.write_all(b"behind").unwrap();
    assert_eq!(smol::block_on(take(&mut passed.socket, 13)), b"ahead, behind");
    let large: Vec<u8> = (0..20_000_000_u32)
        .map(|n| n.to_le_bytes()[n as usize % 3])
        .collect();
    let expected = large.clone();
    let reading = std::thread::spawn(move || {
        let mut got = vec![0; expected.len()];
        client.read_exact(&mut got).unwrap();
        assert!(got == expected);
        client.write_all(&expected).unwrap();
        client
    });
    smol::block_on(passed.socket.send_all(&large)).unwrap();
    assert!(smol::block_on(take(&mut passed.socket, large.len())) == large);
    drop(reading.join().unwrap());
    assert_eq!(a.nodes.waiting.bytes(), 0);
}

#[test]
fn the_end_of_one_way_is_passed_on_and_the_other_goes_on() {
    let (a, b) = (Node::start(1), Node::start(1));
    let (mut client, mut passed) = carried(&a, &b);
    client.write_all(b"question").unwrap();
    client.shutdown(Shutdown::Write).unwrap();
    assert_eq!(smol::block_on(take(&mut passed.socket, 8)), b"question");
    assert_eq!(
        smol::block_on(passed.socket.receive(1)).unwrap(),
        0,
        "its end came"
    );
    std::thread::sleep(Duration::from_millis(50));
    smol::block_on(passed.socket.send_all(b"answer")).unwrap();
    passed.socket.end().unwrap();
    let mut got = String::new();
    client.read_to_string(&mut got).unwrap();
    assert_eq!(got, "answer");
    until(SECOND, || a.metric("boardwire_forwarded_connections") == 0);
}

#[test]
fn a_cut_on_either_side_is_seen_on_the_other_within_a_second() {
    let (a, b) = (Node::start(1), Node::start(1));
    for unread in [false, true] {
        // The client is gone; with bytes that it has not read it is a reset.
        let (client, mut passed) = carried(&a, &b);
        if unread {
            smol::block_on(passed.socket.send_all(b"never read")).unwrap();
            client.peek(&mut [0]).unwrap();
        }
        drop(client);
        assert!(is_over(&mut passed.socket), "unread: {unread}");
        drop(passed);
        // The owner is gone.
        let (mut client, mut passed) = carried(&a, &b);
        if unread {
            client.write_all(b"never read").unwrap();
            smol::block_on(passed.socket.readable()).unwrap();
        }
        drop(passed);
        client.set_read_timeout(Some(SECOND)).unwrap();
        match client.read(&mut [0; 8]) {
            Ok(0) => {}
            Ok(_) => panic!("nothing was sent"),
            Err(error) => assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset),
        }
        drop(client);
        until(SOON, || a.metric("boardwire_forwarded_connections") == 0);
    }
}

/// Writes until nothing is taken for a while; gives how much was.
fn fill_up(mut stream: &TcpStream) -> usize {
    stream.set_nonblocking(true).unwrap();
    let (mut sent, mut last) = (0, Instant::now());
    while last.elapsed() < Duration::from_millis(300) {
        match stream.write(&[7; 65_536]) {
            Ok(n) => (sent, last) = (sent + n, Instant::now()),
            Err(_) => std::thread::sleep(Duration::from_millis(5)),
        }
    }
    stream.set_nonblocking(false).unwrap();
    sent
}

#[test]
fn a_slow_reader_slows_the_writer_and_memory_stays_bounded() {
    let (a, b) = (Node::start(1), Node::start(1));
    let (client, mut passed) = carried(&a, &b);
    let sent = fill_up(&client);
    let waiting = a.nodes.waiting.bytes();
    assert!((1..=limits::FORWARD_BYTES).contains(&waiting), "{waiting}");
    assert_eq!(a.metric("boardwire_forwarded_waiting_bytes"), waiting as u64);
    // The kernel holds the rest, and lets nobody send for ever.
    assert!(sent < 64 << 20, "{sent}");
    let all = smol::block_on(take(&mut passed.socket, sent));
    assert!(all.iter().all(|byte| *byte == 7));
    assert_eq!(a.nodes.waiting.bytes(), 0);
    // The other way, and the cut is seen although it is not read.
    let sending = async {
        while within(Duration::from_millis(300), passed.socket.send_all(&[7; 65_536]))
            .await
            .is_some()
        {}
    };
    smol::block_on(sending);
    let waiting = a.nodes.waiting.bytes();
    assert!((1..=limits::FORWARD_BYTES).contains(&waiting), "{waiting}");
    drop(client);
    until(SECOND, || a.metric("boardwire_forwarded_connections") == 0);
    assert_eq!(a.nodes.waiting.bytes(), 0);
}

#[test]
fn a_reset_is_seen_of_a_side_that_is_not_read() {
    let (a, b) = (Node::start(1), Node::start(1));
    let (client, passed) = carried(&a, &b);
    fill_up(&client);
    assert!(a.nodes.waiting.bytes() > 0, "it is not read any more");
    rustix::net::sockopt::set_socket_linger(&client, Some(Duration::ZERO)).unwrap();
    drop(client);
    until(SECOND, || a.metric("boardwire_forwarded_connections") == 0);
    drop(passed);
}

#[test]
fn a_node_that_has_ended_leaves_no_client_behind() {
    let (a, b) = (Node::start(1), Node::start(1));
    let (mut client, passed) = carried(&a, &b);
    let began = Instant::now();
    passed.socket.end().unwrap();
    assert_eq!(client.read(&mut [0]).unwrap(), 0);
    // It does not end its own half.
    until(SOON, || a.metric("boardwire_forwarded_connections") == 0);
    assert!(began.elapsed() >= limits::LINGER_TIME_MAX);
    drop((client, passed));
}

#[test]
fn idle_ones_cost_little_and_hold_nothing() {
    let (a, b) = (Node::start(1), Node::start(1));
    assert!(size_of::<Carrying>() <= 320, "{}", size_of::<Carrying>());
    let mut all: Vec<_> = (0..50).map(|_| carried(&a, &b)).collect();
    for (client, passed) in &mut all {
        client.write_all(&[7; 5_000]).unwrap();
        smol::block_on(take(&mut passed.socket, 5_000));
        smol::block_on(passed.socket.send_all(&[7; 5_000])).unwrap();
        client.read_exact(&mut [0; 5_000]).unwrap();
    }
    assert_eq!(a.metric("boardwire_forwarded_connections"), 50);
    assert_eq!(a.nodes.waiting.bytes(), 0);
}

#[test]
fn another_secret_is_refused_and_so_is_another_name() {
    let (a, b, c) = (Node::start(1), Node::start(2), Node::start(1));
    assert_eq!(a.offer(&b.address).unwrap_err(), NotPassed::Refused);
    assert_eq!((a.passings(Passing::Refused), b.takings(Taking::Refused)), (1, 1));
    assert!(b.passed.is_empty());
    // It is itself by another name than it was told.
    let other = c.address.replace("127.0.0.1", "localhost");
    assert_eq!(a.offer(&other).unwrap_err(), NotPassed::Refused);
    assert!(a.offer(&c.address).is_ok());
}

#[test]
fn who_has_not_the_board_says_so_and_nothing_is_taken() {
    let (a, b) = (Node::start(1), Node::start(1));
    let offered = a.offer_head(&b.address, b"GET /elsewhere HTTP/1.0\r\n\r\n");
    assert_eq!(offered.unwrap_err(), NotPassed::NotOwner);
    assert_eq!(
        (a.passings(Passing::NotOwner), b.takings(Taking::NotOwner)),
        (1, 1)
    );
    assert!(b.passed.is_empty());
    assert_eq!((a.nodes.passed.open(), b.nodes.taken.open()), (0, 0));
}

#[test]
fn who_says_nothing_is_closed_after_its_time() {
    let b = Node::start(1);
    let began = Instant::now();
    let mut silent = TcpStream::connect(&b.address).unwrap();
    let mut slow = TcpStream::connect(&b.address).unwrap();
    silent.set_read_timeout(Some(SOON)).unwrap();
    silent.read_exact(&mut [0; 32]).unwrap();
    slow.read_exact(&mut [0; 32]).unwrap();
    slow.write_all(&[0, 0, 1, 0, 1]).unwrap();
    assert_eq!(silent.read(&mut [0]).unwrap(), 0);
    assert!(began.elapsed() >= limits::NODE_HANDSHAKE_TIME_MAX);
    assert!(began.elapsed() < limits::NODE_HANDSHAKE_TIME_MAX + SECOND);
    until(SECOND, || b.takings(Taking::Late) == 2);
    // Who hangs up by itself only looked.
    drop(TcpStream::connect(&b.address).unwrap());
    // Nonsense is refused at once, with a byte.
    let mut wrong = TcpStream::connect(&b.address).unwrap();
    wrong.read_exact(&mut [0; 32]).unwrap();
    wrong.write_all(b"GET / HTTP/1.1\r\n\r\n").unwrap();
    let mut answer = [0];
    wrong.read_exact(&mut answer).unwrap();
    assert_eq!(answer, [handshake::Answer::Refused.byte()]);
    assert_eq!(b.takings(Taking::Refused), 1);
    assert_eq!(b.takings(Taking::Late), 2);
    drop(wrong);
    until(SOON, || b.nodes.greeted.open() == 0);
}

#[test]
fn past_the_bounds_it_is_busy() {
    let (a, b) = (Node::start(1), Node::start(1));
    let hold = |count: &Arc<Count>| std::iter::from_fn(|| count.enter()).collect::<Vec<_>>();
    let mut taken = hold(&b.nodes.taken);
    assert_eq!(taken.len(), 600);
    assert_eq!(a.offer(&b.address).unwrap_err(), NotPassed::Busy);
    taken.pop();
    let only = a.offer(&b.address).unwrap();
    drop(taken);
    let greeted = hold(&b.nodes.greeted);
    assert_eq!(greeted.len(), limits::NODE_HANDSHAKES_MAX);
    assert_eq!(a.offer(&b.address).unwrap_err(), NotPassed::Busy);
    assert_eq!(b.takings(Taking::Busy), 2);
    drop((greeted, only));
    let passed = hold(&a.nodes.passed);
    assert_eq!(a.offer(&b.address).unwrap_err(), NotPassed::Busy);
    drop(passed);
    assert!(a.offer(&b.address).is_ok());
}

#[test]
fn who_cannot_be_reached_is_said_in_time() {
    let a = Node::start(1);
    let free = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = free.local_addr().unwrap().to_string();
    // It accepts, and does not greet.
    let began = Instant::now();
    assert_eq!(a.offer(&address).unwrap_err(), NotPassed::Unreachable);
    assert!(began.elapsed() >= limits::NODE_HANDSHAKE_TIME_MAX);
    drop(free);
    for to in [&address, "no-such-node.invalid:9", "nonsense"] {
        let began = Instant::now();
        assert_eq!(a.offer(to).unwrap_err(), NotPassed::Unreachable, "{to}");
        assert!(began.elapsed() < SOON);
    }
    assert_eq!(a.nodes.passed.open(), 0);
}

/// A node by hand: it greets, takes the offer as it comes, and says `answer`.
fn by_hand(listener: &TcpListener, answer: &[u8]) -> TcpStream {
    let mut stream = listener.accept().unwrap().0;
    stream.write_all(&[9; 32]).unwrap();
    let mut count = [0; 4];
    stream.read_exact(&mut count).unwrap();
    let mut offer = vec![0; u32::from_be_bytes(count) as usize];
    stream.read_exact(&mut offer).unwrap();
    stream.write_all(answer).unwrap();
    stream
}

#[test]
fn a_node_that_gives_no_answer_may_be_doing_it() {
    let a = Node::start(1);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let other = std::thread::spawn(move || {
        drop(by_hand(&listener, b""));
        drop(by_hand(&listener, b"?"));
    });
    assert_eq!(a.offer(&address).unwrap_err(), NotPassed::Unanswered);
    assert_eq!(a.offer(&address).unwrap_err(), NotPassed::Refused);
    other.join().unwrap();
}

#[test]
fn what_was_passed_on_to_a_node_that_hangs_is_cut() {
    let a = Node::start(1);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let other = std::thread::spawn(move || (by_hand(&listener, b"T"), listener));
    let passage = a.offer(&address).unwrap();
    let (ours, mut client) = client();
    a.nodes.host.start(Box::pin(passage.carry(ours)));
    // From now on its kernel accepts and acknowledges, and nobody is there.
    let kept = other.join().unwrap();
    let began = Instant::now();
    assert_eq!(client.read(&mut [0]).unwrap(), 0, "it is cut");
    let most = (limits::NODE_LOOK_EVERY + limits::NODE_HANDSHAKE_TIME_MAX) * 2 + SECOND;
    assert!(
        began.elapsed() >= limits::NODE_HANDSHAKE_TIME_MAX * 2,
        "one miss is none"
    );
    assert!(began.elapsed() < most, "{:?}", began.elapsed());
    assert_eq!(a.metric("boardwire_forwarded_cut_total"), 1);
    drop((kept, client));
    until(SOON, || a.nodes.watch.is_empty());
}

#[test]
fn a_node_that_is_there_is_left_alone_and_all_are_cut_at_the_end() {
    let (a, b) = (Node::start(1), Node::start(1));
    let (mut client, mut passed) = carried(&a, &b);
    std::thread::sleep(limits::NODE_LOOK_EVERY * 3);
    client.write_all(b"still").unwrap();
    assert_eq!(smol::block_on(take(&mut passed.socket, 5)), b"still");
    assert_eq!(
        (b.takings(Taking::Late), b.takings(Taking::Refused)),
        (0, 0),
        "a look is none"
    );
    a.nodes.cut_all();
    assert_eq!(client.read(&mut [0]).unwrap(), 0);
    assert!(is_over(&mut passed.socket));
}

/// Round trips of a hundred bytes, one after the other; gives them sorted.
fn round_trips(mut client: TcpStream) -> Vec<Duration> {
    client.set_nodelay(true).unwrap();
    let mut took: Vec<Duration> = (0..2_000)
        .map(|_| {
            let began = Instant::now();
            client.write_all(&[7; 100]).unwrap();
            client.read_exact(&mut [0; 100]).unwrap();
            began.elapsed()
        })
        .collect();
    took.sort_unstable();
    took
}

/// Sends back what comes, a hundred bytes at a time.
fn echo(mut stream: TcpStream) {
    stream.set_nodelay(true).unwrap();
    let mut bytes = [0; 100];
    while stream.read_exact(&mut bytes).is_ok() && stream.write_all(&bytes).is_ok() {}
}

fn pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let theirs = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    theirs.set_nodelay(true).unwrap();
    (listener.accept().unwrap().0, theirs)
}

/// Processor time of this process.
fn processor_time() -> Duration {
    let threads = std::fs::read_dir("/proc/self/task")
        .into_iter()
        .flatten()
        .flatten();
    let of = |text: String| text.split(' ').next().and_then(|ns| ns.parse().ok()).unwrap_or(0);
    let all = threads.filter_map(|thread| std::fs::read_to_string(thread.path().join("schedstat")).ok());
    Duration::from_nanos(all.map(of).sum())
}

/// Alone and with `--nocapture` it prints what a hop costs, against a relay of two threads that copy. What
/// it fails by is a hop that waits for something: an acknowledgement, a timer or another thread's look.
#[test]
fn a_hop_waits_for_nothing() {
    let measured = |name: &str, client: TcpStream| {
        let began = processor_time();
        let took = round_trips(client);
        let each = (processor_time() - began) / 2_000;
        println!(
            "{name}: p50 {:?}, p99 {:?}, processor time {each:?}",
            took[1_000], took[1_980]
        );
        took[1_000]
    };
    let (owner, direct) = pair();
    std::thread::spawn(move || echo(owner));
    let direct = measured("direct", direct);
    let ((owner, there), (here, relayed)) = (pair(), pair());
    std::thread::spawn(move || echo(owner));
    for (from, to) in [(&here, &there), (&there, &here)] {
        let (mut from, mut to) = (from.try_clone().unwrap(), to.try_clone().unwrap());
        std::thread::spawn(move || {
            let mut bytes = [0; 16_384];
            while let Ok(n @ 1..) = from.read(&mut bytes) {
                to.write_all(&bytes[..n]).unwrap();
            }
        });
    }
    let relayed = measured("a bare relay", relayed);
    let a = Node::start(1);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let owner = std::thread::spawn(move || (by_hand(&listener, b"T"), listener));
    let passage = a.offer(&address).unwrap();
    let (owner, _listener) = owner.join().unwrap();
    std::thread::spawn(move || echo(owner));
    let (ours, client) = client();
    a.nodes.host.start(Box::pin(passage.carry(ours)));
    let hop = measured("a hop", client);
    assert!(
        hop < direct + relayed + Duration::from_millis(10),
        "{hop:?}, {relayed:?}, {direct:?}"
    );
}
