//! Webhooks as those who follow: what is gathered for them, and what they count for.

use std::task::{Poll, Waker};
use std::time::Duration;

use super::*;
use crate::limits;
use crate::room::feed::gather::{Begins, Gathered};
use crate::room::feed::{Filter, News, Told, Topic};

const ITEMS: Filter = Filter {
    items: true,
    presence: false,
    kinds: Vec::new(),
};

fn tap(table: &mut Table, begins: Begins) -> MemberId {
    table.step(|room, _, now| room.follow_for_board((ITEMS, begins), 10, now).0)
}

fn publish(table: &mut Table, ids: &[&str]) {
    let news = ids.iter().map(|id| News {
        topic: Topic::Item("sticky".into()),
        name: "item.created",
        data: format!("{{\"id\":\"{id}\"}}"),
    });
    let news = news.collect();
    table.step(|room, effects, _| room.publish(Some(news), effects));
}

fn gather(table: &mut Table, id: MemberId, into: &mut Gathered) -> Told {
    table.room.poll_gathered(id, Waker::noop(), into)
}

#[test]
fn events_are_gathered_as_objects_up_to_what_is_delivered_at_once() {
    let mut table = Table::default();
    let id = tap(&mut table, Begins::Now);
    let mut gathered = Gathered::default();
    assert_eq!(gather(&mut table, id, &mut gathered), Told::Nothing);
    publish(&mut table, &["a", "b"]);
    assert_eq!(gather(&mut table, id, &mut gathered), Told::Events);
    publish(&mut table, &["c"]);
    assert_eq!(gather(&mut table, id, &mut gathered), Told::Events);
    let event = |id| format!("{{\"event\":\"item.created\",\"id\":\"{id}\"}}");
    assert_eq!(gathered.events, ["a", "b", "c"].map(event));
    assert_eq!(gathered.bytes, 3 * event("a").len());
    let most = limits::WEBHOOK_EVENTS_MAX;
    publish(&mut table, &vec!["d"; most + 1]);
    for expected in [most, 1] {
        let mut gathered = Gathered::default();
        assert_eq!(gather(&mut table, id, &mut gathered), Told::Events);
        assert_eq!(
            (gathered.events.len(), gathered.is_full()),
            (expected, expected == most)
        );
    }
    let large = "x".repeat(limits::WEBHOOK_EVENTS_BYTES / 2);
    publish(&mut table, &[&large, &large, &large]);
    let mut gathered = Gathered::default();
    gather(&mut table, id, &mut gathered);
    assert_eq!((gathered.events.len(), gathered.is_full()), (2, true));
}

#[test]
fn who_is_behind_what_is_kept_has_to_read_the_board_anew() {
    let mut table = Table::with(RoomSettings {
        outbox_bytes_max: 4 * 1024,
        ..settings()
    });
    let id = tap(&mut table, Begins::Now);
    let mut gathered = Gathered::default();
    publish(&mut table, &["a"]);
    gather(&mut table, id, &mut gathered);
    publish(&mut table, &[&"x".repeat(3_000), &"y".repeat(3_000)]);
    assert_eq!(gather(&mut table, id, &mut gathered), Told::Events);
    assert_eq!((gathered.reset, gathered.events.len()), (Some("too_many"), 1));
    table.step(|room, effects, _| room.publish(None, effects));
    assert_eq!(gather(&mut table, id, &mut gathered), Told::Events);
    assert_eq!((gathered.reset, gathered.events.len()), (Some("too_many"), 0));
}

#[test]
fn it_is_known_up_to_which_update_a_webhook_has_been_told() {
    let mut table = Table::default();
    table.step(|room, _, now| room.begin_feed(10, now));
    assert_eq!(table.room.feed_begun_at(), Some(0));
    publish(&mut table, &["early"]);
    let (first, later) = (tap(&mut table, Begins::WithTheFeed), tap(&mut table, Begins::Now));
    let through = |table: &mut Table, id| {
        let mut gathered = Gathered::default();
        gather(table, id, &mut gathered);
        (gathered.through, gathered.events.len())
    };
    assert_eq!(through(&mut table, first), (None, 1), "nobody has looked yet");
    table.step(|room, effects, _| room.note_looked(7, effects));
    assert_eq!(through(&mut table, later), (Some(7), 0));
    publish(&mut table, &vec!["a"; limits::WEBHOOK_EVENTS_MAX + 1]);
    table.step(|room, effects, _| room.note_looked(9, effects));
    assert_eq!(through(&mut table, first).0, None, "there is more to tell");
    assert_eq!(through(&mut table, first), (Some(9), 1));
}

#[test]
fn a_webhook_is_no_connection_and_keeps_no_room_in_memory() {
    let idle = Duration::from_secs(60);
    let mut table = Table::with(RoomSettings {
        members_max: 0,
        ..settings()
    });
    let id = tap(&mut table, Begins::Now);
    let later = table.now.tick.after(idle * 2);
    assert!(table.room.may_unload(idle, later));
    table.step(|room, effects, _| room.end_feed(effects));
    let mut gathered = Gathered::default();
    assert_eq!(gather(&mut table, id, &mut gathered), Told::End(None));
    assert_eq!(table.room.poll_news(None, Waker::noop()), Poll::Ready(()));
}
