//! Real Yjs updates, made before the run, and what a message that comes says about them.
//!
//! Owns the encoding of lib0 as far as a load generator needs it. Must not know sockets or time. Key
//! invariant: update `n` of a writer holds exactly one struct, whose clock is `n`; so an update is known by
//! (client id, clock), however a server packs it.

use std::collections::HashMap;
use std::sync::Arc;

use yrs::block::ClientID;
use yrs::updates::decoder::Decode;
use yrs::{Any, Doc, Map, MapRef, Options, ReadTxn, Transact, Update};

use crate::ws::{self, opcode};

/// Step 1 of somebody who has nothing.
pub(crate) const STEP_1: [u8; 4] = [0, 0, 1, 0];
/// Step 2 of somebody who has nothing.
pub(crate) const EMPTY_STEP_2: [u8; 5] = [0, 1, 2, 0, 0];

/// A writer's client id is this and its number: of five bytes when encoded, as most random ones are.
const CLIENT_BASE: u64 = 0x4000_0000;
/// Each writer moves so many shapes in turn, as somebody who drags a few.
const SHAPES_OF_A_WRITER: usize = 8;

/// Appends a number as lib0 writes it.
fn put_number(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

/// Takes a number off the front.
fn number(bytes: &mut &[u8]) -> Option<u64> {
    let mut number = 0_u64;
    for shift in (0..63).step_by(7) {
        let (&first, rest) = bytes.split_first()?;
        *bytes = rest;
        number |= u64::from(first & 0x7f) << shift;
        if first < 0x80 {
            return Some(number);
        }
    }
    None
}

/// A message that brings an update.
pub(crate) fn update_message(update: &[u8]) -> Vec<u8> {
    let mut message = vec![0, 2];
    put_number(&mut message, update.len() as u64);
    message.extend_from_slice(update);
    message
}

/// A record as tldraw's page writes one.
fn record(key: &str, at: usize) -> Any {
    let number = |number: usize| Any::Number(yrs::Number::Float(number as f64 + 0.5));
    let text = |text: &str| Any::String(text.into());
    let props = HashMap::from([
        ("w".to_owned(), number(120)),
        ("color".to_owned(), text("yellow")),
        ("geo".to_owned(), text("rectangle")),
    ]);
    let members = [
        ("id", text(key)),
        ("type", text("geo")),
        ("typeName", text("shape")),
        ("x", number(at % 1_920)),
        ("y", number(at / 7 % 1_080)),
        ("rotation", Any::from(0)),
        ("opacity", Any::from(1)),
        ("isLocked", Any::Bool(false)),
        ("index", text("a1")),
        ("parentId", text("page:page")),
        ("props", Any::Map(Arc::new(props))),
    ];
    let members = members.map(|(name, value)| (name.to_owned(), value));
    Any::Map(Arc::new(HashMap::from(members)))
}

/// A document that somebody draws in.
pub(crate) struct Drawing {
    doc: Doc,
    shapes: MapRef,
}

impl Drawing {
    pub(crate) fn new(client: u64) -> Self {
        let doc = Doc::with_options(Options::with_client_id(ClientID::new(client)));
        let shapes = doc.get_or_insert_map("tldraw");
        Self { doc, shapes }
    }

    /// Puts a shape somewhere, and returns the update that says so.
    pub(crate) fn put(&self, shape: &str, at: usize) -> Vec<u8> {
        let mut transaction = self.doc.transact_mut();
        let key = format!("shape:{shape}");
        let record = record(&key, at);
        self.shapes.insert(&mut transaction, key, record);
        transaction.encode_update_v1()
    }

    /// All of it as one update.
    pub(crate) fn state(&self) -> Vec<u8> {
        let transaction = self.doc.transact();
        transaction.encode_state_as_update_v1(&yrs::StateVector::default())
    }
}

/// All updates of one writer as the frames that carry them, one after the other.
pub(crate) struct Series {
    drawing: Drawing,
    writer: usize,
    frames: Vec<u8>,
    /// Where each frame ends.
    ends: Vec<usize>,
}

impl Series {
    pub(crate) fn new(writer: usize) -> Self {
        Self {
            drawing: Drawing::new(CLIENT_BASE + writer as u64),
            writer,
            frames: Vec::new(),
            ends: vec![0],
        }
    }

    /// Makes more of them, until there are `updates`.
    pub(crate) fn grow(&mut self, updates: usize) {
        while self.ends.len() <= updates {
            let at = self.ends.len();
            let shape = format!("w{}-{}", self.writer, at % SHAPES_OF_A_WRITER);
            let message = update_message(&self.drawing.put(&shape, at));
            ws::put_client_frame(&mut self.frames, opcode::BINARY, &message);
            self.ends.push(self.frames.len());
        }
    }

    /// Where the first `updates` frames end.
    pub(crate) fn end(&self, updates: usize) -> usize {
        self.ends.get(updates).copied().unwrap_or(self.frames.len())
    }

    /// Where the frame ends that byte `at` is in; `at` itself between two frames.
    pub(crate) fn boundary(&self, at: usize) -> usize {
        let frame = self.ends.partition_point(|end| *end < at);
        self.end(frame)
    }

    pub(crate) fn bytes(&self, from: usize, to: usize) -> &[u8] {
        self.frames.get(from..to).unwrap_or_default()
    }
}

/// What came in one message of a server.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Message<'a> {
    /// It asks what we have.
    Step1,
    /// What it has.
    Step2(&'a [u8]),
    /// A change.
    Update(&'a [u8]),
    /// It refuses something.
    Denied,
    /// Presence, and whatever else there is.
    Other,
}

impl<'a> Message<'a> {
    pub(crate) fn read(payload: &'a [u8]) -> Self {
        let Some((kind, mut rest)) = payload.split_at_checked(2) else {
            return Self::Other;
        };
        match kind {
            [0, 0] => Self::Step1,
            [0, kind] => {
                let Some(len) = number(&mut rest) else {
                    return Self::Other;
                };
                let update = rest.get(..usize::try_from(len).unwrap_or(usize::MAX));
                match (kind, update) {
                    (1, Some(update)) => Self::Step2(update),
                    (2, Some(update)) => Self::Update(update),
                    _ => Self::Other,
                }
            }
            [2, _] => Self::Denied,
            _ => Self::Other,
        }
    }
}

/// The writer whose client id this is.
pub(crate) fn writer_of(client: u64) -> Option<usize> {
    usize::try_from(client.checked_sub(CLIENT_BASE)?).ok()
}

/// Calls `found` with the client id and the clocks (first, one past the last) of all that an update brings.
pub(crate) fn spans(update: &[u8], mut found: impl FnMut(u64, u64, u64)) {
    // Nearly always it is one struct, as it was sent. Some servers merge what several wrote, or who echoes.
    let alone = |mut rest: &[u8]| {
        let mut next = || number(&mut rest);
        let is_one = next()? == 1 && next()? == 1;
        is_one.then_some((next()?, next()?))
    };
    if let Some((client, clock)) = alone(update) {
        return found(client, clock, clock.saturating_add(1));
    }
    if let Ok(update) = Update::decode_v1(update) {
        for (client, ranges) in update.insertions(true).iter() {
            for range in ranges {
                found(client.get(), range.start.into(), range.end.into());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spans_of(update: &[u8]) -> Vec<(usize, u64, u64)> {
        let mut all = Vec::new();
        spans(update, |client, from, to| {
            all.push((writer_of(client).unwrap(), from, to))
        });
        all.sort_unstable();
        all
    }

    #[test]
    fn an_update_is_known_by_its_writer_and_clock_alone_or_merged() {
        let drawings = [Drawing::new(CLIENT_BASE + 3), Drawing::new(CLIENT_BASE + 4)];
        let mut all = Vec::new();
        for at in 0..100 {
            for (drawing, writer) in drawings.iter().zip(3..) {
                let update = drawing.put("a", at);
                assert_eq!(spans_of(&update), [(writer, at as u64, at as u64 + 1)]);
                assert!((170..230).contains(&update.len()), "{}", update.len());
                let message = update_message(&update);
                assert_eq!(Message::read(&message), Message::Update(&update));
                all.push(update);
            }
        }
        let merged = yrs::merge_updates_v1(&all).unwrap();
        assert_eq!(spans_of(&merged), [(3, 0, 100), (4, 0, 100)]);
        let later = yrs::merge_updates_v1(&all[10..50]).unwrap();
        assert_eq!(spans_of(&later), [(3, 5, 25), (4, 5, 25)]);
        let gap = yrs::merge_updates_v1([&all[10], &all[12], &all[20]]).unwrap();
        assert_eq!(spans_of(&gap), [(3, 5, 7), (3, 10, 11)]);
        assert_eq!(spans_of(&[0, 0]), []);
        assert_eq!(writer_of(7), None);
    }

    #[test]
    fn frames_lie_one_after_the_other() {
        let mut series = Series::new(0);
        series.grow(3);
        series.grow(2);
        assert_eq!(series.end(3), series.frames.len());
        let mut at = 0;
        for n in 1..=3 {
            let header = ws::Header::read(series.bytes(at, series.end(3))).unwrap();
            assert_eq!(at + header.total(), series.end(n));
            assert_eq!(
                (series.boundary(at), series.boundary(at + 1)),
                (at, series.end(n))
            );
            at = series.end(n);
        }
    }

    #[test]
    fn messages_cut_short_are_no_update() {
        assert_eq!(Message::read(&[]), Message::Other);
        assert_eq!(Message::read(&[0, 2]), Message::Other);
        assert_eq!(Message::read(&[0, 2, 9, 1]), Message::Other);
        assert_eq!(Message::read(&STEP_1), Message::Step1);
        assert_eq!(Message::read(&EMPTY_STEP_2), Message::Step2(&[0, 0]));
        assert_eq!(Message::read(&[2, 0, 1, b'x']), Message::Denied);
    }
}
