//! The client's half of RFC 6455 framing: bytes, however they are cut, to messages and control frames.
//!
//! Owns [`Reader`]: headers (parsed by tungstenite), masks, fragments and their bounds. Must not know
//! sockets, clocks or what a message means. Key invariants: what is read does not depend on how the bytes
//! were cut; memory is taken for bytes that came, never for a length that was announced, at most a quarter
//! more than came; nothing is kept of a message that was handed on. Tests: `reader/tests.rs`, with
//! tungstenite as an oracle.
#![deny(clippy::arithmetic_side_effects, clippy::cast_possible_truncation)]

use std::fmt;
use std::io::Cursor;

use async_tungstenite::tungstenite::protocol::frame::FrameHeader;
use async_tungstenite::tungstenite::protocol::frame::coding::{Control, Data, OpCode};
use bytes::Bytes;

#[cfg(test)]
mod tests;

/// Bytes of the longest header: two, a length of eight, and the mask.
const HEADER_BYTES_MAX: usize = 14;

/// Bytes of a control frame's payload, inclusive (RFC 6455, 5.5).
const CONTROL_BYTES_MAX: usize = 125;

/// Memory taken beyond what is needed at once, so that fragments of one byte are not copied for each.
const GROWTH_BYTES_MIN: usize = 256;

/// What the bytes amount to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A whole binary message, its fragments joined.
    Message(Bytes),
    /// A ping with its payload, to be sent back in a pong.
    Ping(Vec<u8>),
    /// A pong.
    Pong,
    /// The peer closes; its payload is well-formed. Nothing more is to be read.
    Close(Vec<u8>),
}

/// Why a peer's bytes are refused; nothing after them can be trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ReadError {
    /// A message is longer than allowed; known from headers alone.
    TooLarge,
    /// A text frame, which this protocol does not have.
    Text,
    /// Not RFC 6455.
    Protocol,
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TooLarge => "the message is too large",
            Self::Text => "a text frame",
            Self::Protocol => "the framing breaks RFC 6455",
        })
    }
}

impl std::error::Error for ReadError {}

/// What a frame carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Carries {
    /// The beginning of a message, or all of it.
    First,
    /// More of one.
    More,
    Ping,
    Pong,
    Close,
}

/// Whether a message ends with its frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fin {
    Yes,
    No,
}

/// A frame whose payload is arriving.
#[derive(Clone, Copy, Debug)]
struct Frame {
    carries: Carries,
    fin: Fin,
    left: usize,
    /// Turned such that its first byte is for the next byte of the payload.
    mask: [u8; 4],
}

/// Reads the frames of one client.
#[derive(Debug)]
pub struct Reader {
    bytes_max: usize,
    header: [u8; HEADER_BYTES_MAX],
    header_len: usize,
    frame: Option<Frame>,
    /// The payload of a control frame, which may stand between the fragments of a message.
    control: Vec<u8>,
    /// The message under way.
    message: Option<Vec<u8>>,
    /// Frames that completed no message, since they were last asked for.
    idle_frames: u32,
}

impl Reader {
    /// A reader of messages of at most `bytes_max` bytes, inclusive.
    #[must_use]
    pub fn new(bytes_max: usize) -> Self {
        Self {
            bytes_max,
            header: [0; HEADER_BYTES_MAX],
            header_len: 0,
            frame: None,
            control: Vec::new(),
            message: None,
            idle_frames: 0,
        }
    }

    /// How many frames came that completed no message (fragments before the last, pings, pongs), less those
    /// that were taken.
    #[must_use]
    pub fn idle_frames(&self) -> u32 {
        self.idle_frames
    }

    /// Takes so many of them.
    pub fn take_idle_frames(&mut self, frames: u32) {
        self.idle_frames = self.idle_frames.saturating_sub(frames);
    }

    /// Memory held of a message that is not complete.
    #[must_use]
    pub fn held(&self) -> usize {
        self.message.as_ref().map_or(0, Vec::capacity)
    }

