//! Bodies over a real socket, with bounds of a test's choice.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};

use super::*;
use crate::http::head;
use crate::net::receiving::Receiving;

const ENOUGH: Duration = Duration::from_secs(60);

/// Bounds that nothing reaches but that of a body.
fn loose(body_bytes: usize) -> Bounds {
    Bounds {
        body_bytes: body_bytes.into(),
        body_time: ENOUGH,
        answer_time: ENOUGH,
        receiving: Receiving::new(limits::RECEIVING_BYTES_MAX),
        answers: Answers::new(limits::ANSWERS_BYTES_MAX),
        disk_is_behind: Box::new(|| false),
    }
}

fn pair(bounds: Bounds) -> (Incoming, TcpStream) {
    let (stream, peer) = crate::net::poller::pair();
    peer.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    (Incoming::new(Arc::new(bounds), Socket::new(stream)), peer)
}

/// Reads the head that the peer sends, and begins its request.
fn begin(incoming: &mut Incoming) -> Result<(), NoBody> {
    smol::block_on(async {
        let bytes = loop {
            match head::parse(incoming.ahead()) {
                Ok(Some((_, bytes))) => break bytes,
                other => assert_eq!(other, Ok(None)),
            }
            let room = incoming.room().await;
            assert!(incoming.receive(room).await.unwrap() > 0);
        };
        let bytes = incoming.take(bytes);
        let (head, _) = head::parse(&bytes).unwrap().unwrap();
        incoming.begin(&head, incoming.bounds.body_bytes.load(Ordering::Relaxed))
    })
}

fn post(fields: &str, body: &[u8]) -> Vec<u8> {
    [
        format!("POST / HTTP/1.1\r\nHost: a\r\n{fields}\r\n").as_bytes(),
        body,
    ]
    .concat()
}

fn read(incoming: &mut Incoming) -> Result<Vec<u8>, NoBody> {
    smol::block_on(incoming.read_body())
}

fn end(incoming: &mut Incoming) -> Result<(), BodyError> {
    smol::block_on(incoming.end_body())
}

/// What the peer has been sent so far and until the end of the connection.
fn sent(incoming: Incoming, mut peer: TcpStream) -> String {
    drop(incoming);
    let mut sent = String::new();
    peer.read_to_string(&mut sent).unwrap();
    sent
}

const NEXT: &[u8] = b"GET /next HTTP/1.1\r\nHost: a\r\n\r\n";

#[test]
fn a_body_is_read_to_its_end_and_the_next_request_lies_behind_it() {
    let chunked = b"3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n";
    for request in [
        post("Content-Length: 5\r\n", b"hello"),
        post("Transfer-Encoding: chunked\r\n", chunked),
    ] {
        let (mut incoming, mut peer) = pair(loose(5));
        peer.write_all(&[&request, NEXT].concat()).unwrap();
        begin(&mut incoming).unwrap();
        assert!(!incoming.body_has_ended());
        assert_eq!(read(&mut incoming), Ok(b"hello".to_vec()));
        assert!(incoming.body_has_ended());
        assert_eq!(read(&mut incoming), Ok(Vec::new()), "there is no second one");
        assert_eq!(end(&mut incoming), Ok(()));
        begin(&mut incoming).unwrap();
        assert_eq!(read(&mut incoming), Ok(Vec::new()), "a GET has none");
    }
}

#[test]
fn a_body_is_bounded_by_its_length_before_and_by_its_chunks_while_it_is_read() {
    for (bytes, fits) in [(9, true), (10, true), (11, false)] {
        let (mut incoming, mut peer) = pair(loose(10));
        peer.write_all(&post(&format!("Content-Length: {bytes}\r\n"), b""))
            .unwrap();
        assert_eq!(
            begin(&mut incoming).is_ok(),
            fits,
            "{bytes}: no byte of it was sent"
        );
        assert!(!incoming.body_has_ended());

        let (mut incoming, mut peer) = pair(loose(10));
        let chunks = "1\r\nx\r\n".repeat(bytes) + "0\r\n\r\n";
        peer.write_all(&post("Transfer-Encoding: chunked\r\n", chunks.as_bytes()))
            .unwrap();
        begin(&mut incoming).unwrap();
        let expected = if fits {
            Ok(vec![b'x'; bytes])
        } else {
            Err(NoBody::Body(BodyError::TooLarge))
        };
        assert_eq!(read(&mut incoming), expected, "{bytes}");
        assert_eq!(incoming.body_has_ended(), fits, "{bytes}");
    }
}

