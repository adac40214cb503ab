//! `If-Match`, `If-None-Match` and `Idempotency-Key`: what a request says about itself.
//!
//! Owns how the three are read, and the ids and marks that follow from a key. Must not know items. Key
//! invariant: a weak or malformed tag never lets a write through (RFC 9110, 13.1.1). Tests are below, and
//! tests/it/items.rs.

use sha2::{Digest, Sha256};

use crate::api::{invalid_parameter, uuid};
use crate::fault::Fault;
use crate::http::head::Head;
use crate::http::response::Response;
use crate::ids::{BoardId, ItemId, Subject};
use crate::limits;

/// What a write wants an item to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum IfMatch {
    /// Whatever it is.
    Absent,
    /// One of these revisions; `*` is any.
    Revisions(Vec<String>),
}

impl IfMatch {
    /// Reads the request.
    pub(super) fn of(head: &Head<'_>) -> Self {
        if head.values("if-match").next().is_none() {
            return Self::Absent;
        }
        Self::Revisions(tags(head, "if-match").filter_map(|tag| strong(&tag)).collect())
    }

    /// Whether an item of this revision will do.
    pub(super) fn holds(&self, revision: &str) -> bool {
        match self {
            Self::Absent => true,
            Self::Revisions(revisions) => revisions.iter().any(|wanted| wanted == "*" || wanted == revision),
        }
    }
}

/// The entity tag of a revision.
pub(crate) fn tag_of(revision: &str) -> String {
    format!("\"{revision}\"")
}

/// Whether the client has this revision already (RFC 9110, 13.1.2: compared weakly).
pub(crate) fn is_known(head: &Head<'_>, revision: &str) -> bool {
    tags(head, "if-none-match").any(|tag| {
        let tag = tag.strip_prefix("W/").unwrap_or(&tag).to_owned();
        strong(&tag).is_some_and(|known| known == "*" || known == revision)
    })
}

/// Our tags have no commas, so a list cut at commas has ours whole.
fn tags<'h>(head: &'h Head<'_>, name: &'h str) -> impl Iterator<Item = String> + 'h {
    head.elements(name)
        .map(|tag| String::from_utf8_lossy(tag).into_owned())
}

/// `*`, or what stands in the quotes.
fn strong(tag: &str) -> Option<String> {
    let quoted = || tag.strip_prefix('"')?.strip_suffix('"');
    if tag == "*" {
        Some("*".to_owned())
    } else {
        quoted().filter(|tag| *tag != "*").map(str::to_owned)
    }
}

/// What a request with an `Idempotency-Key` makes is named and marked after it.
pub(super) struct Mark {
    /// Of board, subject and key.
    named: Sha256,
    /// What tells a repetition of this very request.
    pub(super) request: String,
}

impl Mark {
    /// Reads the request; `None` where it has no key.
    ///
    /// # Errors
    /// 400 `invalid_parameter`.
    pub(super) fn key(head: &Head<'_>) -> Result<Option<String>, Response> {
        let name = "Idempotency-Key";
        let key = head.unique("idempotency-key");
        let key = key.map_err(|_| invalid_parameter(name, "must stand once, in visible ASCII"))?;
        let fits = |key: &str| {
            let length = 1..=limits::IDEMPOTENCY_KEY_BYTES_MAX;
            length.contains(&key.len()) && key.bytes().all(|b| b.is_ascii_graphic())
        };
        match key {
            Some(key) if !fits(key) => Err(invalid_parameter(
                name,
                "must have 1 to 255 visible ASCII characters",
            )),
            key => Ok(key.map(str::to_owned)),
        }
    }

    /// The mark of a request with a key.
    pub(super) fn of(board: &BoardId, subject: &Subject, key: &str, body: &[u8]) -> Self {
        let mut named = Sha256::new();
        for part in [board.as_str(), subject.as_str(), key] {
            named.update(part.as_bytes());
            named.update([0]);
        }
        let mut request = named.clone();
        request.update(b"request");
        request.update(body);
        let request = uuid::derived(&request.finalize().into());
        Self { named, request }
    }

