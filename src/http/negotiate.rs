//! What a client will take: content codings, and what it has already.
//!
//! Owns the reading of `Accept-Encoding` ([`Coding`]) and of `If-None-Match` ([`has_already`]). Must not know
//! what is served. Key invariant: a client that says nothing, or nonsense, gets the bytes as they are. Tests
//! are below.
#![deny(clippy::arithmetic_side_effects, clippy::cast_possible_truncation)]

use super::trim;

/// A way to pack the bytes of a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Coding {
    /// As they are.
    Identity,
    /// gzip (RFC 1952).
    Gzip,
    /// Brotli (RFC 7932).
    Brotli,
}

impl Coding {
    /// The name in `Content-Encoding`; `None` where that field is left out.
    #[must_use]
    pub fn name(self) -> Option<&'static str> {
        match self {
            Self::Identity => None,
            Self::Gzip => Some("gzip"),
            Self::Brotli => Some("br"),
        }
    }

    /// The one of `offered` that the elements of `Accept-Encoding` weigh most; of equals the earliest.
    ///
    /// Where none is acceptable it is [`Coding::Identity`]: an answer is of more use than a refusal, which
    /// the RFC leaves to us.
    ///
    /// # Source
    /// RFC 9110, 12.5.3 and 12.4.2.
    #[must_use]
    pub fn preferred<'a>(elements: impl Iterator<Item = &'a [u8]>, offered: &[Self]) -> Self {
        let accepted: Vec<(&[u8], u16)> = elements.filter_map(weighted).collect();
        let mut best = (Self::Identity, 0);
        for &coding in offered {
            let weight = coding.weight(&accepted);
            if weight > best.1 {
                best = (coding, weight);
            }
        }
        best.0
    }

    /// How much the client wants this one, in thousandths; 0 where it must not be sent.
    fn weight(self, accepted: &[(&[u8], u16)]) -> u16 {
        let named = |names: &[&str]| {
            let is_one = |name: &[u8]| names.iter().any(|n| name.eq_ignore_ascii_case(n.as_bytes()));
            let mut found = accepted.iter().filter(|(name, _)| is_one(name));
            found.next().map(|(_, weight)| *weight)
        };
        let rest = named(&["*"]);
        match self {
            Self::Brotli => named(&["br"]).or(rest),
            // `x-gzip` is the same (RFC 9110, 8.4.1.3).
            Self::Gzip => named(&["gzip", "x-gzip"]).or(rest),
            // Acceptable unless it is excluded; but who names others would rather have those.
            Self::Identity => named(&["identity"]).or(rest).or(Some(1)),
        }
        .unwrap_or_default()
    }
}

/// Reads `name [;q=weight]`; `None` for what is neither.
fn weighted(element: &[u8]) -> Option<(&[u8], u16)> {
    let mut parts = element.splitn(2, |&b| b == b';');
    let name = trim(parts.next().unwrap_or_default());
    let Some(parameter) = parts.next().map(trim) else {
        return Some((name, 1_000));
    };
    let (b'q' | b'Q', rest) = parameter.split_first()? else {
        return None;
    };
    Some((name, thousandths(rest.strip_prefix(b"=")?)?))
}

/// Reads a weight: `0` or `1`, and up to three decimals; not over 1.
fn thousandths(text: &[u8]) -> Option<u16> {
    let (whole, decimals) = match text {
        [whole] | [whole, b'.'] => (whole, &[][..]),
        [whole, b'.', decimals @ ..] if decimals.len() <= 3 => (whole, decimals),
        _ => return None,
    };
    let digit = |b: u8| b.is_ascii_digit().then(|| u16::from(b.wrapping_sub(b'0')));
    let mut weight = digit(*whole)?;
    for at in 0..3 {
        let next = decimals.get(at).map_or(Some(0), |&b| digit(b))?;
        weight = weight.checked_mul(10)?.checked_add(next)?;
    }
    (weight <= 1_000).then_some(weight)
}

/// Whether one of the elements of `If-None-Match` is `etag`, quotes included, or `*`.
///
/// Elements are what commas cut apart: an entity tag of ours has none, and a foreign one that has some is not
/// ours.
///
/// # Source
/// RFC 9110, 13.1.2 and 8.8.3.2 (weak comparison).
#[must_use]
pub fn has_already<'a>(mut elements: impl Iterator<Item = &'a [u8]>, etag: &str) -> bool {
    elements.any(|element| {
        let opaque = element.strip_prefix(b"W/").unwrap_or(element);
        element == b"*" || opaque == etag.as_bytes()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Coding; 3] = [Coding::Brotli, Coding::Gzip, Coding::Identity];

    fn elements(text: &str) -> impl Iterator<Item = &[u8]> {
        text.as_bytes()
            .split(|&b| b == b',')
            .map(trim)
            .filter(|element| !element.is_empty())
    }

    #[test]
    fn the_coding_is_the_one_that_the_client_weighs_most() {
        for (accepted, expected) in [
            ("", Coding::Identity),
            ("gzip, deflate, br, zstd", Coding::Brotli),
            ("gzip, deflate", Coding::Gzip),
            ("X-GZIP", Coding::Gzip),
            ("deflate, zstd", Coding::Identity),
            ("br;q=0.5, gzip;q=0.8", Coding::Gzip),
            ("br ; q=0.5 , gzip;Q=0.5", Coding::Brotli),
            ("br;q=0, gzip", Coding::Gzip),
            ("br;q=0.000, gzip;q=0.0", Coding::Identity),
            ("br;q=0.001", Coding::Brotli),
            ("identity, gzip;q=0.5", Coding::Identity),
            ("identity;q=0.5, gzip;q=0.5", Coding::Gzip),
            ("identity;q=0, gzip;q=0.1", Coding::Gzip),
            ("*", Coding::Brotli),
            ("*;q=0", Coding::Identity),
            ("*;q=0, gzip", Coding::Gzip),
            ("br;q=0, *;q=0.3", Coding::Gzip),
            ("identity;q=0", Coding::Identity),
            ("br;q=1.001, gzip;q=0.2", Coding::Gzip),
            ("br;q=2, gzip;q=0.2", Coding::Gzip),
            ("br;q=0.1234", Coding::Identity),
            ("br;q=, gzip;q", Coding::Identity),
            ("br;level=3", Coding::Identity),
            ("br;q=1., gzip;q=0.999", Coding::Brotli),
            (";q=1, bromine", Coding::Identity),
        ] {
            assert_eq!(
                Coding::preferred(elements(accepted), &ALL),
                expected,
                "{accepted:?}"
            );
        }
    }

    #[test]
    fn only_what_is_offered_is_sent() {
        let offered = [Coding::Gzip, Coding::Identity];
        assert_eq!(
            Coding::preferred(elements("br, gzip;q=0.1"), &offered),
            Coding::Gzip
        );
        assert_eq!(Coding::preferred(elements("br"), &offered), Coding::Identity);
        assert_eq!(
            Coding::preferred(elements("br"), &[Coding::Identity]),
            Coding::Identity
        );
    }

    #[test]
    fn an_entity_tag_is_known_where_it_is_listed() {
        for (listed, expected) in [
            ("", false),
            ("\"a\"", true),
            ("W/\"a\"", true),
            ("\"b\", \"a\"", true),
            ("*", true),
            ("a", false),
            ("\"A\"", false),
            ("\"b\", \"aa\"", false),
            ("w/\"a\"", false),
        ] {
            assert_eq!(has_already(elements(listed), "\"a\""), expected, "{listed:?}");
        }
    }
}
