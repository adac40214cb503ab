//! Which node has which board, the plainest way: rows in maps, and a clock that is set.
//!
//! Owns [`Nodes`], with the rules of [`Ownership`](super::super::ownership::Ownership) and of what a commit
//! may change. Must not know what a board holds. Key invariant: a board's fence grows whenever it gets a
//! node. Tests: `contract/ownership.rs`.

use std::collections::BTreeMap;
use std::time::Duration;

use super::super::ownership::{Joining, Lease, Neighbour, NodeId, NodeSeen, Whereabouts};
use super::super::{Act, Change};
use crate::ids::BoardId;

#[derive(Clone, Debug)]
struct Node {
    is: Joining,
    until: Duration,
}

/// Who has a board, and how often it has changed hands.
#[derive(Clone, Debug, Default)]
struct Held {
    node: Option<NodeId>,
    fence: u64,
}

/// All nodes, and what they have.
#[derive(Clone, Debug, Default)]
pub(super) struct Nodes {
    pub(super) now: Duration,
    last: u64,
    nodes: BTreeMap<NodeId, Node>,
    boards: BTreeMap<BoardId, Held>,
}

impl Nodes {
    fn holds(&self, node: NodeId) -> bool {
        let node = self.nodes.get(&node);
        node.is_some_and(|node| self.now < node.until)
    }

    /// Who has a board, if its lease holds.
    fn owner(&self, board: &BoardId) -> Option<NodeId> {
        let node = self.boards.get(board)?.node?;
        self.holds(node).then_some(node)
    }

    /// How often a board has changed hands.
    pub(super) fn fence(&self, board: &BoardId) -> u64 {
        self.boards.get(board).map_or(0, |held| held.fence)
    }

    /// Whether `node` may make this change of a board that is there.
    pub(super) fn lets(&self, node: Option<NodeId>, change: &Change) -> bool {
        #[cfg(test)]
        if crate::planted::is(crate::planted::Bug::NoFence) {
            return true;
        }
        let owner = change.board().and_then(|board| self.owner(board));
        match change {
            Change::Session(_) => true,
            Change::Append { .. } | Change::Snapshot { .. } => owner == node,
            Change::Act { .. }
            | Change::Audit { .. }
            | Change::Purge { .. }
            | Change::Version { .. }
            | Change::Import(_)
            | Change::Asset(_) => owner.is_none() || owner == node,
        }
    }

    /// `node` has made a change.
    pub(super) fn made(&mut self, node: Option<NodeId>, change: &Change) {
        let Change::Act { board, act, .. } = change else {
            return;
        };
        match act {
            Act::Create { .. } => self.give(board, node),
            Act::Trash => {
                // One that comes back goes on counting.
                if let Some(held) = self.boards.get_mut(board) {
                    held.node = None;
                }
            }
            Act::Delete => drop(self.boards.remove(board)),
            _ => {}
        }
    }

    fn give(&mut self, board: &BoardId, node: Option<NodeId>) {
        let held = self.boards.entry(board.clone()).or_default();
        held.node = node;
        held.fence += 1;
    }

    /// See [`Ownership::join`](super::super::ownership::Ownership::join); `was` is the node that it was.
    pub(super) fn join(&mut self, was: Option<NodeId>, joining: &Joining) -> Lease {
        let now = self.now;
        let is_other =
            |id: NodeId, node: &Node| Some(id) != was && now < node.until && node.is.name == joining.name;
        if !joining.replaces && self.nodes.iter().any(|(id, node)| is_other(*id, node)) {
            return Lease::Lost;
        }
        self.nodes
            .retain(|id, node| Some(*id) != was && node.is.name != joining.name);
        self.last += 1;
        let node = NodeId(self.last);
        let (is, until) = (joining.clone(), now + joining.lease);
        self.nodes.insert(node, Node { is, until });
        Lease::Held(node)
    }

    /// See [`Ownership::renew`](super::super::ownership::Ownership::renew).
    pub(super) fn renew(&mut self, id: Option<NodeId>) -> Lease {
        let Some(id) = id.filter(|id| self.holds(*id)) else {
            return Lease::Lost;
        };
        if let Some(node) = self.nodes.get_mut(&id) {
            node.until = self.now + node.is.lease;
        }
        Lease::Held(id)
    }

    /// See [`Ownership::whereabouts`](super::super::ownership::Ownership::whereabouts).
    pub(super) fn whereabouts(&self, me: Option<NodeId>, board: &BoardId) -> Whereabouts {
        match self.owner(board) {
            None => Whereabouts::Nobody,
            owner if owner == me => Whereabouts::Here,
            Some(node) => Whereabouts::Elsewhere(Neighbour {
                node,
                address: self.nodes.get(&node).and_then(|node| node.is.address.clone()),
            }),
        }
    }

    /// See [`Ownership::claim`](super::super::ownership::Ownership::claim), of a board that is there. Who has
    /// no lease takes nothing.
    pub(super) fn claim(&mut self, me: Option<NodeId>, board: &BoardId) -> Whereabouts {
        if self.owner(board).is_none() && me.is_some_and(|me| self.holds(me)) {
            self.give(board, me);
        }
        self.whereabouts(me, board)
    }

    /// Lets those boards of `me` go that are `chosen`.
    pub(super) fn release(&mut self, me: Option<NodeId>, chosen: impl Fn(&BoardId) -> bool) {
        for (board, held) in &mut self.boards {
            if held.node == me && chosen(board) {
                held.node = None;
            }
        }
    }

    /// See [`Ownership::leave`](super::super::ownership::Ownership::leave).
    pub(super) fn leave(&mut self, me: Option<NodeId>) {
        self.release(me, |_| true);
        self.nodes.retain(|id, _| Some(*id) != me);
    }

    /// See [`Ownership::nodes`](super::super::ownership::Ownership::nodes).
    pub(super) fn seen(&self) -> Vec<NodeSeen> {
        let boards = |id| {
            self.boards
                .keys()
                .filter(move |board| self.owner(board) == Some(id))
        };
        let nodes = self.nodes.iter().map(|(id, node)| NodeSeen {
            node: *id,
            name: node.is.name.clone(),
            address: node.is.address.clone(),
            lease_left: node.until.saturating_sub(self.now),
            boards: u64::try_from(boards(*id).count()).unwrap_or(u64::MAX),
        });
        let mut seen: Vec<_> = nodes.collect();
        seen.sort_by(|a, b| a.name.cmp(&b.name));
        seen
    }
}
