//! Two nodes of one store: claiming, losing the lease, letting go. The store's clock stands still unless a
//! test sets it.

use std::future::Future;

use smol::Executor;

use super::*;
use crate::access::{Credentials, TokenRights};
use crate::audit::{Action, Actor, Entry, EntryKey};
use crate::boards::harness;
use crate::boards::loader::Creation;
use crate::boards::slots::RoomCell;
use crate::ids::{Level, Principal, UserId};
use crate::store::memory::{Disk, MemoryStore};
use crate::store::owners::Quotas;
use crate::store::{Act, Applied, Change};
use crate::time::UnixMillis;

/// Much longer than a test takes.
const LONG: Duration = Duration::from_secs(3_600);

struct Node {
    store: Arc<MemoryStore>,
    boards: Arc<Boards>,
    executor: Arc<Executor<'static>>,
}

impl Node {
    fn on(disk: &Disk, name: &str, lease: Duration) -> Self {
        let store = Arc::new(MemoryStore::open(disk, Quotas::UNBOUNDED).unwrap());
        let (boards, executor) = harness::node(harness::settings(), &store, (name, lease));
        Self {
            store,
            boards,
            executor,
        }
    }

    fn run<T>(&self, work: impl Future<Output = T>) -> T {
        smol::block_on(self.executor.run(work))
    }

    /// The room of a board that is there, or that alice makes.
    fn room(&self, board: &str) -> Result<Arc<RoomCell>, Fault> {
        self.run(self.boards.room(&id(board), may_create()))
    }

    fn settle(&self) {
        self.run(self.boards.settled()).unwrap();
    }
}

fn id(text: &str) -> BoardId {
    BoardId::parse(text).unwrap()
}

fn may_create() -> Creation {
    Creation::Allowed(UserId::parse("alice").unwrap(), Actor::unknown())
}

fn two() -> (Disk, Node, Node) {
    let disk = Disk::default();
    let (one, two) = (Node::on(&disk, "one", LONG), Node::on(&disk, "two", LONG));
    (disk, one, two)
}

#[test]
fn a_board_is_loaded_where_it_was_claimed_and_nowhere_else() {
    let (_, one, two) = two();
    one.room("b").unwrap();
    one.settle();
    assert_eq!(two.room("b").unwrap_err(), Fault::Elsewhere);
    let neighbour = two.run(two.boards.neighbour_with(&id("b"))).unwrap().unwrap();
    assert_eq!(neighbour.address.as_deref(), Some("one:1"));
    assert_eq!(one.run(one.boards.neighbour_with(&id("b"))), Ok(None));
    assert_eq!(two.run(two.boards.neighbour_with(&id("c"))), Ok(None));
}

#[test]
fn of_two_that_make_a_board_at_once_one_has_it_and_the_other_never_gives_anybody_a_room() {
    let (_, one, two) = two();
    for number in 0..200 {
        let board = format!("b{number}");
        let begin = std::sync::Barrier::new(2);
        let make = |node: &Node| {
            begin.wait();
            node.room(&board)
        };
        let (first, second) = std::thread::scope(|scope| {
            let first = scope.spawn(|| make(&one));
            let second = scope.spawn(|| make(&two));
            (first.join().unwrap(), second.join().unwrap())
        });
        let (room, fault) = match (first, second) {
            (Ok(room), Err(fault)) | (Err(fault), Ok(room)) => (room, fault),
            both => panic!("{board}: {both:?}"),
        };
        // The second: where its creation was refused, and its chain with it, before it could say so.
        let is_told = matches!(fault, Fault::Elsewhere | Fault::StoreFailed);
        assert!(is_told && !room.lock().is_retired(), "{board}: {fault:?}");
    }
}

#[test]
fn who_loses_the_lease_gives_up_its_rooms_and_serves_nobody() {
    let (disk, one, two) = two();
    let room = one.room("b").unwrap();
    one.settle();
    disk.set_clock(LONG * 2);
    two.run(two.boards.renew_lease(two.boards.tenure.as_ref().unwrap()));
    assert!(
        two.boards.may_serve(),
        "its own had ended too, and it has joined anew"
    );
    two.room("b").unwrap();
    assert!(!room.lock().is_retired(), "it does not know yet");
    one.run(one.boards.renew_lease(one.boards.tenure.as_ref().unwrap()));
    assert!(room.lock().is_retired());
    assert_eq!(one.boards.lease_losses(), 1);
    // It has joined anew, and has nothing.
    assert!(one.boards.may_serve());
    assert_eq!(one.room("b").unwrap_err(), Fault::Elsewhere);
    assert_eq!(one.boards.standing().unwrap().boards, 0);
}

