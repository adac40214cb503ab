//! HTTP/1.1 by hand: request bytes to values, values to response bytes.
//!
//! Owns the request head ([`head`]), its target ([`target`]), body framing ([`body`]), responses
//! ([`response`]), what a client will take ([`negotiate`]), the WebSocket upgrade ([`upgrade`]), the `Origin`
//! rule ([`origin`]), the `Host` rule ([`host`]) and the client's address behind proxies ([`forwarded`]).
//! Must not know sockets, clocks, boards or credentials.
//!
//! Key invariant: what two servers could read differently is refused, never guessed, so nothing can be
//! smuggled past a proxy. Each file has its tests beside it; the fuzz bodies are in `fuzzing`.

pub mod body;
pub mod forwarded;
pub mod head;
pub mod host;
pub mod negotiate;
pub mod origin;
pub mod response;
pub mod target;
pub mod upgrade;

#[cfg(any(test, fuzzing))]
pub mod fuzzing;

/// Whether a byte may stand in a token: methods, field names, subprotocols (RFC 9110, 5.6.2).
pub(crate) fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// Whether `bytes` is a token: at least one byte, and token bytes only.
pub(crate) fn is_token(bytes: &[u8]) -> bool {
    !bytes.is_empty() && bytes.iter().copied().all(is_token_byte)
}

/// Takes optional white space (space, tab) off both ends; nothing else counts as white space in HTTP.
pub(crate) fn trim(mut bytes: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] = bytes {
        bytes = rest;
    }
    while let [rest @ .., b' ' | b'\t'] = bytes {
        bytes = rest;
    }
    bytes
}
