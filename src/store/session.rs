//! Sessions of browsers as they are kept: who is signed in without a token.
//!
//! Owns [`StoredSession`], what changes of it ([`SessionChange`]) and what is asked about it. Must not know
//! cookies or invitations but by their number. Key invariant: an invitation is used once: a session keeps the
//! number of its own, and stays, also revoked, until it would have ended. Tests: `contract/sessions.rs`.

use std::fmt;

use crate::access::secret::SecretHash;
use crate::ids::{BoardId, Level, SecretId, UserId};
use crate::jwt::invite::INVITE_BYTES;
use crate::time::UnixMillis;

/// A session as it is kept. It belongs to no board.
#[derive(Clone, PartialEq, Eq)]
pub struct StoredSession {
    /// The hash of its text; its [`SecretHash::id`] is what the session is kept under.
    pub hash: SecretHash,
    /// Who is signed in.
    pub user: UserId,
    /// What they are called.
    pub name: String,
    /// Whether they are an admin of the server.
    pub admin: bool,
    /// Levels on boards that the invitation gave.
    pub boards: Vec<(BoardId, Level)>,
    /// The number of the invitation that it began with.
    pub invite: [u8; INVITE_BYTES],
    /// When it began.
    pub created_at: UnixMillis,
    /// When it was last used, about.
    pub used_at: UnixMillis,
    /// When it ends, exclusive.
    pub expires_at: UnixMillis,
    /// When it was ended before that.
    pub revoked_at: Option<UnixMillis>,
    /// The browser, in its own words.
    pub user_agent: Option<String>,
}

impl fmt::Debug for StoredSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoredSession")
            .field("id", &self.hash.id())
            .field("user", &self.user)
            .field("expires_at", &self.expires_at)
            .field("revoked_at", &self.revoked_at)
            .finish_non_exhaustive()
    }
}

impl StoredSession {
    /// What it is kept under.
    #[must_use]
    pub fn id(&self) -> SecretId {
        self.hash.id()
    }

    /// About what it takes in memory.
    pub(super) fn weight(&self) -> usize {
        let boards = self.boards.iter();
        let boards: usize = boards
            .map(|(board, _)| board.as_str().len() + size_of::<BoardId>())
            .sum();
        boards + self.name.len() + self.user_agent.as_ref().map_or(0, String::len) + size_of::<Self>()
    }
}

/// What changes of sessions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SessionChange {
    /// Begins one; also one that is over, for whoever moves sessions from another store.
    Open(Box<StoredSession>),
    /// Notes that it was used, and lets it last.
    Renew {
        /// Which.
        id: SecretId,
        /// When it was.
        used_at: UnixMillis,
        /// When it ends now.
        expires_at: UnixMillis,
    },
    /// Ends it.
    Revoke {
        /// Which.
        id: SecretId,
        /// When.
        at: UnixMillis,
    },
}

/// Which sessions are asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WhichSessions {
    /// Only those of this user.
    pub user: Option<UserId>,
    /// Only those that are neither revoked nor over then; `None` for all that are kept.
    pub valid_at: Option<UnixMillis>,
}

impl WhichSessions {
    /// Whether this one is asked for.
    #[must_use]
    pub fn has(&self, session: &StoredSession) -> bool {
        self.user.as_ref().is_none_or(|user| session.user == *user)
            && (self.valid_at).is_none_or(|at| session.revoked_at.is_none() && at < session.expires_at)
    }
}
