//! Tests of pages.

use std::collections::BTreeMap;

use super::super::rows::{Tag, sealed};
use super::fuzzing::{backup_page, put, with_checksums};
use super::*;
use crate::access::SecretFacts;
use crate::access::secret::SecretHash;
use crate::asset::{AssetHash, AssetKind};
use crate::audit::{Action, Actor, Entry, EntryKey};
use crate::ids::{Level, Principal, Subject, UserId};
use crate::mutation::{drive, drive_committed};
use crate::store::{
    BoardRecord, ChunkHash, INVITE_BYTES, Piece, SigningSecret, StoredAsset, StoredSecret, StoredVersion,
    StoredWebhook, UploadId, VersionId, VersionKind, WebhookId,
};
use crate::time::UnixMillis;

fn id(text: &str) -> BoardId {
    BoardId::parse(text).unwrap()
}

fn entry(at: u64, n: u32) -> Entry {
    let key = EntryKey {
        at: UnixMillis(at),
        n,
    };
    Entry::new(key, Actor::unknown(), Action::BoardUpdate)
}

fn secret(kind: SecretKind, board: &BoardId, byte: u8) -> StoredSecret {
    StoredSecret {
        facts: SecretFacts {
            hash: SecretHash([byte; 32]),
            kind,
            board: board.clone(),
            level: Level::Comment,
            expires_at: Some(UnixMillis(9)),
            paused: false,
        },
        name: Some("it".to_owned()),
        created_by: Subject::parse("user:alice").unwrap(),
        created_at: UnixMillis(4),
    }
}

/// A board with something of everything.
fn full() -> Whole {
    let board = id("full");
    let document = StoredBoard {
        record: BoardRecord {
            owner: UserId::parse("alice"),
            title: Some("Plan".to_owned()),
            created_at: UnixMillis(1),
            updated_at: UnixMillis(2),
        },
        snapshot: Some((3, Bytes::from_static(b"a state"))),
        updates: vec![(4, Bytes::from_static(b"u")), (5, Bytes::from_static(b""))],
    };
    let webhook = StoredWebhook {
        id: WebhookId::from_bytes([5; WebhookId::BYTES]),
        url: "https://hooks.example/x".to_owned(),
        types: vec!["item.created".to_owned()],
        kinds: Vec::new(),
        secret: SigningSecret([6; 32]),
        created_by: Subject::parse("user:alice").unwrap(),
        created_at: UnixMillis(4),
    };
    let living = Living {
        document,
        grants: vec![
            (Principal::parse("user:bob").unwrap(), Level::Edit),
            (Principal::parse("public").unwrap(), Level::View),
        ],
        secrets: vec![
            secret(SecretKind::Link, &board, 1),
            secret(SecretKind::Key, &board, 2),
        ],
        webhooks: vec![webhook],
        assets: vec![asset()],
        versions: vec![version()],
        version_chunks: BTreeMap::from([(ChunkHash::of(b"old"), Bytes::from_static(b"old"))]),
    };
    Whole {
        board,
        life: Life::Live(Box::new(living)),
        audit: vec![entry(7, 1), entry(7, 0), entry(6, 0)],
    }
}

fn version() -> StoredVersion {
    StoredVersion {
        id: VersionId(3),
        kind: VersionKind::Named,
        at: UnixMillis(3),
        by: Subject::parse("user:alice"),
        name: Some("before".to_owned()),
        pieces: vec![Piece {
            hash: ChunkHash::of(b"old"),
            bytes: 3,
        }],
    }
}

fn asset() -> StoredAsset {
    StoredAsset {
        hash: AssetHash([7; 32]),
        upload: UploadId([9; 16]),
        kind: AssetKind::Png,
        bytes: 300_000,
        size: Some((30, 20)),
        created_by: Subject::parse("user:alice").unwrap(),
        created_at: UnixMillis(4),
        named_at: UnixMillis(5),
    }
}

fn session() -> StoredSession {
    StoredSession {
        hash: SecretHash([8; 32]),
        user: UserId::parse("alice").unwrap(),
        name: "Alice".to_owned(),
        admin: true,
        boards: vec![(id("full"), Level::View)],
        invite: [2; INVITE_BYTES],
        created_at: UnixMillis(1),
        used_at: UnixMillis(2),
        expires_at: UnixMillis(9),
        revoked_at: None,
        user_agent: None,
    }
}

fn page() -> Page {
    let gone = Whole {
        board: id("gone"),
        life: Life::Deleted(UnixMillis(3)),
        audit: vec![entry(3, 0)],
    };
    let trashed = match full().life {
        Life::Live(living) => Life::Trashed(UnixMillis(8), living),
        other => other,
    };
    let trashed = Whole {
        life: trashed,
        ..full()
    };
    Page {
        boards: vec![full(), trashed, gone],
        unreadable: vec![(id("rotten"), "a row does not match its checksum".to_owned())],
        sessions: vec![session()],
        parts: vec![(asset().upload, 3, Bytes::from_static(b"some bytes"))],
        next: Some(Place::Session(Some(session().id()))),
    }
}

#[test]
fn a_page_comes_back_whole() {
    for page in [page(), Page::default()] {
        assert_eq!(Page::decode(&page.encode()), Ok(page));
    }
}

