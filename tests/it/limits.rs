//! Bounds, each at its edge, and what becomes of those beyond.

use std::io::{Read, Write};
use std::time::{Duration, Instant};

use boardwire::limits;

use crate::support::client::{Client, content_of, converge};
use crate::support::server::{Server, Setup};
use crate::support::socket::{Event, Socket, UPGRADE, frame, path};
use crate::support::tokens::{Token, editor};
use crate::support::wire::{self, Message};
use crate::support::{SOON, http, until};

fn board() -> String {
    path("b", &editor("alice", "b"))
}

/// An awareness message of `bytes` bytes.
fn message_of(bytes: usize) -> Vec<u8> {
    let state = |length: usize| wire::awareness(&[(7, 1, &format!("\"{}\"", "x".repeat(length)))]);
    let message = state(bytes - (state(bytes).len() - bytes));
    assert_eq!(message.len(), bytes);
    message
}

#[test]
fn a_message_may_be_as_large_as_set_and_not_larger() {
    let max = 4_096;
    for (codes, code) in [("plain", 1009), ("mirror", 4413)] {
        let server = Setup::new()
            .flag("max-message-bytes", "4KiB")
            .flag("close-codes", codes)
            .start();
        for bytes in [max - 1, max] {
            let mut socket = Socket::open(server.address(), &board());
            socket.send(&message_of(bytes));
            socket.flush();
        }
        let mut socket = Socket::open(server.address(), &board());
        socket.send(&message_of(max + 1));
        assert_eq!(socket.closed().0, code);
        // In fragments too, and by the length alone, before any of it has come.
        let mut socket = Socket::open(server.address(), &board());
        socket.send_frame(0x02, &vec![4; max]);
        socket.send_frame(0x80, &[4]);
        assert_eq!(socket.closed().0, code);
        let mut socket = Socket::open(server.address(), &board());
        socket.send_raw(&frame(0x82, &vec![4; 70_000])[..14]);
        assert_eq!(socket.closed().0, code);
        let mut socket = Socket::open(server.address(), &board());
        socket.send_raw(&[
            0x82, 0xFF, 0x7F, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0, 0, 0, 0,
        ]);
        assert!(matches!(socket.closed().0, 1002 | 1009 | 4413));
    }
}

#[test]
fn an_update_over_the_boards_size_is_refused_and_the_board_goes_on() {
    for (codes, code) in [("plain", 4013), ("mirror", 4413)] {
        let server = Setup::new()
            .flag("max-board-bytes", "64KiB")
            .flag("max-message-bytes", "1MiB")
            .flag("close-codes", codes)
            .start();
        let mut honest = Client::join(&server, "b", 1);
        honest.write(0, &"x".repeat(30_000));
        honest.save();
        let before = http::get(
            server.address(),
            &format!("/v1/boards/b/document?token={}", editor("x", "b")),
        )
        .body;
        let mut greedy = Client::join(&server, "b", 2);
        greedy.write(0, &"y".repeat(40_000));
        until(SOON, || !greedy.poll());
        assert_eq!(greedy.closed.clone().unwrap().0, code);
        let after = http::get(
            server.address(),
            &format!("/v1/boards/b/document?token={}", editor("x", "b")),
        )
        .body;
        assert_eq!(after, before);
        honest.write(0, "still ");
        honest.save();
        assert!(content_of(&after).text.starts_with('x'));
    }
}

#[test]
fn a_board_takes_so_many_connections() {
    let server = Setup::new().flag("max-connections-per-board", "3").start();
    let mut clients: Vec<_> = (1..=3).map(|id| Client::join(&server, "b", id)).collect();
    let mut fourth = Socket::open(server.address(), &board());
    assert!(matches!(wire::parse(&fourth.message()), Message::Denied(_)));
    assert_eq!(fourth.closed().0, 1013);
    drop(Client::join(&server, "another", 4));
    clients.pop();
    // The place is free once the server has seen the end.
    until(SOON, || {
        let mut socket = Socket::open(server.address(), &board());
        !matches!(wire::parse(&socket.message()), Message::Denied(_))
    });
    converge(&mut clients);
}

