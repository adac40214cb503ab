//! Test support: a way to somewhere else that is cut, held up and led elsewhere. Used by tests of the library
//! and by those in `tests/it`.
//!
//! Owns [`Proxy`]. What a database says is counted by its messages that end something: a statement, or the
//! waiting for one. A cut takes the whole connection, and what the server was told before is done there.
#![allow(dead_code, reason = "either of the two uses a part of it")]

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, Weak};
use std::thread;
use std::time::Duration;

/// What was committed, and that the next statement may come.
const COUNTED: [u8; 2] = [b'C', b'Z'];

/// Reads what goes through together.
type Reads = fn(&TcpStream) -> Option<Vec<u8>>;

/// A port that leads to another one.
pub(crate) struct Proxy {
    port: u16,
    way: Arc<Way>,
}

struct Way {
    now: Mutex<Now>,
    changed: Condvar,
}

struct Now {
    to: SocketAddr,
    /// How many more messages of a database go through; `None`: all.
    left: Option<u64>,
    /// Nothing goes through, and nothing is lost.
    is_held: bool,
    /// How much later everything comes.
    delay: Duration,
    /// What is said otherwise than by the server.
    lie: Option<[Vec<u8>; 2]>,
    open: Vec<Weak<TcpStream>>,
}

fn local(port: u16) -> SocketAddr {
    (Ipv4Addr::LOCALHOST, port).into()
}

impl Proxy {
    /// From any free port to a database at this one.
    pub(crate) fn to(port: u16) -> Self {
        Self::listening(local(0), local(port), message)
    }

    /// From one address to another, whatever passes.
    pub(crate) fn between(from: SocketAddr, to: SocketAddr) -> Self {
        Self::listening(from, to, bytes)
    }

    fn listening(from: SocketAddr, to: SocketAddr, reads: Reads) -> Self {
        let listener = TcpListener::bind(from).unwrap();
        let now = Now {
            to,
            left: None,
            is_held: false,
            delay: Duration::ZERO,
            lie: None,
            open: Vec::new(),
        };
        let way = Arc::new(Way {
            now: Mutex::new(now),
            changed: Condvar::new(),
        });
        let proxy = Self {
            port: listener.local_addr().unwrap().port(),
            way: Arc::clone(&way),
        };
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let to = way.now().to;
                if let (Ok(server), true) = (TcpStream::connect(to), way.is_open()) {
                    carry(client, server, &way, reads);
                }
            }
        });
        proxy
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Lets so many more messages through, and then cuts each connection.
    pub(crate) fn cut_after(&self, count: Option<u64>) {
        self.way.now().left = count;
    }

    /// Cuts all connections now, and each that comes.
    pub(crate) fn cut(&self) {
        let mut now = self.way.now();
        now.left = Some(0);
        for stream in now.open.drain(..).filter_map(|stream| stream.upgrade()) {
            drop(stream.shutdown(Shutdown::Both));
        }
    }

    /// Lets nothing through until told, as a network does that drops all packets.
    pub(crate) fn hold(&self, is_held: bool) {
        self.way.now().is_held = is_held;
        self.way.changed.notify_all();
    }

    /// Lets everything through so much later.
    pub(crate) fn delay(&self, by: Duration) {
        self.way.now().delay = by;
    }

    /// Says the one in the server's messages where that says the other, which is as long.
    pub(crate) fn lie(&self, said: &[u8], told: &[u8]) {
        assert_eq!(said.len(), told.len());
        self.way.now().lie = Some([said.to_vec(), told.to_vec()]);
    }

    /// Leads whoever comes from now on elsewhere.
    pub(crate) fn lead_to(&self, port: u16) {
        self.way.now().to = local(port);
    }
}

impl Way {
    fn now(&self) -> MutexGuard<'_, Now> {
        self.now.lock().unwrap()
    }

    fn is_open(&self) -> bool {
        self.now().left != Some(0)
    }

    /// Waits for as long as it takes; whether it may go on.
    fn pass(&self, is_counted: bool) -> bool {
        let now = self.now();
        let mut now = self.changed.wait_while(now, |now| now.is_held).unwrap();
        let delay = now.delay;
        if is_counted {
            match &mut now.left {
                Some(0) => return false,
                Some(left) => *left -= 1,
                None => {}
            }
        }
        drop(now);
        thread::sleep(delay);
        true
    }
}

fn carry(client: TcpStream, server: TcpStream, way: &Arc<Way>, reads: Reads) {
    let ends = [client, server].map(Arc::new);
    let mut now = way.now();
    now.open.retain(|stream| stream.strong_count() > 0);
    for end in &ends {
        end.set_nodelay(true).unwrap();
        now.open.push(Arc::downgrade(end));
    }
    drop(now);
    let [client, server] = ends;
    let back = (Arc::clone(&server), Arc::clone(&client));
    let both: [(_, Reads, _); 2] = [((client, server), bytes, false), (back, reads, true)];
    for ((from, to), reads, is_back) in both {
        let way = Arc::clone(way);
        thread::spawn(move || {
            while let Some(mut some) = reads(&from) {
                if let (true, Some([said, told])) = (is_back, &way.now().lie)
                    && let Some(at) = some.windows(said.len()).position(|part| part == said)
                {
                    some[at..at + told.len()].copy_from_slice(told);
                }
                let is_counted = is_back && COUNTED.contains(&some[0]);
                if !way.pass(is_counted) || (&*to).write_all(&some).is_err() {
                    break;
                }
            }
            drop((from.shutdown(Shutdown::Both), to.shutdown(Shutdown::Both)));
        });
    }
}

/// What has come.
fn bytes(mut from: &TcpStream) -> Option<Vec<u8>> {
    let mut some = vec![0; 16 * 1024];
    let read = from.read(&mut some).ok().filter(|read| *read > 0)?;
    some.truncate(read);
    Some(some)
}

/// One message of a database: its kind, its length, and the rest.
fn message(mut server: &TcpStream) -> Option<Vec<u8>> {
    let mut head = [0; 5];
    server.read_exact(&mut head).ok()?;
    let length = u32::from_be_bytes(head[1..].try_into().unwrap());
    let mut message = head.to_vec();
    message.resize(length as usize + 1, 0);
    server.read_exact(&mut message[5..]).ok()?;
    Some(message)
}
