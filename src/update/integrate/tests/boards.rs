//! Honest boards, made by yrs: they cost far less than is allowed, and the order of texts is that of yrs.

use std::collections::HashMap;

use yrs::types::Attrs;
use yrs::updates::decoder::Decode;
use yrs::{
    Any, Array, ClientID, Doc, GetString, Map, OffsetKind, Options, ReadTxn, StateVector, Text, Transact,
    Update,
};

use super::*;

/// People with a copy of a board each, who learn of the others' changes when they look.
struct Team {
    docs: Vec<Doc>,
    log: Vec<Vec<u8>>,
    seen: Vec<usize>,
}

impl Team {
    fn of(count: u64) -> Self {
        let docs = (0..count).map(|n| {
            let options = Options {
                offset_kind: OffsetKind::Utf16,
                ..Options::with_client_id(ClientID::new(n * 1_000_003 % 999_983 + 1))
            };
            Doc::with_options(options)
        });
        let docs: Vec<Doc> = docs.collect();
        let seen = vec![0; docs.len()];
        Self {
            docs,
            log: Vec::new(),
            seen,
        }
    }

    /// One person's change; the others do not know it yet.
    fn change(&mut self, at: usize, change: impl FnOnce(&Doc)) {
        let before = self.docs[at].transact().state_vector();
        change(&self.docs[at]);
        let update = self.docs[at].transact().encode_state_as_update_v1(&before);
        self.log.push(update);
    }

    /// One person looks at the first `until` changes.
    fn look(&mut self, at: usize, until: usize) {
        let from = self.seen[at];
        if from < until {
            let mut txn = self.docs[at].transact_mut();
            for update in &self.log[from..until] {
                txn.apply_update(Update::decode_v1(update).unwrap()).unwrap();
            }
            self.seen[at] = until;
        }
    }

    /// All changes as one state, as a server that keeps all has it, and the document.
    fn state(&self) -> (Vec<u8>, Doc) {
        let doc = Doc::new();
        let mut txn = doc.transact_mut();
        for update in &self.log {
            txn.apply_update(Update::decode_v1(update).unwrap()).unwrap();
        }
        let state = txn.encode_state_as_update_v1(&StateVector::default());
        drop(txn);
        (state, doc)
    }
}

/// Two people without a network, each with 5,000 letters at one place.
fn typed_apart(backwards: usize, cursors: &mut Random) -> Vec<u8> {
    let mut team = Team::of(2);
    team.change(0, |doc| {
        doc.get_or_insert_text("t")
            .push(&mut doc.transact_mut(), "between")
    });
    team.look(1, 1);
    let mut places = [3u32; 2];
    for n in 0..10_000u32 {
        let who = (n / 5_000) as usize;
        team.change(who, |doc| {
            let text = doc.get_or_insert_text("t");
            text.insert(&mut doc.transact_mut(), places[who], "x");
        });
        if !cursors.chance(backwards) {
            places[who] += 1;
        }
    }
    team.state().0
}

/// 200 people who make the same keys, and an element of the same list, before they know of one another.
fn initialised_at_once() -> Vec<u8> {
    let mut team = Team::of(200);
    for who in 0..200 {
        team.change(who, |doc| {
            let (map, list) = (doc.get_or_insert_map("m"), doc.get_or_insert_array("a"));
            let mut txn = doc.transact_mut();
            for key in ["version", "name", "pages", "settings", "schema"] {
                map.insert(&mut txn, key, "value");
            }
            list.push_back(&mut txn, "page");
        });
    }
    team.state().0
}

/// Five people who put 10,000 entries first in a feed, each up to 200 changes behind.
fn feed(random: &mut Random) -> Vec<u8> {
    let mut team = Team::of(5);
    for n in 0..10_000 {
        let who = random.below(5);
        let behind = random.below(200);
        team.look(who, n - behind.min(n));
        team.change(who, |doc| {
            doc.get_or_insert_array("feed")
                .push_front(&mut doc.transact_mut(), i64::from(n as u32));
        });
    }
    team.state().0
}

/// A text of 20,000 letters in which four people make 1,500 changes of format.
fn rich_text(random: &mut Random) -> Vec<u8> {
    let mut team = Team::of(4);
    let words = "lorem ipsum dolor sit amet ".repeat(740);
    team.change(0, |doc| {
        doc.get_or_insert_text("t").push(&mut doc.transact_mut(), &words)
    });
    for n in 0..1_500 {
        let who = random.below(4);
        team.look(who, (n + 1).max(40) - 39);
        let (at, len) = (random.below(19_000) as u32, 1 + random.below(60) as u32);
        let key = ["bold", "italic", "link", "color", "code", "size"][random.below(6)];
        let value = if random.chance(20) {
            Any::Null
        } else {
            Any::from(random.below(5) as i64)
        };
        team.change(who, |doc| {
            let attributes = Attrs::from([(key.into(), value)]);
            doc.get_or_insert_text("t")
                .format(&mut doc.transact_mut(), at, len, attributes);
        });
    }
    team.state().0
}

