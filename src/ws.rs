//! RFC 6455 framing: headers of the unmasked frames that the server sends, and close codes; [`reader`] for
//! what clients send.
//!
//! Owns how a message becomes bytes on the wire, so that a room can encode a frame once for all its members.
//! Must not know what a message means.
//! Key invariant: the server never fragments and never sends a text frame.

pub mod reader;

/// The most bytes that [`put_header`] writes.
pub const HEADER_BYTES_MAX: usize = 10;

const FINAL: u8 = 0x80;

/// What kind of frame; the server sends only these.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Opcode {
    /// A whole binary message.
    Binary,
    /// The closing handshake: code and reason.
    Close,
    /// A ping; its payload comes back in a pong.
    Ping,
    /// The answer to a ping.
    Pong,
}

impl Opcode {
    fn bits(self) -> u8 {
        match self {
            Self::Binary => 0x2,
            Self::Close => 0x8,
            Self::Ping => 0x9,
            Self::Pong => 0xA,
        }
    }
}

/// Appends the header of one unmasked, final frame with `payload_bytes` of payload.
///
/// # Shape
/// ```text
/// FIN opcode | 0 len7             payload <= 125
/// FIN opcode | 0 126 | len16 BE   payload <= 65,535
/// FIN opcode | 0 127 | len64 BE   otherwise
/// ```
///
/// # Source
/// RFC 6455, section 5.2.
pub fn put_header(into: &mut Vec<u8>, opcode: Opcode, payload_bytes: usize) {
    into.push(FINAL | opcode.bits());
    match (u8::try_from(payload_bytes), u16::try_from(payload_bytes)) {
        (Ok(short), _) if short <= 125 => into.push(short),
        (_, Ok(medium)) => {
            into.push(126);
            into.extend_from_slice(&medium.to_be_bytes());
        }
        _ => {
            into.push(127);
            into.extend_from_slice(&(payload_bytes as u64).to_be_bytes());
        }
    }
}

/// One whole frame.
#[must_use]
pub fn frame(opcode: Opcode, payload: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(payload.len().saturating_add(HEADER_BYTES_MAX));
    put_header(&mut out, opcode, payload.len());
    out.extend_from_slice(payload);
    out
}

/// A close frame with `code` and as much of `reason` as a control frame may carry.
///
/// # Source
/// RFC 6455, sections 5.5 (at most 125 bytes) and 5.5.1 (two bytes of code, then UTF-8).
#[must_use]
pub fn close_frame(code: u16, reason: &str) -> Vec<u8> {
    let mut payload = code.to_be_bytes().to_vec();
    payload.extend_from_slice(
        reason
            .get(..reason.floor_char_boundary(123))
            .unwrap_or_default()
            .as_bytes(),
    );
    frame(Opcode::Close, &payload)
}

/// The answer to a close frame with this payload: the same, or, where its code must not be sent, a complaint.
///
/// # Source
/// RFC 6455, sections 5.5.1 and 7.4.
#[must_use]
pub fn close_reply(payload: &[u8]) -> Vec<u8> {
    match payload {
        [a, b, ..] if !matches!(u16::from_be_bytes([*a, *b]), 1000..=1003 | 1007..=1013 | 3000..=4999) => {
            close_frame(1002, "Protocol violation")
        }
        _ => frame(Opcode::Close, payload),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_change_shape_at_the_edges_of_rfc_6455() {
        let header = |n| {
            let mut out = Vec::new();
            put_header(&mut out, Opcode::Binary, n);
            out
        };
        assert_eq!(header(0), [0x82, 0]);
        assert_eq!(header(125), [0x82, 125]);
        assert_eq!(header(126), [0x82, 126, 0, 126]);
        assert_eq!(header(65_535), [0x82, 126, 0xFF, 0xFF]);
        assert_eq!(header(65_536), [0x82, 127, 0, 0, 0, 0, 0, 1, 0, 0]);
    }

    #[test]
    fn close_reasons_are_cut_at_a_character() {
        assert_eq!(close_frame(1001, "bye"), [0x88, 5, 0x03, 0xE9, b'b', b'y', b'e']);
        let long = close_frame(1001, &"ä".repeat(100));
        assert_eq!(long.len(), 2 + 2 + 122);
        assert!(std::str::from_utf8(&long[4..]).is_ok());
    }

    #[test]
    fn a_close_is_answered_with_itself_where_its_code_may_be_sent() {
        for (payload, code) in [
            (&b""[..], None),
            (&[3, 232, b'x'], Some(1000)),
            (&[3, 237], Some(1002)),
        ] {
            let reply = close_reply(payload);
            let sent = reply.get(2..4).map(|code| u16::from_be_bytes([code[0], code[1]]));
            assert_eq!((reply[0], sent), (0x88, code));
        }
    }

    #[test]
    fn pings_and_messages_carry_their_payload() {
        assert_eq!(frame(Opcode::Ping, b"x"), [0x89, 1, b'x']);
        assert_eq!(frame(Opcode::Binary, b"xy"), [0x82, 2, b'x', b'y']);
    }
}
