//! Tests of verifying the rows of who may do what and of the audit.

use super::*;
use crate::store::contract::assets;
use crate::store::rows::access::{
    HolderKey, encode_grant, encode_holder, encode_place, encode_secret, grant_key, secret_key,
};
use crate::store::rows::audit::{encode_entry, entry_key};
use crate::store::{INVITE_BYTES, SessionChange};

/// Boards `a` and `b` of alice, each granted to bob and everybody, with a link and a key; and `gone`,
/// deleted.
fn shared() -> (TempDir, RedbStore) {
    let (directory, store) = fresh();
    for board in ["a", "b", "gone"] {
        let changes = [
            create(board),
            act(board, 11, grant("user:bob", Level::View)),
            act(board, 12, grant("public", Level::View)),
            act(board, 13, secret(board, SecretKind::Link, "link")),
            act(board, 14, secret(board, SecretKind::Key, "key")),
        ];
        assert_eq!(store.commit(&changes), Ok(vec![Applied::Done; 5]));
    }
    assert_eq!(store.commit(&[delete("gone")]), Ok(vec![Applied::Done]));
    (directory, store)
}

/// What `check` says after one row is set or removed.
fn after(table: Table, key: &[u8], value: Option<&[u8]>) -> Vec<(Option<BoardId>, StoreError)> {
    let (directory, store) = shared();
    let path = directory.path().join("boards.redb");
    tamper(&store, table, |rows| match value {
        Some(value) => drop(rows.insert(key, value).unwrap()),
        None => drop(rows.remove(key).unwrap().expect("it was there")),
    });
    drop(store);
    let report = check(&path).unwrap();
    assert_eq!((report.boards, report.deleted), (2, 1));
    report.unreadable
}

#[test]
fn a_store_that_only_we_wrote_to_is_sound() {
    let (directory, store) = shared();
    drop(store);
    let report = check(&directory.path().join("boards.redb")).unwrap();
    assert!(report.is_sound(), "{report:?}");
}

#[test]
fn each_row_that_is_missing_rotten_or_too_much_is_reported() {
    let (bob, alice) = (principal("user:bob"), UserId::parse("alice").unwrap());
    let on_a = grant_key(&id("a"), &bob);
    let link = SecretHash::of("link of a").id();
    let link_key = secret_key(&id("a"), &link);
    let holder = HolderKey::granted(&bob).unwrap().key(&id("a"));
    let owner = HolderKey::Owner(alice.clone()).key(&id("a"));
    let place = link.as_str().as_bytes();
    let logged = entry_key(&id("a"), entry(11, Action::PermissionSet).key);
    let (broken, agree) = (Damage::Checksum, Damage::Disagreement);
    let rot: Option<&[u8]> = Some(&[1; 30]);
    let a = Some(id("a"));
    type Case<'a> = (
        &'a str,
        Table,
        &'a [u8],
        Option<&'a [u8]>,
        Option<BoardId>,
        Damage,
    );
    let cases: [Case<'_>; 12] = [
        ("grant gone", GRANTS, &on_a, None, a.clone(), agree),
        ("grant rotten", GRANTS, &on_a, rot, a.clone(), broken),
        ("holder gone", HOLDERS, &holder, None, a.clone(), agree),
        ("holder rotten", HOLDERS, &holder, rot, None, broken),
        ("owner gone", HOLDERS, &owner, None, a.clone(), agree),
        ("link gone", LINKS, &link_key, None, a.clone(), agree),
        ("link rotten", LINKS, &link_key, rot, a.clone(), broken),
        ("place gone", SECRETS, place, None, a.clone(), agree),
        ("place rotten", SECRETS, place, rot, None, broken),
        ("entry rotten", AUDIT, &logged, rot, a, broken),
        ("no grant's key", GRANTS, b"a", rot, None, Damage::Malformed),
        ("no entry's key", AUDIT, b"x", rot, None, broken),
    ];
    for (name, table, key, value, board, cause) in cases {
        let expected = [(board, StoreError::Unreadable(cause))];
        assert_eq!(after(table, key, value), expected, "{name}");
    }
}

