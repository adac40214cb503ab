//! The request head: request line and header fields, read from a byte slice.
//!
//! Owns [`Head`], which borrows from the bytes it was read from and lives as long as a request is being
//! answered, so an idle connection keeps nothing of it. Must not know what a path or a header means to the
//! application.
//!
//! Key invariant: [`parse`] is a function of the bytes alone. Once it has an answer for a prefix, more bytes
//! never change it; the fuzz body `http::fuzzing::request_head` checks it, and that httparse reads the same.
//! Tests are in `head/tests.rs`.
#![deny(clippy::arithmetic_side_effects, clippy::cast_possible_truncation)]

use std::fmt;

use super::{is_token, is_token_byte, trim};
use crate::limits;

mod error;
#[cfg(test)]
mod tests;

pub use error::HeadError;

/// The request method; case-sensitive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// `GET`
    Get,
    /// `HEAD`: as `GET`, without the body.
    Head,
    /// `POST`
    Post,
    /// `PUT`
    Put,
    /// `PATCH`
    Patch,
    /// `DELETE`
    Delete,
    /// `OPTIONS`: a CORS preflight.
    Options,
    /// Any other token; no resource has it.
    Other,
}

impl Method {
    /// The method of this name; names are case-sensitive (RFC 9110, 9.1).
    fn named(name: &[u8]) -> Self {
        match name {
            b"GET" => Self::Get,
            b"HEAD" => Self::Head,
            b"POST" => Self::Post,
            b"PUT" => Self::Put,
            b"PATCH" => Self::Patch,
            b"DELETE" => Self::Delete,
            b"OPTIONS" => Self::Options,
            _ => Self::Other,
        }
    }

    /// The method as it is written; empty for those that no resource has.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Head => "HEAD",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
            Self::Options => "OPTIONS",
            Self::Other => "",
        }
    }
}

/// The protocol version of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// HTTP/1.0: no chunked coding, no upgrade, closes unless asked not to.
    Http10,
    /// HTTP/1.1.
    Http11,
}

/// How the body that follows the head is delimited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// There is no body.
    Empty,
    /// `Content-Length`, in bytes; may be zero.
    Length(u64),
    /// `Transfer-Encoding: chunked`.
    Chunked,
}

/// What happens to the connection after the response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Persistence {
    /// Another request may follow.
    KeepAlive,
    /// The connection is closed.
    Close,
}

/// A request head, checked; borrows from the bytes given to [`parse`].
#[derive(Clone, PartialEq, Eq)]
pub struct Head<'a> {
    /// The method.
    pub method: Method,
    /// The version.
    pub version: Version,
    /// Path and query as sent, beginning with `/`; visible ASCII without `#`. May hold a token: never logged.
    pub target: &'a str,
    /// The host and port asked for; `None` only for HTTP/1.0.
    pub host: Option<&'a str>,
    /// How the body is delimited.
    pub framing: Framing,
    fields: Vec<(&'a [u8], &'a [u8])>,
}

/// Shows the method and the number of fields only: target and fields may hold credentials.
impl fmt::Debug for Head<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Head")
            .field("method", &self.method)
            .field("version", &self.version)
            .field("framing", &self.framing)
            .field("fields", &self.fields.len())
            .finish_non_exhaustive()
    }
}

