//! The HTTP resources: one file each, and the table of routes.
//!
//! Owns which path and method leads where (`ROUTES`, and `page` for what people see) and what a resource is given
//! (`Call`). Must not know sockets.
//! Key invariants: every path answers `HEAD` where it answers `GET`, `OPTIONS`, and any other method with 405 and
//! `Allow`; a body is read only by a resource that wants one, after it has decided who may. Tests: tests/it/http.rs.

mod audit;
mod boards;
pub(crate) mod body;
pub(crate) mod cors;
mod document;
mod health;
pub(crate) mod items;
pub(crate) mod list;
mod metrics;
mod page;
mod permissions;
mod presence;
mod secrets;
mod uuid;

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use serde::de::DeserializeOwned;

use crate::access::Manage;
use crate::access::secret::SecretKind;
use crate::api::permissions::Whose;
use crate::fault::Fault;
use crate::http::head::Method;
use crate::http::response::{Problem, Response};
use crate::ids::Level;
use crate::server::Server;
use crate::server::admission::{self, Granted, Identity, Request};
use crate::server::content::Failed;
use crate::server::incoming::Incoming;

/// What a resource answers; `Err` is a refusal, on the short way.
pub(crate) type Answer = Result<Response, Response>;

/// What answers one method of one path.
type Resource = for<'a> fn(Call<'a>) -> Pin<Box<dyn Future<Output = Answer> + Send + 'a>>;

/// A path and what answers there.
pub(crate) struct Route {
    /// Segments; one in braces stands for any that is not empty.
    path: &'static str,
    methods: &'static [(Method, Resource)],
}

/// Every path of the API but that of the WebSocket. Of two that match, the first counts.
pub(crate) const ROUTES: &[Route] = &[
    Route {
        path: "/health",
        methods: &[(Method::Get, |call| Box::pin(health::get(call)))],
    },
    Route {
        path: "/metrics",
        methods: &[(Method::Get, |call| Box::pin(metrics::get(call)))],
    },
    Route {
        path: "/v1/boards",
        methods: &[
            (Method::Get, |call| Box::pin(boards::list(call))),
            (Method::Post, |call| Box::pin(boards::create(call))),
        ],
    },
    Route {
        path: "/v1/boards/{board}",
        methods: &[
            (Method::Get, |call| Box::pin(boards::get(call))),
            (Method::Patch, |call| Box::pin(boards::update(call))),
            (Method::Delete, |call| Box::pin(boards::delete(call))),
        ],
    },
    Route {
        path: "/v1/boards/{board}/permissions",
        methods: &[(Method::Get, |call| Box::pin(permissions::list(call)))],
    },
    Route {
        path: "/v1/boards/{board}/permissions/users/{user}",
        methods: &[
            (Method::Put, |call| Box::pin(permissions::put(call, Whose::User))),
            (Method::Delete, |call| {
                Box::pin(permissions::delete(call, Whose::User))
            }),
        ],
    },
    Route {
        path: "/v1/boards/{board}/permissions/teams/{team}",
        methods: &[
            (Method::Put, |call| Box::pin(permissions::put(call, Whose::Team))),
            (Method::Delete, |call| {
                Box::pin(permissions::delete(call, Whose::Team))
            }),
        ],
    },
    Route {
        path: "/v1/boards/{board}/permissions/public",
        methods: &[
            (Method::Put, |call| {
                Box::pin(permissions::put(call, Whose::Public))
            }),
            (Method::Delete, |call| {
                Box::pin(permissions::delete(call, Whose::Public))
            }),
        ],
    },
    Route {
        path: "/v1/boards/{board}/links",
        methods: &[
            (Method::Get, |call| {
                Box::pin(secrets::list(call, SecretKind::Link))
            }),
            (Method::Post, |call| {
                Box::pin(secrets::create(call, SecretKind::Link))
            }),
        ],
    },
    Route {
        path: "/v1/boards/{board}/links/{link}",
        methods: &[(Method::Delete, |call| {
            Box::pin(secrets::delete(call, SecretKind::Link))
        })],
    },
    Route {
        path: "/v1/boards/{board}/keys",
        methods: &[
            (Method::Get, |call| Box::pin(secrets::list(call, SecretKind::Key))),
            (Method::Post, |call| {
                Box::pin(secrets::create(call, SecretKind::Key))
            }),
        ],
    },
    Route {
        path: "/v1/boards/{board}/keys/{key}",
        methods: &[(Method::Delete, |call| {
            Box::pin(secrets::delete(call, SecretKind::Key))
        })],
    },
    Route {
        path: "/v1/boards/{board}/audit",
        methods: &[(Method::Get, |call| Box::pin(audit::get(call)))],
    },
    Route {
        path: "/v1/boards/{board}/presence",
        methods: &[(Method::Get, |call| Box::pin(presence::get(call)))],
    },
    Route {
        path: "/v1/boards/{board}/document",
        methods: &[
            (Method::Get, |call| Box::pin(document::get(call))),
            (Method::Post, |call| Box::pin(document::post(call))),
        ],
    },
    Route {
        path: "/v1/boards/{board}/items",
        methods: &[
            (Method::Get, |call| Box::pin(items::list(call))),
            (Method::Post, |call| Box::pin(items::create(call))),
        ],
    },
    Route {
        path: "/v1/boards/{board}/items/batch",
        methods: &[(Method::Post, |call| Box::pin(items::batch(call)))],
    },
    Route {
        path: "/v1/boards/{board}/items/{item}",
        methods: &[
            (Method::Get, |call| Box::pin(items::get(call))),
            (Method::Patch, |call| Box::pin(items::update(call))),
            (Method::Delete, |call| Box::pin(items::delete(call))),
        ],
    },
];

