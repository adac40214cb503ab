//! WebSocket as bytes: the handshake and the frames, of both sides.
//!
//! Owns the framing. Must not know sockets, nor what a payload means. Key invariant: parsing borrows, never
//! panics, and reads at most the header. RFC 6455, sections 4 and 5.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use sha1::{Digest, Sha1};

/// What opcodes we meet.
pub(crate) mod opcode {
    pub(crate) const CONTINUATION: u8 = 0;
    pub(crate) const TEXT: u8 = 1;
    pub(crate) const BINARY: u8 = 2;
    pub(crate) const CLOSE: u8 = 8;
    pub(crate) const PING: u8 = 9;
    pub(crate) const PONG: u8 = 10;
}

/// One mask for all frames: frames are made before the run, and a server cannot tell.
const MASK: [u8; 4] = [0x5a, 0xc3, 0x17, 0x8e];

/// A frame's header, and where its payload lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) opcode: u8,
    pub(crate) fin: bool,
    pub(crate) mask: Option<[u8; 4]>,
    /// Bytes before the payload.
    pub(crate) head: usize,
    /// Bytes of the payload.
    pub(crate) body: usize,
}

impl Header {
    /// Reads the header at the start of `bytes`; `None` when there is not enough of it.
    pub(crate) fn read(bytes: &[u8]) -> Option<Self> {
        let (&first, &second) = (bytes.first()?, bytes.get(1)?);
        let (mut head, body) = match second & 0x7f {
            126 => (4, u64::from(u16::from_be_bytes(*bytes.get(2..)?.first_chunk()?))),
            127 => (10, u64::from_be_bytes(*bytes.get(2..)?.first_chunk()?)),
            short => (2, u64::from(short)),
        };
        let mask = if second & 0x80 == 0 {
            None
        } else {
            head += 4;
            Some(*bytes.get(head - 4..)?.first_chunk()?)
        };
        Some(Self {
            opcode: first & 0x0f,
            fin: first & 0x80 != 0,
            mask,
            head,
            body: usize::try_from(body).ok()?,
        })
    }

    pub(crate) fn total(&self) -> usize {
        self.head.saturating_add(self.body)
    }
}

fn put_header(out: &mut Vec<u8>, opcode: u8, len: usize, masked: u8) {
    out.push(0x80 | opcode);
    match (u8::try_from(len), u16::try_from(len)) {
        (Ok(short @ ..126), _) => out.push(masked | short),
        (_, Ok(middle)) => {
            out.push(masked | 126);
            out.extend(middle.to_be_bytes());
        }
        _ => {
            out.push(masked | 127);
            out.extend((len as u64).to_be_bytes());
        }
    }
}

/// Appends a frame as a client sends it.
pub(crate) fn put_client_frame(out: &mut Vec<u8>, opcode: u8, payload: &[u8]) {
    put_header(out, opcode, payload.len(), 0x80);
    out.extend(MASK);
    let masked = payload.iter().zip(MASK.iter().cycle());
    out.extend(masked.map(|(byte, key)| byte ^ key));
}

/// Appends a frame as a server sends it.
pub(crate) fn put_server_frame(out: &mut Vec<u8>, opcode: u8, payload: &[u8]) {
    put_header(out, opcode, payload.len(), 0);
    out.extend_from_slice(payload);
}

/// Takes the mask off, eight bytes at a time.
pub(crate) fn unmask(payload: &mut [u8], mask: [u8; 4]) {
    let [a, b, c, d] = mask;
    let wide = u64::from_ne_bytes([a, b, c, d, a, b, c, d]);
    let (chunks, rest) = payload.as_chunks_mut();
    for chunk in chunks {
        *chunk = (u64::from_ne_bytes(*chunk) ^ wide).to_ne_bytes();
    }
    for (byte, key) in rest.iter_mut().zip(mask.iter().cycle()) {
        *byte ^= key;
    }
}

/// Where the head of an HTTP message ends, its empty line included.
pub(crate) fn head_end(bytes: &[u8]) -> Option<usize> {
    let at = bytes.windows(4).position(|four| four == b"\r\n\r\n")?;
    Some(at + 4)
}

/// The request that opens a WebSocket.
pub(crate) fn request(host: &str, target: &str, headers: &[(&str, String)]) -> Vec<u8> {
    let key = BASE64_STANDARD.encode(b"boardwire-load!!");
    let mut text = format!(
        "GET {target} HTTP/1.1\r\nHost: {host}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n"
    );
    for (name, value) in headers {
        text.extend([name, ": ", value, "\r\n"]);
    }
    text.push_str("\r\n");
    text.into_bytes()
}

/// The answer to it; `None` for what asks for no WebSocket.
pub(crate) fn response(head: &str) -> Option<String> {
    let line = |line: &str| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("sec-websocket-key")
            .then(|| value.trim().to_owned())
    };
    let key = head.lines().find_map(line)?;
    let digest = Sha1::digest(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11");
    let accept = BASE64_STANDARD.encode(digest);
    Some(format!(
        "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Accept: {accept}\r\n\r\n"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_put_is_read_and_unmasked() {
        for len in [0, 1, 7, 8, 125, 126, 65_535, 65_536] {
            let payload: Vec<u8> = (0..len).map(|at| (at % 251) as u8).collect();
            let mut frame = Vec::new();
            put_client_frame(&mut frame, opcode::BINARY, &payload);
            let header = Header::read(&frame).unwrap();
            assert_eq!((header.opcode, header.fin), (opcode::BINARY, true));
            assert_eq!(header.total(), frame.len());
            let mut body = frame.split_off(header.head);
            unmask(&mut body, header.mask.unwrap());
            assert_eq!(body, payload);
            frame.clear();
            put_server_frame(&mut frame, opcode::PING, &payload);
            let header = Header::read(&frame).unwrap();
            assert_eq!((header.mask, header.body), (None, len));
            assert_eq!(frame.get(header.head..), Some(&payload[..]));
        }
        assert_eq!(Header::read(&[0x82, 0xfe, 0, 200, 1, 2, 3]), None);
    }

    #[test]
    fn the_key_of_the_rfc_is_answered_as_there() {
        let head = "GET /chat HTTP/1.1\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
        let answer = response(head).unwrap();
        assert!(answer.contains("Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"));
        assert_eq!(head_end(answer.as_bytes()), Some(answer.len()));
    }
}
