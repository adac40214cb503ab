//! The rules of versions: kept as they are, with what they share kept once.

use bytes::Bytes;

use super::*;
use crate::audit::Action;
use crate::limits;
use crate::time::UnixMillis;

/// A version of a board with these chunks, for which others go.
fn version(board: &str, id: u64, chunks: &[&str], forgotten: &[u64]) -> NewVersion {
    let chunks: Vec<Bytes> = (chunks.iter())
        .map(|chunk| Bytes::copy_from_slice(chunk.as_bytes()))
        .collect();
    let pieces = chunks.iter().map(|chunk| Piece {
        hash: ChunkHash::of(chunk),
        bytes: chunk.len() as u32,
    });
    NewVersion {
        board: super::id(board),
        version: StoredVersion {
            id: VersionId(id),
            kind: VersionKind::ALL[id as usize % 4],
            at: UnixMillis(id + 100),
            name: (!id.is_multiple_of(2)).then(|| format!("version\0 \\{id}")),
            by: (!id.is_multiple_of(3)).then(|| Subject::parse("user:alice").unwrap()),
            pieces: pieces.collect(),
        },
        chunks,
        forgotten: forgotten.iter().map(|id| VersionId(*id)).collect(),
    }
}

fn add(new: &NewVersion) -> Change {
    Change::Version {
        new: Box::new(new.clone()),
        entry: None,
    }
}

fn ids<P: Place>(store: &Tried<P>, board: &str) -> Vec<u64> {
    let versions = store.versions(&id(board), None, usize::MAX).unwrap();
    versions.into_iter().map(|version| version.id.0).collect()
}

fn kept<P: Place>(store: &Tried<P>, board: &str) -> Vec<String> {
    let chunks = store.version_chunks(&id(board)).unwrap().into_values();
    let mut chunks: Vec<String> = chunks
        .map(|chunk| String::from_utf8(chunk.to_vec()).unwrap())
        .collect();
    chunks.sort_unstable();
    chunks
}

pub(super) fn versions_are_kept_as_they_are_and_listed_newest_first_in_pages<P: Place>() {
    let mut store = fresh::<P>();
    store.done(&[create("a"), create("a-")]);
    let all: Vec<NewVersion> = (1..=5)
        .map(|n| version("a", n, &["one", "two", &n.to_string()], &[]))
        .collect();
    for new in &all {
        store.done(&[add(new)]);
    }
    store.done(&[add(&version("a-", 1, &["other"], &[]))]);
    assert_eq!(store.commit(&[add(&all[2])]), Ok(vec![Applied::Exists]));
    for (board, expected) in [("never", Applied::Absent), ("a", Applied::Done)] {
        let entry = Some(entry(70, Action::VersionCreate));
        let new = Box::new(version(board, 6, &[], &[]));
        assert_eq!(
            store.commit(&[Change::Version { new, entry }]),
            Ok(vec![expected])
        );
        assert_eq!(
            store.entries(board).len(),
            if expected == Applied::Done { 2 } else { 0 }
        );
    }
    for _ in 0..2 {
        assert_eq!(ids(&store, "a"), [6, 5, 4, 3, 2, 1]);
        let page = store.versions(&id("a"), Some(VersionId(5)), 2).unwrap();
        assert_eq!(page, [all[3].version.clone(), all[2].version.clone()]);
        assert_eq!(store.versions(&id("a"), Some(VersionId(1)), 2), Ok(Vec::new()));
        for (number, new) in all.iter().enumerate() {
            let state = Bytes::from(format!("onetwo{}", number + 1));
            let found = store.version(&id("a"), new.version.id).unwrap();
            assert_eq!(found, Some((new.version.clone(), state)));
        }
        let empty = store.version(&id("a"), VersionId(6)).unwrap().unwrap().1;
        assert_eq!(empty, Bytes::new());
        assert_eq!(store.version(&id("a"), VersionId(7)), Ok(None));
        assert_eq!(store.version(&id("never"), VersionId(1)), Ok(None));
        assert_eq!(kept(&store, "a"), ["1", "2", "3", "4", "5", "one", "two"]);
        assert_eq!(kept(&store, "a-"), ["other"]);
        store.restart();
    }
}

