//! The rules of acts on boards as a whole.

use super::*;
use crate::access::BoardFacts;
use crate::audit::Action;
use crate::limits;
use crate::time::UnixMillis;

pub(super) fn each_act_has_its_outcome_and_an_entry_if_and_only_if_it_is_done<P: Place>() {
    use Applied::{Absent, Deleted, Done, Exists, NotThere};
    use SecretKind::{Key, Link};
    let store = fresh::<P>();
    let create = |owner| Act::Create {
        owner: Some(user(owner)),
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
        ("a", remove_webhook(1), NotThere),
        ("a", add_webhook(1), Done),
        ("a", add_webhook(1), Exists),
        ("b", add_webhook(1), Done),
        ("never", add_webhook(1), Absent),
        ("never", remove_webhook(1), Absent),
        ("a", remove_webhook(2), NotThere),
        ("a", remove_webhook(1), Done),
        ("a", remove_webhook(1), NotThere),
        ("a", update(Some(Some("New")), None), Done),
        ("never", update(None, None), Absent),
        ("a", Act::Restore, NotThere),
        ("never", Act::Trash, Absent),
        ("never", Act::Restore, Absent),
        ("a", Act::Trash, Done),
        ("a", Act::Trash, Deleted),
        ("a", create("alice"), Deleted),
        ("b", secret("a", Key, "one"), Done),
        ("b", revoke("b", Key, "one"), Done),
        ("a", Act::Restore, Done),
        ("a", Act::Restore, NotThere),
        ("b", Act::Delete, Done),
        ("b", Act::Delete, Deleted),
        ("b", Act::Trash, Deleted),
        ("b", Act::Restore, Deleted),
        ("b", grant("public", Level::View), Deleted),
        ("b", secret("b", Key, "one"), Deleted),
        ("b", revoke("b", Key, "one"), Deleted),
        ("b", ungrant("public"), Deleted),
        ("b", add_webhook(2), Deleted),
        ("b", remove_webhook(1), Deleted),
        ("b", update(None, None), Deleted),
        ("b", create("bob"), Deleted),
    ];
    for (number, (board, what, expected)) in table.into_iter().enumerate() {
        let name = format!("{number}: {board} {what:?}");
        let before = store.told(board);
        let entries = store.entries(board).len();
        assert_eq!(store.does(board, what), expected, "{name}");
        let written = store.entries(board).len() - entries;
        assert_eq!(written, usize::from(expected == Done), "{name}");
        assert_eq!(store.told(board) == before, expected != Done, "{name}");
    }
}

pub(super) fn who_owns_the_board_no_more_changes_nothing<P: Place>() {
    let acts = [
        update(Some(None), Some("carol")),
        Act::Trash,
        Act::Delete,
        grant("public", Level::Edit),
        ungrant("user:bob"),
        secret("a", SecretKind::Key, "new"),
        revoke("a", SecretKind::Link, "link"),
        add_webhook(2),
        remove_webhook(1),
    ];
    for (number, what) in (0..).zip(acts) {
        let store = fresh::<P>();
        store.done(&[create("a")]);
        store.does("a", grant("user:bob", Level::View));
        store.does("a", secret("a", SecretKind::Link, "link"));
        store.does("a", add_webhook(1));
        let asked_by =
            |user: &str, board: &str| store.commit(&[act_as(user, board, 5_000 + number, what.clone())]);
        let before = store.told("a");
        assert_eq!(asked_by("bob", "a"), Ok(vec![Applied::NotOwner]), "{what:?}");
        assert_eq!(store.told("a"), before, "{what:?}");
        assert_eq!(asked_by("bob", "never"), Ok(vec![Applied::Absent]), "{what:?}");
        assert_eq!(asked_by("alice", "a"), Ok(vec![Applied::Done]), "{what:?}");
        store.does("a", Act::Delete);
        assert_eq!(asked_by("bob", "a"), Ok(vec![Applied::Deleted]), "{what:?}");
    }
    let store = fresh::<P>();
    let nobodys = Act::Create {
        owner: None,
        title: None,
    };
    let created = store.commit(&[act_as("bob", "a", 1, nobodys)]);
    assert_eq!(created, Ok(vec![Applied::Done]), "not asked of Create");
}

