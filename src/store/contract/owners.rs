//! The rules of what owners may have, decided in the transaction that would give it to them.

use super::*;
use crate::store::owners::Growth;

fn limited_to<P: Place>(boards: u64, bytes: u64) -> Tried<P> {
    limited(Quotas { boards, bytes })
}

fn has<P: Place>(store: &Tried<P>, owner: &str) -> (u64, u64) {
    let account = store.account(&user(owner));
    (account.boards(), account.bytes())
}

pub(super) fn an_owner_gets_so_many_boards_however_they_are_asked_for<P: Place>() {
    let mut store = limited_to::<P>(2, u64::MAX);
    let (alice, bob) = (Some("alice"), Some("bob"));
    let done = Applied::Done;
    // Three at once, in one transaction.
    let changes = [
        create_of("a", alice),
        create_of("b", alice),
        create_of("c", alice),
        create_of("c", bob),
        create_of("d", None),
    ];
    let expected = vec![done, done, Applied::TooManyBoards, done, done];
    assert_eq!(store.commit(&changes), Ok(expected));
    assert_eq!(
        store.commit(&[create_of("e", alice)]),
        Ok(vec![Applied::TooManyBoards])
    );
    assert_eq!(store.load(&id("e")), Ok(Stored::Absent), "it was not made");
    assert_eq!(store.commit(&[create_of("a", alice)]), Ok(vec![Applied::Exists]));
    assert_eq!(has(&store, "alice"), (2, 0));
    // A deleted one makes room, also in the same transaction; for one.
    let changes = [delete("a"), create_of("e", alice), create_of("f", alice)];
    assert_eq!(
        store.commit(&changes),
        Ok(vec![done, done, Applied::TooManyBoards])
    );
    store.done(&[create_of("g", bob)]);
    // Bob has two: nothing of an act that gives him a third is done.
    assert_eq!(
        store.commit(&[give("e", "bob")]),
        Ok(vec![Applied::TooManyBoards])
    );
    assert_eq!(store.present("e").record.title, None);
    assert_eq!(store.entries("e").len(), 1, "nor written down");
    store.done(&[give("d", "carol"), give("e", "carol")]);
    assert_eq!(
        store.commit(&[give("b", "carol")]),
        Ok(vec![Applied::TooManyBoards])
    );
    // They are hers already.
    store.done(&[give("e", "carol")]);
    let boards = |store: &Tried<P>| ["alice", "bob", "carol"].map(|owner| has(store, owner).0);
    assert_eq!(boards(&store), [1, 2, 2]);
    store.reopen().unwrap();
    assert_eq!(boards(&store), [1, 2, 2]);
    store.restart();
    assert_eq!(boards(&store), [1, 2, 2]);
}

pub(super) fn what_boards_take_is_counted_for_their_owner_through_their_life_and_after_a_restart<P: Place>() {
    let mut store = fresh::<P>();
    let says = |store: &Tried<P>, expected: u64| {
        let mut bytes = 0;
        for board in ["a", "b"] {
            if let Ok(Stored::Present(summary)) = store.summary(&id(board)) {
                bytes += summary.size_bytes;
            }
        }
        assert_eq!((bytes, has(store, "alice").1), (expected, expected));
    };
    store.done(&[create("a"), append("a", 1, vec![0; 100])]);
    says(&store, 104);
    store.done(&[append("a", 2, vec![0; 40_000]), create("b"), append("b", 1, "")]);
    says(&store, 104 + 40_004 + 4);
    store.done(&[append("a", 3, "three"), snapshot("a", 2, vec![0; 70_000])]);
    says(&store, 70_000 + 9 + 4);
    store.done(&[snapshot("a", 3, "all")]);
    says(&store, 3 + 4);
    store.restart();
    says(&store, 3 + 4);
    assert_eq!(
        store.commit(&[append("a", 9, "gap")]),
        Ok(vec![Applied::OutOfOrder])
    );
    says(&store, 3 + 4);
    store.done(&[give("a", "bob")]);
    assert_eq!((has(&store, "alice"), has(&store, "bob")), ((1, 4), (1, 3)));
    store.done(&[delete("a"), delete("b")]);
    assert_eq!((has(&store, "alice"), has(&store, "bob")), ((0, 0), (0, 0)));
}

pub(super) fn a_board_is_given_to_who_has_room_for_its_bytes<P: Place>() {
    for (room, applied) in [
        (103, Applied::OwnerFull),
        (104, Applied::Done),
        (105, Applied::Done),
    ] {
        let store = limited_to::<P>(9, 204 + room);
        store.done(&[
            create_of("a", Some("alice")),
            append("a", 1, vec![0; 100]),
            create_of("b", Some("bob")),
            append("b", 1, vec![0; 100]),
        ]);
        // What a room of bob's has accepted counts too.
        let mut growth = Growth::default();
        growth.set_account(Some(store.account(&user("bob"))));
        growth.accepted(2, 100);
        assert_eq!(store.commit(&[give("a", "bob")]), Ok(vec![applied]), "{room}");
        assert_eq!(
            store.present("a").record.owner == Some(user("bob")),
            applied == Applied::Done
        );
    }
}

pub(super) fn boards_given_in_one_commit_count_together<P: Place>() {
    let store = limited_to::<P>(9, 300);
    for board in ["a", "b"] {
        store.done(&[create_of(board, Some("alice")), append(board, 1, vec![0; 100])]);
    }
    store.done(&[create_of("c", Some("bob")), append("c", 1, vec![0; 100])]);
    let given = [give("a", "bob"), give("b", "bob")];
    assert_eq!(
        store.commit(&given),
        Ok(vec![Applied::Done, Applied::OwnerFull]),
        "there is room for one of them"
    );
    // One that goes makes room, also in the same transaction.
    store.done(&[delete("c"), give("b", "bob")]);
    assert_eq!(has(&store, "bob"), (2, 208));
}
