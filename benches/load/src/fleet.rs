//! Many clients on one thread: they connect, do what a stock client does at the start, send and receive.
//!
//! Owns the sockets and what is to be sent on them. Must not know what a scenario counts: it hands on each
//! message with the time it came at. Key invariants: no copy and no allocation for a frame that is sent or
//! that came whole; a frame is never sent in the middle of another one.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::rc::Rc;
use std::time::{Duration, Instant};

use rustix::buffer::spare_capacity;

use crate::poll::{Interest, Poll, Ready};
use crate::target::Target;
use crate::times::Times;
use crate::ws::{self, Header, opcode};
use crate::yjs::{self, Dialect, EMPTY_STEP_2, Feed, Message};

const BUFFER_BYTES: usize = 512 * 1024;
/// At most so many connect at a time: a listener's queue is short.
const CONNECTING_MAX: usize = 64;
const JOIN_TIMEOUT: Duration = Duration::from_secs(60);
/// What the kernel may hold for a client that reads slowly.
const SLOW_KERNEL_BYTES: usize = 16 * 1024;

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
    room: Rc<str>,
    state: State,
    /// When it began to connect, in nanoseconds.
    since: u64,
    /// What it has when it joins: client ids and clocks.
    clocks: Vec<(u64, u64)>,
    /// Whether the server has asked what it has; a second time is worth telling.
    was_asked: bool,
    /// Whether it reads only what it is told to.
    is_slow: bool,
    /// What came and is not a whole frame yet.
    partial: Vec<u8>,
    /// What goes out between two frames of the feed, and how much of it has gone.
    out: Vec<u8>,
    out_sent: usize,
    /// Which feed it sends, how many bytes of it have gone, and how many are due.
    feed: usize,
    fed: usize,
    due: usize,
    /// Whether the feed waits for what the server says it has.
    is_held: bool,
    interest: Interest,
}

