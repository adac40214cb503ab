//! Real Yjs updates, made before the run, and what a message that comes says about them.
//!
//! Owns the encoding of lib0 and of both dialects (y-protocols 1.0.6; Hocuspocus 4.7) as far as a load
//! generator needs it. Must not know sockets or time. Key invariant: update `n` of a writer holds exactly one
//! struct, whose clock is `n`; so an update is known by (client id, clock), however a server packs it.

#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::panic::catch_unwind;
use std::sync::Arc;

use yrs::block::ClientID;
use yrs::updates::decoder::Decode;
use yrs::{Any, Doc, Map, MapRef, Options, ReadTxn, Transact, Update};

use crate::ws::{self, opcode};

/// What a server speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dialect {
    /// y-protocols, as y-websocket sends them: steps 1 and 2 at the start.
    Yjs,
    /// The same with the name of the document before each message, and a token at the start.
    Hocuspocus,
    /// It sends on what comes: nothing is said at the start.
    Bare,
}

impl Dialect {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Yjs => "yjs",
            Self::Hocuspocus => "hocuspocus",
            Self::Bare => "bare",
        }
    }

    /// What stands before each message about a room.
    pub(crate) fn prefix(self, room: &str) -> Vec<u8> {
        let mut prefix = Vec::new();
        if self == Self::Hocuspocus {
            put_bytes(&mut prefix, room.as_bytes());
        }
        prefix
    }

    /// What a client says first, before step 1.
    pub(crate) fn greeting(self, token: &str) -> Option<Vec<u8>> {
        (self == Self::Hocuspocus).then(|| {
            let mut message = vec![2, 0];
            put_bytes(&mut message, token.as_bytes());
            put_bytes(&mut message, b"4.7.0");
            message
        })
    }
}

/// Step 1 of somebody who has these clocks.
pub(crate) fn step_1(clocks: &[(u64, u64)]) -> Vec<u8> {
    let mut vector = Vec::new();
    put_number(&mut vector, clocks.len() as u64);
    for (client, clock) in clocks {
        put_number(&mut vector, *client);
        put_number(&mut vector, *clock);
    }
    step_1_of(&vector)
}

/// Step 1 with this state vector.
pub(crate) fn step_1_of(vector: &[u8]) -> Vec<u8> {
    let mut message = vec![0, 0];
    put_bytes(&mut message, vector);
    message
}

/// Step 2 with this update.
pub(crate) fn step_2(update: &[u8]) -> Vec<u8> {
    let mut message = vec![0, 1];
    put_bytes(&mut message, update);
    message
}

/// The clock that a state vector has of a client; 0 where it has nothing.
pub(crate) fn clock_in(mut vector: &[u8], client: u64) -> u64 {
    let entries = number(&mut vector).unwrap_or(0);
    for _ in 0..entries {
        match (number(&mut vector), number(&mut vector)) {
            (Some(id), Some(clock)) if id == client => return clock,
            (Some(_), Some(_)) => {}
            _ => return 0,
        }
    }
    0
}

/// Step 2 of somebody who has nothing that the other lacks.
pub(crate) const EMPTY_STEP_2: [u8; 5] = [0, 1, 2, 0, 0];

/// A writer's client id is this and its number: of five bytes when encoded, as most random ones are.
const CLIENT_BASE: u64 = 0x4000_0000;
/// Kinds of structs that are no items.
const GARBAGE: u8 = 0;
const SKIP: u8 = 10;
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

fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    put_number(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

/// Takes bytes that follow their length off the front.
fn bytes<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let len = usize::try_from(number(rest)?).ok()?;
    let (bytes, after) = rest.split_at_checked(len)?;
    *rest = after;
    Some(bytes)
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
    put_bytes(&mut message, update);
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
        self.put_all([(shape.to_owned(), at)].into_iter())
    }

    /// Puts some shapes in one update.
    pub(crate) fn put_all(&self, shapes: impl Iterator<Item = (String, usize)>) -> Vec<u8> {
        let mut transaction = self.doc.transact_mut();
        for (shape, at) in shapes {
            let key = format!("shape:{shape}");
            let record = record(&key, at);
            self.shapes.insert(&mut transaction, key, record);
        }
        transaction.encode_update_v1()
    }

    /// All of it as one update.
    pub(crate) fn state(&self) -> Vec<u8> {
        let transaction = self.doc.transact();
        transaction.encode_state_as_update_v1(&yrs::StateVector::default())
    }
}

/// All updates of one writer as messages; update `n` is at `n`.
pub(crate) struct Author {
    drawing: Drawing,
    writer: usize,
    messages: Vec<Box<[u8]>>,
}

impl Author {
    pub(crate) fn new(writer: usize) -> Self {
        Self {
            drawing: Drawing::new(client_of(writer)),
            writer,
            messages: Vec::new(),
        }
    }

    fn grow(&mut self, updates: usize) {
        for at in self.messages.len()..updates {
            let shape = format!("w{}-{}", self.writer, (at + 1) % SHAPES_OF_A_WRITER);
            let message = update_message(&self.drawing.put(&shape, at + 1));
            self.messages.push(message.into());
        }
    }
}

/// Updates of one writer as the frames that carry them, one after the other.
#[derive(Default)]
pub(crate) struct Feed {
    frames: Vec<u8>,
    /// Where each frame ends, after a 0.
    ends: Vec<usize>,
}

