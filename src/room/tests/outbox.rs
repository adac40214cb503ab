//! What waits for a member: its bound, its order, and what is kept for it.

use super::*;

fn bounded(outbox_bytes_max: usize) -> Table {
    Table::with(RoomSettings {
        outbox_bytes_max,
        ..settings()
    })
}

fn is_closing(table: &Table, peer: usize) -> bool {
    table.room.closing(table.member(peer)) == Some(Fault::SlowConsumer)
}

#[test]
fn a_member_may_be_exactly_the_bound_behind_and_not_one_byte_more() {
    let frame = sync::update_frame(&insert(7, 1, "a")).len();
    for (bound, ends) in [
        (10 * frame - 1, true),
        (10 * frame, false),
        (10 * frame + 1, false),
    ] {
        let mut table = bounded(bound);
        let [author, slow, quick] = [table.editor("a"), table.editor("b"), table.editor("c")];
        table.update(author, &insert(7, 0, "a")).unwrap();
        table.read(slow);
        for clock in 1..=10 {
            table.update(author, &insert(7, clock, "a")).unwrap();
            table.read(quick);
        }
        table.tick();
        assert_eq!(is_closing(&table, slow), ends, "{bound}");
        assert!(!is_closing(&table, quick) && !is_closing(&table, author));
    }
}

#[test]
fn a_slow_member_is_woken_to_end_even_when_its_socket_takes_nothing() {
    let mut table = bounded(100);
    let [author, slow] = [table.editor("a"), table.editor("b")];
    let member = table.member(slow);
    let alarm = Arc::new(Alarm::default());
    assert_eq!(
        table.room.poll_closing(member, &Waker::from(Arc::clone(&alarm))),
        None
    );
    for clock in 0..20 {
        table.update(author, &insert(7, clock, "a")).unwrap();
    }
    assert!(
        alarm.0.load(std::sync::atomic::Ordering::SeqCst),
        "at once, not at the next tick"
    );
    assert_eq!(
        table.room.poll_closing(member, Waker::noop()),
        Some(Fault::SlowConsumer)
    );
    assert_eq!(table.read(slow), [Got::Closed(Fault::SlowConsumer)]);
    assert_eq!(table.room.outbox.bytes_behind(table.room.outbox.end()), 0);
    table.tick();
    assert_eq!(table.room.outbox.len_bytes(), 0, "one who ends holds nothing up");
}

#[derive(Debug, Default)]
struct Alarm(std::sync::atomic::AtomicBool);

impl std::task::Wake for Alarm {
    fn wake(self: Arc<Self>) {
        self.0.store(true, std::sync::atomic::Ordering::SeqCst);
    }
}

#[test]
fn one_frame_however_large_makes_nobody_a_slow_consumer() {
    let mut table = bounded(100_000);
    let [author, other] = [table.editor("a"), table.editor("b")];
    let large = insert(7, 0, &"x".repeat(400_000));
    let small = insert(8, 0, "y");
    table.update(author, &small).unwrap();
    table.update(author, &large).unwrap();
    table.update(author, &insert(8, 1, "z")).unwrap();
    table.tick();
    table.commit_all();
    table.tick();
    assert_eq!(
        table.read(other),
        [&small, &large, &insert(8, 1, "z")].map(|u| Got::Update(u.clone()))
    );
    assert_eq!(table.read(author).len(), 3, "nor does its echo");
    // Five of them are too much for somebody who takes none.
    for clock in 0..5 {
        table
            .update(author, &insert(9, clock * 50_000, &"x".repeat(50_000)))
            .unwrap();
    }
    table.tick();
    assert!(is_closing(&table, other));
}

#[test]
fn what_is_told_to_one_member_counts_too_even_in_a_quiet_room() {
    let mut table = bounded(1_000);
    let peer = table.editor("a");
    let mut sent = 0;
    // Nobody shows a state: each answer is an empty message.
    while table.send(peer, &[3]).is_ok() {
        sent += 1;
        assert!(sent < 300, "asking without reading is bounded");
    }
    assert!(is_closing(&table, peer));
}

#[test]
fn states_are_made_when_they_can_leave_however_often_they_are_asked_for() {
    let mut table = bounded(100_000);
    let large = format!("\"{}\"", "x".repeat(10_000));
    let peers: Vec<usize> = (0..15).map(|n| table.editor(&format!("{n}"))).collect();
    for (id, peer) in (1..).zip(&peers) {
        table.aware(*peer, &[(id, 1, &large)]).unwrap();
        table.read(*peer);
    }
    let joiner = table.join("late", Level::Edit);
    for _ in 0..100 {
        table.send(joiner, &[3]).unwrap();
    }
    assert!(table.waiting_bytes(joiner) < 100, "nothing but its step 1");
    let mut told = Vec::new();
    loop {
        let some = table.read_once(joiner);
        for got in &some {
            if let Got::Awareness(entries) = got {
                let bytes: usize = entries.iter().map(|entry| entry.2.len()).sum();
                assert!(bytes < limits::AWARENESS_PART_BYTES_MAX + 10_000, "{bytes}");
                told.extend(entries.iter().map(|entry| entry.0));
            }
        }
        if some.is_empty() {
            break;
        }
    }
    assert_eq!(told, (1..=15).collect::<Vec<u64>>(), "each once");
}

