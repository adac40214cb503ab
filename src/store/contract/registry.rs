//! The rules of looking up who may do what, and of lists.

use super::*;
use crate::access::{BoardFacts, Facts};
use crate::ids::{Principal, SecretId};

pub(super) fn access_finds_what_was_asked_for_and_nothing_else<P: Place>() {
    let store = fresh::<P>();
    store.done(&[create("a"), create("b"), create("gone"), delete("gone")]);
    store.does("a", grant("user:bob", Level::View));
    store.does("a", grant("team:bob", Level::Edit));
    store.does("a", grant("public", Level::Comment));
    let link = stored("a", SecretKind::Link, "link", None);
    let key = stored("b", SecretKind::Key, "key", Some(5));
    store.does("a", Act::AddSecret(Box::new(link.clone())));
    store.does("b", Act::AddSecret(Box::new(key.clone())));
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
    let owner = Some(user("alice"));
    let alice = BoardFacts::Present { owner };
    for (board, facts, grants) in [
        ("a", alice.clone(), &granted[..]),
        ("b", alice, &[]),
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

pub(super) fn links_and_keys_are_found_on_whatever_board<P: Place>() {
    let store = fresh::<P>();
    store.done(&[create("a"), create("b")]);
    let made = [("a", SecretKind::Link), ("b", SecretKind::Key)]
        .map(|(board, kind)| stored(board, kind, "one", Some(7)));
    for secret in &made {
        store.does(
            secret.facts.board.as_str(),
            Act::AddSecret(Box::new(secret.clone())),
        );
    }
    let never = stored("a", SecretKind::Link, "never", None);
    let ids = [&made[0], &never, &made[1], &made[0]].map(|secret| secret.facts.hash.id());
    let expected = made.clone().map(|secret| (secret.facts.hash.id(), secret.facts));
    assert_eq!(store.find_secrets(&ids), Ok(expected.into()));
    assert_eq!(store.find_secrets(&ids[1..2]), Ok(BTreeMap::new()));
    store.does("a", revoke("a", SecretKind::Link, "one"));
    store.does("b", Act::Delete);
    assert_eq!(store.find_secrets(&ids), Ok(BTreeMap::new()));
}

pub(super) fn grants_links_and_keys_are_listed_in_order_and_in_pages<P: Place>() {
    let store = fresh::<P>();
    store.done(&[create("a"), create("a-")]);
    let texts = ["user:a", "user:b", "team:a", "team:b", "public"];
    for text in texts.iter().rev() {
        store.does("a", grant(text, Level::View));
        store.does("a-", grant(text, Level::Edit));
    }
    let all: Vec<(Principal, Level)> = texts.map(|text| (principal(text), Level::View)).into();
    for limit in 1..=6 {
        let mut found = Vec::new();
        loop {
            let after = found.last().map(|(principal, _)| principal).cloned();
            let page = store.grants(&id("a"), after.as_ref(), limit).unwrap();
            assert!(page.len() <= limit);
            if page.is_empty() {
                break;
            }
            found.extend(page);
        }
        assert_eq!(found, all, "{limit}");
    }
    let between = principal("user:aa");
    assert_eq!(store.grants(&id("a"), Some(&between), 9).unwrap(), all[1..]);
    assert_eq!(store.grants(&id("never"), None, 9), Ok(Vec::new()));

    let mut keys: Vec<_> = ["x", "y", "z"]
        .map(|name| stored("a", SecretKind::Key, name, Some(3)))
        .map(|key| (key.facts.hash.id(), key))
        .into();
    keys.sort_by(|(a, _), (b, _)| a.cmp(b));
    for (_, key) in &keys {
        store.does("a", Act::AddSecret(Box::new(key.clone())));
    }
    store.does("a", secret("a", SecretKind::Link, "x2"));
    store.does("a-", secret("a-", SecretKind::Key, "x"));
    let listed = |after: Option<&SecretId>, limit| store.secrets(&id("a"), SecretKind::Key, after, limit);
    assert_eq!(listed(None, 9).unwrap(), keys);
    assert_eq!(listed(None, 2).unwrap(), keys[..2]);
    assert_eq!(listed(Some(&keys[0].0), 9).unwrap(), keys[1..]);
    assert_eq!(listed(Some(&keys[2].0), 9).unwrap(), []);
    assert_eq!(
        store.secrets(&id("never"), SecretKind::Key, None, 9),
        Ok(Vec::new())
    );
}

fn names<P: Place>(store: &Tried<P>, holder: &Holder, after: Option<&str>, limit: usize) -> Vec<String> {
    let listed = store.list(holder, after.map(id).as_ref(), limit).unwrap();
    listed.iter().map(|one| one.board.to_string()).collect()
}

pub(super) fn a_holders_boards_are_listed_once_each_in_order_and_in_pages<P: Place>() {
    let store = fresh::<P>();
    for (board, owner) in [
        ("a", "alice"),
        ("b", "bob"),
        ("c", "alice"),
        ("d", "bob"),
        ("e", "bob"),
        ("f", "bob"),
        ("g", "alice"),
        ("h", "bob"),
    ] {
        store.done(&[create_of(board, Some(owner))]);
    }
    store.does("d", grant("user:alice", Level::View));
    store.does("c", grant("team:t", Level::Comment));
    store.does("c", grant("user:alice", Level::Edit));
    store.does("e", grant("team:t", Level::View));
    store.does("e", grant("user:bob", Level::Edit));
    store.does("f", grant("public", Level::View));
    store.does("h", grant("team:other", Level::View));
    store.does("g", Act::Delete);
    let alice = Holder {
        everything: false,
        owners: vec![user("alice")],
        principals: ["user:alice", "team:t", "team:t", "public"].map(principal).into(),
        claimed: ["f", "never", "g", "a", "f"].map(id).into(),
    };
    let cases = [
        (&alice, &["a", "c", "d", "e", "f"][..]),
        (&everything(), &["a", "b", "c", "d", "e", "f", "h"]),
        (&owned_by("bob"), &["b", "d", "e", "f", "h"]),
        (&owned_by("nobody"), &[]),
    ];
    for (holder, expected) in cases {
        for limit in 1..=8 {
            let mut found: Vec<String> = Vec::new();
            loop {
                let page = names(&store, holder, found.last().map(String::as_str), limit);
                assert!(page.len() <= limit);
                if page.is_empty() {
                    break;
                }
                found.extend(page);
            }
            assert_eq!(found, expected, "{limit}");
        }
    }
    assert_eq!(names(&store, &alice, Some("bb"), 2), ["c", "d"]);
    let listed = store.list(&alice, None, 10).unwrap();
    let grants: Vec<Vec<String>> = listed
        .iter()
        .map(|one| {
            let grants = one.grants.iter();
            grants
                .map(|(to, level)| format!("{to} {}", level.as_str()))
                .collect()
        })
        .collect();
    let expected: [&[&str]; 5] = [
        &[],
        &["user:alice edit", "team:t comment"],
        &["user:alice view"],
        &["team:t view"],
        &["public view"],
    ];
    assert_eq!(grants, expected);
    assert_eq!(
        listed[0].summary.as_ref().map(|summary| &summary.record),
        Ok(&store.present("a").record)
    );
}
