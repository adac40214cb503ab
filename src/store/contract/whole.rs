//! The rules of whole boards: listed, read, and made anew in another store.

use super::*;
use crate::time::UnixMillis;

const BOARDS: [&str; 7] = ["a", "a-", "b", "gone", "large", "trashed", "~"];

/// A store with boards of every kind.
fn filled<P: Place>() -> Tried<P> {
    let store = fresh::<P>();
    store.done(&BOARDS.map(|board| create_of(board, (board != "b").then_some("alice"))));
    store.done(&[append("a", 1, "1"), append("a", 2, "22")]);
    store.done(&[snapshot("a", 2, "state"), append("large", 1, vec![1; 100_000])]);
    store.done(&[append("a", 3, ""), append("a", 4, "4"), append("b", 1, "b")]);
    store.done(&[snapshot("large", 1, vec![7; 700_000]), give("~", "bob")]);
    for (who, level) in [
        ("user:bob", Level::Edit),
        ("team:bob", Level::View),
        ("public", Level::Comment),
    ] {
        store.does("a", grant(who, level));
    }
    for (kind, name, end) in [
        (SecretKind::Link, "link", Some(9)),
        (SecretKind::Link, "other", None),
        (SecretKind::Key, "key", None),
    ] {
        store.does("a", Act::AddSecret(Box::new(stored("a", kind, name, end))));
    }
    store.does("a", pause("a", "key"));
    for number in [2, 1] {
        store.does("a", add_webhook(number));
    }
    store.does("gone", add_webhook(1));
    for (number, board) in [(3, "a"), (2, "a"), (1, "~"), (4, "gone"), (5, "trashed")] {
        assets::bring(&store, board, &assets::asset(number, 300_000));
    }
    store.does("gone", secret("gone", SecretKind::Key, "key"));
    store.done(&[event("a", (5, 1)), event("gone", (5, 2)), delete("gone")]);
    store.does("trashed", grant("user:bob", Level::Edit));
    store.does("trashed", secret("trashed", SecretKind::Link, "link"));
    store.does("trashed", add_webhook(1));
    store.done(&[append("trashed", 1, "1"), snapshot("trashed", 1, "state")]);
    let state = |n: u8| {
        (0..90_000_u32)
            .map(|at| (at / 7) as u8 ^ ((at / 40_000) as u8 * n))
            .collect::<Vec<u8>>()
    };
    store.done(&[
        versioned("a", 1, state(1)),
        versioned("a", 2, state(2)),
        versioned("trashed", 1, "old"),
    ]);
    store.done(&[append("trashed", 2, "2"), trash("trashed", 98)]);
    store
}

fn read<P: Place>(store: &Tried<P>, board: &str) -> Whole {
    Whole::read(&**store, &id(board)).unwrap().unwrap()
}

/// Brings the parts of a board's assets.
fn bring_parts<P: Place>(to: &Tried<P>, whole: &Whole) {
    if let Some(living) = whole.life.living() {
        (living.assets.iter()).for_each(|asset| to.done(&assets::parts_of(asset)));
    }
}

fn import(whole: &Whole) -> Change {
    Change::Import(Box::new(whole.clone()))
}

fn told<P: Place>(store: &Tried<P>) -> Vec<String> {
    BOARDS.iter().map(|board| store.told(board)).collect()
}

