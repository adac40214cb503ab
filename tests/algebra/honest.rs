//! Honest histories end equal however they are cut, merged, reordered, duplicated and compacted.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use boardwire::room::board::{Accepted, Board, compact};
use boardwire::update::Budgets;
use boardwire::update::gate::document_gate;
use boardwire::update::vector::{StateVector, put_state_vector};
use bytes::Bytes;
use serde_json::{Value, json};

use crate::oracle::{Oracle, Random, Report, board, compacted, env, through_yrs};

pub(crate) struct History {
    pub(crate) updates: Vec<Bytes>,
    pub(crate) extra: Vec<Bytes>,
    pub(crate) before: Vec<(Bytes, Bytes)>,
    pub(crate) report: Report,
    pub(crate) state: Bytes,
}

fn bytes_of(value: &Value) -> Bytes {
    STANDARD.decode(value.as_str().unwrap()).unwrap().into()
}

pub(crate) fn history(oracle: &mut Oracle, seed: u64, steps: usize, astral: bool) -> Option<History> {
    let request = json!({"op": "history", "seed": seed, "steps": steps, "clients": 2 + seed % 4, "astral": astral, "plain": seed.is_multiple_of(2)});
    let it = oracle.ask(&request).unwrap();
    if it["diverges"].is_array() {
        assert!(astral, "Yjs does not converge on history {seed}");
        return None;
    }
    let list = |key: &str| it[key].as_array().unwrap().iter().map(bytes_of).collect();
    let before = it["before"].as_array().unwrap().iter();
    Some(History {
        updates: list("updates"),
        extra: list("extra"),
        before: before
            .map(|b| (bytes_of(&b["state"]), bytes_of(&b["vector"])))
            .collect(),
        report: Report::of(&it["report"]),
        state: bytes_of(&it["report"]["state"]),
    })
}

/// The packets of one delivery: all updates, some of them merged or twice, and cuts of what others would
/// send.
fn packets(oracle: &mut Oracle, random: &mut Random, history: &History, astral: bool) -> Vec<Bytes> {
    let mut packets = Vec::new();
    let mut at = 0;
    while at < history.updates.len() {
        let count = if random.chance(20) {
            2 + random.below(12)
        } else {
            1
        };
        let group = &history.updates[at..(at + count).min(history.updates.len())];
        if count > 1 {
            let group: Vec<String> = group.iter().map(|u| STANDARD.encode(u)).collect();
            let merged = oracle.ask(&json!({"op": "merge", "updates": group})).unwrap();
            packets.push(bytes_of(&merged["update"]));
        } else {
            packets.push(group[0].clone());
        }
        at += count;
        if random.chance(10) {
            packets.push(history.updates[random.below(history.updates.len())].clone());
        }
    }
    packets.extend(history.extra.iter().cloned());
    let mut partial = board();
    for update in &history.updates {
        partial.accept(update).unwrap();
        if random.chance(5) {
            packets.push(cut(&mut partial, random, astral));
        }
    }
    packets
}

/// What a peer with a random state vector would be sent; with surrogate pairs about, only whole histories.
fn cut(board: &mut Board, random: &mut Random, astral: bool) -> Bytes {
    let known = board.state_vector();
    let pairs: Vec<(u64, u32)> = StateVector::parse(&known).unwrap().iter().collect();
    let pairs = pairs.into_iter().map(|(client, clock)| {
        let keep = if astral {
            0
        } else {
            random.below(clock as usize + 1) as u32
        };
        (client, keep)
    });
    let pairs: Vec<(u64, u32)> = pairs.collect();
    let mut vector = Vec::new();
    put_state_vector(&mut vector, pairs.into_iter());
    board.diff(&StateVector::parse(&vector).unwrap())
}

/// Delivers packets until none is left, holes again later; returns what would be relayed.
fn deliver(
    board: &mut Board,
    random: &mut Random,
    mut packets: Vec<Bytes>,
    compactions: usize,
) -> Vec<Bytes> {
    let mut relays = Vec::new();
    let mut capture = None;
    while !packets.is_empty() {
        let mut holes = Vec::new();
        let count = packets.len();
        for packet in packets {
            match board.accept(&packet).unwrap() {
                Accepted::Nothing => {}
                Accepted::Whole => relays.push(packet),
                Accepted::Trimmed(bytes) => relays.push(bytes),
                Accepted::Hole => holes.push(packet),
                Accepted::Uncounted => panic!("honest work must not need counting here"),
            }
            assert_eq!(
                board.accept(relays.last().unwrap_or(&Bytes::from_static(&[0, 0]))),
                Ok(Accepted::Nothing)
            );
            if random.chance(compactions) {
                match capture.take() {
                    None => capture = Some(board.capture()),
                    Some(it) => {
                        let before = board.encoded_bytes();
                        board.install(compact(&it).unwrap()).unwrap();
                        assert!(board.encoded_bytes() <= before * 2 + 65_536);
                    }
                }
            }
            if random.chance(3) {
                assert_eq!(board.full().len(), board.encoded_bytes());
            }
        }
        assert!(holes.len() < count, "{count} packets stay holes");
        packets = holes;
    }
    relays
}

