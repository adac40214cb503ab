//! What is delivered, as bytes and fields.
//!
//! Owns the body and the signature of a delivery. Must not send it. Key invariant: what is signed is what is
//! sent, byte for byte. Tests are below, with the examples of the specification.
//!
//! # Source
//! The specification of Standard Webhooks, "Webhook Metadata" and "Signature scheme".

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

use crate::ids::BoardId;
use crate::store::SigningSecret;

/// The text of a secret, as receivers know it.
pub(crate) fn secret_text(secret: &SigningSecret) -> String {
    format!("whsec_{}", STANDARD.encode(secret.0))
}

/// The id of a delivery, which tries again have too.
pub(super) fn delivery_id(random: [u8; 16]) -> String {
    format!("msg_{}", URL_SAFE_NO_PAD.encode(random))
}

/// The value of `webhook-signature`.
pub(super) fn signature(secret: &[u8], (id, seconds): (&str, u64), body: &[u8]) -> String {
    // HMAC takes keys of any length.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret) else {
        return String::new();
    };
    mac.update(format!("{id}.{seconds}.").as_bytes());
    mac.update(body);
    format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
}

/// The body: `reset`, where the board has to be read anew, and events, each an object of JSON.
pub(super) fn body(board: &BoardId, reset: Option<&str>, events: &[String]) -> Vec<u8> {
    let board = serde_json::to_string(board.as_str()).unwrap_or_default();
    let reset = reset.map(|why| format!("{{\"event\":\"reset\",\"why\":\"{why}\"}}"));
    let all: Vec<&str> = reset.iter().chain(events).map(String::as_str).collect();
    format!("{{\"board\":{board},\"events\":[{}]}}", all.join(",")).into_bytes()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn signatures_are_those_of_the_specification_and_its_libraries() {
        for (secret, id, seconds, body, expected) in [
            (
                "plJ3nmyCDGBKInavdOK15jsl",
                "msg_loFOjxBNrRLzqYUf",
                1_731_705_121,
                r#"{"event_type":"ping","data":{"success":true}}"#,
                "v1,rAvfW3dJ/X/qxhsaXPOyyCGmRKsaKWcsNccKXlIktD0=",
            ),
            (
                "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
                "msg_p5jXN8AQM9LWM0D4loKWxJek",
                1_614_265_330,
                r#"{"test": 2432232314}"#,
                "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
            ),
        ] {
            let secret = STANDARD.decode(secret).unwrap();
            assert_eq!(signature(&secret, (id, seconds), body.as_bytes()), expected);
        }
    }

    #[test]
    fn a_body_names_the_board_and_has_its_events_in_their_order() {
        let board = BoardId::parse("plan").unwrap();
        let events = ["{\"event\":\"item.deleted\",\"id\":\"a\"}", "{\"event\":\"x\"}"].map(str::to_owned);
        let read = |reset| serde_json::from_slice::<Value>(&body(&board, reset, &events)).unwrap();
        let told = json!([{"event": "item.deleted", "id": "a"}, {"event": "x"}]);
        assert_eq!(read(None), json!({"board": "plan", "events": told}));
        let first = &read(Some("too_many"))["events"][0];
        assert_eq!(*first, json!({"event": "reset", "why": "too_many"}));
        assert_eq!(body(&board, None, &[]), br#"{"board":"plan","events":[]}"#);
    }

    #[test]
    fn a_secret_and_an_id_are_written_as_the_specification_has_them() {
        let text = secret_text(&SigningSecret([0xfb; 32]));
        assert_eq!(
            text,
            format!("whsec_{}+w==", "+/v7".repeat(10) + "+/s").replace("+/s+w==", "+/s=")
        );
        assert_eq!(delivery_id([0xff; 16]), "msg______________________w");
    }
}
