//! The fuzz body `store_ops`: sequences of commits, failures and reopenings, against the plainest store.
//!
//! Owns the steps, and the questions by which a store is held against [`Contents`]. Key invariant: what the
//! store holds is the model before a commit that failed, or after it, and nothing between.

use std::fmt::Debug;

use bytes::Bytes;

use super::simdisk::SimDisk;
use super::{BoardLog, RedbStore, Registry, Store, Stored};
use crate::access::secret::{SecretHash, SecretKind};
use crate::access::{Asked, SecretFacts};
use crate::asset::{AssetHash, AssetKind};
use crate::audit::{Action, Actor, Entry, EntryKey};
use crate::ids::{BoardId, Level, Principal, Subject, UserId};
use crate::store::memory::Contents;
use crate::store::{
    Act, AssetChange, Change, ChunkHash, Holder, Listed, NewVersion, Piece, Reclaimed, SessionChange,
    SigningSecret, StoreError, StoredAsset, StoredSecret, StoredSession, StoredVersion, StoredWebhook,
    Trashed, UploadId, VersionId, VersionKind, WebhookId, WhichSessions,
};
use crate::time::UnixMillis;

/// Boards that operations are about: ids that are each other's neighbours among the keys.
const BOARDS: [&str; 4] = ["a", "a-", "aa", "b"];

/// Who owns boards, or asks for acts.
const USERS: [&str; 2] = ["alice", "bob"];

/// To whom boards are granted.
const PRINCIPALS: [&str; 4] = ["user:alice", "user:bob", "team:alice", "public"];

/// Links and keys there may be at a time.
const SECRETS: u8 = 6;

/// Uploads, and assets of them, there may be at a time.
const ASSETS: u8 = 6;

/// More than any list has.
const MANY: usize = 1_000;

/// Whether `store` holds just this.
pub(super) fn is_in(model: &Contents, store: &RedbStore) -> bool {
    difference(model, store, Refusals::Differ).is_ok()
}

/// What the store gives for each question, against what it should.
pub(super) fn difference(model: &Contents, store: &RedbStore, refusals: Refusals) -> Result<(), String> {
    let asked = Asked {
        principals: (0..PRINCIPALS.len()).map(principal).collect(),
        secrets: (0..SECRETS).map(|number| hash(number).id()).collect(),
    };
    for text in BOARDS {
        let id = board(text);
        refusals.same(text, store.load(&id), model.load(&id))?;
        refusals.same(text, store.load_kept(&id), model.load_kept(&id))?;
        refusals.same(text, store.access(&id, &asked), model.access(&id, &asked))?;
        let grants = model.grants(&id, None, MANY);
        refusals.same(text, store.grants(&id, None, MANY), grants)?;
        for kind in [SecretKind::Link, SecretKind::Key] {
            let secrets = model.secrets(&id, kind, None, MANY);
            refusals.same(text, store.secrets(&id, kind, None, MANY), secrets)?;
        }
        refusals.same(text, store.webhooks(&id), model.webhooks(&id))?;
        refusals.same(text, store.assets(&id, None, MANY), model.assets(&id, None, MANY))?;
        let versions = model.versions(&id, None, MANY);
        for version in &versions {
            let expected = model.version(&id, version.id);
            refusals.same(text, store.version(&id, version.id), expected)?;
        }
        refusals.same(text, store.versions(&id, None, MANY), versions)?;
        refusals.same(text, store.version_chunks(&id), model.version_chunks(&id))?;
        refusals.same(text, store.audit(&id, None, MANY), model.audit(&id, None, MANY))?;
    }
    for number in 0..ASSETS {
        let upload = asset(number).upload;
        refusals.same("part", store.asset_part(upload, 0), model.asset_part(upload, 0))?;
    }
    let all = WhichSessions::default();
    let sessions = model.sessions(&all, None, MANY);
    refusals.same("sessions", store.sessions(&all, None, MANY), sessions)?;
    let found = model.find_secrets(&asked.secrets);
    refusals.same("secrets", store.find_secrets(&asked.secrets), found)?;
    let everything = Holder {
        everything: true,
        ..Holder::default()
    };
    let alices = Holder {
        owners: vec![user(0)],
        principals: vec![principal(1)],
        claimed: vec![board("b")],
        ..Holder::default()
    };
    for holder in [everything, alices] {
        // Sizes may differ: a row counts until all of it is covered.
        let told = |listed: Vec<Listed>| {
            let listed = listed.into_iter();
            let listed = listed.map(|one| (one.board, one.summary.map(|summary| summary.record), one.grants));
            listed.collect::<Vec<_>>()
        };
        let trashed = |found: Vec<Trashed>| {
            let found = found.into_iter();
            let found = found.map(|one| (one.board, one.summary.record, one.at));
            found.collect::<Vec<_>>()
        };
        let found = store.trash(&holder, None, MANY).map(trashed);
        refusals.same("trash", found, trashed(model.trash(&holder, None, MANY)))?;
        let expected = told(model.list(&holder, None, MANY));
        refusals.same("list", store.list(&holder, None, MANY).map(told), expected)?;
    }
    Ok(())
}

