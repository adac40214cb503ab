//! Documents that are read and written beside boards, and what must not be opened as one.

use serde_json::json;
use yrs::types::{Attrs, ToJson};
use yrs::{
    Array, ArrayPrelim, GetString, In, MapPrelim, Text, TextPrelim, WriteTxn, Xml, XmlElementPrelim,
    XmlFragment, XmlTextPrelim,
};

use super::*;
use crate::lib0::{put_blob, put_number};
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

/// A board's content as JSON.
fn shown(state: Bytes) -> Result<Value, Unopened> {
    let text = to_json(state, &mut |_| true)?;
    Ok(serde_json::from_slice(&text).unwrap())
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
        shown(board.full()).unwrap(),
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
    assert!(shown(state.clone()).is_ok());
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

/// A board with a map, an array, a text and XML, each with others in them.
fn varied() -> (Doc, Bytes) {
    let doc = Document::empty(9).doc.take().unwrap();
    let mut txn = doc.transact_mut();
    let map = txn.get_or_insert_map("map");
    let numbers = [0.5, -0.0, 1e300, f64::NAN, 9_007_199_254_740_993.0, -7.0];
    map.insert(&mut txn, "numbers", Any::Array(numbers.map(Any::from).into()));
    map.insert(&mut txn, "big", Any::from(i64::MAX));
    map.insert(&mut txn, "undefined", Any::Undefined);
    map.insert(&mut txn, "text", TextPrelim::new("\u{1F600}\"\\\n"));
    map.insert(&mut txn, "gone", 1);
    map.remove(&mut txn, "gone");
    let inner = map.insert(&mut txn, "list", ArrayPrelim::from([In::Any(Any::Null)]));
    inner.push_back(&mut txn, MapPrelim::from([("b", 1), ("a", 2)]));
    let array = txn.get_or_insert_array("array");
    array.insert_range(&mut txn, 0, [1, 2, 3]);
    array.remove(&mut txn, 1);
    let text = txn.get_or_insert_text("text");
    text.insert(&mut txn, 0, "plain");
    let xml = txn.get_or_insert_xml_fragment("xml");
    let element = xml.push_back(&mut txn, XmlElementPrelim::empty("p"));
    element.insert_attribute(&mut txn, "class", "a\"b");
    let words = element.push_back(&mut txn, XmlTextPrelim::new("bold & plain"));
    let link = Any::from_json(r#"{"href":"x"}"#).unwrap();
    words.format(
        &mut txn,
        0,
        4,
        Attrs::from([("b".into(), true.into()), ("a".into(), link)]),
    );
    words.insert_embed(&mut txn, 4, Any::from_json(r#"{"image":1}"#).unwrap());
    drop(txn);
    let state = doc.transact().encode_diff_v1(&yrs::StateVector::default());
    (doc, state.into())
}

#[test]
fn json_is_what_yrs_writes() {
    let (doc, state) = varied();
    let mut board = board();
    assert_eq!(board.accept(&state), Ok(Accepted::Whole));
    let shown = shown(board.full()).unwrap();
    let (map, array) = (doc.get_or_insert_map("map"), doc.get_or_insert_array("array"));
    let (text, xml) = (
        doc.get_or_insert_text("text"),
        doc.get_or_insert_xml_fragment("xml"),
    );
    let txn = doc.transact();
    let expected = json!({
        "map": map.to_json(&txn), "array": array.to_json(&txn), "text": text.get_string(&txn), "xml": xml.get_string(&txn),
    });
    assert_eq!(shown, expected);
    let xml = r#"<p class="a"b"><a href="x"><b>bold</b></a><a href="x"><b>{image: 1}</b></a> & plain</p>"#;
    assert_eq!(shown["xml"], xml);
}

#[test]
fn a_buffer_is_base64() {
    // An array of a value of bytes, and bytes.
    let state = [
        1, 2, 9, 0, 8, 1, 1, b'a', 1, 116, 2, 0xff, 0xfe, 0x83, 9, 0, 3, b'a', b'b', b'c', 0,
    ];
    assert_eq!(
        shown(Bytes::copy_from_slice(&state)),
        Ok(json!({"a": ["//4=", "YWJj"]}))
    );
}

#[test]
fn memory_for_json_is_asked_for_before_it_is_taken() {
    let (_, state) = varied();
    assert_eq!(to_json(state.clone(), &mut |_| false), Err(Unopened::Busy));
    let mut asked = 0;
    let text = to_json(state, &mut |bytes| {
        asked += bytes;
        true
    });
    assert!(asked >= text.unwrap().capacity());
}

/// An XML text of so many letters, each with a format of `name` around it.
fn marked(name: &[u8], letters: u64) -> Bytes {
    let mut state = vec![1];
    put_number(&mut state, 1 + 2 * letters);
    state.extend_from_slice(&[9, 0, 7, 1, 1, b'x', 6]);
    for clock in (1..=2 * letters).step_by(2) {
        let value: &[u8] = if clock % 4 == 1 { b"1" } else { b"2" };
        if clock == 1 {
            state.extend_from_slice(&[6, 0, 9, 0]);
        } else {
            state.extend_from_slice(&[0x86, 9]);
            put_number(&mut state, clock - 1);
        }
        put_blob(&mut state, if clock == 1 { name } else { b"n" });
        put_blob(&mut state, value);
        state.extend_from_slice(&[0x84, 9]);
        put_number(&mut state, clock);
        put_blob(&mut state, b"x");
    }
    state.push(0);
    state.into()
}

#[test]
fn json_that_is_a_multiple_of_its_board_is_refused() {
    // The name stands twice at each letter.
    let name = vec![b'n'; 64 * 1024];
    let letters = u64::try_from(limits::JSON_BYTES_MAX / (2 * name.len())).unwrap();
    assert!(to_json(marked(&name, letters / 2), &mut |_| true).is_ok());
    let refused = to_json(marked(&name, letters), &mut |_| true);
    assert_eq!(refused, Err(Unopened::Unsupported));
}

#[test]
fn json_ends_at_its_limit() {
    for (bytes, fits) in [
        (limits::JSON_BYTES_MAX - 1, true),
        (limits::JSON_BYTES_MAX, true),
        (limits::JSON_BYTES_MAX + 1, false),
    ] {
        let mut reserve = |_| true;
        let mut out = Bounded {
            bytes: vec![0; limits::JSON_BYTES_MAX - 8],
            reserve: &mut reserve,
            why: Unopened::Failed,
        };
        let piece = vec![0; bytes - out.bytes.len()];
        assert_eq!(
            io::Write::write_all(&mut out, &piece).is_ok(),
            fits,
            "{bytes} bytes"
        );
        assert_eq!(out.why == Unopened::Unsupported, !fits);
    }
}

#[test]
fn json_that_only_browsers_read_is_unsupported_and_no_failure() {
    let table: [&[u8]; 2] = [
        &[1, 1, 1, 0, 5, 1, 1, b't', 5, b'1', b'e', b'9', b'9', b'9', 0],
        &[
            1, 1, 1, 0, 5, 1, 1, b't', 8, b'"', b'\\', b'u', b'd', b'8', b'0', b'0', b'"', 0,
        ],
    ];
    for state in table {
        let mut board = board();
        assert_eq!(board.accept(state), Ok(Accepted::Whole));
        assert_eq!(shown(board.full()), Err(Unopened::Unsupported));
        let opened = Document::open(board.full(), WRITER).map(drop);
        assert_eq!(opened, Err(Unopened::Unsupported));
    }
}

/// A text of 800,000 letters of which every second is deleted: 400,000 ranges.
fn every_second_deleted() -> Board {
    let letters = 800_000u64;
    let mut state = vec![1, 1, 9, 0, 4, 1, 1, b't'];
    put_blob(&mut state, &vec![b'x'; 800_000]);
    state.extend_from_slice(&[1, 9]);
    put_number(&mut state, letters / 2);
    for clock in (0..letters).step_by(2) {
        put_number(&mut state, clock);
        state.push(1);
    }
    Board::load(state.into(), Budgets::UNBOUNDED).unwrap()
}

#[test]
fn a_text_with_every_second_letter_deleted_opens_in_time() {
    let started = std::time::Instant::now();
    let shown = shown(every_second_deleted().full()).unwrap();
    assert_eq!(shown["t"].as_str().map(str::len), Some(400_000));
    let took = started.elapsed();
    // Minutes, when yrs has to cut the text at each of them.
    assert!(took.as_secs() < 60, "{took:?}");
}

/// A text of client 9, and one letter of client 8 inserted before each of its letters but the first.
fn interleaved(letters: u32) -> Board {
    let mut state = vec![2, 1, 9, 0, 4, 1, 1, b't'];
    put_blob(&mut state, &vec![b'x'; letters as usize]);
    put_number(&mut state, u64::from(letters - 1));
    state.extend_from_slice(&[8, 0]);
    for clock in 1..letters {
        state.extend_from_slice(&[0xc4, 9]);
        put_number(&mut state, u64::from(clock - 1));
        state.push(9);
        put_number(&mut state, u64::from(clock));
        state.extend_from_slice(&[1, b'y']);
    }
    state.push(0);
    Board::load(state.into(), Budgets::UNBOUNDED).unwrap()
}

#[test]
fn what_yrs_is_given_it_need_not_cut() {
    let mut plain = board();
    plain
        .accept(&[1, 1, 9, 0, 4, 1, 1, b't', 4, b'a', b'b', b'c', b'd', 0])
        .unwrap();
    let structs = |board: &mut Board| {
        let state = board::split(&board.capture()).unwrap();
        let outline = scan(&state, &Budgets::UNBOUNDED, &mut Meter::unbounded()).unwrap();
        outline.sections.iter().map(|section| section.count).sum::<u32>()
    };
    assert_eq!(structs(&mut plain), 1);
    let mut board = interleaved(4);
    assert_eq!(structs(&mut board), 4 + 3);
    assert_eq!(shown(board.full()), Ok(json!({"t": "xyxyxyx"})));
    assert_eq!(structs(&mut every_second_deleted()), 800_000);
    // Typed on, with a place of its own in between.
    let typed: &[u8] = &[
        1, 3, 9, 0, 4, 1, 1, b't', 2, b'a', b'b', 0x84, 9, 1, 1, b'c', 0xc4, 9, 0, 9, 1, 1, b'd', 0,
    ];
    let mut board = Board::load(Bytes::from_static(typed), Budgets::UNBOUNDED).unwrap();
    assert_eq!(structs(&mut board), 3);
    assert_eq!(shown(board.full()), Ok(json!({"t": "adbc"})));
}

#[test]
fn a_text_that_others_wrote_into_everywhere_opens_in_time() {
    let started = std::time::Instant::now();
    let shown = shown(interleaved(400_000).full()).unwrap();
    assert_eq!(shown["t"].as_str().map(str::len), Some(799_999));
    let took = started.elapsed();
    assert!(took.as_secs() < 60, "{took:?}");
}

#[test]
fn an_open_document_takes_in_many_deletions_at_once_by_being_opened_anew() {
    let mut before = board();
    let all = every_second_deleted().full();
    let structs = scan(&all, &Budgets::UNBOUNDED, &mut Meter::unbounded()).unwrap();
    let mut text = all[..structs.deletes].to_vec();
    text.push(0);
    before.accept(&text).unwrap();
    let mut document = Document::open(before.full(), WRITER).unwrap();
    let started = std::time::Instant::now();
    document.follow(all).unwrap();
    let took = started.elapsed();
    assert!(took.as_secs() < 60, "{took:?}");
    assert_eq!(document.read(|records| records.keys().len()), Ok(0));
}

#[test]
fn what_passes_the_gate_opens_and_is_written() {
    let (_, seed) = varied();
    let mut random = 88_172_645_463_325_252_u64;
    let mut next = |below: usize| {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        usize::try_from(random % below as u64).unwrap()
    };
    let mut opened = 0;
    for _ in 0..3_000 {
        let mut update = seed.to_vec();
        for _ in 0..=next(3) {
            let at = next(update.len());
            match next(3) {
                0 => update[at] = u8::try_from(next(256)).unwrap(),
                1 => update[at] = update[at].wrapping_add(1),
                _ => drop(update.remove(at)),
            }
        }
        let mut board = board();
        if board.accept(&update) == Ok(Accepted::Whole) {
            let written = shown(board.full());
            assert_ne!(written, Err(Unopened::Failed), "{update:?}");
            opened += usize::from(written.is_ok());
        }
    }
    assert!(opened > 100, "{opened} were opened");
}
