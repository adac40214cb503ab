//! The verifier: from the compact form to claims.
//!
//! Owns the order of the checks: size, form, algorithm, extensions, key, signature, and only then the claims.
#![deny(clippy::arithmetic_side_effects, clippy::cast_possible_truncation)]

use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny};

use super::claims::{self, Claims};
use super::{Algorithm, Keys, Secret, TokenError, base64url};
use crate::limits;
use crate::time::UnixMillis;

/// Verifies tokens against the configured keys.
#[derive(Clone, Debug)]
pub struct Verifier {
    keys: Keys,
}

/// The header fields that are read; `typ` and others are ignored.
#[derive(Deserialize)]
struct Header {
    alg: String,
    kid: Option<String>,
    #[serde(default, deserialize_with = "present")]
    crit: bool,
}

/// True, whatever the value: `null` too.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    IgnoredAny::deserialize(deserializer).map(|_| true)
}

impl Verifier {
    /// A verifier for these keys. Without any secret it refuses every token.
    #[must_use]
    pub fn new(keys: Keys) -> Self {
        Self { keys }
    }

    /// Verifies a token and reads its claims.
    ///
    /// A token with `kid` is checked against the secret of that name only, one without against all.
    ///
    /// # Shape
    /// `base64url(header) "." base64url(claims) "." base64url(signature)`, at most `limits::TOKEN_BYTES_MAX`
    /// bytes.
    ///
    /// # Errors
    /// [`TokenError`]: the first check that fails. The peer is told its fault only, the log its name.
    ///
    /// # Source
    /// RFC 7515, 5.2 and 7.1; RFC 7519, 7.2; RFC 8725, 3.
    pub fn verify(&self, token: &str, now: UnixMillis) -> Result<Claims, TokenError> {
        let claims = self.signed(token)?;
        Claims::parse(&claims, &self.keys, now)
    }

    /// The bytes of the claims of a token whose signature verifies.
    pub(super) fn signed(&self, token: &str) -> Result<Vec<u8>, TokenError> {
        if token.len() > limits::TOKEN_BYTES_MAX {
            return Err(TokenError::TooLarge);
        }
        let (input, signature) = token.rsplit_once('.').ok_or(TokenError::Malformed)?;
        // A third point would be within the claims, and is no base64url.
        let (header, claims) = input.split_once('.').ok_or(TokenError::Malformed)?;
        let decode = |part| base64url::decode(part).ok_or(TokenError::Malformed);
        let (header, claims, signature) = (decode(header)?, decode(claims)?, decode(signature)?);
        let header: Header = claims::object(&header)?;
        let algorithm = Algorithm::parse(&header.alg).filter(|a| self.keys.algorithms.contains(a));
        let algorithm = algorithm.ok_or(TokenError::Algorithm)?;
        if header.crit {
            return Err(TokenError::Critical);
        }
        let verifies = |secret: &Secret| algorithm.verifies(secret, input.as_bytes(), &signature);
        let mut named = self.keys.named.iter();
        let verified = match header.kid {
            Some(kid) => {
                let (_, secret) = named
                    .find(|(name, _)| *name == kid)
                    .ok_or(TokenError::UnknownKey)?;
                verifies(secret)
            }
            None => self
                .keys
                .unnamed
                .iter()
                .chain(named.map(|(_, secret)| secret))
                .any(verifies),
        };
        if verified {
            Ok(claims)
        } else {
            Err(TokenError::Signature)
        }
    }
}
