//! The costliest updates that are joined under a room's lock: just below the size from which that is done
//! apart.
//!
//! Source: `limits::APART_FROM_BYTES`; what is done under the lock for one message is to stay below 2 ms.

use boardwire::lib0::put_number;
use boardwire::limits::APART_FROM_BYTES;
use boardwire::room::board::Board;
use boardwire::update::Budgets;
use bytes::Bytes;
use divan::{Bencher, black_box};

/// Ranges of deletions on the board, with as many gaps between them.
const RANGES: u64 = 300_000;

/// A board whose client 9 wrote a text in which every second letter is deleted.
fn gapped() -> Bytes {
    let mut text = vec![1, 1, 9, 0, 4, 1, 1, b'r'];
    put_number(&mut text, RANGES * 2);
    text.extend((0..RANGES * 2).map(|_| b'x'));
    let ranges: Vec<_> = (0..RANGES).map(|n| (2 * n + 1, 1)).collect();
    put_deletes(&mut text, &ranges);
    text.into()
}

/// Appends a delete set of client 9.
fn put_deletes(out: &mut Vec<u8>, ranges: &[(u64, u64)]) {
    out.extend_from_slice(&[1, 9]);
    put_number(out, ranges.len() as u64);
    for (clock, len) in ranges {
        put_number(out, *clock);
        put_number(out, *len);
    }
}

/// An update of client 8 that consists of as many structs as fit; `it` appends the one with a clock.
fn filled(it: impl Fn(u64, &mut Vec<u8>)) -> Vec<u8> {
    let mut structs = Vec::new();
    let mut count = 0;
    while structs.len() < APART_FROM_BYTES - 40 {
        it(count, &mut structs);
        count += 1;
    }
    let mut update = vec![1];
    put_number(&mut update, count);
    update.extend_from_slice(&[8, 0]);
    update.extend_from_slice(&structs);
    update.push(0);
    update
}

/// Updates below the size, by what they consist of.
fn update(what: &str) -> Vec<u8> {
    let spread = |n: u64| n * 7_919 % RANGES;
    let update = match what {
        "collected structs" => filled(|_, out| out.extend_from_slice(&[0, 1])),
        "deleted items" => filled(|_, out| out.extend_from_slice(&[1, 1, 1, b'r', 1])),
        "letters without origin" => filled(|_, out| out.extend_from_slice(&[4, 1, 1, b'r', 1, b'y'])),
        "letters all over a text" => filled(|n, out| {
            out.extend_from_slice(&[0x84, 9]);
            put_number(out, 2 * spread(n));
            out.extend_from_slice(&[1, b'y']);
        }),
        "types in types" => filled(|n, out| match n % 60 {
            0 => out.extend_from_slice(&[7, 1, 1, b's', 0]),
            _ => {
                out.extend_from_slice(&[7, 0, 8]);
                put_number(out, n - 1);
                out.push(0);
            }
        }),
        "keys" => filled(|n, out| {
            out.extend_from_slice(&[
                0x28,
                1,
                1,
                b'm',
                2,
                (n % 26) as u8 + b'a',
                (n / 26 % 26) as u8 + b'a',
                1,
                126,
            ]);
        }),
        "deletions of one letter each" => {
            let mut update = vec![0];
            let mut clocks: Vec<_> = (0..12_000).map(|n| (2 * spread(n), 1)).collect();
            clocks.sort_unstable();
            put_deletes(&mut update, &clocks);
            update
        }
        "a deletion of all" => {
            let mut update = vec![0];
            put_deletes(&mut update, &[(0, RANGES * 2)]);
            update
        }
        _ => unreachable!("a name of the table"),
    };
    assert!(update.len() < APART_FROM_BYTES, "{what}: {}", update.len());
    update
}

#[divan::bench(sample_count = 20, sample_size = 1, args = ["collected structs", "deleted items", "letters without origin", "letters all over a text",
    "types in types", "keys", "deletions of one letter each", "a deletion of all"])]
fn accept_under_the_lock(bencher: Bencher<'_, '_>, what: &str) {
    let (state, update) = (gapped(), update(what));
    bencher
        .with_inputs(|| Board::load(state.clone(), Budgets::default()).unwrap())
        .bench_local_values(|mut board| {
            black_box(board.accept(&update)).unwrap();
            board
        });
}