#[test]
fn places_round_trip_as_text_and_nothing_else_is_one() {
    for place in [
        Place::START,
        Place::Board(Some(id("a-b"))),
        Place::Session(None),
        Place::Session(Some(session().id())),
        Place::Part(asset().upload, 7),
    ] {
        assert_eq!(Place::parse(&place.to_string()), Some(place));
    }
    for text in [
        "",
        "b",
        "x:",
        "b:a/b",
        "s:a",
        "B:a",
        "a:",
        "a:0909:1",
        "a:0909090909090909090909090909090G:1",
    ] {
        assert_eq!(Place::parse(text), None, "{text:?}");
    }
}

#[test]
fn no_byte_of_a_page_can_be_changed_cut_or_added() {
    let bytes = page().encode();
    for at in 0..bytes.len() {
        assert!(Page::decode(&bytes[..at]).is_err(), "cut at {at}");
        for bit in [1, 0x80] {
            let mut damaged = bytes.clone();
            damaged[at] ^= bit;
            assert!(Page::decode(&damaged).is_err(), "byte {at}");
        }
    }
    let more = [&bytes[..], &[0]].concat();
    assert_eq!(Page::decode(&more), Err(Damage::Malformed));
}

#[test]
fn a_row_that_is_left_out_is_missed() {
    let bytes = page().encode();
    let mut rest = &bytes[MAGIC.len()..];
    let mut at = MAGIC.len();
    let mut rows = 0;
    while !rest.is_empty() {
        let (_, after) = split_row(rest).unwrap();
        let length = rest.len() - after.len();
        let without = [&bytes[..at], &bytes[at + length..]].concat();
        assert!(Page::decode(&without).is_err(), "row {rows}");
        (rest, at, rows) = (after, at + length, rows + 1);
    }
    assert_eq!(rows, 34);
}

#[test]
fn rows_of_another_board_or_out_of_their_place_are_refused() {
    let grant = |board: &str| {
        let key = grant_key(&id(board), &Principal::parse("public").unwrap());
        (key, vec![1])
    };
    let mark = (b"gone".to_vec(), [vec![1], 3_u64.to_le_bytes().to_vec()].concat());
    let end = |rows: u32| (Vec::new(), rows.to_le_bytes().to_vec());
    for rows in [
        vec![(Tag::Grant, grant("a")), (Tag::End, end(1))],
        vec![
            (Tag::Board, mark.clone()),
            (Tag::Grant, grant("gone")),
            (Tag::End, end(2)),
        ],
        vec![
            (Tag::Board, mark.clone()),
            (Tag::Audit, grant("other")),
            (Tag::End, end(2)),
        ],
        vec![(Tag::Board, mark.clone()), (Tag::End, end(2))],
        vec![(Tag::Id, mark.clone()), (Tag::End, end(1))],
        vec![(Tag::Board, mark.clone())],
    ] {
        let mut bytes = MAGIC.to_vec();
        for (tag, (key, body)) in &rows {
            put(&mut bytes, *tag, (key, body));
        }
        assert!(Page::decode(&bytes).is_err(), "{rows:?}");
    }
    let mut bytes = MAGIC.to_vec();
    put(&mut bytes, Tag::Board, (&mark.0, &mark.1));
    put(&mut bytes, Tag::End, (&[], &1_u32.to_le_bytes()));
    assert_eq!(Page::decode(&bytes).map(|page| page.boards.len()), Ok(1));
    assert_eq!(sealed(Tag::End, &[], &[]).len(), 9);
}

#[test]
fn an_announced_length_takes_no_memory_and_no_sequence_overflows() {
    let mut bytes = MAGIC.to_vec();
    bytes.extend_from_slice(&[Tag::Board as u8, 1, 0, 0xff, 0xff, 0xff, 0xff, b'a', 0]);
    assert_eq!(Page::decode(&bytes), Err(Damage::Malformed));
    // Two updates from the last sequence on.
    let mut whole = full();
    let Life::Live(living) = &mut whole.life else {
        unreachable!()
    };
    living.document.snapshot = Some((u64::MAX - 1, Bytes::new()));
    living.document.updates = vec![(u64::MAX, Bytes::new()), (0, Bytes::new())];
    let page = Page {
        boards: vec![whole],
        ..Page::default()
    };
    assert!(Page::decode(&page.encode()).is_err());
}

#[test]
fn the_seeds_of_the_fuzzer_are_pages() {
    let seeds = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/seeds/backup_page");
    for (name, boards) in [("board", 1), ("deleted", 1), ("unreadable", 0), ("empty", 0)] {
        let seed = std::fs::read(seeds.join(name)).unwrap();
        let page = Page::decode(&with_checksums(&seed));
        assert_eq!(page.map(|page| page.boards.len()), Ok(boards), "{name}");
    }
}

#[test]
fn mutated_pages_keep_the_fuzz_bodys_promise() {
    let seed = page().encode();
    let mut bare = Vec::new();
    let mut rest = &seed[MAGIC.len()..];
    while !rest.is_empty() {
        let (row, after) = split_row(rest).unwrap();
        rest = after;
        let tags = [1, 2, 3, 5, 6, 7, 10, 12, 13, 4, 64, 65, 16, 18, 19, 20];
        let tag = tags.iter().position(|tag| *tag == row.tag).unwrap();
        let body = &row.value[9..];
        bare.push(u8::try_from(tag).unwrap());
        bare.push(u8::try_from(row.key.len()).unwrap());
        bare.extend_from_slice(&u16::try_from(body.len()).unwrap().to_le_bytes());
        bare.extend_from_slice(row.key);
        bare.extend_from_slice(body);
    }
    backup_page(&bare);
    drive(&[&bare], 3_000, backup_page);
    drive_committed("backup_page", 3_000, backup_page);
}
