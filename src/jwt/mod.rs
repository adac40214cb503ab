//! HMAC-signed JSON Web Tokens: the verifier, and a mint for `boardwire token` and the tests.
//!
//! Owns the compact form, signatures and claims ([`Verifier`], [`Claims`], [`mint()`]). Must not know boards'
//! stored facts, nor where a token came from; the time is given. Key invariant: claims are read only after a
//! signature by a configured secret, under a configured algorithm, has been verified in constant time.
//!
//! Tests are in `jwt/tests.rs`, with the vectors of RFC 7515 and RFC 4231; the fuzz bodies are in `fuzzing`.
#![deny(clippy::arithmetic_side_effects, clippy::cast_possible_truncation)]

mod base64url;
mod claims;
pub mod invite;
mod mint;
mod verify;

#[cfg(any(test, fuzzing))]
pub mod fuzzing;
#[cfg(test)]
mod tests;

pub use claims::Claims;
pub use mint::{NewClaims, mint};
pub use verify::Verifier;

use std::fmt;

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::{Sha256, Sha384, Sha512};

use crate::fault::Fault;

/// A signature algorithm (RFC 7518, 3.2). There is no variant for `none`, nor for keys that others may know.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Algorithm {
    /// HMAC with SHA-256.
    Hs256,
    /// HMAC with SHA-384.
    Hs384,
    /// HMAC with SHA-512.
    Hs512,
}

impl Algorithm {
    /// Reads the name, as in the header `alg`; case-sensitive.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        match name {
            "HS256" => Some(Self::Hs256),
            "HS384" => Some(Self::Hs384),
            "HS512" => Some(Self::Hs512),
            _ => None,
        }
    }

    /// The name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Hs256 => "HS256",
            Self::Hs384 => "HS384",
            Self::Hs512 => "HS512",
        }
    }

    /// The signature of `input`.
    fn sign(self, secret: &Secret, input: &[u8]) -> Vec<u8> {
        match self {
            Self::Hs256 => secret
                .hmac_sha256()
                .chain_update(input)
                .finalize()
                .into_bytes()
                .to_vec(),
            Self::Hs384 => secret
                .hmac_sha384()
                .chain_update(input)
                .finalize()
                .into_bytes()
                .to_vec(),
            Self::Hs512 => secret
                .hmac_sha512()
                .chain_update(input)
                .finalize()
                .into_bytes()
                .to_vec(),
        }
    }

    /// Whether `signature` is that of `input`; takes the same time wherever it differs.
    fn verifies(self, secret: &Secret, input: &[u8], signature: &[u8]) -> bool {
        let outcome = match self {
            Self::Hs256 => secret.hmac_sha256().chain_update(input).verify_slice(signature),
            Self::Hs384 => secret.hmac_sha384().chain_update(input).verify_slice(signature),
            Self::Hs512 => secret.hmac_sha512().chain_update(input).verify_slice(signature),
        };
        outcome.is_ok()
    }
}

/// A secret that signs tokens. Never shown: its `Debug` says only how long it is.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Box<[u8]>);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Secret({} bytes)", self.0.len())
    }
}

/// Why a keyed hash can be made of any secret.
const ANY_LENGTH: &str = "HMAC takes keys of any length (RFC 2104, 2)";

#[expect(clippy::expect_used, reason = "HMAC takes keys of any length (RFC 2104, 2)")]
impl Secret {
    /// A secret; that it is long enough is checked where settings are read.
    #[must_use]
    pub fn new(bytes: impl Into<Box<[u8]>>) -> Self {
        Self(bytes.into())
    }

    /// A keyed hash of what is put into it; it verifies in constant time.
    pub(crate) fn hmac_sha256(&self) -> Hmac<Sha256> {
        Hmac::new_from_slice(&self.0).expect(ANY_LENGTH)
    }

    fn hmac_sha384(&self) -> Hmac<Sha384> {
        Hmac::new_from_slice(&self.0).expect(ANY_LENGTH)
    }

    fn hmac_sha512(&self) -> Hmac<Sha512> {
        Hmac::new_from_slice(&self.0).expect(ANY_LENGTH)
    }
}

