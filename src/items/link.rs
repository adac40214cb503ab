//! Addresses: which links and image sources an item takes.
//!
//! Owns the two checks. Key invariant: what passes is an URL for `new URL()` of browsers, and one that
//! tldraw's `linkUrl` or `srcUrl` takes, so it makes no record invalid; it is stricter where browsers repair
//! (white space, backslashes). Sources: WHATWG URL (host parsing), @tldraw/validate 3.15.6. Tests are below,
//! and in tests/node/items-schema.test.mjs.

use std::net::{Ipv4Addr, Ipv6Addr};

/// Whether `text` may be a link: http, https or mailto.
pub(super) fn is_link(text: &str) -> bool {
    is_clean(text) && (is_web(text) || strip(text, "mailto:").is_some_and(|rest| rest.contains('@')))
}

/// Whether `text` may be the source of an image: http, https, a path on the board's own origin, or a data
/// URL.
pub(super) fn is_image_source(text: &str) -> bool {
    is_clean(text) && (is_web(text) || is_path(text) || is_image_data(text))
}

/// The media type of a data URL.
pub(super) fn media_type(text: &str) -> Option<&str> {
    strip(text, "data:").and_then(|rest| rest.split(';').next())
}

/// Whether `text` is an image in a data URL, which has a bound of its own.
pub(super) fn is_image_data(text: &str) -> bool {
    let data = strip(text, "data:image/").and_then(|rest| rest.split_once(";base64,"));
    data.is_some_and(|(subtype, data)| {
        let named = subtype
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'+' | b'-'));
        let encoded = data.trim_end_matches('=');
        let is_base64 = encoded
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/'));
        !subtype.is_empty() && named && !encoded.is_empty() && is_base64
    })
}

/// Nothing that browsers would strip or turn round.
fn is_clean(text: &str) -> bool {
    !text
        .chars()
        .any(|c| c.is_control() || c.is_whitespace() || c == '\\')
}

/// A path on the same origin; `//host` is another one.
fn is_path(text: &str) -> bool {
    text.starts_with('/') && !text.starts_with("//")
}

fn is_web(text: &str) -> bool {
    let rest = strip(text, "https://").or_else(|| strip(text, "http://"));
    rest.is_some_and(|rest| {
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        rest.get(..end).is_some_and(is_authority)
    })
}

/// Host and port, without a user: a name and password do not belong on a board.
fn is_authority(text: &str) -> bool {
    if let Some((address, port)) = text.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        return address.parse::<Ipv6Addr>().is_ok()
            && (port.is_empty() || port.strip_prefix(':').is_some_and(is_port));
    }
    match text.split_once(':') {
        Some((host, port)) => is_host(host) && is_port(port),
        None => is_host(text),
    }
}

fn is_port(text: &str) -> bool {
    text.is_empty() || text.bytes().all(|b| b.is_ascii_digit()) && text.parse::<u16>().is_ok()
}

/// An ASCII name, or an IPv4 address in its usual form. Names in Punycode can be wrong in ways that take
/// tables to see, and a wrong one would make the record invalid.
fn is_host(text: &str) -> bool {
    let named = |label: &str| {
        let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_');
        !label.is_empty() && label.bytes().all(allowed) && strip(label, "xn--").is_none()
    };
    let host = text.strip_suffix('.').unwrap_or(text);
    let last = host.rsplit('.').next().unwrap_or_default();
    // Browsers read a name as an address when its last label is a number.
    if last.bytes().next().is_some_and(|b| b.is_ascii_digit()) {
        let is_number = last.bytes().all(|b| b.is_ascii_digit()) || strip(last, "0x").is_some();
        if is_number {
            return host.parse::<Ipv4Addr>().is_ok();
        }
    }
    host.split('.').all(named)
}

/// `text` without a prefix, whose case does not count.
fn strip<'a>(text: &'a str, prefix: &str) -> Option<&'a str> {
    let (start, rest) = text.split_at_checked(prefix.len())?;
    start.eq_ignore_ascii_case(prefix).then_some(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Also read by tests/node/items-schema.test.mjs, which asks browsers' rules and tldraw's about them.
    const LINKS: &str = include_str!("links.txt");

    #[test]
    fn links_and_sources_are_told_from_the_rest() {
        for line in LINKS.lines().filter(|line| !line.starts_with('#')) {
            let (kind, text) = line.split_once(' ').unwrap();
            let expected = match kind {
                "both" => (true, true),
                "link" => (true, false),
                "source" => (false, true),
                _ => (false, false),
            };
            assert_eq!((is_link(text), is_image_source(text)), expected, "{text}");
        }
        assert!(is_link("https://a/\u{e4}?\u{6f22}") && !is_link("https://m\u{fc}ller.de/"));
        assert!(!is_link("") && !is_image_source(""));
        assert!(!is_link("https://a/\n") && !is_image_source("https://a/\u{7f}"));
    }

    #[test]
    fn the_media_type_is_read() {
        assert_eq!(media_type("data:image/png;base64,AA=="), Some("image/png"));
        assert_eq!(media_type("https://a/b.png"), None);
    }
}
