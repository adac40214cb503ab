//! Where credentials stand in a request.
//!
//! Owns [`Presented`]. Must not verify anything. Key invariant: a credential that was sent is found or
//! refused, never passed over; an empty parameter counts as not sent. Tests are below.

use std::fmt;

use super::SentSecret;
use super::secret::{SecretHash, SecretKind};
use crate::fault::Fault;
use crate::http::head::Head;
use crate::http::target::Target;

/// The query parameters that hold credentials: any request may have them.
pub(crate) const PARAMETERS: [&str; 3] = [TOKEN, KEY, LINK];
const TOKEN: &str = "token";
const KEY: &str = "apiKey";
const LINK: &str = "share";

/// The credentials of a request as they were sent, not verified.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Presented<'a> {
    /// From `Authorization: Bearer`; not one that is an API key.
    bearer: Option<&'a str>,
    /// From `?token=`.
    parameter: Option<&'a str>,
    /// From `X-API-Key`.
    key: Option<&'a str>,
    /// An API key from `Authorization: Bearer`, where many programs can send no other field. No JWT begins
    /// like one.
    bearer_key: Option<&'a str>,
    /// From `?apiKey=`.
    key_parameter: Option<&'a str>,
    /// From `?share=`.
    link: Option<&'a str>,
}

/// Says only what was sent, not how it reads.
impl fmt::Debug for Presented<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sent = [
            self.bearer,
            self.parameter,
            self.key,
            self.bearer_key,
            self.key_parameter,
            self.link,
        ];
        f.debug_tuple("Presented")
            .field(&sent.map(|text| text.is_some()))
            .finish()
    }
}

impl<'a> Presented<'a> {
    /// Finds the credentials of a request.
    ///
    /// Authentication schemes other than `Bearer` are for a proxy in front, and left alone.
    ///
    /// # Errors
    /// [`Fault::InvalidCredential`] where it cannot be told which credential was meant: one stands twice, or
    /// is not printable.
    ///
    /// # Source
    /// RFC 6750, 2.1; RFC 9110, 11.1.
    pub fn find(head: &Head<'a>, target: &'a Target<'_>) -> Result<Self, Fault> {
        let field = |name| head.unique(name).map_err(|_| Fault::InvalidCredential);
        let asked = |name| target.parameter(name).map_err(|_| Fault::InvalidCredential);
        let (authorization, key) = (field("authorization")?, field("x-api-key")?);
        let (parameter, key_parameter, link) = (asked(TOKEN)?, asked(KEY)?, asked(LINK)?);
        let bearer = authorization.and_then(bearer);
        let is_key = |text: &&str| text.starts_with(SecretKind::Key.prefix());
        Ok(Self {
            bearer: bearer.filter(|text| !is_key(text)),
            parameter,
            key: key.filter(|text| !text.is_empty()),
            bearer_key: bearer.filter(is_key),
            key_parameter,
            link,
        })
    }

    /// The API keys and share links, each once; every one must be valid.
    pub fn secrets(self) -> impl Iterator<Item = SentSecret> {
        let bearer = self.bearer_key.filter(|_| self.bearer_key != self.key);
        let is_new = |key: &&str| ![self.key, self.bearer_key].contains(&Some(*key));
        let keys = [self.key, bearer, self.key_parameter.filter(is_new)].into_iter();
        let keys = keys.flatten().map(|text| (SecretKind::Key, text));
        let links = self.link.into_iter().map(|text| (SecretKind::Link, text));
        keys.chain(links).map(|(kind, text)| SentSecret {
            kind,
            hash: SecretHash::of(text),
        })
    }

    /// The JWTs, each once; every one must verify.
    pub fn tokens(self) -> impl Iterator<Item = &'a str> {
        let parameter = self.parameter.filter(|token| Some(*token) != self.bearer);
        self.bearer.into_iter().chain(parameter)
    }
}

