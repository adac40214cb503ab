//! Sessions in one commit, and what is asked about them.
//!
//! Owns their bound, and the queries. Must not know boards. Key invariant: what is to be written is what
//! `known` says in the end; that of two nodes one begins a session by an invitation is for the database to
//! see, which has each invitation once.

use std::collections::{BTreeMap, BTreeSet};

use tokio_postgres::Row;

use super::super::rows::sessions::decode_boards;
use super::super::{Applied, Damage, INVITE_BYTES, SessionChange, StoreError, StoredSession, WhichSessions};
use super::link::{Statement, sql};
use super::links::Links;
use super::rows;
use crate::access::secret::SecretHash;
use crate::ids::{SecretId, UserId};
use crate::limits;
use crate::time::UnixMillis;

/// Those that changes are about, locked until the end.
pub(super) const LOCK: &str = "
    SELECT id, hash, invite, user_id, name, admin, boards, created_at, used_at, expires_at, revoked_at, user_agent
    FROM sessions WHERE id = ANY($1) OR invite = ANY($2) ORDER BY id FOR UPDATE";

pub(super) const COUNT: &str = "SELECT count(*) AS sessions FROM sessions";

pub(super) const PRUNE: &str = "DELETE FROM sessions WHERE expires_at < $1";

/// The sessions that the changes of a commit are about, and how they change.
#[derive(Debug, Default)]
pub(super) struct Sessions {
    /// By id; `None` for one that cannot be read.
    known: BTreeMap<SecretId, Option<StoredSession>>,
    /// The invitations that they began with.
    invites: BTreeSet<Vec<u8>>,
    /// How many there are.
    count: usize,
    changed: BTreeSet<SecretId>,
}

impl Sessions {
    /// What was read of them.
    pub(super) fn read(found: &[Row], counted: &[Row]) -> Result<Self, StoreError> {
        let (mut known, mut invites) = (BTreeMap::new(), BTreeSet::new());
        for row in found {
            let id = rows::secret_id(row).map_err(StoreError::Unreadable)?;
            let invite: &[u8] = rows::column(row, "invite").map_err(StoreError::Unreadable)?;
            invites.insert(invite.to_vec());
            known.insert(id, session(row).ok());
        }
        let count = counted.first().map(|row| rows::unsigned(row, "sessions"));
        let count = count
            .transpose()
            .map_err(StoreError::Unreadable)?
            .unwrap_or_default();
        Ok(Self {
            known,
            invites,
            count: usize::try_from(count).unwrap_or(usize::MAX),
            changed: BTreeSet::new(),
        })
    }

    /// Decides one change.
    pub(super) fn apply(&mut self, change: &SessionChange) -> Applied {
        let decided = match change {
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
        };
        decided.err().unwrap_or(Applied::Done)
    }

    fn begin(&mut self, session: &StoredSession) -> Result<(), Applied> {
        if self.known.contains_key(&session.id()) || self.invites.contains(session.invite.as_slice()) {
            return Err(Applied::Exists);
        }
        if self.count >= limits::SESSIONS_MAX {
            return Err(Applied::TooMany);
        }
        self.count += 1;
        self.invites.insert(session.invite.to_vec());
        self.known.insert(session.id(), Some(session.clone()));
        self.changed.insert(session.id());
        Ok(())
    }

    fn update(&mut self, id: &SecretId, change: impl FnOnce(&mut StoredSession)) -> Result<(), Applied> {
        let found = self.known.get_mut(id).ok_or(Applied::NotThere)?;
        let session = found.as_mut().ok_or(Applied::Unreadable)?;
        if session.revoked_at.is_some() {
            return Err(Applied::NotThere);
        }
        change(session);
        self.changed.insert(id.clone());
        Ok(())
    }

    /// Those that are to be written.
    pub(super) fn changed(&self) -> impl Iterator<Item = &StoredSession> {
        self.changed.iter().filter_map(|id| self.known.get(id)?.as_ref())
    }
}

fn session(row: &Row) -> Result<StoredSession, Damage> {
    let hash = <[u8; 32]>::try_from(rows::column::<&[u8]>(row, "hash")?).map_err(|_| Damage::Malformed)?;
    let invite = rows::column::<&[u8]>(row, "invite")?;
    let invite = <[u8; INVITE_BYTES]>::try_from(invite).map_err(|_| Damage::Malformed)?;
    let session = StoredSession {
        hash: SecretHash(hash),
        user: rows::parsed(row, "user_id", UserId::parse)?,
        name: rows::text(row, "name")?.ok_or(Damage::Malformed)?,
        admin: rows::column(row, "admin")?,
        boards: decode_boards(rows::column(row, "boards")?)?,
        invite,
        created_at: UnixMillis(rows::unsigned(row, "created_at")?),
        used_at: UnixMillis(rows::unsigned(row, "used_at")?),
        expires_at: UnixMillis(rows::unsigned(row, "expires_at")?),
        revoked_at: rows::maybe_unsigned(row, "revoked_at")?.map(UnixMillis),
        user_agent: rows::text(row, "user_agent")?,
    };
    match rows::secret_id(row)? == session.id() {
        true => Ok(session),
        false => Err(Damage::Disagreement),
    }
}

fn asked(links: &Links, statement: Statement<'_>) -> Result<Vec<StoredSession>, StoreError> {
    let answers = links.read(vec![statement])?;
    let found = answers.first().map_or(&[][..], Vec::as_slice);
    let found = found.iter().map(session).collect::<Result<_, Damage>>();
    found.map_err(StoreError::Unreadable)
}

/// See `Registry::session`.
pub(super) fn one(links: &Links, id: &SecretId) -> Result<Option<StoredSession>, StoreError> {
    let found = asked(
        links,
        sql("SELECT * FROM sessions WHERE id = $1").text(id.as_str()),
    )?;
    Ok(found.into_iter().next())
}

/// See `Registry::sessions`.
pub(super) fn some(
    links: &Links,
    which: &WhichSessions,
    after: Option<&SecretId>,
    limit: usize,
) -> Result<Vec<StoredSession>, StoreError> {
    let statement = sql(
        "SELECT * FROM sessions WHERE id > $1 AND ($2 = '' OR user_id = $2) \
         AND ($3::bigint IS NULL OR (revoked_at IS NULL AND expires_at > $3)) ORDER BY id LIMIT $4",
    );
    let statement = statement
        .text(after.map_or("", SecretId::as_str))
        .text(which.user.as_ref().map_or("", UserId::as_str))
        .number(which.valid_at.map(|at| rows::signed(at.0)))
        .number(i64::try_from(limit).unwrap_or(i64::MAX));
    asked(links, statement)
}

/// See `Registry::revoked_sessions`.
pub(super) fn revoked(links: &Links, since: UnixMillis) -> Result<Vec<SecretId>, StoreError> {
    let statement = sql("SELECT id FROM sessions WHERE revoked_at >= $1 ORDER BY id");
    let answers = links.read(vec![statement.number(rows::signed(since.0))])?;
    let found = answers.first().map_or(&[][..], Vec::as_slice);
    let found = found.iter().map(rows::secret_id).collect::<Result<_, Damage>>();
    found.map_err(StoreError::Unreadable)
}