/// Every path and method of the table: what docs/openapi.yaml must describe.
///
/// `HEAD` and `OPTIONS` are left out, since they answer everywhere, and so are the paths of the WebSocket and the page.
pub fn routes() -> impl Iterator<Item = (&'static str, &'static str)> {
    let methods = |route: &'static Route| {
        route
            .methods
            .iter()
            .map(|(method, _)| (route.path, method.as_str()))
    };
    ROUTES.iter().flat_map(methods)
}

/// Whether the page is part of this binary; without it, the page's paths say how to get it.
#[must_use]
pub fn has_page() -> bool {
    page::is_built_in()
}

/// One request, as a resource sees it.
pub(crate) struct Call<'a> {
    pub(crate) server: &'a Arc<Server>,
    pub(crate) request: &'a Request<'a>,
    captured: Vec<&'a str>,
    incoming: &'a mut Incoming,
}

impl Call<'_> {
    /// The segment that stands for the path's `index`th in braces, decoded; empty where there are not so many.
    pub(crate) fn captured(&self, index: usize) -> &str {
        self.captured.get(index).copied().unwrap_or_default()
    }

    /// What the request may do with the board that its path names first.
    ///
    /// # Errors
    /// The refusal.
    pub(crate) async fn granted(&self) -> Result<Granted, Response> {
        let granted = admission::grant(self.server, self.request, self.captured(0)).await;
        let granted = granted.map_err(admission::problem)?;
        if granted.grant.create.is_some() {
            // Only connecting creates a board on the way.
            return Err(admission::problem(Fault::NoSuchBoard));
        }
        self.server
            .note_request(&granted.board, &granted.actor, granted.grant.level);
        Ok(granted)
    }

    /// The same for what only the board's owner and an admin may do.
    ///
    /// # Errors
    /// The refusal.
    pub(crate) async fn manager(&self) -> Result<Granted, Response> {
        let granted = self.granted().await?;
        self.only_if(granted.grant.manage != Manage::No, granted)
    }

    /// Lets somebody on who may edit.
    ///
    /// # Errors
    /// The refusal.
    pub(crate) fn editor(&self, granted: Granted) -> Result<Granted, Response> {
        self.only_if(granted.grant.level == Level::Edit, granted)
    }

    fn only_if(&self, may: bool, granted: Granted) -> Result<Granted, Response> {
        if may {
            return Ok(granted);
        }
        self.server
            .note_refusal(&granted.board, granted.actor, Fault::NoPermission);
        Err(admission::problem(Fault::NoPermission))
    }

    /// Who asks, for what needs a JWT and is about no one board.
    ///
    /// # Errors
    /// The refusal.
    pub(crate) async fn identity(&self) -> Result<Identity, Response> {
        let identity = admission::identify(self.server, self.request).await;
        identity.map_err(admission::problem)
    }

    /// The request's body, whole; empty where there is none. Ask for it once, after access is decided.
    ///
    /// # Errors
    /// The refusal: too large, malformed, too slow.
    pub(crate) async fn body(&mut self) -> Result<Vec<u8>, Response> {
        let body = self.incoming.read_body().await;
        body.map_err(|why| Response::problem(&why.into()))
    }

    /// Keeps room for an answer of up to `bytes`, before it is made; waits for it where much is on its way to others. Ask
    /// after access is decided.
    ///
    /// # Errors
    /// The refusal: there was none for long.
    pub(crate) async fn reserve(&mut self, bytes: usize) -> Result<(), Response> {
        self.incoming.reserve(bytes).await
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
pub(crate) async fn answer(server: &Arc<Server>, request: &Request<'_>, incoming: &mut Incoming) -> Response {
    let Some((route, captured)) = route_of(request.target.path()) else {
        return page::beside(server, request).unwrap_or_else(not_found);
    };
    let asked = match request.head.method {
        Method::Options => return cors::options(server, request.head, &allowed(route)),
        Method::Head => Method::Get,
        method => method,
    };
    let Some((_, resource)) = route.methods.iter().find(|(method, _)| *method == asked) else {
        return not_allowed(route);
    };
    let call = Call {
        server,
        request,
        captured,
        incoming,
    };
    resource(call).await.unwrap_or_else(|refusal| refusal)
}

/// Whether something answers under a path, the WebSocket left out.
pub(crate) fn has_route(path: &[&str]) -> bool {
    route_of(path.to_vec()).is_some()
}

/// What answers under a path, and the segments that it captures.
fn route_of(path: Vec<&str>) -> Option<(&'static Route, Vec<&str>)> {
    let mut routes = ROUTES.iter().chain(page::ROUTES);
    let found = routes.find_map(|route| {
        let captured = matches(route.path, &path)?;
        Some((route, captured))
    });
    found.or_else(|| page::has(&path).then_some((page::FILE, path)))
}

/// The segments that stand for those in braces, where `path` is one of `pattern`.
fn matches<'a>(pattern: &str, path: &[&'a str]) -> Option<Vec<&'a str>> {
    let pattern = pattern.strip_prefix('/').unwrap_or(pattern);
    let mut expected = pattern.split('/').filter(|segment| !segment.is_empty());
    let mut captured = Vec::new();
    for &segment in path {
        let expected = expected.next()?;
        if expected.starts_with('{') && !segment.is_empty() {
            captured.push(segment);
        } else if expected != segment {
            return None;
        }
    }
    expected.next().is_none().then_some(captured)
}

