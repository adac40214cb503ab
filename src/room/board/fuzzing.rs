//! Fuzz bodies of the board state; `fuzz/` calls them, and the tests below drive them on stable.
//!
//! Owns nothing of the product. yrs is named here as an oracle for histories that it made itself, never for
//! bytes from the fuzzer.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::missing_panics_doc,
    reason = "a fuzz body states what must hold"
)]

use bytes::Bytes;
use yrs::types::ToJson;
use yrs::updates::decoder::Decode;
use yrs::{Any, Array, Doc, GetString, Map, OffsetKind, Options, ReadTxn, Text, Transact, Update};

use super::{Accepted, Apart, Board, Capture, compact, compact_metered};
use crate::limits;
use crate::meter::Meter;
use crate::update::gate::{Unsupported, document_gate};
use crate::update::scan::scan;
use crate::update::vector::{StateVector, put_state_vector};
use crate::update::{Budgets, Refused};

fn board() -> Board {
    Board::new(Budgets::default())
}

/// Splits input into updates: each with its length in one byte before it, 255 standing for all that is left.
fn updates(mut data: &[u8]) -> Vec<&[u8]> {
    let mut updates = Vec::new();
    while let Some((&len, rest)) = data.split_first() {
        let len = if len == 255 {
            rest.len()
        } else {
            usize::from(len).min(rest.len())
        };
        let (update, after) = rest.split_at(len);
        updates.push(update);
        data = after;
    }
    updates
}

/// Whatever comes, a board stays whole: what is refused changes nothing, what is relayed makes the same board
/// elsewhere, what is stored loads again, what is compacted knows the same, and a diff brings nothing new.
pub fn update_accept(data: &[u8]) {
    let (mut board, mut peer) = (board(), board());
    let mut capture = None;
    for (n, update) in updates(data).into_iter().enumerate() {
        let before = board.full();
        let accepted = board.accept(update);
        // The walks over it are linear: their allowance is never spent.
        assert_ne!(accepted, Err(Refused::TooCostly));
        let relay = match accepted {
            Ok(Accepted::Whole) => Bytes::copy_from_slice(update),
            Ok(Accepted::Trimmed(bytes)) => bytes,
            Ok(Accepted::Nothing | Accepted::Hole | Accepted::Uncounted) | Err(_) => {
                assert_eq!(board.full(), before);
                continue;
            }
        };
        assert_eq!(board.accept(update), Ok(Accepted::Nothing));
        assert_eq!(peer.accept(&relay), Ok(Accepted::Whole));
        let full = board.full();
        assert_eq!(full.len(), board.encoded_bytes());
        let mut loaded = Board::load(full.clone(), Budgets::default()).unwrap();
        assert_eq!(loaded.full(), full);
        check_diffs(&mut board, update);
        if n % 3 == 1 {
            capture = Some(board.capture());
        }
        if n % 3 == 0
            && let Some(capture) = capture.take()
        {
            let compacted = compact_counted(&mut board, &capture);
            assert_ne!(
                document_gate(&compacted.bytes()).err(),
                Some(Unsupported::TooCostly)
            );
            let vector = board.state_vector();
            board.install(compacted).unwrap();
            assert_eq!(board.state_vector(), vector);
        }
    }
    assert_eq!(board.state_vector(), peer.state_vector());
    let capture = board.capture();
    let compacted = compact_counted(&mut board, &capture).bytes();
    let mut again = Board::load(compacted.clone(), Budgets::default()).unwrap();
    assert_eq!(compact(&again.capture()).unwrap().bytes(), compacted);
}

/// Compacts, in steps that are linear in the board's bytes.
fn compact_counted(board: &mut Board, capture: &Capture) -> Apart {
    let mut meter = limits::UPDATE_STEPS.meter(board.encoded_bytes());
    compact_metered(capture, &mut meter).unwrap()
}

/// Diffs start at the clock that the vector names, end at the board's, and bring it nothing new.
fn check_diffs(board: &mut Board, noise: &[u8]) {
    let known = board.state_vector();
    let known: Vec<(u64, u32)> = StateVector::parse(&known).unwrap().iter().collect();
    let cut = |(n, &(client, end)): (usize, &(u64, u32))| {
        let noise = u32::from(noise[n % noise.len()]);
        (client, noise % (end + 1))
    };
    let pairs: Vec<(u64, u32)> = known.iter().enumerate().map(cut).collect();
    let mut vector = Vec::new();
    put_state_vector(&mut vector, pairs.iter().copied());
    let asked = StateVector::parse(&vector).unwrap();
    let mut meter = limits::UPDATE_STEPS.meter(board.encoded_bytes() + asked.pair_bytes());
    let diff = board.diff_metered(&asked, &mut meter).unwrap();
    let outline = scan(&diff, &Budgets::default(), &mut Meter::unbounded()).unwrap();
    for section in &outline.sections {
        let end = known.iter().find(|p| p.0 == section.client).unwrap().1;
        let start = pairs.iter().find(|p| p.0 == section.client).unwrap().1;
        assert_eq!((section.clock, section.end_clock), (start, end));
    }
    assert_eq!(board.accept(&diff), Ok(Accepted::Nothing));
}

/// Three yrs documents edited as the input says, syncing now and then.
struct Model {
    docs: Vec<Doc>,
    /// Updates so far, and how many of them each document has.
    updates: Vec<Vec<u8>>,
    seen: [usize; 3],
}

impl Model {
    fn new() -> Self {
        Self {
            docs: [5, 300, 70_000].map(doc).into_iter().collect(),
            updates: Vec::new(),
            seen: [0; 3],
        }
    }

