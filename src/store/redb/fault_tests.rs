//! Tests of the store on disks that fail: power cuts, failing operations, full disks, rot, growth.

use super::fuzzing::{Refusals, Step, Steps, difference, is_in, store_ops};
use super::simdisk::{Kept, SimDisk};
use super::tests::fresh;
use super::*;
use crate::access::BoardFacts;
use crate::store::Act;
use crate::store::contract::changes::*;
use crate::store::memory::Contents;
use std::collections::BTreeSet;

/// A small generator of pseudo-random numbers (xorshift).
pub(super) struct Random(u64);

impl Random {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    pub(super) fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 >> 8
    }

    pub(super) fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    fn bytes(&mut self, length: usize) -> Vec<u8> {
        (0..length).map(|_| self.next() as u8).collect()
    }
}

/// How many times more to try than by default: `TEST_TIMES=100 cargo test --release --lib store::redb`.
pub(super) fn times() -> u64 {
    std::env::var("TEST_TIMES").map_or(1, |times| times.parse().unwrap())
}

pub(super) fn on(disk: &SimDisk) -> Result<RedbStore, OpenError> {
    RedbStore::open_disk(disk)
}

#[test]
fn any_sequence_of_operations_and_failures_leaves_what_the_model_holds() {
    for seed in 0..200 * times() {
        let bytes = Random::new(seed).bytes(20 + seed as usize % 180);
        if catch_unwind(|| store_ops(&bytes)).is_err() {
            panic!("seed {seed}");
        }
    }
}

#[test]
fn the_sequences_reach_every_outcome_that_a_sound_store_with_few_rows_has() {
    let mut seen = BTreeSet::new();
    for seed in 0..200 {
        let bytes = Random::new(seed).bytes(20 + seed as usize % 180);
        let (mut model, mut steps) = (Contents::default(), Steps::new(&bytes));
        while let Some(step) = steps.next(&model) {
            if let Step::Change(change) = step {
                seen.insert(format!("{:?}", model.apply(&change)));
            }
        }
    }
    let all = [
        "Absent",
        "Deleted",
        "Done",
        "Exists",
        "NotOwner",
        "NotThere",
        "OutOfOrder",
    ];
    assert!(seen.iter().eq(all), "{seen:?}");
}

/// When a recorded run gives space back besides where its steps say so.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Reclaiming {
    Never,
    /// So that commits come between all steps of a copy.
    AfterEachCommit,
}

/// A recorded run: what the model held after each commit, and how many operations the disk had done by then.
fn recorded(seed: u64, bytes: usize, reclaiming: Reclaiming) -> (SimDisk, Vec<(usize, Contents)>) {
    let disk = SimDisk::default();
    disk.record();
    let store = on(&disk).unwrap();
    let mut model = Contents::default();
    let mut history = vec![(disk.operations(), model.clone())];
    let mut batch = Vec::new();
    let bytes = Random::new(seed).bytes(bytes);
    let mut steps = Steps::new(&bytes);
    while let Some(step) = steps.next(&model) {
        match step {
            Step::Change(change) => {
                model.apply(&change);
                batch.push(change);
                continue;
            }
            Step::Reopen => store.reopen().unwrap(),
            Step::Reclaim => while_moving(&store),
            Step::Commit | Step::Fail(_) | Step::Prune(_) => {}
        }
        store.commit(&batch).unwrap();
        batch.clear();
        history.push((disk.operations(), model.clone()));
        if reclaiming == Reclaiming::AfterEachCommit {
            assert_eq!(store.reclaim(), Ok(Reclaimed::Some));
        }
        if let Step::Prune(before) = step {
            while store.prune_audit(before).unwrap() {}
            model.prune(before);
            history.push((disk.operations(), model.clone()));
        }
    }
    drop(store);
    (disk, history)
}

/// Takes as many steps as a copy of a small store needs.
fn while_moving(store: &RedbStore) {
    for _ in 0..16 {
        assert_eq!(store.reclaim(), Ok(Reclaimed::Some));
    }
}

