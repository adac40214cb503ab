//! Webhooks as they are kept: whom to tell of what happens on a board.
//!
//! Owns [`StoredWebhook`], its id and its secret. Must not know how anybody is told. Key invariant: no way of
//! printing one shows its secret, or the path and query of its address. Tests: `contract/webhooks.rs`.

use std::fmt;

use crate::ids::{SecretId, Subject};
use crate::time::UnixMillis;

/// The id of a webhook: random, of the form that the ids of links and keys have.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct WebhookId(SecretId);

impl WebhookId {
    /// Bytes of an id, before they are written as text.
    pub const BYTES: usize = SecretId::BYTES;

    /// The id that is written with these bytes.
    #[must_use]
    pub fn from_bytes(bytes: [u8; Self::BYTES]) -> Self {
        Self(SecretId::from_bytes(bytes))
    }

    /// Checks `text`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        SecretId::parse(text).map(Self)
    }

    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }
}

/// What deliveries are signed with. It is kept as it is, since a hash signs nothing.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct SigningSecret(pub [u8; 32]);

impl fmt::Debug for SigningSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SigningSecret")
    }
}

/// A webhook as it is kept.
#[derive(Clone, PartialEq, Eq)]
pub struct StoredWebhook {
    /// Its id, of which a board has one.
    pub id: WebhookId,
    /// Where deliveries go.
    pub url: String,
    /// Kinds of events that are delivered; none for all.
    pub types: Vec<String>,
    /// Types of items that are told of; none for all.
    pub kinds: Vec<String>,
    /// What deliveries are signed with.
    pub secret: SigningSecret,
    /// Who made it.
    pub created_by: Subject,
    /// When.
    pub created_at: UnixMillis,
}

impl fmt::Debug for StoredWebhook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoredWebhook")
            .field("id", &self.id)
            .field("created_by", &self.created_by)
            .finish_non_exhaustive()
    }
}
