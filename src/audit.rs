//! The audit log as values: what an entry says.
//!
//! Owns [`Entry`], [`Action`] and [`EntryKey`]. Must not store or send anything. Key invariant: an entry
//! holds no credential: who acted is named by an id, never by what was sent. Tests are below.

use std::net::IpAddr;

use serde_json::Value;

use crate::ids::{Level, Subject};
use crate::time::UnixMillis;

/// What was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Action {
    /// A board was made.
    BoardCreate,
    /// A connection was opened, or a board read or written over HTTP (once an hour).
    BoardAccess,
    /// Title or owner changed.
    BoardUpdate,
    /// A board was deleted.
    BoardDelete,
    /// A board came back out of the trash.
    BoardRestore,
    /// A level was granted.
    PermissionSet,
    /// A grant was taken back.
    PermissionRemove,
    /// A share link was made.
    LinkCreate,
    /// A share link was revoked.
    LinkRevoke,
    /// An API key was made.
    KeyCreate,
    /// An API key was revoked.
    KeyRevoke,
    /// An API key was paused.
    KeyPause,
    /// An API key that was paused may go on.
    KeyResume,
    /// A webhook was made.
    WebhookCreate,
    /// A webhook was deleted.
    WebhookDelete,
    /// A version was made by somebody.
    VersionCreate,
    /// A version was restored.
    VersionRestore,
    /// A version was removed.
    VersionDelete,
    /// Somebody was refused; repeats are counted into one entry.
    AccessDenied,
}

impl Action {
    /// Every action.
    pub const ALL: [Self; 19] = [
        Self::BoardCreate,
        Self::BoardAccess,
        Self::BoardUpdate,
        Self::BoardDelete,
        Self::BoardRestore,
        Self::PermissionSet,
        Self::PermissionRemove,
        Self::LinkCreate,
        Self::LinkRevoke,
        Self::KeyCreate,
        Self::KeyRevoke,
        Self::KeyPause,
        Self::KeyResume,
        Self::WebhookCreate,
        Self::WebhookDelete,
        Self::VersionCreate,
        Self::VersionRestore,
        Self::VersionDelete,
        Self::AccessDenied,
    ];

    /// The contract's word; it is also what is stored.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::BoardCreate => "board.create",
            Self::BoardAccess => "board.access",
            Self::BoardUpdate => "board.update",
            Self::BoardDelete => "board.delete",
            Self::BoardRestore => "board.restore",
            Self::PermissionSet => "permission.set",
            Self::PermissionRemove => "permission.remove",
            Self::LinkCreate => "link.create",
            Self::LinkRevoke => "link.revoke",
            Self::KeyCreate => "key.create",
            Self::KeyRevoke => "key.revoke",
            Self::KeyPause => "key.pause",
            Self::KeyResume => "key.resume",
            Self::WebhookCreate => "webhook.create",
            Self::WebhookDelete => "webhook.delete",
            Self::VersionCreate => "version.create",
            Self::VersionRestore => "version.restore",
            Self::VersionDelete => "version.delete",
            Self::AccessDenied => "access.denied",
        }
    }

    /// Reads the contract's word.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|action| action.as_str() == text)
    }
}

/// Where an entry stands in a board's log: by time, then by a number that tells those of one millisecond
/// apart.
///
/// An entry written again under its key replaces the first; that is how repeated refusals are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EntryKey {
    /// When it happened.
    pub at: UnixMillis,
    /// Any number that no other entry of the millisecond has.
    pub n: u32,
}

/// Who did something from where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Actor {
    /// Who.
    pub subject: Subject,
    /// The peer's address, trusted proxies left out; `None` for a sum over many.
    pub address: Option<IpAddr>,
    /// `User-Agent`, printable and cut at `limits::USER_AGENT_BYTES_MAX`.
    pub user_agent: Option<String>,
}

/// One entry of a board's audit log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its place.
    pub key: EntryKey,
    /// Who, from where.
    pub actor: Actor,
    /// What.
    pub action: Action,
    /// The level that was used, granted or given; `None` where none was.
    pub level: Option<Level>,
    /// What else there is to say: a JSON object, small; `Null` for nothing.
    pub detail: Value,
}

impl Actor {
    /// Somebody of whom nothing is known.
    #[must_use]
    pub fn unknown() -> Self {
        Self {
            subject: Subject::anonymous(),
            address: None,
            user_agent: None,
        }
    }
}

impl Entry {
    /// An entry that says no more than who did what, and when.
    #[must_use]
    pub fn new(key: EntryKey, actor: Actor, action: Action) -> Self {
        Self {
            key,
            actor,
            action,
            level: None,
            detail: Value::Null,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn actions_are_the_contracts_words_and_round_trip() {
        let words = Action::ALL.map(Action::as_str);
        assert_eq!(
            words.join(" "),
            "board.create board.access board.update board.delete board.restore permission.set permission.remove \
             link.create link.revoke key.create key.revoke key.pause key.resume webhook.create webhook.delete \
             version.create version.restore version.delete access.denied"
        );
        assert_eq!(BTreeSet::from(words).len(), Action::ALL.len());
        assert_eq!(words.map(Action::parse), Action::ALL.map(Some));
        for bad in ["", "board", "Board.create", "board.create ", "access.granted"] {
            assert_eq!(Action::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn entries_are_ordered_by_time_and_then_by_number() {
        let key = |at, n| EntryKey {
            at: UnixMillis(at),
            n,
        };
        assert!(key(1, 9) < key(2, 0) && key(2, 0) < key(2, 1));
    }
}