impl Feed {
    /// Makes more frames, until there are `updates`.
    pub(crate) fn grow(&mut self, author: &mut Author, updates: usize, prefix: &[u8]) {
        author.grow(updates);
        if self.ends.is_empty() {
            self.ends.push(0);
        }
        let mut message = prefix.to_vec();
        for at in self.ends.len() - 1..updates {
            message.truncate(prefix.len());
            message.extend_from_slice(&author.messages[at]);
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

/// The message that moves a cursor: the presence of one client.
pub(crate) fn cursor_message(client: u64, clock: u64) -> Vec<u8> {
    let (x, y) = (clock * 7 % 1_920, clock * 5 % 1_080);
    let state = format!(
        r##"{{"user":{{"name":"Somebody {client}","color":"#1e90ff"}},"cursor":{{"x":{x}.5,"y":{y}.25}}}}"##
    );
    let mut update = vec![1];
    put_number(&mut update, client);
    put_number(&mut update, clock);
    put_bytes(&mut update, state.as_bytes());
    let mut message = vec![1];
    put_bytes(&mut message, &update);
    message
}

/// Calls `found` with the client id and clock of each presence in an awareness update.
pub(crate) fn cursors(mut update: &[u8], mut found: impl FnMut(u64, u64)) {
    let entries = number(&mut update).unwrap_or(0);
    for _ in 0..entries {
        let entry = (number(&mut update), number(&mut update), bytes(&mut update));
        let (Some(client), Some(clock), Some(state)) = entry else {
            return;
        };
        if state != b"null" {
            found(client, clock);
        }
    }
}

/// What came in one message of a server.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Message<'a> {
    /// It asks for what this state vector lacks.
    Step1(&'a [u8]),
    /// What it has.
    Step2(&'a [u8]),
    /// A change.
    Update(&'a [u8]),
    /// Presence.
    Awareness(&'a [u8]),
    /// It has taken one update, in a message of its own (Hocuspocus).
    Taken,
    /// It refuses something.
    Denied,
    /// Whatever else there is.
    Other,
}

impl<'a> Message<'a> {
    pub(crate) fn read(dialect: Dialect, payload: &'a [u8]) -> Self {
        let mut rest = payload;
        // A single byte is about no document (a ping of Hocuspocus's).
        if dialect == Dialect::Hocuspocus && (payload.len() == 1 || bytes(&mut rest).is_none()) {
            return Self::Other;
        }
        let is_hocuspocus = dialect == Dialect::Hocuspocus;
        match rest.split_first() {
            Some((0, rest)) => Self::read_sync(rest),
            Some((4, rest)) if is_hocuspocus => Self::read_sync(rest),
            Some((1, mut rest)) => bytes(&mut rest).map_or(Self::Other, Self::Awareness),
            Some((2, rest)) if is_hocuspocus => match rest.first() {
                Some(1) => Self::Denied,
                _ => Self::Other,
            },
            Some((2, rest)) if !rest.is_empty() => Self::Denied,
            Some((8, [1, ..])) if is_hocuspocus => Self::Taken,
            _ => Self::Other,
        }
    }

    fn read_sync(rest: &'a [u8]) -> Self {
        let Some((kind, mut rest)) = rest.split_first() else {
            return Self::Other;
        };
        match (kind, bytes(&mut rest)) {
            (0, Some(vector)) => Self::Step1(vector),
            (1, Some(update)) => Self::Step2(update),
            (2, Some(update)) => Self::Update(update),
            _ => Self::Other,
        }
    }
}

/// The client id of a writer.
pub(crate) fn client_of(writer: usize) -> u64 {
    CLIENT_BASE + writer as u64
}

/// The writer whose client id this is.
pub(crate) fn writer_of(client: u64) -> Option<usize> {
    usize::try_from(client.checked_sub(CLIENT_BASE)?).ok()
}

/// The client id and the clock of an update that holds one item.
fn alone(mut rest: &[u8]) -> Option<(u64, u64)> {
    let mut next = || number(&mut rest);
    let is_one = next()? == 1 && next()? == 1;
    let of = is_one.then_some((next()?, next()?))?;
    // What was collected is one struct of many clocks.
    let is_item = !matches!(rest.first()? & 0x1f, GARBAGE | SKIP);
    is_item.then_some(of)
}

/// Calls `found` with the client id and the clocks (first, one past the last) of all that an update brings.
/// Whether it is an update at all: a server may send anything.
pub(crate) fn spans(update: &[u8], mut found: impl FnMut(u64, u64, u64)) -> bool {
    // Nearly always it is one struct, as it was sent. Some servers merge what several wrote, or who echoes.
    if let Some((client, clock)) = alone(update) {
        found(client, clock, clock.saturating_add(1));
        return true;
    }
    // The decoder makes room for as many clients as are claimed.
    let claimed = number(&mut &update[..]);
    if claimed.is_none_or(|clients| clients > update.len() as u64) {
        return false;
    }
    let read = || Update::decode_v1(update).map(|update| update.insertions(true));
    let Ok(Ok(insertions)) = catch_unwind(read) else {
        return false;
    };
    for (client, ranges) in insertions.iter() {
        for range in ranges {
            found(client.get(), range.start.into(), range.end.into());
        }
    }
    true
}
