//! The items of a state as nodes of lists: read from bytes (`graph/read`), found by id, cut, and joined to
//! their list.
//!
//! Owns [`Graph`], and in it YATA's one decision, where among concurrent items an item belongs. Must not know
//! in which order items are integrated. Key invariant: the nodes of one client stand one after the other in
//! the order of their clocks; what is cut off a node stands in `pieces`, so that a cut moves nothing. Tests:
//! `integrate/tests.rs`.
#![deny(clippy::arithmetic_side_effects, clippy::cast_possible_truncation)]

use std::collections::{BTreeMap, HashMap};

use super::WALKED_PER_STEP;
use crate::meter::{Exhausted, Meter};
use crate::update::ranges::Range;

mod read;

/// No node, no client, no name.
pub(super) const NONE: u32 = u32::MAX;

/// Where a node stands that has not been integrated: in no list yet, or never in one.
const LIST_UNKNOWN: u32 = NONE;
/// As `LIST_UNKNOWN`; `origin` is its parent, and `right.client` its key.
const LIST_OF_PARENT: u32 = NONE.wrapping_sub(1);
/// Joins nothing: collected, or with a neighbour or parent that is.
pub(super) const LIST_GONE: u32 = NONE.wrapping_sub(2);

/// What a node holds, as far as it matters here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Holds {
    /// Values or text.
    Content,
    /// A shared type.
    Type,
    /// Nothing any more.
    Deleted,
    /// A mark that opens this key.
    Opens(u32),
    /// A mark that closes this key.
    Closes(u32),
}

impl Holds {
    const CONTENT: u32 = NONE;
    const TYPE: u32 = NONE.wrapping_sub(1);
    const DELETED: u32 = NONE.wrapping_sub(2);

    fn packed(self) -> u32 {
        match self {
            Self::Content => Self::CONTENT,
            Self::Type => Self::TYPE,
            Self::Deleted => Self::DELETED,
            Self::Opens(key) => key << 1,
            Self::Closes(key) => key << 1 | 1,
        }
    }

    fn of_packed(packed: u32) -> Self {
        match packed {
            Self::CONTENT => Self::Content,
            Self::TYPE => Self::Type,
            Self::DELETED => Self::Deleted,
            it if it & 1 == 0 => Self::Opens(it >> 1),
            it => Self::Closes(it >> 1),
        }
    }
}

/// One clock of the client at a place in `Graph::clients`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) client: u32,
    pub(super) clock: u32,
}

impl Place {
    pub(super) const NONE: Self = Self {
        client: NONE,
        clock: 0,
    };

    pub(super) fn is_some(self) -> bool {
        self.client != NONE
    }
}

/// An item, or a piece of one.
#[derive(Clone, Copy, Debug)]
pub(super) struct Node {
    pub(super) at: Place,
    pub(super) len: u32,
    pub(super) origin: Place,
    pub(super) right: Place,
    pub(super) list: u32,
    prev: u32,
    pub(super) next: u32,
    /// The step at which it was passed last.
    seen: u32,
    holds: u32,
}

const NOWHERE: Node = Node {
    at: Place::NONE,
    len: 0,
    origin: Place::NONE,
    right: Place::NONE,
    list: LIST_GONE,
    prev: NONE,
    next: NONE,
    seen: 0,
    holds: Holds::DELETED,
};

impl Node {
    fn end(&self) -> u32 {
        self.at.clock.saturating_add(self.len)
    }

    fn contains(&self, clock: u32) -> bool {
        self.at.clock <= clock && clock < self.end()
    }

    pub(super) fn holds(&self) -> Holds {
        Holds::of_packed(self.holds)
    }
}

/// The list content of a type, or the entries of one key.
#[derive(Clone, Copy, Debug)]
pub(super) struct List {
    pub(super) head: u32,
    is_entries: bool,
    pub(super) has_marks: bool,
    len: u32,
}

/// The nodes of one client and what of it is deleted.
#[derive(Clone, Debug)]
pub(super) struct Client {
    pub(super) id: u64,
    first: u32,
    pub(super) count: u32,
    /// The first node that is not integrated, counted from `first`.
    pub(super) done: u32,
    pub(super) deleted: Vec<Range>,
}

/// A state as nodes and lists.
#[derive(Debug, Default)]
pub(super) struct Graph {
    nodes: Vec<Node>,
    /// Ascending by id: a place compares as the id does.
    pub(super) clients: Vec<Client>,
    pub(super) lists: Vec<List>,
    /// What was cut off nodes, by client and clock.
    pieces: BTreeMap<(u32, u32), u32>,
    /// Lists by parent (the name's number and `NONE`, or a place) and the key's number.
    by_parent: HashMap<(u32, u32, u32), u32>,
    passed: u32,
    pub(super) walked: u64,
    empty: u64,
}

