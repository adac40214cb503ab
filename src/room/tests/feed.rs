//! Those who follow a board, and what they are told.

use std::task::{Poll, Waker};

use super::*;
use crate::ids::Subject;
use crate::room::feed::{Filter, Following, News, Told, Topic};
use crate::time::UnixMillis;

const ALL: Filter = Filter {
    items: true,
    presence: true,
    kinds: Vec::new(),
};

fn following(filter: Filter, last_seen: Option<&str>) -> Following {
    Following {
        filter,
        last_seen: last_seen.map(str::to_owned),
        ends_at: None,
        credentials: Arc::default(),
        kept: limits::EVENTS_KEPT,
    }
}

fn follow(table: &mut Table, filter: Filter, last_seen: Option<&str>) -> MemberId {
    let following = following(filter, last_seen);
    table
        .step(|room, _, now| room.follow(following, 10, now))
        .unwrap()
}

fn news(kind: &str, data: &str) -> News {
    News {
        topic: Topic::Item(kind.into()),
        name: "item.created",
        data: data.to_owned(),
    }
}

fn publish(table: &mut Table, told: Vec<News>) {
    table.step(|room, effects, _| room.publish(Some(told), effects));
}

/// What a follower is sent next, as text; `None` where it has to wait.
fn read(table: &mut Table, id: MemberId) -> Option<String> {
    let mut bytes = Vec::new();
    match table.room.poll_told(id, Waker::noop(), &mut bytes) {
        Told::Events => Some(String::from_utf8(bytes).unwrap()),
        Told::Nothing => None,
        Told::End(fault) => Some(format!("{fault:?}")),
    }
}

#[test]
fn events_are_numbered_and_who_follows_is_told_those_that_it_wants() {
    let mut table = Table::default();
    let all = follow(&mut table, ALL, None);
    let frames = Filter {
        kinds: vec!["frame".into()],
        ..ALL
    };
    let frames = follow(&mut table, frames, None);
    let none = follow(&mut table, Filter { items: false, ..ALL }, None);
    for id in [all, frames, none] {
        assert_eq!(read(&mut table, id).unwrap(), ": following\nid: a-0\n\n");
        assert_eq!(read(&mut table, id), None);
    }
    publish(&mut table, vec![news("sticky", "1"), news("frame", "2")]);
    let [first, second] = [
        "event: item.created\nid: a-1\ndata: 1\n\n",
        "event: item.created\nid: a-2\ndata: 2\n\n",
    ];
    assert_eq!(read(&mut table, all).unwrap(), [first, second].concat());
    assert_eq!(read(&mut table, frames).unwrap(), second);
    assert_eq!(read(&mut table, none), None);
    assert_eq!(
        table.room.sign_of_life(none),
        b":\nid: a-2\n\n",
        "it has passed them all the same"
    );
    let late = follow(&mut table, ALL, Some("a-1"));
    assert_eq!(
        read(&mut table, late).unwrap(),
        [": following\nid: a-1\n\n", second].concat()
    );
    for unknown in ["a-3", "b-1", "a", "a-", "-1", "a--1"] {
        let lost = follow(&mut table, ALL, Some(unknown));
        let reset = read(&mut table, lost).unwrap();
        assert_eq!(
            reset, "event: reset\nid: a-2\ndata: {\"why\":\"unknown_id\"}\n\n",
            "{unknown}"
        );
        assert_eq!(read(&mut table, lost), None);
        table.step(|room, _, now| room.unfollow(lost, now.tick));
    }
}

#[test]
fn what_is_kept_is_bounded_and_who_is_behind_it_is_told_or_dropped() {
    let mut table = Table::with(RoomSettings {
        outbox_bytes_max: 4 * 1024,
        ..settings()
    });
    let [reading, stuck] = [follow(&mut table, ALL, None), follow(&mut table, ALL, None)];
    for id in [reading, stuck] {
        read(&mut table, id);
    }
    assert_eq!(table.room.poll_cut_off(stuck, Waker::noop()), Poll::Pending);
    publish(&mut table, vec![news("sticky", &"x".repeat(1_000)); 3]);
    assert_eq!(table.room.poll_cut_off(stuck, Waker::noop()), Poll::Pending);
    publish(&mut table, vec![news("sticky", &"x".repeat(1_000)); 3]);
    let cut = table.room.poll_cut_off(stuck, Waker::noop());
    assert_eq!(cut, Poll::Ready(Some(Fault::SlowConsumer)));
    let told = read(&mut table, reading).unwrap();
    assert!(
        told.starts_with("event: reset\nid: a-6\ndata: {\"why\":\"too_many\"}\n\n"),
        "{told}"
    );
    let late = follow(&mut table, ALL, Some("a-1"));
    let told = read(&mut table, late).unwrap();
    assert!(told.contains("too_old"), "{told}");
    // So much that nothing of it is told.
    read(&mut table, reading);
    table.step(|room, effects, _| room.publish(None, effects));
    let told = read(&mut table, reading).unwrap();
    assert!(told.contains("too_many"), "{told}");
}

