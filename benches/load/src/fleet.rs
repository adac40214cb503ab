//! Many clients on one thread: they connect, do what a stock client does at the start, send and receive.
//!
//! Owns the sockets and what is to be sent on them. Must not know what a scenario counts: it hands on each
//! message with the time it came at. Key invariants: no copy and no allocation for a frame that is sent or
//! that came whole; a frame is never sent in the middle of another one.

mod client;
#[cfg(test)]
mod tests;

use std::io::{self, ErrorKind, Read};
use std::net::Shutdown;
use std::rc::Rc;
use std::time::{Duration, Instant};

use rustix::buffer::spare_capacity;

use crate::poll::{Interest, Poll, Ready};
use crate::target::Target;
use crate::times::Times;
use crate::ws::Header;
use crate::yjs::Feed;
use client::Client;
pub(crate) use client::{Event, State};

const BUFFER_BYTES: usize = 512 * 1024;
/// At most so many connect at a time: a listener's queue is short.
const CONNECTING_MAX: usize = 64;
const JOIN_TIMEOUT: Duration = Duration::from_secs(60);
/// What the kernel may hold for a client that reads slowly.
const SLOW_KERNEL_BYTES: usize = 16 * 1024;

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
    /// Why the first connection ended that was not ended here.
    pub(crate) fault: Option<String>,
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
            fault: None,
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
        let id = self.free.last().copied().unwrap_or(self.clients.len());
        let client = self.dial(room, id)?;
        self.free.pop();
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
        let mut is_slow = false;
        if let Some(place) = self.clients.get_mut(id) {
            is_slow = place.is_slow;
            (client.feed, client.due, client.is_held) = (place.feed, place.due, true);
            *place = client;
        }
        if is_slow {
            self.slow_down(id)?;
        }
        self.flush(id, &[]);
        Ok(())
    }

    fn dial(&mut self, room: &Rc<str>, id: usize) -> io::Result<Client> {
        let since = self.now();
        let socket = self.target.dial()?;
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
            fragments: None,
            out: self.target.upgrade(room, id),
            out_sent: 0,
            feed: 0,
            fed: 0,
            due: 0,
            is_held: false,
            interest: Interest::Read,
        })
    }

    /// Connects a client for each name, a few at a time, until all have joined. The number of the first; the
    /// others follow it.
    pub(crate) fn connect_all<'r>(
        &mut self,
        rooms: impl Iterator<Item = &'r Rc<str>>,
        tell: &mut impl FnMut(usize, u64, Event<'_>),
    ) -> io::Result<usize> {
        let first = self.free.last().copied().unwrap_or(self.clients.len());
        let mut waiting = Vec::new();
        let mut rooms = rooms.peekable();
        let mut progress = Instant::now();
        while rooms.peek().is_some() || !waiting.is_empty() {
            while waiting.len() < CONNECTING_MAX
                && let Some(room) = rooms.next()
            {
                waiting.push(self.connect(room)?);
            }
            self.turn(Some(Duration::from_millis(100)), &[], tell)?;
            if waiting.iter().any(|id| self.state(*id) == State::Closed) {
                return Err(io::Error::other(self.refused()));
            }
            let before = waiting.len();
            waiting.retain(|id| self.state(*id) != State::Open);
            if waiting.len() < before {
                progress = Instant::now();
            } else if progress.elapsed() > JOIN_TIMEOUT {
                return Err(io::Error::other(format!(
                    "not all clients could join: for a minute the server gave none of {before} the board"
                )));
            }
        }
        Ok(first)
    }

    /// What is said when somebody could not join.
    pub(crate) fn refused(&self) -> String {
        format!(
            "a client could not join: {}. Are address and token right?",
            self.fault.as_deref().unwrap_or("its connection was closed")
        )
    }

    /// Whether all that a client said has gone.
    pub(crate) fn has_sent(&self, id: usize) -> bool {
        self.clients.get(id).is_none_or(|client| client.out.is_empty())
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
        client.fragments = None;
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
            // Reading will tell, but for why it could not connect: that is told once.
            Err(error) => {
                if client.state == State::Upgrading {
                    self.fault.get_or_insert_with(|| error.to_string());
                }
                Interest::Read
            }
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
        let header = Header::read(&client.partial).filter(|_| client.state != State::Upgrading);
        let whole = header.map_or(0, |header| header.total());
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
            Ok(0) => Err("it ended the connection".to_owned()),
            Err(error) => Err(error.to_string()),
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
        if let Err(fault) = used {
            self.fault.get_or_insert(fault);
            self.close(id);
            tell(id, now, Event::Closed);
        }
    }
}
