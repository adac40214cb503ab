//! Tests of the board state on hand-written bytes; the oracles are in `tests/algebra`.

use super::*;
use crate::lib0::{number_bytes, put_blob};
use crate::limits;
use crate::update::scan::Outline;
use crate::update::vector::StateVector;
use crate::update::{Budget, Reason};

mod apart;
mod costly;

type Pairs<'a> = &'a [(u64, u32)];

fn board() -> Board {
    Board::new(Budgets::default())
}

fn vector(pairs: &[(u64, u32)]) -> Vec<u8> {
    let mut out = Vec::new();
    put_state_vector(&mut out, pairs.iter().copied());
    out
}

fn diff(board: &mut Board, pairs: &[(u64, u32)]) -> Vec<u8> {
    let bytes = vector(pairs);
    board.diff(&StateVector::parse(&bytes).unwrap()).to_vec()
}

/// "hello" by client 9 in the text `r`.
const HELLO: &[u8] = &[1, 1, 9, 0, 4, 1, 1, b'r', 5, b'h', b'e', b'l', b'l', b'o', 0];
/// "!" by client 7 after it, and "e" deleted.
const BANG: &[u8] = &[1, 1, 7, 0, 0x84, 9, 4, 1, b'!', 1, 9, 1, 1, 1];

#[test]
fn an_empty_board_answers_two_zeros() {
    let mut board = board();
    assert!(board.is_empty());
    assert_eq!(diff(&mut board, &[]), [0, 0]);
    assert_eq!(diff(&mut board, &[(5, 9)]), [0, 0]);
    assert_eq!(board.state_vector(), [0]);
    assert_eq!(board.encoded_bytes(), 2);
}

#[test]
fn what_is_new_is_whole_and_what_is_known_is_nothing() {
    let mut board = board();
    assert_eq!(board.accept(HELLO), Ok(Accepted::Whole));
    assert_eq!(board.accept(HELLO), Ok(Accepted::Nothing));
    assert_eq!(board.accept(BANG), Ok(Accepted::Whole));
    assert_eq!(board.accept(BANG), Ok(Accepted::Nothing));
    assert_eq!(board.full().len(), board.encoded_bytes());
    assert_eq!(board.accept(&[0, 1, 9, 1, 1, 1]), Ok(Accepted::Nothing));
    assert_eq!(
        board.accept(&[0, 1, 9, 1, 0, 3]),
        Ok(Accepted::Trimmed(Bytes::from_static(&[0, 1, 9, 2, 0, 1, 2, 1])))
    );
    assert_eq!(board.state_vector(), [2, 9, 5, 7, 1]);
}

#[test]
fn holes_of_every_kind_leave_the_board_unchanged() {
    let mut board = board();
    board.accept(HELLO).unwrap();
    let before = board.full();
    let table: [(&str, &[u8]); 9] = [
        ("clock gap", &[1, 1, 9, 6, 0x84, 9, 4, 1, b'x', 0]),
        ("gap of a new client", &[1, 1, 8, 1, 0x84, 9, 4, 1, b'x', 0]),
        ("skip", &[1, 2, 9, 5, 10, 1, 0x84, 9, 4, 1, b'x', 0]),
        ("unknown origin", &[1, 1, 7, 0, 0x84, 9, 5, 1, b'x', 0]),
        ("unknown right origin", &[1, 1, 7, 0, 0x44, 3, 0, 1, b'x', 0]),
        ("unknown parent", &[1, 1, 7, 0, 4, 0, 3, 0, 1, b'x', 0]),
        ("a parent that is no type", &[1, 1, 7, 0, 4, 0, 9, 1, 1, b'x', 0]),
        ("unknown deletion", &[0, 1, 9, 1, 4, 2]),
        (
            "deletion of an unknown client",
            &[1, 1, 7, 0, 0x84, 9, 4, 1, b'x', 1, 3, 1, 0, 1],
        ),
    ];
    for (name, update) in table {
        assert_eq!(board.accept(update), Ok(Accepted::Hole), "{name}");
        assert_eq!(board.full(), before, "{name}");
        assert_eq!(board.client_count(), 1, "{name}");
    }
}

