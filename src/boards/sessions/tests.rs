//! Tests of sessions that are ended, without sockets.

use std::time::Duration;

use super::*;
use crate::access::SecretFacts;
use crate::access::SentSecret;
use crate::access::secret::{SecretHash, SecretKind};
use crate::audit::{Action, Actor, Entry, EntryKey};
use crate::boards::harness;
use crate::boards::rights::Joined;
use crate::ids::{BoardId, Level, Subject};
use crate::store::memory::MemoryStore;
use crate::store::{Act, Registry as _, Store, StoredSecret};

const LINK: &str = "bwl_link";

fn board() -> BoardId {
    BoardId::parse("b").unwrap()
}

fn alice() -> UserId {
    UserId::parse("alice").unwrap()
}

fn session(number: u8) -> StoredSession {
    StoredSession {
        hash: SecretHash([number; 32]),
        user: alice(),
        name: "Alice".into(),
        admin: false,
        boards: Vec::new(),
        invite: [number; 16],
        created_at: UnixMillis(1),
        used_at: UnixMillis(1),
        expires_at: UnixMillis(u64::MAX / 4),
        revoked_at: None,
        user_agent: None,
    }
}

fn act(act: Act) -> Change {
    let key = EntryKey {
        at: UnixMillis(1),
        n: 0,
    };
    Change::Act {
        board: board(),
        act,
        as_owner: None,
        entry: Box::new(Entry::new(key, Actor::unknown(), Action::PermissionSet)),
    }
}

/// A board of alice with a link to view it, and two sessions of hers.
fn filled(store: &MemoryStore) {
    let facts = SecretFacts {
        kind: SecretKind::Link,
        board: board(),
        hash: SecretHash::of(LINK),
        level: Level::View,
        expires_at: None,
        paused: false,
    };
    let (owner, title) = (Some(alice()), None);
    let changes = [
        act(Act::Create { owner, title }),
        act(Act::AddSecret(Box::new(StoredSecret {
            facts,
            name: None,
            created_by: Subject::user(&alice()),
            created_at: UnixMillis(1),
        }))),
        Change::Session(SessionChange::Open(Box::new(session(1)))),
        Change::Session(SessionChange::Open(Box::new(session(2)))),
    ];
    assert_eq!(store.commit(&changes), Ok(vec![Applied::Done; 4]));
}

/// What somebody comes with who is signed in by a session.
fn signed_in(number: u8, secrets: Vec<SentSecret>) -> Arc<Credentials> {
    let token = TokenRights {
        user: alice(),
        teams: Box::default(),
        admin: false,
        claimed: None,
        expires_at: UnixMillis(u64::MAX / 4),
        name: None,
        session: Some(session(number).id()),
    };
    Arc::new(Credentials {
        tokens: vec![token],
        secrets,
    })
}

async fn joined(boards: &Arc<Boards>, credentials: Arc<Credentials>) -> Joined {
    let granted = boards
        .decide(board(), credentials, Actor::unknown())
        .await
        .unwrap();
    boards.join(granted).await.unwrap().1
}

fn level(joined: &Joined) -> Option<Level> {
    joined.cell.lock().level(joined.session.member())
}

async fn wait_for(reached: impl Fn() -> bool) {
    while !reached() {
        async_io::Timer::after(Duration::from_millis(1)).await;
    }
}

