//! `boardwire health`: asks a running server how it is, for a container's health check.
//!
//! Owns the one request, and what its answer means for the exit code. Must not know why a server is not well;
//! the line it prints has the server's own words. Key invariant: it ends within [`PATIENCE`], whatever the
//! other side does. Tests are below, and in tests/it/health.rs over a real server.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use boardwire::client::{Address, Answer, Client, ClientError, Request, Verb, Wanted};

use boardwire::server::config::{self, ConfigError, Values, reachable};

use super::one_line;

/// How long all of it may take.
const PATIENCE: Duration = Duration::from_secs(3);

/// More than an answer of `/health` has.
const ANSWER_BYTES_MAX: usize = 16 * 1024;

/// The server that is asked.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Asked {
    pub(super) listen: SocketAddr,
    /// `--tls-cert`: it speaks TLS, and is known by this.
    certificate: Option<PathBuf>,
}

impl Asked {
    /// The one of these settings.
    ///
    /// # Errors
    /// A setting that is wrong.
    pub(crate) fn from_values(values: &Values) -> Result<Self, ConfigError> {
        Ok(Self {
            listen: config::listen(values)?,
            certificate: config::certificate(values)?,
        })
    }
}

impl fmt::Display for Asked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.listen)?;
        match &self.certificate {
            Some(file) => write!(f, ", known by {}", file.display()),
            None => Ok(()),
        }
    }
}

/// Asks a server; the line to print, as an error where it is not well.
///
/// # Errors
/// Nobody answers in time, or the answer is not 200.
pub(crate) fn check(asked: &Asked) -> Result<String, String> {
    let address = reachable(asked.listen);
    let answer = match ask(address, asked) {
        Err(ClientError::NotHttp) => return Err(format!("{address}: the answer is not HTTP")),
        answer => answer.map_err(|error| format!("{address}: no answer: {error}"))?,
    };
    let line = one_line(&String::from_utf8_lossy(&answer.body));
    match answer.status {
        200 => Ok(line),
        status => Err(format!("{address}: status {status}: {line}")),
    }
}

/// The answer of whatever listens there.
pub(super) fn ask(address: SocketAddr, asked: &Asked) -> Result<Answer, ClientError> {
    let scheme = asked.certificate.as_ref().map_or("http", |_| "https");
    let place =
        Address::parse(&format!("{scheme}://{address}/health")).map_err(|_| ClientError::NoAddress)?;
    let request = Request {
        verb: Verb::Get,
        address: &place,
        fields: &[],
        body: b"",
    };
    let client = Client::of_owner(asked.certificate.as_deref());
    smol::block_on(client.send(request, Wanted::Body(ANSWER_BYTES_MAX), PATIENCE))
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::net::TcpListener;

    use super::*;

    fn at(listen: SocketAddr) -> Asked {
        Asked {
            listen,
            certificate: None,
        }
    }

    /// Answers one request with `answer`, and gives what `check` says.
    fn checked(answer: &'static str) -> (Result<String, String>, String) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let served = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut request = vec![0; 1024];
            let read = stream.read(&mut request).unwrap();
            stream.write_all(answer.as_bytes()).unwrap();
            String::from_utf8(request[..read].to_vec()).unwrap()
        });
        (check(&at(address)), served.join().unwrap())
    }

    #[test]
    fn well_is_200_and_nothing_else() {
        let (line, request) = checked("HTTP/1.1 200 OK\r\nContent-Length: 15\r\n\r\n{\"status\":\"ok\"}");
        assert_eq!(line, Ok("{\"status\":\"ok\"}".to_owned()));
        assert!(
            request.starts_with("GET /health HTTP/1.1\r\nHost: 127.0.0.1:"),
            "{request}"
        );
        for (answer, expected) in [
            (
                "HTTP/1.1 503 Service Unavailable\r\n\r\n{\"status\":\"degraded\"}",
                "status 503: {\"status\":\"degraded\"}",
            ),
            ("HTTP/1.1 2000\r\n\r\nfine\n\u{1b}[2J", "is not HTTP"),
            ("SSH-2.0-OpenSSH\r\n", "is not HTTP"),
            ("", "no answer: the connection ended"),
        ] {
            let line = checked(answer).0.expect_err(answer);
            assert!(
                line.contains(expected) && line.chars().all(|c| (' '..='~').contains(&c)),
                "{line}"
            );
        }
    }

    #[test]
    fn nobody_there_is_said_with_the_address() {
        let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let line = check(&at(free)).expect_err("nobody listens");
        assert!(line.starts_with(&format!("{free}: no answer: ")), "{line}");
    }

    #[test]
    fn who_listens_everywhere_is_asked_on_loopback() {
        for (listen, expected) in [
            ("0.0.0.0:8080", "127.0.0.1:8080"),
            ("[::]:8080", "[::1]:8080"),
            ("127.0.0.1:1", "127.0.0.1:1"),
            ("10.0.0.7:80", "10.0.0.7:80"),
        ] {
            assert_eq!(reachable(listen.parse().unwrap()).to_string(), expected);
        }
    }
}