    /// The id of the item that the request's `index`th operation makes and does not name.
    pub(super) fn id(&self, index: usize) -> Result<ItemId, Fault> {
        let mut hash = self.named.clone();
        hash.update(b"item");
        hash.update(u64::try_from(index).unwrap_or(u64::MAX).to_be_bytes());
        ItemId::parse(&uuid::derived(&hash.finalize().into())).ok_or(Fault::Internal)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::head;

    fn with_head<T>(fields: &str, then: impl FnOnce(&Head<'_>) -> T) -> T {
        let text = format!("PATCH / HTTP/1.1\r\nHost: a\r\n{fields}\r\n");
        let (head, _) = head::parse(text.as_bytes()).unwrap().unwrap();
        then(&head)
    }

    #[test]
    fn only_a_strong_tag_of_the_revision_lets_a_write_through() {
        for (fields, holds) in [
            ("", true),
            ("If-Match: *\r\n", true),
            ("If-Match: \"abc\"\r\n", true),
            ("If-Match: \"x\" , \"abc\"\r\n", true),
            ("If-Match: \"x\"\r\nIf-Match: \"abc\"\r\n", true),
            ("If-Match: W/\"abc\"\r\n", false),
            ("If-Match: abc\r\n", false),
            ("If-Match: \"*\"\r\n", false),
            ("If-Match: \"ab\", \"bc\"\r\n", false),
            ("If-Match: \r\n", false),
        ] {
            assert_eq!(
                with_head(fields, |head| IfMatch::of(head).holds("abc")),
                holds,
                "{fields}"
            );
        }
    }

    #[test]
    fn what_a_client_has_is_compared_weakly() {
        for (fields, known) in [
            ("", false),
            ("If-None-Match: \"abc\"\r\n", true),
            ("If-None-Match: W/\"abc\"\r\n", true),
            ("If-None-Match: *\r\n", true),
            ("If-None-Match: \"a\", \"b\"\r\n", false),
        ] {
            assert_eq!(with_head(fields, |head| is_known(head, "abc")), known, "{fields}");
        }
    }

    #[test]
    fn keys_are_bounded_and_visible() {
        let longest = "k".repeat(limits::IDEMPOTENCY_KEY_BYTES_MAX);
        for (value, expected) in [
            (Some("a"), Ok(true)),
            (Some(longest.as_str()), Ok(true)),
            (Some(&format!("{longest}k")), Err(400)),
            (Some(""), Err(400)),
            (Some("a b"), Err(400)),
            (None, Ok(false)),
        ] {
            let fields = value.map_or_else(String::new, |value| format!("Idempotency-Key: {value}\r\n"));
            let read = with_head(&fields, Mark::key)
                .map(|key| key.is_some())
                .map_err(|refusal| refusal.status);
            assert_eq!(read, expected, "{fields}");
        }
        assert!(with_head("Idempotency-Key: a\r\nIdempotency-Key: a\r\n", Mark::key).is_err());
    }

    #[test]
    fn marks_follow_from_all_that_they_are_of() {
        let mark = |board: &str, subject: &str, key: &str, body: &[u8]| {
            let subject = Subject::parse(subject).unwrap();
            let mark = Mark::of(&BoardId::parse(board).unwrap(), &subject, key, body);
            (mark.id(0).unwrap(), mark.id(1).unwrap(), mark.request)
        };
        let first = mark("b", "user:a", "k", b"{}");
        assert_eq!(mark("b", "user:a", "k", b"{}"), first);
        let other_body = mark("b", "user:a", "k", b"{ }");
        assert_eq!((&other_body.0, other_body.2 == first.2), (&first.0, false));
        for other in [
            mark("c", "user:a", "k", b"{}"),
            mark("b", "user:b", "k", b"{}"),
            mark("b", "user:a", "l", b"{}"),
        ] {
            assert!(other.0 != first.0 && other.2 != first.2);
        }
        assert_ne!(first.0, first.1);
    }
}
