//! A WebSocket client on a plain socket: any frame may be sent, and every frame of the server is checked.

use std::io::{ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use std::{net, thread};

use super::SOON;
use super::http::{Answer, Http, request};

/// The key of RFC 6455, 1.3, and what answers it.
pub(crate) const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
pub(crate) const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

/// The fields of an upgrade request.
pub(crate) const UPGRADE: [(&str, &str); 4] = [
    ("Connection", "keep-alive, Upgrade"),
    ("Upgrade", "websocket"),
    ("Sec-WebSocket-Version", "13"),
    ("Sec-WebSocket-Key", KEY),
];

pub(crate) const BINARY: u8 = 2;
pub(crate) const CLOSE: u8 = 8;
pub(crate) const PING: u8 = 9;
pub(crate) const PONG: u8 = 10;

/// What came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    /// A binary message.
    Message(Vec<u8>),
    /// A pong with its payload.
    Pong(Vec<u8>),
    /// A close frame: code and reason.
    Close(u16, String),
    /// The connection is over.
    End,
}

/// One WebSocket connection.
pub(crate) struct Socket {
    stream: net::TcpStream,
    received: Vec<u8>,
    ended: bool,
}

/// The path of a board, with a token.
pub(crate) fn path(board: &str, token: &str) -> String {
    format!("/ws/canvas/{board}?token={token}")
}

impl Socket {
    /// Opens `target`.
    ///
    /// # Errors
    /// The plain answer, where the server does not upgrade.
    pub(crate) fn try_open(address: SocketAddr, target: &str) -> Result<Self, Answer> {
        let mut http = Http::connect(address);
        http.send(request("GET", target, &UPGRADE));
        let answer = http.answer("GET");
        if answer.status != 101 {
            return Err(answer);
        }
        assert_eq!(answer.field("sec-websocket-accept"), Some(ACCEPT));
        Ok(Self::over(http))
    }

    /// Opens `target`, which must be upgraded.
    #[track_caller]
    pub(crate) fn open(address: SocketAddr, target: &str) -> Self {
        Self::try_open(address, target).unwrap_or_else(|answer| panic!("no upgrade: {answer:?}"))
    }

    /// Goes on where an upgrade has ended.
    pub(crate) fn over(http: Http) -> Self {
        http.stream.set_nonblocking(true).unwrap();
        Self {
            stream: http.stream,
            received: http.received,
            ended: false,
        }
    }

    /// Sends a binary message in one frame.
    pub(crate) fn send(&mut self, message: &[u8]) {
        self.send_frame(0x80 | BINARY, message);
    }

    /// Sends a masked frame with any first byte.
    pub(crate) fn send_frame(&mut self, first: u8, payload: &[u8]) {
        self.send_raw(&frame(first, payload));
    }