/// The value of `Allow`.
fn allowed(route: &Route) -> String {
    let mut allowed = String::new();
    for (method, _) in route.methods {
        allowed.push_str(method.as_str());
        allowed.push_str(", ");
        if *method == Method::Get {
            allowed.push_str("HEAD, ");
        }
    }
    allowed + "OPTIONS"
}

fn not_allowed(route: &Route) -> Response {
    let allowed = allowed(route);
    let problem = Problem {
        status: 405,
        code: "method_not_allowed",
        title: "The method is not allowed here",
        detail: format!("use one of {allowed}").into(),
        field: None,
    };
    Response::problem(&problem).field("Allow", allowed)
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

/// A refusal of a parameter of the request: 400 `invalid_parameter`.
pub(crate) fn invalid_parameter(field: &'static str, detail: &'static str) -> Response {
    Response::problem(&Problem {
        status: 400,
        code: "invalid_parameter",
        title: "A parameter is wrong",
        detail: format!("{field} {detail}").into(),
        field: Some(field),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_matches_segment_by_segment_and_captures_those_in_braces() {
        let deep = "/v1/boards/{board}/permissions/users/{user}";
        for (pattern, path, expected) in [
            ("/", &[][..], Some(&[][..])),
            ("/", &[""], None),
            ("/health", &["health"], Some(&[])),
            ("/health", &["health", ""], None),
            ("/health", &[], None),
            ("/v1/boards", &["v1", "boards"], Some(&[])),
            ("/v1/boards", &["v1", "boards", ""], None),
            ("/v1/boards/{board}", &["v1", "boards", "a"], Some(&["a"])),
            ("/v1/boards/{board}", &["v1", "boards", ""], None),
            ("/v1/boards/{board}", &["v1", "boards"], None),
            ("/v1/boards/{board}", &["v1", "boards", "a/b"], Some(&["a/b"])),
            (
                "/v1/boards/{board}",
                &["v1", "boards", "{board}"],
                Some(&["{board}"]),
            ),
            (
                deep,
                &["v1", "boards", "b", "permissions", "users", "u"],
                Some(&["b", "u"]),
            ),
            (deep, &["v1", "boards", "b", "permissions", "teams", "u"], None),
        ] {
            assert_eq!(matches(pattern, path).as_deref(), expected, "{pattern} {path:?}");
        }
    }

    #[test]
    fn every_path_is_in_the_table_once_and_has_each_method_once() {
        let mut seen: Vec<_> = routes().collect();
        let count = seen.len();
        seen.sort_unstable();
        seen.dedup();
        assert_eq!(seen.len(), count);
        assert!(
            seen.iter()
                .all(|(path, method)| path.starts_with('/') && !method.is_empty())
        );
        let mut paths: Vec<_> = ROUTES
            .iter()
            .chain(page::ROUTES)
            .map(|route| route.path)
            .collect();
        let count = paths.len();
        paths.sort_unstable();
        paths.dedup();
        assert_eq!(paths.len(), count);
    }
}
