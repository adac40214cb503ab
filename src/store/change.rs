//! What is to be made durable, and what became of it.
//!
//! Owns [`Change`] and [`Applied`]. Must not know how anything is stored. Key invariant: a change says all
//! that it needs to be decided in the transaction that makes it, so that nobody has to look first. Tests:
//! `contract/`.

use bytes::Bytes;

use super::{
    AssetChange, NewVersion, SessionChange, StoredSecret, StoredWebhook, VersionId, WebhookId, Whole,
};
use crate::access::secret::SecretKind;
use crate::audit::Entry;
use crate::ids::{BoardId, Level, Principal, SecretId, UserId};
use crate::time::UnixMillis;

/// One change to be made durable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// Adds one accepted update.
    Append {
        /// Whose.
        board: BoardId,
        /// The last stored sequence plus one.
        sequence: u64,
        /// Update v1, as accepted.
        update: Bytes,
        /// When it was accepted.
        at: UnixMillis,
    },
    /// Replaces the log up to and including `covers` by one full state.
    Snapshot {
        /// Whose.
        board: BoardId,
        /// The last sequence contained in `state`.
        covers: u64,
        /// The full state, update v1.
        state: Bytes,
    },
    /// Does something to a board as a whole, and writes the audit entry of it if it is done.
    Act {
        /// Which.
        board: BoardId,
        /// What is done; when is the entry's time.
        act: Act,
        /// Only while this user owns the board: who was allowed to ask may have lost it since. Not looked at
        /// by `Create`; of a board that cannot be read nobody knows the owner.
        as_owner: Option<UserId>,
        /// For the audit.
        entry: Box<Entry>,
    },
    /// Writes an entry to the audit of a board that exists, in place of one under the same key.
    Audit {
        /// Whose.
        board: BoardId,
        /// What happened.
        entry: Box<Entry>,
    },
    /// Makes a board just as it was in another store, or marks its id as used: for whoever moves boards. No
    /// quota is looked at, and no entry written but those that it brings.
    Import(Box<Whole>),
    /// Removes a board for good that was put into the trash before a moment; as `Act::Delete`, but it writes
    /// no entry.
    Purge {
        /// Which.
        board: BoardId,
        /// One that went there at this moment or later stays.
        before: UnixMillis,
    },
    /// Adds a version of a board, and writes the entry of it, if it has one.
    Version {
        /// What is added, and what goes for it.
        new: Box<NewVersion>,
        /// For the audit, where somebody asked for it.
        entry: Option<Box<Entry>>,
    },
    /// Changes a session. It belongs to no board, and whichever node may do it.
    Session(SessionChange),
    /// Changes an upload or an asset.
    Asset(AssetChange),
}

/// What can be done to a board as a whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Act {
    /// Makes it.
    Create {
        /// Its owner, if somebody is.
        owner: Option<UserId>,
        /// Its title; at most `limits::TITLE_BYTES_MAX`.
        title: Option<String>,
    },
    /// Changes its record; what is `None` stays as it is.
    Update {
        /// The new title, or none.
        title: Option<Option<String>>,
        /// The new owner.
        owner: Option<UserId>,
    },
    /// Puts it into the trash: for everybody it is deleted, and nothing of it goes. It still counts for its
    /// owner.
    Trash,
    /// Brings it back out of the trash, with all that it had.
    Restore,
    /// Removes every row of it but its audit entries, and leaves a tombstone. Also of a board that cannot be
    /// read, or is in the trash.
    Delete,
    /// Grants a level, in place of one granted before.
    Grant {
        /// To whom.
        principal: Principal,
        /// What.
        level: Level,
    },
    /// Takes a grant back.
    Ungrant {
        /// Whose.
        principal: Principal,
    },
    /// Adds a link or key; its `facts.board` is this board.
    AddSecret(Box<StoredSecret>),
    /// Revokes a link or key.
    Revoke {
        /// Which of the two it must be.
        kind: SecretKind,
        /// Its id.
        id: SecretId,
    },
    /// Stops an API key, or lets it go on.
    Pause {
        /// Its id.
        id: SecretId,
        /// Which of the two.
        paused: bool,
    },
    /// Adds a webhook.
    AddWebhook(Box<StoredWebhook>),
    /// Removes a webhook.
    RemoveWebhook(WebhookId),
    /// Removes a version.
    RemoveVersion(VersionId),
}

