//! Tests of acts on boards, and of looking up who may do what.

use super::*;
use crate::access::{BoardFacts, SecretFacts};
use crate::limits;
use crate::store::rows::access::{grant_key, secret_key};

pub(super) fn principal(text: &str) -> Principal {
    Principal::parse(text).unwrap()
}

pub(super) fn grant(to: &str, level: Level) -> Act {
    Act::Grant {
        principal: principal(to),
        level,
    }
}

fn ungrant(from: &str) -> Act {
    Act::Ungrant {
        principal: principal(from),
    }
}

/// A link or key of a board with the text "`name` of `board`".
pub(super) fn stored(board: &str, kind: SecretKind, name: &str, expires_at: Option<u64>) -> StoredSecret {
    StoredSecret {
        facts: SecretFacts {
            kind,
            board: id(board),
            hash: SecretHash::of(&format!("{name} of {board}")),
            level: Level::Comment,
            expires_at: expires_at.map(UnixMillis),
        },
        name: (kind == SecretKind::Key).then(|| name.to_owned()),
        created_by: Subject::parse("user:alice").unwrap(),
        created_at: UnixMillis(13),
    }
}

pub(super) fn secret(board: &str, kind: SecretKind, name: &str) -> Act {
    Act::AddSecret(Box::new(stored(board, kind, name, None)))
}

fn revoke(board: &str, kind: SecretKind, name: &str) -> Act {
    let id = stored(board, kind, name, None).facts.hash.id();
    Act::Revoke { kind, id }
}

fn update(title: Option<Option<&str>>, owner: Option<&str>) -> Act {
    Act::Update {
        title: title.map(|title| title.map(str::to_owned)),
        owner: owner.and_then(UserId::parse),
    }
}

/// Does one act, at a time no other act of the test has.
pub(super) fn does(store: &RedbStore, board: &str, what: Act) -> Applied {
    let at = 1_000 + rows_in(store, AUDIT);
    store.commit(&[act(board, at, what)]).unwrap().remove(0)
}

pub(super) fn owned_by(user: &str) -> Holder {
    Holder {
        owners: vec![UserId::parse(user).unwrap()],
        ..Holder::default()
    }
}

fn counts(store: &RedbStore) -> [u64; 6] {
    [GRANTS, LINKS, KEYS, SECRETS, HOLDERS, AUDIT].map(|table| rows_in(store, table))
}

fn asked(principals: &[&str], secrets: &[&StoredSecret]) -> Asked {
    Asked {
        principals: principals.iter().map(|text| principal(text)).collect(),
        secrets: secrets.iter().map(|secret| secret.facts.hash.id()).collect(),
    }
}

#[test]
fn each_act_has_its_outcome_and_an_entry_if_and_only_if_it_is_done() {
    use Applied::{Absent, Deleted, Done, Exists, NotThere};
    use SecretKind::{Key, Link};
    let (_directory, store) = fresh();
    let create = |owner| Act::Create {
        owner: UserId::parse(owner),
        title: None,
    };
    let table = [
        ("a", grant("user:bob", Level::View), Absent),
        ("a", create("alice"), Done),
        ("a", create("bob"), Exists),
        ("b", create("bob"), Done),
        ("a", ungrant("user:bob"), NotThere),
        ("a", grant("user:bob", Level::View), Done),
        ("a", grant("user:bob", Level::Edit), Done),
        ("b", ungrant("user:bob"), NotThere),
        ("a", ungrant("team:bob"), NotThere),
        ("a", ungrant("user:bob"), Done),
        ("a", ungrant("user:bob"), NotThere),
        ("a", secret("a", Link, "one"), Done),
        ("a", secret("a", Link, "one"), Exists),
        ("a", secret("a", Key, "one"), Exists),
        ("b", secret("a", Link, "one"), Exists),
        ("a", revoke("a", Key, "one"), NotThere),
        ("b", revoke("a", Link, "one"), NotThere),
        ("never", revoke("a", Link, "one"), Absent),
        ("a", revoke("a", Link, "one"), Done),
        ("a", revoke("a", Link, "one"), NotThere),
        ("b", secret("b", Key, "one"), Done),
        ("a", update(Some(Some("New")), None), Done),
        ("never", update(None, None), Absent),
        ("b", Act::Delete, Done),
        ("b", Act::Delete, Deleted),
        ("b", grant("public", Level::View), Deleted),
        ("b", secret("b", Key, "one"), Deleted),
        ("b", revoke("b", Key, "one"), Deleted),
        ("b", ungrant("public"), Deleted),
        ("b", update(None, None), Deleted),
        ("b", create("bob"), Deleted),
    ];
    for (number, (board, what, expected)) in table.into_iter().enumerate() {
        let before = rows_in(&store, AUDIT);
        let name = format!("{number}: {board} {what:?}");
        assert_eq!(does(&store, board, what), expected, "{name}");
        let written = rows_in(&store, AUDIT) - before;
        assert_eq!(written, u64::from(expected == Done), "{name}");
    }
}

