//! Where credentials stand in a request.
//!
//! Owns [`Presented`]. Must not verify anything. Key invariant: a credential that was sent is found or refused, never
//! passed over; an empty parameter counts as not sent. Tests are below.

use std::fmt;

use crate::http::head::{Head, HeadError};
use crate::http::target::{Target, TargetError};

/// The credentials of a request as they were sent, not verified. API keys and share links become further fields.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Presented<'a> {
    /// From `Authorization: Bearer`.
    bearer: Option<&'a str>,
    /// From `?token=`.
    parameter: Option<&'a str>,
    /// Whether an API key or a share link was sent.
    key_or_link: bool,
}

/// Says only what was sent, not how it reads.
impl fmt::Debug for Presented<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (bearer, parameter) = (self.bearer.is_some(), self.parameter.is_some());
        f.debug_struct("Presented")
            .field("bearer", &bearer)
            .field("parameter", &parameter)
            .finish()
    }
}

/// Why it cannot be told which credential was meant; the answer is that of an invalid credential.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PresentedError {
    /// `Authorization` was sent twice, or is not printable.
    Head(HeadError),
    /// A parameter was sent twice.
    Target(TargetError),
}

impl fmt::Display for PresentedError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Head(_) => "a credential header is repeated or malformed",
            Self::Target(_) => "a credential parameter is repeated",
        })
    }
}

impl std::error::Error for PresentedError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Head(error) => Some(error),
            Self::Target(error) => Some(error),
        }
    }
}

impl<'a> Presented<'a> {
    /// Finds the credentials of a request.
    ///
    /// Authentication schemes other than `Bearer` are for a proxy in front, and left alone.
    ///
    /// # Errors
    /// [`PresentedError`]: the peer's fault.
    ///
    /// # Source
    /// RFC 6750, 2.1; RFC 9110, 11.1.
    pub fn find(head: &Head<'a>, target: &'a Target<'_>) -> Result<Self, PresentedError> {
        let authorization = head.unique("authorization").map_err(PresentedError::Head)?;
        let parameter = target.parameter("token").map_err(PresentedError::Target)?;
        let key = head.unique("x-api-key").map_err(PresentedError::Head)?;
        let key_parameter = target.parameter("apiKey").map_err(PresentedError::Target)?;
        let link = target.parameter("share").map_err(PresentedError::Target)?;
        Ok(Self {
            bearer: authorization.and_then(bearer),
            parameter,
            key_or_link: key
                .or(key_parameter)
                .or(link)
                .is_some_and(|text| !text.is_empty()),
        })
    }

    /// Whether an API key or a share link was sent. None can be made yet, so none is valid.
    #[must_use]
    pub fn has_key_or_link(self) -> bool {
        self.key_or_link
    }

    /// The JWTs, each once; every one must verify.
    pub fn tokens(self) -> impl Iterator<Item = &'a str> {
        let parameter = self.parameter.filter(|token| Some(*token) != self.bearer);
        self.bearer.into_iter().chain(parameter)
    }
}

/// The token of `Bearer token`; empty, and so refused, where there is only the scheme.
fn bearer(value: &str) -> Option<&str> {
    let (scheme, token) = value.split_once(' ').unwrap_or((value, ""));
    scheme
        .eq_ignore_ascii_case("bearer")
        .then(|| token.trim_start_matches(' '))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::head;

    fn tokens(target: &str, fields: &str) -> Result<Vec<String>, PresentedError> {
        let bytes = format!("GET {target} HTTP/1.1\r\nHost: a\r\n{fields}\r\n");
        let (head, _) = head::parse(bytes.as_bytes()).unwrap().unwrap();
        let target = Target::parse(head.target).unwrap();
        let presented = Presented::find(&head, &target)?;
        assert!(!format!("{presented:?}").contains("abc"), "no token is shown");
        Ok(presented.tokens().map(str::to_owned).collect())
    }

    #[test]
    fn keys_and_links_are_noticed_wherever_they_stand() {
        let sent = |target: &str, fields: &str| {
            let bytes = format!("GET {target} HTTP/1.1\r\nHost: a\r\n{fields}\r\n");
            let (head, _) = head::parse(bytes.as_bytes()).unwrap().unwrap();
            let target = Target::parse(head.target).unwrap();
            Presented::find(&head, &target).unwrap().has_key_or_link()
        };
        assert!(sent("/?apiKey=k", "") && sent("/?share=s", "") && sent("/", "X-API-Key: k\r\n"));
        assert!(!sent("/?apiKey=&share=", "") && !sent("/?token=t", ""));
    }

    #[test]
    fn tokens_are_found_in_header_and_query() {
        for (target, fields, expected) in [
            ("/", "", &[][..]),
            ("/?token=", "", &[]),
            ("/?Token=abc", "", &[]),
            ("/?token=abc", "", &["abc"]),
            ("/", "Authorization: Bearer abc\r\n", &["abc"]),
            ("/", "authorization: bEARER   abc\r\n", &["abc"]),
            ("/?token=abc", "Authorization: Bearer abc\r\n", &["abc"]),
            ("/?token=def", "Authorization: Bearer abc\r\n", &["abc", "def"]),
            ("/?token=abc", "Authorization: Basic dTpw\r\n", &["abc"]),
            ("/", "Authorization: Bearerabc\r\n", &[]),
            ("/", "Authorization: Bearer\r\n", &[""]),
            ("/?token=abc", "Authorization: Bearer \r\n", &["", "abc"]),
        ] {
            assert_eq!(tokens(target, fields).unwrap(), expected, "{target} {fields}");
        }
    }

    #[test]
    fn a_credential_sent_twice_is_refused() {
        let twice = "Authorization: Bearer abc\r\nAuthorization: Bearer abc\r\n";
        assert_eq!(tokens("/", twice), Err(PresentedError::Head(HeadError::Field)));
        assert_eq!(
            tokens("/?token=abc&token=def", ""),
            Err(PresentedError::Target(TargetError::Duplicate))
        );
    }
}