/// What an act or an entry weighs at most, about: a title, a name, a `User-Agent`.
const ACT_WEIGHT: usize = 4 * 1024;

impl Change {
    /// The board that the change is about, if it is about one.
    #[must_use]
    pub fn board(&self) -> Option<&BoardId> {
        match self {
            Self::Append { board, .. }
            | Self::Snapshot { board, .. }
            | Self::Act { board, .. }
            | Self::Audit { board, .. }
            | Self::Purge { board, .. } => Some(board),
            Self::Import(whole) => Some(&whole.board),
            Self::Asset(change) => change.board(),
            Self::Version { new, .. } => Some(&new.board),
            Self::Session(_) => None,
        }
    }

    /// What the change weighs in a queue, in bytes: its payload and its own memory.
    #[must_use]
    pub fn weight(&self) -> usize {
        let payload = match self {
            Self::Append { update, .. } => update.len(),
            Self::Snapshot { state, .. } => state.len(),
            Self::Asset(change) => change.weight(),
            Self::Session(SessionChange::Open(session)) => session.weight(),
            Self::Act { .. } | Self::Audit { .. } | Self::Purge { .. } | Self::Session(_) => ACT_WEIGHT,
            Self::Import(whole) => whole.weight(),
            Self::Version { new, .. } => {
                let chunks = new.chunks.iter().map(Bytes::len);
                chunks.fold(ACT_WEIGHT, usize::saturating_add)
            }
        };
        payload.saturating_add(size_of::<Self>())
    }
}

/// What became of one change of a commit that succeeded. All but `Done` left the store as it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Applied {
    /// It is durable.
    Done,
    /// `Create`: the board is there already. `AddSecret`, `AddWebhook`, `Version`: one with this id is.
    /// `Import`: the board is, or a link or key of it on another board. `Open`: a session with this id or of
    /// this invitation is. `Part`: the upload has this part. `Finish`: the board has this asset.
    Exists,
    /// The board was deleted; it may be in the trash.
    Deleted,
    /// There is no such board.
    Absent,
    /// `Ungrant`, `Revoke`, `Pause`, `RemoveWebhook`, `RemoveVersion`: the board has no such grant, link,
    /// key, webhook or version. `Restore`, `Purge`: the board is not in the trash, or not for so long.
    /// `Renew`, `Revoke` of a session: there is none, or it was revoked. `Part`, `Drop`, `Finish`: there is
    /// no such upload any more, or it is not whole. `Name`, `Remove`: the board has none of these assets.
    NotThere,
    /// `Grant`, `AddSecret`, `AddWebhook`, `Version`: the board has as many as `limits` allows. `Open`: the
    /// store has as many sessions. `Finish`: the board has as many assets.
    TooMany,
    /// `Finish`: with this asset those of the board would have more bytes than they may.
    AssetsFull,
    /// `Create`, `Update`: whoever would own the board has as many as [`super::owners::Quotas`] allow.
    TooManyBoards,
    /// `Update`: with the board its new owner would have more bytes than [`super::owners::Quotas`] allow.
    OwnerFull,
    /// The act was asked for by somebody who owns the board no more.
    NotOwner,
    /// `Append`: the sequence is not the last one plus one. `Snapshot`: it covers what is not stored, or less
    /// than the snapshot that is there. A bug of ours, or a room that outlived a failed commit. `Import`: an
    /// update is missing, or the parts of an asset. `Part`: one before it is missing.
    OutOfOrder,
    /// The board's rows cannot be read; [`super::BoardLog::load`] names the cause.
    Unreadable,
    /// The board is another node's, or the lease of this one has ended: see [`super::ownership`]. Of an act
    /// or an entry: another node has the board, whose lease holds.
    Elsewhere,
}
