//! What two nodes say before one passes a request on to the other, as values.
//!
//! Owns the bytes of a challenge, an [`Offer`] and an [`Answer`], and the signature. Must not know sockets.
//! Key invariants: an offer is read only after its signature was verified, in constant time, by the secret of
//! all nodes; it is worth something on the connection that it was made for alone, since a challenge is never
//! given twice; a head is one whole request head as `http::head` reads it, and nothing behind it. Tests are
//! in `handshake/tests.rs`; docs/nodes.md has the bytes.
#![deny(clippy::arithmetic_side_effects, clippy::cast_possible_truncation)]

use std::net::IpAddr;

use hmac::{Hmac, Mac as _};
use sha2::Sha256;

use crate::http::head;
use crate::jwt::Secret;
use crate::limits;

#[cfg(any(test, fuzzing))]
pub mod fuzzing;
#[cfg(test)]
mod tests;

/// Bytes of a challenge.
pub const CHALLENGE_BYTES: usize = 32;

/// What the node that is asked says first: random bytes.
pub type Challenge = [u8; CHALLENGE_BYTES];

/// Bytes of the count before an offer.
pub const COUNT_BYTES: usize = 4;

/// Bytes of a signature.
const SIGNATURE_BYTES: usize = 32;

/// The only version there is.
const VERSION: u8 = 1;

/// What is signed begins with this, so that the secret signs nothing else of the same form.
const LABEL: &[u8] = b"boardwire: one node passes a request on to another\n";

/// A request that one node passes on to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Offer<'a> {
    /// The client's address.
    pub client: IpAddr,
    /// The head of its request, as it was received.
    pub head: &'a [u8],
}

/// Why an offer is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wrong {
    /// It would be too short or too long.
    Length,
    /// It is of a version that this server does not speak.
    Version,
    /// Its signature is not that of the secret, the challenge and this node.
    Signature,
    /// What was signed is no address and head.
    Malformed,
}

/// What the node that is asked says last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// From here on it is a connection of the client.
    Taken,
    /// Another node has what the request is about.
    NotOwner,
    /// The offer is wrong; the secrets differ, most likely.
    Refused,
    /// There are too many already.
    Busy,
}

impl Answer {
    /// The byte.
    #[must_use]
    pub fn byte(self) -> u8 {
        match self {
            Self::Taken => b'T',
            Self::NotOwner => b'N',
            Self::Refused => b'R',
            Self::Busy => b'B',
        }
    }

    /// Reads it.
    #[must_use]
    pub fn of(byte: u8) -> Option<Self> {
        [Self::Taken, Self::NotOwner, Self::Refused, Self::Busy]
            .into_iter()
            .find(|answer| answer.byte() == byte)
    }
}

impl Offer<'_> {
    /// The bytes for the node `name`, which sent `challenge`.
    ///
    /// # Shape
    /// `u32 length, u8 version, u8 length of address, address, head, signature`; the first counts all that
    /// follow it. Numbers are in network order.
    #[must_use]
    pub fn encode(&self, secret: &Secret, challenge: &Challenge, name: &str) -> Vec<u8> {
        let address = self.client.to_string();
        let length = u8::try_from(address.len()).unwrap_or_default();
        let signed = [&[VERSION, length], address.as_bytes(), self.head].concat();
        let signature = keyed(secret, challenge, name, &signed).finalize().into_bytes();
        let count = signed.len().saturating_add(SIGNATURE_BYTES);
        let count = u32::try_from(count).unwrap_or(u32::MAX).to_be_bytes();
        [&count[..], &signed, &signature].concat()
    }
}

/// How many bytes an offer has behind its count.
///
/// # Errors
/// [`Wrong::Length`].
pub fn length(count: [u8; COUNT_BYTES]) -> Result<usize, Wrong> {
    let bytes = usize::try_from(u32::from_be_bytes(count)).map_err(|_| Wrong::Length)?;
    match bytes {
        SIGNATURE_BYTES..=limits::NODE_OFFER_BYTES_MAX => Ok(bytes),
        _ => Err(Wrong::Length),
    }
}

/// Reads what stands behind the count, as the node `name`, which sent `challenge`.
///
/// # Errors
/// The first thing that is wrong; nothing is read of what is not signed but its version.
pub fn read<'a>(
    secret: &Secret,
    challenge: &Challenge,
    name: &str,
    bytes: &'a [u8],
) -> Result<Offer<'a>, Wrong> {
    let (signed, signature) = bytes.split_last_chunk::<SIGNATURE_BYTES>().ok_or(Wrong::Length)?;
    if signed.first() != Some(&VERSION) {
        return Err(Wrong::Version);
    }
    let keyed = keyed(secret, challenge, name, signed);
    keyed.verify_slice(signature).map_err(|_| Wrong::Signature)?;
    parse(signed).ok_or(Wrong::Malformed)
}

/// Address and head, each in the one form that it has.
fn parse(signed: &[u8]) -> Option<Offer<'_>> {
    let (_, rest) = signed.split_first()?;
    let (length, rest) = rest.split_first()?;
    let (text, head) = rest.split_at_checked(usize::from(*length))?;
    let text = str::from_utf8(text).ok()?;
    let client: IpAddr = text.parse().ok()?;
    let is_whole = matches!(head::parse(head), Ok(Some((_, bytes))) if bytes == head.len());
    (client.to_string() == text && is_whole).then_some(Offer { client, head })
}

/// The keyed hash of all that a signature stands for. The name is counted, so that no two are the same bytes.
fn keyed(secret: &Secret, challenge: &Challenge, name: &str, signed: &[u8]) -> Hmac<Sha256> {
    let count = u64::try_from(name.len()).unwrap_or(u64::MAX).to_be_bytes();
    let parts = [LABEL, challenge, &count, name.as_bytes(), signed];
    let mut hash = secret.hmac_sha256();
    parts.iter().for_each(|part| hash.update(part));
    hash
}
