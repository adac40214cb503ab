//! Tests of a room with its sessions: what the contract says about sync, saving and the order of things.
//!
//! Presence between members, liveness and outboxes are in `tests/`.

use std::time::Duration;

use std::sync::Arc;

use super::harness::*;
use super::member::Pulse;
use super::*;

mod agents;
mod answers;
mod due;
mod feed;
mod flush;
mod gather;
mod outbox;
mod presence;
mod time;

const SECOND: Duration = Duration::from_secs(1);

fn step_2(got: &[Got]) -> Vec<u8> {
    match got {
        [Got::Step2(update)] => update.clone(),
        other => panic!("one step 2 was due, not {other:?}"),
    }
}

#[test]
fn on_open_editors_are_asked_and_all_learn_who_is_there() {
    let mut table = Table::default();
    let first = table.join("alice", Level::Edit);
    assert_eq!(table.read(first), [Got::Step1(vec![0])]);
    table.update(first, &insert(7, 0, "ab")).unwrap();
    table.aware(first, &[(7, 1, "{}")]).unwrap();
    for (level, asks) in [(Level::View, false), (Level::Comment, false), (Level::Edit, true)] {
        let peer = table.join("bob", level);
        let mut expected = vec![Got::Awareness(vec![(7, 1, "{}".into())])];
        if asks {
            expected.insert(0, Got::Step1(vec![1, 7, 2]));
        }
        assert_eq!(table.read(peer), expected, "{level:?}");
    }
}

#[test]
fn members_are_bounded_and_places_are_reused() {
    let mut table = Table::with(RoomSettings {
        members_max: 2,
        ..settings()
    });
    let first = table.join("a", Level::Edit);
    let second = table.join("b", Level::View);
    assert_eq!(table.try_join("c", Level::Edit), Err(Fault::TooManyConnections));
    let place = table.member(first);
    table.leave(first);
    let third = table.join("c", Level::Edit);
    assert_eq!((table.member(third), table.room.member_count()), (place, 2));
    assert_ne!(table.member(second), place);
}

#[test]
fn step_1_is_answered_with_what_is_lacking_and_all_deletions() {
    let mut table = Table::default();
    let peer = table.editor("alice");
    let ask = |table: &mut Table, vector: &[u8]| {
        table.send(peer, &message(&[0, 0], vector)).unwrap();
        step_2(&table.read(peer))
    };
    assert_eq!(ask(&mut table, &[0]), [0, 0]);
    assert_eq!(ask(&mut table, &[1, 9, 9]), [0, 0]);
    table.update(peer, &insert(7, 0, "abc")).unwrap();
    table.update(peer, &delete(7, 1, 1)).unwrap();
    let deletions = [1, 7, 1, 1, 1];
    assert_eq!(ask(&mut table, &[1, 7, 3]), [&[0][..], &deletions].concat());
    let rest = [&[1, 1, 7, 2, 0x84, 7, 1, 1, b'c'][..], &deletions].concat();
    assert_eq!(ask(&mut table, &[1, 7, 2]), rest);
    let whole = [&[1, 1, 7, 0, 4, 1, 1, b'r', 3, b'a', b'b', b'c'][..], &deletions].concat();
    assert_eq!(ask(&mut table, &[0]), whole);
    // Viewers are answered alike, as often as they ask.
    let viewer = table.join("bob", Level::View);
    table
        .send(viewer, &[message(&[0, 0], &[0]), message(&[0, 0], &[0])].concat())
        .unwrap();
    assert_eq!(table.read(viewer), [Got::Step2(whole.clone()), Got::Step2(whole)]);
    assert_eq!(
        table.send(viewer, &message(&[0, 0], &[2, 0])),
        Err(Fault::MalformedMessage)
    );
}

