//! Responses: status line, header fields and body to bytes.
//!
//! Owns [`Response`] and [`Problem`]. Must not know which problem exists when; callers name them. Key
//! invariants: every response delimits its body, or ends with the connection, no header value can end its
//! line, no browser guesses a type, and what names no policy of its own gets the one under which nothing
//! runs. Tests are below, and over TCP in tests/it/http.rs.
#![deny(clippy::arithmetic_side_effects, clippy::cast_possible_truncation)]

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;

use bytes::Bytes;
use serde::Serialize;

use super::head::{HeadError, Method, Persistence};
use super::{body::BodyError, target::TargetError};

/// The interim response to `Expect: 100-continue`, sent before the body is read (RFC 9110, 15.2.1).
pub const CONTINUE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";

/// Where problems are explained, below the server's own address: it serves that document.
const TROUBLES: &str = "docs/troubleshooting.md";

/// What keeps a browser from taking a body for something else than its `Content-Type` says.
const NOSNIFF: (&str, &str) = ("X-Content-Type-Options", "nosniff");

/// The name of the field in which a browser is told what may run.
pub const POLICY: &str = "Content-Security-Policy";

/// What every answer says that names no policy of its own. A document lies on the origin of the page, and an
/// editor made its bytes: opened in a browser it has no scripts, no origin and no frame around it.
///
/// `Cross-Origin-Resource-Policy` is about requests without CORS only, which no page can read but may take in
/// (as a picture, a script): pages that `--allow-origin` names ask with CORS, and are not touched by it.
const INERT: [(&str, &str); 2] = [
    (POLICY, "default-src 'none'; sandbox; frame-ancestors 'none'"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
];

/// A final response, before it is encoded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    /// The status code.
    pub status: u16,
    fields: Vec<(&'static str, Cow<'static, str>)>,
    body: Body,
    share: Share,
    code: Option<&'static str>,
}

/// What is sent behind the head.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Body {
    /// Part of the program.
    BuiltIn(&'static [u8]),
    /// Made for this answer, or shared with others.
    Held(Bytes),
    /// What others send behind the head until the connection ends.
    Stream,
    /// So many bytes that others send behind the head.
    Parts(u64),
}

/// What is to be kept as long as a response is.
#[derive(Clone, Default)]
struct Share(Option<Arc<dyn Send + Sync>>);

impl std::fmt::Debug for Share {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(if self.0.is_some() { "Share" } else { "None" })
    }
}

impl PartialEq for Share {
    /// It is no part of what is answered.
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Share {}

/// An error as the client reads it: a problem document.
///
/// # Shape
/// `application/problem+json` with the members `type` (`urn:boardwire:problem:` and the code), `title`,
/// `status`, `detail`, `code`, `field` where one is at fault, and `help`: where docs/troubleshooting.md
/// explains it, below the server's own address.
///
/// # Source
/// RFC 9457, 3.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The HTTP status.
    pub status: u16,
    /// A stable snake_case word; clients decide by it.
    pub code: &'static str,
    /// The kind of problem in words, the same for every problem of this code.
    pub title: &'static str,
    /// What is wrong this time, and what would be right.
    pub detail: Cow<'static, str>,
    /// The name of the field or parameter at fault.
    pub field: Option<&'static str>,
}

#[derive(Serialize)]
struct ProblemDocument<'a> {
    r#type: String,
    title: &'a str,
    status: u16,
    detail: &'a str,
    code: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    field: Option<&'a str>,
    help: String,
    #[serde(flatten)]
    members: BTreeMap<&'a str, &'a str>,
}

impl Response {
    /// A response without body.
    #[must_use]
    pub fn new(status: u16) -> Self {
        Self {
            status,
            fields: Vec::new(),
            body: Body::BuiltIn(&[]),
            share: Share::default(),
            code: None,
        }
    }

    /// The same, which keeps something until it was sent: a share of a bound on memory.
    #[must_use]
    pub fn holding(mut self, share: impl Send + Sync + 'static) -> Self {
        self.share = Share(Some(Arc::new(share)));
        self
    }