    /// The most that [`Self::held`] can be once so many more bytes have come.
    #[must_use]
    pub fn held_after(&self, more: usize) -> usize {
        match &self.message {
            Some(message) => room_after(message, more, self.bytes_max),
            None => room_after(&Vec::new(), more, self.bytes_max),
        }
    }

    /// Whether the last byte that came was not the last of a message or control frame.
    #[must_use]
    pub fn is_within_message(&self) -> bool {
        self.message.is_some() || self.frame.is_some() || self.header_len > 0
    }

    /// Reads on: how many bytes of `input` were used, and what they amount to. Call again with the rest after
    /// an event; without one, all was used.
    ///
    /// # Errors
    /// [`ReadError`]; the reader is of no use afterwards.
    ///
    /// # Source
    /// RFC 6455, 5.2 to 5.5.
    pub fn feed(&mut self, input: &[u8]) -> Result<(usize, Option<Event>), ReadError> {
        let mut rest = input;
        loop {
            if self.frame.is_none() && !self.read_header(&mut rest)? {
                return Ok((input.len(), None));
            }
            let event = self.read_payload(&mut rest)?;
            if event.is_some() || rest.is_empty() {
                return Ok((input.len().saturating_sub(rest.len()), event));
            }
        }
    }

    /// Whether a header is complete, and the frame has begun.
    fn read_header(&mut self, rest: &mut &[u8]) -> Result<bool, ReadError> {
        loop {
            let (first, second) = (self.header[0], self.header[1]);
            let needed = match (self.header_len, second & 0x7f) {
                (..2, _) => 2,
                (_, 126) => 8,
                (_, 127) => 14,
                _ => 6,
            };
            if self.header_len >= 2 {
                self.check_start(first, second)?;
                if self.header_len == needed {
                    break;
                }
            }
            let Some((&byte, after)) = rest.split_first() else {
                return Ok(false);
            };
            if let Some(place) = self.header.get_mut(self.header_len) {
                *place = byte;
            }
            self.header_len = self.header_len.saturating_add(1);
            *rest = after;
        }
        self.begin_frame()?;
        Ok(true)
    }

    /// Checks the first two bytes of a header.
    fn check_start(&self, first: u8, second: u8) -> Result<(), ReadError> {
        let (fin, opcode) = (first & 0x80 != 0, first & 0x0f);
        let (masked, length) = (second & 0x80 != 0, usize::from(second & 0x7f));
        if first & 0x70 != 0 || !masked {
            return Err(ReadError::Protocol);
        }
        match opcode {
            0x0 if self.message.is_some() => Ok(()),
            0x1 | 0x2 if self.message.is_some() => Err(ReadError::Protocol),
            0x1 => Err(ReadError::Text),
            0x2 => Ok(()),
            0x8..=0xA if fin && length <= CONTROL_BYTES_MAX => Ok(()),
            _ => Err(ReadError::Protocol),
        }
    }

    /// Begins the frame whose header is complete.
    fn begin_frame(&mut self) -> Result<(), ReadError> {
        let bytes = self.header.get(..self.header_len).unwrap_or_default();
        let parsed = FrameHeader::parse(&mut Cursor::new(bytes));
        let Ok(Some((header, length))) = parsed else {
            return Err(ReadError::Protocol);
        };
        self.header_len = 0;
        let mask = header.mask.ok_or(ReadError::Protocol)?;
        let carries = match header.opcode {
            OpCode::Data(Data::Continue) => Carries::More,
            OpCode::Data(Data::Binary) => Carries::First,
            OpCode::Control(Control::Close) => Carries::Close,
            OpCode::Control(Control::Ping) => Carries::Ping,
            OpCode::Control(Control::Pong) => Carries::Pong,
            _ => return Err(ReadError::Protocol),
        };
        let left = usize::try_from(length).map_err(|_| ReadError::TooLarge)?;
        if matches!(carries, Carries::First | Carries::More) {
            let held = self.message.as_ref().map_or(0, Vec::len);
            if left > self.bytes_max.saturating_sub(held) {
                return Err(ReadError::TooLarge);
            }
            self.message.get_or_insert_default();
        }
        let fin = if header.is_final { Fin::Yes } else { Fin::No };
        self.frame = Some(Frame {
            carries,
            fin,
            left,
            mask,
        });
        Ok(())
    }

