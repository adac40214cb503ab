//! Integration as Yjs writes it, over vectors that are searched from end to end, and random states for both.

use std::collections::{HashMap, HashSet};

use super::super::graph::{Graph, LIST_GONE, NONE};
use super::super::{integration_work, order};
use super::{Random, Written, id, put_state};
use crate::meter::Meter;
use crate::update::Budgets;
use crate::update::scan::scan;

/// An item as the test knows it; `list` is `None` for a struct without one.
#[derive(Clone, Debug)]
struct Item {
    client: u64,
    clock: u32,
    len: u32,
    origin: Option<(u64, u32)>,
    right: Option<(u64, u32)>,
    list: Option<usize>,
}

#[derive(Clone, Debug, PartialEq)]
struct Piece {
    client: u64,
    clock: u32,
    len: u32,
    origin: Option<(u64, u32)>,
    right: Option<(u64, u32)>,
}

impl Piece {
    fn has(&self, id: (u64, u32)) -> bool {
        self.client == id.0 && self.clock <= id.1 && id.1 < self.clock + self.len
    }

    fn name(&self) -> (u64, u32) {
        (self.client, self.clock)
    }
}

/// A text and two map keys.
const LISTS: usize = 3;

#[derive(Default)]
struct Naive {
    lists: [Vec<Piece>; LISTS],
    /// The list of each clock that is integrated.
    lists_of: HashMap<(u64, u32), Option<usize>>,
    passed: u64,
    walked: u64,
    gone: u64,
}

impl Naive {
    fn integrate_all(items: &[Item]) -> Self {
        let mut naive = Self::default();
        let mut clients: Vec<u64> = items.iter().map(|it| it.client).collect();
        clients.sort_unstable();
        clients.dedup();
        for client in clients.into_iter().rev() {
            naive.reach(items, client, u32::MAX);
        }
        naive
    }

    /// Integrates a client up to a clock, and what that needs first.
    fn reach(&mut self, items: &[Item], client: u64, clock: u32) {
        for it in items.iter().filter(|it| it.client == client && it.clock <= clock) {
            if self.lists_of.contains_key(&(client, it.clock)) {
                continue;
            }
            for id in [it.origin, it.right].into_iter().flatten() {
                if !self.lists_of.contains_key(&id) {
                    self.reach(items, id.0, id.1);
                }
            }
            self.integrate(it);
        }
    }

    fn find(&self, list: usize, id: (u64, u32)) -> usize {
        self.lists[list].iter().position(|piece| piece.has(id)).unwrap()
    }

    fn cut_before(&mut self, list: usize, id: (u64, u32)) {
        let at = self.find(list, id);
        let piece = self.lists[list][at].clone();
        if piece.clock < id.1 {
            self.lists[list][at].len = id.1 - piece.clock;
            let second = Piece {
                clock: id.1,
                len: piece.clock + piece.len - id.1,
                origin: Some((id.0, id.1 - 1)),
                ..piece
            };
            self.lists[list].insert(at + 1, second);
        }
    }

    fn integrate(&mut self, it: &Item) {
        let neighbours: Vec<(u64, u32)> = [it.origin, it.right].into_iter().flatten().collect();
        let is_lost = neighbours.iter().any(|id| self.lists_of[id].is_none());
        let list = if is_lost { None } else { it.list };
        for clock in it.clock..it.clock + it.len {
            self.lists_of.insert((it.client, clock), list);
        }
        // What is there is cut for it, also where the other neighbour is gone.
        if let Some((client, clock)) = it.origin
            && let Some(list) = self.lists_of[&(client, clock)]
            && self.lists[list][self.find(list, (client, clock))].has((client, clock + 1))
        {
            self.cut_before(list, (client, clock + 1));
        }
        let left = it.origin.filter(|_| list.is_some());
        // As Yjs has it: the left neighbour is found before the right one, which may cut it in two.
        let left = left.map(|id| self.lists[it.list.unwrap()][self.find(it.list.unwrap(), id)].name());
        if let Some(id) = it.right
            && let Some(list) = self.lists_of[&id]
        {
            self.cut_before(list, id);
        }
        let Some(list) = list else {
            self.gone += 1;
            return;
        };
        let right = it.right.map(|id| self.find(list, id));
        // Places between items: 0 is before the first.
        let mut after = left.map_or(0, |name| self.find(list, name) + 1);
        let entries = list > 0;
        let len = self.lists[list].len();
        let walk = if entries { len.saturating_sub(1) as u64 } else { 0 };
        let is_placed = match (it.origin, right) {
            (None, None) => false,
            (None, Some(right)) => right == 0,
            (Some(_), None) => after == len,
            (Some(_), Some(right)) => after == right,
        };
        if !is_placed {
            if it.origin.is_none() {
                self.walked += walk;
            }
            after = self.pass(it, list, after, right);
        }
        if after == 0 {
            self.walked += walk;
        }
        let piece = Piece {
            client: it.client,
            clock: it.clock,
            len: it.len,
            origin: it.origin,
            right: it.right,
        };
        self.lists[list].insert(after, piece);
    }

    fn pass(&mut self, it: &Item, list: usize, mut after: usize, right: Option<usize>) -> usize {
        let (mut before, mut conflicting) = (HashSet::new(), HashSet::new());
        let mut at = after;
        while at < self.lists[list].len() && Some(at) != right {
            self.passed += 1;
            let other = &self.lists[list][at];
            before.insert(other.name());
            conflicting.insert(other.name());
            if other.origin == it.origin {
                if other.client < it.client {
                    after = at + 1;
                    conflicting.clear();
                } else if other.right == it.right {
                    break;
                }
            } else if let Some(origin) = other.origin
                && let name = self.lists[list][self.find(list, origin)].name()
                && before.contains(&name)
            {
                if !conflicting.contains(&name) {
                    after = at + 1;
                    conflicting.clear();
                }
            } else {
                break;
            }
            at += 1;
        }
        after
    }
}

