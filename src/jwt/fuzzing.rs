//! Fuzz bodies of the token verifier: bytes in, a panic when an oracle disagrees.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a panic here is a finding, which is what a fuzz body is for"
)]

use super::{Algorithm, Keys, Secret, TokenError, Verifier, base64url, mint};
use crate::time::UnixMillis;

const NOW: UnixMillis = UnixMillis(1_000_000);

fn secret() -> Secret {
    Secret::new(*b"a secret of the fuzz target, 32+")
}

fn valid() -> String {
    let claims = serde_json::json!({"sub": "alice", "exp": 2_000, "boards": {"a": "edit"}});
    mint(&secret(), Algorithm::Hs256, None, &claims)
}

/// No token but one that was signed verifies; what is signed never panics, whatever its header and claims
/// are.
pub fn token(data: &[u8]) {
    let verifier = Verifier::new(Keys::single(secret()));
    let text = String::from_utf8_lossy(data);
    let valid = valid();
    assert_eq!(
        verifier.verify(&text, NOW).is_ok(),
        text == valid,
        "only the one signed token verifies"
    );
    // The input as an edit of the valid token: position and byte.
    if let [high, low, byte, ..] = data {
        let mut bytes = valid.clone().into_bytes();
        let at = usize::from(u16::from_be_bytes([*high, *low])) % bytes.len();
        bytes[at] = *byte & 0x7f;
        let edited = String::from_utf8(bytes).unwrap();
        assert_eq!(verifier.verify(&edited, NOW).is_ok(), edited == valid, "{edited}");
    }
    // The input as a header and claims, correctly signed: the parsers behind the signature.
    let (header, claims) = text.split_once('\n').unwrap_or(("{\"alg\":\"HS256\"}", &text));
    let signed = mint::sign(&secret(), Algorithm::Hs256, header, claims);
    match verifier.verify(&signed, NOW) {
        Ok(found) => {
            // Claims of others are skipped unread; what is in them may be too deep or too large for a value.
            let Ok(claims) = serde_json::from_str::<serde_json::Value>(claims) else {
                return;
            };
            assert!(claims.get("exp").is_some_and(serde_json::Value::is_number));
            let subject = &claims["sub"];
            let text = subject
                .as_str()
                .map_or_else(|| subject.to_string(), str::to_owned);
            assert_eq!(text, found.user.as_str());
            assert!(found.expires_at > NOW);
            assert_eq!(found.admin, claims["role"] == "admin");
            assert_eq!(
                found.boards().len(),
                claims["boards"].as_object().map_or(0, serde_json::Map::len)
            );
            assert!(
                found
                    .boards()
                    .iter()
                    .all(|(id, level)| found.level(id) == Some(*level))
            );
        }
        Err(error) => assert_ne!(error, TokenError::Signature, "it was signed"),
    }
}

/// Exactly one text decodes to given bytes.
pub fn base64url(data: &[u8]) {
    assert_eq!(base64url::decode(&base64url::encode(data)).as_deref(), Some(data));
    if let Ok(text) = str::from_utf8(data)
        && let Some(bytes) = base64url::decode(text)
    {
        assert_eq!(base64url::encode(&bytes), text);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mutation;

    #[test]
    fn tokens_survive_mutation() {
        let valid = valid();
        let seeds: &[&[u8]] = &[
            valid.as_bytes(),
            b"{\"alg\":\"HS256\",\"kid\":null}\n{\"sub\":7,\"exp\":1999.5,\"nbf\":-1,\"teams\":[\"a\"],\"role\":\"admin\"}",
            b"{\"sub\":\"a\",\"exp\":1e9,\"boards\":{\"a\":\"edit\",\"b\":\"view\"},\"aud\":[\"x\"],\"iss\":\"y\"}",
            b"{\"alg\":\"none\",\"crit\":[]}\n[]",
        ];
        mutation::drive(seeds, 4_000, token);
    }

    #[test]
    fn base64url_survives_mutation() {
        mutation::drive(&[b"Zm9vYg", b"A-z_4ME", b"\xff\xfe"], 4_000, base64url);
    }
}
