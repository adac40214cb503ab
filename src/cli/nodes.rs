//! `boardwire nodes`: which nodes share a store.
//!
//! Owns the table that is printed. Must not know how nodes are found. Key invariant: it changes nothing, also
//! where the database is another program's. Tests are in tests/it/nodes.

use std::fmt::Write as _;

use boardwire::fault::causes;
use boardwire::store::ownership::NodeSeen;
use boardwire::store::postgres::{self, Address};

pub(crate) const HELP: &str = "\
A line for each node whose lease holds, or ended within the last hour: its name, where other nodes reach it, for how
long its lease still holds, and how many boards it has. BOARDWIRE_STORE counts here too.
Exit code: 0 if at least one node's lease holds, else 1.";

/// The table, as an error where no node's lease holds.
///
/// # Errors
/// The database cannot be read, or nobody serves it.
pub(crate) fn list(address: &Address) -> Result<String, String> {
    let shared = postgres::open_untouched(address);
    let shared = shared.map_err(|error| format!("cannot open the database {address}: {}", causes(&error)))?;
    let nodes = shared
        .ownership
        .nodes()
        .map_err(|error| format!("{address}: {}", causes(&error)))?;
    match nodes.iter().any(|node| !node.lease_left.is_zero()) {
        true => Ok(table(&nodes)),
        false => Err(format!("no node serves {address}")),
    }
}

fn table(nodes: &[NodeSeen]) -> String {
    let wide = nodes.iter().map(|node| node.name.chars().count()).max();
    let wide = wide.unwrap_or(0).max("NAME".len());
    let address = |node: &NodeSeen| node.address.clone().unwrap_or_else(|| "-".into());
    let wide_address = nodes.iter().map(|node| address(node).len()).max();
    let wide_address = wide_address.unwrap_or(0).max("ADDRESS".len());
    let mut text = format!(
        "{:wide$}  {:wide_address$}  {:>7}  {:>6}\n",
        "NAME", "ADDRESS", "LEASE", "BOARDS"
    );
    for node in nodes {
        let lease = match node.lease_left.is_zero() {
            true => "ended".to_owned(),
            false => format!("{:.1} s", node.lease_left.as_secs_f64()),
        };
        // Writing into a String does not fail.
        writeln!(
            text,
            "{:wide$}  {:wide_address$}  {lease:>7}  {:>6}",
            node.name,
            address(node),
            node.boards
        )
        .unwrap_or_default();
    }
    text
}