    /// The same with a header field. `Content-Length` and `Connection`, and what no answer is without
    /// (`X-Content-Type-Options` and a policy), are added when it is encoded.
    ///
    /// A value with bytes that do not belong into a field value loses them, so that none can start a new
    /// line.
    #[must_use]
    pub fn field(mut self, name: &'static str, value: impl Into<Cow<'static, str>>) -> Self {
        let mut value = value.into();
        debug_assert!(super::is_token(name.as_bytes()), "field names are our own");
        if !value.bytes().all(|b| (b' '..=b'~').contains(&b)) {
            value.to_mut().retain(|c| (' '..='~').contains(&c));
        }
        self.fields.push((name, value));
        self
    }

    /// The same with a body of the given media type; shared bytes are not copied.
    #[must_use]
    pub fn with_body(mut self, media_type: &'static str, body: impl Into<Bytes>) -> Self {
        self.body = Body::Held(body.into());
        self.field("Content-Type", media_type)
    }

    /// The same with a body that is part of the program, and that no answer copies.
    #[must_use]
    pub fn with_built_in(mut self, media_type: &'static str, body: &'static [u8]) -> Self {
        self.body = Body::BuiltIn(body);
        self.field("Content-Type", media_type)
    }

    /// The same with a body that somebody else sends, and that ends with the connection.
    #[must_use]
    pub fn with_stream(mut self, media_type: &'static str) -> Self {
        self.body = Body::Stream;
        self.field("Content-Type", media_type)
    }

    /// The same with a body of so many bytes that somebody else sends, part by part.
    #[must_use]
    pub fn with_parts(mut self, media_type: &'static str, bytes: u64) -> Self {
        self.body = Body::Parts(bytes);
        self.field("Content-Type", media_type)
    }

    /// Whether somebody else sends the body, of a length that the head says.
    #[must_use]
    pub fn is_in_parts(&self) -> bool {
        matches!(self.body, Body::Parts(_))
    }

    /// Whether somebody else sends the body until the connection ends.
    #[must_use]
    pub fn is_stream(&self) -> bool {
        matches!(self.body, Body::Stream)
    }

    /// A response with plain text.
    #[must_use]
    pub fn text(status: u16, text: impl Into<String>) -> Self {
        Self::new(status).with_body("text/plain; charset=utf-8", text.into())
    }

    /// A response with a JSON value. One that cannot be written as JSON is a bug of ours, and becomes a 500.
    #[must_use]
    pub fn json<T: Serialize + ?Sized>(status: u16, value: &T) -> Self {
        serde_json::to_vec(value).map_or_else(
            |_| Self::new(500),
            |mut body| {
                // It may be on its way for long, and was made twice as large as needed.
                body.shrink_to_fit();
                Self::new(status).with_body("application/json", body)
            },
        )
    }

    /// A response with a problem document, not to be cached.
    #[must_use]
    pub fn problem(problem: &Problem) -> Self {
        Self::problem_with(problem, &[])
    }

    /// The same with further members, which the code of the problem defines.
    #[must_use]
    pub fn problem_with(problem: &Problem, members: &[(&str, &str)]) -> Self {
        let document = ProblemDocument {
            r#type: format!("urn:boardwire:problem:{}", problem.code),
            title: problem.title,
            status: problem.status,
            detail: &problem.detail,
            code: problem.code,
            field: problem.field,
            help: format!("{TROUBLES}#{}", problem.code),
            members: members.iter().copied().collect(),
        };
        let body = serde_json::to_vec(&document).unwrap_or_default();
        let response = Self {
            code: Some(problem.code),
            ..Self::new(problem.status)
        };
        response
            .with_body("application/problem+json", body)
            .field("Cache-Control", "no-store")
    }

