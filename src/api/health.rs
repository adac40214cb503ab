//! `GET /health`: whether the server does its work, and how much of it there is.

use serde::Serialize;

use crate::api::{Answer, Call};
use crate::boards::committer;
use crate::bridge::Status;
use crate::http::response::Response;

#[derive(Serialize)]
struct Health {
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
    rooms: usize,
    connections: usize,
    version: &'static str,
    uptime_seconds: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    redis: Option<Redis>,
}

/// How the bridge is, where there is one. A server whose Redis is away does all its other work.
#[derive(Serialize)]
struct Redis {
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

impl From<Status> for Redis {
    fn from(status: Status) -> Self {
        let (status, reason) = match status {
            Status::Connected => ("connected", None),
            Status::Unreachable(why) => ("unreachable", Some(why.to_string())),
        };
        Self { status, reason }
    }
}

/// 200 while all is well; 503 while the disk refuses writes or a shutdown is under way.
pub(crate) async fn get(call: Call<'_>) -> Answer {
    let server = call.server;
    let (code, status, reason) = if server.is_stopping() {
        (503, "stopping", Some("the server is shutting down"))
    } else if matches!(server.committer.status(), committer::Status::Failing { .. }) {
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
        redis: server.bridge.as_ref().map(|bridge| bridge.status().into()),
    };
    Ok(Response::json(code, &health).field("Cache-Control", "no-store"))
}
