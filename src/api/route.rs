//! A route: a path, and what answers its methods.
//!
//! Must not know which routes there are; `routes` and `page` do. Tests: those of `routes`.

use std::future::Future;
use std::pin::Pin;

use crate::access::presented;
use crate::api::{Answer, Call};
use crate::http::head::Method;
use crate::http::target::Target;

/// What answers one method of one path.
pub(crate) type Resource = for<'a> fn(Call<'a>) -> Pin<Box<dyn Future<Output = Answer> + Send + 'a>>;

/// The query parameters that a call takes, besides those that hold credentials: these every call may have.
#[derive(Clone, Copy)]
pub(crate) enum Parameters {
    /// These. Another is refused: who asks for less than everything must not be given everything.
    Of(&'static [&'static str]),
    /// Any: it is the page that reads them, in the browser.
    Any,
}

impl Parameters {
    /// The first parameter of a request that is not among them, and holds no credential.
    pub(crate) fn unknown<'t>(self, target: &'t Target<'_>) -> Option<&'t str> {
        let Self::Of(known) = self else { return None };
        let is_known = |name: &&str| known.contains(name) || presented::PARAMETERS.contains(name);
        target.parameter_names().find(|name| !is_known(name))
    }

    /// Those that have a meaning here.
    pub(crate) fn names(self) -> &'static [&'static str] {
        match self {
            Self::Of(names) => names,
            Self::Any => &[],
        }
    }
}

/// A path and what answers there.
pub(crate) struct Route {
    /// Segments; one in braces stands for any that is not empty.
    pub(crate) path: &'static str,
    pub(crate) methods: &'static [(Method, Parameters, Resource)],
}

impl Route {
    /// The value of `Allow`.
    pub(crate) fn allowed(&self) -> String {
        let mut allowed = String::new();
        for (method, ..) in self.methods {
            allowed.push_str(method.as_str());
            allowed.push_str(", ");
            if *method == Method::Get {
                allowed.push_str("HEAD, ");
            }
        }
        allowed + "OPTIONS"
    }
}

/// The segments that stand for those in braces, where `path` is one of `pattern`.
pub(crate) fn matches<'a>(pattern: &str, path: &[&'a str]) -> Option<Vec<&'a str>> {
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
