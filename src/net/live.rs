//! What is set about connections and requests, and may change while they are served.
//!
//! Owns [`Changeable`], and [`Live`], where the newest one is. Must not know where settings come from. Key
//! invariants: one is replaced as a whole, so that nobody sees half of a change; whoever has one keeps it,
//! and no lock is held longer than it takes to hand it out. Tests are in tests/it/settings.rs.

use std::sync::{Arc, PoisonError, RwLock};

use crate::access::secret::SecretHash;
use crate::http::forwarded::Cidr;
use crate::http::origin::Origin;
use crate::jwt::{Keys, Verifier};

/// What may change.
#[derive(Clone, Debug)]
pub(crate) struct Changeable {
    /// `--jwt-*`: to sign with.
    pub(crate) keys: Keys,
    /// The same, to verify with.
    pub(crate) verifier: Verifier,
    /// `--max-message-bytes`, of connections that begin.
    pub(crate) message_bytes: usize,
    /// `--max-body-bytes`.
    pub(crate) body_bytes: usize,
    /// `--trusted-proxy`.
    pub(crate) trusted_proxies: Vec<Cidr>,
    /// `--allow-origin`, and that of `--public-url`.
    pub(crate) origins: Vec<Origin>,
    /// `--metrics-token`.
    pub(crate) metrics_token: Option<SecretHash>,
    /// `--login-url`.
    pub(crate) login_url: Option<String>,
    /// `--allow-frame`: who may put the page into a frame, as the policy of the page says it.
    pub(crate) frames: String,
}

/// The newest one.
#[derive(Debug)]
pub(crate) struct Live(RwLock<Arc<Changeable>>);

impl Live {
    pub(crate) fn new(first: Changeable) -> Self {
        Self(RwLock::new(Arc::new(first)))
    }

    /// What counts now.
    pub(crate) fn get(&self) -> Arc<Changeable> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// From now on `newer` counts.
    pub(crate) fn set(&self, newer: Changeable) {
        let newer = Arc::new(newer);
        let mut current = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let older = std::mem::replace(&mut *current, newer);
        drop(current);
        drop(older);
    }
}