/// Reads a request head from the beginning of `bytes`.
///
/// # Shape
/// `[CRLF] request-line CRLF *(name ":" OWS value OWS CRLF) CRLF`; at most `limits::HEAD_BYTES_MAX` bytes in
/// all and `limits::HEADERS_MAX` fields, both inclusive. `Some` holds the head and the number of bytes it
/// took; what follows is the body. `None` means that more bytes are needed. One empty line before the request
/// line is skipped.
///
/// # Errors
/// [`HeadError`]: the peer's fault; answer with its status and close.
///
/// # Source
/// RFC 9112, 2 to 6; RFC 9110, 5.
pub fn parse(bytes: &[u8]) -> Result<Option<(Head<'_>, usize)>, HeadError> {
    let window = bytes.get(..limits::HEAD_BYTES_MAX).unwrap_or(bytes);
    let incomplete = || {
        if window.len() < limits::HEAD_BYTES_MAX {
            Ok(None)
        } else {
            Err(HeadError::TooLarge)
        }
    };
    let mut lines = Lines { rest: window };
    if window.starts_with(b"\r\n") {
        lines.next_line()?;
    }
    // Something that is not HTTP at all (a TLS hello) need not wait for a line end that never comes.
    if let Some(first) = lines.rest.first()
        && *first != b'\r'
        && !is_token_byte(*first)
    {
        return Err(HeadError::RequestLine);
    }
    let Some(line) = lines.next_line()? else {
        return incomplete();
    };
    let (method, target, version) = request_line(line)?;
    let mut fields = Vec::new();
    loop {
        let Some(line) = lines.next_line()? else {
            return incomplete();
        };
        if line.is_empty() {
            break;
        }
        let field = field_line(line)?;
        if fields.len() >= limits::HEADERS_MAX {
            return Err(HeadError::TooManyFields);
        }
        if fields.is_empty() {
            fields.reserve(16);
        }
        fields.push(field);
    }
    let mut head = Head {
        method,
        version,
        target,
        host: None,
        framing: Framing::Empty,
        fields,
    };
    head.host = head.read_host()?;
    head.framing = head.read_framing()?;
    head.target = origin_form(target, head.host)?;
    Ok(Some((head, window.len().saturating_sub(lines.rest.len()))))
}

/// How far a head that arrives in pieces was looked at, so that no byte is looked at again for each piece.
///
/// Its answers are those of [`parse`] for the same bytes; what [`parse`] would refuse, it refuses with the
/// same piece.
#[derive(Clone, Debug, Default)]
pub struct Outline {
    /// Bytes known to hold no end of a line beyond [`Self::line`].
    searched: usize,
    /// Where the line that is not complete begins.
    line: usize,
    part: Part,
    /// Bytes looked at so far, each as often as it was.
    steps: usize,
}

/// Which line comes next.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Part {
    /// An empty line, or the request line.
    #[default]
    Start,
    /// The request line.
    RequestLine,
    /// A field after so many, or the empty line.
    Fields(usize),
}

impl Outline {
    /// Looks at `bytes`, which begin as those of the last call did: how many the head takes once it is
    /// complete and [`parse`] takes it, `None` while more are needed.
    ///
    /// # Errors
    /// As [`parse`].
    pub fn look(&mut self, bytes: &[u8]) -> Result<Option<usize>, HeadError> {
        let window = bytes.get(..limits::HEAD_BYTES_MAX).unwrap_or(bytes);
        if self.part == Part::Start && self.line == 0 && window.starts_with(b"\r\n") {
            (self.line, self.searched, self.part) = (2, 2, Part::RequestLine);
        }
        if !matches!(self.part, Part::Fields(_))
            && let Some(first) = window.get(self.line)
            && *first != b'\r'
            && !is_token_byte(*first)
        {
            return Err(HeadError::RequestLine);
        }
        loop {
            let new = window.get(self.searched..).unwrap_or_default();
            let found = new.iter().position(|&b| b == b'\n');
            self.steps = self
                .steps
                .saturating_add(found.unwrap_or(new.len()))
                .saturating_add(1);
            let Some(end) = found.map(|at| self.searched.saturating_add(at)) else {
                self.searched = window.len();
                return match window.len() < limits::HEAD_BYTES_MAX {
                    true => Ok(None),
                    false => Err(HeadError::TooLarge),
                };
            };
            let mut lines = Lines {
                rest: window.get(self.line..=end).unwrap_or_default(),
            };
            self.steps = self.steps.saturating_add(lines.rest.len());
            let line = lines.next_line()?.unwrap_or_default();
            self.line = end.saturating_add(1);
            self.searched = self.line;
            self.part = match self.part {
                Part::Start | Part::RequestLine => {
                    request_line(line)?;
                    Part::Fields(0)
                }
                Part::Fields(_) if line.is_empty() => {
                    self.steps = self.steps.saturating_add(self.line);
                    return Ok(parse(bytes)?.map(|(_, taken)| taken));
                }
                Part::Fields(count) => {
                    field_line(line)?;
                    if count >= limits::HEADERS_MAX {
                        return Err(HeadError::TooManyFields);
                    }
                    Part::Fields(count.saturating_add(1))
                }
            };
        }
    }

