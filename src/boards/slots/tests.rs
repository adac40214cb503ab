//! Tests of the table: its transitions, one load however many ask, and rooms that leave it while others hold
//! them.

use std::pin::pin;
use std::sync::atomic::AtomicUsize;
use std::task::{Context, Wake};
use std::time::Duration;

use super::*;
use crate::ids::Level;
use crate::room::Effects;
use crate::room::harness::{empty_room, settings, user};
use crate::room::member::{Joiner, MemberId, Pulse};
use crate::time::{Now, Tick};

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

fn hold(slots: &Arc<Slots>) -> Hold {
    match slots.find(&board()) {
        Found::Mine(hold) => hold,
        other => panic!("nobody has it: {other:?}"),
    }
}

fn holding(slots: &Arc<Slots>) -> Arc<Holding> {
    match slots.find(&board()) {
        Found::Held(holding) => holding,
        other => panic!("somebody has it: {other:?}"),
    }
}

fn live(slots: &Arc<Slots>) -> Arc<RoomCell> {
    hold(slots).go_live(room(), Arc::default()).unwrap()
}

fn unload_if_idle(slots: &Slots, cell: &Arc<RoomCell>, idle: Duration, now: Tick) -> bool {
    slots.unload(cell, |room| room.may_unload(idle, now))
}

fn poll(holding: &Holding, waker: &Waker) -> Poll<Released> {
    pin!(holding.released()).poll(&mut Context::from_waker(waker))
}

fn released(holding: &Holding) -> Released {
    match poll(holding, Waker::noop()) {
        Poll::Ready(released) => released,
        Poll::Pending => panic!("it is held"),
    }
}

/// What a slot is, as a word; its room's state with it.
fn state(slots: &Slots) -> &'static str {
    let shard = slots.shard(&board());
    match shard.get(&board()) {
        None => "gone",
        Some(slot) => match (&slot.place, slot.unsettled) {
            (Place::Empty, false) => "empty",
            (Place::Empty, true) => "empty, unsettled",
            (Place::Held(_), _) => "held",
            (Place::Live(_), _) => "live",
        },
    }
}

type Step = fn(&Arc<Slots>);

/// What happens, and what the slot is then.
const FROM_EMPTY: &[(&str, Step, &str)] = &[
    ("find, and go on", |slots| std::mem::forget(hold(slots)), "held"),
    ("find, and let go", |slots| drop(hold(slots)), "gone"),
    ("refuse", |slots| hold(slots).refuse(Fault::NoSuchBoard), "gone"),
    ("go live", |slots| drop(live(slots)), "live"),
    (
        "take",
        |slots| assert!(matches!(slots.take(&board()), Taken::Mine(_, None))),
        "gone",
    ),
    (
        "go live when something was lost already",
        |slots| {
            let chain = Arc::<Chain>::default();
            chain.break_off();
            let refused = hold(slots).go_live(room(), chain);
            assert!(matches!(refused, Err(Fault::StoreFailed)));
        },
        "empty, unsettled",
    ),
];

const FROM_LIVE: &[(&str, Step, &str)] = &[
    (
        "unload with nothing stored",
        |slots| {
            let cell = live(slots);
            assert!(slots.unload(&cell, |_| true) && cell.lock().is_retired());
        },
        "empty, unsettled",
    ),
    (
        "not unload",
        |slots| assert!(!slots.unload(&live(slots), |_| false)),
        "live",
    ),
    ("give up", |slots| slots.give_up(&live(slots)), "empty, unsettled"),
    (
        "take",
        |slots| {
            let cell = live(slots);
            let Taken::Mine(hold, Some(taken)) = slots.take(&board()) else {
                panic!("it is live");
            };
            assert!(Arc::ptr_eq(&cell, &taken) && cell.lock().is_retired());
            assert!(hold.is_unsettled());
            std::mem::forget(hold);
        },
        "held",
    ),
    (
        "take, and let go",
        |slots| {
            let _live = live(slots);
            drop(slots.take(&board()));
        },
        "empty, unsettled",
    ),
    (
        "take, settle, and let go",
        |slots| {
            let _live = live(slots);
            let Taken::Mine(mut hold, _) = slots.take(&board()) else {
                panic!("it is live");
            };
            hold.note_settled();
        },
        "gone",
    ),
    (
        "give up, settle, and let go",
        |slots| {
            slots.give_up(&live(slots));
            let mut hold = hold(slots);
            assert!(hold.is_unsettled());
            hold.note_settled();
        },
        "empty",
    ),
    (
        "give up, and go live again",
        |slots| {
            slots.give_up(&live(slots));
            assert_eq!(live(slots).losses(), 1);
        },
        "live",
    ),
];