#[test]
fn who_waits_for_100_continue_gets_it_when_the_body_is_read_and_only_then() {
    let waiting = post("Content-Length: 5\r\nExpect: 100-continue\r\n", b"");
    let (mut incoming, mut peer) = pair(loose(5));
    peer.write_all(&waiting).unwrap();
    begin(&mut incoming).unwrap();
    let body = std::thread::scope(|scope| {
        let reader = scope.spawn(|| read(&mut incoming));
        let mut interim = [0; CONTINUE.len()];
        peer.read_exact(&mut interim).unwrap();
        assert_eq!(interim, CONTINUE);
        peer.write_all(b"hello").unwrap();
        reader.join().unwrap()
    });
    assert_eq!(body, Ok(b"hello".to_vec()));
    assert!(incoming.body_has_ended());
    assert_eq!(sent(incoming, peer), "", "once");

    let (mut incoming, mut peer) = pair(loose(5));
    peer.write_all(&waiting).unwrap();
    begin(&mut incoming).unwrap();
    assert_eq!(end(&mut incoming), Ok(()));
    assert!(!incoming.body_has_ended(), "it was never asked for the body");
    assert_eq!(sent(incoming, peer), "");
}

#[test]
fn a_body_that_is_malformed_cut_off_or_late_is_the_end_of_the_connection() {
    let (mut incoming, mut peer) = pair(loose(5));
    peer.write_all(&post("Transfer-Encoding: chunked\r\n", b"x\r\n"))
        .unwrap();
    begin(&mut incoming).unwrap();
    assert_eq!(read(&mut incoming), Err(NoBody::Body(BodyError::Chunk)));
    assert!(!incoming.body_has_ended());

    let (mut incoming, mut peer) = pair(loose(5));
    peer.write_all(&post("Content-Length: 5\r\n", b"hell")).unwrap();
    peer.shutdown(Shutdown::Write).unwrap();
    begin(&mut incoming).unwrap();
    assert_eq!(read(&mut incoming), Err(NoBody::CutOff));
    assert!(!incoming.body_has_ended());

    let bounds = Bounds {
        body_time: Duration::from_millis(20),
        ..loose(5)
    };
    let (mut incoming, mut peer) = pair(bounds);
    peer.write_all(&post("Content-Length: 5\r\n", b"hell")).unwrap();
    begin(&mut incoming).unwrap();
    assert_eq!(read(&mut incoming), Err(NoBody::Late));
    assert!(!incoming.body_has_ended());
    assert_eq!(Problem::from(NoBody::Late).status, 408);
}

#[test]
fn a_body_waits_while_the_disk_is_behind_and_that_time_does_not_count() {
    const WAIT: Duration = Duration::from_millis(300);
    let began = Instant::now();
    let bounds = Bounds {
        body_time: WAIT / 2,
        disk_is_behind: Box::new(move || began.elapsed() < WAIT),
        ..loose(5)
    };
    let (mut incoming, mut peer) = pair(bounds);
    peer.write_all(&post("Content-Length: 5\r\n", b"")).unwrap();
    begin(&mut incoming).unwrap();
    peer.write_all(b"hello").unwrap();
    assert_eq!(read(&mut incoming), Ok(b"hello".to_vec()));
    assert!(began.elapsed() >= WAIT, "nothing was read before");
}

#[test]
fn a_short_body_that_nobody_reads_is_skipped_and_a_long_one_ends_the_connection() {
    let max = limits::SKIPPED_BYTES_MAX;
    for (bytes, skipped) in [(max - 1, true), (max, true), (max + 1, false)] {
        let body = vec![b'x'; bytes];
        let chunked = [format!("{bytes:x}\r\n").as_bytes(), &body, b"\r\n0\r\n\r\n"].concat();
        for request in [
            post(&format!("Content-Length: {bytes}\r\n"), &body),
            post("Transfer-Encoding: chunked\r\n", &chunked),
        ] {
            let (mut incoming, mut peer) = pair(loose(usize::MAX));
            std::thread::scope(|scope| {
                // The rest of the long one may find nobody.
                scope.spawn(move || drop(peer.write_all(&[&request, NEXT].concat())));
                begin(&mut incoming).unwrap();
                assert_eq!(end(&mut incoming), Ok(()));
                assert_eq!(incoming.body_has_ended(), skipped, "{bytes}");
                if skipped {
                    begin(&mut incoming).unwrap();
                }
                drop(incoming);
            });
        }
    }
    let (mut incoming, mut peer) = pair(loose(5));
    peer.write_all(&post("Transfer-Encoding: chunked\r\n", b"x\r\n"))
        .unwrap();
    begin(&mut incoming).unwrap();
    assert_eq!(end(&mut incoming), Err(BodyError::Chunk));
    assert!(!incoming.body_has_ended());
}