#[test]
fn after_a_power_cut_at_any_operation_every_acknowledged_commit_is_there_and_no_half_one() {
    cut_everywhere(Reclaiming::Never, 260);
}

#[test]
fn after_a_power_cut_at_any_operation_of_a_copy_every_commit_beside_it_is_there_and_no_half_one() {
    let renamings = cut_everywhere(Reclaiming::AfterEachCommit, 180);
    assert!(renamings > 3, "{renamings}");
}

/// Cuts the power at each operation of recorded runs; gives how many copies took the place of the file.
fn cut_everywhere(reclaiming: Reclaiming, bytes: usize) -> usize {
    let (mut points, mut renamings) = (0, 0);
    for seed in 1..=3 * times() {
        let (disk, history) = recorded(seed, bytes, reclaiming);
        renamings += disk.renamings();
        let mut random = Random::new(seed);
        let mut replay = disk.replay();
        while replay.advance() {
            points += 1;
            let acknowledged = history.iter().rposition(|(at, _)| *at <= replay.done());
            for pattern in 0..4 {
                let last = replay.unsynced().saturating_sub(1);
                let image = replay.image(|number| match pattern {
                    0 => Kept::Lost,
                    1 if number == last => Kept::Torn(random.below(4096) as usize),
                    1 => Kept::Whole,
                    _ => match random.below(4) {
                        0 | 1 => Kept::Lost,
                        2 => Kept::Whole,
                        _ => Kept::Torn(random.below(8192) as usize),
                    },
                });
                let store = match (on(&image), acknowledged) {
                    (Ok(store), _) => store,
                    // While the file is made, nothing was acknowledged; `create_file` then starts afresh.
                    (Err(_), None) => continue,
                    (Err(error), Some(_)) => panic!("seed {seed}, operation {}: {error}", replay.done()),
                };
                let from = acknowledged.unwrap_or(0);
                let held = history[from..]
                    .iter()
                    .take(2)
                    .any(|(_, model)| is_in(model, &store));
                assert!(
                    held,
                    "seed {seed}, operation {}, pattern {pattern}",
                    replay.done()
                );
            }
        }
    }
    assert!(points > 500, "{points} points are too few to mean much");
    renamings
}

#[test]
fn after_a_power_cut_at_any_operation_an_act_is_done_with_its_entry_or_not_at_all() {
    let bob = Principal::parse("user:bob").unwrap();
    let grant = |level| Act::Grant {
        principal: bob.clone(),
        level,
    };
    let mut outcomes = BTreeSet::new();
    for (number, (what, at)) in [(grant(Level::Edit), 30), (Act::Delete, 30)]
        .into_iter()
        .enumerate()
    {
        let disk = SimDisk::default();
        let store = on(&disk).unwrap();
        let before = [
            create("a"),
            append("a", 1, vec![1; 50_000]),
            act("a", 20, grant(Level::View)),
            create("b"),
        ];
        store.commit(&before).unwrap();
        disk.record();
        store.commit(&[act("a", at, what.clone())]).unwrap();
        let acknowledged = disk.operations();
        drop(store);
        let state = |store: &RedbStore| {
            let asked = Asked {
                principals: vec![bob.clone()],
                secrets: Vec::new(),
            };
            let holder = Holder {
                principals: vec![bob.clone()],
                ..Holder::default()
            };
            let facts = store.access(&id("a"), &asked).unwrap();
            let listed = store.list(&holder, None, 9).unwrap().len();
            let entries = store.audit(&id("a"), None, 9).unwrap();
            (
                facts.grants.get(&bob).copied(),
                facts.board == BoardFacts::Deleted,
                store.load(&id("a")) == Ok(Stored::Deleted),
                listed,
                entries[0].key.at == UnixMillis(at),
            )
        };
        let old = (Some(Level::View), false, false, 1, false);
        let new = match what {
            Act::Delete => (None, true, true, 0, true),
            _ => (Some(Level::Edit), false, false, 1, true),
        };
        let mut random = Random::new(at);
        let mut replay = disk.replay();
        while replay.advance() {
            for pattern in 0..8 {
                let last = replay.unsynced().saturating_sub(1);
                let image = replay.image(|unsynced| match pattern {
                    0 => Kept::Lost,
                    1 => Kept::Whole,
                    2 if unsynced == last => Kept::Torn(random.below(4096) as usize),
                    2 => Kept::Whole,
                    _ => match random.below(3) {
                        0 => Kept::Lost,
                        1 => Kept::Whole,
                        _ => Kept::Torn(random.below(4096) as usize),
                    },
                });
                let found = state(&on(&image).unwrap());
                let name = format!("{what:?}, operation {}, pattern {pattern}", replay.done());
                assert!(found == old || found == new, "{name}: {found:?}");
                assert!(found == new || replay.done() < acknowledged, "{name}: lost");
                outcomes.insert((number, found == new));
            }
        }
    }
    assert_eq!(outcomes.len(), 4, "each act was seen done and not done");
}