    /// Takes what there is of the payload; an event once the frame ends what it belongs to.
    fn read_payload(&mut self, rest: &mut &[u8]) -> Result<Option<Event>, ReadError> {
        let Some(frame) = &mut self.frame else {
            return Ok(None);
        };
        let (payload, after) = rest.split_at(frame.left.min(rest.len()));
        *rest = after;
        let into = match frame.carries {
            Carries::First | Carries::More => {
                let message = self.message.get_or_insert_default();
                let most = match frame.fin {
                    Fin::Yes => message.len().saturating_add(frame.left),
                    Fin::No => self.bytes_max,
                };
                make_room(message, payload.len(), most);
                message
            }
            Carries::Ping | Carries::Pong | Carries::Close => &mut self.control,
        };
        let start = into.len();
        into.extend_from_slice(payload);
        unmask(into.get_mut(start..).unwrap_or_default(), frame.mask);
        frame.mask.rotate_left(payload.len() % 4);
        frame.left = frame.left.saturating_sub(payload.len());
        if frame.left > 0 {
            return Ok(None);
        }
        let (carries, fin) = (frame.carries, frame.fin);
        self.frame = None;
        if fin == Fin::No || !matches!(carries, Carries::First | Carries::More) {
            self.idle_frames = self.idle_frames.saturating_add(1);
        }
        match carries {
            Carries::First | Carries::More if fin == Fin::No => Ok(None),
            Carries::First | Carries::More => {
                let mut message = self.message.take().unwrap_or_default();
                // Parts of it may be kept for long, and would keep all of it.
                message.shrink_to_fit();
                Ok(Some(Event::Message(message.into())))
            }
            Carries::Ping => Ok(Some(Event::Ping(std::mem::take(&mut self.control)))),
            Carries::Pong => {
                self.control = Vec::new();
                Ok(Some(Event::Pong))
            }
            Carries::Close => close(std::mem::take(&mut self.control)).map(Some),
        }
    }
}

/// Checks a close frame's payload: nothing, or a code and words in UTF-8 (RFC 6455, 5.5.1).
fn close(payload: Vec<u8>) -> Result<Event, ReadError> {
    let well_formed = match payload.as_slice() {
        [] => true,
        [_] => false,
        [_, _, words @ ..] => str::from_utf8(words).is_ok(),
    };
    well_formed
        .then_some(Event::Close(payload))
        .ok_or(ReadError::Protocol)
}

/// Makes room for `more` bytes: at most a quarter more than needed, and never beyond `most` but for what is
/// needed.
pub(crate) fn make_room(bytes: &mut Vec<u8>, more: usize, most: usize) {
    if bytes.capacity().saturating_sub(bytes.len()) < more {
        let capacity = grown(bytes.len(), more, most);
        bytes.reserve_exact(capacity.saturating_sub(bytes.len()));
    }
}

/// The capacity after [`make_room`].
pub(crate) fn room_after(bytes: &Vec<u8>, more: usize, most: usize) -> usize {
    bytes
        .capacity()
        .max(match bytes.capacity().saturating_sub(bytes.len()) < more {
            true => grown(bytes.len(), more, most),
            false => 0,
        })
}

/// The capacity after [`make_room`] had to grow.
fn grown(len: usize, more: usize, most: usize) -> usize {
    let needed = len.saturating_add(more);
    needed
        .saturating_add((needed / 4).max(GROWTH_BYTES_MIN))
        .min(most)
        .max(needed)
}

/// Takes the mask off (RFC 6455, 5.3), eight bytes at a time.
fn unmask(payload: &mut [u8], mask: [u8; 4]) {
    let [a, b, c, d] = mask;
    let wide = u64::from_ne_bytes([a, b, c, d, a, b, c, d]);
    let (chunks, rest) = payload.as_chunks_mut::<8>();
    for chunk in chunks {
        *chunk = (u64::from_ne_bytes(*chunk) ^ wide).to_ne_bytes();
    }
    for (byte, mask) in rest.iter_mut().zip(mask.into_iter().cycle()) {
        *byte ^= mask;
    }
}
