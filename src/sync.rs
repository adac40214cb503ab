//! The messages of the Yjs sync, awareness and auth protocols: bytes to values and back.
//!
//! Owns the framing of protocol messages inside a WebSocket message. Must not look into an update, a state
//! vector or an awareness payload; `update` and `room::awareness` do. Key invariant: decoding borrows, and
//! never panics. Fuzz body: `fuzzing::sync_message`.
//!
//! # Source
//! y-protocols 1.0.7: sync.js, awareness.js, auth.js; y-websocket 3.1, the message types of `y-websocket.js`.

use crate::lib0::{self, Reader};
use crate::ws::{self, Opcode};

const SYNC: u64 = 0;
const AWARENESS: u64 = 1;
const AUTH: u64 = 2;
const QUERY_AWARENESS: u64 = 3;

const STEP_1: u64 = 0;
const STEP_2: u64 = 1;
const UPDATE: u64 = 2;

const DENIED: u64 = 0;

/// The awareness message that changes nothing: what keeps y-websocket 3 from dropping a silent server.
pub const KEEPALIVE: [u8; 3] = [1, 1, 0];

/// The update that holds nothing: no structs, no deletions.
pub const EMPTY_UPDATE: [u8; 2] = [0, 0];

/// A message is cut short, or a sync message is of no known kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed;

impl From<lib0::Malformed> for Malformed {
    fn from(_: lib0::Malformed) -> Self {
        Self
    }
}

/// One protocol message, borrowed from the WebSocket message that carries it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Message<'a> {
    /// A state vector: "send me what it lacks".
    SyncStep1(&'a [u8]),
    /// The answer to a step 1: an update.
    SyncStep2(&'a [u8]),
    /// A change, as it happens: an update.
    Update(&'a [u8]),
    /// Awareness entries.
    Awareness(&'a [u8]),
    /// "Send me all awareness states."
    QueryAwareness,
    /// A type that this server does not know, or that only servers send. The rest of the WebSocket message is
    /// skipped, since its length is not known.
    Unknown,
}

impl Message<'_> {
    /// Bytes of what the message carries.
    #[must_use]
    pub fn body_bytes(&self) -> usize {
        match self {
            Self::SyncStep1(body) | Self::SyncStep2(body) | Self::Update(body) | Self::Awareness(body) => {
                body.len()
            }
            Self::QueryAwareness | Self::Unknown => 0,
        }
    }
}

/// The protocol messages of one WebSocket message, in order.
#[derive(Clone, Debug)]
pub struct Messages<'a> {
    reader: Reader<'a>,
}

impl<'a> Messages<'a> {
    /// Starts at the beginning of a WebSocket message.
    #[must_use]
    pub fn new(bytes: &'a [u8]) -> Self {
        Self {
            reader: Reader::new(bytes),
        }
    }

    /// Goes on at a position that [`Self::position`] gave.
    #[must_use]
    pub fn at(bytes: &'a [u8], position: usize) -> Self {
        Self {
            reader: Reader::at(bytes, position),
        }
    }

    /// Where the next message begins.
    #[must_use]
    pub fn position(&self) -> usize {
        self.reader.position()
    }

    /// The next message; `None` at the end.
    ///
    /// # Errors
    /// [`Malformed`] when a message is cut short, or a sync message is of no known kind.
    pub fn next_message(&mut self) -> Result<Option<Message<'a>>, Malformed> {
        if self.reader.is_empty() {
            return Ok(None);
        }
        let message = match self.reader.number()? {
            SYNC => match self.reader.number()? {
                STEP_1 => Message::SyncStep1(self.reader.blob()?),
                STEP_2 => Message::SyncStep2(self.reader.blob()?),
                UPDATE => Message::Update(self.reader.blob()?),
                _ => return Err(Malformed),
            },
            AWARENESS => Message::Awareness(self.reader.blob()?),
            QUERY_AWARENESS => Message::QueryAwareness,
            _ => {
                self.reader = Reader::new(&[]);
                Message::Unknown
            }
        };
        Ok(Some(message))
    }
}

/// What precedes the body of a message in its WebSocket frame: frame header, types and length.
fn head(types: &[u64], body_bytes: usize) -> Vec<u8> {
    let lead =
        types.iter().map(|t| lib0::number_bytes(*t)).sum::<usize>() + lib0::number_bytes(body_bytes as u64);
    let mut out = Vec::with_capacity(ws::HEADER_BYTES_MAX + lead);
    ws::put_header(&mut out, Opcode::Binary, lead + body_bytes);
    for kind in types {
        lib0::put_number(&mut out, *kind);
    }
    lib0::put_number(&mut out, body_bytes as u64);
    out
}

fn framed(types: &[u64], body: &[u8]) -> Vec<u8> {
    let mut out = head(types, body.len());
    out.extend_from_slice(body);
    out
}

/// The frame of a sync step 1.
#[must_use]
pub fn step_1_frame(state_vector: &[u8]) -> Vec<u8> {
    framed(&[SYNC, STEP_1], state_vector)
}

/// What precedes an update of `update_bytes` in the frame of a step 2, so that the update need not be copied.
#[must_use]
pub fn step_2_head(update_bytes: usize) -> Vec<u8> {
    head(&[SYNC, STEP_2], update_bytes)
}

/// The frame of an update.
#[must_use]
pub fn update_frame(update: &[u8]) -> Vec<u8> {
    framed(&[SYNC, UPDATE], update)
}

