//! Boards: what is done with them as long as they are in memory and on disk, whoever asks.
//!
//! Owns the table of rooms, loading, acts, content, upkeep and the one writer. Must not know sockets. Key invariants: at most
//! one live room a board; a step's changes are given to the committer under the room's lock, so that they are stored in the
//! order they were accepted.

pub(crate) mod acts;
pub(crate) mod agents;
pub(crate) mod answers;
pub(crate) mod apart;
pub(crate) mod audit;
pub mod committer;
pub(crate) mod content;
#[expect(dead_code, reason = "the parts that stand on it follow")]
pub(crate) mod host;
pub(crate) mod loader;
pub mod slots;
mod upkeep;
