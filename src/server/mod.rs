//! The process: configuration, start and stop, threads, clocks, logs, and which part of the house answers a
//! request.
//!
//! Must not know what a board is. Key invariants: executor threads never block on a disk; a shutdown ends
//! within `--drain`.

mod activation;
pub mod clock;
pub mod config;
mod descriptors;
pub mod dev_secret;
mod entrance;
mod lifecycle;
pub(crate) mod machine;
pub(crate) mod reload;
mod requests;
mod routing;
pub mod telemetry;
mod threads;

pub use descriptors::descriptors_needed;
pub use lifecycle::{Ended, StartError, node_name, run, run_until};
pub use reload::Renewal;