/// The last sequence of a board; 0 where there is none.
fn last_sequence(model: &Contents, board: &BoardId) -> u64 {
    match model.load(board) {
        Stored::Present(stored) => stored.last_sequence(),
        Stored::Absent | Stored::Deleted => 0,
    }
}

/// What an error is, where the store should know the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusals {
    /// As wrong as another answer.
    Differ,
    /// Right: the file is damaged.
    #[cfg(test)]
    Allowed,
}

impl Refusals {
    fn same<T: PartialEq + Debug>(
        self,
        what: &str,
        found: Result<T, StoreError>,
        expected: T,
    ) -> Result<(), String> {
        if found.as_ref() == Ok(&expected) || (found.is_err() && self != Self::Differ) {
            return Ok(());
        }
        Err(format!("{what}: {found:.500?}, not {expected:.500?}"))
    }
}

fn user(number: usize) -> UserId {
    UserId::parse(USERS[number % USERS.len()]).unwrap_or_else(|| unreachable!("the users above are valid"))
}

fn principal(number: usize) -> Principal {
    Principal::parse(PRINCIPALS[number % PRINCIPALS.len()])
        .unwrap_or_else(|| unreachable!("the principals above are valid"))
}

fn hash(number: u8) -> SecretHash {
    SecretHash([number % SECRETS; 32])
}

fn board(text: &str) -> BoardId {
    BoardId::parse(text).unwrap_or_else(|| unreachable!("the ids above are valid"))
}

/// One step of a sequence.
pub(super) enum Step {
    /// Into the batch.
    Change(Change),
    /// Commits the batch.
    Commit,
    /// The disk fails after so many operations, during the next commit.
    Fail(u64),
    /// Closes and opens the store.
    Reopen,
    /// Gives space back.
    Reclaim,
    /// Commits the batch, and removes older audit entries.
    Prune(UnixMillis),
}

/// Reads steps from bytes; any bytes are some steps.
pub(super) struct Steps<'a> {
    data: &'a [u8],
    count: u64,
}

impl<'a> Steps<'a> {
    pub(super) fn new(data: &'a [u8]) -> Self {
        Self { data, count: 0 }
    }

    fn byte(&mut self) -> Option<u8> {
        let (&byte, rest) = self.data.split_first()?;
        self.data = rest;
        Some(byte)
    }

    /// Bytes of a length that the next byte says, unlike those of other steps.
    fn payload(&mut self) -> Option<Bytes> {
        let byte = self.byte()?;
        let length = match byte {
            0..=199 => usize::from(byte),
            200..=249 => usize::from(byte) * 37,
            250..=255 => usize::from(byte) * 300,
        };
        let seed = self.count;
        Some(
            (0..length as u64)
                .map(|n| (n.wrapping_mul(31).wrapping_add(seed * 17)) as u8)
                .collect(),
        )
    }

    /// The next step, given what the store should hold after the batch.
    pub(super) fn next(&mut self, ahead: &Contents) -> Option<Step> {
        self.count += 1;
        let byte = self.byte()?;
        let board = board(BOARDS[usize::from(byte >> 5) % BOARDS.len()]);
        let last = last_sequence(ahead, &board);
        let at = UnixMillis(self.count);
        Some(match byte % 32 {
            0..=6 => Step::Change(Change::Append {
                board,
                sequence: last + 1,
                update: self.payload()?,
                at,
            }),
            7 => Step::Change(Change::Append {
                board,
                sequence: u64::from(self.byte()?),
                update: self.payload()?,
                at,
            }),
            8 | 9 => Step::Change(Change::Snapshot {
                board,
                covers: (last + 1).saturating_sub(u64::from(self.byte()? % 4)),
                state: self.payload()?,
            }),
            10..=13 => Step::Commit,
            14 => Step::Fail(u64::from(self.byte()?) % 40),
            15 if self.byte()? < 200 => Step::Reopen,
            15 => Step::Reclaim,
            16 => Step::Prune(UnixMillis(
                self.count.saturating_sub(u64::from(self.byte()? % 16)),
            )),
            17 if self.count.is_multiple_of(3) => Step::Change(self.version(board)?),
            17 if self.count.is_multiple_of(5) => Step::Change(Change::Purge {
                board,
                before: UnixMillis(self.count.saturating_sub(u64::from(self.byte()? % 16))),
            }),
            17 if self.count.is_multiple_of(3) => Step::Change(Change::Asset(self.asset(board)?)),
            17 if self.count.is_multiple_of(2) => Step::Change(Change::Session(self.session()?)),
            17 => Step::Change(Change::Audit {
                board,
                entry: entry(UnixMillis(u64::from(self.byte()?)), Action::AccessDenied),
            }),
            kind => Step::Change(Change::Act {
                act: self.act(kind, &board)?,
                board,
                as_owner: match self.byte()? % 8 {
                    0 => Some(user(1)),
                    1 | 2 => Some(user(0)),
                    _ => None,
                },
                entry: entry(at, Action::BoardUpdate),
            }),
        })
    }