/// What tokens are checked against: the settings `--jwt-*`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Keys {
    /// The secret without name.
    pub unnamed: Option<Secret>,
    /// Secrets by their name, the header's `kid`.
    pub named: Vec<(String, Secret)>,
    /// Algorithms that are accepted.
    pub algorithms: Vec<Algorithm>,
    /// The issuer that tokens must name; any when `None`.
    pub issuer: Option<String>,
    /// The audience that tokens must name; any when `None`.
    pub audience: Option<String>,
}

impl Keys {
    /// One secret without name, HS256, issuer and audience not checked.
    #[must_use]
    pub fn single(secret: Secret) -> Self {
        Self {
            unnamed: Some(secret),
            named: Vec::new(),
            algorithms: vec![Algorithm::Hs256],
            issuer: None,
            audience: None,
        }
    }
}

/// Why a token is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TokenError {
    /// It is over `limits::TOKEN_BYTES_MAX`.
    TooLarge,
    /// It is not three parts of strict base64url, or header or claims are not the JSON objects they must be.
    Malformed,
    /// The header names an algorithm that is not configured.
    Algorithm,
    /// The header has `crit`: an extension that must be understood, and is not.
    Critical,
    /// The header names a key that is not configured.
    UnknownKey,
    /// No configured secret made the signature.
    Signature,
    /// `sub` is missing, or not 1 to 256 bytes without control characters.
    Subject,
    /// `exp` is missing or not a number, or `nbf` is not a number.
    Dates,
    /// `exp` or `nbf` is beyond the year 9999: it was given in milliseconds.
    Milliseconds,
    /// `exp` has passed.
    Expired,
    /// `nbf` has not come yet.
    NotYetValid,
    /// `iss` is not the configured one.
    Issuer,
    /// `aud` does not name the configured one.
    Audience,
    /// `teams` is not an array of team ids.
    Teams,
    /// `boards` is not an object of board ids and levels, or names a board twice.
    Boards,
}

impl TokenError {
    /// Every variant, for tests.
    pub const ALL: [Self; 15] = [
        Self::TooLarge,
        Self::Malformed,
        Self::Algorithm,
        Self::Critical,
        Self::UnknownKey,
        Self::Signature,
        Self::Subject,
        Self::Dates,
        Self::Milliseconds,
        Self::Expired,
        Self::NotYetValid,
        Self::Issuer,
        Self::Audience,
        Self::Teams,
        Self::Boards,
    ];

    /// Whether it is a mistake of whoever holds the secret: the signature verifies, and a claim is wrong from
    /// the start.
    #[must_use]
    pub fn is_of_the_issuer(self) -> bool {
        match self {
            Self::Subject
            | Self::Dates
            | Self::Milliseconds
            | Self::NotYetValid
            | Self::Issuer
            | Self::Audience
            | Self::Teams
            | Self::Boards => true,
            Self::TooLarge
            | Self::Malformed
            | Self::Algorithm
            | Self::Critical
            | Self::UnknownKey
            | Self::Signature
            | Self::Expired => false,
        }
    }

    /// How the refusal is told to the peer.
    #[must_use]
    pub fn fault(self) -> Fault {
        match self {
            Self::Expired => Fault::ExpiredCredential,
            Self::TooLarge
            | Self::Malformed
            | Self::Algorithm
            | Self::Critical
            | Self::UnknownKey
            | Self::Signature
            | Self::Subject
            | Self::Dates
            | Self::Milliseconds
            | Self::NotYetValid
            | Self::Issuer
            | Self::Audience
            | Self::Teams
            | Self::Boards => Fault::InvalidCredential,
        }
    }
}

impl fmt::Display for TokenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TooLarge => "the token is too large",
            Self::Malformed => "the token is malformed",
            Self::Algorithm => "the token's algorithm is not accepted",
            Self::Critical => "the token has a critical extension",
            Self::UnknownKey => "the token's key is unknown",
            Self::Signature => "the token's signature does not verify",
            Self::Subject => "the token's sub is missing or malformed",
            Self::Dates => "the token's exp is missing, or exp or nbf is malformed",
            Self::Milliseconds => {
                "the token's exp or nbf is beyond the year 9999; it counts in seconds, not in milliseconds"
            }
            Self::Expired => "the token has expired",
            Self::NotYetValid => "the token is not valid yet",
            Self::Issuer => "the token's issuer is not accepted",
            Self::Audience => "the token's audience is not accepted",
            Self::Teams => "the token's teams are malformed",
            Self::Boards => "the token's boards are malformed",
        })
    }
}

impl std::error::Error for TokenError {}
