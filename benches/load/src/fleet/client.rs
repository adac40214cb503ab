//! One client: what it says when its socket is open, what it sends, and what a server sent it.
//!
//! Owns the reading of what comes. Must not know the other clients. Key invariant: whatever a server sends,
//! it ends the connection at worst, with a word why.

use std::io::{self, ErrorKind, Write};
use std::net::TcpStream;
use std::rc::Rc;

use crate::poll::Interest;
use crate::target::Target;
use crate::ws::{self, Header, opcode};
use crate::yjs::{self, Dialect, EMPTY_STEP_2, Feed, Message};

/// The longest answer to an upgrade, and the longest message: what claims to be longer ends the connection.
const HEAD_MAX: usize = 64 * 1024;
const MESSAGE_MAX: usize = 256 * 1024 * 1024;

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

pub(super) struct Client {
    pub(super) socket: TcpStream,
    pub(super) room: Rc<str>,
    pub(super) state: State,
    /// When it began to connect, in nanoseconds.
    pub(super) since: u64,
    /// What it has when it joins: client ids and clocks.
    pub(super) clocks: Vec<(u64, u64)>,
    /// Whether the server has asked what it has; a second time is worth telling.
    pub(super) was_asked: bool,
    /// Whether it reads only what it is told to.
    pub(super) is_slow: bool,
    /// What came and is not a whole frame yet.
    pub(super) partial: Vec<u8>,
    /// What came of a message that is sent in several frames.
    pub(super) fragments: Option<Vec<u8>>,
    /// What goes out between two frames of the feed, and how much of it has gone.
    pub(super) out: Vec<u8>,
    pub(super) out_sent: usize,
    /// Which feed it sends, how many bytes of it have gone, and how many are due.
    pub(super) feed: usize,
    pub(super) fed: usize,
    pub(super) due: usize,
    /// Whether the feed waits for what the server says it has.
    pub(super) is_held: bool,
    pub(super) interest: Interest,
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

impl Client {
    pub(super) fn say(&mut self, dialect: Dialect, payload: &[u8]) {
        let prefix = dialect.prefix(&self.room);
        if prefix.is_empty() {
            ws::put_client_frame(&mut self.out, opcode::BINARY, payload);
        } else {
            ws::put_client_frame(&mut self.out, opcode::BINARY, &[&prefix, payload].concat());
        }
    }

    /// Sends; whether everything went.
    pub(super) fn send(&mut self, feeds: &[Feed]) -> io::Result<bool> {
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

    /// Reads what is whole of what came. How many bytes that was; an error ends the client, and says
    /// why.
    pub(super) fn take(
        &mut self,
        bytes: &[u8],
        (target, id): (&Target, usize),
        tell: &mut impl FnMut(Event<'_>),
    ) -> Result<usize, String> {
        let mut at = 0;
        if self.state == State::Upgrading {
            match upgraded(bytes)? {
                Some(end) => at = end,
                None => return Ok(0),
            }
            self.greet(target, id);
            if self.state == State::Open {
                tell(Event::Joined(&[]));
            }
        }
        loop {
            let rest = &bytes[at..];
            let Some(header) = Header::read(rest) else {
                return Ok(at);
            };
            if header.body > MESSAGE_MAX {
                return Err(format!("it sent a frame of {} bytes", header.body));
            }
            if header.total() > rest.len() {
                return Ok(at);
            }
            at += header.total();
            let payload = &rest[header.head..header.total()];
            match header.opcode {
                opcode::BINARY if header.fin => self.message(target.dialect, payload, tell),
                opcode::PING => ws::put_client_frame(&mut self.out, opcode::PONG, payload),
                opcode::BINARY => self.fragments = Some(payload.to_vec()),
                opcode::CONTINUATION => self.continued(header.fin, (target.dialect, payload), tell)?,
                opcode::PONG | opcode::TEXT => {}
                opcode::CLOSE => return Err(closing(payload)),
                other => return Err(format!("it sent a frame of kind {other}, which there is not")),
            }
        }
    }

    /// One more frame of a message; those of texts are passed over.
    fn continued(
        &mut self,
        is_last: bool,
        (dialect, payload): (Dialect, &[u8]),
        tell: &mut impl FnMut(Event<'_>),
    ) -> Result<(), String> {
        let Some(fragments) = &mut self.fragments else {
            return Ok(());
        };
        fragments.extend_from_slice(payload);
        if fragments.len() > MESSAGE_MAX {
            return Err(format!("it sent a message of {} bytes", fragments.len()));
        }
        if is_last {
            let message = self.fragments.take().unwrap_or_default();
            self.message(dialect, &message, tell);
        }
        Ok(())
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

/// Where the answer to an upgrade ends, when it is here whole; why there is no WebSocket.
fn upgraded(bytes: &[u8]) -> Result<Option<usize>, String> {
    let says_http = bytes.iter().zip(b"HTTP/1.1 ").all(|(is, ought)| is == ought);
    if !says_http || bytes.len() > HEAD_MAX {
        return Err("what it answers is no HTTP".to_owned());
    }
    let Some(end) = ws::head_end(bytes) else {
        return Ok(None);
    };
    if bytes.starts_with(b"HTTP/1.1 101 ") {
        return Ok(Some(end));
    }
    let line = bytes.split(|byte| *byte == b'\r').next().unwrap_or_default();
    Err(format!("it answers '{}'", readable(line)))
}

/// What a close frame says: a code, and perhaps a reason.
fn closing(payload: &[u8]) -> String {
    match payload.split_first_chunk() {
        None => "it closed without a code".to_owned(),
        Some((code, [])) => format!("it closed with code {}", u16::from_be_bytes(*code)),
        Some((code, reason)) => {
            let code = u16::from_be_bytes(*code);
            format!("it closed with code {code}, '{}'", readable(reason))
        }
    }
}

/// The start of what a server says, safe to print.
fn readable(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    text.chars().filter(|char| !char.is_control()).take(100).collect()
}
