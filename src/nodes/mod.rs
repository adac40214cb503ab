//! From node to node: a request whose board another node has is passed on to it, with all that follows it.
//!
//! Must not know boards, nor who has which. [`handshake`] has the bytes.

pub mod handshake;
