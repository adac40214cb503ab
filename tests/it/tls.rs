//! TLS in the server: both versions, what boards need over it, and what strangers may cost.

use std::fs;
use std::io::{ErrorKind, Read as _, Write as _};
use std::net::TcpStream;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use boardwire::limits;
use futures_rustls::rustls::ProtocolVersion;
use futures_rustls::rustls::version::{TLS12, TLS13};

use crate::support::client::{Client, converge};
use crate::support::http::{Http, request};
use crate::support::server::{Server, Setup};
use crate::support::socket::{Event, Socket, path};
use crate::support::tls::{Certificate, connect, trusting, tunnel};
use crate::support::tokens::{SECRET, editor};
use crate::support::{SOON, until, wire};

const BOTH: &[&futures_rustls::rustls::SupportedProtocolVersion] = &[&TLS12, &TLS13];

/// A client of `board` through a tunnel.
fn join(tunnel: std::net::SocketAddr, board: &str, id: u64) -> Client {
    let mut client = Client::offline(id);
    client.connect(tunnel, &path(board, &editor(&format!("user-{id}"), board)));
    client.sync();
    client
}

/// What a plain `GET` through a tunnel says.
fn get(tunnel: std::net::SocketAddr, target: &str) -> String {
    let answer = Http::connect(tunnel).request("GET", target, &[]);
    assert_eq!(answer.status, 200);
    String::from_utf8(answer.body).unwrap()
}

/// How many handshakes of `server` ended so.
fn handshakes(tunnel: std::net::SocketAddr, outcome: &str) -> u64 {
    let text = get(tunnel, "/metrics");
    let name = format!("boardwire_tls_handshakes_total{{outcome=\"{outcome}\"}} ");
    let line = text.lines().find_map(|line| line.strip_prefix(&name));
    line.unwrap_or_else(|| panic!("no {name}")).parse().unwrap()
}

