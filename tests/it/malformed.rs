//! Bytes that are no message, or no update: their sender is closed, and nobody else notices.

use crate::support::client::{Client, content_of, converge};
use crate::support::http;
use crate::support::random::Random;
use crate::support::server::{Server, Setup};
use crate::support::socket::{Event, Socket, path};
use crate::support::tokens::{editor, viewer};
use crate::support::wire;

fn stored(server: &Server) -> Vec<u8> {
    let answer = http::get(
        server.address(),
        &format!("/v1/boards/b/document?token={}", editor("reader", "b")),
    );
    assert_eq!(answer.status, 200);
    answer.body
}

fn open(server: &Server) -> Socket {
    let mut socket = Socket::open(server.address(), &path("b", &editor("mallory", "b")));
    socket.flush();
    socket
}

/// Sends `message`, and sees the connection closed as for malformed bytes.
#[track_caller]
fn closes(server: &Server, message: &[u8]) {
    let mut socket = open(server);
    socket.send(message);
    let (code, reason) = socket.closed();
    assert_eq!(code, 1007, "{message:?}");
    assert!(!reason.is_empty());
}

#[test]
fn malformed_messages_close_1007_and_leave_the_board_alone() {
    let server = Server::start();
    let mut honest = [Client::join(&server, "b", 1), Client::join(&server, "b", 2)];
    honest[0].write(0, "honest");
    converge(&mut honest);
    let before = stored(&server);
    let table: &[&[u8]] = &[
        &[0],
        &[0, 0],
        &[0, 0, 1],
        &[0, 0, 2, 0],
        &[0, 0, 1, 1],
        &[0, 3, 0],
        &[0, 2, 0],
        &[0, 2, 0xFF, 0xFF, 0xFF, 0xFF, 0x0F],
        &[0, 2, 0x80, 0x00],
        &[0x80],
        &[1],
        &[1, 5, 0],
        &[1, 1, 1],
        &[1, 4, 1, 7, 1, 0],
        &[1, 6, 1, 7, 1, 2, b'{', b'x'],
        &[1, 2, 0, 0],
        &[0xFF; 12],
        // A state vector that claims 2^31 entries.
        &[0, 0, 5, 0x80, 0x80, 0x80, 0x80, 0x08],
    ];
    for message in table {
        closes(&server, message);
    }
    // A valid message before the broken one has taken effect; more than 64 in a frame are too many.
    let mut many = Vec::new();
    for _ in 0..65 {
        many.extend(wire::step_1(&[0]));
    }
    closes(&server, &many);
    let mut socket = open(&server);
    socket.send(&many[..many.len() / 65 * 64]);
    assert_eq!(socket.flush().len(), 64);
    assert_eq!(stored(&server), before);
    honest[1].write(0, "still ");
    converge(&mut honest);
    assert_eq!(honest[0].content().text, "still honest");
}

#[test]
fn unknown_messages_are_ignored() {
    let server = Server::start();
    let mut socket = open(&server);
    for message in [&[4][..], &[9, 1, 2, 3], &[2, 0, 2, b'n', b'o'], &[]] {
        socket.send(message);
        assert!(socket.flush().is_empty(), "{message:?}");
    }
    socket.send(&wire::step_1(&[0]));
    assert_eq!(socket.flush(), [wire::step_2(&[0, 0])]);
}

