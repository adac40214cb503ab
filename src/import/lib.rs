//! Files and stores of other programs: their documents as Yjs updates, or as records of tldraw.
//!
//! Owns what such files are. It is a crate of its own that reaches nothing: it is given bytes and bounds, and
//! gives names, updates and records, which whoever asked checks as what strangers send. Key invariants:
//! reading is strict and total, changes nothing, and is bounded whatever the bytes are; a document is read
//! whole or not at all. Tests: beside the code, its fuzz bodies in `fuzzing`, and tests/it/keeping/import.rs.
#![cfg_attr(
    test,
    allow(
        clippy::unwrap_used,
        clippy::indexing_slicing,
        clippy::expect_used,
        reason = "tests may panic"
    )
)]

pub mod leveldb;
pub mod sqlite;
pub mod tldr;
pub mod yleveldb;
pub mod ysweet;

// In builds for development too: the tests of the server replay all fuzz bodies.
#[cfg(any(test, fuzzing, debug_assertions))]
pub mod fuzzing;
#[cfg(test)]
#[path = "../mutation.rs"]
#[allow(dead_code, reason = "the server's tests use the rest of it")]
mod mutation;

/// A document of another program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Document {
    /// What it is called there.
    pub name: String,
    /// Updates, each of which builds on those before it.
    pub updates: Vec<Vec<u8>>,
}

/// Foreign text in a message: one line of plain letters, not too long.
fn one_line(text: &str) -> String {
    text.chars()
        .filter(|c| (' '..='~').contains(c))
        .take(1_000)
        .collect()
}