    /// The code of the problem that it tells, if it tells one.
    #[must_use]
    pub fn code(&self) -> Option<&'static str> {
        self.code
    }

    /// The value of a field that was set; for tests and for the layer that adds fields to every response.
    #[must_use]
    pub fn value(&self, name: &str) -> Option<&str> {
        let field = self
            .fields
            .iter()
            .find(|(field, _)| field.eq_ignore_ascii_case(name));
        field.map(|(_, value)| &**value)
    }

    /// The body.
    #[must_use]
    pub fn body(&self) -> &[u8] {
        match &self.body {
            Body::BuiltIn(body) => body,
            Body::Held(body) => body,
            Body::Stream | Body::Parts(_) => &[],
        }
    }

    /// The body, where it takes memory for as long as it is being sent.
    #[must_use]
    pub fn held(&self) -> Option<&Bytes> {
        match &self.body {
            Body::BuiltIn(_) | Body::Stream | Body::Parts(_) => None,
            Body::Held(body) => Some(body),
        }
    }

    /// The bytes to send before [`Self::payload`].
    ///
    /// # Shape
    /// Status line, fields, policy, `Content-Length` (not with 1xx, 204 and 304, nor of a stream),
    /// `Connection`, empty line.
    ///
    /// # Source
    /// RFC 9112, 4 and 6.3; RFC 9110, 8.6.
    #[must_use]
    pub fn encode_head(&self, persistence: Persistence) -> Vec<u8> {
        let mut head = self.encode_fields();
        push_field(&mut head, NOSNIFF.0, NOSNIFF.1);
        if self.value(POLICY).is_none() {
            for (name, value) in INERT {
                push_field(&mut head, name, value);
            }
        }
        if self.may_have_body() && !self.is_stream() {
            let length = match self.body {
                Body::Parts(bytes) => bytes.to_string(),
                _ => self.body().len().to_string(),
            };
            push_field(&mut head, "Content-Length", &length);
        }
        let connection = match persistence {
            Persistence::KeepAlive => "keep-alive",
            Persistence::Close => "close",
        };
        push_field(&mut head, "Connection", connection);
        head.push_str("\r\n");
        head.into_bytes()
    }

    /// The bytes to send behind the head: the body, unless `method` is `HEAD` or the status has none.
    ///
    /// # Source
    /// RFC 9110, 9.3.2 and 15.4.5.
    #[must_use]
    pub fn payload(&self, method: Method) -> &[u8] {
        match method {
            Method::Head => &[],
            _ if self.may_have_body() => self.body(),
            _ => &[],
        }
    }

    fn may_have_body(&self) -> bool {
        self.status >= 200 && !matches!(self.status, 204 | 304)
    }

    /// Status line and the fields that were set.
    pub(crate) fn encode_fields(&self) -> String {
        let mut head = String::with_capacity(512);
        let written = write!(head, "HTTP/1.1 {} {}\r\n", self.status, phrase(self.status));
        debug_assert!(written.is_ok(), "writing to a String does not fail");
        for (name, value) in &self.fields {
            push_field(&mut head, name, value);
        }
        head
    }
}

fn push_field(head: &mut String, name: &str, value: &str) {
    for part in [name, ": ", value, "\r\n"] {
        head.push_str(part);
    }
}

impl Problem {
    /// The problem that an error is, in its own words.
    fn of(status: u16, (code, title): (&'static str, &'static str), error: &dyn std::error::Error) -> Self {
        Self {
            status,
            code,
            title,
            detail: error.to_string().into(),
            field: None,
        }
    }
}

impl From<HeadError> for Problem {
    fn from(error: HeadError) -> Self {
        let (code, title) = match error.status() {
            431 => ("head_too_large", "Request head too large"),
            505 => ("version_unsupported", "HTTP version not supported"),
            _ => ("bad_request", "Malformed request"),
        };
        Self::of(error.status(), (code, title), &error)
    }
}

impl From<TargetError> for Problem {
    fn from(error: TargetError) -> Self {
        let (code, title) = match error.status() {
            404 => ("not_found", "Not found"),
            _ => ("bad_request", "Malformed request"),
        };
        Self::of(error.status(), (code, title), &error)
    }
}