#[test]
fn who_owns_the_board_no_more_changes_nothing() {
    let acts = || {
        [
            update(Some(None), Some("carol")),
            Act::Delete,
            grant("public", Level::Edit),
            ungrant("user:bob"),
            secret("a", SecretKind::Key, "new"),
            revoke("a", SecretKind::Link, "link"),
        ]
    };
    let count = acts().len();
    for (number, what) in (0..).zip(acts()) {
        let (_directory, store) = fresh();
        assert_eq!(
            does(&store, "a", secret("a", SecretKind::Link, "x")),
            Applied::Absent
        );
        store.commit(&[create("a")]).unwrap();
        does(&store, "a", grant("user:bob", Level::View));
        does(&store, "a", secret("a", SecretKind::Link, "link"));
        let asked_by = |user: &str, board: &str| {
            let Change::Act { act, entry, .. } = act(board, 5_000 + number, what.clone()) else {
                unreachable!();
            };
            let as_owner = UserId::parse(user);
            store.commit(&[Change::Act {
                board: id(board),
                act,
                as_owner,
                entry,
            }])
        };
        let before = (store.load(&id("a")), counts(&store));
        assert_eq!(asked_by("bob", "a"), Ok(vec![Applied::NotOwner]), "{what:?}");
        assert_eq!((store.load(&id("a")), counts(&store)), before, "{what:?}");
        assert_eq!(asked_by("bob", "never"), Ok(vec![Applied::Absent]), "{what:?}");
        assert_eq!(asked_by("alice", "a"), Ok(vec![Applied::Done]), "{what:?}");
        does(&store, "a", Act::Delete);
        assert_eq!(asked_by("bob", "a"), Ok(vec![Applied::Deleted]), "{what:?}");
    }
    assert_eq!(count, 6);
    let (_directory, store) = fresh();
    let nobodys = Act::Create {
        owner: None,
        title: None,
    };
    let Change::Act {
        board, act, entry, ..
    } = act("a", 1, nobodys)
    else {
        unreachable!();
    };
    let created = Change::Act {
        board,
        act,
        as_owner: UserId::parse("bob"),
        entry,
    };
    assert_eq!(
        store.commit(&[created]),
        Ok(vec![Applied::Done]),
        "not asked of Create"
    );
}

#[test]
fn races_in_one_commit_are_decided_by_their_order() {
    use Applied::{Deleted, Done, NotOwner, NotThere};
    let as_alice = |at, what| {
        let Change::Act {
            board, act, entry, ..
        } = act("a", at, what)
        else {
            unreachable!();
        };
        Change::Act {
            board,
            act,
            as_owner: UserId::parse("alice"),
            entry,
        }
    };
    let view = || grant("user:bob", Level::View);
    let cases = [
        (
            vec![as_alice(20, view()), as_alice(21, ungrant("user:bob"))],
            vec![Done, Done],
        ),
        (
            vec![as_alice(20, ungrant("user:bob")), as_alice(21, view())],
            vec![NotThere, Done],
        ),
        (
            vec![
                as_alice(20, update(None, Some("bob"))),
                as_alice(21, view()),
                as_alice(22, Act::Delete),
            ],
            vec![Done, NotOwner, NotOwner],
        ),
        (
            vec![
                delete("a"),
                as_alice(21, view()),
                append("a", 1, "x"),
                create("a"),
            ],
            vec![Done, Deleted, Deleted, Deleted],
        ),
    ];
    for (changes, expected) in cases {
        let (directory, store) = fresh();
        store.commit(&[create("a")]).unwrap();
        assert_eq!(store.commit(&changes), Ok(expected.clone()));
        let done = expected.iter().filter(|applied| **applied == Done).count() as u64;
        assert_eq!(rows_in(&store, AUDIT), 1 + done);
        drop(store);
        let report = check(&directory.path().join("boards.redb")).unwrap();
        assert!(report.is_sound(), "{report:?}");
    }
}

