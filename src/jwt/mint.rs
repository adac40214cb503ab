//! The mint: signs tokens, for `boardwire token`, the links that `--dev` prints, and tests.
//!
//! Owns the writing side only. Key invariant: what is minted here with a configured secret,
//! [`super::Verifier`] accepts.
#![deny(clippy::arithmetic_side_effects, clippy::cast_possible_truncation)]

use serde_json::{Map, Value, json};

use super::{Algorithm, Keys, Secret, base64url};
use crate::ids::{BoardId, Level, TeamId, UserId};
use crate::time::UnixMillis;

/// Claims of a new token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewClaims {
    /// `sub`.
    pub user: UserId,
    /// `name`: what the page calls them; left out when `None`.
    pub name: Option<String>,
    /// `iat`; rounded down to a second.
    pub issued_at: UnixMillis,
    /// `nbf`; rounded down to a second; left out when `None`.
    pub not_before: Option<UnixMillis>,
    /// `exp`; rounded down to a second.
    pub expires_at: UnixMillis,
    /// `teams`; left out when empty.
    pub teams: Vec<TeamId>,
    /// `boards`; left out when empty.
    pub boards: Vec<(BoardId, Level)>,
    /// Whether `role` is `admin`.
    pub admin: bool,
    /// `iss`.
    pub issuer: Option<String>,
    /// `aud`.
    pub audience: Option<String>,
}

impl NewClaims {
    /// Claims with a subject and times only.
    #[must_use]
    pub fn new(user: UserId, issued_at: UnixMillis, expires_at: UnixMillis) -> Self {
        Self {
            user,
            name: None,
            issued_at,
            not_before: None,
            expires_at,
            teams: Vec::new(),
            boards: Vec::new(),
            admin: false,
            issuer: None,
            audience: None,
        }
    }

    /// The claims as JSON, for [`mint()`].
    #[must_use]
    pub fn to_json(&self) -> Value {
        let mut claims = Map::new();
        let mut set = |name: &str, value: Value| claims.insert(name.to_owned(), value);
        set("sub", json!(self.user.as_str()));
        set("iat", json!(self.issued_at.seconds()));
        if let Some(not_before) = self.not_before {
            set("nbf", json!(not_before.seconds()));
        }
        set("exp", json!(self.expires_at.seconds()));
        if !self.teams.is_empty() {
            set("teams", self.teams.iter().map(TeamId::as_str).collect());
        }
        if !self.boards.is_empty() {
            let levels: Map<_, _> = self
                .boards
                .iter()
                .map(|(id, level)| (id.as_str().to_owned(), json!(level.as_str())))
                .collect();
            set("boards", Value::Object(levels));
        }
        if self.admin {
            set("role", json!("admin"));
        }
        for (name, value) in [
            ("name", &self.name),
            ("iss", &self.issuer),
            ("aud", &self.audience),
        ] {
            if let Some(value) = value {
                set(name, json!(value));
            }
        }
        Value::Object(claims)
    }
}

impl Keys {
    /// The secret that signs where none is named: that without a name, else the first, with its name.
    #[must_use]
    pub fn signing(&self) -> Option<(Option<&str>, &Secret)> {
        let unnamed = self.unnamed.as_ref().map(|secret| (None, secret));
        unnamed.or_else(|| {
            self.named
                .first()
                .map(|(name, secret)| (Some(name.as_str()), secret))
        })
    }
}

/// Signs claims.
///
/// # Shape
/// The compact form, with a header of `alg`, `typ` and, where a key is named, `kid`.
///
/// # Source
/// RFC 7515, 7.1.
#[must_use]
pub fn mint(secret: &Secret, algorithm: Algorithm, key_name: Option<&str>, claims: &Value) -> String {
    let mut header = json!({"alg": algorithm.as_str(), "typ": "JWT"});
    if let (Some(name), Some(header)) = (key_name, header.as_object_mut()) {
        header.insert("kid".to_owned(), json!(name));
    }
    sign(secret, algorithm, &header.to_string(), &claims.to_string())
}

/// Signs a header and claims as they are, well-formed or not.
pub(super) fn sign(secret: &Secret, algorithm: Algorithm, header: &str, claims: &str) -> String {
    let mut token = base64url::encode(header.as_bytes());
    token.push('.');
    token.push_str(&base64url::encode(claims.as_bytes()));
    let signature = base64url::encode(&algorithm.sign(secret, token.as_bytes()));
    token.push('.');
    token.push_str(&signature);
    token
}