/// The token of `Bearer token`; empty, and so refused, where there is only the scheme.
pub(crate) fn bearer(value: &str) -> Option<&str> {
    let (scheme, token) = value.split_once(' ').unwrap_or((value, ""));
    scheme
        .eq_ignore_ascii_case("bearer")
        .then(|| token.trim_start_matches(' '))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::head;

    fn tokens(target: &str, fields: &str) -> Result<Vec<String>, Fault> {
        let bytes = format!("GET {target} HTTP/1.1\r\nHost: a\r\n{fields}\r\n");
        let (head, _) = head::parse(bytes.as_bytes()).unwrap().unwrap();
        let target = Target::parse(head.target).unwrap();
        let presented = Presented::find(&head, &target)?;
        let shown = format!(
            "{presented:?} {:?}",
            presented.secrets().collect::<Vec<SentSecret>>()
        );
        assert!(!shown.contains("abc") && !shown.contains("bw"), "{shown}");
        Ok(presented.tokens().map(str::to_owned).collect())
    }

    #[test]
    fn keys_and_links_are_found_wherever_they_stand() {
        let (key, link) = (SecretKind::Key, SecretKind::Link);
        assert_eq!(
            tokens("/?apiKey=bw_abc&share=bwl_abc", "X-API-Key: bw_abcd\r\n").unwrap(),
            [""; 0],
            "and their debug output shows none of them"
        );
        for (target, fields, expected) in [
            ("/?apiKey=k", "", &[(key, "k")][..]),
            ("/", "X-API-Key:  k \r\n", &[(key, "k")]),
            ("/?apikey=k&Share=s&api%4Bey=l", "", &[(key, "l")]),
            ("/?apiKey=k&share=k", "", &[(key, "k"), (link, "k")]),
            ("/", "X-API-Key: k\r\n", &[(key, "k")]),
            ("/?apiKey=k", "x-api-key: k\r\n", &[(key, "k")]),
            (
                "/?apiKey=l&share=s",
                "X-API-Key: k\r\n",
                &[(key, "k"), (key, "l"), (link, "s")],
            ),
            ("/", "Authorization: Bearer bw_k\r\n", &[(key, "bw_k")]),
            (
                "/?apiKey=bw_k",
                "X-API-Key: bw_k\r\nAuthorization: bearer  bw_k\r\n",
                &[(key, "bw_k")],
            ),
            (
                "/?apiKey=bw_l",
                "X-API-Key: bw_j\r\nAuthorization: Bearer bw_k\r\n",
                &[(key, "bw_j"), (key, "bw_k"), (key, "bw_l")],
            ),
            ("/", "Authorization: Bearer bwl_k\r\n", &[]),
            ("/?apiKey=&share=", "X-API-Key: \r\n", &[]),
            ("/?token=t", "", &[]),
        ] {
            let bytes = format!("GET {target} HTTP/1.1\r\nHost: a\r\n{fields}\r\n");
            let (head, _) = head::parse(bytes.as_bytes()).unwrap().unwrap();
            let parsed = Target::parse(head.target).unwrap();
            let found: Vec<SentSecret> = Presented::find(&head, &parsed).unwrap().secrets().collect();
            let expected = expected.iter().map(|(kind, text)| SentSecret {
                kind: *kind,
                hash: SecretHash::of(text),
            });
            assert_eq!(found, expected.collect::<Vec<_>>(), "{target} {fields}");
        }
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
            ("/?token=abc", "Authorization: Bearer bw_def\r\n", &["abc"]),
            ("/", "Authorization: Bearer bwl_def\r\n", &["bwl_def"]),
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
        assert_eq!(tokens("/", twice), Err(Fault::InvalidCredential));
        for fields in ["X-API-Key: abc\r\nx-api-key: abc\r\n", "X-API-Key: \u{e4}\r\n"] {
            assert_eq!(tokens("/", fields), Err(Fault::InvalidCredential));
        }
        for target in [
            "/?token=abc&token=def",
            "/?apiKey=abc&apiKey=abc",
            "/?share=abc&sh%61re=abc",
        ] {
            let refused = Err(Fault::InvalidCredential);
            assert_eq!(tokens(target, ""), refused, "{target}");
        }
    }
}