pub(super) fn races_in_one_commit_are_decided_by_their_order<P: Place>() {
    use Applied::{Deleted, Done, NotOwner, NotThere};
    let as_alice = |at, what| act_as("alice", "a", at, what);
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
        let store = fresh::<P>();
        store.done(&[create("a")]);
        assert_eq!(store.commit(&changes), Ok(expected.clone()));
        let done = expected.iter().filter(|applied| **applied == Done).count();
        assert_eq!(store.entries("a").len(), 1 + done);
    }
}

pub(super) fn a_grant_too_many_is_refused_and_replacing_one_never_is<P: Place>() {
    let most = limits::GRANTS_PER_BOARD_MAX;
    let store = fresh::<P>();
    store.done(&[create("a"), create("a-"), create("b")]);
    let grants = |board: &'static str, count: usize| -> Vec<Change> {
        let change = |n: usize| act(board, 100 + n as u64, grant(&format!("user:{n}"), Level::View));
        (0..count).map(change).collect()
    };
    // All at once, and over several commits.
    let mut expected = vec![Applied::Done; most];
    expected.push(Applied::TooMany);
    assert_eq!(store.commit(&grants("b", most + 1)), Ok(expected));
    store.done(&grants("a", most - 1));
    assert_eq!(store.does("a", grant("user:last", Level::View)), Applied::Done);
    assert_eq!(store.does("a", grant("user:over", Level::View)), Applied::TooMany);
    assert_eq!(store.grants(&id("a"), None, usize::MAX).unwrap().len(), most);
    assert_eq!(store.does("a", grant("user:7", Level::Edit)), Applied::Done);
    assert_eq!(store.does("a", grant("public", Level::Edit)), Applied::TooMany);
    assert_eq!(store.does("a-", grant("public", Level::Edit)), Applied::Done);
    let swap = [
        act("a", 90_000, ungrant("user:7")),
        act("a", 90_001, grant("public", Level::Edit)),
        act("a", 90_002, grant("user:7", Level::View)),
    ];
    let expected = vec![Applied::Done, Applied::Done, Applied::TooMany];
    assert_eq!(store.commit(&swap), Ok(expected));
}

pub(super) fn a_link_or_key_too_many_is_refused_unless_expired_ones_make_room<P: Place>() {
    for (kind, most) in [
        (SecretKind::Link, limits::LINKS_PER_BOARD_MAX),
        (SecretKind::Key, limits::KEYS_PER_BOARD_MAX),
    ] {
        let store = fresh::<P>();
        store.done(&[create("a"), create("b")]);
        let add = |n: usize, at, expires_at| {
            let secret = stored("a", kind, &n.to_string(), expires_at);
            act("a", at, Act::AddSecret(Box::new(secret)))
        };
        let mut changes: Vec<Change> = (0..most - 2).map(|n| add(n, 100 + n as u64, None)).collect();
        // Two that end, one a millisecond after the other.
        changes.push(add(most - 2, 8_000, Some(9_000)));
        changes.push(add(most - 1, 8_001, Some(9_001)));
        store.done(&changes);
        let tries = [
            (add(most, 8_999, None), Applied::TooMany, most),
            (add(most, 9_000, None), Applied::Done, most),
            (add(most + 1, 9_000, None), Applied::TooMany, most),
            (add(most + 1, 9_001, Some(9_002)), Applied::Done, most),
            (add(most + 2, 9_001, None), Applied::TooMany, most),
            (act("a", 9_003, revoke("a", kind, "0")), Applied::Done, most - 1),
            (add(most + 2, 9_004, None), Applied::Done, most),
            (act("b", 9_005, secret("b", kind, "other")), Applied::Done, most),
        ];
        for (number, (change, expected, there)) in tries.into_iter().enumerate() {
            assert_eq!(store.commit(&[change]), Ok(vec![expected]), "{kind:?} {number}");
            let listed = store.secrets(&id("a"), kind, None, usize::MAX).unwrap();
            assert_eq!(listed.len(), there, "{kind:?} {number}");
        }
        // What made room is gone whole, and what is as it was can still be used.
        let of = |n: usize| stored("a", kind, &n.to_string(), None).facts.hash.id();
        let found = store.find_secrets(&[of(0), of(1), of(most - 2), of(most - 1), of(most)]);
        assert!(
            found
                .unwrap()
                .into_keys()
                .eq(std::collections::BTreeSet::from([of(1), of(most)]))
        );
    }
}