#[test]
fn malformed_updates_close_1007_for_editors_and_viewers_alike() {
    let server = Server::start();
    let mut honest = Client::join(&server, "b", 1);
    honest.write(0, "honest");
    honest.save();
    let before = stored(&server);
    let table: &[&[u8]] = &[
        &[],
        &[0],
        &[1, 1, 9, 0],
        &[0, 0, 0],
        &[1, 0, 9, 0, 1],
        // More structs than bytes.
        &[1, 0xFF, 0xFF, 0xFF, 0xFF, 0x0F, 9, 0, 0, 1, 0],
        // A struct of no length; a range of no length.
        &[1, 1, 9, 0, 0, 0, 0],
        &[0, 1, 1, 1, 0, 0],
        // A client in two sections.
        &[2, 1, 9, 0, 0, 1, 1, 9, 1, 0, 1, 0],
        // An item that is its own origin.
        &[1, 1, 9, 0, 0x84, 9, 0, 1, b'x', 0],
        // Content of no known kind; a string that is not UTF-8; an Any that is none.
        &[1, 1, 9, 0, 0x0C, 1, 1, b't', 0],
        &[1, 1, 9, 0, 0x04, 1, 1, b't', 1, 0xFF, 0],
        &[1, 1, 9, 0, 0x08, 1, 1, b't', 1, 5, 0],
        // A clock past 2^31; a client id past 2^53.
        &[1, 1, 9, 0xFF, 0xFF, 0xFF, 0xFF, 0x0F, 0, 1, 0],
        &[1, 1, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x10, 0, 0, 1, 0],
        // A length that wraps.
        &[1, 1, 9, 1, 0, 0xFF, 0xFF, 0xFF, 0xFF, 0x0F, 0],
        &[0, 1, 1, 1, 1, 0xFF, 0xFF, 0xFF, 0xFF, 0x0F],
    ];
    for update in table {
        closes(&server, &wire::update(update));
        closes(&server, &wire::step_2(update));
        let mut reader = Socket::open(server.address(), &path("b", &viewer("v", "b")));
        reader.send(&wire::update(update));
        assert_eq!(reader.closed().0, 1007, "{update:?}");
        assert_eq!(stored(&server), before, "{update:?}");
    }
    honest.write(0, "still ");
    honest.save();
}

/// One item of client `id` from `clock` on: a string with an origin, or under the text "t".
fn text_item(id: u8, clock: u8, origin: Option<(u8, u8)>, words: &str) -> Vec<u8> {
    let mut out = vec![1, id, clock];
    match origin {
        Some((client, at)) => out.extend([0x84, client, at]),
        None => out.extend([0x04, 1, 1, b't']),
    }
    wire::put_bytes(&mut out, words.as_bytes());
    out
}

/// An update of these sections, with nothing deleted.
fn update_of(sections: &[Vec<u8>]) -> Vec<u8> {
    let mut out = vec![sections.len() as u8];
    sections.iter().for_each(|section| out.extend(section));
    out.push(0);
    out
}

/// Updates of the shapes that made yrs use freed memory, wrap, loop or keep a bomb for later.
fn hostile_seeds() -> [Vec<u8>; 11] {
    let overlap = update_of(&[text_item(9, 0, None, "abcdef"), text_item(9, 3, None, "xyz")]);
    // A hole in the clocks, and later an item that covers it.
    let hole = update_of(&[text_item(9, 4, None, "late")]);
    let cover = update_of(&[text_item(9, 0, None, "covers it all")]);
    // A block known in part, with another explicit parent.
    let known = update_of(&[text_item(8, 0, None, "abc")]);
    let mut elsewhere = vec![1, 1, 8, 0, 0x04, 1, 1, b'u'];
    wire::put_bytes(&mut elsewhere, b"abcdef");
    elsewhere.push(0);
    // A subdocument under a map key, overwritten: options are an empty object (Any 118, no entries).
    let subdocument = |clock: u8, origin: bool| {
        let mut out = vec![1, 1, 7, clock];
        if origin {
            out.extend([0x89, 7, clock - 1]);
        } else {
            out.extend([0x29, 1, 1, b'm', 1, b'k']);
        }
        wire::put_bytes(&mut out, b"guid");
        out.extend([118, 0, 0]);
        out
    };
    // A string chained by its left origin onto a map entry.
    let mut entry = vec![1, 1, 6, 0, 0x28, 1, 1, b'm', 1, b'k', 1, 119];
    wire::put_bytes(&mut entry, b"value");
    entry.push(0);
    let chained = update_of(&[text_item(6, 1, Some((6, 0)), "chained")]);
    // A deletion of clocks 0 to 2^32 - 1 of a client that has yet to write.
    let all_of_5 = vec![0, 1, 5, 1, 0, 0xFF, 0xFF, 0xFF, 0xFF, 0x0F];
    // A string outside the BMP in an array, and a nested type whose parent is deleted in the same update.
    let wide = update_of(&[text_item(4, 0, None, "\u{1F600}\u{1F600}")]);
    [
        overlap,
        hole,
        cover,
        known,
        elsewhere,
        subdocument(0, false),
        subdocument(1, true),
        entry,
        chained,
        all_of_5,
        wide,
    ]
}

