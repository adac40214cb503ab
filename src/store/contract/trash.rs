//! The rules of the trash: what a board is there, and how it comes back or goes.

use super::*;
use crate::access::BoardFacts;
use crate::audit::Action;
use crate::time::UnixMillis;

/// Makes a board of alice with something of everything.
fn fill<P: Place>(store: &Tried<P>, board: &str) {
    store.done(&[create(board), append(board, 1, vec![1; 100_000])]);
    store.done(&[snapshot(board, 1, vec![7; 70_000]), append(board, 2, "two")]);
    store.does(board, grant("user:bob", Level::Edit));
    store.does(board, grant("public", Level::View));
    store.does(board, secret(board, SecretKind::Link, "link"));
    store.does(board, secret(board, SecretKind::Key, "key"));
    store.does(board, add_webhook(1));
}

/// All that is kept of a board, as whoever moves it reads it.
fn kept<P: Place>(store: &Tried<P>, board: &str) -> Living {
    let whole = Whole::read(&**store, &id(board)).unwrap().unwrap();
    whole.life.living().unwrap().clone()
}

fn names(trashed: Result<Vec<Trashed>, StoreError>) -> Vec<String> {
    let names = trashed.unwrap().into_iter();
    names.map(|one| one.board.as_str().to_owned()).collect()
}

pub(super) fn a_board_in_the_trash_is_deleted_for_everybody_and_comes_back_as_it_was<P: Place>() {
    let mut store = fresh::<P>();
    ["a", "a-"].iter().for_each(|board| fill(&store, board));
    let link = stored("a", SecretKind::Link, "link", None);
    let everybody = asked(&["user:bob", "public"], &[&link]);
    let before = (kept(&store, "a"), store.present("a"), store.summary(&id("a")));
    let access = store.access(&id("a"), &everybody).unwrap();
    let other = kept(&store, "a-");
    assert_eq!(store.trash(&everything(), None, 9), Ok(Vec::new()));
    store.done(&[trash("a", 50)]);
    for _ in 0..2 {
        assert_eq!(store.load(&id("a")), Ok(Stored::Deleted));
        assert_eq!(store.summary(&id("a")), Ok(Stored::Deleted));
        let facts = store.access(&id("a"), &everybody).unwrap();
        assert_eq!(facts.board, BoardFacts::Deleted);
        assert!(facts.grants.is_empty());
        for holder in [everything(), owned_by("alice")] {
            let listed = store.list(&holder, None, 9).unwrap();
            assert!(listed.into_iter().map(|one| one.board).eq([id("a-")]));
        }
        let trashed = store.trashed(&id("a")).unwrap().unwrap();
        assert_eq!(
            (trashed.at, Ok(Stored::Present(trashed.summary))),
            (UnixMillis(50), before.2.clone())
        );
        assert_eq!(store.trashed(&id("a-")), Ok(None));
        assert_eq!(kept(&store, "a"), before.0);
        let entries = store.entries("a");
        assert_eq!(
            entries
                .iter()
                .filter(|entry| entry.action == Action::BoardDelete)
                .count(),
            1
        );
        store.restart();
    }
    store.done(&[act("a", 60, Act::Restore)]);
    for _ in 0..2 {
        assert_eq!(
            (kept(&store, "a"), store.present("a"), store.summary(&id("a"))),
            before
        );
        assert_eq!(store.access(&id("a"), &everybody), Ok(access.clone()));
        assert_eq!(store.trash(&everything(), None, 9), Ok(Vec::new()));
        assert_eq!(store.list(&owned_by("alice"), None, 9).unwrap().len(), 2);
        assert_eq!(kept(&store, "a-"), other);
        store.restart();
    }
    // It goes on where it was, and may go there again.
    store.done(&[
        append("a", 3, "three"),
        trash("a", 70),
        act("a", 71, Act::Restore),
    ]);
    store.done(&[append("a", 4, "four"), snapshot("a", 4, "all"), trash("a", 72)]);
    store.restart();
    assert_eq!(kept(&store, "a").document.last_sequence(), 4);
}

pub(super) fn what_is_done_to_a_board_in_the_trash_finds_it_deleted<P: Place>() {
    let store = fresh::<P>();
    fill(&store, "a");
    store.done(&[trash("a", 50)]);
    let before = store.told("a");
    for (number, change) in [
        append("a", 3, "three"),
        snapshot("a", 2, "state"),
        event("a", (55, 0)),
        create("a"),
        give("a", "bob"),
        act("a", 56, grant("user:carol", Level::View)),
        act("a", 56, ungrant("user:bob")),
        act("a", 56, revoke("a", SecretKind::Link, "link")),
        act("a", 56, add_webhook(2)),
        trash("a", 57),
    ]
    .into_iter()
    .enumerate()
    {
        assert_eq!(store.commit(&[change]), Ok(vec![Applied::Deleted]), "{number}");
        assert_eq!(store.told("a"), before, "{number}");
    }
    // Its link stays its own.
    store.done(&[create("b")]);
    assert_eq!(
        store.does(
            "b",
            Act::AddSecret(Box::new(stored("a", SecretKind::Link, "link", None)))
        ),
        Applied::Exists
    );
    for what in [Act::Restore, Act::Delete] {
        assert_eq!(
            store.commit(&[act_as("bob", "a", 58, what)]),
            Ok(vec![Applied::NotOwner])
        );
    }
    // All in one commit, in its order.
    let changes = [
        act_as("alice", "a", 60, Act::Restore),
        append("a", 3, "three"),
        trash("a", 61),
        append("a", 4, "four"),
        act_as("alice", "a", 62, Act::Restore),
        append("a", 4, "four"),
    ];
    let mut expected = vec![Applied::Done; 6];
    expected[3] = Applied::Deleted;
    assert_eq!(store.commit(&changes), Ok(expected));
    assert_eq!(store.present("a").last_sequence(), 4);
}