    /// A version whose chunks are of a few that there are.
    fn version(&mut self, board: BoardId) -> Option<Change> {
        let byte = self.byte()?;
        let chunks: Vec<Bytes> = (0..3_u8)
            .filter(|bit| byte >> bit & 1 == 1)
            .map(|bit| vec![bit; 3 + usize::from(bit)].into())
            .collect();
        let pieces = chunks.iter().map(|chunk| Piece {
            hash: ChunkHash::of(chunk),
            bytes: chunk.len() as u32,
        });
        let version = StoredVersion {
            id: VersionId(u64::from(byte >> 4)),
            kind: VersionKind::ALL[usize::from(byte % 4)],
            at: UnixMillis(self.count),
            name: (byte % 3 == 0).then(|| self.count.to_string()),
            by: (byte % 2 == 0).then(|| Subject::user(&user(0))),
            pieces: pieces.collect(),
        };
        let forgotten = vec![VersionId(u64::from(self.byte()? % 16))];
        let new = Box::new(NewVersion {
            board,
            version,
            chunks,
            forgotten,
        });
        let entry = (byte % 5 == 0).then(|| entry(UnixMillis(self.count), Action::VersionCreate));
        Some(Change::Version { new, entry })
    }

    fn session(&mut self) -> Option<SessionChange> {
        let byte = self.byte()?;
        let (hash, at) = (hash(byte % 16), UnixMillis(self.count));
        Some(match byte >> 6 {
            0 | 1 => SessionChange::Open(Box::new(StoredSession {
                hash,
                user: user(usize::from(byte)),
                name: self.count.to_string(),
                admin: byte % 2 == 0,
                boards: Vec::new(),
                invite: [byte % 8; 16],
                created_at: at,
                used_at: at,
                expires_at: UnixMillis(self.count + u64::from(byte % 32)),
                revoked_at: None,
                user_agent: None,
            })),
            2 => SessionChange::Renew {
                id: hash.id(),
                used_at: at,
                expires_at: UnixMillis(self.count + u64::from(byte % 32)),
            },
            _ => SessionChange::Revoke { id: hash.id(), at },
        })
    }

    fn asset(&mut self, board: BoardId) -> Option<AssetChange> {
        let byte = self.byte()?;
        let asset = asset(byte % ASSETS);
        let (hashes, at) = (vec![asset.hash], UnixMillis(self.count));
        Some(match byte >> 5 {
            0..=2 => AssetChange::Part {
                upload: asset.upload,
                part: u32::from(byte >> 5 == 2),
                bytes: vec![byte % ASSETS; usize::try_from(asset.bytes).unwrap_or_default()].into(),
                at,
            },
            3 | 4 => AssetChange::Finish {
                board,
                asset: Box::new(asset),
                bytes_max: 120_000,
            },
            5 => AssetChange::Drop(asset.upload),
            6 => AssetChange::Name { board, hashes, at },
            _ => AssetChange::Remove {
                board,
                hashes,
                before: at,
            },
        })
    }