#[test]
fn rows_of_boards_that_are_not_there_are_reported() {
    let (bob, carol) = (principal("user:bob"), UserId::parse("carol").unwrap());
    for (board, cause) in [("gone", Damage::Disagreement), ("never", Damage::RecordMissing)] {
        let granted = grant_key(&id(board), &bob);
        let held = HolderKey::Owner(carol.clone()).key(&id(board));
        let Act::AddSecret(stored) = secret(board, SecretKind::Key, "other") else {
            unreachable!();
        };
        let of = stored.facts.hash.id();
        let key = secret_key(&id(board), &of);
        let place = of.as_str().as_bytes();
        let rows: [(Table, &[u8], Vec<u8>, Damage); 4] = [
            (GRANTS, &granted, encode_grant(&granted, Level::Edit), cause),
            (HOLDERS, &held, encode_holder(&held), cause),
            (KEYS, &key, encode_secret(&key, &stored), cause),
            (
                SECRETS,
                place,
                encode_place(place, SecretKind::Key, &id(board)),
                Damage::Disagreement,
            ),
        ];
        for (table, key, value, cause) in rows {
            let expected = [(Some(id(board)), StoreError::Unreadable(cause))];
            assert_eq!(after(table, key, Some(&value)), expected, "{board} {table}");
        }
    }
    let entry = entry(5, Action::AccessDenied);
    for (board, sound) in [("gone", true), ("never", false)] {
        let key = entry_key(&id(board), entry.key);
        let found = after(AUDIT, &key, Some(&encode_entry(&key, &entry)));
        assert_eq!(found.is_empty(), sound, "{board}: {found:?}");
    }
    let held = HolderKey::Owner(carol).key(&id("a"));
    let expected = [(Some(id("a")), StoreError::Unreadable(Damage::Disagreement))];
    assert_eq!(
        after(HOLDERS, &held, Some(&encode_holder(&held))),
        expected,
        "not the owner"
    );
}

#[test]
fn a_backup_has_every_table() {
    let (directory, store) = shared();
    let copy = directory.path().join("copy.redb");
    does(&store, "a", add_webhook(1));
    let session = StoredSession {
        hash: SecretHash([1; 32]),
        user: user("alice"),
        name: "Alice".into(),
        admin: false,
        boards: Vec::new(),
        invite: [2; INVITE_BYTES],
        created_at: UnixMillis(1),
        used_at: UnixMillis(1),
        expires_at: UnixMillis(9),
        revoked_at: None,
        user_agent: None,
    };
    let begun = Change::Session(SessionChange::Open(Box::new(session)));
    assert_eq!(store.commit(&[begun]), Ok(vec![Applied::Done]));
    let changes = [
        create("trashed"),
        versioned("trashed", 1, "old"),
        trash("trashed", 50),
    ];
    assert_eq!(store.commit(&changes), Ok(vec![Applied::Done; 3]));
    // One of which an asset is made, and one under way.
    let [one, other] = [1, 2].map(|number| assets::asset(number, 40_000));
    for change in [
        assets::parts_of(&one),
        vec![assets::finish("a", &one)],
        assets::parts_of(&other),
    ]
    .concat()
    {
        assert_eq!(store.commit(&[change]), Ok(vec![Applied::Done]));
    }
    assert_eq!(store.check().unwrap().sessions, 1);
    store.backup(&copy).unwrap();
    assert!(check(&copy).unwrap().is_sound());
    let copied = RedbStore::open(&copy).unwrap();
    for table in TABLES {
        assert_eq!(rows_in(&copied, table), rows_in(&store, table), "{table}");
        let empty = [SNAPSHOTS.name(), UPDATES.name(), JOURNAL.name()];
        assert!(rows_in(&copied, table) > 0 || empty.contains(&table.name()));
    }
    store.commit(&[append("a", 1, "1")]).unwrap();
    let later = directory.path().join("later.redb");
    store.backup(&later).unwrap();
    let copied = RedbStore::open(&later).unwrap();
    assert_eq!((rows_in(&copied, JOURNAL), rows_in(&copied, UPDATES)), (0, 1));
    assert_eq!(copied.load(&id("a")), store.load(&id("a")));
}