impl From<BodyError> for Problem {
    fn from(error: BodyError) -> Self {
        let (code, title) = match error {
            BodyError::TooLarge => ("body_too_large", "Request body too large"),
            BodyError::Chunk => ("bad_request", "Malformed request"),
        };
        Self::of(error.status(), (code, title), &error)
    }
}

/// The reason phrase of a status that this server sends (RFC 9110, 15); empty for others, as the grammar
/// allows.
#[must_use]
pub fn phrase(status: u16) -> &'static str {
    match status {
        101 => "Switching Protocols",
        200 => "OK",
        201 => "Created",
        204 => "No Content",
        206 => "Partial Content",
        304 => "Not Modified",
        308 => "Permanent Redirect",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        408 => "Request Timeout",
        409 => "Conflict",
        410 => "Gone",
        412 => "Precondition Failed",
        413 => "Content Too Large",
        415 => "Unsupported Media Type",
        416 => "Range Not Satisfiable",
        421 => "Misdirected Request",
        422 => "Unprocessable Content",
        426 => "Upgrade Required",
        429 => "Too Many Requests",
        431 => "Request Header Fields Too Large",
        500 => "Internal Server Error",
        503 => "Service Unavailable",
        505 => "HTTP Version Not Supported",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What no answer of the API is without.
    const GUARDS: &str = "X-Content-Type-Options: nosniff\r\n\
         Content-Security-Policy: default-src 'none'; sandbox; frame-ancestors 'none'\r\n\
         Cross-Origin-Resource-Policy: same-origin\r\n";

    fn whole(response: &Response, method: Method, persistence: Persistence) -> String {
        let bytes = [&response.encode_head(persistence), response.payload(method)].concat();
        String::from_utf8(bytes).unwrap()
    }

    /// The same without what every one of them has.
    #[track_caller]
    fn text(response: &Response, method: Method, persistence: Persistence) -> String {
        let whole = whole(response, method, persistence);
        assert_eq!(whole.matches(GUARDS).count(), 1, "{whole}");
        whole.replace(GUARDS, "")
    }

    #[test]
    fn an_answer_with_a_policy_of_its_own_keeps_it_and_is_not_sniffed_either() {
        let page = Response::text(200, "hi").field(POLICY, "script-src 'self'");
        let text = whole(&page, Method::Get, Persistence::Close);
        assert!(text.contains("\r\nX-Content-Type-Options: nosniff\r\n"));
        assert_eq!(text.matches("Content-Security-Policy: ").count(), 1);
        assert!(text.contains("Content-Security-Policy: script-src 'self'\r\n"));
        assert!(!text.contains("Resource-Policy"));
    }

    #[test]
    fn a_response_is_status_line_fields_and_body() {
        let response = Response::text(200, "hi").field("X-A", "b");
        assert_eq!(
            text(&response, Method::Get, Persistence::KeepAlive),
            "HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\nX-A: b\r\nContent-Length: 2\r\n\
             Connection: keep-alive\r\n\r\nhi"
        );
    }

    #[test]
    fn head_is_answered_with_the_length_and_without_the_body() {
        let response = Response::text(200, "hi");
        let head = text(&response, Method::Head, Persistence::Close);
        assert!(
            head.contains("Content-Length: 2\r\nConnection: close\r\n\r\n") && head.ends_with("\r\n\r\n")
        );
    }

    #[test]
    fn a_status_without_a_body_has_no_length() {
        assert_eq!(
            text(&Response::new(204), Method::Delete, Persistence::KeepAlive),
            "HTTP/1.1 204 No Content\r\nConnection: keep-alive\r\n\r\n"
        );
        assert!(text(&Response::new(426), Method::Get, Persistence::Close).contains("Content-Length: 0\r\n"));
        // The length would have to be that of the body that the client has already.
        let unchanged = text(&Response::new(304), Method::Get, Persistence::KeepAlive);
        assert_eq!(
            unchanged,
            "HTTP/1.1 304 Not Modified\r\nConnection: keep-alive\r\n\r\n"
        );
    }

    #[test]
    fn a_body_in_parts_has_its_length_and_no_bytes_here() {
        let response = Response::new(206).with_parts("video/mp4", 5_000_000_000);
        let text = text(&response, Method::Get, Persistence::KeepAlive);
        assert!(text.starts_with("HTTP/1.1 206 Partial Content\r\n"), "{text}");
        assert!(
            text.ends_with("Content-Length: 5000000000\r\nConnection: keep-alive\r\n\r\n"),
            "{text}"
        );
        assert!(response.is_in_parts() && !response.is_stream() && response.held().is_none());
    }

    #[test]
    fn a_stream_has_no_length_and_no_body_here() {
        let response = Response::new(200).with_stream("text/event-stream");
        for method in [Method::Get, Method::Head] {
            assert_eq!(
                text(&response, method, Persistence::Close),
                "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"
            );
        }
        assert!(response.is_stream() && response.held().is_none());
    }

    #[test]
    fn a_body_that_is_part_of_the_program_holds_no_memory() {
        static PAGE: &[u8] = b"page";
        let built_in = Response::new(200).with_built_in("text/html", PAGE);
        assert!(std::ptr::eq(built_in.payload(Method::Get), PAGE) && built_in.held().is_none());
        assert!(Response::text(200, "hi").held().is_some() && Response::new(204).held().is_none());
        let shared = Bytes::from(vec![1, 2, 3]);
        let response = Response::new(200).with_body("text/plain", shared.clone());
        assert!(
            std::ptr::eq(response.payload(Method::Get), &*shared),
            "nothing is copied"
        );
    }

    #[test]
    fn a_value_cannot_start_a_new_line() {
        let response = Response::new(200).field("X-A", "b\r\nX-C: d\u{e4}".to_owned());
        assert!(text(&response, Method::Get, Persistence::Close).contains("X-A: bX-C: d\r\nContent-Length"));
    }

    #[test]
    fn problems_have_the_members_of_the_contract() {
        let problem = Problem {
            status: 422,
            code: "invalid_title",
            title: "Invalid title",
            detail: "the \"title\" is too long".into(),
            field: Some("title"),
        };
        let response = Response::problem(&problem);
        assert_eq!(response.value("content-type"), Some("application/problem+json"));
        let document: serde_json::Value = serde_json::from_slice(response.body()).unwrap();
        assert_eq!(
            document,
            serde_json::json!({"type": "urn:boardwire:problem:invalid_title", "title": "Invalid title",
                "status": 422, "detail": "the \"title\" is too long", "code": "invalid_title", "field": "title",
                "help": "docs/troubleshooting.md#invalid_title"})
        );
        let without = Response::problem(&Problem {
            field: None,
            ..problem.clone()
        });
        assert!(!String::from_utf8_lossy(without.body()).contains("field"));
        let with = Response::problem_with(&problem, &[("state_vector", "AA")]);
        let document: serde_json::Value = serde_json::from_slice(with.body()).unwrap();
        assert_eq!(
            (&document["state_vector"], &document["field"]),
            (&"AA".into(), &"title".into())
        );
    }

    #[test]
    fn every_refusal_of_this_layer_is_a_problem_with_its_status() {
        for error in HeadError::ALL {
            let problem = Problem::from(error);
            assert_eq!(problem.status, error.status());
            assert!(!phrase(problem.status).is_empty() && !problem.detail.is_empty());
        }
        assert_eq!(Problem::from(TargetError::TooDeep).code, "not_found");
        assert_eq!(Problem::from(BodyError::TooLarge).code, "body_too_large");
    }

    #[test]
    fn json_values_are_written_as_json() {
        let response = Response::json(200, &serde_json::json!({"status": "ok"}));
        assert_eq!(
            (response.status, response.body()),
            (200, &b"{\"status\":\"ok\"}"[..])
        );
    }
}
