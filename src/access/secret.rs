//! Share links and API keys as secrets: how they are made, hashed, named and compared.
//!
//! Owns [`SecretHash`] and the text form of both. Must not draw randomness or look anything up. Key
//! invariant: what is kept is the hash; the text exists in the answer that shows it once, and in requests.
//! Tests are below.
#![deny(clippy::arithmetic_side_effects, clippy::cast_possible_truncation)]

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::ids::{SecretId, Subject};

/// Random bytes of a secret: 256 bits, beyond any guessing.
pub const SECRET_BYTES: usize = 32;

/// Which of the two it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum SecretKind {
    /// A share link's token, sent as `?share=`.
    Link,
    /// An API key, sent as `X-API-Key` or `?apiKey=`.
    Key,
}

impl SecretKind {
    /// What the text of such a secret starts with, so that scanners of leaked secrets know it.
    #[must_use]
    pub fn prefix(self) -> &'static str {
        match self {
            Self::Link => "bwl_",
            Self::Key => "bw_",
        }
    }

    /// Whom a request with such a secret acts for.
    #[must_use]
    pub fn subject(self, id: &SecretId) -> Subject {
        match self {
            Self::Link => Subject::link(id),
            Self::Key => Subject::key(id),
        }
    }
}

/// The SHA-256 of a secret's whole text.
#[derive(Clone, Copy, Eq)]
pub struct SecretHash(pub [u8; 32]);

/// As [`SecretHash::matches`], so that no comparison of hashes is of another kind.
impl PartialEq for SecretHash {
    fn eq(&self, other: &Self) -> bool {
        self.matches(other)
    }
}

/// Says nothing: whoever has the hash cannot get in with it, but it belongs into no log either.
impl fmt::Debug for SecretHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretHash")
    }
}

impl SecretHash {
    /// The hash of the text of a link or key.
    #[must_use]
    pub fn of(text: &str) -> Self {
        Self(Sha256::digest(text.as_bytes()).into())
    }

    /// The id under which it is kept: the first 96 bits of the hash, which say nothing about the text.
    #[must_use]
    pub fn id(&self) -> SecretId {
        let mut short = [0; SecretId::BYTES];
        for (to, from) in short.iter_mut().zip(self.0) {
            *to = from;
        }
        SecretId::from_bytes(short)
    }

    /// Whether both are the same, in a time that does not depend on where they differ.
    #[must_use]
    pub fn matches(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

/// The text of a new secret, from fresh random bytes.
///
/// # Shape
/// The prefix, and 43 characters of base64url without padding.
#[must_use]
pub fn text(kind: SecretKind, random: [u8; SECRET_BYTES]) -> String {
    format!("{}{}", kind.prefix(), URL_SAFE_NO_PAD.encode(random))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Bytes that count up from zero.
    fn counting() -> [u8; SECRET_BYTES] {
        std::array::from_fn(|n| u8::try_from(n).unwrap())
    }

    #[test]
    fn texts_are_their_prefix_and_the_bytes_in_base64url() {
        assert_eq!(
            text(SecretKind::Key, counting()),
            "bw_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"
        );
        assert_eq!(
            text(SecretKind::Link, [0; SECRET_BYTES]),
            format!("bwl_{}", "A".repeat(43))
        );
        assert_eq!(
            text(SecretKind::Link, [0xff; SECRET_BYTES]),
            format!("bwl_{}8", "_".repeat(42))
        );
    }

    /// Computed with sha256sum; the first is the vector of FIPS 180-2, B.1.
    #[test]
    fn hashes_are_the_sha_256_of_the_whole_text_and_ids_their_first_96_bits() {
        for (text, hash, id) in [
            (
                "abc",
                "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
                "ungWv48Bz-pBQUDe",
            ),
            (
                "bw_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8",
                "6797cedff6af12978f3178374560a86c4243d53c6939c85e547fd7369179ec04",
                "Z5fO3_avEpePMXg3",
            ),
            (
                "bwl_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
                "68f954dfa4d5b33d50360229c04e950d412d8b9163bdfea2779ca3d049facf64",
                "aPlU36TVsz1QNgIp",
            ),
            (
                "",
                "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
                "47DEQpj8HBSa-_TI",
            ),
        ] {
            let got = SecretHash::of(text);
            let hex: String = got.0.iter().map(|byte| format!("{byte:02x}")).collect();
            assert_eq!((hex.as_str(), got.id().as_str()), (hash, id), "{text}");
            assert_eq!(SecretId::parse(id), Some(got.id()), "an id reads as what it is");
        }
    }

    #[test]
    fn hashes_match_when_every_bit_is_the_same() {
        let hash = SecretHash(counting());
        assert!(hash.matches(&hash) && hash == SecretHash(counting()));
        for byte in 0..32 {
            for bit in 0..8 {
                let mut other = hash;
                other.0[byte] ^= 1 << bit;
                assert!(
                    !hash.matches(&other) && !other.matches(&hash),
                    "byte {byte}, bit {bit}"
                );
                assert!(hash != other);
            }
        }
    }

    #[test]
    fn no_debug_output_shows_a_hash() {
        assert_eq!(format!("{:?}", SecretHash::of("bw_x")), "SecretHash");
    }

    #[test]
    fn a_link_and_a_key_of_one_hash_act_as_what_they_are() {
        let id = SecretHash::of("abc").id();
        assert_eq!(SecretKind::Link.subject(&id).as_str(), "link:ungWv48Bz-pBQUDe");
        assert_eq!(SecretKind::Key.subject(&id).as_str(), "key:ungWv48Bz-pBQUDe");
    }
}
