//! Updates that cost more than their bytes are worth, and those that harm whoever they are relayed to.

use super::*;
use crate::update::Reason;

/// A board on which client 9 wrote `count` letters, with every second one deleted: as many ranges, and as
/// many gaps.
fn board_with_gaps(count: u32) -> Board {
    let mut board = board();
    let mut text = vec![1, 1, 9, 0, 4, 1, 1, b'r'];
    put_number(&mut text, u64::from(count * 2));
    text.resize(text.len() + count as usize * 2, b'x');
    text.push(1);
    text.push(9);
    put_number(&mut text, u64::from(count));
    for n in 0..count {
        put_number(&mut text, u64::from(2 * n + 1));
        text.push(1);
    }
    assert_eq!(board.replay(&text), Ok(Accepted::Whole));
    board
}

/// A delete set that names the range from 0 to `end` of client 9 so many times.
fn deletes(end: u32, times: u64) -> Vec<u8> {
    let mut out = vec![0, 1, 9];
    put_number(&mut out, times);
    for _ in 0..times {
        out.push(0);
        put_number(&mut out, u64::from(end));
    }
    out
}

#[test]
fn a_range_that_is_named_again_and_again_is_malformed() {
    let mut board = board_with_gaps(1_000);
    let before = board.full();
    let mut meter = Meter::unbounded();
    for result in [
        board.accept(&deletes(2_000, 2)).map(drop),
        board.would_change(&deletes(2_000, 4_000), &mut meter).map(drop),
    ] {
        assert_eq!(result, Err(Reason::UnsortedDeletes.into()));
    }
    assert!(meter.spent() < 20_000, "{} steps", meter.spent());
    assert_eq!(board.full(), before);
}

#[test]
fn a_range_over_many_gaps_costs_and_relays_what_its_bytes_are_worth() {
    let gaps = 100_000;
    let mut board = board_with_gaps(gaps);
    let update = deletes(2 * gaps, 1);
    let mut meter = limits::UPDATE_STEPS.meter(update.len());
    let Ok(Accepted::Trimmed(relay)) = board.accept_metered(&update, &mut meter) else {
        panic!("it is new, and not whole");
    };
    assert!(relay.len() < 1_024, "{} bytes", relay.len());
    assert!(meter.spent() < 200);
    // All of it is deleted now, and whoever gets the relay knows as much.
    let mut other = board_with_gaps(gaps);
    assert!(matches!(
        other.accept(&relay),
        Ok(Accepted::Trimmed(_) | Accepted::Whole)
    ));
    assert_eq!(other.full(), board.full());
    assert_eq!(board.accept(&deletes(2 * gaps, 1)), Ok(Accepted::Nothing));
}

#[test]
fn a_few_gaps_are_told_one_by_one() {
    let mut board = board_with_gaps(3);
    let relay = [0, 1, 9, 3, 0, 1, 2, 1, 4, 1];
    assert_eq!(
        board.accept(&deletes(6, 1)),
        Ok(Accepted::Trimmed(Bytes::copy_from_slice(&relay)))
    );
}

#[test]
fn the_smallest_structs_and_ranges_are_within_the_allowance() {
    let count = 30_000u32;
    // GC structs of one clock each: two bytes.
    let mut structs = vec![1];
    put_number(&mut structs, u64::from(count));
    structs.extend_from_slice(&[9, 0]);
    structs.extend_from_slice(&[0, 1].repeat(count as usize));
    structs.push(0);
    assert_eq!(board().accept(&structs), Ok(Accepted::Whole));
    // Neighbours of which one is gone, below many types: each is looked up once for each type, not for each
    // struct.
    let mut nested = board();
    let mut types = vec![1, 64, 7, 0, 7, 1, 1, b'r', 0];
    for clock in 0..62u8 {
        types.extend_from_slice(&[7, 0, 7, clock, 0]);
    }
    types.extend_from_slice(&[8, 0, 7, 62, 1, 126, 0]);
    assert_eq!(nested.accept(&types), Ok(Accepted::Whole));
    assert_eq!(nested.accept(&[1, 1, 8, 0, 0, 1, 0]), Ok(Accepted::Whole));
    let mut between = vec![1];
    put_number(&mut between, 5_000);
    between.extend_from_slice(&[6, 0]);
    for _ in 0..5_000 {
        between.extend_from_slice(&[0xc8, 7, 63, 8, 0, 1, 126]);
    }
    between.push(0);
    let mut meter = limits::UPDATE_STEPS.meter(between.len());
    assert_eq!(nested.accept_metered(&between, &mut meter), Ok(Accepted::Hole));
    assert!(meter.spent() < 15_000, "{} steps", meter.spent());
}

