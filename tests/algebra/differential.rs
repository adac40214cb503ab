//! In whatever order our relays and our states can reach a client, it reads the same, in Yjs 13, Yjs 14 and
//! yrs.
//!
//! The updates are made to be accepted: items between two others of a list, entries after any other of their
//! key, in pieces, again, and deleted; each is of a kind that some client could have written, all together
//! are not.

use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use boardwire::lib0::{put_blob, put_number};
use boardwire::room::board::{Accepted, Board, compact};
use boardwire::update::gate::document_gate;
use boardwire::update::vector::StateVector;
use bytes::Bytes;
use serde_json::json;

use crate::oracle::{Oracle, Random, board, compacted, env, through_yrs};

const CLIENTS: [u64; 4] = [3, 7, 200, 70_000];
const TEXTS: [&str; 2] = ["t", "a"];
const KEYS: [&str; 2] = ["k", "l"];

/// Yjs takes milliseconds over these; the bound is for a busy machine.
const LOAD_TIME_MAX: Duration = Duration::from_secs(5);

type Id = (u64, u64);

struct Maker {
    random: Random,
    /// The structs of each client: clock, length, bytes.
    written: [Vec<(u64, u64, Vec<u8>)>; CLIENTS.len()],
    /// The ids of each list, in its order.
    lists: Vec<Vec<Id>>,
}

fn put_id(out: &mut Vec<u8>, id: Option<Id>) {
    if let Some((client, clock)) = id {
        put_number(out, client);
        put_number(out, clock);
    }
}

impl Maker {
    fn end(&self, client: usize) -> u64 {
        self.written[client].last().map_or(0, |it| it.0 + it.1)
    }

    /// Where the lists stand after what was relayed.
    fn look(&mut self, oracle: &mut Oracle, relays: &[Bytes]) {
        let updates: Vec<String> = relays.iter().map(|u| STANDARD.encode(u)).collect();
        let request = json!({"op": "lists", "updates": updates, "texts": TEXTS, "keys": KEYS});
        let lists = oracle.ask(&request).unwrap();
        let number = |it: &serde_json::Value, at: usize| it[at].as_u64().unwrap();
        let ids = |it: &serde_json::Value| {
            let (client, clock) = (number(it, 0), number(it, 1));
            (clock..clock + number(it, 2))
                .map(move |clock| (client, clock))
                .collect::<Vec<_>>()
        };
        let each = lists.as_array().unwrap().iter();
        self.lists = each
            .map(|list| list.as_array().unwrap().iter().flat_map(ids).collect())
            .collect();
    }

    /// What an item of a list stands after and before: two of the list in their order, or either alone, or
    /// nothing.
    fn neighbours(&mut self, list: usize) -> (Option<Id>, Option<Id>) {
        let known = &self.lists[list];
        if known.is_empty() || self.random.chance(15) {
            return (None, None);
        }
        let at = self.random.below(known.len());
        if list >= TEXTS.len() {
            return (Some(known[at]), None);
        }
        let reach = if self.random.chance(60) { 1 } else { 4 };
        let after = known.get(at + 1 + self.random.below(reach)).copied();
        match self.random.below(6) {
            0 => (None, Some(known[0])),
            1 => (Some(known[at]), None),
            _ => (Some(known[at]), after),
        }
    }

    /// Writes one more struct of a client.
    fn write(&mut self, client: usize) {
        let list = self.random.below(TEXTS.len() + KEYS.len());
        let is_entry = list >= TEXTS.len();
        let (origin, right) = self.neighbours(list);
        let kinds: &[u8] = if is_entry {
            &[8, 8, 8, 1, 3, 7]
        } else {
            &[4, 4, 4, 1, 5, 6, 6, 7, 8]
        };
        let kind = kinds[self.random.below(kinds.len())];
        let bit = |id: Option<Id>, bit: u8| if id.is_some() { bit } else { 0 };
        let mut out = vec![kind | bit(origin, 0x80) | bit(right, 0x40) | if is_entry { 0x20 } else { 0 }];
        put_id(&mut out, origin);
        put_id(&mut out, right);
        if origin.or(right).is_none() {
            put_number(&mut out, 1);
            put_blob(&mut out, if is_entry { b"m" } else { TEXTS[list].as_bytes() });
            if is_entry {
                put_blob(&mut out, KEYS[list - TEXTS.len()].as_bytes());
            }
        }
        let clock = self.end(client);
        let len = self.put_content(&mut out, kind, is_entry);
        self.written[client].push((clock, len, out));
    }

    fn put_content(&mut self, out: &mut Vec<u8>, kind: u8, is_entry: bool) -> u64 {
        let letter = b'a' + self.random.below(26) as u8;
        match kind {
            1 => {
                let len = 1 + self.random.below(3) as u64;
                put_number(out, len);
                return len;
            }
            3 => out.extend([1, letter]),
            4 => {
                let len = 1 + self.random.below(4);
                put_blob(out, &vec![letter; len]);
                return len as u64;
            }
            5 => put_blob(out, b"{}"),
            6 => {
                put_blob(out, [&b"b"[..], b"i"][self.random.below(2)]);
                put_blob(out, [&b"true"[..], b"null"][self.random.below(2)]);
            }
            7 => out.push([1, 2][self.random.below(2)]),
            _ if is_entry => out.extend([1, 119, 1, letter]),
            _ => {
                out.extend([2, 119, 1, letter, 126]);
                return 2;
            }
        }
        1
    }