#[test]
fn so_many_connections_are_open_in_all_and_health_is_answered_still() {
    let server = Setup::new().flag("max-connections", "3").start();
    let mut clients: Vec<_> = (1..=3)
        .map(|id| Client::join(&server, &format!("b{id}"), id))
        .collect();
    let mut fourth = Socket::open(server.address(), &board());
    assert!(matches!(wire::parse(&fourth.message()), Message::Denied(_)));
    assert_eq!(fourth.closed().0, 1013);
    assert_eq!(http::get(server.address(), &board()).status, 429);
    let (status, health) = server.health();
    assert_eq!((status, &health["connections"]), (200, &3.into()));
    clients.pop();
    until(SOON, || server.health().1["connections"] == 2);
    // Every place that was taken and given back is free again.
    for _ in 0..20 {
        drop(Client::join(&server, "b", 9));
        until(SOON, || server.health().1["connections"] == 2);
    }
}

#[test]
fn a_slow_consumer_is_closed_1013_delays_nobody_and_converges_on_its_return() {
    let server = Setup::new().flag("max-outbox-bytes", "256KiB").start();
    let mut writer = Client::join(&server, "b", 1);
    let mut reader = Client::join(&server, "b", 2);
    let mut slow = Client::join(&server, "b", 3);
    let words = "x".repeat(16 * 1024);
    let mut step = 0;
    // The slow one reads nothing: socket buffers fill first, then the outbox.
    until(SOON, || {
        for _ in 0..8 {
            step += 1;
            writer.set(&format!("key {}", step % 50), &format!("{step} {words}"));
        }
        writer.save();
        until(SOON, || {
            reader.poll();
            assert_eq!(reader.closed, None);
            reader.value("key 1") == writer.value("key 1")
        });
        server.log().contains("too slow")
    });
    writer.save();
    assert_eq!(reader.closed, None);
    assert_eq!(writer.closed, None);
    until(SOON, || !slow.poll());
    // The close frame comes after what was already on its way; a peer that does not read for long is cut off.
    if let Some((code, _)) = slow.closed {
        assert_eq!(code, 1013);
    }
    slow.reconnect(server.address());
    converge(&mut [writer, reader, slow]);
}

/// Echoes become due in bursts, one a commit; a writer that reads all it is sent is not slow because of that.
#[test]
fn a_burst_of_echoes_does_not_make_its_author_a_slow_consumer() {
    let server = Setup::new()
        .flag("max-outbox-bytes", "256KiB")
        .flag("commit-window", "200ms")
        .start();
    let mut clients = [Client::join(&server, "b", 1), Client::join(&server, "b", 2)];
    let words = "x".repeat(16 * 1024);
    let started = Instant::now();
    let mut step = 0;
    while started.elapsed().as_secs() < 2 {
        step += 1;
        let value = format!("{step} {words}");
        clients[0].set("key", &value);
        // The other one gets each in turn, however busy the machine is: what gathers is echoes alone.
        until(SOON, || {
            for client in &mut clients {
                client.poll();
                assert_eq!(client.closed, None, "after {step} updates");
            }
            clients[1].content().map.get("key") == Some(&value)
        });
    }
    converge(&mut clients);
}

#[test]
fn a_slow_consumer_that_reads_again_sees_the_close_code() {
    let server = Setup::new().flag("max-outbox-bytes", "64KiB").start();
    let mut slow = Socket::open(server.address(), &board());
    slow.flush();
    let mut writer = Client::join(&server, "b", 1);
    let words = "x".repeat(32 * 1024);
    let mut step = 0;
    until(SOON, || {
        step += 1;
        writer.set("key", &format!("{step} {words}"));
        writer.poll();
        // Its connection is in its closing phase before the log line of its end.
        step > 400
    });
    assert_eq!(slow.closed().0, 1013);
}

#[test]
fn a_joiner_of_a_board_larger_than_the_outbox_is_no_slow_consumer() {
    let server = Setup::new().flag("max-outbox-bytes", "64KiB").start();
    let mut writer = Client::join(&server, "b", 1);
    writer.write(0, &"x".repeat(4 * 1024 * 1024));
    writer.save();
    let mut joiner = Socket::open(server.address(), &board());
    joiner.send(&wire::step_1(&[0]));
    // Others go on while its step 2 is under way, and it has not read yet.
    for step in 0..20 {
        writer.set("key", &step.to_string());
    }
    writer.save();
    loop {
        match joiner.next() {
            Event::Message(message) if message.starts_with(&[0, 1]) => break,
            Event::Message(_) => {}
            other => panic!("{other:?}"),
        }
    }
    joiner.flush();
}

