//! What harms those it is relayed to is refused: each with the smallest bytes that do (rows 4, 7 and 8 of the
//! attack).

use boardwire::lib0::{put_blob, put_number};
use boardwire::meter::Meter;
use boardwire::room::board::{Accepted, Attempt, Board};
use boardwire::update::scan::scan;
use boardwire::update::{Budgets, Refused};

fn bytes_of(hex: &str) -> Vec<u8> {
    let digits = hex.as_bytes().chunks(2);
    digits
        .map(|it| u8::from_str_radix(std::str::from_utf8(it).unwrap(), 16).unwrap())
        .collect()
}

/// Whether an update, sent after others that are accepted, is refused as malformed, and changes nothing.
fn check_malformed(before: &[&str], update: &str, what: &str) {
    let mut board = Board::new(Budgets::default());
    for it in before {
        assert_eq!(board.accept(&bytes_of(it)), Ok(Accepted::Whole), "{what}: {it}");
    }
    let full = board.full();
    let found = board.accept(&bytes_of(update));
    assert!(matches!(found, Err(Refused::Malformed(_))), "{what}: {found:?}");
    assert_eq!(board.full(), full, "{what}");
}

#[test]
fn a_member_named_proto_is_refused_at_any_depth() {
    let table = [
        // Bytes as its value: Yjs 13 and 14 throw whenever they encode it.
        ("bytes", "010101002801016d016b017601095f5f70726f746f5f5f740000"),
        // Other values: lost by who encodes it again, kept by who was sent it.
        ("null", "010101002801016d016b017601095f5f70726f746f5f5f7e00"),
        (
            "an object",
            "010101002801016d016b017601095f5f70726f746f5f5f760101617d0100",
        ),
        (
            "in arrays",
            "01010100080101610175017601017a7602095f5f70726f746f5f5f7e01717d0100",
        ),
        (
            "in what a subdocument is told",
            "010101000901016101677601046d6574617601095f5f70726f746f5f5f760000",
        ),
    ];
    for (what, update) in table {
        check_malformed(&[], update, what);
    }
}

#[test]
fn a_map_key_or_attribute_named_proto_is_refused() {
    let table = [
        ("a key", "010101002801016d095f5f70726f746f5f5f017d0100"),
        (
            "a key of a nested map",
            "01020100070101610128000100095f5f70726f746f5f5f017d0100",
        ),
        (
            "an attribute",
            "010201000701017803017028000100095f5f70726f746f5f5f0177014100",
        ),
    ];
    for (what, update) in table {
        check_malformed(&[], update, what);
    }
}

#[test]
fn names_that_are_like_proto_and_harmless_are_accepted() {
    for name in [
        "constructor",
        "prototype",
        "toString",
        "__proto",
        "__proto__x",
        "__defineGetter__",
        "",
    ] {
        let mut update = vec![1, 1, 1, 0, 0x28, 1, 1, b'm'];
        put_blob(&mut update, name.as_bytes());
        update.extend([1, 118, 1]);
        put_blob(&mut update, name.as_bytes());
        update.extend([126, 0]);
        let mut board = Board::new(Budgets::default());
        assert_eq!(board.accept(&update), Ok(Accepted::Whole), "{name:?}");
    }
}

#[test]
fn a_map_entry_before_another_is_refused() {
    let first = "010101002801016d016b0177016100";
    let second = "01010200a801000177016200";
    // Those online would see "b" after these, and who comes later nothing.
    check_malformed(&[first, second], "010102016102000100", "a deleted one");
    check_malformed(&[first], "010102006801000177016200", "a value");
    check_malformed(&[first], "01010200e8010001000177016200", "between");
}

/// Lets an update join as the server does: apart, where its work has to be counted.
fn join(board: &mut Board, update: Vec<u8>) -> Result<Accepted, Refused> {
    match board.accept(&update)? {
        Accepted::Uncounted => {}
        accepted => return Ok(accepted),
    }
    let mut meter = Meter::unbounded();
    let outline = scan(&update, board.budgets(), &mut meter)?;
    let attempt = board.capture().join(&update.into(), &outline, &mut meter);
    let attempt = attempt.inspect_err(|_| board.abandon_capture())?;
    Ok(match attempt {
        Attempt::Unchanged(accepted) => accepted,
        Attempt::Joined(apart, accepted) => {
            board.install(*apart).unwrap();
            accepted
        }
    })
}

/// An update of the structs of some clients.
fn update(clients: &[(u8, Vec<Vec<u8>>)]) -> Vec<u8> {
    let mut out = Vec::new();
    put_number(&mut out, clients.len() as u64);
    for (client, structs) in clients {
        put_number(&mut out, structs.len() as u64);
        out.extend([*client, 0]);
        structs.iter().for_each(|it| out.extend_from_slice(it));
    }
    out.push(0);
    out
}

/// A struct of a kind, after a clock of a client or first in the text `t`, and its content.
fn item(kind: u8, origin: Option<(u8, u64)>, content: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    match origin {
        None => out.extend([kind, 1, 1, b't']),
        Some((client, clock)) => {
            out.extend([kind | 0x80, client]);
            put_number(&mut out, clock);
        }
    }
    out.extend_from_slice(content);
    out
}

fn mark(n: u64) -> Vec<u8> {
    let mut content = Vec::new();
    put_blob(&mut content, format!("{n:x}").as_bytes());
    put_blob(&mut content, b"1");
    item(6, n.checked_sub(1).map(|before| (1, before)), &content)
}

#[test]
fn what_is_quadratic_to_integrate_is_refused() {
    let chain = |n: u64| (0..n).map(|n| item(5, n.checked_sub(1).map(|n| (1, n)), &[1, b'0']));
    let loose = |n: u64| (0..n).map(|_| item(5, None, &[1, b'0'])).collect();
    let letters = |n: u64| (0..n).map(|_| item(4, Some((1, 0)), &[1, b'x'])).collect();
    let entry = vec![0x28, 1, 1, b'm', 1, b'k', 1, 126];
    let embeds = (0..8_000).map(|n| item(5, Some((1, 7_999 + n)), &[1, b'0']));
    // What one has to know first comes in an update of its own: those online get one after the other.
    let table = [
        (
            "a chain and items that pass it",
            update(&[(1, chain(8_000).collect())]),
            update(&[(2, loose(8_000))]),
        ),
        (
            "values of one key",
            vec![0, 0],
            update(&[(1, vec![entry; 40_000])]),
        ),
        (
            "letters of two",
            update(&[(2, letters(5_000)), (1, chain(1).collect())]),
            update(&[(3, letters(5_000))]),
        ),
        (
            "marks x embeds",
            vec![0, 0],
            update(&[(1, (0..8_000).map(mark).chain(embeds).collect())]),
        ),
    ];
    for (what, first, second) in table {
        let mut board = Board::new(Budgets::default());
        join(&mut board, first).unwrap();
        let full = board.full();
        let bytes = second.len();
        let found = join(&mut board, second);
        assert_eq!(found, Err(Refused::TooCostly), "{what}: {bytes} bytes");
        assert_eq!(board.full(), full, "{what}");
    }
}
