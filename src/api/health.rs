//! `GET /health`: whether the server does its work, and how much of it there is.

use serde::Serialize;

use crate::api::{Answer, Call};
use crate::boards::tenure::Standing;
use crate::http::response::Response;
use crate::metrics::nodes::NodeMetrics;

#[derive(Serialize)]
struct Health {
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    rooms: usize,
    connections: usize,
    version: &'static str,
    uptime_seconds: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    redis: Option<Redis>,
    #[serde(skip_serializing_if = "Option::is_none")]
    node: Option<Node>,
}

/// This node's part of the store, where nodes share it.
#[derive(Serialize)]
struct Node {
    id: Option<String>,
    lease_seconds: f64,
    boards: usize,
    forwarded_connections: u64,
    forwarded_connections_received: u64,
    store_seconds: f64,
}

impl Node {
    fn of(standing: Standing, passing: &NodeMetrics) -> Self {
        Self {
            id: standing.node.map(|node| node.to_string()),
            lease_seconds: standing.trusted_for.as_secs_f64(),
            boards: standing.boards,
            forwarded_connections: passing.open_out(),
            forwarded_connections_received: passing.open_in(),
            store_seconds: standing.store_took.as_secs_f64(),
        }
    }
}

/// How the bridge is, where there is one. A server whose Redis is away does all its other work.
#[derive(Serialize)]
struct Redis {
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

impl Redis {
    fn of(trouble: Option<String>) -> Self {
        let status = match trouble {
            None => "connected",
            Some(_) => "unreachable",
        };
        Self {
            status,
            reason: trouble,
        }
    }
}

/// 200 while all is well; 503 while the disk refuses writes, the lease is lost or a shutdown is under way.
pub(crate) async fn get(call: Call<'_>) -> Answer {
    let (shell, boards) = (call.shell, call.boards());
    let (code, status, reason) = if boards.is_stopping() {
        (503, "stopping", Some("the server is shutting down".into()))
    } else if let Some(reason) = boards.failing() {
        (503, "degraded", Some(reason))
    } else if let Some(reason) = boards.without_lease() {
        (503, "degraded", Some(reason))
    } else {
        (200, "ok", None)
    };
    let health = Health {
        status,
        reason,
        rooms: boards.live_count(),
        connections: shell.doors.open(),
        version: env!("CARGO_PKG_VERSION"),
        uptime_seconds: shell.now().tick.since(shell.started).as_secs(),
        node: (boards.standing()).map(|standing| Node::of(standing, shell.metrics.nodes())),
        redis: boards.outlet.as_ref().map(|outlet| Redis::of(outlet.trouble())),
    };
    Ok(Response::json(code, &health).field("Cache-Control", "no-store"))
}
