//! Sessions of browsers: begun, renewed and ended, and what follows where one is ended.
//!
//! Owns the ids of sessions that were ended, as far as they are known here. Must not know cookies. Key
//! invariants: an id is among them before anybody who is connected is decided about again; where it is, no
//! decision counts its token as valid. Tests: `sessions/tests.rs`.

use std::collections::{HashSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::access::{Credentials, TokenRights};
use crate::boards::Boards;
use crate::fault::{Fault, causes};
use crate::ids::{SecretId, UserId};
use crate::limits;
pub(crate) use crate::store::StoredSession;
use crate::store::{Applied, Change, SessionChange, WhichSessions};
use crate::time::UnixMillis;

/// The sessions that were ended before their time.
#[derive(Debug, Default)]
pub(crate) struct Ended(Mutex<Known>);

#[derive(Debug, Default)]
struct Known {
    ids: HashSet<SecretId>,
    /// The same, in the order in which they came: past the bound the first one goes, which the store has
    /// removed long since.
    order: VecDeque<SecretId>,
}

impl Ended {
    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds those that are new; says whether there are any.
    fn add(&self, ids: &[SecretId]) -> bool {
        let mut known = self.known();
        let mut any = false;
        for id in ids {
            if known.ids.insert(id.clone()) {
                known.order.push_back(id.clone());
                any = true;
            }
            if known.order.len() > limits::SESSIONS_MAX
                && let Some(first) = known.order.pop_front()
            {
                known.ids.remove(&first);
            }
        }
        any
    }

    /// Whether this one was ended.
    pub(crate) fn is_ended(&self, id: &SecretId) -> bool {
        self.known().ids.contains(id)
    }

    fn concerns(&self, token: &TokenRights) -> bool {
        token.session.as_ref().is_some_and(|id| self.is_ended(id))
    }

    /// Whether a token of these stands for a session that was ended.
    pub(crate) fn concern(&self, credentials: &Credentials) -> bool {
        credentials.tokens.iter().any(|token| self.concerns(token))
    }

    /// The same credentials without the tokens of ended sessions, which a browser goes on to send; where
    /// nothing else was sent, with such a token as one that has expired. They stand for no session any more:
    /// what is decided by them holds, whatever else they let do.
    pub(crate) fn applied_to(&self, credentials: &Arc<Credentials>) -> Arc<Credentials> {
        if !self.concern(credentials) {
            return Arc::clone(credentials);
        }
        let mut credentials = Credentials::clone(credentials);
        let is_all =
            credentials.secrets.is_empty() && credentials.tokens.iter().all(|token| self.concerns(token));
        credentials.tokens.retain(|token| is_all || !self.concerns(token));
        for token in credentials.tokens.iter_mut().filter(|_| is_all) {
            token.expires_at = UnixMillis(0);
            token.session = None;
        }
        Arc::new(credentials)
    }
}

impl Boards {
    /// Begins, renews or ends a session, and waits until that is durable.
    ///
    /// # Errors
    /// [`Fault::StoreFailed`], [`Fault::StateUnreadable`]. `Applied` is `Done`, `Exists`, `NotThere` or
    /// `TooMany`.
    pub(crate) async fn change_session(&self, change: SessionChange) -> Result<Applied, Fault> {
        self.submit_act(Change::Session(change)).await
    }

    /// The session of this id, also one that is revoked or over.
    ///
    /// # Errors
    /// [`Fault::StateUnreadable`].
    pub(crate) async fn session(self: &Arc<Self>, id: SecretId) -> Result<Option<StoredSession>, Fault> {
        self.read(move |store| store.session(&id)).await
    }

    /// The sessions that stand, of a user or of everybody, by id: the first `limit` after `after`.
    ///
    /// # Errors
    /// [`Fault::StateUnreadable`].
    pub(crate) async fn sessions(
        self: &Arc<Self>,
        user: Option<UserId>,
        after: Option<SecretId>,
        limit: usize,
    ) -> Result<Vec<StoredSession>, Fault> {
        let valid_at = Some(self.now().unix);
        let which = WhichSessions { user, valid_at };
        self.read(move |store| store.sessions(&which, after.as_ref(), limit))
            .await
    }

    /// Sessions were ended, here or on another node: what was granted by them is taken back.
    pub(crate) fn sessions_ended(self: &Arc<Self>, ids: &[SecretId]) {
        if !self.ended.add(ids) {
            return;
        }
        let boards = Arc::clone(self);
        self.spawn(async move {
            for cell in boards.slots.all() {
                // A decision that is under way may be from before.
                boards.slots.note_access_change(cell.id());
                let held = cell.lock().held();
                if held.iter().any(|held| boards.ended.concern(&held.credentials)) {
                    boards.reconsider_room(cell);
                }
            }
        });
    }

    /// Learns which sessions were ended before the start, and, where other nodes share the store, which are
    /// ended there.
    pub(super) async fn keep_sessions(self: Arc<Self>) {
        let mut since = UnixMillis(0);
        let mut is_known = false;
        while !is_known || self.tenure.is_some() {
            let asked_at = self.now().unix;
            let boards = Arc::clone(&self);
            let found = self
                .unblock_read(move || boards.store.revoked_sessions(since))
                .await;
            match found {
                Ok(ids) => {
                    self.sessions_ended(&ids);
                    let back = u64::try_from(limits::SESSIONS_WATCHED_BACK.as_millis()).unwrap_or(u64::MAX);
                    since = UnixMillis(asked_at.0.saturating_sub(back));
                    is_known = true;
                }
                // Whoever needs the store says it aloud.
                Err(error) => {
                    tracing::debug!(error = causes(&error), "cannot ask for sessions that were ended");
                    self.committer.note_read_error(&error);
                }
            }
            self.host.sleep(limits::SESSIONS_WATCHED_EVERY).await;
        }
    }
}

#[cfg(test)]
mod tests;