pub(super) fn a_chunk_goes_with_the_last_version_that_has_it<P: Place>() {
    let mut store = fresh::<P>();
    store.done(&[create("a"), create("b"), add(&version("b", 1, &["one"], &[]))]);
    store.done(&[
        add(&version("a", 1, &["one", "two", "one"], &[])),
        add(&version("a", 2, &["two", "three"], &[])),
    ]);
    // Of what is not there nothing is said, and what the new one has stays.
    store.done(&[add(&version("a", 3, &["one", "four"], &[1, 9]))]);
    assert_eq!(
        (ids(&store, "a"), kept(&store, "a")),
        (
            vec![3, 2],
            vec!["four".into(), "one".into(), "three".into(), "two".into()]
        )
    );
    assert_eq!(store.does("a", Act::RemoveVersion(VersionId(2))), Applied::Done);
    assert_eq!(
        store.does("a", Act::RemoveVersion(VersionId(2))),
        Applied::NotThere
    );
    assert_eq!(kept(&store, "a"), ["four", "one"]);
    // All in one commit: what one brings another takes away.
    store.done(&[
        add(&version("a", 4, &["five"], &[])),
        add(&version("a", 5, &["five", "one"], &[4, 3])),
        act("a", 80, Act::RemoveVersion(VersionId(5))),
        add(&version("a", 6, &["five"], &[])),
    ]);
    for _ in 0..2 {
        assert_eq!(
            (ids(&store, "a"), kept(&store, "a")),
            (vec![6], vec!["five".to_owned()])
        );
        assert_eq!(store.version(&id("a"), VersionId(6)).unwrap().unwrap().1, "five");
        assert_eq!(kept(&store, "b"), ["one"]);
        store.restart();
    }
    store.done(&[delete("a")]);
    assert_eq!((ids(&store, "a"), kept(&store, "a")), (Vec::new(), Vec::new()));
    assert_eq!(
        store.commit(&[add(&version("a", 7, &["x"], &[]))]),
        Ok(vec![Applied::Deleted])
    );
}

pub(super) fn a_version_too_many_is_refused_unless_another_goes<P: Place>() {
    let store = fresh::<P>();
    store.done(&[create("a")]);
    let most = limits::VERSIONS_PER_BOARD_MAX as u64;
    let all: Vec<Change> = (1..=most)
        .map(|n| add(&version("a", n, &["same"], &[])))
        .collect();
    store.done(&all);
    assert_eq!(
        store.commit(&[add(&version("a", most + 1, &["new"], &[]))]),
        Ok(vec![Applied::TooMany])
    );
    assert_eq!(kept(&store, "a"), ["same"]);
    store.done(&[add(&version("a", most + 1, &["new"], &[7]))]);
    assert_eq!(ids(&store, "a").len() as u64, most);
}

pub(super) fn versions_stay_in_the_trash_and_go_with_their_board<P: Place>() {
    let mut store = fresh::<P>();
    store.done(&[create("a"), add(&version("a", 1, &["one"], &[])), trash("a", 50)]);
    assert_eq!(
        store.commit(&[add(&version("a", 2, &["two"], &[]))]),
        Ok(vec![Applied::Deleted])
    );
    assert_eq!(
        store.does("a", Act::RemoveVersion(VersionId(1))),
        Applied::Deleted
    );
    store.restart();
    store.done(&[act("a", 60, Act::Restore)]);
    assert_eq!(
        (ids(&store, "a"), kept(&store, "a")),
        (vec![1], vec!["one".to_owned()])
    );
    store.done(&[trash("a", 70), purge("a", 71)]);
    assert_eq!((ids(&store, "a"), kept(&store, "a")), (Vec::new(), Vec::new()));
}
