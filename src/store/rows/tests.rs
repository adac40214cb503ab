//! Tests of the bytes of records, chunks and links between ids.

use super::journal::{Run, runs};
use super::*;
use crate::ids::UserId;
use crate::store::BoardRecord;
use crate::time::UnixMillis;

fn board(id: &str) -> BoardId {
    BoardId::parse(id).unwrap()
}

fn live() -> LiveBoard {
    LiveBoard {
        trashed_at: None,
        record: BoardRecord {
            owner: UserId::parse("alice"),
            title: Some("plan".into()),
            created_at: UnixMillis(1),
            updated_at: UnixMillis(2),
        },
        last_sequence: 9,
        covers: 7,
        snapshot_bytes: Some(0),
        log_bytes: 3,
        tallies: Tallies {
            keys: Tally { rows: 1, sum: 2 },
            ..Tallies::default()
        },
    }
}

#[test]
fn a_record_of_format_2_reads_without_tallies_and_by_its_own_reader_only() {
    let row = BoardRow::Live(live());
    let value = row.encode_2(b"b");
    let without = LiveBoard {
        log_bytes: 0,
        tallies: Tallies::default(),
        ..live()
    };
    assert_eq!(BoardRow::decode_2(b"b", &value), Ok(BoardRow::Live(without)));
    assert_eq!(BoardRow::decode(b"b", &value), Err(Damage::Malformed));
    assert_eq!(
        BoardRow::decode_2(b"b", &row.encode(b"b")),
        Err(Damage::Malformed)
    );
}