    fn step(&mut self, [who, op, at, what]: [u8; 4]) {
        let n = usize::from(who % 3);
        if op % 8 == 7 {
            let to = self.updates.len();
            let from = std::mem::replace(&mut self.seen[n], to);
            apply(&self.docs[n], &self.updates[from..to]);
            return;
        }
        let update = edit(&self.docs[n], op, u32::from(at), what);
        self.updates.push(update);
    }
}

fn doc(client: u64) -> Doc {
    Doc::with_options(Options {
        client_id: yrs::block::ClientID::new(client),
        offset_kind: OffsetKind::Utf16,
        ..Options::default()
    })
}

fn apply(doc: &Doc, updates: &[Vec<u8>]) {
    let mut txn = doc.transact_mut();
    for update in updates {
        txn.apply_update(Update::decode_v1(update).unwrap()).unwrap();
    }
}

fn edit(doc: &Doc, op: u8, at: u32, what: u8) -> Vec<u8> {
    let text = doc.get_or_insert_text("t");
    let array = doc.get_or_insert_array("a");
    let map = doc.get_or_insert_map("m");
    let mut txn = doc.transact_mut();
    let key = ["k", "l"][usize::from(what % 2)];
    let (units, elements) = (text.len(&txn), array.len(&txn));
    let letters = ["x", "hello", "\u{e9}t\u{e9}", "\u{4e2d}\u{6587}"][usize::from(what % 4)];
    match op % 8 {
        0 => text.insert(&mut txn, at % (units + 1), letters),
        1 if units > 0 => {
            let at = at % units;
            let len = (u32::from(what) % 4 + 1).min(units - at);
            text.remove_range(&mut txn, at, len);
        }
        2 => array.insert_range(&mut txn, at % (elements + 1), [Any::from(at), Any::Null]),
        3 if elements > 0 => array.remove(&mut txn, at % elements),
        4 => drop(map.insert(&mut txn, key, Any::from(letters))),
        5 => drop(map.insert(&mut txn, key, yrs::ArrayPrelim::from([at, 7]))),
        6 => drop(map.remove(&mut txn, key)),
        _ => {}
    }
    txn.encode_update_v1()
}

/// What a document shows.
fn content(doc: &Doc) -> (String, Any, Any) {
    let text = doc.get_or_insert_text("t");
    let array = doc.get_or_insert_array("a");
    let map = doc.get_or_insert_map("m");
    let txn = doc.transact();
    (text.get_string(&txn), array.to_json(&txn), map.to_json(&txn))
}

/// Honest histories made by yrs read the same from the compacted board as from the updates one by one.
pub fn compact_vs_model(data: &[u8]) {
    let mut model = Model::new();
    let mut board = board();
    let mut accepted = 0;
    let (steps, _) = data.as_chunks::<4>();
    for (n, step) in steps.iter().take(200).enumerate() {
        model.step(*step);
        for update in &model.updates[accepted..] {
            assert_ne!(board.accept(update).unwrap(), Accepted::Hole);
        }
        accepted = model.updates.len();
        if n % 16 == 15 {
            let compacted = compact(&board.capture()).unwrap();
            board.install(compacted).unwrap();
        }
    }
    let plain = doc(1);
    apply(&plain, &model.updates);
    let compacted = compact(&board.capture()).unwrap().bytes();
    assert!(document_gate(&compacted).is_ok());
    for state in [board.full(), compacted] {
        let loaded = doc(2);
        apply(&loaded, &[state.to_vec()]);
        assert_eq!(content(&loaded), content(&plain));
        assert_eq!(loaded.transact().state_vector(), plain.transact().state_vector());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Random(u64);

    impl Random {
        fn next(&mut self) -> u64 {
            self.0 ^= self.0 << 13;
            self.0 ^= self.0 >> 7;
            self.0 ^= self.0 << 17;
            self.0
        }

        fn below(&mut self, n: usize) -> usize {
            usize::try_from(self.next() % n as u64).unwrap()
        }

        fn bytes(&mut self, len: usize) -> Vec<u8> {
            (0..len).map(|_| self.next().to_le_bytes()[3]).collect()
        }
    }

    /// A history of the model as input for [`update_accept`].
    fn seed(random: &mut Random) -> Vec<u8> {
        let mut model = Model::new();
        for _ in 0..random.below(30) + 1 {
            let bytes = random.bytes(4);
            model.step([bytes[0], bytes[1], bytes[2], bytes[3]]);
        }
        let mut out = Vec::new();
        for update in &model.updates {
            if let Ok(len @ 0..=254) = u8::try_from(update.len()) {
                out.push(len);
                out.extend_from_slice(update);
            }
        }
        out
    }

    #[test]
    fn the_body_of_update_accept_holds_on_mutated_histories() {
        let mut random = Random(42);
        for _ in 0..400 {
            let mut data = seed(&mut random);
            update_accept(&data);
            for _ in 0..random.below(8) {
                let at = random.below(data.len().max(1));
                match (random.below(4), data.get_mut(at)) {
                    (0, Some(byte)) => *byte = random.next().to_le_bytes()[0],
                    (1, Some(byte)) => *byte = byte.wrapping_add(1),
                    (2, Some(_)) => drop(data.remove(at)),
                    _ => data.insert(at.min(data.len()), random.next().to_le_bytes()[0] % 16),
                }
                update_accept(&data);
            }
        }
    }

    #[test]
    fn the_body_of_update_accept_holds_on_noise() {
        let mut random = Random(7);
        for _ in 0..2_000 {
            let len = random.below(200);
            update_accept(&random.bytes(len));
        }
    }

    #[test]
    fn the_body_of_compact_vs_model_holds_on_random_histories() {
        let mut random = Random(99);
        for _ in 0..150 {
            let len = random.below(600);
            compact_vs_model(&random.bytes(len));
        }
    }
}