    fn act(&mut self, kind: u8, board: &BoardId) -> Option<Act> {
        let byte = self.byte()?;
        let number = usize::from(byte >> 4);
        let secret_kind = [SecretKind::Link, SecretKind::Key][number % 2];
        Some(match kind {
            18 | 19 => Act::Create {
                owner: (byte % 4 > 0).then(|| user(number)),
                title: None,
            },
            20 if byte < 48 => Act::Delete,
            20 if byte < 144 => Act::Trash,
            21 if byte < 144 => Act::Restore,
            20 | 21 => Act::Update {
                title: match byte % 3 {
                    0 => None,
                    1 => Some(None),
                    _ => Some(Some(self.count.to_string())),
                },
                owner: (byte % 4 > 1).then(|| user(number)),
            },
            22..=24 => Act::Grant {
                principal: principal(number),
                level: [Level::View, Level::Comment, Level::Edit][usize::from(byte % 3)],
            },
            25 => Act::Ungrant {
                principal: principal(number),
            },
            26..=29 => Act::AddSecret(Box::new(StoredSecret {
                facts: SecretFacts {
                    kind: secret_kind,
                    board: board.clone(),
                    hash: hash(byte % 16),
                    level: Level::View,
                    expires_at: (byte % 3 == 0).then_some(UnixMillis(self.count)),
                    paused: false,
                },
                name: (byte % 5 == 0).then(|| self.count.to_string()),
                created_by: Subject::user(&user(number)),
                created_at: UnixMillis(self.count),
            })),
            30 if byte % 2 == 0 => Act::Pause {
                id: hash(byte % 16).id(),
                paused: byte % 4 == 0,
            },
            30 => Act::Revoke {
                kind: secret_kind,
                id: hash(byte % 16).id(),
            },
            _ if byte < 160 => Act::AddWebhook(Box::new(StoredWebhook {
                id: WebhookId::from_bytes([byte % 12; WebhookId::BYTES]),
                url: self.count.to_string(),
                types: Vec::new(),
                kinds: Vec::new(),
                secret: SigningSecret([byte; 32]),
                created_by: Subject::user(&user(number)),
                created_at: UnixMillis(self.count),
            })),
            _ => Act::RemoveWebhook(WebhookId::from_bytes([byte % 12; WebhookId::BYTES])),
        })
    }
}

/// An asset of one part, of some rows.
fn asset(number: u8) -> StoredAsset {
    StoredAsset {
        hash: AssetHash([number; 32]),
        upload: UploadId([number; 16]),
        kind: AssetKind::Png,
        bytes: u64::from(number) * 20_000 + 1,
        size: None,
        created_by: Subject::anonymous(),
        created_at: UnixMillis(1),
        named_at: UnixMillis(1),
    }
}

fn entry(at: UnixMillis, action: Action) -> Box<Entry> {
    Box::new(Entry {
        key: EntryKey { at, n: 0 },
        actor: Actor {
            subject: Subject::anonymous(),
            address: None,
            user_agent: None,
        },
        action,
        level: None,
        detail: serde_json::Value::Null,
    })
}

/// Steps from `data` against the model, with the disk failing where they say so.
///
/// # Panics
/// Where the store and the model differ.
pub fn store_ops(data: &[u8]) {
    let disk = SimDisk::default();
    let Ok(store) = RedbStore::open_disk(&disk) else {
        unreachable!("an empty disk opens");
    };
    let mut model = Contents::default();
    let mut ahead = Contents::default();
    let mut batch = Vec::new();
    let mut expected = Vec::new();
    let mut steps = Steps::new(data);
    while let Some(step) = steps.next(&ahead) {
        match step {
            Step::Change(change) => {
                expected.push(ahead.apply(&change));
                batch.push(change);
                continue;
            }
            Step::Fail(count) => disk.fail_after(Some(count)),
            Step::Reopen => assert_eq!(store.reopen(), Ok(())),
            Step::Reclaim => (0..16).for_each(|_| assert_eq!(store.reclaim(), Ok(Reclaimed::Some))),
            Step::Commit | Step::Prune(_) => {}
        }
        match store.commit(&batch) {
            Ok(applied) => {
                assert_eq!(applied, expected);
                model = ahead.clone();
                // A step of a copy that may fail: what is stored does not change by it.
                if store.reclaim().is_err() {
                    disk.fail_after(None);
                    assert_eq!(store.reopen(), Ok(()));
                }
            }
            Err(_) => {
                assert!(store.commit(&[]).is_err(), "a store that failed takes nothing");
                disk.fail_after(None);
                assert_eq!(store.reopen(), Ok(()));
                if is_in(&ahead, &store) {
                    model = ahead.clone();
                }
            }
        }
        disk.fail_after(None);
        batch.clear();
        expected.clear();
        if let Step::Prune(before) = step {
            while store.prune_audit(before) == Ok(true) {}
            model.prune(before);
            assert_eq!(store.prune_sessions(before), Ok(()));
            model.prune_sessions(before);
            while store.prune_uploads(before) == Ok(true) {}
            model.prune_uploads(before);
        }
        // Not each time: a copy that is under way would never come to its end.
        if steps.count.is_multiple_of(4) {
            assert_eq!(store.reopen(), Ok(()));
        }
        if let Err(difference) = difference(&model, &store, Refusals::Differ) {
            panic!("the store does not hold what the model holds: {difference}");
        }
        ahead = model.clone();
    }
    match store.check() {
        Ok(report) => assert!(report.is_sound(), "{report:?}"),
        Err(error) => panic!("{error}"),
    }
}
