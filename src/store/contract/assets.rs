//! The rules of assets and uploads.

use bytes::Bytes;

use super::*;
use crate::asset::{AssetHash, AssetKind};
use crate::ids::Subject;
use crate::limits;
use crate::time::UnixMillis;

const PART: usize = limits::ASSET_PART_BYTES;

/// An asset of this number, of so many bytes.
pub(crate) fn asset(number: u16, bytes: usize) -> StoredAsset {
    let [low, high] = number.to_le_bytes();
    let mut upload = [7; 16];
    upload[..2].copy_from_slice(&[low, high]);
    let mut hash = [9; 32];
    hash[..2].copy_from_slice(&[high, low]);
    StoredAsset {
        hash: AssetHash(hash),
        upload: UploadId(upload),
        kind: AssetKind::ALL[usize::from(number % 8)],
        bytes: bytes as u64,
        size: number.is_multiple_of(2).then_some((640, u32::from(number) + 1)),
        created_by: Subject::parse("user:alice").unwrap(),
        created_at: UnixMillis(40),
        named_at: UnixMillis(40),
    }
}

/// A part of an asset; no two are equal.
pub(crate) fn part_of(asset: &StoredAsset, part: u32) -> Bytes {
    let length = usize::try_from(asset.bytes)
        .unwrap()
        .saturating_sub(PART * part as usize);
    let byte = asset.upload.0[0].wrapping_add(u8::try_from(part % 200).unwrap());
    vec![byte; length.min(PART)].into()
}

fn add(asset: &StoredAsset, part: u32, at: u64) -> Change {
    Change::Asset(AssetChange::Part {
        upload: asset.upload,
        part,
        bytes: part_of(asset, part),
        at: UnixMillis(at),
    })
}

pub(crate) fn parts_of(asset: &StoredAsset) -> Vec<Change> {
    (0..asset.parts()).map(|part| add(asset, part, 30)).collect()
}

fn finish_within(board: &str, asset: &StoredAsset, bytes_max: u64) -> Change {
    Change::Asset(AssetChange::Finish {
        board: id(board),
        asset: Box::new(asset.clone()),
        bytes_max,
    })
}

pub(crate) fn finish(board: &str, asset: &StoredAsset) -> Change {
    finish_within(board, asset, u64::MAX)
}

fn give_up(asset: &StoredAsset) -> Change {
    Change::Asset(AssetChange::Drop(asset.upload))
}

fn name(board: &str, assets: &[&StoredAsset], at: u64) -> Change {
    Change::Asset(AssetChange::Name {
        board: id(board),
        hashes: assets.iter().map(|asset| asset.hash).collect(),
        at: UnixMillis(at),
    })
}

fn remove(board: &str, assets: &[&StoredAsset], before: u64) -> Change {
    Change::Asset(AssetChange::Remove {
        board: id(board),
        hashes: assets.iter().map(|asset| asset.hash).collect(),
        before: UnixMillis(before),
    })
}

/// Brings an asset to a board.
pub(super) fn bring<P: Place>(store: &Tried<P>, board: &str, asset: &StoredAsset) {
    store.done(&parts_of(asset));
    store.done(&[finish(board, asset)]);
}

fn listed<P: Place>(store: &Tried<P>, board: &str) -> Vec<StoredAsset> {
    store.assets(&id(board), None, usize::MAX).unwrap()
}

fn prune<P: Place>(store: &Tried<P>, before: u64) -> usize {
    let mut steps = 1;
    while store.prune_uploads(UnixMillis(before)).unwrap() {
        steps += 1;
    }
    steps
}

fn is_there<P: Place>(store: &Tried<P>, asset: &StoredAsset) -> bool {
    let parts = 0..asset.parts();
    let mut found = parts.map(|part| store.asset_part(asset.upload, part).unwrap().is_some());
    let first = found.next().unwrap();
    assert!(
        found.all(|found| found == first),
        "some parts are there, and some are not"
    );
    first
}