#[test]
fn what_is_new_goes_to_all_others_and_not_to_its_author() {
    let mut table = Table::default();
    let [author, other, viewer] = [table.editor("a"), table.editor("b"), table.join("c", Level::View)];
    for types in [[0, 2], [0, 1]] {
        let update = insert(u64::from(types[1]), 0, "x");
        table.send(author, &message(&types, &update)).unwrap();
        assert_eq!(table.read(author), []);
        assert!(table.is_woken(other));
        assert_eq!(table.read(other), [Got::Update(update.clone())]);
        assert_eq!(table.read(viewer), [Got::Update(update)]);
    }
    assert_eq!(table.queued.len(), 2);
}

/// After a crash another's step 2 brings back what somebody wrote: a stock client takes what is its own for
/// saved, whoever brought it.
#[test]
fn what_is_a_members_own_comes_to_it_once_it_is_durable_though_another_brought_it() {
    let mut table = Table::default();
    let [owner, other, third] = [table.editor("a"), table.editor("b"), table.editor("c")];
    table.aware(owner, &[(7, 1, "{}")]).unwrap();
    table.aware(other, &[(8, 1, "{}")]).unwrap();
    for (own, foreign) in [
        // Of the owner alone, and together with somebody else's.
        (insert(7, 0, "a"), insert(8, 0, "b")),
        (both(&insert(7, 1, "a"), &insert(9, 0, "c")), insert(9, 1, "d")),
    ] {
        for peer in [owner, other, third] {
            table.read(peer);
        }
        table.send(other, &message(&[0, 1], &own)).unwrap();
        assert_eq!(table.read(third), [Got::Update(own.clone())]);
        assert_eq!(table.read(owner), [], "it would look saved");
        table.send(other, &message(&[0, 2], &foreign)).unwrap();
        assert_eq!(table.read(owner), [], "what comes after it may build on it");
        table.commit(1);
        assert_eq!(
            table.read(owner),
            [Got::Update(own.clone()), Got::Update(foreign.clone())],
            "the first is durable"
        );
        table.commit_all();
        assert_eq!(table.read(owner), []);
        assert_eq!(table.read(other), [Got::Update(own), Got::Update(foreign)]);
    }
    for clock in 2..5 {
        table
            .send(other, &message(&[0, 2], &insert(7, clock, "z")))
            .unwrap();
    }
    table.commit(1);
    assert_eq!(
        table.read(owner).len(),
        3,
        "the first is durable, and it is not held up for ever"
    );
    table.commit_all();
    let known = insert(7, 0, "a");
    table
        .send(third, &message(&[0, 2], &both(&known, &insert(10, 0, "e"))))
        .unwrap();
    assert_eq!(
        table.read(owner),
        [Got::Update(insert(10, 0, "e"))],
        "nothing of it is new"
    );
}

/// Two updates of one client each as one, the higher client first.
fn both(low: &[u8], high: &[u8]) -> Vec<u8> {
    let structs = |update: &[u8]| update[1..update.len() - 1].to_vec();
    [vec![2], structs(high), structs(low), vec![0]].concat()
}

#[test]
fn what_is_known_goes_nowhere_and_what_is_partly_known_is_trimmed() {
    let mut table = Table::default();
    let [author, other] = [table.editor("a"), table.editor("b")];
    table.update(author, &insert(7, 0, "ab")).unwrap();
    table.read(other);
    for known in [&insert(7, 0, "ab")[..], &insert(7, 0, "a"), &[0, 0]] {
        table.update(author, known).unwrap();
        assert_eq!((table.read(other), table.queued.len()), (vec![], 1), "{known:?}");
    }
    table.update(author, &insert(7, 0, "abcd")).unwrap();
    let rest = insert(7, 2, "cd");
    assert_eq!(table.read(other), [Got::Update(rest.clone())]);
    assert!(matches!(&table.queued[1], Change::Append { sequence: 2, update, .. } if *update == rest));
}

