//! A plain HTTP/1.1 client on one socket: sends what it is given, reads answers.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};

use super::SOON;

/// One answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// Names in lower case.
    pub(crate) fields: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    /// The value of a field.
    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        self.fields
            .iter()
            .find(|(field, _)| field == name)
            .map(|(_, value)| value.as_str())
    }

    /// The body as JSON.
    #[track_caller]
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).expect("a JSON body")
    }
}

/// A connection that may carry several requests.
pub(crate) struct Http {
    pub(crate) stream: TcpStream,
    pub(crate) received: Vec<u8>,
}

impl Http {
    pub(crate) fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(SOON)).unwrap();
        stream.set_nodelay(true).unwrap();
        Self {
            stream,
            received: Vec::new(),
        }
    }

    /// Sends bytes as they are.
    pub(crate) fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream.write_all(bytes.as_ref()).unwrap();
    }

    /// Sends a request without body, and reads its answer.
    #[track_caller]
    pub(crate) fn request(&mut self, method: &str, target: &str, fields: &[(&str, &str)]) -> Answer {
        self.send(request(method, target, fields));
        self.answer(method)
    }

    /// Reads one answer to a request with `method`.
    #[track_caller]
    pub(crate) fn answer(&mut self, method: &str) -> Answer {
        let (status, fields) = self.head();
        let find = |name: &str| {
            fields
                .iter()
                .find(|(field, _)| field == name)
                .map(|(_, value)| value.clone())
        };
        let length = match find("content-length") {
            Some(length) if method != "HEAD" => length.parse().unwrap(),
            _ => 0,
        };
        while self.received.len() < length {
            assert!(self.receive(), "the answer's body is cut off");
        }
        let body = self.received.drain(..length).collect();
        let answer = Answer { status, fields, body };
        if status != 101 {
            // Whatever any test asks for, and however it is refused.
            assert_eq!(
                answer.field("x-content-type-options"),
                Some("nosniff"),
                "{answer:?}"
            );
            assert!(answer.field("content-security-policy").is_some(), "{answer:?}");
        }
        answer
    }

    /// Reads a response head: status and fields.
    #[track_caller]
    pub(crate) fn head(&mut self) -> (u16, Vec<(String, String)>) {
        let end = loop {
            if let Some(at) = self.received.windows(4).position(|w| w == b"\r\n\r\n") {
                break at;
            }
            assert!(
                self.receive(),
                "no answer: {:?}",
                String::from_utf8_lossy(&self.received)
            );
        };
        let head = String::from_utf8(self.received.drain(..end + 4).collect()).unwrap();
        let mut lines = head.trim_end().split("\r\n");
        let line = lines.next().unwrap();
        let status = line
            .strip_prefix("HTTP/1.1 ")
            .expect("a status line")
            .get(..3)
            .unwrap()
            .parse()
            .unwrap();
        let field = |line: &str| {
            let (name, value) = line.split_once(": ").expect("a field");
            (name.to_ascii_lowercase(), value.to_owned())
        };
        (status, lines.map(field).collect())
    }

    /// Whether the server has ended the connection and sent nothing more.
    pub(crate) fn is_closed(&mut self) -> bool {
        self.received.is_empty() && !self.receive()
    }

    fn receive(&mut self) -> bool {
        let mut chunk = [0; 16 * 1024];
        loop {
            match self.stream.read(&mut chunk) {
                Ok(read) => {
                    self.received.extend_from_slice(&chunk[..read]);
                    return read > 0;
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::ConnectionReset => return false,
                Err(error) => panic!("nothing came: {error}"),
            }
        }
    }
}

/// The bytes of a request without body.
pub(crate) fn request(method: &str, target: &str, fields: &[(&str, &str)]) -> String {
    request_for("boards.test", method, target, fields)
}

/// The same for another host.
pub(crate) fn request_for(host: &str, method: &str, target: &str, fields: &[(&str, &str)]) -> String {
    let mut head = format!("{method} {target} HTTP/1.1\r\nHost: {host}\r\n");
    for (name, value) in fields {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head.push_str("\r\n");
    head
}

/// One `GET` on a connection of its own.
#[track_caller]
pub(crate) fn get(address: SocketAddr, target: &str) -> Answer {
    Http::connect(address).request("GET", target, &[])
}