#[test]
fn a_full_disk_fails_the_commit_and_keeps_what_was_there() {
    let disk = SimDisk::default();
    let store = on(&disk).unwrap();
    store.commit(&[create("a"), append("a", 1, "1")]).unwrap();
    disk.set_room(Some(disk.content().len() as u64));
    let mut sequence = 1;
    let error = loop {
        match store.commit(&[append("a", sequence + 1, vec![0; 100_000])]) {
            Ok(_) => sequence += 1,
            Err(error) => break error,
        }
    };
    assert_eq!(error, StoreError::Full);
    assert!(sequence > 1);
    for _ in 0..2 {
        if store.reopen().is_ok() {
            let Ok(Stored::Present(stored)) = store.load(&id("a")) else {
                panic!("not readable on a full disk");
            };
            assert_eq!(stored.last_sequence(), sequence);
            drop(store.commit(&[append("a", sequence + 1, vec![0; 100_000])]));
        }
    }
    disk.set_room(None);
    store.reopen().unwrap();
    assert_eq!(
        store.commit(&[append("a", sequence + 1, vec![0; 100_000])]),
        Ok(vec![Applied::Done])
    );
    // The file still opens, and has no room for a page more.
    disk.set_room(Some(0));
    assert_eq!(
        store.probe(),
        Err(StoreError::Full),
        "a probe finds what a commit would"
    );
}

#[test]
fn a_flipped_byte_anywhere_gives_the_right_boards_or_an_error_and_never_a_panic() {
    let (_, history) = recorded(7, 300, Reclaiming::Never);
    let (disk, _) = recorded(7, 300, Reclaiming::Never);
    let model = &history.last().unwrap().1;
    let content = disk.content();
    assert!(is_in(
        model,
        &on(&SimDisk::with_content(content.clone())).unwrap()
    ));
    let mut random = Random::new(1);
    let used: Vec<usize> = (0..content.len()).filter(|at| content[*at] != 0).collect();
    let mut refused = 0;
    for round in 0..3_000 * times() {
        let mut rotten = content.clone();
        let at = if round < 512 {
            round as usize
        } else {
            used[random.below(used.len() as u64) as usize]
        };
        rotten[at] ^= 1 << random.below(8);
        let Ok(store) = on(&SimDisk::with_content(rotten)) else {
            refused += 1;
            continue;
        };
        if let Err(difference) = difference(model, &store, Refusals::Allowed) {
            panic!("byte {at}: {difference}");
        }
    }
    assert!(refused > 0);
}

