//! The Model Context Protocol as values: what a client asks, how it is answered, and how a board reads as
//! text.
//!
//! Owns the messages ([`message`]), the list of tools ([`tools`]) and the text ([`telling`]). Must not know
//! boards or HTTP: bodies and fields come in as values. Key invariant: every request is answered by itself;
//! nothing is remembered between two.
//!
//! # Source
//! The specification of the protocol, revisions 2026-07-28 and 2025-11-25: basic, transports, versioning,
//! tools, resources.

pub mod message;
pub mod telling;
pub mod tools;

#[cfg(any(test, fuzzing))]
pub mod fuzzing;
#[cfg(test)]
mod tests;
