//! Everybody ends with the same document, whenever and however often they come.

use crate::support::client::{Client, content_of, converge};
use crate::support::random::Random;
use crate::support::server::{Server, Setup};
use crate::support::socket::{Socket, path};
use crate::support::tokens::editor;
use crate::support::wire::{self, Message};
use crate::support::{SOON, http, until};

#[test]
fn two_clients_converge() {
    let server = Server::start();
    let mut clients = [Client::join(&server, "b", 1), Client::join(&server, "b", 2)];
    clients[0].set("shape:1", "red");
    clients[1].write(0, "hello");
    clients[1].push("first");
    converge(&mut clients);
    clients[1].set("shape:1", "blue");
    clients[0].erase(1, 3);
    clients[0].unset("shape:1");
    converge(&mut clients);
    assert_eq!(clients[0].content().text, "ho");
}

#[test]
fn a_late_joiner_gets_everything_in_one_step_2() {
    let server = Server::start();
    let mut first = Client::join(&server, "b", 1);
    for n in 0..50 {
        first.set(&format!("shape:{}", n % 7), &n.to_string());
        first.write(0, "x");
    }
    first.erase(10, 20);
    first.save();
    let mut socket = Socket::open(server.address(), &path("b", &editor("late", "b")));
    socket.send(&wire::step_1(&[0]));
    let step_2 = socket
        .flush()
        .iter()
        .find_map(|message| match wire::parse(message) {
            Message::Step2(update) => Some(update),
            _ => None,
        });
    assert_eq!(content_of(&step_2.unwrap()), first.content());
}

#[test]
fn the_answer_to_a_step_1_is_empty_only_on_an_empty_board() {
    let server = Server::start();
    let answer = |board: &str, state_vector: &[u8]| {
        let mut socket = Socket::open(server.address(), &path(board, &editor("alice", board)));
        socket.send(&wire::step_1(state_vector));
        let messages = socket.flush();
        let step_2s: Vec<_> = messages
            .iter()
            .filter(|message| message.starts_with(&[0, 1]))
            .collect();
        assert_eq!(step_2s.len(), 1, "one step 2 for a step 1: {messages:?}");
        step_2s[0].clone()
    };
    assert_eq!(answer("empty", &[0]), [0, 1, 2, 0, 0]);
    let mut client = Client::join(&server, "b", 1);
    client.set("key", "old");
    client.set("key", "new");
    client.save();
    // Nothing is missing but the delete set, of which a state vector says nothing.
    let known = answer("b", &client.state_vector());
    let Message::Step2(update) = wire::parse(&known) else {
        panic!("{known:?}")
    };
    assert_eq!(update[0], 0, "no structs");
    assert!(update.len() > 2, "a delete set");
}

#[test]
fn step_1_is_answered_whenever_it_comes() {
    let server = Server::start();
    let mut client = Client::join(&server, "b", 1);
    client.set("key", "value");
    client.save();
    let mut socket = Socket::open(server.address(), &path("b", &editor("alice", "b")));
    for _ in 0..5 {
        socket.send(&wire::step_1(&[0]));
        let answers = socket.flush();
        assert_eq!(answers.iter().filter(|m| m.starts_with(&[0, 1])).count(), 1);
    }
}