pub(super) fn an_upload_becomes_an_asset_that_is_read_back_part_by_part<P: Place>() {
    let mut store = fresh::<P>();
    store.done(&[create("a"), create("b")]);
    let lengths = [1, PART - 1, PART, PART + 1, 3 * PART + 17];
    let assets: Vec<_> = (1..)
        .zip(lengths)
        .map(|(number, bytes)| asset(number, bytes))
        .collect();
    for asset in &assets {
        assert_eq!(store.asset(&id("a"), &asset.hash), Ok(None));
        bring(&store, "a", asset);
    }
    for _ in 0..2 {
        assert_eq!(listed(&store, "a"), assets);
        assert_eq!(listed(&store, "b"), []);
        assert_eq!(
            store.assets(&id("a"), Some(&assets[1].hash), 2).unwrap(),
            assets[2..4]
        );
        assert_eq!(store.assets(&id("a"), Some(&assets[4].hash), 2), Ok(Vec::new()));
        for asset in &assets {
            assert_eq!(store.asset(&id("a"), &asset.hash).unwrap().as_ref(), Some(asset));
            assert_eq!(store.asset(&id("b"), &asset.hash), Ok(None));
            for part in 0..asset.parts() {
                let found = store.asset_part(asset.upload, part).unwrap();
                assert!(found == Some(part_of(asset, part)), "{part} of {}", asset.bytes);
            }
            assert_eq!(store.asset_part(asset.upload, asset.parts()), Ok(None));
        }
        assert_eq!(store.asset_part(asset(99, 1).upload, 0), Ok(None));
        store.restart();
    }
}

pub(super) fn a_part_comes_once_and_in_its_order<P: Place>() {
    let store = fresh::<P>();
    store.done(&[create("a")]);
    let (one, other) = (asset(1, 2 * PART), asset(2, 10));
    let (done, not, exists) = (Applied::Done, Applied::NotThere, Applied::Exists);
    for (change, expected) in [
        (add(&one, 1, 5), not),
        (give_up(&one), not),
        (add(&one, 0, 5), done),
        (add(&one, 0, 5), exists),
        (finish("a", &one), not),
        (add(&one, 2, 5), Applied::OutOfOrder),
        (add(&one, 1, 5), done),
        (add(&one, 1, 6), exists),
        (finish("never", &one), Applied::Absent),
        // It has another length.
        (finish("a", &asset(1, 2 * PART - 1)), not),
        (finish("a", &one), done),
        // What is an asset is no upload.
        (finish("a", &one), exists),
        (add(&one, 0, 5), not),
        (add(&one, 2, 5), not),
        (give_up(&one), not),
        (add(&other, 0, 5), done),
        (give_up(&other), done),
        (give_up(&other), not),
        (add(&other, 1, 5), not),
        (finish("a", &other), not),
    ] {
        let (told, lists) = (store.told("a"), listed(&store, "a"));
        assert_eq!(
            store.commit(std::slice::from_ref(&change)),
            Ok(vec![expected]),
            "{change:?}"
        );
        if expected != done {
            assert_eq!((store.told("a"), listed(&store, "a")), (told, lists));
        }
    }
    assert_eq!(listed(&store, "a"), [one]);
}

pub(super) fn a_board_has_each_asset_once_and_no_more_than_it_may<P: Place>() {
    let store = fresh::<P>();
    store.done(&[create("a"), create("b")]);
    let assets: Vec<_> = (1..=4).map(|number| asset(number, 10)).collect();
    assets.iter().for_each(|asset| store.done(&parts_of(asset)));
    let again = StoredAsset {
        hash: assets[0].hash,
        ..assets[3].clone()
    };
    let (done, full) = (Applied::Done, Applied::AssetsFull);
    // In one commit they count together.
    let changes = [
        finish_within("a", &assets[0], 9),
        finish_within("a", &assets[0], 10),
        finish_within("a", &again, 10),
        finish_within("a", &assets[1], 19),
        finish_within("a", &assets[1], 20),
        finish_within("b", &assets[2], 10),
    ];
    let applied = store.commit(&changes).unwrap();
    assert_eq!(applied, [full, done, Applied::Exists, full, done, done]);
    assert_eq!(
        store.commit(&[finish_within("a", &assets[3], 29)]),
        Ok(vec![full])
    );
    store.done(&[finish_within("a", &assets[3], 30)]);

    let most = u16::try_from(limits::ASSETS_PER_BOARD_MAX).unwrap();
    let many: Vec<_> = (100..100 + most).map(|number| asset(number, 1)).collect();
    let parts: Vec<_> = many.iter().flat_map(parts_of).collect();
    store.done(&parts);
    let finished: Vec<_> = many[..many.len() - 1]
        .iter()
        .map(|asset| finish("b", asset))
        .collect();
    store.done(&finished);
    let last = finish("b", &many[many.len() - 1]);
    assert_eq!(
        store.commit(std::slice::from_ref(&last)),
        Ok(vec![Applied::TooMany])
    );
    store.done(&[remove("b", &[&many[0]], 41), last]);
    store.done(&[delete("b")]);
    prune(&store, 0);
}

