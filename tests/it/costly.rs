//! Bytes that would cost, or harm, more than they are worth: refused, told why, and nobody else notices.

use crate::support::client::{Client, converge};
use crate::support::http::{self, Http};
use crate::support::server::Server;
use crate::support::socket::{Event, Socket, path};
use crate::support::tokens::{editor, viewer};
use crate::support::wire::{self, Message};

fn open(server: &Server, target: &str) -> Socket {
    let mut socket = Socket::open(server.address(), target);
    socket.flush();
    socket
}

/// How the server closes somebody who sends `update` to a board where somebody else draws; and what it
/// answers to the same update over HTTP.
fn refused(server: &Server, update: &[u8]) -> (u16, u16, String) {
    let token = editor("mallory", "b");
    let mut socket = open(server, &path("b", &token));
    socket.send(&wire::update(update));
    let (code, _) = socket.closed();
    let mut http = Http::connect(server.address());
    let target = format!("/v1/boards/b/document?token={token}");
    let length = update.len().to_string();
    let head = http::request("POST", &target, &[("Content-Length", &length)]);
    http.send([head.as_bytes(), update].concat());
    let answer = http.answer("POST");
    let word = answer.json()["code"].as_str().unwrap_or_default().to_owned();
    (code, answer.status, word)
}

fn number(value: u64) -> Vec<u8> {
    let mut out = Vec::new();
    wire::put_number(&mut out, value);
    out
}

#[test]
fn updates_that_no_stock_client_writes_and_that_harm_others_are_malformed() {
    let server = Server::start();
    let mut honest = [Client::join(&server, "b", 1), Client::join(&server, "b", 2)];
    honest[0].write(0, "honest");
    converge(&mut honest);
    let many = [&[0, 1, 9][..], &number(5_000), &[0, 6].repeat(5_000)].concat();
    let table: &[&[u8]] = &[
        // A range again and again; a client twice.
        &many,
        &[0, 2, 1, 1, 0, 1, 1, 1, 1, 1],
        b"\x01\x01\x09\x00\x28\x01\x01m\x01k\x01v\x01\x09__proto__t\x00\x00",
        b"\x01\x01\x09\x00\x28\x01\x01m\x09__proto__\x01}\x01\x00",
        // An entry before its own first value.
        b"\x01\x02\x09\x00\x28\x01\x01m\x01k\x01w\x01a\x68\x09\x00\x01w\x01b\x00",
    ];
    for update in table {
        let expected = (1007, 400, "malformed_update".to_owned());
        assert_eq!(refused(&server, update), expected, "{update:?}");
    }
    honest[1].write(0, "still ");
    converge(&mut honest);
    assert_eq!(honest[0].content().text, "still honest");
}

#[test]
fn a_large_update_of_somebody_who_may_not_edit_is_refused_unread() {
    let server = Server::start();
    let mut honest = Client::join(&server, "b", 1);
    honest.write(0, "honest");
    honest.save();
    let mut socket = open(&server, &path("b", &viewer("victor", "b")));
    // It would be malformed, were it read.
    socket.send(&wire::update(&vec![0xff; 1 << 20]));
    assert!(matches!(wire::parse(&socket.message()), Message::Denied(_)));
    socket.send(&wire::step_1(&[0]));
    assert!(
        matches!(wire::parse(&socket.message()), Message::Step2(_)),
        "it is still connected"
    );
}

#[test]
fn a_large_update_joins_while_others_draw_and_is_echoed_once_it_is_durable() {
    let server = Server::start();
    let mut clients = [Client::join(&server, "b", 1), Client::join(&server, "b", 2)];
    let large = "x".repeat(4 << 20);
    clients[0].set("large", &large);
    for n in 0..50 {
        clients[1].set(&format!("small{n}"), "y");
        clients[1].poll();
    }
    clients[0].save();
    clients[1].save();
    converge(&mut clients);
    assert_eq!(clients[1].value("large"), Some(large.clone()));
    assert_eq!(clients[0].value("small49"), Some("y".to_owned()));
    // Whoever comes now gets it too, made apart as well, and again the same after a restart.
    let mut third = Client::join(&server, "b", 3);
    third.sync();
    assert_eq!(third.value("large"), Some(large));
}

#[test]
fn many_who_join_a_large_board_at_once_all_get_it() {
    let server = Server::start();
    let mut writer = Client::join(&server, "b", 1);
    writer.set("large", &"x".repeat(1 << 20));
    writer.save();
    let token = viewer("victor", "b");
    let mut sockets: Vec<Socket> = (0..20).map(|_| open(&server, &path("b", &token))).collect();
    for (n, socket) in sockets.iter_mut().enumerate() {
        if n % 5 == 0 {
            writer.set("small", &n.to_string());
            writer.poll();
        }
        socket.send(&wire::step_1(&[0]));
    }
    for socket in &mut sockets {
        let answer = loop {
            match socket.next() {
                Event::Message(bytes) => {
                    if let Message::Step2(update) = wire::parse(&bytes) {
                        break update;
                    }
                }
                other => panic!("{other:?}"),
            }
        };
        assert!(answer.len() > 1 << 20);
    }
}
