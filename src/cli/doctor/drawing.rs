//! Draws over a WebSocket as a stock client does, and waits until it is saved.
//!
//! Owns the few bytes of the protocol that this takes. Must not judge. Key invariant: it ends, whatever the
//! other side sends: each wait has a time, and frames that say nothing new are few. Tests are below, and in
//! tests/node/doctor.test.mjs.

use std::time::{Duration, Instant};

use boardwire::client::{ClientError, Frame, Opcode, Socket};

use super::super::one_line;
use super::asking::PATIENCE;
use super::replies::Kept;

/// How many changes are sent, one after the other.
const CHANGES: u32 = 10;

/// How long each may take.
const CHANGE_TIME_MAX: Duration = Duration::from_secs(20);

/// A number as lib0 writes it, of at most 32 bits.
fn number(into: &mut Vec<u8>, mut number: u32) {
    while number > 0x7F {
        into.push((number & 0x7F) as u8 | 0x80);
        number >>= 7;
    }
    into.push(number as u8);
}

/// The sync message with an update (v1) that adds one letter, in the client's clock `clock`, to a text of its
/// own.
///
/// # Source
/// Yjs, `src/structs/Item.js` and `src/utils/encoding.js`.
fn change(client: u32, clock: u32) -> Vec<u8> {
    let name = b"boardwire doctor";
    // One client, one struct.
    let mut update = vec![1, 1];
    number(&mut update, client);
    number(&mut update, clock);
    // A string, of a parent that has this name.
    update.extend([4, 1, name.len() as u8]);
    update.extend(name);
    update.extend([1, b'x']);
    // Nothing is deleted.
    update.push(0);
    let mut message = vec![0, 2];
    number(&mut message, update.len() as u32);
    message.extend(update);
    message
}

/// What ended a WebSocket.
enum Over {
    /// The code and the reason.
    Closed(u16, String),
    Failed(ClientError),
}

impl std::fmt::Display for Over {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Closed(code, reason) => write!(f, "closed with {code}, {}", one_line(reason)),
            Self::Failed(ClientError::NotHttp) => f.write_str("what came is no WebSocket frame"),
            Self::Failed(error) => error.fmt(f),
        }
    }
}

/// The next frame with bytes; pings are answered, as a browser does.
async fn next(socket: &mut Socket, time: Duration) -> Result<Frame, Over> {
    let end = Instant::now() + time;
    loop {
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(Over::Failed(ClientError::TimedOut));
        }
        let frame = socket.receive(left).await.map_err(Over::Failed)?;
        match frame.opcode {
            Opcode::Ping => {
                let pong = socket.send(Opcode::Pong, &frame.payload, PATIENCE).await;
                pong.map_err(Over::Failed)?;
            }
            Opcode::Close => {
                let (code, reason) = close(&frame.payload);
                return Err(Over::Closed(code, reason));
            }
            Opcode::Binary => return Ok(frame),
            Opcode::Text | Opcode::Pong => {}
        }
    }
}

/// Code and reason of a close frame; 1005 where it has none.
fn close(payload: &[u8]) -> (u16, String) {
    match payload {
        [first, second, reason @ ..] => {
            let code = u16::from_be_bytes([*first, *second]);
            (code, String::from_utf8_lossy(reason).into_owned())
        }
        _ => (1005, String::new()),
    }
}

/// Sends changes, and how long each took until it came back as saved.
///
/// # Errors
/// Why one did not.
pub(super) fn round_trips(socket: &mut Socket) -> Result<Vec<Duration>, String> {
    let mut random = [0; 4];
    getrandom::fill(&mut random).map_err(|error| error.to_string())?;
    // As Yjs chooses them: of 32 bits.
    let client = u32::from_le_bytes(random);
    let mut times = Vec::new();
    for clock in 0..CHANGES {
        let begun = Instant::now();
        let sent = smol::block_on(async {
            let sent = socket
                .send(Opcode::Binary, &change(client, clock), PATIENCE)
                .await;
            sent.map_err(Over::Failed)?;
            loop {
                let left = CHANGE_TIME_MAX.saturating_sub(begun.elapsed());
                let frame = next(socket, left).await?;
                if frame.payload.starts_with(&[0, 2]) {
                    return Ok(());
                }
            }
        });
        sent.map_err(|over: Over| match over {
            Over::Failed(ClientError::TimedOut) => format!("change {} did not come back as saved", clock + 1),
            over => format!("change {}: {over}", clock + 1),
        })?;
        times.push(begun.elapsed());
    }
    Ok(times)
}

/// Keeps a WebSocket open for a time; how that went.
pub(super) fn keep(socket: &mut Socket, wanted: Duration) -> Kept {
    let begun = Instant::now();
    smol::block_on(async {
        loop {
            let left = wanted.saturating_sub(begun.elapsed());
            match next(socket, left).await {
                Ok(_) => {}
                Err(Over::Failed(ClientError::TimedOut)) if begun.elapsed() >= wanted => return Kept::Whole,
                Err(Over::Failed(_)) => return Kept::Cut(begun.elapsed()),
                Err(Over::Closed(code, reason)) => return Kept::Closed(begun.elapsed(), code, reason),
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_as_lib0_does() {
        for (value, bytes) in [
            (0, vec![0]),
            (127, vec![127]),
            (128, vec![0x80, 1]),
            (300, vec![0xAC, 2]),
            (u32::MAX, vec![0xFF, 0xFF, 0xFF, 0xFF, 0x0F]),
        ] {
            let mut written = Vec::new();
            number(&mut written, value);
            assert_eq!(written, bytes, "{value}");
        }
    }

    #[test]
    fn a_change_is_one_message_whose_update_adds_a_letter() {
        let message = change(5, 200);
        let update = &message[3..];
        assert_eq!(message[..3], [0, 2, update.len() as u8]);
        assert_eq!(update[..5], [1, 1, 5, 0xC8, 1]);
        assert!(update.ends_with(&[1, b'x', 0]));
    }

    #[test]
    fn a_close_without_a_code_is_1005() {
        assert_eq!(close(&[]), (1005, String::new()));
        assert_eq!(close(&[3]), (1005, String::new()));
        assert_eq!(close(&[0x03, 0xE9, b'a', b'b']), (1001, "ab".to_owned()));
    }
}
