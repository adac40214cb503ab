//! Content that others change while the boards writes it, in the middle of a decision.

use std::convert::Infallible;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::json;
use smol::Executor;

use super::writing::accept;
use super::*;
use crate::audit::{Action, Actor, Entry, EntryKey};
use crate::boards::Settings;
use crate::boards::harness;
use crate::items::Record;
use crate::store::redb::RedbStore;
use crate::store::{Act, Change, Store};
use crate::time::UnixMillis;

/// Boards, of which `b` is one, on disk.
struct Stage {
    _directory: tempfile::TempDir,
    boards: Arc<Boards>,
    executor: Arc<Executor<'static>>,
}

fn board() -> BoardId {
    BoardId::parse("b").unwrap()
}

impl Stage {
    fn new() -> Self {
        Self::with(harness::settings())
    }

    fn with(settings: Settings) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let store = RedbStore::open(&directory.path().join("boards.redb")).unwrap();
        let key = EntryKey {
            at: UnixMillis(1),
            n: 0,
        };
        let made = store.commit(&[Change::Act {
            board: board(),
            act: Act::Create {
                owner: None,
                title: None,
            },
            as_owner: None,
            entry: Box::new(Entry::new(key, Actor::unknown(), Action::BoardCreate)),
        }]);
        assert_eq!(made, Ok(vec![Applied::Done]));
        let (boards, executor) = harness::boards(settings, Arc::new(store));
        Self {
            _directory: directory,
            boards,
            executor,
        }
    }

    fn run<T>(&self, task: impl Future<Output = T>) -> T {
        smol::block_on(self.executor.run(task))
    }

    fn cell(&self) -> Arc<RoomCell> {
        let board = board();
        self.run(self.boards.room(&board, Creation::Denied)).unwrap()
    }

    fn write<T: Send + 'static, E: Send + 'static>(
        &self,
        basis: Basis,
        decide: impl Fn(&dyn Records) -> Decided<T, E> + Send + Sync + 'static,
    ) -> Result<T, Failed<E>> {
        let authority = Authority::Server(board(), Subject::anonymous());
        self.run(self.boards.write_content(authority, basis, decide))
    }

    fn keys(&self) -> Vec<String> {
        let read = self.run(self.boards.read_content(&board(), |records| records.keys()));
        let mut keys = read.unwrap();
        keys.sort_unstable();
        keys
    }
}

fn record() -> Record {
    let mut record = Record::new();
    record.insert("text".to_owned(), json!("x".repeat(100)));
    record
}

fn set(key: &str) -> Write {
    Write {
        key: key.to_owned(),
        record: Some(record()),
    }
}

/// Somebody else sets `key`, writing under `client`.
fn intrude(boards: &Arc<Boards>, cell: &Arc<RoomCell>, client: u64, key: &str) {
    let state = cell.lock().full_state();
    let update = Document::open(state, client).unwrap().write(&[set(key)]).unwrap();
    let now = boards.now();
    boards.step(cell, |room, effects| accept(room, &update, now, effects).unwrap());
}

#[test]
fn what_is_written_is_durable_and_reads_back() {
    let stage = Stage::new();
    let written = stage.write(Basis::Any, |records| {
        assert!(records.keys().is_empty());
        Ok::<_, Infallible>((vec![set("a")], 7))
    });
    assert_eq!(written.unwrap(), 7);
    assert_eq!(stage.keys(), ["a"]);
    // Another boards on the same store knows what is on disk, and nothing else.
    let (boards, executor) = harness::boards(harness::settings(), Arc::clone(&stage.boards.store));
    let board = board();
    let keys = smol::block_on(executor.run(boards.read_content(&board, |records| records.keys())));
    assert_eq!(keys.unwrap(), ["a"]);
}

#[test]
fn a_write_joins_what_others_did_while_it_was_decided() {
    let stage = Stage::new();
    let (boards, cell) = (Arc::clone(&stage.boards), stage.cell());
    let calls = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&calls);
    let written = stage.write(Basis::Any, move |_| {
        count.fetch_add(1, Ordering::Relaxed);
        intrude(&boards, &cell, 1, "theirs");
        Ok::<_, Infallible>((vec![set("ours")], ()))
    });
    assert!(written.is_ok());
    assert_eq!(
        (calls.load(Ordering::Relaxed), stage.keys()),
        (1, vec!["ours".into(), "theirs".into()])
    );
}

#[test]
fn a_write_that_wants_the_board_unchanged_is_decided_anew_until_it_is() {
    let stage = Stage::new();
    let (boards, cell) = (Arc::clone(&stage.boards), stage.cell());
    let calls = AtomicUsize::new(0);
    let written = stage.write(Basis::Unchanged, move |records| {
        let call = calls.fetch_add(1, Ordering::Relaxed);
        assert_eq!(records.keys().len(), call, "it sees what was done before");
        if call < 3 {
            intrude(&boards, &cell, 1 + call as u64, &format!("theirs {call}"));
        }
        Ok::<_, Infallible>((vec![set("ours")], call))
    });
    assert_eq!(written.unwrap(), 3);
    assert_eq!(stage.keys().len(), 4);
}

