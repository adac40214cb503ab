//! What top-level types are told by, and what must not be given to yrs.
#![allow(clippy::arithmetic_side_effects, reason = "tests panic on their own mistakes")]

use super::*;
use crate::lib0::put_number;

fn root(name: &str, content: RootContent, has_entries: bool) -> Root {
    Root {
        name: name.to_owned(),
        content,
        has_entries,
    }
}

#[test]
fn top_level_types_are_told_by_what_they_hold() {
    let state: &[u8] = &[
        1, 6, 9, 0, 8, 1, 1, b'a', 1, 126, 4, 1, 1, b't', 1, b'x', 7, 1, 1, b'x', 3, 1, b'p', 0x28, 1, 1,
        b'm', 1, b'k', 1, 126, 1, 1, 1, b'e', 1, 4, 0, 9, 2, 1, b'y', 0,
    ];
    assert_eq!(document_gate(state), Err(Unsupported::Misplaced));
    let mut state = state.to_vec();
    state[1] = 5;
    let end = state.len() - 7;
    state.truncate(end);
    state.push(0);
    let roots = [
        root("a", RootContent::Array, false),
        root("e", RootContent::None, false),
        root("m", RootContent::None, true),
        root("t", RootContent::Text, false),
        root("x", RootContent::Xml, false),
    ];
    assert_eq!(document_gate(&state).unwrap().roots, roots);
}

#[test]
fn a_document_of_too_many_parts_is_refused() {
    // One value of an array: an array of as many empty objects as fit, and one more.
    let state = |objects: usize| {
        let mut state = vec![1, 1, 9, 0, 8, 1, 1, b'a', 1, 117];
        put_number(&mut state, objects as u64);
        state.resize(state.len() + 2 * objects, 0);
        let from = state.len() - 2 * objects;
        state[from..].chunks_mut(2).for_each(|object| object[0] = 118);
        state.push(0);
        state
    };
    // The struct, and the array.
    let most = limits::DOCUMENT_PARTS_MAX - 2;
    assert!(document_gate(&state(most)).is_ok());
    assert_eq!(document_gate(&state(most + 1)), Err(Unsupported::TooManyParts));
}

#[test]
fn what_yrs_must_not_be_given_is_refused() {
    let table: [(&[u8], Unsupported); 10] = [
        (
            &[1, 1, 9, 0, 2, 1, 1, b'a', 1, 1, b'1', 0],
            Unsupported::LegacyJson,
        ),
        (
            &[1, 1, 9, 0, 9, 1, 1, b'm', 1, b'g', 118, 0, 0],
            Unsupported::Subdocument,
        ),
        (&[1, 1, 9, 0, 7, 1, 1, b'x', 5, 1, b'h', 0], Unsupported::XmlHook),
        (
            &[1, 1, 9, 0, 0x24, 1, 1, b'm', 1, b'k', 1, b's', 0],
            Unsupported::MapEntry,
        ),
        (
            &[1, 1, 9, 0, 0x28, 1, 1, b'm', 1, b'k', 2, 126, 126, 1, 9, 1, 0, 2],
            Unsupported::MapEntry,
        ),
        (
            &[1, 2, 9, 0, 7, 1, 1, b'a', 0, 4, 0, 9, 0, 1, b's', 0],
            Unsupported::Misplaced,
        ),
        (
            &[1, 2, 9, 0, 7, 1, 1, b'a', 1, 8, 0, 9, 0, 1, 126, 0],
            Unsupported::Misplaced,
        ),
        (
            &[1, 2, 9, 0, 7, 1, 1, b'a', 3, 1, b'p', 7, 0, 9, 0, 1, 0],
            Unsupported::Misplaced,
        ),
        (
            &[1, 2, 9, 0, 4, 1, 1, b'a', 1, b's', 0x88, 9, 0, 1, 126, 0],
            Unsupported::MixedRoot,
        ),
        (&[1, 1, 9, 1, 0x84, 9, 0, 1, b's', 0], Unsupported::Incomplete),
    ];
    for (state, reason) in table {
        assert_eq!(document_gate(state), Err(reason), "{state:?}");
    }
}

/// A client's section of a state: its structs, one after the other.
fn section(client: u64, structs: &[Vec<u8>]) -> Vec<u8> {
    let mut out = Vec::new();
    put_number(&mut out, structs.len() as u64);
    put_number(&mut out, client);
    out.push(0);
    out.extend(structs.iter().flatten());
    out
}

fn state_of(sections: &[Vec<u8>]) -> Vec<u8> {
    let mut state = Vec::new();
    put_number(&mut state, sections.len() as u64);
    state.extend(sections.iter().flatten());
    state.push(0);
    state
}

#[test]
fn json_that_only_browsers_read_is_refused() {
    let table: [&[u8]; 2] = [
        // 1e999, and a lone surrogate.
        &[1, 1, 1, 0, 5, 1, 1, b't', 5, b'1', b'e', b'9', b'9', b'9', 0],
        &[
            1, 1, 1, 0, 5, 1, 1, b't', 8, b'"', b'\\', b'u', b'd', b'8', b'0', b'0', b'"', 0,
        ],
    ];
    for embed in table {
        assert_eq!(document_gate(embed), Err(Unsupported::UnreadableJson));
        // The same as the value of a format named "b".
        let mut format = embed.to_vec();
        format[4] = 6;
        format.splice(8..8, [1, b'b']);
        assert_eq!(document_gate(&format), Err(Unsupported::UnreadableJson));
    }
    let fine = [1, 1, 1, 0, 5, 1, 1, b't', 5, b'1', b'e', b'2', b'9', b'9', 0];
    assert!(document_gate(&fine).is_ok());
}