#[test]
fn over_the_message_rate_the_server_reads_slowly_and_closes_nothing() {
    let server = Setup::new().flag("max-messages-per-second", "400").start();
    let mut client = Client::join(&server, "b", 1);
    let started = Instant::now();
    // A burst of 1,000 is free; 800 more take two seconds.
    for step in 0..1_800 {
        client.set("key", &step.to_string());
    }
    client.save();
    assert!(started.elapsed().as_millis() > 1_500, "{:?}", started.elapsed());
    assert_eq!(client.closed, None);
    // Others are not slowed by it.
    let started = Instant::now();
    let mut other = Client::join(&server, "b", 2);
    other.set("mine", "x");
    other.save();
    assert!(started.elapsed().as_millis() < 1_500, "{:?}", started.elapsed());
}

/// Frames cost work whatever they carry, so a flood of pings, or of fragments without a byte, is read no
/// faster than the messages that it counts as.
#[test]
fn frames_that_complete_no_message_count_towards_the_rate_in_hundreds() {
    const DONE: &[u8] = b"\x8a\x04done";
    let frames = usize::try_from(limits::IDLE_FRAMES * limits::MESSAGES_BURST_MAX).unwrap();
    let ping = frame(0x89, b"");
    let fragments = |count: usize| [frame(0x02, b""), frame(0x00, b"").repeat(count)].concat();
    let (some, many) = (frames / 10 * 9, frames / 10 * 11);
    for (what, flood, is_read_on) in [
        ("some pings", ping.repeat(some), true),
        ("many pings", ping.repeat(many), false),
        (
            "some fragments",
            [fragments(some), frame(0x80, b"")].concat(),
            true,
        ),
        (
            "many fragments",
            [fragments(many), frame(0x80, b"")].concat(),
            false,
        ),
    ] {
        let server = Setup::new().flag("max-messages-per-second", "1").start();
        let mut http = http::Http::connect(server.address());
        http.send(http::request("GET", &board(), &UPGRADE));
        assert_eq!(http.head().0, 101);
        let mut stream = http.stream;
        let mut reading = stream.try_clone().unwrap();
        std::thread::spawn(move || {
            // Either all of it is taken, or the server stops reading.
            let _ = stream.write_all(&[flood.as_slice(), &frame(0x89, b"done")].concat());
        });
        // Beyond the burst it is a message a second: what is left takes 100 s.
        let until = Instant::now() + Duration::from_secs(if is_read_on { 30 } else { 3 });
        reading
            .set_read_timeout(Some(Duration::from_millis(100)))
            .unwrap();
        let mut last = Vec::new();
        let mut buffer = [0; 65_536];
        while last != DONE && Instant::now() < until {
            let read = reading.read(&mut buffer).unwrap_or(0);
            last.extend_from_slice(&buffer[..read]);
            last.drain(..last.len().saturating_sub(DONE.len()));
        }
        assert_eq!(last == DONE, is_read_on, "{what}: {last:?}");
    }
}

#[test]
fn awareness_that_changes_nothing_does_not_count_towards_the_rate() {
    let server = Setup::new().flag("max-messages-per-second", "10").start();
    let mut socket = Socket::open(server.address(), &board());
    socket.send(&wire::awareness(&[(7, 1, "{}")]));
    socket.flush();
    let started = Instant::now();
    for _ in 0..3_000 {
        socket.send(&wire::awareness(&[(7, 1, "{}")]));
    }
    socket.flush();
    assert!(started.elapsed().as_secs() < 20, "{:?}", started.elapsed());
}

#[test]
fn a_token_of_many_claims_still_fits_the_head() {
    let server = Server::start();
    let level = boardwire::ids::Level::Edit;
    let token = (0..150)
        .fold(Token::of("alice"), |token, n| {
            token.with(&format!("board-number-{n:09}"), level)
        })
        .sign();
    assert!(token.len() > 6_000 && token.len() <= 8_192, "{}", token.len());
    Socket::open(server.address(), &path("board-number-000000007", &token)).flush();
}

