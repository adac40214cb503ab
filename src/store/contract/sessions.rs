//! The rules of sessions.

use super::*;
use crate::access::secret::SecretHash;
use crate::ids::SecretId;
use crate::limits;
use crate::time::UnixMillis;

/// A session with an invitation of its own, both of this number; it ends at 1,000 and as much more.
fn session(number: u16) -> StoredSession {
    let [low, high] = number.to_le_bytes();
    let mut hash = [7; 32];
    hash[..2].copy_from_slice(&[low, high]);
    let mut invite = [9; INVITE_BYTES];
    invite[..2].copy_from_slice(&[low, high]);
    StoredSession {
        hash: SecretHash(hash),
        user: user(["alice", "bob"][usize::from(number % 2)]),
        name: format!("Name \\ \0 {number}"),
        admin: number.is_multiple_of(3),
        boards: vec![(id("a"), Level::Edit), (id("b"), Level::View)][..usize::from(number % 3)].to_vec(),
        invite,
        created_at: UnixMillis(10),
        used_at: UnixMillis(11),
        expires_at: UnixMillis(1_000 + u64::from(number)),
        revoked_at: None,
        user_agent: number.is_multiple_of(2).then(|| "Browser".to_owned()),
    }
}

fn begin(session: &StoredSession) -> Change {
    Change::Session(SessionChange::Open(Box::new(session.clone())))
}

fn revoke(number: u16, at: u64) -> Change {
    let (id, at) = (session(number).id(), UnixMillis(at));
    Change::Session(SessionChange::Revoke { id, at })
}

fn renew(number: u16, used: u64, expires: u64) -> Change {
    Change::Session(SessionChange::Renew {
        id: session(number).id(),
        used_at: UnixMillis(used),
        expires_at: UnixMillis(expires),
    })
}

fn listed<P: Place>(store: &Tried<P>, which: &WhichSessions) -> Vec<StoredSession> {
    store.sessions(which, None, usize::MAX).unwrap()
}

fn everybody() -> WhichSessions {
    WhichSessions::default()
}

fn valid_at(at: u64) -> WhichSessions {
    WhichSessions {
        user: None,
        valid_at: Some(UnixMillis(at)),
    }
}

fn sorted(numbers: impl IntoIterator<Item = u16>) -> Vec<StoredSession> {
    let mut sessions: Vec<_> = numbers.into_iter().map(session).collect();
    sessions.sort_by_key(StoredSession::id);
    sessions
}

pub(super) fn a_session_is_kept_as_it_is_renewed_and_revoked_once<P: Place>() {
    let mut store = fresh::<P>();
    store.done(&[begin(&session(1)), begin(&session(2)), begin(&session(3))]);
    store.restart();
    assert_eq!(listed(&store, &everybody()), sorted(1..=3));
    assert_eq!(store.session(&session(2).id()), Ok(Some(session(2))));
    assert_eq!(store.session(&session(4).id()), Ok(None));

    let changes = [
        renew(1, 500, 5_000),
        revoke(2, 600),
        renew(2, 601, 6_000),
        revoke(2, 602),
        renew(4, 1, 1),
        revoke(4, 1),
    ];
    let (done, not) = (Applied::Done, Applied::NotThere);
    assert_eq!(store.commit(&changes), Ok(vec![done, done, not, not, not, not]));
    store.restart();
    let renewed = StoredSession {
        used_at: UnixMillis(500),
        expires_at: UnixMillis(5_000),
        ..session(1)
    };
    let revoked = StoredSession {
        revoked_at: Some(UnixMillis(600)),
        ..session(2)
    };
    assert_eq!(store.session(&session(1).id()), Ok(Some(renewed.clone())));
    assert_eq!(store.session(&session(2).id()), Ok(Some(revoked)));
    for (since, found) in [(0, 1), (600, 1), (601, 0)] {
        let ids = store.revoked_sessions(UnixMillis(since)).unwrap();
        assert_eq!(ids, vec![session(2).id(); found], "{since}");
    }
    assert_eq!(listed(&store, &valid_at(1_003)), [renewed]);
}

pub(super) fn an_invitation_begins_one_session_also_after_that_was_revoked<P: Place>() {
    let store = fresh::<P>();
    let first = session(1);
    let again = StoredSession {
        hash: session(2).hash,
        ..first.clone()
    };
    let same_id = StoredSession {
        invite: session(3).invite,
        ..first.clone()
    };
    let (done, exists) = (Applied::Done, Applied::Exists);
    let changes = [begin(&first), begin(&again), begin(&same_id)];
    assert_eq!(
        store.commit(&changes),
        Ok(vec![done, exists, exists]),
        "in one commit"
    );
    store.done(&[revoke(1, 20)]);
    assert_eq!(
        store.commit(&changes),
        Ok(vec![exists; 3]),
        "after it was revoked"
    );
    assert_eq!(listed(&store, &everybody()).len(), 1);
}

pub(super) fn sessions_are_listed_in_order_and_in_pages_of_one_user_or_of_all<P: Place>() {
    let store = fresh::<P>();
    let all: Vec<_> = (0..9).map(|number| begin(&session(number))).collect();
    store.done(&all);
    store.done(&[revoke(3, 20)]);
    let of_bob = WhichSessions {
        user: Some(user("bob")),
        valid_at: Some(UnixMillis(1_001)),
    };
    assert_eq!(listed(&store, &of_bob), sorted([5, 7]));
    let (mut pages, mut after): (Vec<StoredSession>, Option<SecretId>) = (Vec::new(), None);
    loop {
        let page = store.sessions(&valid_at(1), after.as_ref(), 3).unwrap();
        let Some(last) = page.last() else { break };
        assert!(page.len() <= 3);
        after = Some(last.id());
        pages.extend(page);
    }
    assert_eq!(pages, sorted([0, 1, 2, 4, 5, 6, 7, 8]));
    assert_eq!(listed(&store, &everybody()).len(), 9);
}

pub(super) fn sessions_that_are_over_are_removed_and_free_their_invitations<P: Place>() {
    let mut store = fresh::<P>();
    store.done(&[
        begin(&session(1)),
        begin(&session(2)),
        begin(&session(3)),
        revoke(1, 20),
    ]);
    assert_eq!(store.prune_sessions(UnixMillis(1_001)), Ok(()));
    assert_eq!(listed(&store, &everybody()).len(), 3, "none ends before");
    assert_eq!(store.prune_sessions(UnixMillis(1_003)), Ok(()));
    store.restart();
    assert_eq!(listed(&store, &everybody()), sorted([3]));
    assert_eq!(store.revoked_sessions(UnixMillis(0)), Ok(Vec::new()));
    store.done(&[begin(&session(1))]);
}

pub(super) fn a_session_too_many_is_refused<P: Place>() {
    let store = fresh::<P>();
    let most = u16::try_from(limits::SESSIONS_MAX).unwrap();
    let almost: Vec<_> = (1..most).map(|number| begin(&session(number))).collect();
    store.done(&almost);
    let changes = [begin(&session(most)), begin(&session(most + 1))];
    assert_eq!(store.commit(&changes), Ok(vec![Applied::Done, Applied::TooMany]));
    assert_eq!(
        store.commit(&changes),
        Ok(vec![Applied::Exists, Applied::TooMany])
    );
    store.done(&[revoke(1, 20)]);
    assert_eq!(
        store.commit(&changes[1..]),
        Ok(vec![Applied::TooMany]),
        "it is kept"
    );
    assert_eq!(store.prune_sessions(UnixMillis(1_002)), Ok(()));
    store.done(&changes[1..]);
}