/// A text in which each of `names` is set once, then `pieces` single letters that each end in a format of
/// `n`.
fn formatted(names: usize, pieces: usize) -> Vec<u8> {
    let mut structs = Vec::new();
    let mut put = |content: &[u8]| {
        let clock = structs.len() as u64;
        let mut it = vec![content[0]];
        if clock == 0 {
            it.extend_from_slice(&[1, 1, b't']);
        } else {
            it[0] |= 0x80;
            it.push(9);
            put_number(&mut it, clock - 1);
        }
        it.extend_from_slice(&content[1..]);
        structs.push(it);
    };
    for name in 0..names {
        let mut format = vec![6];
        crate::lib0::put_blob(&mut format, format!("{name}").as_bytes());
        format.extend_from_slice(&[4, b't', b'r', b'u', b'e']);
        put(&format);
    }
    for _ in 0..pieces {
        put(&[4, 1, b'x']);
        put(&[6, 1, b'n', 4, b'n', b'u', b'l', b'l']);
    }
    state_of(&[section(9, &structs)])
}

#[test]
fn formats_times_pieces_end_at_the_limit() {
    // 2,500 names.
    let most = limits::DOCUMENT_MARKS_MAX / 2_500;
    for (pieces, passes) in [(most - 1, true), (most, true), (most + 1, false)] {
        let gate = document_gate(&formatted(2_500, pieces)).map(drop);
        let expected = if passes {
            Ok(())
        } else {
            Err(Unsupported::TooManyParts)
        };
        assert_eq!(gate, expected, "{pieces} pieces");
    }
    assert!(document_gate(&formatted(20, 100_000)).is_ok(), "a long rich text");
    assert!(document_gate(&formatted(8_000, 8_000)).is_err());
}

#[test]
fn buffers_count_by_their_bytes_wherever_they_stand() {
    let state = |head: &[u8], bytes: usize| {
        let mut state = head.to_vec();
        crate::lib0::put_blob(&mut state, &vec![0; bytes]);
        state.push(0);
        document_gate(&state).unwrap().parts
    };
    // As content of its own, and as a value.
    for (head, parts) in [
        (&[1, 1, 9, 0, 3, 1, 1, b'a'][..], 1),
        (&[1, 1, 9, 0, 8, 1, 1, b'a', 1, 116], 2),
    ] {
        let bytes = limits::BUFFER_PART_BYTES * 10;
        let counted = [bytes - 4, bytes, bytes + 1].map(|bytes| state(head, bytes));
        assert_eq!(counted, [parts + 9, parts + 10, parts + 10], "{head:?}");
    }
}

#[test]
fn ranges_of_deletions_are_parts() {
    let mut state = vec![1, 1, 9, 0, 4, 1, 1, b't', 4, b'a', b'b', b'c', b'd', 1, 9, 2];
    state.extend_from_slice(&[0, 1, 2, 1]);
    assert_eq!(document_gate(&state).unwrap().parts, 3);
}

#[test]
fn entries_after_undeleted_ones_end_at_the_limit() {
    let state = |entries: usize| {
        let mut structs = vec![vec![0x28, 1, 1, b'm', 1, b'k', 1, 126]];
        for clock in 0..entries {
            let mut it = vec![0xa8, 9];
            put_number(&mut it, clock as u64);
            it.extend_from_slice(&[1, 126]);
            structs.push(it);
        }
        state_of(&[section(9, &structs)])
    };
    let most = limits::DOCUMENT_UNDELETED_MAX;
    for (entries, passes) in [(most - 1, true), (most, true), (most + 1, false)] {
        assert_eq!(
            document_gate(&state(entries)).is_ok(),
            passes,
            "{entries} entries"
        );
    }
    // All but the last are deleted, as clients do.
    let mut honest = state(most + 1);
    honest.pop();
    honest.extend_from_slice(&[1, 9, 1, 0]);
    put_number(&mut honest, most as u64 + 1);
    assert!(document_gate(&honest).is_ok());
}

#[test]
fn what_the_gate_looks_at_most_often_is_still_worth_its_bytes() {
    let small = |it: &[u8], count: usize| state_of(&[section(9, &vec![it.to_vec(); count])]);
    let mut ranges = small(&[0, 2], 50_000);
    ranges.pop();
    ranges.extend_from_slice(&[1, 9]);
    put_number(&mut ranges, 50_000);
    for n in 0..50_000 {
        put_number(&mut ranges, 2 * n);
        ranges.push(1);
    }
    for state in [
        small(&[0, 1], 100_000),
        small(&[4, 1, 1, b't', 1, b'x'], 50_000),
        formatted(100, 5_000),
        ranges,
    ] {
        let gate = document_gate(&state).map(|passed| passed.parts);
        assert_ne!(gate, Err(Unsupported::TooCostly), "{} bytes", state.len());
    }
}
