//! Test support: a way to the database that is cut after so many answers.
//!
//! Owns [`Proxy`]. What the server says is counted by its messages that end something: a statement, or the
//! waiting for one. A cut takes the whole connection, and what the server was told before is done there.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

/// What was committed, and that the next statement may come.
const COUNTED: [u8; 2] = [b'C', b'Z'];

/// How many more messages go through; `None`: all.
type Countdown = Arc<Mutex<Option<u64>>>;

/// A port that leads to another one.
pub(crate) struct Proxy {
    port: u16,
    countdown: Countdown,
}

impl Proxy {
    pub(crate) fn to(port: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let proxy = Self {
            port: listener.local_addr().unwrap().port(),
            countdown: Countdown::default(),
        };
        let countdown = Arc::clone(&proxy.countdown);
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let server = TcpStream::connect(("127.0.0.1", port));
                if let (Ok(server), false) = (server, *countdown.lock().unwrap() == Some(0)) {
                    between(client, server, Arc::clone(&countdown));
                }
            }
        });
        proxy
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Lets so many more messages through, and then cuts each connection.
    pub(crate) fn cut_after(&self, count: Option<u64>) {
        *self.countdown.lock().unwrap() = count;
    }
}

fn between(client: TcpStream, server: TcpStream, countdown: Countdown) {
    client.set_nodelay(true).unwrap();
    server.set_nodelay(true).unwrap();
    let (mut from, mut to) = (client.try_clone().unwrap(), server.try_clone().unwrap());
    thread::spawn(move || {
        let _ended = std::io::copy(&mut from, &mut to);
        drop((from.shutdown(Shutdown::Both), to.shutdown(Shutdown::Both)));
    });
    thread::spawn(move || {
        let (mut client, mut server) = (client, server);
        while let Some(message) = next(&mut server) {
            if COUNTED.contains(&message[0]) {
                match &mut *countdown.lock().unwrap() {
                    Some(0) => break,
                    Some(left) => *left -= 1,
                    None => {}
                }
            }
            if client.write_all(&message).is_err() {
                break;
            }
        }
        drop((client.shutdown(Shutdown::Both), server.shutdown(Shutdown::Both)));
    });
}

/// One message: its kind, its length, and the rest.
fn next(server: &mut TcpStream) -> Option<Vec<u8>> {
    let mut head = [0; 5];
    server.read_exact(&mut head).ok()?;
    let length = u32::from_be_bytes(head[1..].try_into().unwrap());
    let mut message = head.to_vec();
    message.resize(length as usize + 1, 0);
    server.read_exact(&mut message[5..]).ok()?;
    Some(message)
}