pub(super) fn a_key_is_paused_and_goes_on_and_nothing_else_of_it_changes<P: Place>() {
    let mut store = fresh::<P>();
    store.done(&[create("a"), create("a-")]);
    for name in ["key", "other"] {
        store.does("a", secret("a", SecretKind::Key, name));
    }
    store.does("a", secret("a", SecretKind::Link, "link"));
    let names = ["key", "other"];
    let made = names.map(|name| stored("a", SecretKind::Key, name, None));
    let ids = made.clone().map(|key| key.facts.hash.id());
    let expected = |paused: bool| {
        let [mut key, other] = made.clone();
        key.facts.paused = paused;
        [key, other]
    };
    for (what, paused) in [
        (pause("a", "key"), true),
        (pause("a", "key"), true),
        (resume("a", "key"), false),
        (resume("a", "key"), false),
        (pause("a", "key"), true),
    ] {
        assert_eq!(store.does("a", what.clone()), Applied::Done, "{what:?}");
        let facts = expected(paused).map(|key| (key.facts.hash.id(), key.facts));
        assert_eq!(store.find_secrets(&ids), Ok(facts.into()), "{what:?}");
    }
    store.restart();
    let listed = store.secrets(&id("a"), SecretKind::Key, None, 9).unwrap();
    let listed: BTreeMap<_, _> = listed.into_iter().collect();
    assert_eq!(
        listed,
        expected(true).map(|key| (key.facts.hash.id(), key)).into()
    );
    // Of another board, of another kind, and none at all.
    let link = stored("a", SecretKind::Link, "link", None).facts.hash.id();
    let of_link = Act::Pause {
        id: link,
        paused: true,
    };
    for (board, what) in [
        ("a-", pause("a", "key")),
        ("a", of_link),
        ("a", pause("a", "never")),
    ] {
        assert_eq!(store.does(board, what.clone()), Applied::NotThere, "{what:?}");
    }
    // In one commit, in their order; one that is revoked and made again is another.
    let made_and_paused = [
        act("a", 900, secret("a", SecretKind::Key, "new")),
        act("a", 901, pause("a", "new")),
        act("a", 902, pause("a", "other")),
        act("a", 903, resume("a", "other")),
        act("a", 904, revoke("a", SecretKind::Key, "key")),
        act("a", 905, pause("a", "key")),
        act("a", 906, secret("a", SecretKind::Key, "key")),
    ];
    let mut applied = vec![Applied::Done; 7];
    applied[5] = Applied::NotThere;
    assert_eq!(store.commit(&made_and_paused), Ok(applied));
    let new = stored("a", SecretKind::Key, "new", None).facts.hash.id();
    let [key, other] = ids;
    let found = store
        .find_secrets(&[new.clone(), key.clone(), other.clone()])
        .unwrap();
    let paused = [&new, &key, &other].map(|id| found[id].paused);
    assert_eq!(paused, [true, false, false]);
    store.done(&[act("a", 910, pause("a", "other")), delete("a")]);
    assert_eq!(store.find_secrets(&[new, key, other]), Ok(BTreeMap::new()));
}

pub(super) fn a_webhook_is_kept_as_it_is_and_one_too_many_is_refused<P: Place>() {
    let most = u8::try_from(limits::WEBHOOKS_PER_BOARD_MAX).unwrap();
    let mut store = fresh::<P>();
    store.done(&[create("a"), create("a-"), create("b")]);
    // All at once, and over several commits.
    let at_once: Vec<Change> = (0..=most).map(|n| act("b", 100, add_webhook(n))).collect();
    let mut expected = vec![Applied::Done; usize::from(most)];
    expected.push(Applied::TooMany);
    assert_eq!(store.commit(&at_once), Ok(expected));
    for number in (0..most).rev() {
        assert_eq!(store.does("a", add_webhook(number)), Applied::Done, "{number}");
    }
    assert_eq!(store.does("a", add_webhook(most)), Applied::TooMany);
    assert_eq!(store.does("a-", add_webhook(most)), Applied::Done);
    let swap = [
        act("a", 200, remove_webhook(3)),
        act("a", 201, add_webhook(most)),
        act("a", 202, add_webhook(3)),
        act("a", 203, remove_webhook(0)),
        act("a", 204, add_webhook(3)),
        act("a", 205, remove_webhook(3)),
        act("a", 206, add_webhook(0)),
    ];
    let expected = [Applied::Done, Applied::Done, Applied::TooMany, Applied::Done];
    assert_eq!(
        store.commit(&swap),
        Ok([&expected[..], &[Applied::Done; 3]].concat())
    );
    let mut there: Vec<_> = (0..=most).filter(|n| *n != 3).map(webhook).collect();
    there.sort_unstable_by(|a, b| a.id.cmp(&b.id));
    for _ in 0..2 {
        assert_eq!(store.webhooks(&id("a")), Ok(there.clone()));
        assert_eq!(store.webhooks(&id("never")), Ok(Vec::new()));
        store.restart();
    }
}

