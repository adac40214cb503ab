//! Changes, acts and questions in few words.

use bytes::Bytes;

use super::super::{
    Act, Change, Holder, NewVersion, SigningSecret, StoredSecret, StoredVersion, StoredWebhook, VersionId,
    VersionKind, WebhookId, cut,
};
use crate::access::secret::{SecretHash, SecretKind};
use crate::access::{Asked, SecretFacts};
use crate::audit::{Action, Actor, Entry, EntryKey};
use crate::ids::{BoardId, Level, Principal, Subject, UserId};
use crate::time::UnixMillis;

pub(crate) fn id(text: &str) -> BoardId {
    BoardId::parse(text).unwrap()
}

pub(crate) fn user(text: &str) -> UserId {
    UserId::parse(text).unwrap()
}

pub(crate) fn principal(text: &str) -> Principal {
    Principal::parse(text).unwrap()
}

/// An entry at a time, of alice.
pub(crate) fn entry(at: u64, action: Action) -> Box<Entry> {
    let actor = Actor {
        subject: Subject::parse("user:alice").unwrap(),
        ..Actor::unknown()
    };
    Box::new(Entry::new(key(at, 0), actor, action))
}

pub(crate) fn key(at: u64, n: u32) -> EntryKey {
    let at = UnixMillis(at);
    EntryKey { at, n }
}

/// An act at a time, asked for by nobody in particular.
pub(crate) fn act(board: &str, at: u64, act: Act) -> Change {
    let action = match &act {
        Act::Create { .. } => Action::BoardCreate,
        Act::Update { .. } => Action::BoardUpdate,
        Act::Trash | Act::Delete => Action::BoardDelete,
        Act::Restore => Action::BoardRestore,
        Act::Grant { .. } => Action::PermissionSet,
        Act::Ungrant { .. } => Action::PermissionRemove,
        Act::AddSecret(_) => Action::LinkCreate,
        Act::Revoke { .. } => Action::LinkRevoke,
        Act::Pause { .. } => Action::KeyPause,
        Act::AddWebhook(_) => Action::WebhookCreate,
        Act::RemoveWebhook(_) => Action::WebhookDelete,
        Act::RemoveVersion(_) => Action::VersionDelete,
    };
    Change::Act {
        board: id(board),
        act,
        as_owner: None,
        entry: entry(at, action),
    }
}

/// An act that is done only while this user owns the board.
pub(crate) fn act_as(owner: &str, board: &str, at: u64, what: Act) -> Change {
    let mut change = act(board, at, what);
    if let Change::Act { as_owner, .. } = &mut change {
        *as_owner = Some(user(owner));
    }
    change
}

/// Makes a board of alice.
pub(crate) fn create(board: &str) -> Change {
    let (owner, title) = (UserId::parse("alice"), Some("Plan".into()));
    act(board, 10, Act::Create { owner, title })
}

/// Makes a board of somebody, or of nobody.
pub(crate) fn create_of(board: &str, owner: Option<&str>) -> Change {
    let (owner, title) = (owner.map(user), None);
    act(board, 10, Act::Create { owner, title })
}

pub(crate) fn append(board: &str, sequence: u64, update: impl Into<Bytes>) -> Change {
    Change::Append {
        board: id(board),
        sequence,
        update: update.into(),
        at: UnixMillis(sequence.saturating_add(10)),
    }
}

pub(crate) fn snapshot(board: &str, covers: u64, state: impl Into<Bytes>) -> Change {
    Change::Snapshot {
        board: id(board),
        covers,
        state: state.into(),
    }
}

pub(crate) fn delete(board: &str) -> Change {
    act(board, 99, Act::Delete)
}

/// Puts a board into the trash.
pub(crate) fn trash(board: &str, at: u64) -> Change {
    act(board, at, Act::Trash)
}

/// Removes a board for good that went into the trash before a moment.
pub(crate) fn purge(board: &str, before: u64) -> Change {
    Change::Purge {
        board: id(board),
        before: UnixMillis(before),
    }
}

