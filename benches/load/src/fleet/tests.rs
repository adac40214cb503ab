//! Clients against servers that say what no server should.

use std::net::TcpListener;
use std::thread;

use super::*;
use crate::ws::{self, opcode};
use crate::yjs::{self, Dialect};

const UPGRADE: &[u8] = b"HTTP/1.1 101 Switching Protocols\r\n\r\n";

/// Answers whoever connects with these bytes, and then stays silent.
fn says(bytes: Vec<u8>) -> Fleet {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("ws://{}/{{room}}", listener.local_addr().unwrap());
    thread::spawn(move || {
        let mut sockets = Vec::new();
        for socket in listener.incoming() {
            let mut socket = socket.unwrap();
            // Who has had enough is gone before the end.
            io::Write::write_all(&mut socket, &bytes).unwrap_or_default();
            sockets.push(socket);
        }
    });
    Fleet::new(Target::parse(&url, Dialect::Yjs).unwrap()).unwrap()
}

/// Connects, and reads until `enough` events came or the connection ended.
fn hear(fleet: &mut Fleet, enough: usize) -> Vec<String> {
    let room = Rc::from("plan");
    let id = fleet.connect(&room).unwrap();
    let mut all = Vec::new();
    let start = Instant::now();
    while all.len() < enough && fleet.state(id) != State::Closed && start.elapsed() < Duration::from_secs(20)
    {
        let wait = Some(Duration::from_millis(20));
        fleet
            .turn(wait, &[], &mut |_, _, event| all.push(format!("{event:?}")))
            .unwrap();
    }
    all
}

fn server_frames(frames: &[(u8, &[u8])]) -> Vec<u8> {
    let mut out = UPGRADE.to_vec();
    for (first, payload) in frames {
        let from = out.len();
        ws::put_server_frame(&mut out, first & 0x0f, payload);
        out[from] = *first;
    }
    out
}

#[test]
fn what_a_server_says_instead_is_told() {
    let joined = yjs::step_2(&[0, 0]);
    let huge = [UPGRADE, &[0x82, 127], &[0x7f; 8]].concat();
    let whole = 0x80 | opcode::BINARY;
    for (bytes, says_so) in [
        (
            b"HTTP/1.1 401 Unauthorized\r\n\r\n".to_vec(),
            "'HTTP/1.1 401 Unauthorized'",
        ),
        (b"SSH-2.0-OpenSSH\r\n".to_vec(), "no HTTP"),
        (
            [b"HTTP/1.1 200 OK\r\n".as_slice(), &[b'x'; 700_000]].concat(),
            "no HTTP",
        ),
        (huge, "a frame of 9187201950435737471 bytes"),
        (server_frames(&[(whole, &joined), (0x8b, b"")]), "kind 11"),
        (
            server_frames(&[(0x88, &[0x11, 0x31, b'n', b'o', 7])]),
            "code 4401, 'no'",
        ),
        (server_frames(&[(0x88, b"")]), "without a code"),
    ] {
        let mut fleet = says(bytes);
        let all = hear(&mut fleet, usize::MAX);
        assert_eq!(all.last().map(String::as_str), Some("Closed"), "{says_so}");
        let told = fleet.refused();
        assert!(told.contains(says_so), "{told}");
    }
}

#[test]
fn a_connection_that_is_joining_and_refused_says_why() {
    let mut fleet = says(b"HTTP/1.1 404 Not Found\r\n\r\n".to_vec());
    let room = Rc::from("plan");
    let error = fleet
        .connect_all([&room].into_iter(), &mut |_, _, _| {})
        .unwrap_err();
    assert!(error.to_string().contains("404 Not Found"), "{error}");
}

#[test]
fn messages_in_several_frames_are_put_together() {
    let (joined, update) = (yjs::step_2(&[0, 0]), yjs::update_message(&[9, 8, 7]));
    let mut fleet = says(server_frames(&[
        (0x80 | opcode::TEXT, b"hello"),
        (0x80 | opcode::BINARY, &joined),
        (opcode::TEXT, b"hel"),
        (0x80, b"lo"),
        (opcode::BINARY, &update[..1]),
        (0x80 | opcode::PING, b"?"),
        (0, &update[1..3]),
        (0x80, &update[3..]),
        (0x80 | opcode::BINARY, &update),
    ]));
    let all = hear(&mut fleet, 3);
    assert_eq!(all, ["Joined([0, 0])", "Update([9, 8, 7])", "Update([9, 8, 7])"]);
    assert_eq!(fleet.fault, None);
}

#[test]
fn who_comes_gets_the_number_of_who_left() {
    let mut fleet = says(server_frames(&[(0x80 | opcode::BINARY, &yjs::step_2(&[0, 0]))]));
    let room = Rc::from("plan");
    let come = |fleet: &mut Fleet, clients: usize| {
        fleet
            .connect_all(std::iter::repeat_n(&room, clients), &mut |_, _, _| {})
            .unwrap()
    };
    let first = come(&mut fleet, 1);
    fleet.release(first);
    assert_eq!((come(&mut fleet, 3), come(&mut fleet, 2)), (0, 3));
}

#[test]
fn a_server_that_takes_nobody_in_holds_nobody_up() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    // One may wait to be taken in.
    rustix::net::listen(&listener, 0).unwrap();
    let url = format!("ws://{}/{{room}}", listener.local_addr().unwrap());
    let mut fleet = Fleet::new(Target::parse(&url, Dialect::Yjs).unwrap()).unwrap();
    let room = Rc::from("plan");
    let start = Instant::now();
    for _ in 0..4 {
        fleet.connect(&room).unwrap();
    }
    assert!(
        start.elapsed() < Duration::from_millis(500),
        "{:?}",
        start.elapsed()
    );
}

#[test]
fn what_a_server_does_not_read_has_not_gone() {
    let mut fleet = says(server_frames(&[(0x80 | opcode::BINARY, &yjs::step_2(&[0, 0]))]));
    assert_eq!(hear(&mut fleet, 1).len(), 1);
    fleet.send_said(0, &[]);
    assert!(fleet.has_sent(0));
    fleet.say(0, &[7; 16 << 20]);
    fleet.send_said(0, &[]);
    assert!(!fleet.has_sent(0));
}
