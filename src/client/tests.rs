//! The client over sockets, against servers that do what they should not.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread::JoinHandle;
use std::time::Instant;

use super::*;

const LONG: Duration = Duration::from_secs(20);

/// Takes one connection, reads the head of a request and does `serve`; gives the head.
fn served(serve: impl FnOnce(&mut TcpStream) + Send + 'static) -> (SocketAddr, JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let serving = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut head = Vec::new();
        let mut byte = [0];
        while !head.ends_with(b"\r\n\r\n") && stream.read(&mut byte).unwrap() == 1 {
            head.push(byte[0]);
        }
        serve(&mut stream);
        String::from_utf8(head).unwrap()
    });
    (address, serving)
}

fn at(address: SocketAddr) -> Address {
    Address::parse(&format!("http://{address}/path?query=1")).unwrap()
}

fn get(address: &Address) -> Request<'_> {
    Request {
        verb: Verb::Get,
        address,
        fields: &[],
        body: b"",
    }
}

fn sent(request: Request<'_>, wanted: Wanted, time: Duration) -> Result<Answer, ClientError> {
    smol::block_on(Client::new(|_| true).send(request, wanted, time))
}

/// What a `GET` is answered by a server that says `answer`.
fn answered(answer: &'static [u8], wanted: Wanted) -> Result<Answer, ClientError> {
    let (address, serving) = served(move |stream| stream.write_all(answer).unwrap());
    let outcome = sent(get(&at(address)), wanted, LONG);
    serving.join().unwrap();
    outcome
}

fn body_of(answer: &'static [u8]) -> Result<String, ClientError> {
    let answer = answered(answer, Wanted::Body(10))?;
    Ok(String::from_utf8(answer.body).unwrap())
}

#[test]
fn a_request_is_sent_as_it_is_meant_and_its_answer_is_read() {
    let (address, serving) = served(|stream| {
        let mut body = [0; 4];
        stream.read_exact(&mut body).unwrap();
        assert_eq!(&body, b"ping");
        let answer = b"HTTP/1.1 201 Created\r\nRetry-After: 7\r\nContent-Length: 4\r\n\r\npong";
        stream.write_all(answer).unwrap();
    });
    let place = at(address);
    let request = Request {
        verb: Verb::Post,
        address: &place,
        fields: &[("X-Api-Key", "secret")],
        body: b"ping",
    };
    let answer = sent(request, Wanted::Body(4), LONG).unwrap();
    assert_eq!((answer.status, answer.body.as_slice()), (201, b"pong".as_slice()));
    assert_eq!(
        (answer.field("retry-after"), answer.field("x")),
        (Some("7"), None)
    );
    let head = serving.join().unwrap();
    let expected = format!("POST /path?query=1 HTTP/1.1\r\nHost: {address}\r\nUser-Agent: boardwire/");
    assert!(head.starts_with(&expected), "{head}");
    assert!(head.ends_with("Connection: close\r\nContent-Length: 4\r\nX-Api-Key: secret\r\n\r\n"));
}

