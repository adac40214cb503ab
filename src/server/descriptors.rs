//! How many files and sockets the system lets the process have open, and what has room in that.
//!
//! Owns the limit on open files. Must not open any. Key invariant: what comes from clients has room before
//! what passes from node to node, which needs a second socket for each connection.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::limits;
use crate::server::config::Config;

/// Raises the soft limit on open files to what the connections need, as far as the hard limit allows. Returns
/// how many connections may be passed on to other nodes, and as many taken.
pub(super) fn raise(config: &Config) -> usize {
    let need = Need::of(config.bounds.connections, config.node.is_some());
    let limit = getrlimit(Resource::Nofile);
    let at_most = |limit: Option<u64>| limit.map_or(need.most, |limit| limit.min(need.most as u64) as usize);
    let (current, maximum) = (at_most(limit.current), at_most(limit.maximum));
    let raised = Rlimit {
        current: Some(maximum as u64),
        maximum: limit.maximum,
    };
    let is_raised = current < maximum && setrlimit(Resource::Nofile, raised).is_ok();
    let allowed = if is_raised { maximum } else { current };
    let passing = need.passing(allowed);
    if allowed < need.least {
        let needed = need.least;
        tracing::warn!(
            allowed,
            needed,
            help = "docs/troubleshooting.md#doctor-open-files",
            "the limit on open files is lower than --max-connections needs"
        );
    } else if allowed < need.most {
        let needed = need.most;
        tracing::info!(
            allowed,
            needed,
            passing,
            "the limit on open files bounds how many connections pass from node to node"
        );
    }
    passing
}

/// How many files and sockets a server of these settings has open at least, where all its connections are
/// taken.
#[must_use]
pub fn descriptors_needed(config: &Config) -> usize {
    Need::of(config.bounds.connections, config.node.is_some()).least
}

/// How many descriptors a server needs.
#[derive(Debug, PartialEq, Eq)]
struct Need {
    connections: usize,
    /// Whatever passes from node to node.
    clients: usize,
    /// With fewer it cannot do what it was told to.
    least: usize,
    /// More are of no use.
    most: usize,
}

impl Need {
    fn of(connections: usize, has_neighbours: bool) -> Self {
        let clients = connections + limits::SPARE_SOCKETS + limits::SPARE_DESCRIPTORS;
        // As many are passed on as are taken.
        let with = |passing: usize| match has_neighbours {
            true => clients + limits::NODE_HANDSHAKES_MAX + 2 * passing,
            false => clients,
        };
        Self {
            connections,
            clients,
            least: with(connections.min(limits::NODE_CONNECTIONS_MIN)),
            most: with(connections),
        }
    }

    /// How many may pass from node to node each way, where so many descriptors are allowed.
    fn passing(&self, allowed: usize) -> usize {
        let left = allowed.saturating_sub(self.clients + limits::NODE_HANDSHAKES_MAX);
        let least = self.connections.min(limits::NODE_CONNECTIONS_MIN);
        (left / 2).clamp(least, self.connections)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clients_come_first_and_nodes_share_what_is_left() {
        let need = Need::of(10_000, true);
        assert_eq!((need.least, need.most), (14_064, 32_064));
        for (allowed, passing) in [
            (1_024, 1_000),
            (14_064, 1_000),
            (14_066, 1_001),
            (20_000, 3_968),
            (32_063, 9_999),
            (32_064, 10_000),
        ] {
            assert_eq!(need.passing(allowed), passing, "{allowed}");
        }
        let few = Need::of(10, true);
        assert_eq!((few.least, few.most, few.passing(0)), (2_094, 2_094, 10));
        let alone = Need::of(10_000, false);
        assert_eq!((alone.least, alone.most), (11_064, 11_064));
    }
}
