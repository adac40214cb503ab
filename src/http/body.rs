//! Body framing: takes the framing off a request body, piece by piece.
//!
//! Owns [`Decoder`], a state machine over `Content-Length` and the chunked coding. Must not keep body bytes;
//! they are handed on as slices of the input. Key invariant: what is decoded does not depend on how the input
//! was cut. Tests are below; the fuzz body is `http::fuzzing::body`.
#![deny(clippy::arithmetic_side_effects, clippy::cast_possible_truncation)]

use std::fmt;

use super::head::Framing;
use super::target::hexadecimal;
use crate::limits;

/// Why a body is refused. The end of the message is lost then, so the connection is closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BodyError {
    /// The body is larger than allowed; known from `Content-Length` before any of it was read.
    TooLarge,
    /// The chunked coding is malformed.
    Chunk,
}

impl BodyError {
    /// The HTTP status of the refusal.
    #[must_use]
    pub fn status(self) -> u16 {
        match self {
            Self::TooLarge => 413,
            Self::Chunk => 400,
        }
    }
}

impl fmt::Display for BodyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TooLarge => "the request body is too large",
            Self::Chunk => "malformed chunked coding",
        })
    }
}

impl std::error::Error for BodyError {}

/// What one call of [`Decoder::decode`] found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step<'a> {
    /// Bytes of the input that are done with; drop them before the next call.
    pub consumed: usize,
    /// Body bytes among them; may be empty.
    pub data: &'a [u8],
    /// Whether the body ended.
    pub progress: Progress,
}

/// Whether a body has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// Call again with the bytes that follow; where nothing was consumed, with more of them.
    More,
    /// The next byte belongs to the next request.
    Done,
}

/// Takes the framing off one body.
#[derive(Clone, Debug)]
pub struct Decoder {
    state: State,
    /// Body bytes that may still come before the body is too large.
    allowance: u64,
    /// Bytes of trailers that may still come.
    trailer_allowance: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Body bytes of a known length.
    Length(u64),
    /// In a chunk's size: its value so far, and how many digits it had.
    Size(u64, u8),
    /// After the CR of a size line.
    SizeEnd(u64),
    /// Bytes of a chunk, more than zero.
    Chunk(u64),
    /// Before the CR after a chunk's bytes.
    ChunkCr,
    /// Before the LF after a chunk's bytes.
    ChunkLf,
    /// At the start of a trailer line, or of the empty line that ends the body.
    TrailerStart,
    /// Within a trailer line.
    Trailer,
    /// After the CR of a trailer line.
    TrailerLf,
    /// After the CR of the empty line.
    EndLf,
    /// The body has ended.
    Done,
}

/// Hexadecimal digits of a chunk size, inclusive: a `u64` has no more.
const SIZE_DIGITS_MAX: u8 = 16;

impl Decoder {
    /// A decoder for a body that is framed so, and at most `bytes_max` long, inclusive.
    ///
    /// # Errors
    /// [`BodyError::TooLarge`] when the announced length is already too much.
    pub fn new(framing: Framing, bytes_max: usize) -> Result<Self, BodyError> {
        let allowance = u64::try_from(bytes_max).unwrap_or(u64::MAX);
        let state = match framing {
            Framing::Empty | Framing::Length(0) => State::Done,
            Framing::Length(length) if length > allowance => return Err(BodyError::TooLarge),
            Framing::Length(length) => State::Length(length),
            Framing::Chunked => State::Size(0, 0),
        };
        Ok(Self {
            state,
            allowance,
            trailer_allowance: limits::HEAD_BYTES_MAX,
        })
    }

