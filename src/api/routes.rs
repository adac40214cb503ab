//! The table of routes: which path and method leads to which resource.
//!
//! Must not know what a resource does, nor the paths of the WebSocket; those of the page are in `page`. Key
//! invariant: a path stands once, and has each method once. Tests are below.

use crate::access::secret::SecretKind;
use crate::api::permissions::Whose;
use crate::api::route::{Parameters, Resource, Route, matches};
use crate::api::{
    assets, audit, backup, boards, document, events, health, items, mcp, metrics, openapi, page, permissions,
    picture, presence, secrets, sessions, versions, webhooks,
};
use crate::http::head::Method;

const NONE: Parameters = Parameters::Of(&[]);
const LIST: Parameters = Parameters::Of(&["limit", "cursor"]);
/// Those of a list, and whether it is that of the trash.
const BOARDS: Parameters = Parameters::Of(&["limit", "cursor", "trash"]);
/// Those of a list, and `items::FILTERS`.
const ITEMS: Parameters = Parameters::Of(&["limit", "cursor", "type", "bbox", "created_by", "text", "since"]);
const SPACE: Parameters = Parameters::Of(&["width", "height", "near"]);

/// Every path of the API but that of the WebSocket. Of two that match, the first counts.
pub(crate) const ROUTES: &[Route] = &[
    Route {
        path: "/health",
        methods: &[(Method::Get, NONE, |call| Box::pin(health::get(call)))],
    },
    Route {
        path: "/metrics",
        methods: &[(Method::Get, NONE, |call| Box::pin(metrics::get(call)))],
    },
    Route {
        path: "/mcp",
        methods: &[(Method::Post, Parameters::Of(&["board"]), |call| {
            Box::pin(mcp::post(call))
        })],
    },
    Route {
        path: "/llms.txt",
        methods: &[(Method::Get, NONE, |call| Box::pin(openapi::teach(call)))],
    },
    Route {
        path: "/docs/troubleshooting.md",
        methods: &[(Method::Get, NONE, |call| Box::pin(openapi::troubleshoot(call)))],
    },
    Route {
        path: "/v1/openapi.yaml",
        methods: &[(Method::Get, NONE, |call| Box::pin(openapi::get(call)))],
    },
    Route {
        path: "/v1/session",
        methods: &[
            (Method::Get, NONE, |call| Box::pin(sessions::current(call))),
            (Method::Post, NONE, |call| Box::pin(sessions::begin(call))),
            (Method::Delete, NONE, |call| Box::pin(sessions::end(call))),
        ],
    },
    Route {
        path: "/v1/sessions",
        methods: &[(Method::Get, LIST, |call| Box::pin(sessions::list(call)))],
    },
    Route {
        path: "/v1/sessions/{session}",
        methods: &[(Method::Delete, NONE, |call| Box::pin(sessions::revoke(call)))],
    },
    Route {
        path: "/v1/invites",
        methods: &[(Method::Post, NONE, |call| Box::pin(sessions::invite(call)))],
    },
    Route {
        path: "/v1/backup",
        methods: &[(Method::Get, Parameters::Of(&["cursor"]), |call| {
            Box::pin(backup::get(call))
        })],
    },
    Route {
        path: "/v1/boards",
        methods: &[
            (Method::Get, BOARDS, |call| Box::pin(boards::list(call))),
            (Method::Post, NONE, |call| Box::pin(boards::create(call))),
        ],
    },
    Route {
        path: "/v1/boards/{board}",
        methods: &[
            (Method::Get, NONE, |call| Box::pin(boards::get(call))),
            (Method::Patch, NONE, |call| Box::pin(boards::update(call))),
            (Method::Delete, Parameters::Of(&["forever"]), |call| {
                Box::pin(boards::delete(call))
            }),
        ],
    },
    Route {
        path: "/v1/boards/{board}/restore",
        methods: &[(Method::Post, NONE, |call| Box::pin(boards::restore(call)))],
    },
    Route {
        path: "/v1/boards/{board}/permissions",
        methods: &[(Method::Get, LIST, |call| Box::pin(permissions::list(call)))],
    },
    Route {
        path: "/v1/boards/{board}/permissions/users/{user}",
        methods: &[
            (Method::Put, NONE, |call| {
                Box::pin(permissions::put(call, Whose::User))
            }),
            (Method::Delete, NONE, |call| {
                Box::pin(permissions::delete(call, Whose::User))
            }),
        ],
    },
    Route {
        path: "/v1/boards/{board}/permissions/teams/{team}",
        methods: &[
            (Method::Put, NONE, |call| {
                Box::pin(permissions::put(call, Whose::Team))
            }),
            (Method::Delete, NONE, |call| {
                Box::pin(permissions::delete(call, Whose::Team))
            }),
        ],
    },
    Route {
        path: "/v1/boards/{board}/permissions/public",
        methods: &[
            (Method::Put, NONE, |call| {
                Box::pin(permissions::put(call, Whose::Public))
            }),
            (Method::Delete, NONE, |call| {
                Box::pin(permissions::delete(call, Whose::Public))
            }),
        ],
    },
    Route {
        path: "/v1/boards/{board}/links",
        methods: &[
            (Method::Get, LIST, |call| {
                Box::pin(secrets::list(call, SecretKind::Link))
            }),
            (Method::Post, NONE, |call| {
                Box::pin(secrets::create(call, SecretKind::Link))
            }),
        ],
    },
    Route {
        path: "/v1/boards/{board}/links/{link}",
        methods: &[(Method::Delete, NONE, |call| {
            Box::pin(secrets::delete(call, SecretKind::Link))
        })],
    },
    Route {
        path: "/v1/boards/{board}/keys",
        methods: &[
            (Method::Get, LIST, |call| {
                Box::pin(secrets::list(call, SecretKind::Key))
            }),
            (Method::Post, NONE, |call| {
                Box::pin(secrets::create(call, SecretKind::Key))
            }),
        ],
    },
    Route {
        path: "/v1/boards/{board}/keys/{key}",
        methods: &[
            (Method::Patch, NONE, |call| Box::pin(secrets::update(call))),
            (Method::Delete, NONE, |call| {
                Box::pin(secrets::delete(call, SecretKind::Key))
            }),
        ],
    },
    Route {
        path: "/v1/boards/{board}/webhooks",
        methods: &[
            (Method::Get, LIST, |call| Box::pin(webhooks::list(call))),
            (Method::Post, NONE, |call| Box::pin(webhooks::create(call))),
        ],
    },
    Route {
        path: "/v1/boards/{board}/webhooks/{webhook}",
        methods: &[(Method::Delete, NONE, |call| Box::pin(webhooks::delete(call)))],
    },
    Route {
        path: "/v1/boards/{board}/audit",
        methods: &[(Method::Get, LIST, |call| Box::pin(audit::get(call)))],
    },
    Route {
        path: "/v1/boards/{board}/presence",
        methods: &[(Method::Get, LIST, |call| Box::pin(presence::get(call)))],
    },
    Route {
        path: "/v1/boards/{board}/events",
        methods: &[(Method::Get, Parameters::Of(&["types", "kinds"]), |call| {
            Box::pin(events::get(call))
        })],
    },
    Route {
        path: "/v1/boards/{board}/document",
        methods: &[
            (Method::Get, Parameters::Of(&["format", "state_vector"]), |call| {
                Box::pin(document::get(call))
            }),
            (Method::Post, NONE, |call| Box::pin(document::post(call))),
        ],
    },
    Route {
        path: "/v1/boards/{board}/assets",
        methods: &[
            (Method::Get, LIST, |call| Box::pin(assets::list(call))),
            (Method::Post, NONE, |call| Box::pin(assets::create(call))),
        ],
    },
    Route {
        path: "/v1/boards/{board}/assets/{asset}",
        methods: &[(Method::Get, NONE, |call| Box::pin(assets::get(call)))],
    },
    Route {
        path: "/v1/boards/{board}/picture.svg",
        methods: &[(Method::Get, Parameters::Of(picture::PARAMETERS), |call| {
            Box::pin(picture::svg(call))
        })],
    },
    Route {
        path: "/v1/boards/{board}/picture.png",
        methods: &[(Method::Get, Parameters::Of(picture::PARAMETERS), |call| {
            Box::pin(picture::png(call))
        })],
    },
    Route {
        path: "/v1/boards/{board}/versions",
        methods: &[
            (Method::Get, LIST, |call| Box::pin(versions::list(call))),
            (Method::Post, NONE, |call| Box::pin(versions::create(call))),
        ],
    },
    Route {
        path: "/v1/boards/{board}/versions/{version}",
        methods: &[(Method::Delete, NONE, |call| Box::pin(versions::delete(call)))],
    },
    Route {
        path: "/v1/boards/{board}/versions/{version}/document",
        methods: &[(Method::Get, NONE, |call| Box::pin(versions::get_document(call)))],
    },
    Route {
        path: "/v1/boards/{board}/versions/{version}/picture.svg",
        methods: &[(Method::Get, Parameters::Of(picture::PARAMETERS), |call| {
            Box::pin(versions::svg(call))
        })],
    },
    Route {
        path: "/v1/boards/{board}/versions/{version}/picture.png",
        methods: &[(Method::Get, Parameters::Of(picture::PARAMETERS), |call| {
            Box::pin(versions::png(call))
        })],
    },
    Route {
        path: "/v1/boards/{board}/versions/{version}/restore",
        methods: &[(Method::Post, NONE, |call| Box::pin(versions::restore(call)))],
    },
    Route {
        path: "/v1/boards/{board}/items",
        methods: &[
            (Method::Get, ITEMS, |call| Box::pin(items::list(call))),
            (Method::Post, NONE, |call| Box::pin(items::create(call))),
        ],
    },
    Route {
        path: "/v1/boards/{board}/items/batch",
        methods: &[(Method::Post, NONE, |call| Box::pin(items::batch(call)))],
    },
    Route {
        path: "/v1/boards/{board}/items/space",
        methods: &[(Method::Get, SPACE, |call| Box::pin(items::space(call)))],
    },
    Route {
        path: "/v1/boards/{board}/items/{item}",
        methods: &[
            (Method::Get, NONE, |call| Box::pin(items::get(call))),
            (Method::Patch, NONE, |call| Box::pin(items::update(call))),
            (Method::Delete, NONE, |call| Box::pin(items::delete(call))),
        ],
    },
];

/// Every path and method of the table: what docs/openapi.yaml must describe.
///
/// `HEAD` and `OPTIONS` are left out, since they answer everywhere, and so are the paths of the WebSocket and
/// the page.
pub fn routes() -> impl Iterator<Item = (&'static str, &'static str)> {
    parameters().map(|(path, method, _)| (path, method))
}

/// The same, each with its query parameters but for those that hold credentials.
pub fn parameters() -> impl Iterator<Item = (&'static str, &'static str, &'static [&'static str])> {
    let methods = |route: &'static Route| {
        let named = |(method, parameters, _): &(Method, Parameters, Resource)| {
            (route.path, method.as_str(), parameters.names())
        };
        route.methods.iter().map(named)
    };
    ROUTES.iter().flat_map(methods)
}

/// What answers under a path, and the segments that it captures.
pub(crate) fn of(path: Vec<&str>) -> Option<(&'static Route, Vec<&str>)> {
    let mut routes = ROUTES.iter().chain(page::ROUTES);
    let found = routes.find_map(|route| {
        let captured = matches(route.path, &path)?;
        Some((route, captured))
    });
    found.or_else(|| page::has(&path).then_some((page::FILE, path)))
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
