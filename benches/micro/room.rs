//! A room with its members: fan-out and joins, without sockets.

use std::cell::RefCell;
use std::hint::black_box;
use std::sync::Arc;
use std::task::Waker;
use std::time::Duration;

use boardwire::ids::{BoardId, Level, Subject};
use boardwire::room::member::{Joiner, MemberId, Pulse};
use boardwire::room::{Due, Effects, Loaded, Room, RoomSettings, SavedEcho, UpdateOutcome};
use boardwire::time::{Now, Tick, UnixMillis};
use bytes::Bytes;
use divan::Bencher;
use divan::counter::ItemsCount;

use crate::shapes::{self, COMPACTED, Mover};

const NOW: Now = Now {
    tick: Tick(1_000),
    unix: UnixMillis(1_700_000_000_000),
};

/// A room over the board of 5,000 shapes, with so many editors who have read all there was.
fn room(members: u32) -> (Room, Vec<MemberId>) {
    let loaded = Loaded {
        board: shapes::loaded(&COMPACTED),
        sequence: 0,
        uncompacted: false,
    };
    let settings = RoomSettings {
        members_max: 1_024,
        outbox_bytes_max: 8 << 20,
        compact_after: Duration::from_secs(5),
        compact_every: Duration::from_secs(30),
        saved_echo: SavedEcho::On,
    };
    let mut room = Room::new(BoardId::parse("b").unwrap(), loaded, settings, NOW.tick);
    let ids: Vec<MemberId> = (0..members).map(|_| join(&mut room)).collect();
    let mut buffer = Vec::new();
    for id in &ids {
        drain(&mut room, *id, &mut buffer);
    }
    (room, ids)
}

fn join(room: &mut Room) -> MemberId {
    let joiner = Joiner {
        subject: Subject::anonymous(),
        level: Level::Edit,
        ends_at: None,
        credentials: Arc::default(),
        pulse: Arc::new(Pulse::new(NOW.tick)),
    };
    room.join(joiner, NOW, &mut Effects::default()).unwrap()
}

/// Takes all that is due to a member; how many bytes that were.
fn drain(room: &mut Room, id: MemberId, buffer: &mut Vec<u8>) -> usize {
    let mut bytes = 0;
    loop {
        buffer.clear();
        match room.poll_outbound(id, NOW.tick, Waker::noop(), buffer) {
            Due::Gathered => bytes += black_box(&*buffer).len(),
            Due::Frame(out) => bytes += out.head.len() + out.body.len(),
            Due::Nothing | Due::Flushed | Due::Close(_) => return bytes,
        }
    }
}

/// One update of 190 bytes to 50 members, each taking its bytes; all but the sockets.
#[divan::bench(sample_size = 100)]
fn fan_out_to_50(bencher: Bencher<'_, '_>) {
    let (mut room, ids) = room(51);
    let mut mover = Mover::default();
    let mut buffer = Vec::new();
    let mut sequence = 0;
    bencher
        .counter(ItemsCount::new(50_usize))
        .with_inputs(|| Bytes::from(mover.update()))
        .bench_local_values(|update| {
            let mut effects = Effects::default();
            let outcome = room.accept(Some(ids[0]), &update, NOW, &mut effects).unwrap();
            assert_eq!(outcome, UpdateOutcome::New);
            effects.wakers.into_iter().for_each(Waker::wake);
            for id in &ids[1..] {
                assert!(drain(&mut room, *id, &mut buffer) > update.len());
            }
            sequence += 1;
            room.handle_durable(sequence, &mut Effects::default());
            drain(&mut room, ids[0], &mut buffer)
        });
}

/// A warm join: step 1 both ways, and the whole board; an update came in since the last join where asked for.
#[divan::bench(args = [false, true], sample_size = 1)]
fn join_after_an_update(bencher: Bencher<'_, '_>, is_changed: bool) {
    let (room, ids) = room(1);
    let room = RefCell::new(room);
    let mut mover = Mover::default();
    let mut buffer = Vec::new();
    bencher
        .with_inputs(|| {
            if is_changed {
                let update = Bytes::from(mover.update());
                let mut effects = Effects::default();
                room.borrow_mut()
                    .accept(Some(ids[0]), &update, NOW, &mut effects)
                    .unwrap();
            }
        })
        .bench_local_values(|()| {
            let mut room = room.borrow_mut();
            let id = join(&mut room);
            let mut effects = Effects::default();
            room.answer_step_1(id, &[0], &mut effects).unwrap();
            for job in effects.answers {
                room.answered(job.make(), &None, &mut Effects::default());
            }
            assert!(drain(&mut room, id, &mut buffer) > COMPACTED.len() / 2);
            room.leave(id, NOW.tick, &mut Effects::default());
        });
}