    /// Whether the body has ended; one that has no bytes has from the start.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.state == State::Done
    }

    /// Decodes as much of `input` as leads to one run of body bytes, or to the end.
    ///
    /// Trailers are checked for their form and dropped. Chunk extensions are refused: nobody sends them but
    /// those who hide a second request in them.
    ///
    /// # Errors
    /// [`BodyError`]; the decoder is of no use afterwards.
    ///
    /// # Source
    /// RFC 9112, 6 and 7.1.
    pub fn decode<'a>(&mut self, input: &'a [u8]) -> Result<Step<'a>, BodyError> {
        let mut rest = input;
        let mut data: &[u8] = &[];
        while data.is_empty() {
            match self.state {
                State::Done => break,
                State::Length(left) => {
                    let left = take(&mut rest, &mut data, left);
                    self.state = if left == 0 {
                        State::Done
                    } else {
                        State::Length(left)
                    };
                }
                State::Chunk(left) => {
                    let left = take(&mut rest, &mut data, left);
                    self.state = if left == 0 {
                        State::ChunkCr
                    } else {
                        State::Chunk(left)
                    };
                }
                _ => {
                    let Some((&byte, after)) = rest.split_first() else {
                        break;
                    };
                    self.state = self.framing_byte(byte)?;
                    rest = after;
                    continue;
                }
            }
            if data.is_empty() {
                break;
            }
        }
        let progress = if self.is_done() {
            Progress::Done
        } else {
            Progress::More
        };
        Ok(Step {
            consumed: input.len().saturating_sub(rest.len()),
            data,
            progress,
        })
    }

    /// The state after one byte that is not body.
    fn framing_byte(&mut self, byte: u8) -> Result<State, BodyError> {
        match (self.state, byte) {
            (State::Size(size, digits), b'\r') if digits > 0 => Ok(State::SizeEnd(size)),
            (State::Size(size, digits), _) => {
                let digit = hexadecimal(byte).filter(|_| digits < SIZE_DIGITS_MAX);
                let digit = digit.ok_or(BodyError::Chunk)?;
                Ok(State::Size(
                    (size << 4) | u64::from(digit),
                    digits.saturating_add(1),
                ))
            }
            (State::SizeEnd(0), b'\n') => Ok(State::TrailerStart),
            (State::SizeEnd(size), b'\n') => {
                self.allowance = self.allowance.checked_sub(size).ok_or(BodyError::TooLarge)?;
                Ok(State::Chunk(size))
            }
            (State::ChunkCr, b'\r') => Ok(State::ChunkLf),
            (State::ChunkLf, b'\n') => Ok(State::Size(0, 0)),
            (State::TrailerStart, b'\r') => Ok(State::EndLf),
            (State::TrailerStart, b' ' | b'\t') => Err(BodyError::Chunk),
            (State::Trailer, b'\r') => Ok(State::TrailerLf),
            (State::TrailerStart | State::Trailer, _) if byte == b'\t' || (byte >= b' ' && byte != 0x7f) => {
                self.trailer_allowance = self.trailer_allowance.checked_sub(1).ok_or(BodyError::TooLarge)?;
                Ok(State::Trailer)
            }
            (State::TrailerLf, b'\n') => Ok(State::TrailerStart),
            (State::EndLf, b'\n') => Ok(State::Done),
            _ => Err(BodyError::Chunk),
        }
    }
}

/// Moves up to `left` bytes from `rest` to `data`; returns how many of `left` remain.
fn take<'a>(rest: &mut &'a [u8], data: &mut &'a [u8], left: u64) -> u64 {
    let count = usize::try_from(left).unwrap_or(usize::MAX).min(rest.len());
    (*data, *rest) = rest.split_at(count);
    left.saturating_sub(u64::try_from(count).unwrap_or(u64::MAX))
}

#[cfg(test)]
#[allow(clippy::arithmetic_side_effects, reason = "tests count small things")]
mod tests {
    use super::*;

    /// Decodes `input`, cut into pieces of `cut` bytes; returns the body and how many bytes it took.
    fn decode(
        framing: Framing,
        bytes_max: usize,
        input: &[u8],
        cut: usize,
    ) -> Result<(Vec<u8>, usize, Progress), BodyError> {
        let mut decoder = Decoder::new(framing, bytes_max)?;
        let (mut body, mut position) = (Vec::new(), 0);
        loop {
            let end = (position + cut).min(input.len());
            let step = decoder.decode(&input[position..end])?;
            body.extend_from_slice(step.data);
            position += step.consumed;
            if step.progress == Progress::Done || position == input.len() {
                return Ok((body, position, step.progress));
            }
        }
    }

