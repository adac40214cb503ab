//! Tests of what a session makes of frames: messages per frame, the rate, what is ignored and what closes.

use super::*;
use crate::room::harness::*;

const NOTHING: [u8; 2] = [0, 0];

#[test]
fn a_frame_may_hold_sixty_four_messages() {
    for (count, expected) in [(63, Ok(())), (64, Ok(())), (65, Err(Fault::MalformedMessage))] {
        let mut table = Table::default();
        let peer = table.editor("a");
        let frame = message(&[0, 2], &NOTHING).repeat(count);
        assert_eq!(table.send(peer, &frame).map(drop), expected, "{count}");
    }
}

#[test]
fn what_precedes_a_malformed_message_has_taken_effect() {
    let mut table = Table::default();
    let [peer, other] = [table.editor("a"), table.editor("b")];
    let frame = [message(&[0, 2], &insert(7, 0, "a")), vec![0, 9]].concat();
    assert_eq!(table.send(peer, &frame), Err(Fault::MalformedMessage));
    assert_eq!(table.read(other), [Got::Update(insert(7, 0, "a"))]);
}

#[test]
fn each_way_to_be_malformed_closes() {
    let cases: [(&[u8], Fault); 7] = [
        (&[0], Fault::MalformedMessage),
        (&[0, 3, 0], Fault::MalformedMessage),
        (&[0, 0, 2, 0, 0], Fault::MalformedMessage),
        (&[0, 2, 9, 0], Fault::MalformedMessage),
        (&[0, 2, 1, 9], Fault::MalformedUpdate),
        (&[0, 1, 3, 0, 0, 0], Fault::MalformedUpdate),
        (&[1, 2, 1, 1], Fault::MalformedMessage),
    ];
    for (frame, fault) in cases {
        let mut table = Table::default();
        let peer = table.editor("a");
        assert_eq!(table.send(peer, frame), Err(fault), "{frame:?}");
    }
}

#[test]
fn unknown_types_are_ignored_and_counted() {
    let mut table = Table::default();
    let peer = table.editor("a");
    for frame in [&[9, 1, 2][..], &[2, 0, 1, b'x'], &[100]] {
        table.send(peer, frame).unwrap();
    }
    assert_eq!(table.read(peer), []);
    assert_eq!(table.unknown_messages, 3);
}

#[test]
fn a_thousand_messages_pass_at_once_and_three_hundred_a_second_after() {
    let mut table = Table::default();
    let peer = table.editor("a");
    let nothing = message(&[0, 2], &NOTHING);
    for count in 1..=999 {
        assert_eq!(table.send(peer, &nothing), Ok(Duration::ZERO), "{count}");
    }
    let wait = table.send(peer, &nothing).unwrap();
    assert!(!wait.is_zero() && wait < Duration::from_millis(4), "{wait:?}");
    // One that waits as it is told gets the rate, and no more.
    let start = table.now.tick;
    for _ in 0..300 {
        let wait = table.send(peer, &nothing).unwrap();
        table.pass(wait);
    }
    let took = table.now.tick.since(start);
    assert!(
        took > Duration::from_millis(990) && took < Duration::from_millis(1_010),
        "{took:?}"
    );
    // Rest fills the bucket, and no further.
    table.pass(Duration::from_secs(100));
    for _ in 1..=999 {
        assert_eq!(table.send(peer, &nothing), Ok(Duration::ZERO));
    }
    assert!(!table.send(peer, &nothing).unwrap().is_zero());
}

#[test]
fn each_message_of_a_frame_counts_and_so_does_a_frame_without_any() {
    for (frame, passes) in [
        (vec![], 999),
        (message(&[0, 2], &NOTHING).repeat(50), 19),
        (vec![9], 999),
    ] {
        let mut table = Table::default();
        let peer = table.editor("a");
        for _ in 0..passes {
            assert_eq!(table.send(peer, &frame), Ok(Duration::ZERO));
        }
        assert!(!table.send(peer, &frame).unwrap().is_zero(), "{frame:?}");
    }
}