#[test]
fn records_round_trip_and_any_flipped_bit_is_found() {
    let bare = LiveBoard::new(None, Some(String::new()), UnixMillis(5));
    for row in [
        BoardRow::Live(live()),
        BoardRow::Live(LiveBoard {
            trashed_at: Some(UnixMillis(7)),
            ..live()
        }),
        BoardRow::Live(bare),
        BoardRow::Tombstone(UnixMillis(3)),
    ] {
        let value = row.encode(b"b");
        assert_eq!(BoardRow::decode(b"b", &value), Ok(row));
        for bit in 0..value.len() * 8 {
            let mut rotten = value.clone();
            rotten[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(
                BoardRow::decode(b"b", &rotten),
                Err(Damage::Checksum),
                "bit {bit}"
            );
        }
        for length in 0..value.len() {
            assert!(BoardRow::decode(b"b", &value[..length]).is_err());
        }
        assert_eq!(
            BoardRow::decode(b"c", &value),
            Err(Damage::Checksum),
            "another board's row"
        );
    }
}

#[test]
fn a_row_of_a_later_format_is_named() {
    let mut value = vec![2];
    value.extend_from_slice(&checksum(Tag::Board, b"b", 2, &[b"new"]));
    value.extend_from_slice(b"new");
    assert_eq!(BoardRow::decode(b"b", &value), Err(Damage::RowFormat(2)));
}

#[test]
fn a_row_that_was_sealed_wrong_is_malformed() {
    for body in [&b""[..], &[2], &[0, 1, 2], &[1, 0, 0, 0, 0, 0, 0, 0, 0, 9]] {
        let value = seal(Tag::Board, b"b", &[body]);
        assert_eq!(BoardRow::decode(b"b", &value), Err(Damage::Malformed), "{body:?}");
    }
    let value = seal(Tag::Update, b"k", &[&[0; 8]]);
    assert_eq!(
        Chunk::decode(Tag::Update, b"k", &value),
        Err(Damage::Malformed),
        "no parts"
    );
}

#[test]
fn texts_are_kept_up_to_their_bound_and_cut_at_a_character() {
    for (length, kept) in [
        (0, 0),
        (TEXT_BYTES_MAX - 1, TEXT_BYTES_MAX - 1),
        (TEXT_BYTES_MAX, TEXT_BYTES_MAX),
        (TEXT_BYTES_MAX + 1, TEXT_BYTES_MAX),
    ] {
        let row = BoardRow::Live(LiveBoard::new(None, Some("x".repeat(length)), UnixMillis(0)));
        let BoardRow::Live(back) = BoardRow::decode(b"b", &row.encode(b"b")).unwrap() else {
            panic!("not live");
        };
        assert_eq!(back.record.title.unwrap().len(), kept);
    }
    let wide = LiveBoard::new(None, Some("\u{20ac}".repeat(30_000)), UnixMillis(0));
    assert!(BoardRow::decode(b"b", &BoardRow::Live(wide).encode(b"b")).is_ok());
}

#[test]
fn chunk_keys_sort_by_board_sequence_and_part_and_stay_inside_their_board() {
    let mut keys = Vec::new();
    for id in ["a", "a-", "a-b", "a0", "aa", "b", "~"] {
        for sequence in [0, 1, 255, 256, u64::MAX] {
            for part in [0, 1, u32::MAX] {
                let key = chunk_key(&board(id), sequence, part);
                assert_eq!(parse_chunk_key(&key), Ok((board(id), sequence, part)));
                assert!(key < board_end(&board(id)));
                keys.push(key);
            }
        }
    }
    assert!(keys.is_sorted());
    for other in ["a", "a-", "a-b", "a0", "aa"] {
        assert!(
            keys.iter()
                .filter(|key| **key >= chunk_key(&board(other), 0, 0) && **key < board_end(&board(other)))
                .count()
                == 15
        );
    }
    for bad in [&b""[..], &[0; 12], &[0; 13], b"a\x01aaaabbbbcccc"] {
        assert_eq!(parse_chunk_key(bad), Err(Damage::Malformed));
    }
}

#[test]
fn what_a_commit_added_to_boards_comes_apart_again_and_nothing_else_does() {
    let run = |id: &str, first, updates, bytes| Run {
        board: board(id),
        first,
        updates,
        at: UnixMillis(5),
        bytes,
    };
    let written = [run("a", 1, 2, &b"one"[..]), run("a-", u64::MAX - 1, 1, b"")];
    let mut blob = Vec::new();
    written.iter().for_each(|run| run.push(&mut blob));
    assert_eq!(runs(&blob), Ok(written.to_vec()));
    assert_eq!(runs(&[]), Ok(Vec::new()));
    let first = blob.len() - 28;
    for length in (1..blob.len()).filter(|length| *length != first) {
        assert_eq!(runs(&blob[..length]), Err(Damage::Malformed), "{length}");
    }
    for wrong in [run("a", 1, 0, &b""[..]), run("a", u64::MAX, 1, b"")] {
        let mut blob = Vec::new();
        wrong.push(&mut blob);
        assert_eq!(runs(&blob), Err(Damage::Malformed), "{wrong:?}");
    }
}

#[test]
fn blobs_of_updates_split_into_what_went_in() {
    let mut blob = Vec::new();
    for update in [&b"one"[..], b"", b"three"] {
        push_update(&mut blob, update);
    }
    let parts: Vec<&[u8]> = split_updates(&blob, 3)
        .unwrap()
        .into_iter()
        .map(|range| &blob[range])
        .collect();
    assert_eq!(parts, [&b"one"[..], b"", b"three"]);
    for count in [0, 2, 4] {
        assert_eq!(split_updates(&blob, count), Err(Damage::Malformed));
    }
    assert_eq!(split_updates(&blob[..blob.len() - 1], 3), Err(Damage::Malformed));
}

#[test]
fn an_id_is_free_only_between_two_that_follow_each_other() {
    let value = encode_next(b"b", b"d");
    for (id, free) in [
        (&b"a"[..], false),
        (b"b", false),
        (b"c", true),
        (b"d", false),
        (b"e", false),
    ] {
        assert_eq!(leaves_free(b"b", &value, id), Ok(free));
    }
    assert_eq!(
        leaves_free(b"", &encode_next(b"", b""), b"a"),
        Ok(true),
        "the empty chain"
    );
    assert_eq!(
        leaves_free(b"d", &encode_next(b"d", b""), b"e"),
        Ok(true),
        "after the last"
    );
    assert_eq!(
        leaves_free(b"a", &value, b"c"),
        Err(Damage::Checksum),
        "under another key"
    );
}

#[test]
fn a_chunk_knows_its_table() {
    let chunk = Chunk {
        parts: 2,
        updates: 3,
        bytes: b"state",
    };
    let value = chunk.encode(Tag::Update, b"k");
    assert_eq!(Chunk::decode(Tag::Update, b"k", &value), Ok(chunk));
    assert_eq!(Chunk::decode(Tag::Snapshot, b"k", &value), Err(Damage::Checksum));
}
