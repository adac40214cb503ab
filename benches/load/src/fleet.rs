//! Many clients on one thread: they connect, do what a stock client does at the start, send and receive.
//!
//! Owns the sockets and what is to be sent on them. Must not know what a scenario counts: it hands on each
//! message with the time it came at. Key invariants: no copy and no allocation for a frame that is sent or
//! that came whole; a frame is never sent in the middle of another one.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream, ToSocketAddrs};
use std::time::{Duration, Instant};

use rustix::buffer::spare_capacity;

use crate::poll::{Interest, Poll, Ready};
use crate::updates::{EMPTY_STEP_2, Message, STEP_1, Series};
use crate::ws::{self, Header, opcode};

const BUFFER_BYTES: usize = 512 * 1024;
/// At most so many connect at a time: a listener's queue is short.
const CONNECTING_MAX: usize = 64;
const CONNECT_TIMEOUT: Duration = Duration::from_secs(20);

/// Whether the server speaks Yjs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dialect {
    /// Steps 1 and 2 at the start, as y-websocket does.
    Yjs,
    /// It sends on what comes: nothing is said at the start.
    Bare,
}

/// Where a server is: `ws://HOST:PORT/path/{room}?query`.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    pub(crate) host: String,
    pub(crate) path: String,
    pub(crate) dialect: Dialect,
    address: SocketAddr,
}

impl Target {
    pub(crate) fn parse(url: &str, dialect: Dialect) -> Result<Self, String> {
        let rest = url.strip_prefix("ws://");
        let rest = rest.ok_or_else(|| format!("{url}: an address starts with ws://"))?;
        if !rest.contains("{room}") {
            return Err(format!("{url}: {{room}} says where the name of a board goes"));
        }
        let (host, path) = rest
            .split_once('/')
            .ok_or_else(|| format!("{url}: there is no path"))?;
        let mut addresses = host
            .to_socket_addrs()
            .map_err(|error| format!("{host}: {error}"))?;
        Ok(Self {
            host: host.to_owned(),
            path: format!("/{path}"),
            dialect,
            address: addresses.next().ok_or_else(|| format!("{host}: no address"))?,
        })
    }

    pub(crate) fn connect(&self) -> io::Result<TcpStream> {
        TcpStream::connect_timeout(&self.address, CONNECT_TIMEOUT)
    }
}

/// How far a client is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// It waits for the answer to its upgrade,
    Upgrading,
    /// then for step 2.
    Joining,
    Open,
    Closed,
}

struct Client {
    socket: TcpStream,
    state: State,
    /// What came and is not a whole frame yet.
    partial: Vec<u8>,
    /// What goes out between two frames of the feed, and how much of it has gone.
    out: Vec<u8>,
    out_sent: usize,
    /// Which series it sends, how many bytes of it have gone, and how many are due.
    series: usize,
    fed: usize,
    due: usize,
    interest: Interest,
}

/// What happened on a client.
#[derive(Debug)]
pub(crate) enum Event<'a> {
    /// Step 2 is here whole, of so many bytes; from a bare server, the upgrade.
    Joined(usize),
    /// A change came.
    Update(&'a [u8]),
    /// The server asks again, refuses or ends: something was wrong.
    Asked,
    Denied,
    Closed,
}

/// The clients.
pub(crate) struct Fleet {
    target: Target,
    base: Instant,
    poll: Poll,
    clients: Vec<Client>,
    buffer: Vec<u8>,
    ready: Vec<Ready>,
}

impl Fleet {
    pub(crate) fn new(target: Target) -> io::Result<Self> {
        Ok(Self {
            target,
            base: Instant::now(),
            poll: Poll::new()?,
            clients: Vec::new(),
            buffer: vec![0; BUFFER_BYTES],
            ready: Vec::new(),
        })
    }

    /// Nanoseconds since the fleet was made.
    pub(crate) fn now(&self) -> u64 {
        self.base.elapsed().as_nanos() as u64
    }

    pub(crate) fn state(&self, id: usize) -> State {
        self.clients.get(id).map_or(State::Closed, |client| client.state)
    }