#[test]
fn a_grant_too_many_is_refused_and_replacing_one_never_is() {
    let most = limits::GRANTS_PER_BOARD_MAX;
    for at_once in [true, false] {
        let (_directory, store) = fresh();
        store.commit(&[create("a"), create("a-")]).unwrap();
        let change = |n: usize| act("a", 100 + n as u64, grant(&format!("user:{n}"), Level::View));
        let mut changes: Vec<Change> = (0..most + 1).map(change).collect();
        let mut expected = vec![Applied::Done; most];
        expected.push(Applied::TooMany);
        if at_once {
            assert_eq!(store.commit(&changes), Ok(expected));
        } else {
            let last = changes.split_off(most - 1);
            store.commit(&changes).unwrap();
            for (change, expected) in last.into_iter().zip([Applied::Done, Applied::TooMany]) {
                assert_eq!(store.commit(&[change]), Ok(vec![expected]));
            }
        }
        assert_eq!(rows_in(&store, GRANTS), most as u64);
        assert_eq!(does(&store, "a", grant("user:7", Level::Edit)), Applied::Done);
        assert_eq!(does(&store, "a", grant("public", Level::Edit)), Applied::TooMany);
        assert_eq!(does(&store, "a-", grant("public", Level::Edit)), Applied::Done);
        let swap = [
            act("a", 90_000, ungrant("user:7")),
            act("a", 90_001, grant("public", Level::Edit)),
            act("a", 90_002, grant("user:7", Level::View)),
        ];
        let expected = vec![Applied::Done, Applied::Done, Applied::TooMany];
        assert_eq!(store.commit(&swap), Ok(expected));
    }
}

#[test]
fn a_link_or_key_too_many_is_refused_unless_expired_ones_make_room() {
    for (kind, most, table) in [
        (SecretKind::Link, limits::LINKS_PER_BOARD_MAX, LINKS),
        (SecretKind::Key, limits::KEYS_PER_BOARD_MAX, KEYS),
    ] {
        let (directory, store) = fresh();
        store.commit(&[create("a"), create("b")]).unwrap();
        let add = |n: usize, at, expires_at| {
            let secret = stored("a", kind, &n.to_string(), expires_at);
            act("a", at, Act::AddSecret(Box::new(secret)))
        };
        let mut changes: Vec<Change> = (0..most - 2).map(|n| add(n, 100 + n as u64, None)).collect();
        // Two that end, one a millisecond after the other.
        changes.push(add(most - 2, 8_000, Some(9_000)));
        changes.push(add(most - 1, 8_001, Some(9_001)));
        assert_eq!(store.commit(&changes), Ok(vec![Applied::Done; most]));
        let tries = [
            (add(most, 8_999, None), Applied::TooMany, most),
            (add(most, 9_000, None), Applied::Done, most),
            (add(most + 1, 9_000, None), Applied::TooMany, most),
            (add(most + 1, 9_001, Some(9_002)), Applied::Done, most),
            (add(most + 2, 9_001, None), Applied::TooMany, most),
            (act("a", 9_003, revoke("a", kind, "0")), Applied::Done, most - 1),
            (add(most + 2, 9_004, None), Applied::Done, most),
            (
                act(
                    "b",
                    9_005,
                    Act::AddSecret(Box::new(stored("b", kind, "other", None))),
                ),
                Applied::Done,
                most + 1,
            ),
        ];
        for (number, (change, expected, rows)) in tries.into_iter().enumerate() {
            assert_eq!(store.commit(&[change]), Ok(vec![expected]), "{kind:?} {number}");
            let there = rows_in(&store, table);
            assert_eq!(there, rows as u64, "{kind:?} {number}");
            assert_eq!(rows_in(&store, SECRETS), there, "{kind:?} {number}");
        }
        drop(store);
        let report = check(&directory.path().join("boards.redb")).unwrap();
        assert!(report.is_sound(), "{report:?}");
    }
}

