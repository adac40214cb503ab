//! `GET /v1/openapi.yaml`: what the API is, for tools, in the words of docs/openapi.yaml.
//!
//! Must not change it: what is served is what the repository has, and tests hold the server against that.

use crate::api::{Answer, Call};
use crate::http::response::Response;

static DOCUMENT: &[u8] = include_bytes!("../../docs/openapi.yaml");

/// For anybody: it is in the repository too.
pub(crate) async fn get(_: Call<'_>) -> Answer {
    // The media type is that of RFC 9512.
    let document = Response::new(200).with_built_in("application/yaml", DOCUMENT);
    Ok(document.field("Cache-Control", "no-cache"))
}
