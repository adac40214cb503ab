//! Bytes that no honest client makes are refused, or load in stock Yjs and stay loadable.

use boardwire::lib0::{put_blob, put_number};
use boardwire::room::board::{Accepted, Board};
use boardwire::update::gate::document_gate;
use boardwire::update::vector::StateVector;
use boardwire::update::{Budgets, Refused};
use bytes::Bytes;

use crate::honest::history;
use crate::oracle::{Oracle, Random, board, compacted, env, through_yrs};

/// Changes some bytes of an update.
fn mutate(random: &mut Random, update: &[u8], other: &[u8]) -> Vec<u8> {
    let mut out = update.to_vec();
    for _ in 0..1 + random.below(3) {
        let at = random.below(out.len());
        match random.below(7) {
            0 => out[at] = random.next() as u8,
            1 => out[at] = out[at].wrapping_add([1, 0xff, 2, 0x80, 0x40, 0x20][random.below(6)]),
            2 => drop(out.remove(at)),
            3 => out.insert(at, random.below(16) as u8),
            4 => out.truncate(at),
            5 => {
                let from = random.below(other.len());
                let bytes = &other[from..(from + 1 + random.below(12)).min(other.len())];
                out.splice(at..at, bytes.iter().copied());
            }
            _ => {
                let to = (at + 1 + random.below(8)).min(out.len());
                let bytes = out[at..to].to_vec();
                let into = random.below(out.len());
                out.splice(into..into, bytes);
            }
        }
        if out.is_empty() {
            out.push(0);
        }
    }
    out
}

#[test]
fn mutated_updates_are_refused_or_load_in_stock_yjs() {
    let mut oracle = Oracle::start();
    let (first, count) = (env("BOARDWIRE_SEED", 1), env("BOARDWIRE_HISTORIES", 40));
    let (mut tried, mut joined) = (0, 0);
    for seed in first..first + count {
        let mut random = Random(seed ^ 0xabcd);
        let Some(history) = history(&mut oracle, seed, 40, true) else {
            continue;
        };
        let mut sources = history.updates.clone();
        sources.extend(history.extra.iter().cloned());
        sources.extend(history.before.iter().map(|b| b.0.clone()));
        let mut attacked = board();
        let mut relays = Vec::new();
        for (at, update) in history.updates.iter().enumerate() {
            for _ in 0..60 {
                // What comes next is the likeliest to join.
                let next = (at + random.below(3)).min(history.updates.len() - 1);
                let source = if random.chance(50) {
                    &history.updates[next]
                } else {
                    &sources[random.below(sources.len())]
                };
                let other = &sources[random.below(sources.len())];
                let mutant = mutate(&mut random, source, other);
                tried += 1;
                let before = attacked.full();
                match attacked.accept(&mutant) {
                    Ok(Accepted::Whole) => relays.push(mutant.into()),
                    Ok(Accepted::Trimmed(bytes)) => relays.push(bytes),
                    _ => {
                        assert_eq!(attacked.full(), before);
                        continue;
                    }
                }
                joined += 1;
                assert_eq!(attacked.full().len(), attacked.encoded_bytes());
                Board::load(attacked.full(), Budgets::default()).unwrap();
            }
            match attacked.accept(update) {
                Ok(Accepted::Whole) => relays.push(update.clone()),
                Ok(Accepted::Trimmed(bytes)) => relays.push(bytes),
                _ => {}
            }
        }
        check_loads(&mut oracle, attacked, relays, seed);
    }
    println!("{tried} mutants, {joined} joined");
}

/// The board's state, its compacted form and what was relayed load in both versions of Yjs without an error,
/// as far as the board says, and with nothing pending; the first two read the same.
fn check_loads(oracle: &mut Oracle, mut attacked: Board, relays: Vec<Bytes>, seed: u64) {
    let vector = {
        let bytes = attacked.state_vector();
        let mut pairs: Vec<_> = StateVector::parse(&bytes).unwrap().iter().collect();
        pairs.sort_unstable();
        serde_json::to_string(&pairs).unwrap()
    };
    let full = attacked.full();
    let compact_bytes = compacted(&mut attacked);
    let mut dumps = Vec::new();
    for (what, updates) in [
        ("relays", relays),
        ("fold", vec![full]),
        ("compacted", vec![compact_bytes.clone()]),
    ] {
        for version in [13, 14] {
            match oracle.load(version, &updates) {
                Ok(report) => {
                    let found = (&report.vector, report.pending);
                    assert_eq!(found, (&vector, false), "{what} of {seed}, Yjs {version}");
                    dumps.push(report.dump);
                }
                Err(error) => panic!("Yjs {version} threw on {what} of {seed}: {error}"),
            }
        }
    }
    if document_gate(&compact_bytes).is_ok() {
        oracle.load(13, &[through_yrs(&compact_bytes)]).unwrap();
    }
    // Nonsense need not converge in Yjs itself (where a right origin lies left of the origin, the order of
    // arrival decides), and merged structs arrive in another order; but nothing may be lost, added or
    // collected.
    let content = |dump: &String| {
        let mut letters: Vec<char> = dump.chars().filter(|c| c.is_alphanumeric()).collect();
        letters.sort_unstable();
        letters
    };
    assert_eq!(dumps[2], dumps[3], "{seed}");
    assert_eq!(dumps[4], dumps[5], "{seed}");
    // Among map entries of no honest shape it also decides which one is seen.
    if document_gate(&compact_bytes).is_ok() {
        assert_eq!(content(&dumps[2]), content(&dumps[4]), "{seed}: {dumps:#?}");
    }
}

/// Makes well-formed updates in which nothing fits together but by chance.
struct Maker {
    random: Random,
    ends: Vec<u32>,
    /// Clocks at which a shared type may be.
    types: Vec<(usize, u32)>,
}