#[test]
fn whoever_is_on_a_board_by_a_session_that_is_ended_goes_or_keeps_what_else_they_have() {
    let store = Arc::new(MemoryStore::default());
    filled(&store);
    let (boards, executor) = harness::boards(harness::settings(), store);
    smol::block_on(executor.run(async {
        let link = SentSecret {
            kind: SecretKind::Link,
            hash: SecretHash::of(LINK),
        };
        let alone = joined(&boards, signed_in(1, Vec::new())).await;
        let linked = joined(&boards, signed_in(1, vec![link.clone()])).await;
        let other = joined(&boards, signed_in(2, Vec::new())).await;
        assert_eq!([&alone, &linked, &other].map(level), [Some(Level::Edit); 3]);
        let decided = |secrets| boards.decide(board(), signed_in(1, secrets), Actor::unknown());
        let before = decided(Vec::new()).await.unwrap();
        let linked_before = decided(vec![link]).await.unwrap();

        let revoke = SessionChange::Revoke {
            id: session(1).id(),
            at: boards.now().unix,
        };
        assert_eq!(boards.change_session(revoke).await, Ok(Applied::Done));
        wait_for(|| level(&linked) == Some(Level::View)).await;
        wait_for(|| alone.cell.lock().closing(alone.session.member()).is_some()).await;
        let fault = alone.cell.lock().closing(alone.session.member());
        assert_eq!(fault, Some(Fault::ExpiredCredential));
        assert_eq!(level(&other), Some(Level::Edit), "of another session");

        let refused = boards.decide(board(), signed_in(1, Vec::new()), Actor::unknown());
        assert_eq!(refused.await.err(), Some(Fault::ExpiredCredential));
        let (granted, _) = boards.join(linked_before).await.unwrap();
        assert_eq!(granted.grant.level, Level::View, "the link stands");
        let late = boards.join(before).await;
        assert_eq!(late.err(), Some(Fault::ExpiredCredential), "decided about before");
        let found = boards.sessions(Some(alice()), None, 9).await.unwrap();
        assert_eq!(found, [session(2)]);
        let kept = boards.session(session(1).id()).await.unwrap().unwrap();
        assert!(kept.revoked_at.is_some(), "its invitation stays used");
    }));
}

#[test]
fn sessions_that_were_ended_before_the_start_are_known() {
    let store = Arc::new(MemoryStore::default());
    filled(&store);
    let revoke = SessionChange::Revoke {
        id: session(1).id(),
        at: UnixMillis(5),
    };
    assert_eq!(store.commit(&[Change::Session(revoke)]), Ok(vec![Applied::Done]));
    let (boards, executor) = harness::boards(harness::settings(), store);
    boards.start();
    smol::block_on(executor.run(wait_for(|| boards.ended.is_ended(&session(1).id()))));
    assert!(!boards.ended.is_ended(&session(2).id()));
}

#[test]
fn a_session_that_is_ended_on_one_node_is_ended_on_the_others() {
    let store = Arc::new(MemoryStore::default());
    filled(&store);
    let lease = Duration::from_secs(60);
    let (boards, executor) = harness::node(harness::settings(), &store, ("one", lease));
    boards.start();
    smol::block_on(executor.run(async {
        let alone = joined(&boards, signed_in(1, Vec::new())).await;
        let at = boards.now().unix;
        let revoke = SessionChange::Revoke {
            id: session(1).id(),
            at,
        };
        // As another node does, behind this one's back.
        assert_eq!(store.commit(&[Change::Session(revoke)]), Ok(vec![Applied::Done]));
        assert_eq!(store.revoked_sessions(at), Ok(vec![session(1).id()]));
        wait_for(|| alone.cell.lock().closing(alone.session.member()).is_some()).await;
    }));
}

#[test]
fn as_many_ended_sessions_are_remembered_as_there_may_be() {
    let ended = Ended::default();
    let id = |number: usize| {
        let mut bytes = [0; SecretId::BYTES];
        bytes[..8].copy_from_slice(&number.to_le_bytes());
        SecretId::from_bytes(bytes)
    };
    let ids: Vec<SecretId> = (0..limits::SESSIONS_MAX).map(id).collect();
    assert!(ended.add(&ids));
    assert!(!ended.add(&ids), "nothing new");
    assert!(ended.is_ended(&id(0)));
    assert!(ended.add(&[id(limits::SESSIONS_MAX)]));
    assert!(!ended.is_ended(&id(0)) && ended.is_ended(&id(1)) && ended.is_ended(&id(limits::SESSIONS_MAX)));
}