#[test]
fn a_lease_that_is_not_renewed_is_not_trusted_to_its_end() {
    let disk = Disk::default();
    let lease = Duration::from_millis(800);
    let one = Node::on(&disk, "one", lease);
    let room = one.room("b").unwrap();
    one.settle();
    one.boards.spawn(Arc::clone(&one.boards).keep_watch());
    // The store does not answer any more; its clock stands still, so that by it the lease never ends.
    one.store.fail_after(Some(0));
    let begun = std::time::Instant::now();
    one.run(async {
        while !room.lock().is_retired() {
            one.boards.host.sleep(Duration::from_millis(5)).await;
        }
    });
    assert!(begun.elapsed() <= lease, "{:?}", begun.elapsed());
    assert!(!one.boards.may_serve());
    assert_eq!(one.room("b").unwrap_err(), Fault::Elsewhere);
    assert!(one.boards.live(&id("b")).is_none());
}

#[test]
fn what_comes_too_late_from_a_node_that_lost_its_lease_is_not_taken() {
    let (disk, one, two) = two();
    let room = one.room("b").unwrap();
    one.settle();
    disk.set_clock(LONG * 2);
    two.run(two.boards.renew_lease(two.boards.tenure.as_ref().unwrap()));
    two.room("b").unwrap();
    let update = bytes::Bytes::from_static(&[0, 0]);
    let change = Change::Append {
        board: id("b"),
        sequence: 1,
        update,
        at: UnixMillis(1),
    };
    let applied = one.boards.committer.submit_awaited(change, Some(room.chain()));
    assert_eq!(one.run(applied.recv()), Ok(Applied::Elsewhere));
    assert!(room.lock().is_retired(), "whatever it holds is nobody's");
}

#[test]
fn boards_without_a_room_are_let_go_and_those_with_one_are_kept() {
    let (_, one, two) = two();
    one.room("live").unwrap();
    one.run(one.boards.create_board(
        id("made"),
        UserId::parse("alice").unwrap(),
        None,
        Actor::unknown(),
    ))
    .unwrap();
    one.settle();
    let tenure = one.boards.tenure.as_ref().unwrap();
    assert_eq!(tenure.claimed().len(), 2);
    assert!(
        one.boards.hold_idle(tenure, one.boards.now().tick).is_empty(),
        "not so soon"
    );
    let later = one.boards.now().tick.after(limits::RELEASE_AFTER);
    let holds = one.boards.hold_idle(tenure, later);
    let ids: Vec<_> = holds
        .iter()
        .map(|hold| hold.board().as_str().to_owned())
        .collect();
    assert_eq!(ids, ["made"]);
    one.run(one.boards.release_held(tenure, holds));
    assert_eq!(tenure.claimed().len(), 1);
    two.room("made").unwrap();
    assert_eq!(two.room("live").unwrap_err(), Fault::Elsewhere);
}

#[test]
fn boards_are_handed_over_at_the_end() {
    let (_, one, two) = two();
    one.room("b").unwrap();
    one.boards.stop();
    one.boards.close_rooms(Fault::ShuttingDown);
    one.run(one.boards.hand_over());
    assert!(!one.boards.may_serve());
    two.room("b").unwrap();
}

#[test]
fn a_right_that_was_taken_away_elsewhere_before_the_board_came_here_gives_nothing() {
    let (_, one, two) = two();
    one.room("b").unwrap();
    one.settle();
    // Bob may edit, and it is decided so here while the other node has the board.
    let bob = |level| {
        let principal = Principal::User(UserId::parse("bob").unwrap());
        one.boards.committer.submit_awaited(
            Change::Act {
                board: id("b"),
                act: match level {
                    Some(level) => Act::Grant { principal, level },
                    None => Act::Ungrant { principal },
                },
                as_owner: None,
                entry: Box::new(Entry::new(
                    EntryKey {
                        at: UnixMillis(1),
                        n: 0,
                    },
                    Actor::unknown(),
                    Action::PermissionSet,
                )),
            },
            None,
        )
    };
    one.run(bob(Some(Level::Edit)).recv()).unwrap();
    let credentials = Arc::new(Credentials {
        tokens: vec![TokenRights {
            user: UserId::parse("bob").unwrap(),
            teams: Box::default(),
            admin: false,
            claimed: None,
            expires_at: UnixMillis(u64::MAX),
            name: None,
            session: None,
        }],
        secrets: Vec::new(),
    });
    let granted = two
        .run(two.boards.decide(id("b"), credentials, Actor::unknown()))
        .unwrap();
    one.run(bob(None).recv()).unwrap();
    one.boards.stop();
    one.run(one.boards.hand_over());
    let joined = two.run(two.boards.join(granted));
    assert_eq!(joined.err(), Some(Fault::NoPermission));
}
