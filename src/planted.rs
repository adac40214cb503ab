//! Bugs that tests plant, to see that the simulation finds them.
//!
//! Owns which one is planted on this thread. Must not be compiled but for tests. Key invariant: where none is
//! planted, nothing is different; the place of a bug in the product is one line or two under `#[cfg(test)]`.
//! Tests: `sim/tests.rs`.

use std::cell::Cell;

/// A bug that somebody could make.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bug {
    /// A compaction takes what was accepted while it ran for compacted.
    ClearedTooEarly,
    /// An author is sent its update back at once.
    EchoBeforeCommit,
    /// What is known of an update is not cut off.
    LostTrim,
    /// Who leaves a changed room keeps its place.
    LeakedRoom,
    /// Everybody may change everybody's presence.
    WrongOwner,
    /// The shared store takes what a node writes to a board that another one has.
    NoFence,
    /// A node takes its lease to hold as long as nobody tells it otherwise.
    LeaseTrustedTooLong,
    /// A node passes on what was passed on to it.
    ForwardedTwice,
}

thread_local! {
    static PLANTED: Cell<Option<Bug>> = const { Cell::new(None) };
}

/// Plants a bug on this thread, or none.
pub(crate) fn plant(bug: Option<Bug>) {
    PLANTED.set(bug);
}

/// Whether this bug is planted.
pub(crate) fn is(bug: Bug) -> bool {
    PLANTED.get() == Some(bug)
}