#[test]
fn circular_references_are_a_hole_and_forward_ones_are_not() {
    // 9's first struct needs 7's second, 7's first needs 9's first.
    let circle: &[u8] = &[
        2, 1, 9, 0, 0x84, 7, 1, 1, b'a', 2, 7, 0, 0x84, 9, 0, 1, b'b', 0x84, 7, 0, 1, b'c', 0,
    ];
    assert_eq!(board().accept(circle), Ok(Accepted::Hole));
    // 9: a, then c after b; 7: b after a, then d after c: each waits for the other, but never in a circle.
    let zigzag: &[u8] = &[
        2, 2, 9, 0, 4, 1, 1, b'r', 1, b'a', 0x84, 7, 0, 1, b'c', 2, 7, 0, 0x84, 9, 0, 1, b'b', 0x84, 9, 1, 1,
        b'd', 0,
    ];
    let mut board = board();
    assert_eq!(board.accept(zigzag), Ok(Accepted::Whole));
    assert_eq!(board.full(), zigzag);
}

#[test]
fn known_parts_are_cut_off_by_utf16_units() {
    let mut board = board();
    // "a" and the first half of a surrogate pair, as Yjs sends it.
    let known = [1, 1, 9, 0, 4, 1, 1, b'r', 4, b'a', 0xef, 0xbf, 0xbd, 0];
    board.accept(&known).unwrap();
    let whole = [
        1, 1, 9, 0, 4, 1, 1, b'r', 6, b'a', 0xf0, 0x9f, 0x98, 0x80, b'b', 0,
    ];
    let expected = [1, 1, 9, 2, 0x84, 9, 1, 4, 0xef, 0xbf, 0xbd, b'b', 0];
    assert_eq!(
        board.accept(&whole),
        Ok(Accepted::Trimmed(Bytes::copy_from_slice(&expected)))
    );
    assert_eq!(board.state_vector(), [1, 9, 4]);
}

