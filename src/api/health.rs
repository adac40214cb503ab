//! `GET /health`: whether the server does its work, and how much of it there is.

use serde::Serialize;

use crate::api::{Answer, Call};
use crate::http::response::Response;
use crate::server::committer::Status;

#[derive(Serialize)]
struct Health {
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
    rooms: usize,
    connections: usize,
    version: &'static str,
    uptime_seconds: u64,
}

/// 200 while all is well; 503 while the disk refuses writes or a shutdown is under way.
pub(crate) async fn get(call: Call<'_>) -> Answer {
    let server = call.server;
    let (code, status, reason) = if server.is_stopping() {
        (503, "stopping", Some("the server is shutting down"))
    } else if matches!(server.committer.status(), Status::Failing { .. }) {
        (503, "degraded", Some("the disk refuses writes"))
    } else {
        (200, "ok", None)
    };
    let health = Health {
        status,
        reason,
        rooms: server.rooms.len(),
        connections: server.doors.open(),
        version: env!("CARGO_PKG_VERSION"),
        uptime_seconds: server.now().tick.since(server.started).as_secs(),
    };
    Ok(Response::json(code, &health).field("Cache-Control", "no-store"))
}