pub(super) fn updating_a_board_changes_what_it_says_and_moves_it_to_its_new_owner<P: Place>() {
    let store = fresh::<P>();
    store.done(&[create("a")]);
    for (what, title, owner) in [
        (update(None, None), Some("Plan"), "alice"),
        (update(Some(Some("New")), None), Some("New"), "alice"),
        (update(None, Some("bob")), Some("New"), "bob"),
        (update(Some(None), Some("bob")), None, "bob"),
        (update(Some(Some("")), Some("alice")), Some(""), "alice"),
    ] {
        assert_eq!(store.does("a", what.clone()), Applied::Done);
        let at = store.entries("a")[0].key.at;
        let record = store.present("a").record;
        assert_eq!(record.title.as_deref(), title, "{what:?}");
        assert_eq!(record.owner, Some(user(owner)), "{what:?}");
        assert_eq!((record.created_at, record.updated_at), (UnixMillis(10), at));
        for user in ["alice", "bob"] {
            let has = store.list(&owned_by(user), None, 10).unwrap();
            assert_eq!(!has.is_empty(), user == owner, "{what:?}: {user}");
        }
    }
}

pub(super) fn deleting_a_board_removes_all_of_it_but_its_audit_entries_and_nothing_of_another<P: Place>() {
    let store = fresh::<P>();
    for board in ["a", "a-", "aa"] {
        let large = vec![7; 100_000];
        store.done(&[
            create(board),
            append(board, 1, large.clone()),
            snapshot(board, 1, large),
            append(board, 2, "2"),
        ]);
        for to in ["user:bob", "team:bob", "public"] {
            store.does(board, grant(to, Level::View));
        }
        store.does(board, secret(board, SecretKind::Link, "link"));
        store.does(board, secret(board, SecretKind::Key, "key"));
        store.does(board, add_webhook(1));
    }
    let secrets = ["a", "a-"].map(|board| stored(board, SecretKind::Link, "link", None));
    let others = |board: &str| {
        let rest = (
            store.summary(&id(board)),
            store.entries(board),
            store.load(&id(board)),
        );
        let grants = store.grants(&id(board), None, 9).unwrap();
        let kinds = [SecretKind::Link, SecretKind::Key];
        (
            rest,
            grants,
            kinds.map(|kind| store.secrets(&id(board), kind, None, 9).unwrap()),
            store.webhooks(&id(board)),
        )
    };
    let before = ["a-", "aa"].map(others);
    store.done(&[delete("a")]);
    assert_eq!(["a-", "aa"].map(others), before);
    assert_eq!(store.load(&id("a")), Ok(Stored::Deleted));
    assert_eq!(store.summary(&id("a")), Ok(Stored::Deleted));
    assert_eq!(store.grants(&id("a"), None, 9), Ok(Vec::new()));
    for kind in [SecretKind::Link, SecretKind::Key] {
        assert_eq!(store.secrets(&id("a"), kind, None, 9), Ok(Vec::new()));
    }
    assert_eq!(store.webhooks(&id("a")), Ok(Vec::new()));
    let entries = store.entries("a");
    assert_eq!(entries.len(), 8);
    assert!(entries.iter().any(|entry| entry.action == Action::BoardDelete));
    let asked = asked(&["user:bob", "public"], &[&secrets[0], &secrets[1]]);
    let facts = store.access(&id("a"), &asked).unwrap();
    assert_eq!(facts.board, BoardFacts::Deleted);
    assert!(facts.grants.is_empty());
    assert!(facts.secrets.into_keys().eq([secrets[1].facts.hash.id()]));
    let bobs = Holder {
        principals: vec![principal("user:bob"), principal("team:bob")],
        ..Holder::default()
    };
    for holder in [everything(), owned_by("alice"), bobs] {
        let listed = store.list(&holder, None, 9).unwrap();
        assert!(listed.into_iter().map(|one| one.board).eq(["a-", "aa"].map(id)));
    }
}