#[test]
fn a_write_that_never_finds_the_board_unchanged_gives_up_and_writes_nothing() {
    let stage = Stage::new();
    let (boards, cell) = (Arc::clone(&stage.boards), stage.cell());
    let calls = AtomicUsize::new(0);
    let written = stage.write(Basis::Unchanged, move |_| {
        let call = calls.fetch_add(1, Ordering::Relaxed);
        intrude(&boards, &cell, 1 + call as u64, "theirs");
        Ok::<_, Infallible>((vec![set("ours")], ()))
    });
    assert!(matches!(written, Err(Failed::Busy)), "{written:?}");
    assert_eq!(stage.keys(), ["theirs"]);
}

#[test]
fn a_refused_write_leaves_the_board_as_it_was() {
    let stage = Stage::new();
    let refused = stage.write(Basis::Any, |_| Err::<(Vec<Write>, ()), _>("no"));
    assert!(matches!(refused, Err(Failed::Work("no"))), "{refused:?}");
    assert_eq!(stage.cell().lock().sequence(), 0);
}

/// Writes while somebody uses the boards's client id `times` times; gives whether the board has another one
/// then.
fn written_while_the_id_is_used(times: usize) -> bool {
    let stage = Stage::new();
    let (boards, cell) = (Arc::clone(&stage.boards), stage.cell());
    let first = boards.documents.writer(&cell);
    let calls = AtomicUsize::new(0);
    let written = stage.write(Basis::Any, move |_| {
        if calls.fetch_add(1, Ordering::Relaxed) < times {
            intrude(&boards, &cell, boards.documents.writer(&cell), "theirs");
        }
        Ok::<_, Infallible>((vec![set("ours")], ()))
    });
    assert!(written.is_ok());
    assert_eq!(stage.keys(), ["ours", "theirs"]);
    stage.boards.documents.writer(&stage.cell()) != first
}

#[test]
fn who_uses_the_boardss_client_id_cannot_make_its_writes_vanish() {
    // Once may be chance: the boards writes on behind it. Each new id counts against the board's budget.
    assert!(!written_while_the_id_is_used(1));
    assert!(written_while_the_id_is_used(3));
}

#[test]
fn an_id_that_somebody_has_used_up_is_given_up() {
    let stage = Stage::new();
    let (boards, cell) = (&stage.boards, stage.cell());
    let first = boards.documents.writer(&cell);
    // One collected struct, as long as half of all clocks and one more.
    let mut update = vec![1, 1];
    crate::lib0::put_number(&mut update, first);
    update.extend_from_slice(&[0, 0]);
    crate::lib0::put_number(&mut update, limits::CLOCK_MAX / 2 + 1);
    update.push(0);
    let now = boards.now();
    boards.step(&cell, |room, effects| {
        accept(room, &update.into(), now, effects).unwrap();
    });
    for key in ["a", "b"] {
        let written = stage.write(Basis::Any, move |_| Ok::<_, Infallible>((vec![set(key)], ())));
        assert!(written.is_ok(), "{written:?}");
    }
    assert_eq!(stage.keys(), ["a", "b"]);
    assert_ne!(boards.documents.writer(&cell), first);
}

#[test]
fn a_room_that_is_given_up_meanwhile_is_written_to_after_it_was_loaded_anew() {
    let stage = Stage::new();
    let (boards, cell) = (Arc::clone(&stage.boards), stage.cell());
    let first = boards.documents.writer(&cell);
    let calls = AtomicUsize::new(0);
    let written = stage.write(Basis::Any, move |_| {
        if calls.fetch_add(1, Ordering::Relaxed) == 0 {
            boards.give_up(&cell, Fault::StoreFailed);
        }
        Ok::<_, Infallible>((vec![set("ours")], ()))
    });
    assert!(written.is_ok());
    assert_eq!(stage.keys(), ["ours"]);
    assert_ne!(
        stage.boards.documents.writer(&stage.cell()),
        first,
        "what was lost may have been its own"
    );
}

#[test]
fn a_write_over_a_budget_is_refused_and_the_next_one_works() {
    let stage = Stage::with(Settings {
        board_bytes: 1024,
        assets_bytes: 1 << 20,
        ..harness::settings()
    });
    let large = stage.write(Basis::Any, |_| {
        let writes = (0..20).map(|n| set(&format!("{n}"))).collect();
        Ok::<_, Infallible>((writes, ()))
    });
    assert!(matches!(large, Err(Failed::Fault(_))), "{large:?}");
    assert_eq!(stage.keys(), [""; 0]);
    let small = stage.write(Basis::Any, |_| Ok::<_, Infallible>((vec![set("a")], ())));
    assert!(small.is_ok());
    assert_eq!(stage.keys(), ["a"]);
}

