//! The `Host` rule: under which names the server is reached, and which requests are for it.
//!
//! Owns [`PublicUrl`] and [`Served`]. Must not know settings or heads; it is given the header's value. Key
//! invariant: where the rule holds, a name that a stranger's DNS can point at this server is not served, so
//! that no page of theirs becomes of the same origin as a board (DNS rebinding). Addresses and `localhost`
//! need no DNS, and pass. Tests are below.
#![deny(clippy::arithmetic_side_effects, clippy::cast_possible_truncation)]

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};

use super::origin::{Origin, Page};

/// Scheme, host, port and base path under which people reach the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicUrl {
    page: Page,
    /// Empty, or with a leading slash and without one at its end.
    path: String,
}

impl PublicUrl {
    /// What [`Self::parse`] takes, in words.
    pub const EXPECTED: &str = "http:// or https://, a host, and a port and a path where there are any, such as \
                                https://boards.example.com or https://example.com:8443/boards";

    /// Reads `https://host[:port][/path]`; `None` where it is something else, or has more: a user, a query, a
    /// fragment. A slash at its end is left out.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let authority_at = text.find("://")?.checked_add(3)?;
        let path_at = text
            .get(authority_at..)?
            .find('/')
            .and_then(|at| at.checked_add(authority_at))
            .unwrap_or(text.len());
        let (origin, path) = text.split_at_checked(path_at)?;
        let page = Page::parse(origin).filter(|page| page.has_port() && is_host(page.host()))?;
        let path = path.strip_suffix('/').unwrap_or(path);
        let sound = path.is_empty() || path.split('/').skip(1).all(is_segment);
        sound.then(|| Self {
            page,
            path: path.to_owned(),
        })
    }

    /// The origin that its pages have.
    #[must_use]
    pub fn origin(&self) -> Origin {
        Origin::Page(self.page.clone())
    }

    /// What stands before every path: empty, or such as `/boards`.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }
}

/// As one would write it, without a slash at its end and without a port that goes without saying.
impl fmt::Display for PublicUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.page, self.path)
    }
}

/// A name of letters, digits, `-`, `_` and dots, or an address.
fn is_host(host: &str) -> bool {
    let label = |label: &str| {
        let part = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
        !label.is_empty() && label.bytes().all(part)
    };
    is_address(host) || name_of(host).split('.').all(label)
}

/// A segment that no browser and no proxy writes in another way.
fn is_segment(segment: &str) -> bool {
    let part = |b: u8| b.is_ascii_alphanumeric() || b"-._~".contains(&b);
    !segment.is_empty() && segment != "." && segment != ".." && segment.bytes().all(part)
}

/// Which hosts are served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Served {
    /// Whatever the request names.
    Any,
    /// Addresses, `localhost` and its subdomains, and the host of the public URL.
    Named(Option<PublicUrl>),
}

impl Served {
    /// Whether a request with this `Host` is served; `None` is one without, which only HTTP/1.0 may be and no
    /// browser is.
    ///
    /// The port is not compared: a proxy may leave it out, and who has the name has all of its ports.
    ///
    /// # Source
    /// RFC 9110, 7.2 and 7.4; RFC 6761, 6.3 for `localhost`.
    #[must_use]
    pub fn includes(&self, host: Option<&str>) -> bool {
        let (Self::Named(public), Some(host)) = (self, host) else {
            return true;
        };
        let Some(host) = without_port(host) else {
            return false;
        };
        let name = name_of(host);
        let under_localhost = || {
            let dot = name.len().checked_sub("localhost".len());
            let (sub, last) = dot.and_then(|at| name.split_at_checked(at)).unwrap_or_default();
            last.eq_ignore_ascii_case("localhost") && (sub.is_empty() || sub.ends_with('.'))
        };
        let is_public = |public: &PublicUrl| name_of(public.page.host()).eq_ignore_ascii_case(name);
        is_address(host) || under_localhost() || public.as_ref().is_some_and(is_public)
    }
}

/// A name without the dot that may end it: with and without, it is the same one.
fn name_of(host: &str) -> &str {
    host.strip_suffix('.').unwrap_or(host)
}

fn is_address(host: &str) -> bool {
    match host.strip_prefix('[').map(|rest| rest.strip_suffix(']')) {
        Some(literal) => literal.is_some_and(|text| text.parse::<Ipv6Addr>().is_ok()),
        None => host.parse::<Ipv4Addr>().is_ok(),
    }
}