fn index(n: u32) -> usize {
    usize::try_from(n).unwrap_or(usize::MAX)
}

fn count(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(NONE)
}

impl Graph {
    /// The list with a parent and key, made where it is not there.
    fn list(&mut self, parent: (u32, u32, u32)) -> u32 {
        let next = count(self.lists.len());
        let list = *self.by_parent.entry(parent).or_insert(next);
        if list == next {
            self.lists.push(List {
                head: NONE,
                is_entries: parent.2 != NONE,
                has_marks: false,
                len: 0,
            });
        }
        list
    }

    /// The node with a number; one that joins nothing where there is none.
    pub(super) fn node(&self, n: u32) -> &Node {
        self.nodes.get(index(n)).unwrap_or(&NOWHERE)
    }

    fn node_mut(&mut self, n: u32) -> Option<&mut Node> {
        self.nodes.get_mut(index(n))
    }

    /// The first node of a client that is not integrated.
    pub(super) fn due(&self, client: u32) -> Option<u32> {
        let it = self.clients.get(index(client))?;
        (it.done < it.count).then(|| it.first.saturating_add(it.done))
    }

    /// Whether what is at a place is integrated, or never will be.
    pub(super) fn is_settled(&self, place: Place) -> bool {
        let due = self.due(place.client);
        due.is_none_or(|due| place.clock < self.node(due).at.clock)
    }

    /// Items passed so far.
    pub(super) fn passed(&self) -> u64 {
        u64::from(self.passed)
    }

    /// Nodes, and structs without one.
    pub(super) fn structs(&self) -> u64 {
        u64::try_from(self.nodes.len())
            .unwrap_or(u64::MAX)
            .saturating_add(self.empty)
    }

    /// The node at a place, `near` being the likeliest; `NONE` where nothing but a collected struct is there.
    fn find(&self, place: Place, near: u32) -> u32 {
        let likely = self.node(near);
        if likely.at.client == place.client && likely.contains(place.clock) {
            return near;
        }
        let Some(client) = self.clients.get(index(place.client)) else {
            return NONE;
        };
        let (first, last) = (
            index(client.first),
            index(client.first.saturating_add(client.count)),
        );
        let nodes = self.nodes.get(first..last).unwrap_or_default();
        let after = nodes.partition_point(|node| node.at.clock <= place.clock);
        let Some(before) = after.checked_sub(1) else {
            return NONE;
        };
        let found = count(first.saturating_add(before));
        let start = self.node(found);
        if start.contains(place.clock) {
            return found;
        }
        let from = (place.client, start.at.clock);
        let mut pieces = self.pieces.range(from..=(place.client, place.clock));
        match pieces.next_back() {
            Some((_, &piece)) if self.node(piece).contains(place.clock) => piece,
            _ => NONE,
        }
    }

    /// The node that ends with a place, cut there if need be.
    fn ending_with(&mut self, place: Place, near: u32, meter: &mut Meter) -> Result<u32, Exhausted> {
        let found = self.find(place, near);
        let after = place.clock.saturating_add(1);
        if found != NONE && after < self.node(found).end() {
            self.cut(found, after, meter)?;
        }
        Ok(found)
    }

    /// The node that starts with a place, cut there if need be.
    fn starting_with(&mut self, place: Place, near: u32, meter: &mut Meter) -> Result<u32, Exhausted> {
        let found = self.find(place, near);
        if found != NONE && self.node(found).at.clock < place.clock {
            return self.cut(found, place.clock, meter);
        }
        Ok(found)
    }

    /// Cuts a node at a clock and returns its second half.
    fn cut(&mut self, node: u32, clock: u32, meter: &mut Meter) -> Result<u32, Exhausted> {
        meter.spend(1)?;
        let first = *self.node(node);
        if first.list >= LIST_GONE {
            return Ok(node);
        }
        let second = count(self.nodes.len());
        let before = clock.saturating_sub(1);
        self.nodes.push(Node {
            at: Place { clock, ..first.at },
            len: first.end().saturating_sub(clock),
            origin: Place {
                clock: before,
                ..first.at
            },
            prev: node,
            ..first
        });
        self.pieces.insert((first.at.client, clock), second);
        if let Some(it) = self.node_mut(node) {
            it.len = clock.saturating_sub(first.at.clock);
            it.next = second;
        }
        if let Some(it) = self.node_mut(first.next) {
            it.prev = second;
        }
        if let Some(list) = self.lists.get_mut(index(first.list)) {
            list.len = list.len.saturating_add(1);
        }
        Ok(second)
    }

