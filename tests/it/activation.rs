//! A socket that is handed over, as systemd does: who connects while no server runs is served by the next.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use crate::support::http::request;
use crate::support::server::Place;
use crate::support::tokens::SECRET;
use crate::support::{SOON, until};

/// Puts the socket on descriptor 3, says whose it is, and becomes the server.
const HAND_OVER: &str = "exec 3<&0 </dev/null; export LISTEN_FDS=1 LISTEN_PID=$$; exec \"$0\" \"$@\"";

/// A server on a socket of ours; its log lines come over its standard error.
fn start(listener: &TcpListener, place: &Place, hand_over: &str) -> Child {
    let socket = OwnedFd::from(listener.try_clone().unwrap());
    Command::new("/bin/sh")
        .args(["-c", hand_over, env!("CARGO_BIN_EXE_boardwire")])
        .args(["serve", "--log-format=json", "--listen=127.0.0.1:0"])
        .arg(format!("--data={}", place.data().display()))
        .env("BOARDWIRE_JWT_SECRET", SECRET)
        .stdin(Stdio::from(socket))
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

/// Waits until it listens; where.
fn listens(server: &mut Child) -> String {
    let lines = BufReader::new(server.stderr.take().unwrap()).lines();
    let mut lines = lines.map(Result::unwrap);
    let line = lines
        .find(|line| line.contains(r#""listening""#))
        .expect("it listens");
    // What it says after that must not hold it up.
    std::thread::spawn(move || lines.for_each(drop));
    let (_, rest) = line.split_once(r#""listen":""#).unwrap();
    rest.split_once('"').unwrap().0.to_owned()
}

fn stop(mut server: Child) {
    let id = server.id().to_string();
    assert!(
        Command::new("kill")
            .args(["-TERM", &id])
            .status()
            .unwrap()
            .success()
    );
    assert_eq!(server.wait().unwrap().code(), Some(0));
}

/// One request on a connection of its own, which nobody refuses; the start of the answer.
fn ask(address: SocketAddr) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(SOON))?;
    stream.write_all(request("GET", "/health", &[("Connection", "close")]).as_bytes())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

#[test]
fn no_connection_is_refused_or_lost_while_one_server_follows_another() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let place = Place::new();
    let (over, asked) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let clients: Vec<_> = (0..4)
        .map(|_| {
            let (over, asked) = (Arc::clone(&over), Arc::clone(&asked));
            std::thread::spawn(move || {
                while !over.load(Ordering::Relaxed) {
                    let answer = ask(address).expect("nobody is refused or cut off");
                    // A server that stops says so, to who was in before.
                    assert!(
                        answer.starts_with("HTTP/1.1 200") || answer.starts_with("HTTP/1.1 503"),
                        "{answer:?}"
                    );
                    asked.fetch_add(1, Ordering::Relaxed);
                }
            })
        })
        .collect();
    for _ in 0..3 {
        let mut server = start(&listener, &place, HAND_OVER);
        assert_eq!(
            listens(&mut server),
            address.to_string(),
            "--listen does not count"
        );
        let before = asked.load(Ordering::Relaxed);
        until(SOON, || asked.load(Ordering::Relaxed) > before + 20);
        stop(server);
        // Nobody serves for a while, and who comes waits.
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
    let mut last = start(&listener, &place, HAND_OVER);
    listens(&mut last);
    over.store(true, Ordering::Relaxed);
    for client in clients {
        client.join().unwrap();
    }
    stop(last);
}

#[test]
fn what_was_handed_to_another_process_is_left_alone() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    for other in [
        "LISTEN_FDS=1 LISTEN_PID=1",
        "LISTEN_FDS=1",
        "LISTEN_FDS=0 LISTEN_PID=$$",
    ] {
        let hand_over = HAND_OVER.replace("LISTEN_FDS=1 LISTEN_PID=$$", other);
        let place = Place::new();
        let mut server = start(&listener, &place, &hand_over);
        assert_ne!(listens(&mut server), address, "{other}");
        stop(server);
    }
}

#[test]
fn what_is_no_single_tcp_socket_is_told() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    for (hand_over, says) in [
        (HAND_OVER.replace("FDS=1", "FDS=2"), "2 sockets were handed over"),
        (HAND_OVER.replace("3<&0", "3</dev/null"), "fd 3 is not a socket"),
    ] {
        let place = Place::new();
        let server = start(&listener, &place, &hand_over);
        let output = server.wait_with_output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.code() == Some(1) && said.contains(says), "{said}");
    }
}
