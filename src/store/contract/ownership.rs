//! The rules of who has which board, where several nodes share one store.

use std::sync::Barrier;
use std::time::Duration;

use super::*;
use crate::store::ownership::{Joining, Lease, Neighbour, NodeId, Ownership, Whereabouts};

/// A place that several nodes share.
pub(super) trait Shared: Place {
    /// One node's way to it.
    type Handle: Store + Ownership;

    /// Another handle, beside those that are there.
    fn handle(&self, quotas: Quotas) -> Self::Handle;

    /// Lets time pass, by the clock that leases end by: they all end so much sooner.
    fn pass(&self, time: Duration);
}

const LEASE: Duration = Duration::from_secs(10);

/// More than a lease.
const LONGER: Duration = Duration::from_secs(11);

fn joining(name: &str, replaces: bool) -> Joining {
    Joining {
        name: name.into(),
        address: Some(format!("{name}:4455")),
        lease: LEASE,
        replaces,
    }
}

fn join(handle: &impl Ownership, name: &str, replaces: bool) -> Option<NodeId> {
    match handle.join(&joining(name, replaces)).unwrap() {
        Lease::Held(node) => Some(node),
        Lease::Lost => None,
    }
}

/// A handle that is a node.
fn node<P: Shared>(place: &P, name: &str) -> (P::Handle, NodeId) {
    let handle = place.handle(Quotas::UNBOUNDED);
    let node = join(&handle, name, true).unwrap();
    (handle, node)
}

/// Two of them.
fn two<P: Shared>(place: &P) -> (P::Handle, P::Handle) {
    (node(place, "one").0, node(place, "two").0)
}

fn elsewhere(name: &str, node: NodeId) -> Whereabouts {
    Whereabouts::Elsewhere(Neighbour {
        node,
        address: Some(format!("{name}:4455")),
    })
}

fn commits(handle: &impl Store, changes: &[Change], applied: &[Applied]) {
    assert_eq!(handle.commit(changes), Ok(applied.to_vec()));
}

fn does(handle: &impl Store, changes: &[Change]) {
    commits(handle, changes, &vec![Applied::Done; changes.len()]);
}

fn claims(handle: &impl Ownership, board: &str) -> Whereabouts {
    let claimed = handle.claim(&id(board)).unwrap();
    assert_eq!(handle.whereabouts(&id(board)), Ok(claimed.clone()), "{board}");
    claimed
}

/// The last sequence of a board.
fn last(handle: &impl Store, board: &str) -> u64 {
    match handle.load(&id(board)) {
        Ok(Stored::Present(stored)) => stored.last_sequence(),
        other => panic!("{board}: {other:?}"),
    }
}

/// Names of nodes whose lease holds, and how many boards each has.
fn living(handle: &impl Ownership) -> Vec<(String, u64)> {
    let seen = handle.nodes().unwrap().into_iter();
    let living = seen.filter(|node| !node.lease_left.is_zero());
    living.map(|node| (node.name, node.boards)).collect()
}

pub(super) fn a_lease_holds_as_long_as_it_is_renewed_and_once_it_has_ended_it_is_never_renewed<P: Shared>() {
    let place = P::default();
    let (one, first) = node(&place, "one");
    for _ in 0..3 {
        place.pass(LEASE / 2);
        assert_eq!(one.renew(), Ok(Lease::Held(first)));
    }
    does(&one, &[create("a"), append("a", 1, "1")]);
    place.pass(LONGER);
    assert_eq!(one.renew(), Ok(Lease::Lost));
    assert_eq!(one.renew(), Ok(Lease::Lost));
    commits(&one, &[append("a", 2, "2")], &[Applied::Elsewhere]);
    // It is another node then, and has nothing.
    let second = join(&one, "one", false).unwrap();
    assert_ne!(first, second);
    assert_eq!(one.renew(), Ok(Lease::Held(second)));
    assert_eq!(one.whereabouts(&id("a")), Ok(Whereabouts::Nobody));
    commits(&one, &[append("a", 2, "2")], &[Applied::Elsewhere]);
    assert_eq!(claims(&one, "a"), Whereabouts::Here);
    does(&one, &[append("a", 2, "2")]);
}