#[test]
fn each_transition_of_the_table_leads_where_it_says() {
    for (what, step, expected) in FROM_EMPTY.iter().chain(FROM_LIVE) {
        let slots = Slots::new();
        step(&slots);
        assert_eq!(state(&slots), *expected, "{what}");
    }
}

#[test]
fn one_is_told_to_load_and_all_get_the_same_room() {
    let slots = Slots::new();
    let mine = hold(&slots);
    assert!(slots.live(&board()).is_none() && slots.live_count() == 0);
    let waits = holding(&slots);
    let wakers: Vec<Arc<Woken>> = (0..100).map(|_| Arc::default()).collect();
    for woken in &wakers {
        let waker = Waker::from(Arc::clone(woken));
        assert!(poll(&waits, &waker).is_pending() && poll(&waits, &waker).is_pending());
    }
    let cell = mine.go_live(room(), Arc::default()).unwrap();
    assert!(
        wakers.iter().all(|w| w.0.load(Ordering::SeqCst) == 1),
        "each once, however often it polled"
    );
    let Released::Live(same) = released(&waits) else {
        panic!("it is loaded")
    };
    assert!(Arc::ptr_eq(&cell, &same));
    assert!(matches!(slots.find(&board()), Found::Live(same) if Arc::ptr_eq(&cell, &same)));
    assert_eq!((slots.live_count(), slots.all().len()), (1, 1));
}

#[test]
fn a_failed_load_tells_all_who_wait_and_leaves_no_slot() {
    let slots = Slots::new();
    let mine = hold(&slots);
    let waits = holding(&slots);
    let woken = Arc::new(Woken::default());
    assert!(poll(&waits, &Waker::from(Arc::clone(&woken))).is_pending());
    mine.refuse(Fault::StateUnreadable);
    assert_eq!(woken.0.load(Ordering::SeqCst), 1);
    assert!(matches!(
        released(&waits),
        Released::Refused(Fault::StateUnreadable)
    ));
    assert_eq!(slots.len(), 0);
    // The next who asks loads again.
    live(&slots);
}

#[test]
fn a_room_that_was_given_up_is_retired_and_its_successor_stays() {
    let slots = Slots::new();
    let old = live(&slots);
    slots.give_up(&old);
    assert!(old.lock().is_retired() && slots.live_count() == 0);
    let new = live(&slots);
    slots.give_up(&old);
    assert!(
        !new.lock().is_retired() && slots.live_count() == 1 && new.losses() == 1,
        "another room has taken its place"
    );
}

#[test]
fn only_an_idle_room_is_unloaded() {
    let slots = Slots::new();
    let idle = Duration::from_secs(1);
    let cell = live(&slots);
    assert!(!unload_if_idle(&slots, &cell, idle, Tick(999_999)));
    assert!(!cell.lock().is_retired());
    assert!(unload_if_idle(&slots, &cell, idle, Tick(1_000_000)));
    assert!(cell.lock().is_retired() && slots.live_count() == 0);
    assert!(
        !unload_if_idle(&slots, &cell, idle, Tick(1_000_000)),
        "it is gone"
    );
}

