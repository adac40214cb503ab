//! Tests of files that were damaged after an orderly stop: whatever the damage, an answer is right or an
//! error.

use super::super::fault_tests::{Random, on, times};
use super::super::simdisk::SimDisk;
use super::*;
use std::collections::BTreeSet;

/// Bytes of a page.
const PAGE: usize = 4096;

/// Boards that are there; every fourth is deleted again.
const BOARDS_MADE: usize = 12;

fn name(number: usize) -> String {
    format!("board-{number:02}")
}

/// A store with so many rows in each table that each has branch pages; and what the disk held on the way
/// there.
fn filled() -> (SimDisk, Vec<Vec<u8>>) {
    let disk = SimDisk::default();
    let mut earlier = Vec::new();
    let store = on(&disk).unwrap();
    for number in 0..BOARDS_MADE {
        let board = name(number);
        let mut changes = vec![create(&board)];
        for n in 0..30 {
            let user = format!("user:{board}-{n:03}-{}", "u".repeat(40));
            changes.push(act(&board, 100 + n, grant(&user, Level::View)));
        }
        changes.push(act(&board, 200, grant("public", Level::View)));
        for n in 0..15 {
            let (link, key) = (format!("link {n}"), format!("key {n}"));
            changes.push(act(&board, 300 + n, secret(&board, SecretKind::Link, &link)));
            changes.push(act(&board, 400 + n, secret(&board, SecretKind::Key, &key)));
        }
        done(&store, &changes);
        let large = vec![number as u8; 2 * rows::CHUNK_BYTES];
        done(
            &store,
            &[append(&board, 1, large.clone()), snapshot(&board, 1, large)],
        );
        for sequence in 2..12 {
            done(&store, &[append(&board, sequence, vec![7; 400])]);
        }
        earlier.push(disk.content());
    }
    for number in 0..BOARDS_MADE {
        let board = name(number);
        let raised = act(&board, 500, grant("public", Level::Edit));
        done(&store, &[raised, append(&board, 12, vec![8; 400])]);
        if number % 4 == 3 {
            done(&store, &[delete(&board)]);
        }
        earlier.push(disk.content());
    }
    drop(store);
    (disk, earlier)
}

fn done(store: &RedbStore, changes: &[Change]) {
    let applied = store.commit(changes).unwrap();
    assert!(applied.iter().all(|applied| *applied == Applied::Done));
}

/// Whom and what each board is asked about: those who have something, and those who have not.
fn asked_about(board: &str) -> Asked {
    let some = |n: usize| principal(&format!("user:{board}-{n:03}-{}", "u".repeat(40)));
    let secrets = ["link 0", "link 14", "key 3", "never"];
    Asked {
        principals: vec![principal("public"), some(0), some(29), principal("user:nobody")],
        secrets: secrets
            .iter()
            .map(|name| SecretHash::of(&format!("{name} of {board}")).id())
            .collect(),
    }
}

/// Every answer of a store, in words; `None` for an error.
fn answers(store: &RedbStore) -> Vec<(String, Option<String>)> {
    let mut answers = Vec::new();
    fn words<T: std::fmt::Debug>(answer: Result<T, StoreError>) -> Option<String> {
        answer.ok().map(|answer| format!("{answer:?}"))
    }
    for number in 0..=BOARDS_MADE {
        let (text, board) = (name(number), id(&name(number)));
        let mut say = |what: &str, answer| answers.push((format!("{what} of {text}"), answer));
        say("load", words(store.load(&board)));
        say("summary", words(store.summary(&board)));
        say("access", words(store.access(&board, &asked_about(&text))));
        say("grants", words(store.grants(&board, None, 500)));
        let after = principal(&format!("user:{text}-015"));
        say("later grants", words(store.grants(&board, Some(&after), 5)));
        for kind in [SecretKind::Link, SecretKind::Key] {
            say(
                &format!("{kind:?}"),
                words(store.secrets(&board, kind, None, 500)),
            );
        }
        say("audit", words(store.audit(&board, None, 500)));
        let ids = asked_about(&text).secrets;
        say("secrets", words(store.find_secrets(&ids)));
    }
    let everything = Holder {
        everything: true,
        ..Holder::default()
    };
    for holder in [everything, owned_by("alice")] {
        let listed = store.list(&holder, None, 500);
        // A board that cannot be read is in the list as such.
        let readable = |listed: &Vec<Listed>| listed.iter().all(|one| one.summary.is_ok());
        answers.push(("list".into(), words(listed).filter(|_| true)));
        let listed = store.list(&holder, None, 500).ok().filter(readable);
        answers.push(("readable".into(), listed.map(|listed| format!("{listed:?}"))));
    }
    answers
}

/// One way to damage a file, by a seed; what was done, in words.
fn damage(content: &mut [u8], earlier: &[Vec<u8>], random: &mut Random) -> String {
    let used: Vec<usize> = (1..content.len() / PAGE)
        .filter(|page| {
            content[page * PAGE..(page + 1) * PAGE]
                .iter()
                .any(|byte| *byte != 0)
        })
        .collect();
    let page = used[random.below(used.len() as u64) as usize];
    let (start, end) = (page * PAGE, (page + 1) * PAGE);
    match random.below(5) {
        0 => {
            content[start..end].fill(0);
            format!("page {page} is zero")
        }
        1 => {
            let other = used[random.below(used.len() as u64) as usize] * PAGE;
            content.copy_within(other..other + PAGE, start);
            format!("page {page} is {}", other / PAGE)
        }
        2 => {
            let old = &earlier[random.below(earlier.len() as u64) as usize];
            if let Some(old) = old.get(start..end) {
                content[start..end].copy_from_slice(old);
            }
            format!("page {page} is an older one")
        }
        // The head of a page, where a branch has the places of its children.
        3 => {
            let at = start + random.below(256) as usize;
            content[at] = random.next() as u8;
            format!("byte {at}")
        }
        _ => {
            let at = start + random.below(PAGE as u64) as usize;
            content[at] ^= 1 << random.below(8);
            format!("byte {at}")
        }
    }
}

