//! The fuzz body `store_ops` and its model: sequences of commits, failures and reopenings against a `BTreeMap`.
//!
//! Owns the plainest reading of the store's rules ([`Model`]); must share no code with the store but its types. Key
//! invariant: what the store holds is the model before a commit that failed, or after it, and nothing between.

use std::collections::BTreeMap;
use std::fmt::Debug;

use bytes::Bytes;

use super::simdisk::SimDisk;
use super::{BoardLog, RedbStore, Registry, Store, Stored};
use crate::access::secret::{SecretHash, SecretKind};
use crate::access::{Asked, BoardFacts, Facts, SecretFacts};
use crate::audit::{Action, Actor, Entry, EntryKey};
use crate::ids::{BoardId, Level, Principal, SecretId, Subject, UserId};
use crate::store::{
    Act, Applied, BoardRecord, Change, Holder, Reclaimed, StoreError, StoredBoard, StoredSecret,
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

/// A board that is there.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Board {
    stored: StoredBoard,
    grants: BTreeMap<Principal, Level>,
    secrets: BTreeMap<SecretId, StoredSecret>,
}

/// What the store should hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Model {
    boards: BTreeMap<BoardId, Option<Board>>,
    /// Kept when the board is deleted.
    audit: BTreeMap<(BoardId, EntryKey), Entry>,
}

impl Model {
    /// Does what `Store::commit` should do with one change.
    pub(super) fn apply(&mut self, change: &Change) -> Applied {
        let board = change.board().clone();
        let entry = match change {
            Change::Append { .. } | Change::Snapshot { .. } => return self.write(change),
            Change::Act {
                act, as_owner, entry, ..
            } => match self.act(&board, act, as_owner.as_ref(), entry.key.at) {
                Applied::Done => entry,
                applied => return applied,
            },
            Change::Audit { entry, .. } => match self.boards.get(&board) {
                None => return Applied::Absent,
                Some(None) => return Applied::Deleted,
                Some(Some(_)) => entry,
            },
        };
        self.audit.insert((board, entry.key), Entry::clone(entry));
        Applied::Done
    }

    /// Changes a document.
    fn write(&mut self, change: &Change) -> Applied {
        let stored = match self.boards.get_mut(change.board()) {
            None => return Applied::Absent,
            Some(None) => return Applied::Deleted,
            Some(Some(board)) => &mut board.stored,
        };
        match change {
            Change::Append {
                sequence, update, at, ..
            } => {
                if *sequence != stored.last_sequence() + 1 {
                    return Applied::OutOfOrder;
                }
                stored.updates.push((*sequence, update.clone()));
                stored.record.updated_at = stored.record.updated_at.max(*at);
            }
            Change::Snapshot { covers, state, .. } => {
                let least = stored.snapshot.as_ref().map_or(0, |(covers, _)| *covers);
                if *covers < least || *covers > stored.last_sequence() {
                    return Applied::OutOfOrder;
                }
                stored.updates.retain(|(sequence, _)| sequence > covers);
                stored.snapshot = Some((*covers, state.clone()));
            }
            Change::Act { .. } | Change::Audit { .. } => unreachable!("no change of a document"),
        }
        Applied::Done
    }

    fn act(&mut self, id: &BoardId, act: &Act, as_owner: Option<&UserId>, at: UnixMillis) -> Applied {
        let taken = self.has_secret(act);
        let board = match (self.boards.get_mut(id), act) {
            (None, Act::Create { owner, title }) => {
                let board = new_board(owner.clone(), title.clone(), at);
                self.boards.insert(id.clone(), Some(board));
                return Applied::Done;
            }
            (Some(Some(_)), Act::Create { .. }) => return Applied::Exists,
            (None, _) => return Applied::Absent,
            (Some(None), _) => return Applied::Deleted,
            (Some(Some(board)), _) => board,
        };
        let record = &mut board.stored.record;
        if as_owner.is_some() && record.owner.as_ref() != as_owner {
            return Applied::NotOwner;
        }
        let done = match act {
            Act::Create { .. } => return Applied::Exists,
            Act::Update { title, owner } => {
                record.title = title.clone().unwrap_or_else(|| record.title.clone());
                record.owner = owner.clone().or_else(|| record.owner.clone());
                record.updated_at = record.updated_at.max(at);
                true
            }
            Act::Delete => self.boards.insert(id.clone(), None).is_some(),
            Act::Grant { principal, level } => {
                board.grants.insert(principal.clone(), *level);
                true
            }
            Act::Ungrant { principal } => board.grants.remove(principal).is_some(),
            Act::AddSecret(_) if taken => return Applied::Exists,
            Act::AddSecret(secret) => {
                let added = StoredSecret::clone(secret);
                board.secrets.insert(secret.facts.hash.id(), added).is_none()
            }
            Act::Revoke { kind, id } => {
                let before = board.secrets.len();
                board
                    .secrets
                    .retain(|has, secret| has != id || secret.facts.kind != *kind);
                board.secrets.len() < before
            }
        };
        if done { Applied::Done } else { Applied::NotThere }
    }