pub(super) fn a_name_is_taken_from_who_has_it_only_at_the_start_of_a_process<P: Shared>() {
    let place = P::default();
    let (one, first) = node(&place, "one");
    let again = place.handle(Quotas::UNBOUNDED);
    does(&one, &[create("a")]);
    assert_eq!(join(&again, "one", false), None, "one lives");
    assert_eq!(one.renew(), Ok(Lease::Held(first)));
    let second = join(&again, "one", true).unwrap();
    assert_ne!(first, second);
    // What the earlier run had is nobody's at once, and it learns so.
    assert_eq!(again.whereabouts(&id("a")), Ok(Whereabouts::Nobody));
    commits(&one, &[append("a", 1, "1")], &[Applied::Elsewhere]);
    assert_eq!(one.renew(), Ok(Lease::Lost));
    assert_eq!(join(&one, "one", false), None);
    assert_eq!(claims(&again, "a"), Whereabouts::Here);
    // Another name is another server's.
    let (two, _) = node(&place, "two");
    assert_eq!(claims(&two, "a"), elsewhere("one", second));
    // Once its lease has ended, or it has left, nobody need be replaced.
    place.pass(LONGER);
    let third = join(&one, "one", false).unwrap();
    assert_eq!(
        (again.renew(), one.renew()),
        (Ok(Lease::Lost), Ok(Lease::Held(third)))
    );
    one.leave().unwrap();
    assert!(join(&again, "one", false).is_some());
    // Who joins again is another one, too, and has nothing.
    assert_eq!(claims(&again, "a"), Whereabouts::Here);
    assert!(join(&again, "one", false).is_some());
    assert_eq!(again.whereabouts(&id("a")), Ok(Whereabouts::Nobody));
}

pub(super) fn a_claim_takes_what_nobody_has_and_says_who_has_it_otherwise<P: Shared>() {
    let place = P::default();
    // Of no node yet.
    let tool = place.handle(Quotas::UNBOUNDED);
    does(&tool, &[create("a"), create("gone"), delete("gone")]);
    let ((one, first), (two, _)) = (node(&place, "one"), node(&place, "two"));
    for board in ["absent", "gone"] {
        assert_eq!(claims(&one, board), Whereabouts::Nobody);
    }
    assert_eq!(one.whereabouts(&id("a")), Ok(Whereabouts::Nobody));
    assert_eq!(claims(&one, "a"), Whereabouts::Here);
    assert_eq!(claims(&one, "a"), Whereabouts::Here, "again");
    assert_eq!(claims(&two, "a"), elsewhere("one", first));
    assert_eq!(claims(&tool, "a"), elsewhere("one", first));
    place.pass(LEASE / 2);
    two.renew().unwrap();
    place.pass(LEASE * 2 / 3);
    // One's has ended.
    assert_eq!(
        claims(&one, "a"),
        Whereabouts::Nobody,
        "who has no lease takes nothing"
    );
    assert_eq!(claims(&two, "a"), Whereabouts::Here);
    does(&two, &[delete("a")]);
    assert_eq!(claims(&two, "a"), Whereabouts::Nobody);
}

pub(super) fn of_those_who_claim_at_once_one_gets_the_board<P: Shared>() {
    let place = P::default();
    let tool = place.handle(Quotas::UNBOUNDED);
    let boards: Vec<String> = (0..20).map(|number| format!("board-{number}")).collect();
    does(
        &tool,
        &boards.iter().map(|board| create(board)).collect::<Vec<_>>(),
    );
    let nodes = ["one", "two", "three"].map(|name| node(&place, name));
    let barrier = Barrier::new(nodes.len());
    let claimed: Vec<Vec<Whereabouts>> = std::thread::scope(|scope| {
        let threads = nodes.each_ref().map(|(handle, _)| {
            let (boards, barrier) = (&boards, &barrier);
            scope.spawn(move || {
                let claim = |board: &String| {
                    barrier.wait();
                    handle.claim(&id(board)).unwrap()
                };
                boards.iter().map(claim).collect()
            })
        });
        threads.map(|thread| thread.join().unwrap()).into()
    });
    for (number, board) in boards.iter().enumerate() {
        let got = claimed
            .iter()
            .position(|claimed| claimed[number] == Whereabouts::Here);
        let got = got.unwrap_or_else(|| panic!("nobody has {board}"));
        let (name, id) = (["one", "two", "three"][got], nodes[got].1);
        for (other, claimed) in claimed.iter().enumerate().filter(|(other, _)| *other != got) {
            assert_eq!(claimed[number], elsewhere(name, id), "{board}, asked by {other}");
        }
    }
}

