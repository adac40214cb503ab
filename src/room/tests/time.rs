//! What time brings: pings, keepalives, and the ends of connections.

use super::*;
use crate::time::UnixMillis;

#[test]
fn pings_come_every_thirty_seconds_and_keepalives_after_twenty_without_a_message() {
    let mut table = Table::default();
    let peer = table.editor("a");
    let mut seen = Vec::new();
    for half in 1..=130u64 {
        table.live(Duration::from_millis(500));
        for got in table.read(peer) {
            seen.push((half * 500, got));
        }
    }
    let keepalive = || Got::Awareness(Vec::new());
    // The ping at 30 s does not count: the keepalives stay 20 s apart.
    let expected = [
        (20_000, keepalive()),
        (30_000, Got::Ping),
        (40_000, keepalive()),
        (60_000, keepalive()),
        (60_000, Got::Ping),
    ];
    assert_eq!(seen, expected);
}

#[test]
fn any_message_puts_the_keepalive_off() {
    let mut table = Table::default();
    let [author, other] = [table.editor("a"), table.editor("b")];
    table.live(Duration::from_millis(19_500));
    table.update(author, &insert(7, 0, "a")).unwrap();
    table.read(other);
    table.live(Duration::from_millis(19_500));
    assert_eq!(table.read(other), [Got::Ping]);
    table.live(Duration::from_millis(500));
    assert_eq!(table.read(other), [Got::Awareness(Vec::new())]);
}

#[test]
fn own_frames_that_are_left_out_are_no_message() {
    let mut table = Table::default();
    let [author, other] = [table.editor("a"), table.editor("b")];
    table
        .update(other, &insert(8, 0, &"x".repeat(limits::GATHER_BYTES_MAX)))
        .unwrap();
    table.update(author, &insert(7, 0, "a")).unwrap();
    // The large frame fills one turn, so that the author stands just before its own.
    assert_eq!(table.read_once(author).len(), 1);
    table.live(10 * SECOND);
    assert_eq!(table.read(author), []);
    table.live(10 * SECOND);
    assert_eq!(table.read(author), [Got::Awareness(Vec::new())]);
}

#[test]
fn a_silent_connection_is_dropped_after_seventy_five_seconds() {
    for (ms, ends) in [(74_999, false), (75_000, true), (75_001, true)] {
        let mut table = Table::default();
        let peer = table.editor("a");
        table.pass(Duration::from_millis(ms));
        table.tick();
        let member = table.member(peer);
        assert_eq!(
            table.room.closing(member),
            ends.then_some(Fault::ConnectionLost),
            "{ms}"
        );
    }
}

#[test]
fn a_socket_that_takes_nothing_for_thirty_seconds_is_a_slow_consumer() {
    for (ms, ends) in [(29_999, false), (30_000, true), (30_001, true)] {
        let mut table = Table::default();
        let [stuck, moving, idle] = [table.editor("a"), table.editor("b"), table.editor("c")];
        table.pulse(stuck).blocked(table.now.tick);
        table.pulse(moving).blocked(table.now.tick);
        table.pass(Duration::from_millis(10_000));
        table.pulse(moving).blocked(table.now.tick);
        table.pass(Duration::from_millis(ms - 10_000));
        table.tick();
        let closing = |peer| table.room.closing(table.member(peer));
        assert_eq!(closing(stuck), ends.then_some(Fault::SlowConsumer), "{ms}");
        assert_eq!((closing(moving), closing(idle)), (None, None));
        table.pulse(stuck).flowing();
        assert_eq!(table.pulse(stuck).blocked_since(), None);
    }
}

#[test]
fn a_connection_is_decided_about_anew_when_its_credential_ends() {
    for (ms, ends) in [(9_999, false), (10_000, true), (10_001, true)] {
        let mut table = Table::default();
        let ends_at = Some(UnixMillis(table.now.unix.0 + 10_000));
        let pulse = Arc::new(Pulse::new(table.now.tick));
        let joiner = Joiner {
            subject: user("a"),
            level: Level::Edit,
            ends_at,
            credentials: Arc::default(),
            pulse,
        };
        let member = table
            .step(|room, effects, now| room.join(joiner, now, effects))
            .unwrap();
        table.pass(Duration::from_millis(ms));
        table.tick();
        assert_eq!(table.decisions_due, usize::from(ends), "{ms}");
        assert_eq!(table.room.closing(member), None);
    }
}

#[test]
fn a_shutdown_tells_everybody_after_what_is_queued_for_them() {
    let mut table = Table::default();
    let peers = [table.join("a", Level::Edit), table.join("b", Level::View)];
    table.step(|room, effects, _| room.close_all(Fault::ShuttingDown, effects));
    assert_eq!(
        table.read(peers[0]),
        [Got::Step1(vec![0]), Got::Closed(Fault::ShuttingDown)]
    );
    assert_eq!(table.read(peers[1]), [Got::Closed(Fault::ShuttingDown)]);
}
