//! `GET /v1/openapi.yaml`, `GET /llms.txt` and `GET /docs/troubleshooting.md`: what the API is, for tools and
//! for models, and what its errors mean, in the words of docs/.
//!
//! Must not change them: what is served is what the repository has, and tests hold the server against that.

use crate::api::{Answer, Call};
use crate::http::response::Response;

static DOCUMENT: &[u8] = include_bytes!("../../docs/openapi.yaml");

static FOR_MODELS: &[u8] = include_bytes!("../../docs/llms.txt");

static TROUBLES: &[u8] = include_bytes!("../../docs/troubleshooting.md");

/// For anybody: it is in the repository too.
pub(crate) async fn get(_: Call<'_>) -> Answer {
    // The media type is that of RFC 9512.
    let document = Response::new(200).with_built_in("application/yaml", DOCUMENT);
    Ok(document.field("Cache-Control", "no-cache"))
}

/// The same in words, for models.
///
/// # Source
/// <https://llmstxt.org>: where such a file lies, and that it is Markdown.
pub(crate) async fn teach(_: Call<'_>) -> Answer {
    let document = Response::new(200).with_built_in("text/plain; charset=utf-8", FOR_MODELS);
    Ok(document.field("Cache-Control", "no-cache"))
}

/// What goes wrong and what helps: where the `help` of a problem leads.
pub(crate) async fn troubleshoot(_: Call<'_>) -> Answer {
    let document = Response::new(200).with_built_in("text/plain; charset=utf-8", TROUBLES);
    Ok(document.field("Cache-Control", "no-cache"))
}