#[test]
fn a_board_that_nobody_follows_has_no_feed_and_keeps_none_for_long() {
    let mut table = Table::default();
    assert!(!table.room.has_feed());
    let peer = table.editor("alice");
    table.update(peer, &insert(7, 0, "a")).unwrap();
    assert_eq!(table.room.take_authors(u64::MAX), []);
    let id = follow(&mut table, ALL, None);
    let idle = |table: &mut Table| table.step(|room, effects, now| room.end_idle_feed(now.tick, effects));
    table.pass(2 * limits::EVENTS_KEPT);
    assert!(!idle(&mut table), "somebody follows");
    table.step(|room, _, now| room.unfollow(id, now.tick));
    table.pass(limits::EVENTS_KEPT - Duration::from_millis(1));
    assert!(!idle(&mut table));
    let back = follow(&mut table, ALL, Some("a-0"));
    assert_eq!(read(&mut table, back).unwrap(), ": following\nid: a-0\n\n");
    table.step(|room, _, now| room.unfollow(back, now.tick));
    table.pass(limits::EVENTS_KEPT);
    assert!(idle(&mut table) && !table.room.has_feed());
}

#[test]
fn followers_are_connections_of_the_board_and_end_with_their_rights() {
    let mut table = Table::with(RoomSettings {
        members_max: 2,
        ..settings()
    });
    let first = follow(&mut table, ALL, None);
    let peer = table.join("alice", Level::View);
    let full = table.step(|room, _, now| room.follow(following(ALL, None), 1, now));
    assert_eq!(full, Err(Fault::TooManyConnections));
    assert_eq!(table.try_join("bob", Level::View), Err(Fault::TooManyConnections));
    table.leave(peer);
    assert_eq!(table.room.unload_due(Duration::ZERO), None, "it stays in memory");
    let held = table.room.held();
    assert_eq!(held.iter().map(|held| held.member).collect::<Vec<_>>(), [first]);
    let refused = Decision::Refused(Fault::NoPermission);
    table.step(|room, effects, now| room.set_access(&held[0], &refused, now.tick, effects));
    assert_eq!(read(&mut table, first).unwrap(), "Some(NoPermission)");
    let cut = table.room.poll_cut_off(first, Waker::noop());
    assert_eq!(cut, Poll::Ready(Some(Fault::NoPermission)));
    table.step(|room, _, now| room.unfollow(first, now.tick));
    assert!(table.room.unload_due(Duration::ZERO).is_some());
}

#[test]
fn the_end_of_a_credential_is_looked_for() {
    let mut table = Table::default();
    let ends_at = UnixMillis(table.now.unix.0 + 2_000);
    let following = Following {
        ends_at: Some(ends_at),
        ..following(ALL, None)
    };
    table.step(|room, _, now| room.follow(following, 1, now)).unwrap();
    assert!(table.room.next_due().is_some());
    table.live(Duration::from_millis(1_500));
    assert_eq!(table.decisions_due, 0);
    table.live(Duration::from_millis(500));
    assert_eq!(table.decisions_due, 1);
}

#[test]
fn who_changed_the_board_is_told_apart_as_far_as_an_update() {
    let mut table = Table::default();
    let [alice, bob] = [table.editor("alice"), table.editor("bob")];
    follow(&mut table, ALL, None);
    let (alices, bobs) = (user("alice"), user("bob"));
    for clock in 0..3 {
        table.update(alice, &insert(7, clock, "a")).unwrap();
    }
    let third = table.room.sequence();
    table.update(bob, &insert(8, 0, "b")).unwrap();
    assert_eq!(table.room.take_authors(third - 1), [Some(alices.clone())]);
    assert_eq!(table.room.take_authors(third + 1), [Some(alices), Some(bobs)]);
    assert_eq!(table.room.take_authors(u64::MAX), []);
    // What the server writes for somebody.
    let own = |table: &mut Table, clock, subject: Option<&str>| {
        let update = insert(9, clock, "c").into();
        table.step(|room, effects, now| {
            room.accept(None, &update, now, effects).unwrap();
            if let Some(subject) = subject {
                room.note_author(&Subject::parse(subject).unwrap());
            }
        });
    };
    own(&mut table, 0, None);
    own(&mut table, 1, Some("user:carol"));
    assert_eq!(table.room.take_authors(u64::MAX), [None, Some(user("carol"))]);
    for turn in 0..200 {
        let (peer, client) = if turn % 2 == 0 { (alice, 11) } else { (bob, 12) };
        table.update(peer, &insert(client, turn / 2, "d")).unwrap();
    }
    assert!(
        table.room.take_authors(u64::MAX).contains(&None),
        "too many turns"
    );
}

#[test]
fn somebody_who_looks_waits_until_there_is_something_to_see() {
    let mut table = Table::default();
    let peer = table.editor("alice");
    follow(&mut table, ALL, None);
    let seen = |table: &Table| Some(table.room.sequence());
    let waits = |table: &mut Table, seen| table.room.poll_news(seen, Waker::noop()).is_pending();
    assert!(!waits(&mut table, None), "it has seen nothing");
    let here = table.room.take_presence(|_| false).unwrap();
    assert_eq!(here.len(), 1);
    let now = seen(&table);
    assert!(waits(&mut table, now));
    table.update(peer, &insert(7, 0, "a")).unwrap();
    assert!(!waits(&mut table, now));
    let now = seen(&table);
    assert!(waits(&mut table, now));
    table.aware(peer, &[(7, 1, "{}")]).unwrap();
    assert!(!waits(&mut table, now), "a name may have come");
    assert!(table.room.take_presence(|_| true).unwrap()[0].1.is_none());
    assert!(waits(&mut table, now));
    table.leave(peer);
    assert!(!waits(&mut table, now));
    assert_eq!(table.room.take_presence(|_| false).unwrap(), []);
    assert!(waits(&mut table, now));
}
