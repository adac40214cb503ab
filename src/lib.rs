//! Boardwire: a self-hosted server that keeps Yjs canvas boards in sync, within 200 ms, and loses nothing.
//!
//! The crate is layered; a module names only modules of lower layers, and `tests/it/layers.rs` checks it.
//!
//! | layer | modules | what it is |
//! | --- | --- | --- |
//! | L0 | [`limits`] [`ids`] [`time`] [`fault`] [`meter`] | bounds, parsed names, instants, the closed list of refusals, what a walk may cost |
//! | L1 | [`lib0`] [`http`] [`jwt`] [`sync`] [`update`] [`ws`] [`access`] [`asset`] [`audit`] [`items`] [`mcp`] | bytes to values and back, pure decisions |
//! | L2 | [`session`] [`room`] [`store`] [`metrics`] | state machines without I/O; what is counted |
//! | L3 | `store::redb` `store::postgres` `tls` | the store in a file, and in a database: each alone names its engine; encrypted connections |
//! | L4 | [`boards`] [`copy`] | boards in memory and on disk, on a host that is handed in; all boards of one store into another |
//! | L5 | [`net`] [`bridge`] [`nodes`] [`client`] [`webhooks`] | sockets; Redis; from node to node; requests to others |
//! | L6 | [`api`] | the HTTP resources |
//! | L7 | [`server`] | the process |
//! | L8 | `main` | command line to configuration to run |
//!
//! Below L5 nothing touches a socket, and below L4 nothing reads a clock or awaits: bytes, instants and
//! failures come in as values, and what must be done comes out as values.

pub mod access;
pub mod api;
pub mod asset;
pub mod audit;
pub mod boards;
pub mod bridge;
pub mod client;
pub mod copy;
pub mod fault;
pub mod http;
pub mod ids;
pub mod items;
pub mod jwt;
pub mod lib0;
pub mod limits;
pub mod mcp;
pub mod meter;
pub mod metrics;
pub mod net;
pub mod nodes;
pub mod room;
pub mod server;
pub mod session;
pub mod store;
pub mod sync;
pub mod time;
#[cfg(feature = "tls")]
pub(crate) mod tls;
#[cfg(not(feature = "tls"))]
#[path = "tls/absent.rs"]
pub(crate) mod tls;
pub mod update;
pub mod webhooks;
pub mod ws;

#[cfg(test)]
mod mutation;
#[cfg(test)]
mod planted;
#[cfg(test)]
mod replay;
#[cfg(test)]
mod sim;