fn check(oracle: &mut Oracle, updates: &[Bytes], expected: &Report, what: &str) {
    for version in [13, 14] {
        let found = oracle.load(version, updates);
        assert_eq!(found.as_ref(), Ok(expected), "{what}, Yjs {version}");
    }
}

fn try_history(oracle: &mut Oracle, seed: u64) -> Option<(usize, usize)> {
    let astral = seed.is_multiple_of(3);
    let mut random = Random(seed);
    let steps = [10, 40, 150][random.below(3)];
    let history = history(oracle, seed, steps, astral)?;
    let what = |name: &str| format!("{name} of history {seed}");

    let mut reference = board();
    for update in &history.updates {
        assert_ne!(reference.accept(update), Ok(Accepted::Hole), "history {seed}");
    }
    let full = reference.full();
    check(oracle, &[full], &history.report, &what("fold"));
    let compact_bytes = compacted(&mut reference);
    check(
        oracle,
        std::slice::from_ref(&compact_bytes),
        &history.report,
        &what("compacted"),
    );
    check_yrs(oracle, seed, &compact_bytes, &history.report);
    let mut again = Board::load(compact_bytes.clone(), Budgets::default()).unwrap();
    assert_eq!(again.full(), compact_bytes);
    assert_eq!(
        compacted(&mut again),
        compact_bytes,
        "{}",
        what("compacted twice")
    );
    for (state, vector) in &history.before {
        for (board, name) in [(&mut reference, "diff"), (&mut again, "compacted diff")] {
            let diff = board.diff(&StateVector::parse(vector).unwrap());
            check(oracle, &[state.clone(), diff], &history.report, &what(name));
        }
    }
    // Which of several concurrent map entries are deleted is told only by a client's whole state.
    again.accept(&history.state).unwrap();
    let complete = compacted(&mut again);
    check(
        oracle,
        std::slice::from_ref(&complete),
        &history.report,
        &what("complete"),
    );

    for reach in [1, 8, usize::MAX] {
        let mut packets = packets(oracle, &mut random, &history, astral);
        random.shuffle(&mut packets, reach);
        let mut other = board();
        let relays = deliver(&mut other, &mut random, packets, 5);
        let relayed = oracle.load(13, &relays).unwrap();
        assert_eq!(relayed, history.report, "{}", what("relays"));
        let state = other.full();
        check(oracle, &[state], &history.report, &what("delivered"));
        assert_eq!(other.state_vector(), reference.state_vector());
        other.accept(&history.state).unwrap();
        let compact_bytes = compacted(&mut other);
        check(
            oracle,
            std::slice::from_ref(&compact_bytes),
            &history.report,
            &what("delivered, compacted"),
        );
        // A surrogate pair that an insertion cuts is cut already in what some clients send.
        assert!(
            astral || compact_bytes == complete,
            "{}",
            what("delivered, compacted bytes")
        );
    }
    Some((complete.len(), history.state.len()))
}

/// What the gate lets through, yrs reads as the same document; histories of even seeds must be let through.
fn check_yrs(oracle: &mut Oracle, seed: u64, state: &Bytes, report: &Report) {
    let gate = document_gate(state);
    assert!(
        gate.is_ok() || !seed.is_multiple_of(2),
        "gate of history {seed}: {gate:?}"
    );
    if gate.is_err() {
        return;
    }
    let state = through_yrs(state);
    // yrs reads big integers and negative zero as numbers, and writes them so.
    let plain = |dump: &str| {
        let dump = dump.replace("{\"bigint\":\"1152921504606846976\"}", "1152921504606847000");
        dump.replace("{\"number\":\"-0\"}", "0")
    };
    let mut found = oracle.load(13, &[state]).unwrap();
    found.dump = plain(&found.dump);
    let mut expected = report.clone();
    expected.dump = plain(&expected.dump);
    assert_eq!(found, expected, "history {seed} through yrs");
}

#[test]
fn honest_histories_end_equal_however_they_are_cut_ordered_and_compacted() {
    let mut oracle = Oracle::start();
    let (first, count) = (env("BOARDWIRE_SEED", 1), env("BOARDWIRE_HISTORIES", 40));
    let sizes: Vec<_> = (first..first + count)
        .filter_map(|seed| try_history(&mut oracle, seed))
        .collect();
    assert!(
        sizes.len() * 10 >= count as usize * 8,
        "too many histories prove nothing"
    );
    let ours: usize = sizes.iter().map(|s| s.0).sum();
    let theirs: usize = sizes.iter().map(|s| s.1).sum();
    println!(
        "{} histories; compacted {ours} bytes, Yjs {theirs} bytes",
        sizes.len()
    );
    assert!(ours <= theirs, "compacted {ours} bytes, Yjs {theirs} bytes");
}
