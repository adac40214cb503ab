//! A WebSocket as a client has it.
//!
//! Owns [`Socket`]: frames out, masked, and frames in. Must not know what they say. Key invariants: a frame's
//! bytes are bounded before they are kept; what is not a whole, unmasked frame of RFC 6455 ends it. Tests are
//! below.
#![deny(clippy::arithmetic_side_effects, clippy::cast_possible_truncation)]

use std::time::Duration;

use smol::io::AsyncWriteExt as _;

use super::{ClientError, Duplex, Incoming, ended};
use crate::limits;
use crate::net::within;

/// What a frame is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Opcode {
    /// A text.
    Text,
    /// Bytes.
    Binary,
    /// The end, with a code and words.
    Close,
    /// Asks for a pong.
    Ping,
    /// Answers a ping.
    Pong,
}

/// One frame, which is a whole message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// What it is.
    pub opcode: Opcode,
    /// Its payload.
    pub payload: Vec<u8>,
}

/// An open WebSocket.
pub struct Socket {
    stream: Box<dyn Duplex>,
    unused: Vec<u8>,
}

impl Socket {
    pub(super) fn new(stream: Box<dyn Duplex>, unused: Vec<u8>) -> Self {
        Self { stream, unused }
    }

    /// Sends one frame.
    ///
    /// # Errors
    /// [`ClientError`]: the connection ended, or takes nothing for that long.
    pub async fn send(&mut self, opcode: Opcode, payload: &[u8], time: Duration) -> Result<(), ClientError> {
        let mut mask = [0; 4];
        getrandom::fill(&mut mask).map_err(|_| ClientError::Ended(std::io::ErrorKind::Other))?;
        let bytes = encode(opcode, payload, mask);
        let stream = &mut self.stream;
        let sending = async {
            stream.write_all(&bytes).await?;
            stream.flush().await
        };
        within(time, sending).await?.map_err(ended)
    }

    /// Waits for one frame.
    ///
    /// # Errors
    /// [`ClientError`]; [`ClientError::NotHttp`] for what is no frame. What came of one before the time was
    /// over is kept.
    pub async fn receive(&mut self, time: Duration) -> Result<Frame, ClientError> {
        let mut incoming = Incoming {
            stream: &mut self.stream,
            unused: std::mem::take(&mut self.unused),
        };
        let received = within(time, Box::pin(receive(&mut incoming))).await;
        self.unused = incoming.unused;
        received?
    }
}

async fn receive(incoming: &mut Incoming<'_, Box<dyn Duplex>>) -> Result<Frame, ClientError> {
    loop {
        if let Some((frame, used)) = decode(&incoming.unused)? {
            incoming.unused.drain(..used);
            return Ok(frame);
        }
        if incoming.more().await? == 0 {
            return Err(ClientError::Ended(std::io::ErrorKind::UnexpectedEof));
        }
    }
}

/// A frame as a client sends it (RFC 6455, 5.2 and 5.3).
fn encode(opcode: Opcode, payload: &[u8], mask: [u8; 4]) -> Vec<u8> {
    let opcode = match opcode {
        Opcode::Text => 1,
        Opcode::Binary => 2,
        Opcode::Close => 8,
        Opcode::Ping => 9,
        Opcode::Pong => 10,
    };
    let mut bytes = vec![0x80 | opcode];
    match (u8::try_from(payload.len()), u16::try_from(payload.len())) {
        (Ok(length @ 0..=125), _) => bytes.push(0x80 | length),
        (_, Ok(length)) => {
            bytes.push(0x80 | 126);
            bytes.extend(length.to_be_bytes());
        }
        _ => {
            bytes.push(0x80 | 127);
            bytes.extend(u64::try_from(payload.len()).unwrap_or(u64::MAX).to_be_bytes());
        }
    }
    bytes.extend(mask);
    bytes.extend(
        payload
            .iter()
            .zip(mask.iter().cycle())
            .map(|(byte, mask)| byte ^ mask),
    );
    bytes
}