pub(super) fn a_board_that_was_imported_is_what_it_was_and_goes_on<P: Place>() {
    let from = filled::<P>();
    let wholes: Vec<Whole> = BOARDS.iter().map(|board| read(&from, board)).collect();
    // No quota is in the way, and no order.
    let mut to = limited::<P>(Quotas { boards: 0, bytes: 0 });
    // Whose parts are missing is not taken.
    assert_eq!(to.commit(&[import(&wholes[0])]), Ok(vec![Applied::OutOfOrder]));
    wholes.iter().for_each(|whole| bring_parts(&to, whole));
    to.done(&wholes.iter().rev().take(5).map(import).collect::<Vec<_>>());
    to.done(&wholes.iter().take(2).map(import).collect::<Vec<_>>());
    let has = |store: &Tried<P>| {
        ["alice", "bob"].map(|owner| {
            let account = store.account(&user(owner));
            (account.boards(), account.bytes())
        })
    };
    for _ in 0..2 {
        assert_eq!(told(&to), told(&from));
        assert_eq!(has(&to), has(&from));
        for (board, whole) in BOARDS.iter().zip(&wholes) {
            assert_eq!(read(&to, board), *whole);
        }
        let all = asked(&[], &[&stored("a", SecretKind::Link, "link", Some(9))]);
        assert_eq!(to.find_secrets(&all.secrets), from.find_secrets(&all.secrets));
        assert_eq!(to.find_secrets(&all.secrets).unwrap().len(), 1);
        to.restart();
    }
    let on = [
        append("a", 5, "5"),
        snapshot("a", 4, "more"),
        act("a", 50, ungrant("team:bob")),
        act("a", 51, revoke("a", SecretKind::Link, "link")),
        act("a", 51, remove_webhook(2)),
        act("b", 52, update(Some(Some("New")), None)),
        delete("large"),
        append("~", 1, "1"),
        act("trashed", 53, Act::Restore),
        act("a", 54, Act::RemoveVersion(VersionId(1))),
        versioned("trashed", 2, "new"),
        append("trashed", 3, "3"),
    ];
    for store in [&from, &to] {
        store.done(&on);
        assert_eq!(store.commit(&[create("gone")]), Ok(vec![Applied::Deleted]));
    }
    assert_eq!(told(&to), told(&from));
    assert_eq!(has(&to), has(&from));
}

pub(super) fn what_is_there_already_or_has_a_gap_is_not_imported<P: Place>() {
    let store = filled::<P>();
    let before = told(&store);
    let mut never = read(&store, "a");
    never.board = id("never");
    let mut gap = read(&filled::<P>(), "b");
    gap.board = id("gap");
    if let Life::Live(living) = &mut gap.life {
        living.document.updates.push((3, "3".into()));
    }
    let mut revived = read(&store, "b");
    revived.board = id("gone");
    let mut brought_back = read(&store, "b");
    brought_back.board = id("trashed");
    for (whole, expected) in [
        (read(&store, "a"), Applied::Exists),
        (read(&store, "gone"), Applied::Deleted),
        (revived, Applied::Deleted),
        (read(&store, "trashed"), Applied::Deleted),
        (brought_back, Applied::Deleted),
        // Its links and keys are those of another board; and so are its assets.
        (never, Applied::Exists),
        (gap, Applied::OutOfOrder),
    ] {
        let board = whole.board.clone();
        assert_eq!(store.commit(&[import(&whole)]), Ok(vec![expected]), "{board}");
        assert_eq!(told(&store), before, "{board}");
    }
    assert_eq!(Whole::read(&*store, &id("never")), Ok(None));
    assert_eq!(store.load(&id("gap")), Ok(Stored::Absent));
}

pub(super) fn ids_are_listed_with_what_became_of_them_in_order_and_in_pages<P: Place>() {
    let mut store = fresh::<P>();
    assert_eq!(store.used(None, 9), Ok(Vec::new()));
    drop(std::mem::replace(&mut store, filled::<P>()));
    let expected = BOARDS.map(|board| Used {
        board: id(board),
        became: Ok(match board {
            "gone" => Became::Deleted(UnixMillis(99)),
            "trashed" => Became::Trashed(UnixMillis(98)),
            _ => Became::Live,
        }),
    });
    for _ in 0..2 {
        assert_eq!(store.used(None, 9).unwrap(), expected);
        assert_eq!(store.used(None, 2).unwrap(), expected[..2]);
        assert_eq!(store.used(Some(&id("b")), 2).unwrap(), expected[2..4]);
        assert_eq!(store.used(Some(&id("aa")), 1).unwrap(), expected[2..3]);
        assert_eq!(store.used(Some(&id("~~")), 9), Ok(Vec::new()));
        store.restart();
    }
}