#[test]
fn the_file_stays_small_however_often_its_records_are_overwritten() {
    let (directory, store) = fresh();
    let path = directory.path().join("boards.redb");
    store.commit(&[create("a")]).unwrap();
    let state = vec![1; 200 * 300];
    let allowed = 10 * state.len() as u64 + 2 * 1024 * 1024;
    let mut last = 0;
    for _ in 0..100 {
        for _ in 0..10 {
            let group: Vec<Change> = (last + 1..=last + 100)
                .map(|n| append("a", n, vec![2; 200]))
                .collect();
            store.commit(&group).unwrap();
            last += 100;
        }
        store.commit(&[snapshot("a", last, state.clone())]).unwrap();
    }
    let grown = fs::metadata(&path).unwrap().len();
    assert!(grown < 3 * allowed, "before space is given back: {grown}");
    while store.reclaim() == Ok(Reclaimed::Some) {}
    let length = fs::metadata(&path).unwrap().len();
    assert!(length <= allowed, "{length} > {allowed}");
    let Ok(Stored::Present(stored)) = store.load(&id("a")) else {
        panic!("the board is gone");
    };
    assert_eq!((stored.last_sequence(), stored.updates.len()), (100_000, 0));
}

/// Names the data file for the child process of the test below.
const CHILD: &str = "BOARDWIRE_TEST_STORE";

#[test]
fn child_process_that_writes_until_it_is_killed() {
    let Some(path) = std::env::var_os(CHILD) else {
        return;
    };
    let store = RedbStore::open(Path::new(&path)).unwrap();
    store.commit(&[create("a"), create("filler")]).unwrap();
    let Ok(Stored::Present(stored)) = store.load(&id("a")) else {
        panic!("the board is gone");
    };
    let filler = snapshot("filler", 0, vec![4; 1_500_000]);
    store.commit(&[filler]).unwrap();
    for sequence in stored.last_sequence() + 1.. {
        let mut changes = vec![append("a", sequence, sequence.to_string())];
        if sequence % 16 == 0 {
            changes.push(snapshot("a", sequence, vec![3; 100_000]));
        }
        assert_eq!(store.commit(&changes), Ok(vec![Applied::Done; changes.len()]));
        println!("durable {sequence}");
        // Again and again, as if the file had grown too large, so that the end comes at all points of a copy.
        let begun = store.moving.lock().unwrap().is_some();
        if !begun {
            let copy = store.place.create_copy().unwrap();
            *store.moving.lock().unwrap() = Some(Moving::new(copy));
        }
        assert_eq!(store.reclaim(), Ok(Reclaimed::Some));
        if store.moving.lock().unwrap().is_none() {
            println!("copied");
        }
    }
}

#[test]
fn a_process_that_is_killed_keeps_the_file_to_itself_and_loses_nothing_it_reported() {
    use std::io::{BufRead, BufReader};
    use std::process::{Command, Stdio};

    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("boards.redb");
    let mut copies = 0;
    for round in 1..=5 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args([
                "--exact",
                "--nocapture",
                "store::redb::fault_tests::child_process_that_writes_until_it_is_killed",
            ])
            .env(CHILD, &path)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut reported = 0;
        let mut seen = 0;
        let mut killed = false;
        // Also what was still in the pipe was reported.
        while let Some(Ok(line)) = lines.next() {
            let number = line
                .rsplit_once("durable ")
                .and_then(|(_, number)| number.parse::<u64>().ok());
            reported = number.unwrap_or(reported);
            copies += u32::from(line.ends_with("copied"));
            seen += u64::from(number.is_some());
            if seen >= 20 * round && !killed {
                assert_eq!(RedbStore::open(&path).unwrap_err(), OpenError::InUse);
                child.kill().unwrap();
                killed = true;
            }
        }
        child.wait().unwrap();
        assert!(killed, "the child ended by itself");
        let store = RedbStore::open(&path).unwrap();
        let Ok(Stored::Present(stored)) = store.load(&id("a")) else {
            panic!("the board is gone");
        };
        assert!(
            stored.last_sequence() >= reported,
            "{} < {reported}",
            stored.last_sequence()
        );
        for (sequence, update) in &stored.updates {
            assert_eq!(update, sequence.to_string().as_bytes());
        }
    }
    assert!(copies > 5, "{copies} copies took the place of the file");
}