const CLIENTS: [u64; 3] = [3, 200, 70_000];

impl Maker {
    fn id(&mut self, out: &mut Vec<u8>) {
        let client = self.random.below(CLIENTS.len());
        put_number(out, CLIENTS[client]);
        let clock = self.random.below(self.ends[client] as usize + 1);
        put_number(out, clock as u64);
    }

    fn header(&mut self, out: &mut Vec<u8>, kind: u8) {
        match self.random.below(6) {
            0 | 1 => {
                out.push(kind | 0x80);
                self.id(out);
            }
            2 => {
                out.push(kind | 0x40);
                self.id(out);
            }
            3 => {
                out.push(kind | 0xc0);
                self.id(out);
                self.id(out);
            }
            _ => {
                let has_key = self.random.chance(50);
                out.push(kind | if has_key { 0x20 } else { 0 });
                if self.types.is_empty() || self.random.chance(60) {
                    out.push(1);
                    put_blob(out, ["r", "s"][self.random.below(2)].as_bytes());
                } else {
                    let (client, clock) = self.types[self.random.below(self.types.len())];
                    out.push(0);
                    put_number(out, CLIENTS[client]);
                    put_number(out, u64::from(clock));
                }
                if has_key {
                    put_blob(out, ["k", "l"][self.random.below(2)].as_bytes());
                }
            }
        }
    }

    /// Appends a struct and returns its length.
    fn put_struct(&mut self, out: &mut Vec<u8>, at: (usize, u32)) -> u32 {
        let kind = [0, 1, 2, 3, 4, 4, 4, 5, 6, 7, 7, 8, 8, 9][self.random.below(14)];
        if kind == 0 {
            let len = 1 + self.random.below(3) as u8;
            out.extend_from_slice(&[0, len]);
            return u32::from(len);
        }
        self.header(out, kind);
        let content: (&[u8], u32) = match kind {
            1 => (&[2], 2),
            2 => (
                &[
                    2, 1, b'1', 9, b'u', b'n', b'd', b'e', b'f', b'i', b'n', b'e', b'd',
                ],
                2,
            ),
            3 => (&[1, 0xff], 1),
            4 if self.random.chance(30) => (&[6, b'a', 0xf0, 0x9f, 0x98, 0x80, b'b'], 4),
            4 => (&[3, b'x', b'y', b'z'], 3),
            5 => (&[2, b'{', b'}'], 1),
            6 => (&[1, b'b', 4, b't', b'r', b'u', b'e'], 1),
            7 => {
                self.types.push(at);
                let kinds: [&[u8]; 7] = [&[0], &[1], &[2], &[3, 1, b'p'], &[4], &[5, 1, b'h'], &[6]];
                (kinds[self.random.below(7)], 1)
            }
            8 => (&[3, 126, 119, 1, b'v', 125, 7], 3),
            _ => (&[1, b'g', 118, 0], 1),
        };
        out.extend_from_slice(content.0);
        content.1
    }

    fn update(&mut self) -> Vec<u8> {
        let mut out = Vec::new();
        let sections = self.random.below(3);
        let first = self.random.below(CLIENTS.len());
        put_number(&mut out, sections as u64);
        for n in 0..sections {
            let client = (first + n) % CLIENTS.len();
            let structs = 1 + self.random.below(3);
            put_number(&mut out, structs as u64);
            put_number(&mut out, CLIENTS[client]);
            let overlap = if self.random.chance(25) {
                self.random.below(4) as u32
            } else {
                0
            };
            let mut clock = self.ends[client].saturating_sub(overlap);
            put_number(&mut out, u64::from(clock));
            for _ in 0..structs {
                clock += self.put_struct(&mut out, (client, clock));
            }
        }
        if self.random.chance(70) {
            out.push(0);
            return out;
        }
        let client = self.random.below(CLIENTS.len());
        out.push(1);
        put_number(&mut out, CLIENTS[client]);
        out.push(1);
        put_number(&mut out, self.random.below(self.ends[client] as usize + 1) as u64);
        out.push(1 + self.random.below(3) as u8);
        out
    }
}

#[test]
fn well_formed_nonsense_is_refused_or_loads_in_stock_yjs() {
    let mut oracle = Oracle::start();
    let (first, count) = (env("BOARDWIRE_SEED", 1), 5 * env("BOARDWIRE_HISTORIES", 40));
    let (mut whole, mut trimmed, mut holes, mut refused) = (0, 0, 0, 0);
    for seed in first..first + count {
        let mut maker = Maker {
            random: Random(seed),
            ends: vec![0; CLIENTS.len()],
            types: Vec::new(),
        };
        let mut attacked = board();
        let mut relays = Vec::new();
        for _ in 0..40 {
            let update = maker.update();
            match attacked.accept(&update) {
                Ok(Accepted::Whole) => {
                    whole += 1;
                    relays.push(update.into());
                }
                Ok(Accepted::Trimmed(bytes)) => {
                    trimmed += 1;
                    relays.push(bytes);
                }
                Ok(Accepted::Nothing) => {}
                Ok(Accepted::Hole | Accepted::Uncounted) => holes += 1,
                Err(Refused::Malformed(_) | Refused::OverBudget(_) | Refused::TooCostly) => refused += 1,
            }
            let vector = attacked.state_vector();
            for (client, clock) in StateVector::parse(&vector).unwrap().iter() {
                let at = CLIENTS.iter().position(|c| *c == client).unwrap();
                maker.ends[at] = clock;
            }
            Board::load(attacked.full(), Budgets::default()).unwrap();
        }
        check_loads(&mut oracle, attacked, relays, seed);
    }
    println!("{whole} whole, {trimmed} trimmed, {holes} holes, {refused} refused");
}
