//! The algebra of encoded updates against its oracles: Yjs 13 and 14 (under Node) and yrs.
//!
//! Random honest histories of several clients are delivered to boards cut, merged, reordered, duplicated and
//! with compactions at random moments; every board must end as the clients did. Mutated bytes must be
//! refused, or load in stock Yjs. In whatever order relays and states reach a client, it reads the same
//! (`differential`). `BOARDWIRE_HISTORIES=n` sets how many histories are tried, `BOARDWIRE_SEED=n` the first.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "tests panic on what must not be, and say what they saw"
)]

mod differential;
mod honest;
mod hostile;
mod oracle;
mod refused;