#[test]
fn awareness_that_changes_nothing_counts_by_its_steps_alone() {
    let sent = |idle: u64| {
        let mut table = Table::default();
        let peer = table.editor("a");
        table.aware(peer, &[(1, 1, "{}")]).unwrap();
        for _ in 0..idle {
            assert_eq!(table.aware(peer, &[(1, 1, "{}")]), Ok(Duration::ZERO));
        }
        let changes = (2..).take_while(|clock| table.aware(peer, &[(1, *clock, "{}")]) == Ok(Duration::ZERO));
        changes.count()
    };
    assert_eq!(sent(0), 998);
    assert!((900..998).contains(&sent(2_000)), "{}", sent(2_000));
}

#[test]
fn a_small_update_does_not_keep_a_large_frame_in_memory() {
    let frame = Bytes::from(vec![7; 100]);
    let shares = |part: &[u8]| std::ptr::eq(owned(&frame, part).as_ptr(), part.as_ptr());
    assert!(!shares(&frame[10..59]));
    assert!(shares(&frame[10..60]));
    assert_eq!(owned(&frame, &frame[..9]), frame.slice(..9));
}

#[test]
fn a_large_update_of_a_viewer_is_refused_without_being_read() {
    let mut table = Table::default();
    let [viewer, other] = [table.join("a", Level::View), table.editor("b")];
    table.read(viewer);
    // It does not even decode.
    let bytes = |len: usize| vec![0xff; len];
    let large = message(&[0, 2], &bytes(limits::APART_FROM_BYTES));
    table.send(viewer, &large).unwrap();
    assert_eq!(table.read(viewer), [Got::Denied]);
    let small = message(&[0, 2], &bytes(limits::APART_FROM_BYTES - 1));
    assert_eq!(table.send(viewer, &small), Err(Fault::MalformedUpdate));
    assert_eq!(table.read(other), []);
}

#[test]
fn an_update_joins_apart_from_its_size_on_and_the_rest_of_its_frame_follows() {
    for len in [
        limits::APART_FROM_BYTES - 1,
        limits::APART_FROM_BYTES,
        limits::APART_FROM_BYTES + 1,
    ] {
        let mut table = Table::default();
        let [peer, other] = [table.editor("a"), table.editor("b")];
        let lead = insert(7, 0, &"x".repeat(len)).len() - len;
        let large = insert(7, 0, &"x".repeat(len - lead));
        assert_eq!(large.len(), len);
        let text = u64::try_from(len - lead).unwrap();
        let after = insert(7, text, "y");
        let frame = [message(&[0, 2], &large), message(&[0, 2], &after)].concat();
        table.send(peer, &frame).unwrap();
        assert_eq!(
            table.read(other),
            [Got::Update(large.clone()), Got::Update(after.clone())]
        );
        table.commit_all();
        assert_eq!(
            table.read(peer),
            [Got::Update(large), Got::Update(after)],
            "{len}"
        );
    }
}

#[test]
fn awareness_about_others_counts_by_what_it_costs() {
    let mut table = Table::default();
    let [owner, other] = [table.editor("a"), table.editor("b")];
    table.aware(owner, &[(7, 5, "1")]).unwrap();
    // What a stock client sends back: nothing to speak of, for as long as one likes.
    for _ in 0..5_000 {
        assert_eq!(table.aware(other, &[(7, 5, "1")]), Ok(Duration::ZERO));
    }
    // As many entries as fit a message, over and over: slowed long before as many messages.
    let entries: Vec<(u64, u64, &str)> = (0..limits::AWARENESS_ENTRIES_MAX).map(|_| (7, 5, "1")).collect();
    let slowed = (0..1_000).position(|_| table.aware(other, &entries) != Ok(Duration::ZERO));
    assert!(slowed.is_some_and(|at| at > 3), "{slowed:?}");
}

#[test]
fn a_large_message_counts_as_many() {
    let unit = limits::MESSAGE_UNIT_BYTES;
    for (len, units) in [(unit - 1, 1), (unit, 2), (3 * unit, 4)] {
        assert_eq!(units, super::units(len, 0));
    }
    for (steps, units) in [
        (limits::MESSAGE_UNIT_STEPS - 1, 1),
        (limits::MESSAGE_UNIT_STEPS, 2),
        (u64::MAX, u32::MAX),
    ] {
        assert_eq!(units, super::units(0, steps));
    }
}
