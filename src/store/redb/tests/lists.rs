//! Tests of lists: of grants, links and keys, and of the boards of a holder.

use super::access::{does, grant, owned_by, principal, secret, stored};
use super::*;
use crate::ids::TeamId;

fn names(store: &RedbStore, holder: &Holder, after: Option<&str>, limit: usize) -> Vec<String> {
    let listed = store.list(holder, after.map(id).as_ref(), limit).unwrap();
    listed.iter().map(|one| one.board.to_string()).collect()
}

#[test]
fn grants_links_and_keys_are_listed_in_order_and_in_pages() {
    let (_directory, store) = fresh();
    store.commit(&[create("a"), create("a-")]).unwrap();
    let texts = ["user:a", "user:b", "team:a", "team:b", "public"];
    for text in texts.iter().rev() {
        does(&store, "a", grant(text, Level::View));
        does(&store, "a-", grant(text, Level::Edit));
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
        does(&store, "a", Act::AddSecret(Box::new(key.clone())));
    }
    does(&store, "a", secret("a", SecretKind::Link, "x2"));
    does(&store, "a-", secret("a-", SecretKind::Key, "x"));
    let listed = |after: Option<&SecretId>, limit| store.secrets(&id("a"), SecretKind::Key, after, limit);
    assert_eq!(listed(None, 9).unwrap(), keys);
    assert_eq!(listed(None, 2).unwrap(), keys[..2]);
    assert_eq!(listed(Some(&keys[0].0), 9).unwrap(), keys[1..]);
    assert_eq!(listed(Some(&keys[2].0), 9).unwrap(), []);
}

#[test]
fn a_holders_boards_are_listed_once_each_in_order_and_in_pages() {
    let (_directory, store) = fresh();
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
        let owner = UserId::parse(owner);
        does(&store, board, Act::Create { owner, title: None });
    }
    does(&store, "d", grant("user:alice", Level::View));
    does(&store, "c", grant("team:t", Level::Comment));
    does(&store, "c", grant("user:alice", Level::Edit));
    does(&store, "e", grant("team:t", Level::View));
    does(&store, "e", grant("user:bob", Level::Edit));
    does(&store, "f", grant("public", Level::View));
    does(&store, "h", grant("team:other", Level::View));
    does(&store, "g", Act::Delete);
    let alice = Holder {
        everything: false,
        owners: vec![UserId::parse("alice").unwrap()],
        principals: vec![
            principal("user:alice"),
            Principal::Team(TeamId::parse("t").unwrap()),
            Principal::Team(TeamId::parse("t").unwrap()),
            Principal::Public,
        ],
        claimed: ["f", "never", "g", "a", "f"].map(id).into(),
    };
    let everything = Holder {
        everything: true,
        ..Holder::default()
    };
    let cases = [
        (&alice, &["a", "c", "d", "e", "f"][..]),
        (&everything, &["a", "b", "c", "d", "e", "f", "h"]),
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
        Ok(&present(&store, "a").record)
    );
}

#[test]
fn a_board_that_cannot_be_read_is_in_the_list_and_a_rotten_index_is_an_error() {
    let (_directory, store) = fresh();
    store.commit(&[create("a"), create("b")]).unwrap();
    tamper(&store, BOARDS, |rows| {
        drop(rows.insert(&b"a"[..], &[9; 40][..]).unwrap())
    });
    for holder in [
        owned_by("alice"),
        Holder {
            everything: true,
            ..Holder::default()
        },
        Holder {
            claimed: vec![id("b"), id("a")],
            ..Holder::default()
        },
    ] {
        let listed = store.list(&holder, None, 10).unwrap();
        assert_eq!(listed.len(), 2);
        assert_eq!(listed[0].summary, Err(Damage::Checksum));
        assert!(listed[1].summary.is_ok());
    }
    let (start, _) = rows::access::HolderKey::Owner(UserId::parse("alice").unwrap()).bounds();
    let key = [&start, &b"a"[..]].concat();
    tamper(&store, HOLDERS, |rows| {
        drop(rows.insert(key.as_slice(), &[9; 40][..]).unwrap())
    });
    let error = StoreError::Unreadable(Damage::Checksum);
    assert_eq!(store.list(&owned_by("alice"), None, 10), Err(error));
}

#[test]
fn a_summary_says_how_much_is_stored() {
    let (_directory, store) = fresh();
    store.commit(&[create("a"), create("b")]).unwrap();
    let size = |board: &str| match store.summary(&id(board)) {
        Ok(Stored::Present(summary)) => summary.size_bytes,
        other => panic!("{other:?}"),
    };
    assert_eq!(size("a"), 0);
    store.commit(&[append("a", 1, vec![0; 100_000])]).unwrap();
    store.commit(&[append("a", 2, "two")]).unwrap();
    assert_eq!(size("a"), 100_004 + 7);
    store.commit(&[snapshot("a", 1, "12345")]).unwrap();
    assert_eq!(size("a"), 5 + 7);
    store.commit(&[snapshot("a", 2, vec![0; 70_000])]).unwrap();
    assert_eq!(size("a"), 70_000);
    assert_eq!(size("b"), 0);
}
