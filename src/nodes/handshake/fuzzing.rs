//! The fuzz body of the handshake: bytes in, a panic when what is read is not what was said.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a panic here is a finding, which is what a fuzz body is for"
)]

use super::{COUNT_BYTES, Challenge, SIGNATURE_BYTES, keyed, length, read};
use crate::jwt::Secret;
use crate::limits;

/// An offer is read as the one that it encodes, or not at all; what is not signed is never read.
pub fn offer(data: &[u8]) {
    let secret = Secret::new([7; 32]);
    let challenge: Challenge = [3; 32];
    let name = "b.example:9000";
    if let Some((count, _)) = data.split_first_chunk::<COUNT_BYTES>() {
        let said = u64::from(u32::from_be_bytes(*count));
        let fits = (SIGNATURE_BYTES as u64..=limits::NODE_OFFER_BYTES_MAX as u64).contains(&said);
        assert_eq!(length(*count).is_ok(), fits);
    }
    // Nobody can sign by chance.
    assert!(read(&secret, &challenge, name, data).is_err());
    let signature = keyed(&secret, &challenge, name, data);
    let signature = hmac::Mac::finalize(signature).into_bytes();
    let bytes = [data, &signature[..]].concat();
    let Ok(offer) = read(&secret, &challenge, name, &bytes) else {
        return;
    };
    let again = offer.encode(&secret, &challenge, name);
    assert_eq!(again[COUNT_BYTES..], bytes, "there is one form of an offer");
    assert_eq!(length(again[..COUNT_BYTES].try_into().unwrap()), Ok(bytes.len()));
    assert!(read(&secret, &[4; 32], name, &bytes).is_err());
    assert!(read(&secret, &challenge, "c.example:9000", &bytes).is_err());
    assert!(read(&Secret::new([8; 32]), &challenge, name, &bytes).is_err());
}
