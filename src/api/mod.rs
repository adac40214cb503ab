//! The HTTP resources: one file each, and the table of routes (`routes`, and `page` for what people see).
//!
//! Owns how a request comes to its resource, and what that is given (`Call`). Must not know sockets. Key
//! invariants: every path answers `HEAD` where it answers `GET`, `OPTIONS`, and any other method with 405 and
//! `Allow`; a body is read only by a resource that wants one, after it has decided who may. Tests:
//! tests/it/http.rs.

mod assets;
mod audit;
mod backup;
mod boards;
pub(crate) mod body;
pub(crate) mod cors;
mod document;
mod events;
mod health;
pub(crate) mod items;
pub(crate) mod list;
mod mcp;
mod metrics;
mod openapi;
mod page;
mod permissions;
pub(crate) mod picture;
mod presence;
mod route;
mod routes;
mod secrets;
mod sessions;
mod uuid;
mod versions;
mod webhooks;

pub use routes::{parameters, routes};

use std::convert::Infallible;
use std::sync::Arc;

use bytes::Bytes;
use serde::de::DeserializeOwned;

use crate::access::{Manage, presented};
use crate::api::route::Route;
use crate::boards::Boards;
use crate::boards::assets::Download;
use crate::boards::content::Failed;
use crate::boards::rights::Granted;
use crate::fault::Fault;
use crate::http::head::{Head, Method};
use crate::http::response::{Problem, Response};
use crate::http::target::Target;
use crate::ids::{BoardId, Level};
use crate::limits;
use crate::net::Shell;
use crate::net::admission::{self, Identity, Request};
use crate::net::events::Stream;
use crate::net::incoming::{Incoming, Parts};
use crate::net::sign_in;

/// What a resource answers; `Err` is a refusal, on the short way.
pub(crate) type Answer = Result<Response, Response>;

/// Whether the page is part of this binary; without it, the page's paths say how to get it.
#[must_use]
pub fn has_page() -> bool {
    page::is_built_in()
}

/// One request, as a resource sees it.
pub(crate) struct Call<'a> {
    pub(crate) shell: &'a Arc<Shell>,
    pub(crate) request: &'a Request<'a>,
    captured: Vec<&'a str>,
    incoming: &'a mut Incoming,
}

