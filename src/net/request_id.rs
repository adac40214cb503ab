//! What a request is called in the log and in the answer that refuses it.
//!
//! Owns [`RequestId`]. Must not know what requests ask for. Key invariant: what a client calls its request is
//! taken over only where it is short and of harmless characters, since it stands in the log. Tests are below,
//! and in tests/it/logs.rs.

use std::fmt;

use crate::http::head::Head;
use crate::limits;

/// The field in which a client, or a proxy, may say what it calls a request, and in which a refusal says what
/// it is called.
pub(crate) const FIELD: &str = "X-Request-Id";

/// What a request is called: as its client calls it, or by its connection and its place on that.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RequestId {
    /// The number of the connection.
    pub(crate) connection: u64,
    /// Its place among the requests of the connection, from 1 on.
    nth: u64,
    given: Option<Box<str>>,
}

impl RequestId {
    /// The `nth` request of a connection.
    pub(crate) fn new(connection: u64, nth: u64) -> Self {
        Self {
            connection,
            nth,
            given: None,
        }
    }

    /// The same, called as its head says, if it says so.
    pub(crate) fn with(mut self, head: &Head<'_>) -> Self {
        let given = head.unique("x-request-id").ok().flatten();
        self.given = given.and_then(harmless).map(Into::into);
        self
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.given {
            Some(given) => f.write_str(given),
            None => write!(f, "{}-{}", self.connection, self.nth),
        }
    }
}

/// A name that may stand in a log and in a field.
fn harmless(given: &str) -> Option<&str> {
    let is_harmless = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.:".contains(&byte);
    let is_short = (1..=limits::REQUEST_ID_BYTES_MAX).contains(&given.len());
    (is_short && given.bytes().all(is_harmless)).then_some(given)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::head;

    fn called(fields: &str) -> String {
        let bytes = format!("GET / HTTP/1.1\r\nHost: a\r\n{fields}\r\n");
        let (head, _) = head::parse(bytes.as_bytes()).unwrap().unwrap();
        RequestId::new(17, 3).with(&head).to_string()
    }

    #[test]
    fn a_request_is_called_as_its_client_calls_it_where_that_is_harmless() {
        let longest = "x".repeat(limits::REQUEST_ID_BYTES_MAX);
        let shorter = "x".repeat(limits::REQUEST_ID_BYTES_MAX - 1);
        for given in ["a", "7d1e-4f.A_9:2", &longest, &shorter] {
            assert_eq!(called(&format!("X-Request-Id: {given}\r\n")), given);
        }
        let too_long = format!("{longest}x");
        for given in [
            "", "a b", "a\"b", "a\\b", "a=b", "{a}", "\u{e9}", "a/b", "<a>", &too_long,
        ] {
            assert_eq!(called(&format!("x-request-id: {given}\r\n")), "17-3", "{given}");
        }
        assert_eq!(called(""), "17-3");
        assert_eq!(called("X-Request-Id: a\r\nX-Request-Id: a\r\n"), "17-3", "twice");
    }
}
