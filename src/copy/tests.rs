//! Tests of copying, on stores in memory.

use std::collections::BTreeMap;
use std::sync::Mutex;

use sha2::{Digest as _, Sha256};

use super::*;
use crate::access::secret::SecretHash;
use crate::asset::{AssetHash, AssetKind};
use crate::audit::{Action, Actor, Entry, EntryKey};
use crate::ids::{Level, Principal, UserId};
use crate::limits;
use crate::store::front::Front;
use crate::store::memory::MemoryStore;
use crate::store::{
    Act, AssetChange, BoardLog as _, INVITE_BYTES, Life, Registry as _, SessionChange, Stored, StoredAsset,
    StoredSession, UploadId,
};
use crate::time::UnixMillis;

fn id(number: u64) -> BoardId {
    BoardId::parse(&format!("board-{number:04}")).unwrap()
}

fn act(board: &BoardId, at: u64, act: Act) -> Change {
    let key = EntryKey {
        at: UnixMillis(at),
        n: 0,
    };
    let entry = Box::new(Entry::new(key, Actor::unknown(), Action::BoardUpdate));
    Change::Act {
        board: board.clone(),
        act,
        as_owner: None,
        entry,
    }
}

/// So many boards; every third has a grant, every seventh is deleted.
fn filled(boards: u64) -> MemoryStore {
    let store = MemoryStore::default();
    for number in 0..boards {
        let board = id(number);
        let (owner, title) = (UserId::parse("alice"), None);
        let mut changes = vec![act(&board, 1, Act::Create { owner, title })];
        changes.push(Change::Append {
            board: board.clone(),
            sequence: 1,
            update: number.to_string().into(),
            at: UnixMillis(2),
        });
        if number % 3 == 0 {
            let principal = Principal::parse("user:bob").unwrap();
            let level = Level::Edit;
            changes.push(act(&board, 3, Act::Grant { principal, level }));
        }
        if number % 7 == 0 {
            changes.push(act(&board, 4, Act::Delete));
        }
        assert_eq!(store.commit(&changes), Ok(vec![Applied::Done; changes.len()]));
    }
    store
}

/// Everything that is said on the way.
fn copied(from: &dyn Store, to: &dyn Store) -> (Result<Copied, Stopped>, Vec<String>) {
    let mut said = Vec::new();
    let done = copy(from, to, &mut |told| {
        said.push(match told {
            Told::Ids(count) => format!("{count} ids"),
            Told::Progress(done) => format!("{} seen", done.seen()),
            Told::Behind(board, trouble) => format!("{board}: {trouble}"),
            Told::Session(id, trouble) => format!("session {id:?}: {trouble}"),
        });
    });
    (done, said)
}

fn behind(said: &[String]) -> Vec<&str> {
    let said = said.iter().map(String::as_str);
    said.filter(|line| line.starts_with("board-")).collect()
}

/// A store that fails, or says something else, where it is told to.
#[derive(Default)]
struct Odd {
    store: MemoryStore,
    /// Commits that still succeed.
    commits: Mutex<Option<u64>>,
    /// Boards of which each question fails so.
    broken: BTreeMap<BoardId, StoreError>,
    reopened: Mutex<u64>,
}

impl Front for Odd {
    fn behind(&self) -> &dyn Store {
        &self.store
    }

    fn commit(&self, changes: &[Change]) -> Result<Vec<Applied>, StoreError> {
        match &mut *self.commits.lock().unwrap() {
            Some(0) => return Err(StoreError::Full),
            Some(left) => *left -= 1,
            None => {}
        }
        self.store.commit(changes)
    }

    fn load(&self, board: &BoardId) -> Result<Stored<crate::store::StoredBoard>, StoreError> {
        match self.broken.get(board) {
            Some(error) => Err(error.clone()),
            None => self.store.load(board),
        }
    }

    fn reopen(&self) -> Result<(), StoreError> {
        *self.reopened.lock().unwrap() += 1;
        Ok(())
    }
}

fn odd(store: MemoryStore) -> Odd {
    Odd {
        store,
        ..Odd::default()
    }
}