/// What happened on a client.
#[derive(Debug)]
pub(crate) enum Event<'a> {
    /// Step 2 is here whole; from a bare server, the upgrade.
    Joined(&'a [u8]),
    /// A change came.
    Update(&'a [u8]),
    /// Presence came.
    Awareness(&'a [u8]),
    /// The server asks what this state vector lacks, for the first time since the client connected or again.
    Asked {
        vector: &'a [u8],
        again: bool,
    },
    /// The server says that it has taken an update.
    Taken,
    /// The server refuses or ends.
    Denied,
    Closed,
}

/// The clients.
pub(crate) struct Fleet {
    target: Target,
    base: Instant,
    poll: Poll,
    clients: Vec<Client>,
    /// Numbers that are free again.
    free: Vec<usize>,
    buffer: Vec<u8>,
    ready: Vec<Ready>,
    /// How long each took from the start of its connect until it had the board.
    pub(crate) joins: Times,
}

impl Fleet {
    pub(crate) fn new(target: Target) -> io::Result<Self> {
        Ok(Self {
            target,
            base: Instant::now(),
            poll: Poll::new()?,
            clients: Vec::new(),
            free: Vec::new(),
            buffer: vec![0; BUFFER_BYTES],
            ready: Vec::new(),
            joins: Times::default(),
        })
    }

    pub(crate) fn target(&self) -> &Target {
        &self.target
    }

    /// When its nanoseconds begin.
    pub(crate) fn base(&self) -> Instant {
        self.base
    }

    /// Nanoseconds since the fleet was made.
    pub(crate) fn now(&self) -> u64 {
        self.base.elapsed().as_nanos() as u64
    }

    pub(crate) fn state(&self, id: usize) -> State {
        self.clients.get(id).map_or(State::Closed, |client| client.state)
    }

    /// Starts one more client; it has joined when its event says so. The number of it.
    pub(crate) fn connect(&mut self, room: &Rc<str>) -> io::Result<usize> {
        let id = self.free.pop().unwrap_or(self.clients.len());
        let client = self.dial(room, id)?;
        match self.clients.get_mut(id) {
            Some(place) => *place = client,
            None => self.clients.push(client),
        }
        self.flush(id, &[]);
        Ok(id)
    }

    /// Connects a client that was closed, which has these clocks. What it feeds waits for the server's step
    /// 1.
    pub(crate) fn reconnect(&mut self, id: usize, clocks: Vec<(u64, u64)>) -> io::Result<()> {
        let Some(old) = self.clients.get(id) else {
            return Ok(());
        };
        let mut client = self.dial(&old.room.clone(), id)?;
        client.clocks = clocks;
        if let Some(place) = self.clients.get_mut(id) {
            (client.feed, client.due, client.is_held) = (place.feed, place.due, true);
            *place = client;
        }
        self.flush(id, &[]);
        Ok(())
    }

    fn dial(&mut self, room: &Rc<str>, id: usize) -> io::Result<Client> {
        let since = self.now();
        let socket = self.target.connect()?;
        socket.set_nonblocking(true)?;
        socket.set_nodelay(true)?;
        self.poll.add(&socket, id)?;
        Ok(Client {
            socket,
            room: Rc::clone(room),
            state: State::Upgrading,
            since,
            clocks: Vec::new(),
            was_asked: false,
            is_slow: false,
            partial: Vec::new(),
            out: self.target.upgrade(room, id),
            out_sent: 0,
            feed: 0,
            fed: 0,
            due: 0,
            is_held: false,
            interest: Interest::Read,
        })
    }

    /// Connects a client for each name, a few at a time, until all have joined. The number of the first.
    pub(crate) fn connect_all<'r>(
        &mut self,
        rooms: impl Iterator<Item = &'r Rc<str>>,
        tell: &mut impl FnMut(usize, u64, Event<'_>),
    ) -> io::Result<usize> {
        let first = self.clients.len();
        let mut waiting = Vec::new();
        let mut rooms = rooms.peekable();
        let started = Instant::now();
        while rooms.peek().is_some() || !waiting.is_empty() {
            while waiting.len() < CONNECTING_MAX
                && let Some(room) = rooms.next()
            {
                waiting.push(self.connect(room)?);
            }
            self.turn(Some(Duration::from_millis(100)), &[], tell)?;
            if waiting.iter().any(|id| self.state(*id) == State::Closed) {
                return Err(io::Error::other(
                    "the server closed a connection that was joining: are address and token right?",
                ));
            }
            waiting.retain(|id| self.state(*id) != State::Open);
            if started.elapsed() > JOIN_TIMEOUT {
                return Err(io::Error::other("not all clients could join within a minute"));
            }
        }
        Ok(first)
    }

    /// From now on a client reads only what `trickle` reads.
    pub(crate) fn slow_down(&mut self, id: usize) -> io::Result<()> {
        if let Some(client) = self.clients.get_mut(id) {
            client.is_slow = true;
            rustix::net::sockopt::set_socket_recv_buffer_size(&client.socket, SLOW_KERNEL_BYTES)?;
            self.poll.forget(&client.socket);
        }
        Ok(())
    }

    /// Reads at most so many bytes for a slow client.
    pub(crate) fn trickle(&mut self, id: usize, most: usize, tell: &mut impl FnMut(usize, u64, Event<'_>)) {
        self.receive(id, most, tell);
        self.flush(id, &[]);
    }

    /// Lets a client that was held go on with byte `from` of its feed; one that was not held goes on as it
    /// does.
    pub(crate) fn resume(&mut self, (id, feeds): (usize, &[Feed]), from: usize) {
        if let Some(client) = self.clients.get_mut(id).filter(|client| client.is_held) {
            client.fed = from;
            client.is_held = false;
            self.flush(id, feeds);
        }
    }

    /// Says that a client's feed is due up to byte `end`, and sends it unless the socket is full already.
    pub(crate) fn feed(&mut self, id: usize, feeds: &[Feed], (feed, end): (usize, usize)) {
        let Some(client) = self.clients.get_mut(id) else {
            return;
        };
        client.feed = feed;
        client.due = end;
        if client.interest == Interest::Read {
            self.flush(id, feeds);
        }
    }

    /// Queues a message of a client's own. It goes with `send_said`.
    pub(crate) fn say(&mut self, id: usize, payload: &[u8]) {
        let dialect = self.target.dialect;
        if let Some(client) = self.clients.get_mut(id) {
            client.say(dialect, payload);
        }
    }

    pub(crate) fn send_said(&mut self, id: usize, feeds: &[Feed]) {
        self.flush(id, feeds);
    }

    /// Ends a client for good: its number is given to one that connects later.
    pub(crate) fn release(&mut self, id: usize) {
        self.close(id);
        self.free.push(id);
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
    fn flush(&mut self, id: usize, feeds: &[Feed]) {
        let Some(client) = self.clients.get_mut(id) else {
            return;
        };
        if client.state == State::Closed {
            return;
        }
        let interest = match client.send(feeds) {
            Ok(true) => Interest::Read,
            Ok(false) => Interest::ReadAndWrite,
            // Reading will tell.
            Err(_) => Interest::Read,
        };
        if client.is_slow {
            return;
        }
        if interest != client.interest {
            client.interest = interest;
            self.poll.watch(&client.socket, id, interest).unwrap_or_default();
        }
    }

    /// One round: waits until something comes, reads it, and tells `tell` with the client and the time.
    pub(crate) fn turn(
        &mut self,
        timeout: Option<Duration>,
        feeds: &[Feed],
        tell: &mut impl FnMut(usize, u64, Event<'_>),
    ) -> io::Result<()> {
        let mut ready = std::mem::take(&mut self.ready);
        self.poll.wait(&mut ready, timeout)?;
        for Ready { id, read, write } in ready.drain(..) {
            if read {
                self.receive(id, usize::MAX, tell);
            }
            if write || self.clients.get(id).is_some_and(|client| !client.out.is_empty()) {
                self.flush(id, feeds);
            }
        }
        self.ready = ready;
        Ok(())
    }

    fn receive(&mut self, id: usize, most: usize, tell: &mut impl FnMut(usize, u64, Event<'_>)) {
        let Some(client) = self.clients.get_mut(id) else {
            return;
        };
        if client.state == State::Closed {
            return;
        }
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
            let len = rest.len().min(most);
            (&client.socket).read(&mut rest[..len])
        };
        let now = self.base.elapsed().as_nanos() as u64;
        let (since, joins) = (client.since, &mut self.joins);
        let mut told = |event: Event<'_>| {
            if matches!(event, Event::Joined(_)) {
                joins.record(now.saturating_sub(since));
            }
            tell(id, now, event);
        };
        let target = &self.target;
        let used = match result {
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(()),
            Ok(0) | Err(_) => Err(()),
            Ok(_) if is_large => {
                let mut partial = std::mem::take(&mut client.partial);
                let used = client.take(&partial, (target, id), &mut told);
                used.map(|used| {
                    partial.drain(..used);
                    client.partial = partial;
                })
            }
            Ok(got) => {
                let came = &self.buffer[..client.partial.len() + got];
                let used = client.take(came, (target, id), &mut told);
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
    fn say(&mut self, dialect: Dialect, payload: &[u8]) {
        let prefix = dialect.prefix(&self.room);
        if prefix.is_empty() {
            ws::put_client_frame(&mut self.out, opcode::BINARY, payload);
        } else {
            ws::put_client_frame(&mut self.out, opcode::BINARY, &[&prefix, payload].concat());
        }
    }

    /// Sends; whether everything went.
    fn send(&mut self, feeds: &[Feed]) -> io::Result<bool> {
        loop {
            let feed = feeds.get(self.feed).filter(|_| !self.is_held);
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
        (target, id): (&Target, usize),
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
            self.greet(target, id);
            if self.state == State::Open {
                tell(Event::Joined(&[]));
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
                opcode::BINARY if header.fin => self.message(target.dialect, payload, tell),
                opcode::PING => ws::put_client_frame(&mut self.out, opcode::PONG, payload),
                opcode::PONG | opcode::TEXT => {}
                // Nor are messages in several frames understood: no server of Yjs sends any.
                _ => return Err(()),
            }
        }
    }

    /// Says what a client says when its socket is open.
    fn greet(&mut self, target: &Target, id: usize) {
        self.state = State::Open;
        if target.dialect == Dialect::Bare {
            return;
        }
        self.state = State::Joining;
        let token = target.token(&self.room, id);
        if let Some(greeting) = target.dialect.greeting(&token) {
            self.say(target.dialect, &greeting);
        }
        let step_1 = yjs::step_1(&std::mem::take(&mut self.clocks));
        self.say(target.dialect, &step_1);
    }

    fn message(&mut self, dialect: Dialect, payload: &[u8], tell: &mut impl FnMut(Event<'_>)) {
        match Message::read(dialect, payload) {
            Message::Update(update) => tell(Event::Update(update)),
            Message::Step1(vector) => {
                self.say(dialect, &EMPTY_STEP_2);
                tell(Event::Asked {
                    vector,
                    again: self.was_asked,
                });
                self.was_asked = true;
            }
            Message::Step2(update) if self.state == State::Joining => {
                self.state = State::Open;
                tell(Event::Joined(update));
            }
            Message::Awareness(update) => tell(Event::Awareness(update)),
            Message::Taken => tell(Event::Taken),
            Message::Denied => tell(Event::Denied),
            Message::Step2(_) | Message::Other => {}
        }
    }
}
