//! New deletions, before they join.
//!
//! Owns the questions about what is known with new deletions beside it. Key invariant of the lists: sorted,
//! disjoint.
#![deny(clippy::arithmetic_side_effects, clippy::cast_possible_truncation)]

use crate::update::known::Known;
use crate::update::ranges::Range;
use crate::update::structs::Id;

/// One new deletion: a client's place and a range.
pub(super) type Deletion = (u32, Range);

/// Sorts deletions and joins those that overlap or touch.
pub(super) fn normalise(deletes: &mut Vec<Deletion>) {
    if deletes.len() < 2 {
        return;
    }
    deletes.sort_unstable();
    deletes.dedup_by(|next, last| {
        let joins = next.0 == last.0 && next.1.0 <= last.1.1;
        if joins {
            last.1.1 = last.1.1.max(next.1.1);
        }
        joins
    });
}

/// Whether a known clock is deleted, new deletions included.
pub(super) fn is_deleted(known: &Known, deletes: &[Deletion], id: Id) -> bool {
    let Some(at) = known.place(id.client) else {
        return false;
    };
    deletion_at(deletes, at, id.clock).is_some()
        || known.client(at).is_some_and(|c| c.deleted.contains(id.clock))
}

/// The new deletion that a clock of the client at a place lies in.
pub(super) fn deletion_at(deletes: &[Deletion], at: u32, clock: u32) -> Option<Range> {
    let after = deletes.partition_point(|d| (d.0, d.1.0) <= (at, clock));
    let last = after.checked_sub(1).and_then(|i| deletes.get(i))?;
    (last.0 == at && clock < last.1.1).then_some(last.1)
}

/// Whether a type, or one that holds it, is deleted, new deletions included.
pub(super) fn is_dead(known: &Known, deletes: &[Deletion], index: u32) -> bool {
    let mut index = Some(index);
    while let Some(it) = index.and_then(|index| known.shared_type(index)) {
        if it.item.is_some_and(|id| is_deleted(known, deletes, id)) {
            return true;
        }
        // What holds a type has a lower index, so this ends.
        index = it.slot.type_index();
    }
    false
}
