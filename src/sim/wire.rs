//! A client's half of the wire: frames that are masked, and those of the server, however they were cut.
//!
//! Owns the bytes of a client. Must not know what a message is for. Key invariant: the server's frames are unmasked, whole and
//! binary, one message in each, or the reader panics.

use super::executor::World;
use crate::room::harness::{Got, parse_frames};

pub(super) use crate::room::harness::message;

/// What a client hears.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Heard {
    Step1(Vec<u8>),
    Step2(Vec<u8>),
    Update(Vec<u8>),
    Awareness(Vec<(u64, u64, String)>),
    Denied,
    Ping(Vec<u8>),
    Close(u16),
}

/// Awareness entries.
pub(super) fn awareness(entries: &[(u64, u64, String)]) -> Vec<u8> {
    let entries: Vec<_> = entries
        .iter()
        .map(|(id, clock, text)| (*id, *clock, text.as_str()))
        .collect();
    crate::room::harness::awareness(&entries)
}

/// A whole masked frame.
pub(super) fn masked(world: &World, opcode: u8, payload: &[u8]) -> Vec<u8> {
    let key = world.random(|random| random.next() as u32).to_le_bytes();
    let mut frame = vec![0x80 | opcode];
    match payload.len() {
        short @ 0..126 => frame.push(0x80 | short as u8),
        medium @ 126..65_536 => {
            frame.push(0x80 | 126);
            frame.extend((medium as u16).to_be_bytes());
        }
        long => {
            frame.push(0x80 | 127);
            frame.extend((long as u64).to_be_bytes());
        }
    }
    frame.extend(key);
    frame.extend(
        payload
            .iter()
            .zip(key.iter().cycle())
            .map(|(byte, mask)| byte ^ mask),
    );
    frame
}

/// Reads the server's frames.
#[derive(Default)]
pub(super) struct Frames(Vec<u8>);

impl Frames {
    /// What is complete now.
    pub(super) fn feed(&mut self, bytes: &[u8]) -> Vec<Heard> {
        self.0.extend_from_slice(bytes);
        let mut heard = Vec::new();
        while let Some(length) = self.next_length() {
            let frame: Vec<u8> = self.0.drain(..length).collect();
            heard.push(read(&frame));
        }
        heard
    }

    /// The length of the first frame, if all of it is there.
    fn next_length(&self) -> Option<usize> {
        let length = match *self.0.get(1)? {
            126 => 4 + usize::from(u16::from_be_bytes(self.0.get(2..4)?.try_into().ok()?)),
            127 => 10 + u64::from_be_bytes(self.0.get(2..10)?.try_into().ok()?) as usize,
            short => 2 + usize::from(short),
        };
        (self.0.len() >= length).then_some(length)
    }
}

fn read(frame: &[u8]) -> Heard {
    match frame {
        [0x88, _, high, low, ..] => Heard::Close(u16::from_be_bytes([*high, *low])),
        [0x88, ..] => Heard::Close(1005),
        [0x89, _, payload @ ..] => Heard::Ping(payload.to_vec()),
        _ => match parse_frames(frame).pop().expect("one message") {
            Got::Step1(vector) => Heard::Step1(vector),
            Got::Step2(update) => Heard::Step2(update),
            Got::Update(update) => Heard::Update(update),
            Got::Awareness(entries) => Heard::Awareness(entries),
            Got::Denied => Heard::Denied,
            Got::Ping | Got::Closed(_) => unreachable!("read above"),
        },
    }
}