/// Items of some clients that refer to what came before, honestly in nothing but that.
fn random_items(random: &mut Random) -> Vec<Item> {
    let clients = 1 + random.below(5);
    let mut clocks = vec![0u32; clients];
    let mut items: Vec<Item> = Vec::new();
    let tidy = random.chance(50);
    for _ in 0..random.below(120) {
        let client = random.below(clients);
        let list = [0, 0, 0, 1, 2][random.below(5)];
        let mut known = Vec::new();
        for it in &items {
            if it.list == Some(list) || it.list.is_none() && random.chance(2) {
                known.push((it.client, it.clock + random.below(it.len as usize) as u32));
            }
        }
        // Most refer to what is new, so that trees grow deep.
        let mut pick = |likely: usize| {
            let reach = if random.chance(60) {
                known.len().min(3)
            } else {
                known.len()
            };
            (reach > 0 && random.chance(likely)).then(|| known[known.len() - 1 - random.below(reach)])
        };
        let origin = pick(70);
        let right = if tidy { None } else { pick(40) };
        let len = if list == 0 { 1 + random.below(4) as u32 } else { 1 };
        let is_gone = random.chance(2);
        items.push(Item {
            client: client as u64 * 7,
            clock: clocks[client],
            len,
            origin: origin.filter(|_| !is_gone),
            right: right.filter(|_| !is_gone),
            list: (!is_gone).then_some(list),
        });
        clocks[client] += len;
    }
    items
}

fn written(it: &Item) -> Written {
    let mut bytes = Vec::new();
    let Some(list) = it.list else {
        bytes.extend([0, it.len as u8]);
        return Written::new(it.client, it.len, bytes);
    };
    // Text in the text, deleted items under the keys.
    let kind = if list == 0 { 4 } else { 1 };
    let key = if list == 0 { 0 } else { 0x20 };
    let has = |id: Option<(u64, u32)>, bit: u8| if id.is_some() { bit } else { 0 };
    bytes.push(kind | key | has(it.origin, 0x80) | has(it.right, 0x40));
    id(&mut bytes, it.origin);
    id(&mut bytes, it.right);
    if it.origin.or(it.right).is_none() {
        bytes.extend([1, 1, b"tmm"[list]]);
        if list > 0 {
            bytes.extend([1, b"tjk"[list]]);
        }
    }
    bytes.push(it.len as u8);
    if list == 0 {
        bytes.extend(vec![b'x'; it.len as usize]);
    }
    Written::new(it.client, it.len, bytes)
}

#[test]
fn a_second_implementation_makes_the_same_lists_in_as_many_steps() {
    let mut passed = 0;
    for seed in 0..3_000 {
        let items = random_items(&mut Random(seed));
        let state = put_state(items.iter().map(written), &[]);
        let outline = scan(&state, &Budgets::UNBOUNDED, &mut Meter::unbounded()).unwrap();
        let mut meter = Meter::unbounded();
        let work = integration_work(&state, &outline, &[], &mut meter).unwrap();
        let naive = Naive::integrate_all(&items);
        assert_eq!(lists(&state), naive_lists(&naive), "lists of {seed}");
        let found = (work.passed, work.walked);
        assert_eq!(found, (naive.passed, naive.walked), "items passed of {seed}");
        let pieces: usize = naive.lists.iter().map(Vec::len).sum();
        assert_eq!(work.structs, pieces as u64 + naive.gone, "structs of {seed}");
        assert!(
            meter.spent() >= work.passed + work.structs,
            "each is a step: {seed}"
        );
        let most = work.passed + work.walked / 32 + 3 * work.structs;
        assert!(meter.spent() <= most, "and little else is: {seed}");
        passed += work.passed;
    }
    assert!(passed > 100_000, "{passed} items were passed");
}

/// The lists as the walk orders them: clients, clocks and lengths.
pub(super) fn lists(state: &[u8]) -> Vec<Vec<(u64, u32, u32)>> {
    let outline = scan(state, &Budgets::UNBOUNDED, &mut Meter::unbounded()).unwrap();
    let mut meter = Meter::unbounded();
    let mut graph = Graph::read(state, &outline, &mut meter).unwrap();
    order::integrate_to(&mut graph, &[], &mut meter).unwrap();
    let mut lists = Vec::new();
    for list in &graph.lists {
        let mut found = Vec::new();
        let mut at = list.head;
        while at != NONE {
            let node = graph.node(at);
            assert_ne!(node.list, LIST_GONE);
            let client = &graph.clients[node.at.client as usize];
            found.push((client.id, node.at.clock, node.len));
            at = node.next;
        }
        lists.push(found);
    }
    lists.retain(|list| !list.is_empty());
    lists.sort_unstable();
    lists
}

fn naive_lists(naive: &Naive) -> Vec<Vec<(u64, u32, u32)>> {
    let lists = naive.lists.iter().filter(|list| !list.is_empty());
    let each = lists.map(|list| list.iter().map(|p| (p.client, p.clock, p.len)).collect());
    let mut lists: Vec<Vec<(u64, u32, u32)>> = each.collect();
    lists.sort_unstable();
    lists
}