#[test]
fn updating_a_board_changes_what_it_says_and_moves_it_to_its_new_owner() {
    let (_directory, store) = fresh();
    store.commit(&[create("a")]).unwrap();
    for (what, title, owner) in [
        (update(None, None), Some("Plan"), "alice"),
        (update(Some(Some("New")), None), Some("New"), "alice"),
        (update(None, Some("bob")), Some("New"), "bob"),
        (update(Some(None), Some("bob")), None, "bob"),
        (update(Some(Some("")), Some("alice")), Some(""), "alice"),
    ] {
        let at = 1_000 + rows_in(&store, AUDIT);
        assert_eq!(does(&store, "a", what.clone()), Applied::Done);
        let record = present(&store, "a").record;
        assert_eq!(record.title.as_deref(), title, "{what:?}");
        assert_eq!(record.owner, UserId::parse(owner), "{what:?}");
        assert_eq!(
            (record.created_at, record.updated_at),
            (UnixMillis(10), UnixMillis(at))
        );
        for user in ["alice", "bob"] {
            let has = store.list(&owned_by(user), None, 10).unwrap();
            assert_eq!(!has.is_empty(), user == owner, "{what:?}: {user}");
        }
    }
}

#[test]
fn deleting_a_board_removes_who_may_do_what_and_keeps_its_log() {
    for unreadable in [false, true] {
        let (directory, store) = fresh();
        for board in ["a", "a-"] {
            store.commit(&[create(board)]).unwrap();
            for to in ["user:bob", "team:bob", "public"] {
                does(&store, board, grant(to, Level::View));
            }
            does(&store, board, secret(board, SecretKind::Link, "link"));
            does(&store, board, secret(board, SecretKind::Key, "key"));
        }
        if unreadable {
            tamper(&store, BOARDS, |rows| {
                drop(rows.insert(&b"a"[..], &[9; 40][..]).unwrap())
            });
            let Change::Act {
                board, act, entry, ..
            } = delete("a")
            else {
                unreachable!();
            };
            let as_owner = UserId::parse("alice");
            let asked = Change::Act {
                board,
                act,
                as_owner,
                entry,
            };
            assert_eq!(
                store.commit(&[asked]),
                Ok(vec![Applied::Unreadable]),
                "nobody knows whose it is"
            );
            assert_eq!(
                does(&store, "a", grant("public", Level::View)),
                Applied::Unreadable
            );
        }
        assert_eq!(counts(&store), [6, 2, 2, 4, 6, 12]);
        assert_eq!(store.commit(&[delete("a")]), Ok(vec![Applied::Done]));
        assert_eq!(counts(&store), [3, 1, 1, 2, 3, 13], "unreadable: {unreadable}");
        let log = store.audit(&id("a"), None, 100).unwrap();
        assert_eq!(log.len(), 7);
        assert!(log.iter().any(|entry| entry.action == Action::BoardDelete));
        let link = stored("a", SecretKind::Link, "link", None);
        let facts = store
            .access(&id("a"), &asked(&["user:bob", "public"], &[&link]))
            .unwrap();
        assert_eq!(facts.board, BoardFacts::Deleted);
        assert!(facts.grants.is_empty() && facts.secrets.is_empty());
        drop(store);
        let report = check(&directory.path().join("boards.redb")).unwrap();
        assert!(report.is_sound(), "{report:?}");
    }
}