#[test]
fn a_diff_is_cut_exactly_at_the_vectors_clock() {
    let mut board = board();
    board.accept(HELLO).unwrap();
    board.accept(BANG).unwrap();
    let deletes = [1, 9, 1, 1, 1];
    let table: [(Pairs<'_>, &[u8]); 5] = [
        (
            &[(9, 2)],
            &[
                2, 1, 9, 2, 0x84, 9, 1, 3, b'l', b'l', b'o', 1, 7, 0, 0x84, 9, 4, 1, b'!',
            ],
        ),
        (&[(9, 5)], &[1, 1, 7, 0, 0x84, 9, 4, 1, b'!']),
        (&[(9, 5), (7, 1)], &[0]),
        (&[(9, 500), (7, 100)], &[0]),
        (&[(9, 4), (7, 1)], &[1, 1, 9, 4, 0x84, 9, 3, 1, b'o']),
    ];
    for fold in [false, true] {
        if fold {
            board.full();
        }
        for (pairs, structs) in table {
            assert_eq!(diff(&mut board, pairs), [structs, &deletes].concat(), "{pairs:?}");
        }
    }
}

#[test]
fn a_diff_finds_every_clock_through_the_index() {
    let mut board = board();
    let mut update = vec![1, 1, 9, 0, 4, 1, 1, b'r', 3, b'x', b'y', b'z', 0];
    board.accept(&update).unwrap();
    for n in 1..2_000u32 {
        let mut out = vec![1, 1, 9];
        put_number(&mut out, u64::from(n * 3));
        out.extend_from_slice(&[0x84, 9]);
        put_number(&mut out, u64::from(n * 3 - 1));
        out.extend_from_slice(&[3, b'x', b'y', b'z', 0]);
        update = out;
        assert_eq!(board.accept(&update), Ok(Accepted::Whole));
        if n == 1_000 {
            board.full();
        }
    }
    for clock in (0..6_000).step_by(7).chain([1, 2, 3, 5_999]) {
        let from = diff(&mut board, &[(9, clock)]);
        let mut other = Board::new(Budgets::default());
        let mut prefix = Board::new(Budgets::default());
        prefix.accept(&board.full()).unwrap();
        assert_eq!(prefix.accept(&from), Ok(Accepted::Nothing));
        if clock > 0 {
            assert_eq!(other.accept(&from), Ok(Accepted::Hole));
        }
        let outline = scan(&from, &Budgets::default(), &mut Meter::unbounded()).unwrap();
        assert_eq!(outline.sections[0].clock, clock);
        assert_eq!(outline.sections[0].end_clock, 6_000);
    }
}

fn tail(board: &Board, client: u64, bytes_max: usize) -> Option<Bytes> {
    board.tail_of(client, bytes_max, &mut Meter::unbounded())
}

#[test]
fn the_tail_of_a_client_is_what_fits_in_the_bytes_and_its_first_struct_is_cut() {
    let mut board = board();
    board.accept(HELLO).unwrap();
    board.accept(&[1, 1, 9, 5, 0x84, 9, 4, 1, b'x', 0]).unwrap();
    let last = [1, 1, 9, 5, 0x84, 9, 4, 1, b'x', 0];
    let both = [
        1, 2, 9, 0, 4, 1, 1, b'r', 5, b'h', b'e', b'l', b'l', b'o', 0x84, 9, 4, 1, b'x', 0,
    ];
    let o = [1, 2, 9, 4, 0x84, 9, 3, 1, b'o', 0x84, 9, 4, 1, b'x', 0];
    let ello = [
        1, 2, 9, 1, 0x84, 9, 0, 4, b'e', b'l', b'l', b'o', 0x84, 9, 4, 1, b'x', 0,
    ];
    let table: [(usize, Option<&[u8]>); 8] = [
        (4, None),
        (5, Some(&last)),
        (9, Some(&last)),
        (10, Some(&o)),
        (13, Some(&ello)),
        (14, Some(&ello)),
        (15, Some(&both)),
        (1_000, Some(&both)),
    ];
    for (bytes, expected) in table {
        assert_eq!(tail(&board, 9, bytes).as_deref(), expected, "{bytes}");
    }
    assert_eq!(tail(&board, 8, 1_000), None);
}

#[test]
fn a_tail_takes_all_the_room_that_whole_values_leave_and_cuts_no_character() {
    // 30,000 letters of one to four bytes; an array of 5,000 values of different lengths; the same as JSON.
    let text: String = ["a", "\u{e4}", "\u{20ac}", "\u{1f600}"].concat().repeat(7_500);
    let mut texts = vec![1, 1, 9, 0, 4, 1, 1, b'r'];
    put_blob(&mut texts, text.as_bytes());
    texts.push(0);
    let (mut values, mut jsons) = (vec![1, 1, 9, 0, 8, 1, 1, b'r'], vec![1, 1, 9, 0, 2, 1, 1, b'r']);
    for list in [&mut values, &mut jsons] {
        put_number(list, 5_000);
    }
    for n in 0..5_000usize {
        values.push(119);
        put_blob(&mut values, "x".repeat(n % 40).as_bytes());
        put_blob(&mut jsons, format!("\"{}\"", "x".repeat(n % 40)).as_bytes());
    }
    for list in [&mut values, &mut jsons] {
        list.push(0);
    }
    for (update, largest) in [(texts, 4), (values, 41), (jsons, 42)] {
        let mut board = board();
        board.accept(&update).unwrap();
        for bytes_max in [100, 1_000, 1_001, 1_002, 1_003, 64 * 1024] {
            let mut meter = limits::UPDATE_STEPS.meter(update.len());
            let tail = board.tail_of(9, bytes_max, &mut meter).unwrap();
            assert!(meter.spent() > 0);
            let outline = scan(&tail, &Budgets::default(), &mut Meter::unbounded()).unwrap();
            let section = &outline.sections[0];
            assert_eq!(section.end_clock, board.clock_of(9));
            assert_eq!(tail, diff(&mut board, &[(9, section.clock)]));
            // Number of sections, number of structs, client, clock; and that nothing is deleted.
            let taken = tail.len() - 4 - number_bytes(u64::from(section.clock)) + 1;
            assert!(taken <= bytes_max, "{taken} > {bytes_max}");
            assert!(taken + largest + 4 > bytes_max, "{taken} of {bytes_max}");
            assert!(!tail.windows(3).any(|bytes| bytes == "\u{fffd}".as_bytes()));
        }
    }
}

#[test]
fn types_nest_to_the_budget_and_not_beyond() {
    let mut board = board();
    board.accept(&[1, 1, 9, 0, 7, 1, 1, b'r', 0, 0]).unwrap();
    for level in 3..=64u8 {
        let nested = [1, 1, 9, level - 2, 7, 0, 9, level - 3, 0, 0];
        assert_eq!(board.accept(&nested), Ok(Accepted::Whole), "level {level}");
    }
    let nested = [1, 1, 9, 63, 7, 0, 9, 62, 0, 0];
    assert_eq!(board.accept(&nested), Err(Budget::TypeDepth.into()));
    assert_eq!(
        board.accept(&[1, 1, 9, 63, 8, 0, 9, 62, 1, 126, 0]),
        Ok(Accepted::Whole)
    );
}

#[test]
fn each_budget_holds_at_its_edge_and_leaves_the_board_unchanged() {
    let full = {
        let mut board = board();
        board.accept(HELLO).unwrap();
        board.accept(BANG).unwrap();
        board.encoded_bytes()
    };
    for (bytes, fits) in [(full - 1, false), (full, true), (full + 1, true)] {
        let mut board = Board::new(Budgets {
            bytes,
            ..Budgets::default()
        });
        board.accept(HELLO).unwrap();
        let before = board.full();
        assert_eq!(board.accept(BANG).is_ok(), fits, "{bytes} of {full}");
        assert_eq!(board.full() == before, !fits);
    }
    for (clients, fits) in [(1, false), (2, true), (3, true)] {
        let mut board = Board::new(Budgets {
            clients,
            ..Budgets::default()
        });
        board.accept(HELLO).unwrap();
        assert_eq!(board.accept(BANG).is_ok(), fits, "{clients} clients");
        assert_eq!(board.client_count(), 1 + usize::from(fits));
    }
    for (types, fits) in [(1, false), (2, true), (3, true)] {
        let mut board = Board::new(Budgets {
            types,
            ..Budgets::default()
        });
        board.accept(HELLO).unwrap();
        let nested = [1, 1, 7, 0, 7, 1, 1, b'r', 1, 0];
        assert_eq!(board.accept(&nested).is_ok(), fits, "{types} types, nested");
        let mut board = Board::new(Budgets {
            types,
            ..Budgets::default()
        });
        board.accept(HELLO).unwrap();
        let root = [1, 1, 7, 0, 4, 1, 1, b's', 1, b'x', 0];
        assert_eq!(board.accept(&root).is_ok(), fits, "{types} types, top-level");
    }
}

#[test]
fn deleting_stays_possible_on_a_full_board() {
    let (text, _) = stripes(800);
    let bytes = text.len();
    let mut board = Board::new(Budgets {
        bytes,
        ..Budgets::default()
    });
    assert_eq!(board.accept(&text), Ok(Accepted::Whole));
    assert_eq!(board.encoded_bytes(), bytes);
    assert_eq!(board.accept(BANG), Err(Budget::Bytes.into()));
    let mut deleted = 0u8;
    while board.accept(&[0, 1, 9, 1, deleted * 2, 1]) == Ok(Accepted::Whole) {
        deleted += 1;
    }
    // Two bytes each, and three for the first, within an eighth of the budget.
    assert_eq!(usize::from(deleted), (bytes / 8 - 2) / 2);
    assert!(board.accept(&[0, 1, 9, 1, 0, 100]).is_ok());
    assert!(board.encoded_bytes() < bytes + 8);
}

#[test]
fn an_update_adds_what_the_owner_has_left_and_deleting_passes_with_nothing_left() {
    let (text, _) = stripes(800);
    for (less, fits) in [(1, false), (0, true)] {
        let mut board = board();
        let grows = text.len() - board.encoded_bytes();
        board.allow_growth(grows - less);
        let accepted = board.accept(&text);
        assert_eq!(accepted.is_ok(), fits);
        if !fits {
            assert_eq!(accepted, Err(Budget::Growth.into()));
            assert!(board.is_empty(), "it is unchanged");
        }
    }
    let mut board = board();
    board.accept(&text).unwrap();
    board.allow_growth(0);
    assert_eq!(board.accept(&text), Ok(Accepted::Nothing), "it brings nothing");
    assert_eq!(board.accept(BANG), Err(Budget::Growth.into()));
    assert_eq!(
        board.accept(&[0, 1, 9, 1, 0, 1]),
        Ok(Accepted::Whole),
        "it only deletes"
    );
    assert!(board.replay(BANG).is_ok(), "what is stored always loads");
}

#[test]
fn what_joins_a_collected_type_is_collected() {
    let mut board = board();
    // A nested type, deleted and collected by its author; then a child of it from somebody who did not know.
    board
        .accept(&[1, 1, 9, 0, 1, 1, 1, b'r', 1, 1, 9, 1, 0, 1])
        .unwrap();
    let child = [1, 1, 7, 0, 8, 0, 9, 0, 1, 126, 0];
    assert_eq!(board.accept(&child), Ok(Accepted::Whole));
    let grandchild = [1, 1, 7, 1, 0x88, 7, 0, 1, 126, 0];
    assert_eq!(board.accept(&grandchild), Ok(Accepted::Whole));
    // The same in one update, the parent deleted only by its delete set.
    let mut other = Board::new(Budgets::default());
    let both = [
        2, 1, 9, 0, 1, 1, 1, b'r', 1, 1, 7, 0, 8, 0, 9, 0, 1, 126, 1, 9, 1, 0, 1,
    ];
    assert_eq!(other.accept(&both), Ok(Accepted::Whole));
}

#[test]
fn neighbours_in_different_types_are_refused() {
    let mut board = board();
    board.accept(HELLO).unwrap();
    board.accept(&[1, 1, 7, 0, 4, 1, 1, b's', 1, b'x', 0]).unwrap();
    let mixed = [1, 1, 6, 0, 0xc4, 9, 0, 7, 0, 1, b'x', 0];
    assert_eq!(board.accept(&mixed), Err(Reason::MixedParents.into()));
}

#[test]
fn a_stored_state_loads_as_the_same_board() {
    let mut board = board();
    board.accept(HELLO).unwrap();
    board.accept(BANG).unwrap();
    let full = board.full();
    let mut loaded = Board::load(full.clone(), Budgets::default()).unwrap();
    assert_eq!(loaded.full(), full);
    assert_eq!(loaded.state_vector(), board.state_vector());
    assert_eq!(loaded.encoded_bytes(), full.len());
    assert_eq!(
        Board::load(Bytes::from_static(BANG), Budgets::default()).unwrap_err(),
        NotAState::Incomplete
    );
    assert!(Board::load(full.slice(1..), Budgets::default()).is_err());
}

/// Compacts and installs, as a background thread would.
fn compact_now(board: &mut Board) -> Bytes {
    let compacted = compact(&board.capture()).unwrap();
    let bytes = compacted.bytes();
    board.install(compacted).unwrap();
    assert_eq!(board.full(), bytes);
    bytes
}

#[test]
fn compaction_drops_deleted_content_and_merges_what_yjs_merges() {
    let mut text = board();
    text.accept(HELLO).unwrap();
    text.accept(&[1, 1, 9, 5, 0x84, 9, 4, 2, b'y', b'o', 0]).unwrap();
    text.accept(BANG).unwrap();
    let expected = [
        2, 3, 9, 0, 4, 1, 1, b'r', 1, b'h', 0x81, 9, 0, 1, 0x84, 9, 1, 5, b'l', b'l', b'o', b'y', b'o', 1, 7,
        0, 0x84, 9, 4, 1, b'!', 1, 9, 1, 1, 1,
    ];
    assert_eq!(&compact_now(&mut text)[..], expected);
    assert_eq!(text.log_bytes(), 0);

    let mut map = board();
    // The key k of m is set twice; the second does not say that the first is deleted.
    map.accept(&[1, 1, 9, 0, 0x28, 1, 1, b'm', 1, b'k', 1, 126, 0])
        .unwrap();
    map.accept(&[1, 1, 9, 1, 0xa8, 9, 0, 1, 126, 0]).unwrap();
    let apart = compact_now(&mut map);
    assert_eq!(
        scan(&apart, &Budgets::default(), &mut Meter::unbounded())
            .unwrap()
            .sections[0]
            .count,
        2
    );
    map.accept(&[0, 1, 9, 1, 0, 2]).unwrap();
    let expected = [1, 1, 9, 0, 0x21, 1, 1, b'm', 1, b'k', 2, 1, 9, 1, 0, 2];
    assert_eq!(&compact_now(&mut map)[..], expected);
}

#[test]
fn compaction_collects_all_that_lies_in_a_deleted_type() {
    let mut board = board();
    // A map in r, an array under its key k, an element in that; then the map is deleted.
    board.accept(&[1, 1, 9, 0, 7, 1, 1, b'r', 1, 0]).unwrap();
    board.accept(&[1, 1, 7, 0, 0x27, 0, 9, 0, 1, b'k', 0, 0]).unwrap();
    board.accept(&[1, 1, 8, 0, 8, 0, 7, 0, 2, 126, 126, 0]).unwrap();
    board.accept(&[0, 1, 9, 1, 0, 1]).unwrap();
    let expected = [
        3, 1, 9, 0, 1, 1, 1, b'r', 1, 1, 8, 0, 0, 2, 1, 7, 0, 0, 1, 3, 9, 1, 0, 1, 8, 1, 0, 2, 7, 1, 0, 1,
    ];
    assert_eq!(&compact_now(&mut board)[..], expected);
    // Who did not know of the deletion goes on writing into all three.
    for update in [
        [1, 1, 6, 0, 0x28, 0, 9, 0, 1, b'j', 1, 126, 0].as_slice(),
        &[1, 1, 7, 1, 8, 0, 7, 0, 1, 126, 0],
        &[1, 1, 8, 2, 0x88, 8, 1, 1, 126, 0],
    ] {
        assert_eq!(board.accept(update), Ok(Accepted::Whole), "{update:?}");
    }
}

#[test]
fn types_that_are_gone_no_longer_count() {
    let mut board = Board::new(Budgets {
        types: 3,
        ..Budgets::default()
    });
    for clock in 0..20u8 {
        let add = [1, 1, 9, clock, 7, 1, 1, b'r', 1, 0];
        if board.accept(&add) == Err(Budget::Types.into()) {
            board.accept(&[0, 1, 9, 1, 0, clock]).unwrap();
            compact_now(&mut board);
            assert_eq!(board.accept(&add), Ok(Accepted::Whole));
        }
    }
}

#[test]
fn what_is_accepted_during_a_compaction_is_kept() {
    let mut board = board();
    board.accept(HELLO).unwrap();
    let stale = board.capture();
    let capture = board.capture();
    board.accept(BANG).unwrap();
    board.accept(&[1, 1, 7, 1, 0x84, 7, 0, 1, b'?', 0]).unwrap();
    let vector = board.state_vector();
    let stale = compact(&stale).unwrap();
    assert_eq!(board.install(stale), Err(ApartError::Stale));
    board.install(compact(&capture).unwrap()).unwrap();
    assert_eq!(board.state_vector(), vector);
    assert_eq!(board.accept(BANG), Ok(Accepted::Nothing));
    assert!(board.log_bytes() > 0);
    let capture = board.capture();
    board.abandon_capture();
    assert_eq!(board.install(compact(&capture).unwrap()), Err(ApartError::Stale));
}

/// A text of `units` characters, and the update that deletes every second one.
fn stripes(units: u32) -> (Vec<u8>, Vec<u8>) {
    let mut text = vec![1, 1, 9, 0, 4, 1, 1, b'r'];
    put_number(&mut text, u64::from(units));
    text.resize(text.len() + units as usize, b'x');
    text.push(0);
    let mut deletes = vec![0, 1, 9];
    put_number(&mut deletes, u64::from(units / 2));
    for n in 0..units / 2 {
        put_number(&mut deletes, u64::from(n * 2));
        deletes.push(1);
    }
    (text, deletes)
}

#[test]
fn striped_deletions_neither_blow_a_state_up_nor_take_quadratic_time() {
    let (text, deletes) = stripes(2_000_000);
    let mut board = board();
    board.accept(&text).unwrap();
    assert_eq!(board.accept(&deletes), Ok(Accepted::Whole));
    let before = board.full();
    let after = compact_now(&mut board);
    assert!(after.len() <= before.len() * 2 + 65_536);
    let (text, deletes) = stripes(2_000);
    let mut board = Board::new(Budgets::default());
    board.accept(&text).unwrap();
    board.accept(&deletes).unwrap();
    let small = compact_now(&mut board);
    assert_eq!(
        scan(&small, &Budgets::default(), &mut Meter::unbounded())
            .unwrap()
            .sections[0]
            .count,
        2_000
    );
}

#[test]
fn a_board_of_shapes_takes_little_more_memory_than_its_bytes() {
    let mut board = board();
    for shape in 0..2_000u32 {
        let mut update = vec![1, 1, 9];
        put_number(&mut update, u64::from(shape));
        update.extend_from_slice(&[0x28, 1, 1, b'm', 10]);
        update.extend_from_slice(format!("shape:{shape:04}").as_bytes());
        update.extend_from_slice(&[1, 119, 0xac, 2]);
        update.resize(update.len() + 300, b'x');
        update.push(0);
        assert_eq!(board.accept(&update), Ok(Accepted::Whole));
    }
    board.full();
    let limit = board.encoded_bytes() * 3 / 2;
    assert!(
        board.memory_bytes() <= limit,
        "folded: {} of {limit}",
        board.memory_bytes()
    );
    compact_now(&mut board);
    assert!(
        board.memory_bytes() <= limit,
        "compacted: {}",
        board.memory_bytes()
    );
}

#[test]
fn a_map_entry_of_several_values_must_be_deleted() {
    let entry = [1, 1, 9, 0, 0x28, 1, 1, b'm', 1, b'k', 2, 126, 126];
    let table: [(&[u8], Result<Accepted, Refused>); 3] = [
        (&[0], Err(Reason::LongEntry.into())),
        (&[1, 9, 1, 0, 1], Err(Reason::LongEntry.into())),
        (&[1, 9, 1, 0, 2], Ok(Accepted::Whole)),
    ];
    for (deletes, expected) in table {
        assert_eq!(
            board().accept(&[&entry, deletes].concat()),
            expected,
            "{deletes:?}"
        );
    }
}

#[test]
fn a_collected_neighbour_makes_a_hole_until_the_type_is_known_to_be_deleted() {
    let mut board = board();
    // An array in r with an element by 9, and a struct of 7 that is collected.
    board
        .accept(&[1, 2, 9, 0, 7, 1, 1, b'r', 0, 8, 0, 9, 0, 1, 126, 0])
        .unwrap();
    board.accept(&[1, 1, 7, 0, 0, 1, 0]).unwrap();
    let between = [1, 1, 6, 0, 0xc8, 9, 1, 7, 0, 1, 126];
    assert_eq!(board.accept(&[&between[..], &[0]].concat()), Ok(Accepted::Hole));
    let deletes = [1, 9, 1, 0, 1];
    assert_eq!(
        board.accept(&[&between[..], &deletes].concat()),
        Ok(Accepted::Whole)
    );
}