    /// An update of new structs, some known ones before them, and deletions.
    fn update(&mut self) -> Vec<u8> {
        let mut out = Vec::new();
        let first = self.random.below(CLIENTS.len());
        let sections = [0, 1, 1, 1, 1, 2][self.random.below(6)];
        put_number(&mut out, sections as u64);
        for n in 0..sections {
            let client = (first + n) % CLIENTS.len();
            let known = self.written[client].len();
            for _ in 0..1 + self.random.below(2) {
                self.write(client);
            }
            let again = if self.random.chance(20) {
                self.random.below(known + 1).min(3)
            } else {
                0
            };
            let structs = &self.written[client][known - again..];
            put_number(&mut out, structs.len() as u64);
            put_number(&mut out, CLIENTS[client]);
            put_number(&mut out, structs[0].0);
            structs.iter().for_each(|it| out.extend_from_slice(&it.2));
        }
        let end = self.end(first);
        let deletes = usize::from(end > 0 && (sections == 0 || self.random.chance(15)));
        put_number(&mut out, deletes as u64);
        if deletes > 0 {
            let start = self.random.below(end as usize) as u64;
            put_number(&mut out, CLIENTS[first]);
            put_number(&mut out, 1);
            put_number(&mut out, start);
            put_number(&mut out, (1 + self.random.below(4) as u64).min(end - start));
        }
        out
    }
}

/// What a client has at some moment: a state, and the relays before it.
struct Joined {
    state: Bytes,
    relays: usize,
    vector: Vec<u8>,
}

/// Every way in which the board reaches a client.
fn views(attacked: &mut Board, relays: &[Bytes], joined: &[Joined]) -> Vec<(String, Vec<Bytes>)> {
    let mut views = vec![
        ("relays".to_owned(), relays.to_vec()),
        ("fold".to_owned(), vec![attacked.full()]),
    ];
    for it in joined {
        let state = it.state.clone();
        let after = |more: &[Bytes]| [std::slice::from_ref(&state), more].concat();
        let diff = attacked.diff(&StateVector::parse(&it.vector).unwrap());
        views.push((format!("relays after {}", it.relays), after(&relays[it.relays..])));
        views.push((
            format!("diff after {}", it.relays),
            after(std::slice::from_ref(&diff)),
        ));
        let mut both = relays[it.relays..].to_vec();
        both.insert(both.len() / 2, diff);
        views.push((format!("relays around a diff after {}", it.relays), after(&both)));
    }
    let compact_bytes = compacted(attacked);
    views.push(("compacted".to_owned(), vec![compact_bytes.clone()]));
    if document_gate(&compact_bytes).is_ok() {
        views.push(("yrs".to_owned(), vec![through_yrs(&compact_bytes)]));
    }
    views
}

#[test]
fn clients_agree_in_whatever_order_relays_and_states_reach_them() {
    let mut oracle = Oracle::start();
    let (first, count) = (env("BOARDWIRE_SEED", 1), 2 * env("BOARDWIRE_HISTORIES", 40));
    let (mut accepted, mut refused, mut seen, mut in_yrs) = (0, 0, 0, 0);
    for seed in first..first + count {
        let mut maker = Maker {
            random: Random(seed),
            written: Default::default(),
            lists: vec![Vec::new(); TEXTS.len() + KEYS.len()],
        };
        let mut attacked = board();
        let (mut relays, mut joined, mut sent) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..15 {
            let written = maker.written.clone();
            let update = maker.update();
            sent.push(update.clone());
            match attacked.accept(&update) {
                Ok(Accepted::Whole) => relays.push(update.into()),
                Ok(Accepted::Trimmed(bytes)) => relays.push(bytes),
                Ok(Accepted::Nothing) => {}
                Ok(other @ (Accepted::Hole | Accepted::Uncounted)) => {
                    panic!("{other:?} in {seed}: {update:?}")
                }
                Err(_) => {
                    refused += 1;
                    maker.written = written;
                    continue;
                }
            }
            accepted += 1;
            maker.look(&mut oracle, &relays);
            if maker.random.chance(10) {
                let capture = attacked.capture();
                attacked.install(compact(&capture).unwrap()).unwrap();
            }
            if maker.random.chance(12) {
                joined.push(Joined {
                    state: attacked.full(),
                    relays: relays.len(),
                    vector: attacked.state_vector().to_vec(),
                });
            }
        }
        let views = views(&mut attacked, &relays, &joined);
        let mut expected: Option<String> = None;
        for (name, updates) in views {
            in_yrs += usize::from(name == "yrs");
            for version in [13, 14] {
                let from = Instant::now();
                let report = oracle.load(version, &updates);
                assert!(
                    from.elapsed() < LOAD_TIME_MAX,
                    "{name} of {seed} hang Yjs {version}"
                );
                let report =
                    report.unwrap_or_else(|error| panic!("Yjs {version} threw on {name} of {seed}: {error}"));
                assert!(!report.pending, "{name} of {seed}, Yjs {version}");
                let expected = expected.get_or_insert_with(|| report.dump.clone());
                assert_eq!(
                    *expected, report.dump,
                    "{name} of {seed}, Yjs {version}; sent {sent:?}"
                );
                seen += 1;
            }
        }
    }
    println!("{accepted} accepted, {refused} refused; read {seen} times, {in_yrs} through yrs");
    assert!(accepted > 10 * refused, "the maker makes what is accepted");
}