#[test]
fn a_body_counts_until_its_request_ends_and_past_the_bound_waits_while_another_goes_on() {
    const LARGE: usize = 1024 * 1024;
    let receiving = Receiving::new(LARGE);
    let bounds = Bounds {
        receiving: Arc::clone(&receiving),
        body_time: Duration::from_secs(3),
        ..loose(usize::MAX)
    };
    let (mut incoming, mut peer) = pair(bounds);
    // Somebody else has most of the room, and then all of it and goes on past the bound.
    let mut other = receiving.place();
    let take = |place: &mut Place, held, want| smol::block_on(place.room(held, want, |more| held + more));
    take(&mut other, 0, LARGE - 400 * 1024);
    let request = post(&format!("Content-Length: {LARGE}\r\n"), &vec![b'x'; LARGE]);
    let (body, mut incoming) = std::thread::scope(|scope| {
        let (half, rest) = request.split_at(20 * 1024);
        let mut rest_of = peer.try_clone().unwrap();
        peer.write_all(half).unwrap();
        begin(&mut incoming).unwrap();
        let reader = scope.spawn(|| {
            let body = read(&mut incoming);
            (body, incoming)
        });
        while receiving.bytes() < LARGE - 380 * 1024 {
            assert!(!reader.is_finished());
            std::thread::yield_now();
        }
        take(&mut other, LARGE - 400 * 1024, LARGE);
        scope.spawn(move || rest_of.write_all(rest).unwrap());
        // Longer than a body may take: waiting for others does not count.
        std::thread::sleep(Duration::from_millis(3_200));
        assert!(!reader.is_finished());
        let most = 3 * LARGE - 400 * 1024;
        assert!(receiving.bytes() <= most, "{}", receiving.bytes());
        other.set(0);
        reader.join().unwrap()
    });
    assert_eq!(body.unwrap().len(), LARGE);
    assert!(
        (LARGE..LARGE + 4_096).contains(&receiving.bytes()),
        "the body still counts"
    );
    end(&mut incoming).unwrap();
    assert_eq!(receiving.bytes(), 0);
}

#[test]
fn many_bodies_that_never_end_are_held_to_the_bound() {
    const BOUND: usize = 4 * 1024 * 1024;
    let receiving = Receiving::new(BOUND);
    let stop = Arc::new(AtomicBool::new(false));
    std::thread::scope(|scope| {
        let mut readers = Vec::new();
        for _ in 0..12 {
            let bounds = Bounds {
                receiving: Arc::clone(&receiving),
                ..loose(BOUND)
            };
            let (mut incoming, mut peer) = pair(bounds);
            let stop = Arc::clone(&stop);
            scope.spawn(move || {
                peer.set_write_timeout(Some(Duration::from_millis(50))).unwrap();
                let mut bytes = post(&format!("Content-Length: {BOUND}\r\n"), &vec![b'x'; BOUND]);
                bytes.truncate(bytes.len() - 1);
                let mut rest = &bytes[..];
                // Every reader has its head, however late this thread begins.
                let sent = peer.write(rest).unwrap();
                rest = &rest[sent..];
                while !stop.load(Ordering::Relaxed) {
                    match peer.write(rest) {
                        Ok(sent) => rest = &rest[sent..],
                        Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                        Err(_) => return,
                    }
                    std::thread::yield_now();
                }
            });
            readers.push(scope.spawn(move || {
                begin(&mut incoming).unwrap();
                read(&mut incoming)
            }));
        }
        // Nobody's last byte has come, and they have about as much as there is room for.
        while receiving.bytes() < BOUND / 8 * 5 {
            std::thread::yield_now();
        }
        stop.store(true, Ordering::Relaxed);
        for reader in readers {
            assert_eq!(
                reader.join().unwrap(),
                Err(NoBody::CutOff),
                "in the end all had their turn"
            );
        }
    });
    assert_eq!(receiving.bytes(), 0);
    // The holder's body, and a read of each that was reading at that moment: here all of them, each on a
    // thread of its own.
    let one_more = BOUND + 12 * BODY_READ_BYTES;
    assert!(receiving.most() <= BOUND + one_more, "{}", receiving.most());
}