    #[track_caller]
    fn chunked(input: &[u8], expected: Result<(&[u8], usize, Progress), BodyError>) {
        for cut in 1..=input.len() {
            let result = decode(Framing::Chunked, 10, input, cut);
            let expected = expected.map(|(body, taken, progress)| (body.to_vec(), taken, progress));
            assert_eq!(
                result,
                expected,
                "{:?} cut every {cut}",
                String::from_utf8_lossy(input)
            );
        }
    }

    #[test]
    fn bodies_of_known_length_end_at_their_length() {
        for cut in 1..8 {
            let result = decode(Framing::Length(5), 10, b"helloGET", cut);
            assert_eq!(result, Ok((b"hello".to_vec(), 5, Progress::Done)));
            let result = decode(Framing::Length(5), 10, b"hel", cut);
            assert_eq!(result, Ok((b"hel".to_vec(), 3, Progress::More)));
            for empty in [Framing::Empty, Framing::Length(0)] {
                assert_eq!(decode(empty, 0, b"GET", cut), Ok((Vec::new(), 0, Progress::Done)));
            }
        }
    }

    #[test]
    fn a_length_is_refused_above_the_bound_before_anything_is_read() {
        for (length, fits) in [(9, true), (10, true), (11, false), (u64::MAX, false)] {
            let decoder = Decoder::new(Framing::Length(length), 10);
            assert_eq!(decoder.is_ok(), fits, "{length}");
        }
        assert_eq!(BodyError::TooLarge.status(), 413);
        assert_eq!(BodyError::Chunk.status(), 400);
    }

    #[test]
    fn chunks_are_joined_and_trailers_dropped() {
        chunked(b"0\r\n\r\nGET", Ok((b"", 5, Progress::Done)));
        chunked(b"5\r\nhello\r\n0\r\n\r\n", Ok((b"hello", 15, Progress::Done)));
        chunked(
            b"2\r\nhe\r\n003\r\nllo\r\n000\r\n\r\n",
            Ok((b"hello", 24, Progress::Done)),
        );
        chunked(
            b"A\r\n0123456789\r\n0\r\n\r\n",
            Ok((b"0123456789", 20, Progress::Done)),
        );
        chunked(
            b"1\r\nx\r\n0\r\nA: b\r\nC: d\r\n\r\n",
            Ok((b"x", 23, Progress::Done)),
        );
        chunked(b"5\r\nhel", Ok((b"hel", 6, Progress::More)));
    }

    #[test]
    fn malformed_chunks_are_refused() {
        for input in [
            &b"\r\n"[..],
            b"g\r\n",
            b"-1\r\n",
            b"+1\r\nx",
            b"0x1\r\nx",
            b" 1\r\nx",
            b"1 \r\nx",
            b"1;a=b\r\nx\r\n",
            b"1\nx\r\n",
            b"1\rx",
            b"1\r\nxy\r\n",
            b"1\r\nx\n",
            b"1\r\nx\rx",
            b"0\r\n\n",
            b"0\r\n\rx",
            b"0\r\n folded\r\n",
            b"0\r\nA: \x00\r\n",
            b"0\r\nA: b\n",
            b"00000000000000001\r\nx",
        ] {
            chunked(input, Err(BodyError::Chunk));
        }
    }

    #[test]
    fn chunks_and_trailers_are_bounded() {
        chunked(b"b\r\n", Err(BodyError::TooLarge));
        chunked(b"ffffffffffffffff\r\n", Err(BodyError::TooLarge));
        chunked(b"9\r\n123456789\r\n2\r\n", Err(BodyError::TooLarge));
        for (bytes, fits) in [
            (limits::HEAD_BYTES_MAX, true),
            (limits::HEAD_BYTES_MAX + 1, false),
        ] {
            let input = format!("0\r\n{}\r\n\r\n", "a".repeat(bytes));
            let result = decode(Framing::Chunked, 10, input.as_bytes(), usize::MAX / 2);
            assert_eq!(result.is_ok(), fits, "{bytes}");
        }
    }
}
