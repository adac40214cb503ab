//! The store on a real file system: what one commit costs, its sync included.

use boardwire::audit::{Action, Actor, Entry, EntryKey};
use boardwire::ids::BoardId;
use boardwire::store::redb::RedbStore;
use boardwire::store::{Act, Applied, Change, Store as _};
use boardwire::time::UnixMillis;
use bytes::Bytes;
use divan::Bencher;
use divan::counter::ItemsCount;

use crate::shapes::{COMPACTED, Mover};

const AT: UnixMillis = UnixMillis(1_700_000_000_000);

/// A new store with so many boards; the folder goes when it is dropped.
fn store(boards: u64) -> (tempfile::TempDir, RedbStore, Vec<BoardId>) {
    let folder = tempfile::tempdir().unwrap();
    let store = RedbStore::open(&folder.path().join("bench.redb")).unwrap();
    let ids: Vec<BoardId> = (0..boards)
        .map(|n| BoardId::parse(&format!("board-{n}")).unwrap())
        .collect();
    let create = |board: &BoardId| Change::Act {
        board: board.clone(),
        act: Act::Create {
            owner: None,
            title: None,
        },
        as_owner: None,
        entry: Box::new(entry()),
    };
    commit(&store, &ids.iter().map(create).collect::<Vec<_>>());
    (folder, store, ids)
}

fn entry() -> Entry {
    Entry::new(EntryKey { at: AT, n: 0 }, Actor::unknown(), Action::BoardCreate)
}

fn commit(store: &RedbStore, changes: &[Change]) {
    let applied = store.commit(changes).unwrap();
    assert!(applied.iter().all(|one| *one == Applied::Done));
}

/// So many updates of 190 bytes, one to each board, in one transaction.
#[divan::bench(args = [1, 1_000], sample_size = 1, max_time = 10)]
fn commit_updates(bencher: Bencher<'_, '_>, updates: u64) {
    let (_folder, store, ids) = store(updates);
    let mut mover = Mover::default();
    let mut sequence = 0;
    bencher
        .counter(ItemsCount::new(updates))
        .with_inputs(|| {
            sequence += 1;
            let append = |board: &BoardId| Change::Append {
                board: board.clone(),
                sequence,
                update: mover.update().into(),
                at: AT,
            };
            ids.iter().map(append).collect::<Vec<_>>()
        })
        .bench_local_values(|changes| commit(&store, &changes));
}

/// The full state of 1.8 MB in place of the log.
#[divan::bench(sample_size = 1, max_time = 10)]
fn commit_a_snapshot(bencher: Bencher<'_, '_>) {
    let (_folder, store, ids) = store(1);
    let board = &ids[0];
    let state = Bytes::clone(&COMPACTED);
    bencher
        .with_inputs(|| {
            [Change::Snapshot {
                board: board.clone(),
                covers: 0,
                state: state.clone(),
            }]
        })
        .bench_local_values(|changes| commit(&store, &changes));
}

/// A version of a board of one MiB: cut, and each chunk known by its hash.
#[divan::bench(sample_size = 1)]
fn cut_a_version(bencher: Bencher<'_, '_>) {
    let state: Bytes = (0..1_u64 << 20)
        .map(|n| (n.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56) as u8)
        .collect();
    bencher.bench(|| boardwire::store::cut(&state));
}