    /// How many bytes were looked at, each as often as it was.
    #[must_use]
    pub fn steps(&self) -> usize {
        self.steps
    }
}

/// Cuts bytes into lines that end in CR LF.
struct Lines<'a> {
    rest: &'a [u8],
}

impl<'a> Lines<'a> {
    /// The next line without its end; `None` when its end has not arrived.
    fn next_line(&mut self) -> Result<Option<&'a [u8]>, HeadError> {
        let Some(end) = self.rest.iter().position(|&b| b == b'\n') else {
            return Ok(None);
        };
        let (line, rest) = self.rest.split_at(end);
        let Some((b'\r', line)) = line.split_last() else {
            return Err(HeadError::LineEnding);
        };
        if line.contains(&b'\r') {
            return Err(HeadError::LineEnding);
        }
        self.rest = rest.get(1..).unwrap_or_default();
        Ok(Some(line))
    }
}

fn request_line(line: &[u8]) -> Result<(Method, &str, Version), HeadError> {
    let mut parts = line.split(|&b| b == b' ');
    let (Some(method), Some(target), Some(version), None) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return Err(HeadError::RequestLine);
    };
    if !is_token(method) || target.is_empty() || !target.iter().all(u8::is_ascii_graphic) {
        return Err(HeadError::RequestLine);
    }
    let version = match version {
        b"HTTP/1.1" => Version::Http11,
        b"HTTP/1.0" => Version::Http10,
        b"HTTP/2.0" if method == b"PRI" => return Err(HeadError::Http2Preface),
        [b'H', b'T', b'T', b'P', b'/', major, b'.', minor]
            if major.is_ascii_digit() && minor.is_ascii_digit() =>
        {
            return Err(HeadError::Version);
        }
        _ => return Err(HeadError::RequestLine),
    };
    let target = str::from_utf8(target).map_err(|_| HeadError::RequestLine)?;
    Ok((Method::named(method), target, version))
}

fn field_line(line: &[u8]) -> Result<(&[u8], &[u8]), HeadError> {
    if matches!(line.first(), Some(b' ' | b'\t')) {
        return Err(HeadError::Folded);
    }
    let Some(colon) = line.iter().position(|&b| b == b':') else {
        return Err(HeadError::FieldName);
    };
    let (name, value) = line.split_at(colon);
    if !is_token(name) {
        return Err(HeadError::FieldName);
    }
    let value = trim(value.get(1..).unwrap_or_default());
    let allowed = |b: &u8| *b == b'\t' || (*b >= b' ' && *b != 0x7f);
    if !value.iter().all(allowed) {
        return Err(HeadError::FieldValue);
    }
    Ok((name, value))
}

/// The target in origin form. The absolute form, which RFC 9112, 3.2.2 obliges a server to accept, is cut
/// down to it where its authority says the same as `Host`; authority and asterisk form belong to proxies and
/// are refused.
fn origin_form<'a>(target: &'a str, host: Option<&str>) -> Result<&'a str, HeadError> {
    if target.contains('#') {
        return Err(HeadError::Target);
    }
    if target.starts_with('/') {
        return Ok(target);
    }
    let (scheme, rest) = target.split_once("://").ok_or(HeadError::Target)?;
    let path = rest.find('/').ok_or(HeadError::Target)?;
    let (authority, path) = rest.split_at(path);
    let web = scheme.eq_ignore_ascii_case("http") || scheme.eq_ignore_ascii_case("https");
    let agrees = host.is_some_and(|host| host.eq_ignore_ascii_case(authority));
    if web && agrees {
        Ok(path)
    } else {
        Err(HeadError::Target)
    }
}