/// Adds a version with this state.
pub(crate) fn versioned(board: &str, number: u64, state: impl Into<Bytes>) -> Change {
    let (pieces, chunks) = cut(&state.into());
    let version = StoredVersion {
        id: VersionId(number),
        kind: VersionKind::Named,
        at: UnixMillis(number),
        name: Some("A version".into()),
        by: None,
        pieces,
    };
    let new = Box::new(NewVersion {
        board: id(board),
        version,
        chunks,
        forgotten: Vec::new(),
    });
    Change::Version { new, entry: None }
}

/// An event that is no act.
pub(crate) fn event(board: &str, (at, n): (u64, u32)) -> Change {
    let mut entry = entry(at, Action::AccessDenied);
    entry.key = key(at, n);
    Change::Audit {
        board: id(board),
        entry,
    }
}

pub(crate) fn update(title: Option<Option<&str>>, owner: Option<&str>) -> Act {
    Act::Update {
        title: title.map(|title| title.map(str::to_owned)),
        owner: owner.map(user),
    }
}

/// Gives a board to somebody, with another title.
pub(crate) fn give(board: &str, to: &str) -> Change {
    act(board, 20, update(Some(Some("given")), Some(to)))
}

pub(crate) fn grant(to: &str, level: Level) -> Act {
    Act::Grant {
        principal: principal(to),
        level,
    }
}

pub(crate) fn ungrant(from: &str) -> Act {
    Act::Ungrant {
        principal: principal(from),
    }
}

/// A link or key of a board with the text "`name` of `board`".
pub(crate) fn stored(board: &str, kind: SecretKind, name: &str, expires_at: Option<u64>) -> StoredSecret {
    StoredSecret {
        facts: SecretFacts {
            kind,
            board: id(board),
            hash: SecretHash::of(&format!("{name} of {board}")),
            level: Level::Comment,
            expires_at: expires_at.map(UnixMillis),
            paused: false,
        },
        name: (kind == SecretKind::Key).then(|| name.to_owned()),
        created_by: Subject::parse("user:alice").unwrap(),
        created_at: UnixMillis(13),
    }
}

pub(crate) fn secret(board: &str, kind: SecretKind, name: &str) -> Act {
    Act::AddSecret(Box::new(stored(board, kind, name, None)))
}

pub(crate) fn revoke(board: &str, kind: SecretKind, name: &str) -> Act {
    let id = stored(board, kind, name, None).facts.hash.id();
    Act::Revoke { kind, id }
}

/// Pauses a key of a board.
pub(crate) fn pause(board: &str, name: &str) -> Act {
    let (id, paused) = (stored(board, SecretKind::Key, name, None).facts.hash.id(), true);
    Act::Pause { id, paused }
}

/// Lets it go on.
pub(crate) fn resume(board: &str, name: &str) -> Act {
    let (id, paused) = (stored(board, SecretKind::Key, name, None).facts.hash.id(), false);
    Act::Pause { id, paused }
}

/// A webhook whose id is this number.
pub(crate) fn webhook(number: u8) -> StoredWebhook {
    StoredWebhook {
        id: WebhookId::from_bytes([number; WebhookId::BYTES]),
        url: format!("https://example.com/{number}?a=b,c"),
        types: ["item", "presence"][..usize::from(number % 3)]
            .iter()
            .map(|word| (*word).to_owned())
            .collect(),
        kinds: ["sticky", "frame"][..usize::from(number % 2)]
            .iter()
            .map(|word| (*word).to_owned())
            .collect(),
        secret: SigningSecret([number; 32]),
        created_by: Subject::parse("user:alice").unwrap(),
        created_at: UnixMillis(14),
    }
}

pub(crate) fn add_webhook(number: u8) -> Act {
    Act::AddWebhook(Box::new(webhook(number)))
}

pub(crate) fn remove_webhook(number: u8) -> Act {
    Act::RemoveWebhook(webhook(number).id)
}

pub(crate) fn owned_by(owner: &str) -> Holder {
    Holder {
        owners: vec![user(owner)],
        ..Holder::default()
    }
}

pub(crate) fn everything() -> Holder {
    Holder {
        everything: true,
        ..Holder::default()
    }
}

pub(crate) fn asked(principals: &[&str], secrets: &[&StoredSecret]) -> Asked {
    Asked {
        principals: principals.iter().map(|text| principal(text)).collect(),
        secrets: secrets.iter().map(|secret| secret.facts.hash.id()).collect(),
    }
}