/// Each answer to a step 1 is as large as the board; a viewer may ask again and again, and read nothing.
#[test]
fn questions_whose_answers_nobody_reads_do_not_fill_the_memory() {
    let server = Server::start();
    let mut author = Client::join(&server, "b", 1);
    author.write(0, &"x".repeat(2 * 1024 * 1024));
    author.save();
    let before = server.resident_bytes();
    let token = Token::of("v").with("b", boardwire::ids::Level::View).sign();
    let mut asker = Socket::open(server.address(), &path("b", &token));
    // The state vector knows one clock, so that the answer is not the shared one.
    for clock in 1..=250 {
        let mut vector = vec![1, 1];
        wire::put_number(&mut vector, clock);
        asker.send(&wire::step_1(&vector));
    }
    author.write(0, "more");
    author.save();
    let started = Instant::now();
    let mut most = 0;
    until(SOON, || {
        most = most.max(server.resident_bytes());
        started.elapsed().as_secs() >= 2
    });
    let grown = most.saturating_sub(before) / (1024 * 1024);
    assert!(grown < 100, "{grown} MiB for one connection that reads nothing");
}

/// One large awareness message is read under the room's lock; others must not wait for it.
#[test]
fn one_large_awareness_message_does_not_hold_up_the_room() {
    let server = Server::start();
    let mut crowd: Vec<_> = (0..100u64)
        .map(|n| {
            let mut socket = Socket::open(server.address(), &path("b", &editor(&format!("user-{n}"), "b")));
            for id in 0..8 {
                socket.send(&wire::awareness(&[(1_000 + n * 8 + id, 1, "{}")]));
            }
            socket.flush();
            socket
        })
        .collect();
    let mut author = Client::join(&server, "b", 1);
    let mut other = Client::join(&server, "b", 2);
    let count = 2_000_000u64;
    let mut body = Vec::new();
    wire::put_number(&mut body, count);
    for _ in 0..count {
        body.extend([3, 1, 1, b'1']);
    }
    let mut message = vec![1];
    wire::put_bytes(&mut message, &body);
    crowd[0].send(&message);
    let mut longest = Duration::ZERO;
    for _ in 0..20 {
        let started = Instant::now();
        author.write(0, "x");
        until(SOON, || {
            author.poll();
            other.poll();
            other.content() == author.content()
        });
        longest = longest.max(started.elapsed());
    }
    assert!(longest.as_millis() < 200, "an update took {longest:?} to arrive");
}

/// A client that pings and never reads is owed pongs; these must not gather without bound.
#[test]
fn pings_whose_pongs_nobody_reads_do_not_fill_the_memory() {
    let server = Server::start();
    let mut pinger = Socket::open(server.address(), &board());
    pinger.flush();
    let before = server.resident_bytes();
    let pings = frame(0x89, &[b'p'; 125]).repeat(1_000);
    let started = Instant::now();
    let mut sent = 0;
    until(SOON, || {
        // As much as the server takes: 64 MiB, or what fits the buffers of the kernel.
        while sent < 64 * 1024 * 1024 {
            let at = sent % pings.len();
            match pinger.send_some(&pings[at..]) {
                0 => break,
                bytes => sent += bytes,
            }
        }
        sent >= 64 * 1024 * 1024 || started.elapsed().as_secs() >= 3
    });
    let grown = server.resident_bytes().saturating_sub(before) / (1024 * 1024);
    assert!(
        grown < 16,
        "{grown} MiB for one connection that reads nothing, of {sent} bytes sent"
    );
    // Once it reads, it is read again.
    let mut rest = pings[sent % pings.len()..].to_vec();
    rest.extend(frame(0x82, &wire::step_1(&[0])));
    let mut at = 0;
    until(SOON, || {
        at += if at < rest.len() {
            pinger.send_some(&rest[at..])
        } else {
            0
        };
        loop {
            match pinger.poll() {
                Some(Event::Pong(_)) => {}
                Some(Event::Message(message)) => return message.starts_with(&[0, 1]),
                Some(other) => panic!("{other:?}"),
                None => return false,
            }
        }
    });
}
