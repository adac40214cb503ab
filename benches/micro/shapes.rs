//! The board that is measured: 5,000 shapes as tldraw records in one map, by twenty clients, each moved five
//! times.
//!
//! Written straight in update format v1, so that making it costs nothing; 30,000 updates, 1.8 MB once
//! compacted.

use std::sync::LazyLock;

use boardwire::lib0::{put_blob, put_number};
use boardwire::room::board::{Board, compact};
use boardwire::update::Budgets;
use bytes::Bytes;

/// Shapes on the board.
const SHAPES: u64 = 5_000;
/// People who drew them.
pub(crate) const CLIENTS: u64 = 20;
/// Times that each shape was moved.
const MOVES: u64 = 5;
/// Properties of a whole record.
const ALL: usize = 13;
/// Updates of each client.
pub(crate) const UPDATES_EACH: u64 = SHAPES * (MOVES + 1) / CLIENTS;

/// All that was ever sent, in order.
static HISTORY: LazyLock<Vec<Vec<u8>>> = LazyLock::new(history);

/// The board with all its history, as it is before its first compaction.
pub(crate) static GROWN: LazyLock<Bytes> = LazyLock::new(|| {
    let mut board = Board::new(Budgets::default());
    for update in HISTORY.iter() {
        board.accept(update).unwrap();
    }
    board.full()
});

/// The board compacted, as it is after its first compaction.
pub(crate) static COMPACTED: LazyLock<Bytes> =
    LazyLock::new(|| compact(&loaded(&GROWN).capture()).unwrap().bytes());

/// A warm board.
pub(crate) fn loaded(state: &Bytes) -> Board {
    Board::load(state.clone(), Budgets::default()).unwrap()
}

/// The client that draws a shape.
pub(crate) fn client_of(shape: u64) -> u64 {
    3_000_000_000 + shape % CLIENTS * 7_919
}

/// Appends a record of so many properties: about 330 bytes with all of them.
fn put_record(out: &mut Vec<u8>, shape: u64, x: u64, properties: usize) {
    let texts: &[(&str, &str)] = &[
        ("typeName", "shape"),
        ("type", "geo"),
        ("parentId", "page:page"),
        ("index", "a1V"),
        ("color", "light-blue"),
        ("labelColor", "black"),
        ("fill", "semi"),
        ("dash", "draw"),
        ("size", "m"),
        ("font", "draw"),
        ("align", "middle"),
        ("verticalAlign", "middle"),
        ("text", "a note with some words in it"),
    ];
    let texts = &texts[..properties.min(texts.len())];
    out.push(118);
    put_number(out, texts.len() as u64 + 4);
    put_blob(out, b"id");
    out.push(119);
    put_blob(out, format!("shape:{shape:020}").as_bytes());
    for (key, value) in [("x", x), ("y", shape), ("rotation", 0)] {
        put_blob(out, key.as_bytes());
        out.push(123);
        out.extend_from_slice(&(value as f64 + 0.37).to_be_bytes());
    }
    for (key, text) in texts {
        put_blob(out, key.as_bytes());
        out.push(119);
        put_blob(out, text.as_bytes());
    }
}

/// One update: `client` at `clock` sets a shape, over its own entry `last` if there is one.
fn set(client: u64, clock: u64, shape: u64, last: Option<u64>, properties: usize) -> Vec<u8> {
    let mut out = vec![1, 1];
    put_number(&mut out, client);
    put_number(&mut out, clock);
    match last {
        Some(last) => {
            out.push(0xa8);
            put_number(&mut out, client);
            put_number(&mut out, last);
        }
        None => {
            out.extend_from_slice(&[0x28, 1]);
            put_blob(&mut out, b"tldraw");
            put_blob(&mut out, format!("shape:{shape:020}").as_bytes());
        }
    }
    out.push(1);
    put_record(&mut out, shape, clock, properties);
    match last {
        Some(last) => {
            out.push(1);
            put_number(&mut out, client);
            out.push(1);
            put_number(&mut out, last);
            out.push(1);
        }
        None => out.push(0),
    }
    out
}

fn history() -> Vec<Vec<u8>> {
    let mut clocks = vec![0u64; CLIENTS as usize];
    let mut last = vec![None; SHAPES as usize];
    let mut updates = Vec::new();
    for round in 0..=MOVES {
        for shape in 0..SHAPES {
            let clock = &mut clocks[(shape % CLIENTS) as usize];
            let properties = if round == 0 || round == MOVES { ALL } else { 3 };
            let slot = &mut last[shape as usize];
            updates.push(set(client_of(shape), *clock, shape, *slot, properties));
            *slot = Some(*clock);
            *clock += 1;
        }
    }
    updates
}

/// One more person moving one shape again and again: updates of 190 to 200 bytes, each over the last.
#[derive(Default)]
pub(crate) struct Mover {
    clock: u64,
}

impl Mover {
    /// The next update.
    pub(crate) fn update(&mut self) -> Vec<u8> {
        let clock = self.clock;
        self.clock += 1;
        let update = set(7, clock, 0, clock.checked_sub(1), 7);
        assert!((180..=240).contains(&update.len()), "{} bytes", update.len());
        update
    }
}
