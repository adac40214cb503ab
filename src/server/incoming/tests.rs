//! Bodies over a real socket, with bounds of a test's choice.

use std::net::TcpListener;
use std::sync::Mutex;

use super::*;
use crate::http::head;
use crate::server::receiving::Receiving;

/// Bounds of a test's choice, with the table of what is being received that the server has.
struct Loose {
    body_bytes: usize,
    body_time: Duration,
    receiving: Receiving,
    ids: Mutex<u64>,
    /// The largest count that was noted.
    most: Mutex<usize>,
}

const ENOUGH: Duration = Duration::from_secs(60);

impl Loose {
    fn new(body_bytes: usize) -> Self {
        Self {
            body_bytes,
            body_time: ENOUGH,
            receiving: Receiving::new(limits::RECEIVING_BYTES_MAX),
            ids: Mutex::new(0),
            most: Mutex::new(0),
        }
    }
}

impl Bounds for Loose {
    fn body_bytes(&self) -> usize {
        self.body_bytes
    }

    fn body_time(&self) -> Duration {
        self.body_time
    }

    fn note(&self, id: u64, before: usize, bytes: usize) {
        self.receiving.note(id, before, bytes);
        let mut most = self.most.lock().unwrap();
        *most = bytes.max(*most);
    }

    fn must_pause(&self, id: u64, bytes: usize) -> bool {
        self.receiving.must_pause(id, bytes)
    }

    fn next_id(&self) -> u64 {
        let mut ids = self.ids.lock().unwrap();
        *ids += 1;
        *ids
    }
}

fn pair(bounds: Loose) -> (Incoming<Loose>, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let peer = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    peer.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    let stream = Async::new(listener.accept().unwrap().0).unwrap();
    (Incoming::new(Arc::new(bounds), stream), peer)
}

/// Reads the head that the peer sends, and begins its request.
fn begin(incoming: &mut Incoming<Loose>) -> Result<(), Unreadable> {
    smol::block_on(async {
        let bytes = loop {
            match head::parse(incoming.ahead()) {
                Ok(Some((_, bytes))) => break bytes,
                other => assert_eq!(other, Ok(None)),
            }
            assert!(incoming.receive().await.unwrap() > 0);
        };
        let bytes = incoming.take(bytes);
        let (head, _) = head::parse(&bytes).unwrap().unwrap();
        incoming.begin(&head)
    })
}

fn post(fields: &str, body: &[u8]) -> Vec<u8> {
    [
        format!("POST / HTTP/1.1\r\nHost: a\r\n{fields}\r\n").as_bytes(),
        body,
    ]
    .concat()
}

fn read(incoming: &mut Incoming<Loose>) -> Result<Vec<u8>, Unreadable> {
    smol::block_on(incoming.read_body())
}

fn end(incoming: &mut Incoming<Loose>) -> Result<(), BodyError> {
    smol::block_on(incoming.end_body())
}

/// What the peer has been sent so far and until the end of the connection.
fn sent(incoming: Incoming<Loose>, mut peer: TcpStream) -> String {
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
        let (mut incoming, mut peer) = pair(Loose::new(5));
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
        let (mut incoming, mut peer) = pair(Loose::new(10));
        peer.write_all(&post(&format!("Content-Length: {bytes}\r\n"), b""))
            .unwrap();
        assert_eq!(
            begin(&mut incoming).is_ok(),
            fits,
            "{bytes}: no byte of it was sent"
        );
        assert!(!incoming.body_has_ended());

        let (mut incoming, mut peer) = pair(Loose::new(10));
        let chunks = "1\r\nx\r\n".repeat(bytes) + "0\r\n\r\n";
        peer.write_all(&post("Transfer-Encoding: chunked\r\n", chunks.as_bytes()))
            .unwrap();
        begin(&mut incoming).unwrap();
        let expected = if fits {
            Ok(vec![b'x'; bytes])
        } else {
            Err(Unreadable::Body(BodyError::TooLarge))
        };
        assert_eq!(read(&mut incoming), expected, "{bytes}");
        assert_eq!(incoming.body_has_ended(), fits, "{bytes}");
    }
}

#[test]
fn who_waits_for_100_continue_gets_it_when_the_body_is_read_and_only_then() {
    let waiting = post("Content-Length: 5\r\nExpect: 100-continue\r\n", b"");
    let (mut incoming, mut peer) = pair(Loose::new(5));
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

    let (mut incoming, mut peer) = pair(Loose::new(5));
    peer.write_all(&waiting).unwrap();
    begin(&mut incoming).unwrap();
    assert_eq!(end(&mut incoming), Ok(()));
    assert!(!incoming.body_has_ended(), "it was never asked for the body");
    assert_eq!(sent(incoming, peer), "");
}