/// Runs the binary with these arguments; exit code, and what it said.
fn run(arguments: &[&str]) -> (Option<i32>, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_boardwire"));
    command
        .env_clear()
        .env("BOARDWIRE_JWT_SECRET", SECRET)
        .args(arguments);
    let output = command.output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

#[test]
fn both_versions_and_kinds_of_keys_sync_two_clients_and_a_large_board() {
    for (certificate, version, name) in [
        (Certificate::new(), &TLS13, ProtocolVersion::TLSv1_3),
        (Certificate::of_rsa(), &TLS12, ProtocolVersion::TLSv1_2),
    ] {
        let server = certificate.shown_by(Setup::new()).start();
        let trust = || trusting(&certificate.certificate(), &[version]);
        smol::block_on(async {
            let stream = connect(server.address(), &Arc::new(trust())).await.unwrap();
            let session = stream.get_ref().1;
            assert_eq!(session.protocol_version(), Some(name));
            assert_eq!(
                session.alpn_protocol(),
                Some(&b"http/1.1"[..]),
                "h2 was offered first"
            );
        });
        let tunnel = tunnel(server.address(), trust());
        let (mut one, mut two) = (join(tunnel, "b", 1), join(tunnel, "b", 2));
        for round in 0..20 {
            one.set(&format!("one-{round}"), "a");
            two.write(0, "b");
        }
        // Several MiB up, to the other, and to who joins.
        for piece in 0..6 {
            one.set(&format!("large-{piece}"), &"x".repeat(1 << 20));
        }
        let mut all = [one, two];
        converge(&mut all);
        let [one, _two] = all;
        let third = join(tunnel, "b", 3);
        assert_eq!(third.content().map, one.content().map);
        assert_eq!(handshakes(tunnel, "done"), 5, "what was opened above, and this");
        server.stop();
    }
}

#[test]
fn an_editor_who_does_not_read_is_dropped_and_delays_nobody() {
    let certificate = Certificate::new();
    let server = certificate
        .shown_by(Setup::new().flag("max-outbox-bytes", "256KiB"))
        .start();
    let tunnel = tunnel(server.address(), trusting(&certificate.certificate(), BOTH));
    let (mut writer, mut reader) = (join(tunnel, "b", 1), join(tunnel, "b", 2));
    let mut slow = join(tunnel, "b", 3);
    let words = "x".repeat(16 * 1024);
    let mut written = 0;
    until(4 * SOON, || {
        // The slow one reads nothing: the buffers of kernels and tunnel fill first, then the outbox.
        for _ in 0..8 {
            written += 1;
            writer.set(&format!("key-{}", written % 50), &format!("{written} {words}"));
        }
        writer.save();
        until(SOON, || {
            reader.poll();
            assert_eq!(reader.closed, None);
            reader.content().map == writer.content().map
        });
        server.log().contains("too slow")
    });
    assert_eq!(writer.closed, None);
    until(SOON, || !slow.poll());
    slow.reconnect(tunnel);
    converge(&mut [writer, reader, slow]);
}

#[test]
fn half_done_handshakes_end_in_time_and_are_counted() {
    let certificate = Certificate::new();
    let server = certificate.shown_by(Setup::new()).start();
    let tunnel = tunnel(server.address(), trusting(&certificate.certificate(), BOTH));
    let open = |bytes: &[u8]| {
        let mut stream = TcpStream::connect(server.address()).unwrap();
        stream.set_read_timeout(Some(SOON)).unwrap();
        stream.write_all(bytes).unwrap();
        stream
    };
    let began = Instant::now();
    // Nothing, the head of a record, and a record that is not whole.
    let mut idle = [&b""[..], &[22, 3, 1], &[22, 3, 1, 2, 0, 1, 0, 1]].map(open);
    // No TLS that there is: it is told so by an alert, or cut.
    let mut wrong = open(&[22, 3, 1, 0, 5, 1, 0, 0, 1, 0]);
    let mut said = Vec::new();
    wrong.read_to_end(&mut said).unwrap_or_default();
    assert!(said.is_empty() || said[0] == 21, "{said:?}");
    // More than a handshake has, in a message that never ends.
    let mut long = open(&[]);
    let mut sent = 0;
    let mut record = vec![22, 3, 1, 0x40, 0, 1, 0, 0xff, 0xff];
    record.resize(5 + 0x4000, 0);
    while let Ok(more) = long.write(&record) {
        sent += more;
        assert!(
            began.elapsed() < limits::TLS_HANDSHAKE_TIME_MAX,
            "{sent} bytes were taken"
        );
        std::thread::sleep(Duration::from_millis(1));
        record[5..9].fill(0);
    }
    for stream in &mut idle {
        assert_eq!(stream.read(&mut [0; 9]).unwrap(), 0, "it is cut, without a word");
    }
    let took = began.elapsed();
    assert!(
        took >= limits::TLS_HANDSHAKE_TIME_MAX - Duration::from_millis(100),
        "{took:?}"
    );
    assert!(
        took < limits::TLS_HANDSHAKE_TIME_MAX + Duration::from_secs(10),
        "{took:?}"
    );
    until(SOON, || handshakes(tunnel, "late") == 3);
    assert_eq!((handshakes(tunnel, "failed"), handshakes(tunnel, "cut")), (2, 0));
}

#[test]
fn past_the_bound_the_handshake_that_began_first_is_cut() {
    let certificate = Certificate::new();
    let server = certificate.shown_by(Setup::new()).start();
    let tunnel = tunnel(server.address(), trusting(&certificate.certificate(), BOTH));
    let is_cut = |stream: &TcpStream| {
        stream.set_nonblocking(true).unwrap();
        match (&*stream).read(&mut [0]) {
            Ok(read) => read == 0,
            Err(error) => error.kind() != ErrorKind::WouldBlock,
        }
    };
    let began = Instant::now();
    let half: Vec<_> = (0..limits::TLS_HANDSHAKES_MAX)
        .map(|_| TcpStream::connect(server.address()).unwrap())
        .collect();
    // Who comes gets in all the same; each of these two cuts one.
    assert_eq!(handshakes(tunnel, "done"), 1);
    until(SOON, || handshakes(tunnel, "cut") >= 1);
    let took = began.elapsed();
    assert!(
        took < limits::TLS_HANDSHAKE_TIME_MAX,
        "{took:?}: nothing was late"
    );
    assert!(is_cut(&half[0]) && !is_cut(&half[limits::TLS_HANDSHAKES_MAX / 2]));
}

#[test]
fn who_speaks_plain_http_is_told_to_use_https() {
    let certificate = Certificate::new();
    let server = certificate.shown_by(Setup::new()).start();
    for _ in 0..3 {
        let mut http = Http::connect(server.address());
        let answer = http.request("GET", "/health", &[]);
        let hint = String::from_utf8(answer.body.clone()).unwrap();
        assert!(answer.status == 400 && hint.contains("https://"), "{answer:?}");
        assert!(http.is_closed());
    }
    let tunnel = tunnel(server.address(), trusting(&certificate.certificate(), BOTH));
    until(SOON, || handshakes(tunnel, "plain") == 3);
    let told = server.log().matches("refused connections without TLS").count();
    assert_eq!(told, 1, "{}", server.log());
}

#[test]
fn a_new_certificate_is_taken_up_and_open_connections_stay() {
    let (certificate, other) = (Certificate::new(), Certificate::of_rsa());
    let first = trusting(&certificate.certificate(), BOTH);
    let second = trusting(&other.certificate(), BOTH);
    let server = certificate.shown_by(Setup::new()).start();
    let mut stays = join(tunnel(server.address(), first.clone()), "b", 1);
    let shows = |config: &futures_rustls::rustls::ClientConfig| {
        smol::block_on(connect(server.address(), &Arc::new(config.clone()))).is_ok()
    };
    assert!(shows(&first) && !shows(&second));

    // A key that does not fit changes nothing, and is told once.
    fs::copy(other.key(), certificate.key()).unwrap();
    until(SOON, || {
        server.log().contains("is not the key of the first certificate")
    });
    assert!(shows(&first));

    certificate.replace_by(&other);
    until(SOON, || shows(&second));
    until(SOON, || server.log().contains("a new certificate was taken up"));
    assert!(!shows(&first));
    stays.set("still", "here");
    stays.save();
    assert_eq!(server.log().matches("is of no use; the one before").count(), 1);
}

#[test]
fn files_that_are_of_no_use_are_told_in_one_line() {
    let (certificate, other) = (Certificate::new(), Certificate::of_rsa());
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().join("boards.redb").display().to_string();
    let nothing = directory.path().join("nothing.pem");
    fs::write(&nothing, "nothing\n").unwrap();
    let text = |path: std::path::PathBuf| path.display().to_string();
    let (cert, key) = (text(certificate.certificate()), text(certificate.key()));
    let (empty, missing) = (text(nothing), text(directory.path().join("missing.pem")));
    for (cert, key, code, says) in [
        (
            Some(&cert),
            None,
            2,
            "--tls-key is missing; expected the file of the key",
        ),
        (
            None,
            Some(&key),
            2,
            "--tls-cert is missing; expected the file of the certificate",
        ),
        (
            Some(&missing),
            Some(&key),
            1,
            "missing.pem: there is no such file",
        ),
        (
            Some(&empty),
            Some(&key),
            1,
            "nothing.pem has no certificate; expected PEM",
        ),
        (
            Some(&cert),
            Some(&empty),
            1,
            "nothing.pem has no private key; expected PEM",
        ),
        (
            Some(&cert),
            Some(&text(other.key())),
            1,
            "is not the key of the first certificate in",
        ),
    ] {
        let mut arguments = vec!["serve", "--listen", "127.0.0.1:0", "--data", &data];
        cert.iter()
            .for_each(|cert| arguments.extend(["--tls-cert", cert]));
        key.iter().for_each(|key| arguments.extend(["--tls-key", key]));
        let (ended, _, said) = run(&arguments);
        assert_eq!(ended, Some(code), "{said}");
        assert!(said.contains(says) && said.lines().count() == 1, "{said}");
        assert!(!fs::exists(&data).unwrap(), "nothing is made");
    }
    let expired = Certificate::expired().shown_by(Setup::new()).start();
    assert!(expired.log().contains("has expired"), "{}", expired.log());
}

#[test]
fn commands_on_this_machine_know_the_server_by_its_certificate() {
    let (certificate, other) = (Certificate::new(), Certificate::new());
    let server = certificate.shown_by(Setup::new()).start();
    let listen = server.address().to_string();
    let tunnel = tunnel(server.address(), trusting(&certificate.certificate(), BOTH));
    join(tunnel, "b", 1);
    let shown = certificate.certificate().display().to_string();
    let own = ["--listen", &listen, "--tls-cert", &shown];
    let (code, said, _) = run(&[&["health"][..], &own].concat());
    assert_eq!(code, Some(0), "{said}");
    let data = server.place().data().display().to_string();
    let (code, said, wrong) = run(&[&["board", "list", "--data", &data][..], &own].concat());
    assert!(code == Some(0) && said.contains('b'), "{said}{wrong}");
    let (code, link, _) = run(&[&["invite", "Alice"][..], &own].concat());
    assert!(
        code == Some(0) && link.starts_with(&format!("https://{listen}/")),
        "{link}"
    );

    let others = other.certificate().display().to_string();
    let (code, _, wrong) = run(&["health", "--listen", &listen, "--tls-cert", &others]);
    assert!(
        code == Some(1) && wrong.contains("is not that of --tls-cert"),
        "{wrong}"
    );
    let (code, _, wrong) = run(&["health", "--listen", &listen]);
    assert!(
        code == Some(1) && wrong.contains("400") && wrong.contains("https://"),
        "{wrong}"
    );
}

#[test]
fn the_cookie_of_a_session_goes_over_tls_only() {
    let certificate = Certificate::new();
    let server = certificate.shown_by(Setup::new()).start();
    let tunnel = tunnel(server.address(), trusting(&certificate.certificate(), BOTH));
    let mut http = Http::connect(tunnel);
    http.send(request(
        "DELETE",
        "/v1/session",
        &[("Origin", "https://boards.test")],
    ));
    let answer = http.answer("DELETE");
    let cookie = answer.field("set-cookie").unwrap_or_default();
    assert!(cookie.contains("; Secure"), "{answer:?}");
}

/// A pong comes in the middle of a large message, and the end of the TLS stream is told.
#[test]
fn control_frames_and_the_end_are_in_order() {
    let certificate = Certificate::new();
    let server: Server = certificate.shown_by(Setup::new()).start();
    let tunnel = tunnel(server.address(), trusting(&certificate.certificate(), BOTH));
    let mut writer = join(tunnel, "b", 1);
    for piece in 0..3 {
        writer.set(&format!("large-{piece}"), &"x".repeat(1 << 20));
    }
    writer.save();
    let mut socket = Socket::open(tunnel, &path("b", &editor("bob", "b")));
    socket.send(&wire::step_1(&[0]));
    socket.flush();
    server.terminate();
    let (code, _) = socket.closed();
    assert_eq!(code, 1001);
    assert_eq!(socket.poll(), Some(Event::End));
}
