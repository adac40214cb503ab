//! The WebSocket upgrade: what RFC 6455 asks of the request, and the 101 that answers it.
//!
//! Owns [`Upgrade`] and [`UpgradeError`]. Must not know boards, credentials or origins. Key invariant: no
//! extension is ever negotiated, and a subprotocol is answered only with one that was offered. Tests are in
//! `upgrade/tests.rs`; the fuzz body is `http::fuzzing::upgrade`.
#![deny(clippy::arithmetic_side_effects, clippy::cast_possible_truncation)]

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha1::{Digest as _, Sha1};

use super::head::{Framing, Head, Method, Version};
use super::is_token;
use super::response::{Problem, Response};

#[cfg(test)]
mod tests;

/// What the accept key appends to the client's key (RFC 6455, 1.3).
const GUID: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// Bytes of a decoded `Sec-WebSocket-Key` (RFC 6455, 4.1).
const KEY_BYTES: usize = 16;

/// An upgrade request that is in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Upgrade {
    accept: String,
    protocol: Option<String>,
}

/// The value of `Allow` where there is a WebSocket.
pub const ALLOWED: &str = "GET, OPTIONS";

/// Why a request is not an upgrade to WebSocket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum UpgradeError {
    /// The method is not `GET`.
    Method,
    /// The request does not ask for an upgrade to WebSocket: somebody opened the address in a browser.
    NotAsked,
    /// `Sec-WebSocket-Version` is not 13.
    Version,
    /// `Sec-WebSocket-Key` is missing, repeated, or not 16 bytes in base64.
    Key,
    /// The subprotocol offered first is not a token.
    Protocol,
    /// The request announces a body.
    Body,
}

impl UpgradeError {
    /// Every variant, for tests.
    pub const ALL: [Self; 6] = [
        Self::Method,
        Self::NotAsked,
        Self::Version,
        Self::Key,
        Self::Protocol,
        Self::Body,
    ];

    /// The response that says so: 405, 426 or 400.
    ///
    /// # Source
    /// RFC 6455, 4.2.2 and 4.4; RFC 9110, 15.5.22.
    #[must_use]
    pub fn response(self) -> Response {
        let (status, code, title) = match self {
            Self::Method => (405, "method_not_allowed", "Method not allowed"),
            Self::NotAsked | Self::Version => (426, "upgrade_required", "WebSocket upgrade required"),
            Self::Key | Self::Protocol | Self::Body => (400, "bad_upgrade", "Malformed WebSocket upgrade"),
        };
        let problem = Problem {
            status,
            code,
            title,
            detail: self.to_string().into(),
            field: None,
        };
        let response = Response::problem(&problem);
        match self {
            Self::Method => response.field("Allow", ALLOWED),
            Self::NotAsked => response.field("Upgrade", "websocket"),
            Self::Version => response
                .field("Upgrade", "websocket")
                .field("Sec-WebSocket-Version", "13"),
            Self::Key | Self::Protocol | Self::Body => response,
        }
    }
}

impl fmt::Display for UpgradeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Method => "a WebSocket is opened with GET",
            Self::NotAsked => "this address speaks WebSocket only; connect with a Yjs provider",
            Self::Version => "only version 13 of the WebSocket protocol is spoken",
            Self::Key => "Sec-WebSocket-Key is not 16 bytes in base64",
            Self::Protocol => "Sec-WebSocket-Protocol does not begin with a token",
            Self::Body => "an upgrade request has no body",
        })
    }
}

impl std::error::Error for UpgradeError {}

/// Checks that a request asks for a WebSocket, and how.
///
/// `Host` is checked by the head parser already. Offered extensions are ignored, which declines them.
///
/// # Errors
/// [`UpgradeError`]: the peer's fault; answer with its response.
///
/// # Source
/// RFC 6455, 4.2.1 and 4.2.2.
pub fn check(head: &Head<'_>) -> Result<Upgrade, UpgradeError> {
    let asked = head.version == Version::Http11
        && head.has_element("upgrade", "websocket")
        && head.has_element("connection", "upgrade");
    match head.method {
        Method::Get if asked => {}
        Method::Get | Method::Head => return Err(UpgradeError::NotAsked),
        Method::Post | Method::Put | Method::Patch | Method::Delete | Method::Options | Method::Other => {
            return Err(UpgradeError::Method);
        }
    }
    if !matches!(head.framing, Framing::Empty | Framing::Length(0)) {
        return Err(UpgradeError::Body);
    }
    if head.unique("sec-websocket-version") != Ok(Some("13")) {
        return Err(UpgradeError::Version);
    }
    let key = head
        .unique("sec-websocket-key")
        .ok()
        .flatten()
        .ok_or(UpgradeError::Key)?;
    let decoded = STANDARD.decode(key).map_err(|_| UpgradeError::Key)?;
    if decoded.len() != KEY_BYTES {
        return Err(UpgradeError::Key);
    }
    let protocol = match head.elements("sec-websocket-protocol").next() {
        None => None,
        Some(token) if is_token(token) => {
            let text = str::from_utf8(token).map_err(|_| UpgradeError::Protocol)?;
            Some(text.to_owned())
        }
        Some(_) => return Err(UpgradeError::Protocol),
    };
    Ok(Upgrade {
        accept: accept_key(key),
        protocol,
    })
}

/// The value of `Sec-WebSocket-Accept` for a client's key (RFC 6455, 4.2.2, 5.4).
#[must_use]
pub fn accept_key(key: &str) -> String {
    let mut hash = Sha1::new();
    hash.update(key.as_bytes());
    hash.update(GUID);
    STANDARD.encode(hash.finalize())
}

impl Upgrade {
    /// The subprotocol that was chosen: the first offered, since browsers fail the connection when none is.
    #[must_use]
    pub fn protocol(&self) -> Option<&str> {
        self.protocol.as_deref()
    }

    /// The bytes of the 101 response; what follows on the connection, both ways, is WebSocket frames.
    #[must_use]
    pub fn encode(self) -> Vec<u8> {
        let mut response = Response::new(101)
            .field("Upgrade", "websocket")
            .field("Connection", "Upgrade")
            .field("Sec-WebSocket-Accept", self.accept);
        if let Some(protocol) = self.protocol {
            response = response.field("Sec-WebSocket-Protocol", protocol);
        }
        let mut head = response.encode_fields();
        head.push_str("\r\n");
        head.into_bytes()
    }
}
