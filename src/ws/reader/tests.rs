//! Reading of frames: by example, against tungstenite, and what it costs.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    reason = "tests count small things"
)]

use std::io::{self, Cursor, Read, Write};

use async_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};
use async_tungstenite::tungstenite::{Error, Message, WebSocket};
use proptest::prelude::*;

use super::*;

const MAX: usize = 300;

/// A masked frame with any first byte.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mask = [0x11, 0x22, 0x33, 0x44];
    let mut out = vec![first];
    match payload.len() {
        short @ ..=125 => out.push(0x80 | short as u8),
        medium @ ..=0xffff => {
            out.push(0x80 | 126);
            out.extend((medium as u16).to_be_bytes());
        }
        long => {
            out.push(0x80 | 127);
            out.extend((long as u64).to_be_bytes());
        }
    }
    out.extend(mask);
    out.extend(payload.iter().zip(mask.iter().cycle()).map(|(a, b)| a ^ b));
    out
}

/// All events of `input`, given in pieces of `cut` bytes, and the refusal at the end.
fn read(reader: &mut Reader, input: &[u8], cut: usize) -> (Vec<Event>, Option<ReadError>) {
    let mut events = Vec::new();
    for mut piece in input.chunks(cut) {
        while !piece.is_empty() {
            match reader.feed(piece) {
                Ok((used, event)) => {
                    assert!(used > 0 && (event.is_some() || used == piece.len()));
                    piece = &piece[used..];
                    events.extend(event);
                    if matches!(events.last(), Some(Event::Close(_))) {
                        return (events, None);
                    }
                }
                Err(error) => return (events, Some(error)),
            }
        }
    }
    (events, None)
}

fn message(bytes: &[u8]) -> Event {
    Event::Message(Bytes::copy_from_slice(bytes))
}

#[test]
fn fragments_are_joined_and_control_frames_stand_between_them() {
    let input = [
        frame(0x82, b"whole"),
        frame(0x02, b"in "),
        frame(0x89, b"ping"),
        frame(0x00, b""),
        frame(0x8A, b"pong"),
        frame(0x80, b"parts"),
        frame(0x82, &[7; 300]),
        frame(0x88, &[0x03, 0xE8, b'b']),
    ]
    .concat();
    let expected = [
        message(b"whole"),
        Event::Ping(b"ping".to_vec()),
        Event::Pong,
        message(b"in parts"),
        message(&[7; 300]),
        Event::Close(vec![0x03, 0xE8, b'b']),
    ];
    for cut in 1..input.len() {
        let (events, error) = read(&mut Reader::new(MAX), &input, cut);
        assert_eq!((&events[..], error), (&expected[..], None), "cut every {cut}");
    }
}

#[test]
fn a_message_is_bounded_by_its_headers_alone() {
    for (bytes, fits) in [(MAX - 1, true), (MAX, true), (MAX + 1, false)] {
        let whole = frame(0x82, &vec![1; bytes]);
        let parts = [frame(0x02, &vec![1; bytes - 1]), frame(0x80, &[1])].concat();
        for input in [&whole, &parts] {
            let (events, error) = read(&mut Reader::new(MAX), input, 7);
            assert_eq!(
                (events.len(), error),
                (usize::from(fits), (!fits).then_some(ReadError::TooLarge))
            );
        }
        let error = Reader::new(MAX).feed(&whole[..8]).err();
        assert_eq!(
            error,
            (!fits).then_some(ReadError::TooLarge),
            "before any of it came"
        );
    }
    let huge = [
        0x82, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0, 0, 0, 0,
    ];
    assert_eq!(Reader::new(MAX).feed(&huge), Err(ReadError::TooLarge));
}

#[test]
fn what_breaks_the_framing_is_refused_by_its_first_two_bytes() {
    for (start, error) in [
        ([0x81, 0x81], ReadError::Text),
        ([0x82, 0x01], ReadError::Protocol),
        ([0xC2, 0x81], ReadError::Protocol),
        ([0x92, 0x81], ReadError::Protocol),
        ([0x83, 0x81], ReadError::Protocol),
        ([0x8B, 0x81], ReadError::Protocol),
        ([0x80, 0x81], ReadError::Protocol),
        ([0x09, 0x81], ReadError::Protocol),
        ([0x89, 0xFE], ReadError::Protocol),
    ] {
        assert_eq!(Reader::new(MAX).feed(&start), Err(error), "{start:x?}");
    }
    let mut reader = Reader::new(MAX);
    reader.feed(&frame(0x02, b"a")).unwrap();
    assert_eq!(
        reader.feed(&frame(0x82, b"b")),
        Err(ReadError::Protocol),
        "within a message"
    );
    for payload in [&[3][..], &[3, 232, 0xFF]] {
        assert_eq!(
            Reader::new(MAX).feed(&frame(0x88, payload)),
            Err(ReadError::Protocol)
        );
    }
}

