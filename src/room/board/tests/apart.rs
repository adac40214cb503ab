//! Work on copies: updates that join apart, snapshots.

use super::*;

/// An update by which `client` writes `text` into `r`, as its first.
fn text_of(client: u8, text: &str) -> Bytes {
    let mut update = vec![1, 1, client, 0, 4, 1, 1, b'r'];
    put_blob(&mut update, text.as_bytes());
    update.push(0);
    update.into()
}

fn outline(update: &[u8]) -> Outline {
    scan(update, &Budgets::default(), &mut Meter::unbounded()).unwrap()
}

fn join(capture: Capture, update: &Bytes) -> (Apart, Accepted) {
    let joined = capture.join(update, &outline(update), &mut Meter::unbounded());
    match joined.unwrap() {
        Attempt::Joined(apart, accepted) => (*apart, accepted),
        Attempt::Unchanged(accepted) => panic!("{accepted:?}"),
    }
}

#[test]
fn an_update_joins_apart_as_it_joins_the_board_with_what_came_meanwhile() {
    let large = text_of(5, &"x".repeat(200_000));
    let (mut apart_board, mut plain) = (board(), board());
    for board in [&mut apart_board, &mut plain] {
        board.accept(HELLO).unwrap();
    }
    let (mut apart, accepted) = join(apart_board.capture(), &large);
    assert_eq!(accepted, Accepted::Whole);
    assert_eq!(apart_board.accept(BANG), Ok(Accepted::Whole));
    assert!(
        apart_board.behind(&apart).is_empty(),
        "so little can follow at once"
    );
    let much = text_of(6, &"y".repeat(limits::APART_FROM_BYTES));
    assert_eq!(apart_board.accept(&much), Ok(Accepted::Whole));
    let behind = apart_board.behind(&apart);
    assert_eq!(behind.len(), 2);
    apart.follow(&behind).unwrap();
    assert!(apart_board.behind(&apart).is_empty());
    apart_board.install(apart).unwrap();
    for update in [&large[..], BANG, &much] {
        plain.accept(update).unwrap();
    }
    assert_eq!(apart_board.full(), plain.full());
    assert_eq!(apart_board.encoded_bytes(), plain.encoded_bytes());
    compact_now(&mut apart_board);
    compact_now(&mut plain);
    assert_eq!(apart_board.full(), plain.full());
}

#[test]
fn what_overlaps_with_what_came_meanwhile_is_tried_anew() {
    let mut board = board();
    let (apart, _) = join(board.capture(), &text_of(5, "mine"));
    // The same clocks of the same client, by somebody who is not honest.
    assert_eq!(board.accept(&text_of(5, "theirs")), Ok(Accepted::Whole));
    assert_eq!(board.install(apart), Err(ApartError::Diverged));
    let full = board.full();
    let capture = board.capture();
    let update = text_of(5, "mine");
    let again = capture.join(&update, &outline(&update), &mut Meter::unbounded());
    assert!(matches!(again, Ok(Attempt::Unchanged(Accepted::Nothing))));
    board.abandon_capture();
    assert_eq!(board.full(), full);
}

#[test]
fn an_update_apart_keeps_to_the_budgets_and_brings_holes() {
    let budgets = Budgets {
        bytes: 100,
        ..Budgets::default()
    };
    let mut board = Board::new(budgets);
    let update = text_of(5, &"x".repeat(100));
    let joined = board
        .capture()
        .join(&update, &outline(&update), &mut Meter::unbounded());
    assert_eq!(joined.unwrap_err(), Budget::Bytes.into());
    let update = Bytes::from_static(BANG);
    let joined = board
        .capture()
        .join(&update, &outline(&update), &mut Meter::unbounded());
    assert!(matches!(joined, Ok(Attempt::Unchanged(Accepted::Hole))));
    let joined = board
        .capture()
        .join(&update, &outline(&update), &mut Meter::new(0));
    assert_eq!(joined.unwrap_err(), Refused::TooCostly);
    assert!(board.is_empty());
}

#[test]
fn a_snapshot_answers_as_the_board_did_at_its_moment() {
    let mut board = board();
    board.accept(HELLO).unwrap();
    board.full();
    board.accept(BANG).unwrap();
    let mut at_once = {
        let mut copy = super::board();
        copy.accept(HELLO).unwrap();
        copy.accept(BANG).unwrap();
        copy
    };
    let mut snapshot = board.snapshot();
    let version = board.version();
    board.accept(&text_of(5, "later")).unwrap();
    assert_ne!(board.version(), version);
    for pairs in [&[][..], &[(9, 2)], &[(9, 5), (7, 1)], &[(9, 5)]] {
        let vector = vector(pairs);
        let asked = StateVector::parse(&vector).unwrap();
        assert_eq!(snapshot.diff(&asked), at_once.diff(&asked), "{pairs:?}");
    }
    assert_eq!(snapshot.full(), at_once.full());
}

#[test]
fn what_a_snapshot_wrote_is_shared_and_what_came_since_stays_on_top() {
    let mut board = board();
    board.accept(HELLO).unwrap();
    let mut first = board.snapshot();
    let mut second = board.snapshot();
    let whole = first.full();
    board.adopt(&first);
    assert!(board.is_folded());
    assert_eq!(board.full().as_ptr(), whole.as_ptr(), "not written again");
    second.full();
    board.adopt(&second);
    assert_eq!(board.full().as_ptr(), whole.as_ptr(), "of another base");
    // What comes between taking and adopting.
    board.accept(BANG).unwrap();
    let mut third = board.snapshot();
    third.full();
    board.accept(&text_of(5, "later")).unwrap();
    board.accept(&[1, 1, 7, 1, 0x84, 7, 0, 1, b'?', 0]).unwrap();
    board.adopt(&third);
    assert!(!board.is_folded());
    let mut plain = super::board();
    for update in [
        HELLO,
        BANG,
        &text_of(5, "later"),
        &[1, 1, 7, 1, 0x84, 7, 0, 1, b'?', 0],
    ] {
        plain.accept(update).unwrap();
    }
    assert_eq!(diff(&mut board, &[(7, 1)]), diff(&mut plain, &[(7, 1)]));
    assert_eq!(board.full(), plain.full());
}