#[test]
fn several_messages_in_a_frame_are_answered_in_frames_of_one() {
    let server = Server::start();
    let mut socket = Socket::open(server.address(), &path("b", &editor("alice", "b")));
    let mut frame = wire::step_1(&[0]);
    frame.extend(wire::awareness(&[(7, 1, r#"{"name":"a"}"#)]));
    frame.extend([3]);
    frame.extend(wire::step_1(&[0]));
    socket.send(&frame);
    // `parse` refuses a frame with more than one message.
    let answers: Vec<_> = socket
        .flush()
        .iter()
        .map(|message| wire::parse(message))
        .collect();
    assert_eq!(
        answers
            .iter()
            .filter(|answer| matches!(answer, Message::Step2(_)))
            .count(),
        2,
        "{answers:?}"
    );
}

#[test]
fn offline_edits_are_merged_after_a_reconnect() {
    let server = Server::start();
    let mut clients = [Client::join(&server, "b", 1), Client::join(&server, "b", 2)];
    clients[0].write(0, "base");
    converge(&mut clients);
    clients[0].cut();
    clients[0].set("offline", "yes");
    clients[0].write(4, " more");
    clients[0].erase(0, 1);
    clients[1].set("online", "yes");
    clients[1].write(0, ">");
    clients[0].reconnect(server.address());
    converge(&mut clients);
    let content = clients[1].content();
    assert_eq!(content.text, ">ase more");
    assert_eq!(content.map.len(), 2);
}

#[test]
fn edits_on_both_sides_of_a_restart_are_merged() {
    let server = Server::start();
    let mut clients = [Client::join(&server, "b", 1), Client::join(&server, "b", 2)];
    clients[0].write(0, "before ");
    converge(&mut clients);
    let place = server.stop();
    clients[0].cut();
    clients[1].cut();
    clients[0].write(0, "A");
    clients[1].write(7, "B");
    let server = Setup::on(&place).start();
    clients
        .iter_mut()
        .for_each(|client| client.reconnect(server.address()));
    converge(&mut clients);
    assert_eq!(clients[0].content().text, "Abefore B");
}

#[test]
fn ten_clients_with_random_edits_and_cut_connections_converge() {
    for seed in 0..4 {
        let server = Setup::new()
            .flag("compact-after", "50ms")
            .flag("compact-every", "100ms")
            .start();
        let mut random = Random::new(seed);
        let mut clients: Vec<_> = (1..=10).map(|id| Client::join(&server, "b", id)).collect();
        for step in 0..400 {
            let at = random.below(clients.len());
            let client = &mut clients[at];
            match random.below(20) {
                0 => client.cut(),
                1..3 => client.reconnect(server.address()),
                _ => random_edit(client, &mut random, step),
            }
            if random.below(4) == 0 {
                client.poll();
            }
        }
        for client in &mut clients {
            client.reconnect(server.address());
        }
        converge(&mut clients);
        let stored = http::get(
            server.address(),
            &format!("/v1/boards/b/document?token={}", editor("x", "b")),
        );
        assert_eq!(content_of(&stored.body), clients[0].content(), "seed {seed}");
        let place = server.kill();
        let server = Setup::on(&place).start();
        let after = Client::join(&server, "b", 99);
        assert_eq!(after.content(), clients[0].content(), "seed {seed}");
    }
}

/// Some edit, as a person or an agent makes it.
pub(crate) fn random_edit(client: &mut Client, random: &mut Random, step: usize) {
    let length = usize::try_from(client.text_length()).unwrap();
    match random.below(6) {
        0 | 1 => client.set(&format!("shape:{}", random.below(12)), &format!("value {step}")),
        2 => client.unset(&format!("shape:{}", random.below(12))),
        3 => client.push(&step.to_string()),
        4 if length > 4 => {
            let at = random.below(length - 3);
            client.erase(u32::try_from(at).unwrap(), 3);
        }
        _ => {
            let words = ["a", "longer words", "\u{e9}\u{20ac}", "\n"][random.below(4)];
            client.write(u32::try_from(random.below(length + 1)).unwrap(), words);
        }
    }
}

#[test]
fn an_update_reaches_the_others_once_and_its_author_only_as_echo() {
    let server = Server::start();
    let mut author = Socket::open(server.address(), &path("b", &editor("alice", "b")));
    let mut other = Socket::open(server.address(), &path("b", &editor("bob", "b")));
    other.flush();
    author.flush();
    let update = Client::offline(5).change(|transaction, _, text, _| {
        use yrs::Text;
        text.insert(transaction, 0, "once");
    });
    for _ in 0..3 {
        author.send(&wire::update(&update));
    }
    assert_eq!(wire::parse(&other.message()), Message::Update(update.clone()));
    assert_eq!(
        wire::parse(&author.message()),
        Message::Update(update),
        "the saved echo"
    );
    author.flush();
    assert!(other.flush().is_empty(), "what brings nothing new is not sent on");
}

#[test]
fn without_saved_echoes_the_author_hears_nothing() {
    let server = Setup::new().flag("saved-echo", "off").start();
    let mut author = Client::join(&server, "b", 1);
    let mut other = Client::join(&server, "b", 2);
    author.set("key", "value");
    until(SOON, || {
        other.poll();
        other.value("key").is_some()
    });
    let place = server.stop();
    until(SOON, || !author.poll());
    assert_eq!(author.saved, 0);
    let server = Setup::on(&place).start();
    assert_eq!(Client::join(&server, "b", 3).content(), author.content());
}

#[test]
fn boards_do_not_mix() {
    let server = Server::start();
    let mut clients: Vec<_> = (1..=6)
        .map(|id| Client::join(&server, &format!("board-{}", id % 3), id))
        .collect();
    for client in &mut clients {
        let key = format!("of-{}", client.content().clocks.len());
        client.set(&key, "x");
    }
    for first in 0..3 {
        let mut pair = vec![clients.remove(0), clients.remove(2 - first)];
        converge(&mut pair);
        assert_eq!(pair[0].content().clocks.len(), 2, "two writers a board");
    }
}
