//! What is written is read again, and what is no message or update says so.

use super::*;

fn spans_of(update: &[u8]) -> Vec<(usize, u64, u64)> {
    let mut all = Vec::new();
    spans(update, |client, from, to| {
        all.push((writer_of(client).unwrap(), from, to))
    });
    all.sort_unstable();
    all
}

#[test]
fn an_update_is_known_by_its_writer_and_clock_alone_or_merged() {
    let drawings = [Drawing::new(client_of(3)), Drawing::new(client_of(4))];
    let mut all = Vec::new();
    for at in 0..100 {
        for (drawing, writer) in drawings.iter().zip(3..) {
            let update = drawing.put("a", at);
            assert_eq!(spans_of(&update), [(writer, at as u64, at as u64 + 1)]);
            assert!((170..230).contains(&update.len()), "{}", update.len());
            let message = update_message(&update);
            assert_eq!(Message::read(Dialect::Yjs, &message), Message::Update(&update));
            all.push(update);
        }
    }
    let merged = yrs::merge_updates_v1(&all).unwrap();
    assert_eq!(spans_of(&merged), [(3, 0, 100), (4, 0, 100)]);
    let later = yrs::merge_updates_v1(&all[10..50]).unwrap();
    assert_eq!(spans_of(&later), [(3, 5, 25), (4, 5, 25)]);
    let gap = yrs::merge_updates_v1([&all[10], &all[12], &all[20]]).unwrap();
    assert_eq!(spans_of(&gap), [(3, 5, 7), (3, 10, 11)]);
    assert_eq!(spans_of(&[0, 0]), []);
    assert_eq!(writer_of(7), None);
}

#[test]
fn what_is_overwritten_is_still_known_by_its_clock() {
    let drawing = Drawing::new(client_of(1));
    for at in 0..50 {
        drawing.put(if at % 2 == 0 { "a" } else { "b" }, at);
    }
    assert_eq!(spans_of(&drawing.state()), [(1, 0, 50)]);
}

#[test]
fn one_struct_of_many_clocks_is_all_of_them() {
    let mut update = vec![1, 1];
    put_number(&mut update, client_of(3));
    update.extend([7, GARBAGE, 5, 0]);
    assert_eq!(spans_of(&update), [(3, 7, 12)]);
}

#[test]
fn what_is_no_update_says_so_and_costs_nothing() {
    let none = |_, _, _| panic!("there is nothing in it");
    // As many clients as there can be, of which each wants room.
    for garbage in [
        &[][..],
        &[0xff; 40],
        &[0xff, 0xff, 0xff, 0x7f, 1, 1],
        &[2, 1, 7],
        b"<html>",
    ] {
        assert!(!spans(garbage, none), "{garbage:?}");
    }
    assert!(spans(&[0, 0], none));
    // Whatever it is, nobody falls over it.
    let whole = Drawing::new(client_of(1));
    let updates = [0, 1, 2].map(|at| whole.put("a", at));
    let merged = yrs::merge_updates_v1(updates).unwrap();
    for at in 0..merged.len() {
        for byte in [0, 1, 0x7f, 0x80, 0xff] {
            let mut update = merged.clone();
            update[at] = byte;
            spans(&update, |_, _, _| {});
            spans(&merged[..at], |_, _, _| {});
        }
    }
}

#[test]
fn frames_lie_one_after_the_other() {
    for prefix in [Vec::new(), Dialect::Hocuspocus.prefix("a room")] {
        let mut author = Author::new(0);
        let mut feed = Feed::default();
        feed.grow(&mut author, 3, &prefix);
        feed.grow(&mut author, 2, &prefix);
        assert_eq!((feed.end(0), feed.end(3)), (0, feed.frames.len()));
        let mut at = 0;
        for n in 1..=3 {
            let header = ws::Header::read(feed.bytes(at, feed.end(3))).unwrap();
            assert_eq!(at + header.total(), feed.end(n));
            assert_eq!((feed.boundary(at), feed.boundary(at + 1)), (at, feed.end(n)));
            at = feed.end(n);
        }
    }
}

#[test]
fn messages_cut_short_are_no_update() {
    let read = |payload: &'static [u8]| Message::read(Dialect::Yjs, payload);
    assert_eq!(read(&[]), Message::Other);
    assert_eq!(read(&[0, 2]), Message::Other);
    assert_eq!(read(&[0, 2, 9, 1]), Message::Other);
    assert_eq!(read(&[0, 0, 1, 0]), Message::Step1(&[0]));
    assert_eq!(read(&EMPTY_STEP_2), Message::Step2(&[0, 0]));
    assert_eq!(read(&[2, 0, 1, b'x']), Message::Denied);
    assert_eq!(read(&[4, 2, 1, 7]), Message::Other);
}

#[test]
fn hocuspocus_says_the_name_first() {
    let read = |message: &[u8]| {
        let mut payload = Dialect::Hocuspocus.prefix("plan");
        payload.extend_from_slice(message);
        format!("{:?}", Message::read(Dialect::Hocuspocus, &payload))
    };
    assert_eq!(read(&[0, 2, 1, 7]), "Update([7])");
    assert_eq!(read(&[4, 0, 1, 0]), "Step1([0])");
    assert_eq!(read(&[8, 1]), "Taken");
    assert_eq!(read(&[2, 1, 0]), "Denied");
    assert_eq!(read(&[2, 2, 0]), "Other");
    assert_eq!(Message::read(Dialect::Hocuspocus, &[9]), Message::Other);
    let greeting = Dialect::Hocuspocus.greeting("t").unwrap();
    assert_eq!(greeting, [&[2, 0, 1, b't', 5][..], b"4.7.0"].concat());
    assert_eq!(Dialect::Yjs.greeting("t"), None);
}

#[test]
fn state_vectors_and_cursors_are_read_as_written() {
    let message = step_1(&[(client_of(2), 300), (9, 1)]);
    let Message::Step1(vector) = Message::read(Dialect::Yjs, &message) else {
        panic!("no step 1");
    };
    let clocks = [client_of(2), 9, 10].map(|client| clock_in(vector, client));
    assert_eq!(clocks, [300, 1, 0]);
    assert_eq!(clock_in(&[5, 1], 1), 0);
    assert!(<yrs::StateVector as Decode>::decode_v1(vector).is_ok());

    let message = cursor_message(77, 5);
    let Message::Awareness(update) = Message::read(Dialect::Yjs, &message) else {
        panic!("no awareness");
    };
    let mut all = Vec::new();
    cursors(update, |client, clock| all.push((client, clock)));
    assert_eq!(all, [(77, 5)]);
    assert!(yrs::sync::awareness::AwarenessUpdate::decode_v1(update).is_ok());
    // Somebody who left has no state.
    cursors(&[1, 77, 6, 4, b'n', b'u', b'l', b'l'], |_, _| panic!("no state"));
}

#[test]
fn clocks_beyond_all_numbers_are_no_update() {
    // Found by trying: the decoder adds lengths to clocks, and falls over its own feet.
    let mut update = vec![1, 2];
    for number in [client_of(1), 0xffff_fff0] {
        put_number(&mut update, number);
    }
    for _ in 0..2 {
        update.push(GARBAGE);
        put_number(&mut update, 0x7fff_ffff);
    }
    update.push(0);
    assert!(!spans(&update, |_, _, _| {}));
}
