//! Changes of sessions.
//!
//! Owns the rows of sessions and the index over invitations. Must not know boards. Key invariants: what is
//! refused changes no row; each session has its row in the index, and goes with it.

use ::redb::{ReadableTable, ReadableTableMetadata, WriteTransaction};

use super::super::super::rows::sessions::{decode_session, encode_invite, encode_session};
use super::super::super::{Applied, SessionChange, StoreError, StoredSession};
use super::super::table::{Rows, Touched};
use super::super::verify::Verified;
use super::super::{INVITES, SESSIONS, engine};
use crate::ids::SecretId;
use crate::limits;

/// The tables of sessions, open for writing.
pub(super) struct Sessions<'t> {
    sessions: Rows<'t>,
    invites: Rows<'t>,
    verified: Verified,
}

impl<'t> Sessions<'t> {
    pub(super) fn open(
        transaction: &'t WriteTransaction,
        verified: Verified,
        touched: &'t Touched,
    ) -> Result<Self, StoreError> {
        Ok(Self {
            sessions: Rows::open(transaction, SESSIONS, touched)?,
            invites: Rows::open(transaction, INVITES, touched)?,
            verified,
        })
    }

    /// Does one change.
    pub(super) fn apply(&mut self, change: &SessionChange) -> Result<Applied, StoreError> {
        match change {
            SessionChange::Open(session) => self.begin(session),
            SessionChange::Renew {
                id,
                used_at,
                expires_at,
            } => self.update(id, |session| {
                session.used_at = *used_at;
                session.expires_at = *expires_at;
            }),
            SessionChange::Revoke { id, at } => self.update(id, |session| session.revoked_at = Some(*at)),
        }
    }

    fn begin(&mut self, session: &StoredSession) -> Result<Applied, StoreError> {
        let id = session.id();
        let key = id.as_str().as_bytes();
        let is_used = self
            .invites
            .get(session.invite.as_slice())
            .map_err(engine)?
            .is_some();
        if is_used || self.sessions.get(key).map_err(engine)?.is_some() {
            return Ok(Applied::Exists);
        }
        if self.verified == Verified::Damaged {
            // The row that says that the invitation was used may be what is lost.
            return Ok(Applied::Unreadable);
        }
        let there = usize::try_from(self.sessions.len().map_err(engine)?).unwrap_or(usize::MAX);
        if there >= limits::SESSIONS_MAX {
            return Ok(Applied::TooMany);
        }
        self.invites
            .insert(&session.invite, &encode_invite(&session.invite, &id))?;
        self.sessions.insert(key, &encode_session(key, session))?;
        Ok(Applied::Done)
    }

    /// Changes a session that stands.
    fn update(
        &mut self,
        id: &SecretId,
        change: impl FnOnce(&mut StoredSession),
    ) -> Result<Applied, StoreError> {
        let key = id.as_str().as_bytes();
        let found = self.sessions.get(key).map_err(engine)?;
        let found = found.map(|value| decode_session(key, value.value()));
        let mut session = match found {
            None => return Ok(Applied::NotThere),
            Some(Err(_)) => return Ok(Applied::Unreadable),
            Some(Ok(session)) if session.revoked_at.is_some() => return Ok(Applied::NotThere),
            Some(Ok(session)) => session,
        };
        change(&mut session);
        self.sessions.insert(key, &encode_session(key, &session))?;
        Ok(Applied::Done)
    }
}
