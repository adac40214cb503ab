//! The `Origin` rule: which web pages may open a connection.
//!
//! Owns [`Origin`] and [`allowed`]. Must not know settings or heads; it is given the header values. Key
//! invariant: a page of another host gets in only when it is listed; clients that are not browsers send no
//! `Origin` and pass, since they could send any. Tests are below.
#![deny(clippy::arithmetic_side_effects, clippy::cast_possible_truncation)]

use std::borrow::Cow;
use std::fmt;

/// An entry of the list of `--allow-origin`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// `*`: every page, opaque origins left out. Credentials are never cookies here, so this only lends out
    /// the address.
    Any,
    /// `null`: pages without an origin of their own, such as files and sandboxed frames.
    Opaque,
    /// `https://example.com:8443`.
    Page(Page),
}

/// The origin of a page: scheme, host and port, in lower case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    scheme: Scheme,
    host: String,
    port: u16,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scheme {
    Http,
    Https,
}

impl Scheme {
    fn default_port(self) -> u16 {
        match self {
            Self::Http => 80,
            Self::Https => 443,
        }
    }
}

impl Origin {
    /// Reads one entry; `None` when it is not an origin. A path, even `/`, does not belong to one.
    ///
    /// # Source
    /// RFC 6454, 6.1 and 7.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "*" => Some(Self::Any),
            "null" => Some(Self::Opaque),
            _ => Page::parse(text).map(Self::Page),
        }
    }
}

impl Page {
    /// Reads `scheme://host[:port]`.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (scheme, authority) = text.split_once("://")?;
        let scheme = match scheme {
            _ if scheme.eq_ignore_ascii_case("https") => Scheme::Https,
            _ if scheme.eq_ignore_ascii_case("http") => Scheme::Http,
            _ => return None,
        };
        let (host, port) = split_authority(authority, scheme)?;
        Some(Self {
            scheme,
            host: host.to_ascii_lowercase(),
            port,
        })
    }

    /// In lower case; an IPv6 address in its brackets.
    pub(super) fn host(&self) -> &str {
        &self.host
    }

    /// Whether its port is one that can be connected to.
    pub(super) fn has_port(&self) -> bool {
        self.port != 0
    }
}

/// As a browser writes it: without the port of the scheme.
impl fmt::Display for Page {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = match self.scheme {
            Scheme::Http => "http",
            Scheme::Https => "https",
        };
        write!(f, "{scheme}://{}", self.host)?;
        match self.port == self.scheme.default_port() {
            true => Ok(()),
            false => write!(f, ":{}", self.port),
        }
    }
}

/// Host and port of an authority, with the scheme's port where none is written.
fn split_authority(authority: &str, scheme: Scheme) -> Option<(&str, u16)> {
    let literal_end = if authority.starts_with('[') {
        authority.find(']')?
    } else {
        0
    };
    let colon = authority
        .get(literal_end..)?
        .find(':')
        .and_then(|at| at.checked_add(literal_end));
    let (host, port) = match colon {
        None => (authority, scheme.default_port()),
        Some(colon) => {
            let (host, port) = authority.split_at(colon);
            let port = port.strip_prefix(':')?;
            let digits = port.bytes().all(|b| b.is_ascii_digit());
            (host, port.parse().ok().filter(|_| digits)?)
        }
    };
    let name = host
        .strip_prefix('[')
        .map_or(Some(host), |literal| literal.strip_suffix(']'))?;
    let literal = name.len() != host.len();
    let part = |b: u8| b.is_ascii_alphanumeric() || b"-._~%".contains(&b) || (literal && b == b':');
    (!name.is_empty() && name.bytes().all(part)).then_some((host, port))
}

/// Whether a request with this `Origin` and `Host` may go on.
///
/// No `Origin`: yes. The same host and port as the request was sent to: yes, the scheme left aside, since a
/// proxy may have ended TLS. Otherwise only what `listed` names; an `Origin` that does not parse is none of
/// these.
///
/// # Source
/// RFC 6455, 10.2.
#[must_use]
pub fn allowed(origin: Option<&str>, host: Option<&str>, listed: &[Origin]) -> bool {
    let Some(origin) = origin else { return true };
    match Origin::parse(origin) {
        None | Some(Origin::Any) => false,
        Some(Origin::Opaque) => listed.contains(&Origin::Opaque),
        Some(Origin::Page(page)) => {
            let asked = host.and_then(|host| split_authority(host, page.scheme));
            let same =
                asked.is_some_and(|(host, port)| page.host.eq_ignore_ascii_case(host) && page.port == port);
            same || listed.contains(&Origin::Any) || listed.contains(&Origin::Page(page))
        }
    }
}