/// 500 records of a drawing, each written some 20 times by ten people.
fn drawing(random: &mut Random) -> Vec<u8> {
    let mut team = Team::of(10);
    for n in 0..500 {
        let who = random.below(10);
        team.look(who, n - random.below(30).min(n));
        team.change(who, |doc| {
            let map = doc.get_or_insert_map("tldraw");
            let mut txn = doc.transact_mut();
            for _ in 0..20 {
                map.insert(
                    &mut txn,
                    format!("shape:{}", random.below(500)),
                    Any::from(n as f64),
                );
            }
        });
    }
    team.state().0
}

/// Twenty people without a network, each with 300 elements at the end of one list, and 300 at its start.
fn lists_apart() -> Vec<u8> {
    let mut team = Team::of(20);
    team.change(0, |doc| {
        doc.get_or_insert_array("a")
            .push_back(&mut doc.transact_mut(), "middle");
    });
    for who in 0..20 {
        team.look(who, 1);
        for n in 0..600 {
            team.change(who, |doc| {
                let list = doc.get_or_insert_array("a");
                let mut txn = doc.transact_mut();
                if n % 2 == 0 {
                    list.push_back(&mut txn, "last");
                } else {
                    list.push_front(&mut txn, "first");
                }
            });
        }
    }
    team.state().0
}

#[test]
fn honest_boards_cost_far_less_than_is_allowed() {
    let random = &mut Random(7);
    let table = [
        ("typed apart, forwards", typed_apart(0, random)),
        ("typed apart, backwards", typed_apart(100, random)),
        ("typed apart, both ways", typed_apart(50, random)),
        ("initialised at once", initialised_at_once()),
        ("a feed", feed(random)),
        ("rich text", rich_text(random)),
        ("a drawing", drawing(random)),
        ("lists apart", lists_apart()),
    ];
    for (name, state) in table {
        let (_, steps) = print(name, &state);
        let allowed = allowed(state.len());
        assert!(steps * 2 <= allowed, "{name}: {steps} of {allowed} steps");
        assert!(bounded(&state).is_ok(), "{name}");
    }
}

#[test]
fn texts_are_in_the_order_of_yrs() {
    for seed in 0..20 {
        let mut random = Random(seed);
        let people = 1 + random.below(5);
        let mut team = Team::of(people as u64);
        let mut letters: HashMap<(u64, u32), char> = HashMap::new();
        let mut next = 0x4e00u32;
        for _ in 0..300 {
            let who = random.below(people);
            let seen = team.seen[who];
            team.look(who, seen + random.below(team.log.len() - seen + 1));
            let chars: Vec<char> = (next..)
                .take(1 + random.below(3))
                .filter_map(char::from_u32)
                .collect();
            next += chars.len() as u32;
            let doc = &team.docs[who];
            let from = doc.transact().state_vector().get(&doc.client_id());
            for (clock, &letter) in (from..).zip(&chars) {
                letters.insert((doc.client_id().get(), clock), letter);
            }
            team.change(who, |doc| {
                let text = doc.get_or_insert_text("t");
                let mut txn = doc.transact_mut();
                let len = text.len(&txn);
                let at = random.below(len as usize + 1) as u32;
                text.insert(&mut txn, at, &chars.iter().collect::<String>());
                if len > 3 && random.chance(20) {
                    text.remove_range(&mut txn, random.below(len as usize) as u32, 2.min(len));
                }
            });
        }
        let (state, doc) = team.state();
        let lists = naive::lists(&state);
        let deleted = deleted(&state);
        let mut text = String::new();
        for &(client, clock, len) in &lists[0] {
            let ids = (clock..clock + len).map(|clock| (client, clock));
            let live = ids.filter(|id| !deleted.contains(id));
            text.extend(live.map(|id| letters[&id]));
        }
        let found = doc.get_or_insert_text("t").get_string(&doc.transact());
        assert_eq!(text, found, "text of {seed}");
    }
}

/// The deleted ids of a state.
fn deleted(state: &[u8]) -> std::collections::HashSet<(u64, u32)> {
    let outline = scan(state, &Budgets::UNBOUNDED, &mut Meter::unbounded()).unwrap();
    let mut reader = crate::lib0::Reader::at(state, outline.deletes);
    let mut deleted = std::collections::HashSet::new();
    for _ in 0..reader.count().unwrap() {
        let client = reader.number().unwrap();
        for _ in 0..reader.count().unwrap() {
            let (start, end) = crate::update::scan::read_range(&mut reader).unwrap();
            deleted.extend((start..end).map(|clock| (client, clock)));
        }
    }
    deleted
}