#[test]
fn what_harms_those_it_is_relayed_to_is_malformed_and_what_is_stored_stays_readable() {
    let proto = b"\x01\x01\x01\x00\x28\x01\x01m\x01k\x01v\x01\x09__proto__t\x00\x00";
    let key = b"\x01\x01\x01\x00\x28\x01\x01m\x09__proto__\x01}\x01\x00";
    for update in [&proto[..], key] {
        assert_eq!(board().accept(update), Err(Reason::ProtoMember.into()));
        assert!(Board::load(Bytes::from_static(update), Budgets::default()).is_ok());
        assert_eq!(board().replay(update), Ok(Accepted::Whole));
    }
}

#[test]
fn an_entry_that_stands_before_something_is_malformed_whatever_became_of_it() {
    let first: &[u8] = &[1, 1, 1, 0, 0x28, 1, 1, b'm', 1, b'k', 1, b'w', 1, b'a', 0];
    let value: &[u8] = &[1, 1, 2, 0, 0xa8, 1, 0, 1, b'w', 1, b'b', 0];
    let before: &[u8] = &[1, 1, 3, 0, 0x68, 1, 0, 1, b'w', 1, b'c', 0];
    let deleted: &[u8] = &[1, 1, 3, 0, 0x61, 1, 0, 1, 0];
    let between: &[u8] = &[1, 1, 3, 0, 0xe8, 1, 0, 2, 0, 1, b'w', 1, b'c', 0];
    let mut board = board();
    for update in [first, value] {
        assert_eq!(board.accept(update), Ok(Accepted::Whole));
    }
    for update in [before, deleted, between] {
        let full = board.full();
        assert_eq!(
            board.accept(update),
            Err(Reason::EntryBefore.into()),
            "{update:?}"
        );
        assert_eq!(board.full(), full);
    }
    // A deleted one that stands before the value it is older than, and what would have gone behind it.
    let mut board = super::board();
    let [k, b, before, after]: [&[u8]; 4] = [
        &[1, 1, 1, 0, 0x28, 1, 1, b'm', 1, b'k', 1, b'w', 1, b'a', 0],
        &[1, 1, 2, 0, 0xa8, 1, 0, 1, b'w', 1, b'b', 0],
        &[1, 1, 2, 1, 0x61, 2, 0, 1, 0],
        &[1, 1, 3, 0, 0xa1, 1, 0, 1, 0],
    ];
    assert_eq!(board.accept(k), Ok(Accepted::Whole));
    assert_eq!(board.accept(b), Ok(Accepted::Whole));
    assert_eq!(board.accept(before), Err(Reason::EntryBefore.into()));
    assert_eq!(board.accept(after), Ok(Accepted::Whole));
}

#[test]
fn work_that_was_not_counted_is_counted_apart() {
    // Items without origin, each of another client: each may have to pass all the others.
    let mut board = board();
    let mut uncounted = None;
    for client in 0..10_000u64 {
        let mut update = vec![1, 1];
        put_number(&mut update, client);
        update.extend_from_slice(&[0, 4, 1, 1, b'r', 1, b'x', 0]);
        match board.accept(&update) {
            Ok(Accepted::Whole) => {}
            Ok(Accepted::Uncounted) => {
                uncounted = Some((client, update));
                break;
            }
            other => panic!("{other:?}"),
        }
    }
    let (client, update) = uncounted.expect("so many have to be counted");
    assert!(client > 100, "after {client}");
    let full = board.full();
    assert_eq!(board.accept(&update), Ok(Accepted::Uncounted));
    assert_eq!(board.full(), full);
}

#[test]
fn a_diff_costs_what_its_question_and_the_board_are_worth() {
    // Small structs, so that the index has as few places as it may: a whole stretch of it is walked for each
    // client.
    let mut board = board();
    for client in 1..=200u64 {
        let mut update = vec![1];
        put_number(&mut update, 500);
        put_number(&mut update, client);
        update.push(0);
        update.extend([0, 1].repeat(500));
        update.push(0);
        assert_eq!(board.replay(&update), Ok(Accepted::Whole));
    }
    let questions = [
        // Of each client the last clock but one; one client again and again; clients that nobody knows.
        (1..=200u64).map(|client| (client, 499)).collect::<Vec<_>>(),
        vec![(7, 499); 100_000],
        (1_000..101_000).map(|client| (client, 1)).collect(),
    ];
    for pairs in questions {
        let mut vector = Vec::new();
        put_number(&mut vector, pairs.len() as u64);
        for (client, clock) in &pairs {
            put_number(&mut vector, *client);
            put_number(&mut vector, *clock);
        }
        let asked = StateVector::parse(&vector).unwrap();
        let bytes = board.encoded_bytes() + vector.len();
        let mut meter = limits::UPDATE_STEPS.meter(bytes);
        let diff = board.diff_metered(&asked, &mut meter).unwrap();
        assert!(meter.spent() >= 200, "it is counted: {}", meter.spent());
        assert_eq!(board.diff(&asked), diff);
        // Where fewer are allowed it ends.
        let fewer = meter.spent() - 1;
        assert!(board.diff_metered(&asked, &mut Meter::new(fewer)).is_err());
    }
}