#[test]
fn a_hole_is_not_kept_and_is_asked_for_at_most_once_a_second() {
    let mut table = Table::default();
    let [author, other] = [table.editor("a"), table.editor("b")];
    let ask = [Got::Step1(vec![0])];
    table.update(author, &insert(7, 1, "b")).unwrap();
    assert_eq!(table.read(author), ask);
    table.update(author, &insert(7, 1, "b")).unwrap();
    table.pass(Duration::from_millis(999));
    table.update(author, &insert(7, 1, "b")).unwrap();
    table.tick();
    assert_eq!(table.read(author), [], "too soon");
    // The hole that came too soon is not forgotten.
    table.pass(Duration::from_millis(1));
    table.tick();
    assert_eq!(table.read(author), ask);
    table.pass(2 * SECOND);
    table.tick();
    assert_eq!(table.read(author), [], "nothing is owed any more");
    assert_eq!((table.read(other), table.queued.len()), (vec![], 0));
    assert!(table.room.board().is_empty());
    // Another connection is asked by its own measure, and the step 2 fills the hole.
    table.update(other, &insert(7, 1, "b")).unwrap();
    assert_eq!(table.read(other), ask);
    table.send(other, &message(&[0, 1], &insert(7, 0, "ab"))).unwrap();
    assert_eq!(table.read(author), [Got::Update(insert(7, 0, "ab"))]);
}

#[test]
fn authors_get_their_updates_back_in_order_and_only_once_durable() {
    let mut table = Table::default();
    let [author, other] = [table.editor("a"), table.editor("b")];
    let updates = [insert(7, 0, "a"), insert(7, 1, "b"), delete(7, 0, 1)];
    for update in &updates {
        table.update(author, update).unwrap();
    }
    table.update(other, &insert(8, 0, "x")).unwrap();
    assert_eq!(
        table.read(author),
        [Got::Update(insert(8, 0, "x"))],
        "of others only"
    );
    table.commit(2);
    assert_eq!(
        table.read(author),
        [Got::Update(updates[0].clone()), Got::Update(updates[1].clone())]
    );
    table.read(other);
    table.commit(1);
    assert_eq!(
        (table.read(author), table.read(other)),
        (vec![Got::Update(updates[2].clone())], vec![])
    );
    table.commit(1);
    assert_eq!(
        (table.read(author), table.read(other)),
        (vec![], vec![Got::Update(insert(8, 0, "x"))])
    );
}

#[test]
fn repeated_updates_are_echoed_once_what_they_repeat_is_durable() {
    let mut table = Table::default();
    let [author, again] = [table.editor("a"), table.editor("b")];
    let update = insert(7, 0, "a");
    table.update(author, &update).unwrap();
    table.update(again, &update).unwrap();
    table.read(again);
    assert_eq!(table.read(again), []);
    table.commit_all();
    assert_eq!(table.read(again), [Got::Update(update.clone())]);
    table.update(again, &update).unwrap();
    assert_eq!(table.read(again), [Got::Update(update)], "it is durable already");
    table.update(again, &[0, 0]).unwrap();
    assert_eq!(table.read(again), [], "the empty update says nothing");
}

#[test]
fn a_trimmed_update_is_echoed_as_it_came() {
    let mut table = Table::default();
    let [author, other] = [table.editor("a"), table.editor("b")];
    table.update(other, &insert(7, 0, "a")).unwrap();
    table.update(author, &insert(7, 0, "ab")).unwrap();
    table.read(author);
    table.commit(1);
    assert_eq!(table.read(author), []);
    table.commit(1);
    assert_eq!(table.read(author), [Got::Update(insert(7, 0, "ab"))]);
}

#[test]
fn with_the_echo_off_nothing_comes_back() {
    let mut table = Table::with(RoomSettings {
        saved_echo: SavedEcho::Off,
        ..settings()
    });
    let author = table.editor("a");
    table.update(author, &insert(7, 0, "a")).unwrap();
    table.commit_all();
    table.update(author, &insert(7, 0, "a")).unwrap();
    assert_eq!(table.read(author), []);
}