#[test]
fn memory_is_taken_for_what_came_and_given_back_with_the_message() {
    const LARGE: usize = 4 * 1024 * 1024;
    let mut reader = Reader::new(2 * LARGE);
    let whole = frame(0x82, &vec![1; LARGE]);
    reader.feed(&whole[..20]).unwrap();
    assert!(reader.held() < 4_096, "an announced length takes nothing");
    for (came, piece) in whole[20..].chunks(50_000).enumerate() {
        let most = reader.held_after(piece.len());
        let came = 20 + came * 50_000 + piece.len();
        reader.feed(piece).unwrap();
        assert!(
            reader.held() <= most && reader.held() <= came + came / 4 + 4_096,
            "{came}"
        );
    }
    assert_eq!((reader.held(), reader.is_within_message()), (0, false));
    // Fragments of one byte and of none take as much as their bytes.
    let mut reader = Reader::new(LARGE);
    reader.feed(&frame(0x02, b"")).unwrap();
    let fragments = [frame(0x00, b"x"), frame(0x00, b"")].concat().repeat(20_000);
    reader.feed(&fragments).unwrap();
    assert!(
        (20_000..=20_000 + 20_000 / 4 + 4_096).contains(&reader.held()),
        "{}",
        reader.held()
    );
    assert!(reader.is_within_message());
}

#[test]
fn frames_that_complete_no_message_are_counted_until_they_are_taken() {
    let mut reader = Reader::new(MAX);
    let whole = frame(0x82, b"whole");
    read(&mut reader, &whole, 3);
    assert_eq!(reader.idle_frames(), 0);
    let input = [
        frame(0x02, b""),
        frame(0x89, b""),
        frame(0x00, b"x"),
        frame(0x8A, b""),
        frame(0x80, b""),
    ];
    read(&mut reader, &input.concat(), 5);
    assert_eq!(reader.idle_frames(), 4);
    reader.take_idle_frames(3);
    read(&mut reader, &whole, 3);
    assert_eq!(reader.idle_frames(), 1);
}

/// A peer whose bytes come in one piece, and that takes what it is sent.
struct Peer(Cursor<Vec<u8>>);

impl Read for Peer {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        match self.0.read(into)? {
            0 => Err(io::ErrorKind::WouldBlock.into()),
            read => Ok(read),
        }
    }
}

impl Write for Peer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The same events as tungstenite reads them; text as it is refused here.
fn oracle(input: &[u8]) -> (Vec<Event>, bool) {
    let config = WebSocketConfig::default()
        .max_message_size(Some(MAX))
        .max_frame_size(Some(MAX));
    let mut socket =
        WebSocket::from_raw_socket(Peer(Cursor::new(input.to_vec())), Role::Server, Some(config));
    let mut events = Vec::new();
    loop {
        match socket.read() {
            Ok(Message::Binary(bytes)) => events.push(Event::Message(bytes)),
            Ok(Message::Ping(payload)) => events.push(Event::Ping(payload.to_vec())),
            Ok(Message::Pong(_)) => events.push(Event::Pong),
            Ok(Message::Close(_)) => {
                events.push(Event::Close(Vec::new()));
                return (events, false);
            }
            Ok(Message::Text(_) | Message::Frame(_)) => return (events, true),
            Err(Error::Io(error)) if error.kind() == io::ErrorKind::WouldBlock => return (events, false),
            Err(_) => return (events, true),
        }
    }
}

fn any_frame() -> impl Strategy<Value = Vec<u8>> {
    let first = prop_oneof![
        8 => prop::sample::select(vec![0x82_u8, 0x02, 0x00, 0x80, 0x89, 0x8A]),
        1 => prop::sample::select(vec![0x81_u8, 0x88, 0x09, 0xC2, 0x83, 0x8B, 0x01]),
    ];
    (first, 0_usize..140, any::<u8>(), any::<u8>()).prop_map(|(first, length, byte, cut)| {
        let mut frame = frame(first, &vec![byte & 0x7f; length]);
        if cut == 0 {
            frame.truncate(frame.len() / 2);
        }
        frame
    })
}

proptest! {
    #[test]
    fn frames_are_read_as_tungstenite_reads_them(
        frames in prop::collection::vec(any_frame(), 0..12),
        cut in 1_usize..64,
    ) {
        let input = frames.concat();
        let (mut events, error) = read(&mut Reader::new(MAX), &input, cut);
        if let Some(Event::Close(payload)) = events.last_mut() {
            payload.clear();
        }
        let (expected, refused) = oracle(&input);
        // A refusal comes here as soon as a header shows it, there once the frame or the message is whole.
        prop_assert!(expected.starts_with(&events), "{:?} {:?}", events, expected);
        if error.is_none() {
            prop_assert_eq!((events.len(), refused), (expected.len(), false));
        }
    }
}