impl<'a> Call<'a> {
    /// The boards.
    pub(crate) fn boards(&self) -> &'a Arc<Boards> {
        &self.shell.boards
    }

    /// The segment that stands for the path's `index`th in braces, decoded; empty where there are not so
    /// many.
    pub(crate) fn captured(&self, index: usize) -> &str {
        self.captured.get(index).copied().unwrap_or_default()
    }

    /// What the request may do with the board that its path names first.
    ///
    /// # Errors
    /// The refusal.
    pub(crate) async fn granted(&self) -> Result<Granted, Response> {
        self.granted_on(self.captured(0)).await
    }

    /// The same for a path that names no board: the parameter `board` does, or an API key, which is bound to
    /// one.
    ///
    /// # Errors
    /// The refusal, also where neither does.
    pub(crate) async fn granted_by_query(&self) -> Result<Granted, Response> {
        let named = self.request.target.parameter("board");
        let named = named.map_err(|_| invalid_parameter("board", "is given twice"))?;
        if let Some(board) = named {
            return self.granted_on(board).await;
        }
        let Request { head, target, .. } = self.request;
        match admission::board_of_secrets(self.shell, head, target).await {
            Ok(Some(board)) => self.granted_on(board.as_str()).await,
            Ok(None) => Err(invalid_parameter(
                "board",
                "must name the board, as in /mcp?board=plan, where no API key does",
            )),
            Err(fault) => Err(admission::problem(fault)),
        }
    }

    async fn granted_on(&self, board: &str) -> Result<Granted, Response> {
        let granted = admission::grant(self.shell, self.request, board).await;
        let granted = granted.map_err(admission::problem)?;
        if granted.grant.create.is_some() {
            // Only connecting creates a board on the way.
            return Err(admission::problem(Fault::NoSuchBoard));
        }
        self.boards()
            .note_request(&granted.board, &granted.actor, granted.grant.level);
        Ok(granted)
    }

    /// The same for what only the board's owner and an admin may do.
    ///
    /// # Errors
    /// The refusal.
    pub(crate) async fn manager(&self) -> Result<Granted, Response> {
        let granted = self.granted().await?;
        match granted.grant.manage {
            Manage::No => Err(self.no_permission(granted)),
            Manage::Owner(_) | Manage::Admin => Ok(granted),
        }
    }

    /// Lets somebody on who may edit.
    ///
    /// # Errors
    /// The refusal.
    pub(crate) fn editor(&self, granted: Granted) -> Result<Granted, Response> {
        match granted.grant.level {
            Level::Edit => Ok(granted),
            Level::View | Level::Comment => Err(self.no_permission(granted)),
        }
    }

    fn no_permission(&self, granted: Granted) -> Response {
        self.boards()
            .note_refusal(&granted.board, granted.actor, Fault::NoPermission);
        admission::problem(Fault::NoPermission)
    }

    /// Who asks, for what needs a JWT and is about no one board.
    ///
    /// # Errors
    /// The refusal.
    pub(crate) async fn identity(&self) -> Result<Identity, Response> {
        let identity = admission::identify(self.shell, self.request).await;
        identity.map_err(admission::problem)
    }

    /// The request's body, whole; empty where there is none. Ask for it once, after access is decided.
    ///
    /// # Errors
    /// The refusal: packed, too large, malformed, too slow.
    pub(crate) async fn body(&mut self) -> Result<Vec<u8>, Response> {
        self.refuse_packed()?;
        let body = self.incoming.read_body().await;
        body.map_err(|why| Response::problem(&why.into()))
    }

    fn refuse_packed(&self) -> Result<(), Response> {
        let mut codings = self.request.head.elements("content-encoding");
        // That it is not packed need not be said (RFC 9110, 8.4), and may be.
        match codings.any(|coding| !coding.eq_ignore_ascii_case(b"identity")) {
            true => Err(encoded_body()),
            false => Ok(()),
        }
    }

    /// Begins to read the request's body part by part. Ask for it once, after access is decided.
    ///
    /// # Errors
    /// As for [`Self::body`].
    pub(crate) async fn open_parts(&mut self, bytes_max: usize) -> Result<Parts, Response> {
        self.refuse_packed()?;
        let parts = self.incoming.open_parts(bytes_max).await;
        parts.map_err(|why| Response::problem(&why.into()))
    }

    /// The next part of the body; `None` at the end.
    ///
    /// # Errors
    /// As for [`Self::body`].
    pub(crate) async fn next_part(&mut self, parts: &mut Parts) -> Result<Option<Vec<u8>>, Response> {
        let part = self.incoming.next_part(parts, limits::ASSET_PART_BYTES).await;
        part.map_err(|why| Response::problem(&why.into()))
    }

    /// Says what gives the body of the answer, part by part.
    pub(crate) fn download(&mut self, download: Download) {
        self.incoming.download(download);
    }

    /// Keeps room for an answer of up to `bytes`, before it is made; waits for it where much is on its way to
    /// others. Ask after access is decided.
    ///
    /// # Errors
    /// The refusal: there was none for long.
    pub(crate) async fn reserve(&mut self, bytes: usize) -> Result<(), Response> {
        self.incoming.reserve(bytes).await
    }

    /// Says what sends the body of the answer, which is a stream.
    pub(crate) fn stream(&mut self, stream: Stream) {
        self.incoming.stream(stream);
    }

    /// Lets the answer be sent whatever else is on its way: it is for who runs the server.
    pub(crate) fn insist(&mut self) {
        self.incoming.insist();
    }

    /// Whether `body` is on its way to somebody already, so that it needs no room of its own.
    pub(crate) fn joins(&mut self, body: &Bytes) -> bool {
        self.incoming.joins(body)
    }

    /// The request's body as a JSON object.
    ///
    /// # Errors
    /// The refusal: as for [`Self::body`], or as [`body::parse`] has them.
    pub(crate) async fn json<T: DeserializeOwned>(&mut self) -> Result<T, Response> {
        body::parse(&self.body().await?)
    }
}

/// Answers a request that is not for a WebSocket.
pub(crate) async fn answer(shell: &Arc<Shell>, request: &Request<'_>, incoming: &mut Incoming) -> Response {
    let Some((route, captured)) = routes::of(request.target.path()) else {
        return page::beside(shell, request).unwrap_or_else(not_found);
    };
    let asked = match request.head.method {
        Method::Options => return cors::options(shell, request.head, &route.allowed()),
        Method::Head => Method::Get,
        method => method,
    };
    let Some((_, parameters, resource)) = route.methods.iter().find(|(method, ..)| *method == asked) else {
        return not_allowed(route);
    };
    if let Some(name) = parameters.unknown(request.target) {
        return unknown_parameter(name, parameters.names());
    }
    if let Err(refusal) =
        sign_in::check_origin(shell, (request.head, request.target), sign_in::Doing::Request)
    {
        return refusal;
    }
    let call = Call {
        shell,
        request,
        captured,
        incoming,
    };
    resource(call).await.unwrap_or_else(|refusal| refusal)
}

/// How large the body of a request may be. What is sent where there is nothing is not looked at.
pub(crate) fn body_bytes_max(shell: &Shell, target: &Target<'_>) -> usize {
    match target.path().as_slice() {
        ["v1", "boards", _, "assets"] => shell.settings.asset_bytes,
        _ => shell.live.get().body_bytes,
    }
}

