//! Idle: what connections cost while nobody does anything.
//!
//! Owns the measuring. Must not know the command line.

use std::io;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::fleet::{Fleet, Target};
use crate::process::Usage;

/// What is to be measured.
pub(crate) struct Plan {
    pub(crate) connections: usize,
    pub(crate) boards: usize,
    pub(crate) seconds: f64,
    pub(crate) pid: String,
    pub(crate) name: String,
}

/// Lets the server come to rest: what follows a connection is done.
const REST: Duration = Duration::from_secs(3);

fn wait(fleet: &mut Fleet, span: Duration) -> io::Result<()> {
    let start = Instant::now();
    while let Some(rest) = span.checked_sub(start.elapsed()) {
        fleet.turn(Some(rest), &[], &mut |_, _, _| {})?;
    }
    Ok(())
}

/// Measures before, while all are there, and over a span of nothing.
pub(crate) fn run(target: &Target, plan: &Plan) -> io::Result<Value> {
    // The first connection makes a server grow once.
    let mut fleet = Fleet::new(target.clone())?;
    let warm = [format!("{}-warm", plan.name)];
    fleet.connect_all(warm.iter(), &[])?;
    wait(&mut fleet, REST)?;
    let before = Usage::of(&plan.pid);
    let names: Vec<String> = (0..plan.boards)
        .map(|board| format!("{}-{board}", plan.name))
        .collect();
    fleet.connect_all(names.iter().cycle().take(plan.connections), &[])?;
    wait(&mut fleet, REST)?;
    let start = (Instant::now(), Usage::of(&plan.pid));
    wait(&mut fleet, Duration::from_secs_f64(plan.seconds))?;
    let end = Usage::of(&plan.pid);
    let cpu = end.cpu_ns.saturating_sub(start.1.cpu_ns) as f64;
    let grown = end.memory.saturating_sub(before.memory) as f64;
    Ok(json!({
        "connections": plan.connections,
        "boards": plan.boards,
        "memory_before": before.memory,
        "memory_after": end.memory,
        "bytes_per_connection": grown / plan.connections as f64,
        "cpu_percent": 100.0 * cpu / start.0.elapsed().as_nanos() as f64,
    }))
}