#[test]
fn a_file_that_is_damaged_while_nobody_has_it_open_gives_right_answers_or_errors() {
    let (disk, earlier) = filled();
    let sound = disk.content();
    let store = on(&SimDisk::with_content(sound.clone())).unwrap();
    assert_eq!(store.verified(), Verified::Sound);
    let expected = answers(&store);
    drop(store);
    assert!(expected.iter().all(|(_, answer)| answer.is_some()));
    let (mut refused, mut wrong) = (0, BTreeSet::new());
    for seed in 0..300 * times() {
        let mut content = sound.clone();
        let mut random = Random::new(seed + 1);
        let what = damage(&mut content, &earlier, &mut random);
        let Ok(store) = on(&SimDisk::with_content(content)) else {
            refused += 1;
            continue;
        };
        for ((question, answer), (_, expected)) in answers(&store).iter().zip(&expected) {
            refused += u32::from(answer.is_none());
            if answer.is_some() && answer != expected {
                wrong.insert(format!("seed {seed}, {what}: {question}"));
            }
        }
    }
    assert!(refused > 100, "the damage was harmless: {refused}");
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn a_file_is_looked_through_before_it_is_used_unless_opening_does_that_anyway() {
    let (directory, store) = fresh();
    let path = directory.path().join("boards.redb");
    store
        .commit(&[create("a"), append("a", 1, vec![7; 100_000])])
        .unwrap();
    let killed = fs::read(&path).unwrap();
    drop(store);
    let store = RedbStore::open(&path).unwrap();
    assert_eq!(store.verified(), Verified::Sound);
    drop(store);
    let closed = fs::read(&path).unwrap();
    let mut rotten = closed.clone();
    for at in (0..rotten.len()).step_by(PAGE) {
        if rotten[at + 1000..at + 2000] == [7; 1000] {
            rotten[at + 1500] ^= 1;
        }
    }
    for (content, verified) in [
        (&killed, Verified::AtOpening),
        (&rotten, Verified::Damaged),
        (&closed, Verified::Sound),
    ] {
        fs::write(&path, content).unwrap();
        assert_eq!(verify_file(&path).unwrap(), verified);
        assert_eq!(
            &fs::read(&path).unwrap(),
            content,
            "{verified:?}: nothing was written"
        );
        assert_eq!(RedbStore::open(&path).unwrap().verified(), verified);
    }
    let file = fs::OpenOptions::new().write(true).open(&path).unwrap();
    for (length, verified) in [(-1, false), (0, false), (1, true)] {
        let length = limits::VERIFY_AT_START_BYTES_MAX.saturating_add_signed(length);
        file.set_len(length).unwrap();
        let found = verify_file(&path).unwrap();
        assert_eq!(found == Verified::TooLarge, verified, "{length}");
    }
}

#[test]
fn with_damaged_pages_what_nothing_counts_is_refused_and_the_boards_are_served() {
    let (directory, store) = fresh();
    let path = directory.path().join("boards.redb");
    let link = secret("a", SecretKind::Link, "link");
    done(
        &store,
        &[
            create("a"),
            act("a", 11, link),
            create("b"),
            append("b", 1, vec![7; 100_000]),
        ],
    );
    drop(store);
    let mut content = fs::read(&path).unwrap();
    // Whatever page of it counts: it was in the journal first.
    for at in (0..content.len()).step_by(PAGE) {
        if content[at + 1000..at + 2000] == [7; 1000] {
            content[at + 1500] ^= 1;
        }
    }
    fs::write(&path, &content).unwrap();
    let store = RedbStore::open(&path).unwrap();
    let damaged = StoreError::Unreadable(Damage::Pages);
    // Nothing proves that a copy would have all of it, however much too large the file is.
    let on_a_disk = on(&SimDisk::with_content(content)).unwrap();
    assert_eq!(on_a_disk.reclaim(), Ok(Reclaimed::Nothing));
    assert_eq!(
        store.load(&id("b")),
        Err(StoreError::Unreadable(Damage::Checksum))
    );
    assert!(present(&store, "a").updates.is_empty());
    assert_eq!(
        store.load(&id("never")),
        Ok(Stored::Absent),
        "the links of ids prove it"
    );
    assert_eq!(store.list(&owned_by("alice"), None, 9), Err(damaged.clone()));
    assert_eq!(store.audit(&id("a"), None, 9), Err(damaged.clone()));
    let ids = |name: &str| vec![SecretHash::of(&format!("{name} of a")).id()];
    assert!(store.find_secrets(&ids("link")).is_ok());
    assert_eq!(store.find_secrets(&ids("never")), Err(damaged.clone()));
    let asked = |name| Asked {
        secrets: ids(name),
        principals: Vec::new(),
    };
    assert!(store.access(&id("a"), &asked("link")).is_ok());
    assert_eq!(store.access(&id("a"), &asked("never")), Err(damaged));
    assert_eq!(store.commit(&[append("a", 1, "on")]), Ok(vec![Applied::Done]));
}
