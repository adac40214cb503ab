//! The marks that are open at each piece of text.
//!
//! Owns [`count`]. Must not know how lists come about. Key invariant: a piece counts once for each run of it
//! that is not deleted, since Yjs cuts items at deletions. Tests: `integrate/tests.rs`.
#![deny(clippy::arithmetic_side_effects, clippy::cast_possible_truncation)]

use std::collections::HashSet;

use super::graph::{Graph, Holds, NONE, Node};
use crate::meter::{Exhausted, Meter};
use crate::update::ranges::Range;

/// Sums up the open marks over the pieces of all lists that have marks.
pub(super) fn count(graph: &Graph, meter: &mut Meter) -> Result<u64, Exhausted> {
    let mut sum = 0u64;
    let mut open = HashSet::new();
    for list in graph.lists.iter().filter(|list| list.has_marks) {
        open.clear();
        let mut at = list.head;
        while at != NONE {
            meter.spend(1)?;
            let node = graph.node(at);
            let runs = live_runs(node, deleted(graph, node));
            match node.holds() {
                Holds::Deleted => {}
                _ if runs == 0 => {}
                Holds::Opens(key) => drop(open.insert(key)),
                Holds::Closes(key) => drop(open.remove(&key)),
                Holds::Content | Holds::Type => {
                    let marks = u64::try_from(open.len()).unwrap_or(u64::MAX);
                    let marks = marks.saturating_mul(runs);
                    meter.spend(marks)?;
                    sum = sum.saturating_add(marks);
                }
            }
            at = node.next;
        }
    }
    Ok(sum)
}

fn deleted<'g>(graph: &'g Graph, node: &Node) -> &'g [Range] {
    let index = usize::try_from(node.at.client).unwrap_or(usize::MAX);
    graph.clients.get(index).map_or(&[], |client| &client.deleted)
}

/// The runs of a node that are not deleted.
fn live_runs(node: &Node, deleted: &[Range]) -> u64 {
    let (mut at, end) = (node.at.clock, node.at.clock.saturating_add(node.len));
    let first = deleted.partition_point(|range| range.1 <= at);
    let mut runs = 0u64;
    for &(from, to) in deleted.get(first..).unwrap_or_default() {
        if from >= end {
            break;
        }
        runs = runs.saturating_add(u64::from(at < from));
        at = to;
    }
    runs.saturating_add(u64::from(at < end))
}
