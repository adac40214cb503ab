//! The order in which a state is integrated: that of its references, as Yjs's `integrateStructs` finds it.
//!
//! Owns [`integrate_to`]. Must not know where an item goes in its list. Key invariant: clients are taken from
//! the highest id down, each interrupted only as far as what it refers to needs; a circle of references ends
//! as nothing. Tests: `integrate/tests.rs`.
#![deny(clippy::arithmetic_side_effects, clippy::cast_possible_truncation)]

use super::graph::{Graph, Place};
use crate::meter::{Exhausted, Meter};

/// Integrates the nodes of each client that start before its end, or all where no ends are given.
pub(super) fn integrate_to(graph: &mut Graph, ends: &[u32], meter: &mut Meter) -> Result<(), Exhausted> {
    let clients = u32::try_from(graph.clients.len()).unwrap_or(u32::MAX);
    let mut ends = ends.iter().rev();
    let mut stack = Vec::new();
    for client in (0..clients).rev() {
        let Some(clock) = ends.next().map_or(Some(u32::MAX), |end| end.checked_sub(1)) else {
            continue;
        };
        stack.push(Place { client, clock });
        while let Some(&goal) = stack.last() {
            match next_step(graph, goal) {
                Step::Integrate(node) => {
                    meter.spend(1)?;
                    graph.integrate(node, meter)?;
                    done(graph, goal.client);
                }
                Step::Pop => drop(stack.pop()),
                Step::Await(place) => {
                    // More are awaited than there are clients: the references go round in a circle.
                    if stack.len() > graph.clients.len() {
                        done(graph, goal.client);
                        continue;
                    }
                    meter.spend(1)?;
                    stack.push(place);
                }
            }
        }
    }
    Ok(())
}

enum Step {
    Integrate(u32),
    Await(Place),
    Pop,
}

/// What is to be done so that what is at `goal` is settled.
fn next_step(graph: &Graph, goal: Place) -> Step {
    let Some(due) = graph.due(goal.client) else {
        return Step::Pop;
    };
    let it = graph.node(due);
    if it.at.clock > goal.clock {
        return Step::Pop;
    }
    let needs = [it.origin, it.right];
    let mut needs = needs.into_iter().filter(|place| place.is_some());
    match needs.find(|&place| place.client != goal.client && !graph.is_settled(place)) {
        Some(place) => Step::Await(place),
        None => Step::Integrate(due),
    }
}

fn done(graph: &mut Graph, client: u32) {
    let index = usize::try_from(client).unwrap_or(usize::MAX);
    if let Some(it) = graph.clients.get_mut(index) {
        it.done = it.done.saturating_add(1);
    }
}