/// Updates of the shapes that broke yrs, each alone and after one another: none of them may hurt anybody.
#[test]
fn the_shapes_that_broke_yrs_hurt_nobody() {
    let seeds = hostile_seeds();
    let mut server = Setup::new()
        .flag("compact-after", "25ms")
        .flag("compact-every", "50ms")
        .start();
    let mut honest = vec![
        Client::join(&server, "other", 1),
        Client::join(&server, "other", 2),
    ];
    let mut random = Random::new(42);
    for round in 0..400 {
        let mut socket = open(&server);
        for _ in 0..4 {
            let mut update = seeds[random.below(seeds.len())].clone();
            if round >= 100 {
                let at = random.below(update.len());
                update[at] =
                    [0, 1, 0x7F, 0x80, 0xFF, update[at] ^ 1, update[at].wrapping_add(1)][random.below(7)];
            }
            socket.send(&wire::update(&update));
        }
        socket.send(&wire::step_1(&[0]));
        // Taken, asked about, or refused; never anything else.
        loop {
            match socket.next() {
                Event::Message(message) if message.starts_with(&[0, 1]) => break,
                Event::Message(_) | Event::Pong(_) => {}
                Event::Close(code, _) => break assert!(matches!(code, 1007 | 4013), "round {round}: {code}"),
                Event::End => panic!("round {round}: cut off"),
            }
        }
        if round % 20 == 0 {
            let which = random.below(2);
            honest[which].write(0, "x");
        }
    }
    assert!(server.is_alive());
    converge(&mut honest);
    assert_eq!(honest[0].content().text.len(), 20);
    let before = stored(&server);
    let place = server.stop();
    let server = Setup::on(&place).start();
    let after = stored(&server);
    assert_eq!(
        clocks(&after),
        clocks(&before),
        "the attacked board loads as it was saved"
    );
    assert_eq!(honest[0].content(), Client::join(&server, "other", 3).content());
}

/// The state vector of a state, read by the server's own algebra; yrs must not be given such content.
fn clocks(state: &[u8]) -> Vec<(u64, u64)> {
    let outline = boardwire::update::scan::scan(
        state,
        &boardwire::update::Budgets::default(),
        &mut boardwire::meter::Meter::unbounded(),
    );
    assert!(outline.is_ok(), "the stored state is an update");
    let vector = yrs::encode_state_vector_from_update_v1(state).unwrap();
    let mut numbers = Vec::new();
    let mut value = (0u64, 0);
    for byte in vector {
        value = (value.0 | u64::from(byte & 0x7F) << value.1, value.1 + 7);
        if byte < 0x80 {
            numbers.push(value.0);
            value = (0, 0);
        }
    }
    let mut pairs: Vec<_> = numbers[1..].chunks(2).map(|pair| (pair[0], pair[1])).collect();
    pairs.sort_unstable();
    pairs
}

#[test]
fn deep_and_wide_claims_cost_their_sender_only() {
    let mut server = Server::start();
    let mut honest = Client::join(&server, "b", 1);
    let any = |payload: &[u8]| {
        let mut out = vec![1, 1, 9, 0, 0x08, 1, 1, b't', 1];
        out.extend(payload);
        out.push(0);
        wire::update(&out)
    };
    // An array of an array of an array ...; an object that claims 2^31 entries; a depth that is still
    // allowed.
    let nested = |levels: usize| [[117, 1].repeat(levels), vec![126]].concat();
    let table = [
        (any(&nested(100_000)), &[1007, 4013][..]),
        (any(&nested(65)), &[4013]),
        (any(&[118, 0x80, 0x80, 0x80, 0x80, 0x08]), &[1007]),
        (any(&[117, 0xFF, 0xFF, 0xFF, 0xFF, 0x07]), &[1007]),
    ];
    for (message, codes) in table {
        let mut socket = open(&server);
        socket.send(&message);
        let code = socket.closed().0;
        assert!(codes.contains(&code), "{code}");
    }
    let mut socket = open(&server);
    socket.send(&any(&nested(64)));
    socket.flush();
    honest.write(0, "fine");
    honest.save();
    assert!(server.is_alive());
    assert_eq!(content_of(&stored(&server)).text, "fine");
}
