//! From the bytes that Redis sends to values, within bounds.
//!
//! Owns [`Replies`], around the parser of the redis crate. Must not read a socket. Key invariants: that
//! parser takes memory by what has arrived and never by a length that is only announced, and what has arrived
//! of one value is bounded here, by `limits::REDIS_REPLY_BYTES_MAX`; after an error nothing more is read.
//! Tests are below.

use std::io::{self, Read};

use redis::Value;

use crate::limits;

/// Why what Redis sent is not used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BadReply {
    /// It is not the protocol of Redis.
    Nonsense,
    /// A value is longer than [`limits::REDIS_REPLY_BYTES_MAX`].
    TooLarge,
}

/// The values of one connection.
pub struct Replies {
    parser: redis::Parser,
    /// Bytes given to the parser since it last gave a value: all it holds, and at most one read more.
    held: usize,
}

impl Default for Replies {
    fn default() -> Self {
        Self {
            parser: redis::Parser::new(),
            held: 0,
        }
    }
}

impl Replies {
    /// The next value, from what was kept and `bytes`, from which is taken what was read; `None` where more
    /// bytes are needed, and then all were taken.
    ///
    /// # Errors
    /// [`BadReply`]; the connection is of no more use.
    pub fn next(&mut self, bytes: &mut &[u8]) -> Result<Option<Value>, BadReply> {
        if self.held.saturating_add(bytes.len()) > limits::REDIS_REPLY_BYTES_MAX {
            return Err(BadReply::TooLarge);
        }
        let before = bytes.len();
        let mut feed = Feed { bytes, is_dry: false };
        let parsed = self.parser.parse_value(&mut feed);
        let is_dry = feed.is_dry;
        self.held = self.held.saturating_add(before.saturating_sub(bytes.len()));
        match parsed {
            Ok(value) => {
                self.held = 0;
                Ok(Some(value))
            }
            Err(_) if is_dry => Ok(None),
            Err(_) => Err(BadReply::Nonsense),
        }
    }
}

/// Gives the parser what there is; it remembers where it was when there is no more.
struct Feed<'a, 'b> {
    bytes: &'a mut &'b [u8],
    is_dry: bool,
}

impl Read for Feed<'_, '_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.bytes.is_empty() {
            self.is_dry = true;
            return Err(io::ErrorKind::WouldBlock.into());
        }
        self.bytes.read(buffer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads it in pieces of so many bytes.
    fn read(bytes: &[u8], piece: usize) -> Result<Vec<Value>, BadReply> {
        let (mut replies, mut values) = (Replies::default(), Vec::new());
        for mut piece in bytes.chunks(piece) {
            while let Some(value) = replies.next(&mut piece)? {
                values.push(value);
            }
            assert!(piece.is_empty());
        }
        Ok(values)
    }

    fn bulk(text: &str) -> Value {
        Value::BulkString(text.into())
    }

    #[test]
    fn values_are_read_however_they_are_cut() {
        let bytes = b"+OK\r\n+PONG\r\n:7\r\n$-1\r\n$4\r\na\r\nb\r\n*3\r\n$9\r\nsubscribe\r\n$1\r\nc\r\n:1\r\n*0\r\n+OK\r\n";
        let values = vec![
            Value::Okay,
            Value::SimpleString("PONG".into()),
            Value::Int(7),
            Value::Nil,
            bulk("a\r\nb"),
            Value::Array(vec![bulk("subscribe"), bulk("c"), Value::Int(1)]),
            Value::Array(vec![]),
            Value::Okay,
        ];
        for piece in 1..=bytes.len() {
            assert_eq!(read(bytes, piece).as_ref(), Ok(&values), "in pieces of {piece}");
        }
    }

    #[test]
    fn nonsense_never_becomes_a_value() {
        let deep = b"*1\r\n".repeat(10_000);
        let nonsense: [&[u8]; 6] = [
            b"HTTP/1.1 400 Bad Request\r\n\r\n",
            b"\0\0\0\0\0",
            b"$abc\r\n",
            b"$3\r\nabcd\r\n",
            b"*99999999999999999999\r\n",
            &deep,
        ];
        for bytes in nonsense {
            let shown = bytes.escape_ascii().to_string();
            assert_eq!(read(bytes, bytes.len()), Err(BadReply::Nonsense), "{shown}");
            // Alone in its piece, a byte that begins nothing makes the parser wait for more, which time and
            // size bound.
            for piece in 1..8 {
                assert!(
                    matches!(read(bytes, piece), Err(BadReply::Nonsense) | Ok(_)),
                    "{shown}"
                );
                assert!(read(bytes, piece).unwrap_or_default().is_empty(), "{shown}");
            }
        }
    }

    #[test]
    fn lengths_that_are_only_announced_wait_for_their_bytes() {
        for announced in [
            "$1000000000000\r\nx",
            "*1000000000000\r\n:1\r\n",
            "%1000000000\r\n",
            ">4000000000\r\n",
            "=-1\r\n",
        ] {
            assert_eq!(read(announced.as_bytes(), 7), Ok(vec![]), "{announced}");
        }
    }

    #[test]
    fn a_value_is_bounded_at_its_edge() {
        let value = |bytes: usize| {
            let header = format!("${}\r\n", bytes - 12);
            assert_eq!(header.len(), 10);
            [header.as_bytes(), &vec![b'x'; bytes - 12], b"\r\n"].concat()
        };
        let max = limits::REDIS_REPLY_BYTES_MAX;
        assert_eq!(read(&value(max), 8_192).map(|values| values.len()), Ok(1));
        assert_eq!(read(&value(max + 1), 8_192), Err(BadReply::TooLarge));
        let two = [value(max), value(max)].concat();
        assert_eq!(
            read(&two, max).map(|values| values.len()),
            Ok(2),
            "each counts for itself"
        );
        let array = [b"*4000000\r\n".to_vec(), b":1\r\n".repeat(max / 4)].concat();
        assert_eq!(read(&array, 8_192), Err(BadReply::TooLarge));
    }

    #[test]
    fn mutations_of_replies_never_panic() {
        let seeds: [&[u8]; 3] = [
            b"*4\r\n$8\r\npmessage\r\n$15\r\nboard:*:updates\r\n$15\r\nboard:a:updates\r\n$2\r\n{}\r\n",
            b"-NOAUTH Authentication required.\r\n+PONG\r\n:1\r\n$-1\r\n*-1\r\n",
            b">2\r\n+a\r\n:1\r\n%1\r\n+a\r\n_\r\n|1\r\n+a\r\n#t\r\n,1.5\r\n=5\r\ntxt:a\r\n(12\r\n~1\r\n:1\r\n!1\r\na\r\n",
        ];
        crate::mutation::drive(&seeds, 5_000, |bytes| {
            let piece = bytes.first().map_or(1, |byte| usize::from(byte % 7) + 1);
            for piece in [piece, bytes.len().max(1)] {
                let values = read(bytes, piece).unwrap_or_default();
                assert!(values.len() <= bytes.len());
            }
        });
    }
}
