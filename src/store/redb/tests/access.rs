//! Tests of rows about who may do what that cannot be read.

use super::*;
use crate::store::rows::access::{grant_key, secret_key};

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

#[test]
fn a_row_whose_key_is_rotten_is_an_error_also_for_who_asks_about_others() {
    let link = stored("a", SecretKind::Link, "link", None);
    let of = link.facts.hash.id();
    let bobs = grant_key(&id("a"), &principal("user:bob"));
    let nobodys = grant_key(&id("a"), &principal("user:bnb"));
    let links = secret_key(&id("a"), &of);
    let mut no_links = links.clone();
    *no_links.last_mut().unwrap() ^= 1;
    for (table, key, rotten) in [(GRANTS, bobs, nobodys), (LINKS, links, no_links)] {
        let (_directory, store) = fresh();
        store.commit(&[create("a")]).unwrap();
        does(&store, "a", grant("user:bob", Level::Edit));
        does(&store, "a", grant("user:cleo", Level::View));
        does(&store, "a", Act::AddSecret(Box::new(link.clone())));
        tamper(&store, table, |rows| {
            let value = rows.remove(key.as_slice()).unwrap().unwrap().value().to_vec();
            rows.insert(rotten.as_slice(), value.as_slice()).unwrap();
        });
        let error = StoreError::Unreadable(Damage::Checksum);
        if table.name() == GRANTS.name() {
            let bob = asked(&["user:bob"], &[]);
            assert_eq!(store.access(&id("a"), &bob), Err(error.clone()));
            let cleo = principal("user:cleo");
            assert_eq!(store.grants(&id("a"), Some(&cleo), 10), Err(error));
        } else {
            let last = SecretId::parse("zzzzzzzzzzzzzzzz").unwrap();
            let listed = store.secrets(&id("a"), SecretKind::Link, Some(&last), 10);
            assert_eq!(listed, Err(error));
        }
    }
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
        everything(),
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