#[test]
fn an_answer_larger_than_the_buffers_of_the_sockets_arrives_whole() {
    let body: &'static [u8] = Vec::leak((0..16_u32 << 20).map(|n| (n / 251) as u8).collect());
    let response = Response::new(200).with_built_in("text/plain", body);
    let (mut incoming, mut peer) = pair(loose(1));
    let reading = std::thread::spawn(move || {
        let mut received = Vec::new();
        peer.read_to_end(&mut received).unwrap();
        received
    });
    let head = response.encode_head(Persistence::Close);
    smol::block_on(incoming.answer(response, Method::Get, Persistence::Close)).unwrap();
    drop(incoming);
    assert!(reading.join().unwrap() == [&head, body].concat());
}

#[test]
fn an_answer_that_nobody_takes_is_cut_and_gives_its_room_back() {
    const LARGE: usize = 32 * 1024 * 1024;
    let bounds = Bounds {
        answer_time: Duration::from_millis(200),
        ..loose(1)
    };
    let answers = Arc::clone(&bounds.answers);
    let (mut incoming, peer) = pair(bounds);
    let response = Response::new(200).with_body("text/plain", vec![b'x'; LARGE]);
    let response = incoming.admit(response, Method::Get);
    assert_eq!(answers.bytes(), LARGE);
    let sent = smol::block_on(incoming.answer(response, Method::Get, Persistence::Close));
    assert_eq!(sent.unwrap_err().kind(), io::ErrorKind::TimedOut);
    assert_eq!(answers.bytes(), 0);
    drop(peer);
}

#[test]
fn an_answer_without_room_becomes_503_where_nothing_was_done() {
    const LARGE: usize = 1024 * 1024;
    let bounds = Bounds {
        answers: Answers::new(LARGE),
        ..loose(1)
    };
    let answers = Arc::clone(&bounds.answers);
    let (mut incoming, _peer) = pair(bounds);
    let response = |bytes: usize| Response::new(200).with_body("text/plain", vec![b'x'; bytes]);
    let held = answers.try_permit(LARGE).unwrap();
    let small = limits::ANSWER_FREE_BYTES;
    for (method, bytes, status, counted) in [
        (Method::Get, small, 200, LARGE),
        (Method::Get, small + 1, 503, LARGE),
        (Method::Post, small + 1, 200, LARGE + small + 1),
    ] {
        // The answer before has left.
        incoming.permit = None;
        let answer = incoming.admit(response(bytes), method);
        assert_eq!(
            (answer.status, answers.bytes()),
            (status, counted),
            "{method:?} {bytes}"
        );
    }
    incoming.permit = None;
    let answer = incoming.admit(response(small + 1), Method::Get);
    assert_eq!(answer.value("retry-after"), Some("2"));
    drop(held);
    assert_eq!(incoming.admit(response(small + 1), Method::Get).status, 200);
    smol::block_on(incoming.reserve(LARGE)).unwrap();
    assert_eq!(answers.bytes(), LARGE);
    let shared = Bytes::from(vec![b'x'; LARGE]);
    let first = incoming.admit(
        Response::new(200).with_body("text/plain", shared.clone()),
        Method::Get,
    );
    assert!(incoming.joins(&shared) && first.status == 200);
    assert_eq!(answers.bytes(), LARGE);
}

#[test]
fn a_socket_is_handed_on_with_what_came_behind_the_request_and_counts_only_that() {
    let (mut incoming, mut peer) = pair(loose(5));
    let requests = [&post("Content-Length: 5\r\n", b"hello"), NEXT, b"first frame"].concat();
    peer.write_all(&requests).unwrap();
    begin(&mut incoming).unwrap();
    assert_eq!(read(&mut incoming), Ok(b"hello".to_vec()));
    assert_eq!(end(&mut incoming), Ok(()));
    begin(&mut incoming).unwrap();
    let mut socket = incoming.into_socket();
    assert_eq!(socket.ahead(), b"first frame");
    assert_eq!(
        socket.take_received(),
        b"first frame".len(),
        "its pace is its own"
    );
    peer.write_all(b" and more").unwrap();
    smol::block_on(socket.receive(64)).unwrap();
    assert_eq!(socket.ahead(), b"first frame and more");
}