impl<'a> Head<'a> {
    /// The values of all fields named `name`, in order; names are compared without case.
    pub fn values<'s>(&'s self, name: &'s str) -> impl DoubleEndedIterator<Item = &'a [u8]> + 's {
        self.fields
            .iter()
            .filter(move |(field, _)| field.eq_ignore_ascii_case(name.as_bytes()))
            .map(|&(_, value)| value)
    }

    /// The elements of the comma-separated list `name`, over all its fields; empty elements are left out.
    pub fn elements<'s>(&'s self, name: &'s str) -> impl Iterator<Item = &'a [u8]> + 's {
        self.values(name)
            .flat_map(|value| value.split(|&b| b == b','))
            .map(trim)
            .filter(|element| !element.is_empty())
    }

    /// Whether the list `name` holds `token`, compared without case.
    #[must_use]
    pub fn has_element(&self, name: &str, token: &str) -> bool {
        self.elements(name)
            .any(|element| element.eq_ignore_ascii_case(token.as_bytes()))
    }

    /// The value of a field that must be single, such as `Authorization` or `Origin`.
    ///
    /// # Errors
    /// [`HeadError::Field`] when it was sent twice or is not printable ASCII: which of two credentials counts
    /// must not depend on who reads them.
    pub fn unique(&self, name: &str) -> Result<Option<&'a str>, HeadError> {
        let mut values = self.values(name);
        let Some(value) = values.next() else {
            return Ok(None);
        };
        let printable = value.iter().all(|b| (b' '..=b'~').contains(b));
        if values.next().is_some() || !printable {
            return Err(HeadError::Field);
        }
        str::from_utf8(value).map(Some).map_err(|_| HeadError::Field)
    }

    /// What the request asks to happen to the connection after the response (RFC 9112, 9.3).
    #[must_use]
    pub fn persistence(&self) -> Persistence {
        let close = self.has_element("connection", "close");
        let keep = self.version == Version::Http11 || self.has_element("connection", "keep-alive");
        if keep && !close {
            Persistence::KeepAlive
        } else {
            Persistence::Close
        }
    }

    /// Whether the peer waits for `100 Continue` before it sends the body (RFC 9110, 10.1.1).
    #[must_use]
    pub fn expects_continue(&self) -> bool {
        self.version == Version::Http11 && self.has_element("expect", "100-continue")
    }

    fn read_host(&self) -> Result<Option<&'a str>, HeadError> {
        let host = self.unique("host").map_err(|_| HeadError::Host)?;
        let part_of_host = |b: u8| b.is_ascii_alphanumeric() || b"-._~%:[]".contains(&b);
        match host {
            None if self.version == Version::Http10 => Ok(None),
            Some(host) if !host.is_empty() && host.bytes().all(part_of_host) => Ok(Some(host)),
            _ => Err(HeadError::Host),
        }
    }

    fn read_framing(&self) -> Result<Framing, HeadError> {
        let length = self
            .unique("content-length")
            .map_err(|_| HeadError::ContentLength)?;
        let coding = self
            .unique("transfer-encoding")
            .map_err(|_| HeadError::TransferEncoding)?;
        match (length, coding) {
            (None, None) => Ok(Framing::Empty),
            (Some(length), None) => {
                // `u64::from_str` takes a sign, which the grammar does not have.
                let digits = !length.is_empty() && length.bytes().all(|b| b.is_ascii_digit());
                let value = length.parse().ok().filter(|_| digits);
                value.map(Framing::Length).ok_or(HeadError::ContentLength)
            }
            (None, Some(coding))
                if self.version == Version::Http11 && coding.eq_ignore_ascii_case("chunked") =>
            {
                Ok(Framing::Chunked)
            }
            (_, Some(_)) => Err(HeadError::TransferEncoding),
        }
    }
}
