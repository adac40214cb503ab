//! Documents that are read and written beside boards, and what must not be opened as one.

use serde_json::json;

use super::*;
use crate::room::board::Accepted;

const WRITER: u64 = 77;

fn record(value: Value) -> Record {
    match value {
        Value::Object(record) => record,
        other => panic!("{other} is no record"),
    }
}

fn set(key: &str, value: Value) -> Write {
    Write {
        key: key.to_owned(),
        record: Some(record(value)),
    }
}

fn unset(key: &str) -> Write {
    Write {
        key: key.to_owned(),
        record: None,
    }
}

fn board() -> Board {
    Board::new(Budgets::UNBOUNDED)
}

fn get(document: &mut Document, key: &str) -> Option<Value> {
    let read = document.read(|records| records.get(key));
    read.unwrap().map(Value::Object)
}

#[test]
fn what_is_written_joins_the_board_whole_and_reads_back() {
    let mut board = board();
    let mut document = Document::open(board.full(), WRITER).unwrap();
    let value = json!({"id": "shape:a", "x": 1, "y": -0.5, "big": 1_000_000_000_000_000_i64, "deep": {"list": [null, true, "\u{1F600}"]}});
    let update = document.write(&[set("shape:a", value.clone())]).unwrap();
    assert_eq!(board.accept(&update), Ok(Accepted::Whole));
    assert_eq!(board.clock_of(WRITER), document.writer_clock().unwrap());
    let mut other = Document::open(board.full(), 78).unwrap();
    for document in [&mut document, &mut other] {
        assert_eq!(get(document, "shape:a"), Some(value.clone()));
    }
    assert_eq!(
        to_json(board.full()).unwrap(),
        json!({"tldraw": {"shape:a": value}})
    );
}

#[test]
fn an_open_document_follows_what_others_change_and_delete() {
    let mut board = board();
    let mut ours = Document::open(board.full(), WRITER).unwrap();
    let mut theirs = Document::open(board.full(), 78).unwrap();
    let mut write = |document: &mut Document, writes: &[Write]| {
        let update = document.write(writes).unwrap();
        assert_eq!(board.accept(&update), Ok(Accepted::Whole));
        board.full()
    };
    write(&mut ours, &[set("a", json!({"n": 1})), set("b", json!({"n": 1}))]);
    let state = write(&mut ours, &[set("c", json!({"n": 1}))]);
    theirs.follow(state).unwrap();
    let state = write(&mut theirs, &[set("a", json!({"n": 2})), unset("b")]);
    ours.follow(state).unwrap();
    // Both go on from there, at the same time.
    write(&mut ours, &[set("d", json!({}))]);
    let state = write(&mut theirs, &[set("e", json!({}))]);
    for document in [&mut ours, &mut theirs] {
        document.follow(state.clone()).unwrap();
        assert_eq!(get(document, "a"), Some(json!({"n": 2})));
        let mut keys = document.read(|records| records.keys()).unwrap();
        keys.sort_unstable();
        assert_eq!(keys, ["a", "c", "d", "e"]);
    }
}

#[test]
fn a_member_is_read_without_the_rest() {
    let mut document = Document::open(board().full(), WRITER).unwrap();
    document
        .write(&[set("a", json!({"type": "geo", "x": 1}))])
        .unwrap();
    let texts = document.read(|records| {
        let cases = [("a", "type"), ("a", "x"), ("a", "none"), ("none", "type")];
        cases.map(|(key, member)| records.text(key, member))
    });
    assert_eq!(texts.unwrap(), [Some("geo".to_owned()), None, None, None]);
}

#[test]
fn records_that_are_no_objects_are_not_there() {
    // Client 9 sets "s" to a text and "t" to a nested type.
    let state: &[u8] = &[
        1, 2, 9, 0, 0x28, 1, 6, b't', b'l', b'd', b'r', b'a', b'w', 1, b's', 1, 119, 1, b'x', 0x27, 1, 6,
        b't', b'l', b'd', b'r', b'a', b'w', 1, b't', 1, 0,
    ];
    let mut document = Document::open(Bytes::from_static(state), WRITER).unwrap();
    assert_eq!((get(&mut document, "s"), get(&mut document, "t")), (None, None));
    assert_eq!(document.read(|records| records.keys().len()).unwrap(), 2);
}

#[test]
fn a_board_whose_records_are_a_text_is_not_opened() {
    let state: &[u8] = &[
        1, 1, 9, 0, 4, 1, 6, b't', b'l', b'd', b'r', b'a', b'w', 1, b'x', 0,
    ];
    let state = Bytes::from_static(state);
    assert!(to_json(state.clone()).is_ok());
    assert_eq!(
        Document::open(state, WRITER).map(|_| ()),
        Err(Unopened::Unsupported)
    );
}

#[test]
fn a_document_is_never_used_again_after_a_panic() {
    let mut document = Document::open(board().full(), WRITER).unwrap();
    let panicked = document.read(|_| -> u32 { panic!("on purpose") });
    assert_eq!(panicked, Err(Unopened::Failed));
    assert_eq!(document.writer_clock(), Err(Unopened::Failed));
    assert_eq!(document.write(&[unset("a")]), Err(Unopened::Failed));
}
