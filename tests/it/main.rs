//! What a client may rely on, tried over real TCP against the built server: one module a promise.
//!
//! `support` starts the server as a child process on a port of its own and speaks to it with hand-written
//! clients, so that frames may be hostile and kill -9 is the real one. Nothing here waits for time to pass
//! where a state can be waited for.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::let_underscore_must_use,
    clippy::unwrap_used,
    reason = "a test states what must hold"
)]

mod support;

mod activation;
mod assets;
mod audit;
mod auth;
mod awareness;
mod boards;
mod bodies;
mod command;
mod compaction;
mod copy;
mod costly;
mod document;
mod durability;
mod events;
mod health;
mod holes;
mod hosts;
mod http;
mod items;
mod keeping;
mod layers;
mod limits;
mod logs;
mod malformed;
mod mcp;
mod memory;
mod metrics;
mod nodes;
mod page;
mod permissions;
mod picture;
mod postgres;
mod presence;
mod quotas;
mod redis;
mod revocation;
mod rooms;
mod secrets;
mod sessions;
mod settings;
mod shutdown;
mod sync;
mod tls;
mod trash;
mod upgrade;
mod versions;
mod viewers;
mod webhooks;
