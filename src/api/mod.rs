//! The HTTP resources: one file each, and the table of routes.
//!
//! Owns which path and method leads where. Must not know sockets. Key invariant: every path answers `HEAD` where it
//! answers `GET`, and any other method with 405 and `Allow`.

mod document;
mod health;
mod home;

use std::sync::Arc;

use crate::http::head::Method;
use crate::http::response::{Problem, Response};
use crate::server::Server;
use crate::server::admission::Request;

/// Answers a request that is not for a WebSocket.
pub(crate) async fn answer(server: &Arc<Server>, request: &Request<'_>) -> Response {
    match request.target.path().as_slice() {
        [] => only_get(request).unwrap_or_else(|| home::answer(server)),
        ["health"] => only_get(request).unwrap_or_else(|| health::answer(server)),
        ["v1", "boards", board, "document"] => match only_get(request) {
            Some(refusal) => refusal,
            None => document::answer(server, request, board).await,
        },
        _ => Response::problem(&Problem {
            status: 404,
            code: "not_found",
            title: "There is nothing under this path",
            detail: "the server's start page / says what there is".into(),
            field: None,
        }),
    }
}

/// The refusal of methods other than `GET` and `HEAD`.
fn only_get(request: &Request<'_>) -> Option<Response> {
    if matches!(request.head.method, Method::Get | Method::Head) {
        return None;
    }
    let problem = Problem {
        status: 405,
        code: "method_not_allowed",
        title: "The method is not allowed here",
        detail: "use GET or HEAD".into(),
        field: None,
    };
    Some(Response::problem(&problem).field("Allow", "GET, HEAD"))
}
