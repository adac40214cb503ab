//! Ids in the form of UUIDs: random ones, and those that follow from what was sent.
//!
//! Key invariant: an id of the one kind is never of the other. Source: RFC 9562, 5.4 and 5.8. Tests are
//! below.

use crate::fault::Fault;

/// A random UUID (version 4).
///
/// # Errors
/// [`Fault::Internal`] where the system has no randomness.
pub(crate) fn random() -> Result<String, Fault> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(|_| Fault::Internal)?;
    Ok(text(bytes, 4))
}

/// The UUID (version 8) of a hash's first bytes.
pub(crate) fn derived(hash: &[u8; 32]) -> String {
    let mut bytes = [0; 16];
    for (byte, hashed) in bytes.iter_mut().zip(hash) {
        *byte = *hashed;
    }
    text(bytes, 8)
}

fn text(bytes: [u8; 16], version: u128) -> String {
    let version_and_variant = (version << 76, 0x8000_u128 << 48);
    let free = !((0xf000_u128 << 64) | (0xc000_u128 << 48));
    let bits = u128::from_be_bytes(bytes) & free | version_and_variant.0 | version_and_variant.1;
    let hex = format!("{bits:032x}");
    let part = |range| hex.get(range).unwrap_or_default();
    [part(0..8), part(8..12), part(12..16), part(16..20), part(20..32)].join("-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_uuids_of_their_version() {
        for n in 0..100 {
            for (id, version) in [(random().unwrap(), b'4'), (derived(&[n; 32]), b'8')] {
                let bytes = id.as_bytes();
                assert_eq!(bytes.len(), 36);
                assert!([8, 13, 18, 23].iter().all(|at| bytes[*at] == b'-'));
                assert!(bytes[14] == version && b"89ab".contains(&bytes[19]), "{id}");
            }
        }
        assert_ne!(random().unwrap(), random().unwrap());
        assert_eq!(derived(&[1; 32]), "01010101-0101-8101-8101-010101010101");
    }
}