pub(super) fn a_room_writes_only_while_its_node_has_the_board_and_its_lease<P: Shared>() {
    let place = P::default();
    let (one, two) = two(&place);
    does(&one, &[create("a"), append("a", 1, "1"), append("a", 2, "2")]);
    does(&two, &[create("b")]);
    // Of just those that are not its own nothing is done.
    let changes = [
        append("a", 3, "3"),
        append("b", 1, "1"),
        snapshot("a", 2, "both"),
        snapshot("b", 0, "none"),
        append("absent", 1, "1"),
    ];
    let (done, not) = (Applied::Done, Applied::Elsewhere);
    commits(&one, &changes, &[done, not, done, not, Applied::Absent]);
    assert_eq!((last(&two, "a"), last(&two, "b")), (3, 0));
    // A board that nobody has is to be claimed first, by a node.
    one.release(&[id("a")]).unwrap();
    commits(&one, &[append("a", 4, "4")], &[not]);
    commits(&two, &[append("a", 4, "4")], &[not]);
    assert_eq!(claims(&two, "a"), Whereabouts::Here);
    does(&two, &[append("a", 4, "of two")]);
    // The fence is decided before the order.
    commits(&one, &[append("a", 4, "4"), append("a", 5, "5")], &[not, not]);
    // Nor does it write once its lease has ended, even if nobody else came.
    place.pass(LONGER);
    commits(&two, &[append("a", 5, "5"), snapshot("b", 0, "")], &[not, not]);
    assert_eq!((last(&one, "a"), last(&one, "b")), (4, 0));
}

pub(super) fn an_act_needs_no_claim_and_waits_for_who_has_the_board<P: Shared>() {
    let place = P::default();
    let (one, two) = two(&place);
    does(&one, &[create("a"), create("b"), create("c")]);
    let acts = [
        act("a", 20, grant("user:bob", Level::View)),
        event("a", (21, 0)),
        act("b", 22, update(Some(Some("New")), None)),
        delete("c"),
    ];
    let before: Vec<_> = ["a", "b", "c"].map(|board| told(&one, board)).into();
    commits(&two, &acts, &[Applied::Elsewhere; 4]);
    assert_eq!(before, ["a", "b", "c"].map(|board| told(&one, board)));
    commits(&two, &[create("a")], &[Applied::Elsewhere]);
    // Its own node does it, and any where the board is nobody's: let go, or of an ended lease.
    does(&one, &acts[..1]);
    one.release(&[id("a"), id("b")]).unwrap();
    does(&two, &acts[1..3]);
    assert_eq!(
        two.whereabouts(&id("a")),
        Ok(Whereabouts::Nobody),
        "nor is it claimed by it"
    );
    commits(&two, &acts[3..], &[Applied::Elsewhere]);
    place.pass(LONGER);
    does(&two, &acts[3..]);
    does(&one, &[event("a", (22, 0))]);
}

/// What a handle reads of a board.
fn told(handle: &impl Store, board: &str) -> String {
    let board = id(board);
    format!(
        "{:?} {:?} {:?} {:?} {:?}",
        handle.load(&board),
        handle.access(&board, &asked(&["user:bob"], &[])),
        handle.grants(&board, None, 9),
        handle.secrets(&board, SecretKind::Link, None, 9),
        handle.audit(&board, None, 9),
    )
}

