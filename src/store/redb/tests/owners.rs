//! Tests of what owners may have, decided in the transaction that would give it to them.

use super::*;
use crate::store::owners::{Growth, Quotas};

fn limited(boards: u64, bytes: u64) -> (TempDir, RedbStore) {
    let (directory, store) = fresh();
    (directory, store.with_quotas(Quotas { boards, bytes }))
}

fn of(board: &str, owner: Option<&str>) -> Change {
    let (owner, title) = (owner.and_then(UserId::parse), None);
    act(board, 10, Act::Create { owner, title })
}

fn give(board: &str, to: &str) -> Change {
    let (title, owner) = (Some(Some("given".into())), UserId::parse(to));
    act(board, 20, Act::Update { title, owner })
}

fn has(store: &RedbStore, owner: &str) -> (u64, u64) {
    let account = store.account(&UserId::parse(owner).unwrap());
    (account.boards(), account.bytes())
}

#[test]
fn an_owner_gets_so_many_boards_however_they_are_asked_for() {
    let (_directory, store) = limited(2, u64::MAX);
    let (alice, bob) = (Some("alice"), Some("bob"));
    let done = Applied::Done;
    // Three at once, in one transaction.
    let changes = [
        of("a", alice),
        of("b", alice),
        of("c", alice),
        of("c", bob),
        of("d", None),
    ];
    let expected = vec![done, done, Applied::TooManyBoards, done, done];
    assert_eq!(store.commit(&changes), Ok(expected));
    assert_eq!(store.commit(&[of("e", alice)]), Ok(vec![Applied::TooManyBoards]));
    assert_eq!(store.load(&id("e")), Ok(Stored::Absent), "it was not made");
    assert_eq!(store.commit(&[of("a", alice)]), Ok(vec![Applied::Exists]));
    assert_eq!(has(&store, "alice"), (2, 0));
    // A deleted one makes room, also in the same transaction; for one.
    let changes = [delete("a"), of("e", alice), of("f", alice)];
    assert_eq!(
        store.commit(&changes),
        Ok(vec![done, done, Applied::TooManyBoards])
    );
    assert_eq!(store.commit(&[of("g", bob)]), Ok(vec![done]));
    // Bob has two: nothing of an act that gives him a third is done.
    assert_eq!(
        store.commit(&[give("e", "bob")]),
        Ok(vec![Applied::TooManyBoards])
    );
    assert_eq!(present(&store, "e").record.title, None);
    assert_eq!(
        store.commit(&[give("d", "carol"), give("e", "carol")]),
        Ok(vec![done; 2])
    );
    assert_eq!(
        store.commit(&[give("b", "carol")]),
        Ok(vec![Applied::TooManyBoards])
    );
    assert_eq!(
        store.commit(&[give("e", "carol")]),
        Ok(vec![done]),
        "they are hers already"
    );
    assert_eq!(
        ["alice", "bob", "carol"].map(|owner| has(&store, owner).0),
        [1, 2, 2]
    );
    store.reopen().unwrap();
    assert_eq!(
        ["alice", "bob", "carol"].map(|owner| has(&store, owner).0),
        [1, 2, 2]
    );
}

#[test]
fn what_boards_take_is_counted_for_their_owner_through_their_life_and_after_a_restart() {
    let (directory, store) = limited(9, u64::MAX);
    let path = directory.path().join("boards.redb");
    let mut store = store;
    let says = |store: &RedbStore, expected: u64| {
        let mut bytes = 0;
        for board in ["a", "b"] {
            if let Ok(Stored::Present(summary)) = store.summary(&id(board)) {
                bytes += summary.size_bytes;
            }
        }
        assert_eq!((bytes, has(store, "alice").1), (expected, expected));
    };
    store
        .commit(&[of("a", Some("alice")), append("a", 1, vec![0; 100])])
        .unwrap();
    says(&store, 104);
    let changes = [
        append("a", 2, vec![0; 40_000]),
        of("b", Some("alice")),
        append("b", 1, ""),
    ];
    store.commit(&changes).unwrap();
    says(&store, 104 + 40_004 + 4);
    store
        .commit(&[append("a", 3, "three"), snapshot("a", 2, vec![0; 70_000])])
        .unwrap();
    // The row with the third begins after what is covered.
    says(&store, 70_000 + 9 + 4);
    store.commit(&[snapshot("a", 3, "all")]).unwrap();
    says(&store, 3 + 4);
    drop(store);
    store = RedbStore::open(&path).unwrap().with_quotas(Quotas::UNBOUNDED);
    says(&store, 3 + 4);
    assert_eq!(
        store.commit(&[append("a", 9, "gap")]),
        Ok(vec![Applied::OutOfOrder])
    );
    says(&store, 3 + 4);
    store.commit(&[give("a", "bob")]).unwrap();
    assert_eq!((has(&store, "alice"), has(&store, "bob")), ((1, 4), (1, 3)));
    store.commit(&[delete("a"), delete("b")]).unwrap();
    assert_eq!((has(&store, "alice"), has(&store, "bob")), ((0, 0), (0, 0)));
}

#[test]
fn a_board_is_given_to_who_has_room_for_its_bytes() {
    for (room, applied) in [
        (103, Applied::OwnerFull),
        (104, Applied::Done),
        (105, Applied::Done),
    ] {
        let (_directory, store) = limited(9, 204 + room);
        let changes = [
            of("a", Some("alice")),
            append("a", 1, vec![0; 100]),
            of("b", Some("bob")),
            append("b", 1, vec![0; 100]),
        ];
        store.commit(&changes).unwrap();
        // What a room of bob's has accepted counts too.
        let mut growth = Growth::default();
        growth.set_account(Some(store.account(&UserId::parse("bob").unwrap())));
        growth.accepted(2, 100);
        assert_eq!(store.commit(&[give("a", "bob")]), Ok(vec![applied]), "{room}");
    }
}

#[test]
fn after_a_failed_commit_the_accounts_say_what_the_disk_has() {
    use super::super::fault_tests::on;
    use super::super::simdisk::SimDisk;
    let disk = SimDisk::default();
    let store = on(&disk).unwrap();
    store
        .commit(&[of("a", Some("alice")), append("a", 1, "12345")])
        .unwrap();
    let account = store.account(&UserId::parse("alice").unwrap());
    disk.fail_after(Some(0));
    assert!(
        store
            .commit(&[of("b", Some("alice")), append("a", 2, "12345")])
            .is_err()
    );
    assert_eq!((account.boards(), account.bytes()), (1, 9));
    disk.fail_after(None);
    store.reopen().unwrap();
    assert_eq!(
        (account.boards(), account.bytes()),
        (1, 9),
        "whoever holds it sees it"
    );
}