    /// Integrates a node of which all that it refers to is settled.
    pub(super) fn integrate(&mut self, n: u32, meter: &mut Meter) -> Result<(), Exhausted> {
        let it = *self.node(n);
        let (mut left, mut right) = (NONE, NONE);
        let list = match it.list {
            LIST_GONE => LIST_GONE,
            LIST_OF_PARENT => self.list_of_parent(&it),
            LIST_UNKNOWN => {
                if it.origin.is_some() {
                    left = self.ending_with(it.origin, n.wrapping_sub(1), meter)?;
                }
                if it.right.is_some() {
                    right = self.starting_with(it.right, NONE, meter)?;
                }
                self.list_between(&it, left, right)
            }
            list => list,
        };
        if let Some(node) = self.node_mut(n) {
            node.list = list;
            if it.list == LIST_OF_PARENT {
                (node.origin, node.right) = (Place::NONE, Place::NONE);
            }
        }
        if list >= LIST_GONE {
            return Ok(());
        }
        let is_placed = if left == NONE {
            right != NONE && self.node(right).prev == NONE
        } else {
            self.node(left).next == right
        };
        if !is_placed {
            left = self.pass(n, left, right, meter)?;
        }
        self.join(n, left, meter)
    }

    fn list_of_parent(&mut self, it: &Node) -> u32 {
        let parent = self.node(self.find(it.origin, NONE));
        if parent.list >= LIST_GONE || parent.holds() != Holds::Type {
            return LIST_GONE;
        }
        self.list((it.origin.client, it.origin.clock, it.right.client))
    }

    /// The list of a node's neighbours; gone where one of them is.
    fn list_between(&self, it: &Node, left: u32, right: u32) -> u32 {
        let of = |place: Place, node: u32| place.is_some().then(|| self.node(node).list);
        match (of(it.origin, left), of(it.right, right)) {
            (Some(LIST_GONE..), _) | (_, Some(LIST_GONE..)) | (None, None) => LIST_GONE,
            (Some(list), _) | (None, Some(list)) => list,
        }
    }

    /// YATA: passes what is concurrent and belongs before a node, and returns the node that it comes after.
    fn pass(&mut self, n: u32, mut left: u32, right: u32, meter: &mut Meter) -> Result<u32, Exhausted> {
        let it = *self.node(n);
        let mut at = if left == NONE {
            self.first_of(it.list, meter)?
        } else {
            self.node(left).next
        };
        let start = self.passed;
        // Nodes seen after `start` are before this one's origin, those after `settled` in conflict with it.
        let mut settled = start;
        while at != NONE && at != right {
            meter.spend(1)?;
            self.passed = self.passed.checked_add(1).ok_or(Exhausted)?;
            let now = self.passed;
            let Some(other) = self.node_mut(at) else { break };
            other.seen = now;
            let other = *other;
            if other.origin == it.origin {
                if other.at.client < it.at.client {
                    (left, settled) = (at, now);
                } else if other.right == it.right {
                    break;
                }
            } else if other.origin.is_some() {
                let seen = self.node(self.find(other.origin, other.prev)).seen;
                if seen <= start {
                    break;
                }
                if seen <= settled {
                    (left, settled) = (at, now);
                }
            } else {
                break;
            }
            at = other.next;
        }
        Ok(left)
    }

    /// The first node of a list; Yjs and yrs walk there from the last one where it is a key's.
    fn first_of(&mut self, list: u32, meter: &mut Meter) -> Result<u32, Exhausted> {
        let Some(it) = self.lists.get(index(list)) else {
            return Ok(NONE);
        };
        if it.is_entries {
            let walked = it.len.saturating_sub(1);
            meter.spend(u64::from(walked / WALKED_PER_STEP))?;
            self.walked = self.walked.saturating_add(u64::from(walked));
        }
        Ok(it.head)
    }

    /// Puts a node after `left`, or first.
    fn join(&mut self, n: u32, left: u32, meter: &mut Meter) -> Result<(), Exhausted> {
        let (list, holds) = (self.node(n).list, self.node(n).holds());
        let next = if left == NONE {
            self.first_of(list, meter)?
        } else {
            self.node(left).next
        };
        match self.node_mut(left) {
            Some(left) => left.next = n,
            None => {
                if let Some(list) = self.lists.get_mut(index(list)) {
                    list.head = n;
                }
            }
        }
        if let Some(it) = self.node_mut(next) {
            it.prev = n;
        }
        if let Some(it) = self.node_mut(n) {
            (it.prev, it.next) = (left, next);
        }
        if let Some(list) = self.lists.get_mut(index(list)) {
            list.len = list.len.saturating_add(1);
            list.has_marks |= matches!(holds, Holds::Opens(_)) && !list.is_entries;
        }
        Ok(())
    }
}