    /// Whether the link or key that an act adds is there, on any board.
    fn has_secret(&self, act: &Act) -> bool {
        let Act::AddSecret(secret) = act else {
            return false;
        };
        let id = secret.facts.hash.id();
        self.live().any(|(_, board)| board.secrets.contains_key(&id))
    }

    fn live(&self) -> impl Iterator<Item = (&BoardId, &Board)> {
        let boards = self.boards.iter();
        boards.filter_map(|(id, board)| Some((id, board.as_ref()?)))
    }

    /// Does what `Store::prune_audit` should do, called until it is through.
    pub(super) fn prune(&mut self, before: UnixMillis) {
        self.audit.retain(|(_, key), _| key.at >= before);
    }

    /// Whether `store` holds just this.
    pub(super) fn is_in(&self, store: &RedbStore) -> bool {
        self.difference(store).is_ok()
    }

    /// What the store gives for each question, against what it should.
    fn difference(&self, store: &RedbStore) -> Result<(), String> {
        self.difference_by(store, Refusals::Differ)
    }

    fn difference_by(&self, store: &RedbStore, refusals: Refusals) -> Result<(), String> {
        for text in BOARDS {
            let id = board(text);
            refusals.same(text, store.load(&id), self.stored(&id))?;
            let (asked, facts) = self.facts(&id);
            refusals.same(text, store.access(&id, &asked), facts)?;
            let board = self.boards.get(&id).and_then(Option::as_ref);
            let grants: Vec<_> =
                board.map_or_else(Vec::new, |board| board.grants.clone().into_iter().collect());
            refusals.same(text, store.grants(&id, None, 100), grants)?;
            for kind in [SecretKind::Link, SecretKind::Key] {
                let secrets = board.into_iter().flat_map(|board| board.secrets.clone());
                let secrets = secrets.filter(|(_, secret)| secret.facts.kind == kind);
                refusals.same(text, store.secrets(&id, kind, None, 100), secrets.collect())?;
            }
            let entries = self.audit.iter().rev();
            let entries = entries
                .filter(|((of, _), _)| *of == id)
                .map(|(_, entry)| entry.clone());
            refusals.same(text, store.audit(&id, None, 1_000), entries.collect())?;
        }
        self.lists(store, refusals)
    }

    /// The lists of some holders, against the boards that they have.
    fn lists(&self, store: &RedbStore, refusals: Refusals) -> Result<(), String> {
        let (alice, bob) = (user(0), principal(1));
        let everything = Holder {
            everything: true,
            ..Holder::default()
        };
        let alices = Holder {
            owners: vec![alice.clone()],
            principals: vec![bob.clone()],
            claimed: vec![board("b")],
            ..Holder::default()
        };
        for holder in [everything, alices] {
            let mut expected = Vec::new();
            for (id, board) in self.live() {
                let record = &board.stored.record;
                let held = record.owner.as_ref() == Some(&alice) || board.grants.contains_key(&bob);
                if holder.everything || held || holder.claimed.contains(id) {
                    let mut grants = board.grants.clone();
                    grants.retain(|principal, _| {
                        *principal == Principal::Public || holder.principals.contains(principal)
                    });
                    expected.push((id.clone(), Ok(record.clone()), grants));
                }
            }
            let listed = store.list(&holder, None, 100);
            let found = listed.map(|listed| {
                let listed = listed.into_iter();
                let listed =
                    listed.map(|one| (one.board, one.summary.map(|summary| summary.record), one.grants));
                listed.collect::<Vec<_>>()
            });
            refusals.same("list", found, expected)?;
        }
        Ok(())
    }