pub(super) fn who_owned_a_board_finds_it_in_the_trash_in_order_and_in_pages<P: Place>() {
    let mut store = fresh::<P>();
    for (board, owner) in [
        ("c", Some("alice")),
        ("a", Some("alice")),
        ("b", Some("bob")),
        ("d", None),
    ] {
        store.done(&[create_of(board, owner), trash(board, 20)]);
    }
    store.done(&[
        create_of("live", Some("alice")),
        create_of("gone", Some("alice")),
        delete("gone"),
    ]);
    store.done(&[
        create_of("e", Some("alice")),
        act("e", 15, grant("user:bob", Level::Edit)),
        trash("e", 21),
    ]);
    let bobs = Holder {
        principals: vec![principal("user:bob")],
        claimed: vec![id("a")],
        ..owned_by("bob")
    };
    for _ in 0..2 {
        assert_eq!(
            names(store.trash(&everything(), None, 9)),
            ["a", "b", "c", "d", "e"]
        );
        assert_eq!(names(store.trash(&everything(), None, 2)), ["a", "b"]);
        assert_eq!(names(store.trash(&everything(), Some(&id("b")), 2)), ["c", "d"]);
        assert_eq!(names(store.trash(&owned_by("alice"), None, 9)), ["a", "c", "e"]);
        assert_eq!(names(store.trash(&owned_by("alice"), Some(&id("a")), 1)), ["c"]);
        // Neither a grant nor a claim shows one.
        assert_eq!(names(store.trash(&bobs, None, 9)), ["b"]);
        assert_eq!(names(store.trash(&Holder::default(), None, 9)), [""; 0]);
        store.restart();
    }
}

pub(super) fn a_board_in_the_trash_counts_for_its_owner_until_it_is_gone<P: Place>() {
    let mut store = limited::<P>(Quotas {
        boards: 1,
        bytes: 1_000,
    });
    let has = |store: &Tried<P>| {
        let account = store.account(&user("alice"));
        (account.boards(), account.bytes())
    };
    store.done(&[create("a"), append("a", 1, vec![0; 100]), trash("a", 20)]);
    for _ in 0..2 {
        assert_eq!(has(&store), (1, 104));
        assert_eq!(store.commit(&[create("b")]), Ok(vec![Applied::TooManyBoards]));
        store.restart();
    }
    // What came back needs no room that it did not have.
    store.done(&[act("a", 30, Act::Restore)]);
    assert_eq!(has(&store), (1, 104));
    store.done(&[trash("a", 40), purge("a", 41), create("b")]);
    assert_eq!(has(&store), (1, 0));
    store.restart();
    assert_eq!(has(&store), (1, 0));
}

pub(super) fn a_board_goes_for_good_once_it_was_in_the_trash_for_so_long<P: Place>() {
    use Applied::{Absent, Deleted, Done, NotThere};
    let mut store = fresh::<P>();
    ["a", "b", "live"].iter().for_each(|board| fill(&store, board));
    store.done(&[trash("a", 50), trash("b", 51)]);
    let live = kept(&store, "live");
    for (board, before, expected) in [
        ("never", 99, Absent),
        ("live", 99, NotThere),
        ("a", 49, NotThere),
        ("a", 50, NotThere),
        ("a", 51, Done),
        ("a", 52, Deleted),
        ("b", 51, NotThere),
    ] {
        assert_eq!(
            store.commit(&[purge(board, before)]),
            Ok(vec![expected]),
            "{board} {before}"
        );
    }
    for _ in 0..2 {
        assert_eq!(store.load_kept(&id("a")), Ok(Stored::Deleted));
        assert_eq!(store.trashed(&id("a")), Ok(None));
        assert_eq!(names(store.trash(&everything(), None, 9)), ["b"]);
        let became = |board| store.used(Some(&id(board)), 1).unwrap().remove(0).became;
        assert_eq!(
            became("a"),
            Ok(Became::Deleted(UnixMillis(50))),
            "when it was deleted"
        );
        assert_eq!(store.webhooks(&id("a")), Ok(Vec::new()));
        let link = stored("a", SecretKind::Link, "link", None);
        assert_eq!(store.find_secrets(&[link.facts.hash.id()]), Ok(BTreeMap::new()));
        assert!(!store.entries("a").is_empty());
        store.restart();
    }
    // Who may delete it need not wait, and its tombstone says when it was deleted.
    store.done(&[act_as("alice", "b", 70, Act::Delete)]);
    let used = store.used(Some(&id("b")), 1).unwrap();
    assert_eq!(used[0].became, Ok(Became::Deleted(UnixMillis(51))));
    assert_eq!(kept(&store, "live"), live);
    for board in ["a", "b"] {
        assert_eq!(store.commit(&[create(board)]), Ok(vec![Deleted]));
        assert_eq!(store.does(board, Act::Restore), Deleted);
    }
}