#[test]
fn all_boards_are_copied_once_and_counted() {
    // More than one page of ids, and more than one commit.
    let (from, to) = (filled(300), MemoryStore::default());
    let (done, said) = copied(&from, &to);
    let written = Copied {
        written: 300,
        bytes: (0..300_u64)
            .filter(|number| number % 7 != 0)
            .map(|number| number.to_string().len() as u64)
            .sum(),
        ..Copied::default()
    };
    assert_eq!(done, Ok(written));
    assert_eq!(said.first().map(String::as_str), Some("300 ids"));
    assert_eq!(said.last().map(String::as_str), Some("300 seen"));
    for number in 0..300 {
        let board = id(number);
        assert_eq!(Whole::read(&to, &board), Whole::read(&from, &board));
    }
    let equal = Copied {
        equal: 300,
        ..Copied::default()
    };
    assert_eq!(copied(&from, &to).0, Ok(equal));
}

#[test]
fn what_was_interrupted_goes_on_where_it_was() {
    let from = filled(300);
    let to = odd(MemoryStore::default());
    *to.commits.lock().unwrap() = Some(2);
    let stopped = Stopped {
        side: Side::Target,
        error: StoreError::Full,
    };
    assert_eq!(copied(&from, &to).0, Err(stopped));
    *to.commits.lock().unwrap() = None;
    let done = copied(&from, &to).0.unwrap();
    let most = BOARDS_AT_ONCE_MAX as u64;
    assert_eq!(
        (done.equal, done.written, done.behind),
        (2 * most, 300 - 2 * most, 0)
    );
}

#[test]
fn what_cannot_be_read_is_named_and_the_others_are_copied() {
    let mut from = odd(filled(10));
    let disk = StoreError::Io {
        kind: std::io::ErrorKind::Other,
        code: None,
    };
    from.broken
        .insert(id(2), StoreError::Unreadable(Damage::SnapshotIncomplete));
    from.broken.insert(id(5), disk);
    let (done, said) = copied(&from, &MemoryStore::default());
    let done = done.unwrap();
    assert_eq!((done.written, done.behind), (8, 2));
    assert_eq!(
        behind(&said),
        [
            "board-0002: cannot be read on the source: the snapshot is incomplete",
            "board-0005: cannot be read on the source: disk input or output failed: other error",
        ]
    );
    assert_eq!(
        *from.reopened.lock().unwrap(),
        1,
        "after a failure of the disk, and not of one board"
    );
}

#[test]
fn what_the_target_has_under_the_same_id_stays_and_is_named() {
    let (from, to) = (filled(10), MemoryStore::default());
    let other = |board: &BoardId| {
        let (owner, title) = (UserId::parse("carol"), None);
        act(board, 9, Act::Create { owner, title })
    };
    // A live one, one that is deleted on the source only, one that is deleted on the target only.
    let mine = [id(1), id(7), id(2), BoardId::parse("mine").unwrap()];
    to.commit(&mine.each_ref().map(other)).unwrap();
    to.commit(&[act(&id(2), 10, Act::Delete)]).unwrap();
    let before = mine.each_ref().map(|board| Whole::read(&to, board));
    let (done, said) = copied(&from, &to);
    let done = done.unwrap();
    assert_eq!((done.written, done.behind, done.others), (7, 3, 1));
    let words = "the target has another board under this id, and keeps it";
    assert_eq!(
        behind(&said),
        [1, 2, 7].map(|number| format!("{}: {words}", id(number)))
    );
    assert_eq!(mine.each_ref().map(|board| Whole::read(&to, board)), before);
}

#[test]
fn a_target_that_loses_something_is_found_out() {
    /// Says that everything is done, and does it without the grants.
    struct Forgetful(MemoryStore);
    impl Front for Forgetful {
        fn behind(&self) -> &dyn Store {
            &self.0
        }
        fn commit(&self, changes: &[Change]) -> Result<Vec<Applied>, StoreError> {
            let mut changes = changes.to_vec();
            for change in &mut changes {
                if let Change::Import(whole) = change
                    && let Life::Live(living) = &mut whole.life
                {
                    living.grants.clear();
                }
            }
            self.0.commit(&changes)
        }
    }
    let (done, said) = copied(&filled(5), &Forgetful(MemoryStore::default()));
    assert_eq!(done.unwrap().behind, 1);
    assert_eq!(
        behind(&said),
        ["board-0003: what the target gives back is not what was written"]
    );
}