#[test]
fn who_has_left_gets_no_echo_and_neither_does_who_takes_its_place() {
    let mut table = Table::default();
    let [author, _stays] = [table.editor("a"), table.editor("b")];
    table.update(author, &insert(7, 0, "a")).unwrap();
    let place = table.member(author);
    table.leave(author);
    let next = table.join("c", Level::View);
    assert_eq!(table.member(next), place);
    table.commit_all();
    assert_eq!(table.read(next), []);
}

#[test]
fn a_returning_client_gets_its_last_durable_structs_back() {
    let mut table = Table::default();
    let author = table.editor("a");
    table.update(author, &insert(7, 0, "ab")).unwrap();
    table.leave(author);
    let back = table.editor("a");
    let echoes = |got: Vec<Got>| {
        got.into_iter()
            .filter(|g| matches!(g, Got::Update(_)))
            .collect::<Vec<_>>()
    };
    table.aware(back, &[(7, 1, "{}")]).unwrap();
    assert_eq!(echoes(table.read(back)), [], "not durable yet");
    table.commit_all();
    assert_eq!(echoes(table.read(back)), [Got::Update(insert(7, 0, "ab"))]);
    // Only its own id, only for editors, only at the claim.
    for (level, id) in [(Level::Edit, 8), (Level::View, 7)] {
        let peer = table.join("a", level);
        table.aware(peer, &[(id, 5, "{}")]).unwrap();
        table.aware(peer, &[(7, 6, "{}")]).unwrap();
        assert_eq!(echoes(table.read(peer)), [], "{level:?} {id}");
    }
}

#[test]
fn those_without_edit_change_nothing_and_are_told_at_most_once_a_second() {
    for level in [Level::View, Level::Comment] {
        let mut table = Table::default();
        let editor = table.editor("a");
        table.update(editor, &insert(7, 0, "ab")).unwrap();
        table.commit_all();
        table.read(editor);
        let peer = table.join("b", level);
        for quiet in [&insert(7, 0, "ab")[..], &insert(7, 0, "a"), &[0, 0]] {
            table.send(peer, &message(&[0, 1], quiet)).unwrap();
            assert_eq!(table.read(peer), [], "{quiet:?} brings nothing");
        }
        for loud in [
            insert(9, 0, "x"),
            insert(9, 5, "x"),
            delete(7, 0, 1),
            insert(7, 0, "abc"),
        ] {
            for types in [[0, 1], [0, 2]] {
                table.send(peer, &message(&types, &loud)).unwrap();
                table.pass(Duration::from_millis(499));
                table.send(peer, &message(&types, &loud)).unwrap();
                assert_eq!(table.read(peer), [Got::Denied], "{loud:?}");
                table.pass(Duration::from_millis(501));
            }
        }
        assert_eq!((table.read(editor), table.queued.len()), (vec![], 0));
        assert_eq!(table.room.board().state_vector(), [1, 7, 2]);
        assert_eq!(table.update(peer, &[9, 9]), Err(Fault::MalformedUpdate));
    }
}

#[test]
fn a_raised_member_is_asked_and_a_lowered_one_is_told_at_its_next_write() {
    let mut table = Table::default();
    let peer = table.join("a", Level::View);
    table.decide(peer, Ok(Level::Edit));
    assert_eq!(table.read(peer), [Got::Step1(vec![0])]);
    table.update(peer, &insert(7, 0, "a")).unwrap();
    table.decide(peer, Ok(Level::Comment));
    assert_eq!(table.read(peer), []);
    table.update(peer, &insert(7, 1, "b")).unwrap();
    assert_eq!(table.read(peer), [Got::Denied]);
    assert_eq!(table.queued.len(), 1);
}

#[test]
fn one_that_was_lowered_is_not_asked_for_what_it_was_to_be_asked() {
    for (level, asked) in [(Level::Edit, 1), (Level::Comment, 0)] {
        let mut table = Table::default();
        let peer = table.editor("a");
        // Two holes within a second: the second is asked about later.
        table.update(peer, &insert(7, 5, "a")).unwrap();
        table.update(peer, &insert(7, 6, "b")).unwrap();
        assert_eq!(table.read(peer), [Got::Step1(vec![0])]);
        table.decide(peer, Ok(level));
        table.pass(Duration::from_millis(1_001));
        table.tick();
        let steps = table.read(peer).into_iter();
        assert_eq!(
            steps.filter(|got| matches!(got, Got::Step1(_))).count(),
            asked,
            "{level:?}"
        );
    }
}