/// The host of `host[:port]`; `None` where what follows it is no port.
fn without_port(host: &str) -> Option<&str> {
    let end = match host.starts_with('[') {
        true => host.find(']')?.checked_add(1)?,
        false => host.find(':').unwrap_or(host.len()),
    };
    let (host, port) = host.split_at_checked(end)?;
    let is_port = |port: &str| port.bytes().all(|b| b.is_ascii_digit());
    (port.is_empty() || port.strip_prefix(':').is_some_and(is_port)).then_some(host)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_public_url_is_scheme_host_port_and_path() {
        for (text, shown, path) in [
            ("https://a.example", "https://a.example", ""),
            ("https://a.example/", "https://a.example", ""),
            ("HTTPS://A.Example:443", "https://a.example", ""),
            ("http://a.example:80/x", "http://a.example/x", "/x"),
            (
                "https://a.example:8443/boards/",
                "https://a.example:8443/boards",
                "/boards",
            ),
            (
                "https://a.example/A-b_c~d/e.f",
                "https://a.example/A-b_c~d/e.f",
                "/A-b_c~d/e.f",
            ),
            ("http://192.0.2.7:8080", "http://192.0.2.7:8080", ""),
            ("http://[2001:db8::1]:8080/x", "http://[2001:db8::1]:8080/x", "/x"),
            ("http://boards", "http://boards", ""),
            ("http://my_board.lan", "http://my_board.lan", ""),
        ] {
            let url = PublicUrl::parse(text).unwrap_or_else(|| panic!("{text}"));
            assert_eq!((url.to_string().as_str(), url.path()), (shown, path), "{text}");
            assert_eq!(PublicUrl::parse(shown), Some(url), "it reads what it writes");
        }
        assert_eq!(
            PublicUrl::parse("https://a.example:443/x").map(|url| url.origin()),
            Origin::parse("https://a.example")
        );
    }

    #[test]
    fn what_is_no_public_url_is_refused() {
        for text in [
            "",
            "a.example",
            "//a.example",
            "a.example:8080",
            "ws://a.example",
            "ftp://a.example",
            "https://",
            "https:///x",
            "https://:8080",
            "https://a.example:",
            "https://a.example:0",
            "https://a.example:65536",
            "https://a.example:+1",
            "https://user@a.example",
            "https://user:secret@a.example",
            "https://a.example?x",
            "https://a.example/?x",
            "https://a.example/x?y=1",
            "https://a.example/#x",
            "https://a.example//",
            "https://a.example//x",
            "https://a.example/x//y",
            "https://a.example/.",
            "https://a.example/x/../y",
            "https://a.example/a%20b",
            "https://a.example/a b",
            "https://a..example",
            "https://.example",
            "https://b\u{fc}cher.example",
            "https://[::1",
            "https://[v1.x]",
            "https://[a.example]",
            "*",
            "null",
            "https://*.example",
            " https://a.example",
        ] {
            assert_eq!(PublicUrl::parse(text), None, "{text}");
        }
    }

    #[test]
    fn names_that_dns_can_point_anywhere_are_not_served() {
        let dev = Served::Named(None);
        let public = Served::Named(PublicUrl::parse("https://Boards.example:8443/x"));
        for (host, in_dev, in_public) in [
            ("127.0.0.1", true, true),
            ("127.0.0.1:8080", true, true),
            ("192.168.1.5:8080", true, true),
            ("[::1]", true, true),
            ("[::1]:8080", true, true),
            ("localhost", true, true),
            ("LocalHost:8080", true, true),
            ("localhost.", true, true),
            ("a.localhost:1", true, true),
            ("boards.example", false, true),
            ("BOARDS.example:8443", false, true),
            ("boards.example.:8443", false, true),
            ("boards.example:80", false, true),
            ("evil.example", false, false),
            ("evil.example:8080", false, false),
            ("boards.example.evil.example", false, false),
            ("evil-boards.example", false, false),
            ("a.boards.example", false, false),
            ("notlocalhost", false, false),
            ("localhost.evil.example", false, false),
            ("127.0.0.1.evil.example", false, false),
            ("127.1", false, false),
            ("0x7f000001", false, false),
            ("2130706433", false, false),
            ("::1", false, false),
            ("[::1", false, false),
            ("[::1]x", false, false),
            ("[evil.example]", false, false),
            ("localhost:x", false, false),
            ("localhost..", false, false),
            (".", false, false),
        ] {
            assert_eq!(dev.includes(Some(host)), in_dev, "{host} with --dev");
            assert_eq!(public.includes(Some(host)), in_public, "{host} with --public-url");
            assert!(Served::Any.includes(Some(host)), "{host}");
        }
        assert!(dev.includes(None) && public.includes(None) && Served::Any.includes(None));
    }
}