pub(super) fn an_asset_that_is_not_named_is_removed_and_one_that_is_stays<P: Place>() {
    let mut store = fresh::<P>();
    store.done(&[create("a"), create("b")]);
    let [one, two, three] = [1, 2, 3].map(|number| asset(number, PART + 1));
    for asset in [&one, &two, &three] {
        bring(&store, "a", asset);
    }
    let (done, not) = (Applied::Done, Applied::NotThere);
    let changes = [
        name("a", &[&two, &asset(9, 1)], 50),
        name("a", &[&two], 45),
        name("a", &[&asset(9, 1)], 50),
        name("b", &[&one], 60),
        remove("a", &[&one, &two, &three], 40),
        remove("b", &[&one], 99),
        remove("a", &[&one, &two], 50),
        remove("a", &[&one], 50),
    ];
    let applied = store.commit(&changes).unwrap();
    assert_eq!(applied, [done, done, not, not, not, not, done, not]);
    for _ in 0..2 {
        let named: Vec<_> = listed(&store, "a")
            .iter()
            .map(|asset| (asset.hash, asset.named_at.0))
            .collect();
        assert_eq!(named, [(two.hash, 50), (three.hash, 40)]);
        assert!(is_there(&store, &two) && is_there(&store, &three));
        store.restart();
    }
    prune(&store, 0);
    assert!(!is_there(&store, &one) && is_there(&store, &two));
    // It may be brought anew.
    let again = StoredAsset {
        upload: asset(20, 1).upload,
        ..one
    };
    bring(&store, "a", &again);
    assert_eq!(listed(&store, "a").len(), 3);
}

pub(super) fn deleting_a_board_takes_its_assets_along_and_those_of_no_other<P: Place>() {
    let mut store = fresh::<P>();
    store.done(&[create("a"), create("a-"), create("b")]);
    let assets: Vec<_> = (1..=6).map(|number| asset(number, PART + 1)).collect();
    for (asset, board) in assets.iter().zip(["a", "a", "a-", "b", "b"]) {
        bring(&store, board, asset);
    }
    // The same bytes on another board are another asset.
    let same = StoredAsset {
        hash: assets[0].hash,
        ..asset(30, PART + 1)
    };
    bring(&store, "b", &same);
    store.done(&parts_of(&assets[5]));
    store.done(&[
        remove("b", &[&assets[4]], 99),
        finish("a", &assets[5]),
        delete("a"),
    ]);
    assert_eq!(
        store.commit(&[finish("a", &assets[5]), name("a", &[&assets[0]], 1)]),
        Ok(vec![Applied::Deleted; 2])
    );
    prune(&store, 0);
    for _ in 0..2 {
        assert_eq!(listed(&store, "a"), []);
        assert_eq!(store.asset(&id("a"), &assets[0].hash), Ok(None));
        let there: Vec<_> = assets.iter().map(|asset| is_there(&store, asset)).collect();
        assert_eq!(there, [false, false, true, true, false, false]);
        assert!(is_there(&store, &same));
        store.restart();
    }
}

pub(super) fn what_uploads_leave_is_removed_a_little_at_a_time<P: Place>() {
    let mut store = fresh::<P>();
    store.done(&[create("a")]);
    let most = limits::UPLOAD_PARTS_PRUNED_AT_ONCE;
    let kept = asset(1, 3 * PART);
    bring(&store, "a", &kept);
    let [old, young, dropped] = [2, 3, 4].map(|number| asset(number, (most + 1) * PART));
    for (asset, at) in [(&old, 30), (&young, 40), (&dropped, 40)] {
        for part in 0..asset.parts() {
            store.done(&[add(asset, part, at)]);
        }
    }
    store.done(&[give_up(&dropped)]);
    store.prune_uploads(UnixMillis(40)).unwrap();
    // What has begun to go is never finished.
    let lost = store.commit(&[finish("a", &old)]).unwrap();
    assert_eq!(lost, [Applied::NotThere]);
    prune(&store, 40);
    let there = [&kept, &old, &young, &dropped].map(|asset| is_there(&store, asset));
    assert_eq!(there, [true, false, true, false]);
    store.restart();
    store.done(&[finish("a", &young)]);
    prune(&store, 1_000);
    assert!(is_there(&store, &kept) && is_there(&store, &young));
    assert_eq!(listed(&store, "a"), [kept, young]);
}

pub(super) fn what_assets_take_lives<P: Place>() {
    let mut store = fresh::<P>();
    store.done(&[create("a")]);
    let before = store.footprint().live_bytes;
    bring(&store, "a", &asset(1, 4 * PART));
    store.restart();
    let grown = store.footprint().live_bytes - before;
    assert!((4 * PART as u64..5 * PART as u64).contains(&grown), "{grown}");
    store.done(&[delete("a")]);
    prune(&store, 0);
    store.restart();
    assert!(store.footprint().live_bytes < before + PART as u64);
}