    /// Starts one more client; it has joined when its event says so. The number of it.
    pub(crate) fn connect(&mut self, room: &str) -> io::Result<usize> {
        let socket = self.target.connect()?;
        socket.set_nonblocking(true)?;
        socket.set_nodelay(true)?;
        let id = self.clients.len();
        self.poll.add(&socket, id)?;
        let path = self.target.path.replace("{room}", room);
        self.clients.push(Client {
            socket,
            state: State::Upgrading,
            partial: Vec::new(),
            out: ws::request(&self.target.host, &path),
            out_sent: 0,
            series: 0,
            fed: 0,
            due: 0,
            interest: Interest::Read,
        });
        self.flush(id, &[]);
        Ok(id)
    }

    /// Connects a client for each name, a few at a time, until all have joined.
    pub(crate) fn connect_all<'r>(
        &mut self,
        rooms: impl Iterator<Item = &'r String>,
        series: &[Series],
    ) -> io::Result<()> {
        let mut waiting = Vec::new();
        let mut rooms = rooms.peekable();
        let started = Instant::now();
        while rooms.peek().is_some() || !waiting.is_empty() {
            while waiting.len() < CONNECTING_MAX
                && let Some(room) = rooms.next()
            {
                waiting.push(self.connect(room)?);
            }
            self.turn(Some(Duration::from_millis(100)), series, &mut |_, _, _| {})?;
            if waiting.iter().any(|id| self.state(*id) == State::Closed) {
                return Err(io::Error::other(
                    "the server closed a connection that was joining",
                ));
            }
            waiting.retain(|id| self.state(*id) != State::Open);
            if started.elapsed() > CONNECT_TIMEOUT * 3 {
                return Err(io::Error::other("not all clients could join within a minute"));
            }
        }
        Ok(())
    }

    /// Says that a client's series is due up to byte `end`, and sends it unless the socket is full already.
    pub(crate) fn feed(&mut self, id: usize, all: &[Series], (series, end): (usize, usize)) {
        let Some(client) = self.clients.get_mut(id) else {
            return;
        };
        client.series = series;
        client.due = end;
        if client.interest == Interest::Read {
            self.flush(id, all);
        }
    }

    /// Queues a message of a client's own. It goes with `send_said`.
    pub(crate) fn say(&mut self, id: usize, payload: &[u8]) {
        if let Some(client) = self.clients.get_mut(id) {
            ws::put_client_frame(&mut client.out, opcode::BINARY, payload);
        }
    }

    pub(crate) fn send_said(&mut self, id: usize) {
        self.flush(id, &[]);
    }

    /// Ends a client.
    pub(crate) fn close(&mut self, id: usize) {
        let Some(client) = self
            .clients
            .get_mut(id)
            .filter(|client| client.state != State::Closed)
        else {
            return;
        };
        client.state = State::Closed;
        client.partial = Vec::new();
        client.out = Vec::new();
        self.poll.forget(&client.socket);
        // It fails where the other side was faster.
        client.socket.shutdown(Shutdown::Both).unwrap_or_default();
    }

    /// Sends what a client has to send, as far as its socket takes it: all that is due in one write.
    fn flush(&mut self, id: usize, series: &[Series]) {
        let Some(client) = self.clients.get_mut(id) else {
            return;
        };
        let interest = match client.send(series) {
            Ok(true) => Interest::Read,
            Ok(false) => Interest::ReadAndWrite,
            Err(_) => return client.state = State::Closed,
        };
        if interest != client.interest {
            client.interest = interest;
            self.poll.watch(&client.socket, id, interest).unwrap_or_default();
        }
    }

    /// One round: waits until something comes, reads it, and tells `tell` with the client and the time.
    pub(crate) fn turn(
        &mut self,
        timeout: Option<Duration>,
        series: &[Series],
        tell: &mut impl FnMut(usize, u64, Event<'_>),
    ) -> io::Result<()> {
        let mut ready = std::mem::take(&mut self.ready);
        self.poll.wait(&mut ready, timeout)?;
        for Ready { id, read, write } in ready.drain(..) {
            if read {
                self.receive(id, tell);
            }
            if write || self.clients.get(id).is_some_and(|client| !client.out.is_empty()) {
                self.flush(id, series);
            }
        }
        self.ready = ready;
        Ok(())
    }

    fn receive(&mut self, id: usize, tell: &mut impl FnMut(usize, u64, Event<'_>)) {
        let Some(client) = self.clients.get_mut(id) else {
            return;
        };
        if client.state == State::Closed {
            return;
        }
        let dialect = self.target.dialect;
        let whole = Header::read(&client.partial).map_or(0, |header| header.total());
        let is_large = client.partial.len().max(whole) + BUFFER_BYTES / 2 > BUFFER_BYTES;
        let result = if is_large {
            client
                .partial
                .reserve(whole.saturating_sub(client.partial.len()).max(BUFFER_BYTES));
            rustix::io::read(&client.socket, spare_capacity(&mut client.partial)).map_err(io::Error::from)
        } else {
            let waiting = client.partial.len();
            let (front, rest) = self.buffer.split_at_mut(waiting);
            front.copy_from_slice(&client.partial);
            (&client.socket).read(rest)
        };
        let now = self.base.elapsed().as_nanos() as u64;
        let used = match result {
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(()),
            Ok(0) | Err(_) => Err(()),
            Ok(_) if is_large => {
                let mut partial = std::mem::take(&mut client.partial);
                let used = client.take(&partial, dialect, &mut |event| tell(id, now, event));
                used.map(|used| {
                    partial.drain(..used);
                    client.partial = partial;
                })
            }
            Ok(got) => {
                let came = &self.buffer[..client.partial.len() + got];
                let used = client.take(came, dialect, &mut |event| tell(id, now, event));
                used.map(|used| {
                    client.partial.clear();
                    client.partial.extend_from_slice(&came[used..]);
                })
            }
        };
        if used.is_err() {
            self.close(id);
            tell(id, now, Event::Closed);
        }
    }
}

impl Client {
    /// Sends; whether everything went.
    fn send(&mut self, series: &[Series]) -> io::Result<bool> {
        loop {
            let feed = series.get(self.series);
            let boundary = feed.map_or(self.fed, |feed| feed.boundary(self.fed));
            let from_out = !self.out.is_empty() && boundary == self.fed;
            let next = match feed {
                _ if from_out => &self.out[self.out_sent..],
                // A frame that is half out goes first.
                Some(feed) if !self.out.is_empty() => feed.bytes(self.fed, boundary),
                Some(feed) => feed.bytes(self.fed, self.due),
                None => &[],
            };
            if next.is_empty() {
                return Ok(true);
            }
            let sent = match (&self.socket).write(next) {
                Ok(sent) => sent,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
                Err(error) => return Err(error),
            };
            if from_out {
                self.out_sent += sent;
                if self.out_sent == self.out.len() {
                    self.out.clear();
                    self.out_sent = 0;
                }
            } else {
                self.fed += sent;
            }
        }
    }

    /// Reads what is whole of what came. How many bytes that was; an error ends the client.
    fn take(
        &mut self,
        bytes: &[u8],
        dialect: Dialect,
        tell: &mut impl FnMut(Event<'_>),
    ) -> Result<usize, ()> {
        let mut at = 0;
        if self.state == State::Upgrading {
            let Some(end) = ws::head_end(bytes) else {
                return Ok(0);
            };
            if !bytes.starts_with(b"HTTP/1.1 101 ") {
                return Err(());
            }
            at = end;
            self.state = State::Joining;
            match dialect {
                Dialect::Yjs => ws::put_client_frame(&mut self.out, opcode::BINARY, &STEP_1),
                Dialect::Bare => {
                    self.state = State::Open;
                    tell(Event::Joined(0));
                }
            }
        }
        loop {
            let rest = &bytes[at..];
            let Some(header) = Header::read(rest).filter(|header| header.total() <= rest.len()) else {
                return Ok(at);
            };
            at += header.total();
            let payload = &rest[header.head..header.total()];
            match header.opcode {
                opcode::BINARY if header.fin => self.message(payload, tell),
                opcode::PING => ws::put_client_frame(&mut self.out, opcode::PONG, payload),
                opcode::PONG | opcode::TEXT => {}
                // Nor are messages in several frames understood: no server of Yjs sends any.
                _ => return Err(()),
            }
        }
    }

    fn message(&mut self, payload: &[u8], tell: &mut impl FnMut(Event<'_>)) {
        match Message::read(payload) {
            Message::Update(update) => tell(Event::Update(update)),
            Message::Step1 => {
                ws::put_client_frame(&mut self.out, opcode::BINARY, &EMPTY_STEP_2);
                if self.state == State::Open {
                    tell(Event::Asked);
                }
            }
            Message::Step2(update) if self.state == State::Joining => {
                self.state = State::Open;
                tell(Event::Joined(update.len()));
            }
            Message::Denied => tell(Event::Denied),
            Message::Step2(_) | Message::Other => {}
        }
    }
}