#[test]
fn access_finds_what_was_asked_for_and_nothing_else() {
    let (_directory, store) = fresh();
    store.commit(&[create("a"), create("b"), create("gone")]).unwrap();
    store.commit(&[delete("gone")]).unwrap();
    does(&store, "a", grant("user:bob", Level::View));
    does(&store, "a", grant("team:bob", Level::Edit));
    does(&store, "a", grant("public", Level::Comment));
    let link = stored("a", SecretKind::Link, "link", None);
    let key = stored("b", SecretKind::Key, "key", Some(5));
    does(&store, "a", Act::AddSecret(Box::new(link.clone())));
    does(&store, "b", Act::AddSecret(Box::new(key.clone())));
    let other = stored("a", SecretKind::Key, "never made", None);
    let all = asked(
        &["user:bob", "user:bob", "team:bob", "user:carol", "public"],
        &[&link, &key, &other],
    );
    let secrets = [&link, &key].map(|secret| (secret.facts.hash.id(), secret.facts.clone()));
    let granted = [
        ("user:bob", Level::View),
        ("team:bob", Level::Edit),
        ("public", Level::Comment),
    ];
    let alice = BoardFacts::Present {
        owner: UserId::parse("alice"),
    };
    for (board, facts, grants) in [
        ("a", alice.clone(), &granted[..]),
        ("b", alice.clone(), &[]),
        ("never", BoardFacts::Absent, &[]),
        ("gone", BoardFacts::Deleted, &[]),
    ] {
        let expected = Facts {
            board: facts,
            grants: grants.iter().map(|(to, level)| (principal(to), *level)).collect(),
            secrets: secrets.clone().into(),
        };
        assert_eq!(store.access(&id(board), &all), Ok(expected), "{board}");
    }
    let little = store.access(&id("a"), &asked(&["public"], &[])).unwrap();
    assert_eq!(little.grants.len(), 1);
    assert!(little.secrets.is_empty());
}

#[test]
fn a_row_that_cannot_be_read_is_an_error_and_never_no_grant() {
    let link = stored("a", SecretKind::Link, "link", None);
    let of = link.facts.hash.id();
    let question = asked(&["user:bob"], &[&link]);
    type Case<'a> = (&'a str, Table, Vec<u8>, Option<&'a [u8]>, Damage);
    let cases: [Case<'_>; 6] = [
        ("record", BOARDS, b"a".to_vec(), Some(&[1; 40]), Damage::Checksum),
        (
            "grant",
            GRANTS,
            grant_key(&id("a"), &principal("user:bob")),
            Some(&[1; 10]),
            Damage::Checksum,
        ),
        (
            "empty grant",
            GRANTS,
            grant_key(&id("a"), &principal("user:bob")),
            Some(&[]),
            Damage::Checksum,
        ),
        (
            "link",
            LINKS,
            secret_key(&id("a"), &of),
            Some(&[1; 10]),
            Damage::Checksum,
        ),
        (
            "link gone",
            LINKS,
            secret_key(&id("a"), &of),
            None,
            Damage::Disagreement,
        ),
        (
            "place",
            SECRETS,
            of.as_str().as_bytes().to_vec(),
            Some(&[1; 10]),
            Damage::Checksum,
        ),
    ];
    for (name, table, key, value, cause) in cases {
        let (_directory, store) = fresh();
        store.commit(&[create("a"), create("b")]).unwrap();
        does(&store, "a", grant("user:bob", Level::View));
        does(&store, "a", Act::AddSecret(Box::new(link.clone())));
        tamper(&store, table, |rows| match value {
            Some(value) => drop(rows.insert(key.as_slice(), value).unwrap()),
            None => drop(rows.remove(key.as_slice()).unwrap()),
        });
        let error = StoreError::Unreadable(cause);
        assert_eq!(store.access(&id("a"), &question), Err(error.clone()), "{name}");
        assert!(
            store.access(&id("b"), &asked(&["user:bob"], &[])).is_ok(),
            "{name}"
        );
        if table.name() == GRANTS.name() {
            assert_eq!(store.grants(&id("a"), None, 9), Err(error.clone()), "{name}");
            assert_eq!(does(&store, "a", grant("user:bob", Level::Edit)), Applied::Done);
            assert!(store.access(&id("a"), &question).is_ok(), "it was replaced");
        }
        if table.name() == LINKS.name() && value.is_some() {
            assert_eq!(
                store.secrets(&id("a"), SecretKind::Link, None, 9),
                Err(error),
                "{name}"
            );
            let revoked = revoke("a", SecretKind::Link, "link");
            assert_eq!(does(&store, "a", revoked), Applied::Done);
            assert!(store.access(&id("a"), &question).is_ok(), "it was revoked");
        }
    }
}