/// The frame at the front, and how many bytes it takes; `None` while it is not whole.
fn decode(bytes: &[u8]) -> Result<Option<(Frame, usize)>, ClientError> {
    let [first, second, rest @ ..] = bytes else {
        return Ok(None);
    };
    let opcode = match first {
        0x81 => Opcode::Text,
        0x82 => Opcode::Binary,
        0x88 => Opcode::Close,
        0x89 => Opcode::Ping,
        0x8A => Opcode::Pong,
        _ => return Err(ClientError::NotHttp),
    };
    let (head, length) = match (second, rest) {
        (0..=125, _) => (2, u64::from(*second)),
        (126, [a, b, ..]) => (4, u64::from(u16::from_be_bytes([*a, *b]))),
        (127, [a, b, c, d, e, f, g, h, ..]) => (10, u64::from_be_bytes([*a, *b, *c, *d, *e, *f, *g, *h])),
        (126 | 127, _) => return Ok(None),
        // It is masked, as a client's.
        _ => return Err(ClientError::NotHttp),
    };
    let length = usize::try_from(length).unwrap_or(usize::MAX);
    if length > limits::CLIENT_FRAME_BYTES_MAX {
        return Err(ClientError::TooLarge);
    }
    let end = length.saturating_add(head);
    let frame = bytes.get(head..end).map(|payload| Frame {
        opcode,
        payload: payload.to_vec(),
    });
    Ok(frame.map(|frame| (frame, end)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from_server(first: u8, payload: &[u8]) -> Vec<u8> {
        let length = payload.len().to_be_bytes();
        let [.., high, low] = length;
        let mut bytes = vec![first];
        match payload.len() {
            0..=125 => bytes.push(low),
            126..=65_535 => bytes.extend([126, high, low]),
            _ => {
                bytes.push(127);
                bytes.extend(length);
            }
        }
        bytes.extend(payload);
        bytes
    }

    #[test]
    fn a_frame_is_read_once_it_is_whole_and_not_before() {
        for length in [0, 1, 125, 126, 65_535, 65_536, limits::CLIENT_FRAME_BYTES_MAX] {
            let bytes = from_server(0x82, &vec![7; length]);
            let (frame, used) = decode(&bytes).unwrap().unwrap();
            assert_eq!(
                (frame.opcode, frame.payload.len(), used),
                (Opcode::Binary, length, bytes.len())
            );
            for cut in [0, 1, 2, bytes.len() - 1] {
                if cut < bytes.len() {
                    assert_eq!(decode(&bytes[..cut]), Ok(None), "{length} {cut}");
                }
            }
        }
        let two = [from_server(0x89, b"a"), from_server(0x8A, b"b")].concat();
        assert_eq!(
            decode(&two).unwrap().map(|(frame, used)| (frame.opcode, used)),
            Some((Opcode::Ping, 3))
        );
    }

    #[test]
    fn what_no_server_sends_is_refused_and_so_is_more_than_is_kept() {
        let more = from_server(0x82, &vec![0; limits::CLIENT_FRAME_BYTES_MAX + 1]);
        assert_eq!(decode(&more[..10]), Err(ClientError::TooLarge));
        assert_eq!(
            decode(&[0x82, 127, 255, 255, 255, 255, 255, 255, 255, 255]),
            Err(ClientError::TooLarge)
        );
        // Of a message in parts, with a reserved bit, of no kind, and masked.
        for bytes in [
            [0x02, 0],
            [0x80, 0],
            [0xC2, 0],
            [0x83, 0],
            [0x82, 0x80],
            [0x82, 0xFE],
        ] {
            assert_eq!(decode(&bytes), Err(ClientError::NotHttp), "{bytes:?}");
        }
    }

    #[test]
    fn what_is_sent_is_masked_and_reads_back() {
        for length in [0, 1, 125, 126, 65_535, 65_536] {
            let payload: Vec<u8> = (0..=u8::MAX).cycle().take(length).collect();
            let bytes = encode(Opcode::Binary, &payload, [1, 2, 3, 4]);
            let head = bytes.len() - length - 4;
            assert_eq!(bytes[1] & 0x80, 0x80);
            assert_eq!(bytes[head..head + 4], [1, 2, 3, 4]);
            let unmasked: Vec<u8> = bytes[head + 4..]
                .iter()
                .zip([1, 2, 3, 4].iter().cycle())
                .map(|(byte, mask)| byte ^ mask)
                .collect();
            assert_eq!(unmasked, payload);
        }
    }
}