#[test]
fn refused_updates_close_and_leave_the_board_alone() {
    let mut table = Table::default();
    let peer = table.editor("a");
    table.room.board = Board::new(crate::update::Budgets {
        bytes: 20,
        ..Default::default()
    });
    assert_eq!(
        table.update(peer, &insert(7, 0, &"x".repeat(20))),
        Err(Fault::OverBudget)
    );
    assert_eq!(table.update(peer, &[1, 1, 7]), Err(Fault::MalformedUpdate));
    assert!(table.room.board().is_empty() && table.queued.is_empty());
}

#[test]
fn one_who_is_about_to_end_changes_nothing_any_more() {
    let mut table = Table::default();
    let [peer, other] = [table.editor("a"), table.editor("b")];
    table.decide(peer, Err(Fault::NoPermission));
    assert!(table.is_woken(peer));
    assert_eq!(table.update(peer, &insert(7, 0, "a")), Err(Fault::NoPermission));
    assert_eq!(table.read(peer), [Got::Closed(Fault::NoPermission)]);
    table.decide(peer, Err(Fault::Internal));
    assert_eq!(
        table.read(peer),
        [Got::Closed(Fault::NoPermission)],
        "the first cause counts"
    );
    assert_eq!((table.read(other), table.queued.len()), (vec![], 0));
}

#[test]
fn a_retired_room_refuses_everything() {
    let mut table = Table::default();
    let peer = table.editor("a");
    table.update(peer, &insert(7, 0, "a")).unwrap();
    let (capture, covers) = table.room.begin_compaction().unwrap();
    table.room.retire();
    assert_eq!(table.update(peer, &insert(7, 1, "b")), Ok(Duration::ZERO));
    assert_eq!((table.queued.len(), table.read(peer)), (1, vec![]));
    let compacted = board::compact(&capture).unwrap();
    table.step(|room, effects, _| room.finish_compaction(compacted, covers, effects));
    assert_eq!(table.queued.len(), 1, "what it holds may never have been durable");
    assert!(table.room.begin_compaction().is_none());
}

// --- compaction and unloading -----------------------------------------------------------------------------

fn due(table: &Table) -> bool {
    table.room.compaction_due(table.now.tick)
}

fn compact(table: &mut Table) {
    let (capture, covers) = table.room.begin_compaction().unwrap();
    let compacted = board::compact(&capture).unwrap();
    table.step(|room, effects, _| room.finish_compaction(compacted, covers, effects));
}

#[test]
fn compaction_is_due_after_the_last_change_and_under_steady_change() {
    let mut table = Table::default();
    let peer = table.editor("a");
    assert!(!due(&table));
    table.update(peer, &insert(7, 0, "a")).unwrap();
    table.pass(Duration::from_millis(4_999));
    assert!(!due(&table));
    table.pass(Duration::from_millis(1));
    assert!(due(&table));
    compact(&mut table);
    assert!(!due(&table));
    let Some(Change::Snapshot { covers: 1, state, .. }) = table.queued.last() else {
        panic!("a full state")
    };
    assert_eq!(*state, insert(7, 0, "a"));
    for clock in 1..=30 {
        assert!(!due(&table), "{clock}");
        table.update(peer, &insert(7, clock, "a")).unwrap();
        table.pass(SECOND);
    }
    assert!(due(&table), "30 s under steady change");
}

