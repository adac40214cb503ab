//! The board state: load, accept, diff, fold, compact.

use std::cell::RefCell;

use boardwire::lib0::put_number;
use boardwire::meter::Meter;
use boardwire::room::board::{Accepted, Board, compact};
use boardwire::update::Budgets;
use boardwire::update::scan;
use boardwire::update::vector::StateVector;
use bytes::Bytes;
use divan::counter::BytesCount;
use divan::{Bencher, black_box};

use crate::shapes::{self, CLIENTS, COMPACTED, GROWN, Mover, UPDATES_EACH};

/// Memory is counted, not timed: printed before the rest.
pub(crate) fn print_memory() {
    for (what, state) in [("with its history", &*GROWN), ("compacted", &*COMPACTED)] {
        let (memory, encoded) = (shapes::loaded(state).memory_bytes(), state.len());
        let ratio = memory as f64 / encoded as f64;
        println!("board {what}: {encoded} bytes encoded, {memory} in memory, {ratio:.3} of it");
    }
}

/// The vector of somebody who left when each client had made so many updates.
fn vector_at(clock: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    put_number(&mut bytes, CLIENTS);
    for client in 0..CLIENTS {
        put_number(&mut bytes, shapes::client_of(client));
        put_number(&mut bytes, clock);
    }
    bytes
}

fn states() -> [(&'static str, &'static Bytes); 2] {
    [("grown", &GROWN), ("compacted", &COMPACTED)]
}

/// The strict walk over a whole state.
#[divan::bench(args = ["grown", "compacted"])]
fn scan_state(bencher: Bencher<'_, '_>, which: &str) {
    let state = state(which);
    bencher
        .counter(BytesCount::new(state.len()))
        .bench(|| scan::scan(black_box(state), &Budgets::UNBOUNDED, &mut Meter::unbounded()).unwrap());
}

/// Reading a stored state into a warm board.
#[divan::bench(args = ["grown", "compacted"])]
fn load(bencher: Bencher<'_, '_>, which: &str) {
    let state = state(which);
    bencher
        .counter(BytesCount::new(state.len()))
        .bench(|| shapes::loaded(black_box(state)));
}

fn state(which: &str) -> &'static Bytes {
    states().into_iter().find(|(name, _)| *name == which).unwrap().1
}

/// An update of 190 bytes joins the warm board.
#[divan::bench(sample_size = 100)]
fn accept(bencher: Bencher<'_, '_>) {
    let mut board = shapes::loaded(&COMPACTED);
    let mut mover = Mover::default();
    bencher
        .with_inputs(|| mover.update())
        .bench_local_values(|update| {
            assert_eq!(black_box(board.accept(&update)), Ok(Accepted::Whole));
            update
        });
}

/// The copy that accepting cannot do without: the same bytes appended to a vector.
#[divan::bench(sample_size = 100)]
fn accept_floor_is_a_copy(bencher: Bencher<'_, '_>) {
    let mut all = Vec::new();
    let mut mover = Mover::default();
    bencher
        .with_inputs(|| mover.update())
        .bench_local_values(|update| {
            black_box(&mut all).extend_from_slice(&update);
            update
        });
}

/// The answer to somebody who has nothing, from a board that nobody changed since the last such answer.
#[divan::bench]
fn diff_of_all(bencher: Bencher<'_, '_>) {
    let mut board = shapes::loaded(&COMPACTED);
    bencher.bench_local(|| board.diff(&StateVector::parse(black_box(&[0])).unwrap()));
}

/// The answer to somebody who lacks so many updates of each client.
#[divan::bench(args = [10, 750])]
fn diff_lacking(bencher: Bencher<'_, '_>, updates: u64) {
    let mut board = shapes::loaded(&COMPACTED);
    let vector = vector_at(UPDATES_EACH - updates);
    let bytes = board.diff(&StateVector::parse(&vector).unwrap()).len();
    bencher
        .counter(BytesCount::new(bytes))
        .bench_local(|| board.diff(&StateVector::parse(black_box(&vector)).unwrap()));
}

/// The whole state after an update: base and tails written into a new base.
#[divan::bench(sample_size = 1)]
fn full_after_an_update(bencher: Bencher<'_, '_>) {
    let board = RefCell::new(shapes::loaded(&COMPACTED));
    let mut mover = Mover::default();
    bencher
        .counter(BytesCount::new(COMPACTED.len()))
        .with_inputs(|| board.borrow_mut().accept(&mover.update()).unwrap())
        .bench_local_values(|_| board.borrow_mut().full());
}

/// What a compaction costs in the background, the check of its result included.
#[divan::bench(args = ["grown", "compacted"])]
fn compact_captured(bencher: Bencher<'_, '_>, which: &str) {
    let state = state(which);
    let capture = shapes::loaded(state).capture();
    bencher
        .counter(BytesCount::new(state.len()))
        .bench_local(|| compact(black_box(&capture)).unwrap());
}

/// What a compaction costs under the room's lock: the capture before it.
#[divan::bench]
fn capture(bencher: Bencher<'_, '_>) {
    let mut board = shapes::loaded(&COMPACTED);
    bencher.bench_local(|| board.capture());
}

/// What a compaction costs under the room's lock: putting the result in place, with 100 updates accepted
/// since.
#[divan::bench(sample_size = 1)]
fn install_with_100_updates_since(bencher: Bencher<'_, '_>) {
    bencher
        .with_inputs(|| {
            let mut board: Board = shapes::loaded(&COMPACTED);
            let compacted = compact(&board.capture()).unwrap();
            let mut mover = Mover::default();
            for _ in 0..100 {
                board.accept(&mover.update()).unwrap();
            }
            (board, compacted)
        })
        .bench_local_values(|(mut board, compacted)| {
            board.install(compacted).unwrap();
            board
        });
}