#[test]
fn a_body_comes_by_length_in_chunks_or_until_the_end_and_has_its_bound() {
    for (answer, body) in [
        (
            &b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n0123456789"[..],
            "0123456789",
        ),
        (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\n0123\r\n6\r\n456789\r\n0\r\n\r\n",
            "0123456789",
        ),
        (b"HTTP/1.0 200 OK\r\n\r\n0123456789", "0123456789"),
        (
            b"HTTP/1.1 103 Early\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n7",
            "7",
        ),
        (b"HTTP/1.1 204 No Content\r\n\r\n", ""),
    ] {
        assert_eq!(body_of(answer).as_deref(), Ok(body));
    }
    for answer in [
        &b"HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\n01234567890"[..],
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nb\r\n01234567890\r\n0\r\n\r\n",
        b"HTTP/1.0 200 OK\r\n\r\n01234567890",
    ] {
        assert_eq!(body_of(answer), Err(ClientError::TooLarge));
    }
    let cut = body_of(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n0123");
    assert_eq!(cut, Err(ClientError::Ended(ErrorKind::UnexpectedEof)));
    let nothing = body_of(b"");
    assert_eq!(nothing, Err(ClientError::Ended(ErrorKind::UnexpectedEof)));
    for nonsense in [
        &b"SSH-2.0-OpenSSH\r\n"[..],
        b"HTTP/1.1 101 Switching\r\n\r\n",
        b"\0\0\0",
    ] {
        assert_eq!(body_of(nonsense), Err(ClientError::NotHttp));
    }
}

#[test]
fn a_redirect_is_an_answer_and_is_not_followed() {
    let answer = b"HTTP/1.1 307 Elsewhere\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n";
    let answer = answered(answer, Wanted::Body(0)).unwrap();
    assert_eq!(
        (answer.status, answer.field("location")),
        (307, Some("http://127.0.0.1:1/"))
    );
}

#[test]
fn a_head_of_an_answer_is_at_most_16_kib_long() {
    let with = |bytes: usize| {
        let (address, serving) = served(move |stream| {
            let (start, end) = ("HTTP/1.1 200 OK\r\na: ", "\r\n\r\n");
            let filler = "x".repeat(bytes - start.len() - end.len());
            // It may hang up before it has all.
            drop(stream.write_all(format!("{start}{filler}{end}").as_bytes()));
        });
        let outcome = sent(get(&at(address)), Wanted::Head, LONG);
        serving.join().unwrap();
        outcome.map(|answer| answer.status)
    };
    let max = limits::CLIENT_HEAD_BYTES_MAX;
    assert_eq!((with(max - 1), with(max)), (Ok(200), Ok(200)));
    assert_eq!(with(max + 1), Err(ClientError::TooLarge));
}

#[test]
fn who_wants_a_head_takes_no_more_of_an_endless_answer() {
    let (address, serving) = served(|stream| {
        stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").unwrap();
        while stream.write_all(&[b'x'; 65_536]).is_ok() {}
    });
    let answer = sent(get(&at(address)), Wanted::Head, LONG).unwrap();
    assert_eq!((answer.status, answer.body.len()), (200, 0));
    // It ends since nobody takes it.
    serving.join().unwrap();
}

#[test]
fn who_hangs_or_drips_is_given_up_at_the_deadline() {
    let hangs = served(|stream| drop(stream.read(&mut [0])));
    let drips = served(|stream| {
        while stream.write_all(b"H").is_ok() {
            std::thread::sleep(Duration::from_millis(10));
        }
    });
    for (address, serving) in [hangs, drips] {
        let began = Instant::now();
        let time = Duration::from_millis(200);
        let outcome = sent(get(&at(address)), Wanted::Head, time);
        // What drips stops being HTTP early.
        assert!(matches!(outcome, Err(ClientError::TimedOut)), "{outcome:?}");
        assert!(began.elapsed() >= time && began.elapsed() < LONG);
        serving.join().unwrap();
    }
}

#[test]
fn who_refuses_a_large_body_early_is_understood() {
    let (address, serving) = served(|stream| {
        let answer = b"HTTP/1.1 413 Too large\r\nContent-Length: 0\r\n\r\n";
        stream.write_all(answer).unwrap();
        // It reads nothing of the body, until the other side has gone.
        while stream.write_all(b"x").is_ok() {
            std::thread::sleep(Duration::from_millis(5));
        }
    });
    let place = at(address);
    let body = vec![b'x'; 1_000_000];
    let request = Request {
        verb: Verb::Post,
        body: &body,
        ..get(&place)
    };
    assert_eq!(
        sent(request, Wanted::Head, LONG).map(|answer| answer.status),
        Ok(413)
    );
    serving.join().unwrap();
}

#[test]
fn no_address_is_connected_to_that_was_not_allowed() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let port = listener.local_addr().unwrap().port();
    let client = Client::new(is_public);
    for host in [
        "127.0.0.1",
        "localhost",
        "localhost.",
        "0x7f000001",
        "[::ffff:127.0.0.1]",
        "[::1]",
        "0.0.0.0",
    ] {
        let place = Address::parse(&format!("http://{host}:{port}/")).unwrap();
        let outcome = smol::block_on(client.send(get(&place), Wanted::Head, LONG));
        assert_eq!(outcome, Err(ClientError::NotAllowed), "{host}");
    }
    assert_eq!(listener.accept().unwrap_err().kind(), ErrorKind::WouldBlock);
    let nowhere = Address::parse("http://nobody.invalid/").unwrap();
    assert_eq!(
        sent(get(&nowhere), Wanted::Head, LONG),
        Err(ClientError::NoAddress)
    );
    drop(listener);
    let free = Address::parse(&format!("http://127.0.0.1:{port}/")).unwrap();
    let refused = Err(ClientError::Connect(ErrorKind::ConnectionRefused));
    assert_eq!(sent(get(&free), Wanted::Head, LONG), refused);
}

#[test]
fn a_field_cannot_hold_what_would_be_another() {
    let place = Address::parse("http://127.0.0.1:1/").unwrap();
    for field in [
        ("a", "b\r\nc: d"),
        ("a\r\n", "b"),
        ("", "b"),
        ("a b", "c"),
        ("a", "\u{e4}"),
        ("a", "\0"),
    ] {
        let request = Request {
            fields: &[field],
            ..get(&place)
        };
        assert_eq!(
            sent(request, Wanted::Head, LONG),
            Err(ClientError::Field),
            "{field:?}"
        );
    }
}

#[cfg(feature = "tls")]
#[test]
fn what_does_not_speak_tls_is_told_from_what_is_not_trusted() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let place = Address::parse(&format!("https://{}/", listener.local_addr().unwrap())).unwrap();
    let serving = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        stream.write_all(b"HTTP/1.1 400 No\r\n\r\n").unwrap();
        drop(stream.read(&mut [0; 4096]));
    });
    let outcome = sent(get(&place), Wanted::Head, LONG);
    // Where this machine trusts nobody, nobody is asked.
    if outcome != Err(ClientError::NoAuthorities) {
        assert_eq!(outcome, Err(ClientError::Handshake));
        serving.join().unwrap();
    }
}

#[cfg(not(feature = "tls"))]
#[test]
fn without_tls_https_is_refused_in_words() {
    let place = Address::parse("https://127.0.0.1:1/").unwrap();
    let outcome = sent(get(&place), Wanted::Head, LONG);
    assert_eq!(outcome, Err(ClientError::NoTls));
}