#[test]
fn compaction_is_due_at_four_mebibytes_of_log() {
    let mut table = Table::default();
    let peer = table.editor("a");
    let text = "x".repeat(limits::COMPACT_LOG_BYTES / 2 + 1_000);
    table.update(peer, &insert(7, 0, &text)).unwrap();
    assert!(!due(&table));
    let left = limits::COMPACT_LOG_BYTES - 1 - table.room.board().log_bytes();
    let clock = text.len() as u64;
    let overhead = insert(7, clock, &text[..left - 100]).len() - (left - 100);
    table
        .update(peer, &insert(7, clock, &text[..left - overhead]))
        .unwrap();
    assert_eq!(table.room.board().log_bytes(), limits::COMPACT_LOG_BYTES - 1);
    assert!(!due(&table));
    table.update(peer, &delete(7, 0, 1)).unwrap();
    assert!(due(&table));
}

#[test]
fn the_last_to_leave_makes_a_changed_board_compact() {
    let mut table = Table::default();
    let [first, second] = [table.editor("a"), table.editor("b")];
    table.update(first, &insert(7, 0, "a")).unwrap();
    table.leave(first);
    assert_eq!((table.compactions_due, due(&table)), (0, false));
    table.leave(second);
    assert_eq!((table.compactions_due, due(&table)), (1, true));
    compact(&mut table);
    let third = table.editor("c");
    table.leave(third);
    assert_eq!(table.compactions_due, 1, "nothing has changed");
}

#[test]
fn a_compaction_is_queued_once_and_none_starts_beside_another() {
    let mut table = Table::default();
    let peer = table.editor("a");
    table.update(peer, &insert(7, 0, "a")).unwrap();
    table.pass(5 * SECOND);
    assert!(table.room.mark_compaction_queued());
    assert!(!table.room.mark_compaction_queued());
    assert!(!due(&table));
    let (capture, covers) = table.room.begin_compaction().unwrap();
    assert!(table.room.begin_compaction().is_none());
    assert!(!table.room.mark_compaction_queued());
    // What comes meanwhile is kept, and needs a compaction of its own.
    table.update(peer, &insert(7, 1, "b")).unwrap();
    let compacted = board::compact(&capture).unwrap();
    table.step(|room, effects, _| room.finish_compaction(compacted, covers, effects));
    assert_eq!((covers, table.room.board().state_vector()), (1, vec![1, 7, 2]));
    table.pass(5 * SECOND);
    assert!(due(&table) && table.room.mark_compaction_queued());
}

#[test]
fn an_abandoned_compaction_keeps_the_log_and_blocks_nothing() {
    let mut table = Table::default();
    let peer = table.editor("a");
    table.update(peer, &insert(7, 0, "a")).unwrap();
    table.room.begin_compaction().unwrap();
    table.room.abandon_compaction();
    assert_eq!(table.room.board().state_vector(), [1, 7, 1]);
    table.update(peer, &insert(7, 1, "b")).unwrap();
    compact(&mut table);
    assert!(matches!(
        table.queued.last(),
        Some(Change::Snapshot { covers: 2, .. })
    ));
}

#[test]
fn a_room_unloads_only_when_nobody_is_here_and_nothing_is_pending() {
    let idle = Duration::from_secs(60);
    let mut table = Table::default();
    let may = |table: &Table| table.room.may_unload(idle, table.now.tick);
    table.pass(idle - Duration::from_micros(1));
    assert!(!may(&table));
    table.pass(Duration::from_micros(1));
    assert!(may(&table), "it was never used");
    let peer = table.editor("a");
    table.update(peer, &insert(7, 0, "a")).unwrap();
    table.pass(idle);
    assert!(!may(&table), "somebody is here");
    table.leave(peer);
    assert!(!may(&table), "somebody was here just now");
    table.pass(idle);
    assert!(!may(&table), "not compacted, not durable");
    let (capture, covers) = table.room.begin_compaction().unwrap();
    assert!(!may(&table), "a compaction is running");
    let compacted = board::compact(&capture).unwrap();
    table.step(|room, effects, _| room.finish_compaction(compacted, covers, effects));
    assert!(!may(&table), "not durable");
    table.commit_all();
    assert!(may(&table));
}