pub(super) fn who_makes_a_board_has_it<P: Shared>() {
    let place = P::default();
    let ((one, first), (two, second)) = (node(&place, "one"), node(&place, "two"));
    commits(&one, &[create("a"), append("a", 1, "1")], &[Applied::Done; 2]);
    assert_eq!(one.whereabouts(&id("a")), Ok(Whereabouts::Here));
    assert_eq!(two.whereabouts(&id("a")), Ok(elsewhere("one", first)));
    // Of two who make it the first one does, and has it.
    commits(&two, &[create("b")], &[Applied::Done]);
    one.release(&[id("b")]).unwrap();
    assert_eq!(claims(&one, "b"), elsewhere("two", second));
    two.release(&[id("b")]).unwrap();
    commits(&one, &[create("b")], &[Applied::Exists]);
    assert_eq!(one.whereabouts(&id("b")), Ok(Whereabouts::Nobody));
    // Of an ended lease it is nobody's at once.
    place.pass(LONGER);
    commits(
        &one,
        &[create("c"), append("c", 1, "1")],
        &[Applied::Done, Applied::Elsewhere],
    );
    assert_eq!(two.whereabouts(&id("c")), Ok(Whereabouts::Nobody));
}

pub(super) fn a_node_lets_go_of_its_own_boards_and_of_all_when_it_leaves<P: Shared>() {
    let place = P::default();
    let ((one, first), (two, _)) = (node(&place, "one"), node(&place, "two"));
    does(&one, &[create("a"), create("b"), create("c")]);
    does(&two, &[create("d")]);
    one.release(&[]).unwrap();
    one.release(&[id("a"), id("d"), id("absent")]).unwrap();
    assert_eq!(claims(&two, "a"), Whereabouts::Here);
    assert_eq!(claims(&two, "b"), elsewhere("one", first));
    assert_eq!(two.whereabouts(&id("d")), Ok(Whereabouts::Here));
    one.leave().unwrap();
    for board in ["b", "c"] {
        assert_eq!(claims(&two, board), Whereabouts::Here);
    }
    assert_eq!(one.renew(), Ok(Lease::Lost));
    commits(&one, &[append("a", 1, "1")], &[Applied::Elsewhere]);
    one.leave().unwrap();
    assert_eq!(living(&two), [("two".to_owned(), 4)]);
}

pub(super) fn what_a_node_commits_the_others_read_and_go_on_with<P: Shared>() {
    let place = P::default();
    let (one, two) = two(&place);
    let link = stored("a", SecretKind::Link, "link", None);
    let committed = [
        create("a"),
        append("a", 1, "1"),
        act("a", 20, grant("user:bob", Level::View)),
        act("a", 21, secret("a", SecretKind::Link, "link")),
        event("a", (22, 0)),
    ];
    // What is not there is not remembered, either.
    assert_eq!(two.load(&id("a")), Ok(Stored::Absent));
    let asking = asked(&["user:bob"], &[&link]);
    let nothing = two.access(&id("a"), &asking).unwrap();
    does(&one, &committed);
    assert_eq!(told(&one, "a"), told(&two, "a"));
    assert_eq!(last(&two, "a"), 1);
    let facts = two.access(&id("a"), &asking).unwrap();
    assert_ne!(facts, nothing);
    assert_eq!((facts.grants.len(), facts.secrets.len()), (1, 1));
    let listed = two.list(&everything(), None, 9).unwrap();
    assert_eq!(listed.len(), 1);
    assert_eq!(two.summary(&id("a")), one.summary(&id("a")));
    one.release(&[id("a")]).unwrap();
    assert_eq!(claims(&two, "a"), Whereabouts::Here);
    does(
        &two,
        &[
            append("a", 2, "2"),
            act("a", 30, ungrant("user:bob")),
            snapshot("a", 2, "all"),
        ],
    );
    assert_eq!(told(&one, "a"), told(&two, "a"));
    does(&two, &[delete("a")]);
    assert_eq!(one.load(&id("a")), Ok(Stored::Deleted));
    assert!(one.find_secrets(&asking.secrets).unwrap().is_empty());
}

