//! What it costs stock clients and yrs to integrate a whole state.
//!
//! Owns [`integration_work`]: Yjs's own integration over ids, neighbours and parents, without content, and
//! counted. Must not know boards or who asks. Key invariant: the order of every list is that of Yjs, each
//! item that Yjs passes is a step of the meter, and so is each struct, cut and mark; so a walk ends at the
//! latest where the work exceeds its allowance. Takes 48 bytes an item while it runs, and twice that for a
//! piece cut off one. Source: Yjs `structs/Item.js` (`integrate`, `splitItem`), `utils/encoding.js`
//! (`integrateStructs`), `types/YText.js` (`cleanupYTextFormatting`). Tests: `integrate/tests.rs`, against a
//! second implementation and yrs.
#![deny(clippy::arithmetic_side_effects, clippy::cast_possible_truncation)]

mod graph;
mod marks;
mod order;
#[cfg(test)]
mod tests;

use self::graph::Graph;
use super::scan::Outline;
use crate::limits;
use crate::meter::{Exhausted, Meter};

/// Neighbours that are walked over for one step: it takes Yjs so much less than to pass a concurrent item.
const WALKED_PER_STEP: u32 = 32;

/// A meter for what the integration of a state of so many bytes may cost.
#[must_use]
pub fn meter(bytes: usize) -> Meter {
    let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
    let steps = bytes.saturating_mul(limits::INTEGRATION_STEPS_PER_BYTE);
    let steps = steps.saturating_add(limits::INTEGRATION_STEPS);
    Meter::new(steps.min(limits::INTEGRATION_STEPS_MAX))
}

/// The work of integrating a state, in parts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Work {
    /// Items passed on the way to where an item belongs.
    pub passed: u64,
    /// Entries walked over from the last one of a key to the first.
    pub walked: u64,
    /// Formatting marks that are open at the pieces of text, summed: readers copy them for each piece.
    pub marks: u64,
    /// Items, as they are after all cuts, and structs that hold none.
    pub structs: u64,
}

/// Integrates a complete state and tells what that costs: first the clocks before those in `before`, which
/// are ascending by client, and then the rest. With an empty `before` it is what a client does that loads the
/// state at once, otherwise what those do who have it up to there and are sent the rest.
///
/// `outline` is the state's own. What refers to nothing that is there joins nothing; a complete state has no
/// such structs.
///
/// # Errors
/// [`Exhausted`] where it costs more than the meter allows.
pub fn integration_work(
    state: &[u8],
    outline: &Outline,
    before: &[(u64, u32)],
    meter: &mut Meter,
) -> Result<Work, Exhausted> {
    let mut graph = Graph::read(state, outline, meter)?;
    if !before.is_empty() {
        let ends = graph.clients.iter().map(|client| {
            let found = before.binary_search_by_key(&client.id, |end| end.0);
            found.ok().and_then(|at| before.get(at)).map_or(0, |end| end.1)
        });
        let ends: Vec<u32> = ends.collect();
        order::integrate_to(&mut graph, &ends, meter)?;
    }
    order::integrate_to(&mut graph, &[], meter)?;
    let marks = marks::count(&graph, meter)?;
    Ok(Work {
        passed: graph.passed(),
        walked: graph.walked,
        marks,
        structs: graph.structs(),
    })
}
