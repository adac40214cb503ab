//! The network: sockets, what comes over them and who may come in.
//!
//! Owns sockets, the bytes of requests, upgrades and WebSocket connections, and the bounds on all of them. Must not decide
//! what a message means. Key invariant: every byte from a socket is counted and bounded before it is kept.

pub(crate) mod admission;
mod connection;
pub mod disposition;
pub(crate) mod doors;
pub(crate) mod hosts;
pub(crate) mod incoming;
mod messages;
mod pace;
pub(crate) mod receiving;
pub(crate) mod seldom;
mod socket;
pub(crate) mod upgrades;