/// Whether something answers under a path, the WebSocket left out.
pub(crate) fn has_route(path: &[&str]) -> bool {
    routes::of(path.to_vec()).is_some()
}

/// The board that a request is about, where it is about one: its path names it, or its query, or an API key.
///
/// # Errors
/// As `admission::board_of_secrets` has them.
pub(crate) async fn board_of(
    shell: &Arc<Shell>,
    head: &Head<'_>,
    target: &Target<'_>,
) -> Result<Option<BoardId>, Fault> {
    let named = match target.path().as_slice() {
        ["ws", "canvas", board] | ["v1", "boards", board, ..] => Some(*board),
        ["mcp"] => target.parameter("board").ok().flatten(),
        _ => return Ok(None),
    };
    match named {
        Some(board) => Ok(BoardId::parse(board)),
        None => admission::board_of_secrets(shell, head, target).await,
    }
}

fn not_allowed(route: &Route) -> Response {
    let allowed = route.allowed();
    let problem = Problem {
        status: 405,
        code: "method_not_allowed",
        title: "The method is not allowed here",
        detail: format!("use one of {allowed}").into(),
        field: None,
    };
    Response::problem(&problem).field("Allow", allowed)
}

/// The body is packed in some way, and nothing is unpacked here: 415 `unsupported_content_encoding`.
///
/// # Source
/// RFC 9110, 15.5.16.
fn encoded_body() -> Response {
    let problem = Problem {
        status: 415,
        code: "unsupported_content_encoding",
        title: "The body has a Content-Encoding",
        detail: "send it as it is, without Content-Encoding".into(),
        field: None,
    };
    Response::problem(&problem).field("Accept-Encoding", "identity")
}

fn not_found() -> Response {
    Response::problem(&Problem {
        status: 404,
        code: "not_found",
        title: "There is nothing under this path",
        detail: "the server's start page / says what there is".into(),
        field: None,
    })
}

/// A refusal because of what there is already: 409.
pub(crate) fn conflict(code: &'static str, detail: &'static str) -> Response {
    Response::problem(&Problem {
        status: 409,
        code,
        title: "It conflicts with what is there",
        detail: detail.into(),
        field: None,
    })
}

/// A refusal because something of a board is not there: 404.
pub(crate) fn missing(code: &'static str, detail: &'static str) -> Response {
    Response::problem(&Problem {
        status: 404,
        code,
        title: "Not found",
        detail: detail.into(),
        field: None,
    })
}

/// The board cannot be opened as a document: 409 `content_unsupported`.
fn content_unsupported() -> Response {
    Response::problem(&Problem {
        status: 409,
        code: "content_unsupported",
        title: "The board's content cannot be opened as a document",
        detail: "it syncs between clients, but holds content that the server does not read".into(),
        field: None,
    })
}

/// The answer to work on content that was not done; `refusal` answers what the work itself refused.
pub(crate) fn failed_work<E>(failed: Failed<E>, refusal: impl FnOnce(E) -> Response) -> Response {
    match failed {
        Failed::Fault(fault) => admission::problem(fault),
        Failed::Unsupported => content_unsupported(),
        Failed::Busy => board_busy(),
        Failed::Work(refused) => refusal(refused),
    }
}

/// The answer to a read of content that came to nothing.
pub(crate) fn failed_content(failed: Failed<Infallible>) -> Response {
    failed_work(failed, |never| match never {})
}

/// 503 `board_busy`.
fn board_busy() -> Response {
    let busy = Problem {
        status: 503,
        code: "board_busy",
        title: "The board is busy",
        detail: "others keep changing it, or the work on its content takes long; try again".into(),
        field: None,
    };
    Response::problem(&busy).field("Retry-After", "1")
}

/// A refusal of a query parameter that the call does not take: 400 `unknown_parameter`.
fn unknown_parameter(name: &str, known: &[&str]) -> Response {
    let known: Vec<&str> = known.iter().chain(&presented::PARAMETERS).copied().collect();
    let problem = Problem {
        status: 400,
        code: "unknown_parameter",
        title: "A query parameter is unknown",
        detail: format!("{name} is none of this call's parameters: {}", known.join(", ")).into(),
        field: None,
    };
    Response::problem_with(&problem, &[("field", name)])
}

/// A refusal of a parameter of the request: 400 `invalid_parameter`.
pub(crate) fn invalid_parameter(field: &'static str, detail: &str) -> Response {
    Response::problem(&Problem {
        status: 400,
        code: "invalid_parameter",
        title: "A parameter is wrong",
        detail: format!("{field} {detail}").into(),
        field: Some(field),
    })
}