#[test]
fn a_mark_changes_with_the_boards_own_changes_and_none_is_overlooked() {
    let other = BoardId::parse("other").unwrap();
    let slots = Slots::new();
    // While it is not in memory, and as it comes into it.
    let before = slots.access_mark(&board());
    slots.note_access_change(&board());
    let cell = live(&slots);
    assert_ne!(cell.access_mark(), before);
    assert_eq!(cell.access_mark(), slots.access_mark(&board()));
    // While it is live: by its own changes, not by others'.
    let before = cell.access_mark();
    slots.note_access_change(&other);
    assert_eq!(cell.access_mark(), before);
    slots.note_access_change(&board());
    assert_ne!(cell.access_mark(), before);
    // And over a time out of memory.
    let before = cell.access_mark();
    let mut settled = {
        assert!(slots.unload(&cell, |_| true));
        hold(&slots)
    };
    settled.note_settled();
    drop(settled);
    assert_eq!(slots.len(), 0);
    slots.note_access_change(&board());
    assert_ne!(live(&slots).access_mark(), before);
}

/// Finds or loads the board's room and joins, as `Boards::join` does: looks again when it was retired
/// meanwhile.
fn join(slots: &Arc<Slots>, loads: &AtomicUsize) -> (Arc<RoomCell>, MemberId) {
    loop {
        let cell = match slots.find(&board()) {
            Found::Live(cell) => cell,
            Found::Mine(hold) => {
                loads.fetch_add(1, Ordering::SeqCst);
                hold.go_live(room(), Arc::default()).unwrap()
            }
            Found::Held(holding) => match poll(&holding, Waker::noop()) {
                Poll::Ready(Released::Live(cell)) => cell,
                Poll::Ready(released) => panic!("{released:?}"),
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
    let slots = Slots::new();
    let (loads, unloads) = (AtomicUsize::new(0), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                for _ in 0..3_000 {
                    let (cell, member) = join(&slots, &loads);
                    std::thread::yield_now();
                    let mut room = cell.lock();
                    assert!(!room.is_retired(), "unloaded with a member");
                    room.leave(member, Tick(0), &mut Effects::default());
                }
            });
        }
        scope.spawn(|| {
            for _ in 0..10_000 {
                let gone = slots
                    .live(&board())
                    .is_some_and(|cell| unload_if_idle(&slots, &cell, Duration::ZERO, Tick(1)));
                unloads.fetch_add(usize::from(gone), Ordering::SeqCst);
                std::thread::yield_now();
            }
        });
    });
    let (loads, unloads) = (loads.load(Ordering::SeqCst), unloads.load(Ordering::SeqCst));
    assert_eq!(
        loads - unloads,
        slots.live_count(),
        "each load made one room, and each unload took one away"
    );
}

#[test]
fn of_a_loss_and_an_unloading_at_once_one_wins_and_no_successor_is_hurt() {
    for _ in 0..500 {
        let slots = Slots::new();
        let old = live(&slots);
        std::thread::scope(|scope| {
            scope.spawn(|| slots.give_up(&old));
            scope.spawn(|| unload_if_idle(&slots, &old, Duration::ZERO, Tick(1)));
            scope.spawn(|| slots.give_up(&old));
        });
        assert!(old.lock().is_retired() && slots.live_count() == 0);
        live(&slots);
        slots.give_up(&old);
        assert_eq!(slots.live_count(), 1);
    }
}

#[test]
fn a_panic_inside_a_step_shows() {
    let slots = Slots::new();
    let cell = live(&slots);
    assert!(!cell.is_broken());
    let inside = Arc::clone(&cell);
    let panicked = std::thread::spawn(move || {
        let _room = inside.lock();
        panic!("on purpose");
    });
    assert!(panicked.join().is_err());
    assert!(cell.is_broken());
    slots.give_up(&cell);
    assert_eq!(slots.live_count(), 0);
}

#[test]
fn who_takes_the_slot_keeps_everybody_out_until_it_is_free() {
    let slots = Slots::new();
    let _live = live(&slots);
    let Taken::Mine(mine, Some(_)) = slots.take(&board()) else {
        panic!("it is live");
    };
    assert!(slots.live(&board()).is_none());
    assert!(matches!(slots.take(&board()), Taken::Held(_)));
    let waits = holding(&slots);
    mine.refuse(Fault::BoardDeleted);
    assert!(matches!(released(&waits), Released::Refused(Fault::BoardDeleted)));
    let Taken::Mine(mine, None) = slots.take(&board()) else {
        panic!("it is free");
    };
    let waits = holding(&slots);
    drop(mine);
    assert!(matches!(released(&waits), Released::Free));
    live(&slots);
}
