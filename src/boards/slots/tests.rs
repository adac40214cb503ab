//! Tests of the table: one load however many ask, and rooms that leave it while others hold them.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Wake;

use super::*;
use crate::ids::Level;
use crate::room::Effects;
use crate::room::harness::{empty_room, settings, user};
use crate::room::member::{Joiner, MemberId, Pulse};
use crate::time::Now;

#[derive(Debug, Default)]
struct Woken(AtomicUsize);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

fn board() -> BoardId {
    BoardId::parse("board").unwrap()
}

fn room() -> Room {
    empty_room(settings(), Now::default())
}

fn absent(rooms: &Rooms) -> Arc<Loading> {
    match rooms.find(&board()) {
        Found::Absent(loading) => loading,
        other => panic!("nobody has it: {other:?}"),
    }
}

fn loaded(rooms: &Rooms) -> Arc<RoomCell> {
    let loading = absent(rooms);
    rooms.loaded(&board(), &loading, Ok(room()));
    rooms.live(&board()).unwrap()
}

#[test]
fn one_is_told_to_load_and_all_get_the_same_room() {
    let rooms = Rooms::default();
    let loading = absent(&rooms);
    assert!(rooms.live(&board()).is_none() && rooms.is_empty());
    let wakers: Vec<Arc<Woken>> = (0..100).map(|_| Arc::default()).collect();
    for woken in &wakers {
        let Found::Loading(waits) = rooms.find(&board()) else {
            panic!("it is being loaded")
        };
        let waker = Waker::from(Arc::clone(woken));
        assert!(waits.poll(&waker).is_pending() && waits.poll(&waker).is_pending());
    }
    rooms.loaded(&board(), &loading, Ok(room()));
    assert!(
        wakers.iter().all(|w| w.0.load(Ordering::SeqCst) == 1),
        "each once, however often it polled"
    );
    let cell = rooms.live(&board()).unwrap();
    let Poll::Ready(Outcome::Room(same)) = loading.poll(Waker::noop()) else {
        panic!("it is loaded")
    };
    assert!(Arc::ptr_eq(&cell, &same));
    assert!(matches!(rooms.find(&board()), Found::Live(same) if Arc::ptr_eq(&cell, &same)));
    assert_eq!((rooms.len(), rooms.all().len()), (1, 1));
}

#[test]
fn a_failed_load_tells_all_who_wait_and_leaves_no_slot() {
    let rooms = Rooms::default();
    let loading = absent(&rooms);
    let Found::Loading(waits) = rooms.find(&board()) else {
        panic!("it is being loaded")
    };
    let woken = Arc::new(Woken::default());
    assert!(waits.poll(&Waker::from(Arc::clone(&woken))).is_pending());
    rooms.loaded(&board(), &loading, Err(Fault::StateUnreadable));
    assert_eq!(woken.0.load(Ordering::SeqCst), 1);
    for told in [&waits, &loading] {
        assert!(matches!(
            told.poll(Waker::noop()),
            Poll::Ready(Outcome::Refused(Fault::StateUnreadable))
        ));
    }
    // The next who asks loads again.
    loaded(&rooms);
}

#[test]
fn a_removed_room_is_retired_and_its_successor_stays() {
    let rooms = Rooms::default();
    let old = loaded(&rooms);
    rooms.remove(&board(), &old);
    assert!(old.lock().is_retired() && rooms.is_empty());
    let new = loaded(&rooms);
    rooms.remove(&board(), &old);
    assert!(
        !new.lock().is_retired() && rooms.len() == 1,
        "another room has taken its place"
    );
    let other = absent_other(&rooms);
    rooms.remove(&other, &new);
    assert_eq!(rooms.len(), 1);
}

fn absent_other(rooms: &Rooms) -> BoardId {
    let id = BoardId::parse("other").unwrap();
    assert!(matches!(rooms.find(&id), Found::Absent(_)));
    id
}

#[test]
fn only_an_idle_room_is_unloaded() {
    let rooms = Rooms::default();
    let idle = Duration::from_secs(1);
    assert!(!rooms.remove_if_idle(&board(), idle, Tick(0)), "there is none");
    let loading = absent(&rooms);
    assert!(
        !rooms.remove_if_idle(&board(), Duration::ZERO, Tick(0)),
        "it is being loaded"
    );
    rooms.loaded(&board(), &loading, Ok(room()));
    let cell = rooms.live(&board()).unwrap();
    assert!(!rooms.remove_if_idle(&board(), idle, Tick(999_999)));
    assert!(!cell.lock().is_retired());
    assert!(rooms.remove_if_idle(&board(), idle, Tick(1_000_000)));
    assert!(cell.lock().is_retired() && rooms.is_empty());
}