    /// Whether each answer is as here, or an error; otherwise the one that is neither.
    #[cfg(test)]
    pub(super) fn is_in_or_refused(&self, store: &RedbStore) -> Result<(), String> {
        self.difference_by(store, Refusals::Allowed)
    }

    fn stored(&self, id: &BoardId) -> Stored<StoredBoard> {
        match self.boards.get(id) {
            None => Stored::Absent,
            Some(None) => Stored::Deleted,
            Some(Some(board)) => Stored::Present(board.stored.clone()),
        }
    }

    /// A question about everything, and its answer.
    fn facts(&self, id: &BoardId) -> (Asked, Facts) {
        let asked = Asked {
            principals: (0..PRINCIPALS.len()).map(principal).collect(),
            secrets: (0..SECRETS).map(|number| hash(number).id()).collect(),
        };
        let board = self.boards.get(id).and_then(Option::as_ref);
        let facts = Facts {
            board: match self.stored(id) {
                Stored::Absent => BoardFacts::Absent,
                Stored::Deleted => BoardFacts::Deleted,
                Stored::Present(stored) => BoardFacts::Present {
                    owner: stored.record.owner,
                },
            },
            grants: board.map(|board| board.grants.clone()).unwrap_or_default(),
            secrets: self
                .live()
                .flat_map(|(_, board)| &board.secrets)
                .map(|(id, secret)| (id.clone(), secret.facts.clone()))
                .collect(),
        };
        (asked, facts)
    }

    /// The last sequence of a board; 0 where there is none.
    fn last_sequence(&self, board: &BoardId) -> u64 {
        self.boards
            .get(board)
            .and_then(Option::as_ref)
            .map_or(0, |board| board.stored.last_sequence())
    }
}

/// What an error is, where the store should know the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Refusals {
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

fn new_board(owner: Option<UserId>, title: Option<String>, at: UnixMillis) -> Board {
    let record = BoardRecord {
        owner,
        title,
        created_at: at,
        updated_at: at,
    };
    let stored = StoredBoard {
        record,
        snapshot: None,
        updates: Vec::new(),
    };
    Board {
        stored,
        grants: BTreeMap::new(),
        secrets: BTreeMap::new(),
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
    /// Commits the batch, and removes older entries from the audit log.
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
    pub(super) fn next(&mut self, ahead: &Model) -> Option<Step> {
        self.count += 1;
        let byte = self.byte()?;
        let board = board(BOARDS[usize::from(byte >> 5) % BOARDS.len()]);
        let last = ahead.last_sequence(&board);
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

    fn act(&mut self, kind: u8, board: &BoardId) -> Option<Act> {
        let byte = self.byte()?;
        let number = usize::from(byte >> 4);
        let secret_kind = [SecretKind::Link, SecretKind::Key][number % 2];
        Some(match kind {
            18 | 19 => Act::Create {
                owner: (byte % 4 > 0).then(|| user(number)),
                title: None,
            },
            20 if byte < 64 => Act::Delete,
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
                },
                name: (byte % 5 == 0).then(|| self.count.to_string()),
                created_by: Subject::user(&user(number)),
                created_at: UnixMillis(self.count),
            })),
            _ => Act::Revoke {
                kind: secret_kind,
                id: hash(byte % 16).id(),
            },
        })
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
    let mut model = Model::default();
    let mut ahead = Model::default();
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
                if ahead.is_in(&store) {
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
        }
        // Not each time: a copy that is under way would never come to its end.
        if steps.count.is_multiple_of(4) {
            assert_eq!(store.reopen(), Ok(()));
        }
        if let Err(difference) = model.difference(&store) {
            panic!("the store does not hold what the model holds: {difference}");
        }
        ahead = model.clone();
    }
    match store.with(super::read::check::check) {
        Ok(report) => assert!(report.is_sound(), "{report:?}"),
        Err(error) => panic!("{error}"),
    }
}