pub(super) fn what_an_owner_may_have_counts_the_boards_of_all_nodes<P: Shared>() {
    let place = P::default();
    let quotas = Quotas {
        boards: 3,
        bytes: 250,
    };
    let [one, two] = ["one", "two"].map(|name| {
        let handle = place.handle(quotas);
        join(&handle, name, true).unwrap();
        handle
    });
    let (alice, bob) = (Some("alice"), Some("bob"));
    let has = |handle: &P::Handle, owner: &str| {
        let account = handle.account(&user(owner));
        (account.boards(), account.bytes())
    };
    assert_eq!(has(&one, "alice"), (0, 0));
    does(&one, &[create_of("a", alice), append("a", 1, vec![0; 96])]);
    does(&two, &[create_of("b", alice), append("b", 1, vec![0; 96])]);
    does(&one, &[create_of("c", alice)]);
    commits(&one, &[create_of("d", alice)], &[Applied::TooManyBoards]);
    commits(&two, &[create_of("d", alice)], &[Applied::TooManyBoards]);
    assert_eq!((has(&one, "alice"), has(&two, "alice")), ((3, 200), (3, 200)));
    // So do the bytes of what is given.
    does(
        &one,
        &[create_of("e", bob), append("e", 1, vec![0; 96]), delete("c")],
    );
    does(&two, &[]);
    commits(&one, &[give("e", "alice")], &[Applied::OwnerFull]);
    does(&two, &[delete("b")]);
    does(&one, &[give("e", "alice")]);
    assert_eq!((has(&one, "alice"), has(&two, "alice")), ((2, 200), (2, 200)));
    assert_eq!((has(&one, "bob"), has(&two, "bob")), ((0, 0), (0, 0)));
}

pub(super) fn who_never_joined_writes_what_nobody_has_and_nothing_else<P: Shared>() {
    let place = P::default();
    let tool = place.handle(Quotas::UNBOUNDED);
    assert_eq!(tool.renew(), Ok(Lease::Lost));
    does(
        &tool,
        &[create("a"), append("a", 1, "1"), snapshot("a", 1, "all")],
    );
    assert_eq!(claims(&tool, "a"), Whereabouts::Nobody);
    let (one, _) = node(&place, "one");
    does(&tool, &[append("a", 2, "2")]);
    assert_eq!(claims(&one, "a"), Whereabouts::Here);
    let changes = [
        append("a", 3, "3"),
        snapshot("a", 2, "all"),
        event("a", (30, 0)),
        delete("a"),
    ];
    commits(&tool, &changes, &[Applied::Elsewhere; 4]);
    tool.release(&[id("a")]).unwrap();
    tool.leave().unwrap();
    does(&one, &[append("a", 3, "3")]);
    // The entries of all are pruned by anybody.
    while tool.prune_audit(UnixMillis(1_000)).unwrap() {}
    assert_eq!(one.audit(&id("a"), None, 9), Ok(Vec::new()));
    place.pass(LONGER);
    does(&tool, &[append("a", 4, "4"), delete("a")]);
}

pub(super) fn nodes_are_listed_with_what_they_have_and_how_long<P: Shared>() {
    let place = P::default();
    let tool = place.handle(Quotas::UNBOUNDED);
    assert!(tool.nodes().unwrap().is_empty());
    let ((two, second), (one, first)) = (node(&place, "two"), node(&place, "one"));
    does(&one, &[create("a"), create("b")]);
    assert_eq!(living(&tool), [("one".to_owned(), 2), ("two".to_owned(), 0)]);
    let seen = tool.nodes().unwrap();
    assert_eq!(
        seen.iter().map(|seen| seen.node).collect::<Vec<_>>(),
        [first, second]
    );
    assert_eq!(seen[0].address.as_deref(), Some("one:4455"));
    assert!(
        seen.iter()
            .all(|seen| seen.lease_left <= LEASE && seen.lease_left > LEASE / 2)
    );
    place.pass(LEASE / 2);
    one.renew().unwrap();
    place.pass(LEASE * 2 / 3);
    let seen = tool.nodes().unwrap();
    assert!(seen[0].lease_left > Duration::ZERO && seen[0].lease_left < LEASE / 2);
    let ended = seen
        .iter()
        .find(|seen| seen.node == second)
        .expect("it ended lately");
    assert_eq!(ended.lease_left, Duration::ZERO);
    assert_eq!(living(&tool), [("one".to_owned(), 2)]);
    assert_eq!(claims(&two, "b"), elsewhere("one", first));
}