    /// Sends bytes as they are; a connection that the server has cut takes them silently.
    pub(crate) fn send_raw(&mut self, mut bytes: &[u8]) {
        let end = Instant::now() + SOON;
        while !bytes.is_empty() {
            match self.stream.write(bytes) {
                Ok(sent) => bytes = &bytes[sent..],
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    assert!(Instant::now() < end, "the server does not read");
                    thread::sleep(Duration::from_micros(200));
                }
                Err(_) => return,
            }
        }
    }

    /// Sends what the kernel takes at once: how many bytes.
    pub(crate) fn send_some(&mut self, bytes: &[u8]) -> usize {
        self.stream.write(bytes).unwrap_or(0)
    }

    /// The next event, if one is there. Pings are answered on the way.
    pub(crate) fn poll(&mut self) -> Option<Event> {
        loop {
            if let Some((opcode, payload)) = self.take_frame() {
                match opcode {
                    BINARY => return Some(Event::Message(payload)),
                    PING => self.send_frame(0x80 | PONG, &payload),
                    PONG => return Some(Event::Pong(payload)),
                    CLOSE => {
                        let (code, reason) = payload.split_at_checked(2).expect("a close frame with a code");
                        let reason = String::from_utf8(reason.to_vec()).unwrap();
                        return Some(Event::Close(u16::from_be_bytes([code[0], code[1]]), reason));
                    }
                    other => panic!("the server sent a frame with opcode {other}"),
                }
                continue;
            }
            if self.ended {
                return Some(Event::End);
            }
            if !self.receive() {
                return None;
            }
        }
    }

    /// The next event.
    #[track_caller]
    pub(crate) fn next(&mut self) -> Event {
        let end = Instant::now() + SOON;
        loop {
            if let Some(event) = self.poll() {
                return event;
            }
            assert!(Instant::now() < end, "nothing came within {SOON:?}");
            thread::sleep(Duration::from_micros(200));
        }
    }

    /// The next binary message.
    #[track_caller]
    pub(crate) fn message(&mut self) -> Vec<u8> {
        match self.next() {
            Event::Message(message) => message,
            other => panic!("{other:?} instead of a message"),
        }
    }

    /// Reads on until the close frame, and sees the connection end after it.
    #[track_caller]
    pub(crate) fn closed(&mut self) -> (u16, String) {
        loop {
            match self.next() {
                Event::Message(_) | Event::Pong(_) => {}
                Event::Close(code, reason) => {
                    self.send_frame(0x80 | CLOSE, &code.to_be_bytes());
                    // Half-closed, as a browser does; otherwise the server would wait for us.
                    let _ = self.stream.shutdown(net::Shutdown::Write);
                    assert_eq!(self.next(), Event::End, "something came after the close frame");
                    return (code, reason);
                }
                Event::End => panic!("the connection ended without a close frame"),
            }
        }
    }

    /// Reads until everything sent before was handled, and what that made due is here; what came on the way.
    ///
    /// A pong may overtake the messages that were due before it: after the first, everything was handled, and
    /// after the second, what was due then has left.
    #[track_caller]
    pub(crate) fn flush(&mut self) -> Vec<Vec<u8>> {
        let mut messages = Vec::new();
        for ping in [b"1", b"2"] {
            self.send_frame(0x80 | PING, ping);
            loop {
                match self.next() {
                    Event::Message(message) => messages.push(message),
                    Event::Pong(payload) => {
                        assert_eq!(payload, ping);
                        break;
                    }
                    other => panic!("{other:?} instead of a pong"),
                }
            }
        }
        messages
    }

    /// Whether bytes wait to be read.
    pub(crate) fn has_bytes(&self) -> bool {
        self.stream.peek(&mut [0]).is_ok_and(|bytes| bytes > 0)
    }

    /// Reads what is there into the buffer; whether anything has changed.
    fn receive(&mut self) -> bool {
        let mut chunk = [0; 64 * 1024];
        match self.stream.read(&mut chunk) {
            Ok(0) => self.ended = true,
            Ok(read) => self.received.extend_from_slice(&chunk[..read]),
            Err(error) if error.kind() == ErrorKind::WouldBlock => return false,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(_) => self.ended = true,
        }
        true
    }

    /// Takes a whole frame off the buffer.
    fn take_frame(&mut self) -> Option<(u8, Vec<u8>)> {
        let (&[first, second], rest) = self.received.split_first_chunk::<2>()?;
        assert_eq!(
            first & 0xF0,
            0x80,
            "the server's frames are whole, without extensions"
        );
        assert_eq!(second & 0x80, 0, "the server's frames are not masked");
        let (length, head) = match second {
            126 => (u64::from(u16::from_be_bytes(*rest.first_chunk()?)), 4),
            127 => (u64::from_be_bytes(*rest.first_chunk()?), 10),
            small => (u64::from(small), 2),
        };
        let end = head + usize::try_from(length).unwrap();
        let payload = self.received.get(head..end)?.to_vec();
        self.received.drain(..end);
        Some((first & 0x0F, payload))
    }
}

/// A masked frame.
pub(crate) fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mask = [0x37, 0xFA, 0x21, 0x3D];
    let mut out = vec![first];
    match payload.len() {
        small @ 0..126 => out.push(0x80 | small as u8),
        medium @ 126..0x1_0000 => {
            out.push(0x80 | 126);
            out.extend_from_slice(&(medium as u16).to_be_bytes());
        }
        large => {
            out.push(0x80 | 127);
            out.extend_from_slice(&(large as u64).to_be_bytes());
        }
    }
    out.extend_from_slice(&mask);
    out.extend(
        payload
            .iter()
            .zip(mask.iter().cycle())
            .map(|(byte, mask)| byte ^ mask),
    );
    out
}
