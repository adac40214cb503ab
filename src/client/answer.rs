//! Answers of others: bytes to a head and a body.
//!
//! Owns [`Head`] and how the body behind it is framed. Must not know sockets. Key invariants: a head that
//! could be read in two ways is refused; a head is looked at once it is whole, so that one that comes byte by
//! byte costs no more. Tests are below; the fuzz body is `client::fuzzing::answer`.
//!
//! # Source
//! RFC 9112, 4 and 6.3.
#![deny(clippy::arithmetic_side_effects, clippy::cast_possible_truncation)]

use httparse::{EMPTY_HEADER, Status};

use super::ClientError;
use crate::http::head::Framing;
use crate::limits;

/// The head of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) status: u16,
    pub(super) fields: Vec<(String, String)>,
    pub(super) body: Body,
    /// Its bytes.
    pub(super) length: usize,
}

/// How the body is delimited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Body {
    /// By the head.
    Framed(Framing),
    /// By the end of the connection.
    UntilEnd,
}

/// Where a head ends among `bytes`, of which the first `looked` have been looked at before.
pub(super) fn end_of_head(bytes: &[u8], looked: usize) -> Option<usize> {
    let from = looked.saturating_sub(3);
    let at = bytes
        .get(from..)?
        .windows(4)
        .position(|four| four == b"\r\n\r\n")?;
    at.checked_add(from)?.checked_add(4)
}

impl Head {
    /// Reads a whole head: that of an answer to `GET` or `POST`.
    ///
    /// # Errors
    /// [`ClientError::NotHttp`].
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, ClientError> {
        let mut fields = [EMPTY_HEADER; limits::CLIENT_HEAD_FIELDS_MAX];
        let mut parsed = httparse::Response::new(&mut fields);
        let Ok(Status::Complete(length)) = parsed.parse(bytes) else {
            return Err(ClientError::NotHttp);
        };
        let status = parsed.code.filter(|code| (100..600).contains(code));
        let status = status.ok_or(ClientError::NotHttp)?;
        let fields: Vec<_> = parsed
            .headers
            .iter()
            .map(|field| {
                let value = String::from_utf8_lossy(field.value).into_owned();
                (field.name.to_ascii_lowercase(), value)
            })
            .collect();
        let body = body(status, &fields)?;
        Ok(Self {
            status,
            fields,
            body,
            length,
        })
    }
}

/// The values of the fields of a name.
fn values<'a>(fields: &'a [(String, String)], name: &'static str) -> impl Iterator<Item = &'a str> {
    let named = fields.iter().filter(move |(field, _)| field == name);
    named.map(|(_, value)| value.as_str())
}

fn body(status: u16, fields: &[(String, String)]) -> Result<Body, ClientError> {
    if matches!(status, 100..=199 | 204 | 304) {
        return Ok(Body::Framed(Framing::Empty));
    }
    let (mut codings, mut lengths) = (
        values(fields, "transfer-encoding"),
        values(fields, "content-length"),
    );
    match (codings.next(), lengths.next()) {
        (None, None) => Ok(Body::UntilEnd),
        (Some(coding), None) if coding.eq_ignore_ascii_case("chunked") && codings.next().is_none() => {
            Ok(Body::Framed(Framing::Chunked))
        }
        (None, Some(length)) if lengths.next().is_none() => {
            let digits = !length.is_empty() && length.bytes().all(|b| b.is_ascii_digit());
            let length = length.parse().ok().filter(|_| digits);
            let length = length.ok_or(ClientError::NotHttp)?;
            Ok(Body::Framed(Framing::Length(length)))
        }
        _ => Err(ClientError::NotHttp),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_says_how_its_body_ends() {
        for (head, status, body) in [
            (
                "HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n",
                200,
                Body::Framed(Framing::Length(7)),
            ),
            (
                "HTTP/1.1 200\r\nTransfer-Encoding: Chunked\r\n\r\n",
                200,
                Body::Framed(Framing::Chunked),
            ),
            ("HTTP/1.0 500 No\r\nServer: x\r\n\r\n", 500, Body::UntilEnd),
            (
                "HTTP/1.1 204 No\r\nContent-Length: 7\r\n\r\n",
                204,
                Body::Framed(Framing::Empty),
            ),
            ("HTTP/1.1 100 Continue\r\n\r\n", 100, Body::Framed(Framing::Empty)),
        ] {
            let found = Head::parse(head.as_bytes()).unwrap();
            assert_eq!(
                (found.status, found.body, found.length),
                (status, body, head.len()),
                "{head}"
            );
        }
        for bad in [
            "",
            "SSH-2.0-OpenSSH\r\n\r\n",
            "HTTP/2 200\r\n\r\n",
            "HTTP/1.1 2000\r\n\r\n",
            "HTTP/1.1 099 x\r\n\r\n",
            "HTTP/1.1 600 x\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: +7\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 7\r\nContent-Length: 8\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 7\r\nTransfer-Encoding: chunked\r\n\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
            "HTTP/1.1 200 OK\r\n folded: x\r\n\r\n",
        ] {
            assert_eq!(Head::parse(bad.as_bytes()), Err(ClientError::NotHttp), "{bad}");
        }
    }

    #[test]
    fn a_head_has_at_most_a_hundred_fields() {
        let with = |fields: usize| format!("HTTP/1.1 200 OK\r\n{}\r\n", "a: b\r\n".repeat(fields));
        assert_eq!(
            Head::parse(with(100).as_bytes()).map(|head| head.fields.len()),
            Ok(100)
        );
        assert_eq!(Head::parse(with(101).as_bytes()), Err(ClientError::NotHttp));
    }

    #[test]
    fn the_end_of_a_head_is_found_wherever_the_bytes_were_cut() {
        let bytes = b"HTTP/1.1 200 OK\r\n\r\nbody";
        for looked in 0..=18 {
            assert_eq!(end_of_head(bytes, looked), Some(19), "{looked}");
            assert_eq!(end_of_head(&bytes[..looked], 0), None);
        }
    }
}