#[test]
fn a_body_that_is_malformed_cut_off_or_late_is_the_end_of_the_connection() {
    let (mut incoming, mut peer) = pair(Loose::new(5));
    peer.write_all(&post("Transfer-Encoding: chunked\r\n", b"x\r\n"))
        .unwrap();
    begin(&mut incoming).unwrap();
    assert_eq!(read(&mut incoming), Err(Unreadable::Body(BodyError::Chunk)));
    assert!(!incoming.body_has_ended());

    let (mut incoming, mut peer) = pair(Loose::new(5));
    peer.write_all(&post("Content-Length: 5\r\n", b"hell")).unwrap();
    peer.shutdown(Shutdown::Write).unwrap();
    begin(&mut incoming).unwrap();
    assert_eq!(read(&mut incoming), Err(Unreadable::CutOff));
    assert!(!incoming.body_has_ended());

    let bounds = Loose {
        body_time: Duration::from_millis(20),
        ..Loose::new(5)
    };
    let (mut incoming, mut peer) = pair(bounds);
    peer.write_all(&post("Content-Length: 5\r\n", b"hell")).unwrap();
    begin(&mut incoming).unwrap();
    assert_eq!(read(&mut incoming), Err(Unreadable::Late));
    assert!(!incoming.body_has_ended());
    assert_eq!(Problem::from(Unreadable::Late).status, 408);
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
            let (mut incoming, mut peer) = pair(Loose::new(usize::MAX));
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
    let (mut incoming, mut peer) = pair(Loose::new(5));
    peer.write_all(&post("Transfer-Encoding: chunked\r\n", b"x\r\n"))
        .unwrap();
    begin(&mut incoming).unwrap();
    assert_eq!(end(&mut incoming), Err(BodyError::Chunk));
    assert!(!incoming.body_has_ended());
}

#[test]
fn a_body_counts_among_what_is_received_until_its_request_ends_and_pauses_past_the_bound() {
    const LARGE: usize = 1024 * 1024;
    let bounds = Loose {
        receiving: Receiving::new(LARGE),
        ..Loose::new(usize::MAX)
    };
    let (mut incoming, mut peer) = pair(bounds);
    let bounds = Arc::clone(&incoming.bounds);
    // A smaller message of somebody else, incomplete, leaves less room than the body wants.
    let other = 200 * 1024;
    bounds.note(999, 0, other);
    let request = post(&format!("Content-Length: {LARGE}\r\n"), &vec![b'x'; LARGE]);
    let body = std::thread::scope(|scope| {
        scope.spawn(move || peer.write_all(&request).unwrap());
        begin(&mut incoming).unwrap();
        let reader = scope.spawn(|| {
            let body = read(&mut incoming);
            (body, incoming)
        });
        while !bounds.must_pause(1, *bounds.most.lock().unwrap()) {
            std::thread::yield_now();
        }
        let paused_at = *bounds.most.lock().unwrap();
        assert!(
            (LARGE - other..=LARGE - other + 2 * BODY_READ_BYTES).contains(&paused_at),
            "{paused_at}"
        );
        assert!(!reader.is_finished());
        bounds.note(999, other, 0);
        reader.join().unwrap()
    });
    let (body, mut incoming) = body;
    assert_eq!(body.unwrap().len(), LARGE);
    bounds.note(999, 0, other);
    assert!(bounds.must_pause(998, LARGE), "the body still counts");
    end(&mut incoming).unwrap();
    bounds.note(999, other, 0);
    bounds.note(998, 0, LARGE);
    bounds.note(997, 0, 64 * 1024 - 1);
    assert!(!bounds.must_pause(998, LARGE), "and now it does not");
}

#[test]
fn an_answer_larger_than_the_buffers_of_the_sockets_arrives_whole() {
    let body: &'static [u8] = Vec::leak((0..16_u32 << 20).map(|n| (n / 251) as u8).collect());
    let response = Response::new(200).with_built_in("text/plain", body);
    let (incoming, mut peer) = pair(Loose::new(1));
    let reading = std::thread::spawn(move || {
        let mut received = Vec::new();
        peer.read_to_end(&mut received).unwrap();
        received
    });
    smol::block_on(incoming.answer(&response, Method::Get, Persistence::Close)).unwrap();
    drop(incoming);
    let head = response.encode_head(Persistence::Close);
    assert!(reading.join().unwrap() == [&head, body].concat());
}

#[test]
fn an_answer_may_take_longer_to_leave_where_waiting_costs_no_memory() {
    let page = Response::new(200).with_built_in("text/html", b"page");
    assert_eq!(time_for(&page), limits::PAGE_TIME_MAX);
    assert_eq!(time_for(&Response::text(200, "text")), limits::RESPONSE_TIME_MAX);
}