#[test]
fn sessions_are_copied_also_those_that_were_revoked_and_what_differs_is_named() {
    let session = |number: u8, name: &str| StoredSession {
        hash: SecretHash([number; 32]),
        user: UserId::parse("alice").unwrap(),
        name: name.into(),
        admin: number == 1,
        boards: vec![(id(1), Level::View)],
        invite: [number; INVITE_BYTES],
        created_at: UnixMillis(1),
        used_at: UnixMillis(2),
        expires_at: UnixMillis(3),
        revoked_at: (number == 2).then_some(UnixMillis(2)),
        user_agent: None,
    };
    let begin = |session: StoredSession| Change::Session(SessionChange::Open(Box::new(session)));
    let (from, to) = (filled(1), MemoryStore::default());
    let sessions: Vec<_> = (1..=3).map(|number| begin(session(number, "Alice"))).collect();
    from.commit(&sessions).unwrap();
    to.commit(&[begin(session(3, "Bob"))]).unwrap();
    for _ in 0..2 {
        let (done, said) = copied(&from, &to);
        let done = done.unwrap();
        assert_eq!((done.sessions, done.sessions_behind), (2, 1));
        let differs = said
            .iter()
            .filter(|line| line.starts_with("session") && line.contains("another"));
        assert_eq!(differs.count(), 1, "{said:?}");
    }
    for number in [1, 2] {
        let kept = session(number, "Alice");
        assert_eq!(to.session(&kept.id()), Ok(Some(kept)));
    }
}

/// An asset of a board that has two parts, with its bytes.
fn with_asset(store: &MemoryStore, board: &BoardId) -> StoredAsset {
    let parts = [vec![1; limits::ASSET_PART_BYTES], vec![2; 17]];
    let asset = StoredAsset {
        hash: AssetHash(Sha256::digest(parts.concat()).into()),
        upload: UploadId([7; 16]),
        kind: AssetKind::Png,
        bytes: u64::try_from(parts.concat().len()).unwrap(),
        size: None,
        created_by: Actor::unknown().subject,
        created_at: UnixMillis(1),
        named_at: UnixMillis(1),
    };
    let mut changes: Vec<Change> = (0..)
        .zip(parts)
        .map(|(part, bytes)| {
            Change::Asset(AssetChange::Part {
                upload: asset.upload,
                part,
                bytes: bytes.into(),
                at: UnixMillis(1),
            })
        })
        .collect();
    changes.push(Change::Asset(AssetChange::Finish {
        board: board.clone(),
        asset: Box::new(asset.clone()),
        bytes_max: u64::MAX,
    }));
    assert_eq!(store.commit(&changes), Ok(vec![Applied::Done; 3]));
    asset
}

#[test]
fn assets_come_along_with_all_their_bytes_and_a_copy_that_was_cut_off_goes_on() {
    let from = filled(3);
    let asset = with_asset(&from, &id(1));
    for brought in 0..=2 {
        let to = MemoryStore::default();
        for part in 0..brought {
            let bytes = from.asset_part(asset.upload, part).unwrap().unwrap();
            let part = AssetChange::Part {
                upload: asset.upload,
                part,
                bytes,
                at: UnixMillis(9),
            };
            to.commit(&[Change::Asset(part)]).unwrap();
        }
        let (done, said) = copied(&from, &to);
        assert_eq!((done.unwrap().written, behind(&said)), (3, vec![]));
        assert_eq!(to.assets(&id(1), None, 9), Ok(vec![asset.clone()]));
        for part in 0..asset.parts() {
            assert_eq!(
                to.asset_part(asset.upload, part),
                from.asset_part(asset.upload, part)
            );
        }
    }
}

#[test]
fn a_board_whose_assets_are_not_what_they_are_called_stays_behind() {
    let from = filled(3);
    let asset = with_asset(&from, &id(1));
    let to = MemoryStore::default();
    let part = AssetChange::Part {
        upload: asset.upload,
        part: 0,
        bytes: vec![9; limits::ASSET_PART_BYTES].into(),
        at: UnixMillis(9),
    };
    to.commit(&[Change::Asset(part)]).unwrap();
    let (done, said) = copied(&from, &to);
    assert_eq!(done.unwrap().behind, 1);
    let words = "board-0001: what the target gives back is not what was written";
    assert_eq!(behind(&said), [words]);
}