/// What precedes an update of `update_bytes` in its frame, so that the update need not be copied.
#[must_use]
pub fn update_head(update_bytes: usize) -> Vec<u8> {
    head(&[SYNC, UPDATE], update_bytes)
}

/// The frame of an awareness payload.
#[must_use]
pub fn awareness_frame(payload: &[u8]) -> Vec<u8> {
    framed(&[AWARENESS], payload)
}

/// The frame of a refusal: auth message, permission denied, with words for people.
#[must_use]
pub fn denied_frame(reason: &str) -> Vec<u8> {
    framed(&[AUTH, DENIED], reason.as_bytes())
}

/// A ping.
#[must_use]
pub fn ping_frame() -> Vec<u8> {
    ws::frame(Opcode::Ping, &[])
}

/// The frame of [`KEEPALIVE`].
#[must_use]
pub fn keepalive_frame() -> Vec<u8> {
    ws::frame(Opcode::Binary, &KEEPALIVE)
}

/// Fuzz bodies; also run on stable by the tests below.
#[cfg(any(test, fuzzing))]
pub mod fuzzing {
    use super::*;

    /// Any bytes: decoding ends, never panics, and what it borrows lies inside the input in order.
    pub fn sync_message(data: &[u8]) {
        let mut messages = Messages::new(data);
        let mut seen = 0usize;
        while let Ok(Some(message)) = messages.next_message() {
            let body = match message {
                Message::SyncStep1(b)
                | Message::SyncStep2(b)
                | Message::Update(b)
                | Message::Awareness(b) => b,
                Message::QueryAwareness | Message::Unknown => &[],
            };
            seen += body.len();
            assert!(seen <= data.len(), "bodies overlap");
            let again = match message {
                Message::SyncStep1(b) => step_1_frame(b),
                Message::Update(b) => update_frame(b),
                Message::Awareness(b) => awareness_frame(b),
                _ => continue,
            };
            let header = match again.get(1) {
                Some(126) => 4,
                Some(127) => 10,
                _ => 2,
            };
            let reread = Messages::new(again.get(header..).unwrap_or_default()).next_message();
            assert_eq!(reread, Ok(Some(message)), "printing and parsing differ");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(bytes: &[u8]) -> Result<Vec<Message<'_>>, Malformed> {
        let mut messages = Messages::new(bytes);
        let mut out = Vec::new();
        while let Some(message) = messages.next_message()? {
            out.push(message);
        }
        Ok(out)
    }

    #[test]
    fn golden_bytes_of_y_protocols_decode() {
        assert_eq!(all(&[0, 0, 1, 0]), Ok(vec![Message::SyncStep1(&[0])]));
        assert_eq!(all(&[0, 1, 2, 0, 0]), Ok(vec![Message::SyncStep2(&[0, 0])]));
        assert_eq!(all(&[0, 2, 2, 0, 0]), Ok(vec![Message::Update(&[0, 0])]));
        assert_eq!(all(&KEEPALIVE), Ok(vec![Message::Awareness(&[0])]));
        assert_eq!(all(&[3]), Ok(vec![Message::QueryAwareness]));
        assert_eq!(
            all(&[3, 0, 0, 1, 0]),
            Ok(vec![Message::QueryAwareness, Message::SyncStep1(&[0])])
        );
        assert_eq!(all(&[]), Ok(vec![]));
    }

    #[test]
    fn unknown_types_swallow_the_rest() {
        assert_eq!(all(&[9, 1, 2, 3]), Ok(vec![Message::Unknown]));
        assert_eq!(all(&[2, 0, 0]), Ok(vec![Message::Unknown]));
    }

    #[test]
    fn cut_messages_and_unknown_sync_kinds_are_malformed() {
        for bad in [
            &[0][..],
            &[0, 0],
            &[0, 0, 2, 0],
            &[0, 3, 0],
            &[1],
            &[1, 5, 0],
            &[0x80, 0x00],
        ] {
            assert_eq!(all(bad), Err(Malformed), "{bad:?}");
        }
    }

    #[test]
    fn frames_hold_exactly_one_message() {
        assert_eq!(step_1_frame(&[0]), [0x82, 4, 0, 0, 1, 0]);
        assert_eq!(update_frame(&[0, 0]), [0x82, 5, 0, 2, 2, 0, 0]);
        assert_eq!(denied_frame("no"), [0x82, 5, 2, 0, 2, b'n', b'o']);
        assert_eq!(awareness_frame(&[0]), [0x82, 3, 1, 1, 0]);
        assert_eq!(keepalive_frame(), [0x82, 3, 1, 1, 0]);
        assert_eq!(step_2_head(300), [0x82, 126, 1, 48, 0, 1, 0xAC, 2]);
    }

    #[test]
    fn fuzz_body_holds_on_mutated_messages() {
        let seeds: [&[u8]; 3] = [
            &[0, 0, 1, 0, 0, 1, 2, 0, 0, 3],
            &[1, 4, 1, 2, 3, 4],
            &[0, 2, 0x80, 1],
        ];
        let mut state = 7u64;
        for round in 0..20_000usize {
            let mut bytes = seeds[round % seeds.len()].to_vec();
            for _ in 0..3 {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                let at = (state >> 33) as usize % bytes.len();
                bytes[at] = (state >> 20) as u8;
            }
            fuzzing::sync_message(&bytes);
        }
    }
}
