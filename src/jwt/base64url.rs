//! base64url without padding, strictly.
//!
//! Owns the two conversions. Key invariant: exactly one text decodes to given bytes (no padding, no white
//! space, unused bits zero), so a token cannot be changed and stay valid. Tests are below; the fuzz body is
//! `jwt::fuzzing::base64url`.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// Encodes (RFC 4648, 5; RFC 7515, 2).
pub(super) fn encode(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Decodes; `None` when the text is not what [`encode`] would write.
pub(super) fn decode(text: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_vectors_of_rfc_4648_and_7515_round_trip() {
        for (bytes, text) in [
            (&b""[..], ""),
            (b"f", "Zg"),
            (b"fo", "Zm8"),
            (b"foo", "Zm9v"),
            (b"foob", "Zm9vYg"),
            (&[3, 236, 255, 224, 193], "A-z_4ME"),
        ] {
            assert_eq!(encode(bytes), text);
            assert_eq!(decode(text).as_deref(), Some(bytes));
        }
    }

    #[test]
    fn only_the_canonical_text_decodes() {
        for text in [
            "Zg==",
            "Zg=",
            "Zh",
            "Z",
            "Zm9v\n",
            " Zm9v",
            "A+z/4ME",
            "Zm9v.",
            "Zm9\u{e4}",
        ] {
            assert_eq!(decode(text), None, "{text:?}");
        }
    }
}