/// What `Access-Control-Allow-Origin` says to a page of `origin`; `None` where it may not read the answer.
///
/// # Source
/// The Fetch standard, 3.3.3 (CORS check).
#[must_use]
pub fn shared_with(origin: Option<&str>, listed: &[Origin]) -> Option<Cow<'static, str>> {
    let text = origin?;
    let origin = Origin::parse(text)?;
    match origin {
        Origin::Page(_) if listed.contains(&Origin::Any) => Some(Cow::Borrowed("*")),
        Origin::Page(_) | Origin::Opaque if listed.contains(&origin) => Some(Cow::Owned(text.to_owned())),
        Origin::Page(_) | Origin::Opaque | Origin::Any => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(origin: Option<&str>, host: &str, listed: &[&str], expected: bool) {
        let listed: Vec<_> = listed.iter().map(|text| Origin::parse(text).unwrap()).collect();
        assert_eq!(
            allowed(origin, Some(host), &listed),
            expected,
            "{origin:?} at {host}, {listed:?}"
        );
    }

    #[test]
    fn by_default_the_same_host_or_none_is_allowed() {
        for (origin, host, expected) in [
            (None, "a.example", true),
            (Some("https://a.example"), "a.example", true),
            (Some("http://a.example"), "a.example", true),
            (Some("https://A.example"), "a.EXAMPLE", true),
            (Some("https://a.example"), "a.example:443", true),
            (Some("https://a.example:443"), "a.example", true),
            (Some("http://a.example:8080"), "a.example:8080", true),
            (Some("http://[::1]:8080"), "[::1]:8080", true),
            (Some("http://[::1]"), "[::1]", true),
            (Some("http://a.example:8080"), "a.example", false),
            (Some("http://a.example"), "a.example:8080", false),
            (Some("https://a.example"), "a.example:80", false),
            (Some("https://b.example"), "a.example", false),
            (Some("https://a.example.evil"), "a.example", false),
            (Some("https://evil-a.example"), "a.example", false),
            (Some("ftp://a.example"), "a.example", false),
            (Some("a.example"), "a.example", false),
            (Some("https://a.example/"), "a.example", false),
            (Some("https://u@a.example"), "a.example", false),
            (Some("https://a.example:"), "a.example", false),
            (Some("https://a.example:+443"), "a.example", false),
            (Some("https://"), "a.example", false),
            (Some("null"), "a.example", false),
            (Some("*"), "a.example", false),
            (Some(""), "a.example", false),
        ] {
            check(origin, host, &[], expected);
        }
        assert!(!allowed(Some("https://a.example"), None, &[]));
        assert!(allowed(None, None, &[]));
    }

    #[test]
    fn listed_origins_are_allowed_with_their_scheme_and_port() {
        let listed = &["https://App.example", "http://localhost:5173"];
        for (origin, expected) in [
            ("https://app.example", true),
            ("HTTPS://APP.EXAMPLE:443", true),
            ("http://app.example", false),
            ("https://app.example:8443", false),
            ("http://localhost:5173", true),
            ("http://localhost", false),
            ("https://host.example", true),
            ("null", false),
        ] {
            check(Some(origin), "host.example", listed, expected);
        }
        check(None, "host.example", listed, true);
    }

    #[test]
    fn null_and_any_are_separate_words() {
        check(Some("null"), "h", &["null"], true);
        check(Some("null"), "h", &["*"], false);
        check(Some("https://other.example"), "h", &["*"], true);
        check(Some("junk"), "h", &["*", "null"], false);
    }

    #[test]
    fn an_answer_is_shared_with_listed_pages_by_name_or_with_all() {
        let page = "https://app.example";
        for (origin, listed, expected) in [
            (None, &["*"][..], None),
            (Some(page), &[], None),
            (Some(page), &[page], Some(page)),
            (
                Some("HTTPS://APP.example:443"),
                &[page],
                Some("HTTPS://APP.example:443"),
            ),
            (Some("https://app.example:8443"), &[page], None),
            (Some("http://app.example"), &[page], None),
            (Some("https://app.example.evil"), &[page], None),
            (Some(page), &["*"], Some("*")),
            (Some(page), &[page, "*"], Some("*")),
            (Some("null"), &["*"], None),
            (Some("null"), &["null"], Some("null")),
            (Some("*"), &["*"], None),
            (Some("junk"), &["*", "null"], None),
        ] {
            let listed: Vec<_> = listed.iter().map(|text| Origin::parse(text).unwrap()).collect();
            assert_eq!(
                shared_with(origin, &listed).as_deref(),
                expected,
                "{origin:?} {listed:?}"
            );
        }
    }

    #[test]
    fn entries_that_are_no_origins_are_refused() {
        for text in [
            "",
            "example.com",
            "https://",
            "https://a/",
            "https://a/b",
            "ws://a",
            "https://a:70000",
            "NULL",
        ] {
            assert_eq!(Origin::parse(text), None, "{text}");
        }
    }
}
