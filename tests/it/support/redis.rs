//! A real Redis of the test's own, and servers that only pretend to be one.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use tempfile::TempDir;

use super::{SOON, free_port, until};

/// A redis-server process, on a port and in a directory of its own; killed when dropped.
pub(crate) struct Redis {
    child: Child,
    port: u16,
    password: Option<String>,
    _place: TempDir,
}

impl Redis {
    /// On any port.
    #[track_caller]
    pub(crate) fn start() -> Self {
        Self::start_on(free_port(), None)
    }

    /// On this port, perhaps with a password.
    #[track_caller]
    pub(crate) fn start_on(port: u16, password: Option<&str>) -> Self {
        let place = tempfile::tempdir().unwrap();
        let mut command = Command::new("redis-server");
        command.args(["--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]);
        command
            .arg("--port")
            .arg(port.to_string())
            .arg("--dir")
            .arg(place.path());
        if let Some(password) = password {
            command.args(["--requirepass", password]);
        }
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).spawn();
        let child = child.expect("redis-server is needed by this test: apt-get install redis-server");
        let redis = Self {
            child,
            port,
            password: password.map(str::to_owned),
            _place: place,
        };
        until(SOON, || redis.client().get_connection().is_ok());
        redis
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// What `--redis` has to be.
    pub(crate) fn url(&self) -> String {
        match &self.password {
            Some(password) => format!("redis://:{password}@127.0.0.1:{}", self.port),
            None => format!("redis://127.0.0.1:{}", self.port),
        }
    }

    fn client(&self) -> redis::Client {
        redis::Client::open(self.url()).unwrap()
    }

    /// A connection of another service.
    #[track_caller]
    pub(crate) fn connect(&self) -> redis::Connection {
        let connection = self.client().get_connection().unwrap();
        connection.set_read_timeout(Some(SOON)).unwrap();
        connection
    }

    /// Publishes as another service; gives how many got it.
    #[track_caller]
    pub(crate) fn publish(&self, channel: &str, payload: impl AsRef<[u8]>) -> usize {
        let mut publish = redis::cmd("PUBLISH");
        publish.arg(channel).arg(payload.as_ref());
        publish.query(&mut self.connect()).unwrap()
    }

    /// Stops answering, with all connections open, until [`Self::thaw`].
    pub(crate) fn freeze(&self) {
        self.signal("-STOP");
    }

    /// Goes on.
    pub(crate) fn thaw(&self) {
        self.signal("-CONT");
    }

    fn signal(&self, signal: &str) {
        let sent = Command::new("kill")
            .args([signal, &self.child.id().to_string()])
            .status();
        assert!(sent.unwrap().success(), "kill {signal}");
    }

    /// Ends it with SIGKILL; gives its port.
    pub(crate) fn kill(mut self) -> u16 {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        self.port
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What a fake server does with each connection.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Fake {
    /// Reads nothing and says nothing.
    Silent,
    /// Ends it.
    Closing,
    /// Answers as a web server.
    Nonsense,
    /// Answers whatever comes with this, and then nothing more.
    Saying(&'static [u8]),
    /// Announces a length that nobody has, and sends without end.
    Endless,
    /// Behaves until something is subscribed to, and stops in the middle of a message.
    Stalling,
}

/// Listens until the process ends; counts connections.
pub(crate) fn fake(fake: Fake) -> (u16, Arc<AtomicUsize>) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    let count = Arc::new(AtomicUsize::new(0));
    let accepted = Arc::clone(&count);
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            accepted.fetch_add(1, Ordering::Relaxed);
            thread::spawn(move || serve(fake, stream));
        }
    });
    (port, count)
}

/// The other end may go at any time.
fn serve(fake: Fake, mut stream: TcpStream) {
    stream.set_read_timeout(Some(2 * SOON)).unwrap();
    match fake {
        Fake::Silent => thread::sleep(4 * SOON),
        Fake::Closing => {}
        Fake::Nonsense => answer_all(&mut stream, b"HTTP/1.1 400 Bad Request\r\n\r\n"),
        Fake::Saying(words) => answer_all(&mut stream, words),
        Fake::Endless => {
            let sent = stream.write_all(b"$999999999999\r\n");
            let chunk = [b'x'; 64 * 1024];
            let mut left = 100_000;
            while sent.is_ok() && left > 0 && stream.write_all(&chunk).is_ok() {
                left -= 1;
            }
        }
        Fake::Stalling => {
            let mut received = Vec::new();
            let mut buffer = [0; 4_096];
            while let Ok(length @ 1..) = stream.read(&mut buffer) {
                received.extend_from_slice(&buffer[..length]);
                let words: &[u8] = if received.ends_with(b"board:*:updates\r\n") {
                    b"*3\r\n$10\r\npsubscribe\r\n$15\r\nboard:*:updates\r\n:1\r\n*4\r\n$8\r\npmess"
                } else if received.ends_with(b"PING\r\n") && received.len() < 20 {
                    b"+PONG\r\n"
                } else {
                    b""
                };
                if stream.write_all(words).is_err() {
                    break;
                }
            }
        }
    }
}

fn answer_all(stream: &mut TcpStream, words: &[u8]) {
    let mut buffer = [0; 4_096];
    if let Ok(1..) = stream.read(&mut buffer)
        && stream.write_all(words).is_ok()
    {
        while let Ok(1..) = stream.read(&mut buffer) {}
    }
    thread::sleep(Duration::from_millis(1));
}