/// Finds or loads the board's room and joins, as the shell does: looks again when it was retired meanwhile.
fn join(rooms: &Rooms, loads: &AtomicUsize) -> (Arc<RoomCell>, MemberId) {
    loop {
        let cell = match rooms.find(&board()) {
            Found::Live(cell) => cell,
            Found::Absent(loading) => {
                loads.fetch_add(1, Ordering::SeqCst);
                rooms.loaded(&board(), &loading, Ok(room()));
                continue;
            }
            Found::Loading(loading) => match loading.poll(Waker::noop()) {
                Poll::Ready(Outcome::Room(cell)) => cell,
                Poll::Ready(outcome) => panic!("{outcome:?}"),
                Poll::Pending => {
                    std::thread::yield_now();
                    continue;
                }
            },
        };
        let pulse = Arc::new(Pulse::new(Tick(0)));
        let joiner = Joiner {
            subject: user("a"),
            level: Level::Edit,
            ends_at: None,
            credentials: Arc::default(),
            pulse,
        };
        let mut room = cell.lock();
        if !room.is_retired() {
            let member = room
                .join(joiner, Now::default(), &mut Effects::default())
                .unwrap();
            drop(room);
            return (cell, member);
        }
    }
}

#[test]
fn a_room_that_somebody_has_joined_is_never_unloaded() {
    let rooms = Rooms::default();
    let (loads, unloads) = (AtomicUsize::new(0), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                for _ in 0..3_000 {
                    let (cell, member) = join(&rooms, &loads);
                    std::thread::yield_now();
                    let mut room = cell.lock();
                    assert!(!room.is_retired(), "unloaded with a member");
                    room.leave(member, Tick(0), &mut Effects::default());
                }
            });
        }
        scope.spawn(|| {
            for _ in 0..10_000 {
                let gone = rooms.remove_if_idle(&board(), Duration::ZERO, Tick(1));
                unloads.fetch_add(usize::from(gone), Ordering::SeqCst);
                std::thread::yield_now();
            }
        });
    });
    let (loads, unloads) = (loads.load(Ordering::SeqCst), unloads.load(Ordering::SeqCst));
    assert_eq!(
        loads - unloads,
        rooms.len(),
        "each load made one room, and each unload took one away"
    );
}

#[test]
fn of_a_removal_and_an_unloading_at_once_one_wins_and_no_successor_is_hurt() {
    for _ in 0..500 {
        let rooms = Rooms::default();
        let old = loaded(&rooms);
        std::thread::scope(|scope| {
            scope.spawn(|| rooms.remove(&board(), &old));
            scope.spawn(|| rooms.remove_if_idle(&board(), Duration::ZERO, Tick(1)));
            scope.spawn(|| rooms.remove(&board(), &old));
        });
        assert!(old.lock().is_retired() && rooms.is_empty());
        loaded(&rooms);
        rooms.remove(&board(), &old);
        assert_eq!(rooms.len(), 1);
    }
}

#[test]
fn a_panic_inside_a_step_shows() {
    let rooms = Rooms::default();
    let cell = loaded(&rooms);
    assert!(!cell.is_broken());
    let inside = Arc::clone(&cell);
    let panicked = std::thread::spawn(move || {
        let _room = inside.lock();
        panic!("on purpose");
    });
    assert!(panicked.join().is_err());
    assert!(cell.is_broken());
    rooms.remove(&board(), &cell);
    assert!(rooms.is_empty());
}

#[test]
fn who_takes_the_slot_ends_the_room_and_keeps_everybody_out_until_it_is_free() {
    let rooms = Rooms::default();
    let cell = loaded(&rooms);
    let Taken::Now(held, Some(live)) = rooms.take(&board()) else {
        panic!("it is live");
    };
    assert!(Arc::ptr_eq(&cell, &live));
    assert!(cell.lock().is_retired());
    assert!(rooms.live(&board()).is_none());
    assert!(matches!(rooms.take(&board()), Taken::Later(_)));
    let Found::Loading(waits) = rooms.find(&board()) else {
        panic!("it is held");
    };
    rooms.free(&board(), &held, Outcome::Refused(Fault::BoardDeleted));
    assert!(matches!(
        waits.poll(Waker::noop()),
        Poll::Ready(Outcome::Refused(Fault::BoardDeleted))
    ));
    let Taken::Now(held, None) = rooms.take(&board()) else {
        panic!("it is free");
    };
    rooms.free(&board(), &held, Outcome::Free);
    assert!(matches!(held.poll(Waker::noop()), Poll::Ready(Outcome::Free)));
    loaded(&rooms);
}
