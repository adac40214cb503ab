//! Tests of answers to step 1 that are made off the room's lock: their moment, their place, and who shares
//! them.

use std::task::Waker;

use super::*;
use crate::room::Due;

/// A table whose board is so large that its answers are made apart, and its editor.
fn large() -> (Table, usize) {
    let mut table = Table::default();
    let writer = table.editor("writer");
    table
        .update(writer, &insert(7, 0, &"x".repeat(limits::ANSWER_APART_BYTES)))
        .unwrap();
    table.commit_all();
    table.read(writer);
    (table, writer)
}

/// Asks for an answer that is not made yet.
fn ask(table: &mut Table, peer: usize, vector: &[u8]) -> Vec<Job> {
    let member = table.member(peer);
    let mut effects = Effects::default();
    table.room.answer_step_1(member, vector, &mut effects).unwrap();
    effects.answers
}

fn answer(table: &mut Table, job: Job) {
    table.room.answered(job.make(), &None, &mut Effects::default());
}

fn is_nothing_due(table: &mut Table, peer: usize) -> bool {
    let (member, now) = (table.member(peer), table.now.tick);
    let mut buffer = Vec::new();
    let due = table.room.poll_outbound(member, now, Waker::noop(), &mut buffer);
    matches!(due, Due::Nothing) && buffer.is_empty()
}

#[test]
fn an_answer_is_of_the_moment_it_was_asked_for_and_leaves_before_what_came_later() {
    let (mut table, writer) = large();
    let reader = table.editor("reader");
    let before = table.room.full_state();
    let mut jobs = ask(&mut table, reader, &[0]);
    let clock = u64::try_from(limits::ANSWER_APART_BYTES).unwrap();
    let later = insert(7, clock, "later");
    table.update(writer, &later).unwrap();
    assert!(is_nothing_due(&mut table, reader), "what comes later waits too");
    assert!(table.pulse(reader).has_answers(), "and is not read meanwhile");
    answer(&mut table, jobs.remove(0));
    assert_eq!(
        table.read(reader),
        [Got::Step2(before.to_vec()), Got::Update(later)]
    );
    assert!(!table.pulse(reader).has_answers());
}

#[test]
fn equal_questions_share_an_answer_and_others_do_not() {
    let (mut table, writer) = large();
    let [a, b, c, d] = ["a", "b", "c", "d"].map(|name| table.editor(name));
    let mut jobs = ask(&mut table, a, &[0]);
    assert!(ask(&mut table, b, &[0]).is_empty(), "it is being made");
    let mut other = ask(&mut table, c, &[1, 7, 5]);
    assert_eq!((jobs.len(), other.len()), (1, 1));
    let clock = u64::try_from(limits::ANSWER_APART_BYTES).unwrap();
    table.update(writer, &insert(7, clock, "later")).unwrap();
    let mut newer = ask(&mut table, d, &[0]);
    assert_eq!(newer.len(), 1, "the board is another one");
    let job = jobs.remove(0);
    assert!(table.room.is_awaited(&job));
    answer(&mut table, job);
    for peer in [a, b] {
        let got = table.read(peer);
        assert!(matches!(&got[0], Got::Step2(state) if state.len() > limits::ANSWER_APART_BYTES));
    }
    assert!(is_nothing_due(&mut table, c) && is_nothing_due(&mut table, d));
    answer(&mut table, newer.remove(0));
    answer(&mut table, other.remove(0));
    let whole = table.read(d);
    let part = table.read(c);
    assert!(matches!((&whole[0], &part[0]), (Got::Step2(a), Got::Step2(b)) if a.len() > b.len()));
}

#[test]
fn who_has_nothing_of_a_board_with_a_long_log_gets_it_compacted_and_the_room_is_too() {
    let (mut table, writer) = large();
    let (length, half) = (u64::try_from(limits::ANSWER_APART_BYTES).unwrap(), 100_000);
    // Two thirds of what was written are deleted again.
    table
        .update(writer, &insert(7, length, &"y".repeat(half)))
        .unwrap();
    table.update(writer, &delete(7, 0, length)).unwrap();
    table.commit_all();
    let reader = table.editor("reader");
    let member = table.member(reader);
    let mut effects = Effects::default();
    table.room.answer_step_1(member, &[0], &mut effects).unwrap();
    assert!(effects.compaction_due);
    let mut job = effects.answers.remove(0);
    assert_eq!(job.at_hand(), None, "what is at hand is too long");
    let full = table.room.full_state();
    answer(&mut table, job);
    let Some(Got::Step2(state)) = table.read(reader).pop() else {
        panic!("no answer");
    };
    assert!(state.len() < half + 100 && full.len() > half + limits::ANSWER_APART_BYTES);
    // It is what the room will be.
    compact(&mut table);
    assert_eq!(*table.room.full_state(), *state);
    let mut effects = Effects::default();
    table.room.answer_step_1(member, &[0], &mut effects).unwrap();
    assert!(!effects.compaction_due, "the log is short now");
}

#[test]
fn a_log_is_long_when_it_is_large_and_larger_than_what_was_there_before() {
    let mut table = Table::default();
    let writer = table.editor("writer");
    let mut clock = 0;
    let mut write = |table: &mut Table, length: usize| {
        let was = table.room.board().encoded_bytes();
        let text = "x".repeat(length);
        table.update(writer, &insert(7, clock, &text)).unwrap();
        clock += u64::try_from(length).unwrap();
        (was, table.room.board().log_bytes())
    };
    write(&mut table, limits::ANSWER_APART_BYTES - 100);
    assert!(!table.room.board().has_long_log(), "it is not large");
    write(&mut table, 100);
    assert!(table.room.board().has_long_log());
    compact(&mut table);
    assert!(!table.room.board().has_long_log());
    let before = table.room.board().encoded_bytes();
    write(&mut table, before - 100);
    assert!(!table.room.board().has_long_log(), "it is not larger");
    write(&mut table, 100);
    assert!(table.room.board().has_long_log());
}

#[test]
fn an_answer_that_nobody_waits_for_need_not_be_made() {
    let (mut table, _) = large();
    let reader = table.editor("reader");
    let job = ask(&mut table, reader, &[0]).remove(0);
    table.leave(reader);
    assert!(!table.room.is_awaited(&job));
    table.room.give_up(&job);
    let reader = table.editor("again");
    assert_eq!(ask(&mut table, reader, &[0]).len(), 1, "it is asked for anew");
}

#[test]
fn a_state_vector_has_a_bound() {
    for (len, fits) in [
        (limits::VECTOR_BYTES_MAX - 1, true),
        (limits::VECTOR_BYTES_MAX, true),
        (limits::VECTOR_BYTES_MAX + 1, false),
    ] {
        let mut table = Table::default();
        let peer = table.editor("a");
        // Pairs of two bytes, and one of three where the length is odd.
        let mut vector = Vec::new();
        crate::lib0::put_number(&mut vector, ((len - 3) / 2) as u64);
        let lead = vector.len();
        vector.extend_from_slice(&[5, 1].repeat((len - lead) / 2));
        let count = (vector.len() - lead) / 2;
        let mut head = Vec::new();
        crate::lib0::put_number(&mut head, count as u64);
        assert_eq!(head.len(), lead);
        vector[..lead].copy_from_slice(&head);
        if vector.len() < len {
            // The last clock takes two bytes.
            vector.pop();
            vector.extend_from_slice(&[0x80, 1]);
        }
        assert_eq!(vector.len(), len);
        let sent = table.send(peer, &message(&[0, 0], &vector));
        assert_eq!(sent.is_ok(), fits, "{len}");
    }
}