#[test]
fn a_document_closes_when_it_was_not_used_for_a_while() {
    let stage = Stage::new();
    assert_eq!(stage.keys(), [""; 0]);
    let documents = &stage.boards.documents;
    let now = stage.boards.now().tick;
    assert_eq!(documents.take_idle(now).len(), 0);
    assert_eq!(documents.take_idle(now.after(limits::DOCUMENT_IDLE)).len(), 1);
    assert_eq!(documents.take_idle(now.after(limits::DOCUMENT_IDLE)).len(), 0);
    assert!(documents.open.lock().unwrap().is_empty());
    assert_eq!(stage.keys(), [""; 0]);
}

/// Somebody's update.
fn post(stage: &Stage, update: &'static [u8]) {
    let now = stage.boards.now();
    stage.boards.step(&stage.cell(), |room, effects| {
        accept(room, &Bytes::from_static(update), now, effects).unwrap();
    });
}

/// An embed of 1e999, which browsers read and yrs does not; and its deletion.
const UNREADABLE: &[u8] = &[1, 1, 1, 0, 5, 1, 1, b't', 5, b'1', b'e', b'9', b'9', b'9', 0];
const UNREADABLE_GONE: &[u8] = &[0, 1, 1, 1, 0, 1];

#[test]
fn a_board_that_cannot_be_opened_is_not_tried_again_until_it_changes() {
    let stage = Stage::new();
    post(&stage, UNREADABLE);
    let (boards, cell) = (&stage.boards, stage.cell());
    let remembered = |purpose| {
        let (now, sequence) = (boards.now().tick, cell.lock().sequence());
        cell.kept.verdicts.check(purpose, sequence, now)
    };
    assert_eq!(remembered(Purpose::Records), Ok(()));
    for _ in 0..2 {
        let read = stage.run(boards.read_content(&board(), |records| records.keys()));
        assert!(matches!(read, Err(Failed::Unsupported)), "{read:?}");
        let json = stage.run(boards.content_as_json(&cell)).map(drop);
        assert!(matches!(json, Err(Failed::Unsupported)), "{json:?}");
        for purpose in [Purpose::Records, Purpose::Json] {
            assert_eq!(remembered(purpose), Err(Unopened::Unsupported));
        }
    }
    post(&stage, UNREADABLE_GONE);
    assert_eq!(stage.keys(), [""; 0]);
    assert!(stage.run(boards.content_as_json(&cell)).is_ok());
}

#[test]
fn a_board_that_took_too_long_is_left_alone_for_a_while() {
    let stage = Stage::new();
    let cell = stage.cell();
    let (verdicts, sequence) = (&cell.kept.verdicts, cell.lock().sequence());
    let now = stage.boards.now().tick;
    verdicts.note_long(Purpose::Records, sequence, now);
    let check = |at| verdicts.check(Purpose::Records, sequence, at);
    assert_eq!(check(now), Err(Unopened::Busy));
    let read = stage.run(stage.boards.read_content(&board(), |records| records.keys()));
    assert!(matches!(read, Err(Failed::Busy)), "{read:?}");
    assert_eq!(check(now.after(limits::CONTENT_WAIT_MAX)), Ok(()));
    assert_eq!(verdicts.check(Purpose::Json, sequence, now), Ok(()));
    let written = stage.write(Basis::Any, |_| Ok::<_, Infallible>((vec![set("a")], ())));
    assert!(matches!(written, Err(Failed::Busy)), "{written:?}");
    post(&stage, UNREADABLE);
    post(&stage, UNREADABLE_GONE);
    assert_eq!(stage.keys(), [""; 0]);
}

#[test]
fn json_counts_against_one_bound_until_it_was_sent() {
    let stage = Stage::new();
    let (boards, cell) = (&stage.boards, stage.cell());
    let all = &boards.documents.json_bytes;
    let json = stage.run(boards.content_as_json(&cell)).unwrap();
    assert_eq!(json.text, b"{}");
    let taken = all.load(Ordering::Relaxed);
    assert!(taken >= json.text.capacity());
    let mut hold = JsonBytes::among(all);
    assert!(!hold.grow(limits::JSON_ALL_BYTES_MAX - taken + 1));
    assert!(hold.grow(limits::JSON_ALL_BYTES_MAX - taken - 1));
    assert!(hold.grow(1));
    assert!(!hold.grow(1));
    let busy = stage.run(boards.content_as_json(&cell)).map(drop);
    assert!(matches!(busy, Err(Failed::Busy)), "{busy:?}");
    drop((json, hold));
    assert_eq!(all.load(Ordering::Relaxed), 0);
    assert!(stage.run(boards.content_as_json(&cell)).is_ok());
}