#[test]
fn a_step_2_does_not_count_but_asking_for_it_again_and_again_does() {
    let mut table = bounded(10_000);
    let author = table.editor("a");
    for clock in 0..10 {
        table
            .update(author, &insert(7, clock * 2_000, &"x".repeat(2_000)))
            .unwrap();
    }
    let joiner = table.join("b", Level::View);
    table.send(joiner, &message(&[0, 0], &[0])).unwrap();
    table.update(author, &insert(8, 0, "late")).unwrap();
    table.tick();
    assert!(!is_closing(&table, joiner));
    // It holds what there was when it was asked for, and what came since follows.
    let got = table.read(joiner);
    assert!(matches!(&got[0], Got::Step2(state) if state.len() > 20_000));
    assert_eq!(got[1..], [Got::Update(insert(8, 0, "late"))]);
    let mut asked = 0;
    while table.send(joiner, &message(&[0, 0], &[0])).is_ok() {
        asked += 1;
        assert!(asked < 100, "each holds memory");
    }
    assert!(is_closing(&table, joiner));
    assert_eq!(
        asked, 2,
        "one is free while it waits, and the next, which counts in full, is too much"
    );
}

#[test]
fn a_step_2_never_holds_what_its_reader_sent_after_asking() {
    let mut table = Table::default();
    let author = table.editor("a");
    table.send(author, &message(&[0, 0], &[0])).unwrap();
    table.update(author, &insert(7, 0, "a")).unwrap();
    assert_eq!(
        table.read(author),
        [Got::Step2(vec![0, 0])],
        "it would pass for a saved echo"
    );
}

#[test]
fn the_log_is_cut_behind_the_slowest_and_an_idle_room_keeps_none() {
    let mut table = Table::default();
    let [author, slow, quick] = [table.editor("a"), table.editor("b"), table.editor("c")];
    let text = "x".repeat(1_000);
    for clock in 0..10 {
        table.update(author, &insert(7, clock * 1_000, &text)).unwrap();
        table.read(quick);
        table.tick();
    }
    let held = table.room.outbox.len_bytes();
    assert!(held > 10_000, "{held}: the slow one has yet to get it");
    assert_eq!(table.read(slow).len(), 10);
    table.tick();
    assert_eq!(table.room.outbox.len_bytes(), 0);
    // An only author holds nothing up.
    table.leave(slow);
    table.leave(quick);
    table.update(author, &insert(7, 10_000, &text)).unwrap();
    assert_eq!(table.room.outbox.len_bytes(), 0);
}

#[test]
fn its_own_frames_leave_before_the_log_and_large_ones_alone() {
    let mut table = Table::default();
    let [author, peer] = [table.editor("a"), table.editor("b")];
    table.update(author, &insert(7, 0, &"x".repeat(LARGE))).unwrap();
    table.send(peer, &message(&[0, 0], &[0])).unwrap();
    table.send(peer, &[3]).unwrap();
    assert!(matches!(table.read_once(peer)[..], [Got::Step2(_)]));
    assert!(matches!(
        table.read_once(peer)[..],
        [Got::Awareness(_), Got::Update(_)]
    ));
    assert_eq!(table.read_once(peer), []);
    // With bytes gathered already, a large frame waits for the next turn and is not lost.
    table.send(peer, &[3]).unwrap();
    table.send(peer, &message(&[0, 0], &[0])).unwrap();
    assert!(matches!(table.read_once(peer)[..], [Got::Awareness(_)]));
    assert!(matches!(table.read_once(peer)[..], [Got::Step2(_)]));
}

const LARGE: usize = 16 * 1024;

#[test]
fn much_leaves_in_portions_of_whole_frames() {
    let mut table = Table::default();
    let [author, peer] = [table.editor("a"), table.editor("b")];
    let text = "x".repeat(60_000);
    for clock in 0..10 {
        table.update(author, &insert(7, clock * 60_000, &text)).unwrap();
    }
    assert_eq!(table.read_once(peer).len(), 5, "256 KiB and the rest of a frame");
    assert_eq!(table.read(peer).len(), 5);
}
